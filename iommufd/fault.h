/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_FAULT_H
#define IOMMUFD_FAULT_H

#include "object.h"

struct device;
struct iommu_fault_unrecoverable;
struct iommu_hwpt_pgfault;
struct iommu_nesting_fault_alloc;
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
void iommufd_fault_hold_again(struct iommufd_fault *fault);

int iommufd_fault_report(struct iommufd_fault *fault,
			 const struct iommufd_fault_source *source,
			 const struct iommu_hwpt_pgfault *rec);
void iommufd_fault_drop(struct iommufd_fault *fault,
			const struct iommufd_fault_source *source);

void iommufd_fault_report_event(struct iommufd_fault *fault,
				const struct iommu_fault_unrecoverable *event);
unsigned long iommufd_fault_count_lost(void);

struct iommufd_fault *iommufd_fault_new_vfio(struct iommufd_ctx *ictx);
void iommufd_fault_put_vfio(struct iommufd_fault *fault);
int iommufd_fault_open_vfio(struct iommufd_fault *fault,
			    struct iommu_nesting_fault_alloc __user *ucmd);

int iommufd_fault_alloc(struct iommufd_ucmd *ucmd);

#endif
