// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's IO page tables.
 *
 * A paging domain notes each IO page where it begins: how large it is, what it
 * shows and who may do what.  Real drivers of 6.1 take for granted that nobody
 * maps over a mapping or unmaps a hole or a part of an IO page; some of them
 * corrupt memory when it happens.  Here each of these is a WARN, which makes this
 * a detector of iommufd's bugs.
 */
#define pr_fmt(fmt) "iommufd_mock: " fmt

#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/ioport.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "iommufd_mock.h"

#define IO_SHIFT const_ilog2(MOCK_PAGE_SIZE)
#define IO_PAGE_DIRTY XA_MARK_0

/* None of 6.1's types: neither paging nor blocked. */
#define MOCK_DOMAIN_NESTED BIT(6)

/* What MOCK_IOMMUPT_HUGE can translate */
#define HUGE_APERTURE_LAST GENMASK_ULL(55, 0)

/* Every power of two, as what the selftests were written for has */
#define PAGING_SIZES GENMASK(30, IO_SHIFT)

/**
 * struct mock_paging - a domain with an IO page table
 * @base: domain
 * @io_pages: by IOVA / MOCK_PAGE_SIZE of the first byte; marked if dirty.  Its
 *	xa_lock protects what follows too
 * @sizes: of all IO pages that there have been, so that a look-up knows where one
 *	may begin
 * @tracking: writes make IO pages dirty
 * @generation: how often something was unmapped; read without the lock, too
 */
struct mock_paging {
	struct mock_domain base;
	struct xarray io_pages;
	unsigned long sizes;
	bool tracking;
	u64 generation;
};

/**
 * struct mock_nested - a stage-1 domain, whose page table nobody walks
 * @base: domain
 * @parent: stage 2
 * @iotlb: what userspace can invalidate; its commands may race
 */
struct mock_nested {
	struct mock_domain base;
	struct mock_domain *parent;
	u32 iotlb[MOCK_NESTED_DOMAIN_IOTLB_NUM];
};

/**
 * to_mock_domain() - Whose domain is it
 * @domain: any
 *
 * Return: the mock's domain, or NULL for one of another IOMMU.
 */
struct mock_domain *to_mock_domain(struct iommu_domain *domain)
{
	/* All of the mock's, and they only, are attached by this. */
	if (domain->ops->attach_dev != mock_dev_attach)
		return NULL;
	return container_of(domain, struct mock_domain, domain);
}

static struct mock_paging *to_paging(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_paging, base.domain);
}

static struct mock_nested *to_nested(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_nested, base.domain);
}

/* ------------------------------------------------------------------ */
/* IO pages: values of an xarray, so that only its nodes need memory */

#define IO_PAGE_ORDER GENMASK(5, 0)
#define IO_PAGE_READ BIT(6)
#define IO_PAGE_WRITE BIT(7)
#define IO_PAGE_PHYS GENMASK_ULL(51, IO_SHIFT)

static_assert(BITS_PER_LONG == 64);

static void *io_page_make(phys_addr_t phys, size_t size, int prot)
{
	return xa_mk_value(phys | ilog2(size) |
			   (prot & IOMMU_READ ? IO_PAGE_READ : 0) |
			   (prot & IOMMU_WRITE ? IO_PAGE_WRITE : 0));
}

static size_t io_page_size(const void *io_page)
{
	return BIT(xa_to_value(io_page) & IO_PAGE_ORDER);
}

static phys_addr_t io_page_phys(const void *io_page)
{
	return xa_to_value(io_page) & IO_PAGE_PHYS;
}

/* The IO page that shows @iova, and where it begins; NULL if none does. */
static void *find_io_page(struct mock_paging *paging, unsigned long iova,
			  unsigned long *start)
{
	unsigned int order;
	void *io_page;

	lockdep_assert_held(&paging->io_pages.xa_lock);

	for_each_set_bit(order, &paging->sizes, BITS_PER_LONG) {
		*start = ALIGN_DOWN(iova, BIT(order));
		io_page = xa_load(&paging->io_pages, *start >> IO_SHIFT);
		if (io_page && io_page_size(io_page) > iova - *start)
			return io_page;
	}
	return NULL;
}

