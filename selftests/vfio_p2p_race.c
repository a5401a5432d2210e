// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA from device to device while BARs come and go: one thread switches the devices'
 * memory off and on, resets one of them and takes the process's mappings away, two map
 * and unmap for DMA, one brings a second group and takes it away, and a device writes
 * to all of it.  In the end nothing is reached but what is mapped then.
 *
 * Then the same in a process that is killed, again and again.
 *
 * usage: vfio_p2p_race [--stock] [--rounds N] [--kills N] [--seed N]
 */
#include <stdatomic.h>
#include <time.h>

#include "p2p_util.h"

#define IOVA (4 * GIB)
#define MAPPERS 2
#define SLOTS 4			/* for each mapper */
#define SLOT_SIZE (8 * MIB)	/* more than a BAR has */
#define PAUSE 3000		/* us at most */

struct slot {
	uint64_t iova;
	uint64_t size;		/* 0: nothing is mapped */
};

struct mapper {
	pthread_t thread;
	uint64_t rng;
	struct slot slots[SLOTS];
	unsigned int mapped, refused, wrong;
};

static struct vfio_pci_addr addr[2];
static struct edu_session s;
static struct p2p p[2];
static uint8_t *bars[2];	/* what is mapped for DMA */
static struct mapper mappers[MAPPERS];
static unsigned int joined, not_joined, join_wrong;
static atomic_bool stop;
static bool stock;
static uint64_t rng;

static uint64_t random_from(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t below(uint64_t n)
{
	return random_from(&rng) % n;
}

/* ------------------------------------------------------------------ */
/* Who maps */

/*
 * EFAULT: the BAR is not there, or its memory is off.  Stock says EINVAL when it
 * goes at a certain moment.
 */
static void map_slot(struct mapper *m, struct slot *slot)
{
	unsigned int i = random_from(&m->rng) % 2;
	uint64_t pages = p[i].size / PAGE;
	uint64_t first = random_from(&m->rng) % 2 ? 0 : random_from(&m->rng) % pages;
	uint64_t size = (random_from(&m->rng) % (pages - first) + 1) * PAGE;
	uint32_t flags = random_from(&m->rng) % 4 ? MAP_RW : VFIO_DMA_MAP_FLAG_READ;

	if (!dma_map_flags(s.container, slot->iova, bars[i] + first * PAGE, size, flags)) {
		slot->size = size;
		m->mapped++;
	} else if (errno == EFAULT || (stock && errno == EINVAL)) {
		m->refused++;
	} else {
		note("MAP_DMA of %lu bytes: %s", size, strerror(errno));
		m->wrong++;
	}
}

/* Whatever has become of the BAR, all of the mapping goes. */
static void unmap_slot(struct mapper *m, struct slot *slot)
{
	uint64_t done = 0;

	if (dma_unmap(s.container, slot->iova, SLOT_SIZE, &done) || done != slot->size) {
		note("UNMAP_DMA: %lu of %lu bytes", done, slot->size);
		m->wrong++;
	}
	slot->size = 0;
}

static void *mapper_thread(void *arg)
{
	struct mapper *m = arg;

	while (!atomic_load(&stop)) {
		struct slot *slot = &m->slots[random_from(&m->rng) % SLOTS];

		if (slot->size)
			unmap_slot(m, slot);
		else
			map_slot(m, slot);
		usleep(random_from(&m->rng) % 500);
	}
	return NULL;
}

/* ------------------------------------------------------------------ */
/* Who else is there */

/* EFAULT: what is mapped is off, and the group's domain is to have it. */
static void *joiner_thread(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		int group = group_open(addr[1].group);

		if (!stock)
			share_domains(i & 1);
		if (!set_container(group, s.container)) {
			joined++;
		} else if (errno == EFAULT) {
			not_joined++;
		} else {
			note("SET_CONTAINER: %s", strerror(errno));
			join_wrong++;
		}
		usleep(2000);
		close(group);
	}
	return NULL;
}

