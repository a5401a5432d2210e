// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA into a BAR, case by case: what is refused, what is revoked and comes back, and
 * what goes wrong.  bar_test.c does the same at random, for all of an io_pagetable.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "fake_bar.h"
#include "unit.h"

static void check_no_lock(void);
static void check_lock(struct mmu_interval_notifier *notifier);

#define mmu_interval_notifier_insert(n, mm, start, length, ops)      \
	(check_no_lock(), kt_should_fail() ? -ENOMEM :               \
	 kt_bar_insert(n, mm, start, length, ops))
#define mmu_interval_notifier_remove(n) (check_no_lock(), kt_bar_remove(n))
#define mmu_interval_read_begin(n) (check_no_lock(), (n)->invalidate_seq)
#define mmu_interval_read_retry(n, seq) \
	(check_lock(n), mmu_interval_read_retry(n, seq))
#define mmu_interval_set_seq(n, seq) \
	(check_lock(n), mmu_interval_set_seq(n, seq))
#define follow_pte(mm, uva, pte, lock) kt_bar_follow_pte(uva, pte, lock)
#undef pte_unmap_unlock
#define pte_unmap_unlock(pte, lock) kt_bar_pte_unlock(pte, lock)
#define fixup_user_fault(mm, uva, flags, unlocked) \
	(check_no_lock(), kt_bar_fault(uva, flags, unlocked))
#define vma_lookup(mm, uva) kt_bar_vma_lookup(uva)
#define mmap_read_lock_killable(mm) (check_no_lock(), kt_bar_lock_killable())
#define mmap_write_trylock(mm) (check_no_lock(), kt_bar_trylock())
#define mmap_write_downgrade(mm) kt_bar_assert_locked()
#define mmap_read_unlock(mm) ((void)(mm), kt_bar_unlock())
#define mmap_assert_locked(mm) ((void)(mm), kt_bar_assert_locked())
#undef pfn_valid
#define pfn_valid(pfn) kt_bar_pfn_valid(pfn)
#undef pfn_to_page
#define pfn_to_page(pfn) kt_pfn_to_page(pfn)
#define PageReserved(page) kt_bar_page_reserved(page)
#define mod_delayed_work(wq, work, delay) kt_bar_queue(work, delay, true)
#define queue_delayed_work(wq, work, delay) kt_bar_queue(work, delay, false)
#define cancel_delayed_work_sync(work) \
	(check_no_lock(), kt_bar_cancel(work))

#include "../iommufd/pfnmap.c"

#define NPAGES 64UL
#define IOVA 0x40000000UL

/* What takes mmap_lock, or waits for who does, must not hold what invalidate() takes. */
static void check_no_lock(void)
{
	unsigned int i;

	for (i = 0; kt_bar && i != kt_bar->nnotifiers; i++)
		if (mutex_is_locked(&container_of(kt_bar->notifiers[i], struct pfnmap,
						  notifier)->lock))
			kt_fail_case("pfnmap.lock is held");
}

static void check_lock(struct mmu_interval_notifier *notifier)
{
	if (!mutex_is_locked(&container_of(notifier, struct pfnmap, notifier)->lock))
		kt_fail_case("pfnmap.lock is not held");
}

static size_t count_maps(const struct pfnmap *pfnmap)
{
	struct rb_node *node;
	size_t n = 0;

	for (node = rb_first(&pfnmap->maps); node; node = rb_next(node))
		n++;
	return n;
}

bool kt_pfnmap_established(struct pfnmap *pfnmap)
{
	return pfnmap->established;
}

bool kt_pfnmap_pending(struct pfnmap *pfnmap)
{
	return kt_bar_pending(&pfnmap->retry);
}

/* ------------------------------------------------------------------ */

struct pfnmap_world {
	struct kt_mem *mem;
	struct iommufd_owner *owner;
	struct kt_bar *bar;
	struct kt_domain doms[2];
	struct iopt_domain idomains[2];
	unsigned long before;	/* pfnmaps that a case which failed has left behind */
	long revoked, restored, lost;
};

static struct pfnmap_world *create_world(struct kunit *test, unsigned long npages,
					 enum kt_layout layout)
{
	struct pfnmap_world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->before = pfnmap_count();
	if (layout == KT_MIXED)
		kt_seed(test);
	w->mem = kt_mem_create(test, 1, KT_SCATTERED);
	w->owner = kt_mem_owner(w->mem);
	KUNIT_ASSERT_NOT_NULL(test, w->owner);
	w->bar = kt_bar_create(test, npages, layout);
	for (i = 0; i != ARRAY_SIZE(w->doms); i++) {
		kt_domain_init(&w->doms[i], SZ_4K | SZ_2M | SZ_1G, true);
		w->doms[i].tracks_memory = true;
		w->idomains[i].domain = &w->doms[i].domain;
	}
	w->revoked = atomic_long_read(&nr_revoked);
	w->restored = atomic_long_read(&nr_restored);
	w->lost = atomic_long_read(&nr_lost);
	return w;
}

static void destroy_world(struct kunit *test, struct pfnmap_world *w)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, pfnmap_count(), w->before);
	for (i = 0; i != ARRAY_SIZE(w->doms); i++) {
		KUNIT_EXPECT_EQ(test, w->doms[i].mapped, 0UL);
		kt_domain_settled(&w->doms[i]);
		kt_domain_clear(&w->doms[i]);
	}
	kt_bar_destroy(w->bar);
	iommufd_owner_put(w->owner);
	kt_mem_destroy(w->mem);
}

static void expect_events(struct kunit *test, struct pfnmap_world *w, long revoked,
			  long restored, long lost)
{
	KUNIT_EXPECT_EQ(test, atomic_long_read(&nr_revoked) - w->revoked, revoked);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&nr_restored) - w->restored, restored);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&nr_lost) - w->lost, lost);
}

