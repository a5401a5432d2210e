// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices of two groups in one container, on whatever IOMMU there is.
 *
 * With --two-domains the second group does not share the first one's IOMMU domain,
 * and all that is mapped is mapped again for it.  Either way both devices must reach the same
 * memory at each moment, and neither may reach what is unmapped.  Only data is
 * looked at, never an IOMMU's fault report: some block without a word.
 */
#include "edu.h"
#include "iommu_util.h"

#define LEN 256
#define HUGE_SIZE (2 * MIB)

/*
 * One buffer is three parts of LEN bytes: what a device reads, and a slot for
 * each device to write to.
 */
struct area {
	const char *kind;
	uint64_t iova;
	size_t size, at;	/* where in it the parts begin */
	int mmap_flags, advice;
	uint8_t *mem;
};

static struct area early[] = {
	{ .kind = "a page mapped before the second group", .iova = 16 * MIB, .size = PAGE },
	{ .kind = "a huge page mapped before", .iova = 32 * MIB, .size = HUGE_SIZE,
	  .at = HUGE_SIZE - PAGE, .advice = MADV_HUGEPAGE },
	{ .kind = "small pages, odd offset, mapped before", .iova = 64 * MIB + PAGE,
	  .size = 37 * PAGE, .at = 36 * PAGE, .advice = MADV_NOHUGEPAGE },
};

