/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest behind a shadow: memory, which stage 2 has with holes, page tables in that
 * memory, and an `edu` device in a container of type VFIO_TYPE1_NESTING_IOMMU.
 *
 * Where DMA went is seen in all of the memory: it is compared with a copy from before
 * the transfer, and what the transfer changed is put back.  The pattern in the device's
 * buffer is in no memory, so each place where it shows up was written by the device.
 */
#ifndef SELFTESTS_SHADOW_UTIL_H
#define SELFTESTS_SHADOW_UTIL_H

#include "iommu_util.h"
#include "nesting_dev.h"
#include "pgtable_util.h"

#define IOTLB IOMMU_CACHE_INV_TYPE_IOTLB
#define LEN 256

/* What the guest has where */
#define GUEST_GPA 0x10000000ULL
#define GUEST_SIZE (8 * MIB)
#define AT_SMALL 0ULL		/* pages of 4 KiB: tables and data */
#define AT_HUGE (2 * MIB)	/* a huge page */
#define AT_PIECES (4 * MIB)	/* several mappings, and holes */
#define AT_OUTSIDE (6 * MIB)	/* no mapping */
/* An address of the guest's; its index is another one in each table */
#define HIGH 0x7f12345000ULL

#define SHADOW_EVENTS "/sys/kernel/debug/iommufd/nesting"
#define SHADOW_LIMIT "/sys/module/iommufd/parameters/shadow_entries"

struct piece {
	uint64_t at, size;
	uint32_t flags;
};

static const struct piece stage2[] = {
	{ AT_SMALL, 2 * MIB, MAP_RW },
	{ AT_HUGE, 2 * MIB, MAP_RW },
	{ AT_PIECES, 64 * KIB, MAP_RW },
	{ AT_PIECES + 128 * KIB, 4 * KIB, VFIO_DMA_MAP_FLAG_READ },
	{ AT_PIECES + 132 * KIB, MIB - 132 * KIB, MAP_RW },
};

#define PIECES (sizeof(stage2) / sizeof(stage2[0]))

/**
 * struct guest - a guest with a device
 * @mem: its memory; tables and data are allocated from AT_SMALL
 * @was: copy of it from before a transfer
 * @dev: container and device
 * @seed: of the pattern in the device's buffer
 */
struct guest {
	struct guest_mem mem;
	uint8_t *was;
	struct edu_session dev;
	uint32_t seed;
};

/* ------------------------------------------------------------------ */
/* Memory */

