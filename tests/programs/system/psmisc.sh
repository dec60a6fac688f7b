#!/bin/sh
# psmisc: pstree, fuser of files and ports, killall, prtstat, pslog.

# Until a process runs the program of this name, and sleeps.
named() { until [ "$(ps -o comm=,stat= -p $1 | tr -s " ")" = "$2 S" ]; do :; done; }
mkdir d; mkfifo d/fifo; : > d/file
sh -c 'exec 3< d/file; cd d; sleep 1000' & shell=$!
until child=$(pgrep -P $shell); do :; done; named $child sleep
echo pstree; pstree -A $shell; pstree -Ap $shell | sed "s/$shell/SHELL/; s/$child/CHILD/"; pstree -a $shell; pstree -s $child | grep -c init
echo fuser; fuser d/file 2>/dev/null | tr ' ' '\n' | grep -x "$shell\|$child" | wc -l; fuser -v d/file 2>&1 | awk '{ print $NF }' | sort | uniq -c
fuser d 2>&1 >/dev/null | grep -o 'c' | sort | uniq -c; fuser d/fifo 2>/dev/null; echo $?; fuser -k -TERM d/file >/dev/null 2>&1; wait $shell 2>/dev/null; echo $?
pkill sleep
busybox nc -l -p 7100 & until fuser -s -n tcp 7100; do sleep 0.1; done; fuser 7100/tcp 2>&1 | tr -s ' ' | sed "s/ $!\$/ NC/"; fuser -n udp 7100; echo $?; fuser -k 7100/tcp >/dev/null 2>&1; wait $! 2>/dev/null; echo $?
echo killall; sleep 1001 & one=$!; sleep 1002 & named $! sleep; named $one sleep; killall -e sleep; echo $?; wait; killall sleep; killall -0 nothing; echo $?; sleep 1003 & named $! sleep; killall -w -s HUP sleep; echo gone $?
echo prtstat; sleep 1000 & named $! sleep; prtstat $! | head -2 | sed "s/$!/N/; s/CPU#: *[0-9]*/CPU/" | tr -s ' '; prtstat -r $! | grep -c .; pslog $! | grep -c . ; kill $!
