#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make the kernel's symbol table, as assembly, from a linked kernel.

The table lies in section .rodata.ksyms and is read by kernel/debug/symbols.c:

    const uint32_t ksyms_count          functions in the table
    const uint32_t ksyms_offsets[]      address of each, relative to the first byte of the kernel
                                        image as linked (symbol kernel_start); ascending
    const uint32_t ksyms_name_offsets[] where each one's name starts in ksyms_names
    const char     ksyms_names[]        the names, each ended by NUL; a name that is the tail of
                                        another is not stored twice

Only functions are listed. Offsets are relative because the kernel runs at a random base.
"""
import argparse
import subprocess
import sys

BASE = "kernel_start"
LINK_BASE = 0xFFFFFFFF80000000


def functions(kernel):
    """[(offset, name)] of the kernel's functions, ascending, one name per address."""
    out = subprocess.run(["nm", "-n", kernel], check=True, capture_output=True, text=True).stdout
    base = LINK_BASE
    found = {}
    for line in out.splitlines():
        fields = line.split()
        if len(fields) != 3:
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if name == BASE:
            base = address
        if kind in "tTwW" and address >= LINK_BASE and not name.startswith((".L", "$")):
            # Of several names at one address prefer a global one, then the first in the alphabet.
            rank = (kind.islower(), name)
            if address not in found or rank < found[address]:
                found[address] = rank
    return [(a - base, found[a][1]) for a in sorted(found) if a >= base]


def pack_names(names):
    """One blob that holds every name, and the offset of each in it."""
    blob = bytearray()
    where = {}
    for name in sorted(set(names), key=lambda n: n[::-1], reverse=True):
        # Names that end alike are neighbours in this order, the longest first.
        previous = next(reversed(where)) if where else ""
        if previous.endswith(name):
            where[name] = where[previous] + len(previous) - len(name)
        else:
            where[name] = len(blob)
            blob += name.encode() + b"\0"
    return blob, where


def emit(symbols, out):
    blob, where = pack_names([n for _, n in symbols])
    w = out.write
    w("/* Made by tools/ksyms.py, which states the format. */\n")
    w('\t.section .rodata.ksyms, "a"\n')

    def head(name):
        w(f"\t.balign 4\n\t.globl {name}\n\t.hidden {name}\n{name}:\n")

    head("ksyms_count")
    w(f"\t.long {len(symbols)}\n")
    head("ksyms_offsets")
    for offset, _ in symbols:
        w(f"\t.long {offset:#x}\n")
    head("ksyms_name_offsets")
    for _, name in symbols:
        w(f"\t.long {where[name]}\n")
    head("ksyms_names")
    for line in range(0, len(blob), 32):
        w("\t.byte " + ",".join(map(str, blob[line : line + 32])) + "\n")
    w("\t.byte 0\n")


def main():
    parser = argparse.ArgumentParser(description="make the kernel's symbol table")
    parser.add_argument(
        "--empty", action="store_true", help="a table of no symbols, for the first link"
    )
    parser.add_argument("kernel", nargs="?")
    args = parser.parse_args()
    emit([] if args.empty else functions(args.kernel), sys.stdout)


if __name__ == "__main__":
    main()
