// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1's container ioctls, on an IO address space of iommufd.
 *
 * Two kinds of programs come here.  One has VFIO groups in the container that
 * stands behind the file (or behind vfio.ko's own node); it gets the answers
 * of stock type1 of 6.1, to the errno.  The other is a program without groups
 * that mixes VFIO ioctls with native ones, as Linux's own selftests do; it gets
 * the answers of mainline iommufd.  struct compat says which one is calling.
 */
#include <linux/capability.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <uapi/linux/iommu_nesting.h>
#include <uapi/linux/iommufd.h>
#include <uapi/linux/vfio.h>

#include "hwpt.h"
#include "vfio_compat.h"
#include "vfio_dirty.h"
#include "vfio_nesting.h"

/* What stock type1 reports of its default limit; said when there is none. */
#define NO_LIMIT_AVAIL U16_MAX

unsigned int iommufd_dma_entry_limit = 1 << 20;

/* ------------------------------------------------------------------ */
/* The bridge to vfio.ko */

static DEFINE_MUTEX(container_ops_lock);
static const struct iommufd_vfio_container_ops *container_ops;

int iommufd_vfio_register_container_ops(
	const struct iommufd_vfio_container_ops *ops)
{
	int rc = 0;

	mutex_lock(&container_ops_lock);
	if (container_ops)
		rc = -EBUSY;
	else
		container_ops = ops;
	mutex_unlock(&container_ops_lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_register_container_ops, IOMMUFD_VFIO);

void iommufd_vfio_unregister_container_ops(
	const struct iommufd_vfio_container_ops *ops)
{
	mutex_lock(&container_ops_lock);
	if (!WARN_ON(container_ops != ops))
		container_ops = NULL;
	mutex_unlock(&container_ops_lock);
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_unregister_container_ops, IOMMUFD_VFIO);

/**
 * iommufd_vfio_open() - Get the VFIO container of a context, if there can be one
 * @ictx: context that a file descriptor shows
 *
 * Return: 0, also without a bridge, or the bridge's error.
 */
int iommufd_vfio_open(struct iommufd_ctx *ictx)
{
	void *container;
	int rc = 0;

	if (READ_ONCE(ictx->container) || !READ_ONCE(container_ops))
		return 0;

	mutex_lock(&container_ops_lock);
	if (!ictx->container && container_ops &&
	    try_module_get(container_ops->owner)) {
		container = container_ops->open(ictx);
		if (IS_ERR(container)) {
			module_put(container_ops->owner);
			rc = PTR_ERR(container);
		} else {
			ictx->container_ops = container_ops;
			/* Read by the bridge's hook without a lock. */
			smp_store_release(&ictx->container, container);
		}
	}
	mutex_unlock(&container_ops_lock);
	return rc;
}

/** iommufd_vfio_release() - Undo iommufd_vfio_open() */
void iommufd_vfio_release(struct iommufd_ctx *ictx)
{
	if (!ictx->container)
		return;
	ictx->container_ops->release(ictx->container);
	module_put(ictx->container_ops->owner);
}

/* A group is in the container, and waits for SET_IOMMU. */
static bool container_has_group(struct iommufd_ctx *ictx)
{
	/* Pairs with iommufd_vfio_open(). */
	void *container = smp_load_acquire(&ictx->container);

	return container && ictx->container_ops->has_group(container);
}

/*
 * A container that has a group and no IOMMU, or that the last group has left:
 * vfio.ko looks at no argument then.
 */
static bool container_without_iommu(struct iommufd_ctx *ictx)
{
	switch (READ_ONCE(ictx->vfio_mode)) {
	case IOMMUFD_VFIO_LEFT:
		return true;
	case IOMMUFD_VFIO_NATIVE:
		return container_has_group(ictx);
	default:
		return false;
	}
}

/* ------------------------------------------------------------------ */
/* Which IOAS, and who is calling */

/**
 * struct compat - an ioctl of VFIO's at work
 * @ioas: the compatibility IOAS, in use
 * @group: a container with VFIO groups: answer as stock type1
 * @v1: with @group: as type1 v1, else as v2
 * @nesting: for GET_INFO, with @group: it translates in two stages
 * @left: iommufd_ctx.vfio_left when the ioctl began
 */
struct compat {
	struct iommufd_ioas *ioas;
	bool group;
	bool v1;
	bool nesting;
	unsigned int left;
};

/*
 * The compatibility IOAS in use, or NULL.  One whose destruction is being tried
 * counts as gone; if that turns out to be EBUSY, the caller was early.
 */
static struct iommufd_ioas *compat_ioas_use(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas = ictx->vfio_ioas;

	lockdep_assert_held(&ictx->objects.xa_lock);

	if (!ioas || ioas->obj.dying)
		return NULL;
	iommufd_object_use(&ioas->obj);
	return ioas;
}

static __always_inline int compat_begin(struct iommufd_ctx *ictx, struct compat *compat)
{
	int rc = 0;

	xa_lock(&ictx->objects);
	compat->group = ictx->vfio_mode == IOMMUFD_VFIO_GROUP;
	compat->v1 = ictx->vfio_type == VFIO_TYPE1_IOMMU;
	compat->left = ictx->vfio_left;
	if (ictx->vfio_mode == IOMMUFD_VFIO_LEFT) {
		rc = -EINVAL;
	} else {
		compat->ioas = compat_ioas_use(ictx);
		if (!compat->ioas)
			rc = -ENODEV;
	}
	xa_unlock(&ictx->objects);
	return rc;
}

static void compat_end(struct compat *compat)
{
	iommufd_object_done(&compat->ioas->obj);
}

/*
 * The compatibility IOAS, made if there is none, which @made then says.  In use
 * when this returns.
 */
static struct iommufd_ioas *compat_ioas_get(struct iommufd_ctx *ictx,
					    bool *made)
{
	struct iommufd_ioas *ioas, *fresh;

	*made = false;
	xa_lock(&ictx->objects);
	ioas = compat_ioas_use(ictx);
	xa_unlock(&ictx->objects);
	if (ioas)
		return ioas;

	fresh = iommufd_ioas_alloc(ictx);
	if (IS_ERR(fresh))
		return fresh;

	/*
	 * Ids can be guessed: it is published, used and pointed to in one step,
	 * or another thread could destroy it in between.
	 */
	xa_lock(&ictx->objects);
	ioas = compat_ioas_use(ictx);
	if (!ioas) {
		iommufd_object_publish_locked(&fresh->obj);
		ictx->vfio_ioas = fresh;
		ioas = compat_ioas_use(ictx);
		fresh = NULL;
		*made = true;
	}
	xa_unlock(&ictx->objects);

	if (fresh)
		iommufd_ioas_abort(fresh);
	return ioas;
}

int iommufd_vfio_compat_ioas_id(struct iommufd_ctx *ictx, u32 *out_ioas_id)
{
	struct iommufd_ioas *ioas;
	bool made;

	ioas = compat_ioas_get(ictx, &made);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	*out_ioas_id = ioas->obj.id;
	iommufd_object_done(&ioas->obj);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_ioas_id, IOMMUFD_VFIO);

static int vfio_ioas_get(struct iommufd_ctx *ictx, u32 *id)
{
	struct iommufd_ioas *ioas;
	int rc = 0;

	xa_lock(&ictx->objects);
	ioas = ictx->vfio_ioas;
	if (!ioas || ioas->obj.dying)
		rc = -ENODEV;
	else
		*id = ioas->obj.id;
	xa_unlock(&ictx->objects);
	return rc;
}

static void vfio_ioas_set(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas)
{
	xa_lock(&ictx->objects);
	ictx->vfio_ioas = ioas;
	/* Who sets an IOAS by hand means to use it without groups, too. */
	if (ictx->vfio_mode == IOMMUFD_VFIO_LEFT)
		WRITE_ONCE(ictx->vfio_mode, IOMMUFD_VFIO_NATIVE);
	xa_unlock(&ictx->objects);
}

int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd)
{
	struct iommu_vfio_ioas *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	switch (cmd->op) {
	case IOMMU_VFIO_IOAS_GET:
		rc = vfio_ioas_get(ucmd->ictx, &cmd->ioas_id);
		return rc ? rc : iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	case IOMMU_VFIO_IOAS_SET:
		ioas = iommufd_ioas_find(ucmd->ictx, cmd->ioas_id);
		if (IS_ERR(ioas))
			return PTR_ERR(ioas);
		vfio_ioas_set(ucmd->ictx, ioas);
		iommufd_object_done(&ioas->obj);
		return 0;
	case IOMMU_VFIO_IOAS_CLEAR:
		vfio_ioas_set(ucmd->ictx, NULL);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * The IOAS that set_iommu_of_groups() has in use, so that it is there even if
 * another thread tries to destroy it.
 */
static struct iommufd_ioas *pinned_ioas_get(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (!WARN_ON(!obj || obj->ops->type != IOMMUFD_OBJ_IOAS))
		iommufd_object_use(obj);
	else
		obj = ERR_PTR(-ENOENT);
	xa_unlock(&ictx->objects);
	return IS_ERR(obj) ? ERR_CAST(obj) :
			     container_of(obj, struct iommufd_ioas, obj);
}

/* May a container be of that type? */
static bool type_is_known(unsigned long type)
{
	switch (type) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
		return true;
	case VFIO_TYPE1_NESTING_IOMMU:
		return READ_ONCE(iommufd_nesting);
	default:
		return false;
	}
}

/* All of iommufd_vfio_container_set() that others can see */
static int container_set(struct iommufd_ctx *ictx, unsigned long type,
			 struct iommufd_ioas *ioas,
			 struct iommufd_nesting *nesting, bool stock_node)
{
	int rc = 0;

	xa_lock(&ictx->objects);
	if (ictx->vfio_mode == IOMMUFD_VFIO_GROUP) {
		rc = -EBUSY;
	} else {
		ictx->vfio_mode_before = ictx->vfio_mode;
		WRITE_ONCE(ictx->vfio_mode, IOMMUFD_VFIO_GROUP);
		ictx->vfio_type = type;
		ictx->vfio_container_ioas = ioas;
		ictx->nesting = nesting;
		/* vfio.ko lets none in on its own node before it is done. */
		ictx->nesting_ready = stock_node;
		iommufd_object_hold_locked(&ioas->obj);
	}
	xa_unlock(&ictx->objects);
	return rc;
}

int iommufd_vfio_container_set(struct iommufd_ctx *ictx, unsigned long type,
			       u32 ioas_id)
{
	struct iommufd_nesting *nesting = NULL;
	struct iommufd_ioas *ioas;
	bool made;
	int rc;

	if (!type_is_known(type))
		return -EINVAL;

	/* A container of the stock node brings none; it goes as a whole. */
	if (ioas_id)
		ioas = pinned_ioas_get(ictx, ioas_id);
	else
		ioas = compat_ioas_get(ictx, &made);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	if (type == VFIO_TYPE1_NESTING_IOMMU)
		nesting = vfio_nesting_create(ictx);
	if (IS_ERR(nesting)) {
		rc = PTR_ERR(nesting);
	} else {
		rc = container_set(ictx, type, ioas, nesting, !ioas_id);
		if (rc && nesting)
			vfio_nesting_destroy(nesting);
	}
	iommufd_object_done(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_container_set, IOMMUFD_VFIO);

static bool ioas_has_users(struct iommufd_ioas *ioas)
{
	bool used;

	mutex_lock(&ioas->mutex);
	used = !list_empty(&ioas->hwpts);
	mutex_unlock(&ioas->mutex);
	if (used)
		return true;

	down_read(&ioas->iopt.access_rwsem);
	used = !list_empty(&ioas->iopt.accesses);
	up_read(&ioas->iopt.access_rwsem);
	return used;
}

void iommufd_vfio_container_unset(struct iommufd_ctx *ictx, bool failed)
{
	struct iommufd_nesting *nesting;
	struct iommufd_ioas *ioas;
	unsigned long unmapped;

	xa_lock(&ictx->objects);
	ioas = ictx->vfio_container_ioas;
	ictx->vfio_container_ioas = NULL;
	nesting = ictx->nesting;
	ictx->nesting = NULL;
	WRITE_ONCE(ictx->vfio_mode,
		   failed ? ictx->vfio_mode_before : IOMMUFD_VFIO_LEFT);
	ictx->vfio_left += !failed;
	xa_unlock(&ictx->objects);

	if (nesting)
		vfio_nesting_destroy(nesting);
	/*
	 * What stays mapped if this process is being killed while another
	 * thread maps goes with the IOAS.
	 */
	iopt_track_dirty(&ioas->iopt, false);
	if (!failed && !ioas_has_users(ioas))
		iopt_unmap(&ioas->iopt, 0, ULONG_MAX, IOPT_UNMAP_COMPAT,
			   &unmapped);
	iommufd_object_release(&ioas->obj);
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_container_unset, IOMMUFD_VFIO);

u32 iommufd_vfio_container_ioas_id(struct iommufd_ctx *ictx)
{
	return READ_ONCE(ictx->vfio_container_ioas)->obj.id;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_container_ioas_id, IOMMUFD_VFIO);

/* ------------------------------------------------------------------ */
/* The ioctls */

/*
 * Type1 knows nothing smaller than a CPU page, whatever is attached or not, and
 * has one errno for all that is wrong with the numbers.
 */
static int check_range(unsigned long iova, unsigned long size)
{
	unsigned long last;

	if (!size || !PAGE_ALIGNED(iova | size) ||
	    check_add_overflow(iova, size - 1, &last))
		return -EINVAL;
	return 0;
}

/* Is some IOMMU there?  @coherent: out: each enforces cache coherency */
static bool has_iommu(struct iommufd_ioas *ioas, bool *coherent)
{
	struct iommufd_hwpt *hwpt;
	bool any = false;

	*coherent = true;
	mutex_lock(&ioas->mutex);
	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		if (!hwpt->groups)
			continue;
		any = true;
		*coherent &= hwpt->enforce_cache_coherency;
	}
	mutex_unlock(&ioas->mutex);
	return any;
}

/*
 * The answer is for those who attached groups (KVM asks through a group), so it
 * is about the IOAS that they are attached to.
 */
static noinline_for_stack long check_dma_cc(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas;
	bool group, any, coherent;

	xa_lock(&ictx->objects);
	ioas = ictx->vfio_container_ioas;
	group = ioas;
	if (ioas)
		iommufd_object_use(&ioas->obj);
	else
		ioas = compat_ioas_use(ictx);
	xa_unlock(&ictx->objects);
	if (!ioas)
		return 0;
	any = has_iommu(ioas, &coherent);
	iommufd_object_done(&ioas->obj);
	/* Groups without an IOMMU have nothing that is not. */
	return coherent && (any || group);
}

/* An extension that is not known is 0, never an error. */
static long check_extension(struct iommufd_ctx *ictx, unsigned long arg)
{
	switch (arg) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_TYPE1_NESTING_IOMMU:
		return type_is_known(arg);
	case VFIO_DMA_CC_IOMMU:
		return ictx ? check_dma_cc(ictx) : 0;
	default:
		return 0;
	}
}

static bool ioas_untouched(struct iommufd_object *obj)
{
	struct iommufd_ioas *ioas = container_of(obj, struct iommufd_ioas, obj);
	struct io_pagetable *iopt = &ioas->iopt;
	bool untouched;

	down_read(&iopt->iova_rwsem);
	untouched = RB_EMPTY_ROOT(&iopt->areas.rb_root) &&
		    RB_EMPTY_ROOT(&iopt->allowed.rb_root);
	up_read(&iopt->iova_rwsem);
	return untouched;
}

/*
 * vfio.ko holds a lock of the whole module while it attaches groups.  What is
 * mapped already is pinned before, so that nobody waits for our memory there;
 * and groups attach to just the IOAS that was pinned, whatever the compatibility
 * IOAS has become meanwhile.
 */
static long set_iommu_of_groups(struct iommufd_ctx *ictx, unsigned long type)
{
	struct iopt_area *pinned;
	struct iommufd_ioas *ioas;
	bool made;
	long rc;

	ioas = compat_ioas_get(ictx, &made);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iopt_pin_all(&ioas->iopt, &pinned);
	if (!rc) {
		rc = ictx->container_ops->set_iommu(ictx->container, type,
						    ioas->obj.id);
		iopt_unpin_all(&ioas->iopt, pinned);
	}
	if (!rc) {
		xa_lock(&ictx->objects);
		ictx->nesting_ready = true;
		xa_unlock(&ictx->objects);
	}
	if (rc && made)
		iommufd_object_undo(&ioas->obj, ioas_untouched);
	else
		iommufd_object_done(&ioas->obj);
	return rc;
}

static noinline_for_stack long set_iommu(struct iommufd_ctx *ictx, unsigned long type)
{
	struct compat compat;
	int rc;

	if (!type_is_known(type))
		return -EINVAL;
	if (container_has_group(ictx))
		return set_iommu_of_groups(ictx, type);

	rc = compat_begin(ictx, &compat);
	if (rc)
		return rc;
	/* Two stages are for groups. */
	if (compat.group || type == VFIO_TYPE1_NESTING_IOMMU)
		rc = -EINVAL;
	else if (type == VFIO_TYPE1_IOMMU)
		/* v1 unmaps cut mappings, and IO pages cannot be cut. */
		rc = iopt_disable_large_pages(&compat.ioas->iopt);
	compat_end(&compat);
	return rc;
}

/*
 * The last group may have left, and taken along what was mapped, while this
 * mapping was being made: it has to go as well.
 */
static int map_check_left(struct iommufd_ctx *ictx, struct compat *compat,
			  const struct iopt_map_args *args)
{
	unsigned long unmapped;
	bool left;

	xa_lock(&ictx->objects);
	left = compat->group && ictx->vfio_left != compat->left;
	xa_unlock(&ictx->objects);
	if (!left)
		return 0;
	iopt_unmap(&compat->ioas->iopt, args->iova,
		   args->iova + args->length - 1, IOPT_UNMAP_TYPE1V2,
		   &unmapped);
	return -EINVAL;
}

static noinline_for_stack long map_dma(struct iommufd_ctx *ictx, void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_iommu_type1_dma_map, size);
	struct vfio_iommu_type1_dma_map map;
	struct iopt_map_args args;
	struct iommufd_owner *owner;
	struct compat compat;
	int rc;

	if (copy_from_user(&map, arg, minsz))
		return -EFAULT;
	if (map.argsz < minsz ||
	    map.flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE) ||
	    !map.flags)
		return -EINVAL;

	rc = compat_begin(ictx, &compat);
	if (rc)
		return rc;
	rc = check_range(map.iova, map.size);
	if (!rc)
		rc = check_range(map.vaddr, map.size);
	if (rc)
		goto out_end;
	owner = iommufd_owner_get(&ictx->owners);
	if (IS_ERR(owner)) {
		rc = PTR_ERR(owner);
		goto out_end;
	}

	args = (struct iopt_map_args){
		.iova = map.iova,
		.length = map.size,
		.prot = IOMMU_CACHE,
		.compat = true,
		.compat_limit = READ_ONCE(iommufd_dma_entry_limit),
	};
	if (map.flags & VFIO_DMA_MAP_FLAG_READ)
		args.prot |= IOMMU_READ;
	if (map.flags & VFIO_DMA_MAP_FLAG_WRITE)
		args.prot |= IOMMU_WRITE;
	rc = iopt_map_user_pages(&compat.ioas->iopt, owner, IOMMUFD_ACCOUNT_MM,
				 map.vaddr, &args);
	iommufd_owner_put(owner);
	if (!rc)
		rc = map_check_left(ictx, &compat, &args);
	else if (rc == -EOVERFLOW)
		/* The last page of the space: type1 finds no memory there. */
		rc = -EFAULT;
