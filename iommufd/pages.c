// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning.
 *
 * The pages of one struct iopt_pages have indexes from 0 up.  Pinned pages are
 * kept in extents (pfn_runs.h) that all of their users have in common: a new
 * user of a range first cuts extents at both ends of its range, then becomes
 * one more user of each extent in it, and pins what no extent covers yet.
 * Because the cuts are made on the way in, going away needs no memory: the
 * range of a user always is a whole number of extents.
 */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/iommufd.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "pages.h"
#include "pin_file.h"

/* Pages that one call into GUP gets: 2 MiB, what one huge page holds. */
#define PIN_BATCH (PAGE_SIZE / sizeof(struct page *))
/* What iommufd_set_pin_memory() made of it */
static unsigned int pin_batch = PIN_BATCH;
/* Small requests use the stack. */
#define PIN_BATCH_SMALL 16

static struct kmem_cache *iopt_pages_cache;
static size_t iopt_pages_size;
static struct kmem_cache *pfn_extent_cache;

static DEFINE_PER_CPU(long, nr_pages_objects);
static DEFINE_PER_CPU(long, nr_pinned_pages);

/*
 * The limit of a user is one for all their processes.  What is pinned beyond any
 * limit must not use up that of the others.
 */
static enum iommufd_account account_of(enum iommufd_account mode, bool unlimited)
{
	return unlimited && mode == IOMMUFD_ACCOUNT_USER ?
		       IOMMUFD_ACCOUNT_NONE : mode;
}

/*
 * Each owner keeps the last one that was freed: a guest with a vIOMMU maps and
 * unmaps by turns, and the allocator would be a tenth of what that costs.  Not
 * each CPU: a memory cgroup would pay for the mappings of others.  Debug builds
 * and KASAN want to see what is freed.
 */
#if defined(IOMMUFD_DEBUG) || defined(CONFIG_KASAN)
#define KEEP_SPARE false
#else
#define KEEP_SPARE true
#endif

static struct iopt_pages *pages_zalloc(struct iommufd_owner *owner)
{
	struct iopt_pages *pages = NULL;

	if (KEEP_SPARE && READ_ONCE(owner->spare))
		pages = xchg(&owner->spare, NULL);
	if (!pages)
		return kmem_cache_zalloc(iopt_pages_cache, GFP_KERNEL_ACCOUNT);
	memset(pages, 0, iopt_pages_size);
	return pages;
}

static void pages_free(struct iopt_pages *pages)
{
	struct iommufd_owner *owner = pages->owner;

	if (!KEEP_SPARE || READ_ONCE(owner->spare) ||
	    cmpxchg(&owner->spare, NULL, pages))
		kmem_cache_free(iopt_pages_cache, pages);
	iommufd_owner_put(owner);
}

struct iopt_pages *iopt_pages_alloc(struct iommufd_owner *owner,
				    enum iommufd_account account,
				    unsigned long uva, unsigned long length,
				    bool writable)
{
	struct iopt_pages *pages;

	pages = pages_zalloc(owner);
	if (!pages)
		return NULL;
	kref_init(&pages->refs);
	mutex_init(&pages->mutex);
	pages->extents = RB_ROOT;
	pages->writable = writable;
	pages->unlimited = capable(CAP_IPC_LOCK);
	pages->mode = account;
	pages->account = account_of(account, pages->unlimited);
	kref_get(&owner->refs);
	pages->owner = owner;
	pages->uva = uva & PAGE_MASK;
	pages->npages = ((uva & ~PAGE_MASK) + length - 1) / PAGE_SIZE + 1;
	this_cpu_inc(nr_pages_objects);
	return pages;
}

/* The same for a file, of which a reference is taken. */
struct iopt_pages *iopt_pages_alloc_file(struct iommufd_owner *owner,
					 enum iommufd_account account,
					 struct file *file, unsigned long start,
					 unsigned long length, bool writable)
{
	struct iopt_pages *pages;

	pages = iopt_pages_alloc(owner, account, start, length, writable);
	if (pages)
		pages->file = get_file(file);
	return pages;
}

void iopt_pages_get(struct iopt_pages *pages)
{
	kref_get(&pages->refs);
}

