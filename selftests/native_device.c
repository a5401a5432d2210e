// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real devices, bound natively: no VFIO, no mock.  The test module is the driver
 * of QEMU's edu devices, this program has their registers from sysfs, and what
 * stands between is an IOMMU driver of 6.1.
 *
 * What such a driver cannot do is refused as the table in Documentation/uapi.rst
 * has it; what it can is shown by DMA.  Only data is looked at, never an IOMMU's
 * fault report: some block without a word.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "cap_util.h"
#include "device_util.h"
#include "mock_util.h"

#define LEN 256
#define SIZE (4 * PAGE)
#define NO_ID 12345
#define MSI_FIRST 0xfee00000ULL
#define MSI_LAST 0xfeefffffULL
#define UID 4711

static int fd;
static uint32_t ioas;
static struct device dev;
static uint8_t *mem, *other;
static uint32_t seed = 1;

/* ------------------------------------------------------------------ */
/* DMA */

/* The device copies from the first page to the second, and nowhere else. */
static bool reaches(struct device *d, uint8_t *at, uint64_t iova)
{
	fill_pattern(at, LEN, ++seed);
	memset(at + PAGE, 0, PAGE);
	edu_copy(&d->edu, iova, iova + PAGE, LEN);
	return check_pattern(at, LEN, seed) < 0 &&
	       check_pattern(at + PAGE, LEN, seed) < 0 &&
	       all_bytes(at + PAGE + LEN, PAGE - LEN, 0);
}

/* What the device writes to @iova does not get to @at. */
static bool write_blocked(struct device *d, uint8_t *at, uint64_t iova)
{
	fill_pattern(at, LEN, ++seed);
	edu_store(&d->edu, iova, LEN);
	return check_pattern(at, LEN, seed) < 0;
}

/*
 * Neither way: what the device writes does not arrive, and what it reads there
 * is not in its buffer afterwards, seen through @good, which it reaches.
 */
static bool blocked(struct device *d, uint8_t *at, uint64_t iova,
		    uint8_t *good, uint64_t good_iova)
{
	memset(good, 0x33, LEN);
	edu_fetch(&d->edu, good_iova, LEN);
	if (!write_blocked(d, at, iova))
		return false;
	memset(good, 0x77, LEN);
	edu_fetch(&d->edu, iova, LEN);
	edu_store(&d->edu, good_iova, LEN);
	return !all_bytes(good, LEN, 0x77) && check_pattern(good, LEN, seed) >= 0;
}

/* ------------------------------------------------------------------ */
/* Bind */

/* All commands but bind need a device. */
static void test_unbound(void)
{
	int at = access_open();

	refused(device_unbind(at), EINVAL, "unbind what is not bound");
	refused(device_attach(at, ioas, NULL), EINVAL, "attach");
	refused(device_detach(at), EINVAL, "detach");
	refused(device_replace(at, ioas, NULL), EINVAL, "replace");
	refused(device_pasid(at, ACCESS_TEST_PASID_ATTACH, 1, ioas), EINVAL,
		"attach a PASID");
	close(at);
}

static void test_names(void)
{
	struct access_test_bind cmd = { .iommufd = fd };
	int at = access_open();

	refused(device_bind_only(at, fd, ""), ENODEV, "no name");
	refused(device_bind_only(at, fd, "0000:00:1e.7"), ENODEV,
		"no such device");
	refused(device_bind_only(at, fd, "0000:00:04.0x"), ENODEV, "no name");
	refused(device_bind_only(at, fd, "%s%s%n"), ENODEV, "no name at all");
	memset(cmd.name, '0', sizeof(cmd.name));
	refused(ioctl(at, ACCESS_TEST_DEVICE_BIND, &cmd), EINVAL,
		"a name without an end");
	refused(ioctl(at, ACCESS_TEST_DEVICE_BIND, NULL), EFAULT,
		"no argument");
	refused(device_bind_only(at, -1, name_of("EDU0")), EBADF,
		"no context");
	refused(device_bind_only(at, at, name_of("EDU0")), EBADFD,
		"a file that is none");
	strcpy(cmd.name, name_of("EDU0"));
	refused(ioctl_read_only(at, ACCESS_TEST_DEVICE_BIND, &cmd,
				sizeof(cmd)), EFAULT,
		"an id that cannot be written");
	close(at);
}

/* Whatever else is in this guest has a driver, or no IOMMU before it. */
static void test_others(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	char driver[NAME_MAX + 1], group[NAME_MAX + 1];
	unsigned int drivers = 0;
	int at = access_open();
	struct dirent *de;

	if (!dir)
		bail("no /sys/bus/pci/devices");
	while ((de = readdir(dir))) {
		const char *name = de->d_name;

		if (name[0] == '.')
			continue;
		if (!sysfs_link(name, "iommu_group", group, sizeof(group))) {
			refused(device_bind_only(at, fd, name), ENODEV,
				"%s, without an IOMMU", name);
		} else if (sysfs_link(name, "driver", driver, sizeof(driver))) {
			drivers++;
			refused(device_bind_only(at, fd, name), EPERM,
				"%s, which has the driver %s", name, driver);
		}
	}
	ok(drivers, "%u devices have drivers", drivers);
	closedir(dir);
	close(at);
}

