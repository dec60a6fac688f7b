#!/bin/sh
# GCC 12 as a C compiler: preprocess, compile, assemble, link, shared and static libraries, sanitised code, link-time optimisation, threads.
# seconds: 120
cat >sum.h <<'C'
long sum(const int *v, int n);
C
cat >sum.c <<'C'
#include "sum.h"
long sum(const int *v, int n) { long s = 0; while (n--) s += *v++; return s; }
C
cat >main.c <<'C'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "sum.h"
static void *work(void *arg)
{
	int v[100], base = *(int *)arg;
	for (int i = 0; i < 100; i++) v[i] = base + i;
	return (void *)sum(v, 100);
}
int main(void)
{
	pthread_t t[4]; int base[4]; void *r; long all = 0;
	for (int i = 0; i < 4; i++) { base[i] = i * 1000; pthread_create(&t[i], NULL, work, &base[i]); }
	for (int i = 0; i < 4; i++) { pthread_join(t[i], &r); all += (long)r; }
	printf("%ld %.6f %s\n", all, cos(1.0), __STDC_VERSION__ >= 201710L ? "c17" : "old");
	return 0;
}
C
echo "== dynamic, -O2"; gcc -O2 -g -Wall main.c sum.c -o prog -lm && ./prog
echo "== static library, static program"; gcc -O1 -c sum.c && ar rcs libsum.a sum.o && gcc -static main.c -L. -lsum -lm -o static && ./static
echo "== shared library"; gcc -fPIC -shared sum.c -o libsum.so && gcc main.c -L. -lsum -lm -Wl,-rpath,"$PWD" -o shared && rm libsum.a && ./shared
echo "== link-time optimisation"; gcc -O2 -flto main.c sum.c -o lto -lm 2>&1 && ./lto
echo "== stages"; gcc -E main.c | grep -c pthread_create; gcc -S -O2 sum.c -o - | grep -c 'ret'; gcc -O0 -pipe sum.c main.c -o pipe -lm && ./pipe
echo "== dependencies"; gcc -MM main.c
echo "== errors"; echo 'int f(void) { return x; }' | gcc -x c -c - -o /dev/null 2>&1; echo "status $?"
echo "== undefined behaviour found"; echo 'int main(int c, char **v) { int a = 0x7fffffff; return (a + c) & 0; }' >u.c; gcc -fsanitize=undefined u.c -o u && ./u
echo "== tools"; nm prog | grep -c ' T '; objdump -d prog | grep -c 'call'; strip prog && ./prog; readelf -h prog | grep Type; size sum.o | awk 'NR == 2 { print $1 > 0 }'