static struct pfnmap *create(struct pfnmap_world *w)
{
	return pfnmap_create(w->owner, KT_BAR_UVA, w->bar->npages, true);
}

static struct pfnmap *create_good(struct kunit *test, struct pfnmap_world *w)
{
	struct pfnmap *pfnmap = create(w);

	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(pfnmap));
	KUNIT_ASSERT_TRUE(test, pfnmap->established);
	return pfnmap;
}

static int map_pages(struct pfnmap_world *w, struct pfnmap *pfnmap, unsigned int d,
		     unsigned long iova, unsigned long first, unsigned long npages)
{
	const struct domain_range range = {
		.first_page = first,
		.iova = iova,
		.length = npages * PAGE_SIZE,
		.max_io_page = IOPT_IO_CHUNK,
		.prot = IOMMU_READ | IOMMU_WRITE,
	};

	return pfnmap_map(pfnmap, &w->idomains[d], &range);
}

static void check_mapped(struct kunit *test, struct pfnmap_world *w, unsigned int d,
			 unsigned long iova, unsigned long first, unsigned long npages)
{
	kt_bar_check_mapped(test, w->bar, &w->doms[d], iova, first * PAGE_SIZE,
			    npages * PAGE_SIZE);
	kt_domain_settled(&w->doms[d]);
}

static void zap_all_pages(struct pfnmap_world *w)
{
	kt_bar_zap(w->bar, 0, w->bar->npages - 1);
}

/* Somebody else wants it, too, for a moment: what is revoked is tried again. */
static void map_another(struct kunit *test, struct pfnmap_world *w, struct pfnmap *pfnmap)
{
	KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 1, IOVA + SZ_1G, 0, 1), 0);
	pfnmap_unmap(pfnmap, &w->idomains[1], IOVA + SZ_1G, IOVA + SZ_1G);
}

/* All is gone from both domains, and nothing on its way out. */
static void check_empty(struct kunit *test, struct pfnmap_world *w)
{
	unsigned int d;

	for (d = 0; d != ARRAY_SIZE(w->doms); d++) {
		KUNIT_EXPECT_EQ(test, w->doms[d].mapped, 0UL);
		kt_domain_settled(&w->doms[d]);
	}
}

/* ------------------------------------------------------------------ */
/* What is refused */

static void create_of_other(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_CONTIGUOUS);

	w->bar->vmas[0].vm_flags &= ~VM_PFNMAP;
	KUNIT_EXPECT_PTR_EQ(test, create(w), NULL);
	w->bar->nvmas = 0;
	KUNIT_EXPECT_PTR_EQ(test, create(w), NULL);
	w->bar->nvmas = 1;
	w->bar->vmas[0].vm_flags |= VM_PFNMAP;
	/* A VMA that begins later says nothing. */
	w->bar->vmas[0].vm_start += PAGE_SIZE;
	KUNIT_EXPECT_PTR_EQ(test, create(w), NULL);
	w->bar->vmas[0].vm_start -= PAGE_SIZE;
	/* The process is gone. */
	atomic_set(&w->mem->mm->mm_users, 0);
	KUNIT_EXPECT_PTR_EQ(test, create(w), NULL);
	atomic_set(&w->mem->mm->mm_users, 1);
	KUNIT_EXPECT_EQ(test, w->bar->nreads, 0UL);
	KUNIT_EXPECT_EQ(test, w->bar->nfaults, 0UL);
	destroy_world(test, w);
}

/* Two VMAs with the same in them */
static void two_vmas(struct kt_bar *bar)
{
	bar->vmas[1] = bar->vmas[0];
	bar->vmas[0].vm_end = KT_BAR_UVA + bar->npages / 2 * PAGE_SIZE;
	bar->vmas[1].vm_start = bar->vmas[0].vm_end;
	bar->nvmas = 2;
}

static void second_is_other(struct kt_bar *bar)
{
	two_vmas(bar);
	bar->vmas[1].vm_flags &= ~VM_PFNMAP;
}

static void second_is_read_only(struct kt_bar *bar)
{
	two_vmas(bar);
	bar->vmas[1].vm_flags &= ~VM_WRITE;
}

static void second_is_none(struct kt_bar *bar)
{
	two_vmas(bar);
	bar->nvmas = 1;
}

static void gap_of_a_page(struct kt_bar *bar)
{
	two_vmas(bar);
	bar->vmas[1].vm_start += PAGE_SIZE;
}

static void copy_on_write(struct kt_bar *bar)
{
	bar->vmas[0].vm_flags &= ~VM_SHARED;
}

static void no_write(struct kt_bar *bar)
{
	bar->vmas[0].vm_flags &= ~VM_WRITE;
}

static void pte_read_only(struct kt_bar *bar)
{
	bar->fault_read_only = true;
}

static void one_is_memory(struct kt_bar *bar)
{
	kt_bar_set_pfn(bar, bar->npages / 2, KT_PFN + 7);
}

static void first_is_memory(struct kt_bar *bar)
{
	kt_bar_set_pfn(bar, 0, KT_PFN + 7);
}

static void is_dead(struct kt_bar *bar)
{
	bar->dead = true;
}

static void fault_killed(struct kt_bar *bar)
{
	bar->fault_rc = -EINTR;
}

static void fault_no_memory(struct kt_bar *bar)
{
	bar->fault_rc = -ENOMEM;
}

static void fault_poisoned(struct kt_bar *bar)
{
	bar->fault_rc = -EHWPOISON;
}

static void killed_at_first(struct kt_bar *bar)
{
	bar->lock_nth = 1;
}

static void killed_later(struct kt_bar *bar)
{
	bar->lock_nth = 2;
}

