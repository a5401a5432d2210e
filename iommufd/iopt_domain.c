// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU domains that come to an IO address space and go: what is mapped is shown in
 * each of them.
 */
#include <linux/sched/signal.h>

#include "iopt_chain.h"

/* IO page tables that grow (AMD's) begin with as many bits, and get so many more. */
#define FIRST_BITS 39
#define LEVEL_BITS 9

/**
 * iopt_alignment_with() - What IOVAs must be aligned to
 * @iopt: io_pagetable, with domains_rwsem and iova_rwsem held
 * @idomain: one more domain, or NULL
 */
unsigned long iopt_alignment_with(struct io_pagetable *iopt,
				  struct iopt_domain *idomain)
{
	unsigned long align =
		iopt->disable_large_pages || iopt->nr_pinning ? PAGE_SIZE : 1;
	struct iopt_domain *i;

	if (idomain)
		align = max(align, BIT(__ffs(idomain->domain->pgsize_bitmap)));
	list_for_each_entry(i, &iopt->domains, item)
		align = max(align, BIT(__ffs(i->domain->pgsize_bitmap)));
	return align;
}

/**
 * iopt_set_alignment() - Require an alignment of all areas
 * @iopt: io_pagetable, with iova_rwsem held for writing
 * @align: a power of two, bytes
 *
 * Return: 0; -EINVAL more than PAGE_SIZE; -EADDRINUSE a mapping does not have
 * it.
 */
int iopt_set_alignment(struct io_pagetable *iopt, unsigned long align)
{
	struct iopt_area *area;

	lockdep_assert_held_write(&iopt->iova_rwsem);

	if (align > PAGE_SIZE)
		return -EINVAL;
	if (align <= iopt->iova_alignment)
		goto out_set;
	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX)) {
		if ((area->node.start | (area->node.last + 1) |
		     area->page_offset) & (align - 1))
			return -EADDRINUSE;
		cond_resched();
	}
out_set:
	iopt->iova_alignment = align;
	return 0;
}

/* All areas as a chain; domains_rwsem held for writing keeps it right. */
static struct iopt_area *chain_of_all(struct io_pagetable *iopt)
{
	struct iopt_area *chain = NULL, **tail = &chain, *area;

	lockdep_assert_held_write(&iopt->domains_rwsem);

	down_read(&iopt->iova_rwsem);
	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX)) {
		*tail = area;
		tail = &area->next;
		cond_resched();
	}
	*tail = NULL;
	up_read(&iopt->iova_rwsem);
	return chain;
}

static bool any_pending(struct io_pagetable *iopt)
{
	struct iopt_area *area;

	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX)) {
		if (area->state == IOPT_AREA_PENDING)
			return true;
		cond_resched();
	}
	return false;
}

/*
 * Areas over the same memory as all that is LIVE, in no tree.  Maps that are
 * under way are waited for.
 */
static int chain_of_live(struct io_pagetable *iopt, struct iopt_area **chain)
{
	struct iopt_area **tail = chain, *area, *copy;
	int rc = 0;

	*chain = NULL;
	down_write(&iopt->iova_rwsem);
	while (!rc && any_pending(iopt))
		rc = iopt_wait_for_change(iopt);
	if (rc)
		goto out_unlock;
	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX)) {
		if (area->state != IOPT_AREA_LIVE)
			continue;
		rc = fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		copy = rc == -EINTR ? NULL : iopt_area_alloc(area->pages);
		if (!copy)
			break;
		rc = 0;
		copy->node = area->node;
		copy->first_page = area->first_page;
		copy->page_offset = area->page_offset;
		*tail = copy;
		tail = &copy->next;
		cond_resched();
	}
out_unlock:
	up_write(&iopt->iova_rwsem);
	if (rc) {
		iopt_chain_free(*chain);
		*chain = NULL;
	}
	return rc;
}

static void forget_domain(struct io_pagetable *iopt,
			  struct iopt_domain *idomain)
{
	down_write(&iopt->iova_rwsem);
	iopt_unreserve_iova(iopt, idomain);
	iopt->iova_alignment = iopt_alignment_with(iopt, NULL);
	up_write(&iopt->iova_rwsem);
}

