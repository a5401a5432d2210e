// SPDX-License-Identifier: GPL-2.0-only
/* The units that have no suite of their own; the others need them. */
#define pr_fmt(fmt) "iommufd: " fmt

#include "../iommufd/access.c"
#include "../iommufd/debugfs.c"
#include "../iommufd/device.c"
#include "../iommufd/dirty.c"
#include "../iommufd/fault.c"
#include "../iommufd/foreign.c"
#include "../iommufd/hw.c"
#include "../iommufd/hw_info.c"
#include "../iommufd/hwpt.c"
#include "../iommufd/ioas.c"
#include "../iommufd/iopf.c"
#include "../iommufd/iopt_dirty.c"
#include "../iommufd/iopt_owner.c"
#include "../iommufd/pasid.c"
#include "../iommufd/pin_file.c"
#include "../iommufd/vfio_compat.c"
#include "../iommufd/vfio_dirty.c"
