// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests' page tables behind the mock IOMMU: how they are walked, what each bit of them
 * does, what stays in caches until it is invalidated and what never does, and how a
 * device that lacks a page gets it.
 */
#include <signal.h>
#include <stdatomic.h>

#include "mock_util.h"
#include "pgtable_util.h"

#define REC ((ssize_t)sizeof(struct iommu_hwpt_pgfault))
#define WR IOMMU_MOCK_DMA_WRITE
#define EX IOMMU_MOCK_DMA_EXEC
#define PRIV IOMMU_MOCK_DMA_PRIV
#define PASID 77
#define WIDE 57

/* Stage 2: what the guest has, and what it may only read or only write */
#define LOW 0x1000000ULL
#define LOW_SIZE (8 * PT_2M)
#define HIGH PT_1G
#define HIGH_SIZE PT_2M
#define RO_GPA 0x50000000ULL
#define WO_GPA 0x58000000ULL
#define HOLE 0x60000000ULL

#define A 0x00007f1234567000ULL
#define B (A + PT_2M)
#define UPPER 0xffff812345678000ULL
#define FAR 0x00abcd1234567000ULL

static int fd;
static uint32_t ioas, parent, hwpt;
static struct mock dev;
static struct guest_mem low, high;
static struct pgtable pt;
static char *ro, *wo;
static struct iommu_mock_dma last;	/* what the last DMA said */

/* ------------------------------------------------------------------ */

static uint32_t stage1_new(uint64_t s1_flags, uint32_t fault)
{
	uint32_t id;

	if (stage1_alloc(fd, dev.idev, parent, IOMMU_HWPT_ALLOC_PASID, pt.root,
			 pt.width, s1_flags, fault, &id))
		bail("IOMMU_HWPT_ALLOC of a guest's page table");
	return id;
}

static void map_stage2(const void *va, uint64_t length, uint64_t gpa,
		       uint32_t flags)
{
	if (ioas_map_at(fd, ioas, va, length, gpa, flags))
		bail("IOMMU_IOAS_MAP at %#lx", gpa);
}

/* A guest with an empty page table, and a device on that */
static void open_guest(unsigned int width, uint64_t s1_flags, uint32_t *fault,
		       int *queue)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	dev = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_PASID);
	parent = hwpt_new(fd, dev.idev, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT |
						      IOMMU_HWPT_ALLOC_PASID);
	low.used = 0;
	high.used = 0;
	map_stage2(low.va, low.size, low.gpa, IOAS_RW);
	map_stage2(high.va, high.size, high.gpa, IOAS_RW);
	map_stage2(ro, PAGE, RO_GPA, IOAS_RO);
	map_stage2(wo, PAGE, WO_GPA, IOMMU_IOAS_MAP_WRITEABLE);
	pt = pgtable_new(&low, width);
	if (queue)
		*queue = fault_new(fd, fault);
	hwpt = stage1_new(s1_flags, queue ? *fault : 0);
	if (mock_replace(fd, &dev, hwpt))
		bail("attach to a guest's page table");
}

static void close_guest(void)
{
	close(fd);
	ok(nothing_left(), "nothing is left");
}

static int dma_to(struct iommu_mock_dma *dma, uint32_t idev, uint32_t pasid,
		  uint32_t flags, uint64_t iova, void *buf, uint64_t length)
{
	*dma = (struct iommu_mock_dma){
		.flags = flags | (pasid ? IOMMU_MOCK_DMA_PASID : 0),
		.dev_id = idev,
		.pasid = pasid,
		.iova = iova,
		.length = length,
		.uptr = (uintptr_t)buf,
	};
	return mock_dma_cmd(fd, dma);
}

static int dma(uint32_t pasid, uint32_t flags, uint64_t iova, void *buf,
	       uint64_t length)
{
	return dma_to(&last, dev.idev, pasid, flags, iova, buf, length);
}

static void show_last(void)
{
	note("DMA: %llu of %llu bytes, %s %u at %#llx, %u requests",
	     last.out_done, last.length, last.out_faulted ? "fault" : "no fault",
	     last.out_reason, last.out_addr, last.out_requests);
}

/* The word at @iova is the one at @want. */
static bool reads_as(uint32_t pasid, uint32_t flags, uint64_t iova,
		     const void *want)
{
	uint64_t word = 0;

	if (!dma(pasid, flags, iova, &word, sizeof(word)) &&
	    !last.out_faulted && last.out_done == sizeof(word) &&
	    !memcmp(&word, want, sizeof(word)))
		return true;
	show_last();
	note("read %#lx", word);
	return false;
}

static bool reads(uint64_t iova, const void *want)
{
	return reads_as(0, 0, iova, want);
}

/* A word of its own can be written there, and is then at @where. */
static bool writes_as(uint32_t flags, uint64_t iova, const void *where)
{
	static uint64_t word = 0x1122334455667788;

	word++;
	if (!dma(0, flags | IOMMU_MOCK_DMA_WRITE, iova, &word, sizeof(word)) &&
	    !last.out_faulted && !memcmp(&word, where, sizeof(word)))
		return true;
	show_last();
	return false;
}

static bool writes(uint64_t iova, const void *where)
{
	return writes_as(0, iova, where);
}

static bool faults_as(uint32_t pasid, uint32_t flags, uint64_t iova,
		      uint32_t reason)
{
	uint64_t word = 0;

	if (!dma(pasid, flags, iova, &word, sizeof(word)) && last.out_faulted &&
	    last.out_reason == reason && !last.out_done &&
	    last.out_addr == iova)
		return true;
	show_last();
	return false;
}

static bool faults(uint64_t iova, uint32_t flags, const char *reason_name,
		   uint32_t reason)
{
	if (faults_as(0, flags, iova, reason))
		return true;
	note("wanted %s", reason_name);
	return false;
}

