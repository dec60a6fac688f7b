# SPDX-License-Identifier: MIT
"""Machines on a network: with the host behind QEMU's user network, and with each other on one wire.

Each part runs on Debian's Linux, which shows that the test is right, and on ours. What the wire loses, doubles, delays and
reorders it chooses by a seed; what passed is recorded, and judged by tools/vm/capture.py. Who serves the host: test_served.py.
"""
import hashlib
import http.server
import random
import socket
import struct
import sys
import threading

import pytest
from conftest import TOP, run_vm
from networks import BY_PYTHON, KERNELS, PATIENCE, TOGETHER, run_together, when_asked, wire

sys.path.insert(0, str(TOP / "tools/vm"))

from capture import Capture, checksum  # noqa: E402

both_kernels = pytest.mark.parametrize("kernel", KERNELS)


# --- the wire and who judges what went over it, without machines -------------------------------------------------


class Plug:
    """One end of a wire, as QEMU is one."""

    def __init__(self, path, number):
        self.address = bytes([2, 0, 0, 0, 0, number])
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def send(self, to, text):
        frame = to + self.address + b"\x88\xb5" + text
        self.socket.sendall(struct.pack(">I", len(frame)) + frame)

    def receive(self):
        (length,) = struct.unpack(">I", self.file.read(4))
        return self.file.read(length)[14:]


def test_the_wire_carries_to_whom_it_is_for(tmp_path):
    with wire(tmp_path / "w"):
        a, b, c = (Plug(tmp_path / "w", n) for n in (1, 2, 3))
        for plug in (b, c, a):
            plug.send(b"\xff" * 6, b"here is %d" % plug.address[5])
        assert sorted([a.receive(), a.receive()]) == [b"here is 2", b"here is 3"]
        a.send(b.address, b"for b")
        a.send(c.address, b"for c")
        assert [b.receive() for _ in range(3)][-1] == b"for b"
        assert [c.receive() for _ in range(3)][-1] == b"for c"


def carried(path, count, *options):
    """What comes of numbered frames. Behind them go so many of an end that one gets through."""
    with wire(path, *options):
        a, b = Plug(path, 1), Plug(path, 2)
        for n in [*range(count), *[-1] * 50]:
            a.send(b.address, b"%d" % n)
        got = []
        while not got or got[-1] != -1:
            got.append(int(b.receive()))
        return got[:-1]


def test_the_wire_loses_and_doubles_by_its_seed(tmp_path):
    first = carried(tmp_path / "w", 1000, "--loss", "0.1", "--duplicate", "0.1", "--seed", "7")
    assert 850 < len(set(first)) < 950 and len(first) > len(set(first)) + 50 and first == sorted(first)
    again = carried(tmp_path / "w", 1000, "--loss", "0.1", "--duplicate", "0.1", "--seed", "7")
    other = carried(tmp_path / "w", 1000, "--loss", "0.1", "--duplicate", "0.1", "--seed", "8")
    assert (first == again, first == other) == (True, False)


def ipv4(protocol, body):
    def packet(first, second):
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, first) + bytes([10, 0, 0, 1, 10, 0, 0, 2])
        return header + body[:16] + struct.pack(">H", second) + body[18:]

    pseudo = bytes([10, 0, 0, 1, 10, 0, 0, 2]) + struct.pack(">II", len(body), protocol)
    right = packet(0, 0)
    return b"\2" * 12 + b"\x08\x00" + packet(checksum(right[:20]), checksum(pseudo + right[20:]))


def test_a_capture_is_judged(tmp_path):
    def tcp(flags, data=b"", sequence=1):
        return ipv4(6, struct.pack(">HHIIBBHHH", 80, 90, sequence, 1, 0x50, flags, 1000, 0, 0) + data)

    def answer(flags):
        f = tcp(flags)
        return f[:26] + f[30:34] + f[26:30] + f[36:38] + f[34:36] + f[38:]

    sent = [tcp(2), tcp(16, b"data", 2), tcp(16, b"data", 2), tcp(4), tcp(20, b"", 0)]
    sent += [tcp(17), answer(17), tcp(4), tcp(17), tcp(4), tcp(2), tcp(4)]
    spoilt = bytearray(tcp(16, b"data", 6))
    spoilt[-1] ^= 1
    records = b"".join(struct.pack("<IIII", 0, 0, len(f), len(f)) + f for f in [*sent, bytes(spoilt)])
    file = tmp_path / "c.pcap"
    file.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + records)
    judged = Capture(file)
    assert judged.counts["resets"] == 3
    assert judged.counts["refused"] == judged.counts["late"] == judged.counts["retransmitted"] == 1
    assert judged.counts["tcp"] == 13 and judged.wrong == ["frame 13: TCP: checksum"]
    assert judged.late_from == {bytes([10, 0, 0, 1])}


