/* SPDX-License-Identifier: GPL-2.0-only */
/* The VFIO devices of iommufd_mock_vfio.ko, from userspace. */
#ifndef SELFTESTS_MOCK_VFIO_H
#define SELFTESTS_MOCK_VFIO_H

#include <linux/iommu.h>
#include <linux/iommufd.h>

#include "../mock/iommufd_mock_dma_uapi.h"
#include "vfio_util.h"

/* The number of a device's group; @name: as name_of("MOCKVFIO0") gives it */
static inline int mock_vfio_group(const char *name)
{
	return group_number("/sys/bus/iommufd_mock/devices/%s", name);
}

/*
 * @flags: IOMMU_MOCK_DMA_*; @pasid: 0 for none.  What came of it is in @dma; 0 after a
 * fault, too.
 */
static inline int mock_vfio_dma(int device, struct iommu_mock_dma *dma,
				uint32_t pasid, uint32_t flags, uint64_t iova,
				void *buf, uint64_t length)
{
	*dma = (struct iommu_mock_dma){
		.size = sizeof(*dma),
		.flags = flags | (pasid ? IOMMU_MOCK_DMA_PASID : 0),
		.pasid = pasid,
		.iova = iova,
		.length = length,
		.uptr = (uintptr_t)buf,
	};
	return ioctl(device, MOCK_VFIO_DMA, dma);
}

/* @pasid: 0: what the device itself is attached to */
static inline int mock_vfio_stage1(int device, uint32_t pasid,
				   struct iommu_mock_stage1 *info)
{
	*info = (struct iommu_mock_stage1){ .size = sizeof(*info), .id = pasid };
	return ioctl(device, MOCK_VFIO_STAGE1, info);
}

#endif
