#!/bin/sh
# Redis 7: a server on a unix socket, transactions, scripts, a subscriber, snapshots by fork, the append-only file and its rewriting, restart; redis-benchmark.
# seconds: 120
r() { redis-cli -s "$PWD/s" "$@"; }
start()
{
	redis-server --port 0 --unixsocket "$PWD/s" --daemonize yes --logfile "$PWD/log" --pidfile "$PWD/pid" --dir "$PWD" \
		--appendonly yes --save 3600 1 --enable-debug-command local >/dev/null 2>&1
	until [ "$(r ping 2>/dev/null)" = PONG ]; do sleep 0.1; done
}
finished() { while r info persistence | grep -qE '(rdb_bgsave|aof_rewrite)_in_progress:1|aof_rewrite_scheduled:1'; do sleep 0.1; done; }
start
r set a 1; r incrby a 41; r lpush l 1 2 3; r lrange l 0 -1; r hset h k v k2 v2; r hgetall h; r zadd z 2 two 1 one; r zrange z 0 -1
printf 'multi\nset x 1\nincr x\nexec\n' | r; r eval 'local s = 0 for i = 1, 1000 do s = s + i end return s' 0; r set e 1 px 50 >/dev/null; until [ "$(r exists e)" = 0 ]; do sleep 0.1; done; r exists e
# The client itself, which kill ends, not a shell that waits for it: it would tell of the server's end at any time.
redis-cli -s "$PWD/s" --csv subscribe ch >heard & until [ "$(r publish ch hello)" = 1 ]; do sleep 0.1; done; until grep -q hello heard; do sleep 0.1; done; kill $!; wait $! 2>/dev/null; cat heard
r blpop q 0 >popped & until r info clients | grep -q blocked_clients:1; do sleep 0.1; done; r rpush q item >/dev/null; wait $!; cat popped
redis-benchmark -s "$PWD/s" -q -n 2000 -c 20 -t set,get,incr,lpush,mset 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -s "$PWD/s" -q -n 20000 -c 10 -P 16 -r 10000 -t set 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
r bgsave | cut -c1-17; finished; r info persistence | grep -E 'rdb_last_bgsave_status|aof_last_bgrewrite_status|aof_last_write_status'
r bgrewriteaof | cut -c1-22; finished; r info persistence | grep aof_last_bgrewrite; r debug reload; r dbsize >before
kill -KILL "$(cat pid)"; while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.1; done
start; r dbsize | cmp - before && echo "all is back"; r get a; r shutdown >/dev/null 2>&1; while [ -S s ]; do sleep 0.1; done
redis-check-rdb dump.rdb | tail -1 | cut -c1-12; redis-check-aof appendonlydir/*.manifest | tail -1; grep -ciE 'error|fail' log
