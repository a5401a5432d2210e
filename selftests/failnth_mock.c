// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection sweep (see failnth_util.h) over what the `device` sweep of the
 * kernel's own selftests does, but for vIOMMU objects, which there are none of:
 * devices, page tables, fault queues and PASIDs; and over dirty tracking, memfds
 * and the other process that pays for them.
 */
#include "failnth_util.h"
#include "mock_util.h"

#define N 24U
#define SIZE (N * PAGE)
#define PASID 200
#define REC ((ssize_t)sizeof(struct iommu_hwpt_pgfault))

static char *scattered;
static int fd, queue, access_fd, file;
static uint32_t a, b, hwpt, parent, queue_id, nested, last;
static struct mock dev;
static struct iommu_hwpt_pgfault rec;

static void close_all(void)
{
	if (access_fd >= 0)
		close(access_fd);
	if (queue >= 0)
		close(queue);
	if (fd >= 0)
		close(fd);
}

/* Two address spaces with the same mapping, as the kernel's sweep has them */
static void open_two(void)
{
	queue = -1;
	access_fd = -1;
	fd = iommu_open();
	a = ioas_new(fd);
	b = ioas_new(fd);
	if (ioas_map_at(fd, a, scattered, SIZE, IOVA, IOAS_RW) ||
	    ioas_map_at(fd, b, scattered, SIZE, IOVA, IOAS_RW))
		bail("IOAS_MAP");
}

/* ------------------------------------------------------------------ */
/* Devices */

static long step_device(void)
{
	return mock_make(fd, a, MOCK_FLAGS_DEVICE_PASID, &dev);
}

static long step_hw_info(void)
{
	static struct iommu_test_hw_info info;
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = dev.idev,
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};

	return ioctl(fd, IOMMU_GET_HW_INFO, &cmd);
}

static long step_hwpt(void)
{
	return hwpt_alloc(fd, dev.idev, a, IOMMU_HWPT_ALLOC_PASID, &hwpt);
}

static long step_replace_ioas(void)
{
	return mock_replace(fd, &dev, b);
}

static long step_replace_hwpt(void)
{
	return mock_replace(fd, &dev, hwpt);
}

static long step_parent(void)
{
	return hwpt_alloc(fd, dev.idev, a,
			  IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID,
			  &parent);
}

static long step_queue(void)
{
	return fault_alloc(fd, &queue_id, &queue);
}

static long step_nested(void)
{
	return mock_nested(fd, dev.idev, parent, IOMMU_HWPT_ALLOC_PASID,
			   queue_id, &nested);
}

static long step_last(void)
{
	return hwpt_alloc(fd, dev.idev, a, IOMMU_HWPT_ALLOC_PASID, &last);
}

static long step_pasid_attach(void)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_ATTACH, &dev, PASID, parent);
}

static long step_pasid_replace(void)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_REPLACE, &dev, PASID, last);
}

static long step_pasid_nested(void)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_REPLACE, &dev, PASID, nested);
}

static long step_pasid_detach(void)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_DETACH, &dev, PASID, 0);
}

static long step_request(void)
{
	return mock_request_page(fd, dev.idev, PASID, 1, 1, 0);
}

static long step_read(void)
{
	return read(queue, &rec, sizeof(rec)) == REC ? 0 : -1;
}

static long step_answer(void)
{
	struct iommu_hwpt_page_response resp = { .cookie = rec.cookie };

	return write(queue, &resp, sizeof(resp)) == sizeof(resp) ? 0 : -1;
}

static long step_replace_nested(void)
{
	return mock_replace(fd, &dev, nested);
}

static long step_invalidate(void)
{
	static const struct iommu_hwpt_invalidate_selftest inv[3];
	uint32_t n = 3;

	return hwpt_invalidate(fd, nested, inv,
			       IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
			       sizeof(inv[0]), &n);
}

static long step_close_queue(void)
{
	int was = queue;

	queue = -1;
	return close(was);
}

static long step_destroy_device(void)
{
	return mock_destroy(fd, &dev);
}

static long step_destroy_nested(void)
{
	return iommu_destroy_id(fd, nested);
}

static long step_destroy_queue(void)
{
	return iommu_destroy_id(fd, queue_id);
}

static long step_destroy_hwpt(void)
{
	return iommu_destroy_id(fd, hwpt);
}

static long step_close(void)
{
	int was = fd;

	fd = -1;
	return close(was);
}

