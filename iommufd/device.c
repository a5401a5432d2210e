// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: binding them to a context, attaching them to address spaces.
 *
 * On 6.1 DMA ownership and domains belong to IOMMU groups, so what is claimed
 * and attached is the group, once, however many of its devices are bound.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/slab.h>
#include <uapi/linux/iommufd.h>

#include "device.h"

bool iommufd_allow_unsafe_interrupts;

static int not_coherent(struct device *dev, void *data)
{
	return !device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY);
}

static int no_intr_remap(struct device *dev, void *data)
{
	return !device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
}

/*
 * A device that can write to the MSI window without interrupt remapping can
 * raise any interrupt on the host.
 */
static int check_interrupts(struct iommu_group *group)
{
	if (irq_domain_check_msi_remap() ||
	    !iommu_group_for_each_dev(group, NULL, no_intr_remap) ||
	    READ_ONCE(iommufd_allow_unsafe_interrupts))
		return 0;

	pr_warn_ratelimited("group %d: no interrupt remapping, so a device could forge interrupts; load iommufd with allow_unsafe_interrupts=1 to accept that\n",
			    iommu_group_id(group));
	return -EPERM;
}

static struct iommufd_group *group_alloc(struct iommufd_ctx *ictx,
					 struct iommu_group *group,
					 unsigned int flags)
{
	struct iommufd_group *igroup;
	int rc;

	/* No cache maintenance is offered to userspace. */
	if (iommu_group_for_each_dev(group, NULL, not_coherent))
		return ERR_PTR(-EINVAL);
	rc = check_interrupts(group);
	if (rc)
		return ERR_PTR(rc);

	igroup = kzalloc(sizeof(*igroup), GFP_KERNEL_ACCOUNT);
	if (!igroup)
		return ERR_PTR(-ENOMEM);
	igroup->ictx = ictx;
	igroup->group = iommu_group_ref_get(group);
	igroup->id = iommu_group_id(group);
	igroup->devices = 1;
	igroup->owner_held = flags & IOMMUFD_BIND_OWNER_HELD;
	mutex_init(&igroup->lock);

	rc = xa_insert(&ictx->groups, igroup->id, igroup, GFP_KERNEL_ACCOUNT);
	if (rc)
		goto err_free;
	if (!igroup->owner_held) {
		rc = iommu_group_claim_dma_owner(group, ictx);
		if (rc)
			goto err_erase;
	}
	return igroup;

err_erase:
	xa_erase(&ictx->groups, igroup->id);
err_free:
	iommu_group_put(igroup->group);
	kfree(igroup);
	return ERR_PTR(rc);
}

static struct iommufd_group *group_get(struct iommufd_ctx *ictx,
				       struct iommu_group *group,
				       unsigned int flags)
{
	struct iommufd_group *igroup;

	mutex_lock(&ictx->groups_lock);
	igroup = xa_load(&ictx->groups, iommu_group_id(group));
	if (!igroup)
		igroup = group_alloc(ictx, group, flags);
	else if (igroup->owner_held != !!(flags & IOMMUFD_BIND_OWNER_HELD))
		igroup = ERR_PTR(-EPERM);
	else
		igroup->devices++;
	mutex_unlock(&ictx->groups_lock);
	return igroup;
}

static void group_put(struct iommufd_group *igroup)
{
	struct iommufd_ctx *ictx = igroup->ictx;

	mutex_lock(&ictx->groups_lock);
	if (--igroup->devices) {
		mutex_unlock(&ictx->groups_lock);
		return;
	}
	xa_erase(&ictx->groups, igroup->id);
	if (!igroup->owner_held)
		iommu_group_release_dma_owner(igroup->group);
	mutex_unlock(&ictx->groups_lock);

	iommu_group_put(igroup->group);
	mutex_destroy(&igroup->lock);
	kfree(igroup);
}

static void bound_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev =
		container_of(obj, struct iommufd_device, obj);

	xa_destroy(&idev->pasids);
	iommufd_hw_put(idev->hw);
	group_put(idev->igroup);
}

static const struct iommufd_object_ops device_ops = {
	.type = IOMMUFD_OBJ_DEVICE,
	.destroy = bound_destroy,
};

