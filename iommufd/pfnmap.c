// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA into another device's BAR (P2P).
 *
 * There is no page to pin.  What keeps DMA away from a BAR that is moved, switched
 * off or another's by now is the same that keeps the CPU away from it: its driver
 * takes the BAR out of the process's page tables first, and an MMU notifier tells
 * us.  invalidate() then takes it out of all domains (revokes it) before it returns.
 * Nobody says when the BAR is back.  So each revocation is followed, a moment later, by
 * one try to get it again, which succeeds after a reset, say, and not while memory is disabled.  If
 * it fails, the range stays revoked until userspace maps it anew, or the same memory
 * is to be mapped elsewhere too, and it is tried once more.
 *
 * To establish it, the page frames are read from the page tables without a lock that
 * invalidate() takes; then, with it, they are used only if nothing was invalidated
 * since.  invalidate() is called with mmap_lock held, and with locks of the BAR's
 * driver: so pfnmap.lock is never held around a fault, an allocation that reclaims
 * memory, or the coming and going of the notifier, and IO page tables are allocated
 * with GFP_ATOMIC.
 *
 * Only what is no memory is taken: page frames without a struct page, or reserved ones.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "pfn_runs.h"
#include "pfnmap.h"

/* Contiguous pieces that one range may have; a BAR is one */
#define MAX_RUNS (PAGE_SIZE / sizeof(u64))
/*
 * A revocation is rarely the only one: vfio-pci zaps one mmap after the other, and then
 * resets the device.  The worker keeps out of its way.
 */
#define RETRY_DELAY msecs_to_jiffies(100)
/* Not all that the worker needs is there at once: how often it looks, and how soon */
#define RETRY_TRIES 500
#define RETRY_PAUSE msecs_to_jiffies(10)
/* How often what is invalidated all the time is looked at anew, at a time */
#define SEQ_TRIES 100
/* Pages between two looks at whether that is of use still */
#define LOOK_PAGES 1024

/**
 * struct pfnmap_map - one range in one domain
 * @node: in pfnmap.maps
 * @idomain: the domain
 * @range: the IOVAs, and which pages of the pfnmap
 * @mapped: is in the domain; pfnmap.lock
 * @stuck: the IOMMU driver did not unmap it: not to be mapped again; pfnmap.lock
 */
struct pfnmap_map {
	struct rb_node node;
	struct iopt_domain *idomain;
	struct domain_range range;
	bool mapped;
	bool stuck;
};

/**
 * struct pfnmap - a range of a process's addresses behind which is a BAR
 * @notifier: tells what goes on in @owner's page tables
 * @owner: the process
 * @uva: first address, of a page
 * @npages: pages
 * @writable: devices may write
 * @users: who wants it; protected by the mutex of the struct iopt_pages
 * @lock: protects all members below but @retry; taken by invalidate()
 * @established: @extents is what the page tables say, and all @maps are mapped
 * @may_retry: @retry may be queued
 * @told: the log says that it is gone
 * @maps: tree of struct pfnmap_map, by domain and IOVA
 * @extents: tree with @extent, while @established
 * @extent: the page frames
 * @tries: how often @retry did not get what it needs
 * @retry: tries once to establish it again
 */
struct pfnmap {
	struct mmu_interval_notifier notifier;
	struct iommufd_owner *owner;
	unsigned long uva;
	unsigned long npages;
	bool writable;
	unsigned int users;

	struct mutex lock;
	bool established;
	bool may_retry;
	bool told;
	struct rb_root maps;
	struct rb_root extents;
	struct pfn_extent extent;
	unsigned int tries;
	struct delayed_work retry;
};

static struct workqueue_struct *retry_wq;

static atomic_long_t nr_pfnmaps = ATOMIC_LONG_INIT(0);
/* Since the module was loaded */
static atomic_long_t nr_revoked = ATOMIC_LONG_INIT(0);
static atomic_long_t nr_restored = ATOMIC_LONG_INIT(0);
static atomic_long_t nr_lost = ATOMIC_LONG_INIT(0);

/* ------------------------------------------------------------------ */
/* In the domains */

static bool map_before(struct rb_node *a, const struct rb_node *b)
{
	const struct pfnmap_map *x = rb_entry(a, struct pfnmap_map, node);
	const struct pfnmap_map *y = rb_entry(b, struct pfnmap_map, node);

	if (x->idomain != y->idomain)
		return x->idomain < y->idomain;
	return x->range.iova < y->range.iova;
}

