// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes and goes while a guest's page table is bound: the process, by a close or
 * by SIGKILL, groups, other processes, mappings; with DMA and invalidations at work.
 *
 * usage: nesting_shadow_life [--kills N] [--seconds N] [--seed N]
 */
#include <time.h>

#include "shadow_util.h"

#define SHARED_GPA 0x40000000ULL
#define LIMIT 8

static struct guest g;
static uint64_t rng;
static volatile bool stop;

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

static void thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	if (pthread_create(thread, NULL, fn, arg))
		bail("pthread_create");
}

static int bind_at(const struct pgtable *pt)
{
	return bind_table(g.dev.container, 0, pt->root, pt->width);
}

/* In a container that was just opened */
static bool all_works(void)
{
	struct pgtable pt;
	uint64_t a = guest_one_page(&g, &pt, 48);

	return copies(&g, a, a, GUEST_GPA + AT_HUGE, GUEST_GPA + AT_HUGE) &&
	       !bind_at(&pt) && copies(&g, HIGH, a, HIGH, a) &&
	       write_blocked(&g, a) && !unbind_table(g.dev.container, 0) &&
	       write_blocked(&g, HIGH);
}

/* ------------------------------------------------------------------ */
/* The end */

static void test_close(void)
{
	struct pgtable pt;
	uint64_t a;

	guest_open(&g);
	a = guest_one_page(&g, &pt, 48);
	ok(!bind_at(&pt) && copies(&g, HIGH, a, HIGH, a), "BIND");
	guest_close(&g);
	ok(shadow_nothing_left(), "close: nothing is left");

	/* The device file is what goes last. */
	guest_open(&g);
	a = guest_one_page(&g, &pt, 48);
	ok(!bind_at(&pt), "BIND");
	close(g.dev.container);
	ok(copies(&g, HIGH, a, HIGH, a),
	   "the container's file is closed first: DMA goes on");
	edu_session_leave(&g.dev);
	ok(shadow_nothing_left(), "close the rest: nothing is left");

	/* A transfer that nobody waits for */
	guest_open(&g);
	a = guest_one_page(&g, &pt, 48);
	ok(!bind_at(&pt), "BIND");
	load(&g, HIGH, a);
	guest_note(&g);
	edu_start(&g.dev.edu, EDU_BUF, HIGH, LEN, EDU_CMD_TO_RAM);
	guest_close(&g);
	ok(shadow_nothing_left(), "close while the device is at work");
	usleep(300000);
	guest_took(&g, a, 0, LEN);
	ok(guest_untouched(&g), "which reaches nothing else");
}

/* A guest that changes its table all the time */
static void *churn_thread(void *arg)
{
	const struct pgtable *pt = arg;
	uint64_t a = guest_page(&g), base = HIGH & ~(PT_1G - 1);

	for (;;) {
		pgtable_map(pt, base + 2 * MIB, a, 256 * PAGE, PT_ALL);
		inv_all(&g);
		pgtable_unmap(pt, base + 2 * MIB, 256 * PAGE);
		inv_addr(g.dev.container, IOTLB, 0, base + 2 * MIB, PT_2M, 1, 0);
	}
	return NULL;
}

static void *bind_thread(void *arg)
{
	for (;;) {
		unbind_table(g.dev.container, 0);
		bind_at(arg);
	}
	return NULL;
}

/* Until it is killed: @ready when all are at work */
static void victim(int ready, bool binds)
{
	struct pgtable pt;
	pthread_t thread;

	guest_open(&g);
	guest_one_page(&g, &pt, 48);
	if (bind_at(&pt))
		_exit(3);
	thread_start(&thread, churn_thread, &pt);
	if (binds)
		thread_start(&thread, bind_thread, &pt);
	for (;;) {
		edu_idle(&g.dev.edu);
		edu_start(&g.dev.edu, EDU_BUF, HIGH, EDU_CHUNK, EDU_CMD_TO_RAM);
		if (ready >= 0 && write(ready, "r", 1) != 1)
			_exit(4);
		ready = -1;
	}
}

static bool kill_one(bool binds)
{
	int ready[2], status;
	bool good;
	pid_t pid;
	char c;

	if (pipe(ready))
		bail("pipe");
	pid = fork_child();
	if (!pid)
		victim(ready[1], binds);
	close(ready[1]);
	good = read(ready[0], &c, 1) == 1;
	close(ready[0]);
	usleep(below(100000));
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	good &= WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return shadow_nothing_left() && good;
}

