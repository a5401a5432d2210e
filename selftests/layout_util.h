/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of an ABI, number by number: what is compared with literal values.
 */
#ifndef SELFTESTS_LAYOUT_UTIL_H
#define SELFTESTS_LAYOUT_UTIL_H

#include <stddef.h>

#include "tap.h"

static void same(const char *what, unsigned long long is,
		 unsigned long long want)
{
	ok(is == want, "%s is %#llx (%#llx)", what, want, is);
}

#define value(expr, want) same(#expr, (unsigned long long)(expr), want)
#define size(type, want) value(sizeof(struct type), want)
#define field(type, member, offset, width)                                   \
	do {                                                                 \
		same("offset of " #type "." #member,                         \
		     offsetof(struct type, member), offset);                 \
		same("size of " #type "." #member,                           \
		     sizeof(((struct type *)0)->member), width);             \
	} while (0)

#endif
