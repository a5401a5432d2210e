// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer for /dev/iommu, VFIO's container ioctls and in-kernel accesses.
 *
 *	fuzz_iommu [--seed N] [--seconds N] [--ops N] [--procs N] [--threads N]
 *	           [--unguided] [--no-vfio] [--replay FILE]
 *
 * Processes (the first lives as long as the run, the others are killed at random
 * and started again) of several threads run programs of operations on files, ids
 * and memory that they share.  Where the kernel has KCOV, a program that reaches
 * something new is kept and mutated.  Where it has fail-nth, ioctls are made to
 * fail inside.
 *
 * With --procs 1 --threads 1 --unguided a seed gives the same operations each
 * time, as the digest in the last notes says.  When the kernel complains, a
 * process dies or a thread hangs, the latest operations of each thread are
 * printed, in the form that --replay takes.
 *
 * What it asserts: the kernel stays quiet, no process dies of itself, nothing
 * hangs, and when all is closed nothing is left.
 */
#include <dirent.h>
#include <getopt.h>
#include <poll.h>

#include "cap_util.h"
#include "fuzz_access.h"
#include "fuzz_mem.h"
#include "fuzz_native.h"
#include "fuzz_nesting.h"
#include "fuzz_proc.h"
#include "fuzz_vfio.h"
#include "nesting_dev.h"

/* The parent looks around that often; nothing it asserts depends on it. */
#define TICK_MS 100
#define TICKS_PER_NOTE (10000 / TICK_MS)
#define TICKS_PER_ANSWER (300 / TICK_MS)
/* So many ticks without an operation are a hang: 3 minutes. */
#define TICKS_HANG (180000 / TICK_MS)
#define RETRIES 600
/* A process has done at least that much when it is killed. */
#define KILL_OPS 500

struct op_kind {
	const char *name;
	bool (*run)(struct fuzz_thread *t);
	unsigned int weight;
	enum { ALWAYS, WITH_VFIO, FUTILE } works;
};

