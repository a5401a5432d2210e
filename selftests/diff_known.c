// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each difference of diff_expected.list, shown on stock type1 and here.
 *
 * A difference that is gone is a failure: then it leaves the list.  Wants what
 * diff_type1 wants.
 */
#include "cap_util.h"
#include "iommu_util.h"
#include "diff_list.h"
#include "diff_sides.h"
#include "nesting_util.h"

#define IOVA (256 * MIB)
/* No command of VFIO's */
#define UNKNOWN_COMMAND _IO(';', 90)
#define NO_TYPE 60

/* One of the two, with a group that may be put in */
struct side {
	bool stock;
	const char *name;
	int container, group;
};

static struct vfio_pci_addr addr;
static uint8_t *mem;

static void side_open(struct side *s, bool stock)
{
	s->stock = stock;
	s->name = stock ? "stock" : "here";
	s->container = open(stock ? STOCK_NODE : VFIO_NODE, O_RDWR | O_CLOEXEC);
	if (s->container < 0)
		bail("open the container node");
	s->group = group_open(addr.group);
}

static void side_join(struct side *s, unsigned long type)
{
	if (set_container(s->group, s->container))
		bail("SET_CONTAINER");
	if (type && set_iommu(s->container, type))
		bail("SET_IOMMU");
}

static void side_close(struct side *s)
{
	close(s->group);
	close(s->container);
}

/* Failed with this errno on stock, and with that here; 0: succeeded */
#define answers(s, call, on_stock, on_ours, ...)                                 \
	({                                                                       \
		const struct side *_s = (s);                                     \
		int _want = _s->stock ? (on_stock) : (on_ours);                  \
										 \
		errno = 0;                                                       \
		if (_want)                                                       \
			fails(call, _want, __VA_ARGS__);                         \
		else                                                             \
			ok((call) == 0, __VA_ARGS__);                            \
	})

static bool is_mapped(const struct side *s, uint64_t iova)
{
	if (dma_map(s->container, iova, mem, PAGE))
		return errno == EEXIST;
	if (dma_unmap(s->container, iova, PAGE, NULL))
		bail("unmapping a probe");
	return false;
}

/* ------------------------------------------------------------------ */

static unsigned int maps_until_refused(const struct side *s)
{
	unsigned int n = 0;

	while (n < 100 && !dma_map(s->container, IOVA + n * PAGE, mem, PAGE))
		n++;
	if (errno != ENOSPC)
		n = ~0u;
	return n;
}

static void test_dma_entry_limit(struct side *s)
{
	const char *param = s->stock ? STOCK_LIMIT : OUR_LIMIT;
	unsigned long before = limit_get(param), want = s->stock ? STOCK_LIMIT_DEFAULT : 1 << 20;

	side_join(s, VFIO_TYPE1v2_IOMMU);
	ok(before == want && dma_avail(s->container) == (long)want, "%s: DMA_AVAIL is %lu",
	   s->name, want);
	limit_set(param, 3);
	ok(dma_avail(s->container) == (s->stock ? (long)before : 3), "%s: a new limit %s", s->name,
	   s->stock ? "changes nothing here" : "is valid at once");
	side_close(s);

	/* With the same limit from the beginning there is no difference. */
	side_open(s, s->stock);
	side_join(s, VFIO_TYPE1v2_IOMMU);
	ok(maps_until_refused(s) == 3, "%s: ENOSPC after as many mappings as the limit says",
	   s->name);
	fails(dma_map(s->container, IOVA, mem, PAGE), EEXIST, "%s: over the limit, EEXIST first",
	      s->name);
	fails(dma_map(s->container, 1ULL << 60, mem, PAGE), ENOSPC,
	      "%s: over the limit, ENOSPC before EINVAL", s->name);
	ok(dma_unmap(s->container, IOVA, PAGE, NULL) == 0 &&
	   dma_map(s->container, IOVA, mem, PAGE) == 0, "%s: room again after an UNMAP", s->name);
	limit_set(param, before);
}

