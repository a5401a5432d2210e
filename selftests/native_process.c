// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_CHANGE_PROCESS: who pays for pinned pages of files, before and after, and
 * that nobody pays more or less when it fails.
 *
 * Two processes beside the parent: the first maps and pins, the second takes
 * over.  Unprivileged ones have a user id of their own, so that what is charged
 * to the user begins at 0.
 */
#include <linux/vfio.h>
#include <signal.h>
#include <stdatomic.h>

#include "access_util.h"
#include "cap_util.h"
#include "native_util.h"

#define IOVA 0x100000ULL
#define N 16
#define SIZE (N * PAGE)
#define LIMIT 8
#define KIB(pages) ((pages) * PAGE / 1024)
#define FIRST_USER 31100
#define SECOND_USER 31150

/* Shared by the processes: how far they are */
struct stage {
	atomic_int at;
	pid_t first;
};

/* One context with two address spaces, an access to each */
struct ctx {
	int fd, at[2];
	uint32_t ioas[2];
	uint64_t mode;
	int (*first)(struct ctx *c);
	int (*second)(struct ctx *c);
	int (*first_after)(struct ctx *c);
};

static struct stage *stage;
static unsigned int user;	/* those of this test */
static int file;		/* of SIZE bytes */
static char *mem;

static void stage_wait(int want)
{
	while (atomic_load(&stage->at) < want)
		sched_yield();
}

static int map_file(struct ctx *c, unsigned int i)
{
	return ioas_map_file_at(c->fd, c->ioas[i], file, 0, SIZE, IOVA,
				IOAS_RW);
}

/* Pins stay until the mapping goes. */
static int pin_at(struct ctx *c, unsigned int i, uint64_t first, uint64_t pages)
{
	return access_pin_only(c->at[i], IOVA + first * PAGE, pages * PAGE,
			       PIN_WRITE);
}

static bool is_enomem(int rc)
{
	return rc == -1 && errno == ENOMEM;
}

/* What the calling process pays, in pages.  Only RLIMIT_MODE 1 is locked memory. */
static bool pays(struct ctx *c, uint64_t pages)
{
	bool good = vmpin_kib() == KIB(pages) &&
		    vmlck_kib() == (c->mode ? KIB(pages) : 0);

	if (!good)
		note("VmPin %lu, VmLck %lu, wanted %llu", vmpin_kib(),
		     vmlck_kib(), (unsigned long long)KIB(pages));
	return good;
}

static bool first_pays(uint64_t pages)
{
	return kib_of(stage->first, "VmPin") == KIB(pages);
}

/* ------------------------------------------------------------------ */

static int first_process(struct ctx *c)
{
	int rc = c->first(c);

	atomic_store(&stage->at, 1);
	stage_wait(2);
	return rc ? rc : c->first_after(c);
}

static int second_process(void *arg)
{
	struct ctx *c = arg;

	return c->second(c);
}

/* It stays there for waitpid(). */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid == pid;
}

/* Runs the first until it has pinned, then the second, then the rest of the first. */
static void run(const char *name, struct ctx *c)
{
	unsigned int i;
	int status;
	pid_t pid;

	user++;
	c->fd = iommu_open();
	if (iommu_option_set(c->fd, IOMMU_OPTION_RLIMIT_MODE, 0, c->mode))
		bail("RLIMIT_MODE");
	for (i = 0; i != 2; i++) {
		c->ioas[i] = ioas_new(c->fd);
		c->at[i] = access_new(c->fd, c->ioas[i]);
	}
	atomic_store(&stage->at, 0);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		_exit(first_process(c));
	stage->first = pid;
	while (!atomic_load(&stage->at) && !has_ended(pid))
		sched_yield();
	ok(atomic_load(&stage->at) == 1 && in_child(second_process, c) == 0,
	   "%s", name);
	atomic_store(&stage->at, 2);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	ok(WIFEXITED(status) && !WEXITSTATUS(status),
	   "%s: what the first one sees", name);
	for (i = 0; i != 2; i++)
		close(c->at[i]);
	close(c->fd);
	ok(nothing_left() && vmpin_kib() == 0 && vmlck_kib() == 0,
	   "%s: nothing is left", name);
}

/* ------------------------------------------------------------------ */
/* What the first one does, in the beginning and in the end */

static int pins_7(struct ctx *c)
{
	must(!map_file(c, 0) && !map_file(c, 1));
	must(!pin_at(c, 0, 0, 4) && !pin_at(c, 1, 5, 3));
	must(pays(c, 7));
	return 0;
}