out_end:
	compat_end(&compat);
	return rc;
}

static int unmap_range(struct compat *compat, unsigned long iova,
		       unsigned long size, unsigned long *unmapped)
{
	struct io_pagetable *iopt = &compat->ioas->iopt;
	unsigned long last = iova + size - 1;
	int rc;

	rc = check_range(iova, size);
	if (rc)
		return rc;
	if (compat->group)
		return iopt_unmap(iopt, iova, last,
				  compat->v1 ? IOPT_UNMAP_TYPE1 :
					       IOPT_UNMAP_TYPE1V2,
				  unmapped);

	if (READ_ONCE(iopt->disable_large_pages)) {
		rc = iopt_cut(iopt, iova, last);
		if (rc)
			return rc;
	}
	return iopt_unmap(iopt, iova, last, IOPT_UNMAP_NATIVE, unmapped);
}

#define UNMAP_FLAGS \
	(VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)

/*
 * With a bitmap of what was dirty.  That is written first, so that nothing has
 * changed if it cannot be; all that devices reach is dirty before and after.
 */
static noinline_for_stack int
unmap_dirty(struct compat *compat,
	    const struct vfio_iommu_type1_dma_unmap *unmap, void __user *arg,
	    unsigned long *unmapped)
{
	struct io_pagetable *iopt = &compat->ioas->iopt;
	struct vfio_bitmap bitmap;
	unsigned long last;
	int rc;

	if (unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL ||
	    unmap->argsz < sizeof(*unmap) + sizeof(bitmap) || !compat->group)
		return -EINVAL;
	if (copy_from_user(&bitmap, arg, sizeof(bitmap)))
		return -EFAULT;
	last = unmap->iova + unmap->size - 1;
	if (check_range(unmap->iova, unmap->size) ||
	    vfio_dirty_check_bitmap(&bitmap, unmap->size) ||
	    !READ_ONCE(iopt->track_dirty))
		return -EINVAL;
	rc = vfio_dirty_read(iopt, unmap->iova, last, bitmap.data);
	if (rc)
		return rc;
	return iopt_unmap(iopt, unmap->iova, last, IOPT_UNMAP_TYPE1V2,
			  unmapped);
}

