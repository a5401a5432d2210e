/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the mock IOMMU.
 *
 * domain: IO page tables, which check what real IOMMU drivers take for granted.
 * stage1: guests' page tables, and cache: what the IOMMU remembers of them.
 * device: the bus, its devices, what the IOMMU core asks of them.
 * dma: what a device does, and its page requests.
 * stdev and access: devices and in-kernel users that belong to a context.
 * main: the test command.
 */
#ifndef MOCK_IOMMUFD_MOCK_H
#define MOCK_IOMMUFD_MOCK_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_mock_dma_uapi.h"
#include "iommufd_mock_uapi.h"

/**
 * struct mock_domain - base of each domain of the mock
 * @domain: for the IOMMU core
 * @users: devices and PASIDs that are attached, nested domains on top; it must
 *	not be freed while there are any
 * @can_track: made for dirty tracking, so devices without are refused
 */
struct mock_domain {
	struct iommu_domain domain;
	atomic_t users;
	bool can_track;
};

/**
 * struct mock_dev - a device
 * @dev: device of mock_bus
 * @iommu: what @dev->iommu points to
 * @flags: MOCK_FLAGS_DEVICE_*
 * @driver: name of the only driver that may have it, or NULL: none may
 * @idev: for as long as it is bound
 * @lock: what is attached is neither changed nor freed while it is held, so DMA holds
 *	it for each page.  Taken after the mutex of the group
 * @domain: that it is attached to; @lock, and group's mutex to change it
 * @pasids: domains by PASID; @lock to change it, RCU to look it up.  iommufd.ko makes
 *	one call at a time for a device
 * @fail_reserved: the next attempt to attach IOMMU_TEST_PASID_RESERVED fails; as
 *	@pasids
 * @iopf: how often page requests were enabled
 * @requests: page requests of the test command without an answer
 * @pri_lock: protects what follows
 * @waits: of struct mock_wait: page requests of DMA without an answer
 * @grpids: numbers of these
 * @next_grpid: where to look for a free one
 * @pri_failed: page requests were answered FAILURE
 */
struct mock_dev {
	struct device dev;
	struct dev_iommu iommu;
	u32 flags;
	const char *driver;
	struct iommufd_device *idev;
	struct mutex lock; /* struct's comment */
	struct mock_domain *domain;
	struct xarray pasids;
	bool fail_reserved;
	atomic_t iopf;
	atomic_t requests;
	spinlock_t pri_lock; /* struct's comment */
	struct list_head waits;
	DECLARE_BITMAP(grpids, IOMMU_MOCK_PAGE_REQUESTS);
	unsigned int next_grpid;
	bool pri_failed;
};

/**
 * struct mock_request - a request of a device to the IOMMU, within a page of 4 KiB
 * @mdev: device
 * @pasid: PASID, or 0 for none
 * @flags: IOMMU_MOCK_DMA_*
 * @iova: first address
 */
struct mock_request {
	struct mock_dev *mdev;
	u32 pasid;
	u32 flags;
	u64 iova;
};

/**
 * struct mock_fault - why a request was not answered
 * @reason: of enum iommu_fault_reason
 * @curable: the guest may change its page table such that it works
 * @has_fetch_addr: an entry of stage 1 is the reason
 * @fetch_addr: its address
 */
struct mock_fault {
	u32 reason;
	bool curable;
	bool has_fetch_addr;
	u64 fetch_addr;
};

/**
 * struct mock_translation - of a page, or a table of the next level
 * @iova: first address
 * @size: bytes, a power of two
 * @gpa: what @iova is in stage 2
 * @entry: X86 bits: what all levels allow (R/W, U/S) and forbid (XD)
 */
struct mock_translation {
	u64 iova;
	u64 size;
	u64 gpa;
	u64 entry;
};

/* What is remembered of stage 1 */
enum mock_cache_id {
	MOCK_DEV_TLB,
	MOCK_IOTLB,
	MOCK_WALK_CACHE,
	MOCK_CACHES,
};

/**
 * struct mock_call - a test command at work
 * @ictx: context
 * @cmd: the struct
 * @ubuffer: the caller's
 * @user_size: bytes that the caller's has
 */
struct mock_call {
	struct iommufd_ctx *ictx;
	struct iommu_test_cmd *cmd;
	void __user *ubuffer;
	size_t user_size;
};

int mock_respond(struct mock_call *call);
struct page *mock_peek_user_page(unsigned long uaddr);

/* domain */
extern const struct iommu_domain_ops mock_paging_ops;

struct mock_domain *to_mock_domain(struct iommu_domain *domain);
struct iommu_domain *mock_domain_alloc(unsigned int type);
struct iommu_domain *mock_hwpt_alloc(struct device *dev, u32 flags,
				     const struct iommufd_user_data *data);
