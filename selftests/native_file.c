// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_MAP_FILE without a device: which files, which parts of them, and that an
 * in-kernel access finds the bytes of the file, whatever happens to it: cut off,
 * punched, sealed, closed, or swapped by another thread while it is being pinned.
 *
 * known-bugs.md rows 4 and 37 (wraps of offset and length).
 */
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "access_util.h"
#include "native_util.h"

#define IOVA 0x100000ULL
#define N 64
#define SIZE (N * PAGE)
#define HUGE_N 3

static int fd, at;
static unsigned int rounds;
static uint32_t ioas;
static int file;		/* of SIZE bytes */
static char *mem;		/* the same, mapped */

static uint64_t pinned(void)
{
	return iommufd_stat("pinned_pages");
}

static int map(int from, uint64_t start, uint64_t length, uint32_t flags)
{
	return ioas_map_file_at(fd, ioas, from, start, length, IOVA, flags);
}

/* Maps what is a good part of a file, and unmaps it. */
static bool maps(int from, uint64_t start, uint64_t length, uint32_t flags)
{
	uint64_t n;

	return !map(from, start, length, flags) &&
	       !ioas_unmap(fd, ioas, IOVA, length, &n) && n == length;
}

/* All of a range through the access is what @want has, and each page pinned once. */
static bool shows(uint64_t iova, const void *want, uint64_t length)
{
	uint64_t before = pinned();
	struct pin pin;
	bool good;

	if (access_pin(at, iova, length, PIN_READ, &pin))
		return false;
	good = access_holds(at, &pin, 0, want, length) &&
	       pinned() == before + pin.npages && pin.npages == length / PAGE;
	return !access_unpin(at, &pin) && pinned() == before && good;
}

/* ------------------------------------------------------------------ */

static void test_arguments(void)
{
	uint64_t iova = IOVA;

	refused(ioas_map_file(fd, ioas, file, 0, PAGE, &iova, 0), EINVAL,
		"neither readable nor writeable");
	refused(map(file, 0, PAGE, 1U << 3 | IOAS_RW), EOPNOTSUPP,
		"a flag that nobody knows");
	refused(map(file, 0, PAGE, 1U << 31 | IOAS_RW), EOPNOTSUPP,
		"another one");
	refused(ioas_map_file_at(fd, 12345, file, 0, PAGE, IOVA, IOAS_RW),
		ENOENT, "no such IOAS");
	refused(map(file, 0, 0, IOAS_RW), EINVAL, "length 0");
	refused(map(file, 5, PAGE, IOAS_RW), EINVAL,
		"an odd offset where an access pins");
	refused(map(file, 0, PAGE + 5, IOAS_RW), EINVAL, "an odd length");
	refused(ioas_map_file_at(fd, ioas, file, 0, PAGE, IOVA + 8, IOAS_RW),
		EINVAL, "an odd IOVA");
	refused(ioas_map_file_at(fd, ioas, file, 0, 2 * PAGE, 0 - PAGE,
				 IOAS_RW), EOVERFLOW, "IOVA + length past 2^64");
	refused(ioas_map_file_at(fd, ioas, file, 0, PAGE, UINT64_MAX, IOAS_RW),
		EOVERFLOW, "IOVA 2^64 - 1");
	refused(map(file, 0, UINT64_MAX, IOAS_RW), EOVERFLOW,
		"length 2^64 - 1");

	ok(!map(file, 0, 4 * PAGE, IOAS_RW), "map 4 pages");
	refused(map(file, 0, PAGE, IOAS_RW), EEXIST, "a page that is taken");
	refused(ioas_map_file_at(fd, ioas, file, 0, 2 * PAGE, IOVA - PAGE,
				 IOAS_RW), EEXIST, "across its start");
	refused(ioas_unmap(fd, ioas, IOVA, PAGE, NULL), ENOENT, "a cut");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");

	ok(!ioas_allow(fd, ioas, IOVA, IOVA + 2 * PAGE - 1), "allow 2 pages");
	iova = 0;
	ok(!ioas_map_file(fd, ioas, file, 0, 2 * PAGE, &iova, IOAS_RW) &&
	   iova == IOVA, "the kernel chooses them");
	refused(ioas_map_file(fd, ioas, file, 0, PAGE, &iova, IOAS_RW), ENOSPC,
		"and has no third one");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	ok(!ioas_allow_all(fd, ioas), "allow all");
}

