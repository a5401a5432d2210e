// SPDX-License-Identifier: GPL-2.0-only
/*
 * The container ioctls with a VFIO group present: each field with bad input,
 * and UNMAP as type1 has always done it, v1 and v2.
 *
 * Runs against stock type1 too (--stock), which is where the expected values
 * come from; what differs on purpose stands in `if (stock)`.
 */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "edu.h"
#include "iommu_util.h"

#define IOVA (256 * MIB)
#define NPAGES 16
#define AREA (NPAGES * PAGE)
#define NOBODY 65534

static bool stock;
static struct vfio_pci_addr addr;
static int container, group;
static uint8_t *mem;

/* Two pages, the second of which faults: a struct before it is cut short. */
static uint8_t *edge;

static void open_container(unsigned long type)
{
	container = container_open();
	group = group_open(addr.group);
	if (set_container(group, container) || set_iommu(container, type))
		bail("joining the container");
	if (!served_by_iommufd_if_due())
		bail("the container is not iommufd's");
}

static void close_container(void)
{
	close(group);
	close(container);
}

/* The only way to ask type1: a second mapping there is refused. */
static bool is_mapped(uint64_t iova)
{
	if (dma_map(container, iova, mem, PAGE))
		return errno == EEXIST;
	if (dma_unmap(container, iova, PAGE, NULL))
		bail("unmapping a probe");
	return false;
}

static int map_raw(uint32_t argsz, uint32_t flags, uint64_t iova, uint64_t vaddr, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = argsz, .flags = flags, .vaddr = vaddr, .iova = iova, .size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map);
}

static int unmap_raw(uint32_t argsz, uint32_t flags, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = argsz, .flags = flags, .iova = iova, .size = size,
	};
	int rc = ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap), err = errno;

	if (rc && unmap.size != size)
		ok(false, "UNMAP_DMA failed and changed size from 0x%llx to 0x%llx",
		   (unsigned long long)size, (unsigned long long)unmap.size);
	errno = err;
	return rc;
}

static void group_fields(void)
{
	int null = open("/dev/null", O_RDWR), c = container_open(), g = group_open(addr.group);

	fails(ioctl(g, VFIO_GROUP_SET_CONTAINER, NULL), EFAULT, "SET_CONTAINER, no pointer");
	fails(set_container(g, -1), EBADF, "SET_CONTAINER, no fd");
	fails(set_container(g, null), EINVAL, "SET_CONTAINER, fd of another kind");
	fails(set_container(g, g), EINVAL, "SET_CONTAINER, a group's fd");
	fails(device_fd(g, addr.bdf), EINVAL, "GET_DEVICE_FD without a container");
	ok(set_container(g, c) == 0, "SET_CONTAINER");
	fails(device_fd(g, addr.bdf), EINVAL, "GET_DEVICE_FD before SET_IOMMU");
	ok(set_iommu(c, VFIO_TYPE1v2_IOMMU) == 0, "SET_IOMMU");
	fails(device_fd(g, "0000:ff:1f.7"), ENODEV, "GET_DEVICE_FD of no such device");
	close(g);
	close(c);
	close(null);
}

