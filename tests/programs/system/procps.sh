#!/bin/sh
# procps: ps, pgrep, pwdx, pmap, top, free, vmstat, uptime, w, watch, sysctl, tload, slabtop, kill, pkill, pidwait.

# Until a process runs the program of this name, and sleeps.
named() { until [ "$(ps -o comm=,stat= -p $1 | tr -s " ")" = "$2 S" ]; do :; done; }
sleep 1000 & one=$!
bash -c 'exec -a renamed sleep 3000' & other=$!
named $one sleep; named $other sleep
echo ps; ps -o pid= -p $one | tr -d ' ' | grep -qx $one && ps -o comm=,args=,stat=,ni=,pri=,cls=,nlwp= -p $one,$other
ps -o ppid= -p $one | tr -d ' ' | grep -qx $$ && echo parent
ps -e -o comm= | grep -cx sleep
ps -ef | head -1; ps aux | head -1; ps axjf | head -1; ps -eLf | head -1; ps -ly | head -1
ps -C sleep -o args= | sort | uniq -c
ps -o user,group,ruid,euid,tty,sgi_p,wchan:4,rss,vsz,sz -p 1 | head -1
ps -o uid=,gid=,lstart= -p $one | awk '{ print $1, $2, NF }'
echo pgrep; pgrep -c sleep; pgrep -x nothing; echo $?; pgrep -f 'sleep 1000' | grep -c .; pgrep -n sleep >/dev/null && pgrep -P $$ -l >children; sort -k2 children | awk '{ print $2 }' | uniq -c
pwdx $one | sed "s/^$one//"
echo pmap; pmap $one | sed 1d | awk '{ print $NF }' | grep -o 'sleep$\|stack\|libc.so.6' | sort -u; pmap -x $one | sed -n 2p; pmap -X $one | sed -n 2p | wc -w; pmap -d $one | tail -1 | tr -d '0-9'
echo free; free | awk '{ print $1, NF }'; free -m -w | awk 'NR == 1'; free -h >/dev/null && echo human; free -t | tail -1 | awk '{ print $1 }'
echo vmstat; vmstat | sed -n 1,2p; vmstat 1 2 | wc -l; vmstat -s | tr -d '0-9' | sed 's/^ *//' | sort; vmstat -f | tr -d '0-9 '; vmstat -m | head -1
echo top; top -b -n 1 | sed -n '2s/[0-9]//gp;7p' | tr -s ' '; top -b -n 2 -d 0.1 -p $one | grep -c "sleep"; top -b -n 1 -H -p $one | sed -n 2p | tr -d '0-9 '
echo uptime; uptime | grep -c 'load average: [0-9.]*, [0-9.]*, [0-9.]*'; uptime -p | cut -c1-2; uptime -s | grep -c '^20'
w -h | wc -l; w | sed -n 2p; tload -V | cut -c1-12
slabtop -o | sed -n '7p'
echo sysctl; sysctl -n kernel.ostype vm.overcommit_memory kernel.pid_max fs.nr_open | sed 3d; sysctl -w kernel.hostname=other >/dev/null && uname -n && sysctl -qw kernel.hostname=tessera; sysctl kernel.no.such 2>&1; sysctl -a 2>/dev/null | grep -c '^kernel.random.uuid'
echo kill; kill -l 9; kill -TERM $one; wait $one 2>/dev/null; echo $?; pkill -f 'renamed 3000'; wait $other 2>/dev/null; echo $?
sleep 2000 & named $! sleep; pidwait -xf 'sleep 2000' & waiter=$!
until ls -l /proc/$waiter/fd 2>/dev/null | grep -q pidfd; do :; done; pkill -xf 'sleep 2000'; wait $waiter; echo waited $?
pkill -9 sleep; until ! pgrep sleep >/dev/null; do :; done; pgrep sleep; echo none $?
