// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_MAP_FILE and IOAS_CHANGE_PROCESS with devices: the IO page table shows the
 * pages of the file, and what is wrong with the file or with the process is told
 * at once.
 */
#include <signal.h>
#include <sys/resource.h>

#include "cap_util.h"
#include "mock_util.h"

#define N 64
#define SIZE (N * PAGE)
#define HUGE_N 3
#define ROUNDS 200
#define LIMIT 8
#define KIB(pages) ((pages) * PAGE / 1024)

static int fd;
static uint32_t ioas;
static struct mock dev;
static int file;		/* of SIZE bytes */
static char *mem;		/* the same, mapped */

static int map(int from, uint64_t start, uint64_t length, uint32_t flags)
{
	return ioas_map_file_at(fd, ioas, from, start, length, IOVA, flags);
}

/* ------------------------------------------------------------------ */

static void test_arguments(void)
{
	uint64_t start, iova = 0;

	ok(ioas_alignment(fd, ioas) == MOCK_PAGE_SIZE,
	   "IO pages of %u bytes", MOCK_PAGE_SIZE);
	refused(map(file, 0, PAGE + 100, IOAS_RW), EINVAL, "an odd length");
	refused(map(file, 100, PAGE, IOAS_RW), EINVAL, "an odd offset");
	refused(ioas_map_file_at(fd, ioas, file, 0, PAGE, IOVA + 100, IOAS_RW),
		EINVAL, "an odd IOVA");
	refused(ioas_map_file_at(fd, ioas, file, 0, PAGE, 0, IOAS_RW), EINVAL,
		"an IOVA before the aperture");
	refused(ioas_map_file_at(fd, ioas, file, 0, 2 * PAGE,
				 MOCK_APERTURE_LAST + 1 - PAGE, IOAS_RW),
		EINVAL, "across the end of the aperture");
	refused(map(file, 0, SIZE + PAGE, IOAS_RW), EINVAL, "a page too long");
	refused(map(fd, 0, PAGE, IOAS_RW), EINVAL, "no memfd");
	refused(map(-1, 0, PAGE, IOAS_RW), EBADF, "no fd");

	ok(!mock_reserve(fd, ioas, IOVA, PAGE), "reserve a page");
	refused(map(file, 0, PAGE, IOAS_RW), EINVAL, "a reserved page");
	for (start = 0; start != 3 * MOCK_PAGE_SIZE; start += MOCK_PAGE_SIZE) {
		ok(!ioas_map_file(fd, ioas, file, start, 3 * PAGE, &iova,
				  IOAS_RW) &&
		   !mock_check_map(fd, dev.hwpt, iova, mem + start, 3 * PAGE),
		   "IOVA chosen, offset %llu", (unsigned long long)start);
	}
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
}

/* The end of a range that is a good one: half a page, and parts of huge pages */
static void test_parts(void)
{
	static const uint32_t memory[] = {
		12, 48, 100, 4096, MOCK_PIN_MEMORY_DEFAULT,
	};
	unsigned int i, bad = 0;
	uint64_t start, length, iova;

	for (i = 0; i != ROUNDS; i++) {
		if (!(i % 40) && mock_pin_memory(fd, memory[i / 40]))
			bail("SET_TEMP_MEMORY_LIMIT");
		start = random_below(2 * N) * MOCK_PAGE_SIZE;
		length = (1 + random_below((SIZE - start) / MOCK_PAGE_SIZE)) *
			 MOCK_PAGE_SIZE;
		iova = IOVA + PAGE + random_below(1000) * MOCK_PAGE_SIZE;
		bad += ioas_map_file_at(fd, ioas, file, start, length, iova,
					IOAS_RW) ||
		       mock_check_map(fd, dev.hwpt, iova, mem + start, length) ||
		       ioas_unmap(fd, ioas, iova, length, NULL);
	}
	ok(!bad, "%u random parts (%u were wrong)", ROUNDS, bad);
	ok(!mock_check_refs(fd, mem, SIZE, 0), "no page is pinned any more");
}

