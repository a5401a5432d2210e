// SPDX-License-Identifier: GPL-2.0-only
/* PASIDs, of processes that do not exist, beside those that the kernel has. */
#include <linux/capability.h>
#include <linux/ioasid.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "unit.h"

static bool may_raise;
/* The kernel takes this one between the look and the attempt. */
static u32 to_steal;
static DECLARE_IOASID_SET(kernel_set);

static ioasid_t alloc_or_fail(struct ioasid_set *set, ioasid_t min, ioasid_t max,
			      void *private)
{
	if (kt_should_fail())
		return INVALID_IOASID;
	if (to_steal && min == to_steal) {
		to_steal = 0;
		/* As the second of the two is told, but without a line in the log */
		ioasid_alloc(&kernel_set, min, max, &kernel_set);
		return INVALID_IOASID;
	}
	return ioasid_alloc(set, min, max, private);
}

/* Called while userspace is told a number */
static void (*while_telling)(u32 pasid);

static int tell(u32 pasid, u32 __user *upasid)
{
	if (kt_should_fail())
		return -EFAULT;
	if (while_telling)
		while_telling(pasid);
	*(u32 __force *)upasid = pasid;
	return 0;
}

#define capable(cap) ((void)(cap), may_raise)
#undef put_user
#define put_user(value, ptr) tell(value, ptr)
#define ioasid_alloc(set, min, max, private) \
	alloc_or_fail(set, min, max, private)

#include "../iommufd/pasid_set.c"

#undef ioasid_alloc

static int pasids_init(struct kunit *test)
{
	may_raise = false;
	to_steal = 0;
	while_telling = NULL;
	iommufd_pasid_quota = 1000;
	return kt_case_init(test);
}

/* An address space: all that the unit does with it is to hold it. */
static struct mm_struct *create_mm(struct kunit *test)
{
	struct mm_struct *mm = kunit_kzalloc(test, sizeof(*mm), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mm);
	atomic_set(&mm->mm_count, 1);
	return mm;
}

static struct iommufd_pasid_set *get_set(struct kunit *test, struct mm_struct *mm)
{
	struct iommufd_pasid_set *set = pasid_set_get(mm);

	KUNIT_ASSERT_FALSE(test, IS_ERR(set));
	return set;
}

static struct iommufd_pasid_set *create_set(struct kunit *test)
{
	return get_set(test, create_mm(test));
}

/* As for userspace, but to the memory of the test */
static int alloc(struct iommufd_pasid_set *set, u32 min, u32 max, u32 *pasid)
{
	return pasid_set_alloc(set, min, max, (u32 __force __user *)pasid);
}

/* One that the kernel has, as SVA does */
static void take_for_kernel(struct kunit *test, u32 pasid)
{
	KUNIT_ASSERT_EQ(test, ioasid_alloc(&kernel_set, pasid, pasid, &kernel_set),
			pasid);
}

static bool kernel_has(u32 pasid)
{
	return !IS_ERR(ioasid_find(NULL, pasid, NULL));
}

/* Nobody holds anything, and nothing is noted. */
static void expect_nothing(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pasid_set_count(), 0UL);
	KUNIT_EXPECT_TRUE(test, xa_empty(&held));
	KUNIT_EXPECT_TRUE(test, list_empty(&sets));
}

/* ------------------------------------------------------------------ */

static void set_shared(struct kunit *test)
{
	struct mm_struct *mm = create_mm(test), *other_mm = create_mm(test);
	struct iommufd_pasid_set *set = get_set(test, mm), *other;
	u32 pasid;

	KUNIT_EXPECT_PTR_EQ(test, get_set(test, mm), set);
	other = get_set(test, other_mm);
	KUNIT_EXPECT_PTR_NE(test, other, set);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 2);

	KUNIT_EXPECT_EQ(test, alloc(set, 1, 5, &pasid), 0);
	pasid_set_put(set);
	KUNIT_EXPECT_EQ(test, pasid_set_check(set, pasid), 0);
	pasid_set_put(set);
	KUNIT_EXPECT_EQ(test, pasid_set_count(), 0UL);
	KUNIT_EXPECT_FALSE(test, kernel_has(pasid));
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 1);

	/* The process comes again. */
	set = get_set(test, mm);
	KUNIT_EXPECT_EQ(test, pasid_set_check(set, pasid), -ENOENT);
	pasid_set_put(set);
	pasid_set_put(other);
	KUNIT_EXPECT_EQ(test, atomic_read(&other_mm->mm_count), 1);
	expect_nothing(test);
}

