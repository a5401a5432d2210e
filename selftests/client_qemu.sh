#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's QEMU with an NVMe disk and a network card assigned, on stock type1 and on
# ours: a Linux under KVM in it reads and writes the disk, and is pinged.  With a
# vIOMMU each DMA of that Linux is mapped and unmapped on its own.  This guest's CPU is
# emulated and so is its SVM: KVM works.
#
# usage: client_qemu.sh [--viommu] [--tree DIRECTORY]
#
# DIRECTORY is what another QEMU was unpacked into.

set -euo pipefail
# shellcheck source=client_util.sh
. "${BASH_SOURCE[0]%/*}/client_util.sh"

viommu=no
tree=
while [ $# -gt 0 ]; do
	case $1 in
	--viommu) viommu=yes ;;
	--tree) tree=$(realpath "$2"); shift ;;
	*) echo "Bail out! unknown option $1"; exit 1 ;;
	esac
	shift
done
patience=300		# seconds that the inner Linux has: about 20 on an idle machine
serial=$dir/serial
bytes=1048576		# what client_linux_init.sh writes
offset=$((128 * 65536))	# and where

qemu=(qemu-system-x86_64)
if [ -n "$tree" ]; then
	qemu=(env "LD_LIBRARY_PATH=$tree/usr/lib/x86_64-linux-gnu"
		"$tree/usr/bin/qemu-system-x86_64" -L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios"
		-L /usr/share/seabios)
fi
machine=(-machine q35)
groups=0
cmdline="console=ttyS0 loglevel=${LOGLEVEL:-5} panic=-1 no_timer_check mitigations=off"
if [ "$viommu" = yes ]; then
	machine=(-machine "q35,kernel-irqchip=split"
		-device "intel-iommu,intremap=on,caching-mode=on")
	cmdline+=" intel_iommu=on"
	groups='[1-9]'
fi

make_initramfs()
{
	local root=$dir/inner path module

	mkdir -p "$root"/{bin,proc,sys,dev,modules}
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp selftests/client_linux_init.sh "$root/init"
	chmod +x "$root/init"
	for module in nvme e1000e; do
		modprobe -S "$KVER" --show-depends "$module" || return
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$dir/list" || return
	while read -r path; do
		cp "$path" "$root/modules/" && echo "${path##*/}" >>"$root/modules/order" || return
	done <"$dir/list"
	(cd "$root" && find . | cpio --quiet -o -H newc) >"$dir/initramfs"
}

# The disk as this kernel's own driver reads it: all of it in $all, and the part that
# is written in $part.
read_disk()
{
	local rc=0

	modprobe nvme || return
	# Loading the driver binds it.
	[ -e "/sys/bus/pci/drivers/nvme/$NVME" ] ||
		echo "$NVME" >/sys/bus/pci/drivers/nvme/bind || return
	within 20 test -b /dev/nvme0n1 || rc=1
	all=$(md5sum </dev/nvme0n1 | cut -d' ' -f1)
	part=$(dd if=/dev/nvme0n1 iflag=skip_bytes,count_bytes skip="$offset" count="$bytes" \
		bs=64k 2>/dev/null | md5sum | cut -d' ' -f1)
	echo "$NVME" >/sys/bus/pci/drivers/nvme/unbind || rc=1
	return "$rc"
}

said()
{
	grep -aqE "^inner: $1" "$serial"
}

is_said()
{
	local rc

	rc=$(is said "$1")
	check "$rc" "$2"
	[ "$rc" = 0 ] || sed -n 's/^inner: /# &/p' "$serial"
}

run_qemu()
{
	rm -f "$dir/in"
	mkfifo "$dir/in"
	exec {in}<>"$dir/in"
	: >"$serial"
	"${qemu[@]}" "${machine[@]}" -accel kvm -m 512 -nodefaults -no-user-config \
		-display none -no-reboot \
		-kernel "/boot/vmlinuz-$KVER" -initrd "$dir/initramfs" -append "$cmdline word=$way" \
		-chardev stdio,id=serial,signal=off,logfile="$serial" -serial chardev:serial \
		-device "vfio-pci,host=$NVME" -device "vfio-pci,host=$NIC0" \
		<"$dir/in" >/dev/null 2>"$dir/messages" {in}>&- &
	client=$!
}

compare()
{
	cp "$dir/messages" "$dir/$way.messages"
	same_as_stock messages "QEMU says what it says on stock type1"
	# What it read is not the same when the one before had written.
	grep -a '^inner: ' "$serial" | tr -d '\r' | grep -v 'disk sum' >"$dir/$way.inner" || true
	same_as_stock inner "the inner Linux reports what it reports on stock type1"
	if [ -n "${SHOW:-}" ]; then
		quote "$dir/messages"
		quote "$serial" 60
	fi
}

run_way()
{
	local all part rc written

	unload_all >"$dir/problem" 2>&1 || true
	rc=0
	read_disk || rc=$?
	check "$rc" "this kernel reads the disk"
	enter "$way" || return 0
	run_qemu
	rc=$(is within "$patience" said ready)
	check "$rc" "the inner Linux under KVM is up and has done its part"
	if [ "$rc" = 0 ]; then
		check "$(is served_as_it_should)" "$served"
		check_ping 10.7.0.3 "assigned card"
		echo >&"$in"
		client_ends 60
	else
		quote "$dir/messages"
		quote "$serial"
		client_ends 0
	fi
	exec {in}>&-
	check "$status" "QEMU ends well, exit status $status"
	is_said "IOMMU groups $groups" "it has ${groups/\[1-9]/some} IOMMU groups"
	is_said "disk sum $all" "the inner Linux read what this kernel read"
	is_said "what was written is read back" "it read back what it wrote"
	is_said "disk has interrupted" "the assigned disk interrupts"
	is_said "card has interrupted" "the assigned card interrupts"
	check "$(is test "$(grep -acE 'DMAR: .*fault|Call Trace|Oops|timeout' "$serial")" = 0)" \
		"its kernel reports no trouble"
	compare
	unload_all >"$dir/problem" 2>&1 || true
	rc=0
	read_disk || rc=$?
	written=$(set +o pipefail; yes "$way" | head -c "$bytes" | md5sum | cut -d' ' -f1)
	check "$(is test "$rc$part" = "0$written")" "this kernel reads what the inner one wrote"
}

way=guest
"${qemu[@]}" --version | sed -n '1s/^/# /p'
check "$(is make_peers)" "two network cards of this kernel"
check "$(is modprobe kvm_amd)" "KVM"
check "$(is make_initramfs)" "an initramfs for the inner Linux"
for way in "${ways[@]}"; do
	served="served by iommufd"
	[ "$way" != stock ] || served="iommufd is not loaded"
	run_way
done
rmmod nvme nvme_core kvm_amd kvm 2>/dev/null || true
conclude
