// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables that userspace makes: HWPT_ALLOC, GET_HW_INFO, HWPT_INVALIDATE, the
 * vIOMMU commands that there are no objects for, attaching devices to page tables
 * and moving them.  Each errno that the manual has, and that what fails changes
 * nothing.
 *
 * known-bugs.md rows 19 and 20 (ids that are destroyed while they are used, or
 * guessed), 24 (entry_num * entry_len), 27 (nested parents with a fault queue,
 * a type of data without data, parents of another kind).
 */
#include <stdatomic.h>

#include "mock_util.h"

#define N 32
#define SIZE (N * PAGE)
#define ROUNDS 400
#define NO_ID 12345

static int fd;
static uint32_t ioas;
static struct mock dev;
static char *mem;

/* ------------------------------------------------------------------ */
/* HWPT_ALLOC */

/* A good one: the caller spoils it. */
static struct iommu_hwpt_alloc good_alloc(void)
{
	return (struct iommu_hwpt_alloc){
		.dev_id = dev.idev,
		.pt_id = ioas,
	};
}

static int alloc_flags(uint32_t flags)
{
	uint32_t id;

	return hwpt_alloc(fd, dev.idev, ioas, flags, &id);
}

static int alloc_on(uint32_t idev, uint32_t pt)
{
	uint32_t id;

	return hwpt_alloc(fd, idev, pt, 0, &id);
}

static int alloc_data(uint32_t pt, uint32_t flags, uint32_t type,
		      const void *data, uint32_t len)
{
	struct iommu_hwpt_alloc cmd = good_alloc();

	cmd.pt_id = pt;
	cmd.flags = flags;
	cmd.data_type = type;
	cmd.data_len = len;
	cmd.data_uptr = (uintptr_t)data;
	return hwpt_alloc_cmd(fd, &cmd);
}

static int alloc_fault(uint32_t pt, uint32_t flags, uint32_t fault)
{
	struct iommu_hwpt_alloc cmd = good_alloc();

	cmd.pt_id = pt;
	cmd.flags = flags | IOMMU_HWPT_FAULT_ID_VALID;
	cmd.fault_id = fault;
	return hwpt_alloc_cmd(fd, &cmd);
}

static void test_alloc_flags(void)
{
	struct iommu_hwpt_alloc cmd = good_alloc();
	unsigned int bit;

	for (bit = 4; bit != 32; bit++) {
		if (alloc_flags(1U << bit) != -1 || errno != EOPNOTSUPP)
			break;
	}
	refused(alloc_flags(UINT32_MAX), EOPNOTSUPP, "all flags");
	ok(bit == 32, "each flag that nobody knows (%u)", bit);
	cmd.__reserved = 1;
	refused(hwpt_alloc_cmd(fd, &cmd), EOPNOTSUPP, "__reserved");
	cmd = good_alloc();
	cmd.__reserved2 = 1;
	refused(hwpt_alloc_cmd(fd, &cmd), EOPNOTSUPP, "__reserved2");
	/* Row 27 */
	refused(alloc_fault(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, NO_ID),
		EOPNOTSUPP, "a nesting parent with a fault queue");
}

static void test_alloc_ids(void)
{
	struct mock clean = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_NO_DIRTY);
	uint32_t fault, id;
	int queue = fault_new(fd, &fault);

	refused(alloc_on(NO_ID, ioas), ENOENT, "no such device");
	refused(alloc_on(0, ioas), ENOENT, "device 0");
	refused(alloc_on(UINT32_MAX, ioas), ENOENT, "device 2^32 - 1");
	refused(alloc_on(ioas, ioas), ENOENT, "an IOAS for a device");
	refused(alloc_on(dev.stdev, ioas), ENOENT,
		"the object that owns the device");
	refused(alloc_on(dev.hwpt, ioas), ENOENT, "an HWPT for a device");
	refused(alloc_on(dev.idev, NO_ID), EINVAL, "no such IOAS or HWPT");
	refused(alloc_on(dev.idev, 0), EINVAL, "pt_id 0");
	refused(alloc_on(dev.idev, dev.idev), EINVAL, "a device for an IOAS");
	refused(alloc_on(dev.idev, dev.stdev), EINVAL, "its owner");
	refused(alloc_on(dev.idev, fault), EINVAL, "a fault queue");
	refused(alloc_fault(ioas, 0, NO_ID), ENOENT, "no such fault queue");
	refused(alloc_fault(ioas, 0, 0), ENOENT, "fault queue 0");
	refused(alloc_fault(ioas, 0, ioas), ENOENT, "an IOAS for a queue");
	refused(hwpt_alloc(fd, clean.idev, ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
			   &id), EOPNOTSUPP,
		"dirty tracking, on an IOMMU without it");
	ok(!mock_destroy(fd, &clean), "destroy that device");
	refused(alloc_on(clean.idev, ioas), ENOENT, "its id is gone");
	ok(!close(queue) && !iommu_destroy_id(fd, fault), "destroy the queue");
}

