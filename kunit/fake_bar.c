// SPDX-License-Identifier: GPL-2.0-only
#include <linux/vmalloc.h>

#include "fake_bar.h"

struct kt_bar *kt_bar;

/* ------------------------------------------------------------------ */
/* Page frames */

void kt_bar_set_pfn(struct kt_bar *bar, unsigned long page, unsigned long pfn)
{
	unsigned long was = bar->pages[page].pfn - KT_BAR_PFN;

	if (was < bar->nframes && bar->frames[was].page == page + 1)
		bar->frames[was].page = 0;
	bar->pages[page].pfn = pfn;
	if (pfn - KT_BAR_PFN < bar->nframes)
		bar->frames[pfn - KT_BAR_PFN].page = page + 1;
}

/* Runs of random length in KT_MIXED, many of which allow large IO pages. */
static void deal(struct kt_bar *bar, enum kt_layout layout)
{
	unsigned long i = 0, next = 0, count;

	while (i != bar->npages) {
		if (layout == KT_SCATTERED) {
			count = 1;
		} else if (layout == KT_CONTIGUOUS) {
			count = bar->npages;
		} else if (kt_chance(2)) {
			next = ALIGN(next, 512) + i % 512;
			count = 512 + kt_random(1024);
		} else {
			count = 1 + kt_random(100);
		}
		for (count = min(count, bar->npages - i); count; count--)
			kt_bar_set_pfn(bar, i++, KT_BAR_PFN + next++);
		next++;
	}
}

struct kt_bar *kt_bar_create(struct kunit *test, unsigned long npages,
			     enum kt_layout layout)
{
	struct kt_bar *bar = kunit_kzalloc(test, sizeof(*bar), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bar);
	bar->npages = npages;
	bar->nframes = 16 * npages + 4096;
	bar->pages = vzalloc(array_size(npages, sizeof(*bar->pages)));
	bar->frames = vzalloc(array_size(bar->nframes, sizeof(*bar->frames)));
	if (!bar->pages || !bar->frames) {
		vfree(bar->pages);
		vfree(bar->frames);
		KUNIT_ASSERT_TRUE_MSG(test, false, "no memory");
	}
	deal(bar, layout);
	bar->nvmas = 1;
	bar->vmas[0].vm_start = KT_BAR_UVA;
	bar->vmas[0].vm_end = KT_BAR_UVA + npages * PAGE_SIZE;
	bar->vmas[0].vm_flags = VM_PFNMAP | VM_SHARED | VM_READ | VM_WRITE |
				VM_MAYREAD | VM_MAYWRITE;
	kt_bar = bar;
	return bar;
}

/* Fails the case if somebody still wants something of it. */
void kt_bar_destroy(struct kt_bar *bar)
{
	unsigned long i;

	if (bar->nnotifiers || bar->nworks || bar->readers || bar->ptes_held)
		kt_fail_case("left: %u notifiers, %u works, %u of mmap_lock, %u page table entries",
			     bar->nnotifiers, bar->nworks, bar->readers, bar->ptes_held);
	for (i = 0; i != bar->nframes; i++)
		if (bar->frames[i].reach)
			kt_fail_case("frame %lu of the BAR is reached at the end", i);
	kt_bar = NULL;
	vfree(bar->pages);
	vfree(bar->frames);
}

/* What is mapped at @iova is @length bytes of the BAR, from @offset on. */
void kt_bar_check_mapped(struct kunit *test, const struct kt_bar *bar,
			 struct kt_domain *dom, unsigned long iova,
			 unsigned long offset, unsigned long length)
{
	unsigned long base = offset - iova, last = iova + length - 1, pos;
	struct kt_io_page *page;

	for (;; iova = page->node.last + 1) {
		page = kt_domain_page(dom, iova);
		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_ASSERT_EQ(test, page->node.start, iova);
		KUNIT_ASSERT_LE(test, page->node.last, last);
		for (pos = iova; pos <= page->node.last;) {
			unsigned long at = base + pos;

			if (page->phys + (pos - iova) !=
			    PFN_PHYS(bar->pages[at / PAGE_SIZE].pfn) + at % PAGE_SIZE)
				kt_fail_case("IOVA 0x%lx leads to the wrong place", pos);
			pos += PAGE_SIZE - at % PAGE_SIZE;
		}
		if (page->node.last == last)
			return;
	}
}

bool kt_bar_reach(unsigned long pfn, int n)
{
	struct kt_bar_frame *frame;

	if (!kt_bar || pfn < KT_BAR_PFN || pfn - KT_BAR_PFN >= kt_bar->nframes)
		return false;
	frame = &kt_bar->frames[pfn - KT_BAR_PFN];
	if (n > 0 && (!frame->page || !kt_bar->pages[frame->page - 1].present))
		kt_fail_case("frame 0x%lx of the BAR is mapped, and not in the page tables", pfn);
	frame->reach += n;
	return true;
}

