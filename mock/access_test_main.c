// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: lets a selftest act as an in-kernel user of an IOAS.
 *
 * Each open file of /dev/iommufd_access_test owns at most one access.  Ioctls
 * (access_test_uapi.h) stand one to one for the functions of the in-kernel API;
 * the pins that are alive are remembered, so that the unmap callback can undo
 * them as a good driver does, or refuse as a bad one.
 *
 * The file's PCI device, if it has one, is in access_test_device.c.
 *
 * It knows nothing of iommufd.ko but include/linux/iommufd.h, and takes no lock
 * around pin_pages that the callback takes too: a pin that is made while an
 * unmap is under way is the race that real drivers have.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iommufd.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "access_test_device.h"
#include "access_test_uapi.h"

/* Longer than any test holds */
#define HOLD_MAX (60 * HZ)

/**
 * struct access_test - one open file
 * @device: its PCI device; has a lock of its own
 * @lifetime: held for writing where @access comes, goes, is attached or
 *	detached, for reading where it is used.  Never taken by the callback.
 * @access: the access; lock: @lifetime
 * @attached: @access is attached; lock: @lifetime
 * @lock: all below; taken by the callback, so never held around a call of
 *	iommufd that may wait for the callback
 * @pins: list of struct access_test_pinned
 * @next_id: next pin id
 * @mode: what the callback does; read without @lock by who waits for a change
 * @refuse: calls left to refuse
 * @stats: counters; unmap_calls is read without @lock by who waits for it
 * @wait: woken when @mode or @stats change
 */
struct access_test {
	struct access_test_device device;

	struct rw_semaphore lifetime;
	struct iommufd_access *access;
	bool attached;

	struct mutex lock; /* all below */
	struct list_head pins;
	u32 next_id;
	u32 mode;
	u32 refuse;
	struct access_test_stats stats;

	wait_queue_head_t wait;
};

/* One successful pin_pages call */
struct access_test_pinned {
	struct list_head item;
	u32 id;
	unsigned long iova;
	unsigned long length;
	unsigned long npages;
	struct page **pages;
};

static void access_test_free_pin(struct access_test_pinned *pin)
{
	kvfree(pin->pages);
	kfree(pin);
}

static void access_test_undo_pin(struct access_test *at,
				 struct access_test_pinned *pin)
{
	lockdep_assert_held(&at->lock);

	list_del(&pin->item);
	at->stats.pins--;
	iommufd_access_unpin_pages(at->access, pin->iova, pin->length);
	access_test_free_pin(pin);
}

static void access_test_undo_range(struct access_test *at, unsigned long first,
				   unsigned long last)
{
	struct access_test_pinned *pin, *next;

	lockdep_assert_held(&at->lock);

	list_for_each_entry_safe(pin, next, &at->pins, item) {
		if (pin->iova <= last && pin->iova + (pin->length - 1) >= first)
			access_test_undo_pin(at, pin);
	}
}

static void access_test_set_mode(struct access_test *at, u32 mode, u32 count)
{
	mutex_lock(&at->lock);
	WRITE_ONCE(at->mode, mode);
	at->refuse = count;
	mutex_unlock(&at->lock);
	wake_up_all(&at->wait);
}

static void access_test_unmap(void *data, unsigned long iova,
			      unsigned long length)
{
	/* ULONG_MAX is everything, also what is at IOVA ULONG_MAX. */
	unsigned long last = length == ULONG_MAX ? ULONG_MAX :
						   iova + (length - 1);
	struct access_test *at = data;
	u32 mode;

	mutex_lock(&at->lock);
	WRITE_ONCE(at->stats.unmap_calls, at->stats.unmap_calls + 1);
	at->stats.last_iova = iova;
	at->stats.last_length = length;
	mode = at->mode;
	if (mode == ACCESS_TEST_REFUSE && at->refuse) {
		if (at->refuse != ~0U)
			at->refuse--;
		at->stats.refused++;
	} else if (mode != ACCESS_TEST_HOLD) {
		access_test_undo_range(at, iova, last);
	}
	mutex_unlock(&at->lock);
	wake_up_all(&at->wait);

	if (mode != ACCESS_TEST_HOLD)
		return;
	/*
	 * Killed or not, the range is let go of: the caller relies on it.  And not
	 * for ever: who has the file may be on its way out, and wait for us.
	 */
	wait_event_killable_timeout(at->wait,
				    READ_ONCE(at->mode) != ACCESS_TEST_HOLD,
				    HOLD_MAX);
	mutex_lock(&at->lock);
	access_test_undo_range(at, iova, last);
	mutex_unlock(&at->lock);
}

