#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Which places in the kernel were ever refused memory: allocation_sites.py KERNEL.elf LOG...

A site is the instruction behind a call of an allocator. All that the kernel has come from its code; those
that were reached, and refused, from /proc/tessera/allocation_sites in the logs ("symbol+0xoffset calls
failed"). Prints the coverage, then the sites that were reached but never refused and those never reached.
"""
import re
import subprocess
import sys

ALLOCATORS = {
    "slab_alloc", "kmalloc", "kzalloc", "krealloc", "kstrdup", "kmemdup",
    "page_alloc", "frame_alloc", "vmalloc", "kernel_stack_alloc",
}  # fmt: skip
# Names that the compiler gives to parts and copies of a function.
SUFFIX = re.compile(r"\.(cold|part|constprop|isra)(\.\d+)?")


def sites_of(kernel):
    """{symbol+offset: allocator} for every call in the kernel's code, but in its tests."""
    sites, symbol, start, pending = {}, "", 0, None
    code = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", kernel], capture_output=True, text=True, check=True
    ).stdout
    for line in code.splitlines():
        if found := re.match(r"([0-9a-f]+) <(.+)>:$", line):
            start, symbol, pending = int(found[1], 16), found[2], None
        elif found := re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)", line):
            if pending:
                sites[f"{symbol}+{int(found[1], 16) - start:#x}"] = pending
                pending = None
            if found[2].startswith("call"):
                called = re.search(r"<([^>+]+)>", found[3])
                name = SUFFIX.sub("", called[1]) if called else ""
                pending = name if name in ALLOCATORS else None
    return sites


def main():
    kernel, *logs = sys.argv[1:]
    sites, reached, refused = sites_of(kernel), {}, {}
    for log in logs:
        for line in open(log, errors="replace"):
            if found := re.match(r"(\S+\+0x[0-9a-f]+) (\d+) (\d+)\s*$", line):
                reached[found[1]] = reached.get(found[1], 0) + int(found[2])
                refused[found[1]] = refused.get(found[1], 0) + int(found[3])
    known = sorted(sites)
    print(
        f"{len(known)} places in the kernel ask for memory: "
        f"{sum(1 for s in known if s in reached)} were reached, "
        f"{sum(1 for s in known if refused.get(s))} refused"
    )
    for title, chosen in (
        ("reached, never refused", [s for s in known if s in reached and not refused.get(s)]),
        ("never reached", [s for s in known if s not in reached]),
    ):
        print(f"-- {title}: {len(chosen)}")
        for site in chosen:
            print(f"   {sites[site]:20}{site}{f'  {reached[site]} times' if site in reached else ''}")


main()
