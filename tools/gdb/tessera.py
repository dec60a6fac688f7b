# SPDX-License-Identifier: MIT
"""gdb's view of the kernel: printers for its structs, and kdb's views as commands.

    (gdb) tessera-ps            all threads: state, CPU, since when, what for
    (gdb) tessera-bt TID|cpuN   the call stack of any thread, switched out or running
    (gdb) tessera-cpus          what each CPU runs, and where
    (gdb) tessera-runq          run queues
    (gdb) tessera-locks         who waits for a lock, who holds it; circles
    (gdb) tessera-memory        zones and frames by use
    (gdb) tessera-slabs         caches of kernel objects
    (gdb) tessera-processes     every process: pid, state, parent, threads, name
    (gdb) tessera-as PID        the mappings of a process
    (gdb) tessera-handles PID   what a process has open (tessera-fds: the same)
    (gdb) tessera-timers        each CPU's timers
    (gdb) tessera-log [N]       the last lines of the log
    (gdb) tessera-trace [N]     the last trace records
    (gdb) tessera-slide         find a kernel that moved itself at boot (no nokaslr), load symbols there
    (gdb) print *current        printers for struct thread, process, list, refcount

This file has the printers; kernel.py how to walk the kernel's structs, threads.py and memory.py the commands.
"""
import os
import sys

import gdb
import gdb.printing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kernel import enum, text  # noqa: E402


class Thread:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        v = self.value
        return (
            f"thread {int(v['tid'])} \"{text(v['name'])}\" {enum(v['state'], 'THREAD_')} cpu {int(v['cpu'])}"
            f" nice {int(v['nice'])} work {int(v['work']):#x}"
        )


class Process:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        v = self.value
        parent = int(v["parent"]["pid"]) if v["parent"] else 0
        name = text(v["leader"]["name"]) if v["leader"] else "?"
        return (
            f"process {int(v['pid'])} \"{name}\" {enum(v['state'], 'PROCESS_')} parent {parent}"
            f" threads {int(v['thread_count'])}"
        )


class List:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        at, count = self.value["next"], 0
        while at and at != self.value.address and count < 10000:
            at, count = at["next"], count + 1
        return "list, empty" if count == 0 else f"list of {count}, first link {self.value['next']}"


class RefCount:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        field = self.value.type.fields()[0].name
        return f"{int(self.value[field])} references"


def printers():
    table = gdb.printing.RegexpCollectionPrettyPrinter("tessera")
    for name, printer in (
        ("thread", Thread),
        ("process", Process),
        ("list", List),
        ("refcount", RefCount),
    ):
        table.add_printer(name, f"^{name}$", printer)
    return table


gdb.printing.register_pretty_printer(gdb.current_objfile(), printers(), replace=True)


import memory  # noqa: E402,F401 - they register their commands # static: pyflakes: its commands register themselves
import threads  # noqa: E402,F401 # static: pyflakes: its commands register themselves
