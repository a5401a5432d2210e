// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaving a container and coming back to it, as DPDK does on hotplug.
 *
 * When the last group leaves, the container is unset: its mappings are gone,
 * container ioctls answer EINVAL, and SET_IOMMU works again.  A mapping that
 * stayed would answer EEXIST to the next MAP_DMA, which DPDK takes for success
 * and so loses memory without a word.
 */
#include "edu.h"

static struct vfio_pci_addr addr;
static uint8_t *page;

static const uint64_t iova = 32 * MIB;

/* What each container ioctl that needs an IOMMU says while there is none. */
static void refuses_without_iommu(int container, int err, const char *when)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	fails(dma_map(container, iova, page, PAGE), err, "MAP_DMA %s", when);
	fails(dma_unmap(container, iova, PAGE, NULL), err, "UNMAP_DMA %s", when);
	fails(dma_unmap_all(container, NULL), err, "UNMAP_ALL %s", when);
	fails(ioctl(container, VFIO_IOMMU_GET_INFO, &info), err, "GET_INFO %s", when);
}

static void set_iommu_rules(void)
{
	static const unsigned long unknown[] = {
		0, VFIO_SPAPR_TCE_IOMMU, VFIO_DMA_CC_IOMMU, VFIO_EEH, VFIO_SPAPR_TCE_v2_IOMMU,
		VFIO_NOIOMMU_IOMMU, 64, 0x80000001, 0x8000000000000003, ~0UL,
	};
	bool iommufd = node_is_iommufd();
	int container = container_open(), group;

	refuses_without_iommu(container, iommufd ? ENODEV : EINVAL,
			      "with no group in the container");
	fails(set_iommu(container, VFIO_TYPE1_IOMMU), iommufd ? ENODEV : EINVAL,
	      "SET_IOMMU with no group in the container");
	group = group_open(addr.group);
	ok(set_container(group, container) == 0, "group joins");
	refuses_without_iommu(container, EINVAL, "before SET_IOMMU");
	/* On its own node vfio.ko answers for the types that no driver knows. */
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		fails(set_iommu(container, unknown[i]), iommufd ? EINVAL : ENODEV,
		      "SET_IOMMU with type 0x%lx", unknown[i]);
	ok(set_iommu(container, VFIO_TYPE1_IOMMU) == 0, "the refusals left it usable");
	fails(set_iommu(container, VFIO_TYPE1_IOMMU), EINVAL, "SET_IOMMU twice, same type");
	fails(set_iommu(container, VFIO_TYPE1v2_IOMMU), EINVAL, "SET_IOMMU twice, other type");
	fails(set_container(group, container), EINVAL, "SET_CONTAINER twice");
	ok(dma_map(container, iova, page, PAGE) == 0, "and the first type still stands");
	close(group);
	close(container);
}

static void leave(int *group, bool by_unset)
{
	if (by_unset)
		ok(ioctl(*group, VFIO_GROUP_UNSET_CONTAINER) == 0, "UNSET_CONTAINER");
	else
		ok(close(*group) == 0, "close the group");
}

static void reattach(unsigned long first, unsigned long second, bool by_unset)
{
	struct edu_session s;
	uint64_t locked = vmlck(getpid()), done;

	note("leaving by %s, type %lu then %lu", by_unset ? "UNSET_CONTAINER" : "close", first,
	     second);
	edu_session_open(&s, &addr, first);
	ok(dma_map(s.container, iova, page, PAGE) == 0, "map");
	fails(dma_map(s.container, iova, page, PAGE), EEXIST, "the same IOVA again");
	fails(ioctl(s.group, VFIO_GROUP_UNSET_CONTAINER), EBUSY, "UNSET_CONTAINER, device open");
	ok(edu_roundtrip(&s, 64 * MIB, 1), "DMA");
	edu_unmap_bar(&s.edu);
	close(s.device);

	leave(&s.group, by_unset);
	ok(vmlck(getpid()) == locked, "VmLck is back when the last group has left");
	refuses_without_iommu(s.container, EINVAL, "after the last group left");

	if (!by_unset)
		s.group = group_open(addr.group);
	ok(set_container(s.group, s.container) == 0, "the same container again");
	ok(set_iommu(s.container, second) == 0, "SET_IOMMU again");
	ok(dma_map(s.container, iova, page, PAGE) == 0,
	   "map at the same IOVA: success, not EEXIST");
	s.device = device_fd(s.group, addr.bdf);
	ok(s.device >= 0 && !edu_init(&s.edu, s.device), "device again");
	ok(edu_roundtrip(&s, 64 * MIB, 2), "DMA again");
	ok(dma_unmap(s.container, iova, PAGE, &done) == 0 && done == PAGE, "unmap");
	edu_session_close(&s);
	ok(vmlck(getpid()) == locked, "VmLck is back");
}

/* One of two groups leaves: what is mapped stays for the other. */
static void one_of_two_leaves(void)
{
	struct vfio_pci_addr pair[2];
	struct edu_session s;
	int other;

	if (!edu_find_pair(false, pair))
		bail("needs two edu devices in two groups");
	edu_session_open(&s, &pair[0], VFIO_TYPE1v2_IOMMU);
	ok(dma_map(s.container, iova, page, PAGE) == 0, "map");
	other = group_open(pair[1].group);
	ok(set_container(other, s.container) == 0, "a second group joins");
	ok(ioctl(other, VFIO_GROUP_UNSET_CONTAINER) == 0, "and leaves");
	fails(ioctl(other, VFIO_GROUP_UNSET_CONTAINER), EINVAL, "and cannot leave twice");
	fails(dma_map(s.container, iova, page, PAGE), EEXIST, "the mapping is still there");
	ok(edu_roundtrip(&s, 64 * MIB, 3), "DMA of the first group");
	ok(set_container(other, s.container) == 0, "the second joins again");
	edu_unmap_bar(&s.edu);
	close(s.device);
	ok(close(s.group) == 0, "the first leaves");
	fails(dma_map(s.container, iova, page, PAGE), EEXIST, "the mapping is still there");
	close(other);
	fails(dma_map(s.container, iova, page, PAGE), EINVAL, "until the last has left");
	close(s.container);
}

static void many_times(void)
{
	int container = container_open(), group = group_open(addr.group), good = 0;
	const int rounds = 50;

	for (int i = 0; i < rounds; i++) {
		if (set_container(group, container) || set_iommu(container, VFIO_TYPE1_IOMMU))
			break;
		if (dma_map(container, iova, page, PAGE))
			break;
		if (ioctl(group, VFIO_GROUP_UNSET_CONTAINER))
			break;
		good++;
	}
	ok(good == rounds, "%d of %d rounds of join, map, leave on one container", good, rounds);
	close(group);
	close(container);
}

int main(void)
{
	addr = edu_first();
	page = alloc_pages(PAGE);
	set_iommu_rules();
	reattach(VFIO_TYPE1_IOMMU, VFIO_TYPE1_IOMMU, false);
	reattach(VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, true);
	reattach(VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU, true);
	one_of_two_leaves();
	many_times();
	return tap_done();
}