# --- a machine and the host --------------------------------------------------------------------------------------


class Files(http.server.BaseHTTPRequestHandler):
    """Any path is the same so many bytes; what is put is answered by its digest."""

    content = random.Random(1).randbytes(20_000_000)

    def log_message(self, *_):
        pass

    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.answer(self.content)

    def do_PUT(self):
        self.answer(hashlib.sha256(self.rfile.read(int(self.headers["Content-Length"]))).hexdigest().encode())


# Boot waits for the address, but not for ever.
HAS_ADDRESS = "until busybox ip route | grep -q default; do sleep 0.1; done\n"


@pytest.mark.parametrize("nic", ["virtio-net", "e1000"])
@both_kernels
def test_a_machine_asks_the_host(kernel, nic):
    """By QEMU's user network, without a word of configuration: 20 MB down and up, many at once, a port that is shut."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://10.0.2.2:{server.server_port}"
        ended = run_vm(
            f"{HAS_ADDRESS}curl -s {host}/f >f; sha256sum <f; curl -s -T f {host}/g; echo\n"
            f"for n in 1 2 3 4; do curl -s {host}/f | sha256sum & done | uniq; wait\n"
            "curl -s http://10.0.2.2:1/; echo $?; busybox ip route | grep default | cut -d' ' -f1-3; cat /etc/resolv.conf",
            "--kernel", kernel, "--net", f"user,nic={nic}", "--with", "curl", "--mem", "768", timeout=PATIENCE,
        )
        server.shutdown()
    digest = hashlib.sha256(Files.content).hexdigest()
    wanted = f"{digest}  -\n{digest}\n{digest}  -\n7\ndefault via 10.0.2.2\n"
    assert ended.status == 0 and ended.out.startswith(wanted) and "nameserver 10.0.2.3" in ended.out, ended


# QEMU's user network knows no SACK: what it sent to a stack that was killed is asked for segment by segment.
KILLED = """
status() { sed -n "s/^network netd .*$1 \\([0-9]*\\) .*/\\1/p" /run/devices/status; }
while sleep 1; do kill -9 $(status pid); done & killer=$!
ask() { { curl -s $host/f >f && sha256sum <f && curl -s -T f $host/g && echo; } || echo failed; }
until ask; [ $(status starts) -gt 4 ]; do :; done | sort -u
kill $killer
"""


def test_a_stack_is_killed_while_the_host_is_asked(tmp_path):
    """Each second, 20 MB down and up, until it was killed four times: all the same, and no reset in what was recorded."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = run_vm(
            f"host=http://10.0.2.2:{server.server_port}\n{HAS_ADDRESS}{KILLED}", "--net", "user", "--with", "curl", "--mem", "768",
            "--qemu", f"-object filter-dump,id=dump,netdev=net0,file={tmp_path}/pcap", timeout=PATIENCE,
        )
        server.shutdown()
    digest = hashlib.sha256(Files.content).hexdigest()
    capture = Capture(tmp_path / "pcap")
    assert ended.status == 0 and ended.out == f"{digest}\n{digest}  -\n", ended
    assert not capture.wrong and not capture.counts["resets"], (capture.counts, capture.wrong)


# Connections to a neighbour who does not answer, until there is no memory for another one; then one to the host.
FULL = """
import errno, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40000, 40000))
held, error = [], errno.EINPROGRESS
while error == errno.EINPROGRESS:
    s = socket.socket()
    s.setblocking(False)
    error = s.connect_ex(("10.0.2.77", 9))
    held.append(s)
print(errno.errorcode[error], len(held) > 500)
for s in held:
    s.close()
with socket.create_connection(("10.0.2.2", int(sys.argv[1]))) as s:
    s.sendall(b"GET /f HTTP/1.0\\r\\n\\r\\n")
    print(len(s.makefile("rb").read()) > 20_000_000)
"""