static void create_refuses(struct kunit *test)
{
	static const struct {
		const char *name;
		void (*make)(struct kt_bar *bar);
		int rc;
	} cases[] = {
		{ "second part no device memory", second_is_other, -EFAULT },
		{ "second part read-only", second_is_read_only, -EFAULT },
		{ "no second part", second_is_none, -EFAULT },
		{ "gap", gap_of_a_page, -EFAULT },
		{ "copy-on-write", copy_on_write, -EFAULT },
		{ "VM_WRITE missing", no_write, -EFAULT },
		{ "page table entry read-only", pte_read_only, -EFAULT },
		{ "first is memory", first_is_memory, -EFAULT },
		{ "one is memory", one_is_memory, -EFAULT },
		{ "dead", is_dead, -EFAULT },
		{ "fault killed", fault_killed, -EINTR },
		{ "fault without memory", fault_no_memory, -ENOMEM },
		{ "fault finds poison", fault_poisoned, -EFAULT },
		{ "killed at the first look", killed_at_first, -EINTR },
		{ "killed at the second", killed_later, -EINTR },
	};
	struct pfnmap_world *w;
	unsigned int i, part;

	/* Page frames without a struct page, and with one */
	for (i = 0; i != 2 * ARRAY_SIZE(cases); i++) {
		w = create_world(test, NPAGES, KT_SCATTERED);
		w->bar->reserved = i & 1;
		cases[i / 2].make(w->bar);
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR(create(w)), (long)cases[i / 2].rc, "%s",
				    cases[i / 2].name);
		for (part = 0; part != ARRAY_SIZE(w->doms); part++)
			KUNIT_EXPECT_EQ(test, w->doms[part].nr_maps, 0UL);
		expect_events(test, w, 0, 0, 0);
		destroy_world(test, w);
	}
}

/* Read-only is enough for who only reads; and what may not be read may not. */
static void create_read_only(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_CONTIGUOUS);
	struct pfnmap *pfnmap;

	no_write(w->bar);
	pfnmap = pfnmap_create(w->owner, KT_BAR_UVA, NPAGES, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(pfnmap));
	KUNIT_EXPECT_TRUE(test, w->bar->pages[0].read_only);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));

	copy_on_write(w->bar);
	KUNIT_EXPECT_EQ(test, PTR_ERR(pfnmap_create(w->owner, KT_BAR_UVA, NPAGES, false)),
			(long)-EFAULT);
	w->bar->vmas[0].vm_flags |= VM_SHARED;
	w->bar->vmas[0].vm_flags &= ~VM_READ;
	KUNIT_EXPECT_EQ(test, PTR_ERR(pfnmap_create(w->owner, KT_BAR_UVA, NPAGES, false)),
			(long)-EFAULT);
	destroy_world(test, w);
}

static void create_killed(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_CONTIGUOUS);
	struct pfnmap *pfnmap;
	unsigned int n;

	for (n = 1; ; n++) {
		kt_kill(n);
		pfnmap = create(w);
		kt_kill(0);
		KUNIT_ASSERT_NOT_NULL(test, pfnmap);
		if (!IS_ERR(pfnmap))
			break;
		KUNIT_ASSERT_EQ(test, PTR_ERR(pfnmap), (long)-EINTR);
		KUNIT_ASSERT_EQ(test, pfnmap_count(), w->before);
	}
	/* Once for each page */
	KUNIT_EXPECT_EQ(test, n, (unsigned int)NPAGES + 1);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

static void create_without_memory(struct kunit *test)
{
	static const enum kt_layout layouts[] = { KT_CONTIGUOUS, KT_SCATTERED };
	struct pfnmap_world *w;
	struct pfnmap *pfnmap;
	unsigned int i, n;

	for (i = 0; i != ARRAY_SIZE(layouts); i++) {
		w = create_world(test, NPAGES, layouts[i]);
		for (n = 1; ; n++) {
			kt_fail_alloc(n);
			pfnmap = create(w);
			kt_fail_alloc(0);
			KUNIT_ASSERT_NOT_NULL(test, pfnmap);
			if (!IS_ERR(pfnmap))
				break;
			KUNIT_ASSERT_EQ(test, PTR_ERR(pfnmap), (long)-ENOMEM);
			KUNIT_ASSERT_EQ(test, pfnmap_count(), w->before);
			KUNIT_ASSERT_EQ(test, w->bar->nnotifiers, 0U);
		}
		/* The struct, the notifier, room to work; more than one run */
		KUNIT_EXPECT_EQ(test, n, 4U + i);
		kt_fail_alloc(1);
		KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, 1), -ENOMEM);
		kt_fail_alloc(0);
		KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
		destroy_world(test, w);
	}
}

static void create_many_runs(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, MAX_RUNS + 1, KT_SCATTERED);
	struct pfnmap *pfnmap;

	KUNIT_EXPECT_EQ(test, MAX_RUNS, 512UL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(create(w)), (long)-EFAULT);
	pfnmap = pfnmap_create(w->owner, KT_BAR_UVA, MAX_RUNS, true);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(pfnmap));
	KUNIT_EXPECT_EQ(test, pfnmap->extent.nruns, (unsigned int)MAX_RUNS);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, MAX_RUNS), 0);
	check_mapped(test, w, 0, IOVA, 0, MAX_RUNS);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, IOVA);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));

	/* Two of the pages follow each other: as many runs as may be. */
	kt_bar_set_pfn(w->bar, 6, w->bar->pages[5].pfn + 1);
	pfnmap = create_good(test, w);
	KUNIT_EXPECT_EQ(test, pfnmap->extent.nruns, (unsigned int)MAX_RUNS);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

/* ------------------------------------------------------------------ */
/* Reading the page tables */