static noinline_for_stack long unmap_dma(struct iommufd_ctx *ictx,
					 void __user *arg)
{
	const size_t minsz =
		offsetofend(struct vfio_iommu_type1_dma_unmap, size);
	struct vfio_iommu_type1_dma_unmap unmap;
	unsigned long unmapped = 0;
	struct compat compat;
	int rc;

	if (copy_from_user(&unmap, arg, minsz))
		return -EFAULT;
	if (unmap.argsz < minsz || unmap.flags & ~UNMAP_FLAGS)
		return -EINVAL;

	rc = compat_begin(ictx, &compat);
	if (rc) {
		/* Without a group that is no flag that is known. */
		if (unmap.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP &&
		    rc == -ENODEV)
			rc = -EINVAL;
		return rc;
	}
	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)
		rc = unmap_dirty(&compat, &unmap, arg + minsz, &unmapped);
	else if (!(unmap.flags & VFIO_DMA_UNMAP_FLAG_ALL))
		rc = unmap_range(&compat, unmap.iova, unmap.size, &unmapped);
	else if (unmap.iova || unmap.size)
		rc = -EINVAL;
	else
		rc = iopt_unmap(&compat.ioas->iopt, 0, ULONG_MAX,
				IOPT_UNMAP_NATIVE, &unmapped);

	if ((!rc || !compat.group) &&
	    put_user(unmapped,
		     &((struct vfio_iommu_type1_dma_unmap __user *)arg)->size))
		rc = -EFAULT;
	compat_end(&compat);
	return rc;
}

