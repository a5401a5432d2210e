// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl dispatcher and the fields that all commands check alike: each
 * command at each size, with unknown tails, bad pointers, wrong numbers,
 * reserved fields, unknown flags and ids that name nothing.
 *
 * known-bugs.md rows 1 (each command at its largest size) and 20 (an object
 * whose id could not be delivered must not stay).
 */
#include "iommu_util.h"

/* As fails(), for a call that was made before; errno is still its own */
#define failed(rc, want, ...) ok((rc) == -1 && errno == (want), __VA_ARGS__)

#define SRC_IOVA 0x10000ULL
#define BUF_SIZE (4 * PAGE)

static int fd;
static int memfd;
static char *buf;	/* BUF_SIZE bytes, then a page without access */
static void *mem;
static struct iommu_iova_range range_in = { .start = PAGE, .last = UINT32_MAX };
static struct iommu_iova_range range_out;

static void fill_destroy(void *arg, uint32_t ioas)
{
	struct iommu_destroy *cmd = arg;

	cmd->id = ioas;
}

static void fill_alloc(void *arg, uint32_t ioas)
{
	struct iommu_ioas_alloc *cmd = arg;

	/* Overwritten by the kernel with another id */
	cmd->out_ioas_id = ioas;
}

static void fill_allow(void *arg, uint32_t ioas)
{
	struct iommu_ioas_allow_iovas *cmd = arg;

	cmd->ioas_id = ioas;
	cmd->num_iovas = 1;
	cmd->allowed_iovas = (uintptr_t)&range_in;
}

static void fill_copy(void *arg, uint32_t ioas)
{
	struct iommu_ioas_copy *cmd = arg;

	cmd->flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_RW;
	cmd->dst_ioas_id = ioas;
	cmd->src_ioas_id = ioas;
	cmd->length = PAGE;
	cmd->dst_iova = 4 * SRC_IOVA;
	cmd->src_iova = SRC_IOVA;
}

static void fill_ranges(void *arg, uint32_t ioas)
{
	struct iommu_ioas_iova_ranges *cmd = arg;

	cmd->ioas_id = ioas;
	cmd->num_iovas = 1;
	cmd->allowed_iovas = (uintptr_t)&range_out;
}

static void fill_map(void *arg, uint32_t ioas)
{
	struct iommu_ioas_map *cmd = arg;

	cmd->flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_RW;
	cmd->ioas_id = ioas;
	cmd->user_va = (uintptr_t)mem;
	cmd->length = PAGE;
	cmd->iova = 2 * SRC_IOVA;
}

static void fill_unmap(void *arg, uint32_t ioas)
{
	struct iommu_ioas_unmap *cmd = arg;

	cmd->ioas_id = ioas;
	cmd->iova = SRC_IOVA;
	cmd->length = PAGE;
}

static void fill_option(void *arg, uint32_t ioas)
{
	struct iommu_option *cmd = arg;

	cmd->option_id = IOMMU_OPTION_HUGE_PAGES;
	cmd->op = IOMMU_OPTION_OP_GET;
	cmd->object_id = ioas;
}

static void fill_vfio_ioas(void *arg, uint32_t ioas)
{
	struct iommu_vfio_ioas *cmd = arg;

	cmd->op = IOMMU_VFIO_IOAS_SET;
	cmd->ioas_id = ioas;
}

static void fill_hwpt_alloc(void *arg, uint32_t ioas)
{
	struct iommu_hwpt_alloc *cmd = arg;

	/* There is no device here; native_hwpt, by the mock, has some. */
	cmd->dev_id = 0;
	cmd->pt_id = ioas;
}

static void fill_map_file(void *arg, uint32_t ioas)
{
	struct iommu_ioas_map_file *cmd = arg;

	cmd->flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_RW;
	cmd->ioas_id = ioas;
	cmd->fd = memfd;
	cmd->length = PAGE;
	cmd->iova = 2 * SRC_IOVA;
}

