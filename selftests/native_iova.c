// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVAs that the kernel chooses, IOAS_IOVA_RANGES and IOAS_ALLOW_IOVAS.
 *
 * known-bugs.md row 11: rounding up near the top of the space must not wrap
 * (huge lengths and alignments, allowed ranges at the top).
 */
#include "iommu_util.h"

#define MIB 0x100000ULL
#define GIB 0x40000000ULL

static int fd;
static uint32_t ioas;
static char *mem;

static int map_auto(uint64_t va, uint64_t length, uint64_t *iova)
{
	*iova = 0;
	return ioas_map(fd, ioas, (void *)(uintptr_t)va, length, iova, IOAS_RW);
}

static int allow(const struct iommu_iova_range *ranges, uint32_t n)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = n,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

static int allow_one(uint64_t start, uint64_t last)
{
	struct iommu_iova_range range = { start, last };

	return allow(&range, 1);
}

static bool inside(uint64_t iova, uint64_t length, uint64_t start,
		   uint64_t last)
{
	return iova >= start && iova <= last && last - iova >= length - 1;
}

static void test_auto(void)
{
	uint64_t a, b, c, n;

	ok(!map_auto((uintptr_t)mem, 4 * PAGE, &a) && a, "not IOVA 0");
	ok(!map_auto((uintptr_t)mem, 4 * PAGE, &b), "a second one");
	ok(a + 4 * PAGE <= b || b + 4 * PAGE <= a, "they do not overlap");
	ok(!map_auto((uintptr_t)mem + 123, PAGE, &c) && c % PAGE == 123,
	   "the offset into the page is kept (%#llx)", (unsigned long long)c);
	ok(!ioas_unmap(fd, ioas, a, 4 * PAGE, &n) && n == 4 * PAGE,
	   "unmap at the IOVA that was told");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == 5 * PAGE, "unmap the rest");

	ok(!map_auto(64 * MIB, 4 * MIB, &a) && a % (2 * MIB) == 0,
	   "2 MiB alignment of the memory is kept (%#llx)",
	   (unsigned long long)a);
	fails(map_auto((uintptr_t)mem, 0, &a), EINVAL, "length 0");
	fails(map_auto((uintptr_t)mem, UINT64_MAX, &a), EOVERFLOW,
	      "length 2^64 - 1");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == 4 * MIB, "unmap");
}

static void test_huge(void)
{
	static const uint64_t lengths[] = {
		UINT64_MAX - 1, UINT64_MAX - PAGE, (1ULL << 63) + 1, 1ULL << 63,
	};
	unsigned int i, maps = 0;
	uint64_t iova, n;

	for (i = 0; i != sizeof(lengths) / sizeof(lengths[0]); i++) {
		int rc = map_auto(0, lengths[i], &iova);

		/* No room, or refused as a length: never success by a wrap */
		ok(rc && (errno == ENOSPC || errno == EOVERFLOW),
		   "length %#llx", (unsigned long long)lengths[i]);
	}
	while (!map_auto(0, 1ULL << 62, &iova) && maps < 4) {
		maps++;
		ok(iova <= UINT64_MAX - (1ULL << 62) + 1, "2^62 bytes at %#llx",
		   (unsigned long long)iova);
	}
	ok(errno == ENOSPC && (maps == 2 || maps == 3),
	   "2^62 bytes fit two or three times, then ENOSPC (%u, errno %d)",
	   maps, errno);
	ok(!ioas_unmap_all(fd, ioas, &n) && n == maps * (1ULL << 62), "unmap");
}

