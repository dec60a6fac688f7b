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


# Each program's storms: how often all of its cases, at so many seconds each, on how many processors.
STORMS = {
    "memory": (10, 4),
    "mounts": (9, 4),
    "events": (14, 4),
    "processes": (10, 4),
}


def seconds_for(runs):
    """Of each case: a little, or its part of TORTURE_MINUTES on two workers."""
    total = sum(cases for cases, _ in STORMS.values())
    return max(1, int(MINUTES * 60 * 2 / total / runs)) if MINUTES else 1


@pytest.mark.parametrize("program", STORMS)
@pytest.mark.parametrize("kernel", ["linux", "tessera", "random"])
def test_torture_storms(program, kernel, tmp_path):
    """random: threads are stopped at each lock with some probability (preempt=random)."""
    cases, cpus = STORMS[program]
    seconds = 1 if kernel == "linux" else seconds_for(2)
    options = ["--cpus", str(cpus)]
    if kernel == "random":
        cpus = 2 + SEED % 7 if MINUTES else 3
        options = ["--cpus", str(cpus), "--append", f"preempt=random:{SEED}:50"]
    storm(
        program,
        tmp_path,
        *options,
        kernel="linux" if kernel == "linux" else "tessera",
        seconds=seconds,
        timeout=200 + 10 * cases * seconds,
    )


@pytest.mark.parametrize("cpus", [1, 8])
def test_torture_memory_without_large_contexts(cpus, tmp_path):
    """The same where the processor keeps no translations across switches, and on other counts of CPUs."""
    storm("memory", tmp_path, "--cpus", str(cpus), "--append", "nopcid", seconds=seconds_for(4))


def test_torture_kernel_tests_with_random_preemption():
    machine = run_vm(
        "true",
        "--build",
        BUILD,
        "--cpus",
        "3",
        "--append",
        f"test=all preempt=random:{SEED}:200",
        timeout=250,
    )
    done = re.search(r"ktest: done (\d+) passed (\d+) failed", machine.console)
    # Shares of time are nobody's when threads yield at random.
    failed = [
        line
        for line in re.findall(r"ktest: FAIL (.*)", machine.console)
        if "scheduling.c" not in line
    ]
    assert done and not failed, f"seed {SEED}\n{machine}"


@pytest.mark.parametrize("mem", [48, 96])
def test_torture_hogs_die_and_a_service_lives(mem, tmp_path):
    """Memory taken in nine ways, again and again; beside it one program must answer. Release: it is fast."""
    shutil.copy(PROGRAMS / "processes", tmp_path / "processes")
    subprocess.run(["strip", "-g", tmp_path / "processes"], check=True)
    machine = run_vm(
        "/torture/processes --helper hogs 27",
        "--mem",
        str(mem),
        "--build",
        "release",
        "--add",
        f"{tmp_path}/processes:/torture/processes",
        timeout=200,
    )
    assert machine.status == 0 and "refused" in machine.out, str(machine)
    # A hog is killed or refused, never sent another signal for want of memory.
    assert not re.search(r"signal (?!9 )", machine.out), str(machine)


@pytest.mark.skipif(not MINUTES, reason="only with TORTURE_MINUTES")
def test_torture_everything_at_once(tmp_path):
    """All programs side by side, again and again."""
    for program in [*STORMS, "fail_nth"]:
        shutil.copy(PROGRAMS / program, tmp_path / program)
        subprocess.run(["strip", "-g", tmp_path / program], check=True)
    seconds = int(MINUTES * 60)
    machine = run_vm(
        f"""
        export STORM_SEED={SEED} STORM_SECONDS=5
        end=$(($(date +%s) + {seconds}))
        for p in memory mounts events processes; do
            (while [ $(date +%s) -lt $end ]; do
                mkdir -p /tmp/$p && cd /tmp/$p && /torture/$p | grep "^not ok" | grep -v "leaves"
            done) &
        done
        wait
        echo through
        """,
        "--build",
        BUILD,
        "--cpus",
        "4",
        "--mem",
        "1024",
        "--add",
        f"{tmp_path}:/torture",
        timeout=seconds * 2 + 900,
    )
    assert "through" in machine.out and "not ok" not in machine.out, str(machine)
