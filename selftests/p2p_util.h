/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device with memory in BAR 2 that other devices reach by DMA, and how to tell
 * whether they do.  Only data is looked at, never an IOMMU's fault report: some block
 * without a word.
 *
 * The memory is seen by the CPU through a mapping of its own, ->view, which no test
 * takes away: what a test maps for DMA is another mapping of the same BAR.
 */
#ifndef SELFTESTS_P2P_UTIL_H
#define SELFTESTS_P2P_UTIL_H

#include "edu.h"
#include "iommu_util.h"

/* What one check moves */
#define P2P_LEN 256
/* A page of ordinary memory, for what a device reads or is to write */
#define P2P_MEM_IOVA (16 * MIB)

struct p2p {
	struct vfio_pci_addr addr;
	int group, device;
	uint64_t config;	/* where the config space is in @device, ... */
	uint64_t offset;	/* ... and the BAR */
	uint64_t size;
	uint8_t *view;
};

static uint8_t *p2p_mem;
static uint32_t p2p_seed;

static inline uint8_t *p2p_map_bar_at(const struct p2p *p, void *at, int prot)
{
	uint8_t *bar = mmap(at, p->size, prot, MAP_SHARED | (at ? MAP_FIXED : 0), p->device,
			    p->offset);

	if (bar == MAP_FAILED)
		bail("mmap of the BAR of %s", p->addr.bdf);
	return bar;
}

/* A mapping that has no page yet: they come with the first access. */
static inline uint8_t *p2p_map_bar(const struct p2p *p)
{
	return p2p_map_bar_at(p, NULL, PROT_READ | PROT_WRITE);
}

/* No memory is touched, by whomever, between off and on. */
static inline int p2p_memory(const struct p2p *p, bool on)
{
	return edu_command(p->device, p->config, on ? PCI_COMMAND_MEMORY : 0,
			   on ? 0 : PCI_COMMAND_MEMORY);
}

/* The device of a group that is in a container with an IOMMU */
static inline void p2p_open_device(struct p2p *p)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR2_REGION_INDEX,
	};
	struct vfio_region_info cfg = {
		.argsz = sizeof(cfg),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};

	p->device = device_fd(p->group, p->addr.bdf);
	if (p->device < 0 || ioctl(p->device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(p->device, VFIO_DEVICE_GET_REGION_INFO, &cfg))
		bail("VFIO device %s", p->addr.bdf);
	p->config = cfg.offset;
	p->offset = bar.offset;
	p->size = bar.size;
	if (!(bar.flags & VFIO_REGION_INFO_FLAG_MMAP) || p2p_memory(p, true))
		bail("no memory in BAR 2 of %s", p->addr.bdf);
	p->view = p2p_map_bar(p);
}

/* @variable: P2P0 or P2P1; its group joins a container that has its IOMMU. */
static inline void p2p_open(struct p2p *p, const char *variable, int container)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->addr.bdf, sizeof(p->addr.bdf), "%s", name_of(variable));
	p->addr.group = pci_group(p->addr.bdf);
	p->group = group_open(p->addr.group);
	if (set_container(p->group, container))
		bail("VFIO_GROUP_SET_CONTAINER, group %d", p->addr.group);
	p2p_open_device(p);
}

static inline void p2p_close(struct p2p *p)
{
	munmap(p->view, p->size);
	close(p->device);
	close(p->group);
}

/* ------------------------------------------------------------------ */
/* States of a device */

static inline bool p2p_power(struct p2p *dev, uint16_t state)
{
	uint8_t at, id_next[2];
	uint16_t pmcsr;

	if (pread(dev->device, &at, 1, dev->config + PCI_CAPABILITY_LIST) != 1)
		bail("capabilities of %s", dev->addr.bdf);
	for (; at; at = id_next[1]) {
		if (pread(dev->device, id_next, 2, dev->config + at) != 2)
			bail("capability");
		if (id_next[0] == PCI_CAP_ID_PM)
			break;
	}
	if (!at || pread(dev->device, &pmcsr, 2, dev->config + at + PCI_PM_CTRL) != 2)
		bail("no power management");
	pmcsr = (pmcsr & ~PCI_PM_CTRL_STATE_MASK) | state;
	return pwrite(dev->device, &pmcsr, 2, dev->config + at + PCI_PM_CTRL) == 2 &&
	       pread(dev->device, &pmcsr, 2, dev->config + at + PCI_PM_CTRL) == 2 &&
	       (pmcsr & PCI_PM_CTRL_STATE_MASK) == state;
}

