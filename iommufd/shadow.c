// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow of a guest's page table.
 *
 * For an IOMMU that translates in one stage only.  The guest's table (stage 1, x86-64
 * format) is read, all of it, from the memory that an IOAS maps, and each leaf is
 * mapped through the IOAS (stage 2) into a domain of the shadow's own.  An
 * invalidation does that again for a part of it.
 *
 * What is mapped is remembered in pieces: a piece is a leaf, or the largest aligned
 * part of it that one area of stage 2 covers.  No IO page is larger than its piece, so
 * that pieces go one by one.  Their sizes are powers of two and they are aligned to
 * them: two of them, or a piece and a leaf, lie one in the other or do not overlap.
 *
 * The tables are the guest's, and may say anything, and something else when they are
 * read again.  Each is copied before it is looked at, the depth is fixed, and what a
 * walk reads, and what it maps, is limited.
 *
 * When stage 2 loses an area, the pieces that lead to it are found by looking at all
 * of them: that is as much work as the walk that made them, once per unmap, and only
 * of an area that was used so.  If tables were read from it all is composed again,
 * without those.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <uapi/linux/iommu_nesting.h>

#include "shadow.h"

#ifndef CONFIG_XARRAY_MULTI
#error "the kernel needs CONFIG_XARRAY_MULTI (CONFIG_TRANSPARENT_HUGEPAGE selects it)"
#endif

/* Entries of a page table of x86-64 */
#define PTE_PRESENT BIT_ULL(0)
#define PTE_WRITE BIT_ULL(1)
#define PTE_USER BIT_ULL(2)
#define PTE_LARGE BIT_ULL(7)
#define PTE_LARGE_PAT BIT_ULL(12)
#define PTE_ADDR GENMASK_ULL(51, 12)

/* One more bit of address per level is 9 more of IOVA. */
#define LEVEL_BITS 9
#define NR_PTES BIT(LEVEL_BITS)
#define MAX_LEVELS 5
/* Leaves: 4 KiB, 2 MiB, 1 GiB */
#define MAX_LEAF_LEVEL 2

#define RESCHED_PIECES 256

/*
 * A value entry of shadow.shown: permissions, order, and the page frame number of
 * the GPA.  Of the latter, as many low bits as the order are 0: there is the number
 * of IO pages less one.
 */
#define ENTRY_PROT_MASK 3UL
#define ENTRY_ORDER_SHIFT 2
#define ENTRY_ORDER_MASK 31UL
#define ENTRY_PFN_SHIFT 7

unsigned int iommufd_shadow_entries = 1 << 22;

static atomic_long_t nr_entries;
static atomic_long_t nr_absent;
static atomic_long_t nr_dropped;

/**
 * struct iommufd_shadow - the shadow of a guest's page table
 * @watcher: of @iopt, while it is filled
 * @iopt: stage 2
 * @idomain: what it is shown in
 * @pgd: GPA of the root
 * @levels: 4 or 5
 * @max_iova: last one of the lower half
 * @mutex: protects all that follows; taken inside access_rwsem, outside iova_rwsem
 * @filled: between fill and empty
 * @entries: sum of the IO pages of all pieces
 * @shown: pieces, by IOVA in pages
 * @tables: copies of the tables that are being read, one of each level
 */
struct iommufd_shadow {
	struct iopt_watcher watcher;
	struct io_pagetable *iopt;
	struct iopt_domain *idomain;
	u64 pgd;
	unsigned int levels;
	unsigned long max_iova;

	struct mutex mutex;
	bool filled;
	unsigned long entries;
	struct xarray shown;
	u64 *tables[MAX_LEVELS];
};

/**
 * struct shadow_piece - what is mapped as a whole
 * @iova: first IOVA
 * @gpa: where it leads to
 * @order: of its size in pages
 * @prot: IOMMU_READ, IOMMU_WRITE
 * @entries: IO pages, or more
 */
struct shadow_piece {
	unsigned long iova;
	unsigned long gpa;
	unsigned int order;
	int prot;
	unsigned long entries;
};

/* Adjoining pieces that are to be unmapped; none while @last is 0 */
struct shadow_batch {
	unsigned long first;
	unsigned long last;
};

/**
 * struct shadow_run - leaves of one table that continue each other
 * @first: first IOVA
 * @last: last IOVA, inclusive
 * @gpa: where @first leads to
 * @level: of the table; 0 has leaves of 4 KiB
 * @prot: IOMMU_READ, IOMMU_WRITE; 0: no run
 */
