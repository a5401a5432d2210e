/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's `edu` device as a DMA engine, behind VFIO or bound natively.
 *
 * It copies between memory and a buffer of 4096 bytes inside the device that
 * no CPU can read.  So a check of DMA goes memory -> device -> other memory.
 * The device has no reset: the transfer of a killed user runs on, and the next
 * user waits for it (edu_idle) before it touches a register.
 */
#ifndef SELFTESTS_EDU_H
#define SELFTESTS_EDU_H

#include <linux/pci_regs.h>

#include "vfio_util.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define EDU_MAX 16

#define EDU_REG_SRC 0x80
#define EDU_REG_DST 0x88
#define EDU_REG_COUNT 0x90
#define EDU_REG_CMD 0x98
#define EDU_CMD_START 1u
#define EDU_CMD_TO_RAM 2u

#define EDU_BUF 0x40000ULL
/*
 * QEMU 7.2 ends itself when a transfer reaches the last byte of the buffer, so
 * a page takes two transfers.
 */
#define EDU_CHUNK 2048

struct edu {
	int fd;
	volatile uint8_t *bar;
	size_t bar_size;
	bool found_busy;	/* with the transfer of an earlier user */
};

static inline int edu_find(struct vfio_pci_addr *out)
{
	int n = find_vfio_pci(EDU_VENDOR, EDU_DEVICE, out, EDU_MAX);

	if (!n) {
		errno = ENODEV;
		bail("no edu device is bound to vfio-pci");
	}
	return n;
}

/* Two functions of one group when @same, else of two groups. */
static inline bool edu_find_pair(bool same, struct vfio_pci_addr pair[2])
{
	struct vfio_pci_addr all[EDU_MAX];
	int n = edu_find(all);

	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++) {
			bool together = all[i].group == all[j].group;

			if (together == same) {
				pair[0] = all[i];
				pair[1] = all[j];
				return true;
			}
		}
	return false;
}

/* A function that is alone in its group, where there is one. */
static inline struct vfio_pci_addr edu_first(void)
{
	struct vfio_pci_addr all[EDU_MAX];
	int n = edu_find(all);

	for (int i = 0; i < n; i++) {
		int members = 0;

		for (int j = 0; j < n; j++)
			members += all[i].group == all[j].group;
		if (members == 1)
			return all[i];
	}
	return all[0];
}

static inline uint64_t edu_read64(const struct edu *edu, unsigned int reg)
{
	return *(volatile uint64_t *)(edu->bar + reg);
}

static inline void edu_write64(const struct edu *edu, unsigned int reg, uint64_t val)
{
	*(volatile uint64_t *)(edu->bar + reg) = val;
}

/* Until the transfer that runs is over; it ends by itself after 100 ms. */
static inline void edu_idle(const struct edu *edu)
{
	while (edu_read64(edu, EDU_REG_CMD) & EDU_CMD_START)
		usleep(2000);
}

static inline int edu_command(int device, uint64_t config, uint16_t set, uint16_t clear)
{
	uint16_t cmd;

	if (pread(device, &cmd, 2, config + PCI_COMMAND) != 2)
		return -1;
	cmd = (cmd & ~clear) | set;
	return pwrite(device, &cmd, 2, config + PCI_COMMAND) == 2 ? 0 : -1;
}

/*
 * Maps the registers and allows DMA.  0, or -1 and errno.
 *
 * DMA comes last: until the transfer of an earlier user is over, it must not
 * find this user's mappings.
 */
static inline int edu_init(struct edu *edu, int device)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_info cfg = {
		.argsz = sizeof(cfg),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	void *regs;

	edu->fd = device;
	edu->bar = NULL;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &cfg) ||
	    edu_command(device, cfg.offset, PCI_COMMAND_MEMORY, PCI_COMMAND_MASTER))
		return -1;
	regs = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar.offset);
	if (regs == MAP_FAILED)
		return -1;
	edu->bar = regs;
	edu->bar_size = bar.size;
	edu->found_busy = edu_read64(edu, EDU_REG_CMD) & EDU_CMD_START;
	edu_idle(edu);
	return edu_command(device, cfg.offset, PCI_COMMAND_MASTER, 0);
}

/*
 * The same for a device that the test module has bound, and that is not attached
 * yet: until the transfer of an earlier user is over, its DMA is blocked.
 */
static inline void edu_init_native(struct edu *edu, const char *bdf)
{
	char path[PATH_MAX];
	struct stat st;
	void *regs;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", bdf);
	edu->fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (edu->fd < 0 || fstat(edu->fd, &st))
		bail("open %s", path);
	regs = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    edu->fd, 0);
	if (regs == MAP_FAILED)
		bail("mmap of %s", path);
	edu->bar = regs;
	edu->bar_size = st.st_size;
	edu->found_busy = edu_read64(edu, EDU_REG_CMD) & EDU_CMD_START;
	edu_idle(edu);
}

