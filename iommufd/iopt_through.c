// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is mapped through an IO address space: another domain's IOVAs lead to the
 * memory that its own lead to.
 *
 * Whoever does that is a watcher.  It maps only through an area that is LIVE and, as
 * some domain shows it, pinned, with iova_rwsem held; an unmap makes the area DYING
 * under that lock first, and tells watchers before it unpins.  So one of both always
 * sees the other.  Areas remember that there is something to tell: an unmap of others
 * costs nothing more.
 */
#include <linux/align.h>

#include "iopt_chain.h"

/**
 * iopt_add_watcher() - Be told of what is unmapped
 * @iopt: io_pagetable
 * @watcher: the watcher
 */
void iopt_add_watcher(struct io_pagetable *iopt, struct iopt_watcher *watcher)
{
	WRITE_ONCE(iopt->remembers, true);
	down_write(&iopt->access_rwsem);
	list_add_tail(&watcher->item, &iopt->watchers);
	up_write(&iopt->access_rwsem);
}

/**
 * iopt_remove_watcher() - Undo iopt_add_watcher()
 * @iopt: io_pagetable
 * @watcher: the watcher, which has nothing mapped through @iopt
 */
void iopt_remove_watcher(struct io_pagetable *iopt,
			 struct iopt_watcher *watcher)
{
	down_write(&iopt->access_rwsem);
	list_del(&watcher->item);
	up_write(&iopt->access_rwsem);
}

/**
 * iopt_tell_watchers() - Have watchers let go of areas
 * @iopt: io_pagetable, with domains_rwsem held for reading
 * @chain: areas, DYING
 *
 * Once for all of them: what was mapped through them is not in their order.
 */
void iopt_tell_watchers(struct io_pagetable *iopt, struct iopt_area *chain)
{
	struct iopt_area *area, *first = NULL, *last = NULL;
	struct iopt_watcher *watcher;
	bool tables = false;

	for (area = chain; area; area = area->next) {
		if (!area->through && !area->tables)
			continue;
		if (!first)
			first = area;
		last = area;
		tables |= area->tables;
	}
	if (!first)
		return;

	down_read(&iopt->access_rwsem);
	list_for_each_entry(watcher, &iopt->watchers, item)
		watcher->unmap(watcher, first->node.start, last->node.last,
			       tables);
	up_read(&iopt->access_rwsem);
}

/* Byte of area->pages that an IOVA of the area is, within its page. */
static unsigned long page_offset_of(const struct iopt_area *area,
				    unsigned long gpa)
{
	return iopt_area_offset(area, gpa) % PAGE_SIZE;
}

/* What cannot change while an area is LIVE and some domain shows it. */
static bool usable(const struct iopt_area *area, struct iopt_domain *idomain,
		   const struct iopt_through *part)
{
	unsigned long mask = BIT(__ffs(idomain->domain->pgsize_bitmap)) - 1;

	return area->state == IOPT_AREA_LIVE && (area->prot & part->prot) &&
	       !READ_ONCE(area->pages->pfnmap) &&
	       !(page_offset_of(area, part->gpa) & mask);
}

/*
 * Shorten a part, which begins at @pos, so that it has nothing of [@first, @last], or
 * all of its pages have some.  Returns true in the first case.
 */
static bool cut_part(struct iopt_through *part, unsigned long pos,
		     unsigned long first, unsigned long last)
{
	unsigned long before;

	if (last < pos || first > pos + (part->length - 1))
		return true;
	before = first > pos ? ALIGN_DOWN(first - pos, PAGE_SIZE) : 0;
	if (before) {
		part->length = before;
		return true;
	}
	if (last - pos < part->length - 1)
		part->length = ALIGN(last - pos + 1, PAGE_SIZE);
	return false;
}

/* The same for IOVAs that the domain does not have, or that are reserved. */
static bool cut_iovas(struct io_pagetable *iopt, struct iopt_domain *idomain,
		      struct iopt_through *part)
{
	const struct iommu_domain_geometry *geo = &idomain->domain->geometry;
	struct interval_tree_node *node;

	if (geo->aperture_start &&
	    !cut_part(part, part->iova, 0, geo->aperture_start - 1))
		return false;
	if (geo->aperture_end != ULONG_MAX &&
	    !cut_part(part, part->iova, geo->aperture_end + 1, ULONG_MAX))
		return false;
	node = interval_tree_iter_first(&iopt->reserved, part->iova,
					part->iova + (part->length - 1));
	return !node || cut_part(part, part->iova, node->start, node->last);
}

