// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ordinary VFIO type1 program, from open to close, with real DMA.
 *
 * It maps memory of several kinds, lets the edu device copy between them, and
 * compares every mapped byte with a model after each copy.  Then it takes the
 * mappings away and shows that the device no longer reaches the memory.
 *
 * With --narrate the same checks are told in plain words: this is what
 * `make run` shows.
 */
#include <linux/iommufd.h>

#include "edu.h"

static bool narrate;
static unsigned int steps, failures;
static uint64_t bytes_moved;

static void __attribute__((format(printf, 1, 2))) step(const char *fmt, ...)
{
	va_list ap;

	if (!narrate)
		return;
	printf("\nStep %u. ", ++steps);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static bool __attribute__((format(printf, 3, 4)))
verdict(bool good, int line, const char *fmt, ...)
{
	int err = errno;
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!narrate)
		return tap_ok(good, __FILE__, line, "%s", text);
	printf("    %s %s\n", good ? "[ok]  " : "[FAIL]", text);
	if (!good) {
		failures++;
		printf("           line %d of %s, errno %d (%s)\n", line, __FILE__, err,
		       strerror(err));
	}
	fflush(stdout);
	return good;
}

#define check(cond, ...) verdict(!!(cond), __LINE__, __VA_ARGS__)

struct buffer {
	const char *kind;
	size_t size;
	uint64_t iova;
	int mmap_flags, advice;
	uint8_t *mem, *model;
};

/* IOVAs stay below 256 MiB: what an edu with its default DMA mask can reach. */
static struct buffer buffers[] = {
	{ .kind = "4 KiB pages", .size = 64 * KIB, .iova = 16 * MIB, .advice = MADV_NOHUGEPAGE },
	{ .kind = "transparent huge pages", .size = 4 * MIB, .iova = 32 * MIB,
	  .advice = MADV_HUGEPAGE },
	{ .kind = "a 2 MiB hugetlb page", .size = 2 * MIB, .iova = 64 * MIB,
	  .mmap_flags = MAP_HUGETLB },
};

#define NBUFFERS (sizeof(buffers) / sizeof(buffers[0]))

/* One hugetlb page for this program; it is given back at the end. */
static long change_hugepages(long delta)
{
	static const char path[] = "/proc/sys/vm/nr_hugepages";
	FILE *f = fopen(path, "r+e");
	long n;

	if (!f || fscanf(f, "%ld", &n) != 1)
		bail("%s", path);
	rewind(f);
	fprintf(f, "%ld\n", n + delta);
	if (fclose(f))
		bail("%s", path);
	return n + delta;
}

static void buffer_alloc(struct buffer *b, uint32_t seed)
{
	size_t room = b->size + (b->mmap_flags ? 0 : 2 * MIB);
	uint8_t *p = mmap(NULL, room, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | b->mmap_flags, -1, 0);

	if (p == MAP_FAILED)
		bail("mmap of %s", b->kind);
	p = (uint8_t *)(((uintptr_t)p + 2 * MIB - 1) & ~(2 * MIB - 1));
	if (b->advice)
		madvise(p, b->size, b->advice);
	b->mem = p;
	b->model = malloc(b->size);
	if (!b->model)
		bail("malloc");
	fill_pattern(b->mem, b->size, seed);
	memcpy(b->model, b->mem, b->size);
}

/* Every byte of every buffer, touched or not, is what the model says. */
static bool memory_is_as_modelled(void)
{
	for (size_t i = 0; i < NBUFFERS; i++)
		if (memcmp(buffers[i].mem, buffers[i].model, buffers[i].size))
			return false;
	return true;
}

static size_t modelled_bytes(void)
{
	size_t n = 0;

	for (size_t i = 0; i < NBUFFERS; i++)
		n += buffers[i].size;
	return n;
}

static void copy_and_check(struct edu *edu, struct buffer *from, size_t from_off,
			   struct buffer *to, size_t to_off, size_t len)
{
	edu_copy(edu, from->iova + from_off, to->iova + to_off, len);
	memmove(to->model + to_off, from->model + from_off, len);
	bytes_moved += 2 * len;
	check(memory_is_as_modelled(),
	      "%zu bytes, IOVA 0x%llx (%s) -> device -> IOVA 0x%llx (%s); all %zu bytes compared",
	      len, (unsigned long long)(from->iova + from_off), from->kind,
	      (unsigned long long)(to->iova + to_off), to->kind, modelled_bytes());
}

