// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long PASIDs and binds live, who may use them and how many there may be: windows
 * and quotas, several containers of a process, fork, exec, processes that want the same
 * PASIDs, threads that do everything at once, SIGKILL.
 *
 * On a real IOMMU (with a shadow, which binds nothing but requests without a PASID), or
 * with --mock.  After each part nothing is left.
 *
 * usage: nesting_life [--mock] [--kills N] [--rounds N] [--pasids N] [--seed N]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "cap_util.h"
#include "iommu_util.h"
#include "nesting_dev.h"
#include "pgtable_util.h"

/* Where the mock can map, too */
#define GPA 0x2000000ULL
#define GUEST_SIZE (32 * PAGE)
#define SRC 0x10000000ULL
#define DST (SRC + PAGE)
/* Present in no table */
#define HOLE (SRC + 2 * PAGE)
#define BYTES 256
#define PASID_MAX 0xfffffU
#define TYPE VFIO_TYPE1_NESTING_IOMMU
#define CACHES (IOMMU_CACHE_INV_TYPE_IOTLB | IOMMU_CACHE_INV_TYPE_PASID)

static bool mock;
static const char *self;
static struct nesting_dev devs[2];
static struct guest_mem mem;
static struct pgtable pt;
static uint8_t *src, *dst;

/* Shared by all processes of the test, so that each sees what DMA does */
static void *shared_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		bail("mmap of %zu bytes", size);
	return p;
}

static void make_guest(void)
{
	uint64_t data;

	mem = (struct guest_mem){ shared_pages(GUEST_SIZE), GPA, GUEST_SIZE, 0 };
	pt = pgtable_new(&mem, 48);
	data = guest_alloc(&mem, 2 * PAGE);
	pgtable_map(&pt, SRC, data, 2 * PAGE, PT_ALL);
	src = guest_va(&mem, data);
	dst = src + PAGE;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void all_gone(const char *what)
{
	static const char *const names[] = {
		"contexts", "objects", "areas", "pages", "pinned_pages", "pasids",
	};
	unsigned int i;

	/* What is in vain is ended by the runner's timeout, which shows this. */
	note("%s: waiting until nothing is left", what);
	for (i = 0; i != sizeof(names) / sizeof(names[0]); i++)
		iommufd_stat_wait(names[i], 0);
	ok(true, "%s: nothing is left", what);
}

/* ------------------------------------------------------------------ */
/* Devices, and what is bound for them */

struct dma_dev {
	int fd;
	struct edu edu;
};

static struct dma_dev dev_open(const struct nesting_box *box, unsigned int i)
{
	struct dma_dev dev = { .fd = device_fd(box->groups[i], devs[i].name) };

	if (dev.fd < 0)
		bail("VFIO_GROUP_GET_DEVICE_FD %s", devs[i].name);
	if (!mock && edu_init(&dev.edu, dev.fd))
		bail("setting up %s", devs[i].name);
	return dev;
}

static void dev_close(struct dma_dev *dev)
{
	edu_unmap_bar(&dev->edu);
	close(dev->fd);
}

static bool mock_dma(const struct dma_dev *dev, uint32_t pasid, uint32_t flags,
		     uint64_t iova, void *buf)
{
	struct iommu_mock_dma dma;

	return !mock_vfio_dma(dev->fd, &dma, pasid, flags, iova, buf, BYTES) &&
	       !dma.out_faulted;
}

/* What the guest's table shows at SRC comes to what it shows at DST. */
static bool dma_works(const struct dma_dev *dev, uint32_t pasid)
{
	static uint32_t seed;
	uint8_t buf[BYTES];

	fill_pattern(src, BYTES, ++seed);
	memset(dst, 0, BYTES);
	if (!mock)
		edu_copy(&dev->edu, SRC, DST, BYTES);
	else if (!mock_dma(dev, pasid, 0, SRC, buf) ||
		 !mock_dma(dev, pasid, IOMMU_MOCK_DMA_WRITE, DST, buf))
		return false;
	return check_pattern(dst, BYTES, seed) == -1;
}

/* Bind the guest's table; the IOMMU may remember that nothing was bound. */
static int bind_guest(int container, uint32_t pasid)
{
	int rc = bind_table(container, pasid, pt.root, pt.width);

	if (rc)
		return rc;
	return pasid ? inv_pasid(container, CACHES, pasid) :
		       inv_domain(container, CACHES);
}

static struct nesting_box box_with_guest(const struct nesting_dev *with, int n)
{
	struct nesting_box box = box_open(TYPE, with, n);

	if (dma_map(box.fd, GPA, mem.va, GUEST_SIZE))
		bail("VFIO_IOMMU_MAP_DMA");
	return box;
}

static uint32_t new_pasid(int container)
{
	uint32_t pasid;

	if (pasid_alloc(container, 1, PASID_MAX, &pasid))
		bail("VFIO_IOMMU_PASID_REQUEST");
	return pasid;
}

/* ------------------------------------------------------------------ */
/* Windows and quotas */

static unsigned int alloc_many(int container, uint32_t min, uint32_t max,
			       uint32_t *pasids, unsigned int room)
{
	unsigned int n;

	for (n = 0; n != room; n++)
		if (pasid_alloc(container, min, max, &pasids[n]))
			break;
	return n;
}

/* Within the window, each of them once */
static bool all_different(const uint32_t *pasids, unsigned int n, uint32_t min,
			  uint32_t max)
{
	static uint8_t seen[(PASID_MAX + 1) / 8];
	unsigned int i;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i != n; i++) {
		if (pasids[i] < min || pasids[i] > max ||
		    seen[pasids[i] / 8] & 1U << pasids[i] % 8)
			return false;
		seen[pasids[i] / 8] |= 1U << pasids[i] % 8;
	}
	return true;
}

