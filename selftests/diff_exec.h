/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a sequence on one side, stock type1 or this project, and records it.
 *
 * A side is a process of its own.  Steps of the second process are handed to a
 * child of it, which shares the files open at that time; one process works at a
 * time, and both write to the same shared records.
 */
#ifndef SELFTESTS_DIFF_EXEC_H
#define SELFTESTS_DIFF_EXEC_H

#include <pthread.h>
#include <sys/resource.h>

#include "diff_arena.h"

#define NTHREADS 4

/**
 * struct side - one run of a sequence
 * @node: opened for a container
 * @groups: numbers of the two groups, with a device in each
 * @in: the container that the group is in, by @generation; 0: none
 * @generation: counts containers opened
 * @iommu: SET_IOMMU succeeded, and a group is there
 * @left: had an IOMMU, and all groups have left
 * @limit: RLIMIT_MEMLOCK in bytes; ~0 with CAP_IPC_LOCK
 * @worker: the second process, 0: none
 */
struct side {
	const char *node;
	struct vfio_pci_addr groups[2];
	const struct sequence *seq;
	struct record *records;
	int container, group[2], device[2];
	unsigned int in[2], generation;
	bool iommu, left;
	uint64_t limit;
	struct edu edu;
	int status[2];
	pid_t worker;
	int to_worker, from_worker;
};

/* ------------------------------------------------------------------ */

static inline int open_status(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bail("open %s", path);
	return fd;
}

/* As vmlck(), for a file that stays open: this is done after each step. */
static inline uint64_t read_vmlck(int fd)
{
	char buf[4096];
	const char *at;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = pread(fd, buf, sizeof(buf) - 1, 0);
	if (n <= 0)
		return ~0ULL;
	buf[n] = 0;
	at = strstr(buf, "VmLck:");
	return at ? strtoull(at + 6, NULL, 10) * KIB : ~0ULL;
}

/* ------------------------------------------------------------------ */

struct thread_job {
	const struct side *side;
	const struct step *step;
	pthread_barrier_t *barrier;
	unsigned int nr;
	uint64_t result;
};

static inline uint64_t mix(uint64_t sum, uint64_t val)
{
	return (sum ^ val) * 0x100000001b3ULL;
}

static void *thread_apart(void *arg)
{
	struct thread_job *job = arg;
	uint64_t seed = job->step->iova + job->nr, base = GIB + job->nr * 16 * MIB;
	uint64_t sum = 0, done = 0;

	pthread_barrier_wait(job->barrier);
	for (int i = 0; i < 16; i++) {
		uint64_t iova = base + rnd_below(&seed, 8) * PAGE;
		uint64_t size = (1 + rnd_below(&seed, 4)) * PAGE;
		void *va = (void *)(slot_addr(SLOT_ANON) + rnd_below(&seed, 32) * PAGE);
		int rc;

		errno = 0;
		if (rnd_below(&seed, 2))
			rc = dma_map(job->side->container, iova, va, size);
		else
			rc = dma_unmap(job->side->container, iova, size, &done);
		sum = mix(mix(mix(sum, rc), errno), done);
	}
	job->result = sum;
	return NULL;
}

/* One of them wins; which one is not recorded. */
static void *thread_map(void *arg)
{
	struct thread_job *job = arg;
	void *va = (void *)(slot_addr(SLOT_ANON) + job->nr * PAGE);

	pthread_barrier_wait(job->barrier);
	errno = 0;
	job->result = dma_map(job->side->container, job->step->iova, va, PAGE) ?
		(uint64_t)errno << 32 : 1;
	return NULL;
}

static void *thread_unmap(void *arg)
{
	struct thread_job *job = arg;
	uint64_t done = 0;

	pthread_barrier_wait(job->barrier);
	errno = 0;
	if (dma_unmap(job->side->container, job->step->iova, job->step->size, &done))
		job->result = (uint64_t)errno << 48;
	else
		job->result = done;
	return NULL;
}

static uint64_t exec_threads(const struct side *side, const struct step *s)
{
	struct thread_job jobs[NTHREADS];
	pthread_t threads[NTHREADS];
	pthread_barrier_t barrier;
	uint64_t sum = 0;
	void *(*fn)(void *) = s->op == OP_THREADS_APART ? thread_apart :
			      s->op == OP_THREADS_MAP ? thread_map : thread_unmap;

	pthread_barrier_init(&barrier, NULL, NTHREADS);
	for (unsigned int i = 0; i < NTHREADS; i++) {
		jobs[i] = (struct thread_job){
			.side = side, .step = s, .barrier = &barrier, .nr = i,
		};
		if (pthread_create(&threads[i], NULL, fn, &jobs[i]))
			bail("pthread_create");
	}
	for (unsigned int i = 0; i < NTHREADS; i++) {
		pthread_join(threads[i], NULL);
		/* A sum, for who comes first is not the same each time. */
		sum += jobs[i].result;
	}
	pthread_barrier_destroy(&barrier);
	return sum;
}

/* ------------------------------------------------------------------ */

