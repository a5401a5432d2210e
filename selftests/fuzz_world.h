/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the operations of one process know: open files by class, ids, memory,
 * mappings.  All threads use it without a lock.  What a thread finds may be
 * closed by another at any time, which is the point; but each descriptor is
 * closed by exactly one, so that nobody closes a file of the fuzzer's own.
 */
#ifndef SELFTESTS_FUZZ_WORLD_H
#define SELFTESTS_FUZZ_WORLD_H

#include <linux/iommufd.h>
#include <signal.h>
#include <sys/wait.h>

#include "../mock/access_test_uapi.h"
#include "fuzz_core.h"
#include "vfio_util.h"

#define SLOTS 8
#define IDS 8
#define CTX_SLOTS 3
#define LIVE_MAX 64
#define MEM_SLOTS 24
/* Behind them, device registers, which no other operation may cut or move. */
#define BAR_SLOTS 2
#define MEM_BASE 0x100000000000ULL
#define MEM_STEP 0x800000ULL
#define MEM_MAX 0x400000ULL

enum fd_class { FD_CTX, FD_GROUP, FD_DEVICE, FD_ACCESS, FD_MEM, FD_FAULT, FD_CLASSES };

/* A VFIO device: an edu, or one of the mock IOMMU */
struct fuzz_dev {
	char name[64];
	int group;
};

struct live_map {
	unsigned int slot;	/* of FD_CTX */
	uint32_t ioas;		/* 0: nothing here */
	uint64_t iova, length;
};

/* What an access is attached to */
struct attached {
	unsigned int slot;
	uint32_t ioas;
};

struct world {
	atomic_int fd[FD_CLASSES][SLOTS];
	atomic_uint ioas[SLOTS][IDS];	/* of the context in that slot; 0: none */
	atomic_uint pin[SLOTS][IDS];	/* of the access in that slot, plus 1 */
	struct attached attached[SLOTS];
	/* The compatibility IOAS; 0: none; ~0: there, but without an id */
	atomic_uint compat[SLOTS];
	atomic_bool grouped[SLOTS];	/* a group was in that container */
	atomic_bool nested[SLOTS];	/* and it was one with two stages */
	/* The latest of the context in that slot, by native ioctls; 0: none */
	atomic_uint stdev[SLOTS], idev[SLOTS], parent[SLOTS], queue[SLOTS];
	atomic_uint hwpt[SLOTS][IDS];
	atomic_uint pasid[IDS];		/* 0: none */
	atomic_uint accesses;		/* ids of accesses, the latest */
	struct live_map live[LIVE_MAX];
	atomic_uint live_next;
	atomic_ulong mem_size[MEM_SLOTS];
	atomic_int child[SLOTS];
	atomic_int tid[THREADS_MAX];
	int zero;			/* /dev/zero */
	int pass[2];			/* sockets that all processes share */
	struct fuzz_dev dev[14];
	int devs;
	bool stock_node;		/* VFIO_NODE is not /dev/iommu */
	bool may_limit;			/* RLIMIT_MEMLOCK binds this process */
};

static struct world world;

/* What was known of the context in a slot is so no more. */
static inline void ctx_forget(unsigned int slot)
{
	unsigned int i;

	atomic_store(&world.compat[slot], 0);
	atomic_store(&world.grouped[slot], false);
	atomic_store(&world.nested[slot], false);
	atomic_store(&world.stdev[slot], 0);
	atomic_store(&world.idev[slot], 0);
	atomic_store(&world.parent[slot], 0);
	atomic_store(&world.queue[slot], 0);
	for (i = 0; i != IDS; i++) {
		atomic_store(&world.ioas[slot][i], 0);
		atomic_store(&world.hwpt[slot][i], 0);
	}
	for (i = 0; i != LIVE_MAX; i++)
		if (world.live[i].slot == slot)
			world.live[i].ioas = 0;
}

static inline void access_forget(unsigned int slot)
{
	unsigned int i;

	world.attached[slot].ioas = 0;
	for (i = 0; i != IDS; i++)
		atomic_store(&world.pin[slot][i], 0);
}

