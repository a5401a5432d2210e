/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Nesting and PASIDs for VFIO containers: a guest's own page tables behind the
 * host's.
 *
 * Structs, numbers and names are those of the ABI that was proposed for VFIO type1
 * until 2020 and never merged ("vSVA", first generation).  Where its drafts were
 * silent or contradict each other, what is said here holds.  The fault records are
 * in Linux 6.1's <linux/iommu.h>, which has a page response of another layout: the
 * one of this ABI is struct iommu_nesting_page_response.
 *
 * A container that VFIO_SET_IOMMU made a VFIO_TYPE1_NESTING_IOMMU translates in two
 * stages.  VFIO_IOMMU_MAP_DMA and VFIO_IOMMU_UNMAP_DMA act on stage 2, which takes
 * guest physical addresses; VFIO_IOMMU_BIND puts a page table of the guest's, stage
 * 1, in front of it.  The module iommufd has to be loaded with nesting=1.
 *
 * Everything is little-endian.  Reserved bytes and unknown flags must be 0.  A
 * struct that begins with argsz may be longer than it is here: E2BIG if a byte of
 * the rest is not 0, or it is longer than 4096.  All structs that have a version are of
 * the same one, IOMMU_UAPI_VERSION; a later one only appends to them.
 *
 * Errors that all of these ioctls but VFIO_NESTING_GET_IOMMU_UAPI_VERSION have:
 *
 * ENODEV       before VFIO_SET_IOMMU (EINVAL from vfio.ko, on its own node)
 * EOPNOTSUPP   the container is of another type
 * EINVAL       argsz is too short; flags, version, format, a reserved byte
 * E2BIG        see above
 * EFAULT       the struct is not in memory
 * ENOMEM, EINTR
 */
#ifndef _UAPI_LINUX_IOMMU_NESTING_H
#define _UAPI_LINUX_IOMMU_NESTING_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/iommu.h>
#include <linux/vfio.h>

/* The version of all structs that have one */
#define IOMMU_UAPI_VERSION 1

static inline int iommu_get_uapi_version(void)
{
	return IOMMU_UAPI_VERSION;
}

/**
 * enum IOMMU_UAPI_DATA_TYPES - structs that have a version
 * @IOMMU_UAPI_BIND_GPASID: struct iommu_gpasid_bind_data
 * @IOMMU_UAPI_CACHE_INVAL: struct iommu_cache_invalidate_info
 * @IOMMU_UAPI_PAGE_RESP: struct iommu_nesting_page_response
 * @NR_IOMMU_UAPI_TYPE: how many there are
 */
enum IOMMU_UAPI_DATA_TYPES {
	IOMMU_UAPI_BIND_GPASID,
	IOMMU_UAPI_CACHE_INVAL,
	IOMMU_UAPI_PAGE_RESP,
	NR_IOMMU_UAPI_TYPE,
};

/* A bit for each of them */
#define IOMMU_UAPI_CAP_MASK                                             \
	((1 << IOMMU_UAPI_BIND_GPASID) | (1 << IOMMU_UAPI_CACHE_INVAL) | \
	 (1 << IOMMU_UAPI_PAGE_RESP))

/* ------------------------------------------------------------------ */
/* Structs of the IOMMU */

/**
 * struct iommu_nesting_page_response - answer to a page request
 * @version: IOMMU_UAPI_VERSION
 * @flags: IOMMU_PAGE_RESP_PASID_VALID if the request had a PASID
 * @pasid: of the request; 0 without the flag
 * @grpid: of the request
 * @code: IOMMU_PAGE_RESP_SUCCESS: the device tries again; IOMMU_PAGE_RESP_INVALID:
 *	this access fails; IOMMU_PAGE_RESP_FAILURE: this one fails, and page requests
 *	of the device should not be relied on any more
 */
struct iommu_nesting_page_response {
	__u32 version;
	__u32 flags;
	__u32 pasid;
	__u32 grpid;
	__u32 code;
};

/* Bits of iommu_cache_invalidate_info.cache */
#define IOMMU_CACHE_INV_TYPE_IOTLB 0x1 /* of the IOMMU */
#define IOMMU_CACHE_INV_TYPE_DEV_IOTLB 0x2 /* of a device that has ATS */
#define IOMMU_CACHE_INV_TYPE_PASID 0x4 /* which PASID has which table */
#define IOMMU_CACHE_INV_TYPE_NR (3)

