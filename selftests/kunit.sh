#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Load the unit tests and report each of their cases.  What must have run is
# read from the sources: a module that runs nothing loads with status 0 too.
#
# usage: kunit.sh [PARAMETER=VALUE...], for the module: seed=1, rounds=10,
# suite=iommufd_unmap
#
# KO is the directory beneath which the module is.

set -euo pipefail

repo=$(realpath "$(dirname "$0")/..")
results=/sys/kernel/debug/kunit
count=0
failures=0

# check STATUS TEXT
check()
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failures=$((failures + 1))
	fi
}

finish()
{
	echo "1..$count"
	[ "$failures" = 0 ]
}

only=
for arg in "$@"; do
	case $arg in
	suite=*) only=${arg#suite=} ;;
	esac
done

module=$KO/kunit/iommufd_kunit.ko
if [ ! -e "$module" ]; then
	echo "Bail out! no $module: did scripts/build build kunit/?"
	exit 1
fi

# SUITE CASE of each case in the sources, one suite a file.
mapfile -t expected < <(
	for file in "$repo"/kunit/*_test.c; do
		awk '
			match($0, /KUNIT_CASE\(.*\)/) {
				name[++n] = substr($0, RSTART + 11, RLENGTH - 12)
			}
			/^struct kunit_suite / { suite = 1 }
			suite && match($0, /\.name = ".*"/) {
				for (i = 1; i <= n; i++)
					print substr($0, RSTART + 9, RLENGTH - 10), name[i]
				found = 1
				exit
			}
			END { if (!found) print FILENAME, "no-suite" }' "$file"
	done | grep -E "^${only:-.*} "
)

echo "# $module $*"
status=0
insmod "$module" "$@" || status=$?
check "$status" "the module loads"

# Builtins only: under TCG, with KASAN, a fork takes a good part of a second.
declare -A verdict=()
for file in "$results"/iommufd_*/results; do
	suite=${file%/results}
	suite=${suite##*/}
	while IFS= read -r line; do
		if [[ $line =~ ^\ +(not\ )?ok\ [0-9]+\ (-\ )?([a-z0-9_]+)$ ]]; then
			verdict[$suite.${BASH_REMATCH[3]}]=${BASH_REMATCH[1]:-passed}
		fi
	done <"$file"
done
ran=0
for entry in "${expected[@]}"; do
	read -r suite name <<<"$entry"
	[ "${verdict[$suite.$name]:-}" = passed ] && status=0 || status=1
	check "$status" "$suite.$name"
	[ -z "${verdict[$suite.$name]:-}" ] || ran=$((ran + 1))
done
if [ "$failures" != 0 ]; then
	grep -h . "$results"/iommufd_*/results 2>/dev/null | sed 's/^/# /'
fi
# For a failure that is to be seen again.
sed -n 's/^ *# \([a-z0-9_]*\): seed=/# \1 seed=/p' "$results"/iommufd_*/results 2>/dev/null || true

suites=$(find "$results" -mindepth 1 -maxdepth 1 -name 'iommufd_*' | wc -l)
want=$(printf '%s\n' "${expected[@]}" | cut -d ' ' -f 1 | sort -u | wc -l)
[ "$suites" = "$want" ] && status=0 || status=1
check "$status" "$suites suites ran, $want are in the sources"
[ "$ran" = "${#expected[@]}" ] && status=0 || status=1
check "$status" "$ran cases ran, ${#expected[@]} are in the sources"

status=0
rmmod iommufd_kunit || status=$?
check "$status" "the module unloads"
finish
