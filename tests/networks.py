# SPDX-License-Identifier: MIT
"""What the tests of networks share: wires between machines, and what these do together."""
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import TOP, run_vm

sys.path.insert(0, str(TOP / "tools/vm"))

from capture import Capture  # noqa: E402

WIRE = TOP / "tools/vm/wire.py"
KERNELS = ["linux", "tessera"]
PATIENCE = 300
when_asked = pytest.mark.skipif(bool(os.environ.get("TESSERA_TEST_ALL")), reason="takes long: ./tessera test net served storm")


@contextmanager
def wire(path, *options):
    process = subprocess.Popen([sys.executable, "-B", WIRE, path, *options])
    try:
        while not Path(path).is_socket():
            assert process.poll() is None
            time.sleep(0.02)
        yield path
    finally:
        process.terminate()
        process.wait()


# Each says by http what it has done, and leaves when no other can still want to hear of it: they have all seen that all is
# done, or are gone, which nobody is before.
TOGETHER = """
cd /root; mkdir -p pub; me=$1; shift; others="$*"
until busybox ip link show dev eth0 >/dev/null 2>&1; do sleep 0.1; done
busybox ip addr add 10.9.0.$me/24 dev eth0; busybox ip link set eth0 up; busybox ip link set lo up
has() { curl -s -f --connect-timeout 20 -o /dev/null $3 http://10.9.0.$1/$2; }
mark() { echo >pub/$1; for o in $others; do until has $o $1; do sleep 0.3; done; done; }
leave()
{
	mark done; echo >pub/seen
	for o in $others; do
		gone=0
		while [ $gone -lt 2 ]; do
			has $o seen -m20 && break
			[ $? = 22 ] || gone=$((gone + 1))
			sleep 0.3
		done
	done
}
"""
BY_PYTHON = "cp /t/big pub/big; python3 -m http.server -d pub 80 >/dev/null 2>&1 &\n"
BY_NGINX = """
chmod 755 /root
cat >nginx.conf <<C
worker_processes 1; error_log /root/err; pid /root/nginx.pid; user root; events { worker_connections 512; }
http { access_log off; sendfile on; server { listen 80; root /root/pub; } }
C
nginx -c /root/nginx.conf -e /root/err
"""


def run_together(tmp_path, kernels, script, packages, *wire_options, mem=640, timeout=600):
    """Machines 1, 2.. on one wire, each with `script` and the numbers of the others; how each ended, and what passed."""
    (tmp_path / "big").write_bytes(random.Random(3).randbytes(10_000_000))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    ended = {}
    with wire(tmp_path / "w", "--record", str(tmp_path / "pcap"), *wire_options):

        def run(number):
            others = " ".join(str(n) for n in range(1, len(kernels) + 1) if n != number)
            options = ["--kernel", kernels[number - 1], "--net", f"hub={tmp_path}/w", "--append", "net=off", "--mem", str(mem)]
            options += [word for name in ("big", "key", "key.pub") for word in ("--add", f"{tmp_path / name}:/t/{name}")]
            ended[number] = run_vm(f"set -- {number} {others}\n{script}", *options, "--with", packages, timeout=timeout)

        threads = [threading.Thread(target=run, args=[n + 1]) for n in range(len(kernels))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    capture = Capture(tmp_path / "pcap")
    os.unlink(tmp_path / "pcap")
    return [ended[n] for n in sorted(ended)], capture
