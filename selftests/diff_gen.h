/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random sequences: which one follows from the seed and the sequence's number.
 *
 * Known differences that would leave the two sides in different states are kept
 * out here; selftests/diff_known has them.  All others may happen, and the
 * rules of diff_rules.h know them.
 */
#ifndef SELFTESTS_DIFF_GEN_H
#define SELFTESTS_DIFF_GEN_H

#include "diff_arena.h"

#define GEN_STEPS 400
#define GEN_IOVA (256 * MIB)
#define GEN_IOVA_PAGES 96
/* QEMU's emulated VT-d; the aperture ends with 39 or with 48 bits. */
#define MSI_WINDOW 0xfee00000ULL

enum gen_kind {
	GEN_BASIC,
	GEN_TWO_GROUPS,
	GEN_LIFE,
	GEN_LIMITED,
	GEN_PROCESSES,
	GEN_DMA,
};

static const char *const gen_names[] = {
	"one group", "two groups", "coming and going", "RLIMIT_MEMLOCK", "two processes", "DMA",
};

#define RECENT 8

struct gen {
	uint64_t rng;
	enum gen_kind kind;
	struct sequence *seq;
	/* What was asked for last; most of it was mapped. */
	struct { uint64_t iova, size; } recent[RECENT];
	unsigned int nrecent;
};

static struct step *gen_add(struct gen *g, enum diff_op op)
{
	struct step *s = &g->seq->steps[g->seq->n++];

	*s = (struct step){ .op = op };
	return s;
}

static uint64_t gen_special(struct gen *g)
{
	static const uint64_t values[] = {
		0, PAGE, MSI_WINDOW - PAGE, MSI_WINDOW, MSI_WINDOW + MIB - PAGE, MSI_WINDOW + MIB,
		4 * GIB - PAGE, 4 * GIB, (1ULL << 39) - PAGE, 1ULL << 39, (1ULL << 48) - PAGE,
		1ULL << 48, (1ULL << 57) - PAGE, 1ULL << 57, (1ULL << 63) - PAGE, 1ULL << 63,
		-2 * PAGE, -PAGE,
	};
	uint64_t val = values[rnd_below(&g->rng, sizeof(values) / sizeof(values[0]))];

	if (permille(&g->rng, 200))
		val += rnd_below(&g->rng, 3) - 1;
	return val;
}

static uint64_t gen_iova(struct gen *g)
{
	if (permille(&g->rng, 15))
		return gen_special(g);
	if (permille(&g->rng, 5))
		return GEN_IOVA + rnd_below(&g->rng, 16 * PAGE);
	if (permille(&g->rng, 2))
		return rnd(&g->rng);
	return GEN_IOVA + rnd_below(&g->rng, GEN_IOVA_PAGES) * PAGE;
}

static uint64_t gen_size(struct gen *g)
{
	if (permille(&g->rng, 850))
		return (1 + rnd_below(&g->rng, 6)) * PAGE;
	if (permille(&g->rng, 850))
		return (1 + rnd_below(&g->rng, 64)) * PAGE;
	if (permille(&g->rng, 500))
		return gen_special(g);
	return rnd_below(&g->rng, 4 * PAGE);
}

/* Mostly memory that can be mapped; sometimes beyond the end of a slot */
static uint64_t gen_vaddr(struct gen *g, bool read_only)
{
	enum slot slot = permille(&g->rng, 700) ? rnd_below(&g->rng, 2) :
						  rnd_below(&g->rng, SLOT_COUNT);
	uint64_t pages;

	if (permille(&g->rng, 10))
		return permille(&g->rng, 500) ? gen_special(g) :
						slot_addr(slot) + rnd_below(&g->rng, PAGE);
	/* Known difference private-read-only */
	if (read_only && slot == SLOT_FRESH)
		slot = SLOT_ANON;
	pages = slot == SLOT_HOLE ? 1 : slot_kinds[slot].pages;
	if (pages > 4 && permille(&g->rng, 900))
		pages -= 4;
	return slot_addr(slot) + rnd_below(&g->rng, pages) * PAGE;
}

static uint32_t gen_argsz(struct gen *g, uint32_t size)
{
	if (permille(&g->rng, 980))
		return size;
	return permille(&g->rng, 800) ? rnd_below(&g->rng, 2 * size) : rnd(&g->rng);
}

static void gen_ptr(struct gen *g, struct step *s, unsigned int size)
{
	if (!permille(&g->rng, 10))
		return;
	s->ptr = rnd_below(&g->rng, PTR_COUNT);
	if (s->ptr == PTR_EDGE)
		s->cut = rnd_below(&g->rng, size + 1);
}