#define faults_by(iova, flags, why) \
	faults(iova, flags, #why, IOMMU_FAULT_REASON_##why)

static bool flush(uint64_t iova, uint64_t npages, uint32_t flags)
{
	return !stage1_invalidate(fd, hwpt, iova, npages, flags);
}

static bool flush_all(void)
{
	return flush(0, UINT64_MAX, 0);
}

/* A page of the guest's that nothing else is in; its GPA */
static uint64_t page_new(uint64_t seed)
{
	uint64_t gpa = guest_alloc(&low, PAGE);

	mem_fill(guest_va(&low, gpa), PAGE, seed);
	return gpa;
}

static void *at(uint64_t gpa)
{
	return guest_va(guest_has(&low, gpa) ? &low : &high, gpa);
}

/* ------------------------------------------------------------------ */
/* What a stage 1 is made with, and what DMA is asked for */

static void test_alloc(void)
{
	const uint64_t all = IOMMU_VTD_S1_SRE | IOMMU_VTD_S1_WPE;
	struct iommu_mock_stage1 info;
	struct mock plain;
	uint32_t id;

	open_guest(WIDE, all, NULL, NULL);
	ok(!mock_stage1_info(fd, hwpt, &info) && info.out_pgd == pt.root &&
	   info.out_addr_width == WIDE && info.out_flags == (1 | 256) &&
	   !info.out_pat && !info.out_emt, "it is what it was made with");
	fails(mock_stage1_info(fd, parent, &info), EINVAL, "of a stage 2");
	fails(mock_stage1_info(fd, ioas, &info), ENOENT, "of an IOAS");
	refused(stage1_alloc(fd, dev.idev, parent, 0, pt.root, 48,
			     IOMMU_VTD_S1_EAFE, 0, &id), EINVAL,
		"extended accessed bits");
	plain = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_NO_NESTING);
	refused(stage1_alloc(fd, plain.idev, parent, 0, pt.root, 48, 0, 0, &id),
		EOPNOTSUPP, "a device that has none");
	refused(iommu_destroy_id(fd, parent), EBUSY, "stage 2 is in use");
	refused(iommu_destroy_id(fd, hwpt), EBUSY, "and so is stage 1");
	id = stage1_new(0, 0);
	ok(!mock_replace(fd, &dev, id) && !iommu_destroy_id(fd, hwpt) &&
	   !mock_replace(fd, &dev, ioas) && !iommu_destroy_id(fd, id) &&
	   !iommu_destroy_id(fd, parent), "all can go");
	close_guest();
}

static int dma_raw(uint32_t flags, uint32_t pasid, uint64_t iova,
		   uint64_t length, uint64_t uptr)
{
	struct iommu_mock_dma cmd = {
		.flags = flags,
		.dev_id = dev.idev,
		.pasid = pasid,
		.iova = iova,
		.length = length,
		.uptr = uptr,
	};

	return mock_dma_cmd(fd, &cmd);
}

static void test_args(void)
{
	const uint32_t pasid = IOMMU_MOCK_DMA_PASID;
	char *page = mem_before_hole(1);
	struct iommu_mock_dma dma;
	uint64_t u = (uintptr_t)page, gpa;
	struct iommu_test_cmd cmd = { .indirect.uptr = 8 };
	uint32_t size = sizeof(last) - 1;

	open_guest(48, 0, NULL, NULL);
	gpa = page_new(1);
	pgtable_map(&pt, A, gpa, PAGE, PT_ALL);
	fails(dma_raw(0, 0, A, 0, u), EINVAL, "no bytes");
	fails(dma_raw(64, 0, A, 8, u), EINVAL, "an unknown flag");
	fails(dma_raw(WR | EX, 0, A, 8, u), EINVAL, "write to execute");
	fails(dma_raw(pasid, 0, A, 8, u), EINVAL, "PASID 0");
	fails(dma_raw(pasid, 1 << 20, A, 8, u), EINVAL, "PASID 2^20");
	fails(dma_raw(0, 1, A, 8, u), EINVAL, "a PASID without the flag");
	fails(dma_raw(0, 0, -8ULL, 9, u), EINVAL, "beyond the last address");
	fails(dma_raw(0, 0, A, IOMMU_MOCK_DMA_MAX + 1, u), E2BIG, "too much");
	fails(dma_raw(0, 0, A, 8, u + PAGE), EFAULT,
	      "a buffer that is not there");
	fails(dma_raw(WR, 0, A, 16, u + PAGE - 8), EFAULT, "half of one");
	fails(dma_to(&dma, ioas, 0, 0, A, page, 8), ENOENT, "not a device");
	dma.dev_id = dev.idev;
	dma.__reserved = 1;
	fails(mock_dma_cmd(fd, &dma), EINVAL, "a reserved field");
	fails(mock_cmd(fd, IOMMU_TEST_OP_MOCK_DMA, &cmd), EFAULT, "no struct");
	cmd.indirect.uptr = (uintptr_t)&size;
	fails(mock_cmd(fd, IOMMU_TEST_OP_MOCK_DMA, &cmd), EINVAL,
	      "a struct too short");
	fails(mock_cmd(fd, IOMMU_TEST_OP_MOCK_STAGE1 + 1, &cmd), EOPNOTSUPP,
	      "no such operation");
	ok(reads(A, at(gpa)), "nothing was written");
	munmap(page, 2 * PAGE);
	close_guest();
}

/* ------------------------------------------------------------------ */
/* Levels and sizes */

static void test_leaves(unsigned int width)
{
	uint64_t big = guest_alloc_aligned(&low, PT_2M, PT_2M);
	uint64_t iova = (width == WIDE ? FAR : A) & -PT_1G;
	uint64_t gpa = page_new(1);

	mem_fill(at(big), PT_2M, 2);
	mem_fill(at(HIGH), HIGH_SIZE, 3);
	pgtable_map(&pt, iova, gpa, PAGE, PT_ALL);
	pgtable_map_as(&pt, iova + PT_2M, big, PT_2M, PT_2M, PT_ALL);
	pgtable_map_as(&pt, iova + PT_1G, HIGH, PT_1G, PT_1G, PT_ALL);
	ok(reads(iova + 8, at(gpa + 8)) && writes(iova + 0xff8, at(gpa + 0xff8)),
	   "%u bits: 4 KiB", width);
	ok(reads(iova + PT_2M + 0x123458, at(big + 0x123458)) &&
	   writes(iova + 2 * PT_2M - 8, at(big + PT_2M - 8)), "2 MiB");
	ok(reads(iova + PT_1G + 0x54320, at(HIGH + 0x54320)) &&
	   writes(iova + PT_1G + PT_2M - 8, at(HIGH + PT_2M - 8)), "1 GiB");
	ok(faults_by(iova + PT_1G + HIGH_SIZE, 0, ACCESS),
	   "of which not all is in stage 2");
	ok(faults_by(iova + PAGE, 0, PTE_FETCH) &&
	   faults_by(iova + 2 * PT_1G, 0, PTE_FETCH), "what is not present");
	/* Bit 12 of a large page is no address. */
	*pgtable_entry(&pt, iova + PT_2M, 2) |= 1 << 12;
	ok(flush_all() && reads(iova + PT_2M, at(big)), "PAT of a large page");
	*pgtable_entry(&pt, iova, 1) |= 0x7ffULL << 52;
	*pgtable_entry(&pt, iova, 3) |= 0x7ffULL << 52;
	ok(flush_all() && reads(iova, at(gpa)), "bits that are ignored");
}