/* ------------------------------------------------------------------ */
/* VFIO_IOMMU_DIRTY_PAGES */

static int dirty_start(struct iommufd_ctx *ictx, struct compat *compat)
{
	bool left;

	iopt_track_dirty(&compat->ioas->iopt, true);
	xa_lock(&ictx->objects);
	left = ictx->vfio_left != compat->left;
	xa_unlock(&ictx->objects);
	if (!left)
		return 0;
	/* The container was left meanwhile, which ends it. */
	iopt_track_dirty(&compat->ioas->iopt, false);
	return -EINVAL;
}

static int dirty_get(struct compat *compat, u32 size, void __user *arg)
{
	struct vfio_iommu_type1_dirty_bitmap_get range;
	struct io_pagetable *iopt = &compat->ioas->iopt;
	unsigned long last;

	if (size < sizeof(range))
		return -EINVAL;
	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	last = range.iova + range.size - 1;
	if (check_range(range.iova, range.size) || last == ULONG_MAX ||
	    vfio_dirty_check_bitmap(&range.bitmap, range.size) ||
	    !READ_ONCE(iopt->track_dirty))
		return -EINVAL;
	return vfio_dirty_read(iopt, range.iova, last, range.bitmap.data);
}

static noinline_for_stack long dirty_pages(struct iommufd_ctx *ictx,
					   void __user *arg)
{
	const size_t minsz =
		offsetofend(struct vfio_iommu_type1_dirty_bitmap, flags);
	struct vfio_iommu_type1_dirty_bitmap dirty;
	struct compat compat;
	int rc;

	rc = compat_begin(ictx, &compat);
	if (rc)
		/* Mainline's iommufd does not know this command. */
		return rc == -ENODEV ? -ENOTTY : rc;
	rc = compat.group ? 0 : -ENOTTY;
	if (!rc && compat.v1)
		rc = -EACCES;
	if (!rc && copy_from_user(&dirty, arg, minsz))
		rc = -EFAULT;
	if (!rc && dirty.argsz < minsz)
		rc = -EINVAL;
	if (rc)
		goto out_end;

	switch (dirty.flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
		rc = dirty_start(ictx, &compat);
		break;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		iopt_track_dirty(&compat.ioas->iopt, false);
		break;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		rc = dirty_get(&compat, dirty.argsz - minsz, arg + minsz);
		break;
	default:
		rc = -EINVAL;
	}
out_end:
	compat_end(&compat);
	return rc;
}

