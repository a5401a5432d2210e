// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking: what devices write to is in the bitmap, for ranges, page sizes
 * and bitmaps of any kind, compared with a model; numbers that make no sense; and
 * that nothing is lost, not by an error and not between two readers.
 *
 * known-bugs.md row 14 (sums and divisions with a dirty bitmap's numbers).
 */
#include <stdatomic.h>

#include "mock_util.h"

#define UNIT MOCK_PAGE_SIZE
#define GIB (1ULL << 30)
#define APERTURE_END (MOCK_APERTURE_LAST + 1)
#define MAX_IO_PAGES 8192
#define ROUNDS 600
/* For a bit per UNIT of the aperture, anywhere in two pages, and more behind it */
#define BUF_SIZE (APERTURE_END / UNIT / 8 + 4 * PAGE)

/* What is mapped: @pages, but for the part of the first one before @iova */
struct area {
	uint64_t iova, pages;
	bool read_only;
};

static uint64_t area_length(const struct area *area)
{
	return area->pages * PAGE - area->iova % PAGE;
}

/* One IO page, which is dirty or clean as a whole */
struct io_page {
	uint64_t first, last;
	bool writable, dirty;
};

static int fd;
static uint32_t ioas, hwpt;
static struct mock dev;
static struct io_page io_pages[MAX_IO_PAGES];
static unsigned int n_io_pages;

/* ------------------------------------------------------------------ */
/* The model */

static int read_dirty(uint64_t iova, uint64_t length, uint64_t page_size,
		      void *bitmap)
{
	return get_dirty_bitmap(fd, hwpt, iova, length, page_size, bitmap, 0);
}

static bool bit_is_set(const unsigned char *bitmap, uint64_t bit)
{
	return bitmap[bit / 8] & 1 << bit % 8;
}

/* Are all of the range clean?  Cleans what is not. */
static bool all_clean(uint64_t iova, uint64_t length)
{
	uint64_t i, bytes = length / UNIT / 8 + 1;
	unsigned char *bitmap = calloc(1, bytes);
	bool clean;

	clean = !read_dirty(iova, length, UNIT, bitmap);
	for (i = 0; i != bytes; i++)
		clean &= !bitmap[i];
	free(bitmap);
	return clean;
}

static bool write_one(uint64_t iova)
{
	uint64_t nr;

	return !mock_write_dirty(fd, hwpt, iova, UNIT, UNIT, "\x01", &nr) && nr;
}

static struct io_page *io_page_at(uint64_t iova)
{
	unsigned int low = 0, high = n_io_pages, mid;

	while (low != high) {
		mid = (low + high) / 2;
		if (io_pages[mid].last < iova)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == n_io_pages || io_pages[low].first > iova)
		return NULL;
	return &io_pages[low];
}

static void io_page_add(uint64_t first, uint64_t last, bool writable)
{
	if (n_io_pages == MAX_IO_PAGES)
		bail("too many IO pages");
	io_pages[n_io_pages++] = (struct io_page){ first, last, writable,
						   false };
}

/* How large are the IO pages of a range?  Write to each and look. */
static bool learn(const struct area *area)
{
	uint64_t iova = area->iova, length = area_length(area), bit, nbits;
	unsigned char *bitmap = calloc(1, length / UNIT / 8 + 1);
	uint64_t first, bits, n;
	bool good = true;

	nbits = length / UNIT;
	for (bit = 0; good && bit != nbits; bit = first + n) {
		memset(bitmap, 0, nbits / 8 + 1);
		good = write_one(iova + bit * UNIT) &&
		       !read_dirty(iova, length, UNIT, bitmap);
		for (first = 0; first != nbits && !bit_is_set(bitmap, first);)
			first++;
		for (n = 0; first + n != nbits && bit_is_set(bitmap, first + n);)
			n++;
		for (bits = 0; bits != nbits; bits++)
			good &= bit_is_set(bitmap, bits) ==
				(bits >= first && bits < first + n);
		/* A power of two, where such an IO page can be */
		good &= first == bit && n && !(n & (n - 1)) &&
			!((iova / UNIT + first) & (n - 1));
		io_page_add(iova + first * UNIT, iova + (first + n) * UNIT - 1,
			    true);
	}
	free(bitmap);
	return good;
}

/* ------------------------------------------------------------------ */

struct request {
	uint64_t iova, length, page_size;
};

/* Near an area, mostly; sometimes most of the aperture */
static struct request random_request(const struct area *areas, unsigned int n)
{
	const struct area *area = &areas[random_below(n)];
	uint64_t bits, max, from;
	struct request r;

	r.page_size = UNIT << random_below(random_below(4) ? 5 : 16);
	from = area->iova + random_below(area_length(area));
	from -= random_below(4) ? 0 : random_below(from);
	r.iova = from - from % r.page_size;
	max = (APERTURE_END - r.iova) / r.page_size;
	bits = random_below(10) ? 1 + random_below(600) : max;
	r.length = (bits < max ? bits : max) * r.page_size;
	return r;
}

/* A device writes.  False if the kernel counts other writes than the model. */
static bool model_write(const struct request *r)
{
	uint64_t bit, nbits = r->length / r->page_size, nr, want = 0;
	unsigned char *bitmap = calloc(1, nbits / 8 + 1);
	struct io_page *page;
	unsigned int n = nbits / 2 < 500 ? nbits / 2 + 1 : 500;
	int rc;

	while (n--) {
		bit = random_below(nbits);
		if (bit_is_set(bitmap, bit))
			continue;
		bitmap[bit / 8] |= 1 << bit % 8;
		page = io_page_at(r->iova + bit * r->page_size);
		if (page && page->writable) {
			page->dirty = true;
			want++;
		}
	}
	rc = mock_write_dirty(fd, hwpt, r->iova, r->length, r->page_size,
			      bitmap, &nr);
	free(bitmap);
	return !rc && nr == want;
}

/* What the bitmap is to have; and what was read is clean. */
static void model_read(const struct request *r, unsigned char *bitmap,
		       bool clear)
{
	uint64_t last = r->iova + r->length - 1, from, to, bit;
	unsigned int i;

	for (i = 0; i != n_io_pages; i++) {
		struct io_page *page = &io_pages[i];

		if (!page->dirty || page->last < r->iova || page->first > last)
			continue;
		from = page->first > r->iova ? page->first : r->iova;
		to = page->last < last ? page->last : last;
		for (bit = (from - r->iova) / r->page_size;
		     bit <= (to - r->iova) / r->page_size; bit++)
			bitmap[bit / 8] |= 1 << bit % 8;
		page->dirty = !clear;
	}
}

static void random_fill(unsigned char *buf, size_t size)
{
	size_t i;

	for (i = 0; i + 4 < size; i += 4) {
		uint32_t bits = random() & random();

		memcpy(buf + i, &bits, 4);
	}
}

static void run_model(const char *what, const struct area *areas,
		      unsigned int n)
{
	unsigned char *got = mem_alloc(BUF_SIZE), *want = mem_alloc(BUF_SIZE);
	unsigned int i, bad_writes = 0, bad_reads = 0;
	struct request r;
	size_t offset;
	bool clear;

	for (i = 0; i != ROUNDS && bad_writes + bad_reads < 5; i++) {
		r = random_request(areas, n);
		bad_writes += !model_write(&r);
		r = random_request(areas, n);
		clear = random_below(3);
		/* Anywhere in a page; bits that are set stay, whatever they are. */
		offset = random_below(2 * PAGE);
		if (!(i % 8))
			random_fill(want, BUF_SIZE);
		memcpy(got, want, BUF_SIZE);
		model_read(&r, want + offset, clear);
		if (!get_dirty_bitmap(fd, hwpt, r.iova, r.length, r.page_size,
				      got + offset,
				      clear ? 0 :
				      IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) &&
		    !memcmp(got, want, BUF_SIZE))
			continue;
		note("iova %#lx, length %#lx, page size %#lx, at %#zx", r.iova,
		     r.length, r.page_size, offset);
		bad_reads++;
	}
	ok(!bad_writes && !bad_reads,
	   "%s: %u writes and reads (%u and %u wrong), %u IO pages", what, i,
	   bad_writes, bad_reads, n_io_pages);
	munmap(got, BUF_SIZE);
	munmap(want, BUF_SIZE);
}

static void map_areas(const struct area *areas, unsigned int n, char *mem)
{
	unsigned int i;

	for (i = 0; i != n; i++) {
		if (ioas_map_at(fd, ioas, mem, areas[i].pages * PAGE,
				areas[i].iova,
				areas[i].read_only ? IOAS_RO : IOAS_RW))
			bail("map area %u", i);
		mem += areas[i].pages * PAGE;
	}
}

static uint64_t areas_size(const struct area *areas, unsigned int n)
{
	uint64_t pages = 0;

	while (n--)
		pages += areas[n].pages;
	return pages * PAGE;
}

/* Both ends of the aperture, across 1 GiB, holes, and what is only readable */
static const struct area small_areas[] = {
	{ MOCK_APERTURE_START, 70, false },
	{ 0x20000000, 16, true },
	{ 0x20000000 + 16 * PAGE, 33, false },
	{ 0x30000000 + 5 * PAGE, 1, false },
	{ 0x30000000 + 7 * PAGE, 1, false },
	{ 0x30000000 + 8 * PAGE, 1, true },
	{ GIB - 35 * PAGE, 64, false },
	{ APERTURE_END - 40 * PAGE, 40, false },
};

#define N_SMALL (sizeof(small_areas) / sizeof(small_areas[0]))

static void open_tracking(bool huge_io_pages)
{
	fd = iommu_open();
	ioas = ioas_new(fd);
	if (!huge_io_pages &&
	    iommu_option_set(fd, IOMMU_OPTION_HUGE_PAGES, ioas, 0))
		bail("IOMMU_OPTION_HUGE_PAGES");
	dev = mock_new(fd, ioas, 0);
	hwpt = hwpt_new(fd, dev.idev, ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	if (mock_replace(fd, &dev, hwpt) || set_dirty_tracking(fd, hwpt, 1))
		bail("dirty tracking");
	n_io_pages = 0;
}

static void close_tracking(void)
{
	close(fd);
	ok(nothing_left(), "nothing is left");
}

/* IO pages of PAGE each */
static void test_small(void)
{
	uint64_t size = areas_size(small_areas, N_SMALL), iova;
	char *mem = mem_alloc(size);
	unsigned int i;

	open_tracking(false);
	map_areas(small_areas, N_SMALL, mem);
	for (i = 0; i != N_SMALL; i++) {
		for (iova = small_areas[i].iova;
		     iova != small_areas[i].iova + small_areas[i].pages * PAGE;
		     iova += PAGE)
			io_page_add(iova, iova + PAGE - 1,
				    !small_areas[i].read_only);
	}
	run_model("small IO pages", small_areas, N_SMALL);
	close_tracking();
	munmap(mem, size);
}

/* Memory in huge pages, at IOVAs that let IO pages be as large and that do not */
static const struct area huge_areas[] = {
	{ MOCK_APERTURE_START, 1024, false },
	{ 0x28000000 + 256 * PAGE, 1024, false },
	{ GIB - 512 * PAGE + UNIT, 1024, false },
	{ APERTURE_END - 1024 * PAGE, 1024, false },
};

#define N_HUGE (sizeof(huge_areas) / sizeof(huge_areas[0]))

static void test_huge(void)
{
	uint64_t size = areas_size(huge_areas, N_HUGE);
	unsigned int i, good = 0;
	int huge;
	char *mem;

	huge_pages(size / HUGE_PAGE);
	huge = memfd_new(MFD_HUGETLB, size);
	mem = memfd_map(huge, size);
	open_tracking(true);
	for (i = 0; i != N_HUGE; i++) {
		if (ioas_map_at(fd, ioas,
				mem + i * 1024 * PAGE + huge_areas[i].iova % PAGE,
				area_length(&huge_areas[i]),
				huge_areas[i].iova, IOAS_RW))
			bail("map area %u", i);
	}
	for (i = 0; i != N_HUGE; i++)
		good += learn(&huge_areas[i]);
	ok(good == N_HUGE, "large IO pages: each is dirty as a whole (%u)",
	   good);
	run_model("large IO pages", huge_areas, N_HUGE);
	close_tracking();
	munmap(mem, size);
	close(huge);
	huge_pages(0);
}

/* ------------------------------------------------------------------ */
/* Errors */

static void test_set_errors(uint32_t plain)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.__reserved = 1,
	};

	refused(set_dirty_tracking(fd, hwpt, 2), EOPNOTSUPP, "SET: flag 2");
	refused(set_dirty_tracking(fd, hwpt, UINT32_MAX), EOPNOTSUPP,
		"SET: all flags");
	refused(ioctl(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd), EOPNOTSUPP,
		"SET: __reserved");
	refused(set_dirty_tracking(fd, 12345, 1), ENOENT, "SET: no such HWPT");
	refused(set_dirty_tracking(fd, ioas, 1), ENOENT, "SET: an IOAS");
	refused(set_dirty_tracking(fd, dev.idev, 1), ENOENT, "SET: a device");
	refused(set_dirty_tracking(fd, plain, 1), EOPNOTSUPP,
		"SET: an HWPT that is not for it");
	refused(set_dirty_tracking(fd, plain, 0), EOPNOTSUPP,
		"SET: neither to switch it off");
}