/* All but the memory of the struct and the owner's reference */
static void pages_release(struct iopt_pages *pages)
{
	WARN_ON(!RB_EMPTY_ROOT(&pages->extents) && !READ_ONCE(pages->leak));
	if (pages->file)
		fput(pages->file);
	mutex_destroy(&pages->mutex);
}

void iopt_pages_put(struct iopt_pages *pages)
{
	if (!refcount_dec_and_test(&pages->refs.refcount))
		return;
	pages_release(pages);
	this_cpu_dec(nr_pages_objects);
	pages_free(pages);
}

/* The same for each in an array, which is no use afterwards */
void iopt_pages_put_many(struct iopt_pages **pages, unsigned int n)
{
	struct iommufd_owner *owner = NULL;
	unsigned int i, same = 0, dead = 0;

	for (i = 0; i != n; i++) {
		if (!refcount_dec_and_test(&pages[i]->refs.refcount))
			continue;
		pages_release(pages[i]);
		if (pages[i]->owner != owner) {
			if (same)
				iommufd_owner_put_many(owner, same);
			owner = pages[i]->owner;
			same = 0;
		}
		same++;
		pages[dead++] = pages[i];
	}
	if (!dead)
		return;
	iommufd_owner_put_many(owner, same);
	this_cpu_sub(nr_pages_objects, dead);
	kmem_cache_free_bulk(iopt_pages_cache, dead, (void **)pages);
}

static struct pfn_extent *extent_alloc(struct iopt_pages *pages)
{
	if (!pages->first.nruns)
		return &pages->first;
	return kmem_cache_zalloc(pfn_extent_cache, GFP_KERNEL_ACCOUNT);
}

static void extent_free(struct iopt_pages *pages, struct pfn_extent *ext)
{
	pfn_extent_free_runs(ext);
	if (ext != &pages->first)
		kmem_cache_free(pfn_extent_cache, ext);
}

/* ------------------------------------------------------------------ */
/* Getting pages */

/*
 * A long-term pin of a private page that is only read would go stale: the CPU's
 * next write gets the process a copy, and devices go on reading the old page.
 * So break copy-on-write first, as if the device were to write.  (FOLL_LONGTERM
 * does that by itself from 6.2 on.)
 */
static long gup_read_only(struct mm_struct *mm, unsigned long uva,
			  unsigned long npages, struct page **out)
{
	unsigned int flags = FOLL_LONGTERM;
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	vma = vma_lookup(mm, uva);
	if (!vma || !(vma->vm_flags & VM_READ))
		return -EFAULT;
	npages = min(npages, (vma->vm_end - uva) >> PAGE_SHIFT);
	if (is_cow_mapping(vma->vm_flags) && !is_vm_hugetlb_page(vma))
		flags |= FOLL_WRITE | FOLL_FORCE;
	return pin_user_pages_remote(mm, uva, npages, flags, out, NULL, NULL);
}

static long gup_some(struct iopt_pages *pages, struct iommufd_file_view *view,
		     unsigned long index, unsigned long npages,
		     struct page **out)
{
	unsigned long uva = pages->uva + index * PAGE_SIZE;
	struct mm_struct *mm = pages->owner->mm;
	long got;

	if (pages->file)
		return iommufd_file_pin(view, uva, npages, out);
	if (pages->writable && mm == current->mm)
		return pin_user_pages_fast(uva, npages,
					   FOLL_WRITE | FOLL_LONGTERM, out);

	if (!iommufd_owner_mmget(pages->owner))
		return -EFAULT;
	got = mmap_read_lock_killable(mm);
	if (!got) {
		if (pages->writable)
			got = pin_user_pages_remote(mm, uva, npages,
						    FOLL_WRITE | FOLL_LONGTERM,
						    out, NULL, NULL);
		else
			got = gup_read_only(mm, uva, npages, out);
		mmap_read_unlock(mm);
	}
	iommufd_owner_mmput(pages->owner);
	return got;
}

/*
 * Page frames go through here on their way to an extent.  Both arrays hold @cap
 * entries.
 */
struct pin_batch {
	struct page **pages;
	u64 *runs;
	unsigned int cap;
	unsigned int nruns;
	struct iommufd_file_view view;
};