static inline void slot_put(enum fd_class class, unsigned int slot, int fd)
{
	int old = atomic_exchange(&world.fd[class][slot], fd);

	if (old >= 0)
		close(old);
	if (class == FD_CTX)
		ctx_forget(slot);
	else if (class == FD_ACCESS)
		access_forget(slot);
}

/* Few contexts, so that what belongs together meets */
static inline unsigned int slot_new(struct fuzz_thread *t, enum fd_class class)
{
	return below(t, class == FD_CTX ? CTX_SLOTS : SLOTS);
}

/* A slot of the class that holds a file, or a random one that does not */
static inline unsigned int slot_pick(struct fuzz_thread *t, enum fd_class class)
{
	unsigned int first = draw(t), i;

	for (i = 0; i != SLOTS; i++)
		if (atomic_load(&world.fd[class][(first + i) % SLOTS]) >= 0)
			return (first + i) % SLOTS;
	return first % SLOTS;
}

static inline int slot_fd(enum fd_class class, unsigned int slot)
{
	return atomic_load(&world.fd[class][slot]);
}

/* A context; also one behind vfio.ko's own node where that is served. */
static inline int ctx_open(struct fuzz_thread *t)
{
	return open(world.stock_node && one_in(t, 3) ? VFIO_NODE : "/dev/iommu",
		    O_RDWR | O_CLOEXEC);
}

/* An open context, made if there is none */
static inline unsigned int ctx_pick(struct fuzz_thread *t)
{
	unsigned int slot = slot_pick(t, FD_CTX);

	if (slot_fd(FD_CTX, slot) < 0) {
		slot %= CTX_SLOTS;
		slot_put(FD_CTX, slot, ctx_open(t));
	}
	return slot;
}

/* ids of all kinds are small numbers: keep each where it may be found again */
static inline void ioas_add(struct fuzz_thread *t, unsigned int slot, uint32_t id)
{
	atomic_store(&world.ioas[slot][below(t, IDS)], id);
}

static inline uint32_t ioas_pick(struct fuzz_thread *t, unsigned int slot)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	unsigned int first = draw(t), i;
	uint32_t id;

	if (one_in(t, 24))
		return one_in(t, 4) ? odd_value(t) : below(t, 16);
	if (one_in(t, 24))
		return atomic_load(&world.accesses);
	for (i = 0; i != IDS; i++) {
		id = atomic_load(&world.ioas[slot][(first + i) % IDS]);
		if (id)
			return id;
	}
	if (ioctl(slot_fd(FD_CTX, slot), IOMMU_IOAS_ALLOC, &cmd))
		return 0;
	ioas_add(t, slot, cmd.out_ioas_id);
	return cmd.out_ioas_id;
}

/* Attach a new access to an IOAS. */
static inline void access_make(struct fuzz_thread *t, unsigned int slot)
{
	struct access_test_create cmd = { .flags = ACCESS_TEST_CREATE_PINS };
	int at = open(ACCESS_TEST_NODE, O_RDWR | O_CLOEXEC);
	unsigned int ctx = ctx_pick(t);
	uint32_t ioas = ioas_pick(t, ctx);

	slot_put(FD_ACCESS, slot, at);
	cmd.iommufd = slot_fd(FD_CTX, ctx);
	if (ioctl(at, ACCESS_TEST_CREATE, &cmd) ||
	    ioctl(at, ACCESS_TEST_ATTACH, &ioas))
		return;
	world.attached[slot].slot = ctx;
	world.attached[slot].ioas = ioas;
}

/* One that is attached, mostly */
static inline int access_pick(struct fuzz_thread *t, unsigned int *slot)
{
	unsigned int i;

	*slot = slot_pick(t, FD_ACCESS);
	if (one_in(t, 16) && slot_fd(FD_ACCESS, *slot) >= 0)
		return slot_fd(FD_ACCESS, *slot);
	for (i = 0; i != SLOTS; i++)
		if (world.attached[(*slot + i) % SLOTS].ioas)
			break;
	*slot = (*slot + i) % SLOTS;
	if (!world.attached[*slot].ioas)
		access_make(t, *slot);
	return slot_fd(FD_ACCESS, *slot);
}

