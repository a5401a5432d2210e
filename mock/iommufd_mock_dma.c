// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device of the mock does: DMA, and requests for pages that wait for their
 * answer.
 *
 * A page is translated and copied under the device's lock, so that what it is
 * attached to stays.  Nothing is held while user memory is touched or an answer is
 * waited for, but a reference on the device: that may leave, or go, meanwhile.  Who
 * detaches it answers what it waits for.
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommufd_mock.h"

#define ALL_DMA_FLAGS                                                     \
	(IOMMU_MOCK_DMA_WRITE | IOMMU_MOCK_DMA_EXEC | IOMMU_MOCK_DMA_PRIV | \
	 IOMMU_MOCK_DMA_PASID | IOMMU_MOCK_DMA_PRI |                       \
	 IOMMU_MOCK_DMA_UNTRANSLATED)

/* So often is a request tried again after it was answered SUCCESS. */
#define MAX_ROUNDS 3
#define IOMMU_PAGE SZ_4K

/**
 * struct mock_wait - a page request that waits for its answer
 * @item: in mock_dev.waits, until it is answered
 * @request: what was asked for
 * @answered: @code is valid, and the request is not in the list
 * @code: IOMMUFD_PAGE_RESP_* or IOMMU_PAGE_RESP_FAILURE
 * @abandoned: nobody waits; who answers frees it; mock_dev.pri_lock
 */
struct mock_wait {
	struct list_head item;
	struct iommu_hwpt_pgfault request;
	struct completion answered;
	u32 code;
	bool abandoned;
};

/* ------------------------------------------------------------------ */
/* Page requests */

static bool wait_add(struct mock_dev *mdev, struct mock_wait *wait)
{
	unsigned int grpid;

	spin_lock(&mdev->pri_lock);
	grpid = find_next_zero_bit(mdev->grpids, IOMMU_MOCK_PAGE_REQUESTS,
				   mdev->next_grpid);
	if (grpid == IOMMU_MOCK_PAGE_REQUESTS)
		grpid = find_first_zero_bit(mdev->grpids,
					    IOMMU_MOCK_PAGE_REQUESTS);
	if (grpid != IOMMU_MOCK_PAGE_REQUESTS) {
		__set_bit(grpid, mdev->grpids);
		mdev->next_grpid = (grpid + 1) % IOMMU_MOCK_PAGE_REQUESTS;
		wait->request.grpid = grpid;
		list_add_tail(&wait->item, &mdev->waits);
	}
	spin_unlock(&mdev->pri_lock);
	return grpid != IOMMU_MOCK_PAGE_REQUESTS;
}

static void wait_del(struct mock_dev *mdev, struct mock_wait *wait)
{
	lockdep_assert_held(&mdev->pri_lock);

	list_del(&wait->item);
	__clear_bit(wait->request.grpid, mdev->grpids);
}

/* The test command chooses group numbers itself: they are not enough. */
static bool is_same_request(const struct iommu_hwpt_pgfault *a,
			    const struct iommu_hwpt_pgfault *b)
{
	return a->grpid == b->grpid && a->flags == b->flags &&
	       a->pasid == b->pasid && a->perm == b->perm && a->addr == b->addr;
}

/**
 * mock_dma_answer() - A page request was answered
 * @mdev: device
 * @fault: what it has reported
 * @code: answer
 *
 * Return: false if DMA has not made that request.  Context: does not sleep.
 */
bool mock_dma_answer(struct mock_dev *mdev,
		     const struct iommu_hwpt_pgfault *fault, u32 code)
{
	struct mock_wait *wait, *found = NULL;

	spin_lock(&mdev->pri_lock);
	list_for_each_entry(wait, &mdev->waits, item) {
		if (is_same_request(&wait->request, fault)) {
			found = wait;
			break;
		}
	}
	if (found) {
		if (code == IOMMU_PAGE_RESP_FAILURE)
			mdev->pri_failed = true;
		wait_del(mdev, found);
		if (found->abandoned) {
			kfree(found);
		} else {
			found->code = code;
			complete(&found->answered);
		}
	}
	spin_unlock(&mdev->pri_lock);
	return found;
}

/** mock_dma_reset() - Let a device request pages again */
void mock_dma_reset(struct mock_dev *mdev)
{
	spin_lock(&mdev->pri_lock);
	mdev->pri_failed = false;
	spin_unlock(&mdev->pri_lock);
}

