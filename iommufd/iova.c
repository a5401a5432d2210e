// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a mapping may lie: reserved and allowed IOVAs, and the choice of an
 * IOVA.
 */
#include <linux/log2.h>
#include <linux/slab.h>

#include "interval_tree_span.h"
#include "io_pagetable.h"

/**
 * iopt_iova_reserved() - May nothing be mapped in some part of a range
 * @iopt: io_pagetable
 * @first: first IOVA
 * @last: last IOVA, inclusive
 */
bool iopt_iova_reserved(struct io_pagetable *iopt, unsigned long first,
			unsigned long last)
{
	lockdep_assert_held(&iopt->iova_rwsem);

	return interval_tree_iter_first(&iopt->reserved, first, last);
}

/**
 * iopt_reserve_iova() - Deny IOVAs to mappings
 * @iopt: io_pagetable
 * @first: first IOVA
 * @last: last IOVA, inclusive
 * @owner: for iopt_unreserve_iova()
 *
 * Return: 0; -EADDRINUSE something is mapped there, or userspace was promised
 * it; -ENOMEM.
 */
int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long first,
		      unsigned long last, void *owner)
{
	struct iopt_reserved *reserved;

	lockdep_assert_held_write(&iopt->iova_rwsem);

	if (iopt_area_first(iopt, first, last) ||
	    interval_tree_iter_first(&iopt->allowed, first, last))
		return -EADDRINUSE;

	reserved = kzalloc(sizeof(*reserved), GFP_KERNEL_ACCOUNT);
	if (!reserved)
		return -ENOMEM;
	reserved->node.start = first;
	reserved->node.last = last;
	reserved->owner = owner;
	interval_tree_insert(&reserved->node, &iopt->reserved);
	return 0;
}

/**
 * iopt_reserve_length() - iopt_reserve_iova() of numbers that nobody has checked
 * @iopt: io_pagetable
 * @first: first IOVA
 * @length: bytes
 * @owner: for iopt_unreserve_iova()
 *
 * Return: as iopt_reserve_iova(), or -EINVAL nothing, -EOVERFLOW beyond the end.
 */
int iopt_reserve_length(struct io_pagetable *iopt, unsigned long first,
			unsigned long length, void *owner)
{
	int rc;

	if (!length)
		return -EINVAL;
	/* How far is it to the end? */
	if (length - 1 > ULONG_MAX - first)
		return -EOVERFLOW;
	down_write(&iopt->iova_rwsem);
	rc = iopt_reserve_iova(iopt, first, first + (length - 1), owner);
	up_write(&iopt->iova_rwsem);
	return rc;
}

/**
 * iopt_reserve_outside_aperture() - Deny IOVAs that a domain cannot translate
 * @iopt: io_pagetable
 * @domain: IOMMU domain
 * @owner: for iopt_unreserve_iova()
 *
 * Return: as iopt_reserve_iova(), of which a part may have been done.
 */
int iopt_reserve_outside_aperture(struct io_pagetable *iopt,
				  struct iommu_domain *domain, void *owner)
{
	const struct iommu_domain_geometry *geo = &domain->geometry;
	int rc = 0;

	if (geo->aperture_start)
		rc = iopt_reserve_iova(iopt, 0, geo->aperture_start - 1, owner);
	if (!rc && geo->aperture_end != ULONG_MAX)
		rc = iopt_reserve_iova(iopt, geo->aperture_end + 1, ULONG_MAX,
				       owner);
	return rc;
}

/**
 * iopt_unreserve_iova() - Undo all reservations of an owner
 * @iopt: io_pagetable
 * @owner: as given to iopt_reserve_iova()
 */
void iopt_unreserve_iova(struct io_pagetable *iopt, void *owner)
{
	struct interval_tree_node *node, *next;

	lockdep_assert_held_write(&iopt->iova_rwsem);

	for (node = interval_tree_iter_first(&iopt->reserved, 0, ULONG_MAX);
	     node; node = next) {
		struct iopt_reserved *reserved =
			container_of(node, struct iopt_reserved, node);

		next = interval_tree_iter_next(node, 0, ULONG_MAX);
		if (reserved->owner == owner) {
			interval_tree_remove(node, &iopt->reserved);
			kfree(reserved);
		}
		cond_resched();
	}
	iopt->freed = 0;
}

void iopt_free_allowed(struct rb_root_cached *allowed)
{
	struct interval_tree_node *node;

	while ((node = interval_tree_iter_first(allowed, 0, ULONG_MAX))) {
		interval_tree_remove(node, allowed);
		kfree(container_of(node, struct iopt_allowed, node));
		cond_resched();
	}
}

/**
 * iopt_set_allowed() - Replace the promised IOVAs
 * @iopt: io_pagetable
 * @allowed: tree of struct iopt_allowed; holds the old ones after success
 *
 * Return: 0 or -EADDRINUSE one of them is reserved.
 */
