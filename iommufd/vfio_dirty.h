/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_VFIO_DIRTY_H
#define IOMMUFD_VFIO_DIRTY_H

#include <linux/kernel.h>
#include <linux/types.h>
#include <uapi/linux/vfio.h>

struct io_pagetable;

/* Pages that one bitmap can tell of, and its length in bytes */
#define VFIO_DIRTY_PAGES_MAX ((u64)INT_MAX)
#define VFIO_DIRTY_BITMAP_BYTES(npages) (ALIGN(npages, 64) / 8)

int vfio_dirty_check_bitmap(const struct vfio_bitmap *bitmap, u64 size);
int vfio_dirty_read(struct io_pagetable *iopt, unsigned long iova,
		    unsigned long last, u64 __user *bitmap);

#endif