/* The same for what no area covers, or one that is not usable. */
static bool cut_gpas(struct io_pagetable *iopt, struct iopt_domain *idomain,
		     struct iopt_through *part)
{
	unsigned long gpa = part->gpa, last = gpa + (part->length - 1), length;
	struct iopt_area *area;

	area = iopt_area_first(iopt, gpa, last);
	if (!area)
		return false;
	if (area->node.start > gpa) {
		/* A page that it covers in part belongs to the gap. */
		length = ALIGN(area->node.start - gpa, PAGE_SIZE);
		part->length = min(part->length, length);
		return false;
	}
	length = ALIGN_DOWN(min(last, area->node.last) - gpa + 1, PAGE_SIZE);
	part->length = max(length, PAGE_SIZE);
	return length && usable(area, idomain, part);
}

/**
 * iopt_through_part() - How much can be mapped at once, or not at all
 * @iopt: io_pagetable
 * @idomain: the domain, which @iopt does not show its areas in
 * @part: what is wanted; out: its length, shortened
 *
 * Return: true if all that is left of @part may be mapped, and lies in one area;
 * false if nothing of it may.
 */
bool iopt_through_part(struct io_pagetable *iopt, struct iopt_domain *idomain,
		       struct iopt_through *part)
{
	bool yes;

	down_read(&iopt->iova_rwsem);
	yes = cut_iovas(iopt, idomain, part) && cut_gpas(iopt, idomain, part);
	up_read(&iopt->iova_rwsem);
	return yes;
}

/* The largest IO page there, as the core chooses it; at least PAGE_SIZE is counted */
static unsigned long io_page(unsigned long bitmap, unsigned long mix,
			     unsigned long length)
{
	unsigned long fits = bitmap & GENMASK(__fls(length), 0);

	if (mix)
		fits &= GENMASK(__ffs(mix), 0);
	return fits ? max(BIT(__fls(fits)), PAGE_SIZE) : PAGE_SIZE;
}

/* How many IO pages will that be?  Looks no further than max_entries. */
static int count_entries(struct iopt_through *part,
			 const struct domain_range *range, unsigned long bitmap)
{
	unsigned long iova = range->iova, left = range->length, pfn, length, n;
	struct pfn_cursor cur;

	part->entries = range->length / PAGE_SIZE;
	if (range->max_io_page > PAGE_SIZE && !range->page_offset) {
		part->entries = 0;
		bitmap &= range->max_io_page | (range->max_io_page - 1);
		pfn_cursor_init(&cur, range->extents, range->first_page,
				range->first_page + left / PAGE_SIZE - 1);
		while (left && part->entries <= part->max_entries) {
			length = pfn_cursor_next(&cur, &pfn) * PAGE_SIZE;
			if (!length)
				return -EIO;
			left -= length;
			for (; length && part->entries <= part->max_entries;
			     length -= n) {
				n = io_page(bitmap, iova | PFN_PHYS(pfn),
					    length);
				iova += n;
				pfn += n / PAGE_SIZE;
				part->entries++;
			}
			cond_resched();
		}
	}
	return part->entries > part->max_entries ? -ENOSPC : 0;
}

static int map_pinned(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iopt_domain *idomain, struct iopt_through *part)
{
	struct iopt_pages *pages = area->pages;
	struct domain_range range = {
		.extents = &pages->extents,
		.first_page = iopt_area_page(area, part->gpa),
		.page_offset = page_offset_of(area, part->gpa),
		.iova = part->iova,
		.length = part->length,
		.max_io_page = iopt->disable_large_pages ? PAGE_SIZE :
							   part->max_io_page,
		.prot = part->prot | (area->prot & IOMMU_CACHE),
		.gfp = GFP_KERNEL_ACCOUNT,
	};
	bool stuck = false;
	int rc;

	lockdep_assert_held(&pages->mutex);

	rc = count_entries(part, &range, idomain->domain->pgsize_bitmap);
	if (rc)
		return rc;
	iopt_domain_hold(idomain);
	rc = domain_map(idomain->domain, &range, &stuck);
	iopt_domain_release(idomain);
	if (stuck)
		WRITE_ONCE(pages->leak, true);
	return rc;
}

static struct iopt_area *live_area(struct io_pagetable *iopt, unsigned long gpa)
{
	struct iopt_area *area = iopt_area_first(iopt, gpa, gpa);

