// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA from device to device: the BAR of one, as vfio-pci maps it into the process, is
 * mapped for the others.  Memory without struct page, so nothing is pinned or charged,
 * and memory that vfio-pci takes away: then the others must not reach it any more.
 *
 * known-bugs.md row 32.
 *
 * --two-domains  the second group does not share the first one's IOMMU domain
 * --native       by IOAS_MAP and IOAS_UNMAP, on the IOAS of the container
 * --stock        on stock type1, which takes nothing away, and takes more: no
 *                check of that
 */
#include "cap_util.h"
#include "p2p_util.h"

#define IOVA (4 * GIB)
#define OTHER_IOVA (64 * MIB)
#define LARGE (2 * MIB)
#define UID 4721

static bool stock, native, two_domains;

static struct edu_session s[2];	/* the second joins later */
static int edus;
/* The first has 4 MiB, the second 2 MiB and a reset and a sleep */
static struct p2p p[2];
static uint32_t ioas;

/* ------------------------------------------------------------------ */
/* Either way to map */

static int map(const void *va, uint64_t size, uint64_t iova, bool write)
{
	if (native)
		return ioas_map_at(s[0].container, ioas, va, size, iova, write ? IOAS_RW : IOAS_RO);
	return dma_map_flags(s[0].container, iova, va, size,
			     write ? MAP_RW : VFIO_DMA_MAP_FLAG_READ);
}

/* All of that range is one mapping, or several. */
static bool unmap(uint64_t iova, uint64_t size)
{
	uint64_t done = 0;
	int rc;

	if (native)
		rc = ioas_unmap(s[0].container, ioas, iova, size, &done);
	else
		rc = dma_unmap(s[0].container, iova, size, &done);
	return !rc && done == size;
}

/* ------------------------------------------------------------------ */
/* Each of the devices */

static bool all_reach(struct p2p *dev, uint64_t iova, uint64_t off)
{
	for (int i = 0; i < edus; i++)
		if (!p2p_reaches(&s[i].edu, dev, iova, off)) {
			note("device %d does not reach it", i);
			return false;
		}
	return true;
}

static bool all_blocked(struct p2p *dev, uint64_t iova, uint64_t off)
{
	for (int i = 0; i < edus; i++)
		if (!p2p_blocked(&s[i].edu, dev, iova, off)) {
			note("device %d is not blocked", i);
			return false;
		}
	return true;
}

/* ------------------------------------------------------------------ */
/* Mapping and unmapping */

/* The device copies within the BAR; no other byte of it changes. */
static bool copies(struct p2p *dev, uint8_t *model, uint64_t iova, size_t from, size_t to,
		   size_t len)
{
	edu_copy(&s[0].edu, iova + from, iova + to, len);
	memmove(model + to, model + from, len);
	return !memcmp(dev->view, model, dev->size);
}

static void test_whole(struct p2p *dev, const char *name)
{
	uint8_t *bar = p2p_map_bar(dev), *model = malloc(dev->size);
	struct charges was = charges_get();
	long avail = dma_avail(s[0].container);
	size_t end = dev->size;

	if (!model)
		bail("malloc");
	ok(!map(bar, dev->size, IOVA, true), "%s: map a BAR that nobody has touched yet", name);
	ok(uncharged(&was), "nothing is pinned or charged");
	ok(native || dma_avail(s[0].container) == avail - 1, "it is one mapping");
	fill_pattern(model, dev->size, ++p2p_seed);
	memcpy(dev->view, model, dev->size);
	ok(copies(dev, model, IOVA, 0, end - PAGE, PAGE), "a page, from its begin to its end");
	ok(copies(dev, model, IOVA, end - 1, 1, 1), "the last byte");
	ok(copies(dev, model, IOVA, PAGE - 123, end / 2 - 77, 200), "across pages");
	ok(p2p_reads(&s[0].edu, dev, IOVA + end / 2, end / 2) &&
	   p2p_writes(&s[0].edu, dev, IOVA + end / 2, end / 2), "to memory and from it");
	fails(map(bar, PAGE, IOVA + end - PAGE, true), EEXIST, "there is no room for another");
	ok(unmap(IOVA, dev->size), "unmap it");
	ok(p2p_blocked(&s[0].edu, dev, IOVA, 0) &&
	   p2p_blocked(&s[0].edu, dev, IOVA + end - P2P_LEN, end - P2P_LEN),
	   "the device does not reach it any more");
	ok(uncharged(&was), "nothing is given back that was not taken");
	munmap(bar, dev->size);
	free(model);
}

