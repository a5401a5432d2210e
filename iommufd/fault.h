/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_FAULT_H
#define IOMMUFD_FAULT_H

#include "object.h"

struct device;
struct iommu_hwpt_pgfault;
struct iommufd_fault;
struct iommufd_hw_ops;
struct iommufd_ucmd;

/**
 * struct iommufd_fault_source - a device that waits for pages
 * @hw: how to answer it
 * @dev: the device
 * @dev_id: its object
 * @attached_as: PASID whose attachment handles it, 0: the device's own
 */
struct iommufd_fault_source {
	const struct iommufd_hw_ops *hw;
	struct device *dev;
	u32 dev_id;
	u32 attached_as;
};

struct iommufd_fault *iommufd_fault_hold(struct iommufd_ctx *ictx, u32 id);
void iommufd_fault_put(struct iommufd_fault *fault);

int iommufd_fault_report(struct iommufd_fault *fault,
			 const struct iommufd_fault_source *source,
			 const struct iommu_hwpt_pgfault *rec);
void iommufd_fault_drop(struct iommufd_fault *fault,
			const struct iommufd_fault_source *source);

int iommufd_fault_alloc(struct iommufd_ucmd *ucmd);

#endif
