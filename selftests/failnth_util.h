/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection sweeps: a chain of system calls is run again and again, and
 * each time another one of the points where the kernel can be made to fail
 * (slab allocation, page allocation, user copy) does fail.
 *
 * A first, plain run records what the kernel's counters say after each step.
 * Then, for each step and n = 1, 2, ...: the steps before it run plain, the step
 * runs with its n-th point failing, until it has fewer than n points.  If the
 * call failed, it must say why with an errno that it documents, and the
 * counters must be what they were before it; then it is called again, plain,
 * and it and the rest of the chain must end as in the first run.
 *
 * Only one system call is between arming and disarming, so that what the test
 * itself does is not hit.
 */
#ifndef SELFTESTS_FAILNTH_UTIL_H
#define SELFTESTS_FAILNTH_UTIL_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"
#include "vfio_util.h"

#define FAILNTH_MAX_STEPS 32
/* A step never has that many points; a sweep that does not end is a bug. */
#define FAILNTH_MAX_POINTS 2000

/**
 * enum failnth_flags - what a step may do
 * @FN_COMMITS: an answer that cannot be copied out (EFAULT) comes after the
 *	work was done: the counters are as before or as after the step
 * @FN_OURS: of slab allocations fail only those that are charged to the memory
 *	cgroup, which are ours and vfio.ko's.  For steps in which the IOMMU core
 *	of 6.1 goes back to a domain that it had: when the IOMMU driver has no
 *	memory there, the core warns and leaves the group without use for ever
 * @FN_NO_POINTS: must have nothing that can fail
 * @FN_FALLS_BACK: on vfio.ko's own node: when our driver fails, vfio.ko asks
 *	the next one, and the container is type1's
 */
enum failnth_flags {
	FN_COMMITS = 1 << 0,
	FN_OURS = 1 << 1,
	FN_NO_POINTS = 1 << 2,
	FN_FALLS_BACK = 1 << 3,
};

/**
 * struct failnth_step - one system call
 * @name: of the call
 * @run: makes it; returns what it returned, with errno
 * @errnos: with which it may fail, 0 ends them; default: ENOMEM, EFAULT
 * @flags: of enum failnth_flags
 */
struct failnth_step {
	const char *name;
	long (*run)(void);
	int errnos[4];
	unsigned int flags;
};

/* STEP(name, run, flags [, errno ...]) */
#define STEP(_name, _run, _flags, ...)                                     \
	{                                                                  \
		.name = _name, .run = _run, .errnos = { __VA_ARGS__ },     \
		.flags = _flags,                                           \
	}

/**
 * struct failnth_chain - steps that are run in this order
 * @name: for humans
 * @before: makes what the first step needs
 * @check: after a step that failed: is the rest of the world unharmed?
 * @after: closes all
 */
struct failnth_chain {
	const char *name;
	void (*before)(void);
	bool (*check)(void);
	void (*after)(void);
	unsigned int nsteps;
	const struct failnth_step *steps;
};

struct failnth_counts {
	int64_t pins;		/* FOLL_PIN, in the whole system */
	int64_t vmlck;
	int64_t contexts, objects, areas, pages, pinned_pages, p2p_ranges, pasids;
};

static int failnth_fd = -1;

static inline void failnth_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("%s: is this the debug kernel?", path);
	close(fd);
}

#define FAILNTH_DEBUGFS "/sys/kernel/debug/"

