// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd for Linux 6.1: the character device /dev/iommu.
 *
 * Opening it makes a context.  A native ioctl is found in a table, its struct
 * copied in and checked for what this version does not know; all other
 * commands go to the VFIO compatibility layer.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <uapi/linux/iommufd.h>

#include "debugfs.h"
#include "device.h"
#include "fault.h"
#include "foreign.h"
#include "ioas.h"
#include "pasid_set.h"
#include "shadow.h"
#include "vfio_compat.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#error "This is iommufd for Linux 6.1; from 6.2 on the kernel has its own."
#endif

static const struct file_operations iommufd_fops;

/* ------------------------------------------------------------------ */
/* Contexts */

static struct iommufd_ctx *ctx_alloc(struct file *file)
{
	struct iommufd_ctx *ictx;

	ictx = kzalloc(sizeof(*ictx), GFP_KERNEL_ACCOUNT);
	if (!ictx)
		return NULL;
	xa_init_flags(&ictx->objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&ictx->wait);
	iommufd_owner_cache_init(&ictx->owners);
	mutex_init(&ictx->change_lock);
	mutex_init(&ictx->groups_lock);
	xa_init_flags(&ictx->groups, XA_FLAGS_ACCOUNT);
	ictx->pid = task_tgid_nr(current);
	get_task_comm(ictx->comm, current->group_leader);
	ictx->file = file;
	iommufd_debugfs_add(ictx);
	return ictx;
}

static void ctx_free(struct iommufd_ctx *ictx)
{
	iommufd_debugfs_remove(ictx);
	iommufd_vfio_release(ictx);
	iommufd_object_destroy_all(ictx);
	iommufd_owner_cache_destroy(&ictx->owners);
	WARN_ON(!xa_empty(&ictx->groups));
	xa_destroy(&ictx->groups);
	mutex_destroy(&ictx->groups_lock);
	mutex_destroy(&ictx->change_lock);
	kfree(ictx);
	iommufd_debugfs_gone();
}

static int iommufd_fops_open(struct inode *inode, struct file *filp)
{
	struct iommufd_ctx *ictx;
	int rc;

	ictx = ctx_alloc(filp);
	if (!ictx)
		return -ENOMEM;
	rc = iommufd_vfio_open(ictx);
	if (rc) {
		ctx_free(ictx);
		return rc;
	}
	filp->private_data = ictx;
	return 0;
}

static int iommufd_fops_release(struct inode *inode, struct file *filp)
{
	ctx_free(filp->private_data);
	return 0;
}

struct iommufd_ctx *iommufd_ctx_from_file(struct file *file)
{
	struct iommufd_ctx *ictx;

	if (file->f_op != &iommufd_fops)
		return ERR_PTR(-EBADFD);
	ictx = file->private_data;
	iommufd_ctx_get(ictx);
	return ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_file, IOMMUFD);

struct iommufd_ctx *iommufd_ctx_from_fd(int fd)
{
	struct iommufd_ctx *ictx;
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	ictx = iommufd_ctx_from_file(file);
	fput(file);
	return ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_fd, IOMMUFD);

struct iommufd_ctx *iommufd_ctx_create(void)
{
	struct iommufd_ctx *ictx;
	struct file *file;

	ictx = ctx_alloc(NULL);
	if (!ictx)
		return ERR_PTR(-ENOMEM);
	file = anon_inode_getfile("[iommufd]", &iommufd_fops, ictx, O_RDWR);
	if (IS_ERR(file)) {
		ctx_free(ictx);
		return ERR_CAST(file);
	}
	ictx->file = file;
	return ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_create, IOMMUFD);

void *iommufd_vfio_file_container(struct file *file)
{
	struct iommufd_ctx *ictx;

	if (file->f_op != &iommufd_fops)
		return NULL;
	ictx = file->private_data;
	/* Pairs with iommufd_vfio_open(). */
	return smp_load_acquire(&ictx->container);
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_file_container, IOMMUFD_VFIO);

/* ------------------------------------------------------------------ */
/* Ioctls */

static int iommufd_destroy(struct iommufd_ucmd *ucmd)
{
	struct iommu_destroy *cmd = ucmd->cmd;

	return iommufd_object_destroy_id(ucmd->ictx, cmd->id);
}

/*
 * A struct that may have grown since the caller was built.  Bytes that the
 * caller does not know stay untouched.
 */
int iommufd_ucmd_respond(struct iommufd_ucmd *ucmd, size_t cmd_len)
{
	if (copy_to_user(ucmd->ubuffer, ucmd->cmd,
			 min_t(size_t, ucmd->user_size, cmd_len)))
		return -EFAULT;
	return 0;
}