	return area && area->state == IOPT_AREA_LIVE ? area : NULL;
}

/**
 * iopt_through_map() - Map a part
 * @iopt: io_pagetable, some domain of which keeps its areas pinned
 * @idomain: the domain; nothing is mapped at these IOVAs
 * @part: what iopt_through_part() returned true for; out: prot and entries
 *
 * Return: 0; 1 stage 2 has changed: nothing is mapped, look again; or an error and
 * nothing is mapped: -ENOSPC more than max_entries; as domain_map().
 * Context: may sleep; the watcher's lock is held, so that its unmap() waits.
 */
int iopt_through_map(struct io_pagetable *iopt, struct iopt_domain *idomain,
		     struct iopt_through *part)
{
	unsigned long last = part->gpa + (part->length - 1);
	struct iopt_area *area;
	int rc = 1;

	down_read(&iopt->iova_rwsem);
	area = live_area(iopt, part->gpa);
	if (area && area->node.last >= last && usable(area, idomain, part)) {
		part->prot &= area->prot;
		WRITE_ONCE(area->through, true);
		mutex_lock(&area->pages->mutex);
		rc = map_pinned(iopt, area, idomain, part);
		mutex_unlock(&area->pages->mutex);
	}
	up_read(&iopt->iova_rwsem);
	return rc;
}

/**
 * iopt_through_prot() - What the area over an IOVA allows
 * @iopt: io_pagetable
 * @gpa: IOVA
 *
 * Return: IOMMU_READ, IOMMU_WRITE; 0 without an area.
 */
int iopt_through_prot(struct io_pagetable *iopt, unsigned long gpa)
{
	struct iopt_area *area;
	int prot = 0;

	down_read(&iopt->iova_rwsem);
	area = iopt_area_first(iopt, gpa, gpa);
	if (area)
		prot = area->prot & (IOMMU_READ | IOMMU_WRITE);
	up_read(&iopt->iova_rwsem);
	return prot;
}

/* Is all of a range mapped?  An area may have been cut into several. */
static bool range_live(struct io_pagetable *iopt, unsigned long gpa,
		       unsigned long last)
{
	struct iopt_area *area;

	for (;; gpa = area->node.last + 1) {
		area = live_area(iopt, gpa);
		if (!area)
			return false;
		if (area->node.last >= last)
			return true;
	}
}

/**
 * iopt_through_live() - Is all of a range in areas that nobody is unmapping
 * @iopt: io_pagetable
 * @gpa: first IOVA
 * @last: last IOVA, inclusive
 */
bool iopt_through_live(struct io_pagetable *iopt, unsigned long gpa,
		       unsigned long last)
{
	bool live;

	down_read(&iopt->iova_rwsem);
	live = range_live(iopt, gpa, last);
	up_read(&iopt->iova_rwsem);
	return live;
}

/**
 * iopt_through_leak() - Never unpin the memory of an area
 * @iopt: io_pagetable
 * @gpa: an IOVA of it; it was mapped through, and domain_unmap() failed
 */
void iopt_through_leak(struct io_pagetable *iopt, unsigned long gpa)
{
	struct iopt_area *area;

	down_read(&iopt->iova_rwsem);
	area = iopt_area_first(iopt, gpa, gpa);
	if (!WARN_ON(!area))
		WRITE_ONCE(area->pages->leak, true);
	up_read(&iopt->iova_rwsem);
}

/**
 * iopt_through_read() - Read a page table
 * @iopt: io_pagetable
 * @gpa: IOVA, aligned to PAGE_SIZE
 * @table: out: PAGE_SIZE bytes
 *
 * Return: 0, or as iopt_access_rw().
 * Context: may sleep; the watcher's lock is held, so that its unmap() waits.
 */
int iopt_through_read(struct io_pagetable *iopt, unsigned long gpa, void *table)
{
	unsigned long last = gpa + (PAGE_SIZE - 1), pos = gpa;
	struct iopt_area *area;

	/* Before it is read: an unmap in between fails it, a later one tells. */
	down_read(&iopt->iova_rwsem);
	for (;;) {
		area = live_area(iopt, pos);
		if (!area)
			break;
		WRITE_ONCE(area->tables, true);
		if (area->node.last >= last)
			break;
		pos = area->node.last + 1;
	}
	up_read(&iopt->iova_rwsem);
	if (!area)
		return -ENOENT;
	return iopt_access_rw(iopt, gpa, table, PAGE_SIZE, false);
}
