// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whom pinned pages are charged to: RLIMIT_MEMLOCK per user (the default), per
 * process as VmLck (RLIMIT_MODE 1, and always for what VFIO's ioctls map).
 * Nothing is charged before something is pinned, and a page is charged once.
 *
 * Unprivileged parts run in children; each has a user id of its own, so that
 * what is charged to the user begins at 0.
 */
#include <linux/vfio.h>

#include "access_util.h"
#include "cap_util.h"

#define IOVA 0x100000ULL
#define LIMIT 8
#define BUF_PAGES 64

/* One context with two address spaces, an access to each */
struct ctx {
	int fd, at, at2;
	uint32_t ioas, ioas2;
};

static char *mem;

static void ctx_open(struct ctx *c, uint64_t rlimit_mode)
{
	c->fd = iommu_open();
	if (iommu_option_set(c->fd, IOMMU_OPTION_RLIMIT_MODE, 0, rlimit_mode))
		bail("RLIMIT_MODE");
	c->ioas = ioas_new(c->fd);
	c->ioas2 = ioas_new(c->fd);
	c->at = access_new(c->fd, c->ioas);
	c->at2 = access_new(c->fd, c->ioas2);
}

static void ctx_close(struct ctx *c)
{
	close(c->at);
	close(c->at2);
	close(c->fd);
}

static int map(struct ctx *c, uint64_t pages)
{
	return ioas_map_at(c->fd, c->ioas, mem, pages * PAGE, IOVA, IOAS_RW);
}

/* Pins stay until the mapping goes. */
static int pin(struct ctx *c, uint64_t first, uint64_t pages)
{
	return access_pin_only(c->at, IOVA + first * PAGE, pages * PAGE,
			       PIN_WRITE);
}

static bool is_enomem(int rc)
{
	return rc == -1 && errno == ENOMEM;
}

/* The limit of @memlock bytes allows exactly LIMIT pages */
static int exact_limit(struct ctx *c, uint64_t memlock, uint64_t kib_per_page)
{
	struct pin whole;

	memlock_limit(memlock);
	must(!map(c, BUF_PAGES));
	must(vmlck_kib() == 0);
	must(is_enomem(pin(c, 0, LIMIT + 1)));
	must(vmlck_kib() == 0);
	must(!access_pin(c->at, IOVA, LIMIT * PAGE, PIN_WRITE, &whole));
	must(vmlck_kib() == LIMIT * kib_per_page);
	must(is_enomem(pin(c, LIMIT, 1)));
	must(is_enomem(pin(c, 0, LIMIT + 1)));
	/* What is pinned already costs nothing more. */
	must(!pin(c, 2, 3));
	must(!pin(c, 0, LIMIT));
	must(vmlck_kib() == LIMIT * kib_per_page);
	must(!access_unpin(c->at, &whole));
	must(vmlck_kib() == LIMIT * kib_per_page);
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(vmlck_kib() == 0);
	must(!map(c, BUF_PAGES));
	must(!pin(c, 50, LIMIT));
	must(is_enomem(pin(c, 20, 1)));
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(vmlck_kib() == 0);
	return 0;
}

static int user_limit(void *arg)
{
	become_user(31001, -1);
	return exact_limit(arg, LIMIT * PAGE, 0);
}

static int user_limit_odd(void *arg)
{
	become_user(31002, -1);
	return exact_limit(arg, LIMIT * PAGE + PAGE - 1, 0);
}

static int process_limit(void *arg)
{
	become_user(31003, -1);
	return exact_limit(arg, LIMIT * PAGE, PAGE / 1024);
}

/* mlock() and pins share one limit per process. */
static int process_and_mlock(void *arg)
{
	struct ctx *c = arg;

	become_user(31004, -1);
	memlock_limit(LIMIT * PAGE);
	must(!mlock(mem + 32 * PAGE, 4 * PAGE));
	must(!map(c, BUF_PAGES));
	must(is_enomem(pin(c, 0, LIMIT - 3)));
	must(!pin(c, 0, LIMIT - 4));
	must(vmlck_kib() == LIMIT * PAGE / 1024);
	must(mlock(mem + 40 * PAGE, PAGE) == -1 && errno == ENOMEM);
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(vmlck_kib() == 4 * PAGE / 1024);
	return 0;
}

static int no_limit_at_all(void *arg)
{
	struct ctx *c = arg;

	become_user(31005, -1);
	memlock_limit(0);
	must(!map(c, BUF_PAGES));
	must(is_enomem(pin(c, 0, 1)));
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	return 0;
}

/* Copies in two address spaces: each page is pinned and charged once. */
static int copies(void *arg)
{
	struct ctx *c = arg;

	become_user(31006, -1);
	memlock_limit(LIMIT * PAGE);
	must(!map(c, BUF_PAGES));
	must(!ioas_copy_at(c->fd, c->ioas2, c->ioas, IOVA, BUF_PAGES * PAGE,
			   IOVA, IOAS_RW));
	must(!pin(c, 0, LIMIT));
	must(!access_pin_only(c->at2, IOVA, LIMIT * PAGE, PIN_WRITE));
	must(is_enomem(access_pin_only(c->at2, IOVA + LIMIT * PAGE, PAGE,
				       PIN_WRITE)));
	/* The copy still needs them. */
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(is_enomem(access_pin_only(c->at2, IOVA + LIMIT * PAGE, PAGE,
				       PIN_WRITE)));
	must(!ioas_unmap_all(c->fd, c->ioas2, NULL));
	must(!map(c, BUF_PAGES));
	must(!pin(c, 0, LIMIT));
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	return 0;
}

static int second_process(void *arg)
{
	struct ctx *c = arg;

	must(!map(c, BUF_PAGES));
	must(is_enomem(pin(c, 0, 4)));
	must(!pin(c, 0, 3));
	return 0;
}

/* Two processes of one user share the limit: @arg is an array of two. */
static int shared_limit(void *arg)
{
	struct ctx *c = arg;

	become_user(31007, -1);
	memlock_limit(LIMIT * PAGE);
	must(!map(&c[0], BUF_PAGES));
	must(!pin(&c[0], 0, LIMIT - 3));
	must(in_child(second_process, &c[1]) == 0);
	/* The child is gone, its pins are not: the access still has them. */
	must(is_enomem(pin(&c[0], 20, 1)));
	must(!ioas_unmap_all(c[1].fd, c[1].ioas, NULL));
	must(!pin(&c[0], 20, 3));
	must(is_enomem(pin(&c[0], 30, 1)));
	must(!ioas_unmap_all(c[0].fd, c[0].ioas, NULL));
	return 0;
}

/* Another process of the user, without the capability: the limit is all its */
static int limited_process(void *arg)
{
	struct ctx *c = arg;

	cap_drop(CAP_IPC_LOCK);
	memlock_limit(LIMIT * PAGE);
	must(!map(c, BUF_PAGES));
	must(is_enomem(pin(c, 0, LIMIT + 1)));
	must(!pin(c, 0, LIMIT));
	must(is_enomem(pin(c, LIMIT, 1)));
	/* Its pins outlive it, as the access does. */
	return 0;
}

/*
 * With CAP_IPC_LOCK there is no limit per user, and so nothing to count: what
 * is beyond any limit must not use up the limit of the user's other processes.
 */
static int capable_user(void *arg)
{
	struct ctx *c = arg;

	become_user(31008, CAP_IPC_LOCK);
	memlock_limit(LIMIT * PAGE);
	must(!map(&c[0], BUF_PAGES));
	must(!pin(&c[0], 0, 4 * LIMIT));
	must(vmpin_kib() == 4 * LIMIT * PAGE / 1024);
	must(vmlck_kib() == 0);
	must(in_child(limited_process, &c[1]) == 0);
	/* Nor does the other one's use count here. */
	must(!pin(&c[0], 0, BUF_PAGES));
	must(vmpin_kib() == BUF_PAGES * PAGE / 1024);
	must(!ioas_unmap_all(c[0].fd, c[0].ioas, NULL));
	must(vmpin_kib() == 0);

	/* What was never counted is not given back either. */
	cap_drop(CAP_IPC_LOCK);
	must(!map(&c[0], BUF_PAGES));
	must(is_enomem(pin(&c[0], 0, 1)));
	must(!ioas_unmap_all(c[1].fd, c[1].ioas, NULL));
	must(!pin(&c[0], 0, LIMIT));
	must(is_enomem(pin(&c[0], LIMIT, 1)));
	must(!ioas_unmap_all(c[0].fd, c[0].ioas, NULL));
	return 0;
}

/* What counts is the capability at the time of the map. */
static int capable_once(void *arg)
{
	struct ctx *c = arg;

	become_user(31012, CAP_IPC_LOCK);
	memlock_limit(LIMIT * PAGE);
	must(!map(c, BUF_PAGES));
	cap_drop(CAP_IPC_LOCK);
	must(!pin(c, 0, BUF_PAGES));
	must(!ioas_map_at(c->fd, c->ioas, mem, BUF_PAGES * PAGE, 2 * IOVA,
			  IOAS_RW));
	must(!access_pin_only(c->at, 2 * IOVA, LIMIT * PAGE, PIN_WRITE));
	must(is_enomem(access_pin_only(c->at, 2 * IOVA + LIMIT * PAGE, PAGE,
				       PIN_WRITE)));
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(vmpin_kib() == 0);
	return 0;
}

static int capable_process(void *arg)
{
	struct ctx *c = arg;

	become_user(31009, CAP_IPC_LOCK);
	memlock_limit(0);
	must(!map(c, BUF_PAGES));
	must(vmlck_kib() == 0);
	must(!pin(c, 0, BUF_PAGES));
	must(vmlck_kib() == BUF_PAGES * PAGE / 1024);
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(vmlck_kib() == 0);
	return 0;
}

static int dma_map(struct ctx *c)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)mem,
		.iova = IOVA,
		.size = BUF_PAGES * PAGE,
	};

	return ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

