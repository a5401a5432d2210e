/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test command of the mock IOMMU on /dev/iommu.
 *
 * Numbers and layouts are those that the iommufd selftests of Linux 7.3 are
 * built with (linux 7.3, iommufd_test.h), so that these run unchanged.  For
 * selftests only.
 */
#ifndef MOCK_IOMMUFD_MOCK_UAPI_H
#define MOCK_IOMMUFD_MOCK_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Operations of IOMMU_TEST_CMD; the next ones are of vIOMMUs and dma-bufs. */
#define IOMMU_TEST_OP_ADD_RESERVED 1
#define IOMMU_TEST_OP_MOCK_DOMAIN 2
#define IOMMU_TEST_OP_MD_CHECK_MAP 3
#define IOMMU_TEST_OP_MD_CHECK_REFS 4
#define IOMMU_TEST_OP_CREATE_ACCESS 5
#define IOMMU_TEST_OP_DESTROY_ACCESS_PAGES 6
#define IOMMU_TEST_OP_ACCESS_PAGES 7
#define IOMMU_TEST_OP_ACCESS_RW 8
#define IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT 9
#define IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE 10
#define IOMMU_TEST_OP_ACCESS_REPLACE_IOAS 11
#define IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS 12
#define IOMMU_TEST_OP_DIRTY 13
#define IOMMU_TEST_OP_MD_CHECK_IOTLB 14
#define IOMMU_TEST_OP_TRIGGER_IOPF 15
#define IOMMU_TEST_OP_DEV_CHECK_CACHE 16
/* 17, TRIGGER_VEVENT, is EOPNOTSUPP. */
#define IOMMU_TEST_OP_PASID_ATTACH 18
#define IOMMU_TEST_OP_PASID_REPLACE 19
#define IOMMU_TEST_OP_PASID_DETACH 20
#define IOMMU_TEST_OP_PASID_CHECK_HWPT 21
/* 22 and 23, DMABUF_GET and DMABUF_REVOKE, are EOPNOTSUPP. */
/* This project's own: see iommufd_mock_dma_uapi.h */
#define IOMMU_TEST_OP_MOCK_DMA 100
#define IOMMU_TEST_OP_MOCK_STAGE1 101

/* struct iommu_hwpt_selftest.pagetable_type */
#define MOCK_IOMMUPT_DEFAULT 0
#define MOCK_IOMMUPT_HUGE 1

/* IOVAs and IO pages of MOCK_IOMMUPT_DEFAULT */
#define MOCK_APERTURE_START 0x1000000UL
#define MOCK_APERTURE_LAST 0x7fffffffUL
#define MOCK_PAGE_SIZE 2048
#define MOCK_HUGE_PAGE_SIZE (512 * MOCK_PAGE_SIZE)

/* Flags of ACCESS_PAGES */
#define MOCK_FLAGS_ACCESS_WRITE 0x1

/* Flags of ACCESS_RW.  There is one path only, so SLOW_PATH changes nothing. */
#define MOCK_ACCESS_RW_WRITE 0x1
#define MOCK_ACCESS_RW_SLOW_PATH 0x4

/* Flags of CREATE_ACCESS */
#define MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES 0x1

/* Flags of MOCK_DOMAIN_FLAGS */
#define MOCK_FLAGS_DEVICE_NO_DIRTY 0x1
#define MOCK_FLAGS_DEVICE_PASID 0x4
/* This project's own: no guest's page tables of x86-64 (EOPNOTSUPP) */
#define MOCK_FLAGS_DEVICE_NO_NESTING 0x10000

#define MOCK_PASID_WIDTH 20
/* Each second attempt to attach this PASID fails with ENOMEM. */
#define IOMMU_TEST_PASID_RESERVED 1024

#define MOCK_NESTED_DOMAIN_IOTLB_NUM 4
#define IOMMU_TEST_IOTLB_DEFAULT 0xbadbeef
#define MOCK_DEV_CACHE_NUM 4
#define IOMMU_TEST_DEV_CACHE_DEFAULT 0xbaddad

