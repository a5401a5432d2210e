/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_PASID_SET_H
#define IOMMUFD_PASID_SET_H

#include <linux/types.h>

/* PASIDs have 20 bits. */
#define PASID_SET_MAX 0xfffffu

struct iommufd_pasid_set;
struct mm_struct;

extern unsigned int iommufd_pasid_quota;

struct iommufd_pasid_set *pasid_set_get(struct mm_struct *mm);
void pasid_set_put(struct iommufd_pasid_set *set);

int pasid_set_alloc(struct iommufd_pasid_set *set, u32 min, u32 max,
		    u32 __user *upasid);
int pasid_set_free(struct iommufd_pasid_set *set, u32 pasid);
int pasid_set_quota(struct iommufd_pasid_set *set, u32 quota);
int pasid_set_check(struct iommufd_pasid_set *set, u64 pasid);
int pasid_set_bind(struct iommufd_pasid_set *set, u64 pasid);
void pasid_set_unbind(struct iommufd_pasid_set *set, u32 pasid);

unsigned long pasid_set_count(void);

#endif