/* What virtio-iommu is behind: see allow_unsafe_interrupts. */
static void test_interrupts(void)
{
	const char *iommu = name_of("IOMMU");
	int at = access_open();

	if (!strcmp(iommu, "virtio")) {
		iommufd_param("allow_unsafe_interrupts", false);
		refused(device_bind_only(at, fd, name_of("EDU0")), EPERM,
			"interrupts are not remapped");
		iommufd_param("allow_unsafe_interrupts", true);
	}
	close(at);
}

/* One owner, who may bind a device again: as in Linux, its driver knows better. */
static void test_bound(void)
{
	int fd2 = iommu_open(), at2 = access_open();
	uint32_t id, hwpt, hwpt2;

	refused(iommu_destroy_id(fd, dev.id), EBUSY, "a device is not ours");
	refused(device_bind_only(dev.at, fd, dev.name), EINVAL,
		"a file has one device");
	refused(device_bind_only(at2, fd2, dev.name), EPERM,
		"a device has one context");
	refused(device_attach(dev.at, NO_ID, NULL), ENOENT, "to nothing");
	refused(device_attach(dev.at, 0, NULL), ENOENT, "to 0");
	refused(device_attach(dev.at, dev.id, NULL), ENOENT, "to a device");
	refused(device_replace(dev.at, ioas, NULL), EINVAL,
		"replace before attach");
	refused(device_detach(dev.at), EINVAL, "detach before attach");

	ok(!device_bind(at2, fd, dev.name, &id) && id != dev.id,
	   "bound twice in one context");
	ok(!device_attach(at2, ioas, &hwpt) && !device_attach(dev.at, ioas, &hwpt2) &&
	   hwpt == hwpt2, "and attached twice: one HWPT");
	refused(device_attach(at2, ioas, NULL), EBUSY, "a third time");
	ok(!device_detach(at2) && !device_unbind(at2), "the second one goes");
	refused(iommu_destroy_id(fd, id), ENOENT, "its id is gone");
	refused(device_bind_only(at2, fd2, dev.name), EPERM,
		"the first one is still the owner");
	ok(!device_detach(dev.at), "detach");
	close(at2);
	close(fd2);
	iommufd_stat_wait("contexts", 1);
}

/* ------------------------------------------------------------------ */
/* Attach to an IOAS */

/* Across pages and transfers, at odd addresses; nothing else changes. */
static bool copies(struct device *d, size_t from, size_t to, size_t len)
{
	uint8_t model[SIZE];

	fill_pattern(mem, SIZE, ++seed);
	memcpy(model, mem, SIZE);
	memmove(model + to, model + from, len);
	edu_copy(&d->edu, IOVA + from, IOVA + to, len);
	return !memcmp(mem, model, SIZE);
}

static void test_auto(void)
{
	uint64_t pinned = vmpin_kib();
	uint32_t hwpt;

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, ioas, other, SIZE, 4 * GIB, IOAS_RO),
	   "map, before there is a device");
	ok(iommufd_stat("pinned_pages") == 0, "nothing is pinned");
	ok(write_blocked(&dev, mem, IOVA), "bound only, its DMA is blocked");
	ok(!device_attach(dev.at, ioas, &hwpt) && hwpt != ioas, "attach");
	refused(iommu_destroy_id(fd, hwpt), EBUSY,
		"an HWPT that made itself is not ours");
	refused(iommu_destroy_id(fd, ioas), EBUSY, "the IOAS is in use");
	ok(iommufd_stat("pinned_pages") == 2 * SIZE / PAGE &&
	   vmpin_kib() == pinned + 2 * SIZE / KIB, "all is pinned once");

	ok(copies(&dev, 0, 2 * PAGE, PAGE), "DMA of a page");
	ok(copies(&dev, PAGE - 123, 3 * PAGE - 77, 200), "across pages");
	ok(copies(&dev, 5, SIZE - 1, 1), "of the last byte");
	fill_pattern(other, PAGE, ++seed);
	edu_copy(&dev.edu, 4 * GIB, IOVA, LEN);
	ok(check_pattern(mem, LEN, seed) < 0, "read above 4 GiB");
	ok(write_blocked(&dev, other, 4 * GIB), "write to what is read only");
	ok(blocked(&dev, mem + PAGE, IOVA + SIZE, mem, IOVA), "behind the mapping");
	ok(blocked(&dev, mem + PAGE, IOVA - PAGE, mem, IOVA), "before it");
	ok(blocked(&dev, mem + PAGE, (uintptr_t)mem, mem, IOVA),
	   "the address that the CPU uses");

	ok(!ioas_unmap(fd, ioas, 4 * GIB, SIZE, NULL), "unmap one");
	ok(blocked(&dev, other, 4 * GIB, mem, IOVA), "it is out of reach");
	ok(!ioas_map_at(fd, ioas, other, SIZE, 2 * IOVA, IOAS_RW) &&
	   reaches(&dev, other, 2 * IOVA), "map while attached");
	ok(!device_detach(dev.at), "detach");
	refused(iommu_destroy_id(fd, hwpt), ENOENT, "the HWPT is gone");
	ok(write_blocked(&dev, mem, IOVA) && write_blocked(&dev, other, 2 * IOVA),
	   "its DMA is blocked");
	ok(iommufd_stat("pinned_pages") == 0 && vmpin_kib() == pinned,
	   "nothing is pinned");
	ok(!device_attach(dev.at, ioas, NULL) && reaches(&dev, mem, IOVA) &&
	   reaches(&dev, other, 2 * IOVA), "attach again");
	ok(!device_detach(dev.at) && !ioas_unmap_all(fd, ioas, NULL), "detach");
}

