// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups without an IOMMU (mdevs and the like): pinning, copying, what drivers are
 * told before an unmap, and which pages are dirty, on stock type1 and here.  Each
 * check wants the same of both.  Setup: emulated, with vfio_iommu_type1 loaded; with
 * --here, without: type1 of 6.1 takes its own locks in two orders when it tells a
 * driver of an unmap, which lockdep reports.
 */
#include <linux/vfio.h>
#include <stdlib.h>

#include "diff_sides.h"
#include "emulated.h"
#include "nesting_util.h"

#define IOVA (256 * MIB)
#define NPAGES 8

/* A container of one of the two, with the emulated groups 0 and 1 */
struct side {
	const char *name, *node;
	int container, group[2], device[2];
};

static const struct {
	const char *name, *node;
} kinds[] = { { "stock", STOCK_NODE }, { "here", VFIO_NODE } };

static uint8_t *mem;

static uint64_t my_vmlck(void)
{
	return vmlck(getpid());
}

static void join(struct side *s, unsigned int nr)
{
	s->group[nr] = group_open(emulated_group(nr));
	if (set_container(s->group[nr], s->container))
		bail("%s: SET_CONTAINER", s->name);
}

static void open_device(struct side *s, unsigned int nr)
{
	s->device[nr] = emulated_device(s->group[nr], nr);
	if (s->device[nr] < 0)
		bail("%s: GET_DEVICE_FD", s->name);
}

static void leave(struct side *s, unsigned int nr)
{
	if (s->device[nr] >= 0)
		close(s->device[nr]);
	if (s->group[nr] >= 0)
		close(s->group[nr]);
	s->device[nr] = -1;
	s->group[nr] = -1;
}

static void begin(struct side *s, unsigned int kind, unsigned long type)
{
	s->name = kinds[kind].name;
	s->node = kinds[kind].node;
	s->group[1] = -1;
	s->device[0] = -1;
	s->device[1] = -1;
	s->container = open(s->node, O_RDWR | O_CLOEXEC);
	if (s->container < 0)
		bail("open %s", s->node);
	join(s, 0);
	if (set_iommu(s->container, type))
		bail("%s: SET_IOMMU", s->name);
}

static void end(struct side *s)
{
	leave(s, 0);
	leave(s, 1);
	close(s->container);
}

static int pin(const struct side *s, unsigned int nr, uint64_t iova, uint32_t npages,
	       uint32_t prot, uint64_t *data)
{
	return emulated_pin(s->device[nr], iova, npages, prot, data);
}

static int unpin(const struct side *s, unsigned int nr, uint64_t iova, uint32_t npages)
{
	return emulated_unpin(s->device[nr], iova, npages);
}

static int rw(const struct side *s, uint64_t iova, void *buf, uint32_t length, bool write)
{
	return emulated_rw(s->device[0], iova, buf, length, write);
}

static struct emulated_test_stats stats(const struct side *s, unsigned int nr)
{
	return emulated_stats(s->device[nr]);
}

/* ------------------------------------------------------------------ */

static void test_container(struct side *s)
{
	struct vfio_iommu_type1_info *info = get_info(s->container, 4096);

	if (!info)
		bail("GET_INFO");
	ok(info->iova_pgsizes == ~(PAGE - 1), "%s: any size of whole pages", s->name);
	ok(!find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE), "%s: no IOVA ranges", s->name);
	ok(find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION) &&
	   find_cap(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL), "%s: MIGRATION, DMA_AVAIL", s->name);
	ok(ioctl(s->container, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU) == 1, "%s: DMA_CC",
	   s->name);
	free(info);
}

