// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO's container ioctls on /dev/iommu when no VFIO group is there: the column
 * 'without one' of compat.md.  GET_INFO has a test of its own.
 *
 * known-bugs.md rows 9 (a mapping is cut), 12 (bytes unmapped are reported), 36
 * (last page, UNMAP_ALL), 37 (wraps), 38 (unmap of an empty range).
 */
#include <linux/vfio.h>

#include "iommu_util.h"

#define IOVA 0x100000ULL
#define N 8
#define LIMIT "/sys/module/iommufd/parameters/dma_entry_limit"
#define DMA_RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static char *mem;

static int dma_map_va(int fd, uint64_t vaddr, uint64_t size, uint64_t iova,
		      uint32_t flags)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.vaddr = vaddr,
		.iova = iova,
		.size = size,
	};

	return ioctl(fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

static int dma_map(int fd, uint64_t size, uint64_t iova)
{
	return dma_map_va(fd, (uintptr_t)mem, size, iova, DMA_RW);
}

/* @size: in and out */
static int dma_unmap(int fd, uint64_t iova, uint64_t *size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.iova = iova,
		.size = *size,
	};
	int rc = ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	*size = cmd.size;
	return rc;
}

/* The bytes that one UNMAP of @size at @iova reports, or the negative errno */
static int64_t unmapped(int fd, uint64_t iova, uint64_t size)
{
	int rc = dma_unmap(fd, iova, &size, 0);

	return rc ? -errno : (int64_t)size;
}

static int64_t unmapped_all(int fd)
{
	uint64_t size = 0;
	int rc = dma_unmap(fd, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL);

	return rc ? -errno : (int64_t)size;
}

static int extension(int fd, unsigned long nr)
{
	return ioctl(fd, VFIO_CHECK_EXTENSION, nr);
}

static void test_extensions(int fd, const char *when)
{
	static const unsigned long large[] = {
		100, 1000, 100001, 1UL << 31, 1UL << 32, (1UL << 32) + 1,
		1UL << 63, ~0UL,
	};
	unsigned int i, bad = 0;

	ok(ioctl(fd, VFIO_GET_API_VERSION) == VFIO_API_VERSION,
	   "%s: API version", when);
	for (i = 0; i != 65; i++) {
		bool want = i == VFIO_TYPE1_IOMMU || i == VFIO_TYPE1v2_IOMMU ||
			    i == VFIO_UNMAP_ALL;

		if (extension(fd, i) != want) {
			note("extension %u: %d", i, extension(fd, i));
			bad++;
		}
	}
	ok(!bad, "%s: of extensions 0 to 64 exactly 1, 3 and 9 are there", when);
	for (i = 0, bad = 0; i != sizeof(large) / sizeof(large[0]); i++)
		bad += extension(fd, large[i]) != 0;
	ok(!bad, "%s: large extension numbers are 0", when);
}

static void test_numbers(int fd)
{
	unsigned int nr, bad = 0;

	for (nr = 100; nr != 100 + 28; nr++) {
		if (nr == 100 || nr == 101 || nr == 102 || nr == 112 ||
		    nr == 113 || nr == 114)
			continue;
		/* <linux/iommu_nesting.h>, of which nesting_abi.c is the test */
		if (nr >= 122 && nr <= 126)
			continue;
		if (ioctl(fd, _IO(VFIO_TYPE, nr), NULL) != -1 ||
		    errno != ENOTTY) {
			note("VFIO_BASE + %u", nr - 100);
			bad++;
		}
	}
	ok(!bad, "all other VFIO ioctls are ENOTTY (%u were not)", bad);
}