static uint32_t gen_flags(struct gen *g, uint32_t usual, uint32_t never)
{
	if (permille(&g->rng, 980))
		return usual;
	if (permille(&g->rng, 700))
		return (permille(&g->rng, 500) ? usual : 0) ^
		       (1u << rnd_below(&g->rng, 32) & ~never);
	return rnd(&g->rng) & ~never;
}

static void gen_map(struct gen *g)
{
	static const uint32_t access[] = { MAP_RW, MAP_RW, MAP_RW, VFIO_DMA_MAP_FLAG_READ,
					   VFIO_DMA_MAP_FLAG_WRITE };
	struct step *s = gen_add(g, OP_MAP);

	s->argsz = gen_argsz(g, sizeof(struct vfio_iommu_type1_dma_map));
	s->flags = gen_flags(g, access[rnd_below(&g->rng, 5)], 0);
	s->iova = gen_iova(g);
	s->vaddr = gen_vaddr(g, !(s->flags & VFIO_DMA_MAP_FLAG_WRITE));
	s->size = gen_size(g);
	if (permille(&g->rng, 10)) {
		/* 2 MiB at once, also across large pages */
		s->size = 2 * MIB;
		s->vaddr = slot_addr(permille(&g->rng, 500) ? SLOT_THP : SLOT_HUGETLB);
		s->iova = GEN_IOVA + rnd_below(&g->rng, 4) * 2 * MIB;
	}
	gen_ptr(g, s, sizeof(struct vfio_iommu_type1_dma_map));
	s->who = g->kind == GEN_PROCESSES && permille(&g->rng, 400);
	g->recent[g->nrecent % RECENT].iova = s->iova;
	g->recent[g->nrecent++ % RECENT].size = s->size;
}

static void gen_unmap(struct gen *g)
{
	struct step *s = gen_add(g, OP_UNMAP);
	unsigned int i = rnd_below(&g->rng, RECENT);
	uint32_t flags = 0;

	s->argsz = gen_argsz(g, sizeof(struct vfio_iommu_type1_dma_unmap));
	s->who = g->kind == GEN_PROCESSES && permille(&g->rng, 400);
	s->iova = gen_iova(g);
	s->size = gen_size(g);
	s->pgsize = permille(&g->rng, 900) ? PAGE : rnd(&g->rng);
	s->bytes = 8 << rnd_below(&g->rng, 6);
	if (permille(&g->rng, 600)) {
		s->iova = g->recent[i].iova;
		s->size = g->recent[i].size;
	}
	if (permille(&g->rng, 30)) {
		s->iova = 0;
		s->size = 0;
	} else if (permille(&g->rng, 30)) {
		s->size *= 8;
	}
	/* Known difference update-vaddr: type1 would invalidate what is mapped. */
	if (!s->iova && !s->size) {
		flags = VFIO_DMA_UNMAP_FLAG_ALL;
	} else if (permille(&g->rng, 150)) {
		flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
		s->argsz += sizeof(struct vfio_bitmap);
	}
	s->flags = gen_flags(g, flags, VFIO_DMA_UNMAP_FLAG_VADDR);
	/* Known difference unmap-last-page */
	if (s->size && s->iova + s->size == 0 && s->iova < 1ULL << 57)
		s->size = PAGE;
	gen_ptr(g, s, sizeof(struct vfio_iommu_type1_dma_unmap));
}

static void gen_info(struct gen *g)
{
	struct step *s = gen_add(g, OP_GET_INFO);

	s->argsz = permille(&g->rng, 500) ? 176 : rnd_below(&g->rng, 180);
	gen_ptr(g, s, 160);
	s->who = g->kind == GEN_PROCESSES && permille(&g->rng, 400);
}

static void gen_dirty(struct gen *g)
{
	static const uint32_t flags[] = {
		VFIO_IOMMU_DIRTY_PAGES_FLAG_START, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP,
		VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
	};
	struct step *s = gen_add(g, OP_DIRTY);

	s->argsz = gen_argsz(g, 48);
	s->flags = gen_flags(g, flags[rnd_below(&g->rng, 5)], 0);
	s->iova = gen_iova(g);
	s->size = gen_size(g);
	if (permille(&g->rng, 400)) {
		/* All mappings, or nearly so */
		s->iova = GEN_IOVA;
		s->size = (1 + rnd_below(&g->rng, 8)) * MIB;
	}
	s->pgsize = permille(&g->rng, 900) ? PAGE : rnd(&g->rng);
	s->bytes = 8 << rnd_below(&g->rng, 6);
	gen_ptr(g, s, 48);
}

