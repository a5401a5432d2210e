// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_GET_HW_INFO: what an IOMMU driver says of itself.
 */
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommufd.h>

#include "device.h"

/* What the caller has may be large: in pieces, which end if it is killed. */
static int clear_rest(char __user *buf, u32 length)
{
	u32 part;

	for (; length; buf += part, length -= part) {
		if (fatal_signal_pending(current))
			return -EINTR;
		part = min_t(u32, length, SZ_1M);
		if (clear_user(buf, part))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

/* What the driver says; kmalloc() memory or NULL */
static void *ask_driver(struct iommufd_device *idev, struct iommu_hw_info *cmd,
			u32 *length)
{
	u32 type = IOMMU_HW_INFO_TYPE_DEFAULT;
	void *info = NULL;

	*length = 0;
	if (cmd->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		type = cmd->in_data_type;
	if (idev->hw && idev->hw->hw_info) {
		info = idev->hw->hw_info(idev->dev, &type, length);
		if (IS_ERR(info))
			return info;
	} else if (type != IOMMU_HW_INFO_TYPE_DEFAULT) {
		return ERR_PTR(-EOPNOTSUPP);
	}
	cmd->out_data_type = type;
	cmd->out_capabilities = 0;
	cmd->out_max_pasid_log2 = 0;
	if (idev->hw) {
		cmd->out_capabilities = idev->hw->capabilities(idev->dev);
		cmd->out_max_pasid_log2 = idev->hw->pasid_bits(idev->dev);
	}
	return info;
}

int iommufd_get_hw_info(struct iommufd_ucmd *ucmd)
{
	struct iommu_hw_info *cmd = ucmd->cmd;
	char __user *buf = u64_to_user_ptr(cmd->data_uptr);
	struct iommufd_device *idev;
	u32 length, copied;
	void *info;
	int rc;

	if (cmd->flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE ||
	    memchr_inv(cmd->__reserved, 0, sizeof(cmd->__reserved)))
		return -EOPNOTSUPP;

	idev = iommufd_device_find(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	info = ask_driver(idev, cmd, &length);
	/* Whoever takes it away waits for us, and user memory may make us wait. */
	iommufd_object_done(&idev->obj);
	if (IS_ERR(info))
		return PTR_ERR(info);

	copied = min(cmd->data_len, length);
	if (copy_to_user(buf, info, copied))
		rc = -EFAULT;
	else
		rc = clear_rest(buf + copied, cmd->data_len - copied);
	kfree(info);
	if (rc)
		return rc;
	cmd->data_len = length;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