/**
 * struct op - one command
 * @size: of its struct
 * @min: of the struct's first published form, if that is shorter
 * @fill: makes it a good command; NULL: zeros are
 * @err: what it ends with all the same, for want of a device or so
 * @answers: the kernel writes to the struct
 * @reserved: offset of a field that must be 0, or 0 when there is none
 * @reserved_width: bytes
 * @flags_known: bits that may be set in the __u32 at offset 4; ~0: no flags
 * @ids: offsets of __u32 object ids; 0 ends the list
 */
struct op {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	void (*fill)(void *arg, uint32_t ioas);
	bool answers;
	unsigned int reserved;
	unsigned int reserved_width;
	uint32_t flags_known;
	unsigned int ids[3];
	uint32_t min;
	int err;
};

static const struct op ops[] = {
	{ "DESTROY", IOMMU_DESTROY, 8, fill_destroy, false, 0, 0, ~0, { 4 }, 0, 0 },
	{ "IOAS_ALLOC", IOMMU_IOAS_ALLOC, 12, fill_alloc, true, 0, 0, 0, {}, 0, 0 },
	{ "IOAS_ALLOW_IOVAS", IOMMU_IOAS_ALLOW_IOVAS, 24, fill_allow, false,
	  12, 4, ~0, { 4 }, 0, 0 },
	{ "IOAS_COPY", IOMMU_IOAS_COPY, 40, fill_copy, true, 0, 0, 7,
	  { 8, 12 }, 0, 0 },
	{ "IOAS_IOVA_RANGES", IOMMU_IOAS_IOVA_RANGES, 32, fill_ranges, true,
	  12, 4, ~0, { 4 }, 0, 0 },
	{ "IOAS_MAP", IOMMU_IOAS_MAP, 40, fill_map, true, 12, 4, 7, { 8 }, 0, 0 },
	{ "IOAS_UNMAP", IOMMU_IOAS_UNMAP, 24, fill_unmap, true, 0, 0, ~0,
	  { 4 }, 0, 0 },
	{ "OPTION", IOMMU_OPTION, 24, fill_option, true, 10, 2, ~0, { 12 }, 0, 0 },
	{ "VFIO_IOAS", IOMMU_VFIO_IOAS, 12, fill_vfio_ioas, false, 10, 2, ~0,
	  { 4 }, 0, 0 },
	{ "HWPT_ALLOC", IOMMU_HWPT_ALLOC, 48, fill_hwpt_alloc, false, 20, 4,
	  15, { 8 }, 24, ENOENT },
	{ "GET_HW_INFO", IOMMU_GET_HW_INFO, 40, NULL, false, 29, 3,
	  1, { 8 }, 32, ENOENT },
	{ "HWPT_SET_DIRTY_TRACKING", IOMMU_HWPT_SET_DIRTY_TRACKING, 16,
	  NULL, false, 12, 4, 1, { 8 }, 0, ENOENT },
	{ "HWPT_GET_DIRTY_BITMAP", IOMMU_HWPT_GET_DIRTY_BITMAP, 48,
	  NULL, false, 12, 4, ~0, { 4 }, 0, ENOENT },
	{ "HWPT_INVALIDATE", IOMMU_HWPT_INVALIDATE, 32, NULL, false,
	  28, 4, ~0, { 4 }, 0, ENOENT },
	{ "FAULT_QUEUE_ALLOC", IOMMU_FAULT_QUEUE_ALLOC, 16, NULL, true,
	  0, 0, 0, {}, 0, 0 },
	{ "IOAS_MAP_FILE", IOMMU_IOAS_MAP_FILE, 40, fill_map_file, true, 0, 0,
	  7, { 8 }, 0, 0 },
	{ "VIOMMU_ALLOC", IOMMU_VIOMMU_ALLOC, 40, NULL, false, 28, 4,
	  0, { 12 }, 24, ENOENT },
	{ "VDEVICE_ALLOC", IOMMU_VDEVICE_ALLOC, 24, NULL, false, 0, 0,
	  ~0, { 4, 8 }, 0, ENOENT },
	/* What is mapped is not of a file. */
	{ "IOAS_CHANGE_PROCESS", IOMMU_IOAS_CHANGE_PROCESS, 8, NULL,
	  false, 4, 4, ~0, {}, 0, EINVAL },
};

