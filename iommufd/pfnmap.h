/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's memory as the target of another device's DMA: a BAR that a process has
 * mapped (VM_PFNMAP), mapped in IOMMU domains.
 */
#ifndef IOMMUFD_PFNMAP_H
#define IOMMUFD_PFNMAP_H

#include <linux/seq_file.h>
#include <linux/types.h>

#include "domain_io.h"
#include "owner.h"

struct pfnmap;

struct pfnmap *pfnmap_create(struct iommufd_owner *owner, unsigned long uva,
			     unsigned long npages, bool writable);
void pfnmap_get(struct pfnmap *pfnmap);
bool pfnmap_put(struct pfnmap *pfnmap);

int pfnmap_map(struct pfnmap *pfnmap, struct iopt_domain *idomain,
	       const struct domain_range *range);
void pfnmap_unmap(struct pfnmap *pfnmap, struct iopt_domain *idomain,
		  unsigned long first, unsigned long last);
int pfnmap_cut(struct pfnmap *pfnmap, struct iopt_domain *idomain,
	       unsigned long iova);

int pfnmap_init(void);
void pfnmap_exit(void);
unsigned long pfnmap_count(void);
void pfnmap_show_events(struct seq_file *s);

#endif
