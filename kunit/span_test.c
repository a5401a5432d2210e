// SPDX-License-Identifier: GPL-2.0-only
/*
 * The span iterator against a bitmap: spaces of 64 values at both ends and in
 * the middle of what an unsigned long can say.
 */
#include "unit.h"

#include "../compat/interval_tree_span.c"

#define SPACE 64
#define MAX_INTERVALS 8

static void check_walk(struct kunit *test, struct rb_root_cached *tree,
		       unsigned long base, u64 used, unsigned int first,
		       unsigned int last)
{
	unsigned int pos = first, end;
	struct itree_span span;
	bool is_used;

	itree_for_each_span(&span, tree, base + first, base + last) {
		KUNIT_ASSERT_LE(test, pos, last);
		is_used = used >> pos & 1;
		for (end = pos; end != last && (used >> (end + 1) & 1) == is_used;)
			end++;
		KUNIT_ASSERT_EQ(test, span.start, base + pos);
		KUNIT_ASSERT_EQ(test, span.last, base + end);
		KUNIT_ASSERT_EQ(test, span.is_hole, !is_used);
		pos = end + 1;
	}
	KUNIT_ASSERT_EQ(test, pos, last + 1);
}

static void check_space(struct kunit *test, unsigned long base)
{
	struct interval_tree_node nodes[MAX_INTERVALS];
	unsigned int n, i, round, first, last;
	struct rb_root_cached tree;
	u64 used;

	kt_seed(test);
	for (round = 0; round != 40 * kt_rounds; round++) {
		tree = RB_ROOT_CACHED;
		used = 0;
		n = kt_random(MAX_INTERVALS + 1);
		for (i = 0; i != n; i++) {
			first = kt_random(SPACE);
			last = first + kt_random(SPACE - first) / (1 + kt_random(8));
			nodes[i].start = base + first;
			nodes[i].last = base + last;
			interval_tree_insert(&nodes[i], &tree);
			used |= GENMASK_ULL(last, first);
		}
		for (first = 0; first != SPACE; first++)
			for (last = first; last != SPACE; last++)
				check_walk(test, &tree, base, used, first, last);
		cond_resched();
	}
}

static void span_low_end(struct kunit *test)
{
	check_space(test, 0);
}

static void span_middle(struct kunit *test)
{
	check_space(test, (1UL << 63) - SPACE / 2);
}

static void span_high_end(struct kunit *test)
{
	check_space(test, ULONG_MAX - SPACE + 1);
}

static void span_empty(struct kunit *test)
{
	struct rb_root_cached tree = RB_ROOT_CACHED;
	struct itree_span span;

	itree_span_first(&span, &tree, 0, ULONG_MAX);
	KUNIT_EXPECT_FALSE(test, span.done);
	KUNIT_EXPECT_TRUE(test, span.is_hole);
	KUNIT_EXPECT_EQ(test, span.start, 0UL);
	KUNIT_EXPECT_EQ(test, span.last, ULONG_MAX);
	itree_span_next(&span);
	KUNIT_EXPECT_TRUE(test, span.done);

	itree_span_first(&span, &tree, 1, 0);
	KUNIT_EXPECT_TRUE(test, span.done);
}

static struct kunit_case span_cases[] = {
	KUNIT_CASE(span_low_end),
	KUNIT_CASE(span_middle),
	KUNIT_CASE(span_high_end),
	KUNIT_CASE(span_empty),
	{}
};

struct kunit_suite kt_span_suite = {
	.name = "iommufd_span",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = span_cases,
};
