// SPDX-License-Identifier: GPL-2.0-only
/*
 * Very many live 4 KiB mappings in one container: stock type1 ends at 65,535.
 *
 * usage: vfio_many [--count N] [--stock]
 */
#define _GNU_SOURCE
#include <time.h>

#include "edu.h"

/* Every page is pinned many times over; few pages would overflow a count. */
#define NPAGES 64

static const uint64_t base = 4 * GIB;

static struct vfio_pci_addr addr;
static uint8_t *mem;

static const char *limit_path = "/sys/module/iommufd/parameters/dma_entry_limit";

static unsigned int entry_limit(void)
{
	unsigned int val;
	FILE *f = fopen(limit_path, "re");

	if (!f || fscanf(f, "%u", &val) != 1)
		bail("%s", limit_path);
	fclose(f);
	return val;
}

static void set_entry_limit(unsigned int val)
{
	FILE *f = fopen(limit_path, "we");

	if (!f || fprintf(f, "%u\n", val) < 0 || fclose(f))
		bail("%s", limit_path);
}

static void progress(const char *what, uint64_t n, uint64_t count)
{
	static time_t told;

	if (!told)
		told = time(NULL);
	if (time(NULL) - told < 5)
		return;
	told = time(NULL);
	fprintf(stderr, "# %s: %" PRIu64 " of %" PRIu64 "\n", what, n, count);
}

static uint64_t map_many(struct edu_session *s, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		/* A page apart, so that no two can be one mapping */
		uint64_t iova = base + (first + i) * 2 * PAGE;

		if (dma_map(s->container, iova, mem + (first + i) % NPAGES * PAGE, PAGE)) {
			note("mapping %" PRIu64 ": errno %d", i, errno);
			return i;
		}
		progress("mapped", i, count);
	}
	return count;
}

/* The page of mapping @i reaches the page at @out, and only while it is mapped. */
static bool dma_from(struct edu_session *s, uint64_t i, uint8_t *out, uint64_t out_iova)
{
	fill_pattern(mem + i % NPAGES * PAGE, PAGE, i + 1);
	memset(out, 0, PAGE);
	edu_copy(&s->edu, base + i * 2 * PAGE, out_iova, 256);
	return check_pattern(out, 256, i + 1) < 0;
}

static void many(uint64_t count)
{
	uint64_t locked = vmlck(getpid()), done = 0, out_iova = 64 * MIB;
	int64_t pins = pins_held();
	uint8_t *out = alloc_pages(PAGE);
	struct edu_session s;
	bool first, last;
	int rc;

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	ok(map_many(&s, 0, count) == count, "%" PRIu64 " mappings of 4 KiB live at once", count);
	ok(vmlck(getpid()) == locked + count * PAGE, "VmLck counts each");
	ok(dma_map(s.container, out_iova, out, PAGE) == 0, "one more");
	ok(dma_from(&s, 0, out, out_iova), "DMA through the first");
	ok(dma_from(&s, count / 2, out, out_iova), "DMA through the middle one");
	ok(dma_from(&s, count - 1, out, out_iova), "DMA through the last");

	rc = dma_unmap(s.container, base + count / 2 * 2 * PAGE, PAGE, &done);
	ok(rc == 0 && done == PAGE, "UNMAP of the middle one");
	ok(!dma_from(&s, count / 2, out, out_iova), "DMA through it is blocked");
	ok(dma_from(&s, count / 2 + 1, out, out_iova), "DMA through its neighbour is not");

	rc = dma_unmap_all(s.container, &done);
	ok(rc == 0 && done == count * PAGE, "UNMAP_ALL reports %" PRIu64 " bytes", done);
	ok(vmlck(getpid()) == locked, "VmLck is back");
	ok(pins_held() == pins, "no page is pinned");
	ok(dma_map(s.container, out_iova, out, PAGE) == 0, "map again");
	first = dma_from(&s, 0, out, out_iova);
	last = dma_from(&s, count - 1, out, out_iova);
	ok(!first && !last, "DMA through the first and the last is blocked");
	edu_session_close(&s);
	munmap(out, PAGE);
}

/* As many again, left for close to remove. */
static void many_closed(uint64_t count)
{
	uint64_t locked = vmlck(getpid());
	int64_t pins = pins_held();
	struct edu_session s;

	edu_session_open(&s, &addr, VFIO_TYPE1_IOMMU);
	ok(map_many(&s, 0, count) == count, "%" PRIu64 " mappings, v1", count);
	edu_session_close(&s);
	ok(vmlck(getpid()) == locked && pins_held() == pins, "closed with all live: nothing stays");
}

/* dma_entry_limit: ENOSPC beyond it, DMA_AVAIL counts down to it. */
static void limited(void)
{
	unsigned int before = entry_limit();
	struct edu_session s;

	set_entry_limit(100);
	edu_session_open(&s, &addr, VFIO_TYPE1_IOMMU);
	ok(dma_avail(s.container) == 100, "dma_entry_limit 100: DMA_AVAIL says so");
	ok(map_many(&s, 0, 99) == 99 && dma_avail(s.container) == 1, "99 mappings: one is left");
	ok(map_many(&s, 99, 1) == 1 && dma_avail(s.container) == 0, "the 100th: none is left");
	fails(dma_map(s.container, 64 * MIB, mem, PAGE), ENOSPC, "the 101st");
	ok(dma_unmap(s.container, base, PAGE, NULL) == 0 && dma_avail(s.container) == 1,
	   "unmapping one makes room for one");
	ok(dma_map(s.container, 64 * MIB, mem, PAGE) == 0, "which can be used");
	edu_session_close(&s);
	set_entry_limit(before);
	ok(entry_limit() == before, "the limit is as it was");
}

int main(int argc, char **argv)
{
	uint64_t count = 100000;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--count") && i + 1 < argc)
			count = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--stock"))
			limit_path = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit";
		else
			bail("usage: vfio_many [--count N] [--stock]");
	}
	addr = edu_first();
	mem = alloc_pages(NPAGES * PAGE);
	limited();
	many(count);
	many_closed(count / 10);
	return tap_done();
}
