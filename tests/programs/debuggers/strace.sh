#!/bin/sh
# strace follows a pipeline of a shell's, counts calls, attaches to a process that runs.
# seconds: 120
strace -f -o log sh -c 'echo one two | wc -w'
sed 's/^[0-9]* *//' log | grep -E '^(pipe2?\(|write\(1, "[a-z0-9]|\+\+\+)' |
	sed 's/\[[0-9]*, [0-9]*\]/[]/; s/\() *= .*\| <unfinished.*\)//' | sort
echo "executed: $(grep -c 'execve("/usr/bin/wc' log), processes: $(sed 's/ .*//' log | sort -u | wc -l)"
strace -c -o table ls / >/dev/null
awk '$NF == "execve" || $NF == "exit_group" { print $NF, $4 }' table
strace --seccomp-bpf -f -e trace=getppid -o log sh -c 'true; /bin/true'
sed 's/^[0-9]* *//' log | grep -c exited

sleep 1000 &
pid=$!
until grep -q sleep /proc/$pid/comm; do :; done
: >messages
strace -p $pid -o log 2>>messages &
tracer=$!
until grep -q "Process $pid attached" messages; do sleep 0.1; done
until grep -q TracerPid:.$tracer /proc/$pid/status; do sleep 0.1; done
kill -INT $tracer
wait $tracer 2>/dev/null
sed "s/$pid/PID/" messages
grep TracerPid /proc/$pid/status
kill $pid
wait $pid 2>/dev/null
echo "the traced ended with $?"
