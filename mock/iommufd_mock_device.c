// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's bus and devices, and what the IOMMU core asks of them.
 *
 * 6.1 has room for one IOMMU driver, on the buses that it knows, so the mock has a
 * bus of its own, which the IOMMU core does not watch: what it does when a device
 * comes or goes is done here.  There is no default domain, so a device that nobody
 * owns is attached to nothing.
 */
#define pr_fmt(fmt) "iommufd_mock: " fmt

#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "iommufd_mock.h"

/* No driver but the one that has made it may have a device. */
static int mock_bus_match(struct device *dev, struct device_driver *drv)
{
	struct mock_dev *mdev = container_of(dev, struct mock_dev, dev);

	return mdev->driver && !strcmp(mdev->driver, drv->name);
}

struct bus_type mock_bus = {
	.name = "iommufd_mock",
	.match = mock_bus_match,
	.iommu_ops = &mock_iommu_ops,
};
EXPORT_SYMBOL_NS_GPL(mock_bus, IOMMUFD_MOCK);

static struct iommu_device mock_iommu = {
	.ops = &mock_iommu_ops,
	.max_pasids = 1 << MOCK_PASID_WIDTH,
};

static atomic_t mock_dev_count = ATOMIC_INIT(0);

/**
 * to_mock_dev() - Whose device is it
 * @dev: any
 *
 * Return: the mock's device, or NULL for one that is real.
 */
struct mock_dev *to_mock_dev(struct device *dev)
{
	if (dev->bus != &mock_bus)
		return NULL;
	return container_of(dev, struct mock_dev, dev);
}

/* ------------------------------------------------------------------ */
/* iommu_ops */

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY || cap == IOMMU_CAP_INTR_REMAP;
}

const struct iommu_ops mock_iommu_ops = {
	.owner = THIS_MODULE,
	.capable = mock_capable,
	.domain_alloc = mock_domain_alloc,
	.default_domain_ops = &mock_paging_ops,
};

/* A device that is attached to nothing may request pages again, once it is. */
static void reset_if_idle(struct mock_dev *mdev)
{
	lockdep_assert_held(&mdev->lock);

	if ((!mdev->domain || mock_domain_is_blocked(mdev->domain)) &&
	    xa_empty(&mdev->pasids))
		mock_dma_reset(mdev);
}

static void move_dev(struct mock_dev *mdev, struct mock_domain *to)
{
	struct mock_domain *from = mdev->domain;

	mutex_lock(&mdev->lock);
	mdev->domain = to;
	mock_cache_detach(mdev, 0, !to);
	reset_if_idle(mdev);
	mutex_unlock(&mdev->lock);
	if (from)
		atomic_dec(&from->users);
}

/**
 * mock_dev_attach() - iommu_domain_ops.attach_dev of all of the mock's domains
 * @domain: domain of the mock
 * @dev: device of the mock, alone in its group
 *
 * Also moves the device from another domain: the IOMMU core calls detach_dev only
 * when there is no next one.
 *
 * Return: 0, or -EINVAL @domain tracks dirty pages, and @dev cannot.
 * Context: under the mutex of the device's group.
 */
int mock_dev_attach(struct iommu_domain *domain, struct device *dev)
{
	struct mock_domain *mock = to_mock_domain(domain);
	struct mock_dev *mdev = to_mock_dev(dev);

	if (mock->can_track && (mdev->flags & MOCK_FLAGS_DEVICE_NO_DIRTY))
		return -EINVAL;
	atomic_inc(&mock->users);
	move_dev(mdev, mock);
	return 0;
}

/** mock_dev_detach() - iommu_domain_ops.detach_dev of all of the mock's domains */
void mock_dev_detach(struct iommu_domain *domain, struct device *dev)
{
	struct mock_domain *mock = to_mock_domain(domain);
	struct mock_dev *mdev = to_mock_dev(dev);

	if (WARN_ON(mdev->domain != mock))
		return;
	move_dev(mdev, NULL);
}

/* ------------------------------------------------------------------ */
/* iommufd_hw_ops: the core calls them for devices of these iommu_ops only */

static u64 mock_capabilities(struct device *dev)
{
	if (to_mock_dev(dev)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY)
		return 0;
	return IOMMU_HW_CAP_DIRTY_TRACKING;
}

static unsigned int mock_pasid_bits(struct device *dev)
{
	if (to_mock_dev(dev)->flags & MOCK_FLAGS_DEVICE_PASID)
		return MOCK_PASID_WIDTH;
	return 0;
}