/* A device of the container, ready for DMA; to be closed by the caller */
static int device_of(struct side *s, struct edu *edu)
{
	int device;

	side_join(s, VFIO_TYPE1v2_IOMMU);
	device = device_fd(s->group, addr.bdf);
	if (device < 0 || edu_init(edu, device))
		bail("opening the device");
	return device;
}

/* What the device reads at IOVA: its own BAR, all ones behind its registers */
static bool reads_ones(const struct edu *edu, uint8_t *target)
{
	memset(target, 0, PAGE);
	edu_fetch(edu, IOVA + PAGE, 64);
	edu_copy(edu, IOVA, IOVA + PAGE, 64);
	return all_bytes(target, 64, 0xff);
}

static void test_bar_revoked(struct side *s)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint64_t lost = p2p_event("lost");
	uint8_t *target = alloc_pages(PAGE);
	struct edu edu;
	int device = device_of(s, &edu);

	ok(dma_map(s->container, IOVA, (void *)(edu.bar + PAGE), PAGE) == 0 &&
	   dma_map(s->container, IOVA + PAGE, target, PAGE) == 0,
	   "%s: MAP of a device's memory", s->name);
	ok(vmlck(getpid()) == PAGE, "%s: it is not charged", s->name);
	ok(reads_ones(&edu, target), "%s: a device reads it", s->name);

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config) ||
	    edu_command(device, config.offset, 0, PCI_COMMAND_MEMORY))
		bail("memory off");
	/* Here it is tried once to get it back; not too late, when it is there again. */
	if (!s->stock && !p2p_event_grew("lost", lost))
		bail("it is not lost");
	if (edu_command(device, config.offset, PCI_COMMAND_MEMORY, 0))
		bail("memory on");
	ok(reads_ones(&edu, target) == s->stock, "%s: memory off and on: %s reached", s->name,
	   s->stock ? "still" : "not");
	ok(dma_unmap(s->container, IOVA, PAGE, NULL) == 0 &&
	   dma_map(s->container, IOVA, (void *)(edu.bar + PAGE), PAGE) == 0 &&
	   reads_ones(&edu, target), "%s: UNMAP and MAP: reached", s->name);
	edu_unmap_bar(&edu);
	close(device);
	munmap(target, PAGE);
}

static void test_bar_mixed(struct side *s)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	uint8_t *both = alloc_pages(2 * PAGE);
	struct edu edu;
	int device = device_of(s, &edu);

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    mmap(both + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, device,
		 bar.offset) == MAP_FAILED)
		bail("mmap of the BAR");
	answers(s, dma_map(s->container, IOVA, both, 2 * PAGE), 0, EFAULT,
		"%s: MAP of memory and a BAR behind it", s->name);
	munmap(both, 2 * PAGE);
	edu_unmap_bar(&edu);
	close(device);
}

static void test_private_read_only(struct side *s)
{
	uint8_t *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *target = alloc_pages(PAGE);
	bool seen;
	struct edu edu;
	int device = device_of(s, &edu);

	if (fresh == MAP_FAILED)
		bail("mmap");
	ok(dma_map_flags(s->container, IOVA, fresh, PAGE, VFIO_DMA_MAP_FLAG_READ) == 0,
	   "%s: MAP of memory never written, READ only", s->name);
	ok(vmlck(getpid()) == (s->stock ? 0 : PAGE), "%s: %s is charged", s->name,
	   s->stock ? "nothing" : "a page");
	ok(dma_map(s->container, IOVA + PAGE, target, PAGE) == 0, "%s: MAP of a target", s->name);
	fill_pattern(fresh, 64, 9);
	edu_copy(&edu, IOVA, IOVA + PAGE, 64);
	seen = check_pattern(target, 64, 9) < 0;
	ok(s->stock ? all_bytes(target, 64, 0) : seen, "%s: the device reads %s", s->name,
	   s->stock ? "zeros, not what was written since" : "what the CPU has written since");
	edu_unmap_bar(&edu);
	close(device);
	munmap(fresh, PAGE);
	munmap(target, PAGE);
}

