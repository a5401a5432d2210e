// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's emulator, which sees each instruction of the guest.
 *
 * It counts locked operations: instructions with a LOCK prefix, and XCHG with
 * memory, which needs none.  They are what instruction counts hide, for on a
 * real machine one costs as much as tens of others.  The guest's marks
 * (marks.h) say where a measured region begins and ends.
 *
 * -plugin count_plugin.so,regions=FILE[,profile=FILE]
 *
 * regions: a line "mark locked" for each region, in order
 * profile: for each block of code that ran in a region "mark address
 *          instructions", at the end; takes a call for each block that is run
 *
 * One virtual CPU is assumed.  Debian has no header for what QEMU exports to
 * plugins, so what is used of it is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"

/* ------------------------------------------------------------------ */
/* What QEMU exports: interface version 1, of QEMU 4.2 to 8.2 */

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

enum { QEMU_PLUGIN_CB_NO_REGS };
enum { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*tb_trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int cpu, void *data);
typedef void (*exit_cb)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_cb cb,
					  int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_cb cb,
					    int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op,
						void *ptr, uint64_t imm);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_cb cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

int qemu_plugin_version = 1;
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

/* ------------------------------------------------------------------ */

/* One translation of a block of code, which may be one of several */
struct block {
	struct block *next;
	uint64_t address;
	unsigned int insns;
	uint64_t runs[MARK_KINDS];
};

static FILE *regions, *profile;
static struct block *blocks;
static uint64_t locked, locked_before;
/* What is going on: of enum mark_kind, or MARK_END */
static unsigned int now = MARK_END;

static void on_mark(unsigned int cpu, void *data)
{
	unsigned int mark = (uintptr_t)data;

	(void)cpu;
	if (mark != MARK_END)
		locked_before = locked;
	else if (now != MARK_END)
		fprintf(regions, "%s %" PRIu64 "\n", mark_names[now], locked - locked_before);
	now = mark;
}

static void on_block(unsigned int cpu, void *data)
{
	struct block *block = data;

	(void)cpu;
	if (now != MARK_END)
		block->runs[now]++;
}

static void note_block(struct qemu_plugin_tb *tb)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		abort();
	block->address = qemu_plugin_tb_vaddr(tb);
	block->insns = qemu_plugin_tb_n_insns(tb);
	block->next = blocks;
	blocks = block;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

/* Which mark it is, or -1 */
static int mark_of(const uint8_t *code, size_t size)
{
	static const uint8_t opcode[] = { 0x0f, 0x1f, 0x80 };
	uint32_t displacement;

	if (size != MARK_LENGTH || memcmp(code, opcode, sizeof(opcode)))
		return -1;
	memcpy(&displacement, code + 3, sizeof(displacement));
	displacement -= MARK_DISPLACEMENT;
	return displacement <= MARK_END ? (int)displacement : -1;
}

static bool is_locked(const uint8_t *code, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size; i++) {
		switch (code[i]) {
		case 0xf0:
			return true;
		/* Other prefixes: segments, sizes, repetition, REX */
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
		case 0x66: case 0x67: case 0xf2: case 0xf3:
		case 0x40 ... 0x4f:
			continue;
		case 0x86: case 0x87:
			return code[i + 1] >> 6 != 3;
		default:
			return false;
		}
	}
	return false;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i;

	(void)id;
	if (profile)
		note_block(tb);
	for (i = 0; i != n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		int mark = mark_of(code, size);

		if (mark >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
							       QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)mark);
		else if (is_locked(code, size))
			qemu_plugin_register_vcpu_insn_exec_inline(insn,
								   QEMU_PLUGIN_INLINE_ADD_U64,
								   &locked, 1);
	}
}

static void on_exit_of_qemu(qemu_plugin_id_t id, void *data)
{
	struct block *block;
	unsigned int i;

	(void)id;
	(void)data;
	for (block = blocks; block; block = block->next)
		for (i = 0; i != MARK_KINDS; i++)
			if (block->runs[i])
				fprintf(profile, "%s %016" PRIx64 " %" PRIu64 "\n",
					mark_names[i], block->address,
					block->runs[i] * block->insns);
	if (profile)
		fclose(profile);
	fclose(regions);
}

static FILE *open_arg(const char *arg, const char *name)
{
	size_t len = strlen(name);
	FILE *f = NULL;

	if (strncmp(arg, name, len))
		return NULL;
	f = fopen(arg + len, "we");
	if (!f)
		perror(arg + len);
	return f;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i != argc; i++) {
		if (!regions)
			regions = open_arg(argv[i], "regions=");
		if (!profile)
			profile = open_arg(argv[i], "profile=");
	}
	if (!regions) {
		fprintf(stderr, "count_plugin: where to write to? regions=FILE\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
