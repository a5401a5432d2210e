// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas and domains, case by case: each fault at each place, cuts, copies, what
 * is refused.  unmap_test.c does the same at random.
 */
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "unit.h"
#include "world.h"

#define iommu_unmap_fast(domain, iova, size, gather) \
	(kt_check_unmap(domain, iova, size),         \
	 iommu_unmap_fast(domain, iova, size, gather))

#include "../iommufd/domain_io.c"
#include "../iommufd/io_pagetable.c"
#include "../iommufd/iopt_domain.c"

static const unsigned long small_pages[KT_DOMAINS] = { SZ_4K, SZ_4K, SZ_4K };
static const unsigned long large_pages[KT_DOMAINS] = {
	SZ_4K | SZ_2M | SZ_1G, SZ_4K | SZ_2M | SZ_1G, SZ_4K | SZ_2M | SZ_1G,
};

static struct iopt_area *area_at(struct kt_world *w, unsigned long iova)
{
	struct iopt_area *area;

	down_read(&w->iopt.iova_rwsem);
	area = iopt_area_first(&w->iopt, iova, iova);
	up_read(&w->iopt.iova_rwsem);
	return area;
}

static void area_arithmetic(struct kunit *test)
{
	struct iopt_area area = { .first_page = 7 };
	unsigned long length, iova;

	for (area.page_offset = 0; area.page_offset < PAGE_SIZE; area.page_offset += 341) {
		for (length = 1; length < 3 * PAGE_SIZE; length += 511) {
			area.node.start = 0x12345678;
			area.node.last = area.node.start + length - 1;
			KUNIT_ASSERT_EQ(test, iopt_area_length(&area), length);
			for (iova = area.node.start; iova <= area.node.last; iova += 97) {
				unsigned long byte = 7 * PAGE_SIZE + area.page_offset +
						     iova - area.node.start;

				KUNIT_ASSERT_EQ(test, iopt_area_offset(&area, iova), byte);
				KUNIT_ASSERT_EQ(test, iopt_area_page(&area, iova),
						byte / PAGE_SIZE);
			}
			KUNIT_ASSERT_EQ(test, iopt_area_last_page(&area),
					(7 * PAGE_SIZE + area.page_offset + length - 1) /
					PAGE_SIZE);
		}
	}
}

/* All of an aperture is mapped: it may go, but never in one call. */
static void unmap_in_chunks(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, SZ_16M / PAGE_SIZE, KT_CONTIGUOUS, large_pages);
	unsigned long iova = IOPT_IO_CHUNK - SZ_8M, unmapped;

	kt_domain_set_aperture(&w->doms[0], iova, iova + SZ_16M - 1);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, iova, SZ_16M), 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].largest, (size_t)SZ_2M);
	kt_world_check(test, w);
	/* The unit's own assertion takes all chunks together, and speaks up. */
	kt_expect_warnings(IS_ENABLED(IOMMUFD_DEBUG));
	KUNIT_EXPECT_EQ(test, iopt_unmap(&w->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE, &unmapped), 0);
	kt_expect_warnings(false);
	KUNIT_EXPECT_EQ(test, unmapped, (unsigned long)SZ_16M);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	kt_world_destroy(w);
}

/* Neighbours go in one call, across areas and kinds of IO pages. */
static void unmap_adjacent(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 4096, KT_MIXED, large_pages);
	unsigned long unmapped, iova = SZ_1G - SZ_4M;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 1), 0);
	for (i = 0; i != 8; i++)
		KUNIT_ASSERT_EQ(test, kt_world_map(w, i * SZ_1M + i * SZ_4K,
						   iova + i * SZ_1M, SZ_1M), 0);
	kt_world_check(test, w);
	KUNIT_EXPECT_EQ(test, iopt_unmap(&w->iopt, iova + SZ_1M, iova + 7 * SZ_1M - 1,
					 IOPT_UNMAP_NATIVE, &unmapped), 0);
	KUNIT_EXPECT_EQ(test, unmapped, 6UL * SZ_1M);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* What a range that cuts the outer two of three mappings does. */
