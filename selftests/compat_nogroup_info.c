// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_IOMMU_GET_INFO on /dev/iommu without a VFIO group, with every argsz:
 * which bytes are written, that the capability chain is right when all fits and
 * when only some of it fits, and that nothing else reaches userspace.
 *
 * known-bugs.md row 2 (uninitialised bytes, EFAULT that was not reported).
 */
#include <linux/vfio.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "iommu_util.h"

#define MINSZ 16U	/* up to iova_pgsizes, what the first version had */
#define FIXED 24U	/* sizeof(struct vfio_iommu_type1_info) */
#define MAX 1024U

static int fd;

/*
 * Leave bytes that are not zero in freed kernel memory of the size of a small
 * answer, so that a kernel that forgets to clear it is caught.  Shows its worth
 * where the kernel does not clear all allocations: init_on_alloc=0.
 */
static void dirty_freed_memory(void)
{
	struct {
		long type;
		char text[16];
	} msg = { .type = 1 };
	int queue = msgget(IPC_PRIVATE, 0600), i;

	memset(msg.text, 0xff, sizeof(msg.text));
	if (queue < 0)
		bail("msgget");
	for (i = 0; i != 32; i++)
		if (msgsnd(queue, &msg, sizeof(msg.text), IPC_NOWAIT))
			bail("msgsnd");
	if (msgctl(queue, IPC_RMID, NULL))
		bail("msgctl");
}

/* What a buffer full of @fill is after GET_INFO with @argsz */
static int get_info(unsigned char *buf, unsigned char fill, uint32_t argsz)
{
	dirty_freed_memory();
	memset(buf, fill, MAX);
	memcpy(buf, &argsz, sizeof(argsz));
	return ioctl(fd, VFIO_IOMMU_GET_INFO, buf);
}

struct caps {
	uint32_t total;		/* bytes that the full answer takes */
	unsigned int n;
	uint32_t offset[8];
	uint32_t size[8];	/* without padding behind */
	bool known[MAX];	/* this byte belongs to a field */
};

static uint32_t cap_size(const unsigned char *at)
{
	const struct vfio_info_cap_header *cap = (const void *)at;
	const struct vfio_iommu_type1_info_cap_iova_range *iova =
		(const void *)at;

	switch (cap->id) {
	case VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE:
		return sizeof(*iova) + iova->nr_iovas *
		       sizeof(struct vfio_iova_range);
	case VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL:
		return sizeof(struct vfio_iommu_type1_info_dma_avail);
	}
	return 0;
}

static void check_ranges(const unsigned char *at)
{
	const struct vfio_iommu_type1_info_cap_iova_range *cap =
		(const void *)at;

	ok(cap->nr_iovas == 1 && cap->reserved == 0 &&
	   cap->iova_ranges[0].start == 0 &&
	   cap->iova_ranges[0].end == UINT64_MAX,
	   "IOVA_RANGE: all is allowed");
}

static bool parse(const unsigned char *buf, struct caps *caps)
{
	const struct vfio_iommu_type1_info *info = (const void *)buf;
	bool avail = false, ranges = false;
	uint32_t offset, next;

	memset(caps, 0, sizeof(*caps));
	memset(caps->known, true, 20);
	caps->total = info->argsz;
	for (offset = info->cap_offset; offset; offset = next) {
		const struct vfio_info_cap_header *cap =
			(const void *)(buf + offset);
		uint32_t size;

		if (!ok(offset >= FIXED && offset % 8 == 0 &&
			offset + sizeof(*cap) <= caps->total && caps->n < 8,
			"a capability at %u", offset))
			return false;
		size = cap_size(buf + offset);
		if (!ok(size && cap->version == 1 &&
			offset + size <= caps->total,
			"it has id %u, version %u, %u bytes", cap->id,
			cap->version, size))
			return false;
		avail |= cap->id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
		if (cap->id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) {
			ranges = true;
			check_ranges(buf + offset);
		}
		next = cap->next;
		if (!ok(!next || next >= offset + size, "the next is at %u",
			next))
			return false;
		memset(caps->known + offset, true, size);
		caps->offset[caps->n] = offset;
		caps->size[caps->n++] = size;
	}
	return ok(avail && ranges && caps->n == 2,
		  "DMA_AVAIL and IOVA_RANGE are there, and no other");
}

static bool test_full(unsigned char *full, struct caps *caps)
{
	struct vfio_iommu_type1_info *info = (void *)full;
	unsigned int i, bad = 0;

	if (!ok(!get_info(full, 0xa5, MAX), "argsz %u", MAX))
		return false;
	ok(info->flags == (VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS),
	   "flags: PGSIZES and CAPS");
	ok(info->iova_pgsizes & PAGE && !(info->iova_pgsizes & (PAGE - 1)),
	   "page sizes: 4096, none smaller (%#llx)",
	   (unsigned long long)info->iova_pgsizes);
	if (!ok(info->argsz > FIXED && info->argsz < MAX &&
		info->cap_offset == FIXED, "argsz %u, cap_offset %u",
		info->argsz, info->cap_offset) || !parse(full, caps))
		return false;
	for (i = 0; i != MAX; i++) {
		if (caps->known[i] || full[i] == 0xa5 ||
		    (full[i] == 0 && i < caps->total))
			continue;
		note("byte %u is %#x", i, full[i]);
		bad++;
	}
	return ok(!bad, "no byte between or behind the fields is stale");
}

