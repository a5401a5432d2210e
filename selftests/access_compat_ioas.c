// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_DESTROY of a guessed id while the kernel makes the compatibility IOAS,
 * as VFIO_SET_IOMMU does.  A use after free shows in a guest with
 * slub_debug=FZPU: "Poison overwritten" in the kernel log.
 */
#include "access_util.h"
#include "destroyer_util.h"

static int compat_ioas(int at, int fd, uint32_t *id)
{
	struct access_test_compat cmd = { .iommufd = fd };
	int rc = ioctl(at, ACCESS_TEST_COMPAT, &cmd);

	*id = cmd.out_ioas_id;
	return rc;
}

static void test_race(int at, unsigned int rounds)
{
	time_t told = time(NULL);
	unsigned int i, good = 0;
	struct destroyer d;
	uint32_t id;

	destroyer_start(&d);
	for (i = 0; i != rounds; i++) {
		int fd = iommu_open();

		atomic_store(&d.fd, fd);
		good += !compat_ioas(at, fd, &id) && id;
		atomic_store(&d.fd, -1);
		close(fd);
		if (time(NULL) - told >= 5) {
			note("%u of %u rounds", i, rounds);
			told = time(NULL);
		}
	}
	destroyer_stop(&d);
	ok(good == rounds, "the compatibility IOAS is always made (%u)", good);
	ok(d.destroyed, "while another thread destroyed it (%u times)",
	   d.destroyed);
}

static void test_alone(int at)
{
	int fd = iommu_open();
	uint32_t first, second, got, mine = ioas_new(fd);

	ok(!compat_ioas(at, fd, &first) && first != mine, "it is made");
	ok(!vfio_ioas_get(fd, &got) && got == first, "VFIO_IOAS GET tells it");
	ok(!compat_ioas(at, fd, &second) && second == first, "once");
	ok(!vfio_ioas_set(fd, mine) && !compat_ioas(at, fd, &second) &&
	   second == mine, "the one that was set is taken");
	ok(!iommu_destroy_id(fd, mine) && !compat_ioas(at, fd, &second) &&
	   second && second != first, "after its destruction a new one is made");
	ok(!iommu_destroy_id(fd, first) && !iommu_destroy_id(fd, second),
	   "nothing depends on them");
	fails(vfio_ioas_get(fd, &got), ENODEV, "there is none");
	close(fd);
}

int main(int argc, char **argv)
{
	int at = access_open();

	test_alone(at);
	test_race(at, argc > 1 ? strtoul(argv[1], NULL, 10) : 5000);
	close(at);
	iommufd_stat_wait("contexts", 0);
	ok(iommufd_stat("objects") == 0, "nothing is left");
	return tap_done();
}
