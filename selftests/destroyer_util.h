/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread that destroys object 1 of a context, the first of each new one, at
 * moments that hurt: it is more urgent than its victim, on the same CPU, and
 * woken by a timer, so with preempt=full it gets in wherever the timer finds the
 * other one, and behind each spinlock that held the timer off.
 */
#ifndef SELFTESTS_DESTROYER_UTIL_H
#define SELFTESTS_DESTROYER_UTIL_H

#include <stdatomic.h>
#include <time.h>

#include "iommu_util.h"

struct destroyer {
	pthread_t thread;
	atomic_int fd;		/* of the context, or -1 */
	atomic_bool stop;
	unsigned int destroyed;
	unsigned int busy;	/* something depended on it */
};

static inline void preempt_mode(const char *mode)
{
	int fd = open("/sys/kernel/debug/sched/preempt", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, mode, strlen(mode)) < 0)
		bail("sched/preempt %s", mode);
	close(fd);
}

static inline void *destroyer_thread(void *arg)
{
	struct sched_param urgent = { .sched_priority = 1 };
	struct destroyer *d = arg;
	struct timespec pause = {};
	unsigned int seed = 1;

	errno = pthread_setschedparam(pthread_self(), SCHED_FIFO, &urgent);
	if (errno)
		bail("SCHED_FIFO");
	while (!atomic_load(&d->stop)) {
		pause.tv_nsec = rand_r(&seed) % 200000;
		nanosleep(&pause, NULL);
		if (!iommu_destroy_id(atomic_load(&d->fd), 1))
			d->destroyed++;
		else if (errno == EBUSY)
			d->busy++;
	}
	return NULL;
}

/* The calling thread is the victim, and stays on its CPU from now on. */
static inline void destroyer_start(struct destroyer *d)
{
	cpu_set_t one;

	memset(d, 0, sizeof(*d));
	atomic_store(&d->fd, -1);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		bail("sched_setaffinity");
	preempt_mode("full");
	if (pthread_create(&d->thread, NULL, destroyer_thread, d))
		bail("pthread_create");
}

static inline void destroyer_stop(struct destroyer *d)
{
	atomic_store(&d->stop, true);
	pthread_join(d->thread, NULL);
	preempt_mode("voluntary");
}

#endif
