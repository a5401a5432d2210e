// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASIDs that processes hold.
 *
 * They come from the kernel's own allocator, so that none of them is one of SVA's.
 * That allocator complains in the kernel log when it has none, so it is only asked
 * for PASIDs that nobody here holds.
 *
 * A set belongs to a process, that is, to its mm, and goes with its last user.
 */
#include <linux/capability.h>
#include <linux/ioasid.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "pasid_set.h"

/**
 * struct iommufd_pasid_set - the PASIDs of a process
 * @item: in sets
 * @mm: the process; a reference keeps the address, so that no other has it
 * @users: containers
 * @ioasids: the set as the kernel's allocator knows it
 * @count: PASIDs
 * @quota: @count is never more
 *
 * All but @mm: sets_lock.
 */
struct iommufd_pasid_set {
	struct list_head item;
	struct mm_struct *mm;
	unsigned int users;
	struct ioasid_set ioasids;
	unsigned int count;
	unsigned int quota;
};

/**
 * struct held_pasid - a PASID that is held
 * @set: by whom; NULL: the kernel has it, and pasid_set_alloc() is looking on
 * @given: userspace was told
 * @binds: page tables that are bound to it
 */
struct held_pasid {
	struct iommufd_pasid_set *set;
	bool given;
	unsigned int binds;
};

unsigned int iommufd_pasid_quota = 1000;

