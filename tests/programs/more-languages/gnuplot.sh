#!/bin/sh
# gnuplot: on a terminal of letters and in SVG, with data from commands.
# seconds: 60
gnuplot-nox -e 'set terminal dumb 60 15; plot sin(x)' | tail -15; gnuplot-nox -e 'set terminal svg; set output "x.svg"; splot x*y'; grep -c path x.svg; gnuplot-nox -e 'print system("echo child"); plot "<seq 10" using 1:1 with lines' 2>&1 | head -2; echo "status $?"