/* The answer cannot be written: the mapping goes again. */
static void test_lost_answer(void)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOAS_RW,
		.ioas_id = ioas,
		.fd = file,
		.length = PAGE,
	};

	refused(ioctl_read_only(fd, IOMMU_IOAS_MAP_FILE, &cmd, sizeof(cmd)),
		EFAULT, "an answer that cannot be written");
}

/* ------------------------------------------------------------------ */
/* Which files */

static void refuse_file(int from, int want, const char *what)
{
	if (from < 0) {
		ok(false, "open %s", what);
		return;
	}
	if (want == EINVAL)
		refused(map(from, 0, PAGE, IOAS_RO), EINVAL, "%s", what);
	else
		refused(map(from, 0, PAGE, IOAS_RO), EBADF, "%s", what);
	close(from);
}

static void test_files(void)
{
	int pipes[2], closed = dup(file);

	close(closed);
	refused(map(-1, 0, PAGE, IOAS_RW), EBADF, "fd -1");
	refused(map(INT_MAX, 0, PAGE, IOAS_RW), EBADF, "fd 2^31 - 1");
	refused(map(INT_MIN, 0, PAGE, IOAS_RW), EBADF, "fd -2^31");
	refused(map(closed, 0, PAGE, IOAS_RW), EBADF, "a closed fd");
	refuse_file(memfd_reopen(file, O_PATH), EBADF, "an O_PATH fd");
	refused(map(fd, 0, PAGE, IOAS_RW), EINVAL, "/dev/iommu itself");
	refused(map(at, 0, PAGE, IOAS_RW), EINVAL, "another device");
	refuse_file(open("/dev/zero", O_RDWR), EINVAL, "/dev/zero");
	refuse_file(open("/proc/self/exe", O_RDONLY), EINVAL,
		    "a file of a disk");
	refuse_file(open("/proc/self/status", O_RDONLY), EINVAL,
		    "a file of proc");
	if (pipe(pipes))
		bail("pipe");
	refuse_file(pipes[0], EINVAL, "a pipe");
	close(pipes[1]);

	/* On tmpfs, but no files */
	refuse_file(open("/tmp", O_RDONLY), EINVAL, "a directory of tmpfs");
	if (mkfifo("/tmp/native_file.fifo", 0600) ||
	    mknod("/tmp/native_file.zero", S_IFCHR | 0600, 1 << 8 | 5))
		bail("mknod");
	refuse_file(open("/tmp/native_file.fifo", O_RDWR), EINVAL,
		    "a fifo of tmpfs");
	refuse_file(open("/tmp/native_file.zero", O_RDWR), EINVAL,
		    "a device node of tmpfs");
	unlink("/tmp/native_file.fifo");
	unlink("/tmp/native_file.zero");
}

/* Memory that even the kernel may not see has files of its own. */
static void test_secret(void)
{
	int secret = syscall(SYS_memfd_secret, 0);

	if (secret < 0) {
		note("no memfd_secret here");
		return;
	}
	ok(!ftruncate(secret, PAGE), "memfd_secret");
	refuse_file(secret, EINVAL, "secret memory");
}

static void test_modes(void)
{
	int reader = memfd_reopen(file, O_RDONLY);
	int writer = memfd_reopen(file, O_WRONLY);

	refused(map(reader, 0, PAGE, IOAS_RW), EACCES,
		"writeable, of a read-only fd");
	refused(map(reader, 0, PAGE, IOMMU_IOAS_MAP_WRITEABLE), EACCES,
		"only writeable, of a read-only fd");
	refused(map(writer, 0, PAGE, IOAS_RO), EACCES,
		"readable, of a write-only fd");
	refused(map(writer, 0, PAGE, IOAS_RW), EACCES,
		"both, of a write-only fd");
	ok(!map(reader, 0, SIZE, IOAS_RO), "readable, of a read-only fd");
	ok(shows(IOVA, mem, SIZE), "shows the file");
	fails(access_pin_only(at, IOVA, PAGE, PIN_WRITE), EPERM,
	      "and cannot be written");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	close(reader);
	close(writer);
}

/* ------------------------------------------------------------------ */
/* Which parts */

