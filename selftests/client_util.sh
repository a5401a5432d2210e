# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For the tests of VFIO programs that others wrote: such a program runs in the same
# guest on stock type1, on our symlink and on our served stock node, and is to do and
# say the same on each.  Rows have the flag `loads`, and their boot --nics.
# What is set here is for those tests.
# shellcheck disable=SC2034

: "${KO:?}" "${KVER:?}" "${IOMMU:?}"
# shellcheck source=../scripts/guest-modules
. scripts/guest-modules

# WAYS in the environment: fewer, to find out what is wrong.
read -ra ways <<<"${WAYS:-stock symlink node}"
way=
checks=0
failed=0
dir=$(mktemp -d)
contexts=/sys/kernel/debug/iommufd/contexts
# The client that runs now.
client=

# check STATUS TEXT
check()
{
	checks=$((checks + 1))
	if [ "$1" = 0 ]; then
		echo "ok $checks - $way: $2"
	else
		echo "not ok $checks - $way: $2"
		failed=$((failed + 1))
	fi
}

is()
{
	local rc=0

	"$@" >&2 || rc=$?
	printf '%s' "$rc"
}

# Ends the last line too where the file does not.
quote()
{
	tr -d '\r\000' <"$1" | tail -n "${2:-40}" | awk '{ print "# " $0 }'
}

# within SECONDS COMMAND...: try until it succeeds, or the client is gone.
within()
{
	local until=$((SECONDS + $1)) told=$SECONDS

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		[ -z "$client" ] || kill -0 "$client" 2>/dev/null || return 1
		if [ $((SECONDS - told)) -ge 10 ]; then
			told=$SECONDS
			echo "# $way: still waiting, $((until - SECONDS)) s left"
		fi
		sleep 0.2
	done
}

# The client has SECONDS to end by itself; its exit status is left in $status.
client_ends()
{
	local until=$((SECONDS + $1))

	while kill -0 "$client" 2>/dev/null && [ "$SECONDS" -lt "$until" ]; do
		sleep 0.2
	done
	if kill -0 "$client" 2>/dev/null; then
		echo "# $way: the client has to be killed; it waits in" \
			"$(cat "/proc/$client/task/"*/wchan 2>/dev/null | tr '\0' ' ')"
		kill -KILL "$client"
	fi
	status=0
	wait "$client" || status=$?
	client=
}

# On ours its address space is iommufd's, on stock iommufd is not even there.
served_as_it_should()
{
	if [ "$way" = stock ]; then
		[ ! -e /sys/module/iommufd ]
	else
		grep -q "pid $client " "$contexts"
	fi
}

enter()
{
	local rc=0

	way=$1
	unload_all >"$dir/problem" 2>&1 && setup_state "$way" >>"$dir/problem" 2>&1 || rc=$?
	check "$rc" "modules and devices are set up"
	[ "$rc" = 0 ] || quote "$dir/problem"
	return "$rc"
}

# what: what files are called in $dir that hold it, behind the way and a point.
same_as_stock()
{
	local rc=0

	[ "$way" != stock ] || return 0
	diff "$dir/stock.$1" "$dir/$way.$1" >"$dir/diff" || rc=$?
	check "$rc" "$2"
	[ "$rc" = 0 ] || quote "$dir/diff"
}

# The two cards of this kernel, each in a network name space of its own, so that one
# can reach the other only by what is between them.
make_peers()
{
	local n slot name

	modprobe virtio_net || return
	for n in 0 1; do
		slot=PEER$n
		name=$(echo "/sys/bus/pci/devices/${!slot}"/virtio*/net/*)
		name=${name##*/}
		ip netns add "peer$n" && ip link set "$name" netns "peer$n" &&
			in_peer "$n" ip address add "10.7.0.$((n + 1))/24" dev "$name" &&
			in_peer "$n" ip link set "$name" up || return
	done
}

in_peer()
{
	local n=$1

	shift
	nsenter --net="/run/netns/peer$n" "$@"
}

remove_peers()
{
	local n

	for n in 0 1; do
		[ ! -e "/run/netns/peer$n" ] || ip netns delete "peer$n"
	done
	# The cards come back to the first name space a little later.
	rmmod virtio_net 2>/dev/null || true
}

# pinged COUNT ADDRESS SIZE: that many answers, each of which has the bytes it was
# sent, none twice.
pinged()
{
	in_peer 0 ping -n -c "$1" -i 0.1 -w 40 -s "$3" -p 5ac3f01e "$2" >"$dir/ping" 2>&1 || true
	grep -q " $1 received" "$dir/ping" &&
		! grep -qE 'wrong data byte|DUP!|truncated' "$dir/ping"
}

# check_ping ADDRESS WHO: small ones and such that fill a frame.
check_ping()
{
	local size rc

	for size in 56 1472; do
		rc=$(is pinged 10 "$1" "$size")
		check "$rc" "$2: 10 pings of $size bytes come back as they were sent"
		[ "$rc" = 0 ] || quote "$dir/ping"
	done
}

unanswered()
{
	in_peer 0 ping -n -c 2 -i 0.5 -W 1 -w 5 "$1" >"$dir/ping" 2>&1 || true
	grep -q " 0 received" "$dir/ping"
}

clean_up()
{
	[ -z "$client" ] || kill -KILL "$client" 2>/dev/null || true
	client=
	remove_peers
	unload_all >&2 || true
	rm -rf "$dir"
}
trap clean_up EXIT

conclude()
{
	echo "1..$checks"
	[ "$failed" = 0 ]
}
