/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A piece of user memory that is mapped somewhere, and which of its pages are
 * pinned for whom.
 */
#ifndef IOMMUFD_PAGES_H
#define IOMMUFD_PAGES_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>

#include "owner.h"
#include "pfn_runs.h"
#include "pfnmap.h"

struct file;
struct page;

/**
 * struct iopt_pages - user memory behind one or more areas
 * @refs: one per area
 * @writable: devices may write; the pages are pinned for writing
 * @unlimited: who pays had CAP_IPC_LOCK when it began to
 * @leak: never unpin again: an IOMMU driver did not unmap when told to, so a
 *	device may still reach these pages; only ever set, before the unpin
 * @changing: whose memory it is to be has been charged, too; @mutex
 * @mode: whom pinned pages are charged to, as the context says
 * @account: the same, but nobody if there is no limit; of a file it may change, as
 *	@unlimited and @owner may, under @mutex
 * @owner: whose memory, or who pays for that of @file
 * @file: a memfd, with a reference, or NULL: memory of @owner
 * @uva: address of the first page, or its offset in @file
 * @npages: pages in all
 * @pfnmap: while it has users a device's memory, of which nothing is pinned, or
 *	NULL; @mutex, but for users, for whom it does not change
 * @mutex: protects what is pinned
 * @extents: tree of struct pfn_extent, the pinned pages; @mutex
 * @first: an extent that needs no allocation, for the common case of one; free
 *	while its nruns is 0; @mutex
 *
 * Areas that copy each other share one of these, so that each page is pinned
 * and charged once, whoever maps it: a page is pinned while it has users, and
 * a user is an area that some IOMMU domain maps, or an in-kernel access.
 */
struct iopt_pages {
	struct kref refs;
	bool writable;
	bool unlimited;
	bool leak;
	bool changing;
	u8 mode;
	u8 account;
	struct iommufd_owner *owner;
	struct file *file;
	unsigned long uva;
	unsigned long npages;
	struct pfnmap *pfnmap;

	struct mutex mutex;
	struct rb_root extents;
	struct pfn_extent first;
};

/* What iopt_pages_init() was asked to leave room for, zeroed, with each */
static inline void *iopt_pages_tail(struct iopt_pages *pages)
{
	return pages + 1;
}

/**
 * struct iopt_pages_change - another process is about to pay for pages
 * @pages: pages, with a reference
 * @npages: how many of them the other one was charged
 * @unlimited: the other one has CAP_IPC_LOCK
 * @account: whom pinned pages will be charged to
 * @charge: how the other one was charged; not twice where both share a limit
 * @uncharge: the same for who paid
 */
struct iopt_pages_change {
	struct iopt_pages *pages;
	unsigned long npages;
	bool unlimited;
	enum iommufd_account account;
	enum iommufd_account charge;
	enum iommufd_account uncharge;
};

/* Single pages to be unpinned in one go */
#define UNPIN_BATCH 16

/**
 * struct unpin_batch - pages whose last user has gone
 * @n: how many of @pages
 * @dirty: they may have been written to
 * @pages: pages
 */
struct unpin_batch {
	unsigned int n;
	bool dirty;
	struct page *pages[UNPIN_BATCH];
};

struct iopt_pages *iopt_pages_alloc(struct iommufd_owner *owner,
				    enum iommufd_account account,
				    unsigned long uva, unsigned long length,
				    bool writable);
struct iopt_pages *iopt_pages_alloc_file(struct iommufd_owner *owner,
					 enum iommufd_account account,
					 struct file *file, unsigned long start,
					 unsigned long length, bool writable);
void iopt_pages_get(struct iopt_pages *pages);
void iopt_pages_put(struct iopt_pages *pages);
void iopt_pages_put_many(struct iopt_pages **pages, unsigned int n);

int iopt_pages_pin(struct iopt_pages *pages, unsigned long first,
		   unsigned long last);
int iopt_pages_pin_dma(struct iopt_pages *pages, unsigned long first,
		       unsigned long last);
unsigned long iopt_pages_unpin(struct iopt_pages *pages, unsigned long first,
			       unsigned long last);
unsigned long iopt_pages_unpin_later(struct iopt_pages *pages,
				     unsigned long first, unsigned long last,
				     struct unpin_batch *batch);
void unpin_batch_flush(struct unpin_batch *batch);

/**
 * iopt_pages_uncharge() - Give back what unpinned pages were charged
 * @pages: pages
 * @npages: number of pages
 */
static inline void iopt_pages_uncharge(struct iopt_pages *pages,
				       unsigned long npages)
{
	iommufd_owner_uncharge(pages->owner, pages->account, npages);
}

int iopt_pages_charge_next(struct iopt_pages *pages, struct iommufd_owner *next,
			   bool unlimited, struct iopt_pages_change *change);
void iopt_pages_change_owner(struct iopt_pages_change *change,
			     struct iommufd_owner *next, bool undo);
int iopt_pages_prepare_cut(struct iopt_pages *pages, unsigned long index);
void iopt_pages_finish_cut(struct iopt_pages *pages);
void iopt_pages_list(struct iopt_pages *pages, unsigned long first,
		     unsigned long last, struct page **out);
int iopt_pages_rw(struct iopt_pages *pages, unsigned long offset, void *data,
		  size_t length, bool write);

unsigned long iopt_pages_count_objects(void);
unsigned long iopt_pages_count_pinned(void);

int iopt_pages_init(size_t tail);
void iopt_pages_exit(void);

#endif