static struct area late[] = {
	{ .kind = "a page mapped after", .iova = 16 * MIB + 4 * PAGE, .size = PAGE },
	{ .kind = "small pages mapped after", .iova = 128 * MIB, .size = 513 * PAGE,
	  .at = 512 * PAGE, .advice = MADV_NOHUGEPAGE },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct vfio_pci_addr addr[2];
static int container, group[2], device[2] = { -1, -1 };
static struct edu edu[2];
static uint32_t seed = 1;
static int want_domains;

static void area_map(struct area *a)
{
	uint8_t *p = mmap(NULL, a->size + HUGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bail("mmap");
	a->mem = (uint8_t *)(((uintptr_t)p + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	if (a->advice)
		madvise(a->mem, a->size, a->advice);
	memset(a->mem, 0, a->size);
	ok(dma_map(container, a->iova, a->mem, a->size) == 0, "map %s", a->kind);
}

/* Device @dev copies from the area into its own slot there. */
static bool reaches(int dev, struct area *a)
{
	uint8_t *from = a->mem + a->at, *slot = from + (1 + dev) * LEN;
	uint8_t *other = from + (2 - dev) * LEN;

	fill_pattern(from, LEN, ++seed);
	memset(slot, 0, LEN);
	memset(other, 0x5a, LEN);
	edu_copy(&edu[dev], a->iova + a->at, a->iova + a->at + (1 + dev) * LEN, LEN);
	return check_pattern(slot, LEN, seed) < 0 && check_pattern(from, LEN, seed) < 0 &&
	       all_bytes(other, LEN, 0x5a);
}

/*
 * Neither way: what the device writes does not arrive, and what it read there
 * is not in its buffer afterwards, seen through @good, which it reaches.
 */
static bool blocked(int dev, struct area *a, struct area *good)
{
	uint8_t *slot = good->mem + good->at + (1 + dev) * LEN;

	fill_pattern(a->mem + a->at, LEN, ++seed);
	memset(good->mem + good->at, 0x33, LEN);
	edu_fetch(&edu[dev], good->iova + good->at, LEN);
	edu_store(&edu[dev], a->iova + a->at, LEN);
	if (check_pattern(a->mem + a->at, LEN, seed) >= 0)
		return false;
	memset(slot, 0x77, LEN);
	edu_fetch(&edu[dev], a->iova + a->at, LEN);
	edu_store(&edu[dev], good->iova + good->at + (1 + dev) * LEN, LEN);
	return !all_bytes(slot, LEN, 0x77) && check_pattern(slot, LEN, seed) >= 0;
}

static void check_reach(int dev, struct area *areas, size_t n, const char *when)
{
	for (size_t i = 0; i < n; i++)
		ok(reaches(dev, &areas[i]), "device %d reaches %s, %s", dev, areas[i].kind, when);
}

/* How many IOMMU domains there are now: this program is alone. */
static int domains(void)
{
	FILE *f = fopen("/sys/kernel/debug/iommufd/contexts", "re");
	char line[256];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += !strncmp(line, "    hwpt ", 9);
	fclose(f);
	return n;
}

static void join(int i)
{
	group[i] = group_open(addr[i].group);
	ok(set_container(group[i], container) == 0, "group of device %d joins", i);
}

static void open_device(int i)
{
	device[i] = device_fd(group[i], addr[i].bdf);
	if (device[i] < 0 || edu_init(&edu[i], device[i]))
		bail("setting up %s", addr[i].bdf);
}

static void leave(int i)
{
	edu_unmap_bar(&edu[i]);
	close(device[i]);
	ok(close(group[i]) == 0, "group of device %d leaves", i);
}

static void both_at_work(void)
{
	join(1);
	ok(domains() == want_domains, "%d IOMMU domains for two groups", want_domains);
	ok(reaches(0, &early[0]), "device 0 reaches memory while the other has just joined");
	open_device(1);
	check_reach(1, early, COUNT(early), "having joined later");
	check_reach(0, early, COUNT(early), "with the second group there");
	for (size_t i = 0; i < COUNT(late); i++)
		area_map(&late[i]);
	for (int i = 0; i < 2; i++)
		check_reach(i, late, COUNT(late), "with both groups there");
}

static void unmapped_for_both(void)
{
	uint64_t done;

	ok(dma_unmap(container, early[1].iova, early[1].size, &done) == 0 &&
	   done == early[1].size, "unmap %s", early[1].kind);
	ok(dma_unmap(container, late[1].iova, late[1].size, &done) == 0 &&
	   done == late[1].size, "unmap %s", late[1].kind);
	for (int i = 0; i < 2; i++) {
		ok(blocked(i, &early[1], &early[0]), "device %d does not reach the first", i);
		ok(blocked(i, &late[1], &early[0]), "device %d does not reach the second", i);
		ok(reaches(i, &early[2]), "device %d still reaches %s", i, early[2].kind);
	}
	area_map(&early[1]);
	for (int i = 0; i < 2; i++)
		ok(reaches(i, &early[1]), "mapped again: device %d reaches it", i);
}

/* The mappings outlive the group that came first, and its domain. */
static void come_and_go(void)
{
	leave(0);
	check_reach(1, early, COUNT(early), "left alone");
	join(0);
	open_device(0);
	check_reach(0, early, COUNT(early), "having come back");
	leave(1);
	check_reach(0, early, COUNT(early), "left alone");
	join(1);
	open_device(1);
	ok(reaches(1, &late[0]), "device 1 reaches %s, having come back", late[0].kind);
}

int main(int argc, char **argv)
{
	uint64_t locked = vmlck(getpid());

	want_domains = argc > 1 && !strcmp(argv[1], "--two-domains") ? 2 : 1;
	share_domains(want_domains == 1);

	if (!edu_find_pair(false, addr))
		bail("needs two edu devices in two groups");
	container = container_open();
	join(0);
	ok(set_iommu(container, VFIO_TYPE1v2_IOMMU) == 0, "SET_IOMMU");
	ok(served_by_iommufd_if_due(), "the container is served by who should serve it");
	open_device(0);
	for (size_t i = 0; i < COUNT(early); i++)
		area_map(&early[i]);
	check_reach(0, early, COUNT(early), "alone");

	both_at_work();
	unmapped_for_both();
	come_and_go();

	leave(0);
	leave(1);
	ok(close(container) == 0, "close the container");
	ok(vmlck(getpid()) == locked, "VmLck is what it was");
	share_domains(true);
	return tap_done();
}
