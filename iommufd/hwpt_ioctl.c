// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls that make page tables and invalidate what is cached of them.
 * Their contract is the manual in include/uapi/linux/iommufd.h.
 */
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/iommu_nesting.h>
#include <uapi/linux/iommufd.h>

#include "device.h"
#include "fault.h"

/* Entries of one invalidation: more would keep the CPU for too long. */
#define INVALIDATE_MAX BIT(19)

/* The driver's operations, with a reference for the HWPT to be made */
static const struct iommufd_hw_ops *hw_get(struct iommufd_device *idev)
{
	const struct iommufd_hw_ops *hw = idev->hw;

	/* The device has a reference: it cannot be on its way out. */
	if (hw)
		__module_get(hw->owner);
	return hw;
}

static struct iommufd_hwpt *new_paging(struct iommufd_device *idev,
				       struct iommufd_ioas *ioas, u32 flags,
				       const struct iommufd_user_data *data)
{
	const struct iommufd_hw_ops *hw = idev->hw;
	struct iommu_domain *domain;

	if ((flags & IOMMU_HWPT_FAULT_ID_VALID) &&
	    (flags & IOMMU_HWPT_ALLOC_NEST_PARENT))
		return ERR_PTR(-EOPNOTSUPP);
	if (!hw || !hw->domain_alloc) {
		/* A shadow can be on top of any. */
		if (!hw && READ_ONCE(iommufd_nesting))
			flags &= ~IOMMU_HWPT_ALLOC_NEST_PARENT;
		if (flags || data->len)
			return ERR_PTR(-EOPNOTSUPP);
		return iommufd_hwpt_new(ioas, idev->igroup->group);
	}
	if ((flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) &&
	    !(hw->capabilities(idev->dev) & IOMMU_HW_CAP_DIRTY_TRACKING))
		return ERR_PTR(-EOPNOTSUPP);

	domain = hw->domain_alloc(idev->dev,
				  flags & ~IOMMU_HWPT_FAULT_ID_VALID,
				  data->len ? data : NULL);
	if (IS_ERR(domain))
		return ERR_CAST(domain);
	return iommufd_hwpt_new_of(ioas, NULL, hw_get(idev), domain);
}

static int get_vtd_s1(const struct iommufd_user_data *data,
		      struct iommufd_stage1 *stage1)
{
	struct iommu_hwpt_vtd_s1 vtd;
	int rc;

	rc = iommufd_copy_user_data(&vtd, sizeof(vtd), sizeof(vtd), data,
				    IOMMU_HWPT_DATA_VTD_S1);
	if (rc)
		return rc;
	if (vtd.__reserved ||
	    vtd.flags & ~(u64)(IOMMU_VTD_S1_SRE | IOMMU_VTD_S1_EAFE |
			       IOMMU_VTD_S1_WPE))
		return -EOPNOTSUPP;
	*stage1 = (struct iommufd_stage1){
		.pgd = vtd.pgtbl_addr,
		.addr_width = vtd.addr_width,
	};
	if (vtd.flags & IOMMU_VTD_S1_SRE)
		stage1->flags |= IOMMUFD_STAGE1_SRE;
	if (vtd.flags & IOMMU_VTD_S1_EAFE)
		stage1->flags |= IOMMUFD_STAGE1_EAFE;
	if (vtd.flags & IOMMU_VTD_S1_WPE)
		stage1->flags |= IOMMUFD_STAGE1_WPE;
	return iommufd_stage1_check(stage1);
}

static struct iommufd_hwpt *new_vtd_s1(struct iommufd_device *idev,
				       struct iommufd_hwpt *parent, u32 flags,
				       const struct iommufd_user_data *data)
{
	struct iommufd_stage1 stage1;
	int rc;

	if (!idev->hw && !READ_ONCE(iommufd_nesting))
		return ERR_PTR(-EOPNOTSUPP);
	rc = get_vtd_s1(data, &stage1);
	if (rc)
		return ERR_PTR(rc);
	return iommufd_hwpt_new_stage1(parent, idev->hw ? idev->dev : NULL,
				       flags & ~IOMMU_HWPT_FAULT_ID_VALID,
				       &stage1);
}

