// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASIDs: attaching single ones, moving and detaching them, what they may be
 * attached to and beside what, and where their page requests go.
 *
 * known-bugs.md row 25 (replace on what was never attached).
 */
#include <stdatomic.h>

#include "mock_util.h"

#define REC ((ssize_t)sizeof(struct iommu_hwpt_pgfault))
#define PASID 200
#define PASID_MAX ((1U << MOCK_PASID_WIDTH) - 1)
#define NO_ID 12345
#define N 16
#define SIZE (N * PAGE)
#define ROUNDS 400

static int fd;
static uint32_t ioas, first, second, plain;
static struct mock dev;
static char *mem;

static int attach(uint32_t pasid, uint32_t hwpt)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_ATTACH, &dev, pasid, hwpt);
}

static int replace(uint32_t pasid, uint32_t hwpt)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_REPLACE, &dev, pasid, hwpt);
}

static int detach(uint32_t pasid)
{
	return mock_pasid(fd, IOMMU_TEST_OP_PASID_DETACH, &dev, pasid, 0);
}

/* Is it attached to that one?  0: to none */
static bool is_on(uint32_t pasid, uint32_t hwpt)
{
	return !mock_pasid(fd, IOMMU_TEST_OP_PASID_CHECK_HWPT, &dev, pasid,
			   hwpt);
}

/* Two page tables for PASIDs, one that is not, and a device on the first */
static void open_all(void)
{
	struct mock maker;

	fd = iommu_open();
	ioas = ioas_new(fd);
	maker = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_PASID);
	first = hwpt_new(fd, maker.idev, ioas, IOMMU_HWPT_ALLOC_PASID);
	second = hwpt_new(fd, maker.idev, ioas, IOMMU_HWPT_ALLOC_PASID);
	plain = hwpt_new(fd, maker.idev, ioas, 0);
	dev = mock_new(fd, first, MOCK_FLAGS_DEVICE_PASID);
}

static void close_all(void)
{
	close(fd);
	ok(nothing_left(), "nothing is left");
}

/* ------------------------------------------------------------------ */

static void test_ids(void)
{
	struct mock none = { .stdev = NO_ID };
	uint32_t fault;
	int queue = fault_new(fd, &fault);

	refused(attach(PASID, NO_ID), ENOENT, "attach to nothing");
	refused(attach(PASID, 0), ENOENT, "to id 0");
	refused(attach(PASID, ioas), EINVAL, "to an IOAS");
	refused(attach(PASID, dev.idev), EINVAL, "to a device");
	refused(attach(PASID, dev.stdev), EINVAL, "to its owner");
	refused(attach(PASID, fault), EINVAL, "to a fault queue");
	refused(attach(PASID, plain), EINVAL, "to one that is not for PASIDs");
	refused(mock_pasid(fd, IOMMU_TEST_OP_PASID_ATTACH, &none, PASID, first),
		ENOENT, "of no device");
	none.stdev = dev.idev;
	refused(mock_pasid(fd, IOMMU_TEST_OP_PASID_ATTACH, &none, PASID, first),
		ENOENT, "of a bare device");
	ok(is_on(PASID, 0), "it is attached to nothing");
	ok(!close(queue) && !iommu_destroy_id(fd, fault), "destroy the queue");
}

static void test_numbers(void)
{
	struct mock without = mock_new(fd, first, 0), with = dev;

	refused(attach(0, first), EINVAL, "PASID 0");
	refused(attach(PASID_MAX + 1, first), EINVAL, "PASID 2^20");
	refused(attach(UINT32_MAX, first), EINVAL, "PASID 2^32 - 1");
	refused(replace(0, first), EINVAL, "replace PASID 0");
	refused(mock_pasid(fd, IOMMU_TEST_OP_PASID_CHECK_HWPT, &dev, 0, 0),
		EINVAL, "PASID 0 is not asked about");
	refused(replace(PASID_MAX + 1, first), EINVAL, "replace PASID 2^20");
	ok(!attach(PASID_MAX, first) && is_on(PASID_MAX, first),
	   "PASID 2^20 - 1");
	ok(!attach(1, second) && is_on(1, second), "PASID 1");
	ok(!detach(1) && !detach(PASID_MAX) && is_on(1, 0), "detach both");
	ok(!detach(PASID_MAX + 1) && !detach(UINT32_MAX),
	   "detaching what is not attached is no error");
	dev = without;
	refused(attach(PASID, first), EINVAL, "a device without PASIDs");
	refused(attach(1, first), EINVAL, "not even one");
	dev = with;
	ok(!mock_destroy(fd, &without), "destroy it");
}