def test_a_machine_that_is_full_of_connections_says_so(tmp_path):
    """ENOBUFS and a line in the log; all goes on when there is room again."""
    (tmp_path / "full.py").write_text(FULL)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = run_vm(
            f"{HAS_ADDRESS}ip neigh add 10.0.2.77 lladdr 02:00:00:00:00:77 dev eth0\n"
            f"python3 /full.py {server.server_port}; dmesg | grep -c 'left for another connection'",
            "--net", "user", "--with", "python3,iproute2", "--mem", "512", "--add", f"{tmp_path}/full.py:/full.py",
            timeout=PATIENCE,
        )
        server.shutdown()
    assert ended.status == 0 and ended.out == "ENOBUFS True\nTrue\n1\n", ended


# --- machines on one wire ----------------------------------------------------------------------------------------

ALL_DO = TOGETHER + BY_PYTHON + """
mkdir -p .ssh /run/sshd; chmod 700 /root .ssh; chmod 755 / /run/sshd; cp /t/key.pub .ssh/authorized_keys; cp /t/key k; chmod 600 k .ssh/*
grep -q sshd: /etc/passwd || echo 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
ssh-keygen -q -t ed25519 -N '' -f hk; printf 'HostKey /root/hk\\nUsePAM no\\nStrictModes no\\nPort 22\\n' >conf; /usr/sbin/sshd -f /root/conf
dropbearkey -t ed25519 -f dk >/dev/null 2>&1; dropbear -p 2201 -r /root/dk
iperf3 -s >/dev/null 2>&1 &
mark ready
for o in $others; do
	# One by one: after its first answer ping waits for another no longer than its interval.
	for n in 1 2 3; do ping -c 1 -W 30 10.9.0.$o; done | grep -c ' 0% packet loss'
	for port in 22 2201; do
		ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i k -p $port root@10.9.0.$o 'echo by ssh'
	done
	# A server of iperf3 has one client at a time.
	until iperf3 -c 10.9.0.$o -n 5M >iperf 2>&1; do grep -q busy iperf || { cat iperf; break; }; sleep 0.5; done; grep -o receiver iperf
	curl -s http://10.9.0.$o/big | cmp - /t/big && echo same
done
leave
"""


@when_asked
@pytest.mark.parametrize("kernels", [["linux", "linux"], ["tessera", "tessera", "linux"]], ids="-".join)
def test_machines_on_one_wire(tmp_path, kernels):
    """ping, ssh to OpenSSH and to dropbear, iperf3 and http between all."""
    packages = "python3,curl,openssh-server,openssh-client,dropbear-bin,iperf3,iputils-ping"
    ended, capture = run_together(tmp_path, kernels, ALL_DO, packages)
    for machine in ended:
        assert machine.status == 0 and machine.out == "3\nby ssh\nby ssh\nreceiver\nsame\n" * (len(kernels) - 1), machine
    assert not capture.wrong and capture.counts["tcp"] > 1000, capture.wrong


FETCH = TOGETHER + BY_PYTHON + """
mark ready
for o in $others; do for n in 1 2 3; do curl -s http://10.9.0.$o/big | cmp - /t/big && echo same; done; done
leave
"""


@when_asked
@pytest.mark.parametrize("kernels", [["linux", "linux"], ["tessera", "linux"], ["tessera", "tessera"]], ids="-".join)
def test_transfers_over_a_bad_wire(tmp_path, kernels):
    """One frame in a hundred lost, one doubled, two late: all that is fetched is what was there."""
    ended, capture = run_together(
        tmp_path, kernels, FETCH, "python3,curl", "--loss", "0.01", "--duplicate", "0.01", "--reorder", "0.02"
    )
    for machine in ended:
        assert machine.status == 0 and machine.out == "same\n" * 3, machine
    assert not capture.wrong and capture.counts["retransmitted"] > 0, capture.wrong
