#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write docs/locking.md from the table of lock classes.

    tools/gen_locking.py            write docs/locking.md
    tools/gen_locking.py --check    exit 1 when it is not what would be written
"""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
TABLE = TOP / "kernel/include/tessera/lock_classes.h"
PAGE = TOP / "docs/locking.md"

KINDS = {
    "SPIN": "spinlock",
    "SPIN_IRQ": "spinlock, interrupts off",
    "MUTEX": "mutex",
    "RWLOCK": "reader-writer lock",
}

HEAD = """# Locking

*Made by `tools/gen_locking.py` from `kernel/include/tessera/lock_classes.h`; edit that table, then run the
tool.*

Every lock has a class, and the classes stand in one order. A thread may take a lock only if its class
stands **below** every lock it holds. Code that keeps to this cannot deadlock, whatever the timing.

- **Spinlocks** hold preemption off, so whoever waits for one waits for a CPU that runs. One that interrupt
  handlers take too is always taken with interrupts off (`spin_lock_irq`); the others are never taken in
  an interrupt. Nobody sleeps while holding one. On a guest's CPUs, which the hypervisor may stop at any
  instruction, they do not queue: see `kernel/sync/spinlock.c`.
- **Mutexes and reader-writer locks** sleep. A release wakes who waits first, but whoever
  comes first takes the lock; who has been first for 4 ms and found it taken each time gets it reserved, so
  nobody starves (`kernel/sync/mutex.c`, `rwlock.c`). They stand before all spinlocks.
- **Two locks of one class** are taken together only by the `_nested` calls, whose place says in which order:
  parent before child, lower address first, lower CPU first.
- A **`trylock`** cannot deadlock and may be taken in any order.

## The checker

With `config_lock_check` every acquisition is compared with what the thread, or the interrupt, holds, and the
kernel stops with both stacks when the order is broken: how the earlier lock was taken, and how we got to
the later one. One pass through each of two code paths finds a deadlock that would need both at once.
It also stops when

- a lock is taken twice, or released by somebody else than its owner;
- a lock that interrupts take is taken with interrupts on, or one for threads only in an interrupt;
- a thread sleeps while it holds a spinlock, or with preemption or interrupts off;
- a thread ends, or a continuation returns, while it holds anything;
- a spinlock is not released for a minute.

## The order

First those that are taken first.

| class | kind | protects |
|---|---|---|
"""


def classes():
    text = TABLE.read_text().replace("\\\n", "\n")
    rows = re.findall(r"^\s*C\((\w+),\s*(\w+),\s*\"([^\"]*)\"\)", text, re.M)
    if not rows:
        sys.exit(f"{TABLE}: no table of classes found")
    return rows


def page():
    rows = classes()
    slept_last = False
    for name, kind, _ in rows:
        spins = kind.startswith("SPIN")
        if kind not in KINDS:
            sys.exit(f"{TABLE}: {name} has kind {kind}, which is none of {', '.join(KINDS)}")
        if slept_last and not spins:
            sys.exit(f"{TABLE}: {name} sleeps, but stands below a spinlock")
        slept_last = slept_last or spins
    body = "".join(
        f"| `{n}` | {KINDS[k]} | {w.replace('|', chr(92) + '|')} |\n" for n, k, w in rows
    )
    return HEAD + body


def main():
    text = page()
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text() != text:
            sys.exit("docs/locking.md is out of date: run tools/gen_locking.py")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
