// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO containers that translate in two stages.
 *
 * MAP_DMA and UNMAP_DMA act on the IOAS, which is stage 2.  BIND makes nested HWPTs,
 * as IOMMU_HWPT_ALLOC does for userspace, and attaches all groups of the container to
 * them, or one PASID of all devices.  Groups that the IOAS shows in one domain share
 * one nested HWPT of a bind.
 *
 * A group is bound as a whole if its IOMMU has a shadow only, and else as the device
 * that is alone in it, which has PASIDs and page requests.
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <uapi/linux/iommu_nesting.h>
#include <uapi/linux/iommufd.h>

#include "device.h"
#include "fault.h"
#include "pasid_set.h"
#include "vfio_nesting.h"

static_assert(sizeof(struct iommu_fault) == 64);
static_assert(sizeof(struct iommu_nesting_page_response) == 20);
static_assert(sizeof(struct iommu_cache_invalidate_info) == 48);
static_assert(sizeof(struct iommu_gpasid_bind_data) == 72);
static_assert(sizeof(struct vfio_iommu_type1_pasid_request) == 20);
static_assert(sizeof(struct vfio_iommu_type1_pasid_quota) == 12);
static_assert(sizeof(struct vfio_iommu_type1_bind) == 8);
static_assert(sizeof(struct vfio_iommu_type1_cache_invalidate) == 56);
static_assert(sizeof(struct vfio_iommu_type1_info_cap_nesting) == 12);

/**
 * struct iommufd_nesting - what a container of type VFIO_TYPE1_NESTING_IOMMU has
 * @users: the container, and ioctls at work
 * @set: PASIDs of the process
 * @fault: queue for page requests and failed DMA
 * @lock: protects all below; taken before iommufd_group.lock.  Groups join and leave
 *	with it held, and vfio.ko with locks that others wait for: user memory is not
 *	touched then
 * @gone: the container has left
 * @groups: of struct iommufd_vfio_group
 * @binds: struct nesting_bind by PASID; 0: requests without
 */
struct iommufd_nesting {
	refcount_t users;
	struct iommufd_pasid_set *set;
	struct iommufd_fault *fault;
	struct mutex lock; /* all below */
	bool gone;
	struct list_head groups;
	struct xarray binds;
};

/**
 * struct iommufd_vfio_group - a group of a VFIO container
 * @item: in iommufd_nesting.groups
 * @nesting: of the container, or NULL
 * @idev: the group, or the device that is alone in it
 * @dev: that device, with a reference, or NULL
 * @parent: the HWPT that shows the IOAS to it
 */
struct iommufd_vfio_group {
	struct list_head item;
	struct iommufd_nesting *nesting;
	struct iommufd_device *idev;
	struct device *dev;
	struct iommufd_hwpt *parent;
};

/**
 * struct nesting_bind - a page table of a guest's
 * @pasid: the host's; 0: for requests without
 * @stage1: the page table
 * @parts: of struct nesting_part
 */
struct nesting_bind {
	u32 pasid;
	struct iommufd_stage1 stage1;
	struct list_head parts;
};

/**
 * struct nesting_part - a bind on top of one HWPT
 * @item: in nesting_bind.parts
 * @parent: stage 2
 * @hwpt: both stages
 * @groups: that use it
 */
struct nesting_part {
	struct list_head item;
	struct iommufd_hwpt *parent;
	struct iommufd_hwpt *hwpt;
	unsigned int groups;
};

/* ------------------------------------------------------------------ */
/* Binds */

static struct nesting_part *part_find(struct nesting_bind *bind,
				      struct iommufd_hwpt *parent)
{
	struct nesting_part *part;

	list_for_each_entry(part, &bind->parts, item) {
		if (part->parent == parent)
			return part;
	}
	return NULL;
}

static struct nesting_part *part_make(struct iommufd_nesting *nesting,
				      struct nesting_bind *bind,
				      struct iommufd_vfio_group *vgroup)
{
	struct nesting_part *part;
	struct iommufd_hwpt *hwpt;