/* VFIO's maps count as VmLck also where they are not limited. */
static int compat_capable(void *arg)
{
	struct ctx *c = arg;

	become_user(31013, CAP_IPC_LOCK);
	memlock_limit(0);
	must(!vfio_ioas_set(c->fd, c->ioas));
	must(!dma_map(c));
	must(!pin(c, 0, BUF_PAGES));
	must(vmlck_kib() == BUF_PAGES * PAGE / 1024);
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(vmlck_kib() == 0);
	return 0;
}

/* VFIO's ioctls charge the process, whatever RLIMIT_MODE says. */
static int compat(void *arg)
{
	struct ctx *c = arg;
	struct vfio_iommu_type1_dma_unmap unmap_cmd = {
		.argsz = sizeof(unmap_cmd),
		.iova = IOVA,
		.size = BUF_PAGES * PAGE,
	};

	become_user(31010, -1);
	memlock_limit(LIMIT * PAGE);
	must(!vfio_ioas_set(c->fd, c->ioas));
	must(!dma_map(c));
	must(is_enomem(pin(c, 0, LIMIT + 1)));
	must(!pin(c, 0, LIMIT));
	must(vmlck_kib() == LIMIT * PAGE / 1024);
	must(is_enomem(pin(c, 20, 1)));
	must(!ioctl(c->fd, VFIO_IOMMU_UNMAP_DMA, &unmap_cmd));
	must(vmlck_kib() == 0);
	/* The user has a limit of its own for native maps. */
	must(!map(c, BUF_PAGES));
	must(!pin(c, 0, LIMIT));
	must(vmlck_kib() == 0);
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	return 0;
}