/* Fields that are looked at before there is a compat IOAS, and after */
static void test_arguments(int fd, const char *when)
{
	struct vfio_iommu_type1_dma_map map = { .vaddr = (uintptr_t)mem };
	struct vfio_iommu_type1_dma_unmap unmap = { .iova = IOVA };
	unsigned int i, bad = 0;

	map.iova = IOVA;
	map.size = PAGE;
	unmap.size = PAGE;
	map.flags = DMA_RW;
	for (i = 0; i != sizeof(map); i++) {
		map.argsz = i;
		bad += ioctl(fd, VFIO_IOMMU_MAP_DMA, &map) != -1 ||
		       errno != EINVAL;
	}
	ok(!bad, "%s: MAP with a short argsz is EINVAL", when);
	map.argsz = sizeof(map);
	for (i = 2, bad = 0; i != 32; i++) {
		map.flags = DMA_RW | 1U << i;
		bad += ioctl(fd, VFIO_IOMMU_MAP_DMA, &map) != -1 ||
		       errno != EINVAL;
	}
	ok(!bad, "%s: MAP with an unknown flag, or VADDR, is EINVAL", when);
	for (i = 0, bad = 0; i != sizeof(unmap); i++) {
		unmap.argsz = i;
		bad += ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &unmap) != -1 ||
		       errno != EINVAL;
	}
	ok(!bad, "%s: UNMAP with a short argsz is EINVAL", when);
	unmap.argsz = sizeof(unmap);
	for (i = 0, bad = 0; i != 32; i++) {
		unmap.flags = 1U << i;
		if (unmap.flags == VFIO_DMA_UNMAP_FLAG_ALL)
			continue;
		bad += ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &unmap) != -1 ||
		       errno != EINVAL;
	}
	ok(!bad, "%s: UNMAP with an unknown flag, VADDR or a bitmap is EINVAL",
	   when);
	fails(ioctl(fd, VFIO_IOMMU_MAP_DMA, NULL), EFAULT, "%s: MAP of NULL",
	      when);
	fails(ioctl(fd, VFIO_IOMMU_UNMAP_DMA, NULL), EFAULT,
	      "%s: UNMAP of NULL", when);
	fails(ioctl(fd, VFIO_IOMMU_GET_INFO, NULL), EFAULT,
	      "%s: GET_INFO of NULL", when);
}

static void test_without_ioas(void)
{
	struct vfio_iommu_type1_info info = { .argsz = 15 };
	int fd = iommu_open();
	uint64_t objects = iommufd_stat("objects");
	unsigned long type;

	test_extensions(fd, "without an IOAS");
	test_numbers(fd);
	test_arguments(fd, "without an IOAS");
	fails(dma_map(fd, PAGE, IOVA), ENODEV, "MAP");
	ok(unmapped(fd, IOVA, PAGE) == -ENODEV, "UNMAP is ENODEV");
	ok(unmapped_all(fd) == -ENODEV, "UNMAP_ALL is ENODEV");
	fails(ioctl(fd, VFIO_IOMMU_GET_INFO, &info), EINVAL,
	      "GET_INFO, short argsz");
	info.argsz = sizeof(info);
	fails(ioctl(fd, VFIO_IOMMU_GET_INFO, &info), ENODEV, "GET_INFO");

	fails(ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), ENODEV,
	      "SET_IOMMU type1");
	fails(ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), ENODEV,
	      "SET_IOMMU type1v2");
	for (type = 0; type != 12; type++) {
		if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
			fails(ioctl(fd, VFIO_SET_IOMMU, type), EINVAL,
			      "SET_IOMMU %lu", type);
	}
	fails(ioctl(fd, VFIO_SET_IOMMU, (1UL << 32) + 1), EINVAL,
	      "SET_IOMMU 2^32 + 1");
	fails(ioctl(fd, VFIO_SET_IOMMU, ~0UL), EINVAL, "SET_IOMMU 2^64 - 1");
	ok(iommufd_stat("objects") == objects, "asking makes no object");
	close(fd);
}

