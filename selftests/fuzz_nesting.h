/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's operations: containers with two stages, PASIDs, guests' page tables,
 * faults, and the same on devices of the mock IOMMU by native ioctls.
 *
 * The tables lie in memory that all processes share and scribble on at any time.  Page 0
 * is the root of a table of four levels, page 1 to 3 are behind it, page 4 is the root
 * of one of five.  A fault that nobody answers blocks who does DMA: the nurse
 * (fuzz_iommu.c) closes the files of faults now and then.
 */
#ifndef SELFTESTS_FUZZ_NESTING_H
#define SELFTESTS_FUZZ_NESTING_H

#include <poll.h>
#include <stddef.h>

#include <linux/iommu_nesting.h>

#include "../mock/iommufd_mock_dma_uapi.h"
#include "../mock/iommufd_mock_uapi.h"
#include "fuzz_world.h"

/* VFIO devices of the mock IOMMU */
#define MOCK_VFIO 8

#define NESTING_PARAM "/sys/module/iommufd/parameters/nesting"
#define SHADOW_LIMIT "/sys/module/iommufd/parameters/shadow_entries"
#define SHADOW_LIMIT_DEFAULT "4194304"
/* A table that leads to itself is as large as may be: minutes, on a slow kernel */
#define SHADOW_LIMIT_FUZZ "10000"

#define TABLE_BASE (MEM_BASE + (MEM_SLOTS + BAR_SLOTS) * MEM_STEP)
#define TABLE_PAGES 32U
#define TABLE_SIZE (TABLE_PAGES * PAGE)
/* Where the mock can map, too */
#define TABLE_GPA 0x2000000ULL
#define DATA_GPA (TABLE_GPA + 0x100000ULL)
#define ROOT5 4U

#define PTE_ALL 7ULL
#define PTE_LARGE 0x80ULL

/* ------------------------------------------------------------------ */
/* Guests' page tables */

static inline uint64_t *table_entry(unsigned int page, unsigned int index)
{
	return (uint64_t *)(TABLE_BASE + page * PAGE) + index;
}

static inline void table_set(unsigned int page, unsigned int index, uint64_t value)
{
	__atomic_store_n(table_entry(page, index), value, __ATOMIC_RELEASE);
}

static inline uint64_t table_gpa(unsigned int page)
{
	return TABLE_GPA + page * PAGE;
}

/* A table that leads somewhere: the first pages of it to what is mapped behind it */
static inline void tables_mend(void)
{
	unsigned int i;

	table_set(ROOT5, 0, table_gpa(0) | PTE_ALL);
	table_set(0, 0, table_gpa(1) | PTE_ALL);
	table_set(1, 0, table_gpa(2) | PTE_ALL);
	table_set(2, 0, table_gpa(3) | PTE_ALL);
	for (i = 0; i != 64; i++)
		table_set(3, i, (DATA_GPA + i * PAGE) | PTE_ALL);
}