/**
 * struct mock_cmd_add_reserved - deny IOVAs of the IOAS @id
 * @start: first IOVA
 * @length: bytes
 *
 * Errors: EINVAL length 0; EOVERFLOW; ENOENT; EADDRINUSE; ENOMEM.
 */
struct mock_cmd_add_reserved {
	__aligned_u64 start;
	__aligned_u64 length;
};

/**
 * struct mock_cmd_domain - make a device and attach it to the IOAS or HWPT @id
 * @out_stdev_id: object that owns the device; IOMMU_DESTROY of it detaches,
 *	unbinds and frees the device
 * @out_hwpt_id: HWPT that it is attached to
 * @out_idev_id: the device as iommufd's own commands know it
 * @dev_flags: MOCK_FLAGS_DEVICE_*; only MOCK_DOMAIN_FLAGS looks at it
 *
 * Errors: EINVAL a flag; those of iommufd_device_bind() and _attach().
 */
struct mock_cmd_domain {
	__u32 out_stdev_id;
	__u32 out_hwpt_id;
	__u32 out_idev_id;
	__u32 dev_flags;
};

/**
 * struct mock_cmd_domain_replace - attach the device of stdev @id elsewhere
 * @pt_id: in: an IOAS or HWPT; out: the HWPT
 */
struct mock_cmd_domain_replace {
	__u32 pt_id;
};

/**
 * struct mock_cmd_check_map - does HWPT @id show the caller's memory
 * @iova: first IOVA, a multiple of the smallest IO page, as are the next two
 * @length: bytes
 * @uptr: memory that is to be there
 *
 * Errors: EINVAL it does not, numbers, the HWPT is not a paging one of the mock;
 * ENOENT; EFAULT; EINTR being killed.
 */
struct mock_cmd_check_map {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 uptr;
};

/**
 * struct mock_cmd_check_refs - how often are the caller's pages pinned
 * @length: bytes, whole pages
 * @uptr: whole pages; parts of a compound page are not looked at
 * @refs: pins that each must have
 *
 * Errors: EIO another number of pins; EINVAL; EFAULT; EINTR being killed.
 */
struct mock_cmd_check_refs {
	__aligned_u64 length;
	__aligned_u64 uptr;
	__u32 refs;
};

/**
 * struct mock_cmd_create_access - make an access to the IOAS @id
 * @out_access_fd: file descriptor that owns it, and the @id of the commands on it
 * @flags: MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES
 *
 * Errors: EOPNOTSUPP a flag; those of iommufd_access_create() and _attach().
 */
struct mock_cmd_create_access {
	__u32 out_access_fd;
	__u32 flags;
};

/**
 * struct mock_cmd_destroy_access_pages - undo ACCESS_PAGES
 * @access_pages_id: what that command returned
 *
 * Errors: ENOENT, also when an unmap has undone it; EBADFD @id is no access.
 */
struct mock_cmd_destroy_access_pages {
	__u32 access_pages_id;
};

/**
 * struct mock_cmd_access_pages - pin pages through access @id
 * @flags: MOCK_FLAGS_ACCESS_WRITE
 * @out_access_pages_id: to undo it
 * @iova: first IOVA
 * @length: bytes, at most 16 MiB
 * @uptr: memory whose pages these must be, or 0
 *
 * Errors: EBADE other pages than those of @uptr; ENOMEM too long; EOPNOTSUPP a
 * flag, or the access does not pin; EBADFD; those of iommufd_access_pin_pages().
 */
struct mock_cmd_access_pages {
	__u32 flags;
	__u32 out_access_pages_id;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 uptr;
};

/**
 * struct mock_cmd_access_rw - copy through access @id
 * @iova: first IOVA
 * @length: bytes, at most 16 MiB
 * @uptr: the caller's buffer
 * @flags: MOCK_ACCESS_RW_*
 *
 * Errors: ENOMEM too long; EOPNOTSUPP a flag; EBADFD; EFAULT; those of
 * iommufd_access_rw().
 */
