/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps of fault injection sweeps (see failnth_util.h) that all containers have.
 */
#ifndef SELFTESTS_FAILNTH_CONTAINER_H
#define SELFTESTS_FAILNTH_CONTAINER_H

#include "failnth_util.h"
#include "vfio_util.h"

/* Of the steps; -1 while closed */
static int container, group;
/* The number of the group that step_open_group() opens */
static int group_wanted;

/* A step that lets go of something */
#define GONE (FN_OURS | FN_NO_POINTS)

static inline long try_close(int *fd)
{
	int was = *fd;

	*fd = -1;
	return close(was);
}

static inline long step_open(void)
{
	container = open(VFIO_NODE, O_RDWR | O_CLOEXEC);
	return container;
}

static inline long step_close(void)
{
	return try_close(&container);
}

static inline long step_open_group(void)
{
	group = group_try_open(group_wanted);
	return group;
}

static inline long step_close_group(void)
{
	return try_close(&group);
}

static inline long step_join(void)
{
	return set_container(group, container);
}

static inline long step_set_v2(void)
{
	return set_iommu(container, VFIO_TYPE1v2_IOMMU);
}

static inline long step_get_info(void)
{
	static char buf[4096];
	struct vfio_iommu_type1_info *info = (void *)buf;

	info->argsz = sizeof(buf);
	return ioctl(container, VFIO_IOMMU_GET_INFO, info);
}

#endif