/* Of what makes a device most is the driver core's. */
static const struct failnth_step device_steps[] = {
	STEP("MOCK_DOMAIN", step_device, FN_OURS),
	STEP("GET_HW_INFO", step_hw_info, 0),
	STEP("HWPT_ALLOC", step_hwpt, 0),
	STEP("replace to an IOAS", step_replace_ioas, FN_COMMITS),
	STEP("replace to an HWPT", step_replace_hwpt, FN_COMMITS),
	STEP("HWPT_ALLOC of a parent", step_parent, 0),
	STEP("FAULT_QUEUE_ALLOC", step_queue, 0),
	STEP("HWPT_ALLOC, nested, with the queue", step_nested, 0),
	STEP("HWPT_ALLOC of another one", step_last, 0),
	STEP("PASID_ATTACH", step_pasid_attach, 0),
	STEP("PASID_REPLACE", step_pasid_replace, 0),
	STEP("PASID_REPLACE to the nested one", step_pasid_nested, 0),
	STEP("a page request", step_request, 0),
	STEP("read it", step_read, 0, EFAULT),
	STEP("answer it", step_answer, 0, EFAULT),
	STEP("a page request again", step_request, 0),
	STEP("PASID_DETACH, with a request", step_pasid_detach, 0),
	STEP("replace to the nested one", step_replace_nested, FN_COMMITS),
	STEP("HWPT_INVALIDATE", step_invalidate, 0, EFAULT),
	STEP("PASID_ATTACH again", step_pasid_attach, 0),
	STEP("PASID_REPLACE again", step_pasid_nested, 0),
	STEP("a page request, a third time", step_request, 0),
	STEP("close the queue", step_close_queue, FN_NO_POINTS),
	STEP("destroy the device, with a PASID", step_destroy_device, 0),
	STEP("destroy the nested one", step_destroy_nested, 0, EFAULT),
	STEP("destroy the queue", step_destroy_queue, 0, EFAULT),
	STEP("destroy an HWPT", step_destroy_hwpt, 0, EFAULT),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain device = {
	.name = "device",
	.before = open_two,
	.after = close_all,
	.nsteps = sizeof(device_steps) / sizeof(device_steps[0]),
	.steps = device_steps,
};

/* ------------------------------------------------------------------ */
/* Dirty tracking.  What one call did not tell, for an error, the next one does. */

static unsigned char bitmap[2 * SIZE / MOCK_PAGE_SIZE / 8];

static void open_device(void)
{
	memset(bitmap, 0, sizeof(bitmap));
	open_two();
	dev = mock_new(fd, b, 0);
}

static long step_tracking_hwpt(void)
{
	return hwpt_alloc(fd, dev.idev, a, IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
			  &hwpt);
}

static long step_track(void)
{
	return set_dirty_tracking(fd, hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
}

static long step_untrack(void)
{
	return set_dirty_tracking(fd, hwpt, 0);
}

static long step_write_dirty(void)
{
	return mock_write_dirty(fd, hwpt, IOVA, 8 * PAGE, PAGE, "\x81", NULL);
}

static long read_bitmap(uint32_t flags)
{
	long rc = get_dirty_bitmap(fd, hwpt, IOVA, SIZE, PAGE, bitmap, flags);

	if (!rc && (bitmap[0] & 0x81) != 0x81) {
		errno = EPROTO;
		rc = -1;
	}
	return rc;
}

static long step_look(void)
{
	long rc = read_bitmap(IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);

	memset(bitmap, 0, sizeof(bitmap));
	return rc;
}

static long step_get(void)
{
	return read_bitmap(0);
}

static long step_unmap_a(void)
{
	return ioas_unmap_all(fd, a, NULL);
}

static const struct failnth_step dirty_steps[] = {
	STEP("HWPT_ALLOC", step_tracking_hwpt, 0),
	STEP("replace", step_replace_hwpt, FN_COMMITS),
	STEP("SET_DIRTY_TRACKING", step_track, 0, EFAULT),
	STEP("writes", step_write_dirty, 0),
	STEP("GET_DIRTY_BITMAP, NO_CLEAR", step_look, 0),
	STEP("GET_DIRTY_BITMAP", step_get, 0),
	STEP("SET_DIRTY_TRACKING, off", step_untrack, 0, EFAULT),
	STEP("IOAS_UNMAP", step_unmap_a, FN_COMMITS, EFAULT),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain dirty = {
	.name = "dirty tracking",
	.before = open_device,
	.after = close_all,
	.nsteps = sizeof(dirty_steps) / sizeof(dirty_steps[0]),
	.steps = dirty_steps,
};

/* ------------------------------------------------------------------ */
/* Files.  RLIMIT_MODE 1: the sweep looks at VmLck. */

static long map_file(uint32_t ioas, uint64_t iova)
{
	return ioas_map_file_at(fd, ioas, file, 0, SIZE, iova, IOAS_RW);
}

/* Its last pages are holes. */
static void open_file(void)
{
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (N - FAILNTH_ABSENT) * PAGE, FAILNTH_ABSENT * PAGE))
		bail("fallocate");
	queue = -1;
	access_fd = -1;
	fd = iommu_open();
	if (iommu_option_set(fd, IOMMU_OPTION_RLIMIT_MODE, 0, 1))
		bail("RLIMIT_MODE");
	a = ioas_new(fd);
	b = ioas_new(fd);
	dev = mock_new(fd, a, 0);
}

static int child_maps(void *arg)
{
	must(!map_file(a, IOVA) && !map_file(a, 2 * IOVA));
	return !!arg;
}

static void open_inherited(void)
{
	open_file();
	if (in_child(child_maps, NULL))
		bail("a child maps");
}

static long step_map_file(void)
{
	return map_file(a, IOVA);
}

static long step_map_file_chosen(void)
{
	uint64_t iova = 0;

	return ioas_map_file(fd, a, file, PAGE, SIZE - PAGE, &iova, IOAS_RO);
}

static long step_copy(void)
{
	return ioas_copy_at(fd, b, a, IOVA + 3 * PAGE, 5 * PAGE, IOVA, IOAS_RW);
}

static long step_hwpt_b(void)
{
	return hwpt_alloc(fd, dev.idev, b, 0, &hwpt);
}

static long step_change_process(void)
{
	return ioas_change_process(fd);
}

static long step_unmap(void)
{
	return ioas_unmap(fd, a, IOVA, SIZE, NULL);
}

static const struct failnth_step file_steps[] = {
	STEP("IOAS_MAP_FILE", step_map_file, 0),
	STEP("IOAS_MAP_FILE, IOVA chosen", step_map_file_chosen, 0),
	STEP("IOAS_COPY", step_copy, 0),
	STEP("HWPT_ALLOC", step_hwpt_b, 0),
	STEP("IOAS_CHANGE_PROCESS, the same", step_change_process, 0),
	STEP("IOAS_UNMAP", step_unmap, FN_COMMITS, EFAULT),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain files = {
	.name = "files",
	.before = open_file,
	.after = close_all,
	.nsteps = sizeof(file_steps) / sizeof(file_steps[0]),
	.steps = file_steps,
};

static const struct failnth_step process_steps[] = {
	STEP("IOAS_CHANGE_PROCESS", step_change_process, 0),
	STEP("IOAS_UNMAP", step_unmap, FN_COMMITS, EFAULT),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain process = {
	.name = "another process",
	.before = open_inherited,
	.after = close_all,
	.nsteps = sizeof(process_steps) / sizeof(process_steps[0]),
	.steps = process_steps,
};

/* ------------------------------------------------------------------ */
/* An access that moves, with a pin */

static long step_access(void)
{
	struct iommu_test_cmd cmd = {
		.id = a,
		.create_access.flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
	};
	long rc = mock_cmd(fd, IOMMU_TEST_OP_CREATE_ACCESS, &cmd);

	if (!rc)
		access_fd = cmd.create_access.out_access_fd;
	return rc;
}

static long step_access_pin(void)
{
	struct iommu_test_cmd cmd = {
		.id = access_fd,
		.access_pages = { .iova = IOVA, .length = SIZE },
	};

	return mock_cmd(fd, IOMMU_TEST_OP_ACCESS_PAGES, &cmd);
}

static long step_access_replace(void)
{
	struct iommu_test_cmd cmd = {
		.id = access_fd,
		.access_replace_ioas.ioas_id = b,
	};

	return mock_cmd(fd, IOMMU_TEST_OP_ACCESS_REPLACE_IOAS, &cmd);
}

static long step_access_close(void)
{
	int was = access_fd;

	access_fd = -1;
	return close(was);
}

static const struct failnth_step access_steps[] = {
	STEP("CREATE_ACCESS", step_access, 0),
	STEP("ACCESS_PAGES", step_access_pin, 0),
	STEP("ACCESS_REPLACE_IOAS", step_access_replace, 0),
	STEP("ACCESS_PAGES there", step_access_pin, 0),
	STEP("close the access", step_access_close, FN_NO_POINTS),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain moving_access = {
	.name = "an access that moves",
	.before = open_two,
	.after = close_all,
	.nsteps = sizeof(access_steps) / sizeof(access_steps[0]),
	.steps = access_steps,
};

int main(void)
{
	failnth_init();
	failnth_need_marked_caches();
	scattered = failnth_scattered(N);
	file = memfd_new(0, SIZE);
	memset(memfd_map(file, SIZE), 1, SIZE);

	failnth_sweep(&device);
	failnth_sweep(&dirty);
	failnth_sweep(&files);
	failnth_sweep(&process);
	failnth_sweep(&moving_access);
	return tap_done();
}
