// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that own a device of the mock, bound and attached, as a driver like
 * vfio-pci does, and its part in the test command.
 */
#define pr_fmt(fmt) "iommufd_mock: " fmt

#include <linux/err.h>

#include "iommufd_mock.h"

static void stdev_destroy(void *data)
{
	struct mock_dev *mdev = data;
	unsigned long pasid;
	void *domain;

	xa_for_each(&mdev->pasids, pasid, domain)
		iommufd_device_pasid_detach(mdev->idev, pasid);
	iommufd_device_detach(mdev->idev);
	iommufd_device_unbind(mdev->idev);
	mock_dev_destroy(mdev);
}

static const struct iommufd_foreign_ops stdev_ops = {
	.owner = THIS_MODULE,
	.destroy = stdev_destroy,
};

static struct iommufd_foreign *get_stdev(struct mock_call *call,
					 struct mock_dev **mdev)
{
	struct iommufd_foreign *stdev;
	void *data;

	stdev = iommufd_foreign_get(call->ictx, call->cmd->id, &stdev_ops,
				    &data);
	if (!IS_ERR(stdev))
		*mdev = data;
	return stdev;
}

static int bind_and_attach(struct mock_call *call, struct mock_dev *mdev)
{
	struct mock_cmd_domain *arg = &call->cmd->mock_domain;
	struct iommufd_device *idev;
	u32 pt_id = call->cmd->id;
	int rc;

	idev = iommufd_device_bind(call->ictx, &mdev->dev, IOMMUFD_BIND_IN_CTX,
				   &arg->out_idev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = iommufd_device_attach(idev, &pt_id);
	if (rc) {
		iommufd_device_unbind(idev);
		return rc;
	}
	arg->out_hwpt_id = pt_id;
	mdev->idev = idev;
	return 0;
}

/** mock_op_domain() - MOCK_DOMAIN and MOCK_DOMAIN_FLAGS */
int mock_op_domain(struct mock_call *call)
{
	struct mock_cmd_domain *arg = &call->cmd->mock_domain;
	struct iommufd_foreign *stdev;
	struct mock_dev *mdev;
	u32 flags = 0;
	int rc;

	if (call->cmd->op == IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS)
		flags = arg->dev_flags;
	stdev = iommufd_foreign_reserve(call->ictx, &stdev_ops,
					&arg->out_stdev_id);
	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	mdev = mock_dev_create(flags, NULL, 0);
	if (IS_ERR(mdev)) {
		rc = PTR_ERR(mdev);
		goto err_abort;
	}
	rc = bind_and_attach(call, mdev);
	if (rc) {
		mock_dev_destroy(mdev);
		goto err_abort;
	}
	rc = mock_respond(call);
	if (rc) {
		stdev_destroy(mdev);
		goto err_abort;
	}
	iommufd_foreign_publish(stdev, mdev);
	return 0;

err_abort:
	iommufd_foreign_abort(stdev);
	return rc;
}

/** mock_op_domain_replace() - MOCK_DOMAIN_REPLACE */
int mock_op_domain_replace(struct mock_call *call)
{
	struct iommufd_foreign *stdev;
	struct mock_dev *mdev;
	int rc;

	stdev = get_stdev(call, &mdev);
	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	rc = iommufd_device_replace(mdev->idev,
				    &call->cmd->mock_domain_replace.pt_id);
	if (!rc)
		rc = mock_respond(call);
	iommufd_foreign_put(stdev);
	return rc;
}

/** mock_op_pasid_attach() - PASID_ATTACH */
int mock_op_pasid_attach(struct mock_call *call)
{
	struct mock_cmd_pasid *arg = &call->cmd->pasid;
	struct iommufd_foreign *stdev;
	struct mock_dev *mdev;
	int rc;

	if (!arg->pasid)
		return -EINVAL;
	stdev = get_stdev(call, &mdev);
	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	rc = iommufd_device_pasid_attach(mdev->idev, arg->pasid, &arg->pt_id);
	if (!rc) {
		rc = mock_respond(call);
		if (rc)
			iommufd_device_pasid_detach(mdev->idev, arg->pasid);
	}
	iommufd_foreign_put(stdev);
	return rc;
}

/** mock_op_pasid_replace() - PASID_REPLACE */
int mock_op_pasid_replace(struct mock_call *call)
{
	struct mock_cmd_pasid *arg = &call->cmd->pasid;
	struct iommufd_foreign *stdev;
	struct mock_dev *mdev;
	int rc;

	if (!arg->pasid)
		return -EINVAL;
	stdev = get_stdev(call, &mdev);
	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	rc = iommufd_device_pasid_replace(mdev->idev, arg->pasid, &arg->pt_id);
	if (!rc)
		rc = mock_respond(call);
	iommufd_foreign_put(stdev);
	return rc;
}

/** mock_op_pasid_detach() - PASID_DETACH */
int mock_op_pasid_detach(struct mock_call *call)
{
	u32 pasid = call->cmd->pasid.pasid;
	struct iommufd_foreign *stdev;
	struct mock_dev *mdev;

	if (!pasid)
		return -EINVAL;
	stdev = get_stdev(call, &mdev);
	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	iommufd_device_pasid_detach(mdev->idev, pasid);
	iommufd_foreign_put(stdev);
	return 0;
}

/*
 * @data is where the device has a domain for the PASID, and nobody follows that
 * pointer: it may be gone by now.
 */
static int is_domain(struct iommu_domain *domain, void *data)
{
	return data && to_mock_domain(domain) == data ? 0 : -EINVAL;
}

/** mock_op_pasid_check() - PASID_CHECK_HWPT */
int mock_op_pasid_check(struct mock_call *call)
{
	struct mock_cmd_pasid *arg = &call->cmd->pasid;
	struct iommufd_foreign *stdev;
	struct mock_dev *mdev;
	void *attached;
	int rc = 0;

	if (!arg->pasid)
		return -EINVAL;
	stdev = get_stdev(call, &mdev);
	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	attached = xa_load(&mdev->pasids, arg->pasid);
	if (arg->pt_id)
		rc = iommufd_hwpt_call(call->ictx, arg->pt_id, is_domain,
				       attached);
	else if (attached)
		rc = -EINVAL;
	iommufd_foreign_put(stdev);
	return rc;
}
