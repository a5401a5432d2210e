/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Thin wrappers of the native ioctls, and readers of the kernel's counters, for
 * the selftests.  A wrapper returns what ioctl(2) returns and leaves errno.
 */
#ifndef SELFTESTS_IOMMU_UTIL_H
#define SELFTESTS_IOMMU_UTIL_H

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/iommufd.h>

#include "tap.h"

#define PAGE 4096ULL
#define IOAS_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)
#define IOAS_RO IOMMU_IOAS_MAP_READABLE

static inline int iommu_open(void)
{
	int fd = open("/dev/iommu", O_RDWR);

	if (fd < 0)
		bail("open /dev/iommu");
	return fd;
}

static inline int ioas_alloc(int fd, uint32_t *id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int rc = ioctl(fd, IOMMU_IOAS_ALLOC, &cmd);

	*id = cmd.out_ioas_id;
	return rc;
}

/* For tests that cannot go on without one */
static inline uint32_t ioas_new(int fd)
{
	uint32_t id;

	if (ioas_alloc(fd, &id))
		bail("IOMMU_IOAS_ALLOC");
	return id;
}

static inline int iommu_destroy_id(int fd, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return ioctl(fd, IOMMU_DESTROY, &cmd);
}

/* @iova: with FIXED_IOVA in, else out */
static inline int ioas_map(int fd, uint32_t ioas, const void *va,
			   uint64_t length, uint64_t *iova, uint32_t flags)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = *iova,
	};
	int rc = ioctl(fd, IOMMU_IOAS_MAP, &cmd);

	*iova = cmd.iova;
	return rc;
}

static inline int ioas_map_at(int fd, uint32_t ioas, const void *va,
			      uint64_t length, uint64_t iova, uint32_t flags)
{
	return ioas_map(fd, ioas, va, length, &iova,
			flags | IOMMU_IOAS_MAP_FIXED_IOVA);
}

/* @unmapped: the bytes that the kernel says it removed; may be NULL */
static inline int ioas_unmap(int fd, uint32_t ioas, uint64_t iova,
			     uint64_t length, uint64_t *unmapped)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};
	int rc = ioctl(fd, IOMMU_IOAS_UNMAP, &cmd);

	if (unmapped)
		*unmapped = cmd.length;
	return rc;
}

static inline int ioas_unmap_all(int fd, uint32_t ioas, uint64_t *unmapped)
{
	return ioas_unmap(fd, ioas, 0, UINT64_MAX, unmapped);
}

static inline int ioas_copy_at(int fd, uint32_t dst, uint32_t src,
			       uint64_t src_iova, uint64_t length,
			       uint64_t dst_iova, uint32_t flags)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = flags | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = dst,
		.src_ioas_id = src,
		.length = length,
		.dst_iova = dst_iova,
		.src_iova = src_iova,
	};

	return ioctl(fd, IOMMU_IOAS_COPY, &cmd);
}

/* @n: in: entries of @ranges; out: entries there are */
static inline int ioas_ranges(int fd, uint32_t ioas,
			      struct iommu_iova_range *ranges, uint32_t *n)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = *n,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int rc = ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	*n = cmd.num_iovas;
	return rc;
}

/* What IOVAs and lengths must be multiples of */
static inline uint64_t ioas_alignment(int fd, uint32_t ioas)
{
	struct iommu_iova_range range;
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};

	/* EMSGSIZE: there are more ranges; the rest of the answer is there. */
	if (ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd) && errno != EMSGSIZE)
		bail("IOMMU_IOAS_IOVA_RANGES");
	return cmd.out_iova_alignment;
}

static inline int iommu_option(int fd, uint32_t option, uint16_t op,
			       uint32_t object, uint64_t *val)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = op,
		.object_id = object,
		.val64 = *val,
	};
	int rc = ioctl(fd, IOMMU_OPTION, &cmd);

	*val = cmd.val64;
	return rc;
}

static inline int iommu_option_set(int fd, uint32_t option, uint32_t object,
				   uint64_t val)
{
	return iommu_option(fd, option, IOMMU_OPTION_OP_SET, object, &val);
}

