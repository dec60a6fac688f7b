#!/bin/sh
# nginx with two workers asked by curl, ab and wrk: files, ranges, one connection for many requests, a hundred at once, TLS, IPv6, a proxy to itself, an upload, a reload.
# seconds: 120
ip link set lo up 2>/dev/null
mkdir -p www body; seq 200000 >www/n; seq 2000 >www/small; echo hello >www/index.html; head -c 20000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >www/big
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
cat >conf <<C
worker_processes 2; error_log $PWD/err; pid $PWD/pid; user root;
events { worker_connections 512; }
http { access_log off; sendfile on; tcp_nopush on; client_body_temp_path $PWD/body; proxy_temp_path $PWD/body; client_max_body_size 100m; keepalive_requests 100000;
server { listen 8080 backlog=511; listen [::1]:8080; listen 8443 ssl; ssl_certificate $PWD/cert; ssl_certificate_key $PWD/key; root $PWD/www;
location /p/ { proxy_pass http://127.0.0.1:8080/; } location /up { proxy_pass http://127.0.0.1:8081/; } location /dead { proxy_pass http://127.0.0.1:9/; } }
server { listen 8081; location / { client_body_in_file_only clean; return 200 "\$content_length\n"; } } }
C
nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/err" 2>&1; h=http://127.0.0.1:8080; c() { curl -s "$@"; }
c $h/; c $h/n | md5sum; c -g "http://[::1]:8080/n" | md5sum; c -r 5-9 $h/n; echo; c -w '%{http_code} %{num_connects} %{local_ip} %{remote_port}\n' -o /dev/null $h/no -o /dev/null $h/ -o /dev/null $h/n; c $h/p/n | md5sum
md5sum <www/big | cut -c1-32; c $h/big | md5sum; c $h/p/big | md5sum; c --limit-rate 20M $h/big | md5sum; c --cacert cert https://localhost:8443/big --resolve localhost:8443:127.0.0.1 | md5sum; c -T www/big $h/up; c -o /dev/null -w '%{http_code}\n' $h/dead
c https://127.0.0.1:8443/; echo "status $?"; c http://127.0.0.1:9/; echo "status $?"; c --cacert cert -w '%{ssl_verify_result} %{http_version}\n' https://127.0.0.1:8443/
for i in 1 2 3 4 5 6 7 8; do c $h/n | cksum & done | sort -u; wait
a() { ab -q "$@" 2>&1 | grep -E '^(Complete|Failed|Keep-Alive|Total of|Document Length)' | tr -s ' '; }
a -n 500 -c 1 $h/; a -k -n 2000 -c 1 $h/; a -k -n 200 -c 10 $h/n; a -k -n 4000 -c 100 $h/small; a -n 500 -c 50 $h/; a -k -n 500 -c 10 https://127.0.0.1:8443/
wrk -t 2 -c 100 -d 3 --timeout 20s $h/ >wrk; grep -c Requests/sec wrk; grep -E 'errors|Non-2xx' wrk; wrk -t 1 -c 1 -d 1 --timeout 20s $h/n >wrk; grep -c Requests/sec wrk; grep -E 'errors|Non-2xx' wrk
kill -HUP "$(cat pid)"; c $h/; nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/err" -s quit; until [ ! -e pid ]; do sleep 0.1; done; c $h/; echo "status $?"
sed 's/.*\] [0-9#]*: //; s/[*]*[0-9][0-9]*/N/g' err | sort | uniq -c