static void test_huge(void)
{
	const uint64_t size = HUGE_N * HUGE_PAGE;
	unsigned int i, bad = 0;
	uint64_t start, length;
	char *view;
	int huge;

	huge_pages(HUGE_N);
	huge = memfd_new(MFD_HUGETLB, size);
	view = memfd_map(huge, size);
	memset(view, 1, size);
	for (i = 0; i != 30; i++) {
		start = random_below(size / MOCK_PAGE_SIZE) * MOCK_PAGE_SIZE;
		length = (1 + random_below((size - start) / MOCK_PAGE_SIZE)) *
			 MOCK_PAGE_SIZE;
		bad += ioas_map_file_at(fd, ioas, huge, start, length,
					2 * IOVA + start, IOAS_RW) ||
		       mock_check_map(fd, dev.hwpt, 2 * IOVA + start,
				      view + start, length) ||
		       ioas_unmap(fd, ioas, 2 * IOVA + start, length, NULL);
	}
	ok(!bad, "30 random parts of huge pages (%u were wrong)", bad);
	ok(!ioas_map_file_at(fd, ioas, huge, 0, size, 2 * IOVA, IOAS_RW) &&
	   !ftruncate(huge, HUGE_PAGE) && iommufd_stat("pinned_pages") ==
	   size / PAGE, "cut off while a device has it");
	ok(!mock_check_map(fd, dev.hwpt, 2 * IOVA, view, HUGE_PAGE) &&
	   !ioas_unmap_all(fd, ioas, NULL), "what is left, and unmap");
	munmap(view, size);
	close(huge);
	huge_pages(0);
}

/* ------------------------------------------------------------------ */
/* Files that cannot be pinned */

static void test_sealed(void)
{
	int sealed = memfd_new(MFD_ALLOW_SEALING, 2 * PAGE);
	int reader = memfd_reopen(sealed, O_RDONLY);
	char *view;

	refused(map(reader, 0, PAGE, IOAS_RW), EACCES,
		"writeable, of a read-only fd");
	ok(!map(sealed, 0, 2 * PAGE, IOAS_RW), "map for writing");
	fails(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), EBUSY,
	      "it cannot be sealed while a device may write");
	ok(!ioas_unmap_all(fd, ioas, NULL) &&
	   !fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), "unmapped, it can");
	refused(map(sealed, 0, PAGE, IOAS_RW), EPERM, "map for writing");
	refused(map(sealed, 0, PAGE, IOMMU_IOAS_MAP_WRITEABLE), EPERM,
		"only writeable");
	view = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, reader, 0);
	ok(view != MAP_FAILED && !map(reader, 0, 2 * PAGE, IOAS_RO) &&
	   !mock_check_map(fd, dev.hwpt, IOVA, view, 2 * PAGE),
	   "readable, of a read-only fd");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	ok(!map(sealed, 0, 2 * PAGE, IOAS_RO) &&
	   !mock_check_map(fd, dev.hwpt, IOVA, view, 2 * PAGE),
	   "readable, of a fd that is open for writing");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	munmap(view, 2 * PAGE);
	close(reader);
	close(sealed);
}

/*
 * Mapped while it was good, cut off before a device came: all is as without the
 * device.
 */
static void test_attach(void)
{
	uint32_t other = ioas_new(fd), hwpt;
	int cut = memfd_new(0, 4 * PAGE);
	struct mock second;

	ok(!ioas_map_file_at(fd, other, file, 0, SIZE, IOVA, IOAS_RW) &&
	   !ioas_map_file_at(fd, other, cut, 0, 4 * PAGE, 2 * IOVA, IOAS_RW) &&
	   !ftruncate(cut, PAGE), "two files, one is cut off");
	refused(mock_make_only(fd, other, 0), EFAULT, "a device comes");
	refused(hwpt_alloc(fd, dev.idev, other, 0, &hwpt), EFAULT,
		"a page table is made");
	refused(mock_replace(fd, &dev, other), EFAULT,
		"another one's device comes over");
	ok(!mock_check_refs(fd, mem, SIZE, 0), "nothing is pinned");
	ok(ioas_alignment(fd, other) == 1, "alignment is as before");

	ok(!ftruncate(cut, 4 * PAGE), "the file grows again");
	ok(!mock_make(fd, other, 0, &second) &&
	   !mock_check_map(fd, second.hwpt, IOVA, mem, SIZE) &&
	   !mock_check_refs(fd, mem, SIZE, 1), "a device comes");
	ok(!mock_destroy(fd, &second) && !iommu_destroy_id(fd, other), "undo");
	close(cut);
}

/* ------------------------------------------------------------------ */
/* Who pays */

