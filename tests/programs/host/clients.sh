#!/bin/sh
# curl, wget, git, nc, dig, ping and traceroute, from a machine to servers on the host.
# seconds: 120
. /host; until ip route | grep -q default; do sleep 0.1; done
h=http://10.0.2.2:$HTTP
curl -s $h/f | sha256sum; wget -q -O - $h/f | sha256sum; curl -s -o /dev/null -w '%{http_code}\n' $h/none; wget -q -O - $h/none; echo "status $?"
for n in 1 2 3 4; do curl -s $h/f | sha256sum & done | sort -u; wait
export HOME="$PWD"; git clone -q $h/r.git c && git -C c log --format=%s && git -C c fsck && cat c/n | md5sum
printf 'GET /small HTTP/1.0\r\n\r\n' | nc 10.0.2.2 $HTTP | tail -2; nc -z 10.0.2.2 1; echo "status $?"
dig +short +nocookie +timeout=60 -p $DNS @10.0.2.2 a.test A; dig +nocookie +timeout=60 -p $DNS @10.0.2.2 none.test A | grep -o 'status: [A-Z]*'
# One by one: after its first answer ping waits for another no longer than its interval.
for n in 1 2 3; do ping -n -c 1 -W 60 10.0.2.2 | grep -o '1 received, 0% packet loss'; done; ping -n -c 1 -W 60 -s 1400 10.0.2.2 | grep -o '1408 bytes from 10.0.2.2: icmp_seq=1 ttl=[0-9]*'
traceroute.db -n -q 1 -w 60 -m 2 10.0.2.2 | sed 's/ [0-9.]* ms//'; traceroute.db -n -I -q 1 -w 60 -m 2 10.0.2.2 | sed 's/ [0-9.]* ms//'
ip neigh show 10.0.2.2 | cut -d' ' -f1-5; ip route get 10.0.2.2 | head -1 | cut -d' ' -f1-5
