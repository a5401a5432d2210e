// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-kernel access: the pages that pin_pages returns are those of the user's
 * memory, for every way a range can lie in the mappings; each page is pinned
 * once, however many users it has.
 *
 * known-bugs.md rows 6 (borders of batches inside an area), 13 (big arrays).
 */
#include "access_util.h"

#define IOVA 0x100000ULL
#define N 32
#define BIG_PAGES 20000ULL
#define MODEL_PINS 64

static int fd, at;
static uint32_t ioas;
static char *mem;

static uint64_t pinned(void)
{
	return iommufd_stat("pinned_pages");
}

static uint32_t pages_of(uint64_t offset, uint64_t length)
{
	return (offset % PAGE + length + PAGE - 1) / PAGE;
}

/* Pin [offset, offset + length) of the mapping of @mem and compare all pages */
static void check_range(uint64_t offset, uint64_t length)
{
	uint32_t pages = pages_of(offset, length);
	struct pin pin;

	if (!ok(!access_pin(at, IOVA + offset, length, PIN_READ, &pin),
		"pin %llu bytes at offset %llu", (unsigned long long)length,
		(unsigned long long)offset))
		return;
	ok(pin.npages == pages && pinned() == pages,
	   "%u pages came, %u wanted, %llu are pinned", pin.npages, pages,
	   (unsigned long long)pinned());
	ok(access_holds(at, &pin, 0, mem + offset / PAGE * PAGE, pages * PAGE),
	   "they are the user's pages");
	ok(!access_unpin(at, &pin) && pinned() == 0, "unpin");
}

static void test_ranges(void)
{
	ok(!ioas_map_at(fd, ioas, mem, N * PAGE, IOVA, IOAS_RW), "map");
	ok(pinned() == 0, "an access that is attached pins nothing by itself");
	check_range(0, PAGE);
	check_range(0, N * PAGE);
	check_range((N - 1) * PAGE, PAGE);
	check_range(5 * PAGE, 9 * PAGE);
	check_range(0x123, 1);
	check_range(0x123, PAGE);
	check_range(7 * PAGE + 0xfff, 2);
	check_range(3 * PAGE + 0xabc, 5 * PAGE);
	check_range(N * PAGE - 1, 1);
	ok(!ioas_unmap(fd, ioas, IOVA, N * PAGE, NULL), "unmap");

	/* Each page from somewhere else, so that no run of pfns is long */
	for (unsigned int i = 0; i != N; i++) {
		if (ioas_map_at(fd, ioas, mem + i * PAGE, PAGE, IOVA + i * PAGE,
				IOAS_RW))
			bail("map page %u", i);
	}
	note("the same in %u mappings of a page", N);
	check_range(0, N * PAGE);
	check_range(5 * PAGE, 9 * PAGE);
	check_range(3 * PAGE + 0xabc, 5 * PAGE);
	check_range(7 * PAGE + 0xfff, 2);
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
}

static void test_refusals(void)
{
	int lone = access_open();

	ok(!ioas_map_at(fd, ioas, mem, 4 * PAGE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, ioas, mem, 4 * PAGE, IOVA + 5 * PAGE, IOAS_RW) &&
	   !ioas_map_at(fd, ioas, mem, 4 * PAGE, IOVA + 9 * PAGE, IOAS_RO) &&
	   !ioas_map_at(fd, ioas, mem, PAGE, IOVA + 13 * PAGE,
			IOMMU_IOAS_MAP_WRITEABLE),
	   "four mappings, a gap of a page behind the first");
	fails(access_pin_only(at, IOVA, 0, PIN_READ), EINVAL, "length 0");
	fails(access_pin_only(at, 0 - PAGE, 2 * PAGE, PIN_READ), EOVERFLOW,
	      "range past 2^64");
	fails(access_pin_only(at, IOVA - PAGE, PAGE, PIN_READ), ENOENT,
	      "before the first");
	fails(access_pin_only(at, IOVA - 1, 2, PIN_READ), ENOENT,
	      "a byte before the first");
	fails(access_pin_only(at, IOVA, 5 * PAGE, PIN_READ), ENOENT,
	      "into the gap");
	fails(access_pin_only(at, IOVA, 6 * PAGE, PIN_READ), ENOENT,
	      "over the gap");
	fails(access_pin_only(at, IOVA + 4 * PAGE, PAGE, PIN_READ), ENOENT,
	      "the gap");
	fails(access_pin_only(at, IOVA + 4 * PAGE, 2 * PAGE, PIN_READ), ENOENT,
	      "out of the gap");
	fails(access_pin_only(at, IOVA + 13 * PAGE, PAGE + 1, PIN_WRITE), ENOENT,
	      "a byte behind the last");
	fails(access_pin_only(at, IOVA + 9 * PAGE, PAGE, PIN_WRITE), EPERM,
	      "write to a read-only mapping");
	fails(access_pin_only(at, IOVA + 5 * PAGE, 5 * PAGE, PIN_WRITE), EPERM,
	      "write to two mappings, the second read-only");
	fails(access_pin_only(at, IOVA + 13 * PAGE, PAGE, PIN_READ), EPERM,
	      "read of a write-only mapping");
	ok(pinned() == 0, "what failed half way is undone");

	fails(access_pin_only(lone, IOVA, PAGE, PIN_READ), EINVAL,
	      "no access");
	if (access_create(lone, fd, ACCESS_TEST_CREATE_PINS, NULL))
		bail("ACCESS_TEST_CREATE");
	fails(access_pin_only(lone, IOVA, PAGE, PIN_READ), ENOENT,
	      "not attached");
	close(lone);
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");

	ok(!ioas_map_at(fd, ioas, (void *)PAGE, PAGE, IOVA, IOAS_RW),
	   "map memory that is not there");
	fails(access_pin_only(at, IOVA, PAGE, PIN_READ), EFAULT, "pin it");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	ok(!mprotect(mem + 2 * PAGE, PAGE, PROT_NONE), "a page without access");
	ok(!ioas_map_at(fd, ioas, mem, 4 * PAGE, IOVA, IOAS_RW), "map over it");
	fails(access_pin_only(at, IOVA, 4 * PAGE, PIN_READ), EFAULT,
	      "pin over it");
	ok(pinned() == 0, "the pages before it are not pinned");
	ok(!mprotect(mem + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE), "undo");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
}

