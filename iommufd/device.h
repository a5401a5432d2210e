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
 * @lock: protects all below; taken before the mutex of an IOAS
 * @hwpt: where the group is attached, or NULL
 * @blocked: it is attached to nothing, as its IOMMU driver did not take it back
 * @attached: devices that are attached
 * @pasids: PASIDs of its devices that are attached
 * @token: which of @tokens owns the IOVAs that the group reserves where it is
 * @tokens: two, so that a group can reserve anew before it lets go of the old
 */
struct iommufd_group {
	struct iommufd_ctx *ictx;
	struct iommu_group *group;
	unsigned long id;
	unsigned int devices;
	bool owner_held;
	struct mutex lock;
	struct iommufd_hwpt *hwpt;
	bool blocked;
	unsigned int attached;
	unsigned int pasids;
	unsigned int token;
	u8 tokens[2];
};

/**
 * struct iommufd_device - a device, or a whole group, that is bound
 * @obj: object
 * @igroup: its group
 * @dev: the device, or NULL: bound as a group
 * @hw: what its IOMMU driver adds, with a reference, or NULL
 * @reporter: with @hw, in the list of those that may report faults
 * @events: queue of a VFIO container that wants to know of DMA that failed, or NULL;
 *	igroup->lock
 * @in_ctx: belongs to an object of the context, and holds no reference on that
 * @attached: attached to igroup->hwpt; igroup->lock
 * @iopf_users: attachments that want its page requests; igroup->lock
 * @pasids: struct iommufd_hwpt by PASID; igroup->lock
 */
struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_group *igroup;
	struct device *dev;
	const struct iommufd_hw_ops *hw;
	struct list_head reporter;
	struct iommufd_fault *events;
	bool in_ctx;
	bool attached;
	unsigned int iopf_users;
	struct xarray pasids;
};

extern bool iommufd_allow_unsafe_interrupts;

static inline struct iommufd_device *iommufd_device_find(struct iommufd_ctx *ictx,
							 u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_find(ictx, id, IOMMUFD_OBJ_DEVICE);

	return IS_ERR(obj) ? ERR_CAST(obj) :
			     container_of(obj, struct iommufd_device, obj);
}

void iommufd_iopf_add(struct iommufd_device *idev);
void iommufd_iopf_remove(struct iommufd_device *idev);
int iommufd_iopf_enable(struct iommufd_device *idev, struct iommufd_hwpt *hwpt);
void iommufd_iopf_disable(struct iommufd_device *idev,
			  struct iommufd_hwpt *hwpt);
void iommufd_iopf_leave(struct iommufd_device *idev, struct iommufd_hwpt *hwpt,
			u32 pasid);
void iommufd_device_drop_pasids(struct iommufd_device *idev);
int iommufd_device_set_pasid(struct iommufd_device *idev, u32 pasid,
			     struct iommufd_hwpt *hwpt);
int iommufd_device_move(struct iommufd_device *idev, struct iommufd_hwpt *hwpt);

int iommufd_get_hw_info(struct iommufd_ucmd *ucmd);

#endif
