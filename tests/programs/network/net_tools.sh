#!/bin/sh
# net-tools: ifconfig and route show and set, netstat lists sockets, routes and interfaces.
# seconds: 20
# differs: counts of packets: TCP on the loopback interface sends none
ip link set lo up
ifconfig lo | grep -v packets
ifconfig lo:1 10.1.0.1 netmask 255.255.0.0
ifconfig lo:1
route add -net 10.9.0.0/16 dev lo
route add -net 10.9.0.0/16 dev lo
route add -host 10.10.0.1 dev lo
route add default gw 10.1.2.3
route add -net 10.11.0.0/16 reject
route -n
netstat -rn
route del default
route del -net 10.9.0.0/16
route del -net 10.9.0.0/16
route del -net 10.11.0.0/16 reject
route del -host 10.10.0.1
route -n
ifconfig lo:1 down
ifconfig nobody
arp -n
python3 - <<'END'
import re, socket, subprocess
def run(*command):
    print("+", *command, flush=True)
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    lines = out.splitlines()
    print(*lines[:2], *sorted(line for line in lines[2:] if re.search(r":451\d\b", line)), sep="\n", flush=True)
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", 4510))
l.listen(7)
c = socket.socket()
c.bind(("127.0.0.1", 4511))
c.connect(("127.0.0.1", 4510))
a, _ = l.accept()
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(("::1", 4512))
run("netstat", "-tan")
run("netstat", "-uan")
run("netstat", "-ltn")
END