void unpin_batch_flush(struct unpin_batch *batch)
{
	if (batch->n)
		unpin_user_pages_dirty_lock(batch->pages, batch->n,
					    batch->dirty);
	batch->n = 0;
}

static void unpin_batch_begin(struct unpin_batch *batch, bool dirty)
{
	if (batch->dirty == dirty)
		return;
	unpin_batch_flush(batch);
	batch->dirty = dirty;
}

static void unpin_batch_add(struct unpin_batch *batch, struct page *page)
{
	batch->pages[batch->n++] = page;
	if (batch->n != UNPIN_BATCH)
		return;
	unpin_batch_flush(batch);
	cond_resched();
}

static void unpin_runs(const u64 *runs, unsigned int nruns, bool dirty,
		       struct unpin_batch *batch)
{
	const u64 *end = runs + nruns;

	unpin_batch_begin(batch, dirty);
	for (; runs != end; runs++) {
		struct page *page = pfn_to_page(pfn_run_pfn(*runs));

		if (pfn_run_count(*runs) == 1) {
			unpin_batch_add(batch, page);
			continue;
		}
		unpin_user_page_range_dirty_lock(page, pfn_run_count(*runs),
						 dirty);
		cond_resched();
	}
}

/* A new extent, whose runs are set, has its place and one user. */
static void extent_add(struct iopt_pages *pages, struct pfn_extent *ext,
		       unsigned long start)
{
	ext->start = start;
	ext->users = 1;
	pfn_extent_insert(&pages->extents, ext);
	this_cpu_add(nr_pinned_pages, ext->npages);
}

/* Turn what the batch holds into an extent that begins at @start. */
static int batch_flush(struct iopt_pages *pages, struct pin_batch *batch,
		       unsigned long *start)
{
	struct pfn_extent *ext;

	if (!batch->nruns)
		return 0;
	ext = extent_alloc(pages);
	if (!ext)
		return -ENOMEM;
	if (pfn_extent_set_runs(ext, batch->runs, batch->nruns)) {
		extent_free(pages, ext);
		return -ENOMEM;
	}
	extent_add(pages, ext, *start);
	*start += ext->npages;
	batch->nruns = 0;
	return 0;
}

/*
 * Add pages to the batch.  Returns how many went in: fewer than @npages when
 * the batch is full.
 */
static unsigned int batch_add(struct pin_batch *batch, struct page **in,
			      unsigned int npages)
{
	unsigned int nruns = batch->nruns, i = 0, n;

	if (nruns) {
		u64 last = batch->runs[nruns - 1];
		struct page *next = pfn_to_page(pfn_run_pfn(last) +
						pfn_run_count(last));
		unsigned long room = PFN_RUN_MAX - pfn_run_count(last);

		while (i != npages && in[i] == next && i < room) {
			next++;
			i++;
		}
		batch->runs[nruns - 1] = last + i;
	}
	while (i != npages && nruns != batch->cap) {
		struct page *next = in[i] + 1;

		for (n = 1; i + n != npages && in[i + n] == next; n++)
			next++;
		batch->runs[nruns++] = pfn_run(page_to_pfn(in[i]), n);
		i += n;
	}
	batch->nruns = nruns;
	return i;
}

/*
 * Pin [@first, @last], which no extent covers.  @done says how many pages of it
 * have an extent when this returns, also after an error.
 */
static int pin_batched(struct iopt_pages *pages, struct pin_batch *batch,
		       unsigned long first, unsigned long last,
		       unsigned long *done)
{
	unsigned long index = first, committed = first, npages;
	struct unpin_batch unpin = {};
	unsigned int used, n;
	long got;
	int rc = 0;

	while (index <= last) {
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		/* End on a boundary, so that huge pages are not cut in two. */
		npages = batch->cap -
			 ((pages->uva >> PAGE_SHIFT) + index) % batch->cap;
		npages = min(npages, last - index + 1);
		got = gup_some(pages, &batch->view, index, npages,
			       batch->pages);
		if (got <= 0) {
			/* GUP may return 0, which would never end. */
			rc = got ? got : -EFAULT;
			break;
		}
		for (used = 0; used != got; used += n) {
			n = batch_add(batch, batch->pages + used, got - used);
			if (used + n == got)
				continue;
			rc = batch_flush(pages, batch, &committed);
			if (rc) {
				used += n;
				unpin_user_pages(batch->pages + used,
						 got - used);
				break;
			}
		}
		if (rc)
			break;
		index += got;
		cond_resched();
	}
	if (!rc)
		rc = batch_flush(pages, batch, &committed);
	if (rc) {
		unpin_runs(batch->runs, batch->nruns, false, &unpin);
		unpin_batch_flush(&unpin);
		batch->nruns = 0;
	}
	*done = committed - first;
	return rc;
}