static struct iommufd_device *device_bind(struct iommufd_ctx *ictx,
					  struct device *dev,
					  struct iommu_group *group,
					  unsigned int flags, u32 *id)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;

	obj = iommufd_object_alloc(ictx, sizeof(*idev), &device_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	idev = container_of(obj, struct iommufd_device, obj);
	idev->igroup = group_get(ictx, group, flags);
	if (IS_ERR(idev->igroup)) {
		int rc = PTR_ERR(idev->igroup);

		iommufd_object_abort(obj);
		return ERR_PTR(rc);
	}
	xa_init_flags(&idev->pasids, XA_FLAGS_ACCOUNT);
	if (dev) {
		idev->dev = dev;
		idev->hw = iommufd_hw_get(dev);
	}
	/* Its owner depends on it, or on what it is part of. */
	idev->in_ctx = flags & IOMMUFD_BIND_IN_CTX;
	if (idev->in_ctx)
		iommufd_object_hold(obj);
	else
		iommufd_ctx_get(ictx);
	*id = obj->id;
	iommufd_object_publish(obj);
	if (idev->hw)
		iommufd_iopf_add(idev);
	return idev;
}

struct iommufd_device *iommufd_device_bind_group(struct iommufd_ctx *ictx,
						 struct iommu_group *group,
						 unsigned int flags, u32 *id)
{
	return device_bind(ictx, NULL, group, flags, id);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind_group, IOMMUFD);

struct iommufd_device *iommufd_device_bind(struct iommufd_ctx *ictx,
					   struct device *dev,
					   unsigned int flags, u32 *id)
{
	struct iommu_group *group = iommu_group_get(dev);
	struct iommufd_device *idev;

	if (!group)
		return ERR_PTR(-ENODEV);
	idev = device_bind(ictx, dev, group, flags, id);
	iommu_group_put(group);
	return idev;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind, IOMMUFD);

void iommufd_device_unbind(struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->obj.ictx;
	bool in_ctx = idev->in_ctx;

	WARN_ON(idev->attached);
	iommufd_device_drop_pasids(idev);
	if (idev->hw)
		iommufd_iopf_remove(idev);
	if (in_ctx)
		iommufd_object_release(&idev->obj);
	iommufd_object_remove(&idev->obj);
	if (!in_ctx)
		iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unbind, IOMMUFD);

struct iommufd_ctx *iommufd_device_to_ctx(struct iommufd_device *idev)
{
	return idev->obj.ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_ctx, IOMMUFD);

/* ------------------------------------------------------------------ */
/* Attach */

static void free_resv_regions(struct list_head *regions)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list) {
		list_del(&region->list);
		kfree(region);
	}
}

static void unreserve_regions(struct io_pagetable *iopt, void *owner)
{
	down_write(&iopt->iova_rwsem);
	iopt_unreserve_iova(iopt, owner);
	up_write(&iopt->iova_rwsem);
}

/*
 * Deny to mappings what the group's IOMMU does not translate, and find out
 * whether MSIs go through the domain, at a place of our choice.
 */
static int reserve_regions(struct io_pagetable *iopt,
			   struct iommufd_joiner *who)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int rc;

	rc = iommu_get_group_resv_regions(who->group, &regions);
	if (rc)
		goto out_free;

	down_write(&iopt->iova_rwsem);
	list_for_each_entry(region, &regions, list) {
		/* Needed by boot firmware only; VFIO ignores it as well. */
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE ||
		    !region->length)
			continue;
		if (region->type == IOMMU_RESV_SW_MSI) {
			who->sw_msi = true;
			who->sw_msi_base = region->start;
		}
		rc = iopt_reserve_iova(iopt, region->start,
				       region->start + region->length - 1,
				       who->owner);
		if (rc) {
			iopt_unreserve_iova(iopt, who->owner);
			break;
		}
	}
	up_write(&iopt->iova_rwsem);
out_free:
	free_resv_regions(&regions);
	return rc;
}

/**
 * struct target - where to attach
 * @ioas: address space, in use
 * @hwpt: HWPT that userspace made, held; or NULL
 * @auto_id: id of an HWPT that made itself, and may be gone; 0: any
 */
struct target {
	struct iommufd_ioas *ioas;
	struct iommufd_hwpt *hwpt;
	u32 auto_id;
};

/*
 * Attaching waits for the mutex of the IOAS.  Whoever holds that may be removing
 * an HWPT that made itself and wait for its users: so it is not kept in use.
 */
static void target_take_hwpt(struct target *target, struct iommufd_hwpt *hwpt)
{
	struct iommufd_ctx *ictx = hwpt->obj.ictx;

	*target = (struct target){ .ioas = hwpt->ioas };
	xa_lock(&ictx->objects);
	iommufd_object_use(&hwpt->ioas->obj);
	if (hwpt->by_user) {
		target->hwpt = hwpt;
		iommufd_object_hold_locked(&hwpt->obj);
	} else {
		target->auto_id = hwpt->obj.id;
	}
	xa_unlock(&ictx->objects);
}

static int target_get(struct iommufd_ctx *ictx, u32 pt_id,
		      struct target *target)
{
	struct iommufd_object *obj;

