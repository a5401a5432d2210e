// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio.ko asks vfio_container_from_file() whether a file is a container, and
 * knows one by its file operations.  The hook at the entry of that function
 * replaces a file of /dev/iommu by its shadow, which is a real container: all
 * further checks and references are vfio.ko's own, on its own object.
 *
 * The caller holds the file of /dev/iommu, so the shadow cannot go away before
 * vfio.ko has its reference on the container.  The hook runs with preemption
 * off and takes no lock.
 */
#include "bridge.h"

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/printk.h>
#include <linux/ptrace.h>

#define HOOKED_FUNCTION "vfio_container_from_file"

static void notrace replace_first_argument(struct pt_regs *regs)
{
	struct file *shadow = bridge_shadow_file((struct file *)regs->di);

	if (shadow)
		regs->di = (unsigned long)shadow;
}

NOKPROBE_SYMBOL(replace_first_argument);

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_REGS

static void notrace hook_entry(unsigned long ip, unsigned long parent_ip,
			       struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);

	if (regs)
		replace_first_argument(regs);
}

NOKPROBE_SYMBOL(hook_entry);

/*
 * PERMANENT: writing 0 to kernel.ftrace_enabled is refused while the hook is in
 * place.  RECURSION: what the hook calls may itself be traced.
 */
static struct ftrace_ops hook_ops = {
	.func = hook_entry,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_PERMANENT |
		 FTRACE_OPS_FL_RECURSION,
};

int bridge_hook_install(void)
{
	unsigned char filter[] = HOOKED_FUNCTION;
	int rc;

	/* Without a filter the ops would trace every function there is. */
	rc = ftrace_set_filter(&hook_ops, filter, sizeof(filter) - 1, 1);
	if (rc) {
		pr_err("cannot trace " HOOKED_FUNCTION " of vfio.ko: %d\n", rc);
		return rc;
	}

	rc = register_ftrace_function(&hook_ops);
	if (rc) {
		pr_err("cannot hook " HOOKED_FUNCTION " of vfio.ko: %d%s\n",
		       rc, rc == -EBUSY ? "; set kernel.ftrace_enabled to 1" : "");
		ftrace_free_filter(&hook_ops);
	}
	return rc;
}

/* Returns when no CPU runs the hook and no task sleeps in its trampoline. */
void bridge_hook_remove(void)
{
	int rc = unregister_ftrace_function(&hook_ops);

	/* Only when ftrace shut itself down after a bug: it calls nobody then. */
	WARN_ONCE(rc, "hook not removed: %d\n", rc);
	ftrace_free_filter(&hook_ops);
}

#else

static int hook_entry(struct kprobe *probe, struct pt_regs *regs)
{
	replace_first_argument(regs);
	return 0;
}

NOKPROBE_SYMBOL(hook_entry);

static struct kprobe hook_probe = {
	.symbol_name = HOOKED_FUNCTION,
	.pre_handler = hook_entry,
};

int bridge_hook_install(void)
{
	int rc = register_kprobe(&hook_probe);

	if (rc)
		pr_err("cannot probe " HOOKED_FUNCTION " of vfio.ko: %d\n", rc);
	return rc;
}

/* Returns when no CPU runs the hook. */
void bridge_hook_remove(void)
{
	unregister_kprobe(&hook_probe);
}

#endif