static inline bool p2p_memory_off(struct p2p *dev)
{
	return !p2p_memory(dev, false);
}

static inline bool p2p_memory_on(struct p2p *dev)
{
	return !p2p_memory(dev, true);
}

static inline bool p2p_sleeps(struct p2p *dev)
{
	return p2p_power(dev, 3);
}

static inline bool p2p_wakes(struct p2p *dev)
{
	return p2p_power(dev, 0);
}

/* ------------------------------------------------------------------ */
/* DMA: @iova is where the device finds offset @off of the BAR. */

/* The device reads the BAR. */
static inline bool p2p_reads(const struct edu *edu, struct p2p *p, uint64_t iova, uint64_t off)
{
	fill_pattern(p->view + off, P2P_LEN, ++p2p_seed);
	memset(p2p_mem, 0, P2P_LEN);
	edu_copy(edu, iova, P2P_MEM_IOVA, P2P_LEN);
	return check_pattern(p2p_mem, P2P_LEN, p2p_seed) < 0 &&
	       check_pattern(p->view + off, P2P_LEN, p2p_seed) < 0;
}

/* Its write arrives: @arrives; or not a byte of it. */
static inline bool p2p_write_is(bool arrives, const struct edu *edu, struct p2p *p,
				uint64_t iova, uint64_t off)
{
	uint32_t before = ++p2p_seed, written = ++p2p_seed;

	fill_pattern(p->view + off, P2P_LEN, before);
	fill_pattern(p2p_mem, P2P_LEN, written);
	edu_copy(edu, P2P_MEM_IOVA, iova, P2P_LEN);
	return check_pattern(p->view + off, P2P_LEN, arrives ? written : before) < 0;
}

static inline bool p2p_writes(const struct edu *edu, struct p2p *p, uint64_t iova, uint64_t off)
{
	return p2p_write_is(true, edu, p, iova, off);
}

static inline bool p2p_write_blocked(const struct edu *edu, struct p2p *p, uint64_t iova,
				     uint64_t off)
{
	return p2p_write_is(false, edu, p, iova, off);
}

/* Both ways at once: it copies P2P_LEN bytes to the place behind them. */
static inline bool p2p_reaches(const struct edu *edu, struct p2p *p, uint64_t iova, uint64_t off)
{
	fill_pattern(p->view + off, P2P_LEN, ++p2p_seed);
	memset(p->view + off + P2P_LEN, 0, P2P_LEN);
	edu_copy(edu, iova, iova + P2P_LEN, P2P_LEN);
	return check_pattern(p->view + off, P2P_LEN, p2p_seed) < 0 &&
	       check_pattern(p->view + off + P2P_LEN, P2P_LEN, p2p_seed) < 0;
}

/*
 * Neither way: what the device writes does not arrive, and what it read there is not
 * in its buffer afterwards, seen through memory, which it reaches.
 */
static inline bool p2p_blocked(const struct edu *edu, struct p2p *p, uint64_t iova, uint64_t off)
{
	if (!p2p_write_blocked(edu, p, iova, off))
		return false;
	memset(p2p_mem, 0x77, P2P_LEN);
	edu_copy(edu, iova, P2P_MEM_IOVA, P2P_LEN);
	return !all_bytes(p2p_mem, P2P_LEN, 0x77) &&
	       check_pattern(p2p_mem, P2P_LEN, p2p_seed - 1) >= 0;
}

/* ------------------------------------------------------------------ */
/* What a mapping must not change */

struct charges {
	int64_t pins;
	uint64_t locked, pinned, ours;
};

static inline struct charges charges_get(void)
{
	return (struct charges) {
		.pins = pins_held(),
		.locked = vmlck_kib(),
		.pinned = vmpin_kib(),
		.ours = access(STATS, R_OK) ? 0 : iommufd_stat("pinned_pages"),
	};
}

static inline bool uncharged(const struct charges *was)
{
	struct charges now = charges_get();

	if (!memcmp(&now, was, sizeof(now)))
		return true;
	note("%ld pins, %lu KiB locked, %lu pinned, %lu pages, after %ld, %lu, %lu, %lu",
	     now.pins, now.locked, now.pinned, now.ours, was->pins, was->locked, was->pinned,
	     was->ours);
	return false;
}

#endif
