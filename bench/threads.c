// SPDX-License-Identifier: GPL-2.0-only
/*
 * Do two threads that map and unmap different ranges of one address space wait
 * for each other?  Wall time of one thread, and of two that do as much each, on
 * two CPUs.  Runs in the guest of scripts/bench --threads.
 *
 * The machine below may be busy, so each figure is the best of several tries,
 * and two threads that only compute tell what two CPUs are worth at that moment.
 * How often the two threads slept, which is what waiting for a lock comes to,
 * does not depend on that.
 */
#include <sys/resource.h>

#include "side.h"

#define TRIES 7
#define THREADS 2

/* What a thread does in one go: @rounds times map and unmap @size */
struct work {
	const char *name;
	enum backing_kind kind;
	uint64_t size;
	unsigned int rounds;
};

static const struct work works[] = {
	{ "64M scattered", SCATTERED, 64 * MIB, 1 },
	{ "64M thp", THP, 64 * MIB, 60 },
	{ "4K", SCATTERED, PAGE, 4000 },
};

#define COMPUTE_LOOPS 100000000

struct thread {
	pthread_t id;
	unsigned int cpu;
	const struct side *side;	/* NULL: only compute */
	const struct work *work;
	struct range range;
	double start_ms, end_ms;	/* out */
	long sleeps;			/* out */
};

static pthread_barrier_t barrier;

static void compute(void)
{
	uint64_t count = COMPUTE_LOOPS;

	asm volatile("1: dec %0; jnz 1b" : "+r" (count));
}

static void map_and_unmap(const struct thread *t)
{
	const struct side_ops *ops = t->side->ops;
	unsigned int i;

	for (i = 0; i != t->work->rounds; i++) {
		if (ops->map(t->side, &t->range))
			bail("%s map", ops->name);
		if (ops->unmap(t->side, &t->range))
			bail("%s unmap", ops->name);
	}
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static long sleeps(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage))
		bail("getrusage");
	return usage.ru_nvcsw;
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(t->cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		bail("no CPU %u", t->cpu);
	pthread_barrier_wait(&barrier);
	t->sleeps = -sleeps();
	t->start_ms = now_ms();
	if (t->side)
		map_and_unmap(t);
	else
		compute();
	t->end_ms = now_ms();
	t->sleeps += sleeps();
	return NULL;
}

/* Milliseconds from when the first of @n threads begins until the last is done */
static double run_once(struct thread *threads, unsigned int n)
{
	double start_ms, end_ms;
	unsigned int i;

	pthread_barrier_init(&barrier, NULL, n);
	for (i = 0; i != n; i++)
		if (pthread_create(&threads[i].id, NULL, thread_main, &threads[i]))
			bail("pthread_create");
	for (i = 0; i != n; i++) {
		pthread_join(threads[i].id, NULL);
		if (!i || threads[i].start_ms < start_ms)
			start_ms = threads[i].start_ms;
		if (!i || threads[i].end_ms > end_ms)
			end_ms = threads[i].end_ms;
	}
	pthread_barrier_destroy(&barrier);
	return end_ms - start_ms;
}

static void measure(const char *who, const char *what, struct thread *threads)
{
	double best[THREADS] = { 0 }, ms;
	unsigned int try, n, i;
	long slept = 0;

	/* Alternating, so that both meet the same machine. */
	for (try = 0; try != TRIES; try++) {
		for (n = 1; n <= THREADS; n++) {
			ms = run_once(threads, n);
			if (!try || ms < best[n - 1])
				best[n - 1] = ms;
		}
		for (i = 0; i != THREADS; i++)
			slept += threads[i].sleeps;
	}
	printf("%-10s %-14s %10.1f %10.1f %8.2f %8.1f\n", who, what, best[0], best[1],
	       best[1] / best[0], (double)slept / TRIES);
	fflush(stdout);
}

static void measure_work(const struct side *side, const struct work *work)
{
	struct thread threads[THREADS] = {};
	struct backing b;
	unsigned int i;
	uint64_t each = work->size < HUGE_PAGE ? HUGE_PAGE : work->size;

	note("%s %s", side->ops->name, work->name);
	backing_make(&b, work->kind, THREADS * each);
	for (i = 0; i != THREADS; i++) {
		threads[i].cpu = i;
		threads[i].side = side;
		threads[i].work = work;
		threads[i].range.backing = &b;
		threads[i].range.offset = i * each;
		threads[i].range.size = work->size;
		/* Not in one page table of the IOMMU */
		threads[i].range.iova = (4 + i) * GIB;
	}
	measure(side->ops->name, work->name, threads);
	backing_free(&b);
}

int main(void)
{
	struct thread threads[THREADS] = { { .cpu = 0 }, { .cpu = 1 } };
	struct side side;
	size_t i, j;

	stock_node_make();
	check_sides();
	srandom(1);
	printf("%-10s %-14s %10s %10s %8s %8s\n", "who", "what", "one, ms", "two, ms", "two/one",
	       "sleeps");
	measure("no kernel", "a loop", threads);
	for (i = 0; i != SIDE_KINDS; i++) {
		side_open(&side, &all_sides[i], 1);
		for (j = 0; j != sizeof(works) / sizeof(works[0]); j++)
			measure_work(&side, &works[j]);
		side_close(&side);
	}
	unlink(STOCK_NODE);
	return tap_failed;
}
