// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page requests of devices: which HWPT's fault queue they go to.
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <uapi/linux/iommufd.h>

#include "device.h"
#include "fault.h"

static DEFINE_SPINLOCK(reporters_lock);
static LIST_HEAD(reporters); /* iommufd_device.reporter; reporters_lock */

/** iommufd_iopf_add() - Let a device be found when it reports a fault */
void iommufd_iopf_add(struct iommufd_device *idev)
{
	spin_lock(&reporters_lock);
	list_add(&idev->reporter, &reporters);
	spin_unlock(&reporters_lock);
}

/** iommufd_iopf_remove() - Undo; reports that are under way have it in use */
void iommufd_iopf_remove(struct iommufd_device *idev)
{
	spin_lock(&reporters_lock);
	list_del(&idev->reporter);
	spin_unlock(&reporters_lock);
}

/* The device in use, or NULL */
static struct iommufd_device *find_reporter(struct device *dev)
{
	struct iommufd_device *idev, *found = NULL;
	struct xarray *objects;

	spin_lock(&reporters_lock);
	list_for_each_entry(idev, &reporters, reporter) {
		if (idev->dev != dev)
			continue;
		found = idev;
		objects = &idev->obj.ictx->objects;
		xa_lock(objects);
		iommufd_object_use(&idev->obj);
		xa_unlock(objects);
		break;
	}
	spin_unlock(&reporters_lock);
	return found;
}

static void source_init(struct iommufd_fault_source *source,
			struct iommufd_device *idev, u32 pasid)
{
	source->hw = idev->hw;
	source->dev = idev->dev;
	source->dev_id = idev->obj.id;
	source->attached_as = pasid;
}

/**
 * iommufd_iopf_enable() - A device is being attached to an HWPT
 * @idev: device; igroup->lock held
 * @hwpt: HWPT; if it has a fault queue the device's page requests are wanted
 *
 * Return: 0; -EOPNOTSUPP the IOMMU has none; the IOMMU driver's error.
 */
int iommufd_iopf_enable(struct iommufd_device *idev, struct iommufd_hwpt *hwpt)
{
	int rc = 0;

	lockdep_assert_held(&idev->igroup->lock);

	if (!hwpt->fault)
		return 0;
	if (!idev->hw || !idev->hw->enable_iopf)
		return -EOPNOTSUPP;
	if (!idev->iopf_users)
		rc = idev->hw->enable_iopf(idev->dev);
	if (!rc)
		idev->iopf_users++;
	return rc;
}

/** iommufd_iopf_disable() - Undo iommufd_iopf_enable(): it is not attached */
void iommufd_iopf_disable(struct iommufd_device *idev,
			  struct iommufd_hwpt *hwpt)
{
	lockdep_assert_held(&idev->igroup->lock);

	if (!hwpt->fault)
		return;
	if (!--idev->iopf_users && idev->hw->disable_iopf)
		idev->hw->disable_iopf(idev->dev);
}

/**
 * iommufd_iopf_leave() - A device leaves an HWPT
 * @idev: device; igroup->lock held
 * @hwpt: HWPT
 * @pasid: that was attached, 0: the device's own
 *
 * What is not answered is answered: it does not work.
 */
void iommufd_iopf_leave(struct iommufd_device *idev, struct iommufd_hwpt *hwpt,
			u32 pasid)
{
	struct iommufd_fault_source source;

	if (!hwpt->fault)
		return;
	source_init(&source, idev, pasid);
	iommufd_fault_drop(hwpt->fault, &source);
	iommufd_iopf_disable(idev, hwpt);
}

/* Who handles the requests of a PASID, and as what it is attached */
static struct iommufd_hwpt *find_handler(struct iommufd_device *idev,
					 const struct iommu_hwpt_pgfault *rec,
					 u32 *attached_as)
{
	struct iommufd_hwpt *hwpt = NULL;

	lockdep_assert_held(&idev->igroup->lock);

	*attached_as = 0;
	if (rec->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID) {
		hwpt = xa_load(&idev->pasids, rec->pasid);
		if (hwpt) {
			*attached_as = rec->pasid;
			return hwpt;
		}
	}
	if (!idev->attached)
		return NULL;
	hwpt = idev->igroup->hwpt;
	/* A nested page table has the PASIDs of its guest. */
	if ((rec->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID) && !hwpt->parent)
		return NULL;
	return hwpt;
}

static int report_fault(struct iommufd_device *idev,
			const struct iommu_hwpt_pgfault *rec)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_fault_source source;
	struct iommufd_hwpt *hwpt;
	u32 attached_as;
	int rc = -ENODEV;

	mutex_lock(&igroup->lock);
	hwpt = find_handler(idev, rec, &attached_as);
	if (hwpt && hwpt->fault) {
		source_init(&source, idev, attached_as);
		rc = iommufd_fault_report(hwpt->fault, &source, rec);
	}
	mutex_unlock(&igroup->lock);
	return rc;
}

int iommufd_report_device_fault(struct device *dev,
				const struct iommu_hwpt_pgfault *rec)
{
	struct iommufd_device *idev = find_reporter(dev);
	int rc;

	if (!idev)
		return -ENODEV;
	rc = report_fault(idev, rec);
	iommufd_object_done(&idev->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_report_device_fault, IOMMUFD);

void iommufd_report_device_event(struct device *dev,
				 const struct iommu_fault_unrecoverable *event)
{
	struct iommufd_device *idev = find_reporter(dev);

	if (!idev)
		return;
	mutex_lock(&idev->igroup->lock);
	if (idev->events)
		iommufd_fault_report_event(idev->events, event);
	mutex_unlock(&idev->igroup->lock);
	iommufd_object_done(&idev->obj);
}
EXPORT_SYMBOL_NS_GPL(iommufd_report_device_event, IOMMUFD);
