# SPDX-License-Identifier: GPL-2.0-only
#
# Plots what report.awk wrote into `dir`: plot.svg and plot.png there.

set datafile missing "-"
set datafile separator "\t"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set grid ytics
set key above horizontal
set rmargin 4

types = "svg png"
do for [type in types] {
	if (type eq "svg") {
		set terminal svg size 1200,900 dynamic background "white"
	} else {
		set terminal pngcairo size 1200,900
	}
	set output dir . "/plot." . type
	set multiplot layout 2,2 title "Instructions on Linux 6.1, VT-d"

	set xtics rotate by 0
	set logscale y
	set ylabel "per 4 KiB page, logarithmic"
	do for [op in "map unmap"] {
		first = op eq "map" ? 2 : 5
		set title op . " of 64 MiB, by kind of memory"
		set yrange [0.1:5000]
		plot for [i = 0:2] dir . "/pages.dat" using first + i:xtic(1) \
			title columnheader(first + i)
	}
	unset logscale y
	set ylabel "per call"
	do for [op in "map unmap"] {
		first = op eq "map" ? 2 : 5
		set title "next " . op . " of 4 KiB, by live mappings"
		set yrange [0:*]
		plot for [i = 0:2] dir . "/live.dat" using first + i:xtic(1) \
			title columnheader(first + i)
	}
	unset multiplot
	set output
}
