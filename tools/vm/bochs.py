#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bochs.py - run a machine in Bochs.

usage: bochs.py FOLDER --iso FILE --mem MIB --cpus N [--cpu MODEL] [--timeout S]
                (--console FILE --output FILE --status FILE | --terminal)

Bochs with its terminal display wants a terminal: it gets a pseudo-terminal that is drained into the void.
What is said goes through serial ports. For one command the three ports are files (--output may be a
FIFO). With --terminal the first port is another pseudo-terminal, joined to this process's standard input and
output; Ctrl-] then x stops the machine.

Debian's Bochs has its debugger built in, which starts stopped: a file of commands says to go on.

Bochs ends when the kernel powers off through ACPI, or writes "Shutdown" to port 0x8900 (its way out for a
panic). It exits with 1 in both cases, so its own status says nothing; the exit status here is

    0    the machine has ended
    124  it was stopped after --timeout seconds
    126  Bochs could not run it: its complaint is on standard error
"""
import argparse
import os
import pty
import re
import select
import signal
import sys
import termios
import time
import tty
from pathlib import Path

STOP_KEY = b"\x1d"  # Ctrl-]
FIRMWARE = "/usr/share/bochs/BIOS-bochs-latest"
VIDEO = "/usr/share/bochs/VGABIOS-lgpl-latest"
# A kernel that panics without the argument panic=exit (Debian's) starts anew instead of ending.
PANICKED = re.compile(rb"Kernel panic")

CONFIGURATION = """\
config_interface: textconfig
display_library: term
plugin_ctrl: sb16=0, es1370=0, gameport=0, speaker=0, ne2k=0, usb_uhci=0
cpu: model={model}, count={cpus}, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={mem}, host={host}
romimage: file={firmware}
vgaromimage: file={video}
vga: extension=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
{serial}
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
clock: sync=none
"""


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=Path)
    p.add_argument("--iso", required=True)
    p.add_argument("--mem", type=int, required=True)
    p.add_argument("--cpus", type=int, required=True)
    p.add_argument("--cpu", default="corei7_skylake_x")
    p.add_argument("--timeout", type=float)
    p.add_argument("--console")
    p.add_argument("--output")
    p.add_argument("--status")
    p.add_argument("--terminal", action="store_true")
    return p.parse_args()


def configuration(a, serial):
    return CONFIGURATION.format(
        model=a.cpu, cpus=a.cpus, mem=a.mem, host=min(a.mem, 1024), iso=a.iso, firmware=FIRMWARE, video=VIDEO,
        serial="\n".join(serial), log=a.folder / "bochs.log",
    )


def spawn(a):
    """Start Bochs on a pseudo-terminal of its own: its pid and the terminal's other side."""
    pid, screen = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "vt100"
        os.environ["BOCHSRC"] = "/dev/null"
        os.execvp("bochs", ["bochs", "-q", "-f", str(a.folder / "bochsrc"), "-rc", str(a.folder / "go")])
    return pid, screen


def complaint(a):
    """The line of Bochs's log that says why it gave up, unless it was asked to end."""
    log = a.folder / "bochs.log"
    text = log.read_text("latin-1") if log.exists() else ""
    for line in re.findall(r"^\d+p\[[^\]]*\] >>PANIC<< (.*)", text, re.M):
        if "soft power off" not in line and "hutdown" not in line:
            return line
    return None


def why_not(screen_text):
    """What Bochs said on its terminal before it had a log."""
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()=>][0-9A-Z]?", b"", screen_text)
    lines = [line.strip() for line in text.decode("latin-1").splitlines()]
    return "\n".join(line for line in lines if "error" in line.lower() or "panic" in line.lower()) or "\n".join(lines[-5:])


class Keyboard:
    """The user's keys on their way to the machine; the stop key, then x, ends it."""

    def __init__(self):
        self.escaped = False

    def take(self, data):
        """The bytes to pass on, or None: stop."""
        out = bytearray()
        for i in range(len(data)):
            byte = data[i:i + 1]
            if self.escaped:
                self.escaped = False
                if byte == b"x":
                    return None
                out += STOP_KEY + byte
            elif byte == STOP_KEY:
                self.escaped = True
            else:
                out += byte
        return bytes(out)


def run(a):
    serial, line, guest = [], None, None
    if a.terminal:
        line, guest = pty.openpty()
        tty.setraw(guest)
        serial.append(f"com1: enabled=1, mode=term, dev={os.ttyname(guest)}")
        serial += ["com2: enabled=1, mode=null", "com3: enabled=1, mode=null"]
    else:
        for port, file in enumerate((a.console, a.output, a.status), 1):
            serial.append(f"com{port}: enabled=1, mode=file, dev={file}")
    (a.folder / "bochsrc").write_text(configuration(a, serial))
    (a.folder / "go").write_text("c\n")

    pid, screen = spawn(a)
    stopped, panicked, keys, seen = None, False, Keyboard(), b""
    end = time.monotonic() + a.timeout if a.timeout else None

    def stop(signo, _):
        os.kill(pid, signal.SIGKILL)
        sys.exit(128 + signo)

    for signo in (signal.SIGTERM, signal.SIGHUP) + (() if a.terminal else (signal.SIGINT,)):
        signal.signal(signo, stop)
    # Keys that come from a file wait until the machine has said something: a serial line has no patience.
    sources = [screen] + ([line] if a.terminal else []) + ([0] if a.terminal and os.isatty(0) else [])
    patient = a.terminal and not os.isatty(0)
    while True:
        ready, _, _ = select.select(sources, [], [], 0.5)
        if screen in ready:
            try:
                data = os.read(screen, 65536)
            except OSError:
                data = b""
            if not data:
                break
            seen = (seen + data)[-20000:]
        if line in ready:
            os.write(1, os.read(line, 65536))
            if patient:
                patient = False
                sources.append(0)
        if 0 in ready:
            data = os.read(0, 4096)
            passed = keys.take(data)
            if passed is None:
                stopped = 0
            elif data:
                os.write(line, passed)
            else:
                sources.remove(0)
        if end and time.monotonic() > end:
            stopped = 124
        if not panicked and a.console and PANICKED.search(Path(a.console).read_bytes()):
            panicked, end = True, min(end or 1e18, time.monotonic() + 2)
        if stopped is not None:
            os.kill(pid, signal.SIGKILL)
            break
    os.waitpid(pid, 0)
    if line is not None:
        ready, _, _ = select.select([line], [], [], 0)
        if ready:
            os.write(1, os.read(line, 65536))
    if stopped is not None:
        return 0 if panicked else stopped
    log = a.folder / "bochs.log"
    if not log.exists() or ">>PANIC<<" not in log.read_text("latin-1"):
        print(why_not(seen), file=sys.stderr)
        return 126
    reason = complaint(a)
    if reason:
        print(f"Bochs: {reason}", file=sys.stderr)
        return 126
    return 0


def main():
    a = parse()
    saved = termios.tcgetattr(0) if a.terminal and os.isatty(0) else None
    if saved:
        tty.setraw(0)
    try:
        return run(a)
    finally:
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)


sys.exit(main())
