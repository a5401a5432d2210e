/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An IOMMU domain that takes nothing on trust.
 *
 * It keeps each IO page, so that an unmap that no driver of 6.1 survives (less
 * than an IO page, a hole, all of the aperture) fails the case, and so does a
 * map over another one, or one of a wrong size or alignment.  IO pages that are
 * unmapped still reach memory until the IOTLB has been flushed for them.  Its page
 * table grows as AMD's, and it fails the case when anything but the page of
 * zeroes that domain_grow() maps makes it grow.
 */
#ifndef IOMMUFD_KUNIT_FAKE_DOMAIN_H
#define IOMMUFD_KUNIT_FAKE_DOMAIN_H

#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/list.h>

#include "util.h"

/**
 * struct kt_io_page - an IO page
 * @node: IOVAs
 * @phys: where it leads to
 * @prot: how it was mapped
 * @visible: iotlb_sync_map() was called for it
 * @stale: in kt_domain.stale once unmapped, then spare
 */
struct kt_io_page {
	struct interval_tree_node node;
	phys_addr_t phys;
	int prot;
	bool visible;
	struct list_head stale;
};

/* What map_pages() does when it fails, or maps less than asked for. */
enum kt_map_fault {
	KT_FAULT_SILENT,	/* a part is mapped, and it does not say so (VT-d) */
	KT_FAULT_HONEST,	/* a part is mapped, it says how much */
	KT_FAULT_SHORT,		/* no failure: a part is mapped, it says how much */
};

/**
 * struct kt_domain - a fake domain
 * @domain: what the unit under test sees
 * @pages: tree of struct kt_io_page
 * @stale: of struct kt_io_page, unmapped and not flushed
 * @mapped: bytes
 * @invisible: IO pages that devices may not see yet
 * @largest: IO page that was ever mapped
 * @tracks_memory: the page frames are those of a struct kt_mem
 * @fail_nth: the n-th map_pages() from now on fails; 0: none
 * @failed: it has
 * @fault: how
 * @deaf: unmap does nothing
 * @reach: the highest IOVA that there are levels for
 * @nr_grows: how often the page of zeroes was mapped
 * @nr_maps: calls of map_pages() or map()
 * @nr_unmaps: calls of unmap_pages() or unmap()
 * @nr_sync_maps: calls of iotlb_sync_map()
 * @last_gfp: of the last map_pages() or map()
 */
struct kt_domain {
	struct iommu_domain domain;
	struct rb_root_cached pages;
	struct list_head stale;
	unsigned long mapped;
	unsigned long invisible;
	size_t largest;
	bool tracks_memory;
	unsigned int fail_nth;
	bool failed;
	enum kt_map_fault fault;
	bool deaf;
	unsigned long reach;
	unsigned long nr_grows;
	unsigned long nr_maps;
	unsigned long nr_unmaps;
	unsigned long nr_sync_maps;
	gfp_t last_gfp;
};

void kt_domain_init(struct kt_domain *dom, unsigned long pgsize_bitmap,
		    bool has_map_pages);
void kt_domain_set_aperture(struct kt_domain *dom, unsigned long first,
			    unsigned long last);
void kt_domain_clear(struct kt_domain *dom);
void kt_domains_exit(void);
void kt_domain_fail(struct kt_domain *dom, unsigned int nth,
		    enum kt_map_fault fault);
struct kt_io_page *kt_domain_page(struct kt_domain *dom, unsigned long iova);
void kt_domain_settled(struct kt_domain *dom);

/* What the core is asked for, before it cuts it to what the driver sees. */
void kt_check_unmap(struct iommu_domain *domain, unsigned long iova,
		    size_t size);

#endif
