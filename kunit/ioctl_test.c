// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract of native ioctls: sizes, unknown bytes, command words.  The
 * structs lie in the memory of the process that loads this module.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "unit.h"

/* module.c has those of this module, and calls these two. */
#undef module_init
#undef module_exit
#define module_init(fn)
#define module_exit(fn)

/* Counts as an allocation where these are made to fail. */
#define copy_to_user(to, from, n) \
	(kt_should_fail() ? (n) : copy_to_user(to, from, n))

#include "../iommufd/main.c"

#define BUFFER_SIZE (4 * PAGE_SIZE)

int __init kt_core_init(void)
{
	return iommufd_init();
}

void kt_core_exit(void)
{
	iommufd_exit();
}

static struct mm_struct *user_mm;

/* Runs in the process; the cases run in threads of the kernel. */
static int ioctl_suite_init(struct kunit_suite *suite)
{
	user_mm = current->mm;
	if (!user_mm)
		return -EFAULT;
	mmget(user_mm);
	return 0;
}

static void ioctl_suite_exit(struct kunit_suite *suite)
{
	mmput(user_mm);
}

struct ioctl_world {
	struct file file;
	unsigned long addr;
};

/*
 * An open file and some user memory, whose last page cannot be written to and
 * after which nothing is.  No KUNIT_ASSERT until close_world(): a thread that
 * uses a process's memory may not just end.
 */
static struct ioctl_world *open_world(struct kunit *test)
{
	struct ioctl_world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, iommufd_fops_open(NULL, &w->file), 0);
	kthread_use_mm(user_mm);
	w->addr = vm_mmap(NULL, 0, BUFFER_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(w->addr) ||
	    vm_munmap(w->addr + BUFFER_SIZE - PAGE_SIZE, PAGE_SIZE)) {
		kthread_unuse_mm(user_mm);
		KUNIT_ASSERT_TRUE_MSG(test, false, "no user memory");
	}
	return w;
}

static void close_world(struct kunit *test, struct ioctl_world *w)
{
	vm_munmap(w->addr, BUFFER_SIZE);
	kthread_unuse_mm(user_mm);
	iommufd_fops_release(NULL, &w->file);
	KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 0UL);
}

/* One ioctl: @size in front of zeros, but for the byte at @dirty. */
static long call(struct kunit *test, struct ioctl_world *w, unsigned int cmd,
		 unsigned long addr, u32 size, unsigned int room, long dirty)
{
	void __user *user = (void __user *)addr;
	u8 one = 1;

	KUNIT_EXPECT_EQ(test, clear_user(user, room), 0UL);
	if (dirty >= 0)
		KUNIT_EXPECT_EQ(test, copy_to_user(user + dirty, &one, 1), 0UL);
	KUNIT_EXPECT_EQ(test, put_user(size, (u32 __user *)user), 0);
	return iommufd_fops_ioctl(&w->file, cmd, addr);
}

static void ioctl_table(struct kunit *test)
{
	static const struct {
		unsigned int cmd, min_size;
	} abi[] = {
		{ IOMMU_DESTROY, 8 },
		{ IOMMU_IOAS_ALLOC, 12 },
		{ IOMMU_IOAS_ALLOW_IOVAS, 24 },
		{ IOMMU_IOAS_COPY, 40 },
		{ IOMMU_IOAS_IOVA_RANGES, 32 },
		{ IOMMU_IOAS_MAP, 40 },
		{ IOMMU_IOAS_UNMAP, 24 },
		{ IOMMU_OPTION, 24 },
		{ IOMMU_VFIO_IOAS, 12 },
		{ IOMMU_HWPT_ALLOC, 24 },
		{ IOMMU_GET_HW_INFO, 32 },
		{ IOMMU_HWPT_SET_DIRTY_TRACKING, 16 },
		{ IOMMU_HWPT_GET_DIRTY_BITMAP, 48 },
		{ IOMMU_HWPT_INVALIDATE, 32 },
		{ IOMMU_FAULT_QUEUE_ALLOC, 16 },
		{ IOMMU_IOAS_MAP_FILE, 40 },
		{ IOMMU_VIOMMU_ALLOC, 24 },
		{ IOMMU_VDEVICE_ALLOC, 24 },
		{ IOMMU_IOAS_CHANGE_PROCESS, 8 },
	};
	unsigned int i, n = 0;

	for (i = 0; i != ARRAY_SIZE(ioctl_ops); i++) {
		KUNIT_ASSERT_NOT_NULL(test, ioctl_ops[i].execute);
		KUNIT_EXPECT_EQ(test, ioctl_ops[i].ioctl_num, _IO(IOMMUFD_TYPE, 0x80 + i));
		KUNIT_EXPECT_GE(test, ioctl_ops[i].size, ioctl_ops[i].min_size);
		KUNIT_EXPECT_LE(test, ioctl_ops[i].size, (unsigned int)sizeof(union ucmd_buffer));
	}
	for (i = 0; i != ARRAY_SIZE(abi); i++) {
		n = _IOC_NR(abi[i].cmd) - IOMMUFD_CMD_BASE;
		KUNIT_ASSERT_LT(test, n, (unsigned int)ARRAY_SIZE(ioctl_ops));
		KUNIT_EXPECT_EQ(test, ioctl_ops[n].ioctl_num, abi[i].cmd);
		KUNIT_EXPECT_EQ(test, ioctl_ops[n].min_size, abi[i].min_size);
	}
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(ioctl_ops), ARRAY_SIZE(abi));
}

