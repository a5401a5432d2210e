// SPDX-License-Identifier: GPL-2.0-only
/* Extents and cursors against plain arrays of page frame numbers. */
#include <linux/minmax.h>

#include "unit.h"

#include "../iommufd/pfn_runs.c"

#define MAX_PAGES 48
/* Highest page frame that a run can name. */
#define TOP_PFN ((1UL << (64 - PFN_RUN_COUNT_BITS)) - 1)

/* Page frames, some in a row, and the runs that say the same. */
static unsigned int random_runs(unsigned long *pfns, unsigned int npages,
				u64 *runs)
{
	unsigned int nruns = 0, i = 0, count, n;
	unsigned long pfn;

	while (i != npages) {
		count = min(npages - i, 1 + kt_random(kt_chance(2) ? 2 : 9));
		/* Sometimes the next run continues this one. */
		if (i && kt_chance(3))
			pfn = pfns[i - 1] + 1;
		else
			pfn = kt_random64() % (TOP_PFN - MAX_PAGES);
		runs[nruns++] = pfn_run(pfn, count);
		for (n = 0; n != count; n++)
			pfns[i++] = pfn + n;
	}
	return nruns;
}

static void check_extent(struct kunit *test, const struct pfn_extent *ext,
			 const unsigned long *pfns, unsigned long start,
			 unsigned long npages)
{
	const u64 *runs = pfn_extent_runs(ext);
	unsigned int i, pos = 0;
	unsigned long n;

	KUNIT_ASSERT_EQ(test, ext->start, start);
	KUNIT_ASSERT_EQ(test, ext->npages, npages);
	KUNIT_ASSERT_EQ(test, pfn_extent_last(ext), start + npages - 1);
	KUNIT_ASSERT_GE(test, ext->nruns, 1U);
	for (i = 0; i != ext->nruns; i++) {
		KUNIT_ASSERT_GE(test, pfn_run_count(runs[i]), 1UL);
		for (n = 0; n != pfn_run_count(runs[i]); n++, pos++) {
			KUNIT_ASSERT_LT(test, pos, (unsigned int)npages);
			KUNIT_ASSERT_EQ(test, pfn_run_pfn(runs[i]) + n, pfns[pos]);
		}
	}
	KUNIT_ASSERT_EQ(test, (unsigned long)pos, npages);
}

static void runs_pack(struct kunit *test)
{
	static const unsigned long pfns[] = { 0, 1, TOP_PFN };
	static const unsigned long counts[] = { 1, 2, PFN_RUN_MAX };
	unsigned int i, k;

	for (i = 0; i != ARRAY_SIZE(pfns); i++) {
		for (k = 0; k != ARRAY_SIZE(counts); k++) {
			u64 run = pfn_run(pfns[i], counts[k]);

			KUNIT_EXPECT_EQ(test, pfn_run_pfn(run), pfns[i]);
			KUNIT_EXPECT_EQ(test, pfn_run_count(run), counts[k]);
		}
	}
	/* 52 bits of physical address are all that x86-64 has. */
	KUNIT_EXPECT_EQ(test, TOP_PFN, (1UL << 40) - 1);
}

static void extent_set(struct kunit *test)
{
	unsigned long pfns[MAX_PAGES];
	struct pfn_extent ext = {};
	u64 runs[MAX_PAGES];
	unsigned int npages, nruns;

	kt_seed(test);
	for (npages = 1; npages != MAX_PAGES + 1; npages++) {
		nruns = random_runs(pfns, npages, runs);
		ext.start = kt_random64() >> 20;
		KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&ext, runs, nruns), 0);
		check_extent(test, &ext, pfns, ext.start, npages);
		pfn_extent_free_runs(&ext);
		KUNIT_ASSERT_EQ(test, ext.nruns, 0U);

		/* One run needs no memory. */
		kt_fail_alloc(1);
		KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&ext, runs, nruns),
				nruns == 1 ? 0 : -ENOMEM);
		kt_fail_alloc(0);
		ext.nruns = 0;
	}
}

