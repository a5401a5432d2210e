// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects come and go: DESTROY twice, many at once, ids used again, and DESTROY
 * against commands on the same id in other threads.
 *
 * known-bugs.md rows 8 (DESTROY disturbs other users of the id), 19 (use after
 * free between put and destroy), 20 (an id that is visible too early).
 */
#include <stdatomic.h>

#include "iommu_util.h"

#define MANY 4096
#define IOVA 0x100000ULL

static int fd;
static void *mem;
static unsigned long rounds;

static void test_twice(void)
{
	uint32_t a = ioas_new(fd), b = ioas_new(fd);

	ok(a && b && a != b, "two objects have two ids, none is 0");
	ok(!iommu_destroy_id(fd, a), "destroy the first");
	fails(iommu_destroy_id(fd, a), ENOENT, "destroy it again");
	fails(ioas_map_at(fd, a, mem, PAGE, IOVA, IOAS_RW), ENOENT,
	      "map into a destroyed IOAS");
	ok(!ioas_map_at(fd, b, mem, PAGE, IOVA, IOAS_RW),
	   "the other one still works");
	ok(!iommu_destroy_id(fd, b), "destroy an IOAS with mappings");
	ok(iommufd_stat("areas") == 0 && iommufd_stat("pages") == 0,
	   "its mappings are gone with it");
}

static void test_foreign(void)
{
	uint32_t mine = ioas_new(fd);
	int other = iommu_open();
	uint32_t theirs = ioas_new(other);

	ok(mine == theirs, "each open file numbers its own objects");
	ok(!ioas_map_at(fd, mine, mem, PAGE, IOVA, IOAS_RW), "map in one file");
	fails(ioas_unmap(other, theirs, IOVA, PAGE, NULL), ENOENT,
	      "not mapped in the other");
	ok(!iommu_destroy_id(other, theirs), "destroy in the other");
	ok(!ioas_unmap(fd, mine, IOVA, PAGE, NULL), "still there in the first");
	iommu_destroy_id(fd, mine);
	close(other);
}

static void test_many(void)
{
	static uint32_t ids[MANY];
	unsigned int i, n = 0;

	for (i = 0; i != MANY; i++)
		ids[i] = ioas_new(fd);
	ok(iommufd_stat("objects") == MANY, "%u objects", MANY);
	for (i = 0; i < MANY; i += 2)
		n += !iommu_destroy_id(fd, ids[i]);
	ok(n == MANY / 2, "destroy each second one");
	for (i = 0, n = 0; i != MANY; i++) {
		int rc = ioas_map_at(fd, ids[i], mem, PAGE, IOVA, IOAS_RW);

		n += (i % 2) ? !rc : (rc == -1 && errno == ENOENT);
	}
	ok(n == MANY, "the destroyed ones are gone, the others work (%u)", n);
	for (i = 0; i < MANY; i += 2)
		ids[i] = ioas_new(fd);
	for (i = 0, n = 0; i < MANY; i += 2) {
		int rc = ioas_unmap(fd, ids[i], IOVA, PAGE, NULL);

		n += rc == -1 && errno == ENOENT;
	}
	ok(n == MANY / 2, "an id used again names a new, empty IOAS (%u)", n);
	/* The rest goes with the file. */
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("contexts") == 0,
	   "close destroys all");
	fd = iommu_open();
}

/* The id that one thread destroys and the others use; 0 ends them */
static atomic_uint shared_id;
static atomic_uint winners, bad_errno;

static void expect_0_or(int rc, int err)
{
	if (rc && errno != err) {
		note("errno %d instead of %d", errno, err);
		atomic_fetch_add(&bad_errno, 1);
	}
}