/* Parts, addresses that are no multiples of large pages, one BAR several times */
static void test_parts(void)
{
	uint8_t *bar = p2p_map_bar(&p[0]);
	const struct edu *edu = &s[0].edu;

	ok(!map(bar + 5 * PAGE, 3 * PAGE, IOVA + 7 * PAGE, true), "map three pages");
	ok(p2p_reaches(edu, &p[0], IOVA + 7 * PAGE, 5 * PAGE) &&
	   p2p_reaches(edu, &p[0], IOVA + 10 * PAGE - 512, 8 * PAGE - 512), "from end to end");
	ok(p2p_blocked(edu, &p[0], IOVA + 6 * PAGE, 4 * PAGE) &&
	   p2p_blocked(edu, &p[0], IOVA + 10 * PAGE, 8 * PAGE), "not the pages beside them");
	ok(!map(bar, p[0].size, OTHER_IOVA + PAGE, true),
	   "map the same and all the rest a second time, a page off");
	ok(p2p_reaches(edu, &p[0], OTHER_IOVA + PAGE, 0) &&
	   p2p_reaches(edu, &p[0], OTHER_IOVA + PAGE + LARGE - 256, LARGE - 256) &&
	   p2p_reaches(edu, &p[0], OTHER_IOVA + PAGE + p[0].size - 512, p[0].size - 512),
	   "all of it is there");
	ok(unmap(IOVA + 7 * PAGE, 3 * PAGE), "unmap the first");
	ok(p2p_blocked(edu, &p[0], IOVA + 7 * PAGE, 5 * PAGE) &&
	   p2p_reaches(edu, &p[0], OTHER_IOVA + 6 * PAGE, 5 * PAGE), "the second stays");
	ok(!map(bar, LARGE, 2 * IOVA, true) && !map(bar + LARGE, LARGE, 2 * IOVA + LARGE, true),
	   "map two that touch");
	ok(p2p_reaches(edu, &p[0], 2 * IOVA + LARGE - P2P_LEN, LARGE - P2P_LEN),
	   "one transfer from one to the other");
	ok(unmap(2 * IOVA, 2 * LARGE) && unmap(OTHER_IOVA + PAGE, p[0].size), "unmap them");
	munmap(bar, p[0].size);
}

/* Memory and a BAR are unmapped together. */
static void test_all(void)
{
	uint8_t *bar = p2p_map_bar(&p[0]);
	uint64_t done = 0;

	ok(!map(bar, LARGE, IOVA, true) && !map(bar, PAGE, P2P_MEM_IOVA + PAGE, true) &&
	   !(native ? ioas_unmap_all(s[0].container, ioas, &done) :
		      dma_unmap_all(s[0].container, &done)) && done == LARGE + 2 * PAGE,
	   "map two and unmap all");
	ok(!map(p2p_mem, PAGE, P2P_MEM_IOVA, true) && p2p_blocked(&s[0].edu, &p[0], IOVA, 0) &&
	   p2p_blocked(&s[0].edu, &p[0], P2P_MEM_IOVA + PAGE, 0), "they are out of reach");
	munmap(bar, p[0].size);
}

static void test_rights(void)
{
	uint8_t *bar = p2p_map_bar_at(&p[0], NULL, PROT_READ);
	const struct edu *edu = &s[0].edu;

	fails(map(bar, PAGE, IOVA, true), EFAULT, "for writing, what may only be read");
	ok(!map(bar, LARGE, IOVA, false), "for reading");
	ok(p2p_reads(edu, &p[0], IOVA, 0), "the device reads it");
	ok(p2p_write_blocked(edu, &p[0], IOVA, 0), "it cannot write to it");
	ok(unmap(IOVA, LARGE), "unmap it");
	p2p_map_bar_at(&p[0], bar, PROT_NONE);
	fails(map(bar, PAGE, IOVA, false), EFAULT, "what may not be read");
	p2p_map_bar_at(&p[0], bar, PROT_READ | PROT_WRITE);
	ok(!map(bar, LARGE, IOVA, false) && p2p_reads(edu, &p[0], IOVA, 0) &&
	   p2p_write_blocked(edu, &p[0], IOVA, 0), "for reading, what may be written");
	ok(unmap(IOVA, LARGE), "unmap it");
	munmap(bar, p[0].size);
	fails(map(bar, PAGE, IOVA, false), EFAULT, "what is not there");
}