/* Before there are processes */
static inline void tables_map(void)
{
	if (mmap((void *)TABLE_BASE, TABLE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		bail("mmap of tables");
	tables_mend();
}

static inline uint64_t entry_pick(struct fuzz_thread *t)
{
	switch (below(t, 12)) {
	case 0 ... 3:
		/* Perhaps a table above it */
		return table_gpa(below(t, 8)) | PTE_ALL;
	case 4 ... 6:
		return (DATA_GPA + below(t, 512) * PAGE) | (1 + below(t, 8));
	case 7:
		return (iova_pick(t) & ~0x3fffffffULL) | PTE_LARGE | PTE_ALL;
	case 8:
		return (iova_pick(t) & -0x200000ULL) | PTE_LARGE | PTE_ALL;
	case 9:
		return odd_value(t) | 1;
	case 10:
		return odd_value(t);
	default:
		return 0;
	}
}

static bool op_table(struct fuzz_thread *t)
{
	unsigned int n, page = below(t, 6), first = below(t, 512);

	if (one_in(t, 3)) {
		tables_mend();
		return true;
	}
	if (one_in(t, 2))
		first = 0;
	for (n = one_in(t, 8) ? 512 : 1 + below(t, 4); n; n--)
		table_set(page, first++ % 512, entry_pick(t));
	return true;
}

/* Of a guest's root */
static inline uint64_t root_pick(struct fuzz_thread *t, uint32_t width)
{
	switch (below(t, 12)) {
	case 0:
		return table_gpa(below(t, TABLE_PAGES));
	case 1:
		return iova_pick(t) & -PAGE;
	case 2:
		return one_in(t, 2) ? odd_value(t) : odd_value(t) & -PAGE;
	default:
		return table_gpa(width == 57 ? ROOT5 : 0);
	}
}

static inline uint32_t width_pick(struct fuzz_thread *t)
{
	if (one_in(t, 32))
		return odd_value(t);
	return one_in(t, 3) ? 57 : 48;
}

/* ------------------------------------------------------------------ */
/* Containers */

/* The tables, and memory that they lead to; errors are as good */
static inline void nested_map(struct fuzz_thread *t, int fd)
{
	uint64_t have = PAGE, va = mem_pick(t, &have);

	dma_map(fd, TABLE_GPA, (void *)TABLE_BASE, TABLE_SIZE);
	dma_map(fd, DATA_GPA + below(t, 4) * PAGE, (void *)va, have);
}

/* Who finds a group in use may be the one who uses it. */
static inline void groups_drop(struct fuzz_thread *t)
{
	unsigned int i, n = one_in(t, 4) ? SLOTS : 1;

	for (i = 0; i != n; i++) {
		slot_put(FD_DEVICE, slot_pick(t, FD_DEVICE), -1);
		slot_put(FD_GROUP, slot_pick(t, FD_GROUP), -1);
	}
}

/*
 * All that a VMM does, so that there are such containers.  Returns the slot, or -1.
 * The mock's devices, the only ones with PASIDs, are the last in world.dev.
 */
static inline int nest_make(struct fuzz_thread *t)
{
	unsigned int slot = slot_new(t, FD_CTX), dev;
	struct vfio_iommu_type1_pasid_request req = {
		.argsz = sizeof(req),
		.flags = VFIO_IOMMU_PASID_ALLOC,
		.alloc_pasid = { .min = 1, .max = 64 },
	};
	int group, fd;

	if (!world.devs)
		return -1;
	dev = one_in(t, 2) ? below(t, world.devs) :
			     world.devs - 1 - below(t, MOCK_VFIO);
	group = group_try_open(world.dev[dev].group);
	if (group < 0) {
		groups_drop(t);
		return -1;
	}
	slot_put(FD_GROUP, below(t, SLOTS), group);
	if (one_in(t, 2))
		slot_put(FD_CTX, slot, ctx_open(t));
	fd = slot_fd(FD_CTX, slot);
	if (fz_ioctl(t, group, VFIO_GROUP_SET_CONTAINER, &fd, sizeof(fd)))
		return -1;
	if (fz_ioctl_num(t, fd, VFIO_SET_IOMMU, VFIO_TYPE1_NESTING_IOMMU) &&
	    errno != EINVAL)
		return -1;
	atomic_store(&world.grouped[slot], true);
	atomic_store(&world.nested[slot], true);
	nested_map(t, fd);
	if (!ioctl(fd, VFIO_IOMMU_PASID_REQUEST, &req))
		atomic_store(&world.pasid[below(t, IDS)], req.alloc_pasid.result);
	slot_put(FD_DEVICE, below(t, SLOTS), device_fd(group, world.dev[dev].name));
	return slot;
}

static inline unsigned int nested_pick(struct fuzz_thread *t)
{
	unsigned int first = draw(t), i;
	int slot;

	for (i = 0; i != SLOTS; i++)
		if (atomic_load(&world.nested[(first + i) % SLOTS]))
			return (first + i) % SLOTS;
	slot = nest_make(t);
	return slot < 0 ? grouped_pick(t) : (unsigned int)slot;
}

static bool op_nest(struct fuzz_thread *t)
{
	return nest_make(t) >= 0;
}

static bool op_nesting(struct fuzz_thread *t)
{
	bool off = one_in(t, 8);
	int fd;
	bool worked;

	if (one_in(t, 4)) {
		fd = open(SHADOW_LIMIT, O_WRONLY | O_CLOEXEC);
		worked = fd >= 0 && (off ? write(fd, "16", 2) == 2 :
				     write(fd, SHADOW_LIMIT_FUZZ, 5) == 5);
	} else {
		fd = open(NESTING_PARAM, O_WRONLY | O_CLOEXEC);
		worked = fd >= 0 && write(fd, off ? "N" : "Y", 1) == 1;
	}
	if (fd >= 0)
		close(fd);
	return worked;
}

/* ------------------------------------------------------------------ */
/* PASIDs */

static inline uint32_t pasid_pick(struct fuzz_thread *t)
{
	unsigned int first = draw(t), i;
	uint32_t pasid;

	if (one_in(t, 24))
		return odd_value(t);
	if (one_in(t, 16))
		return 1 + below(t, 64);
	for (i = 0; i != IDS; i++) {
		pasid = atomic_load(&world.pasid[(first + i) % IDS]);
		if (pasid)
			return pasid;
	}
	return 0;
}

static bool op_pasid(struct fuzz_thread *t)
{
	struct {
		struct vfio_iommu_type1_pasid_request req;
		uint32_t tail[3];
	} buf = { .req.argsz = sizeof(buf.req) };
	bool alloc = !one_in(t, 3);
	int fd = slot_fd(FD_CTX, nested_pick(t));

	buf.req.flags = alloc ? VFIO_IOMMU_PASID_ALLOC : VFIO_IOMMU_PASID_FREE;
	if (alloc) {
		buf.req.alloc_pasid.min = one_in(t, 8) ? odd_value(t) : below(t, 64);
		buf.req.alloc_pasid.max = one_in(t, 8) ? odd_value(t) : 64 + below(t, 8);
	} else {
		buf.req.free_pasid = pasid_pick(t);
	}
	if (one_in(t, 24))
		buf.req.flags = odd_value(t);
	if (one_in(t, 24))
		buf.req.argsz = below(t, sizeof(buf) + 4);
	if (fz_ioctl(t, fd, VFIO_IOMMU_PASID_REQUEST, &buf, sizeof(buf)))
		return false;
	if (alloc)
		atomic_store(&world.pasid[below(t, IDS)], buf.req.alloc_pasid.result);
	return true;
}

static bool op_pasid_quota(struct fuzz_thread *t)
{
	struct vfio_iommu_type1_pasid_quota args = {
		.argsz = sizeof(args),
		.flags = one_in(t, 16) ? odd_value(t) : 0,
		.quota = one_in(t, 4) ? odd_value(t) :
			 one_in(t, 2) ? 1000 : below(t, 32),
	};

	return fz_ioctl(t, slot_fd(FD_CTX, nested_pick(t)), VFIO_IOMMU_SET_PASID_QUOTA,
			&args, sizeof(args)) >= 0;
}

/* ------------------------------------------------------------------ */
/* BIND, CACHE_INVALIDATE */

struct fuzz_bind {
	struct vfio_iommu_type1_bind head;
	struct iommu_gpasid_bind_data data;
	uint32_t tail[4];
};

static inline struct fuzz_bind bind_pick(struct fuzz_thread *t)
{
	uint32_t pasid = one_in(t, 2) ? pasid_pick(t) : 0;
	struct fuzz_bind buf = {
		.head.argsz = offsetof(struct fuzz_bind, tail),
		.head.flags = VFIO_IOMMU_BIND_GUEST_PGTBL,
		.data = {
			.version = IOMMU_UAPI_VERSION,
			.format = IOMMU_PASID_FORMAT_INTEL_VTD,
			.flags = pasid ? IOMMU_SVA_GPASID_VAL : 0,
			.hpasid = pasid,
			.gpasid = pasid ? below(t, 1 << 20) : 0,
			.addr_width = width_pick(t),
		},
	};

	buf.data.gpgd = root_pick(t, buf.data.addr_width);
	if (one_in(t, 8))
		buf.data.vtd.flags = below(t, 64);
	if (one_in(t, 8))
		buf.data.vtd.emt = below(t, 9);
	if (one_in(t, 24))
		buf.head.flags = odd_value(t);
	if (one_in(t, 24))
		buf.head.argsz = below(t, sizeof(buf) + 8);
	return buf;
}

static bool op_bind(struct fuzz_thread *t)
{
	int fd = slot_fd(FD_CTX, nested_pick(t));
	struct fuzz_bind buf = bind_pick(t);

	if (one_in(t, 4))
		nested_map(t, fd);
	if (one_in(t, 4))
		tables_mend();
	return !fz_ioctl(t, fd, VFIO_IOMMU_BIND, &buf, sizeof(buf));
}

static bool op_unbind(struct fuzz_thread *t)
{
	struct fuzz_bind buf = bind_pick(t);

	buf.head.flags = VFIO_IOMMU_UNBIND_GUEST_PGTBL;
	return !fz_ioctl(t, slot_fd(FD_CTX, nested_pick(t)), VFIO_IOMMU_BIND, &buf,
			 sizeof(buf));
}

/* What a guest's addresses are: mostly those that the tables show */
static inline uint64_t guest_iova(struct fuzz_thread *t)
{
	return one_in(t, 4) ? iova_pick(t) : below(t, 64) * PAGE;
}

static inline void addr_info_pick(struct fuzz_thread *t, struct iommu_inv_addr_info *info)
{
	uint32_t pasid = one_in(t, 2) ? pasid_pick(t) : 0;
	unsigned int shift = one_in(t, 4) ? below(t, 64) : 12 + 9 * below(t, 3);

	info->flags = (pasid ? IOMMU_INV_ADDR_FLAGS_PASID : 0) |
		      (one_in(t, 2) ? IOMMU_INV_ADDR_FLAGS_LEAF : 0);
	info->pasid = pasid;
	info->granule_size = 1ULL << shift;
	info->addr = guest_iova(t) & -info->granule_size;
	info->nb_granules = one_in(t, 8) ? odd_value(t) : 1 + below(t, 600);
	if (one_in(t, 24))
		info->flags = below(t, 16);
	if (one_in(t, 24))
		info->archid = odd_value(t);
}

static bool op_invalidate(struct fuzz_thread *t)
{
	struct {
		struct vfio_iommu_type1_cache_invalidate args;
		uint32_t tail[4];
	} buf = {
		.args = {
			.argsz = sizeof(buf.args),
			.cache_info = {
				.version = IOMMU_UAPI_VERSION,
				.cache = one_in(t, 8) ? below(t, 16) :
					 IOMMU_CACHE_INV_TYPE_IOTLB,
				.granularity = one_in(t, 32) ? odd_value(t) : below(t, 3),
			},
		},
	};
	struct iommu_cache_invalidate_info *info = &buf.args.cache_info;

	if (info->granularity == IOMMU_INV_GRANU_PASID) {
		info->granu.pasid_info.flags = one_in(t, 8) ? below(t, 5) : 1;
		info->granu.pasid_info.pasid = pasid_pick(t);
	} else if (info->granularity == IOMMU_INV_GRANU_ADDR) {
		addr_info_pick(t, &info->granu.addr_info);
	}
	if (one_in(t, 24))
		buf.args.argsz = below(t, sizeof(buf) + 8);
	return !fz_ioctl(t, slot_fd(FD_CTX, nested_pick(t)), VFIO_IOMMU_CACHE_INVALIDATE,
			 &buf, sizeof(buf));
}

/* ------------------------------------------------------------------ */
/* Faults */

/* A file for them: a container's, or a queue by native ioctls */
static bool op_fault_open(struct fuzz_thread *t)
{
	struct iommu_nesting_fault_alloc vfio = { .size = sizeof(vfio), .out_fd = -1 };
	struct iommu_fault_alloc native = { .size = sizeof(native), .out_fault_fd = -1 };
	unsigned int slot;

	if (one_in(t, 2)) {
		if (fz_native(t, slot_fd(FD_CTX, nested_pick(t)),
			      IOMMU_NESTING_FAULT_ALLOC, &vfio))
			return false;
		slot_put(FD_FAULT, below(t, SLOTS), vfio.out_fd);
		return true;
	}
	slot = ctx_pick(t);
	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_FAULT_QUEUE_ALLOC, &native))
		return false;
	atomic_store(&world.queue[slot], native.out_fault_id);
	slot_put(FD_FAULT, below(t, SLOTS), native.out_fault_fd);
	return true;
}

