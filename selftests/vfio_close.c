// SPDX-License-Identifier: GPL-2.0-only
/*
 * Container, group and device may be closed in any order, by any process.
 *
 * After each case all is as before: VmLck of this process, and group and
 * device can be opened and used again at once.
 */
#include <sys/socket.h>

#include "edu.h"

static struct vfio_pci_addr addr;

static const uint64_t iova = 32 * MIB;

enum { CONTAINER, GROUP, DEVICE, NFDS };

static const char *const fd_name[NFDS] = { "container", "group", "device" };

static const int orders[][NFDS] = {
	{ CONTAINER, GROUP, DEVICE }, { CONTAINER, DEVICE, GROUP },
	{ GROUP, CONTAINER, DEVICE }, { GROUP, DEVICE, CONTAINER },
	{ DEVICE, CONTAINER, GROUP }, { DEVICE, GROUP, CONTAINER },
};

#define NORDERS (sizeof(orders) / sizeof(orders[0]))

static int session_fd(const struct edu_session *s, int which)
{
	if (which == CONTAINER)
		return s->container;
	return which == GROUP ? s->group : s->device;
}

/* Nothing holds the group any more, and it works: open, DMA, close. */
static bool usable_again(unsigned long type)
{
	struct edu_session s;
	bool good;

	edu_session_open(&s, &addr, type);
	good = edu_roundtrip(&s, 64 * MIB, 9);
	edu_session_close(&s);
	return good;
}

static void close_in_order(const int *order, unsigned long type, bool map, bool dma)
{
	uint64_t locked = vmlck(getpid());
	uint8_t *mem = alloc_pages(2 * MIB);
	struct edu_session s;
	bool good = true;

	edu_session_open(&s, &addr, type);
	if (map)
		good &= !dma_map(s.container, iova, mem, 2 * MIB) &&
			!dma_map(s.container, iova + GIB, mem, PAGE);
	if (dma)
		good &= edu_roundtrip(&s, 64 * MIB, 5);
	ok(good, "set up for close in order %s, %s, %s, type %lu, %s, %s", fd_name[order[0]],
	   fd_name[order[1]], fd_name[order[2]], type, map ? "mappings live" : "nothing mapped",
	   dma ? "after DMA" : "no DMA");
	edu_unmap_bar(&s.edu);
	for (int i = 0; i < NFDS; i++)
		good &= !close(session_fd(&s, order[i]));
	ok(good && vmlck(getpid()) == locked, "closed, VmLck is back");
	munmap(mem, 2 * MIB);
}

static void all_orders(void)
{
	for (size_t i = 0; i < NORDERS; i++) {
		close_in_order(orders[i], VFIO_TYPE1v2_IOMMU, false, false);
		close_in_order(orders[i], VFIO_TYPE1v2_IOMMU, true, false);
		close_in_order(orders[i], VFIO_TYPE1_IOMMU, true, true);
	}
	ok(usable_again(VFIO_TYPE1v2_IOMMU), "usable again after all orders");
}

/* The device keeps working when its container's fd is closed. */
static void device_outlives_container_fd(void)
{
	uint8_t *mem = alloc_pages(2 * PAGE);
	uint64_t locked = vmlck(getpid());
	struct edu_session s;

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	fill_pattern(mem, PAGE, 3);
	ok(dma_map(s.container, iova, mem, 2 * PAGE) == 0, "map");
	close(s.container);
	close(s.group);
	edu_copy(&s.edu, iova, iova + PAGE, 1024);
	ok(check_pattern(mem + PAGE, 1024, 3) < 0,
	   "DMA by a device whose container and group fds are closed");
	fails(group_try_open(addr.group), EBUSY, "the open device keeps the group");
	edu_unmap_bar(&s.edu);
	close(s.device);
	ok(vmlck(getpid()) == locked, "VmLck is back with the device's close");
	munmap(mem, 2 * PAGE);
}

