// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bitmaps of dirty pages, written as VFIO type1 of 6.1 writes them: for each
 * mapping of the range whole words of 64 pages.  What stands in the first one is
 * kept if the mapping does not begin with it; all others are overwritten.  The
 * words between mappings stay untouched.  Userspace is to provide zeros.
 */
#include <linux/bitmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "io_pagetable.h"
#include "vfio_dirty.h"

/* What goes to userspace at once: bits of 128 MiB, on the heap */
#define CHUNK_BYTES PAGE_SIZE
#define CHUNK_BITS (CHUNK_BYTES * 8UL)

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

/*
 * Write the @n bits from @bit on, which stand in @buf from bit @bit % 64 on, at most
 * CHUNK_BITS in whole words.  All others in there are 0.
 */
static int put_user_bits(u64 __user *bitmap, u64 bit, unsigned long n, u64 *buf)
{
	unsigned int before = bit % 64;
	size_t words = DIV_ROUND_UP(before + n, 64);
	u64 __user *first = bitmap + bit / 64;
	u64 kept;

	if (before) {
		if (copy_from_user(&kept, first, sizeof(kept)))
			return -EFAULT;
		buf[0] |= kept;
	}
	return copy_to_user(first, buf, words * sizeof(*buf)) ? -EFAULT : 0;
}

/* One stretch of a mapping, whose first page is @bit */
static int read_stretch(struct io_pagetable *iopt,
			const struct iopt_range *range, bool reachable,
			u64 __user *bitmap, u64 bit, u64 *buf)
{
	unsigned long *bits = (unsigned long *)buf;
	unsigned long n = (range->last - range->first) / PAGE_SIZE + 1;
	unsigned int before = bit % 64;
	int rc;

	BUILD_BUG_ON(sizeof(*bits) != sizeof(*buf));

	memset(buf, 0, DIV_ROUND_UP(before + n, 64) * sizeof(*buf));
	if (reachable)
		bitmap_set(bits, before, n);
	else
		iopt_page_pins_read(iopt, range, bits, before);
	rc = put_user_bits(bitmap, bit, n, buf);
	if (!rc)
		iopt_page_pins_clean(iopt, range, bits, before);
	return rc;
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
 * Return: 0, -EFAULT, -ENOMEM, or -EINTR being killed.
 * Context: may sleep; touches user memory, with no lock held.
 */
int vfio_dirty_read(struct io_pagetable *iopt, unsigned long iova,
		    unsigned long last, u64 __user *bitmap)
{
	unsigned long pos = iova, max;
	struct iopt_range range;
	bool reachable;
	int rc = 0;
	u64 *buf;
	u64 bit;

	buf = kmalloc(CHUNK_BYTES, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	while (iopt_next_live(iopt, pos, last, &range, &reachable)) {
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		bit = (range.first - iova) / PAGE_SIZE;
		max = (CHUNK_BITS - bit % 64) * PAGE_SIZE;
		if (range.last - range.first >= max)
			range.last = range.first + max - 1;
		rc = read_stretch(iopt, &range, reachable, bitmap, bit, buf);
		if (rc || range.last == last)
			break;
		pos = range.last + 1;
		cond_resched();
	}
	kfree(buf);
	return rc;
}
