// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that emulates an IOMMU for its guest, on devices of the mock IOMMU: all that it
 * does from CHECK_EXTENSION to close, with as many PASIDs as the arguments say, and
 * what each kind of invalidation is about.
 *
 * The mock keeps what it knows until it is invalidated.  So each invalidation is shown
 * twice: without it a device sees what the guest's table said before.
 */
#include <signal.h>
#include <stdatomic.h>

#include "nesting_mock.h"

#define MEMORY (16 * MIB)
/* Same address in all address spaces, and one that only one of them has */
#define AT 0x00007f1234600000ULL
#define OWN(gpasid) (AT + (1 + (gpasid) % 500) * PAGE)

static struct nesting_dev devs[2];

/* ------------------------------------------------------------------ */
/* The IOMMU that the VMM emulates */

#define GPASIDS 1024

/* An entry of the guest's PASID table, in VT-d's format: 8 words */
#define ENTRY_WORDS 8
#define ENTRY_PRESENT 1ULL
#define ENTRY_FIRST_LEVEL (1ULL << 6)
#define ENTRY_5_LEVELS (1ULL << 2)

/**
 * struct viommu - what the VMM knows
 * @vmm: container and memory
 * @table: GPA of the guest's PASID table
 * @hpasid: the host's, by what the guest calls it; 0: not allocated
 * @bound: it is
 */
struct viommu {
	struct vmm vmm;
	uint64_t table;
	uint32_t hpasid[GPASIDS];
	bool bound[GPASIDS];
};

static uint64_t *pasid_entry(struct viommu *v, uint32_t gpasid)
{
	return (uint64_t *)guest_va(&v->vmm.mem, v->table) +
	       gpasid * ENTRY_WORDS;
}

/* The guest uses the virtual command register: allocate. */
static int viommu_alloc(struct viommu *v, uint32_t gpasid)
{
	/* Not what the guest says */
	return pasid_alloc(v->vmm.box.fd, GPASIDS, 0xfffff, &v->hpasid[gpasid]);
}

/* And free */
static int viommu_free(struct viommu *v, uint32_t gpasid)
{
	int rc = pasid_free(v->vmm.box.fd, v->hpasid[gpasid]);

	if (!rc)
		v->hpasid[gpasid] = 0;
	return rc;
}

/* The guest invalidates its PASID cache: look at the entry of its table. */
static int viommu_pasid_entry(struct viommu *v, uint32_t gpasid)
{
	const uint64_t *entry = pasid_entry(v, gpasid);
	struct bind_args args;
	int rc;

	if (v->bound[gpasid]) {
		rc = unbind_table(v->vmm.box.fd, v->hpasid[gpasid]);
		if (rc)
			return rc;
		v->bound[gpasid] = false;
	}
	if (!(entry[0] & ENTRY_PRESENT))
		return 0;
	args = bind_args(v->hpasid[gpasid], entry[2] & PT_ADDR,
			 entry[2] & ENTRY_5_LEVELS ? 57 : 48);
	args.data.gpasid = gpasid;
	rc = ioctl(v->vmm.box.fd, VFIO_IOMMU_BIND, &args);
	if (rc)
		return rc;
	v->bound[gpasid] = true;
	/* A device may have tried it before. */
	return inv_pasid(v->vmm.box.fd, PASID_CACHE, v->hpasid[gpasid]);
}

/* The guest invalidates all of an address space, in IOMMU and devices. */
static int viommu_iotlb(struct viommu *v, uint32_t gpasid)
{
	return inv_pasid(v->vmm.box.fd, IOTLB | DEV_IOTLB, v->hpasid[gpasid]);
}

/* The same for 4 KiB << @am at @addr; @hint: only leaves have changed */
static int viommu_iotlb_page(struct viommu *v, uint32_t gpasid, uint64_t addr,
			     unsigned int am, bool hint)
{
	return inv_addr(v->vmm.box.fd, IOTLB | DEV_IOTLB, v->hpasid[gpasid],
			addr & -(PAGE << am), PAGE << am, 1, hint ? LEAF : 0);
}

/* ------------------------------------------------------------------ */
/* The guest */

/**
 * struct process - what the guest has an address space for
 * @pt: page table
 * @page: what it has at AT
 * @spare: what it will have there
 */
struct process {
	struct pgtable pt;
	uint64_t page;
	uint64_t spare;
};

static void guest_enter(struct viommu *v, uint32_t gpasid,
			const struct process *p)
{
	uint64_t *entry = pasid_entry(v, gpasid);

	entry[2] = p->pt.root | (p->pt.width == 57 ? ENTRY_5_LEVELS : 0);
	entry[0] = ENTRY_PRESENT | ENTRY_FIRST_LEVEL;
}

static void guest_clear(struct viommu *v, uint32_t gpasid)
{
	memset(pasid_entry(v, gpasid), 0, ENTRY_WORDS * sizeof(uint64_t));
}