static const struct op_kind kinds[] = {
	{ "ctx_open", op_ctx_open, 1, ALWAYS },
	{ "ioas_alloc", op_ioas_alloc, 8, ALWAYS },
	{ "destroy", op_destroy, 4, ALWAYS },
	{ "iova_ranges", op_iova_ranges, 4, ALWAYS },
	{ "allow_iovas", op_allow_iovas, 3, ALWAYS },
	{ "map", op_map, 26, ALWAYS },
	{ "copy", op_copy, 12, ALWAYS },
	{ "unmap", op_unmap, 16, ALWAYS },
	{ "option", op_option, 4, ALWAYS },
	{ "vfio_ioas", op_vfio_ioas, 5, ALWAYS },
	{ "any_ioctl", op_any_ioctl, 4, FUTILE },
	{ "group_open", op_group_open, 2, WITH_VFIO },
	{ "set_container", op_set_container, 4, WITH_VFIO },
	{ "unset_container", op_unset_container, 2, WITH_VFIO },
	{ "set_iommu", op_set_iommu, 4, ALWAYS },
	{ "container", op_container, 6, WITH_VFIO },
	{ "get_info", op_get_info, 4, ALWAYS },
	{ "dma_map", op_dma_map, 14, ALWAYS },
	{ "dma_unmap", op_dma_unmap, 10, ALWAYS },
	{ "dirty_pages", op_dirty_pages, 6, WITH_VFIO },
	{ "check_extension", op_check_extension, 2, ALWAYS },
	{ "group_status", op_group_status, 1, WITH_VFIO },
	{ "device_open", op_device_open, 2, WITH_VFIO },
	{ "device_use", op_device_use, 2, WITH_VFIO },
	{ "access_create", op_access_create, 2, ALWAYS },
	{ "access_attach", op_access_attach, 3, ALWAYS },
	{ "access_leave", op_access_leave, 2, ALWAYS },
	{ "access_new", op_access_new, 5, ALWAYS },
	{ "access_pin", op_access_pin, 12, ALWAYS },
	{ "access_unpin", op_access_unpin, 6, ALWAYS },
	{ "access_copy", op_access_copy, 4, ALWAYS },
	{ "access_rw", op_access_rw, 8, ALWAYS },
	{ "access_mode", op_access_mode, 3, ALWAYS },
	{ "access_compat", op_access_compat, 1, ALWAYS },
	{ "mem_new", op_mem_new, 10, ALWAYS },
	{ "mem_unmap", op_mem_unmap, 4, ALWAYS },
	{ "mem_advise", op_mem_advise, 5, ALWAYS },
	{ "mem_protect", op_mem_protect, 4, ALWAYS },
	{ "mem_move", op_mem_move, 3, ALWAYS },
	{ "mem_touch", op_mem_touch, 5, ALWAYS },
	{ "mem_truncate", op_mem_truncate, 2, ALWAYS },
	{ "mem_lock", op_mem_lock, 2, ALWAYS },
	{ "close", op_close, 3, ALWAYS },
	{ "dup", op_dup, 3, ALWAYS },
	{ "fork", op_fork, 1, ALWAYS },
	{ "child_end", op_child_end, 2, ALWAYS },
	{ "fd_send", op_fd_send, 2, ALWAYS },
	{ "fd_receive", op_fd_receive, 2, ALWAYS },
	{ "limit", op_limit, 2, ALWAYS },
	{ "debugfs", op_debugfs, 1, ALWAYS },
	{ "entry_limit", op_entry_limit, 1, ALWAYS },
	{ "nesting", op_nesting, 1, ALWAYS },
	{ "nest", op_nest, 8, WITH_VFIO },
	{ "pasid", op_pasid, 6, WITH_VFIO },
	{ "pasid_quota", op_pasid_quota, 1, WITH_VFIO },
	{ "bind", op_bind, 10, WITH_VFIO },
	{ "unbind", op_unbind, 5, WITH_VFIO },
	{ "invalidate", op_invalidate, 8, WITH_VFIO },
	{ "table", op_table, 6, ALWAYS },
	{ "fault_open", op_fault_open, 3, ALWAYS },
	{ "fault_use", op_fault_use, 4, ALWAYS },
	{ "mock_vfio_dma", op_mock_vfio_dma, 8, WITH_VFIO },
	{ "mock_device", op_mock_device, 3, ALWAYS },
	{ "hwpt_alloc", op_hwpt_alloc, 4, ALWAYS },
	{ "hwpt_attach", op_hwpt_attach, 4, ALWAYS },
	{ "hwpt_invalidate", op_hwpt_invalidate, 4, ALWAYS },
	{ "mock_dma", op_mock_dma, 5, ALWAYS },
	{ "signal", op_signal, 2, ALWAYS },
	{ "reset", op_reset, 1, ALWAYS },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

_Static_assert(KINDS <= KINDS_MAX, "KINDS_MAX");

static struct options {
	uint64_t seed, seconds, ops;
	unsigned int procs, threads;
	bool unguided, no_vfio;
	const char *replay;
} options = { .seed = 1, .seconds = 60, .procs = 3, .threads = 2 };

static struct shared *sh;

/* ------------------------------------------------------------------ */
/* Programs */

static void op_random(struct op *op, uint64_t *rng)
{
	static unsigned int total;
	unsigned int i, weight;

	if (!total)
		for (i = 0; i != KINDS; i++)
			total += kinds[i].weight;
	weight = rng_below(rng, total);
	for (i = 0; weight >= kinds[i].weight; i++)
		weight -= kinds[i].weight;
	op->kind = i;
	for (i = 0; i != OP_DRAWS; i++)
		op->draw[i] = rng_next(rng);
}

static void prog_random(struct prog *prog, uint64_t *rng)
{
	unsigned int i;

	prog->n = 4 + rng_below(rng, PROG_MAX - 3);
	for (i = 0; i != prog->n; i++)
		op_random(&prog->op[i], rng);
}

/* A copy of one in the corpus; another thread may be writing it */
static void prog_copy(struct prog *prog, uint64_t *rng)
{
	unsigned int n = atomic_load(&sh->corpus_n), i;

	*prog = sh->corpus[rng_below(rng, n < CORPUS_MAX ? n : CORPUS_MAX)];
	if (!prog->n || prog->n > PROG_MAX) {
		prog_random(prog, rng);
		return;
	}
	for (i = 0; i != prog->n; i++)
		prog->op[i].kind %= KINDS;
}

static void prog_mutate(struct prog *prog, uint64_t *rng)
{
	unsigned int at = rng_below(rng, prog->n), n;
	struct op *op = &prog->op[at];
	struct prog other;

	switch (rng_below(rng, 8)) {
	case 0 ... 2:
		op->draw[rng_below(rng, OP_DRAWS)] = rng_next(rng);
		break;
	case 3:
		op_random(op, rng);
		break;
	case 4:
	case 5:
		if (prog->n == PROG_MAX)
			break;
		memmove(op + 1, op, (prog->n - at) * sizeof(*op));
		prog->n++;
		op_random(op, rng);
		break;
	case 6:
		if (prog->n == 1)
			break;
		prog->n--;
		memmove(op, op + 1, (prog->n - at) * sizeof(*op));
		break;
	default:
		prog_copy(&other, rng);
		n = rng_below(rng, other.n);
		if (n > PROG_MAX - at)
			n = PROG_MAX - at;
		memcpy(op, other.op, n * sizeof(*op));
		if (prog->n < at + n)
			prog->n = at + n;
		break;
	}
}

static void prog_next(struct fuzz_thread *t, struct prog *prog)
{
	unsigned int n;

	if (!t->cover || !atomic_load(&sh->corpus_n) || !rng_below(&t->rng, 4)) {
		prog_random(prog, &t->rng);
		return;
	}
	prog_copy(prog, &t->rng);
	for (n = 1 + rng_below(&t->rng, 4); n; n--)
		prog_mutate(prog, &t->rng);
}

static bool op_run(struct fuzz_thread *t, const struct op *op)
{
	unsigned long n = atomic_load(&t->tlog->ops);
	struct logged *log = &t->tlog->ring[n % LOG_MAX];
	bool worked;

	atomic_store(&log->done, false);
	log->op = *op;
	log->cmd = 0;
	log->fd = -1;
	log->ret = 0;
	log->err = 0;
	t->log = log;
	t->op = op;
	t->drawn = 0;
	atomic_store(&t->tlog->ops, n + 1);
	if (!t->child)
		atomic_store(&sh->digest,
			     mix64(atomic_load(&sh->digest) ^ op->kind ^
				   op->draw[0] ^ op->draw[OP_DRAWS - 1]));
	cover_start(t);
	worked = kinds[op->kind].run(t);
	atomic_fetch_add(&sh->tried[op->kind], 1);
	if (worked)
		atomic_fetch_add(&sh->worked[op->kind], 1);
	else
		atomic_fetch_add(&sh->errnos[op->kind][log->err % ERRNOS], 1);
	atomic_store(&log->done, true);
	return cover_new(t);
}

/* In a forked child: the thread that forked is its only one. */
static void run_child(struct fuzz_thread *t)
{
	struct fuzz_thread me = *t;
	struct op op;
	unsigned int n;

	me.child = true;
	me.cover = NULL;
	me.tlog = &sh->log[t->proc][THREADS_MAX];
	/* It may be killed in the middle of a call, see fail_begin(). */
	me.fail_fd = -1;
	me.rng = mix64(t->op->draw[0]);
	for (n = rng_below(&me.rng, 16); n; n--) {
		op_random(&op, &me.rng);
		op_run(&me, &op);
	}
	/* With all files open, for as long as nobody kills it */
	usleep(rng_below(&me.rng, 200000));
}

/* One operation, as --replay reads it, and what became of it */
static void print_logged(const struct logged *log)
{
	unsigned int i;

	printf("# op %s", kinds[log->op.kind % KINDS].name);
	for (i = 0; i != OP_DRAWS; i++)
		printf(" %llx", (unsigned long long)log->op.draw[i]);
	if (log->cmd)
		printf(" # fd %d cmd %lx ret %ld errno %d", log->fd, log->cmd,
		       log->ret, log->err);
	for (i = 0; log->cmd && i != 8; i++)
		printf(" %llx", (unsigned long long)log->arg[i]);
	printf("%s\n", atomic_load(&log->done) ? "" : " UNDER WAY");
}

/* Replay: what print_logged() wrote */

static bool parse_op(char *line, struct op *op)
{
	char *word, *save;
	unsigned int i;

	if (line[0] == '#')
		line += 2;
	word = strtok_r(line, "\n ", &save);
	if (!word || strcmp(word, "op"))
		return false;
	word = strtok_r(NULL, "\n ", &save);
	for (i = 0; word && i != KINDS; i++)
		if (!strcmp(kinds[i].name, word))
			break;
	if (!word || i == KINDS)
		return false;
	op->kind = i;
	for (i = 0; i != OP_DRAWS; i++) {
		word = strtok_r(NULL, "\n ", &save);
		if (!word)
			return false;
		op->draw[i] = strtoull(word, NULL, 16);
	}
	return true;
}

static void replay(struct fuzz_thread *t)
{
	FILE *file = fopen(options.replay, "re");
	char line[1024];
	struct op op;

	if (!file)
		bail("open %s", options.replay);
	while (fgets(line, sizeof(line), file)) {
		if (!parse_op(line, &op))
			continue;
		op_run(t, &op);
		print_logged(t->log);
		fflush(stdout);
	}
	fclose(file);
}

/* ------------------------------------------------------------------ */
/* One process */

static void on_signal(int sig)
{
	(void)sig;
}

static void corpus_add(const struct prog *prog)
{
	sh->corpus[atomic_fetch_add(&sh->corpus_n, 1) % CORPUS_MAX] = *prog;
}

static void *thread_main(void *arg)
{
	struct fuzz_thread *t = arg;
	struct prog prog;
	unsigned int i;
	bool fresh;

	atomic_store(&world.tid[t->index], gettid());
	atomic_store(&t->tlog->tid, gettid());
	scratch_map(t);
	t->cover = options.unguided ? NULL : cover_open();
	t->fail_fd = fail_open();
	if (options.replay)
		replay(t);
	while (!options.replay && !atomic_load(&sh->stop)) {
		prog_next(t, &prog);
		fresh = false;
		for (i = 0; i != prog.n && !atomic_load(&sh->stop); i++) {
			fresh |= op_run(t, &prog.op[i]);
			if (options.ops &&
			    atomic_load(&t->tlog->ops) >= options.ops)
				goto out;
		}
		if (fresh)
			corpus_add(&prog);
	}
out:
	atomic_store(&t->tlog->tid, 0);
	atomic_store(&world.tid[t->index], 0);
	return NULL;
}

/*
 * While threads run: whoever waits for an access to let go, or for the answer to a
 * page request, is helped, and if nothing happens at all, what may hold a file that
 * others wait for goes.
 */
static void nurse(struct thread_log *logs)
{
	struct access_test_mode release = { .mode = ACCESS_TEST_RELEASE };
	unsigned long last = 0, now;
	unsigned int i, busy, still = 0, class, ticks = 0;
	int fd;

	do {
		usleep(TICK_MS * 1000);
		if (++ticks % TICKS_PER_ANSWER == 0)
			faults_close();
		for (i = 0; i != SLOTS; i++)
			ioctl(slot_fd(FD_ACCESS, i), ACCESS_TEST_MODE, &release);
		for (i = 0, now = 0, busy = 0; i != options.threads; i++) {
			now += atomic_load(&logs[i].ops);
			busy += !!atomic_load(&logs[i].tid);
		}
		still = now == last ? still + 1 : 0;
		last = now;
		if (still < 5)
			continue;
		for (i = 0; i != SLOTS; i++) {
			pid_t pid = atomic_load(&world.child[i]);

			if (pid)
				kill(pid, SIGKILL);
		}
		while ((fd = fd_receive(&class)) >= 0) {
			if (class == FD_ACCESS)
				ioctl(fd, ACCESS_TEST_MODE, &release);
			close(fd);
		}
	} while (busy);
}

/*
 * Nothing that this process mapped is charged to it when all is closed, by it
 * and by those that it passed a file to.
 */
static bool uncharged(void)
{
	unsigned int i, class;
	int fd;

	for (i = 0; i != RETRIES; i++) {
		if (!vmlck(getpid()))
			return true;
		while ((fd = fd_receive(&class)) >= 0)
			close(fd);
		usleep(TICK_MS * 1000);
	}
	note("process %d: VmLck is %llu KiB at the end", getpid(),
	     (unsigned long long)vmlck(getpid()) / KIB);
	return false;
}

#define EXIT_CHARGED 10

static int process_main(unsigned int proc, uint64_t seed)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct fuzz_thread threads[THREADS_MAX] = {};
	pthread_t handle[THREADS_MAX];
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &action, NULL);
	if (proc & 1) {
		cap_drop(CAP_IPC_LOCK);
		world.may_limit = true;
	}
	for (i = 0; i != options.threads; i++) {
		struct fuzz_thread *t = &threads[i];

		t->sh = sh;
		t->proc = proc;
		t->index = i;
		t->rng = mix64(seed ^ mix64(i));
		t->tlog = &sh->log[proc][i];
		/* Not 0 until the thread ends, so that the nurse waits for it */
		atomic_store(&t->tlog->tid, getpid());
		atomic_store(&t->tlog->ops, 0);
		if (pthread_create(&handle[i], NULL, thread_main, t))
			bail("pthread_create");
	}
	nurse(sh->log[proc]);
	for (i = 0; i != options.threads; i++)
		pthread_join(handle[i], NULL);
	world_close();
	mem_free_all();
	return uncharged() ? 0 : EXIT_CHARGED;
}