static void unmap_policies(struct kunit *test)
{
	static const struct {
		enum iopt_unmap_policy policy;
		unsigned long first, last, unmapped;
		int rc;
	} cases[] = {
		{ IOPT_UNMAP_NATIVE, 0x11000, 0x3ffff, 0, -ENOENT },
		{ IOPT_UNMAP_NATIVE, 0x10000, 0x30fff, 0, -ENOENT },
		{ IOPT_UNMAP_NATIVE, 0x11000, 0x12fff, 0, -ENOENT },
		{ IOPT_UNMAP_NATIVE, 0x14000, 0x1ffff, 0, 0 },
		{ IOPT_UNMAP_NATIVE, 0x14000, 0x2ffff, 0x4000, 0 },
		{ IOPT_UNMAP_NATIVE, 0, ULONG_MAX, 0xc000, 0 },
		{ IOPT_UNMAP_TYPE1V2, 0x11000, 0x3ffff, 0, -EINVAL },
		{ IOPT_UNMAP_TYPE1V2, 0x10000, 0x30fff, 0, -EINVAL },
		{ IOPT_UNMAP_TYPE1V2, 0x10000, 0x23fff, 0x8000, 0 },
		{ IOPT_UNMAP_TYPE1, 0x11000, 0x3ffff, 0, 0 },
		{ IOPT_UNMAP_TYPE1, 0x10000, 0x30fff, 0xc000, 0 },
		{ IOPT_UNMAP_TYPE1, 0x20000, 0x20000, 0x4000, 0 },
		{ IOPT_UNMAP_COMPAT, 0x11000, 0x20fff, 0x4000, 0 },
		{ IOPT_UNMAP_COMPAT, 0, ULONG_MAX, 0x4000, 0 },
	};
	unsigned long unmapped;
	struct kt_world *w;
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(cases); i++) {
		w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
		KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
		KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x10000, 0x4000), 0);
		KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x20000, 0x4000), 0);
		KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x30000, 0x4000), 0);
		area_at(w, 0x20000)->compat = true;
		w->iopt.nr_compat = 1;
		unmapped = 1;
		KUNIT_EXPECT_EQ_MSG(test, iopt_unmap(&w->iopt, cases[i].first, cases[i].last,
						     cases[i].policy, &unmapped),
				    cases[i].rc, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, unmapped, cases[i].unmapped, "case %u", i);
		kt_world_check(test, w);
		kt_world_destroy(w);
	}
}

static void cut_everywhere(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_MIXED, large_pages);
	struct iopt_area *lower, *upper;
	unsigned long iova, unmapped;

	KUNIT_ASSERT_EQ(test, iopt_disable_large_pages(&w->iopt), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	for (iova = 0x101000; iova != 0x110000; iova += PAGE_SIZE) {
		KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x3000, 0x100000, 0x10000), 0);
		area_at(w, 0x100000)->compat = true;
		w->iopt.nr_compat++;
		KUNIT_ASSERT_EQ(test, iopt_cut(&w->iopt, iova, ULONG_MAX), 0);
		lower = area_at(w, iova - 1);
		upper = area_at(w, iova);
		KUNIT_ASSERT_PTR_NE(test, lower, upper);
		KUNIT_EXPECT_EQ(test, lower->node.last, iova - 1);
		KUNIT_EXPECT_EQ(test, upper->node.start, iova);
		KUNIT_EXPECT_EQ(test, upper->node.last, 0x10ffffUL);
		KUNIT_EXPECT_EQ(test, upper->prot, lower->prot);
		KUNIT_EXPECT_TRUE(test, upper->compat);
		KUNIT_EXPECT_PTR_EQ(test, upper->pages, lower->pages);
		/* Again: nothing to do.  In a hole: neither. */
		KUNIT_EXPECT_EQ(test, iopt_cut(&w->iopt, iova, ULONG_MAX), 0);
		KUNIT_EXPECT_EQ(test, iopt_cut(&w->iopt, 0x110000, ULONG_MAX), 0);
		KUNIT_EXPECT_EQ(test, iopt_cut(&w->iopt, iova + 512, ULONG_MAX), -EINVAL);
		kt_world_check(test, w);
		KUNIT_ASSERT_EQ(test, w->iopt.nr_areas, 2UL);
		KUNIT_ASSERT_EQ(test, w->iopt.nr_compat, 2UL);
		/* Each half alone. */
		KUNIT_ASSERT_EQ(test, iopt_unmap(&w->iopt, iova, ULONG_MAX,
						 IOPT_UNMAP_NATIVE, &unmapped), 0);
		KUNIT_EXPECT_EQ(test, unmapped, 0x110000 - iova);
		kt_world_check(test, w);
		KUNIT_ASSERT_EQ(test, iopt_unmap(&w->iopt, 0, iova - 1,
						 IOPT_UNMAP_NATIVE, &unmapped), 0);
		KUNIT_EXPECT_EQ(test, unmapped, iova - 0x100000);
		kt_world_check(test, w);
	}
	kt_world_destroy(w);
}

