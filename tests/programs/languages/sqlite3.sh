#!/bin/sh
# SQLite: transactions in rollback and write-ahead-log mode, two processes on one database, locks, integrity.
sqlite3 db <<'SQL'
create table t(id integer primary key, word text, n real);
with recursive c(i) as (select 1 union all select i + 1 from c where i < 20000) insert into t select i, 'w' || (i % 97), i * 0.5 from c;
create index by_word on t(word);
select count(*), sum(n), count(distinct word) from t;
begin; delete from t; rollback;
select count(*) from t where word = 'w5';
pragma integrity_check;
SQL
sqlite3 db 'pragma journal_mode=wal; update t set n = 0 where id <= 10; select sum(n) from t;'
ls db*
# The writer holds its transaction until it is told; the reader sees the state of before.
mkfifo go
sqlite3 db >writer <<'SQL' &
.timeout 60000
begin immediate;
insert into t values (100000, 'new', 1);
.shell read x < go
commit;
.shell echo committed
SQL
until sqlite3 db 'begin immediate; rollback' 2>&1 | grep -q locked; do :; done
sqlite3 db "select count(*) from t where id = 100000"
echo > go
wait
cat writer
sqlite3 db "select count(*) from t where id = 100000"
for i in 1 2 3 4; do sqlite3 -cmd '.timeout 60000' db "insert into t(word) values ('p$i'); update t set n = n + 1 where id = 1" & done; wait
sqlite3 db "select n from t where id = 1; select count(*) from t where word like 'p_'; pragma wal_checkpoint(truncate); pragma integrity_check;"
sqlite3 db .dump | sqlite3 copy && sqlite3 copy 'select count(*) from t' && sqlite3 db vacuum && echo vacuumed
