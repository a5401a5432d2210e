/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The user ABI of /dev/iommu.
 *
 * Numbers, struct layouts and errnos are those of the iommufd ABI that Linux
 * has had since 6.2 (source: linux 6.12, uapi iommufd; layouts asserted in
 * iommufd/main.c and in selftests/uapi_layout.c).  A program that was built
 * against the kernel's own header runs here unchanged, and the other way
 * round.
 */
#ifndef _UAPI_IOMMUFD_H
#define _UAPI_IOMMUFD_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOMMUFD_TYPE (';')

/**
 * DOC: Calling convention
 *
 * Each command takes a pointer to a struct whose first member, a __u32 named
 * size, says how many bytes the caller filled in.  A caller may be older than
 * the module (size is smaller than sizeof, but never smaller than the first
 * published form of the struct) or newer (size is larger; the bytes that the
 * module does not know must then be zero).
 *
 * An errno means the same thing in each command:
 *
 * ===========  ===============================================================
 * ENOTTY       no such command
 * E2BIG        the struct is longer than what is known here, and a byte of the
 *              unknown part is not zero
 * EOPNOTSUPP   a reserved field is not zero, or a flag or an operation has a
 *              value that this version does not have
 * EINVAL       all is known, but a value makes no sense; also: size is smaller
 *              than the first published form
 * ENOENT       there is no such object, or nothing is mapped there
 * EBUSY        the object is in use
 * EOVERFLOW    an address plus a length leaves the 64-bit space
 * EFAULT       a user pointer cannot be read, written or pinned
 * ENOMEM       no memory, or RLIMIT_MEMLOCK would be exceeded
 * EINTR        the process was killed while the command was at work
 * ===========  ===============================================================
 *
 * A command that fails leaves everything as it was, unless its own text says
 * how it reports what was done.
 */

enum {
	IOMMUFD_CMD_BASE = 0x80,
	IOMMUFD_CMD_DESTROY = IOMMUFD_CMD_BASE,
	IOMMUFD_CMD_IOAS_ALLOC = 0x81,
	IOMMUFD_CMD_IOAS_ALLOW_IOVAS = 0x82,
	IOMMUFD_CMD_IOAS_COPY = 0x83,
	IOMMUFD_CMD_IOAS_IOVA_RANGES = 0x84,
	IOMMUFD_CMD_IOAS_MAP = 0x85,
	IOMMUFD_CMD_IOAS_UNMAP = 0x86,
	IOMMUFD_CMD_OPTION = 0x87,
	IOMMUFD_CMD_VFIO_IOAS = 0x88,
	IOMMUFD_CMD_HWPT_ALLOC = 0x89,
	IOMMUFD_CMD_GET_HW_INFO = 0x8a,
	IOMMUFD_CMD_HWPT_SET_DIRTY_TRACKING = 0x8b,
	IOMMUFD_CMD_HWPT_GET_DIRTY_BITMAP = 0x8c,
	IOMMUFD_CMD_HWPT_INVALIDATE = 0x8d,
	IOMMUFD_CMD_FAULT_QUEUE_ALLOC = 0x8e,
	IOMMUFD_CMD_IOAS_MAP_FILE = 0x8f,
	IOMMUFD_CMD_VIOMMU_ALLOC = 0x90,
	IOMMUFD_CMD_VDEVICE_ALLOC = 0x91,
	IOMMUFD_CMD_IOAS_CHANGE_PROCESS = 0x92,
};

/**
 * struct iommu_destroy - ioctl(IOMMU_DESTROY)
 * @size: sizeof(struct iommu_destroy)
 * @id: id of the object, of any type that userspace may destroy
 *
 * Removes an object.  Commands that are at work on the object in other threads
 * are waited for; no later command finds the id.
 *
 * Errors: ENOENT no such id; EBUSY another object (a device, an access, a page
 * table) still depends on it, or it belongs to the kernel (a device, an access,
 * an automatic page table); EINTR.
 */
struct iommu_destroy {
	__u32 size;
	__u32 id;
};
#define IOMMU_DESTROY _IO(IOMMUFD_TYPE, IOMMUFD_CMD_DESTROY)

/**
 * struct iommu_ioas_alloc - ioctl(IOMMU_IOAS_ALLOC)
 * @size: sizeof(struct iommu_ioas_alloc)
 * @flags: 0
 * @out_ioas_id: the new object's id
 *
 * Makes an IO address space (IOAS): a set of mappings from IO virtual
 * addresses (IOVA) to memory, which any number of devices can use at once.
 *
 * Errors: EOPNOTSUPP @flags is not 0; ENOMEM.
 */
