/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_HW_H
#define IOMMUFD_HW_H

#include <linux/iommufd.h>

const struct iommufd_hw_ops *iommufd_hw_get(struct device *dev);
void iommufd_hw_put(const struct iommufd_hw_ops *hw);

#endif
