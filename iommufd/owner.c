// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "owner.h"

struct kmem_cache *iommufd_spare_cache;

void iommufd_owner_cache_init(struct iommufd_owner_cache *cache)
{
	spin_lock_init(&cache->lock);
	cache->owner = NULL;
}

void iommufd_owner_cache_destroy(struct iommufd_owner_cache *cache)
{
	if (cache->owner)
		iommufd_owner_put(cache->owner);
	cache->owner = NULL;
}

static bool owner_is_current(const struct iommufd_owner *owner)
{
	return owner->mm == current->mm &&
	       owner->task == current->group_leader &&
	       owner->user == current_user();
}

static struct iommufd_owner *owner_alloc(void)
{
	struct iommufd_owner *owner;

	owner = kzalloc(sizeof(*owner), GFP_KERNEL_ACCOUNT);
	if (!owner)
		return NULL;
	kref_init(&owner->refs);
	owner->mm = current->mm;
	mmgrab(owner->mm);
	owner->task = get_task_struct(current->group_leader);
	owner->user = get_uid(current_user());
	return owner;
}

/**
 * iommufd_owner_get() - Owner object of the current process
 * @cache: cache of the context
 *
 * Return: the owner with a reference, ERR_PTR(-ENOMEM), or ERR_PTR(-EFAULT) in
 * a kernel thread, which has no user memory.
 */
struct iommufd_owner *iommufd_owner_get(struct iommufd_owner_cache *cache)
{
	struct iommufd_owner *owner = NULL, *old;

	if (!current->mm)
		return ERR_PTR(-EFAULT);

	spin_lock(&cache->lock);
	if (cache->owner && owner_is_current(cache->owner)) {
		owner = cache->owner;
		kref_get(&owner->refs);
	}
	spin_unlock(&cache->lock);
	if (owner)
		return owner;

	owner = owner_alloc();
	if (!owner)
		return ERR_PTR(-ENOMEM);

	kref_get(&owner->refs);
	spin_lock(&cache->lock);
	old = cache->owner;
	cache->owner = owner;
	spin_unlock(&cache->lock);
	if (old)
		iommufd_owner_put(old);
	return owner;
}

/* The last reference is gone. */
void iommufd_owner_release(struct iommufd_owner *owner)
{
	if (owner->spare)
		kmem_cache_free(iommufd_spare_cache, owner->spare);
	free_uid(owner->user);
	put_task_struct(owner->task);
	mmdrop(owner->mm);
	kfree(owner);
}

/** iommufd_owner_same() - Does the same process pay, with the same user's limit? */
bool iommufd_owner_same(const struct iommufd_owner *a,
			const struct iommufd_owner *b)
{
	return a->mm == b->mm && a->user == b->user;
}

static int charge_user(struct iommufd_owner *owner, unsigned long npages)
{
	unsigned long limit =
		task_rlimit(owner->task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long old = atomic_long_read(&owner->user->locked_vm);

	do {
		if (old + npages > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&owner->user->locked_vm, &old,
					  old + npages));
	return 0;
}

static int charge_mm(struct iommufd_owner *owner, unsigned long npages,
		     bool unlimited)
{
	int rc;

	if (!iommufd_owner_mmget(owner))
		return -EFAULT;
	rc = mmap_write_lock_killable(owner->mm);
	if (!rc) {
		rc = __account_locked_vm(owner->mm, npages, true, owner->task,
					 unlimited);
		mmap_write_unlock(owner->mm);
	}
	iommufd_owner_mmput(owner);
	return rc;
}

/**
 * iommufd_owner_charge() - Charge pinned pages
 * @owner: owner
 * @mode: whom to charge
 * @npages: CPU pages
 * @unlimited: with IOMMUFD_ACCOUNT_MM: do not check the limit (CAP_IPC_LOCK)
 *
 * Return: 0; -ENOMEM over the limit; -EFAULT the process is gone; -EINTR
 * current is being killed.  Context: may sleep; takes mmap_lock of the owner.
 */
int iommufd_owner_charge(struct iommufd_owner *owner,
			 enum iommufd_account mode, unsigned long npages,
			 bool unlimited)
{
	int rc = 0;

	if (!npages)
		return 0;
	if (mode == IOMMUFD_ACCOUNT_MM)
		rc = charge_mm(owner, npages, unlimited);
	else if (mode == IOMMUFD_ACCOUNT_USER)
		rc = charge_user(owner, npages);
	if (!rc)
		atomic64_add(npages, &owner->mm->pinned_vm);
	return rc;
}

/* Whatever the limit.  An address space that has exited has none to go over. */
static void account(struct iommufd_owner *owner, enum iommufd_account mode,
		    long diff)
{
	struct mm_struct *mm = owner->mm;

	if (!diff)
		return;
	atomic64_add(diff, &mm->pinned_vm);
	if (mode == IOMMUFD_ACCOUNT_USER)
		atomic_long_add(diff, &owner->user->locked_vm);
	if (mode != IOMMUFD_ACCOUNT_MM || !iommufd_owner_mmget(owner))
		return;
	mmap_write_lock(mm);
	__account_locked_vm(mm, abs(diff), diff > 0, owner->task, true);
	mmap_write_unlock(mm);
	iommufd_owner_mmput(owner);
}

/**
 * iommufd_owner_uncharge() - Undo iommufd_owner_charge(), whole or in part
 * @owner: owner
 * @mode: as charged
 * @npages: CPU pages
 *
 * Context: may sleep; takes mmap_lock of the owner.
 */
void iommufd_owner_uncharge(struct iommufd_owner *owner,
			    enum iommufd_account mode, unsigned long npages)
{
	account(owner, mode, -npages);
}

/**
 * iommufd_owner_correct() - Charge what there is instead of what was charged
 * @owner: owner
 * @mode: as charged
 * @charged: CPU pages that were charged
 * @npages: CPU pages that are to be, whatever the limit
 *
 * Context: may sleep; takes mmap_lock of the owner.
 */
void iommufd_owner_correct(struct iommufd_owner *owner,
			   enum iommufd_account mode, unsigned long charged,
			   unsigned long npages)
{
	account(owner, mode, npages - charged);
}