static void ioctl_sizes(struct kunit *test)
{
	struct ioctl_world *w = open_world(test);
	unsigned long end = w->addr + BUFFER_SIZE - PAGE_SIZE;
	const struct ioctl_op *op;
	unsigned int i, size;

	for (i = 0; i != ARRAY_SIZE(ioctl_ops); i++) {
		op = &ioctl_ops[i];
		for (size = 0; size != op->min_size; size++)
			KUNIT_EXPECT_EQ(test, call(test, w, op->ioctl_num, w->addr, size, 4096, -1),
					-EINVAL);
		KUNIT_EXPECT_EQ(test, call(test, w, op->ioctl_num, w->addr, PAGE_SIZE + 1, 8192,
					   -1), -E2BIG);
		KUNIT_EXPECT_EQ(test, call(test, w, op->ioctl_num, w->addr, U32_MAX, 8192, -1),
				-E2BIG);
		/* What this version does not know must be 0. */
		for (size = op->size + 1; size != op->size + 20; size++)
			KUNIT_EXPECT_EQ(test, call(test, w, op->ioctl_num, w->addr, size, 4096,
						   size - 1), -E2BIG);
		KUNIT_EXPECT_EQ(test, call(test, w, op->ioctl_num, w->addr, PAGE_SIZE, 4096, 4095),
				-E2BIG);
		/* No memory at all, none after the size, less than it says. */
		KUNIT_EXPECT_EQ(test, iommufd_fops_ioctl(&w->file, op->ioctl_num, 0), -EFAULT);
		KUNIT_EXPECT_EQ(test, iommufd_fops_ioctl(&w->file, op->ioctl_num, end), -EFAULT);
		KUNIT_EXPECT_EQ(test, call(test, w, op->ioctl_num, end - 4, op->size, 4, -1),
				-EFAULT);
		KUNIT_EXPECT_EQ(test, call(test, w, op->ioctl_num, end - op->size, op->size + 8,
					   op->size, -1), -EFAULT);
	}
	/* A struct that has grown, with zeros, is taken: there is no object 0. */
	for (size = 8; size != 64; size++)
		KUNIT_EXPECT_EQ(test, call(test, w, IOMMU_DESTROY, w->addr, size, 4096, -1),
				-ENOENT);
	KUNIT_EXPECT_EQ(test, call(test, w, IOMMU_DESTROY, w->addr, PAGE_SIZE, 4096, -1), -ENOENT);
	KUNIT_EXPECT_EQ(test, call(test, w, IOMMU_DESTROY, end - 8, 8, 8, -1), -ENOENT);
	close_world(test, w);
}

static void ioctl_commands(struct kunit *test)
{
	struct ioctl_world *w = open_world(test);
	unsigned int i, cmd;

	for (i = 0; i != ARRAY_SIZE(ioctl_ops); i++) {
		cmd = ioctl_ops[i].ioctl_num;
		KUNIT_EXPECT_EQ(test, call(test, w, cmd ^ (1U << _IOC_SIZESHIFT), w->addr, 64,
					   4096, -1), -ENOTTY);
		KUNIT_EXPECT_EQ(test, call(test, w, cmd | (_IOC_READ << _IOC_DIRSHIFT), w->addr, 64,
					   4096, -1), -ENOTTY);
		KUNIT_EXPECT_EQ(test, call(test, w, cmd | (_IOC_WRITE << _IOC_DIRSHIFT), w->addr,
					   64, 4096, -1), -ENOTTY);
		KUNIT_EXPECT_EQ(test, call(test, w, cmd ^ (1U << _IOC_TYPESHIFT), w->addr, 64,
					   4096, -1), -ENOTTY);
	}
	KUNIT_EXPECT_EQ(test, call(test, w, _IO(IOMMUFD_TYPE, 0x80 + ARRAY_SIZE(ioctl_ops)),
				   w->addr, 64, 4096, -1), -ENOTTY);
	KUNIT_EXPECT_EQ(test, call(test, w, _IO(IOMMUFD_TYPE, 0x7f), w->addr, 64, 4096, -1),
			-ENOTTY);
	KUNIT_EXPECT_EQ(test, call(test, w, _IO(IOMMUFD_TYPE, 0xff), w->addr, 64, 4096, -1),
			-ENOTTY);
	close_world(test, w);
}