/* The last user leaves, and only its own go. */
static void set_frees(struct kunit *test)
{
	struct iommufd_pasid_set *set = create_set(test), *other = create_set(test);
	u32 pasid, i;

	for (i = 0; i != 20; i++)
		KUNIT_ASSERT_EQ(test, alloc(i & 1 ? set : other, 10, 40, &pasid),
				0);
	KUNIT_EXPECT_EQ(test, pasid_set_count(), 20UL);
	pasid_set_put(set);
	KUNIT_EXPECT_EQ(test, pasid_set_count(), 10UL);
	for (i = 0; i != 20; i++) {
		KUNIT_EXPECT_EQ(test, kernel_has(10 + i), !(i & 1));
		KUNIT_EXPECT_EQ(test, pasid_set_check(other, 10 + i),
				i & 1 ? -ENOENT : 0);
	}
	pasid_set_put(other);
	expect_nothing(test);
}

/* ------------------------------------------------------------------ */

static void alloc_windows(struct kunit *test)
{
	static const struct {
		u32 min, max;
		int rc;
		u32 first;
	} windows[] = {
		{ 1, 1, 0, 1 },
		{ 0, 5, 0, 1 },
		{ 7, 7, 0, 7 },
		{ 0, 0, -ENOSPC },
		{ 1, 0, -EINVAL },
		{ 8, 7, -EINVAL },
		{ U32_MAX, 0, -EINVAL },
		{ U32_MAX, U32_MAX, -ENOSPC },
		{ PASID_SET_MAX, PASID_SET_MAX, 0, PASID_SET_MAX },
		{ PASID_SET_MAX, U32_MAX, 0, PASID_SET_MAX },
		{ PASID_SET_MAX + 1, PASID_SET_MAX + 1, -ENOSPC },
		{ PASID_SET_MAX + 1, U32_MAX, -ENOSPC },
		{ PASID_SET_MAX + 1, PASID_SET_MAX, -EINVAL },
		{ 0, U32_MAX, 0, 1 },
	};
	struct iommufd_pasid_set *set = create_set(test);
	unsigned int i;
	u32 pasid;

	for (i = 0; i != ARRAY_SIZE(windows); i++) {
		KUNIT_EXPECT_EQ_MSG(test, alloc(set, windows[i].min, windows[i].max,
						&pasid),
				    windows[i].rc, "window %u", i);
		KUNIT_EXPECT_EQ(test, pasid_set_count(), (unsigned long)!windows[i].rc);
		if (windows[i].rc)
			continue;
		KUNIT_EXPECT_EQ(test, pasid, windows[i].first);
		KUNIT_EXPECT_TRUE(test, kernel_has(pasid));
		/* It is full, for others too. */
		if (windows[i].min == windows[i].max)
			KUNIT_EXPECT_EQ(test, alloc(set, windows[i].min, windows[i].max,
						    &pasid),
					-ENOSPC);
		KUNIT_EXPECT_EQ(test, pasid_set_free(set, windows[i].first), 0);
		KUNIT_EXPECT_FALSE(test, kernel_has(windows[i].first));
	}
	pasid_set_put(set);
	expect_nothing(test);
}

