// SPDX-License-Identifier: GPL-2.0-only
#include <linux/vmalloc.h>

#include "fake_bar.h"
#include "world.h"

struct kt_world *kt_world_create(struct kunit *test, unsigned long npages,
				 enum kt_layout layout,
				 const unsigned long *pgsizes)
{
	struct kt_world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->areas_before = iopt_count_areas();
	w->pages_before = iopt_pages_count_objects();
	w->pinned_before = iopt_pages_count_pinned();
	iopt_init_table(&w->iopt);
	w->mem = kt_mem_create(test, npages, layout);
	w->owner = kt_mem_owner(w->mem);
	KUNIT_ASSERT_NOT_NULL(test, w->owner);
	w->needed = vzalloc(npages);
	w->held = vzalloc(npages);
	KUNIT_ASSERT_NOT_NULL(test, w->needed);
	KUNIT_ASSERT_NOT_NULL(test, w->held);
	for (i = 0; i != KT_DOMAINS; i++) {
		kt_domain_init(&w->doms[i], pgsizes[i], true);
		w->doms[i].tracks_memory = true;
		w->idomains[i].domain = &w->doms[i].domain;
	}
	return w;
}

/* Unmaps and detaches all that is left. */
void kt_world_destroy(struct kt_world *w)
{
	unsigned long unmapped;
	unsigned int i;

	if (iopt_unmap(&w->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE, &unmapped))
		kt_fail_case("the last unmap failed");
	for (i = 0; i != KT_DOMAINS; i++) {
		if (w->attached[i])
			kt_world_detach(w, i);
		if (w->doms[i].mapped)
			kt_fail_case("%lu bytes are left in a domain", w->doms[i].mapped);
		kt_domain_settled(&w->doms[i]);
		kt_domain_clear(&w->doms[i]);
	}
	iopt_destroy_table(&w->iopt);
	iommufd_owner_put(w->owner);
	kt_mem_destroy(w->mem);
	if (iopt_count_areas() != w->areas_before ||
	    iopt_pages_count_objects() != w->pages_before ||
	    iopt_pages_count_pinned() != w->pinned_before)
		kt_fail_case("%ld areas, %ld pages, %ld pinned pages are left",
			     iopt_count_areas() - w->areas_before,
			     iopt_pages_count_objects() - w->pages_before,
			     iopt_pages_count_pinned() - w->pinned_before);
	vfree(w->needed);
	vfree(w->held);
}

int kt_world_attach(struct kt_world *w, unsigned int n)
{
	int rc = iopt_add_domain(&w->iopt, &w->idomains[n]);

	if (!rc) {
		w->attached[n] = true;
		w->nattached++;
	}
	return rc;
}

void kt_world_detach(struct kt_world *w, unsigned int n)
{
	iopt_remove_domain(&w->iopt, &w->idomains[n]);
	w->attached[n] = false;
	w->nattached--;
}

/* Map memory at a place, for reading and writing. */
int kt_world_map(struct kt_world *w, unsigned long offset, unsigned long iova,
		 unsigned long length)
{
	struct iopt_map_args args = {
		.iova = iova,
		.length = length,
		.prot = IOMMU_READ | IOMMU_WRITE,
	};

	return iopt_map_user_pages(&w->iopt, w->owner, IOMMUFD_ACCOUNT_MM,
				   KT_UVA + offset, &args);
}

/* Byte of the fake memory that an area begins with. */
static unsigned long area_offset(const struct iopt_area *area)
{
	return area->pages->uva - KT_UVA + iopt_area_offset(area, area->node.start);
}

/* The area is in the domain, in IO pages of its own, and leads where it should. */
static void check_area_in(struct kunit *test, struct kt_world *w,
			  const struct iopt_area *area, struct kt_domain *dom)
{
	unsigned long base = area_offset(area) - area->node.start;
	unsigned long pos = area->node.start, iova;
	struct kt_io_page *page;

	for (;; pos = page->node.last + 1) {
		page = kt_domain_page(dom, pos);
		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_ASSERT_EQ(test, page->node.start, pos);
		KUNIT_ASSERT_LE(test, page->node.last, area->node.last);
		for (iova = pos; iova - pos <= page->node.last - pos; iova += PAGE_SIZE) {
			if (page->phys + (iova - pos) != kt_mem_phys(w->mem, base + iova))
				kt_fail_case("IOVA 0x%lx leads to the wrong page", iova);
			/* The last page of the space: the next is 0. */
			if (iova + PAGE_SIZE < iova)
				break;
		}
		if (page->node.last == area->node.last)
			break;
	}
}