static void test_get_errors(uint32_t plain, uint32_t nested, char *buf)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.__reserved = 1,
		.iova = IOVA,
		.length = PAGE,
		.page_size = PAGE,
		.data = (uintptr_t)buf,
	};

	refused(ioctl(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd), EOPNOTSUPP,
		"__reserved");
	refused(get_dirty_bitmap(fd, hwpt, IOVA, PAGE, PAGE, buf, 2),
		EOPNOTSUPP, "flag 2");
	refused(get_dirty_bitmap(fd, hwpt, IOVA, PAGE, PAGE, buf, 1U << 31),
		EOPNOTSUPP, "flag 2^31");
	refused(get_dirty_bitmap(fd, 12345, IOVA, PAGE, PAGE, buf, 0), ENOENT,
		"no such HWPT");
	refused(get_dirty_bitmap(fd, ioas, IOVA, PAGE, PAGE, buf, 0), ENOENT,
		"an IOAS");
	refused(get_dirty_bitmap(fd, plain, IOVA, PAGE, PAGE, buf, 0),
		EOPNOTSUPP, "an HWPT that is not for it");
	refused(get_dirty_bitmap(fd, nested, IOVA, PAGE, PAGE, buf, 0),
		EOPNOTSUPP, "a nested HWPT");
}

