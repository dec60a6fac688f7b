#!/bin/sh
# util-linux: flock, setsid, prlimit, taskset, chrt, ionice, nsenter, unshare, choom, kill, renice, uclampset, setpriv, runuser, su, script, setarch.
echo flock; flock lock sh -c 'echo held; flock -n lock true || echo busy $?'; flock -s lock flock -sn lock echo shared; flock -w 0.05 -x lock echo alone
exec 9>lock; flock 9; flock -n lock true; echo $?; flock -u 9; flock -n lock echo free; flock -E 42 -n 9 && flock -E 42 -n lock true; echo $?; exec 9>&-
echo setsid; setsid -w sh -c 'exit 7'; echo $?; setsid -f true; setsid -w sh -c 'test $(ps -o sid= -p $$) = $$ && echo leader'
echo prlimit; prlimit --nofile=100:200 sh -c 'ulimit -n; ulimit -Hn'; sleep 1000 & prlimit -p $! --core=0:0 && prlimit -p $! -o RESOURCE,SOFT,HARD --noheadings | tr -s ' ' | grep -v 'NPROC\|SIGPENDING\|MEMLOCK' | sort; kill $!
echo taskset; taskset -c 0 sh -c 'taskset -p $$ | sed "s/.*: //"; nproc'; taskset -cp $$ | sed 's/.*: //'; taskset 0x8000 true 2>&1 | sed "s/pid [0-9]*/pid/"
echo chrt; chrt -f 10 chrt -p 0 | sed 's/pid [0-9]*/pid/'; chrt -r 5 sh -c 'chrt -p $$' | sed 's/pid [0-9]*/pid/'; chrt -b 0 sh -c 'chrt -p $$' | sed 's/pid [0-9]*/pid/'; chrt -i 0 true && echo idle; chrt -m; chrt -f 100 true; echo $?
echo ionice; ionice -c 2 -n 3 ionice; ionice -c 3 ionice; ionice -p $$
echo renice; sleep 1000 & renice -n 5 -p $! | sed "s/$!/N/"; ps -o ni= -p $! | tr -d ' '; renice -n 2 -p $! >/dev/null; kill $!
echo unshare; unshare -u sh -c 'hostname inner; hostname'; hostname; unshare -m sh -c 'mount -t tmpfs none /mnt && touch /mnt/x && ls /mnt'; ls /mnt
echo setpriv; setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'id -u; id -g; id -G; touch /root/x 2>/dev/null || echo denied'; setpriv --no-new-privs --bounding-set -all grep -c 'NoNewPrivs:.1' /proc/self/status; setpriv --dump | head -3
echo setarch; setarch -R sh -c 'cat /proc/self/personality'; linux64 uname -m; setarch x86_64 --uname-2.6 uname -r | cut -c1-4
echo choom; choom -n 500 -- sh -c 'choom -p $$ | sed "s/pid [0-9]*/pid/; s/score: [0-9]*/score/"'
echo kill; sleep 1000 & /bin/kill -s TERM $!; wait $! 2>/dev/null; echo $?; /bin/kill -L | head -1; true
echo runuser; runuser -u user -- id -un; runuser -u nobody id -u
echo script; script -qc 'tty | grep -o /dev/pts; stty -a | grep -o "speed [0-9]*"; echo out' /dev/null </dev/null | tr -d '\r'; script -q -e -c 'exit 3' log </dev/null; echo $?; grep -c 'Script started' log
echo wall; mesg; echo $?; whereis -b sh | grep -c /bin/sh; mcookie | wc -c; uuidgen | wc -c; namei /bin/sh | sed 1d; fincore -n -o FILE,SIZE /etc/passwd | tr -s ' ' | sed 's/ [0-9]*$//'
