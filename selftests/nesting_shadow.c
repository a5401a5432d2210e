// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA of a real device through a guest's page table, behind an IOMMU of 6.1: it lands
 * where the table says, is blocked where the table or stage 2 says nothing, and follows
 * invalidations, not changes.
 */
#include "shadow_util.h"

/* IOVAs that are no GPAs, within 39 bits, which is what QEMU's VT-d translates */
#define LOW 0x7000ULL
#define MIDDLE 0x80000000ULL
#define TRAFFIC_IOVA 0x6123400000ULL

#define LIMIT 64

static struct guest g;
static int box;			/* its container */

static uint64_t gpa_at(uint64_t at)
{
	return GUEST_GPA + at;
}

static bool vtd(void)
{
	return !strncmp(name_of("IOMMU"), "vtd", 3);
}

/* ------------------------------------------------------------------ */
/* Where the table says */

/* Pages that follow each other as IOVAs and not as GPAs */
static bool crosses(uint64_t iova, uint64_t first, uint64_t second)
{
	bool good;

	guest_note(&g);
	edu_store(&g.dev.edu, iova + PAGE - 100, LEN);
	good = guest_took(&g, first + PAGE - 100, 0, 100);
	good &= guest_took(&g, second, 100, LEN - 100);
	return guest_untouched(&g) && good;
}

static void test_bind(unsigned int width)
{
	uint64_t a, b, c, far = 1ULL << 46, upper = 1ULL << (width - 1);
	struct pgtable pt;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, width);
	a = guest_page(&g);
	b = guest_page(&g);
	c = guest_page(&g);
	pgtable_map(&pt, HIGH, b, PAGE, PT_ALL);
	pgtable_map(&pt, HIGH + PAGE, a, PAGE, PT_ALL);
	pgtable_map(&pt, LOW, c, PAGE, PT_ALL | PT_XD);
	pgtable_map(&pt, MIDDLE, c, PAGE, PT_ALL);
	pgtable_map(&pt, far, c, PAGE, PT_ALL);
	pgtable_map(&pt, upper, c, PAGE, PT_ALL);

	ok(copies(&g, a, a, b, b), "%u bits: before BIND, IOVA = GPA", width);
	ok(write_blocked(&g, HIGH), "and what will be an IOVA is none");
	ok(!bind_table(box, 0, pt.root, width), "BIND");
	fails(bind_table(box, 0, pt.root, width), EBUSY, "BIND again");
	ok(copies(&g, HIGH, b, LOW, c), "DMA goes where the table says");
	ok(copies(&g, MIDDLE, c, HIGH + PAGE, a), "each page where it says");
	ok(crosses(HIGH, b, a), "also across pages that are no neighbours");
	ok(write_blocked(&g, a) && read_blocked(&g, c, c, MIDDLE, c),
	   "a GPA is no IOVA any more");
	ok(write_blocked(&g, HIGH - PAGE) && write_blocked(&g, HIGH + 2 * PAGE),
	   "nothing is before and behind");
	ok(vtd() ? write_blocked(&g, far) : lands(&g, far, c),
	   "an IOVA that not each IOMMU has");
	ok(write_blocked(&g, upper), "one in the upper half of the table");
	pgtable_set(pgtable_entry(&pt, LOW, 1), a | PT_ALL);
	ok(!unbind_table(box, 0), "UNBIND");
	fails(unbind_table(box, 0), ENOENT, "UNBIND again");
	ok(copies(&g, a, a, b, b) && write_blocked(&g, HIGH) &&
	   write_blocked(&g, LOW), "IOVA = GPA again");
	ok(!bind_table(box, 0, pt.root, width) && lands(&g, LOW, a),
	   "BIND again: what the table says now");
	ok(!unbind_table(box, 0) && iommufd_stat("shadow_entries") == 0,
	   "UNBIND");
}

/* ------------------------------------------------------------------ */
/* Permissions */

