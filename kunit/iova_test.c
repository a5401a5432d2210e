// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free IOVAs against a brute-force search.
 *
 * All of the space is reserved but a window of 32 pages: at either end of what
 * may be given out, across the middle, and where the space itself ends.
 */
#include <linux/log2.h>
#include <linux/pgtable.h>

#include "io_pagetable.h"
#include "unit.h"

#include "../iommufd/iova.c"

#define UNIT 512UL
#define WINDOW_PAGES 32UL
#define UNITS (WINDOW_PAGES * PAGE_SIZE / UNIT)
#define MAX_AREAS 24

struct iova_world {
	struct io_pagetable iopt;
	unsigned long base;
	/* Which units of the window areas, reservations and promises cover. */
	bool used[UNITS];
	bool reserved[UNITS];
	bool allowed[UNITS];
	bool any_allowed;
	struct iopt_area areas[MAX_AREAS];
	bool present[MAX_AREAS];
};

static void reserve(struct kunit *test, struct iova_world *w,
		    unsigned long first, unsigned long last, void *owner)
{
	int rc;

	down_write(&w->iopt.iova_rwsem);
	rc = iopt_reserve_iova(&w->iopt, first, last, owner);
	up_write(&w->iopt.iova_rwsem);
	KUNIT_ASSERT_EQ(test, rc, 0);
}

static struct iova_world *create_world(struct kunit *test, unsigned long base)
{
	unsigned long last = base + UNITS * UNIT - 1;
	struct iova_world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	iopt_init_table(&w->iopt);
	w->base = base;
	if (base)
		reserve(test, w, 0, base - 1, NULL);
	if (last != ULONG_MAX)
		reserve(test, w, last + 1, ULONG_MAX, NULL);
	return w;
}

static void destroy_world(struct iova_world *w)
{
	struct interval_tree_node *node;

	while ((node = interval_tree_iter_first(&w->iopt.areas, 0, ULONG_MAX)))
		interval_tree_remove(node, &w->iopt.areas);
	down_write(&w->iopt.iova_rwsem);
	iopt_unreserve_iova(&w->iopt, NULL);
	iopt_unreserve_iova(&w->iopt, w);
	up_write(&w->iopt.iova_rwsem);
	iopt_destroy_table(&w->iopt);
}

static void mark(bool *units, unsigned int first, unsigned int count, bool value)
{
	memset(units + first, value, count);
}

static bool is_clear(const bool *units, unsigned int first, unsigned int count)
{
	return !memchr(units + first, true, count);
}

static void add_area(struct iova_world *w, unsigned long iova,
		     unsigned long length)
{
	unsigned int i = 0;

	while (w->present[i])
		i++;
	w->present[i] = true;
	w->areas[i].node.start = iova;
	w->areas[i].node.last = iova + length - 1;
	interval_tree_insert(&w->areas[i].node, &w->iopt.areas);
	mark(w->used, (iova - w->base) / UNIT, length / UNIT, true);
}

/* As area_remove() of io_pagetable.c does. */
static void remove_area(struct iova_world *w, unsigned int i)
{
	struct interval_tree_node *node = &w->areas[i].node;

	interval_tree_remove(node, &w->iopt.areas);
	w->iopt.freed = min(w->iopt.freed, node->start);
	mark(w->used, (node->start - w->base) / UNIT,
	     (node->last - node->start + 1) / UNIT, false);
	w->present[i] = false;
}

/* What is allowed must lie in one piece: touching promises make one. */
static bool fits(const struct iova_world *w, unsigned long unit,
		 unsigned long count)
{
	unsigned long i;

	if (!is_clear(w->used, unit, count) || !is_clear(w->reserved, unit, count))
		return false;
	for (i = unit; w->any_allowed && i != unit + count; i++)
		if (!w->allowed[i])
			return false;
	return true;
}

