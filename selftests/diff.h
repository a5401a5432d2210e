/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differential test: what a step is, and what is recorded of it.
 *
 * A sequence of steps runs on stock type1 and then on this project, each time
 * in a process of its own with memory of its own at the same addresses.  The
 * records of both are compared step by step.
 */
#ifndef SELFTESTS_DIFF_H
#define SELFTESTS_DIFF_H

#include "cap_util.h"
#include "diff_sides.h"
#include "nesting_util.h"

/* Room for the longest sequence */
#define MAX_STEPS 32768

/* Bytes recorded around the argument of an ioctl; what is not input is CANARY. */
#define WINDOW 320
/* Bytes of the longest bitmap of dirty pages */
#define BITMAP 256
#define CANARY 0xa5

enum diff_op {
	OP_API_VERSION,
	OP_CHECK_EXTENSION,	/* iova: argument */
	OP_SET_IOMMU,		/* iova: argument */
	OP_UNKNOWN,		/* iova: the command */
	OP_GET_INFO,
	OP_MAP,
	OP_UNMAP,
	OP_DIRTY,
	OP_GROUP_OPEN,
	OP_GROUP_CLOSE,
	OP_GROUP_SET,
	OP_GROUP_UNSET,
	OP_GROUP_STATUS,
	OP_DEVICE_OPEN,
	OP_DEVICE_CLOSE,
	OP_CONTAINER_OPEN,
	OP_CONTAINER_CLOSE,
	OP_RLIMIT,		/* size: bytes, soft limit */
	OP_MLOCK,		/* vaddr, size */
	OP_MUNLOCK,
	OP_WRITE,		/* the CPU writes a byte of each page: vaddr, size */
	OP_DMA,			/* iova to vaddr (an IOVA too), size bytes */
	OP_THREADS_APART,	/* iova: seed; each thread has IOVAs of its own */
	OP_THREADS_MAP,		/* all threads map iova */
	OP_THREADS_UNMAP,	/* all threads unmap iova, size */
	OP_WORKER_START,	/* the second process */
	OP_WORKER_EXIT,
	OP_COUNT,
};

static const char *const op_names[OP_COUNT] = {
	"GET_API_VERSION", "CHECK_EXTENSION", "SET_IOMMU", "unknown ioctl", "GET_INFO",
	"MAP_DMA", "UNMAP_DMA", "DIRTY_PAGES", "open group", "close group", "SET_CONTAINER",
	"UNSET_CONTAINER", "GROUP_GET_STATUS", "GET_DEVICE_FD", "close device",
	"open container", "close container", "setrlimit", "mlock", "munlock", "CPU write",
	"DMA", "threads, apart", "threads, MAP", "threads, UNMAP", "start process",
	"end process",
};

/* Where the argument of an ioctl lies */
enum diff_ptr {
	PTR_NORMAL,
	PTR_NULL,
	PTR_EDGE,	/* only its first `cut` bytes are there */
	PTR_READ_ONLY,
	PTR_COUNT,
};

/**
 * struct step - one step of a sequence
 * @op: enum diff_op
 * @who: 1: the second process does it
 * @nr: which group and its device, 0 or 1
 * @ptr: enum diff_ptr
 * @cut: with PTR_EDGE
 * @pgsize: of a dirty bitmap, with @bytes its length
 */
struct step {
	uint8_t op, who, nr, ptr;
	uint16_t cut;
	uint32_t argsz, flags;
	uint64_t iova, vaddr, size;
	uint64_t pgsize, bytes;
};

/* What a container is; the answers to most ioctls depend on it. */
enum diff_state {
	STATE_NO_GROUP,	/* and never had an IOMMU */
	STATE_WAITING,	/* groups, and no SET_IOMMU yet */
	STATE_IOMMU,
	STATE_LEFT,	/* had an IOMMU; all groups have left */
};

/**
 * struct record - what came of a step
 * @state: enum diff_state, before the step
 * @ret: of the call; file descriptors count as 0
 * @err: errno when @ret is -1
 * @extra: what else there is to see: checksum of memory, results of threads
 * @limit: RLIMIT_MEMLOCK that counts, in bytes
 * @vmlck: of the main and of the second process, after the step
 * @window: memory around the argument
 * @bitmap: of dirty pages, and what lies behind it
 */
struct record {
	uint32_t state;
	int32_t ret, err;
	uint64_t extra;
	uint64_t limit, vmlck[2];
	uint8_t window[WINDOW];
	uint8_t bitmap[BITMAP + 64];
};

/**
 * struct sequence - steps, and the surroundings that they want
 * @name: for messages
 * @limited: without CAP_IPC_LOCK, so that RLIMIT_MEMLOCK counts
 * @dma: a device is opened for DMA
 */
struct sequence {
	char name[64];
	bool limited, dma;
	uint32_t n;
	struct step steps[MAX_STEPS];
};

/* splitmix64: small, good enough, and the same everywhere */
static inline uint64_t rnd(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline uint64_t rnd_below(uint64_t *state, uint64_t n)
{
	return rnd(state) % n;
}

/* True in @n of 1000 */
static inline bool permille(uint64_t *state, unsigned int n)
{
	return rnd_below(state, 1000) < n;
}

static inline bool has_bitmap(const struct step *s)
{
	return s->op == OP_DIRTY ||
	       (s->op == OP_UNMAP && s->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
}

static inline void step_print(const char *head, const struct step *s)
{
	printf("# %s%s", head, op_names[s->op]);
	if (s->who)
		printf(", second process");
	if (s->op >= OP_GROUP_OPEN && s->op <= OP_DEVICE_CLOSE)
		printf(", group %u", s->nr);
	printf(": argsz %u flags 0x%x iova 0x%" PRIx64 " vaddr 0x%" PRIx64 " size 0x%" PRIx64,
	       s->argsz, s->flags, s->iova, s->vaddr, s->size);
	if (has_bitmap(s))
		printf(" bitmap: pgsize 0x%" PRIx64 " bytes 0x%" PRIx64, s->pgsize, s->bytes);
	if (s->ptr == PTR_NULL)
		printf(", no pointer");
	else if (s->ptr == PTR_EDGE)
		printf(", only %u bytes there", s->cut);
	else if (s->ptr == PTR_READ_ONLY)
		printf(", read-only");
	printf("\n");
}

static inline void record_print(const char *who, const struct record *r)
{
	static const char *const states[] = { "no group", "waiting", "IOMMU", "left" };

	printf("#   %-6s returned %d, errno %d (%s); VmLck %llu, %llu KiB; extra 0x%" PRIx64
	       "; state before: %s\n",
	       who, r->ret, r->err, r->err ? strerror(r->err) : "-", r->vmlck[0] / KIB,
	       r->vmlck[1] / KIB, r->extra, states[r->state]);
}

static inline void bytes_print(const char *what, const uint8_t *s, const uint8_t *o, size_t len)
{
	for (size_t i = 0; i < len; i += 16) {
		if (!memcmp(s + i, o + i, 16))
			continue;
		printf("#   %s +%3zu stock", what, i);
		for (size_t j = 0; j < 16; j++)
			printf(" %02x", s[i + j]);
		printf("\n#   %*s here ", (int)strlen(what) + 5, "");
		for (size_t j = 0; j < 16; j++)
			printf(" %02x", o[i + j]);
		printf("\n");
	}
}

#endif
