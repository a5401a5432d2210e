/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM in this process: a container with two stages, VFIO devices of the mock IOMMU in
 * it, a guest's memory in stage 2, and page tables in that.
 */
#ifndef SELFTESTS_NESTING_MOCK_H
#define SELFTESTS_NESTING_MOCK_H

#include "iommu_util.h"
#include "nesting_dev.h"
#include "pgtable_util.h"

/* The mock's stage 2 has addresses from 16 MiB to 2 GiB. */
#define VMM_GPA 0x2000000ULL
#define IN_HOLE 0x60000000ULL

#define WR IOMMU_MOCK_DMA_WRITE
#define UNTRANSLATED IOMMU_MOCK_DMA_UNTRANSLATED

#define IOTLB IOMMU_CACHE_INV_TYPE_IOTLB
#define DEV_IOTLB IOMMU_CACHE_INV_TYPE_DEV_IOTLB
#define PASID_CACHE IOMMU_CACHE_INV_TYPE_PASID
#define LEAF IOMMU_INV_ADDR_FLAGS_LEAF

/**
 * struct vmm - a VMM with its guest
 * @box: container and groups
 * @dev: devices of these groups
 * @mem: the guest's memory
 */
struct vmm {
	struct nesting_box box;
	int dev[NESTING_DEVS];
	struct guest_mem mem;
};

static inline int vmm_device(int group, const struct nesting_dev *dev)
{
	int fd = device_fd(group, dev->name);

	if (fd < 0)
		bail("VFIO_GROUP_GET_DEVICE_FD %s", dev->name);
	return fd;
}

/* One more group, and the device in it */
static inline void vmm_join(struct vmm *vmm, const struct nesting_dev *dev)
{
	int n = vmm->box.n++;

	vmm->box.groups[n] = group_open(dev->group);
	if (set_container(vmm->box.groups[n], vmm->box.fd))
		bail("SET_CONTAINER");
	vmm->dev[n] = vmm_device(vmm->box.groups[n], dev);
}

/* The group that came last, and its device */
static inline void vmm_leave(struct vmm *vmm)
{
	int n = --vmm->box.n;

	close(vmm->dev[n]);
	close(vmm->box.groups[n]);
}

/* @box: with SET_IOMMU done; @size: bytes of memory */
static inline struct vmm vmm_of(struct nesting_box box,
				const struct nesting_dev *devs, uint64_t size)
{
	struct vmm vmm = { .box = box };

	vmm.mem = (struct guest_mem){ mem_alloc(size), VMM_GPA, size, 0 };
	if (dma_map(box.fd, VMM_GPA, vmm.mem.va, size))
		bail("MAP_DMA of the guest's memory");
	for (int i = 0; i != box.n; i++)
		vmm.dev[i] = vmm_device(box.groups[i], &devs[i]);
	return vmm;
}

static inline struct vmm vmm_open(const struct nesting_dev *devs, int n,
				  uint64_t size)
{
	return vmm_of(box_open(VFIO_TYPE1_NESTING_IOMMU, devs, n), devs, size);
}

static inline void vmm_close(struct vmm *vmm)
{
	while (vmm->box.n)
		vmm_leave(vmm);
	close(vmm->box.fd);
	munmap(vmm->mem.va, vmm->mem.size);
}

static inline uint32_t vmm_pasid(const struct vmm *vmm)
{
	uint32_t pasid;

	if (pasid_alloc(vmm->box.fd, 1, 0xfffff, &pasid))
		bail("a PASID");
	return pasid;
}

/* A page of the guest's in which each 8 bytes are others than anywhere else */
static inline uint64_t page_new(struct vmm *vmm)
{
	static uint64_t seed;
	uint64_t gpa = guest_alloc(&vmm->mem, PAGE);

	mem_fill(guest_va(&vmm->mem, gpa), PAGE, ++seed);
	return gpa;
}

/* ------------------------------------------------------------------ */
/* DMA; PASID 0 for none */

/* The first 8 bytes of a page that the device reads; 0, which no page has: a fault */
static inline uint64_t dma_word(int device, uint32_t pasid, uint32_t flags,
				uint64_t iova)
{
	struct iommu_mock_dma dma;
	uint64_t word = 0;

	if (mock_vfio_dma(device, &dma, pasid, flags, iova, &word, sizeof(word)))
		bail("MOCK_VFIO_DMA");
	return dma.out_faulted ? 0 : word;
}

static inline uint64_t page_word(const struct vmm *vmm, uint64_t gpa)
{
	return *(uint64_t *)guest_va(&vmm->mem, gpa);
}

/* Does the device read there what is at @gpa? */
static inline bool dma_sees(const struct vmm *vmm, int device, uint32_t pasid,
			    uint32_t flags, uint64_t iova, uint64_t gpa)
{
	uint64_t word = dma_word(device, pasid, flags, iova);

	if (word == page_word(vmm, gpa))
		return true;
	note("PASID %u reads %#lx at %#lx, not %#lx", pasid, word, iova,
	     page_word(vmm, gpa));
	return false;
}

/* Is it a fault for this reason, before a byte has moved? */
static inline bool dma_faults(int device, uint32_t pasid, uint32_t flags,
			      uint64_t iova, uint32_t reason)
{
	struct iommu_mock_dma dma;
	uint64_t word = 0;

	if (mock_vfio_dma(device, &dma, pasid, flags, iova, &word, sizeof(word)))
		bail("MOCK_VFIO_DMA");
	if (dma.out_faulted && dma.out_reason == reason && !dma.out_done &&
	    dma.out_addr == iova)
		return true;
	note("PASID %u at %#lx: fault %u, reason %u (not %u), %lu bytes",
	     pasid, iova, dma.out_faulted, dma.out_reason, reason,
	     (unsigned long)dma.out_done);
	return false;
}

#define FAULTS(device, pasid, flags, iova, reason)                            \
	dma_faults(device, pasid, flags, iova, IOMMU_FAULT_REASON_##reason)

/* What must be 0 when no container is open */
static inline bool nothing_left(void)
{
	iommufd_stat_wait("contexts", 0);
	return !iommufd_stat("pasids") && !iommufd_stat("objects") &&
	       !iommufd_stat("pinned_pages");
}

/* Requests and events that found no place in a queue, since the module was loaded */
static inline uint64_t faults_lost(void)
{
	return file_value("/sys/kernel/debug/iommufd/nesting", "faults_lost");
}

#endif
