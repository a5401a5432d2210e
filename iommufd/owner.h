/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose memory is it, and who pays for pinning it.
 */
#ifndef IOMMUFD_OWNER_H
#define IOMMUFD_OWNER_H

#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct mm_struct;
struct task_struct;
struct user_struct;

/**
 * enum iommufd_account - what RLIMIT_MEMLOCK is checked against
 * @IOMMUFD_ACCOUNT_USER: all that the user has pinned
 * @IOMMUFD_ACCOUNT_MM: the process's locked_vm, as VFIO type1 does
 * @IOMMUFD_ACCOUNT_NONE: nothing
 *
 * In each mode the process's pinned_vm (VmPin) counts along.
 */
enum iommufd_account {
	IOMMUFD_ACCOUNT_USER,
	IOMMUFD_ACCOUNT_MM,
	IOMMUFD_ACCOUNT_NONE,
};

/**
 * struct iommufd_owner - the process that mapped memory
 * @refs: one per set of pages, one of the cache
 * @mm: address space; kept from being freed, not from exiting
 * @task: thread group leader, for its rlimits
 * @user: user, for IOMMUFD_ACCOUNT_USER
 *
 * Taken when memory is mapped and never changed after that, so that fork, exec
 * and exit of the process cannot move a charge to somebody else: what was
 * charged to an mm is given back to that mm, or to nobody when it is gone.
 */
struct iommufd_owner {
	struct kref refs;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
};

/**
 * struct iommufd_owner_cache - the owner that was asked for last
 * @lock: protects @owner
 * @owner: may be NULL
 *
 * Mapping a page is often all that a process does through a context, again and
 * again: one owner object serves all these calls.
 */
struct iommufd_owner_cache {
	spinlock_t lock;
	struct iommufd_owner *owner;
};

void iommufd_owner_cache_init(struct iommufd_owner_cache *cache);
void iommufd_owner_cache_destroy(struct iommufd_owner_cache *cache);

struct iommufd_owner *iommufd_owner_get(struct iommufd_owner_cache *cache);
void iommufd_owner_put(struct iommufd_owner *owner);

bool iommufd_owner_mmget(struct iommufd_owner *owner);
void iommufd_owner_mmput(struct iommufd_owner *owner);

bool iommufd_owner_same(const struct iommufd_owner *a,
			const struct iommufd_owner *b);
int iommufd_owner_charge(struct iommufd_owner *owner,
			 enum iommufd_account mode, unsigned long npages,
			 bool unlimited);
void iommufd_owner_uncharge(struct iommufd_owner *owner,
			    enum iommufd_account mode, unsigned long npages);
void iommufd_owner_correct(struct iommufd_owner *owner,
			   enum iommufd_account mode, unsigned long charged,
			   unsigned long npages);

#endif
