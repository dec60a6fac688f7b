# SPDX-License-Identifier: MIT
"""`tessera profile`: what one operation of a benchmark costs, in instructions, by layer and by function.

The machine runs items of bench/calls with QEMU's plugin (plugin.c), which counts each instruction of the kernel
between the marks around an item's last round. So nothing is sampled or guessed: the sum is what `tessera bench`
prints for the item, and half an instruction means every second time.

Which function an address belongs to, the symbols say; which source an instruction of it came from, the debug
information: an inlined function counts for the layer that it was written in. For Linux, whose kernel Debian
packs without either, functions are told by /proc/kallsyms, and layers are not.
"""
import argparse
import bisect
import collections
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PLUGIN = TOP / "build/profile/plugin.so"
BENCH = TOP / "build/bench/calls"
KERNEL = TOP / "build/gcc/tessera.elf"
# As `tessera bench` has it: tools/bench/groups.py says why.
MACHINE = ("--icount", "--cpu", "max,-erms,-fsrm")
ARGUMENTS = {"tessera": "nokaslr", "linux": "nokaslr mitigations=off tsc=reliable"}
ROUNDS = 4  # windows of an item: one to warm up, three that are measured

# The first pattern that finds FILE:FUNCTION names the layer. An instruction asks for the innermost inlined
# function first, and goes outwards while the answer is None: a helper's instructions are its user's.
LAYERS = [
    (None, r"^kernel/include/|^kernel/lib/string"),
    ("return", r":(syscall_return|return_\w+|trap_return_to_user|thread_return_to_user)$"),
    ("entry", r"arch/x86_64/entry\.S"),
    ("traps", r"arch/x86_64/traps\.c"),
    ("dispatch", r"linux/dispatch\.c|proc/(user_dispatch|seccomp|ptrace)"),
    ("decoding", r"^kernel/linux/"),
    ("handles", r"object/handle_table\.c"),
    ("copies", r"arch/x86_64/user_copy\.S|mm/user_access\.c"),
    ("signal frame", r"arch/x86_64/(signal_frame|fpu)\.c:(?!arch_switch|fpu_switch)"),
    ("switch", r"^kernel/sched/|arch/x86_64/(switch\.S|thread\.c|fpu\.c)"),
    ("locks, waits", r"^kernel/sync/"),
    ("page tables", r"arch/x86_64/(page_table|tlb\w*)\.c|mm/(tlb|leaves)\.c"),
    ("frames", r"mm/(buddy|frames\w*)\.c|page_(clear|copy)"),
    ("slab", r"mm/slab\.c"),
    ("memory", r"^kernel/mm/"),
    ("time", r"^kernel/time/|arch/x86_64/(clock|apic_timer)\.c"),
    ("machine", r"^kernel/arch/"),
]
ORDER = ["program", "entry", "traps", "dispatch", "decoding", "handles", "object", "vfs", "ipc", "net", "proc", "memory",
         "page tables", "frames", "slab", "copies", "locks, waits", "switch", "signal frame", "time", "machine", "lib",
         "return"]

# What the processor alone asks for, whatever the kernel is: docs/performance.md tells how each is reckoned.
FLOORS = {
    "null_call": {"program": 17, "entry": 7, "dispatch": 5, "return": 6},
    "pipe_write_read_1": {"program": 29, "entry": 14, "dispatch": 10, "handles": 8, "ipc": 12, "copies": 6, "return": 12},
    "fault_anonymous": {"program": 5, "entry": 14, "traps": 4, "page tables": 2, "frames": 4, "lib": 513, "return": 13},
}


class Failed(Exception):
    """A machine that ended wrongly."""