/**
 * enum iommu_inv_granularity - how much an invalidation is about
 * @IOMMU_INV_GRANU_DOMAIN: all of the container; of IOTLB and PASID cache
 * @IOMMU_INV_GRANU_PASID: an address space; of all caches
 * @IOMMU_INV_GRANU_ADDR: some addresses; of IOTLB and DEV_IOTLB
 * @IOMMU_INV_GRANU_NR: how many there are
 */
enum iommu_inv_granularity {
	IOMMU_INV_GRANU_DOMAIN,
	IOMMU_INV_GRANU_PASID,
	IOMMU_INV_GRANU_ADDR,
	IOMMU_INV_GRANU_NR,
};

/**
 * struct iommu_inv_addr_info - some addresses
 * @flags: PASID or ARCHID say which address space; neither: all of them.  LEAF:
 *	what is cached of upper levels of page tables may stay
 * @archid: an architecture's own id of an address space; no backend has any
 * @pasid: the host's, 0 without the flag
 * @addr: first one, a multiple of @granule_size
 * @granule_size: bytes, a power of two, 4096 or more
 * @nb_granules: how many; 0 is EINVAL, and so is what goes beyond 2^64 - 1
 */
struct iommu_inv_addr_info {
#define IOMMU_INV_ADDR_FLAGS_PASID 0x1
#define IOMMU_INV_ADDR_FLAGS_ARCHID 0x2
#define IOMMU_INV_ADDR_FLAGS_LEAF 0x4
	__u32 flags;
	__u32 archid;
	__u64 pasid;
	__u64 addr;
	__u64 granule_size;
	__u64 nb_granules;
};

/**
 * struct iommu_inv_pasid_info - an address space
 * @flags: PASID, ARCHID or both say which one
 * @archid: see struct iommu_inv_addr_info
 * @pasid: the host's, 0 without the flag
 */
struct iommu_inv_pasid_info {
#define IOMMU_INV_PASID_FLAGS_PASID 0x1
#define IOMMU_INV_PASID_FLAGS_ARCHID 0x2
	__u32 flags;
	__u32 archid;
	__u64 pasid;
};

/**
 * struct iommu_cache_invalidate_info - what is to be invalidated
 * @version: IOMMU_UAPI_VERSION
 * @cache: IOMMU_CACHE_INV_TYPE_*, one or several; each of them must allow
 *	@granularity
 * @granularity: of enum iommu_inv_granularity
 * @padding: 0
 * @granu: of IOMMU_INV_GRANU_DOMAIN nothing of it is looked at
 * @granu.pasid_info: IOMMU_INV_GRANU_PASID; what follows it is not looked at
 * @granu.addr_info: IOMMU_INV_GRANU_ADDR
 */
struct iommu_cache_invalidate_info {
	__u32 version;
	__u8 cache;
	__u8 granularity;
	__u8 padding[2];
	union {
		struct iommu_inv_pasid_info pasid_info;
		struct iommu_inv_addr_info addr_info;
	} granu;
};

/**
 * struct iommu_gpasid_bind_data_vtd - what Intel VT-d adds to a page table
 * @flags: IOMMU_SVA_VTD_GPASID_*: SRE, EAFE, PCD, PWT and EMTE as far as the backend
 *	has them, else EINVAL; CD, which would let a guest switch off the coherency
 *	of caches, is always EINVAL
 * @pat: page attribute table; for backends with memory types
 * @emt: extended memory type, with EMTE, 0 to 7
 */
struct iommu_gpasid_bind_data_vtd {
#define IOMMU_SVA_VTD_GPASID_SRE 0x1 /* privileged requests */
#define IOMMU_SVA_VTD_GPASID_EAFE 0x2 /* extended accessed bits */
#define IOMMU_SVA_VTD_GPASID_PCD 0x4 /* page-level cache disable */
#define IOMMU_SVA_VTD_GPASID_PWT 0x8 /* page-level write through */
#define IOMMU_SVA_VTD_GPASID_EMTE 0x10 /* emt is valid */
#define IOMMU_SVA_VTD_GPASID_CD 0x20 /* PASID-level cache disable */
	__u64 flags;
	__u32 pat;
	__u32 emt;
};

/* All that are about memory types */
#define IOMMU_SVA_VTD_GPASID_EMT_MASK                               \
	(IOMMU_SVA_VTD_GPASID_CD | IOMMU_SVA_VTD_GPASID_EMTE |      \
	 IOMMU_SVA_VTD_GPASID_PCD | IOMMU_SVA_VTD_GPASID_PWT)

