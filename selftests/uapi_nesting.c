// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ABI of containers with two stages, number by number, as literal values.
 */
#include <linux/iommu_nesting.h>

#include "layout_util.h"

static void numbers(void)
{
	value(VFIO_IOMMU_PASID_REQUEST, 0x3b64 + 22);
	value(VFIO_IOMMU_SET_PASID_QUOTA, 0x3b64 + 23);
	value(VFIO_NESTING_GET_IOMMU_UAPI_VERSION, 0x3b64 + 24);
	value(VFIO_IOMMU_BIND, 0x3b64 + 25);
	value(VFIO_IOMMU_CACHE_INVALIDATE, 0x3b64 + 26);
	value(IOMMU_NESTING_FAULT_ALLOC, 0x3be0);
	value(VFIO_TYPE1_NESTING_IOMMU, 6);
	value(VFIO_IOMMU_TYPE1_INFO_CAP_NESTING, 2);
	value(IOMMU_UAPI_VERSION, 1);
	value(iommu_get_uapi_version(), 1);
	value(IOMMU_UAPI_BIND_GPASID, 0);
	value(IOMMU_UAPI_CACHE_INVAL, 1);
	value(IOMMU_UAPI_PAGE_RESP, 2);
	value(NR_IOMMU_UAPI_TYPE, 3);
	value(IOMMU_UAPI_CAP_MASK, 7);
}

static void faults(void)
{
	value(IOMMU_FAULT_DMA_UNRECOV, 1);
	value(IOMMU_FAULT_PAGE_REQ, 2);
	value(IOMMU_FAULT_REASON_UNKNOWN, 0);
	value(IOMMU_FAULT_REASON_PASID_FETCH, 1);
	value(IOMMU_FAULT_REASON_BAD_PASID_ENTRY, 2);
	value(IOMMU_FAULT_REASON_PASID_INVALID, 3);
	value(IOMMU_FAULT_REASON_WALK_EABT, 4);
	value(IOMMU_FAULT_REASON_PTE_FETCH, 5);
	value(IOMMU_FAULT_REASON_PERMISSION, 6);
	value(IOMMU_FAULT_REASON_ACCESS, 7);
	value(IOMMU_FAULT_REASON_OOR_ADDRESS, 8);
	value(IOMMU_FAULT_PERM_READ, 1);
	value(IOMMU_FAULT_PERM_WRITE, 2);
	value(IOMMU_FAULT_PERM_EXEC, 4);
	value(IOMMU_FAULT_PERM_PRIV, 8);
	value(IOMMU_FAULT_UNRECOV_PASID_VALID, 1);
	value(IOMMU_FAULT_UNRECOV_ADDR_VALID, 2);
	value(IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID, 4);
	value(IOMMU_FAULT_PAGE_REQUEST_PASID_VALID, 1);
	value(IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE, 2);
	value(IOMMU_FAULT_PAGE_REQUEST_PRIV_DATA, 4);
	value(IOMMU_PAGE_RESP_SUCCESS, 0);
	value(IOMMU_PAGE_RESP_INVALID, 1);
	value(IOMMU_PAGE_RESP_FAILURE, 2);
	value(IOMMU_PAGE_RESP_PASID_VALID, 1);

	size(iommu_fault, 64);
	field(iommu_fault, type, 0, 4);
	field(iommu_fault, padding, 4, 4);
	field(iommu_fault, event, 8, 32);
	field(iommu_fault, prm, 8, 40);
	field(iommu_fault, padding2, 8, 56);
	size(iommu_fault_unrecoverable, 32);
	field(iommu_fault_unrecoverable, reason, 0, 4);
	field(iommu_fault_unrecoverable, flags, 4, 4);
	field(iommu_fault_unrecoverable, pasid, 8, 4);
	field(iommu_fault_unrecoverable, perm, 12, 4);
	field(iommu_fault_unrecoverable, addr, 16, 8);
	field(iommu_fault_unrecoverable, fetch_addr, 24, 8);
	size(iommu_fault_page_request, 40);
	field(iommu_fault_page_request, flags, 0, 4);
	field(iommu_fault_page_request, pasid, 4, 4);
	field(iommu_fault_page_request, grpid, 8, 4);
	field(iommu_fault_page_request, perm, 12, 4);
	field(iommu_fault_page_request, addr, 16, 8);
	field(iommu_fault_page_request, private_data, 24, 16);
	size(iommu_nesting_page_response, 20);
	field(iommu_nesting_page_response, version, 0, 4);
	field(iommu_nesting_page_response, flags, 4, 4);
	field(iommu_nesting_page_response, pasid, 8, 4);
	field(iommu_nesting_page_response, grpid, 12, 4);
	field(iommu_nesting_page_response, code, 16, 4);
	size(iommu_nesting_fault_alloc, 16);
	field(iommu_nesting_fault_alloc, size, 0, 4);
	field(iommu_nesting_fault_alloc, flags, 4, 4);
	field(iommu_nesting_fault_alloc, out_fd, 8, 4);
}