static void test_pin(struct side *s)
{
	uint64_t locked = my_vmlck();
	uint64_t word;

	open_device(s, 0);
	fails(pin(s, 0, IOVA, 1, 3, NULL), EINVAL, "%s: pin what is not mapped", s->name);
	ok(!dma_map(s->container, IOVA, mem, NPAGES * PAGE), "%s: MAP", s->name);
	ok(my_vmlck() == locked, "%s: a map alone pins nothing", s->name);
	ok(pin(s, 0, IOVA + PAGE, 2, 3, &word) == 2 && word == 0x1001, "%s: pin 2 pages", s->name);
	ok(my_vmlck() == locked + 2 * PAGE, "%s: which are charged", s->name);
	ok(pin(s, 0, IOVA + PAGE, 1, 1, &word) == 1 && word == 0x1001, "%s: one of them again",
	   s->name);
	ok(my_vmlck() == locked + 2 * PAGE, "%s: which is not", s->name);
	fails(pin(s, 0, IOVA + (NPAGES - 1) * PAGE, 2, 3, NULL), EINVAL,
	      "%s: past the end of a mapping", s->name);
	ok(my_vmlck() == locked + 2 * PAGE, "%s: leaves nothing behind", s->name);
	ok(!unpin(s, 0, IOVA + 2 * PAGE, 1) && my_vmlck() == locked + PAGE,
	   "%s: unpin the second by itself", s->name);
	ok(!unpin(s, 0, IOVA + PAGE, 1) && my_vmlck() == locked + PAGE,
	   "%s: the first once", s->name);
	ok(!unpin(s, 0, IOVA + PAGE, 1) && my_vmlck() == locked, "%s: and twice", s->name);
}

static void test_prot(struct side *s)
{
	open_device(s, 0);
	ok(!dma_map_flags(s->container, IOVA, mem, PAGE, VFIO_DMA_MAP_FLAG_READ),
	   "%s: MAP to be read", s->name);
	fails(pin(s, 0, IOVA, 1, 2, NULL), EPERM, "%s: pin to write", s->name);
	ok(pin(s, 0, IOVA, 1, 1, NULL) == 1, "%s: pin to read", s->name);
	fails(rw(s, IOVA, mem + PAGE, 8, true), EPERM, "%s: write", s->name);
	ok(!rw(s, IOVA, mem + PAGE, 8, false), "%s: read", s->name);
	*(uint64_t *)(mem + PAGE) = 0x1001;
}

static void test_rw(struct side *s)
{
	uint8_t buf[3 * PAGE];

	open_device(s, 0);
	ok(!dma_map(s->container, IOVA, mem, 2 * PAGE) &&
	   !dma_map(s->container, IOVA + 2 * PAGE, mem + 4 * PAGE, 2 * PAGE),
	   "%s: two mappings side by side", s->name);
	ok(!rw(s, IOVA + PAGE + 100, buf, 2 * PAGE, false) &&
	   !memcmp(buf, mem + PAGE + 100, PAGE - 100) &&
	   !memcmp(buf + PAGE - 100, mem + 4 * PAGE, PAGE + 100), "%s: read across", s->name);
	memset(buf, 0x5a, sizeof(buf));
	ok(!rw(s, IOVA + PAGE + 100, buf, PAGE, true) && mem[PAGE + 100] == 0x5a &&
	   mem[2 * PAGE - 1] == 0x5a && mem[4 * PAGE] == 0x5a && mem[4 * PAGE + 99] == 0x5a &&
	   mem[4 * PAGE + 100] != 0x5a, "%s: write across", s->name);
	fails(rw(s, IOVA, buf, 0, true), EINVAL, "%s: nothing", s->name);
	fails(rw(s, IOVA + 4 * PAGE, buf, 8, false), EINVAL, "%s: what is not mapped", s->name);
}

static void test_unmap(struct side *s)
{
	struct emulated_test_stats st;
	uint64_t size;

	open_device(s, 0);
	ok(!dma_map(s->container, IOVA, mem, 4 * PAGE), "%s: MAP", s->name);
	ok(!dma_unmap(s->container, IOVA, 4 * PAGE, &size) && !stats(s, 0).unmaps,
	   "%s: an unmap of what is not pinned tells nobody", s->name);
	ok(!dma_map(s->container, IOVA, mem, 4 * PAGE) && pin(s, 0, IOVA + PAGE, 2, 3, NULL) == 2,
	   "%s: MAP, pin", s->name);
	ok(!dma_unmap(s->container, IOVA, 4 * PAGE, &size) && size == 4 * PAGE, "%s: UNMAP",
	   s->name);
	st = stats(s, 0);
	ok(st.unmaps == 1 && st.iova == IOVA && st.length == 4 * PAGE && !st.pins,
	   "%s: the driver was told, and has unpinned", s->name);
	fails(pin(s, 0, IOVA, 1, 3, NULL), EINVAL, "%s: it is gone", s->name);
}

