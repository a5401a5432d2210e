// SPDX-License-Identifier: GPL-2.0-only
/*
 * UNMAP, DESTROY and detach while an in-kernel access has pages pinned: a well
 * behaved one is asked and lets go; one that refuses makes UNMAP fail, and
 * nothing is lost; one that takes its time is waited for.
 *
 * known-bugs.md rows 5 (the middle of an area is pinned; CVE-2023-53630), 16
 * (locks dropped in the unmap loop), 29 (a stuck access: bounded wait).
 */
#include <signal.h>

#include "access_util.h"

#define IOVA 0x100000ULL
#define N 16
#define TRIES 5		/* how often UNMAP asks an access, with a second each */

static int fd;
static uint32_t ioas;
static char *mem;

static uint64_t pinned(void)
{
	return iommufd_stat("pinned_pages");
}

static void map_all(void)
{
	if (ioas_map_at(fd, ioas, mem, N * PAGE, IOVA, IOAS_RW))
		bail("IOAS_MAP");
}

/* Row 5 */
static void test_well_behaved(void)
{
	static const struct { uint64_t first, pages; } parts[] = {
		{ 0, N }, { 0, 1 }, { N - 1, 1 }, { N / 2, 1 }, { 3, 7 },
	};
	unsigned int i;
	uint64_t n;

	for (i = 0; i != sizeof(parts) / sizeof(parts[0]); i++) {
		int at = access_new(fd, ioas);
		struct access_test_stats stats;
		struct pin pin;

		map_all();
		ok(!access_pin(at, IOVA + parts[i].first * PAGE,
			       parts[i].pages * PAGE, PIN_WRITE, &pin),
		   "pin %llu pages from %llu",
		   (unsigned long long)parts[i].pages,
		   (unsigned long long)parts[i].first);
		ok(!ioas_unmap(fd, ioas, IOVA - PAGE, (N + 2) * PAGE, &n) &&
		   n == N * PAGE, "unmap more than the mapping");
		stats = access_stats(at);
		ok(stats.unmap_calls >= 1 && stats.pins == 0,
		   "the access was asked and let go");
		ok(stats.last_iova <= IOVA + parts[i].first * PAGE &&
		   stats.last_iova + (stats.last_length - 1) >=
		   IOVA + (parts[i].first + parts[i].pages) * PAGE - 1,
		   "the range it was asked for covers the pin");
		fails(access_unpin(at, &pin), ENOENT, "the pin is gone");
		ok(pinned() == 0, "nothing is pinned");
		close(at);
	}
}

static void test_not_asked(void)
{
	int at = access_new(fd, ioas);
	struct pin pin;

	map_all();
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA + 2 * N * PAGE, IOAS_RW),
	   "a second mapping");
	ok(!access_pin(at, IOVA, PAGE, PIN_WRITE, &pin), "pin in the first");
	ok(!ioas_unmap(fd, ioas, IOVA + 2 * N * PAGE, PAGE, NULL),
	   "unmap the second");
	ok(access_stats(at).pins == 1 && pinned() == 1, "the pin stays");
	fails(ioas_unmap(fd, ioas, IOVA, PAGE, NULL), ENOENT,
	      "a cut of the first fails");
	ok(access_stats(at).pins == 1 &&
	   access_holds(at, &pin, 0, mem, PAGE),
	   "a request that fails takes no pin away");
	ok(!ioas_unmap_all(fd, ioas, NULL) && pinned() == 0, "unmap");
	close(at);
}

static void test_two(void)
{
	int a = access_new(fd, ioas), b = access_new(fd, ioas);
	struct pin pin[3];
	uint64_t n;

	map_all();
	ok(!access_pin(a, IOVA, 8 * PAGE, PIN_WRITE, &pin[0]) &&
	   !access_pin(b, IOVA + 4 * PAGE, 8 * PAGE, PIN_READ, &pin[1]) &&
	   !access_pin(b, IOVA + 5 * PAGE, PAGE, PIN_READ, &pin[2]),
	   "two accesses pin ranges that overlap");
	ok(pinned() == 12, "12 pages are pinned");
	ok(!access_unpin(a, &pin[0]) && pinned() == 8, "one lets go");
	ok(access_holds(b, &pin[1], 0, mem + 4 * PAGE, 8 * PAGE),
	   "the other still has its pages");
	ok(!access_pin(a, IOVA, 8 * PAGE, PIN_WRITE, &pin[0]), "pin again");
	ok(!ioas_unmap(fd, ioas, IOVA, N * PAGE, &n) && n == N * PAGE, "unmap");
	ok(access_stats(a).pins == 0 && access_stats(b).pins == 0 &&
	   pinned() == 0, "both let go");
	close(a);
	close(b);
}