static DEFINE_MUTEX(sets_lock); /* also of all sets and what they hold */
static LIST_HEAD(sets);
static DEFINE_XARRAY_FLAGS(held, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
static unsigned long nr_held;

static struct iommufd_pasid_set *find_set(struct mm_struct *mm)
{
	struct iommufd_pasid_set *set;

	lockdep_assert_held(&sets_lock);

	list_for_each_entry(set, &sets, item) {
		if (set->mm == mm)
			return set;
	}
	return NULL;
}

static struct iommufd_pasid_set *make_set(struct mm_struct *mm)
{
	struct iommufd_pasid_set *set;

	lockdep_assert_held(&sets_lock);

	set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
	if (!set)
		return ERR_PTR(-ENOMEM);
	mmgrab(mm);
	set->mm = mm;
	set->quota = min_t(unsigned int, READ_ONCE(iommufd_pasid_quota), INT_MAX);
	list_add(&set->item, &sets);
	return set;
}

/**
 * pasid_set_get() - The PASIDs of a process
 * @mm: the process
 *
 * Return: the set, for pasid_set_put(), or ERR_PTR(-ENOMEM).
 * Context: may sleep.
 */
struct iommufd_pasid_set *pasid_set_get(struct mm_struct *mm)
{
	struct iommufd_pasid_set *set;

	mutex_lock(&sets_lock);
	set = find_set(mm);
	if (!set)
		set = make_set(mm);
	if (!IS_ERR(set))
		set->users++;
	mutex_unlock(&sets_lock);
	return set;
}

static void give_back(u32 pasid)
{
	struct held_pasid *h = xa_erase(&held, pasid);

	lockdep_assert_held(&sets_lock);

	WARN_ON(h->binds);
	ioasid_free(pasid);
	h->set->count--;
	nr_held--;
	kfree(h);
}

/** pasid_set_put() - Undo pasid_set_get(); what the last user leaves is freed */
void pasid_set_put(struct iommufd_pasid_set *set)
{
	struct held_pasid *h;
	unsigned long pasid;

	mutex_lock(&sets_lock);
	if (--set->users) {
		mutex_unlock(&sets_lock);
		return;
	}
	xa_for_each(&held, pasid, h) {
		if (!set->count)
			break;
		if (h->set == set)
			give_back(pasid);
	}
	list_del(&set->item);
	mutex_unlock(&sets_lock);
	mmdrop(set->mm);
	kfree(set);
}

/* Does the kernel itself have it? */
static bool is_foreign(u32 pasid)
{
	void *priv = ioasid_find(NULL, pasid, NULL);

	return !IS_ERR(priv);
}

/*
 * Take a PASID that nobody here holds.  -EAGAIN: the kernel has it; it is noted as
 * held, so that it is not found again.
 */
static int take(struct iommufd_pasid_set *set, u32 min, u32 max, u32 *pasid)
{
	struct held_pasid *h;
	ioasid_t got;
	int rc;

	lockdep_assert_held(&sets_lock);

	h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	if (!h)
		return -ENOMEM;
	rc = xa_alloc(&held, pasid, h, XA_LIMIT(min, max), GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(h);
		return rc == -EBUSY ? -ENOSPC : rc;
	}
	if (is_foreign(*pasid))
		return -EAGAIN;
	got = ioasid_alloc(&set->ioasids, *pasid, *pasid, set);
	if (got != *pasid) {
		/* It does not say why: memory, or somebody was quicker. */
		if (got == INVALID_IOASID && is_foreign(*pasid))
			return -EAGAIN;
		xa_erase(&held, *pasid);
		kfree(h);
		if (got == INVALID_IOASID)
			return -ENOMEM;
		/* A host behind a virtual IOMMU gives what it likes. */
		ioasid_free(got);
		return -ENOSPC;
	}
	h->set = set;
	set->count++;
	nr_held++;
	return 0;
}

/* What take() noted as the kernel's from @min up to @max is no longer in the way. */
static void forget_foreign(u32 min, u32 max)
{
	struct held_pasid *h;
	unsigned long pasid;

	lockdep_assert_held(&sets_lock);

	xa_for_each_range(&held, pasid, h, min, max) {
		if (h->set)
			continue;
		xa_erase(&held, pasid);
		kfree(h);
	}
}

static int take_first(struct iommufd_pasid_set *set, u32 min, u32 max,
		      u32 *pasid)
{
	u32 first = 0, last = 0;
	int rc;

	lockdep_assert_held(&sets_lock);

	if (set->count >= set->quota)
		return -ENOSPC;
	for (;;) {
		rc = take(set, min, max, pasid);
		if (rc != -EAGAIN)
			break;
		last = *pasid;
		if (!first)
			first = last;
		if (last == max)
			break;
		min = last + 1;
	}
	if (first)
		forget_foreign(first, last);
	return rc == -EAGAIN ? -ENOSPC : rc;
}

/**
 * pasid_set_alloc() - Get a PASID
 * @set: who wants it
 * @min: the lowest that will do
 * @max: the highest that will do
 * @upasid: gets it; never 0
 *
 * Until userspace has been told nobody can do anything with it.
 *
 * Return: 0; -EINVAL @min is more than @max; -ENOSPC quota, or none is left; -EFAULT;
 * -ENOMEM.
 * Context: may sleep.
 */
int pasid_set_alloc(struct iommufd_pasid_set *set, u32 min, u32 max,
		    u32 __user *upasid)
{
	struct held_pasid *h;
	u32 pasid;
	int rc;

	if (min > max)
		return -EINVAL;
	min = max(min, 1u);
	max = min(max, PASID_SET_MAX);
	if (min > max)
		return -ENOSPC;

	mutex_lock(&sets_lock);
	rc = take_first(set, min, max, &pasid);
	mutex_unlock(&sets_lock);
	if (rc)
		return rc;
	/* User memory may keep us waiting, and others must not wait for that. */
	rc = put_user(pasid, upasid);
	mutex_lock(&sets_lock);
	h = xa_load(&held, pasid);
	h->given = !rc;
	if (rc)
		give_back(pasid);
	mutex_unlock(&sets_lock);
	return rc;
}

/* Does the set hold it?  If not, does anybody? */
static int check(struct iommufd_pasid_set *set, u64 pasid,
		 struct held_pasid **out)
{
	struct held_pasid *h;

	lockdep_assert_held(&sets_lock);

	if (pasid > PASID_SET_MAX)
		return -ENOENT;
	h = xa_load(&held, pasid);
	if (!h)
		return is_foreign(pasid) ? -EACCES : -ENOENT;
	if (h->set != set)
		return -EACCES;
	if (!h->given)
		return -ENOENT;
	*out = h;
	return 0;
}

/**
 * pasid_set_free() - Give a PASID back
 * @set: who
 * @pasid: which
 *
 * Return: 0; -ENOENT nobody holds it; -EACCES somebody else does; -EBUSY it is bound.
 */
int pasid_set_free(struct iommufd_pasid_set *set, u32 pasid)
{
	struct held_pasid *h;
	int rc;

	mutex_lock(&sets_lock);
	rc = check(set, pasid, &h);
	if (!rc && h->binds)
		rc = -EBUSY;
	if (!rc)
		give_back(pasid);
	mutex_unlock(&sets_lock);
	return rc;
}

/**
 * pasid_set_quota() - Change how many PASIDs a process may hold
 * @set: its set
 * @quota: so many
 *
 * Return: the quota; -EINVAL less than it holds, or more than INT_MAX; -EPERM more
 * than the default, and the caller has no CAP_SYS_RESOURCE.
 */
int pasid_set_quota(struct iommufd_pasid_set *set, u32 quota)
{
	int rc = quota;

	if (quota > INT_MAX)
		return -EINVAL;
	mutex_lock(&sets_lock);
	if (quota < set->count)
		rc = -EINVAL;
	else if (quota > READ_ONCE(iommufd_pasid_quota) &&
		 !capable(CAP_SYS_RESOURCE))
		rc = -EPERM;
	else
		set->quota = quota;
	mutex_unlock(&sets_lock);
	return rc;
}

/** pasid_set_check() - Does a process hold it?  0, -ENOENT, -EACCES as freeing */
int pasid_set_check(struct iommufd_pasid_set *set, u64 pasid)
{
	struct held_pasid *h;
	int rc;

	mutex_lock(&sets_lock);
	rc = check(set, pasid, &h);
	mutex_unlock(&sets_lock);
	return rc;
}

/** pasid_set_bind() - Something is bound to it now; as pasid_set_check() */
int pasid_set_bind(struct iommufd_pasid_set *set, u64 pasid)
{
	struct held_pasid *h;
	int rc;

	mutex_lock(&sets_lock);
	rc = check(set, pasid, &h);
	if (!rc)
		h->binds++;
	mutex_unlock(&sets_lock);
	return rc;
}

/** pasid_set_unbind() - Undo pasid_set_bind() */
void pasid_set_unbind(struct iommufd_pasid_set *set, u32 pasid)
{
	struct held_pasid *h;

	mutex_lock(&sets_lock);
	if (!WARN_ON(check(set, pasid, &h)))
		h->binds--;
	mutex_unlock(&sets_lock);
}

/** pasid_set_count() - PASIDs that processes hold */
unsigned long pasid_set_count(void)
{
	return READ_ONCE(nr_held);
}
