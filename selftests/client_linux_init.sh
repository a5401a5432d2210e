#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# /init of the Linux inside client_qemu.sh's QEMU.  It has an NVMe disk and a network
# card assigned and reports on its serial port what they do.  Its kernel command line
# has the word to fill 1 MiB of the disk with (word=).

/bin/busybox --install -s /bin
export PATH=/bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
word=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^word=//p')

report()
{
	echo "inner: $*"
}

# within SECONDS COMMAND...
within()
{
	local left=$(($1 * 2))

	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.5
	done
}

carrier()
{
	[ "$(cat /sys/class/net/eth0/carrier 2>/dev/null)" = 1 ]
}

interrupts()
{
	awk -v name="$1" '
		$0 ~ name { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i }
		END { print (n > 0) ? "has" : "has not" }' /proc/interrupts
}

disk()
{
	within 30 test -b /dev/nvme0n1 || { report "no disk"; return; }
	report "disk sum $(md5sum </dev/nvme0n1 | cut -d' ' -f1)"
	yes "$word" | head -c 1048576 >/written
	dd if=/written of=/dev/nvme0n1 bs=64k seek=128 conv=fsync 2>/dev/null ||
		report "the disk cannot be written"
	echo 3 >/proc/sys/vm/drop_caches
	if dd if=/dev/nvme0n1 bs=64k skip=128 count=16 2>/dev/null | cmp -s - /written; then
		report "what was written is read back"
	else
		report "what was written is not read back"
	fi
	report "disk $(interrupts nvme) interrupted"
}

network()
{
	within 10 test -d /sys/class/net/eth0 || { report "no network card"; return; }
	ip address add 10.7.0.3/24 dev eth0
	ip link set eth0 up
	within 20 carrier || report "no carrier"
	if within 20 ping -c 1 -W 2 10.7.0.1; then
		report "the outer guest answers"
	else
		report "the outer guest does not answer"
	fi
	report "card $(interrupts eth0) interrupted"
}

while read -r module; do
	insmod "/modules/$module" || report "cannot load $module"
done </modules/order
report "IOMMU groups $(find /sys/kernel/iommu_groups -mindepth 1 -maxdepth 1 | wc -l)"
disk
network
report ready
# The outer guest pings, and then says that this is all.
read -r _
# The driver's shutdown leaves the receiver on, to be woken by a packet, and the only
# reset of the emulated card, by power management, resets nothing: it would write where
# its old rings were, in the memory of the next one.
rmmod e1000e || report "cannot unload e1000e"
report "done"
poweroff -f
