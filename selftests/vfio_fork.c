// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fork, exec and exit of the memory's owner.
 *
 * Locked memory is accounted to the process that mapped, and given back to it
 * by whoever unmaps, if it still exists.  After an exec the old address space
 * is gone: unmapping must not take it from the new one (known-bugs row 31).
 */
#define _GNU_SOURCE
#include "edu.h"

#define AREA (64 * PAGE)

static struct vfio_pci_addr addr;
static const char *self;

static const uint64_t iova = 32 * MIB;

/* Two processes take turns: each end waits for a byte of the other's. */
struct turns {
	int to_child[2], to_parent[2];
};

static void turns_init(struct turns *t)
{
	if (pipe(t->to_child) || pipe(t->to_parent))
		bail("pipe");
}

static void pass(int fd)
{
	if (write(fd, "x", 1) != 1)
		bail("write");
}

static bool await(int fd)
{
	char c;

	return read(fd, &c, 1) == 1;
}

static void turns_end(struct turns *t)
{
	for (int i = 0; i < 2; i++) {
		close(t->to_child[i]);
		close(t->to_parent[i]);
	}
}

/* What the parent mapped before fork stays its own, whatever the child does. */
static void parent_maps_child_exits(void)
{
	uint64_t locked = vmlck(getpid());
	struct edu_session s;
	uint8_t *mem = alloc_pages(AREA);
	bool good;
	pid_t pid;

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	fill_pattern(mem, PAGE, 1);
	ok(dma_map(s.container, iova, mem, AREA) == 0, "parent maps");
	pid = fork_child();
	if (!pid) {
		good = vmlck(getpid()) == 0;
		/* The child's own copy: the device must not see this */
		memset(mem, 0xff, AREA);
		_exit(!good);
	}
	ok(wait_child(pid) == 0, "the child starts with VmLck 0, writes and exits");
	ok(vmlck(getpid()) == locked + AREA, "the parent's VmLck is not touched");
	edu_copy(&s.edu, iova, iova + PAGE, 512);
	ok(check_pattern(mem + PAGE, 512, 1) < 0, "the device sees the parent's memory");
	memset(mem + PAGE, 0x33, 512);
	fill_pattern(mem, PAGE, 2);
	edu_copy(&s.edu, iova, iova + PAGE, 512);
	ok(check_pattern(mem + PAGE, 512, 2) < 0, "and what the parent writes after the fork");
	ok(dma_unmap_all(s.container, NULL) == 0 && vmlck(getpid()) == locked, "unmapped");
	edu_session_close(&s);
	munmap(mem, AREA);
}

/* The child maps its own memory through the inherited container. */
static void child_maps(bool child_unmaps)
{
	uint64_t locked = vmlck(getpid()), done = 0;
	struct edu_session s;
	struct turns t;
	uint8_t *mem = alloc_pages(AREA);
	bool good;
	pid_t pid;

	turns_init(&t);
	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	fill_pattern(mem, PAGE, 3);
	pid = fork_child();
	if (!pid) {
		fill_pattern(mem, PAGE, 4);
		good = dma_map(s.container, iova, mem, AREA) == 0;
		good &= vmlck(getpid()) == AREA;
		pass(t.to_parent[1]);
		good &= await(t.to_child[0]);
		good &= check_pattern(mem + PAGE, 512, 4) < 0;
		if (child_unmaps)
			good &= !dma_unmap(s.container, iova, AREA, NULL) && !vmlck(getpid());
		_exit(!good);
	}
	await(t.to_parent[0]);
	ok(vmlck(pid) == AREA && vmlck(getpid()) == locked,
	   "the child mapped: its VmLck grew, the parent's did not");
	edu_copy(&s.edu, iova, iova + PAGE, 512);
	ok(check_pattern(mem, PAGE, 3) < 0 && all_bytes(mem + PAGE, PAGE, 0),
	   "DMA does not touch the parent's copy of that address");
	pass(t.to_child[1]);
	ok(wait_child(pid) == 0, "DMA reached the child's memory; the child %s",
	   child_unmaps ? "unmapped and exited" : "exited with the mapping live");
	if (!child_unmaps) {
		edu_copy(&s.edu, iova, iova + 2 * PAGE, 512);
		fails(dma_map(s.container, iova, mem, AREA), EEXIST,
		      "its mapping outlives it, and DMA to it");
	}
	ok(dma_unmap_all(s.container, &done) == 0 && done == (child_unmaps ? 0 : AREA),
	   "the parent unmaps what is left");
	ok(vmlck(getpid()) == locked, "which is not taken from the parent's VmLck");
	edu_session_close(&s);
	munmap(mem, AREA);
	turns_end(&t);
}

/* A live child's mapping is unmapped by the parent: the child gets it back. */
static void parent_unmaps_for_child(void)
{
	uint64_t locked = vmlck(getpid()), done = 0;
	struct edu_session s;
	struct turns t;
	pid_t pid;
	bool good;

	turns_init(&t);
	edu_session_open(&s, &addr, VFIO_TYPE1_IOMMU);
	pid = fork_child();
	if (!pid) {
		good = dma_map(s.container, iova, alloc_pages(AREA), AREA) == 0;
		pass(t.to_parent[1]);
		good &= await(t.to_child[0]);
		_exit(!good || vmlck(getpid()));
	}
	await(t.to_parent[0]);
	ok(vmlck(pid) == AREA, "the child mapped");
	ok(dma_unmap(s.container, iova, AREA, &done) == 0 && done == AREA, "the parent unmaps");
	ok(vmlck(pid) == 0 && vmlck(getpid()) == locked, "the child's VmLck is back");
	pass(t.to_child[1]);
	ok(wait_child(pid) == 0, "as the child sees too");
	edu_session_close(&s);
	turns_end(&t);
}

