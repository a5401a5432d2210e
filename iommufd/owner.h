/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose memory is it, and who pays for pinning it.
 */
#ifndef IOMMUFD_OWNER_H
#define IOMMUFD_OWNER_H

#include <linux/kref.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct kmem_cache;

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
 * @spare: memory of iommufd_spare_cache for the next struct iopt_pages, or NULL;
 *	by xchg() and cmpxchg()
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
	void *spare;
};

/* Of what struct iopt_pages is made of; set before there is an owner. */
extern struct kmem_cache *iommufd_spare_cache;

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
void iommufd_owner_release(struct iommufd_owner *owner);

static inline void iommufd_owner_put_many(struct iommufd_owner *owner,
					  unsigned int n)
{
	if (refcount_sub_and_test(n, &owner->refs.refcount))
		iommufd_owner_release(owner);
}

static inline void iommufd_owner_put(struct iommufd_owner *owner)
{
	iommufd_owner_put_many(owner, 1);
}

/**
 * iommufd_owner_mmget() - Keep the owner's address space from exiting
 * @owner: owner
 *
 * Return: false when it has exited already.
 */
static inline bool iommufd_owner_mmget(struct iommufd_owner *owner)
{
	/* That of the process at work does not exit meanwhile. */
	return owner->mm == current->mm || mmget_not_zero(owner->mm);
}

/**
 * iommufd_owner_mmput() - Undo iommufd_owner_mmget(), in the same task
 * @owner: owner
 */
static inline void iommufd_owner_mmput(struct iommufd_owner *owner)
{
	/* Tearing down an address space under our locks would be no good. */
	if (owner->mm != current->mm)
		mmput_async(owner->mm);
}

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
