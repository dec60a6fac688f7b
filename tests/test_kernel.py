# SPDX-License-Identifier: MIT
"""The tests inside the kernel (kernel/test), on real processors: the argument test=all runs them."""
import re

import pytest
from conftest import VARIANT, variant


# A test that compares times which threads got is at the mercy of the host's other load. When it fails
# it is repeated where instructions are what counts time, and must pass there: 32 ns each, so that the
# tenths of a second which threads share are soon over.
BY_INSTRUCTIONS = ("--icount", "--qemu", "-icount shift=5")
MEASURES_SHARES = re.compile(r"(\w+): kernel/test/scheduling\.c:\d+: .*\bran\[")


def run_kernel_tests(vm, which, *options):
    """What the tests that test=WHICH names say of their failures."""
    machine = vm("true", *options, "--append", f"test={which}", timeout=300)
    done = re.search(r"ktest: done (\d+) passed (\d+) failed", machine.console)
    assert (
        done and int(done[1]) + int(done[2]) > 0
    ), f"the tests did not come to their end\n{machine}"
    # With the places that the kernel tells of a leak.
    return re.findall(r"ktest: FAIL (.*(?:\n\[ *[\d.]+\] ktest:   .*)*)", machine.console)


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_kernel(vm, cpus):
    failed = []
    for line in run_kernel_tests(vm, "all", "--cpus", str(cpus)):
        shares = MEASURES_SHARES.match(line)
        failed += run_kernel_tests(vm, shares[1], *BY_INSTRUCTIONS) if shares else [line]
    assert not failed, "\n".join(failed)


def test_chosen_tests_run_so_often(vm):
    console = vm("true", "--append", "test=spinlock_*:3").console
    ran = re.findall(r"ktest: ok (\w+)", console)
    assert len(ran) > 3 and all(ran.count(name) == 3 and name.startswith("spinlock_") for name in ran), console
    assert f"ktest: done {len(ran)} passed 0 failed" in console


# What breaks a rule on purpose (kernel/test/crash*.c), the reason that the panic must give, a function
# that must be named: in the call stack, or as the place where a lock was taken; and the variants that
# notice, where it is not all.
CHECKED = ("debug", "kasan", "ubsan", "kcsan", "kcov")  # the lock checker
CRASHES = {
    "lock_order": ("lock order: wrong order: PROCESS after FILE", "crash_lock_order", CHECKED),
    "lock_twice": ("lock order: the same lock twice: PIPE", "crash_lock_twice", CHECKED),
    "lock_irq": ("DEVICE .* taken with interrupts on", "crash_lock_irq", CHECKED),
    "lock_owner": ("(mutex PIPE .* released by .*, owned by nobody|PIPE .* does not hold it)", "crash_lock_owner"),
    "sleep": (
        r"sleeping while holding spinlock PROCESS .* taken at crash_sleep\+",
        "ktest_sleep_ns",
        CHECKED,
    ),
    "assert": (r"kernel/test/crash\.c:\d+: crash_assert: assertion failed", "crash_assert"),
    "null": ("kernel read 0x[0-9a-f]{1,3}: not mapped", "crash_null", ("release", "debug", "kcov")),
    "text": ("kernel wrote to 0xffffffff.*: not allowed", "crash_text", ("release", "debug", "ubsan", "kcov")),
    "execute": ("kernel jumped to 0xffffffff.*: not allowed", "crash_run"),
    "stack": ("kernel stack overflow", "deeper"),
    "smash": ("wrote past an array on its stack", "crash_smash", ("release", "debug", "ubsan", "kcov")),
    "double_free": ("kmalloc-64: .* freed twice", "crash_double_free"),
    "region": ("kernel wrote to 0x.*: not mapped", "crash_region", ("release", "debug", "ubsan", "kcov")),
    "busy": ("others run while this CPU panics", "spin_for_ever"),
    # Only the debug build looks.
    "overflow": ("kmalloc-48: .* written past its end", "crash_overflow", ("debug",)),
    "underflow": ("kmalloc-48: .* written before its start", "crash_underflow", ("debug",)),
    "sweep": ("kmalloc-48: .* written past its end .seen by the sweep", "crash_sweep", ("debug",)),
    "use_after_free": ("kmalloc-48: .* written after it was freed", "make_and_free", ("debug",)),
    "freed_inside": ("kmalloc-48: .* freed by a pointer into it", "crash_freed_inside", ("debug",)),
    "freed_twice": ("kmalloc-48: .* freed twice", "make_and_free", ("debug",)),
    "block_overflow": ("block .* of 5000 bytes: written past its end", "crash_block_overflow", ("debug",)),
    "frame": ("frame .* was written after it was freed: word 12", "crash_frame", ("debug",)),
    "page_reference": ("frame .*: a reference to a frame that is free", "crash_page_reference", ("debug",)),
    "list_twice": ("list: removing .*: it was removed already", "crash_list_twice", ("debug",)),
    "list_link": ("list: adding .*: its neighbours do not agree", "crash_list_link", ("debug",)),
    "ref_dead": ("refcount .*: a reference to what is gone", "crash_ref_dead", ("debug",)),
    "ref_underflow": ("refcount .*: dropped more often than taken", "crash_ref_underflow", ("debug",)),
    "waiter": ("wait: .* ends with 1 waiters of its stack on queues", "crash_waiter", ("debug",)),
    # Only the kcsan build looks.
    "race": ("data race: add_plainly.* and add_plainly.*", "add_plainly(.constprop.0)?", ("kcsan",), "kcsan=panic"),
    # Only the ubsan build looks.
    "shift": (r"crash_undefined\.c:\d+: shift of 1 by 40, but type 'unsigned int' has 32 bits", "crash_shift", ("ubsan",)),
    "shift_negative": (r"crash_undefined\.c:\d+: shift of 1 by -3, which is negative", "crash_shift_negative", ("ubsan",)),
    "divide": (r"crash_undefined\.c:\d+: division of 7 by zero", "crash_divide", ("ubsan",)),
    "bounds": (r"crash_undefined\.c:\d+: index 5 is outside of type '", "crash_bounds", ("ubsan",)),
    "alignment": (r"crash_undefined\.c:\d+: load of address .*, misaligned for type", "crash_alignment", ("ubsan",)),
    "bool": (r"crash_undefined\.c:\d+: load of value 7, which type .*ool.* does not have", "crash_bool", ("ubsan",)),
    "null_member": (r"crash_undefined\.c:\d+: member access within a null pointer", "crash_null_member", ("ubsan",)),
    "unreachable": (r"crash_undefined\.c:\d+: unreachable code was reached", "crash_unreachable", ("ubsan",)),
}