struct iommu_domain *
mock_hwpt_alloc_nested(struct device *dev, struct iommu_domain *parent,
		       u32 flags, const struct iommufd_user_data *data);
int mock_set_dirty_tracking(struct iommu_domain *domain, bool enable);
int mock_read_dirty(struct iommu_domain *domain, unsigned long iova,
		    unsigned long length, bool clear,
		    struct iommufd_dirty_bitmap *bitmap);
int mock_hwpt_invalidate(struct iommu_domain *domain,
			 struct iommufd_user_array *array);
bool mock_domain_is_tracking(struct iommu_domain *domain);
bool mock_domain_write(struct iommu_domain *domain, unsigned long iova);
int mock_domain_check_iotlb(struct iommu_domain *domain, u32 index, u32 value);
bool mock_domain_is_paging(struct mock_domain *domain);
bool mock_domain_is_blocked(struct mock_domain *domain);
u64 mock_stage2_generation(struct mock_domain *domain);
bool mock_stage2_entry(struct mock_domain *domain, u64 gpa, u64 *entry);
size_t mock_stage2_copy(struct mock_domain *domain, u64 gpa, void *buf,
			size_t length, bool write);

/* stage1 */
struct iommu_domain *mock_domain_alloc_stage1(struct device *dev,
					      struct iommu_domain *parent,
					      u32 flags,
					      const struct iommufd_stage1 *stage1);
void mock_stage1_invalidate(struct iommu_domain *domain,
			    const struct iommufd_stage1_inv *inv);
bool mock_domain_is_stage1(struct mock_domain *domain);
struct mock_domain *mock_stage1_parent(struct mock_domain *domain);
bool mock_stage1_translate(struct mock_domain *domain,
			   const struct mock_request *req, u64 *gpa,
			   struct mock_fault *fault);
int mock_stage1_read(struct mock_domain *domain, struct iommu_mock_stage1 *arg);

/* cache */
bool mock_cache_find(enum mock_cache_id id, const struct mock_request *req,
		     struct mock_domain *domain, struct mock_translation *tr);
void mock_cache_add(enum mock_cache_id id, const struct mock_request *req,
		    struct mock_domain *domain, u64 generation,
		    const struct mock_translation *tr);
void mock_cache_forget(enum mock_cache_id id, const struct mock_request *req,
		       struct mock_domain *domain);
struct mock_domain *mock_cache_pasid(struct mock_dev *mdev, u32 pasid);
void mock_cache_invalidate(struct mock_domain *domain,
			   const struct iommufd_stage1_inv *inv);
void mock_cache_detach(struct mock_dev *mdev, u32 pasid, bool blocked);
void mock_cache_domain_gone(struct mock_domain *domain);
void mock_cache_device_gone(struct mock_dev *mdev);

/* device */
extern const struct iommu_ops mock_iommu_ops;
extern const struct iommufd_hw_ops mock_hw_ops;
extern struct bus_type mock_bus;

struct mock_dev *to_mock_dev(struct device *dev);
struct mock_dev *mock_dev_create(u32 flags, const char *driver, unsigned int nr);
void mock_dev_destroy(struct mock_dev *mdev);
int mock_dev_attach(struct iommu_domain *domain, struct device *dev);
void mock_dev_detach(struct iommu_domain *domain, struct device *dev);
int mock_dev_request_page(struct mock_dev *mdev,
			  const struct mock_cmd_trigger_iopf *request);

/* dma */
int mock_dma_user(struct mock_dev *mdev, void __user *uarg);
int mock_stage1_user(struct mock_dev *mdev, void __user *uarg);
int mock_op_dma(struct mock_call *call);
int mock_op_stage1(struct mock_call *call);
bool mock_dma_answer(struct mock_dev *mdev,
		     const struct iommu_hwpt_pgfault *fault, u32 code);
void mock_dma_reset(struct mock_dev *mdev);

/* stdev */
int mock_op_domain(struct mock_call *call);
int mock_op_domain_replace(struct mock_call *call);
int mock_op_pasid_attach(struct mock_call *call);
int mock_op_pasid_replace(struct mock_call *call);
int mock_op_pasid_detach(struct mock_call *call);
int mock_op_pasid_check(struct mock_call *call);

/* access */
int mock_op_create_access(struct mock_call *call);
int mock_op_access_replace(struct mock_call *call);
int mock_op_access_pages(struct mock_call *call);
int mock_op_destroy_access_pages(struct mock_call *call);
int mock_op_access_rw(struct mock_call *call);

#endif
