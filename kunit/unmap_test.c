// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every unmap against the rule of kernel 6.1, by random operations.
 *
 * Maps, copies, unmaps, cuts, in-kernel pins, domains that come and go, in
 * windows at interesting places, with IO page sizes of all kinds and faults of
 * all kinds.  A plain array says what must be mapped and what each call must
 * return; the fake domains say whether the IOMMU driver would have survived.
 */
#include <linux/sizes.h>

#include "util.h"
#include "world.h"

#define NPAGES 4096UL
#define WINDOW SZ_32M
#define MAX_AREAS 48
#define MAX_PINS 4

struct model_area {
	unsigned long start, last;
	unsigned long offset;	/* in the fake memory */
	int prot;
	bool compat;
	bool writable;		/* as it was first mapped */
	unsigned int accesses;
};

struct model_pin {
	unsigned long iova, length;
};

struct model {
	struct kt_world *w;
	unsigned long base;	/* of the window */
	struct model_area areas[MAX_AREAS];	/* in order */
	unsigned int nareas;
	struct iopt_access access;
	bool has_access;
	struct model_pin pins[MAX_PINS];
	unsigned int npins;
	struct page **list;
	bool frozen;		/* iopt_pin_all() lets no map in */
	struct iopt_area *pinned_all;
	u8 *held_all;		/* pages that @pinned_all holds */
	bool disabled;		/* large IO pages */
	bool faults;
	unsigned int armed;	/* a fault may hit the next call */
	unsigned int done[10];	/* how often each operation has succeeded */
};

enum {
	DID_MAP, DID_COPY, DID_UNMAP, DID_CUT, DID_ATTACH, DID_DETACH,
	DID_PIN, DID_PIN_ALL, DID_DISABLE, DID_FAULT,
};

/* ------------------------------------------------------------------ */
/* The model */

static unsigned long model_alignment(struct model *m, unsigned int with)
{
	unsigned long align = m->disabled || m->has_access ? PAGE_SIZE : 1;
	unsigned int i;

	for (i = 0; i != KT_DOMAINS; i++)
		if (m->w->attached[i] || i == with)
			align = max(align, BIT(__ffs(m->w->doms[i].domain.pgsize_bitmap)));
	return align;
}

static bool model_aligned(struct model *m, unsigned long align)
{
	unsigned int i;

	for (i = 0; i != m->nareas; i++)
		if ((m->areas[i].start | (m->areas[i].last + 1) |
		     m->areas[i].offset % PAGE_SIZE) & (align - 1))
			return false;
	return true;
}

/* What raising the alignment to @align does. */
static int model_set_alignment(struct model *m, unsigned long align)
{
	if (align > PAGE_SIZE)
		return -EINVAL;
	return model_aligned(m, align) ? 0 : -EADDRINUSE;
}

static bool model_mapped(struct model *m, unsigned long first,
			 unsigned long last)
{
	unsigned int i;

	for (i = 0; i != m->nareas; i++)
		if (m->areas[i].start <= last && m->areas[i].last >= first)
			return true;
	return false;
}

static bool outside(struct kt_domain *dom, unsigned long first,
		    unsigned long last)
{
	return first < dom->domain.geometry.aperture_start ||
	       last > dom->domain.geometry.aperture_end;
}

static bool model_reserved(struct model *m, unsigned long first,
			   unsigned long last)
{
	unsigned int i;

	for (i = 0; i != KT_DOMAINS; i++)
		if (m->w->attached[i] && outside(&m->w->doms[i], first, last))
			return true;
	return false;
}

static struct model_area *model_at(struct model *m, unsigned long iova)
{
	unsigned int i;

	for (i = 0; i != m->nareas; i++)
		if (m->areas[i].start <= iova && m->areas[i].last >= iova)
			return &m->areas[i];
	return NULL;
}

static void model_insert(struct model *m, const struct model_area *area)
{
	unsigned int i = m->nareas++;

	for (; i && m->areas[i - 1].start > area->start; i--)
		m->areas[i] = m->areas[i - 1];
	m->areas[i] = *area;
}

