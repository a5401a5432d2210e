// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access objects among the others: ids of the wrong type, DESTROY while
 * something is attached, and every order of closing.
 *
 * known-bugs.md rows 10 (two accesses, one that fails), 20 (ids of objects that
 * userspace may not touch).
 */
#include "access_util.h"

#define IOVA 0x100000ULL

static char *mem;

static void test_types(void)
{
	int fd = iommu_open(), at = access_open(), at2 = access_open();
	uint32_t ioas = ioas_new(fd), access = 0, access2 = 0;
	struct iommu_ioas_iova_ranges ranges = { .size = sizeof(ranges) };
	struct iommu_ioas_allow_iovas allow = { .size = sizeof(allow) };

	ok(!access_create(at, fd, ACCESS_TEST_CREATE_PINS, &access) &&
	   !access_create(at2, fd, 0, &access2), "two accesses");
	ok(access && access != ioas && access2 && access2 != access,
	   "their ids differ");
	fails(access_create(at, fd, 0, NULL), EINVAL,
	      "a second access in one file");
	fails(ioas_map_at(fd, access, mem, PAGE, IOVA, IOAS_RW), ENOENT,
	      "MAP into an access");
	fails(ioas_unmap(fd, access, IOVA, PAGE, NULL), ENOENT,
	      "UNMAP of an access");
	fails(ioas_copy_at(fd, access, ioas, IOVA, PAGE, IOVA, IOAS_RW), ENOENT,
	      "COPY to an access");
	fails(ioas_copy_at(fd, ioas, access, IOVA, PAGE, IOVA, IOAS_RW), ENOENT,
	      "COPY from an access");
	ranges.ioas_id = access;
	fails(ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &ranges), ENOENT,
	      "IOVA_RANGES of an access");
	allow.ioas_id = access;
	fails(ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &allow), ENOENT,
	      "ALLOW_IOVAS of an access");
	fails(iommu_option_set(fd, IOMMU_OPTION_HUGE_PAGES, access, 0), ENOENT,
	      "HUGE_PAGES of an access");
	fails(vfio_ioas_set(fd, access), ENOENT, "VFIO_IOAS SET to an access");
	fails(iommu_destroy_id(fd, access), EBUSY, "DESTROY of an access");
	fails(access_attach(at, access), ENOENT, "attach to itself");
	fails(access_attach(at, access2), ENOENT, "attach to another access");
	fails(access_attach(at, 0), ENOENT, "attach to id 0");
	fails(access_attach(at, 0x7fffffff), ENOENT, "attach to an unknown id");

	ok(!access_attach(at, ioas), "attach");
	fails(access_attach(at2, 0x7fffffff), ENOENT,
	      "another one attaches to an unknown id");
	ok(!access_attach(at2, ioas), "then to the IOAS");
	fails(iommu_destroy_id(fd, ioas), EBUSY, "DESTROY with two attached");
	ok(!access_detach(at), "detach one");
	fails(iommu_destroy_id(fd, ioas), EBUSY, "DESTROY with one attached");
	ok(!access_detach(at2), "detach the other");
	ok(!ioctl(at, ACCESS_TEST_DESTROY), "destroy an access");
	fails(iommu_destroy_id(fd, access), ENOENT, "its id is gone");
	ok(!iommu_destroy_id(fd, ioas), "DESTROY of the IOAS");
	close(at);
	close(at2);
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("contexts") == 0,
	   "nothing is left");
}

static void test_wrong_files(void)
{
	int fd = iommu_open(), at = access_open(), pipefd[2];

	if (pipe(pipefd))
		bail("pipe");
	fails(access_create(at, -1, 0, NULL), EBADF, "no file");
	fails(access_create(at, 9999, 0, NULL), EBADF, "a closed file");
	fails(access_create(at, pipefd[0], 0, NULL), EBADFD, "a pipe");
	fails(access_create(at, at, 0, NULL), EBADFD, "the access's own file");
	ok(!access_create(at, fd, 0, NULL), "/dev/iommu");
	close(pipefd[0]);
	close(pipefd[1]);
	close(at);
	close(fd);
}