static int open_everything(struct vfio_pci_addr *addr, unsigned long type, int *group)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char link[PATH_MAX] = "";
	int container;

	step("Open " VFIO_NODE ": a VFIO container.");
	if (narrate && readlink(VFIO_NODE, link, sizeof(link) - 1) > 0)
		printf("    It is a symlink to %s.\n", link);
	container = container_open();
	check(ioctl(container, VFIO_GET_API_VERSION) == VFIO_API_VERSION,
	      "VFIO_GET_API_VERSION says %d", VFIO_API_VERSION);
	check(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU) == 1 &&
	      ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) == 1,
	      "VFIO_CHECK_EXTENSION says yes to type1 and type1 v2");
	check(ioctl(container, VFIO_CHECK_EXTENSION, 0x7fffffff) == 0,
	      "VFIO_CHECK_EXTENSION says no to an extension that does not exist");

	step("Open /dev/vfio/%d: the IOMMU group of the edu device %s.", addr->group, addr->bdf);
	*group = group_open(addr->group);
	check(ioctl(*group, VFIO_GROUP_GET_STATUS, &status) == 0 &&
	      status.flags == VFIO_GROUP_FLAGS_VIABLE,
	      "the group is viable and in no container yet");

	step("Put the group into the container and ask for type1%s.",
	     type == VFIO_TYPE1v2_IOMMU ? " v2" : "");
	check(set_container(*group, container) == 0, "VFIO_GROUP_SET_CONTAINER took group %d",
	      addr->group);
	if (!check(set_iommu(container, type) == 0, "VFIO_SET_IOMMU attached the group"))
		exit(1);
	check(served_by_iommufd_if_due(), "the container is served by who should serve it");
	return container;
}

static void report_ioas(int container)
{
	struct iommu_vfio_ioas ioas = { .size = sizeof(ioas), .op = IOMMU_VFIO_IOAS_GET };
	int rc;

	if (!node_is_iommufd())
		return;
	rc = ioctl(container, IOMMU_VFIO_IOAS, &ioas);
	check(rc == 0 && ioas.ioas_id,
	      "behind the container stands IO address space (IOAS) %u of iommufd", ioas.ioas_id);
}

