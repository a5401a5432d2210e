# SPDX-License-Identifier: GPL-2.0-only
#
# Instructions per function.
#
#	awk -f profile.awk RESULTS SYMBOLS BLOCKS
#
# RESULTS: lines of bench.c; SYMBOLS: "address function", in order; BLOCKS: what
# count_plugin.so wrote, in order of the address.  Addresses have 16 hexadecimal
# digits, so that they compare as strings.

FNR == 1 {
	file++
}

# How many units were measured of each mark; what they are called
file == 1 && $1 == "R" {
	n = split($0, field, "\t")
	units[field[9]] += field[6] * field[11]
	unit[field[9]] = field[5]
	next
}

file == 2 {
	address[++nsymbols] = $1 ""
	name[nsymbols] = $2
	next
}

file == 3 {
	while (at < nsymbols && address[at + 1] <= $2 "")
		at++
	# What is below the kernel is the program itself.
	function_name = $2 "" < "8" || !at ? "(user)" : name[at]
	insns[$1, function_name] += $3
	total[$1] += $3
}

END {
	for (mark in units) {
		printf "\n%s: %.1f per %s\n", mark, total[mark] / units[mark], unit[mark]
		sort = "sort -rn | head -n 100"
		for (key in insns) {
			split(key, part, SUBSEP)
			if (part[1] == mark)
				printf "%12.2f  %5.1f %%  %s\n", insns[key] / units[mark],
					100 * insns[key] / total[mark], part[2] | sort
		}
		close(sort)
	}
}
