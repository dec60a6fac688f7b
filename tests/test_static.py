# SPDX-License-Identifier: MIT
"""The code read by machines: nothing they find is without an answer, and each of them still finds what it should."""
import re
import subprocess

import pytest
from conftest import ENVIRONMENT, TOP

CHECKS = "clang gcc cppcheck warnings user shell python rules stack unused".split()
EXPECTED = re.compile(r"found: (.*?)(?: of line (\d+))?(?: \*/|$)")
SAMPLES = sorted(p for p in (TOP / "tests/static").iterdir() if p.suffix in (".c", ".h", ".sh", ".py"))


def check(*words):
    return subprocess.run(
        ["/usr/bin/python3", "-B", "tools/static/check.py", *words],
        cwd=TOP,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=900,
    )


# These read the same compilations: who comes second finds what was said.
TOGETHER = {name: [pytest.mark.xdist_group("static-compiled")] for name in ("warnings", "user", "stack", "unused")}


@pytest.mark.parametrize("name", [pytest.param(name, marks=TOGETHER.get(name, [])) for name in CHECKS])
def test_nothing_is_unexplained(name):
    done = check(name)
    assert done.returncode == 0, "\n" + done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.name)
def test_a_known_mistake_is_found(sample):
    """Each line of a sample that says `found: CHECK/RULE` is found by that check, under that name."""
    expected = {
        (int(m[2] or number), *word.split("/", 1))
        for number, line in enumerate(sample.read_text().splitlines(), 1)
        if (m := EXPECTED.search(line))
        for word in m[1].split()
    }
    assert expected, f"{sample.name} expects nothing"
    path = str(sample.relative_to(TOP))
    for name in {check for _, check, _ in expected}:
        said = check(name, "--sample", path)
        found = {
            (int(m[1]), m[2], m[3])
            for m in re.finditer(rf"^{re.escape(path)}:(\d+): (\w+)/([\w.+-]+):", said.stdout, re.M)
        }
        missing = {e for e in expected if e[1] == name} - found
        assert not missing, f"not found: {sorted(missing)}\n{said.stdout}{said.stderr}"


def test_every_check_has_a_sample():
    lines = [line for p in SAMPLES for line in p.read_text().splitlines()]
    found = [m for line in lines if (m := EXPECTED.search(line))]
    assert set(CHECKS) == {word.split("/")[0] for m in found for word in m[1].split()}


def test_a_reason_that_nothing_needs_is_found(tmp_path):
    """accepted.txt with one line too many, in a copy of the tool's folder, is refused."""
    folder = TOP / "tools/static"
    text = (folder / "accepted.txt").read_text()
    extra = "rules/later kernel/lib/rbtree.c -- nothing is wrong there\n"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import check; from pathlib import Path;"
        "check.ACCEPTED = Path(sys.argv[2]); check.TOP = Path(sys.argv[3]);"
        "left, _ = check.unexplained(set(), ['rules']);"
        "print(*[f.message for f in left if f.rule == 'stale'], sep='\\n')"
    )
    kept = tmp_path / "accepted.txt"
    kept.write_text(text + extra)
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", program, str(folder), str(kept), str(tmp_path)],
        capture_output=True, text=True, timeout=60,
    )
    assert "rules/later kernel/lib/rbtree.c" in done.stdout, done.stdout + done.stderr
