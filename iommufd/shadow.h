/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shadow of a guest's page table: what it says, composed with stage 2, in an IOMMU
 * domain of its own.
 */
#ifndef IOMMUFD_SHADOW_H
#define IOMMUFD_SHADOW_H

#include <linux/iommufd.h>

#include "io_pagetable.h"

struct iommufd_shadow;

extern unsigned int iommufd_shadow_entries;

struct iommufd_shadow *iommufd_shadow_alloc(struct io_pagetable *iopt,
					    struct iopt_domain *idomain,
					    const struct iommufd_stage1 *stage1);
int iommufd_shadow_fill(struct iommufd_shadow *shadow);
void iommufd_shadow_empty(struct iommufd_shadow *shadow);
void iommufd_shadow_free(struct iommufd_shadow *shadow);
void iommufd_shadow_invalidate(struct iommufd_shadow *shadow,
			       const struct iommufd_stage1_inv *inv);

unsigned long iommufd_shadow_count(void);
unsigned long iommufd_shadow_count_absent(void);
unsigned long iommufd_shadow_count_dropped(void);

#endif
