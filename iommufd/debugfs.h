/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_DEBUGFS_H
#define IOMMUFD_DEBUGFS_H

struct iommufd_ctx;

void iommufd_debugfs_add(struct iommufd_ctx *ictx);
void iommufd_debugfs_remove(struct iommufd_ctx *ictx);
void iommufd_debugfs_gone(void);
void iommufd_debugfs_init(void);
void iommufd_debugfs_exit(void);

#endif