/* The answer to a record, of a container or a native one, or something like it */
static inline size_t answer_pick(struct fuzz_thread *t, const void *record, ssize_t n,
				 void *answer)
{
	const struct iommu_fault *fault = record;
	const struct iommu_hwpt_pgfault *pgfault = record;
	struct iommu_nesting_page_response vfio = {
		.version = one_in(t, 16) ? odd_value(t) : IOMMU_UAPI_VERSION,
		.flags = fault->prm.flags & 1,
		.pasid = fault->prm.flags & 1 ? fault->prm.pasid : 0,
		.grpid = fault->prm.grpid,
		.code = below(t, one_in(t, 8) ? 5 : 3),
	};
	struct iommu_hwpt_page_response native = {
		.cookie = one_in(t, 8) ? below(t, 16) : pgfault->cookie,
		.code = below(t, 3),
	};

	if (n == sizeof(*fault)) {
		memcpy(answer, &vfio, sizeof(vfio));
		return sizeof(vfio);
	}
	memcpy(answer, &native, sizeof(native));
	return sizeof(native);
}

/* Not by fz_ioctl(): it is no ioctl.  What was read is answered, mostly. */
static bool op_fault_use(struct fuzz_thread *t)
{
	static const size_t sizes[] = {
		sizeof(struct iommu_fault), sizeof(struct iommu_hwpt_pgfault), 256, 63, 0,
	};
	int fd = slot_fd(FD_FAULT, slot_pick(t, FD_FAULT));
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	uint64_t record[32], answer[8] = { 0 };
	size_t size;
	ssize_t n;

	if (fd < 0)
		return false;
	switch (below(t, 8)) {
	case 0:
		return poll(&pfd, 1, 0) > 0;
	case 1:
		return read(fd, (void *)bulk_pick(t), below(t, 1024)) > 0;
	case 2:
		return write(fd, (void *)bulk_pick(t), below(t, 128)) > 0;
	default:
		memset(record, 0, sizeof(record));
		n = read(fd, record, pick(t, sizes));
		if (n < 0 || one_in(t, 16))
			return n > 0;
		size = answer_pick(t, record, n, answer);
		return write(fd, answer, size) > 0;
	}
}

