// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: VFIO devices without DMA, each in a group without an IOMMU, as those
 * of mdev drivers are.
 *
 * Ioctls on a device (emulated_uapi.h) stand one to one for what vfio.ko offers to
 * such drivers: vfio_pin_pages(), vfio_unpin_pages() and vfio_dma_rw().  Before a
 * range is unmapped it unpins what it has pinned there, as they must.
 */
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/xarray.h>

#include "emulated_uapi.h"

#define MAX_RW (64 * 1024)

/**
 * struct emulated_test - one device
 * @vdev: what vfio.ko knows
 * @lock: protects all below
 * @pins: by IOVA in pages: how often this device has pinned it, an xa_value
 * @stats: counters
 */
struct emulated_test {
	struct vfio_device vdev;
	struct mutex lock;
	struct xarray pins;
	struct emulated_test_stats stats;
};

static struct platform_device *devices[EMULATED_TEST_DEVICES];

static struct emulated_test *test_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct emulated_test, vdev);
}

static int pin_remember(struct emulated_test *test, unsigned long index)
{
	unsigned long n;
	void *entry;

	mutex_lock(&test->lock);
	entry = xa_load(&test->pins, index);
	n = entry ? xa_to_value(entry) : 0;
	entry = xa_store(&test->pins, index, xa_mk_value(n + 1), GFP_KERNEL);
	if (!xa_is_err(entry))
		test->stats.pins++;
	mutex_unlock(&test->lock);
	return xa_err(entry);
}

/*
 * Unpin all in a range.  Not under the lock, which type1 takes in the other order
 * when it calls dma_unmap.
 */
static void unpin_range(struct emulated_test *test, unsigned long first,
			unsigned long last)
{
	unsigned long index = first >> PAGE_SHIFT, n;
	void *entry;

	for (;;) {
		mutex_lock(&test->lock);
		entry = xa_find(&test->pins, &index, last >> PAGE_SHIFT,
				XA_PRESENT);
		n = entry ? xa_to_value(entry) : 0;
		xa_erase(&test->pins, index);
		test->stats.pins -= n;
		mutex_unlock(&test->lock);
		if (!n)
			return;
		while (n--)
			vfio_unpin_pages(&test->vdev, index << PAGE_SHIFT, 1);
	}
}

static u64 first_word(struct page *page)
{
	void *at = kmap_local_page(page);
	u64 word = *(u64 *)at;

	kunmap_local(at);
	return word;
}

/* One pin of a page less; false: there is none. */
static bool pin_forget(struct emulated_test *test, unsigned long index)
{
	unsigned long n;
	void *entry;

	mutex_lock(&test->lock);
	entry = xa_load(&test->pins, index);
	n = entry ? xa_to_value(entry) : 0;
	if (n > 1)
		xa_store(&test->pins, index, xa_mk_value(n - 1), GFP_KERNEL);
	else
		xa_erase(&test->pins, index);
	test->stats.pins -= n != 0;
	mutex_unlock(&test->lock);
	return n;
}

/* All @n that were pinned are remembered, or none stays pinned. */
static int pin_remember_all(struct emulated_test *test, u64 iova, int n)
{
	int i, known, rc = 0;

	for (known = 0; known < n && !rc; known++)
		rc = pin_remember(test, (iova >> PAGE_SHIFT) + known);
	if (!rc)
		return 0;
	known--;
	/* What is known an unmap may have unpinned meanwhile. */
	for (i = 0; i < n; i++)
		if (i >= known || pin_forget(test, (iova >> PAGE_SHIFT) + i))
			vfio_unpin_pages(&test->vdev, iova + i * PAGE_SIZE, 1);
	return rc;
}

