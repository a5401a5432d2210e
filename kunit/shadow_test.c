// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadows of guests' page tables: what is in the fake domain against what a slow
 * walker, written from the format's description, says about each address.
 *
 * Tables are in the first pages of the fake memory, which has no content; what is read
 * of these pages comes from an array.
 */
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include <uapi/linux/iommu_nesting.h>

#include "unit.h"
#include "world.h"

static int kt_table_read(struct io_pagetable *iopt, unsigned long gpa, void *data);

/* Its only use here: of a table */
#define iopt_access_rw(iopt, gpa, data, length, write) \
	kt_table_read(iopt, gpa, data)
#include "../iommufd/iopt_through.c"
#undef iopt_access_rw

/* An error that xas_nomem() cannot heal */
#define xas_store(xas, entry)                                  \
	(kt_should_fail() ? (xas_set_err(xas, -EINVAL), NULL) : \
			    xas_store(xas, entry))
#include "../iommufd/shadow.c"
#undef xas_store

#define NTABLES 24U
/* Where stage 2 has the tables */
#define TABLES 0x7000000000UL
#define MAX_AREAS 24U

#define P PTE_PRESENT
#define U PTE_USER
#define W PTE_WRITE
#define PS PTE_LARGE
#define PU (P | U)
#define PUW (P | U | W)

static const unsigned long large_pages[KT_DOMAINS] = {
	SZ_4K | SZ_2M | SZ_1G, SZ_4K | SZ_2M | SZ_1G, SZ_4K | SZ_2M | SZ_1G,
};

static const unsigned long tiny_pages[KT_DOMAINS] = {
	SZ_512 | SZ_4K, SZ_512 | SZ_4K, SZ_512 | SZ_4K,
};

struct guest_area {
	unsigned long gpa, length, offset;
	int prot;
};

struct guest {
	struct kt_world *w;
	struct kt_domain dom;
	struct iopt_domain idomain;
	struct iommufd_shadow *shadow;
	struct iommufd_stage1 stage1;
	u64 (*tables)[512];
	struct guest_area areas[MAX_AREAS];
	unsigned int nareas;
	/* Called before a table is read */
	void (*on_read)(struct guest *g);
	unsigned int reads;
};

static struct guest *guest;

/* ------------------------------------------------------------------ */
/* Stage 2 and what is in it */

static struct guest_area *s2_find(struct guest *g, unsigned long gpa)
{
	unsigned int i;

	for (i = 0; i != g->nareas; i++)
		if (gpa - g->areas[i].gpa < g->areas[i].length)
			return &g->areas[i];
	return NULL;
}

static u64 table_gpa(unsigned int i)
{
	return TABLES + (u64)i * PAGE_SIZE;
}

static int kt_table_read(struct io_pagetable *iopt, unsigned long gpa, void *data)
{
	struct iopt_area *area;
	unsigned long offset;
	int rc = -ENOENT;

	guest->reads++;
	if (guest->on_read)
		guest->on_read(guest);
	down_read(&iopt->iova_rwsem);
	area = iopt_area_first(iopt, gpa, gpa);
	if (area && area->state == IOPT_AREA_LIVE && (area->prot & IOMMU_READ) &&
	    area->node.last - gpa >= PAGE_SIZE - 1) {
		offset = area->pages->uva - KT_UVA + iopt_area_offset(area, gpa);
		if (offset / PAGE_SIZE < NTABLES)
			memcpy(data, guest->tables[offset / PAGE_SIZE], PAGE_SIZE);
		else
			memset(data, 0, PAGE_SIZE);
		rc = 0;
	}
	up_read(&iopt->iova_rwsem);
	return rc;
}

static u64 model_pte(struct guest *g, u64 gpa)
{
	struct guest_area *area = s2_find(g, gpa);
	unsigned long page;

	if (!area || !(area->prot & IOMMU_READ))
		return 0;
	page = (area->offset + (gpa - area->gpa)) / PAGE_SIZE;
	return page < NTABLES ? g->tables[page][gpa % PAGE_SIZE / 8] : 0;
}

struct translation {
	u64 gpa;
	u64 leaf;
	int prot;
};

static bool model_translate(struct guest *g, u64 iova, struct translation *t)
{
	unsigned int top = g->stage1.addr_width, shift = top - 9;
	u64 table = g->stage1.pgd, pte, addr;

	t->prot = IOMMU_READ | IOMMU_WRITE;
	if (iova >> (top - 1))
		return false;
	for (;; shift -= 9) {
		pte = model_pte(g, table + 8 * (iova >> shift & 511));
		if (!(pte & 1) || !(pte & 4))
			return false;
		if (!(pte & 2))
			t->prot = IOMMU_READ;
		addr = pte & 0x000ffffffffff000ULL;
		if (shift == 12 || (pte & 0x80))
			break;
		table = addr;
	}
	if (shift > 30)
		return false;
	t->leaf = 1UL << shift;
	if (shift > 12)
		addr &= ~0x1000ULL;
	if (addr & (t->leaf - 1))
		return false;
	t->gpa = addr + (iova & (t->leaf - 1));
	return true;
}

/* Bytes of stage 2 in [@gpa, @last] that allow something of @prot */
static u64 s2_bytes(struct guest *g, u64 gpa, u64 last, int prot)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i != g->nareas; i++) {
		struct guest_area *a = &g->areas[i];
		u64 first = max_t(u64, gpa, a->gpa);
		u64 end = min_t(u64, last, a->gpa + a->length - 1);

		if (first <= end && (prot & a->prot))
			sum += end - first + 1;
	}
	return sum;
}