/* For the nurse: who waits for an answer gets one. */
static inline void faults_close(void)
{
	unsigned int i;

	for (i = 0; i != SLOTS; i++)
		slot_put(FD_FAULT, i, -1);
}

/* ------------------------------------------------------------------ */
/* Devices of the mock IOMMU */

static inline struct iommu_mock_dma dma_pick(struct fuzz_thread *t)
{
	uint32_t pasid = one_in(t, 2) ? pasid_pick(t) : 0;
	/* Where the tables are for who has none, else where they lead */
	uint64_t iova = one_in(t, 4) ? TABLE_GPA : guest_iova(t);
	struct iommu_mock_dma dma = {
		.size = sizeof(dma),
		.flags = below(t, one_in(t, 24) ? 256 : 64),
		.pasid = pasid,
		.iova = iova + (one_in(t, 2) ? below(t, PAGE) : 0),
		.length = one_in(t, 32) ? odd_value(t) : 1 + below(t, 3 * PAGE),
		.uptr = one_in(t, 24) ? bad_address(t) : mem_at(mem_slot(t)),
	};

	if (pasid)
		dma.flags |= IOMMU_MOCK_DMA_PASID;
	else if (!one_in(t, 16))
		dma.flags &= ~IOMMU_MOCK_DMA_PASID;
	/* Who waits for a page does nothing else; a child has no nurse. */
	if (t->child || !one_in(t, 4))
		dma.flags &= ~IOMMU_MOCK_DMA_PRI;
	return dma;
}

