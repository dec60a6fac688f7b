# SPDX-License-Identifier: MIT
"""What a kernel's file holds: where it is entered, what of it lies in memory."""
import struct

PT_LOAD = 1
LZ4_MAGIC = b"\x02\x21\x4c\x18"
# The boot protocol of Linux on x86: the real-mode part is entered 512 bytes behind where it is loaded.
BZIMAGE_MAGIC, BZIMAGE_ENTRY = b"HdrS", 0x10200


class Elf:
    """An ELF64 file's header and program headers."""

    def __init__(self, data):
        self.data = data
        self.entry, headers = struct.unpack_from("<QQ", data, 24)
        size, count = struct.unpack_from("<HH", data, 54)
        # type, flags, offset, virtual, physical, bytes in the file, bytes in memory, alignment
        self.segments = [struct.unpack_from("<IIQQQQQQ", data, headers + size * n) for n in range(count)]

    def loaded(self):
        return [s for s in self.segments if s[0] == PT_LOAD]

    def in_file(self):
        return sum(s[5] for s in self.loaded())

    def in_memory(self):
        return sum(s[6] for s in self.loaded())

    def find(self, code):
        """The addresses of `code` in what is executable."""
        found = []
        for _, flags, offset, virtual, _, size, _, _ in self.loaded():
            at = self.data.find(code, offset, offset + size) if flags & 1 else -1
            while at >= 0:
                found.append(virtual + at - offset)
                at = self.data.find(code, at + 1, offset + size)
        return found

    def pvh_entry(self):
        """The address that the note of the PVH protocol names, None without one."""
        name_at = self.data.find(struct.pack("<III4s", 4, 8, 18, b"Xen\0"))
        return None if name_at < 0 else struct.unpack_from("<Q", self.data, name_at + 16)[0]


def is_bzimage(data):
    return data[0x202:0x206] == BZIMAGE_MAGIC


def lz4_begin(packed, wanted):
    """The first `wanted` bytes, or a few more, of what a block of LZ4 holds: sequences of literals and a copy."""
    out, at = bytearray(), 0

    def length(short):
        nonlocal at
        more = short == 15
        while more:
            short += packed[at]
            more = packed[at] == 255
            at += 1
        return short

    while at < len(packed) and len(out) < wanted:
        token = packed[at]
        at += 1
        literals = length(token >> 4)
        out += packed[at : at + literals]
        at += literals
        if at >= len(packed):
            break
        back = packed[at] | packed[at + 1] << 8
        at += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-back])
    return bytes(out)


def bzimage_inside(data):
    """The beginning of the kernel that a bzImage packs, an ELF file: its headers. None when it is packed in
    another way than Debian packs its kernels."""
    start = (data[0x1F1] + 1) * 512 + struct.unpack_from("<I", data, 0x248)[0]
    if data[start : start + 4] != LZ4_MAGIC:
        return None
    size = struct.unpack_from("<I", data, start + 4)[0]
    return lz4_begin(data[start + 8 : start + 8 + size], 4096)


def entry(data):
    """The physical address of the first instruction, as QEMU's -kernel enters it."""
    return BZIMAGE_ENTRY if is_bzimage(data) else Elf(data).pvh_entry()


def sizes(data):
    """(bytes that a loader reads, bytes of memory that code and data take): None for what is not known."""
    if not is_bzimage(data):
        return Elf(data).in_file(), Elf(data).in_memory()
    inside = bzimage_inside(data)
    return len(data), Elf(inside).in_memory() if inside else None