/* How many bytes must be mapped in [@first, @last] */
static u64 model_bytes(struct guest *g, unsigned int shift, u64 table, u64 base,
		       int prot, u64 first, u64 last)
{
	u64 sum = 0, pte, start, end, addr;
	unsigned int i;
	int p;

	if (!s2_find(g, table))
		return 0;
	for (i = 0; i != 512; i++) {
		pte = model_pte(g, table + 8 * i);
		start = base + ((u64)i << shift);
		end = start + (1ULL << shift) - 1;
		if ((pte & 5) != 5 || end < first || start > last ||
		    start >> (g->stage1.addr_width - 1))
			continue;
		p = pte & 2 ? prot : prot & IOMMU_READ;
		addr = pte & 0x000ffffffffff000ULL;
		if (shift > 12 && !(pte & 0x80)) {
			sum += model_bytes(g, shift - 9, addr, start, p, first, last);
			continue;
		}
		if (shift > 12)
			addr &= ~0x1000ULL;
		if (shift > 30 || (addr & ((1UL << shift) - 1)))
			continue;
		addr -= start;
		start = max(start, first);
		end = min(end, last);
		sum += s2_bytes(g, addr + start, addr + end, p);
	}
	return sum;
}

/* An IO page leads to where both stages say; returns its bytes in the range. */
static u64 check_io_page(struct kunit *test, struct guest *g,
			 struct kt_io_page *page, u64 first, u64 last)
{
	u64 iova = max_t(u64, first, page->node.start);
	u64 end = min_t(u64, last, page->node.last), pos;
	struct guest_area *area;
	struct translation t;

	if (!model_translate(g, iova, &t)) {
		kt_fail_case("IOVA 0x%llx is mapped", iova);
		return 0;
	}
	KUNIT_EXPECT_LE(test, page->node.last - page->node.start + 1, t.leaf);
	area = s2_find(g, t.gpa);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_EXPECT_EQ(test, page->prot, t.prot & area->prot);
	for (pos = iova; pos <= end; pos += PAGE_SIZE) {
		unsigned long offset = area->offset + (t.gpa + (pos - iova) - area->gpa);

		if (page->phys + (pos - page->node.start) != kt_mem_phys(g->w->mem, offset))
			kt_fail_case("IOVA 0x%llx leads to the wrong page", pos);
	}
	return end - iova + 1;
}

static u64 check_mapped_right(struct kunit *test, struct guest *g, u64 first, u64 last)
{
	struct interval_tree_node *node;
	u64 sum = 0;

	for (node = interval_tree_iter_first(&g->dom.pages, first, last); node;
	     node = interval_tree_iter_next(node, first, last)) {
		sum += check_io_page(test, g, container_of(node, struct kt_io_page, node),
				     first, last);
		cond_resched();
	}
	return sum;
}

/* What is shown in a range is what the tables say. */
static void check_range(struct kunit *test, struct guest *g, u64 first, u64 last)
{
	u64 sum = check_mapped_right(test, g, first, last);

	KUNIT_ASSERT_EQ(test, sum,
			model_bytes(g, g->stage1.addr_width - 9, g->stage1.pgd, 0,
				    IOMMU_READ | IOMMU_WRITE, first, last));
	kt_domain_settled(&g->dom);
}

static void check_all(struct kunit *test, struct guest *g)
{
	struct interval_tree_node *node;
	unsigned long n = 0;

	check_range(test, g, 0, U64_MAX);
	for (node = interval_tree_iter_first(&g->dom.pages, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX))
		n++;
	KUNIT_EXPECT_GE(test, g->shadow->entries, n);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count(), g->shadow->entries);
}

/* ------------------------------------------------------------------ */
/* Guests */

static int guest_map_prot(struct guest *g, unsigned long gpa, unsigned long offset,
			  unsigned long length, int prot)
{
	struct iopt_map_args args = { .iova = gpa, .length = length, .prot = prot };
	int rc;

	rc = iopt_map_user_pages(&g->w->iopt, g->w->owner, IOMMUFD_ACCOUNT_MM,
				 KT_UVA + offset, &args);
	if (!rc)
		g->areas[g->nareas++] = (struct guest_area){ gpa, length, offset, prot };
	return rc;
}

static int guest_map(struct guest *g, unsigned long gpa, unsigned long offset,
		     unsigned long length)
{
	return guest_map_prot(g, gpa, offset, length, IOMMU_READ | IOMMU_WRITE);
}

static void guest_unmap(struct kunit *test, struct guest *g, unsigned long gpa)
{
	struct guest_area *area = s2_find(g, gpa);
	unsigned long unmapped;

	KUNIT_ASSERT_EQ(test, iopt_unmap(&g->w->iopt, area->gpa, area->gpa + area->length - 1,
					 IOPT_UNMAP_NATIVE, &unmapped), 0);
	KUNIT_EXPECT_EQ(test, unmapped, area->length);
	*area = g->areas[--g->nareas];
}

static struct guest *guest_create_on(struct kunit *test, unsigned long npages,
				     enum kt_layout layout, unsigned int addr_width,
				     const unsigned long *pgsizes)
{
	struct guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->w = kt_world_create(test, npages, layout, pgsizes);
	KUNIT_ASSERT_EQ(test, kt_world_attach(g->w, 0), 0);
	g->tables = vzalloc(NTABLES * sizeof(*g->tables));
	KUNIT_ASSERT_NOT_NULL(test, g->tables);
	kt_domain_init(&g->dom, SZ_4K | SZ_2M | SZ_1G, true);
	g->dom.tracks_memory = true;
	/* Its page table may grow at any time: only the shadow maps there. */
	g->dom.reach = ULONG_MAX;
	g->stage1.pgd = TABLES;
	g->stage1.addr_width = addr_width;
	guest = g;
	KUNIT_ASSERT_EQ(test, guest_map(g, TABLES, 0, NTABLES * PAGE_SIZE), 0);
	g->shadow = iommufd_shadow_alloc(&g->w->iopt, &g->idomain, &g->stage1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(g->shadow));
	g->idomain.domain = &g->dom.domain;
	return g;
}

