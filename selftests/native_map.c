// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_MAP at a given IOVA and IOAS_UNMAP, with nothing attached: what may be
 * mapped where, both ends of the 64-bit space, and that a request that fails
 * changes nothing.
 *
 * known-bugs.md rows 4 (user address + length wraps), 12 (bytes unmapped are
 * reported), 36 (the last page of the space), 37 (wraps).
 */
#include "iommu_util.h"

#define IOVA 0x100000ULL
#define TOP (0 - PAGE)		/* IOVA of the last page there is */
#define N 8

static int fd;
static uint32_t ioas;
static char *mem;

/* What is mapped, in bytes; unmaps it */
static uint64_t drain(void)
{
	uint64_t bytes;

	if (ioas_unmap_all(fd, ioas, &bytes))
		return UINT64_MAX;
	return bytes;
}

static int map(uint64_t iova, uint64_t length)
{
	return ioas_map_at(fd, ioas, mem, length, iova, IOAS_RW);
}

static int map_va(uint64_t va, uint64_t length)
{
	return ioas_map_at(fd, ioas, (void *)(uintptr_t)va, length, IOVA,
			   IOAS_RW);
}

static void test_protection(void)
{
	uint64_t iova = IOVA;

	fails(ioas_map(fd, ioas, mem, PAGE, &iova, IOMMU_IOAS_MAP_FIXED_IOVA),
	      EINVAL, "neither readable nor writeable");
	fails(ioas_map(fd, ioas, mem, PAGE, &iova, 0), EINVAL,
	      "neither, and the kernel chooses");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA, IOMMU_IOAS_MAP_READABLE),
	   "readable");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA + PAGE,
			IOMMU_IOAS_MAP_WRITEABLE), "writeable");
	ok(!map(IOVA + 2 * PAGE, PAGE), "both");
	ok(drain() == 3 * PAGE, "all three were mapped");
}

static void test_lengths(void)
{
	fails(map(IOVA, 0), EINVAL, "length 0");
	fails(map(IOVA, UINT64_MAX), EOVERFLOW, "length 2^64 - 1");
	fails(map(IOVA, 0 - IOVA + PAGE), EOVERFLOW,
	      "iova + length one page past 2^64");
	fails(map(TOP, 2 * PAGE), EOVERFLOW, "two pages at the last page");
	fails(map(UINT64_MAX, 1), EOVERFLOW, "iova 2^64 - 1");
	fails(map(UINT64_MAX - 1, 3), EOVERFLOW, "iova 2^64 - 2, 3 bytes");
	ok(drain() == 0, "nothing was mapped");

	/* Row 4 */
	fails(map_va(TOP, 2 * PAGE), EOVERFLOW, "user_va + length past 2^64");
	fails(map_va(UINT64_MAX, PAGE), EOVERFLOW, "user_va 2^64 - 1");
	fails(map_va(PAGE, UINT64_MAX - PAGE + 2), EOVERFLOW,
	      "length that wraps user_va, and the IOVA too");
	fails(map_va(1ULL << 63, (1ULL << 63) + PAGE), EOVERFLOW,
	      "user_va 2^63, length 2^63 + 4096");
	ok(drain() == 0, "nothing was mapped");

	/* Nothing is pinned, so only the numbers count. */
	ok(!map_va(0, 1ULL << 40), "1 TiB, nobody uses it");
	ok(drain() == 1ULL << 40, "and away");
	ok(!map_va(0, 1ULL << 62), "2^62 bytes, nobody uses them");
	ok(drain() == 1ULL << 62, "and away");
	ok(!map_va(PAGE, PAGE), "memory that is not there, nobody uses it");
	ok(drain() == PAGE, "and away");
}

static void test_ends(void)
{
	uint64_t n;

	ok(!map(0, PAGE), "IOVA 0");
	ok(!map(TOP, PAGE), "the last page");
	fails(map(0, PAGE), EEXIST, "IOVA 0 is taken");
	fails(map(TOP, PAGE), EEXIST, "the last page is taken");
	ok(!ioas_unmap(fd, ioas, 0, PAGE, &n) && n == PAGE, "unmap IOVA 0");
	ok(!ioas_unmap(fd, ioas, TOP, PAGE, &n) && n == PAGE,
	   "unmap the last page");
	fails(ioas_unmap(fd, ioas, TOP, PAGE, NULL), ENOENT, "it is gone");
	ok(!map(0, PAGE) && !map(TOP, PAGE), "map both ends again");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == 2 * PAGE,
	   "the whole space takes both ends");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == 0,
	   "the whole space, empty: success with length 0");
}

static void test_overlap(void)
{
	ok(!map(IOVA, N * PAGE), "map");
	fails(map(IOVA, N * PAGE), EEXIST, "the same range");
	fails(map(IOVA, PAGE), EEXIST, "its first page");
	fails(map(IOVA + (N - 1) * PAGE, PAGE), EEXIST, "its last page");
	fails(map(IOVA + PAGE, PAGE), EEXIST, "a page inside");
	fails(map(IOVA - PAGE, 2 * PAGE), EEXIST, "across its start");
	fails(map(IOVA + (N - 1) * PAGE, 2 * PAGE), EEXIST, "across its end");
	fails(map(IOVA - PAGE, (N + 2) * PAGE), EEXIST, "all around it");
	ok(!map(IOVA - PAGE, PAGE), "the page before");
	ok(!map(IOVA + N * PAGE, PAGE), "the page after");
	ok(drain() == (N + 2) * PAGE, "only the good ones were mapped");
}