/* A context on which VFIO's ioctls do something */
static inline unsigned int compat_pick(struct fuzz_thread *t)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_SET,
	};
	unsigned int first = draw(t), i;

	for (i = 0; i != SLOTS; i++)
		if (atomic_load(&world.compat[(first + i) % SLOTS]))
			return (first + i) % SLOTS;
	i = ctx_pick(t);
	if (one_in(t, 4))
		return i;
	cmd.ioas_id = ioas_pick(t, i);
	if (!ioctl(slot_fd(FD_CTX, i), IOMMU_VFIO_IOAS, &cmd))
		atomic_store(&world.compat[i], cmd.ioas_id);
	return i;
}

/* A container with a group, if there is one */
static inline unsigned int grouped_pick(struct fuzz_thread *t)
{
	unsigned int first = draw(t), i;

	for (i = 0; i != SLOTS; i++)
		if (atomic_load(&world.grouped[(first + i) % SLOTS]))
			return (first + i) % SLOTS;
	return compat_pick(t);
}

/* ------------------------------------------------------------------ */
/* Memory */

static inline uint64_t mem_at(unsigned int slot)
{
	return MEM_BASE + slot * MEM_STEP;
}

static inline unsigned int mem_slot(struct fuzz_thread *t)
{
	unsigned int first = draw(t), i;

	for (i = 0; i != MEM_SLOTS; i++)
		if (atomic_load(&world.mem_size[(first + i) % MEM_SLOTS]))
			return (first + i) % MEM_SLOTS;
	return first % MEM_SLOTS;
}

/* Memory to map; @length is what is there. */
static inline uint64_t mem_pick(struct fuzz_thread *t, uint64_t *length)
{
	unsigned int slot = mem_slot(t);
	uint64_t size = atomic_load(&world.mem_size[slot]), skip;

	if (one_in(t, 48)) {
		*length = PAGE;
		return mem_at(MEM_SLOTS + below(t, BAR_SLOTS));
	}
	if (!size) {
		void *mem = mmap((void *)mem_at(slot), 16 * PAGE,
				 PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		if (mem == MAP_FAILED)
			return 0;
		size = 16 * PAGE;
		atomic_store(&world.mem_size[slot], size);
	}
	*length = size;
	switch (below(t, 32)) {
	case 0:
		return bad_address(t);
	case 1:
		return mem_at(slot) + size - PAGE * below(t, 3);
	case 2:
		return mem_at(slot) + below(t, PAGE);
	case 3 ... 10:
		skip = below(t, size / PAGE) * PAGE;
		*length = size - skip;
		return mem_at(slot) + skip;
	default:
		return mem_at(slot);
	}
}

/* ------------------------------------------------------------------ */
/* IOVAs and lengths */

static inline struct live_map *live_pick(struct fuzz_thread *t)
{
	unsigned int first = draw(t), i;

	for (i = 0; i != LIVE_MAX; i++)
		if (world.live[(first + i) % LIVE_MAX].ioas)
			break;
	return &world.live[(first + i) % LIVE_MAX];
}

static inline struct live_map *live_add(unsigned int slot, uint32_t ioas,
					uint64_t iova, uint64_t length)
{
	struct live_map *live =
		&world.live[atomic_fetch_add(&world.live_next, 1) % LIVE_MAX];

	live->slot = slot;
	live->ioas = ioas;
	live->iova = iova;
	live->length = length;
	return live;
}

/* All that an IOAS had mapped is gone, perhaps itself too. */
static inline void live_drop(unsigned int slot, uint32_t ioas, bool itself)
{
	unsigned int i;

	for (i = 0; i != LIVE_MAX; i++)
		if (world.live[i].slot == slot && world.live[i].ioas == ioas)
			world.live[i].ioas = 0;
	for (i = 0; itself && i != IDS; i++)
		if (atomic_load(&world.ioas[slot][i]) == ioas)
			atomic_store(&world.ioas[slot][i], 0);
}

/* Some memory mapped for an access that has none yet */
static inline struct live_map *live_make(struct fuzz_thread *t,
					 const struct attached *attached)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = attached->ioas,
	};
	uint64_t have = PAGE;

	cmd.user_va = mem_pick(t, &have);
	cmd.length = have;
	if (!attached->ioas || ioctl(slot_fd(FD_CTX, attached->slot),
				     IOMMU_IOAS_MAP, &cmd))
		return live_pick(t);
	return live_add(attached->slot, cmd.ioas_id, cmd.iova, cmd.length);
}

