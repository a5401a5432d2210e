// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mapping costs, in instructions: stock type1, this project by VFIO's
 * container ioctls, and by native ones, one after the other on the same memory
 * and the same devices.  Runs in the guest of scripts/bench.
 *
 * Wants /dev/vfio/vfio to be a symlink to /dev/iommu, and vfio_iommu_type1
 * loaded, as the differential test does.
 *
 * usage: bench [--quick] [--only PATTERN] [--side type1|container|native]...
 *
 * Lines for scripts/bench, fields separated by tabs:
 *   R side key op unit per instructions invalidations mark first n
 *       one op, which does @per of @unit; @n regions marked @mark, from the
 *       @first on, are its repetitions
 *   V side key what value
 *   P memory pages
 *       how many pages, on average, follow each other
 * A key is case/memory/size, or case/memory/size/number-of-mappings, and what
 * PATTERN is matched with.  All other lines begin with '#' and tell how far it
 * is.
 */
#include <fnmatch.h>

#include "nesting_util.h"
#include "pgtable_util.h"
#include "side.h"

/* Where to map: aligned to the largest IO page there is */
#define BASE (4 * GIB)
/* Far from all else */
#define COPY_BASE (64 * GIB)

/* What a guest calls its memory, and its page tables */
#define GUEST_GPA (8 * GIB)
#define TABLES_GPA (32 * GIB)
#define TABLES_SIZE (4 * MIB)

/* Mappings that one request is to unmap */
#define MANY 10000

#define MAX_LIVE 1000000
/* Mappings of one page share so few of them; a page has room for 2^21 pins. */
#define LIVE_PAGES 512

static struct {
	const struct side_ops *ops;
	bool quick;
	const char *only;
	bool sides[SIDE_KINDS];
} bench;

static bool wanted(const char *key)
{
	return !bench.only || !fnmatch(bench.only, key, 0);
}

/* May a key that has @part be wanted?  Spares what only others need. */
static bool wanted_part(const char *part)
{
	return !bench.only || strpbrk(bench.only, "*?[") || strstr(bench.only, part);
}

static void progress(const char *key)
{
	note("%s %s", bench.ops->name, key);
	let_others_run();
}

/* 4K, 64M, 1G; the same for numbers: 10k, 1M */
static const char *short_name(uint64_t n, unsigned int base)
{
	static const char binary[] = " KMG", decimal[] = " kMG";
	static char names[4][32];
	static unsigned int next;
	char *name = names[next++ % 4];
	unsigned int unit = 0;

	while (n >= base && n % base == 0) {
		n /= base;
		unit++;
	}
	if (unit)
		snprintf(name, sizeof(names[0]), "%" PRIu64 "%c", n,
			 (base == 1024 ? binary : decimal)[unit]);
	else
		snprintf(name, sizeof(names[0]), "%" PRIu64, n);
	return name;
}

static void result(const char *key, const char *op, const char *unit, uint64_t per,
		   struct samples *s)
{
	printf("R\t%s\t%s\t%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\t%s\t%u\t%u\n",
	       bench.ops->name, key, op, unit, per, samples_median(s), s->invalidations,
	       mark_names[s->kind], s->first, s->n);
	let_others_run();
}

static void value(const char *key, const char *what, double val)
{
	printf("V\t%s\t%s\t%s\t%.2f\n", bench.ops->name, key, what, val);
	let_others_run();
}

/* ------------------------------------------------------------------ */

typedef int (*op_fn)(const struct side *side, const struct range *r);

static void must_work(int rc, const char *op, const struct range *r)
{
	if (rc)
		bail("%s of %s %s at 0x%" PRIx64, bench.ops->name, op,
		     short_name(r->size, 1024), r->iova);
}

/* One repetition more, in which only invalidations count */
static void count_invalidations(struct samples *s, const struct side *side, op_fn op,
				const struct range *r, const char *name)
{
	int fd = invalidations_open();

	must_work(op(side, r), name, r);
	s->invalidations = invalidations_read(fd);
	invalidations_close(fd);
}

static void sample(struct samples *s, const struct side *side, op_fn op, const struct range *r,
		   const char *name)
{
	int rc;

	sample_begin(s);
	rc = op(side, r);
	sample_end(s);
	must_work(rc, name, r);
}

