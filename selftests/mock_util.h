/* SPDX-License-Identifier: GPL-2.0-only */
/* The mock IOMMU's devices, and what can be asked of them, for the selftests. */
#ifndef SELFTESTS_MOCK_UTIL_H
#define SELFTESTS_MOCK_UTIL_H

#include <linux/iommu.h>

#include "../mock/iommufd_mock_dma_uapi.h"
#include "../mock/iommufd_mock_uapi.h"
#include "native_util.h"

/* IOVA with room behind it in each of the mock's page tables */
#define IOVA MOCK_APERTURE_START

/* A device: who owns it, what it is attached to, its own id */
struct mock {
	uint32_t stdev, hwpt, idev;
};

/* Sets size and @op and nothing else */
static inline int mock_cmd(int fd, uint32_t op, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->op = op;
	return ioctl(fd, IOMMU_TEST_CMD, cmd);
}

/* A device of MOCK_FLAGS_DEVICE_* @flags, attached to @pt */
static inline int mock_make(int fd, uint32_t pt, uint32_t flags,
			    struct mock *dev)
{
	struct iommu_test_cmd cmd = {
		.id = pt,
		.mock_domain.dev_flags = flags,
	};
	int rc = mock_cmd(fd, IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, &cmd);

	dev->stdev = cmd.mock_domain.out_stdev_id;
	dev->hwpt = cmd.mock_domain.out_hwpt_id;
	dev->idev = cmd.mock_domain.out_idev_id;
	return rc;
}

static inline struct mock mock_new(int fd, uint32_t pt, uint32_t flags)
{
	struct mock dev;

	if (mock_make(fd, pt, flags, &dev))
		bail("MOCK_DOMAIN_FLAGS");
	return dev;
}

/* For attachments that must fail: there is nothing to keep. */
static inline int mock_make_only(int fd, uint32_t pt, uint32_t flags)
{
	struct mock dev;

	return mock_make(fd, pt, flags, &dev);
}

static inline int mock_destroy(int fd, const struct mock *dev)
{
	return iommu_destroy_id(fd, dev->stdev);
}

/* dev->hwpt is what it is attached to afterwards. */
static inline int mock_replace(int fd, struct mock *dev, uint32_t pt)
{
	struct iommu_test_cmd cmd = {
		.id = dev->stdev,
		.mock_domain_replace.pt_id = pt,
	};
	int rc = mock_cmd(fd, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, &cmd);

	if (!rc)
		dev->hwpt = cmd.mock_domain_replace.pt_id;
	return rc;
}

/* 0 if the page table shows @mem at @iova */
static inline int mock_check_map(int fd, uint32_t hwpt, uint64_t iova,
				 const void *mem, uint64_t length)
{
	struct iommu_test_cmd cmd = {
		.id = hwpt,
		.check_map = { iova, length, (uintptr_t)mem },
	};

	return mock_cmd(fd, IOMMU_TEST_OP_MD_CHECK_MAP, &cmd);
}

/* 0 if each page of @mem is pinned @refs times */
static inline int mock_check_refs(int fd, const void *mem, uint64_t length,
				  uint32_t refs)
{
	struct iommu_test_cmd cmd = {
		.check_refs = { length, (uintptr_t)mem, refs },
	};

	return mock_cmd(fd, IOMMU_TEST_OP_MD_CHECK_REFS, &cmd);
}

static inline int mock_reserve(int fd, uint32_t ioas, uint64_t start,
			       uint64_t length)
{
	struct iommu_test_cmd cmd = {
		.id = ioas,
		.add_reserved = { start, length },
	};

	return mock_cmd(fd, IOMMU_TEST_OP_ADD_RESERVED, &cmd);
}

/* An access that can pin; 0 and its file descriptor in @access */
static inline int mock_access(int fd, uint32_t ioas, int *access)
{
	struct iommu_test_cmd cmd = {
		.id = ioas,
		.create_access.flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
	};
	int rc = mock_cmd(fd, IOMMU_TEST_OP_CREATE_ACCESS, &cmd);

	*access = cmd.create_access.out_access_fd;
	return rc;
}

static inline int mock_access_new(int fd, uint32_t ioas)
{
	int access;

	if (mock_access(fd, ioas, &access))
		bail("CREATE_ACCESS");
	return access;
}

static inline int mock_access_replace(int fd, int access, uint32_t ioas)
{
	struct iommu_test_cmd cmd = {
		.id = access,
		.access_replace_ioas.ioas_id = ioas,
	};

	return mock_cmd(fd, IOMMU_TEST_OP_ACCESS_REPLACE_IOAS, &cmd);
}

/* @mem: whose pages these are to be, or NULL */
static inline int mock_pin(int fd, int access, uint64_t iova, uint64_t length,
			   const void *mem, uint32_t *id)
{
	struct iommu_test_cmd cmd = {
		.id = access,
		.access_pages = {
			.flags = MOCK_FLAGS_ACCESS_WRITE,
			.iova = iova,
			.length = length,
			.uptr = (uintptr_t)mem,
		},
	};
	int rc = mock_cmd(fd, IOMMU_TEST_OP_ACCESS_PAGES, &cmd);

	*id = cmd.access_pages.out_access_pages_id;
	return rc;
}

static inline int mock_unpin(int fd, int access, uint32_t id)
{
	struct iommu_test_cmd cmd = {
		.id = access,
		.destroy_access_pages.access_pages_id = id,
	};

	return mock_cmd(fd, IOMMU_TEST_OP_DESTROY_ACCESS_PAGES, &cmd);
}

/* For the whole system, until it is set again */
#define MOCK_PIN_MEMORY_DEFAULT 0x10000

