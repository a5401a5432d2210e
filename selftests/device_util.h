/* SPDX-License-Identifier: GPL-2.0-only */
/* An edu device that the test module has bound natively. */
#ifndef SELFTESTS_DEVICE_UTIL_H
#define SELFTESTS_DEVICE_UTIL_H

#include "access_util.h"
#include "edu.h"

/*
 * An IOMMU that ACPI's VIOT describes, virtio's, learns of a device when a driver
 * is first tried on it: one that does not want it will do.
 */
static inline void give_group(const char *name)
{
	char path[PATH_MAX], group[NAME_MAX + 1];

	if (sysfs_link(name, "iommu_group", group, sizeof(group)))
		return;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 name);
	sysfs_write(path, "virtio-pci");
	sysfs_write("/sys/bus/pci/drivers_probe", name);
	sysfs_write(path, "");
	if (!sysfs_link(name, "iommu_group", group, sizeof(group)))
		bail("%s gets no IOMMU group", name);
}

/* A device: who drives it, its registers, its object id */
struct device {
	const char *name;
	int at;
	uint32_t id;
	struct edu edu;
};

/* @variable: EDU0 and so on, without a driver */
static inline struct device device_new(int iommufd, const char *variable)
{
	struct device d = { .name = name_of(variable), .at = access_open() };

	if (device_bind(d.at, iommufd, d.name, &d.id))
		bail("bind %s", d.name);
	edu_init_native(&d.edu, d.name);
	return d;
}

static inline void device_end(struct device *d)
{
	edu_unmap_bar(&d->edu);
	close(d->edu.fd);
	close(d->at);
}

#endif
