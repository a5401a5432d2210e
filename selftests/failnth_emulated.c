// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection sweep (see failnth_util.h) over a group without an IOMMU: its driver
 * pins, copies and unpins, also while dirty pages are tracked, and is told of an unmap.
 */
#include "emulated.h"
#include "failnth_container.h"

#define IOVA 0x1000000ULL
#define NPAGES 8U
/* What is pinned, what is written to without that */
#define PINS 3U
#define WRITTEN (IOVA + 5 * PAGE - 4)

static char *mem;
static int device;

static void close_all(void)
{
	close_fd(&device);
	close_fd(&group);
	close_fd(&container);
}

static void open_nothing(void)
{
	container = -1;
	group = -1;
	device = -1;
}

static void open_device(void)
{
	open_nothing();
	container = container_open();
	group = group_open(group_wanted);
	if (set_container(group, container) || set_iommu(container, VFIO_TYPE1v2_IOMMU) ||
	    dma_map(container, IOVA, mem, NPAGES * PAGE))
		bail("a container with an emulated group");
	device = emulated_device(group, 0);
	if (device < 0)
		bail("GET_DEVICE_FD");
}

static long step_open_device(void)
{
	device = emulated_device(group, 0);
	return device;
}

static long step_close_device(void)
{
	return try_close(&device);
}

static long step_map(void)
{
	return dma_map(container, IOVA, mem, NPAGES * PAGE);
}

static long step_pin(void)
{
	return emulated_pin(device, IOVA, PINS, 3, NULL);
}

static long step_unpin(void)
{
	return emulated_unpin(device, IOVA, PINS);
}

static long step_write(void)
{
	uint64_t word = 0;

	return emulated_rw(device, WRITTEN, &word, sizeof(word), true);
}

static long step_read(void)
{
	uint64_t word;

	return emulated_rw(device, WRITTEN, &word, sizeof(word), false);
}

static long step_start(void)
{
	return dirty_start(container);
}

/* What was wrong in what worked has an errno that nothing returns. */
static long wanted(long rc, uint64_t bits, uint64_t want)
{
	if (rc || bits == want)
		return rc;
	note("the bits are %llx", (unsigned long long)bits);
	errno = EPROTO;
	return -1;
}

static long step_get_pinned(void)
{
	uint64_t bits = 0;
	long rc = dirty_get(container, IOVA, NPAGES * PAGE, sizeof(bits), &bits);

	return wanted(rc, bits, (1 << PINS) - 1);
}

static long step_get_written(void)
{
	uint64_t bits = 0;
	long rc = dirty_get(container, IOVA, NPAGES * PAGE, sizeof(bits), &bits);

	return wanted(rc, bits, ((1 << PINS) - 1) | 0x30);
}

static long step_get_none(void)
{
	uint64_t bits = 0;
	long rc = dirty_get(container, IOVA, NPAGES * PAGE, sizeof(bits), &bits);

	return wanted(rc, bits, 0);
}

static long step_unmap(void)
{
	return dma_unmap(container, IOVA, NPAGES * PAGE, NULL);
}

static long step_unmap_bitmap(void)
{
	uint64_t bits = 0;
	long rc = dma_unmap_bitmap(container, IOVA, NPAGES * PAGE, sizeof(bits), &bits, NULL);

	return wanted(rc, bits, (1 << PINS) - 1);
}

static const struct failnth_step group_steps[] = {
	STEP("open container", step_open, 0),
	STEP("open group", step_open_group, 0),
	STEP("SET_CONTAINER", step_join, 0),
	STEP("SET_IOMMU", step_set_v2, 0),
	STEP("MAP_DMA", step_map, 0),
	STEP("GET_DEVICE_FD", step_open_device, 0, ENOMEM, EFAULT, ENFILE),
	STEP("pin", step_pin, FN_COMMITS),
	STEP("close device with pins", step_close_device, GONE),
	STEP("GET_DEVICE_FD again", step_open_device, 0, ENOMEM, EFAULT, ENFILE),
	STEP("pin again", step_pin, FN_COMMITS),
	STEP("UNMAP_DMA of what is pinned", step_unmap, FN_COMMITS, EFAULT),
	STEP("close device", step_close_device, GONE),
	STEP("close group", step_close_group, GONE),
	STEP("close container", step_close, GONE),
};

static const struct failnth_chain emulated_group_chain = {
	.name = "emulated group",
	.before = open_nothing,
	.after = close_all,
	.nsteps = sizeof(group_steps) / sizeof(group_steps[0]),
	.steps = group_steps,
};

static const struct failnth_step dirty_steps[] = {
	STEP("read", step_read, 0),
	STEP("write", step_write, 0),
	STEP("START", step_start, 0, EFAULT),
	STEP("pin", step_pin, FN_COMMITS),
	STEP("GET_BITMAP of what is pinned", step_get_pinned, 0, EFAULT),
	STEP("write, which is remembered", step_write, 0),
	STEP("unpin, which is remembered", step_unpin, 0, EFAULT),
	STEP("GET_BITMAP of what was written to", step_get_written, 0, EFAULT),
	STEP("GET_BITMAP of nothing", step_get_none, 0, EFAULT),
	STEP("pin again", step_pin, FN_COMMITS),
	STEP("UNMAP_DMA with a bitmap", step_unmap_bitmap, FN_COMMITS, EFAULT),
	STEP("close device", step_close_device, GONE),
	STEP("close group", step_close_group, GONE),
	STEP("close container", step_close, GONE),
};

static const struct failnth_chain dirty_chain = {
	.name = "dirty pages",
	.before = open_device,
	.after = close_all,
	.nsteps = sizeof(dirty_steps) / sizeof(dirty_steps[0]),
	.steps = dirty_steps,
};

int main(void)
{
	failnth_init();
	failnth_need_marked_caches();
	group_wanted = emulated_group(0);
	mem = failnth_scattered(NPAGES);
	failnth_sweep(&emulated_group_chain);
	failnth_sweep(&dirty_chain);
	return tap_done();
}