/* Is something but the IO page that begins at @iova mapped in its range? */
static bool is_overlapped(struct mock_paging *paging, unsigned long iova,
			  size_t size)
{
	unsigned long index = iova >> IO_SHIFT;
	unsigned long start;
	void *io_page;

	if (iova) {
		io_page = find_io_page(paging, iova - 1, &start);
		if (io_page && io_page_size(io_page) > iova - start)
			return true;
	}
	return xa_find_after(&paging->io_pages, &index,
			     (iova + size - 1) >> IO_SHIFT, XA_PRESENT);
}

static int map_io_page(struct mock_paging *paging, unsigned long iova,
		       phys_addr_t phys, size_t size, int prot, gfp_t gfp)
{
	unsigned long index = iova >> IO_SHIFT;
	int rc;

	xa_lock(&paging->io_pages);
	rc = __xa_insert(&paging->io_pages, index,
			 io_page_make(phys, size, prot), gfp);
	/* Only now, since the lock was open while there was no memory. */
	if (!rc && is_overlapped(paging, iova, size)) {
		__xa_erase(&paging->io_pages, index);
		rc = -EBUSY;
	}
	if (!rc)
		paging->sizes |= size;
	xa_unlock(&paging->io_pages);
	WARN(rc == -EBUSY, "IOVA %#lx, %#zx bytes: mapped over a mapping\n",
	     iova, size);
	return rc;
}

/* Returns how much it was, 0 if no IO page begins here and ends by @last. */
static size_t unmap_io_page(struct mock_paging *paging, unsigned long iova,
			    unsigned long last)
{
	unsigned long index = iova >> IO_SHIFT;
	size_t size = 0;
	void *io_page;

	xa_lock(&paging->io_pages);
	io_page = xa_load(&paging->io_pages, index);
	if (io_page && io_page_size(io_page) - 1 <= last - iova) {
		size = io_page_size(io_page);
		__xa_erase(&paging->io_pages, index);
		WRITE_ONCE(paging->generation, paging->generation + 1);
	}
	xa_unlock(&paging->io_pages);
	return size;
}

/* ------------------------------------------------------------------ */
/* Paging domains */

/* What the IOMMU core promises of a range to map or unmap */
static bool is_good_range(const struct iommu_domain *domain, unsigned long iova,
			  size_t pgsize, size_t pgcount, unsigned long *last)
{
	size_t size;

	return is_power_of_2(pgsize) && (pgsize & domain->pgsize_bitmap) &&
	       IS_ALIGNED(iova, pgsize) && pgcount &&
	       !check_mul_overflow(pgsize, pgcount, &size) &&
	       !check_add_overflow(iova, size - 1, last) &&
	       iova >= domain->geometry.aperture_start &&
	       *last <= domain->geometry.aperture_end;
}

static int mock_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t phys, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_paging *paging = to_paging(domain);
	unsigned long last;
	int rc;

	if (WARN_ON(!is_good_range(domain, iova, pgsize, pgcount, &last)) ||
	    WARN_ON(!IS_ALIGNED(phys, pgsize)) ||
	    WARN_ON((phys + (last - iova)) & ~GENMASK_ULL(51, 0)) ||
	    WARN_ON(!(prot & (IOMMU_READ | IOMMU_WRITE))))
		return -EINVAL;

	while (pgcount--) {
		rc = map_io_page(paging, iova, phys, pgsize, prot, gfp);
		if (rc)
			return rc;
		*mapped += pgsize;
		iova += pgsize;
		phys += pgsize;
	}
	return 0;
}

static size_t mock_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct mock_paging *paging = to_paging(domain);
	size_t size, done = 0;
	unsigned long last;

	if (WARN_ON(!is_good_range(domain, iova, pgsize, pgcount, &last)))
		return 0;

	while (done != pgsize * pgcount) {
		size = unmap_io_page(paging, iova + done, last);
		if (WARN(!size,
			 "IOVA %#lx, %#zx bytes: unmaps a hole or a part of an IO page at %#lx\n",
			 iova, pgsize * pgcount, iova + done))
			break;
		done += size;
	}
	return done;
}