static void test_map(int fd)
{
	const uint64_t va = (uintptr_t)mem;

	fails(dma_map_va(fd, va, PAGE, IOVA, 0), EINVAL,
	      "MAP: neither READ nor WRITE");
	fails(dma_map(fd, 0, IOVA), EINVAL, "MAP: size 0");
	fails(dma_map(fd, PAGE - 1, IOVA), EINVAL, "MAP: odd size");
	fails(dma_map(fd, PAGE, IOVA + 8), EINVAL, "MAP: odd iova");
	fails(dma_map_va(fd, va + 8, PAGE, IOVA, DMA_RW), EINVAL,
	      "MAP: odd vaddr");
	ok(dma_map(fd, 2 * PAGE, 0 - PAGE) &&
	   (errno == EINVAL || errno == EOVERFLOW), "MAP: iova wraps");
	ok(dma_map_va(fd, 0 - PAGE, 2 * PAGE, IOVA, DMA_RW) &&
	   (errno == EINVAL || errno == EOVERFLOW), "MAP: vaddr wraps");
	ok(dma_map(fd, 0 - PAGE, IOVA) &&
	   (errno == EINVAL || errno == EOVERFLOW), "MAP: size 2^64 - 4096");
	fails(dma_map_va(fd, 0 - PAGE, PAGE, IOVA, DMA_RW), EFAULT,
	      "MAP: the last page of the address space");
	ok(unmapped_all(fd) == 0, "none was mapped");

	ok(!dma_map_va(fd, va, PAGE, IOVA, VFIO_DMA_MAP_FLAG_READ), "MAP: READ");
	ok(!dma_map_va(fd, va, PAGE, IOVA + PAGE, VFIO_DMA_MAP_FLAG_WRITE),
	   "MAP: WRITE");
	fails(dma_map(fd, PAGE, IOVA), EEXIST, "MAP: twice");
	fails(dma_map(fd, 4 * PAGE, IOVA - PAGE), EEXIST, "MAP: around");
	ok(unmapped_all(fd) == 2 * PAGE, "UNMAP_ALL reports bytes");
}

static void test_unmap(int fd)
{
	uint64_t size;

	ok(unmapped_all(fd) == 0, "UNMAP_ALL of nothing: success, size 0");
	ok(unmapped(fd, IOVA, N * PAGE) == 0,
	   "UNMAP of an empty range: success, size 0");
	ok(unmapped(fd, IOVA, 0) == -EINVAL, "UNMAP: size 0 is EINVAL");
	ok(unmapped(fd, 0, UINT64_MAX) == -EINVAL,
	   "UNMAP: 0 and ~0 is EINVAL");
	size = unmapped(fd, 0 - PAGE, 2 * PAGE);
	ok(size == (uint64_t)-EINVAL || size == (uint64_t)-EOVERFLOW,
	   "UNMAP: range that wraps");
	ok(!dma_map(fd, N * PAGE, IOVA), "MAP");
	size = PAGE;
	fails(dma_unmap(fd, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL), EINVAL,
	      "UNMAP_ALL with a size");
	size = 0;
	fails(dma_unmap(fd, IOVA, &size, VFIO_DMA_UNMAP_FLAG_ALL), EINVAL,
	      "UNMAP_ALL with an iova");
	ok(unmapped(fd, IOVA, N * PAGE) == N * PAGE, "UNMAP exactly");
	ok(!dma_map(fd, N * PAGE, IOVA), "MAP");
	ok(unmapped(fd, IOVA - PAGE, (N + 5) * PAGE) == N * PAGE,
	   "UNMAP of more reports what was there");

	/* QEMU's two halves of the space, and both ends of it */
	ok(!dma_map(fd, PAGE, 0) && !dma_map(fd, PAGE, 0 - PAGE),
	   "MAP both ends");
	ok(unmapped(fd, 0, 1ULL << 63) == PAGE, "UNMAP the lower half");
	ok(unmapped(fd, 1ULL << 63, 1ULL << 63) == PAGE,
	   "UNMAP the upper half");
	ok(!dma_map(fd, PAGE, 0) && !dma_map(fd, PAGE, 0 - PAGE),
	   "MAP both ends again");
	ok(unmapped(fd, 0 - PAGE, PAGE) == PAGE, "UNMAP the last page");
	ok(unmapped_all(fd) == PAGE, "UNMAP_ALL takes page 0");
}

