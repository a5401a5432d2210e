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

#include <linux/types.h>

struct iommu_domain;

/**
 * compat_iommu_map_nosync() - iommu_map() without the flush
 * @domain: paging domain
 * @iova: IOVA, aligned to the domain's smallest IO page
 * @paddr: physical address, aligned likewise
 * @size: bytes, not 0, aligned likewise
 * @prot: IOMMU_READ, IOMMU_WRITE, IOMMU_CACHE, ...
 *
 * The device may not see the mapping before compat_iommu_sync_map().
 *
 * Return: 0, or an error after which nothing of the range is mapped.
 * Context: may sleep; maps of one IOVA are the caller's to serialise.
 */
int compat_iommu_map_nosync(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t paddr, size_t size, int prot);

/**
 * compat_iommu_sync_map() - make new mappings visible to devices
 * @domain: paging domain
 * @iova: first IOVA
 * @size: bytes
 */
void compat_iommu_sync_map(struct iommu_domain *domain, unsigned long iova,
			   size_t size);

#endif
