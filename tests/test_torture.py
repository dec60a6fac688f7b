# SPDX-License-Identifier: MIT
"""Storms on the debug kernel, which checks itself: tests/torture/PROGRAM, each case a storm of its own.

What a case asserts holds on Debian's Linux as well, where it runs first; its answers are kept in
build/oracle as test_abi.py keeps them. TORTURE_MINUTES=120 makes the storms last about that long in all,
each time with other random numbers; else each body of a storm lasts half a second.

After each storm nothing is left: frames, handles, threads, processes, open objects, slab objects of each
kind are compared with before (storm.h). tests/torture/leaks leaves one of each behind and must be caught.

A failure ends with what failed: the places that a debug kernel knows of a leak, then the verdicts and the seed,
so that the end of a log tells it.

What fails when a feature breaks, each tried once:
    other CPUs keep their translations   memory: the debug kernel stops, "frame was written after it was freed"
    a pipe keeps its spare page          events: "each run leaves frames 6669 -> 6705"
    a directory removed keeps cached names mounts: "each run leaves slab.inode 357 -> 360 slab.dentry 406 -> 412"
    a name in 64 of a directory is not freed mounts: "each run leaves slab.kmalloc-96 772 -> 842"
    a process in 16 keeps its handles    processes: "each run leaves handles 136 -> 159 slab.kmalloc-256 32 -> 37"
    one wake-up of a futex in 16 is lost events/pi_locks_have_one_owner does not end
    exec copies handles that /proc reads files/record_locks_outlive_an_exec_that_is_watched (tests/abi)
"""
import dataclasses
import functools
import hashlib
import os
import re
import shutil
import subprocess
import time
import warnings
from pathlib import Path

import pytest
from conftest import TOP, run_vm

PROGRAMS = Path(TOP, "build/torture")
LEAK_LINES = 60
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


@functools.cache
def cases_of(program):
    """Its cases, as words for its command line."""
    done = subprocess.run(
        [PROGRAMS / program, "--list"], capture_output=True, text=True, timeout=120
    )
    return [line.split("/")[-1] for line in done.stdout.split()]


# What runs in the machine; a leak's places, the largest of each case, come after the verdicts.
PLACES = "-- places of leaks"
# What the kernel's log says of each CPU, each lock and each thread when a case has no end (CHECK_LATE_KEYS).
STANDS_STILL = re.compile(r"^.*sysrq: what each CPU runs.*", re.M | re.S)
SCRIPT = """
export STORM_MS={ms} STORM_SEED={seed} CHECK_LATE_KEYS=lwdt
{command}
status=$?
[ ! -e /tmp/torture-leaks ] || {{ echo "PLACES"; head -n 300 /tmp/torture-leaks; }}
exit $status
""".replace(
    "PLACES", PLACES
)


def told(machine):
    """The machine's end for a failed assertion. What failed stands last: logs are cut at the front."""
    out, _, places = machine.out.partition(PLACES)
    verdicts = re.findall(r"^(?:not ok|# ).*", out, re.M)
    verdicts += re.findall(r"^.*(?:PANIC|ktest: FAIL).*", machine.console, re.M)[:5]
    return "\n".join(
        [
            str(dataclasses.replace(machine, out=out)),
            *STANDS_STILL.findall(machine.console)[:1],
            PLACES,
            *places.splitlines()[:LEAK_LINES],
            f"-- seed {SEED}, kernel {BUILD}, status {machine.status}",
            *(line[:500] for line in verdicts[-20:]),
        ]
    )


def program_in_vm(
    program, tmp_path, *options, kernel="tessera", seconds=1, timeout=280, script="PROGRAM"
):
    """One machine, one program."""
    shutil.copy(PROGRAMS / program, tmp_path / program)
    subprocess.run(["strip", "-g", tmp_path / program], check=True)
    return run_vm(
        SCRIPT.format(
            ms=int(seconds * 1000), seed=SEED, command=script.replace("PROGRAM", f"/torture/{program}")
        ),
        "--kernel",
        kernel,
        *(("--build", BUILD) if kernel == "tessera" else ()),
        "--add",
        f"{tmp_path}/{program}:/torture/{program}",
        *options,
        timeout=timeout,
    )


def storm(*args, **kwargs):
    """The same; its failures are ours."""
    machine = program_in_vm(*args, **kwargs)
    assert machine.status == 0, told(machine)
    assert not re.search("^not ok", machine.out, re.M), told(machine)
    return machine