/* Row 27, and all ways in which data can be wrong */
static void test_alloc_data(void)
{
	const uint32_t type = IOMMU_HWPT_DATA_SELFTEST;
	uint32_t parent = hwpt_new(fd, dev.idev, ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT);
	struct iommu_hwpt_selftest bad = { .pagetable_type = 2 };
	struct {
		struct iommu_hwpt_selftest known;
		uint32_t more;
	} longer = { .more = 1 };
	char *end = mem_before_hole(1);

	refused(alloc_data(ioas, 0, IOMMU_HWPT_DATA_NONE, &bad, 4), EINVAL,
		"no type, but a length");
	refused(alloc_data(ioas, 0, type, &bad, 0), EINVAL,
		"a type, but no length");
	refused(alloc_data(parent, 0, type, &bad, 0), EINVAL,
		"the same, nested");
	refused(alloc_data(ioas, 0, IOMMU_HWPT_DATA_AMD_GUEST, &bad,
			   sizeof(bad)), EOPNOTSUPP, "data of another IOMMU");
	refused(alloc_data(parent, 0, IOMMU_HWPT_DATA_AMD_GUEST, &bad,
			   sizeof(bad)), EOPNOTSUPP, "the same, nested");
	refused(alloc_data(ioas, 0, UINT32_MAX, &bad, sizeof(bad)), EOPNOTSUPP,
		"type 2^32 - 1");
	refused(alloc_data(ioas, 0, type, &bad, sizeof(bad)), EOPNOTSUPP,
		"a kind of page table that there is not");
	refused(alloc_data(ioas, 0, type, &bad, 3), EINVAL, "too short");
	refused(alloc_data(parent, 0, type, &bad, 1), EINVAL,
		"too short, nested");
	refused(alloc_data(parent, 0, type, &longer, sizeof(longer)), E2BIG,
		"longer than known, not zero");
	refused(alloc_data(parent, 0, type, &longer, UINT32_MAX), E2BIG,
		"2^32 - 1 bytes");
	refused(alloc_data(parent, 0, type, NULL, sizeof(bad)), EFAULT,
		"no memory at 0");
	refused(alloc_data(parent, 0, type, end + PAGE - 4, sizeof(bad)),
		EFAULT, "memory that ends in it");
	refused(alloc_data(parent, 0, type, (void *)(0 - PAGE), sizeof(bad)),
		EFAULT, "kernel memory");
	refused(alloc_data(parent, 0, type, (void *)-4UL, sizeof(bad)),
		EFAULT, "memory past 2^64");

	longer.more = 0;
	ok(!alloc_data(parent, 0, type, &longer, sizeof(longer)),
	   "longer than known, but zero");
	ok(!alloc_data(ioas, 0, type, end + PAGE - 4, 4),
	   "the first published form");
	munmap(end, 2 * PAGE);
}

