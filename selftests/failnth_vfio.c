// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection sweep (see failnth_util.h) over VFIO programs: open, join,
 * SET_IOMMU, map, leave and come back, a second group, and native ioctls on an
 * address space that a group is attached to, also one that was filled before.
 *
 * Runs on a symlink to /dev/iommu and on vfio.ko's own node.
 */
#include "edu.h"
#include "failnth_container.h"
#include "iommu_util.h"

#define IOVA 0x1000000ULL
#define N 40U
#define SIZE (N * PAGE)

static struct vfio_pci_addr addr[2];
static char *absent, *later, *scattered;
static int group2;
static uint32_t a, b;

static void close_all(void)
{
	close_fd(&group);
	close_fd(&group2);
	close_fd(&container);
}

static void open_nothing(void)
{
	container = -1;
	group = -1;
	group2 = -1;
	failnth_make_absent(absent, N);
	failnth_make_absent(later, N);
}

static long step_leave(void)
{
	return ioctl(group, VFIO_GROUP_UNSET_CONTAINER);
}

static long step_set_v1(void)
{
	return set_iommu(container, VFIO_TYPE1_IOMMU);
}

static long step_map(void)
{
	return dma_map(container, IOVA, absent, SIZE);
}

static long step_map_behind(void)
{
	return dma_map(container, IOVA + SIZE, scattered, SIZE);
}

static long step_unmap(void)
{
	return dma_unmap(container, IOVA, SIZE, NULL);
}

static const struct failnth_step container_steps[] = {
	STEP("open container", step_open, 0),
	STEP("open group", step_open_group, 0),
	STEP("SET_CONTAINER", step_join, 0),
	STEP("SET_IOMMU v2", step_set_v2, FN_FALLS_BACK,
	     ENOMEM, EIO),
	STEP("MAP_DMA", step_map, 0),
	STEP("MAP_DMA behind it", step_map_behind, 0),
	STEP("GET_INFO", step_get_info, 0),
	STEP("UNMAP_DMA", step_unmap, FN_COMMITS, EFAULT),
	STEP("UNSET_CONTAINER", step_leave, GONE),
	STEP("SET_CONTAINER again", step_join, 0),
	STEP("SET_IOMMU v1", step_set_v1, FN_FALLS_BACK, ENOMEM, EIO),
	STEP("MAP_DMA again", step_map, 0),
	STEP("close group", step_close_group, GONE),
	STEP("close container", step_close, GONE),
};

static const struct failnth_chain one_group = {
	.name = "container",
	.before = open_nothing,
	.after = close_all,
	.nsteps = sizeof(container_steps) / sizeof(container_steps[0]),
	.steps = container_steps,
};

static void open_two(void)
{
	open_nothing();
	container = container_open();
	group = group_open(group_wanted);
	group2 = group_open(addr[1].group);
}

static long step_open_2(void)
{
	group2 = group_try_open(addr[1].group);
	return group2;
}

static long step_join_2(void)
{
	return set_container(group2, container);
}

static long step_close_2(void)
{
	return try_close(&group2);
}

/*
 * The second group is tried in a domain of its own and moves to that of the
 * first: on the way it goes back to the blocking domain.
 */
static const struct failnth_step two_steps[] = {
	STEP("SET_CONTAINER", step_join, 0),
	STEP("SET_CONTAINER of the second", step_join_2, 0),
	STEP("SET_IOMMU of both", step_set_v2, FN_OURS | FN_FALLS_BACK,
	     ENOMEM, EIO),
	STEP("MAP_DMA", step_map, 0),
	STEP("close the second", step_close_2, GONE),
	STEP("open the second", step_open_2, 0),
	STEP("SET_CONTAINER of the second, to what is mapped", step_join_2,
	     FN_OURS, ENOMEM, EFAULT, EIO),
	STEP("MAP_DMA behind it", step_map_behind, 0),
	STEP("close the first", step_close_group, GONE),
	STEP("UNMAP_DMA", step_unmap, FN_COMMITS, EFAULT),
	STEP("close the second with a mapping", step_close_2, GONE),
	STEP("close container", step_close, GONE),
};

static const struct failnth_chain two_groups = {
	.name = "two groups",
	.before = open_two,
	.after = close_all,
	.nsteps = sizeof(two_steps) / sizeof(two_steps[0]),
	.steps = two_steps,
};

/*
 * The same, each with a domain of its own: what fails in the second has to be
 * undone in the first.
 */
static void open_two_domains(void)
{
	share_domains(false);
	open_two();
}

static void close_two_domains(void)
{
	close_all();
	share_domains(true);
}

static const struct failnth_chain two_domains = {
	.name = "two domains",
	.before = open_two_domains,
	.after = close_two_domains,
	.nsteps = sizeof(two_steps) / sizeof(two_steps[0]),
	.steps = two_steps,
};

/* Nothing is pinned yet: that is the attach's work. */
static void open_filled(void)
{
	open_nothing();
	container = container_open();
	group = group_open(group_wanted);
	if (iommu_option_set(container, IOMMU_OPTION_RLIMIT_MODE, 0, 1))
		bail("OPTION");
	a = ioas_new(container);
	b = ioas_new(container);
	if (ioas_map_at(container, a, absent, SIZE, IOVA, IOAS_RW) ||
	    ioas_map_at(container, a, scattered, SIZE, IOVA + SIZE, IOAS_RW) ||
	    ioas_copy_at(container, b, a, IOVA + SIZE - 3 * PAGE, 6 * PAGE,
			 IOVA, IOAS_RW) ||
	    vfio_ioas_set(container, a))
		bail("fill the IOAS");
}

