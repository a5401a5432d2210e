// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages did devices write to?  For IOMMUs that keep dirty bits.
 *
 * What the IOMMU driver reports is clean for it from then on, so it must not get
 * lost on the way: the pages of the user's bitmap are pinned first, and the bits
 * are set right there.
 */
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <uapi/linux/iommufd.h>

#include "hwpt.h"

/*
 * IOVAs of one call into the driver, unless one bit stands for more; no IO page
 * is larger.
 */
#define DIRTY_CHUNK SZ_1G
/* For a bit per 2 KiB, with a bitmap that begins anywhere in a page */
#define BITMAP_PAGES (DIRTY_CHUNK / SZ_2K / BITS_PER_BYTE / PAGE_SIZE + 1)

/**
 * struct iommufd_dirty_bitmap - a part of a user's bitmap
 * @first: first IOVA
 * @last: last IOVA, inclusive
 * @shift: log2 of bytes per bit
 * @bit: bit of @first, from the start of @pages
 * @pages: pinned
 * @npages: how many
 */
struct iommufd_dirty_bitmap {
	unsigned long first;
	unsigned long last;
	unsigned int shift;
	unsigned long bit;
	struct page **pages;
	unsigned int npages;
};

static void set_bits(struct iommufd_dirty_bitmap *bitmap, unsigned long bit,
		     unsigned long nbits)
{
	const unsigned long per_page = PAGE_SIZE * BITS_PER_BYTE;

	while (nbits) {
		unsigned long in_page = bit % per_page;
		unsigned long n = min(nbits, per_page - in_page);
		unsigned long end = in_page + n;
		u8 *map;

		map = kmap_local_page(bitmap->pages[bit / per_page]);
		for (; in_page != end && in_page % BITS_PER_BYTE; in_page++)
			map[in_page / BITS_PER_BYTE] |=
				BIT(in_page % BITS_PER_BYTE);
		if (end - in_page >= BITS_PER_BYTE) {
			memset(map + in_page / BITS_PER_BYTE, 0xff,
			       (end - in_page) / BITS_PER_BYTE);
			in_page += round_down(end - in_page, BITS_PER_BYTE);
		}
		for (; in_page != end; in_page++)
			map[in_page / BITS_PER_BYTE] |=
				BIT(in_page % BITS_PER_BYTE);
		kunmap_local(map);
		bit += n;
		nbits -= n;
	}
}

void iommufd_dirty_bitmap_set(struct iommufd_dirty_bitmap *bitmap,
			      unsigned long iova, unsigned long length)
{
	unsigned long last = iova + length - 1, first_bit, last_bit;

	/* NULL: they are only to be cleaned. */
	if (!bitmap || !length)
		return;
	if (last < iova)
		last = ULONG_MAX;
	iova = max(iova, bitmap->first);
	last = min(last, bitmap->last);
	if (iova > last)
		return;
	first_bit = (iova - bitmap->first) >> bitmap->shift;
	last_bit = (last - bitmap->first) >> bitmap->shift;
	set_bits(bitmap, bitmap->bit + first_bit, last_bit - first_bit + 1);
}
EXPORT_SYMBOL_NS_GPL(iommufd_dirty_bitmap_set, IOMMUFD);

/* The bitmap of one chunk: bits from @bit of the user's on */
static int bitmap_pin(struct iommufd_dirty_bitmap *bitmap, u64 data,
		      unsigned long bit)
{
	unsigned long nbits = ((bitmap->last - bitmap->first) >>
			       bitmap->shift) + 1;
	unsigned long start, end;
	long got;

	if (check_add_overflow(data, (bit + nbits - 1) / BITS_PER_BYTE, &end))
		return -EFAULT;
	start = data + bit / BITS_PER_BYTE;
	bitmap->bit = offset_in_page(start) * BITS_PER_BYTE +
		      bit % BITS_PER_BYTE;
	bitmap->npages = (end >> PAGE_SHIFT) - (start >> PAGE_SHIFT) + 1;
	got = pin_user_pages_fast(start & PAGE_MASK, bitmap->npages,
				  FOLL_WRITE, bitmap->pages);
	if (got == bitmap->npages)
		return 0;
	if (got > 0)
		unpin_user_pages(bitmap->pages, got);
	return -EFAULT;
}

