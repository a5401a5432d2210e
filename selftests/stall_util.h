/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory whose first touch waits until the test says so: a private mapping of a
 * file that this process serves by FUSE.  Pinning it in another process stops in
 * the middle, for as long as a test needs and without a clock.
 *
 * The one who touches the memory holds its mmap_lock meanwhile, so that must be
 * a child: a process that waits for its own memory cannot map, start threads or
 * allocate.  (userfaultfd would be simpler, but 6.1 does not wait for it under
 * FOLL_LONGTERM.)
 */
#ifndef SELFTESTS_STALL_UTIL_H
#define SELFTESTS_STALL_UTIL_H

#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define STALL_PAGES 16
#define STALL_SIZE (STALL_PAGES * 4096ULL)
#define STALL_ROOT_INODE 1

struct stall {
	const char *path;	/* what the file system is mounted on */
	int dev;		/* /dev/fuse */
	int file;		/* what is mapped */
	pthread_t server;
	pthread_mutex_t lock;	/* the rest */
	pthread_cond_t changed;
	unsigned int waiting;	/* reads that came while @open was false */
	bool open;
};

static inline void stall_reply(struct stall *s, uint64_t unique, int error,
			       const void *data, size_t length)
{
	char buf[sizeof(struct fuse_out_header) + STALL_SIZE];
	struct fuse_out_header header = {
		.len = sizeof(header) + length,
		.error = error,
		.unique = unique,
	};

	memcpy(buf, &header, sizeof(header));
	if (length)
		memcpy(buf + sizeof(header), data, length);
	/* The one who asked may be gone (ENOENT): that is its affair. */
	if (write(s->dev, buf, header.len) < 0 && errno != ENOENT)
		note("fuse reply: %s", strerror(errno));
}

static inline void stall_read(struct stall *s, const struct fuse_in_header *in,
			      const struct fuse_read_in *read_in)
{
	static const char zeros[STALL_SIZE];
	size_t length = read_in->size;

	pthread_mutex_lock(&s->lock);
	s->waiting++;
	pthread_cond_broadcast(&s->changed);
	while (!s->open)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (read_in->offset >= STALL_SIZE)
		length = 0;
	else if (length > STALL_SIZE - read_in->offset)
		length = STALL_SIZE - read_in->offset;
	stall_reply(s, in->unique, 0, zeros, length);
}

static inline void stall_serve(struct stall *s, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = STALL_SIZE,
		.max_write = 4096,
	};
	struct fuse_attr_out attr = {
		.attr = {
			.ino = STALL_ROOT_INODE,
			.mode = S_IFREG | 0600,
			.size = STALL_SIZE,
			.nlink = 1,
			.blksize = 4096,
		},
		.attr_valid = 1000000,
	};
	struct fuse_open_out opened = { .open_flags = FOPEN_KEEP_CACHE };

	switch (in->opcode) {
	case FUSE_INIT:
		stall_reply(s, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_GETATTR:
		stall_reply(s, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		stall_reply(s, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		stall_read(s, in, (const void *)(in + 1));
		break;
	case FUSE_RELEASE:
		stall_reply(s, in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		stall_reply(s, in->unique, -ENOSYS, NULL, 0);
		break;
	}
}

/* Ends with ENODEV when the file system is unmounted. */
static inline void *stall_server(void *arg)
{
	char buf[FUSE_MIN_READ_BUFFER + STALL_SIZE] __attribute__((aligned(8)));
	struct stall *s = arg;
	ssize_t got;

	for (;;) {
		got = read(s->dev, buf, sizeof(buf));
		if (got >= (ssize_t)sizeof(struct fuse_in_header))
			stall_serve(s, (const void *)buf);
		else if (errno == ENODEV)
			return NULL;
	}
}

static inline void stall_start(struct stall *s, const char *path)
{
	char options[128];
	struct stat st;
	int fd;

	memset(s, 0, sizeof(*s));
	s->path = path;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		bail("create %s", path);
	close(fd);
	if (system("modprobe fuse"))
		bail("modprobe fuse");
	s->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (s->dev < 0)
		bail("open /dev/fuse");
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=%o,user_id=0,group_id=0", s->dev,
		 S_IFREG | 0600);
	if (mount("stall", path, "fuse", MS_NOSUID | MS_NODEV, options))
		bail("mount fuse");
	if (pthread_create(&s->server, NULL, stall_server, s))
		bail("pthread_create");
	s->file = open(path, O_RDWR | O_CLOEXEC);
	/*
	 * The first close asks for a FLUSH, and stops asking when there is no
	 * such thing: when this process dies, nobody could answer.
	 */
	close(open(path, O_RDWR | O_CLOEXEC));
	/* Without GETATTR the kernel takes it for empty. */
	if (s->file < 0 || fstat(s->file, &st) || st.st_size != STALL_SIZE)
		bail("open the fuse file");
}

/*
 * In each child.  Without a server the wait ends in an error; a child that has
 * /dev/fuse open would keep itself waiting.
 */
static inline void stall_child(struct stall *s)
{
	close(s->dev);
}

/* In the child that is to wait */
static inline void *stall_map(struct stall *s)
{
	void *mem = mmap(NULL, STALL_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			 s->file, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

/* Until @child waits for the memory */
static inline void stall_wait(struct stall *s, pid_t child)
{
	struct timespec until;

	pthread_mutex_lock(&s->lock);
	while (!s->waiting) {
		if (waitpid(child, NULL, WNOHANG))
			bail("the child ended before it touched the memory");
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&s->changed, &s->lock, &until);
	}
	pthread_mutex_unlock(&s->lock);
}

static inline void stall_release(struct stall *s)
{
	pthread_mutex_lock(&s->lock);
	s->open = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static inline void stall_stop(struct stall *s)
{
	close(s->file);
	if (umount(s->path))
		bail("umount");
	pthread_join(s->server, NULL);
	close(s->dev);
	unlink(s->path);
}

#endif
