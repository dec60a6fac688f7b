# SPDX-License-Identifier: MIT
"""A machine of servers: redis, nginx, ssh, git, iperf3, DNS. Clients of the host reach it by forwarded ports; those of
another machine, who are many at once, by a wire.

Each part runs on Debian's Linux, which shows that the test is right, and on ours.

QEMU's user network takes one connection at a time in, and who is one too many may wait for ever, whatever kernel the
machine has: the host's clients come one after the other here.
"""
import hashlib
import random
import re
import shutil
import socket
import subprocess
import threading
import time

import pexpect
import pytest
from conftest import run_vm
from networks import KERNELS, PATIENCE, when_asked, wire

NUMBERS = "".join(f"{n}\n" for n in range(1, 300001))
NUMBERS_DIGEST = hashlib.sha256(NUMBERS.encode()).hexdigest()

SERVERS = """
set -e
cd /root; mkdir -p www git .ssh /run/sshd /var/lib/nginx; chmod 700 .ssh; chmod 755 / /root /run/sshd
busybox ip addr add 10.0.2.15/24 dev eth0; busybox ip addr add 10.9.0.1/24 dev eth1
busybox ip link set eth0 up; busybox ip link set eth1 up; busybox ip link set lo up
cp /t/key.pub .ssh/authorized_keys; chmod 600 .ssh/authorized_keys
grep -q sshd: /etc/passwd || echo 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
ssh-keygen -q -t ed25519 -N '' -f hk; dropbearkey -t ed25519 -f dk >/dev/null 2>&1
printf 'HostKey /root/hk\\nUsePAM no\\nStrictModes no\\nPort 2200\\nSubsystem sftp internal-sftp\\n' >sshd.conf
/usr/sbin/sshd -f /root/sshd.conf
dropbear -p 2201 -r /root/dk
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out www/cert -days 9 -subj /CN=localhost \\
	-addext subjectAltName=DNS:localhost,IP:10.9.0.1 2>/dev/null
cp www/cert cert; echo small >www/small; seq 300000 >www/big
git config --global user.name T; git config --global user.email t@example.org; git config --global safe.directory '*'
git init -q r; (cd r; for n in 1 2 3; do seq ${n}0000 >f$n; git add .; git commit -qm $n; done)
git clone -q --bare r www/r.git; git -C www/r.git update-server-info; git -C r rev-parse HEAD >www/head
fcgiwrap -s unix:/root/cgi &
cat >nginx.conf <<C
worker_processes 2; error_log /root/err; pid /root/nginx.pid; user root;
events { worker_connections 512; }
http { access_log off; sendfile on; keepalive_requests 1000000;
server { listen 8080; listen 8443 ssl http2; root /root/www; ssl_certificate /root/cert; ssl_certificate_key /root/key;
location ~ ^/git(/.*)$ { include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
fastcgi_param GIT_HTTP_EXPORT_ALL 1; fastcgi_param GIT_PROJECT_ROOT /root/www; fastcgi_param PATH_INFO \\$1; fastcgi_param HOME /root;
fastcgi_pass unix:/root/cgi; } } }
C
until [ -S cgi ]; do sleep 0.1; done
nginx -c /root/nginx.conf -e /root/err
python3 -m http.server -d /root/www 8000 >/dev/null 2>&1 &
iperf3 -s >/dev/null 2>&1 &
printf 'no-resolv\\nno-hosts\\nno-daemon\\nport=5300\\naddress=/a.test/10.1.2.3\\ntxt-record=t.test,"words"\\n' >dns.conf
dnsmasq -C dns.conf -u root -x /root/dns.pid >/dev/null 2>&1 &
until busybox netstat -ltn | grep -q ':8000 .*LISTEN' && busybox netstat -ltn | grep -q ':5300 .*LISTEN' &&
	busybox netstat -ltn | grep -q ':5201 .*LISTEN'; do sleep 0.1; done
redis-server --port 6379 --protected-mode no --save '' --daemonize yes >/dev/null
until redis-cli set ready 1 >/dev/null 2>&1; do sleep 0.1; done
until [ "$(redis-cli get stop)" = 1 ]; do sleep 0.2; done
"""
PORTS = {"redis": 6379, "ssh": 2200, "dropbear": 2201, "http": 8080, "https": 8443, "python": 8000, "iperf": 5201}
PACKAGES = (
    "redis-server,redis-tools,nginx-light,openssl,git,python3,dropbear-bin,openssh-server,openssh-client,openssh-sftp-server,"
    "fcgiwrap,iperf3,dnsmasq-base"
)