/* Bytes of the caller's struct that are not this version's stay untouched. */
static void ioctl_respond(struct kunit *test)
{
	struct ioctl_world *w = open_world(test);
	unsigned long end = w->addr + BUFFER_SIZE - PAGE_SIZE;
	u8 answer[32], before[64], got[64];
	struct iommufd_ucmd ucmd = { .cmd = answer };
	void __user *user = (void __user *)w->addr;
	unsigned int size, n;

	memset(answer, 0xaa, sizeof(answer));
	memset(before, 0x55, sizeof(before));
	ucmd.ubuffer = user;
	for (size = 0; size != 64; size++) {
		KUNIT_EXPECT_EQ(test, copy_to_user(user, before, 64), 0UL);
		ucmd.user_size = size;
		KUNIT_EXPECT_EQ(test, iommufd_ucmd_respond(&ucmd, sizeof(answer)), 0);
		KUNIT_EXPECT_EQ(test, copy_from_user(got, user, 64), 0UL);
		n = min_t(unsigned int, size, sizeof(answer));
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(got, 0xaa, n), NULL);
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(got + n, 0x55, 64 - n), NULL);
	}
	ucmd.user_size = 32;
	ucmd.ubuffer = (void __user *)end - 31;
	KUNIT_EXPECT_EQ(test, iommufd_ucmd_respond(&ucmd, 32), -EFAULT);
	KUNIT_EXPECT_EQ(test, iommufd_ucmd_respond(&ucmd, 31), 0);
	close_world(test, w);
}

/* An object whose id the caller cannot be told does not come to be. */
static void ioctl_publish(struct kunit *test)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_destroy destroy = { .size = sizeof(destroy) };
	struct ioctl_world *w = open_world(test);
	void __user *user = (void __user *)w->addr;
	unsigned int n;

	KUNIT_EXPECT_EQ(test, copy_to_user(user, &alloc, sizeof(alloc)), 0UL);
	KUNIT_EXPECT_EQ(test, iommufd_fops_ioctl(&w->file, IOMMU_IOAS_ALLOC, w->addr), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&alloc, user, sizeof(alloc)), 0UL);
	KUNIT_EXPECT_EQ(test, alloc.out_ioas_id, 1U);
	KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 1UL);

	/* The object, its id, the answer. */
	for (n = 1; n != 4; n++) {
		kt_fail_alloc(n);
		KUNIT_EXPECT_EQ(test, iommufd_fops_ioctl(&w->file, IOMMU_IOAS_ALLOC, w->addr),
				n == 3 ? -EFAULT : -ENOMEM);
		KUNIT_EXPECT_TRUE(test, kt_alloc_failed());
		kt_fail_alloc(0);
		KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 1UL);
	}
	alloc.flags = 1;
	KUNIT_EXPECT_EQ(test, copy_to_user(user, &alloc, sizeof(alloc)), 0UL);
	KUNIT_EXPECT_EQ(test, iommufd_fops_ioctl(&w->file, IOMMU_IOAS_ALLOC, w->addr), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 1UL);

	destroy.id = 1;
	KUNIT_EXPECT_EQ(test, copy_to_user(user, &destroy, sizeof(destroy)), 0UL);
	KUNIT_EXPECT_EQ(test, iommufd_fops_ioctl(&w->file, IOMMU_DESTROY, w->addr), 0);
	KUNIT_EXPECT_EQ(test, iommufd_fops_ioctl(&w->file, IOMMU_DESTROY, w->addr), -ENOENT);
	close_world(test, w);
}

static struct kunit_case ioctl_cases[] = {
	KUNIT_CASE(ioctl_table),
	KUNIT_CASE(ioctl_sizes),
	KUNIT_CASE(ioctl_commands),
	KUNIT_CASE(ioctl_respond),
	KUNIT_CASE(ioctl_publish),
	{}
};

struct kunit_suite kt_ioctl_suite = {
	.name = "iommufd_ioctl",
	.suite_init = ioctl_suite_init,
	.suite_exit = ioctl_suite_exit,
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = ioctl_cases,
};
