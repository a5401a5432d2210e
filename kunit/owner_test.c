// SPDX-License-Identifier: GPL-2.0-only
/* Who is charged, on a process that does not exist. */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>

#include "fake_mem.h"
#include "unit.h"

/* Tests run in a kernel thread; the unit thinks that it is this one. */
static struct task_struct *fake_current;
#undef current
#define current fake_current

#include "../iommufd/owner.c"

#undef current
#define current get_current()

static struct kt_mem *create_mem(struct kunit *test)
{
	struct cred *cred = kunit_kzalloc(test, sizeof(*cred), GFP_KERNEL);
	struct kt_mem *mem = kt_mem_create(test, 1, KT_SCATTERED);

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->user = mem->user;
	rcu_assign_pointer(mem->task->cred, cred);
	fake_current = mem->task;
	return mem;
}

static void owner_cached(struct kunit *test)
{
	struct kt_mem *mem = create_mem(test);
	struct user_struct *other_user;
	struct iommufd_owner_cache cache;
	struct iommufd_owner *a, *b;
	struct task_struct *other;

	other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	other_user = kunit_kzalloc(test, sizeof(*other_user), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, other_user);
	refcount_set(&other->usage, 1);
	refcount_set(&other_user->__count, 1);

	iommufd_owner_cache_init(&cache);
	a = iommufd_owner_get(&cache);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	KUNIT_EXPECT_PTR_EQ(test, a->mm, mem->mm);
	KUNIT_EXPECT_PTR_EQ(test, a->task, mem->task);
	KUNIT_EXPECT_PTR_EQ(test, a->user, mem->user);
	b = iommufd_owner_get(&cache);
	KUNIT_EXPECT_PTR_EQ(test, a, b);
	iommufd_owner_put(b);

	/* Another thread group, another user: another owner each. */
	mem->task->group_leader = other;
	b = iommufd_owner_get(&cache);
	KUNIT_ASSERT_FALSE(test, IS_ERR(b));
	KUNIT_EXPECT_PTR_NE(test, a, b);
	KUNIT_EXPECT_PTR_EQ(test, b->task, other);
	iommufd_owner_put(b);
	mem->task->group_leader = mem->task;

	((struct cred *)rcu_dereference_raw(mem->task->cred))->user = other_user;
	b = iommufd_owner_get(&cache);
	KUNIT_ASSERT_FALSE(test, IS_ERR(b));
	KUNIT_EXPECT_PTR_EQ(test, b->user, other_user);
	iommufd_owner_put(b);

	iommufd_owner_put(a);
	iommufd_owner_cache_destroy(&cache);
	KUNIT_EXPECT_EQ(test, refcount_read(&other->usage), 1U);
	KUNIT_EXPECT_EQ(test, refcount_read(&other_user->__count), 1U);
	kt_mem_destroy(mem);
}

static void owner_none(struct kunit *test)
{
	struct kt_mem *mem = create_mem(test);
	struct iommufd_owner_cache cache;

	iommufd_owner_cache_init(&cache);
	kt_fail_alloc(1);
	KUNIT_EXPECT_PTR_EQ(test, iommufd_owner_get(&cache), ERR_PTR(-ENOMEM));
	kt_fail_alloc(0);
	mem->task->mm = NULL;
	KUNIT_EXPECT_PTR_EQ(test, iommufd_owner_get(&cache), ERR_PTR(-EFAULT));
	iommufd_owner_cache_destroy(&cache);
	kt_mem_destroy(mem);
}

static void check_counts(struct kunit *test, struct kt_mem *mem,
			 long pinned, long locked, long user)
{
	KUNIT_EXPECT_EQ(test, (long)atomic64_read(&mem->mm->pinned_vm), pinned);
	KUNIT_EXPECT_EQ(test, (long)mem->mm->locked_vm, locked);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mem->user->locked_vm), user);
}

