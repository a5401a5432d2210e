// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel as a user of an address space: what a device without DMA of its
 * own (an mdev, say) uses in its place.
 */
#include <linux/module.h>

#include "access.h"

static void access_unmap(struct iopt_access *node, unsigned long iova,
			 unsigned long length)
{
	struct iommufd_access *access =
		container_of(node, struct access_node, iopt)->access;

	if (access->ops->unmap)
		access->ops->unmap(access->data, iova, length);
}

static struct iopt_access *current_node(struct iommufd_access *access)
{
	return &access->nodes[access->current_node].iopt;
}

static void access_leave(struct iommufd_access *access)
{
	struct iommufd_ioas *ioas;

	mutex_lock(&access->attach_lock);
	down_write(&access->rwsem);
	ioas = access->ioas;
	access->ioas = NULL;
	up_write(&access->rwsem);
	if (ioas) {
		iopt_remove_access(&ioas->iopt, current_node(access));
		iommufd_object_release(&ioas->obj);
	}
	mutex_unlock(&access->attach_lock);
}

static void access_destroy(struct iommufd_object *obj)
{
	struct iommufd_access *access =
		container_of(obj, struct iommufd_access, obj);

	access_leave(access);
	mutex_destroy(&access->attach_lock);
}

static const struct iommufd_object_ops access_ops = {
	.type = IOMMUFD_OBJ_ACCESS,
	.destroy = access_destroy,
};

struct iommufd_access *
iommufd_access_create(struct iommufd_ctx *ictx,
		      const struct iommufd_access_ops *ops, void *data, u32 *id)
{
	struct iommufd_access *access;
	struct iommufd_object *obj;
	unsigned int i;

	obj = iommufd_object_alloc(ictx, sizeof(*access), &access_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	access = container_of(obj, struct iommufd_access, obj);
	access->ops = ops;
	access->data = data;
	for (i = 0; i != ARRAY_SIZE(access->nodes); i++) {
		access->nodes[i].access = access;
		access->nodes[i].iopt.pins = ops->needs_pin_pages;
		access->nodes[i].iopt.unmap = access_unmap;
	}
	mutex_init(&access->attach_lock);
	init_rwsem(&access->rwsem);
	iommufd_ctx_get(ictx);
	*id = obj->id;
	iommufd_object_publish(obj);
	return access;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_create, IOMMUFD);

void iommufd_access_destroy(struct iommufd_access *access)
{
	struct iommufd_ctx *ictx = access->obj.ictx;

	iommufd_access_detach(access);
	iommufd_object_remove(&access->obj);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_destroy, IOMMUFD);

int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id)
{
	struct iommufd_ioas *ioas;
	int rc = 0;

	ioas = iommufd_ioas_find(access->obj.ictx, ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	mutex_lock(&access->attach_lock);
	if (access->ioas) {
		rc = -EINVAL;
	} else {
		rc = iopt_add_access(&ioas->iopt, current_node(access));
		if (rc)
			goto out_unlock;
		iommufd_object_hold(&ioas->obj);
		down_write(&access->rwsem);
		access->ioas = ioas;
		up_write(&access->rwsem);
	}
out_unlock:
	mutex_unlock(&access->attach_lock);
	iommufd_object_done(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_attach, IOMMUFD);

void iommufd_access_detach(struct iommufd_access *access)
{
	/* The user unpins through this access, so it must still be attached. */
	if (READ_ONCE(access->ioas))
		access_unmap(current_node(access), 0, ULONG_MAX);
	access_leave(access);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_detach, IOMMUFD);

/*
 * The user is a member of both for a moment, so that it can go on with the old
 * one if the new one does not take it.
 */
static int access_move(struct iommufd_access *access, struct iommufd_ioas *ioas)
{
	struct iommufd_ioas *old = access->ioas;
	unsigned int next = !access->current_node;
	int rc;

	lockdep_assert_held(&access->attach_lock);

	rc = iopt_add_access(&ioas->iopt, &access->nodes[next].iopt);
	if (rc)
		return rc;
	iommufd_object_hold(&ioas->obj);
	/* The user unpins through this access, so it must still be attached. */
	if (old)
		access_unmap(current_node(access), 0, ULONG_MAX);
	down_write(&access->rwsem);
	access->ioas = ioas;
	up_write(&access->rwsem);
	if (old) {
		iopt_remove_access(&old->iopt, current_node(access));
		iommufd_object_release(&old->obj);
	}
	access->current_node = next;
	return 0;
}

int iommufd_access_replace(struct iommufd_access *access, u32 ioas_id)
{
	struct iommufd_ioas *ioas;
	int rc = 0;

	ioas = iommufd_ioas_find(access->obj.ictx, ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	mutex_lock(&access->attach_lock);
	if (access->ioas != ioas)
		rc = access_move(access, ioas);
	mutex_unlock(&access->attach_lock);
	iommufd_object_done(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_replace, IOMMUFD);

int iommufd_access_pin_pages(struct iommufd_access *access, unsigned long iova,
			     unsigned long length, struct page **out_pages,
			     unsigned int flags)
{
	bool singly = access->ops->pins_pages_singly;
	bool write = flags & IOMMUFD_ACCESS_RW_WRITE;
	int rc = -ENOENT;

	if (flags & ~IOMMUFD_ACCESS_RW_WRITE || !access->ops->needs_pin_pages ||
	    (singly && (!length || !PAGE_ALIGNED(iova | length))))
		return -EINVAL;

	down_read(&access->rwsem);
	if (access->ioas && singly)
		rc = iopt_page_pins_pin(&access->ioas->iopt, iova,
					length / PAGE_SIZE, out_pages, write);
	else if (access->ioas)
		rc = iopt_access_pin(&access->ioas->iopt, iova, length,
				     out_pages, write);
	up_read(&access->rwsem);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_pin_pages, IOMMUFD);

void iommufd_access_unpin_pages(struct iommufd_access *access,
				unsigned long iova, unsigned long length)
{
	down_read(&access->rwsem);
	if (WARN_ON(!access->ioas || !length))
		goto out_unlock;
	if (access->ops->pins_pages_singly)
		iopt_page_pins_unpin(&access->ioas->iopt, iova,
				     length / PAGE_SIZE);
	else
		iopt_access_unpin(&access->ioas->iopt, iova, length);
out_unlock:
	up_read(&access->rwsem);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_unpin_pages, IOMMUFD);

int iommufd_access_rw(struct iommufd_access *access, unsigned long iova,
		      void *data, size_t length, unsigned int flags)
{
	int rc = -ENOENT;

	if (flags & ~IOMMUFD_ACCESS_RW_WRITE)
		return -EINVAL;

	down_read(&access->rwsem);
	if (access->ioas)
		rc = iopt_access_rw(&access->ioas->iopt, iova, data, length,
				    flags & IOMMUFD_ACCESS_RW_WRITE);
	up_read(&access->rwsem);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_rw, IOMMUFD);