static void test_kill(unsigned int kills)
{
	int64_t pins = pins_held();
	unsigned int bad = 0;

	guest_note(&g);
	for (unsigned int i = 0; i != kills; i++)
		bad += !kill_one(i % 2);
	ok(!bad && kills, "%u kills with DMA and invalidations at work, %u bad",
	   kills, bad);
	ok(guest_untouched(&g) && pins_held() == pins,
	   "this process's memory is what it was, and no page is pinned");
	guest_open(&g);
	ok(all_works(), "the device and its group are free, and work");
	guest_close(&g);
	ok(shadow_nothing_left(), "nothing is left");
}

/* ------------------------------------------------------------------ */
/* Groups */

/* A second device of the container: the same memory, another buffer */
static struct guest second_guest(void)
{
	struct vfio_pci_addr addr = shadow_device(1);
	struct guest two = g;

	edu_session_join(&two.dev, &addr, g.dev.container);
	two.seed += 1000;
	return two;
}

static bool both_do(struct guest *two, uint64_t iova, uint64_t gpa)
{
	return copies(&g, iova, gpa, iova, gpa) &&
	       copies(two, iova, gpa, iova, gpa);
}

static void test_two(bool share)
{
	const char *how = share ? "one domain" : "two domains";
	struct guest two;
	struct pgtable pt;
	uint64_t a, b;

	share_domains(share);
	guest_open(&g);
	two = second_guest();
	a = guest_one_page(&g, &pt, 48);
	b = guest_page(&g);
	ok(both_do(&two, a, a), "two groups, %s", how);
	ok(!bind_at(&pt) && both_do(&two, HIGH, a), "BIND: both");
	ok(iommufd_stat("shadow_entries") == (share ? 1 : 2), "as %s", how);
	ok(write_blocked(&g, a) && write_blocked(&two, a), "and nothing else");
	pgtable_map(&pt, HIGH, b, PAGE, PT_ALL);
	ok(!inv_page(&g, HIGH) && both_do(&two, HIGH, b), "both follow");
	ok(!unbind_table(g.dev.container, 0) && both_do(&two, a, a) &&
	   write_blocked(&g, HIGH) && write_blocked(&two, HIGH), "UNBIND: both");
	ok(!bind_at(&pt) && both_do(&two, HIGH, b), "BIND again");

	edu_session_leave(&two.dev);
	ok(copies(&g, HIGH, b, HIGH, b), "one leaves: the other is bound");
	pgtable_map(&pt, HIGH, a, PAGE, PT_ALL);
	ok(!inv_page(&g, HIGH) && lands(&g, HIGH, a), "and follows");
	two = second_guest();
	ok(both_do(&two, HIGH, a) && write_blocked(&two, a),
	   "one comes back, late: it is bound");
	pgtable_map(&pt, HIGH, b, PAGE, PT_ALL);
	ok(!inv_page(&g, HIGH) && both_do(&two, HIGH, b), "both follow");

	edu_session_leave(&g.dev);
	ok(copies(&two, HIGH, b, HIGH, b) && write_blocked(&two, b),
	   "the first one leaves: the second is bound");
	pgtable_map(&pt, HIGH, a, PAGE, PT_ALL);
	ok(!inv_page(&g, HIGH) && lands(&two, HIGH, a) &&
	   !unbind_table(g.dev.container, 0) && lands(&two, a, a) &&
	   write_blocked(&two, HIGH), "it follows, and is unbound");
	edu_session_leave(&two.dev);
	close(g.dev.container);
	ok(shadow_nothing_left(), "nothing is left");
	share_domains(true);
}

/* One comes late, and its shadow is too large meanwhile. */
static void test_late(void)
{
	struct vfio_pci_addr addr = shadow_device(1);
	struct pgtable pt;
	int group, was;
	uint64_t a;

	share_domains(false);
	guest_open(&g);
	a = guest_one_page(&g, &pt, 48);
	pgtable_map(&pt, HIGH + PAGE, GUEST_GPA + AT_HUGE, 10 * PAGE, PT_ALL);
	ok(!bind_at(&pt) && copies(&g, HIGH, a, HIGH + PAGE, GUEST_GPA + AT_HUGE),
	   "BIND");
	was = shadow_limit(LIMIT);
	group = group_open(addr.group);
	fails(set_container(group, g.dev.container), ENOSPC,
	      "a group that comes when the limit is lower");
	ok(copies(&g, HIGH, a, HIGH + PAGE, GUEST_GPA + AT_HUGE),
	   "the first one is what it was");
	shadow_limit(was);
	ok(!set_container(group, g.dev.container) &&
	   iommufd_stat("shadow_entries") == 22, "it comes when it is higher");
	close(group);
	ok(iommufd_stat("shadow_entries") == 11 &&
	   copies(&g, HIGH, a, HIGH + PAGE, GUEST_GPA + AT_HUGE),
	   "it goes before its device was opened");
	/* The last one goes, with it the bind, and another one comes. */
	edu_session_leave(&g.dev);
	ok(!iommufd_stat("shadow_entries"), "all go");
	group = group_open(addr.group);
	ok(!set_container(group, g.dev.container) &&
	   !set_iommu(g.dev.container, VFIO_TYPE1_NESTING_IOMMU) &&
	   !iommufd_stat("shadow_entries"), "another one comes, and SET_IOMMU");
	fails(unbind_table(g.dev.container, 0), ENOENT, "nothing is bound");
	close(group);
	close(g.dev.container);
	ok(shadow_nothing_left(), "nothing is left");
	share_domains(true);
}