/* Copies share the pages: unmapping one must not disturb the other's pins. */
static void test_copy(void)
{
	uint32_t other = ioas_new(fd);
	int a = access_new(fd, ioas), b = access_new(fd, other);
	struct pin pa, pb;

	map_all();
	ok(!ioas_copy_at(fd, other, ioas, IOVA + 4 * PAGE, 8 * PAGE, 2 * IOVA,
			 IOAS_RW), "copy the middle");
	ok(!access_pin(a, IOVA, N * PAGE, PIN_WRITE, &pa) &&
	   !access_pin(b, 2 * IOVA, 8 * PAGE, PIN_WRITE, &pb), "pin both");
	ok(pinned() == N, "shared pages are pinned once");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap the source");
	ok(pinned() == 8 && access_stats(b).pins == 1,
	   "only the copy's pages stay");
	ok(access_holds(b, &pb, 0, mem + 4 * PAGE, 8 * PAGE),
	   "and are the user's");
	ok(!ioas_unmap_all(fd, other, NULL) && pinned() == 0, "unmap the copy");
	close(a);
	close(b);
	iommu_destroy_id(fd, other);
}

/* Row 29 */
static void test_refuse(void)
{
	int at = access_new(fd, ioas);
	struct pin pin;
	uint64_t n;

	note("UNMAP waits for a stuck access, so this takes some seconds");
	map_all();
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA + N * PAGE, IOAS_RW),
	   "a second mapping behind");
	ok(!access_pin(at, IOVA + PAGE, 2 * PAGE, PIN_WRITE, &pin), "pin");
	ok(!access_mode(at, ACCESS_TEST_REFUSE, ~0U), "refuse for ever");
	fails(ioas_unmap(fd, ioas, IOVA, N * PAGE, NULL), EBUSY,
	      "UNMAP gives up");
	ok(access_stats(at).refused == TRIES, "the access was asked %u times (%llu)",
	   TRIES, (unsigned long long)access_stats(at).refused);
	ok(pinned() == 2 && access_holds(at, &pin, 0, mem + PAGE, 2 * PAGE),
	   "its pages are still pinned and the user's");
	fails(ioas_map_at(fd, ioas, mem, PAGE, IOVA, IOAS_RW), EEXIST,
	      "the mapping is still there");
	fails(ioas_unmap_all(fd, ioas, NULL), EBUSY, "the whole space too");

	ok(!access_mode(at, ACCESS_TEST_RELEASE, 0) && !access_unpin(at, &pin),
	   "the access lets go by itself");
	ok(!access_pin(at, IOVA, N * PAGE, PIN_WRITE, &pin) &&
	   access_holds(at, &pin, 0, mem, N * PAGE),
	   "after an UNMAP that gave up, the mapping can be pinned");
	ok(!ioas_unmap(fd, ioas, IOVA, N * PAGE, &n) && n == N * PAGE,
	   "and unmapped");
	ok(!ioas_unmap_all(fd, ioas, NULL) && pinned() == 0, "undo");

	close(at);
}

/* UNMAP asks more than once, and takes no for an answer only in the end. */
static void test_refuse_some(void)
{
	static const unsigned int refusals[] = { 1, TRIES - 1, TRIES };
	unsigned int i;

	for (i = 0; i != sizeof(refusals) / sizeof(refusals[0]); i++) {
		int at = access_new(fd, ioas), rc;
		struct access_test_stats stats;
		struct pin pin;
		uint64_t n;

		map_all();
		ok(!access_pin(at, IOVA, PAGE, PIN_WRITE, &pin) &&
		   !access_mode(at, ACCESS_TEST_REFUSE, refusals[i]),
		   "pin, refuse %u times", refusals[i]);
		rc = ioas_unmap(fd, ioas, IOVA, N * PAGE, &n) ? -errno : 0;
		stats = access_stats(at);
		ok(stats.refused == refusals[i], "it refused %llu times",
		   (unsigned long long)stats.refused);
		if (refusals[i] < TRIES) {
			ok(!rc && n == N * PAGE && stats.unmap_calls ==
			   refusals[i] + 1, "the next time it let go");
		} else {
			ok(rc == -EBUSY, "UNMAP gives up");
			ok(!ioas_unmap(fd, ioas, IOVA, N * PAGE, &n) &&
			   n == N * PAGE, "the second UNMAP succeeds");
		}
		ok(pinned() == 0, "nothing is pinned");
		close(at);
	}
}

