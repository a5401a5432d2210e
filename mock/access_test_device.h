/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MOCK_ACCESS_TEST_DEVICE_H
#define MOCK_ACCESS_TEST_DEVICE_H

#include <linux/compiler.h>
#include <linux/mutex.h>

struct iommufd_device;
struct pci_dev;

/**
 * struct access_test_device - the PCI device of one open file
 * @lock: all below
 * @pdev: the device, with a reference and enabled, or NULL
 * @idev: as it is bound; valid with @pdev
 * @attached: it is attached
 */
struct access_test_device {
	struct mutex lock; /* all below */
	struct pci_dev *pdev;
	struct iommufd_device *idev;
	bool attached;
};

void access_test_device_init(struct access_test_device *td);
void access_test_device_release(struct access_test_device *td);
long access_test_device_ioctl(struct access_test_device *td, unsigned int cmd,
			      void __user *arg);

#endif