/* Returns false if it was answered; else who answers frees it. */
static bool wait_abandon(struct mock_dev *mdev, struct mock_wait *wait)
{
	bool pending;

	spin_lock(&mdev->pri_lock);
	pending = !completion_done(&wait->answered);
	if (pending)
		wait->abandoned = true;
	spin_unlock(&mdev->pri_lock);
	return pending;
}

/* Returns IOMMUFD_PAGE_RESP_*, IOMMU_PAGE_RESP_FAILURE or -EINTR. */
static int send_and_wait(struct mock_dev *mdev, struct mock_wait *wait)
{
	int rc;

	/* First, as the answer may be quicker than this function. */
	if (!wait_add(mdev, wait)) {
		kfree(wait);
		return IOMMUFD_PAGE_RESP_INVALID;
	}
	rc = iommufd_report_device_fault(&mdev->dev, &wait->request);
	if (rc) {
		/* Nobody has it, but for an answer to one that is the same. */
		spin_lock(&mdev->pri_lock);
		if (!completion_done(&wait->answered))
			wait_del(mdev, wait);
		else
			atomic_dec(&mdev->requests);
		spin_unlock(&mdev->pri_lock);
		kfree(wait);
		return IOMMUFD_PAGE_RESP_INVALID;
	}
	if (wait_for_completion_killable(&wait->answered) &&
	    wait_abandon(mdev, wait))
		return -EINTR;
	rc = wait->code;
	kfree(wait);
	return rc;
}

static u32 perm_of(const struct mock_request *req)
{
	return (req->flags & IOMMU_MOCK_DMA_WRITE ? IOMMU_FAULT_PERM_WRITE :
						    IOMMU_FAULT_PERM_READ) |
	       (req->flags & IOMMU_MOCK_DMA_EXEC ? IOMMU_FAULT_PERM_EXEC : 0) |
	       (req->flags & IOMMU_MOCK_DMA_PRIV ? IOMMU_FAULT_PERM_PRIV : 0);
}

static_assert(IOMMU_FAULT_PERM_READ == IOMMU_PGFAULT_PERM_READ);
static_assert(IOMMU_FAULT_PERM_WRITE == IOMMU_PGFAULT_PERM_WRITE);
static_assert(IOMMU_FAULT_PERM_EXEC == IOMMU_PGFAULT_PERM_EXEC);
static_assert(IOMMU_FAULT_PERM_PRIV == IOMMU_PGFAULT_PERM_PRIV);

static int request_page(const struct mock_request *req)
{
	struct mock_wait *wait = kzalloc(sizeof(*wait), GFP_KERNEL_ACCOUNT);

	if (!wait)
		return -ENOMEM;
	init_completion(&wait->answered);
	wait->request.flags = IOMMU_PGFAULT_FLAGS_LAST_PAGE;
	if (req->pasid) {
		wait->request.flags |= IOMMU_PGFAULT_FLAGS_PASID_VALID;
		wait->request.pasid = req->pasid;
	}
	wait->request.perm = perm_of(req);
	wait->request.addr = ALIGN_DOWN(req->iova, IOMMU_PAGE);
	return send_and_wait(req->mdev, wait);
}

static bool may_request(struct mock_dev *mdev)
{
	bool may;

	spin_lock(&mdev->pri_lock);
	may = !mdev->pri_failed;
	spin_unlock(&mdev->pri_lock);
	return may;
}

static void report_event(const struct mock_request *req,
			 const struct mock_fault *fault)
{
	struct iommu_fault_unrecoverable event = {
		.reason = fault->reason,
		.flags = IOMMU_FAULT_UNRECOV_ADDR_VALID,
		.pasid = req->pasid,
		.perm = perm_of(req),
		.addr = req->iova,
	};

	if (req->pasid)
		event.flags |= IOMMU_FAULT_UNRECOV_PASID_VALID;
	if (fault->has_fetch_addr) {
		event.flags |= IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID;
		event.fetch_addr = fault->fetch_addr;
	}
	iommufd_report_device_event(&req->mdev->dev, &event);
}

/* ------------------------------------------------------------------ */
/* DMA */

static struct mock_domain *find_domain(const struct mock_request *req,
				       struct mock_fault *fault)
{
	struct mock_dev *mdev = req->mdev;
	struct mock_domain *domain;

	lockdep_assert_held(&mdev->lock);

	if (!req->pasid) {
		domain = mdev->domain;
		fault->reason = IOMMU_FAULT_REASON_PASID_FETCH;
		if (domain && mock_domain_is_blocked(domain))
			return NULL;
		return domain;
	}
	fault->reason = IOMMU_FAULT_REASON_PASID_INVALID;
	if (!(mdev->flags & MOCK_FLAGS_DEVICE_PASID))
		return NULL;
	return mock_cache_pasid(mdev, req->pasid);
}