static void *writer_thread(void *arg)
{
	uint64_t state = *(uint64_t *)arg;

	while (!atomic_load(&stop)) {
		uint64_t r = random_from(&state);
		struct slot *slot = &mappers[r % MAPPERS].slots[(r >> 8) % SLOTS];

		edu_store(&s.edu, slot->iova + (r >> 16) % (MIB / PAGE) * PAGE, P2P_LEN);
	}
	return NULL;
}

/* ------------------------------------------------------------------ */
/* Who takes away, and gives back */

static void pause_a_while(void)
{
	usleep(below(PAUSE));
}

static void memory_off_on(unsigned int i)
{
	if (p2p_memory(&p[i], false))
		bail("memory off");
	pause_a_while();
	if (p2p_memory(&p[i], true))
		bail("memory on");
}

/* There is never a hole, where something else might be mapped. */
static void replace_mapping(unsigned int i)
{
	if (mmap(bars[i], p[i].size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED)
		bail("mmap over a BAR");
	pause_a_while();
	p2p_map_bar_at(&p[i], bars[i], PROT_READ | PROT_WRITE);
}

static void protect_mapping(unsigned int i)
{
	if (mprotect(bars[i], p[i].size, below(2) ? PROT_READ : PROT_NONE))
		bail("mprotect");
	pause_a_while();
	if (mprotect(bars[i], p[i].size, PROT_READ | PROT_WRITE))
		bail("mprotect");
}

static void trouble(void)
{
	unsigned int i = below(2);

	switch (below(8)) {
	case 0 ... 2:
		memory_off_on(i);
		break;
	case 3 ... 4:
		replace_mapping(i);
		break;
	case 5 ... 6:
		protect_mapping(i);
		break;
	case 7:
		if (ioctl(p[1].device, VFIO_DEVICE_RESET))
			bail("VFIO_DEVICE_RESET");
	}
	pause_a_while();
}

/* ------------------------------------------------------------------ */

static void world_open(void)
{
	edu_session_open(&s, &addr[0], VFIO_TYPE1v2_IOMMU);
	p2p_open(&p[0], "P2P0", s.container);
	p2p_open(&p[1], "P2P1", s.container);
	for (unsigned int i = 0; i < 2; i++)
		bars[i] = p2p_map_bar(&p[i]);
	p2p_mem = mem_alloc(PAGE);
	if (dma_map(s.container, P2P_MEM_IOVA, p2p_mem, PAGE))
		bail("map memory");
}

static void world_close(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		munmap(bars[i], p[i].size);
		p2p_close(&p[i]);
	}
	edu_session_close(&s);
	munmap(p2p_mem, PAGE);
}

static void start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	if (pthread_create(thread, NULL, fn, arg))
		bail("pthread_create");
}

static void mappers_start(void)
{
	unsigned int i, n;

	memset(mappers, 0, sizeof(mappers));
	for (i = 0; i < MAPPERS; i++) {
		mappers[i].rng = random_from(&rng);
		for (n = 0; n < SLOTS; n++)
			mappers[i].slots[n].iova = IOVA + (i * SLOTS + n) * SLOT_SIZE;
		start(&mappers[i].thread, mapper_thread, &mappers[i]);
	}
}

/* The memory is on, the mappings are there: a BAR that is mapped is reached. */
static bool all_well(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t at = p[i].size - 2 * P2P_LEN, done;

		if (dma_map(s.container, IOVA, bars[i], p[i].size) ||
		    !p2p_reaches(&s.edu, &p[i], IOVA, 0) ||
		    !p2p_reaches(&s.edu, &p[i], IOVA + at, at) ||
		    dma_unmap(s.container, IOVA, p[i].size, &done) || done != p[i].size ||
		    !p2p_blocked(&s.edu, &p[i], IOVA, 0))
			return false;
	}
	return true;
}

