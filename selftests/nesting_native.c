// SPDX-License-Identifier: GPL-2.0-only
/*
 * The native way to two stages, on IOMMUs of 6.1: a nesting parent, on it an HWPT with
 * a guest's page table, a device that is attached to that, and invalidations.
 */
#include "device_util.h"
#include "native_util.h"
#include "shadow_util.h"

#define LOW 0x7000ULL
#define NO_ID 12345
#define S1_INV IOMMU_HWPT_INVALIDATE_DATA_VTD_S1

/* An entry, which is also called so: see <linux/iommufd.h> */
#define s1_inv iommu_hwpt_vtd_s1_invalidate

static int fd;
static uint32_t ioas;
static struct device dev;
static struct guest g;

static uint64_t gpa_at(uint64_t at)
{
	return GUEST_GPA + at;
}

static void map_stage2(void)
{
	for (unsigned int i = 0; i != PIECES; i++)
		if (ioas_map_at(fd, ioas, g.mem.va + stage2[i].at,
				stage2[i].size, gpa_at(stage2[i].at),
				stage2[i].flags == MAP_RW ? IOAS_RW : IOAS_RO))
			bail("IOAS_MAP");
}

/* ------------------------------------------------------------------ */
/* HWPTs */

static uint32_t parent_new(void)
{
	return hwpt_new(fd, dev.id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
}

/* 0 and an id, or -1 and errno */
static int s1_alloc(uint32_t parent, uint32_t flags, const void *data,
		    uint32_t type, uint32_t len, uint32_t *id)
{
	struct iommu_hwpt_alloc cmd = {
		.flags = flags,
		.dev_id = dev.id,
		.pt_id = parent,
		.data_type = type,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
	};
	int rc = hwpt_alloc_cmd(fd, &cmd);

	if (id)
		*id = cmd.out_hwpt_id;
	return rc;
}

static int s1_try(uint32_t parent, const struct iommu_hwpt_vtd_s1 *vtd)
{
	return s1_alloc(parent, 0, vtd, IOMMU_HWPT_DATA_VTD_S1, sizeof(*vtd),
			NULL);
}

static uint32_t s1_new(uint32_t parent, const struct pgtable *pt)
{
	struct iommu_hwpt_vtd_s1 vtd = {
		.pgtbl_addr = pt->root,
		.addr_width = pt->width,
	};
	uint32_t id;

	if (s1_alloc(parent, 0, &vtd, IOMMU_HWPT_DATA_VTD_S1, sizeof(vtd), &id))
		bail("HWPT_ALLOC of stage 1");
	return id;
}

static void test_off(void)
{
	struct iommu_hwpt_vtd_s1 vtd = { .addr_width = 48 };
	uint32_t parent, plain = hwpt_new(fd, dev.id, ioas, 0);

	nesting_allow(false);
	refused(hwpt_alloc(fd, dev.id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
			   &parent), EOPNOTSUPP, "nesting=N: no parent");
	nesting_allow(true);
	ok(!hwpt_alloc(fd, dev.id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, &parent),
	   "nesting=Y: a parent");
	nesting_allow(false);
	refused(s1_try(parent, &vtd), EOPNOTSUPP, "nesting=N: no stage 1 on it");
	nesting_allow(true);
	refused(s1_try(plain, &vtd), EINVAL, "on an HWPT that is no parent");
	refused(s1_try(ioas, &vtd), EOPNOTSUPP, "on an IOAS");
	refused(s1_try(dev.id, &vtd), EINVAL, "on a device");
	refused(s1_try(NO_ID, &vtd), EINVAL, "on nothing");
	ok(!iommu_destroy_id(fd, parent) && !iommu_destroy_id(fd, plain),
	   "destroy");
}

static void test_data(void)
{
	struct iommu_hwpt_vtd_s1 good = { .addr_width = 48 }, bad;
	uint32_t parent = parent_new(), id;
	struct iommu_hwpt_vtd_s1 more[2] = { good };
	static const struct {
		struct iommu_hwpt_vtd_s1 vtd;
		int want;
		const char *what;
	} cases[] = {
		{ { .addr_width = 0 }, EINVAL, "width 0" },
		{ { .addr_width = 39 }, EINVAL, "width 39" },
		{ { .addr_width = 64 }, EINVAL, "width 64" },
		{ { .addr_width = 48, .pgtbl_addr = 8 }, EINVAL,
		  "a root that is not aligned" },
		{ { .addr_width = 48, .pgtbl_addr = 2048 }, EINVAL,
		  "to half a page" },
		{ { .addr_width = 48, .pgtbl_addr = 1ULL << 48 }, EINVAL,
		  "beyond 48 bits" },
		{ { .addr_width = 57, .pgtbl_addr = 1ULL << 57 }, EINVAL,
		  "beyond 57 bits" },
		{ { .addr_width = 48, .flags = IOMMU_VTD_S1_EAFE }, EINVAL,
		  "accessed bits, which a shadow does not set" },
		{ { .addr_width = 48, .flags = 8 }, EOPNOTSUPP, "a flag" },
		{ { .addr_width = 48, .flags = 1ULL << 63 }, EOPNOTSUPP,
		  "another one" },
		{ { .addr_width = 48, .__reserved = 1 }, EOPNOTSUPP,
		  "__reserved" },
	};

	for (unsigned int i = 0; i != sizeof(cases) / sizeof(*cases); i++) {
		bad = cases[i].vtd;
		refused(s1_try(parent, &bad), cases[i].want, "%s",
			cases[i].what);
	}
	refused(s1_alloc(parent, 0, &good, IOMMU_HWPT_DATA_VTD_S1, 16, NULL),
		EINVAL, "data that is too short");
	refused(s1_alloc(parent, 0, &good, IOMMU_HWPT_DATA_ARM_SMMUV3,
			 sizeof(good), NULL), EOPNOTSUPP, "of an SMMU");
	refused(s1_alloc(parent, 0, NULL, IOMMU_HWPT_DATA_VTD_S1, sizeof(good),
			 NULL), EFAULT, "data that is not there");
	refused(s1_alloc(parent, 0, NULL, 0, 0, NULL), EOPNOTSUPP, "no data");
	refused(s1_alloc(parent, IOMMU_HWPT_ALLOC_PASID, &good,
			 IOMMU_HWPT_DATA_VTD_S1, sizeof(good), NULL),
		EOPNOTSUPP, "for a PASID");
	refused(s1_alloc(parent, IOMMU_HWPT_ALLOC_NEST_PARENT, &good,
			 IOMMU_HWPT_DATA_VTD_S1, sizeof(good), NULL),
		EOPNOTSUPP, "a parent, too");
	more[1].flags = 1;
	refused(s1_alloc(parent, 0, more, IOMMU_HWPT_DATA_VTD_S1, sizeof(more),
			 NULL), E2BIG, "longer, and not zero");
	more[1].flags = 0;
	ok(!s1_alloc(parent, 0, more, IOMMU_HWPT_DATA_VTD_S1, sizeof(more),
		     &id), "longer, and zero");
	refused(s1_try(id, &good), EINVAL, "a stage 1 on a stage 1");
	refused(iommu_destroy_id(fd, parent), EBUSY, "the parent is in use");
	ok(!iommu_destroy_id(fd, id), "destroy");
	good.flags = IOMMU_VTD_S1_SRE | IOMMU_VTD_S1_WPE;
	ok(!s1_alloc(parent, 0, &good, IOMMU_HWPT_DATA_VTD_S1, sizeof(good),
		     &id) && !iommu_destroy_id(fd, id) &&
	   !iommu_destroy_id(fd, parent), "flags about privileged requests");
}

/* ------------------------------------------------------------------ */
/* DMA */

static void test_dma(unsigned int width)
{
	uint32_t parent = parent_new(), s1, now;
	struct pgtable pt;
	uint64_t a, b;

	a = guest_one_page(&g, &pt, width);
	b = guest_page(&g);
	pgtable_map(&pt, LOW, b, PAGE, PT_ALL);
	pgtable_map_as(&pt, 2 * GIB, 0, PT_1G, PT_1G, PT_ALL);
	s1 = s1_new(parent, &pt);
	ok(!device_attach(dev.at, parent, NULL) && copies(&g, a, a, b, b) &&
	   write_blocked(&g, HIGH), "%u bits: on the parent, IOVA = GPA", width);
	ok(!iommufd_stat("shadow_entries"), "nobody uses the stage 1");
	ok(!device_replace(dev.at, s1, &now) && now == s1 &&
	   copies(&g, HIGH, a, LOW, b) && write_blocked(&g, a) &&
	   write_blocked(&g, HIGH + PAGE), "replace: as the table says");
	ok(lands(&g, 2 * GIB + gpa_at(AT_HUGE), gpa_at(AT_HUGE)) &&
	   write_blocked(&g, 2 * GIB + gpa_at(AT_OUTSIDE)), "a leaf of 1 GiB");
	refused(iommu_destroy_id(fd, s1), EBUSY, "it is in use");
	refused(iommu_destroy_id(fd, ioas), EBUSY, "and so is the IOAS");
	ok(!device_replace(dev.at, parent, NULL) && copies(&g, a, a, b, b) &&
	   write_blocked(&g, HIGH), "back to the parent");
	ok(!device_replace(dev.at, ioas, NULL) && lands(&g, a, a) &&
	   !device_replace(dev.at, s1, NULL) && lands(&g, HIGH, a),
	   "by the IOAS to the stage 1");
	ok(!device_detach(dev.at) && write_blocked(&g, HIGH) &&
	   write_blocked(&g, a), "detach: nothing");
	ok(iommufd_stat("shadow_entries") == 0, "no entry is left");
	ok(!device_attach(dev.at, s1, NULL) && copies(&g, HIGH, a, LOW, b),
	   "attach");

	ok(!ioas_unmap(fd, ioas, gpa_at(AT_HUGE), PT_2M, NULL) &&
	   write_blocked(&g, 2 * GIB + gpa_at(AT_HUGE)) && lands(&g, HIGH, a),
	   "what is unmapped is blocked");
	ok(!ioas_map_at(fd, ioas, g.mem.va + AT_HUGE, PT_2M, gpa_at(AT_HUGE),
			IOAS_RW) &&
	   write_blocked(&g, 2 * GIB + gpa_at(AT_HUGE)) && lands(&g, HIGH, a),
	   "mapped again: as long as nobody invalidates");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, s1) &&
	   !iommu_destroy_id(fd, parent), "destroy");
}