/* All but page tables that are for it is no parent. */
static void test_parents(void)
{
	struct iommu_hwpt_selftest data = { .iotlb = 1 };
	const uint32_t type = IOMMU_HWPT_DATA_SELFTEST, len = sizeof(data);
	uint32_t plain = hwpt_new(fd, dev.idev, ioas, 0);
	uint32_t dirty = hwpt_new(fd, dev.idev, ioas,
				  IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	uint32_t parent = hwpt_new(fd, dev.idev, ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT);
	uint32_t nested = mock_nested_new(fd, dev.idev, parent, 0, 0);

	refused(alloc_data(plain, 0, type, &data, len), EINVAL,
		"on top of one that is no parent");
	refused(alloc_data(dirty, 0, type, &data, len), EINVAL,
		"on top of one that tracks dirty pages");
	refused(alloc_data(nested, 0, type, &data, len), EINVAL,
		"on top of a nested one");
	refused(alloc_data(dev.hwpt, 0, type, &data, len), EINVAL,
		"on top of one that made itself");
	refused(alloc_data(parent, 0, IOMMU_HWPT_DATA_NONE, NULL, 0),
		EOPNOTSUPP, "nested without data");
	refused(alloc_data(parent, IOMMU_HWPT_ALLOC_NEST_PARENT, type, &data,
			   len), EOPNOTSUPP, "a nested parent");
	refused(alloc_data(parent, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, type,
			   &data, len), EOPNOTSUPP,
		"a nested one that tracks dirty pages");
	refused(iommu_destroy_id(fd, parent), EBUSY,
		"the parent goes after its children");
	ok(!iommu_destroy_id(fd, nested), "destroy the child");
	refused(iommu_destroy_id(fd, nested), ENOENT, "it is gone");
	ok(!iommu_destroy_id(fd, parent) && !iommu_destroy_id(fd, plain) &&
	   !iommu_destroy_id(fd, dirty), "destroy the others");
	refused(alloc_data(parent, 0, type, &data, len), EINVAL,
		"on top of one that is gone");
}

/* A page table that cannot show what is mapped, or what was promised */
static void test_alloc_place(void)
{
	struct iommu_hwpt_selftest huge = { .pagetable_type = MOCK_IOMMUPT_HUGE };
	uint32_t other = ioas_new(fd), hwpt;

	ok(!ioas_map_at(fd, other, mem, PAGE, PAGE, IOAS_RW),
	   "a mapping before the aperture");
	refused(alloc_on(dev.idev, other), EADDRINUSE, "make a page table");
	refused(mock_make_only(fd, other, 0), EADDRINUSE, "attach a device");
	refused(mock_replace(fd, &dev, other), EADDRINUSE, "move a device");
	ok(!ioas_unmap_all(fd, other, NULL), "unmap");

	ok(!ioas_allow(fd, other, 0, IOVA + PAGE - 1), "a promise to 0");
	refused(alloc_on(dev.idev, other), EADDRINUSE, "make a page table");
	refused(mock_make_only(fd, other, 0), EADDRINUSE, "attach a device");
	ok(!ioas_allow(fd, other, IOVA, IOVA + PAGE - 1), "in the aperture");
	ok(!hwpt_alloc(fd, dev.idev, other, 0, &hwpt), "make a page table");
	refused(ioas_allow(fd, other, 0, IOVA - 1), EADDRINUSE,
		"what it cannot translate is not promised any more");
	ok(!iommu_destroy_id(fd, hwpt) &&
	   !ioas_allow(fd, other, 0, UINT64_MAX) && !ioas_allow_all(fd, other),
	   "without it, all is");
	ok(!ioas_map_at(fd, other, mem + 100, 100, IOVA + 100, IOAS_RW),
	   "a mapping of bytes");
	refused(alloc_on(dev.idev, other), EADDRINUSE, "make a page table");
	ok(!ioas_unmap_all(fd, other, NULL), "unmap");

	ok(!ioas_map_at(fd, other, mem + MOCK_PAGE_SIZE, PAGE,
			IOVA + MOCK_PAGE_SIZE, IOAS_RW),
	   "a mapping of half pages");
	refused(alloc_data(other, 0, IOMMU_HWPT_DATA_SELFTEST, &huge,
			   sizeof(huge)), EADDRINUSE,
		"a page table of whole ones");
	ok(!hwpt_alloc(fd, dev.idev, other, 0, &hwpt) &&
	   !mock_check_map(fd, hwpt, IOVA + MOCK_PAGE_SIZE,
			   mem + MOCK_PAGE_SIZE, PAGE),
	   "one of half pages shows it");
	refused(iommu_destroy_id(fd, other), EBUSY, "the IOAS is in use");
	ok(!iommu_destroy_id(fd, hwpt) && !iommu_destroy_id(fd, other),
	   "destroy both");
}

/* Memory that is not there, and an answer that is lost */
static void test_alloc_fill(void)
{
	struct iommu_hwpt_alloc cmd = good_alloc();
	uint32_t other = ioas_new(fd);
	char *hole = mem_before_hole(4);

	ok(!ioas_map_at(fd, other, mem, SIZE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, other, hole, 5 * PAGE, 2 * IOVA, IOAS_RW),
	   "two mappings, the end of the second cannot be read");
	refused(alloc_on(dev.idev, other), EFAULT, "make a page table");
	ok(!mock_check_refs(fd, mem, SIZE, 0) &&
	   !mock_check_refs(fd, hole, 4 * PAGE, 0), "nothing is pinned");
	ok(!ioas_unmap(fd, other, 2 * IOVA, 5 * PAGE, NULL), "unmap it");

	cmd.pt_id = other;
	cmd.size = sizeof(cmd);
	refused(ioctl_read_only(fd, IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd)),
		EFAULT, "an answer that cannot be written");
	ok(!mock_check_refs(fd, mem, SIZE, 0), "nothing is pinned");
	ok(!iommu_destroy_id(fd, other), "destroy");
	munmap(hole, 5 * PAGE);
}

/* ------------------------------------------------------------------ */
/* GET_HW_INFO */

static struct iommu_hw_info good_info(void *buf, uint32_t len)
{
	return (struct iommu_hw_info){
		.size = sizeof(struct iommu_hw_info),
		.dev_id = dev.idev,
		.data_len = len,
		.data_uptr = (uintptr_t)buf,
	};
}

static int hw_info(struct iommu_hw_info cmd)
{
	return ioctl(fd, IOMMU_GET_HW_INFO, &cmd);
}

static int hw_info_flags(uint32_t flags, uint32_t type)
{
	struct iommu_test_hw_info info;
	struct iommu_hw_info cmd = good_info(&info, sizeof(info));

	cmd.flags = flags;
	cmd.in_data_type = type;
	return hw_info(cmd);
}