/**
 * struct iommu_gpasid_bind_data - a guest's page table
 * @version: IOMMU_UAPI_VERSION
 * @format: IOMMU_PASID_FORMAT_INTEL_VTD: a first-level page table of VT-d, that is,
 *	one of x86-64
 * @flags: IOMMU_SVA_GPASID_VAL: it is for requests with a PASID.  0: for those
 *	without; @hpasid and @gpasid are 0 then
 * @gpgd: guest physical address of its root, aligned to 4096 and within @addr_width
 * @hpasid: the host's PASID, which this process holds
 * @gpasid: what the guest calls it; for the backend's information
 * @addr_width: 48 or 57: 4 or 5 levels
 * @padding: 0
 * @vtd: for IOMMU_PASID_FORMAT_INTEL_VTD
 */
struct iommu_gpasid_bind_data {
	__u32 version;
#define IOMMU_PASID_FORMAT_INTEL_VTD 1
	__u32 format;
#define IOMMU_SVA_GPASID_VAL 0x1
	__u64 flags;
	__u64 gpgd;
	__u64 hpasid;
	__u64 gpasid;
	__u32 addr_width;
	__u8 padding[12];
	union {
		struct iommu_gpasid_bind_data_vtd vtd;
	};
};

/* ------------------------------------------------------------------ */
/* Ioctls of VFIO containers */

/**
 * struct vfio_iommu_type1_info_cap_nesting - capability of VFIO_IOMMU_GET_INFO
 * @header: id VFIO_IOMMU_TYPE1_INFO_CAP_NESTING, version 1
 * @pasid_format: of the page tables: IOMMU_PASID_FORMAT_INTEL_VTD
 *
 * Only a container of type VFIO_TYPE1_NESTING_IOMMU has it.  In all others the same
 * id is VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION.
 */
#define VFIO_IOMMU_TYPE1_INFO_CAP_NESTING 2

struct vfio_iommu_type1_info_cap_nesting {
	struct vfio_info_cap_header header;
	__u32 pasid_format;
};

/**
 * struct vfio_iommu_type1_pasid_request - ioctl(VFIO_IOMMU_PASID_REQUEST)
 * @argsz: sizeof(struct vfio_iommu_type1_pasid_request)
 * @flags: VFIO_IOMMU_PASID_ALLOC or VFIO_IOMMU_PASID_FREE
 * @alloc_pasid: with ALLOC
 * @alloc_pasid.min: the lowest that will do; 0 is never given
 * @alloc_pasid.max: the highest that will do; PASIDs have 20 bits
 * @alloc_pasid.result: out: a PASID of the host, unique in all of it
 * @free_pasid: with FREE: what ALLOC gave; the bytes behind it are not looked at
 *
 * PASIDs belong to the process that called VFIO_SET_IOMMU, and to all of its
 * containers, whoever uses them.  The last one that is closed, or that its last group
 * leaves, frees those that are left.
 *
 * Errors: EINVAL min is more than max; ENOSPC the quota is reached, or no PASID of the
 * range is left; ENOENT FREE: nobody has it; EACCES another process has it, or the
 * kernel itself; EBUSY it is bound.
 */
struct vfio_iommu_type1_pasid_request {
	__u32 argsz;
#define VFIO_IOMMU_PASID_ALLOC 0x1
#define VFIO_IOMMU_PASID_FREE 0x2
	__u32 flags;
	union {
		struct {
			__u32 min;
			__u32 max;
			__u32 result;
		} alloc_pasid;
		__u32 free_pasid;
	};
};

#define VFIO_PASID_REQUEST_MASK \
	(VFIO_IOMMU_PASID_ALLOC | VFIO_IOMMU_PASID_FREE)

#define VFIO_IOMMU_PASID_REQUEST _IO(VFIO_TYPE, VFIO_BASE + 22)

/**
 * struct vfio_iommu_type1_pasid_quota - ioctl(VFIO_IOMMU_SET_PASID_QUOTA)
 * @argsz: sizeof(struct vfio_iommu_type1_pasid_quota)
 * @flags: 0
 * @quota: how many PASIDs the process may hold
 *
 * The default is the parameter pasid_quota of the module iommufd, 1000.
 *
 * Return: the quota that is in force now.
 *
 * Errors: EINVAL more than that are held, or more than INT_MAX; EPERM more than the
 * default, without CAP_SYS_RESOURCE.
 */
struct vfio_iommu_type1_pasid_quota {
	__u32 argsz;
	__u32 flags;
	__u32 quota;
};

#define VFIO_IOMMU_SET_PASID_QUOTA _IO(VFIO_TYPE, VFIO_BASE + 23)