/* A child inherits all three fds and closes them last, each order. */
static void forked_holder(const int *order)
{
	struct edu_session s;
	int go[2], status;
	uint64_t locked = vmlck(getpid());
	uint8_t *mem = alloc_pages(16 * PAGE);
	pid_t pid;
	char c;

	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	ok(dma_map(s.container, iova, mem, 16 * PAGE) == 0, "map, then fork a holder");
	if (pipe(go))
		bail("pipe");
	pid = fork_child();
	if (!pid) {
		close(go[1]);
		status = read(go[0], &c, 1) != 1;
		status |= !edu_roundtrip(&s, 64 * MIB, 6);
		edu_unmap_bar(&s.edu);
		for (int i = 0; i < NFDS; i++)
			status |= close(session_fd(&s, order[i]));
		_exit(status);
	}
	close(go[0]);
	edu_session_close(&s);
	fails(group_try_open(addr.group), EBUSY, "the child holds the group");
	if (write(go[1], "g", 1) != 1)
		bail("write");
	ok(wait_child(pid) == 0, "the child did DMA, then closed %s, %s, %s", fd_name[order[0]],
	   fd_name[order[1]], fd_name[order[2]]);
	close(go[1]);
	ok(vmlck(getpid()) == locked, "VmLck of the parent, who had mapped, is back");
	munmap(mem, 16 * PAGE);
}

static void send_fds(int sock, const int *fds, int n)
{
	char control[CMSG_SPACE(NFDS * sizeof(int))] = {}, c = 'f';
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	if (sendmsg(sock, &msg, 0) != 1)
		bail("sendmsg");
}

static void receive_fds(int sock, int *fds, int n)
{
	char control[CMSG_SPACE(NFDS * sizeof(int))] = {}, c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		bail("recvmsg");
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), n * sizeof(int));
}

/*
 * A privileged process opens everything, maps, passes the fds on and ends.
 * The receiver does DMA into what the sender's memory was (it stays pinned),
 * maps and unmaps itself, and closes.
 */
static void passed_fds(const int *order)
{
	uint64_t locked = vmlck(getpid()), done = 0;
	struct edu_session s = { .addr = addr };
	int sock[2], fds[NFDS];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		bail("socketpair");
	pid = fork_child();
	if (!pid) {
		edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
		if (dma_map(s.container, iova, alloc_pages(64 * PAGE), 64 * PAGE))
			_exit(1);
		for (int i = 0; i < NFDS; i++)
			fds[i] = session_fd(&s, i);
		send_fds(sock[1], fds, NFDS);
		_exit(0);
	}
	receive_fds(sock[0], fds, NFDS);
	ok(wait_child(pid) == 0, "a process opened all, mapped, sent the fds and ended");
	s.container = fds[CONTAINER];
	s.group = fds[GROUP];
	s.device = fds[DEVICE];
	ok(edu_init(&s.edu, s.device) == 0 && edu_roundtrip(&s, 64 * MIB, 7),
	   "map, DMA and unmap by the receiver");
	edu_copy(&s.edu, iova, iova + PAGE, 512);
	ok(dma_unmap(s.container, iova, 64 * PAGE, &done) == 0 && done == 64 * PAGE,
	   "DMA to what the ended sender mapped, then unmap of it");
	edu_unmap_bar(&s.edu);
	for (int i = 0; i < NFDS; i++)
		close(fds[order[i]]);
	ok(vmlck(getpid()) == locked, "closed %s, %s, %s; VmLck is back", fd_name[order[0]],
	   fd_name[order[1]], fd_name[order[2]]);
	close(sock[0]);
	close(sock[1]);
}

/* Two devices of one group: one session's worth of container and group. */
static void two_devices_one_group(void)
{
	struct vfio_pci_addr pair[2];
	struct edu_session s;
	struct edu second = {};
	uint8_t *mem = alloc_pages(2 * PAGE);

	if (!edu_find_pair(true, pair))
		bail("needs two edu functions in one group");
	for (int first_closed = 0; first_closed < 2; first_closed++) {
		edu_session_open(&s, &pair[0], VFIO_TYPE1v2_IOMMU);
		ok(edu_init(&second, device_fd(s.group, pair[1].bdf)) == 0,
		   "two devices of group %d open", pair[0].group);
		fill_pattern(mem, PAGE, 11);
		memset(mem + PAGE, 0, PAGE);
		ok(dma_map(s.container, iova, mem, 2 * PAGE) == 0, "map once");
		edu_copy(&s.edu, iova, iova + PAGE, 256);
		edu_copy(&second, iova, iova + PAGE + 256, 256);
		ok(check_pattern(mem + PAGE, 256, 11) < 0 &&
		   check_pattern(mem + PAGE + 256, 256, 11) < 0, "both do DMA with it");

		edu_unmap_bar(first_closed ? &second : &s.edu);
		close(first_closed ? second.fd : s.edu.fd);
		close(s.container);
		close(s.group);
		memset(mem + PAGE, 0, PAGE);
		edu_copy(first_closed ? &s.edu : &second, iova, iova + PAGE, 256);
		ok(check_pattern(mem + PAGE, 256, 11) < 0,
		   "one closed: DMA of the other goes on");
		edu_unmap_bar(first_closed ? &s.edu : &second);
		close(first_closed ? s.edu.fd : second.fd);
	}
	munmap(mem, 2 * PAGE);
}