struct iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};
#define IOMMU_IOAS_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_ALLOC)

/**
 * struct iommu_iova_range - one interval of IOVAs
 * @start: first IOVA, in bytes
 * @last: last IOVA, in bytes, inclusive
 */
struct iommu_iova_range {
	__aligned_u64 start;
	__aligned_u64 last;
};

/**
 * struct iommu_ioas_iova_ranges - ioctl(IOMMU_IOAS_IOVA_RANGES)
 * @size: sizeof(struct iommu_ioas_iova_ranges)
 * @ioas_id: the IOAS to ask
 * @num_iovas: in: entries that fit into @allowed_iovas; out: entries there are
 * @__reserved: 0
 * @allowed_iovas: user pointer to an array of struct iommu_iova_range
 * @out_iova_alignment: what IOVAs and lengths must be a multiple of, in bytes;
 *                      a power of two, from 1 to the CPU's page size
 *
 * Tells where a mapping may lie.  The answer changes when a device is attached
 * (its aperture and its reserved regions, such as the MSI window, go away) or
 * detached, or IOMMU_HWPT_ALLOC makes a page table that is filled at once, so ask
 * again after either.  An IOAS without any of them allows
 * everything.
 *
 * Errors: EMSGSIZE more ranges than fit (as many as fit are filled in, and
 * @num_iovas says how many there are); EOPNOTSUPP; ENOENT; EFAULT.
 */
struct iommu_ioas_iova_ranges {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
	__aligned_u64 out_iova_alignment;
};
#define IOMMU_IOAS_IOVA_RANGES _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_IOVA_RANGES)

/**
 * struct iommu_ioas_allow_iovas - ioctl(IOMMU_IOAS_ALLOW_IOVAS)
 * @size: sizeof(struct iommu_ioas_allow_iovas)
 * @ioas_id: the IOAS to change
 * @num_iovas: entries in @allowed_iovas; 0 lifts all promises
 * @__reserved: 0
 * @allowed_iovas: user pointer to an array of struct iommu_iova_range, which
 *                 may not overlap each other
 *
 * Makes the kernel promise that these ranges stay usable: a device that would
 * take a part of them away cannot be attached.  A mapping whose IOVA the
 * kernel chooses lies inside them.  The list replaces the previous one.
 *
 * Errors: EINVAL a range with start >= last, or overlapping ranges; EADDRINUSE
 * a range is already denied by something attached; EOPNOTSUPP; ENOENT; EFAULT;
 * ENOMEM.
 */
struct iommu_ioas_allow_iovas {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
};
#define IOMMU_IOAS_ALLOW_IOVAS _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_ALLOW_IOVAS)

/**
 * enum iommufd_ioas_map_flags - how to map or copy
 * @IOMMU_IOAS_MAP_FIXED_IOVA: the caller gives the IOVA; else the kernel
 *                             chooses one and returns it
 * @IOMMU_IOAS_MAP_WRITEABLE: devices may write
 * @IOMMU_IOAS_MAP_READABLE: devices may read
 */
enum iommufd_ioas_map_flags {
	IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0,
	IOMMU_IOAS_MAP_WRITEABLE = 1 << 1,
	IOMMU_IOAS_MAP_READABLE = 1 << 2,
};

/**
 * struct iommu_ioas_map - ioctl(IOMMU_IOAS_MAP)
 * @size: sizeof(struct iommu_ioas_map)
 * @flags: of enum iommufd_ioas_map_flags; at least one of WRITEABLE, READABLE
 * @ioas_id: the IOAS to change
 * @__reserved: 0
 * @user_va: address of the memory in the calling process
 * @length: bytes
 * @iova: with FIXED_IOVA: where to map, not written to; else out: where it was
 *	mapped
 *
 * Maps memory of the calling process.  The pages are pinned, and charged to
 * RLIMIT_MEMLOCK, while a page table or a kernel user needs them; an IOAS that
 * no device or HWPT of IOMMU_HWPT_ALLOC uses only notes the mapping, so that a bad
 * @user_va is then found when the first one comes.
 *
 * The memory may be a device's BAR that vfio-pci has mapped: then nothing is pinned
 * or charged, no kernel user may use it, and it is mapped as long as the BAR is
 * there; see Documentation/uapi.rst.
 *
 * Errors: EINVAL neither READABLE nor WRITEABLE, length 0, not a multiple of
 * the alignment, or in a range that IOVA_RANGES does not allow; EEXIST
 * something is mapped in the range; ENOSPC no room for a chosen IOVA;
 * EOVERFLOW; EFAULT; ENOMEM; EOPNOTSUPP; ENOENT; EINTR.
 */