static void test_numbers(char *buf)
{
	const uint64_t top = 1ULL << 63;
	unsigned int bit, bad = 0;

	refused(read_dirty(IOVA, 0, PAGE, buf), EINVAL, "length 0");
	refused(read_dirty(IOVA, PAGE, 0, buf), EINVAL, "page size 0");
	refused(read_dirty(IOVA, 3 * PAGE, 3 * PAGE, buf), EINVAL,
		"page size 12288");
	refused(read_dirty(IOVA, PAGE, PAGE - 1, buf), EINVAL,
		"page size 4095");
	refused(read_dirty(0, UINT64_MAX - 1, UINT64_MAX - 1, buf), EINVAL,
		"page size 2^64 - 2");
	refused(read_dirty(0, UINT64_MAX, UINT64_MAX, buf), EINVAL,
		"page size 2^64 - 1");
	for (bit = 0; bit != 11; bit++)
		bad += read_dirty(IOVA, PAGE, 1 << bit, buf) != -1 ||
		       errno != EINVAL;
	ok(!bad, "page sizes of 1 to 1024 are EINVAL (%u are not)", bad);
	refused(read_dirty(IOVA + 1, PAGE, PAGE, buf), EINVAL, "an odd IOVA");
	refused(read_dirty(IOVA + UNIT, PAGE, PAGE, buf), EINVAL,
		"an IOVA of half a page");
	refused(read_dirty(IOVA, PAGE + 1, PAGE, buf), EINVAL,
		"an odd length");
	refused(read_dirty(IOVA, PAGE + UNIT, PAGE, buf), EINVAL,
		"a length of one page and a half");
	refused(read_dirty(IOVA, UNIT, PAGE, buf), EINVAL,
		"a length below the page size");
	refused(read_dirty(top, top + PAGE, PAGE, buf), EOVERFLOW,
		"IOVA + length past 2^64");
	refused(read_dirty(0 - PAGE, 2 * PAGE, PAGE, buf), EOVERFLOW,
		"two pages at the last");
	refused(read_dirty(PAGE, 0 - PAGE + UNIT, UNIT, buf), EOVERFLOW,
		"almost all, not from 0");
	refused(read_dirty(UINT64_MAX, 2, 1, buf), EOVERFLOW,
		"IOVA 2^64 - 1, two bytes");
	ok(!read_dirty(0 - PAGE, PAGE, PAGE, buf), "the last page there is");
	ok(!read_dirty(top, top, top, buf), "the upper half, as one bit");
	ok(!buf[0], "nobody wrote there");
}

