// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA from device to device, for programs that know the native ioctls: mappings that
 * are made before there is a domain, copies, kernel users, and a device that is bound
 * natively beside those that VFIO has.  What IOAS_MAP has in common with MAP_DMA is
 * told by vfio_p2p --native.
 *
 * Setup: symlink.  The test module is loaded and unloaded here.
 */
#include "device_util.h"
#include "native_util.h"
#include "p2p_util.h"

#define IOVA (4 * GIB)
#define OTHER_IOVA (64 * MIB)
#define LARGE (2 * MIB)
#define VFIO_PCI "/sys/bus/pci/drivers/vfio-pci/"

static struct edu_session s;	/* EDU0, by VFIO */
static struct device dev;	/* EDU1, natively */
static struct p2p p;
static int fd;
static uint32_t ioas;		/* the container's */
static uint8_t *bar;

/* Another IOAS, with the memory that checks need, and with the BAR */
static uint32_t ioas_with_bar(void)
{
	uint32_t id = ioas_new(fd);

	if (ioas_map_at(fd, id, p2p_mem, PAGE, P2P_MEM_IOVA, IOAS_RW) ||
	    ioas_map_at(fd, id, bar, p.size, IOVA, IOAS_RW))
		bail("IOMMU_IOAS_MAP without a domain");
	return id;
}

/* ------------------------------------------------------------------ */

static void test_map(void)
{
	uint64_t iova = 0, done;

	ok(!ioas_map(fd, ioas, bar, p.size, &iova, IOAS_RW), "map, at an IOVA of its choice");
	note("it chose 0x%lx", iova);
	ok(p2p_reaches(&s.edu, &p, iova + LARGE - P2P_LEN, LARGE - P2P_LEN), "it is reached");
	refused(ioas_unmap(fd, ioas, iova, LARGE, NULL), ENOENT, "unmap a part");
	refused(ioas_map_at(fd, ioas, bar, PAGE, iova, IOAS_RW), EEXIST, "map over it");
	refused(ioas_change_process(fd), EINVAL, "CHANGE_PROCESS: it is this process's");
	ok(p2p_reaches(&s.edu, &p, iova, 0), "it is still reached");
	ok(!ioas_unmap(fd, ioas, iova, p.size, &done) && done == p.size &&
	   p2p_blocked(&s.edu, &p, iova, 0), "unmap");
	ok(!ioas_map_at(fd, ioas, bar, LARGE, IOVA, IOAS_RW) &&
	   !ioas_unmap_all(fd, ioas, &done) && done == LARGE + PAGE, "unmap all");
	ok(!ioas_map_at(fd, ioas, p2p_mem, PAGE, P2P_MEM_IOVA, IOAS_RW) &&
	   p2p_blocked(&s.edu, &p, IOVA, 0), "it is out of reach");
}