struct iommu_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMU_IOAS_MAP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_MAP)

/**
 * struct iommu_ioas_copy - ioctl(IOMMU_IOAS_COPY)
 * @size: sizeof(struct iommu_ioas_copy)
 * @flags: of enum iommufd_ioas_map_flags; at least one of WRITEABLE, READABLE
 * @dst_ioas_id: the IOAS that gets the mapping
 * @src_ioas_id: the IOAS that has it; may be the same one
 * @length: bytes
 * @dst_iova: with FIXED_IOVA: where to map, not written to; else out: where it
 *	was mapped
 * @src_iova: where it is mapped now
 *
 * Maps in one IOAS what is mapped in another.  The pages are shared: they are
 * pinned once and charged once, and stay so until the last mapping of them is
 * gone.  The source range must be mapped without a gap; it may cover a part of
 * a mapping or several mappings.
 *
 * Errors: as IOMMU_IOAS_MAP; ENOENT also for a gap in the source; EPERM
 * WRITEABLE, but the source was mapped without it.
 */
struct iommu_ioas_copy {
	__u32 size;
	__u32 flags;
	__u32 dst_ioas_id;
	__u32 src_ioas_id;
	__aligned_u64 length;
	__aligned_u64 dst_iova;
	__aligned_u64 src_iova;
};
#define IOMMU_IOAS_COPY _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_COPY)

/**
 * struct iommu_ioas_unmap - ioctl(IOMMU_IOAS_UNMAP)
 * @size: sizeof(struct iommu_ioas_unmap)
 * @ioas_id: the IOAS to change
 * @iova: first IOVA
 * @length: in: bytes; out: bytes that were unmapped
 *
 * Removes all mappings in a range.  The range may be larger than what is
 * mapped in it, but may not cut a mapping; such a request changes nothing.
 * IOVA 0 with length 2^64 - 1 removes everything, and succeeds on an empty
 * IOAS.  Memory is unpinned, and no device can reach it, when the command
 * returns.
 *
 * Errors: ENOENT nothing mapped in the range, or a mapping would be cut;
 * EINVAL length 0; EOVERFLOW; EBUSY a kernel user does not let go of a mapping
 * in the range; EINTR; EFAULT.  EFAULT when @length could be read but not be
 * written: then the range is unmapped all the same.  Maps and unmaps of other
 * threads in the range are waited for.
 */
struct iommu_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};
#define IOMMU_IOAS_UNMAP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_UNMAP)

/**
 * enum iommufd_option - what IOMMU_OPTION can set
 * @IOMMU_OPTION_RLIMIT_MODE: how pinned memory is charged to RLIMIT_MEMLOCK,
 *	for all of this open file; object_id is 0.  0 (default): to the user,
 *	shared by all their processes; 1: to the process, shown as VmLck, as
 *	VFIO does it.  SET needs CAP_SYS_RESOURCE, and EBUSY once an object
 *	exists.  Mappings made by VFIO's ioctls are always charged to the
 *	process.
 * @IOMMU_OPTION_HUGE_PAGES: 1 (default): large IO pages are used where memory
 *	is contiguous; 0: each CPU page has an IO page of its own.  Per IOAS:
 *	object_id is its id.  Switching off is EINVAL once a page table shows it
 *	and something is mapped, EADDRINUSE when a mapping is not aligned to
 *	PAGE_SIZE.
 */
enum iommufd_option {
	IOMMU_OPTION_RLIMIT_MODE = 0,
	IOMMU_OPTION_HUGE_PAGES = 1,
};

/**
 * enum iommufd_option_ops - set or get
 * @IOMMU_OPTION_OP_SET: change the option to val64
 * @IOMMU_OPTION_OP_GET: return the option in val64
 */
enum iommufd_option_ops {
	IOMMU_OPTION_OP_SET = 0,
	IOMMU_OPTION_OP_GET = 1,
};

/**
 * struct iommu_option - ioctl(IOMMU_OPTION)
 * @size: sizeof(struct iommu_option)
 * @option_id: of enum iommufd_option
 * @op: of enum iommufd_option_ops
 * @__reserved: 0
 * @object_id: the object, for an option that belongs to one; else 0
 * @val64: the value
 *
 * Errors: EOPNOTSUPP unknown option or operation, or @object_id where none
 * belongs; EINVAL a value other than 0 and 1; EPERM; EBUSY; ENOENT.
 */
