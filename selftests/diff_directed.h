/* SPDX-License-Identifier: GPL-2.0-only */
/* Directed sequences: each field, flag and limit of the type1 ioctls. */
#ifndef SELFTESTS_DIFF_DIRECTED_H
#define SELFTESTS_DIFF_DIRECTED_H

#include "diff_arena.h"

#define DIR_IOVA (256 * MIB)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct step *add(struct sequence *seq, enum diff_op op)
{
	struct step *s = &seq->steps[seq->n++];

	if (seq->n >= MAX_STEPS)
		bail("a sequence of more than %d steps", MAX_STEPS);
	*s = (struct step){ .op = op };
	return s;
}

static void add_nr(struct sequence *seq, enum diff_op op, unsigned int nr)
{
	add(seq, op)->nr = nr;
}

static void add_arg(struct sequence *seq, enum diff_op op, uint64_t arg)
{
	add(seq, op)->iova = arg;
}

static struct step *add_map(struct sequence *seq, uint64_t iova, uint64_t vaddr, uint64_t size,
			    uint32_t flags)
{
	struct step *s = add(seq, OP_MAP);

	s->argsz = sizeof(struct vfio_iommu_type1_dma_map);
	s->flags = flags;
	s->iova = iova;
	s->vaddr = vaddr;
	s->size = size;
	return s;
}

static struct step *add_unmap(struct sequence *seq, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct step *s = add(seq, OP_UNMAP);

	s->argsz = sizeof(struct vfio_iommu_type1_dma_unmap);
	s->flags = flags;
	s->iova = iova;
	s->size = size;
	return s;
}

