// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "fake_bar.h"
#include "fake_mem.h"

/*
 * Where the struct page of page frame 0 would be.  Nothing is mapped there, nor
 * at any other one: whoever looks into such a page dies.
 */
#define FAKE_PAGES ((struct page *)(1UL << 60))

/* The one that is there; the calls that get and put pages do not say. */
static struct kt_mem *kt_mem;

/*
 * Deal out page frames.  A gap after each run keeps it apart from the next; a
 * huge page's alignment now and then makes large IO pages possible.
 */
static void deal(struct kt_mem *mem, enum kt_layout layout)
{
	unsigned long i = 0, next = 0, count;

	while (i != mem->npages) {
		if (layout == KT_SCATTERED) {
			count = 1;
		} else if (layout == KT_CONTIGUOUS) {
			count = mem->npages;
		} else if (kt_chance(4)) {
			next = ALIGN(next, 512);
			count = 512 * (1 + kt_random(3));
		} else {
			count = 1 + kt_random(kt_chance(2) ? 4 : 100);
		}
		for (count = min(count, mem->npages - i); count; count--)
			mem->pfns[i++] = KT_PFN + next++;
		next++;
		/* What is left must do for gaps and alignment: 4 per page. */
		if (WARN_ON(next >= mem->npfns))
			return;
	}
}

static void fake_process(struct kunit *test, struct kt_mem *mem)
{
	mem->mm = kunit_kzalloc(test, sizeof(*mem->mm), GFP_KERNEL);
	mem->task = kunit_kzalloc(test, sizeof(*mem->task), GFP_KERNEL);
	mem->user = kunit_kzalloc(test, sizeof(*mem->user), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->mm);
	KUNIT_ASSERT_NOT_NULL(test, mem->task);
	KUNIT_ASSERT_NOT_NULL(test, mem->user);
	mem->task->signal = kunit_kzalloc(test, sizeof(*mem->task->signal),
					  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->task->signal);

	/* One reference on each is ours, so that none is ever freed. */
	atomic_set(&mem->mm->mm_count, 1);
	atomic_set(&mem->mm->mm_users, 1);
	mmap_init_lock(mem->mm);
	mem->task->mm = mem->mm;
	mem->task->group_leader = mem->task;
	refcount_set(&mem->task->usage, 1);
	refcount_set(&mem->user->__count, 1);
	kt_mem_set_limit(mem, ULONG_MAX >> PAGE_SHIFT);
}

struct kt_mem *kt_mem_create(struct kunit *test, unsigned long npages,
			     enum kt_layout layout)
{
	struct kt_mem *mem;

	mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	fake_process(test, mem);
	mem->npages = npages;
	mem->npfns = layout == KT_CONTIGUOUS ? npages + 2 : 16 * npages + 4096;
	mem->bad = ULONG_MAX;
	mem->pfns = vzalloc(array_size(npages, sizeof(*mem->pfns)));
	mem->pins = vzalloc(array_size(mem->npfns, sizeof(*mem->pins)));
	mem->reach = vzalloc(array_size(mem->npfns, sizeof(*mem->reach)));
	if (!mem->pfns || !mem->pins || !mem->reach) {
		kt_mem_destroy(mem);
		KUNIT_ASSERT_TRUE_MSG(test, false, "no memory");
	}
	deal(mem, layout);
	kt_mem = mem;
	return mem;
}

/* Fails the case if something is still pinned, charged or referred to. */
void kt_mem_destroy(struct kt_mem *mem)
{
	if (mem->total_pins)
		kt_fail_case("%lu pins are left", mem->total_pins);
	if (atomic64_read(&mem->mm->pinned_vm) || mem->mm->locked_vm ||
	    atomic_long_read(&mem->user->locked_vm))
		kt_fail_case("charged at the end: pinned_vm %lld locked_vm %lu user %ld",
			     atomic64_read(&mem->mm->pinned_vm),
			     mem->mm->locked_vm,
			     atomic_long_read(&mem->user->locked_vm));
	if (atomic_read(&mem->mm->mm_count) != 1 ||
	    atomic_read(&mem->mm->mm_users) > 1 ||
	    refcount_read(&mem->task->usage) != 1 ||
	    refcount_read(&mem->user->__count) != 1)
		kt_fail_case("references left: mm %d users %d task %d user %d",
			     atomic_read(&mem->mm->mm_count),
			     atomic_read(&mem->mm->mm_users),
			     refcount_read(&mem->task->usage),
			     refcount_read(&mem->user->__count));
	kt_mem = NULL;
	vfree(mem->pfns);
	vfree(mem->pins);
	vfree(mem->reach);
}

