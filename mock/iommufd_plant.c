// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on purpose, one for each thing that a debug kernel looks for.  The tests
 * of the test runner load this to see that each of them turns a run red.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

static char *bug = "";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "warn, ubsan, lockdep, atomic, kasan, leak or race");

static DEFINE_MUTEX(lock_a);
static DEFINE_MUTEX(lock_b);
static DEFINE_SPINLOCK(spin);

/* The compiler must not see what these hold. */
static volatile unsigned int shift = 40;
static char *volatile object;

static void plant_ubsan(void)
{
	pr_info("1 << 40 is %u\n", 1U << shift);
}

static void plant_lockdep(void)
{
	mutex_lock(&lock_a);
	mutex_lock(&lock_b);
	mutex_unlock(&lock_b);
	mutex_unlock(&lock_a);

	mutex_lock(&lock_b);
	mutex_lock(&lock_a);
	mutex_unlock(&lock_a);
	mutex_unlock(&lock_b);
}

static void plant_atomic(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
}

static int plant_kasan(void)
{
	object = kmalloc(100, GFP_KERNEL);
	if (!object)
		return -ENOMEM;
	kfree(object);
	pr_info("a byte of what was freed: %d\n", object[50]);
	return 0;
}

static int plant_leak(void)
{
	object = kmalloc(100, GFP_KERNEL);
	if (!object)
		return -ENOMEM;
	object = NULL;
	return 0;
}

static unsigned int racy;

static int count(void *unused)
{
	while (!kthread_should_stop()) {
		racy++;
		cond_resched();
	}
	return 0;
}

/* For ten seconds: KCSAN looks at one access in some hundreds only. */
static int plant_race(void)
{
	struct task_struct *threads[2];
	int i;

	for (i = 0; i < 2; i++) {
		threads[i] = kthread_run(count, NULL, "plant/%d", i);
		if (IS_ERR(threads[i])) {
			while (i--)
				kthread_stop(threads[i]);
			return -ENOMEM;
		}
	}
	ssleep(10);
	for (i = 0; i < 2; i++)
		kthread_stop(threads[i]);
	pr_info("counted to %u\n", racy);
	return 0;
}

static int __init plant_init(void)
{
	if (!strcmp(bug, "warn"))
		WARN(1, "planted\n");
	else if (!strcmp(bug, "ubsan"))
		plant_ubsan();
	else if (!strcmp(bug, "lockdep"))
		plant_lockdep();
	else if (!strcmp(bug, "atomic"))
		plant_atomic();
	else if (!strcmp(bug, "kasan"))
		return plant_kasan();
	else if (!strcmp(bug, "leak"))
		return plant_leak();
	else if (!strcmp(bug, "race"))
		return plant_race();
	else
		return -EINVAL;
	return 0;
}

static void __exit plant_exit(void)
{
}

module_init(plant_init);
module_exit(plant_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Bugs on purpose, to test the test runner");