struct shadow_run {
	unsigned long first;
	unsigned long last;
	unsigned long gpa;
	unsigned int level;
	int prot;
};

/**
 * struct shadow_walk - one reading of the guest's table
 * @shadow: whose
 * @first: first IOVA
 * @last: last IOVA, inclusive
 * @pos: what lies before it has been dealt with
 * @limit: of @seen, and of shadow.entries
 * @seen: tables, leaves, and parts of leaves
 * @filling: an error ends it
 * @run: leaves that have not been dealt with
 */
struct shadow_walk {
	struct iommufd_shadow *shadow;
	unsigned long first;
	unsigned long last;
	unsigned long pos;
	unsigned long limit;
	unsigned long seen;
	bool filling;
	struct shadow_run run;
};

/* ------------------------------------------------------------------ */
/* Pieces */

static unsigned long piece_last(const struct shadow_piece *piece)
{
	return piece->iova + (PAGE_SIZE << piece->order) - 1;
}

static void *piece_entry(const struct shadow_piece *piece)
{
	unsigned long pfn = piece->gpa >> PAGE_SHIFT;

	return xa_mk_value((pfn | (piece->entries - 1)) << ENTRY_PFN_SHIFT |
			   piece->order << ENTRY_ORDER_SHIFT | piece->prot);
}

/* The first piece that has something in a range */
static bool piece_first(struct iommufd_shadow *shadow, unsigned long first,
			unsigned long last, struct shadow_piece *piece)
{
	unsigned long index = first >> PAGE_SHIFT, value, mask;
	void *entry;

	entry = xa_find(&shadow->shown, &index, last >> PAGE_SHIFT, XA_PRESENT);
	if (!entry)
		return false;
	value = xa_to_value(entry);
	piece->prot = value & ENTRY_PROT_MASK;
	piece->order = (value >> ENTRY_ORDER_SHIFT) & ENTRY_ORDER_MASK;
	value >>= ENTRY_PFN_SHIFT;
	mask = BIT(piece->order) - 1;
	piece->entries = (value & mask) + 1;
	piece->gpa = (value & ~mask) << PAGE_SHIFT;
	/* The index is somewhere in it. */
	piece->iova = (index & ~mask) << PAGE_SHIFT;
	return true;
}

static int piece_store(struct iommufd_shadow *shadow,
		       const struct shadow_piece *piece)
{
	XA_STATE_ORDER(xas, &shadow->shown, piece->iova >> PAGE_SHIFT,
		       piece->order);

	do {
		xas_lock(&xas);
		xas_store(&xas, piece_entry(piece));
		xas_unlock(&xas);
	} while (xas_nomem(&xas, GFP_KERNEL_ACCOUNT));
	if (xas_error(&xas))
		return -ENOMEM;
	shadow->entries += piece->entries;
	atomic_long_add(piece->entries, &nr_entries);
	return 0;
}

static void piece_erase(struct iommufd_shadow *shadow,
			const struct shadow_piece *piece)
{
	xa_erase(&shadow->shown, piece->iova >> PAGE_SHIFT);
	shadow->entries -= piece->entries;
	atomic_long_sub(piece->entries, &nr_entries);
}

static bool shadow_unmap(struct iommufd_shadow *shadow, unsigned long first,
			 unsigned long last)
{
	bool done;

	iopt_domain_hold(shadow->idomain);
	done = domain_unmap(shadow->idomain->domain, first, last);
	iopt_domain_release(shadow->idomain);
	return done;
}

static void batch_flush(struct iommufd_shadow *shadow,
			struct shadow_batch *batch)
{
	unsigned long pos = batch->first;
	struct shadow_piece piece;
	bool done;

	if (!batch->last)
		return;
	done = shadow_unmap(shadow, batch->first, batch->last);
	while (pos <= batch->last &&
	       piece_first(shadow, pos, batch->last, &piece)) {
		if (!done)
			iopt_through_leak(shadow->iopt, piece.gpa);
		piece_erase(shadow, &piece);
		pos = piece_last(&piece) + 1;
	}
	batch->last = 0;
	cond_resched();
}

