// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mock IOMMU: IO page tables without hardware, and the test command by which
 * Linux's own iommufd selftests make devices behind it and look at them.
 *
 * It knows nothing of iommufd.ko but include/linux/iommufd.h.  User input is as
 * hostile here as it is there.
 */
#define pr_fmt(fmt) "iommufd_mock: " fmt

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommufd_mock.h"

static_assert(sizeof(struct iommu_test_cmd) == 72);
static_assert(offsetof(struct iommu_test_cmd, add_reserved) == 16);
static_assert(offsetof(struct iommu_test_cmd, last) == 64);
static_assert(offsetof(struct mock_cmd_domain, dev_flags) == 12);
static_assert(offsetof(struct mock_cmd_check_map, uptr) == 16);
static_assert(offsetof(struct mock_cmd_check_refs, refs) == 16);
static_assert(offsetof(struct mock_cmd_create_access, flags) == 4);
static_assert(offsetof(struct mock_cmd_access_pages, iova) == 8);
static_assert(offsetof(struct mock_cmd_access_pages, uptr) == 24);
static_assert(offsetof(struct mock_cmd_access_rw, flags) == 24);
static_assert(offsetof(struct mock_cmd_dirty, iova) == 8);
static_assert(offsetof(struct mock_cmd_dirty, out_nr_dirty) == 40);
static_assert(offsetof(struct mock_cmd_check_iotlb, iotlb) == 4);
static_assert(offsetof(struct mock_cmd_trigger_iopf, addr) == 16);
static_assert(offsetof(struct mock_cmd_check_cache, cache) == 4);
static_assert(offsetof(struct mock_cmd_pasid, pt_id) == 4);
static_assert(sizeof(struct iommu_mock_dma) == 72);
static_assert(offsetof(struct iommu_mock_dma, out_reason) == 56);
static_assert(sizeof(struct iommu_mock_stage1) == 32);
static_assert(sizeof(struct iommu_test_hw_info) == 8);
static_assert(sizeof(struct iommu_hwpt_selftest) == 8);
static_assert(sizeof(struct iommu_hwpt_invalidate_selftest) == 8);

/* Bits of a bitmap for DIRTY: 16 MiB of them */
#define MAX_DIRTY_BITS BIT(27)
/* What iommufd of Linux 7.3 needs for one element */
#define MIN_PIN_MEMORY 12

/**
 * mock_respond() - Give the struct back to the caller
 * @call: the command
 *
 * Return: 0 or -EFAULT.
 */
int mock_respond(struct mock_call *call)
{
	size_t size = min(call->user_size, sizeof(*call->cmd));

	return copy_to_user(call->ubuffer, call->cmd, size) ? -EFAULT : 0;
}

/**
 * mock_peek_user_page() - Which page has current at an address
 * @uaddr: address
 *
 * Return: the page, to be compared only, as there is no reference on it; or an
 * ERR_PTR.
 */
struct page *mock_peek_user_page(unsigned long uaddr)
{
	struct page *page;
	int rc;

	rc = get_user_pages_fast(uaddr & PAGE_MASK, 1, 0, &page);
	if (rc != 1)
		return ERR_PTR(rc < 0 ? rc : -EFAULT);
	put_page(page);
	return page;
}

/* ------------------------------------------------------------------ */
/* Checks and settings */

static int op_add_reserved(struct mock_call *call)
{
	return iommufd_ioas_reserve(call->ictx, call->cmd->id,
				    call->cmd->add_reserved.start,
				    call->cmd->add_reserved.length);
}

static int op_memory_limit(struct mock_call *call)
{
	if (call->cmd->memory_limit.limit < MIN_PIN_MEMORY)
		return -EINVAL;
	iommufd_set_pin_memory(call->cmd->memory_limit.limit);
	return 0;
}

static int get_io_page_size(struct iommu_domain *domain, void *data)
{
	u64 *size = data;

	if (domain->ops != &mock_paging_ops)
		return -EINVAL;
	*size = BIT(__ffs(domain->pgsize_bitmap));
	return 0;
}

struct shown {
	u64 iova;
	phys_addr_t phys;
};

static int check_shown(struct iommu_domain *domain, void *data)
{
	const struct shown *want = data;

	/* The id may be that of another one by now. */
	if (domain->ops != &mock_paging_ops ||
	    iommu_iova_to_phys(domain, want->iova) != want->phys)
		return -EINVAL;
	return 0;
}

/*
 * The caller's memory may take as long to come as the caller likes, and whoever
 * detaches a device waits for the HWPT as long as it is in use.  So never both.
 */
