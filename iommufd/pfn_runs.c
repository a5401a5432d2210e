// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "pfn_runs.h"

/**
 * pfn_extent_set_runs() - Store runs in an extent that has none
 * @ext: extent; start and users are the caller's to set
 * @runs: runs, copied
 * @nruns: how many, at least 1
 *
 * Return: 0 or -ENOMEM.
 */
int pfn_extent_set_runs(struct pfn_extent *ext, const u64 *runs,
			unsigned int nruns)
{
	unsigned int i;

	if (nruns == 1) {
		ext->run = runs[0];
	} else {
		ext->runs = kmemdup(runs, array_size(nruns, sizeof(*runs)),
				    GFP_KERNEL_ACCOUNT);
		if (!ext->runs)
			return -ENOMEM;
	}
	ext->nruns = nruns;
	ext->npages = 0;
	for (i = 0; i != nruns; i++)
		ext->npages += pfn_run_count(runs[i]);
	return 0;
}

void pfn_extent_free_runs(struct pfn_extent *ext)
{
	if (ext->nruns > 1)
		kfree(ext->runs);
	ext->nruns = 0;
}

/**
 * pfn_extent_split() - Cut an extent in two
 * @ext: extent that keeps what lies before @index
 * @tail: empty extent that gets the rest; the caller inserts it
 * @index: index of the first page of @tail, not the first page of @ext
 *
 * Return: 0, or -ENOMEM and nothing changed.
 */
int pfn_extent_split(struct pfn_extent *ext, struct pfn_extent *tail,
		     unsigned long index)
{
	unsigned long head_pages = index - ext->start, seen = 0, cut;
	const u64 *runs = pfn_extent_runs(ext);
	unsigned int i = 0;
	u64 *array, run;
	int rc;

	while (seen + pfn_run_count(runs[i]) <= head_pages)
		seen += pfn_run_count(runs[i++]);

	/* runs[i] is the first that has a page in the tail. */
	rc = pfn_extent_set_runs(tail, runs + i, ext->nruns - i);
	if (rc)
		return rc;
	tail->start = index;
	tail->users = ext->users;

	cut = head_pages - seen;
	if (cut) {
		run = runs[i];
		array = tail->nruns == 1 ? &tail->run : tail->runs;
		array[0] = pfn_run(pfn_run_pfn(run) + cut,
				   pfn_run_count(run) - cut);
		tail->npages -= cut;

		array = ext->nruns == 1 ? &ext->run : ext->runs;
		array[i++] = pfn_run(pfn_run_pfn(run), cut);
	}

	if (ext->nruns > 1 && i == 1) {
		run = ext->runs[0];
		kfree(ext->runs);
		ext->run = run;
	}
	ext->nruns = i;
	ext->npages = head_pages;
	return 0;
}

static bool extent_before(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct pfn_extent, node)->start <
	       rb_entry(b, struct pfn_extent, node)->start;
}

void pfn_extent_insert(struct rb_root *root, struct pfn_extent *ext)
{
	rb_add(&ext->node, root, extent_before);
}

/**
 * pfn_extent_find() - First extent that ends at or after a page
 * @root: tree of extents
 * @index: page index
 *
 * Return: the extent, which contains @index or begins after it, or NULL.
 */
struct pfn_extent *pfn_extent_find(const struct rb_root *root,
				   unsigned long index)
{
	struct rb_node *node = root->rb_node;
	struct pfn_extent *ext, *found = NULL;

	while (node) {
		ext = rb_entry(node, struct pfn_extent, node);
		if (pfn_extent_last(ext) >= index) {
			found = ext;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

struct pfn_extent *pfn_extent_next(struct pfn_extent *ext)
{
	return rb_entry_safe(rb_next(&ext->node), struct pfn_extent, node);
}

/**
 * pfn_cursor_init() - Begin to read
 * @cur: cursor
 * @root: tree of extents that holds the whole range without a gap
 * @first: index of the first page
 * @last: index of the last page, inclusive
 */
void pfn_cursor_init(struct pfn_cursor *cur, const struct rb_root *root,
		     unsigned long first, unsigned long last)
{
	const u64 *runs;

	cur->ext = pfn_extent_find(root, first);
	cur->run = 0;
	cur->left = last - first + 1;
	if (WARN_ON(!cur->ext || cur->ext->start > first)) {
		cur->left = 0;
		return;
	}
	cur->skip = first - cur->ext->start;
	/* Of one page each: a shadow reads scattered memory page by page. */
	if (cur->ext->nruns == cur->ext->npages) {
		cur->run = cur->skip;
		cur->skip = 0;
		return;
	}
	runs = pfn_extent_runs(cur->ext);
	while (cur->skip >= pfn_run_count(runs[cur->run]))
		cur->skip -= pfn_run_count(runs[cur->run++]);
}

/* Go to the next run.  False at the end of the last extent. */
static bool cursor_step(struct pfn_cursor *cur)
{
	struct pfn_extent *next;

	cur->skip = 0;
	if (++cur->run < cur->ext->nruns)
		return true;
	next = pfn_extent_next(cur->ext);
	if (!next || next->start != pfn_extent_last(cur->ext) + 1)
		return false;
	cur->ext = next;
	cur->run = 0;
	return true;
}

/**
 * pfn_cursor_next() - The next contiguous page frames
 * @cur: cursor
 * @pfn: out: first page frame number
 *
 * Joins runs that continue each other, also over the border of two extents, so
 * that the IOMMU gets the largest pages that memory allows.
 *
 * Return: number of pages, 0 at the end.
 */
unsigned long pfn_cursor_next(struct pfn_cursor *cur, unsigned long *pfn)
{
	unsigned long count = 0, part;
	u64 run;

	while (cur->left) {
		run = pfn_extent_runs(cur->ext)[cur->run];
		if (!count)
			*pfn = pfn_run_pfn(run) + cur->skip;
		else if (pfn_run_pfn(run) != *pfn + count)
			break;
		part = min(pfn_run_count(run) - cur->skip, cur->left);
		count += part;
		cur->left -= part;
		if (cur->left && WARN_ON(!cursor_step(cur)))
			cur->left = 0;
	}
	return count;
}
