/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To be included right before the .c file of a unit, after all of its headers:
 * from here on its allocations fail when told to, and its warnings fail the
 * case instead of only being printed.  A macro's name is not expanded again
 * inside of it, so each of these calls the real function.
 */
#ifndef IOMMUFD_KUNIT_UNIT_H
#define IOMMUFD_KUNIT_UNIT_H

#include <linux/bug.h>
#include <linux/gfp.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "util.h"

/* As the units that have one define it. */
#undef pr_fmt
#define pr_fmt(fmt) "iommufd: " fmt

#define kzalloc(size, gfp) (kt_should_fail() ? NULL : kzalloc(size, gfp))
#define kmemdup(src, size, gfp) \
	(kt_should_fail() ? NULL : kmemdup(src, size, gfp))
#define kmem_cache_zalloc(cache, gfp) \
	(kt_should_fail() ? NULL : kmem_cache_zalloc(cache, gfp))
#define __get_free_pages(gfp, order) \
	(kt_should_fail() ? 0 : __get_free_pages(gfp, order))
#define xa_alloc(xa, id, entry, limit, gfp) \
	(kt_should_fail() ? -ENOMEM : xa_alloc(xa, id, entry, limit, gfp))

#define fatal_signal_pending(task) ((void)(task), kt_is_killed())

#undef WARN_ON
#define WARN_ON(condition)                                        \
	({                                                        \
		bool __warn = !!(condition);                      \
								  \
		if (unlikely(__warn))                             \
			kt_warned(__FILE__, __LINE__, #condition); \
		__warn;                                           \
	})

#endif
