// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection sweep (see failnth_util.h) over the native ioctls, and over
 * VFIO's container ioctls on /dev/iommu without a group, with nothing attached.
 */
#include "failnth_util.h"
#include "iommu_util.h"

#define IOVA 0x100000ULL
#define N 40U

static char *absent, *scattered;
static int fd;
static uint32_t a, b;
static uint64_t chosen;

static void open_nothing(void)
{
	fd = -1;
	failnth_make_absent(absent, N);
}

static void close_all(void)
{
	if (fd >= 0)
		close(fd);
}

static long step_open(void)
{
	fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	return fd;
}

static long step_close(void)
{
	int was = fd;

	fd = -1;
	return close(was);
}

static long step_rlimit_mode(void)
{
	return iommu_option_set(fd, IOMMU_OPTION_RLIMIT_MODE, 0, 1);
}

static long step_alloc_a(void)
{
	return ioas_alloc(fd, &a);
}

static long step_alloc_b(void)
{
	return ioas_alloc(fd, &b);
}

static long step_allow(void)
{
	static const struct iommu_iova_range ranges[3] = {
		{ 0, 0xffffffff },
		{ 1ULL << 32, (1ULL << 33) - 1 },
		{ 1ULL << 40, (1ULL << 41) - 1 },
	};
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = a,
		.num_iovas = 3,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

static long step_ranges(void)
{
	static struct iommu_iova_range ranges[16];
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = a,
		.num_iovas = 16,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd);
}

static long step_option_set(void)
{
	return iommu_option_set(fd, IOMMU_OPTION_HUGE_PAGES, a, 0);
}

static long step_option_get(void)
{
	return iommu_option_get(fd, IOMMU_OPTION_HUGE_PAGES, a) == 0 ? 0 : -1;
}

static long step_map_absent(void)
{
	return ioas_map_at(fd, a, absent, N * PAGE, IOVA, IOAS_RW);
}

static long step_map_scattered(void)
{
	return ioas_map_at(fd, a, scattered, N * PAGE, IOVA + N * PAGE,
			   IOAS_RW);
}

static long step_map_chosen(void)
{
	chosen = 0;
	return ioas_map(fd, a, scattered, N * PAGE, &chosen, IOAS_RO);
}

/* The end of one mapping and the start of the next */
static long step_copy(void)
{
	return ioas_copy_at(fd, b, a, IOVA + (N - 3) * PAGE, 6 * PAGE, IOVA,
			    IOAS_RW);
}

static long step_vfio_set(void)
{
	return vfio_ioas_set(fd, a);
}

static long step_vfio_get(void)
{
	uint32_t got;

	return vfio_ioas_get(fd, &got);
}

static long step_vfio_clear(void)
{
	return vfio_ioas_clear(fd);
}

static long step_unmap_all_b(void)
{
	return ioas_unmap_all(fd, b, NULL);
}

static long step_unmap(void)
{
	return ioas_unmap(fd, a, IOVA, N * PAGE, NULL);
}

static long step_destroy_a(void)
{
	return iommu_destroy_id(fd, a);
}

static const struct failnth_step native_steps[] = {
	STEP("open", step_open, 0),
	STEP("OPTION SET RLIMIT_MODE", step_rlimit_mode, 0),
	STEP("IOAS_ALLOC", step_alloc_a, 0),
	STEP("IOAS_ALLOC of a second", step_alloc_b, 0),
	STEP("IOAS_ALLOW_IOVAS", step_allow, 0),
	STEP("IOAS_IOVA_RANGES", step_ranges, 0),
	STEP("OPTION SET HUGE_PAGES", step_option_set, 0, EFAULT),
	STEP("OPTION GET HUGE_PAGES", step_option_get, 0, EFAULT),
	STEP("IOAS_MAP", step_map_absent, 0),
	STEP("IOAS_MAP behind it", step_map_scattered, 0),
	STEP("IOAS_MAP, IOVA chosen", step_map_chosen, 0),
	STEP("IOAS_COPY of parts of two", step_copy, 0),
	STEP("VFIO_IOAS SET", step_vfio_set, 0, EFAULT),
	STEP("VFIO_IOAS GET", step_vfio_get, 0, EFAULT),
	STEP("IOAS_UNMAP of all", step_unmap_all_b, FN_COMMITS, EFAULT),
	STEP("IOAS_UNMAP", step_unmap, FN_COMMITS, EFAULT),
	STEP("DESTROY with mappings", step_destroy_a, 0, EFAULT),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain native = {
	.name = "native",
	.before = open_nothing,
	.after = close_all,
	.nsteps = sizeof(native_steps) / sizeof(native_steps[0]),
	.steps = native_steps,
};

static long step_api_version(void)
{
	return ioctl(fd, VFIO_GET_API_VERSION);
}

static long step_extension(void)
{
	return ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) - 1;
}

