// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of an IO address space.
 *
 * A mapping is an area: it first takes its IOVAs (PENDING), then its pages are
 * pinned and mapped in each domain, with no lock held that another mapping
 * needs, then it becomes LIVE.  Unmapping goes the same way back: all areas of
 * the request become DYING at once, under one lock, so that what other threads
 * map meanwhile cannot be mistaken for a part of it; then they are unmapped
 * from the domains, adjacent areas in one go; only then are pages unpinned.
 *
 * While no domain is there nothing is pinned.  The first domain pins all areas,
 * the last one to go unpins them.
 *
 * domain_io.h says what may be unmapped.  What is unmapped here begins and ends
 * with an area (or, for areas that were cut, with a CPU page where IO pages are no
 * larger), and areas are mapped without a gap; only those over another device's
 * BAR (pfnmap.h) may have holes, and are unmapped one by one.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/poison.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "iopt_chain.h"

/* In-kernel users are asked so often to let go of a range, and given so long. */
#define IOPT_ACCESS_TRIES 5
#define IOPT_ACCESS_WAIT HZ
/* How many are freed at once */
#define FREE_BATCH 32
/* Areas between two looks at whether somebody else wants the CPU */
#define RESCHED_AREAS 32

static struct kmem_cache *iopt_area_cache;
static DEFINE_PER_CPU(long, nr_areas);

void iopt_init_table(struct io_pagetable *iopt)
{
	init_rwsem(&iopt->domains_rwsem);
	INIT_LIST_HEAD(&iopt->domains);
	iopt->reach = ULONG_MAX;
	init_rwsem(&iopt->iova_rwsem);
	iopt->areas = RB_ROOT_CACHED;
	iopt->reserved = RB_ROOT_CACHED;
	iopt->allowed = RB_ROOT_CACHED;
	iopt->iova_alignment = 1;
	init_waitqueue_head(&iopt->wait);
	init_rwsem(&iopt->access_rwsem);
	INIT_LIST_HEAD(&iopt->accesses);
	INIT_LIST_HEAD(&iopt->watchers);
	mutex_init(&iopt->page_pins_lock);
	xa_init_flags(&iopt->page_pins, XA_FLAGS_ACCOUNT);
}

/**
 * iopt_destroy_table() - Free what an empty io_pagetable still holds
 * @iopt: io_pagetable without areas, domains and accesses
 */
void iopt_destroy_table(struct io_pagetable *iopt)
{
	WARN_ON(!RB_EMPTY_ROOT(&iopt->areas.rb_root));
	WARN_ON(!RB_EMPTY_ROOT(&iopt->reserved.rb_root));
	WARN_ON(!list_empty(&iopt->domains));
	WARN_ON(!list_empty(&iopt->accesses));
	WARN_ON(!list_empty(&iopt->watchers));
	WARN_ON(!xa_empty(&iopt->page_pins));
	mutex_destroy(&iopt->page_pins_lock);
	iopt_free_allowed(&iopt->allowed);
}

static void resched_some(unsigned int *n)
{
	if (++*n % RESCHED_AREAS == 0)
		cond_resched();
}

struct iopt_area *iopt_area_alloc(struct iopt_pages *pages)
{
	struct iopt_area *area;

	area = kmem_cache_zalloc(iopt_area_cache, GFP_KERNEL_ACCOUNT);
	if (!area)
		return NULL;
	area->pages = pages;
	iopt_pages_get(pages);
	this_cpu_inc(nr_areas);
	return area;
}

/* The first one of new pages: of the same memory, with their only reference */
static struct iopt_area *area_of_new(struct iopt_pages *pages)
{
	struct iopt_area *area = iopt_pages_tail(pages);

	area->pages = pages;
	this_cpu_inc(nr_areas);
	return area;
}

#ifdef IOMMUFD_DEBUG
/* What KASAN cannot see: the memory lives on with the pages. */
static void poison(struct iopt_area *area)
{
	memset(area, POISON_FREE, sizeof(*area));
}
#else
static inline void poison(struct iopt_area *area)
{
}
#endif

/* Free all but the reference on the pages, which are returned. */
static struct iopt_pages *area_free_keep(struct iopt_area *area)
{
	struct iopt_pages *pages = area->pages;

	if (area != iopt_pages_tail(pages))
		kmem_cache_free(iopt_area_cache, area);
	else
		poison(area);
	return pages;
}

static void area_free(struct iopt_area *area)
{
	this_cpu_dec(nr_areas);
	iopt_pages_put(area_free_keep(area));
}