static inline int mock_pin_memory(int fd, uint32_t bytes)
{
	struct iommu_test_cmd cmd = { .memory_limit.limit = bytes };

	return mock_cmd(fd, IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT, &cmd);
}

static inline int mock_write_dirty(int fd, uint32_t hwpt, uint64_t iova,
				   uint64_t length, uint64_t page_size,
				   const void *bitmap, uint64_t *nr)
{
	struct iommu_test_cmd cmd = {
		.id = hwpt,
		.dirty = {
			.iova = iova,
			.length = length,
			.page_size = page_size,
			.uptr = (uintptr_t)bitmap,
		},
	};
	int rc = mock_cmd(fd, IOMMU_TEST_OP_DIRTY, &cmd);

	if (nr)
		*nr = cmd.dirty.out_nr_dirty;
	return rc;
}

static inline int mock_check_iotlb(int fd, uint32_t hwpt, uint32_t entry,
				   uint32_t value)
{
	struct iommu_test_cmd cmd = {
		.id = hwpt,
		.check_iotlb = { entry, value },
	};

	return mock_cmd(fd, IOMMU_TEST_OP_MD_CHECK_IOTLB, &cmd);
}

static inline int mock_request_page(int fd, uint32_t idev, uint32_t pasid,
				    uint32_t grpid, uint32_t perm,
				    uint64_t addr)
{
	struct iommu_test_cmd cmd = {
		.trigger_iopf = {
			.dev_id = idev,
			.pasid = pasid,
			.grpid = grpid,
			.perm = perm,
			.addr = addr,
		},
	};

	return mock_cmd(fd, IOMMU_TEST_OP_TRIGGER_IOPF, &cmd);
}

/* @op: IOMMU_TEST_OP_PASID_* */
static inline int mock_pasid(int fd, uint32_t op, const struct mock *dev,
			     uint32_t pasid, uint32_t hwpt)
{
	struct iommu_test_cmd cmd = {
		.id = dev->stdev,
		.pasid = { pasid, hwpt },
	};

	return mock_cmd(fd, op, &cmd);
}

/* A nested page table; @fault: a queue, or 0 */
static inline int mock_nested(int fd, uint32_t idev, uint32_t parent,
			      uint32_t flags, uint32_t fault, uint32_t *id)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc cmd = {
		.flags = flags | (fault ? IOMMU_HWPT_FAULT_ID_VALID : 0),
		.dev_id = idev,
		.pt_id = parent,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
		.fault_id = fault,
	};
	int rc = hwpt_alloc_cmd(fd, &cmd);

	*id = cmd.out_hwpt_id;
	return rc;
}

static inline uint32_t mock_nested_new(int fd, uint32_t idev, uint32_t parent,
				       uint32_t flags, uint32_t fault)
{
	uint32_t id;

	if (mock_nested(fd, idev, parent, flags, fault, &id))
		bail("a nested IOMMU_HWPT_ALLOC");
	return id;
}

/* A paging one whose page requests go to @fault */
static inline uint32_t mock_faulting_new(int fd, uint32_t idev, uint32_t ioas,
					 uint32_t flags, uint32_t fault)
{
	struct iommu_hwpt_alloc cmd = {
		.flags = flags | IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = idev,
		.pt_id = ioas,
		.fault_id = fault,
	};

	if (hwpt_alloc_cmd(fd, &cmd))
		bail("IOMMU_HWPT_ALLOC with a fault queue");
	return cmd.out_hwpt_id;
}

/* ------------------------------------------------------------------ */
/* Guests' page tables, and DMA */

/* Sets size and nothing else */
static inline int mock_dma_cmd(int fd, struct iommu_mock_dma *dma)
{
	struct iommu_test_cmd cmd = { .indirect.uptr = (uintptr_t)dma };

	dma->size = sizeof(*dma);
	return mock_cmd(fd, IOMMU_TEST_OP_MOCK_DMA, &cmd);
}

/* What an HWPT with a guest's page table was made with */
static inline int mock_stage1_info(int fd, uint32_t hwpt,
				   struct iommu_mock_stage1 *info)
{
	struct iommu_test_cmd cmd = { .indirect.uptr = (uintptr_t)info };

	info->size = sizeof(*info);
	info->id = hwpt;
	return mock_cmd(fd, IOMMU_TEST_OP_MOCK_STAGE1, &cmd);
}

/* @s1_flags: IOMMU_VTD_S1_*; @fault: a queue, or 0 */
static inline int stage1_alloc(int fd, uint32_t idev, uint32_t parent,
			       uint32_t flags, uint64_t pgd, uint32_t width,
			       uint64_t s1_flags, uint32_t fault, uint32_t *id)
{
	struct iommu_hwpt_vtd_s1 data = {
		.flags = s1_flags,
		.pgtbl_addr = pgd,
		.addr_width = width,
	};
	struct iommu_hwpt_alloc cmd = {
		.flags = flags | (fault ? IOMMU_HWPT_FAULT_ID_VALID : 0),
		.dev_id = idev,
		.pt_id = parent,
		.data_type = IOMMU_HWPT_DATA_VTD_S1,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
		.fault_id = fault,
	};
	int rc = hwpt_alloc_cmd(fd, &cmd);

	*id = cmd.out_hwpt_id;
	return rc;
}

/* @npages: UINT64_MAX with @addr 0: everything; @flags: IOMMU_VTD_INV_FLAGS_* */
static inline int stage1_invalidate(int fd, uint32_t hwpt, uint64_t addr,
				    uint64_t npages, uint32_t flags)
{
	struct iommu_hwpt_vtd_s1_invalidate inv = {
		.addr = addr,
		.npages = npages,
		.flags = flags,
	};
	uint32_t num = 1;

	return hwpt_invalidate(fd, hwpt, &inv, IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
			       sizeof(inv), &num);
}

#endif