struct iommu_option {
	__u32 size;
	__u32 option_id;
	__u16 op;
	__u16 __reserved;
	__u32 object_id;
	__aligned_u64 val64;
};
#define IOMMU_OPTION _IO(IOMMUFD_TYPE, IOMMUFD_CMD_OPTION)

/**
 * enum iommufd_vfio_ioas_op - operations of IOMMU_VFIO_IOAS
 * @IOMMU_VFIO_IOAS_GET: which IOAS do VFIO's container ioctls use
 * @IOMMU_VFIO_IOAS_SET: make them use this one
 * @IOMMU_VFIO_IOAS_CLEAR: make them use none
 */
enum iommufd_vfio_ioas_op {
	IOMMU_VFIO_IOAS_GET = 0,
	IOMMU_VFIO_IOAS_SET = 1,
	IOMMU_VFIO_IOAS_CLEAR = 2,
};

/**
 * struct iommu_vfio_ioas - ioctl(IOMMU_VFIO_IOAS)
 * @size: sizeof(struct iommu_vfio_ioas)
 * @ioas_id: SET: in; GET: out
 * @op: of enum iommufd_vfio_ioas_op
 * @__reserved: 0
 *
 * VFIO's container ioctls know no object ids: on an open file they all act on
 * one IOAS, the compatibility IOAS.  It is made when the first VFIO group is
 * attached (VFIO_SET_IOMMU), unless one was SET before.  SET and CLEAR destroy
 * no IOAS and move no group that is attached.
 *
 * Errors: ENODEV GET while there is none; ENOENT; EOPNOTSUPP.
 */
struct iommu_vfio_ioas {
	__u32 size;
	__u32 ioas_id;
	__u16 op;
	__u16 __reserved;
};
#define IOMMU_VFIO_IOAS _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VFIO_IOAS)


/**
 * enum iommufd_hwpt_alloc_flags - what an HWPT is for
 * @IOMMU_HWPT_ALLOC_NEST_PARENT: nested HWPTs can be made on top of it
 * @IOMMU_HWPT_ALLOC_DIRTY_TRACKING: the IOMMU can tell which pages devices wrote
 *	to; devices whose IOMMU cannot are not attached to it
 * @IOMMU_HWPT_FAULT_ID_VALID: fault_id says where page requests go
 * @IOMMU_HWPT_ALLOC_PASID: PASIDs can be attached to it, and a device some of
 *	whose PASIDs are attached
 */
enum iommufd_hwpt_alloc_flags {
	IOMMU_HWPT_ALLOC_NEST_PARENT = 1 << 0,
	IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1,
	IOMMU_HWPT_FAULT_ID_VALID = 1 << 2,
	IOMMU_HWPT_ALLOC_PASID = 1 << 3,
};

/**
 * enum iommu_hwpt_data_type - data of struct iommu_hwpt_alloc
 * @IOMMU_HWPT_DATA_NONE: none
 * @IOMMU_HWPT_DATA_VTD_S1: a guest's first-level page table of Intel VT-d
 * @IOMMU_HWPT_DATA_ARM_SMMUV3: of an ARM SMMUv3; no driver of 6.1 has it
 * @IOMMU_HWPT_DATA_AMD_GUEST: of an AMD IOMMU; no driver of 6.1 has it
 */
enum iommu_hwpt_data_type {
	IOMMU_HWPT_DATA_NONE = 0,
	IOMMU_HWPT_DATA_VTD_S1 = 1,
	IOMMU_HWPT_DATA_ARM_SMMUV3 = 2,
	IOMMU_HWPT_DATA_AMD_GUEST = 3,
};

/**
 * enum iommu_hwpt_vtd_s1_flags - flags of struct iommu_hwpt_vtd_s1
 * @IOMMU_VTD_S1_SRE: privileged requests are allowed
 * @IOMMU_VTD_S1_EAFE: extended accessed bits are set; no backend has it: EINVAL
 * @IOMMU_VTD_S1_WPE: privileged writes need a page to be writable, too
 */
enum iommu_hwpt_vtd_s1_flags {
	IOMMU_VTD_S1_SRE = 1 << 0,
	IOMMU_VTD_S1_EAFE = 1 << 1,
	IOMMU_VTD_S1_WPE = 1 << 2,
};