static int read_dirty(struct iommufd_hwpt *hwpt,
		      const struct iommu_hwpt_get_dirty_bitmap *cmd,
		      struct iommufd_dirty_bitmap *bitmap)
{
	bool clear = !(cmd->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
	unsigned long chunk = max_t(unsigned long, DIRTY_CHUNK, cmd->page_size);
	unsigned long iova = cmd->iova, last = iova + (cmd->length - 1);
	int rc;

	bitmap->shift = __ffs(cmd->page_size);
	for (;;) {
		if (fatal_signal_pending(current))
			return -EINTR;
		bitmap->first = iova;
		bitmap->last = min(last, iova | (chunk - 1));
		rc = bitmap_pin(bitmap, cmd->data,
				(iova - cmd->iova) >> bitmap->shift);
		if (rc)
			return rc;
		/* Drivers walk page tables that unmapping frees. */
		down_write(&hwpt->ioas->iopt.domains_rwsem);
		iopt_domain_hold(&hwpt->idomain);
		rc = hwpt->hw->read_dirty(hwpt->idomain.domain, bitmap->first,
					  bitmap->last - bitmap->first + 1,
					  clear, bitmap);
		iopt_domain_release(&hwpt->idomain);
		up_write(&hwpt->ioas->iopt.domains_rwsem);
		unpin_user_pages_dirty_lock(bitmap->pages, bitmap->npages,
					    true);
		if (rc || bitmap->last == last)
			return rc;
		iova = bitmap->last + 1;
		cond_resched();
	}
}

static int check_numbers(const struct iommu_hwpt_get_dirty_bitmap *cmd)
{
	u64 last;

	if (!cmd->length)
		return -EINVAL;
	if (check_add_overflow(cmd->iova, cmd->length - 1, &last))
		return -EOVERFLOW;
	if (!is_power_of_2(cmd->page_size) || cmd->page_size < SZ_2K ||
	    (cmd->iova | cmd->length) & (cmd->page_size - 1))
		return -EINVAL;
	return 0;
}

static bool can_track(const struct iommufd_hwpt *hwpt)
{
	return (hwpt->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) &&
	       !hwpt->parent && hwpt->hw->set_dirty_tracking &&
	       hwpt->hw->read_dirty;
}

int iommufd_hwpt_get_dirty_bitmap(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_get_dirty_bitmap *cmd = ucmd->cmd;
	struct iommufd_dirty_bitmap bitmap = {};
	struct iommufd_hwpt *hwpt;
	int rc;

	if (cmd->flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR ||
	    cmd->__reserved)
		return -EOPNOTSUPP;
	hwpt = iommufd_hwpt_find(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = -EOPNOTSUPP;
	if (!can_track(hwpt))
		goto out_done;
	rc = check_numbers(cmd);
	if (rc)
		goto out_done;
	rc = -ENOMEM;
	bitmap.pages = kcalloc(BITMAP_PAGES, sizeof(*bitmap.pages),
			       GFP_KERNEL_ACCOUNT);
	if (!bitmap.pages)
		goto out_done;
	rc = read_dirty(hwpt, cmd, &bitmap);
	kfree(bitmap.pages);
out_done:
	iommufd_object_done(&hwpt->obj);
	return rc;
}

static int set_tracking(struct iommufd_hwpt *hwpt, bool enable)
{
	struct iommu_domain *domain = hwpt->idomain.domain;
	unsigned long start = domain->geometry.aperture_start;
	int rc;

	lockdep_assert_held_write(&hwpt->ioas->iopt.domains_rwsem);

	rc = hwpt->hw->set_dirty_tracking(domain, enable);
	/* What was written before does not count. */
	if (!rc && enable)
		rc = hwpt->hw->read_dirty(domain, start,
					  domain->geometry.aperture_end - start,
					  true, NULL);
	if (!rc)
		hwpt->dirty_tracking = enable;
	else if (enable && !hwpt->dirty_tracking)
		hwpt->hw->set_dirty_tracking(domain, false);
	return rc;
}

int iommufd_hwpt_set_dirty_tracking(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_set_dirty_tracking *cmd = ucmd->cmd;
	struct iommufd_hwpt *hwpt;
	int rc = -EOPNOTSUPP;

	if (cmd->flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE || cmd->__reserved)
		return -EOPNOTSUPP;
	hwpt = iommufd_hwpt_find(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	if (can_track(hwpt)) {
		down_write(&hwpt->ioas->iopt.domains_rwsem);
		iopt_domain_hold(&hwpt->idomain);
		rc = set_tracking(hwpt, cmd->flags &
						IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
		iopt_domain_release(&hwpt->idomain);
		up_write(&hwpt->ioas->iopt.domains_rwsem);
	}
	iommufd_object_done(&hwpt->obj);
	return rc;
}