static int hw_info_of(uint32_t id)
{
	struct iommu_hw_info cmd = good_info(NULL, 0);

	cmd.dev_id = id;
	return hw_info(cmd);
}

static void test_info_errors(void)
{
	struct iommu_hw_info cmd = good_info(NULL, 0);
	char *end = mem_before_hole(1);
	unsigned int i;

	refused(hw_info_of(NO_ID), ENOENT, "no such device");
	refused(hw_info_of(ioas), ENOENT, "an IOAS");
	refused(hw_info_of(dev.stdev), ENOENT, "its owner");
	refused(hw_info_flags(2, 0), EOPNOTSUPP, "an unknown flag");
	refused(hw_info_flags(1U << 31, 0), EOPNOTSUPP, "another one");
	refused(hw_info_flags(IOMMU_HW_INFO_FLAG_INPUT_TYPE,
			      IOMMU_HW_INFO_TYPE_INTEL_VTD), EOPNOTSUPP,
		"data of another IOMMU");
	for (i = 0; i != 3; i++) {
		cmd = good_info(NULL, 0);
		cmd.__reserved[i] = 1;
		refused(hw_info(cmd), EOPNOTSUPP, "__reserved[%u]", i);
	}
	refused(hw_info(good_info(NULL, 8)), EFAULT, "no memory");
	refused(hw_info(good_info(end + PAGE - 4, 8)), EFAULT,
		"memory that ends in the data");
	refused(hw_info(good_info(end + PAGE - 12, 100)), EFAULT,
		"memory that ends behind the data");
	refused(hw_info(good_info((void *)(0 - PAGE), 8)), EFAULT,
		"kernel memory");
	ok(!hw_info(good_info(end + PAGE - 8, 8)), "memory that just fits");
	ok(!hw_info(good_info(NULL, 0)), "no memory, and none is asked for");
	cmd = good_info(end, PAGE);
	refused(ioctl_read_only(fd, IOMMU_GET_HW_INFO, &cmd, sizeof(cmd)),
		EFAULT, "an answer that cannot be written");
	munmap(end, 2 * PAGE);
}

/* @len bytes: what the data does not fill is zero, what is behind is untouched. */
static bool fills(char *buf, uint32_t len)
{
	const struct iommu_test_hw_info want = {
		.test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL,
	};
	struct iommu_hw_info cmd = good_info(buf, len);
	uint32_t i, data = len < sizeof(want) ? len : sizeof(want);

	memset(buf, 0xa5, len + 64);
	if (ioctl(fd, IOMMU_GET_HW_INFO, &cmd) ||
	    cmd.data_len != sizeof(want) || memcmp(buf, &want, data) ||
	    cmd.out_data_type != IOMMU_HW_INFO_TYPE_SELFTEST)
		return false;
	for (i = data; i != len + 64; i++) {
		if (buf[i] != (i < len ? 0 : (char)0xa5))
			return false;
	}
	return true;
}

static void test_info(void)
{
	struct mock pasid = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_PASID);
	struct mock clean = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_NO_DIRTY);
	char *buf = mem_alloc(3 * PAGE);
	struct iommu_hw_info cmd;
	uint32_t len;

	for (len = 0; len != 100 && fills(buf, len); len++)
		;
	ok(len == 100, "buffers of 0 to 99 bytes (%u)", len);
	ok(fills(buf, PAGE), "a buffer of a page");
	ok(fills(buf, 2 * PAGE), "a buffer of two pages");
	ok(!hw_info_flags(IOMMU_HW_INFO_FLAG_INPUT_TYPE,
			  IOMMU_HW_INFO_TYPE_DEFAULT), "any data");
	ok(!hw_info_flags(IOMMU_HW_INFO_FLAG_INPUT_TYPE,
			  IOMMU_HW_INFO_TYPE_SELFTEST), "this IOMMU's data");
	ok(!hw_info_flags(0, IOMMU_HW_INFO_TYPE_INTEL_VTD),
	   "without the flag the type is not looked at");

	cmd = good_info(NULL, 0);
	ok(!ioctl(fd, IOMMU_GET_HW_INFO, &cmd) && !cmd.out_max_pasid_log2 &&
	   cmd.out_capabilities == IOMMU_HW_CAP_DIRTY_TRACKING,
	   "a device that tracks dirty pages");
	cmd = good_info(NULL, 0);
	cmd.dev_id = pasid.idev;
	ok(!ioctl(fd, IOMMU_GET_HW_INFO, &cmd) &&
	   cmd.out_max_pasid_log2 == MOCK_PASID_WIDTH, "one with PASIDs");
	cmd = good_info(NULL, 0);
	cmd.dev_id = clean.idev;
	ok(!ioctl(fd, IOMMU_GET_HW_INFO, &cmd) && !cmd.out_capabilities,
	   "one without anything");
	/* The first published form has no capabilities. */
	cmd = good_info(NULL, 0);
	cmd.size = 32;
	cmd.out_capabilities = 77;
	ok(!ioctl(fd, IOMMU_GET_HW_INFO, &cmd) && cmd.out_capabilities == 77,
	   "the first published form is not written beyond its end");
	ok(!mock_destroy(fd, &pasid) && !mock_destroy(fd, &clean), "destroy");
	munmap(buf, 3 * PAGE);
}

