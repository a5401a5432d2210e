// SPDX-License-Identifier: GPL-2.0-only
/*
 * What containers with two stages refuse, and with which errno: each rule of
 * <linux/iommu_nesting.h>, on a real IOMMU (with a shadow, which has no PASIDs), or
 * with --mock.
 */
#include <poll.h>
#include <stddef.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "iommu_util.h"
#include "nesting_dev.h"

/* Where the mock can map, too */
#define GPA 0x2000000ULL
#define SIZE (16 * PAGE)

static bool mock;
static struct nesting_dev devs[2];
static void *mem;

/* What poke() changes of a struct that is good, and what comes of it */
struct bad {
	const char *what;
	size_t offset;
	size_t width;
	uint64_t value;
	int want;
};

#define REQ struct vfio_iommu_type1_pasid_request
#define INV struct vfio_iommu_type1_cache_invalidate

#define BAD(type, member, value, want)                                        \
	{                                                                     \
		#member " = " #value, offsetof(type, member),                 \
			sizeof(((type *)0)->member), value, want              \
	}

static void poke(void *args, const struct bad *bad)
{
	memcpy((char *)args + bad->offset, &bad->value, bad->width);
}

/* Each change of a good struct, which is longer than @size by zeros, if at all */
static void refuse(int fd, unsigned long cmd, const char *name,
		   const void *good, size_t size, const struct bad *bad,
		   unsigned int n)
{
	char args[256];

	for (unsigned int i = 0; i < n; i++) {
		memset(args, 0, sizeof(args));
		memcpy(args, good, size);
		poke(args, &bad[i]);
		fails(ioctl(fd, cmd, args), bad[i].want, "%s: %s", name,
		      bad[i].what);
	}
}

#define REFUSE(fd, cmd, good, bad)                                            \
	refuse(fd, cmd, #cmd, &(good), sizeof(good), bad,                     \
	       sizeof(bad) / sizeof((bad)[0]))

/* What all structs that begin with their size have in common */
static void lengths(int fd, unsigned long cmd, const char *name,
		    const void *good, size_t size, bool can_succeed)
{
	char *page = alloc_pages(2 * PAGE), *args = page;
	uint32_t longer = size + 8;

	memcpy(args, good, size);
	*(uint32_t *)args = size - 1;
	fails(ioctl(fd, cmd, args), EINVAL, "%s: a byte too short", name);
	*(uint32_t *)args = 0;
	fails(ioctl(fd, cmd, args), EINVAL, "%s: no length", name);
	*(uint32_t *)args = longer;
	args[size + 7] = 1;
	fails(ioctl(fd, cmd, args), E2BIG, "%s: longer, and not zero", name);
	args[size + 7] = 0;
	if (can_succeed)
		ok(ioctl(fd, cmd, args) != -1, "%s: longer, and zero", name);
	*(uint32_t *)args = UINT32_MAX;
	fails(ioctl(fd, cmd, args), E2BIG, "%s: 4 GiB", name);
	fails(ioctl(fd, cmd, NULL), EFAULT, "%s: NULL", name);

	/* Its end is not in memory. */
	if (mprotect(page + PAGE, PAGE, PROT_NONE))
		bail("mprotect");
	args = page + PAGE - size + 1;
	memmove(args, good, size - 1);
	fails(ioctl(fd, cmd, args), EFAULT, "%s: a byte is missing", name);
	munmap(page, 2 * PAGE);
}