/**
 * struct pair - what undoes what, to be repeated
 * @op: name of the first
 * @map: the first
 * @unmap: undoes it
 * @next: chooses where it happens next time; may be NULL
 * @param: for @next
 */
struct pair {
	const char *op;
	op_fn map;
	op_fn unmap;
	void (*next)(struct range *r, uint64_t param);
	uint64_t param;
};

static void measure_pair(const char *key, const struct side *side, struct range r,
			 const struct pair *pair, unsigned int reps, const char *unit,
			 uint64_t per)
{
	struct samples map, unmap;
	unsigned int i;

	if (!wanted(key))
		return;
	progress(key);
	/* The first time things are allocated that stay. */
	must_work(pair->map(side, &r), pair->op, &r);
	must_work(pair->unmap(side, &r), "unmap", &r);
	samples_init(&map, MARK_MAP);
	samples_init(&unmap, MARK_UNMAP);
	for (i = 0; i != reps; i++) {
		if (pair->next)
			pair->next(&r, pair->param);
		sample(&map, side, pair->map, &r, pair->op);
		sample(&unmap, side, pair->unmap, &r, "unmap");
	}
	count_invalidations(&map, side, pair->map, &r, pair->op);
	count_invalidations(&unmap, side, pair->unmap, &r, "unmap");
	result(key, pair->op, unit, per, &map);
	result(key, "unmap", unit, per, &unmap);
}

static struct pair plain_pair(void)
{
	struct pair pair = {
		.op = "map",
		.map = bench.ops->map,
		.unmap = bench.ops->unmap,
	};

	return pair;
}

static void measure_nothing(const struct side *side)
{
	struct range r = { .size = 0 };
	struct samples s;
	int i;

	if (!wanted("nothing"))
		return;
	progress("nothing");
	samples_init(&s, MARK_MAP);
	for (i = 0; i != 101; i++)
		sample(&s, side, bench.ops->nothing, &r, "nothing");
	result("nothing", "ioctl", "call", 1, &s);
}

/* ------------------------------------------------------------------ */
/* Ranges of each size, of each kind of memory */

static const struct size {
	uint64_t bytes;
	unsigned int reps, quick_reps;
} sizes[] = {
	{ PAGE, 101, 31 },
	{ 2 * MIB, 31, 7 },
	{ 64 * MIB, 7, 3 },
	{ GIB, 3, 0 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned int reps_of(const struct size *size)
{
	return bench.quick ? size->quick_reps : size->reps;
}

static uint64_t largest(void)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i != COUNT(sizes); i++)
		if (reps_of(&sizes[i]))
			bytes = sizes[i].bytes;
	return bytes;
}

static const char *range_key(const char *what, const struct backing *b, uint64_t size)
{
	static char key[128];

	snprintf(key, sizeof(key), "%s/%s/%s", what, backing_names[b->kind],
		 short_name(size, 1024));
	return key;
}

static void measure_sizes(const char *what, const struct side *side, const struct backing *b,
			  const struct pair *pair, uint64_t from, uint64_t to)
{
	struct range r = { .backing = b, .iova = BASE };
	size_t i;

	for (i = 0; i != COUNT(sizes); i++) {
		r.size = sizes[i].bytes;
		if (r.size < from || r.size > to || !reps_of(&sizes[i]))
			continue;
		measure_pair(range_key(what, b, r.size), side, r, pair, reps_of(&sizes[i]),
			     "page", r.size / PAGE);
	}
}

/* What @n of something needed more.  What is no slab is IO page tables. */
static void memory_values(const char *key, const struct memory *before,
			  const struct memory *after, double n)
{
	int64_t slabs = after->slabs - before->slabs;

	value(key, "slab-bytes", slabs / n);
	value(key, "other-bytes", (after->all - before->all - slabs) / n);
}

/* What the kernel keeps for what is pinned, in all.  A slab more or less counts. */
static void measure_pinned(const struct side *side, const struct backing *b)
{
	struct range r = { .backing = b, .size = b->size, .iova = BASE };
	const char *key = range_key("pinned", b, b->size);
	struct memory before, after;

	if (!wanted(key))
		return;
	progress(key);
	/* Looking at it needs memory, too; not the second time. */
	memory_now();
	before = memory_now();
	must_work(bench.ops->map(side, &r), "map", &r);
	after = memory_now();
	must_work(bench.ops->unmap(side, &r), "unmap", &r);
	memory_values(key, &before, &after, 1);
}

