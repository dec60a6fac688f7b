# SPDX-License-Identifier: MIT
"""A machine that is looked at from outside while it boots, instruction by instruction.

QEMU starts it stopped, with a server for gdb; a breakpoint lets it run to an address. That QEMU records its run
is for one thing only: it then says how many instructions have been executed, exactly, whatever the guest knows of
itself.
"""
import json
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

DEADLINE = 300  # seconds for one run to an address
# Where the registers lie in gdb's answer, 8 bytes each; behind them the flags and the selectors, 4 bytes each.
REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)), "rip")
CS_OFFSET = 8 * len(REGISTERS) + 4


class Lost(Exception):
    """The machine did not get where it was to go."""


def connect(path, qemu):
    """A link to a socket that `qemu` makes in its first moments."""
    end = time.monotonic() + 20
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(str(path))
            link.settimeout(DEADLINE)
            return link
        except OSError:
            link.close()
            if time.monotonic() > end or qemu.poll() is not None:
                raise Lost(f"QEMU made no {path.name}") from None
            time.sleep(0.05)


class Monitor:
    """QEMU's control protocol: a line of JSON each way; events between the answers are passed over."""

    def __init__(self, path, qemu):
        self.stream = connect(path, qemu).makefile("rw")
        self.stream.readline()
        self("qmp_capabilities")

    def __call__(self, command):
        self.stream.write(json.dumps({"execute": command}) + "\n")
        self.stream.flush()
        while line := self.stream.readline():
            answer = json.loads(line)
            if "event" not in answer:
                return answer["return"]
        raise Lost("QEMU went away")


class Debugger:
    """gdb's remote protocol: $TEXT#SUM each way, '+' for received."""

    def __init__(self, path, qemu):
        self.link = connect(path, qemu)
        self.stream = self.link.makefile("rb")

    def __call__(self, text):
        self.link.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255))
        answer = b""
        while (byte := self.stream.read(1)) != b"#":
            if not byte:
                raise Lost("the machine ended")
            answer = b"" if byte in b"$+" else answer + byte
        self.stream.read(2)
        self.link.sendall(b"+")
        return answer.decode()


class Stopped:
    """The machine of QEMU's words `words`, before its first instruction. To be used with `with`."""

    def __init__(self, words):
        self.folder = tempfile.TemporaryDirectory(prefix="tessera-bench.")
        at = Path(self.folder.name)
        self.console = at / "console"
        self.qemu = subprocess.Popen(
            [
                *words,
                "-accel", "tcg,thread=single", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm",
                "-icount", f"shift=0,sleep=off,rr=record,rrfile={at}/record", "-S",
                "-chardev", f"socket,id=gdb,path={at}/gdb,server=on,wait=off", "-gdb", "chardev:gdb",
                "-qmp", f"unix:{at}/qmp,server=on,wait=off",
                "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            self.monitor = Monitor(at / "qmp", self.qemu)
            self.ask = Debugger(at / "gdb", self.qemu)
            self.ask("?")
        except (Lost, OSError) as error:
            self.__exit__()
            raise Lost(f"QEMU did not start, or ended at once: {error}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()
        self.folder.cleanup()

    def run_to(self, *addresses):
        """On, to where the next instruction lies at one of `addresses`. Returns which. The machine must not be
        at one of them already: a breakpoint there would hold it."""
        for address in addresses:
            if self.ask(f"Z1,{address:x},1") != "OK":
                raise Lost("QEMU takes no more breakpoints")
        try:
            self.ask("c")
        except OSError:
            raise Lost(f"not at {addresses[0]:#x} after {DEADLINE} s") from None
        for address in addresses:
            self.ask(f"z1,{address:x},1")
        now = self.registers()
        # In real mode the address of an instruction is in two parts.
        for at in (now["rip"], now["cs"] * 16 + now["rip"]):
            if at in addresses:
                return at
        raise Lost(f"stopped at {now['rip']:#x}, not at {addresses[0]:#x}")

    def registers(self):
        """Those of `REGISTERS`, and "cs"; its low two bits are 3 while a program runs, not the kernel."""
        answer = bytes.fromhex(self.ask("g"))
        values = dict(zip(REGISTERS, struct.unpack_from(f"<{len(REGISTERS)}Q", answer)))
        (values["cs"],) = struct.unpack_from("<I", answer, CS_OFFSET)
        return values

    def instructions(self):
        """How many were executed since the machine was switched on."""
        return self.monitor("query-replay")["icount"]
