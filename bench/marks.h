/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that do nothing, and that the QEMU plugin knows by their bytes:
 * they tell it where what is measured begins and ends.
 *
 * A mark is a seven-byte NOP (0f 1f 80, then a displacement that is not used).
 */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

enum mark_kind {
	MARK_MAP,
	MARK_UNMAP,
	MARK_KINDS,
};

static const char *const mark_names[MARK_KINDS] = { "map", "unmap" };

#define MARK_LENGTH 7
#define MARK_DISPLACEMENT 0x62656e00	/* the low byte says which mark */
#define MARK_END MARK_KINDS

/* @which is a constant: it becomes a part of the instruction. */
static inline __attribute__((always_inline)) void mark(unsigned int which)
{
	asm volatile("nopl %c0(%%rax)" : : "i" (MARK_DISPLACEMENT + which) : "memory");
}

#endif
