#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vfio_load.sh symlink|node [FIRST [STEP]]
#
# Loads and unloads iommufd, iommufd_vfio, vfio, vfio_iommu_type1 and vfio_pci
# in every order that their dependencies allow, type1 also absent.  In each
# state a VFIO program does DMA, and what it uses cannot be unloaded.
#
# symlink: /dev/vfio/vfio is a symlink to /dev/iommu, made before all modules or
# after them.  node: vfio.ko's own node, served by the bridge unless type1 came
# later.  FIRST and STEP pick a part of the orders.

set -euo pipefail

mode=$1
first=${2:-0}
step=${3:-1}
here=$(cd "$(dirname "$0")" && pwd)
hold=${VFIO_HOLD:-$here/vfio_hold}
edu=${EDU0:?}
node=/dev/vfio/vfio
stats=/sys/kernel/debug/iommufd/stats

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

loaded()
{
	[ -d "/sys/module/$1" ]
}

stock_module()
{
	loaded "$1" || insmod "$(modinfo -k "$KVER" -F filename "$1")"
}

# insmod, never modprobe: vfio's soft dependency would load type1 unasked.
load()
{
	local arg=

	case $1 in
	iommufd) insmod "$KO/iommufd/iommufd.ko" ;;
	iommufd_vfio)
		[ "$mode" = symlink ] || arg=serve_stock_node=1
		insmod "$KO/vfio/iommufd_vfio.ko" ${arg:+"$arg"}
		;;
	vfio_pci)
		stock_module irqbypass && stock_module vfio_virqfd &&
			stock_module vfio_pci_core && stock_module vfio_pci
		;;
	*) stock_module "$1" ;;
	esac
}

# rmmod, for up to 10 s: the last close of a file may run late.
unload_one()
{
	local i

	for ((i = 0; i < 100; i++)); do
		rmmod "$1" 2>/run/vfio_load.rmmod && return
		sleep 0.1
	done
	echo "# rmmod $1: $(cat /run/vfio_load.rmmod)"
	return 1
}

unload()
{
	local module=$1

	if [ "$module" = vfio_pci ]; then
		if [ -e "/sys/bus/pci/drivers/vfio-pci/$edu" ]; then
			echo "$edu" >/sys/bus/pci/drivers/vfio-pci/unbind
		fi
		unload_one vfio_pci && unload_one vfio_pci_core && unload_one vfio_virqfd
	else
		unload_one "$module"
	fi
}

bind()
{
	echo vfio-pci >"/sys/bus/pci/devices/$edu/driver_override"
	echo "$edu" >/sys/bus/pci/drivers_probe
	[ -e "/sys/bus/pci/drivers/vfio-pci/$edu" ]
}

# May @1 be loaded when $2... are?
loadable()
{
	local module=$1

	shift
	case $module in
	iommufd | vfio) return 0 ;;
	iommufd_vfio) [[ " $* " == *" vfio "* && " $* " == *" iommufd "* ]] ;;
	*) [[ " $* " == *" vfio "* ]] ;;
	esac
}