/* Mappings of a file, and copies */
static void test_file(void)
{
	int file = memfd_new(0, SIZE);
	uint8_t *view = memfd_map(file, SIZE);

	ok(!ioas_map_file_at(fd, ioas, file, 0, SIZE, IOVA, IOAS_RW) &&
	   !device_attach(dev.at, ioas, NULL) && reaches(&dev, view, IOVA),
	   "DMA to a memfd");
	ok(!ioas_copy_at(fd, ioas, ioas, IOVA + PAGE, 2 * PAGE, 2 * IOVA, IOAS_RW) &&
	   reaches(&dev, view + PAGE, 2 * IOVA), "to a copy of a part");
	ok(iommufd_stat("pinned_pages") == SIZE / PAGE, "pinned once");
	ok(!ioas_change_process(fd) && reaches(&dev, view, IOVA),
	   "CHANGE_PROCESS");
	ok(!ioas_unmap(fd, ioas, IOVA, SIZE, NULL) &&
	   reaches(&dev, view + PAGE, 2 * IOVA), "the copy stays");
	ok(!ioas_unmap_all(fd, ioas, NULL) && write_blocked(&dev, view, 2 * IOVA),
	   "unmap all");
	ok(!device_detach(dev.at) && iommufd_stat("pinned_pages") == 0, "detach");
	munmap(view, SIZE);
	close(file);
}

static bool all_iovas(void)
{
	struct iommu_iova_range range;
	uint32_t n = 1;

	return !ioas_ranges(fd, ioas, &range, &n) && n == 1 && !range.start &&
	       range.last == UINT64_MAX;
}

/* The end of the last range, or 0: the ranges are not what they should be. */
static uint64_t attached_iovas(void)
{
	struct iommu_iova_range ranges[16];
	uint32_t n = 16, i;

	if (ioas_ranges(fd, ioas, ranges, &n) || n < 2 || ranges[0].start ||
	    ranges[0].last >= MSI_FIRST)
		return 0;
	for (i = 0; i != n; i++) {
		note("IOVAs %llx to %llx", (unsigned long long)ranges[i].start,
		     (unsigned long long)ranges[i].last);
		if (i && ranges[i].start <= ranges[i - 1].last)
			return 0;
		if (ranges[i].start <= MSI_LAST && ranges[i].last >= MSI_FIRST)
			return 0;
	}
	return ranges[n - 1].last;
}

static void test_iovas(void)
{
	/* QEMU's VT-d translates 39 bits, the others all. */
	bool ends = !strncmp(name_of("IOMMU"), "vtd", 3);
	uint32_t hwpt = hwpt_new(fd, dev.id, ioas, 0);
	uint64_t last;

	ok(all_iovas(), "all IOVAs, also with a page table without a device");
	ok(!device_attach(dev.at, ioas, NULL), "attach");
	last = attached_iovas();
	ok(last == (ends ? (1ULL << 39) - 1 : UINT64_MAX),
	   "the MSI window is gone, the last IOVA is %llx",
	   (unsigned long long)last);
	refused(ioas_map_at(fd, ioas, mem, PAGE, MSI_FIRST, IOAS_RW), EINVAL,
		"map there");
	refused(ioas_map_at(fd, ioas, mem, 2 * PAGE, MSI_FIRST - PAGE, IOAS_RW),
		EINVAL, "across its start");
	refused(ioas_map_at(fd, ioas, mem, 2 * PAGE, MSI_LAST + 1 - PAGE,
			    IOAS_RW), EINVAL, "across its end");
	refused(ioas_allow(fd, ioas, MSI_LAST, MSI_LAST + PAGE), EADDRINUSE,
		"a promise of it");
	if (ends) {
		refused(ioas_map_at(fd, ioas, mem, 2 * PAGE, last + 1 - PAGE,
				    IOAS_RW), EINVAL, "across the end");
		ok(!ioas_map_at(fd, ioas, mem, 2 * PAGE, last + 1 - 2 * PAGE,
				IOAS_RW) &&
		   reaches(&dev, mem, last + 1 - 2 * PAGE), "the last pages");
	}
	ok(!ioas_map_at(fd, ioas, mem, 2 * PAGE, MSI_LAST + 1, IOAS_RW) &&
	   reaches(&dev, mem, MSI_LAST + 1) &&
	   !ioas_unmap_all(fd, ioas, NULL), "just behind the window");
	ok(!device_detach(dev.at) && all_iovas(), "detached: all IOVAs");

	ok(!device_attach(dev.at, hwpt, NULL) && attached_iovas(),
	   "the same in a page table of userspace");
	ok(!device_detach(dev.at) && all_iovas(), "detached: all IOVAs");
	ok(!iommu_destroy_id(fd, hwpt), "destroy it");
}

