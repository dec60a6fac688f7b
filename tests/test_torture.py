# SPDX-License-Identifier: MIT
"""Storms on the debug kernel, which checks itself: tests/torture/PROGRAM, each case a storm of its own.

What a case asserts holds on Debian's Linux as well, where it runs first. TORTURE_MINUTES=120 makes the
storms last about that long in all, each time with other random numbers; else each lasts a few seconds.
"""
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from conftest import TOP, run_vm

PROGRAMS = Path(TOP, "build/torture")
MINUTES = float(os.environ.get("TORTURE_MINUTES", 0))
SEED = int(os.environ.get("TORTURE_SEED", 0)) or (int(time.time()) if MINUTES else 1)
DEBUG = os.environ.get("TESSERA_VARIANT", "release")
BUILD = DEBUG if DEBUG != "release" else "debug"


@pytest.fixture(scope="session", autouse=True)
def kernel_that_checks():
    """The variant that the storms run on; several workers may ask for it at once."""
    subprocess.run(
        ["flock", "build/.lock", "make", "-s", f"BUILD={BUILD}", "kernel"],
        cwd=TOP,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def cases_of(program):
    done = subprocess.run(
        [PROGRAMS / program, "--list"], capture_output=True, text=True, timeout=30
    )
    return [line.split("/")[-1] for line in done.stdout.split()]


def storm(program, tmp_path, *options, kernel="tessera", seconds=2, timeout=280, script=None):
    """One machine, one program; its failures are ours."""
    shutil.copy(PROGRAMS / program, tmp_path / program)
    subprocess.run(["strip", "-g", tmp_path / program], check=True)
    machine = run_vm(
        f"export STORM_SECONDS={seconds} STORM_SEED={SEED}; "
        + (script or f"/torture/{program}").replace("PROGRAM", f"/torture/{program}"),
        "--kernel",
        kernel,
        *(("--build", BUILD) if kernel == "tessera" else ()),
        "--add",
        f"{tmp_path}/{program}:/torture/{program}",
        *options,
        timeout=timeout,
    )
    assert machine.status == 0, f"seed {SEED}\n{machine}"
    assert not re.search("^not ok", machine.out, re.M), f"seed {SEED}\n{machine}"
    return machine


@pytest.mark.xdist_group("torture-fail-nth")
def test_torture_allocations_fail_one_by_one(tmp_path):
    """tests/torture/fail_nth; and what part of the kernel's allocations was refused so."""
    storm("fail_nth", tmp_path, kernel="linux")
    machine = storm(
        "fail_nth",
        tmp_path,
        script="PROGRAM; status=$?; cat /proc/tessera/allocation_sites; exit $status",
        timeout=400,
    )
    Path(tmp_path, "sites").write_text(machine.out)
    told = subprocess.run(
        [
            TOP / "tools/allocation_sites.py",
            TOP / f"build/gcc-{BUILD}/tessera.elf",
            tmp_path / "sites",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    print(told)
    places, _, refused = map(int, re.findall(r"\d+", told)[:3])
    assert refused > places // 2, told


# How the boot may end when an allocation in it fails: up, or in a panic that says what had no memory.
CLEAR = re.compile(
    r"PANIC: (no memory for|.*cannot be unpacked: error -(12|28)|cannot start|.*ENOMEM|.*out of memory)"
)


@pytest.mark.xdist_group("torture-boot")
@pytest.mark.parametrize("nth", [1, 7, 30, 70, 200, 3000, 7000, 12000])
def test_torture_boot_survives_or_says_why(nth):
    machine = run_vm("echo works", "--build", BUILD, "--append", f"failalloc={nth}:2", timeout=60)
    if "PANIC" in machine.console:
        assert CLEAR.search(machine.console), str(machine)
    else: # up, perhaps without this one command
        assert machine.status in (0, 1, 126, 127), str(machine)