static struct process process_new(struct vmm *vmm, uint32_t gpasid)
{
	struct process p = {
		.pt = pgtable_new(&vmm->mem, gpasid % 2 ? 57 : 48),
		.page = page_new(vmm),
		.spare = page_new(vmm),
	};

	pgtable_map(&p.pt, AT, p.page, PAGE, PT_ALL);
	pgtable_map(&p.pt, OWN(gpasid), p.page, PAGE, PT_ALL);
	return p;
}

static void process_remap(struct process *p)
{
	uint64_t page = p->page;

	p->page = p->spare;
	p->spare = page;
	pgtable_map(&p->pt, AT, p->page, PAGE, PT_ALL);
}

/* ------------------------------------------------------------------ */
/* All that a VMM does, in order */

static void vmm_start(struct viommu *v, unsigned int n)
{
	struct vfio_iommu_type1_info_cap_nesting *cap;
	struct nesting_box box = box_open(0, devs, 2);
	struct vfio_iommu_type1_info *info;

	ok(ioctl(box.fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1_NESTING_IOMMU) == 1 &&
	   ioctl(box.fd, VFIO_NESTING_GET_IOMMU_UAPI_VERSION) ==
	   IOMMU_UAPI_VERSION &&
	   !set_iommu(box.fd, VFIO_TYPE1_NESTING_IOMMU),
	   "%u PASIDs: CHECK_EXTENSION, version, SET_IOMMU", n);
	info = get_info(box.fd, 4096);
	cap = (void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_NESTING);
	ok(cap && cap->pasid_format == IOMMU_PASID_FORMAT_INTEL_VTD,
	   "GET_INFO: the format of page tables");
	free(info);
	memset(v, 0, sizeof(*v));
	v->vmm = vmm_of(box, devs, MEMORY + n * 8 * PAGE);
	v->table = guest_alloc(&v->vmm.mem, GPASIDS * ENTRY_WORDS * 8);
}

/* Guest PASIDs are 1 to @n. */
static void vmm_bind(struct viommu *v, struct process *p, unsigned int n)
{
	unsigned int g, bad = 0;

	for (g = 1; g <= n; g++)
		bad += !!viommu_alloc(v, g);
	ok(!bad, "PASID_REQUEST: %u allocated", n);
	for (g = 1; g <= n; g++) {
		p[g] = process_new(&v->vmm, g);
		guest_enter(v, g, &p[g]);
		bad += !!viommu_pasid_entry(v, g);
	}
	ok(!bad, "BIND: %u page tables", n);
}

/* What one address space has, no other one sees. */
static void vmm_isolation(struct viommu *v, struct process *p, unsigned int n)
{
	unsigned int g, i, bad = 0, wrong = 0;
	uint32_t h;
	int dev;

	for (g = 1; g <= n; g++) {
		h = v->hpasid[g];
		for (i = 0; i != 2; i++) {
			dev = v->vmm.dev[i];
			bad += !dma_sees(&v->vmm, dev, h, 0, AT, p[g].page) ||
			       !dma_sees(&v->vmm, dev, h, 0, OWN(g), p[g].page);
			wrong += !FAULTS(dev, h, 0, OWN(g + 1), PTE_FETCH) ||
				 !FAULTS(dev, h, WR, OWN(g + 1), PTE_FETCH);
		}
	}
	ok(!bad, "each sees its own page, from both devices");
	ok(!wrong, "and not that of its neighbour");
}

static void vmm_writes(struct viommu *v, struct process *p, unsigned int n)
{
	struct iommu_mock_dma dma;
	unsigned int g, bad = 0;
	uint64_t word, *page;

	for (g = 1; g <= n; g++) {
		word = ~(uint64_t)g;
		bad += mock_vfio_dma(v->vmm.dev[g % 2], &dma, v->hpasid[g], WR,
				     AT + 2048, &word, 8) ||
		       dma.out_faulted;
	}
	for (g = 1; g <= n; g++) {
		page = guest_va(&v->vmm.mem, p[g].page);
		bad += page[256] != ~(uint64_t)g || page[257] == ~(uint64_t)g;
	}
	ok(!bad, "each has written to its own page, and nobody to another's");
}

/* The guest changes an entry, and says so in one of four ways. */
static void vmm_changes(struct viommu *v, struct process *p, unsigned int n)
{
	unsigned int g, stale = 0, bad = 0, rc;
	uint64_t old;

	for (g = 1; g <= n; g++) {
		old = p[g].page;
		dma_word(v->vmm.dev[0], v->hpasid[g], 0, AT);
		process_remap(&p[g]);
		stale += dma_sees(&v->vmm, v->vmm.dev[0], v->hpasid[g], 0, AT, old);
		switch (g % 4) {
		case 0:
			rc = viommu_iotlb(v, g);
			break;
		case 1:
			rc = viommu_iotlb_page(v, g, AT, 0, true);
			break;
		case 2:
			rc = viommu_iotlb_page(v, g, AT, 0, false);
			break;
		default:
			rc = viommu_iotlb_page(v, g, AT, 9, true);
		}
		bad += rc || !dma_sees(&v->vmm, v->vmm.dev[0], v->hpasid[g], 0,
				       AT, p[g].page);
	}
	ok(stale == n, "an entry is changed: %u of %u see what was there", stale, n);
	ok(!bad, "CACHE_INVALIDATE: all see what is there");
}

