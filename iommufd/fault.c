// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault queues: page requests of devices on their way to userspace, and the
 * answers on their way back.
 *
 * A queue knows nothing of HWPTs and of what is attached where: iopf.c does.  There are
 * two kinds, which differ in what read() gives and write() takes: those of iommufd,
 * and those of VFIO containers, which also tell of DMA that failed for good.
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
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommu_nesting.h>
#include <uapi/linux/iommufd.h>

#include "fault.h"

/* Requests of one queue that nobody has answered */
#define FAULTS_MAX 4096

struct fault_request;
struct iommufd_fault;

/* One of either kind */
union fault_record {
	struct iommu_hwpt_pgfault native;
	struct iommu_fault vfio;
};

union fault_response {
	struct iommu_hwpt_page_response native;
	struct iommu_nesting_page_response vfio;
};

/**
 * struct fault_format - what read() gives and write() takes
 * @record_size: of what is read
 * @response_size: of what is written
 * @fill: make a record
 * @respond: answer a request; -EINVAL there is none.  Called with the lock of the
 *	queue held
 */
struct fault_format {
	size_t record_size;
	size_t response_size;
	void (*fill)(const struct fault_request *req,
		     union fault_record *record);
	int (*respond)(struct iommufd_fault *fault,
		       const union fault_response *resp);
};

/**
 * struct iommufd_fault - a fault queue
 * @obj: object
 * @format: of its kind
 * @refs: of a container's queue, which has no id: the container and the file
 * @lock: protects all below but @wait; taken after iommufd_group.lock
 * @has_file: of a container's queue: it has a file, or gets one
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
	const struct fault_format *format;
	refcount_t refs;
	struct mutex lock; /* all below */
	bool has_file;
	bool open;
	struct xarray requests;
	unsigned int count;
	u32 next_cookie;
	struct list_head unread;

	struct mutex read_lock; /* struct's comment */
	wait_queue_head_t wait;
};

/**
 * struct fault_request - a page request, or a DMA that failed
 * @item: in iommufd_fault.unread, or empty
 * @source: who waits
 * @rec: the request; of an event only the cookie
 * @is_event: @event is what happened, and nobody waits
 * @event: see there
 */
struct fault_request {
	struct list_head item;
	struct iommufd_fault_source source;
	struct iommu_hwpt_pgfault rec;
	bool is_event;
	struct iommu_fault_unrecoverable event;
};

/* What found no place in a container's queue since the module was loaded */
static atomic_long_t nr_lost;

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

static void fault_abort(struct iommufd_fault *fault)
{
	fault_destroy(&fault->obj);
	iommufd_object_abort(&fault->obj);
}

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

/** iommufd_fault_hold_again() - Depend on a queue that cannot go meanwhile */
void iommufd_fault_hold_again(struct iommufd_fault *fault)
{
	iommufd_object_hold(&fault->obj);
}

/** iommufd_fault_put() - Undo iommufd_fault_hold(), iommufd_fault_hold_again() */
void iommufd_fault_put(struct iommufd_fault *fault)
{
	iommufd_object_release(&fault->obj);
}

/* ------------------------------------------------------------------ */
/* The two kinds */

static void native_fill(const struct fault_request *req,
			union fault_record *record)
{
	record->native = req->rec;
}