static void test_lengths(void)
{
	int small = memfd_new(0, 100), big = memfd_new(0, 1ULL << 62);
	uint64_t end = 1ULL << 62;
	char zeros[PAGE] = "";

	refused(map(file, SIZE, PAGE, IOAS_RW), EINVAL, "behind the end");
	refused(map(file, 0, SIZE + PAGE, IOAS_RW), EINVAL, "a page too long");
	refused(map(file, SIZE - PAGE, 2 * PAGE, IOAS_RW), EINVAL,
		"across the end");
	ok(maps(file, SIZE - PAGE, PAGE, IOAS_RW), "the last page");
	ok(maps(file, 0, SIZE, IOAS_RW), "all");

	refused(map(file, 0 - PAGE, PAGE, IOAS_RW), EINVAL, "offset -4096");
	refused(map(file, 0 - PAGE, 2 * PAGE, IOAS_RW), EINVAL,
		"offset + length past 2^64");
	refused(map(file, 1ULL << 63, PAGE, IOAS_RW), EINVAL, "offset 2^63");
	refused(map(file, PAGE, 0 - 2 * PAGE, IOAS_RW), EINVAL,
		"length 2^64 - 8192");
	refused(map(file, 0, 1ULL << 63, IOAS_RW), EINVAL, "length 2^63");
	refused(map(file, 1ULL << 63, 1ULL << 63, IOAS_RW), EINVAL,
		"offset and length 2^63");

	refused(map(small, 0, PAGE, IOAS_RW), EINVAL,
		"a page of a file of 100 bytes");
	ok(maps(big, 0, end, IOAS_RW), "2^62 bytes, nobody uses them");
	refused(map(big, PAGE, end, IOAS_RW), EINVAL, "from the second page on");
	ok(!map(big, end - PAGE, PAGE, IOAS_RW) && shows(IOVA, zeros, PAGE),
	   "the last page of it, which is a hole");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	close(small);
	close(big);
}

/* Bytes, where nobody pins */
static void test_bytes(void)
{
	static char got[SIZE];
	int rw = access_open(), small = memfd_new(0, 100);
	uint32_t other = ioas_new(fd);
	unsigned int i, bad = 0;
	uint64_t start, length;
	char *bytes = memfd_map(small, 100);

	if (access_create(rw, fd, 0, NULL) || access_attach(rw, other))
		bail("access");
	for (i = 0; i != rounds; i++) {
		start = random_below(SIZE);
		length = 1 + random_below(SIZE - start);
		memset(got, 0, length);
		bad += ioas_map_file_at(fd, other, file, start, length,
					IOVA + i, IOAS_RW) ||
		       access_rw(rw, IOVA + i, got, length, PIN_READ) ||
		       memcmp(got, mem + start, length) ||
		       ioas_unmap(fd, other, IOVA + i, length, NULL);
	}
	ok(!bad, "%u random parts, copied out (%u were wrong)", rounds, bad);

	strcpy(bytes, "hundred bytes");
	refused(ioas_map_file_at(fd, other, small, 1, 100, IOVA, IOAS_RW),
		EINVAL, "a byte too many");
	ok(!ioas_map_file_at(fd, other, small, 3, 97, IOVA, IOAS_RW) &&
	   !access_rw(rw, IOVA, got, 97, PIN_READ) &&
	   !strcmp(got, "dred bytes"), "all to the end");
	ok(!access_rw(rw, IOVA + 4, "kilo", 4, PIN_WRITE) &&
	   !strcmp(bytes, "hundredkiloes"), "and written");
	close(rw);
	ok(!iommu_destroy_id(fd, other), "destroy");
	close(small);
	munmap(bytes, 100);
}

/* ------------------------------------------------------------------ */
/* Contents */

static void test_ranges(void)
{
	unsigned int i, bad = 0;
	uint64_t start, pages;

	for (i = 0; i != rounds; i++) {
		start = random_below(N);
		pages = 1 + random_below(N - start);
		bad += map(file, start * PAGE, pages * PAGE, IOAS_RW) ||
		       !shows(IOVA, mem + start * PAGE, pages * PAGE) ||
		       ioas_unmap(fd, ioas, IOVA, pages * PAGE, NULL);
	}
	ok(!bad, "%u random ranges, pinned (%u were wrong)", rounds, bad);
}

