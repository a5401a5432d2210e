// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages may have been written to, as VFIO type1 knows it.  Devices of 6.1 do
 * not tell, so all that some IOMMU domain maps is dirty; without a domain it is
 * what iopt_page_pins.c knows.
 */
#include <linux/bitmap.h>

#include "io_pagetable.h"

static bool lies_across(struct io_pagetable *iopt, unsigned long iova)
{
	struct iopt_area *area = iopt_area_first(iopt, iova, iova);

	return area && area->node.start != iova;
}

/* @area is the first one of the range @first to @last. */
static bool is_cut(struct io_pagetable *iopt, const struct iopt_area *area,
		   unsigned long first, unsigned long last)
{
	if (!area)
		return false;
	if (area->node.start < first || area->node.last > last)
		return true;
	return area->node.last != last && lies_across(iopt, last + 1);
}

/* What is on its way in or out has not been told to anybody. */
static struct iopt_area *live_from(struct iopt_area *area, unsigned long last)
{
	while (area && area->state != IOPT_AREA_LIVE)
		area = iopt_area_next(area, last);
	return area;
}

/* @n bits from @bit on; all words from @have on are new, and hold nothing yet. */
static void run_set(unsigned long *bits, unsigned int have, unsigned long bit,
		    unsigned long n)
{
	unsigned long first = bit / BITS_PER_LONG;
	unsigned long last = (bit + n - 1) / BITS_PER_LONG;
	unsigned long head = BITMAP_FIRST_WORD_MASK(bit);
	unsigned long tail = BITMAP_LAST_WORD_MASK(bit + n);

	if (first == last)
		head &= tail;
	if (first < have)
		head |= bits[first];
	bits[first] = head;
	if (first == last)
		return;
	memset(bits + first + 1, 0xff, (last - first - 1) * sizeof(*bits));
	bits[last] = tail;
}

/*
 * @n pages from @iova on, of which the first is @bit of @run, whose words are @bits.
 * Who attaches or detaches a domain meanwhile does that before or after it: no lock
 * is needed to look whether there is one.
 */
static void run_add(struct io_pagetable *iopt, struct iopt_dirty_run *run,
		    unsigned long *bits, unsigned long iova, unsigned long bit,
		    unsigned long n)
{
	const struct iopt_range range = {
		.first = iova,
		.last = iova + n * PAGE_SIZE - 1,
	};
	unsigned int have = run->words;

	run->words = BITS_TO_LONGS(bit + n);
	if (!list_empty(&iopt->domains)) {
		run_set(bits, have, bit, n);
		return;
	}
	memset(bits + have, 0, (run->words - have) * sizeof(*bits));
	iopt_page_pins_read(iopt, &range, bits, bit);
}

static void batch_fill(struct io_pagetable *iopt, struct iopt_area *area,
		       unsigned long base, unsigned long last,
		       struct iopt_dirty_batch *batch)
{
	unsigned long *bits = batch->bits, *end = bits + batch->room;
	unsigned long iova = max(batch->first, area->node.start);
	struct iopt_dirty_run *run = NULL;
	unsigned long bit, n, room;

	batch->nruns = 0;
	for (;;) {
		bit = (iova - base) / PAGE_SIZE;
		/* A word that is begun inside keeps what is in front of it. */
		if (!run || bit > (run->word + run->words) * BITS_PER_LONG) {
			if (run)
				bits += run->words;
			if (bits == end || batch->nruns == IOPT_DIRTY_RUNS)
				return;
			run = &batch->runs[batch->nruns++];
			run->word = bit / BITS_PER_LONG;
			run->words = 0;
			run->keep = bit % BITS_PER_LONG;
		}
		bit -= run->word * BITS_PER_LONG;
		room = (end - bits) * BITS_PER_LONG - bit;
		if (!room)
			return;
		n = (min(area->node.last, last) - iova) / PAGE_SIZE + 1;
		n = min(n, room);
		run_add(iopt, run, bits, iova, bit, n);
		batch->last = iova + n * PAGE_SIZE - 1;
		if (n == room)
			return;
		area = live_from(iopt_area_next(area, last), last);
		if (!area)
			return;
		iova = area->node.start;
	}
}

/**
 * iopt_read_dirty() - Which pages are dirty, as many as there is room for
 * @iopt: io_pagetable
 * @base: the IOVA that bit 0 is about
 * @last: where to end, inclusive
 * @batch: first, bits and room are set
 *
 * If it begins at @base, no mapping may lie across an end of @base to @last.
 *
 * Return: 1; 0: nothing is mapped there; -EINVAL: a mapping is cut.
 * Context: may sleep.
 */
int iopt_read_dirty(struct io_pagetable *iopt, unsigned long base,
		    unsigned long last, struct iopt_dirty_batch *batch)
{
	struct iopt_area *area;
	int rc = 0;

	down_read(&iopt->iova_rwsem);
	area = iopt_area_first(iopt, batch->first, last);
	if (batch->first == base && is_cut(iopt, area, base, last)) {
		rc = -EINVAL;
		goto out_unlock;
	}
	area = live_from(area, last);
	if (area) {
		batch_fill(iopt, area, base, last, batch);
		rc = 1;
	}
out_unlock:
	up_read(&iopt->iova_rwsem);
	return rc;
}