static long step_native_map(void)
{
	return ioas_map_at(container, a, later, SIZE, IOVA + 2 * SIZE, IOAS_RW);
}

static long step_native_map_chosen(void)
{
	uint64_t iova = 0;

	return ioas_map(container, a, scattered, SIZE, &iova, IOAS_RO);
}

static long step_copy_in(void)
{
	return ioas_copy_at(container, a, b, IOVA, 6 * PAGE, IOVA + 4 * SIZE,
			    IOAS_RW);
}

static long step_copy_out(void)
{
	return ioas_copy_at(container, b, a, IOVA, 2 * SIZE, IOVA + 4 * SIZE,
			    IOAS_RW);
}

static long step_native_unmap(void)
{
	return ioas_unmap(container, a, IOVA, 2 * SIZE, NULL);
}

static long step_map_late(void)
{
	return dma_map(container, IOVA, scattered, SIZE);
}

static long step_destroy_b(void)
{
	return iommu_destroy_id(container, b);
}

static const struct failnth_step filled_steps[] = {
	STEP("SET_CONTAINER", step_join, 0),
	STEP("SET_IOMMU of a filled IOAS", step_set_v2, 0, ENOMEM, EIO),
	STEP("IOAS_MAP", step_native_map, 0),
	STEP("IOAS_MAP, IOVA chosen", step_native_map_chosen, 0),
	STEP("IOAS_COPY into it", step_copy_in, 0),
	STEP("IOAS_COPY out of it", step_copy_out, 0),
	STEP("IOAS_UNMAP", step_native_unmap, FN_COMMITS, EFAULT),
	STEP("MAP_DMA", step_map_late, 0),
	STEP("GET_INFO", step_get_info, 0),
	STEP("UNMAP_DMA", step_unmap, FN_COMMITS, EFAULT),
	STEP("close group", step_close_group, GONE),
	STEP("DESTROY", step_destroy_b, 0, EFAULT),
	STEP("close", step_close, GONE),
};

static const struct failnth_chain filled = {
	.name = "native with a domain",
	.before = open_filled,
	.after = close_all,
	.nsteps = sizeof(filled_steps) / sizeof(filled_steps[0]),
	.steps = filled_steps,
};

/* ------------------------------------------------------------------ */
/* Dirty pages */

/* More than 2 MiB: such a bitmap goes by the heap, and without that as well. */
#define DIRTY_SIZE (4 * MIB)
static uint64_t bits[DIRTY_SIZE / PAGE / 64];
/* START was the last that worked of START and STOP. */
static bool tracking;

static void open_mapped(void)
{
	open_nothing();
	tracking = false;
	container = container_open();
	group = group_open(group_wanted);
	if (step_join() || step_set_v2() || step_map())
		bail("a container with a mapping");
}

static long step_start(void)
{
	long rc = dirty_start(container);

	tracking |= !rc;
	return rc;
}

static long step_stop(void)
{
	long rc = dirty_stop(container);

	tracking &= !!rc;
	return rc;
}

/* What was wrong in what worked has an errno that nothing returns. */
static long right_bits(long rc)
{
	if (rc || bits[0] == (1ULL << N) - 1)
		return rc;
	errno = EPROTO;
	return -1;
}

static long step_get_bitmap(void)
{
	bits[0] = 0;
	return right_bits(dirty_get(container, IOVA, SIZE, sizeof(bits), bits));
}

static long step_get_large_bitmap(void)
{
	bits[0] = 0;
	return right_bits(dirty_get(container, IOVA, DIRTY_SIZE, sizeof(bits), bits));
}

static long step_unmap_bitmap(void)
{
	bits[0] = 0;
	return right_bits(dma_unmap_bitmap(container, IOVA, DIRTY_SIZE, sizeof(bits), bits,
					   NULL));
}

static bool same_tracking(void)
{
	return !dirty_get(container, IOVA, SIZE, sizeof(bits), bits) == tracking;
}

static const struct failnth_step dirty_steps[] = {
	STEP("START", step_start, 0, EFAULT),
	STEP("GET_BITMAP", step_get_bitmap, 0, EFAULT),
	STEP("GET_BITMAP of a large range", step_get_large_bitmap, 0, EFAULT),
	STEP("STOP", step_stop, 0, EFAULT),
	STEP("START again", step_start, 0, EFAULT),
	STEP("UNMAP_DMA with a bitmap", step_unmap_bitmap, FN_COMMITS, EFAULT),
	STEP("close group", step_close_group, GONE),
	STEP("close container", step_close, GONE),
};

static const struct failnth_chain dirty_pages = {
	.name = "dirty pages",
	.before = open_mapped,
	.check = same_tracking,
	.after = close_all,
	.nsteps = sizeof(dirty_steps) / sizeof(dirty_steps[0]),
	.steps = dirty_steps,
};

int main(void)
{
	failnth_init();
	failnth_need_marked_caches();
	if (!edu_find_pair(false, addr))
		bail("two edu devices of two groups");
	group_wanted = addr[0].group;
	absent = failnth_half_present(N);
	later = failnth_half_present(N);
	scattered = failnth_scattered(N);

	failnth_sweep(&one_group);
	failnth_sweep(&two_groups);
	failnth_sweep(&two_domains);
	failnth_sweep(&dirty_pages);
	if (node_is_iommufd())
		failnth_sweep(&filled);
	return tap_done();
}
