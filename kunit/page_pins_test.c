// SPDX-License-Identifier: GPL-2.0-only
/* In-kernel users that pin page by page, and what is dirty: against a plain array. */
#include <linux/bitmap.h>
#include <linux/iommu.h>
#include <linux/sizes.h>

#include "unit.h"
#include "world.h"

#include "../iommufd/iopt_page_pins.c"

#define IOVA 0x100000UL
#define NPAGES 64

static const unsigned long small_pages[KT_DOMAINS] = { SZ_4K, SZ_4K, SZ_4K };

/* What the unit is to know */
struct model {
	unsigned int pins[NPAGES];
	bool dirty[NPAGES];
	bool tracking;
};

static unsigned long at(unsigned int page)
{
	return IOVA + page * PAGE_SIZE;
}

static void check_model(struct kunit *test, struct kt_world *w, const struct model *m)
{
	struct iopt_range range = { .first = IOVA, .last = at(NPAGES) - 1 };
	DECLARE_BITMAP(bits, NPAGES + 7) = {};
	unsigned int i, pinned = 0;

	iopt_page_pins_read(&w->iopt, &range, bits, 7);
	for (i = 0; i != NPAGES; i++) {
		pinned += m->pins[i] != 0;
		KUNIT_EXPECT_EQ_MSG(test, test_bit(i + 7, bits),
				    m->pins[i] || m->dirty[i], "page %u", i);
	}
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, (unsigned long)pinned);
}

static void model_unpin(struct model *m, unsigned int first, unsigned int n)
{
	for (; n--; first++) {
		if (!m->pins[first])
			continue;
		if (!--m->pins[first] && m->tracking)
			m->dirty[first] = true;
	}
}

static void step(struct kunit *test, struct kt_world *w, struct model *m)
{
	unsigned int first = kt_random(NPAGES), n = 1 + kt_random(min(8, NPAGES - (int)first)), i;
	struct iopt_range range = { .first = at(first), .last = at(first + n) - 1 };
	struct page *list[8];

	switch (kt_random(7)) {
	case 0:
	case 1:
		KUNIT_ASSERT_EQ(test, iopt_page_pins_pin(&w->iopt, at(first), n, list, true), 0);
		for (i = 0; i != n; i++) {
			KUNIT_EXPECT_EQ(test, kt_page_to_pfn(list[i]),
					(unsigned long)w->mem->pfns[first + i]);
			m->pins[first + i]++;
			m->dirty[first + i] = false;
		}
		break;
	case 2:
	case 3:
		iopt_page_pins_unpin(&w->iopt, at(first), n);
		model_unpin(m, first, n);
		break;
	case 4:
		KUNIT_ASSERT_EQ(test, iopt_page_pins_mark(&w->iopt, range.first, range.last), 0);
		for (i = 0; i != n; i++)
			m->dirty[first + i] |= m->tracking && !m->pins[first + i];
		break;
	case 5:
		iopt_page_pins_clean(&w->iopt, &range, NULL, 0);
		memset(m->dirty + first, 0, n);
		break;
	default:
		if (kt_chance(4)) {
			m->tracking = !m->tracking;
			iopt_track_dirty(&w->iopt, m->tracking);
			if (!m->tracking)
				memset(m->dirty, 0, sizeof(m->dirty));
		}
	}
}

static void page_pins_random(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 2 * NPAGES, KT_SCATTERED, small_pages);
	struct iopt_access access = { .pins = true };
	struct model m = {};
	unsigned int i;

	kt_seed(test);
	KUNIT_ASSERT_EQ(test, iopt_add_access(&w->iopt, &access), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, IOVA, NPAGES * PAGE_SIZE), 0);
	for (i = 0; i != 3000 * kt_rounds; i++) {
		step(test, w, &m);
		if (!(i % 16))
			check_model(test, w, &m);
	}
	check_model(test, w, &m);
	iopt_track_dirty(&w->iopt, false);
	for (i = 0; i != NPAGES; i++)
		while (m.pins[i]) {
			iopt_page_pins_unpin(&w->iopt, at(i), 1);
			m.pins[i]--;
		}
	KUNIT_EXPECT_TRUE(test, xa_empty(&w->iopt.page_pins));
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	iopt_remove_access(&w->iopt, &access);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* A pin that fails leaves what was there. */
static void page_pins_fail(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 2 * NPAGES, KT_SCATTERED, small_pages);
	struct iopt_access access = { .pins = true };
	struct page *list[4];
	struct model m = {};
	unsigned int nth;
	int rc;

	KUNIT_ASSERT_EQ(test, iopt_add_access(&w->iopt, &access), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, IOVA, 4 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, iopt_page_pins_pin(&w->iopt, at(2), 3, list, true), -ENOENT);
	check_model(test, w, &m);
	w->mem->bad = 1;
	w->mem->bad_rc = -EFAULT;
	KUNIT_EXPECT_EQ(test, iopt_page_pins_pin(&w->iopt, at(0), 3, list, true), -EFAULT);
	check_model(test, w, &m);
	w->mem->bad = ULONG_MAX;
	for (nth = 1; ; nth++) {
		kt_fail_alloc(nth);
		rc = iopt_page_pins_pin(&w->iopt, at(0), 4, list, true);
		kt_fail_alloc(0);
		if (!rc)
			break;
		KUNIT_ASSERT_EQ(test, rc, -ENOMEM);
		check_model(test, w, &m);
	}
	iopt_page_pins_unpin(&w->iopt, at(0), 4);
	check_model(test, w, &m);
	KUNIT_EXPECT_TRUE(test, xa_empty(&w->iopt.page_pins));
	iopt_remove_access(&w->iopt, &access);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

static struct kunit_case page_pins_cases[] = {
	KUNIT_CASE(page_pins_random),
	KUNIT_CASE(page_pins_fail),
	{}
};

struct kunit_suite kt_page_pins_suite = {
	.name = "iommufd_page_pins",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = page_pins_cases,
};
