#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run one of the kernel's own selftests, which scripts/kselftest has built, on the
# mock IOMMU, and hold what each of its tests does against kselftest.expected.
# What happens and is not listed there is red, and so is what is listed and does
# not happen, or happens for another reason.
#
# usage: kselftest.sh [--rounds N] PROGRAM [ARGUMENT...]
#
# PROGRAM is iommufd or iommufd_fail_nth; its arguments choose tests (-h says how).
# The first round has a line for each test.  Those behind it name what is wrong,
# and have one line each.
#
# KO is the directory beneath which the mock is.

set -euo pipefail

repo=$(realpath "$(dirname "$0")/..")
list=$repo/selftests/kselftest.expected
built=$repo/build/kselftest
mock=$KO/mock/iommufd_mock.ko

rounds=1
if [ "${1:-}" = --rounds ]; then
	rounds=$2
	shift 2
fi
program=${1:?usage: kselftest.sh [--rounds N] PROGRAM [ARGUMENT...]}
shift

# What the kernel's harness says of an assertion that failed, and of a test that it
# had to end, or that died, before it was done.
assertion='^# [^ :]+:[0-9]+:[^ :]+:Expected '
abnormal='^# [^ :]+: (Test terminated by timeout|Test terminated unexpectedly|Test ended in'
abnormal+='|Test exited normally instead|Failed to wait)'

round=1
count=0
failures=0
declare -A expected=() pattern=() reason=() seen=()

# check STATUS TEXT: what goes well is told in the first round only.
check()
{
	if [ "$1" != 0 ]; then
		count=$((count + 1))
		echo "not ok $count - $2"
		failures=$((failures + 1))
	elif [ "$round" = 1 ]; then
		count=$((count + 1))
		echo "ok $count - $2"
	fi
}

bail()
{
	echo "Bail out! $*"
	exit 1
}

matches()
{
	[[ $1 =~ $2 ]]
}

# Builtins only, here and where the output is read: under TCG, with KASAN, a fork
# takes a good part of a second.
read_expected()
{
	local of name what says why valid number=0

	while read -r of name what says why; do
		number=$((number + 1))
		case $of in
		"" | "#"*) continue ;;
		esac
		[[ $what =~ ^(fail|skip)$ && -n $why ]] ||
			bail "$list:$number: PROGRAM TEST fail|skip PATTERN REASON wanted"
		# 1: it does not match; 2: nothing ever could.
		valid=0
		matches x "$says" || valid=$?
		[ "$valid" -lt 2 ] || bail "$list:$number: $says is no regular expression"
		[ "$of" = "$program" ] || continue
		[ -z "${expected[$name]:-}" ] || bail "$list:$number: $name is there twice"
		expected[$name]=$what
		pattern[$name]=$says
		reason[$name]=$why
	done <"$list"
}

# has_failed_as PATTERN: each assertion that failed, by what the program said, is
# one that was to fail, and it did not end in a way that nobody expects.
has_failed_as()
{
	local line matched=1

	while IFS= read -r line; do
		if [[ $line =~ $abnormal ]]; then
			return 1
		elif [[ $line =~ $assertion ]]; then
			[[ $line =~ $1 ]] || return 1
			matched=0
		fi
	done <<<"$said"
	return "$matched"
}

# is_for_reason NAME RESULT DETAIL: if it is an expected failure or skip, is it for
# the reason that is listed?
is_for_reason()
{
	case $2 in
	fail) has_failed_as "${pattern[$1]}" ;;
	skip) [[ $3 =~ ${pattern[$1]} ]] ;;
	esac
}

