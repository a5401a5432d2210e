/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of the differential test: one slot for each kind, at fixed
 * addresses and with fixed contents, and a page for the arguments of ioctls.
 */
#ifndef SELFTESTS_DIFF_ARENA_H
#define SELFTESTS_DIFF_ARENA_H

#include "diff.h"

#define ARENA 0x200000000000ULL
#define SLOT_SIZE (8 * MIB)

/* Beyond a slot's pages is a hole. */
enum slot {
	SLOT_ANON,
	SLOT_SHARED,
	SLOT_THP,
	SLOT_HUGETLB,
	SLOT_READ_ONLY,		/* private, written before */
	SLOT_NONE,
	SLOT_PRIVATE_FILE,
	SLOT_FRESH,		/* private, never written */
	SLOT_SHARED_READ_ONLY,
	SLOT_WRITE_ONLY,
	SLOT_BAR,		/* the first device's, while it is open; else a hole */
	SLOT_HOLE,
	SLOT_COUNT,
};

struct slot_kind {
	unsigned int pages;
	int prot, flags;
	bool file, write;
};

static const struct slot_kind slot_kinds[SLOT_HOLE] = {
	[SLOT_ANON] = { 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, .write = true },
	[SLOT_SHARED] = { 64, PROT_READ | PROT_WRITE, MAP_SHARED, .file = true, .write = true },
	[SLOT_THP] = { 512, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, .write = true },
	[SLOT_HUGETLB] = { 512, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, .write = true },
	[SLOT_READ_ONLY] = { 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, .write = true },
	[SLOT_NONE] = { 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS },
	[SLOT_PRIVATE_FILE] = { 16, PROT_READ | PROT_WRITE, MAP_PRIVATE, .file = true },
	[SLOT_FRESH] = { 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS },
	[SLOT_SHARED_READ_ONLY] = { 16, PROT_READ, MAP_SHARED, .file = true, .write = true },
	[SLOT_WRITE_ONLY] = { 16, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, .write = true },
	[SLOT_BAR] = { 16 },
};

static inline uint64_t slot_addr(enum slot slot)
{
	return ARENA + slot * SLOT_SIZE;
}

/* ARGS: a page, then nothing; ARGS_RO: the same page, read-only */
#define ARGS (ARENA - 16 * PAGE)
#define ARGS_RO (ARENA - 8 * PAGE)
/* For dirty bitmaps */
#define SCRATCH (ARENA - 64 * MIB)
#define SCRATCH_SIZE (64 * KIB)

static inline void map_fixed(uint64_t at, size_t len, int prot, int flags, int fd)
{
	void *p = mmap((void *)at, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (p != (void *)at)
		bail("mmap of %zu bytes at 0x%" PRIx64, len, at);
}

static inline int memory_file(size_t size)
{
	int fd = memfd_create("diff", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size))
		bail("memfd");
	return fd;
}

static inline void slot_make(enum slot slot)
{
	const struct slot_kind *kind = &slot_kinds[slot];
	uint64_t at = slot_addr(slot);
	size_t size = kind->pages * PAGE;
	int fd = kind->file ? memory_file(size) : -1;

	map_fixed(at, size, kind->prot | (kind->write ? PROT_WRITE : 0), kind->flags, fd);
	if (fd >= 0)
		close(fd);
	if (slot == SLOT_THP)
		madvise((void *)at, size, MADV_HUGEPAGE);
	if (!kind->write)
		return;
	/* One value in each page tells them apart. */
	for (unsigned int i = 0; i < kind->pages; i++)
		*(volatile uint64_t *)(at + i * PAGE) = (slot + 1) << 16 | i;
	if (mprotect((void *)at, size, kind->prot))
		bail("mprotect");
}

static inline void arena_make(void)
{
	int fd = memory_file(PAGE);

	map_fixed(ARGS, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	map_fixed(ARGS + PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map_fixed(ARGS_RO, PAGE, PROT_READ, MAP_SHARED, fd);
	close(fd);
	map_fixed(SCRATCH, SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (int slot = 0; slot < SLOT_BAR; slot++)
		slot_make(slot);
}

/* The device's own: a child would keep it open. */
static inline void slot_bar_make(int device)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	void *at = (void *)slot_addr(SLOT_BAR);
	size_t size = slot_kinds[SLOT_BAR].pages * PAGE;

	/* Behind the registers, where nothing happens */
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, device,
		 bar.offset + PAGE) != at ||
	    madvise(at, size, MADV_DONTFORK))
		bail("mmap of the BAR");
}