static void *mock_hw_info(struct device *dev, u32 *type, u32 *length)
{
	static const struct iommu_test_hw_info regs = {
		.test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL,
	};
	void *copy;

	switch (*type) {
	case IOMMU_HW_INFO_TYPE_DEFAULT:
		*type = IOMMU_HW_INFO_TYPE_SELFTEST;
		break;
	case IOMMU_HW_INFO_TYPE_SELFTEST:
		break;
	default:
		return ERR_PTR(-EOPNOTSUPP);
	}
	*length = sizeof(regs);
	copy = kmemdup(&regs, sizeof(regs), GFP_KERNEL_ACCOUNT);
	return copy ?: ERR_PTR(-ENOMEM);
}

static void block_pasid(struct mock_dev *mdev, u32 pasid)
{
	struct mock_domain *old;

	mutex_lock(&mdev->lock);
	old = xa_erase(&mdev->pasids, pasid);
	mock_cache_detach(mdev, pasid, true);
	reset_if_idle(mdev);
	mutex_unlock(&mdev->lock);
	if (old)
		atomic_dec(&old->users);
	if (pasid == IOMMU_TEST_PASID_RESERVED)
		mdev->fail_reserved = false;
}

static int mock_set_pasid(struct device *dev, u32 pasid,
			  struct iommu_domain *domain)
{
	struct mock_dev *mdev = to_mock_dev(dev);
	struct mock_domain *mock, *old;

	if (WARN_ON(!pasid || pasid >> mock_pasid_bits(dev)))
		return -EINVAL;
	if (!domain) {
		block_pasid(mdev, pasid);
		return 0;
	}
	mock = to_mock_domain(domain);
	if (WARN_ON(!mock))
		return -EINVAL;
	if (mock->can_track && (mdev->flags & MOCK_FLAGS_DEVICE_NO_DIRTY))
		return -EINVAL;
	if (pasid == IOMMU_TEST_PASID_RESERVED) {
		mdev->fail_reserved = !mdev->fail_reserved;
		if (!mdev->fail_reserved)
			return -ENOMEM;
	}
	mutex_lock(&mdev->lock);
	old = xa_store(&mdev->pasids, pasid, mock, GFP_KERNEL_ACCOUNT);
	if (!xa_is_err(old))
		mock_cache_detach(mdev, pasid, false);
	mutex_unlock(&mdev->lock);
	if (xa_is_err(old)) {
		if (pasid == IOMMU_TEST_PASID_RESERVED)
			mdev->fail_reserved = false;
		return xa_err(old);
	}
	atomic_inc(&mock->users);
	if (old)
		atomic_dec(&old->users);
	return 0;
}

static int mock_enable_iopf(struct device *dev)
{
	mock_dma_reset(to_mock_dev(dev));
	atomic_inc(&to_mock_dev(dev)->iopf);
	return 0;
}

static void mock_disable_iopf(struct device *dev)
{
	WARN_ON(atomic_dec_return(&to_mock_dev(dev)->iopf) < 0);
}

static void mock_page_response(struct device *dev,
			       const struct iommu_hwpt_pgfault *fault, u32 code)
{
	struct mock_dev *mdev = to_mock_dev(dev);

	WARN_ON(code > IOMMU_PAGE_RESP_FAILURE);
	if (!mock_dma_answer(mdev, fault, code))
		WARN_ON(atomic_dec_return(&mdev->requests) < 0);
}

const struct iommufd_hw_ops mock_hw_ops = {
	.owner = THIS_MODULE,
	.iommu_ops = &mock_iommu_ops,
	.capabilities = mock_capabilities,
	.pasid_bits = mock_pasid_bits,
	.hw_info = mock_hw_info,
	.domain_alloc = mock_hwpt_alloc,
	.domain_alloc_nested = mock_hwpt_alloc_nested,
	.domain_alloc_stage1 = mock_domain_alloc_stage1,
	.stage1_invalidate = mock_stage1_invalidate,
	.set_dirty_tracking = mock_set_dirty_tracking,
	.read_dirty = mock_read_dirty,
	.cache_invalidate = mock_hwpt_invalidate,
	.set_pasid = mock_set_pasid,
	.enable_iopf = mock_enable_iopf,
	.disable_iopf = mock_disable_iopf,
	.page_response = mock_page_response,
};

/* ------------------------------------------------------------------ */
/* Devices */

static void mock_dev_release(struct device *dev)
{
	struct mock_dev *mdev = container_of(dev, struct mock_dev, dev);

	/* DMA that waited has found nothing attached, and may remember that. */
	mock_cache_device_gone(mdev);
	WARN_ON(!list_empty(&mdev->waits));
	xa_destroy(&mdev->pasids);
	mutex_destroy(&mdev->lock);
	mutex_destroy(&mdev->iommu.lock);
	kfree(mdev);
}