/**
 * struct iommu_hwpt_vtd_s1 - data of type IOMMU_HWPT_DATA_VTD_S1
 * @flags: of enum iommu_hwpt_vtd_s1_flags
 * @pgtbl_addr: root of the page table, an IOVA of the parent's IOAS; aligned to 4096
 *	and within @addr_width
 * @addr_width: 48 or 57: 4 or 5 levels
 * @__reserved: 0
 *
 * With the module parameter nesting=1 every IOMMU has it, for devices' requests
 * without PASID: what the page table says is copied into a page table of the IOMMU.
 * So entries that become present have to be invalidated, as those that change.
 */
struct iommu_hwpt_vtd_s1 {
	__aligned_u64 flags;
	__aligned_u64 pgtbl_addr;
	__u32 addr_width;
	__u32 __reserved;
};

/**
 * struct iommu_hwpt_alloc - ioctl(IOMMU_HWPT_ALLOC)
 * @size: sizeof(struct iommu_hwpt_alloc)
 * @flags: of enum iommufd_hwpt_alloc_flags
 * @dev_id: device that is to use it
 * @pt_id: an IOAS: make a page table that shows it; an HWPT that is a nesting
 *	parent: make a nested one, whose page table userspace writes
 * @out_hwpt_id: the new HWPT
 * @__reserved: 0
 * @data_type: of enum iommu_hwpt_data_type
 * @data_len: bytes at @data_uptr; 0 with IOMMU_HWPT_DATA_NONE, else not 0
 * @data_uptr: the IOMMU driver's own data
 * @fault_id: with IOMMU_HWPT_FAULT_ID_VALID a fault queue
 * @__reserved2: 0
 *
 * Devices are attached to it by their driver.  IOMMU drivers of 6.1 have no
 * flags and no data.  Their page tables are filled when the first device is
 * attached; errors of filling come then.
 *
 * Errors: EINVAL data_type and data_len do not match; @pt_id is no IOAS or HWPT,
 * or one that cannot be a parent for this device; data that the driver refuses;
 * EOPNOTSUPP a flag, combination or data that the device's IOMMU does not have;
 * ENOENT no such device or fault queue; EADDRINUSE something is mapped or
 * promised where the page table cannot translate; E2BIG @data_len is more than a
 * page; EIO the device is going; EFAULT; ENOMEM; EINTR.
 */
struct iommu_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 __reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 fault_id;
	__u32 __reserved2;
};
#define IOMMU_HWPT_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_ALLOC)

/**
 * enum iommu_hw_info_type - data of struct iommu_hw_info
 * @IOMMU_HW_INFO_TYPE_NONE: out: there is none
 * @IOMMU_HW_INFO_TYPE_DEFAULT: in: whatever there is
 * @IOMMU_HW_INFO_TYPE_INTEL_VTD: of Intel VT-d
 */
enum iommu_hw_info_type {
	IOMMU_HW_INFO_TYPE_NONE = 0,
	IOMMU_HW_INFO_TYPE_DEFAULT = 0,
	IOMMU_HW_INFO_TYPE_INTEL_VTD = 1,
};

/**
 * enum iommufd_hw_capabilities - what a device's IOMMU can do
 * @IOMMU_HW_CAP_DIRTY_TRACKING: IOMMU_HWPT_SET_DIRTY_TRACKING and
 *	IOMMU_HWPT_GET_DIRTY_BITMAP work
 * @IOMMU_HW_CAP_PCI_PASID_EXEC: requests with a PASID may ask to execute
 * @IOMMU_HW_CAP_PCI_PASID_PRIV: and to be privileged
 */
enum iommufd_hw_capabilities {
	IOMMU_HW_CAP_DIRTY_TRACKING = 1 << 0,
	IOMMU_HW_CAP_PCI_PASID_EXEC = 1 << 1,
	IOMMU_HW_CAP_PCI_PASID_PRIV = 1 << 2,
};

/**
 * enum iommufd_hw_info_flags - flags of struct iommu_hw_info
 * @IOMMU_HW_INFO_FLAG_INPUT_TYPE: in_data_type says which data is wanted
 */
enum iommufd_hw_info_flags {
	IOMMU_HW_INFO_FLAG_INPUT_TYPE = 1 << 0,
};

