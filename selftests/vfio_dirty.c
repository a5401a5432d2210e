// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_IOMMU_DIRTY_PAGES of a container with an IOMMU, and UNMAP_DMA with a bitmap,
 * on stock type1 and here: each check wants the same of both.  Devices do not tell
 * what they write to, so all that is mapped is dirty, always, also what an edu has
 * written to.  Setup: symlink, with
 * vfio_iommu_type1 loaded; with --here, without.
 */
#include "diff_sides.h"

/* Neither on a word's nor on a chunk's boundary of the bitmap of all */
#define BASE (4 * GIB)
#define FIRST (BASE + 13 * PAGE)
#define FIRST_SIZE (300 * MIB)
#define SECOND (FIRST + FIRST_SIZE)
#define SECOND_SIZE (5 * PAGE)
#define THIRD (SECOND + SECOND_SIZE + 1000 * PAGE)
#define THIRD_SIZE (64 * PAGE)
#define ALL_SIZE (FIRST_SIZE + 2048 * PAGE)
#define ALL_PAGES (ALL_SIZE / PAGE)
#define BITMAP_SIZE (ALL_PAGES / 64 * 8 + 8)

static const struct {
	const char *name, *node;
} kinds[] = { { "stock", STOCK_NODE }, { "here", VFIO_NODE } };

struct side {
	const char *name;
	const char *node;
	int container, group;
};

static struct vfio_pci_addr addr;
static uint8_t *mem;
static uint64_t *bitmap;

static void begin(struct side *s, unsigned int kind, unsigned long type)
{
	s->name = kinds[kind].name;
	s->node = kinds[kind].node;
	s->container = open(s->node, O_RDWR | O_CLOEXEC);
	if (s->container < 0)
		bail("open %s", s->node);
	s->group = group_open(addr.group);
	if (set_container(s->group, s->container) || set_iommu(s->container, type))
		bail("%s: SET_CONTAINER, SET_IOMMU", s->name);
}

static void end(struct side *s)
{
	close(s->group);
	close(s->container);
}

static int get_all(const struct side *s)
{
	return dirty_get(s->container, BASE, ALL_SIZE, BITMAP_SIZE, bitmap);
}

static void map_all(const struct side *s)
{
	if (dma_map(s->container, FIRST, mem, FIRST_SIZE) ||
	    dma_map(s->container, SECOND, mem, SECOND_SIZE) ||
	    dma_map(s->container, THIRD, mem, THIRD_SIZE))
		bail("%s: MAP", s->name);
}

static bool in(uint64_t iova, uint64_t first, uint64_t size)
{
	return iova >= first && iova - first < size;
}

/*
 * Bits that are not what they should be, if just the mappings are dirty.  Stock
 * also sets some behind them: difference dirty-behind.
 */
static uint64_t wrong_bits(const struct side *s)
{
	bool stock = !strcmp(s->node, STOCK_NODE);
	uint64_t page, iova, wrong = 0;
	bool set, want;

	for (page = 0; page < BITMAP_SIZE * 8; page++) {
		iova = BASE + page * PAGE;
		set = bitmap[page / 64] >> page % 64 & 1;
		want = in(iova, FIRST, FIRST_SIZE) || in(iova, SECOND, SECOND_SIZE) ||
		       in(iova, THIRD, THIRD_SIZE);
		wrong += set != want && !(stock && set);
	}
	return wrong;
}

static void test_get(struct side *s)
{
	map_all(s);
	fails(get_all(s), EINVAL, "%s: before START", s->name);
	ok(!dirty_start(s->container), "%s: START", s->name);
	for (int i = 0; i < 2; i++) {
		memset(bitmap, 0, BITMAP_SIZE);
		ok(!get_all(s) && !wrong_bits(s), "%s: all that is mapped is dirty", s->name);
	}
	ok(!dirty_start(s->container), "%s: START again", s->name);
	fails(dirty_get(s->container, FIRST + PAGE, FIRST_SIZE, BITMAP_SIZE, bitmap), EINVAL,
	      "%s: from inside a mapping", s->name);
	fails(dirty_get(s->container, FIRST, FIRST_SIZE - PAGE, BITMAP_SIZE, bitmap), EINVAL,
	      "%s: to inside a mapping", s->name);
	fails(dirty_get(s->container, BASE, ALL_SIZE, ALL_PAGES / 8 - 8, bitmap), EINVAL,
	      "%s: a bitmap that is too short", s->name);
	fails(dirty_get(s->container, BASE, ALL_SIZE, 256 * MIB + 8, bitmap), EINVAL,
	      "%s: one that is longer than MIGRATION says", s->name);
	fails(dirty_get(s->container, BASE, ALL_SIZE, BITMAP_SIZE, (void *)-8192L), EINVAL,
	      "%s: one in the kernel's memory", s->name);
	fails(dirty_get(s->container, BASE, ALL_SIZE, BITMAP_SIZE, NULL), EFAULT,
	      "%s: none", s->name);
	ok(!dirty_stop(s->container), "%s: STOP", s->name);
	fails(get_all(s), EINVAL, "%s: after STOP", s->name);
}

