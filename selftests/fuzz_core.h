/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's engine: operations, programs, random choices, the shared memory
 * in which threads leave what they did, and the one way to make an ioctl.
 *
 * An operation is a kind and some numbers, its draws.  Each choice that the
 * operation makes uses up one draw, so that a mutation of one draw changes one
 * choice.  Nothing about a program depends on what the kernel answered to an
 * earlier one (unless coverage guides): one seed, one sequence of operations.
 */
#ifndef SELFTESTS_FUZZ_CORE_H
#define SELFTESTS_FUZZ_CORE_H

#include <fcntl.h>
#include <linux/iommu_nesting.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tap.h"

#define PAGE 4096ULL
#define OP_DRAWS 12
#define PROG_MAX 32
#define LOG_MAX 64
#define CORPUS_MAX 2048
#define EDGE_BITS (1U << 20)
#define COVER_WORDS (1U << 15)
#define PROCS_MAX 8
#define THREADS_MAX 8
#define KINDS_MAX 96
#define ERRNOS 134
#define FAIL_FD_MIN 512

/* Where an ioctl's struct lies; the second view is the same memory, read-only. */
#define SCRATCH_PAGES 16
#define SCRATCH_BASE 0x200000000000ULL
#define SCRATCH_STEP 0x40000000ULL
#define SCRATCH_RO 0x100000ULL
#define SCRATCH_BULK (4 * PAGE)
#define SCRATCH_BULK_SIZE (12 * PAGE)

struct op {
	uint64_t draw[OP_DRAWS];
	uint32_t kind;
	uint32_t pad;
};

struct prog {
	uint32_t n;
	struct op op[PROG_MAX];
};

/* What an operation did, for the report after a crash */
struct logged {
	struct op op;
	atomic_bool done;
	int fd;
	unsigned long cmd;
	uint64_t arg[8];	/* the head of the ioctl's struct */
	long ret;
	int err;
};

struct thread_log {
	atomic_int tid;
	atomic_ulong ops;
	atomic_bool arming;	/* about to inject: not to be killed */
	struct logged ring[LOG_MAX];
};

/* Memory of all processes of the fuzzer */
struct shared {
	atomic_bool stop;
	atomic_bool doomed[PROCS_MAX];	/* no more injection: to be killed soon */
	atomic_ulong edges;
	atomic_uint corpus_n;
	atomic_ulong digest;	/* of the operations; means something with one thread */
	atomic_ulong tried[KINDS_MAX], worked[KINDS_MAX], injected;
	atomic_uint errnos[KINDS_MAX][ERRNOS];
	/* One log more for each process: its forked children. */
	struct thread_log log[PROCS_MAX][THREADS_MAX + 1];
	struct prog corpus[CORPUS_MAX];
	atomic_uchar edge[EDGE_BITS / 8];
};

struct fuzz_thread {
	struct shared *sh;
	struct thread_log *tlog;
	struct logged *log;	/* of the current operation */
	const struct op *op;
	unsigned int drawn;
	uint64_t rng;		/* for programs, not for operations */
	uint8_t *scratch;
	uint64_t *cover;	/* NULL: no KCOV */
	int fail_fd;		/* -1: no fault injection */
	bool child;		/* a forked child */
	unsigned int proc, index;
};

static inline uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static inline uint64_t rng_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return mix64(*state);
}

static inline uint64_t rng_below(uint64_t *state, uint64_t n)
{
	return rng_next(state) % n;
}

/* The next choice of the operation under way */
static inline uint64_t draw(struct fuzz_thread *t)
{
	unsigned int i = t->drawn++;

	if (i < OP_DRAWS)
		return t->op->draw[i];
	return mix64(t->op->draw[i % OP_DRAWS] + i);
}

static inline uint64_t below(struct fuzz_thread *t, uint64_t n)
{
	return draw(t) % n;
}

static inline bool one_in(struct fuzz_thread *t, uint64_t n)
{
	return below(t, n) == 0;
}

#define pick(t, array) ((array)[below(t, sizeof(array) / sizeof(*(array)))])

/* ------------------------------------------------------------------ */
/* Coverage: pairs of basic blocks, in a bitmap of all processes */

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0