#define LENGTHS(fd, cmd, good, can_succeed)                                   \
	lengths(fd, cmd, #cmd, &(good), sizeof(good), can_succeed)

static const struct vfio_iommu_type1_pasid_request good_alloc = {
	.argsz = sizeof(good_alloc),
	.flags = VFIO_IOMMU_PASID_ALLOC,
	.alloc_pasid = { .min = 1, .max = 0xfffff },
};

static const struct vfio_iommu_type1_pasid_quota good_quota = {
	.argsz = sizeof(good_quota),
	.quota = 1000,
};

static const struct iommu_nesting_fault_alloc good_fault = {
	.size = sizeof(good_fault),
};

/* ------------------------------------------------------------------ */

/* All ioctls but GET_IOMMU_UAPI_VERSION */
static void all_fail(int fd, int want, const char *where)
{
	struct vfio_iommu_type1_pasid_request alloc = good_alloc;
	struct iommu_nesting_fault_alloc fault = good_fault;

	fails(ioctl(fd, VFIO_IOMMU_PASID_REQUEST, &alloc), want,
	      "%s: PASID_REQUEST", where);
	fails(pasid_quota(fd, 10), want, "%s: SET_PASID_QUOTA", where);
	fails(bind_table(fd, 0, GPA, 48), want, "%s: BIND", where);
	fails(unbind_table(fd, 0), want, "%s: UNBIND", where);
	fails(inv_domain(fd, IOMMU_CACHE_INV_TYPE_IOTLB), want,
	      "%s: CACHE_INVALIDATE", where);
	fails(ioctl(fd, IOMMU_NESTING_FAULT_ALLOC, &fault), want,
	      "%s: FAULT_ALLOC", where);
}

static void test_switch(void)
{
	struct nesting_box box;
	int fd = container_open();

	nesting_allow(false);
	if (node_is_iommufd())
		ok(ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1_NESTING_IOMMU) == 0,
		   "nesting=N: CHECK_EXTENSION is 0");
	fails(box_try(&box, VFIO_TYPE1_NESTING_IOMMU, devs, 1), EINVAL,
	      "nesting=N: SET_IOMMU");
	nesting_allow(true);
	ok(ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1_NESTING_IOMMU) == 1,
	   "nesting=Y: CHECK_EXTENSION is 1, without a group");
	fails(set_iommu(fd, VFIO_TYPE1_NESTING_IOMMU),
	      node_is_iommufd() ? ENODEV : EINVAL, "SET_IOMMU without a group");
	close(fd);
}

static void test_before(void)
{
	int fd = container_open(), version;
	struct nesting_box box;
	/* vfio.ko has no driver to ask. */
	int want = node_is_iommufd() ? ENODEV : EINVAL;

	all_fail(fd, want, "an empty container");
	version = ioctl(fd, VFIO_NESTING_GET_IOMMU_UAPI_VERSION);
	ok(version == (node_is_iommufd() ? 1 : -1),
	   "an empty container: GET_IOMMU_UAPI_VERSION");
	close(fd);

	box = box_open(0, devs, 1);
	all_fail(box.fd, want, "before SET_IOMMU");
	version = ioctl(box.fd, VFIO_NESTING_GET_IOMMU_UAPI_VERSION);
	ok(version == (node_is_iommufd() ? 1 : -1),
	   "before SET_IOMMU: GET_IOMMU_UAPI_VERSION");
	ok(!set_iommu(box.fd, VFIO_TYPE1_NESTING_IOMMU), "SET_IOMMU");
	fails(set_iommu(box.fd, VFIO_TYPE1_NESTING_IOMMU), EINVAL,
	      "SET_IOMMU again");
	box_close(&box);
}

static void test_other_types(void)
{
	static const unsigned long types[] = {
		VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU,
	};

	for (unsigned int i = 0; i != 2; i++) {
		struct nesting_box box = box_open(types[i], devs, 1);
		struct vfio_iommu_type1_info *info = get_info(box.fd, 4096);
		struct vfio_info_cap_header *cap = find_cap(info, 2);
		char where[32];

		snprintf(where, sizeof(where), "type %lu", types[i]);
		all_fail(box.fd, EOPNOTSUPP, where);
		ok(ioctl(box.fd, VFIO_NESTING_GET_IOMMU_UAPI_VERSION) == 1,
		   "%s: GET_IOMMU_UAPI_VERSION", where);
		ok(cap && ((struct vfio_iommu_type1_info_cap_migration *)cap)
					  ->pgsize_bitmap == PAGE,
		   "%s: capability 2 is MIGRATION", where);
		free(info);
		box_close(&box);
	}
}

static void test_info(int fd)
{
	struct vfio_iommu_type1_info *info = get_info(fd, 4096);
	struct vfio_iommu_type1_info_cap_nesting *cap =
		(void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_NESTING);
	uint64_t size = 0;

	ok(cap && cap->header.version == 1 &&
	   cap->pasid_format == IOMMU_PASID_FORMAT_INTEL_VTD,
	   "GET_INFO: capability 2 is NESTING, of VT-d's format");
	ok(find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) &&
	   find_cap(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL),
	   "and the others are there");
	free(info);
	fails(dma_unmap(fd, GPA, SIZE / 2, &size), EINVAL,
	      "the type implies v2: no cuts");
}

/* ------------------------------------------------------------------ */