static void test_new(struct side *s)
{
	ok(!dirty_start(s->container), "%s: START with nothing mapped", s->name);
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!get_all(s) && !bitmap[0], "%s: nothing is dirty", s->name);
	map_all(s);
	ok(!get_all(s) && !wrong_bits(s), "%s: then all that is new", s->name);
}

static void test_unmap(struct side *s)
{
	uint64_t done;

	map_all(s);
	fails(dma_unmap_bitmap(s->container, BASE, ALL_SIZE, BITMAP_SIZE, bitmap, &done), EINVAL,
	      "%s: with a bitmap before START", s->name);
	ok(!dirty_start(s->container), "%s: START", s->name);
	fails(dma_unmap_bitmap(s->container, FIRST, FIRST_SIZE, BITMAP_SIZE, NULL, &done), EFAULT,
	      "%s: without one", s->name);
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!get_all(s) && !wrong_bits(s), "%s: that unmapped nothing", s->name);
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!dma_unmap_bitmap(s->container, BASE, ALL_SIZE, BITMAP_SIZE, bitmap, &done) &&
	   done == FIRST_SIZE + SECOND_SIZE + THIRD_SIZE && !wrong_bits(s),
	   "%s: UNMAP says what was dirty", s->name);
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!dma_unmap_bitmap(s->container, BASE, ALL_SIZE, BITMAP_SIZE, bitmap, &done) &&
	   !done && !bitmap[0], "%s: nothing is left", s->name);
}

/*
 * Many mappings, with and without holes between them: the bitmap as @expected, which
 * begins with what stands in it before.  A mapping's words are written as a whole; what
 * was in the first one stays if the mapping begins inside it.
 */
static uint64_t map_many(const struct side *s, uint64_t *expected)
{
	uint64_t page = 0, total = 0, n, at;

	for (int i = 0; i < 600; i++) {
		page += random() % 2 ? random() % 140 : 0;
		n = 1 + random() % (i % 4 ? 3 : 100);
		if (i == 300)
			n = 140 * MIB / PAGE;
		if (dma_map(s->container, BASE + page * PAGE, mem, n * PAGE))
			bail("%s: MAP", s->name);
		for (at = (page + 64) & -64ULL; at < page + n; at += 64)
			expected[at / 64] = 0;
		if (page % 64 == 0)
			expected[page / 64] = 0;
		for (at = page; at < page + n; at++)
			expected[at / 64] |= 1ULL << at % 64;
		page += n;
		total += n * PAGE;
	}
	errno = 0;
	if (page > ALL_PAGES)
		bail("too many");
	return total;
}

static void test_many(struct side *s)
{
	uint64_t *before = malloc(BITMAP_SIZE), *expected = malloc(BITMAP_SIZE), done, total;

	if (!before || !expected)
		bail("malloc");
	srandom(1);
	for (unsigned int i = 0; i < BITMAP_SIZE / 8; i++)
		before[i] = (uint64_t)random() << 33 ^ random();
	memcpy(expected, before, BITMAP_SIZE);
	memcpy(bitmap, before, BITMAP_SIZE);
	total = map_many(s, expected);
	ok(!dirty_start(s->container) && !get_all(s) && !memcmp(bitmap, expected, BITMAP_SIZE),
	   "%s: the bitmap of many mappings", s->name);
	/* Stock has shifted its bits: begin anew. */
	memcpy(bitmap, before, BITMAP_SIZE);
	ok(!dirty_stop(s->container) && !dirty_start(s->container) &&
	   !dma_unmap_bitmap(s->container, BASE, ALL_SIZE, BITMAP_SIZE, bitmap, &done) &&
	   done == total && !memcmp(bitmap, expected, BITMAP_SIZE),
	   "%s: the same by UNMAP", s->name);
	free(before);
	free(expected);
}