static void model_remove(struct model *m, unsigned int i)
{
	m->nareas--;
	memmove(&m->areas[i], &m->areas[i + 1], (m->nareas - i) * sizeof(m->areas[0]));
}

/* The order of checks is that of VFIO type1. */
static int model_place(struct model *m, const struct iopt_map_args *args,
		       const struct model_area *parts, unsigned int nparts)
{
	unsigned long mask = model_alignment(m, KT_DOMAINS) - 1;
	unsigned long last = args->iova + args->length - 1, compat = 0, i;

	if (args->length & mask)
		return -EINVAL;
	for (i = 0; i != nparts; i++)
		if ((parts[i].offset % PAGE_SIZE | (parts[i].last - parts[i].start + 1)) & mask)
			return -EINVAL;
	if (args->alloc_iova)
		return 0;
	if (args->iova & mask)
		return -EINVAL;
	if (last < args->iova)
		return -EOVERFLOW;
	if (model_mapped(m, args->iova, last))
		return -EEXIST;
	for (i = 0; i != m->nareas; i++)
		compat += m->areas[i].compat;
	if (args->compat_limit && compat >= args->compat_limit)
		return -ENOSPC;
	return model_reserved(m, args->iova, last) ? -EINVAL : 0;
}

/* What a copy of [@iova, @last] would be made of.  -E... or number of parts. */
static int model_parts(struct model *m, unsigned long iova, unsigned long last,
		       int prot, struct model_area *parts)
{
	struct model_area *area;
	int n = 0;

	for (;; iova = area->last + 1) {
		area = model_at(m, iova);
		if (!area)
			return -ENOENT;
		if ((prot & IOMMU_WRITE) && !area->writable)
			return -EPERM;
		parts[n] = *area;
		parts[n].accesses = 0;
		parts[n].offset += iova - area->start;
		parts[n].start = iova;
		parts[n].last = min(last, area->last);
		n++;
		if (area->last >= last)
			return n;
	}
}

static void check_model(struct kunit *test, struct model *m)
{
	struct iopt_area *area;
	unsigned int i = 0;

	down_read(&m->w->iopt.iova_rwsem);
	for (area = iopt_area_first(&m->w->iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX), i++) {
		KUNIT_ASSERT_LT(test, i, m->nareas);
		KUNIT_ASSERT_EQ(test, area->node.start, m->areas[i].start);
		KUNIT_ASSERT_EQ(test, area->node.last, m->areas[i].last);
		KUNIT_ASSERT_EQ(test, area->pages->uva - KT_UVA +
				iopt_area_offset(area, area->node.start), m->areas[i].offset);
		KUNIT_ASSERT_EQ(test, area->prot, m->areas[i].prot);
		KUNIT_ASSERT_EQ(test, area->compat, m->areas[i].compat);
		KUNIT_ASSERT_EQ(test, (unsigned int)atomic_read(&area->num_accesses),
				m->areas[i].accesses);
	}
	up_read(&m->w->iopt.iova_rwsem);
	KUNIT_ASSERT_EQ(test, i, m->nareas);
	KUNIT_ASSERT_EQ(test, m->w->iopt.iova_alignment, model_alignment(m, KT_DOMAINS));
	kt_world_check(test, m->w);
}

/* ------------------------------------------------------------------ */
/* Faults */

static void arm(struct model *m)
{
	unsigned int i;

	m->armed = 0;
	for (i = 0; i != KT_DOMAINS; i++)
		m->w->doms[i].largest = 0;
	m->w->mem->short_gup = kt_chance(4);
	if (!m->faults || !kt_chance(2))
		return;
	m->armed = 1;
	switch (kt_random(4)) {
	case 0:
		kt_fail_alloc(1 + kt_random(12));
		break;
	case 1:
		kt_kill(1 + kt_random(4));
		break;
	case 2:
		m->w->mem->bad = kt_random(NPAGES);
		m->w->mem->bad_rc = -EFAULT;
		break;
	default:
		kt_domain_fail(&m->w->doms[kt_random(KT_DOMAINS)], 1 + kt_random(6),
			       kt_random(3));
	}
}