/* Any command but those that either side knows; known difference nesting-commands */
static void gen_unknown(struct gen *g)
{
	struct step *s = gen_add(g, OP_UNKNOWN);
	unsigned int dir = rnd_below(&g->rng, 4), size = 0;

	if (permille(&g->rng, 300))
		size = rnd_below(&g->rng, 64);
	do {
		s->iova = _IOC(dir, ';', rnd_below(&g->rng, 256), size);
		/* VFIO's commands have no size, the native ones of iommufd neither. */
	} while (!dir && !size && _IOC_NR(s->iova) >= 100 && _IOC_NR(s->iova) < 0xa0 &&
		 !is_nesting_command(s->iova));
}

static void gen_check_extension(struct gen *g)
{
	struct step *s = gen_add(g, OP_CHECK_EXTENSION);

	s->iova = permille(&g->rng, 900) ? rnd_below(&g->rng, 65) : gen_special(g);
}

static void gen_set_iommu(struct gen *g)
{
	struct step *s = gen_add(g, OP_SET_IOMMU);

	s->iova = VFIO_TYPE1v2_IOMMU;
	if (permille(&g->rng, 300))
		s->iova = VFIO_TYPE1_IOMMU;
	else if (permille(&g->rng, 150))
		s->iova = rnd_below(&g->rng, 70);
	/* Known difference type1-nesting: type1 succeeds where the IOMMU can */
	if (s->iova == VFIO_TYPE1_NESTING_IOMMU)
		s->iova = VFIO_DMA_CC_IOMMU;
}

/*
 * Not where it would matter which of the threads was first, nor without an
 * IOMMU, where known differences would add up.
 */
static void gen_threads(struct gen *g)
{
	struct step *s;

	if (g->kind == GEN_LIMITED || g->kind == GEN_DMA || g->kind == GEN_LIFE)
		return;
	s = gen_add(g, OP_THREADS_APART + rnd_below(&g->rng, 3));
	s->iova = s->op == OP_THREADS_APART ? rnd(&g->rng) : g->recent[0].iova;
	s->size = g->recent[0].size;
}

static void gen_group(struct gen *g, unsigned int groups)
{
	static const enum diff_op ops[] = {
		OP_GROUP_OPEN, OP_GROUP_OPEN, OP_GROUP_SET, OP_GROUP_SET, OP_GROUP_UNSET,
		OP_GROUP_CLOSE, OP_GROUP_STATUS,
	};
	unsigned int n = sizeof(ops) / sizeof(ops[0]);
	struct step *s = gen_add(g, ops[rnd_below(&g->rng, n)]);

	s->nr = rnd_below(&g->rng, groups);
}

static void gen_life(struct gen *g)
{
	static const enum diff_op ops[] = {
		OP_CONTAINER_OPEN, OP_CONTAINER_OPEN, OP_CONTAINER_CLOSE, OP_SET_IOMMU,
		OP_SET_IOMMU, OP_DEVICE_OPEN, OP_DEVICE_CLOSE,
	};
	enum diff_op op = ops[rnd_below(&g->rng, sizeof(ops) / sizeof(ops[0]))];

	if (op == OP_SET_IOMMU)
		gen_set_iommu(g);
	else if (op != OP_DEVICE_OPEN || permille(&g->rng, 100))
		gen_add(g, op)->nr = rnd_below(&g->rng, 2);
}

static void gen_memlock(struct gen *g)
{
	struct step *s;

	if (permille(&g->rng, 300)) {
		s = gen_add(g, OP_RLIMIT);
		s->size = rnd_below(&g->rng, 64 * PAGE);
		return;
	}
	s = gen_add(g, permille(&g->rng, 500) ? OP_MLOCK : OP_MUNLOCK);
	s->vaddr = slot_addr(SLOT_ANON) + rnd_below(&g->rng, 32) * PAGE;
	s->size = (1 + rnd_below(&g->rng, 8)) * PAGE;
}

static void gen_dma(struct gen *g)
{
	struct step *s = gen_add(g, OP_DMA);

	s->iova = g->recent[rnd_below(&g->rng, RECENT)].iova & ~(PAGE - 1);
	s->vaddr = g->recent[rnd_below(&g->rng, RECENT)].iova & ~(PAGE - 1);
	s->size = 64;
}

