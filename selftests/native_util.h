/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Thin wrappers of the ioctls on page tables, fault queues and memfds, and what
 * tests of them have in common.  As in iommu_util.h a wrapper returns what
 * ioctl(2) returns and leaves errno.
 */
#ifndef SELFTESTS_NATIVE_UTIL_H
#define SELFTESTS_NATIVE_UTIL_H

#include "iommu_util.h"

/* ------------------------------------------------------------------ */
/* A call that fails changes nothing */

struct counts {
	uint64_t contexts, objects, areas, pages, pinned_pages;
};

static inline struct counts counts_get(void)
{
	FILE *file = fopen("/sys/kernel/debug/iommufd/stats", "re");
	struct counts c;

	if (!file || fscanf(file, "contexts %lu objects %lu areas %lu pages %lu pinned_pages %lu",
			    &c.contexts, &c.objects, &c.areas, &c.pages,
			    &c.pinned_pages) != 5)
		bail("iommufd/stats");
	fclose(file);
	return c;
}

static inline void counts_show(const char *what, const struct counts *c)
{
	note("%s: contexts %lu, objects %lu, areas %lu, pages %lu, pinned %lu",
	     what, c->contexts, c->objects, c->areas, c->pages,
	     c->pinned_pages);
}

static inline bool counts_same(const struct counts *was)
{
	struct counts now = counts_get();

	if (!memcmp(&now, was, sizeof(now)))
		return true;
	counts_show("before", was);
	counts_show("after", &now);
	return false;
}

/* As fails(), and the kernel counts the same as before. */
#define refused(call, want, ...)                                             \
	({                                                                   \
		struct counts _was = counts_get();                           \
		bool _same, _failed;                                         \
		long _r;                                                     \
		int _err;                                                    \
									     \
		errno = 0;                                                   \
		_r = (long)(call);                                           \
		_err = errno;                                                \
		_failed = _r == -1 && _err == (want);                        \
		if (!_failed)                                                \
			printf("# returned %ld, errno %d (%s), wanted %s\n", \
			       _r, _err, strerror(_err), #want);             \
		_same = counts_same(&_was);                                  \
		errno = _err;                                                \
		ok(_failed && _same, __VA_ARGS__);                           \
	})

/* All contexts are gone, and what was in them. */
static inline bool nothing_left(void)
{
	static const struct counts zero;

	iommufd_stat_wait("contexts", 0);
	return counts_same(&zero);
}

/*
 * An ioctl whose struct can be read but not be written: its answer is lost, and
 * so what it made must not stay.
 */
static inline int ioctl_read_only(int fd, unsigned long nr, const void *cmd,
				  size_t size)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc, err;

	if (page == MAP_FAILED)
		bail("mmap");
	memcpy(page, cmd, size);
	if (mprotect(page, PAGE, PROT_READ))
		bail("mprotect");
	rc = ioctl(fd, nr, page);
	err = errno;
	munmap(page, PAGE);
	errno = err;
	return rc;
}

/*
 * @pages of memory, and behind them one that nobody may touch.  (One that is not
 * there would be the next one to be mapped.)
 */
static inline void *mem_before_hole(size_t pages)
{
	char *mem = mem_alloc((pages + 1) * PAGE);

	if (mprotect(mem + pages * PAGE, PAGE, PROT_NONE))
		bail("mprotect");
	return mem;
}

static inline uint64_t random64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ random();
}

/* Less than @n */
static inline uint64_t random_below(uint64_t n)
{
	return random64() % n;
}

/* ------------------------------------------------------------------ */
/* Files */

static inline int memfd_new(unsigned int flags, uint64_t length)
{
	int fd = memfd_create("selftest", MFD_CLOEXEC | flags);

	if (fd < 0 || ftruncate(fd, length))
		bail("memfd of %llu bytes", (unsigned long long)length);
	return fd;
}

static inline void *memfd_map(int fd, uint64_t length)
{
	void *mem = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);

	if (mem == MAP_FAILED)
		bail("mmap of a memfd");
	return mem;
}

/* Another open file of the same memfd: O_RDONLY and so on */
static inline int memfd_reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	if (again < 0)
		bail("reopen %s", path);
	return again;
}

#define HUGE_PAGE (512 * PAGE)

static inline unsigned int huge_pages_get(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int n;

	if (!file || fscanf(file, "%u", &n) != 1)
		bail("%s", path);
	fclose(file);
	return n;
}

/*
 * So many huge pages of 2 MiB and no more.  0: as many as there were before, which
 * the rows behind this one need.
 */