/* ------------------------------------------------------------------ */
/* VFIO_IOMMU_GET_INFO */

/**
 * struct info_chain - capabilities for userspace
 * @buf: all of them, one after the other, for offset sizeof(info) of the user's
 *	buffer; zeroed before it was filled
 * @room: bytes after sizeof(info) in the user's buffer
 * @size: bytes of all capabilities
 * @used: bytes of those that fit
 * @prev: offset of the last one in @buf that fits, -1 while there is none
 */
struct info_chain {
	void *buf;
	size_t room;
	size_t size;
	size_t used;
	ssize_t prev;
};

#define INFO_CAPS_OFFSET sizeof(struct vfio_iommu_type1_info)

/* Capabilities behind it have 64-bit members. */
#define INFO_NESTING_SIZE \
	ALIGN(sizeof(struct vfio_iommu_type1_info_cap_nesting), 8)
static_assert(INFO_NESTING_SIZE <=
	      sizeof(struct vfio_iommu_type1_info_cap_migration));

/*
 * Room for a capability, which is copied out if it and all before it fit.  In
 * user offsets the chain begins at INFO_CAPS_OFFSET.
 */
static void *info_add(struct info_chain *chain, size_t size, u16 id,
		      u16 version)
{
	struct vfio_info_cap_header *header = chain->buf + chain->size;
	struct vfio_info_cap_header *prev;

	header->id = id;
	header->version = version;
	if (chain->used == chain->size && chain->room >= chain->size + size) {
		if (chain->prev >= 0) {
			prev = chain->buf + chain->prev;
			prev->next = INFO_CAPS_OFFSET + chain->size;
		}
		chain->prev = chain->size;
		chain->used += size;
	}
	chain->size += size;
	return header;
}

