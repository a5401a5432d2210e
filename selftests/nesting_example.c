// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a VMM lets a guest's page table translate the DMA of a device: the calls, in
 * their order, and nothing else.
 *
 *	nesting_example 0000:00:05.0			an edu device, requests
 *							without a PASID
 *	nesting_example --pasid iommufd_mock_vfio.0	a device of the mock IOMMU,
 *							requests with a PASID
 *
 * The guest has some pages of memory and a page table in four of them.  What the device
 * copies from one address to another must be found where the table says.
 */
#include <err.h>

#include <linux/iommu_nesting.h>

#include "../mock/iommufd_mock_dma_uapi.h"
#include "edu.h"

#define RAM_GPA 0x2000000ULL	/* where the guest sees its memory */
#define RAM_SIZE (16 * PAGE)
#define FROM 0x10000ULL		/* addresses that the device uses */
#define TO 0x20000ULL
#define BYTES 64

static uint64_t *ram;		/* where the VMM sees the guest's memory */

static void *ram_page(unsigned int page)
{
	return (char *)ram + page * PAGE;
}

static uint64_t ram_gpa(unsigned int page)
{
	return RAM_GPA + page * PAGE;
}

static int must_do(int rc, const char *what)
{
	if (rc < 0)
		err(1, "%s", what);
	return rc;
}

/* ------------------------------------------------------------------ */
/* The guest: pages 0 to 3 are a page table for the first 2 MiB. */

static void guest_map(uint64_t iova, unsigned int page)
{
	uint64_t *leaves = ram_page(3);

	leaves[iova / PAGE] = ram_gpa(page) | 7;	/* present, write, user */
}

static void guest_boot(void)
{
	for (unsigned int level = 0; level != 3; level++)
		*(uint64_t *)ram_page(level) = ram_gpa(level + 1) | 7;
	guest_map(FROM, 8);
	guest_map(TO, 9);
	memcpy(ram_page(8), "this is what the device has copied", BYTES / 2);
}

/* ------------------------------------------------------------------ */
/* The device */

/* Copy from FROM to TO. */
static void device_copy(int device, uint32_t pasid)
{
	struct iommu_mock_dma dma = {
		.size = sizeof(dma),
		.flags = IOMMU_MOCK_DMA_PASID,
		.pasid = pasid,
		.iova = FROM,
		.length = BYTES,
	};
	char buf[BYTES];
	struct edu edu;

	if (!pasid) {
		must_do(edu_init(&edu, device), "edu");
		edu_copy(&edu, FROM, TO, BYTES);
		edu_unmap_bar(&edu);
		return;
	}
	dma.uptr = (uintptr_t)buf;
	must_do(ioctl(device, MOCK_VFIO_DMA, &dma), "DMA");
	dma.flags |= IOMMU_MOCK_DMA_WRITE;
	dma.iova = TO;
	must_do(ioctl(device, MOCK_VFIO_DMA, &dma), "DMA");
}

static int group_of(const char *bus, const char *device)
{
	char path[PATH_MAX], group[PATH_MAX] = "";

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/iommu_group", bus, device);
	must_do(readlink(path, group, sizeof(group) - 1), path);
	return atoi(strrchr(group, '/') + 1);
}

/* ------------------------------------------------------------------ */
/* The VMM */

/* With a PASID, or 0: for requests without */
static void bind_or_unbind(int container, uint32_t what, uint32_t pasid)
{
	struct {
		struct vfio_iommu_type1_bind head;
		struct iommu_gpasid_bind_data data;
	} bind = {
		.head = { .argsz = sizeof(bind), .flags = what },
		.data = {
			.version = IOMMU_UAPI_VERSION,
			.format = IOMMU_PASID_FORMAT_INTEL_VTD,
			.flags = pasid ? IOMMU_SVA_GPASID_VAL : 0,
			.gpgd = ram_gpa(0),
			.hpasid = pasid,
			.gpasid = pasid ? 1 : 0,	/* what the guest calls it */
			.addr_width = 48,
		},
	};

	must_do(ioctl(container, VFIO_IOMMU_BIND, &bind), "VFIO_IOMMU_BIND");
}

