/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The in-kernel interface of iommufd.ko.
 *
 * Other modules reach an iommufd context through an open file of /dev/iommu
 * (or make one that no file descriptor shows), bind devices to it, attach them
 * to an address space, or act as a device themselves through an access object.
 *
 * Symbols are exported in namespace IOMMUFD; those that only the VFIO bridge
 * needs in IOMMUFD_VFIO.  Unless a function says otherwise, it may sleep and
 * must be called with no lock of iommufd held.
 */
#ifndef __LINUX_IOMMUFD_H
#define __LINUX_IOMMUFD_H

#include <linux/types.h>
#include <linux/err.h>

struct device;
struct file;
struct iommu_group;
struct iommufd_access;
struct iommufd_ctx;
struct iommufd_device;
struct module;
struct page;

/* ------------------------------------------------------------------ */
/* Contexts */

/**
 * iommufd_ctx_from_file() - Context behind an open file
 * @file: any file
 *
 * Return: the context with a reference, or ERR_PTR(-EBADFD) when @file is not
 * one of /dev/iommu.  Context: any that may take a file reference.
 */
struct iommufd_ctx *iommufd_ctx_from_file(struct file *file);

/**
 * iommufd_ctx_from_fd() - Context behind a file descriptor of current
 * @fd: file descriptor
 *
 * Return: as iommufd_ctx_from_file(); ERR_PTR(-EBADF) for a closed @fd.
 */
struct iommufd_ctx *iommufd_ctx_from_fd(int fd);

/**
 * iommufd_ctx_create() - Make a context that no file descriptor shows
 *
 * For a module that serves another device node on iommufd's core.
 *
 * Return: a context with one reference, or ERR_PTR(-ENOMEM), ERR_PTR(-ENFILE).
 */
struct iommufd_ctx *iommufd_ctx_create(void);

/** iommufd_ctx_get() - Take a reference on a context the caller holds */
void iommufd_ctx_get(struct iommufd_ctx *ictx);

/**
 * iommufd_ctx_put() - Drop a reference
 * @ictx: context
 *
 * With the last reference everything in the context is torn down, later and in
 * process context, as by fput().
 */
void iommufd_ctx_put(struct iommufd_ctx *ictx);

/* ------------------------------------------------------------------ */
/* Devices */

/**
 * enum iommufd_bind_flags - how to bind
 * @IOMMUFD_BIND_OWNER_HELD: the caller already holds DMA ownership of the
 *	group (vfio.ko takes it at SET_CONTAINER) and keeps it until unbind;
 *	else bind takes it
 */
enum iommufd_bind_flags {
	IOMMUFD_BIND_OWNER_HELD = 1 << 0,
};

/**
 * iommufd_device_bind() - Take a device into a context
 * @ictx: context
 * @dev: device behind an IOMMU; its driver keeps it from going away
 * @flags: of enum iommufd_bind_flags
 * @id: out: object id
 *
 * Userspace cannot destroy the object.  On 6.1 an IOMMU group moves as one, so
 * the first device of a group brings the whole group.
 *
 * Return: the device, or an ERR_PTR: -ENODEV no IOMMU group; -EINVAL not cache
 * coherent; -EPERM the group has another owner, or no interrupt remapping and
 * allow_unsafe_interrupts is off; -ENOMEM.
 */
struct iommufd_device *iommufd_device_bind(struct iommufd_ctx *ictx,
					   struct device *dev,
					   unsigned int flags, u32 *id);

/**
 * iommufd_device_bind_group() - Take a whole IOMMU group into a context
 * @ictx: context
 * @group: IOMMU group
 * @flags: of enum iommufd_bind_flags
 * @id: out: object id
 *
 * As iommufd_device_bind(), for callers that know only the group and whose
 * group may lose any single device while it is bound.
 */
struct iommufd_device *iommufd_device_bind_group(struct iommufd_ctx *ictx,
						 struct iommu_group *group,
						 unsigned int flags, u32 *id);

/**
 * iommufd_device_unbind() - Undo iommufd_device_bind()
 * @idev: device, detached
 */
void iommufd_device_unbind(struct iommufd_device *idev);

/**
 * iommufd_device_attach() - Let a device do DMA through an IOAS
 * @idev: device, not attached
 * @pt_id: in: id of an IOAS; out: id of the page table (HWPT) in use
 *
 * Finds an IOMMU domain of the IOAS that fits the device, or makes one and
 * fills it with all mappings.
 *
 * Return: 0, or -ENOENT no such IOAS; -EBUSY already attached; -EINVAL the IO
 * pages are larger than CPU pages; -EADDRINUSE the device reserves IOVAs that
 * are mapped or promised, or a mapping is not aligned to its IO pages; -EFAULT,
 * -ENOMEM from pinning; -EINTR.
 */
