// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd_vfio: stock vfio.ko meets iommufd.
 *
 * With this module an unmodified vfio.ko takes an open /dev/iommu for a VFIO
 * container, and, with serve_stock_node, containers of /dev/vfio/vfio run on
 * iommufd as well.  How it works is told in Documentation/bridge.rst.
 */
#include "bridge.h"

#include <linux/init.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>

#include <linux/iommufd.h>

static bool serve_stock_node;
module_param(serve_stock_node, bool, 0444);
MODULE_PARM_DESC(serve_stock_node,
		 "Serve containers of /dev/vfio/vfio too (default: N)");

/*
 * vfio.ko asks the driver first that registered last.  Moving up in its list by
 * registering again is no way out: containers point to the list entry.
 */
static int module_event(struct notifier_block *nb, unsigned long state,
			void *data)
{
	struct module *mod = data;

	if (state == MODULE_STATE_LIVE && !strcmp(mod->name, "vfio_iommu_type1"))
		pr_warn("vfio_iommu_type1 was loaded later and now gets the containers of /dev/vfio/vfio; to serve them here, unload %s and load it again\n",
			KBUILD_MODNAME);
	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

static int __init bridge_init(void)
{
	int rc;

	rc = bridge_learn_vfio_fops();
	if (rc)
		return rc;
	rc = bridge_hook_install();
	if (rc)
		return rc;
	rc = bridge_driver_register();
	if (rc)
		goto remove_hook;
	if (serve_stock_node) {
		rc = register_module_notifier(&module_nb);
		if (rc)
			goto unregister_driver;
	}
	/* The last step that may fail: it lets users in. */
	rc = iommufd_vfio_register_container_ops(&bridge_container_ops);
	if (rc)
		goto unregister_notifier;
	if (serve_stock_node)
		bridge_driver_serve_stock_node();

	pr_info("vfio.ko accepts /dev/iommu as a container; /dev/vfio/vfio is %s\n",
		serve_stock_node ? "served too" : "left alone");
	return 0;

unregister_notifier:
	if (serve_stock_node)
		unregister_module_notifier(&module_nb);
unregister_driver:
	bridge_driver_unregister();
remove_hook:
	bridge_hook_remove();
	return rc;
}

/*
 * Nobody uses the module any more, or comes to use it: both ways in take a
 * reference, which fails from now on.  The hook goes last, for its removal also
 * waits for tasks that are on their way out of a function of the driver.
 */
static void __exit bridge_exit(void)
{
	iommufd_vfio_unregister_container_ops(&bridge_container_ops);
	if (serve_stock_node)
		unregister_module_notifier(&module_nb);
	bridge_driver_unregister();
	bridge_hook_remove();
}

module_init(bridge_init);
module_exit(bridge_exit);

MODULE_DESCRIPTION("VFIO containers on /dev/iommu");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(IOMMUFD);
MODULE_IMPORT_NS(IOMMUFD_VFIO);
MODULE_SOFTDEP("pre: vfio_iommu_type1");
