// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has what mapped and pinned: /sys/kernel/debug/iommufd/.
 *
 * stats: totals of the module, all 0 when nothing is open.
 * p2p: how often device memory that is mapped for DMA was revoked, came back, and
 *	did not, since the module was loaded.
 * nesting: faults that no file of a container had a place for; entries of guests'
 *	page tables that their shadows could not map (at least), and that stage 2 took
 *	from them, since then.
 * contexts: each open file, its address spaces and page tables.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "debugfs.h"
#include "fault.h"
#include "hwpt.h"
#include "pasid_set.h"
#include "shadow.h"

static struct dentry *debugfs_dir;
/* Protects the list and keeps what is on it from being torn down. */
static DEFINE_MUTEX(contexts_lock);
static LIST_HEAD(contexts);
static atomic_t nr_contexts;

void iommufd_debugfs_add(struct iommufd_ctx *ictx)
{
	atomic_inc(&nr_contexts);
	mutex_lock(&contexts_lock);
	list_add_tail(&ictx->item, &contexts);
	mutex_unlock(&contexts_lock);
}

void iommufd_debugfs_remove(struct iommufd_ctx *ictx)
{
	mutex_lock(&contexts_lock);
	list_del(&ictx->item);
	mutex_unlock(&contexts_lock);
}

/* The last that is done of a context: who sees none of them sees nothing of theirs. */
void iommufd_debugfs_gone(void)
{
	atomic_dec_return_release(&nr_contexts);
}

static int stats_show(struct seq_file *s, void *unused)
{
	seq_printf(s, "contexts %d\n", atomic_read_acquire(&nr_contexts));
	seq_printf(s, "objects %lu\n", iommufd_count_objects());
	seq_printf(s, "areas %lu\n", iopt_count_areas());
	seq_printf(s, "pages %lu\n", iopt_pages_count_objects());
	seq_printf(s, "pinned_pages %lu\n", iopt_pages_count_pinned());
	seq_printf(s, "p2p_ranges %lu\n", pfnmap_count());
	seq_printf(s, "pasids %lu\n", pasid_set_count());
	seq_printf(s, "shadow_entries %lu\n", iommufd_shadow_count());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int p2p_show(struct seq_file *s, void *unused)
{
	pfnmap_show_events(s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(p2p);

static int nesting_show(struct seq_file *s, void *unused)
{
	seq_printf(s, "faults_lost %lu\n", iommufd_fault_count_lost());
	seq_printf(s, "shadow_absent %lu\n", iommufd_shadow_count_absent());
	seq_printf(s, "shadow_dropped %lu\n", iommufd_shadow_count_dropped());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(nesting);

static void show_ioas(struct seq_file *s, struct iommufd_ioas *ioas)
{
	struct io_pagetable *iopt = &ioas->iopt;
	struct iommufd_hwpt *hwpt;

	/*
	 * Whoever opens /dev/iommu waits for contexts_lock, and with them all
	 * who open a misc device: never wait for a lock that is held long.
	 */
	if (!down_read_trylock(&iopt->iova_rwsem)) {
		seq_printf(s, "  ioas %u: busy\n", ioas->obj.id);
		return;
	}
	seq_printf(s, "  ioas %u: %lu maps (%lu by VFIO), %lu bytes%s%s\n",
		   ioas->obj.id, iopt->nr_areas, iopt->nr_compat,
		   iopt->mapped_bytes,
		   ioas->obj.ictx->vfio_ioas == ioas ? ", compatibility" : "",
		   iopt->disable_large_pages ? ", no large IO pages" : "");
	up_read(&iopt->iova_rwsem);

	if (!mutex_trylock(&ioas->mutex)) {
		seq_puts(s, "    hwpts: busy\n");
		return;
	}
	list_for_each_entry(hwpt, &ioas->hwpts, item)
		seq_printf(s, "    hwpt %u: %u groups%s\n", hwpt->obj.id,
			   hwpt->groups,
			   hwpt->enforce_cache_coherency ? ", coherent" : "");
	mutex_unlock(&ioas->mutex);
}

static int contexts_show(struct seq_file *s, void *unused)
{
	struct iommufd_object *obj;
	struct iommufd_ctx *ictx;
	struct iommufd_ioas *ioas;
	unsigned long id;

	mutex_lock(&contexts_lock);
	list_for_each_entry(ictx, &contexts, item) {
		seq_printf(s, "pid %d (%s)\n", ictx->pid, ictx->comm);
		xa_for_each(&ictx->objects, id, obj) {
			ioas = iommufd_ioas_find(ictx, id);
			if (IS_ERR(ioas))
				continue;
			show_ioas(s, ioas);
			iommufd_object_done(&ioas->obj);
		}
	}
	mutex_unlock(&contexts_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(contexts);

void iommufd_debugfs_init(void)
{
	debugfs_dir = debugfs_create_dir("iommufd", NULL);
	debugfs_create_file("stats", 0400, debugfs_dir, NULL, &stats_fops);
	debugfs_create_file("p2p", 0400, debugfs_dir, NULL, &p2p_fops);
	debugfs_create_file("nesting", 0400, debugfs_dir, NULL, &nesting_fops);
	debugfs_create_file("contexts", 0400, debugfs_dir, NULL,
			    &contexts_fops);
}

void iommufd_debugfs_exit(void)
{
	debugfs_remove_recursive(debugfs_dir);
}
