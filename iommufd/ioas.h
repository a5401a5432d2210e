/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_IOAS_H
#define IOMMUFD_IOAS_H

#include <linux/mutex.h>

#include "io_pagetable.h"
#include "object.h"

/**
 * struct iommufd_ioas - an IO address space
 * @obj: object
 * @iopt: what is mapped
 * @mutex: protects @hwpts; held while devices attach and detach
 * @hwpts: of struct iommufd_hwpt
 */
struct iommufd_ioas {
	struct iommufd_object obj;
	struct io_pagetable iopt;
	struct mutex mutex;
	struct list_head hwpts;
};

struct iommufd_ioas *iommufd_ioas_alloc(struct iommufd_ctx *ictx);
void iommufd_ioas_abort(struct iommufd_ioas *ioas);

static inline struct iommufd_ioas *iommufd_ioas_find(struct iommufd_ctx *ictx,
						     u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_find(ictx, id, IOMMUFD_OBJ_IOAS);

	return IS_ERR(obj) ? ERR_CAST(obj) :
			     container_of(obj, struct iommufd_ioas, obj);
}

int iommufd_ioas_alloc_ioctl(struct iommufd_ucmd *ucmd);
int iommufd_ioas_iova_ranges(struct iommufd_ucmd *ucmd);
int iommufd_ioas_allow_iovas(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map_file(struct iommufd_ucmd *ucmd);
int iommufd_ioas_change_process(struct iommufd_ucmd *ucmd);
int iommufd_ioas_copy(struct iommufd_ucmd *ucmd);
int iommufd_ioas_unmap(struct iommufd_ucmd *ucmd);
int iommufd_option(struct iommufd_ucmd *ucmd);

struct iommu_iova_range *iommufd_ioas_get_ranges(struct iommufd_ioas *ioas,
						 u32 *num,
						 unsigned long *alignment);

#endif