/* A copy over several mappings, from the middle of one to that of another. */
static void copy_parts(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_MIXED, small_pages);
	struct iopt_map_args args = { .iova = 0x800000, .length = 0x6000, .prot = IOMMU_READ };

	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x9000, 0x100000, 0x3000), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x2000, 0x103000, 0x3000), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x5000, 0x106000, 0x3000), 0);
	KUNIT_EXPECT_EQ(test, iopt_copy(&w->iopt, &w->iopt, 0x101000, &args), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.nr_areas, 6UL);
	KUNIT_EXPECT_PTR_EQ(test, area_at(w, 0x800000)->pages, area_at(w, 0x100000)->pages);
	KUNIT_EXPECT_EQ(test, area_at(w, 0x800000)->first_page, 1UL);
	KUNIT_EXPECT_EQ(test, area_at(w, 0x800000)->prot, IOMMU_READ);
	KUNIT_EXPECT_EQ(test, area_at(w, 0x802000)->node.last, 0x804fffUL);
	KUNIT_EXPECT_EQ(test, area_at(w, 0x805000)->node.last, 0x805fffUL);
	/* One pin serves both. */
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 9UL);
	kt_world_check(test, w);

	args.iova = 0x900000;
	args.length = 0x9000;
	KUNIT_EXPECT_EQ(test, iopt_copy(&w->iopt, &w->iopt, 0x101000, &args), -ENOENT);
	args.length = 0;
	KUNIT_EXPECT_EQ(test, iopt_copy(&w->iopt, &w->iopt, 0x101000, &args), -EINVAL);
	args.length = ULONG_MAX;
	KUNIT_EXPECT_EQ(test, iopt_copy(&w->iopt, &w->iopt, 0x101000, &args), -EOVERFLOW);
	args.length = 0x1000;
	args.prot |= IOMMU_WRITE;
	area_at(w, 0x106000)->pages->writable = false;
	KUNIT_EXPECT_EQ(test, iopt_copy(&w->iopt, &w->iopt, 0x106000, &args), -EPERM);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* ------------------------------------------------------------------ */
/* Each allocation, each look for a signal, each map_pages() fails once */

static int do_map(struct kt_world *w)
{
	return kt_world_map(w, SZ_512K + SZ_256K, SZ_2M, 25 * PAGE_SIZE);
}

static int do_copy(struct kt_world *w)
{
	struct iopt_map_args args = {
		.iova = SZ_4M,
		.length = 30 * PAGE_SIZE,
		.prot = IOMMU_READ,
	};

	return iopt_copy(&w->iopt, &w->iopt, SZ_64K + 5 * PAGE_SIZE, &args);
}

static int do_cut(struct kt_world *w)
{
	return iopt_cut(&w->iopt, SZ_64K + 3 * PAGE_SIZE, ULONG_MAX);
}

static int do_attach(struct kt_world *w)
{
	return kt_world_attach(w, 2);
}

static int do_pin_all(struct kt_world *w)
{
	struct iopt_area *pinned;
	int rc = iopt_pin_all(&w->iopt, &pinned);

	if (!rc)
		iopt_unpin_all(&w->iopt, pinned);
	else if (pinned)
		kt_fail_case("pinned, and failed");
	return rc;
}

static int do_access(struct kt_world *w)
{
	static struct page *list[70];
	int rc;

	rc = iopt_access_pin(&w->iopt, SZ_64K + PAGE_SIZE, 60 * PAGE_SIZE, list, true);
	if (!rc)
		iopt_access_unpin(&w->iopt, SZ_64K + PAGE_SIZE, 60 * PAGE_SIZE);
	return rc;
}

static int do_reserve(struct kt_world *w)
{
	int rc = iopt_add_domain(&w->iopt, &w->idomains[1]);

	if (!rc)
		iopt_remove_domain(&w->iopt, &w->idomains[1]);
	return rc;
}

enum sweep { SWEEP_ALLOC, SWEEP_KILL, SWEEP_MAP };

static void sweep_start(struct kt_world *w, enum sweep kind, unsigned int n,
			unsigned int dom, enum kt_map_fault fault)
{
	if (kind == SWEEP_ALLOC)
		kt_fail_alloc(n);
	else if (kind == SWEEP_KILL)
		kt_kill(n);
	else
		kt_domain_fail(&w->doms[dom], n, fault);
}

static bool sweep_stop(struct kt_world *w, enum sweep kind, unsigned int dom)
{
	bool hit = kind == SWEEP_ALLOC ? kt_alloc_failed() :
		   kind == SWEEP_KILL ? kt_was_killed() : w->doms[dom].failed;

	kt_fail_alloc(0);
	kt_kill(0);
	kt_domain_fail(&w->doms[dom], 0, 0);
	return hit;
}

