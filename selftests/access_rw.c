// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd_access_rw() against a reference buffer: every alignment, several
 * mappings, refusals, with and without pinned pages underneath.
 *
 * known-bugs.md row 26 (length 0 returned an uninitialised value).
 */
#include "access_util.h"

#define IOVA 0x100000ULL
#define N 16
#define SIZE (N * PAGE)

static int fd, at;
static uint32_t ioas;
static uint64_t iova = IOVA;	/* where mem is in the layouts below */
static char *mem;
static char model[SIZE], buf[SIZE];

static void reset(void)
{
	mem_fill(mem, SIZE, 4);
	memcpy(model, mem, SIZE);
}

static bool read_is_right(uint64_t offset, uint64_t length)
{
	memset(buf, 0x5a, sizeof(buf));
	return !access_rw(at, iova + offset, buf, length, PIN_READ) &&
	       !memcmp(buf, model + offset, length) &&
	       (length == SIZE || buf[length] == 0x5a);
}

static bool write_is_right(uint64_t offset, uint64_t length, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i != length; i++)
		buf[i] = seed * 31 + i * 7 + 1;
	if (access_rw(at, iova + offset, buf, length, PIN_WRITE))
		return false;
	memcpy(model + offset, buf, length);
	return !memcmp(mem, model, SIZE);
}

static void check_layout(const char *name)
{
	static const uint64_t lengths[] = {
		1, 2, 7, 8, 9, 63, 4095, 4096, 4097, 8191, 8192, 12289,
	};
	static const uint64_t offsets[] = {
		0, 1, 7, 8, 4088, 4095, 4096, 4097, 8191, 12345,
	};
	unsigned int i, j, reads = 0, writes = 0, all = 0;

	reset();
	for (i = 0; i != sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (j = 0; j != sizeof(offsets) / sizeof(offsets[0]); j++) {
			reads += read_is_right(offsets[j], lengths[i]);
			writes += write_is_right(offsets[j], lengths[i],
						 i * 16 + j);
			all++;
		}
	}
	ok(reads == all, "%s: %u of %u reads are right", name, reads, all);
	ok(writes == all, "%s: %u of %u writes are right", name, writes, all);
	ok(read_is_right(0, SIZE) && write_is_right(0, SIZE, 99),
	   "%s: all at once", name);
	ok(read_is_right(SIZE - 1, 1) && write_is_right(SIZE - 1, 1, 5),
	   "%s: the last byte", name);

	for (i = 0, reads = 0, writes = 0; i != 500; i++) {
		uint64_t offset = random() % SIZE;
		uint64_t length = 1 + random() % (SIZE - offset);

		reads += read_is_right(offset, length);
		writes += write_is_right(offset, length, i);
	}
	ok(reads == 500 && writes == 500,
	   "%s: 500 random ones (%u reads, %u writes are right)", name, reads,
	   writes);
}

static void unmap(void)
{
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap");
}

static void test_layouts(void)
{
	struct pin pin;
	unsigned int i;

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW), "one mapping");
	check_layout("one mapping");
	ok(!access_pin(at, IOVA + 3 * PAGE, 5 * PAGE, PIN_WRITE, &pin),
	   "pin some of its pages");
	check_layout("partly pinned");
	ok(access_holds(at, &pin, 0, mem + 3 * PAGE, 5 * PAGE),
	   "the pinned pages are the same memory");
	unmap();

	for (i = 0; i != N; i++) {
		if (ioas_map_at(fd, ioas, mem + i * PAGE, PAGE, IOVA + i * PAGE,
				IOAS_RW))
			bail("IOAS_MAP");
	}
	check_layout("a mapping per page");
	unmap();

	if (ioas_map_at(fd, ioas, mem, 3 * PAGE, IOVA, IOAS_RW) ||
	    ioas_map_at(fd, ioas, mem + 3 * PAGE, PAGE, IOVA + 3 * PAGE,
			IOAS_RW) ||
	    ioas_map_at(fd, ioas, mem + 4 * PAGE, SIZE - 4 * PAGE,
			IOVA + 4 * PAGE, IOAS_RW))
		bail("IOAS_MAP");
	check_layout("three mappings");
	unmap();
}

