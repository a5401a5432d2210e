/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_ACCESS_H
#define IOMMUFD_ACCESS_H

#include <linux/iommufd.h>

#include "ioas.h"

/**
 * struct access_node - an access in one io_pagetable
 * @iopt: what the io_pagetable knows
 * @access: whose it is
 */
struct access_node {
	struct iopt_access iopt;
	struct iommufd_access *access;
};

/**
 * struct iommufd_access - a kernel user of an IOAS
 * @obj: object
 * @ops: callbacks
 * @data: their argument
 * @attach_lock: makes attach and detach take turns
 * @rwsem: pin, unpin and rw hold it for reading while they use @ioas
 * @ioas: where it is attached, or NULL; this object is one of its users;
 *	written with @attach_lock and @rwsem
 * @nodes: how an io_pagetable knows it; two, so that a replace can join the one
 *	before it leaves the other
 * @current_node: index of the one in @ioas
 *
 * Lock order: attach_lock, io_pagetable.access_rwsem, rwsem.  The last two in
 * that order because an unmap callback, which runs under access_rwsem, unpins.
 */
struct iommufd_access {
	struct iommufd_object obj;
	const struct iommufd_access_ops *ops;
	void *data;
	struct mutex attach_lock;
	struct rw_semaphore rwsem;
	struct iommufd_ioas *ioas;
	struct access_node nodes[2];
	unsigned int current_node;
};

#endif