/* True when the call did what it should; false when a fault stopped it. */
static bool went_well(struct kunit *test, struct model *m, int rc, int want)
{
	unsigned int i;
	bool fault = rc != want && m->armed &&
		     (rc == -ENOMEM || rc == -EINTR || rc == -EFAULT);

	kt_fail_alloc(0);
	kt_kill(0);
	m->w->mem->bad = ULONG_MAX;
	for (i = 0; i != KT_DOMAINS; i++) {
		kt_domain_fail(&m->w->doms[i], 0, 0);
		/* Disabled means that no IO page is larger than a page. */
		if (m->disabled)
			KUNIT_ASSERT_LE(test, m->w->doms[i].largest, PAGE_SIZE);
	}
	m->done[DID_FAULT] += fault;
	if (!fault)
		KUNIT_ASSERT_EQ(test, rc, want);
	return !rc;
}

/* ------------------------------------------------------------------ */
/* Operations */

static unsigned long random_length(struct model *m)
{
	if (kt_chance(8))
		return 512 * (1 + kt_random(40));
	if (kt_chance(4))
		return PAGE_SIZE * (1 + kt_random(1500));
	return PAGE_SIZE * (1 + kt_random(30));
}

/* A range of the window, more often than not one that means something. */
static void random_range(struct model *m, unsigned long *first,
			 unsigned long *last)
{
	struct model_area *area;

	if (m->nareas && !kt_chance(4)) {
		area = &m->areas[kt_random(m->nareas)];
		*first = area->start;
		*last = area->last;
		if (kt_chance(2)) {
			/* To the end of a later one. */
			area += kt_random(m->areas + m->nareas - area);
			*last = area->last;
		}
		if (kt_chance(4))
			*first += min(*last - *first, PAGE_SIZE * kt_random(3) + 512);
		if (kt_chance(4))
			*last -= min(*last - *first, PAGE_SIZE * kt_random(3) + 512);
		return;
	}
	*first = m->base + kt_random(WINDOW / PAGE_SIZE) * PAGE_SIZE;
	*last = *first + min(m->base + WINDOW - 1 - *first, random_length(m) - 1);
}

static void random_args(struct model *m, struct iopt_map_args *args,
			unsigned long offset, unsigned long length)
{
	*args = (struct iopt_map_args){
		.length = length,
		.prot = kt_chance(3) ? IOMMU_READ : IOMMU_READ | IOMMU_WRITE,
		.compat = kt_chance(2),
		.compat_limit = kt_chance(6) ? 1 + kt_random(8) : 0,
		.alloc_iova = kt_chance(5),
	};
	if (kt_chance(3))
		args->prot |= IOMMU_CACHE;
	args->iova = m->base + kt_random(WINDOW / PAGE_SIZE) * PAGE_SIZE;
	/* Where large IO pages are possible, or right after another area. */
	if (kt_chance(2)) {
		args->iova &= ~(SZ_2M - 1UL);
		args->iova |= kt_mem_phys(m->w->mem, offset) & (SZ_2M - 1);
	} else if (m->nareas && kt_chance(2)) {
		args->iova = m->areas[kt_random(m->nareas)].last + 1;
	} else if (kt_chance(8)) {
		args->iova += 512;
	}
	if (args->iova < m->base || args->iova - m->base > WINDOW - 1)
		args->iova = m->base;
	if (m->base + WINDOW && args->length > m->base + WINDOW - args->iova)
		args->length = m->base + WINDOW - args->iova;
}

