/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzzer's operations: native ioctls of /dev/iommu. */
#ifndef SELFTESTS_FUZZ_NATIVE_H
#define SELFTESTS_FUZZ_NATIVE_H

#include "fuzz_world.h"

static bool op_ctx_open(struct fuzz_thread *t)
{
	int fd = ctx_open(t);

	slot_put(FD_CTX, slot_new(t, FD_CTX), fd);
	return fd >= 0;
}

static bool op_ioas_alloc(struct fuzz_thread *t)
{
	unsigned int slot = ctx_pick(t);
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_IOAS_ALLOC, &cmd))
		return false;
	ioas_add(t, slot, cmd.out_ioas_id);
	return true;
}

static bool op_destroy(struct fuzz_thread *t)
{
	unsigned int slot = ctx_pick(t);
	struct iommu_destroy cmd = {
		.size = sizeof(cmd),
		.id = one_in(t, 4) ? below(t, 24) : ioas_pick(t, slot),
	};

	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_DESTROY, &cmd))
		return false;
	/* Mostly: ids that are gone are to be tried, too. */
	if (!one_in(t, 8))
		live_drop(slot, cmd.id, true);
	return true;
}

static bool op_iova_ranges(struct fuzz_thread *t)
{
	unsigned int slot = ctx_pick(t);
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_pick(t, slot),
		.num_iovas = one_in(t, 8) ? odd_value(t) : below(t, 8),
		.allowed_iovas = bulk_pick(t),
	};

	return !fz_native(t, slot_fd(FD_CTX, slot), IOMMU_IOAS_IOVA_RANGES,
			  &cmd);
}

static bool op_allow_iovas(struct fuzz_thread *t)
{
	unsigned int slot = ctx_pick(t), n = below(t, 5), i;
	struct iommu_iova_range *range =
		(void *)(t->scratch + SCRATCH_BULK);
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_pick(t, slot),
		.num_iovas = one_in(t, 16) ? odd_value(t) : n,
		.allowed_iovas = bulk_pick(t),
	};
	uint64_t first = one_in(t, 2) ? 0 : iova_pick(t);

	for (i = 0; i != n; i++) {
		range[i].start = one_in(t, 6) ? iova_pick(t) : first;
		range[i].last = range[i].start + (length_pick(t, 1 << 22) - 1);
		first = range[i].last + 1 + below(t, 3) * PAGE;
	}
	/* An order to keep out of later maps' way would rule most of them out. */
	if (n && one_in(t, 2))
		range[n - 1].last = UINT64_MAX;
	return !fz_native(t, slot_fd(FD_CTX, slot), IOMMU_IOAS_ALLOW_IOVAS,
			  &cmd);
}

static inline uint32_t map_flags(struct fuzz_thread *t)
{
	uint32_t flags = IOMMU_IOAS_MAP_READABLE;

	if (!one_in(t, 3))
		flags |= IOMMU_IOAS_MAP_WRITEABLE;
	if (!one_in(t, 4))
		flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	if (one_in(t, 32))
		flags ^= 1U << below(t, 32);
	return flags;
}

static bool op_map(struct fuzz_thread *t)
{
	unsigned int slot = ctx_pick(t);
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(t),
		.ioas_id = ioas_pick(t, slot),
		.iova = iova_pick(t),
	};
	uint64_t have = PAGE;

	cmd.user_va = mem_pick(t, &have);
	cmd.length = length_pick(t, have);
	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_IOAS_MAP, &cmd))
		return false;
	live_add(slot, cmd.ioas_id, cmd.iova, cmd.length);
	return true;
}

static bool op_copy(struct fuzz_thread *t)
{
	const struct live_map *live = live_pick(t);
	bool known = !one_in(t, 4);
	unsigned int slot = known ? live->slot : ctx_pick(t);
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(t),
		.src_ioas_id = known ? live->ioas : ioas_pick(t, slot),
		.src_iova = known && !one_in(t, 4) ? live->iova : iova_pick(t),
		.dst_iova = iova_pick(t),
	};

	cmd.dst_ioas_id = ioas_pick(t, slot);
	cmd.length = length_pick(t, live->length);
	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_IOAS_COPY, &cmd))
		return false;
	live_add(slot, cmd.dst_ioas_id, cmd.dst_iova, cmd.length);
	return true;
}

static bool op_unmap(struct fuzz_thread *t)
{
	struct live_map *live = live_pick(t);
	bool known = !one_in(t, 4);
	unsigned int slot = known ? live->slot : ctx_pick(t);
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = known ? live->ioas : ioas_pick(t, slot),
		.iova = known && !one_in(t, 4) ? live->iova : iova_pick(t),
	};

	cmd.length = length_pick(t, live->length);
	if (one_in(t, 12)) {
		cmd.iova = 0;
		cmd.length = UINT64_MAX;
	}
	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_IOAS_UNMAP, &cmd)) {
		if (errno == ENOENT && one_in(t, 2))
			live->ioas = 0;
		return false;
	}
	if (cmd.length > UINT64_MAX / 2 || !cmd.iova)
		live_drop(slot, cmd.ioas_id, false);
	else if (known)
		live->ioas = 0;
	return true;
}

static bool op_option(struct fuzz_thread *t)
{
	unsigned int slot = ctx_pick(t);
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = below(t, one_in(t, 8) ? 5 : 2),
		.op = below(t, one_in(t, 8) ? 5 : 2),
		.val64 = one_in(t, 8) ? odd_value(t) : below(t, 2),
	};

	if (cmd.option_id || one_in(t, 16))
		cmd.object_id = ioas_pick(t, slot);
	return !fz_native(t, slot_fd(FD_CTX, slot), IOMMU_OPTION, &cmd);
}

static bool op_vfio_ioas(struct fuzz_thread *t)
{
	unsigned int slot = ctx_pick(t);
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = below(t, one_in(t, 8) ? 5 : 3),
	};

	if (cmd.op == IOMMU_VFIO_IOAS_SET)
		cmd.ioas_id = ioas_pick(t, slot);
	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_VFIO_IOAS, &cmd))
		return false;
	atomic_store(&world.compat[slot],
		     cmd.op == IOMMU_VFIO_IOAS_CLEAR ? 0 : cmd.ioas_id);
	if (cmd.op == IOMMU_VFIO_IOAS_GET)
		ioas_add(t, slot, cmd.ioas_id);
	return true;
}

/* A command that nobody promised, on any kind of file */
static bool op_any_ioctl(struct fuzz_thread *t)
{
	static const uint8_t types[] = { ';', ';', ';', 0xca, 0 };
	enum fd_class class = one_in(t, 2) ? FD_CTX : below(t, FD_CLASSES);
	unsigned int slot = class == FD_CTX ? ctx_pick(t) : slot_pick(t, class);
	uint64_t arg[32];
	unsigned int nr = one_in(t, 2) ? 0x80 + below(t, 20) : below(t, 256), i;
	unsigned long cmd = _IOC(one_in(t, 2) ? 0 : below(t, 4), pick(t, types),
				 nr, one_in(t, 2) ? 0 : below(t, 256));

	for (i = 0; i != 32; i++)
		arg[i] = one_in(t, 3) ? odd_value(t) : 0;
	if (one_in(t, 2))
		arg[0] = below(t, 256);
	return fz_ioctl(t, slot_fd(class, slot), cmd, arg, sizeof(arg)) >= 0;
}

#endif