static void test_pasids(int fd)
{
	static const struct bad bad[] = {
		BAD(REQ, flags, 0, EINVAL),
		BAD(REQ, flags, 3, EINVAL),
		BAD(REQ, flags, 4, EINVAL),
		BAD(REQ, flags, 5, EINVAL),
		BAD(REQ, alloc_pasid.min, 0x100000, EINVAL),
		BAD(REQ, alloc_pasid.max, 0, EINVAL),
	};
	static const struct vfio_iommu_type1_pasid_request none = {
		.argsz = sizeof(none),
		.flags = VFIO_IOMMU_PASID_ALLOC,
		.alloc_pasid = { .min = 0x100000, .max = UINT32_MAX },
	};
	uint64_t before = iommufd_stat("pasids");
	uint32_t a, b, c;
	struct vfio_iommu_type1_pasid_request *readonly;

	REFUSE(fd, VFIO_IOMMU_PASID_REQUEST, good_alloc, bad);
	LENGTHS(fd, VFIO_IOMMU_PASID_REQUEST, good_alloc, false);
	ok(iommufd_stat("pasids") == before, "no PASID was given");

	ok(!pasid_alloc(fd, 100, 200, &a) && a >= 100 && a <= 200,
	   "one of [100, 200]: %u", a);
	ok(!pasid_alloc(fd, 100, 200, &b) && b >= 100 && b <= 200 && a != b,
	   "another one: %u", b);
	fails(pasid_alloc(fd, a, a, &c), ENOSPC, "one that is taken");
	ok(!pasid_alloc(fd, 0, 0xfffff, &c) && c > 0, "0 is never given");
	fails(pasid_alloc(fd, 0, 0, &c), ENOSPC, "not even if wanted");
	fails(ioctl(fd, VFIO_IOMMU_PASID_REQUEST, &none), ENOSPC,
	      "PASIDs have 20 bits");
	ok(!pasid_free(fd, c) && !pasid_free(fd, b), "give two back");
	fails(pasid_free(fd, b), ENOENT, "FREE of one that nobody holds");
	fails(pasid_free(fd, 0), ENOENT, "FREE of 0");
	fails(pasid_free(fd, UINT32_MAX), ENOENT, "FREE of more than 20 bits");
	ok(!pasid_alloc(fd, b, b, &c) && c == b, "what was given back is free");
	ok(!pasid_free(fd, a) && !pasid_free(fd, b), "give them back");

	readonly = alloc_pages(PAGE);
	*readonly = good_alloc;
	mprotect(readonly, PAGE, PROT_READ);
	fails(ioctl(fd, VFIO_IOMMU_PASID_REQUEST, readonly), EFAULT,
	      "the answer cannot be written");
	munmap(readonly, PAGE);
	ok(iommufd_stat("pasids") == before, "the PASID went back");
}

/* In a process without CAP_SYS_RESOURCE */
static int child_quota(void *arg)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2];
	int fd = *(int *)arg;

	must(!syscall(SYS_capget, &head, caps));
	caps[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &=
		~CAP_TO_MASK(CAP_SYS_RESOURCE);
	must(!syscall(SYS_capset, &head, caps));
	must(pasid_quota(fd, 1001) == -1 && errno == EPERM);
	must(pasid_quota(fd, 1000) == 1000);
	return 0;
}

static void test_quota(int fd)
{
	static const struct bad bad[] = {
		BAD(struct vfio_iommu_type1_pasid_quota, flags, 1, EINVAL),
		BAD(struct vfio_iommu_type1_pasid_quota, quota, 0x80000000, EINVAL),
	};
	uint32_t a, b, c;

	REFUSE(fd, VFIO_IOMMU_SET_PASID_QUOTA, good_quota, bad);
	LENGTHS(fd, VFIO_IOMMU_SET_PASID_QUOTA, good_quota, true);
	ok(pasid_quota(fd, 2) == 2, "a quota of 2");
	ok(!pasid_alloc(fd, 1, 0xfffff, &a) && !pasid_alloc(fd, 1, 0xfffff, &b),
	   "two PASIDs");
	fails(pasid_alloc(fd, 1, 0xfffff, &c), ENOSPC, "no third one");
	fails(pasid_quota(fd, 1), EINVAL, "no quota below what is held");
	ok(pasid_quota(fd, 3) == 3 && !pasid_alloc(fd, 1, 0xfffff, &c),
	   "a quota of 3, and a third one");
	ok(!pasid_free(fd, a) && pasid_quota(fd, 2) == 2, "one less");
	ok(!pasid_free(fd, b) && !pasid_free(fd, c) && !pasid_quota(fd, 0),
	   "a quota of 0");
	fails(pasid_alloc(fd, 1, 0xfffff, &a), ENOSPC, "allows none");
	ok(pasid_quota(fd, 1001) == 1001,
	   "more than the default, with CAP_SYS_RESOURCE");
	ok(!in_child(child_quota, &fd), "and not without");
}