/* What a vIOMMU maps most: without arrays */
static int pin_one(struct iopt_pages *pages, unsigned long index)
{
	struct pfn_extent *ext;
	struct page *page;
	long got;
	u64 run;

	if (fatal_signal_pending(current))
		return -EINTR;
	ext = extent_alloc(pages);
	if (!ext)
		return -ENOMEM;
	got = gup_some(pages, NULL, index, 1, &page);
	if (got != 1) {
		extent_free(pages, ext);
		return got < 0 ? got : -EFAULT;
	}
	run = pfn_run(page_to_pfn(page), 1);
	/* One run needs no memory. */
	pfn_extent_set_runs(ext, &run, 1);
	extent_add(pages, ext, index);
	return 0;
}

/* As pin_batched(), with what memory there is for the batches. */
static int pin_many(struct iopt_pages *pages, unsigned long first,
		    unsigned long last, unsigned long *done)
{
	struct page *small_pages[PIN_BATCH_SMALL];
	u64 small_runs[PIN_BATCH_SMALL];
	struct pin_batch batch = {
		.pages = small_pages,
		.runs = small_runs,
		.cap = PIN_BATCH_SMALL,
		.view = {
			.file = pages->file,
			.writable = pages->writable,
			.end = pages->uva + (last + 1) * PAGE_SIZE,
		},
	};
	unsigned int limit = READ_ONCE(pin_batch);
	void *buf = NULL;
	int rc;

	BUILD_BUG_ON(sizeof(u64) != sizeof(struct page *));

	/* Without memory for large batches small ones do. */
	if (last - first >= PIN_BATCH_SMALL && limit > PIN_BATCH_SMALL)
		buf = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT |
					       __GFP_NOWARN, 1);
	if (buf) {
		batch.pages = buf;
		batch.runs = buf + PAGE_SIZE;
		batch.cap = PIN_BATCH;
	}
	batch.cap = min(batch.cap, limit);
	rc = pin_batched(pages, &batch, first, last, done);
	iommufd_file_unview(&batch.view);
	free_pages((unsigned long)buf, 1);
	return rc;
}

static int pin_gap(struct iopt_pages *pages, unsigned long first,
		   unsigned long last, unsigned long *done)
{
	int rc;

	if (first != last || pages->file)
		return pin_many(pages, first, last, done);
	rc = pin_one(pages, first);
	*done = !rc;
	return rc;
}

/* ------------------------------------------------------------------ */
/* Users of ranges */

/* Make an extent begin at @index if one contains it. */
static int split_at(struct iopt_pages *pages, unsigned long index)
{
	struct pfn_extent *ext, *tail;

	ext = pfn_extent_find(&pages->extents, index);
	if (!ext || ext->start >= index)
		return 0;

	tail = extent_alloc(pages);
	if (!tail)
		return -ENOMEM;
	if (pfn_extent_split(ext, tail, index)) {
		extent_free(pages, tail);
		return -ENOMEM;
	}
	pfn_extent_insert(&pages->extents, tail);
	return 0;
}

static unsigned long count_gaps(struct iopt_pages *pages, unsigned long first,
				unsigned long last)
{
	unsigned long gaps = last - first + 1;
	struct pfn_extent *ext;

	for (ext = pfn_extent_find(&pages->extents, first);
	     ext && ext->start <= last; ext = pfn_extent_next(ext))
		gaps -= ext->npages;
	return gaps;
}