static int op_check_map(struct mock_call *call)
{
	const struct mock_cmd_check_map *arg = &call->cmd->check_map;
	u64 done, end, size, uptr;
	struct shown want;
	struct page *page;
	int rc;

	rc = iommufd_hwpt_call(call->ictx, call->cmd->id, get_io_page_size,
			       &size);
	if (rc)
		return rc;
	if (!IS_ALIGNED(arg->iova | arg->length | arg->uptr, size) ||
	    check_add_overflow(arg->iova, arg->length, &end) ||
	    check_add_overflow(arg->uptr, arg->length, &end))
		return -EINVAL;

	for (done = 0; !rc && done != arg->length; done += size) {
		uptr = arg->uptr + done;
		page = mock_peek_user_page(uptr);
		if (IS_ERR(page))
			return PTR_ERR(page);
		want.iova = arg->iova + done;
		want.phys = page_to_phys(page) + offset_in_page(uptr);
		rc = iommufd_hwpt_call(call->ictx, call->cmd->id, check_shown,
				       &want);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return rc;
}

static int check_page_refs(unsigned long uaddr, u32 refs)
{
	struct page *page;
	int rc;

	rc = get_user_pages_fast(uaddr, 1, 0, &page);
	if (rc != 1)
		return rc < 0 ? rc : -EFAULT;
	rc = 0;
	/* A pin adds the bias; all else, such as this reference, is less. */
	if (!PageCompound(page) &&
	    page_ref_count(page) / GUP_PIN_COUNTING_BIAS != refs)
		rc = -EIO;
	put_page(page);
	return rc;
}

static int op_check_refs(struct mock_call *call)
{
	const struct mock_cmd_check_refs *arg = &call->cmd->check_refs;
	u64 end, uptr;
	int rc = 0;

	if (!PAGE_ALIGNED(arg->length | arg->uptr) ||
	    check_add_overflow(arg->uptr, arg->length, &end))
		return -EINVAL;
	for (uptr = arg->uptr; !rc && uptr != end; uptr += PAGE_SIZE) {
		rc = check_page_refs(uptr, arg->refs);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return rc;
}

static int check_iotlb(struct iommu_domain *domain, void *data)
{
	const struct mock_cmd_check_iotlb *arg = data;

	return mock_domain_check_iotlb(domain, arg->id, arg->iotlb);
}

static int op_check_iotlb(struct mock_call *call)
{
	return iommufd_hwpt_call(call->ictx, call->cmd->id, check_iotlb,
				 &call->cmd->check_iotlb);
}

static int check_cache(struct device *dev, void *data)
{
	const struct mock_cmd_check_cache *arg = data;

	if (!to_mock_dev(dev) || arg->id >= MOCK_DEV_CACHE_NUM ||
	    arg->cache != IOMMU_TEST_DEV_CACHE_DEFAULT)
		return -EINVAL;
	return 0;
}

static int op_check_cache(struct mock_call *call)
{
	return iommufd_device_call(call->ictx, call->cmd->id, check_cache,
				   &call->cmd->check_dev_cache);
}

/* ------------------------------------------------------------------ */
/* What a device does */

static int trigger_iopf(struct device *dev, void *data)
{
	struct mock_dev *mdev = to_mock_dev(dev);

	return mdev ? mock_dev_request_page(mdev, data) : -EINVAL;
}

static int op_trigger_iopf(struct mock_call *call)
{
	return iommufd_device_call(call->ictx, call->cmd->trigger_iopf.dev_id,
				   trigger_iopf, &call->cmd->trigger_iopf);
}

struct dirty_args {
	struct mock_cmd_dirty *arg;
	unsigned long *bitmap;
	unsigned long nbits;
};

static int make_dirty(struct iommu_domain *domain, void *data)
{
	struct dirty_args *args = data;
	struct mock_cmd_dirty *arg = args->arg;
	unsigned long bit;

	if (!mock_domain_is_tracking(domain))
		return -EINVAL;
	arg->out_nr_dirty = 0;
	for_each_set_bit(bit, args->bitmap, args->nbits) {
		if (mock_domain_write(domain, arg->iova + bit * arg->page_size))
			arg->out_nr_dirty++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int op_dirty(struct mock_call *call)
{
	struct mock_cmd_dirty *arg = &call->cmd->dirty;
	struct dirty_args args = { .arg = arg };
	u64 last;
	int rc;

	if (!arg->page_size || !arg->length || !arg->uptr ||
	    arg->iova % arg->page_size || arg->length % arg->page_size)
		return -EINVAL;
	if (check_add_overflow(arg->iova, arg->length - 1, &last) ||
	    arg->length / arg->page_size > MAX_DIRTY_BITS)
		return -EOVERFLOW;
	args.nbits = arg->length / arg->page_size;
	args.bitmap = kvcalloc(BITS_TO_LONGS(args.nbits), sizeof(long),
			       GFP_KERNEL_ACCOUNT);
	if (!args.bitmap)
		return -ENOMEM;
	rc = -EFAULT;
	if (!copy_from_user(args.bitmap, u64_to_user_ptr(arg->uptr),
			    BITS_TO_BYTES(args.nbits)))
		rc = iommufd_hwpt_call(call->ictx, call->cmd->id, make_dirty,
				       &args);
	kvfree(args.bitmap);
	return rc ?: mock_respond(call);
}

/* ------------------------------------------------------------------ */

static int (*const ops[])(struct mock_call *call) = {
	[IOMMU_TEST_OP_ADD_RESERVED] = op_add_reserved,
	[IOMMU_TEST_OP_MOCK_DOMAIN] = mock_op_domain,
	[IOMMU_TEST_OP_MD_CHECK_MAP] = op_check_map,
	[IOMMU_TEST_OP_MD_CHECK_REFS] = op_check_refs,
	[IOMMU_TEST_OP_CREATE_ACCESS] = mock_op_create_access,
	[IOMMU_TEST_OP_DESTROY_ACCESS_PAGES] = mock_op_destroy_access_pages,
	[IOMMU_TEST_OP_ACCESS_PAGES] = mock_op_access_pages,
	[IOMMU_TEST_OP_ACCESS_RW] = mock_op_access_rw,
	[IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT] = op_memory_limit,
	[IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE] = mock_op_domain_replace,
	[IOMMU_TEST_OP_ACCESS_REPLACE_IOAS] = mock_op_access_replace,
	[IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS] = mock_op_domain,
	[IOMMU_TEST_OP_DIRTY] = op_dirty,
	[IOMMU_TEST_OP_MD_CHECK_IOTLB] = op_check_iotlb,
	[IOMMU_TEST_OP_TRIGGER_IOPF] = op_trigger_iopf,
	[IOMMU_TEST_OP_DEV_CHECK_CACHE] = op_check_cache,
	[IOMMU_TEST_OP_PASID_ATTACH] = mock_op_pasid_attach,
	[IOMMU_TEST_OP_PASID_REPLACE] = mock_op_pasid_replace,
	[IOMMU_TEST_OP_PASID_DETACH] = mock_op_pasid_detach,
	[IOMMU_TEST_OP_PASID_CHECK_HWPT] = mock_op_pasid_check,
	[IOMMU_TEST_OP_MOCK_DMA] = mock_op_dma,
	[IOMMU_TEST_OP_MOCK_STAGE1] = mock_op_stage1,
};

static long mock_test_cmd(struct iommufd_ctx *ictx, void *cmd,
			  void __user *ubuffer, size_t user_size)
{
	struct mock_call call = {
		.ictx = ictx,
		.cmd = cmd,
		.ubuffer = ubuffer,
		.user_size = user_size,
	};
	u32 op = call.cmd->op;

	if (call.cmd->__reserved || op >= ARRAY_SIZE(ops))
		return -EOPNOTSUPP;
	op = array_index_nospec(op, ARRAY_SIZE(ops));
	return ops[op] ? ops[op](&call) : -EOPNOTSUPP;
}

static const struct iommufd_extra_ioctl test_ioctl = {
	.owner = THIS_MODULE,
	.cmd = IOMMU_TEST_CMD,
	.size = sizeof(struct iommu_test_cmd),
	.min_size = offsetofend(struct iommu_test_cmd, last),
	.execute = mock_test_cmd,
};

static int __init mock_init(void)
{
	int rc;

	rc = bus_register(&mock_bus);
	if (rc)
		return rc;
	rc = iommufd_hw_register(&mock_hw_ops);
	if (rc)
		goto err_bus;
	rc = iommufd_extra_ioctl_register(&test_ioctl);
	if (rc)
		goto err_hw;
	return 0;

err_hw:
	iommufd_hw_unregister(&mock_hw_ops);
err_bus:
	bus_unregister(&mock_bus);
	return rc;
}

static void __exit mock_exit(void)
{
	iommufd_extra_ioctl_unregister(&test_ioctl);
	iommufd_hw_unregister(&mock_hw_ops);
	bus_unregister(&mock_bus);
	iommufd_set_pin_memory(0);
}

module_init(mock_init);
module_exit(mock_exit);

MODULE_IMPORT_NS(IOMMUFD);
MODULE_DESCRIPTION("A mock IOMMU for Linux's own iommufd selftests");
MODULE_LICENSE("GPL");