static void charge_user_mode(struct kunit *test)
{
	enum iommufd_account mode = IOMMUFD_ACCOUNT_USER;
	struct kt_mem *mem = create_mem(test);
	struct iommufd_owner *owner = kt_mem_owner(mem);

	KUNIT_ASSERT_NOT_NULL(test, owner);
	kt_mem_set_limit(mem, 10);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 0, false), 0);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 11, false), -ENOMEM);
	check_counts(test, mem, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 6, false), 0);
	check_counts(test, mem, 6, 0, 6);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 5, false), -ENOMEM);
	check_counts(test, mem, 6, 0, 6);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 4, false), 0);
	check_counts(test, mem, 10, 0, 10);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 1, false), -ENOMEM);
	iommufd_owner_uncharge(owner, mode, 0);
	iommufd_owner_uncharge(owner, mode, 3);
	check_counts(test, mem, 7, 0, 7);
	iommufd_owner_uncharge(owner, mode, 7);
	check_counts(test, mem, 0, 0, 0);
	iommufd_owner_put(owner);
	kt_mem_destroy(mem);
}

static void charge_mm_mode(struct kunit *test)
{
	enum iommufd_account mode = IOMMUFD_ACCOUNT_MM;
	struct kt_mem *mem = create_mem(test);
	struct iommufd_owner *owner = kt_mem_owner(mem);

	KUNIT_ASSERT_NOT_NULL(test, owner);
	kt_mem_set_limit(mem, 10);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 11, false), -ENOMEM);
	check_counts(test, mem, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 10, false), 0);
	check_counts(test, mem, 10, 10, 0);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 1, false), -ENOMEM);
	/* CAP_IPC_LOCK: charged all the same, but not refused. */
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 5, true), 0);
	check_counts(test, mem, 15, 15, 0);
	iommufd_owner_uncharge(owner, mode, 15);
	check_counts(test, mem, 0, 0, 0);
	iommufd_owner_put(owner);
	kt_mem_destroy(mem);
}

static void charge_none_mode(struct kunit *test)
{
	enum iommufd_account mode = IOMMUFD_ACCOUNT_NONE;
	struct kt_mem *mem = create_mem(test);
	struct iommufd_owner *owner = kt_mem_owner(mem);

	KUNIT_ASSERT_NOT_NULL(test, owner);
	kt_mem_set_limit(mem, 0);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, mode, 1000, false), 0);
	check_counts(test, mem, 1000, 0, 0);
	iommufd_owner_uncharge(owner, mode, 1000);
	check_counts(test, mem, 0, 0, 0);
	iommufd_owner_put(owner);
	kt_mem_destroy(mem);
}

/* The process has exited: nobody to charge, and nobody to give back to. */
static void charge_after_exit(struct kunit *test)
{
	struct kt_mem *mem = create_mem(test);
	struct iommufd_owner *owner = kt_mem_owner(mem);

	KUNIT_ASSERT_NOT_NULL(test, owner);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, IOMMUFD_ACCOUNT_MM, 4, false), 0);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, IOMMUFD_ACCOUNT_USER, 3, false), 0);
	atomic_set(&mem->mm->mm_users, 0);
	KUNIT_EXPECT_EQ(test, iommufd_owner_charge(owner, IOMMUFD_ACCOUNT_MM, 1, false), -EFAULT);
	check_counts(test, mem, 7, 4, 3);
	iommufd_owner_uncharge(owner, IOMMUFD_ACCOUNT_MM, 4);
	iommufd_owner_uncharge(owner, IOMMUFD_ACCOUNT_USER, 3);
	check_counts(test, mem, 0, 4, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mem->mm->mm_users), 0);
	mem->mm->locked_vm = 0;
	iommufd_owner_put(owner);
	kt_mem_destroy(mem);
}

static struct kunit_case owner_cases[] = {
	KUNIT_CASE(owner_cached),
	KUNIT_CASE(owner_none),
	KUNIT_CASE(charge_user_mode),
	KUNIT_CASE(charge_mm_mode),
	KUNIT_CASE(charge_none_mode),
	KUNIT_CASE(charge_after_exit),
	{}
};

struct kunit_suite kt_owner_suite = {
	.name = "iommufd_owner",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = owner_cases,
};