/* ------------------------------------------------------------------ */
/* Invalidations */

static int inv_entries(uint32_t s1, const struct s1_inv *entries, uint32_t num,
		       uint32_t *done)
{
	*done = num;
	return hwpt_invalidate(fd, s1, entries, S1_INV, sizeof(*entries), done);
}

/* @want of @num entries are done; errno is @err, or 0 */
static bool inv_does(uint32_t s1, const struct s1_inv *entries, uint32_t num,
		     uint32_t want, int err)
{
	uint32_t done;
	int rc;

	errno = 0;
	rc = inv_entries(s1, entries, num, &done);
	if (done == want && (err ? rc == -1 && errno == err : !rc))
		return true;
	note("%d, errno %d, %u of %u done", rc, errno, done, num);
	return false;
}

static void bad_entries(uint32_t s1, const struct pgtable *pt, uint64_t a,
			uint64_t b)
{
	const uint64_t first = HIGH, second = HIGH + PAGE, third = HIGH + 2 * PAGE;
	static const struct {
		struct s1_inv inv;
		int err;
		const char *what;
	} cases[] = {
		{ { .addr = 0x1008, .npages = 1 }, EINVAL, "an address" },
		{ { .addr = 0x1800, .npages = 1 }, EINVAL, "half a page" },
		{ { .addr = 0x1000, .npages = 0 }, EINVAL, "no pages" },
		{ { .addr = 0x1000, .npages = UINT64_MAX }, EINVAL, "all pages, and more" },
		{ { .addr = 0, .npages = 1ULL << 52 }, EINVAL, "2^52 pages" },
		{ { .addr = 1ULL << 63, .npages = (1ULL << 51) + 1 }, EINVAL, "a page too much" },
		{ { .addr = 0x1000, .npages = 1, .flags = 2 }, EOPNOTSUPP, "a flag" },
		{ { .addr = 0x1000, .npages = 1, .__reserved = 1 }, EOPNOTSUPP, "__reserved" },
	};
	bool good;

	for (unsigned int i = 0; i != sizeof(cases) / sizeof(*cases); i++) {
		struct s1_inv three[] = {
			{ .addr = first, .npages = 1 }, cases[i].inv,
			{ .addr = third, .npages = 1 },
		};

		pgtable_map(pt, first, i % 2 ? a : b, PAGE, PT_ALL);
		pgtable_map(pt, third, i % 2 ? a : b, PAGE, PT_ALL);
		good = inv_does(s1, three, 3, 1, cases[i].err);
		/* The first was done, the third was not. */
		good &= lands(&g, first, i % 2 ? a : b) &&
			lands(&g, third, i % 2 ? b : a) &&
			lands(&g, second, a);
		good &= inv_does(s1, &three[2], 1, 1, 0);
		ok(good, "the second of three entries is bad: %s",
		   cases[i].what);
	}
}