/* Each struct of the table below, so that the buffer fits the largest. */
union ucmd_buffer {
	struct iommu_destroy destroy;
	struct iommu_fault_alloc fault_alloc;
	struct iommu_hw_info hw_info;
	struct iommu_hwpt_alloc hwpt_alloc;
	struct iommu_hwpt_get_dirty_bitmap get_dirty_bitmap;
	struct iommu_hwpt_invalidate hwpt_invalidate;
	struct iommu_hwpt_set_dirty_tracking set_dirty_tracking;
	struct iommu_ioas_alloc alloc;
	struct iommu_ioas_allow_iovas allow_iovas;
	struct iommu_ioas_change_process change_process;
	struct iommu_ioas_copy copy;
	struct iommu_ioas_iova_ranges iova_ranges;
	struct iommu_ioas_map map;
	struct iommu_ioas_map_file map_file;
	struct iommu_ioas_unmap unmap;
	struct iommu_option option;
	struct iommu_vdevice_alloc vdevice_alloc;
	struct iommu_vfio_ioas vfio_ioas;
	struct iommu_viommu_alloc viommu_alloc;
};

/**
 * struct ioctl_op - a native command
 * @size: of its struct as known here
 * @min_size: of its struct as first published
 * @ioctl_num: the whole command word
 * @execute: does it
 */
struct ioctl_op {
	unsigned int size;
	unsigned int min_size;
	unsigned int ioctl_num;
	int (*execute)(struct iommufd_ucmd *ucmd);
};

#define IOCTL_OP(_ioctl, _fn, _struct, _last)                             \
	[_IOC_NR(_ioctl) - IOMMUFD_CMD_BASE] = {                          \
		.size = sizeof(_struct) +                                 \
			BUILD_BUG_ON_ZERO(sizeof(union ucmd_buffer) <     \
					  sizeof(_struct)),               \
		.min_size = offsetofend(_struct, _last),                  \
		.ioctl_num = _ioctl,                                      \
		.execute = _fn,                                           \
	}

static const struct ioctl_op ioctl_ops[] = {
	IOCTL_OP(IOMMU_DESTROY, iommufd_destroy, struct iommu_destroy, id),
	IOCTL_OP(IOMMU_FAULT_QUEUE_ALLOC, iommufd_fault_alloc,
		 struct iommu_fault_alloc, out_fault_fd),
	IOCTL_OP(IOMMU_GET_HW_INFO, iommufd_get_hw_info, struct iommu_hw_info,
		 __reserved),
	IOCTL_OP(IOMMU_HWPT_ALLOC, iommufd_hwpt_alloc, struct iommu_hwpt_alloc,
		 __reserved),
	IOCTL_OP(IOMMU_HWPT_GET_DIRTY_BITMAP, iommufd_hwpt_get_dirty_bitmap,
		 struct iommu_hwpt_get_dirty_bitmap, data),
	IOCTL_OP(IOMMU_HWPT_INVALIDATE, iommufd_hwpt_invalidate,
		 struct iommu_hwpt_invalidate, __reserved),
	IOCTL_OP(IOMMU_HWPT_SET_DIRTY_TRACKING, iommufd_hwpt_set_dirty_tracking,
		 struct iommu_hwpt_set_dirty_tracking, __reserved),
	IOCTL_OP(IOMMU_IOAS_ALLOC, iommufd_ioas_alloc_ioctl,
		 struct iommu_ioas_alloc, out_ioas_id),
	IOCTL_OP(IOMMU_IOAS_ALLOW_IOVAS, iommufd_ioas_allow_iovas,
		 struct iommu_ioas_allow_iovas, allowed_iovas),
	IOCTL_OP(IOMMU_IOAS_CHANGE_PROCESS, iommufd_ioas_change_process,
		 struct iommu_ioas_change_process, __reserved),
	IOCTL_OP(IOMMU_IOAS_COPY, iommufd_ioas_copy, struct iommu_ioas_copy,
		 src_iova),
	IOCTL_OP(IOMMU_IOAS_IOVA_RANGES, iommufd_ioas_iova_ranges,
		 struct iommu_ioas_iova_ranges, out_iova_alignment),
	IOCTL_OP(IOMMU_IOAS_MAP, iommufd_ioas_map, struct iommu_ioas_map, iova),
	IOCTL_OP(IOMMU_IOAS_MAP_FILE, iommufd_ioas_map_file,
		 struct iommu_ioas_map_file, iova),
	IOCTL_OP(IOMMU_IOAS_UNMAP, iommufd_ioas_unmap, struct iommu_ioas_unmap,
		 length),
	IOCTL_OP(IOMMU_OPTION, iommufd_option, struct iommu_option, val64),
	IOCTL_OP(IOMMU_VDEVICE_ALLOC, iommufd_vdevice_alloc,
		 struct iommu_vdevice_alloc, virt_id),
	IOCTL_OP(IOMMU_VFIO_IOAS, iommufd_vfio_ioas, struct iommu_vfio_ioas,
		 __reserved),
	IOCTL_OP(IOMMU_VIOMMU_ALLOC, iommufd_viommu_alloc,
		 struct iommu_viommu_alloc, out_viommu_id),
};

