// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU domains: those that are made and shared by themselves, those that
 * userspace asks for, and how groups get on them and off.
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
#include <linux/module.h>

#include "fault.h"
#include "hwpt.h"
#include "shadow.h"

#define DETACH_TRIES 3

bool iommufd_share_domains = true;
bool iommufd_nesting;

/* Stop showing the IOAS. */
static void hwpt_empty(struct iommufd_hwpt *hwpt)
{
	lockdep_assert_held(&hwpt->ioas->mutex);

	if (!hwpt->filled)
		return;
	hwpt->filled = false;
	list_del(&hwpt->item);
	iopt_remove_domain(&hwpt->ioas->iopt, &hwpt->idomain);
}

/* Free the domain, unless a device still uses it. */
static void domain_free(struct iommufd_hwpt *hwpt)
{
	if (!hwpt->idomain.domain)
		return;
	if (hwpt->stuck) {
		/* It stays with all that it needs: drivers, and a stage 2. */
		if (hwpt->parent)
			hwpt->parent->stuck = true;
	} else {
		iommu_domain_free(hwpt->idomain.domain);
		module_put(hwpt->iommu_ops->owner);
		iommufd_hw_put(hwpt->hw);
	}
	hwpt->idomain.domain = NULL;
}

static void hwpt_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);
	struct io_pagetable *iopt = &hwpt->ioas->iopt;

	/* Not with those that come and go with groups: the mutex is held. */
	if (hwpt->filled) {
		mutex_lock(&hwpt->ioas->mutex);
		hwpt_empty(hwpt);
		down_write(&iopt->iova_rwsem);
		iopt_unreserve_iova(iopt, hwpt);
		up_write(&iopt->iova_rwsem);
		mutex_unlock(&hwpt->ioas->mutex);
	}
	domain_free(hwpt);
	if (hwpt->shadow)
		iommufd_shadow_free(hwpt->shadow);
	if (hwpt->fault)
		iommufd_fault_put(hwpt->fault);
	iommufd_object_release(hwpt->parent ? &hwpt->parent->obj :
					      &hwpt->ioas->obj);
}

static const struct iommufd_object_ops auto_ops = {
	.type = IOMMUFD_OBJ_HWPT,
	.destroy = hwpt_destroy,
};

static const struct iommufd_object_ops by_user_ops = {
	.type = IOMMUFD_OBJ_HWPT,
	.user_destroy = true,
	.destroy = hwpt_destroy,
};

/* The iommu_ops of a device, or NULL */
static const struct iommu_ops *ops_of(struct device *dev)
{
	if (!dev->iommu || !dev->iommu->iommu_dev)
		return NULL;
	return dev_iommu_ops(dev);
}

static int take_ops(struct device *dev, void *data)
{
	const struct iommu_ops **ops = data;

	*ops = ops_of(dev);
	return 1;
}

static int has_other_ops(struct device *dev, void *data)
{
	return ops_of(dev) != data;
}

static int take_domain(struct device *dev, void *data)
{
	struct iommu_domain **domain = data;

	*domain = iommu_domain_alloc(dev->bus);
	return 1;
}

/* Any device of the group will do: they share one IOMMU. */
static int domain_make(struct iommufd_hwpt *hwpt, struct iommu_group *group)
{
	struct iommu_domain *domain = NULL;

	/* The devices have a reference: it is not on its way out. */
	__module_get(hwpt->iommu_ops->owner);
	iommu_group_for_each_dev(group, &domain, take_domain);
	if (!domain) {
		module_put(hwpt->iommu_ops->owner);
		return -ENOMEM;
	}
	hwpt->idomain.domain = domain;
	return 0;
}

/* Neither published nor in the IOAS, and without a domain */
static struct iommufd_hwpt *hwpt_init(struct iommufd_object *obj,
				      struct iommufd_ioas *ioas,
				      struct iommufd_hwpt *parent)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	hwpt->ioas = ioas;
	hwpt->parent = parent;
	hwpt->by_user = obj->ops == &by_user_ops;
	iommufd_object_hold(parent ? &parent->obj : &ioas->obj);
	return hwpt;
}

