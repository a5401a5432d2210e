// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_OPTION and IOMMU_VFIO_IOAS.
 */
#include "cap_util.h"
#include "iommu_util.h"

static int rlimit_set(int fd, uint64_t val)
{
	return iommu_option_set(fd, IOMMU_OPTION_RLIMIT_MODE, 0, val);
}

static uint64_t rlimit_get(int fd)
{
	return iommu_option_get(fd, IOMMU_OPTION_RLIMIT_MODE, 0);
}

/* 0, or the number of the step that went wrong */
static int unprivileged(void *arg)
{
	int fd = *(int *)arg;

	cap_drop(CAP_SYS_RESOURCE);
	if (rlimit_set(fd, 1) != -1 || errno != EPERM)
		return 1;
	if (rlimit_set(fd, 0) != -1 || errno != EPERM)
		return 2;
	if (rlimit_get(fd) != 0)
		return 3;
	return 0;
}

static void test_rlimit_mode(void)
{
	int fd = iommu_open(), other = iommu_open();
	uint64_t val = 7;
	uint32_t ioas;

	ok(rlimit_get(fd) == 0, "RLIMIT_MODE is 0");
	ok(!rlimit_set(fd, 1) && rlimit_get(fd) == 1, "set 1");
	ok(rlimit_get(other) == 0, "another file keeps its own");
	fails(rlimit_set(fd, 2), EINVAL, "set 2");
	fails(rlimit_set(fd, UINT64_MAX), EINVAL, "set 2^64 - 1");
	fails(rlimit_set(fd, 1ULL << 32), EINVAL, "set 2^32");
	ok(rlimit_get(fd) == 1, "still 1");
	ok(!rlimit_set(fd, 0) && rlimit_get(fd) == 0, "set 0");
	fails(iommu_option_set(fd, IOMMU_OPTION_RLIMIT_MODE, 1, 1), EOPNOTSUPP,
	      "set with an object id");
	fails(iommu_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 1,
			   &val), EOPNOTSUPP, "get with an object id");
	ok(in_child(unprivileged, &fd) == 0,
	   "without CAP_SYS_RESOURCE: set EPERM, get works");

	ioas = ioas_new(fd);
	fails(rlimit_set(fd, 1), EBUSY, "set while an object exists");
	ok(rlimit_get(fd) == 0, "get while an object exists");
	ok(!iommu_destroy_id(fd, ioas), "destroy it");
	ok(!rlimit_set(fd, 1) && rlimit_get(fd) == 1, "set again");
	close(fd);
	close(other);
}

static int huge_set(int fd, uint32_t ioas, uint64_t val)
{
	return iommu_option_set(fd, IOMMU_OPTION_HUGE_PAGES, ioas, val);
}

static uint64_t huge_get(int fd, uint32_t ioas)
{
	return iommu_option_get(fd, IOMMU_OPTION_HUGE_PAGES, ioas);
}

static void test_huge_pages(void)
{
	int fd = iommu_open();
	uint32_t a = ioas_new(fd), b = ioas_new(fd);
	void *mem = mem_alloc(PAGE);
	uint64_t val = 0;

	ok(huge_get(fd, a) == 1, "HUGE_PAGES is 1");
	ok(!huge_set(fd, a, 0) && huge_get(fd, a) == 0, "set 0");
	ok(huge_get(fd, b) == 1, "another IOAS keeps its own");
	ok(!huge_set(fd, a, 1) && huge_get(fd, a) == 1, "set 1");
	fails(huge_set(fd, a, 2), EINVAL, "set 2");
	fails(huge_set(fd, a, UINT64_MAX), EINVAL, "set 2^64 - 1");
	fails(huge_set(fd, a, 1ULL << 32), EINVAL, "set 2^32");
	ok(huge_get(fd, a) == 1, "still 1");
	fails(huge_set(fd, 0, 0), ENOENT, "set for id 0");
	fails(huge_set(fd, b + 1000, 0), ENOENT, "set for an unknown id");
	fails(iommu_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET,
			   b + 1000, &val), ENOENT, "get of an unknown id");
	ok(!ioas_map_at(fd, a, mem, PAGE, PAGE, IOAS_RW), "map");
	ok(!huge_set(fd, a, 0) && huge_get(fd, a) == 0,
	   "set 0 with a mapping and nothing attached");
	ok(!huge_set(fd, a, 1) && huge_get(fd, a) == 1, "set 1 again");
	close(fd);
}

static void test_vfio_ioas(void)
{
	struct iommu_vfio_ioas cmd = { .size = sizeof(cmd) };
	int fd = iommu_open(), other = iommu_open();
	uint32_t a, b, got;

	fails(vfio_ioas_get(fd, &got), ENODEV, "GET while there is none");
	ok(!vfio_ioas_clear(fd), "CLEAR while there is none");
	fails(vfio_ioas_set(fd, 1), ENOENT, "SET an unknown id");
	fails(vfio_ioas_set(fd, 0), ENOENT, "SET id 0");
	ok(iommufd_stat("objects") == 0, "asking makes no object");
	a = ioas_new(fd);
	b = ioas_new(fd);
	fails(vfio_ioas_get(fd, &got), ENODEV, "an IOAS alone is not it");
	ok(!vfio_ioas_set(fd, a), "SET");
	ok(!vfio_ioas_get(fd, &got) && got == a, "GET");
	fails(vfio_ioas_get(other, &got), ENODEV, "another file has none");
	ok(!vfio_ioas_set(fd, b) && !vfio_ioas_get(fd, &got) && got == b,
	   "SET another");
	fails(vfio_ioas_set(fd, b + 1000), ENOENT, "SET an unknown id");
	ok(!vfio_ioas_get(fd, &got) && got == b, "changes nothing");
	ok(!vfio_ioas_clear(fd), "CLEAR");
	fails(vfio_ioas_get(fd, &got), ENODEV, "GET after CLEAR");
	ok(!vfio_ioas_set(fd, b), "CLEAR destroyed nothing: SET again");
	ok(!iommu_destroy_id(fd, b), "destroy it");
	fails(vfio_ioas_get(fd, &got), ENODEV, "GET after DESTROY");
	ok(!vfio_ioas_set(fd, a) && !vfio_ioas_get(fd, &got) && got == a,
	   "SET the other");
	cmd.op = 3;
	fails(ioctl(fd, IOMMU_VFIO_IOAS, &cmd), EOPNOTSUPP, "operation 3");
	cmd.op = IOMMU_VFIO_IOAS_CLEAR;
	cmd.__reserved = 1;
	fails(ioctl(fd, IOMMU_VFIO_IOAS, &cmd), EOPNOTSUPP,
	      "CLEAR with a reserved field");
	ok(!vfio_ioas_get(fd, &got) && got == a, "both changed nothing");
	close(fd);
	close(other);
}

int main(void)
{
	test_rlimit_mode();
	test_huge_pages();
	test_vfio_ioas();
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0,
	   "nothing is left");
	return tap_done();
}