static void check_info(int container)
{
	struct vfio_iommu_type1_info *info = get_info(container, 4096);
	struct vfio_iommu_type1_info_cap_iova_range *ranges;

	step("Ask the container what it can do (VFIO_IOMMU_GET_INFO).");
	report_ioas(container);
	if (!check(info, "VFIO_IOMMU_GET_INFO answers"))
		return;
	check(info->flags & VFIO_IOMMU_INFO_PGSIZES && info->iova_pgsizes & PAGE,
	      "IO page sizes: bitmap 0x%llx", (unsigned long long)info->iova_pgsizes);
	ranges = (void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	if (check(ranges && ranges->nr_iovas, "the usable IOVA ranges are told")) {
		bool msi_free = true, covered[NBUFFERS] = {};

		for (uint32_t i = 0; i < ranges->nr_iovas; i++) {
			uint64_t first = ranges->iova_ranges[i].start;
			uint64_t last = ranges->iova_ranges[i].end;

			if (narrate)
				printf("           0x%" PRIx64 " to 0x%" PRIx64 "\n", first, last);
			if (first <= 0xfeefffff && last >= 0xfee00000)
				msi_free = false;
			for (size_t b = 0; b < NBUFFERS; b++)
				covered[b] |= first <= buffers[b].iova &&
					      last >= buffers[b].iova + buffers[b].size - 1;
		}
		check(msi_free, "the interrupt window 0xfee00000 is not among them");
		check(covered[0] && covered[1] && covered[2],
		      "the addresses that this program will use are");
	}
	check(dma_avail(container) > 0, "room for %ld mappings", dma_avail(container));
	free(info);
}

static void map_buffers(int container)
{
	uint64_t before = vmlck(getpid());

	step("Map memory for the device (VFIO_IOMMU_MAP_DMA).");
	for (size_t i = 0; i < NBUFFERS; i++) {
		struct buffer *b = &buffers[i];

		check(dma_map(container, b->iova, b->mem, b->size) == 0,
		      "%zu KiB of %s at IOVA 0x%llx", b->size / 1024, b->kind,
		      (unsigned long long)b->iova);
	}
	check(vmlck(getpid()) - before == modelled_bytes(),
	      "locked memory of this process grew by the %zu KiB that were mapped",
	      modelled_bytes() / 1024);
}

static void move_data(struct edu *edu)
{
	struct buffer *small = &buffers[0], *thp = &buffers[1], *huge = &buffers[2];

	step("Let the device copy between the buffers, and compare every mapped byte each time.");
	if (narrate)
		printf("    The device needs 0.1 s per 2 KiB and direction.\n");
	copy_and_check(edu, small, 0, small, small->size - PAGE, PAGE);
	copy_and_check(edu, small, PAGE / 2, thp, 2 * MIB - PAGE / 2, PAGE);
	copy_and_check(edu, thp, thp->size - PAGE, huge, 0, PAGE);
	copy_and_check(edu, huge, huge->size - PAGE, small, 3 * PAGE - 3 * KIB, PAGE);
	copy_and_check(edu, thp, 0, thp, thp->size - 1000, 1000);
}

/*
 * Lets the device write to and read from @iova, which must both be blocked:
 * @mem stays as modelled, and of the bytes there the device gets none.
 */
static void check_blocked(struct edu *edu, struct buffer *scratch, uint64_t iova,
			  const char *what)
{
	uint64_t reply = scratch->iova + 8 * PAGE;

	edu_fetch(edu, scratch->iova, 512);
	edu_store(edu, iova, 512);
	check(memory_is_as_modelled(), "a write by the device to %s did not arrive", what);

	edu_fetch(edu, iova, 512);
	edu_store(edu, reply, 512);
	memset(scratch->model + 8 * PAGE, 0, 512);
	check(memory_is_as_modelled(), "a read by the device from %s got nothing", what);
}

static void read_only_map(int container, struct edu *edu, struct buffer *b)
{
	uint8_t *page = alloc_pages(PAGE);
	uint64_t iova = 128 * MIB;

	step("Map one page for reading only, and let the device try to write.");
	fill_pattern(page, PAGE, 77);
	if (!check(dma_map_flags(container, iova, page, PAGE, VFIO_DMA_MAP_FLAG_READ) == 0,
		   "one page, read only, at IOVA 0x%llx", (unsigned long long)iova))
		return;
	edu_copy(edu, iova, b->iova, 1024);
	memcpy(b->model, page, 1024);
	bytes_moved += 2048;
	check(memory_is_as_modelled(), "the device reads it");
	edu_fetch(edu, b->iova + PAGE, 1024);
	edu_store(edu, iova, 1024);
	check(check_pattern(page, PAGE, 77) < 0, "the device's write was blocked");
	check(dma_unmap(container, iova, PAGE, NULL) == 0, "unmapped again");
	munmap(page, PAGE);
}

static void unmap_buffers(int container, struct edu *edu, uint64_t locked_before)
{
	struct buffer *thp = &buffers[1], *huge = &buffers[2];
	uint64_t done = 0;
	int rc;

	step("Unmap (VFIO_IOMMU_UNMAP_DMA), and let the device try to reach what is gone.");
	rc = dma_unmap(container, thp->iova, thp->size, &done);
	check(rc == 0 && done == thp->size,
	      "%s: %llu bytes unmapped", thp->kind, (unsigned long long)done);
	check_blocked(edu, &buffers[0], thp->iova + 2 * MIB - 256, "the unmapped buffer");
	copy_and_check(edu, huge, 64 * KIB, &buffers[0], 0, 512);

	check(dma_unmap(container, thp->iova, thp->size, &done) == 0 && done == 0,
	      "unmapping the same range again: nothing was there, 0 bytes");
	rc = dma_unmap_all(container, &done);
	check(rc == 0 && done == buffers[0].size + huge->size,
	      "unmap all: the other %llu bytes", (unsigned long long)done);
	edu_fetch(edu, buffers[0].iova, 512);
	edu_store(edu, huge->iova, 512);
	check(memory_is_as_modelled(), "the device reaches none of the buffers any more");
	check(vmlck(getpid()) == locked_before, "locked memory of this process is what it was");
}

static int finish(void)
{
	if (!narrate)
		return tap_done();
	printf("\n%llu bytes moved by DMA, %u of the steps' checks failed.\n",
	       (unsigned long long)bytes_moved, failures);
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	unsigned long type = VFIO_TYPE1v2_IOMMU;
	struct vfio_pci_addr addr;
	struct edu edu = {};
	uint64_t locked;
	int container, group, device;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--narrate"))
			narrate = true;
		else if (!strcmp(argv[i], "--v1"))
			type = VFIO_TYPE1_IOMMU;
		else
			bail("usage: vfio_dma [--narrate] [--v1]");
	}
	addr = edu_first();
	change_hugepages(1);
	for (size_t i = 0; i < NBUFFERS; i++)
		buffer_alloc(&buffers[i], i + 1);
	locked = vmlck(getpid());

	container = open_everything(&addr, type, &group);
	check_info(container);
	map_buffers(container);

	step("Get the device itself and allow it to do DMA.");
	device = device_fd(group, addr.bdf);
	if (!check(device >= 0 && !edu_init(&edu, device), "VFIO_GROUP_GET_DEVICE_FD %s",
		   addr.bdf))
		return 1;
	check((*(volatile uint32_t *)edu.bar & 0xff) == 0xed, "its registers answer");
	move_data(&edu);
	read_only_map(container, &edu, &buffers[0]);
	unmap_buffers(container, &edu, locked);

	step("Close device, group and container.");
	edu_unmap_bar(&edu);
	check(!close(device) && !close(group) && !close(container), "closed");
	munmap(buffers[2].mem, buffers[2].size);
	change_hugepages(-1);
	return finish();
}
