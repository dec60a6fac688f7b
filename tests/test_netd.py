# SPDX-License-Identifier: MIT
"""Two network stacks on one wire, on the host with the sanitisers: what connections do, and that killing a stack harms none."""
import subprocess

import pytest
from conftest import ENVIRONMENT, TOP

CASES = [
    "plain", "small", "bad_wire", "killed", "killed_on_bad_wire", "killed_short", "refused", "unreachable", "reset",
    "closed_window", "full_backlog", "again_from_the_same_port", "listener_in_a_used_slot",
    "asked_neighbours", "without_cable", "flooded",
]


def build(program):
    """By one of the workers."""
    make = ["flock", TOP / "build/.lock", "make", "-s", "-C", TOP, "--no-print-directory", "-j2", program]
    done = subprocess.run(make, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return TOP / program


@pytest.fixture(scope="session")
def stacks():
    return build("build/netd_test/stacks")


@pytest.mark.parametrize("case", CASES)
def test_stacks(stacks, case):
    """The program compares each byte, looks for resets on the wire, and says what went wrong."""
    for seed in ("1", "2"):
        done = subprocess.run([stacks, seed, case], env=ENVIRONMENT, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr


def test_packets(tmp_path):
    """Any packets, under libFuzzer: nothing is found, and what there is to reach is reached from the seeds."""
    packets = build("build/netd_test/packets")
    words = ["-seed=1", "-runs=6000", "-len_control=0", "-max_len=1024", "-timeout=60", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [packets, *words, tmp_path, TOP / "tests/fuzz/corpus/netd"], env=ENVIRONMENT, capture_output=True, timeout=600
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-6000:]