static void op_map(struct kunit *test, struct model *m)
{
	unsigned long length = random_length(m), offset;
	struct model_area area = {};
	struct iopt_map_args args;
	int rc, want;

	offset = kt_random(NPAGES - length / PAGE_SIZE - 1) * PAGE_SIZE;
	if (kt_chance(10))
		offset += 512 * kt_random(8);
	random_args(m, &args, offset, length);
	area.offset = offset;
	area.last = args.length - 1;
	area.prot = args.prot;
	area.compat = args.compat;
	area.writable = args.prot & IOMMU_WRITE;
	want = model_place(m, &args, &area, 1);

	arm(m);
	rc = iopt_map_user_pages(&m->w->iopt, m->w->owner, IOMMUFD_ACCOUNT_MM,
				 KT_UVA + offset, &args);
	if (!went_well(test, m, rc, want))
		return;
	KUNIT_ASSERT_FALSE(test, model_mapped(m, args.iova, args.iova + area.last));
	KUNIT_ASSERT_FALSE(test, model_reserved(m, args.iova, args.iova + area.last));
	area.start = args.iova;
	area.last += args.iova;
	model_insert(m, &area);
	m->done[DID_MAP]++;
}

static void op_copy(struct kunit *test, struct model *m)
{
	struct model_area *parts = kunit_kcalloc(test, MAX_AREAS, sizeof(*parts), GFP_KERNEL);
	unsigned long first, last, iova;
	struct iopt_map_args args;
	int rc, want, nparts, i;

	KUNIT_ASSERT_NOT_NULL(test, parts);
	random_range(m, &first, &last);
	random_args(m, &args, 0, last - first + 1);
	args.compat_limit = 0;
	last = first + args.length - 1;
	nparts = model_parts(m, first, last, args.prot, parts);
	if (nparts > 0 && m->nareas + nparts > MAX_AREAS)
		goto out;
	want = nparts < 0 ? nparts : model_place(m, &args, parts, nparts);

	arm(m);
	rc = iopt_copy(&m->w->iopt, &m->w->iopt, first, &args);
	if (!went_well(test, m, rc, want))
		goto out;
	for (i = 0, iova = args.iova; i != nparts; i++) {
		parts[i].last = iova + (parts[i].last - parts[i].start);
		parts[i].start = iova;
		parts[i].prot = args.prot;
		parts[i].compat = args.compat;
		iova = parts[i].last + 1;
		model_insert(m, &parts[i]);
	}
	m->done[DID_COPY]++;
out:
	kunit_kfree(test, parts);
}

static void op_unmap(struct kunit *test, struct model *m)
{
	enum iopt_unmap_policy policy = kt_random(4);
	unsigned long first, last, unmapped, want_bytes = 0;
	bool take[MAX_AREAS] = {};
	int rc, want = 0;
	unsigned int i;

	random_range(m, &first, &last);
	if (kt_chance(20)) {
		first = 0;
		last = ULONG_MAX;
	}
	for (i = 0; i != m->nareas && !want; i++) {
		struct model_area *area = &m->areas[i];
		bool cut = area->start < first || area->last > last;

		if (area->last < first || area->start > last)
			continue;
		if (policy == IOPT_UNMAP_COMPAT && !area->compat)
			continue;
		if (policy == IOPT_UNMAP_TYPE1 && area->start < first)
			break;
		if (cut && policy == IOPT_UNMAP_NATIVE)
			want = -ENOENT;
		if (cut && policy == IOPT_UNMAP_TYPE1V2)
			want = -EINVAL;
		take[i] = true;
		want_bytes += area->last - area->start + 1;
	}

	arm(m);
	/* Nothing that frees may need memory, or stop half way. */
	rc = iopt_unmap(&m->w->iopt, first, last, policy, &unmapped);
	m->armed = 0;
	if (!went_well(test, m, rc, want)) {
		KUNIT_ASSERT_EQ(test, unmapped, 0UL);
		return;
	}
	KUNIT_ASSERT_EQ(test, unmapped, want_bytes);
	for (i = m->nareas; i--;)
		if (take[i])
			model_remove(m, i);
	m->done[DID_UNMAP] += unmapped > 0;
}

