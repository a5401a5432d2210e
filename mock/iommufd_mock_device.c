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
#include <linux/slab.h>

#include "iommufd_mock.h"

struct bus_type mock_bus = {
	.name = "iommufd_mock",
	.iommu_ops = &mock_iommu_ops,
};

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
	if (mdev->domain)
		atomic_dec(&mdev->domain->users);
	mdev->domain = mock;
	return 0;
}

/** mock_dev_detach() - iommu_domain_ops.detach_dev of all of the mock's domains */
void mock_dev_detach(struct iommu_domain *domain, struct device *dev)
{
	struct mock_domain *mock = to_mock_domain(domain);
	struct mock_dev *mdev = to_mock_dev(dev);

	if (WARN_ON(mdev->domain != mock))
		return;
	atomic_dec(&mock->users);
	mdev->domain = NULL;
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
	struct mock_domain *old = xa_erase(&mdev->pasids, pasid);

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
	old = xa_store(&mdev->pasids, pasid, mock, GFP_KERNEL_ACCOUNT);
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
	WARN_ON(code > IOMMUFD_PAGE_RESP_INVALID);
	WARN_ON(atomic_dec_return(&to_mock_dev(dev)->requests) < 0);
}

const struct iommufd_hw_ops mock_hw_ops = {
	.owner = THIS_MODULE,
	.iommu_ops = &mock_iommu_ops,
	.capabilities = mock_capabilities,
	.pasid_bits = mock_pasid_bits,
	.hw_info = mock_hw_info,
	.domain_alloc = mock_hwpt_alloc,
	.domain_alloc_nested = mock_hwpt_alloc_nested,
	.set_dirty_tracking = mock_set_dirty_tracking,
	.read_dirty = mock_read_dirty,
	.cache_invalidate = mock_cache_invalidate,
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

	xa_destroy(&mdev->pasids);
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

/**
 * mock_dev_create() - Make a device, in an IOMMU group of its own
 * @flags: MOCK_FLAGS_DEVICE_*
 *
 * Return: the device, or ERR_PTR(-EINVAL) a flag, ERR_PTR(-ENOMEM).
 */
struct mock_dev *mock_dev_create(u32 flags)
{
	struct mock_dev *mdev;
	int rc;

	if (flags & ~(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID))
		return ERR_PTR(-EINVAL);
	mdev = kzalloc(sizeof(*mdev), GFP_KERNEL_ACCOUNT);
	if (!mdev)
		return ERR_PTR(-ENOMEM);
	mdev->flags = flags;
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

	rc = dev_set_name(&mdev->dev, "iommufd_mock%u",
			  (u32)atomic_inc_return(&mock_dev_count));
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