/* ------------------------------------------------------------------ */
/* HWPT_INVALIDATE */

#define INV_TYPE IOMMU_HWPT_INVALIDATE_DATA_SELFTEST
#define INV_LEN ((uint32_t)sizeof(struct iommu_hwpt_invalidate_selftest))
#define IOTLB MOCK_NESTED_DOMAIN_IOTLB_NUM

/* Does it fail as it should, with that many done? */
static bool invalidates(uint32_t hwpt, const void *array, uint32_t type,
			uint32_t len, uint32_t num, int want, uint32_t done)
{
	struct counts was = counts_get();
	int rc;

	errno = 0;
	rc = hwpt_invalidate(fd, hwpt, array, type, len, &num);
	if (rc != (want ? -1 : 0) || errno != want || num != done)
		note("returned %d, errno %d, %u done", rc, errno, num);
	return rc == (want ? -1 : 0) && errno == want && num == done &&
	       counts_same(&was);
}

static void test_invalidate_ids(uint32_t nested, uint32_t parent)
{
	struct iommu_hwpt_invalidate_selftest inv = {};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = nested,
		.data_uptr = (uintptr_t)&inv,
		.data_type = INV_TYPE,
		.entry_len = INV_LEN,
		.entry_num = 1,
		.__reserved = 1,
	};

	ok(invalidates(NO_ID, &inv, INV_TYPE, INV_LEN, 1, ENOENT, 0),
	   "no such HWPT");
	ok(invalidates(parent, &inv, INV_TYPE, INV_LEN, 1, EINVAL, 0),
	   "a parent is not nested");
	ok(invalidates(dev.hwpt, &inv, INV_TYPE, INV_LEN, 1, EINVAL, 0),
	   "nor is one that made itself");
	ok(invalidates(parent, NULL, INV_TYPE, 0, 0, EINVAL, 0),
	   "also when nothing is asked for");
	ok(invalidates(ioas, &inv, INV_TYPE, INV_LEN, 1, EINVAL, 0),
	   "an IOAS");
	ok(invalidates(dev.idev, &inv, INV_TYPE, INV_LEN, 1, EINVAL, 0),
	   "a device");
	refused(ioctl(fd, IOMMU_HWPT_INVALIDATE, &cmd), EOPNOTSUPP,
		"__reserved");
	ok(cmd.entry_num == 0, "and nothing was done");
	cmd.__reserved = 0;
	cmd.entry_num = 1;
	refused(ioctl_read_only(fd, IOMMU_HWPT_INVALIDATE, &cmd, sizeof(cmd)),
		EFAULT, "an answer that cannot be written");
}

/* Row 24, and all sums that can wrap */
static void test_invalidate_numbers(uint32_t nested)
{
	struct iommu_hwpt_invalidate_selftest inv[2] = {};
	char *end = mem_before_hole(1);

	ok(invalidates(nested, inv, INV_TYPE, 0, 1, EINVAL, 0), "length 0");
	ok(invalidates(nested, inv, INV_TYPE, 4, 1, EINVAL, 0), "too short");
	ok(invalidates(nested, inv, INV_TYPE, 16, 1, EINVAL, 0), "too long");
	ok(invalidates(nested, inv, INV_TYPE, PAGE + 1, 1, EINVAL, 0),
	   "more than a page");
	ok(invalidates(nested, inv, INV_TYPE, UINT32_MAX, 1, EINVAL, 0),
	   "2^32 - 1 bytes");
	ok(invalidates(nested, inv, INV_TYPE, INV_LEN, (1U << 19) + 1, EINVAL,
		       0), "2^19 + 1 entries");
	ok(invalidates(nested, inv, INV_TYPE, INV_LEN, UINT32_MAX, EINVAL, 0),
	   "2^32 - 1 entries");
	ok(invalidates(nested, inv, INV_TYPE, UINT32_MAX, UINT32_MAX, EINVAL,
		       0), "both");
	/* 2^29 * 8 is 0 in 32 bits. */
	ok(invalidates(nested, inv, INV_TYPE, INV_LEN, 1U << 29, EINVAL, 0),
	   "numbers whose product wraps to 0");
	ok(invalidates(nested, inv, INV_TYPE, 1U << 31, 2, EINVAL, 0),
	   "other ones");
	ok(invalidates(nested, NULL, INV_TYPE, INV_LEN, 1, EINVAL, 0),
	   "no array");
	ok(invalidates(nested, inv, 0, INV_LEN, 1, EINVAL, 0), "type 0");
	ok(invalidates(nested, inv, UINT32_MAX, INV_LEN, 1, EINVAL, 0),
	   "type 2^32 - 1");
	ok(invalidates(nested, NULL, 1, 0, 0, EINVAL, 0),
	   "a type that the HWPT does not know, no entries");
	ok(invalidates(nested, NULL, INV_TYPE, 0, 0, 0, 0),
	   "one that it knows, no entries");
	ok(invalidates(nested, (void *)-8UL, INV_TYPE, INV_LEN, 2, EFAULT, 0),
	   "an array past 2^64");
	ok(invalidates(nested, (void *)(0 - PAGE), INV_TYPE, INV_LEN, 1,
		       EFAULT, 0), "an array in the kernel");

	memset(end, 0, PAGE);
	ok(invalidates(nested, end + PAGE - 3 * INV_LEN, INV_TYPE, INV_LEN,
		       1U << 19, EFAULT, 3), "an array that ends after three");
	ok(invalidates(nested, end + PAGE - INV_LEN - 4, INV_TYPE, INV_LEN, 2,
		       EFAULT, 1), "one that ends in the second");
	ok(invalidates(nested, end, INV_TYPE, INV_LEN, PAGE / INV_LEN, 0,
		       PAGE / INV_LEN), "a page of entries");
	munmap(end, 2 * PAGE);
}