static void map_fields(void)
{
	static const uint32_t size = sizeof(struct vfio_iommu_type1_dma_map);
	uint64_t va = (uintptr_t)mem;
	bool all = true;

	for (uint32_t argsz = 0; argsz < size; argsz++)
		all &= map_raw(argsz, MAP_RW, IOVA, va, PAGE) == -1 && errno == EINVAL;
	ok(all, "MAP, each argsz below %u: EINVAL", size);
	all = true;
	for (int bit = 2; bit < 32; bit++) {
		if (stock && (1u << bit) == VFIO_DMA_MAP_FLAG_VADDR)
			continue;
		all &= map_raw(size, 1u << bit, IOVA, va, PAGE) == -1 && errno == EINVAL;
		all &= map_raw(size, MAP_RW | 1u << bit, IOVA, va, PAGE) == -1 && errno == EINVAL;
	}
	ok(all, "MAP, each unknown flag: EINVAL");
	fails(map_raw(size, 0, IOVA, va, PAGE), EINVAL, "MAP, neither READ nor WRITE");
	fails(map_raw(size, MAP_RW, IOVA, va, 0), EINVAL, "MAP, size 0");
	fails(map_raw(size, MAP_RW, IOVA, va, PAGE - 1), EINVAL, "MAP, size not aligned");
	fails(map_raw(size, MAP_RW, IOVA, va, PAGE + 1), EINVAL, "MAP, size not aligned");
	fails(map_raw(size, MAP_RW, IOVA + 1, va, PAGE), EINVAL, "MAP, IOVA not aligned");
	fails(map_raw(size, MAP_RW, IOVA + 2048, va, PAGE), EINVAL, "MAP, IOVA not aligned");
	fails(map_raw(size, MAP_RW, IOVA, va + 1, PAGE), EINVAL, "MAP, vaddr not aligned");
	fails(map_raw(size, MAP_RW, -PAGE, va, 2 * PAGE), EINVAL, "MAP, IOVA + size wraps");
	fails(map_raw(size, MAP_RW, -PAGE, va, -PAGE), EINVAL, "MAP, IOVA + size wraps, huge");
	fails(map_raw(size, MAP_RW, IOVA, -PAGE, 2 * PAGE), EINVAL, "MAP, vaddr + size wraps");
	fails(map_raw(size, MAP_RW, IOVA, va, ~0ULL), EINVAL, "MAP, size ~0");
	fails(map_raw(size, MAP_RW, IOVA, va, -PAGE), EINVAL, "MAP, size ~0 rounded down");
	fails(map_raw(size, MAP_RW, -PAGE, va, PAGE), EINVAL, "MAP, last page of the space");
	fails(map_raw(size, MAP_RW, 1ULL << 63, va, PAGE), EINVAL, "MAP, beyond the aperture");
	fails(ioctl(container, VFIO_IOMMU_MAP_DMA, NULL), EFAULT, "MAP, no pointer");
	fails(ioctl(container, VFIO_IOMMU_MAP_DMA, edge + PAGE - size + 1), EFAULT,
	      "MAP, struct cut short");
	ok(map_raw(size + 1000, MAP_RW, IOVA, va, PAGE) == 0, "MAP, a longer argsz is fine");
	ok(dma_unmap(container, IOVA, PAGE, NULL) == 0, "and was a mapping");
}

static void map_memory(void)
{
	uint64_t locked = vmlck(getpid());
	uint8_t *ro = alloc_pages(PAGE);

	/* A page of its own: type1 does not account the shared zero page. */
	ro[0] = 1;
	if (mprotect(ro, PAGE, PROT_READ))
		bail("mprotect");
	fails(dma_map(container, IOVA, NULL, PAGE), EFAULT, "MAP, vaddr 0");
	fails(dma_map(container, IOVA, edge + PAGE, PAGE), EFAULT, "MAP, no memory there");
	fails(dma_map(container, IOVA, edge, 2 * PAGE), EFAULT, "MAP, second half missing");
	fails(dma_map(container, IOVA, (void *)-(8 * PAGE), PAGE), EFAULT, "MAP, kernel address");
	fails(dma_map(container, 4 * GIB, mem, 128 * GIB), EFAULT, "MAP, far more than there is");
	fails(dma_map(container, IOVA, ro, PAGE), EFAULT, "MAP, WRITE to read-only memory");
	ok(vmlck(getpid()) == locked, "VmLck unchanged by the failures");
	ok(!is_mapped(IOVA) && !is_mapped(IOVA + PAGE) && !is_mapped(4 * GIB),
	   "the IOVAs are still free");
	ok(dma_map_flags(container, IOVA, ro, PAGE, VFIO_DMA_MAP_FLAG_READ) == 0,
	   "MAP, READ of read-only memory");
	ok(dma_map_flags(container, IOVA + PAGE, mem, PAGE, VFIO_DMA_MAP_FLAG_WRITE) == 0,
	   "MAP, WRITE only");
	ok(vmlck(getpid()) == locked + 2 * PAGE, "VmLck counts both");
	ok(dma_unmap_all(container, NULL) == 0 && vmlck(getpid()) == locked, "and is back");
	munmap(ro, PAGE);
}

