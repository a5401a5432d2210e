// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-kernel users that pin and unpin page by page, as VFIO's emulated devices do:
 * which IOVAs they have pinned, how often, and which they may have written to.
 *
 * A page has an entry while it is pinned: its device may write to it at any time,
 * so it is dirty.  While dirty pages are tracked it keeps its entry when it is
 * unpinned, and gets one when it is written to, until userspace has been told.
 */
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "io_pagetable.h"

static unsigned long pins_of(void *entry)
{
	return entry ? xa_to_value(entry) : 0;
}

static int pin_record(struct io_pagetable *iopt, unsigned long index)
{
	void *entry;

	WRITE_ONCE(iopt->remembers, true);
	mutex_lock(&iopt->page_pins_lock);
	entry = xa_load(&iopt->page_pins, index);
	entry = xa_store(&iopt->page_pins, index,
			 xa_mk_value(pins_of(entry) + 1), GFP_KERNEL_ACCOUNT);
	mutex_unlock(&iopt->page_pins_lock);
	return xa_err(entry);
}

/* False: it was not pinned. */
static bool pin_forget(struct io_pagetable *iopt, unsigned long index)
{
	unsigned long pins;

	mutex_lock(&iopt->page_pins_lock);
	pins = pins_of(xa_load(&iopt->page_pins, index));
	if (pins > 1 || (pins && iopt->track_dirty))
		/* The entry is there: needs no memory. */
		xa_store(&iopt->page_pins, index, xa_mk_value(pins - 1),
			 GFP_KERNEL_ACCOUNT);
	else if (pins)
		xa_erase(&iopt->page_pins, index);
	mutex_unlock(&iopt->page_pins_lock);
	return pins;
}

/**
 * iopt_page_pins_unpin() - Undo iopt_page_pins_pin(), for any of its pages
 * @iopt: io_pagetable
 * @iova: IOVA of the first page
 * @npages: number of pages; those that are not pinned are left out
 */
void iopt_page_pins_unpin(struct io_pagetable *iopt, unsigned long iova,
			  unsigned long npages)
{
	for (; npages; npages--, iova += PAGE_SIZE)
		if (pin_forget(iopt, iova / PAGE_SIZE))
			iopt_access_unpin(iopt, iova, PAGE_SIZE);
}

/**
 * iopt_page_pins_pin() - As iopt_access_pin(), page by page
 * @iopt: io_pagetable
 * @iova: IOVA of the first page
 * @npages: number of pages
 * @out: one entry per page
 * @write: for writing
 *
 * Return: as iopt_access_pin().  Context: may sleep.
 */
int iopt_page_pins_pin(struct io_pagetable *iopt, unsigned long iova,
		       unsigned long npages, struct page **out, bool write)
{
	unsigned long i;
	int rc;

	for (i = 0; i != npages; i++) {
		unsigned long at = iova + i * PAGE_SIZE;

		rc = iopt_access_pin(iopt, at, PAGE_SIZE, &out[i], write);
		if (!rc) {
			rc = pin_record(iopt, at / PAGE_SIZE);
			if (rc)
				iopt_access_unpin(iopt, at, PAGE_SIZE);
		}
		if (rc) {
			iopt_page_pins_unpin(iopt, iova, i);
			return rc;
		}
		cond_resched();
	}
	return 0;
}

/**
 * iopt_page_pins_mark() - Pages are about to be written to
 * @iopt: io_pagetable
 * @first: first IOVA
 * @last: last IOVA, inclusive
 *
 * Return: 0 or -ENOMEM.
 */
int iopt_page_pins_mark(struct io_pagetable *iopt, unsigned long first,
			unsigned long last)
{
	unsigned long index;
	int rc = 0;

	mutex_lock(&iopt->page_pins_lock);
	for (index = first / PAGE_SIZE;
	     iopt->track_dirty && index <= last / PAGE_SIZE && !rc; index++)
		if (!xa_load(&iopt->page_pins, index))
			rc = xa_err(xa_store(&iopt->page_pins, index,
					     xa_mk_value(0),
					     GFP_KERNEL_ACCOUNT));
	mutex_unlock(&iopt->page_pins_lock);
	return rc;
}

/**
 * iopt_page_pins_read() - Which of these pages are dirty?
 * @iopt: io_pagetable
 * @range: IOVAs
 * @bits: bitmap, zeroed
 * @first_bit: of the first page
 */
void iopt_page_pins_read(struct io_pagetable *iopt,
			 const struct iopt_range *range, unsigned long *bits,
			 unsigned int first_bit)
{
	unsigned long index, first = range->first / PAGE_SIZE;
	void *entry;

	mutex_lock(&iopt->page_pins_lock);
	xa_for_each_range(&iopt->page_pins, index, entry, first,
			  range->last / PAGE_SIZE)
		__set_bit(first_bit + index - first, bits);
	mutex_unlock(&iopt->page_pins_lock);
}

/**
 * iopt_page_pins_clean() - Forget that pages are dirty which are not pinned
 * @iopt: io_pagetable
 * @range: IOVAs
 * @bits: those that iopt_page_pins_read() has set, or NULL: any
 * @first_bit: of the first page
 *
 * What was written to since then, too: userspace has been told already.
 */
void iopt_page_pins_clean(struct io_pagetable *iopt,
			  const struct iopt_range *range,
			  const unsigned long *bits, unsigned int first_bit)
{
	unsigned long index, first = range->first / PAGE_SIZE;
	void *entry;

	mutex_lock(&iopt->page_pins_lock);
	xa_for_each_range(&iopt->page_pins, index, entry, first,
			  range->last / PAGE_SIZE)
		if (!pins_of(entry) &&
		    (!bits || test_bit(first_bit + index - first, bits)))
			xa_erase(&iopt->page_pins, index);
	mutex_unlock(&iopt->page_pins_lock);
}

/**
 * iopt_track_dirty() - Begin or end to keep track of dirty pages
 * @iopt: io_pagetable
 * @on: begin
 */
void iopt_track_dirty(struct io_pagetable *iopt, bool on)
{
	const struct iopt_range all = { .last = ULONG_MAX };

	mutex_lock(&iopt->page_pins_lock);
	if (on)
		WRITE_ONCE(iopt->remembers, true);
	WRITE_ONCE(iopt->track_dirty, on);
	mutex_unlock(&iopt->page_pins_lock);
	if (!on)
		iopt_page_pins_clean(iopt, &all, NULL, 0);
}
