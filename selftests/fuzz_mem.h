/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's operations: the memory that is mapped, and what a program may do
 * to it meanwhile.  It is touched by system calls only, which say EFAULT where
 * the program would die.
 */
#ifndef SELFTESTS_FUZZ_MEM_H
#define SELFTESTS_FUZZ_MEM_H

#include "fuzz_world.h"

static inline uint64_t mem_length(struct fuzz_thread *t)
{
	switch (below(t, 16)) {
	case 0:
		return MEM_MAX;
	case 1 ... 3:
		return 0x200000;
	case 4 ... 6:
		return (1 + below(t, 256)) * PAGE;
	default:
		return (1 + below(t, 16)) * PAGE;
	}
}

static inline int mem_file(struct fuzz_thread *t, uint64_t length)
{
	int fd;

	if (one_in(t, 3))
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	else
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, one_in(t, 8) ? length / 2 : length)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool op_mem_new(struct fuzz_thread *t)
{
	unsigned int slot = below(t, MEM_SLOTS);
	uint64_t length = mem_length(t);
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE, fd = -1;
	bool thp = false;
	void *mem;

	switch (below(t, 12)) {
	case 0:
		thp = true;
		break;
	case 1:
		/*
		 * One page, which nobody can split: 6.1.192 splits a VMA of huge
		 * pages without the lock that it then asserts.
		 */
		flags |= MAP_HUGETLB;
		length = 0x200000;
		break;
	case 2 ... 3:
		flags = MAP_SHARED;
		fd = mem_file(t, length);
		break;
	case 4:
		fd = mem_file(t, length);
		break;
	case 5:
		prot = PROT_READ;
		break;
	case 6:
		prot = PROT_READ;
		fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		break;
	case 7:
		prot = one_in(t, 2) ? PROT_NONE : PROT_WRITE;
		break;
	case 8:
		fd = dup(world.zero);
		break;
	default:
		flags |= one_in(t, 2) ? MAP_POPULATE : 0;
		break;
	}
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	mem = mmap((void *)mem_at(slot), length, prot, flags | MAP_FIXED, fd, 0);
	if (fd >= 0 && !(flags & MAP_SHARED))
		close(fd);
	else if (fd >= 0)
		slot_put(FD_MEM, below(t, SLOTS), fd);
	if (mem == MAP_FAILED)
		return false;
	if (thp)
		madvise(mem, length, MADV_HUGEPAGE);
	atomic_store(&world.mem_size[slot], length);
	return true;
}

/* Some pages of some memory */
static inline void *mem_part(struct fuzz_thread *t, uint64_t *length)
{
	unsigned int slot = mem_slot(t);
	uint64_t pages = atomic_load(&world.mem_size[slot]) / PAGE, skip = 0;

	if (pages && one_in(t, 2)) {
		skip = below(t, pages);
		pages = 1 + below(t, pages - skip);
	}
	*length = pages * PAGE;
	return (void *)(mem_at(slot) + skip * PAGE);
}

static bool op_mem_unmap(struct fuzz_thread *t)
{
	uint64_t length;
	void *mem = mem_part(t, &length);

	/* The slot keeps its size: what is gone may be mapped, too. */
	return !munmap(mem, length);
}

static bool op_mem_advise(struct fuzz_thread *t)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_REMOVE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTFORK, MADV_DOFORK,
		MADV_COLD, MADV_PAGEOUT, MADV_WIPEONFORK, MADV_POPULATE_WRITE,
		MADV_POPULATE_READ, 25 /* MADV_COLLAPSE */,
	};
	uint64_t length;
	void *mem = mem_part(t, &length);

	return !madvise(mem, length, pick(t, advice));
}

static bool op_mem_protect(struct fuzz_thread *t)
{
	static const int prot[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	uint64_t length;
	void *mem = mem_part(t, &length);

	return !mprotect(mem, length, pick(t, prot));
}

static bool op_mem_move(struct fuzz_thread *t)
{
	unsigned int to = below(t, MEM_SLOTS);
	uint64_t length;
	void *mem = mem_part(t, &length);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (one_in(t, 4))
		flags |= MREMAP_DONTUNMAP;
	if (mremap(mem, length, length, flags, (void *)mem_at(to)) == MAP_FAILED)
		return false;
	atomic_store(&world.mem_size[to], length);
	return true;
}

/* Zeros into the memory, or the memory into a pipe that nobody reads */
static bool op_mem_touch(struct fuzz_thread *t)
{
	uint64_t length;
	void *mem = mem_part(t, &length);
	bool worked;
	int fd[2];

	if (one_in(t, 2))
		return read(world.zero, mem, length) > 0;
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return false;
	worked = write(fd[1], mem, length) > 0;
	close(fd[0]);
	close(fd[1]);
	return worked;
}

static bool op_mem_truncate(struct fuzz_thread *t)
{
	int fd = slot_fd(FD_MEM, slot_pick(t, FD_MEM));

	if (one_in(t, 2))
		return !ftruncate(fd, below(t, 512) * PAGE);
	/* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */
	return !fallocate(fd, 3, below(t, 64) * PAGE, (1 + below(t, 512)) * PAGE);
}

static bool op_mem_lock(struct fuzz_thread *t)
{
	uint64_t length;
	void *mem = mem_part(t, &length);

	return one_in(t, 2) ? !mlock(mem, length) : !munlock(mem, length);
}

#endif
