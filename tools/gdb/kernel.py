# SPDX-License-Identifier: MIT
"""How to walk the kernel's structs from gdb. Lists may be broken: every walk has an end."""
import gdb

LIMIT = 20000


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


def rb_walk(tree, kind, field, limit=LIMIT):
    """Every struct in a red-black tree, in order."""
    stack, node = [], tree["root"]
    while (stack or node) and limit:
        while node and len(stack) < 128:
            stack.append(node)
            node = node["left"]
        if not stack:
            return
        node = stack.pop()
        yield container(node, kind, field)
        node = node["right"]
        limit -= 1


def static(file, name):
    """A static variable, by the file that has it."""
    return gdb.parse_and_eval(f"'{file}'::{name}")


def value(name):
    return gdb.parse_and_eval(name)


def cpus():
    array = value("cpus")
    for i in range(int(value("cpu_count"))):
        if array[i]:
            yield array[i]


def threads():
    """All threads, the idle ones first."""
    seen = set()
    for c in cpus():
        if c["idle"]:
            seen.add(int(c["idle"]))
            yield c["idle"]
    for t in walk(static("kernel/sched/thread.c", "all"), "struct thread", "all_node", LIMIT):
        if int(t) not in seen:
            yield t


def processes():
    return walk(value("all_processes"), "struct process", "all_node", LIMIT)


def find_process(argument):
    pid = int(argument, 0)
    for p in processes():
        if int(p["pid"]) == pid:
            return p
    raise gdb.GdbError(f"no process {pid}")


def find_thread(argument):
    number = int(argument, 0)
    for t in threads():
        if int(t) == number or (number and int(t["tid"]) == number):
            return t
    raise gdb.GdbError(f"no thread {argument}")


def string(pointer, limit=200):
    return pointer.string("utf-8", "replace", limit).split("\0")[0] if pointer else ""


def function_at(pc):
    """name+0xoff at file:line"""
    block = gdb.block_for_pc(pc)
    while block and not block.function:
        block = block.superblock
    if not block:
        symbol = gdb.execute(f"info symbol {pc:#x}", to_string=True)
        return f"{pc:#x}" if symbol.startswith("No symbol") else symbol.split(" in section")[0].replace(" + ", "+")
    line = gdb.find_pc_line(pc)
    where = f" at {line.symtab.filename}:{line.line}" if line.symtab else ""
    return f"{block.function.name}+{pc - block.start:#x}{where}"


def word(address):
    memory = gdb.selected_inferior().read_memory(address, 8)
    return int.from_bytes(memory.tobytes(), "little")


def monotonic_ns():
    """The time of the last entry of a CPU's run queue: gdb cannot ask the clock."""
    return max([int(c["rq"]["current"]["run_start"]) for c in cpus() if c["rq"] and c["rq"]["current"]] + [0])


class Command(gdb.Command):
    """A command whose text is its help; subclasses have `name` and run(arguments)."""

    def __init__(self):
        super().__init__(self.name, gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        try:
            self.run(gdb.string_to_argv(argument))
        except gdb.MemoryError as e:
            raise gdb.GdbError(f"cannot be read: {e}")