	part = kzalloc(sizeof(*part), GFP_KERNEL_ACCOUNT);
	if (!part)
		return ERR_PTR(-ENOMEM);
	hwpt = iommufd_hwpt_new_stage1(vgroup->parent, vgroup->idev->dev,
				       bind->pasid ? IOMMU_HWPT_ALLOC_PASID : 0,
				       &bind->stage1);
	if (IS_ERR(hwpt)) {
		kfree(part);
		return ERR_CAST(hwpt);
	}
	hwpt->container = true;
	if (vgroup->idev->hw && vgroup->idev->hw->enable_iopf) {
		hwpt->fault = nesting->fault;
		iommufd_fault_hold_again(hwpt->fault);
	}
	iommufd_hwpt_keep(vgroup->parent);
	part->parent = vgroup->parent;
	part->hwpt = hwpt;
	list_add(&part->item, &bind->parts);
	return part;
}

static void part_put(struct nesting_part *part)
{
	if (--part->groups)
		return;
	list_del(&part->item);
	iommufd_hwpt_abort(part->hwpt);
	iommufd_hwpt_unkeep(part->parent);
	kfree(part);
}

/* Is a group, or the PASID of its device, attached to a part? */
static bool is_on(const struct nesting_bind *bind,
		  const struct nesting_part *part,
		  const struct iommufd_vfio_group *vgroup)
{
	struct iommufd_device *idev = vgroup->idev;
	struct iommufd_hwpt *hwpt;

	mutex_lock(&idev->igroup->lock);
	hwpt = bind->pasid ? xa_load(&idev->pasids, bind->pasid) :
			     idev->igroup->hwpt;
	mutex_unlock(&idev->igroup->lock);
	return hwpt == part->hwpt;
}

static int bind_apply(struct iommufd_nesting *nesting,
		      struct nesting_bind *bind,
		      struct iommufd_vfio_group *vgroup)
{
	struct nesting_part *part = part_find(bind, vgroup->parent);
	int rc;

	if (!part)
		part = part_make(nesting, bind, vgroup);
	if (IS_ERR(part))
		return PTR_ERR(part);
	part->groups++;
	if (bind->pasid)
		rc = iommufd_device_set_pasid(vgroup->idev, bind->pasid,
					      part->hwpt);
	else
		rc = iommufd_device_move(vgroup->idev, part->hwpt);
	if (rc)
		part_put(part);
	return rc;
}

/* Undo bind_apply(), if that was done; an error changes nothing. */
static int bind_unapply(struct nesting_bind *bind,
			struct iommufd_vfio_group *vgroup)
{
	struct nesting_part *part = part_find(bind, vgroup->parent);
	int rc = 0;

	if (!part || !is_on(bind, part, vgroup))
		return 0;
	if (bind->pasid)
		iommufd_device_pasid_detach(vgroup->idev, bind->pasid);
	else
		rc = iommufd_device_move(vgroup->idev, vgroup->parent);
	if (!rc)
		part_put(part);
	return rc;
}

static void bind_free(struct iommufd_nesting *nesting,
		      struct nesting_bind *bind)
{
	xa_erase(&nesting->binds, bind->pasid);
	if (bind->pasid)
		pasid_set_unbind(nesting->set, bind->pasid);
	kfree(bind);
}

/*
 * For all groups but @end and those behind it.  All are tried; returns the first
 * error.  @bind is gone if there is none.
 */
static int bind_undo(struct iommufd_nesting *nesting, struct nesting_bind *bind,
		     struct iommufd_vfio_group *end)
{
	struct iommufd_vfio_group *vgroup;
	int rc = 0, group_rc;

	list_for_each_entry(vgroup, &nesting->groups, item) {
		if (vgroup == end)
			break;
		group_rc = bind_unapply(bind, vgroup);
		if (!rc || group_rc == -EIO)
			rc = group_rc;
	}
	if (list_empty(&bind->parts))
		bind_free(nesting, bind);
	return rc;
}

static int bind_all(struct iommufd_nesting *nesting, struct nesting_bind *bind)
{
	struct iommufd_vfio_group *vgroup;
	int rc;

	list_for_each_entry(vgroup, &nesting->groups, item) {
		rc = bind_apply(nesting, bind, vgroup);
		if (rc) {
			if (bind_undo(nesting, bind, vgroup) == -EIO)
				rc = -EIO;
			return rc;
		}
	}
	return 0;
}

static int count_device(struct device *dev, void *data)
{
	unsigned int *count = data;

	++*count;
	return 0;
}

