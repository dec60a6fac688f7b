#!/bin/sh
# iproute2: ip shows and sets links, addresses, routes, neighbours and rules, also as JSON, and in networks of its own; ss shows sockets.
# seconds: 30
# differs: kinds of links that can be made, and rules that are added: there are none
ip netns add one
in="ip netns exec one"
$in ip link show lo
$in ip link set lo up
$in ip -br link
$in ip -4 -br addr
$in ip addr add 10.1.0.1/16 dev lo
$in ip addr add 10.1.0.2/16 dev lo
$in ip addr add 10.1.0.1/16 dev lo
$in ip addr add 10.3.3.3/32 dev lo label lo:three
$in ip -6 addr add fd00::1/64 dev lo
$in ip addr show dev lo
$in ip -j addr show dev lo
$in ip -o -4 addr
$in ip route add 10.9.0.0/16 dev lo
$in ip route add 10.9.0.0/16 dev lo
$in ip route add 10.9.0.0/16 dev lo metric 7
$in ip route replace 10.9.0.0/16 dev lo src 10.1.0.1
$in ip route add default via 10.1.2.3 dev lo
$in ip route add 10.10.0.0/16 via 172.16.0.1
$in ip route add blackhole 10.8.0.0/16
$in ip route add unreachable 10.88.0.0/16
$in ip route add prohibit 10.89.0.0/16
$in ip route
$in ip -j route
$in ip route show table local
$in ip -6 route
$in ip route get 10.1.0.1
$in ip route get 10.88.0.1
$in ip route get 10.89.0.1
$in ip -6 route get fd00::1
$in ip route del 10.8.0.0/16
$in ip route del 10.8.0.0/16
$in ip route show 10.9.0.0/16
$in ip addr del 10.1.0.1/16 dev lo
$in ip addr del 10.1.0.1/16 dev lo
$in ip -4 -o addr
$in ip route
$in ip rule
$in ip -6 rule
$in ip link set lo mtu 1400
$in ip link set lo txqueuelen 50
$in ip link set lo down
$in ip link set lo name first
$in ip link show
$in ip -6 -o addr
$in ip link show dev nobody
$in ip addr add 1.2.3.4/33 dev first
ip netns list
ip netns del one
ip netns list
$in ip link

python3 - <<'END'
import re, socket, subprocess
def run(*command):
    print("+", *command, flush=True)
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    lines = [" ".join(line.split()) for line in out.splitlines()]
    # How many may wait at a listener is known by NETLINK_SOCK_DIAG only, a module of Linux.
    lines = [re.sub(r"(LISTEN \d+) \d+", r"\1 -", line) for line in lines]
    print(*lines[:1], *sorted(line for line in lines[1:] if re.search(r":450\d\b", line)), sep="\n", flush=True)
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", 4500))
l.listen(7)
c = socket.socket()
c.bind(("127.0.0.1", 4501))
c.connect(("127.0.0.1", 4500))
a, _ = l.accept()
c.send(b"hello")
six = socket.socket(socket.AF_INET6)
six.bind(("::", 4502))
six.listen(3)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 4503))
while not len(a.recv(5, socket.MSG_PEEK)) == 5:
    pass
run("ss", "-tan")
run("ss", "-ltn")
run("ss", "-uan")
run("ss", "-tn", "state", "established")
run("ss", "-tan", "sport = :4500")
run("ss", "-tan", "dport = :4500 or sport = :4502")
run("ss", "-tan", "dst 127.0.0.0/8")
run("ss", "-tan", "not ( sport ge :4501 )")
END