/*
 * @length bytes, all in one page, as far as they can be copied now.  @req is moved
 * behind them.  Returns false, and says why in @fault, if that is not all.
 */
static bool access_page(struct mock_request *req, void *buf, size_t length,
			struct mock_fault *fault)
{
	struct mock_domain *domain;
	u64 gpa = req->iova;
	size_t done;

	lockdep_assert_held(&req->mdev->lock);

	*fault = (struct mock_fault){};
	domain = find_domain(req, fault);
	if (!domain)
		return false;
	if (mock_domain_is_stage1(domain)) {
		if (!mock_stage1_translate(domain, req, &gpa, fault))
			return false;
		domain = mock_stage1_parent(domain);
	} else if (!mock_domain_is_paging(domain)) {
		fault->reason = IOMMU_FAULT_REASON_BAD_PASID_ENTRY;
		return false;
	}
	done = mock_stage2_copy(domain, gpa, buf, length,
				req->flags & IOMMU_MOCK_DMA_WRITE);
	req->iova += done;
	*fault = (struct mock_fault){
		.reason = IOMMU_FAULT_REASON_ACCESS,
	};
	return done == length;
}

static bool try_page(struct mock_request *req, void *buf, size_t length,
		     struct mock_fault *fault)
{
	bool ok;

	mutex_lock(&req->mdev->lock);
	ok = access_page(req, buf, length, fault);
	mutex_unlock(&req->mdev->lock);
	return ok;
}

/* Returns 0, also after a fault, -ENOMEM or -EINTR. */
static int dma_page(struct mock_request *req, void *buf, size_t length,
		    struct iommu_mock_dma *arg)
{
	u64 first = req->iova;
	struct mock_fault fault;
	unsigned int round;
	int code;

	for (round = 0;; round++) {
		if (try_page(req, buf + (req->iova - first),
			     length - (req->iova - first), &fault))
			return 0;
		if (round == MAX_ROUNDS || !fault.curable ||
		    !(req->flags & IOMMU_MOCK_DMA_PRI) ||
		    !may_request(req->mdev))
			break;
		arg->out_requests++;
		code = request_page(req);
		if (code < 0)
			return code;
		if (code != IOMMUFD_PAGE_RESP_SUCCESS)
			goto out_fault;
	}
	report_event(req, &fault);
out_fault:
	arg->out_faulted = 1;
	arg->out_reason = fault.reason;
	arg->out_addr = req->iova;
	return 0;
}

