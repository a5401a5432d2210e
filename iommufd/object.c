// SPDX-License-Identifier: GPL-2.0-only
/*
 * The object table.
 *
 * An object gets its id first, as a reserved entry that no look-up finds; it
 * is published when it is complete and its id has been copied to userspace.
 *
 * Two counters keep it alive.  in_use: calls that found it and are at work;
 * they end soon, and whoever destroys the object waits for them.  users: other
 * objects that depend on it; as long as there is one, destroying is EBUSY.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "object.h"

static DEFINE_PER_CPU(long, nr_objects);

void iommufd_ctx_get(struct iommufd_ctx *ictx)
{
	get_file(ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_get, IOMMUFD);

void iommufd_ctx_put(struct iommufd_ctx *ictx)
{
	fput(ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_put, IOMMUFD);

/**
 * iommufd_object_alloc() - Begin to make an object
 * @ictx: context
 * @size: of the whole struct, whose first member is the object
 * @ops: type
 *
 * Return: zeroed memory with an id that no look-up finds yet, or ERR_PTR().
 */
struct iommufd_object *
iommufd_object_alloc(struct iommufd_ctx *ictx, size_t size,
		     const struct iommufd_object_ops *ops)
{
	struct iommufd_object *obj;
	int rc;

	obj = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->ictx = ictx;
	obj->ops = ops;

	rc = xa_alloc(&ictx->objects, &obj->id, NULL, xa_limit_31b,
		      GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(obj);
		return ERR_PTR(rc);
	}
	this_cpu_inc(nr_objects);
	return obj;
}

/**
 * iommufd_object_publish() - Let the id be found
 * @obj: complete object
 *
 * Cannot fail: the entry has been reserved.
 */
void iommufd_object_publish(struct iommufd_object *obj)
{
	xa_lock(&obj->ictx->objects);
	iommufd_object_publish_locked(obj);
	xa_unlock(&obj->ictx->objects);
}

/** iommufd_object_publish_locked() - The same, with the xa_lock held */
void iommufd_object_publish_locked(struct iommufd_object *obj)
{
	WARN_ON(__xa_store(&obj->ictx->objects, obj->id, obj, 0));
}

static void object_free(struct iommufd_object *obj)
{
	kfree(obj);
	this_cpu_dec(nr_objects);
}

/**
 * iommufd_object_abort() - Free an object that was never published
 * @obj: object; what the caller put into it is undone already
 */
void iommufd_object_abort(struct iommufd_object *obj)
{
	xa_erase(&obj->ictx->objects, obj->id);
	object_free(obj);
}

/**
 * iommufd_object_find() - Look up an id and use the object
 * @ictx: context
 * @id: id
 * @type: type it must have, or IOMMUFD_OBJ_ANY
 *
 * Return: the object, to be given back by iommufd_object_done(), or
 * ERR_PTR(-ENOENT).
 */
struct iommufd_object *iommufd_object_find(struct iommufd_ctx *ictx, u32 id,
					   enum iommufd_object_type type)
{
	struct iommufd_object *obj;

	xa_lock(&ictx->objects);
	obj = ictx->recent;
	/* Who maps does so again and again. */
	if (!obj || obj->id != id)
		obj = xa_load(&ictx->objects, id);
	if (obj && !obj->dying &&
	    (type == IOMMUFD_OBJ_ANY || obj->ops->type == type)) {
		obj->in_use++;
		ictx->recent = obj;
	} else {
		obj = ERR_PTR(-ENOENT);
	}
	xa_unlock(&ictx->objects);
	return obj;
}

/** iommufd_object_done() - Undo iommufd_object_find() or _use() */
void iommufd_object_done(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	xa_lock(&ictx->objects);
	if (!--obj->in_use && (obj->dying || obj->destroyer))
		wake_up_all(&ictx->wait);
	xa_unlock(&ictx->objects);
}

/**
 * iommufd_object_hold() - Depend on an object
 * @obj: object that the caller has in use or depends on already
 */
void iommufd_object_hold(struct iommufd_object *obj)
{
	xa_lock(&obj->ictx->objects);
	iommufd_object_hold_locked(obj);
	xa_unlock(&obj->ictx->objects);
}

/** iommufd_object_hold_locked() - The same, with the xa_lock held */
void iommufd_object_hold_locked(struct iommufd_object *obj)
{
	lockdep_assert_held(&obj->ictx->objects.xa_lock);
	obj->users++;
	/* Whoever tries to destroy it will be told EBUSY. */
	obj->dying = false;
}

/** iommufd_object_release() - Undo iommufd_object_hold() */
void iommufd_object_release(struct iommufd_object *obj)
{
	xa_lock(&obj->ictx->objects);
	WARN_ON(!obj->users--);
	xa_unlock(&obj->ictx->objects);
}

static bool object_idle(struct iommufd_object *obj)
{
	bool idle;

	xa_lock(&obj->ictx->objects);
	idle = !obj->in_use;
	xa_unlock(&obj->ictx->objects);
	return idle;
}

