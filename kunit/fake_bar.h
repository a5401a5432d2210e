/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's BAR that a process which does not exist (fake_mem.h) has mapped.
 *
 * It can be taken out of the page tables, which is what tells the unit under test
 * that it has to go, and comes back by a fault, unless the device is dead.  A page
 * frame that a device can reach must be in the page tables: this is checked at each
 * map and when an invalidation is over.  While there is no BAR there is no VMA at
 * all.  Work is queued here and runs when a case says so.
 */
#ifndef IOMMUFD_KUNIT_FAKE_BAR_H
#define IOMMUFD_KUNIT_FAKE_BAR_H

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/workqueue.h>

#include "fake_domain.h"
#include "fake_mem.h"

/* Where no fake memory is, so that pinning says -EFAULT */
#define KT_BAR_UVA (KT_UVA + (1UL << 36))
/* First page frame, where an IO page of 1 GiB could begin */
#define KT_BAR_PFN 0x8000000UL

#define KT_BAR_VMAS 2
#define KT_BAR_MAX 64

/**
 * struct kt_bar_page - a page of the BAR
 * @pfn: page frame
 * @present: in the page tables
 * @read_only: there, but not to be written to
 */
struct kt_bar_page {
	unsigned long pfn;
	bool present;
	bool read_only;
};

/**
 * struct kt_bar_frame - a page frame
 * @page: index of the page that has it, plus 1; 0: none has
 * @reach: IO pages that reach it
 */
struct kt_bar_frame {
	u32 page;
	u32 reach;
};

/**
 * struct kt_bar - a BAR, and a process's view of it
 * @npages: pages from KT_BAR_UVA on
 * @nframes: page frames from KT_BAR_PFN on, of which these pages are some
 * @pages: pages
 * @frames: page frames
 * @vmas: of the process; at first one over all of it
 * @nvmas: how many
 * @reserved: the page frames have a struct page, which is reserved
 * @dead: a fault finds nothing
 * @fault_rc: what a fault returns, if not 0
 * @fault_read_only: so are page table entries that faults make
 * @unlocks: how many faults will drop mmap_lock
 * @unlocked: called meanwhile, if not NULL
 * @nfaults: how many there were
 * @nreads: looks at page table entries
 * @zap_before: all is zapped right before the n-th look from now on; 0: never
 * @zap_after: so right after the n-th entry that was found
 * @zap_always: so each time that the last page was found
 * @zapped: called after such a zap, if not NULL
 * @readers: of mmap_lock
 * @lock_nth: the n-th who waits for mmap_lock from now on is killed; 0: nobody
 * @busy: so often mmap_lock is not there for who does not wait
 * @busy_hook: called then, if not NULL
 * @ptes_held: page table entries that were not given back
 * @seq: of the last invalidation
 * @pte: what is read
 * @pte_page: whose that is
 * @notifiers: that were inserted
 * @nnotifiers: how many
 * @works: queued
 * @delays: how long each waits
 * @nworks: how many
 */
struct kt_bar {
	unsigned long npages;
	unsigned long nframes;
	struct kt_bar_page *pages;
	struct kt_bar_frame *frames;
	struct vm_area_struct vmas[KT_BAR_VMAS];
	unsigned int nvmas;
	bool reserved;
	bool dead;
	int fault_rc;
	bool fault_read_only;
	unsigned int unlocks;
	void (*unlocked)(struct kt_bar *bar);
	unsigned long nfaults;
	unsigned long nreads;
	unsigned int zap_before;
	unsigned int zap_after;
	bool zap_always;
	void (*zapped)(struct kt_bar *bar);
	unsigned int readers;
	unsigned int lock_nth;
	unsigned int busy;
	void (*busy_hook)(struct kt_bar *bar);
	unsigned int ptes_held;
	unsigned long seq;
	pte_t pte;
	struct kt_bar_page *pte_page;
	struct mmu_interval_notifier *notifiers[KT_BAR_MAX];
	unsigned int nnotifiers;
	struct delayed_work *works[KT_BAR_MAX];
	unsigned long delays[KT_BAR_MAX];
	unsigned int nworks;
};

/* The one that is there, or NULL */
extern struct kt_bar *kt_bar;

struct kt_bar *kt_bar_create(struct kunit *test, unsigned long npages,
			     enum kt_layout layout);
void kt_bar_destroy(struct kt_bar *bar);
void kt_bar_set_pfn(struct kt_bar *bar, unsigned long page, unsigned long pfn);
void kt_bar_check_mapped(struct kunit *test, const struct kt_bar *bar,
			 struct kt_domain *dom, unsigned long iova,
			 unsigned long offset, unsigned long length);

/* What happens to it */
bool kt_bar_invalidate(struct kt_bar *bar, unsigned long first,
		       unsigned long last, enum mmu_notifier_event event,
		       bool blockable);
void kt_bar_zap(struct kt_bar *bar, unsigned long first, unsigned long last);

/* For fake_mem.c: false if the page frame is no BAR's */
bool kt_bar_reach(unsigned long pfn, int n);

/* What the unit calls for functions of mm/ */
int kt_bar_insert(struct mmu_interval_notifier *notifier, struct mm_struct *mm,
		  unsigned long start, unsigned long length,
		  const struct mmu_interval_notifier_ops *ops);
void kt_bar_remove(struct mmu_interval_notifier *notifier);
int kt_bar_follow_pte(unsigned long uva, pte_t **pte, spinlock_t **lock);
void kt_bar_pte_unlock(pte_t *pte, spinlock_t *lock);
int kt_bar_fault(unsigned long uva, unsigned int flags, bool *unlocked);
struct vm_area_struct *kt_bar_vma_lookup(unsigned long uva);
int kt_bar_lock_killable(void);
bool kt_bar_trylock(void);
void kt_bar_unlock(void);
void kt_bar_assert_locked(void);
bool kt_bar_pfn_valid(unsigned long pfn);
bool kt_bar_page_reserved(struct page *page);

/* Work */
void kt_bar_queue(struct delayed_work *work, unsigned long delay, bool mod);
bool kt_bar_cancel(struct delayed_work *work);
bool kt_bar_pending(struct delayed_work *work);
bool kt_bar_run_one(struct kt_bar *bar);
void kt_bar_run(struct kt_bar *bar);

/* pfnmap_test.c: what the unit has to say, and nobody else is to know */
struct pfnmap;
bool kt_pfnmap_established(struct pfnmap *pfnmap);
bool kt_pfnmap_pending(struct pfnmap *pfnmap);

#endif