/*
 * A world with two mappings next to each other and @attached domains; then
 * @action with the n-th thing failing, for all n.  Returns the highest n.
 */
static unsigned int sweep(struct kunit *test, int (*action)(struct kt_world *),
			  unsigned int attached, enum sweep kind,
			  unsigned int dom, enum kt_map_fault fault)
{
	unsigned long areas, bytes;
	struct kt_world *w;
	unsigned int n, i;
	bool hit = true;
	int rc;

	for (n = 1; hit; n++) {
		w = kt_world_create(test, 300, KT_SCATTERED, small_pages);
		KUNIT_ASSERT_EQ(test, iopt_disable_large_pages(&w->iopt), 0);
		kt_domain_set_aperture(&w->doms[1], PAGE_SIZE, SZ_1G - 1);
		for (i = 0; i != attached; i++)
			KUNIT_ASSERT_EQ(test, kt_world_attach(w, i), 0);
		KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, SZ_64K, 30 * PAGE_SIZE), 0);
		KUNIT_ASSERT_EQ(test, kt_world_map(w, SZ_512K, SZ_64K + 30 * PAGE_SIZE,
						   40 * PAGE_SIZE), 0);
		areas = w->iopt.nr_areas;
		bytes = w->iopt.mapped_bytes;

		sweep_start(w, kind, n, dom, fault);
		rc = action(w);
		hit = sweep_stop(w, kind, dom);
		/* A small batch does where the large one finds no memory. */
		if (rc)
			KUNIT_ASSERT_EQ(test, rc, kind == SWEEP_KILL ? -EINTR : -ENOMEM);
		if (!hit || kind != SWEEP_ALLOC)
			KUNIT_ASSERT_EQ(test, !rc, !hit);
		if (rc) {
			KUNIT_ASSERT_EQ(test, w->iopt.nr_areas, areas);
			KUNIT_ASSERT_EQ(test, w->iopt.mapped_bytes, bytes);
			KUNIT_ASSERT_EQ(test, w->nattached, attached);
			down_read(&w->iopt.iova_rwsem);
			KUNIT_ASSERT_TRUE(test, attached > 1 ||
					  !iopt_iova_reserved(&w->iopt, 0, ULONG_MAX));
			up_read(&w->iopt.iova_rwsem);
		}
		kt_world_check(test, w);
		kt_world_destroy(w);
		cond_resched();
	}
	return n - 2;
}

static void sweep_allocations(struct kunit *test)
{
	unsigned int domains;

	kt_seed(test);
	for (domains = 0; domains != 3; domains++) {
			/* Pages, area and extent in one; with a domain a batch and runs. */
		KUNIT_EXPECT_GE(test, sweep(test, do_map, domains, SWEEP_ALLOC, 0, 0),
				domains ? 3U : 1U);
		KUNIT_EXPECT_GE(test, sweep(test, do_copy, domains, SWEEP_ALLOC, 0, 0),
				domains ? 4U : 2U);
		/* The area; with a domain an extent and its runs. */
		KUNIT_EXPECT_GE(test, sweep(test, do_cut, domains, SWEEP_ALLOC, 0, 0),
				domains ? 3U : 1U);
		KUNIT_EXPECT_GE(test, sweep(test, do_access, domains, SWEEP_ALLOC, 0, 0), 3U);
	}
	KUNIT_EXPECT_GE(test, sweep(test, do_attach, 0, SWEEP_ALLOC, 0, 0), 4U);
	KUNIT_EXPECT_GE(test, sweep(test, do_reserve, 0, SWEEP_ALLOC, 0, 0), 6U);
	KUNIT_EXPECT_GE(test, sweep(test, do_reserve, 1, SWEEP_ALLOC, 0, 0), 2U);
	KUNIT_EXPECT_GE(test, sweep(test, do_pin_all, 0, SWEEP_ALLOC, 0, 0), 6U);
}

static void sweep_signals(struct kunit *test)
{
	kt_seed(test);
	KUNIT_EXPECT_GE(test, sweep(test, do_map, 2, SWEEP_KILL, 0, 0), 50U);
	KUNIT_EXPECT_GE(test, sweep(test, do_copy, 2, SWEEP_KILL, 0, 0), 60U);
	KUNIT_EXPECT_GE(test, sweep(test, do_attach, 1, SWEEP_KILL, 0, 0), 70U);
	KUNIT_EXPECT_GE(test, sweep(test, do_attach, 0, SWEEP_KILL, 0, 0), 72U);
	KUNIT_EXPECT_GE(test, sweep(test, do_pin_all, 0, SWEEP_KILL, 0, 0), 4U);
	KUNIT_EXPECT_GE(test, sweep(test, do_access, 0, SWEEP_KILL, 0, 0), 2U);
}

