// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning, with memory and a process that do not exist (fake_mem.h): users of
 * overlapping ranges against a counter for each page, with GUP, allocations and
 * signals that fail at every point.
 */
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "fake_mem.h"
#include "unit.h"

/* What the unit thinks is current: a process only if a case says so. */
static struct task_struct fake_task;
static struct task_struct *fake_current = &fake_task;

/* For suites that run without this one */
static struct vm_area_struct fake_vma = {
	.vm_start = KT_UVA,
	.vm_end = KT_UVA + (1UL << 40),
	.vm_flags = VM_READ | VM_WRITE,
};

#define pin_user_pages_fast(uva, npages, flags, out) \
	kt_gup(current->mm, uva, npages, flags, out)
#define pin_user_pages_remote(mm, uva, npages, flags, out, vmas, locked) \
	kt_gup(mm, uva, npages, flags, out)
#define unpin_user_pages(list, npages) kt_unpin_pages(list, npages, false)
#define unpin_user_pages_dirty_lock(list, npages, dirty) \
	kt_unpin_pages(list, npages, dirty)
#define unpin_user_page_range_dirty_lock(page, npages, dirty) \
	kt_unpin_range(page, npages, dirty)
#undef pfn_to_page
#define pfn_to_page(pfn) kt_pfn_to_page(pfn)
#undef page_to_pfn
#define page_to_pfn(page) kt_page_to_pfn(page)
#define vma_lookup(mm, uva) \
	((uva) - fake_vma.vm_start < fake_vma.vm_end - fake_vma.vm_start ? \
	 &fake_vma : NULL)
#undef current
#define current fake_current

#include "../iommufd/pages.c"

#undef current
#define current get_current()

#define NPAGES 1500
#define MAX_USERS 12

struct pages_world {
	struct kt_mem *mem;
	struct iopt_pages *pages;
	u8 users[NPAGES];
	struct {
		unsigned long first, last;
	} ranges[MAX_USERS];
	unsigned int nranges;
};

static void default_vma(void)
{
	fake_task.mm = NULL;
	memset(&fake_vma, 0, sizeof(fake_vma));
	fake_vma.vm_start = KT_UVA;
	fake_vma.vm_end = KT_UVA + (1UL << 40);
	fake_vma.vm_flags = VM_READ | VM_WRITE;
}

static struct pages_world *create_pages(struct kunit *test,
					enum kt_layout layout,
					enum iommufd_account account,
					bool writable)
{
	struct pages_world *w = vzalloc(sizeof(*w));
	struct iommufd_owner *owner;

	KUNIT_ASSERT_NOT_NULL(test, w);
	default_vma();
	w->mem = kt_mem_create(test, NPAGES, layout);
	owner = kt_mem_owner(w->mem);
	KUNIT_ASSERT_NOT_NULL(test, owner);
	w->pages = iopt_pages_alloc(owner, account, KT_UVA, NPAGES * PAGE_SIZE,
				    writable);
	iommufd_owner_put(owner);
	KUNIT_ASSERT_NOT_NULL(test, w->pages);
	return w;
}

static void destroy_pages(struct pages_world *w)
{
	iopt_pages_put(w->pages);
	kt_mem_destroy(w->mem);
	if (iopt_pages_count_objects() || iopt_pages_count_pinned())
		kt_fail_case("%lu objects, %lu pages counted at the end",
			     iopt_pages_count_objects(), iopt_pages_count_pinned());
	vfree(w);
}

