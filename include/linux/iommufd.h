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
struct iommu_domain;
struct iommu_fault_unrecoverable;
struct iommu_group;
struct iommu_hwpt_pgfault;
struct iommu_ops;
struct iommufd_access;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_dirty_bitmap;
struct iommufd_foreign;
struct iommufd_vfio_group;
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
 * @IOMMUFD_BIND_IN_CTX: the device belongs to a foreign object of the same
 *	context, which unbinds it at the latest when the context goes; so it
 *	holds no reference on the context
 */
enum iommufd_bind_flags {
	IOMMUFD_BIND_OWNER_HELD = 1 << 0,
	IOMMUFD_BIND_IN_CTX = 1 << 1,
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
 * iommufd_device_attach() - Let a device do DMA through an address space
 * @idev: device, not attached
 * @pt_id: in: id of an IOAS or of an HWPT; out: id of the HWPT in use
 *
 * For an IOAS finds an IOMMU domain of it that fits the device, or makes one
 * and fills it with all mappings.
 *
 * Return: 0, or -ENOENT no such IOAS or HWPT; -EBUSY already attached, or the
 * group is, elsewhere; -EINVAL the IO pages are larger than CPU pages, or the
 * HWPT does not fit the device; -EADDRINUSE the device reserves IOVAs that are
 * mapped or promised, or a mapping is not aligned to its IO pages; -EFAULT,
 * -ENOMEM from pinning; -EINTR.
 */
int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id);

/** iommufd_device_detach() - Undo iommufd_device_attach(); DMA is blocked */
void iommufd_device_detach(struct iommufd_device *idev);

/**
 * iommufd_device_replace() - Attach a device elsewhere
 * @idev: device, attached
 * @pt_id: as for iommufd_device_attach()
 *
 * The whole IOMMU group moves.  6.1 cannot do that atomically: DMA is blocked
 * for a moment.
 *
 * Return: 0; -EINVAL not attached; as iommufd_device_attach(), and the device is
 * where it was before.
 */
int iommufd_device_replace(struct iommufd_device *idev, u32 *pt_id);

/**
 * iommufd_device_pasid_attach() - Attach one PASID of a device
 * @idev: device
 * @pasid: process address space id, not 0
 * @pt_id: in and out: id of an HWPT that was made with IOMMU_HWPT_ALLOC_PASID
 *
 * Return: 0; -ENOENT no such HWPT; -EINVAL the device has no such PASID, or what
 * @pt_id is, or what the device itself is attached to, is not for PASIDs; -EBUSY
 * the PASID is attached; the IOMMU driver's error.
 */
int iommufd_device_pasid_attach(struct iommufd_device *idev, u32 pasid,
				u32 *pt_id);

/**
 * iommufd_device_pasid_replace() - Attach a PASID elsewhere, without a gap
 *
 * As iommufd_device_pasid_attach(), but -EINVAL if @pasid is not attached.
 */
int iommufd_device_pasid_replace(struct iommufd_device *idev, u32 pasid,
				 u32 *pt_id);

/** iommufd_device_pasid_detach() - Undo attach, if @pasid is attached */
void iommufd_device_pasid_detach(struct iommufd_device *idev, u32 pasid);

/** iommufd_device_to_ctx() - The context of a device; no new reference */
struct iommufd_ctx *iommufd_device_to_ctx(struct iommufd_device *idev);

/**
 * iommufd_report_device_fault() - Hand a page request to userspace
 * @dev: device that waits; it was bound by iommufd_device_bind()
 * @fault: flags, pasid, grpid, perm, addr, length; the rest is filled in
 *
 * Goes to the fault queue of the HWPT that the PASID, or if that is not
 * attached and the device is attached to a nested HWPT, the device is attached
 * to.  The answer comes through iommufd_hw_ops.page_response: from userspace, or
 * IOMMUFD_PAGE_RESP_INVALID when the HWPT, the attachment or the queue goes.
 * Requests without IOMMU_PGFAULT_FLAGS_LAST_PAGE are not answered.
 *
 * Return: 0; -ENODEV nobody handles it, -EBUSY the queue is full, -ENOMEM: then
 * the caller answers.
 */
int iommufd_report_device_fault(struct device *dev,
				const struct iommu_hwpt_pgfault *fault);