/* The entry on the way to @iova, where @gpa is, loses one permission after the other. */
static void permissions_at(const struct pgtable *pt, unsigned int level,
			   uint64_t iova, uint64_t gpa)
{
	uint64_t *entry = pgtable_entry(pt, iova, level), was = *entry;
	bool readonly, absent;

	pgtable_set(entry, was & ~PT_W);
	ok(!inv_page(&g, iova), "level %u of %u", level, pgtable_levels(pt));
	load(&g, iova, gpa);
	readonly = write_blocked(&g, iova);
	pgtable_set(entry, was & ~PT_U);
	inv_page(&g, iova);
	absent = write_blocked(&g, iova);
	pgtable_set(entry, was);
	inv_page(&g, iova);
	ok(readonly && lands(&g, iova, gpa), "read only: read, and not written");
	ok(absent, "not a user's: absent");
}

static void test_permissions(unsigned int width)
{
	uint64_t a, b, readonly = gpa_at(AT_PIECES + 128 * KIB);
	struct pgtable pt;

	a = guest_one_page(&g, &pt, width);
	b = guest_page(&g);
	pgtable_map(&pt, LOW, b, PAGE, PT_ALL & ~PT_U);
	pgtable_map(&pt, MIDDLE, readonly, PAGE, PT_ALL);
	ok(!bind_table(box, 0, pt.root, width), "BIND, %u bits", width);
	for (unsigned int level = pgtable_levels(&pt); level; level--)
		permissions_at(&pt, level, HIGH, a);
	ok(read_blocked(&g, LOW, b, HIGH, a), "not a user's: not to be read");
	load(&g, MIDDLE, readonly);
	ok(write_blocked(&g, MIDDLE) && lands(&g, HIGH, a),
	   "stage 2 is read only");
	ok(!unbind_table(box, 0), "UNBIND");
}

/* Stage 2 that can only be written */
static void test_write_only(void)
{
	struct piece piece = { AT_OUTSIDE, PAGE, VFIO_DMA_MAP_FLAG_WRITE };
	struct pgtable pt;
	uint64_t a;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	a = guest_page(&g);
	pgtable_map(&pt, HIGH, gpa_at(AT_OUTSIDE), PAGE, PT_ALL);
	pgtable_map(&pt, MIDDLE, gpa_at(AT_OUTSIDE), PAGE, PT_ALL & ~PT_W);
	pgtable_map(&pt, LOW, a, PAGE, PT_ALL);
	ok(!stage2_map(&g, &piece) && !bind_table(box, 0, pt.root, 48), "BIND");
	/* QEMU's VT-d lets devices read such pages, with one stage, too. */
	ok(copies(&g, LOW, a, HIGH, gpa_at(AT_OUTSIDE)) &&
	   (vtd() || read_blocked(&g, HIGH, gpa_at(AT_OUTSIDE), LOW, a)),
	   "stage 2 is write only");
	ok(write_blocked(&g, MIDDLE) &&
	   read_blocked(&g, MIDDLE, gpa_at(AT_OUTSIDE), LOW, a),
	   "stage 1 is read only, too: nothing");
	ok(!unbind_table(box, 0) && !stage2_unmap(&g, &piece), "UNBIND");
}

/* ------------------------------------------------------------------ */
/* Large leaves */

/* A leaf shows the guest's memory, from AT_PIECES on, at @iova. */
static void check_pieces(uint64_t iova, const char *what)
{
	uint64_t gpa = gpa_at(AT_PIECES), readonly = 128 * KIB;

	ok(lands(&g, iova, gpa) &&
	   lands(&g, iova + 64 * KIB - LEN, gpa + 64 * KIB - LEN),
	   "%s: a mapping of stage 2 from end to end", what);
	ok(write_blocked(&g, iova + 64 * KIB) &&
	   write_blocked(&g, iova + 128 * KIB - LEN), "a hole");
	load(&g, iova + readonly, gpa + readonly);
	ok(write_blocked(&g, iova + readonly), "a page that is read only");
	ok(lands(&g, iova + readonly + PAGE, gpa + readonly + PAGE) &&
	   lands(&g, iova + MIB - LEN, gpa + MIB - LEN),
	   "another mapping from end to end");
	ok(write_blocked(&g, iova + MIB) &&
	   write_blocked(&g, iova + 2 * MIB - LEN), "nothing behind it");
}