/* Byte @i of an answer of @argsz bytes, given the full answer */
static bool byte_is_right(const unsigned char *buf, unsigned char fill,
			  const unsigned char *full, const struct caps *caps,
			  uint32_t argsz, uint32_t i)
{
	unsigned int n;

	if (i >= argsz)
		return buf[i] == fill;
	if (i < 4)	/* argsz: what is needed */
		return buf[i] == full[i];
	/* cap_offset; a caller that has no room for all of it may get none */
	if (i >= 16 && i < 20 && argsz < caps->total)
		return buf[i] == 0 || (argsz < 20 && buf[i] == fill);
	for (n = 0; n != caps->n; n++) {
		uint32_t in_cap = i - caps->offset[n];

		/* A chain that ends early has 0 for the next one. */
		if (i >= caps->offset[n] && in_cap >= 4 && in_cap < 8 &&
		    buf[i] == 0)
			return true;
	}
	if (buf[i] == fill)	/* not written: only where not all fits */
		return i >= 20 && (!caps->known[i] || argsz < caps->total);
	return caps->known[i] ? buf[i] == full[i] : buf[i] == 0;
}

/* As many capabilities as fit are there, and their chain is right. */
static bool caps_are_right(const unsigned char *buf, const unsigned char *full,
			   const struct caps *caps, uint32_t argsz)
{
	unsigned int n;

	for (n = 0; n != caps->n; n++) {
		uint32_t at = caps->offset[n], end = at + caps->size[n];
		bool next_fits = n + 1 < caps->n &&
				 caps->offset[n + 1] + caps->size[n + 1] <=
				 argsz;

		if (end > argsz)
			break;
		if (memcmp(buf + at, full + at, 4) ||
		    memcmp(buf + at + 8, full + at + 8, caps->size[n] - 8))
			return false;
		if (next_fits && memcmp(buf + at + 4, full + at + 4, 4))
			return false;
	}
	return true;
}

static void test_every_argsz(const unsigned char *full, const struct caps *caps)
{
	unsigned char a[MAX], b[MAX];
	unsigned int wrong = 0, stale = 0, chains = 0, refused = 0;
	uint32_t argsz, i;

	for (argsz = 0; argsz <= caps->total + 64; argsz++) {
		int rc = get_info(a, 0xa5, argsz);

		if (argsz < MINSZ) {
			refused += rc == -1 && errno == EINVAL;
			continue;
		}
		if (rc || get_info(b, 0x5a, argsz)) {
			note("argsz %u: errno %d", argsz, errno);
			wrong++;
			continue;
		}
		for (i = 0; i != MAX; i++) {
			if (byte_is_right(a, 0xa5, full, caps, argsz, i) &&
			    byte_is_right(b, 0x5a, full, caps, argsz, i) &&
			    (a[i] == b[i] || (a[i] == 0xa5 && b[i] == 0x5a)))
				continue;
			note("argsz %u: byte %u is %#x and %#x", argsz, i, a[i],
			     b[i]);
			stale++;
		}
		chains += !caps_are_right(a, full, caps, argsz);
	}
	ok(refused == MINSZ, "argsz below %u is EINVAL (%u of %u)", MINSZ,
	   refused, MINSZ);
	ok(!wrong, "every larger argsz succeeds");
	ok(!stale, "no byte is stale, none behind argsz is touched (%u are)",
	   stale);
	ok(!chains, "the capabilities that fit are there (%u times not)",
	   chains);
	ok(!get_info(a, 0xa5, UINT32_MAX) && !memcmp(a, full, caps->total),
	   "argsz 2^32 - 1");
}

/* Row 2: memory that ends before argsz does */
static void test_faults(const struct caps *caps)
{
	char *mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int bad = 0;
	uint32_t room;

	if (mem == MAP_FAILED || munmap(mem + PAGE, PAGE))
		bail("mmap");
	for (room = 4; room < caps->total; room += 4) {
		char *at = mem + PAGE - room;
		unsigned int n;
		bool needed = room < FIXED - 4;	/* the padding may be left */

		for (n = 0; n != caps->n; n++)
			needed |= room < caps->offset[n] + caps->size[n];
		if (!needed)
			continue;
		memset(at, 0, room);
		memcpy(at, &caps->total, sizeof(uint32_t));
		errno = 0;
		if (ioctl(fd, VFIO_IOMMU_GET_INFO, at) != -1 ||
		    errno != EFAULT) {
			note("%u bytes: errno %d", room, errno);
			bad++;
		}
	}
	ok(!bad, "memory that ends too early is EFAULT (%u were not)", bad);

	memset(mem, 0, PAGE);
	memcpy(mem, &caps->total, sizeof(uint32_t));
	if (mprotect(mem, PAGE, PROT_READ))
		bail("mprotect");
	fails(ioctl(fd, VFIO_IOMMU_GET_INFO, mem), EFAULT, "read-only memory");
	munmap(mem, PAGE);
}

int main(void)
{
	unsigned char full[MAX];
	struct caps caps;
	uint32_t ioas;

	fd = iommu_open();
	ioas = ioas_new(fd);
	ok(!vfio_ioas_set(fd, ioas), "a compat IOAS");
	if (test_full(full, &caps)) {
		test_every_argsz(full, &caps);
		test_faults(&caps);
	}
	ok(!ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "SET_IOMMU");
	if (test_full(full, &caps)) {
		test_every_argsz(full, &caps);
		test_faults(&caps);
	}
	close(fd);
	ok(iommufd_stat("objects") == 0, "nothing is left");
	return tap_done();
}