static size_t range_cap_size(u32 num)
{
	return struct_size((struct vfio_iommu_type1_info_cap_iova_range *)NULL,
			   iova_ranges, num);
}

static void info_add_ranges(struct info_chain *chain,
			    const struct iommu_iova_range *ranges, u32 num)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	u32 i;

	cap = info_add(chain, range_cap_size(num),
		       VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1);
	cap->nr_iovas = num;
	for (i = 0; i != num; i++) {
		cap->iova_ranges[i].start = ranges[i].start;
		cap->iova_ranges[i].end = ranges[i].last;
	}
}

static void info_add_avail(struct info_chain *chain, struct io_pagetable *iopt)
{
	unsigned long limit = READ_ONCE(iommufd_dma_entry_limit), used;
	struct vfio_iommu_type1_info_dma_avail *cap;

	down_read(&iopt->iova_rwsem);
	used = iopt->nr_compat;
	up_read(&iopt->iova_rwsem);

	cap = info_add(chain, sizeof(*cap), VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1);
	cap->avail = !limit ? NO_LIMIT_AVAIL : limit - min(used, limit);
}

static void info_add_migration(struct info_chain *chain)
{
	struct vfio_iommu_type1_info_cap_migration *cap;

	cap = info_add(chain, sizeof(*cap), VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION,
		       1);
	cap->pgsize_bitmap = PAGE_SIZE;
	cap->max_dirty_bitmap_size =
		VFIO_DIRTY_BITMAP_BYTES(VFIO_DIRTY_PAGES_MAX);
}