/* To be unmapped; erased when the batch is flushed. */
static void batch_add(struct iommufd_shadow *shadow, struct shadow_batch *batch,
		      const struct shadow_piece *piece)
{
	/* Never so much that it might be all of the aperture. */
	if (batch->last && (piece->iova != batch->last + 1 ||
			    !(piece->iova & (IOPT_IO_CHUNK - 1))))
		batch_flush(shadow, batch);
	if (!batch->last)
		batch->first = piece->iova;
	batch->last = piece_last(piece);
}

/* Unmap each piece that has something in a range. */
static void sweep(struct iommufd_shadow *shadow, unsigned long first,
		  unsigned long last)
{
	struct shadow_batch batch = {};
	struct shadow_piece piece;

	while (first <= last && piece_first(shadow, first, last, &piece)) {
		batch_add(shadow, &batch, &piece);
		first = piece_last(&piece) + 1;
	}
	batch_flush(shadow, &batch);
}

/* ------------------------------------------------------------------ */
/* Composing */

/* Something is not mapped.  Returns an error that ends the walk. */
static int walk_absent(struct shadow_walk *walk, unsigned long n, int rc)
{
	if (walk->filling || rc == -EINTR)
		return rc;
	atomic_long_add(n, &nr_absent);
	return 0;
}

static int walk_see(struct shadow_walk *walk)
{
	return ++walk->seen > walk->limit ? -ENOSPC : 0;
}

/*
 * Map what is to become pieces of one order, more than one only of order 0.  Returns
 * as iopt_through_map().
 */
static int show_pieces(struct shadow_walk *walk, struct iopt_through *part,
		       unsigned int order)
{
	unsigned long last = part->iova + (part->length - 1);
	struct iommufd_shadow *shadow = walk->shadow;
	struct shadow_piece piece = {
		.iova = part->iova,
		.gpa = part->gpa,
		.order = order,
	};
	int rc;

	part->max_io_page = PAGE_SIZE << order;
	part->max_entries = walk->limit - min(walk->limit, shadow->entries);
	rc = iopt_through_map(shadow->iopt, shadow->idomain, part);
	if (rc)
		return rc;
	piece.prot = part->prot;
	piece.entries = order ? part->entries : 1;
	while (piece.iova <= last) {
		rc = piece_store(shadow, &piece);
		if (rc)
			break;
		piece.iova += PAGE_SIZE << order;
		piece.gpa += PAGE_SIZE << order;
	}
	if (rc && !shadow_unmap(shadow, piece.iova, last))
		iopt_through_leak(shadow->iopt, piece.gpa);
	return rc;
}

/* Map what iopt_through_part() says can be; @part->length: out: what was dealt with */
static int show_part(struct shadow_walk *walk, struct iopt_through *part,
		     unsigned int level)
{
	unsigned long done = 0, length;
	struct iopt_through piece;
	unsigned int order = 0;
	int rc = 0;

	while (done != part->length && !rc) {
		piece = *part;
		piece.iova += done;
		piece.gpa += done;
		length = part->length - done;
		if (level) {
			/* The largest that is aligned and fits */
			order = __ffs(piece.iova >> PAGE_SHIFT |
				      BIT(level * LEVEL_BITS));
			order = min_t(unsigned int, order,
				      __fls(length >> PAGE_SHIFT));
			length = PAGE_SIZE << order;
		}
		piece.length = length;
		if (done)
			rc = walk_see(walk);
		if (!rc)
			rc = show_pieces(walk, &piece, order);
		if (rc > 0)
			break;
		if (rc)
			rc = walk_absent(walk, level ? 1 : length >> PAGE_SHIFT,
					 rc);
		done += length;
	}
	part->length = done;
	return min(rc, 0);
}

/* Map a part of a run where nothing is mapped. */
static int show_gap(struct shadow_walk *walk, const struct shadow_run *run,
		    unsigned long first, unsigned long last)
{
	struct iommufd_shadow *shadow = walk->shadow;
	struct iopt_through part;
	unsigned long pos = first;
	int rc = 0;

	while (pos <= last && !rc) {
		part.iova = pos;
		part.gpa = run->gpa + (pos - run->first);
		part.length = last - pos + 1;
		part.prot = run->prot;
		/* Leaves are counted already, but not what they are cut into. */
		if (pos != first && run->level)
			rc = walk_see(walk);
		if (rc)
			break;
		if (iopt_through_part(shadow->iopt, shadow->idomain, &part))
			rc = show_part(walk, &part, run->level);
		pos += part.length;
		if (fatal_signal_pending(current))
			rc = -EINTR;
		cond_resched();
	}
	return rc;
}

