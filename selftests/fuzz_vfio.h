/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzzer's operations: VFIO's container, group and device ioctls. */
#ifndef SELFTESTS_FUZZ_VFIO_H
#define SELFTESTS_FUZZ_VFIO_H

#include "edu.h"
#include "fuzz_world.h"

static bool op_group_open(struct fuzz_thread *t)
{
	unsigned int slot = below(t, SLOTS);
	int fd;

	if (!world.devs)
		return false;
	fd = group_try_open(world.dev[below(t, world.devs)].group);
	if (fd >= 0)
		slot_put(FD_GROUP, slot, fd);
	return fd >= 0;
}

static bool op_set_container(struct fuzz_thread *t)
{
	int32_t fd = slot_fd(FD_CTX, ctx_pick(t));

	if (one_in(t, 16))
		fd = slot_fd(below(t, FD_CLASSES), below(t, SLOTS));
	return !fz_ioctl(t, slot_fd(FD_GROUP, slot_pick(t, FD_GROUP)),
			 VFIO_GROUP_SET_CONTAINER, &fd, sizeof(fd));
}

static bool op_unset_container(struct fuzz_thread *t)
{
	return !fz_ioctl_num(t, slot_fd(FD_GROUP, slot_pick(t, FD_GROUP)),
			     VFIO_GROUP_UNSET_CONTAINER, 0);
}

static inline unsigned long iommu_type(struct fuzz_thread *t)
{
	if (one_in(t, 16))
		return one_in(t, 2) ? below(t, 12) : odd_value(t);
	if (one_in(t, 6))
		return VFIO_TYPE1_NESTING_IOMMU;
	return one_in(t, 2) ? VFIO_TYPE1_IOMMU : VFIO_TYPE1v2_IOMMU;
}

static bool op_set_iommu(struct fuzz_thread *t)
{
	return !fz_ioctl_num(t, slot_fd(FD_CTX, compat_pick(t)), VFIO_SET_IOMMU,
			     iommu_type(t));
}

/*
 * All steps that a VFIO program takes, so that there are containers with groups
 * at all; what the steps do in another order, the other operations try.
 */
static bool op_container(struct fuzz_thread *t)
{
	struct iommu_vfio_ioas get = { .size = sizeof(get) };
	unsigned int slot = ctx_pick(t), dev;
	int group, fd = slot_fd(FD_CTX, slot), device;

	if (!world.devs)
		return false;
	dev = below(t, world.devs);
	group = group_try_open(world.dev[dev].group);
	if (group < 0) {
		/* It may be this process that has it open. */
		slot_put(FD_GROUP, slot_pick(t, FD_GROUP), -1);
		slot_put(FD_DEVICE, slot_pick(t, FD_DEVICE), -1);
		return false;
	}
	slot_put(FD_GROUP, below(t, SLOTS), group);
	if (fz_ioctl(t, group, VFIO_GROUP_SET_CONTAINER, &fd, sizeof(fd)))
		return false;
	/* EINVAL when there was a group before, which is as good. */
	if (fz_ioctl_num(t, fd, VFIO_SET_IOMMU, iommu_type(t)) && errno != EINVAL)
		return false;
	atomic_store(&world.grouped[slot], true);
	/* ENOTTY: a container of vfio.ko's own node */
	if (!ioctl(fd, IOMMU_VFIO_IOAS, &get)) {
		ioas_add(t, slot, get.ioas_id);
		atomic_store(&world.compat[slot], get.ioas_id);
	} else if (errno == ENOTTY) {
		atomic_store(&world.compat[slot], UINT32_MAX);
	}
	if (one_in(t, 2))
		return true;
	device = device_fd(group, world.dev[dev].name);
	slot_put(FD_DEVICE, below(t, SLOTS), device);
	return device >= 0;
}

static bool op_get_info(struct fuzz_thread *t)
{
	uint32_t buf[128] = { 0 };

	memset(buf, 0xa5, sizeof(buf));
	buf[0] = one_in(t, 8) ? odd_value(t) : below(t, sizeof(buf));
	return !fz_ioctl(t, slot_fd(FD_CTX, compat_pick(t)), VFIO_IOMMU_GET_INFO,
			 buf, sizeof(buf));
}

static bool op_dma_map(struct fuzz_thread *t)
{
	unsigned int slot = compat_pick(t);
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = one_in(t, 3) ? VFIO_DMA_MAP_FLAG_READ : MAP_RW,
		.iova = iova_pick(t),
	};
	uint64_t have = PAGE;

	cmd.vaddr = mem_pick(t, &have);
	cmd.size = length_pick(t, have);
	if (one_in(t, 32))
		cmd.flags ^= 1U << below(t, 32);
	if (fz_ioctl(t, slot_fd(FD_CTX, slot), VFIO_IOMMU_MAP_DMA, &cmd,
		     sizeof(cmd)))
		return false;
	live_add(slot, atomic_load(&world.compat[slot]), cmd.iova, cmd.size);
	return true;
}

/* Bits of dirty pages of @size bytes; the rest is hostile now and then. */
static inline struct vfio_bitmap bitmap_pick(struct fuzz_thread *t, uint64_t size)
{
	struct vfio_bitmap bitmap = {
		.pgsize = one_in(t, 24) ? odd_value(t) : PAGE,
		.size = (size / PAGE / 64 + below(t, 3)) * 8,
		.data = (void *)(uintptr_t)bulk_pick(t),
	};

	if (one_in(t, 12))
		bitmap.size = odd_value(t);
	return bitmap;
}

