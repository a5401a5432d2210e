/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the mock IOMMU.
 *
 * domain: IO page tables, which check what real IOMMU drivers take for granted.
 * device: the bus, its devices, what the IOMMU core asks of them.
 * stdev and access: devices and in-kernel users that belong to a context.
 * main: the test command.
 */
#ifndef MOCK_IOMMUFD_MOCK_H
#define MOCK_IOMMUFD_MOCK_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/xarray.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_mock_uapi.h"

/**
 * struct mock_domain - base of each domain of the mock
 * @domain: for the IOMMU core
 * @users: devices and PASIDs that are attached, nested domains on top; it must
 *	not be freed while there are any
 * @can_track: made for dirty tracking, so devices without are refused
 */
struct mock_domain {
	struct iommu_domain domain;
	atomic_t users;
	bool can_track;
};

/**
 * struct mock_dev - a device
 * @dev: device of mock_bus
 * @iommu: what @dev->iommu points to
 * @flags: MOCK_FLAGS_DEVICE_*
 * @idev: for as long as it is bound
 * @domain: that it is attached to; group's mutex
 * @pasids: domains by PASID; iommufd.ko makes one call at a time for a device
 * @fail_reserved: the next attempt to attach IOMMU_TEST_PASID_RESERVED fails; as
 *	@pasids
 * @iopf: how often page requests were enabled
 * @requests: page requests without an answer
 */
struct mock_dev {
	struct device dev;
	struct dev_iommu iommu;
	u32 flags;
	struct iommufd_device *idev;
	struct mock_domain *domain;
	struct xarray pasids;
	bool fail_reserved;
	atomic_t iopf;
	atomic_t requests;
};

/**
 * struct mock_call - a test command at work
 * @ictx: context
 * @cmd: the struct
 * @ubuffer: the caller's
 * @user_size: bytes that the caller's has
 */
struct mock_call {
	struct iommufd_ctx *ictx;
	struct iommu_test_cmd *cmd;
	void __user *ubuffer;
	size_t user_size;
};

int mock_respond(struct mock_call *call);
struct page *mock_peek_user_page(unsigned long uaddr);

/* domain */
extern const struct iommu_domain_ops mock_paging_ops;

struct mock_domain *to_mock_domain(struct iommu_domain *domain);
struct iommu_domain *mock_domain_alloc(unsigned int type);
struct iommu_domain *mock_hwpt_alloc(struct device *dev, u32 flags,
				     const struct iommufd_user_data *data);
struct iommu_domain *
mock_hwpt_alloc_nested(struct device *dev, struct iommu_domain *parent,
		       u32 flags, const struct iommufd_user_data *data);
int mock_set_dirty_tracking(struct iommu_domain *domain, bool enable);
int mock_read_dirty(struct iommu_domain *domain, unsigned long iova,
		    unsigned long length, bool clear,
		    struct iommufd_dirty_bitmap *bitmap);
int mock_cache_invalidate(struct iommu_domain *domain,
			  struct iommufd_user_array *array);
bool mock_domain_is_tracking(struct iommu_domain *domain);
bool mock_domain_write(struct iommu_domain *domain, unsigned long iova);
int mock_domain_check_iotlb(struct iommu_domain *domain, u32 index, u32 value);

/* device */
extern const struct iommu_ops mock_iommu_ops;
extern const struct iommufd_hw_ops mock_hw_ops;
extern struct bus_type mock_bus;

struct mock_dev *to_mock_dev(struct device *dev);
struct mock_dev *mock_dev_create(u32 flags);
void mock_dev_destroy(struct mock_dev *mdev);
int mock_dev_attach(struct iommu_domain *domain, struct device *dev);
void mock_dev_detach(struct iommu_domain *domain, struct device *dev);
int mock_dev_request_page(struct mock_dev *mdev,
			  const struct mock_cmd_trigger_iopf *request);

/* stdev */
int mock_op_domain(struct mock_call *call);
int mock_op_domain_replace(struct mock_call *call);
int mock_op_pasid_attach(struct mock_call *call);
int mock_op_pasid_replace(struct mock_call *call);
int mock_op_pasid_detach(struct mock_call *call);
int mock_op_pasid_check(struct mock_call *call);

/* access */
int mock_op_create_access(struct mock_call *call);
int mock_op_access_replace(struct mock_call *call);
int mock_op_access_pages(struct mock_call *call);
int mock_op_destroy_access_pages(struct mock_call *call);
int mock_op_access_rw(struct mock_call *call);

#endif