static void extent_split(struct kunit *test)
{
	struct pfn_extent ext = {}, tail = {};
	unsigned long pfns[MAX_PAGES], start;
	unsigned int npages, nruns, head, round;
	u64 runs[MAX_PAGES];
	bool fits;

	kt_seed(test);
	for (round = 0; round != 20 * kt_rounds; round++) {
		npages = 2 + kt_random(MAX_PAGES - 1);
		nruns = random_runs(pfns, npages, runs);
		start = kt_random64() >> 20;
		for (head = 1; head != npages; head++) {
			ext.start = start;
			ext.users = 7;
			KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&ext, runs, nruns), 0);

			kt_fail_alloc(1);
			fits = !pfn_extent_split(&ext, &tail, start + head);
			kt_fail_alloc(0);
			if (!fits) {
				check_extent(test, &ext, pfns, start, npages);
				KUNIT_ASSERT_EQ(test, pfn_extent_split(&ext, &tail,
								       start + head), 0);
			}
			check_extent(test, &ext, pfns, start, head);
			check_extent(test, &tail, pfns + head, start + head, npages - head);
			KUNIT_ASSERT_EQ(test, ext.users, 7U);
			KUNIT_ASSERT_EQ(test, tail.users, 7U);
			pfn_extent_free_runs(&ext);
			pfn_extent_free_runs(&tail);
		}
	}
}

/* A run of the greatest length, cut at its ends and in the middle. */
static void extent_split_max(struct kunit *test)
{
	static const unsigned long heads[] = { 1, PFN_RUN_MAX / 2, PFN_RUN_MAX - 1 };
	u64 run = pfn_run(TOP_PFN - PFN_RUN_MAX + 1, PFN_RUN_MAX);
	struct pfn_extent ext = {}, tail = {};
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(heads); i++) {
		ext.start = 5;
		KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&ext, &run, 1), 0);
		KUNIT_ASSERT_EQ(test, pfn_extent_split(&ext, &tail, 5 + heads[i]), 0);
		KUNIT_EXPECT_EQ(test, ext.run, pfn_run(pfn_run_pfn(run), heads[i]));
		KUNIT_EXPECT_EQ(test, tail.run, pfn_run(pfn_run_pfn(run) + heads[i],
							PFN_RUN_MAX - heads[i]));
		KUNIT_EXPECT_EQ(test, tail.start, 5 + heads[i]);
		KUNIT_EXPECT_EQ(test, ext.npages + tail.npages, PFN_RUN_MAX);
	}
}

static void extent_find(struct kunit *test)
{
	struct pfn_extent ext[8] = {}, *found;
	struct rb_root root = RB_ROOT;
	unsigned long pos = 0, i;
	u64 run = pfn_run(1, 3);
	unsigned int n;

	/* [2, 4], [7, 9], [10, 12], [15, 17] and so on, inserted backwards. */
	for (n = 0; n != ARRAY_SIZE(ext); n++) {
		ext[n].start = n / 2 * 8 + (n & 1 ? 7 : 2);
		KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&ext[n], &run, 1), 0);
	}
	for (n = ARRAY_SIZE(ext); n--;)
		pfn_extent_insert(&root, &ext[n]);

	for (i = 0; i != 40; i++) {
		while (pos != ARRAY_SIZE(ext) && pfn_extent_last(&ext[pos]) < i)
			pos++;
		found = pos == ARRAY_SIZE(ext) ? NULL : &ext[pos];
		KUNIT_EXPECT_PTR_EQ(test, pfn_extent_find(&root, i), found);
	}
	for (n = 0; n != ARRAY_SIZE(ext); n++)
		KUNIT_EXPECT_PTR_EQ(test, pfn_extent_next(&ext[n]),
				    n + 1 == ARRAY_SIZE(ext) ? NULL : &ext[n + 1]);
	root = RB_ROOT;
	KUNIT_EXPECT_PTR_EQ(test, pfn_extent_find(&root, 0), NULL);
}

