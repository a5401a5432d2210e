// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/kernel.h>

#include "iommu_map_nosync.h"

/*
 * The largest IO page that fits at this place, and how many of them until a
 * still larger one fits.  0 when not even the smallest does.
 */
static size_t best_io_page(const struct iommu_domain *domain,
			   unsigned long iova, phys_addr_t paddr, size_t size,
			   size_t *count)
{
	unsigned long fits = domain->pgsize_bitmap & GENMASK(__fls(size), 0);
	unsigned long larger, lead;
	unsigned int order;

	if (iova | paddr)
		fits &= GENMASK(__ffs(iova | paddr), 0);
	if (!fits)
		return 0;

	order = __fls(fits);
	larger = domain->pgsize_bitmap & ~GENMASK(order, 0);
	if (larger) {
		larger = BIT(__ffs(larger));
		lead = larger - (iova & (larger - 1));
		if (!((iova ^ paddr) & (larger - 1)) && lead < size &&
		    size - lead >= larger)
			size = lead;
	}
	*count = size >> order;
	return BIT(order);
}

/*
 * How much of a failed call is mapped all the same.  VT-d's map_pages() does not
 * say: it may run out of page tables in the middle and report nothing.  Pages
 * are mapped in order, so the first one that is not ends it; what follows is a
 * hole, which must not be unmapped.
 */
static size_t mapped_prefix(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t paddr, size_t pgsize, size_t size)
{
	size_t done = 0;

	while (done < size &&
	       iommu_iova_to_phys(domain, iova + done) == paddr + done)
		done += pgsize;
	return done;
}

/* Any number of IO pages; after an error nothing is mapped. */
static noinline_for_stack int map_many(struct iommu_domain *domain,
				       unsigned long iova, phys_addr_t paddr,
				       size_t size, int prot, gfp_t gfp)
{
	size_t pgsize, count, mapped, done = 0;
	int rc = 0;

	while (done < size && !rc) {
		pgsize = best_io_page(domain, iova + done, paddr + done,
				      size - done, &count);
		if (!pgsize) {
			rc = -EINVAL;
			break;
		}
		mapped = 0;
		rc = domain->ops->map_pages(domain, iova + done, paddr + done,
					    pgsize, count, prot, gfp,
					    &mapped);
		if (!rc && WARN_ON(!mapped))
			rc = -EIO;
		if (rc)
			mapped = mapped_prefix(domain, iova + done,
					       paddr + done, pgsize,
					       pgsize * count);
		done += mapped;
	}

	if (rc && done)
		iommu_unmap(domain, iova, done);
	return rc;
}

int compat_iommu_map_nosync(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	const struct iommu_domain_ops *ops = domain->ops;
	size_t min_page, mapped = 0;
	int rc;

	if (!ops->map_pages)
		return gfpflags_allow_blocking(gfp) ?
			       iommu_map(domain, iova, paddr, size, prot) :
			       iommu_map_atomic(domain, iova, paddr, size,
						prot);

	if (WARN_ON(!(domain->type & __IOMMU_DOMAIN_PAGING) ||
		    !domain->pgsize_bitmap || !size))
		return -EINVAL;
	min_page = BIT(__ffs(domain->pgsize_bitmap));
	if (WARN_ON((iova | paddr | size) & (min_page - 1)))
		return -EINVAL;
	if (size != min_page)
		return map_many(domain, iova, paddr, size, prot, gfp);

	/* Scattered memory: one IO page, mapped or not */
	rc = ops->map_pages(domain, iova, paddr, min_page, 1, prot, gfp,
			    &mapped);
	return !rc && WARN_ON(!mapped) ? -EIO : rc;
}

void compat_iommu_sync_map(struct iommu_domain *domain, unsigned long iova,
			   size_t size)
{
	if (domain->ops->map_pages && domain->ops->iotlb_sync_map)
		domain->ops->iotlb_sync_map(domain, iova, size);
}
