// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU drivers that offer userspace more than what 6.1's iommu_ops can express.
 */
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommufd.h>

#include "hw.h"

struct hw_driver {
	struct list_head item;
	const struct iommufd_hw_ops *ops;
};

static DEFINE_MUTEX(drivers_lock);
static LIST_HEAD(drivers); /* of struct hw_driver; drivers_lock */

static struct hw_driver *hw_driver_find(const struct iommu_ops *iommu_ops)
{
	struct hw_driver *driver;

	lockdep_assert_held(&drivers_lock);

	list_for_each_entry(driver, &drivers, item) {
		if (driver->ops->iommu_ops == iommu_ops)
			return driver;
	}
	return NULL;
}

int iommufd_hw_register(const struct iommufd_hw_ops *ops)
{
	struct hw_driver *driver;
	int rc = 0;

	driver = kzalloc(sizeof(*driver), GFP_KERNEL);
	if (!driver)
		return -ENOMEM;
	driver->ops = ops;

	mutex_lock(&drivers_lock);
	if (hw_driver_find(ops->iommu_ops))
		rc = -EBUSY;
	else
		list_add_tail(&driver->item, &drivers);
	mutex_unlock(&drivers_lock);
	if (rc)
		kfree(driver);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_hw_register, IOMMUFD);

void iommufd_hw_unregister(const struct iommufd_hw_ops *ops)
{
	struct hw_driver *driver;

	mutex_lock(&drivers_lock);
	driver = hw_driver_find(ops->iommu_ops);
	if (!WARN_ON(!driver))
		list_del(&driver->item);
	mutex_unlock(&drivers_lock);
	kfree(driver);
}
EXPORT_SYMBOL_NS_GPL(iommufd_hw_unregister, IOMMUFD);

/**
 * iommufd_hw_get() - What a device's IOMMU driver adds
 * @dev: device
 *
 * Return: its operations, for iommufd_hw_put(), or NULL: none.
 */
const struct iommufd_hw_ops *iommufd_hw_get(struct device *dev)
{
	const struct iommufd_hw_ops *ops = NULL;
	struct hw_driver *driver;

	if (!dev->iommu || !dev->iommu->iommu_dev)
		return NULL;
	mutex_lock(&drivers_lock);
	driver = hw_driver_find(dev_iommu_ops(dev));
	if (driver && try_module_get(driver->ops->owner))
		ops = driver->ops;
	mutex_unlock(&drivers_lock);
	return ops;
}

/** iommufd_hw_put() - Undo iommufd_hw_get(); @hw may be NULL */
void iommufd_hw_put(const struct iommufd_hw_ops *hw)
{
	if (hw)
		module_put(hw->owner);
}

/* ------------------------------------------------------------------ */
/* A driver's own data */

int iommufd_copy_user_data(void *dst, size_t size, size_t min_size,
			   const struct iommufd_user_data *src, u32 type)
{
	size_t known = min_t(size_t, size, src->len);

	if (src->type != type || src->len < min_size)
		return -EINVAL;
	if (memchr_inv(src->data + known, 0, src->len - known))
		return -E2BIG;
	memcpy(dst, src->data, known);
	memset(dst + known, 0, size - known);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_copy_user_data, IOMMUFD);

int iommufd_copy_user_entry(void *dst, size_t size, size_t min_size,
			    const struct iommufd_user_array *src, u32 type,
			    u32 index)
{
	u64 uptr = src->uptr + (u64)src->entry_len * index;

	if (src->type != type || index >= src->entry_num ||
	    src->entry_len < min_size)
		return -EINVAL;
	return copy_struct_from_user(dst, size, u64_to_user_ptr(uptr),
				     src->entry_len);
}
EXPORT_SYMBOL_NS_GPL(iommufd_copy_user_entry, IOMMUFD);