static void op_cut(struct kunit *test, struct model *m)
{
	struct model_area *area, upper;
	unsigned long first, last, iova;
	int rc, want = 0;

	random_range(m, &first, &last);
	iova = first + kt_random((last - first) / PAGE_SIZE + 1) * PAGE_SIZE;
	if (kt_chance(8))
		iova += 512;
	if (m->nareas == MAX_AREAS)
		return;
	area = model_at(m, iova);
	if (area && area->start != iova) {
		if ((m->w->nattached && !m->disabled) ||
		    (iova & (model_alignment(m, KT_DOMAINS) - 1)))
			want = -EINVAL;
		else if (area->accesses)
			want = -EBUSY;
	}
	arm(m);
	rc = iopt_cut(&m->w->iopt, iova, ULONG_MAX);
	if (!went_well(test, m, rc, want) || !area || area->start == iova)
		return;
	upper = *area;
	upper.start = iova;
	upper.offset += iova - area->start;
	area->last = iova - 1;
	model_insert(m, &upper);
	m->done[DID_CUT]++;
}

static void op_domain(struct kunit *test, struct model *m)
{
	unsigned int n = kt_random(KT_DOMAINS), i;
	int rc, want;

	if (m->w->attached[n]) {
		bool all = kt_chance(3);

		arm(m);
		m->armed = 0;
		for (i = 0; i != KT_DOMAINS; i++)
			if (m->w->attached[i] && (all || i == n))
				kt_world_detach(m->w, i);
		went_well(test, m, 0, 0);
		m->done[DID_DETACH]++;
		return;
	}
	want = model_set_alignment(m, model_alignment(m, n));
	for (i = 0; i != m->nareas && !want; i++)
		if (outside(&m->w->doms[n], m->areas[i].start, m->areas[i].last))
			want = -EADDRINUSE;
	arm(m);
	rc = kt_world_attach(m->w, n);
	m->done[DID_ATTACH] += went_well(test, m, rc, want);
}

static void op_large_pages(struct kunit *test, struct model *m)
{
	int rc, want = 0;

	if (m->disabled && kt_chance(2)) {
		iopt_enable_large_pages(&m->w->iopt);
		m->disabled = false;
		return;
	}
	if (!m->disabled) {
		if (m->w->nattached && m->nareas)
			want = -EINVAL;
		else
			want = model_set_alignment(m, max(PAGE_SIZE,
							  model_alignment(m, KT_DOMAINS)));
	}
	rc = iopt_disable_large_pages(&m->w->iopt);
	KUNIT_ASSERT_EQ(test, rc, want);
	if (!rc)
		m->disabled = true;
	m->done[DID_DISABLE] += !rc;
}

/* ------------------------------------------------------------------ */
/* In-kernel users */

static void hold_range(struct model *m, unsigned long iova, unsigned long last,
		       int n)
{
	struct model_area *area;
	unsigned long part_last, i;

	for (;; iova = part_last + 1) {
		area = model_at(m, iova);
		part_last = min(last, area->last);
		for (i = (area->offset + iova - area->start) / PAGE_SIZE;
		     i <= (area->offset + part_last - area->start) / PAGE_SIZE; i++)
			m->w->held[i] += n;
		area->accesses += n;
		if (part_last == last)
			return;
	}
}

static void release_pin(struct model *m, unsigned int n)
{
	struct model_pin pin = m->pins[n];

	hold_range(m, pin.iova, pin.iova + pin.length - 1, -1);
	m->pins[n] = m->pins[--m->npins];
	iopt_access_unpin(&m->w->iopt, pin.iova, pin.length);
}

static void model_release_pins(struct model *m, unsigned long first,
			       unsigned long last)
{
	unsigned int i;

	for (i = m->npins; i--;)
		if (m->pins[i].iova <= last &&
		    m->pins[i].iova + m->pins[i].length - 1 >= first)
			release_pin(m, i);
}

static void access_unmap(struct iopt_access *access, unsigned long iova,
			 unsigned long length)
{
	model_release_pins(container_of(access, struct model, access), iova,
			   iova + length - 1);
}

static int model_check_mapped(struct model *m, unsigned long iova,
			      unsigned long last, bool write)
{
	struct model_area *area;

	for (;; iova = area->last + 1) {
		area = model_at(m, iova);
		if (!area)
			return -ENOENT;
		if (!(area->prot & (write ? IOMMU_WRITE : IOMMU_READ)))
			return -EPERM;
		if (area->last >= last)
			return 0;
	}
}

