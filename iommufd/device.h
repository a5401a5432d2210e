/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_DEVICE_H
#define IOMMUFD_DEVICE_H

#include <linux/iommufd.h>

#include "hwpt.h"

/**
 * struct iommufd_group - an IOMMU group that is bound to a context
 * @ictx: context
 * @group: the group; a reference is held
 * @id: iommu_group_id(), in ictx->groups
 * @devices: struct iommufd_device that are bound; ictx->groups_lock
 * @owner_held: somebody else holds DMA ownership for us
 * @lock: protects @hwpt and @attached; taken before the mutex of an IOAS
 * @hwpt: where the group is attached, or NULL
 * @attached: devices that are attached
 */
struct iommufd_group {
	struct iommufd_ctx *ictx;
	struct iommu_group *group;
	unsigned long id;
	unsigned int devices;
	bool owner_held;
	struct mutex lock;
	struct iommufd_hwpt *hwpt;
	unsigned int attached;
};

/**
 * struct iommufd_device - a device, or a whole group, that is bound
 * @obj: object
 * @igroup: its group
 * @attached: attached to igroup->hwpt; igroup->lock
 */
struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_group *igroup;
	bool attached;
};

extern bool iommufd_allow_unsafe_interrupts;

#endif