/* Copies share what they were made of, and so what is taken away. */
static void test_copy(void)
{
	uint64_t revoked, restored, lost, done;

	ok(!ioas_map_at(fd, ioas, bar, p.size, IOVA, IOAS_RW) &&
	   !ioas_copy_at(fd, ioas, ioas, IOVA + LARGE - PAGE, 3 * PAGE, OTHER_IOVA, IOAS_RW) &&
	   !ioas_copy_at(fd, ioas, ioas, IOVA, PAGE, 2 * IOVA, IOAS_RO), "map and copy");
	ok(p2p_reaches(&s.edu, &p, OTHER_IOVA + PAGE, LARGE), "the copy is reached");
	ok(p2p_reads(&s.edu, &p, 2 * IOVA, 0) && p2p_write_blocked(&s.edu, &p, 2 * IOVA, 0),
	   "one for reading can be read");
	refused(ioas_copy_at(fd, ioas, ioas, IOVA + p.size - PAGE, 2 * PAGE, 3 * IOVA, IOAS_RW),
		ENOENT, "copy the BAR and what is behind it");
	ok(!ioas_unmap(fd, ioas, IOVA, p.size, NULL) && p2p_blocked(&s.edu, &p, IOVA, 0) &&
	   p2p_reaches(&s.edu, &p, OTHER_IOVA, LARGE - PAGE), "unmap the first, the copy stays");

	revoked = p2p_event("revoked");
	lost = p2p_event("lost");
	ok(!p2p_memory(&p, false) && p2p_event("revoked") > revoked &&
	   p2p_event_grew("lost", lost), "memory off: they are revoked");
	lost = p2p_event("lost");
	ok(!ioas_copy_at(fd, ioas, ioas, OTHER_IOVA, PAGE, IOVA, IOAS_RW) &&
	   p2p_event_grew("lost", lost), "a copy of what is off is off");
	restored = p2p_event("restored");
	ok(!p2p_memory(&p, true) && p2p_blocked(&s.edu, &p, OTHER_IOVA, LARGE - PAGE) &&
	   p2p_blocked(&s.edu, &p, 2 * IOVA, 0) && p2p_blocked(&s.edu, &p, IOVA, LARGE - PAGE),
	   "it is on: they are not reached");
	ok(!ioas_copy_at(fd, ioas, ioas, OTHER_IOVA, PAGE, IOVA + PAGE, IOAS_RW) &&
	   p2p_event_grew("restored", restored) &&
	   p2p_reaches(&s.edu, &p, OTHER_IOVA + PAGE, LARGE) &&
	   p2p_reads(&s.edu, &p, 2 * IOVA, 0) && p2p_reaches(&s.edu, &p, IOVA, LARGE - PAGE),
	   "one more copy brings all of them back");
	ok(!ioas_unmap(fd, ioas, OTHER_IOVA, 3 * PAGE, &done) && done == 3 * PAGE &&
	   !ioas_unmap(fd, ioas, IOVA, 2 * PAGE, &done) && done == 2 * PAGE &&
	   !ioas_unmap(fd, ioas, 2 * IOVA, PAGE, &done) && done == PAGE, "unmap them");
}

/* The two devices in two IOASes of one context */
static void test_copy_other(void)
{
	uint32_t other = ioas_new(fd);

	ok(!ioas_map_at(fd, ioas, bar, p.size, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, other, p2p_mem, PAGE, P2P_MEM_IOVA, IOAS_RW) &&
	   !ioas_copy_at(fd, other, ioas, IOVA, LARGE, OTHER_IOVA, IOAS_RW),
	   "copy to an IOAS without a domain");
	ok(!device_attach(dev.at, other, NULL) && p2p_reaches(&dev.edu, &p, OTHER_IOVA, 0),
	   "attach: it is reached");
	ok(!ioas_copy_at(fd, other, ioas, IOVA + LARGE, LARGE, OTHER_IOVA + LARGE, IOAS_RW) &&
	   p2p_reaches(&dev.edu, &p, OTHER_IOVA + LARGE - P2P_LEN, LARGE - P2P_LEN),
	   "copy to one with a domain");
	ok(!ioas_unmap(fd, ioas, IOVA, p.size, NULL) && p2p_blocked(&s.edu, &p, IOVA, 0) &&
	   p2p_reaches(&dev.edu, &p, OTHER_IOVA, 0), "unmap the first, the copies stay");
	ok(!ioas_copy_at(fd, ioas, other, OTHER_IOVA, LARGE, IOVA, IOAS_RW) &&
	   p2p_reaches(&s.edu, &p, IOVA, 0), "copy it back");
	ok(!device_detach(dev.at) && p2p_reaches(&s.edu, &p, IOVA, 0), "detach");
	ok(!iommu_destroy_id(fd, other) && p2p_reaches(&s.edu, &p, IOVA, 0), "destroy");
	ok(!ioas_unmap(fd, ioas, IOVA, LARGE, NULL), "unmap");
}

/* ------------------------------------------------------------------ */
/* What is mapped is looked at when the first domain comes. */