def oracle(program, tmp_path, *options):
    """The program passes on Linux: once for each program, image and kernel, then it is remembered."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in (
        TOP / "build/linux/vmlinuz",
        TOP / "build/image/base.cpio",
        PROGRAMS / program,
    ):
        digest.update(file.read_bytes())
    kept = TOP / "build/oracle" / f"torture-{program}-{digest.hexdigest()[:32]}"
    if kept.exists() and not MINUTES:
        return
    try:
        storm(program, tmp_path, *options, kernel="linux", seconds=0.3)
    except AssertionError as why:
        # Once more, as test_abi asks it: Linux is only the measure.
        warnings.warn(f"Linux failed {program} at first: {why}")
        storm(program, tmp_path, *options, kernel="linux", seconds=0.3)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("ok\n")


# A device that nobody drives, behind an IOMMU: fail_nth/vfio.c.
DEVICES = ("--device", "intel-iommu,intremap=on", "--device", "nec-usb-xhci,addr=7")

# What Debian's Linux has as modules, and has to be told.
LINUX = {
    "fuse": ("--module", "fuse"),
    "fail_nth": ("--module", "fuse,cuse,loop,uinput,evdev,vfio_pci", "--append", "intel_iommu=on", *DEVICES),
}


@pytest.mark.parametrize(
    "program", ["fail_nth", "memory", "mounts", "events", "processes", "leaks", "fuse"]
)
def test_torture_programs_are_true_on_linux(program, tmp_path):
    oracle(program, tmp_path, "--cpus", "4", *LINUX.get(program, ()))


# What a case of tests/torture/leaks leaves behind each time, by the name that its verdict must have.
LEFT = {
    "handles_are_counted": "handles",
    "open_objects_are_counted": "file.eventfd",
    "frames_are_counted": "frames",
    "slab_objects_are_counted": "slab.inode",
    "threads_are_counted": "threads",
    "processes_are_counted": "processes",
}


def test_torture_sees_what_is_left(tmp_path):
    """The counts themselves: each kind of thing that is left behind is noticed, and its place told."""
    assert sorted(cases_of("leaks")) == sorted(LEFT)
    machine = program_in_vm("leaks", tmp_path, script="export STORM_PATIENCE_MS=200; PROGRAM")
    for case, name in LEFT.items():
        verdict = f"^not ok .*/{case} # .*each run leaves.* {re.escape(name)} [0-9]+ ->"
        assert re.search(verdict, machine.out, re.M), told(machine)
    # A handle alone, and nothing else.
    assert re.search(r"each run leaves handles \d+ -> \d+$", machine.out, re.M), told(machine)
    assert "eventfd_create_file+" in machine.out.partition(PLACES)[2], told(machine)
    report = told(machine).splitlines()
    assert any("leaks/handles_are_counted" in line for line in report[-8:]), report


# Caches of the kernel's own, filled now and then; what asked is served without. kvmalloc's second attempt comes after
# its first was refused, and one is refused at a time. What each bus and each interrupt's number has is asked for once,
# and is there by then.
BEST_EFFORT = re.compile(r"(reserve|refill_spares|slab_free|kvmalloc|vtd_set_domain|prepare_numbers)\+")


def since_boot(booted, now):
    """What asked for memory after the boot: lines "place calls failed", as in /proc/tessera/allocation_sites. What
    only the boot asks for is test_torture_boot_survives_or_says_why()'s."""
    line = re.compile(r"^(\S+) (\d+) (\d+)$", re.M)
    before = {place: int(calls) for place, calls, _ in line.findall(booted)}
    return "".join(
        f"{place} {int(calls) - before.get(place, 0)} {failed}\n"
        for place, calls, failed in line.findall(now)
        if int(calls) > before.get(place, 0)
    )


