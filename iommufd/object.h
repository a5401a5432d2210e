/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts (one per open file) and the objects that live in them.
 */
#ifndef IOMMUFD_OBJECT_H
#define IOMMUFD_OBJECT_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "owner.h"

struct file;
struct iommufd_ctx;
struct iommufd_ioas;
struct iommufd_nesting;
struct iommufd_object;
struct iommufd_vfio_container_ops;

enum iommufd_object_type {
	IOMMUFD_OBJ_ANY,
	IOMMUFD_OBJ_IOAS,
	IOMMUFD_OBJ_HWPT,
	IOMMUFD_OBJ_DEVICE,
	IOMMUFD_OBJ_ACCESS,
	IOMMUFD_OBJ_FAULT,
	IOMMUFD_OBJ_FOREIGN,
};

/**
 * struct iommufd_object_ops - one type of object
 * @type: of enum iommufd_object_type
 * @user_destroy: IOMMU_DESTROY may destroy it
 * @destroy: undo all that makes up the object but its memory; cannot fail
 */
struct iommufd_object_ops {
	enum iommufd_object_type type;
	bool user_destroy;
	void (*destroy)(struct iommufd_object *obj);
};

/**
 * struct iommufd_object - base of each object; must be the first member
 * @ops: type
 * @ictx: context
 * @id: in ictx->objects
 * @users: other objects that depend on this one; xa_lock of ictx->objects
 * @in_use: calls that work on this object; xa_lock
 * @dying: being destroyed; no call finds it any more; xa_lock
 * @destroyer: a thread tries to destroy it; xa_lock
 *
 * Plain counters under the table's lock, so that "find, check and take" and
 * "check and destroy" are one step each.
 */
struct iommufd_object {
	const struct iommufd_object_ops *ops;
	struct iommufd_ctx *ictx;
	u32 id;
	unsigned int users;
	unsigned int in_use;
	bool dying;
	bool destroyer;
};

/**
 * enum iommufd_vfio_mode - who speaks VFIO to a context
 * @IOMMUFD_VFIO_NATIVE: nobody, or a program without VFIO groups
 * @IOMMUFD_VFIO_GROUP: a container that has groups and an IOMMU
 * @IOMMUFD_VFIO_LEFT: a container that the last group has left
 */
enum iommufd_vfio_mode {
	IOMMUFD_VFIO_NATIVE,
	IOMMUFD_VFIO_GROUP,
	IOMMUFD_VFIO_LEFT,
};

/**
 * struct iommufd_ctx - an open /dev/iommu
 * @file: the file; a reference on the context is one on the file
 * @objects: by id; its xa_lock protects the counters of all objects, and
 *	@account_mode, @nesting, @nesting_ready and all that begins with vfio_
 * @recent: the object that was looked up last, or NULL; xa_lock
 * @wait: for an object's in_use to become 0
 * @owners: cache of the process that maps
 * @account_mode: how native mappings are charged
 * @change_lock: one IOMMU_IOAS_CHANGE_PROCESS at a time
 * @groups_lock: protects @groups
 * @groups: IOMMU groups that are bound, by iommu_group_id()
 * @vfio_ioas: what VFIO's ioctls act on, or NULL
 * @vfio_mode: state of the VFIO container
 * @vfio_mode_before: what to return to if VFIO_SET_IOMMU fails
 * @vfio_left: how often the last group left
 * @vfio_type: VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU or VFIO_TYPE1_NESTING_IOMMU, in
 *	mode GROUP
 * @vfio_container_ioas: where groups attach to, in mode GROUP
 * @nesting: in mode GROUP, with two stages, else NULL
 * @nesting_ready: its ioctls are let in
 * @container: what the VFIO bridge keeps for this file; set once
 * @container_ops: the bridge that made @container
 * @item: in the list of all contexts
 * @pid: of the process that opened the file
 * @comm: its name
 */
struct iommufd_ctx {
	struct file *file;
	struct xarray objects;
	struct iommufd_object *recent;
	wait_queue_head_t wait;
	struct iommufd_owner_cache owners;
	enum iommufd_account account_mode;

	struct mutex change_lock; /* no data */
	struct mutex groups_lock;
	struct xarray groups;

	struct iommufd_ioas *vfio_ioas;
	enum iommufd_vfio_mode vfio_mode;
	enum iommufd_vfio_mode vfio_mode_before;
	unsigned int vfio_left;
	unsigned long vfio_type;
	struct iommufd_ioas *vfio_container_ioas;
	struct iommufd_nesting *nesting;
	bool nesting_ready;
	void *container;
	const struct iommufd_vfio_container_ops *container_ops;

	struct list_head item;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

struct iommufd_object *
iommufd_object_alloc(struct iommufd_ctx *ictx, size_t size,
		     const struct iommufd_object_ops *ops);
void iommufd_object_publish(struct iommufd_object *obj);
void iommufd_object_publish_locked(struct iommufd_object *obj);
void iommufd_object_abort(struct iommufd_object *obj);

struct iommufd_object *iommufd_object_find(struct iommufd_ctx *ictx, u32 id,
					   enum iommufd_object_type type);

/**
 * iommufd_object_use() - Use an object found by a pointer of the context
 * @obj: object; the caller holds the xa_lock under which it read the pointer
 */
static inline void iommufd_object_use(struct iommufd_object *obj)
{
	lockdep_assert_held(&obj->ictx->objects.xa_lock);
	obj->in_use++;
}

void iommufd_object_done(struct iommufd_object *obj);
void iommufd_object_hold(struct iommufd_object *obj);
void iommufd_object_hold_locked(struct iommufd_object *obj);
void iommufd_object_release(struct iommufd_object *obj);

int iommufd_object_destroy_id(struct iommufd_ctx *ictx, u32 id);
void iommufd_object_undo(struct iommufd_object *obj,
			 bool (*untouched)(struct iommufd_object *obj));
void iommufd_object_remove(struct iommufd_object *obj);
void iommufd_object_destroy_all(struct iommufd_ctx *ictx);

unsigned long iommufd_count_objects(void);

/**
 * struct iommufd_ucmd - an ioctl at work
 * @ictx: context
 * @ubuffer: the caller's struct
 * @user_size: its size as the caller knows it
 * @cmd: copy of the struct, as long as it is known here, padded with zeros
 */
struct iommufd_ucmd {
	struct iommufd_ctx *ictx;
	void __user *ubuffer;
	u32 user_size;
	void *cmd;
};

int iommufd_ucmd_respond(struct iommufd_ucmd *ucmd, size_t cmd_len);

#endif