/* In bulk: they come from all over the slabs. */
static noinline_for_stack void chain_free_many(struct iopt_area *chain)
{
	struct iopt_pages *pages[FREE_BATCH];
	struct iopt_area *area;
	unsigned int n;

	while (chain) {
		for (n = 0; n != FREE_BATCH && chain; n++) {
			area = chain;
			chain = area->next;
			pages[n] = area_free_keep(area);
		}
		this_cpu_sub(nr_areas, n);
		iopt_pages_put_many(pages, n);
		cond_resched();
	}
}

void iopt_chain_free(struct iopt_area *chain)
{
	if (!chain)
		return;
	if (chain->next)
		chain_free_many(chain);
	else
		area_free(chain);
}

static void area_insert(struct io_pagetable *iopt, struct iopt_area *area)
{
	interval_tree_insert(&area->node, &iopt->areas);
	iopt->nr_areas++;
	iopt->nr_compat += area->compat;
	iopt->mapped_bytes += iopt_area_length(area);
}

static void area_remove(struct io_pagetable *iopt, struct iopt_area *area)
{
	interval_tree_remove(&area->node, &iopt->areas);
	iopt->nr_areas--;
	iopt->nr_compat -= area->compat;
	iopt->mapped_bytes -= iopt_area_length(area);
	iopt->freed = min(iopt->freed, area->node.start);
}

/*
 * Wait until some area changes its state, or maps are let in again.  Called with
 * iova_rwsem held for writing; returns with it held.
 */
noinline_for_stack int iopt_wait_for_change(struct io_pagetable *iopt)
{
	DEFINE_WAIT(wait);
	int rc = 0;

	prepare_to_wait(&iopt->wait, &wait, TASK_KILLABLE);
	iopt->nr_waiters++;
	up_write(&iopt->iova_rwsem);
	if (fatal_signal_pending(current))
		rc = -EINTR;
	else
		schedule();
	finish_wait(&iopt->wait, &wait);
	down_write(&iopt->iova_rwsem);
	iopt->nr_waiters--;
	return rc;
}

/* ------------------------------------------------------------------ */
/* Areas and domains */

/* Map the pinned pages of an area; after an error nothing of it is mapped. */
static int area_map_domain(struct io_pagetable *iopt, struct iopt_area *area,
			   struct iopt_domain *idomain)
{
	struct iopt_pages *pages = area->pages;
	struct domain_range range = {
		.extents = &pages->extents,
		.first_page = area->first_page,
		.page_offset = area->page_offset,
		.iova = area->node.start,
		.length = iopt_area_length(area),
		.max_io_page = iopt->disable_large_pages ? PAGE_SIZE :
							   IOPT_IO_CHUNK,
		.prot = area->prot,
		.gfp = GFP_KERNEL,
	};
	bool stuck = false;
	int rc;

	lockdep_assert_held(&iopt->domains_rwsem);
	lockdep_assert_held(&pages->mutex);

	if (pages->pfnmap)
		return pfnmap_map(pages->pfnmap, idomain, &range);
	rc = domain_map(idomain->domain, &range, &stuck);
	if (stuck)
		WRITE_ONCE(pages->leak, true);
	return rc;
}

static void area_unmap_domain(struct iopt_area *area,
			      struct iopt_domain *idomain)
{
	struct iopt_pages *pages = area->pages;

	if (pages->pfnmap)
		pfnmap_unmap(pages->pfnmap, idomain, area->node.start,
			     area->node.last);
	else if (!domain_unmap(idomain->domain, area->node.start,
			       area->node.last))
		WRITE_ONCE(pages->leak, true);
}

/*
 * Unpins and uncharges once for many areas of one process in a row.  The process
 * is that which paid when the pages lost their last user.
 */
struct uncharge_batch {
	struct iommufd_owner *owner;
	enum iommufd_account account;
	unsigned long npages;
	struct unpin_batch unpin;
};

static void uncharge_flush(struct uncharge_batch *batch)
{
	unpin_batch_flush(&batch->unpin);
	if (!batch->owner)
		return;
	iommufd_owner_uncharge(batch->owner, batch->account, batch->npages);
	iommufd_owner_put(batch->owner);
	batch->owner = NULL;
	batch->npages = 0;
}

