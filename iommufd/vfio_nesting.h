/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_VFIO_NESTING_H
#define IOMMUFD_VFIO_NESTING_H

#include "object.h"

struct iommufd_nesting;

struct iommufd_nesting *vfio_nesting_create(struct iommufd_ctx *ictx);
void vfio_nesting_destroy(struct iommufd_nesting *nesting);

struct iommufd_nesting *vfio_nesting_get(struct iommufd_nesting *nesting);
void vfio_nesting_put(struct iommufd_nesting *nesting);

bool vfio_nesting_knows(unsigned int cmd);
long vfio_nesting_ioctl(struct iommufd_nesting *nesting, unsigned int cmd,
			void __user *arg);

#endif