static int pins_7_with_limit(struct ctx *c)
{
	become_user(FIRST_USER + user, -1);
	memlock_limit(LIMIT * PAGE);
	return pins_7(c);
}

static int pays_nothing(struct ctx *c)
{
	must(pays(c, 0));
	return 0;
}

static int pays_7(struct ctx *c)
{
	must(pays(c, 7));
	must(!ioas_unmap_all(c->fd, c->ioas[0], NULL));
	must(pays(c, 3));
	must(!ioas_unmap_all(c->fd, c->ioas[1], NULL));
	must(pays(c, 0));
	return 0;
}

/* One page is left of its limit, no more and no less. */
static int pays_7_of_8(struct ctx *c)
{
	must(pays(c, 7));
	must(is_enomem(pin_at(c, 0, 10, 2)));
	must(!pin_at(c, 0, 10, 1));
	must(pays(c, 8));
	return 0;
}

/* All of its limit is free again, for mappings of its own. */
static int has_limit_back(struct ctx *c)
{
	must(pays(c, 0));
	must(!ioas_map_at(c->fd, c->ioas[0], mem, SIZE, 2 * IOVA, IOAS_RW));
	must(is_enomem(access_pin_only(c->at[0], 2 * IOVA, (LIMIT + 1) * PAGE,
				       PIN_WRITE)));
	must(!access_pin_only(c->at[0], 2 * IOVA, LIMIT * PAGE, PIN_WRITE));
	must(pays(c, LIMIT));
	return 0;
}

/* ------------------------------------------------------------------ */
/* What the second one does */

static int takes_over(struct ctx *c)
{
	must(first_pays(7) && pays(c, 0));
	must(!ioas_change_process(c->fd));
	must(first_pays(0) && pays(c, 7));
	/* Once more: it pays already. */
	must(!ioas_change_process(c->fd));
	must(first_pays(0) && pays(c, 7));
	/* So it does for what is pinned from now on. */
	must(!pin_at(c, 1, 10, 2));
	must(first_pays(0) && pays(c, 9));
	must(!ioas_unmap_all(c->fd, c->ioas[1], NULL));
	must(pays(c, 4));
	must(!ioas_unmap_all(c->fd, c->ioas[0], NULL));
	must(pays(c, 0));
	return 0;
}

static int takes_over_with_limit(struct ctx *c)
{
	become_user(SECOND_USER + user, -1);
	memlock_limit(LIMIT * PAGE);
	must(!ioas_change_process(c->fd));
	must(first_pays(0) && pays(c, 7));
	must(is_enomem(pin_at(c, 0, 10, 2)));
	must(!pin_at(c, 0, 10, 1));
	must(pays(c, 8));
	/* Its pins outlive it: the first one's limit is not theirs. */
	return 0;
}

static int has_too_low_limit(struct ctx *c)
{
	become_user(SECOND_USER + user, -1);
	memlock_limit(2 * PAGE);
	must(is_enomem(ioas_change_process(c->fd)));
	must(first_pays(7) && pays(c, 0));
	return 0;
}

/* Enough for one of the mappings, whichever comes first */
static int has_limit_for_one(struct ctx *c)
{
	become_user(SECOND_USER + user, -1);
	memlock_limit(5 * PAGE);
	must(is_enomem(ioas_change_process(c->fd)));
	must(first_pays(7) && pays(c, 0));
	/* Nothing of its limit is used up. */
	must(!ioas_map_file_at(c->fd, c->ioas[0], file, 0, SIZE, 2 * IOVA,
			       IOAS_RW));
	must(is_enomem(access_pin_only(c->at[0], 2 * IOVA, 6 * PAGE,
				       PIN_WRITE)));
	must(!access_pin_only(c->at[0], 2 * IOVA, 5 * PAGE, PIN_WRITE));
	must(!ioas_unmap(c->fd, c->ioas[0], 2 * IOVA, SIZE, NULL));
	must(pays(c, 0));
	return 0;
}

/* CAP_IPC_LOCK: a process has no limit. */
static int is_capable(struct ctx *c)
{
	become_user(SECOND_USER + user, CAP_IPC_LOCK);
	memlock_limit(0);
	must(!ioas_change_process(c->fd));
	must(first_pays(0) && pays(c, 7));
	return 0;
}

/* Memory of a process cannot be handed over, and then nothing is. */
static int meets_memory(struct ctx *c)
{
	struct counts was = counts_get();

	must(ioas_change_process(c->fd) == -1 && errno == EINVAL);
	must(first_pays(7) && pays(c, 0));
	must(counts_same(&was));
	/* Without it, it works. */
	must(!ioas_unmap(c->fd, c->ioas[1], 4 * IOVA, PAGE, NULL));
	must(!ioas_change_process(c->fd));
	must(first_pays(0) && pays(c, 7));
	return 0;
}

