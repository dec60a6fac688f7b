#!/bin/sh
# nginx with two workers and a thread pool on a Unix socket, asked by curl: ranges, compression, proxying to itself, a reload, an orderly end.
# seconds: 90
mkdir -p logs www body; seq 100000 > www/n; echo hello > www/index.html
cat > conf <<C
worker_processes 2; error_log $PWD/err; pid $PWD/pid; user root;
events { worker_connections 64; }
http { access_log off; sendfile on; aio threads; client_body_temp_path $PWD/body; gzip on; gzip_min_length 1; gzip_types *;
server { listen unix:$PWD/s; root $PWD/www; location /old { return 301 /; } location /p { proxy_pass http://unix:$PWD/s:/; } } }
C
nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/err" 2>&1; c() { curl -s --unix-socket s "$@"; }
c http://h/; c http://h/n | md5sum; c --compressed http://h/n | md5sum; c -r 5-9 http://h/n; echo; c -o /dev/null -w '%{http_code}\n' http://h/no http://h/old; c http://h/p/; for i in 1 2 3 4 5 6 7 8; do c http://h/n | cksum & done | sort -u; wait
c -w '%{num_connects}\n' -o /dev/null -o /dev/null http://h/ http://h/n; kill -HUP $(cat pid); c http://h/; ps -C nginx -o args= | grep -v 'shutting down' | sort -u | cut -c1-40 | sed "s#$PWD.*##"; nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/err" -s quit; until [ ! -e pid ]; do :; done; sed 's/.*\] [0-9#]*: //; s/[0-9][0-9]*/N/g' err | sort | uniq -c
