// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection sweep (see failnth_util.h) over in-kernel access: create,
 * attach, pin, read and write, unpin, destroy; then the same with a second
 * access beside one that is in use.
 *
 * known-bugs.md row 10 (the id of another access overwritten in an error
 * unwind; CVE-2024-26786).
 */
#include "access_util.h"
#include "failnth_util.h"

#define IOVA 0x100000ULL
#define N 40U
#define SIZE (N * PAGE)

static char *absent, *scattered;
static char buf[4 * PAGE];
static int fd, at, at2;
static uint32_t ioas, first_id;
static struct pin whole, part, other;

static void close_all(void)
{
	if (at2 >= 0)
		close(at2);
	if (at >= 0)
		close(at);
	if (fd >= 0)
		close(fd);
	at2 = -1;
	at = -1;
	fd = -1;
}

static void open_nothing(void)
{
	fd = -1;
	at = -1;
	at2 = -1;
	failnth_make_absent(absent, N);
}

static void open_with_maps(void)
{
	open_nothing();
	fd = iommu_open();
	ioas = ioas_new(fd);
	if (ioas_map_at(fd, ioas, absent, SIZE, IOVA, IOAS_RW) ||
	    ioas_map_at(fd, ioas, scattered, SIZE, IOVA + SIZE, IOAS_RW))
		bail("IOAS_MAP");
}

static long step_open(void)
{
	at = open(ACCESS_TEST_NODE, O_RDWR | O_CLOEXEC);
	return at;
}

static long step_create(void)
{
	return access_create(at, fd, ACCESS_TEST_CREATE_PINS, &first_id);
}

static long step_attach(void)
{
	return access_attach(at, ioas);
}

/* Over both mappings */
static long step_pin(void)
{
	return access_pin(at, IOVA, 2 * SIZE, PIN_WRITE, &whole);
}

/* Cuts what is pinned in three */
static long step_pin_part(void)
{
	return access_pin(at, IOVA + SIZE + 3 * PAGE, 20 * PAGE, PIN_WRITE,
			  &part);
}

/* The rest of what is partly pinned */
static long step_pin_around(void)
{
	return access_pin(at, IOVA + SIZE, SIZE, PIN_WRITE, &whole);
}

static long step_read(void)
{
	return access_rw(at, IOVA + 100, buf, 2 * PAGE, PIN_READ);
}

static long step_write(void)
{
	return access_rw(at, IOVA + SIZE - 100, buf, 2 * PAGE, PIN_WRITE);
}

static long step_unpin_part(void)
{
	return access_unpin(at, &part);
}

static long step_unpin(void)
{
	return access_unpin(at, &whole);
}

static long step_detach(void)
{
	return access_detach(at);
}

static long step_destroy(void)
{
	return ioctl(at, ACCESS_TEST_DESTROY);
}

static long step_close(void)
{
	int was = at;

	at = -1;
	return close(was);
}

static const struct failnth_step one_steps[] = {
	STEP("open", step_open, 0),
	STEP("create", step_create, 0),
	STEP("attach", step_attach, 0),
	STEP("read what nobody pinned", step_read, 0),
	STEP("pin", step_pin, 0),
	STEP("pin a part again", step_pin_part, 0),
	STEP("write", step_write, 0),
	STEP("unpin the part", step_unpin_part, 0, EFAULT),
	STEP("unpin", step_unpin, 0, EFAULT),
	STEP("pin a part", step_pin_part, 0),
	STEP("pin around it", step_pin_around, 0),
	STEP("detach, with pins", step_detach, FN_NO_POINTS),
	STEP("destroy", step_destroy, FN_NO_POINTS),
	STEP("close", step_close, FN_NO_POINTS),
};

static const struct failnth_chain one = {
	.name = "access",
	.before = open_with_maps,
	.after = close_all,
	.nsteps = sizeof(one_steps) / sizeof(one_steps[0]),
	.steps = one_steps,
};

static void open_with_access(void)
{
	open_with_maps();
	at = access_open();
	at2 = access_open();
	if (step_create() || step_attach() ||
	    access_pin(at, IOVA + 5 * PAGE, 10 * PAGE, PIN_WRITE, &whole))
		bail("first access");
	mem_fill(absent, SIZE, 1);
}

/* Row 10: the first access is the object that it was, and has its pages. */
static bool first_unharmed(void)
{
	return iommu_destroy_id(fd, first_id) == -1 && errno == EBUSY &&
	       access_holds(at, &whole, 0, absent + 5 * PAGE, 10 * PAGE);
}

static long step_create_2(void)
{
	return access_create(at2, fd, ACCESS_TEST_CREATE_PINS, NULL);
}

static long step_attach_2(void)
{
	return access_attach(at2, ioas);
}

static long step_pin_2(void)
{
	return access_pin(at2, IOVA + 10 * PAGE, SIZE, PIN_WRITE, &other);
}

static long step_read_2(void)
{
	return access_rw(at2, IOVA, buf, 4 * PAGE, PIN_READ);
}

static long step_unpin_2(void)
{
	return access_unpin(at2, &other);
}

static long step_destroy_2(void)
{
	return ioctl(at2, ACCESS_TEST_DESTROY);
}

/* Both accesses are asked to let go. */
static long step_unmap(void)
{
	return ioas_unmap(fd, ioas, IOVA, 2 * SIZE, NULL);
}

static const struct failnth_step two_steps[] = {
	STEP("create the second", step_create_2, 0),
	STEP("attach the second", step_attach_2, 0),
	STEP("pin by the second", step_pin_2, 0),
	STEP("read by the second", step_read_2, 0),
	STEP("unpin by the second", step_unpin_2, 0, EFAULT),
	STEP("pin by the second again", step_pin_2, 0),
	STEP("destroy the second, with a pin", step_destroy_2, FN_NO_POINTS),
};

static const struct failnth_chain two = {
	.name = "two accesses",
	.before = open_with_access,
	.check = first_unharmed,
	.after = close_all,
	.nsteps = sizeof(two_steps) / sizeof(two_steps[0]),
	.steps = two_steps,
};

static const struct failnth_step unmap_steps[] = {
	STEP("create the second", step_create_2, 0),
	STEP("attach the second", step_attach_2, 0),
	STEP("pin by the second", step_pin_2, 0),
	STEP("IOAS_UNMAP under the pins of both", step_unmap, FN_COMMITS, EFAULT),
	STEP("destroy the second", step_destroy_2, FN_NO_POINTS),
};

static const struct failnth_chain unmap = {
	.name = "unmap under two accesses",
	.before = open_with_access,
	.after = close_all,
	.nsteps = sizeof(unmap_steps) / sizeof(unmap_steps[0]),
	.steps = unmap_steps,
};

int main(void)
{
	failnth_init();
	absent = failnth_half_present(N);
	scattered = failnth_scattered(N);

	failnth_sweep(&one);
	failnth_sweep(&two);
	failnth_sweep(&unmap);
	return tap_done();
}
