// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO page tables that grow while others map: three threads map and unmap low IOVAs,
 * a fourth maps above 512 GiB, where AMD's driver puts levels on top of a page table,
 * once in its life for each.  So each round has a fresh container.  Nobody's map may
 * fail or get lost: what is unmapped is counted, and in some rounds a device writes
 * through what was mapped meanwhile.
 *
 * Where the IOMMU does not reach that far the high IOVAs are lower.
 *
 * usage: vfio_grow [--rounds N] [--dma N]
 */
#include <pthread.h>
#include <stdatomic.h>

#include "edu.h"

#define MAPPERS 3
#define SLOTS 512
#define LEN 64			/* bytes of a check of DMA */
#define TARGET (3 * GIB)	/* where that goes to */

struct mapper {
	pthread_t thread;
	uint64_t base;
	uint8_t *page;
	uint64_t held;		/* slots from 0 on that are mapped */
	unsigned int wrong;
};

/* The first IOVA of each level, from the fourth on */
static const uint64_t levels[] = { 1ULL << 39, 1ULL << 48, 1ULL << 57 };

static struct mapper mappers[MAPPERS];
static struct vfio_pci_addr addr;
static pthread_barrier_t barrier;
static atomic_int shared_fd = -1;
static atomic_bool grown, stop;
static uint64_t high[3], nhigh;
static uint8_t *page;

/* ------------------------------------------------------------------ */

static void mapper_wrong(struct mapper *m, const char *what, uint64_t slot)
{
	if (!m->wrong++)
		note("%s, %lu. page of 0x%lx: %s", what, slot, m->base, strerror(errno));
}

/* One that stays, and one behind it that goes again */
static void mapper_step(struct mapper *m, int fd)
{
	uint64_t iova = m->base + m->held * PAGE, done = 0;

	if (dma_map(fd, iova, m->page, PAGE)) {
		mapper_wrong(m, "MAP_DMA", m->held);
		return;
	}
	m->held++;
	if (dma_map(fd, iova + PAGE, m->page, PAGE))
		mapper_wrong(m, "MAP_DMA", m->held);
	else if (dma_unmap(fd, iova + PAGE, PAGE, &done) || done != PAGE)
		mapper_wrong(m, "UNMAP_DMA", m->held);
}

static void *mapper_thread(void *arg)
{
	struct mapper *m = arg;

	for (;;) {
		pthread_barrier_wait(&barrier);
		if (atomic_load(&stop))
			return NULL;
		m->held = 0;
		m->wrong = 0;
		while (m->held != SLOTS && !m->wrong && !atomic_load(&grown))
			mapper_step(m, atomic_load(&shared_fd));
		/* Also what comes right behind it */
		for (int i = 0; i != 4 && !m->wrong; i++)
			mapper_step(m, atomic_load(&shared_fd));
		pthread_barrier_wait(&barrier);
	}
}

static bool grow(int fd, unsigned int delay)
{
	bool good = true;

	for (unsigned int i = 0; i != nhigh; i++) {
		for (unsigned int n = 0; n != delay; n++)
			sched_yield();
		if (dma_map(fd, high[i], page, PAGE)) {
			note("MAP_DMA at 0x%lx: %s", high[i], strerror(errno));
			good = false;
		}
	}
	return good;
}

/* False: something is wrong; what, is told */
static bool maps_round(int fd, unsigned int delay)
{
	bool good;

	atomic_store(&grown, false);
	atomic_store(&shared_fd, fd);
	pthread_barrier_wait(&barrier);
	good = grow(fd, delay);
	atomic_store(&grown, true);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i != MAPPERS; i++)
		good &= !mappers[i].wrong;
	return good;
}

static bool unmap_round(int fd)
{
	uint64_t done = 0, want = nhigh * PAGE;

	for (int i = 0; i != MAPPERS; i++)
		want += mappers[i].held * PAGE;
	if (!dma_unmap_all(fd, &done) && done == want)
		return true;
	note("UNMAP_DMA: %lu of %lu bytes", done, want);
	return false;
}

/* ------------------------------------------------------------------ */

/* A container with the group of the device, which nobody opens */
static int open_fresh(int *group)
{
	int container = container_open();

	*group = group_open(addr.group);
	if (set_container(*group, container) || set_iommu(container, VFIO_TYPE1v2_IOMMU))
		bail("VFIO_SET_IOMMU");
	return container;
}

static bool quick_round(unsigned int n)
{
	int group, container = open_fresh(&group);
	bool good;

	good = maps_round(container, n % 16);
	good &= unmap_round(container);
	close(group);
	close(container);
	return good;
}