# KASAN sees these two coming.
if VARIANT in ("kasan", "kcov"):
    CRASHES["smash"] = ("KASAN: stack out of bounds", "crash_smash")
    CRASHES["region"] = ("KASAN: region out of bounds", "crash_region")


def crashes():
    for name, (_, _, *rest) in CRASHES.items():
        only_sanitised = rest and not {"debug", "release"} & set(rest[0])
        yield pytest.param(name, marks=[pytest.mark.sanitised] if only_sanitised else [])


@pytest.mark.parametrize("name", crashes())
def test_panic_names_rule_and_place(vm, name):
    reason, place, *rest = CRASHES[name]
    variants, argument = (*rest, *(None, "")[len(rest) :])
    build = variant(*variants) if variants else None
    machine = vm("true", "--append", f"test=crash:{name} {argument}", build=build)
    assert machine.status == 125, machine
    assert re.search(f"PANIC: .*{reason}", machine.console), machine
    assert re.search(rf"{place}(\.cold)?\+0x", machine.console), machine


def test_lock_order_report_shows_both_stacks(vm):
    console = vm(
        "true", "--append", "test=crash:lock_order", build=variant(*CHECKED)
    ).console
    held, taking = console.split("PANIC:")
    assert "taking PROCESS" in held and re.search(
        r"FILE 0x\w+ taken at\s+\[[^\n]*crash_lock_order\+", held
    ), console
    assert re.search(r"call stack.*\n(.*\n)*.*spin_lock\w*\+.*\n.*crash_lock_order\+", taking), console


def test_double_free_report_tells_who_allocated_and_who_freed(vm):
    console = vm(
        "true", "--append", "test=crash:freed_twice", build=variant("debug")
    ).console
    assert re.search(
        r"allocated \(40 bytes\) at .* by tid \d+:\n(.*\n)*?.*kmalloc.*\n(.*\n)*?.*make_and_free\+.*\n"
        r"(.*\n)*?.*freed at .* by tid \d+:\n(.*\n)*?.*kfree.*\n.*use_object\+",
        console,
    ), console


def test_locking_page_is_made_from_the_table():
    import subprocess
    from conftest import TOP

    subprocess.run(["/usr/bin/python3", TOP / "tools/gen_locking.py", "--check"], check=True)