struct mock_cmd_access_rw {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 uptr;
	__u32 flags;
};

/**
 * struct mock_cmd_memory_limit - iommufd_set_pin_memory()
 * @limit: bytes, at least 12 (EINVAL)
 */
struct mock_cmd_memory_limit {
	__u32 limit;
};

/**
 * struct mock_cmd_access_replace - attach access @id elsewhere
 * @ioas_id: IOAS
 *
 * Errors: EBADFD; EINTR being killed; those of iommufd_access_replace().
 */
struct mock_cmd_access_replace {
	__u32 ioas_id;
};

/**
 * struct mock_cmd_dirty - act as a device that writes through HWPT @id
 * @flags: not looked at
 * @__pad: unused
 * @iova: first IOVA, a multiple of @page_size
 * @length: bytes, a multiple of @page_size
 * @page_size: bytes per bit
 * @uptr: bitmap, the lowest bit of the first byte first: where to write
 * @out_nr_dirty: how many of the bits are mapped and writable
 *
 * Errors: EINVAL numbers, the HWPT is not a paging one of the mock or does not
 * track; EOVERFLOW more than 2^27 bits; ENOENT; EFAULT; ENOMEM; EINTR being killed.
 */
struct mock_cmd_dirty {
	__u32 flags;
	__u32 __pad;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 uptr;
	__aligned_u64 out_nr_dirty;
};

/**
 * struct mock_cmd_check_iotlb - look at the IOTLB of nested HWPT @id
 * @id: entry
 * @iotlb: what it is to be
 *
 * Errors: EINVAL it is not, or no such entry, or the HWPT is not a nested one of
 * the mock; ENOENT.
 */
struct mock_cmd_check_iotlb {
	__u32 id;
	__u32 iotlb;
};

/**
 * struct mock_cmd_trigger_iopf - act as a device that requests a page
 * @dev_id: device, as iommufd's own commands know it
 * @pasid: PASID, or 0 for none
 * @grpid: page request group
 * @perm: IOMMU_PGFAULT_PERM_*
 * @addr: address
 *
 * Errors: EINVAL not a device of the mock, or unknown @perm; ENOENT; those of
 * iommufd_device_report_fault().
 */
struct mock_cmd_trigger_iopf {
	__u32 dev_id;
	__u32 pasid;
	__u32 grpid;
	__u32 perm;
	__u64 addr;
};

/**
 * struct mock_cmd_check_cache - look at the cache of device @id
 * @id: entry
 * @cache: what it is to be
 *
 * Only vIOMMUs, which there are none of, ever change it.
 *
 * Errors: EINVAL it is not, or no such entry, or not a device of the mock; ENOENT.
 */
struct mock_cmd_check_cache {
	__u32 id;
	__u32 cache;
};

/**
 * struct mock_cmd_pasid - attach, replace, detach or check a PASID of stdev @id
 * @pasid: PASID, not 0
 * @pt_id: HWPT; CHECK_HWPT: 0 asks whether @pasid is detached; DETACH ignores it
 *
 * Errors: EINVAL CHECK_HWPT: another HWPT, or @pasid 0; ENOENT; those of
 * iommufd_device_pasid_attach() and _replace().
 */
struct mock_cmd_pasid {
	__u32 pasid;
	__u32 pt_id;
};

/**
 * struct mock_cmd_indirect - an operation with a struct of its own
 * @uptr: where it is, out too: struct iommu_mock_dma or struct iommu_mock_stage1
 */
struct mock_cmd_indirect {
	__aligned_u64 uptr;
};

