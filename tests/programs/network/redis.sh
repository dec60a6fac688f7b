#!/bin/sh
# Redis 7 over TCP, IPv4 and IPv6: transactions, a subscriber, a blocked client, a replica, 50 clients at once, a limit of clients; redis-benchmark.
# seconds: 120
ip link set lo up 2>/dev/null
r() { redis-cli -p 7001 "$@"; }
start() { p=$1; shift; mkdir d$p; redis-server --port $p --bind 127.0.0.1 ::1 --dir "$PWD/d$p" --logfile "$PWD/log$p" --pidfile "$PWD/pid$p" --daemonize yes --save '' "$@" >/dev/null 2>&1; until [ "$(redis-cli -p $p ping 2>/dev/null)" = PONG ]; do sleep 0.1; done; }
redis-cli -p 7001 ping; start 7001
r set a 1; r incrby a 41; redis-cli -h ::1 -p 7001 get a; r lpush l 1 2 3; r lrange l 0 -1; printf 'multi\nset x 1\nincr x\nexec\n' | r
# The client itself, which kill ends, not a shell that waits for it: it would tell of the server's end at any time.
redis-cli -p 7001 --csv subscribe ch >heard & until [ "$(r publish ch hello)" = 1 ]; do sleep 0.1; done; until grep -q hello heard; do sleep 0.1; done; kill $!; wait $! 2>/dev/null; cat heard
r blpop q 0 >popped & until r info clients | grep -q blocked_clients:1; do sleep 0.1; done; r rpush q item >/dev/null; wait $!; cat popped
head -c 1000000 /dev/zero | tr '\0' z | r -x set big; r strlen big; r get big | md5sum
redis-benchmark -p 7001 -q -n 2000 -c 1 -t set,get 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -p 7001 -q -n 5000 -c 50 -t set,get,incr,lpush,mset 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -p 7001 -q -n 20000 -c 10 -P 16 -r 10000 -t set 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -p 7001 -q -n 100 -c 10 -k 0 -t ping_mbulk 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
start 7002 --replicaof 127.0.0.1 7001; until redis-cli -p 7002 info replication | grep -q master_link_status:up; do sleep 0.1; done
[ "$(redis-cli -p 7002 dbsize)" = "$(r dbsize)" ] && echo "the replica has all"; r set later 1; until [ "$(redis-cli -p 7002 get later)" = 1 ]; do sleep 0.1; done
r client list | sed -n 's/.* addr=\([0-9.]*\):.*laddr=\([0-9.:]*\) .*/\1 \2/p' | sort -u; r client kill type normal skipme yes; r config set maxclients 1; r ping 2>&1
# Its file goes before its port is shut: it is the process that is waited for.
p="$(cat pid7001) $(cat pid7002)"; kill $p; for q in $p; do while kill -0 $q 2>/dev/null; do sleep 0.1; done; done; r ping 2>&1