/* A mapping that this access can reach */
static inline struct live_map *live_of(struct fuzz_thread *t,
				       const struct attached *attached)
{
	unsigned int first = draw(t), i;
	struct live_map *live;

	for (i = 0; i != LIVE_MAX; i++) {
		live = &world.live[(first + i) % LIVE_MAX];
		if (live->ioas && live->ioas == attached->ioas &&
		    live->slot == attached->slot)
			return live;
	}
	return live_make(t, attached);
}

static inline uint64_t iova_near_edge(struct fuzz_thread *t)
{
	static const uint64_t edges[] = {
		0, 0xfee00000, 0xfef00000, 0x100000000, 0x40000000, 0x80000000,
		1ULL << 39, 1ULL << 47, 1ULL << 48, 1ULL << 57, 1ULL << 63,
		0x200000, 0x8000000000 - 0x40000000,
	};

	return pick(t, edges) + (below(t, 5) - 2) * PAGE;
}

static inline uint64_t iova_pick(struct fuzz_thread *t)
{
	const struct live_map *live = live_pick(t);
	uint64_t iova;

	switch (below(t, 12)) {
	case 0 ... 2:
		iova = below(t, 64) * PAGE;
		break;
	case 3:
		iova = below(t, 16) << 21;
		break;
	case 4:
		iova = live->iova + live->length;
		break;
	case 5:
		iova = live->iova - live->length;
		break;
	case 6:
		iova = live->iova;
		break;
	case 7:
		iova = live->iova + (below(t, 9) - 4) * PAGE;
		break;
	case 8:
		iova = iova_near_edge(t);
		break;
	case 9:
		iova = draw(t) % (1ULL << 39) & -PAGE;
		break;
	case 10:
		iova = live->iova + (live->length / 2 & -PAGE);
		break;
	default:
		iova = one_in(t, 4) ? odd_value(t) : below(t, 1 << 12) * PAGE;
		break;
	}
	if (one_in(t, 24))
		iova += below(t, PAGE);
	return iova;
}

/* @have: a length that makes sense */
static inline uint64_t length_pick(struct fuzz_thread *t, uint64_t have)
{
	switch (below(t, 16)) {
	case 0 ... 7:
		return have;
	case 8 ... 10:
		return (1 + below(t, 8)) * PAGE;
	case 11:
		return (1 + below(t, (have / PAGE ?: 1))) * PAGE;
	case 12:
		return have + PAGE;
	case 13:
		return 0x200000;
	case 14:
		return one_in(t, 2) ? 1 + below(t, 3 * PAGE) :
				      (1 + below(t, 1024)) * PAGE;
	default:
		return odd_value(t);
	}
}

/* Somewhere to let the kernel read or write an array */
static inline uint64_t bulk_pick(struct fuzz_thread *t)
{
	switch (below(t, 24)) {
	case 0:
		return bad_address(t);
	case 1:
		return (uintptr_t)t->scratch + SCRATCH_RO + SCRATCH_BULK;
	case 2:
		return (uintptr_t)t->scratch + SCRATCH_PAGES * PAGE - 24;
	case 3:
		return mem_at(mem_slot(t)) + below(t, PAGE);
	default:
		return (uintptr_t)t->scratch + SCRATCH_BULK;
	}
}

#endif