static unsigned int groups_in(const struct side *side)
{
	unsigned int n = 0;

	for (int i = 0; i < 2; i++)
		n += side->container >= 0 && side->in[i] == side->generation;
	return n;
}

static enum diff_state side_state(const struct side *side)
{
	if (side->iommu)
		return STATE_IOMMU;
	if (groups_in(side))
		return STATE_WAITING;
	return side->left ? STATE_LEFT : STATE_NO_GROUP;
}

static void group_left(struct side *side, int nr)
{
	side->in[nr] = 0;
	if (side->iommu && !groups_in(side)) {
		side->iommu = false;
		side->left = true;
	}
}

static int side_close(int *fd)
{
	int rc = close(*fd);

	*fd = -1;
	return rc;
}

static int exec_group_close(struct side *side, int nr)
{
	int rc = side_close(&side->group[nr]);

	/* An open device keeps the group, and the group in its container. */
	if (!rc && side->device[nr] < 0)
		group_left(side, nr);
	return rc;
}

static int exec_device_close(struct side *side, int nr)
{
	int rc;

	if (nr == 0) {
		edu_unmap_bar(&side->edu);
		slot_bar_remove();
	}
	rc = side_close(&side->device[nr]);
	if (!rc && side->group[nr] < 0)
		group_left(side, nr);
	return rc;
}

static int exec_group(struct side *side, const struct step *s, struct record *r)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int nr = s->nr, rc;

	switch (s->op) {
	case OP_GROUP_OPEN:
		if (side->group[nr] >= 0)
			return 0;
		side->group[nr] = group_try_open(side->groups[nr].group);
		return side->group[nr] < 0 ? -1 : 0;
	case OP_GROUP_CLOSE:
		return exec_group_close(side, nr);
	case OP_GROUP_SET:
		rc = set_container(side->group[nr], side->container);
		if (!rc)
			side->in[nr] = side->generation;
		return rc;
	case OP_GROUP_UNSET:
		rc = ioctl(side->group[nr], VFIO_GROUP_UNSET_CONTAINER);
		if (!rc)
			group_left(side, nr);
		return rc;
	case OP_GROUP_STATUS:
		rc = ioctl(side->group[nr], VFIO_GROUP_GET_STATUS, &status);
		r->extra = status.flags;
		return rc;
	case OP_DEVICE_OPEN:
		if (side->device[nr] >= 0)
			return 0;
		side->device[nr] = device_fd(side->group[nr], side->groups[nr].bdf);
		if (side->device[nr] < 0)
			return -1;
		if (side->seq->dma && nr == 0 && edu_init(&side->edu, side->device[nr]))
			bail("setting up %s", side->groups[nr].bdf);
		if (nr == 0)
			slot_bar_make(side->device[nr]);
		return 0;
	default:
		return exec_device_close(side, nr);
	}
}

static int exec_container_open(struct side *side)
{
	if (side->container >= 0)
		return 0;
	side->container = open(side->node, O_RDWR | O_CLOEXEC);
	if (side->container < 0)
		return -1;
	side->generation++;
	side->iommu = false;
	side->left = false;
	return 0;
}

static int exec_container_close(struct side *side)
{
	side->iommu = false;
	side->left = false;
	return side_close(&side->container);
}

static int exec_set_iommu(struct side *side, const struct step *s)
{
	int rc = set_iommu(side->container, s->iova);

	if (!rc)
		side->iommu = true;
	return rc;
}

/* One transfer in each direction, and what the memory is like then */
static int exec_dma(struct side *side, const struct step *s, struct record *r)
{
	if (side->device[0] < 0 || !side->edu.bar)
		return 0;
	edu_fetch(&side->edu, s->iova, s->size);
	edu_store(&side->edu, s->vaddr, s->size);
	r->extra = arena_checksum();
	return 0;
}

static int exec_cpu_write(const struct step *s)
{
	for (uint64_t i = 0; i < s->size; i += PAGE)
		*(volatile uint8_t *)(s->vaddr + i) = i / PAGE;
	return 0;
}

static int exec_rlimit(struct side *side, const struct step *s)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return -1;
	limit.rlim_cur = s->size < limit.rlim_max ? s->size : limit.rlim_max;
	if (side->seq->limited)
		side->limit = limit.rlim_cur;
	return setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* Of a container whose IOMMU is set: all that there is to know of it */
static int exec_arg_ioctl(struct side *side, const struct step *s, struct record *r)
{
	static const unsigned long commands[] = {
		[OP_GET_INFO] = VFIO_IOMMU_GET_INFO,
		[OP_MAP] = VFIO_IOMMU_MAP_DMA,
		[OP_UNMAP] = VFIO_IOMMU_UNMAP_DMA,
		[OP_DIRTY] = VFIO_IOMMU_DIRTY_PAGES,
	};
	void *arg = args_put(s);
	int rc;

	if (has_bitmap(s))
		memset((void *)SCRATCH, CANARY, sizeof(r->bitmap));
	rc = ioctl(side->container, commands[s->op], arg);
	if (has_bitmap(s))
		memcpy(r->bitmap, (void *)SCRATCH, sizeof(r->bitmap));
	memcpy(r->window, args_window(s), WINDOW);
	return rc;
}

