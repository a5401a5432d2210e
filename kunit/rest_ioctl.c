// SPDX-License-Identifier: GPL-2.0-only
/* More of rest.c: its static functions have the names of some there. */
#include "../iommufd/hwpt_ioctl.c"