static void test_leaves(void)
{
	uint64_t two = 0x40000000ULL + 6 * MIB, one = 2 * GIB, pat = 1ULL << 12;
	uint64_t msi = 0xfee00000ULL, third = 5 * GIB, huge = gpa_at(AT_HUGE);
	struct pgtable pt;
	uint64_t a;

	a = guest_one_page(&g, &pt, 48);
	pgtable_map_as(&pt, two, gpa_at(AT_PIECES), PT_2M, PT_2M, PT_ALL);
	pgtable_map_as(&pt, two + PT_2M, huge, PT_2M, PT_2M, PT_ALL | pat);
	pgtable_map_as(&pt, one, 0, PT_1G, PT_1G, PT_ALL | PT_XD);
	pgtable_map_as(&pt, msi, huge, PT_2M, PT_2M, PT_ALL);
	pgtable_map_as(&pt, third, 0, PT_1G, PT_1G, PT_ALL & ~PT_W);
	ok(!bind_table(box, 0, pt.root, 48), "BIND");
	load(&g, HIGH, a);

	check_pieces(two, "2 MiB");
	ok(lands(&g, two + PT_2M, huge) &&
	   lands(&g, two + 2 * PT_2M - LEN, huge + PT_2M - LEN),
	   "2 MiB, and a huge page behind it");
	ok(write_blocked(&g, two - LEN) && write_blocked(&g, two + 2 * PT_2M),
	   "nothing before and behind");
	ok(lands(&g, msi + MIB, huge + MIB) &&
	   lands(&g, msi + 2 * MIB - LEN, huge + 2 * MIB - LEN),
	   "2 MiB, half of which the IOMMU reserves");

	check_pieces(one + gpa_at(AT_PIECES), "1 GiB");
	ok(lands(&g, one + a, a) && lands(&g, one + huge, huge) &&
	   lands(&g, one + huge + PT_2M - LEN, huge + PT_2M - LEN),
	   "1 GiB, and pages of all sizes behind it");
	ok(write_blocked(&g, one) && write_blocked(&g, one + PT_1G - LEN) &&
	   write_blocked(&g, one + gpa_at(AT_OUTSIDE)), "nothing in its holes");
	load(&g, third + huge, huge);
	ok(write_blocked(&g, third + huge) && lands(&g, HIGH, a),
	   "1 GiB that is read only");
	ok(!unbind_table(box, 0) && iommufd_stat("shadow_entries") == 0,
	   "UNBIND");
}

/* ------------------------------------------------------------------ */
/* Invalidations */