int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id);

/** iommufd_device_detach() - Undo iommufd_device_attach(); DMA is blocked */
void iommufd_device_detach(struct iommufd_device *idev);

/** iommufd_device_to_ctx() - The context of a device; no new reference */
struct iommufd_ctx *iommufd_device_to_ctx(struct iommufd_device *idev);

/* ------------------------------------------------------------------ */
/* In-kernel access */

/**
 * struct iommufd_access_ops - callbacks of a kernel user of an IOAS
 * @needs_pin_pages: the user calls iommufd_access_pin_pages()
 * @unmap: the range is about to be unmapped: the user must let go of all that
 *	it pinned in it before it returns, also in calls to pin that are still
 *	under way when they return.  Called again a few times if pins remain,
 *	also for other users' ranges; then the unmap fails with -EBUSY.  May
 *	sleep.  Must not call attach, detach or destroy of the same access.
 */
struct iommufd_access_ops {
	u8 needs_pin_pages : 1;
	void (*unmap)(void *data, unsigned long iova, unsigned long length);
};

/**
 * enum iommufd_access_flags - flags of pin and rw
 * @IOMMUFD_ACCESS_RW_READ: read from the IOAS
 * @IOMMUFD_ACCESS_RW_WRITE: write to the IOAS
 */
enum iommufd_access_flags {
	IOMMUFD_ACCESS_RW_READ = 0,
	IOMMUFD_ACCESS_RW_WRITE = 1 << 0,
};

/**
 * iommufd_access_create() - Make an access object
 * @ictx: context; the access holds a reference
 * @ops: callbacks, valid until destroy
 * @data: first argument of the callbacks
 * @id: out: object id
 *
 * Return: the access, or ERR_PTR(-ENOMEM).
 */
struct iommufd_access *
iommufd_access_create(struct iommufd_ctx *ictx,
		      const struct iommufd_access_ops *ops, void *data,
		      u32 *id);

/** iommufd_access_destroy() - Detach if attached, and free */
void iommufd_access_destroy(struct iommufd_access *access);

/**
 * iommufd_access_attach() - Connect an access to an IOAS
 * @access: access, not attached
 * @ioas_id: id
 *
 * From then on IOVAs and lengths are multiples of PAGE_SIZE if the access pins.
 *
 * Return: 0, -EINVAL already attached, -ENOENT no such IOAS, -EADDRINUSE the
 * access pins, but a mapping is not aligned to PAGE_SIZE.
 */
int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id);

/**
 * iommufd_access_detach() - Undo attach
 * @access: access
 *
 * Calls @ops->unmap for the whole address space first.
 */
void iommufd_access_detach(struct iommufd_access *access);

/**
 * iommufd_access_pin_pages() - Pin pages and return them
 * @access: attached access with needs_pin_pages
 * @iova: first IOVA; any alignment
 * @length: bytes
 * @out_pages: one pointer per CPU page that the range touches
 * @flags: IOMMUFD_ACCESS_RW_WRITE to have them writable
 *
 * Each successful call is undone by one unpin call with the same range.
 *
 * Return: 0, -ENOENT not mapped without a gap or not attached, -EPERM WRITE on
 * a mapping that is not writable, -EINVAL, -EOVERFLOW, -ENOMEM, -EFAULT.
 */
int iommufd_access_pin_pages(struct iommufd_access *access, unsigned long iova,
			     unsigned long length, struct page **out_pages,
			     unsigned int flags);

/** iommufd_access_unpin_pages() - Undo one iommufd_access_pin_pages() */
void iommufd_access_unpin_pages(struct iommufd_access *access,
				unsigned long iova, unsigned long length);

/**
 * iommufd_access_rw() - Copy between a kernel buffer and an IOAS
 * @access: attached access
 * @iova: first IOVA; any alignment
 * @data: kernel buffer
 * @length: bytes; 0 is -EINVAL
 * @flags: of enum iommufd_access_flags
 *
 * Return: 0, or as iommufd_access_pin_pages(); after an error a part may have
 * been copied.
 */
int iommufd_access_rw(struct iommufd_access *access, unsigned long iova,
		      void *data, size_t length, unsigned int flags);

/* ------------------------------------------------------------------ */
/* For the VFIO bridge: namespace IOMMUFD_VFIO */