int iopt_set_allowed(struct io_pagetable *iopt, struct rb_root_cached *allowed)
{
	struct interval_tree_node *node;
	int rc = 0;

	down_write(&iopt->iova_rwsem);
	for (node = interval_tree_iter_first(allowed, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		if (iopt_iova_reserved(iopt, node->start, node->last)) {
			rc = -EADDRINUSE;
			break;
		}
		cond_resched();
	}
	if (!rc) {
		swap(*allowed, iopt->allowed);
		iopt->freed = 0;
	}
	up_write(&iopt->iova_rwsem);
	return rc;
}

/*
 * Place @length bytes in [@first, @last] so that the IOVA is @offset above a
 * multiple of @align.  No sum may leave the 64-bit space: @last can be its end.
 */
static bool place(unsigned long first, unsigned long last,
		  unsigned long length, unsigned long align,
		  unsigned long offset, unsigned long *iova)
{
	unsigned long lead = (offset - first) & (align - 1);

	if (last - first < lead || last - first - lead < length - 1)
		return false;
	*iova = first + lead;
	return true;
}

static bool find_hole(struct io_pagetable *iopt, unsigned long first,
		      unsigned long last, unsigned long length,
		      unsigned long align, unsigned long offset,
		      unsigned long *iova)
{
	struct itree_span free, hole;

	itree_for_each_span(&free, &iopt->reserved, first, last) {
		cond_resched();
		if (!free.is_hole || free.last - free.start < length - 1)
			continue;
		itree_for_each_span(&hole, &iopt->areas, free.start,
				    free.last) {
			if (hole.is_hole && place(hole.start, hole.last, length,
						  align, offset, iova))
				return true;
			cond_resched();
		}
	}
	return false;
}

/* The lowest one that is at or above @first. */
static bool find_allowed_hole(struct io_pagetable *iopt, unsigned long first,
			      unsigned long length, unsigned long align,
			      unsigned long offset, unsigned long *iova)
{
	/* 0 is never chosen: to many programs it means "not mapped". */
	unsigned long last = ULONG_MAX - PAGE_SIZE;
	struct itree_span span;

	first = max(first, PAGE_SIZE);
	if (RB_EMPTY_ROOT(&iopt->allowed.rb_root))
		return find_hole(iopt, first, last, length, align, offset,
				 iova);

	itree_for_each_span(&span, &iopt->allowed, first, last) {
		if (!span.is_hole && find_hole(iopt, span.start, span.last,
					       length, align, offset, iova))
			return true;
	}
	return false;
}

/*
 * Scanning all areas for each new one would be quadratic, so each search begins
 * where the last one for no more than this found nothing below.
 */
static struct iopt_hint *get_hint(struct io_pagetable *iopt,
				  unsigned long length, unsigned long align)
{
	struct iopt_hint *hint;
	unsigned int i;

	if (iopt->freed != ULONG_MAX) {
		for (i = 0; i != ARRAY_SIZE(iopt->hints); i++)
			iopt->hints[i].iova = min(iopt->hints[i].iova,
						  iopt->freed);
		iopt->freed = ULONG_MAX;
	}

	hint = &iopt->hints[__fls(length)];
	if (length < hint->length || align < hint->align)
		hint->iova = 0;
	hint->length = length;
	hint->align = align;
	return hint;
}

/**
 * iopt_alloc_iova() - Choose an IOVA
 * @iopt: io_pagetable
 * @uva: user address of the memory, in bytes
 * @length: bytes, not 0
 * @iova: out: first IOVA of a free range
 *
 * The IOVA has the user address's offset in a page.
 *
 * Return: 0, -ENOSPC, or -EOVERFLOW for a length that cannot be meant.
 */
int iopt_alloc_iova(struct io_pagetable *iopt, unsigned long uva,
		    unsigned long length, unsigned long *iova)
{
	unsigned long offset = uva % PAGE_SIZE, align = PMD_SIZE;
	struct iopt_hint *hint;

	lockdep_assert_held_write(&iopt->iova_rwsem);

	if (length >= ULONG_MAX / 2)
		return -EOVERFLOW;
	/* As aligned as the memory is, so that large IO pages can be used. */
	if (uva - offset)
		align = min(align, BIT(__ffs(uva - offset)));
	align = min(align, roundup_pow_of_two(length));
	align = max(align, PAGE_SIZE);

	hint = get_hint(iopt, length, align);
	/* From the start once more: the hint knows nothing of offsets. */
	if (!find_allowed_hole(iopt, hint->iova, length, align, offset, iova) &&
	    !find_allowed_hole(iopt, 0, length, align, offset, iova))
		return -ENOSPC;
	hint->iova = *iova;
	return 0;
}
