// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's test command against itself: an access lets go of everything, up to
 * the last IOVA, and memory of the caller that takes long to come keeps nobody
 * waiting but the caller.
 */
#include "mock_util.h"
#include "stall_util.h"

#define N 8
#define SIZE (N * PAGE)

static int fd, access_fd;
static uint32_t ioas, hwpt;
static char *mem;

static uint64_t pinned(void)
{
	return iommufd_stat("pinned_pages");
}

static void test_pin(void)
{
	int access = mock_access_new(fd, ioas);
	uint32_t id, again;

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW), "map");
	ok(!mock_pin(fd, access, IOVA + PAGE, 2 * PAGE, mem + PAGE, &id) &&
	   pinned() == 2, "pin, and they are the pages that they should be");
	refused(mock_pin(fd, access, IOVA, PAGE, mem + PAGE, &again), EBADE,
		"these are not");
	refused(mock_pin(fd, access, IOVA, PAGE, (void *)PAGE, &again), EFAULT,
		"there are none");
	ok(!mock_unpin(fd, access, id) && pinned() == 0, "unpin");
	refused(mock_unpin(fd, access, id), ENOENT, "twice");
	ok(!mock_pin(fd, access, IOVA, SIZE, mem, &id) &&
	   !ioas_unmap(fd, ioas, IOVA, SIZE, NULL) && pinned() == 0,
	   "unmap asks for the pin");
	refused(mock_unpin(fd, access, id), ENOENT, "so it is gone");
	close(access);
}

/* "Everything" is a length that does not reach the last IOVA by itself. */
static void test_last_iova(void)
{
	uint32_t top = ioas_new(fd), id;
	int access = mock_access_new(fd, top);

	ok(!ioas_map_at(fd, top, mem, PAGE, 0 - PAGE, IOAS_RW),
	   "map the last page that there is");
	ok(!mock_pin(fd, access, UINT64_MAX, 1, NULL, &id) && pinned() == 1,
	   "pin its last byte");
	ok(!mock_access_replace(fd, access, ioas) && pinned() == 0,
	   "moving the access unpins it");
	refused(mock_unpin(fd, access, id), ENOENT, "so it is gone");
	ok(!mock_access_replace(fd, access, top) &&
	   !mock_pin(fd, access, UINT64_MAX, 1, NULL, &id), "pin it again");
	close(access);
	ok(pinned() == 0, "closing the access unpins it, too");
	ok(!ioas_unmap(fd, top, 0 - PAGE, PAGE, NULL) &&
	   !iommu_destroy_id(fd, top), "nobody is left");
}

/* ------------------------------------------------------------------ */
/* Memory that comes when the test says so */

static pid_t start(int (*fn)(struct stall *), struct stall *s)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid) {
		stall_child(s);
		_exit(fn(s));
	}
	stall_wait(s, pid);
	return pid;
}

static bool exited_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static int pinning(struct stall *s)
{
	uint32_t id;

	return !(mock_pin(fd, access_fd, IOVA, PAGE, stall_map(s), &id) == -1 &&
		 errno == EBADE);
}

static void test_late_pin(bool replace)
{
	uint32_t other = ioas_new(fd);
	struct stall s;
	pid_t pid;

	access_fd = mock_access_new(fd, ioas);
	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW), "map");
	stall_start(&s, "/tmp/stall");
	pid = start(pinning, &s);
	ok(pinned() == 1, "one has pinned, and waits for what to compare it to");
	if (replace)
		ok(!mock_access_replace(fd, access_fd, other),
		   "its access can be moved");
	ok(!ioas_unmap(fd, ioas, IOVA, SIZE, NULL) && pinned() == 0,
	   "the page can be unmapped");
	ok(waitpid(pid, NULL, WNOHANG) == 0, "it still waits");
	stall_release(&s);
	ok(exited_well(pid), "it is told that these were other pages");
	stall_stop(&s);
	close(access_fd);
	ok(!iommu_destroy_id(fd, other) && pinned() == 0, "nothing is left of it");
}

static int checking(struct stall *s)
{
	return !(mock_check_map(fd, hwpt, IOVA, stall_map(s), PAGE) == -1 &&
		 errno == ENOENT);
}

static void test_late_check(void)
{
	struct mock dev = mock_new(fd, ioas, 0);
	struct stall s;
	pid_t pid;

	hwpt = dev.hwpt;
	stall_start(&s, "/tmp/stall");
	pid = start(checking, &s);
	ok(!mock_destroy(fd, &dev),
	   "a device leaves a page table that one waits to compare");
	ok(waitpid(pid, NULL, WNOHANG) == 0, "it still waits");
	stall_release(&s);
	ok(exited_well(pid), "it is told that the page table is gone");
	stall_stop(&s);
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	mem = mem_alloc(SIZE);
	mem_fill(mem, SIZE, 1);

	test_pin();
	test_last_iova();
	test_late_pin(false);
	test_late_pin(true);
	test_late_check();
	close(fd);
	ok(nothing_left(), "nothing is left");
	return tap_done();
}