/* Where the level that an IOVA needs ends */
static unsigned long level_end(unsigned long iova)
{
	unsigned int bits = FIRST_BITS;

	while (bits < BITS_PER_LONG && iova >> bits)
		bits += LEVEL_BITS;
	return bits < BITS_PER_LONG ? BIT(bits) - 1 : ULONG_MAX;
}

/* Pages of a BAR come and go with no lock but the bit, at IOVAs within reach. */
static int grow_domain(struct iopt_domain *idomain, unsigned long last)
{
	int rc;

	if (last <= idomain->reach)
		return 0;
	iopt_domain_hold(idomain);
	rc = domain_grow(idomain->domain, last);
	iopt_domain_release(idomain);
	if (!rc)
		idomain->reach = level_end(last);
	return rc;
}

static void set_reach(struct io_pagetable *iopt)
{
	struct iopt_domain *idomain;

	lockdep_assert_held_write(&iopt->domains_rwsem);

	iopt->reach = ULONG_MAX;
	list_for_each_entry(idomain, &iopt->domains, item)
		iopt->reach = min(iopt->reach, idomain->reach);
}

/* While the lock was not held an aperture may have come that ends below it. */
static bool may_be_mapped(struct io_pagetable *iopt, unsigned long iova)
{
	bool reserved;

	down_read(&iopt->iova_rwsem);
	reserved = iopt_iova_reserved(iopt, iova, iova);
	up_read(&iopt->iova_rwsem);
	return !reserved;
}

/**
 * iopt_grow() - Have the IO page tables of all domains get more levels
 * @iopt: io_pagetable
 * @last: IOVA that is to be mapped, and that iopt_iova_reserved() was false for
 *
 * Whoever asked for the IOVA looks again whether it is free, and within reach.
 *
 * Return: 0; -EINTR being killed; or as domain_grow().
 * Context: may sleep.
 */
int iopt_grow(struct io_pagetable *iopt, unsigned long last)
{
	struct iopt_domain *idomain;
	int rc = 0;

	if (down_write_killable(&iopt->domains_rwsem))
		return -EINTR;
	if (!may_be_mapped(iopt, last))
		goto out_unlock;
	list_for_each_entry(idomain, &iopt->domains, item) {
		rc = grow_domain(idomain, last);
		if (rc)
			break;
	}
	set_reach(iopt);
out_unlock:
	up_write(&iopt->domains_rwsem);
	return rc;
}

/*
 * For a new domain, before anything is mapped in it: as soon as a BAR is, that may
 * be revoked and restored while what lies above is on its way.
 */
static int grow_to_areas(struct io_pagetable *iopt, struct iopt_domain *idomain)
{
	struct rb_node *node;
	unsigned long last = 0;

	down_read(&iopt->iova_rwsem);
	/* They do not overlap: the last one that begins is the last that ends. */
	node = rb_last(&iopt->areas.rb_root);
	if (node)
		last = rb_entry(node, struct iopt_area, node.rb)->node.last;
	up_read(&iopt->iova_rwsem);
	idomain->reach = BIT(FIRST_BITS) - 1;
	return grow_domain(idomain, last);
}

/**
 * iopt_add_domain() - Show all mappings in one more domain
 * @iopt: io_pagetable
 * @idomain: the domain, empty
 *
 * Return: 0, or an error and nothing changed: -EINVAL its IO pages are larger
 * than CPU pages; -EADDRINUSE a mapping does not fit it; -EFAULT, -ENOMEM,
 * -EINTR as pinning.
 * Context: may sleep.
 */
int iopt_add_domain(struct io_pagetable *iopt, struct iopt_domain *idomain)
{
	struct iopt_area *chain, *area;
	bool first;
	int rc;

	down_write(&iopt->domains_rwsem);
	first = list_empty(&iopt->domains);
	down_write(&iopt->iova_rwsem);
	rc = iopt_set_alignment(iopt, iopt_alignment_with(iopt, idomain));
	if (!rc)
		rc = iopt_reserve_outside_aperture(iopt, idomain->domain,
						   idomain);
	up_write(&iopt->iova_rwsem);
	if (!rc)
		rc = grow_to_areas(iopt, idomain);
	if (rc)
		goto err_forget;

	chain = chain_of_all(iopt);
	for (area = chain; area; area = area->next) {
		rc = iopt_area_show(iopt, area, idomain, first);
		if (rc)
			goto err_unmap;
		cond_resched();
	}
	list_add_tail(&idomain->item, &iopt->domains);
	set_reach(iopt);
	up_write(&iopt->domains_rwsem);
	return 0;

err_unmap:
	iopt_chain_unmap_domain(chain, area, idomain);
	if (first)
		iopt_chain_unpin(chain, area);
err_forget:
	forget_domain(iopt, idomain);
	up_write(&iopt->domains_rwsem);
	return rc;
}