static int copy_map(const struct side *side, const struct range *r)
{
	return ioas_copy_at(side->fd, side->ioas, side->ioas, BASE, r->size, r->iova, IOAS_RW);
}

static void measure_copy(const struct side *side, const struct backing *b)
{
	struct range from = { .backing = b, .size = 64 * MIB, .iova = BASE }, to = from;
	struct pair pair = plain_pair();
	const char *key = range_key("copy", b, from.size);

	if (bench.ops != &all_sides[NATIVE] || !wanted(key))
		return;
	pair.op = "copy";
	pair.map = copy_map;
	to.iova = COPY_BASE;
	must_work(bench.ops->map(side, &from), "map", &from);
	measure_pair(key, side, to, &pair, 3, "page", to.size / PAGE);
	must_work(bench.ops->unmap(side, &from), "unmap", &from);
}

/*
 * Two groups share a domain where they can, with type1 always, here unless told
 * otherwise: then all is mapped twice.
 */
static void measure_groups(const struct backing *b)
{
	struct pair pair = plain_pair();
	struct side side;

	side_open(&side, bench.ops, 2);
	measure_sizes("two-groups", &side, b, &pair, PAGE, 64 * MIB);
	side_close(&side);
	if (bench.ops == &all_sides[TYPE1])
		return;
	share_domains(false);
	side_open(&side, bench.ops, 2);
	share_domains(true);
	measure_sizes("two-domains", &side, b, &pair, PAGE, 64 * MIB);
	side_close(&side);
}

/* One request that unmaps many mappings, each of one page, which are adjacent */
static void measure_many(const struct side *side, const struct backing *b, op_fn op,
			 const char *name)
{
	struct range all = { .backing = b, .size = MANY * PAGE, .iova = BASE }, r = all;
	unsigned int i, reps = bench.quick ? 1 : 3;
	char key[64];
	struct samples s;
	uint64_t at;

	snprintf(key, sizeof(key), "many/%s/4K/%s", backing_names[b->kind],
		 short_name(MANY, 1000));
	if (!wanted(key))
		return;
	progress(key);
	samples_init(&s, MARK_UNMAP);
	for (i = 0; i != reps + 1; i++) {
		r.size = PAGE;
		for (at = 0; at != all.size; at += PAGE) {
			r.iova = BASE + at;
			r.offset = at;
			must_work(bench.ops->map(side, &r), "map", &r);
		}
		if (i < reps)
			sample(&s, side, op, &all, name);
		else
			count_invalidations(&s, side, op, &all, name);
	}
	result(key, name, "map", MANY, &s);
}

/* ------------------------------------------------------------------ */
/* One more, with many there */

/* Every second page of IOVAs is mapped: no mapping has a neighbour to join. */
static void live_next(struct range *r, uint64_t live)
{
	r->iova = BASE + (2 * random_below(live - 1) + 1) * PAGE;
	r->offset = random_below(LIVE_PAGES) * PAGE;
}

static void live_fill(const struct side *side, const struct backing *b, uint64_t from, uint64_t to)
{
	struct range r = { .backing = b, .size = PAGE };
	uint64_t i;

	for (i = from; i != to; i++) {
		r.iova = BASE + 2 * i * PAGE;
		r.offset = i % LIVE_PAGES * PAGE;
		must_work(bench.ops->map(side, &r), "map", &r);
		if (i % 65536 == 65535)
			note("%s %" PRIu64 " live mappings", bench.ops->name, i + 1);
	}
}

static void live_key(char *key, size_t size, uint64_t live)
{
	snprintf(key, size, "live/%s/4K/%s", backing_names[SCATTERED], short_name(live, 1000));
}

static void live_unmap_all(const struct side *side, const struct backing *b, uint64_t live)
{
	struct range all = { .backing = b, .size = live * PAGE, .iova = BASE };
	struct samples s;
	char key[64];

	live_key(key, sizeof(key), live);
	if (!wanted(key))
		return;
	progress(key);
	samples_init(&s, MARK_UNMAP);
	sample(&s, side, bench.ops->unmap_all, &all, "unmap-all");
	result(key, "unmap-all", "map", live, &s);
}