/* A piece that may stay: it is what would be mapped, or smaller. */
static bool piece_right(struct iommufd_shadow *shadow,
			const struct shadow_run *run,
			const struct shadow_piece *piece)
{
	int prot = run->prot;

	if (piece->iova < run->first || piece_last(piece) > run->last ||
	    piece->order > run->level * LEVEL_BITS ||
	    piece->gpa - piece->iova != run->gpa - run->first)
		return false;
	/* What it has the area has, too. */
	if (prot != piece->prot)
		prot &= iopt_through_prot(shadow->iopt, piece->gpa);
	return prot == piece->prot;
}

static int show_run(struct shadow_walk *walk, const struct shadow_run *run)
{
	struct iommufd_shadow *shadow = walk->shadow;
	unsigned long gap = run->first, pos = gap;
	struct shadow_batch batch = {};
	struct shadow_piece piece;
	int rc = 0;

	while (pos <= run->last && !rc &&
	       piece_first(shadow, pos, run->last, &piece)) {
		pos = piece_last(&piece) + 1;
		if (!piece_right(shadow, run, &piece)) {
			batch_add(shadow, &batch, &piece);
			continue;
		}
		if (gap != piece.iova) {
			batch_flush(shadow, &batch);
			rc = show_gap(walk, run, gap, piece.iova - 1);
		}
		gap = pos;
	}
	batch_flush(shadow, &batch);
	if (!rc && gap <= run->last)
		rc = show_gap(walk, run, gap, run->last);
	return rc;
}

/* ------------------------------------------------------------------ */
/* Walking */

/* Have what is shown be right up to the end of the pending run. */
static int walk_flush(struct shadow_walk *walk)
{
	struct shadow_run run = walk->run;
	int rc;

	if (!run.prot)
		return 0;
	walk->run.prot = 0;
	if (run.first > walk->pos)
		sweep(walk->shadow, walk->pos, run.first - 1);
	rc = show_run(walk, &run);
	if (!rc)
		walk->pos = run.last + 1;
	return rc;
}

static int walk_leaf(struct shadow_walk *walk, unsigned int level, u64 pte,
		     unsigned long iova, int prot)
{
	unsigned long size = PAGE_SIZE << level * LEVEL_BITS;
	unsigned long gpa = pte & PTE_ADDR;
	struct shadow_run *run = &walk->run;
	int rc;

	/* Reserved bits: of the address, or of a level that has no leaves */
	if (level > MAX_LEAF_LEVEL)
		return 0;
	if (level)
		gpa &= ~PTE_LARGE_PAT;
	if (gpa & (size - 1))
		return 0;
	rc = walk_see(walk);
	if (rc)
		return rc;
	if (run->prot == prot && run->level == level &&
	    run->last + 1 == iova && run->gpa + (iova - run->first) == gpa) {
		run->last += size;
		return 0;
	}
	rc = walk_flush(walk);
	if (rc)
		return rc;
	run->first = iova;
	run->last = iova + (size - 1);
	run->gpa = gpa;
	run->level = level;
	run->prot = prot;
	return 0;
}

/* Calls itself for each level, of which there are at most MAX_LEVELS. */
static int walk_table(struct shadow_walk *walk, unsigned int level, u64 gpa,
		      unsigned long base, int prot)
{
	unsigned int shift = PAGE_SHIFT + level * LEVEL_BITS;
	u64 *table = walk->shadow->tables[level], pte;
	unsigned long iova = base;
	unsigned int i = 0, last;
	int rc, pte_prot;

	rc = walk_see(walk);
	if (!rc && fatal_signal_pending(current))
		rc = -EINTR;
	if (rc)
		return rc;
	cond_resched();
	if (iopt_through_read(walk->shadow->iopt, gpa, table))
		return 0;

	if (walk->first > base)
		i = (walk->first - base) >> shift;
	last = min((walk->last - base) >> shift, NR_PTES - 1);
	for (; i <= last && !rc; i++) {
		pte = table[i];
		/* Requests without a PASID are those of a user. */
		if (!(pte & PTE_PRESENT) || !(pte & PTE_USER))
			continue;
		pte_prot = pte & PTE_WRITE ? prot : prot & ~IOMMU_WRITE;
		iova = base + ((unsigned long)i << shift);
		if (!level || (pte & PTE_LARGE))
			rc = walk_leaf(walk, level, pte, iova, pte_prot);
		else
			rc = walk_table(walk, level - 1, pte & PTE_ADDR, iova,
					pte_prot);
	}
	/* How much is mapped in one go is limited. */
	return rc ?: walk_flush(walk);
}