/* The array itself */
static void bad_arrays(uint32_t parent, uint32_t s1, const struct pgtable *pt,
		       uint64_t a, uint64_t b)
{
	struct s1_inv good = { .addr = HIGH, .npages = 1 };
	char *page = mem_before_hole(1);
	uint64_t longer[4] = { HIGH, 1 };
	uint32_t n = 1;

	fails(hwpt_invalidate(fd, s1, &good, 7, sizeof(good), &n), EINVAL,
	      "another type");
	ok(n == 0, "none is done");
	n = 1;
	fails(hwpt_invalidate(fd, s1, &good, S1_INV, 16, &n), EINVAL,
	      "entries that are too short");
	ok(n == 0, "none is done");
	n = 1;
	fails(hwpt_invalidate(fd, NO_ID, &good, S1_INV, sizeof(good), &n),
	      ENOENT, "no HWPT");
	n = 1;
	fails(hwpt_invalidate(fd, parent, &good, S1_INV, sizeof(good), &n),
	      EINVAL, "the parent");
	n = 1;
	fails(hwpt_invalidate(fd, ioas, &good, S1_INV, sizeof(good), &n),
	      EINVAL, "the IOAS");
	n = 0;
	ok(!hwpt_invalidate(fd, s1, NULL, S1_INV, sizeof(good), &n),
	   "no entries: is the type known?");
	n = 0;
	fails(hwpt_invalidate(fd, s1, NULL, 7, sizeof(good), &n), EINVAL,
	      "another one is not");
	n = 1;
	ok(!hwpt_invalidate(fd, s1, longer, S1_INV, sizeof(longer), &n) && n == 1,
	   "longer entries, zero");
	longer[3] = 1;
	fails(hwpt_invalidate(fd, s1, longer, S1_INV, sizeof(longer), &n), E2BIG,
	      "and not zero");
	ok(n == 0, "none is done");

	/* The second entry is not in memory. */
	memcpy(page + PAGE - sizeof(good), &good, sizeof(good));
	pgtable_map(pt, HIGH, b, PAGE, PT_ALL);
	ok(inv_does(s1, (void *)(page + PAGE - sizeof(good)), 2, 1, EFAULT) &&
	   lands(&g, HIGH, b), "an entry that is not there: the first is done");
	pgtable_map(pt, HIGH, a, PAGE, PT_ALL);
	ok(inv_does(s1, &good, 1, 1, 0) && lands(&g, HIGH, a), "and again");
	munmap(page, 2 * PAGE);
}