static void test_windows(void)
{
	struct nesting_box box = box_open(TYPE, devs, 1);
	uint32_t pasids[32], again = 0;

	ok(alloc_many(box.fd, 1000, 1015, pasids, 32) == 16 && errno == ENOSPC,
	   "a window of 16 has 16 PASIDs, then ENOSPC");
	ok(all_different(pasids, 16, 1000, 1015), "and each of them once");
	ok(!pasid_alloc(box.fd, 990, 1020, &again) && (again < 1000 || again > 1015),
	   "a larger window has more");
	ok(!pasid_free(box.fd, again) && !pasid_free(box.fd, 1007), "FREE");
	ok(!pasid_alloc(box.fd, 1000, 1015, &again) && again == 1007,
	   "the one that was freed is there again");
	ok(iommufd_stat("pasids") == 16, "debugfs counts them");
	ok(alloc_many(box.fd, PASID_MAX - 3, UINT32_MAX, pasids, 32) == 4 &&
	   errno == ENOSPC && all_different(pasids, 4, PASID_MAX - 3, PASID_MAX),
	   "PASIDs have 20 bits");
	fails(pasid_alloc(box.fd, 0, 0, &again), ENOSPC, "0 is none");
	box_close(&box);
	all_gone("windows");
}

static int child_without_cap(void *arg)
{
	const struct nesting_box *box = arg;

	cap_drop(CAP_SYS_RESOURCE);
	must(pasid_quota(box->fd, 1001) == -1 && errno == EPERM);
	must(pasid_quota(box->fd, 1000) == 1000);
	must(pasid_quota(box->fd, 1000000) == -1 && errno == EPERM);
	return 0;
}

static void test_quota(unsigned int many)
{
	struct nesting_box box = box_open(TYPE, devs, 1);
	uint32_t *pasids = calloc(many + 1, sizeof(*pasids)), extra;
	unsigned int n, i;

	if (!pasids)
		bail("calloc");
	ok(pasid_quota(box.fd, 50) == 50, "quota 50");
	ok(alloc_many(box.fd, 1, PASID_MAX, pasids, 60) == 50 && errno == ENOSPC,
	   "50 PASIDs, then ENOSPC");
	fails(pasid_quota(box.fd, 49), EINVAL, "below what is held");
	fails(pasid_quota(box.fd, 0), EINVAL, "none");
	ok(pasid_quota(box.fd, 50) == 50, "what is held");
	ok(!pasid_free(box.fd, pasids[49]) && pasid_quota(box.fd, 49) == 49,
	   "one less");
	fails(pasid_alloc(box.fd, 1, PASID_MAX, &extra), ENOSPC, "at the quota");
	ok(!in_child(child_without_cap, &box),
	   "no more than the default without CAP_SYS_RESOURCE");
	ok(pasid_quota(box.fd, many) == (int)many, "with it");
	n = 49 + alloc_many(box.fd, 1, PASID_MAX, pasids + 49, many + 1 - 49);
	ok(n == many && errno == ENOSPC, "%u PASIDs, then ENOSPC", many);
	ok(all_different(pasids, n, 1, PASID_MAX), "and each of them once");
	ok(iommufd_stat("pasids") == many, "debugfs counts them");
	for (i = 0; i < n / 2 && !pasid_free(box.fd, pasids[i]); i++)
		;
	ok(i == n / 2 && iommufd_stat("pasids") == n - n / 2, "half of them freed");
	free(pasids);
	box_close(&box);
	all_gone("quota");
}

/* ------------------------------------------------------------------ */
/* Who may free what */

static int child_other(void *arg)
{
	uint32_t pasid = *(uint32_t *)arg;
	struct nesting_box box = box_open(TYPE, &devs[1], 1);

	must(pasid_free(box.fd, pasid) == -1 && errno == EACCES);
	must(inv_pasid(box.fd, CACHES, pasid) == -1 && errno == EACCES);
	must(!mock || (bind_table(box.fd, pasid, GPA, 48) == -1 && errno == EACCES));
	must(pasid_alloc(box.fd, pasid, pasid, &pasid) == -1 && errno == ENOSPC);
	must(pasid_free(box.fd, pasid ^ 0x80000) == -1 && errno == ENOENT);
	/* The rest is for exit. */
	return 0;
}

