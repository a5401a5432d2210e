// SPDX-License-Identifier: GPL-2.0-only
#include "interval_tree_span.h"

/* Set @span to the one that begins at @pos. */
static void itree_span_at(struct itree_span *span, unsigned long pos)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(span->tree, pos, span->limit);
	span->start = pos;
	span->last = span->limit;
	span->is_hole = !node || node->start > pos;
	if (!node)
		return;
	if (span->is_hole) {
		span->last = node->start - 1;
		return;
	}

	/*
	 * Intervals may nest, so the node that reaches furthest is not the
	 * next one in order: ask for whatever covers the first value after
	 * what is known to be used.
	 */
	while (node) {
		if (node->last >= span->limit) {
			span->last = span->limit;
			return;
		}
		span->last = node->last;
		node = interval_tree_iter_first(span->tree, span->last + 1,
						span->last + 1);
	}
}

void itree_span_first(struct itree_span *span, struct rb_root_cached *tree,
		      unsigned long first, unsigned long last)
{
	span->tree = tree;
	span->limit = last;
	span->done = first > last;
	if (!span->done)
		itree_span_at(span, first);
}

void itree_span_next(struct itree_span *span)
{
	if (span->last == span->limit)
		span->done = true;
	else
		itree_span_at(span, span->last + 1);
}