/**
 * struct iommu_hw_info - ioctl(IOMMU_GET_HW_INFO)
 * @size: sizeof(struct iommu_hw_info)
 * @flags: of enum iommufd_hw_info_flags
 * @dev_id: device
 * @data_len: in: bytes at @data_uptr; out: bytes that there are
 * @data_uptr: buffer; what the data does not fill is zeroed
 * @in_data_type: with IOMMU_HW_INFO_FLAG_INPUT_TYPE
 * @out_data_type: of enum iommu_hw_info_type
 * @out_max_pasid_log2: width of PASIDs, 0 for none
 * @__reserved: 0
 * @out_capabilities: of enum iommufd_hw_capabilities
 *
 * IOMMU drivers of 6.1 have neither data nor capabilities.
 *
 * Errors: EOPNOTSUPP a flag, or other data than what there is; ENOENT; EFAULT;
 * ENOMEM; EINTR.
 */
struct iommu_hw_info {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 data_len;
	__aligned_u64 data_uptr;
	union {
		__u32 in_data_type;
		__u32 out_data_type;
	};
	__u8 out_max_pasid_log2;
	__u8 __reserved[3];
	__aligned_u64 out_capabilities;
};
#define IOMMU_GET_HW_INFO _IO(IOMMUFD_TYPE, IOMMUFD_CMD_GET_HW_INFO)

/**
 * enum iommufd_hwpt_set_dirty_tracking_flags - what to do
 * @IOMMU_HWPT_DIRTY_TRACKING_ENABLE: begin with no page dirty; without: stop
 */
enum iommufd_hwpt_set_dirty_tracking_flags {
	IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 1,
};

/**
 * struct iommu_hwpt_set_dirty_tracking - ioctl(IOMMU_HWPT_SET_DIRTY_TRACKING)
 * @size: sizeof(struct iommu_hwpt_set_dirty_tracking)
 * @flags: of enum iommufd_hwpt_set_dirty_tracking_flags
 * @hwpt_id: made with IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 * @__reserved: 0
 *
 * Errors: EOPNOTSUPP the HWPT cannot do it; ENOENT.
 */
struct iommu_hwpt_set_dirty_tracking {
	__u32 size;
	__u32 flags;
	__u32 hwpt_id;
	__u32 __reserved;
};
#define IOMMU_HWPT_SET_DIRTY_TRACKING \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_SET_DIRTY_TRACKING)

/**
 * enum iommufd_hwpt_get_dirty_bitmap_flags - how to read
 * @IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR: leave pages dirty
 */
enum iommufd_hwpt_get_dirty_bitmap_flags {
	IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1,
};

/**
 * struct iommu_hwpt_get_dirty_bitmap - ioctl(IOMMU_HWPT_GET_DIRTY_BITMAP)
 * @size: sizeof(struct iommu_hwpt_get_dirty_bitmap)
 * @hwpt_id: HWPT
 * @flags: of enum iommufd_hwpt_get_dirty_bitmap_flags
 * @__reserved: 0
 * @iova: first IOVA, a multiple of @page_size
 * @length: bytes, a multiple of @page_size, not 0
 * @page_size: bytes per bit: a power of two, at least 2048
 * @data: bitmap of @length / @page_size bits, in bytes, the lowest bit first; any
 *	alignment.  Bits of dirty pages are set, no bit is cleared
 *
 * What was reported is clean afterwards; after an error nothing is lost, but a
 * part of the bits may be set and their pages clean.
 *
 * Errors: EINVAL numbers; EOVERFLOW; EOPNOTSUPP; ENOENT; EFAULT; ENOMEM; EINTR.
 */
struct iommu_hwpt_get_dirty_bitmap {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data;
};
#define IOMMU_HWPT_GET_DIRTY_BITMAP \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_GET_DIRTY_BITMAP)

/**
 * enum iommu_hwpt_invalidate_data_type - entries of struct iommu_hwpt_invalidate
 * @IOMMU_HWPT_INVALIDATE_DATA_VTD_S1: of HWPTs with data of IOMMU_HWPT_DATA_VTD_S1
 */
enum iommu_hwpt_invalidate_data_type {
	IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 = 0,
};

/**
 * enum iommu_hwpt_vtd_s1_invalidate_flags - flags of an entry
 * @IOMMU_VTD_INV_FLAGS_LEAF: what is cached of upper levels may stay
 */
enum iommu_hwpt_vtd_s1_invalidate_flags {
	IOMMU_VTD_INV_FLAGS_LEAF = 1 << 0,
};

