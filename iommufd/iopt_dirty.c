// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages may have been written to, as VFIO type1 knows it.  Devices of 6.1 do
 * not tell, so all that some IOMMU domain maps is dirty; without a domain it is
 * what iopt_page_pins.c knows.
 */
#include "io_pagetable.h"

/**
 * iopt_next_live() - The next stretch of IOVAs that are mapped
 * @iopt: io_pagetable
 * @iova: where to begin to look
 * @last: where to end, inclusive
 * @range: out: the part of one mapping that lies in there
 * @reachable: out: devices may write to all of it
 *
 * Return: false: there is none.
 * Context: may sleep.
 */
bool iopt_next_live(struct io_pagetable *iopt, unsigned long iova,
		    unsigned long last, struct iopt_range *range,
		    bool *reachable)
{
	struct iopt_area *area;

	down_read(&iopt->domains_rwsem);
	down_read(&iopt->iova_rwsem);
	*reachable = !list_empty(&iopt->domains);
	area = iopt_area_first(iopt, iova, last);
	/* What is on its way in or out has not been told to anybody. */
	while (area && area->state != IOPT_AREA_LIVE)
		area = iopt_area_next(area, last);
	if (area) {
		range->first = max(iova, area->node.start);
		range->last = min(last, area->node.last);
	}
	up_read(&iopt->iova_rwsem);
	up_read(&iopt->domains_rwsem);
	return area;
}

static bool lies_across(struct io_pagetable *iopt, unsigned long iova)
{
	struct iopt_area *area = iopt_area_first(iopt, iova, iova);

	return area && area->node.start != iova;
}

/**
 * iopt_is_cut() - Does a range contain a part of a mapping only?
 * @iopt: io_pagetable
 * @first: first IOVA
 * @last: last IOVA, inclusive
 */
bool iopt_is_cut(struct io_pagetable *iopt, unsigned long first,
		 unsigned long last)
{
	bool cut;

	down_read(&iopt->iova_rwsem);
	cut = lies_across(iopt, first) ||
	      (last != ULONG_MAX && lies_across(iopt, last + 1));
	up_read(&iopt->iova_rwsem);
	return cut;
}
