// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one user of a container does at a bad moment of another: each part is a
 * regression test for a finding of a review.
 *
 * destroy  IOMMU_DESTROY of a guessed id while SET_IOMMU makes the compatibility
 *          IOAS.  A use after free shows under slub_debug only, so boot so.
 * stall    SET_IOMMU that pins memory which takes long to come: all others go
 *          on, and so do debugfs and open() of /dev/iommu
 * failed   SET_IOMMU that fails changes nothing
 * leave    the last group leaves while MAP_DMA is at work: nothing stays mapped
 * dma_cc   CHECK_EXTENSION(DMA_CC) tells of where the groups are attached
 *
 * usage: vfio_races PART
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "destroyer_util.h"
#include "edu.h"
#include "stall_util.h"

#define IOVA (4 * GIB)
#define MSI_IOVA 0xfee00000ULL	/* no device may use it: x86's interrupts */
#define DESTROY_ROUNDS 500
#define LEAVE_ROUNDS 200
#define LEAVE_MAPS 512
#define CONTEXTS "/sys/kernel/debug/iommufd/contexts"

static struct vfio_pci_addr addr;
static uint8_t *page;

static atomic_int shared_fd = -1;
static atomic_bool stop;
static pthread_barrier_t barrier;

static void progress(unsigned int done, unsigned int all)
{
	static time_t told;

	if (time(NULL) - told < 5)
		return;
	told = time(NULL);
	fprintf(stderr, "# %u of %u rounds\n", done, all);
}

/* ------------------------------------------------------------------ */

/* NULL, or what went wrong */
static const char *destroy_round(struct destroyer *d, unsigned int *refused)
{
	int container = container_open(), group = group_open(addr.group);
	const char *wrong = NULL;
	int rc, err;

	if (set_container(group, container))
		bail("VFIO_GROUP_SET_CONTAINER");
	atomic_store(&d->fd, container);
	rc = set_iommu(container, VFIO_TYPE1v2_IOMMU);
	err = errno;
	atomic_store(&d->fd, -1);

	/* EINVAL: the IOAS was going when the group came to it. */
	*refused += rc != 0;
	if (rc && err != EINVAL)
		wrong = "SET_IOMMU fails, but not with EINVAL";
	else if (rc && set_iommu(container, VFIO_TYPE1v2_IOMMU))
		wrong = "SET_IOMMU fails when nobody is in the way";
	else if (dma_map(container, IOVA, page, PAGE))
		wrong = "MAP_DMA fails";
	close(group);
	close(container);
	return wrong;
}

static void test_destroy(void)
{
	unsigned int i, refused = 0, bad = 0;
	struct destroyer d;

	destroyer_start(&d);
	for (i = 0; i != DESTROY_ROUNDS; i++) {
		const char *wrong = destroy_round(&d, &refused);

		if (wrong) {
			note("round %u: %s", i, wrong);
			bad++;
		}
		progress(i, DESTROY_ROUNDS);
	}
	destroyer_stop(&d);
	note("%u IOASes were destroyed, SET_IOMMU refused %u times",
	     d.destroyed, refused);
	ok(d.busy, "DESTROY came while the group was being attached (%u times)",
	   d.busy);
	ok(!bad, "%u rounds of SET_IOMMU against DESTROY (%u are bad)", i, bad);
}

/* ------------------------------------------------------------------ */

/* A tenant whose memory takes long to come */
static int stalled_tenant(struct stall *s)
{
	int container = container_open(), group = group_open(addr.group);
	uint32_t ioas = ioas_new(container);
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = VFIO_DMA_UNMAP_FLAG_ALL,
	};
	void *mem;

	stall_child(s);
	mem = stall_map(s);
	must(mem);
	must(!vfio_ioas_set(container, ioas));
	must(!ioas_map_at(container, ioas, mem, STALL_SIZE, IOVA, IOAS_RW));
	must(!set_container(group, container));
	must(!set_iommu(container, VFIO_TYPE1v2_IOMMU));
	must(iommufd_stat("pinned_pages") == STALL_PAGES);
	must(!ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	must(unmap.size == STALL_SIZE);
	must(iommufd_stat("pinned_pages") == 0);
	return 0;
}

static bool contexts_say(const char *text)
{
	char buf[8192] = "";
	int fd = open(CONTEXTS, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 0)
		bail("read " CONTEXTS);
	close(fd);
	if (strstr(buf, text))
		return true;
	note("no '%s' in: %s", text, buf);
	return false;
}

