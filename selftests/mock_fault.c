// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault queues: page requests of devices, and the answers to them.
 *
 * known-bugs.md rows 21 (user memory that is not there, or that waits, during
 * read), 22 (padding of a record), 23 (what read() and write() return for less
 * than all).
 */
#include <poll.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "cap_util.h"
#include "mock_util.h"
#include "stall_util.h"

#define REC ((ssize_t)sizeof(struct iommu_hwpt_pgfault))
#define RESP ((ssize_t)sizeof(struct iommu_hwpt_page_response))
#define QUEUE_MAX 4096
#define NO_ID 12345
#define ADDR 0x123456789000ULL
#define STALL_FILE "/tmp/mock_fault.stall"

static int fd, queue;
static uint32_t ioas, queue_id, hwpt;
static struct mock dev;

/* The device asks for page @n. */
static int request(unsigned int n)
{
	return mock_request_page(fd, dev.idev, 0, n, n % 16, ADDR + n * PAGE);
}

static struct iommu_hwpt_pgfault expected(unsigned int n, uint32_t cookie)
{
	return (struct iommu_hwpt_pgfault){
		.flags = IOMMU_PGFAULT_FLAGS_LAST_PAGE,
		.dev_id = dev.idev,
		.grpid = n,
		.perm = n % 16,
		.addr = ADDR + n * PAGE,
		.cookie = cookie,
	};
}

/* Row 22: the whole record, padding too */
static bool is_request(const struct iommu_hwpt_pgfault *rec, unsigned int n)
{
	struct iommu_hwpt_pgfault want = expected(n, rec->cookie);

	return !memcmp(rec, &want, sizeof(want));
}

/* Reads one record, which must be request @n.  Returns its cookie. */
static uint32_t read_one(unsigned int n)
{
	struct iommu_hwpt_pgfault rec;

	memset(&rec, 0xa5, sizeof(rec));
	ok(read(queue, &rec, REC) == REC && is_request(&rec, n),
	   "read request %u", n);
	return rec.cookie;
}

static ssize_t answer(uint32_t cookie, uint32_t code)
{
	struct iommu_hwpt_page_response resp = { cookie, code };

	return write(queue, &resp, RESP);
}

static bool is_readable(void)
{
	struct pollfd p = { .fd = queue, .events = POLLIN | POLLOUT };

	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		note("poll: %#x", p.revents);
	return p.revents & POLLIN;
}

static bool is_empty(void)
{
	struct iommu_hwpt_pgfault rec;

	return !is_readable() && !read(queue, &rec, REC);
}

/* A nested page table with a queue, and a device on it */
static void open_queue(void)
{
	uint32_t parent;
	struct mock first;

	fd = iommu_open();
	ioas = ioas_new(fd);
	first = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_PASID);
	parent = hwpt_new(fd, first.idev, ioas,
			  IOMMU_HWPT_ALLOC_NEST_PARENT |
				  IOMMU_HWPT_ALLOC_PASID);
	queue = fault_new(fd, &queue_id);
	hwpt = mock_nested_new(fd, first.idev, parent, IOMMU_HWPT_ALLOC_PASID,
			       queue_id);
	dev = mock_new(fd, hwpt, MOCK_FLAGS_DEVICE_PASID);
}

static void close_queue(void)
{
	close(queue);
	close(fd);
	ok(nothing_left(), "nothing is left");
}

/* ------------------------------------------------------------------ */
/* FAULT_QUEUE_ALLOC */

static unsigned int open_files(void)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i != 100; i++)
		n += fcntl(i, F_GETFD) != -1;
	return n;
}

static int alloc_only(void)
{
	uint32_t id;
	int file;

	return fault_alloc(fd, &id, &file);
}

