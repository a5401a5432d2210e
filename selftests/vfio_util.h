/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every VFIO program does: container, group, device, map, unmap.
 *
 * Nothing here knows who serves the container.  /dev/vfio/vfio may be the
 * stock node or a symlink to /dev/iommu, and the programs that use this header
 * are ordinary type1 programs either way.
 *
 * A helper without a verdict of its own (container_open, group_open, ...) ends
 * the program when it fails: a program that stops without a plan is red.
 */
#ifndef SELFTESTS_VFIO_UTIL_H
#define SELFTESTS_VFIO_UTIL_H

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define VFIO_NODE "/dev/vfio/vfio"
#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PAGE 4096ULL

#define MAP_RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

struct vfio_pci_addr {
	char bdf[16];
	int group;
};

static inline int cmp_pci_addr(const void *a, const void *b)
{
	const struct vfio_pci_addr *x = a, *y = b;

	return strcmp(x->bdf, y->bdf);
}

static inline unsigned int sysfs_hex(const char *bdf, const char *name)
{
	char path[PATH_MAX], buf[32] = "";
	unsigned int val = 0;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, buf, sizeof(buf) - 1) > 0)
		val = strtoul(buf, NULL, 16);
	close(fd);
	return val;
}

/* The last component of a link. */
static inline bool link_end(const char *path, char *out, size_t len)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = 0;
	snprintf(out, len, "%s", strrchr(target, '/') + 1);
	return true;
}

/* The same, of one in the device's sysfs directory */
static inline bool sysfs_link(const char *bdf, const char *name, char *out, size_t len)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, name);
	return link_end(path, out, len);
}

/* @device: its directory in sysfs, as for printf() */
static inline int __attribute__((format(printf, 1, 2)))
group_number(const char *device, ...)
{
	char path[PATH_MAX], group[NAME_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, device);
	n = vsnprintf(path, sizeof(path), device, ap);
	va_end(ap);
	snprintf(path + n, sizeof(path) - n, "/iommu_group");
	if (!link_end(path, group, sizeof(group)))
		bail("%s is missing", path);
	return atoi(group);
}

static inline int pci_group(const char *bdf)
{
	return group_number("/sys/bus/pci/devices/%s", bdf);
}

static inline void sysfs_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f))
		bail("write '%s' to %s", text, path);
}

/* The device that a variable of the row names, EDU0 and so on */
static inline const char *name_of(const char *variable)
{
	const char *name = getenv(variable);

	if (!name)
		bail("no %s in the environment", variable);
	return name;
}

/* PCI functions with this id that vfio-pci holds, in address order. */
static inline int find_vfio_pci(unsigned int vendor, unsigned int device,
				struct vfio_pci_addr *out, int max)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	char name[NAME_MAX + 1];
	struct dirent *de;
	int n = 0;

	if (!dir)
		bail("no /sys/bus/pci/devices");
	while (n < max && (de = readdir(dir))) {
		if (de->d_name[0] == '.' ||
		    sysfs_hex(de->d_name, "vendor") != vendor ||
		    sysfs_hex(de->d_name, "device") != device)
			continue;
		if (!sysfs_link(de->d_name, "driver", name, sizeof(name)) ||
		    strcmp(name, "vfio-pci"))
			continue;
		if (!sysfs_link(de->d_name, "iommu_group", name, sizeof(name)))
			continue;
		snprintf(out[n].bdf, sizeof(out[n].bdf), "%.15s", de->d_name);
		out[n++].group = atoi(name);
	}
	closedir(dir);
	qsort(out, n, sizeof(*out), cmp_pci_addr);
	return n;
}

/* Is /dev/vfio/vfio a symlink, so that containers are open files of /dev/iommu? */
static inline bool node_is_iommufd(void)
{
	struct stat st;

	return !lstat(VFIO_NODE, &st) && S_ISLNK(st.st_mode);
}