static void area_unpin(struct iopt_area *area, struct uncharge_batch *batch)
{
	struct iopt_pages *pages = area->pages;
	unsigned long npages;

	mutex_lock(&pages->mutex);
	npages = iopt_pages_unpin_later(pages, area->first_page,
					iopt_area_last_page(area),
					&batch->unpin);
	if (npages && (batch->owner != pages->owner ||
		       batch->account != pages->account)) {
		uncharge_flush(batch);
		kref_get(&pages->owner->refs);
		batch->owner = pages->owner;
		batch->account = pages->account;
	}
	mutex_unlock(&pages->mutex);
	batch->npages += npages;
}

noinline_for_stack void iopt_chain_unpin(struct iopt_area *chain,
					 struct iopt_area *end)
{
	struct uncharge_batch uncharge = {};
	struct iopt_area *area;
	unsigned int n = 0;

	for (area = chain; area != end; area = area->next) {
		area_unpin(area, &uncharge);
		resched_some(&n);
	}
	uncharge_flush(&uncharge);
}

/* The same for one area alone, whatever follows it in a chain */
static void area_unpin_now(struct iopt_area *area)
{
	struct iopt_pages *pages = area->pages;
	unsigned long npages;

	/* Who pays for a file may change. */
	if (pages->file) {
		iopt_chain_unpin(area, area->next);
		return;
	}
	mutex_lock(&pages->mutex);
	npages = iopt_pages_unpin(pages, area->first_page,
				  iopt_area_last_page(area));
	mutex_unlock(&pages->mutex);
	iopt_pages_uncharge(pages, npages);
}

/* Map an area in one domain; pin it before if @pin.  An error changes nothing. */
int iopt_area_show(struct io_pagetable *iopt, struct iopt_area *area,
		   struct iopt_domain *idomain, bool pin)
{
	int rc = 0;

	mutex_lock(&area->pages->mutex);
	if (pin)
		rc = iopt_pages_pin_dma(area->pages, area->first_page,
					iopt_area_last_page(area));
	if (rc)
		pin = false;
	else
		rc = area_map_domain(iopt, area, idomain);
	mutex_unlock(&area->pages->mutex);

	if (rc && pin)
		area_unpin_now(area);
	return rc;
}

/* Pin an area and map it in all domains. */
static int area_fill(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_domain *idomain;
	bool first = true;
	int rc;

	list_for_each_entry(idomain, &iopt->domains, item) {
		rc = iopt_area_show(iopt, area, idomain, first);
		if (rc)
			goto err_unmap;
		first = false;
	}
	return 0;

err_unmap:
	if (first)
		return rc;
	list_for_each_entry_continue_reverse(idomain, &iopt->domains, item)
		area_unmap_domain(area, idomain);
	area_unpin_now(area);
	return rc;
}

/*
 * Unmap a chain in order of IOVA from one domain, adjacent areas together.
 * @end is where the chain stops.
 */
void iopt_chain_unmap_domain(struct iopt_area *chain, struct iopt_area *end,
			     struct iopt_domain *idomain)
{
	struct iopt_area *area = chain, *first;
	unsigned long last;

	while (area != end) {
		first = area;
		do {
			last = area->node.last;
			area = area->next;
			/* What may be revoked may be a hole. */
		} while (area != end && area->node.start == last + 1 &&
			 !first->pages->pfnmap && !area->pages->pfnmap);

		if (first->pages->pfnmap)
			area_unmap_domain(first, idomain);
		else if (!domain_unmap(idomain->domain, first->node.start, last))
			for (; first != area; first = first->next)
				WRITE_ONCE(first->pages->leak, true);
		if (area != end)
			cond_resched();
	}
}

/* Undo area_fill(). */
static void area_unfill(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_domain *idomain;

	list_for_each_entry(idomain, &iopt->domains, item)
		area_unmap_domain(area, idomain);
	area_unpin_now(area);
}

/* The same for a chain in order of IOVA, up to @end. */
static void chain_unfill(struct io_pagetable *iopt, struct iopt_area *chain,
			 struct iopt_area *end)
{
	struct iopt_domain *idomain;

	lockdep_assert_held(&iopt->domains_rwsem);

	if (chain == end || list_empty(&iopt->domains))
		return;
	if (chain->next == end) {
		area_unfill(iopt, chain);
		return;
	}
	list_for_each_entry(idomain, &iopt->domains, item)
		iopt_chain_unmap_domain(chain, end, idomain);
	iopt_chain_unpin(chain, end);
}

/* ------------------------------------------------------------------ */
/* Map and copy */