/* Attach, and move, where something is in the way */
static void test_in_the_way(void)
{
	uint32_t bad = ioas_new(fd), hwpt = hwpt_new(fd, dev.id, bad, 0), was;

	ok(!ioas_map_at(fd, bad, mem, PAGE, MSI_FIRST, IOAS_RW) &&
	   !ioas_map_at(fd, ioas, other, SIZE, IOVA, IOAS_RW),
	   "map in the MSI window");
	refused(device_attach(dev.at, bad, NULL), EADDRINUSE, "attach");
	refused(device_attach(dev.at, hwpt, NULL), EADDRINUSE,
		"attach to an HWPT");
	ok(!device_attach(dev.at, ioas, &was) && reaches(&dev, other, IOVA),
	   "attach elsewhere");
	refused(device_replace(dev.at, bad, NULL), EADDRINUSE, "replace");
	ok(reaches(&dev, other, IOVA), "it is where it was");
	refused(device_replace(dev.at, hwpt, NULL), EADDRINUSE,
		"replace by an HWPT");
	ok(reaches(&dev, other, IOVA), "it is where it was");
	ok(!ioas_unmap_all(fd, bad, NULL) &&
	   !ioas_allow(fd, bad, MSI_FIRST, MSI_LAST), "a promise instead");
	refused(device_replace(dev.at, bad, NULL), EADDRINUSE, "replace");
	ok(!ioas_allow_all(fd, bad) &&
	   !ioas_map_at(fd, bad, (void *)PAGE, PAGE, IOVA, IOAS_RW),
	   "memory that there is not");
	refused(device_replace(dev.at, bad, NULL), EFAULT, "replace");
	refused(device_replace(dev.at, hwpt, NULL), EFAULT, "by an HWPT");
	ok(reaches(&dev, other, IOVA), "it is where it was");
	ok(!ioas_unmap_all(fd, bad, NULL) && !device_replace(dev.at, bad, NULL),
	   "nothing is in the way");
	refused(iommu_destroy_id(fd, was), ENOENT, "the old HWPT is gone");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, hwpt) &&
	   !iommu_destroy_id(fd, bad) && !ioas_unmap_all(fd, ioas, NULL),
	   "detach");
}

/* ------------------------------------------------------------------ */
/* What an IOMMU driver of 6.1 has not */

static int alloc_data(uint32_t pt, uint32_t flags, uint32_t type, uint32_t len)
{
	uint64_t data[8] = {};
	struct iommu_hwpt_alloc cmd = {
		.flags = flags,
		.dev_id = dev.id,
		.pt_id = pt,
		.data_type = type,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
	};

	return hwpt_alloc_cmd(fd, &cmd);
}

static void test_alloc(void)
{
	uint32_t hwpt = hwpt_new(fd, dev.id, ioas, 0), fault, flags;
	int queue = fault_new(fd, &fault);
	struct iommu_hwpt_alloc cmd = {
		.flags = IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = dev.id,
		.pt_id = ioas,
		.fault_id = fault,
	};
	unsigned int bad = 0;

	refused(alloc_data(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, 0, 0),
		EOPNOTSUPP, "a nesting parent");
	refused(alloc_data(ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0, 0),
		EOPNOTSUPP, "dirty tracking");
	refused(alloc_data(ioas, IOMMU_HWPT_ALLOC_PASID, 0, 0), EOPNOTSUPP,
		"PASIDs");
	refused(hwpt_alloc_cmd(fd, &cmd), EOPNOTSUPP, "a fault queue");
	cmd.fault_id = NO_ID;
	refused(hwpt_alloc_cmd(fd, &cmd), EOPNOTSUPP, "one that is none");
	for (flags = 1; flags != 32; flags++)
		bad += alloc_data(ioas, flags, 0, 0) != -1 || errno != EOPNOTSUPP;
	ok(!bad, "all flags together, and ones that nobody knows (%u)", bad);
	refused(alloc_data(ioas, 0, IOMMU_HWPT_DATA_VTD_S1, 24), EOPNOTSUPP,
		"data for VT-d");
	refused(alloc_data(ioas, 0, IOMMU_HWPT_DATA_ARM_SMMUV3, 16),
		EOPNOTSUPP, "for another IOMMU");
	refused(alloc_data(ioas, 0, IOMMU_HWPT_DATA_AMD_GUEST, 64), EOPNOTSUPP,
		"for AMD-Vi");
	refused(alloc_data(ioas, 0, UINT32_MAX, UINT32_MAX), E2BIG,
		"for nobody");
	refused(alloc_data(ioas, 0, IOMMU_HWPT_DATA_NONE, 1), EINVAL,
		"data of no type");
	refused(alloc_data(ioas, 0, IOMMU_HWPT_DATA_VTD_S1, 0), EINVAL,
		"a type without data");
	refused(alloc_data(hwpt, 0, IOMMU_HWPT_DATA_VTD_S1, 24), EINVAL,
		"nested, where no nesting parent is");
	refused(alloc_data(hwpt, 0, 0, 0), EOPNOTSUPP, "nested, without data");
	refused(alloc_data(dev.id, 0, 0, 0), EINVAL, "on a device");
	refused(alloc_data(NO_ID, 0, 0, 0), EINVAL, "on nothing");
	ok(!close(queue) && !iommu_destroy_id(fd, fault) &&
	   !iommu_destroy_id(fd, hwpt), "destroy");
}

static int hw_info(struct iommu_hw_info *cmd, void *buf, uint32_t len)
{
	cmd->size = sizeof(*cmd);
	cmd->dev_id = dev.id;
	cmd->data_len = len;
	cmd->data_uptr = (uintptr_t)buf;
	return ioctl(fd, IOMMU_GET_HW_INFO, cmd);
}

