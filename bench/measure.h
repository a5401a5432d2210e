/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions, IOTLB invalidations and locked operations of one ioctl.
 *
 * The guest runs with -icount shift=0, where the time stamp counter counts
 * executed instructions.  Invalidations are what the tracepoint of the Intel
 * IOMMU's queue sees; with a counter on it a kernel executes more, so they are
 * counted in a repetition of their own.  Locked operations are counted by the
 * QEMU plugin (count_plugin.c), between two marks that do nothing here.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <time.h>
#include <x86intrin.h>

#include "diff_sides.h"
#include "marks.h"

#define MAX_SAMPLES 128

/**
 * struct samples - one operation, repeated
 * @kind: what the marks say
 * @first: of this kind, how many regions were marked before
 * @n: repetitions
 * @insns: instructions of each
 * @invalidations: submitted in the repetition that counts them; -1 unknown
 */
struct samples {
	enum mark_kind kind;
	unsigned int first;
	unsigned int n;
	uint64_t insns[MAX_SAMPLES];
	int64_t invalidations;
};

static unsigned int marked[MARK_KINDS];

static inline void samples_init(struct samples *s, enum mark_kind kind)
{
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->first = marked[kind];
	s->invalidations = -1;
}

static inline uint64_t instructions(void)
{
	return __rdtsc();
}

static inline void sample_begin(struct samples *s)
{
	marked[s->kind]++;
	if (s->kind == MARK_MAP)
		mark(MARK_MAP);
	else
		mark(MARK_UNMAP);
	s->insns[s->n] = instructions();
}

static inline void sample_end(struct samples *s)
{
	s->insns[s->n] = instructions() - s->insns[s->n];
	mark(MARK_END);
	s->n++;
}

static inline int cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline uint64_t samples_median(struct samples *s)
{
	if (!s->n)
		bail("no samples");
	qsort(s->insns, s->n, sizeof(*s->insns), cmp_u64);
	return s->insns[s->n / 2];
}

/* Of the guest's time, which passes in no time when nobody has anything to do. */
static inline void sleep_ms(unsigned int ms)
{
	struct timespec pause = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000,
	};

	nanosleep(&pause, NULL);
}

/*
 * What the line prints is passed on by another process.  It gets the CPU now,
 * and not in the middle of the next measurement.
 */
static inline void let_others_run(void)
{
	fflush(stdout);
	sleep_ms(50);
}

/* A loop of a known number of instructions: is the counter what it has to be? */
static inline void check_instructions(void)
{
	const uint64_t want = 2 * 100000;
	uint64_t count = want / 2, start = instructions(), took;

	asm volatile("1: dec %0; jnz 1b" : "+r" (count));
	took = instructions() - start;
	/* A timer tick may come between; another unit would be far off. */
	if (took < want || took > want + want / 2)
		bail("a loop of %" PRIu64 " instructions counts %" PRIu64
		     ": is the guest run with -icount shift=0?", want, took);
}

/* ------------------------------------------------------------------ */
/* Invalidations */

#define QI_SUBMIT "/sys/kernel/tracing/events/intel_iommu/qi_submit/id"

/* A counter of the descriptors that this process submits; -1 without any */
static inline int invalidations_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	FILE *f = fopen(QI_SUBMIT, "re");
	unsigned long long id;
	int fd;

	if (!f)
		return -1;
	if (fscanf(f, "%llu", &id) != 1)
		bail("read " QI_SUBMIT);
	fclose(f);
	attr.config = id;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		bail("perf_event_open");
	return fd;
}

static inline int64_t invalidations_read(int fd)
{
	uint64_t count;

	if (fd < 0)
		return -1;
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		bail("read of the tracepoint's counter");
	return count;
}

static inline void invalidations_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* ------------------------------------------------------------------ */
/* Memory of the kernel */

/**
 * struct memory - what the kernel uses, in bytes
 * @slabs: slab caches and large kmallocs, without what can be reclaimed
 * @all: whatever is not free
 *
 * The IOMMU drivers of 6.1 take page tables from the page allocator, not from
 * slab caches: a difference of @all has them, one of @slabs has not.
 */
struct memory {
	int64_t slabs;
	int64_t all;
};

#define SLABS "/sys/kernel/slab"

/*
 * What a CPU keeps of a slab cache would hide what is allocated next: have the
 * caches give back all that is free.
 */
static inline void shrink_slabs(void)
{
	DIR *dir = opendir(SLABS);
	char path[PATH_MAX];
	struct dirent *de;

	if (!dir)
		bail("no " SLABS);
	while ((de = readdir(dir))) {
		/* A link is another name of a cache that has several. */
		if (de->d_name[0] == '.' || de->d_type == DT_LNK)
			continue;
		snprintf(path, sizeof(path), SLABS "/%s/shrink", de->d_name);
		limit_set(path, 1);
	}
	closedir(dir);
}

/* Free pages, with those that a CPU keeps for itself */
static inline int64_t free_pages(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	int64_t pages, sum = 0;
	char line[256];

	if (!f)
		bail("open zoneinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " nr_free_pages %" SCNd64, &pages) == 1 ||
		    sscanf(line, " count: %" SCNd64, &pages) == 1)
			sum += pages;
	fclose(f);
	return sum;
}

static inline struct memory memory_now(void)
{
	struct memory m;

	/* What waits for RCU is freed meanwhile. */
	sleep_ms(1000);
	shrink_slabs();
	vmstat_refresh();
	m.slabs = counter("/proc/vmstat", "nr_slab_unreclaimable") * (int64_t)PAGE;
	m.all = -free_pages() * (int64_t)PAGE;
	return m;
}

#endif