static void read_present(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = create_good(test, w);

	/* Each page once, and not again when it is there. */
	KUNIT_EXPECT_EQ(test, w->bar->nfaults, NPAGES);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	pfnmap = create_good(test, w);
	KUNIT_EXPECT_EQ(test, w->bar->nfaults, NPAGES);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));

	/* But there and read-only is not enough. */
	w->bar->pages[3].read_only = true;
	pfnmap = create_good(test, w);
	KUNIT_EXPECT_EQ(test, w->bar->nfaults, NPAGES + 1);
	KUNIT_EXPECT_FALSE(test, w->bar->pages[3].read_only);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

static void read_two_vmas(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_CONTIGUOUS);
	struct pfnmap *pfnmap;

	two_vmas(w->bar);
	/* The first goes on in the second. */
	kt_bar_set_pfn(w->bar, NPAGES - 1, KT_BAR_PFN + 1000);
	w->bar->vmas[1].vm_flags |= VM_IO;
	pfnmap = create_good(test, w);
	KUNIT_EXPECT_EQ(test, pfnmap->extent.nruns, 2U);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, NPAGES), 0);
	check_mapped(test, w, 0, IOVA, 0, NPAGES);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, IOVA + NPAGES * PAGE_SIZE - 1);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

/* All page frames are others by now. */
static void move(struct kt_bar *bar)
{
	unsigned long i;

	for (i = 0; i != bar->npages; i++) {
		bar->pages[i].present = false;
		kt_bar_set_pfn(bar, i, bar->pages[i].pfn + 2 * bar->npages);
	}
}

static void unmap_second(struct kt_bar *bar)
{
	bar->nvmas = 1;
}

/* A fault that drops mmap_lock: what was read before may be gone. */
static void read_unlocked(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_SCATTERED);
	struct pfnmap *pfnmap;

	w->bar->unlocks = 5;
	pfnmap = create_good(test, w);
	KUNIT_EXPECT_EQ(test, w->bar->unlocks, 0U);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));

	zap_all_pages(w);
	w->bar->pages[0].present = true;
	w->bar->pages[0].read_only = false;
	w->bar->unlocks = 1;
	w->bar->unlocked = move;
	pfnmap = create_good(test, w);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, NPAGES), 0);
	check_mapped(test, w, 0, IOVA, 0, NPAGES);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, ULONG_MAX);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));

	zap_all_pages(w);
	two_vmas(w->bar);
	w->bar->unlocks = 1;
	w->bar->unlocked = unmap_second;
	KUNIT_EXPECT_EQ(test, PTR_ERR(create(w)), (long)-EFAULT);

	/* Who may not wait does not let it be dropped. */
	w->bar->nvmas = 2;
	w->bar->unlocked = NULL;
	pfnmap = create_good(test, w);
	zap_all_pages(w);
	w->bar->unlocks = 1;
	kt_bar_run(w->bar);
	KUNIT_EXPECT_TRUE(test, pfnmap->established);
	KUNIT_EXPECT_EQ(test, w->bar->unlocks, 1U);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

/* The BAR is taken away while it is read, at each place where that can be. */
static void read_invalidated(struct kunit *test)
{
	struct pfnmap_world *w;
	struct pfnmap *pfnmap;
	unsigned int n, after;
	bool hit;

	for (after = 0; after != 2; after++) {
		for (n = 1, hit = true; hit; n++) {
			w = create_world(test, 16, KT_SCATTERED);
			w->bar->zapped = move;
			w->bar->zap_before = after ? 0 : n;
			w->bar->zap_after = after ? n : 0;
			pfnmap = create(w);
			hit = !w->bar->zap_before && !w->bar->zap_after;
			KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_OR_NULL(pfnmap), "%u %u", after, n);
			KUNIT_ASSERT_TRUE(test, pfnmap->established);
			KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, 16), 0);
			check_mapped(test, w, 0, IOVA, 0, 16);
			pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, ULONG_MAX);
			KUNIT_ASSERT_TRUE(test, pfnmap_put(pfnmap));
			/* Nobody had it, so nobody has lost it. */
			expect_events(test, w, 0, 0, 0);
			destroy_world(test, w);
		}
		/* Each page is looked at before a fault and after it. */
		KUNIT_EXPECT_EQ(test, n, after ? 18U : 34U);
	}
}

static void read_always_invalidated(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap;

	w->bar->zap_always = true;
	KUNIT_EXPECT_EQ(test, PTR_ERR(create(w)), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, w->bar->nfaults, SEQ_TRIES * NPAGES);
	w->bar->zap_always = false;

	/* So the work gives up, too. */
	pfnmap = create_good(test, w);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, NPAGES), 0);
	zap_all_pages(w);
	w->bar->zap_always = true;
	kt_bar_run(w->bar);
	KUNIT_EXPECT_FALSE(test, pfnmap->established);
	check_empty(test, w);
	expect_events(test, w, 1, 0, 1);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, ULONG_MAX);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

/* ------------------------------------------------------------------ */
/* In domains */

