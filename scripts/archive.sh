# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For the scripts that take packages from elsewhere in Debian's archive, with an apt
# configuration and a cache of its own.  They set before:
#   archive  the lines of sources.list       home  where the cache is
#   log      where output goes               stage what grows meanwhile
# shellcheck disable=SC2154

# The machine's package sources stay as they are.
apt=(
	-o "Dir::Etc::sourcelist=$home/apt/sources.list" -o Dir::Etc::sourceparts=-
	-o "Dir::State::lists=$home/apt/lists" -o "Dir::Cache=$home/apt/cache"
	-o APT::Sandbox::User=root -o Acquire::Languages=none
	-o Acquire::Retries=1 -o Acquire::http::Timeout=20
)

started=$SECONDS
rc=0

# try TEXT COMMAND...: in the background, with a line every 10 s.  Its exit
# status is left in $rc.
try()
{
	local text=$1 pid told=$SECONDS

	shift
	"$@" >>"$log" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [ $((SECONDS - told)) -ge 9 ]; then
			told=$SECONDS
			echo "${0##*/}: $text, $((SECONDS - started)) s," \
				"$(du -sm "$stage" 2>/dev/null | cut -f1) MB"
		fi
	done
	rc=0
	wait "$pid" || rc=$?
}

# The same for what must not fail.
step()
{
	try "$@"
	if [ "$rc" != 0 ]; then
		tail -n 20 "$log"
		die "$1 failed; see $log"
	fi
}

ask_archive()
{
	mkdir -p "$home/apt/lists" "$home/apt/cache"
	echo "$archive" >"$home/apt/sources.list"
	apt-get "${apt[@]}" update --error-on=any
	touch "$home/apt/asked"
}

asked_lately()
{
	[ -n "$(find "$home/apt" -name asked -mmin -1440 2>/dev/null)" ]
}