/* Memory that is off cannot be mapped. */
static void test_off(struct p2p *dev, const char *name, bool (*take)(struct p2p *dev),
		     bool (*give)(struct p2p *dev))
{
	uint8_t *bar = p2p_map_bar(dev);
	struct charges was = charges_get();

	memset(bar, 1, PAGE);
	ok(take(dev), "%s", name);
	fails(map(bar, PAGE, IOVA, false), EFAULT, "%s: nothing is mapped", name);
	ok(uncharged(&was) && give(dev) && !map(bar, dev->size, IOVA, true) &&
	   p2p_reaches(&s[0].edu, dev, IOVA, 0) && unmap(IOVA, dev->size),
	   "%s and back: it is mapped", name);
	munmap(bar, dev->size);
}

static void refuse_mixed(const void *va, const char *what)
{
	struct charges was = charges_get();
	unsigned int write;
	int rc;

	for (write = 0; write < 2; write++) {
		rc = map(va, 2 * PAGE, IOVA, write);
		if (stock) {
			note("stock: %s, for %s: %s", what, write ? "writing" : "reading",
			     rc ? strerror(errno) : "works");
			if (!rc && !unmap(IOVA, 2 * PAGE))
				note("stock: and is not unmapped");
			continue;
		}
		ok(rc == -1 && errno == EFAULT && uncharged(&was), "%s, for %s: EFAULT", what,
		   write ? "writing" : "reading");
	}
}