/* Every other one is left for the close. */
static void vmm_end(struct viommu *v, unsigned int n)
{
	unsigned int g, bad = 0, gone = 0;

	for (g = 1; g <= n; g += 2) {
		bad += pasid_free(v->vmm.box.fd, v->hpasid[g]) != -1 ||
		       errno != EBUSY;
		guest_clear(v, g);
		bad += !!viommu_pasid_entry(v, g);
		gone += FAULTS(v->vmm.dev[0], v->hpasid[g], 0, AT,
			       PASID_INVALID) &&
			FAULTS(v->vmm.dev[1], v->hpasid[g], 0, AT,
			       PASID_INVALID);
		bad += !!viommu_free(v, g);
	}
	ok(!bad && gone == (n + 1) / 2, "UNBIND and FREE of %u of them", gone);
	ok(iommufd_stat("pasids") == n / 2, "%lu are left",
	   iommufd_stat("pasids"));
	vmm_close(&v->vmm);
	ok(nothing_left(), "close: nothing is left");
}

static void test_sequence(unsigned int n)
{
	static struct process p[GPASIDS];
	static struct viommu v;

	if (!n || n >= GPASIDS)
		bail("%u PASIDs", n);
	vmm_start(&v, n);
	vmm_bind(&v, p, n);
	vmm_isolation(&v, p, n);
	vmm_writes(&v, p, n);
	vmm_changes(&v, p, n);
	vmm_end(&v, n);
}

/* ------------------------------------------------------------------ */
/* Three address spaces: two with a PASID, and that of requests without */

enum { A, B, R, SPACES };

#define PAGES 2
#define A0 1u
#define A1 2u
#define A_ALL 3u
#define B0 4u
#define B_ALL 12u
#define R0 16u
#define ALL 63u
#define NONE 0u
/* Neither what is there nor what was there */
#define WRONG (1u << 31)

/**
 * struct space - an address space
 * @pasid: the host's, or 0
 * @pt: page table
 * @now: what is at AT and the page behind it
 * @before: what was there
 */
struct space {
	uint32_t pasid;
	struct pgtable pt;
	uint64_t now[PAGES];
	uint64_t before[PAGES];
};

static struct vmm vmm;
static struct space s[SPACES];

static void space_flip(struct space *space)
{
	uint64_t page;

	for (int i = 0; i != PAGES; i++) {
		page = space->now[i];
		space->now[i] = space->before[i];
		space->before[i] = page;
		pgtable_map(&space->pt, AT + i * PAGE, space->now[i], PAGE,
			    PT_ALL);
	}
}

static void space_bind(const struct space *space)
{
	if (bind_table(vmm.box.fd, space->pasid, space->pt.root,
		       space->pt.width))
		bail("BIND of PASID %u", space->pasid);
}

static void space_unbind(const struct space *space)
{
	if (unbind_table(vmm.box.fd, space->pasid))
		bail("UNBIND of PASID %u", space->pasid);
}

/* Tables, but nothing is bound */
static void spaces_make(void)
{
	for (int i = 0; i != SPACES; i++) {
		s[i].pasid = i == R ? 0 : vmm_pasid(&vmm);
		s[i].pt = pgtable_new(&vmm.mem, i == B ? 57 : 48);
		for (int page = 0; page != PAGES; page++) {
			s[i].now[page] = page_new(&vmm);
			s[i].before[page] = page_new(&vmm);
		}
		space_flip(&s[i]);
	}
}

/* Forget all. */
static bool flush_all(void)
{
	return !inv_domain(vmm.box.fd, IOTLB | PASID_CACHE) &&
	       !inv_addr(vmm.box.fd, DEV_IOTLB, 0, 0, 1ULL << 63, 1, 0);
}

static void spaces_open(int n)
{
	vmm = vmm_open(devs, n, MEMORY);
	spaces_make();
	for (int i = 0; i != SPACES; i++)
		space_bind(&s[i]);
	/* Numbers of PASIDs come again. */
	if (!flush_all())
		bail("CACHE_INVALIDATE");
}

