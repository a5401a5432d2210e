/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's operations: descriptors, processes, signals, limits, and what
 * else a program does beside ioctls.
 */
#ifndef SELFTESTS_FUZZ_PROC_H
#define SELFTESTS_FUZZ_PROC_H

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "fuzz_world.h"

#define ENTRY_LIMIT "/sys/module/iommufd/parameters/dma_entry_limit"
#define ENTRY_LIMIT_DEFAULT 1048576U

static void run_child(struct fuzz_thread *t);

static bool op_close(struct fuzz_thread *t)
{
	enum fd_class class = below(t, FD_CLASSES);
	unsigned int slot = slot_pick(t, class);
	bool open = slot_fd(class, slot) >= 0;

	slot_put(class, slot, -1);
	return open;
}

static bool op_dup(struct fuzz_thread *t)
{
	enum fd_class class = below(t, FD_CLASSES);
	int fd = fcntl(slot_fd(class, slot_pick(t, class)), F_DUPFD_CLOEXEC, 3);

	if (fd >= 0)
		slot_put(class, slot_new(t, class), fd);
	return fd >= 0;
}

static inline void child_end(unsigned int slot, bool kill_it)
{
	pid_t pid = atomic_exchange(&world.child[slot], 0);

	if (!pid)
		return;
	if (kill_it)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/*
 * A child with copies of all descriptors and of the memory, some of it pinned:
 * does some operations, and is killed in the middle or ends.
 */
static bool op_fork(struct fuzz_thread *t)
{
	unsigned int slot = below(t, SLOTS);
	pid_t pid;

	if (t->child)
		return false;
	child_end(slot, one_in(t, 2));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_child(t);
		_exit(0);
	}
	if (pid < 0)
		return false;
	/* Another thread may have been as fast. */
	pid = atomic_exchange(&world.child[slot], pid);
	if (pid) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return true;
}

static bool op_child_end(struct fuzz_thread *t)
{
	unsigned int slot = below(t, SLOTS);
	bool there = atomic_load(&world.child[slot]);

	if (t->child)
		return false;
	child_end(slot, !one_in(t, 4));
	return there;
}

static bool op_fd_send(struct fuzz_thread *t)
{
	enum fd_class class = below(t, FD_CLASSES);
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = class;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = slot_fd(class, slot_pick(t, class));

	if (fd < 0)
		return false;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(world.pass[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* A descriptor that was sent by whomever, and its class; -1: none waits */
static inline int fd_receive(unsigned int *class)
{
	char control[CMSG_SPACE(sizeof(int))], byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd = -1;

	if (recvmsg(world.pass[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	*class = byte;
	return fd;
}

static bool op_fd_receive(struct fuzz_thread *t)
{
	unsigned int class;
	int fd = fd_receive(&class);

	if (fd >= 0)
		slot_put(class, slot_new(t, class), fd);
	return fd >= 0;
}

/*
 * Where the capability is gone, a limit that binds.  Only the soft one, so that
 * it may be raised again.
 */
static bool op_limit(struct fuzz_thread *t)
{
	static const uint64_t limits[] = {
		0, PAGE, 16 * PAGE, 1 << 20, 16 << 20, RLIM_INFINITY,
		RLIM_INFINITY, RLIM_INFINITY,
	};
	struct rlimit limit = {
		.rlim_cur = pick(t, limits),
		.rlim_max = RLIM_INFINITY,
	};

	return world.may_limit && !setrlimit(RLIMIT_MEMLOCK, &limit);
}

static bool op_debugfs(struct fuzz_thread *t)
{
	static const char *const paths[] = {
		"/sys/kernel/debug/iommufd/contexts",
		"/sys/kernel/debug/iommufd/stats",
	};
	int fd = open(pick(t, paths), O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	lseek(fd, one_in(t, 8) ? below(t, PAGE) : 0, SEEK_SET);
	n = read(fd, t->scratch + SCRATCH_BULK, 1 + below(t, 2 * PAGE));
	close(fd);
	return n > 0;
}

static inline bool entry_limit(unsigned int limit)
{
	int fd = open(ENTRY_LIMIT, O_WRONLY | O_CLOEXEC);
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", limit);
	bool worked;

	if (fd < 0)
		return false;
	worked = write(fd, text, len) == len;
	close(fd);
	return worked;
}

static bool op_entry_limit(struct fuzz_thread *t)
{
	return entry_limit(one_in(t, 4) ? below(t, 8) : ENTRY_LIMIT_DEFAULT);
}

/* Interrupts what another thread does, perhaps a wait. */
static bool op_signal(struct fuzz_thread *t)
{
	int tid = atomic_load(&world.tid[below(t, THREADS_MAX)]);

	return tid && !t->child && !syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
}

static inline void world_close(void)
{
	unsigned int class, i, unused;
	int fd;

	for (i = 0; i != SLOTS; i++)
		child_end(i, true);
	while ((fd = fd_receive(&unused)) >= 0)
		close(fd);
	for (class = 0; class != FD_CLASSES; class++)
		for (i = 0; i != SLOTS; i++)
			slot_put(class, i, -1);
}

static inline void mem_free_all(void)
{
	munmap((void *)MEM_BASE, (MEM_SLOTS + BAR_SLOTS) * MEM_STEP);
}

/* Back to the beginning: no files, no memory, no children */
static bool op_reset(struct fuzz_thread *t)
{
	unsigned int i;

	if (t->child || !one_in(t, 3))
		return false;
	world_close();
	mem_free_all();
	for (i = 0; i != MEM_SLOTS; i++)
		atomic_store(&world.mem_size[i], 0);
	return true;
}

#endif