static void test_invalidate_entries(uint32_t nested)
{
	struct iommu_hwpt_invalidate_selftest inv[4] = {
		{ .iotlb_id = 0 }, { .iotlb_id = 2 }, { .iotlb_id = IOTLB },
		{ .iotlb_id = 3 },
	};

	ok(invalidates(nested, inv, INV_TYPE, INV_LEN, 4, EINVAL, 2),
	   "the third is for an entry that there is not");
	ok(!mock_check_iotlb(fd, nested, 0, 0) &&
	   !mock_check_iotlb(fd, nested, 1, IOMMU_TEST_IOTLB_DEFAULT) &&
	   !mock_check_iotlb(fd, nested, 2, 0) &&
	   !mock_check_iotlb(fd, nested, 3, IOMMU_TEST_IOTLB_DEFAULT),
	   "those before it are done, those behind it are not");
	inv[0].flags = 2;
	ok(invalidates(nested, inv, INV_TYPE, INV_LEN, 4, EOPNOTSUPP, 0),
	   "a flag that nobody knows");
	inv[0].flags = IOMMU_TEST_INVALIDATE_FLAG_ALL;
	inv[0].iotlb_id = UINT32_MAX;
	ok(invalidates(nested, inv, INV_TYPE, INV_LEN, 1, EINVAL, 0),
	   "all, and one that there is not");
	ok(!mock_check_iotlb(fd, nested, 1, IOMMU_TEST_IOTLB_DEFAULT),
	   "then none is done");
}

static void test_invalidate(void)
{
	uint32_t parent = hwpt_new(fd, dev.idev, ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT);
	uint32_t nested = mock_nested_new(fd, dev.idev, parent, 0, 0), i;
	unsigned int bad = 0;

	test_invalidate_ids(nested, parent);
	for (i = 0; i != IOTLB; i++)
		bad += mock_check_iotlb(fd, nested, i,
					IOMMU_TEST_IOTLB_DEFAULT) != 0;
	/* One was done, and only its answer was lost. */
	ok(bad == 1, "what failed changed nothing (%u)", bad);
	test_invalidate_numbers(nested);
	ok(!iommu_destroy_id(fd, nested), "destroy");
	nested = mock_nested_new(fd, dev.idev, parent, 0, 0);
	test_invalidate_entries(nested);
	ok(!iommu_destroy_id(fd, nested) && !iommu_destroy_id(fd, parent),
	   "destroy both");
}

/* ------------------------------------------------------------------ */

static void test_viommu(void)
{
	refused(viommu_alloc(fd, dev.idev, dev.hwpt, 0, 0), EOPNOTSUPP,
		"VIOMMU_ALLOC");
	refused(viommu_alloc(fd, dev.idev, dev.hwpt, 1, 0), EOPNOTSUPP,
		"with a flag");
	refused(viommu_alloc(fd, dev.idev, dev.hwpt, 0, 1), EOPNOTSUPP,
		"with __reserved");
	refused(viommu_alloc(fd, NO_ID, dev.hwpt, 0, 0), ENOENT,
		"of no device");
	refused(vdevice_alloc(fd, NO_ID, dev.idev), ENOENT, "VDEVICE_ALLOC");
	refused(vdevice_alloc(fd, dev.hwpt, dev.idev), ENOENT, "on an HWPT");
}

/* ------------------------------------------------------------------ */
/* Attach and move */

