#!/bin/sh
# Valgrind 3.19: memcheck finds every planted mistake in a threaded program, helgrind a race; a shell and its children run under it.
# seconds: 280
cat >l.c <<'X'
#include <pthread.h>
#include <stdlib.h>
static int shared;
static void *leak(void *arg) { char *q = malloc(77); q[3] = 1; for (int i = 0; i < 10; i++) shared++; return arg; }
int main(void)
{
	char *p = malloc(10), *d = malloc(5);
	int x[2];
	pthread_t t, u;

	p[10] = 3;
	if (x[0] == 3)
		p[0] = 1;
	pthread_create(&t, NULL, leak, NULL);
	pthread_create(&u, NULL, leak, NULL);
	pthread_join(t, NULL);
	pthread_join(u, NULL);
	free(d);
	return d[1] & 0;
}
X
plain() { sed -E 's/^(==|--)[0-9]+(==|--) ?//; s/0x[0-9A-Fa-f]+/ADDRESS/g'; }
gcc -g -O0 -w l.c -o l
valgrind --leak-check=full --error-exitcode=9 ./l 2>&1 | plain | grep -E 'Invalid|Conditional|lost|ERROR SUMMARY|l\.c:'
valgrind -q --tool=helgrind --error-exitcode=8 ./l >race 2>&1; echo "status $?"; grep -q "Possible data race" race && echo race
exec 2>/dev/null # where this shell says how the next one ended
valgrind --trace-children=yes sh -c '(exit 3); echo "child $?"; ls / >/dev/null; kill -TERM $$' 2>&1 | grep -E 'child|ERROR|terminating' | plain
valgrind --track-fds=yes sh -c 'exec 5</dev/null; sleep 0.2 & wait' 2>&1 | plain | grep -E 'Open file|ERROR SUMMARY'
valgrind --tool=none --sim-hints=lax-ioctls true 2>&1 | plain | tail -1
