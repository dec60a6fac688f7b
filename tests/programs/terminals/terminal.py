# SPDX-License-Identifier: MIT
"""terminal.py - a program in a pseudo terminal whose screen can be read.

Nothing is timed. A key is typed when what the program shows before it reads that key stands on the
screen: Terminal.see() takes in the program's output until then. All output is always taken in, for a
program that cannot write never ends. The screen is python3-pyte's, which is a Linux console.
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

import pyte

PATIENCE = int(os.environ.get("PATIENCE", 90))


class Terminal:
    def __init__(self, *argv, rows=24, columns=80, **environment):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        # What the program asks the terminal, as for its kind, is answered.
        self.screen.write_process_input = lambda text: os.write(self.fd, text.encode())
        sys.stdout.flush()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
            os.execvpe(argv[0], argv, dict(os.environ, TERM="linux", **environment))

    def _take(self, deadline):
        """Take in some output; False when there will be no more."""
        if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
            return False
        try:
            some = os.read(self.fd, 4096)
        except OSError:
            return False
        self.stream.feed(some)
        return bool(some)

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def _fail(self, why):
        print(f"{why}; the screen is\n{self.text()}", flush=True)
        os._exit(1)

    def until(self, what, holds):
        """Take in output until `holds` of the screen's text; tell that `what` came."""
        deadline = time.monotonic() + PATIENCE
        while not holds(self.text()):
            if not self._take(deadline):
                self._fail(f"NOT SEEN: {what!r}")
        print("seen:", repr(what), flush=True)

    def see(self, text):
        self.until(text, lambda screen: text in screen)

    def miss(self, text):
        self.until(f"no more {text}", lambda screen: text not in screen)

    def prompt(self, end="", part=lambda line: line):
        """Until what the shell wrote ends like this, and it waits at its prompt, "ready>"."""
        end += "\nready>"
        self.until(end, lambda screen: "\n".join(["", *map(part, screen.split("\n"))]).rstrip().endswith(end))

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def end(self):
        """Take in the rest and give the program's status, or the negative of the signal that ended it."""
        deadline = time.monotonic() + PATIENCE
        while self._take(deadline):
            pass
        if time.monotonic() >= deadline:
            self._fail("NOT ENDED")
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status

    def hang_up(self):
        """Take the terminal away; its session is sent SIGHUP."""
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