/**
 * iommufd_report_device_event() - Tell userspace of a DMA that failed for good
 * @dev: device, as for iommufd_report_device_fault()
 * @event: what happened; flags, reason, pasid, perm, addr, fetch_addr
 *
 * Goes to the same queue if that is one of a VFIO container, else nowhere: fault
 * queues of iommufd have no such records.  What does not fit is dropped and counted.
 */
void iommufd_report_device_event(struct device *dev,
				 const struct iommu_fault_unrecoverable *event);

/* ------------------------------------------------------------------ */
/* IOMMU drivers that can do more than the iommu_ops of 6.1 */

/**
 * struct iommufd_user_data - a driver's own data from userspace
 * @type: what it is
 * @len: bytes
 * @data: a copy
 */
struct iommufd_user_data {
	u32 type;
	u32 len;
	const void *data;
};

/**
 * struct iommufd_user_array - an array of a driver's own entries
 * @type: what they are
 * @uptr: user address
 * @entry_len: bytes of each
 * @entry_num: how many; set it to how many were done, also after an error
 */
struct iommufd_user_array {
	u32 type;
	u64 uptr;
	u32 entry_len;
	u32 entry_num;
};

/**
 * iommufd_copy_user_data() - Get a struct from userspace
 * @dst: struct as the driver knows it; what userspace does not know is zeroed
 * @size: its size
 * @min_size: of its first published form
 * @src: the caller's
 * @type: that @src must have
 *
 * Return: 0; -EINVAL another type, or shorter than @min_size; -E2BIG a byte
 * beyond @size is not zero.
 */
int iommufd_copy_user_data(void *dst, size_t size, size_t min_size,
			   const struct iommufd_user_data *src, u32 type);

/** iommufd_copy_user_entry() - The same for entry @index of an array; -EFAULT */
int iommufd_copy_user_entry(void *dst, size_t size, size_t min_size,
			    const struct iommufd_user_array *src, u32 type,
			    u32 index);

/**
 * enum iommufd_stage1_flags - flags of struct iommufd_stage1
 * @IOMMUFD_STAGE1_SRE: privileged requests are allowed
 * @IOMMUFD_STAGE1_EAFE: extended accessed bits are set
 * @IOMMUFD_STAGE1_PCD: page-level cache disable
 * @IOMMUFD_STAGE1_PWT: page-level write through
 * @IOMMUFD_STAGE1_EMTE: the extended memory type is valid
 * @IOMMUFD_STAGE1_WPE: privileged writes need a page to be writable, too
 *
 * All but the last one as IOMMU_SVA_VTD_GPASID_*.
 */
enum iommufd_stage1_flags {
	IOMMUFD_STAGE1_SRE = 1 << 0,
	IOMMUFD_STAGE1_EAFE = 1 << 1,
	IOMMUFD_STAGE1_PCD = 1 << 2,
	IOMMUFD_STAGE1_PWT = 1 << 3,
	IOMMUFD_STAGE1_EMTE = 1 << 4,
	IOMMUFD_STAGE1_WPE = 1 << 8,
};

/**
 * struct iommufd_stage1 - a guest's page table, in the format of x86-64
 * @pgd: its root, an address of stage 2; aligned to 4096 and within @addr_width
 * @flags: of enum iommufd_stage1_flags
 * @addr_width: 48 or 57: 4 or 5 levels
 * @pat: page attribute table
 * @emt: extended memory type, 0 to 7
 */
struct iommufd_stage1 {
	u64 pgd;
	u32 flags;
	u32 addr_width;
	u32 pat;
	u32 emt;
};

/**
 * struct iommufd_stage1_inv - what is to be invalidated of a stage 1
 * @caches: IOMMU_CACHE_INV_TYPE_* of <linux/iommu_nesting.h>
 * @leaf: what is cached of upper levels may stay
 * @first: first address; not about the PASID cache
 * @last: last address, inclusive
 */
struct iommufd_stage1_inv {
	u8 caches;
	bool leaf;
	u64 first;
	u64 last;
};

/**
 * iommufd_dirty_bitmap_set() - Note that IOVAs were written to
 * @bitmap: given to iommufd_hw_ops.read_dirty
 * @iova: first IOVA
 * @length: bytes; parts outside the range of the call are ignored
 *
 * Context: any; does not sleep.
 */
