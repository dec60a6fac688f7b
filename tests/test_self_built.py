# SPDX-License-Identifier: MIT
"""Tessera's kernel, compiled inside Tessera by Debian's gcc and make: the same bytes as outside, and it boots."""
import base64
import gzip
import os
import re
import subprocess

import pytest
from conftest import ENVIRONMENT, TESSERA, TOP, VARIANT, run_vm

PACKAGES = "gcc,make,binutils,findutils,python3-minimal"
SECONDS = 3600

# What was compiled, then the kernel without its symbols for debuggers: what a machine boots.
BUILD = """
cd /source && make -s -j2 commit=%s kernel >/tmp/log 2>&1 || { tail -20 /tmp/log; exit 1; }
echo "gcc $(gcc -dumpfullversion), $(ld --version | head -1)"
objcopy -S build/gcc/tessera.elf /tmp/kernel && gzip -1 </tmp/kernel | base64
"""


def output(*command):
    return subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout.strip()


def boot_inside(command, *options):
    """Run a command on the kernel that was built inside."""
    # CC only says where the kernel is; TESSERA_BUILT that nothing is to be built.
    return subprocess.run(
        [TESSERA, "vm", "--build", "release", "--timeout", "200", *options, "--", command],
        cwd=TOP, env=dict(ENVIRONMENT, CC="inside"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )


def test_kernel_built_inside():
    if os.environ.get("TESSERA_TEST_ALL"):
        pytest.skip("takes long: ./tessera test self_built")
    commit = output("git", "rev-parse", "--short=12", "HEAD")
    add = [f"--add={TOP}/{part}:/source/{part}" for part in ("Makefile", "boot", "kernel", "tools")]
    add = [word for option in add for word in option.split("=", 1)]
    machine = run_vm(BUILD % commit, "--with", PACKAGES, "--mem", "2048", *add, timeout=SECONDS)
    assert machine.status == 0, str(machine)
    tools, *kernel = machine.out.splitlines()

    inside = TOP / "build/inside/tessera.elf"
    inside.parent.mkdir(parents=True, exist_ok=True)
    inside.write_bytes(gzip.decompress(base64.b64decode("".join(kernel))))
    uname = boot_inside("uname -s")
    assert (uname.returncode, uname.stdout) == (0, "Linux\n"), uname.stderr
    log = inside.with_name("console")
    boot_inside("true", "--append", "test=handle*", "--console", log)
    assert re.search(r"ktest: done [1-9]\d* passed 0 failed", log.read_text("utf-8", "replace")), log.read_text()

    here = f"gcc {output('gcc', '-dumpfullversion')}, {output('ld', '--version').splitlines()[0]}"
    if tools == here and VARIANT == "release":
        # Symbols for debuggers name the folder that it was compiled in.
        subprocess.run(["objcopy", "-S", "build/gcc/tessera.elf", "build/inside/outside.elf"], cwd=TOP, check=True)
        outside = (TOP / "build/inside/outside.elf").read_bytes()
        assert inside.read_bytes() == outside, "the same compiler makes another kernel inside than outside"