static void measure_live(const struct backing *b)
{
	static const uint64_t levels[] = { 1000, 10000, 100000, MAX_LIVE };
	size_t n = bench.quick ? 2 : COUNT(levels), i;
	struct pair pair = plain_pair();
	struct range r = { .backing = b, .size = PAGE };
	struct memory before, after;
	struct side side;
	uint64_t live = 0;
	bool any = false;
	char key[64];

	for (i = 0; i != n && !any; i++) {
		live_key(key, sizeof(key), levels[i]);
		any = wanted(key);
	}
	if (!any)
		return;
	progress("live");
	/* The same places for all sides */
	srandom(1);
	side_open(&side, bench.ops, 1);
	before = memory_now();
	pair.next = live_next;
	for (i = 0; i != n; i++) {
		live_fill(&side, b, live, levels[i]);
		live = levels[i];
		live_key(key, sizeof(key), live);
		after = memory_now();
		memory_values(key, &before, &after, live);
		pair.param = live;
		live_next(&r, live);
		measure_pair(key, &side, r, &pair, 101, "call", 1);
	}
	live_unmap_all(&side, b, live);
	side_close(&side);
}

/* ------------------------------------------------------------------ */
/* Which pages are dirty */

/* @n mappings of @r->size each, @step apart */
static void map_each(const struct side *side, struct range r, unsigned int n, uint64_t step)
{
	unsigned int i;

	for (i = 0; i != n; i++) {
		must_work(bench.ops->map(side, &r), "map", &r);
		r.iova += step;
		r.offset += r.size;
	}
}

/*
 * All bits of @n mappings, and the same with their unmap.  They are counted per page
 * of one mapping, and per mapping of many.
 */
static void measure_dirty(const char *key, const struct range *r, unsigned int n, uint64_t step)
{
	struct range all = { .backing = r->backing, .iova = r->iova, .size = n * step };
	const char *unit = n == 1 ? "page" : "map";
	uint64_t per = n == 1 ? r->size / PAGE : n;
	struct samples get, unmap;
	struct side side;
	int i;

	if (!bench.ops->get_bitmap || !wanted(key))
		return;
	progress(key);
	side_open(&side, bench.ops, 1);
	if (dirty_start(side.fd))
		bail("%s: START", bench.ops->name);
	memset(dirty_bits, 0, sizeof(dirty_bits));
	samples_init(&get, MARK_MAP);
	samples_init(&unmap, MARK_UNMAP);
	for (i = 0; i != 3; i++) {
		map_each(&side, *r, n, step);
		sample(&get, &side, bench.ops->get_bitmap, &all, "get-bitmap");
		sample(&unmap, &side, bench.ops->unmap_bitmap, &all, "unmap-bitmap");
	}
	result(key, "get-bitmap", unit, per, &get);
	result(key, "unmap-bitmap", unit, per, &unmap);
	side_close(&side);
}

/* One mapping; many; and many none of which shares a word of the bitmap with another */
static void measure_dirties(const struct backing *b)
{
	struct range r = { .backing = b, .iova = BASE };
	size_t i;

	for (i = 0; i != COUNT(sizes); i++) {
		r.size = sizes[i].bytes;
		if (reps_of(&sizes[i]))
			measure_dirty(range_key("dirty", b, r.size), &r, 1, r.size);
	}
	r.size = PAGE;
	measure_dirty("dirty/scattered/4K/10k", &r, MANY, PAGE);
	r.iova += PAGE;
	measure_dirty("dirty-far/scattered/4K/2k", &r, 2000, 129 * PAGE);
}

/* ------------------------------------------------------------------ */
/* A guest's page table */

static struct {
	struct guest_mem mem;
	struct pgtable table;
} guest;

/* A guest's pages are scattered, too: where is page @i of @n, a power of two? */
static uint64_t guest_offset(uint64_t i, uint64_t n)
{
	return i * 40503 % n * PAGE;
}

static int bind_guest(const struct side *side, const struct range *r)
{
	(void)r;
	return bind_table(side->fd, 0, guest.table.root, guest.table.width);
}

static int unbind_guest(const struct side *side, const struct range *r)
{
	(void)r;
	return unbind_table(side->fd, 0);
}

