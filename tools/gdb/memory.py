# SPDX-License-Identifier: MIT
"""Memory, what processes hold, the log and the traces; and symbols for a kernel that moved itself."""
import re

import gdb
from kernel import Command, cpus, find_process, rb_walk, static, string, value

# kernel/debug/log.h: struct log_record
RECORD_HEAD, PADDING = 24, 0xFF


class Memory(Command):
    """Zones, and what frames are used for."""

    name = "tessera-memory"

    def run(self, arguments):
        zones = static("kernel/mm/frames.c", "zones")
        for i in range(zones.type.range()[1] + 1):
            b = zones[i]["buddy"]
            blocks = [int(b["blocks"][k]) for k in range(b["blocks"].type.range()[1] + 1)]
            print(f"{string(zones[i]['name'])}: {int(b['frames'])} frames free; blocks of 2^k: {blocks}")
        print(f"{int(static('kernel/mm/frames.c', 'total_frames'))} frames in all")
        sums = {}
        caches = static("kernel/mm/frames.c", "caches")
        boot = static("kernel/mm/frames.c", "boot_cache")
        seen = {int(boot.address): boot}
        for i in range(caches.type.range()[1] + 1):
            if caches[i]:
                seen[int(caches[i])] = caches[i].dereference()
        for f in gdb.lookup_type("enum frame_count").fields():
            if f.enumval < boot["counts"].type.range()[1] + 1:
                sums[f.name.removeprefix("COUNT_").lower()] = sum(int(c["counts"][f.enumval]) for c in seen.values())
        print(", ".join(f"{name} {n}" for name, n in sums.items()))


class Slabs(Command):
    """Caches of kernel objects: size, objects in use, slabs, pages."""

    name = "tessera-slabs"

    def run(self, arguments):
        print(f"{'cache':20} {'size':>6} {'in use':>8} {'slabs':>6} {'pages':>6}")
        cache = static("kernel/mm/slab.c", "all_caches")
        for _ in range(1000):
            if not cache:
                return
            used, magazines = int(cache["out"]), cache["magazines"]
            for i in range(magazines.type.range()[1] + 1):
                if magazines[i]:
                    used -= int(magazines[i]["count"])
            slabs, shape = int(cache["slabs"]), cache["shape"]
            print(
                f"{string(shape['name']):20} {int(shape['stride']):6} {used:8} {slabs:6} {slabs << int(cache['order']):6}"
            )
            cache = cache["next"]


class AddressSpace(Command):
    """The mappings of a process: tessera-as PID"""

    name = "tessera-as"

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("of which process? (a pid)")
        space = find_process(arguments[0])["as"]
        if not space:
            raise gdb.GdbError("it has no address space: it has ended")
        print(
            f"address space {int(space['id'])}: {int(space['mapping_count'])} mappings, {int(space['total_pages'])} pages,"
            f" resident {int(space['rss_anon'])} anonymous {int(space['rss_file'])} file {int(space['rss_shared'])} shared"
        )
        for m in rb_walk(space["mappings"], "struct mapping", "node"):
            flags = int(m["flags"])
            rwx = "".join(c if flags & 1 << i else "-" for i, c in enumerate("rwx")) + ("s" if flags & 8 else "p")
            name = string(m["file"]["dentry"]["name"]) if m["file"] and m["file"]["dentry"] else ""
            print(f"  {int(m['start']):012x}-{int(m['end']):012x} {rwx} page {int(m['object_page'])} {name}")


class Handles(Command):
    """The handles of a process, with types and rights: tessera-handles PID"""

    name = "tessera-handles"

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("of which process? (a pid)")
        table = find_process(arguments[0])["handles"]
        for fd in range(int(table["size"]) if table else 0):
            handle = table["handles"][fd]
            f = handle["file"]
            if int(f) <= 1:
                continue
            cloexec = " close-on-exec" if handle["close_on_exec"] else ""
            name = f' "{string(f["dentry"]["name"])}"' if f["dentry"] else ""
            kind = string(f["ops"]["name"])
            print(f"{fd}: file {int(f):#x} rights {int(handle['rights']):#x}{cloexec}  {kind}{name}, {f['refs']}")


class Fds(Handles):
    """The handles of a process: tessera-fds PID"""

    name = "tessera-fds"


class Log(Command):
    """The last lines of the log: tessera-log [N]"""

    name = "tessera-log"

    def run(self, arguments):
        ring = static("kernel/debug/log.c", "ring")
        size, at, head = ring["bytes"].type.sizeof, int(ring["tail"]), int(ring["head"])
        data = gdb.selected_inferior().read_memory(int(ring["bytes"].address), size).tobytes()
        lines = []
        while at < head:
            place = at % size
            level = data[place + 18] if size - place >= RECORD_HEAD else PADDING
            if level == PADDING:
                at += size - place
                continue
            time = int.from_bytes(data[place + 8 : place + 16], "little")
            length = int.from_bytes(data[place + 16 : place + 18], "little")
            words = data[place + RECORD_HEAD : place + RECORD_HEAD + length].decode("utf-8", "replace")
            lines.append(f"[{time / 1e9:12.6f}] {words}")
            at += (RECORD_HEAD + length + 7) // 8 * 8
        for line in lines[-int(arguments[0]) if arguments else -30 :]:
            print(line)


class Trace(Command):
    """The last records of all CPUs' trace rings: tessera-trace [N]"""

    name = "tessera-trace"

    def run(self, arguments):
        events, records = value("trace_events"), []
        for c in cpus():
            ring = c["trace"]
            if not ring:
                continue
            mask, head = int(ring["mask"]), int(ring["head"])
            for p in range(max(int(ring["start"]), head - mask - 1), head):
                r = ring["slot"][p & mask]
                if int(r["sequence"]) == p + 1:
                    records.append((int(r["time"]), r))
        if not records:
            print("nothing was recorded: /proc/tessera/trace/enable, or the argument trace=")
        records.sort(key=lambda r: r[0])
        for time, r in records[-int(arguments[0]) if arguments else -40 :]:
            info = events[int(r["event"])]
            fields = [
                f"{string(info['field'][i]['name'])}={int(r['word'][i]):#x}" for i in range(int(info["fields"]))
            ]
            print(
                f"{(time & ~(1 << 63)) / 1e9:14.9f} cpu {int(r['cpu'])} tid {int(r['tid'])} {string(info['name'])} {' '.join(fields)}"
            )


class Slide(Command):
    """
    Load symbols where the kernel is, if it moved itself at boot (it does without nokaslr): the IDT, which QEMU
    tells the place of, is a variable of the kernel.
    """

    name = "tessera-slide"

    def run(self, arguments):
        registers = gdb.execute("monitor info registers", to_string=True)
        there = int(re.search(r"IDT= *([0-9a-f]+)", registers)[1], 16)
        slide = there - int(value("(unsigned long)&idt"))
        file = gdb.current_progspace().filename
        if slide:
            gdb.execute(f"symbol-file -o {slide:#x} {file}", to_string=True)
        print(f"the kernel is {slide:#x} above its linked address")


for command in (Memory, Slabs, AddressSpace, Handles, Fds, Log, Trace, Slide):
    command()