static void info_add_nesting(struct info_chain *chain)
{
	struct vfio_iommu_type1_info_cap_nesting *cap;

	cap = info_add(chain, INFO_NESTING_SIZE,
		       VFIO_IOMMU_TYPE1_INFO_CAP_NESTING, 1);
	cap->pasid_format = IOMMU_PASID_FORMAT_INTEL_VTD;
}

/* The sizes that each attached domain has, in terms of CPU pages. */
static u64 common_page_sizes(struct iommufd_ioas *ioas)
{
	struct iommufd_hwpt *hwpt;
	unsigned long sizes;

	mutex_lock(&ioas->mutex);
	sizes = list_empty(&ioas->hwpts) ? PAGE_MASK : ULONG_MAX;
	list_for_each_entry(hwpt, &ioas->hwpts, item)
		sizes &= hwpt->idomain.domain->pgsize_bitmap;
	mutex_unlock(&ioas->mutex);

	if (sizes & ~PAGE_MASK)
		sizes = (sizes & PAGE_MASK) | PAGE_SIZE;
	return sizes;
}

static int info_build(struct compat *compat, struct info_chain *chain)
{
	struct iommu_iova_range *ranges;
	bool coherent;
	size_t size;
	u32 num;

	ranges = iommufd_ioas_get_ranges(compat->ioas, &num, NULL);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);

	size = range_cap_size(num) +
	       sizeof(struct vfio_iommu_type1_info_dma_avail) +
	       sizeof(struct vfio_iommu_type1_info_cap_migration);
	chain->buf = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!chain->buf) {
		kvfree(ranges);
		return -ENOMEM;
	}
	if (compat->group) {
		if (compat->nesting)
			info_add_nesting(chain);
		else
			info_add_migration(chain);
		info_add_avail(chain, &compat->ioas->iopt);
		/* Without an IOMMU type1 knows none. */
		if (has_iommu(compat->ioas, &coherent))
			info_add_ranges(chain, ranges, num);
	} else {
		info_add_ranges(chain, ranges, num);
		info_add_avail(chain, &compat->ioas->iopt);
	}
	kvfree(ranges);
	return 0;
}

/* Fill in what depends on how much room there is. */
static void info_finish(struct vfio_iommu_type1_info *info,
			struct compat *compat, struct info_chain *chain)
{
	size_t total = INFO_CAPS_OFFSET + chain->size;
	bool all = chain->used == chain->size;

	info->flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info->iova_pgsizes = common_page_sizes(compat->ioas);
	info->cap_offset = all ? INFO_CAPS_OFFSET : 0;
	if (compat->group) {
		/* Type1: all or nothing, and argsz only when more is wanted. */
		if (!all) {
			info->argsz = total;
			chain->used = 0;
		}
	} else {
		info->argsz = total;
	}
}

