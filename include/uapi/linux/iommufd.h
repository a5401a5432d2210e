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
 * detached, so ask again after either.  An IOAS with nothing attached allows
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
 * @iova: with FIXED_IOVA: where to map; else out: where it was mapped
 *
 * Maps memory of the calling process.  The pages are pinned, and charged to
 * RLIMIT_MEMLOCK, while a device or a kernel user needs them; an IOAS with
 * nothing attached only notes the mapping, so that a bad @user_va is then
 * found when the first device is attached.
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
 * @dst_iova: with FIXED_IOVA: where to map; else out: where it was mapped
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
 *	object_id is its id.  Switching off is EINVAL once a device is attached
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

#endif