static struct iommufd_hwpt *new_nested(struct iommufd_device *idev,
				       struct iommufd_hwpt *parent, u32 flags,
				       const struct iommufd_user_data *data)
{
	const u32 valid = IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;
	const struct iommufd_hw_ops *hw = idev->hw;
	struct iommu_domain *domain;

	if ((flags & ~valid) || !data->len)
		return ERR_PTR(-EOPNOTSUPP);
	if (!(parent->flags & IOMMU_HWPT_ALLOC_NEST_PARENT) ||
	    parent->hw != hw)
		return ERR_PTR(-EINVAL);
	if (data->type == IOMMU_HWPT_DATA_VTD_S1)
		return new_vtd_s1(idev, parent, flags, data);
	if (!hw || !hw->domain_alloc_nested)
		return ERR_PTR(-EOPNOTSUPP);

	domain = hw->domain_alloc_nested(idev->dev, parent->idomain.domain,
					 flags & ~IOMMU_HWPT_FAULT_ID_VALID,
					 data);
	if (IS_ERR(domain))
		return ERR_CAST(domain);
	return iommufd_hwpt_new_of(parent->ioas, parent, hw_get(idev), domain);
}

/* What @pt_id is decides what is made.  Both objects are in use. */
static struct iommufd_hwpt *new_on(struct iommufd_device *idev,
				   struct iommufd_object *pt, u32 flags,
				   const struct iommufd_user_data *data)
{
	switch (pt->ops->type) {
	case IOMMUFD_OBJ_IOAS:
		return new_paging(idev,
				  container_of(pt, struct iommufd_ioas, obj),
				  flags, data);
	case IOMMUFD_OBJ_HWPT:
		return new_nested(idev,
				  container_of(pt, struct iommufd_hwpt, obj),
				  flags, data);
	default:
		return ERR_PTR(-EINVAL);
	}
}

/*
 * A device is in use here only: whoever takes it away waits for that, and user
 * memory may make us wait.
 */
static struct iommufd_hwpt *hwpt_new(struct iommufd_ctx *ictx,
				     const struct iommu_hwpt_alloc *cmd,
				     const void *data)
{
	const struct iommufd_user_data user = {
		.type = cmd->data_type,
		.len = cmd->data_len,
		.data = data,
	};
	struct iommufd_device *idev;
	struct iommufd_object *pt;
	struct iommufd_hwpt *hwpt;

	idev = iommufd_device_find(ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return ERR_CAST(idev);
	pt = iommufd_object_find(ictx, cmd->pt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(pt)) {
		hwpt = ERR_PTR(-EINVAL);
	} else {
		hwpt = new_on(idev, pt, cmd->flags, &user);
		iommufd_object_done(pt);
	}
	iommufd_object_done(&idev->obj);
	return hwpt;
}

static int hwpt_alloc(struct iommufd_ucmd *ucmd, const void *data)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_fault *fault;
	struct iommufd_hwpt *hwpt;
	int rc;

	hwpt = hwpt_new(ucmd->ictx, cmd, data);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->flags = cmd->flags;

	if (cmd->flags & IOMMU_HWPT_FAULT_ID_VALID) {
		fault = iommufd_fault_hold(ucmd->ictx, cmd->fault_id);
		if (IS_ERR(fault)) {
			rc = PTR_ERR(fault);
			goto err_abort;
		}
		hwpt->fault = fault;
	}
	rc = iommufd_hwpt_fill_new(hwpt);
	if (rc)
		goto err_abort;
	cmd->out_hwpt_id = hwpt->obj.id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_abort;
	iommufd_object_publish(&hwpt->obj);
	return 0;

err_abort:
	iommufd_hwpt_abort(hwpt);
	return rc;
}

int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd)
{
	const u32 valid = IOMMU_HWPT_ALLOC_NEST_PARENT |
			  IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			  IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	bool no_data = cmd->data_type == IOMMU_HWPT_DATA_NONE;
	void *data = NULL;
	int rc;

	if (cmd->flags & ~valid || cmd->__reserved || cmd->__reserved2)
		return -EOPNOTSUPP;
	if (no_data != !cmd->data_len)
		return -EINVAL;
	/* As for commands: nobody has a struct that long. */
	if (cmd->data_len > PAGE_SIZE)
		return -E2BIG;
	if (cmd->data_len) {
		data = memdup_user(u64_to_user_ptr(cmd->data_uptr),
				   cmd->data_len);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}
	rc = hwpt_alloc(ucmd, data);
	kfree(data);
	return rc;
}