static int exec_op(struct side *side, const struct step *s, struct record *r)
{
	switch (s->op) {
	case OP_API_VERSION:
		return ioctl(side->container, VFIO_GET_API_VERSION);
	case OP_CHECK_EXTENSION:
		return ioctl(side->container, VFIO_CHECK_EXTENSION, s->iova);
	case OP_SET_IOMMU:
		return exec_set_iommu(side, s);
	case OP_UNKNOWN:
		return ioctl(side->container, s->iova, args_put(s));
	case OP_GET_INFO:
	case OP_MAP:
	case OP_UNMAP:
	case OP_DIRTY:
		return exec_arg_ioctl(side, s, r);
	case OP_CONTAINER_OPEN:
		return exec_container_open(side);
	case OP_CONTAINER_CLOSE:
		return exec_container_close(side);
	case OP_RLIMIT:
		return exec_rlimit(side, s);
	case OP_MLOCK:
		return mlock((void *)s->vaddr, s->size);
	case OP_MUNLOCK:
		return munlock((void *)s->vaddr, s->size);
	case OP_WRITE:
		return exec_cpu_write(s);
	case OP_DMA:
		return exec_dma(side, s, r);
	case OP_THREADS_APART:
	case OP_THREADS_MAP:
	case OP_THREADS_UNMAP:
		r->extra = exec_threads(side, s);
		return 0;
	default:
		return exec_group(side, s, r);
	}
}

/* ------------------------------------------------------------------ */

static void record_op(struct side *side, uint32_t i)
{
	struct record *r = &side->records[i];

	errno = 0;
	r->ret = exec_op(side, &side->seq->steps[i], r);
	r->err = r->ret == -1 ? errno : 0;
}

static void __attribute__((noreturn)) worker_run(struct side *side, int from, int to)
{
	uint32_t i;

	while (read(from, &i, sizeof(i)) == sizeof(i)) {
		record_op(side, i);
		if (write(to, &i, sizeof(i)) != sizeof(i))
			break;
	}
	_exit(0);
}

static void worker_start(struct side *side)
{
	int down[2], up[2];

	if (side->worker)
		return;
	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		bail("pipe");
	side->worker = fork_child();
	if (!side->worker) {
		/* Only the parent's ends, for either to see the other's end. */
		close(down[1]);
		close(up[0]);
		worker_run(side, down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	side->to_worker = down[1];
	side->from_worker = up[0];
	side->status[1] = open_status(side->worker);
}

static void worker_exit(struct side *side)
{
	if (!side->worker)
		return;
	close(side->to_worker);
	close(side->from_worker);
	side_close(&side->status[1]);
	wait_child(side->worker);
	side->worker = 0;
}

static void worker_step(struct side *side, uint32_t i)
{
	uint32_t reply;

	if (!side->worker)
		return;
	if (write(side->to_worker, &i, sizeof(i)) != sizeof(i) ||
	    read(side->from_worker, &reply, sizeof(reply)) != sizeof(reply))
		bail("the second process is gone");
}

static void run_step(struct side *side, uint32_t i)
{
	const struct step *s = &side->seq->steps[i];
	struct record *r = &side->records[i];

	r->state = side_state(side);
	r->limit = side->limit;
	if (s->op == OP_WORKER_START)
		worker_start(side);
	else if (s->op == OP_WORKER_EXIT)
		worker_exit(side);
	else if (s->who)
		worker_step(side, i);
	else
		record_op(side, i);
	r->vmlck[0] = read_vmlck(side->status[0]);
	r->vmlck[1] = read_vmlck(side->status[1]);
}

/**
 * run_side() - run a sequence on one side, in a process of its own
 * @node: container node of the side
 * @groups: a device in each of two groups
 * @seq: the sequence
 * @records: shared memory for the records of all steps, zeroed
 * @done: shared: counts steps that are over
 *
 * Return: exit status of the process, 0 when all went well.
 */
static int run_side(const char *node, const struct vfio_pci_addr *groups,
		    const struct sequence *seq, struct record *records, uint32_t *done)
{
	struct side side = {
		.node = node, .groups = { groups[0], groups[1] }, .seq = seq,
		.records = records, .container = -1, .group = { -1, -1 },
		.device = { -1, -1 }, .status = { -1, -1 },
		.limit = ~0ULL,
	};
	pid_t pid = fork_child();

	if (pid)
		return wait_child(pid);

	arena_make();
	if (seq->limited)
		cap_drop(CAP_IPC_LOCK);
	side.status[0] = open_status(getpid());
	for (uint32_t i = 0; i < seq->n; i++) {
		run_step(&side, i);
		__atomic_store_n(done, i + 1, __ATOMIC_RELEASE);
	}
	worker_exit(&side);
	edu_unmap_bar(&side.edu);
	_exit(0);
}

#endif