static void test_info(void)
{
	struct iommu_hw_info cmd = {
		.out_max_pasid_log2 = 20,
		.out_capabilities = UINT64_MAX,
		.in_data_type = 77,
	};
	uint8_t buf[128];

	memset(buf, 0xa5, sizeof(buf));
	ok(!hw_info(&cmd, buf, 100) && cmd.out_data_type == IOMMU_HW_INFO_TYPE_NONE &&
	   !cmd.data_len, "GET_HW_INFO has no data");
	ok(!cmd.out_capabilities && !cmd.out_max_pasid_log2 && !cmd.flags,
	   "no capabilities, no PASIDs");
	ok(all_bytes(buf, 100, 0) && all_bytes(buf + 100, 28, 0xa5),
	   "the buffer is zeroed, and what is behind it is not");
	ok(!hw_info(&cmd, NULL, 0) && !cmd.data_len, "without a buffer");
	refused(hw_info(&cmd, NULL, 1), EFAULT, "a buffer that is none");
	cmd = (struct iommu_hw_info){ .flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE };
	ok(!hw_info(&cmd, buf, 1) && !cmd.out_data_type, "any data");
	cmd.in_data_type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	refused(hw_info(&cmd, buf, 1), EOPNOTSUPP, "that of VT-d");
	cmd.flags = 2;
	refused(hw_info(&cmd, buf, 1), EOPNOTSUPP, "an unknown flag");
}

/* An HWPT that made itself, or one of userspace */
static void test_dirty(uint32_t hwpt)
{
	uint8_t bitmap[8];

	memset(bitmap, 0xa5, sizeof(bitmap));
	refused(set_dirty_tracking(fd, hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE),
		EOPNOTSUPP, "dirty tracking on");
	refused(set_dirty_tracking(fd, hwpt, 0), EOPNOTSUPP, "off");
	refused(get_dirty_bitmap(fd, hwpt, IOVA, SIZE, PAGE, bitmap, 0),
		EOPNOTSUPP, "read the dirty bits");
	refused(get_dirty_bitmap(fd, hwpt, IOVA, SIZE, PAGE, bitmap,
				 IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR),
		EOPNOTSUPP, "without clearing them");
	refused(get_dirty_bitmap(fd, hwpt, IOVA, 0, 3, NULL, 0), EOPNOTSUPP,
		"numbers that make no sense");
	ok(all_bytes(bitmap, sizeof(bitmap), 0xa5), "the bitmap is untouched");
}

static void test_invalidate(uint32_t hwpt)
{
	uint64_t entry[4] = {};
	uint32_t n = 1;

	/* 1 is VT-d's first level. */
	refused(hwpt_invalidate(fd, hwpt, entry, 0, sizeof(entry), &n), EINVAL,
		"invalidate what is not nested");
	ok(!n, "nothing was done");
	refused(hwpt_invalidate(fd, hwpt, NULL, 1, 0, &n), EINVAL,
		"ask whether it could be");
	n = 2;
	refused(hwpt_invalidate(fd, hwpt, entry, UINT32_MAX, 8, &n), EINVAL,
		"with data of nobody");
	ok(!n, "nothing was done");
}

static void test_pasids(uint32_t hwpt)
{
	const unsigned long attach = ACCESS_TEST_PASID_ATTACH;

	refused(device_pasid(dev.at, attach, 1, hwpt), EINVAL,
		"attach a PASID to an HWPT");
	refused(device_pasid(dev.at, attach, 1, ioas), EINVAL, "to an IOAS");
	refused(device_pasid(dev.at, attach, 0, hwpt), EINVAL, "PASID 0");
	refused(device_pasid(dev.at, attach, UINT32_MAX, hwpt), EINVAL,
		"PASID 2^32 - 1");
	refused(device_pasid(dev.at, attach, 1, NO_ID), ENOENT, "to nothing");
	refused(device_pasid(dev.at, ACCESS_TEST_PASID_REPLACE, 1, hwpt),
		EINVAL, "replace one that is not attached");
}

static void test_refused(void)
{
	uint32_t hwpt = hwpt_new(fd, dev.id, ioas, 0), self;

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !device_attach(dev.at, hwpt, NULL), "in an HWPT of userspace");
	test_dirty(hwpt);
	test_invalidate(hwpt);
	test_pasids(hwpt);
	ok(!device_replace(dev.at, ioas, &self) && self != hwpt,
	   "in an HWPT that made itself");
	test_dirty(self);
	test_invalidate(self);
	test_pasids(self);
	refused(viommu_alloc(fd, dev.id, hwpt, 0, 0), EOPNOTSUPP,
		"VIOMMU_ALLOC");
	refused(viommu_alloc(fd, NO_ID, hwpt, 0, 0), ENOENT, "of no device");
	refused(vdevice_alloc(fd, hwpt, dev.id), ENOENT, "VDEVICE_ALLOC");
	ok(reaches(&dev, mem, IOVA), "all that changed nothing");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, hwpt) &&
	   !ioas_unmap_all(fd, ioas, NULL), "detach");
}

/* ------------------------------------------------------------------ */
/* Page tables of userspace */