/* The access that is destroyed while it refuses is still let go of. */
static void test_refuse_and_close(void)
{
	int at = access_new(fd, ioas);
	struct pin pin;

	map_all();
	ok(!access_pin(at, IOVA, PAGE, PIN_WRITE, &pin) &&
	   !access_mode(at, ACCESS_TEST_REFUSE, ~0U), "pin and refuse");
	fails(ioas_unmap_all(fd, ioas, NULL), EBUSY, "UNMAP gives up");
	close(at);
	ok(pinned() == 0, "closing the access unpins");
	ok(!ioas_unmap_all(fd, ioas, NULL), "UNMAP works");
}

struct unmapper {
	pthread_t thread;
	uint64_t iova, length, unmapped;
	int rc, err;
};

static void *unmap_thread(void *arg)
{
	struct unmapper *u = arg;

	u->rc = ioas_unmap(fd, ioas, u->iova, u->length, &u->unmapped);
	u->err = errno;
	return NULL;
}

/* An UNMAP that waits inside the callback: what others may do meanwhile */
static void test_hold(void)
{
	struct unmapper u = { .iova = IOVA, .length = N * PAGE };
	int at = access_new(fd, ioas), other = access_new(fd, ioas);
	uint64_t calls = access_stats(at).unmap_calls;
	struct pin pin, late;
	int rc;

	map_all();
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA + 2 * N * PAGE, IOAS_RW),
	   "a second mapping");
	ok(!access_pin(at, IOVA, PAGE, PIN_WRITE, &pin) &&
	   !access_mode(at, ACCESS_TEST_HOLD, 0), "pin and hold");
	pthread_create(&u.thread, NULL, unmap_thread, &u);
	access_stats_wait(at, calls + 1);

	ok(!ioas_unmap(fd, ioas, IOVA + 2 * N * PAGE, PAGE, NULL),
	   "meanwhile another mapping is unmapped");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA + 3 * N * PAGE, IOAS_RW),
	   "and one is made");
	rc = ioas_map_at(fd, ioas, mem, PAGE, IOVA, IOAS_RW);
	ok(rc && (errno == EEXIST || errno == EBUSY),
	   "but not in the range that goes");
	rc = access_pin(other, IOVA + PAGE, PAGE, PIN_READ, &late);
	ok(!rc || errno == EINVAL || errno == EBUSY || errno == ENOENT,
	   "a pin in it fails or is called back (errno %d)", rc ? errno : 0);
	ok(access_holds(at, &pin, 0, mem, PAGE),
	   "the page is valid until the callback returns");

	ok(!access_mode(at, ACCESS_TEST_RELEASE, 0), "let go");
	pthread_join(u.thread, NULL);
	ok(!u.rc && u.unmapped == N * PAGE, "UNMAP succeeds (errno %d)", u.err);
	ok(access_stats(other).pins == 0 && pinned() == 0, "no pin is left");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, IOVA, IOAS_RW), "the range is free");
	ok(!ioas_unmap_all(fd, ioas, NULL), "undo");
	close(other);
	close(at);
}

/* An access that breaks the contract, but lets go while UNMAP still waits */
static void test_late(void)
{
	struct unmapper u = { .iova = IOVA, .length = N * PAGE };
	int at = access_new(fd, ioas);
	uint64_t calls = access_stats(at).unmap_calls;
	struct pin pin;

	map_all();
	ok(!access_pin(at, IOVA, PAGE, PIN_WRITE, &pin) &&
	   !access_mode(at, ACCESS_TEST_REFUSE, ~0U), "pin and refuse");
	pthread_create(&u.thread, NULL, unmap_thread, &u);
	access_stats_wait(at, calls + 1);
	ok(!access_unpin(at, &pin), "unpin after the callback returned");
	pthread_join(u.thread, NULL);
	ok(!u.rc && u.unmapped == N * PAGE, "UNMAP succeeds (errno %d)", u.err);
	ok(pinned() == 0, "nothing is pinned");
	close(at);
}

/* SIGKILL of a process that waits in UNMAP */
static void test_hold_and_kill(void)
{
	int at = access_new(fd, ioas);
	uint64_t calls = access_stats(at).unmap_calls;
	struct pin pin;
	int status;
	pid_t pid;

	map_all();
	ok(!access_pin(at, IOVA, PAGE, PIN_WRITE, &pin) &&
	   !access_mode(at, ACCESS_TEST_HOLD, 0), "pin and hold");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		_exit(!!ioas_unmap_all(fd, ioas, NULL));
	access_stats_wait(at, calls + 1);
	ok(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid &&
	   WIFSIGNALED(status), "kill a process that waits in UNMAP");
	ok(!access_mode(at, ACCESS_TEST_RELEASE, 0), "release");
	ok(!ioas_unmap_all(fd, ioas, NULL) && pinned() == 0,
	   "whatever it did, UNMAP of all leaves nothing");
	close(at);
}

