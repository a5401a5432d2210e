/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map several physical ranges into an IOMMU domain with one flush at the end.
 *
 * Gap: iommu_map() of 6.1 tells the IOMMU about each call; Linux got
 * iommu_map_nosync() and iommu_sync_map() in 6.15.  iommu_map_sg() flushes
 * once, but wants a scatterlist and walks it entry by entry.
 * Delete when: the oldest kernel supported exports iommu_map_nosync().
 */
#ifndef COMPAT_IOMMU_MAP_NOSYNC_H
#define COMPAT_IOMMU_MAP_NOSYNC_H

#include <linux/bits.h>
#include <linux/iommu.h>

/**
 * compat_iommu_map_nosync() - iommu_map() without the flush
 * @domain: paging domain
 * @iova: IOVA, aligned to the domain's smallest IO page
 * @paddr: physical address, aligned likewise
 * @size: bytes, not 0, aligned likewise
 * @prot: IOMMU_READ, IOMMU_WRITE, IOMMU_CACHE, ...
 * @gfp: for IO page tables
 *
 * The device may not see the mapping before compat_iommu_sync_map().
 *
 * Return: 0, or an error after which nothing of the range is mapped.
 * Context: may sleep if @gfp does; maps of one IOVA are the caller's to serialise.
 */
int compat_iommu_map_nosync(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t paddr, size_t size, int prot, gfp_t gfp);

/**
 * compat_iommu_sync_map() - make new mappings visible to devices
 * @domain: paging domain
 * @iova: first IOVA
 * @size: bytes
 */
void compat_iommu_sync_map(struct iommu_domain *domain, unsigned long iova,
			   size_t size);

/**
 * compat_iommu_unmap_nosync() - iommu_unmap_fast(), less of it for one IO page
 * @domain: paging domain
 * @iova: first IOVA
 * @size: bytes; all of them are mapped, and no IO page only in part
 * @gather: for compat_iommu_sync_unmap()
 *
 * What a guest with a vIOMMU unmaps most is one of the smallest IO pages: the
 * core's choice of a page size, more than half of what it adds, is left out.
 *
 * Return: bytes unmapped; @size, or the driver failed.
 */
static inline size_t
compat_iommu_unmap_nosync(struct iommu_domain *domain, unsigned long iova,
			  size_t size, struct iommu_iotlb_gather *gather)
{
	size_t min_page = BIT(__ffs(domain->pgsize_bitmap));

	if (size != min_page || !domain->ops->unmap_pages)
		return iommu_unmap_fast(domain, iova, size, gather);
	if (WARN_ON(!(domain->type & __IOMMU_DOMAIN_PAGING) ||
		    (iova & (min_page - 1))))
		return 0;
	return domain->ops->unmap_pages(domain, iova, min_page, 1, gather);
}

/**
 * compat_iommu_sync_unmap() - iommu_iotlb_sync(), without a new beginning
 * @domain: paging domain
 * @gather: not to be used again
 */
static inline void compat_iommu_sync_unmap(struct iommu_domain *domain,
					   struct iommu_iotlb_gather *gather)
{
	if (domain->ops->iotlb_sync)
		domain->ops->iotlb_sync(domain, gather);
}

#endif