/* ------------------------------------------------------------------ */
/* What is printed when something is wrong */

static void print_log(unsigned int proc, unsigned int thread)
{
	struct thread_log *tlog = &sh->log[proc][thread];
	unsigned long n = atomic_load(&tlog->ops), i;

	if (!n)
		return;
	note("process %u %s %u (tid %d), %lu operations, the latest:", proc,
	     thread == THREADS_MAX ? "children" : "thread", thread,
	     atomic_load(&tlog->tid), n);
	for (i = n > 16 ? n - 16 : 0; i != n; i++)
		print_logged(&tlog->ring[i % LOG_MAX]);
}

static void print_logs(void)
{
	unsigned int i, j;

	for (i = 0; i != options.procs; i++)
		for (j = 0; j <= THREADS_MAX; j++)
			print_log(i, j);
	fflush(stdout);
}

/* Where in the kernel each thread of a process is */
static void print_stacks(pid_t pid)
{
	char path[64], line[256];
	struct dirent *de;
	DIR *dir;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stack", pid,
			 de->d_name);
		file = fopen(path, "re");
		note("stack of %s:", de->d_name);
		while (file && fgets(line, sizeof(line), file))
			printf("#   %s", line);
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	fflush(stdout);
}

/* The kernel's log, from where it stood when the fuzzer began */
static int kmsg = -1;