/*
 * Have what is shown in a range be what the tables say.  After an error nothing is
 * where that is not known.
 */
static int compose(struct iommufd_shadow *shadow, unsigned long first,
		   unsigned long last, bool filling)
{
	struct shadow_walk walk = {
		.shadow = shadow,
		.limit = READ_ONCE(iommufd_shadow_entries),
		.filling = filling,
	};
	struct shadow_piece piece;
	int rc;

	lockdep_assert_held(&shadow->mutex);

	/* A piece goes as a whole, and comes back if it was right. */
	if (piece_first(shadow, first, first, &piece))
		first = piece.iova;
	if (piece_first(shadow, last, last, &piece))
		last = piece_last(&piece);
	walk.first = first;
	walk.last = last;
	walk.pos = first;
	rc = walk_table(&walk, shadow->levels - 1, shadow->pgd, 0,
			IOMMU_READ | IOMMU_WRITE);
	/* What was seen before the limit was reached need not go. */
	if (rc == -ENOSPC && !filling)
		walk_flush(&walk);
	if (walk.pos <= last)
		sweep(shadow, walk.pos, last);
	if (rc && !filling)
		atomic_long_inc(&nr_absent);
	return rc;
}

/* Drop what leads to areas of stage 2 that are DYING. */
static void drop_dying(struct iommufd_shadow *shadow, unsigned long first,
		       unsigned long last)
{
	struct shadow_batch batch = {};
	unsigned long pos = 0, gpa_last;
	struct shadow_piece piece;
	unsigned int n = 0;

	while (pos <= shadow->max_iova &&
	       piece_first(shadow, pos, shadow->max_iova, &piece)) {
		pos = piece_last(&piece) + 1;
		if (++n % RESCHED_PIECES == 0)
			cond_resched();
		gpa_last = piece.gpa + (piece_last(&piece) - piece.iova);
		if (piece.gpa > last || gpa_last < first ||
		    iopt_through_live(shadow->iopt, piece.gpa, gpa_last))
			continue;
		batch_add(shadow, &batch, &piece);
		atomic_long_inc(&nr_dropped);
	}
	batch_flush(shadow, &batch);
}

static void shadow_watch(struct iopt_watcher *watcher, unsigned long first,
			 unsigned long last, bool tables)
{
	struct iommufd_shadow *shadow =
		container_of(watcher, struct iommufd_shadow, watcher);

	mutex_lock(&shadow->mutex);
	if (shadow->filled) {
		drop_dying(shadow, first, last);
		if (tables)
			compose(shadow, 0, shadow->max_iova, false);
	}
	mutex_unlock(&shadow->mutex);
}

/* ------------------------------------------------------------------ */

/**
 * iommufd_shadow_alloc() - Make a shadow, which shows nothing yet
 * @iopt: stage 2
 * @idomain: what it will be shown in, and nothing else; not one of @iopt.  Its domain
 *	may be set later
 * @stage1: the guest's table
 *
 * Return: the shadow, or ERR_PTR(-ENOMEM).
 */
struct iommufd_shadow *iommufd_shadow_alloc(struct io_pagetable *iopt,
					    struct iopt_domain *idomain,
					    const struct iommufd_stage1 *stage1)
{
	struct iommufd_shadow *shadow;
	unsigned int i;

	shadow = kzalloc(sizeof(*shadow), GFP_KERNEL_ACCOUNT);
	if (!shadow)
		return ERR_PTR(-ENOMEM);
	mutex_init(&shadow->mutex);
	xa_init_flags(&shadow->shown, XA_FLAGS_ACCOUNT);
	shadow->watcher.unmap = shadow_watch;
	shadow->iopt = iopt;
	shadow->idomain = idomain;
	shadow->pgd = stage1->pgd;
	shadow->levels = stage1->addr_width == 57 ? 5 : 4;
	/* The upper half is at addresses that no IOMMU of 6.1 translates. */
	shadow->max_iova = BIT(PAGE_SHIFT + shadow->levels * LEVEL_BITS - 1) - 1;
	for (i = 0; i != shadow->levels; i++) {
		shadow->tables[i] = kzalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
		if (!shadow->tables[i]) {
			iommufd_shadow_free(shadow);
			return ERR_PTR(-ENOMEM);
		}
	}
	return shadow;
}

