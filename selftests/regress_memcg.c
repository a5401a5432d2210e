// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory that mappings take is charged to the memory cgroup of the
 * process that makes them, and so bounded by its limit, also where no limit of
 * entries applies: one page of user memory, mapped for ever.
 *
 * known-bugs.md row 30 (CVE-2019-3882).
 */
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "iommu_util.h"

#define ROOT "/tmp/regress_memcg"
#define GROUP ROOT "/maps"
/* What a mapping takes at the very least: its place in a tree, twice */
#define LEAST 128U
/* Bytes, of the cgroup: enough for a process and some of `count` mappings */
#define LIMIT (1258U * count)

/* Written by the child */
struct result {
	uint64_t before, mapped, unmapped;	/* bytes of slab charged */
	uint64_t maps;
};

static struct result *result;
static void *page;
static unsigned int count;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("%s", path);
	close(fd);
}

static void make_cgroup(void)
{
	if (mkdir(ROOT, 0700) || mount("none", ROOT, "cgroup2", 0, NULL))
		bail("mount cgroup2");
	put(ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0700))
		bail("mkdir " GROUP);
}

static void remove_cgroup(void)
{
	/* EBUSY until the kernel has done with the processes that were in it */
	while (rmdir(GROUP) && errno == EBUSY)
		sched_yield();
	if (umount(ROOT) || rmdir(ROOT))
		bail("umount " ROOT);
}

static uint64_t slab_charged(void)
{
	return file_value(GROUP "/memory.stat", "slab");
}

static int child_counts(void *arg)
{
	uint32_t ioas, i;
	int fd;

	(void)arg;
	put(GROUP "/cgroup.procs", "0");
	fd = iommu_open();
	ioas = ioas_new(fd);
	result->before = slab_charged();
	for (i = 0; i != count; i++)
		must(!ioas_map_at(fd, ioas, page, PAGE, (i + 1) * PAGE,
				  IOAS_RW));
	result->mapped = slab_charged();
	must(!ioas_unmap_all(fd, ioas, NULL));
	result->unmapped = slab_charged();
	return 0;
}

static int child_for_ever(void *arg)
{
	uint32_t ioas;
	int fd;

	(void)arg;
	put(GROUP "/cgroup.procs", "0");
	fd = iommu_open();
	ioas = ioas_new(fd);
	for (;; result->maps++)
		if (ioas_map_at(fd, ioas, page, PAGE,
				(result->maps + 1) * PAGE, IOAS_RW))
			return errno == ENOMEM ? 0 : 1;
}

int main(int argc, char **argv)
{
	char limit[16];
	int rc;

	count = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	page = mem_alloc(PAGE);
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (result == MAP_FAILED)
		bail("mmap");
	make_cgroup();

	ok(in_child(child_counts, NULL) == 0, "%u mappings in a memory cgroup",
	   count);
	ok(result->mapped >= result->before + count * LEAST,
	   "they are charged to it: %llu bytes each",
	   (unsigned long long)(result->mapped - result->before) / count);
	ok(result->unmapped + count * LEAST <= result->mapped,
	   "and given back: %llu bytes each",
	   (unsigned long long)(result->mapped - result->unmapped) / count);

	snprintf(limit, sizeof(limit), "%u", LIMIT);
	put(GROUP "/memory.max", limit);
	rc = in_child(child_for_ever, NULL);
	ok(rc == 0 || rc == 128 + SIGKILL,
	   "a limit ends who maps for ever, by ENOMEM or SIGKILL (%d)", rc);
	ok(result->maps && result->maps < LIMIT / LEAST,
	   "after %llu mappings", (unsigned long long)result->maps);
	iommufd_stat_wait("contexts", 0);
	ok(iommufd_stat("areas") == 0 && iommufd_stat("pages") == 0 &&
	   iommufd_stat("objects") == 0, "nothing is left");
	remove_cgroup();
	return tap_done();
}