static long step_set_v1(void)
{
	return set_iommu(fd, VFIO_TYPE1_IOMMU);
}

static long step_set_v2(void)
{
	return set_iommu(fd, VFIO_TYPE1v2_IOMMU);
}

static long step_dma_map(void)
{
	return dma_map(fd, IOVA, absent, N * PAGE);
}

static long step_dma_map_behind(void)
{
	return dma_map(fd, IOVA + N * PAGE, scattered, N * PAGE);
}

static long step_get_info(void)
{
	static char buf[4096];
	struct vfio_iommu_type1_info *info = (void *)buf;

	info->argsz = sizeof(buf);
	return ioctl(fd, VFIO_IOMMU_GET_INFO, info);
}

/* Two cuts: from inside the first mapping to inside the second */
static long step_dma_unmap_cut(void)
{
	return dma_unmap(fd, IOVA + 10 * PAGE, N * PAGE, NULL);
}

static long step_dma_unmap(void)
{
	return dma_unmap(fd, IOVA, N * PAGE, NULL);
}

static long step_dma_unmap_all(void)
{
	return dma_unmap_all(fd, NULL);
}

static const struct failnth_step v1_steps[] = {
	STEP("open", step_open, 0),
	STEP("IOAS_ALLOC", step_alloc_a, 0),
	STEP("VFIO_IOAS SET", step_vfio_set, 0, EFAULT),
	STEP("GET_API_VERSION", step_api_version, FN_NO_POINTS),
	STEP("CHECK_EXTENSION", step_extension, FN_NO_POINTS),
	STEP("SET_IOMMU", step_set_v1, FN_NO_POINTS),
	STEP("MAP_DMA", step_dma_map, 0),
	STEP("MAP_DMA behind it", step_dma_map_behind, 0),
	STEP("GET_INFO", step_get_info, 0),
	STEP("UNMAP_DMA that cuts two", step_dma_unmap_cut, FN_COMMITS),
	STEP("UNMAP_ALL", step_dma_unmap_all, FN_COMMITS, EFAULT),
	STEP("VFIO_IOAS CLEAR", step_vfio_clear, 0, EFAULT),
	STEP("DESTROY", step_destroy_a, 0, EFAULT),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain v1 = {
	.name = "type1 without a group",
	.before = open_nothing,
	.after = close_all,
	.nsteps = sizeof(v1_steps) / sizeof(v1_steps[0]),
	.steps = v1_steps,
};

static const struct failnth_step v2_steps[] = {
	STEP("open", step_open, 0),
	STEP("IOAS_ALLOC", step_alloc_a, 0),
	STEP("VFIO_IOAS SET", step_vfio_set, 0, EFAULT),
	STEP("SET_IOMMU", step_set_v2, FN_NO_POINTS),
	STEP("MAP_DMA", step_dma_map, 0),
	STEP("MAP_DMA behind it", step_dma_map_behind, 0),
	STEP("UNMAP_DMA", step_dma_unmap, FN_COMMITS, EFAULT),
	STEP("GET_INFO", step_get_info, 0),
	STEP("close with a mapping", step_close, FN_NO_POINTS),
};

static const struct failnth_chain v2 = {
	.name = "type1v2 without a group",
	.before = open_nothing,
	.after = close_all,
	.nsteps = sizeof(v2_steps) / sizeof(v2_steps[0]),
	.steps = v2_steps,
};

int main(void)
{
	failnth_init();
	absent = failnth_half_present(N);
	scattered = failnth_scattered(N);

	failnth_sweep(&native);
	failnth_sweep(&v1);
	failnth_sweep(&v2);
	return tap_done();
}