/* Has a group what a bind needs?  Devices may have come to it meanwhile. */
static int check_group(const struct iommufd_vfio_group *vgroup, u32 pasid)
{
	struct iommufd_device *idev = vgroup->idev;
	unsigned int count = 0, bits = 0;

	if (idev->hw) {
		iommu_group_for_each_dev(idev->igroup->group, &count,
					 count_device);
		if (count > 1)
			return -EOPNOTSUPP;
	}
	if (!pasid)
		return 0;
	if (idev->hw && idev->hw->set_pasid)
		bits = idev->hw->pasid_bits(idev->dev);
	if (!bits)
		return -EOPNOTSUPP;
	return pasid >> bits ? -EINVAL : 0;
}

static int check_groups(struct iommufd_nesting *nesting, u32 pasid)
{
	struct iommufd_vfio_group *vgroup;
	int rc = 0;

	if (list_empty(&nesting->groups))
		return -ENODEV;
	list_for_each_entry(vgroup, &nesting->groups, item) {
		rc = check_group(vgroup, pasid);
		if (rc)
			break;
	}
	return rc;
}

static int bind_new(struct iommufd_nesting *nesting, u32 pasid,
		    const struct iommufd_stage1 *stage1)
{
	struct nesting_bind *bind;
	int rc;

	lockdep_assert_held(&nesting->lock);

	if (xa_load(&nesting->binds, pasid))
		return -EBUSY;
	rc = check_groups(nesting, pasid);
	if (rc)
		return rc;
	bind = kzalloc(sizeof(*bind), GFP_KERNEL_ACCOUNT);
	if (!bind)
		return -ENOMEM;
	bind->pasid = pasid;
	bind->stage1 = *stage1;
	INIT_LIST_HEAD(&bind->parts);
	rc = pasid ? pasid_set_bind(nesting->set, pasid) : 0;
	if (rc)
		goto err_free;
	rc = xa_insert(&nesting->binds, pasid, bind, GFP_KERNEL_ACCOUNT);
	if (rc)
		goto err_unbind;
	return bind_all(nesting, bind);

err_unbind:
	if (pasid)
		pasid_set_unbind(nesting->set, pasid);
err_free:
	kfree(bind);
	return rc;
}

/* ------------------------------------------------------------------ */
/* The container */

/**
 * vfio_nesting_create() - Make what a container with two stages needs
 * @ictx: context
 *
 * PASIDs are those of the calling process.
 *
 * Return: for vfio_nesting_destroy(), or ERR_PTR(-ENOMEM).
 */
struct iommufd_nesting *vfio_nesting_create(struct iommufd_ctx *ictx)
{
	struct iommufd_nesting *nesting;
	int rc;

	nesting = kzalloc(sizeof(*nesting), GFP_KERNEL_ACCOUNT);
	if (!nesting)
		return ERR_PTR(-ENOMEM);
	refcount_set(&nesting->users, 1);
	mutex_init(&nesting->lock);
	INIT_LIST_HEAD(&nesting->groups);
	xa_init_flags(&nesting->binds, XA_FLAGS_ACCOUNT);
	nesting->set = pasid_set_get(current->mm);
	if (IS_ERR(nesting->set)) {
		rc = PTR_ERR(nesting->set);
		goto err_free;
	}
	nesting->fault = iommufd_fault_new_vfio(ictx);
	if (IS_ERR(nesting->fault)) {
		rc = PTR_ERR(nesting->fault);
		goto err_set;
	}
	return nesting;

err_set:
	pasid_set_put(nesting->set);
err_free:
	mutex_destroy(&nesting->lock);
	kfree(nesting);
	return ERR_PTR(rc);
}

/** vfio_nesting_get() - Have it stay for a while; the caller knows that it is there */
struct iommufd_nesting *vfio_nesting_get(struct iommufd_nesting *nesting)
{
	refcount_inc(&nesting->users);
	return nesting;
}

/** vfio_nesting_put() - Undo vfio_nesting_get() */
void vfio_nesting_put(struct iommufd_nesting *nesting)
{
	if (!refcount_dec_and_test(&nesting->users))
		return;
	iommufd_fault_put_vfio(nesting->fault);
	pasid_set_put(nesting->set);
	xa_destroy(&nesting->binds);
	mutex_destroy(&nesting->lock);
	kfree(nesting);
}

/** vfio_nesting_destroy() - The last group has left; ioctls may be at work */
void vfio_nesting_destroy(struct iommufd_nesting *nesting)
{
	struct nesting_bind *bind;
	unsigned long pasid;

	mutex_lock(&nesting->lock);
	nesting->gone = true;
	WARN_ON(!list_empty(&nesting->groups));
	xa_for_each(&nesting->binds, pasid, bind) {
		WARN_ON(!list_empty(&bind->parts));
		bind_free(nesting, bind);
	}
	mutex_unlock(&nesting->lock);
	vfio_nesting_put(nesting);
}