/* The lowest place for @length bytes @offset above a multiple of @align. */
static bool brute_force(const struct iova_world *w, unsigned long length,
			unsigned long align, unsigned long offset,
			unsigned long *iova)
{
	unsigned long unit, pos, count = length / UNIT;

	for (unit = 0; unit + count <= UNITS; unit++) {
		pos = w->base + unit * UNIT;
		if ((pos - offset) & (align - 1))
			continue;
		/* The first page and the last one are never given out. */
		if (pos < PAGE_SIZE || pos + (length - 1) > ULONG_MAX - PAGE_SIZE)
			continue;
		if (fits(w, unit, count)) {
			*iova = pos;
			return true;
		}
	}
	return false;
}

/* A request whose alignment the memory's address decides. */
static unsigned long random_uva(unsigned long length, unsigned long offset,
				unsigned long *align)
{
	unsigned int order = PAGE_SHIFT + kt_random(12);
	unsigned long uva = BIT(40) | BIT(order) | (kt_random64() % 64) << (order + 1);

	*align = min3(BIT(order), PMD_SIZE, roundup_pow_of_two(length));
	*align = max(*align, PAGE_SIZE);
	return uva + offset;
}

static void set_allowed(struct kunit *test, struct iova_world *w)
{
	struct rb_root_cached tree = RB_ROOT_CACHED;
	unsigned int n = kt_random(4), first, count;
	struct iopt_allowed *allowed;

	mark(w->allowed, 0, UNITS, false);
	w->any_allowed = false;
	while (n--) {
		first = kt_random(UNITS);
		count = 1 + kt_random(UNITS - first);
		if (!is_clear(w->reserved, first, count))
			continue;
		allowed = kzalloc(sizeof(*allowed), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, allowed);
		allowed->node.start = w->base + first * UNIT;
		allowed->node.last = allowed->node.start + count * UNIT - 1;
		interval_tree_insert(&allowed->node, &tree);
		mark(w->allowed, first, count, true);
		w->any_allowed = true;
	}
	KUNIT_ASSERT_EQ(test, iopt_set_allowed(&w->iopt, &tree), 0);
	iopt_free_allowed(&tree);
}

static void reserve_some(struct kunit *test, struct iova_world *w)
{
	unsigned int first = kt_random(UNITS);
	unsigned int count = 1 + kt_random(min(UNITS - first, 40UL));
	bool free = is_clear(w->used, first, count) &&
		    is_clear(w->allowed, first, count);
	unsigned long iova = w->base + first * UNIT;
	int rc;

	down_write(&w->iopt.iova_rwsem);
	rc = iopt_reserve_iova(&w->iopt, iova, iova + count * UNIT - 1, w);
	up_write(&w->iopt.iova_rwsem);
	KUNIT_ASSERT_EQ(test, rc, free ? 0 : -EADDRINUSE);
	if (free)
		mark(w->reserved, first, count, true);
}

static void unreserve_all(struct iova_world *w)
{
	down_write(&w->iopt.iova_rwsem);
	iopt_unreserve_iova(&w->iopt, w);
	up_write(&w->iopt.iova_rwsem);
	mark(w->reserved, 0, UNITS, false);
}

/* @lowest: with one offset for all, the lowest place is promised. */
static void alloc_some(struct kunit *test, struct iova_world *w, bool lowest)
{
	unsigned long length, offset, align, uva, want = 0, iova = 0;
	bool exists;
	int rc;

	offset = lowest || kt_chance(2) ? 0 : UNIT * kt_random(PAGE_SIZE / UNIT);
	length = UNIT * (1 + kt_random(kt_chance(2) ? 8 : 60));
	uva = random_uva(length, offset, &align);
	exists = brute_force(w, length, align, offset, &want);

	down_write(&w->iopt.iova_rwsem);
	rc = iopt_alloc_iova(&w->iopt, uva, length, &iova);
	up_write(&w->iopt.iova_rwsem);
	KUNIT_ASSERT_EQ(test, rc, exists ? 0 : -ENOSPC);
	if (rc)
		return;
	if (lowest)
		KUNIT_ASSERT_EQ(test, iova, want);
	KUNIT_ASSERT_EQ(test, iova % PAGE_SIZE, offset);
	KUNIT_ASSERT_EQ(test, (iova - offset) & (align - 1), 0UL);
	KUNIT_ASSERT_GE(test, iova, max(w->base, PAGE_SIZE));
	KUNIT_ASSERT_LE(test, iova + (length - 1), ULONG_MAX - PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, fits(w, (iova - w->base) / UNIT, length / UNIT));
	if (memchr(w->present, false, MAX_AREAS))
		add_area(w, iova, length);
}

