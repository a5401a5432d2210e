/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interface of /dev/iommufd_access_test: one in-kernel access and one PCI device
 * per open file.
 *
 * For selftests only.  Errors are those of the function of
 * include/linux/iommufd.h that a command stands for; in addition EINVAL when
 * there is no access or device yet (CREATE or BIND first) or there is one
 * already, and ENOENT for an unknown pin_id.
 */
#ifndef MOCK_ACCESS_TEST_UAPI_H
#define MOCK_ACCESS_TEST_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ACCESS_TEST_NODE "/dev/iommufd_access_test"
#define ACCESS_TEST_TYPE 0xCA

/**
 * struct access_test_create - make the access
 * @iommufd: open file descriptor of /dev/iommu
 * @flags: ACCESS_TEST_CREATE_PINS: the access may pin pages (needs_pin_pages);
 *         0: only RW
 * @out_access_id: the access's object id in the iommufd context
 */
struct access_test_create {
	__s32 iommufd;
	__u32 flags;
#define ACCESS_TEST_CREATE_PINS 0x1
	__u32 out_access_id;
};

/**
 * struct access_test_pin - pin pages
 * @iova: first IOVA
 * @length: bytes, at most ACCESS_TEST_MAX_LENGTH
 * @flags: of enum iommufd_access_flags: bit 0 is WRITE
 * @__pad: unused
 * @out_pin_id: handle for PEEK, POKE and UNPIN
 * @out_npages: pages that the array came back with
 * @pfns: user pointer to @out_npages __u64, or 0
 */
struct access_test_pin {
	__aligned_u64 iova;
	__aligned_u64 length;
	__u32 flags;
	__u32 __pad;
	__u32 out_pin_id;
	__u32 out_npages;
	__aligned_u64 pfns;
};

#define ACCESS_TEST_MAX_LENGTH 0x40000000ULL

/**
 * struct access_test_unpin - undo one PIN
 * @pin_id: from PIN
 */
struct access_test_unpin {
	__u32 pin_id;
};

/**
 * struct access_test_copy - PEEK reads pinned pages, POKE writes them
 * @pin_id: from PIN
 * @__pad: unused
 * @offset: byte offset into the pinned pages, put end to end
 * @length: bytes
 * @uptr: user buffer
 *
 * Nothing of iommufd.ko is called: this is what the memory itself holds.
 */
struct access_test_copy {
	__u32 pin_id;
	__u32 __pad;
	__aligned_u64 offset;
	__aligned_u64 length;
	__aligned_u64 uptr;
};

/**
 * struct access_test_rw - iommufd_access_rw()
 * @iova: first IOVA
 * @length: bytes, at most ACCESS_TEST_MAX_RW
 * @uptr: user buffer
 * @flags: of enum iommufd_access_flags: bit 0 is WRITE
 * @__pad: unused
 */
struct access_test_rw {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 uptr;
	__u32 flags;
	__u32 __pad;
};

#define ACCESS_TEST_MAX_RW 0x100000ULL

/**
 * enum access_test_modes - what the unmap callback does
 * @ACCESS_TEST_RELEASE: undo all pins that touch the range, as it must
 * @ACCESS_TEST_REFUSE: break the contract: undo nothing for @count calls
 * @ACCESS_TEST_HOLD: wait until the mode is changed, then release.  A fatal
 *                    signal to the unmapping task ends the wait too, and so
 *                    do 60 s
 */
enum access_test_modes {
	ACCESS_TEST_RELEASE = 0,
	ACCESS_TEST_REFUSE = 1,
	ACCESS_TEST_HOLD = 2,
};

/**
 * struct access_test_mode - set the mode of the unmap callback
 * @mode: of enum access_test_modes
 * @count: for ACCESS_TEST_REFUSE; ~0: until the mode is changed
 */
struct access_test_mode {
	__u32 mode;
	__u32 count;
};

/**
 * struct access_test_stats - what happened so far
 * @wait_calls: in: return only when @unmap_calls is at least this (EINTR)
 * @unmap_calls: calls of the unmap callback
 * @refused: calls in which it refused
 * @pins: pins now alive
 * @last_iova: arguments of the latest call
 * @last_length: same
 * @zero_page_refs: reference count of the kernel's zero page
 */
