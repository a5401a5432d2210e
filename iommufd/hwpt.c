// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU domains that are made and shared by themselves.
 *
 * A group that is attached to an IOAS uses a domain of it that its IOMMU
 * accepts.  Whether one domain enforces cache coherency depends on all of its
 * devices and must be settled before the first mapping, so a group is tried
 * alone first, in a fresh domain; that tells which of the existing ones are of
 * its kind.  As there is no atomic replace on 6.1, a group that moves from one
 * domain to the other is without both for a moment: its DMA is blocked then.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/device.h>
#include <linux/iommu.h>

#include "hwpt.h"

#define DETACH_TRIES 3

bool iommufd_share_domains = true;

static void hwpt_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	if (!hwpt->stuck)
		iommu_domain_free(hwpt->idomain.domain);
	iommufd_object_release(&hwpt->ioas->obj);
}

static const struct iommufd_object_ops hwpt_ops = {
	.type = IOMMUFD_OBJ_HWPT,
	.destroy = hwpt_destroy,
};

static int domain_alloc(struct device *dev, void *data)
{
	struct iommu_domain **domain = data;

	*domain = iommu_domain_alloc(dev->bus);
	return 1;
}

/* An HWPT with an empty domain, neither published nor in the IOAS. */
static struct iommufd_hwpt *hwpt_alloc(struct iommufd_ioas *ioas,
				       struct iommu_group *group)
{
	struct iommu_domain *domain = NULL;
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;

	obj = iommufd_object_alloc(ioas->obj.ictx, sizeof(*hwpt), &hwpt_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);

	/* Any device of the group will do: they share one IOMMU. */
	iommu_group_for_each_dev(group, &domain, domain_alloc);
	if (!domain) {
		iommufd_object_abort(obj);
		return ERR_PTR(-EIO);
	}
	hwpt = container_of(obj, struct iommufd_hwpt, obj);
	hwpt->ioas = ioas;
	hwpt->idomain.domain = domain;
	iommufd_object_hold(&ioas->obj);
	return hwpt;
}

static void hwpt_abort(struct iommufd_hwpt *hwpt)
{
	hwpt_destroy(&hwpt->obj);
	iommufd_object_abort(&hwpt->obj);
}

static bool same_kind(const struct iommufd_hwpt *a,
		      const struct iommufd_hwpt *b)
{
	return a->idomain.domain->ops == b->idomain.domain->ops &&
	       a->enforce_cache_coherency == b->enforce_cache_coherency;
}

static int still_has_domain(struct device *dev, void *data)
{
	return iommu_get_domain_for_dev(dev) == data;
}

/*
 * 6.1's IOMMU core, which cannot say so, leaves a group where it is when the
 * IOMMU driver has no memory to move it.  What the group uses must not be freed:
 * if it does not come off, the domain stays, empty, for good.
 */
static void detach_group(struct iommufd_hwpt *hwpt, struct iommu_group *group)
{
	struct iommu_domain *domain = hwpt->idomain.domain;
	unsigned int tries;

	for (tries = 0; tries != DETACH_TRIES; tries++) {
		iommu_detach_group(domain, group);
		if (!iommu_group_for_each_dev(group, domain, still_has_domain))
			return;
	}
	pr_err("group %d does not leave its domain, which is leaked\n",
	       iommu_group_id(group));
	hwpt->stuck = true;
}

/*
 * IOMMU drivers walk the devices of a domain when they flush, and take it for
 * granted that none comes or goes meanwhile.  So nobody maps or unmaps while a
 * group joins or leaves a domain that the IOAS uses.
 */
static int join_domain(struct iommufd_hwpt *hwpt, struct iommu_group *group)
{
	struct io_pagetable *iopt = &hwpt->ioas->iopt;
	int rc;

	down_write(&iopt->domains_rwsem);
	rc = iommu_attach_group(hwpt->idomain.domain, group);
	up_write(&iopt->domains_rwsem);
	return rc;
}

static void leave_domain(struct iommufd_hwpt *hwpt, struct iommu_group *group)
{
	struct io_pagetable *iopt = &hwpt->ioas->iopt;

	down_write(&iopt->domains_rwsem);
	detach_group(hwpt, group);
	up_write(&iopt->domains_rwsem);
}

/*
 * Move a group from the domain that it tried alone to one that exists.
 * NULL when there is none to share, an error when it has lost both.
 */