static int invalidate_guest(const struct side *side, const struct range *r)
{
	return inv_addr(side->fd, IOMMU_CACHE_INV_TYPE_IOTLB, 0, r->iova, PAGE, r->size / PAGE,
			IOMMU_INV_ADDR_FLAGS_LEAF);
}

/* A VMM that reads the guest's table itself has a mapping for each page. */
static int map_pages(const struct side *side, const struct range *r)
{
	uint64_t n = r->size / PAGE, i;
	int rc = 0;

	for (i = 0; i != n && !rc; i++)
		rc = dma_map(side->fd, r->iova + i * PAGE,
			     r->backing->va + guest_offset(i, n), PAGE);
	return rc;
}

static int unmap_pages(const struct side *side, const struct range *r)
{
	uint64_t n = r->size / PAGE, i;
	int rc = 0;

	for (i = 0; i != n && !rc; i++)
		rc = dma_unmap(side->fd, r->iova + i * PAGE, PAGE, NULL);
	return rc;
}

static void guest_show(const struct range *r, bool present)
{
	uint64_t n = r->size / PAGE, i;

	for (i = 0; i != n; i++)
		pgtable_set(pgtable_walk(&guest.table, r->iova + i * PAGE, 1, true),
			    present ? (GUEST_GPA + guest_offset(i, n)) | PT_ALL : 0);
}

/**
 * struct nesting_way - how what a guest does to its page table comes to the device
 * @bind: it has a table
 * @unbind: it has none any more
 * @appear: entries of the table become present
 * @vanish: the reverse
 */
struct nesting_way {
	op_fn bind;
	op_fn unbind;
	op_fn appear;
	op_fn vanish;
};

static const struct nesting_way by_shadow = {
	bind_guest, unbind_guest, invalidate_guest, invalidate_guest,
};

/* All mappings go by one request. */
static const struct nesting_way by_maps = {
	map_pages, container_unmap, map_pages, unmap_pages,
};

static void measure_table(const char *key, const struct side *side, const struct range *r,
			  const struct nesting_way *way, unsigned int reps)
{
	struct samples on, off;
	unsigned int i;

	guest_show(r, true);
	samples_init(&on, MARK_MAP);
	samples_init(&off, MARK_UNMAP);
	for (i = 0; i != reps; i++) {
		sample(&on, side, way->bind, r, "bind");
		sample(&off, side, way->unbind, r, "unbind");
	}
	result(key, "bind", "page", r->size / PAGE, &on);
	result(key, "unbind", "page", r->size / PAGE, &off);

	must_work(way->bind(side, r), "bind", r);
	samples_init(&on, MARK_MAP);
	samples_init(&off, MARK_UNMAP);
	for (i = 0; i != reps; i++) {
		guest_show(r, false);
		sample(&off, side, way->vanish, r, "vanish");
		guest_show(r, true);
		sample(&on, side, way->appear, r, "appear");
	}
	result(key, "vanish", "page", r->size / PAGE, &off);
	result(key, "appear", "page", r->size / PAGE, &on);
	if (way == &by_shadow) {
		samples_init(&on, MARK_MAP);
		for (i = 0; i != reps; i++)
			sample(&on, side, invalidate_guest, r, "invalidate");
		result(key, "invalidate", "page", r->size / PAGE, &on);
	}
	must_work(way->unbind(side, r), "unbind", r);
}

static void nesting_size(const char *what, const struct backing *b,
			 const struct nesting_way *way, const struct size *size)
{
	struct range r = { .backing = b, .size = size->bytes, .iova = BASE };
	const char *key = range_key(what, b, r.size);
	struct side side;

	if (!wanted(key))
		return;
	progress(key);
	guest.mem.used = 0;
	guest.table = pgtable_new(&guest.mem, 48);
	if (way == &by_shadow) {
		side_open_type(&side, bench.ops, 1, VFIO_TYPE1_NESTING_IOMMU);
		if (dma_map(side.fd, GUEST_GPA, b->va, b->size) ||
		    dma_map(side.fd, TABLES_GPA, guest.mem.va, guest.mem.size))
			bail("map a guest");
	} else {
		side_open(&side, bench.ops, 1);
	}
	/* The largest is a quarter of a million requests, if it is by mappings. */
	measure_table(key, &side, &r, way, r.size == GIB ? 1 : reps_of(size));
	side_close(&side);
}