/* PASIDs of the kernel's own are passed over, and belong to somebody else. */
static void alloc_among_kernels(struct kunit *test)
{
	struct iommufd_pasid_set *set = create_set(test);
	u32 pasid, i;

	for (i = 100; i != 103; i++)
		take_for_kernel(test, i);
	take_for_kernel(test, 105);
	KUNIT_EXPECT_EQ(test, alloc(set, 100, 102, &pasid), -ENOSPC);
	KUNIT_EXPECT_EQ(test, alloc(set, 101, 101, &pasid), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, xa_empty(&held));
	KUNIT_EXPECT_EQ(test, alloc(set, 100, 106, &pasid), 0);
	KUNIT_EXPECT_EQ(test, pasid, 103U);
	KUNIT_EXPECT_EQ(test, alloc(set, 100, 106, &pasid), 0);
	KUNIT_EXPECT_EQ(test, pasid, 104U);
	KUNIT_EXPECT_EQ(test, alloc(set, 100, 106, &pasid), 0);
	KUNIT_EXPECT_EQ(test, pasid, 106U);
	KUNIT_EXPECT_EQ(test, alloc(set, 100, 106, &pasid), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pasid_set_count(), 3UL);

	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 100), -EACCES);
	KUNIT_EXPECT_EQ(test, pasid_set_check(set, 105), -EACCES);
	KUNIT_EXPECT_EQ(test, pasid_set_bind(set, 105), -EACCES);
	KUNIT_EXPECT_TRUE(test, kernel_has(105));

	/* One becomes free. */
	ioasid_free(101);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 101), -ENOENT);
	KUNIT_EXPECT_EQ(test, alloc(set, 100, 106, &pasid), 0);
	KUNIT_EXPECT_EQ(test, pasid, 101U);
	pasid_set_put(set);
	expect_nothing(test);
	for (i = 100; i != 107; i++)
		KUNIT_EXPECT_EQ(test, kernel_has(i), i == 100 || i == 102 || i == 105);
	ioasid_free(100);
	ioasid_free(102);
	ioasid_free(105);
}

/* A PASID of the kernel's that says nothing of whose it is. */
static void alloc_without_data(struct kunit *test)
{
	struct iommufd_pasid_set *set = create_set(test);
	u32 pasid;

	KUNIT_ASSERT_EQ(test, ioasid_alloc(&kernel_set, 50, 50, NULL), 50U);
	KUNIT_EXPECT_EQ(test, alloc(set, 50, 50, &pasid), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 50), -EACCES);
	ioasid_free(50);
	pasid_set_put(set);
	expect_nothing(test);
}

/* The kernel is quicker. */
static void alloc_too_late(struct kunit *test)
{
	struct iommufd_pasid_set *set = create_set(test);
	u32 pasid;

	to_steal = 60;
	KUNIT_EXPECT_EQ(test, alloc(set, 60, 61, &pasid), 0);
	KUNIT_EXPECT_EQ(test, pasid, 61U);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 60), -EACCES);
	ioasid_free(60);

	to_steal = 60;
	KUNIT_EXPECT_EQ(test, alloc(set, 60, 60, &pasid), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pasid_set_count(), 1UL);
	ioasid_free(60);
	pasid_set_put(set);
	expect_nothing(test);
}

static void alloc_without_memory(struct kunit *test)
{
	struct mm_struct *mm = create_mm(test);
	struct iommufd_pasid_set *set;
	unsigned int nth, failed = 0;
	u32 pasid;
	int rc;

	kt_fail_alloc(1);
	KUNIT_EXPECT_PTR_EQ(test, pasid_set_get(mm), ERR_PTR(-ENOMEM));
	kt_fail_alloc(0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 1);
	expect_nothing(test);

	/* Two of the kernel's are passed over first. */
	take_for_kernel(test, 70);
	take_for_kernel(test, 71);
	set = get_set(test, mm);
	for (nth = 1;; nth++) {
		kt_fail_alloc(nth);
		rc = alloc(set, 70, 80, &pasid);
		if (!kt_alloc_failed())
			break;
		failed++;
		/* The last is the copy to userspace. */
		KUNIT_EXPECT_EQ(test, rc, failed == 8 ? -EFAULT : -ENOMEM);
		KUNIT_EXPECT_EQ(test, pasid_set_count(), 0UL);
		KUNIT_EXPECT_TRUE(test, xa_empty(&held));
		KUNIT_EXPECT_FALSE(test, kernel_has(72));
	}
	kt_fail_alloc(0);
	KUNIT_EXPECT_EQ(test, failed, 8U);
	KUNIT_EXPECT_EQ(test, rc, 0);
	KUNIT_EXPECT_EQ(test, pasid, 72U);
	ioasid_free(70);
	ioasid_free(71);
	pasid_set_put(set);
	expect_nothing(test);
}

/* What nobody was told yet is held, but of no use. */
static struct kunit *telling_test;
static struct iommufd_pasid_set *telling_set, *telling_other;