/* ------------------------------------------------------------------ */

static void test_bind(int fd)
{
	static const struct bad bad[] = {
		BAD(struct bind_args, flags, 0, EINVAL),
		BAD(struct bind_args, flags, 3, EINVAL),
		BAD(struct bind_args, flags, 4, EINVAL),
		BAD(struct bind_args, data.version, 0, EINVAL),
		BAD(struct bind_args, data.version, 2, EINVAL),
		BAD(struct bind_args, data.format, 0, EINVAL),
		BAD(struct bind_args, data.format, 2, EINVAL),
		BAD(struct bind_args, data.flags, 2, EINVAL),
		BAD(struct bind_args, data.flags, 1ULL << 63, EINVAL),
		BAD(struct bind_args, data.hpasid, 1, EINVAL),
		BAD(struct bind_args, data.gpasid, 1, EINVAL),
		BAD(struct bind_args, data.addr_width, 0, EINVAL),
		BAD(struct bind_args, data.addr_width, 39, EINVAL),
		BAD(struct bind_args, data.addr_width, 47, EINVAL),
		BAD(struct bind_args, data.addr_width, 49, EINVAL),
		BAD(struct bind_args, data.addr_width, 64, EINVAL),
		BAD(struct bind_args, data.gpgd, GPA + 8, EINVAL),
		BAD(struct bind_args, data.gpgd, GPA + 2048, EINVAL),
		BAD(struct bind_args, data.gpgd, 1ULL << 48, EINVAL),
		BAD(struct bind_args, data.padding[0], 1, EINVAL),
		BAD(struct bind_args, data.padding[11], 1, EINVAL),
		BAD(struct bind_args, data.vtd.flags, IOMMU_SVA_VTD_GPASID_EAFE, EINVAL),
		BAD(struct bind_args, data.vtd.flags, IOMMU_SVA_VTD_GPASID_CD, EINVAL),
		BAD(struct bind_args, data.vtd.flags, 0x40, EINVAL),
		BAD(struct bind_args, data.vtd.flags, 1ULL << 32, EINVAL),
		BAD(struct bind_args, data.vtd.emt, 8, EINVAL),
	};
	static const struct bad bad_pasid[] = {
		BAD(struct bind_args, data.hpasid, 0, EINVAL),
		BAD(struct bind_args, data.hpasid, 0x100000, EINVAL),
		BAD(struct bind_args, data.hpasid, 1ULL << 32, EINVAL),
	};
	struct bind_args good = bind_args(0, GPA, 48), pasid;
	uint32_t held;

	REFUSE(fd, VFIO_IOMMU_BIND, good, bad);
	LENGTHS(fd, VFIO_IOMMU_BIND, good, false);
	fails(unbind_table(fd, 0), ENOENT, "nothing was bound");

	pasid = bind_args(77, GPA, 48);
	REFUSE(fd, VFIO_IOMMU_BIND, pasid, bad_pasid);
	fails(bind_table(fd, 77, GPA, 48), mock ? ENOENT : EOPNOTSUPP,
	      "BIND of a PASID that nobody holds");
	ok(!pasid_alloc(fd, 1, 0xfffff, &held), "one that is held");
	if (mock) {
		ok(!bind_table(fd, held, GPA, 48), "BIND of it");
		fails(bind_table(fd, held, GPA, 57), EBUSY, "BIND again");
		fails(pasid_free(fd, held), EBUSY, "FREE while it is bound");
		ok(!unbind_table(fd, held), "UNBIND");
	} else {
		fails(bind_table(fd, held, GPA, 48), EOPNOTSUPP,
		      "BIND with a PASID: a shadow has none");
	}
	fails(unbind_table(fd, held), ENOENT, "UNBIND of what is not bound");
	fails(unbind_table(fd, 0xfffffff), ENOENT, "UNBIND of no PASID");
	ok(!pasid_free(fd, held), "FREE");

	ok(!bind_table(fd, 0, GPA, 48), "BIND without a PASID, 4 levels");
	fails(bind_table(fd, 0, GPA, 48), EBUSY, "BIND again");
	ok(!unbind_table(fd, 0), "UNBIND");
	ok(!bind_table(fd, 0, GPA, 57), "BIND, 5 levels");
	ok(!unbind_table(fd, 0), "UNBIND");
	fails(unbind_table(fd, 0), ENOENT, "UNBIND again");
	good.data.vtd.flags = IOMMU_SVA_VTD_GPASID_SRE;
	ok(!ioctl(fd, VFIO_IOMMU_BIND, &good) && !unbind_table(fd, 0),
	   "SRE is a guest's choice");
	good.data.vtd.flags = IOMMU_SVA_VTD_GPASID_PCD |
			      IOMMU_SVA_VTD_GPASID_PWT |
			      IOMMU_SVA_VTD_GPASID_EMTE;
	good.data.vtd.emt = 6;
	good.data.vtd.pat = 0x70106;
	if (mock)
		ok(!ioctl(fd, VFIO_IOMMU_BIND, &good) && !unbind_table(fd, 0),
		   "so are memory types, where there are any");
	else
		fails(ioctl(fd, VFIO_IOMMU_BIND, &good), EINVAL,
		      "a shadow has no memory types");
}

