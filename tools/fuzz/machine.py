# SPDX-License-Identifier: MIT
"""A machine that runs the system-call fuzzer: start it, follow what it says, judge how it ended.

The fuzzer writes each program to pages of its own before it runs (tests/fuzz/syscall/shared.h). The machine's
memory is a file of the host's, so those pages are there to read after a panic, a hang, or SIGKILL.
"""
import mmap
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import look  # noqa: E402

TOP = Path(__file__).resolve().parent.parent.parent
MAGIC = b"tessera-fuzz-log"
RUNNING = 1
START = 180  # seconds in which a machine may be silent until the fuzzer has said its first word
STUCK = "finding: a process cannot be killed"

# What a kernel says on its console when something is wrong, the reason behind.
TROUBLE = re.compile(
    r"(PANIC: .*|WARNING: .*|BUG: .*|KASAN: .*|UBSAN: .*|KCSAN: .*|lock order: .*|assertion failed.*)"
)


def reason_name(reason):
    """The reason without what differs from time to time: addresses, numbers, names of programs."""
    text = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", "N", reason)
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:80]


@dataclass
class Program:
    worker: int
    number: int
    running: bool
    text: str


@dataclass
class Ended:
    """One run of a machine."""

    status: int = 0
    reason: str = ""  # empty: nothing was wrong
    console: str = ""
    said: list = field(default_factory=list)  # the fuzzer's lines
    kept: list = field(default_factory=list)  # programs for the corpus
    programs: list = field(default_factory=list)  # the log, oldest first
    stats: dict = field(default_factory=dict)
    kdb: str = ""  # of a machine that hung: what kdb said of its threads

    def running(self):
        return [p for p in self.programs if p.running]


def read_log(path):
    """The programs in a machine's memory, in the order of their numbers."""
    parts = {}
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as memory:
        at = memory.find(MAGIC)
        while at >= 0:
            if at % 4096 == 0:
                worker, state, number, part, count, length = struct.unpack_from(
                    "<IIQIII", memory, at + 16
                )
                text = memory[at + 72 : at + 72 + min(length, 4024)]
                parts.setdefault((number, worker), {})[part] = (state, count, text)
            at = memory.find(MAGIC, at + 16)
    programs = []
    for (number, worker), pages in sorted(parts.items()):
        state, count, _ = pages.get(0, (0, 0, b""))
        if count and all(i in pages for i in range(count)):
            text = b"".join(pages[i][2] for i in range(count)).decode("utf-8", "replace")
            programs.append(Program(worker, number, state == RUNNING, text))
    return programs


class Follower(threading.Thread):
    """Reads what the fuzzer says as it comes."""

    def __init__(self, stream, ended, tell):
        super().__init__(daemon=True)
        self.stream, self.ended, self.tell = stream, ended, tell
        self.last = time.monotonic()
        self.stuck = False  # a process does not die: kdb shall say where it is

    def run(self):
        program = None
        for raw in self.stream:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            self.last = time.monotonic()
            if line == "program":
                program = []
            elif line == "end" and program is not None:
                self.ended.kept.append("\n".join(program) + "\n")
                program = None
            elif program is not None:
                program.append(line)
            else:
                self.ended.said.append(line)
                self.stuck |= line == STUCK
                if line.startswith("stat seconds="):
                    self.ended.stats = dict(w.split("=") for w in line.split()[1:])
                    self.tell(self.ended.stats)


def run(command, adds, *, build="kcov", cpus=2, mem=512, limit=120, silence=150, append="", tell=None):
    """Run `command` in a machine for at most `limit` seconds from the fuzzer's first word on; one that says nothing
    for `silence` seconds hangs, and so does one that knows no end."""
    ended = Ended()
    with tempfile.TemporaryDirectory(prefix="tessera-fuzz.") as folder:
        memory, console = Path(folder, "memory"), Path(folder, "console")
        words = [str(TOP / "tessera"), "vm", "--build", build, "--cpus", str(cpus), "--mem", str(mem)]
        words += ["--mem-file", str(memory), "--console", str(console), "--timeout", str(int(limit) + START + 60)]
        # The ways in for look.py, should the machine hang.
        sockets = Path(folder, "console.socket"), Path(folder, "monitor.socket")
        words += ["--console-socket", str(sockets[0]), "--qemu", f"-qmp unix:{sockets[1]},server=on,wait=off"]
        words += ["--append", append] if append else []
        for host, guest in adds:
            words += ["--add", f"{host}:{guest}"]
        machine = subprocess.Popen(
            [*words, "--", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        follower = Follower(machine.stdout, ended, tell or (lambda stats: None))
        errors = []
        drain = threading.Thread(target=lambda: errors.append(machine.stderr.read()), daemon=True)
        follower.start()
        drain.start()
        silent = False
        end = None
        while machine.poll() is None:
            time.sleep(0.2)
            now = time.monotonic()
            if end is None and ended.said:
                end = now + limit
            if follower.stuck and not silent:
                time.sleep(5)  # the program's text comes behind
            patience = silence if ended.said else max(silence, START)
            late = end is not None and now > end
            if (now - follower.last > patience or late or follower.stuck) and not silent:
                silent = True
                ended.kdb = look.ask(*sockets)
                machine.terminate()
        ended.status = machine.wait()
        follower.join(10)
        drain.join(10)
        ended.console = console.read_text("utf-8", "replace") if console.exists() else ""
        if memory.exists():
            ended.programs = read_log(memory)
    ended.reason = judge(ended, silent)
    if ended.reason.startswith("the machine did not start"):
        ended.console += b"".join(errors).decode("utf-8", "replace")
    return ended


def judge(ended, silent):
    """What was wrong, in one line; empty: nothing."""
    trouble = TROUBLE.search(ended.console)
    if trouble:
        return trouble[1].strip()
    findings = [line for line in ended.said if line.startswith("finding: ")]
    if findings:
        return findings[0]
    if silent or ended.status == 124:
        return "hang: the machine said nothing more"
    if ended.status == 126 or not ended.said:
        return f"the machine did not start (status {ended.status})"
    if ended.status not in (0, 3):
        return f"the machine ended with status {ended.status}"
    return ""