/* Which pages does a device see as they are, and not as they were?  A bit for each. */
static unsigned int look(int device, uint32_t flags)
{
	unsigned int mask = 0, bit = 1;
	uint64_t word;

	for (int i = 0; i != SPACES; i++) {
		for (int page = 0; page != PAGES; page++, bit <<= 1) {
			word = dma_word(device, s[i].pasid, flags,
					AT + page * PAGE);
			if (word == page_word(&vmm, s[i].now[page]))
				mask |= bit;
			else if (word != page_word(&vmm, s[i].before[page]))
				mask |= WRONG;
		}
	}
	return mask;
}

/* By each device: past its own TLB, then with it */
static bool looks(unsigned int untranslated, unsigned int translated,
		  const char *when)
{
	bool good = true;
	unsigned int u, t;

	for (int i = 0; i != vmm.box.n; i++) {
		u = look(vmm.dev[i], UNTRANSLATED);
		t = look(vmm.dev[i], 0);
		if (u == untranslated && t == translated)
			continue;
		note("%s, device %d: %#x and %#x, not %#x and %#x", when, i, u, t,
		     untranslated, translated);
		good = false;
	}
	return good;
}

/**
 * struct inv_case - an invalidation
 * @what: for people
 * @cache: caches
 * @granu: granularity
 * @pages: ADDR: in how many granules of @granule at AT
 * @granule: bytes
 * @first: ADDR: pages of 4 KiB that come before
 * @all: ADDR: of all address spaces; else of A
 * @iotlb_before: the IOTLB is invalidated as a whole before that
 * @untranslated: what is seen as it is then, past the device's TLB
 * @translated: and with it
 */
struct inv_case {
	const char *what;
	uint8_t cache, granu;
	uint64_t pages, granule, first;
	bool all, iotlb_before;
	unsigned int untranslated, translated;
};

#define DOMAIN IOMMU_INV_GRANU_DOMAIN
#define PASID IOMMU_INV_GRANU_PASID
#define ADDR IOMMU_INV_GRANU_ADDR

/* What the device's TLB lacks comes from the IOTLB: both must be right. */
static const struct inv_case inv_cases[] = {
	{ "IOTLB, DOMAIN", IOTLB, DOMAIN, .untranslated = ALL },
	{ "IOTLB, PASID", IOTLB, PASID, .untranslated = A_ALL },
	{ "IOTLB, ADDR, a page", IOTLB, ADDR, 1, PAGE, .untranslated = A0 },
	{ "IOTLB, ADDR, the other page", IOTLB, ADDR, 1, PAGE, 1,
	  .untranslated = A1 },
	{ "IOTLB, ADDR, two pages", IOTLB, ADDR, 2, PAGE,
	  .untranslated = A_ALL },
	{ "IOTLB, ADDR, granule 8 KiB", IOTLB, ADDR, 1, PAGE << 1,
	  .untranslated = A_ALL },
	{ "IOTLB, ADDR, granule 2 MiB", IOTLB, ADDR, 1, PAGE << 9,
	  .untranslated = A_ALL },
	{ "IOTLB, ADDR, 8 KiB behind", IOTLB, ADDR, 1, PAGE << 1, 2,
	  .untranslated = NONE },
	{ "IOTLB, ADDR, all address spaces", IOTLB, ADDR, 1, PAGE, .all = true,
	  .untranslated = A0 | B0 | R0 },
	{ "IOTLB, ADDR, half of all addresses", IOTLB, ADDR, 1, 1ULL << 63,
	  -(AT / PAGE), .all = true, .untranslated = ALL },
	{ "DEV_IOTLB, PASID, alone", DEV_IOTLB, PASID, .translated = NONE },
	{ "DEV_IOTLB, PASID", DEV_IOTLB, PASID, .iotlb_before = true,
	  .untranslated = ALL, .translated = A_ALL },
	{ "DEV_IOTLB, ADDR, a page", DEV_IOTLB, ADDR, 1, PAGE,
	  .iotlb_before = true, .untranslated = ALL, .translated = A0 },
	{ "DEV_IOTLB, ADDR, granule 8 KiB", DEV_IOTLB, ADDR, 1, PAGE << 1,
	  .iotlb_before = true, .untranslated = ALL, .translated = A_ALL },
	{ "DEV_IOTLB, ADDR, all address spaces", DEV_IOTLB, ADDR, 1, PAGE,
	  .all = true, .iotlb_before = true, .untranslated = ALL,
	  .translated = A0 | B0 | R0 },
	{ "IOTLB and DEV_IOTLB, PASID", IOTLB | DEV_IOTLB, PASID,
	  .untranslated = A_ALL, .translated = A_ALL },
	{ "IOTLB and DEV_IOTLB, ADDR", IOTLB | DEV_IOTLB, ADDR, 1, PAGE,
	  .untranslated = A0, .translated = A0 },
	{ "IOTLB and DEV_IOTLB, ADDR, all address spaces", IOTLB | DEV_IOTLB,
	  ADDR, 2, PAGE, .all = true, .untranslated = ALL, .translated = ALL },
	{ "all three, PASID", IOTLB | DEV_IOTLB | PASID_CACHE, PASID,
	  .untranslated = A_ALL, .translated = A_ALL },
	{ "IOTLB and PASID cache, DOMAIN", IOTLB | PASID_CACHE, DOMAIN,
	  .untranslated = ALL },
	{ "PASID cache, PASID", PASID_CACHE, PASID, .translated = NONE },
	{ "PASID cache, DOMAIN", PASID_CACHE, DOMAIN, .translated = NONE },
};