static void invalidate(int container, uint32_t pasid, uint64_t iova)
{
	struct vfio_iommu_type1_cache_invalidate inv = {
		.argsz = sizeof(inv),
		.cache_info = {
			.version = IOMMU_UAPI_VERSION,
			.cache = IOMMU_CACHE_INV_TYPE_IOTLB |
				 IOMMU_CACHE_INV_TYPE_DEV_IOTLB,
			.granularity = IOMMU_INV_GRANU_ADDR,
			.granu.addr_info = {
				.flags = IOMMU_INV_ADDR_FLAGS_LEAF |
					 (pasid ? IOMMU_INV_ADDR_FLAGS_PASID : 0),
				.pasid = pasid,
				.addr = iova,
				.granule_size = PAGE,
				.nb_granules = 1,
			},
		},
	};

	must_do(ioctl(container, VFIO_IOMMU_CACHE_INVALIDATE, &inv),
		"VFIO_IOMMU_CACHE_INVALIDATE");
}

static uint32_t pasid_request(int container, uint32_t what, uint32_t pasid)
{
	struct vfio_iommu_type1_pasid_request req = {
		.argsz = sizeof(req),
		.flags = what,
		.alloc_pasid = { .min = 1, .max = 0xfffff },
	};

	if (what == VFIO_IOMMU_PASID_FREE)
		req.free_pasid = pasid;
	must_do(ioctl(container, VFIO_IOMMU_PASID_REQUEST, &req),
		"VFIO_IOMMU_PASID_REQUEST");
	return req.alloc_pasid.result;
}

/* A container with two stages; its stage 2 is the guest's memory. */
static int container_make(int group)
{
	int container = must_do(open("/dev/vfio/vfio", O_RDWR), "/dev/vfio/vfio");

	if (ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_NESTING_IOMMU) != 1 ||
	    ioctl(container, VFIO_NESTING_GET_IOMMU_UAPI_VERSION) != IOMMU_UAPI_VERSION)
		errx(1, "no nesting: load iommufd with nesting=1");
	must_do(set_container(group, container), "VFIO_GROUP_SET_CONTAINER");
	must_do(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_NESTING_IOMMU),
		"VFIO_SET_IOMMU");
	must_do(dma_map(container, RAM_GPA, ram, RAM_SIZE), "VFIO_IOMMU_MAP_DMA");
	return container;
}

int main(int argc, char **argv)
{
	bool mock = argc == 3 && !strcmp(argv[1], "--pasid");
	int container, group, device;
	uint32_t pasid = 0;
	bool good;

	if (argc != 2 + mock)
		errx(1, "usage: nesting_example [--pasid] DEVICE");
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		err(1, "mmap");
	group = group_open(group_of(mock ? "iommufd_mock" : "pci", argv[argc - 1]));
	container = container_make(group);
	device = must_do(device_fd(group, argv[argc - 1]), "VFIO_GROUP_GET_DEVICE_FD");
	guest_boot();

	/* The guest wants a PASID, and tells its IOMMU of a page table. */
	if (mock)
		pasid = pasid_request(container, VFIO_IOMMU_PASID_ALLOC, 0);
	bind_or_unbind(container, VFIO_IOMMU_BIND_GUEST_PGTBL, pasid);
	device_copy(device, pasid);
	good = !memcmp(ram_page(8), ram_page(9), BYTES);

	/* The guest changes an entry, and invalidates it. */
	guest_map(TO, 10);
	invalidate(container, pasid, TO);
	strcpy(ram_page(8), "and this comes after the invalidation");
	device_copy(device, pasid);
	good = good && !memcmp(ram_page(8), ram_page(10), BYTES) &&
	       memcmp(ram_page(8), ram_page(9), BYTES);

	/* The guest has done with it. */
	bind_or_unbind(container, VFIO_IOMMU_UNBIND_GUEST_PGTBL, pasid);
	if (pasid)
		pasid_request(container, VFIO_IOMMU_PASID_FREE, pasid);
	close(device);
	close(group);
	close(container);
	printf("%sok 1 - the device sees what the guest's table says\n1..1\n",
	       good ? "" : "not ");
	return !good;
}
