#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A chart of the ratios in build/bench.json, as SVG: chart.py [BENCH.JSON] [-o OUT.SVG]

A row for each item, in its group; a bar from 1 to the right where Tessera is ahead, to the left where Linux is, on
a logarithmic scale. Lines stand at 1 and at 1.3, the mean that is aimed at. A ratio beyond the scale ends in an
arrow with its number. Two sets of colours, for readers with a light and with a dark page.
"""
import argparse
import json
import math
import sys
from pathlib import Path
from xml.sax.saxutils import escape

TOP = Path(__file__).resolve().parent.parent.parent
ROW, HEAD, MARGIN = 18, 44, 12
LABELS, BARS, NUMBERS = 220, 460, 60
WIDTH = MARGIN + LABELS + BARS + NUMBERS + MARGIN
LINES = ((1, "one"), (1.3, "aim"))
TITLE = "Linux &#8592; which is ahead, and how many times &#8594; Tessera"
LARGEST = 32  # the scale ends here at the latest

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.group { font-weight: 600 }
.tick { fill: #6e7781; font-size: 11px; text-anchor: middle }
.label { text-anchor: end }
.grid { stroke: #d0d7de }
.one { stroke: #24292f; stroke-width: 1.5 }
.aim { stroke: #8250df; stroke-width: 1.5; stroke-dasharray: 4 3 }
.ahead { fill: #2da44e }
.behind { fill: #cf222e }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.tick { fill: #9198a1 }
.grid { stroke: #3d444d }
.one { stroke: #e6edf3 }
.aim { stroke: #ab7df8 }
.ahead { fill: #3fb950 }
.behind { fill: #f85149 }
}
"""


def number(ratio):
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


class Scale:
    """From ratios to places: the powers of two that hold all ratios but the largest few."""

    def __init__(self, ratios):
        ordered = sorted(ratios)
        most = ordered[math.ceil(0.9 * (len(ordered) - 1))]
        self.low = min(-1, math.floor(math.log2(ordered[0])))
        self.high = max(1, math.ceil(math.log2(min(max(most, 1), LARGEST))))

    def ticks(self):
        return [2.0**n for n in range(self.low, self.high + 1)]

    def holds(self, ratio):
        return math.log2(ratio) <= self.high

    def place(self, ratio):
        part = (math.log2(ratio) - self.low) / (self.high - self.low)
        return MARGIN + LABELS + BARS * min(max(part, 0), 1)


def rows(items):
    """(group, its items, the furthest ahead first), in the order in which the groups were measured."""
    groups = {}
    for item in items:
        if item["ratio"]:
            groups.setdefault(item["group"], []).append(item)
    return [(group, sorted(of, key=lambda i: -i["ratio"])) for group, of in groups.items()]


def bar(scale, item, y):
    ratio, one = item["ratio"], scale.place(1)
    end = scale.place(ratio)
    left, right, kind = min(one, end), max(one, end), "ahead" if ratio >= 1 else "behind"
    shape = f'<rect class="{kind}" x="{left:.1f}" y="{y + 3}" width="{max(right - left, 0.5):.1f}" height="{ROW - 6}"/>'
    if not scale.holds(ratio):
        shape += f'<path class="{kind}" d="M{end:.1f},{y + 1} l8,{ROW / 2 - 1} l-8,{ROW / 2 - 1} z"/>'
    return (
        f'<text class="label" x="{MARGIN + LABELS - 8}" y="{y + 13}">{escape(item["name"])}</text>{shape}'
        f'<text x="{max(right, one) + (6 if scale.holds(ratio) else 12):.1f}" y="{y + 13}">{number(ratio)}</text>'
    )


def vertical(kind, x, bottom):
    return f'<line class="{kind}" x1="{x:.1f}" y1="{HEAD}" x2="{x:.1f}" y2="{bottom}"/>'


def chart(items):
    """The SVG text; ValueError when no item has a ratio."""
    groups = rows(items)
    if not groups:
        raise ValueError("no item has a ratio")
    scale = Scale([i["ratio"] for _, of in groups for i in of])
    parts, y = [], HEAD
    for group, of in groups:
        parts.append(f'<text class="group" x="{MARGIN}" y="{y + 16}">{escape(group)}</text>')
        y += ROW + 4
        for item in of:
            parts.append(bar(scale, item, y))
            y += ROW
        y += 6
    frame = [f'<text class="tick" x="{scale.place(1):.1f}" y="14">{TITLE}</text>']
    frame += [vertical("grid", scale.place(t), y) for t in scale.ticks()]
    frame += [vertical(kind, scale.place(ratio), y) for ratio, kind in LINES]
    ticks = scale.ticks() + [ratio for ratio, _ in LINES if ratio not in scale.ticks()]
    frame += [f'<text class="tick" x="{scale.place(t):.1f}" y="{HEAD - 8}">{t:g}</text>' for t in ticks]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + MARGIN}" width="{WIDTH}" role="img">',
        f"<title>{TITLE}</title>",
        f"<style>{STYLE}</style>", *frame, *parts, "</svg>", "",
    ])


def main():
    parser = argparse.ArgumentParser(description="a chart of the ratios that `tessera bench` measured")
    parser.add_argument("figures", nargs="?", type=Path, default=TOP / "build/bench.json")
    parser.add_argument("-o", "--output", type=Path, default=TOP / "docs/performance/ratios.svg")
    args = parser.parse_args()
    try:
        text = chart(json.loads(args.figures.read_text())["items"])
    except (OSError, ValueError) as error:
        print(f"tessera: {args.figures}: {error}", file=sys.stderr)
        return 1
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