static void test_stall(void)
{
	struct vfio_pci_addr pair[2];
	struct edu_session other;
	struct stall s;
	pid_t pid;
	int fd;

	if (!edu_find_pair(false, pair))
		bail("needs two edu devices in two groups");
	addr = pair[0];
	stall_start(&s, "/tmp/stall");
	pid = fork_child();
	if (!pid)
		_exit(stalled_tenant(&s));
	stall_wait(&s, pid);
	note("another process waits for its memory in SET_IOMMU");

	ok(contexts_say("1 maps (0 by VFIO), 65536 bytes, compatibility"),
	   "debugfs tells of it");
	fd = iommu_open();
	ok(ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) == 1,
	   "open /dev/iommu, CHECK_EXTENSION");
	ok(!iommu_destroy_id(fd, ioas_new(fd)), "native ioctls");
	close(fd);
	edu_session_open(&other, &pair[1], VFIO_TYPE1v2_IOMMU);
	ok(edu_roundtrip(&other, IOVA, 5),
	   "another container: SET_IOMMU, MAP_DMA, DMA, UNMAP_DMA");
	edu_session_close(&other);
	ok(waitpid(pid, NULL, WNOHANG) == 0, "the first one still waits");

	stall_release(&s);
	ok(wait_child(pid) == 0, "it goes on, to the right end");
	stall_stop(&s);
}

/* ------------------------------------------------------------------ */

static void fails_and_heals(bool native)
{
	int container = container_open(), group = group_open(addr.group);
	uint32_t ioas = ioas_new(container), now = 0;
	const char *how = native ? "a native map" : "MAP_DMA without a group";
	uint64_t n;

	ok(!vfio_ioas_set(container, ioas) &&
	   !dma_map(container, IOVA, page, PAGE), "MAP_DMA without a group");
	ok(native ? !ioas_map_at(container, ioas, page, PAGE, MSI_IOVA,
				 IOAS_RW) :
		    !dma_map(container, MSI_IOVA, page, PAGE),
	   "%s where the device must not write", how);
	ok(!set_container(group, container), "a group joins");
	fails(dma_map(container, 2 * IOVA, page, PAGE), EINVAL,
	      "MAP_DMA before SET_IOMMU");
	fails(set_iommu(container, VFIO_TYPE1v2_IOMMU), EINVAL,
	      "SET_IOMMU fails");
	fails(set_iommu(container, VFIO_TYPE1_IOMMU), EINVAL, "and again");
	fails(dma_map(container, 2 * IOVA, page, PAGE), EINVAL,
	      "MAP_DMA is as before");
	ok(iommufd_stat("pinned_pages") == 0, "nothing is pinned");
	close(group);
	ok(!vfio_ioas_get(container, &now) && now == ioas,
	   "the compatibility IOAS is as before");
	fails(dma_map(container, IOVA, page, PAGE), EEXIST,
	      "without the group the mapping is there");
	ok(!dma_map(container, 2 * IOVA, page, PAGE), "and MAP_DMA works");
	ok(!ioas_unmap(container, ioas, MSI_IOVA, PAGE, &n) && n == PAGE,
	   "remove the bad mapping");

	group = group_open(addr.group);
	ok(!set_container(group, container) &&
	   !set_iommu(container, VFIO_TYPE1v2_IOMMU), "then SET_IOMMU works");
	ok(iommufd_stat("pinned_pages") == 2,
	   "the device has the two mappings");
	ok(!dma_unmap(container, 0, 1ULL << 63, &n) && n == 2 * PAGE,
	   "they can be unmapped");
	close(group);
	close(container);
}

static void test_failed(void)
{
	int container, group;

	fails_and_heals(true);
	fails_and_heals(false);

	container = container_open();
	group = group_open(addr.group);
	if (set_container(group, container) ||
	    set_iommu(container, VFIO_TYPE1v2_IOMMU))
		bail("VFIO_SET_IOMMU");
	fails(dma_map(container, IOVA, (void *)(0 - PAGE), PAGE), EFAULT,
	      "MAP_DMA of the last page of the address space");
	fails(dma_map(container, IOVA, (void *)(0 - 2 * PAGE), PAGE), EFAULT,
	      "of the one before it");
	ok(!dma_map(container, IOVA, page, PAGE), "nothing was left there");
	close(group);
	close(container);
}

/* ------------------------------------------------------------------ */

/* Maps page after page until the container says that it has no group */
static void *mapper_thread(void *arg)
{
	unsigned int *mapped = arg, i;

	for (;;) {
		pthread_barrier_wait(&barrier);
		if (atomic_load(&stop))
			return NULL;
		for (i = 0; i != LEAVE_MAPS; i++)
			if (dma_map(shared_fd, IOVA + i * PAGE, page, PAGE))
				break;
		if (i != LEAVE_MAPS && errno != EINVAL)
			note("MAP_DMA: %s", strerror(errno));
		else if (i != LEAVE_MAPS)
			*mapped += 1;
		pthread_barrier_wait(&barrier);
	}
}

static bool join(int group, int container)
{
	return !set_container(group, container) &&
	       !set_iommu(container, VFIO_TYPE1v2_IOMMU);
}