static void test_levels(void)
{
	uint64_t gpa;

	open_guest(48, 0, NULL, NULL);
	test_leaves(48);
	gpa = page_new(4);
	pgtable_map(&pt, UPPER, gpa, PAGE, PT_ALL);
	ok(reads(UPPER, at(gpa)), "the upper half");
	ok(faults_by(UPPER & ~(0xffffULL << 48), 0, OOR_ADDRESS) &&
	   faults_by(1ULL << 47, 0, OOR_ADDRESS) &&
	   faults_by(FAR, 0, OOR_ADDRESS) &&
	   faults_by((1ULL << 48) | (A & -PT_1G), 0, OOR_ADDRESS),
	   "addresses that are not canonical");
	ok(faults_by((1ULL << 47) - 8, 0, PTE_FETCH) &&
	   faults_by(-1ULL << 47, 0, PTE_FETCH), "and those beside them");
	close_guest();

	open_guest(WIDE, 0, NULL, NULL);
	test_leaves(WIDE);
	ok(faults_by(1ULL << 56, 0, OOR_ADDRESS) &&
	   faults_by((1ULL << 56) - 8, 0, PTE_FETCH) &&
	   faults_by(-1ULL << 56, 0, PTE_FETCH), "57 bits: canonical or not");
	close_guest();
}

/* A long one goes from page to page, until there is none. */
static void test_long(void)
{
	char *buf = mem_alloc(IOMMU_MOCK_DMA_MAX), *want;
	uint64_t page[4], i;

	open_guest(48, 0, NULL, NULL);
	for (i = 0; i != 4; i++) {
		page[i] = page_new(10 + i);
		guest_alloc(&low, PAGE);
		pgtable_map(&pt, A + i * PAGE, page[i], PAGE, PT_ALL);
	}
	want = mem_alloc(4 * PAGE);
	for (i = 0; i != 4; i++)
		memcpy(want + i * PAGE, at(page[i]), PAGE);
	ok(!dma(0, 0, A + 100, buf, 4 * PAGE - 100) && !last.out_faulted &&
	   !memcmp(buf, want + 100, 4 * PAGE - 100), "four pages, not aligned");
	memset(buf, 0x5a, IOMMU_MOCK_DMA_MAX);
	ok(!dma(0, 0, A + 100, buf, IOMMU_MOCK_DMA_MAX) && last.out_faulted &&
	   last.out_done == 4 * PAGE - 100 && last.out_addr == A + 4 * PAGE &&
	   last.out_reason == IOMMU_FAULT_REASON_PTE_FETCH &&
	   !memcmp(buf, want + 100, 4 * PAGE - 100) && buf[4 * PAGE - 100] == 0x5a,
	   "a longer one is cut off");
	ok(!dma(0, IOMMU_MOCK_DMA_WRITE, A + 2 * PAGE - 10, buf, 3 * PAGE) &&
	   last.out_faulted && last.out_done == 2 * PAGE + 10 &&
	   !memcmp(at(page[3]), buf + PAGE + 10, PAGE), "and so is a write");
	munmap(buf, IOMMU_MOCK_DMA_MAX);
	munmap(want, 4 * PAGE);
	close_guest();
}

/* ------------------------------------------------------------------ */
/* Permissions */

/* Each bit forbids at each level. */
static void test_bits(unsigned int width)
{
	unsigned int level, bad = 0;
	uint64_t gpa, *entry;

	open_guest(width, IOMMU_VTD_S1_SRE, NULL, NULL);
	gpa = page_new(1);
	pgtable_map(&pt, A, gpa, PAGE, PT_ALL);
	ok(reads(A, at(gpa)) && writes(A, at(gpa)) &&
	   reads_as(0, EX, A, at(gpa)), "all is allowed");
	for (level = 1; level <= pgtable_levels(&pt); level++) {
		entry = pgtable_entry(&pt, A, level);
		*entry &= ~PT_W;
		bad += !flush_all() || !reads(A, at(gpa)) ||
		       !faults_by(A, WR, PERMISSION);
		*entry |= PT_W;
		*entry &= ~PT_U;
		bad += !flush_all() || !faults_by(A, 0, PERMISSION) ||
		       !faults_by(A, WR, PERMISSION) ||
		       !reads_as(0, PRIV, A, at(gpa));
		*entry |= PT_U | PT_XD;
		bad += !flush_all() || !reads(A, at(gpa)) ||
		       !writes(A, at(gpa)) || !faults_by(A, EX, PERMISSION) ||
		       !faults_by(A, EX | PRIV, PERMISSION);
		*entry &= ~(PT_XD | PT_P);
		bad += !flush_all() || !faults_by(A, 0, PTE_FETCH);
		*entry |= PT_P;
		if (bad)
			note("level %u", level);
	}
	ok(!bad, "R/W, U/S, XD and P at each of %u levels", level - 1);
	close_guest();
}