static void test_attach(void)
{
	uint32_t hwpt = hwpt_new(fd, dev.idev, ioas, 0), fault;
	uint32_t dirty = hwpt_new(fd, dev.idev, ioas,
				  IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	int queue = fault_new(fd, &fault);
	struct mock a, b;

	refused(mock_make_only(fd, NO_ID, 0), ENOENT, "nothing to attach to");
	refused(mock_make_only(fd, dev.idev, 0), ENOENT, "a device");
	refused(mock_make_only(fd, dev.stdev, 0), ENOENT, "its owner");
	refused(mock_make_only(fd, fault, 0), ENOENT, "a fault queue");
	refused(mock_make_only(fd, dirty, MOCK_FLAGS_DEVICE_NO_DIRTY), EINVAL,
		"an IOMMU that cannot track dirty pages");
	ok(!mock_make(fd, hwpt, 0, &a) && a.hwpt == hwpt &&
	   !mock_make(fd, hwpt, 0, &b) && b.hwpt == hwpt,
	   "two devices on one HWPT");
	refused(iommu_destroy_id(fd, hwpt), EBUSY, "it is in use");
	refused(iommu_destroy_id(fd, a.idev), EBUSY, "a device is not ours");
	refused(iommu_destroy_id(fd, dev.hwpt), EBUSY,
		"nor is an HWPT that made itself");
	ok(!mock_destroy(fd, &a), "one leaves");
	refused(iommu_destroy_id(fd, hwpt), EBUSY, "it is still in use");
	ok(!mock_destroy(fd, &b) && !iommu_destroy_id(fd, hwpt) &&
	   !iommu_destroy_id(fd, dirty), "nobody is left");
	ok(!mock_make(fd, dev.hwpt, 0, &a) && a.hwpt == dev.hwpt,
	   "attach to an HWPT that made itself");
	ok(!mock_destroy(fd, &a), "and leave it");
	ok(!close(queue) && !iommu_destroy_id(fd, fault), "destroy the queue");
}

static void test_replace_errors(struct mock *m, uint32_t nested)
{
	uint32_t was = m->hwpt;
	struct mock none = { .stdev = NO_ID };

	refused(mock_replace(fd, m, NO_ID), ENOENT, "to nothing");
	refused(mock_replace(fd, m, m->idev), ENOENT, "to a device");
	refused(mock_replace(fd, m, m->stdev), ENOENT, "to its owner");
	refused(mock_replace(fd, &none, ioas), ENOENT, "of nothing");
	none.stdev = m->idev;
	refused(mock_replace(fd, &none, ioas), ENOENT, "of a bare device");
	ok(m->hwpt == was && !mock_check_map(fd, was, IOVA, mem, SIZE),
	   "it is where it was");
	refused(iommu_destroy_id(fd, was), EBUSY, "and keeps that alive");
	/* It never was on this one. */
	ok(!iommu_destroy_id(fd, nested), "what it did not go to is free");
}

static void test_replace(void)
{
	uint32_t other = ioas_new(fd), hwpt = hwpt_new(fd, dev.idev, ioas, 0);
	uint32_t parent = hwpt_new(fd, dev.idev, ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT);
	uint32_t nested = mock_nested_new(fd, dev.idev, parent, 0, 0), first;
	struct mock m = mock_new(fd, hwpt, 0);

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW), "map");
	test_replace_errors(&m, mock_nested_new(fd, dev.idev, parent, 0, 0));
	ok(!mock_replace(fd, &m, hwpt) && m.hwpt == hwpt, "to where it is");
	ok(!mock_replace(fd, &m, nested) && m.hwpt == nested, "to a nested one");
	ok(!iommu_destroy_id(fd, hwpt), "what it left is free");
	refused(iommu_destroy_id(fd, nested), EBUSY, "what it joined is not");
	ok(!mock_replace(fd, &m, other), "to an IOAS");
	first = m.hwpt;
	ok(first != nested && !iommu_destroy_id(fd, nested), "that is free");
	ok(!mock_replace(fd, &m, other) && m.hwpt == first, "to the same IOAS");
	ok(!mock_replace(fd, &m, first) && m.hwpt == first,
	   "to what it made there");
	ok(!ioas_map_at(fd, other, mem, SIZE, IOVA, IOAS_RW) &&
	   !mock_check_map(fd, first, IOVA, mem, SIZE), "it shows mappings");
	ok(!mock_replace(fd, &m, parent) && m.hwpt == parent &&
	   !mock_check_map(fd, parent, IOVA, mem, SIZE), "to a parent");
	refused(iommu_destroy_id(fd, first), ENOENT,
		"what made itself went with it");
	ok(!ioas_unmap_all(fd, other, NULL) && !iommu_destroy_id(fd, other),
	   "its IOAS is free");
	ok(!mock_destroy(fd, &m) && !iommu_destroy_id(fd, parent) &&
	   !ioas_unmap_all(fd, ioas, NULL), "destroy all");
}

