# SPDX-License-Identifier: MIT
"""What a disk may hold after its power was cut, made from a record of all writes to it; and whether that will do.

The record is in the format of Linux's dm-log-writes, which QEMU's blklogwrites writes (`--disk FILE,log=LOG`). It begins
with a block that has a magic number; then for each request a sector of header, and its data:

    offset  bytes  field, little-endian
         0      8  first sector          16  8  flags: 1 flush, 2 forced unit access, 4 discard, 8 mark
         8      8  sectors               24  8  length of a mark's text

A cut at any place in the record: what was written before the last flush that was asked for before the cut is there. Of
later writes each piece of 4 KiB, by itself, is there or not: no order, no more. tests/files/durable.c puts a mark into
the same record, by a write to a block behind the file system, after each step that must survive from there on.
"""
import random
import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
PIECE = 4096
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
LINE = 18
INSIDE = "kept"  # the folder that durable.c was given


@dataclass
class Entry:
    at: int
    data: bytes
    flags: int


def read_log(path):
    """The requests in their order; the last may be cut off, as the machine was."""
    raw = Path(path).read_bytes()
    if len(raw) < SECTOR or struct.unpack_from("<Q", raw)[0] != MAGIC:
        raise ValueError(f"{path} is no record of writes")
    step = struct.unpack_from("<I", raw, 24)[0]
    entries, at = [], step
    while at + step <= len(raw):
        sector, sectors, flags, length = struct.unpack_from("<QQQQ", raw, at)
        size = 0 if flags & DISCARD else sectors * step
        if length or sectors > 1 << 20 or not (sectors or flags) or at + step + size > len(raw):
            break
        entries.append(Entry(sector * step, raw[at + step : at + step + size], flags))
        at += step + size
    return entries


def marks_in(entries, where):
    """[(index, [word..])]: what durable.c said, and where in the record."""
    found = []
    for index, entry in enumerate(entries):
        if entry.at == where and entry.data.startswith(b"durable: "):
            found.append((index, entry.data.split(b"\0")[0].decode().split()[1:]))
    return found


class Disk:
    """The states of a disk along a record; cuts are asked for in ascending order."""

    def __init__(self, image, entries):
        self.safe = bytearray(image)
        self.entries = entries
        self.done = 0  # entries before this are in `safe`

    def _write(self, disk, entry, keep=lambda: True):
        for at in range(0, len(entry.data), PIECE):
            if keep():
                piece = entry.data[at : at + PIECE]
                disk[entry.at + at : entry.at + at + len(piece)] = piece

    def cut(self, index, keep):
        """What may be there after a cut before entry `index`; keep(): whether this piece was written."""
        flushed = max((i for i in range(self.done, index) if self.entries[i].flags & FLUSH), default=self.done)
        for entry in self.entries[self.done : flushed]:
            self._write(self.safe, entry)
        self.done = flushed
        disk = bytearray(self.safe)
        for entry in self.entries[flushed:index]:
            self._write(disk, entry, (lambda: True) if entry.flags & FUA else keep)
        return disk