static void test_unmap_last_page(struct side *s)
{
	uint64_t size;

	side_join(s, VFIO_TYPE1v2_IOMMU);
	ok(dma_map(s->container, IOVA, mem, PAGE) == 0, "%s: MAP", s->name);
	ok(dma_unmap(s->container, IOVA, -IOVA, &size) == 0, "%s: UNMAP up to the last byte of all",
	   s->name);
	ok(size == (s->stock ? 0 : PAGE), "%s: unmaps %s", s->name, s->stock ? "nothing" : "it");
	ok(is_mapped(s, IOVA) == s->stock, "%s: and the page is %s", s->name,
	   s->stock ? "still mapped" : "free");
}

static void test_type1_nesting(struct side *s)
{
	ok(ioctl(s->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_NESTING_IOMMU) == s->stock,
	   "%s: CHECK_EXTENSION is %d", s->name, s->stock);
	side_join(s, 0);
	/* On stock it depends on the IOMMU. */
	if (!s->stock)
		fails(set_iommu(s->container, VFIO_TYPE1_NESTING_IOMMU), EINVAL, "%s: SET_IOMMU",
		      s->name);
}

static void test_nesting_commands(struct side *s)
{
	side_join(s, 0);
	for (size_t i = 0; i < NESTING_COMMANDS; i++)
		answers(s, ioctl(s->container, nesting_commands[i], mem), EINVAL, ENODEV,
			"%s: %#x without an IOMMU", s->name, nesting_commands[i]);
	if (set_iommu(s->container, VFIO_TYPE1v2_IOMMU))
		bail("SET_IOMMU");
	for (size_t i = 0; i < NESTING_COMMANDS; i++)
		answers(s, ioctl(s->container, nesting_commands[i], mem), ENOTTY, EOPNOTSUPP,
			"%s: %#x", s->name, nesting_commands[i]);
	ok(ioctl(s->container, VFIO_NESTING_GET_IOMMU_UAPI_VERSION) == (s->stock ? -1 : 1),
	   "%s: GET_IOMMU_UAPI_VERSION", s->name);
}

static void test_update_vaddr(struct side *s)
{
	uint8_t *other = alloc_pages(PAGE);
	uint64_t size = 0;

	side_join(s, VFIO_TYPE1v2_IOMMU);
	ok(ioctl(s->container, VFIO_CHECK_EXTENSION, VFIO_UPDATE_VADDR) == s->stock,
	   "%s: CHECK_EXTENSION is %d", s->name, s->stock);
	ok(dma_map(s->container, IOVA, mem, PAGE) == 0, "%s: MAP", s->name);
	answers(s, dma_unmap_flags(s->container, IOVA, PAGE, VFIO_DMA_UNMAP_FLAG_VADDR, &size), 0,
		EINVAL, "%s: UNMAP with VADDR", s->name);
	answers(s, dma_map_flags(s->container, IOVA, other, PAGE, VFIO_DMA_MAP_FLAG_VADDR), 0,
		EINVAL, "%s: MAP with VADDR", s->name);
	answers(s, dma_map_flags(s->container, 2 * IOVA, other, PAGE, VFIO_DMA_MAP_FLAG_VADDR),
		ENOENT, EINVAL, "%s: MAP with VADDR where nothing is", s->name);
	ok(is_mapped(s, IOVA), "%s: still mapped", s->name);
	munmap(other, PAGE);
}

static void test_no_group(struct side *s)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	answers(s, set_iommu(s->container, VFIO_TYPE1v2_IOMMU), EINVAL, ENODEV, "%s: SET_IOMMU",
		s->name);
	answers(s, ioctl(s->container, VFIO_IOMMU_GET_INFO, &info), EINVAL, ENODEV, "%s: GET_INFO",
		s->name);
	answers(s, dma_map(s->container, IOVA, mem, PAGE), EINVAL, ENODEV, "%s: MAP", s->name);
	answers(s, dma_unmap(s->container, IOVA, PAGE, NULL), EINVAL, ENODEV, "%s: UNMAP", s->name);
	answers(s, ioctl(s->container, VFIO_IOMMU_MAP_DMA, NULL), EINVAL, EFAULT,
		"%s: MAP without an argument", s->name);
	answers(s, ioctl(s->container, UNKNOWN_COMMAND, NULL), EINVAL, ENOTTY,
		"%s: unknown command", s->name);
}