static int inv_run(const struct inv_case *c)
{
	uint32_t pasid = c->all ? 0 : s[A].pasid;

	if (c->iotlb_before && inv_domain(vmm.box.fd, IOTLB))
		return -1;
	switch (c->granu) {
	case DOMAIN:
		return inv_domain(vmm.box.fd, c->cache);
	case PASID:
		return inv_pasid(vmm.box.fd, c->cache, pasid);
	default:
		return inv_addr(vmm.box.fd, c->cache, pasid,
				AT + c->first * PAGE, c->granule, c->pages, 0);
	}
}

static void test_invalidations(int n)
{
	const struct inv_case *c = inv_cases;
	bool stale, known;
	int i, rc;

	spaces_open(n);
	for (; c != inv_cases + sizeof(inv_cases) / sizeof(*c); c++) {
		known = flush_all() && looks(ALL, ALL, "known");
		for (i = 0; i != SPACES; i++)
			space_flip(&s[i]);
		stale = looks(NONE, NONE, "stale");
		rc = inv_run(c);
		ok(known && stale && !rc &&
		   looks(c->untranslated, c->translated, "then"),
		   "%d devices: %s", n, c->what);
	}
	vmm_close(&vmm);
}

/* A table of the level above the leaves is replaced. */
static void test_leaf(void)
{
	uint64_t *entry, table, *leaves;
	struct space *a = &s[A];

	spaces_open(2);
	entry = pgtable_entry(&a->pt, AT, 2);
	table = guest_alloc(&vmm.mem, PAGE);
	leaves = guest_va(&vmm.mem, table);
	leaves[AT / PAGE % 512] = a->before[0] | PT_ALL;
	leaves[AT / PAGE % 512 + 1] = a->now[1] | PT_ALL;
	ok(looks(ALL, ALL, "known"), "a table, and what it leads to, is known");
	pgtable_set(entry, table | PT_ALL);
	ok(!inv_addr(vmm.box.fd, IOTLB | DEV_IOTLB, a->pasid, AT, PAGE, 1, LEAF) &&
	   looks(ALL, ALL, "LEAF"),
	   "another one instead of it, invalidated with LEAF: the old one is used");
	ok(!inv_addr(vmm.box.fd, IOTLB | DEV_IOTLB, a->pasid, AT, PAGE, 1, 0) &&
	   looks(ALL & ~A0, ALL & ~A0, "not LEAF"), "without LEAF the new one");
	leaves[AT / PAGE % 512] = a->now[0] | PT_ALL;
	ok(!inv_addr(vmm.box.fd, IOTLB | DEV_IOTLB, a->pasid, AT, PAGE, 1, LEAF) &&
	   looks(ALL, ALL, "LEAF again"), "for a leaf LEAF is enough");
	vmm_close(&vmm);
}

/* ------------------------------------------------------------------ */

static bool pasid_faults(const struct space *space)
{
	bool good = true;

	for (int i = 0; i != vmm.box.n; i++)
		good = FAULTS(vmm.dev[i], space->pasid, 0, AT, PASID_INVALID) &&
		       good;
	return good;
}

static bool pasid_works(const struct space *space)
{
	bool good = true;

	for (int i = 0; i != vmm.box.n; i++)
		good = dma_sees(&vmm, vmm.dev[i], space->pasid, 0, AT,
				space->now[0]) && good;
	return good;
}

/* A device that has tried a PASID too early goes on until the PASID cache is flushed. */
static void test_pasid_cache(void)
{
	vmm = vmm_open(devs, 2, MEMORY);
	spaces_make();
	ok(pasid_faults(&s[A]) && pasid_faults(&s[B]), "before BIND");
	space_bind(&s[A]);
	space_bind(&s[B]);
	ok(pasid_faults(&s[A]) && pasid_faults(&s[B]),
	   "BIND: that there was nothing is remembered");
	ok(!inv_domain(vmm.box.fd, IOTLB) &&
	   !inv_pasid(vmm.box.fd, IOTLB | DEV_IOTLB, s[A].pasid) &&
	   pasid_faults(&s[A]), "an IOTLB invalidation is not enough");
	ok(!inv_pasid(vmm.box.fd, PASID_CACHE, s[A].pasid) &&
	   pasid_works(&s[A]) && pasid_faults(&s[B]),
	   "PASID cache, PASID: that one works, and the other does not");
	ok(!inv_domain(vmm.box.fd, PASID_CACHE) && pasid_works(&s[B]),
	   "PASID cache, DOMAIN: that one, too");
	space_unbind(&s[A]);
	ok(pasid_faults(&s[A]) && pasid_works(&s[B]),
	   "UNBIND needs no invalidation");
	space_bind(&s[A]);
	ok(pasid_faults(&s[A]) &&
	   !inv_pasid(vmm.box.fd, IOTLB | PASID_CACHE, s[A].pasid) &&
	   pasid_works(&s[A]), "with several caches at once");
	vmm_close(&vmm);
}

