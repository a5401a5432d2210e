// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls on an IO address space.  Their contract is the manual in
 * include/uapi/linux/iommufd.h.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommufd.h>

#include "interval_tree_span.h"
#include "ioas.h"
#include "pin_file.h"

static void ioas_destroy(struct iommufd_object *obj)
{
	struct iommufd_ioas *ioas = container_of(obj, struct iommufd_ioas, obj);
	unsigned long unmapped;

	WARN_ON(!list_empty(&ioas->hwpts));
	/*
	 * Nothing can refuse: no access is attached and nobody else maps.  A
	 * kill does not matter either, as there is nothing to wait for.
	 */
	WARN_ON(iopt_unmap(&ioas->iopt, 0, ULONG_MAX, IOPT_UNMAP_NATIVE,
			   &unmapped));
	/* For good, says iommufd_ioas_reserve(): until here. */
	down_write(&ioas->iopt.iova_rwsem);
	iopt_unreserve_iova(&ioas->iopt, ioas);
	up_write(&ioas->iopt.iova_rwsem);
	iopt_destroy_table(&ioas->iopt);
	mutex_destroy(&ioas->mutex);
}

static const struct iommufd_object_ops ioas_ops = {
	.type = IOMMUFD_OBJ_IOAS,
	.user_destroy = true,
	.destroy = ioas_destroy,
};

/**
 * iommufd_ioas_alloc() - Make an IO address space
 * @ictx: context
 *
 * Return: an IOAS that is still to be published or aborted, or ERR_PTR().
 */
struct iommufd_ioas *iommufd_ioas_alloc(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	struct iommufd_ioas *ioas;

	obj = iommufd_object_alloc(ictx, sizeof(*ioas), &ioas_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	ioas = container_of(obj, struct iommufd_ioas, obj);
	iopt_init_table(&ioas->iopt);
	mutex_init(&ioas->mutex);
	INIT_LIST_HEAD(&ioas->hwpts);
	return ioas;
}

/** iommufd_ioas_abort() - Free an IOAS that was never published */
void iommufd_ioas_abort(struct iommufd_ioas *ioas)
{
	ioas_destroy(&ioas->obj);
	iommufd_object_abort(&ioas->obj);
}

int iommufd_ioas_alloc_ioctl(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_alloc *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;

	ioas = iommufd_ioas_alloc(ucmd->ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	cmd->out_ioas_id = ioas->obj.id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		iommufd_ioas_abort(ioas);
		return rc;
	}
	iommufd_object_publish(&ioas->obj);
	return 0;
}

/**
 * iommufd_ioas_get_ranges() - What may be mapped
 * @ioas: IOAS
 * @num: out: number of ranges
 * @alignment: out: of IOVAs and lengths, in bytes; may be NULL
 *
 * Return: an array to be freed with kvfree(), or ERR_PTR(-ENOMEM).
 */
struct iommu_iova_range *iommufd_ioas_get_ranges(struct iommufd_ioas *ioas,
						 u32 *num,
						 unsigned long *alignment)
{
	struct io_pagetable *iopt = &ioas->iopt;
	struct iommu_iova_range *ranges;
	struct itree_span span;
	u32 n = 0, i = 0;

	down_read(&iopt->iova_rwsem);
	itree_for_each_span(&span, &iopt->reserved, 0, ULONG_MAX)
		n += span.is_hole;
	ranges = kvcalloc(max(n, 1U), sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (ranges) {
		itree_for_each_span(&span, &iopt->reserved, 0, ULONG_MAX) {
			if (!span.is_hole)
				continue;
			ranges[i].start = span.start;
			ranges[i++].last = span.last;
		}
	}
	if (alignment)
		*alignment = iopt->iova_alignment;
	up_read(&iopt->iova_rwsem);

	*num = n;
	return ranges ? ranges : ERR_PTR(-ENOMEM);
}

int iommufd_ioas_iova_ranges(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_iova_ranges *cmd = ucmd->cmd;
	struct iommu_iova_range *ranges;
	struct iommufd_ioas *ioas;
	unsigned long alignment;
	u32 num, room;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	ioas = iommufd_ioas_find(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	ranges = iommufd_ioas_get_ranges(ioas, &num, &alignment);
	iommufd_object_done(&ioas->obj);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);

	room = cmd->num_iovas;
	rc = 0;
	if (copy_to_user(u64_to_user_ptr(cmd->allowed_iovas), ranges,
			 array_size(min(num, room), sizeof(*ranges))))
		rc = -EFAULT;
	kvfree(ranges);
	if (rc)
		return rc;

	cmd->num_iovas = num;
	cmd->out_iova_alignment = alignment;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc && num > room)
		rc = -EMSGSIZE;
	return rc;
}

static int load_allowed(struct rb_root_cached *allowed,
			struct iommu_iova_range __user *ranges, u32 num)
{
	struct iommu_iova_range range;
	struct iopt_allowed *node;
	u32 i;

	for (i = 0; i != num; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_from_user(&range, ranges + i, sizeof(range)))
			return -EFAULT;
		if (range.start >= range.last)
			return -EINVAL;
		if (interval_tree_iter_first(allowed, range.start, range.last))
			return -EINVAL;
		node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
		if (!node)
			return -ENOMEM;
		node->node.start = range.start;
		node->node.last = range.last;
		interval_tree_insert(&node->node, allowed);
		cond_resched();
	}
	return 0;
}