static noinline_for_stack long get_info(struct iommufd_ctx *ictx, void __user *arg)
{
	const size_t minsz =
		offsetofend(struct vfio_iommu_type1_info, iova_pgsizes);
	const size_t capsz =
		offsetofend(struct vfio_iommu_type1_info, cap_offset);
	struct vfio_iommu_type1_info info = {};
	struct info_chain chain = { .prev = -1 };
	struct compat compat;
	size_t infosz;
	int rc;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	infosz = info.argsz >= capsz ? capsz : minsz;
	if (info.argsz > INFO_CAPS_OFFSET)
		chain.room = info.argsz - INFO_CAPS_OFFSET;

	rc = compat_begin(ictx, &compat);
	if (rc)
		return rc;
	compat.nesting = READ_ONCE(ictx->vfio_type) == VFIO_TYPE1_NESTING_IOMMU;
	rc = info_build(&compat, &chain);
	if (rc)
		goto out_end;
	info_finish(&info, &compat, &chain);
	if (copy_to_user(arg + INFO_CAPS_OFFSET, chain.buf, chain.used) ||
	    copy_to_user(arg, &info, infosz))
		rc = -EFAULT;
	kvfree(chain.buf);
out_end:
	compat_end(&compat);
	return rc;
}

/* ------------------------------------------------------------------ */

static noinline_for_stack long nesting_ioctl(struct iommufd_ctx *ictx,
					     unsigned int cmd, void __user *arg)
{
	struct iommufd_nesting *nesting = NULL;
	long rc = -ENODEV;

	xa_lock(&ictx->objects);
	if (ictx->nesting && ictx->nesting_ready)
		nesting = vfio_nesting_get(ictx->nesting);
	else if (!ictx->nesting && ictx->vfio_mode == IOMMUFD_VFIO_GROUP)
		rc = -EOPNOTSUPP;
	xa_unlock(&ictx->objects);
	if (!nesting)
		return rc;
	rc = vfio_nesting_ioctl(nesting, cmd, arg);
	vfio_nesting_put(nesting);
	return rc;
}

static long container_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			    unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_IOMMU_GET_INFO:
		return get_info(ictx, uarg);
	case VFIO_IOMMU_MAP_DMA:
		return map_dma(ictx, uarg);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(ictx, uarg);
	case VFIO_IOMMU_DIRTY_PAGES:
		return dirty_pages(ictx, uarg);
	case VFIO_NESTING_GET_IOMMU_UAPI_VERSION:
		return IOMMU_UAPI_VERSION;
	default:
		if (vfio_nesting_knows(cmd))
			return nesting_ioctl(ictx, cmd, uarg);
		return -ENOTTY;
	}
}

long iommufd_vfio_container_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
				  unsigned long arg)
{
	if (cmd == VFIO_CHECK_EXTENSION)
		return check_extension(ictx, arg);
	return ictx ? container_ioctl(ictx, cmd, arg) : -ENOTTY;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_container_ioctl, IOMMUFD_VFIO);

static noinline_for_stack long vfio_ioctl(struct iommufd_ctx *ictx,
					  unsigned int cmd, unsigned long arg)
{
	int rc;

	/* The bridge may have been loaded after the file was opened. */
	rc = iommufd_vfio_open(ictx);
	if (rc)
		return rc;

	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(ictx, arg);
	case VFIO_SET_IOMMU:
		return set_iommu(ictx, arg);
	default:
		if (container_without_iommu(ictx) &&
		    !vfio_nesting_knows(cmd) &&
		    cmd != VFIO_NESTING_GET_IOMMU_UAPI_VERSION)
			return -EINVAL;
		return container_ioctl(ictx, cmd, arg);
	}
}

/**
 * iommufd_vfio_ioctl() - An ioctl of VFIO's on /dev/iommu
 * @ictx: context
 * @cmd: command that is no native one
 * @arg: its argument
 *
 * Return: as the ioctl; -ENOTTY for a command that VFIO's type1 does not have.
 */
long iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			unsigned long arg)
{
	/* What has groups has its container and its IOMMU. */
	if (READ_ONCE(ictx->vfio_mode) == IOMMUFD_VFIO_GROUP &&
	    (cmd == VFIO_IOMMU_MAP_DMA || cmd == VFIO_IOMMU_UNMAP_DMA ||
	     cmd == VFIO_IOMMU_DIRTY_PAGES))
		return container_ioctl(ictx, cmd, arg);
	return vfio_ioctl(ictx, cmd, arg);
}