static void test_lazy(void)
{
	uint32_t other = ioas_with_bar();
	uint64_t done;

	ok(!device_attach(dev.at, other, NULL) &&
	   p2p_reaches(&dev.edu, &p, IOVA + LARGE - P2P_LEN, LARGE - P2P_LEN),
	   "a BAR that was mapped before is reached");
	ok(!device_detach(dev.at) && !p2p_memory(&p, false), "detach; its memory is off");
	refused(device_attach(dev.at, other, NULL), EFAULT, "attach");
	refused(device_attach(dev.at, other, NULL), EFAULT, "and again");
	ok(!p2p_memory(&p, true) && !device_attach(dev.at, other, NULL) &&
	   p2p_reaches(&dev.edu, &p, IOVA, 0), "it is on: attach");
	ok(!device_detach(dev.at) && p2p_write_blocked(&dev.edu, &p, IOVA, 0), "detach");
	ok(!ioas_unmap_all(fd, other, &done) && done == p.size + PAGE, "unmap all");
	ok(!iommu_destroy_id(fd, other), "destroy");
}

/* Memory and then the BAR, in one mapping */
static void test_lazy_mixed(void)
{
	uint8_t *mem = mem_alloc(PAGE + p.size);
	uint32_t other = ioas_new(fd);

	p2p_map_bar_at(&p, mem + PAGE, PROT_READ | PROT_WRITE);
	ok(!ioas_map_at(fd, other, mem, 2 * PAGE, IOVA, IOAS_RW), "map both, without a domain");
	refused(device_attach(dev.at, other, NULL), EFAULT, "attach");
	ok(!ioas_unmap(fd, other, IOVA, 2 * PAGE, NULL) &&
	   !ioas_map_at(fd, other, mem, PAGE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, other, mem + PAGE, p.size, IOVA + PAGE, IOAS_RW) &&
	   !device_attach(dev.at, other, NULL) && p2p_reaches(&dev.edu, &p, IOVA + PAGE, 0),
	   "each for itself");
	refused(ioas_map_at(fd, other, mem, 2 * PAGE, OTHER_IOVA, IOAS_RW), EFAULT,
		"both, with a domain");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, other), "destroy");
	munmap(mem, PAGE + p.size);
}

/* Page tables made by hand, and moving to one that cannot be filled */
static void test_hwpts(void)
{
	uint32_t other = ioas_with_bar(), mem_only = ioas_new(fd);
	uint32_t hwpt = hwpt_new(fd, dev.id, other, 0), hwpt2 = hwpt_new(fd, dev.id, other, 0);

	if (ioas_map_at(fd, mem_only, p2p_mem, PAGE, P2P_MEM_IOVA, IOAS_RW))
		bail("IOMMU_IOAS_MAP");
	ok(!device_attach(dev.at, hwpt, NULL) && p2p_reaches(&dev.edu, &p, IOVA, 0),
	   "attach to a page table");
	ok(!device_replace(dev.at, hwpt2, NULL) && p2p_reaches(&dev.edu, &p, IOVA, 0),
	   "to another one of the IOAS");
	ok(!device_replace(dev.at, mem_only, NULL) && p2p_blocked(&dev.edu, &p, IOVA, 0),
	   "to an IOAS without the BAR");
	ok(!iommu_destroy_id(fd, hwpt) && !iommu_destroy_id(fd, hwpt2) && !p2p_memory(&p, false),
	   "no page table has it, its memory is off");
	refused(device_replace(dev.at, other, NULL), EFAULT, "to an IOAS that cannot be filled");
	ok(!p2p_memory(&p, true) && p2p_blocked(&dev.edu, &p, IOVA, 0),
	   "the device is where it was");
	ok(!device_replace(dev.at, other, NULL) && p2p_reaches(&dev.edu, &p, IOVA, 0),
	   "it is on: to that");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, other) &&
	   !iommu_destroy_id(fd, mem_only), "destroy");
}

