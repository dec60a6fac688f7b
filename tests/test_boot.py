# SPDX-License-Identifier: MIT
"""Ways to boot, numbers of processors, sizes of memory, processor models, and the first things one tries."""
import re

import pytest
from conftest import run_vm

FIRST = "uname -a; bash --version | head -1; ls -la / | head -5; seq 1 100000 | sort -R | sort -n | tail -1"


def good(machine):
    assert machine.status == 0, str(machine)
    return machine.out


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_first_things(vm, kernel):
    lines = good(vm(FIRST, "--kernel", kernel)).splitlines()
    assert lines[0].startswith("Linux tessera ") and "x86_64" in lines[0]
    assert lines[1].startswith("GNU bash, version 5.2")
    assert any(line.endswith(" .") and line.startswith("d") for line in lines)
    assert lines[-1] == "100000"


@pytest.mark.parametrize("boot", ["pvh", "bios", "uefi"])
def test_ways_to_boot(vm, boot):
    assert good(vm("echo up $(nproc)", "--boot", boot)) == "up 2\n"


def test_boots_linux_the_same_ways(vm):
    for boot in ("bios", "uefi"):
        assert good(vm("uname -r", "--boot", boot, "--kernel", "linux")).startswith("6.1.")


@pytest.mark.parametrize("cpus,mem", [(1, 512), (2, 512), (8, 512), (64, 2048)])
def test_processors(vm, cpus, mem):
    assert good(vm("nproc", "--cpus", str(cpus), "--mem", str(mem), timeout=240)) == f"{cpus}\n"


@pytest.mark.parametrize("boot", ["pvh", "bios"])
def test_64_processors_all_run(vm, boot):
    """Each processor runs a program bound to it."""
    command = "for c in $(seq 0 63); do taskset -c $c true & done; wait; grep -c ^processor /proc/cpuinfo"
    command = command.replace("taskset -c $c", "busybox taskset -c $c")
    assert good(vm(command, "--cpus", "64", "--mem", "2048", "--boot", boot, timeout=240)).strip() == "64"


def test_small_memory(vm):
    assert good(vm('busybox sh -c "echo small"', "--mem", "24")) == "small\n"


@pytest.mark.parametrize("mem", [128, 1024, 3072, 5120, 65536])
def test_all_memory_is_seen(vm, mem):
    """The total is within 1 % of what the firmware's map gives, less what describes the frames (1/64)."""
    out = good(vm("cat /proc/meminfo", "--mem", str(mem), timeout=240))
    total = int(re.search(r"MemTotal:\s+(\d+) kB", out)[1]) / 1024
    assert 0.99 * (mem - mem / 64 - 1) <= total <= mem


MODELS = [
    "qemu64",
    "Nehalem",
    "Haswell-noTSX",
    "EPYC",
    "max",
    "max,-smap,-smep,-umip",
    "max,-pcid,-invpcid",
    "max,-x2apic",
    "max,-tsc-deadline",
    "max,-xsave",
    "max,-fsgsbase",
    "max,-rdrand,-rdseed",
    "max,-pdpe1gb",
    "max,-la57",
    "max,-erms,-fsrm",
]


@pytest.mark.parametrize("model", MODELS)
def test_processor_models(vm, model):
    out = good(vm("seq 1 1000 | sort -R | sort -n | tail -1; awk 'BEGIN { print 1.5 * 2 }'", "--cpu", model))
    assert out == "1000\n3\n"


def test_status_and_output(vm):
    machine = vm("echo out; echo err >&2; printf '\\001\\r\\n\\377' | od -An -tx1; exit 7")
    assert machine.status == 7, str(machine)
    assert machine.out == "out\nerr\n 01 0d 0a ff\n"


def test_bytes_pass_unchanged(vm):
    machine = vm("for i in 0 1 2 3; do printf \"\\\\$i$(printf %o 10)\\r\\n\\t\"; done; head -c 100000 /dev/zero | wc -c")
    assert machine.status == 0 and machine.out.endswith("100000\n"), str(machine)


def test_killed_by_signal(vm):
    assert vm("kill -SEGV $$").status == 139


def test_log_is_not_output(vm):
    assert good(vm("echo only this")) == "only this\n"


def test_bases_differ():
    """KASLR: the kernel's base is not the same at each boot."""
    bases = set()
    for _ in range(4):
        machine = run_vm("true", "--append", "panic=exit test=crash", timeout=60)
        found = re.search(r"[Kk]ernel base:? *(0x)?(ffffffff[0-9a-f]{8})", machine.console)
        assert found, str(machine)
        bases.add(found[2])
    assert len(bases) > 1


def test_icount_is_deterministic(vm):
    """Two runs of the same thing take the same number of nanoseconds."""
    runs = [vm("cat /proc/uptime; seq 1 1000 | tail -1", "--icount", "--cpus", "1").out for _ in range(2)]
    assert runs[0] == runs[1] and runs[0].endswith("1000\n")


def test_profile_full(vm):
    command = "ps -e | head -1; find /etc -name passwd; echo abc | sed s/b/X/; gawk 'BEGIN{print 6*7}'; python3 -c 'print(2**64)'"
    out = good(vm(command, "--profile", "full", "--mem", "1024", timeout=240)).splitlines()
    assert out[0].split() == ["PID", "TTY", "TIME", "CMD"]
    assert out[1:] == ["/etc/passwd", "aXc", "42", "18446744073709551616"]