/* Two groups in one container share its mappings; the second joins late. */
static void two_groups_one_container(void)
{
	struct vfio_pci_addr pair[2];
	uint64_t locked = vmlck(getpid());
	uint8_t *mem = alloc_pages(2 * PAGE);

	if (!edu_find_pair(false, pair))
		bail("needs two edu devices in two groups");
	for (int leaves_first = 0; leaves_first < 2; leaves_first++) {
		struct edu_session s;
		struct edu second = {};
		int group, device;

		edu_session_open(&s, &pair[0], VFIO_TYPE1v2_IOMMU);
		fill_pattern(mem, PAGE, 21);
		memset(mem + PAGE, 0, PAGE);
		ok(dma_map(s.container, iova, mem, 2 * PAGE) == 0, "map with one group");
		group = group_open(pair[1].group);
		ok(set_container(group, s.container) == 0, "a second group joins");
		device = device_fd(group, pair[1].bdf);
		ok(device >= 0 && edu_init(&second, device) == 0, "its device");
		edu_copy(&second, iova, iova + PAGE, 256);
		ok(check_pattern(mem + PAGE, 256, 21) < 0, "uses the earlier mapping");
		ok(edu_roundtrip(&s, 64 * MIB, 22), "a new mapping serves the first");
		ok(vmlck(getpid()) - locked == 2 * PAGE, "pages count once for both groups");

		close(s.container);
		edu_unmap_bar(leaves_first ? &s.edu : &second);
		close(leaves_first ? s.device : device);
		close(leaves_first ? s.group : group);
		memset(mem + PAGE, 0, PAGE);
		edu_copy(leaves_first ? &second : &s.edu, iova, iova + PAGE, 256);
		ok(check_pattern(mem + PAGE, 256, 21) < 0, "the %s group left: the other goes on",
		   leaves_first ? "first" : "second");
		edu_unmap_bar(leaves_first ? &second : &s.edu);
		close(leaves_first ? device : s.device);
		close(leaves_first ? group : s.group);
		ok(vmlck(getpid()) == locked, "VmLck is back");
	}
	munmap(mem, 2 * PAGE);
}

/* Two containers, each with a group: what one maps the other's cannot reach. */
static void two_containers(void)
{
	struct vfio_pci_addr pair[2];
	struct edu_session a, b;
	uint8_t *one = alloc_pages(2 * PAGE), *two = alloc_pages(2 * PAGE);

	if (!edu_find_pair(false, pair))
		bail("needs two edu devices in two groups");
	edu_session_open(&a, &pair[0], VFIO_TYPE1v2_IOMMU);
	edu_session_open(&b, &pair[1], VFIO_TYPE1_IOMMU);
	fails(set_container(b.group, a.container), EINVAL, "a group in two containers");
	fill_pattern(one, PAGE, 31);
	fill_pattern(two, PAGE, 32);
	ok(!dma_map(a.container, iova, one, 2 * PAGE) && !dma_map(b.container, iova, two, 2 * PAGE),
	   "the same IOVA in two containers");
	edu_copy(&a.edu, iova, iova + PAGE, 256);
	edu_copy(&b.edu, iova, iova + PAGE, 256);
	ok(check_pattern(one + PAGE, 256, 31) < 0 && check_pattern(two + PAGE, 256, 32) < 0,
	   "each device reaches its own memory");
	edu_session_close(&a);
	memset(two + PAGE, 0, PAGE);
	edu_copy(&b.edu, iova, iova + PAGE, 256);
	ok(check_pattern(two + PAGE, 256, 32) < 0, "one closed, the other goes on");
	edu_session_close(&b);
}

int main(void)
{
	addr = edu_first();
	all_orders();
	device_outlives_container_fd();
	for (size_t i = 0; i < NORDERS; i++)
		forked_holder(orders[i]);
	for (size_t i = 0; i < NORDERS; i++)
		passed_fds(orders[i]);
	two_devices_one_group();
	two_groups_one_container();
	two_containers();
	ok(usable_again(VFIO_TYPE1_IOMMU), "usable again at the end");
	return tap_done();
}