/* IO pages of 4 KiB only */
static void test_small(void)
{
	uint32_t other = ioas_new(fd);

	ok(!iommu_option_set(fd, IOMMU_OPTION_HUGE_PAGES, other, 0) &&
	   !ioas_map_at(fd, other, bar, p.size, IOVA, IOAS_RW) &&
	   !device_attach(dev.at, other, NULL), "without large IO pages");
	ok(p2p_reaches(&dev.edu, &p, IOVA, 0) &&
	   p2p_reaches(&dev.edu, &p, IOVA + LARGE - P2P_LEN, LARGE - P2P_LEN) &&
	   p2p_reaches(&dev.edu, &p, IOVA + p.size - 512, p.size - 512), "all of it is reached");
	ok(!ioas_unmap_all(fd, other, NULL) && p2p_write_blocked(&dev.edu, &p, IOVA, 0), "unmap");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, other), "destroy");
}

/* ------------------------------------------------------------------ */
/* The kernel itself has no access: there is no struct page to give it. */

static void refuse_access(int at, uint64_t iova, uint64_t length, const char *what)
{
	static uint8_t buf[4 * PAGE];

	refused(access_pin_only(at, iova, length, PIN_READ), EFAULT, "pin %s", what);
	refused(access_pin_only(at, iova, length, PIN_WRITE), EFAULT, "%s, for writing", what);
	refused(access_rw(at, iova, buf, length, 0), EFAULT, "read %s", what);
	refused(access_rw(at, iova, buf, length, 1), EFAULT, "write %s", what);
}

static void test_access(uint32_t id, const char *when)
{
	uint8_t *mem = mem_alloc(2 * PAGE), byte = 0;
	int at = access_new(fd, id);
	struct pin pin;

	mem_fill(mem, 2 * PAGE, 5);
	ok(!ioas_map_at(fd, id, mem, PAGE, OTHER_IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, id, bar, 2 * PAGE, OTHER_IOVA + PAGE, IOAS_RW) &&
	   !ioas_map_at(fd, id, mem + PAGE, PAGE, OTHER_IOVA + 3 * PAGE, IOAS_RW),
	   "%s: a BAR between memory", when);
	refuse_access(at, OTHER_IOVA + PAGE, 2 * PAGE, "the BAR");
	refuse_access(at, OTHER_IOVA + PAGE + 5, 7, "some of its bytes");
	refused(access_pin_only(at, OTHER_IOVA, 4 * PAGE, PIN_READ), EFAULT, "pin all");
	refused(access_rw(at, OTHER_IOVA + 3 * PAGE - 1, &byte, 1, 0), EFAULT,
		"read the last byte of the BAR");
	ok(!access_pin(at, OTHER_IOVA, PAGE, PIN_WRITE, &pin) &&
	   access_holds(at, &pin, 0, mem, PAGE), "the memory can be pinned");
	ok(!access_rw(at, OTHER_IOVA + 3 * PAGE, &byte, 1, 0) && byte == mem[PAGE],
	   "and read");
	ok(!ioas_unmap(fd, id, OTHER_IOVA + PAGE, 2 * PAGE, NULL), "unmap the BAR");
	ok(access_holds(at, &pin, 0, mem, PAGE), "what is pinned stays");
	ok(!ioas_unmap(fd, id, OTHER_IOVA, 4 * PAGE, NULL) && !access_stats(at).pins, "unmap all");
	close(at);
	munmap(mem, 2 * PAGE);
}

/* ------------------------------------------------------------------ */

/* EDU1 goes from VFIO to the test module, or back. */
static void vfio_has(const char *name, bool has)
{
	sysfs_write(has ? VFIO_PCI "bind" : VFIO_PCI "unbind", name);
}

