/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_FOREIGN_H
#define IOMMUFD_FOREIGN_H

#include "object.h"

bool iommufd_extra_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			 void __user *ubuffer, long *ret);

#endif