static void test_refusals(void)
{
	int lone = access_open();

	ok(!ioas_map_at(fd, ioas, mem, 2 * PAGE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, ioas, mem + 2 * PAGE, PAGE, IOVA + 2 * PAGE,
			IOAS_RO) &&
	   !ioas_map_at(fd, ioas, mem + 4 * PAGE, PAGE, IOVA + 4 * PAGE,
			IOAS_RW), "mappings with a gap");
	fails(access_rw(at, IOVA, buf, 0, PIN_READ), EINVAL, "read 0 bytes");
	fails(access_rw(at, IOVA, buf, 0, PIN_WRITE), EINVAL, "write 0 bytes");
	fails(access_rw(at, 0x40000000, buf, 0, PIN_READ), EINVAL,
	      "read 0 bytes where nothing is mapped");
	fails(access_rw(at, 0 - PAGE, buf, 2 * PAGE, PIN_READ), EOVERFLOW,
	      "range past 2^64");
	fails(access_rw(at, UINT64_MAX, buf, 2, PIN_READ), EOVERFLOW,
	      "two bytes at the last one");
	fails(access_rw(at, UINT64_MAX, buf, 1, PIN_READ), ENOENT,
	      "the last byte, not mapped");
	fails(access_rw(at, 0x40000000, buf, 1, PIN_READ), ENOENT,
	      "nothing is mapped there");
	fails(access_rw(at, IOVA - 1, buf, 2, PIN_READ), ENOENT,
	      "from before the first mapping");
	fails(access_rw(at, IOVA, buf, 4 * PAGE, PIN_READ), ENOENT,
	      "into the gap");
	fails(access_rw(at, IOVA, buf, 5 * PAGE, PIN_READ), ENOENT,
	      "over the gap");
	fails(access_rw(at, IOVA + 4 * PAGE, buf, PAGE + 1, PIN_READ), ENOENT,
	      "behind the last");
	fails(access_rw(at, IOVA + 2 * PAGE, buf, 1, PIN_WRITE), EPERM,
	      "write to a read-only mapping");
	fails(access_rw(at, IOVA, buf, 3 * PAGE, PIN_WRITE), EPERM,
	      "write over its border");
	reset();
	ok(read_is_right(0, 3 * PAGE), "read over its border");
	unmap();

	ok(!ioas_map_at(fd, ioas, (void *)PAGE, PAGE, IOVA, IOAS_RW),
	   "map memory that is not there");
	fails(access_rw(at, IOVA, buf, 1, PIN_READ), EFAULT, "read it");
	fails(access_rw(at, IOVA, buf, 1, PIN_WRITE), EFAULT, "write it");
	unmap();

	if (access_create(lone, fd, 0, NULL))
		bail("ACCESS_TEST_CREATE");
	fails(access_rw(lone, IOVA, buf, 1, PIN_READ), ENOENT, "not attached");
	close(lone);
}

/* An access that never pins may use rw all the same. */
static void test_without_pins(void)
{
	int saved = at;

	at = access_open();
	if (access_create(at, fd, 0, NULL) || access_attach(at, ioas))
		bail("access");
	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW), "map");
	check_layout("access without pins");
	ok(iommufd_stat("pinned_pages") == 0, "rw leaves nothing pinned");
	unmap();
	close(at);
	at = saved;
}

/*
 * Mappings that begin and end anywhere, with other offsets into the page than
 * the memory: only without an access that pins.
 */
static void test_odd_mappings(void)
{
	static const uint64_t parts[] = {
		1, 7, PAGE - 8, 3 * PAGE, PAGE + 1, 4095, 2 * PAGE + 77, 2,
	};
	const uint64_t old_iova = iova;
	uint64_t offset = 0;
	unsigned int i;
	int saved = at;

	ok(!access_detach(saved), "detach the one that pins");
	at = access_open();
	if (access_create(at, fd, 0, NULL) || access_attach(at, ioas))
		bail("access");
	iova += 0x345;
	for (i = 0; offset != SIZE; i++) {
		uint64_t n = i < sizeof(parts) / sizeof(parts[0]) ?
				     parts[i] : SIZE - offset;

		if (ioas_map_at(fd, ioas, mem + offset, n, iova + offset,
				IOAS_RW))
			bail("IOAS_MAP %llu bytes", (unsigned long long)n);
		offset += n;
	}
	check_layout("odd mappings");
	ok(iommufd_stat("pinned_pages") == 0, "nothing is pinned");
	fails(access_rw(at, iova - 1, buf, 2, PIN_READ), ENOENT,
	      "a byte before the first");
	fails(access_rw(at, iova + SIZE - 1, buf, 2, PIN_READ), ENOENT,
	      "a byte behind the last");
	unmap();
	iova = old_iova;
	close(at);
	at = saved;
	ok(!access_attach(at, ioas), "the one that pins comes back");
}

/* Both ends of the space */
static void test_ends(void)
{
	reset();
	ok(!ioas_map_at(fd, ioas, mem, PAGE, 0, IOAS_RW) &&
	   !ioas_map_at(fd, ioas, mem + PAGE, PAGE, 0 - PAGE, IOAS_RW),
	   "map the first and the last page");
	ok(!access_rw(at, 0, buf, PAGE, PIN_READ) && !memcmp(buf, mem, PAGE),
	   "read the first");
	ok(!access_rw(at, 0 - PAGE, buf, PAGE, PIN_READ) &&
	   !memcmp(buf, mem + PAGE, PAGE), "read the last");
	ok(!access_rw(at, UINT64_MAX, buf, 1, PIN_READ) &&
	   buf[0] == mem[2 * PAGE - 1], "read the last byte");
	unmap();
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	mem = mem_alloc(SIZE);
	at = access_new(fd, ioas);
	srandom(1);

	test_layouts();
	test_refusals();
	test_without_pins();
	test_odd_mappings();
	test_ends();
	close(at);
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pinned_pages") == 0, "nothing is left");
	return tap_done();
}