static bool kernel_complained(void)
{
	static const char *const bad[] = {
		"WARNING: ", "BUG:", "kernel BUG", "KASAN", "KCSAN", "UBSAN", "Oops",
		"refcount_t:", "general protection", "bad page", "Bad page",
		"INFO: task", "INFO: possible", "INFO: suspicious", "rcu_sched",
		"corruption", "Call Trace", "DMAR: ", "lockdep",
	};
	char line[4096];
	bool complained = false;
	ssize_t n;
	size_t i;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = 0;
		line[strcspn(line, "\n")] = 0;
		for (i = 0; i != sizeof(bad) / sizeof(*bad); i++) {
			if (!strstr(line, bad[i]))
				continue;
			note("kernel: %s", line);
			complained = true;
			break;
		}
	}
	return complained;
}

/* ------------------------------------------------------------------ */
/* The parent */

struct proc_state {
	pid_t pid;
	unsigned int generation;
	bool killed;
	unsigned long seen[THREADS_MAX];	/* operations at the last tick */
	unsigned int thread_still[THREADS_MAX];	/* ticks since there was one */
};

static struct proc_state procs[PROCS_MAX];
static unsigned long ops_ended;	/* of processes that are gone */
static unsigned int kills, died, charged, hung;

static unsigned long proc_ops(unsigned int proc)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i != options.threads; i++)
		sum += atomic_load(&sh->log[proc][i].ops);
	return sum;
}