static void test_states(void)
{
	/* Row 25 */
	refused(replace(PASID, first), EINVAL,
		"replace one that was never attached");
	ok(is_on(PASID, 0), "that did not attach it");
	ok(!attach(PASID, first) && is_on(PASID, first), "attach");
	refused(attach(PASID, first), EBUSY, "attach again");
	refused(attach(PASID, second), EBUSY, "attach elsewhere");
	ok(is_on(PASID, first), "it is where it was");
	refused(replace(PASID, plain), EINVAL,
		"replace: to one that is not for PASIDs");
	refused(replace(PASID, ioas), EINVAL, "to an IOAS");
	refused(replace(PASID, NO_ID), ENOENT, "to nothing");
	ok(is_on(PASID, first), "it is where it was");
	ok(!replace(PASID, first) && is_on(PASID, first), "to where it is");
	ok(!replace(PASID, second) && is_on(PASID, second), "to another one");
	ok(!detach(PASID) && is_on(PASID, 0), "detach");
	refused(replace(PASID, first), EINVAL,
		"replace one that is not attached any more");
	ok(!detach(PASID), "detach again");
}

/* Page tables stay as long as a PASID is attached to them, and no longer. */
static void test_destroy(void)
{
	uint32_t third = hwpt_new(fd, dev.idev, ioas, IOMMU_HWPT_ALLOC_PASID);
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_PASID_ATTACH,
		.id = dev.stdev,
		.pasid = { PASID, third },
	};

	refused(ioctl_read_only(fd, IOMMU_TEST_CMD, &cmd, sizeof(cmd)), EFAULT,
		"attach, with an answer that cannot be written");
	ok(is_on(PASID, 0), "it is not attached");
	ok(!attach(PASID, third) && !attach(PASID + 1, third),
	   "attach two PASIDs");
	refused(iommu_destroy_id(fd, third), EBUSY, "destroy the page table");
	ok(!detach(PASID), "detach one");
	refused(iommu_destroy_id(fd, third), EBUSY, "destroy the page table");
	ok(!replace(PASID + 1, second), "move the other");
	ok(!iommu_destroy_id(fd, third), "destroy the page table");
	refused(attach(PASID, third), ENOENT, "attach to what is gone");
	ok(!detach(PASID + 1), "detach");
}

/* The IOMMU driver refuses: all is as it was. */
static void test_driver_error(void)
{
	const uint32_t pasid = IOMMU_TEST_PASID_RESERVED;

	ok(!attach(pasid, first) && is_on(pasid, first),
	   "the driver takes it once");
	refused(replace(pasid, second), ENOMEM, "and then not");
	ok(is_on(pasid, first), "it is where it was");
	refused(iommu_destroy_id(fd, first), EBUSY, "and keeps that alive");
	ok(!replace(pasid, second) && is_on(pasid, second), "once more");
	ok(!detach(pasid) && is_on(pasid, 0), "detach");
	ok(!attach(pasid, first) && !detach(pasid), "and attach");
}