/* The device that is alone in its group, with a reference, or NULL */
static int take_only_device(struct device *dev, void *data)
{
	struct device **only = data;

	if (*only) {
		put_device(*only);
		*only = NULL;
		return -E2BIG;
	}
	*only = get_device(dev);
	return 0;
}

static int has_hw(struct device *dev, void *data)
{
	const struct iommufd_hw_ops *hw = iommufd_hw_get(dev);

	iommufd_hw_put(hw);
	return !!hw;
}

/*
 * Bind a group to the context: by its device, if the IOMMU driver has operations for
 * it, which are for single devices.
 */
static int bind_group(struct iommufd_vfio_group *vgroup,
		      struct iommufd_ctx *ictx, struct iommu_group *group)
{
	struct iommufd_device *idev;
	u32 id;

	if (!vgroup->nesting ||
	    !iommu_group_for_each_dev(group, NULL, has_hw)) {
		idev = iommufd_device_bind_group(ictx, group,
						 IOMMUFD_BIND_OWNER_HELD, &id);
	} else {
		if (iommu_group_for_each_dev(group, &vgroup->dev,
					     take_only_device) ||
		    !vgroup->dev)
			return -EOPNOTSUPP;
		idev = iommufd_device_bind(ictx, vgroup->dev,
					   IOMMUFD_BIND_OWNER_HELD, &id);
	}
	if (IS_ERR(idev)) {
		put_device(vgroup->dev);
		return PTR_ERR(idev);
	}
	vgroup->idev = idev;
	return 0;
}

static void unbind_group(struct iommufd_vfio_group *vgroup)
{
	iommufd_device_unbind(vgroup->idev);
	put_device(vgroup->dev);
}

/* Can the IOMMU nest at all?  It is asked for a page table that nobody uses. */
static int check_backend(struct iommufd_vfio_group *vgroup)
{
	const struct iommufd_stage1 stage1 = { .addr_width = 48 };
	struct iommufd_hwpt *hwpt;

	hwpt = iommufd_hwpt_new_stage1(vgroup->parent, vgroup->idev->dev, 0,
				       &stage1);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt) == -ENOMEM ? -ENOMEM : -EOPNOTSUPP;
	iommufd_hwpt_abort(hwpt);
	return 0;
}

static void set_events(struct iommufd_vfio_group *vgroup,
		       struct iommufd_fault *fault)
{
	struct iommufd_group *igroup = vgroup->idev->igroup;

	mutex_lock(&igroup->lock);
	vgroup->idev->events = fault;
	mutex_unlock(&igroup->lock);
}

/*
 * Take a group off everything that is bound, and off its IOAS: where requests without
 * PASID go ends with that.
 */
static void leave_all(struct iommufd_vfio_group *vgroup)
{
	struct iommufd_nesting *nesting = vgroup->nesting;
	struct nesting_part *part;
	struct nesting_bind *bind;
	unsigned long pasid;
	bool rid;

	lockdep_assert_held(&nesting->lock);

	set_events(vgroup, NULL);
	xa_for_each_start(&nesting->binds, pasid, bind, 1)
		bind_unapply(bind, vgroup);
	bind = xa_load(&nesting->binds, 0);
	part = bind ? part_find(bind, vgroup->parent) : NULL;
	rid = part && is_on(bind, part, vgroup);
	iommufd_device_detach(vgroup->idev);
	if (rid)
		part_put(part);
	/* A bind is one of devices. */
	xa_for_each(&nesting->binds, pasid, bind) {
		if (list_empty(&bind->parts))
			bind_free(nesting, bind);
	}
}

/* A group that comes late gets what is bound. */
static int join_all(struct iommufd_vfio_group *vgroup)
{
	struct iommufd_nesting *nesting = vgroup->nesting;
	struct nesting_bind *bind;
	unsigned long pasid;
	int rc;

	lockdep_assert_held(&nesting->lock);

	rc = check_backend(vgroup);
	if (rc)
		return rc;
	set_events(vgroup, vgroup->idev->hw ? nesting->fault : NULL);
	xa_for_each(&nesting->binds, pasid, bind) {
		rc = check_group(vgroup, pasid);
		if (!rc)
			rc = bind_apply(nesting, bind, vgroup);
		if (rc)
			return rc;
	}
	list_add_tail(&vgroup->item, &nesting->groups);
	return 0;
}