/* From one to another of another IOAS, and back */
static void test_hwpts(void)
{
	uint32_t ioas2 = ioas_new(fd), now;
	uint32_t a = hwpt_new(fd, dev.id, ioas, 0);
	uint32_t b = hwpt_new(fd, dev.id, ioas2, 0);

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, ioas2, other, SIZE, 2 * IOVA, IOAS_RW), "map");
	ok(iommufd_stat("pinned_pages") == 0, "without a device they are empty");
	ok(!device_attach(dev.at, a, &now) && now == a, "attach to the first");
	ok(reaches(&dev, mem, IOVA) &&
	   blocked(&dev, other, 2 * IOVA, mem, IOVA), "it shows the first IOAS");
	ok(iommufd_stat("pinned_pages") == SIZE / PAGE, "and only that");
	refused(iommu_destroy_id(fd, a), EBUSY, "it is in use");
	refused(device_attach(dev.at, b, NULL), EBUSY, "attached already");

	ok(!device_replace(dev.at, b, &now) && now == b, "move to the second");
	ok(reaches(&dev, other, 2 * IOVA) &&
	   blocked(&dev, mem, IOVA, other, 2 * IOVA), "it shows the second IOAS");
	ok(iommufd_stat("pinned_pages") == SIZE / PAGE, "and only that");
	ok(!device_replace(dev.at, b, &now) && now == b &&
	   reaches(&dev, other, 2 * IOVA), "to where it is");
	ok(!iommu_destroy_id(fd, a), "the first is free");
	refused(device_replace(dev.at, a, NULL), ENOENT, "and gone");

	ok(!ioas_map_at(fd, ioas2, mem, SIZE, IOVA, IOAS_RW) &&
	   reaches(&dev, mem, IOVA) && reaches(&dev, other, 2 * IOVA),
	   "map while attached");
	ok(!device_replace(dev.at, ioas2, &now) && now != b && now != ioas2 &&
	   reaches(&dev, mem, IOVA), "to an automatic one of the same IOAS");
	ok(!ioas_unmap(fd, ioas2, 2 * IOVA, SIZE, NULL) &&
	   blocked(&dev, other, 2 * IOVA, mem, IOVA), "unmap while attached");
	ok(!device_replace(dev.at, b, NULL) && reaches(&dev, mem, IOVA) &&
	   blocked(&dev, other, 2 * IOVA, mem, IOVA),
	   "back, where it was unmapped too");
	ok(!device_detach(dev.at) && write_blocked(&dev, mem, IOVA), "detach");
	ok(!device_attach(dev.at, b, NULL) && reaches(&dev, mem, IOVA) &&
	   !device_detach(dev.at), "a page table is used twice");
	ok(!iommu_destroy_id(fd, b) && !iommu_destroy_id(fd, ioas2) &&
	   !ioas_unmap_all(fd, ioas, NULL), "destroy");
}

/* ------------------------------------------------------------------ */
/* More than one device */

/* Two groups in one page table: the one moves, the other does not notice. */
static void test_two(void)
{
	struct device two = device_new(fd, "EDU1");
	uint32_t hwpt = hwpt_new(fd, dev.id, ioas, 0), ioas2 = ioas_new(fd);
	uint32_t a, b;

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, ioas2, other, SIZE, IOVA, IOAS_RW), "map");
	ok(!device_attach(dev.at, ioas, &a) && !device_attach(two.at, ioas, &b) &&
	   a == b, "two groups share what makes itself");
	ok(reaches(&dev, mem, IOVA) && reaches(&two, mem, IOVA), "both reach it");
	ok(!device_replace(two.at, hwpt, NULL) && reaches(&dev, mem, IOVA) &&
	   reaches(&two, mem, IOVA), "one moves to an HWPT of userspace");
	ok(!device_replace(dev.at, hwpt, NULL) && reaches(&dev, mem, IOVA) &&
	   reaches(&two, mem, IOVA), "the other follows");
	ok(!device_replace(two.at, ioas2, NULL) && reaches(&two, other, IOVA) &&
	   reaches(&dev, mem, IOVA), "the one moves to another IOAS");
	ok(!ioas_unmap_all(fd, ioas2, NULL) && write_blocked(&two, other, IOVA) &&
	   reaches(&dev, mem, IOVA), "unmap there");
	ok(!device_unbind(two.at) && reaches(&dev, mem, IOVA),
	   "unbind one that is attached");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, hwpt) &&
	   !iommu_destroy_id(fd, ioas2) && !ioas_unmap_all(fd, ioas, NULL),
	   "destroy");
	device_end(&two);
}