/**
 * struct iommu_hwpt_vtd_s1_invalidate - an entry: some pages
 * @addr: first address, aligned to 4096
 * @npages: pages of 4096 bytes; U64_MAX with @addr 0: everything
 * @flags: of enum iommu_hwpt_vtd_s1_invalidate_flags
 * @__reserved: 0
 *
 * About the IOTLB and that of devices.  Errors: EINVAL alignment, 0 pages, beyond
 * 2^64 - 1; EOPNOTSUPP flags, @__reserved.
 */
struct iommu_hwpt_vtd_s1_invalidate {
	__aligned_u64 addr;
	__aligned_u64 npages;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct iommu_hwpt_invalidate - ioctl(IOMMU_HWPT_INVALIDATE)
 * @size: sizeof(struct iommu_hwpt_invalidate)
 * @hwpt_id: nested HWPT
 * @data_uptr: array of entries, as the IOMMU driver has them
 * @data_type: what they are
 * @entry_len: bytes of each, at most 4096
 * @entry_num: in: how many, at most 2^19; out: how many were done, in their order.
 *	0 only asks whether the HWPT knows @data_type
 * @__reserved: 0
 *
 * Errors: EINVAL the HWPT is not nested, other data, numbers, entries that the
 * driver refuses; EOPNOTSUPP flags in an entry; ENOENT; EFAULT; ENOMEM.
 * @entry_num is written after errors too.
 */
struct iommu_hwpt_invalidate {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 data_uptr;
	__u32 data_type;
	__u32 entry_len;
	__u32 entry_num;
	__u32 __reserved;
};
#define IOMMU_HWPT_INVALIDATE _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_INVALIDATE)

/**
 * enum iommu_hwpt_pgfault_flags - flags of struct iommu_hwpt_pgfault
 * @IOMMU_PGFAULT_FLAGS_PASID_VALID: pasid is valid
 * @IOMMU_PGFAULT_FLAGS_LAST_PAGE: the last of its group, the one to answer
 */
enum iommu_hwpt_pgfault_flags {
	IOMMU_PGFAULT_FLAGS_PASID_VALID = 1 << 0,
	IOMMU_PGFAULT_FLAGS_LAST_PAGE = 1 << 1,
};

/**
 * enum iommu_hwpt_pgfault_perm - what the device wanted to do
 * @IOMMU_PGFAULT_PERM_READ: read
 * @IOMMU_PGFAULT_PERM_WRITE: write
 * @IOMMU_PGFAULT_PERM_EXEC: execute
 * @IOMMU_PGFAULT_PERM_PRIV: in privileged mode
 */
enum iommu_hwpt_pgfault_perm {
	IOMMU_PGFAULT_PERM_READ = 1 << 0,
	IOMMU_PGFAULT_PERM_WRITE = 1 << 1,
	IOMMU_PGFAULT_PERM_EXEC = 1 << 2,
	IOMMU_PGFAULT_PERM_PRIV = 1 << 3,
};

/**
 * struct iommu_hwpt_pgfault - a page request, as read() of a fault queue gives it
 * @flags: of enum iommu_hwpt_pgfault_flags
 * @dev_id: device that waits
 * @pasid: process address space id
 * @grpid: page request group
 * @perm: of enum iommu_hwpt_pgfault_perm
 * @__reserved: 0
 * @addr: address
 * @length: bytes that the device is going to want, 0 when it does not say
 * @cookie: for the answer
 */
struct iommu_hwpt_pgfault {
	__u32 flags;
	__u32 dev_id;
	__u32 pasid;
	__u32 grpid;
	__u32 perm;
	__u32 __reserved;
	__aligned_u64 addr;
	__u32 length;
	__u32 cookie;
};

/**
 * enum iommufd_page_response_code - answer to a page request
 * @IOMMUFD_PAGE_RESP_SUCCESS: try again, it will work
 * @IOMMUFD_PAGE_RESP_INVALID: it will never work
 */
enum iommufd_page_response_code {
	IOMMUFD_PAGE_RESP_SUCCESS = 0,
	IOMMUFD_PAGE_RESP_INVALID = 1,
};

/**
 * struct iommu_hwpt_page_response - what write() of a fault queue takes
 * @cookie: of the last request of a group
 * @code: of enum iommufd_page_response_code
 */
struct iommu_hwpt_page_response {
	__u32 cookie;
	__u32 code;
};

/**
 * struct iommu_fault_alloc - ioctl(IOMMU_FAULT_QUEUE_ALLOC)
 * @size: sizeof(struct iommu_fault_alloc)
 * @flags: 0
 * @out_fault_id: the new fault queue
 * @out_fault_fd: its file descriptor
 *
 * read() gives whole struct iommu_hwpt_pgfault, as many as fit and are there, and
 * 0 when there is none (EINVAL: none fits); write() takes whole struct
 * iommu_hwpt_page_response (EINVAL: a length, code or cookie that is none; what
 * came before it is done and counted); poll() works.  Requests that are not
 * answered when their device, HWPT or file descriptor goes are answered
 * IOMMUFD_PAGE_RESP_INVALID.
 *
 * The queue cannot be destroyed while its file descriptor is open or an HWPT uses
 * it (EBUSY).
 *
 * Errors: EOPNOTSUPP; EFAULT; ENOMEM; EMFILE; ENFILE.
 */
struct iommu_fault_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_fault_id;
	__u32 out_fault_fd;
};
#define IOMMU_FAULT_QUEUE_ALLOC \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_FAULT_QUEUE_ALLOC)