static void test_write(void)
{
	int sparse = memfd_new(0, SIZE);
	char *view = memfd_map(sparse, SIZE), got[PAGE];
	struct pin pin, read_pin;

	/* A hole is a page from the moment that somebody pins it. */
	ok(!map(sparse, 0, SIZE, IOAS_RW) &&
	   !access_pin(at, IOVA + 3 * PAGE, 5 * PAGE, PIN_WRITE, &pin),
	   "pin holes for writing");
	ok(!access_poke(at, &pin, PAGE, mem, 2 * PAGE) &&
	   !memcmp(view + 4 * PAGE, mem, 2 * PAGE), "mmap() sees writes");
	ok(pread(sparse, got, PAGE, 5 * PAGE) == (ssize_t)PAGE &&
	   !memcmp(got, mem + PAGE, PAGE), "read() sees them");
	ok(!access_unpin(at, &pin) && !ioas_unmap_all(fd, ioas, NULL), "undo");

	ok(!map(sparse, 0, SIZE, IOAS_RO) &&
	   !access_pin(at, IOVA + 40 * PAGE, 4 * PAGE, PIN_READ, &read_pin),
	   "pin holes for reading");
	mem_fill(view + 40 * PAGE, 4 * PAGE, 3);
	ok(access_holds(at, &read_pin, 0, view + 40 * PAGE, 4 * PAGE),
	   "what mmap() then writes is there");
	ok(pwrite(sparse, mem, PAGE, 41 * PAGE) == (ssize_t)PAGE &&
	   access_holds(at, &read_pin, PAGE, mem, PAGE),
	   "and what write() writes");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	munmap(view, SIZE);
	close(sparse);
}

static void test_copy(void)
{
	uint32_t other = ioas_new(fd);
	int at2 = access_new(fd, other);
	struct pin pin, part;

	ok(!map(file, 0, SIZE, IOAS_RW) &&
	   !ioas_copy_at(fd, other, ioas, IOVA + 8 * PAGE, 8 * PAGE, IOVA,
			 IOAS_RO), "a copy of a part in another IOAS");
	ok(!access_pin(at, IOVA, SIZE, PIN_WRITE, &pin) &&
	   !access_pin(at2, IOVA + PAGE, 4 * PAGE, PIN_READ, &part) &&
	   pinned() == N, "pages that both pin are pinned once");
	ok(access_holds(at2, &part, 0, mem + 9 * PAGE, 4 * PAGE),
	   "the copy shows its part");
	fails(access_pin_only(at2, IOVA, PAGE, PIN_WRITE), EPERM,
	      "it is read-only");
	close(at2);
	ok(!ioas_unmap_all(fd, ioas, NULL) && !iommu_destroy_id(fd, other),
	   "undo");
}

/* Two mappings of one file are two, and each is pinned for itself. */
static void test_twice(void)
{
	struct pin a, b;

	ok(!map(file, 0, 4 * PAGE, IOAS_RW) &&
	   !ioas_map_file_at(fd, ioas, file, 2 * PAGE, 4 * PAGE, 2 * IOVA,
			     IOAS_RW), "two parts that overlap");
	ok(!access_pin(at, IOVA, 4 * PAGE, PIN_WRITE, &a) &&
	   !access_pin(at, 2 * IOVA, 4 * PAGE, PIN_WRITE, &b) &&
	   pinned() == 8, "each is pinned");
	ok(!access_poke(at, &a, 3 * PAGE, "together", 9) &&
	   access_holds(at, &b, PAGE, "together", 9), "they share pages");
	ok(!ioas_unmap_all(fd, ioas, NULL) && !pinned(), "unmap");
	mem_fill(mem, SIZE, 1);
}

/* ------------------------------------------------------------------ */
/* What happens to the file afterwards */

static void test_close(void)
{
	int again = memfd_new(0, 2 * PAGE), copy;
	char *view = memfd_map(again, 2 * PAGE), want[PAGE];

	mem_fill(view, 2 * PAGE, 5);
	memcpy(want, view + PAGE, PAGE);
	copy = dup(again);
	close(again);
	ok(!map(copy, PAGE, PAGE, IOAS_RW), "map by a duplicate");
	close(copy);
	munmap(view, 2 * PAGE);
	ok(shows(IOVA, want, PAGE), "the file is gone for all others");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
}