/* Two devices of one group move as one. */
static void test_pair(void)
{
	struct device a = device_new(fd, "PAIR0");
	int fd2 = iommu_open(), at = access_open();
	uint32_t ioas2 = ioas_new(fd), hwpt;
	struct device b;

	refused(device_bind_only(at, fd2, name_of("PAIR1")), EPERM,
		"a group has one context");
	close(at);
	close(fd2);
	iommufd_stat_wait("contexts", 1);
	b = device_new(fd, "PAIR1");
	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !ioas_map_at(fd, ioas2, other, SIZE, IOVA, IOAS_RW), "map");
	ok(!device_attach(a.at, ioas, NULL), "attach one of a group");
	refused(device_attach(b.at, ioas2, NULL), EBUSY, "the other elsewhere");
	ok(!device_attach(b.at, ioas, NULL) && reaches(&a, mem, IOVA) &&
	   reaches(&b, mem, IOVA), "the other there");
	ok(!device_replace(a.at, ioas2, &hwpt) && reaches(&a, other, IOVA) &&
	   reaches(&b, other, IOVA), "both move");
	ok(!device_detach(a.at) && reaches(&b, other, IOVA), "one leaves");
	ok(!device_attach(a.at, hwpt, NULL) && reaches(&a, other, IOVA),
	   "and comes back, to the HWPT that made itself");
	ok(!device_unbind(b.at) && reaches(&a, other, IOVA),
	   "the other is unbound");
	ok(!device_unbind(a.at), "and the one");
	device_end(&b);
	device_end(&a);
	ok(!iommu_destroy_id(fd, ioas2) && !ioas_unmap_all(fd, ioas, NULL),
	   "destroy");
}

struct mover {
	pthread_t thread;
	uint32_t targets[3];
	atomic_bool stop;
	atomic_uint moved;
	unsigned int bad;
};

static void *move_thread(void *arg)
{
	struct mover *mover = arg;

	for (; !mover->stop; mover->moved++)
		mover->bad += device_replace(dev.at, mover->targets[mover->moved % 3],
					     NULL) != 0;
	return NULL;
}

/* IOMMU drivers walk the devices of a domain when they flush. */
static void test_moving(void)
{
	const char *slow = getenv("SLOW");
	unsigned int bad = 0, i, min = 1 + 60 / (slow ? atoi(slow) : 1);
	struct device two = device_new(fd, "EDU1");
	uint32_t ioas2 = ioas_new(fd);
	struct mover mover = {
		.targets = { hwpt_new(fd, dev.id, ioas, 0), ioas2, ioas },
	};

	ok(!device_attach(dev.at, ioas, NULL) && !device_attach(two.at, ioas, NULL) &&
	   !ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW), "two devices");
	if (pthread_create(&mover.thread, NULL, move_thread, &mover))
		bail("pthread_create");
	for (i = 0; i < 6 * min || mover.moved < min; i++) {
		bad += ioas_map_at(fd, ioas, other, SIZE, 2 * IOVA, IOAS_RW) ||
		       ioas_unmap(fd, ioas, 2 * IOVA, SIZE, NULL);
	}
	mover.stop = true;
	pthread_join(mover.thread, NULL);
	note("%u moves, %u mappings", mover.moved, i);
	ok(!bad && !mover.bad,
	   "one moves while the other's mappings come and go (%u, %u failed)",
	   bad, mover.bad);
	ok(reaches(&two, mem, IOVA) && blocked(&two, other, 2 * IOVA, mem, IOVA),
	   "the other's DMA is right");
	ok(!device_replace(dev.at, mover.targets[0], NULL) &&
	   reaches(&dev, mem, IOVA) && blocked(&dev, other, 2 * IOVA, mem, IOVA),
	   "and its own");
	ok(!device_detach(dev.at) && !device_detach(two.at) &&
	   !iommu_destroy_id(fd, mover.targets[0]) &&
	   !iommu_destroy_id(fd, ioas2) && !ioas_unmap_all(fd, ioas, NULL),
	   "destroy");
	device_end(&two);
}

/* What another IOMMU driver made is no place for a device, and the other way. */
static void foreign_hwpts(const struct mock *mock)
{
	uint32_t theirs = hwpt_new(fd, mock->idev, ioas, 0);
	uint32_t pasid = hwpt_new(fd, mock->idev, ioas, IOMMU_HWPT_ALLOC_PASID);
	uint32_t ours = hwpt_new(fd, dev.id, ioas, 0), self;
	struct mock moving = *mock;

	refused(device_attach(dev.at, theirs, NULL), EINVAL,
		"attach to an HWPT of another driver");
	refused(device_attach(dev.at, mock->hwpt, NULL), EINVAL,
		"to one that made itself");
	refused(mock_make_only(fd, ours, 0), EINVAL, "the mock to one of ours");
	ok(!device_attach(dev.at, ioas, &self) && self != mock->hwpt &&
	   reaches(&dev, mem, IOVA) && !mock_check_map(fd, mock->hwpt, IOVA, mem, SIZE),
	   "an IOAS that both share");
	refused(mock_make_only(fd, self, 0), EINVAL, "the mock to ours");
	refused(mock_replace(fd, &moving, ours), EINVAL, "move it to one of ours");
	refused(device_replace(dev.at, theirs, NULL), EINVAL, "replace by one of theirs");
	refused(device_replace(dev.at, mock->hwpt, NULL), EINVAL,
		"by the one that made itself");
	refused(device_pasid(dev.at, ACCESS_TEST_PASID_ATTACH, 1, pasid),
		EINVAL, "a PASID to one that is for PASIDs");
	refused(device_replace(dev.at, pasid, NULL), EINVAL, "the device");
	ok(reaches(&dev, mem, IOVA) && !mock_check_map(fd, mock->hwpt, IOVA, mem, SIZE),
	   "both are where they were");
	ok(!device_detach(dev.at) && !iommu_destroy_id(fd, theirs) &&
	   !iommu_destroy_id(fd, pasid) && !iommu_destroy_id(fd, ours),
	   "destroy");
}