#define N_OPS (sizeof(ops) / sizeof(ops[0]))

/* A fresh IOAS with one mapping, and a command that would succeed on it */
static uint32_t prepare(const struct op *op, void *arg, uint32_t size)
{
	uint32_t ioas = ioas_new(fd);

	if (ioas_map_at(fd, ioas, mem, PAGE, SRC_IOVA, IOAS_RW))
		bail("IOAS_MAP");
	if (op->fill)
		op->fill(arg, ioas);
	memcpy(arg, &size, sizeof(size));
	return ioas;
}

/* Keeps errno: the verdict comes after the cleaning up. */
static void discard(const struct op *op, uint32_t ioas, long rc)
{
	int err = errno;

	if (op->cmd != IOMMU_DESTROY || rc)
		iommu_destroy_id(fd, ioas);
	if (op->cmd == IOMMU_IOAS_ALLOC && !rc) {
		struct iommu_ioas_alloc *cmd = (void *)buf;

		iommu_destroy_id(fd, cmd->out_ioas_id);
	}
	if (op->cmd == IOMMU_FAULT_QUEUE_ALLOC && !rc) {
		struct iommu_fault_alloc *cmd = (void *)buf;

		close(cmd->out_fault_fd);
		iommu_destroy_id(fd, cmd->out_fault_id);
	}
	errno = err;
}

static bool as_expected(const struct op *op, long rc)
{
	return op->err ? rc == -1 && errno == op->err : !rc;
}

/* The command with @size; a byte at offset @poison is 1 unless that is 0 */
static long issue(const struct op *op, uint32_t size, size_t poison)
{
	uint32_t ioas;
	long rc;

	memset(buf, 0, BUF_SIZE);
	ioas = prepare(op, buf, size);
	if (poison)
		buf[poison] = 1;
	rc = ioctl(fd, op->cmd, buf);
	discard(op, ioas, rc);
	return rc;
}

static void test_sizes(const struct op *op)
{
	uint32_t min = op->min ? op->min : op->size, size;
	unsigned int good = 0;

	for (size = 0; size != min; size++) {
		if (issue(op, size, 0) != -1 || errno != EINVAL)
			break;
		good++;
	}
	ok(good == min, "%s: every size below %u is EINVAL (%u were)",
	   op->name, min, good);
	ok(as_expected(op, issue(op, min, 0)), "%s: first published size",
	   op->name);
	ok(as_expected(op, issue(op, op->size, 0)), "%s: exact size", op->name);
	ok(as_expected(op, issue(op, op->size + 1, 0)),
	   "%s: one zero byte more", op->name);
	ok(as_expected(op, issue(op, op->size + 64, 0)),
	   "%s: 64 zero bytes more", op->name);
	ok(as_expected(op, issue(op, PAGE, 0)), "%s: a page, zero tail",
	   op->name);
	fails(issue(op, op->size + 1, op->size), E2BIG,
	      "%s: one byte more, not zero", op->name);
	fails(issue(op, PAGE, op->size), E2BIG,
	      "%s: a page, first byte of the tail not zero", op->name);
	fails(issue(op, PAGE, PAGE - 1), E2BIG,
	      "%s: a page, last byte not zero", op->name);
	fails(issue(op, PAGE + 8, PAGE + 7), E2BIG,
	      "%s: more than a page, last byte not zero", op->name);
	fails(issue(op, PAGE + 8, 0), E2BIG, "%s: more than a page", op->name);
	fails(issue(op, UINT32_MAX, 0), E2BIG, "%s: size 2^32 - 1", op->name);
}

/* One of those that map, at a given IOVA or not */
static bool maps(const struct op *op)
{
	return op->flags_known == (IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_RW);
}