static void keep_over_exec(int fd)
{
	if (fcntl(fd, F_SETFD, 0))
		bail("fcntl");
}

/*
 * The second half of exec_keeps_fds, in the new program: the mapping is still
 * there, belongs to no address space, and its end takes nothing from this one.
 */
static int after_exec(int argc, char **argv)
{
	struct edu_session s = {};
	uint64_t done = 0;
	bool good;

	if (argc != 5)
		return 2;
	s.container = atoi(argv[2]);
	s.group = atoi(argv[3]);
	s.device = atoi(argv[4]);
	good = vmlck(getpid()) == 0;
	good &= dma_map(s.container, iova, alloc_pages(AREA), AREA) == -1 && errno == EEXIST;
	good &= dma_map(s.container, iova + GIB, alloc_pages(AREA), AREA) == 0;
	good &= vmlck(getpid()) == AREA;
	good &= dma_unmap(s.container, iova, AREA, &done) == 0 && done == AREA;
	good &= vmlck(getpid()) == AREA;
	good &= edu_init(&s.edu, s.device) == 0 && edu_roundtrip(&s, 64 * MIB, 5);
	good &= dma_unmap(s.container, iova + GIB, AREA, &done) == 0 && done == AREA;
	good &= vmlck(getpid()) == 0;
	return !good;
}

static void exec_keeps_fds(void)
{
	struct edu_session s;
	char fd[3][12];
	pid_t pid = fork_child();

	if (!pid) {
		edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
		if (dma_map(s.container, iova, alloc_pages(AREA), AREA))
			_exit(3);
		keep_over_exec(s.container);
		keep_over_exec(s.group);
		keep_over_exec(s.device);
		snprintf(fd[0], sizeof(fd[0]), "%d", s.container);
		snprintf(fd[1], sizeof(fd[1]), "%d", s.group);
		snprintf(fd[2], sizeof(fd[2]), "%d", s.device);
		execl(self, self, "--after-exec", fd[0], fd[1], fd[2], NULL);
		_exit(4);
	}
	ok(wait_child(pid) == 0,
	   "exec with the fds kept: the old mapping ends without touching the new VmLck");
}

/* O_CLOEXEC, which all fds here have: exec is a close with mappings live. */
static void exec_closes_fds(void)
{
	uint64_t locked = vmlck(getpid());
	struct edu_session s;
	pid_t pid = fork_child();

	if (!pid) {
		edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
		fcntl(s.device, F_SETFD, FD_CLOEXEC);
		if (dma_map(s.container, iova, alloc_pages(AREA), AREA))
			_exit(3);
		execl(self, self, "--vmlck-is-zero", NULL);
		_exit(4);
	}
	ok(wait_child(pid) == 0, "exec that closes the fds: VmLck of the new program is 0");
	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	ok(edu_roundtrip(&s, iova, 8), "group and IOVA are free again");
	edu_session_close(&s);
	ok(vmlck(getpid()) == locked, "VmLck of the parent is as before");
}

/* The parent mapped, its child execs: nothing changes for the parent. */
static void exec_of_child(void)
{
	uint64_t locked = vmlck(getpid());
	struct edu_session s;
	uint8_t *mem = alloc_pages(AREA);
	pid_t pid;

	edu_session_open(&s, &addr, VFIO_TYPE1_IOMMU);
	ok(dma_map(s.container, iova, mem, AREA) == 0, "map");
	pid = fork_child();
	if (!pid) {
		execl(self, self, "--vmlck-is-zero", NULL);
		_exit(4);
	}
	ok(wait_child(pid) == 0, "a child of the mapper execs");
	ok(vmlck(getpid()) == locked + AREA, "the mapper's VmLck is not touched");
	ok(edu_roundtrip(&s, 64 * MIB, 6), "DMA goes on");
	edu_session_close(&s);
	ok(vmlck(getpid()) == locked, "closed: VmLck is back");
	munmap(mem, AREA);
}

/* The owner unmaps its memory: the device keeps the old, pinned pages. */
static void munmap_while_mapped(void)
{
	uint64_t locked = vmlck(getpid()), done = 0;
	struct edu_session s;
	uint8_t *mem = alloc_pages(AREA), *out = alloc_pages(PAGE);

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	fill_pattern(mem, PAGE, 12);
	ok(dma_map(s.container, iova, mem, AREA) == 0 &&
	   dma_map(s.container, iova + GIB / 16, out, PAGE) == 0, "map");
	munmap(mem, AREA);
	edu_copy(&s.edu, iova, iova + GIB / 16, 512);
	ok(check_pattern(out, 512, 12) < 0, "DMA from pages whose mmap is gone");
	ok(dma_unmap(s.container, iova, AREA, &done) == 0 && done == AREA, "unmap");
	ok(dma_unmap_all(s.container, NULL) == 0 && vmlck(getpid()) == locked, "VmLck is back");
	edu_session_close(&s);
	munmap(out, PAGE);
}

int main(int argc, char **argv)
{
	static char path[PATH_MAX];
	int64_t pins = pins_held();

	if (argc > 1 && !strcmp(argv[1], "--after-exec"))
		return after_exec(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--vmlck-is-zero"))
		return vmlck(getpid()) != 0;
	if (!realpath("/proc/self/exe", path))
		bail("realpath");
	self = path;
	addr = edu_first();
	parent_maps_child_exits();
	child_maps(true);
	child_maps(false);
	parent_unmaps_for_child();
	exec_keeps_fds();
	exec_closes_fds();
	exec_of_child();
	munmap_while_mapped();
	ok(pins_held() == pins, "no page is left pinned");
	return tap_done();
}