/**
 * iopt_pages_pin() - Become a user of a range of pages
 * @pages: pages
 * @first: index of the first page
 * @last: index of the last page, inclusive
 *
 * Pages without a user are pinned and charged.  The CPU may access them.
 *
 * Return: 0, or an error and nothing changed: -EFAULT memory that cannot be
 * pinned, or that of a device; -ENOMEM no memory or over RLIMIT_MEMLOCK; -EINTR being killed.
 * Context: may sleep; @pages->mutex held; takes mmap_lock of the owner.
 */
int iopt_pages_pin(struct iopt_pages *pages, unsigned long first,
		   unsigned long last)
{
	bool empty = RB_EMPTY_ROOT(&pages->extents);
	unsigned long index = first, uncharged, done, end;
	struct pfn_extent *ext = NULL;
	int rc;

	lockdep_assert_held(&pages->mutex);

	if (WARN_ON(first > last || last >= pages->npages))
		return -EINVAL;
	if (pages->pfnmap)
		return -EFAULT;

	uncharged = last - first + 1;
	if (!empty) {
		rc = split_at(pages, first);
		if (!rc)
			rc = split_at(pages, last + 1);
		if (rc)
			return rc;
		uncharged = count_gaps(pages, first, last);
	}
	rc = iommufd_owner_charge(pages->owner, pages->account, uncharged,
				  pages->unlimited);
	if (rc)
		return rc;

	while (index <= last) {
		if (!empty)
			ext = pfn_extent_find(&pages->extents, index);
		if (ext && ext->start == index) {
			ext->users++;
			index += ext->npages;
			continue;
		}
		end = ext ? min(last, ext->start - 1) : last;
		rc = pin_gap(pages, index, end, &done);
		index += done;
		uncharged -= done;
		if (rc)
			goto err_unpin;
	}
	return 0;

err_unpin:
	if (index != first)
		uncharged += iopt_pages_unpin(pages, first, index - 1);
	iopt_pages_uncharge(pages, uncharged);
	return rc;
}

/* @rc: why it cannot be pinned */
static noinline_for_stack int use_pfnmap(struct iopt_pages *pages, int rc)
{
	struct pfnmap *pfnmap;

	if (pages->pfnmap) {
		pfnmap_get(pages->pfnmap);
		return 0;
	}
	/* What is charged for memory comes before the look at what memory it is. */
	if ((rc != -EFAULT && rc != -ENOMEM) || pages->file ||
	    !RB_EMPTY_ROOT(&pages->extents))
		return rc;
	pfnmap = pfnmap_create(pages->owner, pages->uva, pages->npages,
			       pages->writable);
	if (IS_ERR(pfnmap))
		return PTR_ERR(pfnmap);
	if (!pfnmap)
		return rc;
	pages->pfnmap = pfnmap;
	return 0;
}

/**
 * iopt_pages_pin_dma() - As iopt_pages_pin(), for devices only
 * @pages: pages
 * @first: index of the first page
 * @last: index of the last page, inclusive
 *
 * The memory may be another device's BAR; @pages->pfnmap is set then, and it is
 * neither pinned nor charged.
 *
 * Return: as iopt_pages_pin(), or as pfnmap_create().
 * Context: as iopt_pages_pin().
 */
int iopt_pages_pin_dma(struct iopt_pages *pages, unsigned long first,
		       unsigned long last)
{
	int rc = iopt_pages_pin(pages, first, last);

	return rc ? use_pfnmap(pages, rc) : 0;
}

/*
 * What a vIOMMU unmaps most, without a search: if one page with one user is all
 * that is pinned, it is that page, which the caller has to unpin.
 */
static struct page *take_only_page(struct iopt_pages *pages,
				   unsigned long first, unsigned long last)
{
	struct pfn_extent *ext = &pages->first;

	if (first != last || pages->extents.rb_node != &ext->node ||
	    ext->node.rb_left || ext->node.rb_right || ext->start != first ||
	    ext->npages != 1 || ext->users != 1 || READ_ONCE(pages->leak))
		return NULL;
	pages->extents = RB_ROOT;
	ext->nruns = 0;
	this_cpu_dec(nr_pinned_pages);
	return pfn_to_page(pfn_run_pfn(ext->run));
}

