// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage 1: page tables of x86-64 that a guest writes into its memory, in the format
 * that VT-d calls first-level.
 *
 * Nothing of the guest's is trusted: addresses of tables mean what stage 2 shows
 * there, and a walk ends after as many levels as there are.
 */
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "iommufd_mock.h"

/* None of 6.1's types, and not that of the other nested domains */
#define MOCK_DOMAIN_STAGE1 BIT(7)

#define PTE_P BIT_ULL(0)
#define PTE_W BIT_ULL(1)
#define PTE_U BIT_ULL(2)
#define PTE_PS BIT_ULL(7)
#define PTE_XD BIT_ULL(63)
#define PTE_ADDR GENMASK_ULL(51, 12)
#define PTE_ALLOW (PTE_W | PTE_U)

#define ENTRY_BITS 9
#define LEAF_LEVEL 1

#define VALID_FLAGS                                                    \
	(IOMMUFD_STAGE1_SRE | IOMMUFD_STAGE1_PCD | IOMMUFD_STAGE1_PWT | \
	 IOMMUFD_STAGE1_EMTE | IOMMUFD_STAGE1_WPE)

/**
 * struct mock_stage1 - a domain with a guest's page table
 * @base: domain
 * @parent: stage 2
 * @config: where it is
 */
struct mock_stage1 {
	struct mock_domain base;
	struct mock_domain *parent;
	struct iommufd_stage1 config;
};

static struct mock_stage1 *to_stage1(struct mock_domain *domain)
{
	return container_of(domain, struct mock_stage1, base);
}

static void mock_stage1_free(struct iommu_domain *domain)
{
	struct mock_stage1 *stage1 = to_stage1(to_mock_domain(domain));

	WARN_ON(atomic_read(&stage1->base.users));
	mock_cache_domain_gone(&stage1->base);
	atomic_dec(&stage1->parent->users);
	kfree(stage1);
}

static const struct iommu_domain_ops mock_stage1_ops = {
	.attach_dev = mock_dev_attach,
	.detach_dev = mock_dev_detach,
	.free = mock_stage1_free,
};

/** mock_domain_is_stage1() - Has it a page table of a guest's */
bool mock_domain_is_stage1(struct mock_domain *domain)
{
	return domain->domain.ops == &mock_stage1_ops;
}

/** mock_stage1_parent() - What is a stage 1 on top of */
struct mock_domain *mock_stage1_parent(struct mock_domain *domain)
{
	return to_stage1(domain)->parent;
}

/* ------------------------------------------------------------------ */
/* iommufd_hw_ops */

/** mock_domain_alloc_stage1() - iommufd_hw_ops.domain_alloc_stage1 */
struct iommu_domain *mock_domain_alloc_stage1(struct device *dev,
					      struct iommu_domain *parent,
					      u32 flags,
					      const struct iommufd_stage1 *config)
{
	struct mock_stage1 *stage1;

	if ((flags & ~IOMMU_HWPT_ALLOC_PASID) ||
	    (to_mock_dev(dev)->flags & MOCK_FLAGS_DEVICE_NO_NESTING))
		return ERR_PTR(-EOPNOTSUPP);
	if (config->flags & ~VALID_FLAGS)
		return ERR_PTR(-EINVAL);
	/* What the core has checked */
	if (WARN_ON(parent->ops != &mock_paging_ops) ||
	    WARN_ON(config->addr_width != 48 && config->addr_width != 57) ||
	    WARN_ON(config->pgd & ~GENMASK_ULL(config->addr_width - 1, 12)))
		return ERR_PTR(-EINVAL);

	stage1 = kzalloc(sizeof(*stage1), GFP_KERNEL_ACCOUNT);
	if (!stage1)
		return ERR_PTR(-ENOMEM);
	stage1->base.domain.type = MOCK_DOMAIN_STAGE1;
	stage1->base.domain.ops = &mock_stage1_ops;
	stage1->parent = to_mock_domain(parent);
	atomic_inc(&stage1->parent->users);
	stage1->config = *config;
	return &stage1->base.domain;
}

