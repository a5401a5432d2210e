# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Shared by the scripts that run on the host: where things are, which kernel is
# meant, what a kernel log must not hold.
# What is set here is for them.
# shellcheck disable=SC2034

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
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

# The debug kernels: flavour `debug` is for whatever finds a bug by itself,
# `kcsan` for data races.  A flavour's configuration is tinyconfig and these
# fragments of configs/; its directory in the cache is named after all that it
# is made of.
debug_source=/usr/src/linux-source-6.1.tar.xz
debug_fragments()
{
	case $1 in
	debug) printf '%s\n' "$repo/configs/debug.config" ;;
	kcsan) printf '%s\n' "$repo/configs/debug.config" "$repo/configs/kcsan.config" ;;
	*) die "unknown kernel '$1'" ;;
	esac
}

debug_kernel_dir()
{
	local fragments version hash

	mapfile -t fragments < <(debug_fragments "$1")
	# shellcheck disable=SC2016
	version=$(dpkg-query -W -f '${Version}' linux-source-6.1 2>/dev/null) ||
		die "no package linux-source-6.1; run scripts/setup"
	hash=$(cat "${fragments[@]}" <(echo "$version") <(gcc --version) | cksum | cut -d' ' -f1)
	printf '%s\n' "$cache/kernel-$1-$hash"
}

# use_kernel stock|debug|kcsan: what everything about that kernel is called.
#   kver         its release            vmlinuz   its image
#   headers      to build modules with  built     where our modules are
#   module_root  what lib/modules/$kver with its own modules is in
use_kernel()
{
	if [ "$1" = stock ]; then
		kver=$(pick_kver)
		vmlinuz=/boot/vmlinuz-$kver
		headers=/lib/modules/$kver/build
		module_root=
		built=$repo/build/$kver
		[ -e "$headers/Makefile" ] || die "no kernel headers in $headers; run scripts/setup"
	else
		module_root=$(debug_kernel_dir "$1")
		[ -e "$module_root/release" ] ||
			die "the cache has no kernel '$1'; run scripts/debug-kernel $1"
		kver=$(<"$module_root/release")
		vmlinuz=$module_root/bzImage
		headers=$module_root/headers
		built=$repo/build/$1
	fi
	[ -r "$vmlinuz" ] || die "no $vmlinuz"
}

# Kernel messages that no run may cause, unless the row's flags allow them.
fault_lines='DMAR: (DRHD: handling fault|\[DMA |\[INTR)|dmar_fault|fault from EP|AMD-Vi: Event logged'
bad_lines='WARNING: |(^|[^E])BUG|Oops|KASAN|KCSAN|KFENCE|UBSAN|refcount_t:|cut here'
bad_lines+='|general protection|protection fault|[Uu]nable to handle|invalid opcode'
bad_lines+='|list_(add|del) corruption|double free|[Bb]ad page|[Ll]eak|nobody cared'
bad_lines+='|INFO: (task|rcu|NMI|possible|suspicious|trying)|rcu.*(stall|starved)'
bad_lines+='|soft lockup|hard LOCKUP|possible (circular|recursive|irq)|held lock'
bad_lines+='|scheduling while atomic|sleeping function|Kernel panic|Out of memory|oom-kill'
bad_lines+='|segfault at|traps: |DMAR: .*([Ff]ault|ERROR|error)|giving up'
bad_lines+="|$fault_lines"

# Of those, what is no trouble.
harmless_lines='kmemleak: Kernel memory leak detector initialized'

# Print those of the kernel's messages on stdin that no test may cause, unless
# the flags of its row (selftests/tests.table) in $1 expect them.
kernel_findings()
{
	local flag allow="|$harmless_lines"

	for flag in $1; do
		case $flag in
		expect=dmar-fault) allow+="|$fault_lines" ;;
		expect=warn:*) allow+="|${flag#expect=warn:}" ;;
		esac
	done
	tr -d '\r' | { grep -aE "$bad_lines" || true; } | { grep -aEv "${allow#|}" || true; }
}
