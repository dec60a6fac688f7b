# SPDX-License-Identifier: MIT
# Servers and their clients over TCP on the loopback interface.
# packages: redis-server redis-tools nginx-light apache2-utils curl
set -e
busybox ip link set lo up
redis-server --port 7001 --bind 127.0.0.1 --daemonize yes --save '' --logfile "$PWD/log" >/dev/null
until [ "$(redis-cli -p 7001 ping 2>/dev/null)" = PONG ]; do sleep 0.01; done
stopwatch tcp_redis_set_1 redis-benchmark -p 7001 -q -n 5000 -c 1 -t set
stopwatch tcp_redis_get_1 redis-benchmark -p 7001 -q -n 5000 -c 1 -t get
stopwatch tcp_redis_set_50 redis-benchmark -p 7001 -q -n 5000 -c 50 -t set
stopwatch tcp_redis_get_50 redis-benchmark -p 7001 -q -n 5000 -c 50 -t get
redis-cli -p 7001 shutdown nosave >/dev/null 2>&1 || :

mkdir www; seq 1000 >www/small; head -c 4000000 /dev/zero >www/large
cat >conf <<C
worker_processes 1; error_log $PWD/err; pid $PWD/pid; user root;
events { worker_connections 512; }
http { access_log off; sendfile on; keepalive_requests 1000000; server { listen 8080; root $PWD/www; } }
C
nginx -c "$PWD/conf" -e "$PWD/err"
stopwatch nginx_kept_1 ab -q -k -n 1000 -c 1 http://127.0.0.1:8080/small
stopwatch nginx_kept_100 ab -q -k -n 1000 -c 100 http://127.0.0.1:8080/small
stopwatch nginx_connect_100 ab -q -n 500 -c 100 http://127.0.0.1:8080/small
stopwatch nginx_large curl -s -o large http://127.0.0.1:8080/large
nginx -c "$PWD/conf" -e "$PWD/err" -s stop