static void map_large(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, SZ_8M / PAGE_SIZE, KT_CONTIGUOUS);
	struct pfnmap *pfnmap = create_good(test, w);
	struct domain_range range = {
		.first_page = 1,
		.page_offset = SZ_2K,
		.iova = IOVA + SZ_4K + SZ_2K,
		.length = SZ_64K,
		.max_io_page = IOPT_IO_CHUNK,
		.prot = IOMMU_READ,
	};

	/* The BAR begins where a large IO page may. */
	KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, SZ_8M / PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].largest, (size_t)SZ_2M);
	check_mapped(test, w, 0, IOVA, 0, SZ_8M / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, kt_domain_page(&w->doms[0], IOVA)->node.last, IOVA + SZ_2M - 1);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, IOVA);

	/* Aligned alike, and small ones at the ends */
	KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 0, IOVA + SZ_4K, 1,
					SZ_8M / PAGE_SIZE - 2), 0);
	check_mapped(test, w, 0, IOVA + SZ_4K, 1, SZ_8M / PAGE_SIZE - 2);
	KUNIT_EXPECT_EQ(test, kt_domain_page(&w->doms[0], IOVA + SZ_2M)->node.last,
			IOVA + SZ_4M - 1);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, ULONG_MAX);

	/* Not aligned alike */
	w->doms[0].largest = 0;
	KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 0, IOVA + SZ_4K, 0, SZ_4M / PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].largest, (size_t)SZ_4K);
	check_mapped(test, w, 0, IOVA + SZ_4K, 0, SZ_4M / PAGE_SIZE);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, ULONG_MAX);

	/* Less than a page at both ends; it comes back as it was. */
	kt_domain_init(&w->doms[1], SZ_2K, true);
	w->doms[1].tracks_memory = true;
	KUNIT_ASSERT_EQ(test, pfnmap_map(pfnmap, &w->idomains[1], &range), 0);
	kt_bar_check_mapped(test, w->bar, &w->doms[1], range.iova, SZ_4K + SZ_2K, SZ_64K);
	zap_all_pages(w);
	check_empty(test, w);
	kt_bar_run(w->bar);
	kt_bar_check_mapped(test, w->bar, &w->doms[1], range.iova, SZ_4K + SZ_2K, SZ_64K);
	pfnmap_unmap(pfnmap, &w->idomains[1], range.iova, range.iova + SZ_64K - 1);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

static void map_no_large(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, SZ_4M / PAGE_SIZE, KT_CONTIGUOUS);
	struct pfnmap *pfnmap = create_good(test, w);
	struct domain_range range = {
		.iova = IOVA,
		.length = SZ_4M,
		.max_io_page = PAGE_SIZE,
		.prot = IOMMU_READ,
	};

	KUNIT_ASSERT_EQ(test, pfnmap_map(pfnmap, &w->idomains[0], &range), 0);
	zap_all_pages(w);
	kt_bar_run(w->bar);
	check_mapped(test, w, 0, IOVA, 0, SZ_4M / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, w->doms[0].largest, PAGE_SIZE);
	/* With a lock held that reclaim may want. */
	KUNIT_EXPECT_FALSE(test, gfpflags_allow_blocking(w->doms[0].last_gfp));
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, ULONG_MAX);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

/* What pfnmap_unmap() takes, and what it leaves */
static void unmap_some(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = create_good(test, w);
	unsigned int i, revoked;

	for (revoked = 0; revoked != 2; revoked++) {
		for (i = 0; i != 4; i++) {
			KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, i % 2, IOVA + (i / 2) * SZ_1M,
							i, 16), 0);
		}
		if (revoked)
			zap_all_pages(w);
		pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, IOVA + SZ_1M - 1);
		pfnmap_unmap(pfnmap, &w->idomains[1], IOVA + SZ_1M, IOVA + SZ_2M - 1);
		/* Nothing begins there. */
		pfnmap_unmap(pfnmap, &w->idomains[1], IOVA + 1, IOVA + SZ_1M);
		pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, IOVA + SZ_1M - 1);
		kt_bar_run(w->bar);
		KUNIT_EXPECT_EQ(test, w->doms[0].mapped, 16 * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, w->doms[1].mapped, 16 * PAGE_SIZE);
		check_mapped(test, w, 0, IOVA + SZ_1M, 2, 16);
		check_mapped(test, w, 1, IOVA, 1, 16);
		pfnmap_unmap(pfnmap, &w->idomains[0], 0, ULONG_MAX);
		pfnmap_unmap(pfnmap, &w->idomains[1], 0, ULONG_MAX);
		check_empty(test, w);
	}
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

static struct pfnmap *in_two_domains(struct kunit *test, struct pfnmap_world *w)
{
	struct pfnmap *pfnmap = create_good(test, w);

	KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, w->bar->npages), 0);
	KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 1, IOVA + SZ_1M, 5, 10), 0);
	KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, 1, IOVA + SZ_2M, 0, w->bar->npages), 0);
	return pfnmap;
}

static void check_two_domains(struct kunit *test, struct pfnmap_world *w)
{
	KUNIT_EXPECT_EQ(test, w->doms[0].mapped, w->bar->npages * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, w->doms[1].mapped, (10 + w->bar->npages) * PAGE_SIZE);
	check_mapped(test, w, 0, IOVA, 0, w->bar->npages);
	check_mapped(test, w, 1, IOVA + SZ_1M, 5, 10);
	check_mapped(test, w, 1, IOVA + SZ_2M, 0, w->bar->npages);
}

static void leave_two_domains(struct kunit *test, struct pfnmap_world *w, struct pfnmap *pfnmap)
{
	pfnmap_unmap(pfnmap, &w->idomains[0], 0, ULONG_MAX);
	pfnmap_unmap(pfnmap, &w->idomains[1], 0, ULONG_MAX);
	check_empty(test, w);
	KUNIT_EXPECT_TRUE(test, pfnmap_put(pfnmap));
	destroy_world(test, w);
}

/* A driver that fails: what has been mapped of the range goes. */
static void map_fails(struct kunit *test)
{
	static const enum kt_map_fault faults[] = { KT_FAULT_SILENT, KT_FAULT_HONEST };
	struct pfnmap_world *w = create_world(test, NPAGES, KT_SCATTERED);
	struct pfnmap *pfnmap = in_two_domains(test, w);
	unsigned int i, n;
	int rc;

	kt_seed(test);
	for (i = 0; i != ARRAY_SIZE(faults); i++) {
		for (n = 1; ; n++) {
			kt_domain_fail(&w->doms[0], n, faults[i]);
			rc = map_pages(w, pfnmap, 0, IOVA + SZ_4M, 10, 20);
			kt_domain_fail(&w->doms[0], 0, 0);
			if (!rc)
				break;
			KUNIT_ASSERT_EQ(test, rc, -ENOMEM);
			check_two_domains(test, w);
			/* Nor is anything of it left to come back. */
			zap_all_pages(w);
			kt_bar_run(w->bar);
			check_two_domains(test, w);
		}
		KUNIT_EXPECT_EQ(test, n, 21U);
		pfnmap_unmap(pfnmap, &w->idomains[0], IOVA + SZ_4M, IOVA + SZ_4M);
	}
	/* Who is killed meanwhile */
	kt_kill(4);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA + SZ_4M, 10, 20), -EINTR);
	kt_kill(0);
	check_two_domains(test, w);
	leave_two_domains(test, w, pfnmap);
}