/* DMA of a VFIO device, or what its page table was made with */
static bool op_mock_vfio_dma(struct fuzz_thread *t)
{
	struct iommu_mock_dma dma = dma_pick(t);
	struct iommu_mock_stage1 stage1 = {
		.size = sizeof(stage1),
		.id = one_in(t, 2) ? pasid_pick(t) : 0,
	};
	unsigned int slot = slot_pick(t, FD_DEVICE);

	if (slot_fd(FD_DEVICE, slot) < 0 && nest_make(t) >= 0)
		slot = slot_pick(t, FD_DEVICE);
	if (one_in(t, 16))
		return !fz_ioctl(t, slot_fd(FD_DEVICE, slot), MOCK_VFIO_STAGE1, &stage1,
				 sizeof(stage1));
	return !fz_ioctl(t, slot_fd(FD_DEVICE, slot), MOCK_VFIO_DMA, &dma, sizeof(dma));
}

static inline long mock_op(struct fuzz_thread *t, unsigned int slot, uint32_t op,
			   struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->op = op;
	return fz_ioctl(t, slot_fd(FD_CTX, slot), IOMMU_TEST_CMD, cmd, sizeof(*cmd));
}

/* A device, a stage 2 for it, and memory with the tables in that */
static inline bool mock_device_make(struct fuzz_thread *t, unsigned int slot)
{
	struct iommu_test_cmd cmd = {
		.mock_domain.dev_flags = one_in(t, 8) ? below(t, 8) :
					 MOCK_FLAGS_DEVICE_PASID,
	};
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = 7,
		.user_va = TABLE_BASE,
		.length = TABLE_SIZE,
		.iova = TABLE_GPA,
	};
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID,
	};
	int fd = slot_fd(FD_CTX, slot);
	uint64_t have = PAGE;

	if (ioctl(fd, IOMMU_IOAS_ALLOC, &ioas))
		return false;
	ioas_add(t, slot, ioas.out_ioas_id);
	map.ioas_id = ioas.out_ioas_id;
	ioctl(fd, IOMMU_IOAS_MAP, &map);
	cmd.id = ioas.out_ioas_id;
	if (mock_op(t, slot, IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, &cmd))
		return false;
	atomic_store(&world.stdev[slot], cmd.mock_domain.out_stdev_id);
	atomic_store(&world.idev[slot], cmd.mock_domain.out_idev_id);
	alloc.dev_id = cmd.mock_domain.out_idev_id;
	alloc.pt_id = ioas.out_ioas_id;
	if (fz_native(t, fd, IOMMU_HWPT_ALLOC, &alloc))
		return false;
	atomic_store(&world.parent[slot], alloc.out_hwpt_id);
	/* It may be memory that cannot be pinned. */
	map.user_va = mem_pick(t, &have);
	map.length = have;
	map.iova = DATA_GPA;
	ioctl(fd, IOMMU_IOAS_MAP, &map);
	return true;
}

