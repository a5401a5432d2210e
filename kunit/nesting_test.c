// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers with two stages: what requests may say.  What they do is for
 * selftests/nesting_*.c.
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/refcount.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <uapi/linux/iommu_nesting.h>

#include "unit.h"

#include "../iommufd/vfio_nesting.c"

static const struct iommu_cache_invalidate_info good_addr = {
	.version = IOMMU_UAPI_VERSION,
	.cache = IOMMU_CACHE_INV_TYPE_IOTLB,
	.granularity = IOMMU_INV_GRANU_ADDR,
	.granu.addr_info = {
		.flags = IOMMU_INV_ADDR_FLAGS_PASID | IOMMU_INV_ADDR_FLAGS_LEAF,
		.pasid = 5,
		.addr = 0x200000,
		.granule_size = SZ_4K,
		.nb_granules = 3,
	},
};

static const struct iommu_cache_invalidate_info good_pasid = {
	.version = IOMMU_UAPI_VERSION,
	.cache = IOMMU_CACHE_INV_TYPE_IOTLB | IOMMU_CACHE_INV_TYPE_DEV_IOTLB |
		 IOMMU_CACHE_INV_TYPE_PASID,
	.granularity = IOMMU_INV_GRANU_PASID,
	.granu.pasid_info = { .flags = IOMMU_INV_PASID_FLAGS_PASID, .pasid = 5 },
};

static int check(const struct iommu_cache_invalidate_info *info,
		 struct iommufd_stage1_inv *inv)
{
	struct inv_target target;

	return check_inv(info, &target, inv);
}

static void inv_addresses(struct kunit *test)
{
	static const struct {
		u64 addr, granule, number;
		int rc;
		u64 last;
	} ranges[] = {
		{ 0x200000, SZ_4K, 3, 0, 0x202fff },
		{ 0, SZ_4K, 1, 0, 0xfff },
		{ 0, SZ_4K, 0, -EINVAL },
		{ 0, 0, 1, -EINVAL },
		{ 0, 1, SZ_4K, -EINVAL },
		{ 0, SZ_2K, 2, -EINVAL },
		{ 0, 3 * SZ_4K, 1, -EINVAL },
		{ 1, SZ_4K, 1, -EINVAL },
		{ SZ_4K, SZ_2M, 1, -EINVAL },
		{ SZ_2M, SZ_2M, 2, 0, 3 * SZ_2M - 1 },
		{ 1ULL << 63, 1ULL << 63, 1, 0, U64_MAX },
		{ 0, 1ULL << 63, 1, 0, S64_MAX },
		/* All there is */
		{ 0, 1ULL << 63, 2, 0, U64_MAX },
		{ 0, 1ULL << 63, 3, -EINVAL },
		{ 1ULL << 63, 1ULL << 63, 2, -EINVAL },
		{ 0, SZ_4K, 1ULL << 52, 0, U64_MAX },
		{ 0, SZ_4K, (1ULL << 52) + 1, -EINVAL },
		{ 0, SZ_4K, (1ULL << 52) - 1, 0, U64_MAX - SZ_4K },
		{ SZ_4K, SZ_4K, (1ULL << 52) - 1, 0, U64_MAX },
		{ 2 * SZ_4K, SZ_4K, (1ULL << 52) - 1, -EINVAL },
		{ U64_MAX - SZ_4K + 1, SZ_4K, 1, 0, U64_MAX },
		{ U64_MAX - SZ_4K + 1, SZ_4K, 2, -EINVAL },
		{ 0, SZ_4K, U64_MAX, -EINVAL },
		{ U64_MAX, SZ_4K, 1, -EINVAL },
	};
	struct iommu_cache_invalidate_info info = good_addr;
	struct iommufd_stage1_inv inv;
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(ranges); i++) {
		info.granu.addr_info.addr = ranges[i].addr;
		info.granu.addr_info.granule_size = ranges[i].granule;
		info.granu.addr_info.nb_granules = ranges[i].number;
		KUNIT_EXPECT_EQ_MSG(test, check(&info, &inv), ranges[i].rc, "range %u", i);
		if (ranges[i].rc)
			continue;
		KUNIT_EXPECT_EQ(test, inv.first, ranges[i].addr);
		KUNIT_EXPECT_EQ(test, inv.last, ranges[i].last);
		KUNIT_EXPECT_TRUE(test, inv.leaf);
		KUNIT_EXPECT_EQ(test, inv.caches, (u8)IOMMU_CACHE_INV_TYPE_IOTLB);
	}
}

