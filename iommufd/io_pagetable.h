/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One IO address space: which IOVA maps which memory, for any number of IOMMU
 * domains and in-kernel users.
 */
#ifndef IOMMUFD_IO_PAGETABLE_H
#define IOMMUFD_IO_PAGETABLE_H

#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "domain_io.h"
#include "pages.h"

/**
 * enum iopt_area_state - life of an area
 * @IOPT_AREA_PENDING: takes its IOVAs, is being pinned and mapped
 * @IOPT_AREA_LIVE: mapped
 * @IOPT_AREA_DYING: being unmapped; keeps its IOVAs until that is done
 */
enum iopt_area_state {
	IOPT_AREA_PENDING,
	IOPT_AREA_LIVE,
	IOPT_AREA_DYING,
};

/**
 * struct iopt_area - one mapping
 * @node: IOVAs, bytes, in io_pagetable.areas
 * @pages: the memory
 * @first_page: index in @pages of the page at the first IOVA
 * @page_offset: of the first byte in that page
 * @prot: IOMMU_READ, IOMMU_WRITE, IOMMU_CACHE
 * @state: of enum iopt_area_state; iova_rwsem
 * @compat: made by a VFIO ioctl
 * @through: watchers have mapped something through it; only ever set, with
 *	iova_rwsem held, while LIVE
 * @tables: the same for page tables that were read from it
 * @num_accesses: pins of in-kernel users; raised under iova_rwsem, only while
 *	LIVE
 * @next: links areas that are made or unmapped together
 */
struct iopt_area {
	struct interval_tree_node node;
	struct iopt_pages *pages;
	unsigned long first_page;
	unsigned int page_offset;
	int prot;
	u8 state;
	bool compat;
	bool through;
	bool tables;
	atomic_t num_accesses;
	struct iopt_area *next;
};

/**
 * struct iopt_hint - where a search for free IOVAs may begin
 * @iova: below it there is no hole for the request that the others describe
 * @length: bytes of that request
 * @align: its alignment
 */
struct iopt_hint {
	unsigned long iova;
	unsigned long length;
	unsigned long align;
};

/**
 * struct iopt_access - an in-kernel user of an io_pagetable
 * @item: in io_pagetable.accesses
 * @pins: the user pins pages
 * @unmap: asks the user to unpin a range; called without a lock of the
 *	io_pagetable but access_rwsem for reading
 */
struct iopt_access {
	struct list_head item;
	bool pins;
	void (*unmap)(struct iopt_access *access, unsigned long iova,
		      unsigned long length);
};

/**
 * struct iopt_watcher - maps through an io_pagetable into a domain of its own
 * @item: in io_pagetable.watchers
 * @unmap: areas of the range are DYING: drop what was mapped through them; others
 *	in it may be LIVE.  @tables: page tables were read from some of them.  Called
 *	with domains_rwsem and access_rwsem held for reading; cannot fail
 */
struct iopt_watcher {
	struct list_head item;
	void (*unmap)(struct iopt_watcher *watcher, unsigned long first,
		      unsigned long last, bool tables);
};

/**
 * struct io_pagetable - an IO address space
 * @domains_rwsem: protects @domains and which groups are attached to them;
 *	whoever changes what is mapped holds it for reading, so that a domain or
 *	a group can come or go only between changes
 * @domains: of struct iopt_domain
 * @reach: the lowest of those of @domains, ULONG_MAX if there is none; protected by
 *	@domains_rwsem.  Nothing is mapped above it
 * @iova_rwsem: protects all members from here to @nr_waiters
 * @areas: tree of struct iopt_area
 * @reserved: tree of struct iopt_reserved, IOVAs that may not be mapped
 * @allowed: tree of struct iopt_allowed, IOVAs promised to userspace
 * @iova_alignment: of IOVAs and lengths; a power of two, at most PAGE_SIZE
 * @hints: by order of the length; see iopt_alloc_iova()
 * @freed: lowest IOVA that became free since the hints were used
 * @nr_areas: areas in @areas
 * @nr_compat: of these, made by VFIO ioctls
 * @mapped_bytes: sum of all areas
 * @nr_pinning: of @accesses, those that pin
 * @disable_large_pages: an IO page is never larger than PAGE_SIZE; written
 *	with @domains_rwsem held too
 * @frozen: no map may begin while this is not 0
 * @nr_waiters: threads in @wait
 * @wait: for an area to leave PENDING or DYING, or to lose its last access
 * @access_rwsem: protects @accesses and @watchers
 * @accesses: of struct iopt_access
 * @watchers: of struct iopt_watcher
 *
 * @page_pins_lock: protects @page_pins and @track_dirty
 * @page_pins: by IOVA in pages, see iopt_page_pins.c
 * @track_dirty: VFIO's dirty pages are tracked
 * @remembers: there have been @watchers or @page_pins, so that an unmap looks at them;
 *	only ever set, before anything is mapped through it or recorded there
 *
 * Lock order: domains_rwsem, access_rwsem, that of a watcher, iova_rwsem,
 * iopt_pages.mutex, then mmap_lock of the owner; page_pins_lock is taken inside all
 * of them.
 */
