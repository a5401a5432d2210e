/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest has: memory with addresses of its own, and in it page tables of x86-64,
 * which is what VT-d calls first-level.
 *
 * A guest's memory is a piece of this process's; who uses this maps it into stage 2 at
 * guest_mem.gpa.  Tables are taken from it and stay until it goes, as a guest may well
 * keep them.  Levels count from the leaves of 4 KiB, which are in a table of level 1.
 */
#ifndef SELFTESTS_PGTABLE_UTIL_H
#define SELFTESTS_PGTABLE_UTIL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tap.h"

#define PT_P (1ULL << 0)
#define PT_W (1ULL << 1)
#define PT_U (1ULL << 2)
#define PT_PS (1ULL << 7)
#define PT_XD (1ULL << 63)
/* What a table or page has that forbids nothing */
#define PT_ALL (PT_P | PT_W | PT_U)
#define PT_ADDR 0x000ffffffffff000ULL

#define PT_4K (1ULL << 12)
#define PT_2M (1ULL << 21)
#define PT_1G (1ULL << 30)

/* ------------------------------------------------------------------ */
/* Memory of a guest */

struct guest_mem {
	char *va;		/* page aligned */
	uint64_t gpa, size;	/* what the guest calls it */
	uint64_t used;		/* bytes from the start that guest_alloc() gave */
};

static inline bool guest_has(const struct guest_mem *mem, uint64_t gpa)
{
	return gpa >= mem->gpa && gpa - mem->gpa < mem->size;
}

/* NULL: not in this memory */
static inline void *guest_va(const struct guest_mem *mem, uint64_t gpa)
{
	return guest_has(mem, gpa) ? mem->va + (gpa - mem->gpa) : NULL;
}

static inline uint64_t guest_gpa(const struct guest_mem *mem, const void *va)
{
	return mem->gpa + ((const char *)va - mem->va);
}

/* Zeroed, aligned to @align, a power of two from 4 KiB up.  Bails if there is no more. */
static inline uint64_t guest_alloc_aligned(struct guest_mem *mem, uint64_t size,
					   uint64_t align)
{
	uint64_t gpa = (mem->gpa + mem->used + align - 1) & -align;

	if (gpa - mem->gpa > mem->size || size > mem->size - (gpa - mem->gpa))
		bail("the guest has no memory left");
	mem->used = gpa - mem->gpa + size;
	memset(guest_va(mem, gpa), 0, size);
	return gpa;
}

static inline uint64_t guest_alloc(struct guest_mem *mem, uint64_t size)
{
	return guest_alloc_aligned(mem, size, PT_4K);
}

/* ------------------------------------------------------------------ */
/* Page tables */

struct pgtable {
	struct guest_mem *mem;
	unsigned int width;	/* 48 or 57 bits */
	uint64_t root;		/* GPA */
};

static inline struct pgtable pgtable_new(struct guest_mem *mem,
					 unsigned int width)
{
	return (struct pgtable){ mem, width, guest_alloc(mem, PT_4K) };
}

static inline unsigned int pgtable_levels(const struct pgtable *pt)
{
	return (pt->width - 12) / 9;
}

/* Bytes that an entry of a table of @level is about */
static inline uint64_t pgtable_span(unsigned int level)
{
	return PT_4K << 9 * (level - 1);
}

/* The hardware looks at any time. */
static inline void pgtable_set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/*
 * The entry for @iova in the table of @level.  Without @make NULL if there is none; with
 * it tables that are missing are made, which forbid nothing.
 */
static inline uint64_t *pgtable_walk(const struct pgtable *pt, uint64_t iova,
				     unsigned int level, bool make)
{
	unsigned int at = pgtable_levels(pt);
	uint64_t table = pt->root, *entry;

	for (;; at--) {
		entry = guest_va(pt->mem, table);
		if (!entry)
			return NULL;
		entry += iova / pgtable_span(at) % 512;
		if (at == level)
			return entry;
		if ((*entry & PT_P) && (*entry & PT_PS))
			return NULL;
		if (!(*entry & PT_P)) {
			if (!make)
				return NULL;
			pgtable_set(entry, guest_alloc(pt->mem, PT_4K) | PT_ALL);
		}
		table = *entry & PT_ADDR;
	}
}

static inline uint64_t *pgtable_entry(const struct pgtable *pt, uint64_t iova,
				      unsigned int level)
{
	return pgtable_walk(pt, iova, level, false);
}

/*
 * @page: PT_4K, PT_2M or PT_1G, of which @iova, @gpa and @length are multiples; @flags:
 * PT_ALL, less what is forbidden, and PT_XD.  What was there before goes.
 */
static inline void pgtable_map_as(const struct pgtable *pt, uint64_t iova,
				  uint64_t gpa, uint64_t length, uint64_t page,
				  uint64_t flags)
{
	unsigned int level = page == PT_4K ? 1 : page == PT_2M ? 2 : 3;
	uint64_t done, *entry;

	if (page != PT_4K)
		flags |= PT_PS;
	for (done = 0; done != length; done += page) {
		entry = pgtable_walk(pt, iova + done, level, true);
		if (!entry)
			bail("pgtable_map: a larger page is in the way");
		pgtable_set(entry, (gpa + done) | flags);
	}
}

static inline void pgtable_map(const struct pgtable *pt, uint64_t iova,
			       uint64_t gpa, uint64_t length, uint64_t flags)
{
	pgtable_map_as(pt, iova, gpa, length, PT_4K, flags);
}

/* The entry that is a page and shows @iova; @page: its size.  NULL: there is none. */
static inline uint64_t *pgtable_leaf(const struct pgtable *pt, uint64_t iova,
				     uint64_t *page)
{
	unsigned int level;
	uint64_t *entry;

	for (level = 1; level <= 3; level++) {
		entry = pgtable_entry(pt, iova, level);
		if (!entry || !(*entry & PT_P) ||
		    (level != 1 && !(*entry & PT_PS)))
			continue;
		*page = pgtable_span(level);
		return entry;
	}
	return NULL;
}

/* Whole pages: one that is only touched goes as a whole.  Tables stay. */
static inline void pgtable_unmap(const struct pgtable *pt, uint64_t iova,
				 uint64_t length)
{
	uint64_t done = 0, page, *entry;

	while (done < length) {
		page = PT_4K;
		entry = pgtable_leaf(pt, iova + done, &page);
		if (entry)
			pgtable_set(entry, 0);
		done += page - (iova + done) % page;
	}
}

#endif