/** mock_stage1_invalidate() - iommufd_hw_ops.stage1_invalidate */
void mock_stage1_invalidate(struct iommu_domain *domain,
			    const struct iommufd_stage1_inv *inv)
{
	if (WARN_ON(domain->ops != &mock_stage1_ops))
		return;
	mock_cache_invalidate(to_mock_domain(domain), inv);
}

/**
 * mock_stage1_read() - What was it made with
 * @domain: domain of the mock
 * @arg: out
 *
 * Return: 0, or -EINVAL it has no page table of a guest's.
 */
int mock_stage1_read(struct mock_domain *domain, struct iommu_mock_stage1 *arg)
{
	const struct iommufd_stage1 *config;

	if (!mock_domain_is_stage1(domain))
		return -EINVAL;
	config = &to_stage1(domain)->config;
	arg->out_pgd = config->pgd;
	arg->out_flags = config->flags;
	arg->out_addr_width = config->addr_width;
	arg->out_pat = config->pat;
	arg->out_emt = config->emt;
	return 0;
}

/* ------------------------------------------------------------------ */
/* The walk */

static unsigned int level_shift(unsigned int level)
{
	return 12 + ENTRY_BITS * (level - 1);
}

static u64 level_size(unsigned int level)
{
	return BIT_ULL(level_shift(level));
}

static bool is_canonical(const struct mock_stage1 *stage1, u64 iova)
{
	unsigned int unused = 64 - stage1->config.addr_width;

	return (u64)((s64)(iova << unused) >> unused) == iova;
}

/* @entry: of a struct mock_translation */
static bool is_allowed(const struct mock_stage1 *stage1,
		       const struct mock_request *req, u64 entry)
{
	bool priv = req->flags & IOMMU_MOCK_DMA_PRIV;

	if (!priv && !(entry & PTE_U))
		return false;
	if ((req->flags & IOMMU_MOCK_DMA_WRITE) && !(entry & PTE_W) &&
	    (!priv || (stage1->config.flags & IOMMUFD_STAGE1_WPE)))
		return false;
	return !(req->flags & IOMMU_MOCK_DMA_EXEC) || !(entry & PTE_XD);
}

static bool is_leaf(u64 entry, unsigned int level)
{
	return level == LEAF_LEVEL || (entry & PTE_PS);
}

/* Bit 12 of a large page is not of its address: it is of the memory type. */
static bool is_reserved(u64 entry, unsigned int level)
{
	if (level == LEAF_LEVEL || !(entry & PTE_PS))
		return false;
	return level > 3 || (entry & GENMASK_ULL(level_shift(level) - 1, 13));
}

/*
 * Look at the entry of one level.  In @tr: in: the table; out: what the entry says.
 * Returns false and says why in @fault.
 */
static bool walk_level(const struct mock_stage1 *stage1,
		       const struct mock_request *req, unsigned int level,
		       struct mock_translation *tr, u64 *entry,
		       struct mock_fault *fault)
{
	u64 index = (req->iova >> level_shift(level)) % BIT(ENTRY_BITS);

	fault->fetch_addr = tr->gpa + index * sizeof(*entry);
	fault->has_fetch_addr = true;
	if (!mock_stage2_entry(stage1->parent, fault->fetch_addr, entry)) {
		fault->reason = IOMMU_FAULT_REASON_WALK_EABT;
		return false;
	}
	if (!(*entry & PTE_P) || is_reserved(*entry, level)) {
		fault->reason = IOMMU_FAULT_REASON_PTE_FETCH;
		fault->curable = !(*entry & PTE_P);
		return false;
	}
	tr->entry = (tr->entry & *entry & PTE_ALLOW) |
		    ((tr->entry | *entry) & PTE_XD);
	tr->size = level_size(level);
	tr->iova = req->iova & ~(tr->size - 1);
	tr->gpa = *entry & PTE_ADDR;
	if (is_leaf(*entry, level))
		tr->gpa &= ~(tr->size - 1);
	return true;
}