static void op_pin(struct kunit *test, struct model *m)
{
	unsigned long first, last, pos, n = 0;
	struct model_area *area;
	bool write = kt_chance(2);
	int rc, want;

	if (m->npins == MAX_PINS || (m->npins && kt_chance(2))) {
		release_pin(m, kt_random(m->npins));
		return;
	}
	random_range(m, &first, &last);
	/* Room for one page more than the range has at either end. */
	last = first + min(last - first, (NPAGES - 2) * PAGE_SIZE - 1);
	want = model_check_mapped(m, first, last, write);
	arm(m);
	rc = iopt_access_pin(&m->w->iopt, first, last - first + 1, m->list, write);
	if (!went_well(test, m, rc, want))
		return;
	hold_range(m, first, last, 1);
	m->pins[m->npins].iova = first;
	m->pins[m->npins++].length = last - first + 1;
	for (pos = first; pos - first <= last - first; pos += PAGE_SIZE) {
		area = model_at(m, pos);
		KUNIT_ASSERT_EQ(test, kt_page_to_pfn(m->list[n++]),
				(unsigned long)m->w->mem->pfns[(area->offset + pos - area->start) /
							       PAGE_SIZE]);
		if (pos + PAGE_SIZE < pos)
			break;
	}
	m->done[DID_PIN]++;
}

static void op_access(struct kunit *test, struct model *m)
{
	int rc, want;

	if (m->has_access) {
		if (m->npins || !kt_chance(4))
			return op_pin(test, m);
		iopt_remove_access(&m->w->iopt, &m->access);
		m->has_access = false;
		return;
	}
	m->has_access = true;
	want = model_set_alignment(m, model_alignment(m, KT_DOMAINS));
	m->access.pins = true;
	m->access.unmap = access_unmap;
	rc = iopt_add_access(&m->w->iopt, &m->access);
	m->has_access = !rc;
	KUNIT_ASSERT_EQ(test, rc, want);
}

static void release_all(struct model *m)
{
	unsigned long i;

	iopt_unpin_all(&m->w->iopt, m->pinned_all);
	m->pinned_all = NULL;
	m->frozen = false;
	for (i = 0; i != NPAGES; i++) {
		m->w->held[i] -= m->held_all[i];
		m->held_all[i] = 0;
	}
}

static void op_pin_all(struct kunit *test, struct model *m)
{
	unsigned long page, i;
	int rc;

	if (m->frozen)
		return release_all(m);
	arm(m);
	rc = iopt_pin_all(&m->w->iopt, &m->pinned_all);
	if (!went_well(test, m, rc, 0)) {
		KUNIT_ASSERT_PTR_EQ(test, m->pinned_all, NULL);
		return;
	}
	m->frozen = true;
	for (i = 0; i != m->nareas; i++) {
		struct model_area *area = &m->areas[i];

		for (page = area->offset / PAGE_SIZE;
		     page <= (area->offset + area->last - area->start) / PAGE_SIZE; page++) {
			m->held_all[page]++;
			m->w->held[page]++;
		}
	}
	m->done[DID_PIN_ALL] += !!m->pinned_all;
}

/* ------------------------------------------------------------------ */

static void one_operation(struct kunit *test, struct model *m)
{
	unsigned int what = kt_random(32);

	/* Maps would wait while they are frozen. */
	if (what < 10 && !m->frozen && m->nareas != MAX_AREAS)
		op_map(test, m);
	else if (what < 14 && !m->frozen)
		op_copy(test, m);
	else if (what < 19)
		op_unmap(test, m);
	else if (what < 22)
		op_cut(test, m);
	else if (what < 25)
		op_domain(test, m);
	else if (what < 27)
		op_large_pages(test, m);
	else if (what < 30)
		op_access(test, m);
	else
		op_pin_all(test, m);
}

static bool all_done(const struct model *m)
{
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(m->done); i++)
		if (!m->done[i] && (i != DID_FAULT || m->faults))
			return false;
	return true;
}