static void proc_start(unsigned int proc)
{
	struct proc_state *p = &procs[proc];
	uint64_t seed = mix64(options.seed * PROCS_MAX + proc) +
			p->generation++;

	fflush(stdout);
	p->killed = false;
	atomic_store(&sh->doomed[proc], false);
	memset(p->thread_still, 0, sizeof(p->thread_still));
	memset(sh->log[proc], 0, sizeof(sh->log[proc]));
	p->pid = fork();
	if (p->pid < 0)
		bail("fork");
	if (!p->pid)
		_exit(process_main(proc, seed));
}

static void proc_ended(unsigned int proc, int status)
{
	struct proc_state *p = &procs[proc];

	p->pid = 0;
	ops_ended += proc_ops(proc);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && p->killed)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CHARGED) {
		charged++;
	} else {
		note("process %u ended with status 0x%x", proc, status);
		died++;
	}
	print_logs();
	atomic_store(&sh->stop, true);
}

/* Reaps processes and, as their subreaper, the children of killed ones. */
static unsigned int reap(void)
{
	unsigned int i, alive = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i != options.procs; i++)
			if (procs[i].pid == pid)
				proc_ended(i, status);
	for (i = 0; i != options.procs; i++)
		alive += !!procs[i].pid;
	if (!pid && !alive)
		alive = 1;	/* a grandchild */
	return alive;
}