static bool op_mock_device(struct fuzz_thread *t)
{
	return mock_device_make(t, ctx_pick(t));
}

/* A context with a device that is bound by native ioctls */
static inline unsigned int mock_slot(struct fuzz_thread *t)
{
	unsigned int first = draw(t), i;

	for (i = 0; i != SLOTS; i++)
		if (atomic_load(&world.idev[(first + i) % SLOTS]))
			return (first + i) % SLOTS;
	i = ctx_pick(t);
	if (!one_in(t, 8))
		mock_device_make(t, i);
	return i;
}

static inline uint32_t hwpt_pick(struct fuzz_thread *t, unsigned int slot)
{
	unsigned int first = draw(t), i;
	uint32_t id;

	if (one_in(t, 12))
		return one_in(t, 2) ? ioas_pick(t, slot) : below(t, 32);
	for (i = 0; i != IDS; i++) {
		id = atomic_load(&world.hwpt[slot][(first + i) % IDS]);
		if (id)
			return id;
	}
	return atomic_load(&world.parent[slot]);
}

static bool op_hwpt_alloc(struct fuzz_thread *t)
{
	unsigned int slot = mock_slot(t);
	struct iommu_hwpt_vtd_s1 data = {
		.flags = one_in(t, 4) ? below(t, 8) : 0,
		.addr_width = width_pick(t),
		.__reserved = one_in(t, 64),
	};
	uint32_t queue = one_in(t, 2) ? atomic_load(&world.queue[slot]) : 0;
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = one_in(t, 4) ? 0 : IOMMU_HWPT_ALLOC_PASID,
		.dev_id = one_in(t, 16) ? below(t, 32) : atomic_load(&world.idev[slot]),
		.pt_id = one_in(t, 8) ? hwpt_pick(t, slot) :
					atomic_load(&world.parent[slot]),
		.data_type = IOMMU_HWPT_DATA_VTD_S1,
		.data_len = sizeof(data),
		.fault_id = queue,
	};
	uint8_t *bulk = t->scratch + SCRATCH_BULK;

	data.pgtbl_addr = root_pick(t, data.addr_width);
	memset(bulk, 0, 256);
	memcpy(bulk, &data, sizeof(data));
	cmd.data_uptr = one_in(t, 16) ? bulk_pick(t) : (uintptr_t)bulk;
	if (queue)
		cmd.flags |= IOMMU_HWPT_FAULT_ID_VALID;
	if (one_in(t, 16))
		cmd.data_len = below(t, 64);
	if (one_in(t, 16))
		cmd.data_type = odd_value(t);
	if (one_in(t, 16))
		cmd.flags ^= 1U << below(t, 32);
	if (fz_native(t, slot_fd(FD_CTX, slot), IOMMU_HWPT_ALLOC, &cmd))
		return false;
	atomic_store(&world.hwpt[slot][below(t, IDS)], cmd.out_hwpt_id);
	return true;
}