static int dma_buffer(struct mock_dev *mdev, struct iommu_mock_dma *arg,
		      void *buf)
{
	struct mock_request req = {
		.mdev = mdev,
		.pasid = arg->pasid,
		.flags = arg->flags,
		.iova = arg->iova,
	};
	u64 left = arg->length;
	size_t piece;
	int rc;

	while (left && !arg->out_faulted) {
		piece = min_t(u64, left, IOMMU_PAGE - req.iova % IOMMU_PAGE);
		rc = dma_page(&req, buf + arg->out_done, piece, arg);
		arg->out_done = req.iova - arg->iova;
		if (rc)
			return rc;
		left = arg->length - arg->out_done;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int check_dma(const struct iommu_mock_dma *arg)
{
	bool has_pasid = arg->flags & IOMMU_MOCK_DMA_PASID;
	u64 last;

	if ((arg->flags & ~ALL_DMA_FLAGS) || arg->__reserved ||
	    ((arg->flags & IOMMU_MOCK_DMA_WRITE) &&
	     (arg->flags & IOMMU_MOCK_DMA_EXEC)) ||
	    has_pasid != !!arg->pasid || arg->pasid >> MOCK_PASID_WIDTH ||
	    !arg->length ||
	    check_add_overflow(arg->iova, arg->length - 1, &last))
		return -EINVAL;
	return arg->length > IOMMU_MOCK_DMA_MAX ? -E2BIG : 0;
}

static int do_dma(struct mock_dev *mdev, struct iommu_mock_dma *arg)
{
	bool write = arg->flags & IOMMU_MOCK_DMA_WRITE;
	void __user *uptr = u64_to_user_ptr(arg->uptr);
	void *buf;
	int rc;

	rc = check_dma(arg);
	if (rc)
		return rc;
	arg->out_done = 0;
	arg->out_addr = 0;
	arg->out_reason = 0;
	arg->out_faulted = 0;
	arg->out_requests = 0;

	buf = kvmalloc(arg->length, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	if (write && copy_from_user(buf, uptr, arg->length)) {
		rc = -EFAULT;
		goto out_free;
	}
	rc = dma_buffer(mdev, arg, buf);
	if (!rc && !write && copy_to_user(uptr, buf, arg->out_done))
		rc = -EFAULT;
out_free:
	kvfree(buf);
	return rc;
}

static int get_arg(void *arg, size_t size, const void __user *uarg)
{
	u32 user_size;

	if (get_user(user_size, (const u32 __user *)uarg))
		return -EFAULT;
	if (user_size < size)
		return -EINVAL;
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(arg, size, uarg, user_size);
}

static int put_arg(const void *arg, size_t size, void __user *uarg)
{
	return copy_to_user(uarg, arg, size) ? -EFAULT : 0;
}

/* ------------------------------------------------------------------ */
/* Ioctls of VFIO devices */

/**
 * mock_dma_user() - Let a device do DMA
 * @mdev: device with a reference; it may be detached, unbound and destroyed meanwhile
 * @uarg: struct iommu_mock_dma of current
 *
 * Return: as MOCK_VFIO_DMA.
 */
int mock_dma_user(struct mock_dev *mdev, void __user *uarg)
{
	struct iommu_mock_dma arg;
	int rc;

	rc = get_arg(&arg, sizeof(arg), uarg);
	if (rc)
		return rc;
	if (arg.dev_id)
		return -EINVAL;
	rc = do_dma(mdev, &arg);
	return rc ?: put_arg(&arg, sizeof(arg), uarg);
}
EXPORT_SYMBOL_NS_GPL(mock_dma_user, IOMMUFD_MOCK);

/**
 * mock_stage1_user() - What was a device's page table made with
 * @mdev: device
 * @uarg: struct iommu_mock_stage1 of current
 *
 * Return: as MOCK_VFIO_STAGE1.
 */
int mock_stage1_user(struct mock_dev *mdev, void __user *uarg)
{
	struct iommu_mock_stage1 arg;
	struct mock_domain *domain;
	int rc;

	rc = get_arg(&arg, sizeof(arg), uarg);
	if (rc)
		return rc;
	rc = -ENOENT;
	mutex_lock(&mdev->lock);
	domain = arg.id ? xa_load(&mdev->pasids, arg.id) : mdev->domain;
	if (domain)
		rc = mock_stage1_read(domain, &arg);
	mutex_unlock(&mdev->lock);
	return rc ?: put_arg(&arg, sizeof(arg), uarg);
}
EXPORT_SYMBOL_NS_GPL(mock_stage1_user, IOMMUFD_MOCK);

/* ------------------------------------------------------------------ */
/* The test command */

static int take_dev(struct device *dev, void *data)
{
	struct mock_dev **mdev = data;

	*mdev = to_mock_dev(dev);
	if (!*mdev)
		return -EINVAL;
	get_device(dev);
	return 0;
}

/**
 * mock_op_dma() - MOCK_DMA
 * @call: the command
 *
 * The object of the device is not in use while DMA is under way: who destroys it
 * would wait, and so it would never be detached.
 */
int mock_op_dma(struct mock_call *call)
{
	void __user *uarg = u64_to_user_ptr(call->cmd->indirect.uptr);
	struct iommu_mock_dma arg;
	struct mock_dev *mdev;
	int rc;

	rc = get_arg(&arg, sizeof(arg), uarg);
	if (rc)
		return rc;
	rc = iommufd_device_call(call->ictx, arg.dev_id, take_dev, &mdev);
	if (rc)
		return rc;
	rc = do_dma(mdev, &arg);
	put_device(&mdev->dev);
	return rc ?: put_arg(&arg, sizeof(arg), uarg);
}

static int read_stage1(struct iommu_domain *domain, void *data)
{
	struct mock_domain *mock = to_mock_domain(domain);

	return mock ? mock_stage1_read(mock, data) : -EINVAL;
}

/** mock_op_stage1() - MOCK_STAGE1 */
int mock_op_stage1(struct mock_call *call)
{
	void __user *uarg = u64_to_user_ptr(call->cmd->indirect.uptr);
	struct iommu_mock_stage1 arg;
	int rc;

	rc = get_arg(&arg, sizeof(arg), uarg);
	if (!rc)
		rc = iommufd_hwpt_call(call->ictx, arg.id, read_stage1, &arg);
	return rc ?: put_arg(&arg, sizeof(arg), uarg);
}
