// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault queues: page requests of devices on their way to userspace, and the
 * answers on their way back.
 *
 * A queue knows nothing of HWPTs and of what is attached where: iopf.c does.
 *
 * A request is in the queue's table from when it is reported until it is
 * answered, and in a list as long as nobody has read it.  Who reads copies it
 * with no lock held: user memory may keep them waiting.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommufd.h>

#include "fault.h"

/* Requests of one queue that nobody has answered */
#define FAULTS_MAX 4096

/**
 * struct iommufd_fault - a fault queue
 * @obj: object
 * @lock: protects all below but @wait; taken after iommufd_group.lock
 * @open: the file descriptor is
 * @requests: of struct fault_request, by cookie
 * @count: of them
 * @next_cookie: where to look for a free one
 * @unread: those that nobody has read, in their order
 * @read_lock: one reader at a time; taken before @lock
 * @wait: for @unread
 */
struct iommufd_fault {
	struct iommufd_object obj;
	struct mutex lock; /* all below */
	bool open;
	struct xarray requests;
	unsigned int count;
	u32 next_cookie;
	struct list_head unread;

	struct mutex read_lock; /* struct's comment */
	wait_queue_head_t wait;
};

/**
 * struct fault_request - a page request
 * @item: in iommufd_fault.unread, or empty
 * @source: who waits
 * @rec: what userspace gets
 */
struct fault_request {
	struct list_head item;
	struct iommufd_fault_source source;
	struct iommu_hwpt_pgfault rec;
};

static bool wants_answer(const struct fault_request *req)
{
	return req->rec.flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE;
}

static void request_free(struct iommufd_fault *fault, struct fault_request *req)
{
	lockdep_assert_held(&fault->lock);

	list_del(&req->item);
	xa_erase(&fault->requests, req->rec.cookie);
	fault->count--;
	kfree(req);
}

static void request_answer(struct iommufd_fault *fault,
			   struct fault_request *req, u32 code)
{
	const struct iommufd_hw_ops *hw = req->source.hw;

	lockdep_assert_held(&fault->lock);

	if (wants_answer(req) && hw->page_response)
		hw->page_response(req->source.dev, &req->rec, code);
	request_free(fault, req);
}

static void fault_destroy(struct iommufd_object *obj)
{
	struct iommufd_fault *fault =
		container_of(obj, struct iommufd_fault, obj);

	WARN_ON(!xa_empty(&fault->requests));
	xa_destroy(&fault->requests);
	mutex_destroy(&fault->read_lock);
	mutex_destroy(&fault->lock);
}

static const struct iommufd_object_ops fault_ops = {
	.type = IOMMUFD_OBJ_FAULT,
	.user_destroy = true,
	.destroy = fault_destroy,
};

/**
 * iommufd_fault_hold() - Depend on a fault queue
 * @ictx: context
 * @id: id
 *
 * Return: the queue, for iommufd_fault_put(), or ERR_PTR(-ENOENT).
 */
struct iommufd_fault *iommufd_fault_hold(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iommufd_object_find(ictx, id, IOMMUFD_OBJ_FAULT);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	iommufd_object_hold(obj);
	iommufd_object_done(obj);
	return container_of(obj, struct iommufd_fault, obj);
}

/** iommufd_fault_put() - Undo iommufd_fault_hold() */
void iommufd_fault_put(struct iommufd_fault *fault)
{
	iommufd_object_release(&fault->obj);
}

/* ------------------------------------------------------------------ */
/* Requests */

static int fault_add(struct iommufd_fault *fault, struct fault_request *req)
{
	int rc;

	lockdep_assert_held(&fault->lock);

	if (!fault->open)
		return -ENODEV;
	if (fault->count == FAULTS_MAX)
		return -EBUSY;
	/* A late answer must not be one to another request. */
	rc = xa_alloc_cyclic(&fault->requests, &req->rec.cookie, req,
			     xa_limit_31b, &fault->next_cookie,
			     GFP_KERNEL_ACCOUNT);
	if (rc < 0)
		return rc;
	fault->count++;
	list_add_tail(&req->item, &fault->unread);
	return 0;
}

/**
 * iommufd_fault_report() - A device waits for a page
 * @fault: queue
 * @source: who waits; its HWPT keeps the queue until iommufd_fault_drop()
 * @rec: what userspace gets, but for dev_id and cookie
 *
 * Return: 0; -ENODEV nobody has the queue open; -EBUSY it is full; -ENOMEM.
 * Context: may sleep.
 */
int iommufd_fault_report(struct iommufd_fault *fault,
			 const struct iommufd_fault_source *source,
			 const struct iommu_hwpt_pgfault *rec)
{
	struct fault_request *req;
	int rc;

	req = kzalloc(sizeof(*req), GFP_KERNEL_ACCOUNT);
	if (!req)
		return -ENOMEM;
	req->source = *source;
	req->rec = *rec;
	req->rec.dev_id = source->dev_id;
	req->rec.__reserved = 0;

	mutex_lock(&fault->lock);
	rc = fault_add(fault, req);
	mutex_unlock(&fault->lock);
	if (rc)
		kfree(req);
	else
		wake_up_interruptible(&fault->wait);
	return rc;
}

/**
 * iommufd_fault_drop() - A device leaves: what it waits for does not work
 * @fault: queue
 * @source: the device, and as what it was attached
 *
 * Context: may sleep.
 */
void iommufd_fault_drop(struct iommufd_fault *fault,
			const struct iommufd_fault_source *source)
{
	struct fault_request *req;
	unsigned long cookie;

	mutex_lock(&fault->lock);
	xa_for_each(&fault->requests, cookie, req) {
		if (req->source.dev_id == source->dev_id &&
		    req->source.attached_as == source->attached_as)
			request_answer(fault, req, IOMMUFD_PAGE_RESP_INVALID);
	}
	mutex_unlock(&fault->lock);
}