/* With one reference, the caller's. */
struct iommufd_owner *kt_mem_owner(struct kt_mem *mem)
{
	struct iommufd_owner *owner;

	owner = kzalloc(sizeof(*owner), GFP_KERNEL);
	if (!owner)
		return NULL;
	kref_init(&owner->refs);
	mmgrab(mem->mm);
	owner->mm = mem->mm;
	owner->task = get_task_struct(mem->task);
	owner->user = get_uid(mem->user);
	return owner;
}

void kt_mem_set_limit(struct kt_mem *mem, unsigned long npages)
{
	struct rlimit *rlim = &mem->task->signal->rlim[RLIMIT_MEMLOCK];

	rlim->rlim_cur = npages << PAGE_SHIFT;
	rlim->rlim_max = rlim->rlim_cur;
}

/* ------------------------------------------------------------------ */
/* What devices reach */

static bool pfn_known(unsigned long pfn)
{
	if (kt_mem && pfn >= KT_PFN && pfn - KT_PFN < kt_mem->npfns)
		return true;
	kt_fail_case("page frame 0x%lx is nobody's", pfn);
	return false;
}

void kt_reach(phys_addr_t phys, size_t size)
{
	unsigned long pfn, last = (phys + size - 1) >> PAGE_SHIFT;

	for (pfn = phys >> PAGE_SHIFT; pfn <= last; pfn++) {
		if (kt_bar_reach(pfn, 1))
			continue;
		if (!pfn_known(pfn))
			return;
		if (!kt_mem->pins[pfn - KT_PFN])
			kt_fail_case("page frame 0x%lx is mapped, not pinned", pfn);
		kt_mem->reach[pfn - KT_PFN]++;
	}
}

void kt_unreach(phys_addr_t phys, size_t size)
{
	unsigned long pfn, last = (phys + size - 1) >> PAGE_SHIFT;

	for (pfn = phys >> PAGE_SHIFT; pfn <= last; pfn++)
		if (!kt_bar_reach(pfn, -1) && pfn_known(pfn))
			kt_mem->reach[pfn - KT_PFN]--;
}

/* ------------------------------------------------------------------ */
/* What the pages unit calls for pin_user_pages() and the like */

struct page *kt_pfn_to_page(unsigned long pfn)
{
	if (kt_mem && kt_mem->real && pfn == page_to_pfn(kt_mem->real))
		return kt_mem->real;
	return FAKE_PAGES + pfn;
}

unsigned long kt_page_to_pfn(struct page *page)
{
	if (kt_mem && page == kt_mem->real)
		return page_to_pfn(page);
	return page - FAKE_PAGES;
}

long kt_gup(struct mm_struct *mm, unsigned long uva, unsigned long npages,
	    unsigned int flags, struct page **out)
{
	unsigned long index = (uva - KT_UVA) >> PAGE_SHIFT, i;

	kt_mem->gup_flags = flags;
	kt_mem->gup_calls++;
	if (mm != kt_mem->mm)
		kt_fail_case("GUP in another mm");
	if (uva < KT_UVA || index + npages > kt_mem->npages)
		return -EFAULT;
	if (index == kt_mem->bad)
		return kt_mem->bad_rc;
	if (index < kt_mem->bad)
		npages = min(npages, kt_mem->bad - index);
	if (kt_mem->short_gup)
		npages = 1 + kt_random(npages);
	for (i = 0; i != npages; i++) {
		unsigned long pfn = kt_mem->pfns[index + i];

		out[i] = kt_mem->real ?: kt_pfn_to_page(pfn);
		if (!kt_mem->real)
			kt_mem->pins[pfn - KT_PFN]++;
	}
	kt_mem->total_pins += npages;
	return npages;
}

static void unpin(struct page *page, bool dirty)
{
	unsigned long pfn = kt_page_to_pfn(page);

	kt_mem->total_pins--;
	kt_mem->dirtied += dirty;
	if (kt_mem->real) {
		if (page != kt_mem->real)
			kt_fail_case("unpin of another page");
		return;
	}
	if (!pfn_known(pfn))
		return;
	if (!kt_mem->pins[pfn - KT_PFN]) {
		kt_fail_case("page frame 0x%lx unpinned, but not pinned", pfn);
		return;
	}
	if (!--kt_mem->pins[pfn - KT_PFN] && kt_mem->reach[pfn - KT_PFN])
		kt_fail_case("page frame 0x%lx unpinned while a device reaches it", pfn);
}

void kt_unpin_pages(struct page **list, unsigned long npages, bool dirty)
{
	while (npages--)
		unpin(*list++, dirty);
}

void kt_unpin_range(struct page *page, unsigned long npages, bool dirty)
{
	while (npages--)
		unpin(page++, dirty);
}
