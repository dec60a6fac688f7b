#!/bin/sh
# PostgreSQL 15: a cluster made, parallel queries, transactions, four clients of pgbench, a dump, the server killed and what it had back again.
# seconds: 400
export PATH=$PATH:/usr/lib/postgresql/15/bin TZ=UTC
id postgres >/dev/null 2>&1 || { echo 'postgres:x:110:110::/tmp:/bin/sh' >> /etc/passwd; echo 'postgres:x:110:' >> /etc/group; }
chown postgres:postgres . ; as() { setpriv --reuid 110 --regid 110 --clear-groups env HOME="$PWD" "$@"; }
as initdb -D db -E UTF8 --locale=C.UTF-8 -A trust >log 2>&1 || { cat log; exit 1; }; grep -E 'ok$|Success' log | grep -v 'selecting'
as pg_ctl -D db -w -t 200 -l server.log -o "-c listen_addresses= -k $PWD" start >log 2>&1 || { cat log server.log; exit 1; }
q() { as psql -h "$PWD" -X -qAt -v ON_ERROR_STOP=1 "$@"; }
q postgres <<'Q'
create table t(id serial primary key, w text, n numeric);
insert into t(w, n) select 'w' || i % 97, i from generate_series(1, 20000) i;
create index on t(w); analyze t;
select count(*), sum(n) from t where w = 'w5';
set max_parallel_workers_per_gather = 2; set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
select count(*), sum(n) from t;
begin; delete from t; rollback; select count(*) from t;
select pg_size_pretty(8192::bigint), extract(year from timestamp '2020-02-29');
do $$ begin for i in 1..1000 loop update t set n = n + 1 where id = i; end loop; end $$;
vacuum analyze t; checkpoint;
select length(pg_notify::text) from pg_notify($$ch$$, $$x$$);
select 1/0;
Q
echo "status $?"; as pgbench -h "$PWD" -i -q postgres >/dev/null 2>&1; as pgbench -h "$PWD" -c 4 -j 2 -t 50 postgres 2>/dev/null | grep -E 'number of (clients|trans.*processed|failed)'
q postgres -c 'select sum(tbalance) = (select sum(abalance) from pgbench_accounts) from pgbench_tellers'; as pg_dump -h "$PWD" postgres | grep -c '^COPY'; ps -C postgres -o args= | sed 's/.*postgres: //' | grep -c 'checkpointer\|walwriter\|background writer\|autovacuum'
as kill -KILL $(head -1 db/postmaster.pid); until as pg_ctl -D db -w -t 200 -l server.log -o "-c listen_addresses= -k $PWD" start >log 2>&1; do i=$((i+1)); [ $i -gt 20 ] && { cat log server.log; exit 1; }; sleep 0.3; done; q postgres -c 'select count(*) from t'; as pg_ctl -D db -m fast stop | tail -1; grep -E 'PANIC|could not|FATAL' server.log | grep -v 'starting up\|lock file\|pre-existing'