/* Pins, extents, counts and charges are what the users of each page make. */
static void check_pages(struct kunit *test, struct pages_world *w)
{
	unsigned long i, next = 0, pinned = 0;
	struct pfn_extent *ext;
	struct pfn_cursor cur;
	unsigned long pfn;

	mutex_lock(&w->pages->mutex);
	for (ext = pfn_extent_find(&w->pages->extents, 0); ext;
	     ext = pfn_extent_next(ext)) {
		KUNIT_ASSERT_GE(test, ext->start, next);
		for (; next != ext->start; next++)
			KUNIT_ASSERT_EQ(test, w->users[next], 0);
		for (; next <= pfn_extent_last(ext); next++)
			KUNIT_ASSERT_EQ(test, w->users[next], ext->users);
		pinned += ext->npages;
	}
	for (; next < NPAGES; next++)
		KUNIT_ASSERT_EQ(test, w->users[next], 0);

	for (i = 0; i != NPAGES; i++)
		KUNIT_ASSERT_EQ(test, w->mem->pins[w->mem->pfns[i] - KT_PFN], !!w->users[i]);
	/* Page by page: the right frames in the right places. */
	for (i = 0; i != NPAGES; i++) {
		if (!w->users[i] || !kt_chance(4))
			continue;
		pfn_cursor_init(&cur, &w->pages->extents, i, i);
		KUNIT_ASSERT_EQ(test, pfn_cursor_next(&cur, &pfn), 1UL);
		KUNIT_ASSERT_EQ(test, pfn, (unsigned long)w->mem->pfns[i]);
	}
	mutex_unlock(&w->pages->mutex);
	KUNIT_ASSERT_EQ(test, w->mem->total_pins, pinned);
	KUNIT_ASSERT_EQ(test, iopt_pages_count_pinned(), pinned);
	KUNIT_ASSERT_EQ(test, (unsigned long)atomic64_read(&w->mem->mm->pinned_vm), pinned);
	if (w->pages->account == IOMMUFD_ACCOUNT_MM)
		KUNIT_ASSERT_EQ(test, w->mem->mm->locked_vm, pinned);
	if (w->pages->account == IOMMUFD_ACCOUNT_USER)
		KUNIT_ASSERT_EQ(test, (unsigned long)atomic_long_read(&w->mem->user->locked_vm),
				pinned);
}

static int pin_range(struct pages_world *w, unsigned long first,
		     unsigned long last)
{
	unsigned long i;
	int rc;

	mutex_lock(&w->pages->mutex);
	rc = iopt_pages_pin(w->pages, first, last);
	mutex_unlock(&w->pages->mutex);
	if (rc)
		return rc;
	for (i = first; i <= last; i++)
		w->users[i]++;
	w->ranges[w->nranges].first = first;
	w->ranges[w->nranges].last = last;
	w->nranges++;
	return 0;
}

static void unpin_range(struct kunit *test, struct pages_world *w,
			unsigned int n)
{
	unsigned long first = w->ranges[n].first, last = w->ranges[n].last;
	unsigned long i, unpinned, want = 0;

	for (i = first; i <= last; i++)
		want += !--w->users[i];
	mutex_lock(&w->pages->mutex);
	unpinned = iopt_pages_unpin(w->pages, first, last);
	iopt_pages_uncharge(w->pages, unpinned);
	mutex_unlock(&w->pages->mutex);
	KUNIT_ASSERT_EQ(test, unpinned, want);
	w->ranges[n] = w->ranges[--w->nranges];
}

static void random_range(unsigned long *first, unsigned long *last)
{
	unsigned long count = kt_chance(2) ? 20 : NPAGES;

	*first = kt_random(NPAGES);
	*last = *first + kt_random(min(count, NPAGES - *first));
}

/* Pin with something that goes wrong on the way, and nothing has changed. */
static void pin_with_fault(struct kunit *test, struct pages_world *w,
			   unsigned long first, unsigned long last)
{
	bool gup_fails = false;
	int rc, want = 0;

	switch (kt_random(4)) {
	case 0:
		kt_fail_alloc(1 + kt_random(6));
		want = -ENOMEM;
		break;
	case 1:
		kt_kill(1 + kt_random(3));
		want = -EINTR;
		break;
	case 2:
		w->mem->bad = first + kt_random(last - first + 1);
		w->mem->bad_rc = kt_chance(3) ? 0 : kt_chance(2) ? -EFAULT : -EHWPOISON;
		want = w->mem->bad_rc ?: -EFAULT;
		gup_fails = !w->users[w->mem->bad];
		break;
	default:
		kt_mem_set_limit(w->mem, w->mem->total_pins + kt_random(50));
		want = -ENOMEM;
	}
	rc = pin_range(w, first, last);
	/* Small batches do where the large one finds no memory. */
	if (gup_fails)
		KUNIT_ASSERT_EQ(test, rc, want);
	else if (rc)
		KUNIT_ASSERT_EQ(test, rc, want);
	kt_fail_alloc(0);
	kt_kill(0);
	w->mem->bad = ULONG_MAX;
	kt_mem_set_limit(w->mem, ULONG_MAX >> PAGE_SHIFT);
}