/* One mapping is of one kind, if of several VMAs. */
static void test_mixed(void)
{
	size_t size = p[0].size;
	uint8_t *at = mmap(NULL, 4 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *bar = at + size;

	if (at == MAP_FAILED || mprotect(bar - PAGE, PAGE, PROT_READ | PROT_WRITE) ||
	    mprotect(bar + size, PAGE, PROT_READ | PROT_WRITE))
		bail("memory around a BAR");
	p2p_map_bar_at(&p[0], bar, PROT_READ | PROT_WRITE);
	memset(bar - PAGE, 1, PAGE);
	memset(bar + size, 1, PAGE);
	refuse_mixed(bar - PAGE, "memory and a BAR");
	refuse_mixed(bar + size - PAGE, "a BAR and memory");
	munmap(bar + size, PAGE);
	refuse_mixed(bar + size - PAGE, "a BAR and nothing");
	p2p_map_bar_at(&p[0], bar + size, PROT_READ | PROT_WRITE);
	ok(!map(bar + size - PAGE, 2 * PAGE, IOVA, true) &&
	   p2p_reaches(&s[0].edu, &p[0], IOVA, size - PAGE) &&
	   p2p_reaches(&s[0].edu, &p[0], IOVA + PAGE, 0) && unmap(IOVA, 2 * PAGE),
	   "two mappings of BARs as one");
	ok(!map(bar - PAGE, PAGE, IOVA, true) && !map(bar, 2 * PAGE, IOVA + PAGE, true),
	   "each for itself can be mapped there");
	ok(p2p_reaches(&s[0].edu, &p[0], IOVA + PAGE, 0), "the device reaches the BAR");
	ok(unmap(IOVA, 3 * PAGE), "unmap both");
	munmap(at, 4 * size);
}

/* ------------------------------------------------------------------ */
/* Processes */

/* Somebody who may lock nothing; goes without unmapping, unless that is for ever. */
static int poor_user(void *arg)
{
	uint8_t *page = mem_alloc(PAGE), *bar = p2p_map_bar(&p[0]);

	(void)arg;
	memlock_limit(0);
	become_user(UID, -1);
	must(map(page, PAGE, IOVA, true) == -1 && errno == ENOMEM);
	must(!map(bar, p[0].size, IOVA, true));
	must(!vmlck_kib() && !vmpin_kib());
	must(p2p_reaches(&s[0].edu, &p[0], IOVA + LARGE, LARGE));
	must(!stock || unmap(IOVA, p[0].size));
	return 0;
}

static int leave_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static void test_processes(void)
{
	uint8_t *bar = p2p_map_bar(&p[0]);
	uint64_t revoked = stock ? 0 : p2p_event("revoked");

	ok(!map(bar, LARGE, OTHER_IOVA, true), "map a BAR");
	ok(!in_child(leave_at_once, NULL) && p2p_reaches(&s[0].edu, &p[0], OTHER_IOVA, 0),
	   "a child comes and goes: the device still reaches it");
	ok(stock || p2p_event("revoked") == revoked, "nothing was revoked");
	ok(!in_child(poor_user, NULL), "a user without memory to lock maps the BAR");
	if (!stock) {
		ok(p2p_event_grew("revoked", revoked), "it was revoked when that user left");
		ok(p2p_blocked(&s[0].edu, &p[0], IOVA + LARGE, LARGE),
		   "the device does not reach it any more");
		ok(unmap(IOVA, p[0].size), "another process unmaps it");
		ok(p2p_reaches(&s[0].edu, &p[0], OTHER_IOVA, 0), "that of this process stays");
	}
	ok(unmap(OTHER_IOVA, LARGE), "unmap that");
	munmap(bar, p[0].size);
}

/* ------------------------------------------------------------------ */
/* What is mapped is dirty. */

#define PAGES (4 * MIB / PAGE)
#define BITMAP_SIZE (PAGES / 8)

static void test_dirty(void)
{
	uint8_t *bar = p2p_map_bar(&p[0]);
	uint64_t bitmap[BITMAP_SIZE / 8] = {}, done;
	int container = s[0].container;

	ok(!map(bar, p[0].size, IOVA, true), "map a BAR");
	ok(!dirty_start(container), "START");
	ok(!dirty_get(container, IOVA, p[0].size, BITMAP_SIZE, bitmap) &&
	   all_bytes(bitmap, BITMAP_SIZE, 0xff), "GET_BITMAP: all of it is dirty");
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!dma_unmap_bitmap(container, IOVA, p[0].size, BITMAP_SIZE, bitmap, &done) &&
	   done == p[0].size && all_bytes(bitmap, BITMAP_SIZE, 0xff), "UNMAP says so, too");
	ok(!map(bar, LARGE, IOVA, false), "map a part, for reading");
	memset(bitmap, 0, BITMAP_SIZE);
	ok(!dirty_get(container, IOVA, p[0].size, BITMAP_SIZE, bitmap) &&
	   all_bytes(bitmap, BITMAP_SIZE / 2, 0xff) &&
	   all_bytes((uint8_t *)bitmap + BITMAP_SIZE / 2, BITMAP_SIZE / 2, 0),
	   "that is dirty, and no more");
	ok(!dirty_stop(container) && unmap(IOVA, LARGE), "STOP, and unmap it");
	munmap(bar, p[0].size);
}

/* ------------------------------------------------------------------ */
/* A second group: what is mapped is mapped for it, whoever was first. */

static void test_two(const struct vfio_pci_addr addr[2])
{
	uint8_t *bar = p2p_map_bar(&p[0]), *late = p2p_map_bar(&p[1]);
	int container = s[0].container;

	ok(!map(bar, p[0].size, IOVA, true), "map a BAR");
	edu_session_join(&s[1], &addr[1], container);
	edus = 2;
	ok(all_reach(&p[0], IOVA + LARGE - P2P_LEN, LARGE - P2P_LEN),
	   "a group that joins later reaches it");
	ok(!map(late, p[1].size, OTHER_IOVA, true) && all_reach(&p[1], OTHER_IOVA, 0),
	   "both reach what is mapped later");
	edu_session_leave(&s[0]);
	ok(p2p_reaches(&s[1].edu, &p[0], IOVA, 0) && p2p_reaches(&s[1].edu, &p[1], OTHER_IOVA, 0),
	   "the first group leaves, the second reaches them");
	edu_session_join(&s[0], &addr[0], container);
	ok(all_reach(&p[0], IOVA, 0) && all_reach(&p[1], OTHER_IOVA, 0),
	   "it is back: both do");
	ok(unmap(IOVA, p[0].size) && all_blocked(&p[0], IOVA, 0) &&
	   all_reach(&p[1], OTHER_IOVA, 0), "unmap one: neither reaches it");
	ok(unmap(OTHER_IOVA, p[1].size), "unmap the other");
	munmap(bar, p[0].size);
	munmap(late, p[1].size);
}