static void test_foreign(void)
{
	struct mock mock;

	errno = 0;
	if (system("insmod \"$KO\"/mock/iommufd_mock.ko"))
		bail("insmod iommufd_mock");
	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !mock_make(fd, ioas, 0, &mock), "a device of the mock IOMMU");
	foreign_hwpts(&mock);
	ok(!mock_destroy(fd, &mock) && !ioas_unmap_all(fd, ioas, NULL) &&
	   !system("rmmod iommufd_mock"), "it goes");
}

/* ------------------------------------------------------------------ */
/* Limits and ends */

/* Somebody who may pin two pages; what they pinned is given back. */
static int limited_user(void *arg)
{
	uint32_t mine = *(uint32_t *)arg;
	char *two = mem_alloc(2 * PAGE);
	unsigned int i;

	become_user(UID, -1);
	memlock_limit(2 * PAGE);
	must(!ioas_map_at(fd, mine, two, 2 * PAGE, IOVA, IOAS_RW));
	for (i = 0; i != 3; i++)
		must(!device_attach(dev.at, mine, NULL) && !device_detach(dev.at));
	must(!ioas_map_at(fd, mine, two, PAGE, 2 * IOVA, IOAS_RW));
	must(device_attach(dev.at, mine, NULL) == -1 && errno == ENOMEM);
	must(!ioas_unmap(fd, mine, 2 * IOVA, PAGE, NULL));
	must(!device_attach(dev.at, mine, NULL));
	must(ioas_map_at(fd, mine, two, PAGE, 2 * IOVA, IOAS_RW) == -1 &&
	     errno == ENOMEM);
	must(!ioas_unmap_all(fd, mine, NULL));
	must(!ioas_map_at(fd, mine, two, PAGE, 2 * IOVA, IOAS_RW));
	must(!device_detach(dev.at));
	return 0;
}

static void test_memlock(void)
{
	uint32_t mine = ioas_new(fd);

	ok(!in_child(limited_user, &mine), "RLIMIT_MEMLOCK holds");
	ok(iommufd_stat("pinned_pages") == 0, "nothing is pinned");
	ok(!iommu_destroy_id(fd, mine), "destroy");
}

/* /dev/iommu goes first: the device keeps the context, and its DMA goes on. */
static void test_close_first(void)
{
	uint32_t hwpt = hwpt_new(fd, dev.id, ioas, 0);
	int at;

	ok(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW) &&
	   !device_attach(dev.at, hwpt, NULL), "attach");
	ok(!close(fd) && reaches(&dev, mem, IOVA), "close /dev/iommu");
	ok(iommufd_stat("contexts") == 1 &&
	   iommufd_stat("pinned_pages") == SIZE / PAGE, "all is still there");
	fd = iommu_open();
	at = access_open();
	refused(device_bind_only(at, fd, dev.name), EPERM,
		"the device is still owned");
	close(at);
	ok(!device_detach(dev.at) && write_blocked(&dev, mem, IOVA), "detach");
	/* The new file is a context too. */
	ok(!device_unbind(dev.at), "unbind");
	iommufd_stat_wait("contexts", 1);
	ok(iommufd_stat("objects") == 0 && iommufd_stat("areas") == 0 &&
	   iommufd_stat("pinned_pages") == 0, "now all is gone");
	ok(!device_bind(dev.at, fd, dev.name, &dev.id), "another context may");
	ioas = ioas_new(fd);
}

/* Everything is open and attached when the process ends. */
static int leave_all(void *arg)
{
	struct device two = device_new(fd, "EDU1");
	uint32_t hwpt = hwpt_new(fd, two.id, ioas, 0);

	(void)arg;
	must(!ioas_map_at(fd, ioas, mem, SIZE, IOVA, IOAS_RW));
	must(!device_attach(two.at, hwpt, NULL) && reaches(&two, mem, IOVA));
	return 0;
}

static void test_exit(void)
{
	struct device two;

	ok(!in_child(leave_all, NULL), "a process ends, and was the driver");
	refused(device_attach(dev.at, ioas, NULL), EFAULT,
		"what it mapped cannot be pinned any more");
	ok(!ioas_unmap_all(fd, ioas, NULL), "unmap that");
	two = device_new(fd, "EDU1");
	ok(!device_attach(two.at, ioas, NULL) && write_blocked(&two, mem, IOVA + SIZE),
	   "the device is free again");
	device_end(&two);
	ok(!device_attach(dev.at, ioas, NULL), "attach, and close all");
	device_end(&dev);
	close(fd);
}

int main(void)
{
	give_group(name_of("EDU0"));
	give_group(name_of("EDU1"));
	give_group(name_of("PAIR0"));
	give_group(name_of("PAIR1"));
	mem = mem_alloc(SIZE);
	other = mem_alloc(SIZE);
	fd = iommu_open();
	ioas = ioas_new(fd);
	test_unbound();
	test_names();
	test_others();
	test_interrupts();

	dev = device_new(fd, "EDU0");
	test_bound();
	test_auto();
	test_file();
	test_iovas();
	test_in_the_way();
	test_alloc();
	test_info();
	test_refused();
	test_hwpts();
	test_two();
	test_pair();
	test_moving();
	test_foreign();
	test_memlock();
	test_close_first();
	test_exit();
	ok(nothing_left() && !vmpin_kib() && !vmlck_kib(), "nothing is left");
	return tap_done();
}
