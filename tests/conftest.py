# SPDX-License-Identifier: MIT
"""What the tests share: one way to start a machine, and to see how it ended."""
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

TOP = Path(__file__).resolve().parent.parent
TESSERA = str(TOP / "tessera")

# The kernel that the tests are run of, and how much longer than a release kernel each may take.
VARIANT = os.environ.get("TESSERA_VARIANT") or "release"
SLOWER = {"release": 1, "debug": 2, "ubsan": 1.5, "kcov": 2, "kasan": 4, "kcsan": 8}

# For tests that start QEMU themselves.
KERNEL_FILE = TOP / ("build/gcc" if VARIANT == "release" else f"build/gcc-{VARIANT}") / "tessera.elf"

# `tessera test` has built everything before; a machine need not look again. Programs lie where they lay last time: the
# emulator keeps its translations by address too, and would translate libc anew for each program that is started,
# for 20 ms; without that a start takes 3. What is run `randomized` has its addresses drawn anew.
ENVIRONMENT = dict(os.environ, TESSERA_BUILT="1", LC_ALL="C", TESSERA_APPEND="norandmaps")
RANDOMIZED = dict(ENVIRONMENT, TESSERA_APPEND="")

pytest_plugins = ["times"]

# In the order in which they begin: what has long tests first, so that no worker is left with one at the end.
PARTS = (
    "self_built programs net served storm bochs torture static fuzz variants leaks abi build bench profile kasan pci command kernel trace "
    "kdb terminal kaslr fat boot drivers files netd pressure machines abi_check unit"
).split()

# `tessera test everyday`: of these parts all, or what matches.
EVERYDAY = {
    "unit": "", "abi": "", "kernel": "", "terminal": "", "trace": "", "kdb": "", "pressure": "", "abi_check": "",
    "leaks": "", "netd": "", "boot": "", "command": "", "drivers": "", "files": "of_a_size|spoilt_disks|power_cut",
    "static": r"\[(rules|unused|user|stack|python|shell)\]|sample|stale|needs",
    "build": "iso|image|includes|conditional|licence|commands",
    "programs": r"\[(shells|terminals)-|page|can_run",
}


def part_of(item):
    return item.path.stem.removeprefix("test_")


def is_everyday(item):
    if part_of(item) not in EVERYDAY or item.get_closest_marker("sanitised"):
        return False
    return re.search(EVERYDAY[part_of(item)], item.name) is not None


def pytest_collection_modifyitems(config, items):
    """Choose the everyday ones if that is asked for, and put the long ones first."""
    if os.environ.get("TESSERA_TEST_EVERYDAY"):
        config.hook.pytest_deselected(items=[item for item in items if not is_everyday(item)])
        items[:] = filter(is_everyday, items)
    items.sort(key=lambda item: PARTS.index(part_of(item)) if part_of(item) in PARTS else 0)


@dataclass
class Ended:
    """How a machine ended: the command's output and status, the console's log, the command's remarks."""

    status: int
    out: str
    err: str
    console: str

    def __str__(self):
        tail = "\n".join(self.console.splitlines()[-60:])
        return f"status {self.status}\n-- output\n{self.out[-4000:]}\n-- messages\n{self.err[-2000:]}\n-- console\n{tail}"


def variant(*names):
    """The kernel to test with when a test needs one of the variants `names`: the one that the tests are
    run of if it is among them, else the first, built if it is not yet."""
    if VARIANT in names:
        return VARIANT
    lock = TOP / "build/.lock"
    make = ["make", "-s", "-C", TOP, "--no-print-directory", "-j2", f"BUILD={names[0]}", "kernel"]
    done = subprocess.run(["flock", lock, *make], capture_output=True, text=True)
    assert done.returncode == 0, f"the {names[0]} kernel does not build\n{done.stderr}"
    return names[0]


def run_vm(command, *options, **arguments):
    """`tessera vm OPTIONS -- COMMAND`, as run_vm_once() does it; a Linux that hangs is started again, once.

    Linux changes its own text while it runs, with a breakpoint there for a moment, and the emulator's translation
    of the breakpoint may outlive it: a processor that has that one takes it for ever, and all others wait for it.
    One start of sixty ends so where there are more processors than the host has. It says nothing of what is
    tested, for which Linux is only the measure."""
    ended = run_vm_once(command, *options, **arguments)
    kernels = [value for name, value in zip(options, options[1:]) if name == "--kernel"]
    if ended.status != 124 or not (kernels and kernels[-1].startswith("linux")):
        return ended
    print(f"Linux hung, and is started again. Its console was:\n{ended.console}")
    return run_vm_once(command, *options, **arguments)


def run_vm_once(command, *options, build=None, timeout=120, randomized=False):
    """`tessera vm OPTIONS -- COMMAND` with the variant `build` of the kernel, stopped after `timeout`
    seconds; variants that are slow get more."""
    build = build or VARIANT
    timeout = int(timeout * SLOWER[build])
    options = ("--build", build, *options)
    with tempfile.TemporaryDirectory(prefix="tessera-test.") as folder:
        log = Path(folder, "console")
        done = subprocess.run(
            [
                TESSERA,
                "vm",
                "--timeout",
                str(timeout),
                "--console",
                str(log),
                *options,
                "--",
                command,
            ],
            cwd=TOP,
            env=RANDOMIZED if randomized else ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout + 60,
        )
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        return Ended(
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
            text,
        )


@pytest.fixture
def vm():
    return run_vm