/**
 * iommufd_shadow_fill() - Show all that the guest's table says
 * @shadow: shadow, empty
 *
 * From now on until iommufd_shadow_empty() it follows invalidations and what stage 2
 * unmaps, and the io_pagetable has another domain, which keeps its areas pinned.
 *
 * Return: 0, or an error and nothing is shown: -ENOSPC more entries than the limit;
 * -EINVAL the domain has no IO pages of 4 KiB; -ENOMEM; -EINTR being killed; another
 * one of the IOMMU driver.
 * Context: may sleep; neither domains_rwsem nor iopt_domain_hold() is held by the
 * caller.
 */
int iommufd_shadow_fill(struct iommufd_shadow *shadow)
{
	int rc;

	if (BIT(__ffs(shadow->idomain->domain->pgsize_bitmap)) > PAGE_SIZE)
		return -EINVAL;

	iopt_add_watcher(shadow->iopt, &shadow->watcher);
	mutex_lock(&shadow->mutex);
	rc = compose(shadow, 0, shadow->max_iova, true);
	if (rc)
		sweep(shadow, 0, shadow->max_iova);
	else
		shadow->filled = true;
	mutex_unlock(&shadow->mutex);
	if (rc)
		iopt_remove_watcher(shadow->iopt, &shadow->watcher);
	return rc;
}

/**
 * iommufd_shadow_empty() - Show nothing any more
 * @shadow: shadow, filled or empty
 *
 * Cannot fail.  Context: as iommufd_shadow_fill(), which nobody calls meanwhile.
 */
void iommufd_shadow_empty(struct iommufd_shadow *shadow)
{
	bool filled;

	mutex_lock(&shadow->mutex);
	filled = shadow->filled;
	shadow->filled = false;
	sweep(shadow, 0, shadow->max_iova);
	mutex_unlock(&shadow->mutex);
	if (filled)
		iopt_remove_watcher(shadow->iopt, &shadow->watcher);
}

/**
 * iommufd_shadow_free() - Free a shadow
 * @shadow: shadow, empty
 */
void iommufd_shadow_free(struct iommufd_shadow *shadow)
{
	unsigned int i;

	WARN_ON(shadow->filled || !xa_empty(&shadow->shown));
	for (i = 0; i != MAX_LEVELS; i++)
		kfree(shadow->tables[i]);
	xa_destroy(&shadow->shown);
	mutex_destroy(&shadow->mutex);
	kfree(shadow);
}

/**
 * iommufd_shadow_invalidate() - Read a part of the guest's table again
 * @shadow: shadow; nothing happens while it is empty
 * @inv: what is invalid
 *
 * What the table still says stays mapped all the time.  What cannot be mapped (no
 * memory, too many entries, being killed) is left out and counted.  Only the IOTLB
 * has to be looked at: unmapping flushes those of devices, too.
 *
 * Context: may sleep; as iommufd_shadow_fill().
 */
void iommufd_shadow_invalidate(struct iommufd_shadow *shadow,
			       const struct iommufd_stage1_inv *inv)
{
	if (!(inv->caches & IOMMU_CACHE_INV_TYPE_IOTLB) ||
	    inv->first > inv->last || inv->first > shadow->max_iova)
		return;

	mutex_lock(&shadow->mutex);
	if (shadow->filled)
		compose(shadow, inv->first,
			min_t(u64, inv->last, shadow->max_iova), false);
	mutex_unlock(&shadow->mutex);
}

/** iommufd_shadow_count() - How many IO pages all shadows have, or more */
unsigned long iommufd_shadow_count(void)
{
	return atomic_long_read(&nr_entries);
}

/** iommufd_shadow_count_absent() - What could not be mapped, at least */
unsigned long iommufd_shadow_count_absent(void)
{
	return atomic_long_read(&nr_absent);
}

/** iommufd_shadow_count_dropped() - Pieces that stage 2 has taken away */
unsigned long iommufd_shadow_count_dropped(void)
{
	return atomic_long_read(&nr_dropped);
}