/* DESTROY of the IOAS that is attached and mapped changes nothing. */
static void test_busy_destroy(void)
{
	int fd = iommu_open();
	uint32_t ioas = ioas_new(fd);
	int at = access_new(fd, ioas);
	struct pin pin;

	ok(!ioas_map_at(fd, ioas, mem, 4 * PAGE, IOVA, IOAS_RW) &&
	   !access_pin(at, IOVA, 4 * PAGE, PIN_WRITE, &pin), "map and pin");
	fails(iommu_destroy_id(fd, ioas), EBUSY, "DESTROY");
	ok(access_holds(at, &pin, 0, mem, 4 * PAGE) &&
	   iommufd_stat("pinned_pages") == 4, "the pins are still there");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, 2 * IOVA, IOAS_RW),
	   "the IOAS still works");
	ok(!vfio_ioas_set(fd, ioas), "it becomes the compatibility IOAS");
	fails(iommu_destroy_id(fd, ioas), EBUSY, "DESTROY again");
	ok(!vfio_ioas_get(fd, &ioas), "it still is");
	ok(!access_unpin(at, &pin) && !access_detach(at), "detach");
	ok(!iommu_destroy_id(fd, ioas), "DESTROY with mappings");
	close(at);
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0,
	   "nothing is left");
}

/* Each way to end, in each order; a pin is alive when it begins. */
static void test_close_orders(void)
{
	unsigned int order;

	for (order = 0; order != 6; order++) {
		int fd = iommu_open(), at;
		uint32_t ioas = ioas_new(fd);
		struct pin pin;
		bool good;

		at = access_new(fd, ioas);
		good = !ioas_map_at(fd, ioas, mem, 4 * PAGE, IOVA, IOAS_RW) &&
		       !access_pin(at, IOVA, 4 * PAGE, PIN_WRITE, &pin);
		if (order == 0) {		/* /dev/iommu first */
			close(fd);
			good &= access_holds(at, &pin, 0, mem, 4 * PAGE);
			good &= iommufd_stat("pinned_pages") == 4;
			close(at);
		} else if (order == 1) {	/* the access first */
			close(at);
			close(fd);
		} else if (order == 2) {	/* unpin after close */
			close(fd);
			good &= !access_unpin(at, &pin);
			good &= !access_pin(at, IOVA, PAGE, PIN_READ, &pin);
			close(at);
		} else if (order == 3) {	/* detach after close */
			close(fd);
			good &= !access_detach(at);
			close(at);
		} else if (order == 4) {	/* destroy after close */
			close(fd);
			good &= !ioctl(at, ACCESS_TEST_DESTROY);
			close(at);
		} else {			/* all explicitly */
			good &= !access_unpin(at, &pin);
			good &= !access_detach(at);
			good &= !ioctl(at, ACCESS_TEST_DESTROY);
			good &= !iommu_destroy_id(fd, ioas);
			close(at);
			close(fd);
		}
		ok(good, "order %u works", order);
		iommufd_stat_wait("contexts", 0);
		ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
		   iommufd_stat("pinned_pages") == 0,
		   "order %u leaves nothing", order);
	}
}

/* A file's process exits while the access, held by another, is alive. */
static int exit_with_all(void *arg)
{
	int at = *(int *)arg, fd = iommu_open();
	uint32_t ioas = ioas_new(fd);
	struct pin pin;

	if (access_create(at, fd, ACCESS_TEST_CREATE_PINS, NULL) ||
	    access_attach(at, ioas) ||
	    ioas_map_at(fd, ioas, mem, 4 * PAGE, IOVA, IOAS_RW) ||
	    access_pin(at, IOVA, 4 * PAGE, PIN_WRITE, &pin))
		return 1;
	return 0;	/* fd goes with the process, the access does not */
}

static void test_exit(void)
{
	int at = access_open();

	ok(!in_child(exit_with_all, &at), "a child makes all and exits");
	ok(iommufd_stat("pinned_pages") == 4 && iommufd_stat("contexts") == 1,
	   "the access keeps it alive");
	ok(access_stats(at).pins == 1, "the pin too");
	close(at);
	iommufd_stat_wait("contexts", 0);
	ok(iommufd_stat("pinned_pages") == 0 && iommufd_stat("objects") == 0,
	   "nothing is left");
}

int main(void)
{
	mem = mem_alloc(4 * PAGE);
	mem_fill(mem, 4 * PAGE, 5);
	test_types();
	test_wrong_files();
	test_busy_destroy();
	test_close_orders();
	test_exit();
	return tap_done();
}
