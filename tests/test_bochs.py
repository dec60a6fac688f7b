# SPDX-License-Identifier: MIT
"""Bochs: processors that QEMU's translator does not have, with PCIDs, INVPCID, x2APIC and a TSC deadline timer."""
import re
import subprocess

import pytest
from conftest import ENVIRONMENT, TESSERA, TOP, run_vm
from test_kernel import run_kernel_tests

MODEL = "corei7_icelake_u"

# The kernel's arguments, and what of the processor's must and must not be in use then. What has nothing to do with
# each other is switched off together: each of these is a minute.
SWITCHES = {
    "": ({"pcid", "invpcid", "umip", "smap"}, {"ospke"}),
    "noinvpcid": ({"pcid"}, {"invpcid"}),
    "nopcid nox2apic notscdeadline nosmap": ({"umip"}, {"pcid", "invpcid", "smap"}),
}


def bochs(command, *options, timeout=500):
    return run_vm(command, "--emulator", "bochs", *options, timeout=timeout, randomized=True)


@pytest.mark.parametrize("arguments", SWITCHES)
def test_memory_and_threads(arguments):
    """The memory topic of tests/abi, that of threads once, and what the TLB was spared."""
    have, lack = SWITCHES[arguments]
    topics = ["memory"] if arguments else ["memory", "threads"]
    machine = bochs(
        f"export CHECK_PATIENCE=4; for t in {' '.join(topics)}; do /abi/$t || echo FAILED; done; cat /proc/tlb; grep -m 1 ^flags /proc/cpuinfo",
        "--cpu", MODEL, "--append", arguments,
        *(word for t in topics for word in ("--add", f"{TOP}/build/abi/{t}:/abi/{t}")),
    )
    assert machine.status == 0, str(machine)
    assert "FAILED" not in machine.out and "not ok" not in machine.out, machine.out
    assert len(re.findall(r"# (\d+) of \1 passed", machine.out)) == len(topics), machine.out
    flags = set(re.search(r"^flags\s*:(.*)", machine.out, re.M)[1].split())
    assert have <= flags and not lack & flags, flags
    kept = int(re.search(r"^switches_without_flush\s+(\d+)", machine.out, re.M)[1])
    assert (kept > 100) == ("pcid" in flags), machine.out
    # It runs at 50 MHz, whatever its model says: who believes that arms each timer again and again.
    assert re.search(r"CPUID tells of 1\d+ MHz, which is not so", machine.console), machine.console
    assert ("x2APIC" in machine.console) == ("nox2apic" not in arguments), machine.console
    assert ("TSC deadline" in machine.console) == ("notscdeadline" not in arguments), machine.console


def test_kernel_tests():
    assert not run_kernel_tests(bochs, "all", "--cpu", "corei7_skylake_x")


def test_old_processor():
    machine = bochs("nproc", "--cpu", "core2_penryn_t9600", "--cpus", "4")
    assert machine.status == 0 and machine.out == "4\n", str(machine)


def test_panic_ends_the_run():
    machine = bochs("true", "--append", "test=crash:null", timeout=200)
    assert machine.status == 125, str(machine)
    assert re.search(r"PANIC: .*kernel read 0x[0-9a-f]{1,3}: not mapped", machine.console), str(machine)


def test_hang_is_a_hang():
    assert bochs("sleep 100", timeout=5).status == 124


def test_shell():
    done = subprocess.run([TESSERA, "run", "--emulator", "bochs", "--timeout", "200"], cwd=TOP, env=ENVIRONMENT,
                          input=b"echo $((6*7)) here\nexit\n", capture_output=True, timeout=230)
    assert done.returncode == 0 and b"42 here" in done.stdout, done


@pytest.mark.parametrize("options,complaint", [
    (["--icount"], "--icount needs QEMU"),
    (["--boot", "uefi"], "boots by bios only"),
    (["--boot", "pvh"], "boots by bios only"),
    (["--qemu-log", "x"], "need QEMU"),
    (["--cpus", "64"], "1 to 8 processors"),
    (["--mem", "9000"], "at most 2048 MiB"),
    (["--cpu", "max,-smap"], "models without options"),
    (["--machine", "pc"], "--machine needs QEMU"),
])
def test_what_it_cannot_do_is_said(options, complaint):
    machine = bochs("true", *options)
    assert machine.status == 2 and complaint in machine.err, str(machine)


def test_unknown_model():
    machine = bochs("true", "--cpu", "pdp11")
    assert machine.status == 126 and "bochs could not run the machine" in machine.err, str(machine)