/**
 * struct iommu_ioas_map_file - ioctl(IOMMU_IOAS_MAP_FILE)
 * @size: sizeof(struct iommu_ioas_map_file)
 * @flags: of enum iommufd_ioas_map_flags
 * @ioas_id: the IOAS to change
 * @fd: a memfd, or a regular file of tmpfs or hugetlbfs
 * @start: offset in the file, bytes; any alignment that @iova allows
 * @length: bytes; the file must be as long
 * @iova: as in struct iommu_ioas_map
 *
 * Maps the pages of a file, whoever has it mapped where.  The rest is as for
 * IOMMU_IOAS_MAP.
 *
 * The file is mapped into the calling process for the moment of pinning, 16 MiB at
 * a time.  A child that is forked in that moment inherits that.
 *
 * Errors: those of IOMMU_IOAS_MAP; EINVAL @fd is no such file, or the range leaves
 * the file; EBADF; EACCES @fd is not open for what @flags ask; EPERM the memfd is
 * sealed against it.
 */
struct iommu_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMU_IOAS_MAP_FILE _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_MAP_FILE)

/**
 * struct iommu_viommu_alloc - ioctl(IOMMU_VIOMMU_ALLOC)
 * @size: sizeof(struct iommu_viommu_alloc)
 * @flags: 0
 * @type: of the virtual IOMMU
 * @dev_id: device
 * @hwpt_id: nesting parent
 * @out_viommu_id: the new object
 * @data_len: bytes at @data_uptr
 * @__reserved: 0
 * @data_uptr: the IOMMU driver's own data
 *
 * Virtual IOMMU objects stand for a part of an IOMMU that is handed to a guest.
 * No IOMMU driver of 6.1 has one, nor has the mock.
 *
 * Errors: EOPNOTSUPP; ENOENT no such device.
 */
struct iommu_viommu_alloc {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 dev_id;
	__u32 hwpt_id;
	__u32 out_viommu_id;
	__u32 data_len;
	__u32 __reserved;
	__aligned_u64 data_uptr;
};
#define IOMMU_VIOMMU_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VIOMMU_ALLOC)

/**
 * struct iommu_vdevice_alloc - ioctl(IOMMU_VDEVICE_ALLOC)
 * @size: sizeof(struct iommu_vdevice_alloc)
 * @viommu_id: virtual IOMMU
 * @dev_id: device
 * @out_vdevice_id: the new object
 * @virt_id: id of the device in the guest
 *
 * Errors: ENOENT, as there is no virtual IOMMU.
 */
struct iommu_vdevice_alloc {
	__u32 size;
	__u32 viommu_id;
	__u32 dev_id;
	__u32 out_vdevice_id;
	__aligned_u64 virt_id;
};
#define IOMMU_VDEVICE_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VDEVICE_ALLOC)

/**
 * struct iommu_ioas_change_process - ioctl(IOMMU_IOAS_CHANGE_PROCESS)
 * @size: sizeof(struct iommu_ioas_change_process)
 * @__reserved: 0
 *
 * From now on all that is mapped through this open file is charged to the calling
 * process: for one that takes over from another.
 *
 * Errors: EINVAL something is mapped that is not of IOMMU_IOAS_MAP_FILE; ENOMEM
 * RLIMIT_MEMLOCK of the caller would be exceeded; EOPNOTSUPP; EINTR.
 */
struct iommu_ioas_change_process {
	__u32 size;
	__u32 __reserved;
};
#define IOMMU_IOAS_CHANGE_PROCESS \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_CHANGE_PROCESS)

#endif