void iommufd_dirty_bitmap_set(struct iommufd_dirty_bitmap *bitmap,
			      unsigned long iova, unsigned long length);

/**
 * struct iommufd_hw_ops - what an IOMMU driver adds for userspace
 * @owner: module; held as long as a domain of it is used
 * @iommu_ops: the devices with these iommu_ops are meant
 * @capabilities: IOMMU_HW_CAP_* of a device
 * @pasid_bits: width of a device's PASIDs, 0 for none
 * @hw_info: data for IOMMU_GET_HW_INFO.  @type: in: IOMMU_HW_INFO_TYPE_DEFAULT or
 *	the wanted one, out: what it is; @length: out.  Returns kmalloc() memory or
 *	ERR_PTR(-EOPNOTSUPP, -ENOMEM)
 * @domain_alloc: a paging domain, ready to be filled before anything is attached;
 *	@flags: IOMMU_HWPT_ALLOC_*; @data: NULL for none.  Its @type must be
 *	IOMMU_DOMAIN_UNMANAGED; iommu_domain_free() frees it
 * @domain_alloc_nested: a stage-1 domain on top of @parent, which @domain_alloc
 *	made with IOMMU_HWPT_ALLOC_NEST_PARENT.  iommu_attach_group() attaches it
 * @domain_alloc_stage1: the same for a page table of x86-64; @parent may be a domain
 *	that iommu_domain_alloc() made.  -EINVAL: flags that the driver does not have.
 *	Goes with @stage1_invalidate
 * @stage1_invalidate: of a domain that @domain_alloc_stage1 made; cannot fail
 * @set_dirty_tracking: of a domain made with IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 * @read_dirty: call iommufd_dirty_bitmap_set() for each dirty IO page of the
 *	range, which may be mapped in parts only, and clean it if @clear
 * @cache_invalidate: of a nested domain; entries in their order
 * @set_pasid: attach a PASID of a device to a domain, whatever it was attached to
 *	before, or, after an error, leave it as it was; NULL blocks it and cannot
 *	fail
 * @enable_iopf: the device's page requests are wanted from now on
 * @disable_iopf: undo
 * @page_response: answer a page request; @code: IOMMUFD_PAGE_RESP_*, or
 *	IOMMU_PAGE_RESP_FAILURE from VFIO.  Must not sleep
 *
 * Nobody maps, unmaps, attaches or detaches while @set_dirty_tracking or
 * @read_dirty is called; @set_pasid is for the driver to lock against that.
 * @set_pasid, @enable_iopf, @disable_iopf and attaching must not wait for
 * iommufd_report_device_fault().
 *
 * All may sleep unless they say otherwise.  Only @owner, @iommu_ops,
 * @capabilities and @pasid_bits are mandatory; without one of the others its
 * commands are EOPNOTSUPP.
 */
struct iommufd_hw_ops {
	struct module *owner;
	const struct iommu_ops *iommu_ops;
	u64 (*capabilities)(struct device *dev);
	unsigned int (*pasid_bits)(struct device *dev);
	void *(*hw_info)(struct device *dev, u32 *type, u32 *length);
	struct iommu_domain *(*domain_alloc)(struct device *dev, u32 flags,
					     const struct iommufd_user_data *data);
	struct iommu_domain *(*domain_alloc_nested)(struct device *dev,
						    struct iommu_domain *parent,
						    u32 flags,
						    const struct iommufd_user_data *data);
	struct iommu_domain *(*domain_alloc_stage1)(struct device *dev,
						    struct iommu_domain *parent,
						    u32 flags,
						    const struct iommufd_stage1 *stage1);
	void (*stage1_invalidate)(struct iommu_domain *domain,
				  const struct iommufd_stage1_inv *inv);
	int (*set_dirty_tracking)(struct iommu_domain *domain, bool enable);
	int (*read_dirty)(struct iommu_domain *domain, unsigned long iova,
			  unsigned long length, bool clear,
			  struct iommufd_dirty_bitmap *bitmap);
	int (*cache_invalidate)(struct iommu_domain *domain,
				struct iommufd_user_array *array);
	int (*set_pasid)(struct device *dev, u32 pasid,
			 struct iommu_domain *domain);
	int (*enable_iopf)(struct device *dev);
	void (*disable_iopf)(struct device *dev);
	void (*page_response)(struct device *dev,
			      const struct iommu_hwpt_pgfault *fault, u32 code);
};