/* For the calling thread; there is no coverage where the kernel has no KCOV. */
static inline uint64_t *cover_open(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	uint64_t *cover;

	if (fd < 0)
		return NULL;
	if (ioctl(fd, KCOV_INIT_TRACE, COVER_WORDS))
		bail("KCOV_INIT_TRACE");
	cover = mmap(NULL, COVER_WORDS * sizeof(*cover), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (cover == MAP_FAILED)
		bail("mmap of kcov");
	if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		bail("KCOV_ENABLE");
	/* The thread keeps it; its end closes it. */
	return cover;
}

static inline void cover_start(struct fuzz_thread *t)
{
	if (t->cover)
		__atomic_store_n(&t->cover[0], 0, __ATOMIC_RELAXED);
}

/* True when the operation reached something new. */
static inline bool cover_new(struct fuzz_thread *t)
{
	uint64_t n, i, last = 0;
	bool fresh = false;

	if (!t->cover)
		return false;
	n = __atomic_load_n(&t->cover[0], __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < COVER_WORDS; i++) {
		uint64_t edge = mix64(t->cover[i] ^ (last << 1)) % EDGE_BITS;
		unsigned char bit = 1U << (edge & 7);

		last = t->cover[i];
		if (atomic_load_explicit(&t->sh->edge[edge / 8],
					 memory_order_relaxed) & bit)
			continue;
		if (!(atomic_fetch_or(&t->sh->edge[edge / 8], bit) & bit)) {
			atomic_fetch_add(&t->sh->edges, 1);
			fresh = true;
		}
	}
	return fresh;
}

/* ------------------------------------------------------------------ */
/* Fault injection: the n-th thing that can fail in the next ioctl fails */

/*
 * Its number is one that no operation comes to.  fork() copies the table of files
 * before the memory: a child may know a descriptor that it has not got, and would
 * close what has that number.
 */
static inline int fail_open(void)
{
	int low = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC), fd;

	if (low < 0)
		return -1;
	fd = fcntl(low, F_DUPFD_CLOEXEC, FAIL_FD_MIN);
	close(low);
	return fd;
}

/* 0: nothing fails any more.  The write itself may be what fails, once. */
static inline void fail_arm(struct fuzz_thread *t, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth), tries;

	for (tries = 0; tries != 3; tries++)
		if (pwrite(t->fail_fd, text, len, 0) == len)
			return;
	bail("write to fail-nth");
}

/*
 * What a killed process closes must not fail: IOMMU drivers do not stand that.  So
 * who is to be killed injects nothing more, and then somebody disarms what is armed.
 */
static inline bool fail_begin(struct fuzz_thread *t, unsigned int nth)
{
	if (!nth || t->fail_fd < 0)
		return false;
	atomic_store(&t->tlog->arming, true);
	if (atomic_load(&t->sh->doomed[t->proc])) {
		atomic_store(&t->tlog->arming, false);
		return false;
	}
	fail_arm(t, nth);
	atomic_store(&t->tlog->arming, false);
	return true;
}

/* ------------------------------------------------------------------ */
/* Ioctls */

