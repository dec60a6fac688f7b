#!/bin/sh
# tcpdump by a ring that it shares with the kernel: frames of loopback, with filters, to a file and back.
# seconds: 40
ip link set lo up 2>/dev/null
tcpdump -D 2>/dev/null | sed -n 's/^[0-9]*\.//; /^lo/p; /^any/p'
# Of loopback tcpdump shows what comes in only.
catch() { : >err; tcpdump -Z root -nn -U "$@" 2>err & t=$!; until grep -q listening err; do sleep 0.1; done; }
caught() { wait $t; echo "status $?"; grep -v listening err | grep -v 'received by filter'; }
catch -i lo -c 2 -w lo.pcap udp port 9000
for w in one three; do echo $w | socat -u - UDP:127.0.0.1:9000,sourceport=9001; done
caught
tcpdump -Z root -nn -t -X -r lo.pcap 2>/dev/null | grep -v '0x00[01]0' # checksums may be the card's
catch -i lo -c 2 -w in.pcap 'udp and dst port 9002 and ip6'
echo four | socat -u - 'UDP4:127.0.0.1:9002'; for w in six seven; do echo $w | socat -u - 'UDP6:[::1]:9002,sourceport=9003'; done
caught
tcpdump -Z root -nn -t -r in.pcap 2>/dev/null
# The pseudo-device of all interfaces, without link headers.
catch -i any -c 1 -s 60 -w any.pcap icmp
ping -c 1 -p 77 127.0.0.1 >/dev/null; caught
tcpdump -Z root -nn -t -r any.pcap 2>/dev/null | sed 's/id [0-9]*/id -/'
catch -i lo -c 1 udp port 9004 >text
# From a file, which is read at once, as a pipe need not be.
head -c 60000 /dev/zero >big; socat -u -b 60000 OPEN:big UDP:127.0.0.1:9004,sourceport=9005
caught; sed 's/^[0-9:.]* //' text
tcpdump -d -i lo 'tcp port 80' 2>/dev/null | head -3
tcpdump -Z root -i nobody 2>&1 | tail -1
