// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning, mapping and unmapping much memory in one call must let others run.
 * The caller shares one CPU with a thread that never sleeps: while the call is
 * at work the scheduler must have taken the CPU from it again and again.  (On a
 * kernel that preempts everywhere this is so anyway; Debian's does not.)
 *
 * known-bugs.md row 35.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "edu.h"

#define SIZE (1 * GIB)
#define IOVA (4 * GIB)
/* A call that never lets go is interrupted once at most, when it returns. */
#define ENOUGH 3

static atomic_bool stop;

static void *busy_thread(void *arg)
{
	while (!atomic_load(&stop))
		;
	return arg;
}

static void one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bail("sched_setaffinity");
}

static long switches(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage))
		bail("getrusage");
	return usage.ru_nivcsw;
}

int main(void)
{
	struct vfio_pci_addr addr = edu_first();
	struct edu_session s;
	long before, mapped, unmapped;
	uint64_t done;
	pthread_t busy;
	uint8_t *mem;
	int rc;

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED || madvise(mem, SIZE, MADV_NOHUGEPAGE))
		bail("mmap");
	note("touching %llu MiB", SIZE / MIB);
	for (uint64_t i = 0; i != SIZE; i += PAGE)
		mem[i] = 1;

	/* The other thread inherits the CPU. */
	one_cpu();
	if (pthread_create(&busy, NULL, busy_thread, NULL))
		bail("pthread_create");
	before = switches();
	rc = dma_map(s.container, IOVA, mem, SIZE);
	mapped = switches() - before;
	ok(!rc, "MAP_DMA of %llu MiB", SIZE / MIB);
	before = switches();
	rc = dma_unmap(s.container, IOVA, SIZE, &done);
	unmapped = switches() - before;
	ok(!rc && done == SIZE, "UNMAP_DMA");
	atomic_store(&stop, true);
	pthread_join(busy, NULL);

	ok(mapped >= ENOUGH, "MAP_DMA gave the CPU away %ld times", mapped);
	ok(unmapped >= ENOUGH, "UNMAP_DMA gave the CPU away %ld times",
	   unmapped);
	edu_session_close(&s);
	return tap_done();
}