/* The device itself and its PASIDs agree on whether there are any. */
static void test_device(void)
{
	struct mock other = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_PASID);
	struct mock with = dev;
	uint32_t was;

	dev = other;
	refused(attach(PASID, first), EINVAL,
		"the device is on one that is not for PASIDs");
	ok(is_on(PASID, 0) && !mock_replace(fd, &dev, first) &&
	   !attach(PASID, second), "on one that is, it works");
	was = dev.hwpt;
	refused(mock_replace(fd, &dev, ioas), EINVAL,
		"now the device cannot go to an IOAS");
	refused(mock_replace(fd, &dev, plain), EINVAL,
		"nor to one that is not for PASIDs");
	ok(dev.hwpt == was && is_on(PASID, second), "nothing has moved");
	ok(!mock_replace(fd, &dev, second) && dev.hwpt == second &&
	   is_on(PASID, second), "to one that is, it can");
	ok(!detach(PASID) && !mock_replace(fd, &dev, ioas),
	   "without PASIDs it can go anywhere");
	ok(!mock_destroy(fd, &dev), "destroy");
	dev = with;
}

/* All of a device's PASIDs go with it. */
static void test_many(void)
{
	struct mock with = dev;
	unsigned int i, bad = 0;

	dev = mock_new(fd, first, MOCK_FLAGS_DEVICE_PASID);
	for (i = 1; i != 1000; i++)
		bad += attach(i * 1000, i % 2 ? first : second) ||
		       !is_on(i * 1000, i % 2 ? first : second);
	ok(!bad, "999 PASIDs (%u failed)", bad);
	refused(iommu_destroy_id(fd, second), EBUSY, "they use a page table");
	ok(!mock_destroy(fd, &dev), "the device goes");
	dev = with;
	ok(!iommu_destroy_id(fd, second), "and with it the last user");
	second = hwpt_new(fd, dev.idev, ioas, IOMMU_HWPT_ALLOC_PASID);
}

/* What a PASID is on shows mappings that come later, too. */
static void test_maps(void)
{
	ok(!attach(PASID, second) &&
	   !ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !mock_check_map(fd, second, IOVA, mem, SIZE) &&
	   !mock_check_refs(fd, mem, SIZE, 1), "map");
	refused(iommu_destroy_id(fd, ioas), EBUSY, "the IOAS is in use");
	ok(!ioas_unmap_all(fd, ioas, NULL) && !mock_check_refs(fd, mem, SIZE, 0) &&
	   !detach(PASID), "unmap");
}

/* ------------------------------------------------------------------ */
/* Page requests */

static int request(uint32_t pasid, uint32_t n)
{
	return mock_request_page(fd, dev.idev, pasid, n, 1, n * PAGE);
}

/* The next one of a queue is that one. */
static bool comes(int queue, uint32_t pasid, uint32_t n, uint32_t *cookie)
{
	struct iommu_hwpt_pgfault rec;

	if (read(queue, &rec, REC) != REC)
		return false;
	*cookie = rec.cookie;
	return rec.pasid == pasid && rec.grpid == n && rec.dev_id == dev.idev &&
	       !(rec.flags & IOMMU_PGFAULT_FLAGS_PASID_VALID) == !pasid;
}

static bool answers(int queue, uint32_t cookie)
{
	struct iommu_hwpt_page_response resp = { .cookie = cookie };

	return write(queue, &resp, sizeof(resp)) == (ssize_t)sizeof(resp);
}

static bool is_empty(int queue)
{
	struct iommu_hwpt_pgfault rec;

	return !read(queue, &rec, REC);
}