static void sweep_maps(struct kunit *test)
{
	unsigned int dom;

	kt_seed(test);
	for (dom = 0; dom != 2; dom++) {
		KUNIT_EXPECT_EQ(test, sweep(test, do_map, 2, SWEEP_MAP, dom, KT_FAULT_SILENT),
				25U);
		KUNIT_EXPECT_EQ(test, sweep(test, do_copy, 2, SWEEP_MAP, dom, KT_FAULT_HONEST),
				30U);
	}
	KUNIT_EXPECT_EQ(test, sweep(test, do_attach, 1, SWEEP_MAP, 2, KT_FAULT_SILENT), 70U);
	KUNIT_EXPECT_EQ(test, sweep(test, do_attach, 0, SWEEP_MAP, 2, KT_FAULT_HONEST), 70U);
}

/* ------------------------------------------------------------------ */
/* Page tables that grow: fake_domain.c fails what does not have them grow before */

/* Only the first map above a level has it grow, once, and nothing is left of that. */
static void map_grows(struct kunit *test)
{
	static const struct {
		unsigned long iova, reach, grows;
	} steps[] = {
		{ BIT(30), BIT(39) - 1, 0 },
		{ BIT(39) - PAGE_SIZE, BIT(39) - 1, 0 },
		{ BIT(39), BIT(48) - 1, 1 },
		{ BIT(39) + SZ_1M, BIT(48) - 1, 1 },
		{ BIT(48) - SZ_1M, BIT(48) - 1, 1 },
		{ ULONG_MAX - SZ_1M + 1, ULONG_MAX, 2 },
		{ BIT(48), ULONG_MAX, 2 },
		{ ULONG_MAX - PAGE_SIZE + 1, ULONG_MAX, 2 },
	};
	/* IO pages smaller than CPU pages, too */
	static const unsigned long pgsizes[KT_DOMAINS] = {
		SZ_4K, SZ_2K | SZ_2M, SZ_4K,
	};
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, pgsizes);
	unsigned int i, d;

	KUNIT_EXPECT_EQ(test, w->iopt.reach, ULONG_MAX);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 1), 0);
	for (i = 0; i != ARRAY_SIZE(steps); i++) {
		KUNIT_ASSERT_EQ(test, kt_world_map(w, i * PAGE_SIZE, steps[i].iova,
						   PAGE_SIZE), 0);
		KUNIT_EXPECT_EQ_MSG(test, w->iopt.reach, steps[i].reach, "step %u", i);
		for (d = 0; d != 2; d++)
			KUNIT_EXPECT_EQ_MSG(test, w->doms[d].nr_grows, steps[i].grows,
					    "step %u", i);
		kt_world_check(test, w);
	}
	kt_world_destroy(w);
}

/* A range that begins below the end of a level, and one at an IOVA of our choice */
static void map_grows_across(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_CONTIGUOUS, large_pages);
	struct iopt_map_args args = {
		.alloc_iova = true,
		.length = SZ_16K,
		.prot = IOMMU_READ,
	};
	unsigned long unmapped;

	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, BIT(39) - SZ_8K, SZ_16K), 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].nr_grows, 1UL);
	kt_world_check(test, w);

	/* All that is free lies above what the second domain has levels for. */
	KUNIT_ASSERT_EQ(test, iopt_unmap(&w->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE,
					 &unmapped), 0);
	kt_domain_set_aperture(&w->doms[1], BIT(39), BIT(57) - 1);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 1), 0);
	KUNIT_EXPECT_EQ(test, w->doms[1].nr_grows, 0UL);
	KUNIT_ASSERT_EQ(test, iopt_map_user_pages(&w->iopt, w->owner, IOMMUFD_ACCOUNT_MM,
						  KT_UVA, &args), 0);
	KUNIT_EXPECT_GE(test, args.iova, BIT(39));
	KUNIT_EXPECT_EQ(test, w->doms[0].nr_grows, 1UL);
	KUNIT_EXPECT_EQ(test, w->doms[1].nr_grows, 1UL);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* Each domain in turn has no memory for one more level. */
