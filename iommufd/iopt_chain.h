/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Areas that are made, shown or unmapped together: chained by iopt_area.next, in
 * order of IOVA.  For the parts of io_pagetable; functions are in io_pagetable.c
 * and iopt_through.c.
 */
#ifndef IOMMUFD_IOPT_CHAIN_H
#define IOMMUFD_IOPT_CHAIN_H

#include "io_pagetable.h"

struct iopt_area *iopt_area_alloc(struct iopt_pages *pages);
int iopt_area_show(struct io_pagetable *iopt, struct iopt_area *area,
		   struct iopt_domain *idomain, bool pin);
void iopt_chain_free(struct iopt_area *chain);
void iopt_chain_unpin(struct iopt_area *chain, struct iopt_area *end);
void iopt_chain_unmap_domain(struct iopt_area *chain, struct iopt_area *end,
			     struct iopt_domain *idomain);
int iopt_wait_for_change(struct io_pagetable *iopt);
void iopt_tell_watchers(struct io_pagetable *iopt, struct iopt_area *chain);

/* iopt_domain.c */

int iopt_grow(struct io_pagetable *iopt, unsigned long last);

#endif