/* ------------------------------------------------------------------ */

/* Each cache at each granularity */
static void test_matrix(int fd, uint32_t pasid)
{
	static const uint8_t allowed[] = {
		[IOMMU_INV_GRANU_DOMAIN] = IOMMU_CACHE_INV_TYPE_IOTLB |
					   IOMMU_CACHE_INV_TYPE_PASID,
		[IOMMU_INV_GRANU_PASID] = 7,
		[IOMMU_INV_GRANU_ADDR] = IOMMU_CACHE_INV_TYPE_IOTLB |
					 IOMMU_CACHE_INV_TYPE_DEV_IOTLB,
	};
	struct vfio_iommu_type1_cache_invalidate args;
	bool want;
	int rc;

	for (unsigned int granu = 0; granu != 4; granu++) {
		for (unsigned int cache = 0; cache != 16; cache++) {
			args = inv_args(cache, granu);
			if (granu == IOMMU_INV_GRANU_PASID) {
				args.cache_info.granu.pasid_info.flags = 1;
				args.cache_info.granu.pasid_info.pasid = pasid;
			} else if (granu == IOMMU_INV_GRANU_ADDR) {
				args.cache_info.granu.addr_info.granule_size = PAGE;
				args.cache_info.granu.addr_info.nb_granules = 1;
			}
			want = granu < 3 && cache &&
			       !(cache & ~allowed[granu]);
			errno = 0;
			rc = ioctl(fd, VFIO_IOMMU_CACHE_INVALIDATE, &args);
			ok(want ? !rc : rc == -1 && errno == EINVAL,
			   "CACHE_INVALIDATE of caches %#x at granularity %u: %s",
			   cache, granu, want ? "done" : "EINVAL");
		}
	}
}