static void test_rebind(void)
{
	struct space other;

	spaces_open(2);
	ok(looks(ALL, ALL, "before"), "two PASIDs, and requests without");
	other = s[A];
	other.pt = pgtable_new(&vmm.mem, 57);
	pgtable_map(&other.pt, AT, s[A].before[0], PAGE, PT_ALL);
	ok(bind_table(vmm.box.fd, s[A].pasid, other.pt.root, 57) == -1 &&
	   errno == EBUSY && looks(ALL, ALL, "EBUSY"),
	   "BIND of what is bound changes nothing");
	space_unbind(&s[A]);
	space_bind(&other);
	for (int i = 0; i != 2; i++) {
		ok(dma_sees(&vmm, vmm.dev[i], s[A].pasid, 0, AT,
			    s[A].before[0]) &&
		   dma_sees(&vmm, vmm.dev[i], s[A].pasid, UNTRANSLATED, AT,
			    s[A].before[0]) &&
		   FAULTS(vmm.dev[i], s[A].pasid, 0, AT + PAGE, PTE_FETCH),
		   "UNBIND, BIND of another table: only that is seen");
		ok((look(vmm.dev[i], 0) | A_ALL | WRONG) == (ALL | WRONG),
		   "the others are what they were");
	}

	space_unbind(&s[R]);
	ok(FAULTS(vmm.dev[0], 0, 0, AT, ACCESS) &&
	   dma_sees(&vmm, vmm.dev[0], 0, 0, s[R].now[0], s[R].now[0]),
	   "requests without a PASID after UNBIND: guest physical addresses");
	ok(pasid_works(&s[B]), "PASIDs stay bound");
	space_bind(&s[R]);
	ok(pasid_works(&s[R]), "BIND again");
	vmm_close(&vmm);
}

/* ------------------------------------------------------------------ */

/* What a bind says of a page table comes to the backend. */
static void test_config(void)
{
	static const uint32_t vtd = IOMMU_SVA_VTD_GPASID_SRE |
				    IOMMU_SVA_VTD_GPASID_PCD |
				    IOMMU_SVA_VTD_GPASID_PWT |
				    IOMMU_SVA_VTD_GPASID_EMTE;
	struct iommu_mock_stage1 got = { .size = sizeof(got) };
	struct bind_args args;
	uint32_t privileged = IOMMU_MOCK_DMA_PRIV;

	vmm = vmm_open(devs, 2, MEMORY);
	spaces_make();
	args = bind_args(s[B].pasid, s[B].pt.root, 57);
	args.data.gpasid = 1;
	args.data.vtd.flags = vtd;
	args.data.vtd.pat = 0x00070106;
	args.data.vtd.emt = 6;
	ok(!ioctl(vmm.box.fd, VFIO_IOMMU_BIND, &args), "BIND with all there is");
	space_bind(&s[A]);
	got.id = s[B].pasid;
	for (int i = 0; i != 2; i++) {
		ok(!ioctl(vmm.dev[i], MOCK_VFIO_STAGE1, &got) &&
		   got.out_pgd == s[B].pt.root && got.out_addr_width == 57 &&
		   got.out_flags == vtd && got.out_pat == 0x00070106 &&
		   got.out_emt == 6, "it came to device %d", i);
	}
	got.id = s[A].pasid;
	ok(!ioctl(vmm.dev[0], MOCK_VFIO_STAGE1, &got) &&
	   got.out_pgd == s[A].pt.root && got.out_addr_width == 48 &&
	   !got.out_flags && !got.out_pat && !got.out_emt,
	   "and not to another PASID");
	ok(dma_sees(&vmm, vmm.dev[0], s[B].pasid, privileged, AT, s[B].now[0]) &&
	   FAULTS(vmm.dev[0], s[A].pasid, privileged, AT, PERMISSION),
	   "privileged requests are for those with SRE");
	got.id = 0;
	fails(ioctl(vmm.dev[0], MOCK_VFIO_STAGE1, &got), EINVAL,
	      "no page table for requests without a PASID");
	vmm_close(&vmm);
}

