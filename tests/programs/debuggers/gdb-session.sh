#!/bin/sh
# gdb as somebody works with it: next, step, finish and until, watchpoints, threads looked at, held and run one by one, frames and variables, signals, checkpoints, a core file made of a running program, gdbserver.
# when: asked
# seconds: 300

# One processor for gdb and what it debugs, and no instruction that is stepped while it touches what is watched:
# on QEMU 7.2 without KVM the processor then never comes out of its debug trap, under Linux as under Tessera.
cat >work.c <<'C'
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct item { int value; struct item *next; char name[8]; };
static struct item *list;
static sem_t ready, go;
volatile int total, signals;
static void push(int value)
{
	struct item *i = malloc(sizeof(*i));
	i->value = value;
	i->next = list;
	snprintf(i->name, 8, "i%d", value);
	list = i;
}
static int sum(struct item *i)
{
	int s = 0;
	for (; i; i = i->next)
		s += i->value;
	return s;
}
static void *waits(void *arg)
{
	int mine = *(int *)arg;
	sem_post(&ready);
	sem_wait(&go);
	return (void *)(long)mine;
}
static void together(void)
{
	total = sum(list);
}
static void on_usr1(int n) { signals++; }
int main(void)
{
	pthread_t t[3];
	int numbers[3] = { 7, 8, 9 };
	signal(SIGUSR1, on_usr1);
	for (int i = 0; i < 4; i++)
		push(i * i);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, waits, &numbers[i]);
	for (int i = 0; i < 3; i++)
		sem_wait(&ready);
	together();
	raise(SIGUSR1);
	for (int i = 0; i < 3; i++)
		sem_post(&go);
	for (int i = 0; i < 3; i++) {
		void *result;
		pthread_join(t[i], &result);
		total += (long)result;
	}
	printf("total %d signals %d\n", total, signals);
	return 0;
}
C
gcc -g -O0 -pthread -o work work.c || exit 1
plain() {
	grep -vE '^warning|^This normally|^$|^\[(New|Switching|LWP|Thread|Inferior)|libthread_db|Using host' |
		sed -E 's/(LWP|process|Thread|pid|PID) [0-9]+/\1 N/g; s/0x[0-9a-f]+/ADDRESS/g; s/ \((sem_wait|LWP).*//'
}
run() { busybox taskset 1 gdb -batch -nx -iex 'set pagination off' -iex 'set confirm off' "$@" 2>&1 | plain; }
echo "--- steps"
run -ex 'break push if value == 4' -ex run -ex next -ex next -ex 'print *i' -ex 'print list->name' -ex 'print $_gdb_setting("print elements")' -ex next -ex next -ex 'p *list@1' \
	-ex 'up' -ex 'info locals' -ex 'p numbers' -ex 'ptype struct item' -ex finish -ex 'tbreak sum' -ex 'delete 1' -ex continue -ex step -ex until -ex 'display s' -ex next -ex next -ex 'finish' -ex 'p $' -ex 'call sum(list)' -ex 'set var total = 100' -ex 'p total' -ex kill ./work |
	grep -v '^Run till\|^t = \|^ *t = '
echo "--- watch"
run -ex 'break together' -ex run -ex 'watch total' -ex continue -ex 'info watchpoints' -ex 'delete' -ex 'awatch signals' -ex continue -ex 'bt' -ex delete -ex 'handle SIGUSR1 nostop' -ex continue ./work | grep -vE '^#[0-9]+ +ADDRESS in .*(raise|pthread)|signal handler|\?\?|^#[0-9]+.*(__pthread|raise)' | sed -E 's/hit (Hardware|Thread).*/hit/; s/^Thread [0-9]+ "work" //'
echo "--- threads"
run -ex 'break together' -ex run -ex 'info threads' -ex 'thread apply all -q print $_thread' -ex 'thread 2' -ex 'frame function waits' -ex 'print mine' -ex 'thread 4' -ex 'frame function waits' -ex 'print mine' -ex 'thread name watched' -ex 'thread find watched' \
	-ex 'thread 1' -ex 'set scheduler-locking on' -ex next -ex 'print total' -ex 'set scheduler-locking off' -ex 'gcore core.made' -ex 'handle SIGUSR1 stop print' -ex continue -ex 'p $_siginfo.si_signo' -ex 'signal 0' ./work | grep -vE '^#|futex|Saved|^ +Id |^\*? +[0-9]+ ' 
gdb -batch -nx -ex 'info threads' ./work core.made 2>&1 | grep -cE '^\*? +[0-9]+ +Thread'
run -ex 'print sum(list)' -ex 'print list->next->name' -ex 'thread apply all -s frame function waits' -ex 'info auxv' -ex 'info proc' ./work core.made | grep -E '^\$|^#|AT_PAGESZ|^exe' | sed "s#$PWD#.#; s/^#[0-9]* //" | sort | uniq -c
echo "--- the rest"
run -ex 'break sum' -ex run -ex checkpoint -ex 'info checkpoints' -ex continue -ex 'restart 1' -ex 'print total' -ex kill ./work 2>&1 | grep -E '^Checkpoint|^\*?.*[01] .*main process|^total|^\$'
run -ex 'catch signal SIGUSR1' -ex run -ex 'p $_exitcode' -ex continue ./work | grep -E '^Catch|^Thread|^total|hit' | sed -E 's/^Thread [0-9]+ "work" hit //'
run -ex 'set non-stop on' -ex 'break waits' -ex run -ex 'info threads' -ex 'thread apply all -q -s print mine' -ex 'continue -a' ./work | grep -E '^\$[0-9]* = ' | sed 's/^.[0-9]*//' | sort -u | head -3 | wc -l
run -ex 'target extended-remote | gdbserver --once - ./work' -ex 'break together' -ex continue -ex 'bt 1' -ex 'info threads' -ex 'watch total' -ex continue -ex delete -ex continue ./work | grep -E '^#0|^Old|^New value|exited|^total' | sed 's/Remote.*//'
echo "--- attach"
sh -c 'trap : USR1; while :; do sleep 1000 & wait; done' & shell=$!
until [ "$(ps -o comm= --ppid $shell)" = sleep ]; do :; done
run -p "$(ps -o pid= --ppid $shell | tr -d ' ')" -ex 'info inferiors' -ex 'call (int)getppid() == '$shell -ex 'generate-core-file made' -ex detach | grep '^\$'; ls made
kill -9 $shell; pkill sleep