static int join_nesting(struct iommufd_vfio_group *vgroup)
{
	struct iommufd_nesting *nesting = vgroup->nesting;
	int rc;

	mutex_lock(&nesting->lock);
	rc = join_all(vgroup);
	if (rc)
		leave_all(vgroup);
	mutex_unlock(&nesting->lock);
	return rc;
}

struct iommufd_vfio_group *iommufd_vfio_group_attach(struct iommufd_ctx *ictx,
						     struct iommu_group *group)
{
	/* The container does not leave while groups join it. */
	struct iommufd_nesting *nesting = READ_ONCE(ictx->nesting);
	u32 pt_id = READ_ONCE(ictx->vfio_container_ioas)->obj.id;
	struct iommufd_vfio_group *vgroup;
	int rc;

	vgroup = kzalloc(sizeof(*vgroup), GFP_KERNEL_ACCOUNT);
	if (!vgroup)
		return ERR_PTR(-ENOMEM);
	vgroup->nesting = nesting;
	rc = bind_group(vgroup, ictx, group);
	if (rc)
		goto err_free;
	rc = iommufd_device_attach(vgroup->idev, &pt_id);
	if (rc)
		goto err_unbind;
	/* Only its own detaching lets go of it. */
	vgroup->parent = vgroup->idev->igroup->hwpt;
	if (nesting) {
		rc = join_nesting(vgroup);
		if (rc)
			goto err_unbind;
	}
	return vgroup;

err_unbind:
	unbind_group(vgroup);
err_free:
	kfree(vgroup);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_group_attach, IOMMUFD_VFIO);

void iommufd_vfio_group_detach(struct iommufd_vfio_group *vgroup)
{
	struct iommufd_nesting *nesting = vgroup->nesting;

	if (nesting) {
		mutex_lock(&nesting->lock);
		list_del(&vgroup->item);
		leave_all(vgroup);
		mutex_unlock(&nesting->lock);
	} else {
		iommufd_device_detach(vgroup->idev);
	}
	unbind_group(vgroup);
	kfree(vgroup);
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_group_detach, IOMMUFD_VFIO);

/* ------------------------------------------------------------------ */
/* Structs of userspace */

/* Structs with a version: bytes by type and version */
static const size_t uapi_sizes[NR_IOMMU_UAPI_TYPE][IOMMU_UAPI_VERSION] = {
	[IOMMU_UAPI_BIND_GPASID] = {
		sizeof(struct iommu_gpasid_bind_data),
	},
	[IOMMU_UAPI_CACHE_INVAL] = {
		sizeof(struct iommu_cache_invalidate_info),
	},
	[IOMMU_UAPI_PAGE_RESP] = {
		sizeof(struct iommu_nesting_page_response),
	},
};

/* How long is it?  0: there is no such version. */
static size_t uapi_size(enum IOMMU_UAPI_DATA_TYPES type, u32 version)
{
	if (!version || version > IOMMU_UAPI_VERSION)
		return 0;
	return uapi_sizes[type][version - 1];
}

