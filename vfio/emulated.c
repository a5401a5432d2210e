// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups without an IOMMU, of mdevs and the like: their drivers have vfio.ko pin the
 * pages that a device emulates DMA to, and copy to and from them.
 *
 * All of a container share one access object of iommufd.  Their drivers are told
 * before something is unmapped, and unpin what they have pinned of it.
 */
#include "bridge.h"
#include "emulated.h"

#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/vfio.h>

#include <linux/iommufd.h>

void bridge_emulated_init(struct bridge_emulated *emulated)
{
	mutex_init(&emulated->devices_lock);
	INIT_LIST_HEAD(&emulated->devices);
}

static void tell_devices(void *data, unsigned long iova, unsigned long length)
{
	struct bridge_emulated *emulated = data;
	struct vfio_device *vdev;

	mutex_lock(&emulated->devices_lock);
	list_for_each_entry(vdev, &emulated->devices, iommu_entry)
		vdev->ops->dma_unmap(vdev, iova, length);
	mutex_unlock(&emulated->devices_lock);
}

static const struct iommufd_access_ops access_ops = {
	.needs_pin_pages = true,
	.pins_pages_singly = true,
	.unmap = tell_devices,
};

/* For calls of drivers, which have a device of a group open if there is any */
static struct iommufd_access *get_access(struct bridge_emulated *emulated)
{
	/* Pairs with bridge_emulated_join(). */
	return smp_load_acquire(&emulated->access);
}

/* One more group.  Returns as iommufd_access_attach(). */
int bridge_emulated_join(struct bridge_iommu *iommu)
{
	struct bridge_emulated *emulated = &iommu->emulated;
	struct iommufd_access *access;
	u32 id;
	int rc;

	if (emulated->groups) {
		emulated->groups++;
		return 0;
	}
	access = iommufd_access_create(iommu->ictx, &access_ops, emulated, &id);
	if (IS_ERR(access))
		return PTR_ERR(access);
	rc = iommufd_access_attach(access,
				   iommufd_vfio_container_ioas_id(iommu->ictx));
	if (rc) {
		iommufd_access_destroy(access);
		return rc;
	}
	emulated->groups = 1;
	/* Read by drivers' calls without a lock */
	smp_store_release(&emulated->access, access);
	return 0;
}

/* One less.  vfio.ko lets no group go whose devices are open. */
void bridge_emulated_leave(struct bridge_iommu *iommu)
{
	struct bridge_emulated *emulated = &iommu->emulated;

	if (--emulated->groups)
		return;
	WARN_ON(!list_empty(&emulated->devices));
	iommufd_access_destroy(emulated->access);
	emulated->access = NULL;
}

/* What vfio_iommu_type1 returns in the same case */
static int type1_errno(int rc)
{
	return rc == -ENOENT ? -EINVAL : rc;
}

static int pin_pages(struct bridge_iommu *iommu, dma_addr_t iova, int npage,
		     int prot, struct page **pages)
{
	struct bridge_emulated *emulated = &iommu->emulated;
	struct iommufd_access *access = get_access(emulated);
	int rc;

	if (iommu->v1)
		return -EACCES;
	/*
	 * Who pins has to be told of unmaps.  Not with the lock: its driver may hold
	 * one that it takes when it is told.
	 */
	if (!access || !READ_ONCE(emulated->nr_devices))
		return -EINVAL;

	rc = iommufd_access_pin_pages(access, iova,
				      (unsigned long)npage * PAGE_SIZE, pages,
				      prot & IOMMU_WRITE ?
					      IOMMUFD_ACCESS_RW_WRITE :
					      IOMMUFD_ACCESS_RW_READ);
	return rc ? type1_errno(rc) : npage;
}

/* Returns how many were pinned: all, or an error. */
int bridge_pin_pages(void *data, struct iommu_group *group, dma_addr_t iova,
		     int npage, int prot, struct page **pages)
{
	struct bridge_iommu *iommu = bridge_iommu_get(data);
	int rc;

	if (!iommu)
		return -EINVAL;
	rc = pin_pages(iommu, iova, npage, prot, pages);
	bridge_iommu_put(iommu);
	return rc;
}

void bridge_unpin_pages(void *data, dma_addr_t iova, int npage)
{
	struct bridge_iommu *iommu = bridge_iommu_get(data);
	struct iommufd_access *access;

	if (WARN_ON(!iommu))
		return;
	access = get_access(&iommu->emulated);
	if (!WARN_ON(!access))
		iommufd_access_unpin_pages(access, iova,
					   (unsigned long)npage * PAGE_SIZE);
	bridge_iommu_put(iommu);
}

int bridge_dma_rw(void *data, dma_addr_t iova, void *buf, size_t count,
		  bool write)
{
	struct bridge_iommu *iommu = bridge_iommu_get(data);
	struct iommufd_access *access;
	int rc = -EINVAL;

	if (!iommu)
		return -EINVAL;
	access = get_access(&iommu->emulated);
	if (access)
		rc = iommufd_access_rw(access, iova, buf, count,
				       write ? IOMMUFD_ACCESS_RW_WRITE :
					       IOMMUFD_ACCESS_RW_READ);
	bridge_iommu_put(iommu);
	return type1_errno(rc);
}

/* A device was opened.  Its iommu_entry is there for the IOMMU driver. */
void bridge_register_device(void *data, struct vfio_device *vdev)
{
	struct bridge_iommu *iommu;

	if (!vdev->ops->dma_unmap)
		return;
	iommu = bridge_iommu_get(data);
	if (WARN_ON(!iommu))
		return;
	mutex_lock(&iommu->emulated.devices_lock);
	list_add(&vdev->iommu_entry, &iommu->emulated.devices);
	WRITE_ONCE(iommu->emulated.nr_devices, iommu->emulated.nr_devices + 1);
	mutex_unlock(&iommu->emulated.devices_lock);
	bridge_iommu_put(iommu);
}

/* It is being closed. */
void bridge_unregister_device(void *data, struct vfio_device *vdev)
{
	struct bridge_iommu *iommu;

	if (!vdev->ops->dma_unmap)
		return;
	iommu = bridge_iommu_get(data);
	if (WARN_ON(!iommu))
		return;
	mutex_lock(&iommu->emulated.devices_lock);
	list_del(&vdev->iommu_entry);
	WRITE_ONCE(iommu->emulated.nr_devices, iommu->emulated.nr_devices - 1);
	mutex_unlock(&iommu->emulated.devices_lock);
	bridge_iommu_put(iommu);
}
