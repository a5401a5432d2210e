// SPDX-License-Identifier: GPL-2.0-only
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "util.h"

/* A broken unit would fill the log: so many messages of a case are shown. */
#define MAX_MESSAGES 4

static struct {
	struct kunit *test;
	struct task_struct *task;
	struct rnd_state rnd;
	unsigned int messages;
	unsigned int fail_nth;
	bool alloc_failed;
	unsigned int kill_nth;
	bool killed;
	bool expect_warnings;
	unsigned int warnings;
} kt;

int kt_case_init(struct kunit *test)
{
	memset(&kt, 0, sizeof(kt));
	kt.test = test;
	kt.task = current;
	return 0;
}

void kt_case_exit(struct kunit *test)
{
	kt_fail_alloc(0);
	kt_kill(0);
}

/* Fail the running case, from code that knows nothing of it. */
void kt_fail_case(const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	if (kt.messages++ >= MAX_MESSAGES) {
		kt.test->status = KUNIT_FAILURE;
		return;
	}
	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	KUNIT_FAIL(kt.test, "%pV", &vaf);
	va_end(args);
}

void kt_seed(struct kunit *test)
{
	u64 seed = kt_seed_param ?: get_random_u64();

	kunit_info(test, "seed=%llu\n", seed);
	prandom_seed_state(&kt.rnd, seed);
}

u64 kt_random64(void)
{
	u64 high = prandom_u32_state(&kt.rnd);

	return high << 32 | prandom_u32_state(&kt.rnd);
}

u32 kt_random(u32 below)
{
	return prandom_u32_state(&kt.rnd) % below;
}

void kt_fail_alloc(unsigned int nth)
{
	kt.fail_nth = nth;
	kt.alloc_failed = false;
}

bool kt_alloc_failed(void)
{
	return kt.alloc_failed;
}

bool kt_should_fail(void)
{
	if (current != kt.task || !kt.fail_nth || --kt.fail_nth)
		return false;
	kt.alloc_failed = true;
	return true;
}

void kt_kill(unsigned int nth)
{
	kt.kill_nth = nth;
	kt.killed = false;
}

bool kt_is_killed(void)
{
	if (current == kt.task && kt.kill_nth && !--kt.kill_nth)
		kt.killed = true;
	return kt.killed;
}

bool kt_was_killed(void)
{
	return kt.killed;
}

bool kt_warned(const char *file, int line, const char *what)
{
	kt.warnings++;
	if (!kt.expect_warnings)
		kt_fail_case("%s:%d: WARN_ON(%s)", kbasename(file), line, what);
	return true;
}

void kt_expect_warnings(bool expect)
{
	kt.expect_warnings = expect;
}

unsigned int kt_warnings(void)
{
	return kt.warnings;
}
