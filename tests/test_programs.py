# SPDX-License-Identifier: MIT
"""Debian's programs, unmodified, on both kernels.

A folder of tests/programs is one machine: its file `machine` names the Debian packages that it holds,
and every script in the folder is one test. What a script prints and its status must be the same on
Tessera and on Debian's Linux kernel; or, where it says "# judge: own", it decides by its status alone.
tests/programs/README.md has the rules.

Linux's answers are kept in build/oracle by a hash of all that went into them. A machine that dies in
one script is followed by another for the rest.
"""
import difflib
import hashlib
import json
import os
import re
import subprocess
import warnings
from pathlib import Path

import pytest
from conftest import TOP, run_vm
from host_servers import host_servers

FOLDER = Path(TOP, "tests/programs")
TERMINAL = FOLDER / "terminals/terminal.py"
UNASKED = bool(os.environ.get("TESSERA_TEST_ALL"))
PATIENCE = 3  # as in tests/programs/run: the host may do other things meanwhile
KEYS = {"packages": "", "modules": "", "adds": "", "cpus": "2", "mem": "", "net": "", "when": "always", "seconds": "60", "judge": "same"}


def header(path):
    """The "# key: value" lines at the top of a file."""
    values = dict(KEYS)
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if (found := re.match(r"# (\w+): (.*)", line)) and found[1] in KEYS:
            values[found[1]] = f"{values[found[1]]} {found[2]}".strip() if found[1] == "packages" else found[2]
    return values


class Machine:
    def __init__(self, folder):
        self.name, self.folder = folder.name, folder
        self.options = header(folder / "machine")
        self.scripts = [p for p in sorted(folder.glob("*.sh")) if not (UNASKED and self.asked(p))]

    def asked(self, script):
        """Whether a script runs only when asked for, by its machine's word or its own."""
        return "asked" in (self.options["when"], header(script)["when"])

    def run(self, kernel, scripts):
        """{script: (status, output)}; one that did not end has no status."""
        if not self.options["net"]:
            return self.run_with(self.vm_options(kernel), scripts)
        with host_servers() as ports:
            return self.run_with([*self.vm_options(kernel), "--net", self.options["net"], "--add", f"{ports}:/host"], scripts)

    @staticmethod
    def run_with(options, scripts):
        answers, left = {}, [s.stem for s in scripts]
        while left:
            seconds = sum(int(header(s)["seconds"]) for s in scripts if s.stem in left)
            ended = run_vm(
                f"exec /programs/run {' '.join(left)}", *options, timeout=60 + PATIENCE * seconds
            )
            parse(ended.out, answers)
            left = [name for name in left if name not in answers]
            if left:
                # The first without an answer is what stopped the machine; go on behind it.
                answers[left.pop(0)] = (None, f"no answer; the machine ended:\n{ended}")
        return answers

    def vm_options(self, kernel):
        modules = self.options["modules"] if kernel == "linux" else ""
        options = ["--kernel", "linux-full" if modules else kernel, "--cpus", self.options["cpus"]]
        options += ["--module", modules] if modules else []
        for add in self.options["adds"].split():
            options += ["--add", f"{TOP}/{add}"]
        options += ["--add", f"{self.folder}:/programs", "--add", f"{FOLDER}/run:/programs/run"]
        if "python3-pyte" in self.options["packages"] and self.folder != TERMINAL.parent:
            options += ["--add", f"{TERMINAL}:/programs/{TERMINAL.name}"]
        if self.options["mem"]:
            options += ["--mem", self.options["mem"]]
        for package in self.options["packages"].split():
            options += ["--with", package]
        return options

    def oracle(self):
        """Linux's answers to the scripts that compare, remembered."""
        compared = [s for s in self.scripts if header(s)["judge"] == "same"]
        digest = hashlib.sha256()
        parts = [FOLDER / "run", TOP / "build/linux/vmlinuz", TOP / "build/image/base.cpio"]
        parts += [*sorted(p for p in self.folder.rglob("*") if p.is_file()), TOP / "tools/image/with.manifest"]
        parts += [TOP / add.partition(":")[0] for add in self.options["adds"].split()]
        parts += [TOP / "tests/host_servers.py"] if self.options["net"] else []
        digest.update(" ".join(s.stem for s in compared).encode())
        for part in parts:
            digest.update(part.read_bytes())
        kept = TOP / "build/oracle" / f"programs-{self.name}-{digest.hexdigest()[:24]}.json"
        if kept.exists():
            return json.loads(kept.read_text())
        answers = self.run("linux", compared) if compared else {}
        if all(status is not None for status, _ in answers.values()):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(answers))
        return answers


def parse(out, answers):
    """Take in what tests/programs/run printed: each script's output between two marks."""
    name, lines = None, []
    for line in out.splitlines(keepends=True):
        if found := re.match(r"#-# begin (\S+)", line):
            name, lines = found[1], []
        elif found := re.match(r"(.*)#-# end (\S+) (\d+)", line):
            answers[found[2]] = (int(found[3]), "".join(lines) + found[1])
            name = None
        elif name:
            lines.append(line)


def test_page():
    """docs/programs.md is what the scripts say."""
    subprocess.run(["/usr/bin/python3", TOP / "tools/gen_programs.py", "--check"], check=True)


def test_scripts_can_run():
    """One that cannot is refused with the same 126 on both kernels, and proves nothing."""
    assert not [str(s) for m in MACHINES.values() for s in m.folder.glob("*.sh") if not os.access(s, os.X_OK)]


MACHINES = {p.parent.name: Machine(p.parent) for p in sorted(FOLDER.glob("*/machine"))}
ITEMS = [
    pytest.param(
        machine.name, script.stem, id=f"{machine.name}-{script.stem}",
        marks=pytest.mark.xdist_group(f"programs-{machine.name}"),
    )
    for machine in MACHINES.values()
    for script in sorted(machine.folder.glob("*.sh"))
]
SEEN = {}


def unlike(linux, tessera):
    """How two answers differ; nothing where they do not."""
    if not linux or linux[0] is None:
        return f"no answer of Linux: {linux}"
    lines = difflib.unified_diff(linux[1].splitlines(), tessera[1].splitlines(), "linux", "tessera", lineterm="", n=2)
    difference = "\n".join(lines)
    return difference or linux[0] != tessera[0] and f"status {tessera[0]}, of Linux {linux[0]}"


@pytest.mark.parametrize("machine,script", ITEMS)
def test_program(machine, script):
    m = MACHINES[machine]
    if UNASKED and m.asked(m.folder / f"{script}.sh"):
        pytest.skip("takes long: ./tessera test programs")
    if machine not in SEEN:
        SEEN[machine] = (m.oracle(), m.run("tessera", m.scripts))
    linux, tessera = (answers.get(script) for answers in SEEN[machine])
    if header(m.folder / f"{script}.sh")["judge"] == "own":
        assert tessera[0] == 0, f"status {tessera[0]}\n{tessera[1]}"
        return
    difference = unlike(linux, tessera)
    if difference:
        # Linux is only the measure: what it says by chance, on a host that had no time for it, it does not say twice.
        warnings.warn(f"Linux is asked again for {machine}/{script}: {difference[:1000]}")
        difference = unlike(m.run("linux", [m.folder / f"{script}.sh"]).get(script), tessera)
    assert not difference, difference[:6000]
