#!/bin/sh
# MariaDB 10.11: InnoDB and Aria, transactions, four clients at once, a dump, the server killed and what it had back again.
# seconds: 400
mkdir tmp; export TMPDIR="$PWD/tmp"
mariadb-install-db --no-defaults --user=root --datadir="$PWD/db" --skip-test-db --auth-root-authentication-method=normal >log 2>&1 || { tail -20 log; ls -la; exit 1; }
mariadbd --no-defaults --user=root --datadir="$PWD/db" --socket="$PWD/s" --skip-networking --pid-file="$PWD/pid" --innodb-buffer-pool-size=32M >server.log 2>&1 & 
m() { mariadb --no-defaults -S "$PWD/s" -N "$@"; }
i=0; until m -e 'select 1' >/dev/null 2>&1; do sleep 0.3; i=$((i+1)); [ $i -gt 600 ] && { tail -30 server.log; exit 1; }; done
m <<'Q'
create database d; use d; create table t(id int auto_increment primary key, w varchar(20), n int, key(w)) engine=innodb;
insert into t(w, n) select concat('w', seq % 97), seq from seq_1_to_5000;
select count(*), sum(n) from t where w = 'w5';
begin; delete from t; rollback; select count(*) from t;
create table a(x int) engine=aria; insert into a values (1),(2); select sum(x) from a; check table t, a;
select @@have_symlink, @@socket like '%/s';
Q
for i in 1 2 3 4; do m d -e "insert into t(w) values ('p$i'); update t set n = n + 1 where id = 1" & p="$p $!"; done; wait $p; m d -e "select n from t where id = 1; select count(*) from t where w like 'p_'"; mariadb-dump --no-defaults -S "$PWD/s" d | grep -c INSERT
kill -KILL $(cat pid); wait $! 2>/dev/null; mariadbd --no-defaults --user=root --datadir="$PWD/db" --socket="$PWD/s" --skip-networking --pid-file="$PWD/pid" --innodb-buffer-pool-size=32M >server2.log 2>&1 & i=0; until m -e 'select 1' >/dev/null 2>&1; do sleep 0.3; i=$((i+1)); [ $i -gt 600 ] && { tail -30 server2.log; exit 1; }; done; m d -e 'select count(*) from t'; mariadb-admin --no-defaults -S "$PWD/s" shutdown; wait; cat server.log server2.log | grep -E 'ERROR|Warning' | sed 's/^[^[]*//; s/[0-9][0-9]*/N/g' | sort | uniq -c
