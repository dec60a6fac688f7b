# SPDX-License-Identifier: MIT
"""What the tests share: one way to start a machine, and to see how it ended."""
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

TOP = Path(__file__).resolve().parent.parent
TESSERA = str(TOP / "tessera")

# `tessera test` has built everything before; a machine need not look again.
ENVIRONMENT = dict(os.environ, TESSERA_BUILT="1", LC_ALL="C")


@dataclass
class Ended:
    """How a machine ended: the command's output and status, the console's log, the command's remarks."""

    status: int
    out: str
    err: str
    console: str

    def __str__(self):
        tail = "\n".join(self.console.splitlines()[-60:])
        return f"status {self.status}\n-- output\n{self.out[-4000:]}\n-- messages\n{self.err[-2000:]}\n-- console\n{tail}"


def run_vm(command, *options, timeout=120):
    """`tessera vm OPTIONS -- COMMAND`, stopped after `timeout` seconds."""
    with tempfile.TemporaryDirectory(prefix="tessera-test.") as folder:
        log = Path(folder, "console")
        done = subprocess.run(
            [
                TESSERA,
                "vm",
                "--timeout",
                str(timeout),
                "--console",
                str(log),
                *options,
                "--",
                command,
            ],
            cwd=TOP,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout + 60,
        )
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        return Ended(
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
            text,
        )


@pytest.fixture
def vm():
    return run_vm