/**
 * iopt_remove_domain() - Undo iopt_add_domain()
 * @iopt: io_pagetable
 * @idomain: the domain; empty afterwards
 *
 * Cannot fail.  Context: may sleep.
 */
void iopt_remove_domain(struct io_pagetable *iopt, struct iopt_domain *idomain)
{
	struct iopt_area *chain;

	down_write(&iopt->domains_rwsem);
	list_del(&idomain->item);
	set_reach(iopt);
	chain = chain_of_all(iopt);
	iopt_chain_unmap_domain(chain, NULL, idomain);
	if (list_empty(&iopt->domains))
		iopt_chain_unpin(chain, NULL);
	forget_domain(iopt, idomain);
	up_write(&iopt->domains_rwsem);
}

static void freeze_maps(struct io_pagetable *iopt, int n)
{
	down_write(&iopt->iova_rwsem);
	iopt->frozen += n;
	iopt_wake_waiters(iopt);
	up_write(&iopt->iova_rwsem);
}

/**
 * iopt_unpin_all() - Undo iopt_pin_all()
 * @iopt: io_pagetable
 * @pinned: as returned
 */
void iopt_unpin_all(struct io_pagetable *iopt, struct iopt_area *pinned)
{
	freeze_maps(iopt, -1);
	iopt_chain_unpin(pinned, NULL);
	iopt_chain_free(pinned);
}

/**
 * iopt_pin_all() - Pin all that is mapped, and let no map begin
 * @iopt: io_pagetable
 * @pinned: out: what to give to iopt_unpin_all()
 *
 * A domain that is added until iopt_unpin_all() has nothing left to pin, which
 * takes long and may depend on userspace.  Maps wait meanwhile.
 *
 * Return: 0, or as iopt_pages_pin_dma() and nothing changed.
 * Context: may sleep.
 */
int iopt_pin_all(struct io_pagetable *iopt, struct iopt_area **pinned)
{
	struct iopt_area **tail = pinned, *area, *todo;
	int rc;

	*pinned = NULL;
	freeze_maps(iopt, 1);
	rc = chain_of_live(iopt, &todo);
	while (!rc && todo) {
		area = todo;
		mutex_lock(&area->pages->mutex);
		rc = iopt_pages_pin_dma(area->pages, area->first_page,
					iopt_area_last_page(area));
		mutex_unlock(&area->pages->mutex);
		if (rc)
			break;
		todo = area->next;
		area->next = NULL;
		*tail = area;
		tail = &area->next;
	}
	if (!rc)
		return 0;

	iopt_chain_free(todo);
	iopt_unpin_all(iopt, *pinned);
	*pinned = NULL;
	return rc;
}

/**
 * iopt_disable_large_pages() - Use only IO pages of PAGE_SIZE or less
 * @iopt: io_pagetable
 *
 * Return: 0, or -EINVAL when something is mapped in a domain already;
 * -EADDRINUSE a mapping is not aligned to PAGE_SIZE.
 */
int iopt_disable_large_pages(struct io_pagetable *iopt)
{
	int rc = 0;

	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	if (iopt->disable_large_pages)
		goto out_unlock;
	if (!list_empty(&iopt->domains) && iopt->nr_areas) {
		rc = -EINVAL;
		goto out_unlock;
	}
	iopt->disable_large_pages = true;
	rc = iopt_set_alignment(iopt, iopt_alignment_with(iopt, NULL));
	if (rc)
		iopt->disable_large_pages = false;
out_unlock:
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
	return rc;
}

/**
 * iopt_enable_large_pages() - Undo iopt_disable_large_pages()
 * @iopt: io_pagetable
 *
 * What is mapped in a domain stays as it is.
 */
void iopt_enable_large_pages(struct io_pagetable *iopt)
{
	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	iopt->disable_large_pages = false;
	iopt->iova_alignment = iopt_alignment_with(iopt, NULL);
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
}