static void inv_whole(struct kunit *test)
{
	struct iommu_cache_invalidate_info info = good_pasid;
	struct iommufd_stage1_inv inv;
	struct inv_target target;

	KUNIT_EXPECT_EQ(test, check_inv(&info, &target, &inv), 0);
	KUNIT_EXPECT_TRUE(test, target.has_pasid && target.pasid == 5);
	KUNIT_EXPECT_EQ(test, inv.first, 0ULL);
	KUNIT_EXPECT_EQ(test, inv.last, U64_MAX);
	KUNIT_EXPECT_FALSE(test, inv.leaf);
	KUNIT_EXPECT_EQ(test, inv.caches, good_pasid.cache);

	/* Of DOMAIN nothing else is looked at. */
	info.granularity = IOMMU_INV_GRANU_DOMAIN;
	info.cache = IOMMU_CACHE_INV_TYPE_IOTLB;
	memset(&info.granu, 0xff, sizeof(info.granu));
	KUNIT_EXPECT_EQ(test, check_inv(&info, &target, &inv), 0);
	KUNIT_EXPECT_FALSE(test, target.has_pasid);
	KUNIT_EXPECT_EQ(test, inv.first, 0ULL);
	KUNIT_EXPECT_EQ(test, inv.last, U64_MAX);

	/* Of PASID not what is behind its struct. */
	info = good_pasid;
	memset((u8 *)&info.granu + sizeof(info.granu.pasid_info), 0xff,
	       sizeof(info.granu) - sizeof(info.granu.pasid_info));
	KUNIT_EXPECT_EQ(test, check(&info, &inv), 0);
}

/* ------------------------------------------------------------------ */

/* The rules once more, as <linux/iommu_nesting.h> has them. */
static bool model_caches(const struct iommu_cache_invalidate_info *info)
{
	bool dev = info->cache & IOMMU_CACHE_INV_TYPE_DEV_IOTLB;
	bool pasid = info->cache & IOMMU_CACHE_INV_TYPE_PASID;

	if (!info->cache || info->cache >> IOMMU_CACHE_INV_TYPE_NR ||
	    info->padding[0] || info->padding[1])
		return false;
	switch (info->granularity) {
	case IOMMU_INV_GRANU_DOMAIN:
		return !dev;
	case IOMMU_INV_GRANU_PASID:
		return true;
	case IOMMU_INV_GRANU_ADDR:
		return !pasid;
	default:
		return false;
	}
}

static int model_whose(bool has_pasid, bool has_archid, u64 pasid, u32 archid)
{
	if (has_pasid && (pasid == 0 || pasid >= 1 << 20))
		return -EINVAL;
	if ((!has_pasid && pasid) || (!has_archid && archid))
		return -EINVAL;
	return has_archid ? -EOPNOTSUPP : 0;
}

static int model_addr(const struct iommu_inv_addr_info *a)
{
	unsigned int bit;

	if (a->flags & ~7)
		return -EINVAL;
	for (bit = 12; bit != 64 && a->granule_size != 1ULL << bit; bit++)
		;
	if (bit == 64 || a->addr % a->granule_size || !a->nb_granules)
		return -EINVAL;
	/* In granules: how many are there from addr on? */
	if (a->nb_granules > (U64_MAX >> bit) - (a->addr >> bit) + 1)
		return -EINVAL;
	return model_whose(a->flags & 1, a->flags & 2, a->pasid, a->archid);
}

static int model(const struct iommu_cache_invalidate_info *info)
{
	const struct iommu_inv_pasid_info *p = &info->granu.pasid_info;

	if (!model_caches(info))
		return -EINVAL;
	if (info->granularity == IOMMU_INV_GRANU_DOMAIN)
		return 0;
	if (info->granularity == IOMMU_INV_GRANU_ADDR)
		return model_addr(&info->granu.addr_info);
	if (!p->flags || p->flags > 3)
		return -EINVAL;
	return model_whose(p->flags & 1, p->flags & 2, p->pasid, p->archid);
}