/* The device, or one of its PASIDs, goes somewhere else. */
static bool op_hwpt_attach(struct fuzz_thread *t)
{
	static const uint32_t ops[] = {
		IOMMU_TEST_OP_PASID_ATTACH, IOMMU_TEST_OP_PASID_ATTACH,
		IOMMU_TEST_OP_PASID_REPLACE, IOMMU_TEST_OP_PASID_DETACH,
	};
	unsigned int slot = mock_slot(t);
	struct iommu_test_cmd cmd = { .id = atomic_load(&world.stdev[slot]) };

	if (one_in(t, 2)) {
		cmd.mock_domain_replace.pt_id = hwpt_pick(t, slot);
		return !mock_op(t, slot, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, &cmd);
	}
	cmd.pasid.pasid = one_in(t, 16) ? odd_value(t) : 1 + below(t, 4);
	cmd.pasid.pt_id = hwpt_pick(t, slot);
	if (mock_op(t, slot, pick(t, ops), &cmd))
		return false;
	atomic_store(&world.pasid[below(t, IDS)], cmd.pasid.pasid);
	return true;
}

static bool op_hwpt_invalidate(struct fuzz_thread *t)
{
	unsigned int slot = mock_slot(t), n = below(t, 5), i;
	struct iommu_hwpt_vtd_s1_invalidate *inv = (void *)(t->scratch + SCRATCH_BULK);
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt_pick(t, slot),
		.data_uptr = bulk_pick(t),
		.data_type = one_in(t, 24) ? odd_value(t) :
			     IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		.entry_len = one_in(t, 24) ? below(t, 64) : sizeof(*inv),
		.entry_num = one_in(t, 24) ? odd_value(t) : n,
	};

	for (i = 0; i != n; i++) {
		inv[i] = (struct iommu_hwpt_vtd_s1_invalidate){
			.addr = guest_iova(t),
			.npages = one_in(t, 8) ? odd_value(t) : 1 + below(t, 600),
			.flags = one_in(t, 16) ? odd_value(t) : below(t, 2),
		};
		if (!one_in(t, 8))
			inv[i].addr &= -PAGE;
		if (one_in(t, 4)) {
			inv[i].addr = 0;
			inv[i].npages = UINT64_MAX;
		}
	}
	return !fz_native(t, slot_fd(FD_CTX, slot), IOMMU_HWPT_INVALIDATE, &cmd);
}

static bool op_mock_dma(struct fuzz_thread *t)
{
	unsigned int slot = mock_slot(t);
	struct iommu_mock_dma dma = dma_pick(t);
	struct iommu_test_cmd cmd = {
		.indirect.uptr = (uintptr_t)t->scratch + SCRATCH_BULK,
	};

	dma.dev_id = atomic_load(&world.idev[slot]);
	if (one_in(t, 2) && dma.pasid)
		dma.pasid = 1 + below(t, 4);
	memcpy(t->scratch + SCRATCH_BULK, &dma, sizeof(dma));
	return !mock_op(t, slot, IOMMU_TEST_OP_MOCK_DMA, &cmd);
}

#endif