	*target = (struct target){};
	obj = iommufd_object_find(ictx, pt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	switch (obj->ops->type) {
	case IOMMUFD_OBJ_IOAS:
		target->ioas = container_of(obj, struct iommufd_ioas, obj);
		return 0;
	case IOMMUFD_OBJ_HWPT:
		target_take_hwpt(target,
				 container_of(obj, struct iommufd_hwpt, obj));
		iommufd_object_done(obj);
		return 0;
	default:
		iommufd_object_done(obj);
		return -ENOENT;
	}
}

static void target_put(struct target *target)
{
	if (target->hwpt)
		iommufd_object_release(&target->hwpt->obj);
	iommufd_object_done(&target->ioas->obj);
}

/* Is the group there already? */
static bool target_is(const struct target *target,
		      const struct iommufd_hwpt *hwpt)
{
	if (target->hwpt)
		return target->hwpt == hwpt;
	if (hwpt->by_user)
		return false;
	if (target->auto_id)
		return target->auto_id == hwpt->obj.id;
	return hwpt->ioas == target->ioas;
}

static struct iommufd_hwpt *attach_target(struct target *target,
					  struct iommufd_joiner *who)
{
	struct iommufd_hwpt *hwpt = target->hwpt, *i;
	int rc;

	lockdep_assert_held(&target->ioas->mutex);

	if (!hwpt && !target->auto_id)
		return iommufd_hwpt_attach_auto(target->ioas, who);
	if (!hwpt) {
		list_for_each_entry(i, &target->ioas->hwpts, item) {
			/* Who has that id now may not even be published. */
			if (!i->by_user && i->obj.id == target->auto_id)
				hwpt = i;
		}
		if (!hwpt)
			return ERR_PTR(-ENOENT);
	}
	rc = iommufd_hwpt_attach(hwpt, who);
	return rc ? ERR_PTR(rc) : hwpt;
}

/* Attach a group that is not attached; it reserves IOVAs by its token. */
static struct iommufd_hwpt *group_attach(struct iommufd_group *igroup,
					 struct target *target,
					 unsigned int token)
{
	struct iommufd_joiner who = {
		.group = igroup->group,
		.owner = &igroup->tokens[token],
	};
	struct iommufd_ioas *ioas = target->ioas;
	struct iommufd_hwpt *hwpt;
	int rc;

	lockdep_assert_held(&igroup->lock);

	mutex_lock(&ioas->mutex);
	rc = reserve_regions(&ioas->iopt, &who);
	if (rc) {
		hwpt = ERR_PTR(rc);
	} else {
		hwpt = attach_target(target, &who);
		if (IS_ERR(hwpt))
			unreserve_regions(&ioas->iopt, who.owner);
	}
	mutex_unlock(&ioas->mutex);
	return hwpt;
}

/* A group that has left an HWPT lets go of what it kept there. */
static void group_forget(struct iommufd_group *igroup,
			 struct iommufd_hwpt *hwpt, unsigned int token)
{
	struct iommufd_ioas *ioas = hwpt->ioas;

	lockdep_assert_held(&igroup->lock);

	/* The HWPT may go, and with it what keeps the IOAS. */
	iommufd_object_hold(&ioas->obj);
	mutex_lock(&ioas->mutex);
	iommufd_hwpt_put_group(hwpt);
	unreserve_regions(&ioas->iopt, &igroup->tokens[token]);
	mutex_unlock(&ioas->mutex);
	iommufd_object_release(&ioas->obj);
}

static void group_detach(struct iommufd_group *igroup)
{
	struct iommufd_hwpt *hwpt = igroup->hwpt;

	igroup->hwpt = NULL;
	igroup->blocked = false;
	iommufd_hwpt_leave(hwpt, igroup->group);
	group_forget(igroup, hwpt, igroup->token);
}

static bool target_fits(struct iommufd_device *idev,
			const struct target *target)
{
	const struct iommufd_hwpt *hwpt = target->hwpt;
	const struct iommufd_hwpt *old = idev->igroup->hwpt;

	/* What binds PASIDs of a VFIO container does so for all of them. */
	if ((hwpt && hwpt->container) || (old && old->container))
		return true;
	/* Page requests do not say which device of a group they are from. */
	if (hwpt && hwpt->fault && idev->igroup->devices != 1)
		return false;
	/* Who may use PASIDs and who may not do not go together. */
	return !idev->igroup->pasids ||
	       (hwpt && hwpt->flags & IOMMU_HWPT_ALLOC_PASID);
}

int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_hwpt *hwpt;
	struct target target;
	int rc;

	rc = target_get(idev->obj.ictx, *pt_id, &target);
	if (rc)
		return rc;