static phys_addr_t mock_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	struct mock_paging *paging = to_paging(domain);
	phys_addr_t phys = 0;
	unsigned long start;
	void *io_page;

	xa_lock(&paging->io_pages);
	io_page = find_io_page(paging, iova, &start);
	if (io_page)
		phys = io_page_phys(io_page) + (iova - start);
	xa_unlock(&paging->io_pages);
	return phys;
}

static void mock_paging_free(struct iommu_domain *domain)
{
	struct mock_paging *paging = to_paging(domain);

	WARN_ON(atomic_read(&paging->base.users));
	WARN(!xa_empty(&paging->io_pages), "freed with mappings\n");
	xa_destroy(&paging->io_pages);
	kfree(paging);
}

const struct iommu_domain_ops mock_paging_ops = {
	.attach_dev = mock_dev_attach,
	.detach_dev = mock_dev_detach,
	.map_pages = mock_map_pages,
	.unmap_pages = mock_unmap_pages,
	.iova_to_phys = mock_iova_to_phys,
	.free = mock_paging_free,
};

static struct mock_paging *paging_alloc(u32 pagetable_type)
{
	struct mock_paging *paging;
	struct iommu_domain *domain;

	paging = kzalloc(sizeof(*paging), GFP_KERNEL_ACCOUNT);
	if (!paging)
		return NULL;
	xa_init_flags(&paging->io_pages, XA_FLAGS_ACCOUNT);

	domain = &paging->base.domain;
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->ops = &mock_paging_ops;
	domain->geometry.force_aperture = true;
	if (pagetable_type == MOCK_IOMMUPT_HUGE) {
		/* iommufd wants IO pages that are no larger than CPU pages. */
		domain->pgsize_bitmap = MOCK_HUGE_PAGE_SIZE | PAGE_SIZE;
		domain->geometry.aperture_end = HUGE_APERTURE_LAST;
	} else {
		domain->pgsize_bitmap = PAGING_SIZES;
		domain->geometry.aperture_start = MOCK_APERTURE_START;
		domain->geometry.aperture_end = MOCK_APERTURE_LAST;
	}
	return paging;
}

/* ------------------------------------------------------------------ */
/* Domains without an IO page table */

static void mock_blocked_free(struct iommu_domain *domain)
{
	struct mock_domain *blocked = to_mock_domain(domain);

	WARN_ON(atomic_read(&blocked->users));
	kfree(blocked);
}

static const struct iommu_domain_ops mock_blocked_ops = {
	.attach_dev = mock_dev_attach,
	.detach_dev = mock_dev_detach,
	.free = mock_blocked_free,
};

static void mock_nested_free(struct iommu_domain *domain)
{
	struct mock_nested *nested = to_nested(domain);

	WARN_ON(atomic_read(&nested->base.users));
	atomic_dec(&nested->parent->users);
	kfree(nested);
}

static const struct iommu_domain_ops mock_nested_ops = {
	.attach_dev = mock_dev_attach,
	.detach_dev = mock_dev_detach,
	.free = mock_nested_free,
};

/**
 * mock_domain_alloc() - A domain as the IOMMU core of 6.1 asks for it
 * @type: IOMMU_DOMAIN_UNMANAGED or IOMMU_DOMAIN_BLOCKED
 *
 * Return: the domain, or NULL.
 */
struct iommu_domain *mock_domain_alloc(unsigned int type)
{
	struct mock_domain *blocked;
	struct mock_paging *paging;

	switch (type) {
	case IOMMU_DOMAIN_UNMANAGED:
		paging = paging_alloc(MOCK_IOMMUPT_DEFAULT);
		return paging ? &paging->base.domain : NULL;
	case IOMMU_DOMAIN_BLOCKED:
		blocked = kzalloc(sizeof(*blocked), GFP_KERNEL_ACCOUNT);
		if (!blocked)
			return NULL;
		blocked->domain.ops = &mock_blocked_ops;
		return &blocked->domain;
	default:
		return NULL;
	}
}

/* ------------------------------------------------------------------ */
/* What iommufd_hw_ops adds */