/* May a mapping lie there?  The order of checks is that of VFIO type1. */
static int check_iova(struct io_pagetable *iopt,
		      const struct iopt_map_args *args)
{
	unsigned long last;

	if (args->iova & (iopt->iova_alignment - 1))
		return -EINVAL;
	if (check_add_overflow(args->iova, args->length - 1, &last))
		return -EOVERFLOW;
	if (iopt_area_first(iopt, args->iova, last))
		return -EEXIST;
	if (args->compat_limit && iopt->nr_compat >= args->compat_limit)
		return -ENOSPC;
	if (iopt_iova_reserved(iopt, args->iova, last))
		return -EINVAL;
	return 0;
}

/* The error of a bad IOVA, or @rc: what is wrong with memory comes second. */
static int check_only(struct io_pagetable *iopt,
		      const struct iopt_map_args *args, int rc)
{
	int iova_rc;

	if (args->alloc_iova)
		return rc;
	down_read(&iopt->iova_rwsem);
	iova_rc = check_iova(iopt, args);
	up_read(&iopt->iova_rwsem);
	return iova_rc ? iova_rc : rc;
}

/* Give a chain of areas its IOVAs.  -EAGAIN while no maps are let in. */
static int chain_insert(struct io_pagetable *iopt, struct iopt_area *chain,
			struct iopt_map_args *args)
{
	unsigned long mask, iova, length;
	struct iopt_area *area;
	int rc;

	down_write(&iopt->iova_rwsem);
	rc = -EAGAIN;
	if (iopt->frozen)
		goto out_unlock;
	mask = iopt->iova_alignment - 1;
	rc = -EINVAL;
	if (!args->length || (args->length & mask))
		goto out_unlock;
	for (area = chain; area; area = area->next)
		if ((area->page_offset | iopt_area_length(area)) & mask)
			goto out_unlock;

	if (args->alloc_iova)
		rc = iopt_alloc_iova(iopt,
				     chain->pages->uva +
				     iopt_area_offset(chain, chain->node.start),
				     args->length, &args->iova);
	else
		rc = check_iova(iopt, args);
	if (rc)
		goto out_unlock;

	iova = args->iova;
	for (area = chain; area; area = area->next) {
		length = iopt_area_length(area);
		area->node.start = iova;
		area->node.last = iova + length - 1;
		area->state = IOPT_AREA_PENDING;
		area_insert(iopt, area);
		iova += length;
	}
out_unlock:
	up_write(&iopt->iova_rwsem);
	return rc;
}

/* @bytes: sum of the chain, in order of IOVA, or 0 */
static void chain_remove(struct io_pagetable *iopt, struct iopt_area *chain,
			 unsigned long bytes)
{
	struct iopt_area *area;
	unsigned int n = 0;

	down_write(&iopt->iova_rwsem);
	if (bytes && bytes == iopt->mapped_bytes) {
		/* It is all there is. */
		iopt->freed = min(iopt->freed, chain->node.start);
		iopt->areas = RB_ROOT_CACHED;
		iopt->nr_areas = 0;
		iopt->nr_compat = 0;
		iopt->mapped_bytes = 0;
		chain = NULL;
	}
	for (area = chain; area; area = area->next) {
		area_remove(iopt, area);
		resched_some(&n);
	}
	iopt_wake_waiters(iopt);
	up_write(&iopt->iova_rwsem);
}

static noinline_for_stack void chain_mark(struct iopt_area *chain,
					  enum iopt_area_state state)
{
	struct iopt_area *area;
	unsigned int n = 0;

	for (area = chain; area; area = area->next) {
		area->state = state;
		resched_some(&n);
	}
}

static void chain_set_state(struct io_pagetable *iopt, struct iopt_area *chain,
			    enum iopt_area_state state)
{
	down_write(&iopt->iova_rwsem);
	chain_mark(chain, state);
	iopt_wake_waiters(iopt);
	up_write(&iopt->iova_rwsem);
}

static int wait_unfrozen(struct io_pagetable *iopt)
{
	int rc = 0;

	down_write(&iopt->iova_rwsem);
	while (iopt->frozen && !rc)
		rc = iopt_wait_for_change(iopt);
	up_write(&iopt->iova_rwsem);
	return rc;
}

/*
 * Map a chain of areas whose nodes say only how long they are.  Takes the chain
 * over, also when it fails.
 */
static int chain_map(struct io_pagetable *iopt, struct iopt_area *chain,
		     struct iopt_map_args *args)
{
	struct iopt_area *area;
	unsigned long last;
	int rc;

	for (area = chain; area; area = area->next) {
		area->prot = args->prot;
		area->compat = args->compat;
	}

