/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is measured, by which ioctls: the rest of the benchmark knows nothing of
 * the difference.
 */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include "iommu_util.h"
#include "backing.h"

/* Memory, and where it is mapped.  @backing says of what kind it is. */
struct range {
	const struct backing *backing;
	uint64_t offset;
	uint64_t size;
	uint64_t iova;
};

struct side;

/**
 * struct side_ops - one way to ask for it
 * @name: type1, container or native
 * @node: file that is a container
 * @limit: parameter that limits the mappings of a container; NULL: none does
 * @nothing: an ioctl that does nothing
 * @map: map a range
 * @unmap: unmap the range
 * @unmap_all: unmap whatever is mapped
 * @get_bitmap: which pages of the range are dirty; NULL: cannot be asked
 * @unmap_bitmap: the same, and unmap the range, as far as it is mapped
 *
 * The functions return 0 for success.
 */
struct side_ops {
	const char *name;
	const char *node;
	const char *limit;
	int (*nothing)(const struct side *side, const struct range *r);
	int (*map)(const struct side *side, const struct range *r);
	int (*unmap)(const struct side *side, const struct range *r);
	int (*unmap_all)(const struct side *side, const struct range *r);
	int (*get_bitmap)(const struct side *side, const struct range *r);
	int (*unmap_bitmap)(const struct side *side, const struct range *r);
};

/**
 * struct side - an address space with groups
 * @ops: whose it is
 * @fd: container, or open file of /dev/iommu that is one
 * @ioas: native only: the IOAS that the groups are attached to
 * @group: the groups' files
 * @ngroups: how many
 */
struct side {
	const struct side_ops *ops;
	int fd;
	uint32_t ioas;
	int group[2];
	int ngroups;
};

static inline void *range_va(const struct range *r)
{
	return r->backing->va + r->offset;
}

static inline int container_nothing(const struct side *side, const struct range *r)
{
	(void)r;
	return ioctl(side->fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION;
}

static inline int container_map(const struct side *side, const struct range *r)
{
	return dma_map(side->fd, r->iova, range_va(r), r->size);
}

static inline int container_unmap(const struct side *side, const struct range *r)
{
	uint64_t done;

	return dma_unmap(side->fd, r->iova, r->size, &done) || done != r->size;
}

static inline int container_unmap_all(const struct side *side, const struct range *r)
{
	uint64_t done;

	return dma_unmap_all(side->fd, &done) || done != r->size;
}

/* Where bits go; the caller's pages are there, and zero enough */
static uint64_t dirty_bits[GIB / PAGE / 64];

static inline int container_get_bitmap(const struct side *side, const struct range *r)
{
	return dirty_get(side->fd, r->iova, r->size, sizeof(dirty_bits), dirty_bits);
}

static inline int container_unmap_bitmap(const struct side *side, const struct range *r)
{
	return dma_unmap_bitmap(side->fd, r->iova, r->size, sizeof(dirty_bits), dirty_bits, NULL);
}

static inline int native_nothing(const struct side *side, const struct range *r)
{
	(void)r;
	return iommu_option_get(side->fd, IOMMU_OPTION_RLIMIT_MODE, 0) > 1;
}

static inline int native_map(const struct side *side, const struct range *r)
{
	if (r->backing->kind == MEMFD_FILE)
		return ioas_map_file_at(side->fd, side->ioas, r->backing->fd,
					r->offset, r->size, r->iova, IOAS_RW);
	return ioas_map_at(side->fd, side->ioas, range_va(r), r->size, r->iova, IOAS_RW);
}

static inline int native_unmap(const struct side *side, const struct range *r)
{
	uint64_t done;

	return ioas_unmap(side->fd, side->ioas, r->iova, r->size, &done) || done != r->size;
}

static inline int native_unmap_all(const struct side *side, const struct range *r)
{
	uint64_t done;

	return ioas_unmap_all(side->fd, side->ioas, &done) || done != r->size;
}

enum side_kind { TYPE1, CONTAINER, NATIVE, SIDE_KINDS };

static const struct side_ops all_sides[SIDE_KINDS] = {
	[TYPE1] = {
		.name = "type1",
		.node = STOCK_NODE,
		.limit = STOCK_LIMIT,
		.nothing = container_nothing,
		.map = container_map,
		.unmap = container_unmap,
		.unmap_all = container_unmap_all,
		.get_bitmap = container_get_bitmap,
		.unmap_bitmap = container_unmap_bitmap,
	},
	[CONTAINER] = {
		.name = "container",
		.node = VFIO_NODE,
		.limit = OUR_LIMIT,
		.nothing = container_nothing,
		.map = container_map,
		.unmap = container_unmap,
		.unmap_all = container_unmap_all,
		.get_bitmap = container_get_bitmap,
		.unmap_bitmap = container_unmap_bitmap,
	},
	[NATIVE] = {
		.name = "native",
		.node = VFIO_NODE,
		.nothing = native_nothing,
		.map = native_map,
		.unmap = native_unmap,
		.unmap_all = native_unmap_all,
	},
};

/* @ngroups groups, of a device each, in one address space of a VFIO container of @type */
static inline void side_open_type(struct side *side, const struct side_ops *ops, int ngroups,
				  unsigned long type)
{
	struct vfio_pci_addr addr[2];
	int i;

	if (!edu_find_pair(false, addr))
		bail("needs two edu devices in two groups");
	memset(side, 0, sizeof(*side));
	side->ops = ops;
	side->fd = open(ops->node, O_RDWR | O_CLOEXEC);
	if (side->fd < 0)
		bail("open %s", ops->node);
	side->ngroups = ngroups;
	for (i = 0; i != ngroups; i++) {
		side->group[i] = group_open(addr[i].group);
		if (set_container(side->group[i], side->fd))
			bail("SET_CONTAINER");
		if (!i && set_iommu(side->fd, type))
			bail("SET_IOMMU");
	}
	if (ops == &all_sides[NATIVE] && vfio_ioas_get(side->fd, &side->ioas))
		bail("IOMMU_VFIO_IOAS");
}

static inline void side_open(struct side *side, const struct side_ops *ops, int ngroups)
{
	side_open_type(side, ops, ngroups, VFIO_TYPE1v2_IOMMU);
}

static inline void side_close(struct side *side)
{
	int i;

	for (i = 0; i != side->ngroups; i++)
		close(side->group[i]);
	close(side->fd);
}

#endif
