// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory and a BAR side by side in an io_pagetable, by random operations: maps,
 * copies, cuts, unmaps, domains that come and go, a BAR that is revoked, comes back or
 * does not, is taken away in the middle of an operation, and faults of all kinds.  A
 * plain array says what each domain has; the fake domains and the fake BAR say whether
 * the IOMMU driver, and the BAR's, would have survived.
 */
#include <linux/sizes.h>

#include "fake_bar.h"
#include "util.h"
#include "world.h"

#define NPAGES 2048UL
/* Across the end of an IO page table that has not grown */
#define BASE (BIT(39) - SZ_8M)
#define WINDOW ((unsigned long)SZ_16M)
#define MAX_AREAS 24

/* What a map made, and copies share */
struct model_pages {
	unsigned int areas;	/* 0: not in use */
	bool is_bar;
	unsigned long first;	/* page of the fake memory or BAR */
	unsigned long npages;
	bool there;		/* established, while a domain is there */
	bool pending;		/* about to be tried again */
};

struct model_area {
	unsigned long start, last;
	struct model_pages *pages;
	unsigned long page;	/* of these, the first */
};

struct model {
	struct kt_world *w;
	struct kt_bar *bar;
	struct model_area areas[MAX_AREAS];	/* in order */
	unsigned int nareas;
	struct model_pages pages[MAX_AREAS];
	bool disabled;		/* large IO pages */
	bool faults;
	bool armed;		/* a fault may hit the next call */
	unsigned int done[13];
	unsigned long before;	/* pfnmaps that a case which failed has left behind */
};

enum {
	DID_MAP, DID_MAP_BAR, DID_COPY, DID_COPY_BAR, DID_CUT, DID_UNMAP, DID_ATTACH,
	DID_DETACH, DID_REVOKE, DID_RESTORE, DID_LOSE, DID_FAULT, DID_RACE,
};

/* A BAR was zapped in the middle of the call. */
static bool raced;

static void set_raced(struct kt_bar *bar)
{
	raced = true;
}

/* ------------------------------------------------------------------ */
/* The model */

static bool model_mapped(struct model *m, unsigned long first, unsigned long last)
{
	unsigned int i;

	for (i = 0; i != m->nareas; i++)
		if (m->areas[i].start <= last && m->areas[i].last >= first)
			return true;
	return false;
}

static void model_insert(struct model *m, const struct model_area *area)
{
	unsigned int i = m->nareas++;

	for (; i && m->areas[i - 1].start > area->start; i--)
		m->areas[i] = m->areas[i - 1];
	m->areas[i] = *area;
	area->pages->areas++;
}

static void model_remove(struct model *m, unsigned int i)
{
	m->areas[i].pages->areas--;
	m->nareas--;
	memmove(&m->areas[i], &m->areas[i + 1], (m->nareas - i) * sizeof(m->areas[0]));
}

/* The page tables have it, or a fault gets it. */
static bool model_readable(struct model *m, const struct model_pages *pages)
{
	unsigned long i;

	for (i = 0; m->bar->dead && i != pages->npages; i++)
		if (!m->bar->pages[pages->first + i].present)
			return false;
	return true;
}

static bool model_has_pfnmap(struct model *m, const struct model_pages *pages)
{
	return pages->areas && pages->is_bar && m->w->nattached;
}

/* It is mapped at one more place: what is revoked is tried again. */
static void model_map(struct model *m, struct model_pages *pages)
{
	if (pages->is_bar && m->w->nattached && !pages->there)
		pages->pending = true;
}

/* What the first domain does, or the last one that goes: all is there, or nothing. */
static void model_set_all(struct model *m, bool there)
{
	unsigned int i;

	for (i = 0; i != MAX_AREAS; i++) {
		m->pages[i].there = there && m->pages[i].areas;
		m->pages[i].pending = false;
	}
}

static int model_first_domain(struct model *m)
{
	unsigned int i;

	for (i = 0; i != MAX_AREAS; i++)
		if (m->pages[i].areas && m->pages[i].is_bar &&
		    !model_readable(m, &m->pages[i]))
			return -EFAULT;
	return 0;
}