static inline void huge_pages(unsigned int n)
{
	static const char path[] = "/proc/sys/vm/nr_hugepages";
	static unsigned int before;
	unsigned int got;
	FILE *file;

	if (n)
		before = huge_pages_get(path);
	else
		n = before;
	file = fopen(path, "we");
	if (!file || fprintf(file, "%u", n) < 0 || fclose(file))
		bail("%s", path);
	got = huge_pages_get(path);
	if (got < n)
		bail("%u huge pages wanted, %u are there", n, got);
}

static inline int ioas_map_file(int fd, uint32_t ioas, int file,
				uint64_t start, uint64_t length, uint64_t *iova,
				uint32_t flags)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.fd = file,
		.start = start,
		.length = length,
		.iova = *iova,
	};
	int rc = ioctl(fd, IOMMU_IOAS_MAP_FILE, &cmd);

	*iova = cmd.iova;
	return rc;
}

static inline int ioas_map_file_at(int fd, uint32_t ioas, int file,
				   uint64_t start, uint64_t length,
				   uint64_t iova, uint32_t flags)
{
	return ioas_map_file(fd, ioas, file, start, length, &iova,
			     flags | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static inline int ioas_change_process(int fd)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	return ioctl(fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

static inline int ioas_allow(int fd, uint32_t ioas, uint64_t start,
			     uint64_t last)
{
	struct iommu_iova_range range = { start, last };
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};

	return ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* Nothing is promised any more. */
static inline int ioas_allow_all(int fd, uint32_t ioas)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
	};

	return ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* A line of /proc/PID/status, in KiB */
static inline uint64_t kib_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return file_value(path, name);
}

/* ------------------------------------------------------------------ */
/* Page tables */

/* Sets size and nothing else */
static inline int hwpt_alloc_cmd(int fd, struct iommu_hwpt_alloc *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(fd, IOMMU_HWPT_ALLOC, cmd);
}

static inline int hwpt_alloc(int fd, uint32_t dev, uint32_t pt, uint32_t flags,
			     uint32_t *id)
{
	struct iommu_hwpt_alloc cmd = {
		.flags = flags,
		.dev_id = dev,
		.pt_id = pt,
	};
	int rc = hwpt_alloc_cmd(fd, &cmd);

	*id = cmd.out_hwpt_id;
	return rc;
}

static inline uint32_t hwpt_new(int fd, uint32_t dev, uint32_t pt,
				uint32_t flags)
{
	uint32_t id;

	if (hwpt_alloc(fd, dev, pt, flags, &id))
		bail("IOMMU_HWPT_ALLOC");
	return id;
}

/* @num: in and out */
static inline int hwpt_invalidate(int fd, uint32_t hwpt, const void *array,
				  uint32_t type, uint32_t len, uint32_t *num)
{
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.data_uptr = (uintptr_t)array,
		.data_type = type,
		.entry_len = len,
		.entry_num = *num,
	};
	int rc = ioctl(fd, IOMMU_HWPT_INVALIDATE, &cmd);

	*num = cmd.entry_num;
	return rc;
}

static inline int set_dirty_tracking(int fd, uint32_t hwpt, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.hwpt_id = hwpt,
	};

	return ioctl(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static inline int get_dirty_bitmap(int fd, uint32_t hwpt, uint64_t iova,
				   uint64_t length, uint64_t page_size,
				   void *bitmap, uint32_t flags)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.flags = flags,
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.data = (uintptr_t)bitmap,
	};

	return ioctl(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

static inline int fault_alloc(int fd, uint32_t *id, int *queue)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int rc = ioctl(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	*id = cmd.out_fault_id;
	*queue = cmd.out_fault_fd;
	return rc;
}

/* Returns the file descriptor */
static inline int fault_new(int fd, uint32_t *id)
{
	int queue;

	if (fault_alloc(fd, id, &queue))
		bail("IOMMU_FAULT_QUEUE_ALLOC");
	return queue;
}

static inline int viommu_alloc(int fd, uint32_t dev, uint32_t hwpt,
			       uint32_t flags, uint32_t reserved)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.type = 1,
		.dev_id = dev,
		.hwpt_id = hwpt,
		.__reserved = reserved,
	};

	return ioctl(fd, IOMMU_VIOMMU_ALLOC, &cmd);
}

static inline int vdevice_alloc(int fd, uint32_t viommu, uint32_t dev)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu,
		.dev_id = dev,
	};

	return ioctl(fd, IOMMU_VDEVICE_ALLOC, &cmd);
}

#endif