static noinline_for_stack unsigned long unpin_extents(struct iopt_pages *pages,
						      unsigned long first,
						      unsigned long last,
						      struct unpin_batch *batch)
{
	struct pfn_extent *ext, *next;
	unsigned long unpinned = 0;

	if (pages->pfnmap) {
		if (pfnmap_put(pages->pfnmap))
			pages->pfnmap = NULL;
		return 0;
	}
	for (ext = pfn_extent_find(&pages->extents, first);
	     ext && ext->start <= last; ext = next) {
		next = pfn_extent_next(ext);
		if (WARN_ON(ext->start < first || pfn_extent_last(ext) > last))
			continue;
		if (--ext->users || READ_ONCE(pages->leak))
			continue;
		unpin_runs(pfn_extent_runs(ext), ext->nruns, pages->writable,
			   batch);
		rb_erase(&ext->node, &pages->extents);
		unpinned += ext->npages;
		extent_free(pages, ext);
	}
	return unpinned;
}

/**
 * iopt_pages_unpin_later() - Stop being a user of a range of pages
 * @pages: pages
 * @first: index of the first page, as when pinned
 * @last: index of the last page, as when pinned
 * @batch: for unpin_batch_flush()
 *
 * No device may reach the pages through this user any more.
 *
 * Return: how many pages were unpinned, for iopt_pages_uncharge().
 * Context: may sleep; @pages->mutex held.
 */
unsigned long iopt_pages_unpin_later(struct iopt_pages *pages,
				     unsigned long first, unsigned long last,
				     struct unpin_batch *batch)
{
	unsigned long unpinned;
	struct page *page;

	lockdep_assert_held(&pages->mutex);

	page = take_only_page(pages, first, last);
	if (page) {
		unpin_batch_begin(batch, pages->writable);
		unpin_batch_add(batch, page);
		return 1;
	}
	unpinned = unpin_extents(pages, first, last, batch);
	this_cpu_sub(nr_pinned_pages, unpinned);
	return unpinned;
}

static noinline_for_stack unsigned long unpin_many(struct iopt_pages *pages,
						   unsigned long first,
						   unsigned long last)
{
	struct unpin_batch batch = {};
	unsigned long unpinned;

	unpinned = iopt_pages_unpin_later(pages, first, last, &batch);
	unpin_batch_flush(&batch);
	return unpinned;
}

/** iopt_pages_unpin() - As iopt_pages_unpin_later(), and flush */
unsigned long iopt_pages_unpin(struct iopt_pages *pages, unsigned long first,
			       unsigned long last)
{
	struct page *page;

	lockdep_assert_held(&pages->mutex);

	page = take_only_page(pages, first, last);
	if (!page)
		return unpin_many(pages, first, last);
	unpin_user_page_range_dirty_lock(page, 1, pages->writable);
	return 1;
}

static unsigned long count_pinned(struct iopt_pages *pages)
{
	struct pfn_extent *ext;
	unsigned long n = 0;

	for (ext = pfn_extent_find(&pages->extents, 0); ext;
	     ext = pfn_extent_next(ext))
		n += ext->npages;
	return n;
}

/**
 * iopt_pages_charge_next() - Charge the process that is to pay, beside who pays
 * @pages: pages; not those of a file: -EINVAL
 * @next: who is to pay
 * @unlimited: that has CAP_IPC_LOCK
 * @change: out: for iopt_pages_change_owner(), unless its pages are NULL: @next
 *	pays already, or has been charged already
 *
 * Return: 0, or as iommufd_owner_charge() and nothing changed.
 * Context: may sleep; iommufd_ctx.change_lock held; takes @pages->mutex and
 * mmap_lock of @next.
 */