/* Bitmaps that cannot be written, and such that would wrap */
static void test_bitmaps(char *buf)
{
	char *end = mem_before_hole(1), *page = mem_alloc(PAGE);

	refused(read_dirty(IOVA, PAGE, PAGE, NULL), EFAULT, "a bitmap at 0");
	refused(read_dirty(IOVA, PAGE, PAGE, (void *)-1UL), EFAULT,
		"a bitmap at 2^64 - 1");
	refused(read_dirty(IOVA, 16 * PAGE, PAGE, (void *)-1UL), EFAULT,
		"one that wraps");
	refused(read_dirty(IOVA, PAGE, PAGE, (void *)(0 - PAGE)), EFAULT,
		"one in the kernel");
	refused(read_dirty(IOVA, 9 * PAGE, PAGE, end + PAGE - 1), EFAULT,
		"one that ends a bit too early");
	refused(read_dirty(0, 1ULL << 63, UNIT, end), EFAULT,
		"one of 2^52 bits");
	refused(read_dirty(0, 0 - PAGE, UNIT, end), EFAULT,
		"one of almost 2^53");
	ok(!mprotect(page, PAGE, PROT_READ), "read-only memory");
	refused(read_dirty(IOVA, PAGE, PAGE, page), EFAULT, "a bitmap there");
	ok(!mprotect(page, PAGE, PROT_NONE), "memory without access");
	refused(read_dirty(IOVA, PAGE, PAGE, page), EFAULT, "a bitmap there");

	/* None of these took anything away. */
	ok(!read_dirty(IOVA, 16 * PAGE, PAGE, buf) && buf[0] == 1 && !buf[1],
	   "what was dirty is");
	ok(all_clean(IOVA, 16 * PAGE), "and only that was");
	ok(write_one(IOVA) && !read_dirty(IOVA, 8 * PAGE, PAGE,
					  end + PAGE - 1) &&
	   end[PAGE - 1] == 1, "one that just fits");
	munmap(end, 2 * PAGE);
	munmap(page, PAGE);
}