static inline void scratch_map(struct fuzz_thread *t)
{
	uint64_t base = SCRATCH_BASE +
			(t->proc * (THREADS_MAX + 1) + t->index) * SCRATCH_STEP;
	int fd = memfd_create("scratch", MFD_CLOEXEC);
	size_t size = SCRATCH_PAGES * PAGE;

	if (fd < 0 || ftruncate(fd, size))
		bail("memfd_create");
	t->scratch = mmap((void *)base, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (t->scratch == MAP_FAILED ||
	    mmap((void *)(base + SCRATCH_RO), size, PROT_READ,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED)
		bail("mmap of scratch memory");
	close(fd);
}

/* Addresses that no user memory has */
static inline uint64_t bad_address(struct fuzz_thread *t)
{
	static const uint64_t bad[] = {
		0, 1, PAGE, 0x7ffffffff000, 0x800000000000, 0xffff888000000000,
		0xffffffff81000000, -PAGE, UINT64_MAX,
	};

	return pick(t, bad);
}

/* A number as attackers like it */
static inline uint64_t odd_value(struct fuzz_thread *t)
{
	uint64_t power = 1ULL << below(t, 64);

	switch (below(t, 6)) {
	case 0:
		return power;
	case 1:
		return power - 1;
	case 2:
		return -power;
	case 3:
		return below(t, 256);
	case 4:
		return bad_address(t);
	default:
		return draw(t);
	}
}

/* Now and then something in the struct is not what the operation meant. */
static inline void corrupt(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	uint64_t value;
	size_t at;

	if (!len || !one_in(t, 16))
		return;
	value = odd_value(t);
	switch (below(t, 3)) {
	case 0:
		at = below(t, len);
		buf[at] ^= 1U << (value & 7);
		break;
	case 1:
		at = below(t, (len + 3) / 4) * 4;
		memcpy(buf + at, &value, len - at < 4 ? len - at : 4);
		break;
	default:
		at = below(t, (len + 7) / 8) * 8;
		memcpy(buf + at, &value, len - at < 8 ? len - at : 8);
		break;
	}
}

/*
 * Where the struct lies: mostly well, else at the end of its memory, across it,
 * in read-only memory or nowhere.  Returns the address for the kernel, and in
 * @back where the answer can be read.
 */
static inline void *place(struct fuzz_thread *t, const void *buf, size_t len,
			  uint8_t **back)
{
	uint8_t *page = t->scratch, *end = page + SCRATCH_PAGES * PAGE;

	*back = page;
	memcpy(page, buf, len);
	switch (below(t, 48)) {
	case 0:
		*back = end - len;
		memcpy(end - len, buf, len);
		return end - len;
	case 1:
		memcpy(end - len / 2, buf, len / 2);
		return end - len / 2;
	case 2:
		return page + SCRATCH_RO;
	case 3:
		return (void *)(uintptr_t)bad_address(t);
	default:
		return page;
	}
}

static inline void log_call(struct fuzz_thread *t, int fd, unsigned long cmd,
			    const void *arg, size_t len)
{
	t->log->fd = fd;
	t->log->cmd = cmd;
	memset(t->log->arg, 0, sizeof(t->log->arg));
	if (len > sizeof(t->log->arg))
		len = sizeof(t->log->arg);
	memcpy(t->log->arg, arg, len);
}

/*
 * These may take a group out of a domain.  The IOMMU core of 6.1 warns when the
 * driver then has no memory to block DMA, whoever the caller is; failnth_vfio and
 * failnth_nesting try what can fail in them.
 */
static inline bool may_detach(unsigned long cmd)
{
	return cmd == VFIO_GROUP_UNSET_CONTAINER ||
	       cmd == VFIO_GROUP_SET_CONTAINER || cmd == VFIO_SET_IOMMU ||
	       cmd == VFIO_IOMMU_BIND;
}

/*
 * An ioctl whose argument is the number or pointer @arg.  Sometimes the n-th
 * allocation, or user copy, in it fails.
 */
static inline long fz_ioctl_raw(struct fuzz_thread *t, int fd, unsigned long cmd,
				unsigned long arg)
{
	unsigned int nth = 0;
	sigset_t usr1;
	bool armed;
	long ret;
	int err;

	if (one_in(t, 6) && !may_detach(cmd))
		nth = 1 + below(t, one_in(t, 4) ? 100 : 12);
	/* A signal frame that cannot be written is the end. */
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	armed = fail_begin(t, nth);
	if (!armed)
		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	ret = ioctl(fd, cmd, arg);
	err = errno;
	if (armed) {
		fail_arm(t, 0);
		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
		atomic_fetch_add(&t->sh->injected, 1);
	}
	t->log->ret = ret;
	t->log->err = ret < 0 ? err : 0;
	errno = err;
	return ret;
}

/* An ioctl with a struct of @len bytes, which comes back in @buf. */
static inline long fz_ioctl(struct fuzz_thread *t, int fd, unsigned long cmd,
			    void *buf, size_t len)
{
	uint8_t *back;
	void *arg;
	long ret;
	int err;

	corrupt(t, buf, len);
	log_call(t, fd, cmd, buf, len);
	arg = place(t, buf, len, &back);
	ret = fz_ioctl_raw(t, fd, cmd, (unsigned long)arg);
	err = errno;
	memcpy(buf, back, len);
	errno = err;
	return ret;
}

/* An ioctl with a plain number */
static inline long fz_ioctl_num(struct fuzz_thread *t, int fd, unsigned long cmd,
				unsigned long arg)
{
	log_call(t, fd, cmd, &arg, sizeof(arg));
	return fz_ioctl_raw(t, fd, cmd, arg);
}

/*
 * The native ioctls begin with their size: another one, now and then, with
 * zeros or with garbage behind the struct.
 */
static inline void odd_size(struct fuzz_thread *t, uint32_t *size, size_t len)
{
	static const uint32_t odd[] = {
		0, 4, 8, 4095, 4096, 4097, 0x7fffffff, UINT32_MAX,
	};
	uint8_t *behind = t->scratch + len;

	memset(behind, 0, PAGE);
	if (!one_in(t, 24))
		return;
	switch (below(t, 4)) {
	case 0:
		*size = pick(t, odd);
		break;
	case 1:
		*size = len - 4 * below(t, 4);
		break;
	case 2:
		*size = len + 4 * below(t, 64);
		break;
	default:
		*size = len + 8 + below(t, 64);
		behind[below(t, 64)] = 1;
		break;
	}
}

#define fz_native(t, fd, cmd, st)                                   \
	({                                                          \
		odd_size((t), &(st)->size, sizeof(*(st)));          \
		fz_ioctl((t), (fd), (cmd), (st), sizeof(*(st)));    \
	})

#endif
