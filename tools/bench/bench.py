# SPDX-License-Identifier: MIT
"""`tessera bench`: the same programs on Tessera and on Debian's Linux in the same machine, and their ratios.

An item is one figure of one program. Items come in groups (groups.py); a group says how its machine is made and
what it runs there, and the program prints a line per item:

    name <tab> unit <tab> value

How a group is measured:

  counted   under --icount, where one instruction takes one nanosecond and nothing else takes time: one run of
            each kernel, which repeats within a thousandth, however loaded the host is.
  paired    on several processors, where time is the host's: Tessera, Linux; Linux, Tessera; and so on, each first
            in every other pair. Each pair gives a ratio, and the median of the pairs' ratios is the item's.

A ratio above 1 means that Tessera is ahead: it takes less time, memory or interrupts, or does more a second.
The geometric mean is over the items that say how fast something is; sizes, interrupts and the like are told
beside it ("mean": false in build/bench.json).
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from boot import GROUPS as BOOT  # noqa: E402
from chart import chart  # noqa: E402
from groups import GROUPS as PROGRAMS  # noqa: E402
from stopped import Lost  # noqa: E402

TOP = Path(__file__).resolve().parent.parent.parent
KERNELS = ("tessera", "linux")
GROUPS = [*PROGRAMS, *BOOT]


class Failed(Exception):
    """A machine or a program in it ended wrongly; what it said."""


def more_is_better(unit):
    return unit.endswith("/s") or unit == "x"


def ratio(unit, tessera, linux):
    """How far Tessera is ahead; None where a figure is nothing, to which nothing compares."""
    if tessera <= 0 or linux <= 0:
        return None
    return tessera / linux if more_is_better(unit) else linux / tessera


def parse(text):
    """{name: (unit, value)} of a program's lines."""
    figures = {}
    for line in text.splitlines():
        name, unit, value = line.split("\t")
        figures[name] = (unit, float(value))
    return figures


def run_machine(kernel, group, command):
    """Runs `command` in a machine of `group`; what it printed."""
    words = [TOP / "tessera", "vm", "--kernel", kernel, "--timeout", str(group.seconds), *group.options(kernel)]
    done = subprocess.run(
        [*map(str, words), "--", command],
        env=dict(os.environ, TESSERA_BUILT="1", LC_ALL="C"),
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    if done.returncode != 0:
        raise Failed(f"{group.name} on {kernel} ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    return parse(done.stdout)


def measure_once(group, words):
    """A counted group: {name: (unit, tessera, linux, ratio)}."""
    figures = {kernel: group.figures(kernel, words, run_machine) for kernel in KERNELS}
    return {
        name: (unit, value, linux, ratio(unit, value, linux))
        for name, (unit, value) in figures["tessera"].items()
        if name in figures["linux"] and (linux := figures["linux"][name][1]) is not None
    }


def measure_pairs(group, words, pairs):
    """A paired group: the same, each the median over the pairs. Who runs first alternates."""
    seen = {}
    for pair in range(pairs):
        order = KERNELS if pair % 2 == 0 else KERNELS[::-1]
        figures = {kernel: group.figures(kernel, words, run_machine) for kernel in order}
        for name, (unit, value) in figures["tessera"].items():
            linux = figures["linux"].get(name, (unit, 0))[1]  # 0: Linux has no such thing
            seen.setdefault(name, (unit, []))[1].append((value, linux, ratio(unit, value, linux)))
    medians = {}
    for name, (unit, runs) in seen.items():
        ratios = [r for _, _, r in runs if r is not None]
        medians[name] = (
            unit,
            statistics.median(t for t, _, _ in runs),
            statistics.median(n for _, n, _ in runs),
            statistics.median(ratios) if ratios else None,
        )
    return medians


def geometric_mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def figure(value):
    """A value in at most six characters or so, without a decimal that says nothing."""
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"


def row(item):
    shown = "" if item["ratio"] is None else f"{item['ratio']:.2f}"
    linux = figure(item["linux"]) if item["linux"] else "none"
    return f"{item['name']:34} {figure(item['tessera']):>15} {linux:>15} {item['unit']:10} {shown:>6}"


def measure(groups, words, pairs):
    """All items of `groups`, printed as they come."""
    items = []
    for group in groups:
        start = time.monotonic()
        print(f"\n{group.name}: {group.title}\n{'item':34} {'Tessera':>15} {'Linux':>15} {'unit':10} {'ratio':>6}")
        figures = measure_pairs(group, words, pairs) if group.paired else measure_once(group, words)
        for name, (unit, tessera, linux, ahead) in figures.items():
            items.append({
                "name": name, "group": group.name, "unit": unit, "tessera": tessera, "linux": linux,
                "ratio": ahead, "mean": group.in_mean and ahead is not None,
            })
            print(row(items[-1]))
        print(f"({time.monotonic() - start:.0f} s)", flush=True)
    return items


def arguments():
    parser = argparse.ArgumentParser(
        prog="tessera bench", description="The same programs on Tessera and on Debian's Linux; a table of ratios."
    )
    names = ", ".join(g.name for g in GROUPS)
    parser.add_argument("words", nargs="*", metavar="NAME", help=f"a group ({names}), or how an item's name begins; all")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each kernel in a paired group (5)")
    parser.add_argument("--out", type=Path, default=TOP / "build/bench.json", help="the figures (build/bench.json)")
    parser.add_argument("--chart", type=Path, help="draw the ratios there too, as SVG (docs/performance/ratios.svg)")
    parser.add_argument("--list", action="store_true", help="the groups, and what each is")
    return parser.parse_args()


def main():
    args = arguments()
    if args.list:
        for group in GROUPS:
            print(f"{group.name:12} {group.title}")
        return 0
    named = [g for g in GROUPS if g.name in args.words]
    words = [w for w in args.words if w not in {g.name for g in named}]
    try:
        items = measure([g for g in named or GROUPS if g.may_have(words)], words, args.pairs)
    except (Failed, Lost) as failed:
        print(f"tessera: {failed}", file=sys.stderr)
        return 1
    if not items:
        print(f"tessera: no item begins with: {' '.join(words)}", file=sys.stderr)
        return 2
    mean = geometric_mean([i["ratio"] for i in items if i["mean"]])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"items": items, "geomean": mean}, indent=1) + "\n")
    if args.chart:
        args.chart.parent.mkdir(parents=True, exist_ok=True)
        args.chart.write_text(chart(items))
    if mean:
        print(f"\n{len(items)} items; geometric mean of the ratios of speed: {mean:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
