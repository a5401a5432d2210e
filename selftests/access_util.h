/* SPDX-License-Identifier: GPL-2.0-only */
/* The test module's in-kernel access, and its PCI device, for the selftests. */
#ifndef SELFTESTS_ACCESS_UTIL_H
#define SELFTESTS_ACCESS_UTIL_H

#include "../mock/access_test_uapi.h"
#include "iommu_util.h"

#define PIN_READ 0
#define PIN_WRITE 1

static inline int access_open(void)
{
	int fd = open(ACCESS_TEST_NODE, O_RDWR);

	if (fd < 0)
		bail("open %s", ACCESS_TEST_NODE);
	return fd;
}

static inline int access_create(int at, int iommufd, uint32_t flags,
				uint32_t *id)
{
	struct access_test_create cmd = { .iommufd = iommufd, .flags = flags };
	int rc = ioctl(at, ACCESS_TEST_CREATE, &cmd);

	if (id)
		*id = cmd.out_access_id;
	return rc;
}

static inline int access_attach(int at, uint32_t ioas)
{
	return ioctl(at, ACCESS_TEST_ATTACH, &ioas);
}

static inline int access_detach(int at)
{
	return ioctl(at, ACCESS_TEST_DETACH);
}

/* An access that can pin, attached to @ioas */
static inline int access_new(int iommufd, uint32_t ioas)
{
	int at = access_open();

	if (access_create(at, iommufd, ACCESS_TEST_CREATE_PINS, NULL))
		bail("ACCESS_TEST_CREATE");
	if (access_attach(at, ioas))
		bail("ACCESS_TEST_ATTACH");
	return at;
}

/* A pin as the tests see it */
struct pin {
	uint32_t id;
	uint32_t npages;
};

static inline int access_pin_pfns(int at, uint64_t iova, uint64_t length,
				  uint32_t flags, struct pin *pin,
				  uint64_t *pfns)
{
	struct access_test_pin cmd = {
		.iova = iova,
		.length = length,
		.flags = flags,
		.pfns = (uintptr_t)pfns,
	};
	int rc = ioctl(at, ACCESS_TEST_PIN, &cmd);

	pin->id = cmd.out_pin_id;
	pin->npages = cmd.out_npages;
	return rc;
}

static inline int access_pin(int at, uint64_t iova, uint64_t length,
			     uint32_t flags, struct pin *pin)
{
	return access_pin_pfns(at, iova, length, flags, pin, NULL);
}

/* For pins that must fail: there is no handle to keep. */
static inline int access_pin_only(int at, uint64_t iova, uint64_t length,
				  uint32_t flags)
{
	struct pin pin;

	return access_pin(at, iova, length, flags, &pin);
}

static inline int access_unpin(int at, const struct pin *pin)
{
	struct access_test_unpin cmd = { .pin_id = pin->id };

	return ioctl(at, ACCESS_TEST_UNPIN, &cmd);
}

static inline int access_peek(int at, const struct pin *pin, uint64_t offset,
			      void *buf, uint64_t length)
{
	struct access_test_copy cmd = {
		.pin_id = pin->id,
		.offset = offset,
		.length = length,
		.uptr = (uintptr_t)buf,
	};

	return ioctl(at, ACCESS_TEST_PEEK, &cmd);
}

static inline int access_poke(int at, const struct pin *pin, uint64_t offset,
			      const void *buf, uint64_t length)
{
	struct access_test_copy cmd = {
		.pin_id = pin->id,
		.offset = offset,
		.length = length,
		.uptr = (uintptr_t)buf,
	};

	return ioctl(at, ACCESS_TEST_POKE, &cmd);
}

/* The pinned pages hold @length bytes of @want, from @offset on. */
static inline bool access_holds(int at, const struct pin *pin, uint64_t offset,
				const void *want, uint64_t length)
{
	char *got = malloc(length);
	bool same;

	if (!got)
		bail("malloc");
	memset(got, 0x5a, length);
	same = !access_peek(at, pin, offset, got, length) &&
	       !memcmp(got, want, length);
	free(got);
	return same;
}

static inline int access_rw(int at, uint64_t iova, void *buf, uint64_t length,
			    uint32_t flags)
{
	struct access_test_rw cmd = {
		.iova = iova,
		.length = length,
		.uptr = (uintptr_t)buf,
		.flags = flags,
	};

	return ioctl(at, ACCESS_TEST_RW, &cmd);
}

static inline int access_mode(int at, uint32_t mode, uint32_t count)
{
	struct access_test_mode cmd = { .mode = mode, .count = count };

	return ioctl(at, ACCESS_TEST_MODE, &cmd);
}

/* Returns once the unmap callback was called @calls times in all. */
static inline struct access_test_stats access_stats_wait(int at, uint64_t calls)
{
	struct access_test_stats stats = { .wait_calls = calls };

	if (ioctl(at, ACCESS_TEST_STATS, &stats))
		bail("ACCESS_TEST_STATS");
	return stats;
}

static inline struct access_test_stats access_stats(int at)
{
	return access_stats_wait(at, 0);
}

/* ------------------------------------------------------------------ */
/* The PCI device */

static inline int device_bind(int at, int iommufd, const char *name,
			      uint32_t *id)
{
	struct access_test_bind cmd = { .iommufd = iommufd };
	int rc;

	memcpy(cmd.name, name, strnlen(name, sizeof(cmd.name) - 1));
	rc = ioctl(at, ACCESS_TEST_DEVICE_BIND, &cmd);
	*id = cmd.out_dev_id;
	return rc;
}

/* For binds that must fail: there is nothing to keep. */
static inline int device_bind_only(int at, int iommufd, const char *name)
{
	uint32_t id;

	return device_bind(at, iommufd, name, &id);
}

static inline int device_unbind(int at)
{
	return ioctl(at, ACCESS_TEST_DEVICE_UNBIND);
}

/* @hwpt: out: where it is attached; may be NULL */
static inline int device_attach(int at, uint32_t pt, uint32_t *hwpt)
{
	int rc = ioctl(at, ACCESS_TEST_DEVICE_ATTACH, &pt);

	if (hwpt)
		*hwpt = pt;
	return rc;
}

static inline int device_detach(int at)
{
	return ioctl(at, ACCESS_TEST_DEVICE_DETACH);
}

static inline int device_replace(int at, uint32_t pt, uint32_t *hwpt)
{
	int rc = ioctl(at, ACCESS_TEST_DEVICE_REPLACE, &pt);

	if (hwpt)
		*hwpt = pt;
	return rc;
}

/* @nr: ACCESS_TEST_PASID_* */
static inline int device_pasid(int at, unsigned long nr, uint32_t pasid,
			       uint32_t pt)
{
	struct access_test_pasid cmd = { .pasid = pasid, .pt_id = pt };

	return ioctl(at, nr, &cmd);
}

#endif