/* The value, or a value that no option has */
static inline uint64_t iommu_option_get(int fd, uint32_t option,
					uint32_t object)
{
	uint64_t val = UINT64_MAX;

	if (iommu_option(fd, option, IOMMU_OPTION_OP_GET, object, &val))
		return UINT64_MAX;
	return val;
}

static inline int vfio_ioas_set(int fd, uint32_t ioas)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};

	return ioctl(fd, IOMMU_VFIO_IOAS, &cmd);
}

static inline int vfio_ioas_clear(int fd)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_CLEAR,
	};

	return ioctl(fd, IOMMU_VFIO_IOAS, &cmd);
}

static inline int vfio_ioas_get(int fd, uint32_t *ioas)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_GET,
	};
	int rc = ioctl(fd, IOMMU_VFIO_IOAS, &cmd);

	*ioas = cmd.ioas_id;
	return rc;
}

/* Private anonymous memory, all pages present */
static inline void *mem_alloc(size_t length)
{
	void *mem = mmap(NULL, length, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (mem == MAP_FAILED)
		bail("mmap %zu bytes", length);
	return mem;
}

/* Each 8 bytes differ from all others, and from those of another @seed. */
static inline void mem_fill(void *mem, size_t length, uint64_t seed)
{
	uint64_t *word = mem;
	size_t i;

	for (i = 0; i != length / sizeof(*word); i++)
		word[i] = (seed << 40) + i * sizeof(*word);
}

/* "name value" or "name: value" line of a file; bails when there is none */
static inline uint64_t file_value(const char *path, const char *name)
{
	char line[256];
	size_t len = strlen(name);
	FILE *file = fopen(path, "r");

	if (!file)
		bail("open %s", path);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) ||
		    (line[len] != ' ' && line[len] != ':'))
			continue;
		fclose(file);
		return strtoull(line + len + 1, NULL, 10);
	}
	errno = 0;
	bail("no %s in %s", name, path);
}

/* A module parameter of iommufd.ko that is a bool */
static inline void iommufd_param(const char *name, bool on)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/iommufd/parameters/%s", name);
	f = fopen(path, "we");
	if (!f || fputs(on ? "Y" : "N", f) == EOF || fclose(f))
		bail("set %s", name);
}

/* Whether groups behind like IOMMUs share a domain; holds for the next attach */
static inline void share_domains(bool share)
{
	iommufd_param("share_domains", share);
}

/* A counter of iommufd.ko: contexts, objects, areas, pages, pinned_pages */
static inline uint64_t iommufd_stat(const char *name)
{
	return file_value("/sys/kernel/debug/iommufd/stats", name);
}

/* What became of mappings of BARs: revoked, restored, lost */
static inline uint64_t p2p_event(const char *name)
{
	return file_value("/sys/kernel/debug/iommufd/p2p", name);
}

/* Soon: a revocation is at once, its sequel the work of a kernel thread. */
static inline bool p2p_event_grew(const char *name, uint64_t was)
{
	for (unsigned int i = 0; i != 2000; i++) {
		if (p2p_event(name) > was)
			return true;
		usleep(5000);
	}
	note("%s is still %lu", name, was);
	return false;
}

/* Locked memory of this process, in KiB: what "VmLck" says */
static inline uint64_t vmlck_kib(void)
{
	return file_value("/proc/self/status", "VmLck");
}

/* Pinned memory of this process, in KiB: what "VmPin" says */
static inline uint64_t vmpin_kib(void)
{
	return file_value("/proc/self/status", "VmPin");
}

/*
 * Wait for a counter whose last change is deferred work (fput, RCU).  There is
 * no clock in the verdict: the runner's timeout ends a wait that is in vain.
 */
static inline void iommufd_stat_wait(const char *name, uint64_t want)
{
	while (iommufd_stat(name) != want)
		sched_yield();
}

static inline void __attribute__((noreturn))
must_fail(const char *file, int line, const char *what)
{
	note("child: %s:%d: not so: %s, errno %d", file, line, what, errno);
	_exit(1);
}

/* In a child, which has no TAP lines of its own: say what failed, and end */
#define must(cond) \
	((cond) ? (void)0 : must_fail(__FILE__, __LINE__, #cond))

/* Run @fn in a child that shares the TAP numbering by its exit status only */
static inline int in_child(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		_exit(fn(arg));
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