# judge NAME pass|fail|skip DETAIL; what the program said of it is in $said.
judge()
{
	local name=$1 result=$2 detail=${3:+: $3} want=${expected[$1]:-pass}

	seen[$name]=yes
	ran=$((ran + 1))
	if [ "$result" = "$want" ] && ! is_for_reason "$name" "$result" "$3"; then
		check 1 "$name: $result, but not for the listed reason$detail"
		printf '%s' "$said"
		unexpected=$((unexpected + 1))
		return
	fi
	if [ "$result" != "$want" ]; then
		check 1 "$name: $result, not the expected $want$detail"
		printf '%s' "$said"
		unexpected=$((unexpected + 1))
		return
	fi
	case $result in
	pass)
		passed=$((passed + 1))
		check 0 "$name"
		;;
	fail)
		failed=$((failed + 1))
		check 0 "$name # expected failure: ${reason[$name]}"
		# Whoever reads the log can see that it was for this reason.
		[ "$round" != 1 ] || printf '%s' "$said"
		;;
	skip)
		skipped=$((skipped + 1))
		check 0 "$name # SKIP ${reason[$name]}$detail"
		;;
	esac
}

take_line()
{
	local result

	if [[ $1 =~ ^(not\ )?ok\ [0-9]+\ ([^\ ]+)(\ +#\ +([A-Z]+\ )?(.*))?$ ]]; then
		case ${BASH_REMATCH[1]}${BASH_REMATCH[4]} in
		"") result=pass ;;
		"SKIP ") result=skip ;;
		*) result=fail ;;
		esac
		judge "${BASH_REMATCH[2]}" "$result" "${BASH_REMATCH[5]}"
		said=
	elif [[ $1 =~ ^1\.\.([0-9]+)$ ]]; then
		plan=${BASH_REMATCH[1]}
	elif [[ $1 =~ ^#\ \ RUN\ +(.*) ]]; then
		# Of a test that hangs this is all that is seen.
		echo "# ${BASH_REMATCH[1]}"
	# What begins with two blanks else is said by the result, too.
	elif [[ $1 != "#  "* ]]; then
		said+="# ${1#\# }"$'\n'
	fi
}

# rmmod, for up to 10 s: the last close of a file may run late.
unload_mock()
{
	local i

	for ((i = 0; i < 20; i++)); do
		rmmod iommufd_mock && return
		[ -d /sys/module/iommufd_mock ] || break
		sleep 0.5
	done
	return 1
}

run_round()
{
	local line pid output name bad status=0
	local plan=none ran=0 passed=0 failed=0 skipped=0 unexpected=0 said=

	seen=()
	insmod "$mock" || status=$?
	check "$status" "iommufd_mock.ko loads"
	# No test passes without it.
	[ "$status" = 0 ] || return 0

	exec {output}< <(exec "$built/$program" "$@" 2>&1)
	pid=$!
	while IFS= read -r -u "$output" line; do
		take_line "$line"
	done
	exec {output}<&-
	status=0
	wait "$pid" || status=$?
	printf '%s' "$said"

	[ "$plan" = "$ran" ] && [ "$ran" -gt 0 ] && bad=0 || bad=1
	check "$bad" "as many tests ran as the program planned ($ran, $plan)"
	# It is 1 when a test failed, be it expected here.
	[ "$status" -le 1 ] && bad=0 || bad=1
	check "$bad" "the program ends by itself (exit status $status)"
	if [ $# = 0 ]; then
		for name in "${!expected[@]}"; do
			[ -n "${seen[$name]:-}" ] || check 1 "$name is in ${list##*/} and did not run"
		done
	fi

	status=0
	unload_mock || status=$?
	check "$status" "iommufd_mock.ko unloads"
	echo "# $program: $passed passed, $skipped skipped by themselves," \
		"$failed expected failures, $unexpected not as expected"
}

[ -x "$built/$program" ] || bail "no $built/$program: did scripts/kselftest build it?"
echo "# $program of $(<"$built/version")"
read_expected
for ((round = 1; round <= rounds; round++)); do
	before=$failures
	run_round "$@"
	if [ "$round" -gt 1 ]; then
		[ "$failures" = "$before" ] || continue
		count=$((count + 1))
		echo "ok $count - round $round is as expected"
	fi
done
echo "1..$count"
[ "$failures" = 0 ]
