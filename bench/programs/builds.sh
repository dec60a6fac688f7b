# SPDX-License-Identifier: MIT
# A compiler: one file, and a small project (the other benchmarks) by make.
# packages: gcc libc6-dev make
set -e
flags='-std=gnu17 -O1 -D_GNU_SOURCE'
printf 'CFLAGS = %s\nobjects = $(patsubst %%.c,%%.o,$(wildcard *.c */*.c))\nall: $(objects)\n' "$flags" >Makefile
mkdir calls
cp /bench/source/frame.c /bench/source/frame.h .
cp /bench/source/calls/*.c /bench/source/calls/*.h calls
# shellcheck disable=SC2086
stopwatch -n 1 gcc_file gcc $flags -c calls/memory.c -o /tmp/memory.o
stopwatch -n 1 -b 'rm -f *.o */*.o' make_j4 make -j4