static void try_early(u32 pasid)
{
	u32 other;

	while_telling = NULL;
	KUNIT_EXPECT_EQ(telling_test, pasid_set_count(), 1UL);
	KUNIT_EXPECT_EQ(telling_test, pasid_set_check(telling_set, pasid), -ENOENT);
	KUNIT_EXPECT_EQ(telling_test, pasid_set_free(telling_set, pasid), -ENOENT);
	KUNIT_EXPECT_EQ(telling_test, pasid_set_bind(telling_set, pasid), -ENOENT);
	KUNIT_EXPECT_EQ(telling_test, pasid_set_free(telling_other, pasid), -EACCES);
	KUNIT_EXPECT_EQ(telling_test, alloc(telling_set, pasid, pasid, &other), -ENOSPC);
	KUNIT_EXPECT_EQ(telling_test, alloc(telling_other, pasid, pasid, &other),
			-ENOSPC);
	KUNIT_EXPECT_EQ(telling_test, pasid_set_quota(telling_set, 0), -EINVAL);
}

static void alloc_not_told(struct kunit *test)
{
	u32 pasid;

	telling_test = test;
	telling_set = create_set(test);
	telling_other = create_set(test);
	while_telling = try_early;
	KUNIT_EXPECT_EQ(test, alloc(telling_set, 33, 33, &pasid), 0);
	KUNIT_EXPECT_TRUE(test, !while_telling);
	KUNIT_EXPECT_EQ(test, pasid, 33U);
	KUNIT_EXPECT_EQ(test, pasid_set_check(telling_set, 33), 0);
	pasid_set_put(telling_set);
	pasid_set_put(telling_other);
	expect_nothing(test);
}

/* ------------------------------------------------------------------ */

static void quota_limits(struct kunit *test)
{
	struct iommufd_pasid_set *set, *other;
	u32 pasid, i;

	iommufd_pasid_quota = 5;
	set = create_set(test);
	other = create_set(test);
	for (i = 0; i != 5; i++)
		KUNIT_EXPECT_EQ(test, alloc(set, 1, 100, &pasid), 0);
	KUNIT_EXPECT_EQ(test, alloc(set, 1, 100, &pasid), -ENOSPC);
	KUNIT_EXPECT_EQ(test, alloc(other, 1, 100, &pasid), 0);

	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 4), -EINVAL);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 5), 5);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 6), -EPERM);
	KUNIT_EXPECT_EQ(test, alloc(set, 1, 100, &pasid), -ENOSPC);
	may_raise = true;
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 1U << 31), -EINVAL);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, U32_MAX), -EINVAL);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, INT_MAX), INT_MAX);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 6), 6);
	KUNIT_EXPECT_EQ(test, alloc(set, 1, 100, &pasid), 0);
	KUNIT_EXPECT_EQ(test, alloc(set, 1, 100, &pasid), -ENOSPC);

	/* More than the default: it may be lowered, not below what is held. */
	may_raise = false;
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 5), -EINVAL);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 6), -EPERM);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 1), 0);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 5), 5);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(other, 1), 1);
	KUNIT_EXPECT_EQ(test, alloc(other, 1, 100, &pasid), -ENOSPC);
	pasid_set_put(set);
	pasid_set_put(other);

	iommufd_pasid_quota = U32_MAX;
	set = create_set(test);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, INT_MAX), INT_MAX);
	KUNIT_EXPECT_EQ(test, pasid_set_quota(set, 0), 0);
	KUNIT_EXPECT_EQ(test, alloc(set, 1, 100, &pasid), -ENOSPC);
	pasid_set_put(set);
	expect_nothing(test);
}

static void free_errors(struct kunit *test)
{
	struct iommufd_pasid_set *set = create_set(test), *other = create_set(test);
	u32 pasid;

	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, PASID_SET_MAX + 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, U32_MAX), -ENOENT);
	KUNIT_EXPECT_EQ(test, pasid_set_check(set, 1ULL << 32), -ENOENT);
	KUNIT_EXPECT_EQ(test, pasid_set_check(set, U64_MAX), -ENOENT);

	KUNIT_ASSERT_EQ(test, alloc(set, 9, 9, &pasid), 0);
	/* Not the same number */
	KUNIT_EXPECT_EQ(test, pasid_set_check(set, 1ULL << 32 | 9), -ENOENT);
	KUNIT_EXPECT_EQ(test, pasid_set_free(other, 9), -EACCES);
	KUNIT_EXPECT_EQ(test, pasid_set_check(other, 9), -EACCES);
	KUNIT_EXPECT_EQ(test, pasid_set_bind(other, 9), -EACCES);
	KUNIT_EXPECT_EQ(test, pasid_set_bind(set, 10), -ENOENT);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 9), 0);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 9), -ENOENT);
	pasid_set_put(set);
	pasid_set_put(other);
	expect_nothing(test);
}

