// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this version does not have says so: file operations of /dev/iommu that
 * later versions of Linux use for event queues and for shared pages, and the
 * counts with which userspace says how long its arrays are.
 *
 * known-bugs.md rows 21 to 23 and 28 (not there yet), 24 (a count that nobody
 * checked).
 */
#include "iommu_util.h"

#define UNTOUCHED 0xa5a5a5a5a5a5a5a5ULL

static void test_file_operations(int fd)
{
	char buf[64] = "";

	ok(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED &&
	   errno == ENODEV, "mmap, shared (row 28)");
	ok(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED &&
	   errno == ENODEV, "mmap, private");
	fails(read(fd, buf, sizeof(buf)), EINVAL, "read (rows 21 to 23)");
	fails(write(fd, buf, sizeof(buf)), EINVAL, "write");
}

/* Row 24: counts far beyond the array */
static void test_counts(int fd, uint32_t ioas)
{
	static struct iommu_iova_range ranges[4];
	struct iommu_ioas_iova_ranges get = {
		.size = sizeof(get),
		.ioas_id = ioas,
		.num_iovas = UINT32_MAX,
		.allowed_iovas = (uintptr_t)ranges,
	};
	struct iommu_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.ioas_id = ioas,
		.num_iovas = UINT32_MAX,
	};
	struct iommu_iova_range *end;

	memset(ranges, 0xa5, sizeof(ranges));
	ok(!ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &get) && get.num_iovas == 1,
	   "IOVA_RANGES with room for 2^32 - 1");
	ok(ranges[0].start == 0 && ranges[0].last == UINT64_MAX &&
	   ranges[1].start == UNTOUCHED, "writes the one that there is");

	/* One range at the very end of the memory that can be read */
	end = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (end == MAP_FAILED || munmap((char *)end + PAGE, PAGE))
		bail("mmap");
	end = (void *)((char *)end + PAGE - sizeof(*end));
	end->last = PAGE;
	allow.allowed_iovas = (uintptr_t)end;
	fails(ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &allow), EFAULT,
	      "ALLOW_IOVAS with 2^32 - 1, one of which is there");
	allow.num_iovas = 1;
	ok(!ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &allow), "with that one");
	get.num_iovas = UINT32_MAX;
	get.allowed_iovas = 0 - PAGE;
	fails(ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &get), EFAULT,
	      "IOVA_RANGES to a kernel address");
}

int main(void)
{
	int fd = iommu_open();
	uint32_t ioas = ioas_new(fd);

	test_file_operations(fd);
	test_counts(fd, ioas);
	close(fd);
	ok(iommufd_stat("objects") == 0, "nothing is left");
	return tap_done();
}