static void test_set_iommu_type(struct side *s)
{
	fails(set_iommu(s->container, NO_TYPE), EINVAL, "%s: no group", s->name);
	side_join(s, 0);
	answers(s, set_iommu(s->container, NO_TYPE), ENODEV, EINVAL, "%s: with a group", s->name);
	ok(set_iommu(s->container, VFIO_TYPE1v2_IOMMU) == 0, "%s: a right one then", s->name);
	fails(set_iommu(s->container, NO_TYPE), EINVAL, "%s: with an IOMMU", s->name);
}

static void test_memlock_first(struct side *s)
{
	uint8_t *p = alloc_pages(32 * PAGE);
	int err = 0;
	pid_t pid;

	side_join(s, VFIO_TYPE1v2_IOMMU);
	if (munmap(p + PAGE, 31 * PAGE))
		bail("munmap");
	pid = fork_child();
	if (!pid) {
		cap_drop(CAP_IPC_LOCK);
		memlock_limit(4 * PAGE);
		if (dma_map(s->container, IOVA, p, 32 * PAGE))
			err = errno;
		_exit(vmlck(getpid()) ? 127 : err);
	}
	err = wait_child(pid);
	ok(err == (s->stock ? EFAULT : ENOMEM),
	   "%s: one page and a hole, over the limit: %s, and nothing charged", s->name,
	   s->stock ? "EFAULT" : "ENOMEM");
	munmap(p, PAGE);
}

static uint64_t dirty_word(const struct side *s, uint32_t flags)
{
	uint64_t bits = 0;
	struct {
		struct vfio_iommu_type1_dirty_bitmap dirty;
		struct vfio_iommu_type1_dirty_bitmap_get range;
	} args = {
		.dirty = { .argsz = sizeof(args), .flags = flags },
		.range = { .iova = IOVA, .size = 64 * PAGE },
	};

	args.range.bitmap = (struct vfio_bitmap){
		.pgsize = PAGE, .size = sizeof(bits), .data = (void *)&bits,
	};
	if (ioctl(s->container, VFIO_IOMMU_DIRTY_PAGES, &args))
		bail("%s: DIRTY_PAGES", s->name);
	return bits;
}

static void test_dirty_behind(struct side *s)
{
	side_join(s, VFIO_TYPE1v2_IOMMU);
	ok(dma_map(s->container, IOVA + 5 * PAGE, mem, PAGE) == 0, "%s: MAP page 5", s->name);
	dirty_word(s, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
	ok(dirty_word(s, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP) == 0x20, "%s: it is dirty",
	   s->name);
	ok((dirty_word(s, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP) == 0x20) == !s->stock,
	   "%s: and then %s", s->name, s->stock ? "others, too" : "still no other");
}

static const struct {
	const char *name;
	void (*fn)(struct side *s);
} tests[] = {
	{ "dma-entry-limit", test_dma_entry_limit },
	{ "bar-revoked", test_bar_revoked },
	{ "bar-mixed", test_bar_mixed },
	{ "private-read-only", test_private_read_only },
	{ "unmap-last-page", test_unmap_last_page },
	{ "type1-nesting", test_type1_nesting },
	{ "nesting-commands", test_nesting_commands },
	{ "update-vaddr", test_update_vaddr },
	{ "no-group", test_no_group },
	{ "set-iommu-type", test_set_iommu_type },
	{ "memlock-first", test_memlock_first },
	{ "dirty-behind", test_dirty_behind },
};

int main(int argc, char **argv)
{
	const unsigned int n = sizeof(tests) / sizeof(tests[0]);
	struct side side;

	(void)argc;
	expected_read(argv[0]);
	addr = edu_first();
	mem = alloc_pages(PAGE);
	stock_node_make();
	check_sides();
	ok(n == nexpected, "as many tests as listed differences (%u)", nexpected);
	for (unsigned int i = 0; i < n; i++) {
		ok(!!expected_find(tests[i].name), "%s is in the list", tests[i].name);
		for (int stock = 1; stock >= 0; stock--) {
			side_open(&side, stock);
			tests[i].fn(&side);
			side_close(&side);
		}
	}
	unlink(STOCK_NODE);
	return tap_done();
}