/* ------------------------------------------------------------------ */
/* Revoked, and back */

static void revoke_restore(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = in_two_domains(test, w);
	char text[64] = {};
	struct seq_file s = { .buf = text, .size = sizeof(text) };
	char want[64];

	check_two_domains(test, w);
	/* A part is all. */
	kt_bar_zap(w->bar, 7, 7);
	KUNIT_EXPECT_FALSE(test, pfnmap->established);
	check_empty(test, w);
	expect_events(test, w, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 1U);
	KUNIT_EXPECT_EQ(test, w->bar->delays[0], (unsigned long)RETRY_DELAY);

	/* It was gone already. */
	zap_all_pages(w);
	expect_events(test, w, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 1U);

	/* Elsewhere by now */
	move(w->bar);
	KUNIT_EXPECT_TRUE(test, kt_bar_run_one(w->bar));
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);
	check_two_domains(test, w);
	expect_events(test, w, 1, 1, 0);

	pfnmap_show_events(&s);
	scnprintf(want, sizeof(want), "revoked %ld\nrestored %ld\nlost %ld\n", w->revoked + 1,
		  w->restored + 1, w->lost);
	KUNIT_EXPECT_STREQ(test, text, want);

	leave_two_domains(test, w, pfnmap);
}

static void revoke_lose(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = in_two_domains(test, w);

	w->bar->dead = true;
	zap_all_pages(w);
	check_empty(test, w);
	KUNIT_EXPECT_TRUE(test, kt_bar_run_one(w->bar));
	expect_events(test, w, 1, 0, 1);
	check_empty(test, w);
	/* That was the one try; and it cannot be taken away again. */
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);
	w->bar->dead = false;
	zap_all_pages(w);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);
	expect_events(test, w, 1, 0, 1);

	/* One more user alone changes nothing; one more place is a reason to try. */
	pfnmap_get(pfnmap);
	KUNIT_EXPECT_FALSE(test, pfnmap_put(pfnmap));
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);
	map_another(test, w, pfnmap);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 1U);
	check_empty(test, w);
	kt_bar_run(w->bar);
	check_two_domains(test, w);
	expect_events(test, w, 1, 1, 1);
	/* While it is there that makes no work. */
	map_another(test, w, pfnmap);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);

	/* The process has unmapped it, or is gone. */
	w->bar->nvmas = 0;
	zap_all_pages(w);
	kt_bar_run(w->bar);
	expect_events(test, w, 2, 1, 2);
	w->bar->nvmas = 1;
	map_another(test, w, pfnmap);
	atomic_set(&w->mem->mm->mm_users, 0);
	kt_bar_run(w->bar);
	atomic_set(&w->mem->mm->mm_users, 1);
	expect_events(test, w, 2, 1, 3);
	check_empty(test, w);
	leave_two_domains(test, w, pfnmap);
}

/* Without memory for the work */
static void revoke_no_memory(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_SCATTERED);
	struct pfnmap *pfnmap = in_two_domains(test, w);
	unsigned int n;

	for (n = 1; ; n++) {
		zap_all_pages(w);
		kt_fail_alloc(n);
		KUNIT_ASSERT_TRUE(test, kt_bar_run_one(w->bar));
		kt_fail_alloc(0);
		if (pfnmap->established)
			break;
		check_empty(test, w);
		expect_events(test, w, n, n - 1, 0);
		KUNIT_EXPECT_EQ(test, w->bar->delays[0], (unsigned long)RETRY_PAUSE);
		kt_bar_run(w->bar);
		check_two_domains(test, w);
	}
	KUNIT_EXPECT_EQ(test, n, 3U);
	leave_two_domains(test, w, pfnmap);
}

static void revoke_restore_fails(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_SCATTERED);
	struct pfnmap *pfnmap = in_two_domains(test, w);
	unsigned int d, n, total = 0;

	kt_seed(test);
	for (d = 0; d != 2; d++) {
		for (n = 1; ; n++) {
			zap_all_pages(w);
			kt_domain_fail(&w->doms[d], n, kt_random(2));
			KUNIT_ASSERT_TRUE(test, kt_bar_run_one(w->bar));
			kt_domain_fail(&w->doms[d], 0, 0);
			if (pfnmap->established)
				break;
			/* All or none; once more, since there may be memory then */
			check_empty(test, w);
			KUNIT_ASSERT_EQ(test, w->bar->nworks, 1U);
			total++;
			kt_bar_run(w->bar);
			check_two_domains(test, w);
		}
		check_two_domains(test, w);
		KUNIT_EXPECT_EQ(test, n, (unsigned int)NPAGES + 1 + d * 10);
	}
	expect_events(test, w, total + 2, total + 2, 0);
	leave_two_domains(test, w, pfnmap);
}

