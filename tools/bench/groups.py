# SPDX-License-Identifier: MIT
"""What `tessera bench` measures: each group's machine and program.

The figures must say something about the kernels and not about the emulator. Under --icount a repeated string
instruction counts once for each of its elements, and Linux chooses bytes where the processor says that its byte
moves are fast: one nanosecond a byte, which no processor takes. So the processor of the counted groups does not
say so (-erms, -fsrm), and both kernels move eight bytes at a time. Linux runs without mitigations, which Tessera
does not need on this processor either, and trusts the TSC as Tessera does.
"""
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PLAIN = ("--cpu", "max,-erms,-fsrm")
LINUX = ("--append", "mitigations=off tsc=reliable")


@dataclass
class Group:
    """A machine and what runs in it.

    command: what runs in the machine; the words that choose items are put behind it. seconds: when a machine
    has hung. cpus: 0 is one processor, counted. machine: more options of `tessera vm`. items: the names of the
    items, where they are known without asking the machine."""

    name: str
    title: str
    command: str
    seconds: int = 300
    cpus: int = 0
    paired: bool = False
    in_mean: bool = True
    machine: list = field(default_factory=list)
    items: list = field(default_factory=list)

    def may_have(self, words):
        """Whether some item may begin with one of `words`."""
        return not words or not self.items or any(i.startswith(tuple(words)) for i in self.items)

    def options(self, kernel):
        timed = ["--cpus", str(self.cpus)] if self.cpus else ["--icount", *PLAIN]
        return [*timed, *(LINUX if kernel == "linux" else ()), *self.machine]

    def figures(self, kernel, words, run_machine):
        """{name: (unit, value)} on one kernel, of the items that begin with one of `words`."""
        return run_machine(kernel, self, " ".join([self.command, *words]))


PROGRAMS = TOP / "bench/programs"
ITEM = re.compile(r"^(?:ITEM|RATE)\w*\((\w+)", re.M)
WORKERS = re.compile(r"^(?:WORKERS|ITEM_OF)\((\w+)", re.M)


def programs(name, title):
    """The group of bench/programs/NAME.sh, which says itself what packages it wants and what it measures."""
    script = (PROGRAMS / f"{name}.sh").read_text()
    mem = re.search(r"^# mem: (\d+)", script, re.M)
    machine = ["--mem", mem[1] if mem else "1024", "--add", f"{PROGRAMS}:/bench/programs", "--add", f"{TOP}/bench:/bench/source",
               "--add", f"{TOP}/build/bench/stopwatch:/bench/stopwatch"]
    for packages in re.findall(r"^# packages: (.*)", script, re.M):
        machine += ["--with", ",".join(packages.split())]
    items = re.findall(r"^\s*stopwatch (?:-\w (?:'[^']*'|\S+) )*(\w+)", script, re.M)
    return Group(name, title, f"/bench/programs/run {name}", seconds=900, machine=machine, items=items)


def parallel(name, cpus, workers, title):
    """The group of bench/parallel in a machine of so many processors."""
    return Group(
        name, f"{title}, and how many flush interrupts an operation takes", f"/bench/parallel {workers}",
        seconds=900, cpus=cpus, paired=True, in_mean=False,
        machine=["--add", f"{TOP}/build/bench/parallel:/bench/parallel"],
        items=[i for f in (TOP / "bench/parallel").glob("*.c") for i in WORKERS.findall(f.read_text())],
    )


@dataclass
class Disks(Group):
    """Two disks, virtio and NVMe, in files of the host's memory; Linux has its own drivers, and ext4 and FUSE."""

    modules: str = "virtio_pci,virtio_blk,nvme,crc32c_generic,ext4,fuse"
    size: int = 128 << 20

    def options(self, kernel):
        words = super().options(kernel)
        for name, option in (("virtio", "--disk={}"), ("nvme", "--device=nvme,serial=nvme,addr=9,file={}")):
            file = TOP / f"build/bench/disk.{name}"
            with open(file, "wb") as out:
                for _ in range(self.size >> 20):
                    out.write(bytes(1 << 20))
            words += option.format(file).split("=", 1)
        return words + (["--module", self.modules] if kernel == "linux" else [])


def disk_items():
    """What bench/disk/run prints, in its order."""
    sizes = [(rw, size) for rw in ("read", "write", "randread", "randwrite") for size in ("4k", "128k")]
    names = [f"{d}_{rw}_{size}.q{n}" for d in ("virtio", "nvme") for rw, size in sizes for n in (1, 32)]
    names += [f"cached_{rw}_{size}" for rw, size in sizes[:4]]
    names += [f"{fs}_{what}" for fs in ("fuse2fs", "ext4") for what in ("create", "read", "delete", "untar")]
    return names + [f"recovery_{d}{tail}" for d in ("virtio_blk", "nvme") for tail in ("", ".p99", ".longest")]