struct io_pagetable {
	struct rw_semaphore domains_rwsem;
	struct list_head domains;
	unsigned long reach;

	struct rw_semaphore iova_rwsem;
	struct rb_root_cached areas;
	struct rb_root_cached reserved;
	struct rb_root_cached allowed;
	unsigned long iova_alignment;
	struct iopt_hint hints[BITS_PER_LONG];
	unsigned long freed;
	unsigned long nr_areas;
	unsigned long nr_compat;
	unsigned long mapped_bytes;
	unsigned int nr_pinning;
	bool disable_large_pages;
	unsigned int frozen;
	unsigned int nr_waiters;
	wait_queue_head_t wait;

	struct rw_semaphore access_rwsem;
	struct list_head accesses;
	struct list_head watchers;

	struct mutex page_pins_lock;
	struct xarray page_pins;
	bool track_dirty;
	bool remembers;
};

/**
 * struct iopt_range - some IOVAs
 * @first: first one
 * @last: last one, inclusive
 */
struct iopt_range {
	unsigned long first;
	unsigned long last;
};

static inline struct iopt_area *iopt_area_first(struct io_pagetable *iopt,
						unsigned long first,
						unsigned long last)
{
	struct interval_tree_node *node;

	lockdep_assert_held(&iopt->iova_rwsem);

	node = interval_tree_iter_first(&iopt->areas, first, last);
	return node ? container_of(node, struct iopt_area, node) : NULL;
}

/* The next one up to @last: areas do not overlap, so it needs no search. */
static inline struct iopt_area *iopt_area_next(struct iopt_area *area,
					       unsigned long last)
{
	struct iopt_area *next;

	if (area->node.last >= last)
		return NULL;
	next = rb_entry_safe(rb_next(&area->node.rb), struct iopt_area, node.rb);
	return next && next->node.start <= last ? next : NULL;
}

static inline unsigned long iopt_area_length(const struct iopt_area *area)
{
	return area->node.last - area->node.start + 1;
}

/* Index in area->pages of the page that an IOVA of the area lies in. */
static inline unsigned long iopt_area_page(const struct iopt_area *area,
					   unsigned long iova)
{
	return area->first_page +
	       (iova - area->node.start + area->page_offset) / PAGE_SIZE;
}

static inline unsigned long iopt_area_last_page(const struct iopt_area *area)
{
	return iopt_area_page(area, area->node.last);
}

/* Bytes from the start of area->pages to an IOVA of the area. */
static inline unsigned long iopt_area_offset(const struct iopt_area *area,
					     unsigned long iova)
{
	return area->first_page * PAGE_SIZE + area->page_offset +
	       (iova - area->node.start);
}

static inline void iopt_wake_waiters(struct io_pagetable *iopt)
{
	lockdep_assert_held(&iopt->iova_rwsem);

	if (iopt->nr_waiters)
		wake_up_all(&iopt->wait);
}

void iopt_init_table(struct io_pagetable *iopt);
void iopt_destroy_table(struct io_pagetable *iopt);

/* iova.c: where a mapping may lie */

/**
 * struct iopt_reserved - IOVAs that may not be mapped
 * @node: in io_pagetable.reserved
 * @owner: who reserved them
 */
struct iopt_reserved {
	struct interval_tree_node node;
	void *owner;
};