static u64 random_odd(void)
{
	static const u64 values[] = {
		0, 1, 4095, 4096, 0xfffff, 0x100000, 1ULL << 31, 1ULL << 32,
		1ULL << 51, 1ULL << 52, 1ULL << 63, U64_MAX,
	};

	return kt_chance(3) ? kt_random64() : values[kt_random(ARRAY_SIZE(values))];
}

static void random_addr(struct iommu_inv_addr_info *a)
{
	unsigned int bit = 12 + kt_random(52);

	*a = (struct iommu_inv_addr_info){
		.flags = kt_random(kt_chance(8) ? 16 : 8),
		.granule_size = 1ULL << bit,
		.nb_granules = 1 + (kt_chance(2) ? kt_random(8) : kt_random64() >> bit),
		.addr = kt_random64() & -(1ULL << bit),
	};
	if (a->flags & 1)
		a->pasid = 1 + kt_random(0xfffff);
	if (a->flags & 2)
		a->archid = kt_random(3);
	if (!kt_chance(3))
		return;
	switch (kt_random(5)) {
	case 0:
		a->granule_size = random_odd();
		break;
	case 1:
		a->nb_granules = random_odd();
		break;
	case 2:
		a->addr = random_odd();
		break;
	case 3:
		a->pasid = random_odd();
		break;
	default:
		a->archid = random_odd();
	}
}

static void random_inv(struct iommu_cache_invalidate_info *info)
{
	struct iommu_inv_pasid_info *p = &info->granu.pasid_info;

	memset(info, 0, sizeof(*info));
	info->version = IOMMU_UAPI_VERSION;
	info->cache = kt_random(kt_chance(8) ? 256 : 8);
	info->granularity = kt_random(kt_chance(8) ? 256 : 3);
	if (kt_chance(16))
		info->padding[kt_random(2)] = kt_random(256);
	if (info->granularity == IOMMU_INV_GRANU_ADDR) {
		random_addr(&info->granu.addr_info);
		return;
	}
	p->flags = kt_random(5);
	if (p->flags & 1)
		p->pasid = kt_chance(3) ? random_odd() : 1 + kt_random(0xfffff);
	p->archid = p->flags & 2 ? kt_random(3) : kt_chance(8);
}

static void inv_model(struct kunit *test)
{
	struct iommu_cache_invalidate_info info;
	struct iommufd_stage1_inv inv;
	unsigned int i, good = 0, bad = 0, arch = 0;
	int rc;

	kt_seed(test);
	for (i = 0; i != 100000 * kt_rounds; i++) {
		random_inv(&info);
		rc = check(&info, &inv);
		KUNIT_ASSERT_EQ_MSG(test, rc, model(&info), "%*ph", (int)sizeof(info),
				    &info);
		if (!rc)
			KUNIT_ASSERT_LE(test, inv.first, inv.last);
		good += !rc;
		bad += rc == -EINVAL;
		arch += rc == -EOPNOTSUPP;
	}
	kunit_info(test, "%u good, %u bad, %u with an ARCHID\n", good, bad, arch);
	KUNIT_EXPECT_TRUE(test, good > i / 50 && bad > i / 50 && arch > i / 50);
}

/* ------------------------------------------------------------------ */

