/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Containers, and groups in them that have no IOMMU.
 */
#ifndef BRIDGE_EMULATED_H
#define BRIDGE_EMULATED_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct iommu_group;
struct iommufd_access;
struct iommufd_ctx;
struct page;
struct vfio_device;

/**
 * struct bridge_emulated - emulated groups of a container and their devices
 * @groups: how many groups; under group_lock of vfio.ko's container
 * @access: through which they pin, while there is a group
 * @devices_lock: protects @devices and @nr_devices
 * @devices: of struct vfio_device, by iommu_entry: those that want to know of
 *	unmaps
 * @nr_devices: how many; read without the lock
 */
struct bridge_emulated {
	unsigned int groups;
	struct iommufd_access *access;
	struct mutex devices_lock;
	struct list_head devices;
	unsigned int nr_devices;
};

/**
 * struct bridge_iommu - what stands behind the iommu_data of a container
 * @users: one for the container, one per call under way that may outlive it
 * @ictx: context, with a reference: it may outlive the file of /dev/iommu
 * @stock_node: the container is one of /dev/vfio/vfio
 * @v1: of VFIO_TYPE1_IOMMU
 * @nesting: of VFIO_TYPE1_NESTING_IOMMU
 * @groups: of struct bridge_group; under group_lock of vfio.ko's container
 * @emulated: what groups without an IOMMU need
 * @rcu: a lookup may still read @users
 */
struct bridge_iommu {
	refcount_t users;
	struct iommufd_ctx *ictx;
	bool stock_node;
	bool v1;
	bool nesting;
	struct list_head groups;
	struct bridge_emulated emulated;
	struct rcu_head rcu;
};

/* driver.c */
struct bridge_iommu *bridge_iommu_get(void *data);
void bridge_iommu_put(struct bridge_iommu *iommu);

/* emulated.c */
void bridge_emulated_init(struct bridge_emulated *emulated);
int bridge_emulated_join(struct bridge_iommu *iommu);
void bridge_emulated_leave(struct bridge_iommu *iommu);

int bridge_pin_pages(void *data, struct iommu_group *group, dma_addr_t iova,
		     int npage, int prot, struct page **pages);
void bridge_unpin_pages(void *data, dma_addr_t iova, int npage);
void bridge_register_device(void *data, struct vfio_device *vdev);
void bridge_unregister_device(void *data, struct vfio_device *vdev);
int bridge_dma_rw(void *data, dma_addr_t iova, void *buf, size_t count,
		  bool write);

#endif