static void pin_random(struct kunit *test, enum kt_layout layout,
		       enum iommufd_account account, bool writable)
{
	struct pages_world *w = create_pages(test, layout, account, writable);
	unsigned long first, last;
	unsigned int round;

	w->pages->unlimited = false;
	w->pages->account = account;
	for (round = 0; round != 60 * kt_rounds; round++) {
		w->mem->short_gup = kt_chance(3);
		if (w->nranges == MAX_USERS || (w->nranges && kt_chance(3))) {
			unpin_range(test, w, kt_random(w->nranges));
		} else if (kt_chance(8)) {
			mutex_lock(&w->pages->mutex);
			iopt_pages_prepare_cut(w->pages, 1 + kt_random(NPAGES - 1));
			mutex_unlock(&w->pages->mutex);
		} else {
			random_range(&first, &last);
			if (kt_chance(3))
				pin_with_fault(test, w, first, last);
			else
				KUNIT_ASSERT_EQ(test, pin_range(w, first, last), 0);
		}
		check_pages(test, w);
		cond_resched();
	}
	while (w->nranges) {
		unpin_range(test, w, 0);
		check_pages(test, w);
	}
	destroy_pages(w);
}

static void pin_scattered(struct kunit *test)
{
	kt_seed(test);
	pin_random(test, KT_SCATTERED, IOMMUFD_ACCOUNT_MM, true);
}

static void pin_contiguous(struct kunit *test)
{
	kt_seed(test);
	pin_random(test, KT_CONTIGUOUS, IOMMUFD_ACCOUNT_USER, true);
}

static void pin_mixed(struct kunit *test)
{
	kt_seed(test);
	pin_random(test, KT_MIXED, IOMMUFD_ACCOUNT_MM, false);
	pin_random(test, KT_MIXED, IOMMUFD_ACCOUNT_USER, true);
}

/* Each allocation of a pin, and each look for a signal, fails once. */
static void pin_fail_nth(struct kunit *test)
{
	struct pages_world *w = create_pages(test, KT_SCATTERED, IOMMUFD_ACCOUNT_MM, true);
	unsigned int n;
	bool failed;
	int rc;

	kt_seed(test);
	KUNIT_ASSERT_EQ(test, pin_range(w, 100, 1300), 0);
	KUNIT_ASSERT_EQ(test, pin_range(w, 600, 700), 0);
	for (n = 1;; n++) {
		kt_fail_alloc(n);
		rc = pin_range(w, 50, 1350);
		failed = kt_alloc_failed();
		kt_fail_alloc(0);
		if (!failed)
			break;
		if (rc) {
			KUNIT_ASSERT_EQ(test, rc, -ENOMEM);
			check_pages(test, w);
		} else {
			check_pages(test, w);
			unpin_range(test, w, w->nranges - 1);
		}
	}
	/* Two gaps, each with a batch and an extent with its runs. */
	KUNIT_EXPECT_GE(test, n, 7U);
	KUNIT_ASSERT_EQ(test, rc, 0);
	unpin_range(test, w, w->nranges - 1);
	for (n = 1;; n++) {
		kt_kill(n);
		rc = pin_range(w, 50, 1350);
		if (!rc)
			break;
		KUNIT_ASSERT_EQ(test, rc, -EINTR);
		kt_kill(0);
		check_pages(test, w);
	}
	KUNIT_EXPECT_GE(test, n, 3U);
	kt_kill(0);

	/* A cut needs an extent and its runs. */
	mutex_lock(&w->pages->mutex);
	for (n = 1; n != 3; n++) {
		kt_fail_alloc(n);
		KUNIT_EXPECT_EQ(test, iopt_pages_prepare_cut(w->pages, 300), -ENOMEM);
		kt_fail_alloc(0);
	}
	KUNIT_EXPECT_EQ(test, iopt_pages_prepare_cut(w->pages, 300), 0);
	KUNIT_EXPECT_EQ(test, pfn_extent_find(&w->pages->extents, 300)->start, 300UL);
	mutex_unlock(&w->pages->mutex);
	check_pages(test, w);
	while (w->nranges)
		unpin_range(test, w, 0);
	destroy_pages(w);
}