static int without_files(void *arg)
{
	struct rlimit limit = { 0, 0 };
	struct counts was = counts_get();

	must(!getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 3;
	must(!setrlimit(RLIMIT_NOFILE, &limit));
	must(alloc_only() == -1 && errno == EMFILE);
	limit.rlim_cur = limit.rlim_max;
	must(!setrlimit(RLIMIT_NOFILE, &limit));
	must(counts_same(&was));
	return !!arg;
}

static void set_file_max(const char *value)
{
	int file = open("/proc/sys/fs/file-max", O_WRONLY);

	if (file < 0 || write(file, value, strlen(value)) < 0)
		bail("file-max");
	close(file);
}

static int unprivileged(void *arg)
{
	become_user(31200, -1);
	must(alloc_only() == -1 && errno == ENFILE);
	return !!arg;
}

static void test_alloc(void)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd), .flags = 1 };
	unsigned int files;
	struct counts was;
	char max[32] = "";
	int file;

	open_queue();
	files = open_files();
	refused(ioctl(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd), EOPNOTSUPP, "flag 1");
	cmd.flags = 1U << 31;
	refused(ioctl(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd), EOPNOTSUPP,
		"flag 2^31");
	cmd.flags = 0;
	refused(ioctl_read_only(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd, sizeof(cmd)),
		EFAULT, "an answer that cannot be written");
	ok(open_files() == files, "no file descriptor is left open");
	ok(in_child(without_files, NULL) == 0, "EMFILE");

	file = open("/proc/sys/fs/file-max", O_RDONLY);
	if (file < 0 || read(file, max, sizeof(max) - 1) <= 0)
		bail("file-max");
	close(file);
	was = counts_get();
	set_file_max("1");
	ok(in_child(unprivileged, NULL) == 0, "ENFILE");
	set_file_max(max);
	ok(counts_same(&was), "nothing of it is left");
	ok(fcntl(queue, F_GETFD) & FD_CLOEXEC, "a queue is closed by exec");
	close_queue();
}

/* Queue, page table, device: what needs what */
static void test_order(void)
{
	uint32_t other, id;
	int file;

	open_queue();
	file = fault_new(fd, &other);
	refused(iommu_destroy_id(fd, other), EBUSY,
		"a queue whose file is open");
	close(file);
	ok(!iommu_destroy_id(fd, other), "closed, it goes");
	refused(iommu_destroy_id(fd, queue_id), EBUSY, "one that is used");
	close(queue);
	refused(iommu_destroy_id(fd, queue_id), EBUSY,
		"one that is used and closed");
	fails(request(1), ENODEV, "nobody can read what a device requests");
	id = mock_faulting_new(fd, dev.idev, ioas, 0, queue_id);
	ok(!mock_replace(fd, &dev, id), "another page table on it");
	fails(request(1), ENODEV, "that changes nothing");
	ok(!iommu_destroy_id(fd, hwpt), "destroy the first page table");
	refused(iommu_destroy_id(fd, queue_id), EBUSY, "it is used still");
	ok(!mock_destroy(fd, &dev) && !iommu_destroy_id(fd, id) &&
	   !iommu_destroy_id(fd, queue_id), "device, page table, queue");
	close(fd);
	ok(nothing_left(), "nothing is left");
}

/* The queue's file is all that is left of a context. */
static void test_last(void)
{
	struct iommu_hwpt_pgfault rec[3];

	open_queue();
	ok(!request(1) && !request(2) && !close(fd), "requests, and close");
	ok(iommufd_stat("contexts") == 1, "the context is still there");
	ok(read(queue, rec, sizeof(rec)) == 2 * REC && is_request(&rec[0], 1) &&
	   is_request(&rec[1], 2), "read both");
	ok(answer(rec[1].cookie, IOMMUFD_PAGE_RESP_SUCCESS) == RESP,
	   "answer one");
	close(queue);
	ok(nothing_left(), "nothing is left");
}

/* ------------------------------------------------------------------ */
/* Requests that nobody takes */