static void test_errors(void)
{
	struct mock second;
	char *buf = mem_alloc(PAGE), *mem = mem_alloc(16 * PAGE);
	uint32_t plain, parent, nested;

	memset(buf, 0, PAGE);
	open_tracking(false);
	plain = hwpt_new(fd, dev.idev, ioas, 0);
	parent = hwpt_new(fd, dev.idev, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
	nested = mock_nested_new(fd, dev.idev, parent, 0, 0);
	if (ioas_map_at(fd, ioas, mem, 16 * PAGE, IOVA, IOAS_RW))
		bail("map");
	ok(write_one(IOVA), "a page is dirty");
	test_set_errors(plain);
	test_get_errors(plain, nested, buf);
	test_numbers(buf);
	test_bitmaps(buf);

	refused(mock_make_only(fd, hwpt, MOCK_FLAGS_DEVICE_NO_DIRTY), EINVAL,
		"attach a device that cannot");
	second = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_NO_DIRTY);
	refused(mock_replace(fd, &second, hwpt), EINVAL, "move it there");
	ok(!mock_check_map(fd, second.hwpt, IOVA, mem, 16 * PAGE),
	   "it is where it was");
	close_tracking();
	munmap(buf, PAGE);
	munmap(mem, 16 * PAGE);
}

/* ------------------------------------------------------------------ */
/* What an error leaves: the driver is asked for 1 GiB at a time. */

