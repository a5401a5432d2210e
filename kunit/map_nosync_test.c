// SPDX-License-Identifier: GPL-2.0-only
/* Mapping by the driver's map_pages(), with faults, on a strict fake domain. */
#include <linux/bits.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/sizes.h>

#include "fake_domain.h"
#include "unit.h"

/* The unit undoes a failed map by this. */
#define iommu_unmap(domain, iova, size)              \
	(kt_check_unmap(domain, iova, size),         \
	 iommu_unmap(domain, iova, size))

#include "../compat/iommu_map_nosync.c"

#define TERA BIT(40)

static const unsigned long page_sizes[] = {
	SZ_4K,
	SZ_4K | SZ_2M | SZ_1G,
	~0UL << 12,
	~0UL << 11,
	SZ_2K,
	SZ_4K | SZ_64K,
};

/* How few IO pages can do it: always the largest that fits. */
static unsigned long fewest_pages(unsigned long pgsizes, unsigned long iova,
				  phys_addr_t phys, size_t size)
{
	unsigned long n = 0;
	int bit;

	for (; size; n++) {
		for (bit = 63; bit; bit--)
			if ((pgsizes & BIT(bit)) && BIT(bit) <= size &&
			    !((iova | phys) & (BIT(bit) - 1)))
				break;
		iova += BIT(bit);
		phys += BIT(bit);
		size -= BIT(bit);
	}
	return n;
}

static void check_mapped(struct kunit *test, struct kt_domain *dom,
			 unsigned long iova, phys_addr_t phys, size_t size)
{
	unsigned long pos = iova, n = 0;
	struct kt_io_page *page;

	KUNIT_ASSERT_EQ(test, dom->mapped, size);
	for (; pos - iova < size; pos = page->node.last + 1, n++) {
		page = kt_domain_page(dom, pos);
		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_ASSERT_EQ(test, page->node.start, pos);
		KUNIT_ASSERT_EQ(test, page->phys, phys + (pos - iova));
	}
	KUNIT_EXPECT_EQ(test, n, fewest_pages(dom->domain.pgsize_bitmap, iova, phys, size));
}

/* A request of which large and small IO pages can be made, in few of them. */
static void random_request(unsigned long pgsizes, unsigned long *iova,
			   phys_addr_t *phys, size_t *size)
{
	unsigned long smallest = BIT(__ffs(pgsizes)), unit = smallest;
	unsigned long odd = smallest * kt_random(500);

	if ((pgsizes & SZ_1G) && kt_chance(4))
		unit = SZ_1G;
	else if ((pgsizes & SZ_2M) && kt_chance(2))
		unit = SZ_2M;
	*size = unit * (1 + kt_random(3)) + smallest * kt_random(40);
	*iova = (kt_random64() & (TERA - 1)) & ~(unit - 1);
	*phys = TERA + ((kt_random64() & (TERA - 1)) & ~(unit - 1));
	/* At the end of the space. */
	if (kt_chance(6))
		*iova = -(*size & ~(unit - 1));
	/* Not aligned, and alike in that or (not to be many) not. */
	if (kt_chance(2)) {
		*iova += odd;
		*phys += odd;
	} else if (unit != SZ_1G && kt_chance(3)) {
		*phys += odd;
	}
	if (*iova + *size - 1 < *iova)
		*size = -*iova;
}

static void map_random(struct kunit *test, enum kt_map_fault fault, bool faults)
{
	unsigned int set, round;
	struct kt_domain dom;
	unsigned long iova;
	phys_addr_t phys;
	size_t size;
	gfp_t gfp;
	int rc;

	kt_seed(test);
	for (set = 0; set != ARRAY_SIZE(page_sizes); set++) {
		kt_domain_init(&dom, page_sizes[set], true);
		for (round = 0; round != 12 * kt_rounds; round++) {
			random_request(page_sizes[set], &iova, &phys, &size);
			kt_domain_fail(&dom, faults ? 1 + kt_random(4) : 0, fault);
			gfp = kt_chance(2) ? GFP_KERNEL : GFP_ATOMIC | __GFP_NOWARN;
			rc = compat_iommu_map_nosync(&dom.domain, iova, phys, size,
						     IOMMU_READ | IOMMU_WRITE, gfp);
			if (dom.failed && fault != KT_FAULT_SHORT) {
				KUNIT_ASSERT_EQ(test, rc, -ENOMEM);
				KUNIT_ASSERT_EQ(test, dom.mapped, 0UL);
				kt_domain_settled(&dom);
				continue;
			}
			KUNIT_ASSERT_EQ(test, rc, 0);
			KUNIT_ASSERT_EQ(test, dom.last_gfp, gfp);
			if (!dom.failed)
				check_mapped(test, &dom, iova, phys, size);
			KUNIT_ASSERT_EQ(test, dom.mapped, size);
			KUNIT_ASSERT_EQ(test, dom.nr_sync_maps, 0UL);
			compat_iommu_sync_map(&dom.domain, iova, size);
			KUNIT_ASSERT_EQ(test, dom.nr_sync_maps, 1UL);
			kt_domain_settled(&dom);
			kt_domain_clear(&dom);
			dom.nr_sync_maps = 0;
			cond_resched();
		}
	}
}