static void binds_counted(struct kunit *test)
{
	struct iommufd_pasid_set *set = create_set(test), *other = create_set(test);
	u32 pasid;

	KUNIT_ASSERT_EQ(test, alloc(set, 9, 9, &pasid), 0);
	KUNIT_EXPECT_EQ(test, pasid_set_bind(set, 9), 0);
	KUNIT_EXPECT_EQ(test, pasid_set_bind(set, 9), 0);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 9), -EBUSY);
	KUNIT_EXPECT_EQ(test, pasid_set_free(other, 9), -EACCES);
	pasid_set_unbind(set, 9);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 9), -EBUSY);
	pasid_set_unbind(set, 9);
	KUNIT_EXPECT_EQ(test, pasid_set_free(set, 9), 0);

	kt_expect_warnings(true);
	pasid_set_unbind(set, 9);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 1U);
	pasid_set_put(set);
	pasid_set_put(other);
	expect_nothing(test);
}

/* ------------------------------------------------------------------ */

#define MODEL_SETS 3
#define MODEL_FIRST 20U
#define MODEL_PASIDS 32U
#define KERNELS (-1)

/**
 * struct model - what should be so
 * @mm: processes
 * @set: of those that have users
 * @users: of each
 * @quota: of each
 * @holder: of each PASID: 0 nobody, KERNELS, or a process, plus 1
 * @binds: of each PASID
 */
struct model {
	struct mm_struct *mm[MODEL_SETS];
	struct iommufd_pasid_set *set[MODEL_SETS];
	unsigned int users[MODEL_SETS];
	unsigned int quota[MODEL_SETS];
	int holder[MODEL_PASIDS];
	unsigned int binds[MODEL_PASIDS];
};

static unsigned int model_count(const struct model *m, int holder)
{
	unsigned int i, n = 0;

	for (i = 0; i != MODEL_PASIDS; i++)
		n += m->holder[i] == holder;
	return n;
}

static void model_get(struct kunit *test, struct model *m, unsigned int who)
{
	m->set[who] = get_set(test, m->mm[who]);
	if (!m->users[who]++)
		m->quota[who] = iommufd_pasid_quota;
}

static void model_put(struct model *m, unsigned int who)
{
	unsigned int i;

	/* Whoever leaves has unbound all. */
	for (i = 0; i != MODEL_PASIDS && m->users[who] == 1; i++) {
		if (m->holder[i] != (int)who + 1)
			continue;
		for (; m->binds[i]; m->binds[i]--)
			pasid_set_unbind(m->set[who], MODEL_FIRST + i);
		m->holder[i] = 0;
	}
	pasid_set_put(m->set[who]);
	m->users[who]--;
}

static void model_alloc(struct kunit *test, struct model *m, unsigned int who)
{
	u32 min = kt_random(MODEL_PASIDS), max = kt_random(MODEL_PASIDS), i, pasid;
	int want, rc;

	for (i = min; i <= max && m->holder[i]; i++)
		;
	if (min > max)
		want = -EINVAL;
	else if (i > max || model_count(m, who + 1) >= m->quota[who])
		want = -ENOSPC;
	else
		want = 0;
	rc = alloc(m->set[who], MODEL_FIRST + min, MODEL_FIRST + max, &pasid);
	KUNIT_ASSERT_EQ(test, rc, want);
	if (rc)
		return;
	KUNIT_ASSERT_EQ(test, pasid, MODEL_FIRST + i);
	m->holder[i] = who + 1;
}

static int model_check(const struct model *m, unsigned int who, u32 i)
{
	if (!m->holder[i])
		return -ENOENT;
	return m->holder[i] == (int)who + 1 ? 0 : -EACCES;
}

static void model_free(struct kunit *test, struct model *m, unsigned int who, u32 i)
{
	int want = model_check(m, who, i);

	if (!want && m->binds[i])
		want = -EBUSY;
	KUNIT_ASSERT_EQ(test, pasid_set_free(m->set[who], MODEL_FIRST + i), want);
	if (!want)
		m->holder[i] = 0;
}