static const struct iommufd_access_ops access_test_pin_ops = {
	.needs_pin_pages = 1,
	.unmap = access_test_unmap,
};

static const struct iommufd_access_ops access_test_rw_ops = {
	.unmap = access_test_unmap,
};

static int access_test_create(struct access_test *at, void __user *arg)
{
	const struct iommufd_access_ops *ops = &access_test_rw_ops;
	struct access_test_create cmd;
	struct iommufd_access *access;
	struct iommufd_ctx *ictx;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (at->access || (cmd.flags & ~ACCESS_TEST_CREATE_PINS))
		return -EINVAL;
	if (cmd.flags & ACCESS_TEST_CREATE_PINS)
		ops = &access_test_pin_ops;

	ictx = iommufd_ctx_from_fd(cmd.iommufd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	access = iommufd_access_create(ictx, ops, at, &cmd.out_access_id);
	iommufd_ctx_put(ictx);
	if (IS_ERR(access))
		return PTR_ERR(access);
	if (copy_to_user(arg, &cmd, sizeof(cmd))) {
		iommufd_access_destroy(access);
		return -EFAULT;
	}
	at->access = access;
	return 0;
}

static int access_test_attach(struct access_test *at, void __user *arg)
{
	u32 ioas_id;
	int rc;

	if (get_user(ioas_id, (u32 __user *)arg))
		return -EFAULT;
	if (!at->access)
		return -EINVAL;
	rc = iommufd_access_attach(at->access, ioas_id);
	if (!rc)
		at->attached = true;
	return rc;
}

/*
 * The one who detaches is the driver itself: however it behaved before, it lets
 * go now.
 */
static int access_test_detach(struct access_test *at)
{
	if (!at->access || !at->attached)
		return -EINVAL;
	access_test_set_mode(at, ACCESS_TEST_RELEASE, 0);
	iommufd_access_detach(at->access);
	at->attached = false;
	return 0;
}

static int access_test_destroy(struct access_test *at)
{
	if (!at->access)
		return -EINVAL;
	access_test_set_mode(at, ACCESS_TEST_RELEASE, 0);
	iommufd_access_destroy(at->access);
	at->attached = false;
	at->access = NULL;
	return 0;
}

static int access_test_copy_pfns(struct access_test_pinned *pin,
				 u64 __user *pfns)
{
	unsigned long i;

	for (i = 0; i != pin->npages; i++) {
		if (put_user((u64)page_to_pfn(pin->pages[i]), pfns + i))
			return -EFAULT;
	}
	return 0;
}

static int access_test_pin(struct access_test *at, void __user *arg)
{
	struct access_test_pinned *pin;
	struct access_test_pin cmd;
	unsigned long max;
	int rc;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (!at->access || cmd.length > ACCESS_TEST_MAX_LENGTH)
		return -EINVAL;

	pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	if (!pin)
		return -ENOMEM;
	pin->iova = cmd.iova;
	pin->length = cmd.length;
	/* Two more: the range may begin and end inside a page. */
	max = cmd.length / PAGE_SIZE + 2;
	pin->pages = kvcalloc(max, sizeof(*pin->pages), GFP_KERNEL_ACCOUNT);
	if (!pin->pages) {
		rc = -ENOMEM;
		goto err_free;
	}
	rc = iommufd_access_pin_pages(at->access, pin->iova, pin->length,
				      pin->pages, cmd.flags);
	if (rc)
		goto err_free;
	while (pin->npages != max && pin->pages[pin->npages])
		pin->npages++;
	cmd.out_npages = pin->npages;

	if (cmd.pfns) {
		rc = access_test_copy_pfns(pin, u64_to_user_ptr(cmd.pfns));
		if (rc)
			goto err_unpin;
	}
	mutex_lock(&at->lock);
	pin->id = at->next_id++;
	cmd.out_pin_id = pin->id;
	if (copy_to_user(arg, &cmd, sizeof(cmd))) {
		mutex_unlock(&at->lock);
		rc = -EFAULT;
		goto err_unpin;
	}
	list_add_tail(&pin->item, &at->pins);
	at->stats.pins++;
	mutex_unlock(&at->lock);
	return 0;

err_unpin:
	iommufd_access_unpin_pages(at->access, pin->iova, pin->length);
err_free:
	access_test_free_pin(pin);
	return rc;
}

static struct access_test_pinned *access_test_find_pin(struct access_test *at,
						       u32 id)
{
	struct access_test_pinned *pin;

	lockdep_assert_held(&at->lock);

	list_for_each_entry(pin, &at->pins, item) {
		if (pin->id == id)
			return pin;
	}
	return NULL;
}

static int access_test_unpin(struct access_test *at, void __user *arg)
{
	struct access_test_pinned *pin;
	struct access_test_unpin cmd;
	int rc = 0;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	mutex_lock(&at->lock);
	pin = access_test_find_pin(at, cmd.pin_id);
	if (pin)
		access_test_undo_pin(at, pin);
	else
		rc = -ENOENT;
	mutex_unlock(&at->lock);
	return rc;
}

static int access_test_copy_page(struct page *page, size_t offset, size_t bytes,
				 void __user *uptr, bool write)
{
	unsigned long left;
	void *kaddr;

	kaddr = kmap_local_page(page);
	if (write)
		left = copy_from_user(kaddr + offset, uptr, bytes);
	else
		left = copy_to_user(uptr, kaddr + offset, bytes);
	kunmap_local(kaddr);
	return left ? -EFAULT : 0;
}

static int access_test_copy(struct access_test *at, void __user *arg,
			    bool write)
{
	struct access_test_pinned *pin;
	struct access_test_copy cmd;
	void __user *uptr;
	u64 end;
	int rc = 0;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (check_add_overflow(cmd.offset, cmd.length, &end))
		return -EINVAL;
	uptr = u64_to_user_ptr(cmd.uptr);

	mutex_lock(&at->lock);
	pin = access_test_find_pin(at, cmd.pin_id);
	if (!pin)
		rc = -ENOENT;
	else if (end > (u64)pin->npages * PAGE_SIZE)
		rc = -EINVAL;
	while (!rc && cmd.offset != end) {
		size_t in_page = offset_in_page(cmd.offset);
		size_t bytes = min_t(u64, end - cmd.offset,
				     PAGE_SIZE - in_page);

		rc = access_test_copy_page(pin->pages[cmd.offset / PAGE_SIZE],
					   in_page, bytes, uptr, write);
		cmd.offset += bytes;
		uptr += bytes;
	}
	mutex_unlock(&at->lock);
	return rc;
}

static int access_test_rw(struct access_test *at, void __user *arg)
{
	struct access_test_rw cmd;
	void __user *uptr;
	void *buf;
	int rc;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (!at->access || cmd.length > ACCESS_TEST_MAX_RW)
		return -EINVAL;
	uptr = u64_to_user_ptr(cmd.uptr);

	/* Never of size 0: rw of length 0 must get a buffer it could write to. */
	buf = kvzalloc(cmd.length + 1, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	rc = -EFAULT;
	if ((cmd.flags & IOMMUFD_ACCESS_RW_WRITE) &&
	    copy_from_user(buf, uptr, cmd.length))
		goto out_free;
	rc = iommufd_access_rw(at->access, cmd.iova, buf, cmd.length,
			       cmd.flags);
	if (!rc && !(cmd.flags & IOMMUFD_ACCESS_RW_WRITE) &&
	    copy_to_user(uptr, buf, cmd.length))
		rc = -EFAULT;
out_free:
	kvfree(buf);
	return rc;
}

static int access_test_mode(struct access_test *at, void __user *arg)
{
	struct access_test_mode cmd;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (cmd.mode > ACCESS_TEST_HOLD)
		return -EINVAL;
	access_test_set_mode(at, cmd.mode, cmd.count);
	return 0;
}

static int access_test_stats(struct access_test *at, void __user *arg)
{
	struct access_test_stats cmd;
	u64 wait_calls;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	wait_calls = cmd.wait_calls;
	if (wait_event_interruptible(at->wait,
				     READ_ONCE(at->stats.unmap_calls) >=
					     wait_calls))
		return -EINTR;
	mutex_lock(&at->lock);
	cmd = at->stats;
	mutex_unlock(&at->lock);
	cmd.wait_calls = wait_calls;
	cmd.zero_page_refs = page_ref_count(ZERO_PAGE(0));
	return copy_to_user(arg, &cmd, sizeof(cmd)) ? -EFAULT : 0;
}

static int access_test_compat(void __user *arg)
{
	struct access_test_compat cmd;
	struct iommufd_ctx *ictx;
	int rc;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	ictx = iommufd_ctx_from_fd(cmd.iommufd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	rc = iommufd_vfio_compat_ioas_id(ictx, &cmd.out_ioas_id);
	iommufd_ctx_put(ictx);
	if (!rc && copy_to_user(arg, &cmd, sizeof(cmd)))
		rc = -EFAULT;
	return rc;
}

/* Commands that change which access there is, or whether it is attached */
static long access_test_lifetime_ioctl(struct access_test *at, unsigned int cmd,
				       void __user *arg)
{
	int rc;

	down_write(&at->lifetime);
	switch (cmd) {
	case ACCESS_TEST_CREATE:
		rc = access_test_create(at, arg);
		break;
	case ACCESS_TEST_DESTROY:
		rc = access_test_destroy(at);
		break;
	case ACCESS_TEST_ATTACH:
		rc = access_test_attach(at, arg);
		break;
	default:
		rc = access_test_detach(at);
		break;
	}
	up_write(&at->lifetime);
	return rc;
}

static long access_test_ioctl(struct file *file, unsigned int cmd,
			      unsigned long uarg)
{
	struct access_test *at = file->private_data;
	void __user *arg = (void __user *)uarg;
	int rc;

	switch (cmd) {
	case ACCESS_TEST_CREATE:
	case ACCESS_TEST_DESTROY:
	case ACCESS_TEST_ATTACH:
	case ACCESS_TEST_DETACH:
		return access_test_lifetime_ioctl(at, cmd, arg);
	/* These two end and observe a wait that holds @lifetime elsewhere. */
	case ACCESS_TEST_MODE:
		return access_test_mode(at, arg);
	case ACCESS_TEST_STATS:
		return access_test_stats(at, arg);
	case ACCESS_TEST_COMPAT:
		return access_test_compat(arg);
	case ACCESS_TEST_DEVICE_BIND:
	case ACCESS_TEST_DEVICE_UNBIND:
	case ACCESS_TEST_DEVICE_ATTACH:
	case ACCESS_TEST_DEVICE_DETACH:
	case ACCESS_TEST_DEVICE_REPLACE:
	case ACCESS_TEST_PASID_ATTACH:
	case ACCESS_TEST_PASID_REPLACE:
		return access_test_device_ioctl(&at->device, cmd, arg);
	}

	down_read(&at->lifetime);
	switch (cmd) {
	case ACCESS_TEST_PIN:
		rc = access_test_pin(at, arg);
		break;
	case ACCESS_TEST_UNPIN:
		rc = access_test_unpin(at, arg);
		break;
	case ACCESS_TEST_PEEK:
		rc = access_test_copy(at, arg, false);
		break;
	case ACCESS_TEST_POKE:
		rc = access_test_copy(at, arg, true);
		break;
	case ACCESS_TEST_RW:
		rc = access_test_rw(at, arg);
		break;
	default:
		rc = -ENOTTY;
		break;
	}
	up_read(&at->lifetime);
	return rc;
}

static int access_test_open(struct inode *inode, struct file *file)
{
	struct access_test *at;

	at = kzalloc(sizeof(*at), GFP_KERNEL_ACCOUNT);
	if (!at)
		return -ENOMEM;
	access_test_device_init(&at->device);
	init_rwsem(&at->lifetime);
	mutex_init(&at->lock);
	INIT_LIST_HEAD(&at->pins);
	init_waitqueue_head(&at->wait);
	file->private_data = at;
	return 0;
}

static int access_test_release(struct inode *inode, struct file *file)
{
	struct access_test *at = file->private_data;

	access_test_device_release(&at->device);
	if (at->access)
		access_test_destroy(at);
	WARN_ON(!list_empty(&at->pins));
	mutex_destroy(&at->lock);
	kfree(at);
	return 0;
}

static const struct file_operations access_test_fops = {
	.owner = THIS_MODULE,
	.open = access_test_open,
	.release = access_test_release,
	.unlocked_ioctl = access_test_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice access_test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommufd_access_test",
	.fops = &access_test_fops,
	.mode = 0600,
};

module_misc_device(access_test_misc);

MODULE_IMPORT_NS(IOMMUFD);
MODULE_IMPORT_NS(IOMMUFD_VFIO);
MODULE_DESCRIPTION("Test access to iommufd address spaces");
MODULE_LICENSE("GPL");