/* Stage 2 changes under what is bound. */
static void test_stage2(void)
{
	struct guest_mem more = {
		mem_alloc(PAGE), VMM_GPA + MEMORY, PAGE, 0,
	};
	struct space *a = &s[A];
	uint64_t page;

	spaces_open(1);
	page = more.gpa;
	pgtable_map(&a->pt, AT + 4 * PAGE, page, PAGE, PT_ALL);
	ok(FAULTS(vmm.dev[0], a->pasid, 0, AT + 4 * PAGE, ACCESS),
	   "a page that stage 2 does not have");
	mem_fill(more.va, PAGE, 1 << 20);
	ok(!dma_map(vmm.box.fd, page, more.va, PAGE) &&
	   !inv_pasid(vmm.box.fd, IOTLB | DEV_IOTLB, a->pasid) &&
	   dma_word(vmm.dev[0], a->pasid, 0, AT + 4 * PAGE) ==
	   *(uint64_t *)more.va, "MAP_DMA, and an invalidation: it has");
	ok(!dma_unmap(vmm.box.fd, page, PAGE, NULL) &&
	   FAULTS(vmm.dev[0], a->pasid, 0, AT + 4 * PAGE, ACCESS) &&
	   pasid_works(a), "UNMAP_DMA: at once, without one");
	pgtable_set(pgtable_entry(&a->pt, AT, 3), IN_HOLE | PT_ALL);
	ok(!inv_pasid(vmm.box.fd, IOTLB | DEV_IOTLB, a->pasid) &&
	   FAULTS(vmm.dev[0], a->pasid, 0, AT, WALK_EABT),
	   "a table that stage 2 does not have");
	ok(!dma_unmap(vmm.box.fd, VMM_GPA, MEMORY, NULL) &&
	   FAULTS(vmm.dev[0], s[B].pasid, 0, AT, WALK_EABT) &&
	   FAULTS(vmm.dev[0], 0, 0, AT, WALK_EABT),
	   "UNMAP_DMA of all memory: no table is left");
	munmap(more.va, PAGE);
	vmm_close(&vmm);
}

/* ------------------------------------------------------------------ */

static void test_groups(void)
{
	struct nesting_box box;
	int dev, group;

	spaces_open(1);
	ok(looks(ALL, ALL, "one"), "one device");
	vmm_join(&vmm, &devs[1]);
	ok(looks(ALL, ALL, "late"), "one that joins late gets all that is bound");
	for (int i = 0; i != SPACES; i++)
		space_flip(&s[i]);
	ok(looks(NONE, NONE, "stale") && flush_all() && looks(ALL, ALL, "both"),
	   "invalidations are for both");
	vmm_leave(&vmm);
	ok(looks(ALL, ALL, "stays"), "it leaves, and the first one stays bound");

	box = box_open(VFIO_TYPE1_NESTING_IOMMU, &devs[1], 1);
	dev = vmm_device(box.groups[0], &devs[1]);
	ok(FAULTS(dev, s[A].pasid, 0, AT, PASID_INVALID) &&
	   FAULTS(dev, s[B].pasid, 0, AT, PASID_INVALID) &&
	   FAULTS(dev, 0, 0, AT, ACCESS),
	   "nothing is bound for it in another container");
	ok(!inv_pasid(box.fd, PASID_CACHE, s[A].pasid) &&
	   FAULTS(dev, s[A].pasid, 0, AT, PASID_INVALID),
	   "which has the PASIDs of the same process, not bound");
	ok(!dma_map(box.fd, VMM_GPA, vmm.mem.va, MEMORY) &&
	   !bind_table(box.fd, s[A].pasid, s[B].pt.root, 57) &&
	   !inv_domain(box.fd, PASID_CACHE) &&
	   dma_sees(&vmm, dev, s[A].pasid, 0, AT, s[B].now[0]) &&
	   pasid_works(&s[A]), "and can be, to another table");
	close(dev);
	box_close(&box);
	ok(looks(ALL, ALL, "alone"), "that one goes");
	fails(pasid_free(vmm.box.fd, s[A].pasid), EBUSY,
	      "it is bound here still");

	vmm_leave(&vmm);
	fails(bind_table(vmm.box.fd, s[A].pasid, s[A].pt.root, 48), ENODEV,
	      "the last group has left: ENODEV");
	iommufd_stat_wait("pasids", 0);
	group = group_open(devs[0].group);
	ok(!set_container(group, vmm.box.fd) &&
	   !set_iommu(vmm.box.fd, VFIO_TYPE1_NESTING_IOMMU) &&
	   !dma_map(vmm.box.fd, VMM_GPA, vmm.mem.va, MEMORY),
	   "it comes back, as if to a new container");
	fails(bind_table(vmm.box.fd, s[A].pasid, s[A].pt.root, 48), ENOENT,
	      "which has no PASID");
	dev = vmm_device(group, &devs[0]);
	ok(FAULTS(dev, s[A].pasid, 0, AT, PASID_INVALID) &&
	   FAULTS(dev, 0, 0, AT, ACCESS) && !bind_table(vmm.box.fd, 0, s[R].pt.root, 48) &&
	   dma_sees(&vmm, dev, 0, 0, AT, s[R].now[0]), "and no bind until BIND");
	close(dev);
	close(group);
	vmm_close(&vmm);
	ok(nothing_left(), "close: nothing is left");
}

