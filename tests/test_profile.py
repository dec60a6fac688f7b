# SPDX-License-Identifier: MIT
"""`tessera profile`: that it counts all instructions of an operation, each once, and knows whose they are."""
import re
import subprocess

import pytest
from conftest import ENVIRONMENT, TESSERA


def profile(*words):
    return subprocess.run(
        [TESSERA, "profile", *words], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def null_call():
    done = profile("null_call")
    assert done.returncode == 0, done.stderr
    return done.stdout


def layers(text):
    return {name.strip(): float(n.replace(",", "")) for name, n in re.findall(r"^  (\w[\w ,]+?) +([\d,.]+)(?: |$)", text, re.M)}


def test_layers_are_all_there_is(null_call):
    total = float(re.search(r"null_call: ([\d,.]+) instructions", null_call)[1].replace(",", ""))
    found = layers(null_call)
    assert abs(sum(found.values()) - total) < 1, null_call
    assert {"program", "entry", "dispatch", "decoding", "return"} <= set(found), null_call


def test_what_runs_once_counts_its_instructions(null_call):
    """The entry has no loop and no branch: each call executes all of it."""
    code = profile("null_call", "--code", "syscall_entry").stdout
    counts = re.findall(r"^ +([\d.]+) +ffffffff", code, re.M)
    assert counts and {float(c) for c in counts} == {1.0}, code
    assert layers(null_call)["entry"] == len(counts)


def test_the_sum_is_what_the_benchmark_says(null_call):
    total = float(re.search(r"null_call: ([\d,.]+) instructions", null_call)[1].replace(",", ""))
    said = subprocess.run([TESSERA, "vm", "--icount", "--cpu", "max,-erms,-fsrm", "--add", "build/bench/calls:/bench/calls",
                           "--", "/bench/calls null_call"], env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout
    assert abs(float(said.split("\t")[2]) - total) < total / 50


def test_an_item_that_is_not_there():
    done = profile("no_such_item")
    assert done.returncode == 2 and "no item begins with: no_such_item" in done.stderr
