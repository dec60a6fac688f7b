# SPDX-License-Identifier: MIT
"""The kernels that check themselves - debug, kasan, ubsan, kcsan - find nothing to complain of.

Each boots, runs the tests inside the kernel, and runs ABI topics; every case must pass as in a release
and the log must hold no report. `tessera test --build NAME` runs the whole suite of one variant instead.
"""
import re

import pytest
from conftest import VARIANT, variant
from test_abi import TOPICS, run_group
from test_kernel import MEASURES_SHARES

pytestmark = pytest.mark.skipif(
    VARIANT != "release", reason=f"all tests are run of the {VARIANT} kernel already"
)

# What no log may hold: a panic, a warning, a report of a sanitiser.
REPORT = re.compile(r"PANIC: .*|WARNING: .*|kcsan: data race: .*|[Uu]ndefined behaviour: .*|KASAN: .*")

# Which topics each runs, by machine. Races need threads; patience and size (attack, memory) are for the
# variants that are quick enough. Together the ubsan and kasan kernels check all that the debug kernel checks (misuse
# of lists, counts and waiters the one; what objects and frames are freed with and lie beside the other): it runs what
# is too long for kasan, and the storms of test_torture.py.
WIRE = ["tcp"]  # which wants a card in the machine, where it is not in others' way
QUICK = [t for t in TOPICS if t not in ("attack", *WIRE)]
LONG = ["memory", "time"]
GROUPS = {
    "debug": [LONG],
    "ubsan": [QUICK[0::2], QUICK[1::2], WIRE],
    "kasan": [[t for t in QUICK if t not in LONG], WIRE],
    "kcsan": [["pipes", "poll", "process", "signals", "socket", "threads"]],
}


# An emulator that changes over to another CPU whenever one waits makes watched accesses meet. Every access that is
# watched waits for microseconds, which are thousands of instructions: two nanoseconds for each halve them, and the
# CPU has still changed over hundreds of times. With sixteen, interrupts that are watched leave no time for all else.
HOW = {"kcsan": ("--icount", "--qemu", "-icount shift=1", "--cpus", "4")}


@pytest.mark.parametrize("name", GROUPS)
def test_kernel_tests_of_variant(vm, name):
    machine = vm("true", *HOW.get(name, ()), "--append", "test=all", build=variant(name), timeout=200)
    assert not REPORT.findall(machine.console), machine
    assert re.search(r"ktest: done \d+ passed", machine.console), machine
    # Shares of processor time are tested in a release kernel.
    failed = re.findall(r"ktest: FAIL (.*)", machine.console)
    assert not [f for f in failed if not MEASURES_SHARES.match(f)], machine


@pytest.mark.parametrize(
    "name,topics", [pytest.param(n, g, id=f"{n}-{i}") for n in GROUPS for i, g in enumerate(GROUPS[n])]
)
def test_abi_of_variant(name, topics):
    consoles = []
    answers = run_group("tessera", topics, build=variant(name), consoles=consoles)
    wrong = {case: why for case, (verdict, why) in answers.items() if verdict == "not ok"}
    reports = REPORT.findall("\n".join(consoles))
    assert not reports and not wrong, "\n".join(
        [*reports, *(f"{case}: {why}" for case, why in wrong.items()), *consoles]
    )