static void alloc_random(struct kunit *test, unsigned long base, bool lowest)
{
	struct iova_world *w = create_world(test, base);
	unsigned int round, i;

	for (round = 0; round != 400 * kt_rounds; round++) {
		switch (kt_random(12)) {
		case 0:
			set_allowed(test, w);
			break;
		case 1:
			reserve_some(test, w);
			break;
		case 2:
			unreserve_all(w);
			break;
		case 3:
		case 4:
		case 5:
		case 6:
			i = kt_random(MAX_AREAS);
			if (w->present[i])
				remove_area(w, i);
			break;
		default:
			alloc_some(test, w, lowest);
		}
		cond_resched();
	}
	destroy_world(w);
}

static void alloc_low_end(struct kunit *test)
{
	kt_seed(test);
	alloc_random(test, 0, true);
	alloc_random(test, 0, false);
}

static void alloc_middle(struct kunit *test)
{
	kt_seed(test);
	alloc_random(test, BIT(63) - WINDOW_PAGES / 2 * PAGE_SIZE, true);
	alloc_random(test, BIT(40) - 3 * PAGE_SIZE, false);
}

static void alloc_high_end(struct kunit *test)
{
	kt_seed(test);
	alloc_random(test, -WINDOW_PAGES * PAGE_SIZE, true);
	alloc_random(test, -WINDOW_PAGES * PAGE_SIZE, false);
}

static void alloc_extremes(struct kunit *test)
{
	struct io_pagetable *iopt = kunit_kzalloc(test, sizeof(*iopt), GFP_KERNEL);
	unsigned long iova;

	KUNIT_ASSERT_NOT_NULL(test, iopt);
	iopt_init_table(iopt);
	down_write(&iopt->iova_rwsem);
	KUNIT_EXPECT_EQ(test, iopt_alloc_iova(iopt, 0, ULONG_MAX / 2, &iova), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, iopt_alloc_iova(iopt, 0, ULONG_MAX, &iova), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, iopt_alloc_iova(iopt, 0, ULONG_MAX / 2 - 1, &iova), 0);
	KUNIT_EXPECT_EQ(test, iova, PMD_SIZE);
	KUNIT_EXPECT_EQ(test, iopt_alloc_iova(iopt, 0, 1, &iova), 0);
	KUNIT_EXPECT_EQ(test, iova, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, iopt_alloc_iova(iopt, 7, 1, &iova), 0);
	KUNIT_EXPECT_EQ(test, iova, PAGE_SIZE + 7);
	up_write(&iopt->iova_rwsem);
	iopt_destroy_table(iopt);
}

/* place() near both ends, where a sum could leave the space. */
static void place_all(struct kunit *test)
{
	static const unsigned long bases[] = { 0, BIT(63) - 8, -16UL };
	unsigned long first, last, length, align, offset, iova, want;
	unsigned int b;
	bool exists;

	for (b = 0; b != ARRAY_SIZE(bases); b++)
	for (first = 0; first != 16; first++)
	for (last = first; last != 16; last++)
	for (length = 1; length != 18; length++)
	for (align = 1; align != 32; align *= 2)
	for (offset = 0; offset != align; offset++) {
		exists = false;
		for (want = first; want + length - 1 <= last; want++) {
			exists = !((bases[b] + want - offset) & (align - 1));
			if (exists)
				break;
		}
		KUNIT_ASSERT_EQ(test, place(bases[b] + first, bases[b] + last, length,
					    align, offset, &iova), exists);
		if (exists)
			KUNIT_ASSERT_EQ(test, iova, bases[b] + want);
	}
}

