/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA of the mock's devices, on /dev/iommu and on the VFIO devices of the mock.
 *
 * The mock IOMMU translates it as a VT-d with scalable mode, ATS and PRI does: a
 * guest's page table (stage 1) is walked in memory, each of its entries found by
 * stage 2.  What is remembered is remembered on purpose until somebody invalidates
 * it:
 *
 * IOTLB, device TLB	64 translations each.  A request that finds one which allows
 *			it is not looked up any further
 * page-walk cache	32 addresses of tables with 4 KiB entries, so that a walk
 *			begins there.  It remains after an invalidation with LEAF.
 *			A fault of such a walk removes it
 * PASID cache		64 answers, by device and PASID, whether that is attached.
 *			As with caching mode a "no" is remembered, too: a PASID that was
 *			tried before it was attached works after an invalidation
 *
 * Faults of page tables are never remembered.  Not the guest's business, and never
 * stale: what was detached, freed, or unmapped from stage 2.  Any unmap from a stage
 * 2 empties the TLBs and the page-walk cache of all that is on top of it.
 *
 * Accessed and dirty bits of stage 1 are neither looked at nor set.  For selftests
 * only.
 */
#ifndef MOCK_IOMMUFD_MOCK_DMA_UAPI_H
#define MOCK_IOMMUFD_MOCK_DMA_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOMMU_MOCK_DMA_MAX 0x100000
#define IOMMU_MOCK_TLB_ENTRIES 64
#define IOMMU_MOCK_WALK_ENTRIES 32
/* Page requests of one device that nobody has answered */
#define IOMMU_MOCK_PAGE_REQUESTS 512

/**
 * enum iommu_mock_dma_flags - flags of struct iommu_mock_dma
 * @IOMMU_MOCK_DMA_WRITE: to memory; else from there
 * @IOMMU_MOCK_DMA_EXEC: read to execute
 * @IOMMU_MOCK_DMA_PRIV: in privileged mode
 * @IOMMU_MOCK_DMA_PASID: pasid is valid
 * @IOMMU_MOCK_DMA_PRI: request pages that stage 1 lacks, or does not allow, and wait
 * @IOMMU_MOCK_DMA_UNTRANSLATED: the device TLB is neither used nor filled
 */
enum iommu_mock_dma_flags {
	IOMMU_MOCK_DMA_WRITE = 1 << 0,
	IOMMU_MOCK_DMA_EXEC = 1 << 1,
	IOMMU_MOCK_DMA_PRIV = 1 << 2,
	IOMMU_MOCK_DMA_PASID = 1 << 3,
	IOMMU_MOCK_DMA_PRI = 1 << 4,
	IOMMU_MOCK_DMA_UNTRANSLATED = 1 << 5,
};

/**
 * struct iommu_mock_dma - IOMMU_TEST_OP_MOCK_DMA, ioctl(MOCK_VFIO_DMA)
 * @size: sizeof(struct iommu_mock_dma)
 * @flags: of enum iommu_mock_dma_flags
 * @dev_id: device, as iommufd's own commands know it; MOCK_VFIO_DMA: 0
 * @pasid: with IOMMU_MOCK_DMA_PASID, else 0
 * @iova: first address
 * @length: bytes, at most IOMMU_MOCK_DMA_MAX
 * @uptr: the caller's buffer
 * @out_done: bytes that were copied, up to the first fault
 * @out_addr: the address of the fault
 * @out_reason: IOMMU_FAULT_REASON_* of the fault, see below
 * @out_faulted: 1 if there was one, else 0
 * @out_requests: page requests that were made
 * @__reserved: 0
 *
 * The answer is there when 0 is returned, after a fault, too.  What is to be written
 * is read from the caller first.  A request that is answered SUCCESS is tried again,
 * three times at most.  After the answer FAILURE the device makes no requests until
 * it is detached from everything or the next one enables them.
 *
 * PASID_FETCH		the device is attached to nothing
 * PASID_INVALID	the PASID is not, or the device has none
 * BAD_PASID_ENTRY	attached to something without a page table
 * OOR_ADDRESS		not canonical
 * WALK_EABT		stage 2 does not let a table be read
 * PTE_FETCH		an entry of stage 1 is not present, or has reserved bits
 * PERMISSION		stage 1 does not allow it
 * ACCESS		stage 2 does not, or there is no RAM
 *
 * A fault that is no page request goes to iommufd_report_device_event().
 *
 * Errors: EINVAL flags, pasid, @__reserved, length 0, an address beyond 2^64 - 1, not a
 * device of the mock; E2BIG length; ENOENT no such device; EFAULT; ENOMEM; EINTR being
 * killed; of the struct itself EINVAL too short, E2BIG, EFAULT.
 */
struct iommu_mock_dma {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pasid;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 uptr;
	__aligned_u64 out_done;
	__aligned_u64 out_addr;
	__u32 out_reason;
	__u32 out_faulted;
	__u32 out_requests;
	__u32 __reserved;
};

#define MOCK_VFIO_DMA _IO('M', 0)

/**
 * struct iommu_mock_stage1 - IOMMU_TEST_OP_MOCK_STAGE1, ioctl(MOCK_VFIO_STAGE1)
 * @size: sizeof(struct iommu_mock_stage1)
 * @id: on /dev/iommu an HWPT; MOCK_VFIO_STAGE1: a PASID of the device, or 0 for
 *	what the device itself is attached to
 * @out_pgd: what stage 1 was made with: its root
 * @out_flags: SRE 1, PCD 4, PWT 8, EMTE 16, WPE 256
 * @out_addr_width: 48 or 57
 * @out_pat: page attribute table
 * @out_emt: extended memory type
 *
 * Errors: EINVAL no stage 1 of the mock; ENOENT no such HWPT, or nothing is attached;
 * EFAULT.
 */
struct iommu_mock_stage1 {
	__u32 size;
	__u32 id;
	__aligned_u64 out_pgd;
	__u32 out_flags;
	__u32 out_addr_width;
	__u32 out_pat;
	__u32 out_emt;
};

#define MOCK_VFIO_STAGE1 _IO('M', 1)

/* Devices of iommufd_mock_vfio.ko, on the bus iommufd_mock, are NAME.0, NAME.1 ... */
#define MOCK_VFIO_NAME "iommufd_mock_vfio"
#define MOCK_VFIO_DEVICES_MAX 8

#endif
