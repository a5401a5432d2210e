/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_HWPT_H
#define IOMMUFD_HWPT_H

#include "ioas.h"

struct iommu_group;

extern bool iommufd_share_domains;

/**
 * struct iommufd_hwpt - an IOMMU domain that shows an IOAS
 * @obj: object
 * @ioas: the IOAS; this object is one of its users
 * @idomain: the domain, in ioas->iopt
 * @item: in ioas->hwpts; ioas->mutex
 * @groups: IOMMU groups attached; ioas->mutex
 * @enforce_cache_coherency: DMA cannot ask to bypass the CPU caches
 * @stuck: a group did not come off the domain, which must not be freed then;
 *	ioas->mutex
 */
struct iommufd_hwpt {
	struct iommufd_object obj;
	struct iommufd_ioas *ioas;
	struct iopt_domain idomain;
	struct list_head item;
	unsigned int groups;
	bool enforce_cache_coherency;
	bool stuck;
};

struct iommufd_hwpt *iommufd_hwpt_attach_group(struct iommufd_ioas *ioas,
					       struct iommu_group *group,
					       void *owner, bool sw_msi,
					       phys_addr_t sw_msi_base);
void iommufd_hwpt_detach_group(struct iommufd_hwpt *hwpt,
			       struct iommu_group *group);

#endif
