#!/bin/sh
# What GCC puts into programs: gcov and gprof's counters, the sanitizers of addresses, leaks, threads and undefined behaviour, stack protector, static and position-independent programs.
# when: asked
# seconds: 240
cat >c.c <<'C'
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifndef TURNS
#define TURNS 1000
#endif
static volatile int sink;
__attribute__((noinline)) int leaf(int n) { sink += n; return n & 1; }
__attribute__((noinline)) int busy(void) { int odd = 0; for (int i = 0; i < TURNS; i++) sink++; for (int i = 0; i < 1000; i++) odd += leaf(i); return odd; }
int main(int argc, char **argv)
{
	int status = 0;
	if (argc > 1 && fork() == 0)
		return leaf(3) + 1;
	if (argc > 1)
		wait(&status);
	printf("%d %d\n", busy(), status >> 8);
	return 0;
}
C
echo "== gcov"; gcc -O0 --coverage c.c -o cov && ./cov fork && gcov -b cov-c.gcda | grep -E '^(Lines|Branches)'; grep -E 'int leaf|return leaf|wait\(' c.c.gcov | tr -s ' '; ./cov >/dev/null; gcov cov-c.gcda >/dev/null; grep 'int leaf' c.c.gcov | tr -s ' '
echo "== gprof"; gcc -O0 -DTURNS=60000000 -pg c.c -o prof && ./prof && gprof -b -p prof gmon.out | awk '$NF == "leaf" { print "leaf", $4 } $NF == "busy" && $3 > 0 { print "busy took time" }'; gprof -b -q prof gmon.out | grep -cE 'leaf|busy'
cat >bad.c <<'C'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int shared, array[4];
static void *adds(void *p) { for (int i = 0; i < 1000; i++) shared++; return p; }
static __attribute__((noinline)) int deeper(int n) { volatile char room[1000]; room[n % 1000] = 1; return deeper(n + 1) + room[0]; }
int main(int argc, char **argv)
{
	char *p = malloc(10), local[8];
	pthread_t t, u;
	switch (argv[1][0]) {
	case 'h': p[argc + 8] = 1; break;
	case 'u': free(p); return p[0];
	case 'd': free(p); free(p); break;
	case 's': memset(local, argc, 8 + argc); break;
	case 'g': return array[argc + 2];
	case 'l': p = NULL; return 0;
	case 'n': *(volatile int *)(argc - 2L) = 1; break;
	case 'o': return deeper(0);
	case 'r': pthread_create(&t, NULL, adds, NULL); pthread_create(&u, NULL, adds, NULL); pthread_join(t, NULL); pthread_join(u, NULL); break;
	case 'f': if (fork() == 0) { p[argc + 8] = 1; _exit(0); } sleep(0); break;
	}
	free(p);
	return 0;
}
C
echo "== addresses"; gcc -g -O1 -w -fsanitize=address -pthread bad.c -o asan
for mistake in heap use double stack global leak null overflow fine; do ./asan $mistake >said 2>&1; echo "$mistake: status $?, $(grep -oE 'AddressSanitizer: [a-zA-Z-]+|detected memory leaks' said | head -1)"; done
ASAN_OPTIONS=detect_leaks=0 ./asan leak; echo "status $?"
echo "== leaks"; gcc -g -w -fsanitize=leak -pthread bad.c -o lsan && ./lsan leak >said 2>&1; echo "status $?"; grep -o 'detected memory leaks' said; ./lsan fine; echo "status $?"
echo "== threads"; gcc -g -w -fsanitize=thread -pthread bad.c -o tsan && TSAN_OPTIONS=exitcode=7 ./tsan race >said 2>&1; s=$?; [ $s = 0 ] || [ $s = 7 ] || echo "status $s"; grep -E 'FATAL|unexpected' said; TSAN_OPTIONS=exitcode=7 ./tsan fine; echo "status $?"
cat >race.c <<'C'
#include <pthread.h>
#include <semaphore.h>
static int shared; static sem_t s;
static void *body(void *p) { shared = 1; sem_post(&s); for (;;) if (__atomic_load_n(&shared, 0) == 2) return p; }
int main(void) { pthread_t t; sem_init(&s, 0, 0); pthread_create(&t, 0, body, 0); while (__atomic_load_n((volatile int *)&shared, 0) != 1) ; shared = 2; return pthread_join(t, 0); }
C
gcc -g -w -fsanitize=thread -pthread race.c -o race && TSAN_OPTIONS=exitcode=7 ./race 2>said; echo "status $?"; grep -o 'ThreadSanitizer: data race' said | head -1
echo "== undefined"; gcc -w -fsanitize=undefined -fno-sanitize-recover bad.c -o ubsan && ./ubsan null 2>said; echo "status $?"; grep -c 'runtime error' said
echo "== protector"; gcc -O0 -w -fstack-protector-all bad.c -o ssp; (ulimit -c 0; ./ssp stack 2>&1; echo "status $?"; ./ssp overflow; echo "status $?") 2>&1 | grep -E 'smashing|status'
echo "== kinds of programs"; for how in '-static' '-static-pie' '-pie -fPIE' '-no-pie' '-static -flto -O2' '-Wl,-z,now,-z,relro' '-Wl,--gc-sections -ffunction-sections' '-fsplit-stack' '-march=x86-64-v2 -O3'; do gcc -w $how c.c -o kind 2>said && ./kind && readelf -h kind | awk -v how="$how" '/Type/ { print how, $2 }'; done