/**
 * struct iommu_test_cmd - ioctl(IOMMU_TEST_CMD)
 * @size: sizeof(struct iommu_test_cmd)
 * @op: IOMMU_TEST_OP_*; others are EOPNOTSUPP
 * @id: of the object to work on, if the operation has one
 * @__reserved: 0
 * @add_reserved: ADD_RESERVED
 * @mock_domain: MOCK_DOMAIN, MOCK_DOMAIN_FLAGS
 * @mock_domain_replace: MOCK_DOMAIN_REPLACE
 * @check_map: MD_CHECK_MAP
 * @check_refs: MD_CHECK_REFS
 * @create_access: CREATE_ACCESS
 * @destroy_access_pages: DESTROY_ACCESS_PAGES
 * @access_pages: ACCESS_PAGES
 * @access_rw: ACCESS_RW
 * @memory_limit: SET_TEMP_MEMORY_LIMIT
 * @access_replace_ioas: ACCESS_REPLACE_IOAS
 * @dirty: DIRTY
 * @check_iotlb: MD_CHECK_IOTLB
 * @trigger_iopf: TRIGGER_IOPF
 * @check_dev_cache: DEV_CHECK_CACHE
 * @pasid: PASID_ATTACH, PASID_REPLACE, PASID_DETACH, PASID_CHECK_HWPT
 * @indirect: MOCK_DMA, MOCK_STAGE1
 * @last: end of the first published form
 */
struct iommu_test_cmd {
	__u32 size;
	__u32 op;
	__u32 id;
	__u32 __reserved;
	union {
		struct mock_cmd_add_reserved add_reserved;
		struct mock_cmd_domain mock_domain;
		struct mock_cmd_domain_replace mock_domain_replace;
		struct mock_cmd_check_map check_map;
		struct mock_cmd_check_refs check_refs;
		struct mock_cmd_create_access create_access;
		struct mock_cmd_destroy_access_pages destroy_access_pages;
		struct mock_cmd_access_pages access_pages;
		struct mock_cmd_access_rw access_rw;
		struct mock_cmd_memory_limit memory_limit;
		struct mock_cmd_access_replace access_replace_ioas;
		struct mock_cmd_dirty dirty;
		struct mock_cmd_check_iotlb check_iotlb;
		struct mock_cmd_trigger_iopf trigger_iopf;
		struct mock_cmd_check_cache check_dev_cache;
		struct mock_cmd_pasid pasid;
		struct mock_cmd_indirect indirect;
	};
	__u32 last;
};

#define IOMMU_TEST_CMD _IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)

/* struct iommu_hw_info.out_data_type, and a number in the data */
#define IOMMU_HW_INFO_TYPE_SELFTEST 0xfeedbeef
#define IOMMU_HW_INFO_SELFTEST_REGVAL 0xdeadbeef

/**
 * struct iommu_test_hw_info - data of IOMMU_GET_HW_INFO
 * @flags: 0
 * @test_reg: IOMMU_HW_INFO_SELFTEST_REGVAL
 */
struct iommu_test_hw_info {
	__u32 flags;
	__u32 test_reg;
};

/* struct iommu_hwpt_alloc.data_type */
#define IOMMU_HWPT_DATA_SELFTEST 0xdead

/**
 * struct iommu_hwpt_selftest - data of IOMMU_HWPT_ALLOC
 * @iotlb: nested: what all entries of the IOTLB hold at first
 * @pagetable_type: paging: MOCK_IOMMUPT_*; not in the first published form
 */
struct iommu_hwpt_selftest {
	__u32 iotlb;
	__u32 pagetable_type;
};

/* struct iommu_hwpt_invalidate.data_type */
#define IOMMU_HWPT_INVALIDATE_DATA_SELFTEST 0xdeadbeef

/**
 * struct iommu_hwpt_invalidate_selftest - entry of IOMMU_HWPT_INVALIDATE
 * @flags: IOMMU_TEST_INVALIDATE_FLAG_ALL: all entries of the IOTLB; others are
 *	EOPNOTSUPP
 * @iotlb_id: entry of the IOTLB to set to 0; must exist (EINVAL) also with ALL
 */
struct iommu_hwpt_invalidate_selftest {
	__u32 flags;
	__u32 iotlb_id;
};

#define IOMMU_TEST_INVALIDATE_FLAG_ALL 0x1

#endif