static inline uint32_t dirty_flags(struct fuzz_thread *t)
{
	switch (below(t, 24)) {
	case 0:
		return odd_value(t);
	case 1:
	case 2:
		return VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;
	case 3 ... 7:
		return VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
	default:
		return VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
	}
}

static bool op_dirty_pages(struct fuzz_thread *t)
{
	const struct live_map *live = live_pick(t);
	unsigned int slot = one_in(t, 8) ? compat_pick(t) : grouped_pick(t);
	bool known = live->slot == slot && !one_in(t, 4);
	struct {
		struct vfio_iommu_type1_dirty_bitmap cmd;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} buf = {
		.cmd.argsz = one_in(t, 24) ? below(t, sizeof(buf)) : sizeof(buf),
		.cmd.flags = dirty_flags(t),
		.get.iova = known ? live->iova : iova_pick(t),
	};

	/* All there is, often: what is cut is refused. */
	if (one_in(t, 2)) {
		buf.get.iova = 0;
		buf.get.size = 1ULL << (12 + below(t, 32));
	} else {
		buf.get.size = length_pick(t, live->length);
	}
	buf.get.bitmap = bitmap_pick(t, buf.get.size);
	if (one_in(t, 2))
		dirty_start(slot_fd(FD_CTX, slot));
	return !fz_ioctl(t, slot_fd(FD_CTX, slot), VFIO_IOMMU_DIRTY_PAGES, &buf,
			 sizeof(buf));
}

static bool op_dma_unmap(struct fuzz_thread *t)
{
	struct live_map *live = live_pick(t);
	bool known = !one_in(t, 4);
	unsigned int slot = known && atomic_load(&world.compat[live->slot]) ?
			    live->slot : compat_pick(t);
	struct {
		struct vfio_iommu_type1_dma_unmap cmd;
		struct vfio_bitmap bitmap;
	} buf = {
		.cmd.argsz = sizeof(buf.cmd),
		.cmd.iova = known ? live->iova : iova_pick(t),
	};

	buf.cmd.size = length_pick(t, live->length);
	buf.bitmap = bitmap_pick(t, buf.cmd.size);
	if (one_in(t, 12)) {
		buf.cmd.flags = VFIO_DMA_UNMAP_FLAG_ALL;
		buf.cmd.iova = 0;
		buf.cmd.size = 0;
	} else if (one_in(t, 4)) {
		buf.cmd.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
		buf.cmd.argsz = sizeof(buf);
		if (one_in(t, 2))
			dirty_start(slot_fd(FD_CTX, slot));
	} else if (one_in(t, 32)) {
		buf.cmd.flags = 1U << below(t, 32);
		buf.cmd.argsz = sizeof(buf);
	}
	if (fz_ioctl(t, slot_fd(FD_CTX, slot), VFIO_IOMMU_UNMAP_DMA, &buf,
		     sizeof(buf)))
		return false;
	if (known && buf.cmd.size)
		live->ioas = 0;
	return true;
}

static bool op_check_extension(struct fuzz_thread *t)
{
	return fz_ioctl_num(t, slot_fd(FD_CTX, ctx_pick(t)),
			    VFIO_CHECK_EXTENSION,
			    one_in(t, 4) ? odd_value(t) : below(t, 16)) > 0;
}

static bool op_group_status(struct fuzz_thread *t)
{
	struct vfio_group_status cmd = { .argsz = sizeof(cmd) };

	return !fz_ioctl(t, slot_fd(FD_GROUP, slot_pick(t, FD_GROUP)),
			 VFIO_GROUP_GET_STATUS, &cmd, sizeof(cmd));
}

static bool op_device_open(struct fuzz_thread *t)
{
	int group = slot_fd(FD_GROUP, slot_pick(t, FD_GROUP)), fd;

	if (!world.devs || group < 0)
		return false;
	fd = device_fd(group, world.dev[below(t, world.devs)].name);
	if (fd >= 0)
		slot_put(FD_DEVICE, below(t, SLOTS), fd);
	return fd >= 0;
}

/* Its BARs go, or come back. */
static bool device_memory(int fd, bool on)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};

	return !ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config) &&
	       !edu_command(fd, config.offset, on ? PCI_COMMAND_MEMORY : 0,
			    on ? 0 : PCI_COMMAND_MEMORY);
}

/* A look at the device, a reset, or its registers as memory to map */
static bool op_device_use(struct fuzz_thread *t)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar) };
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int fd = slot_fd(FD_DEVICE, slot_pick(t, FD_DEVICE));
	void *mem = (void *)mem_at(MEM_SLOTS + below(t, BAR_SLOTS));

	switch (below(t, 7)) {
	case 0:
		return !fz_ioctl(t, fd, VFIO_DEVICE_GET_INFO, &info, sizeof(info));
	case 1:
		return !fz_ioctl_num(t, fd, VFIO_DEVICE_RESET, 0);
	case 2:
		return !fz_ioctl_num(t, fd, VFIO_GROUP_GET_STATUS, 0);
	case 3:
		return !munmap(mem, MEM_STEP);
	case 4:
		return device_memory(fd, below(t, 2));
	default:
		if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &bar) || !bar.size ||
		    bar.size > MEM_MAX)
			return false;
		munmap(mem, MEM_STEP);
		if (mmap(mem, bar.size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, bar.offset) == MAP_FAILED)
			return false;
		/* Stock 6.1 warns when it copies such a mapping after a zap. */
		return !madvise(mem, bar.size, MADV_DONTFORK);
	}
}

#endif