def run_machine(kernel, windows, words):
    """Runs the items in a machine: [(name, unit, value)], {name: operations of a round}, [(address, symbol)]."""
    symbols = "cat /proc/kallsyms" if kernel == "linux" else ":"
    command = f"/bench/calls {' '.join(words)}; echo --; /bench/calls --list; echo --; {symbols}"
    done = subprocess.run(
        [TOP / "tessera", "vm", "--kernel", kernel, *MACHINE, "--append", ARGUMENTS[kernel], "--timeout", "900",
         "--qemu", f"-plugin file={PLUGIN},out={windows}", "--add", f"{BENCH}:/bench/calls", "--", command],
        env=dict(os.environ, TESSERA_BUILT="1", LC_ALL="C"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    if done.returncode != 0:
        raise Failed(f"the machine ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    figures, listed, known = done.stdout.split("--\n", 2)
    items = [line.split("\t") for line in figures.splitlines()]
    rounds = {name: int(n) for name, _, n in (line.split("\t") for line in listed.splitlines())}
    functions = sorted(
        (int(address, 16), name) for address, kind, name, *_ in map(str.split, known.splitlines()) if kind in "tTwW"
    )
    return items, rounds, functions


def read_windows(path):
    """[(instructions of programs, {address: count})]"""
    windows = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            first, count = line.split()
            if first == "window":
                windows.append((int(count), {}))
            else:
                windows[-1][1][int(first, 16)] = int(count)
    return windows


def symbols_of_elf():
    done = subprocess.run(["nm", KERNEL], check=True, capture_output=True, text=True)
    rows = (line.split() for line in done.stdout.splitlines())
    return sorted((int(r[0], 16), r[2]) for r in rows if len(r) == 3 and r[1] in "tTwW" and not r[2].startswith(".L"))


def function_at(functions, address):
    """Its name, and where it begins."""
    at = bisect.bisect_right(functions, (address, "\x7f")) - 1
    return (functions[at][1], functions[at][0]) if at >= 0 else ("?", 0)


def sources_of(addresses):
    """{address: [(file, function), ...]}, innermost first."""
    done = subprocess.run(
        ["addr2line", "-a", "-i", "-f", "-e", KERNEL],
        input="".join(f"{a:#x}\n" for a in addresses), check=True, capture_output=True, text=True,
    )
    sources, chain, function = {}, None, None
    for line in done.stdout.splitlines():
        if re.fullmatch(r"0x[0-9a-f]{16}", line):
            chain = sources.setdefault(int(line, 16), [])
            function = None
        elif function is None:
            function = line
        else:
            chain.append((line.rsplit(":", 1)[0].removeprefix(f"{TOP}/"), function))
            function = None
    return sources


def layer_of_place(place):
    for layer, pattern in LAYERS:
        if re.search(pattern, place):
            return layer
    room = re.match(r"kernel/(\w+)/", place)
    return room[1] if room else "machine"


def layer_of(chain, symbol):
    """The layer of an instruction in `symbol` whose sources are `chain`."""
    for file, function in chain:
        # Assembly has no functions for the debugger: the symbol is one.
        layer = layer_of_place(f"{file}:{symbol if file.endswith('.S') else function}")
        if layer:
            return layer
    return "lib"


class Item:
    """What one operation costs. layers and functions: {name: instructions}; counts: {address: instructions}."""

    def __init__(self, name, operations, window, functions, sources):
        user, counts = window
        self.name = name
        self.counts = {address: count / operations for address, count in counts.items()}
        self.layers = collections.Counter({"program": user / operations})
        self.functions = collections.Counter()
        for address, count in self.counts.items():
            symbol, _ = function_at(functions, address)
            self.functions[symbol] += count
            self.layers[layer_of(sources[address], symbol) if sources else "kernel"] += count
        self.total = sum(self.layers.values())


def profile(kernel, words):
    """The items whose names begin with one of `words`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "windows"
        figures, rounds, functions = run_machine(kernel, path, words)
        windows = read_windows(path)
    if len(windows) != ROUNDS * len(figures):
        raise Failed(f"{len(figures)} items have {len(windows)} windows: {figures}")
    sources = None
    if kernel == "tessera":
        functions = symbols_of_elf()
        sources = sources_of({address for _, counts in windows for address in counts})
    return functions, [
        Item(name, rounds[name], windows[ROUNDS * i + ROUNDS - 1], functions, sources)
        for i, (name, *_) in enumerate(figures)
    ]


def place_of(layer):
    return ORDER.index(layer) if layer in ORDER else len(ORDER)


def print_item(item, most):
    print(f"\n{item.name}: {item.total:,.1f} instructions")
    if "kernel" not in item.layers:
        for layer in sorted(item.layers, key=place_of):
            if item.layers[layer] >= 0.05:
                floor = FLOORS.get(item.name, {}).get(layer)
                print(f"  {layer:14} {item.layers[layer]:12,.1f}{f'   floor {floor}' if floor else ''}")
    print("  --")
    for name, count in item.functions.most_common(most):
        print(f"  {count:12,.1f}  {name}")


def print_table(items):
    """All items beside each other, for docs/performance.md."""
    print("| layer | " + " | ".join(f"{i.name} | floor" for i in items) + " |")
    print("|---|" + "---:|---:|" * len(items))
    layers = sorted({layer for i in items for layer, n in i.layers.items() if n >= 0.5}, key=place_of)
    for layer in layers:
        cells = [f"{i.layers[layer]:,.0f} | {FLOORS.get(i.name, {}).get(layer, '')}" for i in items]
        print(f"| {layer} | " + " | ".join(cells) + " |")
    sums = [f"{i.total:,.0f} | {sum(FLOORS[i.name].values()) if i.name in FLOORS else ''}" for i in items]
    print("| **all** | " + " | ".join(sums) + " |")


def print_code(item, functions, wanted):
    """The instructions of a function, each with how often it ran in an operation."""
    begin = [address for address, name in functions if name == wanted]
    if not begin:
        raise Failed(f"no function is called {wanted}")
    later = [address for address, _ in functions if address > begin[0]]
    done = subprocess.run(
        ["objdump", "-d", "-l", "--no-show-raw-insn", f"--start-address={begin[0]:#x}", f"--stop-address={later[0]:#x}", KERNEL],
        check=True, capture_output=True, text=True,
    )
    for line in done.stdout.splitlines():
        match = re.match(r"(ffffffff[0-9a-f]+):\s*(.*)", line)
        if match:
            count = item.counts.get(int(match[1], 16), 0)
            print(f"{count:9.2f}  {match[1]}  {match[2]}" if count else f"{'':9}  {match[1]}  {match[2]}")
        elif re.search(r":\d+( \(discriminator \d+\))?$", line):
            print(f"{'':11}; {line}")


def arguments():
    parser = argparse.ArgumentParser(
        prog="tessera profile", description="The instructions of one operation of a benchmark, by layer and function."
    )
    parser.add_argument("words", nargs="+", metavar="ITEM", help="how an item's name begins: tessera bench calls tells all")
    parser.add_argument("--kernel", choices=("tessera", "linux"), default="tessera")
    parser.add_argument("--functions", type=int, default=25, metavar="N", help="how many functions to tell (25)")
    parser.add_argument("--table", action="store_true", help="the layers of all items beside each other")
    parser.add_argument("--code", metavar="FUNCTION", help="its instructions, and how often each ran (of the first item)")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        functions, items = profile(args.kernel, args.words)
        if not items:
            print(f"tessera: no item begins with: {' '.join(args.words)}", file=sys.stderr)
            return 2
        if args.code:
            print_code(items[0], functions, args.code)
        elif args.table:
            print_table(items)
        else:
            for item in items:
                print_item(item, args.functions)
    except Failed as failed:
        print(f"tessera: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
