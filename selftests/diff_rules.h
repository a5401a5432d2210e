/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comparing the records of the two sides, and the known differences.
 *
 * A rule says of one step exactly how the two answers may differ; where they
 * do in any other way, no rule applies.  Each name stands in
 * diff_expected.list, with its reason and a test of its own.
 */
#ifndef SELFTESTS_DIFF_RULES_H
#define SELFTESTS_DIFF_RULES_H

#include "diff_arena.h"
#include "diff_list.h"

/* ------------------------------------------------------------------ */

/* Failed like this, and left the argument alone */
static bool failed_with(const struct step *s, const struct record *r, int err)
{
	uint8_t window[WINDOW];

	if (r->ret != -1 || r->err != err)
		return false;
	if (s->op != OP_GET_INFO && s->op != OP_MAP && s->op != OP_UNMAP && s->op != OP_DIRTY)
		return true;
	window_fill(s, window);
	return !memcmp(r->window, window, WINDOW);
}

static bool rule_nesting(const struct step *s, const struct record *stock,
			 const struct record *ours)
{
	return s->op == OP_CHECK_EXTENSION && s->iova == VFIO_TYPE1_NESTING_IOMMU &&
	       stock->ret == 1 && ours->ret == 0;
}

/* Type1 and vfio.ko know none of them. */
static bool rule_nesting_commands(const struct step *s, const struct record *stock,
				  const struct record *ours)
{
	if (s->op != OP_UNKNOWN || !is_nesting_command(s->iova) ||
	    (!failed_with(s, stock, ENOTTY) && !failed_with(s, stock, EINVAL)))
		return false;
	if (s->iova == VFIO_NESTING_GET_IOMMU_UAPI_VERSION)
		return ours->ret == IOMMU_UAPI_VERSION;
	return failed_with(s, ours, EOPNOTSUPP) || failed_with(s, ours, ENODEV);
}

static bool rule_update_vaddr(const struct step *s, const struct record *stock,
			      const struct record *ours)
{
	struct vfio_iommu_type1_dma_unmap *unmap;
	uint8_t window[WINDOW];

	if (s->op == OP_CHECK_EXTENSION)
		return s->iova == VFIO_UPDATE_VADDR && stock->ret == 1 && ours->ret == 0;
	if (s->op == OP_MAP)
		return s->flags & VFIO_DMA_MAP_FLAG_VADDR && failed_with(s, stock, ENOENT) &&
		       failed_with(s, ours, EINVAL);
	if (s->op != OP_UNMAP || !(s->flags & VFIO_DMA_UNMAP_FLAG_VADDR) || s->ptr ||
	    stock->ret || !failed_with(s, ours, EINVAL))
		return false;
	/* There was nothing to invalidate. */
	window_fill(s, window);
	unmap = (void *)(window + args_offset(s));
	unmap->size = 0;
	return !memcmp(stock->window, window, WINDOW);
}

/* Type1 is not there yet: vfio.ko says EINVAL to everything. */
static bool rule_no_group(const struct step *s, const struct record *stock,
			  const struct record *ours)
{
	if (stock->state != STATE_NO_GROUP || !failed_with(s, stock, EINVAL))
		return false;
	switch (s->op) {
	case OP_SET_IOMMU:
		return ours->err == ENODEV;
	case OP_GET_INFO:
	case OP_MAP:
	case OP_UNMAP:
		return failed_with(s, ours, ENODEV) || failed_with(s, ours, EFAULT);
	case OP_DIRTY:
	case OP_UNKNOWN:
		return failed_with(s, ours, ENOTTY);
	default:
		return false;
	}
}

static bool rule_set_iommu_type(const struct step *s, const struct record *stock,
				const struct record *ours)
{
	return s->op == OP_SET_IOMMU && stock->state == STATE_WAITING &&
	       s->iova != VFIO_TYPE1_IOMMU && s->iova != VFIO_TYPE1v2_IOMMU &&
	       stock->err == ENODEV && ours->err == EINVAL;
}

/* Too much, and not all there */
static bool rule_memlock_first(const struct step *s, const struct record *stock,
			       const struct record *ours)
{
	uint64_t limit = ours->limit / PAGE;

	return s->op == OP_MAP && failed_with(s, stock, EFAULT) && failed_with(s, ours, ENOMEM) &&
	       (ours->vmlck[0] + s->size) / PAGE > limit;
}

/* Bits behind a mapping, which stock sets and nobody else */
static bool rule_dirty_behind(const struct step *s, const struct record *stock,
			      const struct record *ours)
{
	if (!has_bitmap(s) || stock->ret || ours->ret ||
	    memcmp(stock->window, ours->window, WINDOW))
		return false;
	for (size_t i = 0; i < sizeof(stock->bitmap); i++)
		if (ours->bitmap[i] & ~stock->bitmap[i])
			return false;
	return true;
}

static const struct {
	const char *name;
	bool (*fn)(const struct step *s, const struct record *stock, const struct record *ours);
} rules[] = {
	{ "type1-nesting", rule_nesting },
	{ "nesting-commands", rule_nesting_commands },
	{ "update-vaddr", rule_update_vaddr },
	{ "no-group", rule_no_group },
	{ "set-iommu-type", rule_set_iommu_type },
	{ "memlock-first", rule_memlock_first },
	{ "dirty-behind", rule_dirty_behind },
};

#define NRULES (sizeof(rules) / sizeof(rules[0]))

static void expected_check_rules(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < NRULES; i++)
		ok(expected_find(rules[i].name) && expected_find(rules[i].name)->rule,
		   "the rule %s is in diff_expected.list", rules[i].name);
	for (unsigned int i = 0; i < nexpected; i++)
		n += expected[i].rule;
	ok(n == NRULES, "each difference of the list that has a rule has one here");
}

static bool records_equal(const struct record *stock, const struct record *ours)
{
	return stock->state == ours->state && stock->ret == ours->ret &&
	       stock->err == ours->err && stock->extra == ours->extra &&
	       !memcmp(stock->vmlck, ours->vmlck, sizeof(stock->vmlck)) &&
	       !memcmp(stock->window, ours->window, WINDOW) &&
	       !memcmp(stock->bitmap, ours->bitmap, sizeof(stock->bitmap));
}

/* May these differ?  NULL when not. */
static struct expected *explain(const struct step *s, const struct record *stock,
				const struct record *ours)
{
	struct expected *e;

	/* What no rule changes */
	if (stock->state != ours->state || stock->extra != ours->extra ||
	    memcmp(stock->vmlck, ours->vmlck, sizeof(stock->vmlck)))
		return NULL;
	for (size_t i = 0; i < NRULES; i++) {
		if (!rules[i].fn(s, stock, ours))
			continue;
		e = expected_find(rules[i].name);
		return e && e->rule ? e : NULL;
	}
	return NULL;
}

#endif
