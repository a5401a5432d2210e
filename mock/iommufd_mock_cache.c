// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the mock IOMMU remembers of guests' page tables.
 *
 * Here a missing invalidation shows, so what the guest has to invalidate stays until
 * it does, however wrong it has become.  Never wrong is what the host answers for:
 * entries lead to addresses of stage 2 only, which are looked up each time, and none
 * outlives what it is about.
 *
 * There are few entries, so each is looked at; they are replaced in turn.
 */
#include "iommufd_mock.h"

#include <uapi/linux/iommu_nesting.h>

/**
 * struct cache_entry - a translation, or where a table is
 * @mdev: whose request it was; NULL: the entry is free
 * @domain: with which page table
 * @generation: of its stage 2 before it was walked
 * @pasid: of the request, 0 for none
 * @tr: the answer
 */
struct cache_entry {
	struct mock_dev *mdev;
	struct mock_domain *domain;
	u64 generation;
	u32 pasid;
	struct mock_translation tr;
};

/**
 * struct pasid_entry - is a PASID attached
 * @mdev: of which device; NULL: the entry is free
 * @pasid: PASID
 * @domain: to what, or NULL: it is not
 */
struct pasid_entry {
	struct mock_dev *mdev;
	u32 pasid;
	struct mock_domain *domain;
};

static DEFINE_SPINLOCK(lock); /* all below */
static struct cache_entry entries[MOCK_CACHES][IOMMU_MOCK_TLB_ENTRIES];
static unsigned int next[MOCK_CACHES];
static struct pasid_entry pasids[IOMMU_MOCK_TLB_ENTRIES];
static unsigned int next_pasid;

static const unsigned int nr_entries[MOCK_CACHES] = {
	[MOCK_DEV_TLB] = IOMMU_MOCK_TLB_ENTRIES,
	[MOCK_IOTLB] = IOMMU_MOCK_TLB_ENTRIES,
	[MOCK_WALK_CACHE] = IOMMU_MOCK_WALK_ENTRIES,
};

static_assert(IOMMU_MOCK_WALK_ENTRIES <= IOMMU_MOCK_TLB_ENTRIES);

static bool overlaps(const struct cache_entry *entry, u64 first, u64 last)
{
	return entry->tr.iova <= last &&
	       entry->tr.iova + (entry->tr.size - 1) >= first;
}

static bool is_of(const struct cache_entry *entry,
		  const struct mock_request *req, struct mock_domain *domain)
{
	return entry->mdev == req->mdev && entry->domain == domain &&
	       entry->pasid == req->pasid;
}

/**
 * mock_cache_find() - Is something remembered
 * @id: where
 * @req: request
 * @domain: stage 1 that translates it
 * @tr: out
 *
 * Return: false if not.  Context: mock_dev.lock.
 */
bool mock_cache_find(enum mock_cache_id id, const struct mock_request *req,
		     struct mock_domain *domain, struct mock_translation *tr)
{
	u64 now = mock_stage2_generation(mock_stage1_parent(domain));
	struct cache_entry *entry;
	bool found = false;
	unsigned int i;

	spin_lock(&lock);
	for (i = 0; i != nr_entries[id] && !found; i++) {
		entry = &entries[id][i];
		found = is_of(entry, req, domain) && entry->generation == now &&
			overlaps(entry, req->iova, req->iova);
		if (found)
			*tr = entry->tr;
	}
	spin_unlock(&lock);
	return found;
}

/* Forget what is about any of these addresses. */
static void forget(enum mock_cache_id id, const struct mock_request *req,
		   struct mock_domain *domain, u64 first, u64 last)
{
	struct cache_entry *entry;
	unsigned int i;

	lockdep_assert_held(&lock);

	for (i = 0; i != nr_entries[id]; i++) {
		entry = &entries[id][i];
		if (is_of(entry, req, domain) && overlaps(entry, first, last))
			entry->mdev = NULL;
	}
}

/**
 * mock_cache_add() - Remember something, instead of what was known of its addresses
 * @id: where
 * @req: request
 * @domain: stage 1 that translated it
 * @generation: mock_stage2_generation() before that
 * @tr: answer
 *
 * Context: mock_dev.lock.
 */
void mock_cache_add(enum mock_cache_id id, const struct mock_request *req,
		    struct mock_domain *domain, u64 generation,
		    const struct mock_translation *tr)
{
	struct cache_entry *entry;

	spin_lock(&lock);
	forget(id, req, domain, tr->iova, tr->iova + (tr->size - 1));
	entry = &entries[id][next[id]++ % nr_entries[id]];
	entry->mdev = req->mdev;
	entry->domain = domain;
	entry->generation = generation;
	entry->pasid = req->pasid;
	entry->tr = *tr;
	spin_unlock(&lock);
}

/** mock_cache_forget() - Undo mock_cache_add() */
void mock_cache_forget(enum mock_cache_id id, const struct mock_request *req,
		       struct mock_domain *domain)
{
	spin_lock(&lock);
	forget(id, req, domain, req->iova, req->iova);
	spin_unlock(&lock);
}