/* Before it nothing has changed, right after it all has. */
static void test_entries(unsigned int width)
{
	uint64_t a, b, *entry;
	struct pgtable pt;

	a = guest_one_page(&g, &pt, width);
	b = guest_page(&g);
	pgtable_map(&pt, MIDDLE, b, PAGE, PT_ALL);
	entry = pgtable_entry(&pt, HIGH, 1);
	ok(!bind_table(box, 0, pt.root, width), "BIND, %u bits", width);
	load(&g, MIDDLE, b);

	pgtable_set(entry, b | PT_ALL);
	ok(lands(&g, HIGH, a), "an entry that changed is stale");
	inv_page(&g, HIGH + PAGE);
	inv_page(&g, HIGH - PAGE);
	ok(lands(&g, HIGH, a), "also when its neighbours are invalidated");
	ok(!inv_page(&g, HIGH) && lands(&g, HIGH, b), "invalidate it");
	pgtable_set(entry, 0);
	ok(lands(&g, HIGH, b), "one that went is stale");
	ok(!inv_addr(box, IOTLB, 0, HIGH, PAGE, 1, IOMMU_INV_ADDR_FLAGS_LEAF) &&
	   write_blocked(&g, HIGH), "invalidate it, with the LEAF hint");
	pgtable_set(entry, a | PT_ALL);
	ok(write_blocked(&g, HIGH), "one that came is stale");
	ok(!inv_page(&g, HIGH) && lands(&g, HIGH, a), "invalidate it");
	pgtable_set(entry, a | (PT_ALL & ~PT_W));
	ok(lands(&g, HIGH, a), "a permission that went is stale");
	ok(!inv_page(&g, HIGH) && write_blocked(&g, HIGH), "invalidate it");
	pgtable_set(entry, a | PT_ALL);
	ok(!inv_page(&g, HIGH) && lands(&g, HIGH, a), "it comes back");
	ok(lands(&g, MIDDLE, b), "another entry was right all the time");
	ok(!unbind_table(box, 0), "UNBIND");
}

/* Other caches are not asked. */
static void test_caches(void)
{
	struct pgtable pt;
	uint32_t pasid = 0;
	uint64_t a, b;

	a = guest_one_page(&g, &pt, 48);
	b = guest_page(&g);
	ok(!bind_table(box, 0, pt.root, 48) &&
	   !pasid_alloc(box, 1, 0xfffff, &pasid), "BIND");
	load(&g, HIGH, a);
	pgtable_set(pgtable_entry(&pt, HIGH, 1), b | PT_ALL);
	ok(!inv_pasid(box, IOTLB, pasid) &&
	   !inv_addr(box, IOTLB, pasid, HIGH, PAGE, 1, 0) &&
	   !inv_domain(box, IOMMU_CACHE_INV_TYPE_PASID) &&
	   lands(&g, HIGH, a), "of a PASID, and of the PASID cache: stale");
	ok(!inv_domain(box, IOTLB | IOMMU_CACHE_INV_TYPE_PASID) &&
	   lands(&g, HIGH, b), "of the domain");
	ok(!pasid_free(box, pasid) && !unbind_table(box, 0), "UNBIND");
}

/* Where four IOVAs lead; 0: nowhere */
static bool lead(const uint64_t *iova, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t want[] = { a, b, c, d };
	bool good = true;

	for (unsigned int i = 0; i != 4; i++)
		good &= want[i] ? lands(&g, iova[i], want[i]) :
				  write_blocked(&g, iova[i]);
	return good;
}

static void test_granules(void)
{
	uint64_t base = MIDDLE, huge = gpa_at(AT_HUGE), a, b, c;
	uint64_t iova[4] = { base, base + 2 * PAGE, base + 3 * PAGE, base + 2 * MIB };
	struct pgtable pt;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	a = guest_page(&g);
	b = guest_page(&g);
	c = guest_page(&g);
	for (unsigned int i = 0; i != 4; i++)
		pgtable_map(&pt, iova[i], a, PAGE, PT_ALL);
	ok(!bind_table(box, 0, pt.root, 48), "BIND");
	load(&g, iova[0], a);

	for (unsigned int i = 0; i != 4; i++)
		pgtable_map(&pt, iova[i], b, PAGE, PT_ALL);
	ok(!inv_addr(box, IOTLB, 0, base, PAGE, 3, 0) &&
	   lead(iova, b, b, a, a), "three granules of 4 KiB");
	ok(!inv_addr(box, IOTLB, 0, base, PT_2M, 1, 0) &&
	   lead(iova, b, b, b, a), "one of 2 MiB");
	ok(!inv_addr(box, IOTLB, 0, base, PT_2M, 2, 0) &&
	   lead(iova, b, b, b, b), "two of them");

	/* What is above leaves changes: another table, none, a large leaf */
	*pgtable_entry(&pt, base, 2) = guest_alloc(&g.mem, PAGE) | PT_ALL;
	pgtable_map(&pt, iova[1], c, PAGE, PT_ALL);
	ok(lead(iova, b, b, b, b), "another table: stale");
	ok(!inv_addr(box, IOTLB, 0, base, PT_2M, 1, 0) &&
	   lead(iova, 0, c, 0, b), "invalidate it");
	pgtable_map_as(&pt, base, huge, PT_2M, PT_2M, PT_ALL);
	ok(!inv_addr(box, IOTLB, 0, base, PT_2M, 1, 0) &&
	   lead(iova, huge, huge + 2 * PAGE, huge + 3 * PAGE, b),
	   "a leaf of 2 MiB instead");
	pgtable_set(pgtable_entry(&pt, base, 3), 0);
	ok(!inv_page(&g, base + 2 * MIB) && write_blocked(&g, iova[3]),
	   "all is gone, and a page of it is invalidated");
	ok(!inv_all(&g) && lead(iova, 0, 0, 0, 0), "DOMAIN");
	ok(!unbind_table(box, 0) && !iommufd_stat("shadow_entries"), "UNBIND");
}