static void test_privileged(void)
{
	uint64_t gpa;

	open_guest(48, 0, NULL, NULL);
	gpa = page_new(1);
	pgtable_map(&pt, A, gpa, PAGE, PT_ALL);
	ok(reads(A, at(gpa)) && faults_by(A, PRIV, PERMISSION) &&
	   faults_by(A, PRIV | WR, PERMISSION), "without SRE");
	close_guest();

	open_guest(48, IOMMU_VTD_S1_SRE, NULL, NULL);
	gpa = page_new(1);
	pgtable_map(&pt, A, gpa, PAGE, PT_P);
	pgtable_map(&pt, A + PAGE, gpa, PAGE, PT_ALL);
	ok(reads_as(0, PRIV, A, at(gpa)) && writes_as(PRIV, A, at(gpa)) &&
	   faults_by(A, 0, PERMISSION), "with SRE, without WPE");
	ok(reads_as(0, PRIV, A + PAGE, at(gpa)) &&
	   reads_as(0, PRIV | EX, A + PAGE, at(gpa)), "a user's page");
	close_guest();

	open_guest(48, IOMMU_VTD_S1_SRE | IOMMU_VTD_S1_WPE, NULL, NULL);
	gpa = page_new(1);
	pgtable_map(&pt, A, gpa, PAGE, PT_P);
	pgtable_map(&pt, A + PAGE, gpa, PAGE, PT_P | PT_W);
	ok(reads_as(0, PRIV, A, at(gpa)) && faults_by(A, PRIV | WR, PERMISSION) &&
	   writes_as(PRIV, A + PAGE, at(gpa)), "with SRE and WPE");
	close_guest();
}

static void test_stage2(void)
{
	open_guest(48, IOMMU_VTD_S1_SRE, NULL, NULL);
	mem_fill(ro, PAGE, 5);
	pgtable_map(&pt, A, RO_GPA, PAGE, PT_ALL);
	pgtable_map(&pt, A + PAGE, WO_GPA, PAGE, PT_ALL);
	pgtable_map(&pt, A + 2 * PAGE, HOLE, PAGE, PT_ALL);
	ok(reads(A, ro) && faults_by(A, WR, ACCESS) &&
	   faults_by(A, WR | PRIV, ACCESS), "stage 2 only lets it be read");
	ok(writes(A + PAGE, wo) && faults_by(A + PAGE, 0, ACCESS),
	   "stage 2 only lets it be written");
	ok(faults_by(A + 2 * PAGE, 0, ACCESS), "it is not there");
	pgtable_map(&pt, A + 3 * PAGE, 0x000ffffffffff000, PAGE, PT_ALL);
	ok(faults_by(A + 3 * PAGE, WR, ACCESS), "the last page of all");
	ok(!mock_replace(fd, &dev, parent) && reads(RO_GPA, ro) &&
	   faults_by(A, 0, ACCESS) && faults_by(RO_GPA, WR, ACCESS),
	   "without stage 1, stage 2 alone");
	close_guest();
}

/* ------------------------------------------------------------------ */
/* What a hostile guest writes */

static void test_bad_entries(void)
{
	uint64_t big, *entry, was;

	open_guest(WIDE, 0, NULL, NULL);
	big = guest_alloc_aligned(&low, PT_2M, PT_2M);
	pgtable_map_as(&pt, A & -PT_2M, big, PT_2M, PT_2M, PT_ALL);
	pgtable_map_as(&pt, (A & -PT_1G) + PT_1G, HIGH, PT_1G, PT_1G, PT_ALL);
	ok(reads(A & -PT_2M, at(big)), "good ones");
	entry = pgtable_entry(&pt, A, 2);
	*entry |= 1 << 13;
	ok(flush_all() && faults_by(A, 0, PTE_FETCH), "bit 13 of 2 MiB");
	*entry ^= 1 << 13 | 1 << 20;
	ok(flush_all() && faults_by(A, 0, PTE_FETCH), "bit 20 of 2 MiB");
	*entry ^= 1 << 20;
	entry = pgtable_entry(&pt, A + PT_1G, 3);
	*entry |= 1 << 29;
	ok(flush_all() && faults_by(A + PT_1G, 0, PTE_FETCH), "bit 29 of 1 GiB");
	entry = pgtable_entry(&pt, A, 4);
	*entry |= PT_PS;
	ok(flush_all() && faults_by(A, 0, PTE_FETCH), "512 GiB");
	*entry ^= PT_PS;
	entry = pgtable_entry(&pt, A, 5);
	*entry |= PT_PS;
	ok(flush_all() && faults_by(A, 0, PTE_FETCH), "256 TiB");
	*entry ^= PT_PS;
	ok(flush_all() && reads(A & -PT_2M, at(big)), "good ones again");
	was = *entry;
	*entry = HOLE | PT_ALL;
	ok(flush_all() && faults_by(A, 0, WALK_EABT), "a table not in stage 2");
	*entry = WO_GPA | PT_ALL;
	ok(flush_all() && faults_by(A, 0, WALK_EABT),
	   "a table that stage 2 does not let be read");
	*entry = was;
	close_guest();
}

/* The root is its own table at each level: a walk ends nonetheless. */
static void test_loop(void)
{
	uint64_t *root, iova = 0;
	unsigned int i;

	open_guest(48, 0, NULL, NULL);
	root = at(pt.root);
	root[5] = pt.root | PT_ALL;
	for (i = 0; i != 4; i++)
		iova |= 5ULL << (12 + 9 * i);
	ok(reads(iova + 40, &root[5]) && writes(iova + 4088, &root[511]),
	   "a table that is a page of itself");
	ok(faults_by(6ULL << 12 | 5ULL << 21 | 5ULL << 30 | 5ULL << 39, 0,
		     PTE_FETCH), "and its other entries");
	/* The device can write to the table that it is translated by. */
	root[6] = 0;
	ok(!dma(0, WR, iova + 48, &(uint64_t){ low.gpa | PT_ALL }, 8) &&
	   root[6] == (low.gpa | PT_ALL), "the device writes an entry");
	close_guest();

	open_guest(48, 0, NULL, NULL);
	pt.root = HOLE;
	hwpt = stage1_new(0, 0);
	ok(!mock_replace(fd, &dev, hwpt) && faults_by(A, 0, WALK_EABT),
	   "a root that is not in stage 2");
	close_guest();
}

/* ------------------------------------------------------------------ */
/* Caches */