/* From one IOVA to the target, and nothing else of it changes */
static bool reaches(struct edu_session *s, uint64_t iova, uint8_t *from, uint8_t *target,
		    uint32_t seed)
{
	fill_pattern(from, LEN, seed);
	memset(target, 0, PAGE);
	edu_copy(&s->edu, iova, TARGET, LEN);
	if (check_pattern(target, LEN, seed) < 0 && all_bytes(target + LEN, PAGE - LEN, 0))
		return true;
	note("DMA from 0x%lx does not arrive", iova);
	return false;
}

static bool dma_round(unsigned int n)
{
	uint8_t *target = alloc_pages(PAGE);
	struct edu_session s;
	uint64_t done = 0;
	bool good;

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	if (dma_map(s.container, TARGET, target, PAGE))
		bail("MAP_DMA of the target");
	good = maps_round(s.container, n % 16);
	/* What was mapped before, and what while the page table grew */
	for (int i = 0; i != MAPPERS; i++) {
		struct mapper *m = &mappers[i];
		uint64_t slot = i & 1 ? 0 : m->held - 1;

		if (m->held)
			good &= reaches(&s, m->base + slot * PAGE, m->page, target, n + i);
	}
	good &= reaches(&s, high[n % nhigh], page, target, n + MAPPERS);
	if (dma_unmap(s.container, TARGET, PAGE, &done) || done != PAGE) {
		note("UNMAP_DMA of the target: %lu bytes", done);
		good = false;
	}
	good &= unmap_round(s.container);
	edu_session_close(&s);
	munmap(target, PAGE);
	return good;
}

/* The last IOVA that a group of this device may have */
static uint64_t last_iova(void)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	int group, container = open_fresh(&group);
	struct vfio_iommu_type1_info *info;
	uint64_t last;

	info = get_info(container, 4096);
	cap = info ? (void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) : NULL;
	if (!cap || !cap->nr_iovas)
		bail("no IOVA ranges");
	last = cap->iova_ranges[cap->nr_iovas - 1].end;
	free(info);
	close(group);
	close(container);
	return last;
}

static void choose_high(void)
{
	uint64_t last = last_iova();

	for (unsigned int i = 0; i != 3; i++)
		if (levels[i] <= last)
			high[nhigh++] = levels[i];
	if (!nhigh)
		high[nhigh++] = last / 2 + 1;
	note("IOVAs end at 0x%lx: %lu high mappings in each round", last, nhigh);
}

static void start_mappers(void)
{
	pthread_barrier_init(&barrier, NULL, MAPPERS + 1);
	for (uint64_t i = 0; i != MAPPERS; i++) {
		/* In the first GiB, and in others: they go wrong in different ways. */
		mappers[i].base = i * GIB + 256 * MIB;
		mappers[i].page = alloc_pages(PAGE);
		if (pthread_create(&mappers[i].thread, NULL, mapper_thread, &mappers[i]))
			bail("pthread_create");
	}
}

static void stop_mappers(void)
{
	atomic_store(&stop, true);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i != MAPPERS; i++)
		pthread_join(mappers[i].thread, NULL);
}

static unsigned int number(const char *text)
{
	return text ? strtoul(text, NULL, 0) : 0;
}

int main(int argc, char **argv)
{
	unsigned int rounds = 100, dma = 4, good = 0, good_dma = 0, beside = 0, i;

	for (int arg = 1; arg < argc; arg += 2) {
		if (!strcmp(argv[arg], "--rounds"))
			rounds = number(argv[arg + 1]);
		else if (!strcmp(argv[arg], "--dma"))
			dma = number(argv[arg + 1]);
		else
			bail("usage: vfio_grow [--rounds N] [--dma N]");
	}
	addr = edu_first();
	page = alloc_pages(PAGE);
	choose_high();
	start_mappers();
	for (i = 0; i != rounds; i++) {
		good += quick_round(i);
		for (int m = 0; m != MAPPERS; m++)
			beside += mappers[m].held > 4;
	}
	for (i = 0; i != dma; i++)
		good_dma += dma_round(i);
	stop_mappers();
	ok(beside, "threads map low IOVAs beside high ones (%u times)", beside);
	ok(good == rounds, "no map fails or is lost in %u rounds (%u are good)", rounds, good);
	ok(good_dma == dma, "DMA reaches what was mapped, in %u rounds (%u are good)", dma,
	   good_dma);
	return tap_done();
}
