// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOMMU driver that vfio.ko sees beside vfio_iommu_type1.
 *
 * It gets containers in two ways: by the cookie of a VFIO_SET_IOMMU on
 * /dev/iommu (container.c), and, when the administrator said so, containers of
 * the stock node /dev/vfio/vfio.  For the latter it makes a context that no
 * file descriptor shows.
 *
 * vfio.ko reads a container's iommu_data without a lock before it calls ioctl:
 * the container may have left this driver by then.  So iommu_data is an id, and
 * no id is ever used twice.
 *
 * vfio.ko holds the container's group_lock for writing around open, release,
 * attach_group and detach_group (and iommu_drivers_lock around all of them
 * during VFIO_SET_IOMMU).  ioctl comes under group_lock for reading, or under
 * no lock at all.
 *
 * The operations for devices without DMA of their own are in emulated.c.  Two stay
 * NULL: vfio.ko checks notify before it calls it, and nobody calls
 * group_iommu_domain at all.
 */
#include "bridge.h"
#include "emulated.h"
#include "vfio_abi.h"

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include <linux/xarray.h>

#include <linux/iommufd.h>

struct bridge_group {
	struct list_head node;
	struct iommu_group *group; /* vfio.ko holds it while it is attached */
	struct iommufd_vfio_group *attached; /* NULL: emulated */
};

/* By id.  Its lock is a leaf; lookups are under RCU. */
static DEFINE_XARRAY(bridge_iommus);
static atomic_long_t bridge_last_id = ATOMIC_LONG_INIT(0);

/* Written once, when module init can no longer fail */
static bool stock_node_served;

static void *id_to_data(unsigned long id)
{
	return (void *)id;
}

static unsigned long data_to_id(void *data)
{
	return (unsigned long)data;
}

void bridge_iommu_put(struct bridge_iommu *iommu)
{
	if (!refcount_dec_and_test(&iommu->users))
		return;
	iommufd_ctx_put(iommu->ictx);
	kfree_rcu(iommu, rcu);
	module_put(THIS_MODULE);
}

/* For what may come when the container has left */
struct bridge_iommu *bridge_iommu_get(void *data)
{
	struct bridge_iommu *iommu;

	rcu_read_lock();
	iommu = xa_load(&bridge_iommus, data_to_id(data));
	if (iommu && !refcount_inc_not_zero(&iommu->users))
		iommu = NULL;
	rcu_read_unlock();
	return iommu;
}

static void *bridge_iommu_create(struct iommufd_ctx *ictx, unsigned long type,
				 u32 ioas_id, bool stock_node)
{
	unsigned long id = atomic_long_inc_return(&bridge_last_id);
	struct bridge_iommu *iommu;
	int rc;

	iommu = kzalloc(sizeof(*iommu), GFP_KERNEL_ACCOUNT);
	if (!iommu)
		return ERR_PTR(-ENOMEM);
	refcount_set(&iommu->users, 1);
	iommu->ictx = ictx;
	iommu->stock_node = stock_node;
	iommu->v1 = type == VFIO_TYPE1_IOMMU;
	iommu->nesting = type == VFIO_TYPE1_NESTING_IOMMU;
	INIT_LIST_HEAD(&iommu->groups);
	bridge_emulated_init(&iommu->emulated);

	rc = xa_insert(&bridge_iommus, id, iommu, GFP_KERNEL_ACCOUNT);
	if (rc)
		goto free_iommu;
	/* Nobody knows the id before vfio.ko has it: this may fail after it. */
	rc = iommufd_vfio_container_set(ictx, type, ioas_id);
	if (rc)
		goto erase_id;

	iommufd_ctx_get(ictx);
	/*
	 * vfio.ko's reference on the module ends with the container, which an
	 * ioctl under way may outlive.
	 */
	__module_get(THIS_MODULE);
	return id_to_data(id);

erase_id:
	xa_erase(&bridge_iommus, id);
free_iommu:
	kfree_rcu(iommu, rcu);
	return ERR_PTR(rc);
}

static void *open_stock_node(unsigned long type)
{
	struct iommufd_ctx *ictx;
	void *data;

	/* Other numbers that CHECK_EXTENSION knows are no IOMMU types. */
	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU &&
	    type != VFIO_TYPE1_NESTING_IOMMU)
		return ERR_PTR(-EINVAL);

	ictx = iommufd_ctx_create();
	if (IS_ERR(ictx)) {
		data = ERR_CAST(ictx);
	} else {
		data = bridge_iommu_create(ictx, type, 0, true);
		iommufd_ctx_put(ictx);
	}
	if (IS_ERR(data))
		pr_warn_ratelimited("no context for a container of /dev/vfio/vfio: %ld; vfio.ko now tries its next IOMMU driver\n",
				    PTR_ERR(data));
	return data;
}

static void *bridge_driver_open(unsigned long arg)
{
	const struct bridge_call *call = bridge_find_call(arg);

	if (call)
		return bridge_iommu_create(call->ictx, call->type,
					   call->ioas_id, false);
	if (READ_ONCE(stock_node_served))
		return open_stock_node(arg);
	return ERR_PTR(-EINVAL);
}

static void bridge_driver_release(void *data)
{
	struct bridge_iommu *iommu =
		xa_erase(&bridge_iommus, data_to_id(data));

	if (WARN_ON(!iommu))
		return;
	WARN_ON(!list_empty(&iommu->groups));
	/* In the middle of VFIO_SET_IOMMU this is vfio.ko's error path. */
	iommufd_vfio_container_unset(iommu->ictx, bridge_in_call());
	bridge_iommu_put(iommu);
}

