// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: devices of the mock IOMMU that are VFIO devices, so that a VFIO
 * container can have them.  They have no regions and no interrupts; what they do is
 * asked for by MOCK_VFIO_DMA.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "iommufd_mock.h"

static unsigned int vfio_devices;
module_param(vfio_devices, uint, 0444);
MODULE_PARM_DESC(vfio_devices, "How many devices to make (default 0, 8 at most)");

static unsigned int vfio_flags[MOCK_VFIO_DEVICES_MAX] = {
	[0 ... MOCK_VFIO_DEVICES_MAX - 1] = MOCK_FLAGS_DEVICE_PASID,
};
module_param_array(vfio_flags, uint, NULL, 0444);
MODULE_PARM_DESC(vfio_flags, "What each has: MOCK_FLAGS_DEVICE_* (default 4, PASIDs)");

/**
 * struct mock_vfio - a VFIO device
 * @vdev: what vfio.ko knows
 * @mdev: the device, which its driver keeps
 */
struct mock_vfio {
	struct vfio_device vdev;
	struct mock_dev *mdev;
};

static struct mock_dev *devices[MOCK_VFIO_DEVICES_MAX];

static int open_device(struct vfio_device *vdev)
{
	return 0;
}

static void close_device(struct vfio_device *vdev)
{
}

static int get_info(void __user *uarg)
{
	const size_t size = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info;

	if (copy_from_user(&info, uarg, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	info.flags = 0;
	info.num_regions = 0;
	info.num_irqs = 0;
	return copy_to_user(uarg, &info, size) ? -EFAULT : 0;
}

static long device_ioctl(struct vfio_device *vdev, unsigned int cmd,
			 unsigned long arg)
{
	struct mock_vfio *vfio = container_of(vdev, struct mock_vfio, vdev);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(uarg);
	case MOCK_VFIO_DMA:
		return mock_dma_user(vfio->mdev, uarg);
	case MOCK_VFIO_STAGE1:
		return mock_stage1_user(vfio->mdev, uarg);
	default:
		return -ENOTTY;
	}
}

static const struct vfio_device_ops vfio_ops = {
	.name = MOCK_VFIO_NAME,
	.release = vfio_free_device,
	.open_device = open_device,
	.close_device = close_device,
	.ioctl = device_ioctl,
};

static int mock_vfio_probe(struct device *dev)
{
	struct mock_vfio *vfio;
	int rc;

	vfio = vfio_alloc_device(mock_vfio, vdev, dev, &vfio_ops);
	if (IS_ERR(vfio))
		return PTR_ERR(vfio);
	vfio->mdev = container_of(dev, struct mock_dev, dev);
	rc = vfio_register_group_dev(&vfio->vdev);
	if (rc) {
		vfio_put_device(&vfio->vdev);
		return rc;
	}
	dev_set_drvdata(dev, vfio);
	return 0;
}

static int mock_vfio_remove(struct device *dev)
{
	struct mock_vfio *vfio = dev_get_drvdata(dev);

	vfio_unregister_group_dev(&vfio->vdev);
	vfio_put_device(&vfio->vdev);
	return 0;
}

/* vfio.ko takes a reference on the driver's module. */
static struct device_driver mock_vfio_driver = {
	.name = MOCK_VFIO_NAME,
	.bus = &mock_bus,
	.owner = THIS_MODULE,
	.probe = mock_vfio_probe,
	.remove = mock_vfio_remove,
};

static void destroy_devices(unsigned int n)
{
	while (n--)
		mock_dev_destroy(devices[n]);
}

static int __init mock_vfio_init(void)
{
	unsigned int i;
	int rc;

	if (vfio_devices > MOCK_VFIO_DEVICES_MAX)
		return -EINVAL;
	for (i = 0; i != vfio_devices; i++) {
		devices[i] = mock_dev_create(vfio_flags[i], MOCK_VFIO_NAME, i);
		if (IS_ERR(devices[i])) {
			rc = PTR_ERR(devices[i]);
			goto err_destroy;
		}
	}
	/* Now, since a device has its group only when it is complete. */
	rc = driver_register(&mock_vfio_driver);
	if (!rc)
		return 0;
err_destroy:
	destroy_devices(i);
	return rc;
}

static void __exit mock_vfio_exit(void)
{
	driver_unregister(&mock_vfio_driver);
	destroy_devices(vfio_devices);
}

module_init(mock_vfio_init);
module_exit(mock_vfio_exit);

MODULE_IMPORT_NS(IOMMUFD_MOCK);
MODULE_DESCRIPTION("VFIO devices of the mock IOMMU");
MODULE_LICENSE("GPL");
