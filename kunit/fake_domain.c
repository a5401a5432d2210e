// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>

#include "fake_domain.h"
#include "fake_mem.h"

/*
 * IO pages that are not in use.  An allocation under KASAN takes much longer
 * than all else that is done with one.
 */
static LIST_HEAD(spare);

static struct kt_io_page *io_page_get(void)
{
	struct kt_io_page *page;

	page = list_first_entry_or_null(&spare, struct kt_io_page, stale);
	if (!page)
		return kmalloc(sizeof(*page), GFP_KERNEL);
	list_del(&page->stale);
	return page;
}

static void io_page_put(struct kt_io_page *page)
{
	list_add(&page->stale, &spare);
}

/* For the end of all tests. */
void kt_domains_exit(void)
{
	struct kt_io_page *page, *next;

	list_for_each_entry_safe(page, next, &spare, stale) {
		kfree(page);
		cond_resched();
	}
	INIT_LIST_HEAD(&spare);
}

static struct kt_domain *to_kt(struct iommu_domain *domain)
{
	return container_of(domain, struct kt_domain, domain);
}

/* The IO page that an IOVA lies in. */
struct kt_io_page *kt_domain_page(struct kt_domain *dom, unsigned long iova)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(&dom->pages, iova, iova);
	return node ? container_of(node, struct kt_io_page, node) : NULL;
}

static bool is_zeroes(phys_addr_t phys)
{
	return PHYS_PFN(phys) == page_to_pfn(ZERO_PAGE(0));
}

/* 39 bits, and 9 more with each level */
static void grow_to(struct kt_domain *dom, unsigned long iova)
{
	while (dom->reach < iova)
		dom->reach = dom->reach >> (BITS_PER_LONG - 9) ? ULONG_MAX :
			     ((dom->reach + 1) << 9) - 1;
}

static void reach(struct kt_domain *dom, const struct kt_io_page *page)
{
	unsigned long size = page->node.last - page->node.start + 1;

	if (is_zeroes(page->phys)) {
		dom->nr_grows++;
		grow_to(dom, page->node.last);
		return;
	}
	if (!dom->tracks_memory)
		return;
	if (page->node.last > dom->reach)
		kt_fail_case("map of 0x%lx makes the page table grow",
			     page->node.start);
	kt_reach(page->phys, size);
}

static void unreach(struct kt_domain *dom, const struct kt_io_page *page)
{
	if (dom->tracks_memory && !is_zeroes(page->phys))
		kt_unreach(page->phys, page->node.last - page->node.start + 1);
}

static bool map_one(struct kt_domain *dom, unsigned long iova,
		    phys_addr_t phys, size_t size, int prot)
{
	unsigned long last = iova + size - 1;
	struct kt_io_page *page;

	if (last < iova || iova < dom->domain.geometry.aperture_start ||
	    last > dom->domain.geometry.aperture_end)
		kt_fail_case("map of 0x%lx outside the aperture", iova);
	if (interval_tree_iter_first(&dom->pages, iova, last)) {
		kt_fail_case("map of 0x%lx, which is mapped", iova);
		return false;
	}
	page = io_page_get();
	if (!page)
		return false;
	page->node.start = iova;
	page->node.last = last;
	page->phys = phys;
	page->prot = prot;
	page->visible = false;
	interval_tree_insert(&page->node, &dom->pages);
	dom->mapped += size;
	dom->invisible++;
	dom->largest = max(dom->largest, size);
	reach(dom, page);
	return true;
}

static int kt_map_pages(struct iommu_domain *domain, unsigned long iova,
			phys_addr_t paddr, size_t pgsize, size_t pgcount,
			int prot, gfp_t gfp, size_t *mapped)
{
	struct kt_domain *dom = to_kt(domain);
	size_t i, todo = pgcount;
	bool fault;

	dom->nr_maps++;
	dom->last_gfp = gfp;
	if (!pgcount || !is_power_of_2(pgsize) ||
	    !(pgsize & domain->pgsize_bitmap) ||
	    ((iova | paddr) & (pgsize - 1)) || !prot) {
		kt_fail_case("map_pages(0x%lx, 0x%llx, 0x%zx, %zu, 0x%x)", iova,
			     paddr, pgsize, pgcount, prot);
		return -EINVAL;
	}
	fault = dom->fail_nth && !--dom->fail_nth;
	if (fault) {
		dom->failed = true;
		todo = kt_random(pgcount);
		if (dom->fault == KT_FAULT_SHORT)
			todo++;
	}
	for (i = 0; i != todo; i++) {
		if (!map_one(dom, iova + i * pgsize, paddr + i * pgsize, pgsize,
			     prot))
			return -EIO;
		cond_resched();
	}
	if (!fault || dom->fault != KT_FAULT_SILENT)
		*mapped += todo * pgsize;
	return fault && dom->fault != KT_FAULT_SHORT ? -ENOMEM : 0;
}

static int kt_map(struct iommu_domain *domain, unsigned long iova,
		  phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	size_t mapped = 0;

	return kt_map_pages(domain, iova, paddr, size, 1, prot, gfp, &mapped);
}

void kt_check_unmap(struct iommu_domain *domain, unsigned long iova,
		    size_t size)
{
	unsigned long pos = iova, last = iova + size - 1;
	struct kt_domain *dom = to_kt(domain);
	struct kt_io_page *page;

	if (!size || last < iova) {
		kt_fail_case("unmap of 0x%lx, 0x%zx bytes", iova, size);
		return;
	}
	if (iova <= domain->geometry.aperture_start &&
	    last >= domain->geometry.aperture_end)
		kt_fail_case("unmap of the whole aperture");
	for (;;) {
		page = kt_domain_page(dom, pos);
		if (!page) {
			kt_fail_case("unmap of a hole: 0x%lx in [0x%lx, 0x%lx]",
				     pos, iova, last);
			return;
		}
		if (page->node.start < iova || page->node.last > last) {
			kt_fail_case("unmap of [0x%lx, 0x%lx] cuts the IO page [0x%lx, 0x%lx]",
				     iova, last, page->node.start, page->node.last);
			return;
		}
		if (page->node.last == last)
			return;
		pos = page->node.last + 1;
	}
}