static void test_stale(void)
{
	const uint32_t un = IOMMU_MOCK_DMA_UNTRANSLATED;
	uint64_t x, y, z, i;

	open_guest(48, 0, NULL, NULL);
	x = page_new(1);
	y = page_new(2);
	z = page_new(3);
	pgtable_map(&pt, A, x, PAGE, PT_ALL);
	pgtable_map(&pt, A + PAGE, x, PAGE, PT_ALL);
	ok(reads(A, at(x)) && reads(A + PAGE, at(x)), "two pages");
	pgtable_map(&pt, A, y, PAGE, PT_ALL);
	pgtable_map(&pt, A + PAGE, y, PAGE, PT_ALL);
	ok(reads(A, at(x)) && reads_as(0, un, A, at(x)),
	   "changed: device TLB and IOTLB are stale");
	ok(flush(A, 1, 0) && reads_as(0, un, A, at(y)) && reads(A, at(y)),
	   "invalidated: neither is");
	ok(reads(A + PAGE, at(x)), "the other page is not invalidated");
	ok(flush(A - PAGE, 3, IOMMU_VTD_INV_FLAGS_LEAF) && reads(A + PAGE, at(y)),
	   "as a part of more, it is");
	ok(reads(A, at(y)), "the first page");
	pgtable_unmap(&pt, A, PAGE);
	ok(reads(A, at(y)) && writes(A, at(y)), "unmapped: it can be used");
	ok(flush(A, 1, 0) && faults_by(A, 0, PTE_FETCH), "invalidated: it cannot");
	pgtable_map(&pt, A, z, PAGE, PT_P | PT_U);
	ok(reads(A, at(z)), "a fault is not remembered");
	pgtable_map(&pt, A, y, PAGE, PT_ALL);
	ok(reads(A, at(z)) && writes(A, at(y)) && reads(A, at(y)),
	   "nor is what is not allowed any more");

	/* Without the device TLB */
	pgtable_map(&pt, B, x, PAGE, PT_ALL);
	ok(reads_as(0, un, B, at(x)), "a request that is not translated");
	pgtable_map(&pt, B, y, PAGE, PT_ALL);
	ok(reads(B, at(x)), "the IOTLB fills the device TLB");
	ok(flush_all() && reads(B, at(y)), "all invalidated");

	/* Replaced in turn */
	pgtable_map(&pt, B, z, PAGE, PT_ALL);
	for (i = 1; i <= IOMMU_MOCK_TLB_ENTRIES; i++)
		pgtable_map(&pt, B + i * PAGE, x, PAGE, PT_ALL);
	for (i = 1; i < IOMMU_MOCK_TLB_ENTRIES; i++)
		reads(B + i * PAGE, at(x));
	ok(reads(B, at(y)), "63 other pages: it is still there");
	reads(B + i * PAGE, at(x));
	ok(reads(B, at(z)), "and one more: it is not");
	close_guest();
}

static void test_large_stale(void)
{
	uint64_t big, iova = A & -PT_2M;

	open_guest(48, 0, NULL, NULL);
	big = guest_alloc_aligned(&low, 2 * PT_2M, PT_2M);
	mem_fill(at(big), 2 * PT_2M, 1);
	pgtable_map_as(&pt, iova, big, PT_2M, PT_2M, PT_ALL);
	ok(reads(iova, at(big)), "2 MiB");
	pgtable_map_as(&pt, iova, big + PT_2M, PT_2M, PT_2M, PT_ALL);
	ok(reads(iova + PT_2M - 8, at(big + PT_2M - 8)), "all of it is stale");
	ok(flush(iova + 7 * PAGE, 1, 0) &&
	   reads(iova + PT_2M - 8, at(big + 2 * PT_2M - 8)),
	   "invalidating a part invalidates it");
	close_guest();
}

/* Another table at the same address: LEAF leaves where the old one was. */
static void test_walk_cache(void)
{
	uint64_t x, y, old, new, *entry, i;

	open_guest(48, 0, NULL, NULL);
	x = page_new(1);
	y = page_new(2);
	pgtable_map(&pt, A, x, PAGE, PT_ALL);
	pgtable_map(&pt, A + PAGE, x, PAGE, PT_ALL);
	entry = pgtable_entry(&pt, A, 2);
	old = *entry & PT_ADDR;
	new = guest_alloc(&low, PAGE);
	memcpy(at(new), at(old), PAGE);
	ok(reads(A, at(x)), "a page");
	pgtable_set(entry, new | PT_ALL);
	pgtable_map(&pt, A, y, PAGE, PT_ALL);
	pgtable_map(&pt, A + PAGE, y, PAGE, PT_ALL);
	ok(flush(A, 1, IOMMU_VTD_INV_FLAGS_LEAF) && reads(A, at(x)),
	   "another table, invalidated with LEAF: it is the old one's");
	ok(reads(A + PAGE, at(x)), "and so is a page that was not used before");
	ok(flush(A, 1, 0) && reads(A, at(y)) && reads(A + PAGE, at(x)),
	   "without LEAF: the new one's, but not beside it");
	ok(flush(A + PAGE, 1, 0) && reads(A + PAGE, at(y)), "then there, too");

	/* The table goes: what is known of it lets all of its pages be used. */
	pgtable_set(entry, 0);
	ok(flush(A, 2, IOMMU_VTD_INV_FLAGS_LEAF) && reads(A, at(y)),
	   "no table, LEAF");
	ok(flush(A, 2, 0) && faults_by(A, 0, PTE_FETCH), "no table");

	/* What the old table lacks is a fault, and then it is asked for again. */
	pgtable_set(entry, old | PT_ALL);
	ok(reads(A, at(x)), "the old table");
	*(uint64_t *)(at(old) + (A / PAGE % 512) * 8) = 0;
	pgtable_set(entry, new | PT_ALL);
	ok(flush(A, 1, IOMMU_VTD_INV_FLAGS_LEAF) && faults_by(A, 0, PTE_FETCH) &&
	   reads(A, at(y)), "a fault is that of the old table, once");

	/* Less is allowed further up. */
	pgtable_set(entry, new | PT_P | PT_U);
	ok(flush(A, 1, IOMMU_VTD_INV_FLAGS_LEAF) && writes(A, at(y)),
	   "a table becomes read-only: not with LEAF");
	ok(flush(A, 1, 0) && faults_by(A, WR, PERMISSION), "but without");

	pgtable_set(entry, old | PT_ALL);
	for (i = 1; i <= IOMMU_MOCK_WALK_ENTRIES; i++) {
		pgtable_map(&pt, A + i * PT_2M, x, PAGE, PT_ALL);
		reads(A + i * PT_2M, at(x));
	}
	ok(flush(A, 512, IOMMU_VTD_INV_FLAGS_LEAF) && faults_by(A, 0, PTE_FETCH),
	   "32 other tables replace it");
	close_guest();
}