static struct guest *guest_create(struct kunit *test, unsigned long npages,
				  enum kt_layout layout, unsigned int addr_width)
{
	return guest_create_on(test, npages, layout, addr_width, large_pages);
}

static void guest_destroy(struct kunit *test, struct guest *g)
{
	kt_fail_alloc(0);
	iommufd_shadow_empty(g->shadow);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	KUNIT_EXPECT_EQ(test, g->shadow->entries, 0UL);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count(), 0UL);
	iommufd_shadow_free(g->shadow);
	kt_domain_settled(&g->dom);
	kt_domain_clear(&g->dom);
	kt_world_check(test, g->w);
	kt_world_destroy(g->w);
	vfree(g->tables);
	guest = NULL;
}

static void invalidate(struct guest *g, u64 first, u64 last)
{
	struct iommufd_stage1_inv inv = {
		.caches = IOMMU_CACHE_INV_TYPE_IOTLB,
		.first = first,
		.last = last,
	};

	iommufd_shadow_invalidate(g->shadow, &inv);
}

static void invalidate_all(struct guest *g)
{
	invalidate(g, 0, U64_MAX);
}

/* A chain of tables from the root down to @level, for IOVA 0; returns the last one. */
static u64 *guest_chain(struct guest *g, unsigned int level)
{
	unsigned int i = 0, top = g->stage1.addr_width == 57 ? 4 : 3;

	for (; top != level; top--, i++)
		g->tables[i][0] = table_gpa(i + 1) | PUW;
	return g->tables[i];
}

/* ------------------------------------------------------------------ */
/* At random */

#define DATA SZ_1G
#define RANDOM_PAGES 3072UL

/* A GPA where something may be: in one of two gigabytes, or anywhere */
static u64 random_gpa(void)
{
	u64 gpa = DATA + (u64)kt_random(2) * SZ_1G + (u64)kt_random(8) * SZ_2M;

	if (kt_chance(20))
		return kt_random64() & PTE_ADDR;
	if (!kt_chance(3))
		gpa += (u64)kt_random(512) * PAGE_SIZE;
	return gpa;
}

static u64 random_bits(void)
{
	u64 bits = PUW | (kt_random64() & 0xfff0000000000f60ULL);

	if (kt_chance(8))
		bits &= ~P;
	if (kt_chance(8))
		bits &= ~U;
	if (kt_chance(3))
		bits &= ~W;
	return bits;
}

/* Few entries that lead on, or many small leaves */
static void random_table(struct guest *g, u64 *table)
{
	u64 gpa = random_gpa(), bits = random_bits();
	unsigned int i, n;

	memset(table, 0, PAGE_SIZE);
	if (kt_chance(3)) {
		for (i = kt_random(200); i != 512; i++, gpa += PAGE_SIZE) {
			if (kt_chance(20))
				gpa = random_gpa();
			if (kt_chance(20))
				bits = random_bits();
			if (!kt_chance(20))
				table[i] = (gpa & PTE_ADDR) | bits;
		}
		return;
	}
	for (n = 2 + kt_random(2); n; n--) {
		i = kt_chance(2) ? kt_random(3) : kt_random(512);
		if (kt_chance(3))
			table[i] = random_gpa() | random_bits() | PS;
		else
			table[i] = table_gpa(kt_random(NTABLES)) | random_bits();
	}
}

static void random_map(struct kunit *test, struct guest *g)
{
	unsigned long gpa, offset, length;
	unsigned int pages = 1 + kt_random(kt_chance(2) ? 8 : 1200);
	static const int prots[] = { IOMMU_READ | IOMMU_WRITE, IOMMU_READ | IOMMU_WRITE,
				     IOMMU_READ, IOMMU_WRITE };
	int rc;

	if (!s2_find(g, TABLES)) {
		KUNIT_ASSERT_EQ(test, guest_map(g, TABLES, 0, NTABLES * PAGE_SIZE), 0);
		return;
	}
	if (g->nareas == MAX_AREAS)
		return;
	length = pages * PAGE_SIZE;
	offset = kt_random(RANDOM_PAGES - pages + 1) * PAGE_SIZE;
	gpa = random_gpa() & (SZ_4G - 1);
	rc = guest_map_prot(g, gpa, offset, length, prots[kt_random(4)]);
	if (rc && rc != -EEXIST)
		kt_fail_case("map: %d", rc);
}

static void random_change(struct guest *g)
{
	unsigned int n = kt_random(4);
	u64 *table;

	while (n--) {
		table = g->tables[kt_random(NTABLES)];
		if (kt_chance(2))
			random_table(g, table);
		else if (kt_chance(2))
			table[kt_random(512)] = 0;
		else
			table[kt_random(4)] ^= kt_chance(2) ? W : P;
	}
}

static void random_faults(struct guest *g)
{
	if (kt_chance(2))
		kt_domain_fail(&g->dom, 1 + kt_random(20), kt_random(3));
	else if (kt_chance(2))
		kt_fail_alloc(1 + kt_random(40));
	else
		kt_kill(1 + kt_random(40));
	random_change(g);
	invalidate_all(g);
	kt_domain_fail(&g->dom, 0, KT_FAULT_HONEST);
	kt_fail_alloc(0);
	kt_kill(0);
}

