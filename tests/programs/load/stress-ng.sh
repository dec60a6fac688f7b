#!/bin/sh
# stress-ng 0.15: two dozen of its classes, each a set number of its rounds with --verify.
# judge: own
# seconds: 500
failed=0
while read -r class rounds; do
	out=$(busybox timeout -s KILL 200 stress-ng --no-rand-seed --verify --"$class" 2 --"$class"-ops "$rounds" 2>&1) &&
		! echo "$out" | grep -qE 'skipp|No stress workers|finished prematurely' || {
		echo "$class fails: $out"
		failed=1
	}
done <<'END'
fork 20
clone 10
vfork 20
pipe 500
futex 500
sem-sysv 200
msg 500
mq 200
shm 2
shm-sysv 1
mremap 1
brk 500
sigq 200
sigsegv 100
timer 200
itimer 100
eventfd 500
epoll 50
poll 200
fcntl 200
flock 200
dentry 100
rename 200
splice 200
switch 500
access 20
END
exit $failed