static void test_invalidate(int fd)
{
	static const struct bad bad[] = {
		BAD(INV, flags, 1, EINVAL),
		BAD(INV, cache_info.version, 0, EINVAL),
		BAD(INV, cache_info.version, 2, EINVAL),
		BAD(INV, cache_info.padding[0], 1, EINVAL),
		BAD(INV, cache_info.padding[1], 1, EINVAL),
	};
	static const struct bad bad_addr[] = {
		BAD(INV, cache_info.granu.addr_info.flags, 8, EINVAL),
		BAD(INV, cache_info.granu.addr_info.flags, 1, EINVAL),
		BAD(INV, cache_info.granu.addr_info.flags, 2, EOPNOTSUPP),
		BAD(INV, cache_info.granu.addr_info.archid, 1, EINVAL),
		BAD(INV, cache_info.granu.addr_info.pasid, 1, EINVAL),
		BAD(INV, cache_info.granu.addr_info.granule_size, 0, EINVAL),
		BAD(INV, cache_info.granu.addr_info.granule_size, 2048, EINVAL),
		BAD(INV, cache_info.granu.addr_info.granule_size, 12288, EINVAL),
		BAD(INV, cache_info.granu.addr_info.addr, 0x201000 + 1, EINVAL),
		BAD(INV, cache_info.granu.addr_info.addr, 0x201000 + 2048, EINVAL),
		BAD(INV, cache_info.granu.addr_info.nb_granules, 0, EINVAL),
		BAD(INV, cache_info.granu.addr_info.nb_granules, 1ULL << 52, EINVAL),
		BAD(INV, cache_info.granu.addr_info.nb_granules, UINT64_MAX, EINVAL),
	};
	static const struct bad bad_pasid[] = {
		BAD(INV, cache_info.granu.pasid_info.flags, 0, EINVAL),
		BAD(INV, cache_info.granu.pasid_info.flags, 4, EINVAL),
		BAD(INV, cache_info.granu.pasid_info.flags, 2, EINVAL),
		BAD(INV, cache_info.granu.pasid_info.flags, 3, EOPNOTSUPP),
		BAD(INV, cache_info.granu.pasid_info.archid, 1, EINVAL),
		BAD(INV, cache_info.granu.pasid_info.pasid, 0, EINVAL),
		BAD(INV, cache_info.granu.pasid_info.pasid, 0x100000, EINVAL),
		BAD(INV, cache_info.granu.pasid_info.pasid, 1ULL << 32, EINVAL),
	};
	struct vfio_iommu_type1_cache_invalidate good =
		inv_args(IOMMU_CACHE_INV_TYPE_IOTLB, IOMMU_INV_GRANU_DOMAIN);
	struct vfio_iommu_type1_cache_invalidate arch;
	uint32_t held;

	REFUSE(fd, VFIO_IOMMU_CACHE_INVALIDATE, good, bad);
	LENGTHS(fd, VFIO_IOMMU_CACHE_INVALIDATE, good, true);
	memset(&good.cache_info.granu, 0xa5, sizeof(good.cache_info.granu));
	ok(!ioctl(fd, VFIO_IOMMU_CACHE_INVALIDATE, &good),
	   "DOMAIN reads only version and cache");

	ok(!pasid_alloc(fd, 1, 0xfffff, &held), "a PASID");
	test_matrix(fd, held);

	good = inv_args(IOMMU_CACHE_INV_TYPE_IOTLB, IOMMU_INV_GRANU_ADDR);
	good.cache_info.granu.addr_info.addr = 0x201000;
	good.cache_info.granu.addr_info.granule_size = PAGE;
	good.cache_info.granu.addr_info.nb_granules = 1;
	REFUSE(fd, VFIO_IOMMU_CACHE_INVALIDATE, good, bad_addr);
	ok(!inv_addr(fd, 1, 0, 0xfffffffffffff000ULL, PAGE, 1, 0),
	   "the last page of all");
	ok(!inv_addr(fd, 1, held, 1ULL << 62, 1ULL << 62, 1, 4), "a large granule");
	fails(inv_addr(fd, 1, 0, 1ULL << 63, 1ULL << 63, 2, 0), EINVAL, "an overflow");

	good = inv_args(IOMMU_CACHE_INV_TYPE_IOTLB, IOMMU_INV_GRANU_PASID);
	good.cache_info.granu.pasid_info.flags = IOMMU_INV_PASID_FLAGS_PASID;
	good.cache_info.granu.pasid_info.pasid = held;
	REFUSE(fd, VFIO_IOMMU_CACHE_INVALIDATE, good, bad_pasid);
	arch = good;
	arch.cache_info.granu.pasid_info.flags = IOMMU_INV_PASID_FLAGS_ARCHID;
	arch.cache_info.granu.pasid_info.pasid = 0;
	arch.cache_info.granu.pasid_info.archid = 5;
	fails(ioctl(fd, VFIO_IOMMU_CACHE_INVALIDATE, &arch), EOPNOTSUPP,
	      "an ARCHID");
	ok(!pasid_free(fd, held), "FREE");
	fails(inv_pasid(fd, 1, held), ENOENT,
	      "CACHE_INVALIDATE of a PASID that nobody holds");
}

/* ------------------------------------------------------------------ */