static void test_requests(void)
{
	uint32_t ids[2], faulting[2], cookie, own;
	int queue[2];
	unsigned int i;

	for (i = 0; i != 2; i++) {
		queue[i] = fault_new(fd, &ids[i]);
		faulting[i] = mock_faulting_new(fd, dev.idev, ioas,
						IOMMU_HWPT_ALLOC_PASID, ids[i]);
	}
	ok(!mock_replace(fd, &dev, faulting[0]) && !attach(PASID, faulting[1]) &&
	   !attach(PASID + 1, faulting[0]), "the device, and two PASIDs");
	ok(!request(0, 1) && !request(PASID, 2) && !request(PASID + 1, 3),
	   "a request of each");
	fails(request(PASID + 2, 4), ENODEV, "and of one that is not attached");
	ok(comes(queue[0], 0, 1, &own) && comes(queue[0], PASID + 1, 3, &cookie) &&
	   is_empty(queue[0]), "the first queue gets two");
	ok(!detach(PASID + 1) && !answers(queue[0], cookie),
	   "detached: its request is gone");
	ok(answers(queue[0], own), "the device's own is not");
	ok(comes(queue[1], PASID, 2, &cookie) && is_empty(queue[1]),
	   "the second queue gets one");
	ok(!request(PASID, 5) && !replace(PASID, faulting[0]) &&
	   !answers(queue[1], cookie) && is_empty(queue[1]),
	   "moved: what the first page table was asked is gone");
	ok(!request(PASID, 6) && is_empty(queue[1]) &&
	   comes(queue[0], PASID, 6, &cookie), "the other one is asked");
	refused(iommu_destroy_id(fd, faulting[0]), EBUSY, "it is in use");
	ok(!iommu_destroy_id(fd, faulting[1]) && !close(queue[1]) &&
	   !iommu_destroy_id(fd, ids[1]), "the second queue can go");
	ok(!replace(PASID, second), "to one without a queue");
	fails(request(PASID, 7), ENODEV, "nobody is asked");
	ok(!request(0, 8) && comes(queue[0], 0, 8, &own) && answers(queue[0], own),
	   "but of the device's own");
	ok(!detach(PASID) && !mock_replace(fd, &dev, first) &&
	   !iommu_destroy_id(fd, faulting[0]) && !close(queue[0]) &&
	   !iommu_destroy_id(fd, ids[0]), "all can go");
}

/* ------------------------------------------------------------------ */
/* Races */

struct racer {
	pthread_t thread;
	unsigned int seed, good;
	atomic_bool *stop;
};

static void *pasid_thread(void *arg)
{
	struct racer *r = arg;
	uint32_t pasid;

	while (!atomic_load(r->stop)) {
		pasid = 1 + rand_r(&r->seed) % 3;
		switch (rand_r(&r->seed) % 4) {
		case 0:
			r->good += !attach(pasid, rand_r(&r->seed) % 2 ?
							  first : second);
			break;
		case 1:
			r->good += !replace(pasid, rand_r(&r->seed) % 2 ?
							   first : second);
			break;
		case 2:
			detach(pasid);
			break;
		case 3:
			request(pasid, 1);
			break;
		}
	}
	return NULL;
}

static void test_races(void)
{
	struct racer r[2] = { { .seed = 1 }, { .seed = 2 } };
	unsigned int i, bad = 0, moved = 0, destroyed = 0;
	atomic_bool stop = false;

	for (i = 0; i != 2; i++) {
		r[i].stop = &stop;
		if (pthread_create(&r[i].thread, NULL, pasid_thread, &r[i]))
			bail("pthread_create");
	}
	for (i = 0; i != ROUNDS; i++) {
		moved += !mock_replace(fd, &dev, i % 2 ? ioas : first);
		bad += ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) ||
		       ioas_unmap_all(fd, ioas, NULL);
		if (iommu_destroy_id(fd, second))
			continue;
		destroyed++;
		second = hwpt_new(fd, dev.idev, ioas, IOMMU_HWPT_ALLOC_PASID);
	}
	/* The device goes under them. */
	ok(!mock_destroy(fd, &dev), "destroy the device");
	atomic_store(&stop, true);
	for (i = 0; i != 2; i++) {
		pthread_join(r[i].thread, NULL);
		bad += !r[i].good;
	}
	ok(!bad && moved, "all at once (%u and %u attached, %u moved, %u destroyed)",
	   r[0].good, r[1].good, moved, destroyed);
}

int main(void)
{
	mem = mem_alloc(SIZE);
	open_all();
	test_ids();
	test_numbers();
	test_states();
	test_destroy();
	test_driver_error();
	test_device();
	test_many();
	test_maps();
	test_requests();
	close_all();

	/* With PASIDs attached, and just closed */
	open_all();
	ok(!attach(PASID, first) && !attach(PASID + 1, second) &&
	   !ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW), "attach two, map");
	close_all();

	open_all();
	test_races();
	close_all();
	return tap_done();
}
