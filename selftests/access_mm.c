// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork, exec and exit of the process whose memory is mapped, while others hold
 * the file and an in-kernel access has pages pinned.
 *
 * known-bugs.md row 31 (VmLck wraps after exec; CVE-2023-53171).
 */
#include "access_util.h"
#include "cap_util.h"

#define IOVA 0x100000ULL
#define N 8
#define SIZE (N * PAGE)
#define KIB(pages) ((pages) * PAGE / 1024)
#define EXEC_LIMIT 8

struct ctx {
	int fd, at;
	uint32_t ioas;
};

static struct ctx ctx_open(uint64_t rlimit_mode)
{
	struct ctx c = { .fd = iommu_open() };

	if (iommu_option_set(c.fd, IOMMU_OPTION_RLIMIT_MODE, 0, rlimit_mode))
		bail("RLIMIT_MODE");
	c.ioas = ioas_new(c.fd);
	c.at = access_new(c.fd, c.ioas);
	return c;
}

static void ctx_close(struct ctx *c)
{
	close(c->at);
	close(c->fd);
	iommufd_stat_wait("contexts", 0);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pinned_pages") == 0, "nothing is left");
}

static void *pattern(uint64_t seed)
{
	void *mem = mem_alloc(SIZE);

	mem_fill(mem, SIZE, seed);
	return mem;
}

static int map_at(struct ctx *c, void *mem, uint64_t iova)
{
	return ioas_map_at(c->fd, c->ioas, mem, SIZE, iova, IOAS_RW);
}

static int pin_pages(struct ctx *c, uint64_t first, uint64_t pages,
		     struct pin *pin)
{
	return access_pin(c->at, IOVA + first * PAGE, pages * PAGE, PIN_WRITE,
			  pin);
}

/* ------------------------------------------------------------------ */

struct owner {
	struct ctx *c;
	struct pin *pin;	/* shared with the parent */
};

static int map_pin_exit(void *arg)
{
	struct owner *o = arg;

	must(!map_at(o->c, pattern(21), IOVA));
	must(!pin_pages(o->c, 2, 3, o->pin));
	return 0;
}

static void test_exit(uint64_t rlimit_mode)
{
	struct ctx c = ctx_open(rlimit_mode);
	struct owner o = { .c = &c };
	char *want = pattern(21), *buf = pattern(0);
	struct pin again;

	note("exit of the owner, RLIMIT_MODE %llu",
	     (unsigned long long)rlimit_mode);
	o.pin = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o.pin == MAP_FAILED)
		bail("mmap");
	ok(in_child(map_pin_exit, &o) == 0, "a child maps, pins 3 pages, exits");
	ok(iommufd_stat("pinned_pages") == 3, "they stay pinned");
	ok(access_holds(c.at, o.pin, 0, want + 2 * PAGE, 3 * PAGE),
	   "and hold what it wrote");
	ok(!access_poke(c.at, o.pin, 0, want, PAGE) &&
	   access_holds(c.at, o.pin, 0, want, PAGE), "they can be written");
	ok(!pin_pages(&c, 3, 2, &again) &&
	   access_holds(c.at, &again, 0, want + 3 * PAGE, 2 * PAGE),
	   "what is pinned can be pinned once more");
	fails(access_pin_only(c.at, IOVA, PAGE, PIN_WRITE), EFAULT,
	      "what is not pinned cannot");
	fails(access_pin_only(c.at, IOVA, SIZE, PIN_WRITE), EFAULT,
	      "nor can a range around it");
	ok(iommufd_stat("pinned_pages") == 3, "that changed nothing");
	ok(!access_rw(c.at, IOVA + 3 * PAGE + 5, buf, PAGE, PIN_READ) &&
	   !memcmp(buf, want + 3 * PAGE + 5, PAGE), "rw of pinned pages works");
	fails(access_rw(c.at, IOVA, buf, PAGE, PIN_READ), EFAULT,
	      "rw of others does not");
	ok(!access_unpin(c.at, &again) && iommufd_stat("pinned_pages") == 3,
	   "unpin the second pin");
	ok(!ioas_copy_at(c.fd, c.ioas, c.ioas, IOVA, SIZE, 2 * IOVA, IOAS_RW),
	   "the mapping can be copied");
	ok(!ioas_unmap_all(c.fd, c.ioas, NULL) &&
	   iommufd_stat("pinned_pages") == 0, "unmap");
	ok(vmlck_kib() == 0, "VmLck of this process is 0");
	ctx_close(&c);
	munmap(want, SIZE);
	munmap(buf, SIZE);
	munmap(o.pin, PAGE);
}