static void slots_end(void)
{
	bool blocked = true;
	unsigned int i, n;

	for (i = 0; i < MAPPERS; i++)
		for (n = 0; n < SLOTS; n++)
			if (mappers[i].slots[n].size)
				unmap_slot(&mappers[i], &mappers[i].slots[n]);
	for (i = 0; i < MAPPERS; i++) {
		ok(mappers[i].mapped && !mappers[i].wrong,
		   "mapped %u times, refused %u times, %u wrong", mappers[i].mapped,
		   mappers[i].refused, mappers[i].wrong);
		/* Which BAR it was does not matter. */
		for (n = 0; n < SLOTS; n++)
			blocked &= p2p_blocked(&s.edu, &p[0], mappers[i].slots[n].iova, 0) &&
				   p2p_blocked(&s.edu, &p[1], mappers[i].slots[n].iova, 0);
	}
	ok(blocked, "nothing is reached when nothing is mapped");
}

static void test_race(unsigned int rounds)
{
	uint64_t revoked = stock ? 0 : p2p_event("revoked"), state = random_from(&rng);
	time_t told = time(NULL);
	pthread_t joiner, writer;

	world_open();
	memset(p2p_mem, 0x5a, PAGE);
	mappers_start();
	start(&joiner, joiner_thread, NULL);
	start(&writer, writer_thread, &state);
	for (unsigned int i = 0; i < rounds; i++) {
		trouble();
		if (time(NULL) - told < 5)
			continue;
		told = time(NULL);
		fprintf(stderr, "# %u of %u rounds\n", i, rounds);
	}
	atomic_store(&stop, true);
	pthread_join(joiner, NULL);
	pthread_join(writer, NULL);
	for (unsigned int i = 0; i < MAPPERS; i++)
		pthread_join(mappers[i].thread, NULL);
	if (!stock)
		share_domains(true);
	ok(all_bytes(p2p_mem, PAGE, 0x5a), "no memory was written to");
	ok(joined && !join_wrong, "a second group came %u times, was refused %u times, %u wrong",
	   joined, not_joined, join_wrong);
	slots_end();
	ok(all_well(), "what is mapped then is reached");
	if (!stock)
		ok(p2p_event("revoked") > revoked, "%lu were revoked",
		   p2p_event("revoked") - revoked);
	world_close();
}

/* ------------------------------------------------------------------ */

static void victim(int ready)
{
	pthread_t joiner, writer;
	uint64_t state = random_from(&rng);

	world_open();
	mappers_start();
	start(&joiner, joiner_thread, NULL);
	start(&writer, writer_thread, &state);
	if (write(ready, "r", 1) != 1)
		_exit(3);
	for (;;)
		trouble();
}

/* False: it ended by itself. */
static bool kill_one(void)
{
	int ready[2], status;
	pid_t pid;
	char c;

	if (pipe(ready))
		bail("pipe");
	random_from(&rng);
	pid = fork_child();
	if (!pid)
		victim(ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		note("the victim does not get ready");
	close(ready[0]);
	usleep(below(200000));
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	if (!stock)
		iommufd_stat_wait("contexts", 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void test_kill(unsigned int kills)
{
	int64_t pins = pins_held();
	unsigned int i, good = 0;

	atomic_store(&stop, false);
	for (i = 0; i < kills; i++) {
		bool clean = kill_one();

		world_open();
		good += clean && all_well();
		world_close();
	}
	ok(good == kills, "%u of %u kills left all well", good, kills);
	if (!stock) {
		share_domains(true);
		iommufd_stat_wait("contexts", 0);
		iommufd_stat_wait("pages", 0);
		ok(!iommufd_stat("objects") && !iommufd_stat("areas") &&
		   !iommufd_stat("pinned_pages"), "nothing is left");
	}
	ok(pins_held() == pins, "nothing is pinned");
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL) * 1000003 + getpid();
	unsigned int rounds = 400, kills = 10;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--stock"))
			stock = true;
		else if (i + 1 < argc && !strcmp(argv[i], "--rounds"))
			rounds = atoi(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--kills"))
			kills = atoi(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--seed"))
			seed = strtoull(argv[++i], NULL, 0);
		else
			bail("usage: vfio_p2p_race [--stock] [--rounds N] [--kills N] [--seed N]");
	}
	note("--seed %" PRIu64, seed);
	rng = seed | 1;
	if (!edu_find_pair(false, addr))
		bail("needs two edu devices in two groups");
	test_race(rounds);
	test_kill(kills);
	return tap_done();
}
