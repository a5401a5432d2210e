// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching single PASIDs of a device.
 *
 * Only IOMMU drivers that say so (iommufd_hw_ops.set_pasid) have any, and only
 * HWPTs that were made for PASIDs take them; these are filled already, so that
 * all there is to do is to tell the driver.
 */
#include <linux/iommu.h>
#include <linux/module.h>
#include <uapi/linux/iommufd.h>

#include "device.h"

/* An HWPT that PASIDs of the device can be attached to, in use */
static struct iommufd_hwpt *pasid_hwpt(struct iommufd_device *idev, u32 pasid,
				       u32 pt_id)
{
	const struct iommufd_hw_ops *hw = idev->hw;
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;

	obj = iommufd_object_find(idev->obj.ictx, pt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	hwpt = container_of(obj, struct iommufd_hwpt, obj);
	if (obj->ops->type != IOMMUFD_OBJ_HWPT ||
	    !(hwpt->flags & IOMMU_HWPT_ALLOC_PASID) || hwpt->hw != hw ||
	    !hw->set_pasid || !pasid ||
	    (u64)pasid >> hw->pasid_bits(idev->dev)) {
		iommufd_object_done(obj);
		return ERR_PTR(-EINVAL);
	}
	return hwpt;
}

/* Let go of what a PASID was attached to. */
static void pasid_put(struct iommufd_device *idev, u32 pasid,
		      struct iommufd_hwpt *hwpt)
{
	iommufd_iopf_leave(idev, hwpt, pasid);
	iommufd_object_release(&hwpt->obj);
}

static int pasid_set(struct iommufd_device *idev, u32 pasid,
		     struct iommufd_hwpt *hwpt)
{
	struct iommufd_hwpt *rid = idev->igroup->hwpt;
	int rc;

	lockdep_assert_held(&idev->igroup->lock);

	/* Who may use PASIDs and who may not do not go together. */
	if (rid && !(rid->flags & IOMMU_HWPT_ALLOC_PASID) && !hwpt->container)
		return -EINVAL;
	if (hwpt->fault && idev->igroup->devices != 1)
		return -EINVAL;
	rc = iommufd_iopf_enable(idev, hwpt);
	if (rc)
		return rc;
	rc = idev->hw->set_pasid(idev->dev, pasid, hwpt->idomain.domain);
	if (rc) {
		iommufd_iopf_disable(idev, hwpt);
		return rc;
	}
	iommufd_object_hold(&hwpt->obj);
	return 0;
}

/**
 * iommufd_device_set_pasid() - Attach a PASID that is not attached
 * @idev: device with hw->set_pasid
 * @pasid: not 0, and within what the device has
 * @hwpt: of the same IOMMU driver
 *
 * Return: 0, -EBUSY it is attached, -EINVAL the device's own HWPT does not allow it,
 * -ENOMEM, or the IOMMU driver's error.
 */
int iommufd_device_set_pasid(struct iommufd_device *idev, u32 pasid,
			     struct iommufd_hwpt *hwpt)
{
	struct iommufd_group *igroup = idev->igroup;
	int rc;

	mutex_lock(&igroup->lock);
	/* Faults find it there from the moment that they can come. */
	rc = xa_insert(&idev->pasids, pasid, hwpt, GFP_KERNEL_ACCOUNT);
	if (!rc) {
		rc = pasid_set(idev, pasid, hwpt);
		if (rc)
			xa_erase(&idev->pasids, pasid);
		else
			igroup->pasids++;
	}
	mutex_unlock(&igroup->lock);
	return rc;
}

int iommufd_device_pasid_attach(struct iommufd_device *idev, u32 pasid,
				u32 *pt_id)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	hwpt = pasid_hwpt(idev, pasid, *pt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = iommufd_device_set_pasid(idev, pasid, hwpt);
	iommufd_object_done(&hwpt->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_pasid_attach, IOMMUFD);

int iommufd_device_pasid_replace(struct iommufd_device *idev, u32 pasid,
				 u32 *pt_id)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_hwpt *hwpt, *old;
	int rc = 0;

	hwpt = pasid_hwpt(idev, pasid, *pt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);

	mutex_lock(&igroup->lock);
	old = xa_load(&idev->pasids, pasid);
	if (!old)
		rc = -EINVAL;
	else if (old != hwpt)
		rc = pasid_set(idev, pasid, hwpt);
	if (!rc && old != hwpt) {
		/* The entry is there: this needs no memory. */
		xa_store(&idev->pasids, pasid, hwpt, GFP_KERNEL_ACCOUNT);
		pasid_put(idev, pasid, old);
	}
	mutex_unlock(&igroup->lock);
	iommufd_object_done(&hwpt->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_pasid_replace, IOMMUFD);

static void pasid_detach(struct iommufd_device *idev, u32 pasid)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_hwpt *hwpt;

	lockdep_assert_held(&igroup->lock);

	hwpt = xa_load(&idev->pasids, pasid);
	if (!hwpt)
		return;
	idev->hw->set_pasid(idev->dev, pasid, NULL);
	xa_erase(&idev->pasids, pasid);
	igroup->pasids--;
	pasid_put(idev, pasid, hwpt);
}

void iommufd_device_pasid_detach(struct iommufd_device *idev, u32 pasid)
{
	mutex_lock(&idev->igroup->lock);
	pasid_detach(idev, pasid);
	mutex_unlock(&idev->igroup->lock);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_pasid_detach, IOMMUFD);

/** iommufd_device_drop_pasids() - Detach all that are attached */
void iommufd_device_drop_pasids(struct iommufd_device *idev)
{
	struct iommufd_hwpt *hwpt;
	unsigned long pasid;

	mutex_lock(&idev->igroup->lock);
	xa_for_each(&idev->pasids, pasid, hwpt)
		pasid_detach(idev, pasid);
	mutex_unlock(&idev->igroup->lock);
}
