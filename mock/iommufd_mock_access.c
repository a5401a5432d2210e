// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses that belong to a file descriptor, and their part in the test command.
 */
#define pr_fmt(fmt) "iommufd_mock: " fmt

#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommufd_mock.h"

/* As the interface has it: ENOMEM is the answer to more. */
#define MAX_LENGTH SZ_16M

/**
 * struct mock_access - what an access's file descriptor stands for
 * @lifetime: held for writing where @access is attached elsewhere, for reading
 *	where it is used.  Never taken by the callback
 * @access: the access; set once, before anybody finds the file descriptor
 * @pins_pages: it was made for pins
 * @lock: all below.  Also held while pages are pinned, so that the callback finds
 *	a pin that is under way in the list; never while the caller's own memory is
 *	touched, which may take as long as the caller likes
 * @pins: list of struct mock_pin
 * @next_id: next pin's id
 */
struct mock_access {
	struct rw_semaphore lifetime;
	struct iommufd_access *access;
	bool pins_pages;

	struct mutex lock;
	struct list_head pins;
	u32 next_id;
};

/* One successful ACCESS_PAGES */
struct mock_pin {
	struct list_head item;
	u32 id;
	unsigned long iova;
	unsigned long length;
};

static void undo_pin(struct mock_access *ma, struct mock_pin *pin)
{
	lockdep_assert_held(&ma->lock);

	list_del(&pin->item);
	iommufd_access_unpin_pages(ma->access, pin->iova, pin->length);
	kfree(pin);
}

static void mock_access_unmap(void *data, unsigned long iova,
			      unsigned long length)
{
	/* ULONG_MAX is everything, also what is at IOVA ULONG_MAX. */
	unsigned long last = length == ULONG_MAX ? ULONG_MAX :
						   iova + (length - 1);
	struct mock_access *ma = data;
	struct mock_pin *pin, *next;

	mutex_lock(&ma->lock);
	list_for_each_entry_safe(pin, next, &ma->pins, item) {
		if (pin->iova <= last && pin->iova + (pin->length - 1) >= iova)
			undo_pin(ma, pin);
	}
	mutex_unlock(&ma->lock);
}

static const struct iommufd_access_ops pin_ops = {
	.needs_pin_pages = 1,
	.unmap = mock_access_unmap,
};

static const struct iommufd_access_ops rw_ops = {
	.unmap = mock_access_unmap,
};

static int mock_access_release(struct inode *inode, struct file *file)
{
	struct mock_access *ma = file->private_data;

	if (ma->access)
		iommufd_access_destroy(ma->access);
	WARN_ON(!list_empty(&ma->pins));
	mutex_destroy(&ma->lock);
	kfree(ma);
	return 0;
}

static const struct file_operations mock_access_fops = {
	.owner = THIS_MODULE,
	.release = mock_access_release,
	.llseek = noop_llseek,
};

static struct file *mock_access_alloc(bool pins_pages)
{
	struct mock_access *ma;
	struct file *file;

	ma = kzalloc(sizeof(*ma), GFP_KERNEL_ACCOUNT);
	if (!ma)
		return ERR_PTR(-ENOMEM);
	init_rwsem(&ma->lifetime);
	mutex_init(&ma->lock);
	INIT_LIST_HEAD(&ma->pins);
	ma->pins_pages = pins_pages;
	file = anon_inode_getfile("[iommufd_mock_access]", &mock_access_fops,
				  ma, O_RDWR);
	if (IS_ERR(file)) {
		mutex_destroy(&ma->lock);
		kfree(ma);
	}
	return file;
}

static struct mock_access *get_access(struct mock_call *call,
				      struct file **file)
{
	*file = fget(call->cmd->id);
	if (!*file)
		return ERR_PTR(-EBADFD);
	if ((*file)->f_op != &mock_access_fops) {
		fput(*file);
		return ERR_PTR(-EBADFD);
	}
	return (*file)->private_data;
}

