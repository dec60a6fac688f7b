#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Check a linked kernel before it may be booted: check_kernel.py KERNEL KSYMS.S

- every dynamic relocation is R_X86_64_RELATIVE: the entry code applies no other kind;
- no segment is both writable and executable;
- the symbol table inside describes this very link.
"""
import io
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import ksyms  # noqa: E402


def readelf(option, kernel):
    return subprocess.run(
        ["readelf", "-W", option, kernel], check=True, capture_output=True, text=True
    ).stdout


def main():
    kernel, table = sys.argv[1:]
    faults = []
    for line in readelf("-r", kernel).splitlines():
        if "R_X86_64_" in line and "R_X86_64_RELATIVE" not in line:
            faults.append(f"relocation that the entry code does not apply: {line.strip()}")
    for line in readelf("-l", kernel).splitlines():
        if line.split()[:1] == ["LOAD"] and "WE" in line.rsplit("0x", 1)[0].replace(" ", ""):
            faults.append(f"segment both writable and executable: {line.strip()}")
    made = io.StringIO()
    ksyms.emit(ksyms.functions(kernel), made)
    if made.getvalue() != Path(table).read_text():
        faults.append(
            "the second link moved functions: boot/kernel.ld must place .rodata behind .text"
        )
    for fault in faults[:10]:
        print(f"{kernel}: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