	for (;;) {
		down_read(&iopt->domains_rwsem);
		rc = chain_insert(iopt, chain, args);
		if (rc && rc != -EAGAIN)
			goto out_unlock;
		last = args->iova + args->length - 1;
		if (!rc && likely(last <= iopt->reach))
			break;
		/*
		 * Not with the lock that a new domain needs, and iopt_grow(); nor
		 * with areas that an unmap may wait for, which has the lock, too.
		 */
		if (!rc)
			chain_remove(iopt, chain, 0);
		up_read(&iopt->domains_rwsem);
		rc = rc ? wait_unfrozen(iopt) : iopt_grow(iopt, last);
		if (rc)
			goto out_free;
	}
	for (area = chain; area; area = area->next) {
		rc = area_fill(iopt, area);
		if (rc) {
			chain_unfill(iopt, chain, area);
			chain_remove(iopt, chain, 0);
			goto out_unlock;
		}
	}
	chain_set_state(iopt, chain, IOPT_AREA_LIVE);
out_unlock:
	up_read(&iopt->domains_rwsem);
out_free:
	if (rc)
		iopt_chain_free(chain);
	return rc;
}

/* Map all of @pages, whose reference is taken over, and which may be NULL. */
static int map_pages(struct io_pagetable *iopt, struct iopt_pages *pages,
		     unsigned int offset, struct iopt_map_args *args)
{
	struct iopt_area *area;

	if (!pages)
		return -ENOMEM;
	area = area_of_new(pages);
	area->page_offset = offset;
	area->node.last = args->length - 1;
	return chain_map(iopt, area, args);
}

/**
 * iopt_map_user_pages() - Map memory of a process
 * @iopt: io_pagetable
 * @owner: the process; its memory is pinned if there is a domain
 * @account: whom to charge
 * @uva: first byte
 * @args: where and how; args->iova is set
 *
 * Return: 0, or -EINVAL length 0, alignment, or reserved IOVAs; -EEXIST
 * something is mapped there; -ENOSPC no free IOVAs, or the limit of areas;
 * -EOVERFLOW; -EFAULT; -ENOMEM; -EINTR.
 * Context: may sleep.
 */
int iopt_map_user_pages(struct io_pagetable *iopt,
			struct iommufd_owner *owner,
			enum iommufd_account account, unsigned long uva,
			struct iopt_map_args *args)
{
	unsigned long last;

	if (!args->length)
		return -EINVAL;
	if (check_add_overflow(uva, args->length - 1, &last) ||
	    last > ULONG_MAX - PAGE_SIZE)
		return check_only(iopt, args, -EOVERFLOW);

	return map_pages(iopt,
			 iopt_pages_alloc(owner, account, uva, args->length,
					  args->prot & IOMMU_WRITE),
			 uva % PAGE_SIZE, args);
}

/**
 * iopt_map_file() - Map a part of a memfd
 * @iopt: io_pagetable
 * @owner: who pays
 * @account: how
 * @file: that passed iommufd_file_check() for this part
 * @start: first byte
 * @args: where and how; args->iova is set
 *
 * Return: as iopt_map_user_pages().
 * Context: may sleep.
 */
int iopt_map_file(struct io_pagetable *iopt, struct iommufd_owner *owner,
		  enum iommufd_account account, struct file *file,
		  unsigned long start, struct iopt_map_args *args)
{
	return map_pages(iopt,
			 iopt_pages_alloc_file(owner, account, file, start,
					       args->length,
					       args->prot & IOMMU_WRITE),
			 start % PAGE_SIZE, args);
}

/* ------------------------------------------------------------------ */
/* Copy */

/* A chain of new areas over the memory that is mapped at @iova. */
static int chain_of_mapped(struct io_pagetable *iopt, unsigned long iova,
			   struct iopt_map_args *args, struct iopt_area **chain)
{
	struct iopt_area **tail = chain, *area, *copy;
	unsigned long last, part_last, offset;
	int rc = 0;

	*chain = NULL;
	if (!args->length)
		return -EINVAL;
	if (check_add_overflow(iova, args->length - 1, &last))
		return -EOVERFLOW;

