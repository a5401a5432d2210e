// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_COPY with nothing attached: what may be copied where, and who keeps what
 * when one side goes.
 */
#include "iommu_util.h"

#define SRC 0x100000ULL
#define DST 0x80000000ULL
#define N 4

static int fd;
static uint32_t a, b;
static char *mem;

static int copy(uint64_t src_iova, uint64_t length, uint64_t dst_iova)
{
	return ioas_copy_at(fd, b, a, src_iova, length, dst_iova, IOAS_RW);
}

static uint64_t drain(uint32_t ioas)
{
	uint64_t bytes;

	if (ioas_unmap_all(fd, ioas, &bytes))
		return UINT64_MAX;
	return bytes;
}

static void test_one(void)
{
	uint64_t n;

	ok(!ioas_map_at(fd, a, mem, N * PAGE, SRC, IOAS_RW), "map");
	ok(!copy(SRC, N * PAGE, DST), "copy it to another IOAS");
	fails(copy(SRC, N * PAGE, DST), EEXIST, "twice to the same place");
	ok(!copy(SRC + PAGE, 2 * PAGE, DST + N * PAGE), "a part of it");
	ok(!ioas_copy_at(fd, a, a, SRC, N * PAGE, DST, IOAS_RW),
	   "within one IOAS");
	fails(ioas_copy_at(fd, a, a, SRC, N * PAGE, SRC, IOAS_RW), EEXIST,
	      "onto itself");
	fails(ioas_copy_at(fd, a, a, SRC, N * PAGE, SRC + PAGE, IOAS_RW),
	      EEXIST, "onto a part of itself");
	ok(iommufd_stat("pages") == 1, "all share one set of pages");
	ok(!ioas_unmap(fd, a, SRC, N * PAGE, &n) && n == N * PAGE,
	   "the source goes");
	ok(!ioas_copy_at(fd, a, b, DST, N * PAGE, SRC, IOAS_RW),
	   "copy it back from the copy");
	ok(!ioas_unmap(fd, b, DST + N * PAGE, 2 * PAGE, &n) && n == 2 * PAGE,
	   "the part is a mapping of its own");
	ok(drain(a) == 2 * N * PAGE && drain(b) == N * PAGE, "unmap");
	ok(iommufd_stat("pages") == 0, "the pages go with the last of them");
}

static void test_several(void)
{
	unsigned int i;
	uint64_t n;

	/* N mappings of two pages each, end to end, of mixed memory */
	for (i = 0; i != N; i++)
		ok(!ioas_map_at(fd, a, mem + (N - 1 - i) * 2 * PAGE, 2 * PAGE,
				SRC + i * 2 * PAGE, IOAS_RW), "map %u", i);
	ok(!copy(SRC, N * 2 * PAGE, DST), "copy all of them at once");
	ok(!copy(SRC + PAGE, (2 * N - 2) * PAGE, 2 * DST),
	   "from inside the first to inside the last");
	fails(ioas_unmap(fd, b, DST, PAGE, NULL), ENOENT,
	      "the copies keep the borders of their sources");
	ok(!ioas_unmap(fd, b, DST + 2 * PAGE, 2 * PAGE, &n) && n == 2 * PAGE,
	   "unmap the second alone");
	ok(!ioas_unmap(fd, b, 2 * DST, PAGE, &n) && n == PAGE,
	   "unmap the cut first one alone");
	ok(drain(b) == (2 * N - 2 + 2 * N - 3) * PAGE, "unmap the rest");

	ok(!ioas_unmap(fd, a, SRC + 2 * PAGE, 2 * PAGE, NULL), "make a gap");
	fails(copy(SRC, 2 * N * PAGE, DST), ENOENT, "over the gap");
	fails(copy(SRC, 3 * PAGE, DST), ENOENT, "into the gap");
	fails(copy(SRC + 2 * PAGE, 2 * PAGE, DST), ENOENT, "the gap");
	fails(copy(SRC + 3 * PAGE, 2 * PAGE, DST), ENOENT, "out of the gap");
	fails(copy(SRC - PAGE, 2 * PAGE, DST), ENOENT, "from before the first");
	fails(copy(SRC + 2 * (N - 1) * PAGE, 3 * PAGE, DST), ENOENT,
	      "to behind the last");
	ok(drain(b) == 0, "none of them left anything");

	/* The second of two source mappings meets something at the target. */
	ok(!ioas_map_at(fd, b, mem, PAGE, DST + 3 * PAGE, IOAS_RW), "obstacle");
	fails(copy(SRC + 4 * PAGE, 4 * PAGE, DST), EEXIST, "onto the obstacle");
	ok(drain(b) == PAGE, "only the obstacle is there");
	drain(a);
}

