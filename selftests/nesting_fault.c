// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of a nesting container's faults: page requests of devices and their answers,
 * and DMA that failed for good.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include "nesting_mock.h"

#define MEMORY (8 * MIB)
#define AT 0x00007f1234600000ULL
#define QUEUE_MAX 4096

#define EX IOMMU_MOCK_DMA_EXEC
#define PRIV IOMMU_MOCK_DMA_PRIV
#define PRI IOMMU_MOCK_DMA_PRI

#define SUCCESS IOMMU_PAGE_RESP_SUCCESS
#define INVALID IOMMU_PAGE_RESP_INVALID
#define FAILURE IOMMU_PAGE_RESP_FAILURE

static struct nesting_dev devs[2];

/* Address spaces: two with a PASID, the second one for privileged requests, too; R */
enum { A, B, R, SPACES };

static struct vmm vmm;
static uint32_t pasid[SPACES];
static struct pgtable pt[SPACES];
static int queue;

static void bind_space(int i)
{
	struct bind_args args = bind_args(pasid[i], pt[i].root, pt[i].width);

	if (i == B)
		args.data.vtd.flags = IOMMU_SVA_VTD_GPASID_SRE;
	if (ioctl(vmm.box.fd, VFIO_IOMMU_BIND, &args))
		bail("BIND");
}

static void unbind_space(int i)
{
	if (unbind_table(vmm.box.fd, pasid[i]))
		bail("UNBIND");
}

/* Forget all. */
static void flush_all(void)
{
	if (inv_domain(vmm.box.fd, IOTLB | PASID_CACHE) ||
	    inv_addr(vmm.box.fd, DEV_IOTLB, 0, 0, 1ULL << 63, 1, 0))
		bail("CACHE_INVALIDATE");
}

static void queue_open(void)
{
	queue = nesting_fault_fd(vmm.box.fd);
	if (queue < 0)
		bail("IOMMU_NESTING_FAULT_ALLOC");
}

static void open_all(void)
{
	vmm = vmm_open(devs, 2, MEMORY);
	for (int i = 0; i != SPACES; i++) {
		pasid[i] = i == R ? 0 : vmm_pasid(&vmm);
		pt[i] = pgtable_new(&vmm.mem, i == B ? 57 : 48);
		bind_space(i);
	}
	flush_all();
	queue_open();
}

static void close_all(void)
{
	close(queue);
	vmm_close(&vmm);
}

static uint64_t map_page(int i, uint64_t iova, uint64_t flags)
{
	uint64_t gpa = page_new(&vmm);

	pgtable_map(&pt[i], iova, gpa, PAGE, flags);
	return gpa;
}

/* ------------------------------------------------------------------ */
/* Records and answers */