static struct iommufd_hwpt *find_other(struct iommufd_hwpt *alone,
				       struct iommu_group *group)
{
	struct iommu_domain *domain = alone->idomain.domain;
	struct iommufd_hwpt *hwpt;
	int rc;

	if (!READ_ONCE(iommufd_share_domains))
		return NULL;
	list_for_each_entry(hwpt, &alone->ioas->hwpts, item) {
		if (!same_kind(hwpt, alone))
			continue;
		detach_group(alone, group);
		if (!join_domain(hwpt, group))
			return hwpt;
		rc = iommu_attach_group(domain, group);
		if (rc)
			return ERR_PTR(rc);
	}
	return NULL;
}

static int hwpt_fill(struct iommufd_hwpt *hwpt, bool sw_msi,
		     phys_addr_t sw_msi_base)
{
	struct iommu_domain *domain = hwpt->idomain.domain;
	int rc;

	if (sw_msi) {
		rc = iommu_get_msi_cookie(domain, sw_msi_base);
		/* -ENODEV: this architecture needs none. */
		if (rc && rc != -ENODEV)
			return rc;
	}
	return iopt_add_domain(&hwpt->ioas->iopt, &hwpt->idomain);
}

/**
 * iommufd_hwpt_attach_group() - Connect an IOMMU group to an IOAS
 * @ioas: IOAS, with its mutex held
 * @group: group whose DMA ownership is held, not attached
 * @owner: of the IOVAs that the group's aperture denies; for the caller to undo,
 *	also after an error
 * @sw_msi: MSIs go through the domain
 * @sw_msi_base: first IOVA of the window for them
 *
 * Return: the HWPT, or an ERR_PTR and nothing changed: the error of the IOMMU
 * driver, or as iopt_add_domain().
 * Context: may sleep.
 */
struct iommufd_hwpt *iommufd_hwpt_attach_group(struct iommufd_ioas *ioas,
					       struct iommu_group *group,
					       void *owner, bool sw_msi,
					       phys_addr_t sw_msi_base)
{
	struct iommufd_hwpt *hwpt, *other;
	struct iommu_domain *domain;
	int rc;

	lockdep_assert_held(&ioas->mutex);

	hwpt = hwpt_alloc(ioas, group);
	if (IS_ERR(hwpt))
		return hwpt;
	domain = hwpt->idomain.domain;

	rc = iommu_attach_group(domain, group);
	if (rc)
		goto err_abort;
	if (domain->ops->enforce_cache_coherency)
		hwpt->enforce_cache_coherency =
			domain->ops->enforce_cache_coherency(domain);

	/*
	 * Also of a group that will share a domain: a driver may narrow an
	 * existing domain to what all of its groups can do.
	 */
	down_write(&ioas->iopt.iova_rwsem);
	rc = iopt_reserve_outside_aperture(&ioas->iopt, domain, owner);
	up_write(&ioas->iopt.iova_rwsem);
	if (rc)
		goto err_detach;

	other = find_other(hwpt, group);
	if (IS_ERR(other)) {
		rc = PTR_ERR(other);
		goto err_abort;
	}
	if (other) {
		hwpt_abort(hwpt);
		other->groups++;
		return other;
	}

	rc = hwpt_fill(hwpt, sw_msi, sw_msi_base);
	if (rc)
		goto err_detach;
	hwpt->groups = 1;
	list_add_tail(&hwpt->item, &ioas->hwpts);
	iommufd_object_publish(&hwpt->obj);
	return hwpt;

err_detach:
	detach_group(hwpt, group);
err_abort:
	hwpt_abort(hwpt);
	return ERR_PTR(rc);
}

/**
 * iommufd_hwpt_detach_group() - Undo iommufd_hwpt_attach_group()
 * @hwpt: HWPT; gone when this was its last group
 * @group: group; its DMA is blocked afterwards
 *
 * Cannot fail.  Context: may sleep; the mutex of the IOAS is held.
 */
void iommufd_hwpt_detach_group(struct iommufd_hwpt *hwpt,
			       struct iommu_group *group)
{
	lockdep_assert_held(&hwpt->ioas->mutex);

	leave_domain(hwpt, group);
	if (--hwpt->groups)
		return;
	list_del(&hwpt->item);
	iopt_remove_domain(&hwpt->ioas->iopt, &hwpt->idomain);
	iommufd_object_remove(&hwpt->obj);
}
