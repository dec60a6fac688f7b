#!/bin/sh
# psmisc: pstree, fuser, killall, prtstat, pslog.
# differs: fuser remarks that there are no network sockets: AF_INET is not there yet
mkdir d; mkfifo d/fifo; : > d/file
sh -c 'exec 3< d/file; cd d; sleep 1000' & shell=$!
until pgrep -P $shell >/dev/null; do :; done
child=$(pgrep -P $shell)
echo pstree; pstree -A $shell; pstree -Ap $shell | sed "s/$shell/SHELL/; s/$child/CHILD/"; pstree -a $shell; pstree -s $child | grep -c init
echo fuser; fuser d/file 2>/dev/null | tr ' ' '\n' | grep -x "$shell\|$child" | wc -l; fuser -v d/file 2>&1 | grep -v socket | awk '{ print $NF }' | sort | uniq -c
fuser d 2>&1 >/dev/null | grep -v socket | grep -o 'c' | sort | uniq -c; fuser d/fifo 2>/dev/null; echo $?; fuser -k -TERM d/file >/dev/null 2>&1; wait $shell 2>/dev/null; echo $?
pkill sleep
echo killall; sleep 1001 & sleep 1002 & killall -e sleep; echo $?; wait; killall sleep; killall -0 nothing; echo $?; sleep 5 & killall -w -s INT sleep; echo gone $?
echo prtstat; sleep 1000 & until [ "$(ps -o comm=,stat= -p $!)" = "sleep           S" ]; do :; done; prtstat $! | head -2 | sed "s/$!/N/; s/CPU#: *[0-9]*/CPU/" | tr -s ' '; prtstat -r $! | grep -c .; pslog $! | grep -c . ; kill $!