static void test_v1(struct side *s)
{
	open_device(s, 0);
	ok(!dma_map(s->container, IOVA, mem, PAGE), "%s: MAP", s->name);
	fails(pin(s, 0, IOVA, 1, 3, NULL), EACCES, "%s: v1 does not pin", s->name);
	ok(!rw(s, IOVA, mem + PAGE, 8, false), "%s: but reads", s->name);
	*(uint64_t *)(mem + PAGE) = 0x1001;
}

static void test_two_groups(struct side *s)
{
	uint64_t locked = my_vmlck();

	join(s, 1);
	open_device(s, 0);
	open_device(s, 1);
	ok(!dma_map(s->container, IOVA, mem, 2 * PAGE), "%s: MAP", s->name);
	ok(pin(s, 0, IOVA, 2, 3, NULL) == 2 && pin(s, 1, IOVA, 1, 3, NULL) == 1,
	   "%s: both pin", s->name);
	ok(my_vmlck() == locked + 2 * PAGE, "%s: and are charged once", s->name);
	leave(s, 0);
	ok(my_vmlck() == locked + PAGE, "%s: one leaves", s->name);
	ok(!dma_unmap(s->container, IOVA, 2 * PAGE, NULL) && stats(s, 1).unmaps == 1 &&
	   my_vmlck() == locked, "%s: UNMAP", s->name);
}

/* What ends with the last group, pinned or not */
static void test_leave(struct side *s)
{
	uint64_t locked = my_vmlck();

	open_device(s, 0);
	ok(!dma_map(s->container, IOVA, mem, 4 * PAGE) && pin(s, 0, IOVA, 4, 3, NULL) == 4,
	   "%s: MAP, pin", s->name);
	leave(s, 0);
	ok(my_vmlck() == locked, "%s: nothing is charged when the group has left", s->name);
	fails(dma_map(s->container, IOVA, mem, PAGE), EINVAL, "%s: the container is unset",
	      s->name);
}

/* ------------------------------------------------------------------ */
/* Dirty pages */

static int get_bits(const struct side *s, uint64_t *bits)
{
	return dirty_get(s->container, IOVA, NPAGES * PAGE, sizeof(*bits), bits);
}

static uint64_t dirty_bits(const struct side *s)
{
	uint64_t bits = 0;

	if (get_bits(s, &bits))
		bail("%s: GET_BITMAP", s->name);
	return bits;
}

static void test_dirty(struct side *s)
{
	uint64_t bits = 0, word = 0;

	open_device(s, 0);
	ok(!dma_map(s->container, IOVA, mem, NPAGES * PAGE) && pin(s, 0, IOVA, 1, 3, NULL) == 1,
	   "%s: MAP, pin page 0", s->name);
	fails(get_bits(s, &bits), EINVAL,
	      "%s: GET_BITMAP before START", s->name);
	ok(!dirty_start(s->container), "%s: START", s->name);
	ok(dirty_bits(s) == 0x1, "%s: what is pinned is dirty", s->name);
	ok(dirty_bits(s) == 0x1, "%s: and stays so", s->name);
	ok(pin(s, 0, IOVA + 2 * PAGE, 2, 3, NULL) == 2 && !unpin(s, 0, IOVA + 2 * PAGE, 1) &&
	   !unpin(s, 0, IOVA, 1), "%s: pin 2 and 3, unpin 0 and 2", s->name);
	ok(dirty_bits(s) == 0xd, "%s: they all were dirty", s->name);
	ok(dirty_bits(s) == 0x8, "%s: now only 3 is", s->name);
	ok(!rw(s, IOVA + 5 * PAGE - 4, &word, sizeof(word), true), "%s: write to 4 and 5", s->name);
	ok(!rw(s, IOVA + 6 * PAGE, &word, sizeof(word), false), "%s: read 6", s->name);
	ok(dirty_bits(s) == 0x38, "%s: 4 and 5 are dirty, too", s->name);
	ok(dirty_bits(s) == 0x8, "%s: once", s->name);
	ok(!dirty_stop(s->container), "%s: STOP", s->name);
	fails(get_bits(s, &bits), EINVAL,
	      "%s: GET_BITMAP after STOP", s->name);
	ok(!rw(s, IOVA, &word, sizeof(word), true) &&
	   !dirty_start(s->container) && dirty_bits(s) == 0x8,
	   "%s: what was written to meanwhile was not seen", s->name);
}