static void test_write(void)
{
	char data[2 * PAGE];
	struct pin pin;

	mem_fill(data, sizeof(data), 77);
	ok(!ioas_map_at(fd, ioas, mem, N * PAGE, IOVA, IOAS_RW) &&
	   !access_pin(at, IOVA + PAGE, 4 * PAGE, PIN_WRITE, &pin),
	   "map, pin for writing");
	ok(!access_poke(at, &pin, PAGE / 2, data, sizeof(data)), "write");
	ok(!memcmp(mem + PAGE + PAGE / 2, data, sizeof(data)),
	   "the user sees it");
	mem_fill(mem, N * PAGE, 1);
	ok(access_holds(at, &pin, 0, mem + PAGE, 4 * PAGE),
	   "what the user writes is there");
	ok(!access_unpin(at, &pin) && !ioas_unmap_all(fd, ioas, NULL), "undo");
}

/* Random pins and unpins; the model counts the users of each page. */
static void test_model(void)
{
	struct {
		struct pin pin;
		unsigned int first, pages;
	} live[MODEL_PINS] = {};
	unsigned int users[N] = {}, i, j, bad = 0, good = 0;
	uint32_t other = ioas_new(fd);
	int at2 = access_new(fd, other);

	srandom(1);
	ok(!ioas_map_at(fd, ioas, mem, N * PAGE, IOVA, IOAS_RW) &&
	   !ioas_copy_at(fd, other, ioas, IOVA, N * PAGE, IOVA, IOAS_RW),
	   "a mapping and its copy, an access to each");
	for (i = 0; i != 2000; i++) {
		unsigned int slot = random() % MODEL_PINS;
		int who = slot % 2 ? at : at2;
		uint64_t want = 0;

		if (live[slot].pages) {
			bad += access_unpin(who, &live[slot].pin) != 0;
			for (j = 0; j != live[slot].pages; j++)
				users[live[slot].first + j]--;
			live[slot].pages = 0;
		} else {
			live[slot].first = random() % N;
			live[slot].pages = 1 + random() %
					   (N - live[slot].first);
			bad += access_pin(who, IOVA + live[slot].first * PAGE,
					  live[slot].pages * PAGE, PIN_WRITE,
					  &live[slot].pin) != 0;
			for (j = 0; j != live[slot].pages; j++)
				users[live[slot].first + j]++;
			bad += !access_holds(who, &live[slot].pin, 0,
					     mem + live[slot].first * PAGE,
					     live[slot].pages * PAGE);
		}
		for (j = 0; j != N; j++)
			want += users[j] != 0;
		good += pinned() == want;
	}
	ok(!bad, "2000 random pins and unpins (%u failed)", bad);
	ok(good == 2000, "each page in use was pinned once at all times (%u)",
	   good);
	close(at2);
	ok(!ioas_unmap_all(fd, ioas, NULL) && pinned() == 0,
	   "unmap calls the pins back");
	iommu_destroy_id(fd, other);
}

static void test_big(void)
{
	char *big = mem_alloc(BIG_PAGES * PAGE);
	uint64_t *pfns = calloc(BIG_PAGES, sizeof(*pfns));
	struct pin whole, part;
	unsigned int i, bad = 0;

	if (!pfns)
		bail("calloc");
	mem_fill(big, BIG_PAGES * PAGE, 9);
	ok(!ioas_map_at(fd, ioas, big, BIG_PAGES * PAGE, IOVA, IOAS_RW),
	   "map %llu pages", BIG_PAGES);
	/* A hole of pinned pages in the middle of those still to be pinned */
	ok(!access_pin(at, IOVA + 7000 * PAGE, 600 * PAGE, PIN_WRITE, &part),
	   "pin 600 in the middle");
	ok(!access_pin_pfns(at, IOVA, BIG_PAGES * PAGE, PIN_WRITE, &whole,
			    pfns) && whole.npages == BIG_PAGES, "pin all");
	ok(pinned() == BIG_PAGES, "each is pinned once");
	for (i = 0; i != BIG_PAGES; i++)
		bad += !access_holds(at, &whole, i * PAGE, big + i * PAGE, PAGE);
	ok(!bad, "each page is the user's (%u are not)", bad);
	for (i = 0; i != BIG_PAGES; i++)
		bad += !pfns[i];
	ok(!bad, "each has a pfn");
	ok(!access_unpin(at, &whole) && pinned() == 600, "600 are left");
	ok(access_holds(at, &part, 0, big + 7000 * PAGE, 600 * PAGE),
	   "and are still the user's");
	ok(!access_unpin(at, &part) && pinned() == 0, "none is left");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	free(pfns);
	munmap(big, BIG_PAGES * PAGE);
}