	down_read(&iopt->iova_rwsem);
	for (;; iova = part_last + 1) {
		rc = -ENOENT;
		area = iopt_area_first(iopt, iova, iova);
		if (!area || area->state != IOPT_AREA_LIVE)
			break;
		rc = -EPERM;
		if ((args->prot & IOMMU_WRITE) && !area->pages->writable)
			break;
		rc = -ENOMEM;
		copy = iopt_area_alloc(area->pages);
		if (!copy)
			break;
		part_last = min(last, area->node.last);
		offset = iopt_area_offset(area, iova);
		copy->first_page = offset / PAGE_SIZE;
		copy->page_offset = offset % PAGE_SIZE;
		copy->node.last = part_last - iova;
		*tail = copy;
		tail = &copy->next;
		rc = 0;
		if (part_last == last)
			break;
	}
	up_read(&iopt->iova_rwsem);
	if (rc) {
		iopt_chain_free(*chain);
		*chain = NULL;
	}
	return rc;
}

/**
 * iopt_copy() - Map what is mapped elsewhere
 * @dst: io_pagetable that gets the mapping
 * @src: io_pagetable that has it; may be @dst
 * @src_iova: first IOVA in @src
 * @args: where and how in @dst; args->iova is set
 *
 * Return: as iopt_map_user_pages(); -ENOENT a gap in @src; -EPERM IOMMU_WRITE
 * of memory that was mapped without.
 * Context: may sleep.
 */
int iopt_copy(struct io_pagetable *dst, struct io_pagetable *src,
	      unsigned long src_iova, struct iopt_map_args *args)
{
	struct iopt_area *chain;
	int rc;

	rc = chain_of_mapped(src, src_iova, args, &chain);
	if (rc)
		return rc;
	return chain_map(dst, chain, args);
}

/* ------------------------------------------------------------------ */
/* Unmap */

static int cut_error(enum iopt_unmap_policy policy)
{
	switch (policy) {
	case IOPT_UNMAP_NATIVE:
		return -ENOENT;
	case IOPT_UNMAP_TYPE1V2:
		return -EINVAL;
	default:
		return 0;
	}
}

/*
 * Take the areas of a request out of use.  @bytes: out: their sum.  Returns 1 if
 * in-kernel users have pinned some of them, else 0, or an error that changes
 * nothing: -EAGAIN when one of them is in the hands of another thread.
 */
static int collect(struct io_pagetable *iopt, unsigned long first,
		   unsigned long last, enum iopt_unmap_policy policy,
		   struct iopt_area **chain, unsigned long *bytes)
{
	struct iopt_area **tail = chain, *area;
	int rc = 0, accesses = 0;
	unsigned long sum = 0;
	unsigned int n = 0;

	for (area = iopt_area_first(iopt, first, last); area;
	     area = iopt_area_next(area, last)) {
		if (policy == IOPT_UNMAP_COMPAT && !area->compat)
			continue;
		if (area->node.start < first || area->node.last > last) {
			/* Of v1's cuts only one at the start means anything. */
			if (policy == IOPT_UNMAP_TYPE1 &&
			    area->node.start < first)
				break;
			rc = cut_error(policy);
		}
		if (!rc && area->state != IOPT_AREA_LIVE)
			rc = -EAGAIN;
		if (rc)
			break;
		area->state = IOPT_AREA_DYING;
		sum += iopt_area_length(area);
		accesses |= atomic_read(&area->num_accesses);
		*tail = area;
		tail = &area->next;
		resched_some(&n);
	}
	*tail = NULL;
	if (rc) {
		chain_mark(*chain, IOPT_AREA_LIVE);
		return rc;
	}
	*bytes = sum;
	return !!accesses;
}

/* The same, when other threads have let go of them. */
static int collect_wait(struct io_pagetable *iopt, unsigned long first,
			unsigned long last, enum iopt_unmap_policy policy,
			struct iopt_area **chain, unsigned long *bytes)
{
	int rc;

	down_write(&iopt->iova_rwsem);
	for (;;) {
		rc = collect(iopt, first, last, policy, chain, bytes);
		if (rc != -EAGAIN)
			break;
		rc = iopt_wait_for_change(iopt);
		if (rc)
			break;
	}
	up_write(&iopt->iova_rwsem);
	return rc;
}

static bool chain_in_access(struct iopt_area *chain)
{
	for (; chain; chain = chain->next)
		if (atomic_read(&chain->num_accesses))
			return true;
	return false;
}

static void chain_ask_accesses(struct io_pagetable *iopt,
			       struct iopt_area *chain)
{
	struct iopt_access *access;
	struct iopt_area *area;

	down_read(&iopt->access_rwsem);
	for (area = chain; area; area = area->next) {
		if (!atomic_read(&area->num_accesses))
			continue;
		list_for_each_entry(access, &iopt->accesses, item)
			access->unmap(access, area->node.start,
				      iopt_area_length(area));
	}
	up_read(&iopt->access_rwsem);
}