static void test_protection(void)
{
	ok(!ioas_map_at(fd, a, mem, PAGE, SRC, IOAS_RO), "read-only source");
	fails(ioas_copy_at(fd, b, a, SRC, PAGE, DST, IOAS_RW), EPERM,
	      "a writeable copy of it");
	fails(ioas_copy_at(fd, b, a, SRC, PAGE, DST, IOMMU_IOAS_MAP_WRITEABLE),
	      EPERM, "a write-only copy of it");
	fails(ioas_copy_at(fd, b, a, SRC, PAGE, DST, 0), EINVAL,
	      "neither readable nor writeable");
	ok(drain(b) == 0, "none was made");
	ok(!ioas_copy_at(fd, b, a, SRC, PAGE, DST, IOAS_RO), "a read-only copy");
	ok(!ioas_map_at(fd, a, mem, PAGE, SRC + PAGE, IOAS_RW),
	   "a writeable page behind it");
	fails(ioas_copy_at(fd, b, a, SRC, 2 * PAGE, 2 * DST, IOAS_RW), EPERM,
	      "a writeable copy of both");
	ok(!ioas_copy_at(fd, b, a, SRC, 2 * PAGE, 2 * DST, IOAS_RO),
	   "a read-only copy of both");
	ok(drain(a) == 2 * PAGE && drain(b) == 3 * PAGE, "unmap");
}

static void test_numbers(void)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOAS_RW,
		.dst_ioas_id = b,
		.src_ioas_id = a,
		.length = 2 * PAGE,
		.src_iova = SRC,
	};
	uint64_t n;

	ok(!ioas_map_at(fd, a, mem, 2 * PAGE, SRC, IOAS_RW), "map");
	fails(copy(SRC, 0, DST), EINVAL, "length 0");
	fails(copy(SRC, UINT64_MAX, DST), EOVERFLOW, "length 2^64 - 1");
	fails(copy(0 - PAGE, 2 * PAGE, DST), EOVERFLOW, "source past 2^64");
	fails(copy(SRC, 2 * PAGE, 0 - PAGE), EOVERFLOW, "target past 2^64");
	fails(copy(UINT64_MAX, 1, DST), EOVERFLOW, "source at 2^64 - 1");
	fails(copy(SRC, 1, UINT64_MAX), EOVERFLOW, "target at 2^64 - 1");
	ok(!copy(SRC, PAGE, 0 - PAGE), "target is the last page");
	ok(!ioas_copy_at(fd, a, b, 0 - PAGE, PAGE, DST, IOAS_RW),
	   "source is the last page");
	ok(drain(b) == PAGE && !ioas_unmap(fd, a, DST, PAGE, NULL), "unmap");

	ok(!ioctl(fd, IOMMU_IOAS_COPY, &cmd) && cmd.dst_iova,
	   "the kernel chooses the IOVA");
	ok(!ioas_unmap(fd, b, cmd.dst_iova, 2 * PAGE, &n) && n == 2 * PAGE,
	   "and tells it");
	cmd.dst_ioas_id = a;
	ok(!ioctl(fd, IOMMU_IOAS_COPY, &cmd) &&
	   (cmd.dst_iova >= SRC + 2 * PAGE || cmd.dst_iova + 2 * PAGE <= SRC),
	   "in the same IOAS too");
	ok(drain(a) == 4 * PAGE && drain(b) == 0, "unmap");
}

static void test_destroy(void)
{
	uint64_t n;

	ok(!ioas_map_at(fd, a, mem, N * PAGE, SRC, IOAS_RW) &&
	   !copy(SRC, N * PAGE, DST), "map and copy");
	ok(!iommu_destroy_id(fd, a), "destroy the source IOAS");
	ok(iommufd_stat("pages") == 1, "the copy keeps the pages");
	ok(!ioas_unmap(fd, b, DST, N * PAGE, &n) && n == N * PAGE,
	   "the copy is whole");
	ok(!iommu_destroy_id(fd, b), "destroy the other");
}

int main(void)
{
	fd = iommu_open();
	a = ioas_new(fd);
	b = ioas_new(fd);
	mem = mem_alloc(2 * N * PAGE);

	test_one();
	test_several();
	test_protection();
	test_numbers();
	test_destroy();
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pages") == 0, "nothing is left");
	close(fd);
	return tap_done();
}