static void nosync_pages(struct kunit *test)
{
	map_random(test, KT_FAULT_SILENT, false);
}

static void nosync_fails_silently(struct kunit *test)
{
	map_random(test, KT_FAULT_SILENT, true);
}

static void nosync_fails_honestly(struct kunit *test)
{
	map_random(test, KT_FAULT_HONEST, true);
}

static void nosync_maps_short(struct kunit *test)
{
	map_random(test, KT_FAULT_SHORT, true);
}

/* A driver with map() only is the core's to serve, which flushes by itself. */
static void nosync_old_driver(struct kunit *test)
{
	struct kt_domain dom;

	kt_domain_init(&dom, SZ_4K | SZ_2M, false);
	KUNIT_ASSERT_EQ(test, compat_iommu_map_nosync(&dom.domain, SZ_2M - SZ_4K,
						      SZ_4M - SZ_4K, SZ_2M + SZ_8K,
						      IOMMU_READ, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, dom.last_gfp, GFP_KERNEL);
	check_mapped(test, &dom, SZ_2M - SZ_4K, SZ_4M - SZ_4K, SZ_2M + SZ_8K);
	kt_domain_settled(&dom);
	compat_iommu_sync_map(&dom.domain, SZ_2M - SZ_4K, SZ_2M + SZ_8K);
	KUNIT_EXPECT_EQ(test, dom.nr_sync_maps, 1UL);

	kt_domain_clear(&dom);
	kt_domain_fail(&dom, 3, KT_FAULT_HONEST);
	KUNIT_EXPECT_EQ(test, compat_iommu_map_nosync(&dom.domain, 0, SZ_2M, SZ_16K,
						      IOMMU_READ, GFP_KERNEL), -ENOMEM);
	KUNIT_EXPECT_EQ(test, dom.mapped, 0UL);
}

/* Who may not sleep: the core then asks such a driver not to, either. */
static void nosync_old_driver_atomic(struct kunit *test)
{
	struct kt_domain dom;

	kt_domain_init(&dom, SZ_4K | SZ_2M, false);
	KUNIT_ASSERT_EQ(test, compat_iommu_map_nosync(&dom.domain, SZ_2M, SZ_4M, SZ_2M + SZ_4K,
						      IOMMU_READ, GFP_ATOMIC | __GFP_NOWARN), 0);
	KUNIT_EXPECT_FALSE(test, gfpflags_allow_blocking(dom.last_gfp));
	check_mapped(test, &dom, SZ_2M, SZ_4M, SZ_2M + SZ_4K);
	kt_domain_settled(&dom);
	kt_domain_clear(&dom);
}

static void nosync_refuses(struct kunit *test)
{
	struct kt_domain dom;

	kt_expect_warnings(true);
	kt_domain_init(&dom, SZ_4K | SZ_2M, true);
	KUNIT_EXPECT_EQ(test, compat_iommu_map_nosync(&dom.domain, 0, SZ_1M, 0, IOMMU_READ,
						      GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, compat_iommu_map_nosync(&dom.domain, SZ_2K, SZ_1M, SZ_4K,
						      IOMMU_READ, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, compat_iommu_map_nosync(&dom.domain, 0, SZ_1M + 1, SZ_4K,
						      IOMMU_READ, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, compat_iommu_map_nosync(&dom.domain, 0, SZ_1M, SZ_4K + SZ_2K,
						      IOMMU_READ, GFP_KERNEL), -EINVAL);
	dom.domain.type = IOMMU_DOMAIN_IDENTITY;
	KUNIT_EXPECT_EQ(test, compat_iommu_map_nosync(&dom.domain, 0, SZ_1M, SZ_4K,
						      IOMMU_READ, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 5U);
	KUNIT_EXPECT_EQ(test, dom.nr_maps, 0UL);
}

static struct kunit_case map_nosync_cases[] = {
	KUNIT_CASE(nosync_pages),
	KUNIT_CASE(nosync_fails_silently),
	KUNIT_CASE(nosync_fails_honestly),
	KUNIT_CASE(nosync_maps_short),
	KUNIT_CASE(nosync_old_driver),
	KUNIT_CASE(nosync_old_driver_atomic),
	KUNIT_CASE(nosync_refuses),
	{}
};

struct kunit_suite kt_map_nosync_suite = {
	.name = "iommufd_map_nosync",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = map_nosync_cases,
};