static void test_invalidate(void)
{
	uint32_t parent = parent_new(), s1;
	struct s1_inv two[2], all = { .npages = UINT64_MAX };
	struct pgtable pt;
	uint64_t a, b;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	a = guest_page(&g);
	b = guest_page(&g);
	for (unsigned int i = 0; i != 3; i++)
		pgtable_map(&pt, HIGH + i * PAGE, a, PAGE, PT_ALL);
	s1 = s1_new(parent, &pt);
	ok(inv_does(s1, &all, 1, 1, 0), "of a stage 1 that nobody uses");
	ok(!device_attach(dev.at, s1, NULL) && copies(&g, HIGH, a, HIGH, a),
	   "attach");

	for (unsigned int i = 0; i != 3; i++)
		pgtable_map(&pt, HIGH + i * PAGE, b, PAGE, PT_ALL);
	ok(lands(&g, HIGH, a), "what has changed is stale");
	two[0] = (struct s1_inv){ .addr = HIGH, .npages = 1 };
	two[1] = (struct s1_inv){ .addr = HIGH + 2 * PAGE, .npages = 1,
			   .flags = IOMMU_VTD_INV_FLAGS_LEAF };
	ok(inv_does(s1, two, 2, 2, 0) && lands(&g, HIGH, b) &&
	   lands(&g, HIGH + PAGE, a) && lands(&g, HIGH + 2 * PAGE, b),
	   "two entries: two pages");
	ok(inv_does(s1, &all, 1, 1, 0) && lands(&g, HIGH + PAGE, b),
	   "everything");
	pgtable_unmap(&pt, HIGH, 3 * PAGE);
	two[0].npages = 2;
	ok(inv_does(s1, two, 1, 1, 0) && write_blocked(&g, HIGH) &&
	   write_blocked(&g, HIGH + PAGE) && lands(&g, HIGH + 2 * PAGE, b),
	   "an entry of two pages");
	for (unsigned int i = 0; i != 3; i++)
		pgtable_map(&pt, HIGH + i * PAGE, a, PAGE, PT_ALL);
	ok(inv_does(s1, &all, 1, 1, 0), "all come back");
	bad_entries(s1, &pt, a, b);
	for (unsigned int i = 0; i != 3; i++)
		pgtable_map(&pt, HIGH + i * PAGE, a, PAGE, PT_ALL);
	ok(inv_does(s1, &all, 1, 1, 0), "all come back");
	bad_arrays(parent, s1, &pt, a, b);

	nesting_allow(false);
	pgtable_unmap(&pt, HIGH, PAGE);
	ok(inv_does(s1, &all, 1, 1, 0) && write_blocked(&g, HIGH) &&
	   lands(&g, HIGH + PAGE, a), "nesting=N: what there is goes on");
	nesting_allow(true);
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, s1) &&
	   !iommu_destroy_id(fd, parent), "destroy");
}