/** mock_op_create_access() - CREATE_ACCESS */
int mock_op_create_access(struct mock_call *call)
{
	struct mock_cmd_create_access *arg = &call->cmd->create_access;
	struct iommufd_access *access;
	struct mock_access *ma;
	struct file *file;
	bool pins_pages;
	int fd, rc;
	u32 id;

	if (arg->flags & ~MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES)
		return -EOPNOTSUPP;
	pins_pages = arg->flags & MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES;
	file = mock_access_alloc(pins_pages);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ma = file->private_data;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_file;
	}
	access = iommufd_access_create(call->ictx,
				       pins_pages ? &pin_ops : &rw_ops, ma,
				       &id);
	if (IS_ERR(access)) {
		rc = PTR_ERR(access);
		goto err_fd;
	}
	/* From here on the file destroys it. */
	ma->access = access;
	rc = iommufd_access_attach(access, call->cmd->id);
	if (rc)
		goto err_fd;
	arg->out_access_fd = fd;
	rc = mock_respond(call);
	if (rc)
		goto err_fd;
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_file:
	fput(file);
	return rc;
}

/** mock_op_access_replace() - ACCESS_REPLACE_IOAS */
int mock_op_access_replace(struct mock_call *call)
{
	struct mock_access *ma;
	struct file *file;
	int rc;

	ma = get_access(call, &file);
	if (IS_ERR(ma))
		return PTR_ERR(ma);
	rc = down_write_killable(&ma->lifetime);
	if (!rc) {
		struct mock_cmd_access_replace *arg =
			&call->cmd->access_replace_ioas;

		rc = iommufd_access_replace(ma->access, arg->ioas_id);
		up_write(&ma->lifetime);
	}
	fput(file);
	return rc;
}

/* Undo a pin, unless somebody else has done so. */
static int undo_pin_id(struct mock_access *ma, u32 id)
{
	struct mock_pin *pin;
	int rc = -ENOENT;

	down_read(&ma->lifetime);
	mutex_lock(&ma->lock);
	list_for_each_entry(pin, &ma->pins, item) {
		if (pin->id == id) {
			undo_pin(ma, pin);
			rc = 0;
			break;
		}
	}
	mutex_unlock(&ma->lock);
	up_read(&ma->lifetime);
	return rc;
}

/* From its success on @pin may go at any moment. */
static int pin_pages(struct mock_access *ma, struct mock_pin *pin,
		     struct page **pages, u32 flags, u32 *id)
{
	int rc;

	down_read(&ma->lifetime);
	/* Throughout: see there. */
	mutex_lock(&ma->lock);
	rc = iommufd_access_pin_pages(ma->access, pin->iova, pin->length, pages,
				      flags);
	if (!rc) {
		pin->id = ma->next_id++;
		*id = pin->id;
		list_add_tail(&pin->item, &ma->pins);
	}
	mutex_unlock(&ma->lock);
	up_read(&ma->lifetime);
	return rc;
}

/*
 * Are these the pages that the caller has at @uaddr?  They may be unpinned by
 * now, so nobody looks into them.
 */
static int check_pages(unsigned long uaddr, struct page **pages,
		       unsigned long npages)
{
	unsigned long i;

	for (i = 0; i != npages; i++) {
		struct page *page = mock_peek_user_page(uaddr + i * PAGE_SIZE);

		if (IS_ERR(page))
			return PTR_ERR(page);
		if (page != pages[i])
			return -EBADE;
	}
	return 0;
}

static int pin_and_respond(struct mock_access *ma, struct mock_call *call,
			   struct page **pages, unsigned long npages)
{
	struct mock_cmd_access_pages *arg = &call->cmd->access_pages;
	struct mock_pin *pin;
	int rc;

	pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	if (!pin)
		return -ENOMEM;
	pin->iova = arg->iova;
	pin->length = arg->length;
	rc = pin_pages(ma, pin, pages, arg->flags, &arg->out_access_pages_id);
	if (rc) {
		kfree(pin);
		return rc;
	}
	if (arg->uptr)
		rc = check_pages(arg->uptr - offset_in_page(arg->iova), pages,
				 npages);
	if (!rc)
		rc = mock_respond(call);
	if (rc)
		undo_pin_id(ma, arg->out_access_pages_id);
	return rc;
}

/** mock_op_access_pages() - ACCESS_PAGES */
int mock_op_access_pages(struct mock_call *call)
{
	struct mock_cmd_access_pages *arg = &call->cmd->access_pages;
	struct mock_access *ma;
	unsigned long npages;
	struct page **pages;
	struct file *file;
	int rc = -ENOMEM;

	static_assert((int)MOCK_FLAGS_ACCESS_WRITE ==
		      (int)IOMMUFD_ACCESS_RW_WRITE);
	if (arg->length > MAX_LENGTH)
		return -ENOMEM;
	if (arg->flags & ~MOCK_FLAGS_ACCESS_WRITE)
		return -EOPNOTSUPP;
	if (!arg->length)
		return -EINVAL;
	ma = get_access(call, &file);
	if (IS_ERR(ma))
		return PTR_ERR(ma);
	if (!ma->pins_pages) {
		fput(file);
		return -EOPNOTSUPP;
	}

	npages = DIV_ROUND_UP(offset_in_page(arg->iova) + arg->length,
			      PAGE_SIZE);
	pages = kvcalloc(npages, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (pages)
		rc = pin_and_respond(ma, call, pages, npages);
	kvfree(pages);
	fput(file);
	return rc;
}

/** mock_op_destroy_access_pages() - DESTROY_ACCESS_PAGES */
int mock_op_destroy_access_pages(struct mock_call *call)
{
	struct mock_access *ma;
	struct file *file;
	int rc;

	ma = get_access(call, &file);
	if (IS_ERR(ma))
		return PTR_ERR(ma);
	rc = undo_pin_id(ma, call->cmd->destroy_access_pages.access_pages_id);
	fput(file);
	return rc;
}

static int copy_by_access(struct mock_access *ma,
			  const struct mock_cmd_access_rw *arg, void *buf)
{
	unsigned int flags = arg->flags & MOCK_ACCESS_RW_WRITE;
	void __user *uptr = u64_to_user_ptr(arg->uptr);
	int rc;

	static_assert((int)MOCK_ACCESS_RW_WRITE ==
		      (int)IOMMUFD_ACCESS_RW_WRITE);
	if (flags && copy_from_user(buf, uptr, arg->length))
		return -EFAULT;
	down_read(&ma->lifetime);
	rc = iommufd_access_rw(ma->access, arg->iova, buf, arg->length, flags);
	up_read(&ma->lifetime);
	if (!rc && !flags && copy_to_user(uptr, buf, arg->length))
		rc = -EFAULT;
	return rc;
}

/** mock_op_access_rw() - ACCESS_RW */
int mock_op_access_rw(struct mock_call *call)
{
	struct mock_cmd_access_rw *arg = &call->cmd->access_rw;
	struct mock_access *ma;
	struct file *file;
	int rc = -ENOMEM;
	void *buf;

	if (arg->length > MAX_LENGTH)
		return -ENOMEM;
	if (arg->flags & ~(MOCK_ACCESS_RW_WRITE | MOCK_ACCESS_RW_SLOW_PATH))
		return -EOPNOTSUPP;
	if (!arg->length)
		return -EINVAL;
	ma = get_access(call, &file);
	if (IS_ERR(ma))
		return PTR_ERR(ma);
	buf = kvzalloc(arg->length, GFP_KERNEL_ACCOUNT);
	if (buf)
		rc = copy_by_access(ma, arg, buf);
	kvfree(buf);
	fput(file);
	return rc;
}