static void test_half(void)
{
	char *mem = mem_alloc(64 * PAGE), *end = mem_before_hole(1), *bitmap;
	unsigned char rest[64] = "";

	open_tracking(false);
	if (ioas_map_at(fd, ioas, mem, 64 * PAGE, GIB - 32 * PAGE, IOAS_RW))
		bail("map");
	ok(write_one(GIB - PAGE) && write_one(GIB) && write_one(GIB + 5 * PAGE),
	   "dirty pages on both sides of 1 GiB");
	bitmap = end + PAGE - 4;
	refused(read_dirty(GIB - 32 * PAGE, 64 * PAGE, PAGE, bitmap), EFAULT,
		"a bitmap for the first side only");
	ok(!bitmap[0] && !bitmap[1] && !bitmap[2],
	   "only what is dirty may be told");
	ok(!read_dirty(GIB - 32 * PAGE, 64 * PAGE, PAGE, rest),
	   "read all");
	ok(((unsigned char)bitmap[3] | rest[3]) == 0x80 && rest[4] == 0x21,
	   "between them both tell everything");
	munmap(end, 2 * PAGE);

	/* 2^19 bits from bit 1 of the last byte of a page on: 17 pages */
	bitmap = mem_alloc(20 * PAGE);
	ok(write_one(GIB - UNIT) && write_one(GIB) &&
	   !read_dirty(GIB - UNIT, GIB + UNIT, UNIT, bitmap + PAGE - 1),
	   "a bitmap that begins in the last byte of a page");
	/* Both are in IO pages of two units, the first one of which is half out. */
	ok((unsigned char)bitmap[PAGE - 1] == 7 && !bitmap[PAGE] &&
	   !bitmap[PAGE - 2], "its first bits");
	munmap(bitmap, 20 * PAGE);
	close_tracking();
	munmap(mem, 64 * PAGE);
}

/* ------------------------------------------------------------------ */
/* Where the bitmap is */

static void test_memory(void)
{
	char *mem = mem_alloc(16 * PAGE), *page, sync;
	int file = memfd_new(0, PAGE), pipes[2], status;
	unsigned char *bitmap;
	pid_t pid;

	open_tracking(false);
	if (ioas_map_at(fd, ioas, mem, 16 * PAGE, IOVA, IOAS_RW))
		bail("map");
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ok(page != MAP_FAILED && write_one(IOVA) &&
	   !read_dirty(IOVA, 8 * PAGE, PAGE, page) && page[0] == 1,
	   "memory that was not there yet");
	bitmap = memfd_map(file, PAGE);
	ok(write_one(IOVA) && !read_dirty(IOVA, 8 * PAGE, PAGE, bitmap) &&
	   pread(file, &sync, 1, 0) == 1 && sync == 1, "a file");
	/* What a device may write to, as well */
	memset(mem, 0, PAGE);
	ok(write_one(IOVA) && !read_dirty(IOVA, 8 * PAGE, PAGE, mem) &&
	   mem[0] == 1, "memory that is mapped itself");

	if (pipe(pipes))
		bail("pipe");
	memset(page, 0, PAGE);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid) {
		must(read(pipes[0], &sync, 1) == 1);
		_exit(page[0]);
	}
	ok(write_one(IOVA) && !read_dirty(IOVA, 8 * PAGE, PAGE, page) &&
	   page[0] == 1, "memory that a child has, too");
	ok(write(pipes[1], "", 1) == 1 && waitpid(pid, &status, 0) == pid &&
	   !status, "the child's is another");
	close(pipes[0]);
	close(pipes[1]);
	close_tracking();
	munmap(bitmap, PAGE);
	munmap(page, PAGE);
	munmap(mem, 16 * PAGE);
	close(file);
}

/* ------------------------------------------------------------------ */
/* On and off, and mappings that come and go */

static void test_states(void)
{
	char *mem = mem_alloc(16 * PAGE);
	unsigned char bits[2] = "";

	open_tracking(false);
	if (ioas_map_at(fd, ioas, mem, 16 * PAGE, IOVA, IOAS_RW))
		bail("map");
	ok(write_one(IOVA + PAGE) && !set_dirty_tracking(fd, hwpt, 1) &&
	   all_clean(IOVA, 16 * PAGE), "switched on again: nothing is dirty");
	ok(write_one(IOVA + PAGE) && !set_dirty_tracking(fd, hwpt, 0) &&
	   !set_dirty_tracking(fd, hwpt, 0), "off, twice");
	ok(!set_dirty_tracking(fd, hwpt, 1) && all_clean(IOVA, 16 * PAGE),
	   "what was dirty before does not count");
	ok(write_one(IOVA + 3 * PAGE) &&
	   !get_dirty_bitmap(fd, hwpt, IOVA, 16 * PAGE, PAGE, bits,
			     IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) &&
	   bits[0] == 8, "read without cleaning");
	ok(!ioas_unmap_all(fd, ioas, NULL) &&
	   !ioas_map_at(fd, ioas, mem, 16 * PAGE, IOVA, IOAS_RW) &&
	   all_clean(IOVA, 16 * PAGE), "a new mapping is clean");
	ok(!ioas_unmap_all(fd, ioas, NULL) && all_clean(0, GIB * 2),
	   "and where nothing is mapped all is");
	close_tracking();
	munmap(mem, 16 * PAGE);
}