/* A lost answer: it has moved all the same. */
static void test_lost_answers(void)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = ioas,
	};

	refused(ioctl_read_only(fd, IOMMU_TEST_CMD, &cmd, sizeof(cmd)), EFAULT,
		"a device whose id cannot be told");
}

/* ------------------------------------------------------------------ */
/* Destroy against use (row 19) and guessed ids (row 20) */

/* Those before it are the IOAS, and devices and who owns them. */
#define FIRST_GUESS 9

struct racer {
	pthread_t thread;
	struct mock m;
	unsigned int seed, moved, done;
	volatile bool stop;
};

/* Guesses ids and destroys whatever it may. */
static void *destroy_thread(void *arg)
{
	struct racer *r = arg;

	while (!r->stop) {
		if (!iommu_destroy_id(fd, FIRST_GUESS + rand_r(&r->seed) % 8))
			r->done++;
	}
	return NULL;
}

/* Makes page tables and moves its device to them, or to whatever has such an id. */
static void *move_thread(void *arg)
{
	struct racer *r = arg;
	uint32_t id, parent;

	while (!r->stop) {
		id = 0;
		if (!hwpt_alloc(fd, r->m.idev, ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT, &parent) &&
		    !mock_nested(fd, r->m.idev, parent, 0, 0, &id))
			r->moved += !mock_replace(fd, &r->m, id);
		r->moved += !mock_replace(fd, &r->m,
					  FIRST_GUESS + rand_r(&r->seed) % 8);
		r->moved += !mock_replace(fd, &r->m, ioas);
		/* They must not pile up: all that is mapped is in each. */
		iommu_destroy_id(fd, id);
		iommu_destroy_id(fd, parent);
	}
	return NULL;
}

static void test_races(void)
{
	struct racer destroyer = { .seed = 1 }, mover = { .seed = 2 };
	struct racer second = { .seed = 3 };
	unsigned int i, bad = 0;
	uint64_t n;

	mover.m = mock_new(fd, ioas, 0);
	second.m = mock_new(fd, ioas, 0);
	if (pthread_create(&destroyer.thread, NULL, destroy_thread,
			   &destroyer) ||
	    pthread_create(&mover.thread, NULL, move_thread, &mover) ||
	    pthread_create(&second.thread, NULL, move_thread, &second))
		bail("pthread_create");
	for (i = 0; i != ROUNDS; i++) {
		bad += ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) ||
		       ioas_unmap(fd, ioas, IOVA, SIZE, &n) || n != SIZE;
	}
	mover.stop = true;
	second.stop = true;
	pthread_join(mover.thread, NULL);
	pthread_join(second.thread, NULL);
	destroyer.stop = true;
	pthread_join(destroyer.thread, NULL);
	note("%u and %u moves, %u objects destroyed", mover.moved, second.moved,
	     destroyer.done);
	ok(!bad && mover.moved && second.moved && destroyer.done,
	   "page tables come and go under devices and mappings (%u failed)",
	   bad);
	ok(!mock_replace(fd, &mover.m, ioas) &&
	   !mock_replace(fd, &second.m, ioas) &&
	   !ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !mock_check_map(fd, mover.m.hwpt, IOVA, mem, SIZE) &&
	   !mock_check_refs(fd, mem, SIZE, 1), "all works as before");
	ok(!ioas_unmap_all(fd, ioas, NULL) && !mock_check_refs(fd, mem, SIZE, 0),
	   "unmap");
}

/* Everything that depends on something else, in a file that is just closed */
static void test_close(void)
{
	uint32_t fault, parent, nested, faulting;
	int queue = fault_new(fd, &fault);
	struct mock m;

	parent = hwpt_new(fd, dev.idev, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
	nested = mock_nested_new(fd, dev.idev, parent, 0, fault);
	faulting = mock_faulting_new(fd, dev.idev, ioas, 0, fault);
	m = mock_new(fd, nested, 0);
	ok(m.hwpt == nested && !mock_make(fd, faulting, 0, &m) &&
	   !mock_make(fd, parent, 0, &m) &&
	   !ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW),
	   "devices, page tables, queues and mappings");
	close(queue);
	close(fd);
	ok(nothing_left(), "close leaves nothing");
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	dev = mock_new(fd, ioas, 0);
	mem = mem_alloc(SIZE);

	test_alloc_flags();
	test_alloc_ids();
	test_parents();
	test_alloc_data();
	test_alloc_place();
	test_alloc_fill();
	test_info_errors();
	test_info();
	test_invalidate();
	test_viommu();
	test_attach();
	test_replace();
	test_lost_answers();
	close(fd);
	ok(nothing_left(), "nothing is left");

	fd = iommu_open();
	ioas = ioas_new(fd);
	dev = mock_new(fd, ioas, 0);
	test_races();
	test_close();
	return tap_done();
}