static struct pfnmap_map *map_next(struct pfnmap_map *map)
{
	return rb_entry_safe(rb_next(&map->node), struct pfnmap_map, node);
}

/* The first one of a domain that ends at @iova or behind it, or NULL */
static struct pfnmap_map *map_find(struct pfnmap *pfnmap,
				   const struct iopt_domain *idomain,
				   unsigned long iova)
{
	struct rb_node *node = pfnmap->maps.rb_node;
	struct pfnmap_map *map, *found = NULL;

	lockdep_assert_held(&pfnmap->lock);

	while (node) {
		map = rb_entry(node, struct pfnmap_map, node);
		if (map->idomain < idomain ||
		    (map->idomain == idomain &&
		     map->range.iova + map->range.length - 1 < iova)) {
			node = node->rb_right;
			continue;
		}
		if (map->idomain == idomain)
			found = map;
		node = node->rb_left;
	}
	return found;
}

static int map_one(struct pfnmap_map *map)
{
	int rc;

	if (map->stuck)
		return 0;
	iopt_domain_hold(map->idomain);
	rc = domain_map(map->idomain->domain, &map->range, &map->stuck);
	iopt_domain_release(map->idomain);
	map->mapped = !rc;
	return rc;
}

/* What is not mapped is not waited for, see iopt_domain_hold(). */
static void unmap_one(struct pfnmap_map *map)
{
	if (!map->mapped)
		return;
	iopt_domain_hold(map->idomain);
	if (!domain_unmap(map->idomain->domain, map->range.iova,
			  map->range.iova + map->range.length - 1)) {
		map->stuck = true;
		pr_err("the IOMMU driver does not unmap device memory at IOVA 0x%lx\n",
		       map->range.iova);
	}
	iopt_domain_release(map->idomain);
	map->mapped = false;
}

static void revoke(struct pfnmap *pfnmap)
{
	struct rb_node *node;

	lockdep_assert_held(&pfnmap->lock);

	for (node = rb_first(&pfnmap->maps); node; node = rb_next(node)) {
		unmap_one(rb_entry(node, struct pfnmap_map, node));
		cond_resched();
	}
	if (pfnmap->extent.nruns) {
		rb_erase(&pfnmap->extent.node, &pfnmap->extents);
		pfn_extent_free_runs(&pfnmap->extent);
	}
	pfnmap->established = false;
}

/* @extent: all page frames; its runs are taken over */
static int publish(struct pfnmap *pfnmap, const struct pfn_extent *extent)
{
	struct rb_node *node;
	int rc;

	lockdep_assert_held(&pfnmap->lock);

	pfnmap->extent = *extent;
	pfn_extent_insert(&pfnmap->extents, &pfnmap->extent);
	for (node = rb_first(&pfnmap->maps); node; node = rb_next(node)) {
		rc = map_one(rb_entry(node, struct pfnmap_map, node));
		if (rc) {
			revoke(pfnmap);
			return rc;
		}
		cond_resched();
	}
	pfnmap->established = true;
	pfnmap->told = false;
	return 0;
}

/* ------------------------------------------------------------------ */
/* From the page tables */

static int read_pte(struct mm_struct *mm, unsigned long uva, bool write,
		    unsigned long *pfn)
{
	spinlock_t *lock;
	pte_t *pte;
	int rc;

	rc = follow_pte(mm, uva, &pte, &lock);
	if (rc)
		return rc;
	/* It does not tell sparse. */
	__acquire(lock);
	if (write && !pte_write(*pte))
		rc = -EFAULT;
	else
		*pfn = pte_pfn(*pte);
	pte_unmap_unlock(pte, lock);
	return rc;
}

/* -EAGAIN: mmap_lock was dropped, so anything may have changed. */
static int fault_in(struct mm_struct *mm, unsigned long uva, bool write,
		    bool may_wait, unsigned long *pfn)
{
	unsigned int flags = FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0);
	bool unlocked = false;
	unsigned int tries;
	int rc;

	/* Where soft-dirty is tracked it takes a second fault until it is writable. */
	for (tries = 0; tries != 3; tries++) {
		if (!read_pte(mm, uva, write, pfn))
			return 0;
		if (tries == 2)
			break;
		rc = fixup_user_fault(mm, uva, flags,
				      may_wait ? &unlocked : NULL);
		if (rc)
			return rc == -EINTR || rc == -ENOMEM ? rc : -EFAULT;
		if (unlocked)
			return -EAGAIN;
	}
	return -EFAULT;
}