/**
 * struct iommufd_vfio_container_ops - what a VFIO bridge gives to iommufd
 * @owner: module; held as long as one container exists
 * @open: make the VFIO container that stands behind an open /dev/iommu; called
 *	when the file is opened, or at its first VFIO ioctl when the bridge was
 *	loaded later.  Returns the container or an ERR_PTR.
 * @release: undo @open; called when the context goes away
 * @set_iommu: VFIO_SET_IOMMU of @type (VFIO_TYPE1_IOMMU or
 *	VFIO_TYPE1v2_IOMMU) on the container; @ioas_id is for
 *	iommufd_vfio_container_set().  Returns what vfio.ko returns.
 * @has_group: true while a VFIO group is in the container and no IOMMU has
 *	been set
 *
 * All are called without a lock of iommufd and may sleep.
 */
struct iommufd_vfio_container_ops {
	struct module *owner;
	void *(*open)(struct iommufd_ctx *ictx);
	void (*release)(void *container);
	long (*set_iommu)(void *container, unsigned long type, u32 ioas_id);
	bool (*has_group)(void *container);
};

/**
 * iommufd_vfio_register_container_ops() - Announce the VFIO bridge
 * @ops: callbacks, valid until unregister
 *
 * Return: 0 or -EBUSY when there is one already.
 */
int iommufd_vfio_register_container_ops(
	const struct iommufd_vfio_container_ops *ops);

/** iommufd_vfio_unregister_container_ops() - Undo register */
void iommufd_vfio_unregister_container_ops(
	const struct iommufd_vfio_container_ops *ops);

/**
 * iommufd_vfio_file_container() - The container behind a file
 * @file: any file; the caller holds a reference
 *
 * Return: what @open returned for this file, or NULL: not a file of
 * /dev/iommu, or no bridge.  Context: any; takes no lock, does not sleep.
 */
void *iommufd_vfio_file_container(struct file *file);

/**
 * iommufd_vfio_compat_ioas_id() - Id of the compatibility IOAS
 * @ictx: context
 * @out_ioas_id: out: id
 *
 * Makes the IOAS if there is none.  Two callers at once get the same one.
 *
 * Return: 0 or -ENOMEM.
 */
int iommufd_vfio_compat_ioas_id(struct iommufd_ctx *ictx, u32 *out_ioas_id);

/**
 * iommufd_vfio_container_set() - A VFIO container got its IOMMU
 * @ictx: context behind the container
 * @type: VFIO_TYPE1_IOMMU or VFIO_TYPE1v2_IOMMU
 * @ioas_id: where groups attach: what @set_iommu was given, or 0 for the
 *	compatibility IOAS, made if there is none
 *
 * From now on the container ioctls of @ictx answer as stock type1 does for a
 * container with a group.  Call it before the first group is attached.
 *
 * Return: 0, -EINVAL other types, -EBUSY already set, -ENOENT no such IOAS,
 * -ENOMEM.
 */
int iommufd_vfio_container_set(struct iommufd_ctx *ictx, unsigned long type,
			       u32 ioas_id);

/**
 * iommufd_vfio_container_unset() - The last VFIO group left
 * @ictx: context
 * @failed: no group came, VFIO_SET_IOMMU fails: all is to be as it was before
 *	iommufd_vfio_container_set()
 *
 * Drops what container ioctls mapped, unless another device or access uses the
 * IOAS.  Call it after the last group was detached and unbound.
 */
void iommufd_vfio_container_unset(struct iommufd_ctx *ictx, bool failed);

/**
 * iommufd_vfio_container_ioas_id() - Id of the IOAS that groups attach to
 * @ictx: context between container_set and container_unset
 *
 * The one of iommufd_vfio_container_set(), whatever IOMMU_VFIO_IOAS did since.
 *
 * Return: the id.
 */
u32 iommufd_vfio_container_ioas_id(struct iommufd_ctx *ictx);

/**
 * iommufd_vfio_container_ioctl() - A VFIO container ioctl
 * @ictx: context
 * @cmd: VFIO_* command; VFIO_SET_IOMMU is not for this function
 * @arg: its argument
 *
 * For a bridge that serves vfio.ko's own container node.  With @ictx NULL only
 * VFIO_CHECK_EXTENSION is answered, as for a container without an IOMMU.
 *
 * Return: as the ioctl; -ENOTTY for an unknown or a native command.
 */
long iommufd_vfio_container_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
				  unsigned long arg);

#endif