static int over_limit(void *arg)
{
	uint64_t was = iommufd_stat("pinned_pages");

	cap_drop(CAP_IPC_LOCK);
	memlock_limit(LIMIT * PAGE);
	must(map(file, 0, (LIMIT + 1) * PAGE, IOAS_RW) == -1 &&
	     errno == ENOMEM);
	must(vmpin_kib() == 0 && iommufd_stat("pinned_pages") == was);
	must(!map(file, 0, LIMIT * PAGE, IOAS_RW));
	must(vmpin_kib() == KIB(LIMIT));
	must(!ioas_unmap(fd, ioas, IOVA, LIMIT * PAGE, NULL));
	must(vmpin_kib() == 0);
	return !!arg;
}

/*
 * Its mappings are all locked, and the one that is there for a moment would be
 * beyond its limit.
 */
static int locks_all(void *arg)
{
	cap_drop(CAP_IPC_LOCK);
	memlock_limit(LIMIT * PAGE);
	must(!mlock(mem, 4 * PAGE));
	must(!mlockall(MCL_FUTURE));
	must(map(file, 0, LIMIT * PAGE, IOAS_RW) == -1);
	must(errno == ENOMEM);
	must(vmlck_kib() == KIB(4) && vmpin_kib() == 0);
	must(!map(file, 0, 4 * PAGE, IOAS_RW));
	must(vmlck_kib() == KIB(4) && vmpin_kib() == KIB(4));
	must(!ioas_unmap(fd, ioas, IOVA, 4 * PAGE, NULL));
	return !!arg;
}

static int takes_over(void *arg)
{
	must(vmpin_kib() == 0);
	must(!ioas_change_process(fd));
	must(vmpin_kib() == KIB(N) && kib_of(getppid(), "VmPin") == 0);
	must(!mock_check_map(fd, dev.hwpt, IOVA, mem, SIZE));
	return !!arg;
}

static void test_payers(void)
{
	ok(in_child(over_limit, NULL) == 0, "RLIMIT_MEMLOCK");
	ok(in_child(locks_all, NULL) == 0,
	   "RLIMIT_MEMLOCK, in a process whose mappings are locked");
	ok(!map(file, 0, SIZE, IOAS_RW) && vmpin_kib() == KIB(N),
	   "map for a device");
	ok(in_child(takes_over, NULL) == 0, "a child takes over, and ends");
	ok(vmpin_kib() == 0 && iommufd_stat("pinned_pages") == N &&
	   !mock_check_map(fd, dev.hwpt, IOVA, mem, SIZE),
	   "the device goes on");
	ok(!ioas_change_process(fd) && vmpin_kib() == KIB(N),
	   "this process takes over");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, 2 * IOVA, IOAS_RW), "map memory");
	refused(ioas_change_process(fd), EINVAL, "that cannot be taken over");
	ok(!ioas_unmap_all(fd, ioas, NULL) && vmpin_kib() == 0, "unmap");
}

/* ------------------------------------------------------------------ */
/* Killed in the middle: nothing stays, and nobody waits for ever. */

static void test_kill(void)
{
	const uint64_t size = 256ULL << 20;
	int big = memfd_new(0, size), status;
	unsigned int i, killed = 0;
	pid_t pid;

	/* Nothing of it is there, so that mapping it takes a while. */
	for (i = 0; i != 8; i++) {
		fflush(stdout);
		pid = fork();
		if (pid < 0)
			bail("fork");
		if (!pid)
			_exit(map(big, 0, size, IOAS_RW) != 0);
		usleep(1000 + 5000 * i);
		kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) != pid)
			bail("waitpid");
		killed += WIFSIGNALED(status);
		ioas_unmap_all(fd, ioas, NULL);
		if (fallocate(big, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      0, size))
			bail("fallocate");
	}
	note("%u of 8 were killed at work", killed);
	ok(iommufd_stat("pinned_pages") == 0 && iommufd_stat("areas") == 0,
	   "nothing stays of what was killed");
	close(big);
}

int main(void)
{
	srandom(1);
	fd = iommu_open();
	ioas = ioas_new(fd);
	dev = mock_new(fd, ioas, 0);
	file = memfd_new(0, SIZE);
	mem = memfd_map(file, SIZE);
	mem_fill(mem, SIZE, 1);

	test_arguments();
	ok(!mock_destroy(fd, &dev) && !iommu_destroy_id(fd, ioas), "start over");
	ioas = ioas_new(fd);
	dev = mock_new(fd, ioas, 0);
	test_parts();
	test_huge();
	test_sealed();
	test_attach();
	test_payers();
	test_kill();

	ok(!map(file, 0, SIZE, IOAS_RW), "a mapping stays when all is closed");
	close(fd);
	ok(nothing_left(), "nothing is left");
	return tap_done();
}