def text(k, length):
    lines = -(-length // LINE)
    return "".join(f"{k:08d}:{n:08d}\n" for n in range(lines)).encode()[:length]


class Judge:
    """Follows the marks, and compares with what is in a folder."""

    def __init__(self):
        self.log, self.files, self.trees = [], {}, {}
        self.slots = {"table": {}, "mapped": {}}
        self.current, self.begun = None, False

    def take(self, word, k, value="0"):
        k, value = int(k), int(value)
        if word == "begin":
            self.begun = True
        elif word == "log":
            self.log.append((k, value))
        elif word in self.slots:
            self.slots[word][value] = k
        elif word == "file":
            self.files[k] = value
        elif word == "tree":
            self.trees[k] = value
        elif word == "renamed":
            self.current = (k, value)
        elif word == "remove":
            del self.files[k]

    def missing(self, folder):
        """What was promised and is not there: a list of lines. `replaced`: of these only the rename in its midst."""
        wrong = []

        def there(name):
            path = folder / name
            return path.read_bytes() if path.is_file() else None

        if not self.begun:
            return wrong
        want = b"".join(text(k, length) for k, length in self.log)
        if not (there("log") or b"").startswith(want):
            wrong.append(f"log: {len(there('log') or b'')} bytes, {len(want)} were promised")
        for name, slots in self.slots.items():
            data = there(name) or b""
            for slot, k in slots.items():
                block = data[slot * 4096 : slot * 4096 + 4096]
                found = int(block[:8]) if re.fullmatch(rb"\d{8}", block[:8]) else -1
                # The step that was under way may have come further than it could say.
                if found < k or block != text(found, 4096):
                    wrong.append(f"{name}, slot {slot}: {found}, promised {k}")
        for kind, promised in (("file-{}", self.files), ("tree-{}/file", self.trees)):
            for k, length in promised.items():
                data = there(kind.format(k))
                if data != text(k, length):
                    wrong.append(f"{kind.format(k)}: {'missing' if data is None else 'other contents'}")
        if self.current:
            data = there("current")
            found = int(data[:8]) if data and re.fullmatch(rb"\d{8}", data[:8]) else -1
            if data is None and there("current.new") is not None:
                wrong.append("current: gone in the midst of a rename")
            elif found < self.current[0] or data != text(found, len(data)):
                wrong.append(f"current: {found}, promised {self.current[0]}")
        return wrong


@dataclass
class Verdict:
    cuts: int = 0
    repaired: int = 0
    unfixed: int = 0
    between_names: int = 0
    lost: tuple = ()

    def __str__(self):
        lines = "\n".join(self.lost[:40])
        return (
            f"{self.cuts} cuts, {self.repaired} repaired, {self.unfixed} not repaired, {self.between_names} in the midst"
            f" of a rename, {len(self.lost)} with losses\n{lines}"
        )


def e2fsck(image, how):
    return subprocess.run(["e2fsck", how, str(image)], capture_output=True, text=True)


def places(entries, marks, count, seed):
    """Where to cut: behind each mark, where the promise is freshest, and anywhere."""
    draw = random.Random(seed)
    first = marks[0][0]
    all_places = [index + 1 for index, _ in marks] + list(range(first, len(entries) + 1))
    chosen = [index + 1 for index, _ in marks][:: max(1, len(marks) * 2 // count)]
    return sorted(set(chosen + draw.sample(all_places, min(count // 2, len(all_places)))))


def try_cuts(before, log, where, folder, count, seed=1):
    """Cut at some `count` places; each disk is repaired, compared, and must then be clean."""
    entries = read_log(log)
    marks = marks_in(entries, where)
    if len(marks) < 3:
        raise ValueError(f"{log}: {len(entries)} entries, {len(marks)} marks")
    disk, judge, verdict, lost, next_mark = Disk(before, entries), Judge(), Verdict(), [], 0
    draw = random.Random(seed)
    for number, index in enumerate(places(entries, marks, count, seed)):
        while next_mark < len(marks) and marks[next_mark][0] < index:
            judge.take(*marks[next_mark][1])
            next_mark += 1
        # Nothing more than what was promised; or some of the rest, often much, often little.
        share = 0 if number % 3 == 0 else draw.random()
        image, tree = folder / "cut.img", folder / f"tree-{number}"
        image.write_bytes(disk.cut(index, lambda: draw.random() < share))
        fsck = e2fsck(image, "-fy")
        verdict.cuts += 1
        verdict.repaired += fsck.returncode == 1
        if fsck.returncode > 3 or e2fsck(image, "-fn").returncode != 0:
            verdict.unfixed += 1
            lost.append(f"cut at {index} of {len(entries)}: e2fsck {fsck.returncode}\n{fsck.stdout[-600:]}")
            continue
        tree.mkdir()
        subprocess.run(["debugfs", "-R", f'rdump /{INSIDE} "{tree}"', str(image)], capture_output=True)
        wrong = judge.missing(tree / INSIDE)
        subprocess.run(["rm", "-rf", tree])
        verdict.between_names += any("midst of a rename" in line for line in wrong)
        wrong = [line for line in wrong if "midst of a rename" not in line]
        if wrong:
            lost.append(f"cut at {index} of {len(entries)}, {share:.2f} of the rest kept: {'; '.join(wrong[:3])}")
    verdict.lost = tuple(lost)
    return verdict
