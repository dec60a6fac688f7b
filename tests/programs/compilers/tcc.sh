#!/bin/sh
# TinyCC: compile, link, and run code made in memory.
cat >fib.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(int c, char **v) { char *p = malloc(100000); memset(p, 7, 100000); printf("%d %d %s\n", fib(20), p[99999], c > 1 ? v[1] : "-"); free(p); return c; }
C
tcc -run fib.c arg; echo "status $?"
tcc fib.c -o fib && ./fib; echo "status $?"
tcc -c fib.c && tcc fib.o -o fib2 && ./fib2 x
tcc -shared fib.c -o fib.so && ls fib.so
echo 'int main() { return undefined_thing(); }' | tcc -run - 2>&1; echo "status $?"
echo 'int main( {' | tcc -c - -o /dev/null 2>&1; echo "status $?"
tcc -b -run fib.c 2>&1 | head -2