/* Also says, loudly, that this is a kernel without fault injection. */
static inline void failnth_init(void)
{
	failnth_write(FAILNTH_DEBUGFS "failslab/ignore-gfp-wait", "N");
	failnth_write(FAILNTH_DEBUGFS "failslab/verbose", "0");
	failnth_write(FAILNTH_DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	failnth_write(FAILNTH_DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
	failnth_write(FAILNTH_DEBUGFS "fail_page_alloc/min-order", "0");
	failnth_write(FAILNTH_DEBUGFS "fail_page_alloc/verbose", "0");
	failnth_write(FAILNTH_DEBUGFS "fail_usercopy/verbose", "0");
	failnth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (failnth_fd < 0)
		bail("/proc/thread-self/fail-nth");
}

/* Chains with FN_OURS: the caches were marked on the kernel's command line. */
static inline void failnth_need_marked_caches(void)
{
	static const char *const caches[] = {
		"kmalloc-cg-64", "iopt_area", "iopt_pages", "pfn_extent",
	};
	char path[128], marked;
	unsigned int i;
	int fd;

	for (i = 0; i != sizeof(caches) / sizeof(caches[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab",
			 caches[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, &marked, 1) != 1)
			bail("%s", path);
		close(fd);
		errno = 0;
		if (marked != '1')
			bail("%s is not 1: boot with slub_debug=A,kmalloc-cg-*,iopt_*,pfn_extent",
			     path);
	}
}

static inline void failnth_only_ours(bool ours)
{
	failnth_write(FAILNTH_DEBUGFS "failslab/cache-filter",
		      ours ? "Y" : "N");
}

static inline void failnth_arm(unsigned int n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", n);

	if (pwrite(failnth_fd, buf, len, 0) != len)
		bail("arm fail-nth");
}

/* Did the point fail?  Then the count is 0; else it is what was left. */
static inline bool failnth_disarm(void)
{
	char buf[16] = "";
	ssize_t got = pread(failnth_fd, buf, sizeof(buf) - 1, 0);

	/*
	 * Reading and writing the file are user copies too, and may be what
	 * fails: then it was not the step.
	 */
	if (got > 0 && strtoul(buf, NULL, 10) == 0)
		return true;
	while (pwrite(failnth_fd, "0", 1, 0) != 1)
		if (errno != EFAULT)
			bail("disarm fail-nth");
	return false;
}

/* A whole file, read in one go: this is done thousands of times. */
static inline const char *failnth_read(const char *path)
{
	static char buf[32768];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got, length = 0;

	if (fd < 0)
		bail("%s", path);
	while ((got = read(fd, buf + length, sizeof(buf) - 1 - length)) > 0)
		length += got;
	close(fd);
	if (got < 0 || length == sizeof(buf) - 1)
		bail("read %s", path);
	buf[length] = 0;
	return buf;
}

/* The number behind "@name" at the start of a line */
static inline int64_t failnth_value(const char *text, const char *name)
{
	size_t length = strlen(name);
	const char *at;

	for (at = strstr(text, name); at; at = strstr(at + 1, name))
		if ((at == text || at[-1] == '\n') &&
		    (at[length] == ' ' || at[length] == ':'))
			return strtoll(at + length + 1, NULL, 10);
	errno = 0;
	bail("no %s", name);
}

static inline struct failnth_counts failnth_count(void)
{
	struct failnth_counts c;
	const char *text;

	/* Folds the per-CPU counts into what vmstat shows. */
	failnth_read("/proc/sys/vm/stat_refresh");
	text = failnth_read("/proc/vmstat");
	c.pins = failnth_value(text, "nr_foll_pin_acquired") -
		 failnth_value(text, "nr_foll_pin_released");
	text = failnth_read("/proc/self/status");
	c.vmlck = failnth_value(text, "VmLck");
	text = failnth_read(STATS);
	c.contexts = failnth_value(text, "contexts");
	c.objects = failnth_value(text, "objects");
	c.areas = failnth_value(text, "areas");
	c.pages = failnth_value(text, "pages");
	c.pinned_pages = failnth_value(text, "pinned_pages");
	c.p2p_ranges = failnth_value(text, "p2p_ranges");
	c.pasids = failnth_value(text, "pasids");
	return c;
}

static inline bool failnth_same(const struct failnth_counts *a,
				const struct failnth_counts *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static inline void failnth_show(const char *what,
				const struct failnth_counts *c)
{
	note("%s: pins %lld, VmLck %lld, contexts %lld, objects %lld", what,
	     (long long)c->pins, (long long)c->vmlck,
	     (long long)c->contexts, (long long)c->objects);
	note("    areas %lld, pages %lld, pinned_pages %lld, p2p_ranges %lld, pasids %lld",
	     (long long)c->areas, (long long)c->pages,
	     (long long)c->pinned_pages, (long long)c->p2p_ranges,
	     (long long)c->pasids);
}

static inline bool failnth_errno_ok(const struct failnth_step *step, int err)
{
	unsigned int i;

	if (!step->errnos[0])
		return err == ENOMEM || err == EFAULT;
	for (i = 0; i != 4 && step->errnos[i]; i++)
		if (step->errnos[i] == err)
			return true;
	return false;
}

/* The counters after a step that failed; @was before it, @would_be after it */
static inline bool failnth_undone(const struct failnth_step *step, int err,
				  const struct failnth_counts *was,
				  const struct failnth_counts *would_be,
				  bool *done)
{
	struct failnth_counts now = failnth_count();

	*done = false;
	if (failnth_same(&now, was))
		return true;
	if ((step->flags & FN_COMMITS) && err == EFAULT &&
	    failnth_same(&now, would_be)) {
		*done = true;
		return true;
	}
	failnth_show("before", was);
	failnth_show("after the failure", &now);
	return false;
}

/* What one chain's sweep is at and has found */
struct failnth_sweep {
	const struct failnth_chain *chain;
	struct failnth_counts start;	/* before all */
	/* before step n, which is after step n - 1 */
	struct failnth_counts count[FAILNTH_MAX_STEPS + 1];
	unsigned int points, failures, absorbed, fell_back;
	unsigned int bad;
};

static inline bool failnth_plain(struct failnth_sweep *s, unsigned int from,
				 unsigned int to)
{
	const struct failnth_step *step;
	unsigned int i;

	for (i = from; i != to; i++) {
		step = &s->chain->steps[i];
		if (step->run() < 0) {
			note("%s, plain: %s", step->name, strerror(errno));
			return false;
		}
	}
	return true;
}

/* One run with point @n of step @at failing.  False when it has none. */
static inline bool failnth_run(struct failnth_sweep *s, unsigned int at,
			       unsigned int n)
{
	const struct failnth_step *step = &s->chain->steps[at];
	struct failnth_counts end;
	bool hit, good = true, done;
	long rc;
	int err;

	s->chain->before();
	good = failnth_plain(s, 0, at);
	failnth_arm(n);
	rc = step->run();
	err = errno;
	hit = failnth_disarm();

	if (rc < 0) {
		if (!hit) {
			note("%s failed without a fault: %s", step->name,
			     strerror(err));
			good = false;
		}
		if (!failnth_errno_ok(step, err)) {
			note("%s: undocumented errno %d (%s)", step->name, err,
			     strerror(err));
			good = false;
		}
		good &= failnth_undone(step, err, &s->count[at],
				       &s->count[at + 1], &done);
		if (s->chain->check && !s->chain->check()) {
			note("the rest was harmed");
			good = false;
		}
		if (!done)
			good &= failnth_plain(s, at, at + 1);
	}
	end = failnth_count();
	if (rc >= 0 && hit && (step->flags & FN_FALLS_BACK) &&
	    !end.contexts && s->count[at + 1].contexts) {
		s->fell_back++;
	} else if (!failnth_same(&end, &s->count[at + 1])) {
		failnth_show("should be", &s->count[at + 1]);
		failnth_show("is", &end);
		good = false;
	}
	good &= failnth_plain(s, at + 1, s->chain->nsteps);
	s->chain->after();
	end = failnth_count();
	if (!failnth_same(&end, &s->start)) {
		failnth_show("before the chain", &s->start);
		failnth_show("after it", &end);
		good = false;
	}
	if (!good) {
		note("%s: point %u of %s", s->chain->name, n, step->name);
		s->bad++;
	}
	s->failures += hit && rc < 0;
	s->absorbed += hit && rc >= 0;
	return hit;
}

/*
 * The debug kernel allocates a page for itself now and then, whoever is at work
 * (KASAN keeps call stacks): where nothing may fail, once is not enough.
 */
static inline bool failnth_hits(struct failnth_sweep *s, unsigned int at,
				unsigned int n)
{
	bool none = s->chain->steps[at].flags & FN_NO_POINTS;
	unsigned int tries;

	for (tries = 0; tries != (none ? 3 : 1); tries++)
		if (!failnth_run(s, at, n))
			return false;
	return true;
}

static inline void failnth_step_sweep(struct failnth_sweep *s, unsigned int at)
{
	const struct failnth_step *step = &s->chain->steps[at];
	unsigned int n = 0, failures = s->failures, bad = s->bad;

	failnth_only_ours(step->flags & FN_OURS);
	while (n != FAILNTH_MAX_POINTS && failnth_hits(s, at, n + 1) &&
	       s->bad - bad < 5)
		n++;
	failnth_only_ours(false);
	s->points += n;
	ok(s->bad == bad && n != FAILNTH_MAX_POINTS,
	   "%s: %s: %u points, %u make it fail, each is undone",
	   s->chain->name, step->name, n, s->failures - failures);
	if (step->flags & FN_NO_POINTS)
		ok(!n, "%s: %s: nothing of ours can fail", s->chain->name,
		   step->name);
}

/*
 * Twice: what is made only once (a group's blocking domain, say) is there in
 * the second, and the program's own memory is present.
 */
static inline bool failnth_record(struct failnth_sweep *s)
{
	const struct failnth_chain *chain = s->chain;
	unsigned int round, i;
	bool good = true;

	for (round = 0; round != 2 && good; round++) {
		s->start = failnth_count();
		chain->before();
		s->count[0] = failnth_count();
		for (i = 0; i != chain->nsteps && good; i++) {
			good = failnth_plain(s, i, i + 1);
			s->count[i + 1] = failnth_count();
		}
		chain->after();
	}
	return good;
}

/* All points of all steps.  Returns how many there were. */
static inline unsigned int failnth_sweep(const struct failnth_chain *chain)
{
	struct failnth_sweep s = { .chain = chain };
	unsigned int i;

	errno = 0;
	if (chain->nsteps > FAILNTH_MAX_STEPS)
		bail("%s: too many steps", chain->name);
	if (!ok(failnth_record(&s), "%s: a plain run", chain->name))
		return 0;
	for (i = 0; i != chain->nsteps; i++)
		failnth_step_sweep(&s, i);
	ok(s.failures || s.fell_back,
	   "%s: %u points in all, %u made a call fail, %u did not",
	   chain->name, s.points, s.failures, s.absorbed);
	if (s.fell_back)
		note("%s: type1 took the container %u times", chain->name,
		     s.fell_back);
	return s.points;
}

/* What a chain has left open */
static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/*
 * Memory that scatters: each page is physically below the one before it at
 * best, so that each is a run of its own.
 */
static inline char *failnth_scattered(unsigned int npages)
{
	int fd = memfd_create("failnth", MFD_CLOEXEC);
	char *mem = mmap(NULL, npages * PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	if (fd < 0 || mem == MAP_FAILED || ftruncate(fd, npages * PAGE))
		bail("memfd");
	for (i = 0; i != npages; i++)
		if (mmap(mem + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
			 (npages - 1 - i) * PAGE) == MAP_FAILED)
			bail("mmap");
	close(fd);
	return mem;
}

/*
 * Memory that is present but for its last pages, which pinning has to make.
 * Only few: each has several points.
 */
#define FAILNTH_ABSENT 3U

static inline char *failnth_half_present(unsigned int npages)
{
	char *mem = mmap(NULL, npages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED || madvise(mem, npages * PAGE, MADV_NOHUGEPAGE))
		bail("mmap");
	memset(mem, 1, npages * PAGE);
	return mem;
}

static inline void failnth_make_absent(char *mem, unsigned int npages)
{
	if (madvise(mem + (npages - FAILNTH_ABSENT) * PAGE,
		    FAILNTH_ABSENT * PAGE, MADV_DONTNEED))
		bail("MADV_DONTNEED");
}

#endif
