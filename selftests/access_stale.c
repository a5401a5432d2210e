// SPDX-License-Identifier: GPL-2.0-only
/*
 * A read-only mapping must show what the CPU writes later.  A page that is
 * pinned read-only while the next CPU write replaces it (the zero page, the
 * page cache behind a private file mapping, memory shared after fork) would go
 * stale; stock type1 has that bug.
 *
 * known-bugs.md rows 17 (stale pages) and 18 (the zero page's reference count);
 * usage: access_stale [ROUNDS]
 */
#include <sys/syscall.h>

#include "access_util.h"

#define IOVA 0x100000ULL
#define N 16
#define SIZE (N * PAGE)

static int fd, at;
static uint32_t ioas;

static char *map_memory(int prot, int flags, int file)
{
	char *mem = mmap(NULL, SIZE, prot, flags, file, 0);

	if (mem == MAP_FAILED)
		bail("mmap");
	return mem;
}

static int memory_file(uint64_t seed)
{
	char *mem;
	int file = syscall(SYS_memfd_create, "access_stale", 0);

	if (file < 0 || ftruncate(file, SIZE))
		bail("memfd_create");
	mem = map_memory(PROT_READ | PROT_WRITE, MAP_SHARED, file);
	mem_fill(mem, SIZE, seed);
	munmap(mem, SIZE);
	return file;
}

static void read_all(const char *mem)
{
	volatile const char *p = mem;
	unsigned int i;

	for (i = 0; i != N; i++)
		(void)p[i * PAGE];
}

/* Map @mem read-only and pin it; it must be what the CPU sees now. */
static void pin_ro(const char *name, const char *mem, struct pin *pin)
{
	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RO) &&
	   !access_pin(at, IOVA, SIZE, PIN_READ, pin),
	   "%s: map read-only and pin", name);
	ok(access_holds(at, pin, 0, mem, SIZE), "%s: the CPU's view", name);
}

/* @view is where the CPU looks: still the pinned pages? */
static void still_same(const char *name, const char *view, struct pin *pin)
{
	ok(access_holds(at, pin, 0, view, SIZE),
	   "%s: after CPU writes the pinned pages are those that the CPU sees",
	   name);
	ok(!access_unpin(at, pin) && !ioas_unmap_all(fd, ioas, NULL),
	   "%s: undo", name);
}

static void test_zero_page(void)
{
	char *mem = map_memory(PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct pin pin;

	read_all(mem);
	pin_ro("zero page", mem, &pin);
	mem_fill(mem, SIZE, 61);
	still_same("zero page", mem, &pin);
	munmap(mem, SIZE);

	mem = map_memory(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1);
	pin_ro("untouched memory", mem, &pin);
	mem_fill(mem, SIZE, 62);
	still_same("untouched memory", mem, &pin);
	munmap(mem, SIZE);
}

static void test_private_file(void)
{
	int file = memory_file(63);
	char *mem = map_memory(PROT_READ | PROT_WRITE, MAP_PRIVATE, file);
	char *shared = map_memory(PROT_READ, MAP_SHARED, file);
	struct pin pin;

	read_all(mem);
	pin_ro("private file mapping", mem, &pin);
	mem_fill(mem, SIZE, 64);
	still_same("private file mapping", mem, &pin);
	ok(*(uint64_t *)shared == 63ULL << 40,
	   "private file mapping: the file is as before");
	munmap(mem, SIZE);

	mem = map_memory(PROT_READ, MAP_PRIVATE, file);
	read_all(mem);
	pin_ro("read-only private file mapping", mem, &pin);
	if (mprotect(mem, SIZE, PROT_READ | PROT_WRITE))
		bail("mprotect");
	mem_fill(mem, SIZE, 65);
	still_same("read-only private file mapping", mem, &pin);
	ok(*(uint64_t *)shared == 63ULL << 40,
	   "read-only private file mapping: the file is as before");
	munmap(mem, SIZE);
	munmap(shared, SIZE);
	close(file);
}

static void test_shared_file(void)
{
	int file = memory_file(66);
	char *mem = map_memory(PROT_READ, MAP_SHARED, file);
	char *writer = map_memory(PROT_READ | PROT_WRITE, MAP_SHARED, file);
	struct pin pin;

	pin_ro("read-only shared file mapping", mem, &pin);
	mem_fill(writer, SIZE, 67);
	still_same("read-only shared file mapping", mem, &pin);
	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW),
	   "map memory writeable that the CPU may only read");
	fails(access_pin_only(at, IOVA, PAGE, PIN_WRITE), EFAULT,
	      "it cannot be pinned");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	munmap(mem, SIZE);
	munmap(writer, SIZE);
	close(file);
}

/* The child only keeps the pages shared; it waits for the pipe to close. */
static void test_fork(void)
{
	char *mem = mem_alloc(SIZE), byte;
	int status, go[2], result[2];
	struct pin pin;
	pid_t pid;

	mem_fill(mem, SIZE, 68);
	if (pipe(go) || pipe(result))
		bail("pipe");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid) {
		close(go[1]);
		if (read(go[0], &byte, 1))
			_exit(2);
		_exit(*(uint64_t *)mem != 68ULL << 40);
	}
	close(go[0]);
	pin_ro("shared after fork", mem, &pin);
	mem_fill(mem, SIZE, 69);
	still_same("shared after fork", mem, &pin);
	close(go[1]);
	ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	   !WEXITSTATUS(status), "shared after fork: the child's copy is as before");
	munmap(mem, SIZE);
}

/* Row 18 */
static void test_zero_page_refs(unsigned long rounds)
{
	char *mem = map_memory(PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int64_t before = access_stats(at).zero_page_refs;
	unsigned long i, good = 0;
	struct pin pin;

	for (i = 0; i != rounds; i++) {
		if (madvise(mem, SIZE, MADV_DONTNEED))
			bail("madvise");
		read_all(mem);
		good += !ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RO) &&
			!access_pin(at, IOVA, SIZE, PIN_READ, &pin) &&
			!ioas_unmap(fd, ioas, IOVA, SIZE, NULL);
		if (i % 65536 == 65535)
			note("%lu of %lu rounds", i + 1, rounds);
	}
	ok(good == rounds, "%lu times map, pin, unmap of zero pages (%lu)",
	   rounds, good);
	ok(access_stats(at).zero_page_refs == before,
	   "the zero page has as many references as before (%lld, %lld)",
	   (long long)before, (long long)access_stats(at).zero_page_refs);
	munmap(mem, SIZE);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;

	fd = iommu_open();
	ioas = ioas_new(fd);
	at = access_new(fd, ioas);

	test_zero_page();
	test_private_file();
	test_shared_file();
	test_fork();
	test_zero_page_refs(rounds);
	close(at);
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pinned_pages") == 0, "nothing is left");
	return tap_done();
}