static bool readable(void)
{
	struct pollfd pfd = { .fd = queue, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && pfd.revents == POLLIN;
}

/* The next record; waits for it */
static struct iommu_fault take(void)
{
	struct pollfd pfd = { .fd = queue, .events = POLLIN };
	struct iommu_fault rec;

	memset(&rec, 0xa5, sizeof(rec));
	if (poll(&pfd, 1, -1) != 1 ||
	    read(queue, &rec, sizeof(rec)) != (ssize_t)sizeof(rec))
		bail("read a record");
	return rec;
}

static void show(const struct iommu_fault *rec)
{
	const uint32_t *word = (const uint32_t *)rec;

	for (int i = 0; i != sizeof(*rec) / 4; i += 4)
		note("record: %08x %08x %08x %08x", word[i], word[i + 1],
		     word[i + 2], word[i + 3]);
}

static bool same(const struct iommu_fault *rec, const struct iommu_fault *want)
{
	if (!memcmp(rec, want, sizeof(*rec)))
		return true;
	show(rec);
	show(want);
	return false;
}

/* All of it, but for the number of the group */
static bool is_request(const struct iommu_fault *rec, int i, uint32_t perm, uint64_t addr)
{
	struct iommu_fault want;

	memset(&want, 0, sizeof(want));
	want.type = IOMMU_FAULT_PAGE_REQ;
	want.prm.flags = IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	if (pasid[i])
		want.prm.flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	want.prm.pasid = pasid[i];
	want.prm.grpid = rec->prm.grpid;
	want.prm.perm = perm;
	want.prm.addr = addr;
	return same(rec, &want);
}

/* @fetch_addr: 0 for none */
static bool is_event(const struct iommu_fault *rec, uint32_t in, uint32_t reason,
		     uint32_t perm, uint64_t addr, uint64_t fetch_addr)
{
	struct iommu_fault want;

	memset(&want, 0, sizeof(want));
	want.type = IOMMU_FAULT_DMA_UNRECOV;
	want.event.reason = reason;
	want.event.flags = IOMMU_FAULT_UNRECOV_ADDR_VALID;
	if (in)
		want.event.flags |= IOMMU_FAULT_UNRECOV_PASID_VALID;
	if (fetch_addr)
		want.event.flags |= IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID;
	want.event.pasid = in;
	want.event.perm = perm;
	want.event.addr = addr;
	want.event.fetch_addr = fetch_addr;
	return same(rec, &want);
}

static struct iommu_nesting_page_response
answer_to(const struct iommu_fault *rec, uint32_t code)
{
	bool in = rec->prm.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;

	return (struct iommu_nesting_page_response){
		.version = IOMMU_UAPI_VERSION,
		.flags = in ? IOMMU_PAGE_RESP_PASID_VALID : 0,
		.pasid = rec->prm.pasid,
		.grpid = rec->prm.grpid,
		.code = code,
	};
}

static int send(const struct iommu_nesting_page_response *resp)
{
	ssize_t n = write(queue, resp, sizeof(*resp));

	return n == (ssize_t)sizeof(*resp) ? 0 : -1;
}

static int answer(const struct iommu_fault *rec, uint32_t code)
{
	struct iommu_nesting_page_response resp = answer_to(rec, code);

	return send(&resp);
}

/* ------------------------------------------------------------------ */
/* DMA that waits, in a thread of its own */

struct waiter {
	pthread_t thread;
	int device;
	uint32_t pasid, flags;
	uint64_t iova, word;
	int rc;
	struct iommu_mock_dma dma;
	atomic_bool done;
};

static void *wait_thread(void *arg)
{
	struct waiter *w = arg;

	w->rc = mock_vfio_dma(w->device, &w->dma, w->pasid, w->flags | PRI,
			      w->iova, &w->word, sizeof(w->word));
	atomic_store(&w->done, true);
	return NULL;
}

static void start_on(struct waiter *w, int device, int i, uint32_t flags,
		     uint64_t iova)
{
	memset(w, 0, sizeof(*w));
	w->device = vmm.dev[device];
	w->pasid = pasid[i];
	w->flags = flags;
	w->iova = iova;
	w->word = 0x77;
	if (pthread_create(&w->thread, NULL, wait_thread, w))
		bail("pthread_create");
}

static void start(struct waiter *w, int i, uint32_t flags, uint64_t iova)
{
	start_on(w, 0, i, flags, iova);
}

/* Has it ended after so many requests?  @reason: -1 for no fault */
static bool ended(struct waiter *w, uint32_t requests, int reason)
{
	int got;

	pthread_join(w->thread, NULL);
	got = w->dma.out_faulted ? (int)w->dma.out_reason : -1;
	if (!w->rc && w->dma.out_requests == requests && got == reason &&
	    w->dma.out_done == (reason == -1 ? sizeof(w->word) : 0))
		return true;
	note("rc %d, %u requests (not %u), reason %d (not %d), %lu bytes", w->rc,
	     w->dma.out_requests, requests, got, reason,
	     (unsigned long)w->dma.out_done);
	return false;
}

#define PTE_FETCH IOMMU_FAULT_REASON_PTE_FETCH
#define PERMISSION IOMMU_FAULT_REASON_PERMISSION
#define FINE (-1)

/* DMA that does not wait, since it does not ask */
static void fail(uint32_t in, uint32_t flags, uint64_t iova, uint32_t reason)
{
	if (!dma_faults(vmm.dev[0], in, flags, iova, reason))
		bail("DMA at %#lx", iova);
}

/* ------------------------------------------------------------------ */

static void test_requests(void)
{
	struct waiter w;
	uint64_t gpa;
	struct iommu_fault rec;

	open_all();
	start(&w, A, 0, AT + 0x238);
	rec = take();
	ok(is_request(&rec, A, IOMMU_FAULT_PERM_READ, AT),
	   "a request: PASID, permission, address of the page");
	gpa = map_page(A, AT, PT_P | PT_U);
	ok(!atomic_load(&w.done) && !answer(&rec, SUCCESS) &&
	   ended(&w, 1, FINE) &&
	   w.word == ((uint64_t *)guest_va(&vmm.mem, gpa))[0x238 / 8],
	   "the guest has mapped it, SUCCESS: it is read");

	start(&w, A, WR, AT + 0x238);
	rec = take();
	ok(is_request(&rec, A, IOMMU_FAULT_PERM_WRITE, AT),
	   "to write, what is not allowed yet");
	pgtable_map(&pt[A], AT, gpa, PAGE, PT_ALL);
	ok(!answer(&rec, SUCCESS) && ended(&w, 1, FINE) &&
	   ((uint64_t *)guest_va(&vmm.mem, gpa))[0x238 / 8] == 0x77,
	   "it is written");

	start(&w, B, EX | PRIV, AT + PAGE);
	rec = take();
	ok(is_request(&rec, B, IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_EXEC |
		      IOMMU_FAULT_PERM_PRIV, AT + PAGE),
	   "to execute, privileged");
	gpa = map_page(B, AT + PAGE, PT_P);
	ok(!answer(&rec, SUCCESS) && ended(&w, 1, FINE) &&
	   w.word == page_word(&vmm, gpa), "it is executed");

	start_on(&w, 1, R, 0, AT);
	rec = take();
	ok(is_request(&rec, R, IOMMU_FAULT_PERM_READ, AT),
	   "of the other device, without a PASID");
	gpa = map_page(R, AT, PT_ALL);
	ok(!answer(&rec, SUCCESS) && ended(&w, 1, FINE) &&
	   w.word == page_word(&vmm, gpa), "it is read");
	ok(!readable(), "no more records");
	close_all();
}

static void test_codes(void)
{
	uint64_t iova = AT + 8, entry;
	struct waiter w;
	struct iommu_fault rec;
	int i;

	open_all();
	map_page(A, AT + PAGE, PT_ALL);
	entry = guest_gpa(&vmm.mem, pgtable_entry(&pt[A], iova, 1));
	start(&w, A, 0, iova);
	for (i = 0; i != 3; i++) {
		rec = take();
		if (!is_request(&rec, A, 1, AT) || answer(&rec, SUCCESS))
			break;
	}
	rec = take();
	ok(i == 3 && ended(&w, 3, PTE_FETCH) &&
	   is_event(&rec, pasid[A], PTE_FETCH, 1, iova, entry),
	   "SUCCESS, and it is not true, three times: it has failed for good");

	start(&w, A, 0, iova);
	rec = take();
	ok(!answer(&rec, INVALID) && ended(&w, 1, PTE_FETCH) && !readable(),
	   "INVALID: it has failed");
	start(&w, A, 0, iova);
	rec = take();
	ok(!answer(&rec, INVALID) && ended(&w, 1, PTE_FETCH),
	   "the next one is asked for again");

	start(&w, A, 0, iova);
	rec = take();
	ok(!answer(&rec, FAILURE) && ended(&w, 1, PTE_FETCH) && !readable(),
	   "FAILURE: it has failed");
	for (i = A; i != SPACES; i++) {
		start(&w, i, 0, iova + 4 * PAGE);
		rec = ended(&w, 0, PTE_FETCH) ? take() : rec;
		ok(rec.type == IOMMU_FAULT_DMA_UNRECOV &&
		   rec.event.pasid == pasid[i],
		   "the device has no requests any more, in no address space");
	}
	start_on(&w, 1, A, 0, iova);
	rec = take();
	ok(is_request(&rec, A, 1, AT) && !answer(&rec, INVALID) &&
	   ended(&w, 1, PTE_FETCH), "the other device still has");
	for (i = 0; i != SPACES; i++)
		unbind_space(i);
	bind_space(A);
	start(&w, A, 0, iova);
	rec = take();
	ok(is_request(&rec, A, 1, AT) && !answer(&rec, INVALID) &&
	   ended(&w, 1, PTE_FETCH), "after UNBIND of all, and BIND, it has again");
	close_all();
}

/* ------------------------------------------------------------------ */

static void refuse(const struct iommu_nesting_page_response *resp, const char *what)
{
	fails(write(queue, resp, sizeof(*resp)), EINVAL, "an answer with %s", what);
}

/* An answer to nothing is none, and leaves what waits alone. */
static void test_wrong_answers(int i)
{
	const void *volatile nowhere = NULL;
	struct iommu_nesting_page_response good, bad, two[2] = {};
	struct waiter w;
	struct iommu_fault rec;
	uint32_t group;
	int other = i == A ? B : A;

	open_all();
	start(&w, i, 0, AT);
	while (!readable())
		sched_yield();
	/* The group may have any number. */
	bad = (struct iommu_nesting_page_response){
		.version = IOMMU_UAPI_VERSION,
		.flags = pasid[i] ? IOMMU_PAGE_RESP_PASID_VALID : 0,
		.pasid = pasid[i],
		.code = INVALID,
	};
	for (group = 0; group != IOMMU_MOCK_PAGE_REQUESTS; group++) {
		bad.grpid = group;
		if (send(&bad) != -1 || errno != EINVAL)
			break;
	}
	ok(group == IOMMU_MOCK_PAGE_REQUESTS, "no answer before it was read");
	rec = take();
	good = answer_to(&rec, SUCCESS);
#define WITH(member, value)                                                   \
	do {                                                                  \
		bad = good;                                                   \
		bad.member = value;                                           \
		refuse(&bad, #member " = " #value);                           \
	} while (0)
	WITH(version, 0);
	WITH(version, 2);
	WITH(flags, good.flags | 2);
	WITH(flags, good.flags ^ 1);
	WITH(flags, 1U << 31);
	WITH(pasid, pasid[other]);
	WITH(pasid, good.pasid + 1);
	WITH(grpid, good.grpid + 1);
	WITH(grpid, good.grpid + 512);
	WITH(grpid, ~good.grpid);
	WITH(code, 3);
	WITH(code, UINT32_MAX);
	bad = good;
	bad.flags ^= 1;
	bad.pasid = 0;
	refuse(&bad, "the flag wrong and PASID 0");
	fails(write(queue, &good, sizeof(good) - 1), EINVAL, "19 bytes");
	two[0] = good;
	fails(write(queue, two, sizeof(good) + 1), EINVAL, "21 bytes");
	fails(write(queue, nowhere, sizeof(good)), EFAULT, "from nowhere");
	ok(!write(queue, &good, 0), "no bytes");
	ok(!atomic_load(&w.done) && !readable(), "it still waits");
	map_page(i, AT, PT_ALL);
	ok(!send(&good) && ended(&w, 1, FINE), "the right answer");
	refuse(&good, "what was answered already");
	close_all();
}

/* Several in one write, up to the first that is wrong */
static void test_many_answers(void)
{
	struct iommu_nesting_page_response resp[3];
	struct waiter w[3];
	struct iommu_fault rec[3];
	int i;

	open_all();
	for (i = 0; i != 3; i++) {
		start(&w[i], A, 0, AT + i * PAGE);
		rec[i] = take();
		resp[i] = answer_to(&rec[i], INVALID);
	}
	ok(rec[0].prm.grpid != rec[1].prm.grpid &&
	   rec[1].prm.grpid != rec[2].prm.grpid, "three that wait");
	resp[1].version = 7;
	ok(write(queue, resp, sizeof(resp)) == (ssize_t)sizeof(resp[0]),
	   "three answers, the second is wrong: 20 bytes are written");
	ok(ended(&w[0], 1, PTE_FETCH), "the first has ended");
	resp[1].version = 1;
	ok(!atomic_load(&w[1].done) && !atomic_load(&w[2].done) &&
	   write(queue, resp + 1, 2 * sizeof(resp[0])) ==
	   2 * (ssize_t)sizeof(resp[0]) && ended(&w[1], 1, PTE_FETCH) &&
	   ended(&w[2], 1, PTE_FETCH), "the other two");
	close_all();
}

/* ------------------------------------------------------------------ */

/* The number that the next request of a device gets */
static uint32_t next_group(int device)
{
	struct waiter w;
	struct iommu_fault rec;

	start_on(&w, device, A, 0, AT);
	rec = take();
	if (answer(&rec, INVALID) || !ended(&w, 1, PTE_FETCH))
		bail("a request");
	return (rec.prm.grpid + 1) % IOMMU_MOCK_PAGE_REQUESTS;
}

/* Devices choose numbers of groups on their own: the same is two requests. */
static void test_same_numbers(void)
{
	uint32_t group[2];
	struct waiter w[2];
	struct iommu_fault rec[2];
	uint64_t gpa;
	int i, behind;

	open_all();
	for (i = 0; i != 2; i++)
		group[i] = next_group(i);
	behind = (group[0] - group[1]) % 512 < 256 ? 1 : 0;
	while (group[0] != group[1])
		group[behind] = next_group(behind);
	for (i = 0; i != 2; i++) {
		start_on(&w[i], i, A, 0, AT);
		rec[i] = take();
	}
	gpa = map_page(A, AT, PT_ALL);
	ok(!memcmp(&rec[0], &rec[1], sizeof(rec[0])),
	   "two devices have the same request");
	ok(!answer(&rec[0], SUCCESS) && ended(&w[0], 1, FINE) &&
	   w[0].word == page_word(&vmm, gpa) && !atomic_load(&w[1].done),
	   "an answer is to the first one");
	ok(!answer(&rec[1], INVALID) && ended(&w[1], 1, PTE_FETCH),
	   "the next answer to the second one");
	close_all();
}

static void test_reads(void)
{
	char *page = mem_alloc(2 * PAGE), *edge;
	struct pollfd pfd;
	struct waiter w;
	struct iommu_fault rec[4];
	int i;

	open_all();
	for (i = 0; i != 3; i++)
		fail(pasid[A], 0, AT + i * 8, PTE_FETCH);
	ok(readable() && read(queue, rec, 0) == 0 && readable(),
	   "read of 0 bytes");
	fails(read(queue, rec, sizeof(rec[0]) - 1), EINVAL, "of 63");
	ok(read(queue, rec, 3 * sizeof(rec[0]) - 1) == 2 * (ssize_t)sizeof(rec[0]) &&
	   rec[0].event.addr == AT && rec[1].event.addr == AT + 8,
	   "of 191: two records");
	ok(readable() &&
	   read(queue, rec, sizeof(rec)) == (ssize_t)sizeof(rec[0]) &&
	   rec[0].event.addr == AT + 16, "of 256: the third");
	ok(!readable() && read(queue, rec, sizeof(rec)) == 0, "there is no more");

	for (i = 0; i != 3; i++)
		fail(pasid[A], 0, AT + i * 8, PTE_FETCH);
	if (mprotect(page + PAGE, PAGE, PROT_NONE))
		bail("mprotect");
	edge = page + PAGE - sizeof(rec[0]);
	fails(read(queue, page + PAGE, 64), EFAULT, "read to where nothing is");
	fails(read(queue, page + PAGE - 32, 64), EFAULT, "and half of it");
	ok(read(queue, edge, 3 * sizeof(rec[0])) == (ssize_t)sizeof(rec[0]) &&
	   ((struct iommu_fault *)edge)->event.addr == AT, "room for one: one");
	ok(read(queue, rec, sizeof(rec)) == 2 * (ssize_t)sizeof(rec[0]) &&
	   rec[0].event.addr == AT + 8 && rec[1].event.addr == AT + 16,
	   "the others are not lost");

	start(&w, A, 0, AT);
	while (!readable())
		sched_yield();
	fail(pasid[A], 0, AT + 8, PTE_FETCH);
	ok(read(queue, rec, sizeof(rec)) == 2 * (ssize_t)sizeof(rec[0]) &&
	   is_request(&rec[0], A, 1, AT) &&
	   rec[1].type == IOMMU_FAULT_DMA_UNRECOV, "both kinds in one read");
	pfd = (struct pollfd){ .fd = queue, .events = POLLIN | POLLOUT };
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT,
	   "poll: nothing to read, also while a request waits");
	ok(!answer(&rec[0], INVALID) && ended(&w, 1, PTE_FETCH), "it is answered");
	munmap(page, 2 * PAGE);
	close_all();
}

/* ------------------------------------------------------------------ */

/* Each reason that a device in a container can have */
static void test_reasons(void)
{
	uint64_t oor = 1ULL << 60, entry, ro = VMM_GPA + MEMORY;
	void *ro_mem = mem_alloc(PAGE);
	uint32_t nobodys;
	struct iommu_fault rec;

#define REASON(space, flags, iova, name, perm, fetch)                         \
	do {                                                                  \
		fail(space, flags, iova, IOMMU_FAULT_REASON_##name);          \
		rec = take();                                                 \
		ok(is_event(&rec, space, IOMMU_FAULT_REASON_##name, perm,     \
			    iova, fetch) && !readable(), #name ": %s", what); \
	} while (0)
#define ENTRY(space, iova, level) \
	guest_gpa(&vmm.mem, pgtable_entry(&pt[space], iova, level))

	const char *what = "a PASID that is not bound";

	open_all();
	nobodys = vmm_pasid(&vmm);
	REASON(nobodys, 0, AT, PASID_INVALID, 1, 0);
	what = "a PASID, also with PRI";
	REASON(nobodys, WR | PRI, AT + 3, PASID_INVALID, 2, 0);

	what = "the root's entry is not present";
	REASON(pasid[A], 0, AT + 5, PTE_FETCH, 1, ENTRY(A, AT, 4));
	what = "the same, of five levels, to write";
	REASON(pasid[B], WR, AT, PTE_FETCH, 2, ENTRY(B, AT, 5));
	what = "without a PASID";
	REASON(0, EX, AT, PTE_FETCH, 1 | 4, ENTRY(R, AT, 4));
	map_page(A, AT, PT_P | PT_U | PT_XD);
	what = "a leaf is not present";
	REASON(pasid[A], 0, AT + PAGE, PTE_FETCH, 1, ENTRY(A, AT + PAGE, 1));
	what = "reserved bits, also with PRI";
	pgtable_map(&pt[A], AT + PT_1G, VMM_GPA, PAGE, PT_ALL);
	*pgtable_entry(&pt[A], AT + PT_1G, 2) = PT_ALL | PT_PS | (1 << 13);
	REASON(pasid[A], PRI, AT + PT_1G, PTE_FETCH, 1,
	       ENTRY(A, AT + PT_1G, 2));

	entry = ENTRY(A, AT, 1);
	what = "to write what is read-only";
	REASON(pasid[A], WR, AT + 8, PERMISSION, 2, entry);
	what = "to execute what is not for that";
	REASON(pasid[A], EX, AT + 8, PERMISSION, 1 | 4, entry);
	what = "privileged, without SRE, also with PRI";
	REASON(pasid[A], PRIV | PRI, AT, PERMISSION, 1 | 8, 0);
	what = "what is not for users";
	map_page(B, AT, PT_P | PT_W);
	REASON(pasid[B], 0, AT, PERMISSION, 1, ENTRY(B, AT, 1));

	what = "not canonical, also with PRI";
	REASON(pasid[A], PRI, oor, OOR_ADDRESS, 1, 0);
	REASON(pasid[B], WR, oor, OOR_ADDRESS, 2, 0);

	what = "a table that stage 2 does not have, also with PRI";
	pgtable_map(&pt[R], AT, VMM_GPA, PAGE, PT_ALL);
	*pgtable_entry(&pt[R], AT, 2) = IN_HOLE | PT_ALL;
	REASON(0, PRI, AT, WALK_EABT, 1, IN_HOLE + AT / PAGE % 512 * 8);

	what = "a page that stage 2 does not have, also with PRI";
	pgtable_map(&pt[A], AT + 2 * PAGE, IN_HOLE, PAGE, PT_ALL);
	REASON(pasid[A], PRI, AT + 2 * PAGE, ACCESS, 1, 0);
	what = "one that is read-only in stage 2";
	if (dma_map_flags(vmm.box.fd, ro, ro_mem, PAGE, VFIO_DMA_MAP_FLAG_READ))
		bail("MAP_DMA");
	pgtable_map(&pt[A], AT + 3 * PAGE, ro, PAGE, PT_ALL);
	REASON(pasid[A], WR, AT + 3 * PAGE, ACCESS, 2, 0);
	what = "stage 2 alone";
	unbind_space(R);
	REASON(0, WR, IN_HOLE, ACCESS, 2, 0);
	munmap(ro_mem, PAGE);
	close_all();
}

/* ------------------------------------------------------------------ */

/* What is left for the file's close: one request that was read, and one that was not */
static void test_close(void)
{
	struct waiter w[2];
	uint64_t lost;
	struct iommu_fault rec;

	open_all();
	start(&w[0], A, 0, AT);
	take();
	start_on(&w[1], 1, R, WR, AT);
	while (!readable())
		sched_yield();
	close(queue);
	ok(ended(&w[0], 1, PTE_FETCH) && ended(&w[1], 1, PTE_FETCH),
	   "close answers INVALID");
	lost = faults_lost();
	start(&w[0], A, 0, AT);
	ok(ended(&w[0], 1, PTE_FETCH) && faults_lost() == lost + 1,
	   "without a file requests do not wait, and are counted");
	fail(pasid[A], 0, AT, PTE_FETCH);
	queue_open();
	ok(!readable() && faults_lost() == lost + 2, "as are events");
	start(&w[0], A, 0, AT);
	rec = take();
	ok(is_request(&rec, A, 1, AT) && !answer(&rec, INVALID) &&
	   ended(&w[0], 1, PTE_FETCH), "another file: they come there");
	close_all();
}

static void test_unbind(void)
{
	struct waiter a[3], b;
	struct iommu_fault rec[2];

	open_all();
	start(&b, B, 0, AT);
	rec[1] = take();
	start(&a[0], A, 0, AT);
	rec[0] = take();
	start_on(&a[1], 1, A, 0, AT);
	while (!readable())
		sched_yield();
	unbind_space(A);
	ok(ended(&a[0], 1, PTE_FETCH) && ended(&a[1], 1, PTE_FETCH),
	   "UNBIND answers INVALID, to both devices");
	ok(!readable(), "what was not read is gone");
	fails(answer(&rec[0], SUCCESS), EINVAL, "an answer comes too late");
	map_page(B, AT, PT_ALL);
	ok(!atomic_load(&b.done) && !answer(&rec[1], SUCCESS) &&
	   ended(&b, 1, FINE), "the other PASID is not concerned");
	start(&a[2], R, 0, AT);
	rec[0] = take();
	unbind_space(R);
	ok(ended(&a[2], 1, PTE_FETCH), "UNBIND of requests without a PASID");
	fails(answer(&rec[0], SUCCESS), EINVAL, "too late");
	close_all();
}

/* The file is there when its container is not. */
static void test_outlives(void)
{
	struct waiter w;
	struct iommu_fault rec;

	open_all();
	start(&w, A, 0, AT);
	rec = take();
	fail(pasid[B], 0, AT, PTE_FETCH);
	unbind_space(A);
	ok(ended(&w, 1, PTE_FETCH), "a request, and an event");
	vmm_close(&vmm);
	fails(answer(&rec, INVALID), EINVAL, "without the container: no answer");
	rec = take();
	ok(rec.type == IOMMU_FAULT_DMA_UNRECOV && rec.event.addr == AT &&
	   !readable() && !read(queue, &rec, sizeof(rec)),
	   "but what has come is there");
	close(queue);
	ok(nothing_left(), "nothing is left");
}

/* ------------------------------------------------------------------ */

/* A process that has a device of this VMM, and is killed while that waits */
static void test_killed(void)
{
	struct waiter w;
	struct iommu_fault rec;
	pid_t pid;

	open_all();
	pid = fork_child();
	if (!pid) {
		memset(&w, 0, sizeof(w));
		w.device = vmm.dev[0];
		w.pasid = pasid[A];
		w.iova = AT;
		wait_thread(&w);
		_exit(1);
	}
	rec = take();
	ok(is_request(&rec, A, 1, AT) && !kill(pid, SIGKILL) &&
	   wait_child(pid) == -1, "killed while it waits");
	ok(!answer(&rec, SUCCESS), "the answer is taken");
	fails(answer(&rec, SUCCESS), EINVAL, "once");
	start(&w, A, 0, AT);
	rec = take();
	ok(!answer(&rec, INVALID) && ended(&w, 1, PTE_FETCH),
	   "the device goes on");
	close_all();
}

/* A whole VMM, with a request that was read and one that was not */
static int child_vmm(void *unused __attribute__((unused)))
{
	struct waiter w[2];

	open_all();
	start(&w[0], A, 0, AT);
	take();
	start_on(&w[1], 1, B, 0, AT);
	while (!readable())
		sched_yield();
	fail(pasid[A], 0, AT, PTE_FETCH);
	return raise(SIGKILL);
}

static void test_killed_vmm(void)
{
	ok(in_child(child_vmm, NULL) == 128 + SIGKILL && nothing_left(),
	   "a VMM that is killed while both devices wait: nothing is left");
}

/* ------------------------------------------------------------------ */

/* Read @n records.  Are they events in the order of their addresses? */
static bool drain(uint64_t first, unsigned int n)
{
	unsigned int done, room;
	struct iommu_fault rec[100];

	for (done = 0; done != n; done++) {
		if (done % 100 == 0) {
			room = (n - done < 100 ? n - done : 100) * sizeof(rec[0]);
			if (read(queue, rec, room) != room)
				return false;
		}
		if (rec[done % 100].type != IOMMU_FAULT_DMA_UNRECOV ||
		    rec[done % 100].event.addr != first + done)
			return false;
	}
	return true;
}

#define WAITERS 8

static void test_full(void)
{
	uint64_t lost = faults_lost(), first = AT + PT_2M;
	struct waiter w[WAITERS], more;
	struct iommu_fault rec;
	unsigned int i, bad = 0;

	open_all();
	for (i = 0; i != WAITERS; i++) {
		start(&w[i], A, 0, AT + i * PAGE);
		take();
	}
	for (i = 0; i != QUEUE_MAX - WAITERS; i++)
		fail(pasid[B], 0, first + i, PTE_FETCH);
	ok(faults_lost() == lost, "%u requests and %u events: none is lost",
	   WAITERS, i);
	start(&more, A, 0, AT + i * PAGE);
	ok(ended(&more, 1, PTE_FETCH) && faults_lost() == lost + 1,
	   "one more request is answered at once, and counted");
	start_on(&more, 1, R, WR, AT);
	ok(ended(&more, 1, PTE_FETCH) && faults_lost() == lost + 2,
	   "one of another device, too");
	fail(pasid[B], 0, first, PTE_FETCH);
	ok(faults_lost() == lost + 3, "one more event is lost, and counted");

	rec = take();
	start(&more, R, 0, AT);
	ok(rec.event.addr == first && drain(first + 1, QUEUE_MAX - WAITERS - 1),
	   "the events, in order");
	rec = take();
	ok(is_request(&rec, R, 1, AT) && !atomic_load(&more.done),
	   "when one was read there was room for a request");
	close(queue);
	ok(ended(&more, 1, PTE_FETCH), "close answers that");
	for (i = 0; i != WAITERS; i++)
		bad += !ended(&w[i], 1, PTE_FETCH);
	ok(!bad && faults_lost() == lost + 3, "and all that waited");
	vmm_close(&vmm);
}

/* The same with nothing but events, which are all there then */
static void test_full_of_events(void)
{
	uint64_t lost = faults_lost();
	struct iommu_fault rec;
	struct waiter w;
	unsigned int i;

	open_all();
	for (i = 0; i != QUEUE_MAX + 5; i++)
		fail(pasid[B], 0, AT + i, PTE_FETCH);
	ok(faults_lost() == lost + 5 && drain(AT, QUEUE_MAX) && !readable(),
	   "%u events, of which 5 are lost", i);
	start(&w, A, 0, AT);
	rec = take();
	ok(is_request(&rec, A, 1, AT) && !answer(&rec, INVALID) &&
	   ended(&w, 1, PTE_FETCH), "it works when it is empty again");
	close_all();
}

/* ------------------------------------------------------------------ */
/* All at once */

struct racer {
	pthread_t thread;
	int device;
	unsigned int seed, faults, bad;
	atomic_uint good;
};

static atomic_bool stop, stop_answers;
static uint64_t pages[SPACES];

static void *race_dma(void *arg)
{
	struct racer *r = arg;
	struct iommu_mock_dma dma;
	uint64_t word;
	int i;

	while (!atomic_load(&stop)) {
		i = rand_r(&r->seed) % SPACES;
		if (mock_vfio_dma(r->device, &dma, pasid[i], PRI,
				  AT + rand_r(&r->seed) % 4 * PAGE, &word, 8))
			r->bad++;
		else if (dma.out_faulted)
			r->faults++;
		else if (word != page_word(&vmm, pages[i]))
			r->bad++;
		else
			atomic_fetch_add(&r->good, 1);
	}
	return NULL;
}

/* Answers most of them, and now and then opens another file. */
static void *race_answer(void *arg)
{
	struct racer *r = arg;
	struct iommu_fault rec[3];
	ssize_t got;

	while (!atomic_load(&stop_answers)) {
		got = read(queue, rec, sizeof(rec));
		if (got < 0)
			r->bad++;
		for (int i = 0; i < got / (ssize_t)sizeof(rec[0]); i++) {
			if (rec[i].type != IOMMU_FAULT_PAGE_REQ)
				continue;
			if (!answer(&rec[i], rand_r(&r->seed) % 2))
				atomic_fetch_add(&r->good, 1);
			else
				r->faults++;
		}
		if (rand_r(&r->seed) % 64 == 0) {
			close(queue);
			queue_open();
		}
		if (!got)
			sched_yield();
	}
	return NULL;
}

/* The guest of one address space makes it anew, and then has one page more. */
static void race_step(unsigned int *seed)
{
	unsigned int i = rand_r(seed) % SPACES;

	unbind_space(i);
	for (int page = 0; page != 4; page++) {
		if (rand_r(seed) % 2)
			pgtable_unmap(&pt[i], AT + page * PAGE, PAGE);
		else
			pgtable_map(&pt[i], AT + page * PAGE, pages[i], PAGE,
				    PT_ALL);
	}
	bind_space(i);
	if (rand_r(seed) % 4)
		flush_all();
	sched_yield();
	pgtable_map(&pt[i], AT + rand_r(seed) % 4 * PAGE, pages[i], PAGE,
		    PT_ALL);
	sched_yield();
}

static void test_races(unsigned int rounds)
{
	struct racer r[2] = { { .seed = 1 }, { .seed = 2 } };
	struct racer answers = { .seed = 3 };
	unsigned int seed = 4, i;

	open_all();
	for (i = 0; i != SPACES; i++)
		pages[i] = map_page(i, AT, PT_ALL);
	atomic_store(&stop, false);
	atomic_store(&stop_answers, false);
	for (i = 0; i != 2; i++) {
		r[i].device = vmm.dev[i];
		if (pthread_create(&r[i].thread, NULL, race_dma, &r[i]))
			bail("pthread_create");
	}
	if (pthread_create(&answers.thread, NULL, race_answer, &answers))
		bail("pthread_create");
	for (i = 0; i < rounds || !r[0].good || !r[1].good || !answers.good; i++)
		race_step(&seed);
	atomic_store(&stop, true);
	for (i = 0; i != 2; i++)
		pthread_join(r[i].thread, NULL);
	atomic_store(&stop_answers, true);
	pthread_join(answers.thread, NULL);
	ok(!r[0].bad && !r[1].bad && !answers.bad,
	   "all is bound and unbound: %u good, %u faults; %u answers, %u late",
	   r[0].good + r[1].good, r[0].faults + r[1].faults, answers.good,
	   answers.faults);
	close_all();
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 1000;

	nesting_find(true, devs, 2);
	nesting_allow(true);
	test_requests();
	test_codes();
	test_wrong_answers(A);
	test_wrong_answers(R);
	test_many_answers();
	test_same_numbers();
	test_reads();
	test_reasons();
	test_close();
	test_unbind();
	test_outlives();
	test_killed();
	test_killed_vmm();
	test_full();
	/* Thousands of calls more: not on slow kernels, which divide the rounds */
	if (rounds >= 1000)
		test_full_of_events();
	test_races(rounds);
	ok(nothing_left(), "nothing is left");
	nesting_allow(false);
	return tap_done();
}