static int meets_memory_only(struct ctx *c)
{
	must(ioas_change_process(c->fd) == -1 && errno == EINVAL);
	must(first_pays(7) && pays(c, 0));
	return 0;
}

/* ------------------------------------------------------------------ */

static int pins_7_and_maps_memory(struct ctx *c)
{
	must(!pins_7(c));
	must(!ioas_map_at(c->fd, c->ioas[1], mem, PAGE, 4 * IOVA, IOAS_RW));
	return 0;
}

static int pins_7_and_maps_by_vfio(struct ctx *c)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ,
		.vaddr = (uintptr_t)mem,
		.iova = 4 * IOVA,
		.size = PAGE,
	};

	must(!pins_7(c));
	must(!vfio_ioas_set(c->fd, c->ioas[1]));
	must(!ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &cmd));
	return 0;
}

/*
 * Its limit goes down below what it has pinned: what was its is its all the same
 * when another process fails to take it over.
 */
static int pins_7_and_lowers_limit(struct ctx *c)
{
	must(!pins_7_with_limit(c));
	must(!ioas_map_at(c->fd, c->ioas[1], mem, PAGE, 4 * IOVA, IOAS_RW));
	memlock_limit(PAGE);
	return 0;
}

/* The same pages by a copy and by a second access are charged once. */
static int pins_copies(struct ctx *c)
{
	must(!map_file(c, 0));
	must(!ioas_copy_at(c->fd, c->ioas[1], c->ioas[0], IOVA, SIZE, IOVA,
			   IOAS_RW));
	must(!ioas_copy_at(c->fd, c->ioas[0], c->ioas[0], IOVA, SIZE, 2 * IOVA,
			   IOAS_RW));
	must(!pin_at(c, 0, 0, 7) && !pin_at(c, 1, 0, 6));
	must(!access_pin_only(c->at[0], 2 * IOVA, PAGE, PIN_WRITE));
	must(pays(c, 7));
	return 0;
}

static void test_two(void)
{
	struct ctx c = {
		.first = pins_7,
		.second = takes_over,
		.first_after = pays_nothing,
	};
	uint64_t mode;

	for (mode = 0; mode != 2; mode++) {
		note("RLIMIT_MODE %llu", (unsigned long long)mode);
		c.mode = mode;
		c.first = pins_7;
		c.second = takes_over;
		run("takes over", &c);
		c.first = pins_7_with_limit;
		c.second = takes_over_with_limit;
		c.first_after = has_limit_back;
		run("takes over, with limits", &c);
		c.second = has_too_low_limit;
		c.first_after = pays_7_of_8;
		run("has too low a limit", &c);
		c.second = has_limit_for_one;
		run("has a limit for one of two", &c);
		c.first = pins_7_and_maps_memory;
		c.second = meets_memory;
		c.first_after = pays_nothing;
		run("meets memory of a process", &c);
		c.first = pins_7_and_maps_by_vfio;
		run("meets memory mapped by VFIO's ioctl", &c);
		c.first = pins_7_and_lowers_limit;
		c.second = meets_memory_only;
		c.first_after = pays_7;
		run("fails where the first one's limit went down", &c);
		c.first_after = pays_nothing;
	}
	c.mode = 1;
	c.first = pins_7_with_limit;
	c.second = is_capable;
	run("has CAP_IPC_LOCK", &c);
}

/* ------------------------------------------------------------------ */

static int takes_copies(struct ctx *c)
{
	must(first_pays(7));
	must(!ioas_change_process(c->fd));
	must(first_pays(0) && pays(c, 7));
	must(!ioas_unmap_all(c->fd, c->ioas[0], NULL));
	must(pays(c, 6));
	must(!ioas_unmap_all(c->fd, c->ioas[1], NULL));
	must(pays(c, 0));
	return 0;
}

static int maps_only(struct ctx *c)
{
	must(!map_file(c, 0));
	must(pays(c, 0));
	return 0;
}

/* Nothing is pinned yet, so nothing is charged yet. */
static int takes_unpinned(struct ctx *c)
{
	must(!ioas_change_process(c->fd));
	must(first_pays(0) && pays(c, 0));
	must(!pin_at(c, 0, 0, 3));
	must(first_pays(0) && pays(c, 3));
	return 0;
}