/**
 * VFIO_NESTING_GET_IOMMU_UAPI_VERSION - the version of the structs above
 *
 * Return: IOMMU_UAPI_VERSION, in any container.
 */
#define VFIO_NESTING_GET_IOMMU_UAPI_VERSION _IO(VFIO_TYPE, VFIO_BASE + 24)

/**
 * struct vfio_iommu_type1_bind - ioctl(VFIO_IOMMU_BIND)
 * @argsz: sizeof(struct vfio_iommu_type1_bind) and that of @data
 * @flags: VFIO_IOMMU_BIND_GUEST_PGTBL or VFIO_IOMMU_UNBIND_GUEST_PGTBL
 * @data: struct iommu_gpasid_bind_data; UNBIND only looks at version, format and
 *	hpasid
 *
 * Acts on every device of the container, or on none.  A device that joins later gets
 * what is bound, or is refused.  Other containers of the process have binds of their
 * own.  If UNBIND fails, which takes an IOMMU driver without memory, some devices may be
 * unbound: it can be called again.
 *
 * Errors: EINVAL addr_width, gpgd, hpasid, gpasid, vtd flags; EACCES another process
 * holds hpasid; ENOENT nobody does; EBUSY hpasid is bound; ENOENT UNBIND: it is
 * not; EOPNOTSUPP a device has no PASIDs; ENODEV no device is there; ENOSPC the page
 * table has more entries than the module parameter shadow_entries; EIO the IOMMU
 * driver did not give a device its stage 2 back, and its DMA is blocked: UNBIND tries
 * again.
 */
struct vfio_iommu_type1_bind {
	__u32 argsz;
#define VFIO_IOMMU_BIND_GUEST_PGTBL 0x1
#define VFIO_IOMMU_UNBIND_GUEST_PGTBL 0x2
	__u32 flags;
	__u8 data[];
};

#define VFIO_IOMMU_BIND_MASK \
	(VFIO_IOMMU_BIND_GUEST_PGTBL | VFIO_IOMMU_UNBIND_GUEST_PGTBL)

#define VFIO_IOMMU_BIND _IO(VFIO_TYPE, VFIO_BASE + 25)

/**
 * struct vfio_iommu_type1_cache_invalidate - ioctl(VFIO_IOMMU_CACHE_INVALIDATE)
 * @argsz: sizeof(struct vfio_iommu_type1_cache_invalidate)
 * @flags: 0
 * @cache_info: what
 *
 * Acts on every device of the container.  All of the request is checked before
 * anything is invalidated.  Of a PASID that is held and not bound nothing is cached.
 *
 * Errors: EINVAL a cache that does not have that granularity, fields of struct
 * iommu_inv_addr_info and struct iommu_inv_pasid_info; ENOENT, EACCES as
 * VFIO_IOMMU_PASID_REQUEST; EOPNOTSUPP ARCHID.
 */
struct vfio_iommu_type1_cache_invalidate {
	__u32 argsz;
	__u32 flags;
	struct iommu_cache_invalidate_info cache_info;
};

#define VFIO_IOMMU_CACHE_INVALIDATE _IO(VFIO_TYPE, VFIO_BASE + 26)

/**
 * struct iommu_nesting_fault_alloc - ioctl(IOMMU_NESTING_FAULT_ALLOC)
 * @size: sizeof(struct iommu_nesting_fault_alloc)
 * @flags: 0
 * @out_fd: out: file descriptor, close-on-exec
 * @__reserved: 0
 *
 * For a container of type VFIO_TYPE1_NESTING_IOMMU, which has one at a time.  read()
 * gives whole struct iommu_fault, as many as fit and are there, and 0 when there is
 * none (EINVAL: not even one fits); write() takes whole struct
 * iommu_nesting_page_response (EINVAL: version, flags, code, or no request that was
 * read waits for it); poll() says when read() has something.  A request is answered
 * when it has the flag IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE.
 *
 * Requests that nobody answers are answered INVALID when the file is closed or the
 * page table is unbound; without a file, and when too many wait, at once, which is
 * counted in debugfs.
 *
 * Errors: as at the top of this file; EOPNOTSUPP flags, @__reserved; EBUSY there is
 * one; EMFILE, ENFILE.
 */
struct iommu_nesting_fault_alloc {
	__u32 size;
	__u32 flags;
	__s32 out_fd;
	__u32 __reserved;
};

#define IOMMU_NESTING_FAULT_ALLOC _IO(VFIO_TYPE, 0xe0)

#endif