static bool thread_hangs(unsigned int proc)
{
	struct proc_state *p = &procs[proc];
	unsigned int i;

	for (i = 0; i != options.threads; i++) {
		struct thread_log *tlog = &sh->log[proc][i];
		unsigned long ops = atomic_load(&tlog->ops);

		if (ops != p->seen[i] || !atomic_load(&tlog->tid))
			p->thread_still[i] = 0;
		p->seen[i] = ops;
		if (++p->thread_still[i] == TICKS_HANG)
			return true;
	}
	return false;
}

/* Has it stopped injecting?  What is armed is disarmed. */
static bool disarmed(unsigned int proc)
{
	struct thread_log *logs = sh->log[proc];
	char path[64];
	unsigned int i;
	int fd;

	for (i = 0; i != options.threads; i++) {
		if (atomic_load(&logs[i].arming))
			return false;
	}
	for (i = 0; i != options.threads; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/fail-nth",
			 procs[proc].pid, atomic_load(&logs[i].tid));
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;	/* That thread has ended. */
		if (write(fd, "0", 1) != 1)
			bail("write to %s", path);
		close(fd);
	}
	return true;
}

/* At one tick it is told to inject no more, at a later one it is killed. */
static void kill_some(unsigned int proc, uint64_t *rng)
{
	struct proc_state *p = &procs[proc];

	if (!atomic_load(&sh->doomed[proc])) {
		if (proc_ops(proc) >= KILL_OPS && !rng_below(rng, 10))
			atomic_store(&sh->doomed[proc], true);
	} else if (disarmed(proc)) {
		p->killed = true;
		kills++;
		kill(p->pid, SIGKILL);
	}
}

static void tick(uint64_t *rng)
{
	unsigned int i;

	for (i = 0; i != options.procs; i++) {
		struct proc_state *p = &procs[i];

		if (!p->pid) {
			if (!atomic_load(&sh->stop) && !options.ops)
				proc_start(i);
			continue;
		}
		if (thread_hangs(i)) {
			note("process %u hangs", i);
			hung++;
			print_stacks(p->pid);
			print_logs();
			atomic_store(&sh->stop, true);
		}
		if (i && !p->killed && !atomic_load(&sh->stop))
			kill_some(i, rng);
	}
}

static unsigned long all_ops(void)
{
	unsigned long sum = ops_ended;
	unsigned int i;

	for (i = 0; i != options.procs; i++)
		if (procs[i].pid)
			sum += proc_ops(i);
	return sum;
}

