// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests' page tables that are no page tables: tables that lead to themselves, that are
 * nowhere, with bits that may not be set, at random, and that change while they are
 * read.  Where DMA goes then is what a walk of this program's own says, and never
 * memory that stage 2 does not have.
 *
 * usage: nesting_hostile [--seeds N] [--seconds N] [--seed N]
 */
#include <time.h>

#include "shadow_util.h"

#define LIMIT 2000	/* behind virtio-iommu each takes ms */

static struct guest g;
static int box;			/* its container */
static uint64_t rng = 1;

static uint64_t gpa_at(uint64_t at)
{
	return GUEST_GPA + at;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t below(uint64_t n)
{
	return next_random(&rng) % n;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ------------------------------------------------------------------ */
/* What the tables say */

/*
 * Where a table, as it is now, leads @iova; 0: nowhere.  Only for IOVAs that every
 * IOMMU has.
 */
static uint64_t walk(const struct pgtable *pt, uint64_t iova, bool *writable)
{
	unsigned int level = pgtable_levels(pt);
	uint64_t table = pt->root, entry, span;

	for (*writable = true;; level--) {
		span = pgtable_span(level);
		if (!(stage2_flags(table) & VFIO_DMA_MAP_FLAG_READ))
			return 0;
		entry = ((uint64_t *)guest_va(&g.mem, table))[iova / span % 512];
		if (!(entry & PT_P) || !(entry & PT_U))
			return 0;
		*writable &= !!(entry & PT_W);
		if (level == 1 || (entry & PT_PS))
			break;
		table = entry & PT_ADDR;
	}
	entry &= PT_ADDR;
	if (level != 1)
		entry &= ~(1ULL << 12);	/* memory type */
	if (level > 3 || entry % span)
		return 0;
	entry += iova % span;
	if (!stage2_flags(entry))
		return 0;
	*writable &= !!(stage2_flags(entry) & VFIO_DMA_MAP_FLAG_WRITE);
	return entry;
}

/* Does DMA to @iova, which is a multiple of LEN, do what the table says? */
static bool as_walked(const struct pgtable *pt, uint64_t iova)
{
	bool writable, good;
	uint64_t gpa = walk(pt, iova, &writable);

	good = gpa && writable ? lands(&g, iova, gpa) : write_blocked(&g, iova);
	if (!good)
		note("IOVA %lx, GPA %lx%s: wrong", iova, gpa,
		     writable ? "" : ", read only");
	return good;
}

/* A pattern for the device's buffer; nothing is bound. */
static void new_pattern(void)
{
	load(&g, gpa_at(AT_HUGE), gpa_at(AT_HUGE));
}

static bool stage2_works(void)
{
	return copies(&g, gpa_at(AT_HUGE), gpa_at(AT_HUGE), gpa_at(AT_PIECES),
		      gpa_at(AT_PIECES));
}

/* BIND: done, or refused with @want; true if it was quick, too */
static bool bind_quick(uint64_t root, unsigned int width, int want)
{
	double start = now();
	int rc = bind_table(box, 0, root, width);
	bool good = want ? rc == -1 && errno == want : !rc;

	if (!good)
		note("BIND: %d, errno %d", rc, errno);
	if (now() - start > 10.0 * slowness()) {
		note("BIND took %.1f s", now() - start);
		good = false;
	}
	return good;
}

/* ------------------------------------------------------------------ */
/* Tables that lead to themselves */

static void test_self(unsigned int width)
{
	uint64_t *root, a, last;
	struct pgtable pt;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, width);
	a = guest_page(&g);
	root = guest_va(&g.mem, pt.root);
	new_pattern();

	root[0] = pt.root | PT_ALL;
	ok(bind_quick(pt.root, width, 0) &&
	   iommufd_stat("shadow_entries") == 1,
	   "%u bits: a root that is a table of each level: one page", width);
	ok(as_walked(&pt, 0) && as_walked(&pt, PAGE), "which is the root");
	/* The device writes over it; nothing follows before an invalidation. */
	root[1] = a | PT_ALL;
	ok(!inv_all(&g) && as_walked(&pt, 0) && as_walked(&pt, PAGE),
	   "a second entry, which is data above all");
	ok(!unbind_table(box, 0), "UNBIND");

	for (unsigned int i = 0; i != 512; i++)
		root[i] = pt.root | PT_ALL;
	ok(bind_quick(pt.root, width, ENOSPC) && stage2_works() &&
	   iommufd_stat("shadow_entries") == 0,
	   "512 entries that lead to the root: too many");
	for (unsigned int i = 0; i != 512; i++)
		root[i] = pt.root | (PT_ALL & ~PT_U);
	ok(bind_quick(pt.root, width, 0) && !iommufd_stat("shadow_entries"),
	   "the same, not a user's: nothing");
	/* They come while it is bound. */
	for (unsigned int i = 0; i != 512; i++)
		root[i] = pt.root | PT_ALL;
	last = shadow_event("shadow_absent");
	ok(!inv_all(&g) && shadow_event("shadow_absent") > last &&
	   iommufd_stat("shadow_entries") <= LIMIT,
	   "an invalidation: too many, %lu are there",
	   iommufd_stat("shadow_entries"));
	ok(write_blocked(&g, HIGH), "a later one is absent");
	memset(root, 0, PAGE);
	ok(!inv_all(&g) && !iommufd_stat("shadow_entries"), "none is there");
	ok(!unbind_table(box, 0), "UNBIND");
}

/* From each level back to each level above */
static void test_cycles(void)
{
	unsigned int bad = 0, n = 0;
	struct pgtable pt;

	for (unsigned int from = 1; from <= 4; from++) {
		for (unsigned int to = from; to <= 4; to++, n++) {
			uint64_t table;

			guest_one_page(&g, &pt, 48);
			new_pattern();
			/* The table of level @to that HIGH is in */
			table = to == 4 ? pt.root :
				*pgtable_entry(&pt, HIGH, to + 1) & PT_ADDR;
			*pgtable_entry(&pt, HIGH, from) = table | PT_ALL;
			bad += !bind_quick(pt.root, 48, 0) ||
			       !as_walked(&pt, HIGH) || unbind_table(box, 0);
		}
	}
	ok(!bad, "%u cycles (%u were wrong)", n, bad);
}

/* ------------------------------------------------------------------ */
/* Tables that are not there */

static void test_nowhere(void)
{
	static const uint64_t roots[] = {
		GUEST_GPA + AT_OUTSIDE,		/* in no mapping */
		GUEST_GPA + AT_PIECES + 64 * KIB,
		0, GUEST_GPA - PAGE, 1ULL << 32, 0xfee00000, 1ULL << 40,
		(1ULL << 48) - PAGE,
	};
	struct piece outside = { AT_OUTSIDE, 2 * MIB, MAP_RW };
	uint64_t *table = guest_va(&g.mem, gpa_at(AT_OUTSIDE));
	unsigned int bad = 0;
	struct pgtable pt;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	new_pattern();
	for (unsigned int i = 0; i != 512; i++)
		table[i] = gpa_at(AT_OUTSIDE) | PT_ALL;
	for (unsigned int i = 0; i != sizeof(roots) / sizeof(*roots); i++)
		bad += !bind_quick(roots[i], 48, 0) ||
		       iommufd_stat("shadow_entries") ||
		       !write_blocked(&g, 0) || unbind_table(box, 0);
	ok(!bad, "roots that are not in stage 2 (%u were wrong)", bad);
	fails(bind_table(box, 0, 1ULL << 48, 48), EINVAL,
	      "one that is beyond all tables");

	/* It says: a page of data at 0, and comes to be. */
	memset(table, 0, 4 * PAGE);
	for (unsigned int i = 0; i != 3; i++)
		table[512 * i] = (gpa_at(AT_OUTSIDE) + (i + 1) * PAGE) | PT_ALL;
	table[512 * 3] = gpa_at(AT_HUGE) | PT_ALL;
	pt.root = gpa_at(AT_OUTSIDE);
	ok(!bind_table(box, 0, pt.root, 48) && write_blocked(&g, 0) &&
	   !stage2_map(&g, &outside) && write_blocked(&g, 0),
	   "a root that comes into stage 2");
	ok(!inv_all(&g) && lands(&g, 0, gpa_at(AT_HUGE)), "invalidate: it works");
	ok(!stage2_unmap(&g, &outside) && write_blocked(&g, 0) &&
	   !inv_all(&g) && write_blocked(&g, 0), "it goes: nothing does");
	ok(!unbind_table(box, 0), "UNBIND");
	memset(table, 0x5a, 4 * PAGE);
}

/* In a mapping that is read only it is a table as any other. */
static void test_read_only(void)
{
	uint64_t at = AT_PIECES + 128 * KIB, last;
	struct pgtable pt;
	uint64_t *root;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	new_pattern();
	pgtable_map(&pt, HIGH, gpa_at(AT_HUGE), PAGE, PT_ALL);
	root = guest_va(&g.mem, gpa_at(at));
	memcpy(root, guest_va(&g.mem, pt.root), PAGE);
	pt.root = gpa_at(at);
	ok(!bind_table(box, 0, pt.root, 48) && as_walked(&pt, HIGH),
	   "a root that is read only in stage 2");
	/* The last entry for a root that its mapping ends with */
	last = *pgtable_entry(&pt, HIGH, 4);
	memset(root, 0, PAGE);
	ok(!inv_page(&g, HIGH) && write_blocked(&g, HIGH), "it is empty");
	root[0] = last;
	ok(!inv_page(&g, HIGH) && lands(&g, HIGH, gpa_at(AT_HUGE)) &&
	   !unbind_table(box, 0), "and is not");
	memset(root, 0x5a, PAGE);
}

/* ------------------------------------------------------------------ */
/* Bits of entries */

struct bits {
	const char *what;
	unsigned int level;
	uint64_t set;
	bool present;
};

static const struct bits bits[] = {
	{ "bits for software", 1, 7ULL << 9 | 0x7ffULL << 52, true },
	{ "bits for software", 3, 7ULL << 9 | 0x7ffULL << 52, true },
	{ "accessed, dirty, memory type, global", 1, 0x1f8, true },
	{ "not to be executed", 1, PT_XD, true },
	{ "not to be executed", 4, PT_XD, true },
	{ "bit 51 of an address", 1, 1ULL << 51, false },
	{ "bit 46 of an address", 1, 1ULL << 46, false },
	{ "bit 51 of a table's address", 2, 1ULL << 51, false },
	{ "bit 51 of a table's address", 4, 1ULL << 51, false },
	{ "a leaf of 512 GiB", 4, PT_PS, false },
	{ "a leaf of 256 TiB", 5, PT_PS, false },
	{ "a leaf of 2 MiB at 4 KiB", 2, PT_PS | 2 * PAGE, false },
	{ "a leaf of 1 GiB at 2 MiB", 3, PT_PS | 2 * MIB, false },
};

static void test_bits(void)
{
	unsigned int bad;

	for (unsigned int i = 0; i != sizeof(bits) / sizeof(*bits); i++) {
		struct pgtable pt;
		uint64_t a;

		a = guest_one_page(&g, &pt, bits[i].level == 5 ? 57 : 48);
		new_pattern();
		*pgtable_entry(&pt, HIGH, bits[i].level) |= bits[i].set;
		bad = !bind_quick(pt.root, pt.width, 0);
		bad += bits[i].present ? !lands(&g, HIGH, a) :
					 !write_blocked(&g, HIGH);
		bad += !as_walked(&pt, HIGH) || unbind_table(box, 0);
		ok(!bad, "%s, level %u: %s", bits[i].what, bits[i].level,
		   bits[i].present ? "present" : "absent");
	}
}

static void test_ones(void)
{
	unsigned int bad = 0;

	for (unsigned int level = 5; level; level--) {
		struct pgtable pt;

		guest_one_page(&g, &pt, 57);
		new_pattern();
		/* The table of that level */
		memset(level == 5 ? guest_va(&g.mem, pt.root) :
		       guest_va(&g.mem, *pgtable_entry(&pt, HIGH, level + 1) &
				PT_ADDR), 0xff, PAGE);
		bad += !bind_quick(pt.root, 57, 0) || !write_blocked(&g, HIGH) ||
		       !write_blocked(&g, 0) || unbind_table(box, 0);
	}
	ok(!bad, "a table of all ones, at each level: nothing");
}

/* ------------------------------------------------------------------ */
/* Tables at random */

#define TABLES 24
#define SLOTS 6

static uint16_t slots[SLOTS];	/* which entries any table has */
static bool large;		/* with large leaves */

static uint64_t random_table(void)
{
	return gpa_at(AT_SMALL) + below(TABLES) * PAGE;
}

static uint64_t random_entry(void)
{
	uint64_t flags = PT_ALL, gpa = random_table();

	switch (below(16)) {
	case 0:
		flags &= ~PT_W;
		break;
	case 1:
		flags &= ~PT_U;
		break;
	case 2:
		return 0;
	case 3:
	case 4:
		gpa = gpa_at(below(GUEST_SIZE) & ~(PAGE - 1));
		break;
	case 5:
		if (large)
			return gpa_at(below(4) * 2 * MIB) | flags | PT_PS;
		break;
	case 6:
		if (large)
			return below(2) * GIB | flags | PT_PS;
		break;
	case 7:
		return next_random(&rng);
	case 8:
		return next_random(&rng) | flags;
	}
	return gpa | flags;
}

static uint64_t random_iova(void)
{
	uint64_t iova = 0;

	/* 39 bits, which is what any IOMMU has */
	for (unsigned int level = 3; level; level--)
		iova = iova << 9 | slots[below(SLOTS)];
	return iova << 12 | (below(PAGE / LEN) * LEN);
}

static void set_random(unsigned int table, unsigned int slot)
{
	uint64_t *at = guest_va(&g.mem, gpa_at(AT_SMALL) + table * PAGE);

	pgtable_set(&at[slots[slot]], random_entry());
}

/* Slot 0 leads on, so that some of the tables are reached. */
static void random_tables(void)
{
	guest_forget(&g);
	guest_alloc(&g.mem, TABLES * PAGE);
	slots[0] = 0;
	/* Where a leaf of 1 GiB leads to memory */
	slots[1] = GUEST_GPA / PT_2M + below(4);
	/* Not 503, in which is the MSI window */
	for (unsigned int i = 2; i != SLOTS; i++)
		slots[i] = below(500);
	for (unsigned int i = 0; i != TABLES; i++) {
		for (unsigned int slot = 0; slot != SLOTS; slot++)
			set_random(i, slot);
		*(uint64_t *)guest_va(&g.mem, gpa_at(AT_SMALL) + i * PAGE) =
			random_table() | PT_ALL;
	}
}

static bool probe(const struct pgtable *pt, unsigned int n, unsigned int *hits)
{
	bool good = true, writable;

	for (unsigned int i = 0; i != n; i++) {
		uint64_t iova = random_iova();

		/* Most of the IOVAs lead nowhere: look for better ones. */
		for (unsigned int tries = 0; tries != 8; tries++) {
			if (walk(pt, iova, &writable) && writable)
				break;
			iova = random_iova();
		}
		*hits += walk(pt, iova, &writable) && writable;
		good &= as_walked(pt, iova);
	}
	return good;
}

static void test_random(uint64_t seed)
{
	struct pgtable pt = { &g.mem, seed % 2 ? 57 : 48, gpa_at(AT_SMALL) };
	unsigned int bad = 0, hits = 0;

	rng = seed | 1ULL << 40;
	for (unsigned int i = 0; i != 8; i++)
		next_random(&rng);
	large = strcmp(name_of("IOMMU"), "virtio");
	random_tables();
	new_pattern();
	bad += bind_table(box, 0, pt.root, pt.width) != 0;
	bad += !probe(&pt, 4, &hits);
	/* Some entries change, and then all are read again, by one way or the other. */
	for (unsigned int round = 0; round != 2; round++) {
		for (unsigned int i = 0; i != 30; i++)
			set_random(below(TABLES), 1 + below(SLOTS - 1));
		bad += round ? inv_all(&g) :
			       inv_addr(box, IOTLB, 0, 0, PT_1G, 1 << 17, 0);
		bad += !probe(&pt, 3, &hits);
	}
	note("%u of 10 hits, %lu entries", hits, iommufd_stat("shadow_entries"));
	bad += unbind_table(box, 0) != 0;
	ok(!bad && !iommufd_stat("shadow_entries"), "random tables, seed %lu",
	   seed);
}

/* ------------------------------------------------------------------ */
/* Tables that change while they are read */

static volatile bool stop;

static void *flip_thread(void *arg)
{
	unsigned long *flips = arg;
	uint64_t random = 99, *table, entry, page[512];

	while (!stop) {
		uint64_t r = next_random(&random);

		table = guest_va(&g.mem, gpa_at(AT_SMALL) + r % TABLES * PAGE);
		if (r >> 60) {
			/* An entry, there and back */
			table += slots[(r >> 16) % SLOTS];
			entry = *table;
			*(volatile uint64_t *)table = entry ^ (1ULL << (r >> 32) % 64);
			*(volatile uint64_t *)table =
				(gpa_at(0) + (r >> 40) % 2048 * PAGE) | PT_ALL;
			*(volatile uint64_t *)table = entry;
		} else {
			/* A whole table */
			memcpy(page, table, PAGE);
			memset(table, r & 1 ? 0xff : 0, PAGE);
			memcpy(table, page, PAGE);
		}
		++*flips;
	}
	return NULL;
}

/* Another device, which writes wherever that may lead */
static void *storm_thread(void *arg)
{
	const struct edu *edu = arg;
	uint64_t random = 7;

	while (!stop) {
		uint64_t r = next_random(&random);
		uint64_t iova = 0;

		for (unsigned int level = 3; level; level--, r >>= 8)
			iova = iova << 9 | slots[r % SLOTS];
		edu_idle(edu);
		edu_start(edu, EDU_BUF, iova << 12, EDU_CHUNK, EDU_CMD_TO_RAM);
	}
	edu_idle(edu);
	return NULL;
}

/* What stage 2 does not have, or not for writing, is what it was. */
static bool outside_intact(void)
{
	for (uint64_t at = 0; at < GUEST_SIZE; at += PAGE)
		if (!(stage2_flags(gpa_at(at)) & VFIO_DMA_MAP_FLAG_WRITE) &&
		    memcmp(g.was + at, g.mem.va + at, PAGE)) {
			note("memory at %lx has changed", at);
			return false;
		}
	return true;
}

static void test_flips(unsigned int seconds)
{
	struct pgtable pt = { &g.mem, 48, gpa_at(AT_SMALL) };
	uint8_t *data = guest_va(&g.mem, gpa_at(AT_HUGE));
	unsigned long flips = 0, rounds = 0, most = 0;
	struct vfio_pci_addr addr = shadow_device(1);
	unsigned int bad = 0, hits = 0;
	struct edu_session other;
	pthread_t threads[2];
	double end, start;

	rng = 12345;
	large = false;
	random_tables();
	new_pattern();
	edu_session_join(&other, &addr, box);
	fill_pattern(data, EDU_CHUNK, ++g.seed);
	edu_fetch(&other.edu, gpa_at(AT_HUGE), EDU_CHUNK);
	memset(data, 0x5a, EDU_CHUNK);
	new_pattern();
	guest_note(&g);
	bad += bind_table(box, 0, pt.root, 48) != 0;
	stop = false;
	if (pthread_create(&threads[0], NULL, flip_thread, &flips) ||
	    pthread_create(&threads[1], NULL, storm_thread, &other.edu))
		bail("pthread_create");
	for (end = now() + seconds; now() < end; rounds++) {
		start = now();
		bad += rounds % 3 ? inv_all(&g) :
		       inv_addr(box, IOTLB, 0, 0, PT_2M, 1 << (rounds % 18), 0);
		if (now() - start > 20.0 * slowness()) {
			note("an invalidation took %.1f s", now() - start);
			bad++;
		}
		if (iommufd_stat("shadow_entries") > most)
			most = iommufd_stat("shadow_entries");
	}
	stop = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	note("%lu flips, %lu invalidations, at most %lu entries", flips, rounds,
	     most);
	ok(!bad && flips && rounds, "tables change while they are read");
	ok(most && most <= LIMIT, "never more entries than the limit");
	ok(outside_intact(), "memory outside of stage 2 is what it was");
	/* Wherever the device wrote, tables may be no tables any more. */
	random_tables();
	ok(!inv_all(&g) && probe(&pt, 6, &hits), "and then what they say holds");
	ok(!unbind_table(box, 0) && !iommufd_stat("shadow_entries"), "UNBIND");
	edu_session_leave(&other);
}

int main(int argc, char **argv)
{
	unsigned int seeds = 8, seconds = 5, was;
	uint64_t first = 1;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seeds"))
			seeds = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--seconds"))
			seconds = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--seed"))
			first = strtoull(argv[i + 1], NULL, 0);
		else
			bail("usage: nesting_hostile [--seeds N] [--seconds N] [--seed N]");
	}
	nesting_allow(true);
	was = shadow_limit(LIMIT);
	guest_memory(&g, MAP_PRIVATE);
	guest_open(&g);
	box = g.dev.container;
	test_self(48);
	test_self(57);
	test_cycles();
	test_nowhere();
	test_read_only();
	test_bits();
	test_ones();
	shadow_limit(400000);
	for (uint64_t seed = first; seed != first + seeds; seed++)
		test_random(seed);
	shadow_limit(LIMIT);
	test_flips(seconds);
	guest_close(&g);
	ok(shadow_nothing_left(), "nothing is left");
	shadow_limit(was);
	nesting_allow(false);
	return tap_done();
}