/* False: something is mapped when the group comes back. */
static bool leave_round(unsigned int delay)
{
	int container = container_open(), group = group_open(addr.group);
	bool good;

	if (!join(group, container))
		bail("VFIO_SET_IOMMU");
	atomic_store(&shared_fd, container);
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i != delay; i++)
		sched_yield();
	close(group);
	pthread_barrier_wait(&barrier);

	group = group_open(addr.group);
	if (!join(group, container))
		bail("VFIO_SET_IOMMU, again");
	good = !dma_map(container, IOVA, page, PAGE);
	for (unsigned int i = 1; good && i != LEAVE_MAPS; i++)
		good = !dma_map(container, IOVA + i * PAGE, page, PAGE);
	if (!good)
		note("MAP_DMA after the group came back: %s", strerror(errno));
	close(group);
	close(container);
	return good;
}

static void test_leave(void)
{
	unsigned int i, good = 0, hits = 0;
	pthread_t mapper;

	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&mapper, NULL, mapper_thread, &hits))
		bail("pthread_create");
	for (i = 0; i != LEAVE_ROUNDS; i++) {
		good += leave_round(i % 16);
		progress(i, LEAVE_ROUNDS);
	}
	atomic_store(&stop, true);
	pthread_barrier_wait(&barrier);
	pthread_join(mapper, NULL);
	ok(hits, "the group left while MAP_DMA was at work (%u times of %u)",
	   hits, i);
	ok(good == i, "nothing was mapped when it came back (%u of %u)", good,
	   i);
}

/* ------------------------------------------------------------------ */

static int dma_cc(int container)
{
	return ioctl(container, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU);
}

static void test_dma_cc(void)
{
	int container = container_open(), group = group_open(addr.group);
	uint32_t other;

	ok(dma_cc(container) == 0, "no group");
	ok(join(group, container), "a group joins");
	if (!ok(dma_cc(container) == 1, "its IOMMU keeps DMA coherent"))
		note("the boot needs -global intel-iommu.snoop-control=on");
	other = ioas_new(container);
	ok(!vfio_ioas_set(container, other), "the compatibility IOAS changes");
	ok(dma_cc(container) == 1, "the group is where it was");
	ok(!vfio_ioas_clear(container), "there is none");
	ok(dma_cc(container) == 1, "the group is where it was");
	close(group);
	ok(dma_cc(container) == 0, "the group has left");
	close(container);
}

/* The IOAS of the other stall is not pinned: its memory is never asked for. */
static int swapping_tenant(struct stall *s, int container, uint32_t ioas,
			   uint32_t other)
{
	int group = group_open(addr.group);
	void *mem = stall_map(&s[0]), *other_mem = stall_map(&s[1]);

	stall_child(&s[0]);
	stall_child(&s[1]);
	must(!ioas_map_at(container, ioas, mem, STALL_SIZE, IOVA, IOAS_RW));
	must(!ioas_map_at(container, other, other_mem, STALL_SIZE, IOVA,
			  IOAS_RW));
	must(!set_container(group, container));
	must(!set_iommu(container, VFIO_TYPE1v2_IOMMU));
	must(iommufd_stat("pinned_pages") == STALL_PAGES);
	return 0;
}

/*
 * SET_IOMMU pins what is mapped before it takes vfio.ko's locks.  It attaches
 * the IOAS that it pinned, whatever VFIO_IOAS SET says meanwhile.
 */
static void test_swap(void)
{
	struct stall s[2];
	int container = container_open();
	uint32_t ioas = ioas_new(container), other = ioas_new(container);
	pid_t pid;

	ok(!vfio_ioas_set(container, ioas), "VFIO_IOAS SET");
	stall_start(&s[0], "/tmp/stall0");
	stall_start(&s[1], "/tmp/stall1");
	pid = fork_child();
	if (!pid)
		_exit(swapping_tenant(s, container, ioas, other));
	stall_wait(&s[0], pid);
	ok(!vfio_ioas_set(container, other),
	   "VFIO_IOAS SET of another while SET_IOMMU pins the first");
	stall_release(&s[0]);
	ok(wait_child(pid) == 0, "the first is attached, the other not pinned");
	stall_release(&s[1]);
	stall_stop(&s[0]);
	stall_stop(&s[1]);
	close(container);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {
		{ "destroy", test_destroy }, { "stall", test_stall },
		{ "failed", test_failed },   { "leave", test_leave },
		{ "dma_cc", test_dma_cc },   { "swap", test_swap },
	};
	unsigned int i;

	addr = edu_first();
	page = alloc_pages(PAGE);
	for (i = 0; i != sizeof(parts) / sizeof(parts[0]); i++)
		if (argc == 2 && !strcmp(argv[1], parts[i].name)) {
			parts[i].run();
			iommufd_stat_wait("contexts", 0);
			ok(iommufd_stat("objects") == 0 &&
			   iommufd_stat("areas") == 0 &&
			   iommufd_stat("pinned_pages") == 0, "nothing is left");
			return tap_done();
		}
	errno = EINVAL;
	bail("usage: vfio_races destroy|stall|failed|leave|dma_cc");
}
