/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites share: random numbers from a seed that is printed, and
 * allocations that fail when told to.
 */
#ifndef IOMMUFD_KUNIT_UTIL_H
#define IOMMUFD_KUNIT_UTIL_H

#include <kunit/test.h>
#include <linux/types.h>

extern struct kunit_suite kt_span_suite;
extern struct kunit_suite kt_map_nosync_suite;
extern struct kunit_suite kt_pfn_runs_suite;
extern struct kunit_suite kt_owner_suite;
extern struct kunit_suite kt_pages_suite;
extern struct kunit_suite kt_pfnmap_suite;
extern struct kunit_suite kt_iova_suite;
extern struct kunit_suite kt_io_pagetable_suite;
extern struct kunit_suite kt_access_suite;
extern struct kunit_suite kt_page_pins_suite;
extern struct kunit_suite kt_unmap_suite;
extern struct kunit_suite kt_shadow_suite;
extern struct kunit_suite kt_bar_suite;
extern struct kunit_suite kt_pasid_set_suite;
extern struct kunit_suite kt_nesting_suite;
extern struct kunit_suite kt_object_suite;
extern struct kunit_suite kt_ioctl_suite;

extern unsigned long long kt_seed_param;
extern unsigned int kt_rounds;

int kt_case_init(struct kunit *test);
void kt_case_exit(struct kunit *test);
void kt_fail_case(const char *fmt, ...) __printf(1, 2);

/* Random numbers */
void kt_seed(struct kunit *test);
u64 kt_random64(void);
u32 kt_random(u32 below);

static inline bool kt_chance(u32 one_in)
{
	return !kt_random(one_in);
}

/* Fault injection: the n-th allocation from now on fails; 0 ends it. */
void kt_fail_alloc(unsigned int nth);
bool kt_alloc_failed(void);
bool kt_should_fail(void);

/* The n-th look for a fatal signal finds one, and so do all after it. */
void kt_kill(unsigned int nth);
bool kt_is_killed(void);
bool kt_was_killed(void);

/* Warnings of the units under test fail the case unless they are expected. */
bool kt_warned(const char *file, int line, const char *what);
void kt_expect_warnings(bool expect);
unsigned int kt_warnings(void);

int kt_core_init(void);
void kt_core_exit(void);

#endif
