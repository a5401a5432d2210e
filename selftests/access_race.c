// SPDX-License-Identifier: GPL-2.0-only
/*
 * rw and pin_pages in one thread, UNMAP and MAP of the same range in another.
 * Each answer must be an error or the whole of one mapping's memory, and at the
 * end nothing is pinned.  The threads end after a number of rounds.
 *
 * known-bugs.md rows 5, 7 (an area used after its lock was dropped), 16 (a map
 * into the hole of an unmap that is still at work).
 */
#include <stdatomic.h>

#include "access_util.h"

#define IOVA 0x100000ULL
#define N 8
#define SIZE (N * PAGE)
#define ROUNDS 2000

static int fd, at;
static uint32_t ioas;
static char *mem[2];
static atomic_bool stop;
static atomic_uint hits, misses, torn, bad_errno;

static void unexpected(const char *what)
{
	note("%s: errno %d", what, errno);
	atomic_fetch_add(&bad_errno, 1);
}

/* All of @buf is of the memory @mem[0], or all of @mem[1] */
static void judge(const char *buf)
{
	if (!memcmp(buf, mem[0], SIZE) || !memcmp(buf, mem[1], SIZE))
		atomic_fetch_add(&hits, 1);
	else
		atomic_fetch_add(&torn, 1);
}

static void *rw_thread(void *arg)
{
	char *buf = mem_alloc(SIZE);

	while (!atomic_load(&stop)) {
		if (!access_rw(at, IOVA, buf, SIZE, PIN_READ))
			judge(buf);
		else if (errno == ENOENT || errno == EINVAL || errno == EBUSY)
			atomic_fetch_add(&misses, 1);
		else
			unexpected("rw");
	}
	munmap(buf, SIZE);
	return arg;
}

static void *pin_thread(void *arg)
{
	char *buf = mem_alloc(SIZE);

	while (!atomic_load(&stop)) {
		struct pin pin;

		if (access_pin(at, IOVA, SIZE, PIN_WRITE, &pin)) {
			if (errno != ENOENT && errno != EINVAL &&
			    errno != EBUSY)
				unexpected("pin");
			atomic_fetch_add(&misses, 1);
			continue;
		}
		/* ENOENT: called back in the meantime */
		if (!access_peek(at, &pin, 0, buf, SIZE))
			judge(buf);
		else if (errno != ENOENT)
			unexpected("peek");
		if (access_unpin(at, &pin) && errno != ENOENT)
			unexpected("unpin");
	}
	munmap(buf, SIZE);
	return arg;
}

/*
 * Others may hold the range for a moment, and a pin that was made after the
 * callback is found by the next UNMAP only.
 */
static bool unmap_again(void)
{
	uint64_t n;

	while (ioas_unmap(fd, ioas, IOVA, SIZE, &n)) {
		if (errno != EBUSY)
			return false;
	}
	return n == SIZE;
}

static void run(const char *name, void *(*first)(void *), void *(*second)(void *))
{
	unsigned int i, maps = 0, unmaps = 0;
	pthread_t thread[2];

	atomic_store(&stop, false);
	atomic_store(&hits, 0);
	atomic_store(&misses, 0);
	pthread_create(&thread[0], NULL, first, NULL);
	pthread_create(&thread[1], NULL, second, NULL);
	/* Until there was enough of both, however the threads are scheduled */
	for (i = 0; i < ROUNDS || atomic_load(&hits) < 100; i++) {
		maps += !ioas_map_at(fd, ioas, mem[i % 2], SIZE, IOVA, IOAS_RW);
		if (i % 8 == 0)
			sched_yield();
		unmaps += unmap_again();
	}
	atomic_store(&stop, true);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	note("%s: %u rounds, %u hits, %u misses", name, i, hits, misses);
	ok(maps == i && unmaps == i, "%s: MAP and UNMAP always work (%u, %u of %u)",
	   name, maps, unmaps, i);
	ok(!torn, "%s: every answer is of one mapping (%u are not)", name, torn);
	ok(!bad_errno, "%s: no other error", name);
	ok(iommufd_stat("pinned_pages") == 0 && iommufd_stat("areas") == 0,
	   "%s: nothing is left", name);
}

/* Row 16: one thread unmaps a large range, the others fill its holes. */
static void *filler_thread(void *arg)
{
	uint64_t base = IOVA + (uintptr_t)arg * SIZE;

	while (!atomic_load(&stop)) {
		uint64_t n = 0;

		if (ioas_map_at(fd, ioas, mem[0], PAGE, base, IOAS_RW)) {
			if (errno != EEXIST)
				unexpected("map");
			continue;
		}
		atomic_fetch_add(&hits, 1);
		/* ENOENT: the large UNMAP was faster; EBUSY: it is at work */
		if (ioas_unmap(fd, ioas, base, PAGE, &n) && errno != ENOENT &&
		    errno != EBUSY)
			unexpected("unmap");
	}
	return NULL;
}

static void test_fill_holes(void)
{
	pthread_t thread[2];
	unsigned int i, good = 0, busy = 0;

	atomic_store(&stop, false);
	atomic_store(&hits, 0);
	for (i = 0; i != 2; i++)
		pthread_create(&thread[i], NULL, filler_thread,
			       (void *)(uintptr_t)(2 * i));
	for (i = 0; i < ROUNDS || atomic_load(&hits) < 100; i++) {
		/* Always there, so never ENOENT */
		if (ioas_map_at(fd, ioas, mem[1], PAGE, IOVA + SIZE, IOAS_RW) &&
		    errno != EEXIST)
			break;
		if (!ioas_unmap(fd, ioas, IOVA, 4 * SIZE, NULL))
			good++;
		else if (errno == EBUSY)
			busy++;
		else
			break;
	}
	atomic_store(&stop, true);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	note("%u succeeded, %u found a mapping that was being made", good, busy);
	ok(good + busy == i && good, "UNMAP over mappings that others make");
	ok(!bad_errno, "no other error");
	ok(!ioas_unmap_all(fd, ioas, NULL) && iommufd_stat("areas") == 0,
	   "nothing is left");
}

/* attach and detach against UNMAP's callback */
static void *attach_thread(void *arg)
{
	int own = access_open();
	struct pin pin;

	if (access_create(own, fd, ACCESS_TEST_CREATE_PINS, NULL))
		bail("ACCESS_TEST_CREATE");
	while (!atomic_load(&stop)) {
		if (access_attach(own, ioas))
			unexpected("attach");
		if (!access_pin(own, IOVA + PAGE, PAGE, PIN_READ, &pin))
			atomic_fetch_add(&hits, 1);
		if (access_detach(own))
			unexpected("detach");
	}
	close(own);
	return arg;
}

int main(void)
{
	unsigned int i;

	fd = iommu_open();
	ioas = ioas_new(fd);
	for (i = 0; i != 2; i++) {
		mem[i] = mem_alloc(SIZE);
		mem_fill(mem[i], SIZE, 10 + i);
	}
	at = access_new(fd, ioas);

	run("rw", rw_thread, rw_thread);
	run("pin", pin_thread, pin_thread);
	run("rw and pin", rw_thread, pin_thread);
	run("attach and rw", attach_thread, rw_thread);
	test_fill_holes();
	close(at);
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pinned_pages") == 0, "nothing is left");
	return tap_done();
}