static void invalidations(void)
{
	value(IOMMU_CACHE_INV_TYPE_IOTLB, 1);
	value(IOMMU_CACHE_INV_TYPE_DEV_IOTLB, 2);
	value(IOMMU_CACHE_INV_TYPE_PASID, 4);
	value(IOMMU_CACHE_INV_TYPE_NR, 3);
	value(IOMMU_INV_GRANU_DOMAIN, 0);
	value(IOMMU_INV_GRANU_PASID, 1);
	value(IOMMU_INV_GRANU_ADDR, 2);
	value(IOMMU_INV_GRANU_NR, 3);
	value(IOMMU_INV_ADDR_FLAGS_PASID, 1);
	value(IOMMU_INV_ADDR_FLAGS_ARCHID, 2);
	value(IOMMU_INV_ADDR_FLAGS_LEAF, 4);
	value(IOMMU_INV_PASID_FLAGS_PASID, 1);
	value(IOMMU_INV_PASID_FLAGS_ARCHID, 2);

	size(iommu_inv_addr_info, 40);
	field(iommu_inv_addr_info, flags, 0, 4);
	field(iommu_inv_addr_info, archid, 4, 4);
	field(iommu_inv_addr_info, pasid, 8, 8);
	field(iommu_inv_addr_info, addr, 16, 8);
	field(iommu_inv_addr_info, granule_size, 24, 8);
	field(iommu_inv_addr_info, nb_granules, 32, 8);
	size(iommu_inv_pasid_info, 16);
	field(iommu_inv_pasid_info, flags, 0, 4);
	field(iommu_inv_pasid_info, archid, 4, 4);
	field(iommu_inv_pasid_info, pasid, 8, 8);
	size(iommu_cache_invalidate_info, 48);
	field(iommu_cache_invalidate_info, version, 0, 4);
	field(iommu_cache_invalidate_info, cache, 4, 1);
	field(iommu_cache_invalidate_info, granularity, 5, 1);
	field(iommu_cache_invalidate_info, padding, 6, 2);
	field(iommu_cache_invalidate_info, granu.pasid_info, 8, 16);
	field(iommu_cache_invalidate_info, granu.addr_info, 8, 40);
	size(vfio_iommu_type1_cache_invalidate, 56);
	field(vfio_iommu_type1_cache_invalidate, argsz, 0, 4);
	field(vfio_iommu_type1_cache_invalidate, flags, 4, 4);
	field(vfio_iommu_type1_cache_invalidate, cache_info, 8, 48);
}

static void binds(void)
{
	value(IOMMU_PASID_FORMAT_INTEL_VTD, 1);
	value(IOMMU_SVA_GPASID_VAL, 1);
	value(IOMMU_SVA_VTD_GPASID_SRE, 1);
	value(IOMMU_SVA_VTD_GPASID_EAFE, 2);
	value(IOMMU_SVA_VTD_GPASID_PCD, 4);
	value(IOMMU_SVA_VTD_GPASID_PWT, 8);
	value(IOMMU_SVA_VTD_GPASID_EMTE, 16);
	value(IOMMU_SVA_VTD_GPASID_CD, 32);
	value(IOMMU_SVA_VTD_GPASID_EMT_MASK, 0x3c);
	value(VFIO_IOMMU_BIND_GUEST_PGTBL, 1);
	value(VFIO_IOMMU_UNBIND_GUEST_PGTBL, 2);
	value(VFIO_IOMMU_BIND_MASK, 3);

	size(iommu_gpasid_bind_data_vtd, 16);
	field(iommu_gpasid_bind_data_vtd, flags, 0, 8);
	field(iommu_gpasid_bind_data_vtd, pat, 8, 4);
	field(iommu_gpasid_bind_data_vtd, emt, 12, 4);
	size(iommu_gpasid_bind_data, 72);
	field(iommu_gpasid_bind_data, version, 0, 4);
	field(iommu_gpasid_bind_data, format, 4, 4);
	field(iommu_gpasid_bind_data, flags, 8, 8);
	field(iommu_gpasid_bind_data, gpgd, 16, 8);
	field(iommu_gpasid_bind_data, hpasid, 24, 8);
	field(iommu_gpasid_bind_data, gpasid, 32, 8);
	field(iommu_gpasid_bind_data, addr_width, 40, 4);
	field(iommu_gpasid_bind_data, padding, 44, 12);
	field(iommu_gpasid_bind_data, vtd, 56, 16);
	size(vfio_iommu_type1_bind, 8);
	field(vfio_iommu_type1_bind, argsz, 0, 4);
	field(vfio_iommu_type1_bind, flags, 4, 4);
	same("offset of vfio_iommu_type1_bind.data",
	     offsetof(struct vfio_iommu_type1_bind, data), 8);
}

static void pasids(void)
{
	value(VFIO_IOMMU_PASID_ALLOC, 1);
	value(VFIO_IOMMU_PASID_FREE, 2);
	value(VFIO_PASID_REQUEST_MASK, 3);
	size(vfio_iommu_type1_pasid_request, 20);
	field(vfio_iommu_type1_pasid_request, argsz, 0, 4);
	field(vfio_iommu_type1_pasid_request, flags, 4, 4);
	field(vfio_iommu_type1_pasid_request, alloc_pasid.min, 8, 4);
	field(vfio_iommu_type1_pasid_request, alloc_pasid.max, 12, 4);
	field(vfio_iommu_type1_pasid_request, alloc_pasid.result, 16, 4);
	field(vfio_iommu_type1_pasid_request, free_pasid, 8, 4);
	size(vfio_iommu_type1_pasid_quota, 12);
	field(vfio_iommu_type1_pasid_quota, argsz, 0, 4);
	field(vfio_iommu_type1_pasid_quota, flags, 4, 4);
	field(vfio_iommu_type1_pasid_quota, quota, 8, 4);
	size(vfio_iommu_type1_info_cap_nesting, 12);
	field(vfio_iommu_type1_info_cap_nesting, header, 0, 8);
	field(vfio_iommu_type1_info_cap_nesting, pasid_format, 8, 4);
}

int main(void)
{
	numbers();
	faults();
	invalidations();
	binds();
	pasids();
	return tap_done();
}