/* Row 11 */
static void test_top(void)
{
	unsigned int i, good, maps;
	uint64_t iova, n;

	ok(!allow_one(0 - 4 * PAGE, UINT64_MAX), "allow the last four pages");
	for (maps = 0, good = 0; maps != 5; maps++) {
		if (map_auto((uintptr_t)mem, PAGE, &iova))
			break;
		good += inside(iova, PAGE, 0 - 4 * PAGE, UINT64_MAX);
	}
	ok(errno == ENOSPC && good == maps && maps >= 3 && maps <= 4,
	   "pages go there until ENOSPC (%u)", maps);
	ok(!ioas_unmap_all(fd, ioas, &n) && n == maps * PAGE, "unmap");

	/* A 2 MiB alignment rounds each of these up past 2^64. */
	for (i = 1; i != 8; i++) {
		if (!allow_one(0 - i * PAGE, UINT64_MAX))
			fails(map_auto(0, 2 * MIB, &iova), ENOSPC,
			      "2 MiB do not fit into the last %u pages", i);
		else
			ok(false, "allow the last %u pages", i);
	}
	ok(!allow_one(UINT64_MAX - 1, UINT64_MAX), "allow the last two bytes");
	fails(map_auto((uintptr_t)mem, PAGE, &iova), ENOSPC,
	      "a page does not fit there");
	fails(map_auto(2 * MIB, 1ULL << 62, &iova), ENOSPC,
	      "2^62 bytes do not fit there");
	ok(!allow_one(0 - 4 * MIB, UINT64_MAX - 1), "allow 4 MiB less a byte");
	ok(!map_auto(2 * MIB, 2 * MIB, &iova) &&
	   inside(iova, 2 * MIB, 0 - 4 * MIB, UINT64_MAX - 1),
	   "2 MiB fit there (%#llx)", (unsigned long long)iova);
	fails(map_auto(2 * MIB, 2 * MIB, &iova), ENOSPC, "but not twice");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == 2 * MIB, "unmap");
	ok(!allow(NULL, 0), "lift the promises");
}

static void test_allow(void)
{
	struct iommu_iova_range two[2] = {
		{ GIB, GIB + MIB - 1 }, { 4 * GIB, 4 * GIB + 8 * MIB - 1 },
	};
	uint64_t iova, old, n;
	unsigned int maps;

	ok(!allow(two, 2), "allow 1 MiB and 8 MiB");
	ok(!map_auto((uintptr_t)mem, PAGE, &old) &&
	   inside(old, PAGE, two[0].start, two[0].last),
	   "a page goes into the first");
	ok(!map_auto(0x10000000, 4 * MIB, &iova) &&
	   inside(iova, 4 * MIB, two[1].start, two[1].last),
	   "4 MiB go into the second");
	fails(map_auto(0x10000000, 16 * MIB, &iova), ENOSPC,
	      "16 MiB fit into neither");
	ok(!ioas_map_at(fd, ioas, mem, PAGE, 16 * GIB, IOAS_RW),
	   "an IOVA that the caller chooses may lie outside");

	fails(allow_one(GIB, GIB), EINVAL, "start == last");
	fails(allow_one(GIB, GIB - 1), EINVAL, "start > last");
	fails(allow_one(UINT64_MAX, 0), EINVAL, "start > last at the ends");
	two[1].start = two[0].last;
	fails(allow(two, 2), EINVAL, "ranges that share a byte");
	two[1] = two[0];
	fails(allow(two, 2), EINVAL, "the same range twice");
	fails(allow((void *)PAGE, 1), EFAULT, "unmapped list");
	fails(allow(two, UINT32_MAX), EINVAL,
	      "2^32 - 1 entries, the second overlaps");
	ok(!map_auto((uintptr_t)mem, PAGE, &iova) &&
	   (inside(iova, PAGE, GIB, GIB + MIB - 1) ||
	    inside(iova, PAGE, 4 * GIB, 4 * GIB + 8 * MIB - 1)),
	   "a list that is refused leaves the old one");

	ok(!allow_one(64 * GIB, 64 * GIB + 4 * PAGE - 1), "another list");
	for (maps = 0; maps != 5; maps++) {
		if (map_auto((uintptr_t)mem, PAGE, &iova) ||
		    !inside(iova, PAGE, 64 * GIB, 64 * GIB + 4 * PAGE - 1))
			break;
	}
	ok(maps == 4 && errno == ENOSPC, "it replaces the first (%u)", maps);
	ok(!ioas_unmap(fd, ioas, old, PAGE, NULL), "what was mapped stays");
	ok(!allow(NULL, 0), "an empty list");
	ok(!map_auto(0x10000000, 16 * MIB, &iova), "all is allowed again");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == 20 * MIB + 6 * PAGE,
	   "unmap (%#llx)", (unsigned long long)n);

	two[0] = (struct iommu_iova_range){ 0, UINT64_MAX };
	ok(!allow(two, 1), "allow the whole space");
	ok(!map_auto((uintptr_t)mem, PAGE, &iova) && iova, "still not IOVA 0");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == PAGE && !allow(NULL, 0),
	   "undo");
}

