# SPDX-License-Identifier: MIT
"""The tests inside the kernel (kernel/test), on real processors: the argument test=all runs them."""
import os
import re

import pytest


# A test that compares times which threads got is at the mercy of the host's other load. When it fails
# it is repeated where one instruction is one nanosecond, and must pass there.
MEASURES_SHARES = re.compile(r"(\w+): kernel/test/scheduling\.c:\d+: .*\bran\[")


def run_kernel_tests(vm, which, *options):
    """What the tests that test=WHICH names say of their failures."""
    machine = vm("true", *options, "--append", f"test={which}", timeout=300)
    done = re.search(r"ktest: done (\d+) passed (\d+) failed", machine.console)
    assert (
        done and int(done[1]) + int(done[2]) > 0
    ), f"the tests did not come to their end\n{machine}"
    return re.findall(r"ktest: FAIL (.*)", machine.console)


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_kernel(vm, cpus):
    failed = []
    for line in run_kernel_tests(vm, "all", "--cpus", str(cpus)):
        shares = MEASURES_SHARES.match(line)
        failed += run_kernel_tests(vm, shares[1], "--icount") if shares else [line]
    assert not failed, "\n".join(failed)


# What breaks a rule on purpose (kernel/test/crash.c), the reason that the panic must give, and a function
# that must be named: in the call stack, or as the place where a lock was taken.
CRASHES = {
    "lock_order": ("lock order: wrong order: PROCESS after FILE", "crash_lock_order"),
    "lock_twice": ("lock order: the same lock twice: PIPE", "crash_lock_twice"),
    "lock_irq": ("DEVICE .* taken with interrupts on", "crash_lock_irq"),
    "lock_owner": ("mutex PIPE .* released by .*, owned by nobody", "crash_lock_owner"),
    "sleep": (
        r"sleeping while holding spinlock PROCESS .* taken at crash_sleep\+",
        "ktest_sleep_ns",
    ),
    "assert": (r"kernel/test/crash\.c:\d+: crash_assert: assertion failed", "crash_assert"),
    "null": ("kernel read 0x8: not mapped", "crash_null"),
    "text": ("kernel wrote to 0xffffffff.*: not allowed", "crash_text"),
    "execute": ("kernel jumped to 0xffffffff.*: not allowed", "crash_run"),
    "stack": ("kernel stack overflow", "deeper"),
    "smash": ("wrote past an array on its stack", "crash_smash"),
    "double_free": ("kmalloc-64: .* freed twice", "crash_double_free"),
    "region": ("kernel wrote to 0x.*: not mapped", "crash_region"),
    "busy": ("others run while this CPU panics", "spin_for_ever"),
}


# KASAN sees these two coming.
if os.environ.get("TESSERA_VARIANT") in ("kasan", "kcov"):
    CRASHES["smash"] = ("KASAN: stack out of bounds", "crash_smash")
    CRASHES["region"] = ("KASAN: region out of bounds", "crash_region")


@pytest.mark.parametrize("name", CRASHES)
def test_panic_names_rule_and_place(vm, name):
    reason, place = CRASHES[name]
    machine = vm("true", "--append", f"test=crash:{name}", timeout=60)
    assert machine.status == 125, machine
    assert re.search(f"PANIC: .*{reason}", machine.console), machine
    assert re.search(rf"{place}\+0x", machine.console), machine


def test_lock_order_report_shows_both_stacks(vm):
    console = vm("true", "--append", "test=crash:lock_order", timeout=60).console
    held, taking = console.split("PANIC:")
    assert "taking PROCESS" in held and re.search(
        r"FILE 0x\w+ taken at\s+\[[^\n]*crash_lock_order\+", held
    ), console
    assert re.search(r"call stack.*\n(.*\n)*.*spin_lock\+.*\n.*crash_lock_order\+", taking), console


def test_locking_page_is_made_from_the_table():
    import subprocess
    from conftest import TOP

    subprocess.run(["/usr/bin/python3", TOP / "tools/gen_locking.py", "--check"], check=True)
