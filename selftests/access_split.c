// SPDX-License-Identifier: GPL-2.0-only
/*
 * Type1 v1 without a VFIO group cuts mappings anywhere.  What is left behaves
 * as mappings of its own, also for in-kernel access and for copies that share
 * the pages.
 *
 * known-bugs.md row 9 (a cut that the second tree does not know of: use after
 * free when the pages go).
 */
#include <linux/vfio.h>

#include "access_util.h"

#define IOVA 0x100000ULL
#define N 32
#define SIZE (N * PAGE)

static int fd, at;
static uint32_t ioas;
static char *mem;

static int dma_map(void)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)mem,
		.iova = IOVA,
		.size = SIZE,
	};

	return ioctl(fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

/* Pages that an UNMAP of [first, first + pages) reports, or negative errno */
static int cut(uint64_t first, uint64_t pages)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = IOVA + first * PAGE,
		.size = pages * PAGE,
	};

	if (ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &cmd))
		return -errno;
	return cmd.size / PAGE;
}

/* [first, first + pages) is mapped, and to the memory it was mapped to. */
static bool intact(uint64_t first, uint64_t pages)
{
	struct pin pin;
	bool good;

	if (access_pin(at, IOVA + first * PAGE, pages * PAGE, PIN_WRITE, &pin))
		return false;
	good = pin.npages == pages &&
	       access_holds(at, &pin, 0, mem + first * PAGE, pages * PAGE);
	return !access_unpin(at, &pin) && good;
}

static bool gone(uint64_t page)
{
	return access_pin_only(at, IOVA + page * PAGE, 1, PIN_READ) == -1 &&
	       errno == ENOENT;
}

static void drain(void)
{
	ok(!ioas_unmap_all(fd, ioas, NULL) && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pages") == 0 && iommufd_stat("pinned_pages") == 0,
	   "unmap leaves nothing");
}

static void test_cuts(void)
{
	unsigned int i, left = 0;

	ok(!dma_map() && intact(0, N), "map");
	ok(cut(10, 4) == 4, "cut the middle");
	ok(intact(0, 10) && intact(14, N - 14), "both sides are intact");
	ok(gone(10) && gone(13), "the middle is gone");
	ok(cut(0, 1) == 1 && cut(N - 1, 1) == 1, "cut both ends");
	ok(intact(1, 9) && intact(14, N - 15), "the rest is intact");
	ok(cut(5, 20) == 16, "cut over the hole");
	ok(intact(1, 4) && intact(25, N - 26), "the rest is intact");
	drain();

	ok(!dma_map(), "map");
	for (i = 0; i < N; i += 2)
		left += cut(i, 1) == 1;
	ok(left == N / 2, "cut out each second page");
	for (i = 0, left = 0; i != N; i++)
		left += i % 2 ? intact(i, 1) : gone(i);
	ok(left == N, "the others are intact");
	drain();
}

/* Random cuts against a bitmap */
static void test_model(void)
{
	unsigned int round, i, bad = 0;

	srandom(2);
	for (round = 0; round != 40; round++) {
		bool mapped[N];

		memset(mapped, true, sizeof(mapped));
		bad += dma_map() != 0;
		for (i = 0; i != 12; i++) {
			unsigned int first = random() % N, j, want = 0;
			unsigned int pages = 1 + random() % 6;

			if (pages > N - first)
				pages = N - first;
			for (j = first; j != first + pages; j++) {
				want += mapped[j];
				mapped[j] = false;
			}
			bad += cut(first, pages) != (int)want;
			for (j = 0; j != N; j++)
				bad += mapped[j] ? !intact(j, 1) : !gone(j);
		}
		bad += ioas_unmap_all(fd, ioas, NULL) != 0;
	}
	ok(!bad, "40 x 12 random cuts against a model (%u differ)", bad);
	ok(iommufd_stat("areas") == 0 && iommufd_stat("pages") == 0,
	   "nothing is left");
}

/* A cut in a mapping with pinned pages: done, or refused and nothing changed */
static void test_pinned(void)
{
	static const struct { uint64_t first, pages; } pins[] = {
		{ 0, 4 }, { 12, 2 }, { 8, 8 }, { 11, 6 }, { 0, N },
	};
	unsigned int i;

	for (i = 0; i != sizeof(pins) / sizeof(pins[0]); i++) {
		struct pin pin;
		int rc;

		ok(!dma_map() && !access_pin(at, IOVA + pins[i].first * PAGE,
					     pins[i].pages * PAGE, PIN_WRITE,
					     &pin),
		   "map, pin %llu pages from %llu",
		   (unsigned long long)pins[i].pages,
		   (unsigned long long)pins[i].first);
		rc = cut(10, 6);
		if (rc == -EBUSY) {
			note("refused");
			ok(access_holds(at, &pin, 0, mem + pins[i].first * PAGE,
					pins[i].pages * PAGE) &&
			   !access_unpin(at, &pin) && intact(0, N),
			   "nothing changed");
			rc = cut(10, 6);
		}
		ok(rc == 6, "cut (%d)", rc);
		ok(intact(0, 10) && intact(16, N - 16) && gone(10) && gone(15),
		   "the rest is intact");
		drain();
	}
}

static void test_copy(void)
{
	uint32_t other = ioas_new(fd);
	int at2 = access_new(fd, other);
	struct pin pin;

	ok(!dma_map() && !ioas_copy_at(fd, other, ioas, IOVA, SIZE, IOVA,
				       IOAS_RW), "map and copy");
	ok(!access_pin(at2, IOVA, SIZE, PIN_WRITE, &pin), "pin the copy");
	ok(cut(10, 6) == 6, "cut the original");
	ok(access_holds(at2, &pin, 0, mem, SIZE), "the copy is as it was");
	ok(intact(0, 10) && intact(16, N - 16) && gone(10),
	   "the rest of the original is intact");
	ok(iommufd_stat("pinned_pages") == N, "each page is pinned once");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap the original");
	ok(access_holds(at2, &pin, 0, mem, SIZE) &&
	   iommufd_stat("pinned_pages") == N, "the copy is as it was");
	close(at2);
	ok(!iommu_destroy_id(fd, other), "destroy the copy");
	drain();
}

int main(void)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	mem = mem_alloc(SIZE);
	mem_fill(mem, SIZE, 7);
	at = access_new(fd, ioas);
	if (vfio_ioas_set(fd, ioas) || ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		bail("VFIO_SET_IOMMU");

	test_cuts();
	test_model();
	test_pinned();
	test_copy();
	close(at);
	close(fd);
	ok(iommufd_stat("objects") == 0, "nothing is left");
	return tap_done();
}