static void model_zap(struct model *m, unsigned long first, unsigned long last)
{
	struct model_pages *pages;
	unsigned int i;

	for (i = 0; i != MAX_AREAS; i++) {
		pages = &m->pages[i];
		if (!model_has_pfnmap(m, pages) || pages->first > last ||
		    pages->first + pages->npages <= first || !pages->there)
			continue;
		pages->there = false;
		pages->pending = true;
		m->done[DID_REVOKE]++;
	}
}

/* After a race or a fault, whose place the model does not know: look what is. */
static void resync(struct kunit *test, struct model *m)
{
	struct iopt_area *area;
	unsigned int i = 0;

	if (!raced && !m->armed)
		return;
	down_read(&m->w->iopt.iova_rwsem);
	for (area = iopt_area_first(&m->w->iopt, 0, ULONG_MAX); area && i != m->nareas;
	     area = iopt_area_next(area, ULONG_MAX), i++) {
		struct model_pages *pages = m->areas[i].pages;
		bool wanted = pages->there || pages->pending;

		if (!model_has_pfnmap(m, pages) || !area->pages->pfnmap)
			continue;
		pages->there = kt_pfnmap_established(area->pages->pfnmap);
		pages->pending = kt_pfnmap_pending(area->pages->pfnmap);
		/* What was taken away is at least tried again. */
		if (wanted && !m->armed)
			KUNIT_EXPECT_TRUE(test, pages->there || pages->pending);
	}
	up_read(&m->w->iopt.iova_rwsem);
}

static void check_model(struct kunit *test, struct model *m)
{
	unsigned long npfnmaps = 0;
	struct iopt_area *area;
	unsigned int i = 0;

	down_read(&m->w->iopt.iova_rwsem);
	for (area = iopt_area_first(&m->w->iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX), i++) {
		struct model_area *want = &m->areas[i];

		KUNIT_ASSERT_LT(test, i, m->nareas);
		KUNIT_ASSERT_EQ(test, area->node.start, want->start);
		KUNIT_ASSERT_EQ(test, area->node.last, want->last);
		KUNIT_ASSERT_EQ(test, area->first_page, want->page);
		KUNIT_ASSERT_EQ(test, area->pages->uva,
				(want->pages->is_bar ? KT_BAR_UVA : KT_UVA) +
				want->pages->first * PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, !!area->pages->pfnmap, model_has_pfnmap(m, want->pages));
		if (!area->pages->pfnmap)
			continue;
		KUNIT_ASSERT_EQ(test, kt_pfnmap_established(area->pages->pfnmap),
				want->pages->there);
		KUNIT_ASSERT_EQ(test, kt_pfnmap_pending(area->pages->pfnmap),
				want->pages->pending);
	}
	up_read(&m->w->iopt.iova_rwsem);
	KUNIT_ASSERT_EQ(test, i, m->nareas);
	for (i = 0; i != MAX_AREAS; i++)
		npfnmaps += model_has_pfnmap(m, &m->pages[i]);
	KUNIT_ASSERT_EQ(test, pfnmap_count() - m->before, npfnmaps);
	KUNIT_ASSERT_EQ(test, (unsigned long)m->bar->nnotifiers, npfnmaps);
	kt_world_check(test, m->w);
}

/* ------------------------------------------------------------------ */
/* Faults */

static void arm(struct model *m, bool may_be_killed)
{
	raced = false;
	m->armed = false;
	if (!m->bar->dead && kt_chance(3)) {
		if (kt_chance(2))
			m->bar->zap_before = 1 + kt_random(200);
		else
			m->bar->zap_after = 1 + kt_random(200);
		return;
	}
	m->bar->unlocks = kt_chance(4) ? kt_random(4) : 0;
	m->bar->busy = kt_chance(4) ? kt_random(20) : 0;
	if (!m->faults || !kt_chance(2))
		return;
	m->armed = true;
	if (may_be_killed && kt_chance(3))
		kt_kill(1 + kt_random(100));
	else if (kt_chance(2))
		kt_fail_alloc(1 + kt_random(8));
	else
		kt_domain_fail(&m->w->doms[kt_random(KT_DOMAINS)], 1 + kt_random(20),
			       kt_random(3));
}

