#!/bin/sh
# gdb on a program with threads: breakpoints, calls, watchpoints in hardware, steps, forks, a core file.
# seconds: 240
gcc -g -O0 -pthread -o threads /programs/threads.c || exit 1
# What differs from run to run: process numbers, addresses; which thread comes first.
plain() {
	grep -vE '^warning|^This normally|^$|^\[(New|Switching|LWP|Thread|Inferior)' |
		sed -E 's/(LWP|process) [0-9]+/\1 N/g; s/0x[0-9a-f]+/ADDRESS/g'
}
run() {
	gdb -batch -nx -iex 'set pagination off' "$@" 2>&1 | plain
}

run -ex 'break main' -ex run -ex 'print twice(21)' -ex next -ex 'bt 1' -ex kill ./threads
echo "--- watch"
run -ex 'break main' -ex run -ex 'watch counter if counter == 12' -ex continue -ex 'print counter' -ex stepi \
	-ex 'bt 1' -ex delete -ex continue ./threads | sed -E 's/^(Thread )?[0-9]+ "threads" hit/THREAD hit/; s/^Thread [0-9]+ /Thread /
	s/^Old value = .*/Old value/; s/n=[0-9]/n=N/'
echo "--- threads"
run -ex 'break work' -ex run -ex 'info threads' -ex 'thread apply all bt 1' -ex kill ./threads |
	grep -E '^(\*| ) [0-9]+ +.*LWP|^Thread [0-9]+ |in work|work \(' | cut -c 1 | sort -u
echo "--- fork"
cat >forks.c <<'END'
#include <unistd.h>
#include <sys/wait.h>
int in_child(int n) { return n + 1; }
int main(void) { if (fork() == 0) _exit(in_child(4)); int s; wait(&s); return s >> 8; }
END
gcc -g -O0 -o forks forks.c
run -ex 'set follow-fork-mode child' -ex 'break in_child' -ex run -ex bt -ex continue ./forks | grep -v Detaching
run -ex 'catch syscall exit_group' -ex run -ex continue ./forks | grep -E '^(Catchpoint|Program)' | sed 's/, ADDRESS.*//'
echo "--- core"
ulimit -c unlimited
./threads x
echo "status $?"
run -ex bt -ex 'print counter' ./threads core | grep -E '^#[0-9]+ .*main|^\$|^Core|^Program'
echo "--- attach"
sleep 1000 &
pid=$!
until grep -q sleep /proc/$pid/comm; do :; done
run -p $pid -ex 'print $_siginfo.si_signo' -ex detach | grep '^\$'
kill $pid
wait $pid 2>/dev/null
echo "the debugged ended with $?"
