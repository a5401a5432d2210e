/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs of page frames in 8 bytes each.
 *
 * What is pinned has to be remembered: asking the IOMMU for it page by page
 * (iova_to_phys) was measured to be nearly all of what an unmap costs.  Memory
 * is contiguous far more often than not, so runs are kept, not pages: huge
 * pages cost next to nothing, and scattered 4 KiB pages 2 MiB per GiB.
 */
#ifndef IOMMUFD_PFN_RUNS_H
#define IOMMUFD_PFN_RUNS_H

#include <linux/rbtree.h>
#include <linux/types.h>

/*
 * 40 bits of page frame number reach 52 bits of physical address, all that
 * x86-64 has; 24 bits of length make a run of up to 64 GiB.
 */
#define PFN_RUN_COUNT_BITS 24
#define PFN_RUN_MAX ((1UL << PFN_RUN_COUNT_BITS) - 1)

static inline u64 pfn_run(unsigned long pfn, unsigned long count)
{
	return (u64)pfn << PFN_RUN_COUNT_BITS | count;
}

static inline unsigned long pfn_run_pfn(u64 run)
{
	return run >> PFN_RUN_COUNT_BITS;
}

static inline unsigned long pfn_run_count(u64 run)
{
	return run & PFN_RUN_MAX;
}

/**
 * struct pfn_extent - pinned pages with consecutive indexes
 * @node: in the tree of a struct iopt_pages, by @start
 * @start: index of the first page
 * @npages: number of pages, the sum of all runs
 * @users: how many want these pages pinned; the same for each page
 * @nruns: number of runs, at least 1
 * @run: the only run, if @nruns is 1
 * @runs: array of @nruns, if @nruns is more
 *
 * Extents do not overlap.  All members are protected by the mutex of the
 * struct iopt_pages.
 */
struct pfn_extent {
	struct rb_node node;
	unsigned long start;
	unsigned long npages;
	unsigned int users;
	unsigned int nruns;
	union {
		u64 run;
		u64 *runs;
	};
};

static inline const u64 *pfn_extent_runs(const struct pfn_extent *ext)
{
	return ext->nruns == 1 ? &ext->run : ext->runs;
}

static inline unsigned long pfn_extent_last(const struct pfn_extent *ext)
{
	return ext->start + ext->npages - 1;
}

int pfn_extent_set_runs(struct pfn_extent *ext, const u64 *runs,
			unsigned int nruns);
void pfn_extent_free_runs(struct pfn_extent *ext);
int pfn_extent_split(struct pfn_extent *ext, struct pfn_extent *tail,
		     unsigned long index);

void pfn_extent_insert(struct rb_root *root, struct pfn_extent *ext);
struct pfn_extent *pfn_extent_find(const struct rb_root *root,
				   unsigned long index);
struct pfn_extent *pfn_extent_next(struct pfn_extent *ext);

/**
 * struct pfn_cursor - reads the page frames of a range of pinned pages
 * @ext: extent at the current position
 * @run: index of the run in @ext
 * @skip: pages of that run that were read already
 * @left: pages still to be read
 */
struct pfn_cursor {
	struct pfn_extent *ext;
	unsigned int run;
	unsigned long skip;
	unsigned long left;
};

void pfn_cursor_init(struct pfn_cursor *cur, const struct rb_root *root,
		     unsigned long first, unsigned long last);
unsigned long pfn_cursor_next(struct pfn_cursor *cur, unsigned long *pfn);

#endif