/**
 * iommufd_hw_register() - Announce an IOMMU driver's operations
 * @ops: valid until unregister
 *
 * Return: 0, -EBUSY there are some for these iommu_ops, -ENOMEM.
 */
int iommufd_hw_register(const struct iommufd_hw_ops *ops);

/** iommufd_hw_unregister() - Undo; no domain of it is in use any more */
void iommufd_hw_unregister(const struct iommufd_hw_ops *ops);

/* ------------------------------------------------------------------ */
/* In-kernel access */

/**
 * struct iommufd_access_ops - callbacks of a kernel user of an IOAS
 * @needs_pin_pages: the user calls iommufd_access_pin_pages()
 * @pins_pages_singly: IOVAs and lengths of pins are multiples of PAGE_SIZE, and each
 *	page may be unpinned by itself, whatever it was pinned with; unpinning one
 *	that is not pinned does nothing.  What such a user has pinned or written to
 *	is what VFIO reports as dirty of a container without an IOMMU
 * @unmap: the range is about to be unmapped: the user must let go of all that
 *	it pinned in it before it returns, also in calls to pin that are still
 *	under way when they return.  Called again a few times if pins remain,
 *	also for other users' ranges; then the unmap fails with -EBUSY.  Length
 *	ULONG_MAX, with IOVA 0, means everything, the last IOVA too.  May
 *	sleep.  Must not call attach, detach or destroy of the same access.
 */