/* A struct whose first member says how long it is */
static int copy_args(void *dst, size_t size, const void __user *arg)
{
	u32 argsz;

	if (get_user(argsz, (const u32 __user *)arg))
		return -EFAULT;
	if (argsz < size)
		return -EINVAL;
	/* Nobody has a struct that long; do not search gigabytes for zeros. */
	if (argsz > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(dst, size, arg, argsz);
}

/* The same, with a struct with a version at @offset, which ends it */
static int copy_versioned(void *dst, size_t size, size_t offset,
			  enum IOMMU_UAPI_DATA_TYPES type,
			  const void __user *arg)
{
	u32 argsz, version;
	size_t known;
	int rc;

	if (get_user(argsz, (const u32 __user *)arg))
		return -EFAULT;
	if (argsz < offset + sizeof(version))
		return -EINVAL;
	if (get_user(version, (const u32 __user *)(arg + offset)))
		return -EFAULT;
	known = uapi_size(type, version);
	if (!known || argsz < offset + known)
		return -EINVAL;
	rc = copy_args(dst, size, arg);
	/* Another thread may have written to it meanwhile. */
	if (!rc && *(u32 *)(dst + offset) != version)
		rc = -EINVAL;
	return rc;
}

static bool pasid_is_valid(u64 pasid)
{
	return pasid && pasid <= PASID_SET_MAX;
}

/* ------------------------------------------------------------------ */
/* PASIDs */

static long pasid_request(struct iommufd_nesting *nesting, void __user *arg)
{
	struct vfio_iommu_type1_pasid_request __user *ureq = arg;
	struct vfio_iommu_type1_pasid_request req;
	int rc;

	rc = copy_args(&req, sizeof(req), arg);
	if (rc)
		return rc;
	switch (req.flags) {
	case VFIO_IOMMU_PASID_ALLOC:
		return pasid_set_alloc(nesting->set, req.alloc_pasid.min,
				       req.alloc_pasid.max,
				       &ureq->alloc_pasid.result);
	case VFIO_IOMMU_PASID_FREE:
		return pasid_set_free(nesting->set, req.free_pasid);
	default:
		return -EINVAL;
	}
}

static long set_pasid_quota(struct iommufd_nesting *nesting, void __user *arg)
{
	struct vfio_iommu_type1_pasid_quota quota;
	int rc;

	rc = copy_args(&quota, sizeof(quota), arg);
	if (rc)
		return rc;
	if (quota.flags)
		return -EINVAL;
	return pasid_set_quota(nesting->set, quota.quota);
}

/* ------------------------------------------------------------------ */
/* BIND and UNBIND */

/* struct vfio_iommu_type1_bind with its data */
struct bind_args {
	u32 argsz;
	u32 flags;
	struct iommu_gpasid_bind_data data;
};

static_assert(offsetof(struct bind_args, data) ==
	      offsetof(struct vfio_iommu_type1_bind, data));

static_assert(IOMMUFD_STAGE1_SRE == IOMMU_SVA_VTD_GPASID_SRE &&
	      IOMMUFD_STAGE1_EAFE == IOMMU_SVA_VTD_GPASID_EAFE &&
	      IOMMUFD_STAGE1_PCD == IOMMU_SVA_VTD_GPASID_PCD &&
	      IOMMUFD_STAGE1_PWT == IOMMU_SVA_VTD_GPASID_PWT &&
	      IOMMUFD_STAGE1_EMTE == IOMMU_SVA_VTD_GPASID_EMTE);

/* What a guest may choose: not whether its device's accesses are coherent. */
#define VTD_FLAGS                                                  \
	(IOMMU_SVA_VTD_GPASID_SRE | IOMMU_SVA_VTD_GPASID_EAFE |    \
	 IOMMU_SVA_VTD_GPASID_PCD | IOMMU_SVA_VTD_GPASID_PWT |     \
	 IOMMU_SVA_VTD_GPASID_EMTE)

static int check_bind(const struct iommu_gpasid_bind_data *data,
		      struct iommufd_stage1 *stage1)
{
	bool has_pasid = data->flags & IOMMU_SVA_GPASID_VAL;

	if (data->flags & ~(u64)IOMMU_SVA_GPASID_VAL ||
	    memchr_inv(data->padding, 0, sizeof(data->padding)) ||
	    data->vtd.flags & ~(u64)VTD_FLAGS)
		return -EINVAL;
	if (has_pasid ? !pasid_is_valid(data->hpasid) :
			data->hpasid || data->gpasid)
		return -EINVAL;
	*stage1 = (struct iommufd_stage1){
		.pgd = data->gpgd,
		.flags = data->vtd.flags,
		.addr_width = data->addr_width,
		.pat = data->vtd.pat,
		.emt = data->vtd.emt,
	};
	return iommufd_stage1_check(stage1);
}

/* Groups that their IOMMU driver did not take back are tried again. */
static int unblock(struct iommufd_nesting *nesting)
{
	struct iommufd_vfio_group *vgroup;
	int rc = -ENOENT;

	list_for_each_entry(vgroup, &nesting->groups, item) {
		if (!READ_ONCE(vgroup->idev->igroup->blocked))
			continue;
		rc = iommufd_device_move(vgroup->idev, vgroup->parent);
		if (rc)
			break;
	}
	return rc;
}

static int unbind(struct iommufd_nesting *nesting, u32 pasid)
{
	struct nesting_bind *bind = xa_load(&nesting->binds, pasid);

	lockdep_assert_held(&nesting->lock);

	if (bind)
		return bind_undo(nesting, bind, NULL);
	return pasid ? -ENOENT : unblock(nesting);
}

static long bind(struct iommufd_nesting *nesting, void __user *arg)
{
	struct iommufd_stage1 stage1;
	struct bind_args args;
	int rc;

	rc = copy_versioned(&args, sizeof(args),
			    offsetof(struct bind_args, data),
			    IOMMU_UAPI_BIND_GPASID, arg);
	if (rc)
		return rc;
	if (args.data.format != IOMMU_PASID_FORMAT_INTEL_VTD)
		return -EINVAL;
	switch (args.flags) {
	case VFIO_IOMMU_BIND_GUEST_PGTBL:
		rc = check_bind(&args.data, &stage1);
		break;
	case VFIO_IOMMU_UNBIND_GUEST_PGTBL:
		rc = args.data.hpasid > PASID_SET_MAX ? -ENOENT : 0;
		break;
	default:
		rc = -EINVAL;
	}
	if (rc)
		return rc;

	if (mutex_lock_killable(&nesting->lock))
		return -EINTR;
	if (nesting->gone)
		rc = -ENODEV;
	else if (args.flags == VFIO_IOMMU_BIND_GUEST_PGTBL)
		rc = bind_new(nesting, args.data.hpasid, &stage1);
	else
		rc = unbind(nesting, args.data.hpasid);
	mutex_unlock(&nesting->lock);
	return rc;
}

/* ------------------------------------------------------------------ */
/* CACHE_INVALIDATE */

static int check_addr_info(const struct iommu_inv_addr_info *info,
			   struct iommufd_stage1_inv *inv)
{
	const u32 known = IOMMU_INV_ADDR_FLAGS_PASID |
			  IOMMU_INV_ADDR_FLAGS_ARCHID |
			  IOMMU_INV_ADDR_FLAGS_LEAF;

	if (info->flags & ~known ||
	    !is_power_of_2(info->granule_size) ||
	    info->granule_size < IOMMU_STAGE1_PAGE ||
	    info->addr & (info->granule_size - 1) || !info->nb_granules ||
	    check_mul_overflow(info->granule_size, info->nb_granules - 1,
			       &inv->last) ||
	    check_add_overflow(inv->last, info->granule_size - 1, &inv->last) ||
	    check_add_overflow(inv->last, info->addr, &inv->last))
		return -EINVAL;
	inv->first = info->addr;
	inv->leaf = info->flags & IOMMU_INV_ADDR_FLAGS_LEAF;
	return 0;
}

/**
 * struct inv_target - whose caches
 * @has_pasid: of one address space, @pasid; else of all
 * @has_archid: named by an architecture's id
 * @pasid: the host's
 */
struct inv_target {
	bool has_pasid;
	bool has_archid;
	u64 pasid;
};

static int check_inv(const struct iommu_cache_invalidate_info *info,
		     struct inv_target *target, struct iommufd_stage1_inv *inv)
{
	static const u8 allowed[IOMMU_INV_GRANU_NR] = {
		[IOMMU_INV_GRANU_DOMAIN] = IOMMU_CACHE_INV_TYPE_IOTLB |
					   IOMMU_CACHE_INV_TYPE_PASID,
		[IOMMU_INV_GRANU_PASID] = IOMMU_CACHE_INV_TYPE_IOTLB |
					  IOMMU_CACHE_INV_TYPE_DEV_IOTLB |
					  IOMMU_CACHE_INV_TYPE_PASID,
		[IOMMU_INV_GRANU_ADDR] = IOMMU_CACHE_INV_TYPE_IOTLB |
					 IOMMU_CACHE_INV_TYPE_DEV_IOTLB,
	};
	const struct iommu_inv_pasid_info *pasid_info = &info->granu.pasid_info;
	const struct iommu_inv_addr_info *addr_info = &info->granu.addr_info;
	u32 archid = 0;

	*target = (struct inv_target){};
	*inv = (struct iommufd_stage1_inv){
		.caches = info->cache,
		.last = U64_MAX,
	};
	if (info->padding[0] || info->padding[1] || !info->cache ||
	    info->granularity >= IOMMU_INV_GRANU_NR ||
	    info->cache & ~allowed[info->granularity])
		return -EINVAL;

	switch (info->granularity) {
	case IOMMU_INV_GRANU_PASID:
		if (!pasid_info->flags ||
		    pasid_info->flags & ~(IOMMU_INV_PASID_FLAGS_PASID |
					  IOMMU_INV_PASID_FLAGS_ARCHID))
			return -EINVAL;
		target->has_pasid = pasid_info->flags &
				    IOMMU_INV_PASID_FLAGS_PASID;
		target->has_archid = pasid_info->flags &
				     IOMMU_INV_PASID_FLAGS_ARCHID;
		target->pasid = pasid_info->pasid;
		archid = pasid_info->archid;
		break;
	case IOMMU_INV_GRANU_ADDR:
		if (check_addr_info(addr_info, inv))
			return -EINVAL;
		target->has_pasid = addr_info->flags &
				    IOMMU_INV_ADDR_FLAGS_PASID;
		target->has_archid = addr_info->flags &
				     IOMMU_INV_ADDR_FLAGS_ARCHID;
		target->pasid = addr_info->pasid;
		archid = addr_info->archid;
		break;
	}
	if (target->has_pasid ? !pasid_is_valid(target->pasid) : target->pasid)
		return -EINVAL;
	if (!target->has_archid && archid)
		return -EINVAL;
	return target->has_archid ? -EOPNOTSUPP : 0;
}

static void invalidate_bind(struct nesting_bind *bind,
			    const struct iommufd_stage1_inv *inv)
{
	struct nesting_part *part;

	list_for_each_entry(part, &bind->parts, item)
		iommufd_hwpt_stage1_invalidate(part->hwpt, inv);
}

static long cache_invalidate(struct iommufd_nesting *nesting, void __user *arg)
{
	struct vfio_iommu_type1_cache_invalidate args;
	struct iommufd_stage1_inv inv;
	struct inv_target target;
	struct nesting_bind *bind;
	unsigned long pasid;
	int rc;

	rc = copy_versioned(&args, sizeof(args), offsetof(typeof(args), cache_info),
			    IOMMU_UAPI_CACHE_INVAL, arg);
	if (rc)
		return rc;
	if (args.flags)
		return -EINVAL;
	rc = check_inv(&args.cache_info, &target, &inv);
	if (rc)
		return rc;

	if (mutex_lock_killable(&nesting->lock))
		return -EINTR;
	if (nesting->gone) {
		rc = -ENODEV;
	} else if (target.has_pasid) {
		rc = pasid_set_check(nesting->set, target.pasid);
		bind = rc ? NULL : xa_load(&nesting->binds, target.pasid);
		if (bind)
			invalidate_bind(bind, &inv);
	} else {
		xa_for_each(&nesting->binds, pasid, bind)
			invalidate_bind(bind, &inv);
	}
	mutex_unlock(&nesting->lock);
	return rc;
}

/* ------------------------------------------------------------------ */

static long fault_open(struct iommufd_nesting *nesting, void __user *arg)
{
	struct iommu_nesting_fault_alloc cmd;
	int rc;

	rc = copy_args(&cmd, sizeof(cmd), arg);
	if (rc)
		return rc;
	if (cmd.flags || cmd.__reserved)
		return -EOPNOTSUPP;
	return iommufd_fault_open_vfio(nesting->fault, arg);
}

/** vfio_nesting_knows() - Is it an ioctl for vfio_nesting_ioctl()? */
bool vfio_nesting_knows(unsigned int cmd)
{
	switch (cmd) {
	case VFIO_IOMMU_PASID_REQUEST:
	case VFIO_IOMMU_SET_PASID_QUOTA:
	case VFIO_IOMMU_BIND:
	case VFIO_IOMMU_CACHE_INVALIDATE:
	case IOMMU_NESTING_FAULT_ALLOC:
		return true;
	default:
		return false;
	}
}

/**
 * vfio_nesting_ioctl() - An ioctl on a container that translates in two stages
 * @nesting: of the container
 * @cmd: one that vfio_nesting_knows()
 * @arg: its argument
 *
 * Return: as the ioctl, see <linux/iommu_nesting.h>.
 */
long vfio_nesting_ioctl(struct iommufd_nesting *nesting, unsigned int cmd,
			void __user *arg)
{
	switch (cmd) {
	case VFIO_IOMMU_PASID_REQUEST:
		return pasid_request(nesting, arg);
	case VFIO_IOMMU_SET_PASID_QUOTA:
		return set_pasid_quota(nesting, arg);
	case VFIO_IOMMU_BIND:
		return bind(nesting, arg);
	case VFIO_IOMMU_CACHE_INVALIDATE:
		return cache_invalidate(nesting, arg);
	case IOMMU_NESTING_FAULT_ALLOC:
		return fault_open(nesting, arg);
	default:
		return -ENOTTY;
	}
}