static void model_bind(struct kunit *test, struct model *m, unsigned int who, u32 i)
{
	int want = model_check(m, who, i);

	if (!want && m->binds[i] && kt_chance(2)) {
		pasid_set_unbind(m->set[who], MODEL_FIRST + i);
		m->binds[i]--;
		return;
	}
	KUNIT_ASSERT_EQ(test, pasid_set_bind(m->set[who], MODEL_FIRST + i), want);
	m->binds[i] += !want;
}

static void model_quota(struct kunit *test, struct model *m, unsigned int who)
{
	u32 quota = kt_random(30);
	int want = quota;

	may_raise = kt_chance(2);
	if (quota < model_count(m, who + 1))
		want = -EINVAL;
	else if (quota > iommufd_pasid_quota && !may_raise)
		want = -EPERM;
	KUNIT_ASSERT_EQ(test, pasid_set_quota(m->set[who], quota), want);
	if (want >= 0)
		m->quota[who] = quota;
}

/* The kernel takes one, or gives one back. */
static void model_kernel(struct kunit *test, struct model *m, u32 i)
{
	if (m->holder[i] == KERNELS) {
		ioasid_free(MODEL_FIRST + i);
		m->holder[i] = 0;
	} else if (!m->holder[i]) {
		take_for_kernel(test, MODEL_FIRST + i);
		m->holder[i] = KERNELS;
	}
}

static void model_compare(struct kunit *test, const struct model *m)
{
	unsigned long all = 0;
	unsigned int i;

	for (i = 0; i != MODEL_SETS; i++)
		all += model_count(m, i + 1);
	KUNIT_ASSERT_EQ(test, pasid_set_count(), all);
	for (i = 0; i != MODEL_PASIDS; i++)
		KUNIT_ASSERT_EQ(test, kernel_has(MODEL_FIRST + i), !!m->holder[i]);
	for (i = 0; i != MODEL_SETS; i++)
		KUNIT_ASSERT_EQ(test, atomic_read(&m->mm[i]->mm_count),
				1 + !!m->users[i]);
}

static void model_step(struct kunit *test, struct model *m)
{
	unsigned int who = kt_random(MODEL_SETS);
	u32 i = kt_random(MODEL_PASIDS);

	if (kt_chance(6)) {
		model_kernel(test, m, i);
	} else if (!m->users[who] || kt_chance(20)) {
		model_get(test, m, who);
	} else {
		switch (kt_random(16)) {
		case 0 ... 5:
			model_alloc(test, m, who);
			break;
		case 6 ... 8:
			model_free(test, m, who, i);
			break;
		case 9 ... 12:
			model_bind(test, m, who, i);
			break;
		case 13:
			KUNIT_ASSERT_EQ(test,
					pasid_set_check(m->set[who], MODEL_FIRST + i),
					model_check(m, who, i));
			break;
		case 14:
			model_quota(test, m, who);
			break;
		default:
			model_put(m, who);
		}
	}
}

static void pasids_model(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	kt_seed(test);
	iommufd_pasid_quota = 12;
	for (i = 0; i != MODEL_SETS; i++)
		m->mm[i] = create_mm(test);
	for (i = 0; i != 20000 * kt_rounds; i++) {
		model_step(test, m);
		model_compare(test, m);
	}
	for (i = 0; i != MODEL_SETS; i++)
		while (m->users[i])
			model_put(m, i);
	for (i = 0; i != MODEL_PASIDS; i++)
		if (m->holder[i] == KERNELS)
			model_kernel(test, m, i);
	expect_nothing(test);
}

static struct kunit_case pasid_set_cases[] = {
	KUNIT_CASE(set_shared),
	KUNIT_CASE(set_frees),
	KUNIT_CASE(alloc_windows),
	KUNIT_CASE(alloc_among_kernels),
	KUNIT_CASE(alloc_without_data),
	KUNIT_CASE(alloc_too_late),
	KUNIT_CASE(alloc_without_memory),
	KUNIT_CASE(alloc_not_told),
	KUNIT_CASE(quota_limits),
	KUNIT_CASE(free_errors),
	KUNIT_CASE(binds_counted),
	KUNIT_CASE(pasids_model),
	{}
};

struct kunit_suite kt_pasid_set_suite = {
	.name = "iommufd_pasid_set",
	.init = pasids_init,
	.exit = kt_case_exit,
	.test_cases = pasid_set_cases,
};
