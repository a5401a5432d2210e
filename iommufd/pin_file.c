// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning pages of a memfd.
 *
 * 6.1 exports nothing that gets and pins them, so they are mapped for a moment
 * into whatever process is at work, and pinned there.  Its other threads may do
 * to that mapping what they like: that the right pages were pinned is checked.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "pin_file.h"

/* Mapped at a time: the caller may have locked all of their memory */
#define VIEW_MAX SZ_16M

static u64 file_size(const struct file *file)
{
	/* It may change at any moment; what is pinned is checked then. */
	return data_race(i_size_read(file_inode(file)));
}

static bool is_hugetlb(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == HUGETLBFS_MAGIC;
}

/**
 * iommufd_file_check() - Can this part of a file be pinned?
 * @file: file
 * @writable: for writing
 * @start: first byte
 * @length: bytes, not 0
 *
 * Return: 0; -EINVAL no memfd, or not that long; -EACCES not open for that.
 */
int iommufd_file_check(struct file *file, bool writable, u64 start, u64 length)
{
	struct inode *inode = file_inode(file);
	u64 end;

	if (inode->i_sb->s_magic != TMPFS_MAGIC && !is_hugetlb(file))
		return -EINVAL;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!(file->f_mode & FMODE_READ) ||
	    (writable && !(file->f_mode & FMODE_WRITE)))
		return -EACCES;
	if (check_add_overflow(start, length, &end) ||
	    end > file_size(file))
		return -EINVAL;
	return 0;
}

/* Is it the page at that place of the file? */
static bool is_page_at(const struct file *file, struct page *page,
		       unsigned long index)
{
	struct page *head = compound_head(page);
	unsigned long first = head->index;

	/* Those of hugetlb count huge pages. */
	if (is_hugetlb(file))
		first <<= compound_order(head);
	return head->mapping == file->f_mapping &&
	       first + (page - head) == index;
}

static bool are_pages_of(const struct file *file, unsigned long index,
			 struct page **pages, long npages)
{
	long i;

	for (i = 0; i != npages; i++) {
		if (!is_page_at(file, pages[i], index + i))
			return false;
	}
	return true;
}

/* Map the file from @offset on. */
static int view_open(struct iommufd_file_view *view, unsigned long offset)
{
	struct inode *inode = file_inode(view->file);
	unsigned long align = is_hugetlb(view->file) ? inode->i_sb->s_blocksize :
						       PAGE_SIZE;
	unsigned long size = round_up(file_size(view->file), PAGE_SIZE);
	unsigned long start = round_down(offset, align), end, addr;
	int prot = PROT_READ | (view->writable ? PROT_WRITE : 0);

	/* Mapping a file of huge pages beyond its end makes it longer. */
	if (!current->mm || offset >= size)
		return -EFAULT;
	end = round_up(min3(view->end, size, offset + VIEW_MAX), align);
	addr = vm_mmap(view->file, 0, end - start, prot, MAP_SHARED, start);
	/* What is mapped is locked, by mlockall(), and over the limit. */
	if (addr == (unsigned long)-EAGAIN)
		return -ENOMEM;
	if (IS_ERR_VALUE(addr))
		return addr;
	view->addr = addr;
	view->start = start;
	view->length = end - start;
	return 0;
}

/**
 * iommufd_file_unview() - End of pinning
 * @view: as iommufd_file_pin() left it
 */
void iommufd_file_unview(struct iommufd_file_view *view)
{
	/* It may fail, without memory: then this process, which has that file, maps it. */
	if (view->length)
		vm_munmap(view->addr, view->length);
	view->length = 0;
}

/**
 * iommufd_file_pin() - Pin pages of a file
 * @view: for iommufd_file_unview(), also after an error
 * @offset: of the first page, bytes
 * @npages: how many
 * @out: the pages
 *
 * Return: how many were pinned, at least one; -EFAULT the file is shorter now, or
 * the calling process has no memory of its own; -EPERM sealed; -ENOMEM; as
 * pin_user_pages_fast().
 * Context: may sleep; takes mmap_lock of current.
 */
long iommufd_file_pin(struct iommufd_file_view *view, unsigned long offset,
		      unsigned long npages, struct page **out)
{
	unsigned int flags = FOLL_LONGTERM | (view->writable ? FOLL_WRITE : 0);
	unsigned long in_view;
	long got;

	if (offset - view->start >= view->length) {
		iommufd_file_unview(view);
		got = view_open(view, offset);
		if (got)
			return got;
	}
	in_view = offset - view->start;
	npages = min(npages, (view->length - in_view) / PAGE_SIZE);
	/* A read fault maps what else of the file is around, a write fault does not. */
	if (npages > 1 && !is_hugetlb(view->file))
		fault_in_readable((char __user *)(view->addr + in_view),
				  npages * PAGE_SIZE);
	got = pin_user_pages_fast(view->addr + in_view, npages, flags, out);
	if (got > 0 &&
	    !are_pages_of(view->file, offset >> PAGE_SHIFT, out, got)) {
		unpin_user_pages(out, got);
		return -EFAULT;
	}
	return got;
}