struct access_test_stats {
	__aligned_u64 wait_calls;
	__aligned_u64 unmap_calls;
	__aligned_u64 refused;
	__aligned_u64 pins;
	__aligned_u64 last_iova;
	__aligned_u64 last_length;
	__s64 zero_page_refs;
};

/**
 * struct access_test_compat - iommufd_vfio_compat_ioas_id(); needs no access
 * @iommufd: open file descriptor of /dev/iommu
 * @out_ioas_id: the compatibility IOAS, made if there was none
 */
struct access_test_compat {
	__s32 iommufd;
	__u32 out_ioas_id;
};

#define ACCESS_TEST_NAME_LENGTH 32

/**
 * struct access_test_bind - act as the driver of a PCI device
 * @iommufd: open file descriptor of /dev/iommu
 * @out_dev_id: the device's object id in the iommufd context
 * @name: domain:bus:device.function as in sysfs, with its final 0
 *
 * From then on the device can do DMA.  The registers are for userspace, by
 * resource0 in sysfs.
 *
 * Errors: as iommufd_device_bind() (EPERM: it has a driver); ENODEV also: no such
 * device; EBUSY it has a driver that leaves DMA to others; what
 * pci_enable_device() says.
 */
struct access_test_bind {
	__s32 iommufd;
	__u32 out_dev_id;
	char name[ACCESS_TEST_NAME_LENGTH];
};

/**
 * struct access_test_pasid - attach a PASID of the device
 * @pasid: PASID
 * @pt_id: in and out
 */
struct access_test_pasid {
	__u32 pasid;
	__u32 pt_id;
};

#define ACCESS_TEST_CREATE _IOWR(ACCESS_TEST_TYPE, 0, struct access_test_create)
#define ACCESS_TEST_DESTROY _IO(ACCESS_TEST_TYPE, 1)
#define ACCESS_TEST_ATTACH _IOW(ACCESS_TEST_TYPE, 2, __u32)
#define ACCESS_TEST_DETACH _IO(ACCESS_TEST_TYPE, 3)
#define ACCESS_TEST_PIN _IOWR(ACCESS_TEST_TYPE, 4, struct access_test_pin)
#define ACCESS_TEST_UNPIN _IOW(ACCESS_TEST_TYPE, 5, struct access_test_unpin)
#define ACCESS_TEST_PEEK _IOW(ACCESS_TEST_TYPE, 6, struct access_test_copy)
#define ACCESS_TEST_POKE _IOW(ACCESS_TEST_TYPE, 7, struct access_test_copy)
#define ACCESS_TEST_RW _IOW(ACCESS_TEST_TYPE, 8, struct access_test_rw)
#define ACCESS_TEST_MODE _IOW(ACCESS_TEST_TYPE, 9, struct access_test_mode)
#define ACCESS_TEST_STATS _IOWR(ACCESS_TEST_TYPE, 10, struct access_test_stats)
#define ACCESS_TEST_COMPAT _IOWR(ACCESS_TEST_TYPE, 11, struct access_test_compat)
/*
 * The device.  ATTACH and REPLACE take a pt_id and give the HWPT's id; when that
 * cannot be written they are EFAULT, and only ATTACH is undone.  DETACH is EINVAL
 * for one that is not attached; UNBIND and close() detach first.
 */
#define ACCESS_TEST_DEVICE_BIND _IOWR(ACCESS_TEST_TYPE, 12, struct access_test_bind)
#define ACCESS_TEST_DEVICE_UNBIND _IO(ACCESS_TEST_TYPE, 13)
#define ACCESS_TEST_DEVICE_ATTACH _IOWR(ACCESS_TEST_TYPE, 14, __u32)
#define ACCESS_TEST_DEVICE_DETACH _IO(ACCESS_TEST_TYPE, 15)
#define ACCESS_TEST_DEVICE_REPLACE _IOWR(ACCESS_TEST_TYPE, 16, __u32)
#define ACCESS_TEST_PASID_ATTACH _IOWR(ACCESS_TEST_TYPE, 17, struct access_test_pasid)
#define ACCESS_TEST_PASID_REPLACE _IOWR(ACCESS_TEST_TYPE, 18, struct access_test_pasid)

#endif