	mutex_lock(&igroup->lock);
	hwpt = igroup->hwpt;
	if (idev->attached || (hwpt && !target_is(&target, hwpt))) {
		rc = -EBUSY;
		goto out_unlock;
	}
	if (!target_fits(idev, &target)) {
		rc = -EINVAL;
		goto out_unlock;
	}
	if (!hwpt) {
		hwpt = group_attach(igroup, &target, igroup->token);
		if (IS_ERR(hwpt)) {
			rc = PTR_ERR(hwpt);
			goto out_unlock;
		}
		igroup->hwpt = hwpt;
	}
	rc = iommufd_iopf_enable(idev, hwpt);
	if (rc) {
		if (!igroup->attached)
			group_detach(igroup);
		goto out_unlock;
	}
	idev->attached = true;
	igroup->attached++;
	*pt_id = hwpt->obj.id;
out_unlock:
	mutex_unlock(&igroup->lock);
	target_put(&target);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_attach, IOMMUFD);

void iommufd_device_detach(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;

	mutex_lock(&igroup->lock);
	if (!WARN_ON(!idev->attached)) {
		idev->attached = false;
		iommufd_iopf_leave(idev, igroup->hwpt, 0);
		if (!--igroup->attached)
			group_detach(igroup);
	}
	mutex_unlock(&igroup->lock);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, IOMMUFD);

/* A group that has left its HWPT goes back, or its DMA stays blocked. */
static int group_rejoin(struct iommufd_group *igroup)
{
	int rc = iommufd_hwpt_join(igroup->hwpt, igroup->group);

	igroup->blocked = rc;
	if (rc)
		pr_err_ratelimited("group %d: its IOMMU driver does not take it back; its DMA is blocked\n",
				   iommu_group_id(igroup->group));
	return rc;
}

/*
 * The group leaves the one and joins the other.  If it cannot, it goes back; if
 * not even that works its DMA stays blocked, and detaching works as ever.
 */
static int group_move(struct iommufd_group *igroup, struct target *target)
{
	struct iommufd_hwpt *old = igroup->hwpt, *hwpt;
	unsigned int old_token = igroup->token;

	iommufd_hwpt_leave(old, igroup->group);
	hwpt = group_attach(igroup, target, !old_token);
	if (IS_ERR(hwpt))
		return group_rejoin(igroup) ? -EIO : PTR_ERR(hwpt);
	igroup->blocked = false;
	igroup->hwpt = hwpt;
	igroup->token = !old_token;
	group_forget(igroup, old, old_token);
	return 0;
}

static int device_replace(struct iommufd_device *idev, struct target *target)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_hwpt *old = igroup->hwpt;
	bool had_faults;
	int rc;

	lockdep_assert_held(&igroup->lock);

	if (!idev->attached || !target_fits(idev, target))
		return -EINVAL;
	if (target_is(target, old))
		return igroup->blocked && group_rejoin(igroup) ? -EIO : 0;
	if (target->hwpt) {
		rc = iommufd_iopf_enable(idev, target->hwpt);
		if (rc)
			return rc;
	}
	/* One with a fault queue is userspace's, and can be kept. */
	had_faults = old->fault;
	if (had_faults)
		iommufd_object_hold(&old->obj);
	rc = group_move(igroup, target);
	if (rc && target->hwpt)
		iommufd_iopf_disable(idev, target->hwpt);
	if (had_faults) {
		/* What is not answered yet was asked of the old one. */
		if (!rc)
			iommufd_iopf_leave(idev, old, 0);
		iommufd_object_release(&old->obj);
	}
	return rc;
}

/**
 * iommufd_device_move() - Attach the group of a device elsewhere in its IOAS
 * @idev: attached device
 * @hwpt: HWPT that does not go meanwhile
 *
 * DMA is blocked for a moment.
 *
 * Return: 0, or an error and it is where it was: as iommufd_hwpt_attach(); or -EIO:
 * its DMA is blocked.
 */
int iommufd_device_move(struct iommufd_device *idev, struct iommufd_hwpt *hwpt)
{
	struct iommufd_group *igroup = idev->igroup;
	struct target target;
	int rc;

	target_take_hwpt(&target, hwpt);
	mutex_lock(&igroup->lock);
	rc = device_replace(idev, &target);
	mutex_unlock(&igroup->lock);
	target_put(&target);
	return rc;
}

int iommufd_device_replace(struct iommufd_device *idev, u32 *pt_id)
{
	struct iommufd_group *igroup = idev->igroup;
	struct target target;
	int rc;

	rc = target_get(idev->obj.ictx, *pt_id, &target);
	if (rc)
		return rc;
	mutex_lock(&igroup->lock);
	rc = device_replace(idev, &target);
	if (!rc)
		*pt_id = igroup->hwpt->obj.id;
	mutex_unlock(&igroup->lock);
	target_put(&target);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_replace, IOMMUFD);
