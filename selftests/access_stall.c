// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pin of memory that takes long to come keeps the lock of its IOAS, but
 * nobody outside of it: reading debugfs and, because of the lock that it shares
 * with open(), opening /dev/iommu must not wait for it.
 */
#include "access_util.h"
#include "stall_util.h"

#define IOVA 0x100000ULL
#define CONTEXTS "/sys/kernel/debug/iommufd/contexts"

static int fd, at;
static uint32_t ioas;
static char *mem;

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
	return pid;
}

static int pinning(struct stall *s)
{
	void *late = stall_map(s);
	struct pin pin;

	must(late);
	must(!ioas_map_at(fd, ioas, late, STALL_SIZE, IOVA, IOAS_RW));
	must(!access_pin(at, IOVA, STALL_SIZE, PIN_WRITE, &pin));
	must(!access_unpin(at, &pin));
	return 0;
}

static int mapping(struct stall *unused)
{
	(void)unused;
	must(!ioas_map_at(fd, ioas, mem, PAGE, 2 * IOVA, IOAS_RW));
	return 0;
}

static ssize_t read_text(const char *path, char *buf, size_t size)
{
	int file = open(path, O_RDONLY);
	ssize_t n = file < 0 ? -1 : read(file, buf, size - 1);

	if (n < 0)
		bail("read %s", path);
	buf[n] = 0;
	close(file);
	return n;
}

/* Until a process waits inside iommufd for a lock (state D) */
static void wait_for_lock(pid_t pid)
{
	char path[64], stack[4096], stat[4096];

	do {
		sched_yield();
		if (waitpid(pid, NULL, WNOHANG))
			bail("the second process did not wait");
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		read_text(path, stat, sizeof(stat));
		snprintf(path, sizeof(path), "/proc/%d/stack", pid);
		read_text(path, stack, sizeof(stack));
	} while (!strstr(stat, ") D ") || !strstr(stack, "[iommufd]"));
}

static bool exited_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

int main(void)
{
	char text[4096], busy[64];
	struct stall s;
	pid_t pinner, mapper;
	int other;

	fd = iommu_open();
	ioas = ioas_new(fd);
	at = access_new(fd, ioas);
	mem = mem_alloc(PAGE);
	read_text(CONTEXTS, text, sizeof(text));
	ok(strstr(text, "0 maps") && !strstr(text, "busy"),
	   "debugfs tells of an idle IOAS");

	stall_start(&s, "/tmp/stall");
	pinner = start(pinning, &s);
	stall_wait(&s, pinner);
	mapper = start(mapping, &s);
	wait_for_lock(mapper);
	note("one process waits for its memory, one to map");

	read_text(CONTEXTS, text, sizeof(text));
	snprintf(busy, sizeof(busy), "ioas %u: busy\n", ioas);
	if (!ok(strstr(text, busy), "debugfs says that the IOAS is busy"))
		note("%s", text);
	ok(iommufd_stat("contexts") == 1, "the counters can be read");
	other = iommu_open();
	ok(!ioas_map_at(other, ioas_new(other), mem, PAGE, IOVA, IOAS_RW),
	   "another context works");
	close(other);
	ok(waitpid(pinner, NULL, WNOHANG) == 0 &&
	   waitpid(mapper, NULL, WNOHANG) == 0, "the two still wait");

	stall_release(&s);
	ok(exited_well(pinner), "the pin succeeds");
	ok(exited_well(mapper), "the map too");
	ok(!ioas_unmap(fd, ioas, IOVA, STALL_SIZE, NULL) &&
	   !ioas_unmap(fd, ioas, 2 * IOVA, PAGE, NULL), "unmap");
	stall_stop(&s);
	close(at);
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("pinned_pages") == 0,
	   "nothing is left");
	return tap_done();
}