int iopt_pages_charge_next(struct iopt_pages *pages, struct iommufd_owner *next,
			   bool unlimited, struct iopt_pages_change *change)
{
	int rc;

	change->pages = NULL;
	if (!pages->file)
		return -EINVAL;
	rc = mutex_lock_killable(&pages->mutex);
	if (rc)
		return rc;
	if (pages->changing || iommufd_owner_same(pages->owner, next))
		goto out_unlock;
	change->unlimited = unlimited;
	change->account = account_of(pages->mode, unlimited);
	change->charge = change->account;
	change->uncharge = pages->account;
	/* One user's processes share a limit: nothing changes for it. */
	if (change->charge == IOMMUFD_ACCOUNT_USER &&
	    change->uncharge == IOMMUFD_ACCOUNT_USER &&
	    pages->owner->user == next->user) {
		change->charge = IOMMUFD_ACCOUNT_NONE;
		change->uncharge = IOMMUFD_ACCOUNT_NONE;
	}
	change->npages = count_pinned(pages);
	rc = iommufd_owner_charge(next, change->charge, change->npages,
				  unlimited);
	if (rc)
		goto out_unlock;
	pages->changing = true;
	iopt_pages_get(pages);
	change->pages = pages;
out_unlock:
	mutex_unlock(&pages->mutex);
	return rc;
}

/**
 * iopt_pages_change_owner() - Let only the next one pay, or only who did
 * @change: of iopt_pages_charge_next()
 * @next: who was charged
 * @undo: let pay who did
 *
 * What was pinned and unpinned since then was charged to who did.
 *
 * Context: may sleep; iommufd_ctx.change_lock held; takes iopt_pages.mutex and
 * mmap_lock of both processes.
 */
void iopt_pages_change_owner(struct iopt_pages_change *change,
			     struct iommufd_owner *next, bool undo)
{
	struct iopt_pages *pages = change->pages;
	struct iommufd_owner *was = NULL;
	unsigned long npages;

	mutex_lock(&pages->mutex);
	pages->changing = false;
	if (undo) {
		iommufd_owner_uncharge(next, change->charge, change->npages);
	} else {
		npages = count_pinned(pages);
		iommufd_owner_correct(next, change->charge, change->npages,
				      npages);
		was = pages->owner;
		iommufd_owner_uncharge(was, change->uncharge, npages);
		kref_get(&next->refs);
		pages->owner = next;
		pages->account = change->account;
		pages->unlimited = change->unlimited;
	}
	mutex_unlock(&pages->mutex);
	if (was)
		iommufd_owner_put(was);
	iopt_pages_put(pages);
}

/**
 * iopt_pages_prepare_cut() - Let one user's range become two
 * @pages: pages
 * @index: first page of the upper range
 *
 * Return: 0 or -ENOMEM.  Context: may sleep; @pages->mutex held.
 */
int iopt_pages_prepare_cut(struct iopt_pages *pages, unsigned long index)
{
	lockdep_assert_held(&pages->mutex);

	return split_at(pages, index);
}

/** iopt_pages_finish_cut() - One user has become two, after the preparation */
void iopt_pages_finish_cut(struct iopt_pages *pages)
{
	mutex_lock(&pages->mutex);
	if (pages->pfnmap)
		pfnmap_get(pages->pfnmap);
	mutex_unlock(&pages->mutex);
}

/**
 * iopt_pages_list() - Fill in the struct page pointers of a pinned range
 * @pages: pages
 * @first: index of the first page
 * @last: index of the last page, inclusive
 * @out: one entry per page
 */
void iopt_pages_list(struct iopt_pages *pages, unsigned long first,
		     unsigned long last, struct page **out)
{
	struct pfn_cursor cur;
	unsigned long pfn, n;

	lockdep_assert_held(&pages->mutex);

	pfn_cursor_init(&cur, &pages->extents, first, last);
	while ((n = pfn_cursor_next(&cur, &pfn)))
		while (n--)
			*out++ = pfn_to_page(pfn++);
}

/* ------------------------------------------------------------------ */
/* Access by the CPU */

static void copy_page_part(struct page *page, size_t offset, void *data,
			   size_t length, bool write)
{
	void *kaddr = kmap_local_page(page);

	if (write)
		memcpy(kaddr + offset, data, length);
	else
		memcpy(data, kaddr + offset, length);
	kunmap_local(kaddr);
}