static void test_truncate(void)
{
	int cut = memfd_new(0, SIZE);
	char *view = memfd_map(cut, SIZE), zeros[PAGE] = "";
	struct pin pin;

	mem_fill(view, SIZE, 6);
	ok(!map(cut, 0, SIZE, IOAS_RW) &&
	   !access_pin(at, IOVA + 30 * PAGE, 10 * PAGE, PIN_WRITE, &pin),
	   "map all, pin the middle");
	ok(!ftruncate(cut, SIZE / 2), "the file ends in what is pinned");
	ok(access_holds(at, &pin, 0, view + 30 * PAGE, 2 * PAGE),
	   "before the end it is the file's");
	ok(!access_poke(at, &pin, 5 * PAGE, mem, PAGE) &&
	   access_holds(at, &pin, 5 * PAGE, mem, PAGE),
	   "behind it is still memory");
	fails(access_pin_only(at, IOVA + 50 * PAGE, PAGE, PIN_WRITE), EFAULT,
	      "a pin behind the end");
	fails(access_pin_only(at, IOVA, SIZE, PIN_WRITE), EFAULT,
	      "a pin across the end");
	ok(pinned() == 10, "they changed nothing");
	ok(!ftruncate(cut, SIZE) && !memcmp(view + 35 * PAGE, zeros, PAGE),
	   "the file grows again, with new pages");
	ok(!access_unpin(at, &pin) && shows(IOVA, view, SIZE),
	   "which a new pin finds");
	ok(!access_pin(at, IOVA, SIZE, PIN_WRITE, &pin) &&
	   !fallocate(cut, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      4 * PAGE, 8 * PAGE) &&
	   !memcmp(view + 4 * PAGE, zeros, PAGE),
	   "a hole is punched into what is pinned");
	ok(!access_poke(at, &pin, 5 * PAGE, mem, PAGE) &&
	   !memcmp(view + 5 * PAGE, zeros, PAGE),
	   "writes do not reach the new pages");
	ok(!access_unpin(at, &pin) && shows(IOVA, view, SIZE),
	   "a new pin finds those");
	ok(!ftruncate(cut, 0), "the file becomes empty");
	fails(access_pin_only(at, IOVA, PAGE, PIN_READ), EFAULT, "pin it");
	ok(!ioas_unmap_all(fd, ioas, NULL) && !pinned(), "unmap");
	munmap(view, SIZE);
	close(cut);
}

static void test_seals(void)
{
	int sealed = memfd_new(MFD_ALLOW_SEALING, 4 * PAGE), reader;
	char *view = memfd_map(sealed, 4 * PAGE), want[4 * PAGE];
	struct pin pin;

	mem_fill(view, 4 * PAGE, 7);
	memcpy(want, view, 4 * PAGE);
	munmap(view, 4 * PAGE);
	reader = memfd_reopen(sealed, O_RDONLY);
	ok(!map(sealed, 0, 4 * PAGE, IOAS_RW) &&
	   !access_pin(at, IOVA, 4 * PAGE, PIN_WRITE, &pin),
	   "map and pin for writing");
	fails(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), EBUSY,
	      "it cannot be sealed against writing now");
	ok(!access_unpin(at, &pin) &&
	   !fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), "unpinned, it can");
	fails(access_pin_only(at, IOVA, PAGE, PIN_WRITE), EPERM,
	      "the mapping cannot be pinned any more");
	fails(access_rw(at, IOVA, "no", 2, PIN_WRITE), EPERM,
	      "nor be written by a copy");
	ok(!pinned() && !ioas_unmap_all(fd, ioas, NULL), "unmap");
	ok(!map(reader, 0, 4 * PAGE, IOAS_RO) && shows(IOVA, want, 4 * PAGE),
	   "readable, of a read-only fd: the seal is none against that");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	ok(!map(sealed, 0, 4 * PAGE, IOAS_RO) && shows(IOVA, want, 4 * PAGE),
	   "readable, of a fd that is open for writing");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	close(reader);
	close(sealed);
}

static void test_future_seal(void)
{
	int sealed = memfd_new(MFD_ALLOW_SEALING, PAGE);
	char *view = memfd_map(sealed, PAGE);

	mem_fill(view, PAGE, 8);
	ok(!fcntl(sealed, F_ADD_SEALS, F_SEAL_FUTURE_WRITE),
	   "seal against future writers");
	ok(!map(sealed, 0, PAGE, IOAS_RW), "map, writeable");
	fails(access_pin_only(at, IOVA, PAGE, PIN_WRITE), EPERM, "pin it");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	ok(!map(sealed, 0, PAGE, IOAS_RO) && shows(IOVA, view, PAGE),
	   "readable");
	mem_fill(view, PAGE, 9);
	ok(shows(IOVA, view, PAGE), "who wrote before goes on");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	munmap(view, PAGE);
	close(sealed);
}