static void map_while_revoked(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = create_good(test, w);

	zap_all_pages(w);
	/* The try that is under way does. */
	kt_fail_alloc(1);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, NPAGES), -ENOMEM);
	kt_fail_alloc(0);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 0, IOVA, 0, NPAGES), 0);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 1U);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 1, IOVA + SZ_1M, 5, 10), 0);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 1, IOVA + SZ_2M, 0, NPAGES), 0);
	KUNIT_EXPECT_EQ(test, map_pages(w, pfnmap, 1, IOVA + SZ_4M, 0, NPAGES), 0);
	check_empty(test, w);
	/* What is unmapped before it is there does not come. */
	pfnmap_unmap(pfnmap, &w->idomains[1], IOVA + SZ_4M, ULONG_MAX);
	kt_bar_run(w->bar);
	check_two_domains(test, w);
	expect_events(test, w, 1, 1, 0);
	leave_two_domains(test, w, pfnmap);
}

/* The work must not wait for mmap_lock, nor ask for it for ever. */
static void retry_bounded(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = in_two_domains(test, w);

	zap_all_pages(w);
	w->bar->busy = RETRY_TRIES - 1;
	KUNIT_EXPECT_EQ(test, w->bar->delays[0], (unsigned long)RETRY_DELAY);
	KUNIT_EXPECT_TRUE(test, kt_bar_run_one(w->bar));
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 1U);
	KUNIT_EXPECT_EQ(test, w->bar->delays[0], (unsigned long)RETRY_PAUSE);
	kt_bar_run(w->bar);
	KUNIT_EXPECT_EQ(test, w->bar->busy, 0U);
	check_two_domains(test, w);
	expect_events(test, w, 1, 1, 0);

	zap_all_pages(w);
	w->bar->busy = 2 * RETRY_TRIES;
	kt_bar_run(w->bar);
	KUNIT_EXPECT_EQ(test, w->bar->busy, (unsigned int)RETRY_TRIES);
	check_empty(test, w);
	expect_events(test, w, 2, 1, 1);

	/* Who comes anew has all tries. */
	map_another(test, w, pfnmap);
	w->bar->busy = 2 * RETRY_TRIES - 2;
	for (; w->bar->busy >= RETRY_TRIES;)
		KUNIT_ASSERT_TRUE(test, kt_bar_run_one(w->bar));
	KUNIT_EXPECT_EQ(test, w->bar->delays[0], (unsigned long)RETRY_PAUSE);
	map_another(test, w, pfnmap);
	KUNIT_EXPECT_EQ(test, w->bar->delays[0], (unsigned long)RETRY_DELAY);
	kt_bar_run(w->bar);
	check_two_domains(test, w);
	expect_events(test, w, 2, 2, 1);
	leave_two_domains(test, w, pfnmap);
}

/* The process exits. */
static void revoke_release(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = in_two_domains(test, w);

	KUNIT_EXPECT_TRUE(test, kt_bar_invalidate(w->bar, 0, NPAGES - 1, MMU_NOTIFY_RELEASE,
						  true));
	check_empty(test, w);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);
	expect_events(test, w, 1, 0, 0);
	leave_two_domains(test, w, pfnmap);
}

static void revoke_non_blockable(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = in_two_domains(test, w);
	unsigned long seq;

	seq = pfnmap->notifier.invalidate_seq;
	KUNIT_EXPECT_FALSE(test, kt_bar_invalidate(w->bar, 0, 0, MMU_NOTIFY_CLEAR, false));
	check_two_domains(test, w);
	KUNIT_EXPECT_EQ(test, pfnmap->notifier.invalidate_seq, seq);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&pfnmap->lock));

	zap_all_pages(w);
	mutex_lock(&pfnmap->lock);
	KUNIT_EXPECT_FALSE(test, kt_bar_invalidate(w->bar, 0, 0, MMU_NOTIFY_CLEAR, false));
	mutex_unlock(&pfnmap->lock);

	seq = pfnmap->notifier.invalidate_seq;
	KUNIT_EXPECT_TRUE(test, kt_bar_invalidate(w->bar, 0, 0, MMU_NOTIFY_CLEAR, false));
	KUNIT_EXPECT_NE(test, pfnmap->notifier.invalidate_seq, seq);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&pfnmap->lock));
	expect_events(test, w, 1, 0, 0);
	kt_bar_run(w->bar);
	check_two_domains(test, w);
	leave_two_domains(test, w, pfnmap);
}

/* ------------------------------------------------------------------ */
/* Cut, and gone */

enum when { NEVER, BEFORE_CUT, AFTER_CUT, BETWEEN, TIMES };

static void cut_once(struct kunit *test, unsigned long at, enum when revoked, enum when back,
		     bool upper_first)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_CONTIGUOUS);
	struct pfnmap *pfnmap = create_good(test, w);
	unsigned long cut = IOVA + at * PAGE_SIZE;
	unsigned int when, d;

	for (d = 0; d != 2; d++) {
		KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, d, IOVA, 0, NPAGES), 0);
		/* A neighbour on either side, which is none of the cut's */
		KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, d, IOVA - 2 * PAGE_SIZE, 9, 2), 0);
		KUNIT_ASSERT_EQ(test, map_pages(w, pfnmap, d, IOVA + NPAGES * PAGE_SIZE, 1, 2), 0);
	}
	for (when = BEFORE_CUT; when != TIMES; when++) {
		if (revoked == when)
			zap_all_pages(w);
		if (back == when)
			kt_bar_run(w->bar);
		if (when == BEFORE_CUT)
			KUNIT_ASSERT_EQ(test, pfnmap_cut(pfnmap, &w->idomains[0], cut), 0);
		if (when == AFTER_CUT && upper_first)
			pfnmap_unmap(pfnmap, &w->idomains[0], cut,
				     IOVA + NPAGES * PAGE_SIZE - 1);
		else if (when == AFTER_CUT)
			pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, cut - 1);
	}
	if (pfnmap->established) {
		KUNIT_EXPECT_EQ(test, w->doms[0].mapped,
				(4 + (upper_first ? at : NPAGES - at)) * PAGE_SIZE);
		if (upper_first)
			check_mapped(test, w, 0, IOVA, 0, at);
		else
			check_mapped(test, w, 0, cut, at, NPAGES - at);
		check_mapped(test, w, 0, IOVA - 2 * PAGE_SIZE, 9, 2);
		check_mapped(test, w, 0, IOVA + NPAGES * PAGE_SIZE, 1, 2);
		KUNIT_EXPECT_EQ(test, w->doms[1].mapped, (4 + NPAGES) * PAGE_SIZE);
		check_mapped(test, w, 1, IOVA, 0, NPAGES);
	} else {
		check_empty(test, w);
	}
	leave_two_domains(test, w, pfnmap);
}

