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
/* GET_INFO: what type1 answers, given all that there is to say */

struct info_image {
	uint8_t bytes[IMAGE];
	uint32_t total;
};

/* The image with the capabilities in their order, optionally without MIGRATION */
static bool image_take(struct info_image *img, const uint8_t *from, bool migration)
{
	const struct vfio_iommu_type1_info *info = (const void *)from;
	const struct vfio_iommu_type1_info_cap_iova_range *ranges;
	uint32_t off, next, size, at = sizeof(*info), last = 0;
	const struct vfio_info_cap_header *cap;

	memset(img, 0, sizeof(*img));
	memcpy(img->bytes, from, sizeof(*info));
	if (!(info->flags & VFIO_IOMMU_INFO_CAPS) || info->cap_offset != sizeof(*info))
		return false;
	for (off = info->cap_offset; off; off = next) {
		if (off > IMAGE - sizeof(*ranges))
			return false;
		cap = (const void *)(from + off);
		ranges = (const void *)cap;
		next = cap->next;
		size = next ? next - off : sizeof(*ranges) +
		       ranges->nr_iovas * sizeof(ranges->iova_ranges[0]);
		if (size > IMAGE - off || (next && next <= off))
			return false;
		if (cap->id == VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION && !migration)
			continue;
		if (last)
			((struct vfio_info_cap_header *)(img->bytes + last))->next = at;
		memcpy(img->bytes + at, cap, size);
		((struct vfio_info_cap_header *)(img->bytes + at))->next = 0;
		last = at;
		at += size;
	}
	img->total = at;
	return true;
}

/* Copies to the user, as far as there is memory.  True if all of it. */
static bool model_copy(const struct step *s, uint8_t *window, uint32_t off, const void *from,
		       uint32_t len)
{
	uint32_t room = s->ptr == PTR_EDGE ? s->cut : ~0u;

	if (s->ptr == PTR_READ_ONLY)
		return false;
	for (uint32_t i = 0; i < len; i++) {
		if (off + i >= room)
			return false;
		window[args_offset(s) + off + i] = ((const uint8_t *)from)[i];
	}
	return true;
}

static int model_info(const struct step *s, const struct info_image *img, uint8_t *window)
{
	const uint32_t minsz = 16, capsz = 20;
	struct vfio_iommu_type1_info info;

	window_fill(s, window);
	if (s->ptr == PTR_NULL || (s->ptr == PTR_EDGE && s->cut < minsz))
		return EFAULT;
	if (s->argsz < minsz)
		return EINVAL;
	memcpy(&info, img->bytes, sizeof(info));
	info.argsz = s->argsz;
	if (s->argsz < img->total) {
		info.argsz = img->total;
		info.cap_offset = 0;
	} else if (!model_copy(s, window, sizeof(info), img->bytes + sizeof(info),
			       img->total - sizeof(info))) {
		return EFAULT;
	}
	return model_copy(s, window, 0, &info, s->argsz < capsz ? minsz : capsz) ? 0 : EFAULT;
}

static bool info_is(const struct step *s, const struct record *r, const struct info_image *img)
{
	uint8_t window[WINDOW];
	int err = model_info(s, img, window);

	return r->err == err && r->ret == (err ? -1 : 0) && !memcmp(r->window, window, WINDOW);
}

/*
 * The model must say what type1 did; then it says, for the same image without
 * one capability, what is to be here.
 */
static bool rule_migration(const struct step *s, const struct record *stock,
			   const struct record *ours)
{
	struct info_image with, without, here;

	return s->op == OP_GET_INFO && stock->state == STATE_IOMMU &&
	       image_take(&with, stock->image, true) &&
	       image_take(&without, stock->image, false) &&
	       image_take(&here, ours->image, true) && without.total < with.total &&
	       !memcmp(&here, &without, sizeof(here)) && info_is(s, stock, &with) &&
	       info_is(s, ours, &without);
}

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

/* Type1's own checks, of which there are many, come to one of these. */
static bool rule_dirty_pages(const struct step *s, const struct record *stock,
			     const struct record *ours)
{
	return s->op == OP_DIRTY && stock->state != STATE_NO_GROUP &&
	       failed_with(s, ours, ENOTTY) &&
	       (stock->ret == 0 || failed_with(s, stock, EINVAL) ||
		failed_with(s, stock, EACCES) || failed_with(s, stock, EFAULT));
}

static bool rule_get_dirty_bitmap(const struct step *s, const struct record *stock,
				  const struct record *ours)
{
	return s->op == OP_UNMAP && s->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP &&
	       failed_with(s, stock, EFAULT) && failed_with(s, ours, EINVAL);
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

static const struct {
	const char *name;
	bool (*fn)(const struct step *s, const struct record *stock, const struct record *ours);
} rules[] = {
	{ "migration-capability", rule_migration },
	{ "type1-nesting", rule_nesting },
	{ "update-vaddr", rule_update_vaddr },
	{ "dirty-pages", rule_dirty_pages },
	{ "get-dirty-bitmap", rule_get_dirty_bitmap },
	{ "no-group", rule_no_group },
	{ "set-iommu-type", rule_set_iommu_type },
	{ "memlock-first", rule_memlock_first },
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

/* Everything but GET_INFO's image, which only the rule looks at */
static bool records_equal(const struct record *stock, const struct record *ours)
{
	return stock->state == ours->state && stock->ret == ours->ret &&
	       stock->err == ours->err && stock->extra == ours->extra &&
	       !memcmp(stock->vmlck, ours->vmlck, sizeof(stock->vmlck)) &&
	       !memcmp(stock->window, ours->window, WINDOW);
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
