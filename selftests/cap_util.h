/* SPDX-License-Identifier: GPL-2.0-only */
/* Users, capabilities and limits for the selftests, without libcap. */
#ifndef SELFTESTS_CAP_UTIL_H
#define SELFTESTS_CAP_UTIL_H

#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "tap.h"

static inline void caps_get(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	if (syscall(SYS_capget, &hdr, data))
		bail("capget");
}

static inline void caps_set(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	if (syscall(SYS_capset, &hdr, data))
		bail("capset");
}

/* Out of the effective and the permitted set, for good */
static inline void cap_drop(unsigned int cap)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	caps_get(data);
	data[cap / 32].effective &= ~(1U << cap % 32);
	data[cap / 32].permitted &= ~(1U << cap % 32);
	caps_set(data);
}

/*
 * Become user @uid with the one capability @keep and no other; -1: with none.
 * Each test uses a uid of its own, so that what is charged to the user starts
 * at 0.
 */
static inline void become_user(uid_t uid, int keep)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (keep >= 0 && prctl(PR_SET_KEEPCAPS, 1))
		bail("PR_SET_KEEPCAPS");
	if (syscall(SYS_setresuid, uid, uid, uid))
		bail("setresuid");
	if (keep >= 0) {
		data[keep / 32].permitted = 1U << keep % 32;
		data[keep / 32].effective = 1U << keep % 32;
	}
	caps_set(data);
}

static inline void memlock_limit(uint64_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		bail("RLIMIT_MEMLOCK");
}

#endif