static void object_destroy(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	obj->ops->destroy(obj);
	xa_lock(&ictx->objects);
	if (ictx->recent == obj)
		ictx->recent = NULL;
	__xa_erase(&ictx->objects, obj->id);
	xa_unlock(&ictx->objects);
	object_free(obj);
}

/* From now on no pointer of the context leads to an object. */
static void object_forget(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	lockdep_assert_held(&ictx->objects.xa_lock);

	if ((struct iommufd_object *)ictx->vfio_ioas == obj)
		ictx->vfio_ioas = NULL;
}

/* Hide an object.  A call at work on it may still make it a user. */
static int object_begin_destroy(struct iommufd_ctx *ictx, u32 id,
				struct iommufd_object **out)
{
	struct iommufd_object *obj;
	int rc = 0;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (!obj || obj->dying) {
		rc = -ENOENT;
	} else if (obj->users || obj->destroyer || !obj->ops->user_destroy) {
		rc = -EBUSY;
	} else {
		obj->dying = true;
		obj->destroyer = true;
		*out = obj;
	}
	xa_unlock(&ictx->objects);
	return rc;
}

/*
 * With no call at work any more: is it really to go?  If so, no pointer of the
 * context may lead to it from the same moment on.  -EAGAIN when a call has come
 * in: that happens after something depended on the object for a while.
 */
static int object_commit_destroy(struct iommufd_object *obj, bool killed)
{
	struct iommufd_ctx *ictx = obj->ictx;
	int rc = 0;

	xa_lock(&ictx->objects);
	if (obj->users)
		rc = -EBUSY;
	else if (killed)
		rc = -EINTR;
	else if (obj->in_use)
		rc = -EAGAIN;
	obj->dying = !rc || rc == -EAGAIN;
	obj->destroyer = obj->dying;
	if (rc)
		goto out_unlock;
	object_forget(obj);
out_unlock:
	xa_unlock(&ictx->objects);
	return rc;
}

/**
 * iommufd_object_destroy_id() - Destroy an object for userspace
 * @ictx: context
 * @id: id
 *
 * Waits for calls that are at work on it.
 *
 * Return: 0, -ENOENT, -EBUSY something depends on it, -EINTR being killed.
 */
int iommufd_object_destroy_id(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;
	int rc;

	rc = object_begin_destroy(ictx, id, &obj);
	if (rc)
		return rc;
	do {
		rc = wait_event_killable(ictx->wait, object_idle(obj));
		rc = object_commit_destroy(obj, rc);
	} while (rc == -EAGAIN);
	if (rc)
		return rc;
	object_destroy(obj);
	return 0;
}

/**
 * iommufd_object_undo() - Be done with an object that this call made in vain
 * @obj: published object that the caller has in use
 * @untouched: asked with the object hidden: has nobody done anything with it?
 *
 * Destroys it, unless others have come to know it meanwhile.
 */
void iommufd_object_undo(struct iommufd_object *obj,
			 bool (*untouched)(struct iommufd_object *obj))
{
	struct iommufd_ctx *ictx = obj->ictx;
	bool undo;

	xa_lock(&ictx->objects);
	undo = !obj->users && obj->in_use == 1 && !obj->dying;
	obj->dying |= undo;
	xa_unlock(&ictx->objects);

	if (undo && !untouched(obj)) {
		xa_lock(&ictx->objects);
		obj->dying = false;
		xa_unlock(&ictx->objects);
		undo = false;
	}
	if (!undo) {
		iommufd_object_done(obj);
		return;
	}
	xa_lock(&ictx->objects);
	object_forget(obj);
	xa_unlock(&ictx->objects);
	object_destroy(obj);
}

/**
 * iommufd_object_remove() - Destroy an object that the kernel made
 * @obj: object on which nothing depends
 *
 * Cannot fail; waits for calls that are at work on it.
 */
void iommufd_object_remove(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	xa_lock(&ictx->objects);
	WARN_ON(obj->users || obj->dying);
	obj->dying = true;
	xa_unlock(&ictx->objects);

	wait_event(ictx->wait, object_idle(obj));
	object_destroy(obj);
}

/**
 * iommufd_object_destroy_all() - Empty a context that nobody can reach
 * @ictx: context
 *
 * Goes round until nothing is left, as some objects depend on others.  What
 * userspace cannot destroy belongs to an object or to somebody who holds the
 * context, and is taken along or gone by then.
 */
void iommufd_object_destroy_all(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	unsigned long index;
	bool progress;

	ictx->vfio_ioas = NULL;
	do {
		progress = false;
		xa_for_each(&ictx->objects, index, obj) {
			/* Others go with whoever made them. */
			if (obj->users || !obj->ops->user_destroy)
				continue;
			object_destroy(obj);
			progress = true;
		}
	} while (progress);
	WARN_ON(!xa_empty(&ictx->objects));
	xa_destroy(&ictx->objects);
}

unsigned long iommufd_count_objects(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(nr_objects, cpu);
	return sum;
}