/* ------------------------------------------------------------------ */
/* Several */

static void test_several(void)
{
	struct device other = device_new(fd, "EDU1");
	uint32_t parent = parent_new(), one, two;
	struct guest h = g;
	struct pgtable pt[2];
	uint64_t page[2];

	guest_forget(&g);
	for (unsigned int i = 0; i != 2; i++) {
		pt[i] = pgtable_new(&g.mem, 48);
		page[i] = guest_page(&g);
		pgtable_map(&pt[i], HIGH, page[i], PAGE, PT_ALL);
	}
	h.dev.edu = other.edu;
	h.seed += 1000;
	one = s1_new(parent, &pt[0]);
	two = s1_new(parent, &pt[1]);
	ok(!device_attach(dev.at, one, NULL) &&
	   !device_attach(other.at, two, NULL) &&
	   copies(&g, HIGH, page[0], HIGH, page[0]) &&
	   copies(&h, HIGH, page[1], HIGH, page[1]),
	   "two devices, two tables, one parent");
	pgtable_map(&pt[1], HIGH, page[0], PAGE, PT_ALL);
	pgtable_map(&pt[0], HIGH, page[1], PAGE, PT_ALL);
	ok(inv_does(two, &(struct s1_inv){ .npages = UINT64_MAX }, 1, 1, 0) &&
	   lands(&h, HIGH, page[0]) && lands(&g, HIGH, page[0]),
	   "an invalidation is of one of them");
	ok(!device_replace(other.at, one, NULL) && lands(&h, HIGH, page[0]) &&
	   lands(&g, HIGH, page[0]) && iommufd_stat("shadow_entries") == 1,
	   "one moves to the other's table, which is composed already");
	ok(inv_does(one, &(struct s1_inv){ .npages = UINT64_MAX }, 1, 1, 0) &&
	   lands(&h, HIGH, page[1]) && lands(&g, HIGH, page[1]),
	   "both follow");
	ok(!device_detach(dev.at) && lands(&h, HIGH, page[1]) &&
	   !iommu_destroy_id(fd, two), "one leaves");
	ok(!device_unbind(other.at) && !iommu_destroy_id(fd, one) &&
	   !iommu_destroy_id(fd, parent), "so does the other");
	device_end(&other);
}