struct iommufd_access_ops {
	u8 needs_pin_pages : 1;
	u8 pins_pages_singly : 1;
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

/**
 * iommufd_access_replace() - Attach an access elsewhere
 * @access: access, attached or not
 * @ioas_id: id
 *
 * As iommufd_access_detach() and iommufd_access_attach().
 *
 * Return: 0; as iommufd_access_attach(), and the access is where it was, though
 * it was asked to unpin everything.
 */
int iommufd_access_replace(struct iommufd_access *access, u32 ioas_id);

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
/* Objects and commands of other modules, such as a mock IOMMU */

/**
 * struct iommufd_foreign_ops - a type of object that another module makes
 * @owner: module; held as long as such an object exists
 * @destroy: undo and free @data: IOMMU_DESTROY of the id, or the context goes.
 *	Cannot fail
 */
struct iommufd_foreign_ops {
	struct module *owner;
	void (*destroy)(void *data);
};

/**
 * iommufd_foreign_reserve() - Begin to make an object
 * @ictx: context
 * @ops: its type
 * @id: out: an id that no look-up finds yet
 *
 * Return: the object, for iommufd_foreign_publish() or iommufd_foreign_abort(),
 * or ERR_PTR(-ENOMEM), ERR_PTR(-ENODEV): @ops->owner is being unloaded.
 */
struct iommufd_foreign *
iommufd_foreign_reserve(struct iommufd_ctx *ictx,
			const struct iommufd_foreign_ops *ops, u32 *id);

/** iommufd_foreign_publish() - Let the id be found; cannot fail */
void iommufd_foreign_publish(struct iommufd_foreign *foreign, void *data);

/** iommufd_foreign_abort() - Give back an object that was never published */
void iommufd_foreign_abort(struct iommufd_foreign *foreign);

/**
 * iommufd_foreign_get() - Look up an object and use it
 * @ictx: context
 * @id: id
 * @ops: type that it must have
 * @data: out: what it was published with
 *
 * It is not destroyed before iommufd_foreign_put().
 *
 * Return: the object, or ERR_PTR(-ENOENT).
 */
struct iommufd_foreign *
iommufd_foreign_get(struct iommufd_ctx *ictx, u32 id,
		    const struct iommufd_foreign_ops *ops, void **data);

/** iommufd_foreign_put() - Undo iommufd_foreign_get() */
void iommufd_foreign_put(struct iommufd_foreign *foreign);

/**
 * struct iommufd_extra_ioctl - a command of another module on /dev/iommu
 * @owner: module; held while the command is at work
 * @cmd: with a number from IOMMUFD_CMD_BASE up, none of iommufd's
 * @size: of its struct, whose first member is its size; at most PAGE_SIZE
 * @min_size: of the struct's first published form
 * @execute: @cmd: copy of the struct, as long as @size, padded with zeros;
 *	@ubuffer, @user_size: the caller's, to answer.  Returns what ioctl returns
 */
struct iommufd_extra_ioctl {
	struct module *owner;
	unsigned int cmd;
	size_t size;
	size_t min_size;
	long (*execute)(struct iommufd_ctx *ictx, void *cmd,
			void __user *ubuffer, size_t user_size);
};

/** iommufd_extra_ioctl_register() - Add a command; -EBUSY: there is one */
int iommufd_extra_ioctl_register(const struct iommufd_extra_ioctl *ioctl);

/**
 * iommufd_extra_ioctl_unregister() - Undo, in module_exit
 *
 * Calls at work hold the module, so there are none.
 */
void iommufd_extra_ioctl_unregister(const struct iommufd_extra_ioctl *ioctl);

/**
 * iommufd_hwpt_call() - Call a function with the domain of an HWPT
 * @ictx: context
 * @id: of an HWPT
 * @fn: called with the HWPT in use
 * @data: for @fn
 *
 * Return: what @fn returns, or -ENOENT.
 */
int iommufd_hwpt_call(struct iommufd_ctx *ictx, u32 id,
		      int (*fn)(struct iommu_domain *domain, void *data),
		      void *data);

/** iommufd_device_call() - The same for a device made by iommufd_device_bind() */
int iommufd_device_call(struct iommufd_ctx *ictx, u32 id,
			int (*fn)(struct device *dev, void *data), void *data);

/**
 * iommufd_ioas_reserve() - Deny IOVAs to mappings, for good
 * @ictx: context
 * @ioas_id: id
 * @iova: first IOVA
 * @length: bytes
 *
 * Return: 0, -EINVAL length 0, -EOVERFLOW, -ENOENT, -EADDRINUSE mapped or
 * promised to userspace, -ENOMEM.
 */
int iommufd_ioas_reserve(struct iommufd_ctx *ictx, u32 ioas_id, u64 iova,
			 u64 length);

/**
 * iommufd_set_pin_memory() - Limit the memory for pinning, for tests
 * @bytes: that one call may use for what it pins at a time; 0 for the default
 *
 * Small numbers make many batches.  For all of the system.
 */
void iommufd_set_pin_memory(size_t bytes);

/* ------------------------------------------------------------------ */
/* For the VFIO bridge: namespace IOMMUFD_VFIO */

/**
 * struct iommufd_vfio_container_ops - what a VFIO bridge gives to iommufd
 * @owner: module; held as long as one container exists
 * @open: make the VFIO container that stands behind an open /dev/iommu; called
 *	when the file is opened, or at its first VFIO ioctl when the bridge was
 *	loaded later.  Returns the container or an ERR_PTR.
 * @release: undo @open; called when the context goes away
 * @set_iommu: VFIO_SET_IOMMU of @type (as for iommufd_vfio_container_set())
 *	on the container; @ioas_id is for
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
 * @type: VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU or, if the parameter nesting lets it,
 *	VFIO_TYPE1_NESTING_IOMMU
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
 * iommufd_vfio_group_attach() - A group joins a container that has an IOMMU
 * @ictx: context between container_set and container_unset
 * @group: group whose DMA ownership vfio.ko holds
 *
 * Binds it to @ictx, attaches it to the IOAS of the container, and in a container of
 * type VFIO_TYPE1_NESTING_IOMMU to what is bound.
 *
 * Return: the group, for iommufd_vfio_group_detach(), or an ERR_PTR() and nothing
 * changed: as iommufd_device_bind_group() and iommufd_device_attach(); -EOPNOTSUPP
 * its IOMMU cannot nest.
 */
struct iommufd_vfio_group *
iommufd_vfio_group_attach(struct iommufd_ctx *ictx, struct iommu_group *group);

/** iommufd_vfio_group_detach() - Undo; cannot fail */
void iommufd_vfio_group_detach(struct iommufd_vfio_group *vgroup);

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
