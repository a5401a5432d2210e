// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "domain_io.h"
#include "iommu_map_nosync.h"
#include "pfn_runs.h"

#ifdef IOMMUFD_DEBUG
/* What iommu_unmap() must never see; walks each page, for debug guests only. */
static void assert_unmap(struct iommu_domain *domain, unsigned long first,
			 unsigned long last)
{
	unsigned long step = BIT(__ffs(domain->pgsize_bitmap));
	unsigned long iova = first;

	WARN_ON((first | (last + 1)) & (step - 1));
	WARN_ON(first <= domain->geometry.aperture_start &&
		last >= domain->geometry.aperture_end);
	do {
		if (WARN_ON(!iommu_iova_to_phys(domain, iova)))
			return;
		iova += step;
	} while (iova - 1 < last);
}
#else
static inline void assert_unmap(struct iommu_domain *domain,
				unsigned long first, unsigned long last)
{
}
#endif

static __always_inline bool unmap_chunk(struct iommu_domain *domain,
					unsigned long first, unsigned long last)
{
	struct iommu_iotlb_gather gather;
	size_t length = last - first + 1, done;

	iommu_iotlb_gather_init(&gather);
	done = compat_iommu_unmap_nosync(domain, first, length, &gather);
	compat_iommu_sync_unmap(domain, &gather);
	return !WARN_ON(done != length);
}

static noinline_for_stack bool unmap_chunks(struct iommu_domain *domain,
					    unsigned long first,
					    unsigned long last)
{
	unsigned long chunk_last;
	bool done = true;

	/* What can be unmapped is, also behind what cannot. */
	for (;; first = chunk_last + 1) {
		chunk_last = min(last, first | (IOPT_IO_CHUNK - 1));
		done &= unmap_chunk(domain, first, chunk_last);
		if (chunk_last == last)
			return done;
		cond_resched();
	}
}

/**
 * domain_unmap() - Unmap what domain_map() mapped
 * @domain: domain
 * @first: first IOVA of a range
 * @last: last IOVA, inclusive, of the same or one of those that follow
 *
 * Return: false when the driver did not do it: what was mapped stays reachable.
 * Context: may sleep; nobody attaches or detaches a group.
 */
bool domain_unmap(struct iommu_domain *domain, unsigned long first,
		  unsigned long last)
{
	assert_unmap(domain, first, last);
	if ((first ^ last) >= IOPT_IO_CHUNK)
		return unmap_chunks(domain, first, last);
	return unmap_chunk(domain, first, last);
}

/* Map contiguous memory; after an error nothing of it is mapped, or it is stuck. */
static int map_run(struct iommu_domain *domain, const struct domain_range *range,
		   unsigned long iova, phys_addr_t phys, unsigned long length,
		   bool *stuck)
{
	unsigned long max_io_page = range->max_io_page, done = 0, part;
	int rc;

	while (done != length) {
		/* An IO page never lies across a multiple of max_io_page. */
		part = max_io_page - ((iova + done) & (max_io_page - 1));
		part = min(part, length - done);
		rc = compat_iommu_map_nosync(domain, iova + done, phys + done,
					     part, range->prot, range->gfp);
		if (rc) {
			*stuck |= done && !domain_unmap(domain, iova,
						       iova + done - 1);
			return rc;
		}
		done += part;
	}
	return 0;
}

/**
 * domain_map() - Map pages
 * @domain: domain
 * @range: which ones, and where
 * @stuck: set if the driver did not undo a part when it had to: the pages must
 *	never be given back
 *
 * Return: 0, or an error and nothing is mapped: the driver's, -EINTR being killed.
 * Context: may sleep; what protects the extents is held; nobody attaches or
 * detaches a group, or maps these IOVAs.
 */
int domain_map(struct iommu_domain *domain, const struct domain_range *range,
	       bool *stuck)
{
	unsigned long iova = range->iova, left = range->length;
	unsigned long offset = range->page_offset;
	unsigned long npages, pfn, length;
	struct pfn_cursor cur;
	int rc;

	pfn_cursor_init(&cur, range->extents, range->first_page,
			range->first_page + (offset + left - 1) / PAGE_SIZE);
	do {
		npages = pfn_cursor_next(&cur, &pfn);
		length = min(npages * PAGE_SIZE - offset, left);
		rc = npages ? 0 : -EIO;
		if (fatal_signal_pending(current))
			rc = -EINTR;
		if (!rc)
			rc = map_run(domain, range, iova,
				     PFN_PHYS(pfn) + offset, length, stuck);
		if (rc) {
			*stuck |= iova != range->iova &&
				  !domain_unmap(domain, range->iova, iova - 1);
			return rc;
		}
		iova += length;
		left -= length;
		offset = 0;
		cond_resched();
	} while (left);
	compat_iommu_sync_map(domain, range->iova, range->length);
	return 0;
}

/**
 * domain_grow() - Have the IO page table get the levels that an IOVA needs
 * @domain: domain
 * @iova: the IOVA; may be mapped, and nothing is near it
 *
 * AMD's driver of 6.1 begins with three levels, 39 bits.  The first map above them
 * puts a new root on top: it stores the root and the number of levels one after the
 * other, while those who map, unmap or look up another IOVA load the two without a
 * lock.  With one of them new and the other one old, they take a table for one of
 * another level: a map finds an entry that does not belong there, and fails with
 * ENOMEM, or puts its own where no device looks for it; an unmap finds nothing.
 * Levels are never taken away.  So whoever is to map up there calls this before,
 * when nobody else is at work.  Where all levels are there at once it does no harm:
 * the page of zeroes may be read by any device, and for no longer than the call.
 *
 * Return: 0, or the driver's error and nothing is mapped: -ENOMEM; -EIO it does not
 * unmap, so that the page of zeroes stays.
 * Context: may sleep; nobody maps, unmaps, attaches or detaches a group.
 */
int domain_grow(struct iommu_domain *domain, unsigned long iova)
{
	unsigned long size = BIT(__ffs(domain->pgsize_bitmap));
	int rc;

	iova &= ~(size - 1);
	rc = compat_iommu_map_nosync(domain, iova, page_to_phys(ZERO_PAGE(0)),
				     size, IOMMU_READ | IOMMU_CACHE,
				     GFP_KERNEL);
	if (rc)
		return rc;
	compat_iommu_sync_map(domain, iova, size);
	return domain_unmap(domain, iova, iova + size - 1) ? 0 : -EIO;
}