/* Each field beyond what it may be, one at a time */
static void bind_fields(struct kunit *test)
{
	static const struct iommu_gpasid_bind_data good = {
		.version = IOMMU_UAPI_VERSION,
		.format = IOMMU_PASID_FORMAT_INTEL_VTD,
		.flags = IOMMU_SVA_GPASID_VAL,
		.gpgd = 0xfffffffff000,
		.hpasid = 7,
		.gpasid = U64_MAX,
		.addr_width = 48,
	};
	struct iommu_gpasid_bind_data data = good;
	struct iommufd_stage1 stage1;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, check_bind(&data, &stage1), 0);
	KUNIT_EXPECT_EQ(test, stage1.pgd, good.gpgd);
	KUNIT_EXPECT_EQ(test, stage1.addr_width, 48U);
	for (i = 0; i != sizeof(data.padding); i++) {
		data.padding[i] = 1;
		KUNIT_EXPECT_EQ(test, check_bind(&data, &stage1), -EINVAL);
		data.padding[i] = 0;
	}
	for (i = 1; i != 64; i++) {
		data.flags = good.flags | BIT_ULL(i);
		KUNIT_EXPECT_EQ(test, check_bind(&data, &stage1), -EINVAL);
	}
	data.flags = good.flags;
	for (i = 0; i != 64; i++) {
		data.vtd.flags = BIT_ULL(i);
		KUNIT_EXPECT_EQ(test, check_bind(&data, &stage1), i < 5 ? 0 : -EINVAL);
	}
	data.vtd.flags = 0;
	for (i = 0; i != 64; i++) {
		data.addr_width = i;
		KUNIT_EXPECT_EQ(test, check_bind(&data, &stage1),
				i == 48 || i == 57 ? 0 : -EINVAL);
	}
	for (i = 0; i != 64; i++) {
		data.addr_width = 48;
		data.gpgd = BIT_ULL(i);
		KUNIT_EXPECT_EQ(test, check_bind(&data, &stage1),
				i >= 12 && i < 48 ? 0 : -EINVAL);
		data.addr_width = 57;
		KUNIT_EXPECT_EQ(test, check_bind(&data, &stage1),
				i >= 12 && i < 57 ? 0 : -EINVAL);
	}
}

static void bind_pasids(struct kunit *test)
{
	static const struct {
		u64 flags, hpasid, gpasid;
		int rc;
	} cases[] = {
		{ 0, 0, 0, 0 },
		{ 0, 1, 0, -EINVAL },
		{ 0, 0, 1, -EINVAL },
		{ 0, 0, 1ULL << 63, -EINVAL },
		{ IOMMU_SVA_GPASID_VAL, 0, 1, -EINVAL },
		{ IOMMU_SVA_GPASID_VAL, 1, 0, 0 },
		{ IOMMU_SVA_GPASID_VAL, 0xfffff, 0, 0 },
		{ IOMMU_SVA_GPASID_VAL, 0x100000, 0, -EINVAL },
		{ IOMMU_SVA_GPASID_VAL, 1ULL << 32 | 1, 0, -EINVAL },
		{ IOMMU_SVA_GPASID_VAL, U64_MAX, 0, -EINVAL },
	};
	struct iommu_gpasid_bind_data data = {
		.version = IOMMU_UAPI_VERSION,
		.format = IOMMU_PASID_FORMAT_INTEL_VTD,
		.addr_width = 48,
	};
	struct iommufd_stage1 stage1;
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(cases); i++) {
		data.flags = cases[i].flags;
		data.hpasid = cases[i].hpasid;
		data.gpasid = cases[i].gpasid;
		KUNIT_EXPECT_EQ_MSG(test, check_bind(&data, &stage1), cases[i].rc,
				    "case %u", i);
	}
}

static void versions(struct kunit *test)
{
	unsigned int type;

	for (type = 0; type != NR_IOMMU_UAPI_TYPE; type++) {
		KUNIT_EXPECT_EQ(test, uapi_size(type, 0), (size_t)0);
		KUNIT_EXPECT_EQ(test, uapi_size(type, IOMMU_UAPI_VERSION + 1), (size_t)0);
		KUNIT_EXPECT_EQ(test, uapi_size(type, U32_MAX), (size_t)0);
	}
	KUNIT_EXPECT_EQ(test, uapi_size(IOMMU_UAPI_BIND_GPASID, 1), (size_t)72);
	KUNIT_EXPECT_EQ(test, uapi_size(IOMMU_UAPI_CACHE_INVAL, 1), (size_t)48);
	KUNIT_EXPECT_EQ(test, uapi_size(IOMMU_UAPI_PAGE_RESP, 1), (size_t)20);
}

static struct kunit_case nesting_cases[] = {
	KUNIT_CASE(inv_addresses),
	KUNIT_CASE(inv_whole),
	KUNIT_CASE(inv_model),
	KUNIT_CASE(bind_fields),
	KUNIT_CASE(bind_pasids),
	KUNIT_CASE(versions),
	{}
};

struct kunit_suite kt_nesting_suite = {
	.name = "iommufd_nesting",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = nesting_cases,
};