/* What buf holds, while the kernel cannot write to it */
static long issue_read_only(const struct op *op)
{
	long rc;

	if (mprotect(buf, BUF_SIZE, PROT_READ))
		bail("mprotect");
	rc = ioctl(fd, op->cmd, buf);
	if (mprotect(buf, BUF_SIZE, PROT_READ | PROT_WRITE))
		bail("mprotect");
	return rc;
}

static void test_pointers(const struct op *op)
{
	uint32_t *flags = (uint32_t *)(buf + 4);
	uint64_t objects;
	uint32_t ioas;
	char *at;
	long rc;

	fails(ioctl(fd, op->cmd, NULL), EFAULT, "%s: NULL", op->name);
	fails(ioctl(fd, op->cmd, buf + BUF_SIZE), EFAULT,
	      "%s: unmapped pointer", op->name);
	fails(ioctl(fd, op->cmd, (void *)-8UL), EFAULT,
	      "%s: kernel address", op->name);

	/* Only the size can be read. */
	at = buf + BUF_SIZE - sizeof(uint32_t);
	memcpy(at, &op->size, sizeof(uint32_t));
	fails(ioctl(fd, op->cmd, at), EFAULT, "%s: struct cut by the end of memory",
	      op->name);

	/* The struct can be read, its zero tail cannot. */
	memset(buf, 0, BUF_SIZE);
	at = buf + BUF_SIZE - op->size;
	ioas = prepare(op, at, op->size + 8);
	rc = ioctl(fd, op->cmd, at);
	discard(op, ioas, rc);
	failed(rc, EFAULT, "%s: tail cut by the end of memory", op->name);

	if (!op->answers)
		return;
	memset(buf, 0, BUF_SIZE);
	ioas = prepare(op, buf, op->size);
	if (maps(op)) {
		ok(!issue_read_only(op),
		   "%s: where the caller says, in memory that cannot be written",
		   op->name);
		*flags &= ~IOMMU_IOAS_MAP_FIXED_IOVA;
	}
	objects = iommufd_stat("objects");
	rc = issue_read_only(op);
	failed(rc, EFAULT, "%s: the answer cannot be written", op->name);
	ok(iommufd_stat("objects") == objects,
	   "%s: an answer that cannot be written leaves no object", op->name);
	discard(op, ioas, -1);
}

static void test_fields(const struct op *op)
{
	unsigned int bit, i, good = 0, want = 0;
	uint32_t flags, id;
	long rc;

	for (i = 0; i != op->reserved_width; i++)
		fails(issue(op, op->size, op->reserved + i), EOPNOTSUPP,
		      "%s: reserved byte %u", op->name, op->reserved + i);

	for (bit = 0; bit != 32; bit++) {
		uint32_t ioas;

		if (op->flags_known & (1U << bit))
			continue;
		want++;
		memset(buf, 0, BUF_SIZE);
		ioas = prepare(op, buf, op->size);
		memcpy(&flags, buf + 4, sizeof(flags));
		flags |= 1U << bit;
		memcpy(buf + 4, &flags, sizeof(flags));
		rc = ioctl(fd, op->cmd, buf);
		good += rc == -1 && errno == EOPNOTSUPP;
		discard(op, ioas, rc);
	}
	if (want)
		ok(good == want, "%s: %u of %u unknown flags are EOPNOTSUPP",
		   op->name, good, want);

	for (i = 0; op->ids[i]; i++) {
		static const uint32_t bad[] = { 0, 0x7fffffff, UINT32_MAX };
		unsigned int n;

		for (n = 0; n != 3; n++) {
			uint32_t ioas;

			memset(buf, 0, BUF_SIZE);
			ioas = prepare(op, buf, op->size);
			id = bad[n];
			memcpy(buf + op->ids[i], &id, sizeof(id));
			rc = ioctl(fd, op->cmd, buf);
			discard(op, ioas, rc);
			failed(rc, ENOENT, "%s: id %#x at offset %u",
			       op->name, id, op->ids[i]);
		}
	}
}

static bool is_enotty(unsigned long cmd)
{
	memset(buf, 0, BUF_SIZE);
	memcpy(buf, &(uint32_t){ 64 }, sizeof(uint32_t));
	errno = 0;
	return ioctl(fd, cmd, buf) == -1 && errno == ENOTTY;
}