/*
 * copy_struct_from_user(); what is used again and again, and is as long as here,
 * with a length that usercopy hardening need not look at.
 */
static __always_inline int copy_cmd(union ucmd_buffer *buf, size_t size,
				    const void __user *arg, size_t user_size)
{
	switch (size == user_size ? size : 0) {
	case sizeof(buf->map):
		return copy_from_user(buf, arg, sizeof(buf->map)) ? -EFAULT : 0;
	case sizeof(buf->unmap):
		return copy_from_user(buf, arg, sizeof(buf->unmap)) ? -EFAULT :
								      0;
	default:
		return copy_struct_from_user(buf, size, arg, user_size);
	}
}

static noinline_for_stack int native_ioctl(struct iommufd_ctx *ictx,
					   const struct ioctl_op *op,
					   void __user *arg)
{
	union ucmd_buffer buf;
	struct iommufd_ucmd ucmd = {
		.ictx = ictx,
		.ubuffer = arg,
		.cmd = &buf,
	};
	int rc;

	if (get_user(ucmd.user_size, (u32 __user *)arg))
		return -EFAULT;
	if (ucmd.user_size < op->min_size)
		return -EINVAL;
	/* Nobody has a struct that long; do not search gigabytes for zeros. */
	if (ucmd.user_size > PAGE_SIZE)
		return -E2BIG;

	rc = copy_cmd(&buf, op->size, arg, ucmd.user_size);
	if (rc)
		return rc;
	return op->execute(&ucmd);
}

static noinline_for_stack long other_ioctl(struct iommufd_ctx *ictx,
					   unsigned int cmd, unsigned long arg)
{
	long ret;

	if (iommufd_extra_ioctl(ictx, cmd, (void __user *)arg, &ret))
		return ret;
	/* What nobody knows gets VFIO's errno, which depends on the container. */
	return iommufd_vfio_ioctl(ictx, cmd, arg);
}

static long iommufd_fops_ioctl(struct file *filp, unsigned int cmd,
			       unsigned long arg)
{
	struct iommufd_ctx *ictx = filp->private_data;
	unsigned int nr = _IOC_NR(cmd);
	const struct ioctl_op *op;

	/* VFIO's commands have lower numbers. */
	if (nr < IOMMUFD_CMD_BASE)
		return iommufd_vfio_ioctl(ictx, cmd, arg);
	if (nr - IOMMUFD_CMD_BASE < ARRAY_SIZE(ioctl_ops)) {
		op = &ioctl_ops[nr - IOMMUFD_CMD_BASE];
		if (op->ioctl_num == cmd)
			return native_ioctl(ictx, op, (void __user *)arg);
	}
	return other_ioctl(ictx, cmd, arg);
}

static const struct file_operations iommufd_fops = {
	.owner = THIS_MODULE,
	.open = iommufd_fops_open,
	.release = iommufd_fops_release,
	.unlocked_ioctl = iommufd_fops_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice iommufd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommu",
	.fops = &iommufd_fops,
	.nodename = "iommu",
	.mode = 0660,
};

/* ------------------------------------------------------------------ */

static int __init iommufd_init(void)
{
	int rc;

	rc = iopt_init();
	if (rc)
		return rc;
	iommufd_debugfs_init();
	rc = misc_register(&iommufd_misc);
	if (rc) {
		iommufd_debugfs_exit();
		iopt_exit();
		return rc;
	}
	return 0;
}

static void __exit iommufd_exit(void)
{
	misc_deregister(&iommufd_misc);
	iommufd_debugfs_exit();
	iopt_exit();
}

module_param_named(allow_unsafe_interrupts, iommufd_allow_unsafe_interrupts,
		   bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "accept devices whose interrupts the platform does not remap, and that can forge interrupts therefore (default: N)");
module_param_named(dma_entry_limit, iommufd_dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit,
		 "mappings that VFIO ioctls may make in a container, 0 for no limit (default: 1048576)");
module_param_named(nesting, iommufd_nesting, bool, 0644);
MODULE_PARM_DESC(nesting,
		 "page tables of guests may be nested: VFIO containers with two stages, and shadows of page tables (default: N)");
module_param_named(pasid_quota, iommufd_pasid_quota, uint, 0644);
MODULE_PARM_DESC(pasid_quota,
		 "PASIDs that a process may hold if it does not ask for more or less (default: 1000)");
module_param_named(shadow_entries, iommufd_shadow_entries, uint, 0644);
MODULE_PARM_DESC(shadow_entries,
		 "entries of a guest's page table that are shadowed (default: 4194304)");
module_param_named(share_domains, iommufd_share_domains, bool, 0644);
MODULE_PARM_DESC(share_domains,
		 "groups behind like IOMMUs share one IOMMU domain of an address space; N, which costs memory and time, is for tests (default: Y)");

module_init(iommufd_init);
module_exit(iommufd_exit);

MODULE_DESCRIPTION("iommufd for Linux 6.1: IO address spaces for userspace");
MODULE_LICENSE("GPL");