static void random_step(struct kunit *test, struct guest *g, bool faults)
{
	unsigned long maps, unmaps;
	u64 first, last;

	switch (kt_random(6)) {
	case 0:
		random_map(test, g);
		break;
	case 1:
		/* Drops what it must at once. */
		guest_unmap(test, g, g->areas[kt_random(g->nareas)].gpa);
		check_all(test, g);
		if (!g->nareas)
			random_map(test, g);
		break;
	default:
		random_change(g);
		first = kt_random64() >> (17 + kt_random(30));
		last = first + (kt_random64() >> (24 + kt_random(30)));
		invalidate(g, first, last);
		check_range(test, g, first, last);
		break;
	}
	if (faults && kt_chance(2)) {
		random_faults(g);
		check_mapped_right(test, g, 0, U64_MAX);
		kt_domain_settled(&g->dom);
	}
	invalidate_all(g);
	check_all(test, g);

	/* What is right is left alone. */
	maps = g->dom.nr_maps;
	unmaps = g->dom.nr_unmaps;
	invalidate_all(g);
	invalidate(g, kt_random64() >> 20, kt_random64() >> 17);
	KUNIT_ASSERT_EQ(test, g->dom.nr_maps, maps);
	KUNIT_ASSERT_EQ(test, g->dom.nr_unmaps, unmaps);
}

static void run_random(struct kunit *test, unsigned int addr_width, bool faults)
{
	unsigned int i, rounds = 40 * kt_rounds;
	struct guest *g;

	kt_seed(test);
	g = guest_create(test, RANDOM_PAGES, KT_MIXED, addr_width);
	for (i = 0; i != NTABLES; i++)
		random_table(g, g->tables[i]);
	for (i = 0; i != 16; i++)
		random_map(test, g);
	KUNIT_ASSERT_EQ(test, iommufd_shadow_fill(g->shadow), 0);
	check_all(test, g);
	for (i = 0; i != rounds && test->status == KUNIT_SUCCESS; i++)
		random_step(test, g, faults);
	guest_destroy(test, g);
}

static void shadow_random_4(struct kunit *test)
{
	run_random(test, 48, false);
}

static void shadow_random_5(struct kunit *test)
{
	run_random(test, 57, false);
}

static void shadow_random_faults(struct kunit *test)
{
	run_random(test, 48, true);
}

/* ------------------------------------------------------------------ */
/* Case by case */

static struct guest *small_guest(struct kunit *test)
{
	return guest_create(test, 1024, KT_SCATTERED, 48);
}

static void fill(struct kunit *test, struct guest *g)
{
	KUNIT_ASSERT_EQ(test, iommufd_shadow_fill(g->shadow), 0);
	check_all(test, g);
}

/* All sizes of both stages; memory is contiguous, and so is 1 GiB of it. */
static void shadow_sizes(struct kunit *test)
{
	struct guest *g = guest_create(test, SZ_1G / PAGE_SIZE + 1024, KT_CONTIGUOUS, 48);
	u64 *pdpt = guest_chain(g, 2);

	/* Behind the tables: 1 GiB that is aligned in both, and a part of it again */
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0, SZ_1G), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, 2UL * SZ_1G + SZ_4K, SZ_4K, SZ_4M), 0);
	pdpt[0] = DATA | PUW | PS;
	pdpt[1] = table_gpa(2) | PUW;
	pdpt[2] = 2UL * SZ_1G | PUW | PS;
	pdpt[3] = 4UL * SZ_1G | PUW | PS;
	g->tables[2][3] = (DATA + SZ_4M) | PUW | PS;
	g->tables[2][4] = (DATA + SZ_4M + SZ_2M) | PUW | PS;
	g->tables[2][5] = table_gpa(3) | PUW;
	g->tables[3][0] = (DATA + SZ_2M) | PUW;
	g->tables[3][1] = (DATA + SZ_2M + SZ_4K) | PUW;
	fill(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.largest, (size_t)SZ_1G);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, SZ_1G + SZ_4M + SZ_8K + (size_t)SZ_4M);
	/* One of 1 GiB; two of 2 MiB; two; one of 2 MiB and 512 around it */
	KUNIT_EXPECT_EQ(test, g->shadow->entries, 1 + 2 + 2 + 1 + 512UL);

	/* The guest splits the large one: nothing larger than its leaves is left. */
	pdpt[0] = table_gpa(4) | PUW;
	g->tables[4][7] = (DATA + 7 * SZ_2M) | PUW | PS;
	invalidate(g, 0x1234000, 0x1234fff);
	check_all(test, g);
	/* A part of it is not allowed any more. */
	guest_unmap(test, g, DATA);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, (unsigned long)SZ_4M);
	guest_destroy(test, g);
}

/* A table of 4 KiB leaves that follow each other */
static void fill_table(u64 *pt, u64 gpa)
{
	unsigned int i;

	for (i = 0; i != 512; i++)
		pt[i] = (gpa + i * PAGE_SIZE) | PUW;
}

static bool is_mapped(struct guest *g, unsigned long iova)
{
	return kt_domain_page(&g->dom, iova);
}

static void reserve(struct kunit *test, struct guest *g, unsigned long first,
		    unsigned long last)
{
	down_write(&g->w->iopt.iova_rwsem);
	KUNIT_ASSERT_EQ(test, iopt_reserve_iova(&g->w->iopt, first, last, g), 0);
	up_write(&g->w->iopt.iova_rwsem);
}