/* batch_add() against a plain list, in pieces and with full batches. */
static void batch_carry(struct kunit *test)
{
	unsigned int cap, total = 200, i, done, n, added, round, r;
	struct page **in = kunit_kcalloc(test, total, sizeof(*in), GFP_KERNEL);
	u64 *runs = kunit_kcalloc(test, total, sizeof(*runs), GFP_KERNEL);
	struct pin_batch batch = { .runs = runs };
	unsigned long pfn, count;

	KUNIT_ASSERT_NOT_NULL(test, in);
	KUNIT_ASSERT_NOT_NULL(test, runs);
	kt_seed(test);
	for (round = 0; round != 100 * kt_rounds; round++) {
		for (i = 0; i != total; i++)
			in[i] = i && !kt_chance(4) ? in[i - 1] + 1 :
				pfn_to_page(KT_PFN + kt_random(1 << 30));
		cap = 1 + kt_random(10);
		batch.cap = cap;
		batch.nruns = 0;
		for (i = 0, done = 0; done != total;) {
			n = 1 + kt_random(total - done);
			added = batch_add(&batch, in + done, n);
			KUNIT_ASSERT_LE(test, added, n);
			KUNIT_ASSERT_LE(test, batch.nruns, cap);
			done += added;
			if (added == n && done != total)
				continue;
			/* Full, and only because the next page starts a run. */
			if (added != n) {
				KUNIT_ASSERT_EQ(test, batch.nruns, cap);
				KUNIT_ASSERT_PTR_NE(test, in[done], in[done - 1] + 1);
			}
			for (r = 0; r != batch.nruns; r++) {
				pfn = pfn_run_pfn(runs[r]);
				for (count = pfn_run_count(runs[r]); count; count--) {
					KUNIT_ASSERT_LT(test, i, done);
					KUNIT_ASSERT_EQ(test, pfn++, page_to_pfn(in[i++]));
				}
			}
			KUNIT_ASSERT_EQ(test, i, done);
			batch.nruns = 0;
		}
	}
}

/* A run of the greatest length takes no page more. */
static void batch_run_max(struct kunit *test)
{
	struct page *in[4];
	u64 runs[2];
	struct pin_batch batch = { .runs = runs, .cap = 2 };
	unsigned int i, room;

	for (room = 0; room != 6; room++) {
		batch.nruns = 1;
		runs[0] = pfn_run(1000, PFN_RUN_MAX - room);
		for (i = 0; i != 4; i++)
			in[i] = pfn_to_page(1000 + PFN_RUN_MAX - room + i);
		KUNIT_EXPECT_EQ(test, batch_add(&batch, in, 4), 4U);
		KUNIT_EXPECT_EQ(test, runs[0], pfn_run(1000, PFN_RUN_MAX - room + min(room, 4U)));
		KUNIT_EXPECT_EQ(test, batch.nruns, room < 4 ? 2U : 1U);
		if (room < 4)
			KUNIT_EXPECT_EQ(test, runs[1], pfn_run(1000 + PFN_RUN_MAX, 4 - room));
		/* With no second entry it is full instead. */
		batch.cap = 1;
		batch.nruns = 1;
		runs[0] = pfn_run(1000, PFN_RUN_MAX - room);
		KUNIT_EXPECT_EQ(test, batch_add(&batch, in, 4), min(room, 4U));
		KUNIT_EXPECT_EQ(test, batch.nruns, 1U);
		batch.cap = 2;
	}
}

static void check_gup(struct kunit *test, struct pages_world *w, int want,
		      unsigned int flags)
{
	unsigned long calls = w->mem->gup_calls;

	KUNIT_EXPECT_EQ(test, pin_range(w, 3, 5), want);
	KUNIT_EXPECT_EQ(test, w->mem->gup_calls - calls, !want ? 1UL : 0UL);
	if (!want) {
		KUNIT_EXPECT_EQ(test, w->mem->gup_flags, flags);
		unpin_range(test, w, 0);
	}
}

