/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_PIN_FILE_H
#define IOMMUFD_PIN_FILE_H

#include <linux/types.h>

struct file;
struct page;

/**
 * struct iommufd_file_view - a part of a file, mapped for pinning
 * @file: that passed iommufd_file_check()
 * @writable: pin for writing
 * @end: offset where what is to be pinned ends, bytes
 * @start: offset of what is mapped, bytes
 * @length: how much is mapped, bytes; 0: nothing
 * @addr: where, in the calling process
 *
 * The caller sets the first three.
 */
struct iommufd_file_view {
	struct file *file;
	bool writable;
	unsigned long end;
	unsigned long start;
	unsigned long length;
	unsigned long addr;
};

int iommufd_file_check(struct file *file, bool writable, u64 start,
		       u64 length);
long iommufd_file_pin(struct iommufd_file_view *view, unsigned long offset,
		      unsigned long npages, struct page **out);
void iommufd_file_unview(struct iommufd_file_view *view);

#endif