/* What the host does is seen at once. */
static void test_host(void)
{
	struct pgtable other;
	uint64_t x, y;
	uint32_t id;

	open_guest(48, 0, NULL, NULL);
	x = page_new(1);
	y = page_new(2);
	pgtable_map(&pt, A, x, PAGE, PT_ALL);
	pgtable_map(&pt, A + PAGE, RO_GPA, PAGE, PT_ALL);
	mem_fill(ro, PAGE, 3);
	ok(reads(A, at(x)) && reads(A + PAGE, ro), "two pages");
	ok(!ioas_unmap(fd, ioas, RO_GPA, PAGE, NULL) &&
	   faults_by(A + PAGE, 0, ACCESS) && reads(A, at(x)),
	   "unmapped from stage 2: at once");
	ok(!mock_check_refs(fd, ro, PAGE, 0), "and not pinned");
	map_stage2(wo, PAGE, RO_GPA, IOAS_RW);
	ok(reads(A + PAGE, wo), "something else there: at once");
	pgtable_map(&pt, A, y, PAGE, PT_ALL);
	ok(reads(A, at(x)), "stale");
	ok(!ioas_unmap(fd, ioas, RO_GPA, PAGE, NULL) && reads(A, at(y)),
	   "any unmap from stage 2 empties the TLBs");

	other = pgtable_new(&low, 48);
	pgtable_map(&other, A, x, PAGE, PT_ALL);
	if (stage1_alloc(fd, dev.idev, parent, IOMMU_HWPT_ALLOC_PASID,
			 other.root, 48, 0, 0, &id))
		bail("a second page table");
	ok(reads(A, at(y)) && !mock_replace(fd, &dev, id) && reads(A, at(x)),
	   "another page table: at once");
	pgtable_map(&pt, A, x, PAGE, PT_ALL);
	pgtable_map(&other, A, y, PAGE, PT_ALL);
	ok(!mock_replace(fd, &dev, hwpt) && reads(A, at(x)) &&
	   !mock_replace(fd, &dev, id) && reads(A, at(y)),
	   "and back, twice: nothing is remembered");
	ok(!iommu_destroy_id(fd, hwpt) && reads(A, at(y)), "the first one goes");
	close_guest();
}

/* ------------------------------------------------------------------ */
/* PASIDs */

static int attach(uint32_t pasid, uint32_t id)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_ATTACH, &dev, pasid, id);
}

static int detach(uint32_t pasid)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_DETACH, &dev, pasid, 0);
}

static bool pasid_faults(uint32_t pasid)
{
	return faults_as(pasid, 0, A, IOMMU_FAULT_REASON_PASID_INVALID);
}

static void test_pasids(void)
{
	struct pgtable other;
	struct mock plain;
	uint64_t x, y, i;
	uint32_t id;

	open_guest(48, 0, NULL, NULL);
	x = page_new(1);
	y = page_new(2);
	pgtable_map(&pt, A, x, PAGE, PT_ALL);
	other = pgtable_new(&low, 48);
	pgtable_map(&other, A, y, PAGE, PT_ALL);
	if (stage1_alloc(fd, dev.idev, parent, IOMMU_HWPT_ALLOC_PASID,
			 other.root, 48, 0, 0, &id))
		bail("a second page table");
	ok(!attach(PASID, id) && reads_as(PASID, 0, A, at(y)) &&
	   reads(A, at(x)), "a PASID has its own page table");
	ok(!mock_pasid(fd, IOMMU_TEST_OP_PASID_REPLACE, &dev, PASID, hwpt) &&
	   reads_as(PASID, 0, A, at(x)), "moved: at once");
	ok(!detach(PASID) && pasid_faults(PASID), "detached: at once");
	ok(!attach(PASID, id) && pasid_faults(PASID),
	   "attached again: that it was not is remembered");
	ok(!stage1_invalidate(fd, id, 0, UINT64_MAX, 0) && pasid_faults(PASID),
	   "an IOTLB invalidation does not change that");
	ok(!detach(PASID) && !attach(PASID, id) && reads_as(PASID, 0, A, at(y)),
	   "detached, and attached before it is tried: it works");
	ok(pasid_faults(PASID + 1) && !attach(PASID + 1, id),
	   "another one is tried too early");
	for (i = 0; i != IOMMU_MOCK_TLB_ENTRIES - 2; i++)
		pasid_faults(1000 + i);
	ok(pasid_faults(PASID + 1), "62 others beside it: still");
	for (i = 0; i != 2; i++)
		pasid_faults(2000 + i);
	ok(reads_as(PASID + 1, 0, A, at(y)), "two more: the cache is full");
	ok(!attach(PASID + 2, parent) && reads_as(PASID + 2, 0, x, at(x)),
	   "a PASID with stage 2 only");
	ok(!detach(PASID) && !detach(PASID + 1) && !detach(PASID + 2) &&
	   !iommu_destroy_id(fd, id), "the page table goes");
	plain = mock_new(fd, hwpt, 0);
	dma_to(&last, plain.idev, PASID, 0, A, &i, 8);
	ok(last.out_faulted &&
	   last.out_reason == IOMMU_FAULT_REASON_PASID_INVALID,
	   "a device without PASIDs");
	close_guest();
}

/* ------------------------------------------------------------------ */
/* Page requests */

struct waiter {
	pthread_t thread;
	uint32_t idev, pasid, flags;
	uint64_t iova, word;
	int rc;
	struct iommu_mock_dma dma;
};

static void *wait_thread(void *arg)
{
	struct waiter *w = arg;

	w->rc = dma_to(&w->dma, w->idev, w->pasid, w->flags | IOMMU_MOCK_DMA_PRI,
		       w->iova, &w->word, sizeof(w->word));
	return NULL;
}

static void waiter_start(struct waiter *w, uint32_t pasid, uint32_t flags,
			 uint64_t iova)
{
	*w = (struct waiter){ .idev = dev.idev, .pasid = pasid, .flags = flags,
			      .iova = iova };
	if (pthread_create(&w->thread, NULL, wait_thread, w))
		bail("pthread_create");
}

/* It has ended, after @requests, without or with that fault. */
static bool waiter_ended(struct waiter *w, uint32_t requests, bool faulted,
			 uint32_t reason)
{
	pthread_join(w->thread, NULL);
	last = w->dma;
	if (!w->rc && w->dma.out_requests == requests &&
	    w->dma.out_faulted == faulted && w->dma.out_reason == reason)
		return true;
	show_last();
	return false;
}