static void test_free(void)
{
	struct nesting_box box = box_with_guest(devs, 1);
	uint32_t pasid = new_pasid(box.fd);
	struct dma_dev dev = dev_open(&box, 0);

	if (mock) {
		ok(!bind_guest(box.fd, pasid) && dma_works(&dev, pasid),
		   "BIND, and DMA with the PASID");
		fails(pasid_free(box.fd, pasid), EBUSY, "FREE while it is bound");
		ok(dma_works(&dev, pasid), "DMA goes on");
		ok(!unbind_table(box.fd, pasid) && !dma_works(&dev, pasid),
		   "UNBIND ends it");
	} else {
		fails(bind_guest(box.fd, pasid), EOPNOTSUPP,
		      "BIND with a PASID, behind a shadow");
	}
	ok(!in_child(child_other, &pasid), "another process may not");
	ok(!pasid_free(box.fd, pasid), "FREE");
	fails(pasid_free(box.fd, pasid), ENOENT, "and again");
	fails(inv_pasid(box.fd, CACHES, pasid), ENOENT, "nobody has it");
	ok(!bind_guest(box.fd, 0) && dma_works(&dev, 0), "BIND without a PASID");
	dev_close(&dev);
	box_close(&box);
	all_gone("free");
}

/* Two containers of one process have PASIDs and quota together. */
static void test_two_containers(void)
{
	struct nesting_box a = box_with_guest(&devs[0], 1);
	struct nesting_box b = box_with_guest(&devs[1], 1);
	uint32_t one = new_pasid(a.fd), two = new_pasid(b.fd), extra;

	ok(pasid_quota(a.fd, 2) == 2, "a quota of two");
	fails(pasid_alloc(b.fd, 1, PASID_MAX, &extra), ENOSPC,
	      "holds for the other container");
	fails(pasid_quota(b.fd, 1), EINVAL, "and so does what is held");
	ok(!inv_pasid(b.fd, CACHES, one), "the other may invalidate it");
	if (mock) {
		ok(!bind_guest(b.fd, one), "and bind it");
		fails(pasid_free(a.fd, one), EBUSY, "EBUSY in the first");
		ok(!bind_guest(a.fd, one), "bound in both");
		ok(!unbind_table(b.fd, one), "UNBIND in one");
		fails(pasid_free(b.fd, one), EBUSY, "still EBUSY");
	}
	box_close(&a);
	ok(iommufd_stat("pasids") == 2, "one is closed: the PASIDs stay");
	ok(!pasid_free(b.fd, one), "its binds do not");
	ok(pasid_quota(b.fd, 1000) == 1000 && !inv_pasid(b.fd, CACHES, two),
	   "the other goes on");
	box_close(&b);
	all_gone("two containers");
}

/* ------------------------------------------------------------------ */
/* fork */

static struct {
	struct nesting_box box;
	uint32_t pasid[3];
} *family;

static int child_of_family(void *unused)
{
	int fd = family->box.fd;
	struct nesting_box own;
	uint32_t other, extra;

	(void)unused;
	must(!pasid_alloc(fd, 1, PASID_MAX, &family->pasid[2]));
	must(iommufd_stat("pasids") == 3);
	must(pasid_alloc(fd, 1, PASID_MAX, &extra) == -1 && errno == ENOSPC);
	must(!pasid_free(fd, family->pasid[1]));

	/* A container of its own has other PASIDs, and another quota. */
	own = box_open(TYPE, &devs[1], 1);
	must(pasid_free(own.fd, family->pasid[2]) == -1 && errno == EACCES);
	must(pasid_quota(own.fd, 1) == 1);
	must(!pasid_alloc(own.fd, 1, PASID_MAX, &other));
	must(pasid_alloc(own.fd, 1, PASID_MAX, &extra) == -1 && errno == ENOSPC);
	must(pasid_free(fd, other) == -1 && errno == EACCES);
	must(iommufd_stat("pasids") == 3);
	return 0;
}

static void test_fork(void)
{
	family->box = box_open(TYPE, devs, 1);
	family->pasid[0] = new_pasid(family->box.fd);
	family->pasid[1] = new_pasid(family->box.fd);
	ok(pasid_quota(family->box.fd, 3) == 3, "a quota of three");
	ok(!in_child(child_of_family, NULL),
	   "a child acts on its parent's PASIDs, and has its own");
	iommufd_stat_wait("contexts", 1);
	iommufd_stat_wait("pasids", 2);
	note("it has gone: the parent's are there");
	ok(!pasid_free(family->box.fd, family->pasid[2]),
	   "and so is what it got for the parent");
	fails(pasid_free(family->box.fd, family->pasid[1]), ENOENT,
	      "not what it freed");
	box_close(&family->box);
	all_gone("fork");
}

