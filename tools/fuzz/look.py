# SPDX-License-Identifier: MIT
"""Look at a machine that says nothing more: into kdb by its NMI button, and ask what everybody does.

The button is pressed through QEMU's monitor, so no program and no lock of the kernel needs to answer; the
commands go in by the console, whose other end is a socket here. What kdb says is in the console's log too.
"""
import json
import socket
import time

PROMPT = b"kdb> "
COMMANDS = ("cpus", "ps", "bta", "locks", "timers")


def press_nmi(path):
    """QEMU's `nmi`, in its monitor's JSON."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(10)
        monitor.connect(str(path))
        lines = monitor.makefile("rwb")
        lines.readline()  # its greeting
        for command in "qmp_capabilities", "inject-nmi":
            lines.write(json.dumps({"execute": command}).encode() + b"\n")
            lines.flush()
            while b'"event"' in (answer := lines.readline()):
                pass
            if b"error" in answer or not answer:
                raise OSError(f"{command}: {answer!r}")


def read_to_prompt(console, seconds):
    said, end = b"", time.monotonic() + seconds
    while not said.endswith(PROMPT) and time.monotonic() < end:
        try:
            more = console.recv(65536)
        except TimeoutError:
            continue
        if not more:
            break
        said += more
    return said


def ask(console_path, monitor_path, seconds=90):
    """Returns kdb's answers as one text, or says why there are none."""
    end = time.monotonic() + seconds
    said = b""
    try:
        with socket.socket(socket.AF_UNIX) as console:
            console.settimeout(0.5)
            console.connect(str(console_path))
            press_nmi(monitor_path)
            # Who comes by the NMI has to say so first: the prompt appears when the sender presses a key.
            console.sendall(b"\r")
            said = read_to_prompt(console, 20)
            if PROMPT not in said:
                return said.decode("utf-8", "replace") + "kdb did not answer the NMI\n"
            for command in ("more off", *COMMANDS):
                console.sendall(command.encode() + b"\r")
                said += read_to_prompt(console, max(1, min(40, end - time.monotonic())))
    except OSError as error:
        return said.decode("utf-8", "replace") + f"kdb could not be asked: {error}\n"
    return said.decode("utf-8", "replace").replace("\r", "")