static inline int container_open(void)
{
	int fd = open(VFIO_NODE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("open " VFIO_NODE);
	return fd;
}

/* As open(): -1 and errno (EBUSY while the group is open elsewhere). */
static inline int group_try_open(int group)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	return open(path, O_RDWR | O_CLOEXEC);
}

static inline int group_open(int group)
{
	int fd = group_try_open(group);

	if (fd < 0)
		bail("open /dev/vfio/%d", group);
	return fd;
}

static inline int set_container(int group_fd, int container)
{
	return ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &container);
}

static inline int set_iommu(int container, unsigned long type)
{
	return ioctl(container, VFIO_SET_IOMMU, type);
}

static inline int device_fd(int group_fd, const char *bdf)
{
	return ioctl(group_fd, VFIO_GROUP_GET_DEVICE_FD, bdf);
}

static inline int dma_map_flags(int container, uint64_t iova, const void *va,
				uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map);
}

static inline int dma_map(int container, uint64_t iova, const void *va, uint64_t size)
{
	return dma_map_flags(container, iova, va, size, MAP_RW);
}

/* @done gets the struct's size field, which is what was unmapped on success. */
static inline int dma_unmap_flags(int container, uint64_t iova, uint64_t size,
				  uint32_t flags, uint64_t *done)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = flags,
		.iova = iova,
		.size = size,
	};
	int rc = ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap);

	if (done)
		*done = unmap.size;
	return rc;
}

static inline int dma_unmap(int container, uint64_t iova, uint64_t size, uint64_t *done)
{
	return dma_unmap_flags(container, iova, size, 0, done);
}

static inline int dma_unmap_all(int container, uint64_t *done)
{
	return dma_unmap_flags(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, done);
}

/* UNMAP_DMA of a range that says which of its pages were dirty, in @bytes at @bits */
static inline int dma_unmap_bitmap(int container, uint64_t iova, uint64_t size, uint64_t bytes,
				   void *bits, uint64_t *done)
{
	struct {
		struct vfio_iommu_type1_dma_unmap unmap;
		struct vfio_bitmap bitmap;
	} args = {
		.unmap = { .argsz = sizeof(args), .iova = iova, .size = size,
			   .flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP },
		.bitmap = { .pgsize = PAGE, .size = bytes, .data = bits },
	};
	int rc = ioctl(container, VFIO_IOMMU_UNMAP_DMA, &args);

	if (done)
		*done = args.unmap.size;
	return rc;
}

/* VFIO_IOMMU_DIRTY_PAGES with START or STOP */
static inline int dirty_track(int container, uint32_t flags)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty), .flags = flags,
	};

	return ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &dirty);
}

static inline int dirty_start(int container)
{
	return dirty_track(container, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
}

static inline int dirty_stop(int container)
{
	return dirty_track(container, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

/* VFIO_IOMMU_DIRTY_PAGES with GET_BITMAP, @bytes long, to @bits */
static inline int dirty_get(int container, uint64_t iova, uint64_t size, uint64_t bytes,
			    void *bits)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap dirty;
		struct vfio_iommu_type1_dirty_bitmap_get range;
	} args = {
		.dirty = { .argsz = sizeof(args),
			   .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP },
		.range = { .iova = iova, .size = size },
	};

	args.range.bitmap = (struct vfio_bitmap){ .pgsize = PAGE, .size = bytes, .data = bits };
	return ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &args);
}

/*
 * GET_INFO with room for @room bytes of capabilities.  The caller frees what
 * comes back; NULL when the ioctl failed.
 */
static inline struct vfio_iommu_type1_info *get_info(int container, size_t room)
{
	size_t size = sizeof(struct vfio_iommu_type1_info) + room;
	struct vfio_iommu_type1_info *info = malloc(size);

	if (!info)
		bail("malloc");
	memset(info, 0xa5, size);
	info->argsz = size;
	if (ioctl(container, VFIO_IOMMU_GET_INFO, info)) {
		free(info);
		return NULL;
	}
	return info;
}