/* ------------------------------------------------------------------ */

struct family {
	struct ctx *c;
	char *mem;		/* the parent's */
};

static int child_maps(void *arg)
{
	struct family *f = arg;
	char *own = pattern(32);
	struct pin pin;

	must(vmlck_kib() == 0);
	/* The parent's memory, in this process a copy of it */
	mem_fill(f->mem, SIZE, 33);
	must(!map_at(f->c, own, 2 * IOVA));
	must(!access_pin(f->c->at, 2 * IOVA, 3 * PAGE, PIN_WRITE, &pin));
	must(vmlck_kib() == KIB(3));
	must(access_holds(f->c->at, &pin, 0, own, 3 * PAGE));
	must(!access_unpin(f->c->at, &pin));
	must(vmlck_kib() == 0);
	return 0;
}

static int child_unmaps(void *arg)
{
	struct family *f = arg;
	uint64_t n;

	must(!ioas_unmap(f->c->fd, f->c->ioas, IOVA, SIZE, &n) && n == SIZE);
	must(vmlck_kib() == 0);
	return 0;
}

static void test_fork(void)
{
	struct ctx c = ctx_open(1);
	struct family f = { .c = &c, .mem = pattern(31) };
	char *want = pattern(31), *data = pattern(34);
	struct pin pin;

	note("fork");
	ok(!map_at(&c, f.mem, IOVA) && !pin_pages(&c, 0, 4, &pin),
	   "map, pin 4 pages");
	ok(vmlck_kib() == KIB(4), "they are charged");
	ok(in_child(child_maps, &f) == 0,
	   "a child writes to its copy, maps and pins memory of its own");
	ok(access_holds(c.at, &pin, 0, want, 4 * PAGE),
	   "the pinned pages are the parent's");
	ok(!access_poke(c.at, &pin, 0, data, PAGE) &&
	   !memcmp(f.mem, data, PAGE), "the parent sees writes to them");
	f.mem[3 * PAGE] ^= 1;
	want[3 * PAGE] ^= 1;
	ok(access_holds(c.at, &pin, 3 * PAGE, want + 3 * PAGE, PAGE),
	   "what the parent writes after fork is there");
	ok(vmlck_kib() == KIB(4), "still charged once");
	ok(in_child(child_unmaps, &f) == 0, "a child unmaps");
	ok(vmlck_kib() == 0, "the parent gets back what it was charged");
	ok(!ioas_unmap_all(c.fd, c.ioas, NULL),
	   "unmap what the dead child had mapped");
	ctx_close(&c);
	munmap(f.mem, SIZE);
	munmap(want, SIZE);
	munmap(data, SIZE);
}

/* ------------------------------------------------------------------ */

static int before_exec(void *arg)
{
	struct ctx *c = arg;
	bool user = iommu_option_get(c->fd, IOMMU_OPTION_RLIMIT_MODE, 0) == 0;
	char number[5][16];
	struct pin pin;

	if (user)
		become_user(31020, -1);
	else
		cap_drop(CAP_IPC_LOCK);
	memlock_limit(EXEC_LIMIT * PAGE);
	must(!map_at(c, pattern(41), IOVA));
	must(!pin_pages(c, 0, 4, &pin));
	must(vmlck_kib() == (user ? 0 : KIB(4)));
	snprintf(number[0], sizeof(number[0]), "%d", c->fd);
	snprintf(number[1], sizeof(number[1]), "%d", c->at);
	snprintf(number[2], sizeof(number[2]), "%u", c->ioas);
	snprintf(number[3], sizeof(number[3]), "%u", pin.id);
	snprintf(number[4], sizeof(number[4]), "%u", pin.npages);
	execl("/proc/self/exe", "access_mm", user ? "user" : "process",
	      number[0], number[1], number[2], number[3], number[4], NULL);
	return 1;
}