static void map_ranges(void)
{
	struct vfio_iommu_type1_info *info = get_info(container, 4096);
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	uint64_t last, done;

	fails(dma_map(container, 0xfee00000, mem, PAGE), EINVAL, "MAP, the MSI window");
	fails(dma_map(container, 0xfeeff000, mem, PAGE), EINVAL, "MAP, its last page");
	fails(dma_map(container, 0xfedff000, mem, 2 * PAGE), EINVAL, "MAP, into it");
	fails(dma_map(container, 0xfeeff000, mem, 2 * PAGE), EINVAL, "MAP, out of it");
	ok(dma_map(container, 0xfedff000, mem, PAGE) == 0 &&
	   dma_map(container, 0xfef00000, mem, PAGE) == 0, "MAP, just beside it");
	ok(dma_map(container, 0, mem, PAGE) == 0, "MAP, IOVA 0");
	cap = info ? (void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) : NULL;
	if (!ok(cap && cap->nr_iovas, "IOVA ranges are told"))
		return;
	last = cap->iova_ranges[cap->nr_iovas - 1].end;
	fails(dma_map(container, last + 1, mem, PAGE), EINVAL, "MAP, behind the last range");
	fails(dma_map(container, last + 1 - PAGE, mem, 2 * PAGE), EINVAL, "MAP, over its end");
	/* known-bugs row 36 */
	ok(dma_map(container, last + 1 - PAGE, mem, PAGE) == 0, "MAP, its last page");
	ok(dma_unmap(container, last + 1 - PAGE, PAGE, &done) == 0 && done == PAGE,
	   "UNMAP, its last page");
	ok(dma_map(container, last + 1 - PAGE, mem, PAGE) == 0, "MAP, its last page again");
	ok(dma_unmap_all(container, &done) == 0 && done == 4 * PAGE, "UNMAP_ALL takes all four");
	free(info);
}

static void map_overlap(void)
{
	static const struct {
		int first, pages;
		const char *what;
	} over[] = {
		{ 4, 4, "the same range" }, { 4, 1, "its first page" }, { 7, 1, "its last page" },
		{ 5, 2, "inside" }, { 3, 2, "over its start" }, { 7, 2, "over its end" },
		{ 3, 6, "around it" },
	};
	uint64_t locked;

	ok(dma_map(container, IOVA + 4 * PAGE, mem, 4 * PAGE) == 0, "MAP four pages");
	locked = vmlck(getpid());
	for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
		fails(dma_map(container, IOVA + over[i].first * PAGE, mem, over[i].pages * PAGE),
		      EEXIST, "MAP, %s", over[i].what);
	ok(dma_map(container, IOVA + 3 * PAGE, mem, PAGE) == 0 &&
	   dma_map(container, IOVA + 8 * PAGE, mem, PAGE) == 0, "MAP just beside it");
	ok(vmlck(getpid()) == locked + 2 * PAGE, "only what succeeded is accounted");
	ok(dma_unmap_all(container, NULL) == 0, "UNMAP_ALL");
}