static inline struct vfio_info_cap_header *
find_cap(struct vfio_iommu_type1_info *info, uint16_t id)
{
	uint32_t off = info->flags & VFIO_IOMMU_INFO_CAPS ? info->cap_offset : 0;

	while (off) {
		struct vfio_info_cap_header *cap = (void *)((char *)info + off);

		if (cap->id == id)
			return cap;
		off = cap->next;
	}
	return NULL;
}

/* How many more mappings the container takes; -1 when it does not say. */
static inline long dma_avail(int container)
{
	struct vfio_iommu_type1_info *info = get_info(container, 4096);
	struct vfio_iommu_type1_info_dma_avail *cap;
	long avail = -1;

	if (!info)
		return -1;
	cap = (void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	if (cap)
		avail = cap->avail;
	free(info);
	return avail;
}

/* VmLck of a process, in bytes. */
static inline uint64_t vmlck(pid_t pid)
{
	char path[64], line[256];
	uint64_t kib = 0;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		bail("open %s", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %" SCNu64, &kib) == 1)
			found = true;
	fclose(f);
	if (!found)
		bail("no VmLck in %s", path);
	return kib * KIB;
}

/* One counter of a file of "name value" lines; -1 when it is not there. */
static inline int64_t counter(const char *path, const char *name)
{
	char line[256], key[128];
	int64_t val, found = -1;
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%127s %" SCNd64, key, &val) == 2 && !strcmp(key, name))
			found = val;
	fclose(f);
	return found;
}

#define STATS "/sys/kernel/debug/iommufd/stats"

/* Fold the per-CPU counts into what /proc/vmstat shows. */
static inline void vmstat_refresh(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0 || read(fd, &c, 1) < 0)
		bail("stat_refresh");
	close(fd);
}

/* Pages that are pinned (FOLL_PIN) anywhere in the system right now. */
static inline int64_t pins_held(void)
{
	vmstat_refresh();
	return counter("/proc/vmstat", "nr_foll_pin_acquired") -
	       counter("/proc/vmstat", "nr_foll_pin_released");
}

/*
 * vfio.ko asks the next driver, without a word, when the first one cannot take
 * a group.  So with the bridge in charge of /dev/vfio/vfio, a container that
 * works may still be type1's: then this is false.
 */
static inline bool served_by_iommufd_if_due(void)
{
	char serve = 'N';
	int fd = open("/sys/module/iommufd_vfio/parameters/serve_stock_node",
		      O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &serve, 1) != 1)
			serve = '?';
		close(fd);
	}
	if (serve == 'N' && !node_is_iommufd())
		return true;
	return counter(STATS, "contexts") > 0;
}

static inline void *alloc_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		bail("mmap of %zu bytes", size);
	return p;
}

/* A reproducible byte stream: what a buffer must hold is known without a copy. */
static inline uint8_t pattern_byte(uint32_t seed, size_t i)
{
	uint32_t x = seed * 2654435761u + (uint32_t)i * 40503u;

	x ^= x >> 15;
	x *= 2246822519u;
	return x >> 24;
}

static inline void fill_pattern(void *buf, size_t len, uint32_t seed)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = pattern_byte(seed, i);
}

/* -1 when all bytes match, else the offset of the first that does not. */
static inline ssize_t check_pattern(const void *buf, size_t len, uint32_t seed)
{
	const volatile uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern_byte(seed, i))
			return i;
	return -1;
}

static inline bool all_bytes(const void *buf, size_t len, uint8_t want)
{
	const volatile uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		if (p[i] != want)
			return false;
	return true;
}

/* A child that dies with its parent: a killed test leaves nobody behind. */
static inline pid_t fork_child(void)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
	}
	return pid;
}

/* The child's exit status, or -1 when a signal ended it. */
static inline int wait_child(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