/* Which pins break copy-on-write. */
static void gup_flags(struct kunit *test)
{
	struct pages_world *w;

	w = create_pages(test, KT_SCATTERED, IOMMUFD_ACCOUNT_MM, true);
	check_gup(test, w, 0, FOLL_WRITE | FOLL_LONGTERM);
	fake_task.mm = w->mem->mm;
	check_gup(test, w, 0, FOLL_WRITE | FOLL_LONGTERM);
	KUNIT_EXPECT_EQ(test, w->mem->dirtied, 6UL);
	/* The process itself need not be asked to stay. */
	atomic_set(&w->mem->mm->mm_users, 0);
	w->pages->account = IOMMUFD_ACCOUNT_NONE;
	check_gup(test, w, 0, FOLL_WRITE | FOLL_LONGTERM);
	fake_task.mm = NULL;
	check_gup(test, w, -EFAULT, 0);
	destroy_pages(w);

	w = create_pages(test, KT_SCATTERED, IOMMUFD_ACCOUNT_MM, false);
	fake_vma.vm_flags = VM_READ | VM_MAYWRITE;
	check_gup(test, w, 0, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE);
	fake_task.mm = w->mem->mm;
	check_gup(test, w, 0, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE);
	fake_vma.vm_flags = VM_READ;
	check_gup(test, w, 0, FOLL_LONGTERM);
	fake_vma.vm_flags = VM_READ | VM_MAYWRITE | VM_SHARED;
	check_gup(test, w, 0, FOLL_LONGTERM);
	fake_vma.vm_flags = VM_READ | VM_MAYWRITE | VM_HUGETLB;
	check_gup(test, w, 0, FOLL_LONGTERM);
	fake_vma.vm_flags = VM_WRITE | VM_MAYWRITE;
	check_gup(test, w, -EFAULT, 0);
	KUNIT_EXPECT_EQ(test, w->mem->dirtied, 0UL);
	/* No further than the end of the VMA in one go. */
	fake_vma.vm_flags = VM_READ;
	fake_vma.vm_end = KT_UVA + 4 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, pin_range(w, 3, 5), -EFAULT);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 0UL);
	KUNIT_EXPECT_EQ(test, pin_range(w, 0, 3), 0);
	unpin_range(test, w, 0);
	destroy_pages(w);
}

static void pages_alloc_sizes(struct kunit *test)
{
	static const struct {
		unsigned long uva, length, npages;
	} cases[] = {
		{ 0, 1, 1 },
		{ PAGE_SIZE - 1, 1, 1 },
		{ PAGE_SIZE - 1, 2, 2 },
		{ 0, PAGE_SIZE, 1 },
		{ 1, PAGE_SIZE, 2 },
		{ PAGE_SIZE, PAGE_SIZE + 1, 2 },
		{ 0, ULONG_MAX - PAGE_SIZE + 1, (1UL << 52) - 1 },
	};
	struct kt_mem *mem = kt_mem_create(test, 1, KT_SCATTERED);
	struct iommufd_owner *owner = kt_mem_owner(mem);
	struct iopt_pages *pages;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, owner);
	for (i = 0; i != ARRAY_SIZE(cases); i++) {
		pages = iopt_pages_alloc(owner, IOMMUFD_ACCOUNT_USER, cases[i].uva,
					 cases[i].length, i & 1);
		KUNIT_ASSERT_NOT_NULL(test, pages);
		KUNIT_EXPECT_EQ(test, pages->npages, cases[i].npages);
		KUNIT_EXPECT_EQ(test, pages->uva, cases[i].uva & PAGE_MASK);
		KUNIT_EXPECT_EQ(test, pages->writable, (bool)(i & 1));
		/* Tests run with all capabilities: CAP_IPC_LOCK is one. */
		KUNIT_EXPECT_TRUE(test, pages->unlimited);
		KUNIT_EXPECT_EQ(test, (int)pages->account, (int)IOMMUFD_ACCOUNT_NONE);
		iopt_pages_put(pages);
	}
	/* With KASAN no owner keeps what was freed. */
	kt_fail_alloc(1);
	KUNIT_EXPECT_PTR_EQ(test, iopt_pages_alloc(owner, IOMMUFD_ACCOUNT_MM, 0, 1, true), NULL);
	kt_fail_alloc(0);
	iommufd_owner_put(owner);
	kt_mem_destroy(mem);
}