/* The context goes with all that is mapped, and is what holds it. */
static void test_close(void)
{
	int other = iommu_open();
	uint32_t id = ioas_new(other);
	struct device again;

	device_end(&dev);
	again = device_new(other, "EDU1");
	ok(!ioas_map_at(other, id, bar, p.size, IOVA, IOAS_RW) &&
	   !device_attach(again.at, id, NULL) && p2p_reaches(&again.edu, &p, IOVA, 0),
	   "another context maps it");
	close(other);
	ok(p2p_reaches(&again.edu, &p, IOVA, 0), "its file is closed: its device still reaches it");
	ok(!device_detach(again.at) && p2p_write_blocked(&again.edu, &p, IOVA, 0), "detach");
	device_end(&again);
	iommufd_stat_wait("contexts", 1);
	ok(!iommufd_stat("pinned_pages") || iommufd_stat("pinned_pages") == 1,
	   "that context is gone");
}

/* UNMAP_DMA of v1, without a group, may take any page out of the middle. */
static void test_cut(void)
{
	uint64_t at = IOVA + 5 * PAGE, lost, done = 0;
	int other = iommu_open();
	uint32_t id = ioas_new(other);
	struct device again = device_new(other, "EDU1");

	ok(!vfio_ioas_set(other, id) && !set_iommu(other, VFIO_TYPE1_IOMMU) &&
	   !ioas_map_at(other, id, p2p_mem, PAGE, P2P_MEM_IOVA, IOAS_RW) &&
	   !device_attach(again.at, id, NULL) && !dma_map(other, IOVA, bar, p.size),
	   "a container without a group");
	ok(!dma_unmap(other, at, PAGE, &done) && done == PAGE, "a page out of the middle");
	ok(p2p_blocked(&again.edu, &p, at, 5 * PAGE), "it is not reached");
	ok(p2p_reaches(&again.edu, &p, IOVA, 0) &&
	   p2p_reaches(&again.edu, &p, at - 512, 5 * PAGE - 512) &&
	   p2p_reaches(&again.edu, &p, at + PAGE, 6 * PAGE), "both sides of it are");
	lost = p2p_event("lost");
	ok(!p2p_memory(&p, false) && p2p_event_grew("lost", lost) && !p2p_memory(&p, true) &&
	   p2p_blocked(&again.edu, &p, IOVA, 0) &&
	   p2p_blocked(&again.edu, &p, at + PAGE, 6 * PAGE), "both are revoked");
	ok(!dma_unmap(other, IOVA, 2 * PAGE, &done) && done == 2 * PAGE,
	   "some more, of what is revoked");
	ok(!dma_unmap(other, IOVA, p.size, &done) && done == p.size - 3 * PAGE, "the rest");
	ok(!device_detach(again.at), "detach");
	device_end(&again);
	close(other);
}

int main(void)
{
	struct vfio_pci_addr addr = edu_first();
	uint32_t other;

	if (strcmp(addr.bdf, name_of("EDU0")))
		bail("the first edu is not EDU0");
	if (system("insmod \"$KO\"/mock/iommufd_access_test.ko"))
		bail("insmod iommufd_access_test");
	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	fd = s.container;
	if (vfio_ioas_get(fd, &ioas))
		bail("IOMMU_VFIO_IOAS");
	p2p_open(&p, "P2P0", fd);
	bar = p2p_map_bar(&p);
	p2p_mem = mem_alloc(PAGE);
	if (ioas_map_at(fd, ioas, p2p_mem, PAGE, P2P_MEM_IOVA, IOAS_RW))
		bail("map memory");
	vfio_has(name_of("EDU1"), false);
	dev = device_new(fd, "EDU1");

	test_map();
	test_copy();
	test_copy_other();
	test_lazy();
	test_lazy_mixed();
	test_hwpts();
	test_small();
	test_access(ioas, "with a domain");
	other = ioas_new(fd);
	test_access(other, "without a domain");
	ok(!iommu_destroy_id(fd, other), "destroy");
	test_close();
	test_cut();

	vfio_has(name_of("EDU1"), true);
	munmap(bar, p.size);
	p2p_close(&p);
	edu_session_close(&s);
	ok(nothing_left() && !vmpin_kib() && !vmlck_kib(), "nothing is left");
	ok(!system("rmmod iommufd_access_test"), "the test module goes");
	return tap_done();
}