static void unmap_fields(void)
{
	static const uint32_t size = sizeof(struct vfio_iommu_type1_dma_unmap);
	struct vfio_iommu_type1_dma_unmap *ro = alloc_pages(PAGE);
	bool all = true;

	ok(dma_map(container, IOVA, mem, AREA) == 0, "MAP");
	for (uint32_t argsz = 0; argsz < 24; argsz++)
		all &= unmap_raw(argsz, 0, IOVA, AREA) == -1 && errno == EINVAL;
	ok(all, "UNMAP, each argsz below 24: EINVAL");
	all = true;
	for (int bit = 0; bit < 32; bit++)
		if (1u << bit != VFIO_DMA_UNMAP_FLAG_ALL &&
		    !(stock && 1u << bit == VFIO_DMA_UNMAP_FLAG_VADDR))
			all &= unmap_raw(size, 1u << bit, IOVA, AREA) == -1 && errno == EINVAL;
	ok(all, "UNMAP, each unknown flag: EINVAL");
	fails(unmap_raw(size, 0, IOVA, 0), EINVAL, "UNMAP, size 0");
	fails(unmap_raw(size, 0, 0, ~0ULL), EINVAL, "UNMAP, 0 and ~0");
	fails(unmap_raw(size, 0, IOVA + 1, AREA), EINVAL, "UNMAP, IOVA not aligned");
	fails(unmap_raw(size, 0, IOVA, AREA - 1), EINVAL, "UNMAP, size not aligned");
	fails(unmap_raw(size, 0, IOVA, -PAGE), EINVAL, "UNMAP, IOVA + size wraps");
	fails(unmap_raw(size, 0, -PAGE, 2 * PAGE), EINVAL, "UNMAP, wraps at the last page");
	fails(unmap_raw(size, VFIO_DMA_UNMAP_FLAG_ALL, PAGE, 0), EINVAL, "UNMAP_ALL, IOVA set");
	fails(unmap_raw(size, VFIO_DMA_UNMAP_FLAG_ALL, 0, PAGE), EINVAL, "UNMAP_ALL, size set");
	fails(unmap_raw(size, VFIO_DMA_UNMAP_FLAG_ALL, 0, ~0ULL), EINVAL, "UNMAP_ALL, size ~0");
	fails(ioctl(container, VFIO_IOMMU_UNMAP_DMA, NULL), EFAULT, "UNMAP, no pointer");
	fails(ioctl(container, VFIO_IOMMU_UNMAP_DMA, edge + PAGE - 16), EFAULT,
	      "UNMAP, struct cut short");
	ok(is_mapped(IOVA) && is_mapped(IOVA + AREA - PAGE), "all of that left the mapping");

	*ro = (struct vfio_iommu_type1_dma_unmap){ .argsz = size, .iova = IOVA, .size = AREA };
	if (mprotect(ro, PAGE, PROT_READ))
		bail("mprotect");
	fails(ioctl(container, VFIO_IOMMU_UNMAP_DMA, ro), EFAULT, "UNMAP, reply cannot be written");
	ok(dma_unmap_all(container, NULL) == 0 && !is_mapped(IOVA), "UNMAP_ALL");
	munmap(ro, PAGE);
}

static void unmapped(uint64_t iova, uint64_t size, uint64_t want, const char *what)
{
	uint64_t done = 0x5a5a;
	int rc = dma_unmap(container, iova, size, &done);

	ok(rc == 0 && done == want, "UNMAP, %s: 0x%llx bytes, wanted 0x%llx", what,
	   (unsigned long long)done, (unsigned long long)want);
}

static void unmap_common(void)
{
	uint64_t done;

	unmapped(IOVA, AREA, 0, "empty range");
	unmapped(-PAGE, PAGE, 0, "last page of the 64-bit space, empty");
	unmapped(0, 1ULL << 63, 0, "lower half of the space, empty");
	unmapped(1ULL << 63, 1ULL << 63, 0, "upper half of the space, empty");
	ok(dma_unmap_all(container, &done) == 0 && done == 0, "UNMAP_ALL, empty: 0 bytes");

	for (int i = 0; i < 4; i++)
		if (dma_map(container, IOVA + i * MIB, mem, (i + 1) * PAGE))
			bail("map");
	unmapped(IOVA + MIB, PAGE * 2, 2 * PAGE, "exactly one of four");
	unmapped(IOVA - MIB, 3 * MIB, PAGE, "holes around one");
	unmapped(0, 1ULL << 63, 7 * PAGE, "lower half of the space");
	unmapped(0, -PAGE, 0, "all but the last page");

	if (dma_map(container, IOVA, mem, AREA) || dma_map(container, IOVA + GIB, mem, PAGE))
		bail("map");
	ok(dma_unmap_all(container, &done) == 0 && done == AREA + PAGE,
	   "UNMAP_ALL reports the bytes of all");
}

/* No unmap cuts a mapping, so v1 can have large IO pages, too. */
static void large_io_pages(void)
{
	uint32_t ioas;

	if (!node_is_iommufd())
		return;
	ok(!vfio_ioas_get(container, &ioas) &&
	   iommu_option_get(container, IOMMU_OPTION_HUGE_PAGES, ioas) == 1, "large IO pages");
}