/* What stands in a bitmap already says nothing of pages that were not asked for. */
static void test_dirty_neighbour(struct side *s)
{
	uint64_t bits = -1ULL, word = 0;

	open_device(s, 0);
	ok(!dma_map(s->container, IOVA, mem, 4 * PAGE) &&
	   !dma_map(s->container, IOVA + 4 * PAGE, mem + 4 * PAGE, 4 * PAGE) &&
	   !dirty_start(s->container) &&
	   !rw(s, IOVA + PAGE, &word, sizeof(word), true) &&
	   !rw(s, IOVA + 5 * PAGE, &word, sizeof(word), true), "%s: write to 1 and 5", s->name);
	ok(!dirty_get(s->container, IOVA - PAGE, 5 * PAGE, sizeof(bits), &bits) &&
	   bits == -1ULL, "%s: the first mapping, into a bitmap that is full", s->name);
	/* Stock shows what it was given, too: difference dirty-behind. */
	bits = dirty_bits(s);
	ok(bits == 0x20 || (bits & 0x20 && !strcmp(s->node, STOCK_NODE)),
	   "%s: the second is as dirty as it was", s->name);
}

static const struct {
	const char *name;
	unsigned long type;
	void (*fn)(struct side *s);
} tests[] = {
	{ "container", VFIO_TYPE1v2_IOMMU, test_container },
	{ "pin", VFIO_TYPE1v2_IOMMU, test_pin },
	{ "prot", VFIO_TYPE1v2_IOMMU, test_prot },
	{ "rw", VFIO_TYPE1v2_IOMMU, test_rw },
	{ "unmap", VFIO_TYPE1v2_IOMMU, test_unmap },
	{ "v1", VFIO_TYPE1_IOMMU, test_v1 },
	{ "two groups", VFIO_TYPE1v2_IOMMU, test_two_groups },
	{ "leave", VFIO_TYPE1v2_IOMMU, test_leave },
	{ "dirty", VFIO_TYPE1v2_IOMMU, test_dirty },
	{ "dirty neighbour", VFIO_TYPE1v2_IOMMU, test_dirty_neighbour },
};

/* What has no IOMMU has no second stage. */
static void test_nesting(void)
{
	int container = container_open(), emulated = group_open(emulated_group(0));
	int group;

	nesting_allow(true);
	if (set_container(emulated, container))
		bail("SET_CONTAINER");
	fails(set_iommu(container, VFIO_TYPE1_NESTING_IOMMU), EOPNOTSUPP,
	      "SET_IOMMU of two stages");
	ok(!set_iommu(container, VFIO_TYPE1v2_IOMMU), "another type is as good as ever");
	close(emulated);
	close(container);

	container = container_open();
	group = group_open(pci_group(name_of("EDU0")));
	if (set_container(group, container) ||
	    set_iommu(container, VFIO_TYPE1_NESTING_IOMMU))
		bail("a container with two stages");
	emulated = group_open(emulated_group(0));
	fails(set_container(emulated, container), EOPNOTSUPP, "a container that has them");
	ok(!dma_map(container, IOVA, mem, PAGE), "which goes on");
	close(emulated);
	close(group);
	close(container);
	nesting_allow(false);
}

int main(int argc, char **argv)
{
	bool here_only = argc > 1 && !strcmp(argv[1], "--here");
	struct side s;

	if (!here_only) {
		stock_node_make();
		check_sides();
	}
	mem = mmap(NULL, NPAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		bail("mmap");
	for (size_t t = 0; t < sizeof(tests) / sizeof(tests[0]); t++) {
		for (unsigned int kind = here_only; kind < 2; kind++) {
			for (int i = 0; i < NPAGES; i++)
				*(uint64_t *)(mem + i * PAGE) = 0x1000 + i;
			begin(&s, kind, tests[t].type);
			tests[t].fn(&s);
			end(&s);
		}
	}
	if (here_only)
		test_nesting();
	else
		unlink(STOCK_NODE);
	return tap_done();
}
