/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An io_pagetable with fake memory and fake domains, and the check that all
 * that belongs together agrees: areas, IO pages, pins and charges.  With a fake BAR
 * (fake_bar.h), of which areas are either mapped or revoked as a whole.
 */
#ifndef IOMMUFD_KUNIT_WORLD_H
#define IOMMUFD_KUNIT_WORLD_H

#include "fake_domain.h"
#include "fake_mem.h"
#include "io_pagetable.h"

#define KT_DOMAINS 3

/**
 * struct kt_world - what a case on an io_pagetable works with
 * @iopt: the io_pagetable
 * @mem: memory
 * @owner: whose memory
 * @doms: domains
 * @idomains: these as the io_pagetable knows them
 * @attached: which of them it has
 * @nattached: how many
 * @needed: scratch: which page frames of @mem must be pinned
 * @held: how often each page of @mem is pinned for others than domains
 * @areas_before: areas that a case which failed has left behind
 * @pages_before: so for struct iopt_pages
 * @pinned_before: so for pinned pages
 */
struct kt_world {
	struct io_pagetable iopt;
	struct kt_mem *mem;
	struct iommufd_owner *owner;
	struct kt_domain doms[KT_DOMAINS];
	struct iopt_domain idomains[KT_DOMAINS];
	bool attached[KT_DOMAINS];
	unsigned int nattached;
	u8 *needed;
	u8 *held;
	unsigned long areas_before;
	unsigned long pages_before;
	unsigned long pinned_before;
};

struct kt_world *kt_world_create(struct kunit *test, unsigned long npages,
				 enum kt_layout layout,
				 const unsigned long *pgsizes);
void kt_world_destroy(struct kt_world *w);
int kt_world_attach(struct kt_world *w, unsigned int n);
void kt_world_detach(struct kt_world *w, unsigned int n);
int kt_world_map(struct kt_world *w, unsigned long offset, unsigned long iova,
		 unsigned long length);
void kt_world_check(struct kunit *test, struct kt_world *w);

#endif
