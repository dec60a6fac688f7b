#!/bin/sh
# Valgrind 3.19: memcheck runs true and a program with threads, and tells of what that lost.
# seconds: 120
valgrind -q --error-exitcode=9 true; echo "status $?"
cat >lost.c <<'C'
#include <pthread.h>
#include <stdlib.h>
static void *body(void *p) { return malloc(*(int *)p) ? NULL : p; }
int main(void) { int n = 123; pthread_t t; pthread_create(&t, NULL, body, &n); return pthread_join(t, NULL); }
C
gcc -g -pthread -o lost lost.c
valgrind --leak-check=full --error-exitcode=9 ./lost 2>said; echo "status $?"
grep -E 'definitely lost|ERROR SUMMARY|body \(' said | sed 's/^==[0-9]*== *//; s/0x[0-9A-F]*/ADDRESS/'