bool kt_bar_pfn_valid(unsigned long pfn)
{
	return pfn < KT_BAR_PFN || (kt_bar && kt_bar->reserved);
}

/* Memory never is here. */
bool kt_bar_page_reserved(struct page *page)
{
	return kt_page_to_pfn(page) >= KT_BAR_PFN;
}

/* ------------------------------------------------------------------ */
/* MMU notifiers */

int kt_bar_insert(struct mmu_interval_notifier *notifier, struct mm_struct *mm,
		  unsigned long start, unsigned long length,
		  const struct mmu_interval_notifier_ops *ops)
{
	if (kt_bar->readers)
		kt_fail_case("notifier inserted with mmap_lock held");
	if (atomic_read(&mm->mm_users) < 2)
		kt_fail_case("notifier inserted, and the mm may exit");
	if (kt_bar->nnotifiers == KT_BAR_MAX)
		return -ENOMEM;
	notifier->mm = mm;
	notifier->ops = ops;
	notifier->interval_tree.start = start;
	notifier->interval_tree.last = start + length - 1;
	notifier->invalidate_seq = kt_bar->seq;
	kt_bar->notifiers[kt_bar->nnotifiers++] = notifier;
	return 0;
}

void kt_bar_remove(struct mmu_interval_notifier *notifier)
{
	unsigned int i;

	if (kt_bar->readers)
		kt_fail_case("notifier removed with mmap_lock held");
	for (i = 0; i != kt_bar->nnotifiers; i++) {
		if (kt_bar->notifiers[i] != notifier)
			continue;
		kt_bar->notifiers[i] = kt_bar->notifiers[--kt_bar->nnotifiers];
		return;
	}
	kt_fail_case("a notifier is removed that was not inserted");
}

/* As the core does it: true, or somebody did not let go. */
bool kt_bar_invalidate(struct kt_bar *bar, unsigned long first,
		       unsigned long last, enum mmu_notifier_event event,
		       bool blockable)
{
	const struct mmu_notifier_range range = {
		.start = KT_BAR_UVA + first * PAGE_SIZE,
		.end = KT_BAR_UVA + (last + 1) * PAGE_SIZE,
		.flags = blockable ? MMU_NOTIFIER_RANGE_BLOCKABLE : 0,
		.event = event,
	};
	bool all = true;
	unsigned int i;

	bar->seq++;
	for (i = 0; i != bar->nnotifiers; i++) {
		struct mmu_interval_notifier *n = bar->notifiers[i];

		if (n->interval_tree.start >= range.end ||
		    n->interval_tree.last < range.start)
			continue;
		all &= n->ops->invalidate(n, &range, bar->seq);
	}
	if (blockable && !all)
		kt_fail_case("an invalidation that may wait was refused");
	for (; blockable && first <= last; first++) {
		unsigned long frame = bar->pages[first].pfn - KT_BAR_PFN;

		if (frame < bar->nframes && bar->frames[frame].reach)
			kt_fail_case("page %lu of the BAR is reached after an invalidation", first);
	}
	return all;
}

/* The device's driver takes pages out of the page tables. */
void kt_bar_zap(struct kt_bar *bar, unsigned long first, unsigned long last)
{
	kt_bar_invalidate(bar, first, last, MMU_NOTIFY_CLEAR, true);
	for (; first <= last; first++)
		bar->pages[first].present = false;
}

/* ------------------------------------------------------------------ */
/* The process's address space */

int kt_bar_lock_killable(void)
{
	if (!kt_bar)
		return 0;
	if (kt_bar->lock_nth && !--kt_bar->lock_nth)
		return -EINTR;
	kt_bar->readers++;
	return 0;
}

bool kt_bar_trylock(void)
{
	if (kt_bar->busy) {
		kt_bar->busy--;
		if (kt_bar->busy_hook)
			kt_bar->busy_hook(kt_bar);
		return false;
	}
	kt_bar->readers++;
	return true;
}

void kt_bar_unlock(void)
{
	if (kt_bar && !kt_bar->readers--)
		kt_fail_case("mmap_lock released, but not held");
}

void kt_bar_assert_locked(void)
{
	if (kt_bar && !kt_bar->readers)
		kt_fail_case("mmap_lock is not held");
}

struct vm_area_struct *kt_bar_vma_lookup(unsigned long uva)
{
	unsigned int i;

	kt_bar_assert_locked();
	for (i = 0; kt_bar && i != kt_bar->nvmas; i++)
		if (uva >= kt_bar->vmas[i].vm_start && uva < kt_bar->vmas[i].vm_end)
			return &kt_bar->vmas[i];
	return NULL;
}

static struct kt_bar_page *page_at(unsigned long uva)
{
	unsigned long index = (uva - KT_BAR_UVA) / PAGE_SIZE;