# All orders of the modules $2..., the ones in $1 being loaded already.
orders()
{
	local done=$1 module other rest

	shift
	if [ $# = 0 ]; then
		echo "$done"
		return
	fi
	for module; do
		# shellcheck disable=SC2086
		loadable "$module" $done || continue
		rest=()
		for other; do
			[ "$other" = "$module" ] || rest+=("$other")
		done
		orders "$done $module" "${rest[@]}"
	done
}

backwards()
{
	local out= module

	for module; do
		out="$module $out"
	done
	echo "$out"
}

contexts()
{
	awk '$1 == "contexts" { print $2 }' "$stats" 2>&1
}

no_contexts()
{
	local i

	for ((i = 0; i < 100; i++)); do
		[ "$(contexts)" != 0 ] || return 0
		sleep 0.1
	done
	return 1
}

refused_rmmod()
{
	! rmmod "$1" 2>/run/vfio_load.rmmod && loaded "$1"
}

make_symlink()
{
	mkdir -p /dev/vfio
	ln -sfn /dev/iommu "$node"
}

# Who serves containers in this state: ours, or type1 when it came later?
server()
{
	if [ "$mode" = node ] && [[ " $* " == *" iommufd_vfio"*" vfio_iommu_type1 "* ]]; then
		echo vfio_iommu_type1
	else
		echo iommufd_vfio
	fi
}

# How often the bridge has said that type1 came too late for it.
warnings()
{
	dmesg | grep -c "iommufd_vfio: vfio_iommu_type1 was loaded later" || true
}

# A program holds all open: it does DMA, and its modules stay.
use()
{
	local by=$1 ready= in module rc=0

	coproc HOLD { "$hold" --hold; }
	pid=$HOLD_PID
	in=${HOLD[1]}
	read -r ready <&"${HOLD[0]}" || true
	check "$(is test "$ready" = ready)" "a program opens container, group and device, and does DMA"
	if [ "$by" = iommufd_vfio ]; then
		check "$(is test "$(contexts)" -ge 1)" "it is served by iommufd"
	else
		check "$(is test "$(contexts)" = 0)" "it is served by type1, which came last"
	fi
	for module in "$by" vfio vfio_pci; do
		check "$(is refused_rmmod "$module")" "rmmod $module is refused"
	done
	if [ "$by" = iommufd_vfio ]; then
		check "$(is refused_rmmod iommufd)" "rmmod iommufd is refused"
	fi
	exec {in}>&-
	wait "$pid" || rc=$?
	check "$rc" "DMA again, and closed"
	check "$(is no_contexts)" "no context is left"
}

# state NUMBER LOAD-ORDER UNLOAD-ORDER
state()
{
	local number=$1 module by warned

	warned=$(warnings)
	echo "# $number: load$2; unload $3"
	if [ "$mode" = symlink ] && [ $((number % 2)) = 0 ]; then
		make_symlink
	fi
	for module in $2; do
		check "$(is load "$module")" "load $module"
	done
	if [ "$mode" = symlink ] && [ $((number % 2)) = 0 ]; then
		check "$(is test -L "$node")" "the symlink made before vfio.ko survives"
	elif [ "$mode" = symlink ]; then
		make_symlink
	else
		check "$(is test -c "$node" -a ! -L "$node")" "$node is a device node"
	fi
	check "$(is bind)" "bind $edu to vfio-pci"
	# shellcheck disable=SC2086
	by=$(server $2)
	if [ "$by" = vfio_iommu_type1 ]; then
		check "$(is test "$(warnings)" = $((warned + 1)))" \
			"the kernel log says that type1 came too late"
	else
		check "$(is test "$(warnings)" = "$warned")" "no warning about type1"
	fi
	use "$by"
	for module in $3; do
		check "$(is unload "$module")" "unload $module"
	done
	if [ -L "$node" ]; then
		rm "$node"
	fi
}

# What does not fit is refused, and leaves no trace.
refusals()
{
	local module

	for module in "" iommufd vfio; do
		[ -z "$module" ] || load "$module"
		check "$(is test "$(is load iommufd_vfio 2>/run/vfio_load.rmmod)" != 0)" \
			"the bridge does not load with only '$module' there"
		[ -z "$module" ] || unload "$module"
	done
	for module in iommufd vfio vfio_pci; do
		load "$module"
	done
	make_symlink
	bind
	check "$(is "$hold" --refused)" "without the bridge vfio.ko refuses /dev/iommu"
	load iommufd_vfio
	exec 8<>/dev/iommu
	check "$(is refused_rmmod iommufd)" "an open /dev/iommu keeps iommufd"
	exec 8>&-
	for ((i = 0; i < 10; i++)); do
		check "$(is unload iommufd_vfio)" "unload the bridge alone"
		check "$(is load iommufd_vfio)" "and load it again"
		check "$(is "$hold")" "DMA"
	done
	for module in iommufd_vfio iommufd vfio_pci vfio; do
		check "$(is unload "$module")" "unload $module"
	done
	rm "$node"
}

mapfile -t all < <(
	orders "" iommufd vfio iommufd_vfio vfio_pci vfio_iommu_type1
	orders "" iommufd vfio iommufd_vfio vfio_pci
)
[ "${#all[@]}" = 23 ]
if [ "$mode" = symlink ] && [ "$first" = 0 ]; then
	refusals
fi
for ((n = first; n < ${#all[@]}; n += step)); do
	# Unload in the reverse of another order with the same modules.
	partner=$(((n * 7 + 3) % 18))
	if [ "$n" -ge 18 ]; then
		partner=$((18 + (n * 2 + 1) % 5))
	fi
	# shellcheck disable=SC2086
	state "$n" "${all[n]}" "$(backwards ${all[partner]})"
	echo "# $((n + 1)) of ${#all[@]} orders" >&2
done
echo "1..$checks"
[ "$failed" = 0 ]