/* The register mapping holds the device open too, so it goes first. */
static inline void edu_unmap_bar(struct edu *edu)
{
	if (edu->bar)
		munmap((void *)edu->bar, edu->bar_size);
	edu->bar = NULL;
}

static inline void edu_start(const struct edu *edu, uint64_t src, uint64_t dst,
			     uint64_t len, uint64_t dir)
{
	edu_write64(edu, EDU_REG_SRC, src);
	edu_write64(edu, EDU_REG_DST, dst);
	edu_write64(edu, EDU_REG_COUNT, len);
	edu_write64(edu, EDU_REG_CMD, EDU_CMD_START | dir);
}

/* Memory at @iova into the device's buffer; at most EDU_CHUNK bytes. */
static inline void edu_fetch(const struct edu *edu, uint64_t iova, size_t len)
{
	edu_start(edu, iova, EDU_BUF, len, 0);
	edu_idle(edu);
}

/* The device's buffer into memory at @iova; at most EDU_CHUNK bytes. */
static inline void edu_store(const struct edu *edu, uint64_t iova, size_t len)
{
	edu_start(edu, EDU_BUF, iova, len, EDU_CMD_TO_RAM);
	edu_idle(edu);
}

/* @len bytes from one IOVA to another through the device. */
static inline void edu_copy(const struct edu *edu, uint64_t from, uint64_t to, size_t len)
{
	for (size_t n; len; from += n, to += n, len -= n) {
		n = len < EDU_CHUNK ? len : EDU_CHUNK;
		edu_fetch(edu, from, n);
		edu_store(edu, to, n);
	}
}

/* For a program that is not to care whether iommufd or type1 serves it. */
static bool edu_any_server;

/* An open container with one edu in it, ready for DMA. */
struct edu_session {
	struct vfio_pci_addr addr;
	int container, group, device;
	struct edu edu;
};

static inline void edu_session_device(struct edu_session *s)
{
	s->device = device_fd(s->group, s->addr.bdf);
	if (s->device < 0)
		bail("VFIO_GROUP_GET_DEVICE_FD %s", s->addr.bdf);
	if (edu_init(&s->edu, s->device))
		bail("setting up %s", s->addr.bdf);
}

static inline void edu_session_open(struct edu_session *s, const struct vfio_pci_addr *addr,
				    unsigned long type)
{
	memset(s, 0, sizeof(*s));
	s->addr = *addr;
	s->container = container_open();
	s->group = group_open(addr->group);
	if (set_container(s->group, s->container))
		bail("VFIO_GROUP_SET_CONTAINER, group %d", addr->group);
	if (set_iommu(s->container, type))
		bail("VFIO_SET_IOMMU %lu", type);
	if (!edu_any_server && !served_by_iommufd_if_due())
		bail("the container is not iommufd's");
	edu_session_device(s);
}

/* One more edu for a container that has its IOMMU. */
static inline void edu_session_join(struct edu_session *s, const struct vfio_pci_addr *addr,
				    int container)
{
	memset(s, 0, sizeof(*s));
	s->addr = *addr;
	s->container = container;
	s->group = group_open(addr->group);
	if (set_container(s->group, container))
		bail("VFIO_GROUP_SET_CONTAINER, group %d", addr->group);
	edu_session_device(s);
}

/* The container stays. */
static inline void edu_session_leave(struct edu_session *s)
{
	edu_unmap_bar(&s->edu);
	close(s->device);
	close(s->group);
}

static inline void edu_session_close(struct edu_session *s)
{
	edu_session_leave(s);
	close(s->container);
}

/*
 * One round of DMA in an open session: 256 bytes out of one page and into the
 * next, with @iova free for two pages.  True when they arrived, and only they.
 */
static inline bool edu_roundtrip(struct edu_session *s, uint64_t iova, uint32_t seed)
{
	uint8_t *buf = alloc_pages(2 * PAGE);
	bool good = false;

	fill_pattern(buf, 256, seed);
	if (!dma_map(s->container, iova, buf, 2 * PAGE)) {
		edu_copy(&s->edu, iova, iova + PAGE, 256);
		good = check_pattern(buf + PAGE, 256, seed) < 0 &&
		       all_bytes(buf + PAGE + 256, PAGE - 256, 0);
		if (dma_unmap(s->container, iova, 2 * PAGE, NULL))
			good = false;
	}
	munmap(buf, 2 * PAGE);
	return good;
}

#endif