static void map_grow_fails(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	unsigned int d;

	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, SZ_1G, SZ_16K), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 1), 0);
	for (d = 0; d != 2; d++) {
		kt_domain_fail(&w->doms[d], 1, KT_FAULT_SILENT);
		KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, BIT(48), SZ_16K), -ENOMEM);
		KUNIT_EXPECT_TRUE(test, w->doms[d].failed);
		KUNIT_EXPECT_EQ(test, w->iopt.nr_areas, 1UL);
		KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(39) - 1);
		kt_world_check(test, w);
	}
	/* The first one has grown already. */
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, BIT(48), SZ_16K), 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].nr_grows, 1UL);
	KUNIT_EXPECT_EQ(test, w->doms[1].nr_grows, 1UL);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(57) - 1);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* A page of zeroes that stays is an error, and leads nowhere else. */
static void map_grow_deaf(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);

	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	w->doms[0].deaf = true;
	kt_expect_warnings(true);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, BIT(39), SZ_16K), -EIO);
	kt_expect_warnings(false);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 1U);
	KUNIT_EXPECT_EQ(test, w->iopt.nr_areas, 0UL);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(39) - 1);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	w->doms[0].deaf = false;
	kt_domain_clear(&w->doms[0]);
	kt_world_destroy(w);
}

/* A domain that comes has all levels that it needs; one that goes takes its reach along. */
static void attach_grows(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	unsigned long unmapped;

	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, SZ_1G, SZ_16K), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, SZ_16K, BIT(39), SZ_16K), 0);
	kt_domain_fail(&w->doms[0], 1, KT_FAULT_HONEST);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, ULONG_MAX);
	kt_world_check(test, w);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].nr_grows, 1UL);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(48) - 1);
	kt_world_check(test, w);

	KUNIT_ASSERT_EQ(test, iopt_unmap(&w->iopt, BIT(39), ULONG_MAX, IOPT_UNMAP_NATIVE,
					 &unmapped), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 1), 0);
	KUNIT_EXPECT_EQ(test, w->doms[1].nr_grows, 0UL);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(39) - 1);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, SZ_16K, BIT(39), SZ_16K), 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].nr_grows, 1UL);
	KUNIT_EXPECT_EQ(test, w->doms[1].nr_grows, 1UL);
	kt_world_check(test, w);

	KUNIT_ASSERT_EQ(test, iopt_unmap(&w->iopt, BIT(39), ULONG_MAX, IOPT_UNMAP_NATIVE,
					 &unmapped), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 2), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(39) - 1);
	kt_world_detach(w, 2);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(48) - 1);
	kt_world_detach(w, 0);
	kt_world_detach(w, 1);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, ULONG_MAX);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* An aperture that comes before the lock is there again: nothing is mapped outside. */
static void grow_outside(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);

	kt_domain_set_aperture(&w->doms[0], 0, BIT(39) - 1);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 1), 0);
	KUNIT_EXPECT_EQ(test, iopt_grow(&w->iopt, BIT(39)), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.reach, BIT(39) - 1);
	KUNIT_EXPECT_EQ(test, w->doms[0].nr_grows + w->doms[1].nr_grows, 0UL);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, BIT(39), SZ_16K), -EINVAL);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* ------------------------------------------------------------------ */
/* What is refused, and what goes wrong */

static void map_refuses(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct iopt_map_args args = { .prot = IOMMU_READ };

	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0x1000, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, ULONG_MAX, 2), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, ULONG_MAX, 1), 0);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, ULONG_MAX, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 0), -EADDRINUSE);

	/* User addresses that no process has, up to the end. */
	args.length = PAGE_SIZE;
	args.iova = SZ_1M;
	KUNIT_EXPECT_EQ(test, iopt_map_user_pages(&w->iopt, w->owner, IOMMUFD_ACCOUNT_NONE,
						  ULONG_MAX - PAGE_SIZE + 2, &args), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, iopt_map_user_pages(&w->iopt, w->owner, IOMMUFD_ACCOUNT_NONE,
						  ULONG_MAX - PAGE_SIZE + 1, &args), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, iopt_map_user_pages(&w->iopt, w->owner, IOMMUFD_ACCOUNT_NONE,
						  ULONG_MAX - 2 * PAGE_SIZE + 1, &args), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.nr_areas, 3UL);
	kt_world_destroy(w);
}

