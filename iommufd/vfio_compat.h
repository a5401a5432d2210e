/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_VFIO_COMPAT_H
#define IOMMUFD_VFIO_COMPAT_H

#include "ioas.h"

extern unsigned int iommufd_dma_entry_limit;

int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd);
long iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			unsigned long arg);
int iommufd_vfio_open(struct iommufd_ctx *ictx);
void iommufd_vfio_release(struct iommufd_ctx *ictx);

#endif