static int test_pin(struct emulated_test *test, void __user *arg)
{
	struct emulated_test_pin pin;
	struct page **pages;
	int rc, err;

	if (copy_from_user(&pin, arg, sizeof(pin)))
		return -EFAULT;
	if (pin.npages > MAX_RW)
		return -EINVAL;
	pages = kvcalloc(pin.npages + 1, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	/* Not under the lock: dma_unmap takes it. */
	rc = vfio_pin_pages(&test->vdev, pin.iova, pin.npages, pin.prot, pages);
	if (rc > 0)
		pin.data = first_word(pages[0]);
	err = pin_remember_all(test, pin.iova, rc);
	if (err)
		rc = err;
	kvfree(pages);
	if (rc > 0 && copy_to_user(arg, &pin, sizeof(pin)))
		return -EFAULT;
	return rc;
}

static int test_unpin(struct emulated_test *test, void __user *arg)
{
	struct emulated_test_pin pin;
	u32 i;

	if (copy_from_user(&pin, arg, sizeof(pin)))
		return -EFAULT;
	for (i = 0; i != pin.npages; i++)
		if (pin_forget(test, (pin.iova >> PAGE_SHIFT) + i))
			vfio_unpin_pages(&test->vdev,
					 pin.iova + i * PAGE_SIZE, 1);
	return 0;
}

static int test_rw(struct emulated_test *test, void __user *arg)
{
	struct emulated_test_rw rw;
	void *buf;
	int rc;

	if (copy_from_user(&rw, arg, sizeof(rw)))
		return -EFAULT;
	if (rw.length > MAX_RW)
		return -EINVAL;
	buf = kvzalloc(rw.length + 1, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	rc = -EFAULT;
	if (rw.write && copy_from_user(buf, u64_to_user_ptr(rw.uptr), rw.length))
		goto out_free;
	rc = vfio_dma_rw(&test->vdev, rw.iova, buf, rw.length, rw.write);
	if (!rc && !rw.write &&
	    copy_to_user(u64_to_user_ptr(rw.uptr), buf, rw.length))
		rc = -EFAULT;
out_free:
	kvfree(buf);
	return rc;
}

static int test_stats(struct emulated_test *test, void __user *arg)
{
	struct emulated_test_stats stats;

	mutex_lock(&test->lock);
	stats = test->stats;
	mutex_unlock(&test->lock);
	return copy_to_user(arg, &stats, sizeof(stats)) ? -EFAULT : 0;
}

static long test_ioctl(struct vfio_device *vdev, unsigned int cmd,
		       unsigned long arg)
{
	struct emulated_test *test = test_of(vdev);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case EMULATED_TEST_PIN:
		return test_pin(test, uarg);
	case EMULATED_TEST_UNPIN:
		return test_unpin(test, uarg);
	case EMULATED_TEST_RW:
		return test_rw(test, uarg);
	case EMULATED_TEST_STATS:
		return test_stats(test, uarg);
	default:
		return -ENOTTY;
	}
}

static int test_open(struct vfio_device *vdev)
{
	struct emulated_test *test = test_of(vdev);

	memset(&test->stats, 0, sizeof(test->stats));
	return 0;
}

static void test_close(struct vfio_device *vdev)
{
	struct emulated_test *test = test_of(vdev);

	unpin_range(test, 0, ULONG_MAX);
}

static void test_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct emulated_test *test = test_of(vdev);

	mutex_lock(&test->lock);
	test->stats.unmaps++;
	test->stats.iova = iova;
	test->stats.length = length;
	mutex_unlock(&test->lock);
	unpin_range(test, iova, length == ULONG_MAX ? ULONG_MAX :
						      iova + length - 1);
}

static int test_init(struct vfio_device *vdev)
{
	struct emulated_test *test = test_of(vdev);

	mutex_init(&test->lock);
	xa_init(&test->pins);
	return 0;
}

static void test_release(struct vfio_device *vdev)
{
	struct emulated_test *test = test_of(vdev);

	WARN_ON(!xa_empty(&test->pins));
	xa_destroy(&test->pins);
	mutex_destroy(&test->lock);
	vfio_free_device(vdev);
}

static const struct vfio_device_ops test_ops = {
	.name = EMULATED_TEST_NAME,
	.init = test_init,
	.release = test_release,
	.open_device = test_open,
	.close_device = test_close,
	.ioctl = test_ioctl,
	.dma_unmap = test_dma_unmap,
};

static int emulated_test_probe(struct platform_device *pdev)
{
	struct emulated_test *test;
	int rc;

	test = vfio_alloc_device(emulated_test, vdev, &pdev->dev, &test_ops);
	if (IS_ERR(test))
		return PTR_ERR(test);
	rc = vfio_register_emulated_iommu_dev(&test->vdev);
	if (rc) {
		vfio_put_device(&test->vdev);
		return rc;
	}
	platform_set_drvdata(pdev, test);
	return 0;
}

static int emulated_test_remove(struct platform_device *pdev)
{
	struct emulated_test *test = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(&test->vdev);
	vfio_put_device(&test->vdev);
	return 0;
}

/* vfio.ko takes a reference on the driver's module. */
static struct platform_driver emulated_test_driver = {
	.probe = emulated_test_probe,
	.remove = emulated_test_remove,
	.driver = {
		.name = EMULATED_TEST_NAME,
		.owner = THIS_MODULE,
	},
};

static void remove_devices(unsigned int n)
{
	while (n--)
		platform_device_unregister(devices[n]);
}

static int __init emulated_test_init(void)
{
	unsigned int i;
	int rc;

	for (i = 0; i != EMULATED_TEST_DEVICES; i++) {
		devices[i] = platform_device_register_simple(EMULATED_TEST_NAME,
							     i, NULL, 0);
		if (IS_ERR(devices[i])) {
			rc = PTR_ERR(devices[i]);
			goto err_remove;
		}
	}
	rc = platform_driver_register(&emulated_test_driver);
	if (!rc)
		return 0;
err_remove:
	remove_devices(i);
	return rc;
}

static void __exit emulated_test_exit(void)
{
	platform_driver_unregister(&emulated_test_driver);
	remove_devices(EMULATED_TEST_DEVICES);
}

module_init(emulated_test_init);
module_exit(emulated_test_exit);

MODULE_DESCRIPTION("Emulated VFIO devices for tests");
MODULE_LICENSE("GPL");
