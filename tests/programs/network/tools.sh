#!/bin/sh
# dig against dnsmasq over UDP and TCP; socat and nc with streams and datagrams, IPv4 and IPv6.
# seconds: 60
ip link set lo up 2>/dev/null; ready() { until nc -z 127.0.0.1 "$1" 2>/dev/null; do sleep 0.1; done; }
cat >dns.conf <<C
no-resolv
no-hosts
port=5300
listen-address=127.0.0.1
bind-interfaces
address=/a.test/10.1.2.3
address=/a.test/fd00::3
txt-record=t.test,"words"
mx-host=test,mail.test,10
C
dnsmasq -C dns.conf -u root -x "$PWD/dns.pid" 2>&1; d() { dig +noall +answer +nocookie -p 5300 @127.0.0.1 "$@" | tr -s '\t ' ' '; }
ready 5300; d a.test A; d a.test AAAA; d +tcp a.test A; d t.test TXT; d +tcp test MX; dig -p 5300 @127.0.0.1 none.test | grep -o 'status: [A-Z]*'; for n in 1 2 3 4 5 6 7 8; do d a.test A & done | sort -u; kill "$(cat dns.pid)"; until dig +time=1 +tries=1 -p 5300 @127.0.0.1 a.test 2>&1 | grep -q 'connection refused'; do sleep 0.1; done
socat -t 60 TCP-LISTEN:7100,bind=127.0.0.1,reuseaddr,fork EXEC:cat & s=$!; ready 7100; seq 50000 | nc -N 127.0.0.1 7100 | md5sum; seq 50000 | socat -t 60 - TCP:127.0.0.1:7100 | md5sum; for n in 1 2 3 4 5 6 7 8; do seq $n | nc -N 127.0.0.1 7100 | cksum & done | sort; kill $s; wait $s 2>/dev/null
socat -t 60 TCP6-LISTEN:7101,bind=[::1],reuseaddr,fork SYSTEM:'tr a-z A-Z' & s=$!; until nc -z ::1 7101; do sleep 0.1; done; echo shout | socat -t 60 - 'TCP6:[::1]:7101'; kill $s; wait $s 2>/dev/null
socat -u UDP4-RECVFROM:7102,bind=127.0.0.1 OPEN:udp,creat & s=$!; while kill -0 $s 2>/dev/null; do echo datagram | nc -u -w 1 127.0.0.1 7102; done; wait $s; cat udp
nc -l 127.0.0.1 7103 >got & s=$!; until echo listened | nc -N 127.0.0.1 7103; do sleep 0.1; done; wait $s; cat got; nc -z 127.0.0.1 1; echo "status $?"
