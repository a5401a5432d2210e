#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The bridge's module init fails after it has opened files of vfio.ko, whose
# closing is deferred: until then nothing of the module's memory may be needed,
# and nothing of vfio.ko may stay in use.  A kernel with ftrace switched off
# refuses the hook, and so makes init fail at the right moment.
#
# known-bugs.md row 40.

set -euo pipefail

rounds=${1:-10}
checks=0
failed=0

# check STATUS TEXT
check()
{
	checks=$((checks + 1))
	if [ "$1" = 0 ]; then
		echo "ok $checks - $2"
	else
		echo "not ok $checks - $2"
		failed=$((failed + 1))
	fi
}

is()
{
	local rc=0

	"$@" >&2 || rc=$?
	printf '%s' "$rc"
}

load_bridge()
{
	insmod "$KO/vfio/iommufd_vfio.ko" "$@"
}

stop_ftrace()
{
	echo 0 >"$ftrace"
}

users()
{
	cat "/sys/module/$1/refcnt"
}

ftrace=/proc/sys/kernel/ftrace_enabled
insmod "$(modinfo -k "$KVER" -F filename vfio)"
insmod "$KO/iommufd/iommufd.ko"
vfio_users=$(users vfio)
iommufd_users=$(users iommufd)

echo 0 >"$ftrace"
refused=0
for ((i = 0; i < rounds; i++)); do
	for serve in 0 1; do
		if ! load_bridge serve_stock_node=$serve 2>/run/regress_init.err; then
			refused=$((refused + 1))
		fi
	done
done
echo "# $(tail -n 1 /run/regress_init.err)"
check "$(is test "$refused" = $((2 * rounds)))" \
	"init failed $refused of $((2 * rounds)) times without ftrace"
check "$(is test ! -e /sys/module/iommufd_vfio)" "no trace of the module is left"
check "$(is test "$(users vfio)" = "$vfio_users")" "vfio.ko is used as before"
check "$(is test "$(users iommufd)" = "$iommufd_users")" "iommufd.ko is used as before"
echo 1 >"$ftrace"

check "$(is load_bridge)" "with ftrace it loads"
check "$(is test "$(is stop_ftrace 2>/run/regress_init.err)" != 0)" \
	"and ftrace cannot be switched off any more"
for module in iommufd_vfio iommufd vfio; do
	check "$(is rmmod "$module")" "rmmod $module"
done
echo "1..$checks"
[ "$failed" = 0 ]
