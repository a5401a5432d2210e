/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the VFIO bridge.  Documentation/bridge.rst has the whole story.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#ifdef pr_fmt
#undef pr_fmt
#endif
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/types.h>

struct file;
struct iommufd_ctx;
struct iommufd_vfio_container_ops;
struct task_struct;

/**
 * struct bridge_call - one VFIO_SET_IOMMU under way
 * @task: who makes it
 * @ictx: the context that it was called on
 * @type: VFIO_TYPE1_IOMMU or VFIO_TYPE1v2_IOMMU
 * @ioas_id: where groups are to attach
 *
 * Lives on the stack of @task.  Nobody else may look at more than @task, and
 * at that only under the lock of the table of calls.
 */
struct bridge_call {
	struct task_struct *task;
	struct iommufd_ctx *ictx;
	unsigned long type;
	u32 ioas_id;
};

/* container.c: the shadow container behind each open /dev/iommu */
extern const struct iommufd_vfio_container_ops bridge_container_ops;
int bridge_learn_vfio_fops(void);
struct file *bridge_shadow_file(struct file *file);
const struct bridge_call *bridge_find_call(unsigned long arg);
bool bridge_in_call(void);

/* driver.c: the IOMMU driver that vfio.ko sees */
int bridge_driver_register(void);
void bridge_driver_serve_stock_node(void);
void bridge_driver_unregister(void);

/* hook.c: make vfio.ko take the shadow for the file it was given */
int bridge_hook_install(void);
void bridge_hook_remove(void);

#endif
