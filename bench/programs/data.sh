# SPDX-License-Identifier: MIT
# Data bases, servers, messages, and programs that mostly compute.
# packages: sqlite3 python3 redis-server redis-tools rt-tests openssl coreutils
set -e
seq 1 10000 | sed 's/.*/insert into t values (&, "text of &");/; 1i create table t (a integer primary key, b text); begin;
	$a commit;' >rows.sql
seq 1 500 | sed 's/.*/insert into t values (&, "text of &");/; 1i create table t (a integer primary key, b text);' >commits.sql
stopwatch -b 'rm -f db' sqlite_rows_10000 sqlite3 db '.read rows.sql'
stopwatch -b 'rm -f db' sqlite_commits_500 sqlite3 db '.read commits.sql'

cat >work.py <<'END'
import json
data = [{"id": i, "name": "n%d" % i, "tags": ["a", "b", str(i)], "v": i / 7} for i in range(5000)]
for _ in range(3):
    data = json.loads(json.dumps(data))
END
stopwatch python_json python3 work.py

redis-server --port 0 --unixsocket "$PWD/s" --daemonize yes --save '' --pidfile "$PWD/pid" --logfile "$PWD/log" >/dev/null
until [ "$(redis-cli -s s ping 2>/dev/null)" = PONG ]; do sleep 0.01; done
stopwatch redis_set_1 redis-benchmark -s s -q -n 5000 -c 1 -t set
stopwatch redis_get_1 redis-benchmark -s s -q -n 5000 -c 1 -t get
stopwatch redis_set_50 redis-benchmark -s s -q -n 5000 -c 50 -t set
stopwatch redis_get_50 redis-benchmark -s s -q -n 5000 -c 50 -t get
redis-cli -s s shutdown nosave >/dev/null 2>&1 || :

stopwatch hackbench_processes hackbench -P -g 1 -f 5 -l 200
stopwatch hackbench_threads hackbench -T -g 1 -f 5 -l 200
stopwatch hackbench_pipes hackbench -P -p -g 1 -f 5 -l 200

# For fairness: here the kernel has little to do.
seq 1 60000 | sed 's/\(.*\)\(.\)/\2\1/' >lines
stopwatch sort_60000 sort lines
stopwatch openssl_sha256 openssl dgst -sha256 lines lines lines lines
