// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the suites.  KUnit of 6.1 would do that by itself for suites in the
 * section kunit_test_suites() makes, but before module parameters are known.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "fake_domain.h"
#include "util.h"

unsigned long long kt_seed_param;
module_param_named(seed, kt_seed_param, ullong, 0444);
MODULE_PARM_DESC(seed, "of the random tests; 0 (default): each takes and prints one");

unsigned int kt_rounds = 1;
module_param_named(rounds, kt_rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how many times longer the random tests run (default 1)");

static char *only;
module_param_named(suite, only, charp, 0444);
MODULE_PARM_DESC(suite, "name of the only suite to run");

static struct kunit_suite *suites[] = {
	&kt_span_suite,
	&kt_map_nosync_suite,
	&kt_pfn_runs_suite,
	&kt_owner_suite,
	&kt_pages_suite,
	&kt_pfnmap_suite,
	&kt_iova_suite,
	&kt_io_pagetable_suite,
	&kt_access_suite,
	&kt_page_pins_suite,
	&kt_unmap_suite,
	&kt_shadow_suite,
	&kt_bar_suite,
	&kt_pasid_set_suite,
	&kt_nesting_suite,
	&kt_object_suite,
	&kt_ioctl_suite,
};

static unsigned int nr_suites;

static int __init kt_init(void)
{
	unsigned int i, n = 0;
	int rc;

	for (i = 0; only && i != ARRAY_SIZE(suites); i++)
		if (!strcmp(suites[i]->name, only))
			suites[n++] = suites[i];
	nr_suites = only ? n : ARRAY_SIZE(suites);
	if (!nr_suites)
		return -ENOENT;

	rc = kt_core_init();
	if (rc)
		return rc;
	rc = __kunit_test_suites_init(suites, nr_suites);
	if (rc) {
		kt_domains_exit();
		kt_core_exit();
	}
	return rc;
}

static void __exit kt_exit(void)
{
	__kunit_test_suites_exit(suites, nr_suites);
	kt_domains_exit();
	kt_core_exit();
}

module_init(kt_init);
module_exit(kt_exit);

MODULE_DESCRIPTION("Unit tests of iommufd");
MODULE_LICENSE("GPL");