/* True when the call did what it should; false when a fault stopped it. */
static bool went_well(struct kunit *test, struct model *m, int rc, int want)
{
	bool fault = rc != want && m->armed && (rc == -ENOMEM || rc == -EINTR);
	unsigned int i;

	kt_fail_alloc(0);
	kt_kill(0);
	for (i = 0; i != KT_DOMAINS; i++)
		kt_domain_fail(&m->w->doms[i], 0, 0);
	m->bar->zap_before = 0;
	m->bar->zap_after = 0;
	m->bar->unlocks = 0;
	m->bar->busy = 0;
	m->done[DID_FAULT] += fault;
	m->done[DID_RACE] += raced;
	if (!fault)
		KUNIT_ASSERT_EQ(test, rc, want);
	return !rc;
}

/* ------------------------------------------------------------------ */
/* Operations */

/* More often than not right beside an area, or where large IO pages are possible. */
static unsigned long random_iova(struct model *m, phys_addr_t phys, unsigned long length)
{
	unsigned long iova = BASE + kt_random(WINDOW / PAGE_SIZE) * PAGE_SIZE;
	struct model_area *area = &m->areas[m->nareas ? kt_random(m->nareas) : 0];

	if (m->nareas && kt_chance(3))
		iova = area->start - length;
	else if (m->nareas && kt_chance(2))
		iova = area->last + 1;
	else if (kt_chance(2))
		iova = (iova & ~(SZ_2M - 1UL)) | (phys & (SZ_2M - 1));
	return clamp(iova, BASE, BASE + WINDOW - length);
}

static void op_map(struct kunit *test, struct model *m)
{
	struct iopt_map_args args = { .prot = IOMMU_READ | IOMMU_WRITE };
	struct model_pages *pages = m->pages;
	struct model_area area = {};
	int rc, want = 0;

	while (pages->areas)
		pages++;
	*pages = (struct model_pages){ .is_bar = kt_chance(2) };
	pages->npages = 1 + kt_random(kt_chance(4) ? 1200 : 40);
	pages->first = kt_random(NPAGES - pages->npages + 1);
	args.length = pages->npages * PAGE_SIZE;
	args.iova = random_iova(m, pages->is_bar ? PFN_PHYS(m->bar->pages[pages->first].pfn) :
				kt_mem_phys(m->w->mem, pages->first * PAGE_SIZE), args.length);
	area.start = args.iova;
	area.last = args.iova + args.length - 1;
	area.pages = pages;
	if (model_mapped(m, area.start, area.last))
		want = -EEXIST;
	else if (pages->is_bar && m->w->nattached && !model_readable(m, pages))
		want = -EFAULT;

	arm(m, true);
	rc = iopt_map_user_pages(&m->w->iopt, m->w->owner, IOMMUFD_ACCOUNT_MM,
				 (pages->is_bar ? KT_BAR_UVA : KT_UVA) +
				 pages->first * PAGE_SIZE, &args);
	if (went_well(test, m, rc, want)) {
		pages->there = m->w->nattached;
		model_insert(m, &area);
		m->done[pages->is_bar ? DID_MAP_BAR : DID_MAP]++;
	}
	resync(test, m);
}

/* A part of what is mapped without a gap, often of more than one area */
static bool random_mapped(struct model *m, unsigned long *first, unsigned long *last)
{
	unsigned int i, end;

	if (!m->nareas)
		return false;
	i = kt_random(m->nareas);
	end = i;
	while (end + 1 != m->nareas && m->areas[end + 1].start == m->areas[end].last + 1 &&
	       !kt_chance(4))
		end++;
	*first = m->areas[i].start;
	*last = m->areas[end].last;
	if (kt_chance(3))
		*first += kt_random((*last - *first + 1) / PAGE_SIZE) * PAGE_SIZE;
	if (kt_chance(3))
		*last -= kt_random((*last - *first + 1) / PAGE_SIZE) * PAGE_SIZE;
	return true;
}