/* ------------------------------------------------------------------ */
/* Revocation: what the process does with its mapping */

static void by_munmap(uint8_t *bar, size_t size)
{
	munmap(bar, size);
}

static void by_munmap_page(uint8_t *bar, size_t size)
{
	(void)size;
	munmap(bar, PAGE);
}

static void by_mprotect_read(uint8_t *bar, size_t size)
{
	if (mprotect(bar, size, PROT_READ))
		bail("mprotect");
}

static void by_mprotect_none(uint8_t *bar, size_t size)
{
	if (mprotect(bar, size, PROT_NONE))
		bail("mprotect");
}

static void by_mremap(uint8_t *bar, size_t size)
{
	void *to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (to == MAP_FAILED ||
	    mremap(bar, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		bail("mremap");
	munmap(to, size);
}

static void by_memory(uint8_t *bar, size_t size)
{
	if (mmap(bar, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) == MAP_FAILED)
		bail("mmap over a BAR");
}

static const struct {
	const char *name;
	void (*take)(uint8_t *bar, size_t size);
} ways[] = {
	{ "munmap", by_munmap },
	{ "munmap of one page of many", by_munmap_page },
	{ "mprotect for reading", by_mprotect_read },
	{ "mprotect for nothing", by_mprotect_none },
	{ "mremap", by_mremap },
	{ "mmap of memory in its place", by_memory },
};

static void test_ways(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		uint8_t *bar = p2p_map_bar(&p[0]);
		uint64_t revoked = p2p_event("revoked");
		uint64_t lost = p2p_event("lost");

		if (map(bar, p[0].size, IOVA, true))
			bail("map a BAR");
		ok(all_reach(&p[0], IOVA, 0) && p2p_event("revoked") == revoked,
		   "%s: before, it is reached", ways[i].name);
		ways[i].take(bar, p[0].size);
		ok(p2p_event("revoked") > revoked && all_blocked(&p[0], IOVA, 0),
		   "%s: it is not reached any more", ways[i].name);
		ok(p2p_event_grew("lost", lost) && all_blocked(&p[0], IOVA, 0),
		   "%s: and does not come back", ways[i].name);
		ok(unmap(IOVA, p[0].size), "%s: unmap", ways[i].name);
		munmap(bar, p[0].size);
		bar = p2p_map_bar(&p[0]);
		ok(!map(bar, p[0].size, IOVA, true) && all_reach(&p[0], IOVA, 0) &&
		   unmap(IOVA, p[0].size), "%s: map it anew", ways[i].name);
		munmap(bar, p[0].size);
	}
}

/*
 * What leaves the right that is used, or takes what is not used.  To cut a VMA, the
 * kernel invalidates the 2 MiB around the cut.
 */
static void test_harmless(void)
{
	uint8_t *bar = p2p_map_bar(&p[0]);
	uint64_t revoked = p2p_event("revoked"), restored = p2p_event("restored");
	uint64_t lost = p2p_event("lost");

	ok(!map(bar, LARGE, IOVA, true) && !munmap(bar + LARGE, p[0].size - LARGE),
	   "munmap of what is not mapped for DMA");
	ok((p2p_event("revoked") == revoked || p2p_event_grew("restored", restored)) &&
	   all_reach(&p[0], IOVA, 0) && p2p_event("lost") == lost,
	   "it is not revoked, or comes back");
	revoked = p2p_event("revoked");
	restored = p2p_event("restored");
	ok(unmap(IOVA, LARGE) && !map(bar, LARGE, IOVA, false), "map it for reading");
	ok(!mprotect(bar, LARGE, PROT_READ) && p2p_event_grew("revoked", revoked) &&
	   p2p_event_grew("restored", restored),
	   "mprotect for reading: it is revoked, and comes back");
	ok(p2p_reads(&s[0].edu, &p[0], IOVA, 0) && p2p_reads(&s[1].edu, &p[0], IOVA, 0) &&
	   p2p_write_blocked(&s[0].edu, &p[0], IOVA, 0), "it can be read");
	ok(unmap(IOVA, LARGE), "unmap it");
	munmap(bar, p[0].size);
}

/* ------------------------------------------------------------------ */
/* Revocation: what vfio-pci does with its device */

/* Mapped twice, so that there is more than one thing to take. */
static void take_and_give(struct p2p *dev, const char *name, bool (*take)(struct p2p *dev),
			  bool (*give)(struct p2p *dev))
{
	uint8_t *bar = p2p_map_bar(dev);
	uint64_t revoked = p2p_event("revoked"), lost = p2p_event("lost");

	ok(!map(bar, dev->size, IOVA, true) && !map(bar, 2 * PAGE, OTHER_IOVA, true) &&
	   all_reach(dev, IOVA, 0) && all_reach(dev, OTHER_IOVA, 0),
	   "%s: mapped twice, and reached", name);
	ok(take(dev) && p2p_event("revoked") >= revoked + 2, "%s: it is revoked", name);
	/* The only attempt to get it back has to be over. */
	ok(p2p_event_grew("lost", lost + 1), "%s: it is lost", name);
	fails(map(bar, PAGE, 2 * IOVA, false), EFAULT, "%s: it cannot be mapped", name);
	ok(give(dev), "%s: the device's memory is back", name);
	ok(all_blocked(dev, IOVA, 0) && all_blocked(dev, OTHER_IOVA + PAGE, PAGE),
	   "%s: but not reached", name);
	ok(unmap(OTHER_IOVA, 2 * PAGE), "%s: unmap one", name);
	ok(!map(bar, 2 * PAGE, OTHER_IOVA, true) && all_reach(dev, OTHER_IOVA, 0) &&
	   all_blocked(dev, IOVA, 0), "%s: map it again: that one is reached", name);
	ok(unmap(IOVA, dev->size) && unmap(OTHER_IOVA, 2 * PAGE), "%s: unmap all", name);
	munmap(bar, dev->size);
}

static void test_reset(struct p2p *dev)
{
	uint8_t *bar = p2p_map_bar(dev);
	uint64_t revoked = p2p_event("revoked"), restored = p2p_event("restored");

	ok(!map(bar, dev->size, IOVA, true) && all_reach(dev, IOVA, 0), "reset: reached");
	ok(!ioctl(dev->device, VFIO_DEVICE_RESET) && p2p_event("revoked") > revoked,
	   "reset: it is revoked");
	ok(p2p_event_grew("restored", restored) && all_reach(dev, IOVA, 0) &&
	   all_reach(dev, IOVA + dev->size - 512, dev->size - 512), "reset: it comes back");
	ok(unmap(IOVA, dev->size) && all_blocked(dev, IOVA, 0), "reset: unmap");
	munmap(bar, dev->size);
}

/*
 * A group comes while the memory is off: that another device does not respond must
 * not keep it out.  A domain that comes later has it tried again.
 */
static void test_late(const struct vfio_pci_addr *addr)
{
	uint64_t lost = p2p_event("lost"), restored = p2p_event("restored");
	uint8_t *bar = p2p_map_bar(&p[0]);
	int group;

	edu_session_leave(&s[1]);
	edus = 1;
	ok(!map(bar, p[0].size, IOVA, true) && !p2p_memory(&p[0], false) &&
	   p2p_event_grew("lost", lost), "late: it is revoked");
	group = group_open(addr->group);
	lost = p2p_event("lost");
	ok(!set_container(group, s[0].container) &&
	   (!two_domains || p2p_event_grew("lost", lost)), "late: a group joins all the same");
	close(group);
	ok(!p2p_memory(&p[0], true) && all_blocked(&p[0], IOVA, 0), "late: still not reached");
	edu_session_join(&s[1], addr, s[0].container);
	edus = 2;
	if (two_domains)
		ok(p2p_event_grew("restored", restored) && all_reach(&p[0], IOVA, 0),
		   "late: a domain that comes brings it back to all");
	ok(unmap(IOVA, p[0].size), "late: unmap");
	ok(!map(bar, p[0].size, IOVA, true) && all_reach(&p[0], IOVA, 0) &&
	   unmap(IOVA, p[0].size), "late: map it anew");
	munmap(bar, p[0].size);
}

/* ------------------------------------------------------------------ */
/* The device goes, mappings of it are there. */

/* vfio-pci lets go of a device when it is closed, and not before. */
static void test_unbind(struct p2p *dev)
{
	uint8_t *bar = p2p_map_bar(dev);
	uint64_t revoked = stock ? 0 : p2p_event("revoked");
	uint64_t lost = stock ? 0 : p2p_event("lost");
	FILE *unbinds;

	ok(!map(bar, dev->size, IOVA, true) && all_reach(dev, IOVA, 0), "unbind: reached");
	unbinds = popen("echo $P2P1 >/sys/bus/pci/drivers/vfio-pci/unbind", "w");
	if (!unbinds)
		bail("popen");
	munmap(bar, dev->size);
	p2p_close(dev);
	ok(!pclose(unbinds), "unbind: the device is closed, and gone");
	if (!stock)
		ok(p2p_event("revoked") > revoked && p2p_event_grew("lost", lost),
		   "unbind: it was revoked");
	sysfs_write("/sys/bus/pci/drivers/vfio-pci/bind", dev->addr.bdf);
	p2p_open(dev, "P2P1", s[0].container);
	if (!stock)
		ok(all_blocked(dev, IOVA, 0), "unbind: it is back, and not reached");
	ok(unmap(IOVA, dev->size), "unbind: unmap");
	bar = p2p_map_bar(dev);
	ok(!map(bar, dev->size, IOVA, true) && all_reach(dev, IOVA, 0) &&
	   unmap(IOVA, dev->size), "unbind: map it anew");
	munmap(bar, dev->size);
}

static void test_revocation(const struct vfio_pci_addr addr[2])
{
	test_ways();
	test_harmless();
	take_and_give(&p[0], "memory off", p2p_memory_off, p2p_memory_on);
	take_and_give(&p[1], "D3", p2p_sleeps, p2p_wakes);
	test_reset(&p[1]);
	test_late(&addr[1]);
}

static void begin(const struct vfio_pci_addr *addr)
{
	if (!stock)
		share_domains(!two_domains);
	edu_session_open(&s[0], addr, VFIO_TYPE1v2_IOMMU);
	edus = 1;
	if (native && vfio_ioas_get(s[0].container, &ioas))
		bail("IOMMU_VFIO_IOAS");
	p2p_open(&p[0], "P2P0", s[0].container);
	p2p_open(&p[1], "P2P1", s[0].container);
	p2p_mem = mem_alloc(PAGE);
	if (map(p2p_mem, PAGE, P2P_MEM_IOVA, true))
		bail("map memory");
}

int main(int argc, char **argv)
{
	struct vfio_pci_addr addr[2];
	struct charges was;

	for (int i = 1; i < argc; i++) {
		stock |= !strcmp(argv[i], "--stock");
		native |= !strcmp(argv[i], "--native");
		two_domains |= !strcmp(argv[i], "--two-domains");
	}
	if (!edu_find_pair(false, addr))
		bail("needs two edu devices in two groups");
	if (!stock)
		was = charges_get();
	begin(addr);
	test_whole(&p[0], "ivshmem");
	test_whole(&p[1], "NVMe");
	test_parts();
	test_all();
	test_rights();
	test_off(&p[0], "memory off", p2p_memory_off, p2p_memory_on);
	test_off(&p[1], "D3", p2p_sleeps, p2p_wakes);
	ok(!ioctl(p[1].device, VFIO_DEVICE_RESET), "a reset");
	test_mixed();
	test_processes();
	if (!native)
		test_dirty();
	test_two(addr);
	if (!stock)
		test_revocation(addr);
	test_unbind(&p[1]);

	ok(unmap(P2P_MEM_IOVA, PAGE), "unmap the memory");
	p2p_close(&p[0]);
	p2p_close(&p[1]);
	edu_session_leave(&s[1]);
	edu_session_close(&s[0]);
	if (!stock) {
		share_domains(true);
		iommufd_stat_wait("contexts", 0);
		ok(uncharged(&was) && !iommufd_stat("objects") && !iommufd_stat("areas") &&
		   !iommufd_stat("pages"), "nothing is left");
	}
	return tap_done();
}
