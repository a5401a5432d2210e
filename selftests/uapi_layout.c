// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ABI, number by number, as literal values: sizes, offsets, ioctl numbers,
 * constants.  What is written here is what Linux's own header has given programs
 * since 6.2; a change of any of them breaks programs that are already built.
 */
#include <linux/iommufd.h>

#include "layout_util.h"

static void numbers(void)
{
	value(IOMMUFD_TYPE, 0x3b);
	value(IOMMU_DESTROY, 0x3b80);
	value(IOMMU_IOAS_ALLOC, 0x3b81);
	value(IOMMU_IOAS_ALLOW_IOVAS, 0x3b82);
	value(IOMMU_IOAS_COPY, 0x3b83);
	value(IOMMU_IOAS_IOVA_RANGES, 0x3b84);
	value(IOMMU_IOAS_MAP, 0x3b85);
	value(IOMMU_IOAS_UNMAP, 0x3b86);
	value(IOMMU_OPTION, 0x3b87);
	value(IOMMU_VFIO_IOAS, 0x3b88);
}

static void constants(void)
{
	value(IOMMU_IOAS_MAP_FIXED_IOVA, 1);
	value(IOMMU_IOAS_MAP_WRITEABLE, 2);
	value(IOMMU_IOAS_MAP_READABLE, 4);
	value(IOMMU_OPTION_RLIMIT_MODE, 0);
	value(IOMMU_OPTION_HUGE_PAGES, 1);
	value(IOMMU_OPTION_OP_SET, 0);
	value(IOMMU_OPTION_OP_GET, 1);
	value(IOMMU_VFIO_IOAS_GET, 0);
	value(IOMMU_VFIO_IOAS_SET, 1);
	value(IOMMU_VFIO_IOAS_CLEAR, 2);
}

static void structs_of_objects(void)
{
	size(iommu_destroy, 8);
	field(iommu_destroy, size, 0, 4);
	field(iommu_destroy, id, 4, 4);

	size(iommu_ioas_alloc, 12);
	field(iommu_ioas_alloc, size, 0, 4);
	field(iommu_ioas_alloc, flags, 4, 4);
	field(iommu_ioas_alloc, out_ioas_id, 8, 4);

	size(iommu_option, 24);
	field(iommu_option, size, 0, 4);
	field(iommu_option, option_id, 4, 4);
	field(iommu_option, op, 8, 2);
	field(iommu_option, __reserved, 10, 2);
	field(iommu_option, object_id, 12, 4);
	field(iommu_option, val64, 16, 8);

	size(iommu_vfio_ioas, 12);
	field(iommu_vfio_ioas, size, 0, 4);
	field(iommu_vfio_ioas, ioas_id, 4, 4);
	field(iommu_vfio_ioas, op, 8, 2);
	field(iommu_vfio_ioas, __reserved, 10, 2);
}

static void structs_of_ranges(void)
{
	size(iommu_iova_range, 16);
	field(iommu_iova_range, start, 0, 8);
	field(iommu_iova_range, last, 8, 8);

	size(iommu_ioas_iova_ranges, 32);
	field(iommu_ioas_iova_ranges, size, 0, 4);
	field(iommu_ioas_iova_ranges, ioas_id, 4, 4);
	field(iommu_ioas_iova_ranges, num_iovas, 8, 4);
	field(iommu_ioas_iova_ranges, __reserved, 12, 4);
	field(iommu_ioas_iova_ranges, allowed_iovas, 16, 8);
	field(iommu_ioas_iova_ranges, out_iova_alignment, 24, 8);

	size(iommu_ioas_allow_iovas, 24);
	field(iommu_ioas_allow_iovas, size, 0, 4);
	field(iommu_ioas_allow_iovas, ioas_id, 4, 4);
	field(iommu_ioas_allow_iovas, num_iovas, 8, 4);
	field(iommu_ioas_allow_iovas, __reserved, 12, 4);
	field(iommu_ioas_allow_iovas, allowed_iovas, 16, 8);
}

static void structs_of_maps(void)
{
	size(iommu_ioas_map, 40);
	field(iommu_ioas_map, size, 0, 4);
	field(iommu_ioas_map, flags, 4, 4);
	field(iommu_ioas_map, ioas_id, 8, 4);
	field(iommu_ioas_map, __reserved, 12, 4);
	field(iommu_ioas_map, user_va, 16, 8);
	field(iommu_ioas_map, length, 24, 8);
	field(iommu_ioas_map, iova, 32, 8);

	size(iommu_ioas_copy, 40);
	field(iommu_ioas_copy, size, 0, 4);
	field(iommu_ioas_copy, flags, 4, 4);
	field(iommu_ioas_copy, dst_ioas_id, 8, 4);
	field(iommu_ioas_copy, src_ioas_id, 12, 4);
	field(iommu_ioas_copy, length, 16, 8);
	field(iommu_ioas_copy, dst_iova, 24, 8);
	field(iommu_ioas_copy, src_iova, 32, 8);

	size(iommu_ioas_unmap, 24);
	field(iommu_ioas_unmap, size, 0, 4);
	field(iommu_ioas_unmap, ioas_id, 4, 4);
	field(iommu_ioas_unmap, iova, 8, 8);
	field(iommu_ioas_unmap, length, 16, 8);
}

int main(void)
{
	numbers();
	constants();
	structs_of_objects();
	structs_of_ranges();
	structs_of_maps();
	return tap_done();
}