static void test_v2(int fd, uint32_t ioas)
{
	uint64_t size;

	ok(iommu_option_get(fd, IOMMU_OPTION_HUGE_PAGES, ioas) == 1,
	   "v2: large IO pages stay on");
	ok(!dma_map(fd, N * PAGE, IOVA), "v2: MAP");
	size = PAGE;
	fails(dma_unmap(fd, IOVA, &size, 0), ENOENT, "v2: cut the front");
	ok(size == 0, "v2: 0 bytes are reported");
	ok(unmapped(fd, IOVA + PAGE, PAGE) == -ENOENT, "v2: cut the middle");
	ok(unmapped(fd, IOVA + (N - 1) * PAGE, PAGE) == -ENOENT,
	   "v2: cut the end");
	ok(unmapped(fd, IOVA + (N - 1) * PAGE, 9 * PAGE) == -ENOENT,
	   "v2: across the end");
	ok(unmapped_all(fd) == N * PAGE, "v2: it is still whole");

	/* What an UNMAP that fails reports is what is gone. */
	ok(!dma_map(fd, PAGE, IOVA) && !dma_map(fd, 2 * PAGE, IOVA + PAGE),
	   "v2: two mappings");
	size = 2 * PAGE;
	fails(dma_unmap(fd, IOVA, &size, 0), ENOENT, "v2: cut the second");
	ok(unmapped_all(fd) == (int64_t)(3 * PAGE - size),
	   "v2: the bytes reported (%llu) are gone, the others are there",
	   (unsigned long long)size);
}

/* Row 9: what the cuts leave behaves as mappings of their own. */
static void test_v1(int fd, uint32_t ioas)
{
	unsigned int i, good = 0;

	ok(iommu_option_get(fd, IOMMU_OPTION_HUGE_PAGES, ioas) == 0,
	   "v1: large IO pages are off");
	ok(!dma_map(fd, N * PAGE, IOVA), "v1: MAP");
	ok(unmapped(fd, IOVA, PAGE) == PAGE, "v1: cut the front");
	ok(unmapped(fd, IOVA + (N - 1) * PAGE, PAGE) == PAGE,
	   "v1: cut the end");
	ok(unmapped(fd, IOVA + 2 * PAGE, 2 * PAGE) == 2 * PAGE,
	   "v1: cut the middle");
	ok(unmapped(fd, IOVA + 2 * PAGE, 2 * PAGE) == 0, "v1: it is gone");
	ok(!dma_map(fd, 2 * PAGE, IOVA + 2 * PAGE), "v1: fill the hole");
	fails(dma_map(fd, PAGE, IOVA + PAGE), EEXIST, "v1: the left part is there");
	ok(unmapped(fd, IOVA + PAGE, 4 * PAGE) == 4 * PAGE,
	   "v1: over three mappings, into the last");
	ok(unmapped_all(fd) == (N - 6) * PAGE, "v1: UNMAP_ALL takes the rest");

	ok(!dma_map(fd, 64 * PAGE, IOVA), "v1: MAP");
	for (i = 0; i < 64; i += 2)
		good += unmapped(fd, IOVA + i * PAGE, PAGE) == PAGE;
	ok(good == 32, "v1: each second page");
	ok(iommufd_stat("areas") == 32, "v1: 32 mappings are left");
	ok(unmapped(fd, IOVA - PAGE, 64 * PAGE) == 31 * PAGE,
	   "v1: all but the last of them");
	ok(unmapped_all(fd) == PAGE, "v1: the last");
	ok(iommufd_stat("areas") == 0 && iommufd_stat("pages") == 0,
	   "v1: nothing is left");
}

static void test_with_ioas(void)
{
	int fd = iommu_open();
	uint32_t ioas = ioas_new(fd);
	uint64_t n;

	ok(!vfio_ioas_set(fd, ioas), "SET a compat IOAS");
	test_extensions(fd, "with an IOAS");
	test_numbers(fd);
	test_arguments(fd, "with an IOAS");
	ok(!ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "SET_IOMMU v2");
	fails(ioctl(fd, VFIO_SET_IOMMU, 2), EINVAL, "SET_IOMMU 2");
	test_map(fd);
	test_unmap(fd);
	test_v2(fd, ioas);

	/* One address space, two interfaces */
	ok(!dma_map(fd, PAGE, IOVA), "MAP");
	ok(!ioas_unmap(fd, ioas, IOVA, PAGE, &n) && n == PAGE,
	   "native UNMAP takes it");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA, IOAS_RW), "native MAP");
	ok(unmapped(fd, IOVA, PAGE) == PAGE, "UNMAP takes it");

	ok(!ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), "SET_IOMMU v1");
	test_map(fd);
	test_unmap(fd);
	test_v1(fd, ioas);

	ok(!dma_map(fd, PAGE, IOVA), "MAP");
	ok(!vfio_ioas_clear(fd), "CLEAR");
	fails(dma_map(fd, PAGE, IOVA + PAGE), ENODEV, "MAP after CLEAR");
	ok(unmapped_all(fd) == -ENODEV, "UNMAP after CLEAR is ENODEV");
	fails(ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), ENODEV,
	      "SET_IOMMU after CLEAR");
	ok(!vfio_ioas_set(fd, ioas) && unmapped_all(fd) == PAGE,
	   "SET it again: the mapping is still there");
	ok(!iommu_destroy_id(fd, ioas), "DESTROY");
	fails(dma_map(fd, PAGE, IOVA), ENODEV, "MAP after DESTROY");
	close(fd);
}