static int native_respond(struct iommufd_fault *fault,
			  const union fault_response *resp)
{
	const struct iommu_hwpt_page_response *native = &resp->native;
	struct fault_request *req;

	if (native->code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    native->code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	req = xa_load(&fault->requests, native->cookie);
	/* Not what nobody has read yet: the cookie was guessed. */
	if (!req || !list_empty(&req->item))
		return -EINVAL;
	request_answer(fault, req, native->code);
	return 0;
}

static const struct fault_format native_format = {
	.record_size = sizeof(struct iommu_hwpt_pgfault),
	.response_size = sizeof(struct iommu_hwpt_page_response),
	.fill = native_fill,
	.respond = native_respond,
};

static_assert(IOMMU_PGFAULT_PERM_READ == IOMMU_FAULT_PERM_READ &&
	      IOMMU_PGFAULT_PERM_WRITE == IOMMU_FAULT_PERM_WRITE &&
	      IOMMU_PGFAULT_PERM_EXEC == IOMMU_FAULT_PERM_EXEC &&
	      IOMMU_PGFAULT_PERM_PRIV == IOMMU_FAULT_PERM_PRIV);

static void vfio_fill(const struct fault_request *req,
		      union fault_record *record)
{
	struct iommu_fault *vfio = &record->vfio;

	memset(vfio, 0, sizeof(*vfio));
	if (req->is_event) {
		vfio->type = IOMMU_FAULT_DMA_UNRECOV;
		vfio->event = req->event;
		return;
	}
	vfio->type = IOMMU_FAULT_PAGE_REQ;
	if (req->rec.flags & IOMMU_PGFAULT_FLAGS_PASID_VALID) {
		vfio->prm.flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
		vfio->prm.pasid = req->rec.pasid;
	}
	if (wants_answer(req))
		vfio->prm.flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	vfio->prm.grpid = req->rec.grpid;
	vfio->prm.perm = req->rec.perm;
	vfio->prm.addr = req->rec.addr;
}

static bool vfio_is_answer_to(const struct iommu_nesting_page_response *resp,
			      const struct fault_request *req)
{
	bool pasid = req->rec.flags & IOMMU_PGFAULT_FLAGS_PASID_VALID;

	return list_empty(&req->item) && wants_answer(req) &&
	       resp->grpid == req->rec.grpid &&
	       !!(resp->flags & IOMMU_PAGE_RESP_PASID_VALID) == pasid &&
	       (!pasid || resp->pasid == req->rec.pasid);
}

/* Several devices may have the same numbers: the order is that of the requests. */
static int vfio_respond(struct iommufd_fault *fault,
			const union fault_response *resp)
{
	const struct iommu_nesting_page_response *vfio = &resp->vfio;
	struct fault_request *req;
	unsigned long cookie;

	if (vfio->version != IOMMU_UAPI_VERSION ||
	    vfio->flags & ~IOMMU_PAGE_RESP_PASID_VALID ||
	    (!vfio->flags && vfio->pasid) ||
	    vfio->code > IOMMU_PAGE_RESP_FAILURE)
		return -EINVAL;
	xa_for_each(&fault->requests, cookie, req) {
		if (!vfio_is_answer_to(vfio, req))
			continue;
		request_answer(fault, req, vfio->code);
		return 0;
	}
	return -EINVAL;
}

static const struct fault_format vfio_format = {
	.record_size = sizeof(struct iommu_fault),
	.response_size = sizeof(struct iommu_nesting_page_response),
	.fill = vfio_fill,
	.respond = vfio_respond,
};

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

/* A request or an event that nobody will read */
static void count_lost(struct iommufd_fault *fault)
{
	if (fault->format == &vfio_format)
		atomic_long_inc(&nr_lost);
}

/* Queue a request, which is freed if it does not fit. */
static int fault_queue(struct iommufd_fault *fault, struct fault_request *req)
{
	int rc;

	mutex_lock(&fault->lock);
	rc = fault_add(fault, req);
	mutex_unlock(&fault->lock);
	if (!rc) {
		wake_up_interruptible(&fault->wait);
		return 0;
	}
	kfree(req);
	count_lost(fault);
	return rc;
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

	req = kzalloc(sizeof(*req), GFP_KERNEL_ACCOUNT);
	if (!req) {
		count_lost(fault);
		return -ENOMEM;
	}
	req->source = *source;
	req->rec = *rec;
	req->rec.dev_id = source->dev_id;
	req->rec.__reserved = 0;
	return fault_queue(fault, req);
}

/**
 * iommufd_fault_report_event() - A DMA failed for good
 * @fault: queue
 * @event: what happened
 *
 * Dropped if the queue has no such records, is full, or nobody has it open.
 * Context: may sleep.
 */
void iommufd_fault_report_event(struct iommufd_fault *fault,
				const struct iommu_fault_unrecoverable *event)
{
	struct fault_request *req;

	if (fault->format != &vfio_format)
		return;
	req = kzalloc(sizeof(*req), GFP_KERNEL_ACCOUNT);
	if (!req) {
		count_lost(fault);
		return;
	}
	req->is_event = true;
	req->event = *event;
	fault_queue(fault, req);
}

/** iommufd_fault_count_lost() - What found no place in a container's queue */
unsigned long iommufd_fault_count_lost(void)
{
	return atomic_long_read(&nr_lost);
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

static bool fault_peek(struct iommufd_fault *fault, union fault_record *record,
		       u32 *cookie)
{
	struct fault_request *req;

	mutex_lock(&fault->lock);
	req = list_first_entry_or_null(&fault->unread, struct fault_request,
				       item);
	if (req) {
		fault->format->fill(req, record);
		*cookie = req->rec.cookie;
	}
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
	size_t size = fault->format->record_size;
	union fault_record record;
	ssize_t done = 0;
	u32 cookie;
	int rc = 0;

	if (count && count < size)
		return -EINVAL;
	if (mutex_lock_interruptible(&fault->read_lock))
		return -EINTR;
	while (count - done >= size && fault_peek(fault, &record, &cookie)) {
		if (copy_to_user(buf + done, &record, size)) {
			rc = -EFAULT;
			break;
		}
		fault_mark_read(fault, cookie);
		done += size;
	}
	mutex_unlock(&fault->read_lock);
	return done ? done : rc;
}

static ssize_t fault_fops_write(struct file *file, const char __user *buf,
				size_t count, loff_t *ppos)
{
	struct iommufd_fault *fault = file->private_data;
	size_t size = fault->format->response_size;
	union fault_response resp;
	ssize_t done = 0;
	int rc = 0;

	if (count % size)
		return -EINVAL;
	while (done != count && !rc) {
		rc = -EFAULT;
		if (copy_from_user(&resp, buf + done, size))
			break;
		mutex_lock(&fault->lock);
		rc = fault->format->respond(fault, &resp);
		mutex_unlock(&fault->lock);
		if (!rc)
			done += size;
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

/** iommufd_fault_put_vfio() - Undo; no HWPT depends on it.  The file may stay */
void iommufd_fault_put_vfio(struct iommufd_fault *fault)
{
	if (refcount_dec_and_test(&fault->refs))
		fault_abort(fault);
}

/* Take it for a file that is to come. */
static bool claim_file(struct iommufd_fault *fault)
{
	bool claimed;

	mutex_lock(&fault->lock);
	claimed = !fault->has_file;
	if (claimed) {
		fault->has_file = true;
		refcount_inc(&fault->refs);
	}
	mutex_unlock(&fault->lock);
	return claimed;
}

static void unclaim_file(struct iommufd_fault *fault)
{
	mutex_lock(&fault->lock);
	fault->has_file = false;
	mutex_unlock(&fault->lock);
	iommufd_fault_put_vfio(fault);
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
	if (fault->format == &native_format)
		iommufd_fault_put(fault);
	else
		unclaim_file(fault);
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

static struct iommufd_fault *fault_new(struct iommufd_ctx *ictx,
				       const struct fault_format *format)
{
	struct iommufd_fault *fault;
	struct iommufd_object *obj;

	obj = iommufd_object_alloc(ictx, sizeof(*fault), &fault_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	fault = container_of(obj, struct iommufd_fault, obj);
	fault->format = format;
	mutex_init(&fault->lock);
	mutex_init(&fault->read_lock);
	xa_init_flags(&fault->requests, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&fault->unread);
	init_waitqueue_head(&fault->wait);
	return fault;
}

/* The file of a queue that is open now, and whose hold or reference is taken over */
static struct file *fault_file(struct iommufd_fault *fault)
{
	struct file *file;

	file = anon_inode_getfile("[iommufd-fault]", &fault_fops, fault,
				  O_RDWR);
	if (!IS_ERR(file))
		iommufd_ctx_get(fault->obj.ictx);
	return file;
}

int iommufd_fault_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_fault_alloc *cmd = ucmd->cmd;
	struct iommufd_fault *fault;
	struct file *file;
	int fd, rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	fault = fault_new(ucmd->ictx, &native_format);
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
	file = fault_file(fault);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_fd;
	}
	fault->open = true;
	iommufd_object_hold(&fault->obj);
	iommufd_object_publish(&fault->obj);
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_abort:
	fault_abort(fault);
	return rc;
}

/* ------------------------------------------------------------------ */
/* The queue of a VFIO container */

/**
 * iommufd_fault_new_vfio() - Make a queue for a VFIO container
 * @ictx: context
 *
 * Return: the queue, without an id and without a file, for iommufd_fault_put_vfio();
 * or ERR_PTR(-ENOMEM).
 */
struct iommufd_fault *iommufd_fault_new_vfio(struct iommufd_ctx *ictx)
{
	struct iommufd_fault *fault = fault_new(ictx, &vfio_format);

	if (!IS_ERR(fault))
		refcount_set(&fault->refs, 1);
	return fault;
}

/**
 * iommufd_fault_open_vfio() - Open the file of a container's queue
 * @fault: queue
 * @ucmd: gets the file descriptor
 *
 * Return: 0; -EBUSY it is open; -EFAULT, -EMFILE, -ENFILE, -ENOMEM.
 */
int iommufd_fault_open_vfio(struct iommufd_fault *fault,
			    struct iommu_nesting_fault_alloc __user *ucmd)
{
	struct file *file;
	int fd, rc;

	if (!claim_file(fault))
		return -EBUSY;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_unclaim;
	}
	rc = put_user(fd, &ucmd->out_fd);
	if (rc)
		goto err_fd;
	file = fault_file(fault);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_fd;
	}
	mutex_lock(&fault->lock);
	fault->open = true;
	mutex_unlock(&fault->lock);
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_unclaim:
	unclaim_file(fault);
	return rc;
}