static void domain_refuses(struct kunit *test)
{
	static const unsigned long pgsizes[KT_DOMAINS] = { SZ_8K | SZ_2M, SZ_4K, SZ_2K };
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, pgsizes);
	unsigned long unmapped;

	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, 1UL);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x800, 0x100800, 0x800), 0);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 1), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, iopt_disable_large_pages(&w->iopt), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, 1UL);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 2), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, 0x800UL);
	KUNIT_EXPECT_EQ(test, iopt_disable_large_pages(&w->iopt), -EINVAL);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0x200400, 0x800), -EINVAL);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0x400, 0x200000, 0x800), -EINVAL);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0x200000, 0x400), -EINVAL);
	kt_world_check(test, w);

	KUNIT_ASSERT_EQ(test, iopt_unmap(&w->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE, &unmapped), 0);
	/* An aperture that a mapping is outside of. */
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x100000, 0x1000), 0);
	kt_domain_set_aperture(&w->doms[1], 0x101000, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 1), -EADDRINUSE);
	kt_domain_set_aperture(&w->doms[1], 0, 0x100ffe);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 1), -EADDRINUSE);
	kt_domain_set_aperture(&w->doms[1], 0x100000, 0x100fff + SZ_1G);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 1), 0);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0x101000 + SZ_1G, 0x1000), -EINVAL);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0xff000, 0x1000), -EINVAL);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0x100000 + SZ_1G, 0x1000), 0);
	kt_world_check(test, w);
	kt_world_detach(w, 1);
	KUNIT_EXPECT_EQ(test, kt_world_map(w, 0, 0xff000, 0x1000), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, 0x800UL);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* A driver that does not unmap: the pages stay pinned, and it is said. */
static void unmap_deaf(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct iopt_pages *pages;
	unsigned long unmapped;

	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x10000, 0x4000), 0);
	pages = area_at(w, 0x10000)->pages;
	iopt_pages_get(pages);
	w->doms[0].deaf = true;
	kt_expect_warnings(true);
	KUNIT_EXPECT_EQ(test, iopt_unmap(&w->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE, &unmapped), 0);
	kt_expect_warnings(false);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 1U);
	KUNIT_EXPECT_TRUE(test, pages->leak);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 4UL);
	KUNIT_EXPECT_EQ(test, w->iopt.nr_areas, 0UL);

	/* What only a test can do: clear the domain, then undo the leak. */
	w->doms[0].deaf = false;
	kt_domain_clear(&w->doms[0]);
	pages->leak = false;
	mutex_lock(&pages->mutex);
	pfn_extent_find(&pages->extents, 0)->users = 1;
	iopt_pages_uncharge(pages, iopt_pages_unpin(pages, 0, 3));
	mutex_unlock(&pages->mutex);
	iopt_pages_put(pages);
	kt_world_destroy(w);
}

/* Charges of different kinds in one unmap are given back as they were made. */
static void unmap_uncharges(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct iommufd_owner *other = kt_mem_owner(w->mem);
	struct iopt_map_args args = { .length = 0x3000, .prot = IOMMU_READ };
	unsigned int i;
	unsigned long unmapped;

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	for (i = 0; i != 9; i++) {
		args.iova = 0x10000 + i * 0x3000;
		KUNIT_ASSERT_EQ(test, iopt_map_user_pages(&w->iopt, i % 2 ? other : w->owner,
							  i % 3 ? IOMMUFD_ACCOUNT_NONE :
							  IOMMUFD_ACCOUNT_MM,
							  KT_UVA + i * 0x3000, &args), 0);
	}
	KUNIT_EXPECT_EQ(test, w->mem->mm->locked_vm, 9UL);
	KUNIT_EXPECT_EQ(test, (long)atomic64_read(&w->mem->mm->pinned_vm), 27L);
	KUNIT_EXPECT_EQ(test, iopt_unmap(&w->iopt, 0x13000, 0x1bfff, IOPT_UNMAP_NATIVE,
					 &unmapped), 0);
	KUNIT_EXPECT_EQ(test, w->mem->mm->locked_vm, 9UL - 3);
	KUNIT_EXPECT_EQ(test, (long)atomic64_read(&w->mem->mm->pinned_vm), 27L - 9);
	iommufd_owner_put(other);
	kt_world_destroy(w);
}

/* The limit of locked memory is reached in the middle of things. */
static void map_over_limit(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct iopt_pages *pages;

	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x10000, 0x5000), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x5000, 0x20000, 0x5000), 0);
	pages = area_at(w, 0x10000)->pages;
	pages->unlimited = false;
	area_at(w, 0x20000)->pages->unlimited = false;
	kt_mem_set_limit(w->mem, 9);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 0), -ENOMEM);
	kt_world_check(test, w);
	kt_mem_set_limit(w->mem, 10);
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 0), 0);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* ------------------------------------------------------------------ */
/* Other threads */

struct unmapper {
	struct kt_world *w;
	unsigned long unmapped;
	int rc;
	struct completion done;
};

