# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Shared by the scripts that run on the host: where things are and which kernel
# is meant.

# shellcheck disable=SC2034
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034
cache=${IOMMUFD_CACHE:-${HOME:-/root}/.cache/iommufd}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The newest installed 6.1 kernel that can be both built against and booted.
# Never `uname -r`: the kernel that runs here need not be a 6.1 one.
pick_kver()
{
	local dir found=

	if [ -n "${KVER:-}" ]; then
		printf '%s\n' "$KVER"
		return
	fi
	while read -r dir; do
		dir=${dir#/lib/modules/}
		dir=${dir%/build}
		if [ -e "/boot/vmlinuz-$dir" ] && [ -e "/lib/modules/$dir/kernel" ]; then
			found=$dir
		fi
	done < <(printf '%s\n' /lib/modules/6.1.*/build | sort -V)
	[ -n "$found" ] ||
		die "no 6.1 kernel with both headers and /boot/vmlinuz; run scripts/setup"
	printf '%s\n' "$found"
}

# Kernel messages that no run may cause, unless the row's flags allow them.
fault_lines='DMAR: (DRHD: handling fault|\[DMA |\[INTR)|dmar_fault'
bad_lines='WARNING: |(^|[^E])BUG|Oops|KASAN|KCSAN|KFENCE|UBSAN|refcount_t:|cut here'
bad_lines+='|general protection|protection fault|[Uu]nable to handle|invalid opcode'
bad_lines+='|list_(add|del) corruption|double free|[Bb]ad page|[Ll]eak|nobody cared'
bad_lines+='|INFO: (task|rcu|NMI|possible|suspicious|trying)|rcu.*(stall|starved)'
bad_lines+='|soft lockup|hard LOCKUP|possible (circular|recursive|irq)|held lock'
bad_lines+='|scheduling while atomic|sleeping function|Kernel panic|Out of memory|oom-kill'
bad_lines+='|segfault at|traps: |DMAR: .*([Ff]ault|ERROR|error)|giving up'
bad_lines+="|$fault_lines"

# Print those of the kernel's messages on stdin that no test may cause, unless
# the flags of its row (selftests/tests.table) in $1 expect them.
kernel_findings()
{
	local flag allow=

	for flag in $1; do
		case $flag in
		expect=dmar-fault) allow+="|$fault_lines" ;;
		expect=warn:*) allow+="|${flag#expect=warn:}" ;;
		esac
	done
	tr -d '\r' | { grep -aE "$bad_lines" || true; } |
		if [ -n "$allow" ]; then grep -aEv "${allow#|}" || true; else cat; fi
}
