# SPDX-License-Identifier: MIT
"""`tessera bench`: that it measures both kernels and reckons rightly. How fast anything is, it does not ask."""
import json
import math
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from conftest import ENVIRONMENT, KERNEL_FILE, TESSERA, TOP

sys.path.insert(0, str(TOP / "tools/bench"))

import bench  # noqa: E402
import boot  # noqa: E402
import kernel_file  # noqa: E402
from chart import Scale, chart  # noqa: E402
from stopped import Lost, Stopped  # noqa: E402


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
    """A paired group whose runs give each kernel's figures in turn."""

    def __init__(self, **figures):
        self.left = figures
        self.order = []

    def figures(self, kernel, words, run_machine):
        self.order.append(kernel)
        return {"item": ("ops/s", self.left[kernel].pop(0))}


def test_median_of_the_pairs():
    group = Pairs(tessera=[10, 30, 20], linux=[10, 10, 40])
    assert bench.measure_pairs(group, [], 3) == {"item": ("ops/s", 20, 10, 1)}
    assert group.order == ["tessera", "linux", "linux", "tessera", "tessera", "linux"]


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


def item(name, ratio, group="g"):
    return {"name": name, "group": group, "ratio": ratio}


def shapes(text, tag):
    return list(ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}" + tag))


def test_chart_has_a_bar_for_each_ratio():
    text = chart([item("a<b", 2), item("half", 0.5), item("none", None), item("other", 1.5, "h")])
    assert [r.get("class") for r in shapes(text, "rect")] == ["ahead", "behind", "ahead"]
    words = [t.text for t in shapes(text, "text")]
    assert [w for w in words if w in ("g", "a<b", "half", "h", "other")] == ["g", "a<b", "half", "h", "other"]
    assert "none" not in words and {"one", "aim"} <= {line.get("class") for line in shapes(text, "line")}
    assert "prefers-color-scheme: dark" in text


def test_chart_is_logarithmic_from_one():
    long, short, behind = shapes(chart([item("a", 4), item("b", 2), item("c", 0.5)]), "rect")
    widths = [float(r.get("width")) for r in (long, short, behind)]
    assert math.isclose(widths[0], 2 * widths[1], rel_tol=0.01) and math.isclose(widths[1], widths[2], rel_tol=0.01)
    assert math.isclose(float(behind.get("x")) + widths[2], float(short.get("x")), abs_tol=0.2)


def test_chart_cuts_what_is_far_beyond():
    items = [item(str(n), 1.5) for n in range(20)] + [item("far", 400)]
    assert not Scale([i["ratio"] for i in items]).holds(400)
    text = chart(items)
    assert len(shapes(text, "path")) == 1 and "400" in [t.text for t in shapes(text, "text")]


def test_chart_of_nothing():
    with pytest.raises(ValueError):
        chart([item("none", None)])


def test_kernel_files():
    for kernel, file in {**boot.KERNELS, "tessera": KERNEL_FILE}.items():
        data = file.read_bytes()
        in_file, in_memory = kernel_file.sizes(data)
        assert 500_000 < in_file < len(data) + 1 and in_file < in_memory
        assert kernel_file.entry(data) == (0x10200 if kernel == "linux" else kernel_file.Elf(data).pvh_entry())


def test_lz4_sequences():
    # "abcd" and 20 bytes from 4 back; then "x" alone at the end.
    assert kernel_file.lz4_begin(b"\x4fabcd\x04\0\x01\x10x", 100) == b"abcd" * 6 + b"x"


def test_boot_is_counted_exactly(monkeypatch):
    monkeypatch.setitem(boot.KERNELS, "tessera", KERNEL_FILE)
    program, prompt = boot.count_instructions("tessera")
    assert 0 < program < prompt
    assert (program, prompt) == boot.count_instructions("tessera")


def test_a_machine_that_does_not_start():
    with pytest.raises(Lost):
        Stopped(boot.qemu("tessera", memory="1M"))


@pytest.mark.parametrize("kib,runs", [(16384, True), (2560, False)])
def test_a_machine_of_little_memory(kib, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(boot, "SILENCE", 10)
    assert boot.runs_in("tessera", boot.small_image(tmp_path), kib, tmp_path) == runs


@pytest.mark.parametrize("name", ["wire_1_tcp_latency", "machines_tcp_latency"])
def test_the_network_is_measured(name, tmp_path):
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [TESSERA, "bench", "--pairs", "1", "--out", out, name],
        env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
    )
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(out.read_text())["items"]
    assert item["name"] == name and item["tessera"] > 0 and item["linux"] > 0


def test_items_of_the_network():
    wire, machines = (next(g for g in bench.GROUPS if g.name == name) for name in ("wire", "machines"))
    assert {"wire_tcp_latency", "wire_receive_64k", "wire_recovery_byte.p99"} <= set(wire.items)
    assert {"machines_udp_latency", "machines_redis_get_50", "machines_nginx_100"} <= set(machines.items)