/* Its parent is gone: all that it inherited goes on until it closes that. */
static int orphan(pid_t parent)
{
	struct dma_dev dev;
	uint32_t extra;

	while (getppid() == parent)
		usleep(1000);
	must(iommufd_stat("pasids") == 1);
	dev = dev_open(&family->box, 0);
	must(dma_works(&dev, 0));
	must(!mock || dma_works(&dev, family->pasid[0]));
	must(!pasid_alloc(family->box.fd, 1, PASID_MAX, &extra));
	must(!mock || !bind_guest(family->box.fd, extra));
	must(!mock || dma_works(&dev, extra));
	dev_close(&dev);
	box_close(&family->box);
	iommufd_stat_wait("contexts", 0);
	iommufd_stat_wait("pasids", 0);
	return 0;
}

static int parent_of_orphan(int *child, bool killed)
{
	pid_t me = getpid(), pid;

	family->box = box_with_guest(devs, 1);
	family->pasid[0] = new_pasid(family->box.fd);
	must(!bind_guest(family->box.fd, 0));
	must(!mock || !bind_guest(family->box.fd, family->pasid[0]));
	pid = fork();
	must(pid >= 0);
	if (!pid)
		_exit(orphan(me));
	if (write(child[1], &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	if (killed)
		kill(me, SIGKILL);
	return 0;
}

static void test_orphan(bool killed)
{
	int child[2];
	pid_t pid, grandchild = -1;

	/* The orphan becomes a child of this process. */
	if (pipe(child) || prctl(PR_SET_CHILD_SUBREAPER, 1))
		bail("pipe");
	pid = fork_child();
	if (!pid)
		_exit(parent_of_orphan(child, killed));
	ok(read(child[0], &grandchild, sizeof(grandchild)) == sizeof(grandchild),
	   "a process has a container, binds, and a child");
	ok(wait_child(pid) == (killed ? -1 : 0), "it %s",
	   killed ? "is killed" : "exits");
	ok(grandchild > 0 && !wait_child(grandchild),
	   "PASIDs and binds are its child's, which closes last");
	close(child[0]);
	close(child[1]);
	all_gone("orphan");
}

/* ------------------------------------------------------------------ */
/* exec */

/*
 * The program that comes after.  PASIDs belong to the address space that called
 * SET_IOMMU: the container that was kept still acts on those of the old one, and a new
 * container has none of them.
 */
static int after_exec(char **argv)
{
	int container = atoi(argv[0]), group = atoi(argv[1]);
	uint32_t one = atoi(argv[2]), two = atoi(argv[3]), extra, own;
	struct nesting_box box;

	must(iommufd_stat("pasids") == 2);
	must(!pasid_free(container, two));
	must(!mock || (pasid_free(container, one) == -1 && errno == EBUSY));
	must(!pasid_alloc(container, 1, PASID_MAX, &extra));
	must(pasid_quota(container, 2) == 2);

	box = box_open(TYPE, &devs[1], 1);
	must(pasid_free(box.fd, one) == -1 && errno == EACCES);
	must(pasid_quota(box.fd, 1) == 1);
	must(!pasid_alloc(box.fd, 1, PASID_MAX, &own));
	must(pasid_free(container, own) == -1 && errno == EACCES);
	must(!mock || !unbind_table(container, one));
	close(group);
	close(container);
	iommufd_stat_wait("contexts", 1);
	must(iommufd_stat("pasids") == 1);
	must(!pasid_free(box.fd, own));
	return 0;
}

static void keep_over_exec(int fd)
{
	if (fcntl(fd, F_SETFD, 0))
		bail("fcntl");
}

static int child_execs(void *arg)
{
	const char *what = *(bool *)arg ? "--after-exec" : "--after-closing-exec";
	struct nesting_box box = box_with_guest(devs, 1);
	uint32_t pasid = new_pasid(box.fd);
	char text[4][16];

	must(!mock || !bind_guest(box.fd, pasid));
	must(!bind_guest(box.fd, 0));
	snprintf(text[0], sizeof(text[0]), "%d", box.fd);
	snprintf(text[1], sizeof(text[1]), "%d", box.groups[0]);
	snprintf(text[2], sizeof(text[2]), "%u", pasid);
	snprintf(text[3], sizeof(text[3]), "%u", new_pasid(box.fd));
	if (*(bool *)arg) {
		keep_over_exec(box.fd);
		keep_over_exec(box.groups[0]);
	}
	execl(self, self, mock ? "--mock" : "--edu", what, text[0], text[1],
	      text[2], text[3], NULL);
	return 4;
}

static void test_exec(void)
{
	bool keep = true;

	ok(!in_child(child_execs, &keep),
	   "exec that keeps files: PASIDs stay with the container");
	all_gone("exec");
	keep = false;
	ok(!in_child(child_execs, &keep), "exec that closes files: PASIDs go");
	all_gone("closing exec");
}

/* ------------------------------------------------------------------ */
/* Processes that want the same PASIDs */

#define FIRST 5000U
#define WINDOW 16U
#define FIGHTERS 4U
/* More than there are, all together */
#define WANTED 8U

struct fight {
	atomic_uint holder[WINDOW];	/* 0: none */
	atomic_int held;		/* never more than there really are */
	atomic_uint allocated, full, wrong, done;
	atomic_bool end;
};

struct fighter {
	pthread_t thread;
	struct fight *fight;
	unsigned int id, rounds;
	int container;
	uint64_t rng;
	uint32_t mine[WANTED];
	unsigned int n;
};

static void fighter_alloc(struct fighter *f)
{
	struct fight *fight = f->fight;
	unsigned int none = 0;
	uint32_t pasid;

	if (f->n == WANTED)
		return;
	if (pasid_alloc(f->container, FIRST, FIRST + WINDOW - 1, &pasid)) {
		atomic_fetch_add(errno == ENOSPC ? &fight->full : &fight->wrong, 1);
		return;
	}
	if (pasid - FIRST >= WINDOW ||
	    !atomic_compare_exchange_strong(&fight->holder[pasid - FIRST], &none,
					    f->id) ||
	    atomic_fetch_add(&fight->held, 1) >= (int)WINDOW)
		atomic_fetch_add(&fight->wrong, 1);
	atomic_fetch_add(&fight->allocated, 1);
	f->mine[f->n++] = pasid;
}

static void fighter_free(struct fighter *f)
{
	unsigned int i, me = f->id;

	if (!f->n)
		return;
	i = next_random(&f->rng) % f->n;
	atomic_fetch_sub(&f->fight->held, 1);
	if (!atomic_compare_exchange_strong(&f->fight->holder[f->mine[i] - FIRST],
					    &me, 0) ||
	    pasid_free(f->container, f->mine[i]))
		atomic_fetch_add(&f->fight->wrong, 1);
	f->mine[i] = f->mine[--f->n];
}

/* Whoever's it is */
static void fighter_invalidate(struct fighter *f)
{
	if (inv_pasid(f->container, CACHES,
		      FIRST + next_random(&f->rng) % WINDOW) &&
	    errno != EACCES && errno != ENOENT)
		atomic_fetch_add(&f->fight->wrong, 1);
}

static void *fighter_main(void *arg)
{
	struct fighter *f = arg;
	unsigned int i;

	for (i = 0; i != f->rounds; i++) {
		switch (next_random(&f->rng) % 8) {
		case 0 ... 3:
			fighter_alloc(f);
			break;
		case 4 ... 6:
			fighter_free(f);
			break;
		default:
			fighter_invalidate(f);
		}
	}
	atomic_fetch_add(&f->fight->done, 1);
	return NULL;
}

/* With two threads; leaves what it has to exit, or to SIGKILL. */
static void fight_process(struct fight *fight, unsigned int i,
			  unsigned int rounds)
{
	struct nesting_box box = box_open(TYPE, &devs[i], 1);
	struct fighter f[2] = {};
	unsigned int j;

	for (j = 0; j != 2; j++) {
		f[j] = (struct fighter){
			.fight = fight,
			.id = 1 + 2 * i + j,
			.rounds = rounds,
			.container = box.fd,
			.rng = 0x9e3779b97f4a7c15ULL * (3 + 2 * i + j),
		};
		if (pthread_create(&f[j].thread, NULL, fighter_main, &f[j]))
			bail("pthread_create");
	}
	for (j = 0; j != 2; j++)
		pthread_join(f[j].thread, NULL);
	while (!atomic_load(&fight->end))
		usleep(1000);
	if (i)
		kill(getpid(), SIGKILL);
}

static void test_fight(unsigned int rounds)
{
	struct fight *fight = shared_pages(sizeof(*fight));
	pid_t pid[2];
	unsigned int i;

	for (i = 0; i != 2; i++) {
		pid[i] = fork_child();
		if (!pid[i]) {
			fight_process(fight, i, rounds);
			_exit(0);
		}
	}
	while (atomic_load(&fight->done) != FIGHTERS && !waitpid(-1, NULL, WNOHANG))
		usleep(1000);
	ok(atomic_load(&fight->done) == FIGHTERS, "two processes fight for PASIDs");
	ok(iommufd_stat("pasids") == (uint64_t)atomic_load(&fight->held),
	   "debugfs counts what both have");
	atomic_store(&fight->end, true);
	ok(wait_child(pid[0]) == 0 && wait_child(pid[1]) == -1,
	   "one exits, one is killed");
	ok(!atomic_load(&fight->wrong) && atomic_load(&fight->allocated) &&
	   atomic_load(&fight->full),
	   "each PASID had one holder: %u given, %u times none was left",
	   atomic_load(&fight->allocated), atomic_load(&fight->full));
	munmap(fight, sizeof(*fight));
	all_gone("fight");
}

/* ------------------------------------------------------------------ */
/* Threads that do everything at once */

#define RACERS 4U
#define RACE_PASIDS 8U

static struct {
	struct nesting_box box[2];
	struct dma_dev dev[2];
	/* For writing while files are closed that a call must not miss */
	pthread_rwlock_t files;
	atomic_uint pasid[RACE_PASIDS];
	atomic_uint worked, wrong, dmas;
	atomic_bool end;
} race;

/* One of its steps may find the container closed, or another file there. */
static void race_result(const char *what, int rc, int also)
{
	if (rc >= 0) {
		atomic_fetch_add(&race.worked, 1);
		return;
	}
	switch (errno) {
	case EBADF:
	case ENODEV:
	case ENOTTY:
		return;
	case ENOENT:
	case EBUSY:
	case ENOSPC:
	case EINVAL:
		/* The PASID is another's now, or the quota is less than is held. */
		return;
	default:
		if (errno == also)
			return;
		if (atomic_fetch_add(&race.wrong, 1) < 5)
			note("%s: %s", what, strerror(errno));
	}
}

static void race_pasid(int fd, uint64_t r)
{
	atomic_uint *slot = &race.pasid[r % RACE_PASIDS];
	uint32_t pasid = 0;
	int rc;

	if (r >> 8 & 1) {
		rc = pasid_alloc(fd, 1 + (r >> 9) % 64, 100, &pasid);
		race_result("ALLOC", rc, 0);
		if (!rc)
			atomic_store(slot, pasid);
	} else {
		pasid = atomic_exchange(slot, 0);
		if (pasid)
			race_result("FREE", pasid_free(fd, pasid), 0);
	}
}

static void race_bind(int fd, uint64_t r)
{
	uint32_t pasid = atomic_load(&race.pasid[r % RACE_PASIDS]);

	if (r >> 8 & 3)
		race_result("BIND",
			    bind_table(fd, pasid, pt.root, r >> 10 & 1 ? 48 : 57),
			    mock ? 0 : EOPNOTSUPP);
	else
		race_result("UNBIND", unbind_table(fd, pasid), 0);
}

static void race_invalidate(int fd, uint64_t r)
{
	uint32_t pasid = atomic_load(&race.pasid[r % RACE_PASIDS]);
	uint64_t *entry = pgtable_entry(&pt, HOLE, 1);
	int rc;

	/* As a guest does: first the table, then the caches */
	pgtable_set(entry, r >> 10 & 1 ? guest_gpa(&mem, src) | PT_ALL : 0);
	switch (r >> 8 & 3) {
	case 0:
		rc = inv_domain(fd, CACHES);
		break;
	case 1:
		rc = pasid ? inv_pasid(fd, CACHES, pasid) : 0;
		break;
	default:
		rc = inv_addr(fd, IOMMU_CACHE_INV_TYPE_IOTLB, pasid, HOLE, PAGE, 1, 0);
	}
	race_result("CACHE_INVALIDATE", rc, 0);
}

/* Stage 2 changes under what is bound. */
static void race_map(int fd, uint64_t r)
{
	const uint64_t gpa = GPA + GUEST_SIZE + (r >> 8 & 3) * PAGE;
	uint64_t done;

	if (r >> 10 & 1)
		race_result("MAP_DMA", dma_map(fd, gpa, src, PAGE), EEXIST);
	else if (r >> 11 & 15)
		race_result("UNMAP_DMA", dma_unmap(fd, gpa, PAGE, &done), 0);
	else
		race_result("UNMAP_DMA of the tables",
			    dma_unmap(fd, GPA, GUEST_SIZE, &done), 0);
}

static void race_faults(int container)
{
	struct iommu_fault rec;
	int fd = nesting_fault_fd(container);

	race_result("FAULT_ALLOC", fd, 0);
	if (fd < 0)
		return;
	while (read(fd, &rec, sizeof(rec)) == sizeof(rec)) {
		struct iommu_nesting_page_response resp = {
			.version = IOMMU_UAPI_VERSION,
			.flags = rec.prm.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID ?
				 IOMMU_PAGE_RESP_PASID_VALID : 0,
			.pasid = rec.prm.pasid,
			.grpid = rec.prm.grpid,
			.code = IOMMU_PAGE_RESP_INVALID,
		};

		if (rec.type == IOMMU_FAULT_PAGE_REQ &&
		    write(fd, &resp, sizeof(resp)) != sizeof(resp))
			race_result("page response", -1, 0);
	}
	close(fd);
}

/* DMA that may be blocked, or find nothing */
static void race_dma(uint64_t r)
{
	uint32_t pasid = atomic_load(&race.pasid[r % RACE_PASIDS]);
	const struct dma_dev *dev = &race.dev[r >> 8 & 1];
	struct iommu_mock_dma dma;
	uint8_t buf[BYTES];

	pthread_rwlock_rdlock(&race.files);
	if (mock)
		race_result("DMA",
			    mock_vfio_dma(dev->fd, &dma, pasid,
					  r >> 9 & 1 ? IOMMU_MOCK_DMA_PRI : 0,
					  r >> 10 & 1 ? HOLE : SRC, buf, BYTES), 0);
	else
		edu_fetch(&dev->edu, SRC, BYTES);
	pthread_rwlock_unlock(&race.files);
	atomic_fetch_add(&race.dmas, 1);
}

static void *racer_main(void *arg)
{
	uint64_t rng = (uintptr_t)arg * 0x9e3779b97f4a7c15ULL;
	bool only_dma = (uintptr_t)arg == 1;

	while (!atomic_load(&race.end)) {
		uint64_t r = next_random(&rng) >> 16;
		int fd = race.box[r >> 40 & 1].fd;

		if (only_dma) {
			race_dma(r);
			continue;
		}
		switch ((r >> 24) % 16) {
		case 0 ... 4:
			race_pasid(fd, r);
			break;
		case 5 ... 8:
			race_bind(fd, r);
			break;
		case 9 ... 11:
			race_invalidate(fd, r);
			break;
		case 12 ... 13:
			race_map(fd, r);
			break;
		case 14:
			race_faults(fd);
			break;
		default:
			race_result("SET_PASID_QUOTA",
				    pasid_quota(fd, r >> 8 & 1 ? 1000 : r >> 9 & 63),
				    0);
		}
	}
	return NULL;
}

static void race_open(unsigned int i)
{
	if (box_try(&race.box[i], TYPE, &devs[i], 1))
		bail("VFIO_SET_IOMMU");
	race.dev[i].fd = device_fd(race.box[i].groups[0], devs[i].name);
	if (race.dev[i].fd < 0 ||
	    (!mock && edu_init(&race.dev[i].edu, race.dev[i].fd)))
		bail("open %s", devs[i].name);
	/* Another thread may have mapped something there. */
	dma_map(race.box[i].fd, GPA, mem.va, GUEST_SIZE);
}

static void test_race(unsigned int rounds)
{
	pthread_t thread[RACERS];
	unsigned int i;

	pthread_rwlock_init(&race.files, NULL);
	pgtable_map(&pt, HOLE, guest_gpa(&mem, src), PAGE, PT_ALL);
	race_open(0);
	race_open(1);
	for (i = 0; i != RACERS; i++)
		if (pthread_create(&thread[i], NULL, racer_main,
				   (void *)(uintptr_t)(i + 1)))
			bail("pthread_create");
	for (i = 0; i != rounds; i++) {
		usleep(20000);
		pthread_rwlock_wrlock(&race.files);
		dev_close(&race.dev[i & 1]);
		box_close(&race.box[i & 1]);
		race_open(i & 1);
		pthread_rwlock_unlock(&race.files);
	}
	atomic_store(&race.end, true);
	for (i = 0; i != RACERS; i++)
		pthread_join(thread[i], NULL);
	ok(!atomic_load(&race.wrong), "%u containers closed under %u calls and %u DMAs",
	   rounds, atomic_load(&race.worked), atomic_load(&race.dmas));
	for (i = 0; i != 2; i++) {
		dev_close(&race.dev[i]);
		box_close(&race.box[i]);
	}
	pgtable_unmap(&pt, HOLE, PAGE);
	all_gone("race");
}

/* ------------------------------------------------------------------ */
/* SIGKILL */

enum victim { HOLDS, BINDS, DOES_DMA, WAITS_FOR_PAGE, NVICTIMS };

#define VICTIM_PASIDS 20

struct churn {
	int container;
	uint32_t pasid[VICTIM_PASIDS];
	uint64_t rng;
};

/* Nobody else is in this process: what fails does so for one of few reasons. */
static void *churn_main(void *arg)
{
	struct churn *c = arg;
	unsigned int i;
	int rc;

	for (;;) {
		i = next_random(&c->rng) % VICTIM_PASIDS;
		switch (next_random(&c->rng) % 4) {
		case 0:
			rc = bind_guest(c->container, mock ? c->pasid[i] : 0);
			break;
		case 1:
			rc = unbind_table(c->container, mock ? c->pasid[i] : 0);
			break;
		case 2:
			rc = inv_domain(c->container, CACHES);
			break;
		default:
			rc = pasid_free(c->container, c->pasid[i]) ||
			     pasid_alloc(c->container, 1, PASID_MAX, &c->pasid[i]);
		}
		if (rc && errno != EBUSY && errno != ENOENT)
			_exit(3);
	}
	return NULL;
}

static void victim_dma(const struct dma_dev *dev, uint32_t pasid, int ready)
{
	bool told = false;
	uint8_t buf[BYTES];

	for (;;) {
		if (mock) {
			if (!mock_dma(dev, pasid, 0, SRC, buf))
				_exit(5);
		} else {
			edu_idle(&dev->edu);
			edu_start(&dev->edu, EDU_BUF, DST, EDU_CHUNK,
				  EDU_CMD_TO_RAM);
		}
		if (!told && write(ready, "d", 1) != 1)
			_exit(6);
		told = true;
	}
}

static void victim_main(enum victim kind, uint64_t seed, int ready)
{
	struct nesting_box box = box_with_guest(devs, 1 + (seed >> 8 & 1));
	struct churn churn = { .container = box.fd, .rng = seed | 1 };
	struct dma_dev dev = {};
	struct iommu_mock_dma dma;
	uint8_t buf[BYTES];
	pthread_t thread;

	for (int i = 0; i != VICTIM_PASIDS; i++)
		churn.pasid[i] = new_pasid(box.fd);
	if (kind == DOES_DMA || kind == WAITS_FOR_PAGE) {
		dev = dev_open(&box, 0);
		if (bind_guest(box.fd, mock ? churn.pasid[0] : 0))
			_exit(4);
	}
	switch (kind) {
	case HOLDS:
	case BINDS:
		if (kind == BINDS &&
		    pthread_create(&thread, NULL, churn_main, &churn))
			_exit(7);
		if (write(ready, "r", 1) != 1)
			_exit(6);
		for (;;)
			inv_domain(box.fd, CACHES);
	case DOES_DMA:
		victim_dma(&dev, churn.pasid[0], ready);
		break;
	default:
		if (nesting_fault_fd(box.fd) < 0 || write(ready, "r", 1) != 1)
			_exit(6);
		/* Nobody answers. */
		mock_vfio_dma(dev.fd, &dma, churn.pasid[0], IOMMU_MOCK_DMA_PRI, HOLE,
			      buf, BYTES);
		_exit(8);
	}
}

/* The next user finds all as ever. */
static bool usable(void)
{
	struct nesting_box box = box_with_guest(devs, 2);
	uint32_t pasid = mock ? new_pasid(box.fd) : 0;
	struct dma_dev dev = dev_open(&box, 0);
	bool good = !bind_guest(box.fd, pasid) && dma_works(&dev, pasid);

	dev_close(&dev);
	box_close(&box);
	return good;
}

static bool one_kill(enum victim kind, uint64_t seed)
{
	int ready[2], status;
	pid_t pid;
	char c;

	if (pipe(ready))
		bail("pipe");
	pid = fork_child();
	if (!pid)
		victim_main(kind, seed, ready[1]);
	close(ready[1]);
	/* Now and then in the middle of its setup */
	if (seed >> 16 & 3 && read(ready[0], &c, 1) != 1)
		note("the victim said nothing");
	usleep((seed >> 20) % 30000);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	close(ready[0]);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	note("the victim ended by itself, wait status 0x%x", status);
	return false;
}

static void test_kill(unsigned int kills, uint64_t seed)
{
	unsigned int i, good = 0, works = 0, tried = 0;

	note("--seed %" PRIu64, seed);
	seed |= 1;
	for (i = 0; i != kills; i++) {
		enum victim kind = i % (mock ? NVICTIMS : WAITS_FOR_PAGE);

		good += one_kill(kind, next_random(&seed));
		iommufd_stat_wait("contexts", 0);
		iommufd_stat_wait("objects", 0);
		iommufd_stat_wait("pinned_pages", 0);
		iommufd_stat_wait("pasids", 0);
		if (i % 5 == 4 || i == kills - 1) {
			tried++;
			works += usable();
		}
	}
	ok(good == kills, "%u of %u kills left nothing", good, kills);
	ok(works == tried, "and the next user finds all as ever");
	all_gone("kills");
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL) * 1000003 + getpid();
	unsigned int kills = 20, rounds = 100, pasids = 10000;
	static char path[PATH_MAX];

	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--mock")) {
			mock = true;
		} else if (!strcmp(argv[i], "--after-exec") && i + 4 < argc) {
			nesting_find(mock, devs, 2);
			return after_exec(argv + i + 1);
		} else if (!strcmp(argv[i], "--after-closing-exec")) {
			iommufd_stat_wait("contexts", 0);
			return iommufd_stat("pasids") != 0;
		} else if (more && !strcmp(argv[i], "--kills")) {
			kills = strtoul(argv[++i], NULL, 0);
		} else if (more && !strcmp(argv[i], "--rounds")) {
			rounds = strtoul(argv[++i], NULL, 0);
		} else if (more && !strcmp(argv[i], "--pasids")) {
			pasids = strtoul(argv[++i], NULL, 0);
		} else if (more && !strcmp(argv[i], "--seed")) {
			seed = strtoull(argv[++i], NULL, 0);
		} else if (strcmp(argv[i], "--edu")) {
			bail("usage: see the head of nesting_life.c");
		}
	}
	if (!realpath("/proc/self/exe", path))
		bail("realpath");
	self = path;
	nesting_find(mock, devs, 2);
	nesting_allow(true);
	make_guest();
	family = shared_pages(sizeof(*family));

	test_windows();
	test_quota(pasids);
	test_free();
	test_two_containers();
	test_fork();
	test_orphan(false);
	test_orphan(true);
	test_exec();
	test_fight(50 * rounds);
	test_race(rounds);
	test_kill(kills, seed);
	nesting_allow(false);
	return tap_done();
}