static void reserve_promised(struct kunit *test)
{
	struct io_pagetable *iopt = kunit_kzalloc(test, sizeof(*iopt), GFP_KERNEL);
	struct rb_root_cached tree = RB_ROOT_CACHED;
	struct iopt_allowed *allowed = kzalloc(sizeof(*allowed), GFP_KERNEL);
	int a, b;

	KUNIT_ASSERT_NOT_NULL(test, iopt);
	KUNIT_ASSERT_NOT_NULL(test, allowed);
	iopt_init_table(iopt);
	allowed->node.start = 100;
	allowed->node.last = 199;
	interval_tree_insert(&allowed->node, &tree);

	down_write(&iopt->iova_rwsem);
	KUNIT_EXPECT_EQ(test, iopt_reserve_iova(iopt, 199, 300, &a), 0);
	KUNIT_EXPECT_TRUE(test, iopt_iova_reserved(iopt, 300, 400));
	KUNIT_EXPECT_TRUE(test, iopt_iova_reserved(iopt, 0, 199));
	KUNIT_EXPECT_FALSE(test, iopt_iova_reserved(iopt, 0, 198));
	KUNIT_EXPECT_FALSE(test, iopt_iova_reserved(iopt, 301, ULONG_MAX));
	up_write(&iopt->iova_rwsem);
	KUNIT_EXPECT_EQ(test, iopt_set_allowed(iopt, &tree), -EADDRINUSE);
	KUNIT_EXPECT_FALSE(test, RB_EMPTY_ROOT(&tree.rb_root));

	down_write(&iopt->iova_rwsem);
	iopt_unreserve_iova(iopt, &b);
	KUNIT_EXPECT_TRUE(test, iopt_iova_reserved(iopt, 300, 400));
	iopt_unreserve_iova(iopt, &a);
	KUNIT_EXPECT_FALSE(test, iopt_iova_reserved(iopt, 0, ULONG_MAX));
	up_write(&iopt->iova_rwsem);

	KUNIT_EXPECT_EQ(test, iopt_set_allowed(iopt, &tree), 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&tree.rb_root));
	down_write(&iopt->iova_rwsem);
	KUNIT_EXPECT_EQ(test, iopt_reserve_iova(iopt, 199, 199, &a), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, iopt_reserve_iova(iopt, 0, 100, &a), -EADDRINUSE);
	kt_fail_alloc(1);
	KUNIT_EXPECT_EQ(test, iopt_reserve_iova(iopt, 200, 200, &a), -ENOMEM);
	kt_fail_alloc(0);
	KUNIT_EXPECT_EQ(test, iopt_reserve_iova(iopt, 200, ULONG_MAX, &a), 0);
	KUNIT_EXPECT_EQ(test, iopt_reserve_iova(iopt, 0, 99, &b), 0);
	iopt_unreserve_iova(iopt, &a);
	iopt_unreserve_iova(iopt, &b);
	up_write(&iopt->iova_rwsem);
	iopt_destroy_table(iopt);
}

static struct kunit_case iova_cases[] = {
	KUNIT_CASE(alloc_low_end),
	KUNIT_CASE(alloc_middle),
	KUNIT_CASE(alloc_high_end),
	KUNIT_CASE(alloc_extremes),
	KUNIT_CASE(place_all),
	KUNIT_CASE(reserve_promised),
	{}
};

struct kunit_suite kt_iova_suite = {
	.name = "iommufd_iova",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = iova_cases,
};
