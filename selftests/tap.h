/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP output for the selftests: one line per check, the plan at the end.
 *
 * A program that dies before tap_done() has printed no plan, and the runner
 * counts that as a failure.  A skip needs a reason and is a failure unless the
 * test table expects it.
 */
#ifndef SELFTESTS_TAP_H
#define SELFTESTS_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int tap_count, tap_failed;

static inline void tap_vline(const char *verdict, const char *fmt, va_list ap)
{
	printf("%s %u - ", verdict, ++tap_count);
	vprintf(fmt, ap);
}

/* One check.  Returns @cond, so that a test can stop where going on is moot. */
static inline bool __attribute__((format(printf, 4, 5)))
tap_ok(bool cond, const char *file, int line, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	tap_vline(cond ? "ok" : "not ok", fmt, ap);
	va_end(ap);
	printf("\n");
	if (!cond) {
		tap_failed++;
		printf("# failed at %s:%d, errno %d (%s)\n", file, line, err,
		       strerror(err));
	}
	fflush(stdout);
	return cond;
}

#define ok(cond, ...) tap_ok(!!(cond), __FILE__, __LINE__, __VA_ARGS__)

/* The call must return -1 with errno @want. */
#define fails(call, want, ...)                                               \
	({                                                                   \
		long _r;                                                     \
									     \
		errno = 0;                                                   \
		_r = (long)(call);                                           \
		if (_r != -1 || errno != (want))                             \
			printf("# returned %ld, errno %d (%s), wanted %s\n", \
			       _r, errno, strerror(errno), #want);           \
		ok(_r == -1 && errno == (want), __VA_ARGS__);                \
	})

static inline void __attribute__((format(printf, 1, 2)))
note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static inline void __attribute__((format(printf, 1, 2)))
skip(const char *fmt, ...)
{
	va_list ap;

	printf("ok %u # SKIP ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

/* What the rest needs cannot be had: a failure, and the end. */
static inline void __attribute__((noreturn, format(printf, 1, 2)))
bail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(": %s\n", strerror(err));
	exit(1);
}

static inline int tap_done(void)
{
	printf("1..%u\n", tap_count);
	return tap_failed || !tap_count;
}

#endif