/* Every range is read in the longest pieces that there are. */
static void check_cursor(struct kunit *test, const struct rb_root *root,
			 const unsigned long *pfns, unsigned long start,
			 unsigned int first, unsigned int last)
{
	unsigned long pfn, count;
	struct pfn_cursor cur;
	unsigned int pos = first, n;

	pfn_cursor_init(&cur, root, start + first, start + last);
	while ((count = pfn_cursor_next(&cur, &pfn))) {
		KUNIT_ASSERT_LE(test, pos + count, last + 1UL);
		for (n = 0; n != count; n++)
			KUNIT_ASSERT_EQ(test, pfn + n, pfns[pos + n]);
		pos += count;
		if (pos <= last)
			KUNIT_ASSERT_NE(test, pfn + count, pfns[pos]);
	}
	KUNIT_ASSERT_EQ(test, pos, last + 1);
	KUNIT_ASSERT_EQ(test, pfn_cursor_next(&cur, &pfn), 0UL);
}

static void cursor_all_ranges(struct kunit *test)
{
	unsigned int npages, nruns, round, first, last, n, next;
	unsigned long pfns[MAX_PAGES], start;
	struct pfn_extent ext[MAX_PAGES];
	u64 runs[MAX_PAGES];
	struct rb_root root;

	kt_seed(test);
	for (round = 0; round != 15 * kt_rounds; round++) {
		memset(ext, 0, sizeof(ext));
		root = RB_ROOT;
		npages = 1 + kt_random(MAX_PAGES);
		nruns = random_runs(pfns, npages, runs);
		start = kt_random64() >> 20;
		/* The runs, dealt out to extents. */
		for (n = 0, next = 0; next != nruns; n++) {
			unsigned int part = 1 + kt_random(nruns - next);

			if (kt_chance(2))
				part = 1;
			ext[n].start = n ? pfn_extent_last(&ext[n - 1]) + 1 : start;
			KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&ext[n], runs + next,
								  part), 0);
			pfn_extent_insert(&root, &ext[n]);
			next += part;
		}
		for (first = 0; first != npages; first++)
			for (last = first; last != npages; last++)
				check_cursor(test, &root, pfns, start, first, last);
		while (n--)
			pfn_extent_free_runs(&ext[n]);
		cond_resched();
	}
}

/* A gap is the caller's mistake: said, and the walk ends. */
static void cursor_gap(struct kunit *test)
{
	struct pfn_extent a = { .start = 10 }, b = { .start = 14 };
	struct rb_root root = RB_ROOT;
	unsigned long pfn, total = 0, n;
	u64 run = pfn_run(100, 3);
	struct pfn_cursor cur;

	KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&a, &run, 1), 0);
	KUNIT_ASSERT_EQ(test, pfn_extent_set_runs(&b, &run, 1), 0);
	pfn_extent_insert(&root, &a);
	pfn_extent_insert(&root, &b);

	kt_expect_warnings(true);
	pfn_cursor_init(&cur, &root, 10, 16);
	while ((n = pfn_cursor_next(&cur, &pfn)))
		total += n;
	KUNIT_EXPECT_EQ(test, total, 3UL);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 1U);

	pfn_cursor_init(&cur, &root, 9, 11);
	KUNIT_EXPECT_EQ(test, pfn_cursor_next(&cur, &pfn), 0UL);
	pfn_cursor_init(&cur, &root, 17, 17);
	KUNIT_EXPECT_EQ(test, pfn_cursor_next(&cur, &pfn), 0UL);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 3U);
}

static struct kunit_case pfn_runs_cases[] = {
	KUNIT_CASE(runs_pack),
	KUNIT_CASE(extent_set),
	KUNIT_CASE(extent_split),
	KUNIT_CASE(extent_split_max),
	KUNIT_CASE(extent_find),
	KUNIT_CASE(cursor_all_ranges),
	KUNIT_CASE(cursor_gap),
	{}
};

struct kunit_suite kt_pfn_runs_suite = {
	.name = "iommufd_pfn_runs",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = pfn_runs_cases,
};