static void unreserve(struct guest *g)
{
	down_write(&g->w->iopt.iova_rwsem);
	iopt_unreserve_iova(&g->w->iopt, g);
	up_write(&g->w->iopt.iova_rwsem);
}

/* IOVAs that are reserved, in whatever part of a page, or outside the aperture */
static void shadow_reserved(struct kunit *test)
{
	struct guest *g = small_guest(test);
	unsigned int i;

	fill_table(guest_chain(g, 0), DATA);
	g->tables[2][1] = DATA | PUW | PS;
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x200000), 0);
	kt_domain_set_aperture(&g->dom, 0x2000, 0x3f9fff);
	reserve(test, g, 0x4800, 0x6000);
	reserve(test, g, 0x5000, 0x5fff);
	reserve(test, g, 0x1ff000, 0x201000);
	KUNIT_ASSERT_EQ(test, iommufd_shadow_fill(g->shadow), 0);
	check_mapped_right(test, g, 0, U64_MAX);
	for (i = 0; i != 1024; i++)
		KUNIT_EXPECT_EQ(test, is_mapped(g, i * PAGE_SIZE),
				i >= 2 && i < 0x3fa && (i < 4 || i > 6) &&
				(i < 0x1ff || i > 0x201));
	unreserve(g);
	guest_destroy(test, g);
}

/* A page of the guest that is not all in one area, or lies across two of the host */
static void shadow_unaligned(struct kunit *test)
{
	struct guest *g = guest_create_on(test, 1024, KT_CONTIGUOUS, 48, tiny_pages);

	fill_table(guest_chain(g, 0), DATA);
	g->tables[2][1] = DATA | PUW | PS;
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0x200, 0x80200, 0x3000), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0x3200, 0x90200, 0x1000), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0x8200, 0x80400, 0x3000), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0xc000, 0x80400, 0x3200), 0);
	KUNIT_ASSERT_EQ(test, iommufd_shadow_fill(g->shadow), 0);
	check_mapped_right(test, g, 0, U64_MAX);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 2 * 2 * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, is_mapped(g, 0x1000) && is_mapped(g, 0x202000));
	guest_destroy(test, g);
}

/* Each bit that makes an entry one that counts, or not */
static void shadow_bits(struct kunit *test)
{
	static const struct {
		unsigned int level;
		u64 entry;
		int prot;
	} cases[] = {
		{ 0, DATA | PUW, IOMMU_READ | IOMMU_WRITE },
		{ 0, DATA | PU, IOMMU_READ },
		{ 0, DATA | P | W, 0 },
		{ 0, DATA | U | W, 0 },
		{ 0, DATA | PUW | BIT_ULL(63) | GENMASK_ULL(62, 52), IOMMU_READ | IOMMU_WRITE },
		{ 0, DATA | PUW | 0xff8, IOMMU_READ | IOMMU_WRITE },
		{ 0, DATA | BIT_ULL(51) | PUW, 0 },
		{ 0, PTE_ADDR | PUW, 0 },
		{ 1, DATA | PS | PUW, IOMMU_READ | IOMMU_WRITE },
		{ 1, DATA | PS | PTE_LARGE_PAT | PU, IOMMU_READ },
		{ 1, DATA | PS | PUW | BIT_ULL(13), 0 },
		{ 1, DATA | PS | PUW | BIT_ULL(20), 0 },
		{ 1, DATA | PS | P | W, 0 },
		{ 2, DATA | PS | PUW, IOMMU_READ | IOMMU_WRITE },
		{ 2, DATA | PS | PUW | BIT_ULL(21), 0 },
		{ 2, DATA | PS | PUW | BIT_ULL(29), 0 },
		{ 2, GENMASK_ULL(51, 30) | PS | PUW, 0 },
		{ 3, DATA | PS | PUW, 0 },
		{ 4, DATA | PS | PUW, 0 },
	};
	struct guest *g = guest_create(test, 1024, KT_SCATTERED, 57);
	unsigned int i, k;

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x1000), 0);
	fill(test, g);
	for (i = 0; i != ARRAY_SIZE(cases); i++) {
		memset(g->tables, 0, NTABLES * PAGE_SIZE);
		*guest_chain(g, cases[i].level) = cases[i].entry;
		/* The upper half is not for any IOMMU. */
		g->tables[0][256] = g->tables[0][0];
		invalidate_all(g);
		check_all(test, g);
		KUNIT_ASSERT_EQ_MSG(test, is_mapped(g, 0), !!cases[i].prot, "case %u", i);
		if (!cases[i].prot)
			continue;
		KUNIT_EXPECT_EQ(test, kt_domain_page(&g->dom, 0)->prot, cases[i].prot);
		/* All levels have a say. */
		for (k = 0; k != 4 - cases[i].level; k++) {
			g->tables[k][0] &= ~W;
			invalidate(g, 0, 0);
			KUNIT_ASSERT_TRUE(test, is_mapped(g, 0));
			KUNIT_EXPECT_EQ(test, kt_domain_page(&g->dom, 0)->prot, IOMMU_READ);
			g->tables[k][0] &= ~U;
			invalidate(g, 0, 0);
			KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
			g->tables[k][0] |= PUW;
		}
	}
	guest_destroy(test, g);
}

