// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection sweep (see failnth_util.h) over mappings of another device's BAR: in
 * two domains, for a group that comes later, copied, and looked at only when the first
 * domain comes.
 */
#include "failnth_util.h"
#include "p2p_util.h"

#define IOVA (4 * GIB)
#define COPY_IOVA (64 * MIB)

static struct vfio_pci_addr addr[2];
static struct p2p p;
static uint8_t *bar;
static int container = -1, other = -1, group = -1, group2 = -1;
static uint32_t ioas;

static void close_all(void)
{
	munmap(bar, p.size);
	p2p_close(&p);
	close_fd(&group);
	close_fd(&group2);
	close_fd(&container);
	close_fd(&other);
	share_domains(true);
}

/* That device's container, and its BAR, which nobody has touched yet */
static void open_p2p(int in)
{
	p2p_open(&p, "P2P0", in);
	bar = p2p_map_bar(&p);
}

static int container_with(const struct vfio_pci_addr *dev, int *fd)
{
	int new = container_open();

	*fd = group_open(dev->group);
	if (set_container(*fd, new) || set_iommu(new, VFIO_TYPE1v2_IOMMU))
		bail("a container with group %d", dev->group);
	return new;
}

static void open_mapped(void)
{
	share_domains(false);
	container = container_with(&addr[0], &group);
	if (vfio_ioas_get(container, &ioas))
		bail("IOMMU_VFIO_IOAS");
	open_p2p(container);
	group2 = group_open(addr[1].group);
}

static long step_map(void)
{
	return dma_map(container, IOVA, bar, p.size);
}

static long step_copy(void)
{
	return ioas_copy_at(container, ioas, ioas, IOVA + PAGE, 2 * PAGE, COPY_IOVA, IOAS_RW);
}

static long step_join_2(void)
{
	return set_container(group2, container);
}

static long step_get_bitmap(void)
{
	static uint64_t bits[64];

	return dirty_get(container, IOVA, p.size, p.size / PAGE / 8, bits);
}

static long step_start(void)
{
	return dirty_start(container);
}

static long step_stop(void)
{
	return dirty_stop(container);
}

static long step_unmap(void)
{
	return dma_unmap(container, IOVA, p.size, NULL);
}

static long step_unmap_copy(void)
{
	return dma_unmap(container, COPY_IOVA, 2 * PAGE, NULL);
}

static const struct failnth_step mapped_steps[] = {
	STEP("MAP_DMA of a BAR", step_map, 0),
	STEP("IOAS_COPY of it", step_copy, 0),
	STEP("SET_CONTAINER of another group", step_join_2, FN_OURS, ENOMEM, EFAULT, EIO),
	STEP("DIRTY_PAGES START", step_start, 0),
	STEP("GET_BITMAP", step_get_bitmap, 0),
	STEP("STOP", step_stop, 0),
	STEP("UNMAP_DMA", step_unmap, FN_COMMITS, EFAULT),
	STEP("UNMAP_DMA of the copy", step_unmap_copy, FN_COMMITS, EFAULT),
};

static const struct failnth_chain mapped = {
	.name = "mapped",
	.before = open_mapped,
	.after = close_all,
	.nsteps = sizeof(mapped_steps) / sizeof(mapped_steps[0]),
	.steps = mapped_steps,
};

static void open_filled(void)
{
	other = container_with(&addr[1], &group2);
	open_p2p(other);
	container = container_open();
	group = group_open(addr[0].group);
	ioas = ioas_new(container);
	if (ioas_map_at(container, ioas, bar, p.size, IOVA, IOAS_RW) ||
	    vfio_ioas_set(container, ioas))
		bail("fill the IOAS");
}

static long step_join(void)
{
	return set_container(group, container);
}

static long step_set_iommu(void)
{
	return set_iommu(container, VFIO_TYPE1v2_IOMMU);
}

static const struct failnth_step filled_steps[] = {
	STEP("SET_CONTAINER", step_join, 0),
	STEP("SET_IOMMU, with a BAR mapped before", step_set_iommu, 0, ENOMEM, EFAULT, EIO),
	STEP("IOAS_COPY of it", step_copy, 0),
	STEP("UNMAP_DMA", step_unmap, FN_COMMITS, EFAULT),
};

static const struct failnth_chain filled = {
	.name = "mapped before",
	.before = open_filled,
	.after = close_all,
	.nsteps = sizeof(filled_steps) / sizeof(filled_steps[0]),
	.steps = filled_steps,
};

int main(void)
{
	failnth_init();
	failnth_need_marked_caches();
	if (!edu_find_pair(false, addr))
		bail("two edu devices of two groups");
	failnth_sweep(&mapped);
	failnth_sweep(&filled);
	return tap_done();
}