static int get_hwpt_data(struct iommu_hwpt_selftest *cfg,
			 const struct iommufd_user_data *data)
{
	return iommufd_copy_user_data(cfg, sizeof(*cfg),
				      offsetofend(struct iommu_hwpt_selftest,
						  iotlb),
				      data, IOMMU_HWPT_DATA_SELFTEST);
}

/** mock_hwpt_alloc() - iommufd_hw_ops.domain_alloc */
struct iommu_domain *mock_hwpt_alloc(struct device *dev, u32 flags,
				     const struct iommufd_user_data *data)
{
	struct mock_dev *mdev = to_mock_dev(dev);
	struct iommu_hwpt_selftest cfg = {};
	struct mock_paging *paging;
	int rc;

	if (flags & ~(IOMMU_HWPT_ALLOC_NEST_PARENT |
		      IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
		      IOMMU_HWPT_ALLOC_PASID))
		return ERR_PTR(-EOPNOTSUPP);
	if ((flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) &&
	    (mdev->flags & MOCK_FLAGS_DEVICE_NO_DIRTY))
		return ERR_PTR(-EOPNOTSUPP);

	if (data && data->type != IOMMU_HWPT_DATA_NONE) {
		if (data->type != IOMMU_HWPT_DATA_SELFTEST)
			return ERR_PTR(-EOPNOTSUPP);
		rc = get_hwpt_data(&cfg, data);
		if (rc)
			return ERR_PTR(rc);
		if (cfg.pagetable_type > MOCK_IOMMUPT_HUGE)
			return ERR_PTR(-EOPNOTSUPP);
	}

	paging = paging_alloc(cfg.pagetable_type);
	if (!paging)
		return ERR_PTR(-ENOMEM);
	paging->base.can_track = flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	return &paging->base.domain;
}

/** mock_hwpt_alloc_nested() - iommufd_hw_ops.domain_alloc_nested */
struct iommu_domain *
mock_hwpt_alloc_nested(struct device *dev, struct iommu_domain *parent,
		       u32 flags, const struct iommufd_user_data *data)
{
	struct iommu_hwpt_selftest cfg;
	struct mock_nested *nested;
	unsigned int i;
	int rc;

	if (flags & ~IOMMU_HWPT_ALLOC_PASID)
		return ERR_PTR(-EOPNOTSUPP);
	if (WARN_ON(parent->ops != &mock_paging_ops))
		return ERR_PTR(-EINVAL);
	if (!data || data->type != IOMMU_HWPT_DATA_SELFTEST)
		return ERR_PTR(-EOPNOTSUPP);
	rc = get_hwpt_data(&cfg, data);
	if (rc)
		return ERR_PTR(rc);

	nested = kzalloc(sizeof(*nested), GFP_KERNEL_ACCOUNT);
	if (!nested)
		return ERR_PTR(-ENOMEM);
	nested->base.domain.type = MOCK_DOMAIN_NESTED;
	nested->base.domain.ops = &mock_nested_ops;
	nested->parent = to_mock_domain(parent);
	atomic_inc(&nested->parent->users);
	for (i = 0; i != ARRAY_SIZE(nested->iotlb); i++)
		nested->iotlb[i] = cfg.iotlb;
	return &nested->base.domain;
}

/** mock_set_dirty_tracking() - iommufd_hw_ops.set_dirty_tracking; cleans nothing */
int mock_set_dirty_tracking(struct iommu_domain *domain, bool enable)
{
	struct mock_paging *paging = to_paging(domain);

	if (WARN_ON(!paging->base.can_track))
		return -EINVAL;
	xa_lock(&paging->io_pages);
	paging->tracking = enable;
	xa_unlock(&paging->io_pages);
	return 0;
}

/** mock_read_dirty() - iommufd_hw_ops.read_dirty */
int mock_read_dirty(struct iommu_domain *domain, unsigned long iova,
		    unsigned long length, bool clear,
		    struct iommufd_dirty_bitmap *bitmap)
{
	struct mock_paging *paging = to_paging(domain);
	unsigned long last = (iova + (length - 1)) >> IO_SHIFT;
	XA_STATE(xas, &paging->io_pages, 0);
	unsigned long first, start;
	unsigned int count = 0;
	void *io_page;