/* ------------------------------------------------------------------ */
/* Huge pages */

static void test_huge_ends(int huge)
{
	const uint64_t end = HUGE_N * HUGE_PAGE;

	refused(map(huge, end, PAGE, IOAS_RW), EINVAL, "huge: behind the end");
	refused(map(huge, end - PAGE, 2 * PAGE, IOAS_RW), EINVAL,
		"huge: across the end");
	refused(map(huge, PAGE, end, IOAS_RW), EINVAL, "huge: a page too long");
	refused(map(huge, 0 - HUGE_PAGE, HUGE_PAGE, IOAS_RW), EINVAL,
		"huge: offset -2 MiB");
	refused(map(huge, 0 - HUGE_PAGE, 2 * HUGE_PAGE, IOAS_RW), EINVAL,
		"huge: offset + length past 2^64");
}

static void test_huge(void)
{
	static const struct {
		uint64_t first, pages;
	} parts[] = {
		{ 0, 512 * HUGE_N }, { 5, 600 }, { 511, 2 }, { 512, 1 },
		{ 1023, 513 }, { 512 * HUGE_N - 1, 1 }, { 1, 510 }, { 7, 1 },
	};
	int huge, small;
	unsigned int i;
	char *view;

	huge_pages(HUGE_N + 1);
	huge = memfd_new(MFD_HUGETLB, HUGE_N * HUGE_PAGE);
	view = memfd_map(huge, HUGE_N * HUGE_PAGE);
	mem_fill(view, HUGE_N * HUGE_PAGE, 10);
	test_huge_ends(huge);
	for (i = 0; i != sizeof(parts) / sizeof(parts[0]); i++) {
		ok(!map(huge, parts[i].first * PAGE, parts[i].pages * PAGE,
			IOAS_RW) &&
		   shows(IOVA, view + parts[i].first * PAGE,
			 parts[i].pages * PAGE),
		   "huge: %llu pages from page %llu on",
		   (unsigned long long)parts[i].pages,
		   (unsigned long long)parts[i].first);
		ok(!ioas_unmap_all(fd, ioas, NULL) && !pinned(), "unmap");
	}
	ok(!map(huge, 0, HUGE_N * HUGE_PAGE, IOAS_RW) &&
	   !ftruncate(huge, HUGE_PAGE), "huge: cut off after it was mapped");
	fails(access_pin_only(at, IOVA + HUGE_PAGE, PAGE, PIN_WRITE), EFAULT,
	      "a pin behind the end");
	ok(shows(IOVA, view, HUGE_PAGE), "what is left is the file's");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	munmap(view, HUGE_N * HUGE_PAGE);
	close(huge);

	/* One huge page too few: who maps reserves them. */
	small = memfd_new(MFD_HUGETLB, (HUGE_N + 2) * HUGE_PAGE);
	ok(!map(small, 0, (HUGE_N + 2) * HUGE_PAGE, IOAS_RW),
	   "huge: more than there are, nobody uses them");
	fails(access_pin_only(at, IOVA, (HUGE_N + 2) * HUGE_PAGE, PIN_WRITE),
	      ENOMEM, "pin them");
	ok(!pinned(), "what was pinned before the last is not any more");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	close(small);
	huge_pages(0);
}

/* ------------------------------------------------------------------ */
/* The pages are mapped for a moment into who pins them. */

/* It locks memory: the moment leaves nothing behind. */
static int locks_all(void *arg)
{
	uint64_t before;

	must(!mlockall(MCL_CURRENT | MCL_FUTURE));
	before = vmlck_kib();
	must(shows(IOVA, mem, SIZE));
	must(vmlck_kib() == before);
	return !!arg;
}

/* It has no room for a mapping. */
static int no_room(void *arg)
{
	struct rlimit limit = { 0, 0 };

	must(!setrlimit(RLIMIT_AS, &limit));
	must(access_pin_only(at, IOVA, SIZE, PIN_READ) == -1 &&
	     errno == ENOMEM);
	return !!arg;
}