/* A VMM that is killed with all of it */
static int child_killed(void *unused __attribute__((unused)))
{
	spaces_open(2);
	for (int i = 0; i != 16; i++) {
		struct space more = s[A];

		more.pasid = vmm_pasid(&vmm);
		space_bind(&more);
	}
	must(looks(ALL, ALL, "child"));
	return raise(SIGKILL);
}

static void test_killed(void)
{
	ok(in_child(child_killed, NULL) == 128 + SIGKILL && nothing_left(),
	   "SIGKILL with 18 binds: nothing is left");
	spaces_open(2);
	ok(looks(ALL, ALL, "next"), "and the next one works");
	vmm_close(&vmm);
}

/* ------------------------------------------------------------------ */
/* All at once */

struct racer {
	pthread_t thread;
	int device;
	unsigned int seed, faults, bad;
	atomic_uint good;
};

static atomic_bool stop;

/* What is read is of the address space that was asked for, or it is a fault. */
static void *race_thread(void *arg)
{
	struct racer *r = arg;
	const struct space *space;
	uint64_t word;
	int page;

	while (!atomic_load(&stop)) {
		space = &s[rand_r(&r->seed) % SPACES];
		page = rand_r(&r->seed) % PAGES;
		word = dma_word(r->device, space->pasid,
				rand_r(&r->seed) % 2 ? UNTRANSLATED : 0,
				AT + page * PAGE);
		if (!word)
			r->faults++;
		else if (word == page_word(&vmm, space->now[page]) ||
			 word == page_word(&vmm, space->before[page]))
			atomic_fetch_add(&r->good, 1);
		else
			r->bad++;
	}
	return NULL;
}

static void race_step(unsigned int *seed, void *mem)
{
	unsigned int i = rand_r(seed) % SPACES;
	uint64_t gpa = VMM_GPA + MEMORY;

	space_unbind(&s[i]);
	if (dma_map(vmm.box.fd, gpa, mem, 4 * PAGE))
		bail("MAP_DMA");
	space_bind(&s[i]);
	/* The table, not what the threads compare with */
	pgtable_map(&s[i].pt, AT, s[i].before[0], PAGE, PT_ALL);
	if (!flush_all() || dma_unmap(vmm.box.fd, gpa, 4 * PAGE, NULL))
		bail("flush, UNMAP_DMA");
	pgtable_map(&s[i].pt, AT, s[i].now[0], PAGE, PT_ALL);
	if (inv_addr(vmm.box.fd, IOTLB | DEV_IOTLB, s[i].pasid, AT, PAGE, 2, LEAF))
		bail("CACHE_INVALIDATE");
}

static void test_races(unsigned int rounds)
{
	struct racer r[2] = { { .seed = 1 }, { .seed = 2 } };
	unsigned int seed = 3, i;
	void *mem = mem_alloc(4 * PAGE);

	spaces_open(2);
	atomic_store(&stop, false);
	for (i = 0; i != 2; i++) {
		r[i].device = vmm.dev[i];
		if (pthread_create(&r[i].thread, NULL, race_thread, &r[i]))
			bail("pthread_create");
	}
	for (i = 0; i < rounds || !r[0].good || !r[1].good; i++) {
		race_step(&seed, mem);
		sched_yield();
	}
	atomic_store(&stop, true);
	for (i = 0; i != 2; i++)
		pthread_join(r[i].thread, NULL);
	ok(!r[0].bad && !r[1].bad,
	   "DMA while all is bound and unbound: %u good, %u faults, %u wrong",
	   r[0].good + r[1].good, r[0].faults + r[1].faults,
	   r[0].bad + r[1].bad);
	ok(flush_all() && looks(ALL, ALL, "after"), "and it is right in the end");
	munmap(mem, 4 * PAGE);
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	unsigned int rounds = 100;
	int i = 1;

	nesting_find(true, devs, 2);
	nesting_allow(true);
	if (argc > 2 && !strcmp(argv[1], "--rounds")) {
		rounds = atoi(argv[2]);
		i = 3;
	}
	for (; i < argc; i++)
		test_sequence(atoi(argv[i]));
	test_invalidations(1);
	test_invalidations(2);
	test_leaf();
	share_domains(false);
	test_invalidations(2);
	test_groups();
	share_domains(true);
	test_pasid_cache();
	test_rebind();
	test_config();
	test_stage2();
	test_groups();
	test_killed();
	test_races(rounds);
	ok(nothing_left(), "nothing is left");
	nesting_allow(false);
	return tap_done();
}