/* A table that leads to itself, or to one above: bounded, and right */
static void shadow_loops(struct kunit *test)
{
	unsigned int width, level, i;
	struct guest *g;

	for (width = 48; width <= 57; width += 9) {
		for (level = 1; level != (width == 57 ? 5 : 4); level++) {
			g = guest_create(test, 1024, KT_SCATTERED, width);
			KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x2000), 0);
			guest_chain(g, 0)[0] = DATA | PUW;
			i = (width == 57 ? 4 : 3) - level;
			g->tables[i][1] = table_gpa(i) | PUW;
			g->tables[i][2] = table_gpa(0) | PUW;
			fill(test, g);
			KUNIT_EXPECT_GT(test, g->dom.mapped, PAGE_SIZE - 1);
			guest_destroy(test, g);
		}
	}
}

/* All entries lead to the table itself: 2^27 tables or more, if nothing stopped it */
static void shadow_bomb(struct kunit *test)
{
	unsigned int limit = iommufd_shadow_entries, i;
	unsigned long absent = iommufd_shadow_count_absent();
	struct guest *g = small_guest(test);

	iommufd_shadow_entries = 2000;
	fill(test, g);
	for (i = 0; i != 512; i++)
		g->tables[0][i] = table_gpa(0) | PUW;
	g->reads = 0;
	invalidate_all(g);
	/* As a table of leaves it leads to itself, too: so far it has got. */
	KUNIT_EXPECT_LE(test, g->reads, 2000U);
	KUNIT_EXPECT_LE(test, g->dom.mapped, 2000 * PAGE_SIZE);
	check_mapped_right(test, g, 0, U64_MAX);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count_absent(), absent + 1);
	iommufd_shadow_empty(g->shadow);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_fill(g->shadow), -ENOSPC);
	/* Without a table beneath it is large leaves. */
	for (i = 0; i != 512; i++)
		g->tables[0][i] = table_gpa(1) | PUW;
	for (i = 0; i != 512; i++)
		g->tables[1][i] = DATA | PUW | PS;
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x100000), 0);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_fill(g->shadow), -ENOSPC);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	/* Whom the root is not mapped for, or is nowhere, has nothing. */
	guest_unmap(test, g, TABLES);
	fill(test, g);
	iommufd_shadow_entries = limit;
	guest_destroy(test, g);
}

static void shadow_limit(struct kunit *test)
{
	unsigned long absent = iommufd_shadow_count_absent();
	unsigned int limit = iommufd_shadow_entries;
	struct guest *g = small_guest(test);

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x200000), 0);
	fill_table(guest_chain(g, 0), DATA);
	iommufd_shadow_entries = 512 + 4 - 1;
	KUNIT_EXPECT_EQ(test, iommufd_shadow_fill(g->shadow), -ENOSPC);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count(), 0UL);
	iommufd_shadow_entries = 512 + 4;
	fill(test, g);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count_absent(), absent);

	/* One large leaf, which makes as many entries as the table, is too much. */
	g->tables[2][1] = DATA | PUW | PS;
	invalidate(g, SZ_2M, SZ_2M);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count_absent(), absent + 1);
	KUNIT_EXPECT_FALSE(test, is_mapped(g, SZ_2M));
	KUNIT_EXPECT_TRUE(test, is_mapped(g, SZ_2M - 1));
	iommufd_shadow_entries = 2000;
	invalidate(g, SZ_2M + 12345, SZ_2M + 12345);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->shadow->entries, 1024UL);

	/* Walks that end early leave nothing stale, and nothing beside them. */
	iommufd_shadow_entries = 2;
	invalidate(g, 0x5000, 0x6fff);
	KUNIT_EXPECT_FALSE(test, is_mapped(g, 0x5000) || is_mapped(g, 0x6000));
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 1022 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count_absent(), absent + 2);
	iommufd_shadow_entries = limit;
	guest_destroy(test, g);
}

/* What is not about the IOTLB, or about no address of the table */
static void shadow_inv(struct kunit *test)
{
	struct iommufd_stage1_inv inv = {
		.caches = IOMMU_CACHE_INV_TYPE_DEV_IOTLB | IOMMU_CACHE_INV_TYPE_PASID,
		.last = U64_MAX,
	};
	struct guest *g = small_guest(test);
	u64 *pt = guest_chain(g, 0);

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x200000), 0);
	pt[1] = DATA | PUW;
	/* Before it is filled */
	invalidate_all(g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	fill(test, g);
	pt[2] = DATA | PUW;
	iommufd_shadow_invalidate(g->shadow, &inv);
	invalidate(g, 1UL << 47, U64_MAX);
	invalidate(g, 0x1000, 0x1fff);
	invalidate(g, 0x3000, 0x2000);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, PAGE_SIZE);
	invalidate(g, 0x2fff, 0x2fff);
	check_all(test, g);
	/* After it is empty */
	iommufd_shadow_empty(g->shadow);
	invalidate_all(g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	guest_unmap(test, g, DATA);
	guest_destroy(test, g);
}

/* Neighbours go together; what stays is not touched. */
static void shadow_diff(struct kunit *test)
{
	struct guest *g = small_guest(test);
	u64 *pt = guest_chain(g, 0);
	unsigned long unmaps;

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x200000), 0);
	fill_table(pt, DATA);
	fill(test, g);
	unmaps = g->dom.nr_unmaps;
	memset(pt + 100, 0, 300 * sizeof(*pt));
	invalidate(g, 0x50000, SZ_2M - 1);
	check_all(test, g);
	/* 4 KiB IO pages that adjoin are one call of the driver. */
	KUNIT_EXPECT_EQ(test, g->dom.nr_unmaps, unmaps + 1);
	fill_table(pt, DATA);
	pt[7] &= ~W;
	invalidate_all(g);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.nr_unmaps, unmaps + 2);
	/* Small pieces do for a leaf that has become large. */
	pt[7] |= W;
	invalidate_all(g);
	g->tables[2][0] = DATA | PUW | PS;
	unmaps = g->dom.nr_unmaps;
	invalidate_all(g);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.nr_unmaps, unmaps);
	guest_destroy(test, g);
}

