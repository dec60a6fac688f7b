#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make a linked kernel acceptable to GRUB: hide_relocations.py KERNEL

GRUB refuses an ELF file that has a section of type RELA, although the kernel applies its relocations
itself and GRUB looks at segments only. So those sections are marked as plain data, in place. The
dynamic segment still says where they are.
"""
import struct
import sys

SHT_PROGBITS, SHT_RELA = 1, 4


def main():
    with open(sys.argv[1], "r+b") as kernel:
        data = kernel.read()
        (table,) = struct.unpack_from("<Q", data, 0x28)  # e_shoff
        size, count = struct.unpack_from("<HH", data, 0x3A)  # e_shentsize, e_shnum
        for at in range(table, table + size * count, size):
            (kind,) = struct.unpack_from("<I", data, at + 4)
            if kind == SHT_RELA:
                kernel.seek(at + 4)
                kernel.write(struct.pack("<I", SHT_PROGBITS))


if __name__ == "__main__":
    main()
