/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls of the emulated test devices, on the file descriptor that
 * VFIO_GROUP_GET_DEVICE_FD gives.
 */
#ifndef EMULATED_UAPI_H
#define EMULATED_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EMULATED_TEST_DEVICES 2
#define EMULATED_TEST_NAME "emulated_test"

/**
 * struct emulated_test_pin - pages to pin, or to unpin
 * @iova: first IOVA
 * @npages: how many
 * @prot: 1: to be read, 2: to be written to
 * @data: out: the first 8 bytes of the first page
 *
 * PIN returns what vfio_pin_pages() returns.
 */
struct emulated_test_pin {
	__aligned_u64 iova;
	__u32 npages;
	__u32 prot;
	__aligned_u64 data;
};

/**
 * struct emulated_test_rw - bytes to copy
 * @iova: first IOVA
 * @uptr: buffer
 * @length: bytes, at most 64 KiB
 * @write: to the IOVAs, else from there
 */
struct emulated_test_rw {
	__aligned_u64 iova;
	__aligned_u64 uptr;
	__u32 length;
	__u32 write;
};

/**
 * struct emulated_test_stats - what the driver has seen
 * @unmaps: calls of dma_unmap
 * @iova: of the last one
 * @length: of the last one
 * @pins: pages that are pinned
 */
struct emulated_test_stats {
	__aligned_u64 unmaps;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 pins;
};

#define EMULATED_TEST_PIN _IOWR('E', 0, struct emulated_test_pin)
#define EMULATED_TEST_UNPIN _IOW('E', 1, struct emulated_test_pin)
#define EMULATED_TEST_RW _IOW('E', 2, struct emulated_test_rw)
#define EMULATED_TEST_STATS _IOR('E', 3, struct emulated_test_stats)

#endif