/**
 * struct iopt_allowed - IOVAs that may not be reserved
 * @node: in io_pagetable.allowed
 */
struct iopt_allowed {
	struct interval_tree_node node;
};

int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long first,
		      unsigned long last, void *owner);
int iopt_reserve_length(struct io_pagetable *iopt, unsigned long first,
			unsigned long length, void *owner);
void iopt_unreserve_iova(struct io_pagetable *iopt, void *owner);
int iopt_set_allowed(struct io_pagetable *iopt, struct rb_root_cached *allowed);
void iopt_free_allowed(struct rb_root_cached *allowed);
int iopt_reserve_outside_aperture(struct io_pagetable *iopt,
				  struct iommu_domain *domain, void *owner);
int iopt_alloc_iova(struct io_pagetable *iopt, unsigned long uva,
		    unsigned long length, unsigned long *iova);
bool iopt_iova_reserved(struct io_pagetable *iopt, unsigned long first,
			unsigned long last);

/* io_pagetable.c: mappings */

/**
 * struct iopt_map_args - what to map how
 * @iova: in: where, out: where it was mapped
 * @alloc_iova: choose an IOVA; @iova is only written
 * @length: bytes
 * @prot: IOMMU_READ, IOMMU_WRITE, IOMMU_CACHE
 * @compat: made by a VFIO ioctl
 * @compat_limit: -ENOSPC once there are so many areas of VFIO ioctls; 0 = none
 */
struct iopt_map_args {
	unsigned long iova;
	bool alloc_iova;
	unsigned long length;
	int prot;
	bool compat;
	unsigned long compat_limit;
};

int iopt_map_user_pages(struct io_pagetable *iopt,
			struct iommufd_owner *owner,
			enum iommufd_account account, unsigned long uva,
			struct iopt_map_args *args);
int iopt_map_file(struct io_pagetable *iopt, struct iommufd_owner *owner,
		  enum iommufd_account account, struct file *file,
		  unsigned long start, struct iopt_map_args *args);
int iopt_copy(struct io_pagetable *dst, struct io_pagetable *src,
	      unsigned long src_iova, struct iopt_map_args *args);

/**
 * enum iopt_unmap_policy - what a range that cuts a mapping does
 * @IOPT_UNMAP_NATIVE: -ENOENT
 * @IOPT_UNMAP_TYPE1: as VFIO type1 v1: a range that begins inside a mapping
 *	unmaps nothing; a mapping whose start is in the range goes as a whole
 * @IOPT_UNMAP_TYPE1V2: as VFIO type1 v2: -EINVAL
 * @IOPT_UNMAP_COMPAT: only what VFIO ioctls mapped goes, as a whole
 */
enum iopt_unmap_policy {
	IOPT_UNMAP_NATIVE,
	IOPT_UNMAP_TYPE1,
	IOPT_UNMAP_TYPE1V2,
	IOPT_UNMAP_COMPAT,
};

int iopt_unmap(struct io_pagetable *iopt, unsigned long first,
	       unsigned long last, enum iopt_unmap_policy policy,
	       unsigned long *unmapped);
int iopt_cut(struct io_pagetable *iopt, unsigned long first,
	     unsigned long last);

/* iopt_domain.c */

int iopt_disable_large_pages(struct io_pagetable *iopt);
void iopt_enable_large_pages(struct io_pagetable *iopt);

int iopt_add_domain(struct io_pagetable *iopt, struct iopt_domain *idomain);
void iopt_remove_domain(struct io_pagetable *iopt, struct iopt_domain *idomain);

int iopt_pin_all(struct io_pagetable *iopt, struct iopt_area **pinned);
void iopt_unpin_all(struct io_pagetable *iopt, struct iopt_area *pinned);

unsigned long iopt_alignment_with(struct io_pagetable *iopt,
				  struct iopt_domain *idomain);
int iopt_set_alignment(struct io_pagetable *iopt, unsigned long align);

/* iopt_access.c: in-kernel users */

int iopt_add_access(struct io_pagetable *iopt, struct iopt_access *access);
void iopt_remove_access(struct io_pagetable *iopt, struct iopt_access *access);
int iopt_access_pin(struct io_pagetable *iopt, unsigned long iova,
		    unsigned long length, struct page **out, bool write);