WIRE = TOP / "bench/wire"
WIRE_PROGRAM = TOP / "build/bench/wire"
WIRE_ITEMS = re.findall(r'^\t\{ "(\w+)", "', (WIRE / "wire.c").read_text(), re.M)
SERVERS = re.findall(r"^\titem (\w+)", (WIRE / "run").read_text(), re.M)
RECOVERY = [f"{what}{tail}" for what in ("recovery_byte", "recovery_connect") for tail in ("", ".p99", ".longest")]


@contextmanager
def on_the_host(*words):
    """bench/wire's program on the host meanwhile: the first word that it says."""
    process = subprocess.Popen([WIRE_PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def with_prefix(prefix, names):
    return [f"{prefix}_{name}" for name in names]


@dataclass
class Wire(Group):
    """A machine that asks a server on the host, which QEMU's user network shows as 10.0.2.2."""

    kills: int = 100

    def options(self, kernel):
        return [*super().options(kernel), *PLAIN, "--net", "user", "--add", f"{WIRE_PROGRAM}:/wire"]

    def figures(self, kernel, words, run_machine):
        with on_the_host("serve", "127.0.0.1") as port:
            command = f"/wire ask {self.name} 10.0.2.2 {port} {' '.join(words)}"
            recovery = with_prefix(self.name, RECOVERY)
            if kernel == "tessera" and (not words or any(i.startswith(tuple(words)) for i in recovery)):
                command += f" && /wire recover {self.name} 10.0.2.2 {port} {self.kills}"
            return run_machine(kernel, self, command)


@dataclass
class Machines(Group):
    """Two machines of the same kernel on one cable: one serves, the other asks, and its figures count."""

    packages: str = "redis-server,redis-tools,nginx-light,wrk"

    def options(self, kernel):
        return [*super().options(kernel), *PLAIN, "--append", "net=off", "--net", f"hub={self.cable}", "--mem", "640",
                "--with", self.packages, "--add", f"{WIRE_PROGRAM}:/wire", "--add", f"{WIRE}/run:/run_wire"]

    def figures(self, kernel, words, run_machine):
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
            self.cable = f"{folder}/cable"
            with on_the_host("join", self.cable):
                server = pool.submit(run_machine, kernel, self, "sh /run_wire serve")
                figures = run_machine(kernel, self, " ".join(["sh /run_wire ask", *words]))
                server.result()
                return figures


GROUPS = [
    Group("calls", "what a program asks of the kernel, one call or a few at a time; instructions on one processor",
          "/bench/calls", seconds=600, machine=["--add", f"{TOP}/build/bench/calls:/bench/calls"],
          items=[i for f in (TOP / "bench/calls").glob("*.c") for i in ITEM.findall(f.read_text())]),
    programs("start", "programs of Debian that start and end, and a script; instructions on one processor"),
    programs("files", "ten thousand files looked for, packed, copied, removed; the same"),
    programs("data", "data bases, a server, messages between processes, programs that compute; the same"),
    programs("network", "redis and nginx over TCP within the machine; the same"),
    programs("builds", "a compiler, and make; the same"),
    programs("java", "a Java virtual machine that starts; the same"),
    parallel("parallel", 4, "1,4", "what several processors do at once: 1 and 4 workers on four"),
    parallel("parallel_2", 2, "2", "the same: 2 workers on two"),
    Disks("disk", "disks by fio, ext4 by fuse2fs, and how soon a driver that was killed is back; wall time on two processors",
          "/bench/disk/run", seconds=600, cpus=2, paired=True, in_mean=False, items=disk_items(),
          machine=["--mem", "1024", "--with", "fio,fuse2fs,e2fsprogs,fuse,procps,mount,tar", "--add", f"{TOP}/bench/disk:/bench/disk",
                   "--add", f"{TOP}/build/bench/recovery:/recovery", "--add", f"{TOP}/build/bench/many:/many"]),
    Wire("wire", "TCP and UDP through a virtio card with the host, and how soon a network stack that was killed is back; "
         "wall time on two processors", "", seconds=600, cpus=2, paired=True, in_mean=False,
         items=with_prefix("wire", WIRE_ITEMS + RECOVERY)),
    Wire("wire_1", "the same on one processor", "", seconds=600, cpus=1, paired=True, in_mean=False,
         items=with_prefix("wire_1", WIRE_ITEMS + RECOVERY)),
    Machines("machines", "the same between two machines of one processor each, and redis and nginx; wall time", "",
             seconds=600, cpus=1, paired=True, in_mean=False, items=with_prefix("machines", WIRE_ITEMS + SERVERS)),
]