	if (!kt_bar_vma_lookup(uva) || index >= kt_bar->npages) {
		kt_fail_case("access to 0x%lx, where no VMA is", uva);
		return NULL;
	}
	return &kt_bar->pages[index];
}

static void zap_all(struct kt_bar *bar)
{
	kt_bar_zap(bar, 0, bar->npages - 1);
	if (bar->zapped)
		bar->zapped(bar);
}

int kt_bar_follow_pte(unsigned long uva, pte_t **pte, spinlock_t **lock)
{
	struct kt_bar_page *page = page_at(uva);

	if (!page)
		return -EINVAL;
	kt_bar->nreads++;
	if (kt_bar->zap_before && !--kt_bar->zap_before)
		zap_all(kt_bar);
	if (!page->present)
		return -EINVAL;
	kt_bar->pte = __pte(PFN_PHYS(page->pfn) | _PAGE_PRESENT | _PAGE_USER |
			    (page->read_only ? 0 : _PAGE_RW));
	kt_bar->pte_page = page;
	kt_bar->ptes_held++;
	*pte = &kt_bar->pte;
	*lock = NULL;
	return 0;
}

void kt_bar_pte_unlock(pte_t *pte, spinlock_t *lock)
{
	if (pte != &kt_bar->pte || !kt_bar->ptes_held)
		kt_fail_case("a page table entry is given back that was not got");
	kt_bar->ptes_held--;
	if ((kt_bar->zap_after && !--kt_bar->zap_after) ||
	    (kt_bar->zap_always &&
	     kt_bar->pte_page == kt_bar->pages + kt_bar->npages - 1))
		zap_all(kt_bar);
}

int kt_bar_fault(unsigned long uva, unsigned int flags, bool *unlocked)
{
	struct vm_area_struct *vma = kt_bar_vma_lookup(uva);
	struct kt_bar_page *page = page_at(uva);

	if (!page)
		return -EFAULT;
	if (kt_bar->ptes_held)
		kt_fail_case("a fault with a page table entry locked");
	if (!(flags & FAULT_FLAG_REMOTE))
		kt_fail_case("a fault as if the process itself made it");
	kt_bar->nfaults++;
	if (kt_bar->fault_rc)
		return kt_bar->fault_rc;
	if (kt_bar->dead)
		return -EFAULT;
	if (!(vma->vm_flags & (flags & FAULT_FLAG_WRITE ? VM_WRITE : VM_READ)))
		return -EFAULT;
	page->present = true;
	page->read_only = kt_bar->fault_read_only || !(flags & FAULT_FLAG_WRITE);
	if (unlocked && kt_bar->unlocks) {
		kt_bar->unlocks--;
		*unlocked = true;
		if (kt_bar->unlocked)
			kt_bar->unlocked(kt_bar);
	}
	return 0;
}

/* ------------------------------------------------------------------ */
/* Work */

static int find_work(struct delayed_work *work)
{
	unsigned int i;

	for (i = 0; kt_bar && i != kt_bar->nworks; i++)
		if (kt_bar->works[i] == work)
			return i;
	return -1;
}

bool kt_bar_pending(struct delayed_work *work)
{
	return find_work(work) >= 0;
}

void kt_bar_queue(struct delayed_work *work, unsigned long delay, bool mod)
{
	int i = find_work(work);

	if (i >= 0) {
		if (mod)
			kt_bar->delays[i] = delay;
		return;
	}
	if (kt_bar->nworks == KT_BAR_MAX) {
		kt_fail_case("too much work");
		return;
	}
	kt_bar->works[kt_bar->nworks] = work;
	kt_bar->delays[kt_bar->nworks++] = delay;
}

bool kt_bar_cancel(struct delayed_work *work)
{
	int i = find_work(work);

	if (i < 0)
		return false;
	kt_bar->nworks--;
	memmove(kt_bar->works + i, kt_bar->works + i + 1,
		(kt_bar->nworks - i) * sizeof(kt_bar->works[0]));
	memmove(kt_bar->delays + i, kt_bar->delays + i + 1,
		(kt_bar->nworks - i) * sizeof(kt_bar->delays[0]));
	return true;
}

/* What was queued first.  False if there is nothing to do. */
bool kt_bar_run_one(struct kt_bar *bar)
{
	struct delayed_work *work = bar->works[0];

	if (!bar->nworks)
		return false;
	kt_bar_cancel(work);
	work->work.func(&work->work);
	return true;
}

/* Until there is nothing left to do, or it looks as if there was no end. */
void kt_bar_run(struct kt_bar *bar)
{
	unsigned int n;

	for (n = 0; n != 10000; n++) {
		if (!kt_bar_run_one(bar))
			return;
		cond_resched();
	}
	kt_fail_case("work is queued again without end");
}
