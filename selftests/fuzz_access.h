/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzzer's operations: in-kernel accesses, by the test module. */
#ifndef SELFTESTS_FUZZ_ACCESS_H
#define SELFTESTS_FUZZ_ACCESS_H

#include "fuzz_world.h"

static bool op_access_create(struct fuzz_thread *t)
{
	unsigned int slot;
	int at = access_pick(t, &slot);
	struct access_test_create cmd = {
		.flags = !one_in(t, 4),
	};
	unsigned int ctx = ctx_pick(t);

	/* One file has one access. */
	if (one_in(t, 2)) {
		at = open(ACCESS_TEST_NODE, O_RDWR | O_CLOEXEC);
		slot_put(FD_ACCESS, slot, at);
	}
	cmd.iommufd = slot_fd(FD_CTX, ctx);
	if (fz_ioctl(t, at, ACCESS_TEST_CREATE, &cmd, sizeof(cmd)))
		return false;
	atomic_store(&world.accesses, cmd.out_access_id);
	world.attached[slot].slot = ctx;
	return true;
}

static bool op_access_attach(struct fuzz_thread *t)
{
	unsigned int slot, i;
	int at = access_pick(t, &slot);
	uint32_t ioas = ioas_pick(t, world.attached[slot].slot);

	/* Only one that is not attached yet can be. */
	for (i = 0; i != SLOTS && one_in(t, 2); i++) {
		if (world.attached[i].ioas || slot_fd(FD_ACCESS, i) < 0)
			continue;
		slot = i;
		at = slot_fd(FD_ACCESS, i);
	}
	if (fz_ioctl(t, at, ACCESS_TEST_ATTACH, &ioas, sizeof(ioas)))
		return false;
	world.attached[slot].ioas = ioas;
	return true;
}

static bool op_access_leave(struct fuzz_thread *t)
{
	unsigned int slot;
	int at = access_pick(t, &slot);

	if (fz_ioctl_num(t, at, one_in(t, 3) ? ACCESS_TEST_DESTROY :
					       ACCESS_TEST_DETACH, 0))
		return false;
	access_forget(slot);
	return true;
}

/* One that works, on an IOAS that has mappings if any has */
static bool op_access_new(struct fuzz_thread *t)
{
	const struct live_map *live = live_pick(t);
	struct access_test_create cmd = { .flags = !one_in(t, 4) };
	unsigned int slot = live->slot, to = below(t, 4);
	uint32_t ioas = live->ioas;
	int at;

	if (!ioas || slot_fd(FD_CTX, slot) < 0) {
		slot = ctx_pick(t);
		ioas = ioas_pick(t, slot);
	}
	cmd.iommufd = slot_fd(FD_CTX, slot);
	at = open(ACCESS_TEST_NODE, O_RDWR | O_CLOEXEC);
	slot_put(FD_ACCESS, to, at);
	if (fz_ioctl(t, at, ACCESS_TEST_CREATE, &cmd, sizeof(cmd)))
		return false;
	atomic_store(&world.accesses, cmd.out_access_id);
	if (fz_ioctl(t, at, ACCESS_TEST_ATTACH, &ioas, sizeof(ioas)))
		return false;
	world.attached[to].slot = slot;
	world.attached[to].ioas = ioas;
	return true;
}

static bool op_access_pin(struct fuzz_thread *t)
{
	unsigned int slot;
	int at = access_pick(t, &slot);
	const struct live_map *live = live_of(t, &world.attached[slot]);
	struct access_test_pin cmd = {
		.iova = one_in(t, 4) ? iova_pick(t) : live->iova,
		.length = length_pick(t, live->length),
		.flags = below(t, 2),
		.pfns = one_in(t, 4) ? bulk_pick(t) : 0,
	};

	/* The module does not stop at the array's end. */
	if (cmd.length > SCRATCH_BULK_SIZE / 8 * PAGE / 2)
		cmd.pfns = 0;
	if (one_in(t, 32))
		cmd.flags = odd_value(t);
	if (fz_ioctl(t, at, ACCESS_TEST_PIN, &cmd, sizeof(cmd)))
		return false;
	atomic_store(&world.pin[slot][below(t, IDS)], cmd.out_pin_id + 1);
	return true;
}