/* A device does not notice what happens to entries that it does not use. */
static void test_traffic(void)
{
	unsigned int rounds = 0, bad = 0, want = 8;
	uint64_t a, base = HIGH & ~(PT_1G - 1);
	struct traffic traffic;
	struct pgtable pt;

	a = guest_one_page(&g, &pt, 48);
	traffic_open(&traffic, &g);
	pgtable_map(&pt, TRAFFIC_IOVA, TRAFFIC_GPA, 2 * PAGE, PT_ALL);
	ok(!bind_table(box, 0, pt.root, 48), "BIND, with two devices");
	traffic_start(&traffic, TRAFFIC_IOVA, TRAFFIC_IOVA + PAGE);
	while (traffic.rounds < want) {
		/* Large and small leaves, also beside those in use */
		pgtable_map(&pt, TRAFFIC_IOVA + 2 * PAGE, a, 64 * PAGE, PT_ALL);
		pgtable_map(&pt, base + 4 * MIB, gpa_at(0), 2 * MIB, PT_ALL);
		pgtable_map_as(&pt, base, gpa_at(AT_HUGE), PT_2M, PT_2M,
			       PT_ALL);
		bad += inv_all(&g) != 0;
		pgtable_unmap(&pt, TRAFFIC_IOVA + 2 * PAGE, 64 * PAGE);
		pgtable_unmap(&pt, base + 4 * MIB, 2 * MIB);
		bad += inv_addr(box, IOTLB, 0, 0, PT_1G, 512, 0) != 0;
		pgtable_set(pgtable_entry(&pt, base, 2), 0);
		bad += inv_all(&g) != 0;
		rounds++;
	}
	ok(traffic_stop(&traffic) && !bad && rounds,
	   "%u invalidations of all beside the DMA of a second device",
	   3 * rounds);
	ok(!unbind_table(box, 0), "UNBIND");
	traffic_close(&traffic, &g);
}

/* ------------------------------------------------------------------ */
/* Stage 2 changes */

