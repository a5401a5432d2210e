// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow container.
 *
 * Each open /dev/iommu owns a hidden file with vfio.ko's container operations:
 * groups join it through the hook, and VFIO_SET_IOMMU on /dev/iommu goes to it
 * under a cookie in place of the type.  vfio.ko hands the cookie to the driver
 * in driver.c, which finds the context by it.
 *
 * A cookie names one call, not a context, and only the task that is in the
 * middle of that call may use it: whoever guesses one on a container of
 * /dev/vfio/vfio gets nothing.
 */
#include "bridge.h"

#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/major.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include <linux/xarray.h>

#include <linux/iommufd.h>

/* Upper half of a cookie: no VFIO extension or IOMMU type is that large. */
#define COOKIE_MAGIC 0x494f4d55UL
/* Lower half: the id of a call; ids begin at 1, so this one names none. */
#define COOKIE_NO_CALL 0

struct bridge_container {
	struct iommufd_ctx *ictx; /* owns the container */
	struct file *shadow;
};

/* Calls under way; its lock is a leaf and orders a reader against xa_erase */
static DEFINE_XARRAY_ALLOC1(bridge_calls);

/* vfio.ko's; it cannot be unloaded while this module is there */
static const struct file_operations *vfio_fops;

static unsigned long make_cookie(u32 call_id)
{
	return COOKIE_MAGIC << 32 | call_id;
}

/*
 * The call of current that @arg names, or NULL.  It stands on current's own
 * stack, so it stays while current looks at it.
 */
const struct bridge_call *bridge_find_call(unsigned long arg)
{
	const struct bridge_call *call;

	if (arg >> 32 != COOKIE_MAGIC)
		return NULL;

	xa_lock(&bridge_calls);
	call = xa_load(&bridge_calls, lower_32_bits(arg));
	if (call && call->task != current)
		call = NULL;
	xa_unlock(&bridge_calls);
	return call;
}

/* Is current in the middle of a call? */
bool bridge_in_call(void)
{
	const struct bridge_call *call;
	unsigned long id;
	bool found = false;

	xa_lock(&bridge_calls);
	xa_for_each(&bridge_calls, id, call)
		found |= call->task == current;
	xa_unlock(&bridge_calls);
	return found;
}

static long shadow_set_iommu(struct bridge_container *container, u32 call_id)
{
	return vfio_fops->unlocked_ioctl(container->shadow, VFIO_SET_IOMMU,
					 make_cookie(call_id));
}

static long bridge_container_set_iommu(void *data, unsigned long type,
				       u32 ioas_id)
{
	struct bridge_container *container = data;
	struct bridge_call call = {
		.task = current,
		.ictx = container->ictx,
		.type = type,
		.ioas_id = ioas_id,
	};
	u32 id;
	long rc;

	rc = xa_alloc(&bridge_calls, &id, &call, xa_limit_32b,
		      GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc;
	rc = shadow_set_iommu(container, id);
	xa_erase(&bridge_calls, id);
	return rc;
}

/*
 * vfio.ko has no question for this.  But with no group, or with an IOMMU set,
 * VFIO_SET_IOMMU is -EINVAL before any driver is asked; else an argument that
 * every driver declines makes it -ENODEV, and changes nothing.
 */
static bool bridge_container_has_group(void *data)
{
	return shadow_set_iommu(data, COOKIE_NO_CALL) == -ENODEV;
}

static struct file *open_shadow(void)
{
	struct file *shadow;
	int rc;

	shadow = anon_inode_getfile("[vfio-shadow]", vfio_fops, NULL, O_RDWR);
	if (IS_ERR(shadow))
		return shadow;

	rc = vfio_fops->open(file_inode(shadow), shadow);
	if (rc) {
		/* vfio.ko's release would look for what open did not make. */
		replace_fops(shadow, &generic_ro_fops);
		fput(shadow);
		return ERR_PTR(rc);
	}
	return shadow;
}

static void *bridge_container_open(struct iommufd_ctx *ictx)
{
	struct bridge_container *container;
	struct file *shadow;

	container = kzalloc(sizeof(*container), GFP_KERNEL_ACCOUNT);
	if (!container)
		return ERR_PTR(-ENOMEM);

	shadow = open_shadow();
	if (IS_ERR(shadow)) {
		kfree(container);
		return ERR_CAST(shadow);
	}
	container->ictx = ictx;
	container->shadow = shadow;
	return container;
}

/*
 * Comes after the file of /dev/iommu and vfio.ko's use of the context are gone.
 * Groups that never got an IOMMU may still be in the container; vfio.ko keeps
 * the container itself, without the shadow, until they leave.
 */
static void bridge_container_release(void *data)
{
	struct bridge_container *container = data;

	fput(container->shadow);
	kfree(container);
}

/* For the hook: takes no lock, does not sleep */
struct file *bridge_shadow_file(struct file *file)
{
	struct bridge_container *container = iommufd_vfio_file_container(file);

	return container ? container->shadow : NULL;
}

const struct iommufd_vfio_container_ops bridge_container_ops = {
	.owner = THIS_MODULE,
	.open = bridge_container_open,
	.release = bridge_container_release,
	.set_iommu = bridge_container_set_iommu,
	.has_group = bridge_container_has_group,
};

static bool looks_like_vfio(const struct file_operations *fops)
{
	return fops->owner && !strcmp(fops->owner->name, "vfio") &&
	       fops->open && fops->release && fops->unlocked_ioctl;
}

static struct file *open_vfio_node(struct vfsmount *mnt)
{
	struct path path = { .mnt = mnt };
	struct inode *inode;
	struct file *node;

	inode = alloc_anon_inode(mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	init_special_inode(inode, S_IFCHR | 0600,
			   MKDEV(MISC_MAJOR, VFIO_MINOR));

	/* Consumes the inode, also when it fails */
	path.dentry = d_obtain_alias(inode);
	if (IS_ERR(path.dentry))
		return ERR_CAST(path.dentry);

	node = dentry_open(&path, O_RDWR, current_cred());
	dput(path.dentry);
	return node;
}

/*
 * Find vfio.ko's container operations by opening its device number.  This goes
 * without a path: /dev may not be there, and /dev/vfio/vfio may be a symlink to
 * /dev/iommu.
 *
 * Both files are closed by a deferred fput(), maybe after this module's memory
 * was freed because its init failed: neither has operations of this module.
 */
int bridge_learn_vfio_fops(void)
{
	struct file *anon, *node;
	int rc = 0;

	/* For its mount, which has no exported name */
	anon = anon_inode_getfile("[vfio-shadow]", &generic_ro_fops, NULL,
				  O_RDONLY);
	if (IS_ERR(anon))
		return PTR_ERR(anon);

	node = open_vfio_node(anon->f_path.mnt);
	if (IS_ERR(node)) {
		rc = PTR_ERR(node);
		pr_err("cannot open vfio.ko's container node: %d\n", rc);
		goto put_anon;
	}
	if (looks_like_vfio(node->f_op)) {
		vfio_fops = node->f_op;
	} else {
		rc = -ENODEV;
		pr_err("char device %d:%d is not vfio.ko's container node\n",
		       MISC_MAJOR, VFIO_MINOR);
	}
	fput(node);
put_anon:
	fput(anon);
	return rc;
}