/* ------------------------------------------------------------------ */
/* Readers that clean, and a device that writes meanwhile */

#define RACE_PAGES 256
#define PASSES 6

struct reader {
	pthread_t thread;
	unsigned char bitmap[RACE_PAGES / 8];
	unsigned int reads, failed;
};

static atomic_bool writer_done;

static void *reader_thread(void *arg)
{
	struct reader *r = arg;

	do {
		r->failed += read_dirty(IOVA, RACE_PAGES * PAGE, PAGE,
					r->bitmap) != 0;
		r->reads++;
	} while (!atomic_load(&writer_done));
	return NULL;
}

/* Writes to each page once; whatever anybody was told is all of them. */
static bool nothing_is_lost(unsigned int *reads)
{
	struct reader r[2] = {};
	unsigned char rest[RACE_PAGES / 8] = "";
	unsigned int i, bad = 0;

	atomic_store(&writer_done, false);
	for (i = 0; i != 2; i++) {
		if (pthread_create(&r[i].thread, NULL, reader_thread, &r[i]))
			bail("pthread_create");
	}
	for (i = 0; i != RACE_PAGES; i++)
		bad += !write_one(IOVA + i * 101 % RACE_PAGES * PAGE);
	atomic_store(&writer_done, true);
	for (i = 0; i != 2; i++) {
		pthread_join(r[i].thread, NULL);
		bad += r[i].failed;
		*reads += r[i].reads;
	}
	bad += read_dirty(IOVA, RACE_PAGES * PAGE, PAGE, rest) != 0;
	for (i = 0; i != RACE_PAGES / 8; i++)
		bad += (r[0].bitmap[i] | r[1].bitmap[i] | rest[i]) != 0xff;
	return !bad;
}

/* Everything at once: the page table, its mappings and its state change. */
static void *toggle_thread(void *arg)
{
	unsigned int *good = arg;

	while (!atomic_load(&writer_done)) {
		*good += !set_dirty_tracking(fd, hwpt, 1);
		*good += !set_dirty_tracking(fd, hwpt, 0);
	}
	return NULL;
}

static void test_races(void)
{
	char *mem = mem_alloc(RACE_PAGES * PAGE);
	unsigned int i, good = 0, reads = 0, toggled = 0, bad = 0;
	struct reader r = {};
	pthread_t toggler;

	open_tracking(false);
	if (ioas_map_at(fd, ioas, mem, RACE_PAGES * PAGE, IOVA, IOAS_RW))
		bail("map");
	for (i = 0; i != PASSES; i++)
		good += nothing_is_lost(&reads);
	ok(good == PASSES, "no write is lost between two readers (%u reads)",
	   reads);

	atomic_store(&writer_done, false);
	if (pthread_create(&toggler, NULL, toggle_thread, &toggled) ||
	    pthread_create(&r.thread, NULL, reader_thread, &r))
		bail("pthread_create");
	for (i = 0; i != RACE_PAGES; i++)
		bad += ioas_unmap_all(fd, ioas, NULL) ||
		       ioas_map_at(fd, ioas, mem, RACE_PAGES * PAGE, IOVA,
				   IOAS_RW);
	atomic_store(&writer_done, true);
	pthread_join(toggler, NULL);
	pthread_join(r.thread, NULL);
	ok(!bad && !r.failed && toggled,
	   "reads while mappings and tracking come and go (%u, %u)", r.reads,
	   toggled);

	/* The page table goes under a reader. */
	ok(!mock_destroy(fd, &dev), "no device is left");
	atomic_store(&writer_done, false);
	r = (struct reader){};
	if (pthread_create(&r.thread, NULL, reader_thread, &r))
		bail("pthread_create");
	ok(!iommu_destroy_id(fd, hwpt), "destroy the page table");
	atomic_store(&writer_done, true);
	pthread_join(r.thread, NULL);
	fails(read_dirty(IOVA, PAGE, PAGE, mem), ENOENT, "it is gone");
	close_tracking();
	munmap(mem, RACE_PAGES * PAGE);
}

int main(void)
{
	srandom(1);
	test_small();
	test_huge();
	test_errors();
	test_half();
	test_memory();
	test_states();
	test_races();
	return tap_done();
}