static void add_unmap_all(struct sequence *seq)
{
	add_unmap(seq, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
}

static struct step *add_info(struct sequence *seq, uint32_t argsz)
{
	struct step *s = add(seq, OP_GET_INFO);

	s->argsz = argsz;
	return s;
}

static void add_start(struct sequence *seq, unsigned int groups, unsigned long type)
{
	add(seq, OP_CONTAINER_OPEN);
	for (unsigned int i = 0; i < groups; i++) {
		add_nr(seq, OP_GROUP_OPEN, i);
		add_nr(seq, OP_GROUP_SET, i);
	}
	add_arg(seq, OP_SET_IOMMU, type);
}

static const uint64_t odd_numbers[] = {
	0, 1, 2048, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * MIB, 0xfedff000ULL, 0xfee00000ULL,
	0xfeeff000ULL, 0xfef00000ULL, 4 * GIB - PAGE, 4 * GIB, (1ULL << 39) - PAGE, 1ULL << 39,
	(1ULL << 48) - PAGE, 1ULL << 48, (1ULL << 57) - PAGE, 1ULL << 57, (1ULL << 63) - PAGE,
	1ULL << 63, -2 * PAGE, -PAGE, -PAGE + 1, -1,
};

static const unsigned long v1_v2[] = { VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU };

/* ------------------------------------------------------------------ */

static void dir_ask_all(struct sequence *seq)
{
	static const uint64_t more[] = {
		100, 255, 256, 1 << 15, 1 << 16, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000ULL,
		0x100000001ULL, 0x100000003ULL, 0x494f4d5500000000ULL, 0x494f4d5500000001ULL,
		1ULL << 63, -1,
	};

	for (uint64_t i = 0; i <= 64; i++)
		add_arg(seq, OP_CHECK_EXTENSION, i);
	for (size_t i = 0; i < COUNT(more); i++)
		add_arg(seq, OP_CHECK_EXTENSION, more[i]);
	add(seq, OP_API_VERSION);
}

static void dir_extensions(struct sequence *seq, unsigned long type)
{
	add(seq, OP_CONTAINER_OPEN);
	dir_ask_all(seq);
	add_nr(seq, OP_GROUP_OPEN, 0);
	add_nr(seq, OP_GROUP_SET, 0);
	dir_ask_all(seq);
	add_arg(seq, OP_SET_IOMMU, type);
	dir_ask_all(seq);
	add_nr(seq, OP_GROUP_UNSET, 0);
	dir_ask_all(seq);
}

/* Without a group, waiting, set (whatever the type: once is enough), left */
static void dir_set_iommu(struct sequence *seq, unsigned long type)
{
	static const uint64_t more[] = { 0xffffffff, 0x100000001ULL, 0x494f4d5500000001ULL, -1 };

	add(seq, OP_CONTAINER_OPEN);
	for (int state = 0; state < 4; state++) {
		for (uint64_t i = 0; i <= 64; i++)
			if (i != VFIO_TYPE1_NESTING_IOMMU &&
			    (state != 1 || (i != VFIO_TYPE1_IOMMU && i != VFIO_TYPE1v2_IOMMU)))
				add_arg(seq, OP_SET_IOMMU, i);
		for (size_t i = 0; i < COUNT(more); i++)
			add_arg(seq, OP_SET_IOMMU, more[i]);
		if (state == 0) {
			add_nr(seq, OP_GROUP_OPEN, 0);
			add_nr(seq, OP_GROUP_SET, 0);
		} else if (state == 1) {
			add_arg(seq, OP_SET_IOMMU, type);
		} else if (state == 2) {
			add_nr(seq, OP_GROUP_UNSET, 0);
		}
	}
}

/* The pointer, the length and the flags of one kind of ioctl, in @state. */
static void dir_contract_of(struct sequence *seq, const struct step *base, unsigned int size)
{
	for (uint32_t argsz = 0; argsz <= size + 16; argsz++) {
		*add(seq, base->op) = *base;
		seq->steps[seq->n - 1].argsz = argsz;
		add_unmap_all(seq);
	}
	for (int bit = 0; bit < 32; bit++) {
		for (int with = 0; with < 2; with++) {
			uint32_t flags = (with ? base->flags : 0) ^ 1u << bit;

			*add(seq, base->op) = *base;
			seq->steps[seq->n - 1].flags = flags;
			add_unmap_all(seq);
		}
	}
	for (uint16_t cut = 0; cut <= size; cut++) {
		*add(seq, base->op) = *base;
		seq->steps[seq->n - 1].ptr = PTR_EDGE;
		seq->steps[seq->n - 1].cut = cut;
		add_unmap_all(seq);
	}
	*add(seq, base->op) = *base;
	seq->steps[seq->n - 1].ptr = PTR_NULL;
	*add(seq, base->op) = *base;
	seq->steps[seq->n - 1].ptr = PTR_READ_ONLY;
	*add(seq, base->op) = *base;
	seq->steps[seq->n - 1].argsz = ~0u;
	add_unmap_all(seq);
}

static void dir_contract_once(struct sequence *seq)
{
	struct step map = {
		.op = OP_MAP, .argsz = 32, .flags = MAP_RW, .iova = DIR_IOVA,
		.vaddr = slot_addr(SLOT_ANON), .size = PAGE,
	};
	struct step unmap = {
		.op = OP_UNMAP, .argsz = 24, .iova = DIR_IOVA, .size = PAGE, .pgsize = PAGE,
		.bytes = 8,
	};
	struct step dirty = {
		.op = OP_DIRTY, .argsz = 48, .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		.iova = DIR_IOVA, .size = PAGE, .pgsize = PAGE, .bytes = 8,
	};
	struct step info = { .op = OP_GET_INFO, .argsz = 180 };

	dir_contract_of(seq, &map, 32);
	dir_contract_of(seq, &unmap, 24);
	unmap.argsz = 48;
	unmap.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	dir_contract_of(seq, &unmap, 48);
	dir_contract_of(seq, &dirty, 48);
	dir_contract_of(seq, &info, 160);
}

/* In each state that a container can be in */
static void dir_contract(struct sequence *seq, unsigned long type)
{
	add(seq, OP_CONTAINER_OPEN);
	dir_contract_once(seq);
	add_nr(seq, OP_GROUP_OPEN, 0);
	add_nr(seq, OP_GROUP_SET, 0);
	dir_contract_once(seq);
	add_arg(seq, OP_SET_IOMMU, type);
	dir_contract_once(seq);
	add_nr(seq, OP_GROUP_UNSET, 0);
	dir_contract_once(seq);
}

/* A struct that succeeds but for the write-back, and the argsz of GET_INFO */
static void dir_write_back(struct sequence *seq, unsigned long type)
{
	add_start(seq, 1, type);
	for (uint16_t cut = 16; cut <= 24; cut++) {
		add_map(seq, DIR_IOVA, slot_addr(SLOT_ANON), PAGE, MAP_RW);
		*add_unmap(seq, DIR_IOVA, PAGE, 0) = (struct step){
			.op = OP_UNMAP, .argsz = 24, .iova = DIR_IOVA, .size = PAGE,
			.ptr = PTR_EDGE, .cut = cut,
		};
		add_unmap(seq, DIR_IOVA, PAGE, 0);
	}
	add_map(seq, DIR_IOVA, slot_addr(SLOT_ANON), PAGE, MAP_RW);
	add_unmap(seq, DIR_IOVA, PAGE, 0)->ptr = PTR_READ_ONLY;
	add_unmap(seq, DIR_IOVA, PAGE, 0);
	add_map(seq, DIR_IOVA, slot_addr(SLOT_ANON), PAGE, MAP_RW)->ptr = PTR_READ_ONLY;
	add_unmap_all(seq);
	for (uint32_t argsz = 0; argsz <= 180; argsz++)
		add_info(seq, argsz);
	for (uint32_t argsz = 16; argsz <= 160; argsz += 8) {
		add_info(seq, argsz)->ptr = PTR_READ_ONLY;
		for (uint16_t cut = 0; cut <= 160; cut += 4) {
			struct step *s = add_info(seq, argsz);

			s->ptr = PTR_EDGE;
			s->cut = cut;
		}
	}
}

/* Two of the three numbers of MAP at once */
static void dir_map_numbers(struct sequence *seq, unsigned long type)
{
	uint64_t va = slot_addr(SLOT_ANON);

	add_start(seq, 1, type);
	for (size_t i = 0; i < COUNT(odd_numbers); i++)
		for (size_t j = 0; j < COUNT(odd_numbers); j++) {
			add_map(seq, odd_numbers[i], va, odd_numbers[j], MAP_RW);
			add_map(seq, DIR_IOVA, odd_numbers[i], odd_numbers[j], MAP_RW);
			add_unmap_all(seq);
		}
	/* Over a mapping: which of two complaints comes first */
	for (size_t i = 0; i < COUNT(odd_numbers); i++) {
		add_map(seq, DIR_IOVA, va, 4 * PAGE, MAP_RW);
		add_map(seq, DIR_IOVA + PAGE, va, odd_numbers[i], MAP_RW);
		add_map(seq, DIR_IOVA - PAGE, odd_numbers[i], 4 * PAGE, MAP_RW);
		add_map(seq, odd_numbers[i], va, GIB, MAP_RW);
		add_map(seq, DIR_IOVA, odd_numbers[i], PAGE, 0);
		add_unmap_all(seq);
	}
}

/* Each kind of memory, each access, at the edges of what is there */
static void dir_map_memory(struct sequence *seq, unsigned long type)
{
	static const uint32_t access[] = {
		VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE, MAP_RW,
	};

	add_start(seq, 1, type);
	for (int slot = 0; slot < SLOT_COUNT; slot++) {
		uint64_t at = slot_addr(slot);
		uint64_t size = (slot == SLOT_HOLE ? 1 : slot_kinds[slot].pages) * PAGE;

		for (size_t i = 0; i < COUNT(access); i++) {
			/* Known difference private-read-only */
			if (slot == SLOT_FRESH && access[i] == VFIO_DMA_MAP_FLAG_READ)
				continue;
			add_map(seq, DIR_IOVA, at, PAGE, access[i]);
			add_map(seq, DIR_IOVA + PAGE, at + size - PAGE, PAGE, access[i]);
			add_map(seq, DIR_IOVA + 16 * MIB, at, size, access[i]);
			add_map(seq, DIR_IOVA + 32 * MIB, at, size + PAGE, access[i]);
			add_map(seq, DIR_IOVA + 32 * MIB, at + size, PAGE, access[i]);
			add_map(seq, DIR_IOVA + 32 * MIB, at - PAGE, 2 * PAGE, access[i]);
			add_map(seq, DIR_IOVA + 32 * MIB, at, 3 * SLOT_SIZE, access[i]);
			add_map(seq, DIR_IOVA + 40 * MIB + PAGE, at, size, access[i]);
			add_unmap_all(seq);
		}
	}
}

/*
 * Three mappings side by side, a hole, a fourth: every range over them.  @upto
 * keeps a sequence short enough; the first page of the range is @from ...
 */
static void dir_unmap_ranges(struct sequence *seq, unsigned long type, unsigned int from,
			     unsigned int upto)
{
	static const struct { unsigned int at, pages; } maps[] = {
		{ 1, 3 }, { 4, 1 }, { 5, 4 }, { 11, 2 },
	};

	add_start(seq, 1, type);
	for (unsigned int at = from; at < upto; at++)
		for (unsigned int n = 1; at + n <= 15; n++) {
			for (size_t i = 0; i < COUNT(maps); i++)
				add_map(seq, DIR_IOVA + maps[i].at * PAGE,
					slot_addr(SLOT_ANON) + i * 8 * PAGE,
					maps[i].pages * PAGE, MAP_RW);
			add_unmap(seq, DIR_IOVA + at * PAGE, n * PAGE, 0);
			/* What is gone can be mapped again. */
			add_map(seq, DIR_IOVA + 2 * PAGE, slot_addr(SLOT_SHARED), PAGE, MAP_RW);
			add_map(seq, DIR_IOVA + 8 * PAGE, slot_addr(SLOT_SHARED), PAGE, MAP_RW);
			add_unmap_all(seq);
		}
}

static void dir_unmap_numbers(struct sequence *seq, unsigned long type)
{
	uint64_t va = slot_addr(SLOT_ANON);

	add_start(seq, 1, type);
	for (size_t i = 0; i < COUNT(odd_numbers); i++)
		for (size_t j = 0; j < COUNT(odd_numbers); j++) {
			/* Known difference unmap-last-page */
			if (odd_numbers[i] + odd_numbers[j] == 0 && odd_numbers[i] < 1ULL << 57)
				continue;
			add_map(seq, PAGE, va, PAGE, MAP_RW);
			add_map(seq, DIR_IOVA, va, PAGE, MAP_RW);
			add_unmap(seq, odd_numbers[i], odd_numbers[j], 0);
			add_unmap(seq, odd_numbers[i], odd_numbers[j], VFIO_DMA_UNMAP_FLAG_ALL);
			add_unmap_all(seq);
		}
}

static void add_unknown(struct sequence *seq)
{
	for (unsigned int nr = 0; nr < 256; nr++) {
		bool known = nr >= 100 && nr < 0xa0;

		for (unsigned int dir = 0; dir < 4; dir++) {
			add_arg(seq, OP_UNKNOWN, _IOC(dir, ';', nr, 8));
			add_arg(seq, OP_UNKNOWN, _IOC(dir, 'x', nr, 0));
			if (dir || !known || is_nesting_command(_IO(';', nr)))
				add_arg(seq, OP_UNKNOWN, _IOC(dir, ';', nr, 0));
		}
	}
	/* VFIO's commands for groups and devices, which a container has not */
	for (unsigned int nr = 103; nr <= 120; nr++)
		if (nr < 112 || nr > 114)
			if (nr != 117)
				add_arg(seq, OP_UNKNOWN, _IO(';', nr));
}

static void dir_unknown(struct sequence *seq, unsigned long type)
{
	add_start(seq, 1, type);
	add_unknown(seq);
}

/* A container that has no IOMMU yet, and one that has none any more */
static void dir_unknown_idle(struct sequence *seq, unsigned long type)
{
	add(seq, OP_CONTAINER_OPEN);
	add_nr(seq, OP_GROUP_OPEN, 0);
	add_nr(seq, OP_GROUP_SET, 0);
	add_unknown(seq);
	add_arg(seq, OP_SET_IOMMU, type);
	add_nr(seq, OP_GROUP_UNSET, 0);
	add_unknown(seq);
}

static void dir_memlock(struct sequence *seq, unsigned long type)
{
	static const enum slot slots[] = { SLOT_ANON, SLOT_SHARED, SLOT_THP, SLOT_HUGETLB };

	add(seq, OP_RLIMIT)->size = 8 * PAGE;
	add_start(seq, 1, type);
	for (size_t i = 0; i < COUNT(slots); i++)
		for (uint64_t limit = 0; limit <= 8; limit += 4)
			for (uint64_t pages = 1; pages <= 10; pages++) {
				uint64_t va = slot_addr(slots[i]);

				add(seq, OP_RLIMIT)->size = limit * PAGE + limit * 100;
				add_map(seq, DIR_IOVA, va, pages * PAGE, MAP_RW);
				add_map(seq, 2 * DIR_IOVA, va, PAGE, MAP_RW);
				add_map(seq, 3 * DIR_IOVA, va, PAGE, VFIO_DMA_MAP_FLAG_READ);
				add_unmap(seq, DIR_IOVA, pages * PAGE, 0);
				add_unmap_all(seq);
			}
	/* mlock() counts too, and it came first. */
	add(seq, OP_RLIMIT)->size = 8 * PAGE;
	add(seq, OP_MLOCK)->vaddr = slot_addr(SLOT_ANON);
	seq->steps[seq->n - 1].size = 6 * PAGE;
	for (uint64_t pages = 1; pages <= 4; pages++) {
		add_map(seq, DIR_IOVA, slot_addr(SLOT_ANON), pages * PAGE, MAP_RW);
		add_unmap_all(seq);
	}
	/* A limit lowered below what is locked already */
	add_map(seq, DIR_IOVA, slot_addr(SLOT_ANON), 2 * PAGE, MAP_RW);
	add(seq, OP_RLIMIT)->size = PAGE;
	add_map(seq, 2 * DIR_IOVA, slot_addr(SLOT_ANON), PAGE, MAP_RW);
	add_unmap(seq, DIR_IOVA, 2 * PAGE, 0);
	seq->limited = true;
}

/* Over the limit, and memory missing: which of the two is said */
static void dir_memlock_fault(struct sequence *seq, unsigned long type)
{
	uint64_t end = slot_addr(SLOT_ANON) + 64 * PAGE;

	add(seq, OP_RLIMIT)->size = 8 * PAGE;
	add_start(seq, 1, type);
	for (uint64_t pages = 1; pages <= 16; pages++) {
		add_map(seq, DIR_IOVA, end - pages * PAGE, (pages + 1) * PAGE, MAP_RW);
		add_map(seq, DIR_IOVA, end - pages * PAGE, 64 * PAGE, MAP_RW);
		add_map(seq, DIR_IOVA, slot_addr(SLOT_READ_ONLY), pages * PAGE, MAP_RW);
		add_unmap_all(seq);
	}
	seq->limited = true;
}

/* Everything a container with groups does when they come and go */
static void dir_life(struct sequence *seq, unsigned long type)
{
	static const enum diff_op leave[] = { OP_GROUP_UNSET, OP_GROUP_CLOSE };
	uint64_t va = slot_addr(SLOT_ANON);

	for (size_t how = 0; how < COUNT(leave); how++)
		for (int first = 0; first < 2; first++)
			for (int late = 0; late < 2; late++) {
				add_start(seq, late ? 1 : 2, type);
				add_map(seq, DIR_IOVA, va, 4 * PAGE, MAP_RW);
				add_nr(seq, OP_GROUP_OPEN, 1);
				add_nr(seq, OP_GROUP_SET, 1);
				add_nr(seq, OP_GROUP_SET, 1);
				add_nr(seq, OP_GROUP_STATUS, 1);
				add_info(seq, 176);
				add_nr(seq, leave[how], first);
				add_nr(seq, OP_GROUP_STATUS, first);
				add_map(seq, DIR_IOVA, va, PAGE, MAP_RW);
				add_info(seq, 176);
				add_nr(seq, leave[how], !first);
				add_map(seq, DIR_IOVA, va, PAGE, MAP_RW);
				add_unmap_all(seq);
				add_info(seq, 176);
				add_arg(seq, OP_SET_IOMMU, type);
				/* and again, in the same container */
				add_start(seq, 2, type);
				add_map(seq, DIR_IOVA, va, 4 * PAGE, MAP_RW);
				add(seq, OP_CONTAINER_CLOSE);
				add_map(seq, DIR_IOVA, va, 4 * PAGE, MAP_RW);
				add_nr(seq, OP_GROUP_UNSET, 0);
				add_nr(seq, OP_GROUP_UNSET, 1);
				add_nr(seq, OP_GROUP_CLOSE, 0);
				add_nr(seq, OP_GROUP_CLOSE, 1);
			}
}

/* A device holds its group, the group its container. */
static void dir_device(struct sequence *seq, unsigned long type)
{
	add(seq, OP_CONTAINER_OPEN);
	add_nr(seq, OP_GROUP_OPEN, 0);
	add_nr(seq, OP_DEVICE_OPEN, 0);
	add_nr(seq, OP_GROUP_SET, 0);
	add_nr(seq, OP_DEVICE_OPEN, 0);
	add_arg(seq, OP_SET_IOMMU, type);
	add_nr(seq, OP_DEVICE_OPEN, 0);
	add_map(seq, DIR_IOVA, slot_addr(SLOT_ANON), PAGE, MAP_RW);
	add_nr(seq, OP_GROUP_UNSET, 0);
	add_nr(seq, OP_GROUP_CLOSE, 0);
	add_map(seq, 2 * DIR_IOVA, slot_addr(SLOT_ANON), PAGE, MAP_RW);
	add_nr(seq, OP_GROUP_OPEN, 0);
	add_nr(seq, OP_DEVICE_CLOSE, 0);
	add_map(seq, 3 * DIR_IOVA, slot_addr(SLOT_ANON), PAGE, MAP_RW);
}

static void dir_processes(struct sequence *seq, unsigned long type)
{
	uint64_t va = slot_addr(SLOT_ANON);

	add_start(seq, 1, type);
	add_map(seq, DIR_IOVA, va, 4 * PAGE, MAP_RW);
	for (int round = 0; round < 2; round++) {
		add(seq, OP_WORKER_START);
		add_map(seq, 2 * DIR_IOVA, va, 8 * PAGE, MAP_RW)->who = 1;
		add_map(seq, 2 * DIR_IOVA, va, 8 * PAGE, MAP_RW);
		add_map(seq, 3 * DIR_IOVA, va, PAGE, VFIO_DMA_MAP_FLAG_READ)->who = 1;
		add_info(seq, 176)->who = 1;
		/* Each takes away what the other mapped. */
		add_unmap(seq, DIR_IOVA, 4 * PAGE, 0)->who = 1;
		add_unmap(seq, 3 * DIR_IOVA, PAGE, 0);
		add_map(seq, DIR_IOVA, va, 4 * PAGE, MAP_RW);
		/* and one ends with mappings of its own. */
		add(seq, OP_WORKER_EXIT);
		add_unmap_all(seq);
	}
	add(seq, OP_WORKER_START);
	add_arg(seq, OP_SET_IOMMU, type);
	add(seq, OP_CONTAINER_CLOSE);
	add_map(seq, DIR_IOVA, va, PAGE, MAP_RW)->who = 1;
	add_unmap(seq, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL)->who = 1;
}

static void dir_threads(struct sequence *seq, unsigned long type)
{
	add_start(seq, 1, type);
	for (uint64_t i = 0; i < 40; i++) {
		add_arg(seq, OP_THREADS_APART, i);
		add_arg(seq, OP_THREADS_MAP, DIR_IOVA);
		add_map(seq, 2 * DIR_IOVA, slot_addr(SLOT_ANON), 4 * PAGE, MAP_RW);
		add_map(seq, 2 * DIR_IOVA + 4 * PAGE, slot_addr(SLOT_ANON), 4 * PAGE, MAP_RW);
		add_arg(seq, OP_THREADS_UNMAP, 2 * DIR_IOVA);
		seq->steps[seq->n - 1].size = 8 * PAGE;
		add_unmap_all(seq);
	}
}

static void add_dma(struct sequence *seq, uint64_t from, uint64_t to)
{
	struct step *s = add(seq, OP_DMA);

	s->iova = from;
	s->vaddr = to;
	s->size = 64;
}

/* What DMA reaches: each kind of memory, after cuts, and where it may not */
static void dir_dma(struct sequence *seq, unsigned long type)
{
	uint64_t anon = slot_addr(SLOT_ANON), shared = slot_addr(SLOT_SHARED);

	seq->dma = true;
	add_start(seq, 1, type);
	add_nr(seq, OP_DEVICE_OPEN, 0);
	add_map(seq, DIR_IOVA, anon, 8 * PAGE, MAP_RW);
	add_map(seq, DIR_IOVA + 8 * PAGE, shared, 8 * PAGE, MAP_RW);
	add_map(seq, DIR_IOVA + 16 * MIB, slot_addr(SLOT_THP), 2 * MIB, MAP_RW);
	add_map(seq, DIR_IOVA + 32 * MIB, slot_addr(SLOT_HUGETLB), 2 * MIB, MAP_RW);
	add_map(seq, DIR_IOVA + 48 * MIB, anon, PAGE, VFIO_DMA_MAP_FLAG_READ);
	add_map(seq, DIR_IOVA + 64 * MIB, anon + PAGE, PAGE, VFIO_DMA_MAP_FLAG_WRITE);
	add_map(seq, DIR_IOVA + 80 * MIB, slot_addr(SLOT_READ_ONLY), PAGE, VFIO_DMA_MAP_FLAG_READ);
	add_map(seq, 5 * GIB, anon + 16 * PAGE, PAGE, MAP_RW);
	add_dma(seq, DIR_IOVA + PAGE, DIR_IOVA + 8 * PAGE);
	add_dma(seq, DIR_IOVA + 16 * MIB + 3 * PAGE, DIR_IOVA + 3 * PAGE + 128);
	add_dma(seq, DIR_IOVA + 2 * PAGE, DIR_IOVA + 32 * MIB + 5 * PAGE);
	add_dma(seq, DIR_IOVA + 80 * MIB, DIR_IOVA + 64 * MIB);
	add_dma(seq, 5 * GIB, DIR_IOVA + 7 * PAGE);
	/* Against the access of the mapping */
	add_dma(seq, DIR_IOVA + PAGE, DIR_IOVA + 48 * MIB);
	/* Whole mappings only, or what v1 makes of it */
	add_unmap(seq, DIR_IOVA, 4 * PAGE, 0);
	add_unmap(seq, DIR_IOVA + 16 * MIB, PAGE, 0);
	add_dma(seq, DIR_IOVA + 8 * PAGE, DIR_IOVA + 5 * PAGE);
	add_dma(seq, DIR_IOVA + 8 * PAGE, DIR_IOVA + 16 * MIB + 7 * PAGE);
	add_unmap(seq, DIR_IOVA + 32 * MIB + PAGE, PAGE, 0);
	add_dma(seq, DIR_IOVA + 8 * PAGE, DIR_IOVA + 32 * MIB + 6 * PAGE);
	add_unmap_all(seq);
	add_dma(seq, DIR_IOVA + 8 * PAGE, DIR_IOVA + 16 * MIB);
	add_nr(seq, OP_DEVICE_CLOSE, 0);
}

static void add_dirty(struct sequence *seq, uint32_t flags)
{
	struct step *s = add(seq, OP_DIRTY);

	s->argsz = 48;
	s->flags = flags;
	s->iova = DIR_IOVA;
	s->size = 128 * PAGE;
	s->pgsize = PAGE;
	s->bytes = 16;
}

/* More than once, with mappings that begin and end anywhere in a word */
static void dir_dirty(struct sequence *seq, unsigned long type)
{
	static const unsigned int starts[] = { 0, 1, 5, 62, 63, 64, 65, 100 };
	static const unsigned int sizes[] = { 1, 2, 16 };

	add_start(seq, 1, type);
	add_dirty(seq, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
	for (size_t i = 0; i < COUNT(starts); i++) {
		for (size_t j = 0; j < COUNT(sizes); j++) {
			add_map(seq, DIR_IOVA + starts[i] * PAGE, slot_addr(SLOT_ANON),
				sizes[j] * PAGE, MAP_RW);
			add_map(seq, DIR_IOVA + 120 * PAGE, slot_addr(SLOT_ANON), PAGE, MAP_RW);
			for (int k = 0; k < 3; k++)
				add_dirty(seq, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
			add_unmap_all(seq);
		}
	}
	add_dirty(seq, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

static const struct {
	const char *name;
	void (*fn)(struct sequence *seq, unsigned long type);
} directed[] = {
	{ "CHECK_EXTENSION", dir_extensions },
	{ "SET_IOMMU", dir_set_iommu },
	{ "argsz, flags and pointers", dir_contract },
	{ "writing back", dir_write_back },
	{ "MAP, numbers", dir_map_numbers },
	{ "MAP, memory", dir_map_memory },
	{ "UNMAP, numbers", dir_unmap_numbers },
	{ "unknown commands", dir_unknown },
	{ "unknown commands without an IOMMU", dir_unknown_idle },
	{ "RLIMIT_MEMLOCK", dir_memlock },
	{ "RLIMIT_MEMLOCK and no memory", dir_memlock_fault },
	{ "groups come and go", dir_life },
	{ "a device holds its group", dir_device },
	{ "two processes", dir_processes },
	{ "threads", dir_threads },
	{ "what DMA reaches", dir_dma },
	{ "dirty pages", dir_dirty },
};

#define UNMAP_PARTS 3
#define NDIRECTED ((COUNT(directed) + UNMAP_PARTS) * 2)

static void directed_sequence(struct sequence *seq, unsigned int nr)
{
	unsigned long type = v1_v2[nr % 2];
	unsigned int part = nr / 2;

	seq->n = 0;
	seq->limited = false;
	seq->dma = false;
	if (part < COUNT(directed)) {
		directed[part].fn(seq, type);
		snprintf(seq->name, sizeof(seq->name), "v%u: %s", nr % 2 + 1,
			 directed[part].name);
	} else {
		part -= COUNT(directed);
		dir_unmap_ranges(seq, type, part * 5, part * 5 + 5);
		snprintf(seq->name, sizeof(seq->name), "v%u: UNMAP, ranges from page %u",
			 nr % 2 + 1, part * 5);
	}
}

#endif