/* ------------------------------------------------------------------ */
/* Processes */

static void say(int fd)
{
	if (write(fd, "x", 1) != 1)
		_exit(9);
}

static bool hear(int fd)
{
	char c;

	return read(fd, &c, 1) == 1;
}

/* What the child writes is its own copy; its ioctls are as good as the parent's. */
static void test_fork(void)
{
	struct pgtable pt;
	uint64_t a, b;
	pid_t pid;

	guest_open(&g);
	a = guest_one_page(&g, &pt, 48);
	b = guest_page(&g);
	ok(!bind_at(&pt) && copies(&g, HIGH, a, HIGH, a), "BIND");
	pid = fork_child();
	if (!pid) {
		pgtable_map(&pt, HIGH, b, PAGE, PT_ALL);
		_exit(inv_all(&g) != 0);
	}
	ok(!wait_child(pid) && copies(&g, HIGH, a, HIGH, a),
	   "a child changes its copy of the table, and invalidates");
	pgtable_map(&pt, HIGH, b, PAGE, PT_ALL);
	pid = fork_child();
	if (!pid)
		_exit(inv_all(&g) != 0);
	ok(!wait_child(pid) && copies(&g, HIGH, b, HIGH, b),
	   "a child invalidates what the parent has changed");
	pid = fork_child();
	if (!pid)
		_exit(unbind_table(g.dev.container, 0) || bind_at(&pt));
	ok(!wait_child(pid) && copies(&g, HIGH, b, HIGH, b),
	   "a child unbinds and binds");
	guest_close(&g);
	ok(shadow_nothing_left(), "nothing is left");
}

/* Who mapped the memory that the tables are in is gone; the tables are not. */
static void test_orphan(void)
{
	struct guest private = g;
	int go[2], done[2];
	struct pgtable pt;
	bool good = true;
	uint64_t a, b;
	pid_t pid;

	if (pipe(go) || pipe(done))
		bail("pipe");
	guest_memory(&g, MAP_SHARED);
	pid = fork_child();
	if (!pid) {
		guest_open(&g);
		a = guest_one_page(&g, &pt, 48);
		b = guest_page(&g);
		must(!bind_at(&pt) && copies(&g, HIGH, a, HIGH, a));
		pid = fork();
		if (pid)
			_exit(pid < 0);
		/* Its grandchild, when its child is gone */
		good = hear(go[0]);
		pgtable_map(&pt, HIGH, b, PAGE, PT_ALL);
		good &= lands(&g, HIGH, a) && !inv_all(&g) &&
			lands(&g, HIGH, b);
		good &= !unbind_table(g.dev.container, 0) && lands(&g, a, a) &&
			!bind_at(&pt) && lands(&g, HIGH, b);
		if (good)
			say(done[1]);
		_exit(0);
	}
	close(done[1]);
	ok(!wait_child(pid), "who mapped ends");
	say(go[1]);
	ok(hear(done[0]), "another process invalidates, unbinds and binds");
	close(done[0]);
	close(go[0]);
	close(go[1]);
	ok(shadow_nothing_left(), "nothing is left");
	munmap(g.mem.va, GUEST_SIZE);
	munmap(g.was, GUEST_SIZE);
	g = private;
}

/* ------------------------------------------------------------------ */
/* Races */

/**
 * struct race - what the threads of test_race() share
 * @pt: table, which leads HIGH to @first or @second
 * @x: what the device writes to: as an IOVA of the table as HIGH, as GPA a page
 * @first: GPA
 * @second: GPA
 * @moving: memory that is mapped at SHARED_GPA and unmapped
 * @binds: how often was bound
 * @moves: how often was mapped
 * @invs: invalidations
 * @bad: what was wrong
 */
struct race {
	struct pgtable pt;
	uint64_t x, first, second;
	uint8_t *moving;
	unsigned int binds, moves, invs, bad[3];
};