void iopt_access_unpin(struct io_pagetable *iopt, unsigned long iova,
		       unsigned long length);
int iopt_access_rw(struct io_pagetable *iopt, unsigned long iova, void *data,
		   size_t length, bool write);

/* iopt_through.c: what is mapped through an io_pagetable, into another domain */

/**
 * struct iopt_through - IOVAs of another domain and what they lead to
 * @gpa: first IOVA of the io_pagetable; a multiple of PAGE_SIZE, as @iova and @length
 * @iova: first IOVA of the domain
 * @length: bytes, not 0; nothing of what it makes overflows
 * @prot: IOMMU_READ, IOMMU_WRITE; out: those that the area has, too
 * @max_io_page: an IO page is never larger
 * @max_entries: more IO pages than that are -ENOSPC
 * @entries: out: number of IO pages, or more
 */
struct iopt_through {
	unsigned long gpa;
	unsigned long iova;
	unsigned long length;
	int prot;
	unsigned long max_io_page;
	unsigned long max_entries;
	unsigned long entries;
};

void iopt_add_watcher(struct io_pagetable *iopt, struct iopt_watcher *watcher);
void iopt_remove_watcher(struct io_pagetable *iopt,
			 struct iopt_watcher *watcher);
bool iopt_through_part(struct io_pagetable *iopt, struct iopt_domain *idomain,
		       struct iopt_through *part);
int iopt_through_map(struct io_pagetable *iopt, struct iopt_domain *idomain,
		     struct iopt_through *part);
int iopt_through_prot(struct io_pagetable *iopt, unsigned long gpa);
bool iopt_through_live(struct io_pagetable *iopt, unsigned long gpa,
		       unsigned long last);
void iopt_through_leak(struct io_pagetable *iopt, unsigned long gpa);
int iopt_through_read(struct io_pagetable *iopt, unsigned long gpa, void *table);

/* iopt_dirty.c: what may have been written to */

/**
 * struct iopt_dirty_run - words of a bitmap of dirty pages that follow each other
 * @word: index of the first one in the whole bitmap
 * @words: how many
 * @keep: so many bits of the first one are in front of what is mapped
 */
struct iopt_dirty_run {
	u32 word;
	u16 words;
	u16 keep;
};

/* As many as few instructions zero on the stack */
#define IOPT_DIRTY_RUNS 8

/**
 * struct iopt_dirty_batch - some of a bitmap of dirty pages
 * @first: IOVA to begin at
 * @last: out: the last IOVA that it is about
 * @bits: room for the words of all runs, one behind the other
 * @room: words, at most U16_MAX
 * @nruns: out: number of @runs
 * @runs: out: what @bits are about
 */
struct iopt_dirty_batch {
	unsigned long first;
	unsigned long last;
	unsigned long *bits;
	unsigned int room;
	unsigned int nruns;
	struct iopt_dirty_run runs[IOPT_DIRTY_RUNS];
};

int iopt_read_dirty(struct io_pagetable *iopt, unsigned long base,
		    unsigned long last, struct iopt_dirty_batch *batch);

/* iopt_page_pins.c: in-kernel users that pin page by page */

int iopt_page_pins_pin(struct io_pagetable *iopt, unsigned long iova,
		       unsigned long npages, struct page **out, bool write);
void iopt_page_pins_unpin(struct io_pagetable *iopt, unsigned long iova,
			  unsigned long npages);
int iopt_page_pins_mark(struct io_pagetable *iopt, unsigned long first,
			unsigned long last);
void iopt_page_pins_read(struct io_pagetable *iopt,
			 const struct iopt_range *range, unsigned long *bits,
			 unsigned int first_bit);
void iopt_page_pins_clean(struct io_pagetable *iopt,
			  const struct iopt_range *range,
			  const unsigned long *bits, unsigned int first_bit);
void iopt_track_dirty(struct io_pagetable *iopt, bool on);

/* iopt_owner.c: who pays */

int iopt_charge_next(struct io_pagetable *iopt, struct iommufd_owner *next,
		     struct list_head *changes);
void iopt_change_owner(struct list_head *changes, struct iommufd_owner *next,
		       bool undo);

/* io_pagetable.c */

unsigned long iopt_count_areas(void);
int iopt_init(void);
void iopt_exit(void);

#endif
