/* SPDX-License-Identifier: GPL-2.0-only */
/* The emulated devices of iommufd_emulated_test.ko, from userspace. */
#ifndef SELFTESTS_EMULATED_H
#define SELFTESTS_EMULATED_H

#include "../mock/emulated_uapi.h"
#include "vfio_util.h"

/* The number of the group of device @nr */
static inline int emulated_group(unsigned int nr)
{
	return group_number("/sys/devices/platform/" EMULATED_TEST_NAME ".%u", nr);
}

static inline int emulated_device(int group, unsigned int nr)
{
	char name[32];

	snprintf(name, sizeof(name), EMULATED_TEST_NAME ".%u", nr);
	return device_fd(group, name);
}

/* Returns the number of pages; @data gets what the first one begins with. */
static inline int emulated_pin(int device, uint64_t iova, uint32_t npages, uint32_t prot,
			       uint64_t *data)
{
	struct emulated_test_pin pin = { .iova = iova, .npages = npages, .prot = prot };
	int rc = ioctl(device, EMULATED_TEST_PIN, &pin);

	if (data)
		*data = pin.data;
	return rc;
}

static inline int emulated_unpin(int device, uint64_t iova, uint32_t npages)
{
	struct emulated_test_pin pin = { .iova = iova, .npages = npages };

	return ioctl(device, EMULATED_TEST_UNPIN, &pin);
}

static inline int emulated_rw(int device, uint64_t iova, void *buf, uint32_t length, bool write)
{
	struct emulated_test_rw rw = {
		.iova = iova, .uptr = (uintptr_t)buf, .length = length, .write = write,
	};

	return ioctl(device, EMULATED_TEST_RW, &rw);
}

static inline struct emulated_test_stats emulated_stats(int device)
{
	struct emulated_test_stats stats;

	if (ioctl(device, EMULATED_TEST_STATS, &stats))
		bail("STATS");
	return stats;
}

#endif
