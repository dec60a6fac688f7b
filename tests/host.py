# SPDX-License-Identifier: MIT
"""What the host does to a machine that runs: by QMP, when the machine asks for it."""
import json
import socket
import threading
import time


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
