// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory without struct page: a device's registers, as vfio-pci maps them into a
 * process.  Mapped for DMA, nothing of it is pinned or charged; behind ordinary
 * memory, in one mapping, they are refused, and nothing stays of the attempt.
 * vfio_p2p has the DMA.
 *
 * known-bugs.md row 32.
 */
#include "edu.h"
#include "iommu_util.h"

#define IOVA (1 * GIB)

static struct edu_session s;
static uint64_t locked;
static int64_t pins;

static void refused(const void *va, uint64_t size, uint32_t flags,
		    const char *what)
{
	fails(dma_map_flags(s.container, IOVA, va, size, flags), EFAULT, "%s",
	      what);
	ok(pins_held() == pins && vmlck(getpid()) == locked,
	   "%s: nothing is pinned or charged", what);
}

static void accepted(const void *va, uint64_t size, uint32_t flags,
		     const char *what)
{
	uint64_t unmapped = 0;

	ok(dma_map_flags(s.container, IOVA, va, size, flags) == 0, "%s", what);
	ok(pins_held() == pins && vmlck(getpid()) == locked,
	   "%s: nothing is pinned or charged", what);
	ok(dma_unmap(s.container, IOVA, size, &unmapped) == 0 && unmapped == size,
	   "%s: unmapped", what);
}

int main(void)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_pci_addr addr = edu_first();
	uint8_t *mem, *bar;
	uint32_t ioas;

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	pins = pins_held();
	locked = vmlck(getpid());
	bar = (uint8_t *)s.edu.bar;

	accepted(bar, PAGE, MAP_RW, "a BAR");
	accepted(bar, PAGE, VFIO_DMA_MAP_FLAG_READ, "a BAR, read only");
	accepted(bar, s.edu.bar_size, MAP_RW, "all of it");

	/* The same BAR once more, behind a page of memory */
	mem = alloc_pages(PAGE + s.edu.bar_size);
	if (ioctl(s.device, VFIO_DEVICE_GET_REGION_INFO, &region) ||
	    mmap(mem + PAGE, s.edu.bar_size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, s.device, region.offset) == MAP_FAILED)
		bail("mmap of the BAR");
	refused(mem, 2 * PAGE, MAP_RW, "memory and the BAR behind it");
	refused(mem, 2 * PAGE, VFIO_DMA_MAP_FLAG_READ,
		"the same, read only");
	if (node_is_iommufd()) {
		if (vfio_ioas_get(s.container, &ioas))
			bail("VFIO_IOAS GET");
		fails(ioas_map_at(s.container, ioas, mem, 2 * PAGE, IOVA,
				  IOAS_RW), EFAULT, "IOAS_MAP of both");
		ok(pins_held() == pins, "nothing is pinned");
	}
	ok(dma_map(s.container, IOVA, mem, PAGE) == 0,
	   "the memory alone can be mapped there");
	ok(dma_unmap(s.container, IOVA, PAGE, NULL) == 0, "and unmapped");
	ok(edu_roundtrip(&s, 64 * MIB, 3), "the device still works");
	munmap(mem, PAGE + s.edu.bar_size);
	edu_session_close(&s);
	ok(pins_held() == pins, "nothing is pinned at the end");
	return tap_done();
}