int iommufd_ioas_allow_iovas(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_allow_iovas *cmd = ucmd->cmd;
	struct rb_root_cached allowed = RB_ROOT_CACHED;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	ioas = iommufd_ioas_find(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = load_allowed(&allowed, u64_to_user_ptr(cmd->allowed_iovas),
			  cmd->num_iovas);
	if (!rc)
		rc = iopt_set_allowed(&ioas->iopt, &allowed);
	iopt_free_allowed(&allowed);
	iommufd_object_done(&ioas->obj);
	return rc;
}

#define MAP_ACCESS_FLAGS (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)
#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | MAP_ACCESS_FLAGS)

/* What all that map have in common */
static int check_map_args(u32 flags, u64 iova, u64 length)
{
	if (flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (iova >= ULONG_MAX || length >= ULONG_MAX)
		return -EOVERFLOW;
	if (!(flags & MAP_ACCESS_FLAGS))
		return -EINVAL;
	return 0;
}

/* Of what check_map_args() has accepted */
static __always_inline struct iopt_map_args map_args(u32 flags, u64 iova,
						     u64 length)
{
	/* Devices that are not cache coherent cannot be bound. */
	int prot = IOMMU_CACHE;

	if (flags & IOMMU_IOAS_MAP_WRITEABLE)
		prot |= IOMMU_WRITE;
	if (flags & IOMMU_IOAS_MAP_READABLE)
		prot |= IOMMU_READ;
	return (struct iopt_map_args){
		.iova = iova,
		.alloc_iova = !(flags & IOMMU_IOAS_MAP_FIXED_IOVA),
		.length = length,
		.prot = prot,
	};
}

/* If that fails the mapping goes again: nobody would know of it. */
static int respond_iova(struct iommufd_ucmd *ucmd, size_t iova_offset,
			struct iommufd_ioas *ioas,
			const struct iopt_map_args *args)
{
	u64 iova = args->iova;
	unsigned long unmapped;

	if (!copy_to_user(ucmd->ubuffer + iova_offset, &iova, sizeof(iova)))
		return 0;
	iopt_unmap(&ioas->iopt, args->iova, args->iova + args->length - 1,
		   IOPT_UNMAP_NATIVE, &unmapped);
	return -EFAULT;
}

/* Tell userspace where it was mapped, unless it said so itself. */
static __always_inline int respond_mapped(struct iommufd_ucmd *ucmd,
					  size_t iova_offset,
					  struct iommufd_ioas *ioas,
					  const struct iopt_map_args *args)
{
	return args->alloc_iova ? respond_iova(ucmd, iova_offset, ioas, args) :
				  0;
}

static int map_memory(struct iommufd_ucmd *ucmd, struct iommufd_ioas *ioas)
{
	struct iommu_ioas_map *cmd = ucmd->cmd;
	struct iopt_map_args args = map_args(cmd->flags, cmd->iova, cmd->length);
	struct iommufd_owner *owner;
	int rc;

	owner = iommufd_owner_get(&ucmd->ictx->owners);
	if (IS_ERR(owner))
		return PTR_ERR(owner);
	rc = iopt_map_user_pages(&ioas->iopt, owner,
				 READ_ONCE(ucmd->ictx->account_mode),
				 cmd->user_va, &args);
	iommufd_owner_put(owner);
	if (rc)
		return rc;
	return respond_mapped(ucmd, offsetof(typeof(*cmd), iova), ioas, &args);
}

int iommufd_ioas_map(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	rc = check_map_args(cmd->flags, cmd->iova, cmd->length);
	if (rc)
		return rc;
	ioas = iommufd_ioas_find(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = map_memory(ucmd, ioas);
	iommufd_object_done(&ioas->obj);
	return rc;
}

static int map_file(struct iommufd_ucmd *ucmd, struct iommufd_ioas *ioas,
		    struct file *file)
{
	struct iommu_ioas_map_file *cmd = ucmd->cmd;
	struct iopt_map_args args = map_args(cmd->flags, cmd->iova, cmd->length);
	struct iommufd_owner *owner;
	int rc;

	owner = iommufd_owner_get(&ucmd->ictx->owners);
	if (IS_ERR(owner))
		return PTR_ERR(owner);
	rc = iopt_map_file(&ioas->iopt, owner,
			   READ_ONCE(ucmd->ictx->account_mode), file,
			   cmd->start, &args);
	iommufd_owner_put(owner);
	if (rc)
		return rc;
	return respond_mapped(ucmd, offsetof(typeof(*cmd), iova), ioas, &args);
}

int iommufd_ioas_map_file(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map_file *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	struct file *file;
	int rc;

	rc = check_map_args(cmd->flags, cmd->iova, cmd->length);
	if (rc)
		return rc;
	if (!cmd->length)
		return -EINVAL;
	file = fget(cmd->fd);
	if (!file)
		return -EBADF;
	rc = iommufd_file_check(file, cmd->flags & IOMMU_IOAS_MAP_WRITEABLE,
				cmd->start, cmd->length);
	if (rc)
		goto out_fput;
	ioas = iommufd_ioas_find(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas)) {
		rc = PTR_ERR(ioas);
		goto out_fput;
	}
	rc = map_file(ucmd, ioas, file);
	iommufd_object_done(&ioas->obj);
out_fput:
	fput(file);
	return rc;
}

int iommufd_ioas_change_process(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_change_process *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ictx;
	struct iommufd_owner *owner;
	struct iommufd_object *obj;
	struct iommufd_ioas *ioas;
	LIST_HEAD(changes);
	unsigned long id;
	int rc = 0;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	owner = iommufd_owner_get(&ictx->owners);
	if (IS_ERR(owner))
		return PTR_ERR(owner);

	rc = mutex_lock_killable(&ictx->change_lock);
	if (rc)
		goto out_put;
	xa_for_each(&ictx->objects, id, obj) {
		ioas = iommufd_ioas_find(ictx, id);
		if (IS_ERR(ioas))
			continue;
		rc = iopt_charge_next(&ioas->iopt, owner, &changes);
		iommufd_object_done(&ioas->obj);
		if (rc)
			break;
	}
	iopt_change_owner(&changes, owner, rc);
	mutex_unlock(&ictx->change_lock);
out_put:
	iommufd_owner_put(owner);
	return rc;
}

static int copy_mapping(struct iommufd_ucmd *ucmd, struct iommufd_ioas *dst,
			struct iommufd_ioas *src)
{
	struct iommu_ioas_copy *cmd = ucmd->cmd;
	struct iopt_map_args args =
		map_args(cmd->flags, cmd->dst_iova, cmd->length);
	int rc;

	rc = iopt_copy(&dst->iopt, &src->iopt, cmd->src_iova, &args);
	if (rc)
		return rc;
	return respond_mapped(ucmd, offsetof(typeof(*cmd), dst_iova), dst,
			      &args);
}

int iommufd_ioas_copy(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_copy *cmd = ucmd->cmd;
	struct iommufd_ioas *src, *dst;
	int rc;

	rc = check_map_args(cmd->flags, cmd->dst_iova, cmd->length);
	if (rc)
		return rc;
	if (cmd->src_iova >= ULONG_MAX)
		return -EOVERFLOW;

	src = iommufd_ioas_find(ucmd->ictx, cmd->src_ioas_id);
	if (IS_ERR(src))
		return PTR_ERR(src);
	dst = iommufd_ioas_find(ucmd->ictx, cmd->dst_ioas_id);
	if (IS_ERR(dst)) {
		rc = PTR_ERR(dst);
	} else {
		rc = copy_mapping(ucmd, dst, src);
		iommufd_object_done(&dst->obj);
	}
	iommufd_object_done(&src->obj);
	return rc;
}

int iommufd_ioas_unmap(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_unmap *cmd = ucmd->cmd;
	bool all = !cmd->iova && cmd->length == U64_MAX;
	unsigned long last = ULONG_MAX, unmapped;
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_ioas_find(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	rc = 0;
	if (!all) {
		if (!cmd->length)
			rc = -EINVAL;
		else if (cmd->iova >= ULONG_MAX || cmd->length >= ULONG_MAX ||
			 check_add_overflow((unsigned long)cmd->iova,
					    (unsigned long)cmd->length - 1,
					    &last))
			rc = -EOVERFLOW;
	}
	if (!rc)
		rc = iopt_unmap(&ioas->iopt, cmd->iova, last, IOPT_UNMAP_NATIVE,
				&unmapped);
	if (!rc && !unmapped && !all)
		rc = -ENOENT;
	if (!rc && put_user(unmapped,
			    (u64 __user *)(ucmd->ubuffer +
					   offsetof(typeof(*cmd), length))))
		rc = -EFAULT;
	iommufd_object_done(&ioas->obj);
	return rc;
}

static int option_rlimit_mode(struct iommufd_ctx *ictx,
			      struct iommu_option *cmd)
{
	int rc = 0;

	if (cmd->object_id)
		return -EOPNOTSUPP;
	if (cmd->op == IOMMU_OPTION_OP_GET) {
		cmd->val64 = READ_ONCE(ictx->account_mode) ==
			     IOMMUFD_ACCOUNT_MM;
		return 0;
	}
	if (cmd->op != IOMMU_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;

	xa_lock(&ictx->objects);
	if (!xa_empty(&ictx->objects))
		rc = -EBUSY;
	else if (cmd->val64 > 1)
		rc = -EINVAL;
	else
		WRITE_ONCE(ictx->account_mode, cmd->val64 ?
					       IOMMUFD_ACCOUNT_MM :
					       IOMMUFD_ACCOUNT_USER);
	xa_unlock(&ictx->objects);
	return rc;
}

static int option_huge_pages(struct iommufd_ctx *ictx,
			     struct iommu_option *cmd)
{
	struct iommufd_ioas *ioas;
	int rc = 0;

	ioas = iommufd_ioas_find(ictx, cmd->object_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (cmd->op == IOMMU_OPTION_OP_GET)
		cmd->val64 = !READ_ONCE(ioas->iopt.disable_large_pages);
	else if (cmd->op != IOMMU_OPTION_OP_SET)
		rc = -EOPNOTSUPP;
	else if (cmd->val64 > 1)
		rc = -EINVAL;
	else if (cmd->val64)
		iopt_enable_large_pages(&ioas->iopt);
	else
		rc = iopt_disable_large_pages(&ioas->iopt);
	iommufd_object_done(&ioas->obj);
	return rc;
}

int iommufd_option(struct iommufd_ucmd *ucmd)
{
	struct iommu_option *cmd = ucmd->cmd;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	switch (cmd->option_id) {
	case IOMMU_OPTION_RLIMIT_MODE:
		rc = option_rlimit_mode(ucmd->ictx, cmd);
		break;
	case IOMMU_OPTION_HUGE_PAGES:
		rc = option_huge_pages(ucmd->ictx, cmd);
		break;
	default:
		rc = -EOPNOTSUPP;
	}
	if (rc || cmd->op != IOMMU_OPTION_OP_GET)
		return rc;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
