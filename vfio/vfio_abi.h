/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vfio.ko of Linux 6.1 shows to its IOMMU drivers.
 *
 * The functions are exported, but the types stand in a header that no package
 * ships, and symbol versions do not cover them.  scripts/check-vfio-abi
 * compares the types below with vfio.ko's own type information at each build.
 */
#ifndef VFIO_ABI_H
#define VFIO_ABI_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#error "the bridge knows vfio.ko of Linux 6.1 only; later kernels have iommufd"
#endif

#ifndef CONFIG_X86_64
#error "the bridge rewrites an argument register of x86-64"
#endif

struct iommu_domain;
struct iommu_group;
struct module;
struct page;
struct vfio_device;

enum vfio_group_type {
	VFIO_IOMMU,
	VFIO_EMULATED_IOMMU,
	VFIO_NO_IOMMU,
};

enum vfio_iommu_notify_type {
	VFIO_IOMMU_CONTAINER_CLOSE = 0,
};

struct vfio_iommu_driver_ops {
	char *name;
	struct module *owner;
	void *(*open)(unsigned long arg);
	void (*release)(void *iommu_data);
	long (*ioctl)(void *iommu_data, unsigned int cmd, unsigned long arg);
	int (*attach_group)(void *iommu_data, struct iommu_group *group,
			    enum vfio_group_type type);
	void (*detach_group)(void *iommu_data, struct iommu_group *group);
	int (*pin_pages)(void *iommu_data, struct iommu_group *group,
			 dma_addr_t user_iova, int npage, int prot,
			 struct page **pages);
	void (*unpin_pages)(void *iommu_data, dma_addr_t user_iova, int npage);
	void (*register_device)(void *iommu_data, struct vfio_device *vdev);
	void (*unregister_device)(void *iommu_data, struct vfio_device *vdev);
	int (*dma_rw)(void *iommu_data, dma_addr_t user_iova, void *data,
		      size_t count, bool write);
	struct iommu_domain *(*group_iommu_domain)(void *iommu_data,
						   struct iommu_group *group);
	void (*notify)(void *iommu_data, enum vfio_iommu_notify_type event);
};

#define VFIO_OPS_AT(member, offset) \
	static_assert(offsetof(struct vfio_iommu_driver_ops, member) == (offset))
VFIO_OPS_AT(name, 0);
VFIO_OPS_AT(owner, 8);
VFIO_OPS_AT(open, 16);
VFIO_OPS_AT(release, 24);
VFIO_OPS_AT(ioctl, 32);
VFIO_OPS_AT(attach_group, 40);
VFIO_OPS_AT(detach_group, 48);
VFIO_OPS_AT(pin_pages, 56);
VFIO_OPS_AT(unpin_pages, 64);
VFIO_OPS_AT(register_device, 72);
VFIO_OPS_AT(unregister_device, 80);
VFIO_OPS_AT(dma_rw, 88);
VFIO_OPS_AT(group_iommu_domain, 96);
VFIO_OPS_AT(notify, 104);
static_assert(sizeof(struct vfio_iommu_driver_ops) == 112);
#undef VFIO_OPS_AT

int vfio_register_iommu_driver(const struct vfio_iommu_driver_ops *ops);
void vfio_unregister_iommu_driver(const struct vfio_iommu_driver_ops *ops);

#endif