static inline void slot_bar_remove(void)
{
	munmap((void *)slot_addr(SLOT_BAR), slot_kinds[SLOT_BAR].pages * PAGE);
}

/* Of the slots that DMA may write to, without touching what was never touched */
static inline uint64_t arena_checksum(void)
{
	static const enum slot slots[] = { SLOT_ANON, SLOT_SHARED, SLOT_THP, SLOT_HUGETLB };
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		const volatile uint64_t *p = (void *)slot_addr(slots[i]);
		size_t n = (slot_kinds[slots[i]].pages < 64 ? 16 : 64) * PAGE / sizeof(*p);

		for (size_t j = 0; j < n; j++)
			sum = (sum << 7 | sum >> 57) ^ p[j];
	}
	return sum;
}

/* What the struct of an ioctl looks like to its caller */
union diff_args {
	struct vfio_iommu_type1_info info;
	struct vfio_iommu_type1_dma_map map;
	struct {
		struct vfio_iommu_type1_dma_unmap unmap;
		struct vfio_bitmap bitmap;
	};
	struct {
		struct vfio_iommu_type1_dirty_bitmap dirty;
		struct vfio_iommu_type1_dirty_bitmap_get range;
	};
	uint8_t bytes[64];
};

/* The bytes that a step puts into its argument */
static inline size_t args_fill(const struct step *s, union diff_args *args)
{
	struct vfio_bitmap bitmap = {
		.pgsize = s->pgsize, .size = s->bytes, .data = (void *)SCRATCH,
	};

	memset(args, CANARY, sizeof(*args));
	switch (s->op) {
	case OP_GET_INFO:
		args->info.argsz = s->argsz;
		return sizeof(args->info.argsz);
	case OP_MAP:
		args->map.argsz = s->argsz;
		args->map.flags = s->flags;
		args->map.vaddr = s->vaddr;
		args->map.iova = s->iova;
		args->map.size = s->size;
		return sizeof(args->map);
	case OP_UNMAP:
		args->unmap.argsz = s->argsz;
		args->unmap.flags = s->flags;
		args->unmap.iova = s->iova;
		args->unmap.size = s->size;
		if (!(s->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP))
			return sizeof(args->unmap);
		args->bitmap = bitmap;
		return sizeof(args->unmap) + sizeof(bitmap);
	case OP_DIRTY:
		args->dirty.argsz = s->argsz;
		args->dirty.flags = s->flags;
		args->range.iova = s->iova;
		args->range.size = s->size;
		args->range.bitmap = bitmap;
		return sizeof(args->dirty) + sizeof(args->range);
	default:
		return 0;
	}
}

/* Where the argument begins in its window */
static inline size_t args_offset(const struct step *s)
{
	return s->ptr == PTR_EDGE ? WINDOW - s->cut : 64;
}

/* The window as it is when the ioctl is called */
static inline void window_fill(const struct step *s, uint8_t *window)
{
	size_t at = args_offset(s), len;
	union diff_args args;

	memset(window, CANARY, WINDOW);
	len = args_fill(s, &args);
	if (len > WINDOW - at)
		len = WINDOW - at;
	if (s->ptr != PTR_NULL)
		memcpy(window + at, &args, len);
}

static inline uint8_t *args_window(const struct step *s)
{
	return (uint8_t *)(s->ptr == PTR_EDGE ? ARGS + PAGE - WINDOW : ARGS);
}

/* Puts the argument in place; what the ioctl is called with */
static inline void *args_put(const struct step *s)
{
	window_fill(s, args_window(s));
	switch (s->ptr) {
	case PTR_NULL:
		return NULL;
	case PTR_READ_ONLY:
		return (void *)(ARGS_RO + args_offset(s));
	default:
		return args_window(s) + args_offset(s);
	}
}

#endif