def sites_of(log):
    """The report of tools/allocation_sites.py; what was reached and never refused."""
    report = subprocess.run(
        [TOP / "tools/allocation_sites.py", TOP / f"build/gcc-{BUILD}/tessera.elf", log],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    part = report.split("-- reached, never refused")[1].split("-- never reached")[0]
    return report, set(re.findall(r"^ +\S+ +(\S+\+0x\S+) ", part, re.M))


# Of fail_nth's scenarios those about devices, and those who serve them, are a part of their own, in a machine with
# such; the others are dealt to two.
ABOUT_DEVICES = re.compile("(loop|block|vduse|input|fuse|vfio)_")
PARTS = ["even", "odd", "devices"]


def sites_log(part):
    return TOP / "build" / f"torture-sites-{BUILD}-{part}"


@pytest.mark.parametrize(
    "part",
    [pytest.param(p, marks=pytest.mark.xdist_group(f"torture-fail-nth-{p}")) for p in PARTS],
)
def test_torture_allocations_fail_one_by_one(part, tmp_path):
    """tests/torture/fail_nth: each allocation below open, mmap, fork, exec, sockets and the rest is refused
    once, in parts that workers share. What all of them reached but never had refused may only be what is told of no
    failure; the last of them looks."""
    cases = [c for c in cases_of("fail_nth") if bool(ABOUT_DEVICES.match(c)) == (part == "devices")]
    if part != "devices":
        cases = cases[PARTS.index(part) :: 2]
    machine = storm(
        "fail_nth",
        tmp_path,
        *(DEVICES if part == "devices" else ()),
        script=f"""
        cat /proc/tessera/allocation_sites >/tmp/booted
        PROGRAM {' '.join(cases)}; status=$?
        echo "--"; cat /tmp/booted; echo "--"; cat /proc/tessera/allocation_sites; (exit $status)""",
        timeout=400,
    )
    assert "# SKIP" not in machine.out or part != "devices", told(machine)
    sites_log(part).write_text(since_boot(*machine.out.split("--\n")[-2:]))
    report, never = sites_of(sites_log(part))
    print(report)
    _, reached, refused = map(int, re.findall(r"\d+", report)[:3])
    assert refused > reached // 2, report  # the rest is what other parts are about
    kernel = TOP / f"build/gcc-{BUILD}/tessera.elf"
    logs = [sites_log(p) for p in PARTS]
    if all(log.exists() and log.stat().st_mtime > kernel.stat().st_mtime for log in logs):
        together = tmp_path / "together"
        together.write_text("".join(log.read_text() for log in logs))
        report, never = sites_of(together)
        print(report)
        never = {s for s in never if not BEST_EFFORT.match(s)}
        assert not never, f"{report}\nreached, but never refused: {never}"


# How the boot may end when an allocation in it fails: up, or in a panic that says what had no memory.
CLEAR = re.compile(
    r"PANIC: (no memory for|.*cannot be unpacked: error -(12|28)|cannot start|.*ENOMEM|.*out of memory)"
)


@pytest.mark.xdist_group("torture-boot")
@pytest.mark.parametrize("nth", [1, 7, 30, 70, 130, 200, 3000, 7000, 12000])
def test_torture_boot_survives_or_says_why(nth):
    machine = run_vm("echo works", "--build", BUILD, "--append", f"failalloc={nth}:2")
    if "PANIC" in machine.console:
        assert CLEAR.search(machine.console), told(machine)
    else:  # up, perhaps without this one command
        assert machine.status in (0, 1, 126, 127), told(machine)


# Each program's storms: how often all of its cases, at so many seconds each, on how many processors.
STORMS = {
    "memory": (10, 4),
    "mounts": (17, 4),
    "events": (14, 4),
    "processes": (10, 4),
    "fuse": (2, 3),
    "disks": (2, 3),
    "netd": (2, 3),
}


def seconds_for(runs):
    """Of each body: a little, or its part of TORTURE_MINUTES on two workers."""
    total = sum(cases for cases, _ in STORMS.values())
    return max(1, int(MINUTES * 60 * 2 / total / runs)) if MINUTES else 0.5


@pytest.mark.parametrize("program", STORMS)
@pytest.mark.parametrize("kernel", ["tessera", "random"])
def test_torture_storms(program, kernel, tmp_path):
    """random: threads are stopped at each lock with some probability (preempt=random)."""
    cases, cpus = STORMS[program]
    seconds = seconds_for(2)
    options = ["--cpus", str(cpus)]
    if kernel == "random":
        cpus = 2 + SEED % 7 if MINUTES else 3
        options = ["--cpus", str(cpus), "--append", f"preempt=random:{SEED}:50"]
    storm(
        program,
        tmp_path,
        *options,
        seconds=seconds,
        timeout=200 + int(10 * cases * seconds),
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
    assert done and not failed, told(machine)


@pytest.mark.parametrize("preempt", ["", "random"])
def test_torture_a_thousand_kills(preempt, tmp_path):
    """kill -9 of processes with threads, counted: 300 with random preemption and 700 without."""
    wanted = (700 if not preempt else 300) * (1 + int(MINUTES))
    options = ["--append", f"preempt=random:{SEED}:100"] if preempt else []
    machine = storm(
        "processes",
        tmp_path,
        "--cpus",
        "4",
        *options,
        script=f"PROGRAM --helper kills {wanted}",
        timeout=300 + wanted,
    )
    assert int(re.search(r"(\d+) killed", machine.out)[1]) >= wanted, told(machine)


# The topics about what runs at the same time, dealt to machines with 1 to 8 CPUs; with TORTURE_MINUTES
# every topic runs on each.
DEALT = {
    1: ["threads"],
    2: ["memory"],
    3: ["process"],
    4: ["signals", "poll"],
    5: ["pipes"],
    6: ["process"],
    7: ["poll", "pipes"],
    8: ["signals"],
}
CONCURRENT = ["threads", "process", "signals", "poll", "pipes", "memory"]


@pytest.mark.parametrize("cpus", range(1, 9))
def test_torture_abi_with_random_preemption(cpus, tmp_path):
    topics = CONCURRENT if MINUTES else DEALT[cpus]
    for topic in topics:
        shutil.copy(TOP / "build/abi" / topic, tmp_path / topic)
        subprocess.run(["strip", "-g", tmp_path / topic], check=True)
    machine = run_vm(
        # The emulator shares two processors among all of the machine's: cases get more time.
        f"export CHECK_PATIENCE=6; for t in {' '.join(topics)}; do /abi/$t || failed=1; done; exit $failed",
        "--build",
        BUILD,
        "--cpus",
        str(cpus),
        "--append",
        f"preempt=random:{SEED}:200",
        "--add",
        f"{tmp_path}:/abi",
        timeout=280 * len(topics),
        randomized=True,
    )
    assert machine.status == 0 and "not ok" not in machine.out, told(machine)


# One user's shell forks for ever, within the 60 processes it may have; another's works.
BOMB = """
AS="/torture/processes --helper as"
$AS 12345 60 /bin/bash -c 'b() { b | b & }; b' >/dev/null 2>&1
sleep 1
i=0
while [ $i -lt 20 ]; do
    i=$((i + 1))
    word=$($AS 12346 1000 /bin/bash -c "echo $i | cat") || exit 1
    [ "$word" = $i ] || exit 2
done
echo "shells worked"
n=0
while grep -qs "^Uid:.12345" /proc/[0-9]*/status; do
    n=$((n + 1))
    [ $n -lt 100 ] || exit 3
    # Without a limit: the one who kills is of that user too.
    $AS 12345 100000 /bin/bash -c 'kill -9 -1'
done
echo "bomb defused"
"""


def test_torture_a_fork_bomb_leaves_other_users_their_shell(tmp_path):
    machine = storm("processes", tmp_path, "--cpus", "2", script=f"( {BOMB} )")
    assert "shells worked" in machine.out and "bomb defused" in machine.out, told(machine)


@pytest.mark.parametrize("mem,kills", [(48, 50), (96, 6)])
def test_torture_hogs_die_and_a_service_lives(mem, kills, tmp_path):
    """Memory taken in nine ways until so many were killed for it; beside them one program must answer, and
    init lives: it tells how the command ended. On the release kernel, which is fast."""
    kills *= 1 + int(MINUTES)
    shutil.copy(PROGRAMS / "processes", tmp_path / "processes")
    subprocess.run(["strip", "-g", tmp_path / "processes"], check=True)
    machine = run_vm(
        f"/torture/processes --helper hogs {kills} && cat /proc/1/comm",
        "--mem",
        str(mem),
        "--build",
        "release",
        "--add",
        f"{tmp_path}/processes:/torture/processes",
        timeout=200 + 5 * kills,
    )
    assert machine.status == 0 and "init" in machine.out, told(machine)
    assert int(re.search(r"(\d+) killed", machine.out)[1]) >= kills, told(machine)
    # A hog is killed or refused, never sent another signal for want of memory.
    assert not re.search(r"signal (?!9 )", machine.out), told(machine)
    # Nor does anybody find a page of somebody else in its memory; nor does one die of it unseen.
    assert "foreign" not in machine.out and "trap " not in machine.console, told(machine)


def test_torture_everything_at_once(tmp_path):
    """All programs side by side, again and again: what each leaves cannot be told apart, the rest must hold."""
    for program in STORMS:
        shutil.copy(PROGRAMS / program, tmp_path / program)
        subprocess.run(["strip", "-g", tmp_path / program], check=True)
    seconds = int(MINUTES * 60 / 4) or 5
    machine = run_vm(
        f"""
        export STORM_SEED={SEED} STORM_MS={5000 if MINUTES else 500}
        end=$(($(date +%s) + {seconds}))
        for p in memory mounts events processes; do
            (while [ $(date +%s) -lt $end ]; do
                mkdir -p /tmp/$p && cd /tmp/$p && /torture/$p | grep "^not ok" | grep -v "each run leaves"
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
    assert "through" in machine.out and "not ok" not in machine.out, told(machine)