static void test_faults(int fd)
{
	static const struct bad bad[] = {
		BAD(struct iommu_nesting_fault_alloc, flags, 1, EOPNOTSUPP),
		BAD(struct iommu_nesting_fault_alloc, __reserved, 1, EOPNOTSUPP),
	};
	struct iommu_nesting_page_response resp = {
		.version = IOMMU_UAPI_VERSION,
	};
	struct iommu_fault recs[2];
	struct pollfd pfd;
	int file, again;

	REFUSE(fd, IOMMU_NESTING_FAULT_ALLOC, good_fault, bad);
	LENGTHS(fd, IOMMU_NESTING_FAULT_ALLOC, good_fault, false);
	file = nesting_fault_fd(fd);
	ok(file >= 0 && fcntl(file, F_GETFD) == FD_CLOEXEC,
	   "a file for faults, close-on-exec");
	fails(nesting_fault_fd(fd), EBUSY, "one at a time");
	ok(read(file, recs, sizeof(recs)) == 0, "no fault");
	fails(read(file, recs, sizeof(recs[0]) - 1), EINVAL,
	      "no room for a record");
	ok(read(file, recs, 0) == 0, "read of nothing");
	fails(write(file, &resp, sizeof(resp)), EINVAL, "nobody waits for that");
	fails(write(file, &resp, sizeof(resp) - 1), EINVAL, "a part of a response");
	pfd = (struct pollfd){ .fd = file, .events = POLLIN | POLLOUT };
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT, "poll");
	close(file);
	again = nesting_fault_fd(fd);
	ok(again >= 0, "another one when it is closed");
	close(again);
}

/* Another process, with a container of its own */
static int child_other(void *arg)
{
	uint32_t *pasid = arg;
	struct nesting_box box = box_open(VFIO_TYPE1_NESTING_IOMMU, &devs[1], 1);

	must(pasid_free(box.fd, *pasid) == -1 && errno == EACCES);
	must(inv_pasid(box.fd, 1, *pasid) == -1 && errno == EACCES);
	if (mock)
		must(bind_table(box.fd, *pasid, GPA, 48) == -1 &&
		     errno == EACCES);
	must(pasid_alloc(box.fd, *pasid, *pasid, pasid) == -1 &&
	     errno == ENOSPC);
	box_close(&box);
	return 0;
}

/* All or nothing */
static void test_none(void)
{
	struct nesting_box box;
	int device;

	nesting_find(true, devs, 2);
	nesting_allow(true);
	fails(box_try(&box, VFIO_TYPE1_NESTING_IOMMU, &devs[1], 1), EOPNOTSUPP,
	      "SET_IOMMU with a device that has no backend");
	box = box_open(0, devs, 2);
	fails(set_iommu(box.fd, VFIO_TYPE1_NESTING_IOMMU), EOPNOTSUPP,
	      "with one that has, and one that has not");
	fails(device_fd(box.groups[0], devs[0].name), EINVAL, "none of them is attached");
	ok(!set_iommu(box.fd, VFIO_TYPE1v2_IOMMU), "another type is as good as ever");
	device = device_fd(box.groups[1], devs[1].name);
	ok(device >= 0 && !close(device), "and both are attached");
	box_close(&box);

	box = box_open(VFIO_TYPE1_NESTING_IOMMU, devs, 1);
	device = group_open(devs[1].group);
	fails(set_container(device, box.fd), EOPNOTSUPP, "one that comes later");
	ok(!inv_domain(box.fd, IOMMU_CACHE_INV_TYPE_IOTLB), "the other has what it had");
	close(device);
	box_close(&box);
}

static void test_all(void)
{
	struct nesting_box box;
	uint32_t pasid;

	nesting_find(mock, devs, 2);
	mem = alloc_pages(SIZE);

	test_switch();
	test_before();
	test_other_types();

	box = box_open(VFIO_TYPE1_NESTING_IOMMU, devs, 1);
	ok(!dma_map(box.fd, GPA, mem, SIZE), "MAP_DMA");
	test_info(box.fd);
	test_pasids(box.fd);
	test_quota(box.fd);
	test_bind(box.fd);
	test_invalidate(box.fd);
	test_faults(box.fd);
	ok(!pasid_alloc(box.fd, 1, 0xfffff, &pasid) &&
	   !in_child(child_other, &pasid), "a PASID of another process");
	box_close(&box);
}

int main(int argc, char **argv)
{
	bool none = argc > 1 && !strcmp(argv[1], "--none");

	mock = argc > 1 && !strcmp(argv[1], "--mock");
	if (none)
		test_none();
	else
		test_all();
	iommufd_stat_wait("contexts", 0);
	ok(iommufd_stat("pasids") == 0 && iommufd_stat("objects") == 0 &&
	   iommufd_stat("pinned_pages") == 0, "nothing is left");
	nesting_allow(false);
	return tap_done();
}
