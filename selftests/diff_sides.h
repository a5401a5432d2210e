/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stock type1 and this project in one boot.
 *
 * /dev/vfio/vfio is a symlink to /dev/iommu, and vfio_iommu_type1 is loaded as
 * well: containers of vfio.ko's own device number, opened through a node of
 * this test, are type1's.
 */
#ifndef SELFTESTS_DIFF_SIDES_H
#define SELFTESTS_DIFF_SIDES_H

#include <sys/sysmacros.h>

#include "edu.h"

#define STOCK_NODE "/dev/vfio/diff-stock"

#define OUR_LIMIT "/sys/module/iommufd/parameters/dma_entry_limit"
#define STOCK_LIMIT "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
#define STOCK_LIMIT_DEFAULT 65535

static inline void limit_set(const char *param, unsigned long limit)
{
	FILE *f = fopen(param, "we");

	if (!f)
		bail("open %s", param);
	fprintf(f, "%lu\n", limit);
	if (fclose(f))
		bail("write %s", param);
}

static inline unsigned long limit_get(const char *param)
{
	FILE *f = fopen(param, "re");
	unsigned long limit;

	if (!f || fscanf(f, "%lu", &limit) != 1)
		bail("read %s", param);
	fclose(f);
	return limit;
}

static inline void stock_node_make(void)
{
	unlink(STOCK_NODE);
	if (mknod(STOCK_NODE, S_IFCHR | 0600, makedev(10, 196)))
		bail("mknod " STOCK_NODE);
}

/* Is each side what it is meant to be? */
static inline void check_sides(void)
{
	int64_t contexts = counter(STATS, "contexts");
	int stock = open(STOCK_NODE, O_RDWR | O_CLOEXEC), ours;

	ok(stock >= 0 && ioctl(stock, VFIO_CHECK_EXTENSION, VFIO_TYPE1_NESTING_IOMMU) == 1,
	   "a container of vfio.ko's own node is type1's (is vfio_iommu_type1 loaded?)");
	ok(counter(STATS, "contexts") == contexts, "and none of iommufd's");
	ours = container_open();
	ok(node_is_iommufd() && counter(STATS, "contexts") == contexts + 1,
	   "one of " VFIO_NODE " is iommufd's");
	close(ours);
	close(stock);
}

#endif