static struct iommufd_hwpt *hwpt_alloc(struct iommufd_ioas *ioas,
				       struct iommu_group *group,
				       const struct iommufd_object_ops *obj_ops)
{
	const struct iommu_ops *ops = NULL;
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;

	iommu_group_for_each_dev(group, &ops, take_ops);
	if (!ops)
		return ERR_PTR(-EIO);
	obj = iommufd_object_alloc(ioas->obj.ictx, sizeof(*hwpt), obj_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	hwpt = hwpt_init(obj, ioas, NULL);
	hwpt->iommu_ops = ops;
	return hwpt;
}

/**
 * iommufd_hwpt_new() - Make an HWPT for userspace, as drivers of 6.1 can
 * @ioas: IOAS
 * @group: that is to use it
 *
 * Return: the HWPT, which is still to be published, or an ERR_PTR(): -EIO the
 * group has lost its devices; -ENOMEM.
 */
struct iommufd_hwpt *iommufd_hwpt_new(struct iommufd_ioas *ioas,
				      struct iommu_group *group)
{
	return hwpt_alloc(ioas, group, &by_user_ops);
}

/**
 * iommufd_hwpt_new_of() - Make an HWPT for userspace around a domain
 * @ioas: IOAS, or that of @parent
 * @parent: for a nested one, or NULL
 * @hw: whose domain it is; the reference is taken over
 * @domain: taken over; both are freed when this fails
 *
 * Return: the HWPT, which is still to be published, or an ERR_PTR().
 */
struct iommufd_hwpt *iommufd_hwpt_new_of(struct iommufd_ioas *ioas,
					 struct iommufd_hwpt *parent,
					 const struct iommufd_hw_ops *hw,
					 struct iommu_domain *domain)
{
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;

	obj = iommufd_object_alloc(ioas->obj.ictx, sizeof(struct iommufd_hwpt),
				   &by_user_ops);
	if (IS_ERR(obj)) {
		iommu_domain_free(domain);
		iommufd_hw_put(hw);
		return ERR_CAST(obj);
	}
	hwpt = hwpt_init(obj, ioas, parent);
	hwpt->iommu_ops = hw->iommu_ops;
	__module_get(hwpt->iommu_ops->owner);
	hwpt->hw = hw;
	hwpt->idomain.domain = domain;
	return hwpt;
}

/**
 * iommufd_stage1_check() - Are the numbers of a page table those of one?
 * @stage1: from userspace
 *
 * Return: 0 or -EINVAL.
 */
int iommufd_stage1_check(const struct iommufd_stage1 *stage1)
{
	if ((stage1->addr_width != 48 && stage1->addr_width != 57) ||
	    stage1->pgd % IOMMU_STAGE1_PAGE ||
	    stage1->pgd >> stage1->addr_width ||
	    stage1->emt > 7)
		return -EINVAL;
	return 0;
}

/* A shadow on a domain that drivers of 6.1 make when a group comes */
static struct iommufd_hwpt *new_shadow(struct iommufd_hwpt *parent, u32 flags,
				       const struct iommufd_stage1 *stage1)
{
	struct iommufd_shadow *shadow;
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;

	if (flags)
		return ERR_PTR(-EOPNOTSUPP);
	/* Privileged requests, which it lets through, come with PASIDs only. */
	if (stage1->flags & ~(IOMMUFD_STAGE1_SRE | IOMMUFD_STAGE1_WPE))
		return ERR_PTR(-EINVAL);
	obj = iommufd_object_alloc(parent->obj.ictx, sizeof(*hwpt),
				   &by_user_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	hwpt = hwpt_init(obj, parent->ioas, parent);
	hwpt->iommu_ops = parent->iommu_ops;
	shadow = iommufd_shadow_alloc(&parent->ioas->iopt, &hwpt->idomain,
				      stage1);
	if (IS_ERR(shadow)) {
		iommufd_hwpt_abort(hwpt);
		return ERR_CAST(shadow);
	}
	hwpt->shadow = shadow;
	return hwpt;
}

/* One that the IOMMU walks itself; the reference of @hw is taken over. */
static struct iommufd_hwpt *new_walked(struct iommufd_hwpt *parent,
				       const struct iommufd_hw_ops *hw,
				       struct device *dev, u32 flags,
				       const struct iommufd_stage1 *stage1)
{
	struct iommu_domain *domain = ERR_PTR(-EOPNOTSUPP);

	if (hw->domain_alloc_stage1 && hw->stage1_invalidate)
		domain = hw->domain_alloc_stage1(dev, parent->idomain.domain,
						 flags, stage1);
	if (IS_ERR(domain)) {
		iommufd_hw_put(hw);
		return ERR_CAST(domain);
	}
	return iommufd_hwpt_new_of(parent->ioas, parent, hw, domain);
}

/**
 * iommufd_hwpt_new_stage1() - Make a nested HWPT that shows a guest's page table
 * @parent: stage 2
 * @dev: a device of @parent's IOMMU driver; looked at if that has operations
 * @flags: IOMMU_HWPT_ALLOC_PASID
 * @stage1: the page table
 *
 * Return: the HWPT, which is still to be published, or an ERR_PTR(): -EOPNOTSUPP the
 * IOMMU has no such HWPTs; -EINVAL no such @stage1; -ENOMEM.
 */
struct iommufd_hwpt *iommufd_hwpt_new_stage1(struct iommufd_hwpt *parent,
					     struct device *dev, u32 flags,
					     const struct iommufd_stage1 *stage1)
{
	const struct iommufd_hw_ops *hw = dev ? iommufd_hw_get(dev) : NULL;
	struct iommufd_hwpt *hwpt;

	hwpt = hw ? new_walked(parent, hw, dev, flags, stage1) :
		    new_shadow(parent, flags, stage1);
	if (!IS_ERR(hwpt)) {
		hwpt->stage1 = true;
		hwpt->flags = flags;
	}
	return hwpt;
}

/**
 * iommufd_hwpt_stage1_invalidate() - A guest's page table has changed
 * @hwpt: HWPT with stage1
 * @inv: where
 *
 * Context: may sleep; takes no lock of the IOAS.
 */
void iommufd_hwpt_stage1_invalidate(struct iommufd_hwpt *hwpt,
				    const struct iommufd_stage1_inv *inv)
{
	if (hwpt->shadow)
		iommufd_shadow_invalidate(hwpt->shadow, inv);
	else
		hwpt->hw->stage1_invalidate(hwpt->idomain.domain, inv);
}

/** iommufd_hwpt_abort() - Free an HWPT that was never published */
void iommufd_hwpt_abort(struct iommufd_hwpt *hwpt)
{
	hwpt_destroy(&hwpt->obj);
	iommufd_object_abort(&hwpt->obj);
}

/* ------------------------------------------------------------------ */
/* Groups and domains */

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

/* What is mapped for the devices of an HWPT is mapped in there. */
static struct iopt_domain *shown_domain(struct iommufd_hwpt *hwpt)
{
	return hwpt->parent && !hwpt->shadow ? &hwpt->parent->idomain :
					       &hwpt->idomain;
}

/**
 * iommufd_hwpt_join() - Attach a group to the domain, and nothing else
 * @hwpt: HWPT
 * @group: group, not attached
 *
 * IOMMU drivers walk the devices of a domain when they flush, and take it for
 * granted that none comes or goes meanwhile.  So nobody maps, unmaps or revokes
 * while a group joins or leaves a domain that the IOAS uses.
 *
 * Return: as iommu_attach_group().
 */
int iommufd_hwpt_join(struct iommufd_hwpt *hwpt, struct iommu_group *group)
{
	struct io_pagetable *iopt = &hwpt->ioas->iopt;
	struct iopt_domain *shown = shown_domain(hwpt);
	int rc;

	down_write(&iopt->domains_rwsem);
	iopt_domain_hold(shown);
	rc = iommu_attach_group(hwpt->idomain.domain, group);
	iopt_domain_release(shown);
	up_write(&iopt->domains_rwsem);
	return rc;
}

/** iommufd_hwpt_leave() - Undo iommufd_hwpt_join(); DMA is blocked */
void iommufd_hwpt_leave(struct iommufd_hwpt *hwpt, struct iommu_group *group)
{
	struct io_pagetable *iopt = &hwpt->ioas->iopt;
	struct iopt_domain *shown = shown_domain(hwpt);

	down_write(&iopt->domains_rwsem);
	iopt_domain_hold(shown);
	detach_group(hwpt, group);
	iopt_domain_release(shown);
	up_write(&iopt->domains_rwsem);
}

static bool same_kind(const struct iommufd_hwpt *a,
		      const struct iommufd_hwpt *b)
{
	return a->idomain.domain->ops == b->idomain.domain->ops &&
	       a->enforce_cache_coherency == b->enforce_cache_coherency;
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
		if (hwpt->by_user || !same_kind(hwpt, alone))
			continue;
		detach_group(alone, group);
		if (!iommufd_hwpt_join(hwpt, group))
			return hwpt;
		rc = iommu_attach_group(domain, group);
		if (rc)
			return ERR_PTR(rc);
	}
	return NULL;
}

static void settle_coherency(struct iommufd_hwpt *hwpt)
{
	struct iommu_domain *domain = hwpt->idomain.domain;

	if (domain->ops->enforce_cache_coherency)
		hwpt->enforce_cache_coherency =
			domain->ops->enforce_cache_coherency(domain);
}

static int reserve_aperture(struct iommufd_hwpt *hwpt, void *owner)
{
	struct io_pagetable *iopt = &hwpt->ioas->iopt;
	int rc;

	down_write(&iopt->iova_rwsem);
	rc = iopt_reserve_outside_aperture(iopt, hwpt->idomain.domain, owner);
	up_write(&iopt->iova_rwsem);
	return rc;
}

static int get_msi_cookie(struct iommufd_hwpt *hwpt,
			  const struct iommufd_joiner *who)
{
	int rc;

	if (!who->sw_msi)
		return 0;
	rc = iommu_get_msi_cookie(hwpt->idomain.domain, who->sw_msi_base);
	/* -ENODEV: this architecture needs none; -EEXIST: it has one. */
	return rc == -ENODEV || rc == -EEXIST ? 0 : rc;
}

static int hwpt_fill(struct iommufd_hwpt *hwpt)
{
	int rc;

	lockdep_assert_held(&hwpt->ioas->mutex);

	rc = iopt_add_domain(&hwpt->ioas->iopt, &hwpt->idomain);
	if (rc)
		return rc;
	list_add_tail(&hwpt->item, &hwpt->ioas->hwpts);
	hwpt->filled = true;
	return 0;
}

/**
 * iommufd_hwpt_fill_new() - Let a new HWPT show its IOAS, if it has a domain
 * @hwpt: not published
 *
 * Return: 0, or as iopt_add_domain() and iopt_reserve_outside_aperture().
 * Context: may sleep; takes the mutex of the IOAS.
 */
int iommufd_hwpt_fill_new(struct iommufd_hwpt *hwpt)
{
	struct io_pagetable *iopt = &hwpt->ioas->iopt;
	int rc;

	if (hwpt->parent || !hwpt->idomain.domain)
		return 0;
	mutex_lock(&hwpt->ioas->mutex);
	rc = reserve_aperture(hwpt, hwpt);
	if (!rc)
		rc = hwpt_fill(hwpt);
	if (rc) {
		down_write(&iopt->iova_rwsem);
		iopt_unreserve_iova(iopt, hwpt);
		up_write(&iopt->iova_rwsem);
	}
	mutex_unlock(&hwpt->ioas->mutex);
	return rc;
}

/**
 * iommufd_hwpt_attach_auto() - Connect an IOMMU group to an IOAS
 * @ioas: IOAS, with its mutex held
 * @who: the group, not attached; what @who->owner reserves is for the caller to
 *	undo, also after an error
 *
 * Return: the HWPT, or an ERR_PTR and nothing changed: the error of the IOMMU
 * driver, or as iopt_add_domain().
 * Context: may sleep.
 */
struct iommufd_hwpt *iommufd_hwpt_attach_auto(struct iommufd_ioas *ioas,
					      const struct iommufd_joiner *who)
{
	struct iommufd_hwpt *hwpt, *other;
	int rc;

	lockdep_assert_held(&ioas->mutex);

	hwpt = hwpt_alloc(ioas, who->group, &auto_ops);
	if (IS_ERR(hwpt))
		return hwpt;
	rc = domain_make(hwpt, who->group);
	if (rc)
		goto err_abort;
	rc = iommu_attach_group(hwpt->idomain.domain, who->group);
	if (rc)
		goto err_abort;
	settle_coherency(hwpt);
	/*
	 * Also of a group that will share a domain: a driver may narrow an
	 * existing domain to what all of its groups can do.
	 */
	rc = reserve_aperture(hwpt, who->owner);
	if (rc)
		goto err_detach;

	other = find_other(hwpt, who->group);
	if (IS_ERR(other)) {
		rc = PTR_ERR(other);
		goto err_abort;
	}
	if (other) {
		iommufd_hwpt_abort(hwpt);
		other->groups++;
		return other;
	}

	rc = get_msi_cookie(hwpt, who);
	if (!rc)
		rc = hwpt_fill(hwpt);
	if (rc)
		goto err_detach;
	hwpt->groups = 1;
	iommufd_object_publish(&hwpt->obj);
	return hwpt;

err_detach:
	detach_group(hwpt, who->group);
err_abort:
	iommufd_hwpt_abort(hwpt);
	return ERR_PTR(rc);
}

/* For a group that has just joined the domain */
static int show_to(struct iommufd_hwpt *hwpt, const struct iommufd_joiner *who)
{
	int rc;

	if (hwpt->parent)
		return 0;
	if (!hwpt->filled)
		settle_coherency(hwpt);
	rc = reserve_aperture(hwpt, who->owner);
	if (!rc)
		rc = get_msi_cookie(hwpt, who);
	if (!rc && !hwpt->filled)
		rc = hwpt_fill(hwpt);
	return rc;
}

/*
 * Count a group as one of the parent's, which then pins all there is.  A group has to
 * be attached to make a domain that is not there yet.
 */
static int attach_parent(struct iommufd_hwpt *parent,
			 const struct iommufd_joiner *who)
{
	int rc;

	if (parent->filled) {
		rc = reserve_aperture(parent, who->owner);
		if (rc)
			return rc;
		parent->groups++;
		if (parent->by_user)
			iommufd_object_hold(&parent->obj);
		return 0;
	}
	rc = iommufd_hwpt_attach(parent, who);
	if (!rc)
		iommufd_hwpt_leave(parent, who->group);
	return rc;
}

static int attach_shadow(struct iommufd_hwpt *hwpt,
			 const struct iommufd_joiner *who)
{
	int rc;

	rc = attach_parent(hwpt->parent, who);
	if (rc)
		return rc;
	if (!hwpt->idomain.domain)
		rc = domain_make(hwpt, who->group);
	if (rc)
		goto err_put;
	rc = iommufd_hwpt_join(hwpt, who->group);
	if (rc)
		goto err_free;
	if (!hwpt->groups) {
		settle_coherency(hwpt);
		rc = get_msi_cookie(hwpt, who);
		if (!rc)
			rc = iommufd_shadow_fill(hwpt->shadow);
	}
	if (rc)
		goto err_leave;
	hwpt->groups++;
	iommufd_object_hold(&hwpt->obj);
	return 0;

err_leave:
	iommufd_hwpt_leave(hwpt, who->group);
err_free:
	if (!hwpt->groups)
		domain_free(hwpt);
err_put:
	iommufd_hwpt_put_group(hwpt->parent);
	return rc;
}

/**
 * iommufd_hwpt_attach() - Connect an IOMMU group to an HWPT
 * @hwpt: HWPT, held, with the mutex of its IOAS held
 * @who: as for iommufd_hwpt_attach_auto()
 *
 * Return: 0, or an error and nothing changed: -EINVAL it is of another IOMMU
 * driver; the IOMMU driver's; or as iopt_add_domain().
 * Context: may sleep.
 */
int iommufd_hwpt_attach(struct iommufd_hwpt *hwpt,
			const struct iommufd_joiner *who)
{
	int rc = 0;

	lockdep_assert_held(&hwpt->ioas->mutex);

	/* 6.1's core does not look: a driver would get another one's device. */
	if (iommu_group_for_each_dev(who->group, (void *)hwpt->iommu_ops,
				     has_other_ops))
		return -EINVAL;
	if (hwpt->shadow)
		return attach_shadow(hwpt, who);
	if (!hwpt->idomain.domain)
		rc = domain_make(hwpt, who->group);
	if (rc)
		return rc;
	rc = iommufd_hwpt_join(hwpt, who->group);
	if (rc)
		goto err_free;
	rc = show_to(hwpt, who);
	if (rc)
		goto err_leave;
	hwpt->groups++;
	if (hwpt->by_user)
		iommufd_object_hold(&hwpt->obj);
	return 0;

err_leave:
	iommufd_hwpt_leave(hwpt, who->group);
err_free:
	if (!hwpt->groups && !hwpt->hw)
		domain_free(hwpt);
	return rc;
}

/**
 * iommufd_hwpt_put_group() - A group that was attached has left
 * @hwpt: HWPT; gone when it made itself and this was its last group
 *
 * Cannot fail.  Context: may sleep; the mutex of the IOAS is held.
 */
void iommufd_hwpt_put_group(struct iommufd_hwpt *hwpt)
{
	struct iommufd_hwpt *parent = hwpt->shadow ? hwpt->parent : NULL;

	lockdep_assert_held(&hwpt->ioas->mutex);

	hwpt->groups--;
	if (!hwpt->groups && hwpt->shadow)
		iommufd_shadow_empty(hwpt->shadow);
	if (!hwpt->groups && !hwpt->hw) {
		hwpt_empty(hwpt);
		/* Of one that goes, a call may still look at the domain. */
		if (hwpt->by_user)
			domain_free(hwpt);
	}
	if (hwpt->by_user)
		iommufd_object_release(&hwpt->obj);
	else if (!hwpt->groups)
		iommufd_object_remove(&hwpt->obj);
	if (parent)
		iommufd_hwpt_put_group(parent);
}

/**
 * iommufd_hwpt_keep() - Have an HWPT that made itself stay without a group
 * @hwpt: HWPT with a group
 */
void iommufd_hwpt_keep(struct iommufd_hwpt *hwpt)
{
	mutex_lock(&hwpt->ioas->mutex);
	hwpt->groups++;
	mutex_unlock(&hwpt->ioas->mutex);
}

/** iommufd_hwpt_unkeep() - Undo iommufd_hwpt_keep() */
void iommufd_hwpt_unkeep(struct iommufd_hwpt *hwpt)
{
	struct iommufd_ioas *ioas = hwpt->ioas;

	mutex_lock(&ioas->mutex);
	iommufd_hwpt_put_group(hwpt);
	mutex_unlock(&ioas->mutex);
}
