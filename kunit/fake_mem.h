/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a process that does not exist.
 *
 * Its page frames are numbers: nothing is behind them, and nothing looks.  What
 * is kept is how often each one is pinned, and how many IO pages of fake
 * domains (fake_domain.h) reach it.  A page that a device can reach must be
 * pinned: this is checked at each unpin and each map.
 */
#ifndef IOMMUFD_KUNIT_FAKE_MEM_H
#define IOMMUFD_KUNIT_FAKE_MEM_H

#include <linux/mm_types.h>

#include "owner.h"
#include "util.h"

#define KT_UVA 0x7f0000000000UL
/* First page frame: no page lies at physical address 0, nor a device there. */
#define KT_PFN 0x40000UL

/**
 * struct kt_mem - memory of a fake process
 * @npages: pages from KT_UVA on
 * @npfns: page frames from KT_PFN on, of which these pages are some
 * @pfns: page frame of each page
 * @pins: of each page frame, from KT_PFN on
 * @reach: IO pages that reach each page frame
 * @total_pins: sum of @pins
 * @dirtied: pages that were unpinned as dirty
 * @short_gup: get only a part of what is asked for, at random
 * @bad: index of a page that cannot be got, or ULONG_MAX
 * @bad_rc: what GUP returns for it
 * @gup_flags: flags of the last GUP
 * @gup_calls: how many there were
 * @real: hand out this page for each index, if not NULL
 * @mm: address space
 * @task: group leader
 * @user: user
 */
struct kt_mem {
	unsigned long npages;
	unsigned long npfns;
	u32 *pfns;
	u16 *pins;
	u16 *reach;
	unsigned long total_pins;
	unsigned long dirtied;
	bool short_gup;
	unsigned long bad;
	long bad_rc;
	unsigned int gup_flags;
	unsigned long gup_calls;
	struct page *real;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
};

/* How page frames follow each other. */
enum kt_layout {
	KT_SCATTERED,	/* no two in a row */
	KT_CONTIGUOUS,	/* all of them in a row */
	KT_MIXED,	/* runs of random length and alignment */
};

struct kt_mem *kt_mem_create(struct kunit *test, unsigned long npages,
			     enum kt_layout layout);
void kt_mem_destroy(struct kt_mem *mem);
struct iommufd_owner *kt_mem_owner(struct kt_mem *mem);
void kt_mem_set_limit(struct kt_mem *mem, unsigned long npages);

static inline phys_addr_t kt_mem_phys(const struct kt_mem *mem,
				      unsigned long offset)
{
	return ((phys_addr_t)mem->pfns[offset / PAGE_SIZE] << PAGE_SHIFT) +
	       offset % PAGE_SIZE;
}

void kt_reach(phys_addr_t phys, size_t size);
void kt_unreach(phys_addr_t phys, size_t size);

struct page *kt_pfn_to_page(unsigned long pfn);
unsigned long kt_page_to_pfn(struct page *page);
long kt_gup(struct mm_struct *mm, unsigned long uva, unsigned long npages,
	    unsigned int flags, struct page **out);
void kt_unpin_pages(struct page **list, unsigned long npages, bool dirty);
void kt_unpin_range(struct page *page, unsigned long npages, bool dirty);

#endif