	xas_lock(&xas);
	/* The first IO page may begin before the range. */
	first = find_io_page(paging, iova, &start) ? start : iova;
	xas_set(&xas, first >> IO_SHIFT);
	xas_for_each_marked(&xas, io_page, last, IO_PAGE_DIRTY) {
		iommufd_dirty_bitmap_set(bitmap, xas.xa_index << IO_SHIFT,
					 io_page_size(io_page));
		if (clear)
			xas_clear_mark(&xas, IO_PAGE_DIRTY);
		if (++count % XA_CHECK_SCHED)
			continue;
		xas_pause(&xas);
		xas_unlock(&xas);
		cond_resched();
		xas_lock(&xas);
	}
	xas_unlock(&xas);
	return 0;
}

static int invalidate_entry(struct mock_nested *nested,
			    const struct iommu_hwpt_invalidate_selftest *inv)
{
	unsigned int i;

	if (inv->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (inv->iotlb_id >= ARRAY_SIZE(nested->iotlb))
		return -EINVAL;
	for (i = 0; i != ARRAY_SIZE(nested->iotlb); i++) {
		if (i == inv->iotlb_id ||
		    (inv->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL))
			WRITE_ONCE(nested->iotlb[i], 0);
	}
	return 0;
}

/** mock_hwpt_invalidate() - iommufd_hw_ops.cache_invalidate */
int mock_hwpt_invalidate(struct iommu_domain *domain,
			 struct iommufd_user_array *array)
{
	struct mock_nested *nested = to_nested(domain);
	struct iommu_hwpt_invalidate_selftest inv;
	int rc = 0;
	u32 i;

	/* No entries at all is a question for the type. */
	if (domain->ops != &mock_nested_ops ||
	    array->type != IOMMU_HWPT_INVALIDATE_DATA_SELFTEST ||
	    (array->entry_num && array->entry_len != sizeof(inv))) {
		array->entry_num = 0;
		return -EINVAL;
	}
	for (i = 0; i != array->entry_num; i++) {
		rc = iommufd_copy_user_entry(&inv, sizeof(inv), sizeof(inv),
					     array, array->type, i);
		if (!rc)
			rc = invalidate_entry(nested, &inv);
		if (rc)
			break;
		cond_resched();
	}
	array->entry_num = i;
	return rc;
}

/* ------------------------------------------------------------------ */
/* What a device does */

/** mock_domain_is_paging() - Has it an IO page table of the host's */
bool mock_domain_is_paging(struct mock_domain *domain)
{
	return domain->domain.ops == &mock_paging_ops;
}

/** mock_domain_is_blocked() - Is it what the IOMMU core blocks DMA with */
bool mock_domain_is_blocked(struct mock_domain *domain)
{
	return domain->domain.ops == &mock_blocked_ops;
}

/** mock_stage2_generation() - Another number after each unmap */
u64 mock_stage2_generation(struct mock_domain *domain)
{
	return READ_ONCE(to_paging(&domain->domain)->generation);
}

/*
 * Where the kernel sees @gpa, for kunmap_local(), or NULL: nothing is there that
 * allows @need, or no RAM.  What is mapped under the lock is pinned as long as that
 * is held: it is unmapped first.
 */
static void *kmap_gpa(struct mock_paging *paging, u64 gpa, unsigned long need,
		      unsigned long *start)
{
	phys_addr_t phys;
	void *io_page;

	lockdep_assert_held(&paging->io_pages.xa_lock);

	io_page = find_io_page(paging, gpa, start);
	if (!io_page || (xa_to_value(io_page) & need) != need)
		return NULL;
	phys = io_page_phys(io_page) + (gpa - *start);
	if (!pfn_valid(PHYS_PFN(phys)) || !page_is_ram(PHYS_PFN(phys)))
		return NULL;
	return kmap_local_page(pfn_to_page(PHYS_PFN(phys))) +
	       offset_in_page(phys);
}

/**
 * mock_stage2_entry() - Read an entry of a page table
 * @domain: paging domain
 * @gpa: address, a multiple of 8
 * @entry: out
 *
 * Return: false if stage 2 does not let it be read.
 */
bool mock_stage2_entry(struct mock_domain *domain, u64 gpa, u64 *entry)
{
	struct mock_paging *paging = to_paging(&domain->domain);
	unsigned long start;
	u64 *at;

	xa_lock(&paging->io_pages);
	at = kmap_gpa(paging, gpa, IO_PAGE_READ, &start);
	if (at) {
		*entry = READ_ONCE(*at);
		kunmap_local(at);
	}
	xa_unlock(&paging->io_pages);
	return at;
}

/* All of it is in one IO page of the smallest size, so in one CPU page. */
static bool copy_piece(struct mock_paging *paging, u64 gpa, void *buf,
		       size_t length, bool write)
{
	unsigned long start;
	void *at;

	xa_lock(&paging->io_pages);
	at = kmap_gpa(paging, gpa, write ? IO_PAGE_WRITE : IO_PAGE_READ,
		      &start);
	if (at) {
		if (write)
			memcpy(at, buf, length);
		else
			memcpy(buf, at, length);
		kunmap_local(at);
		if (write && paging->tracking)
			__xa_set_mark(&paging->io_pages, start >> IO_SHIFT,
				      IO_PAGE_DIRTY);
	}
	xa_unlock(&paging->io_pages);
	return at;
}

/**
 * mock_stage2_copy() - Read or write memory as a device does
 * @domain: paging domain
 * @gpa: first address
 * @buf: kernel buffer
 * @length: bytes
 * @write: to memory
 *
 * Return: how many bytes were copied until stage 2 said no.
 */
size_t mock_stage2_copy(struct mock_domain *domain, u64 gpa, void *buf,
			size_t length, bool write)
{
	struct mock_paging *paging = to_paging(&domain->domain);
	size_t piece, done = 0;

	while (done != length) {
		piece = MOCK_PAGE_SIZE - (gpa + done) % MOCK_PAGE_SIZE;
		piece = min(piece, length - done);
		if (!copy_piece(paging, gpa + done, buf + done, piece, write))
			break;
		done += piece;
	}
	return done;
}

/* ------------------------------------------------------------------ */
/* For the test command: domains are any, also of other IOMMUs */

/** mock_domain_is_tracking() - Is it a domain whose pages writes make dirty */
bool mock_domain_is_tracking(struct iommu_domain *domain)
{
	struct mock_paging *paging = to_paging(domain);
	bool tracking;

	if (domain->ops != &mock_paging_ops)
		return false;
	xa_lock(&paging->io_pages);
	tracking = paging->tracking;
	xa_unlock(&paging->io_pages);
	return tracking;
}

/**
 * mock_domain_write() - Do as a device that writes to memory
 * @domain: for which mock_domain_is_tracking() was true
 * @iova: where
 *
 * Return: false if no IO page lets it.
 */
bool mock_domain_write(struct iommu_domain *domain, unsigned long iova)
{
	struct mock_paging *paging = to_paging(domain);
	unsigned long start;
	bool can_write;
	void *io_page;

	xa_lock(&paging->io_pages);
	io_page = find_io_page(paging, iova, &start);
	can_write = io_page && (xa_to_value(io_page) & IO_PAGE_WRITE);
	if (can_write && paging->tracking)
		__xa_set_mark(&paging->io_pages, start >> IO_SHIFT,
			      IO_PAGE_DIRTY);
	xa_unlock(&paging->io_pages);
	return can_write;
}

/**
 * mock_domain_check_iotlb() - Look at an entry of a nested domain's IOTLB
 * @domain: any
 * @index: of the entry
 * @value: that it is to have
 *
 * Return: 0 or -EINVAL.
 */
int mock_domain_check_iotlb(struct iommu_domain *domain, u32 index, u32 value)
{
	struct mock_nested *nested = to_nested(domain);

	if (domain->ops != &mock_nested_ops ||
	    index >= ARRAY_SIZE(nested->iotlb))
		return -EINVAL;
	index = array_index_nospec(index, ARRAY_SIZE(nested->iotlb));
	return READ_ONCE(nested->iotlb[index]) == value ? 0 : -EINVAL;
}