/* An access that has a pin, if there is any */
static inline int pin_access_pick(struct fuzz_thread *t, unsigned int *slot)
{
	unsigned int first = draw(t), i, j;

	for (i = 0; i != SLOTS; i++)
		for (j = 0; j != IDS; j++) {
			*slot = (first + i) % SLOTS;
			if (atomic_load(&world.pin[*slot][j]))
				return slot_fd(FD_ACCESS, *slot);
		}
	return access_pick(t, slot);
}

static inline uint32_t pin_pick(struct fuzz_thread *t, unsigned int slot)
{
	unsigned int first = draw(t), i;
	uint32_t id = 0;

	for (i = 0; i != IDS && !id; i++)
		id = atomic_load(&world.pin[slot][(first + i) % IDS]);
	return id && !one_in(t, 8) ? id - 1 : below(t, 8);
}

static bool op_access_unpin(struct fuzz_thread *t)
{
	unsigned int slot;
	int at = pin_access_pick(t, &slot);
	struct access_test_unpin cmd = { .pin_id = pin_pick(t, slot) };

	return !fz_ioctl(t, at, ACCESS_TEST_UNPIN, &cmd, sizeof(cmd));
}

static bool op_access_copy(struct fuzz_thread *t)
{
	unsigned int slot;
	int at = pin_access_pick(t, &slot);
	struct access_test_copy cmd = {
		.pin_id = pin_pick(t, slot),
		.offset = below(t, 2 * PAGE),
		.length = below(t, 2 * PAGE),
		.uptr = bulk_pick(t),
	};

	return !fz_ioctl(t, at, one_in(t, 2) ? ACCESS_TEST_PEEK :
					       ACCESS_TEST_POKE,
			 &cmd, sizeof(cmd));
}

static bool op_access_rw(struct fuzz_thread *t)
{
	unsigned int slot;
	int at = access_pick(t, &slot);
	const struct live_map *live = live_of(t, &world.attached[slot]);
	struct access_test_rw cmd = {
		.iova = one_in(t, 4) ? iova_pick(t) : live->iova,
		.length = one_in(t, 2) ? below(t, 3 * PAGE) :
					 length_pick(t, live->length),
		.uptr = bulk_pick(t),
		.flags = one_in(t, 32) ? odd_value(t) : below(t, 2),
	};

	if (one_in(t, 2))
		cmd.iova += below(t, PAGE);
	if (cmd.length > SCRATCH_BULK_SIZE)
		cmd.uptr = mem_at(mem_slot(t));
	return !fz_ioctl(t, at, ACCESS_TEST_RW, &cmd, sizeof(cmd));
}

/*
 * The nurse (fuzz_iommu.c) sets RELEASE again before long, so that nobody waits
 * for ever.
 */
static bool op_access_mode(struct fuzz_thread *t)
{
	unsigned int slot;
	int at = access_pick(t, &slot);
	struct access_test_mode cmd = {
		.mode = one_in(t, 2) ? ACCESS_TEST_RELEASE :
			one_in(t, 2) ? ACCESS_TEST_REFUSE : ACCESS_TEST_HOLD,
		.count = one_in(t, 8) ? UINT32_MAX : 1 + below(t, 3),
	};

	return !fz_ioctl(t, at, ACCESS_TEST_MODE, &cmd, sizeof(cmd));
}

static bool op_access_compat(struct fuzz_thread *t)
{
	unsigned int slot, ctx = ctx_pick(t);
	int at = access_pick(t, &slot);
	struct access_test_compat cmd = { .iommufd = slot_fd(FD_CTX, ctx) };

	if (fz_ioctl(t, at, ACCESS_TEST_COMPAT, &cmd, sizeof(cmd)))
		return false;
	atomic_store(&world.compat[ctx], cmd.out_ioas_id);
	ioas_add(t, ctx, cmd.out_ioas_id);
	return true;
}

#endif