/*
 * What a device writes to is dirty: before it writes, after it, and in the bitmap of
 * the UNMAP that ends it.
 */
static void test_dma(struct side *s)
{
	const uint64_t size = 128 * PAGE, from = BASE, to = BASE + 70 * PAGE;
	int device = device_fd(s->group, addr.bdf);
	struct edu edu;

	if (device < 0 || edu_init(&edu, device))
		bail("%s: edu", s->name);
	memset(mem, 0, size);
	fill_pattern(mem, PAGE, 1);
	ok(!dma_map(s->container, BASE, mem, size) && !dirty_start(s->container),
	   "%s: MAP, START", s->name);
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!dirty_get(s->container, BASE, size, BITMAP_SIZE, bitmap) &&
	   bitmap[1] >> 6 & 1, "%s: a page that a device can write to is dirty", s->name);
	edu_copy(&edu, from, to, PAGE);
	memset(bitmap, 0, BITMAP_SIZE);
	ok(check_pattern(mem + (to - BASE), PAGE, 1) < 0 &&
	   !dirty_get(s->container, BASE, size, BITMAP_SIZE, bitmap) && bitmap[1] >> 6 & 1,
	   "%s: one that it has written to is", s->name);
	edu_copy(&edu, from, to + PAGE, PAGE);
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!dma_unmap_bitmap(s->container, BASE, size, BITMAP_SIZE, bitmap, NULL) &&
	   check_pattern(mem + (to - BASE) + PAGE, PAGE, 1) < 0 && bitmap[0] == -1ULL &&
	   bitmap[1] == -1ULL && !bitmap[2], "%s: UNMAP tells of the next one", s->name);
	edu_unmap_bar(&edu);
	close(device);
}

static void test_v1(struct side *s)
{
	uint64_t done;

	map_all(s);
	fails(dirty_start(s->container), EACCES, "%s: START", s->name);
	fails(get_all(s), EACCES, "%s: GET_BITMAP", s->name);
	fails(dma_unmap_bitmap(s->container, BASE, ALL_SIZE, BITMAP_SIZE, bitmap, &done), EINVAL,
	      "%s: UNMAP with a bitmap", s->name);
}

/* Tracking ends with the last group. */
static void test_leave(struct side *s)
{
	ok(!dirty_start(s->container), "%s: START", s->name);
	close(s->group);
	fails(get_all(s), EINVAL, "%s: the group has left", s->name);
	s->group = group_open(addr.group);
	if (set_container(s->group, s->container) ||
	    set_iommu(s->container, VFIO_TYPE1v2_IOMMU))
		bail("%s: again", s->name);
	map_all(s);
	fails(get_all(s), EINVAL, "%s: and is back", s->name);
}

static const struct {
	unsigned long type;
	void (*fn)(struct side *s);
} tests[] = {
	{ VFIO_TYPE1v2_IOMMU, test_get },
	{ VFIO_TYPE1v2_IOMMU, test_new },
	{ VFIO_TYPE1v2_IOMMU, test_unmap },
	{ VFIO_TYPE1v2_IOMMU, test_many },
	{ VFIO_TYPE1v2_IOMMU, test_dma },
	{ VFIO_TYPE1_IOMMU, test_v1 },
	{ VFIO_TYPE1v2_IOMMU, test_leave },
};

int main(int argc, char **argv)
{
	bool here_only = argc > 1 && !strcmp(argv[1], "--here");
	struct side s;

	addr = edu_first();
	if (!here_only) {
		stock_node_make();
		check_sides();
	}
	mem = mmap(NULL, FIRST_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bitmap = malloc(BITMAP_SIZE);
	if (mem == MAP_FAILED || !bitmap)
		bail("memory");
	madvise(mem, FIRST_SIZE, MADV_HUGEPAGE);
	for (size_t t = 0; t < sizeof(tests) / sizeof(tests[0]); t++) {
		for (unsigned int kind = here_only; kind < 2; kind++) {
			begin(&s, kind, tests[t].type);
			tests[t].fn(&s);
			end(&s);
		}
	}
	if (!here_only)
		unlink(STOCK_NODE);
	return tap_done();
}