/**
 * mock_cache_pasid() - What is a PASID attached to, as far as the IOMMU knows
 * @mdev: device
 * @pasid: PASID
 *
 * Return: the domain, or NULL: nothing, or it was so when last looked at.
 * Context: mock_dev.lock.
 */
struct mock_domain *mock_cache_pasid(struct mock_dev *mdev, u32 pasid)
{
	struct mock_domain *domain;
	struct pasid_entry *entry;
	unsigned int i;

	lockdep_assert_held(&mdev->lock);

	spin_lock(&lock);
	for (i = 0; i != ARRAY_SIZE(pasids); i++) {
		entry = &pasids[i];
		if (entry->mdev == mdev && entry->pasid == pasid)
			goto out_unlock;
	}
	entry = &pasids[next_pasid++ % ARRAY_SIZE(pasids)];
	entry->mdev = mdev;
	entry->pasid = pasid;
	entry->domain = xa_load(&mdev->pasids, pasid);
out_unlock:
	domain = entry->domain;
	spin_unlock(&lock);
	return domain;
}

static void drop_pasids_of(struct mock_domain *domain)
{
	struct pasid_entry *entry;
	unsigned int i;

	lockdep_assert_held(&lock);

	for (i = 0; i != ARRAY_SIZE(pasids); i++) {
		entry = &pasids[i];
		/* Also those that were not attached yet. */
		if (entry->mdev &&
		    xa_load(&entry->mdev->pasids, entry->pasid) == domain)
			entry->mdev = NULL;
	}
}

static void drop_range(enum mock_cache_id id, struct mock_domain *domain,
		       const struct iommufd_stage1_inv *inv)
{
	struct cache_entry *entry;
	unsigned int i;

	lockdep_assert_held(&lock);

	for (i = 0; i != nr_entries[id]; i++) {
		entry = &entries[id][i];
		if (entry->domain == domain &&
		    overlaps(entry, inv->first, inv->last))
			entry->mdev = NULL;
	}
}

/**
 * mock_cache_invalidate() - The guest has changed something
 * @domain: stage 1
 * @inv: what
 */
void mock_cache_invalidate(struct mock_domain *domain,
			   const struct iommufd_stage1_inv *inv)
{
	spin_lock(&lock);
	if (inv->caches & IOMMU_CACHE_INV_TYPE_PASID)
		drop_pasids_of(domain);
	if (inv->caches & IOMMU_CACHE_INV_TYPE_IOTLB) {
		drop_range(MOCK_IOTLB, domain, inv);
		if (!inv->leaf)
			drop_range(MOCK_WALK_CACHE, domain, inv);
	}
	if (inv->caches & IOMMU_CACHE_INV_TYPE_DEV_IOTLB)
		drop_range(MOCK_DEV_TLB, domain, inv);
	spin_unlock(&lock);
}

/* All of a device's, or only of one of its PASIDs (or 0), or all of a domain's */
static void drop_entries(struct mock_dev *mdev, const u32 *pasid,
			 struct mock_domain *domain)
{
	struct cache_entry *entry;
	unsigned int id, i;

	lockdep_assert_held(&lock);

	for (id = 0; id != MOCK_CACHES; id++) {
		for (i = 0; i != nr_entries[id]; i++) {
			entry = &entries[id][i];
			if ((!mdev || entry->mdev == mdev) &&
			    (!pasid || entry->pasid == *pasid) &&
			    (!domain || entry->domain == domain))
				entry->mdev = NULL;
		}
	}
}

/**
 * mock_cache_detach() - A device, or a PASID of it, leaves what it was attached to
 * @mdev: device
 * @pasid: PASID, or 0
 * @blocked: it is attached to nothing else now
 *
 * That a PASID was not attached stays known when it is attached.
 *
 * Context: mock_dev.lock.
 */
void mock_cache_detach(struct mock_dev *mdev, u32 pasid, bool blocked)
{
	struct pasid_entry *entry;
	unsigned int i;

	lockdep_assert_held(&mdev->lock);

	spin_lock(&lock);
	drop_entries(mdev, &pasid, NULL);
	for (i = 0; i != ARRAY_SIZE(pasids); i++) {
		entry = &pasids[i];
		if (entry->mdev == mdev && entry->pasid == pasid &&
		    (entry->domain || blocked))
			entry->mdev = NULL;
	}
	spin_unlock(&lock);
}

/** mock_cache_domain_gone() - A stage 1 is about to be freed; nobody uses it */
void mock_cache_domain_gone(struct mock_domain *domain)
{
	spin_lock(&lock);
	drop_entries(NULL, NULL, domain);
	spin_unlock(&lock);
}

/** mock_cache_device_gone() - A device is about to be freed */
void mock_cache_device_gone(struct mock_dev *mdev)
{
	unsigned int i;

	spin_lock(&lock);
	drop_entries(mdev, NULL, NULL);
	for (i = 0; i != ARRAY_SIZE(pasids); i++) {
		if (pasids[i].mdev == mdev)
			pasids[i].mdev = NULL;
	}
	spin_unlock(&lock);
}
