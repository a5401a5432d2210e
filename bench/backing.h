/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a known kind.  How it lies in physical memory is looked up, not
 * hoped for: memory that is not of its kind ends the program.
 */
#ifndef BENCH_BACKING_H
#define BENCH_BACKING_H

#include "native_util.h"
#include "measure.h"

#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"

/**
 * enum backing_kind - kinds of memory
 * @SCATTERED: pages of 4 KiB whose neighbours are somewhere else
 * @PTE_THP: huge pages that the CPU's page table maps by 4 KiB
 * @THP: transparent huge pages
 * @HUGETLB: huge pages of 2 MiB out of the pool
 * @MEMFD: shared memory, pages scattered, mapped by address
 * @MEMFD_FILE: the same, mapped by file descriptor (native ioctls only)
 */
enum backing_kind {
	SCATTERED,
	PTE_THP,
	THP,
	HUGETLB,
	MEMFD,
	MEMFD_FILE,
	BACKING_KINDS,
};

static const char *const backing_names[BACKING_KINDS] = {
	"scattered", "pte-thp", "thp", "hugetlb", "memfd", "memfd-file",
};

struct backing {
	enum backing_kind kind;
	uint8_t *va;
	uint64_t size;
	int fd;			/* of a memfd, else -1 */
	void *area;		/* what to unmap */
	uint64_t area_size;
	unsigned long pool;	/* huge pages that were in the pool before */
};

/* Touch each page, neighbours at different times. */
static inline void touch_scattered(uint8_t *va, uint64_t size)
{
	uint32_t n = size / PAGE, i, j, swap;
	uint32_t *order = malloc(n * sizeof(*order));

	if (!order)
		bail("malloc");
	for (i = 0; i != n; i++)
		order[i] = i;
	/* The same order each time: srandom() is the program's first step. */
	for (i = n - 1; i; i--) {
		j = random_below(i + 1);
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	for (i = 0; i != n; i++)
		va[order[i] * PAGE] = 1;
	free(order);
}

static inline void *huge_aligned(struct backing *b)
{
	b->area_size = b->size + HUGE_PAGE;
	b->area = mmap(NULL, b->area_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->area == MAP_FAILED)
		bail("mmap of %" PRIu64 " bytes", b->area_size);
	return (void *)(((uintptr_t)b->area + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

/*
 * A page that has another protection for a moment: the kernel must map the huge
 * page around it by 4 KiB for that, and leaves it so.
 */
static inline void split_page_tables(struct backing *b)
{
	uint64_t at;

	for (at = 0; at < b->size; at += HUGE_PAGE)
		if (mprotect(b->va + at, PAGE, PROT_READ) ||
		    mprotect(b->va + at, PAGE, PROT_READ | PROT_WRITE))
			bail("mprotect");
	/* Or khugepaged puts them together again. */
	if (madvise(b->va, b->size, MADV_NOHUGEPAGE))
		bail("madvise");
}

static inline void make_hugetlb(struct backing *b)
{
	unsigned long want = b->size / HUGE_PAGE;

	b->pool = limit_get(NR_HUGEPAGES);
	if (b->pool < want)
		huge_pages(want);
	b->area_size = b->size;
	b->area = mmap(NULL, b->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (b->area == MAP_FAILED)
		bail("mmap of %lu huge pages", want);
	b->va = b->area;
}

static inline void make_memfd(struct backing *b)
{
	b->fd = memfd_new(0, b->size);
	b->area_size = b->size;
	b->area = memfd_map(b->fd, b->size);
	b->va = b->area;
	touch_scattered(b->va, b->size);
}

/* ------------------------------------------------------------------ */
/* What it is */

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN ((1ULL << 55) - 1)

/* Runs of page frames that follow each other, in the first @size bytes */
static inline uint64_t backing_runs(const struct backing *b, uint64_t size)
{
	uint64_t entries[512], last = 0, runs = 0, at = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t got, i;

	if (fd < 0)
		bail("open pagemap");
	while (at != size) {
		size_t want = size - at < sizeof(entries) * PAGE / 8 ?
			      (size - at) / PAGE * 8 : sizeof(entries);

		got = pread(fd, entries, want, ((uintptr_t)b->va + at) / PAGE * 8);
		if (got <= 0 || got % 8)
			bail("read pagemap");
		for (i = 0; i != got / 8; i++) {
			if (!(entries[i] & PAGEMAP_PRESENT))
				bail("%s memory is not present", backing_names[b->kind]);
			entries[i] &= PAGEMAP_PFN;
			runs += entries[i] != last + 1 || !last;
			last = entries[i];
		}
		at += got / 8 * PAGE;
	}
	close(fd);
	return runs;
}

/* Bytes of it that the CPU's page table maps as transparent huge pages */
static inline uint64_t backing_huge(const struct backing *b)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long first, last;
	uint64_t kib, sum = 0;
	bool inside = false;
	char line[512];

	if (!f)
		bail("open smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			inside = first < (uintptr_t)b->va + b->size &&
				 last > (uintptr_t)b->va;
		else if (inside && sscanf(line, "AnonHugePages: %" SCNu64, &kib) == 1)
			sum += kib * KIB;
	}
	fclose(f);
	return sum;
}

static inline void backing_check(const struct backing *b)
{
	uint64_t runs = backing_runs(b, b->size), huge = backing_huge(b);
	uint64_t pages = b->size / PAGE;
	bool right;

	switch (b->kind) {
	case PTE_THP:
		right = runs <= b->size / HUGE_PAGE && !huge;
		break;
	case THP:
		right = runs <= b->size / HUGE_PAGE && huge == b->size;
		break;
	case HUGETLB:
		right = runs <= b->size / HUGE_PAGE;
		break;
	default:
		right = runs >= pages - pages / 20 && !huge;
	}
	errno = 0;
	if (!right)
		bail("%s memory is something else: %" PRIu64 " pages, %" PRIu64
		     " runs, %" PRIu64 " bytes mapped huge",
		     backing_names[b->kind], pages, runs, huge);
}

/* @size is a multiple of HUGE_PAGE */
static inline void backing_make(struct backing *b, enum backing_kind kind, uint64_t size)
{
	memset(b, 0, sizeof(*b));
	b->kind = kind;
	b->size = size;
	b->fd = -1;
	switch (kind) {
	case SCATTERED:
		b->va = huge_aligned(b);
		madvise(b->area, b->area_size, MADV_NOHUGEPAGE);
		touch_scattered(b->va, size);
		break;
	case PTE_THP:
	case THP:
		b->va = huge_aligned(b);
		madvise(b->area, b->area_size, MADV_HUGEPAGE);
		for (uint64_t at = 0; at < size; at += HUGE_PAGE)
			b->va[at] = 1;
		if (kind == PTE_THP)
			split_page_tables(b);
		break;
	case HUGETLB:
		make_hugetlb(b);
		break;
	default:
		make_memfd(b);
	}
	backing_check(b);
}

static inline void backing_free(struct backing *b)
{
	munmap(b->area, b->area_size);
	if (b->fd >= 0)
		close(b->fd);
	if (b->kind == HUGETLB)
		huge_pages(b->pool);
}

#endif