static int unmapper_thread(void *data)
{
	struct unmapper *u = data;

	u->rc = iopt_unmap(&u->w->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE, &u->unmapped);
	complete(&u->done);
	return 0;
}

static void wait_for_waiter(struct kt_world *w)
{
	bool waiting;

	do {
		cond_resched();
		down_read(&w->iopt.iova_rwsem);
		waiting = w->iopt.nr_waiters;
		up_read(&w->iopt.iova_rwsem);
	} while (!waiting);
}

/* An unmap waits for a map that is not finished, in whichever order. */
static void unmap_waits(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct unmapper u = { .w = w };
	struct iopt_area *area;
	struct task_struct *task;
	struct page *page;

	KUNIT_ASSERT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x10000, 0x2000), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x20000, 0x2000), 0);
	area = area_at(w, 0x20000);
	chain_set_state(&w->iopt, area, IOPT_AREA_PENDING);

	init_completion(&u.done);
	task = kthread_run(unmapper_thread, &u, "kt_unmapper");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_waiter(w);
	/* Nothing has happened to the one that is LIVE. */
	KUNIT_EXPECT_EQ(test, (int)area_at(w, 0x10000)->state, (int)IOPT_AREA_LIVE);
	KUNIT_EXPECT_EQ(test, w->doms[0].mapped, 0x4000UL);
	/* Nobody else sees what is not LIVE. */
	KUNIT_EXPECT_EQ(test, iopt_access_pin(&w->iopt, 0x20000, 0x1000, &page, false), -ENOENT);

	chain_set_state(&w->iopt, area, IOPT_AREA_LIVE);
	wait_for_completion(&u.done);
	KUNIT_EXPECT_EQ(test, u.rc, 0);
	KUNIT_EXPECT_EQ(test, u.unmapped, 0x4000UL);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

static int mapper_thread(void *data)
{
	struct unmapper *u = data;

	u->rc = kt_world_map(u->w, 0, 0x30000, 0x1000);
	complete(&u->done);
	return 0;
}

/* After iopt_pin_all() no map begins, but a domain has nothing left to pin. */
static void map_waits_frozen(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct unmapper u = { .w = w };
	struct task_struct *task;
	struct iopt_area *pinned;
	unsigned long calls;

	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x4000, 0x10000, 0x2000), 0);
	KUNIT_ASSERT_EQ(test, iopt_pin_all(&w->iopt, &pinned), 0);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 2UL);

	init_completion(&u.done);
	task = kthread_run(mapper_thread, &u, "kt_mapper");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_waiter(w);
	KUNIT_EXPECT_EQ(test, w->iopt.nr_areas, 1UL);

	/* The one that waits holds nothing that this needs. */
	calls = w->mem->gup_calls;
	KUNIT_EXPECT_EQ(test, kt_world_attach(w, 0), 0);
	KUNIT_EXPECT_EQ(test, w->mem->gup_calls, calls);
	KUNIT_EXPECT_EQ(test, w->iopt.nr_areas, 1UL);
	iopt_unpin_all(&w->iopt, pinned);
	wait_for_completion(&u.done);
	KUNIT_EXPECT_EQ(test, u.rc, 0);
	KUNIT_EXPECT_EQ(test, w->doms[0].mapped, 0x3000UL);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

static struct kunit_case io_pagetable_cases[] = {
	KUNIT_CASE(area_arithmetic),
	KUNIT_CASE(unmap_in_chunks),
	KUNIT_CASE(unmap_adjacent),
	KUNIT_CASE(unmap_policies),
	KUNIT_CASE(cut_everywhere),
	KUNIT_CASE(copy_parts),
	KUNIT_CASE(sweep_allocations),
	KUNIT_CASE(sweep_signals),
	KUNIT_CASE(sweep_maps),
	KUNIT_CASE(map_grows),
	KUNIT_CASE(map_grows_across),
	KUNIT_CASE(map_grow_fails),
	KUNIT_CASE(map_grow_deaf),
	KUNIT_CASE(attach_grows),
	KUNIT_CASE(grow_outside),
	KUNIT_CASE(map_refuses),
	KUNIT_CASE(domain_refuses),
	KUNIT_CASE(unmap_deaf),
	KUNIT_CASE(unmap_uncharges),
	KUNIT_CASE(map_over_limit),
	KUNIT_CASE(unmap_waits),
	KUNIT_CASE(map_waits_frozen),
	{}
};

struct kunit_suite kt_io_pagetable_suite = {
	.name = "iommufd_io_pagetable",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = io_pagetable_cases,
};