static struct iommu_hwpt_pgfault next_request(int queue)
{
	struct iommu_hwpt_pgfault rec;
	ssize_t got;

	do {
		got = read(queue, &rec, REC);
		if (got < 0)
			bail("read a request");
		if (!got)
			sched_yield();
	} while (!got);
	return rec;
}

static bool answer(int queue, uint32_t cookie, uint32_t code)
{
	struct iommu_hwpt_page_response resp = { cookie, code };

	return write(queue, &resp, sizeof(resp)) == (ssize_t)sizeof(resp);
}

static void test_requests(void)
{
	struct iommu_hwpt_pgfault rec;
	uint64_t x, iova = A + 0x238;
	struct waiter w;
	uint32_t fault;
	int queue;

	open_guest(48, IOMMU_VTD_S1_SRE | IOMMU_VTD_S1_WPE, &fault, &queue);
	x = page_new(1);
	waiter_start(&w, 0, 0, iova);
	rec = next_request(queue);
	ok(rec.addr == A && rec.perm == 1 && rec.dev_id == dev.idev &&
	   rec.grpid < 512 && rec.flags == IOMMU_PGFAULT_FLAGS_LAST_PAGE,
	   "a page is requested");
	pgtable_map(&pt, A, x, PAGE, PT_P | PT_U);
	ok(answer(queue, rec.cookie, 0) && waiter_ended(&w, 1, false, 0) &&
	   !memcmp(&w.word, at(x + 0x238), 8), "it comes, and is read");

	waiter_start(&w, 0, WR | PRIV, iova);
	rec = next_request(queue);
	ok(rec.perm == (2 | 8), "what is not allowed is requested, too");
	pgtable_map(&pt, A, x, PAGE, PT_ALL);
	ok(answer(queue, rec.cookie, 0) && waiter_ended(&w, 1, false, 0) &&
	   !*(uint64_t *)at(x + 0x238), "it becomes so, without an invalidation");

	waiter_start(&w, 0, 0, B);
	rec = next_request(queue);
	ok(answer(queue, rec.cookie, 1) &&
	   waiter_ended(&w, 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "the answer is INVALID");
	waiter_start(&w, 0, EX, B);
	rec = next_request(queue);
	ok(rec.perm == (1 | 4) && answer(queue, rec.cookie, 0), "SUCCESS");
	rec = next_request(queue);
	ok(answer(queue, rec.cookie, 0), "again");
	rec = next_request(queue);
	ok(answer(queue, rec.cookie, 0) &&
	   waiter_ended(&w, 3, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "and again, and it is not true");

	/* What no page can cure */
	*pgtable_entry(&pt, A, 3) = HOLE | PT_ALL;
	waiter_start(&w, 0, 0, A + PT_2M);
	ok(waiter_ended(&w, 0, true, IOMMU_FAULT_REASON_WALK_EABT),
	   "a table that is not in stage 2 is not requested");
	waiter_start(&w, PASID, 0, A);
	ok(waiter_ended(&w, 0, true, IOMMU_FAULT_REASON_PASID_INVALID),
	   "nor is a PASID");
	waiter_start(&w, 0, 0, 1ULL << 60);
	ok(waiter_ended(&w, 0, true, IOMMU_FAULT_REASON_OOR_ADDRESS),
	   "nor an address out of range");
	ok(!read(queue, &rec, REC), "nothing has come of them");
	ok(faults_by(B + PT_1G, 0, PTE_FETCH) && !last.out_requests &&
	   !read(queue, &rec, REC), "nothing comes without PRI");
	close(queue);
	waiter_start(&w, 0, 0, UPPER);
	ok(waiter_ended(&w, 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "nobody has the queue open");
	close_guest();
}

/* Two at once, with a PASID, beside a request of the test command's */
static void test_two_requests(void)
{
	struct iommu_hwpt_pgfault rec[3];
	struct waiter w[2];
	uint32_t fault, id;
	uint64_t x;
	int queue;

	open_guest(48, 0, &fault, &queue);
	x = page_new(1);
	id = stage1_new(0, fault);
	ok(!attach(PASID, id), "a PASID");
	waiter_start(&w[0], PASID, 0, A);
	rec[0] = next_request(queue);
	waiter_start(&w[1], PASID, 0, A);
	rec[1] = next_request(queue);
	ok(rec[0].pasid == PASID && rec[0].grpid != rec[1].grpid &&
	   rec[0].flags == (IOMMU_PGFAULT_FLAGS_LAST_PAGE |
			    IOMMU_PGFAULT_FLAGS_PASID_VALID),
	   "two requests, two groups");
	ok(!mock_request_page(fd, dev.idev, PASID, rec[0].grpid, 2, A),
	   "the test command's may have the number of one");
	rec[2] = next_request(queue);
	ok(answer(queue, rec[2].cookie, 1), "it is answered");
	pgtable_map(&pt, A, x, PAGE, PT_ALL);
	ok(answer(queue, rec[1].cookie, 0) && waiter_ended(&w[1], 1, false, 0),
	   "the second goes on");
	ok(answer(queue, rec[0].cookie, 1) &&
	   waiter_ended(&w[0], 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "the first does not");
	/* All the same: whose answer is whose does not matter. */
	waiter_start(&w[0], 0, 0, B);
	rec[0] = next_request(queue);
	ok(!mock_request_page(fd, dev.idev, 0, rec[0].grpid, 1, B), "a twin");
	rec[1] = next_request(queue);
	ok(answer(queue, rec[1].cookie, 1) &&
	   waiter_ended(&w[0], 1, true, IOMMU_FAULT_REASON_PTE_FETCH) &&
	   answer(queue, rec[0].cookie, 1), "its answer is as good");
	close(queue);
	close_guest();
}

/* Who waits is answered when what it waits for goes. */
static void test_gone(void)
{
	struct iommu_hwpt_pgfault rec;
	struct waiter w;
	uint32_t fault, id;
	int queue;

	open_guest(48, 0, &fault, &queue);
	waiter_start(&w, 0, 0, A);
	rec = next_request(queue);
	close(queue);
	ok(waiter_ended(&w, 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "the queue is closed");
	close_guest();

	open_guest(48, 0, &fault, &queue);
	id = stage1_new(0, fault);
	if (attach(PASID, id))
		bail("PASID_ATTACH");
	waiter_start(&w, PASID, 0, A);
	rec = next_request(queue);
	ok(!detach(PASID) && !answer(queue, rec.cookie, 0) &&
	   waiter_ended(&w, 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "the PASID is detached");
	waiter_start(&w, 0, 0, A);
	rec = next_request(queue);
	ok(!mock_replace(fd, &dev, parent) &&
	   waiter_ended(&w, 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "the device moves");
	if (mock_replace(fd, &dev, hwpt))
		bail("MOCK_DOMAIN_REPLACE");
	waiter_start(&w, 0, 0, A);
	rec = next_request(queue);
	ok(!mock_destroy(fd, &dev) && !answer(queue, rec.cookie, 0) &&
	   waiter_ended(&w, 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "the device is destroyed");
	fails(dma(0, 0, A, &w.word, 8), ENOENT, "it is gone");
	close(queue);
	close_guest();
}

/* A process that is killed while its device waits; who answers does not know. */
static void test_killed(void)
{
	struct iommu_hwpt_pgfault rec[2];
	struct waiter w;
	uint32_t fault;
	int status, queue, i;
	pid_t pid[2];

	open_guest(48, 0, &fault, &queue);
	for (i = 0; i != 2; i++) {
		fflush(stdout);
		pid[i] = fork();
		if (pid[i] < 0)
			bail("fork");
		if (!pid[i]) {
			w = (struct waiter){ .idev = dev.idev, .iova = A };
			wait_thread(&w);
			_exit(1);
		}
		rec[i] = next_request(queue);
	}
	for (i = 0; i != 2; i++) {
		ok(!kill(pid[i], SIGKILL) &&
		   waitpid(pid[i], &status, 0) == pid[i] &&
		   WIFSIGNALED(status), "killed while it waits");
	}
	waiter_start(&w, 0, 0, A);
	rec[1].grpid = next_request(queue).grpid;
	ok(rec[1].grpid != rec[0].grpid, "its group is in use until it is answered");
	ok(answer(queue, rec[0].cookie, 0), "the answer to the first comes late");
	ok(!mock_destroy(fd, &dev) &&
	   waiter_ended(&w, 1, true, IOMMU_FAULT_REASON_PTE_FETCH),
	   "that to the second not at all");
	close(queue);
	close_guest();
}

/* ------------------------------------------------------------------ */
/* All at once */

struct racer {
	pthread_t thread;
	unsigned int seed, good, bad;
	atomic_bool *stop;
};

static void *dma_thread(void *arg)
{
	static const uint32_t more[] = { 0, WR, PRIV, EX,
					 IOMMU_MOCK_DMA_UNTRANSLATED,
					 IOMMU_MOCK_DMA_PRI };
	char *buf = mem_alloc(4 * PAGE);
	struct racer *r = arg;
	struct iommu_mock_dma d;
	uint64_t iova;

	while (!atomic_load(r->stop)) {
		iova = A + rand_r(&r->seed) % (8 * PAGE);
		if (dma_to(&d, dev.idev, rand_r(&r->seed) % 2 ? PASID : 0,
			   more[rand_r(&r->seed) % 6], iova, buf,
			   1 + rand_r(&r->seed) % (3 * PAGE)))
			r->bad += errno != ENOENT;
		else
			r->good += !d.out_faulted;
	}
	munmap(buf, 4 * PAGE);
	return NULL;
}

static void test_races(unsigned int rounds)
{
	struct racer r[2] = { { .seed = 1 }, { .seed = 2 } };
	atomic_bool stop = false;
	uint64_t data, extra;
	unsigned int i, bad = 0;
	uint32_t fault, id;
	int queue;

	open_guest(48, IOMMU_VTD_S1_SRE, &fault, &queue);
	close(queue);
	data = guest_alloc(&low, 8 * PAGE);
	extra = HIGH + HIGH_SIZE;
	pgtable_map(&pt, A, data, 6 * PAGE, PT_ALL);
	pgtable_map(&pt, A + 6 * PAGE, extra, 2 * PAGE, PT_ALL);
	for (i = 0; i != 2; i++) {
		r[i].stop = &stop;
		if (pthread_create(&r[i].thread, NULL, dma_thread, &r[i]))
			bail("pthread_create");
	}
	for (i = 0; i != rounds; i++) {
		char *mem = mem_alloc(2 * PAGE);

		id = stage1_new(IOMMU_VTD_S1_SRE, fault);
		bad += ioas_map_at(fd, ioas, mem, 2 * PAGE, extra, IOAS_RW) ||
		       attach(PASID, id) || mock_replace(fd, &dev, id);
		pgtable_map(&pt, A, data, PAGE, i % 2 ? PT_ALL : PT_P);
		bad += stage1_invalidate(fd, id, A, 8, i % 2) ||
		       ioas_unmap(fd, ioas, extra, 2 * PAGE, NULL);
		munmap(mem, 2 * PAGE);
		bad += detach(PASID) || mock_replace(fd, &dev, hwpt) ||
		       iommu_destroy_id(fd, id);
	}
	ok(!mock_destroy(fd, &dev), "destroy the device");
	atomic_store(&stop, true);
	for (i = 0; i != 2; i++) {
		pthread_join(r[i].thread, NULL);
		bad += r[i].bad || !r[i].good;
	}
	ok(!bad, "DMA, and all goes and comes (%u and %u were whole, %u bad)",
	   r[0].good, r[1].good, bad);
	close_guest();
}

int main(int argc, char **argv)
{
	low = (struct guest_mem){ mem_alloc(LOW_SIZE), LOW, LOW_SIZE, 0 };
	high = (struct guest_mem){ mem_alloc(HIGH_SIZE), HIGH, HIGH_SIZE, 0 };
	ro = mem_alloc(PAGE);
	wo = mem_alloc(PAGE);
	test_alloc();
	test_args();
	test_levels();
	test_long();
	test_bits(48);
	test_bits(WIDE);
	test_privileged();
	test_stage2();
	test_bad_entries();
	test_loop();
	test_stale();
	test_large_stale();
	test_walk_cache();
	test_host();
	test_pasids();
	test_requests();
	test_two_requests();
	test_gone();
	test_killed();
	test_races(argc > 1 ? atoi(argv[1]) : 300);
	return tap_done();
}
