// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bitmaps of dirty pages, written as VFIO type1 of 6.1 writes them: for each
 * mapping of the range whole words of 64 pages.  What stands in the first one is
 * kept if the mapping does not begin with it; all others are overwritten.  The
 * words between mappings stay untouched.  Userspace is to provide zeros.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "io_pagetable.h"
#include "vfio_dirty.h"

/*
 * What goes to userspace at once: 128 MiB by the heap, or 2 MiB by the stack, which
 * is cheaper for that, and does for more when there is no memory.
 */
#define MANY_WORDS (PAGE_SIZE / sizeof(unsigned long))
#define FEW_WORDS 8

/**
 * vfio_dirty_check_bitmap() - Is a bitmap good for a range?
 * @bitmap: of userspace's
 * @size: of the range, bytes
 *
 * Return: 0, or -EINVAL: not the page size that MIGRATION tells, too short, longer
 * than it may be, or no memory of userspace's.
 */
int vfio_dirty_check_bitmap(const struct vfio_bitmap *bitmap, u64 size)
{
	u64 npages = size >> PAGE_SHIFT;

	if (bitmap->pgsize != PAGE_SIZE || !npages || !bitmap->size ||
	    bitmap->size > VFIO_DIRTY_BITMAP_BYTES(VFIO_DIRTY_PAGES_MAX) ||
	    bitmap->size < VFIO_DIRTY_BITMAP_BYTES(npages) ||
	    !access_ok(bitmap->data, bitmap->size))
		return -EINVAL;
	return 0;
}

/* What userspace has in the first word is no page of ours: @bits stay as they are. */
static int put_user_run(u64 __user *bitmap, const struct iopt_dirty_run *run,
			unsigned long *bits)
{
	u64 __user *first = bitmap + run->word;
	unsigned long ours = *bits, left;
	u64 kept = 0;

	BUILD_BUG_ON(sizeof(*first) != sizeof(*bits));

	if (run->keep && get_user(kept, first))
		return -EFAULT;
	if (run->words == 1)
		return put_user(ours | kept, first);
	*bits |= kept;
	left = copy_to_user(first, bits, run->words * sizeof(*bits));
	*bits = ours;
	return left ? -EFAULT : 0;
}

/* Userspace has been told of the pages of a run, which ends before @last or there. */
static void clean_run(struct io_pagetable *iopt, unsigned long base,
		      unsigned long last, const struct iopt_dirty_run *run,
		      const unsigned long *bits)
{
	unsigned long word = run->word;
	struct iopt_range range = {
		.first = base + (word * BITS_PER_LONG + run->keep) * PAGE_SIZE,
	};

	range.last = range.first +
		     (run->words * BITS_PER_LONG - run->keep) * PAGE_SIZE - 1;
	/* The last word may go on behind the 64-bit space. */
	if (range.last > last || range.last < range.first)
		range.last = last;
	iopt_page_pins_clean(iopt, &range, bits, run->keep);
}

static int put_user_batch(struct io_pagetable *iopt, unsigned long base,
			  u64 __user *bitmap,
			  const struct iopt_dirty_batch *batch)
{
	const struct iopt_dirty_run *run;
	unsigned long *bits = batch->bits;
	int rc;

	for (run = batch->runs; run != batch->runs + batch->nruns; run++) {
		rc = put_user_run(bitmap, run, bits);
		if (rc)
			return rc;
		if (!xa_empty(&iopt->page_pins))
			clean_run(iopt, base, batch->last, run, bits);
		bits += run->words;
	}
	return 0;
}

/**
 * vfio_dirty_read() - Tell userspace which pages of a range are dirty
 * @iopt: io_pagetable
 * @iova: first IOVA, on a page boundary
 * @last: last IOVA, inclusive
 * @bitmap: as checked; bit 0 is the page at @iova
 *
 * What is not pinned is clean again afterwards.
 *
 * Return: 0, -EINVAL: an end of the range cuts a mapping; -EFAULT, or -EINTR being
 * killed.
 * Context: may sleep; touches user memory, with no lock held.
 */
int vfio_dirty_read(struct io_pagetable *iopt, unsigned long iova,
		    unsigned long last, u64 __user *bitmap)
{
	unsigned long few[FEW_WORDS], *many = NULL;
	struct iopt_dirty_batch batch = {
		.first = iova,
		.bits = few,
		.room = FEW_WORDS,
	};
	int rc;

	if ((last - iova) / PAGE_SIZE >= FEW_WORDS * BITS_PER_LONG)
		many = kmalloc_array(MANY_WORDS, sizeof(*many),
				     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (many) {
		batch.bits = many;
		batch.room = MANY_WORDS;
	}
	for (;;) {
		rc = iopt_read_dirty(iopt, iova, last, &batch);
		if (rc <= 0)
			break;
		rc = put_user_batch(iopt, iova, bitmap, &batch);
		if (rc || batch.last == last)
			break;
		batch.first = batch.last + 1;
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		cond_resched();
	}
	kfree(many);
	return rc;
}