/*
 * What a guest's table costs, by a shadow and by a mapping for each page.  The latter is
 * all that there is with type1.
 */
static void measure_nesting(const struct backing *b)
{
	size_t i;

	if (bench.ops == &all_sides[NATIVE] || !wanted_part("nest"))
		return;
	guest.mem = (struct guest_mem){
		.va = alloc_pages(TABLES_SIZE), .gpa = TABLES_GPA, .size = TABLES_SIZE,
	};
	iommufd_param("nesting", true);
	for (i = 0; i != COUNT(sizes); i++) {
		if (!reps_of(&sizes[i]) || sizes[i].bytes == 64 * MIB)
			continue;
		if (bench.ops == &all_sides[CONTAINER]) {
			nesting_size("nesting", b, &by_shadow, &sizes[i]);
			nesting_size("nested-maps", b, &by_maps, &sizes[i]);
		} else {
			nesting_size("nesting", b, &by_maps, &sizes[i]);
		}
	}
	iommufd_param("nesting", false);
	munmap(guest.mem.va, TABLES_SIZE);
}

/* ------------------------------------------------------------------ */

static void measure_side(const struct backing *b)
{
	struct pair pair = plain_pair();
	struct side side;

	if (b->kind == MEMFD_FILE && bench.ops != &all_sides[NATIVE])
		return;
	side_open(&side, bench.ops, 1);
	if (b->kind == SCATTERED)
		measure_nothing(&side);
	measure_sizes("range", &side, b, &pair, PAGE, b->size);
	measure_pinned(&side, b);
	if (b->kind == SCATTERED || b->kind == THP)
		measure_copy(&side, b);
	if (b->kind == SCATTERED) {
		measure_many(&side, b, bench.ops->unmap, "unmap");
		measure_many(&side, b, bench.ops->unmap_all, "unmap-all");
	}
	side_close(&side);
	if (b->kind == SCATTERED || b->kind == THP)
		measure_groups(b);
	if (b->kind == SCATTERED) {
		measure_dirties(b);
		measure_nesting(b);
		measure_live(b);
	}
}

static void measure_backing(enum backing_kind kind)
{
	struct backing b;
	char key[64];
	int i;

	snprintf(key, sizeof(key), "/%s/", backing_names[kind]);
	if (!wanted_part(key))
		return;
	note("getting %s of %s memory", short_name(largest(), 1024), backing_names[kind]);
	backing_make(&b, kind, largest());
	printf("P\t%s\t%.2f\n", backing_names[kind],
	       (double)b.size / PAGE / backing_runs(&b, b.size));
	for (i = 0; i != SIDE_KINDS; i++) {
		bench.ops = &all_sides[i];
		if (bench.sides[i])
			measure_side(&b);
	}
	backing_free(&b);
}

static void add_side(const char *name)
{
	int i;

	for (i = 0; i != SIDE_KINDS; i++)
		if (!strcmp(name, all_sides[i].name))
			break;
	errno = 0;
	if (i == SIDE_KINDS)
		bail("no side '%s'", name);
	bench.sides[i] = true;
}

static void parse_args(int argc, char **argv)
{
	bool all = true;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--side") && i + 1 < argc) {
			add_side(argv[++i]);
			all = false;
		} else if (!strcmp(argv[i], "--only") && i + 1 < argc) {
			bench.only = argv[++i];
		} else if (!strcmp(argv[i], "--quick")) {
			bench.quick = true;
		} else {
			bail("unknown option %s", argv[i]);
		}
	}
	for (i = 0; all && i != SIDE_KINDS; i++)
		bench.sides[i] = true;
}

int main(int argc, char **argv)
{
	int i;

	parse_args(argc, argv);
	/* What the kernel still does after the boot is not to be counted. */
	sleep_ms(10000);
	check_instructions();
	stock_node_make();
	check_sides();
	/* Type1's default is 65,535. */
	limit_set(STOCK_LIMIT, MAX_LIVE + 1);
	limit_set(OUR_LIMIT, MAX_LIVE + 1);
	srandom(1);
	for (i = 0; i != BACKING_KINDS; i++)
		if (!bench.quick || i < MEMFD)
			measure_backing(i);
	unlink(STOCK_NODE);
	return tap_failed;
}