/* What only some kinds of sequences do; false when it was nothing */
static bool gen_kind_step(struct gen *g)
{
	uint32_t before = g->seq->n;

	switch (g->kind) {
	case GEN_TWO_GROUPS:
		if (permille(&g->rng, 20))
			gen_group(g, 2);
		break;
	case GEN_LIFE:
		if (permille(&g->rng, 100))
			gen_group(g, 2);
		else if (permille(&g->rng, 80))
			gen_life(g);
		break;
	case GEN_LIMITED:
		if (permille(&g->rng, 30))
			gen_memlock(g);
		break;
	case GEN_PROCESSES:
		if (permille(&g->rng, 10))
			gen_add(g, permille(&g->rng, 600) ? OP_WORKER_START : OP_WORKER_EXIT);
		break;
	case GEN_DMA:
		if (permille(&g->rng, 15))
			gen_dma(g);
		break;
	default:
		break;
	}
	return g->seq->n != before;
}

static void gen_step(struct gen *g)
{
	uint64_t dice = rnd_below(&g->rng, 1000);

	if (gen_kind_step(g))
		return;
	if (dice < 440)
		gen_map(g);
	else if (dice < 930)
		gen_unmap(g);
	else if (dice < 960)
		gen_info(g);
	else if (dice < 975)
		gen_check_extension(g);
	else if (dice < 982)
		gen_unknown(g);
	else if (dice < 989)
		gen_dirty(g);
	else if (dice < 993)
		gen_set_iommu(g);
	else if (dice < 995)
		gen_threads(g);
	else
		gen_add(g, OP_API_VERSION);
}

/* The usual way into a container with an IOMMU */
static void gen_start(struct gen *g, unsigned int groups)
{
	gen_add(g, OP_CONTAINER_OPEN);
	for (unsigned int i = 0; i < groups; i++) {
		gen_add(g, OP_GROUP_OPEN)->nr = i;
		gen_add(g, OP_GROUP_SET)->nr = i;
	}
	gen_add(g, OP_SET_IOMMU)->iova = permille(&g->rng, 350) ? VFIO_TYPE1_IOMMU :
								  VFIO_TYPE1v2_IOMMU;
}

static void gen_end(struct gen *g)
{
	struct step *s = gen_add(g, OP_UNMAP);

	s->argsz = sizeof(struct vfio_iommu_type1_dma_unmap);
	s->flags = VFIO_DMA_UNMAP_FLAG_ALL;
	gen_add(g, OP_WORKER_EXIT);
	for (int i = 0; i < 2; i++) {
		gen_add(g, OP_DEVICE_CLOSE)->nr = i;
		gen_add(g, OP_GROUP_CLOSE)->nr = i;
	}
	gen_add(g, OP_CONTAINER_CLOSE);
}

static enum gen_kind gen_pick_kind(struct gen *g, uint32_t nr, unsigned int dma_every)
{
	uint64_t dice = rnd_below(&g->rng, 100);

	if (dma_every && nr % dma_every == dma_every - 1)
		return GEN_DMA;
	if (dice < 10)
		return GEN_TWO_GROUPS;
	if (dice < 20)
		return GEN_LIFE;
	if (dice < 35)
		return GEN_LIMITED;
	if (dice < 50)
		return GEN_PROCESSES;
	return GEN_BASIC;
}

/**
 * gen_sequence() - sequence @nr of seed @seed
 * @dma_every: every how many sequences one does DMA, 0: none
 */
static void gen_sequence(struct sequence *seq, uint64_t seed, uint32_t nr, unsigned int dma_every)
{
	struct gen g = { .rng = seed, .seq = seq };

	g.rng = rnd(&g.rng) + nr;
	g.kind = gen_pick_kind(&g, nr, dma_every);
	seq->n = 0;
	seq->limited = g.kind == GEN_LIMITED;
	seq->dma = g.kind == GEN_DMA;
	snprintf(seq->name, sizeof(seq->name), "%s", gen_names[g.kind]);
	for (int i = 0; i < RECENT; i++) {
		g.recent[i].iova = GEN_IOVA;
		g.recent[i].size = PAGE;
	}

	if (seq->limited)
		gen_add(&g, OP_RLIMIT)->size = (4 + rnd_below(&g.rng, 64)) * PAGE;
	if (g.kind != GEN_LIFE)
		gen_start(&g, g.kind == GEN_TWO_GROUPS ? 2 : 1);
	/* Else its BAR is a hole. */
	if (seq->dma || (g.kind != GEN_LIFE && permille(&g.rng, 300)))
		gen_add(&g, OP_DEVICE_OPEN);
	if (g.kind == GEN_PROCESSES)
		gen_add(&g, OP_WORKER_START);
	while (seq->n < GEN_STEPS)
		gen_step(&g);
	gen_end(&g);
}

#endif