static void count_waiter(struct io_pagetable *iopt, int n)
{
	down_write(&iopt->iova_rwsem);
	iopt->nr_waiters += n;
	up_write(&iopt->iova_rwsem);
}

/* Have in-kernel users let go of a chain. */
static noinline_for_stack int chain_wait_accesses(struct io_pagetable *iopt,
						  struct iopt_area *chain)
{
	unsigned int tries;
	long left = 1;

	/*
	 * More than once: a user may have been in the middle of a pin, and not
	 * have known of it yet, when it was asked.
	 */
	count_waiter(iopt, 1);
	for (tries = 0; tries != IOPT_ACCESS_TRIES; tries++) {
		chain_ask_accesses(iopt, chain);
		left = wait_event_killable_timeout(iopt->wait,
						   !chain_in_access(chain),
						   IOPT_ACCESS_WAIT);
		if (left)
			break;
	}
	count_waiter(iopt, -1);
	if (left < 0)
		return -EINTR;
	if (left)
		return 0;

	pr_warn_ratelimited("a kernel user does not unpin what is to be unmapped at IOVA 0x%lx\n",
			    chain->node.start);
	return -EBUSY;
}

/*
 * What few address spaces have: others map through it, and pages are known to be dirty,
 * which nobody will ask for any more.
 */
static noinline_for_stack void chain_forget(struct io_pagetable *iopt,
					    struct iopt_area *chain)
{
	struct iopt_area *area;

	if (!list_empty(&iopt->watchers))
		iopt_tell_watchers(iopt, chain);
	if (xa_empty(&iopt->page_pins))
		return;
	for (area = chain; area; area = area->next) {
		struct iopt_range range = {
			.first = area->node.start,
			.last = area->node.last,
		};

		iopt_page_pins_clean(iopt, &range, NULL, 0);
	}
}

/**
 * iopt_unmap() - Unmap a range
 * @iopt: io_pagetable
 * @first: first IOVA
 * @last: last IOVA, inclusive
 * @policy: what a cut does
 * @unmapped: out: bytes; 0 after an error, which changes nothing
 *
 * Waits for maps and unmaps of other threads in the range.
 *
 * Return: 0, also when nothing is mapped in the range; -ENOENT or -EINVAL for a
 * cut; -EBUSY an in-kernel user does not let go; -EINTR being killed.
 * Context: may sleep.
 */
int iopt_unmap(struct io_pagetable *iopt, unsigned long first,
	       unsigned long last, enum iopt_unmap_policy policy,
	       unsigned long *unmapped)
{
	struct iopt_area *chain;
	int rc;

	*unmapped = 0;
	down_read(&iopt->domains_rwsem);
	rc = collect_wait(iopt, first, last, policy, &chain, unmapped);
	if (rc > 0)
		rc = chain_wait_accesses(iopt, chain);
	else if (rc < 0 || !chain)
		goto out_unlock;
	if (rc) {
		chain_set_state(iopt, chain, IOPT_AREA_LIVE);
		*unmapped = 0;
		goto out_unlock;
	}
	if (READ_ONCE(iopt->remembers))
		chain_forget(iopt, chain);
	chain_unfill(iopt, chain, NULL);
	chain_remove(iopt, chain, *unmapped);
	iopt_chain_free(chain);
out_unlock:
	up_read(&iopt->domains_rwsem);
	return rc;
}

/* ------------------------------------------------------------------ */
/* Cut */

/* One place to cut at; @area is NULL if nothing is mapped across it */
struct iopt_cut {
	unsigned long iova;
	struct iopt_area *area;
	struct iopt_area *upper;
};

/*
 * Look for what to cut.  What is in the making or on its way out is waited for,
 * and everything may have changed then.
 */
static int cuts_find(struct io_pagetable *iopt, struct iopt_cut *cuts)
{
	struct iopt_area *area;
	unsigned int i;
	int rc;

	for (i = 0; i != 2; i++) {
		area = iopt_area_first(iopt, cuts[i].iova, cuts[i].iova);
		if (area && area->node.start == cuts[i].iova)
			area = NULL;
		cuts[i].area = area;
		if (!area || area->state == IOPT_AREA_LIVE)
			continue;
		rc = iopt_wait_for_change(iopt);
		if (rc)
			return rc;
		i = -1;
	}
	return 0;
}

