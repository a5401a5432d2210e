// SPDX-License-Identifier: GPL-2.0-only
/* In-kernel users of an io_pagetable. */
#include <linux/iommu.h>
#include <linux/sizes.h>

#include "unit.h"
#include "world.h"

#include "../iommufd/iopt_access.c"

static const unsigned long small_pages[KT_DOMAINS] = { SZ_4K, SZ_4K, SZ_4K };

struct test_access {
	struct iopt_access access;
	struct kt_world *w;
	unsigned int pins;
};

static void test_access_unmap(struct iopt_access *access, unsigned long iova,
			      unsigned long length)
{
	struct test_access *t = container_of(access, struct test_access, access);

	while (t->pins) {
		iopt_access_unpin(&t->w->iopt, 0x11000, 0x2000);
		t->pins--;
	}
}

static void access_lets_go(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct test_access t = { .w = w, .access = { .pins = true, .unmap = test_access_unmap } };
	struct page *list[4];
	unsigned long unmapped;

	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x10000, 0x2000), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x8000, 0x12000, 0x2000), 0);
	KUNIT_ASSERT_EQ(test, iopt_add_access(&w->iopt, &t.access), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, PAGE_SIZE);
	for (t.pins = 0; t.pins != 3; t.pins++) {
		KUNIT_ASSERT_EQ(test, iopt_access_pin(&w->iopt, 0x11000, 0x2000, list, true), 0);
		KUNIT_EXPECT_EQ(test, kt_page_to_pfn(list[0]), (unsigned long)w->mem->pfns[1]);
		KUNIT_EXPECT_EQ(test, kt_page_to_pfn(list[1]), (unsigned long)w->mem->pfns[8]);
	}
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 2UL);
	KUNIT_EXPECT_EQ(test, iopt_cut(&w->iopt, 0x11000, ULONG_MAX), -EBUSY);
	KUNIT_EXPECT_EQ(test, iopt_unmap(&w->iopt, 0x12000, 0x13fff, IOPT_UNMAP_NATIVE,
					 &unmapped), 0);
	KUNIT_EXPECT_EQ(test, unmapped, 0x2000UL);
	KUNIT_EXPECT_EQ(test, t.pins, 0U);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	KUNIT_EXPECT_EQ(test, iopt_cut(&w->iopt, 0x11000, ULONG_MAX), 0);

	KUNIT_EXPECT_EQ(test, iopt_access_pin(&w->iopt, 0x11000, 0x2000, list, true), -ENOENT);
	KUNIT_EXPECT_EQ(test, iopt_access_pin(&w->iopt, 0x11000, 0, list, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, iopt_access_pin(&w->iopt, ULONG_MAX, 2, list, true), -EOVERFLOW);
	down_write(&w->iopt.iova_rwsem);
	iopt_area_first(&w->iopt, 0x11000, 0x11000)->prot = IOMMU_READ;
	up_write(&w->iopt.iova_rwsem);
	KUNIT_EXPECT_EQ(test, iopt_access_pin(&w->iopt, 0x10000, 0x2000, list, true), -EPERM);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	iopt_remove_access(&w->iopt, &t.access);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, 1UL);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

/* What is refused says why, and nothing stays pinned. */
static void access_refuses(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct iopt_access access = { .pins = true }, reader = {};

	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x10800, 0x800), 0);
	KUNIT_EXPECT_EQ(test, iopt_add_access(&w->iopt, &access), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, w->iopt.nr_pinning, 0U);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, 1UL);
	/* Whoever does not pin can do with any mapping. */
	KUNIT_EXPECT_EQ(test, iopt_add_access(&w->iopt, &reader), 0);
	KUNIT_EXPECT_EQ(test, w->iopt.iova_alignment, 1UL);
	iopt_remove_access(&w->iopt, &reader);
	kt_world_destroy(w);
}

/* The second of two mappings cannot be pinned: the first one is let go. */
static void access_pin_fails(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	struct page *list[4];

	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0, 0x10000, 0x2000), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x8000, 0x12000, 0x2000), 0);
	w->mem->bad = 9;
	w->mem->bad_rc = -EFAULT;
	KUNIT_EXPECT_EQ(test, iopt_access_pin(&w->iopt, 0x10000, 0x4000, list, true), -EFAULT);
	kt_world_check(test, w);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	w->mem->bad = ULONG_MAX;
	KUNIT_EXPECT_EQ(test, iopt_access_pin(&w->iopt, 0x10000, 0x4000, list, true), 0);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 4UL);
	iopt_access_unpin(&w->iopt, 0x10000, 0x4000);
	kt_world_check(test, w);
	kt_world_destroy(w);
}

static void access_rw(struct kunit *test)
{
	struct kt_world *w = kt_world_create(test, 64, KT_SCATTERED, small_pages);
	u8 *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL), *page;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	w->mem->real = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, w->mem->real);
	page = page_address(w->mem->real);
	/* Two mappings that begin and end inside of a page: 768 bytes each. */
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x100, 0x10000, 0x300), 0);
	KUNIT_ASSERT_EQ(test, kt_world_map(w, 0x2800, 0x10300, 0x300), 0);
	for (i = 0; i != 0x600; i++)
		buf[i] = i * 7 + 1;
	KUNIT_EXPECT_EQ(test, iopt_access_rw(&w->iopt, 0x10000, buf, 0x600, true), 0);
	KUNIT_EXPECT_EQ(test, memcmp(page + 0x100, buf, 0x300), 0);
	KUNIT_EXPECT_EQ(test, memcmp(page + 0x800, buf + 0x300, 0x300), 0);
	KUNIT_EXPECT_EQ(test, (int)page[0xff], 0);
	KUNIT_EXPECT_EQ(test, (int)page[0x400], 0);
	KUNIT_EXPECT_EQ(test, (int)page[0xb00], 0);
	memset(buf, 0, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, iopt_access_rw(&w->iopt, 0x102ff, buf, 2, false), 0);
	KUNIT_EXPECT_EQ(test, buf[0], page[0x3ff]);
	KUNIT_EXPECT_EQ(test, buf[1], page[0x800]);
	KUNIT_EXPECT_EQ(test, buf[2], 0);

	/* Nothing is written unless all is mapped. */
	memset(page, 0, PAGE_SIZE);
	memset(buf, 1, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, iopt_access_rw(&w->iopt, 0x10000, buf, 0x601, true), -ENOENT);
	KUNIT_EXPECT_EQ(test, iopt_access_rw(&w->iopt, 0xffff, buf, 2, true), -ENOENT);
	KUNIT_EXPECT_EQ(test, iopt_access_rw(&w->iopt, 0x10000, buf, 0, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, iopt_access_rw(&w->iopt, ULONG_MAX, buf, 2, true), -EOVERFLOW);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(page, 0, PAGE_SIZE), NULL);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	__free_page(w->mem->real);
	w->mem->real = NULL;
	kt_world_destroy(w);
}

static struct kunit_case access_cases[] = {
	KUNIT_CASE(access_lets_go),
	KUNIT_CASE(access_refuses),
	KUNIT_CASE(access_pin_fails),
	KUNIT_CASE(access_rw),
	{}
};

struct kunit_suite kt_access_suite = {
	.name = "iommufd_access",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = access_cases,
};