static bool is_device_memory(unsigned long pfn)
{
	return !pfn_valid(pfn) || PageReserved(pfn_to_page(pfn));
}

static bool may_map(const struct vm_area_struct *vma, bool write)
{
	return vma && (vma->vm_flags & VM_PFNMAP) &&
	       !is_cow_mapping(vma->vm_flags) &&
	       (vma->vm_flags & (write ? VM_WRITE : VM_READ));
}

/* All page frames of the range as @nruns runs, at most MAX_RUNS. */
static int read_runs(struct pfnmap *pfnmap, bool may_wait, u64 *runs,
		     unsigned int *nruns)
{
	struct mm_struct *mm = pfnmap->owner->mm;
	struct vm_area_struct *vma = NULL;
	unsigned long i, uva, pfn;
	unsigned int n = 0;
	int rc;

	mmap_assert_locked(mm);
	for (i = 0; i != pfnmap->npages; i++) {
		uva = pfnmap->uva + i * PAGE_SIZE;
		if (!vma || uva >= vma->vm_end) {
			vma = vma_lookup(mm, uva);
			if (!may_map(vma, pfnmap->writable))
				return -EFAULT;
		}
		rc = fault_in(mm, uva, pfnmap->writable, may_wait, &pfn);
		if (rc)
			return rc;
		if (!is_device_memory(pfn))
			return -EFAULT;
		if (n && pfn_run_pfn(runs[n - 1]) +
			 pfn_run_count(runs[n - 1]) == pfn &&
		    pfn_run_count(runs[n - 1]) != PFN_RUN_MAX) {
			runs[n - 1]++;
		} else {
			if (n == MAX_RUNS)
				return -EFAULT;
			runs[n++] = pfn_run(pfn, 1);
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		/* The worker is waited for when nobody wants it any more. */
		if (i % LOOK_PAGES == LOOK_PAGES - 1 && !may_wait &&
		    !READ_ONCE(pfnmap->may_retry))
			return -EINTR;
		cond_resched();
	}
	*nruns = n;
	return 0;
}

/*
 * The worker does not sleep on mmap_lock, and leaves it alone while anybody else has it,
 * even for reading only: that may be who revokes.
 */
static int lock_mm(struct mm_struct *mm, bool may_wait)
{
	if (may_wait)
		return mmap_read_lock_killable(mm);
	if (!mmap_write_trylock(mm))
		return -EAGAIN;
	mmap_write_downgrade(mm);
	return 0;
}

/* @runs: a page to work with */
static int read_extent(struct pfnmap *pfnmap, bool may_wait, u64 *runs,
		       struct pfn_extent *extent)
{
	struct mm_struct *mm = pfnmap->owner->mm;
	unsigned int nruns;
	int rc;

	do {
		rc = lock_mm(mm, may_wait);
		if (rc)
			return rc;
		rc = read_runs(pfnmap, may_wait, runs, &nruns);
		mmap_read_unlock(mm);
	} while (rc == -EAGAIN);
	return rc ? rc : pfn_extent_set_runs(extent, runs, nruns);
}

static int establish_with(struct pfnmap *pfnmap, bool may_wait, u64 *runs)
{
	struct pfn_extent extent = {};
	unsigned int tries;
	unsigned long seq;
	int rc;

	for (tries = 0; tries != (may_wait ? SEQ_TRIES : 1); tries++) {
		seq = mmu_interval_read_begin(&pfnmap->notifier);
		rc = read_extent(pfnmap, may_wait, runs, &extent);
		/* A page that was taken away right after its fault, say */
		if (rc == -EFAULT &&
		    mmu_interval_check_retry(&pfnmap->notifier, seq))
			continue;
		if (rc)
			return rc;
		mutex_lock(&pfnmap->lock);
		if (!mmu_interval_read_retry(&pfnmap->notifier, seq)) {
			rc = publish(pfnmap, &extent);
			mutex_unlock(&pfnmap->lock);
			return rc;
		}
		mutex_unlock(&pfnmap->lock);
		pfn_extent_free_runs(&extent);
	}
	return may_wait ? -EFAULT : -EAGAIN;
}

/*
 * Called by one thread at a time: who creates it, then the work.  Unless @may_wait,
 * -EAGAIN says that others are at work on the page tables.
 */
static int establish(struct pfnmap *pfnmap, bool may_wait)
{
	u64 *runs;
	int rc;

	if (!iommufd_owner_mmget(pfnmap->owner))
		return -EFAULT;
	runs = (u64 *)__get_free_pages(GFP_KERNEL_ACCOUNT, 0);
	rc = runs ? establish_with(pfnmap, may_wait, runs) : -ENOMEM;
	free_pages((unsigned long)runs, 0);
	iommufd_owner_mmput(pfnmap->owner);
	return rc;
}

/* ------------------------------------------------------------------ */
/* Revoked and back */

static void retry_soon(struct pfnmap *pfnmap)
{
	lockdep_assert_held(&pfnmap->lock);

	if (!pfnmap->may_retry)
		return;
	pfnmap->tries = 0;
	mod_delayed_work(retry_wq, &pfnmap->retry, RETRY_DELAY);
}

/* What it allocates is on the account of whose memory it is. */
static int establish_again(struct pfnmap *pfnmap)
{
	struct mem_cgroup *memcg, *was;
	int rc;

	memcg = get_mem_cgroup_from_mm(pfnmap->owner->mm);
	was = set_active_memcg(memcg);
	rc = establish(pfnmap, false);
	set_active_memcg(was);
	mem_cgroup_put(memcg);
	return rc;
}

static void retry(struct work_struct *work)
{
	struct pfnmap *pfnmap = container_of(to_delayed_work(work),
					     struct pfnmap, retry);
	bool established, tell = false;
	int rc;

	mutex_lock(&pfnmap->lock);
	established = pfnmap->established;
	mutex_unlock(&pfnmap->lock);
	if (established)
		return;

	rc = establish_again(pfnmap);
	if (!rc) {
		atomic_long_inc(&nr_restored);
		return;
	}
	mutex_lock(&pfnmap->lock);
	if (!pfnmap->may_retry) {
		/* Unmapped meanwhile: nobody has lost it. */
		rc = 0;
	} else if ((rc == -EAGAIN || rc == -ENOMEM) &&
		   ++pfnmap->tries != RETRY_TRIES) {
		queue_delayed_work(retry_wq, &pfnmap->retry, RETRY_PAUSE);
		rc = 0;
	} else {
		tell = !pfnmap->told;
		pfnmap->told = true;
	}
	mutex_unlock(&pfnmap->lock);
	if (!rc)
		return;
	atomic_long_inc(&nr_lost);
	if (tell)
		pr_info_ratelimited("device memory at address 0x%lx of process %d is gone: not mapped for DMA any more\n",
				    pfnmap->uva,
				    task_pid_nr(pfnmap->owner->task));
}

static bool invalidate(struct mmu_interval_notifier *notifier,
		       const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	struct pfnmap *pfnmap = container_of(notifier, struct pfnmap, notifier);

	if (mmu_notifier_range_blockable(range)) {
		mutex_lock(&pfnmap->lock);
	} else {
		if (!mutex_trylock(&pfnmap->lock))
			return false;
		/* The OOM reaper: it does not come for a device's memory. */
		if (pfnmap->established) {
			mutex_unlock(&pfnmap->lock);
			return false;
		}
	}
	mmu_interval_set_seq(notifier, seq);
	/* Soft-dirty bits: for all addresses, but not of a device's memory */
	if (pfnmap->established && range->event != MMU_NOTIFY_SOFT_DIRTY) {
		revoke(pfnmap);
		atomic_long_inc(&nr_revoked);
		if (range->event != MMU_NOTIFY_RELEASE)
			retry_soon(pfnmap);
	}
	mutex_unlock(&pfnmap->lock);
	return true;
}

static const struct mmu_interval_notifier_ops notifier_ops = {
	.invalidate = invalidate,
};

/* ------------------------------------------------------------------ */
/* Life */

static bool begins_with_device_memory(struct mm_struct *mm, unsigned long uva)
{
	struct vm_area_struct *vma;

	vma = vma_lookup(mm, uva);
	return vma && (vma->vm_flags & VM_PFNMAP);
}

struct insert_work {
	struct work_struct work;
	struct pfnmap *pfnmap;
	int rc;
};

static int insert_notifier(struct pfnmap *pfnmap)
{
	return mmu_interval_notifier_insert(&pfnmap->notifier,
					    pfnmap->owner->mm, pfnmap->uva,
					    pfnmap->npages * PAGE_SIZE,
					    &notifier_ops);
}

static void insert_work(struct work_struct *work)
{
	struct insert_work *insert = container_of(work, struct insert_work,
						  work);

	insert->rc = insert_notifier(insert->pfnmap);
}

/*
 * The first notifier of a process fails while any signal is pending, also one that
 * has a handler: a worker has none.
 */
static int insert_notifier_signalled(struct pfnmap *pfnmap)
{
	struct insert_work insert = { .pfnmap = pfnmap };

	INIT_WORK_ONSTACK(&insert.work, insert_work);
	queue_work(retry_wq, &insert.work);
	flush_work(&insert.work);
	destroy_work_on_stack(&insert.work);
	return insert.rc;
}

static struct pfnmap *pfnmap_alloc(struct iommufd_owner *owner,
				   unsigned long uva, unsigned long npages,
				   bool writable)
{
	struct pfnmap *pfnmap;
	int rc;

	pfnmap = kzalloc(sizeof(*pfnmap), GFP_KERNEL_ACCOUNT);
	if (!pfnmap)
		return ERR_PTR(-ENOMEM);
	pfnmap->owner = owner;
	pfnmap->uva = uva;
	pfnmap->npages = npages;
	pfnmap->writable = writable;
	pfnmap->users = 1;
	mutex_init(&pfnmap->lock);
	pfnmap->maps = RB_ROOT;
	pfnmap->extents = RB_ROOT;
	INIT_DELAYED_WORK(&pfnmap->retry, retry);
	rc = insert_notifier(pfnmap);
	if (rc == -EINTR && !fatal_signal_pending(current))
		rc = insert_notifier_signalled(pfnmap);
	if (rc) {
		kfree(pfnmap);
		return ERR_PTR(rc);
	}
	kref_get(&owner->refs);
	atomic_long_inc(&nr_pfnmaps);
	return pfnmap;
}

static void pfnmap_destroy(struct pfnmap *pfnmap)
{
	mutex_lock(&pfnmap->lock);
	WARN_ON(!RB_EMPTY_ROOT(&pfnmap->maps));
	WRITE_ONCE(pfnmap->may_retry, false);
	mutex_unlock(&pfnmap->lock);
	cancel_delayed_work_sync(&pfnmap->retry);
	mmu_interval_notifier_remove(&pfnmap->notifier);
	pfn_extent_free_runs(&pfnmap->extent);
	mutex_destroy(&pfnmap->lock);
	iommufd_owner_put(pfnmap->owner);
	atomic_long_dec(&nr_pfnmaps);
	kfree(pfnmap);
}

/**
 * pfnmap_create() - Follow a device's memory in a process
 * @owner: the process
 * @uva: first address, of a page
 * @npages: pages, at least 1
 * @writable: devices may write
 *
 * Return: what pfnmap_put() is for, or NULL, @uva is no device's memory, or the
 * process has exited; or an ERR_PTR: -EFAULT some of the range is none, or may not be
 * accessed so, or its device does not respond at present; -ENOMEM; -EINTR.
 * Context: may sleep; takes mmap_lock of the owner.
 */
struct pfnmap *pfnmap_create(struct iommufd_owner *owner, unsigned long uva,
			     unsigned long npages, bool writable)
{
	struct pfnmap *pfnmap = NULL;
	int rc;

	if (!iommufd_owner_mmget(owner))
		return NULL;
	rc = mmap_read_lock_killable(owner->mm);
	if (!rc) {
		bool is_it = begins_with_device_memory(owner->mm, uva);

		mmap_read_unlock(owner->mm);
		if (is_it)
			pfnmap = pfnmap_alloc(owner, uva, npages, writable);
	}
	iommufd_owner_mmput(owner);
	if (rc)
		return ERR_PTR(rc);
	if (IS_ERR_OR_NULL(pfnmap))
		return pfnmap;

	rc = establish(pfnmap, true);
	if (rc) {
		pfnmap_destroy(pfnmap);
		return ERR_PTR(rc);
	}
	mutex_lock(&pfnmap->lock);
	WRITE_ONCE(pfnmap->may_retry, true);
	if (!pfnmap->established)
		retry_soon(pfnmap);
	mutex_unlock(&pfnmap->lock);
	return pfnmap;
}

/** pfnmap_get() - One more user */
void pfnmap_get(struct pfnmap *pfnmap)
{
	pfnmap->users++;
}

/**
 * pfnmap_put() - One user less
 * @pfnmap: pfnmap; the user has nothing mapped any more
 *
 * Return: it was the last one, and the pfnmap is gone.
 * Context: may sleep; nothing that a page fault of the owner takes is held.
 */
bool pfnmap_put(struct pfnmap *pfnmap)
{
	if (--pfnmap->users)
		return false;
	pfnmap_destroy(pfnmap);
	return true;
}

/**
 * pfnmap_map() - Map a range in a domain, as long as it is there
 * @pfnmap: pfnmap
 * @idomain: domain
 * @range: which pages, and where; but not the extents and gfp
 *
 * Of one that is revoked it is tried once more to establish it, by and by.
 *
 * Return: 0, also when it is revoked at present; or an error and nothing is mapped:
 * that of the driver, -ENOMEM, -EINTR.
 * Context: may sleep.
 */
int pfnmap_map(struct pfnmap *pfnmap, struct iopt_domain *idomain,
	       const struct domain_range *range)
{
	struct pfnmap_map *map;
	int rc = 0;

	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	map->idomain = idomain;
	map->range = *range;
	map->range.extents = &pfnmap->extents;
	map->range.gfp = GFP_ATOMIC | __GFP_NOWARN;

	mutex_lock(&pfnmap->lock);
	if (pfnmap->established)
		rc = map_one(map);
	else
		retry_soon(pfnmap);
	if (!rc)
		rb_add(&map->node, &pfnmap->maps, map_before);
	mutex_unlock(&pfnmap->lock);
	if (rc)
		kfree(map);
	return rc;
}

/**
 * pfnmap_unmap() - Undo pfnmap_map()
 * @pfnmap: pfnmap
 * @idomain: domain
 * @first: first IOVA of what was mapped, or of what a cut made of it
 * @last: last IOVA, inclusive
 */
void pfnmap_unmap(struct pfnmap *pfnmap, struct iopt_domain *idomain,
		  unsigned long first, unsigned long last)
{
	struct pfnmap_map *map, *next;

	mutex_lock(&pfnmap->lock);
	map = map_find(pfnmap, idomain, first);
	if (map && map->range.iova < first)
		map = map_next(map);
	for (; map && map->idomain == idomain && map->range.iova <= last;
	     map = next) {
		next = map_next(map);
		unmap_one(map);
		rb_erase(&map->node, &pfnmap->maps);
		kfree(map);
	}
	mutex_unlock(&pfnmap->lock);
}

/**
 * pfnmap_cut() - Let both sides of an IOVA be unmapped one by one
 * @pfnmap: pfnmap
 * @idomain: domain, where IO pages are no larger than PAGE_SIZE
 * @iova: where; a multiple of PAGE_SIZE
 *
 * Return: 0 or -ENOMEM.
 */
int pfnmap_cut(struct pfnmap *pfnmap, struct iopt_domain *idomain,
	       unsigned long iova)
{
	struct pfnmap_map *map, *upper;
	unsigned long below;

	upper = kzalloc(sizeof(*upper), GFP_KERNEL_ACCOUNT);
	if (!upper)
		return -ENOMEM;
	mutex_lock(&pfnmap->lock);
	map = map_find(pfnmap, idomain, iova);
	if (map && map->range.iova < iova) {
		below = iova - map->range.iova;
		*upper = *map;
		upper->range.iova = iova;
		upper->range.length -= below;
		upper->range.first_page += (map->range.page_offset + below) /
					   PAGE_SIZE;
		upper->range.page_offset = 0;
		map->range.length = below;
		rb_add(&upper->node, &pfnmap->maps, map_before);
		upper = NULL;
	}
	mutex_unlock(&pfnmap->lock);
	kfree(upper);
	return 0;
}

int pfnmap_init(void)
{
	/* A few at a time: who revokes all of a process's mappings makes many. */
	retry_wq = alloc_workqueue("iommufd_p2p", WQ_UNBOUND, 4);
	return retry_wq ? 0 : -ENOMEM;
}

void pfnmap_exit(void)
{
	destroy_workqueue(retry_wq);
}

unsigned long pfnmap_count(void)
{
	return atomic_long_read(&nr_pfnmaps);
}

/** pfnmap_show_events() - What has happened since the module was loaded */
void pfnmap_show_events(struct seq_file *s)
{
	seq_printf(s, "revoked %ld\n", atomic_long_read(&nr_revoked));
	seq_printf(s, "restored %ld\n", atomic_long_read(&nr_restored));
	seq_printf(s, "lost %ld\n", atomic_long_read(&nr_lost));
}
