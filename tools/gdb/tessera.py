# SPDX-License-Identifier: MIT
"""gdb's view of the kernel: printers for its structs, and commands for what one asks first.

    (gdb) tessera-cpus        what each CPU runs
    (gdb) tessera-processes   every process: pid, state, parent, threads, name
    (gdb) tessera-fds PID     the handles of a process, with their rights
    (gdb) print *current      printers for struct thread, process, spinlock, file, list ...
"""
import gdb
import gdb.printing


def text(array):
    return array.string("ascii", "replace").split("\0")[0]


def enum(value, prefix):
    return str(value).removeprefix(prefix).lower()


def container(link, kind, field):
    """The struct `kind` whose member `field` is at address `link`."""
    t = gdb.lookup_type(kind)
    offset = next(f.bitpos // 8 for f in t.fields() if f.name == field)
    return (link.cast(gdb.lookup_type("char").pointer()) - offset).cast(t.pointer())


def walk(head, kind, field, limit=10000):
    """Every struct on a list, by the name of its link."""
    at = head["next"]
    while at != head.address and limit:
        yield container(at, kind, field)
        at = at["next"]
        limit -= 1


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


class Cpus(gdb.Command):
    """What each CPU runs."""

    def __init__(self):
        super().__init__("tessera-cpus", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        cpus = gdb.parse_and_eval("cpus")
        for i in range(int(gdb.parse_and_eval("cpu_count"))):
            cpu = cpus[i].dereference()
            print(
                f"cpu {i}: preempt {int(cpu['preempt_count'])} irq {int(cpu['irq_depth'])}",
                end="  ",
            )
            print(Thread(cpu["current"].dereference()).to_string() if cpu["current"] else "-")


class Processes(gdb.Command):
    """Every process."""

    def __init__(self):
        super().__init__("tessera-processes", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for p in walk(gdb.parse_and_eval("all_processes"), "struct process", "all_node"):
            print(Process(p.dereference()).to_string())
            for t in walk(p["threads"], "struct thread", "process_node"):
                print("   ", Thread(t.dereference()).to_string())


class Fds(gdb.Command):
    """The handles of a process: tessera-fds PID"""

    def __init__(self):
        super().__init__("tessera-fds", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for p in walk(gdb.parse_and_eval("all_processes"), "struct process", "all_node"):
            if int(p["pid"]) != int(argument) or not p["handles"]:
                continue
            table = p["handles"].dereference()
            for fd in range(int(table["size"])):
                handle = table["handles"][fd]
                if int(handle["file"]) > 1:
                    cloexec = " close-on-exec" if handle["close_on_exec"] else ""
                    print(f"{fd}: file {handle['file']} rights {int(handle['rights']):#x}{cloexec}")


for command in (Cpus, Processes, Fds):
    command()