static unsigned int seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void progress(unsigned int seconds)
{
	note("%u s: %lu operations, %lu injected, %u kills, %lu edges, %u in the corpus",
	     seconds, all_ops(), atomic_load(&sh->injected),
	     kills, atomic_load(&sh->edges), atomic_load(&sh->corpus_n));
}

/* Returns whether the kernel was quiet. */
static bool run(void)
{
	uint64_t rng = mix64(~options.seed);
	unsigned int start = seconds_now(), ticks = 0, ending = 0, i;
	bool quiet = true;

	for (i = 0; i != options.procs; i++)
		proc_start(i);
	while (reap() || (!atomic_load(&sh->stop) && !options.ops)) {
		usleep(TICK_MS * 1000);
		tick(&rng);
		if (++ticks % TICKS_PER_NOTE == 0)
			progress(seconds_now() - start);
		if (seconds_now() - start >= options.seconds)
			atomic_store(&sh->stop, true);
		if (quiet && kernel_complained()) {
			quiet = false;
			print_logs();
			atomic_store(&sh->stop, true);
		}
		if (atomic_load(&sh->stop) && ++ending == 2 * TICKS_HANG) {
			note("processes do not end");
			hung++;
			for (i = 0; i != options.procs; i++)
				if (procs[i].pid)
					print_stacks(procs[i].pid);
			print_logs();
			break;
		}
	}
	progress(seconds_now() - start);
	return quiet && !kernel_complained();
}

/* ------------------------------------------------------------------ */
/* Setup, verdict */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		bail("write %s", path);
	close(fd);
}

/*
 * fail-nth does nothing to allocations that may sleep until told so; and each
 * failure would be a stack dump on a slow console.
 */
static void inject_setup(void)
{
	write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/failslab/verbose", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	write_file("/sys/kernel/debug/fail_usercopy/verbose", "0");
}

/* Those of edu, and of the mock IOMMU, which have PASIDs */
static void find_devices(void)
{
	struct vfio_pci_addr edus[6];
	struct nesting_dev mocks[MOCK_VFIO];
	int i, n;

	n = find_vfio_pci(EDU_VENDOR, EDU_DEVICE, edus, 6);
	if (!n)
		bail("no edu with vfio-pci");
	for (i = 0; i != n; i++) {
		snprintf(world.dev[i].name, sizeof(world.dev[i].name), "%.15s",
			 edus[i].bdf);
		world.dev[i].group = edus[i].group;
	}
	world.devs = n;
	if (system("insmod \"$KO\"/mock/iommufd_mock_vfio.ko vfio_devices=8"))
		bail("no VFIO devices of the mock");
	mock_vfio_find(mocks, MOCK_VFIO);
	for (i = 0; i != MOCK_VFIO; i++) {
		memcpy(world.dev[world.devs].name, mocks[i].name, sizeof(mocks[i].name));
		world.dev[world.devs++].group = mocks[i].group;
	}
}

static void setup(void)
{
	unsigned int class, i;

	if (access(ACCESS_TEST_NODE, F_OK) &&
	    system("insmod \"$KO\"/mock/iommufd_access_test.ko"))
		bail("no " ACCESS_TEST_NODE);
	if (access("/sys/module/iommufd_mock", F_OK) &&
	    system("insmod \"$KO\"/mock/iommufd_mock.ko"))
		bail("no mock IOMMU");
	inject_setup();
	for (class = 0; class != FD_CLASSES; class++)
		for (i = 0; i != SLOTS; i++)
			atomic_store(&world.fd[class][i], -1);
	world.zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (world.zero < 0 ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, world.pass))
		bail("setup");
	if (!options.no_vfio) {
		find_devices();
		world.stock_node = !node_is_iommufd();
	}
	write_file(NESTING_PARAM, "Y");
	write_file(SHADOW_LIMIT, SHADOW_LIMIT_FUZZ);
	tables_map();
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		bail("/dev/kmsg");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		bail("mmap");
}

static bool stats_zero(void)
{
	static const char *const names[] = {
		"contexts", "objects", "areas", "pages", "pinned_pages", "pasids",
		"shadow_entries",
	};
	bool zero = true;
	size_t i;

	for (i = 0; i != sizeof(names) / sizeof(*names); i++)
		zero &= counter(STATS, names[i]) == 0;
	return zero;
}