/* Stage 2 allows less than stage 1: a change of what does not matter is none. */
static void shadow_read_only(struct kunit *test)
{
	struct guest *g = small_guest(test);
	u64 *pt = guest_chain(g, 0);
	unsigned long unmaps;

	KUNIT_ASSERT_EQ(test, guest_map_prot(g, DATA, 0x100000, 0x2000, IOMMU_READ), 0);
	KUNIT_ASSERT_EQ(test, guest_map_prot(g, DATA + 0x2000, 0x110000, 0x1000, IOMMU_WRITE), 0);
	fill_table(pt, DATA);
	fill(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 3 * PAGE_SIZE);
	unmaps = g->dom.nr_unmaps;
	pt[0] &= ~W;
	invalidate_all(g);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.nr_unmaps, unmaps);
	pt[2] &= ~W;
	invalidate_all(g);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 2 * PAGE_SIZE);
	guest_destroy(test, g);
}

static void shadow_stage2(struct kunit *test)
{
	unsigned long dropped = iommufd_shadow_count_dropped();
	struct guest *g = small_guest(test);
	u64 *pt = guest_chain(g, 0);
	unsigned long unmapped;
	unsigned int reads;

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x10000), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0x10000, 0x110000, 0x10000), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0x40000, 0x120000, 0x10000), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, SZ_4G, 0x130000, 0x10000), 0);
	fill_table(pt, DATA);
	fill(test, g);
	reads = g->reads;
	/* Nobody uses it, and nobody is asked. */
	guest_unmap(test, g, SZ_4G);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count_dropped(), dropped);
	guest_unmap(test, g, DATA + 0x10000);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count_dropped(), dropped + 16);
	/* Only a table that goes is a reason to read tables. */
	KUNIT_EXPECT_EQ(test, g->reads, reads);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0x10000, 0x110000, 0x10000), 0);
	invalidate_all(g);
	check_all(test, g);
	guest_unmap(test, g, TABLES);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	KUNIT_EXPECT_EQ(test, iommufd_shadow_count_dropped(), dropped + 16);
	KUNIT_ASSERT_EQ(test, guest_map(g, TABLES, 0, NTABLES * PAGE_SIZE), 0);
	invalidate_all(g);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0x30000UL);
	/* All at once, and holes between */
	KUNIT_ASSERT_EQ(test, iopt_unmap(&g->w->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE,
					 &unmapped), 0);
	g->nareas = 0;
	check_all(test, g);
	guest_destroy(test, g);
}

/* An area that is cut in two, with a page of the guest and its table */
static void shadow_cut(struct kunit *test)
{
	struct guest *g = guest_create(test, 1024, KT_CONTIGUOUS, 48);
	unsigned long unmapped;

	guest_unmap(test, g, TABLES);
	kt_world_detach(g->w, 0);
	KUNIT_ASSERT_EQ(test, iopt_disable_large_pages(&g->w->iopt), 0);
	KUNIT_ASSERT_EQ(test, kt_world_attach(g->w, 0), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, TABLES, 0, NTABLES * PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x200000, 0x200000), 0);
	guest_chain(g, 1)[0] = DATA | PUW | PS;
	fill(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.largest, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, iopt_cut(&g->w->iopt, DATA + 0x5000, DATA + 0x6fff), 0);
	KUNIT_ASSERT_EQ(test, iopt_unmap(&g->w->iopt, DATA + 0x5000, DATA + 0x6fff,
					 IOPT_UNMAP_NATIVE, &unmapped), 0);
	g->areas[1].length = 0x5000;
	g->areas[g->nareas++] = (struct guest_area){
		DATA + 0x7000, 0x1f9000, 0x207000, IOMMU_READ | IOMMU_WRITE,
	};
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	invalidate_all(g);
	check_all(test, g);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0x1fe000UL);
	guest_destroy(test, g);
}

/* Each failure at each place: nothing is left of a fill, and all comes back. */
static void shadow_fill_fails(struct kunit *test)
{
	struct guest *g = guest_create(test, 2048, KT_MIXED, 48);
	unsigned int kind, n, rc_seen;
	int rc;

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x300000), 0);
	guest_chain(g, 0)[3] = DATA | PUW;
	g->tables[3][4] = (DATA + 0x7000) | PUW;
	g->tables[3][5] = (DATA + 0x8000) | PUW;
	g->tables[2][1] = DATA | PUW | PS;
	for (kind = 0; kind != 5; kind++) {
		rc_seen = 0;
		for (n = 1;; n += 1 + n / 8) {
			if (kind < 3)
				kt_domain_fail(&g->dom, n, kind);
			else if (kind == 3)
				kt_fail_alloc(n);
			else
				kt_kill(n);
			rc = iommufd_shadow_fill(g->shadow);
			kt_domain_fail(&g->dom, 0, 0);
			kt_fail_alloc(0);
			kt_kill(0);
			if (!rc)
				break;
			rc_seen++;
			KUNIT_EXPECT_EQ(test, rc, kind == 4 ? -EINTR : -ENOMEM);
			KUNIT_ASSERT_EQ(test, g->dom.mapped, 0UL);
			kt_domain_settled(&g->dom);
			KUNIT_ASSERT_EQ(test, iommufd_shadow_count(), 0UL);
			KUNIT_EXPECT_TRUE(test, list_empty(&g->w->iopt.watchers));
		}
		if (!rc)
			check_all(test, g);
		KUNIT_EXPECT_TRUE(test, rc_seen || kind == KT_FAULT_SHORT);
		iommufd_shadow_empty(g->shadow);
	}
	guest_destroy(test, g);
}

