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
	else if (igroup->owner_held != (flags & IOMMUFD_BIND_OWNER_HELD))
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

	group_put(idev->igroup);
}

static const struct iommufd_object_ops device_ops = {
	.type = IOMMUFD_OBJ_DEVICE,
	.destroy = bound_destroy,
};

struct iommufd_device *iommufd_device_bind_group(struct iommufd_ctx *ictx,
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
	iommufd_ctx_get(ictx);
	*id = obj->id;
	iommufd_object_publish(obj);
	return idev;
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
	idev = iommufd_device_bind_group(ictx, group, flags, id);
	iommu_group_put(group);
	return idev;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind, IOMMUFD);

void iommufd_device_unbind(struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->obj.ictx;

	WARN_ON(idev->attached);
	iommufd_object_remove(&idev->obj);
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

/*
 * Deny to mappings what the group's IOMMU does not translate.  @sw_msi_base is
 * set when MSIs go through the domain, at a place of our choice.
 */
static int reserve_regions(struct iommufd_group *igroup,
			   struct io_pagetable *iopt, bool *sw_msi,
			   phys_addr_t *sw_msi_base)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int rc;

	*sw_msi = false;
	rc = iommu_get_group_resv_regions(igroup->group, &regions);
	if (rc)
		goto out_free;

	down_write(&iopt->iova_rwsem);
	list_for_each_entry(region, &regions, list) {
		/* Needed by boot firmware only; VFIO ignores it as well. */
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE ||
		    !region->length)
			continue;
		if (region->type == IOMMU_RESV_SW_MSI) {
			*sw_msi = true;
			*sw_msi_base = region->start;
		}
		rc = iopt_reserve_iova(iopt, region->start,
				       region->start + region->length - 1,
				       igroup);
		if (rc) {
			iopt_unreserve_iova(iopt, igroup);
			break;
		}
	}
	up_write(&iopt->iova_rwsem);
out_free:
	free_resv_regions(&regions);
	return rc;
}

static void unreserve_regions(struct iommufd_group *igroup,
			      struct io_pagetable *iopt)
{
	down_write(&iopt->iova_rwsem);
	iopt_unreserve_iova(iopt, igroup);
	up_write(&iopt->iova_rwsem);
}

static int group_attach(struct iommufd_group *igroup, struct iommufd_ioas *ioas)
{
	phys_addr_t sw_msi_base = 0;
	struct iommufd_hwpt *hwpt;
	bool sw_msi;
	int rc;

	lockdep_assert_held(&igroup->lock);

	mutex_lock(&ioas->mutex);
	rc = reserve_regions(igroup, &ioas->iopt, &sw_msi, &sw_msi_base);
	if (rc)
		goto out_unlock;
	hwpt = iommufd_hwpt_attach_group(ioas, igroup->group, igroup, sw_msi,
					 sw_msi_base);
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		unreserve_regions(igroup, &ioas->iopt);
		goto out_unlock;
	}
	igroup->hwpt = hwpt;
out_unlock:
	mutex_unlock(&ioas->mutex);
	return rc;
}

static void group_detach(struct iommufd_group *igroup)
{
	struct iommufd_ioas *ioas = igroup->hwpt->ioas;

	lockdep_assert_held(&igroup->lock);

	/* The HWPT may go, and with it what keeps the IOAS. */
	iommufd_object_hold(&ioas->obj);
	mutex_lock(&ioas->mutex);
	iommufd_hwpt_detach_group(igroup->hwpt, igroup->group);
	unreserve_regions(igroup, &ioas->iopt);
	igroup->hwpt = NULL;
	mutex_unlock(&ioas->mutex);
	iommufd_object_release(&ioas->obj);
}

int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_ioas *ioas;
	int rc = 0;

	ioas = iommufd_ioas_find(idev->obj.ictx, *pt_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	mutex_lock(&igroup->lock);
	if (idev->attached || (igroup->hwpt && igroup->hwpt->ioas != ioas))
		rc = -EBUSY;
	else if (!igroup->hwpt)
		rc = group_attach(igroup, ioas);
	if (!rc) {
		idev->attached = true;
		igroup->attached++;
		*pt_id = igroup->hwpt->obj.id;
	}
	mutex_unlock(&igroup->lock);
	iommufd_object_done(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_attach, IOMMUFD);

void iommufd_device_detach(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;

	mutex_lock(&igroup->lock);
	if (!WARN_ON(!idev->attached)) {
		idev->attached = false;
		if (!--igroup->attached)
			group_detach(igroup);
	}
	mutex_unlock(&igroup->lock);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, IOMMUFD);