/* A page that is not pinned is pinned for the time of the copy. */
static int rw_unpinned(struct iopt_pages *pages, unsigned long index,
		       size_t offset, void *data, size_t length, bool write)
{
	unsigned long uva = pages->uva + index * PAGE_SIZE;
	struct mm_struct *mm = pages->owner->mm;
	struct iommufd_file_view view = {};
	struct page *page;
	long got;

	if (pages->file) {
		view.file = pages->file;
		view.writable = write;
		view.end = uva + PAGE_SIZE;
		got = iommufd_file_pin(&view, uva, 1, &page);
		iommufd_file_unview(&view);
	} else {
		if (!iommufd_owner_mmget(pages->owner))
			return -EFAULT;
		mmap_read_lock(mm);
		got = pin_user_pages_remote(mm, uva, 1, write ? FOLL_WRITE : 0,
					    &page, NULL, NULL);
		mmap_read_unlock(mm);
		iommufd_owner_mmput(pages->owner);
	}
	if (got != 1)
		return got < 0 ? got : -EFAULT;

	copy_page_part(page, offset, data, length, write);
	unpin_user_pages_dirty_lock(&page, 1, write);
	return 0;
}

/**
 * iopt_pages_rw() - Copy to or from user memory
 * @pages: pages
 * @offset: bytes from the start of the first page
 * @data: kernel buffer
 * @length: bytes
 * @write: to user memory
 *
 * Return: 0 or -EFAULT, -EINTR; a part may have been copied then.
 * Context: may sleep; takes @pages->mutex and mmap_lock of the owner.
 */
int iopt_pages_rw(struct iopt_pages *pages, unsigned long offset, void *data,
		  size_t length, bool write)
{
	struct pfn_extent *ext;
	struct page *page;
	int rc = 0;

	mutex_lock(&pages->mutex);
	if (pages->pfnmap)
		rc = -EFAULT;
	while (length && !rc) {
		unsigned long index = offset / PAGE_SIZE;
		size_t in_page = offset % PAGE_SIZE;
		size_t n = min_t(size_t, length, PAGE_SIZE - in_page);

		ext = pfn_extent_find(&pages->extents, index);
		if (ext && ext->start <= index) {
			iopt_pages_list(pages, index, index, &page);
			copy_page_part(page, in_page, data, n, write);
			if (write)
				set_page_dirty_lock(page);
		} else {
			rc = rw_unpinned(pages, index, in_page, data, n, write);
		}
		offset += n;
		data += n;
		length -= n;
		cond_resched();
	}
	mutex_unlock(&pages->mutex);
	return rc;
}

/* ------------------------------------------------------------------ */

static unsigned long percpu_sum(long __percpu *counter)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(counter, cpu);
	return sum;
}

void iommufd_set_pin_memory(size_t bytes)
{
	size_t entries = bytes / (sizeof(struct page *) + sizeof(u64));

	if (!bytes)
		entries = PIN_BATCH;
	WRITE_ONCE(pin_batch, clamp_t(size_t, entries, 1, PIN_BATCH));
}
EXPORT_SYMBOL_NS_GPL(iommufd_set_pin_memory, IOMMUFD);

unsigned long iopt_pages_count_objects(void)
{
	return percpu_sum(&nr_pages_objects);
}

unsigned long iopt_pages_count_pinned(void)
{
	return percpu_sum(&nr_pinned_pages);
}

/* @tail: bytes that are needed with each, see iopt_pages_tail() */
int iopt_pages_init(size_t tail)
{
	iopt_pages_size = sizeof(struct iopt_pages) + tail;
	iopt_pages_cache = kmem_cache_create("iopt_pages", iopt_pages_size,
					     __alignof__(struct iopt_pages),
					     SLAB_ACCOUNT, NULL);
	if (!iopt_pages_cache)
		return -ENOMEM;
	pfn_extent_cache = KMEM_CACHE(pfn_extent, SLAB_ACCOUNT);
	if (!pfn_extent_cache)
		goto err_pages;
	if (pfnmap_init())
		goto err_extents;
	iommufd_spare_cache = iopt_pages_cache;
	return 0;

err_extents:
	kmem_cache_destroy(pfn_extent_cache);
err_pages:
	kmem_cache_destroy(iopt_pages_cache);
	return -ENOMEM;
}

void iopt_pages_exit(void)
{
	pfnmap_exit();
	kmem_cache_destroy(pfn_extent_cache);
	kmem_cache_destroy(iopt_pages_cache);
}
