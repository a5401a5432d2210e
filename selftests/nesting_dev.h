/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices for containers with two stages: `edu` behind a real IOMMU, or, with
 * --mock, VFIO devices of the mock IOMMU, which have PASIDs.
 */
#ifndef SELFTESTS_NESTING_DEV_H
#define SELFTESTS_NESTING_DEV_H

#include "edu.h"
#include "mock_vfio.h"
#include "nesting_util.h"

#define NESTING_DEVS 4

/**
 * struct nesting_dev - a device that is alone in its group
 * @name: for VFIO_GROUP_GET_DEVICE_FD
 * @group: number of its group
 */
struct nesting_dev {
	char name[64];
	int group;
};

/* The first @n VFIO devices of the mock: MOCKVFIO0 and so on */
static inline void mock_vfio_find(struct nesting_dev *devs, int n)
{
	for (int i = 0; i < n; i++) {
		snprintf(devs[i].name, sizeof(devs->name), MOCK_VFIO_NAME ".%d", i);
		devs[i].group = mock_vfio_group(devs[i].name);
	}
}

/* Devices that are alone in their groups; bails if there are not @want. */
static inline void nesting_find(bool mock, struct nesting_dev *devs, int want)
{
	struct vfio_pci_addr all[EDU_MAX];
	int n = 0, total, members;

	if (mock) {
		mock_vfio_find(devs, want);
		return;
	}
	total = edu_find(all);
	for (int i = 0; i < total && n != want; i++) {
		members = 0;
		for (int j = 0; j < total; j++)
			members += all[i].group == all[j].group;
		if (members != 1)
			continue;
		devs[n].group = all[i].group;
		snprintf(devs[n++].name, sizeof(devs->name), "%.15s", all[i].bdf);
	}
	errno = 0;
	if (n != want)
		bail("%d devices of %d", n, want);
}

/**
 * struct nesting_box - a container with groups
 * @fd: of the container
 * @groups: their files
 * @n: groups
 */
struct nesting_box {
	int fd;
	int groups[NESTING_DEVS];
	int n;
};

/* A container with the groups of @n devices; -1 and errno if SET_IOMMU fails */
static inline int box_try(struct nesting_box *box, unsigned long type,
			  const struct nesting_dev *devs, int n)
{
	int rc, err;

	box->fd = container_open();
	box->n = n;
	for (int i = 0; i < n; i++) {
		box->groups[i] = group_open(devs[i].group);
		if (set_container(box->groups[i], box->fd))
			bail("SET_CONTAINER");
	}
	rc = type ? set_iommu(box->fd, type) : 0;
	err = errno;
	if (rc) {
		for (int i = 0; i < n; i++)
			close(box->groups[i]);
		close(box->fd);
	}
	errno = err;
	return rc;
}

static inline struct nesting_box box_open(unsigned long type,
					  const struct nesting_dev *devs, int n)
{
	struct nesting_box box;

	if (box_try(&box, type, devs, n))
		bail("VFIO_SET_IOMMU of type %lu", type);
	return box;
}

static inline void box_close(struct nesting_box *box)
{
	for (int i = 0; i < box->n; i++)
		close(box->groups[i]);
	close(box->fd);
}

#endif
