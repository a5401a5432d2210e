// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection sweep (see failnth_util.h) over containers with two stages: PASIDs,
 * binds, invalidations, mappings under a bind, faults.  On a real IOMMU (with a shadow),
 * or with --mock, where also native HWPTs with a guest's page table are tried.
 *
 * After each failure DMA goes where it went before.
 */
#include <poll.h>
#include <pthread.h>

#include "failnth_container.h"
#include "mock_util.h"
#include "nesting_dev.h"
#include "pgtable_util.h"

/* Where the mock can map, too */
#define GPA 0x2000000ULL
#define GUEST_SIZE (16 * PAGE)
#define ELSEWHERE (GPA + 0x1000000)
/* What the guest's table shows, and what it does not show */
#define A 0x10000000ULL
#define HOLE (A + 2 * PT_2M)
/* What it shows after an invalidation, each page by a table of the IOMMU's own */
#define FRESH (A + PT_1G)
#define NFRESH 3
#define BYTES 64
/* Of another value than PASIDs that are given in order */
#define PASID 700U
#define N 24U

static bool mock, leaked;
static struct nesting_dev dev;
static struct guest_mem mem;
static struct pgtable pt;
static char *page, *scattered, *absent;
static uint64_t gpa;

static int device, queue;
static struct edu edu;
static bool bound, bound_pasid;
static uint32_t pasid;

static void set_fresh(uint64_t flags)
{
	for (unsigned int i = 0; i != NFRESH; i++)
		pgtable_set(pgtable_walk(&pt, FRESH + i * PT_2M, 1, true),
			    flags ? gpa | flags : 0);
}

static void close_all(void)
{
	edu_unmap_bar(&edu);
	close_fd(&device);
	close_fd(&queue);
	close_fd(&group);
	close_fd(&container);
	bound = false;
	bound_pasid = false;
	/* Not one of the counters of each step: an entry that is absent is no error. */
	leaked |= counter(STATS, "shadow_entries") > 0;
}

static void open_nothing(void)
{
	container = -1;
	group = -1;
	device = -1;
	queue = -1;
	failnth_make_absent(absent, N);
	set_fresh(0);
}

/* ------------------------------------------------------------------ */
/* DMA */

static bool reads(uint32_t as, uint64_t iova)
{
	struct iommu_mock_dma dma;
	char buf[BYTES] = "";
	uint64_t spare = gpa + PAGE - BYTES;

	fill_pattern(page, BYTES, 5);
	if (mock)
		return !mock_vfio_dma(device, &dma, as, 0, iova, buf, BYTES) &&
		       !dma.out_faulted && check_pattern(buf, BYTES, 5) == -1;
	/* To another place of the same page, which is where it is by itself or by A */
	memset(page + PAGE - BYTES, 0, BYTES);
	edu_copy(&edu, iova, iova == A ? A + PAGE - BYTES : spare, BYTES);
	return check_pattern(page + PAGE - BYTES, BYTES, 5) == -1;
}