static void *user_thread(void *arg)
{
	unsigned int n = 0;
	uint64_t iova = IOVA + (uintptr_t)arg * PAGE;
	uint32_t id, got;

	while ((id = atomic_load(&shared_id))) {
		int rc = ioas_map_at(fd, id, mem, PAGE, iova, IOAS_RW);

		if (rc && errno == EEXIST)	/* left by an earlier round */
			rc = 0;
		expect_0_or(rc, ENOENT);
		rc = ioas_unmap_all(fd, id, NULL);
		if (rc && errno == EBUSY)	/* the other one maps */
			rc = 0;
		expect_0_or(rc, ENOENT);
		if (++n % 4 == 0) {
			expect_0_or(vfio_ioas_set(fd, id), ENOENT);
			expect_0_or(vfio_ioas_get(fd, &got), ENODEV);
		}
	}
	return NULL;
}

static void test_destroy_against_use(void)
{
	unsigned int i, destroyed = 0;
	pthread_t user[2];

	atomic_store(&shared_id, ioas_new(fd));
	for (i = 0; i != 2; i++)
		pthread_create(&user[i], NULL, user_thread,
			       (void *)(uintptr_t)i);
	for (i = 0; i != rounds; i++) {
		uint32_t id = atomic_load(&shared_id), next = ioas_new(fd);

		atomic_store(&shared_id, next);
		destroyed += !iommu_destroy_id(fd, id);
	}
	i = atomic_exchange(&shared_id, 0);
	pthread_join(user[0], NULL);
	pthread_join(user[1], NULL);
	iommu_destroy_id(fd, i);
	ok(destroyed == rounds, "DESTROY succeeds though the id is in use (%u)",
	   destroyed);
	ok(!bad_errno, "users see success or ENOENT");
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0,
	   "nothing is left");
	fails(vfio_ioas_get(fd, &(uint32_t){ 0 }), ENODEV,
	      "the compatibility IOAS went with its id");
}

static pthread_barrier_t barrier;

static void *destroyer_thread(void *arg)
{
	unsigned int i;

	for (i = 0; i != rounds; i++) {
		pthread_barrier_wait(&barrier);
		if (!iommu_destroy_id(fd, atomic_load(&shared_id)))
			atomic_fetch_add(&winners, 1);
		else
			expect_0_or(-1, ENOENT);
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

static void test_destroy_against_destroy(void)
{
	unsigned int i, once = 0;
	pthread_t other[2];

	pthread_barrier_init(&barrier, NULL, 3);
	for (i = 0; i != 2; i++)
		pthread_create(&other[i], NULL, destroyer_thread, NULL);
	for (i = 0; i != rounds; i++) {
		atomic_store(&shared_id, ioas_new(fd));
		atomic_store(&winners, 0);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		once += atomic_load(&winners) == 1;
	}
	pthread_join(other[0], NULL);
	pthread_join(other[1], NULL);
	ok(once == rounds, "of two DESTROYs exactly one succeeds (%u)", once);
	ok(!bad_errno, "the other one sees ENOENT");
}

/* A guess at the next id must find nothing or a complete object. */
static void *guess_thread(void *arg)
{
	uint32_t id;

	while ((id = atomic_load(&shared_id)))
		expect_0_or(ioas_unmap_all(fd, id, NULL), ENOENT);
	return arg;
}

static void test_guessed_id(void)
{
	uint32_t id = ioas_new(fd);
	unsigned int i, good = 0;
	pthread_t guesser;

	/* Ids of an idle table repeat: the next ALLOC returns this one. */
	iommu_destroy_id(fd, id);
	atomic_store(&shared_id, id);
	pthread_create(&guesser, NULL, guess_thread, NULL);
	for (i = 0; i != rounds; i++) {
		id = ioas_new(fd);
		atomic_store(&shared_id, id);
		good += !iommu_destroy_id(fd, id);
	}
	atomic_store(&shared_id, 0);
	pthread_join(guesser, NULL);
	ok(good == rounds && !bad_errno,
	   "an id that is used before ALLOC returns it (%u)", good);
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 3000;
	mem = mem_alloc(PAGE);
	fd = iommu_open();
	test_twice();
	test_foreign();
	test_many();
	test_destroy_against_use();
	test_destroy_against_destroy();
	test_guessed_id();
	close(fd);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pages") == 0, "all counters are 0");
	return tap_done();
}
