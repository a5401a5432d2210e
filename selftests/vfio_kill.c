// SPDX-License-Identifier: GPL-2.0-only
/*
 * SIGKILL at random of a process that maps and unmaps, some with DMA running.
 *
 * After each kill no page is pinned, no object is left (where debugfs tells),
 * and the next process can use the group at once; every tenth time with DMA.
 *
 * usage: vfio_kill [--count N] [--dma N] [--seed N]
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

#include "edu.h"

#define SLOT_IOVA (1 * GIB)
#define SLOT_SIZE (2 * MIB)
#define NSLOTS 32
#define DMA_IOVA (16 * MIB)

enum kind { MAPPING, DMA, SHARED_CONTAINER, NKINDS };

static struct vfio_pci_addr addr;
static uint64_t rng;
static int ready[2];

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

struct worker {
	int container;
	uint64_t rng;
	uint8_t *mem;
};

/*
 * Maps and unmaps slots for ever.  Another thread may have been there first
 * (EEXIST, or nothing to unmap), any other error ends the victim by itself,
 * and the parent sees that it was not its kill.
 */
static void *churn(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		uint64_t r = next_random(&w->rng), slot = r % NSLOTS;
		uint64_t iova = SLOT_IOVA + slot * SLOT_SIZE;
		uint64_t size = ((r >> 8) % (SLOT_SIZE / PAGE) + 1) * PAGE;

		switch ((r >> 24) % 4) {
		case 0:
		case 1:
			if (dma_map(w->container, iova, w->mem + slot * SLOT_SIZE, size) &&
			    errno != EEXIST)
				_exit(3);
			break;
		case 2:
			if (dma_unmap(w->container, iova, SLOT_SIZE, NULL))
				_exit(4);
			break;
		case 3:
			madvise(w->mem + slot * SLOT_SIZE, SLOT_SIZE, MADV_DONTNEED);
			break;
		}
	}
	return NULL;
}

static void victim(enum kind kind, int container)
{
	struct edu_session s = {};
	struct worker w[2];
	pthread_t thread;
	bool started = false;

	if (kind != SHARED_CONTAINER) {
		edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
		container = s.container;
	}
	for (int i = 0; i < 2; i++) {
		w[i].container = container;
		w[i].rng = next_random(&rng) | 1;
		w[i].mem = mmap(NULL, NSLOTS * SLOT_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (w[i].mem == MAP_FAILED)
			_exit(5);
		if ((i || kind == DMA ? pthread_create(&thread, NULL, churn, &w[i]) : 0))
			_exit(6);
	}
	if (kind == DMA) {
		if (dma_map(container, DMA_IOVA, alloc_pages(PAGE), PAGE))
			_exit(7);
		for (;;) {
			edu_idle(&s.edu);
			edu_start(&s.edu, EDU_BUF, DMA_IOVA, EDU_CHUNK, EDU_CMD_TO_RAM);
			if (!started && write(ready[1], "d", 1) != 1)
				_exit(8);
			started = true;
		}
	}
	if (write(ready[1], "m", 1) != 1)
		_exit(8);
	churn(&w[0]);
}

/* Is nothing of the victim left?  The last steps may run a little later. */
static bool clean(int64_t pins)
{
	static const char *const names[] = { "contexts", "objects", "areas", "pages",
					     "pinned_pages" };
	bool have_stats = !access(STATS, R_OK);

	for (int tries = 0; tries < 500; tries++) {
		bool zero = pins_held() == pins;

		for (size_t i = 0; have_stats && i < sizeof(names) / sizeof(names[0]); i++)
			zero &= counter(STATS, names[i]) == 0;
		if (zero)
			return true;
		usleep(10000);
	}
	note("pins %" PRId64 ", were %" PRId64, pins_held(), pins);
	for (size_t i = 0; have_stats && i < sizeof(names) / sizeof(names[0]); i++)
		note("%s %" PRId64, names[i], counter(STATS, names[i]));
	return false;
}

/* Kills @pid at a random moment, in its setup or at work.  False: it was gone. */
static bool kill_at_random(pid_t pid, enum kind kind)
{
	int status;
	char c;

	if (kind == DMA || below(4)) {
		if (read(ready[0], &c, 1) != 1)
			bail("read");
	}
	usleep(below(20000));
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	note("the victim ended by itself, wait status 0x%x", status);
	return false;
}

static bool one_kill(enum kind kind, bool try_dma, bool *was_running)
{
	struct edu_session s = {};
	int64_t pins;
	bool good;
	pid_t pid;

	if (pipe(ready))
		bail("pipe");
	if (kind == SHARED_CONTAINER)
		edu_session_open(&s, &addr, VFIO_TYPE1_IOMMU);
	pins = pins_held();
	pid = fork_child();
	if (!pid)
		victim(kind, s.container);
	close(ready[1]);
	good = kill_at_random(pid, kind);
	close(ready[0]);
	if (kind == SHARED_CONTAINER) {
		good &= dma_unmap_all(s.container, NULL) == 0 && pins_held() == pins;
	} else {
		good &= clean(pins);
		edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
		*was_running |= s.edu.found_busy;
	}
	if (try_dma)
		good &= edu_roundtrip(&s, DMA_IOVA, 17);
	edu_session_close(&s);
	return good && clean(pins);
}

static enum kind pick_kind(unsigned int left, unsigned int dma_left)
{
	if (below(left) < dma_left)
		return DMA;
	return below(4) ? MAPPING : SHARED_CONTAINER;
}

int main(int argc, char **argv)
{
	unsigned int count = 40, dma = 10, good = 0, running = 0, done[NKINDS] = {};
	uint64_t locked = vmlck(getpid()), seed = (uint64_t)time(NULL) * 1000003 + getpid();
	int64_t pins = pins_held();
	time_t told = time(NULL);

	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t val = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--count"))
			count = val;
		else if (!strcmp(argv[i], "--dma"))
			dma = val;
		else if (!strcmp(argv[i], "--seed"))
			seed = val;
		else
			bail("usage: vfio_kill [--count N] [--dma N] [--seed N]");
	}
	note("--seed %" PRIu64, seed);
	rng = seed | 1;
	addr = edu_first();
	for (unsigned int i = 0; i < count; i++) {
		enum kind kind = pick_kind(count - i, dma - done[DMA]);
		bool was_running = false;

		done[kind]++;
		if (one_kill(kind, i % 10 == 9, &was_running))
			good++;
		else
			note("kill %u, kind %d: not clean", i, kind);
		running += was_running;
		if (time(NULL) - told >= 5) {
			fprintf(stderr, "# %u of %u kills\n", i + 1, count);
			told = time(NULL);
		}
	}
	note("killed in map and unmap %u, with DMA running %u, with the container shared %u",
	     done[MAPPING], done[DMA], done[SHARED_CONTAINER]);
	ok(good == count, "%u of %u kills left nothing", good, count);
	ok(done[DMA] == dma, "%u kills with DMA", dma);
	/* A transfer takes 100 ms, setting up the device on a slow kernel longer. */
	if (getenv("SLOW") && atoi(getenv("SLOW")) > 1)
		note("%u transfers were still running when the next user came", running);
	else
		ok(!dma || running, "%u transfers were still running when the next user came",
		   running);
	ok(vmlck(getpid()) == locked && clean(pins), "VmLck and pins as at the start");
	return tap_done();
}