static void test_requests(void)
{
	struct iommu_hwpt_pgfault rec;
	struct mock plain;
	uint32_t paging;

	open_queue();
	plain = mock_new(fd, ioas, MOCK_FLAGS_DEVICE_PASID);
	fails(mock_request_page(fd, NO_ID, 0, 0, 1, 0), ENOENT,
	      "of no device");
	fails(mock_request_page(fd, ioas, 0, 0, 1, 0), ENOENT, "of an IOAS");
	fails(mock_request_page(fd, dev.idev, 0, 0, 16, 0), EINVAL,
	      "for something unknown");
	fails(mock_request_page(fd, plain.idev, 0, 0, 1, 0), ENODEV,
	      "without a queue");
	fails(mock_request_page(fd, plain.idev, 5, 0, 1, 0), ENODEV,
	      "with a PASID, without a queue");
	paging = mock_faulting_new(fd, plain.idev, ioas, IOMMU_HWPT_ALLOC_PASID,
				   queue_id);
	ok(!mock_replace(fd, &plain, paging), "give it the queue");
	fails(mock_request_page(fd, plain.idev, 5, 0, 1, 0), ENODEV,
	      "a PASID that is not attached");
	ok(is_empty(), "nothing came");
	ok(!mock_request_page(fd, plain.idev, 0, 7, 1, ADDR), "no PASID");
	ok(read(queue, &rec, REC) == REC && rec.dev_id == plain.idev &&
	   rec.grpid == 7 && rec.addr == ADDR, "it came");
	ok(is_empty(), "and nothing else");
	close_queue();
}

/* A nested page table has the PASIDs of its guest. */
static void test_pasid_record(void)
{
	struct iommu_hwpt_pgfault rec;

	open_queue();
	ok(!mock_request_page(fd, dev.idev, 77, 3, 2, ADDR) &&
	   read(queue, &rec, REC) == REC && rec.pasid == 77 &&
	   rec.flags == (IOMMU_PGFAULT_FLAGS_PASID_VALID |
			 IOMMU_PGFAULT_FLAGS_LAST_PAGE) && !rec.__reserved,
	   "a PASID that only the guest knows");
	ok(answer(rec.cookie, IOMMUFD_PAGE_RESP_INVALID) == RESP, "answer");
	close_queue();
}

/* ------------------------------------------------------------------ */
/* read() (rows 21 and 23) */

static void test_read(void)
{
	struct iommu_hwpt_pgfault rec[4];
	char odd[2 * REC];
	unsigned int i;
	ssize_t got;

	open_queue();
	ok(is_empty(), "an empty queue: read() returns 0");
	for (i = 1; i != 8; i++) {
		if (request(i))
			bail("TRIGGER_IOPF");
	}
	ok(is_readable(), "poll() says that there is something");
	fails(read(queue, rec, 1), EINVAL, "one byte");
	fails(read(queue, rec, REC - 1), EINVAL, "a byte too few");
	fails(pread(queue, rec, REC, 0), ESPIPE, "pread()");
	fails(lseek(queue, 0, SEEK_SET), ESPIPE, "lseek()");
	ok(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, queue, 0) == MAP_FAILED &&
	   errno == ENODEV, "mmap() (row 28)");
	read_one(1);
	memset(rec, 0xa5, sizeof(rec));
	ok(read(queue, rec, 2 * REC) == 2 * REC && is_request(&rec[0], 2) &&
	   is_request(&rec[1], 3), "room for two");
	for (i = 0; i != sizeof(rec[2]); i++) {
		if (((unsigned char *)&rec[2])[i] != 0xa5)
			break;
	}
	ok(i == sizeof(rec[2]), "nothing is written behind them");
	ok(read(queue, odd, sizeof(odd) - 1) == REC, "room for one and a half");
	ok(is_readable(), "there is more");
	got = read(queue, rec, sizeof(rec));
	ok(got >= 3 * REC && is_request(&rec[got / REC - 1], 7),
	   "more room than there is");
	ok(is_empty(), "all were read");
	close_queue();
}