static void test_numbers(void)
{
	unsigned int nr, bad = 0;
	size_t i;

	for (nr = 0; nr != 256; nr++) {
		/* VFIO's container ioctls have a test of their own. */
		if (nr >= 100 && nr < 100 + 32)
			continue;
		if ((nr >= 0x80 && nr <= 0x92) || nr == 0xe0)
			continue;
		if (!is_enotty(_IO(IOMMUFD_TYPE, nr))) {
			note("number %#x", nr);
			bad++;
		}
	}
	ok(!bad, "unknown numbers are ENOTTY (%u were not)", bad);

	for (i = 0; i != N_OPS; i++) {
		nr = _IOC_NR(ops[i].cmd);
		ok(is_enotty(_IOW(IOMMUFD_TYPE, nr, uint32_t)) &&
		   is_enotty(_IOR(IOMMUFD_TYPE, nr, uint32_t)) &&
		   is_enotty(_IOWR(IOMMUFD_TYPE, nr, uint32_t)) &&
		   is_enotty(_IOC(_IOC_NONE, IOMMUFD_TYPE, nr, ops[i].size)),
		   "%s: direction or size in the number is ENOTTY", ops[i].name);
		ok(is_enotty(_IO(':', nr)) && is_enotty(_IO(0, nr)) &&
		   is_enotty(_IO(0xff, nr)),
		   "%s: another type letter is ENOTTY", ops[i].name);
	}
}

static void test_values(void)
{
	struct iommu_option opt = { .size = sizeof(opt) };
	struct iommu_vfio_ioas vi = { .size = sizeof(vi) };
	uint32_t ioas = ioas_new(fd);

	opt.object_id = ioas;
	opt.option_id = 2;
	fails(ioctl(fd, IOMMU_OPTION, &opt), EOPNOTSUPP, "option 2");
	opt.option_id = UINT32_MAX;
	fails(ioctl(fd, IOMMU_OPTION, &opt), EOPNOTSUPP, "option 2^32 - 1");
	opt.option_id = IOMMU_OPTION_HUGE_PAGES;
	opt.op = 2;
	fails(ioctl(fd, IOMMU_OPTION, &opt), EOPNOTSUPP, "option operation 2");
	opt.op = UINT16_MAX;
	fails(ioctl(fd, IOMMU_OPTION, &opt), EOPNOTSUPP,
	      "option operation 2^16 - 1");
	opt.option_id = IOMMU_OPTION_RLIMIT_MODE;
	opt.object_id = 0;
	opt.op = 2;
	fails(ioctl(fd, IOMMU_OPTION, &opt), EOPNOTSUPP,
	      "operation 2 of the rlimit mode");
	vi.ioas_id = ioas;
	vi.op = 3;
	fails(ioctl(fd, IOMMU_VFIO_IOAS, &vi), EOPNOTSUPP, "VFIO_IOAS op 3");
	vi.op = UINT16_MAX;
	fails(ioctl(fd, IOMMU_VFIO_IOAS, &vi), EOPNOTSUPP,
	      "VFIO_IOAS op 2^16 - 1");
	ok(!iommu_destroy_id(fd, ioas), "destroy");
}

int main(void)
{
	size_t i;

	mem = mem_alloc(PAGE);
	memfd = memfd_create("dispatch", MFD_CLOEXEC);
	if (memfd < 0 || ftruncate(memfd, PAGE))
		bail("memfd");
	buf = mmap(NULL, BUF_SIZE + PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED || munmap(buf + BUF_SIZE, PAGE))
		bail("mmap");
	fd = iommu_open();

	for (i = 0; i != N_OPS; i++) {
		test_sizes(&ops[i]);
		test_pointers(&ops[i]);
		test_fields(&ops[i]);
	}
	test_numbers();
	test_values();
	ok(iommufd_stat("objects") == 0, "no object is left");
	close(fd);
	return tap_done();
}
