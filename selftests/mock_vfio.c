// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO devices of the mock IOMMU, in a container as any other: their DMA reaches what is
 * mapped, and nothing else.
 */
#include "mock_vfio.h"

#define IOVA 0x1000000ULL
#define SIZE (16 * PAGE)
#define WR IOMMU_MOCK_DMA_WRITE

static int container, groups[2], devices[2];
static char *mem, *buf;

static void open_all(void)
{
	static const char * const variables[] = { "MOCKVFIO0", "MOCKVFIO1" };
	unsigned int i;

	container = container_open();
	for (i = 0; i != 2; i++) {
		const char *name = name_of(variables[i]);

		groups[i] = group_open(mock_vfio_group(name));
		if (set_container(groups[i], container))
			bail("VFIO_GROUP_SET_CONTAINER");
		if (!i && set_iommu(container, VFIO_TYPE1v2_IOMMU))
			bail("VFIO_SET_IOMMU");
		devices[i] = device_fd(groups[i], name);
		if (devices[i] < 0)
			bail("VFIO_GROUP_GET_DEVICE_FD %s", name);
	}
}

static void close_all(void)
{
	unsigned int i;

	for (i = 0; i != 2; i++) {
		close(devices[i]);
		close(groups[i]);
	}
	close(container);
}

/* So much was copied before that fault. */
static bool cut_off(unsigned int i, uint32_t pasid, uint32_t flags,
		    uint64_t iova, uint64_t done, uint32_t reason)
{
	struct iommu_mock_dma dma;

	if (!mock_vfio_dma(devices[i], &dma, pasid, flags, iova, buf, SIZE) &&
	    dma.out_faulted && dma.out_done == done && dma.out_reason == reason &&
	    dma.out_addr == iova + done && !dma.out_requests)
		return true;
	note("%llu bytes, %u at %#llx", dma.out_done, dma.out_reason,
	     dma.out_addr);
	return false;
}

static bool whole(unsigned int i, uint32_t flags)
{
	struct iommu_mock_dma dma;

	return !mock_vfio_dma(devices[i], &dma, 0, flags, IOVA, buf, SIZE) &&
	       !dma.out_faulted && dma.out_done == SIZE;
}

static void test_device(void)
{
	struct vfio_device_info info = { .argsz = sizeof(info), .flags = 77 };
	struct iommu_mock_stage1 stage1;
	struct iommu_mock_dma dma;

	ok(!ioctl(devices[0], VFIO_DEVICE_GET_INFO, &info) && !info.flags &&
	   !info.num_regions && !info.num_irqs, "a device without anything");
	info.argsz = 8;
	fails(ioctl(devices[0], VFIO_DEVICE_GET_INFO, &info), EINVAL,
	      "a struct too short");
	fails(ioctl(devices[0], VFIO_DEVICE_RESET), ENOTTY, "reset");
	fails(mock_vfio_stage1(devices[0], 0, &stage1), EINVAL,
	      "its page table is no guest's");
	fails(mock_vfio_stage1(devices[0], 5, &stage1), ENOENT, "no PASID");
	fails(mock_vfio_dma(devices[0], &dma, 0, 0, IOVA, buf, 0), EINVAL,
	      "no bytes");
	fails(ioctl(devices[0], MOCK_VFIO_DMA, NULL), EFAULT, "no struct");
	fails(mock_vfio_stage1(devices[0], UINT32_MAX, &stage1), ENOENT,
	      "no PASID 2^32 - 1");
	dma.length = 8;
	dma.dev_id = 1;
	fails(ioctl(devices[0], MOCK_VFIO_DMA, &dma), EINVAL,
	      "an id of a device");
}

static void test_dma(void)
{
	unsigned int i;

	ok(cut_off(0, 0, 0, IOVA, 0, IOMMU_FAULT_REASON_ACCESS),
	   "nothing is mapped");
	ok(!dma_map(container, IOVA, mem, SIZE), "map");
	for (i = 0; i != 2; i++) {
		fill_pattern(mem, SIZE, 10 + i);
		ok(whole(i, 0) && check_pattern(buf, SIZE, 10 + i) == -1,
		   "device %u reads", i);
		fill_pattern(buf, SIZE, 20 + i);
		ok(whole(i, WR) && check_pattern(mem, SIZE, 20 + i) == -1,
		   "and writes");
		ok(cut_off(i, 0, WR, IOVA + 3 * PAGE + 5, SIZE - 3 * PAGE - 5,
			   IOMMU_FAULT_REASON_ACCESS), "as far as it goes");
		ok(cut_off(i, 5, 0, IOVA, 0, IOMMU_FAULT_REASON_PASID_INVALID),
		   "with a PASID nothing");
	}
	ok(!dma_unmap(container, IOVA, SIZE, NULL) &&
	   cut_off(0, 0, WR, IOVA, 0, IOMMU_FAULT_REASON_ACCESS) &&
	   cut_off(1, 0, 0, IOVA, 0, IOMMU_FAULT_REASON_ACCESS), "unmap");
	ok(!dma_map_flags(container, IOVA, mem, SIZE, VFIO_DMA_MAP_FLAG_READ) &&
	   whole(0, 0) && whole(1, IOMMU_MOCK_DMA_EXEC) &&
	   cut_off(0, 0, WR, IOVA, 0, IOMMU_FAULT_REASON_ACCESS), "read-only");
}

/* A device whose group leaves has nothing; the other one goes on. */
static void test_leave(void)
{
	ok(!close(devices[1]) && !ioctl(groups[1], VFIO_GROUP_UNSET_CONTAINER) &&
	   whole(0, 0), "one leaves");
	fails(device_fd(groups[1], name_of("MOCKVFIO1")), EINVAL,
	      "without a container there is no device");
	ok(!set_container(groups[1], container), "it comes back");
	devices[1] = device_fd(groups[1], name_of("MOCKVFIO1"));
	ok(devices[1] >= 0 && whole(1, 0), "and sees the same");
}

int main(void)
{
	mem = alloc_pages(SIZE);
	buf = alloc_pages(SIZE);
	open_all();
	test_device();
	test_dma();
	test_leave();
	close_all();
	/* With mappings, and once more */
	open_all();
	ok(!dma_map(container, IOVA, mem, SIZE) && whole(0, 0), "again");
	close_all();
	return tap_done();
}