def free_port():
    """Of the host's, from below those that connections get by themselves."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port := random.randrange(12000, 32000)))
                return port
            except OSError:
                pass


class Server:
    """A machine whose servers the host reaches by `ports`, and who is on the wire as 10.9.0.1, until it is told to stop."""

    def __init__(self, kernel, folder, path):
        self.folder, self.wire, self.ended = folder, path, None
        self.key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        while not self.start(kernel):
            pass

    def start(self, kernel):
        """False: somebody else has taken a port meanwhile."""
        self.ports = {name: free_port() for name in PORTS}
        forwards = "".join(f",forward={self.ports[name]}:{inside}" for name, inside in PORTS.items())
        options = ["--kernel", kernel, "--net", f"user{forwards}", "--net", f"hub={self.wire}", "--append", "net=off"]
        options += ["--with", PACKAGES, "--mem", "1536", "--add", f"{self.key}.pub:/t/key.pub"]

        def run():
            self.ended = run_vm(SERVERS, *options, timeout=1500)

        self.thread = threading.Thread(target=run)
        self.thread.start()
        while self.ended is None and self.try_to("redis-cli", "-p", self.ports["redis"], "get", "ready").stdout != "1\n":
            time.sleep(0.5)
        if self.ended is not None and "host forwarding" in self.ended.err:
            return False
        assert self.ended is None, self.ended
        return True

    def stop(self):
        self.try_to("redis-cli", "-p", self.ports["redis"], "set", "stop", "1")
        self.thread.join()
        return self.ended

    def try_to(self, *command):
        """A client on the host."""
        command = [str(word) for word in command]
        return subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
        )

    def ask(self, *command, status=0):
        """What it prints, when all is well."""
        done = self.try_to(*command)
        assert done.returncode == status, f"{command}\n{done}\n{self.ended}"
        return done.stdout

    def ssh(self, name, program="ssh"):
        words = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        return [program, *words, "-i", self.key, "-p" if program == "ssh" else "-P", self.ports[name]]


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with wire(folder / "w"):
        s = Server(request.param, folder, folder / "w")
        yield s
        ended = s.stop()
    assert ended.status == 0, ended


pytestmark = pytest.mark.parametrize(
    "server", [pytest.param(k, marks=pytest.mark.xdist_group(f"served-{k}")) for k in KERNELS], indirect=True
)


# --- the host's clients ------------------------------------------------------------------------------------------


def test_redis(server):
    port = server.ports["redis"]
    assert server.ask("redis-cli", "-p", port, "set", "n", "1") == "OK\n"
    assert server.ask("redis-cli", "-p", port, "incrby", "n", "41") == "42\n"
    said = server.ask("redis-benchmark", "-p", port, "-q", "-n", "300", "-c", "1", "-t", "set,get")
    assert said.count("requests per second") == 2 and "rror" not in said, said


def test_nginx(server):
    here, secure = (f"{scheme}://localhost:{server.ports[scheme]}" for scheme in ("http", "https"))
    assert server.ask("curl", "-sS", f"{here}/big") == NUMBERS
    cert = server.folder / "cert"
    cert.write_text(server.ask("curl", "-sS", f"{here}/cert"))
    for version in "1.1", "2":
        words = ["-sS", "--cacert", cert, f"--http{version}"]
        assert server.ask("curl", *words, f"{secure}/big") == NUMBERS
        once = ["-o", "/dev/null", "-w", "%{http_code} %{http_version} %{num_connects}\n"]
        said = server.ask("curl", *words, *once, f"{secure}/small", *once[:2], f"{secure}/none")
        assert said == f"200 {version} 1\n404 {version} 0\n"
    for more in [], ["-H", "Connection: close"]:
        said = server.ask("wrk", "-t", 1, "-c", 1, "-d", 3, "--timeout", "20s", *more, f"{here}/small")
        assert int(re.search(r"(\d+) requests in", said)[1]) > 0 and "Non-2xx" not in said and "errors" not in said, said


SESSION = (
    "trap 'echo interrupted; exit 7' INT; trap 'echo now $(stty size)' WINCH; tty; stty size; while :; do sleep 0.1; done"
)


@pytest.mark.parametrize("which", ["ssh", "dropbear"])
def test_ssh(server, which):
    to = [*server.ssh(which), "root@127.0.0.1"]
    assert server.ask(*to, "echo $((6 * 7)); exit 3", status=3) == "42\n"
    words = [str(word) for word in [*to[1:-1], "-tt", to[-1], SESSION]]
    terminal = pexpect.spawn(to[0], words, dimensions=(30, 100), timeout=PATIENCE, encoding="utf-8")
    terminal.expect_exact("/dev/pts/")
    terminal.expect_exact("30 100")
    terminal.setwinsize(40, 120)
    terminal.expect_exact("now 40 120")
    terminal.sendintr()
    terminal.expect_exact("interrupted")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 7


@pytest.mark.parametrize("size", [2_000_000, pytest.param(100_000_000, marks=when_asked)])
@pytest.mark.parametrize(
    "which, protocol",
    [("ssh", "sftp"), ("dropbear", "scp"), *(pytest.param(*p, marks=when_asked) for p in (("ssh", "scp"), ("dropbear", "sftp")))],
)
def test_copies(server, which, protocol, size):
    """By scp(1), there and back, the same."""
    source, copy = server.folder / "source", server.folder / "copy"
    source.write_bytes(random.Random(size).randbytes(size))
    there = "root@127.0.0.1:/root/copy"
    scp = [*server.ssh(which, "scp"), "-q", *(["-O"] if protocol == "scp" else [])]
    server.ask(*scp, source, there)
    said = server.ask(*server.ssh(which), "root@127.0.0.1", "sha256sum /root/copy")
    assert said.split()[0] == hashlib.sha256(source.read_bytes()).hexdigest()
    server.ask(*scp, there, copy)
    same = copy.read_bytes() == source.read_bytes()
    copy.unlink()
    assert same


def test_git_and_python(server):
    """http.server's files; a clone of what it has, and one by git's own program behind nginx."""
    python, nginx = (f"http://127.0.0.1:{server.ports[name]}" for name in ("python", "http"))
    head = server.ask("curl", "-sS", f"{python}/head")
    assert server.ask("curl", "-sS", f"{python}/big") == NUMBERS
    for url in f"{python}/r.git", f"{nginx}/git/r.git":
        clone = server.folder / "clone"
        server.ask("git", "clone", "-q", url, clone)
        assert server.ask("git", "-C", clone, "rev-parse", "HEAD") == head
        shutil.rmtree(clone)


@when_asked
@pytest.mark.skipif(not shutil.which("iperf3"), reason="the host has no iperf3")
def test_iperf(server):
    for way in [], ["-R"]:
        said = server.ask("iperf3", "-c", "127.0.0.1", "-p", server.ports["iperf"], "-n", "50M", *way)
        assert "receiver" in said, said


@when_asked
def test_a_hundred_at_once(server):
    """From the host. They come in one by one, and some not before wrk has ended: its time is too short to call that late."""
    here = f"http://localhost:{server.ports['http']}"
    said = server.ask("wrk", "-t", 1, "-c", 100, "-d", 2, f"{here}/small")
    assert int(re.search(r"(\d+) requests in", said)[1]) > 0 and "Non-2xx" not in said, said


# --- another machine's, on the wire ------------------------------------------------------------------------------

MANY = """
cd /root; mkdir .ssh; chmod 700 .ssh; cp /t/key k; chmod 600 k
busybox ip addr add 10.9.0.2/24 dev eth0; busybox ip link set eth0 up; busybox ip link set lo up
s=10.9.0.1 h=http://10.9.0.1:8080
for c in 1 50; do redis-benchmark -h $s -q -n 1000 -c $c -t set,get 2>&1 | tr '\\r' '\\n' | grep -o 'requests per second'; done
curl -sS $h/cert >cert; for v in 1.1 2; do curl -sS --http$v --cacert cert https://$s:8443/big | sha256sum; done
a() { ab -q -s 300 "$@" $h/small 2>&1 | grep -E '^(Complete|Failed|Keep-Alive) ' | tr -s ' '; }
a -n 100 -c 1; a -n 400 -c 100; a -k -n 100 -c 1; a -k -n 1000 -c 100
for c in 1 100; do wrk -t 1 -c $c -d 1 --timeout 20s $h/small >wrk; grep -o 'Requests/sec' wrk; grep -E 'errors|Non-2xx' wrk; done
i() { until iperf3 -c $s "$@" >iperf 2>&1; do grep -q busy iperf || { cat iperf; break; }; sleep 0.5; done; grep -o receiver iperf; }
i -n 5M; i -n 5M -R; i -u -b 10M -n 500K; i -u -b 10M -n 500K -R
d() { dig +short +nocookie +timeout=60 -p 5300 @$s "$@"; }
d a.test A; d +tcp t.test TXT
export HOME=/root; curl -sS $h/head >head
for r in http://$s:8000/r.git $h/git/r.git; do git clone -q $r c; git -C c rev-parse HEAD | cmp - head && echo cloned; rm -r c; done
o="-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
for p in 2200 2201; do ssh $o -i k -p $p root@$s 'cat /root/www/big' | sha256sum; done
"""


def of_ab(requests, kept=None):
    said = f"Complete requests: {requests}\nFailed requests: 0\n"
    return said if kept is None else f"{said}Keep-Alive requests: {kept}\n"


@when_asked
@pytest.mark.parametrize("client", KERNELS)
def test_another_machines_clients(server, client):
    packages = "redis-tools,curl,apache2-utils,wrk,iperf3,bind9-dnsutils,git,ca-certificates,openssh-client"
    options = ["--kernel", client, "--net", f"hub={server.wire}", "--append", "net=off", "--mem", "768", "--with", packages]
    ended = run_vm(MANY, *options, "--add", f"{server.key}:/t/key", timeout=600)
    big = f"{NUMBERS_DIGEST}  -\n"
    wanted = "requests per second\n" * 4 + big * 2 + of_ab(100) + of_ab(400) + of_ab(100, 100) + of_ab(1000, 1000)
    wanted += "Requests/sec\n" * 2 + "receiver\n" * 4 + '10.1.2.3\n"words"\n' + "cloned\n" * 2 + big * 2
    assert ended.status == 0 and ended.out == wanted, f"wanted\n{wanted}\n{ended}"