#define ENOUGH_TRIES 200

/* How often each kind worked, and its commonest errors; how many never did */
static unsigned int print_kinds(void)
{
	unsigned int i, j, e, top, n, never = 0;

	for (i = 0; i != KINDS; i++) {
		printf("# %s: %lu of %lu worked", kinds[i].name,
		       atomic_load(&sh->worked[i]), atomic_load(&sh->tried[i]));
		for (j = 0; j != 4; j++) {
			for (e = 0, top = 0, n = 0; e != ERRNOS; e++)
				if (atomic_load(&sh->errnos[i][e]) > n)
					n = atomic_load(&sh->errnos[i][top = e]);
			if (n)
				printf(", %s %u", strerrorname_np(top), n);
			atomic_store(&sh->errnos[i][top], 0);
		}
		printf("\n");
		/* On a busy machine few are tried, and luck decides. */
		if (atomic_load(&sh->tried[i]) < ENOUGH_TRIES)
			continue;
		if (kinds[i].works == ALWAYS ||
		    (kinds[i].works == WITH_VFIO && !options.no_vfio))
			never += !atomic_load(&sh->worked[i]);
	}
	return never;
}

static void verdict(bool quiet, int64_t pins)
{
	unsigned int i, n;
	int fd;

	while ((fd = fd_receive(&n)) >= 0)
		close(fd);
	for (i = 0; i != RETRIES && !(stats_zero() && pins_held() == pins); i++)
		usleep(TICK_MS * 1000);
	n = print_kinds();
	note("digest of the operations %lx", atomic_load(&sh->digest));

	ok(quiet, "the kernel has nothing to complain about");
	ok(!died, "no process dies of itself (%u)", died);
	ok(!hung, "nothing hangs (%u)", hung);
	ok(!charged, "VmLck is 0 when all is closed");
	ok(stats_zero(), "contexts, objects, areas, pages, PASIDs are gone");
	ok(pins_held() == pins, "pins are balanced (%lld, before %lld)",
	   (long long)pins_held(), (long long)pins);
	if (!options.ops)
		ok(!n, "each kind that was tried often worked once (%u did not)",
		   n);
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "ops", required_argument, NULL, 'o' },
		{ "procs", required_argument, NULL, 'p' },
		{ "threads", required_argument, NULL, 'n' },
		{ "unguided", no_argument, NULL, 'u' },
		{ "no-vfio", no_argument, NULL, 'v' },
		{ "replay", required_argument, NULL, 'r' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		uint64_t value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's':
			options.seed = value;
			break;
		case 't':
			options.seconds = value;
			break;
		case 'o':
			options.ops = value;
			break;
		case 'p':
			options.procs = value;
			break;
		case 'n':
			options.threads = value;
			break;
		case 'u':
			options.unguided = true;
			break;
		case 'v':
			options.no_vfio = true;
			break;
		case 'r':
			options.replay = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (!options.procs || options.procs > PROCS_MAX ||
	    !options.threads || options.threads > THREADS_MAX)
		bail("1 to %d processes, 1 to %d threads", PROCS_MAX, THREADS_MAX);
	if (options.replay) {
		options.procs = 1;
		options.threads = 1;
		options.ops = 1;
	}
}

int main(int argc, char **argv)
{
	int64_t pins;
	bool quiet;

	parse_options(argc, argv);
	setup();
	note("seed %llu, %u processes of %u threads, KCOV %s, fail-nth %s",
	     (unsigned long long)options.seed, options.procs, options.threads,
	     !options.unguided && !access("/sys/kernel/debug/kcov", F_OK) ?
	     "yes" : "no",
	     access("/proc/thread-self/fail-nth", F_OK) ? "no" : "yes");
	pins = pins_held();
	quiet = run();
	entry_limit(ENTRY_LIMIT_DEFAULT);
	write_file(NESTING_PARAM, "N");
	write_file(SHADOW_LIMIT, SHADOW_LIMIT_DEFAULT);
	verdict(quiet, pins);
	return tap_done();
}