/* Each way in which pins end gives back what was charged. */
static int give_back(void *arg)
{
	struct ctx *c = arg;

	become_user(31011, -1);
	memlock_limit(LIMIT * PAGE);
	must(!map(c, BUF_PAGES));
	must(!pin(c, 0, LIMIT));
	must(!access_detach(c->at));
	must(vmlck_kib() == 0);
	must(!access_attach(c->at, c->ioas));
	must(!pin(c, 9, LIMIT));
	must(vmlck_kib() == LIMIT * PAGE / 1024);
	must(!ioctl(c->at, ACCESS_TEST_DESTROY));
	must(vmlck_kib() == 0);
	must(!access_create(c->at, c->fd, ACCESS_TEST_CREATE_PINS, NULL));
	must(!access_attach(c->at, c->ioas));
	/* A pin that fails half way: the pages behind are not there. */
	must(!munmap(mem + 4 * PAGE, PAGE));
	must(pin(c, 0, LIMIT) == -1 && errno == EFAULT);
	must(vmlck_kib() == 0);
	must(!pin(c, 5, LIMIT));
	/* The limit goes down while pages are pinned. */
	memlock_limit(PAGE);
	must(is_enomem(pin(c, 30, 1)));
	must(!ioas_unmap_all(c->fd, c->ioas, NULL));
	must(vmlck_kib() == 0);
	return 0;
}

static void run(const char *name, int (*fn)(void *), uint64_t rlimit_mode)
{
	struct ctx c[2];

	ctx_open(&c[0], rlimit_mode);
	ctx_open(&c[1], rlimit_mode);
	ok(in_child(fn, c) == 0, "%s", name);
	ctx_close(&c[0]);
	ctx_close(&c[1]);
	iommufd_stat_wait("contexts", 0);
	ok(iommufd_stat("pinned_pages") == 0, "%s: nothing is left", name);
}

int main(void)
{
	mem = mem_alloc(BUF_PAGES * PAGE);

	run("per user: exactly the limit", user_limit, 0);
	run("per user: a limit that is no multiple of a page", user_limit_odd,
	    0);
	run("per process: exactly the limit, shown as VmLck", process_limit, 1);
	run("per process: together with mlock", process_and_mlock, 1);
	run("per user: a limit of 0", no_limit_at_all, 0);
	run("per process: a limit of 0", no_limit_at_all, 1);
	run("copies are charged once", copies, 0);
	run("per user: two processes share the limit", shared_limit, 0);
	run("per user: CAP_IPC_LOCK is neither limited nor counted",
	    capable_user, 0);
	run("per user: CAP_IPC_LOCK when it was mapped", capable_once, 0);
	run("per process: CAP_IPC_LOCK is counted, not limited",
	    capable_process, 1);
	run("VFIO's maps are charged to the process", compat, 0);
	run("VFIO's maps with CAP_IPC_LOCK are counted, not limited",
	    compat_capable, 0);
	run("all that was charged comes back", give_back, 1);
	ok(vmlck_kib() == 0, "nothing is charged to this process");
	return tap_done();
}