static size_t kt_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			     size_t pgsize, size_t pgcount,
			     struct iommu_iotlb_gather *gather)
{
	unsigned long last = iova + pgsize * pgcount - 1;
	struct kt_domain *dom = to_kt(domain);
	struct interval_tree_node *node;
	size_t unmapped = 0, size;

	dom->nr_unmaps++;
	kt_check_unmap(domain, iova, pgsize * pgcount);
	if (dom->deaf)
		return 0;
	while ((node = interval_tree_iter_first(&dom->pages, iova, last))) {
		struct kt_io_page *page =
			container_of(node, struct kt_io_page, node);

		size = node->last - node->start + 1;
		interval_tree_remove(node, &dom->pages);
		dom->mapped -= size;
		dom->invisible -= !page->visible;
		unmapped += size;
		iommu_iotlb_gather_add_page(domain, gather, node->start, size);
		list_add_tail(&page->stale, &dom->stale);
		cond_resched();
	}
	return unmapped;
}

static size_t kt_unmap(struct iommu_domain *domain, unsigned long iova,
		       size_t size, struct iommu_iotlb_gather *gather)
{
	return kt_unmap_pages(domain, iova, size, 1, gather);
}

static void kt_iotlb_sync(struct iommu_domain *domain,
			  struct iommu_iotlb_gather *gather)
{
	struct kt_domain *dom = to_kt(domain);
	struct kt_io_page *page, *next;

	list_for_each_entry_safe(page, next, &dom->stale, stale) {
		if (page->node.start < gather->start ||
		    page->node.last > gather->end)
			continue;
		list_del(&page->stale);
		unreach(dom, page);
		io_page_put(page);
	}
}

static void kt_iotlb_sync_map(struct iommu_domain *domain, unsigned long iova,
			      size_t size)
{
	struct kt_domain *dom = to_kt(domain);
	struct interval_tree_node *node;
	struct kt_io_page *page;

	dom->nr_sync_maps++;
	for (node = interval_tree_iter_first(&dom->pages, iova, iova + size - 1);
	     node; node = interval_tree_iter_next(node, iova, iova + size - 1)) {
		page = container_of(node, struct kt_io_page, node);
		dom->invisible -= !page->visible;
		page->visible = true;
	}
}

static phys_addr_t kt_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	struct kt_io_page *page = kt_domain_page(to_kt(domain), iova);

	return page ? page->phys + (iova - page->node.start) : 0;
}

static const struct iommu_domain_ops kt_ops = {
	.map_pages = kt_map_pages,
	.unmap_pages = kt_unmap_pages,
	.iotlb_sync = kt_iotlb_sync,
	.iotlb_sync_map = kt_iotlb_sync_map,
	.iova_to_phys = kt_iova_to_phys,
};

/* A driver of the older kind. */
static const struct iommu_domain_ops kt_single_ops = {
	.map = kt_map,
	.unmap = kt_unmap,
	.iotlb_sync = kt_iotlb_sync,
	.iotlb_sync_map = kt_iotlb_sync_map,
	.iova_to_phys = kt_iova_to_phys,
};

void kt_domain_init(struct kt_domain *dom, unsigned long pgsize_bitmap,
		    bool has_map_pages)
{
	memset(dom, 0, sizeof(*dom));
	dom->domain.type = IOMMU_DOMAIN_UNMANAGED;
	dom->domain.ops = has_map_pages ? &kt_ops : &kt_single_ops;
	dom->domain.pgsize_bitmap = pgsize_bitmap;
	dom->pages = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&dom->stale);
	dom->reach = BIT(39) - 1;
	kt_domain_set_aperture(dom, 0, ULONG_MAX);
}

void kt_domain_set_aperture(struct kt_domain *dom, unsigned long first,
			    unsigned long last)
{
	dom->domain.geometry.aperture_start = first;
	dom->domain.geometry.aperture_end = last;
	dom->domain.geometry.force_aperture = true;
}

void kt_domain_fail(struct kt_domain *dom, unsigned int nth,
		    enum kt_map_fault fault)
{
	dom->fail_nth = nth;
	dom->failed = false;
	dom->fault = fault;
}

/* Between calls nothing is on its way into or out of a domain. */
void kt_domain_settled(struct kt_domain *dom)
{
	if (!list_empty(&dom->stale))
		kt_fail_case("IO pages were unmapped and not flushed");
	if (dom->invisible)
		kt_fail_case("%lu IO pages were mapped and not synced",
			     dom->invisible);
}

/* Forget all, as a domain that is freed. */
void kt_domain_clear(struct kt_domain *dom)
{
	struct interval_tree_node *node;
	struct kt_io_page *page, *next;

	while ((node = interval_tree_iter_first(&dom->pages, 0, ULONG_MAX))) {
		interval_tree_remove(node, &dom->pages);
		page = container_of(node, struct kt_io_page, node);
		list_add(&page->stale, &dom->stale);
	}
	list_for_each_entry_safe(page, next, &dom->stale, stale) {
		list_del(&page->stale);
		unreach(dom, page);
		io_page_put(page);
		cond_resched();
	}
	dom->mapped = 0;
	dom->invisible = 0;
}