/* Memory that ends in a record: it stays for the next one. */
static void test_read_faults(void)
{
	char *end = mem_before_hole(1), *page = mem_alloc(PAGE);
	struct iommu_hwpt_pgfault rec[3];
	unsigned int i;

	open_queue();
	for (i = 1; i != 4; i++) {
		if (request(i))
			bail("TRIGGER_IOPF");
	}
	fails(read(queue, end + PAGE, REC), EFAULT, "no memory");
	fails(read(queue, end + PAGE - REC + 1, REC), EFAULT,
	      "memory that ends in the first");
	fails(read(queue, (void *)(0 - PAGE), REC), EFAULT, "kernel memory");
	ok(!mprotect(page, PAGE, PROT_READ), "read-only memory");
	fails(read(queue, page, REC), EFAULT, "read to it");
	ok(is_readable(), "they are still there");
	ok(read(queue, end + PAGE - REC - 8, 3 * REC) == REC &&
	   is_request((void *)(end + PAGE - REC - 8), 1),
	   "memory that ends in the second: one is read");
	fails(read(queue, end + PAGE - 8, 2 * REC), EFAULT, "again: none is");
	ok(read(queue, rec, sizeof(rec)) == 2 * REC && is_request(&rec[0], 2) &&
	   is_request(&rec[1], 3), "the others, whole and in order");
	ok(is_empty(), "none came twice");
	munmap(end, 2 * PAGE);
	munmap(page, PAGE);
	close_queue();
}

/* A buffer that goes while it is read into */
struct unmapper {
	pthread_t thread;
	char *mem;
	volatile bool stop;
};