static void op_copy(struct kunit *test, struct model *m)
{
	struct iopt_map_args args = { .prot = IOMMU_READ };
	struct model_area parts[MAX_AREAS];
	unsigned int n = 0, i;
	unsigned long first, last, skip;
	int rc, want;

	if (!random_mapped(m, &first, &last))
		return;
	args.length = last - first + 1;
	args.iova = random_iova(m, 0, args.length);
	want = model_mapped(m, args.iova, args.iova + args.length - 1) ? -EEXIST : 0;
	for (i = 0; i != m->nareas; i++) {
		if (m->areas[i].last < first || m->areas[i].start > last)
			continue;
		parts[n] = m->areas[i];
		skip = max(first, parts[n].start) - parts[n].start;
		parts[n].page += skip / PAGE_SIZE;
		parts[n].start += skip + args.iova - first;
		parts[n].last = min(last, parts[n].last) + args.iova - first;
		n++;
	}
	if (m->nareas + n > MAX_AREAS)
		return;

	arm(m, true);
	rc = iopt_copy(&m->w->iopt, &m->w->iopt, first, &args);
	if (went_well(test, m, rc, want)) {
		for (i = 0; i != n; i++) {
			model_insert(m, &parts[i]);
			model_map(m, parts[i].pages);
			m->done[parts[i].pages->is_bar ? DID_COPY_BAR : DID_COPY]++;
		}
	}
	/* A part may have been in use for a while. */
	resync(test, m);
}

static void op_cut(struct kunit *test, struct model *m)
{
	struct model_area *area, upper;
	unsigned long skip;
	int rc, want;

	if (!m->nareas || m->nareas == MAX_AREAS)
		return;
	area = &m->areas[kt_random(m->nareas)];
	skip = kt_random((area->last - area->start + 1) / PAGE_SIZE) * PAGE_SIZE;
	want = skip && m->w->nattached && !m->disabled ? -EINVAL : 0;

	arm(m, false);
	rc = iopt_cut(&m->w->iopt, area->start + skip, ULONG_MAX);
	if (!went_well(test, m, rc, want) || !skip)
		return;
	upper = *area;
	upper.start += skip;
	upper.page += skip / PAGE_SIZE;
	area->last = upper.start - 1;
	model_insert(m, &upper);
	m->done[DID_CUT]++;
}

static void op_unmap(struct kunit *test, struct model *m)
{
	unsigned long unmapped, bytes = 0;
	unsigned int first, last, i;

	if (!m->nareas)
		return;
	first = kt_random(m->nareas);
	last = min(m->nareas - 1, first + kt_random(5));
	for (i = first; i <= last; i++)
		bytes += m->areas[i].last - m->areas[i].start + 1;
	arm(m, false);
	/* Nothing that frees may need memory. */
	m->armed = false;
	went_well(test, m, iopt_unmap(&m->w->iopt, m->areas[first].start, m->areas[last].last,
				      IOPT_UNMAP_NATIVE, &unmapped), 0);
	KUNIT_ASSERT_EQ(test, unmapped, bytes);
	for (i = last + 1; i-- > first;)
		model_remove(m, i);
	m->done[DID_UNMAP]++;
}

static void attach(struct kunit *test, struct model *m, unsigned int n, int want)
{
	bool first = !m->w->nattached;
	unsigned int i;

	if (went_well(test, m, kt_world_attach(m->w, n), want)) {
		if (first)
			model_set_all(m, true);
		for (i = 0; i != m->nareas; i++)
			model_map(m, m->areas[i].pages);
		m->done[DID_ATTACH]++;
	}
	resync(test, m);
}

static void op_domain(struct kunit *test, struct model *m)
{
	unsigned int n = kt_random(KT_DOMAINS);

	if (m->w->attached[n]) {
		arm(m, false);
		m->armed = false;
		kt_world_detach(m->w, n);
		went_well(test, m, 0, 0);
		if (!m->w->nattached)
			model_set_all(m, false);
		m->done[DID_DETACH]++;
		return;
	}
	arm(m, true);
	attach(test, m, n, m->w->nattached ? 0 : model_first_domain(m));
}

/* A domain that comes when all is pinned already: the BAR has users before. */
static void op_pin_all(struct kunit *test, struct model *m)
{
	unsigned int n = kt_random(KT_DOMAINS);
	struct iopt_area *pinned;
	int want = m->w->nattached ? 0 : model_first_domain(m);

	arm(m, true);
	if (!went_well(test, m, iopt_pin_all(&m->w->iopt, &pinned), want)) {
		resync(test, m);
		return;
	}
	resync(test, m);
	if (!m->w->attached[n] && kt_chance(2))
		attach(test, m, n, 0);
	iopt_unpin_all(&m->w->iopt, pinned);
}