static void *race_bind(void *arg)
{
	struct race *r = arg;
	uint64_t random = 5;

	for (; !stop; r->binds++) {
		r->bad[0] += bind_at(&r->pt) != 0;
		usleep(random_from(&random) % 100000);
		r->bad[0] += unbind_table(g.dev.container, 0) != 0;
		usleep(random_from(&random) % 50000);
	}
	return NULL;
}

/* What is unmapped is out of reach from then on, bound or not. */
static void *race_map(void *arg)
{
	uint8_t *was = alloc_pages(PAGE);
	struct race *r = arg;

	for (; !stop; r->moves++) {
		r->bad[1] += dma_map(g.dev.container, SHARED_GPA, r->moving,
				     PAGE) != 0;
		usleep(120000);
		r->bad[1] += dma_unmap(g.dev.container, SHARED_GPA, PAGE,
				       NULL) != 0;
		memset(r->moving, r->moves, PAGE);
		memcpy(was, r->moving, PAGE);
		usleep(120000);
		r->bad[1] += memcmp(was, r->moving, PAGE) != 0;
	}
	munmap(was, PAGE);
	return NULL;
}

static void *race_inv(void *arg)
{
	struct race *r = arg;

	for (; !stop; r->invs++) {
		pgtable_map(&r->pt, r->x,
			    r->invs % 2 ? r->second : r->first, PAGE, PT_ALL);
		r->bad[2] += r->invs % 3 ? inv_all(&g) : inv_page(&g, r->x);
	}
	return NULL;
}

/* Data that may have changed is put back; the rest has not. */
static bool race_intact(const struct race *r)
{
	const uint64_t may[] = {
		r->x, r->first, r->second,
		*pgtable_entry(&r->pt, r->x, 2) & PT_ADDR,
	};
	unsigned int hits = 0;

	for (unsigned int i = 0; i != 4; i++) {
		uint8_t *at = guest_va(&g.mem, may[i]);
		uint8_t *was = g.was + (may[i] - GUEST_GPA);

		hits += i != 3 && memcmp(at, was, PAGE);
		memcpy(at, was, PAGE);
	}
	note("%u of 3 pages were written to", hits);
	return hits && guest_untouched(&g);
}

static void test_race(unsigned int seconds)
{
	static const char *const what[] = { "BIND", "MAP_DMA", "invalidate" };
	time_t end = time(NULL) + seconds;
	struct race r = {};
	pthread_t threads[3];
	struct guest two;

	guest_open(&g);
	two = second_guest();
	guest_forget(&g);
	r.pt = pgtable_new(&g.mem, 48);
	r.x = guest_page(&g);
	r.first = guest_page(&g);
	r.second = guest_page(&g);
	r.moving = alloc_pages(PAGE);
	pgtable_map(&r.pt, r.x, r.first, PAGE, PT_ALL);
	pgtable_map(&r.pt, SHARED_GPA, SHARED_GPA, PAGE, PT_ALL);
	load(&g, r.x, r.x);
	load(&two, r.x, r.x);
	guest_note(&g);
	stop = false;
	thread_start(&threads[0], race_bind, &r);
	thread_start(&threads[1], race_map, &r);
	thread_start(&threads[2], race_inv, &r);
	while (time(NULL) < end || r.binds < 3 || r.moves < 3 || r.invs < 3) {
		edu_start(&two.dev.edu, EDU_BUF, SHARED_GPA, EDU_CHUNK,
			  EDU_CMD_TO_RAM);
		edu_store(&g.dev.edu, r.x, LEN);
		edu_idle(&two.dev.edu);
	}
	stop = true;
	for (unsigned int i = 0; i != 3; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i != 3; i++)
		ok(!r.bad[i], "%s in a race: %u bad", what[i], r.bad[i]);
	note("%u binds, %u mappings, %u invalidations", r.binds, r.moves, r.invs);
	ok(race_intact(&r), "memory is what it was");
	ok(all_works(), "all works");
	edu_session_leave(&two.dev);
	guest_close(&g);
	munmap(r.moving, PAGE);
	ok(shadow_nothing_left(), "nothing is left");
}

int main(int argc, char **argv)
{
	unsigned int kills = 8, seconds = 6;
	uint64_t seed = time(NULL);

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--kills"))
			kills = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--seconds"))
			seconds = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0);
		else
			bail("usage: nesting_shadow_life [--kills N] [--seconds N] [--seed N]");
	}
	note("--seed %lu", seed);
	rng = seed | 1;
	nesting_allow(true);
	guest_memory(&g, MAP_PRIVATE);
	test_close();
	test_kill(kills);
	test_two(true);
	test_two(false);
	test_late();
	test_fork();
	test_orphan();
	test_race(seconds);
	nesting_allow(false);
	return tap_done();
}
