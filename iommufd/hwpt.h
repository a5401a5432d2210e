/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_HWPT_H
#define IOMMUFD_HWPT_H

#include "hw.h"
#include "ioas.h"

struct iommu_group;
struct iommu_ops;
struct iommufd_fault;
struct iommufd_shadow;
struct iommufd_stage1;
struct iommufd_stage1_inv;

extern bool iommufd_share_domains;
extern bool iommufd_nesting;

/**
 * struct iommufd_hwpt - an IOMMU domain that shows an IOAS, or a nested one
 * @obj: object
 * @ioas: the IOAS, or that of @parent; unless nested this object is one of its
 *	users
 * @parent: what a nested one is on top of, and one of its users; else NULL
 * @iommu_ops: what the devices that attach must have
 * @idomain: the domain, or NULL: made for the first group; while @filled in
 *	ioas->iopt
 * @item: while @filled in ioas->hwpts; ioas->mutex
 * @hw: IOMMU driver's operations that made the domain, with a reference, or NULL:
 *	6.1's iommu_ops did
 * @fault: where page requests go, and one of its users, or NULL
 * @flags: IOMMU_HWPT_ALLOC_*
 * @by_user: made by IOMMU_HWPT_ALLOC; else it goes with its last group
 * @groups: IOMMU groups attached; ioas->mutex
 * @filled: shows what is mapped; ioas->mutex
 * @enforce_cache_coherency: DMA cannot ask to bypass the CPU caches
 * @dirty_tracking: is on; iopt.domains_rwsem for writing
 * @stage1: nested, and shows a page table in the format of x86-64
 * @shadow: with @stage1: how @idomain shows it, or NULL: the IOMMU walks it
 * @container: made by an ioctl of a VFIO container, which has no id for it
 * @stuck: a group did not come off the domain, which must not be freed then;
 *	only ever set, by who attaches or detaches
 *
 * Groups of an HWPT with a shadow are, in @groups, those of its parent, too: that shows
 * the IOAS as long, so that all of it stays pinned, and takes them back quickly.
 *
 * A domain that @hw made is filled as long as it exists.  What drivers of 6.1
 * make is not settled before a group is attached, and may be scarce: for userspace,
 * too, it exists as long as a group is attached.
 */
struct iommufd_hwpt {
	struct iommufd_object obj;
	struct iommufd_ioas *ioas;
	struct iommufd_hwpt *parent;
	const struct iommu_ops *iommu_ops;
	struct iopt_domain idomain;
	struct list_head item;
	const struct iommufd_hw_ops *hw;
	struct iommufd_fault *fault;
	u32 flags;
	bool by_user;
	unsigned int groups;
	bool filled;
	bool enforce_cache_coherency;
	bool dirty_tracking;
	bool stage1;
	struct iommufd_shadow *shadow;
	bool container;
	bool stuck;
};

static inline struct iommufd_hwpt *iommufd_hwpt_find(struct iommufd_ctx *ictx,
						     u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_find(ictx, id, IOMMUFD_OBJ_HWPT);

	return IS_ERR(obj) ? ERR_CAST(obj) :
			     container_of(obj, struct iommufd_hwpt, obj);
}

/**
 * struct iommufd_joiner - a group that attaches
 * @group: group whose DMA ownership is held
 * @owner: of the IOVAs that its aperture denies
 * @sw_msi: MSIs go through the domain
 * @sw_msi_base: first IOVA of the window for them
 */
struct iommufd_joiner {
	struct iommu_group *group;
	void *owner;
	bool sw_msi;
	phys_addr_t sw_msi_base;
};

struct iommufd_hwpt *iommufd_hwpt_attach_auto(struct iommufd_ioas *ioas,
					      const struct iommufd_joiner *who);
int iommufd_hwpt_attach(struct iommufd_hwpt *hwpt,
			const struct iommufd_joiner *who);
void iommufd_hwpt_put_group(struct iommufd_hwpt *hwpt);
int iommufd_hwpt_join(struct iommufd_hwpt *hwpt, struct iommu_group *group);
void iommufd_hwpt_leave(struct iommufd_hwpt *hwpt, struct iommu_group *group);

struct iommufd_hwpt *iommufd_hwpt_new(struct iommufd_ioas *ioas,
				      struct iommu_group *group);
struct iommufd_hwpt *iommufd_hwpt_new_of(struct iommufd_ioas *ioas,
					 struct iommufd_hwpt *parent,
					 const struct iommufd_hw_ops *hw,
					 struct iommu_domain *domain);
/* The smallest page of a stage 1 */
#define IOMMU_STAGE1_PAGE 4096

int iommufd_stage1_check(const struct iommufd_stage1 *stage1);
struct iommufd_hwpt *iommufd_hwpt_new_stage1(struct iommufd_hwpt *parent,
					     struct device *dev, u32 flags,
					     const struct iommufd_stage1 *stage1);
void iommufd_hwpt_stage1_invalidate(struct iommufd_hwpt *hwpt,
				    const struct iommufd_stage1_inv *inv);
void iommufd_hwpt_keep(struct iommufd_hwpt *hwpt);
void iommufd_hwpt_unkeep(struct iommufd_hwpt *hwpt);
int iommufd_hwpt_fill_new(struct iommufd_hwpt *hwpt);
void iommufd_hwpt_abort(struct iommufd_hwpt *hwpt);

int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_set_dirty_tracking(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_get_dirty_bitmap(struct iommufd_ucmd *ucmd);
int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd);
int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd);

#endif