/* Memory that a device may still reach stays pinned for good. */
static void unpin_unknown(struct kunit *test)
{
	struct pages_world *w = create_pages(test, KT_SCATTERED, IOMMUFD_ACCOUNT_MM, true);
	unsigned long unpinned;

	KUNIT_ASSERT_EQ(test, pin_range(w, 0, 9), 0);
	w->pages->leak = true;
	mutex_lock(&w->pages->mutex);
	unpinned = iopt_pages_unpin(w->pages, 0, 9);
	mutex_unlock(&w->pages->mutex);
	KUNIT_EXPECT_EQ(test, unpinned, 0UL);
	KUNIT_EXPECT_EQ(test, w->mem->total_pins, 10UL);
	KUNIT_EXPECT_EQ(test, w->mem->mm->locked_vm, 10UL);

	w->pages->leak = false;
	pfn_extent_find(&w->pages->extents, 0)->users = 1;
	unpin_range(test, w, 0);
	destroy_pages(w);
}

/* Copies at every offset, to and from pages pinned and not. */
static void rw_offsets(struct kunit *test)
{
	struct pages_world *w = create_pages(test, KT_SCATTERED, IOMMUFD_ACCOUNT_MM, true);
	u8 *buf = kunit_kzalloc(test, 3 * PAGE_SIZE, GFP_KERNEL), *page;
	unsigned long offset, length, i;
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	w->mem->real = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, w->mem->real);
	page = page_address(w->mem->real);
	kt_seed(test);
	KUNIT_ASSERT_EQ(test, pin_range(w, 2, 4), 0);

	for (round = 0; round != 100 * kt_rounds; round++) {
		/* One page is all the memory there is, so at most one is used. */
		length = 1 + kt_random(PAGE_SIZE);
		offset = kt_random(6) * PAGE_SIZE + kt_random(PAGE_SIZE);
		get_random_bytes(buf, length);
		KUNIT_ASSERT_EQ(test, iopt_pages_rw(w->pages, offset, buf, length, true), 0);
		for (i = 0; i != length; i++)
			KUNIT_ASSERT_EQ(test, page[(offset + i) % PAGE_SIZE], buf[i]);
		memset(buf, 0, length);
		KUNIT_ASSERT_EQ(test, iopt_pages_rw(w->pages, offset, buf, length, false), 0);
		for (i = 0; i != length; i++)
			KUNIT_ASSERT_EQ(test, page[(offset + i) % PAGE_SIZE], buf[i]);
		KUNIT_ASSERT_EQ(test, w->mem->total_pins, 3UL);
	}

	w->mem->bad = 6;
	w->mem->bad_rc = -EFAULT;
	KUNIT_EXPECT_EQ(test, iopt_pages_rw(w->pages, 5 * PAGE_SIZE, buf, 2 * PAGE_SIZE, false),
			-EFAULT);
	w->mem->bad_rc = 0;
	KUNIT_EXPECT_EQ(test, iopt_pages_rw(w->pages, 6 * PAGE_SIZE, buf, 1, false), -EFAULT);
	w->mem->bad = ULONG_MAX;
	/* After exit, what is pinned is all that can be reached. */
	atomic_set(&w->mem->mm->mm_users, 0);
	KUNIT_EXPECT_EQ(test, iopt_pages_rw(w->pages, 2 * PAGE_SIZE, buf, PAGE_SIZE, false), 0);
	KUNIT_EXPECT_EQ(test, iopt_pages_rw(w->pages, 0, buf, 1, false), -EFAULT);
	atomic_set(&w->mem->mm->mm_users, 1);

	unpin_range(test, w, 0);
	__free_page(w->mem->real);
	destroy_pages(w);
}

static struct kunit_case pages_cases[] = {
	KUNIT_CASE(pin_scattered),
	KUNIT_CASE(pin_contiguous),
	KUNIT_CASE(pin_mixed),
	KUNIT_CASE(pin_fail_nth),
	KUNIT_CASE(batch_carry),
	KUNIT_CASE(batch_run_max),
	KUNIT_CASE(gup_flags),
	KUNIT_CASE(pages_alloc_sizes),
	KUNIT_CASE(unpin_unknown),
	KUNIT_CASE(rw_offsets),
	{}
};

struct kunit_suite kt_pages_suite = {
	.name = "iommufd_pages",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = pages_cases,
};