static int cut_prepare_pfnmap(struct io_pagetable *iopt, struct iopt_cut *cut)
{
	struct iopt_domain *idomain;
	int rc;

	list_for_each_entry(idomain, &iopt->domains, item) {
		rc = pfnmap_cut(cut->area->pages->pfnmap, idomain, cut->iova);
		if (rc)
			return rc;
	}
	return 0;
}

/* All that can fail; it changes nothing that anybody can see. */
static int cut_prepare(struct io_pagetable *iopt, struct iopt_cut *cut)
{
	struct iopt_area *area = cut->area;
	int rc = 0;

	if (!area)
		return 0;
	/* An IO page must not be cut: it goes as a whole or not at all. */
	if (!list_empty(&iopt->domains) && !iopt->disable_large_pages)
		return -EINVAL;
	if (cut->iova & (iopt->iova_alignment - 1))
		return -EINVAL;
	if (atomic_read(&area->num_accesses))
		return -EBUSY;

	cut->upper = iopt_area_alloc(area->pages);
	if (!cut->upper)
		return -ENOMEM;
	if (!list_empty(&iopt->domains)) {
		unsigned long offset = iopt_area_offset(area, cut->iova);

		mutex_lock(&area->pages->mutex);
		/* IO pages of PAGE_SIZE keep cuts on page boundaries. */
		rc = iopt_pages_prepare_cut(area->pages, offset / PAGE_SIZE);
		mutex_unlock(&area->pages->mutex);
		if (!rc && area->pages->pfnmap)
			rc = cut_prepare_pfnmap(iopt, cut);
	}
	return rc;
}

static void cut_do(struct io_pagetable *iopt, struct iopt_cut *cut)
{
	struct iopt_area *area = cut->area, *upper = cut->upper;
	unsigned long offset;

	if (!area)
		return;
	offset = iopt_area_offset(area, cut->iova);
	area_remove(iopt, area);
	upper->node.start = cut->iova;
	upper->node.last = area->node.last;
	upper->first_page = offset / PAGE_SIZE;
	upper->page_offset = offset % PAGE_SIZE;
	upper->prot = area->prot;
	upper->compat = area->compat;
	upper->through = area->through;
	upper->tables = area->tables;
	upper->state = area->state;
	area->node.last = cut->iova - 1;
	if (!list_empty(&iopt->domains))
		iopt_pages_finish_cut(upper->pages);
	area_insert(iopt, area);
	area_insert(iopt, upper);
}

static void cut_abort(struct iopt_cut *cut)
{
	if (cut->upper)
		area_free(cut->upper);
}

/**
 * iopt_cut() - Let no mapping reach across the ends of a range
 * @iopt: io_pagetable
 * @first: first IOVA; a mapping that begins before it is cut in two here
 * @last: last IOVA, inclusive; a mapping that goes on is cut in two behind it
 *
 * Return: 0, or an error and nothing is cut: -EINVAL large IO pages may be in
 * use, or alignment; -EBUSY pinned by an in-kernel user; -ENOMEM; -EINTR.
 * Context: may sleep.
 */
int iopt_cut(struct io_pagetable *iopt, unsigned long first, unsigned long last)
{
	/* Nothing lies across the end of the space, as nothing does across 0. */
	struct iopt_cut cuts[2] = { { .iova = first }, { .iova = last + 1 } };
	int rc;

	down_read(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	rc = cuts_find(iopt, cuts);
	if (!rc)
		rc = cut_prepare(iopt, &cuts[0]);
	if (!rc)
		rc = cut_prepare(iopt, &cuts[1]);
	if (rc) {
		cut_abort(&cuts[0]);
		cut_abort(&cuts[1]);
	} else {
		/* If both are in one area, its struct stays the lower part. */
		cut_do(iopt, &cuts[1]);
		cut_do(iopt, &cuts[0]);
	}
	up_write(&iopt->iova_rwsem);
	up_read(&iopt->domains_rwsem);
	return rc;
}

/* ------------------------------------------------------------------ */

unsigned long iopt_count_areas(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(nr_areas, cpu);
	return sum;
}

int iopt_init(void)
{
	int rc;

	rc = iopt_pages_init(sizeof(struct iopt_area));
	if (rc)
		return rc;
	iopt_area_cache = KMEM_CACHE(iopt_area, SLAB_ACCOUNT);
	if (!iopt_area_cache) {
		iopt_pages_exit();
		return -ENOMEM;
	}
	return 0;
}

void iopt_exit(void)
{
	kmem_cache_destroy(iopt_area_cache);
	iopt_pages_exit();
}