static void shadow_alloc_fails(struct kunit *test)
{
	struct guest *g = small_guest(test);
	struct iommufd_shadow *shadow;
	unsigned int n;

	for (n = 1;; n++) {
		kt_fail_alloc(n);
		shadow = iommufd_shadow_alloc(&g->w->iopt, &g->idomain, &g->stage1);
		kt_fail_alloc(0);
		if (!IS_ERR(shadow))
			break;
		KUNIT_EXPECT_EQ(test, PTR_ERR(shadow), -ENOMEM);
	}
	KUNIT_EXPECT_EQ(test, n, 6U);
	iommufd_shadow_free(shadow);
	/* IO pages that are larger than those of the guest */
	g->dom.domain.pgsize_bitmap = SZ_64K;
	KUNIT_EXPECT_EQ(test, iommufd_shadow_fill(g->shadow), -EINVAL);
	guest_destroy(test, g);
}

/* A table is looked at once: what it says then is what is shown. */
static void scramble(struct guest *g)
{
	random_table(g, g->tables[kt_random(NTABLES)]);
}

static void shadow_changes(struct kunit *test)
{
	struct guest *g = guest_create(test, RANDOM_PAGES, KT_MIXED, 48);
	unsigned int i;

	kt_seed(test);
	for (i = 0; i != 8; i++)
		random_map(test, g);
	KUNIT_ASSERT_EQ(test, iommufd_shadow_fill(g->shadow), 0);
	for (i = 0; i != 40 * kt_rounds; i++) {
		g->on_read = scramble;
		invalidate_all(g);
		g->on_read = NULL;
		kt_domain_settled(&g->dom);
		invalidate_all(g);
		check_all(test, g);
	}
	guest_destroy(test, g);
}

/* Stage 2 goes while it is walked: by the time of the unmap it is known. */
static void unmap_tables(struct guest *g)
{
	struct iopt_area *area;

	if (g->reads != 3)
		return;
	down_write(&g->w->iopt.iova_rwsem);
	area = iopt_area_first(&g->w->iopt, DATA, DATA);
	area->state = IOPT_AREA_DYING;
	up_write(&g->w->iopt.iova_rwsem);
}

static void shadow_dying(struct kunit *test)
{
	struct guest *g = small_guest(test);
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x10000), 0);
	fill_table(guest_chain(g, 0), DATA);
	g->on_read = unmap_tables;
	KUNIT_ASSERT_EQ(test, iommufd_shadow_fill(g->shadow), 0);
	KUNIT_EXPECT_EQ(test, g->dom.mapped, 0UL);
	g->on_read = NULL;
	down_write(&g->w->iopt.iova_rwsem);
	area = iopt_area_first(&g->w->iopt, DATA, DATA);
	KUNIT_EXPECT_FALSE(test, area->through);
	area->state = IOPT_AREA_LIVE;
	up_write(&g->w->iopt.iova_rwsem);
	invalidate_all(g);
	check_all(test, g);
	KUNIT_EXPECT_TRUE(test, area->through);
	guest_destroy(test, g);
}

/* A driver that does not unmap: what it still reaches stays pinned. */
static void shadow_deaf(struct kunit *test)
{
	struct guest *g = small_guest(test);
	u64 *pt = guest_chain(g, 0);
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, guest_map(g, DATA, 0x100000, 0x2000), 0);
	KUNIT_ASSERT_EQ(test, guest_map(g, DATA + 0x2000, 0x110000, 0x1000), 0);
	pt[0] = (DATA + 0x1000) | PUW;
	fill(test, g);
	g->dom.deaf = true;
	pt[0] = 0;
	kt_expect_warnings(true);
	invalidate_all(g);
	kt_expect_warnings(false);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 1U);
	down_read(&g->w->iopt.iova_rwsem);
	area = iopt_area_first(&g->w->iopt, DATA, DATA);
	KUNIT_EXPECT_TRUE(test, area->pages->leak);
	area->pages->leak = false;
	area = iopt_area_first(&g->w->iopt, DATA + 0x2000, DATA + 0x2000);
	KUNIT_EXPECT_FALSE(test, area->pages->leak);
	up_read(&g->w->iopt.iova_rwsem);
	g->dom.deaf = false;
	kt_domain_clear(&g->dom);
	guest_destroy(test, g);
}

static struct kunit_case shadow_cases[] = {
	KUNIT_CASE(shadow_bits),
	KUNIT_CASE(shadow_inv),
	KUNIT_CASE(shadow_diff),
	KUNIT_CASE(shadow_read_only),
	KUNIT_CASE(shadow_reserved),
	KUNIT_CASE(shadow_unaligned),
	KUNIT_CASE(shadow_stage2),
	KUNIT_CASE(shadow_cut),
	KUNIT_CASE(shadow_dying),
	KUNIT_CASE(shadow_deaf),
	KUNIT_CASE(shadow_limit),
	KUNIT_CASE(shadow_loops),
	KUNIT_CASE(shadow_bomb),
	KUNIT_CASE(shadow_alloc_fails),
	KUNIT_CASE(shadow_fill_fails),
	KUNIT_CASE(shadow_changes),
	KUNIT_CASE(shadow_random_4),
	KUNIT_CASE(shadow_random_5),
	KUNIT_CASE(shadow_random_faults),
	KUNIT_CASE(shadow_sizes),
	{}
};

struct kunit_suite kt_shadow_suite = {
	.name = "iommufd_shadow",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = shadow_cases,
};