/* @share: MAP_PRIVATE, or MAP_SHARED for processes that share it */
static inline void guest_memory(struct guest *g, int share)
{
	char *room = mmap(NULL, GUEST_SIZE + 2 * MIB, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int flags = share | MAP_ANONYMOUS | MAP_FIXED;

	if (room == MAP_FAILED)
		bail("mmap");
	room = (char *)(((uintptr_t)room + 2 * MIB - 1) & ~(2 * MIB - 1));
	if (mmap(room, GUEST_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0) !=
	    room ||
	    madvise(room, GUEST_SIZE, MADV_NOHUGEPAGE) ||
	    mmap(room + AT_HUGE, 2 * MIB, PROT_READ | PROT_WRITE,
		 flags | MAP_HUGETLB, -1, 0) != room + AT_HUGE)
		bail("the guest's memory");
	memset(room, 0x5a, GUEST_SIZE);
	g->mem = (struct guest_mem){ room, GUEST_GPA, GUEST_SIZE, 0 };
	g->was = alloc_pages(GUEST_SIZE);
}

/* Permissions of stage 2, and 0 where it has nothing */
static inline uint32_t stage2_flags(uint64_t gpa)
{
	uint64_t at = gpa - GUEST_GPA;

	for (unsigned int i = 0; i != PIECES; i++)
		if (at >= stage2[i].at && at - stage2[i].at < stage2[i].size)
			return stage2[i].flags;
	return 0;
}

static inline int stage2_map(const struct guest *g, const struct piece *piece)
{
	return dma_map_flags(g->dev.container, GUEST_GPA + piece->at,
			     g->mem.va + piece->at, piece->size, piece->flags);
}

static inline int stage2_unmap(const struct guest *g, const struct piece *piece)
{
	return dma_unmap(g->dev.container, GUEST_GPA + piece->at, piece->size,
			 NULL);
}

static inline struct vfio_pci_addr shadow_device(unsigned int i)
{
	struct nesting_dev devs[2];
	struct vfio_pci_addr addr = {};

	nesting_find(false, devs, i + 1);
	addr.group = devs[i].group;
	snprintf(addr.bdf, sizeof(addr.bdf), "%.15s", devs[i].name);
	return addr;
}

/* For memory that is there: a container with a device, and stage 2 */
static inline void guest_open(struct guest *g)
{
	struct vfio_pci_addr addr = shadow_device(0);

	edu_session_open(&g->dev, &addr, VFIO_TYPE1_NESTING_IOMMU);
	for (unsigned int i = 0; i != PIECES; i++)
		if (stage2_map(g, &stage2[i]))
			bail("MAP_DMA");
}

static inline void guest_close(struct guest *g)
{
	edu_session_close(&g->dev);
}

/* A page of data; tables and data begin from the start again after guest_forget(). */
static inline uint64_t guest_page(struct guest *g)
{
	uint64_t gpa = guest_alloc(&g->mem, PAGE);

	if (g->mem.used > AT_HUGE)
		bail("too many pages");
	memset(guest_va(&g->mem, gpa), 0x5a, PAGE);
	return gpa;
}

static inline void guest_forget(struct guest *g)
{
	g->mem.used = 0;
}

/* From the start again: a table that leads HIGH to the page that is returned */
static inline uint64_t guest_one_page(struct guest *g, struct pgtable *pt,
				      unsigned int width)
{
	uint64_t gpa;

	guest_forget(g);
	*pt = pgtable_new(&g->mem, width);
	gpa = guest_page(g);
	pgtable_map(pt, HIGH, gpa, PAGE, PT_ALL);
	return gpa;
}

/* ------------------------------------------------------------------ */
/* DMA */

static inline void guest_note(struct guest *g)
{
	memcpy(g->was, g->mem.va, GUEST_SIZE);
}

static inline bool guest_untouched(const struct guest *g)
{
	return !memcmp(g->was, g->mem.va, GUEST_SIZE);
}

/* @len bytes of the device's buffer, from @skip on, are at @gpa; it is put back. */
static inline bool guest_took(struct guest *g, uint64_t gpa, size_t skip,
			      size_t len)
{
	uint8_t *at = guest_va(&g->mem, gpa);
	bool good = true;

	for (size_t i = 0; i < len; i++)
		good &= at[i] == pattern_byte(g->seed, skip + i);
	memcpy(at, g->was + (gpa - g->mem.gpa), len);
	return good;
}

/* What the device writes to @iova arrives at @gpa and nowhere else. */
static inline bool lands(struct guest *g, uint64_t iova, uint64_t gpa)
{
	bool good;

	guest_note(g);
	edu_store(&g->dev.edu, iova, LEN);
	good = guest_took(g, gpa, 0, LEN);
	return guest_untouched(g) && good;
}

static inline bool write_blocked(struct guest *g, uint64_t iova)
{
	guest_note(g);
	edu_store(&g->dev.edu, iova, LEN);
	return guest_untouched(g);
}

/* The device reads a new pattern at @iova; it is at @gpa meanwhile. */
static inline void load(struct guest *g, uint64_t iova, uint64_t gpa)
{
	uint8_t *at = guest_va(&g->mem, gpa), old[LEN];

	memcpy(old, at, LEN);
	fill_pattern(at, LEN, ++g->seed);
	edu_fetch(&g->dev.edu, iova, LEN);
	memcpy(at, old, LEN);
}

static inline bool copies(struct guest *g, uint64_t from, uint64_t from_gpa,
			  uint64_t to, uint64_t to_gpa)
{
	load(g, from, from_gpa);
	return lands(g, to, to_gpa);
}

/*
 * What the device reads at @iova is not what is at @gpa; it writes that to @to, which
 * does lead to @to_gpa.
 */
static inline bool read_blocked(struct guest *g, uint64_t iova, uint64_t gpa,
				uint64_t to, uint64_t to_gpa)
{
	uint8_t *at = guest_va(&g->mem, to_gpa);
	uint8_t *old = g->was + (to_gpa - g->mem.gpa);
	bool good;

	load(g, iova, gpa);
	guest_note(g);
	edu_store(&g->dev.edu, to, LEN);
	good = check_pattern(at, LEN, g->seed) >= 0 && memcmp(at, old, LEN);
	memcpy(at, old, LEN);
	good &= guest_untouched(g);
	load(g, to, to_gpa);
	return good;
}

/* ------------------------------------------------------------------ */
/* Another device that copies all the time, with memory of its own */

#define TRAFFIC_GPA 0x30000000ULL

/**
 * struct traffic - a device at work
 * @dev: device
 * @thread: who drives it
 * @mem: two pages, at TRAFFIC_GPA
 * @from: IOVA of the first one
 * @to: IOVA of the second one
 * @stop: to end it
 * @rounds: copies
 * @wrong: those that did not arrive as they should
 */
struct traffic {
	struct edu_session dev;
	pthread_t thread;
	uint8_t *mem;
	uint64_t from, to;
	volatile bool stop;
	unsigned int rounds, wrong;
};

static inline void *traffic_thread(void *arg)
{
	struct traffic *t = arg;
	uint32_t seed = 0x10000;

	while (!t->stop) {
		fill_pattern(t->mem, LEN, ++seed);
		memset(t->mem + PAGE, 0x33, PAGE);
		edu_copy(&t->dev.edu, t->from, t->to, LEN);
		if (check_pattern(t->mem + PAGE, LEN, seed) >= 0 ||
		    !all_bytes(t->mem + PAGE + LEN, PAGE - LEN, 0x33))
			t->wrong++;
		t->rounds++;
	}
	return NULL;
}

/* A second device joins the container; its memory is in stage 2. */
static inline void traffic_open(struct traffic *t, const struct guest *g)
{
	struct vfio_pci_addr addr = shadow_device(1);

	memset(t, 0, sizeof(*t));
	edu_session_join(&t->dev, &addr, g->dev.container);
	t->mem = alloc_pages(2 * PAGE);
	if (dma_map(g->dev.container, TRAFFIC_GPA, t->mem, 2 * PAGE))
		bail("MAP_DMA");
}

static inline void traffic_start(struct traffic *t, uint64_t from, uint64_t to)
{
	t->from = from;
	t->to = to;
	t->stop = false;
	t->rounds = 0;
	t->wrong = 0;
	if (pthread_create(&t->thread, NULL, traffic_thread, t))
		bail("pthread_create");
}

/* True if it has worked, and all of it was right. */
static inline bool traffic_stop(struct traffic *t)
{
	t->stop = true;
	pthread_join(t->thread, NULL);
	note("%u copies, %u wrong", t->rounds, t->wrong);
	return t->rounds && !t->wrong;
}

static inline void traffic_close(struct traffic *t, const struct guest *g)
{
	if (dma_unmap(g->dev.container, TRAFFIC_GPA, 2 * PAGE, NULL))
		bail("UNMAP_DMA");
	edu_session_leave(&t->dev);
	munmap(t->mem, 2 * PAGE);
}

/* ------------------------------------------------------------------ */

static inline int inv_page(const struct guest *g, uint64_t iova)
{
	return inv_addr(g->dev.container, IOTLB, 0, iova, PAGE, 1, 0);
}

static inline int inv_all(const struct guest *g)
{
	return inv_domain(g->dev.container, IOTLB);
}

/* What shadows could not map, what stage 2 took from them: shadow_absent, shadow_dropped */
static inline uint64_t shadow_event(const char *name)
{
	return file_value(SHADOW_EVENTS, name);
}

/* Returns what it was */
static inline unsigned int shadow_limit(unsigned int entries)
{
	FILE *f = fopen(SHADOW_LIMIT, "re");
	unsigned int was;

	if (!f || fscanf(f, "%u", &was) != 1 || fclose(f))
		bail(SHADOW_LIMIT);
	f = fopen(SHADOW_LIMIT, "we");
	if (!f || fprintf(f, "%u", entries) < 0 || fclose(f))
		bail(SHADOW_LIMIT);
	return was;
}

/* How much slower than a stock kernel this one is */
static inline unsigned int slowness(void)
{
	const char *slow = getenv("SLOW");

	return slow ? atoi(slow) : 1;
}

static inline bool shadow_nothing_left(void)
{
	iommufd_stat_wait("contexts", 0);
	return !iommufd_stat("objects") && !iommufd_stat("areas") &&
	       !iommufd_stat("pages") && !iommufd_stat("pinned_pages") &&
	       !iommufd_stat("shadow_entries") && !vmlck_kib();
}

#endif
