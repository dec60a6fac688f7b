# SPDX-License-Identifier: MIT
"""KASAN's kernel: what it must notice, provoked (kernel/test/crash_kasan.c), and what it must say of it."""
import re

import pytest
from conftest import variant

pytestmark = pytest.mark.xdist_group("kasan")


@pytest.fixture(scope="module")
def kernel():
    """The fuzzer's kernel has KASAN too; the tests of any other variant use the plain one."""
    return variant("kasan", "kcov")


# The rule, what it says of the memory, and who did it.
CASES = {
    "overflow": ("object out of bounds: write of 1 bytes", "byte 30 of kmalloc-32 object", "crash_overflow"),
    "underflow": ("object out of bounds: write of 1 bytes", "byte -1 of kmalloc-32 object", "crash_underflow"),
    "wide": ("object out of bounds: write of 8 bytes", "byte 30 of kmalloc-32 object", "crash_wide"),
    "use_after_free": (
        "use after free: write of 1 bytes",
        r"byte 0 of kmalloc-32 object \w+, free(.*\n)*.*allocated \(30 bytes\)(.*\n)*.*freed at(.*\n)*.*kfree\+",
        "crash_use_after_free",
    ),
    "stack": (
        "stack out of bounds: write of 1 bytes",
        r"stack frame of crash_stack_array(.*\n)*.*\[\d+, \d+\) array",
        "crash_stack_array",
    ),
    "global": ("global out of bounds", "byte 13 of the global global_array", "crash_global"),
    "vmalloc": ("region out of bounds", "byte 5000 of the vmalloc region", "crash_vmalloc"),
    "vmalloc_free": ("region out of bounds", "in no kernel region", "crash_vmalloc_free"),
    "page": ("use of a free page", r"byte 100 of frame \w+, free(.*\n)*.*freed at", "crash_page"),
    "block": ("kmalloc block out of bounds", "allocated at", "crash_block"),
    "krealloc": ("object out of bounds", r"byte 40 of kmalloc-64 object", "crash_krealloc"),
    "copy_from_user": ("object out of bounds: write of 31 bytes", "byte 30", "copy_from_user"),
    "copy_to_user": ("object out of bounds: read of 31 bytes", "byte 30", "copy_to_user"),
    "memcpy": ("object out of bounds: read of 31 bytes", "byte 30", "crash_memcpy"),
    "kernel_stack": ("use of a free kernel stack", "of the kernel stack at", "crash_kernel_stack"),
    "double_free": ("freed twice", r"allocated \(30 bytes\)(.*\n)*.*freed at", "crash_late_double_free"),
    "invalid_free": ("not an object's start|pointer into it", "", "crash_invalid_free"),
}


@pytest.mark.parametrize("name", CASES)
def test_kasan_notices(vm, kernel, name):
    rule, what, place = CASES[name]
    machine = vm("true", "--append", f"test=crash:kasan_{name}", build=kernel)
    assert machine.status == 125, machine
    assert re.search(f"PANIC: .*({rule})", machine.console), machine
    assert re.search(what, machine.console), machine
    assert re.search(rf"{place}\+0x", machine.console.split("PANIC:")[1]), machine


def test_in_kernel_tests_pass_under_kasan(vm, kernel):
    machine = vm("true", "--cpus", "4", "--append", "test=all", build=kernel, timeout=300)
    assert re.search(r"ktest: done \d+ passed 0 failed", machine.console), machine


# Sections that come online late, of one with holes and of full ones, with large blocks in use.
MEMORY = """
dd if=/dev/zero of=/tmp/f bs=1M count=%d 2>/dev/null && cksum </tmp/f
"""


@pytest.mark.parametrize("mib,fill", [(48, 4), (300, 110), (2048, 700), (5200, 900)])
def test_shadow_comes_with_memory(vm, kernel, mib, fill):
    machine = vm(MEMORY % fill, "--mem", str(mib), build=kernel, timeout=100)
    assert machine.status == 0 and str(fill << 20) in machine.out, machine