static void op_zap(struct kunit *test, struct model *m)
{
	unsigned long first = kt_random(NPAGES);
	unsigned long last = min(NPAGES - 1, first + kt_random(kt_chance(2) ? 8 : NPAGES));

	m->bar->dead |= kt_chance(3);
	kt_bar_zap(m->bar, first, last);
	model_zap(m, first, last);
}

static void op_work(struct kunit *test, struct model *m)
{
	struct model_pages *pages;
	unsigned int i;

	m->bar->dead &= kt_chance(2);
	arm(m, false);
	kt_bar_run(m->bar);
	for (i = 0; i != MAX_AREAS; i++) {
		pages = &m->pages[i];
		if (!pages->areas || !pages->pending)
			continue;
		pages->pending = false;
		pages->there = model_readable(m, pages);
		m->done[pages->there ? DID_RESTORE : DID_LOSE]++;
	}
	went_well(test, m, 0, 0);
	resync(test, m);
}

/* ------------------------------------------------------------------ */

static void one_operation(struct kunit *test, struct model *m)
{
	unsigned int what = kt_random(32);

	if (what < 9 && m->nareas != MAX_AREAS)
		op_map(test, m);
	else if (what < 13)
		op_copy(test, m);
	else if (what < 15)
		op_cut(test, m);
	else if (what < 19)
		op_unmap(test, m);
	else if (what < 22)
		op_domain(test, m);
	else if (what < 23)
		op_pin_all(test, m);
	else if (what < 27)
		op_zap(test, m);
	else
		op_work(test, m);
}

static bool all_done(const struct model *m)
{
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(m->done); i++)
		if (!m->done[i] && (i != DID_FAULT || m->faults))
			return false;
	return true;
}

/* Three domains with IO pages of these sizes */
static void run_random(struct kunit *test, unsigned long a, unsigned long b, unsigned long c,
		       bool disabled, bool faults)
{
	const unsigned long pgsizes[] = { a, b, c };
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, m);
	kt_seed(test);
	m->faults = faults;
	m->disabled = disabled;
	m->before = pfnmap_count();
	m->w = kt_world_create(test, NPAGES, KT_MIXED, pgsizes);
	m->bar = kt_bar_create(test, NPAGES, KT_MIXED);
	m->bar->zapped = set_raced;
	if (disabled)
		KUNIT_ASSERT_EQ(test, iopt_disable_large_pages(&m->w->iopt), 0);

	/* A run in which something never happens proves little: go on then. */
	for (round = 0; round < 300 * kt_rounds ||
	     (round < 3000 * kt_rounds && !all_done(m)); round++) {
		one_operation(test, m);
		check_model(test, m);
		cond_resched();
	}
	kt_world_destroy(m->w);
	KUNIT_EXPECT_EQ(test, pfnmap_count(), m->before);
	kt_bar_destroy(m->bar);
	KUNIT_EXPECT_TRUE(test, all_done(m));
}

static void bar_4k(struct kunit *test)
{
	run_random(test, SZ_4K, SZ_4K, SZ_4K, false, false);
}

static void bar_large(struct kunit *test)
{
	run_random(test, SZ_4K | SZ_2M | SZ_1G, ~0UL << 12, SZ_4K | SZ_2M, false, false);
}

static void bar_cut(struct kunit *test)
{
	run_random(test, SZ_4K | SZ_2M | SZ_1G, SZ_2K, ~0UL << 12, true, false);
}

static void bar_faults(struct kunit *test)
{
	run_random(test, SZ_4K | SZ_2M | SZ_1G, SZ_4K, ~0UL << 12, false, true);
}

static void bar_faults_cut(struct kunit *test)
{
	run_random(test, SZ_4K, SZ_4K | SZ_2M, SZ_4K, true, true);
}

static struct kunit_case bar_cases[] = {
	KUNIT_CASE(bar_4k),
	KUNIT_CASE(bar_large),
	KUNIT_CASE(bar_cut),
	KUNIT_CASE(bar_faults),
	KUNIT_CASE(bar_faults_cut),
	{}
};

struct kunit_suite kt_bar_suite = {
	.name = "iommufd_bar",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = bar_cases,
};