static int after_exec(char **argv)
{
	struct ctx c = {
		.fd = atoi(argv[2]),
		.at = atoi(argv[3]),
		.ioas = atoi(argv[4]),
	};
	struct pin old = { .id = atoi(argv[5]), .npages = atoi(argv[6]) }, pin;
	bool user = !strcmp(argv[1], "user");
	char *mem = pattern(41);

	must(vmlck_kib() == 0);
	must(access_holds(c.at, &old, 0, mem, 4 * PAGE));
	must(access_pin_only(c.at, IOVA + 4 * PAGE, PAGE, PIN_WRITE) == -1 &&
	     errno == EFAULT);
	must(!map_at(&c, mem, 2 * IOVA));
	if (user)	/* 4 pages are charged to the user already */
		must(access_pin_only(c.at, 2 * IOVA,
				     (EXEC_LIMIT - 3) * PAGE, PIN_WRITE) == -1 &&
		     errno == ENOMEM);
	must(!access_pin(c.at, 2 * IOVA, 2 * PAGE, PIN_WRITE, &pin));
	must(vmlck_kib() == (user ? 0 : KIB(2)));
	/* Row 31: this was charged to an address space that is gone. */
	must(!access_unpin(c.at, &old));
	must(vmlck_kib() == (user ? 0 : KIB(2)));
	must(!access_pin(c.at, 2 * IOVA, EXEC_LIMIT * PAGE, PIN_WRITE, &pin));
	must(vmlck_kib() == (user ? 0 : KIB(EXEC_LIMIT)));
	must(!ioas_unmap_all(c.fd, c.ioas, NULL));
	must(vmlck_kib() == 0);
	return 0;
}

static void test_exec(uint64_t rlimit_mode)
{
	struct ctx c = ctx_open(rlimit_mode);

	note("exec, RLIMIT_MODE %llu", (unsigned long long)rlimit_mode);
	ok(in_child(before_exec, &c) == 0,
	   "map and pin, exec, unpin, map and pin again");
	ok(iommufd_stat("pinned_pages") == 0, "nothing is pinned");
	ctx_close(&c);
}

/* The program after exec knows nothing of all this; the parent unmaps. */
static int unmap_after_exec(void *arg)
{
	struct ctx *c = arg;

	must(!map_at(c, pattern(42), IOVA));
	must(!access_pin_only(c->at, IOVA, SIZE, PIN_WRITE));
	must(vmlck_kib() == KIB(N));
	execl("/bin/sh", "sh", "-c",
	      "grep -q '^VmLck:.* 0 kB' /proc/self/status", NULL);
	return 1;
}

static void test_exec_other(void)
{
	struct ctx c = ctx_open(1);

	note("exec of another program");
	ok(in_child(unmap_after_exec, &c) == 0, "its VmLck is 0");
	ok(iommufd_stat("pinned_pages") == N, "the pages stay pinned");
	ok(!ioas_unmap_all(c.fd, c.ioas, NULL) &&
	   iommufd_stat("pinned_pages") == 0, "unmap");
	ok(vmlck_kib() == 0, "VmLck of this process is 0");
	ctx_close(&c);
}

/* ------------------------------------------------------------------ */

/* munmap by the owner: the pinned pages live on, new pins fail. */
static void test_munmap(void)
{
	struct ctx c = ctx_open(1);
	char *mem = pattern(51), *want = pattern(51);
	struct pin pin;

	note("munmap by the owner");
	ok(!map_at(&c, mem, IOVA) && !pin_pages(&c, 0, 4, &pin),
	   "map, pin 4 pages");
	ok(!munmap(mem, SIZE), "munmap");
	ok(access_holds(c.at, &pin, 0, want, 4 * PAGE),
	   "the pinned pages are as they were");
	fails(access_pin_only(c.at, IOVA + 4 * PAGE, PAGE, PIN_WRITE), EFAULT,
	      "a new pin");
	ok(vmlck_kib() == KIB(4), "they are charged until they are unpinned");
	ok(!ioas_unmap_all(c.fd, c.ioas, NULL) && vmlck_kib() == 0, "unmap");
	ctx_close(&c);
	munmap(want, SIZE);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return after_exec(argv);
	test_exit(0);
	test_exit(1);
	test_fork();
	test_exec(0);
	test_exec(1);
	test_exec_other();
	test_munmap();
	ok(vmlck_kib() == 0, "nothing is charged to this process");
	return tap_done();
}