static void test_unmap(void)
{
	struct piece page = { AT_OUTSIDE, PAGE, MAP_RW }, all = stage2[0];
	uint64_t a, dropped, gpa = gpa_at(AT_OUTSIDE), huge = gpa_at(AT_HUGE);
	uint64_t one = 2 * GIB;
	struct pgtable pt;
	uint8_t *other;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	a = guest_page(&g);
	other = alloc_pages(PAGE);
	memset(other, 0x44, PAGE);
	pgtable_map(&pt, HIGH, gpa, PAGE, PT_ALL);
	pgtable_map(&pt, MIDDLE + GIB, a, PAGE, PT_ALL);
	pgtable_map_as(&pt, one, 0, PT_1G, PT_1G, PT_ALL);
	ok(!stage2_map(&g, &page) && !bind_table(box, 0, pt.root, 48), "BIND");
	load(&g, one + a, a);
	ok(lands(&g, HIGH, gpa) && lands(&g, one + gpa, gpa),
	   "two ways to a page of stage 2");

	dropped = shadow_event("shadow_dropped");
	ok(!stage2_unmap(&g, &page) && write_blocked(&g, HIGH) &&
	   write_blocked(&g, one + gpa), "UNMAP_DMA: both are blocked at once");
	ok(shadow_event("shadow_dropped") > dropped, "which is counted");
	ok(!dma_map(box, gpa, other, PAGE) && write_blocked(&g, HIGH) &&
	   write_blocked(&g, one + gpa) && all_bytes(other, PAGE, 0x44),
	   "MAP_DMA of other memory there: out of reach");
	ok(!inv_page(&g, HIGH) && write_blocked(&g, HIGH) &&
	   check_pattern(other, LEN, g.seed) < 0 &&
	   all_bytes(other + LEN, PAGE - LEN, 0x44), "invalidate: in reach");
	memset(other, 0x44, PAGE);
	ok(!inv_all(&g) && write_blocked(&g, one + gpa) &&
	   check_pattern(other, LEN, g.seed) < 0, "the other way, too");
	ok(!dma_unmap(box, gpa, PAGE, NULL), "UNMAP_DMA");
	memset(other, 0x44, PAGE);
	ok(write_blocked(&g, HIGH) && all_bytes(other, PAGE, 0x44),
	   "it is out of reach");

	ok(lands(&g, one + huge, huge) && !stage2_unmap(&g, &stage2[1]) &&
	   write_blocked(&g, one + huge) &&
	   write_blocked(&g, one + huge + PT_2M - LEN),
	   "UNMAP_DMA of a huge page in a leaf of 1 GiB");
	ok(lands(&g, one + a, a) && lands(&g, MIDDLE + GIB, a) &&
	   lands(&g, one + gpa_at(AT_PIECES), gpa_at(AT_PIECES)),
	   "the rest of the leaf stays");
	ok(!stage2_map(&g, &stage2[1]) && write_blocked(&g, one + huge) &&
	   !inv_addr(box, IOTLB, 0, one, PT_1G, 1, 0) &&
	   lands(&g, one + huge, huge), "it comes back by an invalidation");

	/* The tables are in the first piece, and so is the page of data. */
	ok(lands(&g, one + huge, huge) && !stage2_unmap(&g, &all) &&
	   write_blocked(&g, one + huge) && write_blocked(&g, one + a) &&
	   write_blocked(&g, MIDDLE + GIB),
	   "UNMAP_DMA of the tables: all is blocked");
	ok(!inv_all(&g) && write_blocked(&g, one + huge), "for good");
	ok(!stage2_map(&g, &all) && write_blocked(&g, one + huge),
	   "MAP_DMA of them: not before an invalidation");
	ok(!inv_all(&g) && lands(&g, one + huge, huge) &&
	   lands(&g, MIDDLE + GIB, a), "and all is there after it");
	munmap(other, PAGE);
}

/* Still bound */
static void test_unmap_all(void)
{
	ok(!dma_unmap_all(box, NULL) && iommufd_stat("shadow_entries") == 0 &&
	   iommufd_stat("pinned_pages") == 0, "UNMAP_DMA of everything");
	ok(write_blocked(&g, HIGH) && write_blocked(&g, MIDDLE + GIB) &&
	   write_blocked(&g, GUEST_GPA), "all is blocked");
	ok(!unbind_table(box, 0) && write_blocked(&g, GUEST_GPA), "UNBIND");
	for (unsigned int i = 0; i != PIECES; i++)
		if (stage2_map(&g, &stage2[i]))
			bail("MAP_DMA");
	ok(lands(&g, GUEST_GPA, GUEST_GPA), "MAP_DMA again: IOVA = GPA");
}

