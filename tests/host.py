# SPDX-License-Identifier: MIT
"""What the host does to a machine that runs: by QMP, when the machine asks for it; by gdb."""
import json
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from conftest import TOP

GDBINIT = TOP / "build/gdbinit"
# `tessera run --debug` has one file to say where its machine is: such tests run one after the other.
one_gdb = pytest.mark.xdist_group("gdb")


def wait_for_gdb_server():
    """The machine that has said that it waits for gdb is there: QEMU has made its socket."""
    [path] = re.findall(r"^target remote (\S+)$", GDBINIT.read_text(), re.M)
    while not Path(path).is_socket():
        time.sleep(0.05)


class Host(threading.Thread):
    """The machine asks by a line "host: N" in the kernel's log; act N is a list of QMP's commands with their arguments."""

    def __init__(self, folder, acts):
        super().__init__(daemon=True)
        self.console, self.qmp, self.acts = folder / "console", folder / "qmp", acts
        self.start()

    def options(self):
        return ["--console-socket", str(self.console), "--qemu", f"-qmp unix:{self.qmp},server=on,wait=off"]

    @staticmethod
    def connect(path):
        while True:
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(str(path))
                return s
            except OSError:
                s.close()
                time.sleep(0.05)

    def run(self):
        console = self.connect(self.console).makefile("r", errors="replace")
        monitor = self.connect(self.qmp)
        answers = monitor.makefile("r")
        answers.readline()
        self.send(monitor, answers, "qmp_capabilities")
        for line in console:
            if "host: " in line:
                for act in self.acts[int(line.split("host: ")[1])]:
                    self.send(monitor, answers, *act)

    @staticmethod
    def send(monitor, answers, command, arguments=None):
        monitor.sendall(json.dumps({"execute": command, "arguments": arguments or {}}).encode() + b"\n")
        while "return" not in (answer := json.loads(answers.readline())):
            assert "error" not in answer, answer