static void cut_unmap_halves(struct kunit *test)
{
	static const unsigned long at[] = { 1, 2, NPAGES / 2, NPAGES - 1 };
	unsigned int i, revoked, back;

	for (i = 0; i != ARRAY_SIZE(at); i++) {
		for (revoked = NEVER; revoked != TIMES; revoked++) {
			for (back = revoked ? revoked + 1 : NEVER;
			     back <= (revoked ? TIMES : NEVER); back++) {
				cut_once(test, at[i], revoked, back, false);
				cut_once(test, at[i], revoked, back, true);
			}
		}
	}
}

static void cut_nothing(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = in_two_domains(test, w);
	unsigned long ends[] = { IOVA, IOVA + NPAGES * PAGE_SIZE, 0, IOVA + SZ_1M + PAGE_SIZE };
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(ends); i++) {
		KUNIT_EXPECT_EQ(test, pfnmap_cut(pfnmap, &w->idomains[0], ends[i]), 0);
		KUNIT_EXPECT_EQ(test, count_maps(pfnmap), (size_t)3);
	}
	kt_fail_alloc(1);
	KUNIT_EXPECT_EQ(test, pfnmap_cut(pfnmap, &w->idomains[0], IOVA + PAGE_SIZE), -ENOMEM);
	kt_fail_alloc(0);
	KUNIT_EXPECT_EQ(test, count_maps(pfnmap), (size_t)3);
	/* Cut, and unmapped as one: the other domain's cut may have failed. */
	KUNIT_EXPECT_EQ(test, pfnmap_cut(pfnmap, &w->idomains[0], IOVA + 5 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, pfnmap_cut(pfnmap, &w->idomains[0], IOVA + 9 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, pfnmap_cut(pfnmap, &w->idomains[0], IOVA + 7 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, count_maps(pfnmap), (size_t)6);
	zap_all_pages(w);
	kt_bar_run(w->bar);
	check_two_domains(test, w);
	pfnmap_unmap(pfnmap, &w->idomains[0], IOVA, IOVA + NPAGES * PAGE_SIZE - 1);
	KUNIT_EXPECT_EQ(test, w->doms[0].mapped, 0UL);
	KUNIT_EXPECT_EQ(test, count_maps(pfnmap), (size_t)2);
	leave_two_domains(test, w, pfnmap);
}

static void put_while_pending(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);
	struct pfnmap *pfnmap = in_two_domains(test, w);

	pfnmap_get(pfnmap);
	zap_all_pages(w);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 1U);
	KUNIT_EXPECT_FALSE(test, pfnmap_put(pfnmap));
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 1U);
	/* In the end nothing is queued: kt_bar_destroy() looks. */
	leave_two_domains(test, w, pfnmap);
}

static struct pfnmap *in_retry;

/* The last user goes while the work is at it. */
static void goes_away(struct kt_bar *bar)
{
	mutex_lock(&in_retry->lock);
	in_retry->may_retry = false;
	mutex_unlock(&in_retry->lock);
}

static void put_while_retrying(struct kunit *test)
{
	struct pfnmap_world *w = create_world(test, NPAGES, KT_MIXED);

	in_retry = in_two_domains(test, w);
	zap_all_pages(w);
	w->bar->busy = 1;
	w->bar->busy_hook = goes_away;
	KUNIT_EXPECT_TRUE(test, kt_bar_run_one(w->bar));
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);
	/* Nobody misses it. */
	expect_events(test, w, 1, 0, 0);
	/* Nor does what happens from then on make work. */
	in_retry->established = true;
	kt_bar_invalidate(w->bar, 0, 0, MMU_NOTIFY_CLEAR, true);
	KUNIT_EXPECT_EQ(test, w->bar->nworks, 0U);
	leave_two_domains(test, w, in_retry);
}

static struct kunit_case pfnmap_cases[] = {
	KUNIT_CASE(create_of_other),
	KUNIT_CASE(create_refuses),
	KUNIT_CASE(create_read_only),
	KUNIT_CASE(create_killed),
	KUNIT_CASE(create_without_memory),
	KUNIT_CASE(create_many_runs),
	KUNIT_CASE(read_present),
	KUNIT_CASE(read_two_vmas),
	KUNIT_CASE(read_unlocked),
	KUNIT_CASE(read_invalidated),
	KUNIT_CASE(read_always_invalidated),
	KUNIT_CASE(map_large),
	KUNIT_CASE(map_no_large),
	KUNIT_CASE(unmap_some),
	KUNIT_CASE(map_fails),
	KUNIT_CASE(revoke_restore),
	KUNIT_CASE(revoke_lose),
	KUNIT_CASE(revoke_no_memory),
	KUNIT_CASE(revoke_restore_fails),
	KUNIT_CASE(map_while_revoked),
	KUNIT_CASE(retry_bounded),
	KUNIT_CASE(revoke_release),
	KUNIT_CASE(revoke_non_blockable),
	KUNIT_CASE(cut_unmap_halves),
	KUNIT_CASE(cut_nothing),
	KUNIT_CASE(put_while_pending),
	KUNIT_CASE(put_while_retrying),
	{}
};

struct kunit_suite kt_pfnmap_suite = {
	.name = "iommufd_pfnmap",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = pfnmap_cases,
};
