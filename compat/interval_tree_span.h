/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walk an interval tree as a sequence of used spans and holes.
 *
 * Gap: 6.1 has interval trees, but its span iterator came with 6.2
 * (interval_tree_span_iter_*), and is not exported there either.
 * Delete when: the oldest kernel supported exports one.
 */
#ifndef COMPAT_INTERVAL_TREE_SPAN_H
#define COMPAT_INTERVAL_TREE_SPAN_H

#include <linux/interval_tree.h>

/**
 * struct itree_span - position of a walk over [first, last]
 * @start: first value of the current span
 * @last: last value of the current span, inclusive
 * @is_hole: no interval of the tree touches the span; else each value of it
 *	lies in at least one
 * @done: the walk is over; the other members mean nothing
 *
 * Spans follow each other without a gap; used spans and holes take turns, so
 * intervals that touch or overlap make one span.  The tree may not change
 * during the walk, unless the caller starts again.
 */
struct itree_span {
	unsigned long start;
	unsigned long last;
	bool is_hole;
	bool done;

	/* private: */
	struct rb_root_cached *tree;
	unsigned long limit;
};

void itree_span_first(struct itree_span *span, struct rb_root_cached *tree,
		      unsigned long first, unsigned long last);
void itree_span_next(struct itree_span *span);

#define itree_for_each_span(span, tree, first, last)                  \
	for (itree_span_first(span, tree, first, last); !(span)->done; \
	     itree_span_next(span))

#endif
