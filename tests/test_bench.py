# SPDX-License-Identifier: MIT
"""`tessera bench`: that it measures both kernels and reckons rightly. How fast anything is, it does not ask."""
import json
import math
import subprocess
import sys

from conftest import ENVIRONMENT, TESSERA, TOP

sys.path.insert(0, str(TOP / "tools/bench"))

import bench  # noqa: E402


def test_less_time_is_ahead():
    assert bench.ratio("ns", 50, 100) == 2


def test_more_a_second_is_ahead():
    assert bench.ratio("MB/s", 50, 100) == 0.5


def test_nothing_has_no_ratio():
    assert bench.ratio("ns", 0, 100) is None


def test_geometric_mean():
    assert math.isclose(bench.geometric_mean([1, 4]), 2)
    assert bench.geometric_mean([]) is None


class Pairs:
    """A paired group whose runs give the figures of a list, in turn."""

    def __init__(self, *figures):
        self.left = list(figures)

    def figures(self, kernel, words, run_machine):
        return {"item": ("ops/s", self.left.pop(0))}


def test_median_of_the_pairs():
    group = Pairs(10, 10, 30, 10, 20, 40)
    assert bench.measure_pairs(group, [], 3) == {"item": ("ops/s", 20, 10, 1)}


def test_both_kernels_are_measured(tmp_path):
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [TESSERA, "bench", "--out", out, "null_call"],
        env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(out.read_text())
    items = {i["name"]: i for i in written["items"]}
    null = items["null_call"]
    assert null["tessera"] > 0 and null["linux"] > 0
    assert math.isclose(null["ratio"], null["linux"] / null["tessera"])
    assert "null_call" in done.stdout


def test_counted_figures_repeat(tmp_path):
    values = []
    for run in "ab":
        out = tmp_path / run
        subprocess.run([TESSERA, "bench", "--out", out, "null_call"], env=ENVIRONMENT, check=True, capture_output=True)
        values.append(json.loads(out.read_text())["items"][0]["tessera"])
    assert math.isclose(*values, rel_tol=1e-3)


def test_an_item_that_is_not_there(tmp_path):
    done = subprocess.run(
        [TESSERA, "bench", "--out", tmp_path / "none", "calls", "no_such_item"],
        env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 2
    assert "no item begins with: no_such_item" in done.stderr


def test_programs_say_their_items():
    for script in (TOP / "bench/programs").glob("*.sh"):
        group = next(g for g in bench.GROUPS if g.name == script.stem)
        assert len(group.items) == script.read_text().count("\nstopwatch ")
        assert group.may_have([group.items[-1][:6]]) and not group.may_have(["no_such_item"])


def test_a_program_is_measured(tmp_path):
    out = tmp_path / "bench.json"
    subprocess.run([TESSERA, "bench", "--out", out, "start_true"], env=ENVIRONMENT, check=True, capture_output=True)
    (item,) = json.loads(out.read_text())["items"]
    assert item["unit"] == "us" and item["tessera"] > 0 and item["linux"] > 0