static void test_ranges(void)
{
	struct iommu_iova_range ranges[4];
	uint32_t n;

	memset(ranges, 0xa5, sizeof(ranges));
	n = 0;
	fails(ioas_ranges(fd, ioas, NULL, &n), EMSGSIZE, "no room");
	ok(n == 1, "one range is there");
	n = 1;
	ok(!ioas_ranges(fd, ioas, ranges, &n) && n == 1, "exact room");
	ok(ranges[0].start == 0 && ranges[0].last == UINT64_MAX,
	   "with nothing attached all is allowed");
	n = 4;
	ok(!ioas_ranges(fd, ioas, ranges, &n) && n == 1, "too much room");
	ok(ranges[1].start == 0xa5a5a5a5a5a5a5a5ULL,
	   "the entry behind is not touched");
	n = 1;
	fails(ioas_ranges(fd, ioas, (void *)PAGE, &n), EFAULT, "unmapped array");
	ok(!allow_one(GIB, 2 * GIB), "a promise");
	n = 1;
	ok(!ioas_ranges(fd, ioas, ranges, &n) && ranges[0].start == 0 &&
	   ranges[0].last == UINT64_MAX, "takes nothing away");
	ok(!allow(NULL, 0), "lift it");
}

/* The space between two neighbours is found, whatever is around it. */
static void test_full(void)
{
	unsigned int i, good = 0;
	uint64_t iova, n;

	ok(!allow_one(GIB, GIB + 16 * PAGE - 1), "allow 16 pages");
	for (i = 0; i < 16; i += 2)
		good += !ioas_map_at(fd, ioas, mem, PAGE, GIB + i * PAGE,
				     IOAS_RW);
	ok(good == 8, "take each second one");
	fails(map_auto((uintptr_t)mem, 2 * PAGE, &iova), ENOSPC,
	      "two pages do not fit");
	for (i = 0, good = 0; i != 8; i++)
		good += !map_auto((uintptr_t)mem, PAGE, &iova) &&
			(iova - GIB) / PAGE % 2 == 1;
	ok(good == 8, "eight times one page fits (%u)", good);
	fails(map_auto((uintptr_t)mem, PAGE, &iova), ENOSPC, "and no more");
	ok(!ioas_unmap(fd, ioas, GIB + 6 * PAGE, 2 * PAGE, &n), "make room");
	ok(!map_auto((uintptr_t)mem, 2 * PAGE, &iova) &&
	   iova == GIB + 6 * PAGE, "the room is found");
	ok(!ioas_unmap_all(fd, ioas, &n) && n == 16 * PAGE, "unmap");
	ok(!allow(NULL, 0), "lift the promise");
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	mem = mem_alloc(16 * PAGE);

	test_auto();
	test_huge();
	test_top();
	test_allow();
	test_ranges();
	test_full();
	close(fd);
	ok(iommufd_stat("areas") == 0 && iommufd_stat("objects") == 0,
	   "nothing is left");
	return tap_done();
}