static void write_limit(const char *value)
{
	FILE *file = fopen(LIMIT, "w");

	if (!file || fputs(value, file) < 0 || fclose(file))
		bail("%s", LIMIT);
}

static void read_limit(char *value, int size)
{
	FILE *file = fopen(LIMIT, "r");

	if (!file || !fgets(value, size, file) || fclose(file))
		bail("%s", LIMIT);
}

/* What DMA_AVAIL says, or -1 */
static int64_t dma_avail(int fd)
{
	char buf[4096] = {};
	struct vfio_iommu_type1_info *info = (void *)buf;
	struct vfio_info_cap_header *cap;
	uint32_t offset;

	info->argsz = sizeof(buf);
	if (ioctl(fd, VFIO_IOMMU_GET_INFO, info) ||
	    !(info->flags & VFIO_IOMMU_INFO_CAPS))
		return -1;
	for (offset = info->cap_offset; offset && offset < sizeof(buf) - 16;
	     offset = cap->next) {
		cap = (void *)(buf + offset);
		if (cap->id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
			return ((struct vfio_iommu_type1_info_dma_avail *)cap)->avail;
	}
	return -1;
}

static void test_entry_limit(void)
{
	char before[32];
	int fd = iommu_open();
	uint32_t ioas = ioas_new(fd);

	read_limit(before, sizeof(before));
	ok(strtoul(before, NULL, 10) == 1048576, "the limit is 1048576 (%s)",
	   before);
	ok(!vfio_ioas_set(fd, ioas), "SET a compat IOAS");
	ok(dma_avail(fd) == 1048576, "DMA_AVAIL tells it");
	write_limit("3");
	ok(dma_avail(fd) == 3, "a limit of 3");
	ok(!dma_map(fd, PAGE, IOVA) && !dma_map(fd, PAGE, IOVA + PAGE),
	   "two mappings");
	ok(dma_avail(fd) == 1, "one is left (%lld)", (long long)dma_avail(fd));
	ok(!dma_map(fd, PAGE, IOVA + 2 * PAGE), "a third");
	ok(dma_avail(fd) == 0, "none is left");
	fails(dma_map(fd, PAGE, IOVA + 3 * PAGE), ENOSPC, "a fourth");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA + 9 * PAGE, IOAS_RW),
	   "native MAP has no limit");
	write_limit("1");
	ok(dma_avail(fd) == 0, "a lower limit: none is left, no wrap");
	write_limit("3");
	ok(unmapped(fd, IOVA, PAGE) == PAGE, "UNMAP one");
	ok(!dma_map(fd, PAGE, IOVA), "MAP one");
	fails(dma_map(fd, PAGE, IOVA + 3 * PAGE), ENOSPC, "but not two");
	write_limit("0");
	ok(!dma_map(fd, PAGE, IOVA + 3 * PAGE), "no limit");
	ok(dma_avail(fd) == 65535, "no limit: DMA_AVAIL is 65535");
	write_limit(before);
	ok(unmapped_all(fd) == 5 * PAGE, "UNMAP_ALL");
	close(fd);
}

int main(void)
{
	mem = mem_alloc(64 * PAGE);
	test_without_ioas();
	test_with_ioas();
	test_entry_limit();
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pages") == 0, "nothing is left");
	return tap_done();
}
