# SPDX-License-Identifier: GPL-2.0-only
#
# The lines of bench.c to a table, with ratios to type1, and what is due.
#
#	awk -v out=DIR [-v tap=1] -f report.awk targets.list
#	    {mode=MODE regions=FILE LINES}...
#
# With tap=1 only what is due, as far as it was measured, in TAP.
#
# MODE is the caching mode, FILE what count_plugin.so wrote in that boot, LINES
# the output of bench.  Writes DIR/results.csv, DIR/*.dat for plot.gp, and
# DIR/summary.rst for Documentation/performance.rst.

BEGIN {
	FS = "\t"
	nsides = split("type1 container native", sides, " ")
	csv = out "/results.csv"
	print "caching_mode,side,key,op,unit,per,instructions,invalidations,locked" > csv
}

FILENAME ~ /targets\.list$/ {
	if ($0 !~ /^ *(#|$)/) {
		if (split($0, fields, / *\| */) != 5) {
			print FILENAME ":" FNR ": 5 fields wanted" > "/dev/stderr"
			exit 1
		}
		targets[++ntargets] = $0
	}
	next
}

FNR == 1 {
	read_regions()
	modes[++nmodes] = mode
}

$1 == "P" {
	if (!tap)
		printf "%s memory, caching-mode %s: %s pages follow each other on average\n", $2, mode, $3
	printf "%s,,memory/%s,%s,%s,1,%s,,\n", mode, $2, "pages-per-run", "value", $3 > csv
}

$1 == "R" {
	key = mode SUBSEP $3 SUBSEP $4
	if (!(key in unit))
		rows[mode, ++nrows[mode]] = $3 SUBSEP $4
	unit[key] = $5
	per[key] = $6
	insns[key, $2] = $7 / $6
	invalidations[key, $2] = $8 < 0 ? "-" : $8
	locked[key, $2] = median($9, $10, $11) / $6
	printf "%s,%s,%s,%s,%s,%d,%.2f,%s,%.3f\n", mode, $2, $3, $4, $5, $6,
		insns[key, $2], invalidations[key, $2], locked[key, $2] > csv
}

$1 == "V" {
	key = mode SUBSEP $3 SUBSEP $4
	if (!(key in is_value))
		values[mode, ++nvalues[mode]] = $3 SUBSEP $4
	is_value[key] = 1
	value[key, $2] = $5
	printf "%s,%s,%s,%s,%s,1,%.2f,,\n", mode, $2, $3, $4, "value", $5 > csv
}

function read_regions(	line, field)
{
	delete region
	delete nregions
	while ((getline line < regions) > 0) {
		split(line, field, " ")
		region[field[1], nregions[field[1]]++] = field[2]
	}
	close(regions)
}

# Of the locked operations of @n regions
function median(mark, first, n,	i, j, x, sorted)
{
	for (i = 0; i < n; i++) {
		if (!((mark, first + i) in region)) {
			print "region " mark " " first + i " is missing" > "/dev/stderr"
			exit failed = 1
		}
		x = region[mark, first + i]
		for (j = i; j && sorted[j - 1] > x; j--)
			sorted[j] = sorted[j - 1]
		sorted[j] = x
	}
	return sorted[int(n / 2)]
}

# A cell of the table: nothing where nothing was measured
function cell(array, key, side, format)
{
	return (key, side) in array ? sprintf(format, array[key, side]) : "-"
}

function ratio(key, side,	base)
{
	base = insns_of(key, "type1")
	return (key, side) in insns && base ? sprintf("%.3f", insns[key, side] / base) : "-"
}

function print_results(mode,	i, part, key, shown)
{
	printf "\nCaching-mode %s. Instructions, and locked operations among them, per unit;", mode
	print " invalidations (inval) per call."
	print "type1: stock vfio_iommu_type1; container, native: this project, by ioctls of VFIO's and its own."
	printf "\n%-26s %-12s %-5s %10s %10s %7s %10s %7s  %-20s  %-20s\n", "case/memory/size", "op",
		"unit", "type1", "container", "ratio", "native", "ratio", "inval t1/cont/native",
		"locked t1/cont/native"
	for (i = 1; i <= nrows[mode]; i++) {
		split(rows[mode, i], part, SUBSEP)
		key = mode SUBSEP rows[mode, i]
		printf "%-26s %-12s %-5s %10s %10s %7s %10s %7s  %6s/%6s/%6s  %6s/%6s/%6s\n",
			part[1], part[2], unit[key],
			cell(insns, key, "type1", "%.1f"),
			cell(insns, key, "container", "%.1f"), ratio(key, "container"),
			cell(insns, key, "native", "%.1f"), ratio(key, "native"),
			cell(invalidations, key, "type1", "%s"),
			cell(invalidations, key, "container", "%s"),
			cell(invalidations, key, "native", "%s"),
			cell(locked, key, "type1", "%.2f"),
			cell(locked, key, "container", "%.2f"),
			cell(locked, key, "native", "%.2f")
	}
}

function print_values(mode,	i, part, key)
{
	printf "\n%-26s %-14s %14s %14s %14s\n", "memory, caching-mode " mode, "what", "type1",
		"container", "native"
	for (i = 1; i <= nvalues[mode]; i++) {
		split(values[mode, i], part, SUBSEP)
		key = mode SUBSEP values[mode, i]
		printf "%-26s %-14s %14s %14s %14s\n", part[1], part[2],
			cell(value, key, "type1", "%.2f"),
			cell(value, key, "container", "%.2f"),
			cell(value, key, "native", "%.2f")
	}
}

function insns_of(key, side)
{
	return (key, side) in insns ? insns[key, side] : 0
}

# What a line of targets.list is about; "" when it was not measured
function actual(mode, name, op, what,	key, base)
{
	key = mode SUBSEP name SUBSEP op
	if (what == "value")
		return (key, "container") in value ? value[key, "container"] : ""
	if (!((key, "container") in insns))
		return ""
	if (what != "ratio")
		base = insns_of(mode SUBSEP what SUBSEP op, "container")
	else
		base = insns_of(key, "type1")
	return base ? insns[key, "container"] / base : ""
}

function due(text, have, max,	verdict)
{
	verdict = have == "" ? "not measured" : have <= max ? "ok" : "MISSED"
	missed += verdict == "MISSED"
	if (tap) {
		if (have != "")
			printf "%s %d - %s: %.3f, at most %s\n",
				verdict == "ok" ? "ok" : "not ok", ++points, text, have, max
		return
	}
	printf "%-66s %12s %12s  %s\n", text, have == "" ? "-" : sprintf("%.3f", have), max, verdict
}

# The native ioctl that is slowest, compared with the container's
function print_native(	m, i, key, r, worst, where)
{
	worst = ""
	for (m = 1; m <= nmodes; m++) {
		for (i = 1; i <= nrows[modes[m]]; i++) {
			key = modes[m] SUBSEP rows[modes[m], i]
			if (!((key, "container") in insns) || !((key, "native") in insns) ||
			    rows[modes[m], i] ~ /^nothing/)
				continue
			r = insns[key, "native"] / insns[key, "container"]
			if (worst == "" || r > worst) {
				worst = r
				where = rows[modes[m], i] " caching-mode " modes[m]
				gsub(SUBSEP, " ", where)
			}
		}
	}
	due("native / container, worst: " where, worst, 1.005)
}

function print_targets(	i, field, text)
{
	if (!tap)
		printf "\n%-66s %12s %12s\n", "What is due", "have", "at most"
	for (i = 1; i <= ntargets; i++) {
		split(targets[i], field, / *\| */)
		text = field[2] " " field[3] ", caching-mode " field[1] ", "
		text = text (field[4] ~ /\// ? "to " field[4] : field[4])
		due(text, actual(field[1], field[2], field[3], field[4]), field[5])
	}
	print_native()
}

# Map and unmap of each side in the first mode, a line for each of @names that was
# measured: its part of the key is put into @key.
function write_plot(file, key, names,	name, n, i, s, op, k, line, some)
{
	file = out "/" file
	n = split(names, name, " ")
	print "name\ttype1\tcontainer\tnative\ttype1\tcontainer\tnative" > file
	for (i = 1; i <= n; i++) {
		line = name[i]
		some = 0
		for (op = 0; op < 2; op++)
			for (s = 1; s <= nsides; s++) {
				k = key
				sub("@", name[i], k)
				k = modes[1] SUBSEP k SUBSEP (op ? "unmap" : "map")
				line = line "\t" cell(insns, k, sides[s], "%.2f")
				some += (k, sides[s]) in insns
			}
		if (some)
			print line > file
	}
	close(file)
}

# One line of the summary: type1, the container, its share of type1, native
function summarize(file, mode, name, op,	key)
{
	key = mode SUBSEP name SUBSEP op
	if (!((key, "container") in insns))
		return
	printf "%-7s  %-25s  %-12s  %-5s  %9s  %9s  %6s  %9s\n", mode, name, op, unit[key],
		cell(insns, key, "type1", "%.1f"), cell(insns, key, "container", "%.1f"),
		ratio(key, "container"), cell(insns, key, "native", "%.1f") > file
}

function write_summary(	file, rule, n, i, kind, size, m, j, nops, ops)
{
	file = out "/summary.rst"
	rule = "=======  =========================  ============  =====  =========  =========  ======  ========="
	print rule > file
	print "caching  case/memory/size           op            per        type1  container   ratio     native" > file
	print rule > file
	for (m = 1; m <= nmodes; m++) {
		n = split("scattered/4K scattered/64M scattered/1G pte-thp/64M thp/64M hugetlb/64M memfd/64M", size, " ")
		for (i = 1; i <= n; i++) {
			summarize(file, modes[m], "range/" size[i], "map")
			summarize(file, modes[m], "range/" size[i], "unmap")
		}
		summarize(file, modes[m], "many/scattered/4K/10k", "unmap")
		summarize(file, modes[m], "many/scattered/4K/10k", "unmap-all")
		n = split("1k 1M", size, " ")
		for (i = 1; i <= n; i++) {
			summarize(file, modes[m], "live/scattered/4K/" size[i], "map")
			summarize(file, modes[m], "live/scattered/4K/" size[i], "unmap")
		}
		n = split("dirty/scattered/4K dirty/scattered/1G dirty/scattered/4K/10k dirty-far/scattered/4K/2k", size, " ")
		for (i = 1; i <= n; i++) {
			summarize(file, modes[m], size[i], "get-bitmap")
			summarize(file, modes[m], size[i], "unmap-bitmap")
		}
		n = split("nesting/scattered/4K nested-maps/scattered/4K nesting/scattered/2M nested-maps/scattered/2M nesting/scattered/1G nested-maps/scattered/1G", size, " ")
		nops = split("bind unbind vanish appear invalidate", ops, " ")
		for (i = 1; i <= n; i++)
			for (j = 1; j <= nops; j++)
				summarize(file, modes[m], size[i], ops[j])
	}
	print rule > file
	close(file)
}

END {
	if (failed || !nmodes)
		exit 1
	for (m = 1; m <= nmodes && !tap; m++) {
		print_results(modes[m])
		print_values(modes[m])
	}
	print_targets()
	if (tap) {
		print "1.." points
		exit missed != 0
	}
	write_summary()
	write_plot("pages.dat", "range/@/64M", "scattered pte-thp thp hugetlb memfd")
	write_plot("live.dat", "live/scattered/4K/@", "1k 10k 100k 1M")
	print ""
	if (missed) {
		print "bench: " missed " figures are missed"
		exit 1
	}
}