/* SIGKILL of a process that asks an access again and again: nothing changes. */
static void test_refuse_and_kill(void)
{
	int at = access_new(fd, ioas);
	uint64_t calls = access_stats(at).unmap_calls;
	struct pin pin;
	int status;
	pid_t pid;

	map_all();
	ok(!access_pin(at, IOVA, PAGE, PIN_WRITE, &pin) &&
	   !access_mode(at, ACCESS_TEST_REFUSE, ~0U), "pin and refuse");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		_exit(!!ioas_unmap_all(fd, ioas, NULL));
	access_stats_wait(at, calls + 1);
	ok(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid &&
	   WIFSIGNALED(status), "kill a process whose UNMAP is refused");
	note("the access was asked %llu times",
	     (unsigned long long)(access_stats(at).unmap_calls - calls));
	fails(ioas_map_at(fd, ioas, mem, PAGE, IOVA, IOAS_RW), EEXIST,
	      "the mapping is still there");
	ok(access_holds(at, &pin, 0, mem, PAGE) && pinned() == 1,
	   "the pin too");
	ok(!access_unpin(at, &pin) &&
	   !access_pin(at, IOVA, N * PAGE, PIN_WRITE, &pin) &&
	   access_holds(at, &pin, 0, mem, N * PAGE), "it can be pinned again");
	ok(!access_mode(at, ACCESS_TEST_RELEASE, 0) &&
	   !ioas_unmap_all(fd, ioas, NULL) && pinned() == 0, "UNMAP works");
	close(at);
}

static void test_detach(void)
{
	uint32_t other = ioas_new(fd);
	int at = access_new(fd, ioas);
	struct access_test_stats stats;
	struct pin pin;

	map_all();
	ok(!access_pin(at, IOVA, 4 * PAGE, PIN_WRITE, &pin), "pin");
	ok(!access_detach(at), "detach");
	stats = access_stats(at);
	ok(stats.last_iova == 0 && stats.last_length == UINT64_MAX &&
	   stats.pins == 0, "the access was asked for the whole space");
	ok(pinned() == 0, "nothing is pinned");
	fails(access_pin_only(at, IOVA, PAGE, PIN_READ), ENOENT,
	      "pin while detached");
	ok(!access_attach(at, other), "attach to another IOAS");
	fails(access_pin_only(at, IOVA, PAGE, PIN_READ), ENOENT,
	      "its address space is another");
	ok(!access_detach(at) && !access_attach(at, ioas), "and back");
	ok(!access_pin(at, IOVA, 4 * PAGE, PIN_WRITE, &pin) &&
	   access_holds(at, &pin, 0, mem, 4 * PAGE), "pin again");
	close(at);
	ok(pinned() == 0, "closing the access unpins");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	ok(!iommu_destroy_id(fd, other), "the other IOAS is free");
}

/* "Everything" is a length that does not reach the last IOVA by itself. */
static void test_last_iova(void)
{
	uint32_t top = ioas_new(fd);
	struct pin pin;
	int at;

	ok(!ioas_map_at(fd, top, mem, PAGE, 0 - PAGE, IOAS_RW),
	   "map the last page that there is");
	at = access_new(fd, top);
	ok(!access_pin(at, UINT64_MAX, 1, PIN_WRITE, &pin) && pinned() == 1,
	   "pin its last byte");
	ok(!access_detach(at) && access_stats(at).pins == 0 && pinned() == 0,
	   "detaching the access unpins it");
	close(at);
	at = access_new(fd, top);
	ok(!access_pin(at, UINT64_MAX, 1, PIN_WRITE, &pin), "pin it again");
	close(at);
	ok(pinned() == 0, "closing the access, too");
	at = access_new(fd, top);
	ok(!access_pin(at, UINT64_MAX, 1, PIN_WRITE, &pin), "and again");
	ok(!ioas_unmap(fd, top, 0 - PAGE, PAGE, NULL) &&
	   access_stats(at).pins == 0 && pinned() == 0, "unmap asks for it");
	close(at);
	ok(!iommu_destroy_id(fd, top), "its IOAS is free");
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	mem = mem_alloc(N * PAGE);
	mem_fill(mem, N * PAGE, 3);

	test_well_behaved();
	test_not_asked();
	test_two();
	test_copy();
	test_refuse();
	test_refuse_some();
	test_refuse_and_close();
	test_hold();
	test_late();
	test_hold_and_kill();
	test_refuse_and_kill();
	test_detach();
	test_last_iova();
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   pinned() == 0, "nothing is left");
	return tap_done();
}