static void test_alignment(void)
{
	struct iommu_iova_range range;
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};
	uint64_t n;

	ok(!ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd) &&
	   cmd.out_iova_alignment == 1,
	   "with nothing attached the alignment is 1 byte (%llu)",
	   (unsigned long long)cmd.out_iova_alignment);
	ok(!ioas_map_at(fd, ioas, mem + 5, 1, IOVA + 5, IOAS_RW), "one byte");
	fails(map(IOVA + 5, 1), EEXIST, "the same byte");
	ok(!map(IOVA + 6, 1) && !map(IOVA + 4, 1), "the bytes beside it");
	fails(ioas_unmap(fd, ioas, IOVA, 4, NULL), ENOENT, "the bytes before");
	ok(!ioas_unmap(fd, ioas, IOVA + 5, 1, &n) && n == 1, "unmap one byte");
	ok(!ioas_unmap(fd, ioas, IOVA, PAGE, &n) && n == 2,
	   "unmap the page around the other two");
	ok(!ioas_map_at(fd, ioas, mem + 123, 2 * PAGE, IOVA + 77, IOAS_RW),
	   "offsets into the page differ");
	ok(drain() == 2 * PAGE, "and away");
}

static void test_unmap(void)
{
	uint64_t n;

	fails(ioas_unmap(fd, ioas, IOVA, PAGE, NULL), ENOENT, "empty range");
	fails(ioas_unmap(fd, ioas, IOVA, 0, NULL), EINVAL, "length 0");
	fails(ioas_unmap(fd, ioas, 0, 0, NULL), EINVAL, "length 0 at 0");
	fails(ioas_unmap(fd, ioas, TOP, 2 * PAGE, NULL), EOVERFLOW,
	      "iova + length past 2^64");
	fails(ioas_unmap(fd, ioas, PAGE, UINT64_MAX, NULL), EOVERFLOW,
	      "length 2^64 - 1, but not from 0");
	fails(ioas_unmap(fd, ioas, UINT64_MAX, PAGE, NULL), EOVERFLOW,
	      "iova 2^64 - 1");

	ok(!map(IOVA, N * PAGE), "map");
	fails(ioas_unmap(fd, ioas, IOVA, PAGE, NULL), ENOENT, "cut the front");
	fails(ioas_unmap(fd, ioas, IOVA + PAGE, (N - 1) * PAGE, NULL), ENOENT,
	      "cut the end");
	fails(ioas_unmap(fd, ioas, IOVA + PAGE, PAGE, NULL), ENOENT,
	      "cut the middle");
	fails(ioas_unmap(fd, ioas, IOVA - PAGE, 2 * PAGE, NULL), ENOENT,
	      "across the start");
	fails(ioas_unmap(fd, ioas, IOVA, N * PAGE - 1, NULL), ENOENT,
	      "all but the last byte");
	fails(ioas_unmap(fd, ioas, IOVA + 1, N * PAGE, NULL), ENOENT,
	      "all but the first byte");
	fails(ioas_unmap(fd, ioas, IOVA - PAGE, PAGE, NULL), ENOENT,
	      "the page before");
	fails(ioas_unmap(fd, ioas, IOVA + N * PAGE, PAGE, NULL), ENOENT,
	      "the page after");
	ok(!ioas_unmap(fd, ioas, IOVA, N * PAGE, &n) && n == N * PAGE,
	   "it is still whole: unmap exactly");

	ok(!map(IOVA, N * PAGE), "map");
	ok(!ioas_unmap(fd, ioas, IOVA - PAGE, (N + 7) * PAGE, &n) &&
	   n == N * PAGE, "a larger range reports what was in it");
	ok(!map(IOVA, PAGE), "map");
	ok(!ioas_unmap(fd, ioas, 0, UINT64_MAX - 1, &n) && n == PAGE,
	   "0 with length 2^64 - 2");
}

static void test_unmap_several(void)
{
	unsigned int i, good = 0;
	uint64_t n;

	/* N mappings of a page, with holes of a page */
	for (i = 0; i != N; i++)
		good += !map(IOVA + 2 * i * PAGE, PAGE);
	ok(good == N, "%u mappings with holes", N);
	ok(!ioas_unmap(fd, ioas, IOVA + 2 * PAGE, 3 * PAGE, &n) &&
	   n == 2 * PAGE, "two of them and the hole");
	ok(!ioas_unmap(fd, ioas, IOVA + PAGE, 7 * PAGE, &n) && n == PAGE,
	   "holes around one");

	ok(!map(IOVA + 100 * PAGE, 4 * PAGE), "a long one behind");
	fails(ioas_unmap(fd, ioas, IOVA, 101 * PAGE, &n), ENOENT,
	      "a range that cuts its last mapping");
	fails(ioas_unmap(fd, ioas, IOVA + 101 * PAGE, 10 * PAGE, &n), ENOENT,
	      "a range that cuts its first mapping");
	ok(drain() == (N - 3 + 4) * PAGE, "both changed nothing");
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	mem = mem_alloc((N + 8) * PAGE);

	test_protection();
	test_lengths();
	test_ends();
	test_overlap();
	test_alignment();
	test_unmap();
	test_unmap_several();
	ok(iommufd_stat("areas") == 0 && iommufd_stat("pages") == 0,
	   "no mapping is left");

	ok(!map(IOVA, PAGE), "one mapping stays when the file is closed");
	close(fd);
	ok(iommufd_stat("areas") == 0 && iommufd_stat("pages") == 0 &&
	   iommufd_stat("objects") == 0, "close removes it");
	return tap_done();
}
