// SPDX-License-Identifier: GPL-2.0-only
/*
 * A real PCI device, natively bound: what a driver does that hands its device to
 * userspace through iommufd and nothing else.
 *
 * It is no driver in the sense of the driver core: the device has none, and must
 * not be removed while it is bound.  DMA ownership keeps drivers away that use
 * the DMA API.
 */
#include <linux/device.h>
#include <linux/iommufd.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "access_test_device.h"
#include "access_test_uapi.h"

/*
 * DMA is allowed last, when the owner of the IOMMU group has changed: what the
 * device began for somebody else is blocked.
 */
static int td_claim(struct access_test_device *td, struct pci_dev *pdev,
		    struct iommufd_ctx *ictx, u32 *id)
{
	struct iommufd_device *idev;
	int rc;

	device_lock_assert(&pdev->dev);

	/* Ownership does not tell of such drivers; of all others it does. */
	if (pdev->driver && pdev->driver->driver_managed_dma)
		return -EBUSY;
	idev = iommufd_device_bind(ictx, &pdev->dev, 0, id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = pci_enable_device(pdev);
	if (rc) {
		iommufd_device_unbind(idev);
		return rc;
	}
	pci_set_master(pdev);
	td->idev = idev;
	td->pdev = pdev;
	return 0;
}

static int td_detach(struct access_test_device *td)
{
	if (!td->attached)
		return -EINVAL;
	iommufd_device_detach(td->idev);
	td->attached = false;
	return 0;
}

static int td_unbind(struct access_test_device *td)
{
	if (!td->pdev)
		return -EINVAL;
	td_detach(td);
	/* Ends DMA, unless the same device is bound through another file. */
	pci_disable_device(td->pdev);
	iommufd_device_unbind(td->idev);
	pci_dev_put(td->pdev);
	td->pdev = NULL;
	return 0;
}

static int td_bind(struct access_test_device *td, void __user *arg)
{
	struct access_test_bind cmd;
	struct iommufd_ctx *ictx;
	struct device *dev;
	int rc;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (td->pdev || !memchr(cmd.name, 0, sizeof(cmd.name)))
		return -EINVAL;

	ictx = iommufd_ctx_from_fd(cmd.iommufd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	dev = bus_find_device_by_name(&pci_bus_type, NULL, cmd.name);
	if (!dev) {
		rc = -ENODEV;
		goto out_put;
	}
	/* No driver comes between the look and the claim. */
	device_lock(dev);
	rc = td_claim(td, to_pci_dev(dev), ictx, &cmd.out_dev_id);
	device_unlock(dev);
	if (rc) {
		put_device(dev);
	} else if (copy_to_user(arg, &cmd, sizeof(cmd))) {
		td_unbind(td);
		rc = -EFAULT;
	}
out_put:
	iommufd_ctx_put(ictx);
	return rc;
}

static int td_attach(struct access_test_device *td, u32 __user *arg)
{
	u32 pt_id;
	int rc;

	if (get_user(pt_id, arg))
		return -EFAULT;
	rc = iommufd_device_attach(td->idev, &pt_id);
	if (rc)
		return rc;
	td->attached = true;
	if (put_user(pt_id, arg)) {
		td_detach(td);
		return -EFAULT;
	}
	return 0;
}

static int td_replace(struct access_test_device *td, u32 __user *arg)
{
	u32 pt_id;
	int rc;

	if (get_user(pt_id, arg))
		return -EFAULT;
	rc = iommufd_device_replace(td->idev, &pt_id);
	return rc ?: put_user(pt_id, arg);
}

static int td_pasid(struct access_test_device *td, unsigned int nr,
		    void __user *arg)
{
	struct access_test_pasid cmd;
	int rc;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (nr == ACCESS_TEST_PASID_ATTACH)
		rc = iommufd_device_pasid_attach(td->idev, cmd.pasid,
						 &cmd.pt_id);
	else
		rc = iommufd_device_pasid_replace(td->idev, cmd.pasid,
						  &cmd.pt_id);
	/* What is attached goes when the device is unbound. */
	if (!rc && copy_to_user(arg, &cmd, sizeof(cmd)))
		rc = -EFAULT;
	return rc;
}

/* Commands for a device that is bound */
static int td_bound_ioctl(struct access_test_device *td, unsigned int cmd,
			  void __user *arg)
{
	if (!td->pdev)
		return -EINVAL;
	switch (cmd) {
	case ACCESS_TEST_DEVICE_ATTACH:
		return td_attach(td, arg);
	case ACCESS_TEST_DEVICE_DETACH:
		return td_detach(td);
	case ACCESS_TEST_DEVICE_REPLACE:
		return td_replace(td, arg);
	default:
		return td_pasid(td, cmd, arg);
	}
}

/**
 * access_test_device_ioctl() - The commands ACCESS_TEST_DEVICE_* and _PASID_*
 * @td: device of the open file
 * @cmd: one of them
 * @arg: its argument
 */
long access_test_device_ioctl(struct access_test_device *td, unsigned int cmd,
			      void __user *arg)
{
	int rc;

	mutex_lock(&td->lock);
	switch (cmd) {
	case ACCESS_TEST_DEVICE_BIND:
		rc = td_bind(td, arg);
		break;
	case ACCESS_TEST_DEVICE_UNBIND:
		rc = td_unbind(td);
		break;
	default:
		rc = td_bound_ioctl(td, cmd, arg);
		break;
	}
	mutex_unlock(&td->lock);
	return rc;
}

/** access_test_device_init() - A file is opened: it has no device */
void access_test_device_init(struct access_test_device *td)
{
	mutex_init(&td->lock);
}

/** access_test_device_release() - The file is closed */
void access_test_device_release(struct access_test_device *td)
{
	td_unbind(td);
	mutex_destroy(&td->lock);
}