/* From the table in @tr, which is one of @level, to the page */
static bool walk_from(struct mock_domain *domain,
		      const struct mock_request *req, unsigned int level,
		      u64 generation, struct mock_translation *tr,
		      struct mock_fault *fault)
{
	const struct mock_stage1 *stage1 = to_stage1(domain);
	u64 entry;

	for (;; level--) {
		if (!walk_level(stage1, req, level, tr, &entry, fault))
			return false;
		if (is_leaf(entry, level))
			break;
		if (level - 1 == LEAF_LEVEL)
			mock_cache_add(MOCK_WALK_CACHE, req, domain, generation,
				       tr);
	}
	if (is_allowed(stage1, req, tr->entry))
		return true;
	fault->reason = IOMMU_FAULT_REASON_PERMISSION;
	fault->curable = true;
	return false;
}

static bool walk(struct mock_domain *domain, const struct mock_request *req,
		 u64 generation, struct mock_translation *tr,
		 struct mock_fault *fault)
{
	const struct mock_stage1 *stage1 = to_stage1(domain);

	if (mock_cache_find(MOCK_WALK_CACHE, req, domain, tr)) {
		if (walk_from(domain, req, LEAF_LEVEL, generation, tr, fault))
			return true;
		/* What stands there now is asked for the next time. */
		mock_cache_forget(MOCK_WALK_CACHE, req, domain);
		if (fault->reason != IOMMU_FAULT_REASON_PERMISSION)
			return false;
		/* More may be allowed without an invalidation. */
		*fault = (struct mock_fault){};
	}
	tr->gpa = stage1->config.pgd;
	tr->entry = PTE_ALLOW;
	return walk_from(domain, req,
			 (stage1->config.addr_width - 12) / ENTRY_BITS,
			 generation, tr, fault);
}

/* Does the TLB have a translation that allows it */
static bool tlb_has(enum mock_cache_id id, struct mock_domain *domain,
		    const struct mock_request *req, struct mock_translation *tr)
{
	return mock_cache_find(id, req, domain, tr) &&
	       is_allowed(to_stage1(domain), req, tr->entry);
}

/**
 * mock_stage1_translate() - Where is an address in stage 2
 * @domain: stage 1
 * @req: request
 * @gpa: out
 * @fault: out: why not; zeroed by the caller
 *
 * Return: false if it is nowhere.  Context: mock_dev.lock.
 */
bool mock_stage1_translate(struct mock_domain *domain,
			   const struct mock_request *req, u64 *gpa,
			   struct mock_fault *fault)
{
	const struct mock_stage1 *stage1 = to_stage1(domain);
	bool ats = !(req->flags & IOMMU_MOCK_DMA_UNTRANSLATED);
	u64 generation = mock_stage2_generation(stage1->parent);
	struct mock_translation tr;

	lockdep_assert_held(&req->mdev->lock);

	if (!is_canonical(stage1, req->iova)) {
		fault->reason = IOMMU_FAULT_REASON_OOR_ADDRESS;
		return false;
	}
	if ((req->flags & IOMMU_MOCK_DMA_PRIV) &&
	    !(stage1->config.flags & IOMMUFD_STAGE1_SRE)) {
		fault->reason = IOMMU_FAULT_REASON_PERMISSION;
		return false;
	}
	if (ats && tlb_has(MOCK_DEV_TLB, domain, req, &tr))
		goto out_found;
	if (!tlb_has(MOCK_IOTLB, domain, req, &tr)) {
		if (!walk(domain, req, generation, &tr, fault))
			return false;
		mock_cache_add(MOCK_IOTLB, req, domain, generation, &tr);
	}
	if (ats)
		mock_cache_add(MOCK_DEV_TLB, req, domain, generation, &tr);
out_found:
	*gpa = tr.gpa + (req->iova - tr.iova);
	return true;
}