static void *unmap_thread(void *arg)
{
	struct unmapper *u = arg;

	while (!u->stop) {
		mprotect(u->mem, PAGE, PROT_NONE);
		mprotect(u->mem, PAGE, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

static void test_read_unmap(void)
{
	struct unmapper u = { .mem = mem_alloc(PAGE) };
	struct iommu_hwpt_pgfault *rec = (void *)u.mem, last;
	unsigned int i, n = 0, gone = 0, bad = 0;
	ssize_t got;

	open_queue();
	if (pthread_create(&u.thread, NULL, unmap_thread, &u))
		bail("pthread_create");
	for (i = 0; i != 300; i++)
		bad += request(i) != 0;
	while (n != 300) {
		got = read(queue, rec, 7 * REC);
		if (got > 0)
			n += got / REC;
		else if (got == -1 && errno == EFAULT)
			gone++;
		else
			break;
		bad += got > 0 && got % REC;
	}
	u.stop = true;
	pthread_join(u.thread, NULL);
	ok(n == 300 && !bad && !read(queue, &last, REC),
	   "a buffer that comes and goes: each is read once (%u, %u EFAULT)",
	   n, gone);
	munmap(u.mem, PAGE);
	close_queue();
}

/*
 * Row 21: the reader waits for its own memory, and nobody waits for the reader.
 * What it was about to read goes meanwhile, and another one comes, perhaps with
 * the same cookie.
 */
static int read_stalled(void *arg)
{
	struct iommu_hwpt_pgfault *rec;
	struct stall *s = arg;

	rec = stall_map(s);
	must(rec);
	stall_child(s);
	must(read(queue, rec, REC) == REC);
	must(is_request(rec, 1));
	must(read(queue, rec, REC) == REC);
	must(rec->grpid == 9);
	must(answer(rec->cookie, 0) == RESP);
	must(read(queue, rec, REC) == 0);
	return 0;
}

static void test_read_stall(void)
{
	static struct stall s;
	struct mock second;
	int status;
	pid_t pid;

	open_queue();
	second = mock_new(fd, ioas, 0);
	stall_start(&s, STALL_FILE);
	ok(!request(1), "a request");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		_exit(read_stalled(&s));
	stall_wait(&s, pid);
	ok(!request(2), "while a reader waits for its memory: a request");
	ok(is_readable(), "poll()");
	fails(answer(1, 0), EINVAL, "an answer to what nobody has read");
	ok(!mock_destroy(fd, &dev), "the device goes, and its requests");
	ok(!is_readable(), "nothing is left to read");
	ok(!mock_replace(fd, &second, hwpt) &&
	   !mock_request_page(fd, second.idev, 0, 9, 1, ADDR) && is_readable(),
	   "another device comes, and a request of it");
	stall_release(&s);
	ok(waitpid(pid, &status, 0) == pid && !status,
	   "the reader gets what it was about to get, and then the new one");
	ok(is_empty(), "that was all");
	stall_stop(&s);
	close_queue();
}

/* ------------------------------------------------------------------ */
/* write() */

static void test_answers(void)
{
	uint32_t cookie[4], i;

	open_queue();
	fails(answer(0, 0), EINVAL, "cookie 0");
	fails(answer(1, 0), EINVAL, "a cookie that there is not");
	fails(answer(UINT32_MAX, 0), EINVAL, "cookie 2^32 - 1");
	for (i = 1; i != 4; i++) {
		if (request(i))
			bail("TRIGGER_IOPF");
	}
	for (i = 0; i != 100; i++) {
		if (answer(i, 0) != -1 || errno != EINVAL)
			break;
	}
	ok(i == 100, "guessed cookies of what nobody has read (%u)", i);
	for (i = 1; i != 4; i++)
		cookie[i] = read_one(i);
	ok(cookie[1] != cookie[2] && cookie[2] != cookie[3] &&
	   cookie[1] != cookie[3], "cookies differ");
	fails(answer(cookie[2], 2), EINVAL, "code 2");
	fails(answer(cookie[2], UINT32_MAX), EINVAL, "code 2^32 - 1");
	ok(answer(cookie[2], IOMMUFD_PAGE_RESP_SUCCESS) == RESP,
	   "answer the second");
	fails(answer(cookie[2], IOMMUFD_PAGE_RESP_SUCCESS), EINVAL,
	      "answer it again");
	ok(answer(cookie[1], IOMMUFD_PAGE_RESP_INVALID) == RESP &&
	   answer(cookie[3], IOMMUFD_PAGE_RESP_SUCCESS) == RESP,
	   "the first and the third");
	fails(answer(cookie[1], 0), EINVAL, "the first again");
	ok(is_empty(), "nothing comes of it");
	close_queue();
}

/* Parts of arrays: what is good before what is bad is done, and counted. */
static void test_write(void)
{
	struct iommu_hwpt_page_response resp[4] = {}, *edge;
	char *end = mem_before_hole(1);
	struct iommu_hwpt_pgfault rec[6];
	unsigned int i;

	open_queue();
	for (i = 0; i != 6; i++) {
		if (request(i))
			bail("TRIGGER_IOPF");
	}
	ok(read(queue, rec, sizeof(rec)) == 6 * REC, "six requests");
	fails(write(queue, resp, RESP - 1), EINVAL, "a byte too few");
	fails(write(queue, resp, RESP + 1), EINVAL, "a byte too many");
	fails(write(queue, end + PAGE, RESP), EFAULT, "no memory");
	fails(write(queue, end + PAGE - 4, RESP), EFAULT,
	      "memory that ends in it");
	fails(pwrite(queue, resp, RESP, 0), ESPIPE, "pwrite()");
	ok(write(queue, resp, 0) == 0, "nothing at all");

	resp[0].cookie = rec[0].cookie;
	resp[1].cookie = rec[0].cookie;
	resp[2].cookie = rec[1].cookie;
	ok(write(queue, resp, 3 * RESP) == RESP,
	   "one good one, the same again, another one");
	fails(write(queue, resp, 3 * RESP), EINVAL, "once more: none");
	ok(answer(rec[1].cookie, 0) == RESP, "the third was not answered");
	resp[0].cookie = rec[2].cookie;
	resp[0].code = 7;
	resp[1].cookie = rec[2].cookie;
	fails(write(queue, resp, 2 * RESP), EINVAL, "a bad code first");
	edge = (void *)(end + PAGE - RESP);
	edge->cookie = rec[2].cookie;
	edge->code = IOMMUFD_PAGE_RESP_SUCCESS;
	ok(write(queue, edge, 3 * RESP) == RESP,
	   "memory that ends behind the first");
	fails(answer(rec[2].cookie, 0), EINVAL, "that was answered");
	for (i = 3; i != 6; i++)
		resp[i - 3] = (struct iommu_hwpt_page_response){
			rec[i].cookie, IOMMUFD_PAGE_RESP_INVALID,
		};
	ok(write(queue, resp, 3 * RESP) == 3 * RESP, "three good ones");
	munmap(end, 2 * PAGE);
	close_queue();
}

/* ------------------------------------------------------------------ */
/* Requests that lose whom they are for */

static void test_gone(void)
{
	struct iommu_hwpt_pgfault rec[4];
	uint32_t other, cookie;

	open_queue();
	ok(!request(1) && !request(2) && !request(3), "three requests");
	cookie = read_one(1);
	ok(!mock_replace(fd, &dev, ioas), "the device moves elsewhere");
	ok(is_empty(), "those that nobody has read are gone");
	fails(answer(cookie, 0), EINVAL, "and the one that was read");
	fails(request(4), ENODEV, "and no more come");
	ok(!mock_replace(fd, &dev, hwpt) && !request(5), "it comes back");
	cookie = read_one(5);
	ok(answer(cookie, 0) == RESP, "answer");

	other = mock_faulting_new(fd, dev.idev, ioas, 0, queue_id);
	ok(!request(6) && !mock_replace(fd, &dev, other) && is_empty(),
	   "the same queue, another page table: what was asked is answered");
	ok(!request(7), "a request there");
	ok(read(queue, rec, sizeof(rec)) == REC && is_request(&rec[0], 7),
	   "is what comes");
	ok(!mock_destroy(fd, &dev), "the device goes");
	fails(answer(rec[0].cookie, 0), EINVAL, "its request is gone");
	close_queue();

	open_queue();
	ok(!request(1) && !request(2), "two requests");
	read_one(1);
	ok(!close(queue), "the queue is closed");
	fails(request(3), ENODEV, "and takes no more");
	ok(!mock_destroy(fd, &dev) && !iommu_destroy_id(fd, hwpt) &&
	   !iommu_destroy_id(fd, queue_id), "all can go");
	close(fd);
	ok(nothing_left(), "nothing is left");
}

static void test_full(void)
{
	struct iommu_hwpt_pgfault rec;
	unsigned int n = 0;

	open_queue();
	while (n != QUEUE_MAX + 1 && !request(n))
		n++;
	ok(n == QUEUE_MAX && errno == EBUSY, "a queue is full (%u)", n);
	ok(read(queue, &rec, REC) == REC && is_request(&rec, 0), "read one");
	fails(request(1), EBUSY, "it is still to be answered");
	ok(answer(rec.cookie, 0) == RESP && !request(1), "answered: one more");
	fails(request(1), EBUSY, "but not two");
	close_queue();
}

/* ------------------------------------------------------------------ */
/* poll() wakes */

static void *poll_thread(void *arg)
{
	struct pollfd p = { .fd = queue, .events = POLLIN };

	*(int *)arg = poll(&p, 1, -1) == 1 && p.revents == POLLIN;
	return NULL;
}

static void test_poll(void)
{
	pthread_t thread;
	int woken = 0;

	open_queue();
	if (pthread_create(&thread, NULL, poll_thread, &woken))
		bail("pthread_create");
	/* It waits, or is about to: either way it must see the request. */
	usleep(10000);
	ok(!request(1), "a request");
	pthread_join(thread, NULL);
	ok(woken, "wakes who waits in poll()");
	close_queue();
}

/* ------------------------------------------------------------------ */
/* Races */

#define REQUESTS 1500

static atomic_bool done;
static atomic_uint answered, delivered;

/* Reads, and answers what it read, and what others did. */
static void *serve_thread(void *arg)
{
	unsigned int *bad = arg, i;
	struct iommu_hwpt_pgfault rec[5];
	bool all_sent;
	ssize_t got;

	do {
		/* Before: what is sent after an empty read is for the next one. */
		all_sent = atomic_load(&done);
		got = read(queue, rec, sizeof(rec));
		if (got < 0 || got % REC) {
			*bad += 1;
			continue;
		}
		atomic_fetch_add(&delivered, got / REC);
		for (i = 0; i != got / REC; i++) {
			if (answer(rec[i].cookie, i % 2) == RESP)
				atomic_fetch_add(&answered, 1);
			/* Twice is once too often, unless it is another's now. */
			if (answer(rec[i].cookie, 0) == RESP)
				atomic_fetch_add(&answered, 1);
		}
	} while (got || !all_sent);
	return NULL;
}

static void test_race_readers(void)
{
	pthread_t threads[2];
	unsigned int bad[2] = {}, i, sent = 0;

	open_queue();
	atomic_store(&done, false);
	atomic_store(&answered, 0);
	atomic_store(&delivered, 0);
	for (i = 0; i != 2; i++) {
		if (pthread_create(&threads[i], NULL, serve_thread, &bad[i]))
			bail("pthread_create");
	}
	while (sent != REQUESTS) {
		if (!request(sent))
			sent++;
	}
	atomic_store(&done, true);
	for (i = 0; i != 2; i++)
		pthread_join(threads[i], NULL);
	ok(!bad[0] && !bad[1] && atomic_load(&delivered) == REQUESTS &&
	   atomic_load(&answered) == REQUESTS,
	   "two readers: each request is read once and answered once (%u, %u)",
	   atomic_load(&delivered), atomic_load(&answered));
	close_queue();
}

static void *move_thread(void *arg)
{
	struct mock *m = arg;
	unsigned int good = 0;

	while (!atomic_load(&done))
		good += !mock_replace(fd, m, ioas) && !mock_replace(fd, m, hwpt);
	return good ? NULL : arg;
}

/* Requests, readers, moves, and in the end the queue is closed under all. */
static void test_race_all(void)
{
	pthread_t threads[2];
	unsigned int i, bad = 0, sent = 0;
	void *failed;

	open_queue();
	atomic_store(&done, false);
	if (pthread_create(&threads[0], NULL, serve_thread, &bad) ||
	    pthread_create(&threads[1], NULL, move_thread, &dev))
		bail("pthread_create");
	for (i = 0; i != REQUESTS; i++)
		sent += !request(i);
	atomic_store(&done, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], &failed);
	ok(!bad && sent && !failed, "a device that moves while it asks (%u)",
	   sent);
	close_queue();
}

static void *close_thread(void *arg)
{
	usleep(*(unsigned int *)arg);
	close(queue);
	return NULL;
}

static void test_race_close(void)
{
	unsigned int i, j, delay, refused_late = 0;
	pthread_t thread;

	for (i = 0; i != 20; i++) {
		open_queue();
		delay = 100 * i;
		if (pthread_create(&thread, NULL, close_thread, &delay))
			bail("pthread_create");
		for (j = 0; j != 200 && !request(j); j++)
			;
		refused_late += j != 200 && errno != ENODEV;
		pthread_join(thread, NULL);
		close(fd);
		iommufd_stat_wait("contexts", 0);
	}
	ok(!refused_late && nothing_left(),
	   "queues that are closed while devices ask (%u odd)", refused_late);
}

int main(void)
{
	test_alloc();
	test_order();
	test_last();
	test_requests();
	test_pasid_record();
	test_read();
	test_read_faults();
	test_read_unmap();
	test_read_stall();
	test_answers();
	test_write();
	test_gone();
	test_full();
	test_poll();
	test_race_readers();
	test_race_all();
	test_race_close();
	return tap_done();
}