static int join_group(struct mock_dev *mdev)
{
	struct iommu_group *group;
	int rc;

	group = iommu_group_alloc();
	if (IS_ERR(group))
		return PTR_ERR(group);
	rc = iommu_group_add_device(group, &mdev->dev);
	/* If the device is in, it keeps the group. */
	iommu_group_put(group);
	return rc;
}

static int name_dev(struct mock_dev *mdev, unsigned int nr)
{
	if (mdev->driver)
		return dev_set_name(&mdev->dev, "%s.%u", mdev->driver, nr);
	return dev_set_name(&mdev->dev, "iommufd_mock%u",
			    (u32)atomic_inc_return(&mock_dev_count));
}

static struct mock_dev *alloc_dev(u32 flags, const char *driver)
{
	struct mock_dev *mdev = kzalloc(sizeof(*mdev), GFP_KERNEL_ACCOUNT);

	if (!mdev)
		return NULL;
	mdev->flags = flags;
	mdev->driver = driver;
	mutex_init(&mdev->lock);
	spin_lock_init(&mdev->pri_lock);
	INIT_LIST_HEAD(&mdev->waits);
	xa_init_flags(&mdev->pasids, XA_FLAGS_ACCOUNT);
	mutex_init(&mdev->iommu.lock);
	mdev->iommu.iommu_dev = &mock_iommu;

	device_initialize(&mdev->dev);
	mdev->dev.release = mock_dev_release;
	mdev->dev.bus = &mock_bus;
	/* The IOMMU core, which would free its own, does not know this bus. */
	mdev->dev.iommu = &mdev->iommu;
	/* Thousands come and go, and no program waits for one. */
	dev_set_uevent_suppress(&mdev->dev, true);
	return mdev;
}

/**
 * mock_dev_create() - Make a device, in an IOMMU group of its own
 * @flags: MOCK_FLAGS_DEVICE_*
 * @driver: name of the driver on mock_bus that may have it, or NULL: none may
 * @nr: with @driver: the device's number
 *
 * Return: the device, or ERR_PTR(-EINVAL) a flag, ERR_PTR(-ENOMEM).
 */
struct mock_dev *mock_dev_create(u32 flags, const char *driver, unsigned int nr)
{
	struct mock_dev *mdev;
	int rc;

	if (flags & ~(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID |
		      MOCK_FLAGS_DEVICE_NO_NESTING))
		return ERR_PTR(-EINVAL);
	mdev = alloc_dev(flags, driver);
	if (!mdev)
		return ERR_PTR(-ENOMEM);
	rc = name_dev(mdev, nr);
	if (rc)
		goto err_put;
	rc = device_add(&mdev->dev);
	if (rc)
		goto err_put;
	rc = join_group(mdev);
	if (rc)
		goto err_del;
	return mdev;

err_del:
	device_del(&mdev->dev);
err_put:
	put_device(&mdev->dev);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_NS_GPL(mock_dev_create, IOMMUFD_MOCK);

/**
 * mock_dev_destroy() - Undo mock_dev_create()
 * @mdev: device that nothing is attached to
 */
void mock_dev_destroy(struct mock_dev *mdev)
{
	WARN_ON(mdev->domain);
	WARN_ON(!xa_empty(&mdev->pasids));
	WARN_ON(atomic_read(&mdev->iopf));
	WARN_ON(atomic_read(&mdev->requests));
	iommu_group_remove_device(&mdev->dev);
	device_unregister(&mdev->dev);
}
EXPORT_SYMBOL_NS_GPL(mock_dev_destroy, IOMMUFD_MOCK);

/**
 * mock_dev_request_page() - Do as a device that lacks a page
 * @mdev: bound device
 * @request: what it wants
 *
 * Return: 0, -EINVAL unknown permissions, or as iommufd_report_device_fault().
 */
int mock_dev_request_page(struct mock_dev *mdev,
			  const struct mock_cmd_trigger_iopf *request)
{
	struct iommu_hwpt_pgfault fault = {
		.flags = IOMMU_PGFAULT_FLAGS_LAST_PAGE,
		.pasid = request->pasid,
		.grpid = request->grpid,
		.perm = request->perm,
		.addr = request->addr,
	};
	int rc;

	if (request->perm & ~(IOMMU_PGFAULT_PERM_READ |
			      IOMMU_PGFAULT_PERM_WRITE |
			      IOMMU_PGFAULT_PERM_EXEC |
			      IOMMU_PGFAULT_PERM_PRIV))
		return -EINVAL;
	if (request->pasid)
		fault.flags |= IOMMU_PGFAULT_FLAGS_PASID_VALID;

	/* First, as the answer may be quicker than this function. */
	atomic_inc(&mdev->requests);
	rc = iommufd_report_device_fault(&mdev->dev, &fault);
	if (rc)
		atomic_dec(&mdev->requests);
	return rc;
}
