/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls of VFIO containers with two stages.
 */
#ifndef SELFTESTS_NESTING_UTIL_H
#define SELFTESTS_NESTING_UTIL_H

#include <stdint.h>
#include <sys/ioctl.h>

#include <linux/iommu_nesting.h>

#include "vfio_util.h"

/* What this project has, and type1 has not: those with an argument */
static const unsigned int nesting_commands[] = {
	VFIO_IOMMU_PASID_REQUEST, VFIO_IOMMU_SET_PASID_QUOTA, VFIO_IOMMU_BIND,
	VFIO_IOMMU_CACHE_INVALIDATE, IOMMU_NESTING_FAULT_ALLOC,
};

#define NESTING_COMMANDS (sizeof(nesting_commands) / sizeof(*nesting_commands))

static inline bool is_nesting_command(uint64_t cmd)
{
	for (unsigned int i = 0; i != NESTING_COMMANDS; i++)
		if (nesting_commands[i] == cmd)
			return true;
	return cmd == VFIO_NESTING_GET_IOMMU_UAPI_VERSION;
}

/* iommufd.ko's parameter; holds for what comes next */
static inline void nesting_allow(bool on)
{
	FILE *f = fopen("/sys/module/iommufd/parameters/nesting", "we");

	if (!f || fputs(on ? "Y" : "N", f) == EOF || fclose(f))
		bail("set nesting");
}

/* 0 and a PASID of [@min, @max], or -1 and errno */
static inline int pasid_alloc(int container, uint32_t min, uint32_t max,
			      uint32_t *pasid)
{
	struct vfio_iommu_type1_pasid_request req = {
		.argsz = sizeof(req),
		.flags = VFIO_IOMMU_PASID_ALLOC,
		.alloc_pasid = { .min = min, .max = max },
	};
	int rc = ioctl(container, VFIO_IOMMU_PASID_REQUEST, &req);

	if (!rc)
		*pasid = req.alloc_pasid.result;
	return rc;
}

static inline int pasid_free(int container, uint32_t pasid)
{
	struct vfio_iommu_type1_pasid_request req = {
		.argsz = sizeof(req),
		.flags = VFIO_IOMMU_PASID_FREE,
		.free_pasid = pasid,
	};

	return ioctl(container, VFIO_IOMMU_PASID_REQUEST, &req);
}

/* The quota that is in force now, or -1 and errno */
static inline int pasid_quota(int container, uint32_t quota)
{
	struct vfio_iommu_type1_pasid_quota args = {
		.argsz = sizeof(args),
		.quota = quota,
	};

	return ioctl(container, VFIO_IOMMU_SET_PASID_QUOTA, &args);
}

/* struct vfio_iommu_type1_bind with its data */
struct bind_args {
	uint32_t argsz;
	uint32_t flags;
	struct iommu_gpasid_bind_data data;
};

/* What binds the table at @gpgd; for PASID 0 that of requests without */
static inline struct bind_args bind_args(uint32_t pasid, uint64_t gpgd,
					 uint32_t width)
{
	return (struct bind_args){
		.argsz = sizeof(struct bind_args),
		.flags = VFIO_IOMMU_BIND_GUEST_PGTBL,
		.data = {
			.version = IOMMU_UAPI_VERSION,
			.format = IOMMU_PASID_FORMAT_INTEL_VTD,
			.flags = pasid ? IOMMU_SVA_GPASID_VAL : 0,
			.gpgd = gpgd,
			.hpasid = pasid,
			.gpasid = pasid,
			.addr_width = width,
		},
	};
}

static inline int bind_table(int container, uint32_t pasid, uint64_t gpgd,
			     uint32_t width)
{
	struct bind_args args = bind_args(pasid, gpgd, width);

	return ioctl(container, VFIO_IOMMU_BIND, &args);
}

static inline int unbind_table(int container, uint32_t pasid)
{
	struct bind_args args = bind_args(pasid, 0, 0);

	args.flags = VFIO_IOMMU_UNBIND_GUEST_PGTBL;
	return ioctl(container, VFIO_IOMMU_BIND, &args);
}

/* CACHE_INVALIDATE of @cache at granularity DOMAIN */
static inline struct vfio_iommu_type1_cache_invalidate inv_args(uint8_t cache,
								uint8_t granu)
{
	return (struct vfio_iommu_type1_cache_invalidate){
		.argsz = sizeof(struct vfio_iommu_type1_cache_invalidate),
		.cache_info = {
			.version = IOMMU_UAPI_VERSION,
			.cache = cache,
			.granularity = granu,
		},
	};
}

static inline int inv_domain(int container, uint8_t cache)
{
	struct vfio_iommu_type1_cache_invalidate args =
		inv_args(cache, IOMMU_INV_GRANU_DOMAIN);

	return ioctl(container, VFIO_IOMMU_CACHE_INVALIDATE, &args);
}

static inline int inv_pasid(int container, uint8_t cache, uint32_t pasid)
{
	struct vfio_iommu_type1_cache_invalidate args =
		inv_args(cache, IOMMU_INV_GRANU_PASID);

	args.cache_info.granu.pasid_info.flags = IOMMU_INV_PASID_FLAGS_PASID;
	args.cache_info.granu.pasid_info.pasid = pasid;
	return ioctl(container, VFIO_IOMMU_CACHE_INVALIDATE, &args);
}

/* PASID 0: all address spaces; @flags: IOMMU_INV_ADDR_FLAGS_LEAF or 0 */
static inline int inv_addr(int container, uint8_t cache, uint32_t pasid,
			   uint64_t addr, uint64_t granule, uint64_t number,
			   uint32_t flags)
{
	struct vfio_iommu_type1_cache_invalidate args =
		inv_args(cache, IOMMU_INV_GRANU_ADDR);
	struct iommu_inv_addr_info *info = &args.cache_info.granu.addr_info;

	info->flags = flags | (pasid ? IOMMU_INV_ADDR_FLAGS_PASID : 0);
	info->pasid = pasid;
	info->addr = addr;
	info->granule_size = granule;
	info->nb_granules = number;
	return ioctl(container, VFIO_IOMMU_CACHE_INVALIDATE, &args);
}

/* The file of the container's faults, or -1 and errno */
static inline int nesting_fault_fd(int container)
{
	struct iommu_nesting_fault_alloc args = { .size = sizeof(args) };

	if (ioctl(container, IOMMU_NESTING_FAULT_ALLOC, &args))
		return -1;
	return args.out_fd;
}

#endif
