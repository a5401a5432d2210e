#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's dpdk-testpmd with emulated network cards, on stock type1 and on ours, with
# and without huge pages.  It answers pings of this kernel, and forwards them between
# two cards; it lets go of a port and takes it again, the only one of its container or
# one of two.
#
# usage: client_dpdk.sh [--only huge|small]

set -euo pipefail
# shellcheck source=client_util.sh
. "${BASH_SOURCE[0]%/*}/client_util.sh"

memories=(huge small)
if [ "${1:-}" = --only ]; then
	memories=("$2")
fi
out=$dir/out
nobody=10.7.0.77	# testpmd answers whatever address is asked for

free_huge_pages()
{
	awk '$1 == "HugePages_Free:" { print $2 }' /proc/meminfo
}

all_huge_pages()
{
	awk '$1 == "HugePages_Total:" { print $2 }' /proc/meminfo
}

said()
{
	[[ $(tail -c "+$((from + 1))" "$out" | tr -d '\000') =~ $1 ]]
}

# start ARGUMENT...: those of DPDK, not of testpmd.  All packet buffers that testpmd
# would take are more than the guest has huge pages for.
start()
{
	rm -f "$dir/in"
	mkfifo "$dir/in"
	exec {in}<>"$dir/in"
	: >"$out"
	from=0
	limit=60
	stdbuf -oL dpdk-testpmd "$@" -- -i --total-num-mbufs=4096 \
		<"$dir/in" >"$out" 2>&1 {in}>&- &
	client=$!
	check "$(is within 90 said 'testpmd>')" "$name: testpmd starts"
}

# tell COMMAND ANSWER
tell()
{
	local rc

	from=$(wc -c <"$out")
	printf '%s\n' "$1" >&"$in"
	rc=$(is within "$limit" said "$2")
	check "$rc" "$name: $1"
	[ "$rc" = 0 ] && return
	quote "$out" 20
	# The rest will not go well either.
	limit=5
}

forward()
{
	tell "set fwd $1" "Set $1 packet forwarding mode"
	tell start "$1 packet forwarding - ports="
}

# leave PORT ADDRESS and take it again.
leave()
{
	tell "port stop $1" 'Done'
	tell "port detach $1" 'Device is detached'
}

take()
{
	tell "port attach $2" "Port $1 is attached"
	tell "port start $1" 'Done'
}

# What testpmd said, but for what it counted, its prompt and the echo of the commands:
# the links come up at their own time, and that is told in between.
messages()
{
	tr -d '\r\000' <"$out" | sed -E 's/\x1b\[[0-9;]*[A-Za-z]//g
		s/^testpmd> //
		/^(Port [0-9]+: link state change event|quit|stop|start|set fwd .*|port (stop|start|attach|detach) .*)?$/d
		/(packets|bytes|dropped|total|errors|bursts)/s/[0-9]+/N/g'
}

finish()
{
	printf 'quit\n' >&"$in"
	client_ends 60
	exec {in}>&-
	check "$status" "$name: testpmd ends, exit status $status"
	messages >"$dir/$way.$name"
	[ "$status" = 0 ] || quote "$dir/$way.$name"
	same_as_stock "$name" "$name: testpmd says what it says on stock type1"
	[ -z "${SHOW:-}" ] || quote "$dir/$way.$name" 400
	rm -rf /dev/hugepages/rtemap_* /run/dpdk
}

check_memory()
{
	if [ "$memory" = huge ]; then
		check "$(is test "$(free_huge_pages)" -lt "$(all_huge_pages)")" "$name: it uses huge pages"
	else
		check "$(is test "$(free_huge_pages)" = "$(all_huge_pages)")" "$name: it uses no huge page"
	fi
}

# One port, so the container loses its last group and gets it again.
echo_pings()
{
	local name="answering pings, $memory pages"

	start -a "$NIC0" "$@"
	check "$(is served_as_it_should)" "$name: $served"
	check_memory
	forward icmpecho
	check_ping "$nobody" "$name"
	tell stop 'Done'
	leave 0
	check "$(is unanswered "$nobody")" "$name: nobody answers when the port is gone"
	take 0 "$NIC0"
	tell start 'icmpecho packet forwarding - ports='
	check_ping "$nobody" "$name, port taken again"
	tell stop 'Done'
	finish
}

forward_pings()
{
	local name="between two ports, $memory pages"

	start -a "$NIC0" -a "$NIC1" "$@"
	check "$(is served_as_it_should)" "$name: $served"
	check "$(is unanswered 10.7.0.2)" "$name: no way before it forwards"
	forward io
	check_ping 10.7.0.2 "$name"
	tell stop 'Done'
	leave 1
	take 1 "$NIC1"
	tell start 'io packet forwarding - ports='
	check_ping 10.7.0.2 "$name, a port taken again"
	tell stop 'Done'
	finish
}

way=guest
check "$(is make_peers)" "two network cards of this kernel"
for way in "${ways[@]}"; do
	enter "$way" || continue
	served="served by iommufd"
	[ "$way" != stock ] || served="iommufd is not loaded"
	for memory in "${memories[@]}"; do
		options=()
		[ "$memory" = huge ] || options=(--no-huge)
		echo_pings "${options[@]}"
		forward_pings "${options[@]}"
	done
done
conclude