static bool is_bar(const struct iopt_area *area)
{
	return kt_bar && area->pages->uva >= KT_BAR_UVA;
}

/* Domains show it now. */
static bool is_shown(struct kt_world *w, const struct iopt_area *area)
{
	if (!w->nattached)
		return false;
	return !is_bar(area) || kt_pfnmap_established(area->pages->pfnmap);
}

static void check_bar_area_in(struct kunit *test, const struct iopt_area *area,
			      struct kt_domain *dom)
{
	kt_bar_check_mapped(test, kt_bar, dom, area->node.start,
			    area->pages->uva - KT_BAR_UVA +
			    iopt_area_offset(area, area->node.start),
			    iopt_area_length(area));
}

/* What must be pinned for it */
static void add_needed(struct kt_world *w, const struct iopt_area *area)
{
	unsigned long first = (area->pages->uva - KT_UVA) / PAGE_SIZE, i;

	for (i = area->first_page; i <= iopt_area_last_page(area); i++)
		w->needed[first + i] = 1;
}

static void check_areas(struct kunit *test, struct kt_world *w)
{
	unsigned long bytes = 0, shown = 0, nr = 0, compat = 0;
	struct iopt_area *area;
	unsigned int d;

	memcpy(w->needed, w->held, w->mem->npages);
	down_read(&w->iopt.iova_rwsem);
	for (area = iopt_area_first(&w->iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX)) {
		KUNIT_ASSERT_EQ(test, (int)area->state, (int)IOPT_AREA_LIVE);
		nr++;
		compat += area->compat;
		bytes += iopt_area_length(area);
		KUNIT_ASSERT_EQ(test, !!area->pages->pfnmap, is_bar(area) && w->nattached);
		if (!is_shown(w, area))
			continue;
		shown += iopt_area_length(area);
		if (!is_bar(area))
			add_needed(w, area);
		for (d = 0; d != KT_DOMAINS; d++) {
			if (w->attached[d] && is_bar(area))
				check_bar_area_in(test, area, &w->doms[d]);
			else if (w->attached[d])
				check_area_in(test, w, area, &w->doms[d]);
		}
	}
	KUNIT_ASSERT_EQ(test, w->iopt.nr_areas, nr);
	KUNIT_ASSERT_EQ(test, w->iopt.nr_compat, compat);
	KUNIT_ASSERT_EQ(test, w->iopt.mapped_bytes, bytes);
	KUNIT_ASSERT_EQ(test, w->iopt.nr_waiters, 0U);
	up_read(&w->iopt.iova_rwsem);
	for (d = 0; d != KT_DOMAINS; d++) {
		KUNIT_ASSERT_EQ(test, w->doms[d].mapped, w->attached[d] ? shown : 0);
		kt_domain_settled(&w->doms[d]);
	}
}

void kt_world_check(struct kunit *test, struct kt_world *w)
{
	unsigned long i;

	check_areas(test, w);
	for (i = 0; i != w->mem->npages; i++)
		if (!w->mem->pins[w->mem->pfns[i] - KT_PFN] != !w->needed[i])
			kt_fail_case("page %lu is pinned %u times, needed %u times", i,
				     w->mem->pins[w->mem->pfns[i] - KT_PFN], w->needed[i]);
	KUNIT_ASSERT_EQ(test, w->mem->total_pins, iopt_pages_count_pinned() - w->pinned_before);
	KUNIT_ASSERT_EQ(test, (unsigned long)atomic64_read(&w->mem->mm->pinned_vm),
			w->mem->total_pins);
	KUNIT_ASSERT_EQ(test, w->mem->mm->locked_vm, w->mem->total_pins);
}
