// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel as a user of an IO address space: pins and copies by IOVA.
 */
#include "io_pagetable.h"

/**
 * iopt_add_access() - Connect an in-kernel user
 * @iopt: io_pagetable
 * @access: the user
 *
 * One that pins gets whole pages: mappings must begin and end with them.
 *
 * Return: 0, or -EADDRINUSE a mapping does not.
 */
int iopt_add_access(struct io_pagetable *iopt, struct iopt_access *access)
{
	int rc = 0;

	down_read(&iopt->domains_rwsem);
	down_write(&iopt->access_rwsem);
	down_write(&iopt->iova_rwsem);
	iopt->nr_pinning += access->pins;
	rc = iopt_set_alignment(iopt, iopt_alignment_with(iopt, NULL));
	if (rc)
		iopt->nr_pinning -= access->pins;
	else
		list_add_tail(&access->item, &iopt->accesses);
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->access_rwsem);
	up_read(&iopt->domains_rwsem);
	return rc;
}

/** iopt_remove_access() - Undo iopt_add_access() */
void iopt_remove_access(struct io_pagetable *iopt, struct iopt_access *access)
{
	down_read(&iopt->domains_rwsem);
	down_write(&iopt->access_rwsem);
	down_write(&iopt->iova_rwsem);
	list_del(&access->item);
	iopt->nr_pinning -= access->pins;
	iopt->iova_alignment = iopt_alignment_with(iopt, NULL);
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->access_rwsem);
	up_read(&iopt->domains_rwsem);
}

/*
 * Is [@iova, @last] mapped without a gap, and may it be used so?  iova_rwsem is
 * held, and keeps the answer true.
 */
static int check_mapped(struct io_pagetable *iopt, unsigned long iova,
			unsigned long last, bool write)
{
	struct iopt_area *area;

	for (;; iova = area->node.last + 1) {
		area = iopt_area_first(iopt, iova, iova);
		if (!area || area->state != IOPT_AREA_LIVE)
			return -ENOENT;
		if (!(area->prot & (write ? IOMMU_WRITE : IOMMU_READ)))
			return -EPERM;
		if (area->node.last >= last)
			return 0;
	}
}

/* Undo the pin of [@iova, @last] in the areas that it covers. */
static void unpin_mapped(struct io_pagetable *iopt, unsigned long iova,
			 unsigned long last)
{
	struct iopt_area *area;
	unsigned long npages, part_last;

	for (area = iopt_area_first(iopt, iova, last); area;
	     area = iopt_area_next(area, last)) {
		unsigned long start = max(iova, area->node.start);

		part_last = min(last, area->node.last);
		mutex_lock(&area->pages->mutex);
		npages = iopt_pages_unpin(area->pages,
					  iopt_area_page(area, start),
					  iopt_area_page(area, part_last));
		iopt_pages_uncharge(area->pages, npages);
		mutex_unlock(&area->pages->mutex);
		if (atomic_dec_and_test(&area->num_accesses))
			iopt_wake_waiters(iopt);
	}
}

/**
 * iopt_access_pin() - Pin what a range maps, for the kernel
 * @iopt: io_pagetable
 * @iova: first IOVA
 * @length: bytes
 * @out: one entry per page that the range touches
 * @write: for writing
 *
 * Return: 0, or -EINVAL, -EOVERFLOW, -ENOENT, -EPERM, or as iopt_pages_pin().
 * Context: may sleep.
 */
int iopt_access_pin(struct io_pagetable *iopt, unsigned long iova,
		    unsigned long length, struct page **out, bool write)
{
	unsigned long last, first_page, last_page, part_last, pos = iova;
	struct iopt_area *area;
	int rc;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;

	down_read(&iopt->iova_rwsem);
	rc = check_mapped(iopt, iova, last, write);
	while (!rc) {
		area = iopt_area_first(iopt, pos, pos);
		part_last = min(last, area->node.last);
		first_page = iopt_area_page(area, pos);
		last_page = iopt_area_page(area, part_last);

		mutex_lock(&area->pages->mutex);
		rc = iopt_pages_pin(area->pages, first_page, last_page);
		if (!rc)
			iopt_pages_list(area->pages, first_page, last_page,
					out);
		mutex_unlock(&area->pages->mutex);
		if (rc) {
			if (pos != iova)
				unpin_mapped(iopt, iova, pos - 1);
			break;
		}
		atomic_inc(&area->num_accesses);
		out += last_page - first_page + 1;
		if (part_last == last)
			break;
		pos = part_last + 1;
	}
	up_read(&iopt->iova_rwsem);
	return rc;
}

/**
 * iopt_access_unpin() - Undo iopt_access_pin()
 * @iopt: io_pagetable
 * @iova: as pinned
 * @length: as pinned
 */
void iopt_access_unpin(struct io_pagetable *iopt, unsigned long iova,
		       unsigned long length)
{
	down_read(&iopt->iova_rwsem);
	unpin_mapped(iopt, iova, iova + length - 1);
	up_read(&iopt->iova_rwsem);
}

/**
 * iopt_access_rw() - Copy between a kernel buffer and what a range maps
 * @iopt: io_pagetable
 * @iova: first IOVA
 * @data: kernel buffer
 * @length: bytes
 * @write: from @data
 *
 * Return: as iopt_access_pin(); nothing is copied unless all is mapped.
 * Context: may sleep.
 */
int iopt_access_rw(struct io_pagetable *iopt, unsigned long iova, void *data,
		   size_t length, bool write)
{
	unsigned long last, n;
	struct iopt_area *area;
	int rc;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;

	down_read(&iopt->iova_rwsem);
	rc = check_mapped(iopt, iova, last, write);
	if (!rc && write && READ_ONCE(iopt->track_dirty))
		rc = iopt_page_pins_mark(iopt, iova, last);
	while (!rc && length) {
		area = iopt_area_first(iopt, iova, iova);
		n = min(last, area->node.last) - iova + 1;
		rc = iopt_pages_rw(area->pages, iopt_area_offset(area, iova),
				   data, n, write);
		data += n;
		length -= n;
		iova += n;
	}
	up_read(&iopt->iova_rwsem);
	return rc;
}