/* Too many entries: attach fails, and the device is where it was. */
static void test_limit(void)
{
	uint32_t parent = parent_new(), s1, was = shadow_limit(16);
	struct pgtable pt;
	uint64_t a;

	guest_forget(&g);
	pt = pgtable_new(&g.mem, 48);
	a = guest_page(&g);
	pgtable_map(&pt, HIGH, GUEST_GPA, 20 * PAGE, PT_ALL);
	s1 = s1_new(parent, &pt);
	refused(device_attach(dev.at, s1, NULL), ENOSPC, "too many: attach");
	ok(!device_attach(dev.at, parent, NULL) && copies(&g, a, a, a, a),
	   "attach to the parent");
	refused(device_replace(dev.at, s1, NULL), ENOSPC, "too many: replace");
	ok(copies(&g, a, a, a, a) && write_blocked(&g, HIGH),
	   "it is where it was");
	shadow_limit(was);
	ok(!device_replace(dev.at, s1, NULL) && lands(&g, HIGH + a - GUEST_GPA, a),
	   "a higher limit");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, s1) &&
	   !iommu_destroy_id(fd, parent), "destroy");
}

/* Everything is in use when the files go. */
static void test_close(void)
{
	uint32_t parent = parent_new(), s1;
	struct pgtable pt;
	uint64_t a;

	a = guest_one_page(&g, &pt, 48);
	s1 = s1_new(parent, &pt);
	ok(!device_attach(dev.at, s1, NULL) && copies(&g, HIGH, a, HIGH, a),
	   "attach");
	close(fd);
	ok(copies(&g, HIGH, a, HIGH, a), "/dev/iommu is closed: DMA goes on");
	device_end(&dev);
	ok(shadow_nothing_left(), "the device is closed: nothing is left");
}

int main(void)
{
	give_group(name_of("EDU0"));
	give_group(name_of("EDU1"));
	guest_memory(&g, MAP_PRIVATE);
	nesting_allow(true);
	fd = iommu_open();
	ioas = ioas_new(fd);
	dev = device_new(fd, "EDU0");
	g.dev.edu = dev.edu;
	map_stage2();
	test_off();
	test_data();
	test_dma(48);
	test_dma(57);
	test_invalidate();
	test_several();
	test_limit();
	test_close();
	nesting_allow(false);
	return tap_done();
}
