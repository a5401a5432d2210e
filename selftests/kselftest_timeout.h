/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read by the compiler before the kernel's selftests, see scripts/kselftest: their
 * harness kills each test after 30 s.  On the debug kernel, and with other guests
 * beside it, some take minutes, and a row of the test table has its own limit.
 */
#include <kselftest_harness.h>

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1800