/* Without a device nothing can be tried. */
static bool unharmed(void)
{
	if (device < 0)
		return true;
	if (!reads(0, bound ? A : gpa)) {
		note("DMA does not work, %sbound", bound ? "" : "not ");
		return false;
	}
	if (mock && bound_pasid && !reads(pasid, A)) {
		note("DMA with the PASID does not work");
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------ */
/* The container's steps */

/* What was bound is so no more. */
static long step_close_bound(void)
{
	bound = false;
	bound_pasid = false;
	return step_close_group();
}

static long step_set_iommu(void)
{
	return set_iommu(container, VFIO_TYPE1_NESTING_IOMMU);
}

static long step_map(void)
{
	return dma_map(container, GPA, mem.va, GUEST_SIZE);
}

static long step_alloc(void)
{
	return pasid_alloc(container, PASID, PASID + 10, &pasid);
}

static long step_free(void)
{
	return pasid_free(container, pasid);
}

static long step_quota(void)
{
	return pasid_quota(container, 100);
}

static long step_queue(void)
{
	queue = nesting_fault_fd(container);
	return queue;
}

static long step_close_queue(void)
{
	return try_close(&queue);
}

static long step_bind(void)
{
	long rc = bind_table(container, 0, pt.root, pt.width);

	bound |= !rc;
	return rc;
}

static long step_unbind(void)
{
	long rc = unbind_table(container, 0);

	bound &= !!rc;
	return rc;
}

static long step_bind_pasid(void)
{
	long rc = bind_table(container, pasid, pt.root, pt.width);

	bound_pasid |= !rc;
	return rc;
}

static long step_unbind_pasid(void)
{
	long rc = unbind_table(container, pasid);

	bound_pasid &= !!rc;
	return rc;
}

static long step_inv_domain(void)
{
	return inv_domain(container, IOMMU_CACHE_INV_TYPE_IOTLB |
				     IOMMU_CACHE_INV_TYPE_PASID);
}

static long step_inv_pasid(void)
{
	return inv_pasid(container, IOMMU_CACHE_INV_TYPE_IOTLB |
				    IOMMU_CACHE_INV_TYPE_PASID, pasid);
}

static long step_inv_addr(void)
{
	return inv_addr(container, IOMMU_CACHE_INV_TYPE_IOTLB, 0, A, PAGE, 512, 0);
}

/* Pages that are present from now on.  Without memory they are not. */
static long step_inv_fresh(void)
{
	set_fresh(PT_ALL);
	return inv_addr(container, IOMMU_CACHE_INV_TYPE_IOTLB, 0, FRESH, PAGE,
			NFRESH * 512, 0);
}

/* Stage 2 beside what is bound */
static long step_map_under(void)
{
	return dma_map(container, ELSEWHERE, absent, N * PAGE);
}

static long step_map_scattered(void)
{
	return dma_map(container, ELSEWHERE + 2 * N * PAGE, scattered, N * PAGE);
}

static long step_unmap_under(void)
{
	return dma_unmap(container, ELSEWHERE, N * PAGE, NULL);
}

/* A fault, which the queue may have no memory for */
static long step_dma(void)
{
	struct iommu_mock_dma dma;
	char buf[BYTES];

	return mock_vfio_dma(device, &dma, pasid, 0, HOLE, buf, BYTES);
}

static long step_read_fault(void)
{
	struct iommu_fault rec[4];

	return read(queue, rec, sizeof(rec));
}

static const struct failnth_step shadow_steps[] = {
	STEP("open container", step_open, 0),
	STEP("open group", step_open_group, 0),
	STEP("SET_CONTAINER", step_join, 0),
	STEP("SET_IOMMU of NESTING", step_set_iommu, 0, ENOMEM, EIO),
	STEP("MAP_DMA", step_map, 0),
	STEP("GET_INFO", step_get_info, 0),
	STEP("PASID_REQUEST, ALLOC", step_alloc, 0),
	STEP("SET_PASID_QUOTA", step_quota, 0, EFAULT),
	STEP("FAULT_ALLOC", step_queue, 0),
	STEP("BIND without a PASID", step_bind, FN_OURS),
	STEP("CACHE_INVALIDATE by DOMAIN", step_inv_domain, 0, EFAULT),
	STEP("CACHE_INVALIDATE by PASID", step_inv_pasid, 0, EFAULT),
	STEP("CACHE_INVALIDATE by ADDR", step_inv_addr, 0, EFAULT),
	STEP("CACHE_INVALIDATE of what is new", step_inv_fresh, 0, EFAULT),
	STEP("MAP_DMA under a bind", step_map_under, 0),
	STEP("MAP_DMA of what is scattered", step_map_scattered, 0),
	STEP("UNMAP_DMA under a bind", step_unmap_under, FN_COMMITS, EFAULT),
	STEP("UNBIND", step_unbind, FN_OURS),
	STEP("PASID_REQUEST, FREE", step_free, 0, EFAULT),
	STEP("close the faults", step_close_queue, GONE),
	STEP("BIND again", step_bind, FN_OURS),
	STEP("close group with a bind", step_close_bound, GONE),
	STEP("close container", step_close, GONE),
};

static const struct failnth_chain shadow_chain = {
	.name = "shadow",
	.before = open_nothing,
	.check = unharmed,
	.after = close_all,
	.nsteps = sizeof(shadow_steps) / sizeof(shadow_steps[0]),
	.steps = shadow_steps,
};

static const struct failnth_step mock_steps[] = {
	STEP("open container", step_open, 0),
	STEP("open group", step_open_group, 0),
	STEP("SET_CONTAINER", step_join, 0),
	STEP("SET_IOMMU of NESTING", step_set_iommu, 0, ENOMEM, EIO),
	STEP("MAP_DMA", step_map, 0),
	STEP("FAULT_ALLOC", step_queue, 0),
	STEP("PASID_REQUEST, ALLOC", step_alloc, 0),
	STEP("BIND without a PASID", step_bind, 0),
	STEP("BIND of the PASID", step_bind_pasid, 0),
	STEP("CACHE_INVALIDATE by DOMAIN", step_inv_domain, 0, EFAULT),
	STEP("CACHE_INVALIDATE by PASID", step_inv_pasid, 0, EFAULT),
	STEP("CACHE_INVALIDATE by ADDR", step_inv_addr, 0, EFAULT),
	STEP("MAP_DMA under a bind", step_map_under, 0),
	STEP("UNMAP_DMA under a bind", step_unmap_under, FN_COMMITS, EFAULT),
	STEP("UNBIND", step_unbind, 0, EFAULT, ENOMEM),
	STEP("UNBIND of the PASID", step_unbind_pasid, 0, EFAULT),
	STEP("PASID_REQUEST, FREE", step_free, 0, EFAULT),
	STEP("PASID_REQUEST, ALLOC again", step_alloc, 0),
	STEP("BIND of the PASID again", step_bind_pasid, 0),
	STEP("close group with a bind", step_close_bound, GONE),
	STEP("close container", step_close, GONE),
};

static const struct failnth_chain mock_chain = {
	.name = "mock",
	.before = open_nothing,
	.check = unharmed,
	.after = close_all,
	.nsteps = sizeof(mock_steps) / sizeof(mock_steps[0]),
	.steps = mock_steps,
};

/* ------------------------------------------------------------------ */
/* The same calls with a device that does DMA after each failure */

static void open_device(void)
{
	open_nothing();
	container = container_open();
	group = group_open(group_wanted);
	if (step_join() || step_set_iommu() || step_map())
		bail("a container with two stages");
	device = device_fd(group, dev.name);
	if (device < 0 || (!mock && edu_init(&edu, device)))
		bail("open %s", dev.name);
	if (mock && (step_alloc() || step_queue() < 0))
		bail("a PASID and a queue");
}

static const struct failnth_step dma_shadow_steps[] = {
	STEP("BIND", step_bind, FN_OURS),
	STEP("CACHE_INVALIDATE", step_inv_addr, 0, EFAULT),
	STEP("CACHE_INVALIDATE of what is new", step_inv_fresh, 0, EFAULT),
	STEP("MAP_DMA", step_map_under, 0),
	STEP("UNMAP_DMA", step_unmap_under, FN_COMMITS, EFAULT),
	STEP("UNBIND", step_unbind, FN_OURS),
};

static const struct failnth_chain dma_shadow_chain = {
	.name = "DMA by a shadow",
	.before = open_device,
	.check = unharmed,
	.after = close_all,
	.nsteps = sizeof(dma_shadow_steps) / sizeof(dma_shadow_steps[0]),
	.steps = dma_shadow_steps,
};

static const struct failnth_step dma_mock_steps[] = {
	STEP("BIND", step_bind, 0),
	STEP("BIND of a PASID", step_bind_pasid, 0),
	STEP("CACHE_INVALIDATE", step_inv_domain, 0, EFAULT),
	STEP("DMA to a hole", step_dma, 0),
	STEP("read", step_read_fault, 0, EFAULT),
	STEP("MAP_DMA", step_map_under, 0),
	STEP("UNMAP_DMA", step_unmap_under, FN_COMMITS, EFAULT),
	STEP("UNBIND of the PASID", step_unbind_pasid, 0, EFAULT),
	STEP("UNBIND", step_unbind, 0, EFAULT, ENOMEM),
};

static const struct failnth_chain dma_mock_chain = {
	.name = "DMA by the mock",
	.before = open_device,
	.check = unharmed,
	.after = close_all,
	.nsteps = sizeof(dma_mock_steps) / sizeof(dma_mock_steps[0]),
	.steps = dma_mock_steps,
};

/* ------------------------------------------------------------------ */
/* A page request that waits for its answer */

static pthread_t requester;
static struct iommu_mock_dma requested;
static int requested_rc;
static struct iommu_fault request;

static void *request_page(void *unused)
{
	static char buf[BYTES];

	(void)unused;
	requested_rc = mock_vfio_dma(device, &requested, pasid, IOMMU_MOCK_DMA_PRI,
				     HOLE, buf, BYTES);
	return NULL;
}

static void open_request(void)
{
	struct pollfd pfd;

	open_device();
	memset(&request, 0, sizeof(request));
	if (step_bind_pasid() || step_inv_pasid() ||
	    pthread_create(&requester, NULL, request_page, NULL))
		bail("request a page");
	pfd = (struct pollfd){ .fd = queue, .events = POLLIN };
	if (poll(&pfd, 1, -1) != 1)
		bail("poll");
}

/* Closing the queue answers what nobody answered. */
static void close_request(void)
{
	close_fd(&queue);
	pthread_join(requester, NULL);
	if (requested_rc || !requested.out_faulted || requested.out_requests != 1) {
		note("the request: %d, %u faults, %u requests", requested_rc,
		     requested.out_faulted, requested.out_requests);
		leaked = true;
	}
	close_all();
}

static long step_read_request(void)
{
	ssize_t n = read(queue, &request, sizeof(request));

	if (n != sizeof(request))
		return -1;
	if (request.type == IOMMU_FAULT_PAGE_REQ)
		return 0;
	errno = EPROTO;
	return -1;
}

static long step_answer(void)
{
	struct iommu_nesting_page_response resp = {
		.version = IOMMU_UAPI_VERSION,
		.flags = IOMMU_PAGE_RESP_PASID_VALID,
		.pasid = pasid,
		.grpid = request.prm.grpid,
		.code = IOMMU_PAGE_RESP_INVALID,
	};
	ssize_t n = write(queue, &resp, sizeof(resp));

	return n == sizeof(resp) ? 0 : -1;
}

static const struct failnth_step request_steps[] = {
	STEP("read a page request", step_read_request, 0, EFAULT),
	STEP("write its answer", step_answer, 0, EFAULT),
	STEP("UNBIND", step_unbind_pasid, 0, EFAULT),
};

static const struct failnth_chain request_chain = {
	.name = "page request",
	.before = open_request,
	.after = close_request,
	.nsteps = sizeof(request_steps) / sizeof(request_steps[0]),
	.steps = request_steps,
};

/* ------------------------------------------------------------------ */
/* HWPTs with a guest's page table */

static int iommufd;
static struct mock native;
static uint32_t ioas, parent, hwpt, queue_id;

static void open_native(void)
{
	queue = -1;
	iommufd = iommu_open();
	ioas = ioas_new(iommufd);
	if (ioas_map_at(iommufd, ioas, mem.va, GUEST_SIZE, GPA, IOAS_RW))
		bail("IOMMU_IOAS_MAP");
	native = mock_new(iommufd, ioas, MOCK_FLAGS_DEVICE_PASID);
	parent = hwpt_new(iommufd, native.idev, ioas,
			  IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID);
	queue = fault_new(iommufd, &queue_id);
}

static void close_native(void)
{
	close_fd(&queue);
	close_fd(&iommufd);
}

static long step_native_alloc(void)
{
	return stage1_alloc(iommufd, native.idev, parent, IOMMU_HWPT_ALLOC_PASID,
			    pt.root, pt.width, 0, queue_id, &hwpt);
}

static long step_native_attach(void)
{
	return mock_replace(iommufd, &native, hwpt);
}

static long step_native_pasid(void)
{
	return mock_pasid(iommufd, IOMMU_TEST_OP_PASID_ATTACH, &native, PASID, hwpt);
}

static long step_native_invalidate(void)
{
	struct iommu_hwpt_vtd_s1_invalidate inv[2] = {
		{ .addr = A, .npages = 1, .flags = IOMMU_VTD_INV_FLAGS_LEAF },
		{ .addr = 0, .npages = UINT64_MAX },
	};
	uint32_t num = 2;

	return hwpt_invalidate(iommufd, hwpt, inv, IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
			       sizeof(inv[0]), &num);
}

static long step_native_dma(void)
{
	char buf[BYTES];
	struct iommu_mock_dma dma = {
		.flags = IOMMU_MOCK_DMA_PASID,
		.dev_id = native.idev,
		.pasid = PASID,
		.iova = A,
		.length = BYTES,
		.uptr = (uintptr_t)buf,
	};

	return mock_dma_cmd(iommufd, &dma);
}

static long step_native_detach(void)
{
	return mock_pasid(iommufd, IOMMU_TEST_OP_PASID_DETACH, &native, PASID, 0);
}

static long step_native_back(void)
{
	return mock_replace(iommufd, &native, ioas);
}

static long step_native_destroy(void)
{
	return iommu_destroy_id(iommufd, hwpt);
}

static const struct failnth_step native_steps[] = {
	STEP("HWPT_ALLOC of VTD_S1", step_native_alloc, 0),
	STEP("attach", step_native_attach, FN_COMMITS),
	STEP("attach a PASID", step_native_pasid, 0),
	STEP("HWPT_INVALIDATE", step_native_invalidate, 0),
	STEP("DMA", step_native_dma, 0),
	STEP("detach the PASID", step_native_detach, 0),
	STEP("back to the IOAS", step_native_back, FN_COMMITS),
	STEP("DESTROY", step_native_destroy, 0, EFAULT),
};

static const struct failnth_chain native_chain = {
	.name = "native",
	.before = open_native,
	.after = close_native,
	.nsteps = sizeof(native_steps) / sizeof(native_steps[0]),
	.steps = native_steps,
};

/* ------------------------------------------------------------------ */

static void make_guest(void)
{
	mem = (struct guest_mem){ alloc_pages(GUEST_SIZE), GPA, GUEST_SIZE, 0 };
	pt = pgtable_new(&mem, 48);
	gpa = guest_alloc(&mem, PAGE);
	page = guest_va(&mem, gpa);
	pgtable_map(&pt, A, gpa, PAGE, PT_ALL);
	pgtable_map(&pt, A + PT_2M, gpa, PAGE, PT_ALL);
}

int main(int argc, char **argv)
{
	mock = argc > 1 && !strcmp(argv[1], "--mock");
	failnth_init();
	failnth_need_marked_caches();
	nesting_find(mock, &dev, 1);
	group_wanted = dev.group;
	nesting_allow(true);
	make_guest();
	scattered = failnth_scattered(N);
	absent = failnth_half_present(N);

	if (mock) {
		failnth_sweep(&mock_chain);
		failnth_sweep(&dma_mock_chain);
		failnth_sweep(&request_chain);
		failnth_sweep(&native_chain);
	} else {
		failnth_sweep(&shadow_chain);
		failnth_sweep(&dma_shadow_chain);
	}
	ok(!leaked, "no request or entry of a shadow is left");
	nesting_allow(false);
	return tap_done();
}