/* A pin is of whole pages, so what it pins begins and ends with them. */
static void test_alignment(void)
{
	int rw = access_open(), again = access_open();

	close(at);
	if (access_create(rw, fd, 0, NULL) || access_attach(rw, ioas) ||
	    access_create(again, fd, ACCESS_TEST_CREATE_PINS, NULL))
		bail("access");
	ok(ioas_alignment(fd, ioas) == 1, "an access that only copies asks for no alignment");
	ok(!ioas_map_at(fd, ioas, mem + 5, 1, IOVA + 5, IOAS_RW),
	   "a mapping of a byte");
	fails(access_attach(again, ioas), EADDRINUSE,
	      "an access that pins does not come to it");
	ok(ioas_alignment(fd, ioas) == 1, "and changed nothing");
	ok(!ioas_map_at(fd, ioas, mem + 6, 1, IOVA + 6, IOAS_RW),
	   "another mapping of a byte");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap both");
	ok(!ioas_map_at(fd, ioas, mem + 5, PAGE, IOVA, IOAS_RW),
	   "a mapping with only the memory not aligned");
	fails(access_attach(again, ioas), EADDRINUSE, "that is too much, too");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");

	ok(!ioas_map_at(fd, ioas, mem, 2 * PAGE, IOVA, IOAS_RW) &&
	   !access_attach(again, ioas), "to whole pages it comes");
	ok(ioas_alignment(fd, ioas) == PAGE, "they are now the rule");
	fails(ioas_map_at(fd, ioas, mem + 5, 1, IOVA + 8 * PAGE + 5, IOAS_RW),
	      EINVAL, "a byte");
	fails(ioas_map_at(fd, ioas, mem, PAGE, IOVA + 8 * PAGE + 8, IOAS_RW),
	      EINVAL, "an odd IOVA");
	fails(ioas_map_at(fd, ioas, mem, PAGE + 8, IOVA + 8 * PAGE, IOAS_RW),
	      EINVAL, "an odd length");
	fails(ioas_map_at(fd, ioas, mem + 8, PAGE, IOVA + 8 * PAGE, IOAS_RW),
	      EINVAL, "odd memory");
	ok(ioas_alignment(fd, ioas) == PAGE, "still the rule");
	at = access_new(fd, ioas);
	close(again);
	ok(ioas_alignment(fd, ioas) == PAGE, "a second one keeps it");
	close(at);
	ok(ioas_alignment(fd, ioas) == 1, "without them it is gone");
	ok(!ioas_map_at(fd, ioas, mem + 5, 1, IOVA + 8 * PAGE + 5, IOAS_RW),
	   "a byte again");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
	close(rw);
	at = access_new(fd, ioas);
}

/* A copy brings its memory's offset along. */
static void test_copy_alignment(void)
{
	uint32_t other = ioas_new(fd);

	ok(!ioas_map_at(fd, other, mem + 8, PAGE, IOVA + 8, IOAS_RW) &&
	   !ioas_map_at(fd, other, mem, 2 * PAGE, 2 * IOVA, IOAS_RW),
	   "an IOAS without a pinning access takes any mapping");
	fails(ioas_copy_at(fd, ioas, other, IOVA + 8, PAGE, IOVA, IOAS_RW),
	      EINVAL, "a copy of odd memory to one with it");
	fails(ioas_copy_at(fd, ioas, other, 2 * IOVA + 8, PAGE, IOVA, IOAS_RW),
	      EINVAL, "a copy of an odd part of whole pages");
	ok(!ioas_copy_at(fd, ioas, other, 2 * IOVA, 2 * PAGE, IOVA, IOAS_RW),
	   "a copy of whole pages");
	check_range(0x123, PAGE);
	ok(!ioas_unmap_all(fd, ioas, NULL) && !iommu_destroy_id(fd, other),
	   "undo");
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	mem = mem_alloc(N * PAGE);
	mem_fill(mem, N * PAGE, 1);
	at = access_new(fd, ioas);

	test_ranges();
	test_refusals();
	test_write();
	test_model();
	test_big();
	test_alignment();
	test_copy_alignment();
	close(at);
	close(fd);
	ok(iommufd_stat("objects") == 0 && pinned() == 0, "nothing is left");
	return tap_done();
}
