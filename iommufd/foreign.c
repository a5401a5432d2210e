// SPDX-License-Identifier: GPL-2.0-only
/*
 * What other modules add to a context: objects of their own, and a command.
 *
 * A mock IOMMU, for one, is driven by a command on /dev/iommu and has devices
 * that live in the table of objects.  Nothing here knows what they are.
 */
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommufd.h>

#include "device.h"
#include "foreign.h"

/**
 * struct iommufd_foreign - an object that another module made
 * @obj: object
 * @ops: its type
 * @data: the module's
 */
struct iommufd_foreign {
	struct iommufd_object obj;
	const struct iommufd_foreign_ops *ops;
	void *data;
};

static void foreign_destroy(struct iommufd_object *obj)
{
	struct iommufd_foreign *foreign =
		container_of(obj, struct iommufd_foreign, obj);

	foreign->ops->destroy(foreign->data);
	module_put(foreign->ops->owner);
}

static const struct iommufd_object_ops foreign_ops = {
	.type = IOMMUFD_OBJ_FOREIGN,
	.user_destroy = true,
	.destroy = foreign_destroy,
};

struct iommufd_foreign *
iommufd_foreign_reserve(struct iommufd_ctx *ictx,
			const struct iommufd_foreign_ops *ops, u32 *id)
{
	struct iommufd_foreign *foreign;
	struct iommufd_object *obj;

	if (!try_module_get(ops->owner))
		return ERR_PTR(-ENODEV);
	obj = iommufd_object_alloc(ictx, sizeof(*foreign), &foreign_ops);
	if (IS_ERR(obj)) {
		module_put(ops->owner);
		return ERR_CAST(obj);
	}
	foreign = container_of(obj, struct iommufd_foreign, obj);
	foreign->ops = ops;
	*id = obj->id;
	return foreign;
}
EXPORT_SYMBOL_NS_GPL(iommufd_foreign_reserve, IOMMUFD);

void iommufd_foreign_publish(struct iommufd_foreign *foreign, void *data)
{
	foreign->data = data;
	iommufd_object_publish(&foreign->obj);
}
EXPORT_SYMBOL_NS_GPL(iommufd_foreign_publish, IOMMUFD);

void iommufd_foreign_abort(struct iommufd_foreign *foreign)
{
	struct module *owner = foreign->ops->owner;

	iommufd_object_abort(&foreign->obj);
	module_put(owner);
}
EXPORT_SYMBOL_NS_GPL(iommufd_foreign_abort, IOMMUFD);

struct iommufd_foreign *
iommufd_foreign_get(struct iommufd_ctx *ictx, u32 id,
		    const struct iommufd_foreign_ops *ops, void **data)
{
	struct iommufd_foreign *foreign;
	struct iommufd_object *obj;

	obj = iommufd_object_find(ictx, id, IOMMUFD_OBJ_FOREIGN);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	foreign = container_of(obj, struct iommufd_foreign, obj);
	if (foreign->ops != ops) {
		iommufd_object_done(obj);
		return ERR_PTR(-ENOENT);
	}
	*data = foreign->data;
	return foreign;
}
EXPORT_SYMBOL_NS_GPL(iommufd_foreign_get, IOMMUFD);

void iommufd_foreign_put(struct iommufd_foreign *foreign)
{
	iommufd_object_done(&foreign->obj);
}
EXPORT_SYMBOL_NS_GPL(iommufd_foreign_put, IOMMUFD);

/* ------------------------------------------------------------------ */
/* The command */

static DECLARE_RWSEM(extra_rwsem);
static const struct iommufd_extra_ioctl *extra; /* extra_rwsem */

int iommufd_extra_ioctl_register(const struct iommufd_extra_ioctl *ioctl)
{
	int rc = -EBUSY;

	if (WARN_ON(ioctl->size > PAGE_SIZE || ioctl->min_size > ioctl->size ||
		    _IOC_NR(ioctl->cmd) < IOMMUFD_CMD_BASE))
		return -EINVAL;
	down_write(&extra_rwsem);
	if (!extra) {
		extra = ioctl;
		rc = 0;
	}
	up_write(&extra_rwsem);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_extra_ioctl_register, IOMMUFD);

void iommufd_extra_ioctl_unregister(const struct iommufd_extra_ioctl *ioctl)
{
	down_write(&extra_rwsem);
	if (!WARN_ON(extra != ioctl))
		extra = NULL;
	up_write(&extra_rwsem);
}
EXPORT_SYMBOL_NS_GPL(iommufd_extra_ioctl_unregister, IOMMUFD);

static long extra_execute(const struct iommufd_extra_ioctl *ioctl,
			  struct iommufd_ctx *ictx, void __user *ubuffer)
{
	void *cmd;
	u32 size;
	long rc;

	if (get_user(size, (u32 __user *)ubuffer))
		return -EFAULT;
	if (size < ioctl->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	cmd = kzalloc(ioctl->size, GFP_KERNEL_ACCOUNT);
	if (!cmd)
		return -ENOMEM;
	rc = copy_struct_from_user(cmd, ioctl->size, ubuffer, size);
	if (!rc)
		rc = ioctl->execute(ictx, cmd, ubuffer, size);
	kfree(cmd);
	return rc;
}

/**
 * iommufd_extra_ioctl() - The command of another module
 * @ictx: context
 * @cmd: command that is no native one
 * @ubuffer: the caller's struct
 * @ret: out: what the module returned
 *
 * Return: false when no module has such a command.
 */
bool iommufd_extra_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			 void __user *ubuffer, long *ret)
{
	const struct iommufd_extra_ioctl *ioctl;

	/* Most machines never have one. */
	if (!READ_ONCE(extra))
		return false;
	down_read(&extra_rwsem);
	ioctl = extra;
	if (ioctl && (ioctl->cmd != cmd || !try_module_get(ioctl->owner)))
		ioctl = NULL;
	up_read(&extra_rwsem);
	if (!ioctl)
		return false;
	*ret = extra_execute(ioctl, ictx, ubuffer);
	module_put(ioctl->owner);
	return true;
}

/* ------------------------------------------------------------------ */
/* Objects of ours, by id */

int iommufd_hwpt_call(struct iommufd_ctx *ictx, u32 id,
		      int (*fn)(struct iommu_domain *domain, void *data),
		      void *data)
{
	struct iommufd_hwpt *hwpt = iommufd_hwpt_find(ictx, id);
	int rc = -EINVAL;

	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	/* What drivers of 6.1 made for userspace may go at any moment. */
	if (hwpt->hw || !hwpt->by_user)
		rc = fn(hwpt->idomain.domain, data);
	iommufd_object_done(&hwpt->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_hwpt_call, IOMMUFD);

int iommufd_device_call(struct iommufd_ctx *ictx, u32 id,
			int (*fn)(struct device *dev, void *data), void *data)
{
	struct iommufd_device *idev = iommufd_device_find(ictx, id);
	int rc = -ENOENT;

	if (IS_ERR(idev))
		return PTR_ERR(idev);
	if (idev->dev)
		rc = fn(idev->dev, data);
	iommufd_object_done(&idev->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_call, IOMMUFD);

int iommufd_ioas_reserve(struct iommufd_ctx *ictx, u32 ioas_id, u64 iova,
			 u64 length)
{
	struct iommufd_ioas *ioas = iommufd_ioas_find(ictx, ioas_id);
	int rc;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iopt_reserve_length(&ioas->iopt, iova, length, ioas);
	iommufd_object_done(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ioas_reserve, IOMMUFD);
