/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an IOMMU domain is told to map and to unmap.
 *
 * iommu_unmap() of 6.1 corrupts memory when it is given less than an IO page, a
 * hole, or all of the aperture.  Whoever calls domain_unmap() gives it ranges that
 * domain_map() mapped, each as a whole, one or several that adjoin.  No call of the
 * driver spans more than IOPT_IO_CHUNK, on whose multiples no IO page lies across.
 */
#ifndef IOMMUFD_DOMAIN_IO_H
#define IOMMUFD_DOMAIN_IO_H

#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>
#include <linux/wait_bit.h>

/* The longest range that the IOMMU driver sees at once. */
#define IOPT_IO_CHUNK SZ_1G

/* In iopt_domain.flags: the driver is at work on which groups are attached */
#define IOPT_DOMAIN_BUSY 0

/**
 * struct iopt_domain - an IOMMU domain that shows an io_pagetable
 * @item: in io_pagetable.domains
 * @domain: the domain
 * @reach: the highest IOVA that its IO page table has levels for; see domain_grow()
 * @flags: IOPT_DOMAIN_BUSY
 */
struct iopt_domain {
	struct list_head item;
	struct iommu_domain *domain;
	unsigned long reach;
	unsigned long flags;
};

/**
 * iopt_domain_hold() - Let no group join or leave a domain
 * @idomain: the domain
 *
 * For who changes what is mapped without io_pagetable.domains_rwsem, and for who
 * has groups join and leave, or the IO page table grow.  A bit and no mutex, because
 * both allocate memory, and what is revoked while memory is reclaimed (see pfnmap.c)
 * never has to wait for that, which lockdep cannot know.
 *
 * Context: sleeps.
 */
static inline void iopt_domain_hold(struct iopt_domain *idomain)
{
	wait_on_bit_lock(&idomain->flags, IOPT_DOMAIN_BUSY,
			 TASK_UNINTERRUPTIBLE);
}

/** iopt_domain_release() - Undo iopt_domain_hold() */
static inline void iopt_domain_release(struct iopt_domain *idomain)
{
	clear_and_wake_up_bit(IOPT_DOMAIN_BUSY, &idomain->flags);
}

/**
 * struct domain_range - what to map where
 * @extents: tree of struct pfn_extent that holds all of the pages
 * @first_page: index of the page at @iova
 * @page_offset: of the first byte in that page
 * @iova: first IOVA
 * @length: bytes, not 0
 * @max_io_page: an IO page is never larger; a power of two
 * @prot: IOMMU_READ, IOMMU_WRITE, IOMMU_CACHE
 * @gfp: for IO page tables
 */
struct domain_range {
	const struct rb_root *extents;
	unsigned long first_page;
	unsigned long page_offset;
	unsigned long iova;
	unsigned long length;
	unsigned long max_io_page;
	int prot;
	gfp_t gfp;
};

int domain_map(struct iommu_domain *domain, const struct domain_range *range,
	       bool *stuck);
bool domain_unmap(struct iommu_domain *domain, unsigned long first,
		  unsigned long last);
int domain_grow(struct iommu_domain *domain, unsigned long iova);

#endif