static long check_extension(unsigned long arg)
{
	if (bridge_find_call(arg))
		return 1;
	if (READ_ONCE(stock_node_served))
		return iommufd_vfio_container_ioctl(NULL, VFIO_CHECK_EXTENSION,
						    arg);
	return 0;
}

static long bridge_driver_ioctl(void *data, unsigned int cmd, unsigned long arg)
{
	struct bridge_iommu *iommu;
	long rc;

	/* No container yet: vfio.ko polls its drivers. */
	if (!data)
		return cmd == VFIO_CHECK_EXTENSION ? check_extension(arg) :
						     -ENOTTY;

	iommu = bridge_iommu_get(data);
	/* What vfio.ko says for a container whose last group has left */
	if (!iommu)
		return -EINVAL;
	rc = iommufd_vfio_container_ioctl(iommu->ictx, cmd, arg);
	bridge_iommu_put(iommu);
	return rc;
}

static struct bridge_group *find_group(struct bridge_iommu *iommu,
				       struct iommu_group *group)
{
	struct bridge_group *bgroup;

	list_for_each_entry(bgroup, &iommu->groups, node)
		if (bgroup->group == group)
			return bgroup;
	return NULL;
}

/* What vfio_iommu_type1 returns in the same case */
static int type1_errno(int rc)
{
	switch (rc) {
	case -EADDRINUSE: /* reserved IOVAs in use */
	case -ENOENT: /* the IOAS was destroyed by its id */
		return -EINVAL;
	case -ENODEV: /* no domain to be had */
		return -EIO;
	default:
		return rc;
	}
}

static int attach_devices(struct bridge_iommu *iommu,
			  struct bridge_group *bgroup)
{
	struct iommufd_vfio_group *attached;

	attached = iommufd_vfio_group_attach(iommu->ictx, bgroup->group);
	if (IS_ERR(attached))
		return PTR_ERR(attached);
	bgroup->attached = attached;
	return 0;
}

static int attach_group(struct bridge_iommu *iommu, struct iommu_group *group,
			enum vfio_group_type type)
{
	struct bridge_group *bgroup;
	int rc;

	if (type != VFIO_IOMMU && type != VFIO_EMULATED_IOMMU)
		return -EOPNOTSUPP;
	/* What has no IOMMU has no second stage. */
	if (type == VFIO_EMULATED_IOMMU && iommu->nesting)
		return -EOPNOTSUPP;
	if (find_group(iommu, group))
		return -EINVAL;

	bgroup = kzalloc(sizeof(*bgroup), GFP_KERNEL_ACCOUNT);
	if (!bgroup)
		return -ENOMEM;
	bgroup->group = group;
	if (type == VFIO_IOMMU)
		rc = attach_devices(iommu, bgroup);
	else
		rc = bridge_emulated_join(iommu);
	if (rc) {
		kfree(bgroup);
		return type1_errno(rc);
	}
	list_add(&bgroup->node, &iommu->groups);
	return 0;
}

static int bridge_driver_attach_group(void *data, struct iommu_group *group,
				      enum vfio_group_type type)
{
	/* Not released before this returns: the caller has group_lock. */
	struct bridge_iommu *iommu = xa_load(&bridge_iommus, data_to_id(data));
	int rc;

	if (WARN_ON(!iommu))
		return -EINVAL;

	rc = attach_group(iommu, group, type);
	/* On /dev/iommu no other driver takes the container: the errno says it. */
	if (rc && iommu->stock_node)
		pr_warn_ratelimited("group %d not attached: %d; vfio.ko may serve its container by its next IOMMU driver\n",
				    iommu_group_id(group), rc);
	return rc;
}

static void bridge_driver_detach_group(void *data, struct iommu_group *group)
{
	struct bridge_iommu *iommu = xa_load(&bridge_iommus, data_to_id(data));
	struct bridge_group *bgroup;

	if (WARN_ON(!iommu))
		return;
	bgroup = find_group(iommu, group);
	if (WARN_ON(!bgroup))
		return;

	list_del(&bgroup->node);
	if (bgroup->attached)
		iommufd_vfio_group_detach(bgroup->attached);
	else
		bridge_emulated_leave(iommu);
	kfree(bgroup);
}

static const struct vfio_iommu_driver_ops bridge_driver_ops = {
	.name = KBUILD_MODNAME,
	.owner = THIS_MODULE,
	.open = bridge_driver_open,
	.release = bridge_driver_release,
	.ioctl = bridge_driver_ioctl,
	.attach_group = bridge_driver_attach_group,
	.detach_group = bridge_driver_detach_group,
	.pin_pages = bridge_pin_pages,
	.unpin_pages = bridge_unpin_pages,
	.register_device = bridge_register_device,
	.unregister_device = bridge_unregister_device,
	.dma_rw = bridge_dma_rw,
};

/* Declines every container until one of the two ways in is opened */
int bridge_driver_register(void)
{
	return vfio_register_iommu_driver(&bridge_driver_ops);
}

/* From now on a task may be in the driver at any time: init must not fail. */
void bridge_driver_serve_stock_node(void)
{
	WRITE_ONCE(stock_node_served, true);
}

void bridge_driver_unregister(void)
{
	vfio_unregister_iommu_driver(&bridge_driver_ops);
	WARN_ON(!xa_empty(&bridge_iommus));
}