/* ------------------------------------------------------------------ */
/* The file */

static bool fault_peek(struct iommufd_fault *fault,
		       struct iommu_hwpt_pgfault *rec)
{
	struct fault_request *req;

	mutex_lock(&fault->lock);
	req = list_first_entry_or_null(&fault->unread, struct fault_request,
				       item);
	if (req)
		*rec = req->rec;
	mutex_unlock(&fault->lock);
	return req;
}

/* It has been read, unless it was answered meanwhile. */
static void fault_mark_read(struct iommufd_fault *fault, u32 cookie)
{
	struct fault_request *req;

	mutex_lock(&fault->lock);
	req = xa_load(&fault->requests, cookie);
	if (req && wants_answer(req))
		list_del_init(&req->item);
	else if (req)
		request_free(fault, req);
	mutex_unlock(&fault->lock);
}

static ssize_t fault_fops_read(struct file *file, char __user *buf,
			       size_t count, loff_t *ppos)
{
	struct iommufd_fault *fault = file->private_data;
	struct iommu_hwpt_pgfault rec;
	ssize_t done = 0;
	int rc = 0;

	if (count && count < sizeof(rec))
		return -EINVAL;
	if (mutex_lock_interruptible(&fault->read_lock))
		return -EINTR;
	while (count - done >= sizeof(rec) && fault_peek(fault, &rec)) {
		if (copy_to_user(buf + done, &rec, sizeof(rec))) {
			rc = -EFAULT;
			break;
		}
		fault_mark_read(fault, rec.cookie);
		done += sizeof(rec);
	}
	mutex_unlock(&fault->read_lock);
	return done ? done : rc;
}

static int fault_respond(struct iommufd_fault *fault,
			 const struct iommu_hwpt_page_response *resp)
{
	struct fault_request *req;
	int rc = -EINVAL;

	if (resp->code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    resp->code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	mutex_lock(&fault->lock);
	req = xa_load(&fault->requests, resp->cookie);
	/* Not what nobody has read yet: the cookie was guessed. */
	if (req && list_empty(&req->item)) {
		request_answer(fault, req, resp->code);
		rc = 0;
	}
	mutex_unlock(&fault->lock);
	return rc;
}

static ssize_t fault_fops_write(struct file *file, const char __user *buf,
				size_t count, loff_t *ppos)
{
	struct iommufd_fault *fault = file->private_data;
	struct iommu_hwpt_page_response resp;
	ssize_t done = 0;
	int rc = 0;

	if (count % sizeof(resp))
		return -EINVAL;
	while (done != count && !rc) {
		rc = -EFAULT;
		if (copy_from_user(&resp, buf + done, sizeof(resp)))
			break;
		rc = fault_respond(fault, &resp);
		if (!rc)
			done += sizeof(resp);
	}
	return done ? done : rc;
}

static __poll_t fault_fops_poll(struct file *file,
				struct poll_table_struct *wait)
{
	struct iommufd_fault *fault = file->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &fault->wait, wait);
	mutex_lock(&fault->lock);
	if (!list_empty(&fault->unread))
		mask |= EPOLLIN | EPOLLRDNORM;
	mutex_unlock(&fault->lock);
	return mask;
}

static int fault_fops_release(struct inode *inode, struct file *file)
{
	struct iommufd_fault *fault = file->private_data;
	struct iommufd_ctx *ictx = fault->obj.ictx;
	struct fault_request *req;
	unsigned long cookie;

	mutex_lock(&fault->lock);
	fault->open = false;
	xa_for_each(&fault->requests, cookie, req)
		request_answer(fault, req, IOMMUFD_PAGE_RESP_INVALID);
	mutex_unlock(&fault->lock);
	iommufd_fault_put(fault);
	iommufd_ctx_put(ictx);
	return 0;
}

static const struct file_operations fault_fops = {
	.owner = THIS_MODULE,
	.read = fault_fops_read,
	.write = fault_fops_write,
	.poll = fault_fops_poll,
	.release = fault_fops_release,
	.llseek = no_llseek,
};

static struct iommufd_fault *fault_new(struct iommufd_ctx *ictx)
{
	struct iommufd_fault *fault;
	struct iommufd_object *obj;

	obj = iommufd_object_alloc(ictx, sizeof(*fault), &fault_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	fault = container_of(obj, struct iommufd_fault, obj);
	mutex_init(&fault->lock);
	mutex_init(&fault->read_lock);
	xa_init_flags(&fault->requests, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&fault->unread);
	init_waitqueue_head(&fault->wait);
	return fault;
}

int iommufd_fault_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_fault_alloc *cmd = ucmd->cmd;
	struct iommufd_fault *fault;
	struct file *file;
	int fd, rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	fault = fault_new(ucmd->ictx);
	if (IS_ERR(fault))
		return PTR_ERR(fault);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_abort;
	}
	cmd->out_fault_id = fault->obj.id;
	cmd->out_fault_fd = fd;
	/* The file, once it is there, cannot be taken back without its release. */
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_fd;
	file = anon_inode_getfile("[iommufd-fault]", &fault_fops, fault,
				  O_RDWR);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_fd;
	}
	fault->open = true;
	iommufd_object_hold(&fault->obj);
	iommufd_ctx_get(ucmd->ictx);
	iommufd_object_publish(&fault->obj);
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_abort:
	fault_destroy(&fault->obj);
	iommufd_object_abort(&fault->obj);
	return rc;
}