static void unmap_v1(void)
{
	if (dma_map(container, IOVA, mem, 4 * PAGE) ||
	    dma_map(container, IOVA + 4 * PAGE, mem, 4 * PAGE))
		bail("map");
	unmapped(IOVA + PAGE, PAGE, 0, "v1, inside a mapping");
	unmapped(IOVA + PAGE, 3 * PAGE, 0, "v1, its tail");
	unmapped(IOVA + 2 * PAGE, 6 * PAGE, 0, "v1, from inside one over a whole one");
	unmapped(IOVA + 2 * PAGE, GIB, 0, "v1, from inside one to far behind");
	ok(is_mapped(IOVA) && is_mapped(IOVA + 4 * PAGE), "both are still there");
	unmapped(IOVA + 4 * PAGE, PAGE, 4 * PAGE, "v1, a mapping's start takes all of it");
	ok(is_mapped(IOVA + 3 * PAGE) && !is_mapped(IOVA + 7 * PAGE), "and only that one");
	unmapped(IOVA - PAGE, 2 * PAGE, 4 * PAGE, "v1, from before it over its start");
	if (dma_map(container, IOVA, mem, 4 * PAGE) ||
	    dma_map(container, IOVA + 4 * PAGE, mem, 4 * PAGE))
		bail("map");
	unmapped(IOVA, 5 * PAGE, 8 * PAGE, "v1, one and the start of the next");
	ok(!is_mapped(IOVA) && !is_mapped(IOVA + 4 * PAGE), "both are gone");
}

static void unmap_v2(void)
{
	uint64_t done;

	if (dma_map(container, IOVA, mem, 4 * PAGE) ||
	    dma_map(container, IOVA + 4 * PAGE, mem, 4 * PAGE))
		bail("map");
	fails(unmap_raw(24, 0, IOVA, PAGE), EINVAL, "UNMAP, v2, its head");
	fails(unmap_raw(24, 0, IOVA + PAGE, PAGE), EINVAL, "UNMAP, v2, inside a mapping");
	fails(unmap_raw(24, 0, IOVA + PAGE, 3 * PAGE), EINVAL, "UNMAP, v2, its tail");
	fails(unmap_raw(24, 0, IOVA, 5 * PAGE), EINVAL, "UNMAP, v2, one and a part of the next");
	fails(unmap_raw(24, 0, IOVA + PAGE, 7 * PAGE), EINVAL, "UNMAP, v2, a part and a whole");
	fails(unmap_raw(24, 0, IOVA - PAGE, 2 * PAGE), EINVAL, "UNMAP, v2, over its start");
	fails(unmap_raw(24, 0, IOVA + 7 * PAGE, GIB), EINVAL, "UNMAP, v2, over its end");
	ok(is_mapped(IOVA) && is_mapped(IOVA + 7 * PAGE), "both are still there");
	unmapped(IOVA, 8 * PAGE, 8 * PAGE, "v2, both at once");

	if (dma_map(container, IOVA, mem, 4 * PAGE))
		bail("map");
	ok(dma_unmap_all(container, &done) == 0 && done == 4 * PAGE, "UNMAP_ALL, v2");
}

/* One GET_INFO with a given argsz into a buffer of @fill. */
static int info_call(uint8_t *buf, size_t len, uint32_t argsz, uint8_t fill)
{
	memset(buf, fill, len);
	memcpy(buf, &argsz, sizeof(argsz));
	return ioctl(container, VFIO_IOMMU_GET_INFO, buf);
}

/* Bytes 20 to 23 are the struct's tail padding: nothing or zeros. */
static bool pad_is_clean(const uint8_t *buf, uint8_t fill)
{
	return all_bytes(buf + 20, 4, fill) || all_bytes(buf + 20, 4, 0);
}

/* known-bugs row 2: no stale byte, for any argsz. */
static bool info_argsz(uint32_t argsz, uint32_t need, uint32_t *reported)
{
	uint8_t a[1024], b[1024];
	struct vfio_iommu_type1_info info;
	size_t written = argsz < need ? 24 : need;
	bool good = true;

	if (written > argsz)
		written = argsz;
	if (info_call(a, sizeof(a), argsz, 0xa5))
		return argsz < 16 && errno == EINVAL && all_bytes(a + 4, sizeof(a) - 4, 0xa5);
	if (argsz < 16 || info_call(b, sizeof(b), argsz, 0x5a))
		return false;
	memcpy(&info, a, sizeof(info));
	*reported = info.argsz;
	good &= !memcmp(a, b, 16);
	good &= all_bytes(a + written, sizeof(a) - written, 0xa5);
	good &= (info.flags & ~VFIO_IOMMU_INFO_CAPS) == VFIO_IOMMU_INFO_PGSIZES;
	good &= !(info.iova_pgsizes & (PAGE - 1)) && info.iova_pgsizes & PAGE;
	if (argsz >= 24)
		good &= pad_is_clean(a, 0xa5) && pad_is_clean(b, 0x5a);
	if (argsz >= 20)
		good &= !memcmp(a + 16, b + 16, 4) && info.cap_offset == (argsz < need ? 0 : 24);
	if (argsz >= need)
		good &= !memcmp(a + 24, b + 24, need - 24);
	return good;
}