static void test_more(void)
{
	struct ctx c = {
		.mode = 1,
		.first = pins_copies,
		.second = takes_copies,
		.first_after = pays_nothing,
	};
	int fd;

	run("takes over copies", &c);
	c.first = maps_only;
	c.second = takes_unpinned;
	run("takes over what is not pinned", &c);

	fd = iommu_open();
	ok(!ioas_change_process(fd), "a context without objects");
	ioas_new(fd);
	ok(!ioas_change_process(fd), "and one without mappings");
	close(fd);
}

/* ------------------------------------------------------------------ */
/* The first one is dead */

static int pins_3(void *arg)
{
	struct ctx *c = arg;

	must(!map_file(c, 0) && !pin_at(c, 0, 0, 3));
	must(pays(c, 3));
	return 0;
}

static void test_dead(uint64_t mode)
{
	struct ctx c = { .fd = iommu_open(), .mode = mode };
	struct pin pin;

	note("of a dead process, RLIMIT_MODE %llu", (unsigned long long)mode);
	if (iommu_option_set(c.fd, IOMMU_OPTION_RLIMIT_MODE, 0, mode))
		bail("RLIMIT_MODE");
	c.ioas[0] = ioas_new(c.fd);
	c.at[0] = access_new(c.fd, c.ioas[0]);
	ok(in_child(pins_3, &c) == 0, "a child maps, pins 3 pages, exits");
	ok(iommufd_stat("pinned_pages") == 3 && pays(&c, 0),
	   "they stay pinned");
	ok(!ioas_change_process(c.fd) && pays(&c, 3), "take over");
	ok(!access_pin(c.at[0], IOVA, SIZE, PIN_WRITE, &pin) && pays(&c, N) &&
	   access_holds(c.at[0], &pin, 0, mem, SIZE),
	   "all of the file can be pinned now");
	ok(!ioas_unmap_all(c.fd, c.ioas[0], NULL) && pays(&c, 0), "unmap");
	close(c.at[0]);
	close(c.fd);
	ok(nothing_left(), "nothing is left");
}

/* ------------------------------------------------------------------ */
/* Two processes take over from each other while a third one pins. */

#define ROUNDS 300

static int takes_often(void *arg)
{
	struct ctx *c = arg;
	unsigned int i;

	for (i = 0; i != ROUNDS; i++)
		must(!ioas_change_process(c->fd));
	/* The parent pays in the end. */
	return 0;
}

static void *take_thread(void *arg)
{
	return takes_often(arg) ? arg : NULL;
}

static void test_race(void)
{
	struct ctx c = { .fd = iommu_open(), .mode = 1 };
	unsigned int i, bad = 0;
	pthread_t thread;
	struct pin pin;
	int status;
	void *rc;
	pid_t pid;

	if (iommu_option_set(c.fd, IOMMU_OPTION_RLIMIT_MODE, 0, 1))
		bail("RLIMIT_MODE");
	c.ioas[0] = ioas_new(c.fd);
	c.at[0] = access_new(c.fd, c.ioas[0]);
	ok(!map_file(&c, 0), "map");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		_exit(takes_often(&c));
	if (pthread_create(&thread, NULL, take_thread, &c))
		bail("pthread_create");
	for (i = 0; i != ROUNDS; i++) {
		/* Whoever pays then may be gone: a dead process cannot. */
		if (access_pin(c.at[0], IOVA + (i % 4) * PAGE, 8 * PAGE,
			       PIN_WRITE, &pin))
			bad += errno != EFAULT;
		else
			bad += access_unpin(c.at[0], &pin) != 0;
	}
	pthread_join(thread, &rc);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	ok(!bad && !rc && !status,
	   "two take over from each other, one pins (%u failed)", bad);
	ok(pays(&c, 0), "nothing is pinned, and this process pays nothing");
	ok(!ioas_change_process(c.fd) &&
	   !access_pin(c.at[0], IOVA, SIZE, PIN_WRITE, &pin) && pays(&c, N),
	   "take over a last time, and pin");
	ok(!ioas_unmap_all(c.fd, c.ioas[0], NULL) && pays(&c, 0), "unmap");
	close(c.at[0]);
	close(c.fd);
	ok(nothing_left(), "nothing is left");
}

int main(void)
{
	stage = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage == MAP_FAILED)
		bail("mmap");
	file = memfd_new(0, SIZE);
	mem = memfd_map(file, SIZE);
	mem_fill(mem, SIZE, 1);

	test_two();
	test_more();
	test_dead(0);
	test_dead(1);
	test_race();
	return tap_done();
}