static void test_moment(void)
{
	ok(!map(file, 0, SIZE, IOAS_RW), "map");
	ok(in_child(locks_all, NULL) == 0,
	   "a process pins whose mappings are all locked");
	ok(in_child(no_room, NULL) == 0, "one that has no room for mappings");
	ok(!pinned() && !ioas_unmap_all(fd, ioas, NULL), "unmap");
}

/* ------------------------------------------------------------------ */
/* Races */

struct swapper {
	pthread_t thread;
	int file;		/* what it puts where others map */
	volatile bool stop;
	unsigned int rounds;
};

/*
 * Puts its own file where the pinning thread's mapping is likely to come, or to
 * be.  Nobody else in this process may map anything meanwhile: it would be put
 * there, too.
 */
static void *swap_thread(void *arg)
{
	struct swapper *s = arg;
	char *spot = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	munmap(spot, SIZE);
	for (; !s->stop; s->rounds++) {
		mmap(spot, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		     s->file, 0);
		munmap(spot, SIZE);
	}
	return NULL;
}

static void *cut_thread(void *arg)
{
	struct swapper *s = arg;

	for (; !s->stop; s->rounds++) {
		if (ftruncate(s->file, PAGE) || ftruncate(s->file, SIZE))
			break;
	}
	return NULL;
}

static void race_start(struct swapper *s, void *(*fn)(void *), int with)
{
	*s = (struct swapper){ .file = with };
	if (pthread_create(&s->thread, NULL, fn, s))
		bail("pthread_create");
}

static void race_stop(struct swapper *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
}

/* Pins again and again: they fail, or are of the right pages. */
static void pin_in_race(const char *what, const void *want, void *got,
			uint64_t length)
{
	unsigned int i, good = 0, gone = 0, bad = 0;
	struct pin pin;

	for (i = 0; i != rounds; i++) {
		if (access_pin(at, IOVA, SIZE, PIN_WRITE, &pin)) {
			gone += errno == EFAULT;
			continue;
		}
		good++;
		bad += access_peek(at, &pin, 0, got, length) ||
		       memcmp(got, want, length);
		bad += access_unpin(at, &pin) != 0;
	}
	ok(!bad && good + gone == rounds,
	   "%s: %u pins, %u EFAULT, none of other pages (%u)", what, good,
	   gone, bad);
}

static void test_races(void)
{
	int other = memfd_new(0, SIZE), cut = memfd_new(0, SIZE);
	char *view = memfd_map(cut, PAGE), *got = mem_alloc(SIZE);
	struct swapper s;

	ok(!map(file, 0, SIZE, IOAS_RW), "map");
	race_start(&s, swap_thread, other);
	pin_in_race("another thread puts another file there", mem, got,
		    SIZE);
	race_stop(&s);
	ok(s.rounds && !ioas_unmap_all(fd, ioas, NULL) && !pinned(), "unmap");

	mem_fill(view, PAGE, 11);
	ok(!map(cut, 0, SIZE, IOAS_RW), "map another one");
	race_start(&s, cut_thread, cut);
	pin_in_race("another thread cuts off the file", view, got, PAGE);
	race_stop(&s);
	ok(s.rounds && !ioas_unmap_all(fd, ioas, NULL) && !pinned(), "unmap");
	munmap(view, PAGE);
	munmap(got, SIZE);
	close(other);
	close(cut);
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;
	srandom(1);
	fd = iommu_open();
	ioas = ioas_new(fd);
	file = memfd_new(0, SIZE);
	mem = memfd_map(file, SIZE);
	mem_fill(mem, SIZE, 1);
	at = access_new(fd, ioas);

	test_arguments();
	test_lost_answer();
	test_files();
	test_secret();
	test_modes();
	test_lengths();
	test_bytes();
	test_ranges();
	test_write();
	test_copy();
	test_twice();
	test_close();
	test_truncate();
	test_seals();
	test_future_seal();
	test_huge();
	test_moment();
	test_races();

	ok(!map(file, 0, SIZE, IOAS_RW) &&
	   !access_pin_only(at, IOVA, SIZE, PIN_WRITE),
	   "pins stay when all is closed");
	close(at);
	close(fd);
	ok(nothing_left(), "nothing is left");
	return tap_done();
}