static void get_info_argsz(void)
{
	uint32_t need = 0, reported = 0;
	bool all = true, told = true;

	ok(info_argsz(24, UINT32_MAX, &need), "GET_INFO, argsz 24");
	ok(need > 24 && need <= 512, "says that %u bytes are needed", need);
	for (uint32_t argsz = 0; argsz <= 600; argsz++) {
		if (!info_argsz(argsz, need, &reported)) {
			note("argsz %u", argsz);
			all = false;
		}
		if (argsz >= 16 && reported != (argsz < need ? need : argsz))
			told = false;
	}
	ok(all, "GET_INFO, argsz 0 to 600: EINVAL, head alone, or all; nothing stale");
	ok(told, "argsz comes back as what is needed, or as it was");
}

static void get_info_caps(void)
{
	struct vfio_iommu_type1_info *info = get_info(container, 512);
	struct vfio_iommu_type1_info_cap_iova_range *ranges;
	uint64_t prev = 0;
	bool sorted = true;
	long avail;

	if (!ok(info && info->flags & VFIO_IOMMU_INFO_CAPS, "GET_INFO has capabilities"))
		return;
	ranges = (void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	if (ok(ranges && ranges->header.version == 1 && !ranges->reserved,
	       "IOVA_RANGE version 1, reserved field 0")) {
		for (uint32_t i = 0; i < ranges->nr_iovas; i++) {
			struct vfio_iova_range *r = &ranges->iova_ranges[i];

			sorted &= r->start <= r->end && (!i || r->start > prev);
			sorted &= !(r->start & (PAGE - 1)) && !((r->end + 1) & (PAGE - 1));
			prev = r->end;
		}
		ok(sorted && ranges->nr_iovas >= 2, "its ranges ascend, in whole pages");
	}
	ok(find_cap(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL) &&
	   find_cap(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)->version == 1, "DMA_AVAIL version 1");
	free(info);

	avail = dma_avail(container);
	ok(dma_map(container, IOVA, mem, AREA) == 0 && dma_avail(container) == avail - 1,
	   "one mapping: DMA_AVAIL is one less");
	ok(dma_unmap_all(container, NULL) == 0 && dma_avail(container) == avail,
	   "unmapped: as before");
}

static void get_info_faults(void)
{
	struct vfio_iommu_type1_info *ro = alloc_pages(PAGE), *cut;

	fails(ioctl(container, VFIO_IOMMU_GET_INFO, NULL), EFAULT, "GET_INFO, no pointer");
	ro->argsz = sizeof(*ro);
	if (mprotect(ro, PAGE, PROT_READ))
		bail("mprotect");
	fails(ioctl(container, VFIO_IOMMU_GET_INFO, ro), EFAULT, "GET_INFO to read-only memory");
	cut = (void *)(edge + PAGE - sizeof(*cut));
	cut->argsz = 600;
	fails(ioctl(container, VFIO_IOMMU_GET_INFO, cut), EFAULT,
	      "GET_INFO, the memory ends before the capabilities");
	cut->argsz = sizeof(*cut);
	ok(ioctl(container, VFIO_IOMMU_GET_INFO, cut) == 0, "GET_INFO just before that edge");
	munmap(ro, PAGE);
}

static void extensions(const char *when, bool attached)
{
	static const unsigned long far[] = {
		100001, 0x7fffffff, 0x80000001, ~0UL, 0x100000001, 0x8000000000000003,
	};
	int wrong = 0;

	ok(ioctl(container, VFIO_GET_API_VERSION, 0x1234) == VFIO_API_VERSION,
	   "GET_API_VERSION %s", when);
	for (unsigned long ext = 0; ext <= 64; ext++) {
		int got = ioctl(container, VFIO_CHECK_EXTENSION, ext);
		int min = 0, max = 0;

		switch (ext) {
		case VFIO_TYPE1_IOMMU:
		case VFIO_TYPE1v2_IOMMU:
		case VFIO_UNMAP_ALL:
			min = 1;
			max = 1;
			break;
		case VFIO_TYPE1_NESTING_IOMMU:
			max = 1;
			break;
		case VFIO_DMA_CC_IOMMU:
			max = attached;
			break;
		case VFIO_UPDATE_VADDR:
			max = stock && attached;
			break;
		}
		if (got < min || got > max) {
			note("extension %lu: %d", ext, got);
			wrong++;
		}
	}
	ok(!wrong, "CHECK_EXTENSION 0 to 64 %s", when);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		wrong += ioctl(container, VFIO_CHECK_EXTENSION, far[i]) != 0;
	ok(!wrong, "CHECK_EXTENSION far away is 0, never an error, %s", when);
}

static bool command_is_known(unsigned int nr)
{
	unsigned int vfio = nr - VFIO_BASE;

	/* On /dev/iommu itself the native commands live there. */
	if (node_is_iommufd() && nr >= 0x80)
		return true;
	/* <linux/iommu_nesting.h> */
	if (!stock && ((vfio >= 22 && vfio <= 26) || nr == 0xe0))
		return true;
	return vfio <= 2 || (vfio >= 12 && vfio <= 14) || vfio == 17;
}

static void unknown_commands(void)
{
	int wrong = 0;

	for (unsigned int nr = 0; nr < 256; nr++) {
		if (command_is_known(nr))
			continue;
		if (ioctl(container, _IO(VFIO_TYPE, nr), mem) != -1 || errno != ENOTTY) {
			note("command %u: errno %d", nr, errno);
			wrong++;
		}
	}
	ok(!wrong, "each command number that is nobody's: ENOTTY");
	fails(ioctl(container, _IO('x', VFIO_BASE + 12), mem), ENOTTY, "another type byte");
	fails(ioctl(container, _IOWR(VFIO_TYPE, VFIO_BASE + 13, int), mem), ENOTTY,
	      "MAP_DMA's number with another size");
	if (!node_is_iommufd())
		fails(ioctl(container, _IO(VFIO_TYPE, 0x81), mem), ENOTTY,
		      "a native command on the stock node");
}

/* As an ordinary user: RLIMIT_MEMLOCK holds, to the byte. */
static void memlock(void)
{
	struct rlimit limit = { 4 * PAGE, 4 * PAGE };
	pid_t pid = fork_child();
	bool good;

	if (!pid) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(2);
		good = dma_map(container, IOVA, mem, 5 * PAGE) == -1 && errno == ENOMEM;
		good &= vmlck(getpid()) == 0;
		good &= dma_map(container, IOVA, mem, 4 * PAGE) == 0;
		good &= vmlck(getpid()) == 4 * PAGE;
		good &= dma_map(container, IOVA + GIB, mem, PAGE) == -1 && errno == ENOMEM;
		good &= dma_unmap_all(container, NULL) == 0 && vmlck(getpid()) == 0;
		good &= dma_map(container, IOVA + GIB, mem, PAGE) == 0;
		_exit(!good);
	}
	ok(wait_child(pid) == 0, "RLIMIT_MEMLOCK of an ordinary user: ENOMEM beyond it");
	ok(dma_unmap_all(container, NULL) == 0 && !is_mapped(IOVA + GIB),
	   "what the ended child mapped can be unmapped");
}

int main(int argc, char **argv)
{
	static const unsigned long types[] = { VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU };

	stock = argc > 1 && !strcmp(argv[1], "--stock");
	addr = edu_first();
	mem = alloc_pages(AREA);
	edge = alloc_pages(2 * PAGE);
	if (mprotect(edge + PAGE, PAGE, PROT_NONE))
		bail("mprotect");
	group_fields();
	container = container_open();
	extensions("without a group", false);
	close(container);
	for (int i = 0; i < 2; i++) {
		note("type %lu", types[i]);
		open_container(types[i]);
		extensions("with a group", true);
		map_fields();
		map_memory();
		map_ranges();
		map_overlap();
		unmap_fields();
		unmap_common();
		large_io_pages();
		if (types[i] == VFIO_TYPE1_IOMMU)
			unmap_v1();
		else
			unmap_v2();
		get_info_argsz();
		get_info_caps();
		get_info_faults();
		unknown_commands();
		memlock();
		close_container();
	}
	return tap_done();
}