static int invalidate_vtd_s1(struct iommufd_hwpt *hwpt,
			     const struct iommu_hwpt_vtd_s1_invalidate *vtd)
{
	struct iommufd_stage1_inv inv = {
		.caches = IOMMU_CACHE_INV_TYPE_IOTLB |
			  IOMMU_CACHE_INV_TYPE_DEV_IOTLB,
		.leaf = vtd->flags & IOMMU_VTD_INV_FLAGS_LEAF,
		.first = vtd->addr,
	};
	u64 bytes;

	if (vtd->__reserved || vtd->flags & ~IOMMU_VTD_INV_FLAGS_LEAF)
		return -EOPNOTSUPP;
	if (vtd->addr % IOMMU_STAGE1_PAGE || !vtd->npages)
		return -EINVAL;
	if (!vtd->addr && vtd->npages == U64_MAX)
		inv.last = U64_MAX;
	else if (check_mul_overflow(vtd->npages, (u64)IOMMU_STAGE1_PAGE,
				    &bytes) ||
		 check_add_overflow(vtd->addr, bytes - 1, &inv.last))
		return -EINVAL;
	iommufd_hwpt_stage1_invalidate(hwpt, &inv);
	return 0;
}

static int invalidate_stage1(struct iommufd_hwpt *hwpt,
			     struct iommufd_user_array *array)
{
	struct iommu_hwpt_vtd_s1_invalidate vtd;
	u32 num = array->entry_num, i;
	int rc = 0;

	array->entry_num = 0;
	/* No entries at all is a question for the type. */
	if (array->type != IOMMU_HWPT_INVALIDATE_DATA_VTD_S1)
		return -EINVAL;
	for (i = 0; i != num; i++) {
		array->entry_num = num;
		rc = -EINTR;
		if (!fatal_signal_pending(current))
			rc = iommufd_copy_user_entry(&vtd, sizeof(vtd),
						     sizeof(vtd), array,
						     array->type, i);
		if (!rc)
			rc = invalidate_vtd_s1(hwpt, &vtd);
		if (rc)
			break;
		cond_resched();
	}
	array->entry_num = i;
	return rc;
}

static int hwpt_invalidate(struct iommufd_ctx *ictx,
			   struct iommu_hwpt_invalidate *cmd)
{
	struct iommufd_user_array array = {
		.type = cmd->data_type,
		.uptr = cmd->data_uptr,
		.entry_len = cmd->entry_len,
		.entry_num = cmd->entry_num,
	};
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;
	int rc = -EINVAL;

	cmd->entry_num = 0;
	if (array.entry_num &&
	    (!array.uptr || !array.entry_len || array.entry_len > PAGE_SIZE ||
	     array.entry_num > INVALIDATE_MAX))
		return -EINVAL;

	obj = iommufd_object_find(ictx, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	hwpt = container_of(obj, struct iommufd_hwpt, obj);
	if (obj->ops->type == IOMMUFD_OBJ_HWPT && hwpt->parent) {
		rc = -EOPNOTSUPP;
		if (hwpt->stage1) {
			rc = invalidate_stage1(hwpt, &array);
			cmd->entry_num = array.entry_num;
		} else if (hwpt->hw->cache_invalidate) {
			rc = hwpt->hw->cache_invalidate(hwpt->idomain.domain,
							&array);
			cmd->entry_num = array.entry_num;
		}
	}
	iommufd_object_done(obj);
	return rc;
}

int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_invalidate *cmd = ucmd->cmd;
	int rc;

	if (cmd->__reserved) {
		cmd->entry_num = 0;
		rc = -EOPNOTSUPP;
	} else {
		rc = hwpt_invalidate(ucmd->ictx, cmd);
	}
	/* How many were done is worth knowing after an error, too. */
	if (iommufd_ucmd_respond(ucmd, sizeof(*cmd)))
		return -EFAULT;
	return rc;
}

/* ------------------------------------------------------------------ */
/* Virtual IOMMUs, which no IOMMU driver of 6.1 has */

int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iommufd_device *idev;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	idev = iommufd_device_find(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	iommufd_object_done(&idev->obj);
	return -EOPNOTSUPP;
}

int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd)
{
	return -ENOENT;
}