/* ------------------------------------------------------------------ */
/* The limit */

static void test_limit(void)
{
	unsigned int was = shadow_limit(LIMIT);
	uint64_t huge = gpa_at(AT_HUGE), a, absent;
	struct pgtable pt;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	a = guest_page(&g);
	pgtable_map(&pt, HIGH, huge, 100 * PAGE, PT_ALL);
	fails(bind_table(box, 0, pt.root, 48), ENOSPC,
	      "BIND of 100 entries, where %u may be", LIMIT);
	ok(copies(&g, a, a, GUEST_GPA, GUEST_GPA) && write_blocked(&g, HIGH) &&
	   iommufd_stat("shadow_entries") == 0, "stage 2 works as before");
	fails(unbind_table(box, 0), ENOENT, "UNBIND: nothing is bound");

	pgtable_unmap(&pt, HIGH + 20 * PAGE, 80 * PAGE);
	ok(!bind_table(box, 0, pt.root, 48) &&
	   iommufd_stat("shadow_entries") == 20, "BIND of 20 entries");
	absent = shadow_event("shadow_absent");
	ok(!inv_all(&g) && shadow_event("shadow_absent") == absent &&
	   lands(&g, HIGH + 19 * PAGE, huge + 19 * PAGE), "nothing is absent");
	pgtable_map(&pt, HIGH + 20 * PAGE, huge + 20 * PAGE, 80 * PAGE, PT_ALL);
	ok(!inv_all(&g), "100 entries, and an invalidation");
	note("%lu entries", iommufd_stat("shadow_entries"));
	ok(iommufd_stat("shadow_entries") <= LIMIT &&
	   shadow_event("shadow_absent") > absent, "the rest is absent, and counted");
	ok(write_blocked(&g, HIGH + 99 * PAGE), "it is blocked");
	ok(lands(&g, HIGH, huge) &&
	   lands(&g, HIGH + 19 * PAGE, huge + 19 * PAGE), "the first are there");
	for (unsigned int i = 20; i != 100; i++)
		inv_page(&g, HIGH + i * PAGE);
	ok(iommufd_stat("shadow_entries") <= LIMIT,
	   "one invalidation after the other: %lu entries",
	   iommufd_stat("shadow_entries"));
	ok(lands(&g, HIGH, huge) &&
	   lands(&g, HIGH + 19 * PAGE, huge + 19 * PAGE), "the first are there");
	pgtable_unmap(&pt, HIGH + 20 * PAGE, 80 * PAGE);
	absent = shadow_event("shadow_absent");
	ok(!inv_all(&g) && iommufd_stat("shadow_entries") == 20 &&
	   shadow_event("shadow_absent") == absent && lands(&g, HIGH, huge) &&
	   lands(&g, HIGH + 19 * PAGE, huge + 19 * PAGE),
	   "20 entries are no trouble");
	shadow_limit(was);
	pgtable_map(&pt, HIGH + 99 * PAGE, a, PAGE, PT_ALL);
	ok(!inv_all(&g) && lands(&g, HIGH + 99 * PAGE, a), "a higher limit");
	ok(!unbind_table(box, 0), "UNBIND");
}

int main(void)
{
	nesting_allow(true);
	guest_memory(&g, MAP_PRIVATE);
	guest_open(&g);
	box = g.dev.container;
	test_bind(48);
	test_bind(57);
	test_permissions(48);
	test_permissions(57);
	test_write_only();
	test_leaves();
	test_entries(48);
	test_entries(57);
	test_caches();
	test_granules();
	test_traffic();
	test_unmap();
	test_unmap_all();
	test_limit();
	guest_close(&g);
	ok(shadow_nothing_left(), "nothing is left");
	nesting_allow(false);
	return tap_done();
}