/* Three domains with IO pages of these sizes, in a window at @base. */
static void run_random(struct kunit *test, unsigned long a, unsigned long b,
		       unsigned long c, unsigned long base, bool faults)
{
	const unsigned long pgsizes[] = { a, b, c };
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, m);
	kt_seed(test);
	m->base = base;
	m->faults = faults;
	m->w = kt_world_create(test, NPAGES, KT_MIXED, pgsizes);
	m->list = kunit_kcalloc(test, NPAGES + 2, sizeof(*m->list), GFP_KERNEL);
	m->held_all = kunit_kzalloc(test, NPAGES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->list);
	KUNIT_ASSERT_NOT_NULL(test, m->held_all);
	/* One domain cannot translate all of the window. */
	if (base + WINDOW)
		kt_domain_set_aperture(&m->w->doms[2], base + SZ_8M, ULONG_MAX);
	else
		kt_domain_set_aperture(&m->w->doms[2], 0, base + WINDOW - SZ_8M - 1);

	/* A run in which something never happens proves little: go on then. */
	for (round = 0; round < 250 * kt_rounds ||
	     (round < 2000 * kt_rounds && !all_done(m)); round++) {
		one_operation(test, m);
		check_model(test, m);
		cond_resched();
	}
	if (m->frozen)
		release_all(m);
	model_release_pins(m, 0, ULONG_MAX);
	if (m->has_access)
		iopt_remove_access(&m->w->iopt, &m->access);
	kt_world_destroy(m->w);

	KUNIT_EXPECT_TRUE(test, all_done(m));
}

static void unmap_4k(struct kunit *test)
{
	run_random(test, SZ_4K, SZ_4K, SZ_4K, SZ_1G - SZ_16M, false);
}

static void unmap_4k_2m_1g(struct kunit *test)
{
	unsigned long pgsizes = SZ_4K | SZ_2M | SZ_1G;

	run_random(test, pgsizes, pgsizes, pgsizes, SZ_1G - SZ_16M, false);
}

static void unmap_every_power(struct kunit *test)
{
	run_random(test, ~0UL << 12, ~0UL << 12, ~0UL << 12, 64UL * SZ_1G, false);
}

static void unmap_2k(struct kunit *test)
{
	run_random(test, SZ_2K, ~0UL << 11, SZ_2K | SZ_64K, SZ_32M, false);
}

static void unmap_different(struct kunit *test)
{
	run_random(test, SZ_2K, SZ_4K | SZ_2M, ~0UL << 9, SZ_1G - SZ_16M, false);
}

static void unmap_high_end(struct kunit *test)
{
	run_random(test, SZ_4K | SZ_2M | SZ_1G, ~0UL << 12, SZ_4K, -(unsigned long)WINDOW, false);
}

static void unmap_low_end(struct kunit *test)
{
	run_random(test, SZ_4K | SZ_2M | SZ_1G, ~0UL << 12, SZ_4K, 0, false);
}

static void unmap_faults(struct kunit *test)
{
	run_random(test, SZ_4K | SZ_2M | SZ_1G, ~0UL << 12, SZ_4K, BIT(39) - SZ_16M, true);
}

static void unmap_faults_2k(struct kunit *test)
{
	run_random(test, SZ_2K, SZ_4K | SZ_2M | SZ_1G, ~0UL << 9, SZ_2G, true);
}

static struct kunit_case unmap_cases[] = {
	KUNIT_CASE(unmap_4k),
	KUNIT_CASE(unmap_4k_2m_1g),
	KUNIT_CASE(unmap_every_power),
	KUNIT_CASE(unmap_2k),
	KUNIT_CASE(unmap_different),
	KUNIT_CASE(unmap_high_end),
	KUNIT_CASE(unmap_low_end),
	KUNIT_CASE(unmap_faults),
	KUNIT_CASE(unmap_faults_2k),
	{}
};

struct kunit_suite kt_unmap_suite = {
	.name = "iommufd_unmap",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = unmap_cases,
};
