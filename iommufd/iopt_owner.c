// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for what is mapped, when that changes: all of it, or nothing.
 */
#include <linux/capability.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "io_pagetable.h"

struct owner_change {
	struct list_head item;
	struct iopt_pages_change change;
};

static int charge_next(struct iopt_pages *pages, struct iommufd_owner *next,
		       struct list_head *changes)
{
	struct owner_change *change;
	int rc;

	change = kmalloc(sizeof(*change), GFP_KERNEL_ACCOUNT);
	if (!change)
		return -ENOMEM;
	rc = iopt_pages_charge_next(pages, next, capable(CAP_IPC_LOCK),
				    &change->change);
	if (rc || !change->change.pages) {
		kfree(change);
		return rc;
	}
	list_add(&change->item, changes);
	return 0;
}

/**
 * iopt_charge_next() - Charge the process that is to pay for all that is mapped
 * @iopt: io_pagetable
 * @next: who is to pay, beside who pays until iopt_change_owner()
 * @changes: for iopt_change_owner(), also after an error
 *
 * Return: 0; -EINTR being killed; or as iopt_pages_charge_next().
 * Context: may sleep; iommufd_ctx.change_lock held.
 */
int iopt_charge_next(struct io_pagetable *iopt, struct iommufd_owner *next,
		     struct list_head *changes)
{
	struct iopt_area *area;
	int rc = 0;

	down_read(&iopt->iova_rwsem);
	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area && !rc;
	     area = iopt_area_next(area, ULONG_MAX)) {
		rc = fatal_signal_pending(current) ? -EINTR : 0;
		if (!rc)
			rc = charge_next(area->pages, next, changes);
		cond_resched();
	}
	up_read(&iopt->iova_rwsem);
	return rc;
}

/**
 * iopt_change_owner() - Let only the next one pay, or only who did
 * @changes: of iopt_charge_next()
 * @next: who was charged
 * @undo: let pay who did
 *
 * Context: may sleep; iommufd_ctx.change_lock held.
 */
void iopt_change_owner(struct list_head *changes, struct iommufd_owner *next,
		       bool undo)
{
	struct owner_change *change, *tmp;

	list_for_each_entry_safe(change, tmp, changes, item) {
		iopt_pages_change_owner(&change->change, next, undo);
		kfree(change);
		cond_resched();
	}
}
