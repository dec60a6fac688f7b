# SPDX-License-Identifier: MIT
"""Threads, their stacks, run queues, locks: who runs, who waits, and for what."""
import gdb
from kernel import (
    Command,
    cpus,
    enum,
    find_thread,
    function_at,
    monotonic_ns,
    processes,
    rb_walk,
    static,
    text,
    threads,
    value,
    walk,
    word,
)

DEPTH = 64
# Functions that are how one waits, not what for.
WAITING = (
    "arch_thread_switch thread_switch_stack switch_thread schedule wait_sleep wait_until lock_slowly "
    "lock_watchfully mutex_lock read_lock write_lock"
).split()


# --- stacks ---------------------------------------------------------------------------------------


class Step:
    """A place in a call stack: where a function goes on, or was interrupted."""

    def __init__(self, pc, exact=False, user=False):
        self.pc, self.exact, self.user = pc, exact, user

    def __str__(self):
        if self.user:
            return f"user mode, pc {self.pc:#x}"
        # A return address may lie behind the end of its function: the call does not return.
        return function_at(self.pc if self.exact else self.pc - 1)


def address_of(name):
    return int(value(f"(unsigned long)&{name}"))


def stack(rbp):
    """
    The steps from a frame pointer on, as the kernel itself walks (arch/x86_64/backtrace.c). entry.S keeps
    the registers of what an entry interrupted 24 bytes above the first function's frame.
    """
    low_entry, high_entry = address_of("trap_entry_stubs"), address_of("thread_begin")
    frame = gdb.lookup_type("struct trap_frame").pointer()
    for _ in range(DEPTH):
        if rbp % 8 or rbp < 1 << 63:
            return
        try:
            caller, pc = word(rbp), word(rbp + 8)
        except gdb.MemoryError:
            return
        if not pc:
            return
        yield Step(pc)
        if low_entry < pc <= high_entry:
            regs = gdb.Value(rbp + 24).cast(frame)
            user = int(regs["cs"]) & 3 == 3
            yield Step(int(regs["rip"]), exact=True, user=user)
            if user:
                return
            rbp = int(regs["rbp"])
        elif caller <= rbp:
            return
        else:
            rbp = caller


def cpu_registers(cpu):
    """(rip, rbp) of a CPU: gdb's thread N + 1."""
    before = gdb.selected_thread()
    for t in gdb.selected_inferior().threads():
        if t.num == cpu + 1:
            t.switch()
            frame = gdb.newest_frame()
            registers = int(frame.read_register("rip")) % 2**64, int(frame.read_register("rbp")) % 2**64
            before.switch()
            return registers
    raise gdb.GdbError(f"gdb knows no CPU {cpu}")


def running_on(t):
    for c in cpus():
        if int(c["current"]) == int(t):
            return int(c["id"])
    return None


def thread_stack(t):
    cpu = running_on(t)
    if cpu is None:
        # struct switch_frame: r15 r14 r13 r12 rbx rbp, and where to go on
        yield from stack(word(int(t["arch"]["rsp"]) + 40))
        return
    rip, rbp = cpu_registers(cpu)
    if rip < 1 << 63:
        yield Step(rip, exact=True, user=True)
        return
    yield Step(rip, exact=True)
    yield from stack(rbp)


def wait_place(t):
    for s in thread_stack(t):
        name = str(s).split("+")[0]
        if not name.startswith(tuple(WAITING)):
            return name
    return ""


# --- commands -------------------------------------------------------------------------------------


def state_letter(t):
    letter = {"new": "N", "runnable": "R", "sleeping": "S", "stopped": "T", "dead": "Z"}.get(
        enum(t["state"], "THREAD_"), "?"
    )
    return "D" if letter == "S" and t["uninterruptible"] else letter


def activity(t):
    cpu = running_on(t)
    if cpu is not None:
        return f"on CPU {cpu}"
    if state_letter(t) == "R":
        return f"queued on CPU {int(t['cpu'])}"
    if t["waiting_for_lock"]:
        return f"lock {int(t['waiting_for_lock']):#x}"
    queue = f" {int(t['wait_queue']):#x}" if t["wait_queue"] else ""
    return wait_place(t) + queue


def call_name(number):
    table = static("kernel/linux/dispatch.c", "calls")
    if number >= table.type.range()[1] or not table[number]["name"]:
        return f"call {number}"
    return table[number]["name"].string()


def ps_line(t):
    call = int(t["syscall_number"])
    pid = int(t["process"]["pid"]) if t["process"] else 0
    inside = f" in {call_name(call)}" if t["process"] and call < 2000 else ""
    return (
        f"{pid:6} {int(t['tid']):6} {state_letter(t)} {int(t['cpu']):3} {text(t['name']):15} "
        f"{activity(t)}{inside}"
    )


class Ps(Command):
    """All threads: state, CPU, what they wait for."""

    name = "tessera-ps"

    def run(self, arguments):
        print("   pid    tid s cpu name            what")
        for t in threads():
            print(ps_line(t))


class Backtrace(Command):
    """The call stack of a thread (tid or address), or of what a CPU runs: tessera-bt TID | cpuN | all"""

    name = "tessera-bt"

    def show(self, t):
        print(ps_line(t))
        for s in thread_stack(t):
            print(f"    {s}")

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("of which thread? a tid, an address, cpuN, or all")
        if arguments[0] == "all":
            for t in threads():
                self.show(t)
        elif arguments[0].startswith("cpu"):
            self.show(value("cpus")[int("".join(arguments)[3:])]["current"])
        else:
            self.show(find_thread(arguments[0]))


class Cpus(Command):
    """What each CPU runs, and where."""

    name = "tessera-cpus"

    def run(self, arguments):
        for c in cpus():
            t = c["current"]
            who = f'thread {int(t["tid"])} "{text(t["name"])}"' if t else "-"
            print(f"cpu {int(c['id'])}: {who} preempt {int(c['preempt_count'])} irq {int(c['irq_depth'])}")
            if t:
                print("    " + " < ".join(str(s).split(" at ")[0] for s in list(thread_stack(t))[:8]))


class RunQueues(Command):
    """The run queue of each CPU: who runs, who waits for the CPU."""

    name = "tessera-runq"

    def line(self, what, t):
        print(
            f"  {what} {text(t['name'])} tid {int(t['tid'])} policy {int(t['policy'])} nice {int(t['nice'])}"
            f" rt {max(int(t['rt_priority']), int(t['inherited_priority']))} vruntime {int(t['vruntime'])}"
        )

    def run(self, arguments):
        for c in cpus():
            rq = c["rq"].cast(gdb.lookup_type("struct run_queue").pointer())
            print(f"cpu {int(c['id'])}: {int(rq['queued'])} queued, {int(rq['switches'])} switches")
            self.line("runs", rq["current"])
            lists = rq["rt"]["list"]
            for p in range(lists.type.range()[1], 0, -1):
                for t in walk(lists[p], "struct thread", "run_list"):
                    self.line("waits", t)
            for t in rb_walk(rq["fair"]["tree"], "struct thread", "run_node"):
                self.line("waits", t)


class Locks(Command):
    """Who waits for a lock, who holds it; whether they wait in a circle."""

    name = "tessera-locks"

    def wait(self, t):
        """(lock, kind, class, holder) that a thread waits for, or None."""
        kinds = {1: "mutex", 2: "rwlock", 3: "rwlock"}
        address = int(t["waiting_for_lock"])
        kind = kinds.get(int(t["waiting_kind"]))
        if address and kind:
            lock = t["waiting_for_lock"].cast(gdb.lookup_type(f"struct {kind}").pointer())
            return address, kind, int(lock["class"]), lock["owner" if kind == "mutex" else "writer"]
        cpu = running_on(t)
        if cpu is None or not value("cpus")[cpu]["spin_wait"]:
            return None
        lock = value("cpus")[cpu]["spin_wait"]
        holder = int(lock["holder_cpu"])
        owner = value("cpus")[holder - 1]["current"] if holder else None
        return int(lock), "spinlock", int(lock["class"]), owner

    def class_name(self, number):
        return static("kernel/sync/lock_order.c", "class_name")[number].string()

    def line(self, t, w):
        holder = f'{text(w[3]["name"])} (tid {int(w[3]["tid"])}, {int(w[3]):#x})' if w[3] else "nobody known"
        return (
            f"{text(t['name'])} (tid {int(t['tid'])}) waits for the {w[1]} {self.class_name(w[2])} {w[0]:#x},"
            f" held by {holder}"
        )

    def run(self, arguments):
        waits = {int(t): (t, w) for t in threads() if (w := self.wait(t))}
        for t, w in waits.values():
            print(self.line(t, w))
        told = set()
        for start in waits:
            path, at = [], start
            while at in waits and at not in path and at not in told:
                path.append(at)
                at = int(waits[at][1][3]) if waits[at][1][3] else 0
            if at == start and path:
                print(f"DEADLOCK: a circle of {len(path)}")
                for p in path:
                    print("  " + self.line(*waits[p]))
            told.update(path)
        for t in threads():
            held = t["held"]
            for i in range(min(int(held["count"]), 24)):
                e = held["entry"][i]
                print(
                    f"{text(t['name'])} (tid {int(t['tid'])}) holds {self.class_name(int(e['class']))} {e['lock']},"
                    f" taken at {function_at(int(e['pc'][0]) - 1)}"
                )
        if not waits:
            print("nobody waits for a lock")


class Timers(Command):
    """The timers of each CPU, the next one first."""

    name = "tessera-timers"

    def run(self, arguments):
        now = monotonic_ns()
        for c in cpus():
            q = c["timers"].cast(gdb.lookup_type("struct timer_queue").pointer())
            print(f"cpu {int(c['id'])}: {int(q['interrupts'])} interrupts, {int(q['fired'])} fired, armed for {int(q['armed'])}")
            for t in rb_walk(q["tree"], "struct timer", "node"):
                fn = function_at(int(t["fn"])).split("+")[0]
                print(f"  timer {int(t):#x} at {int(t['when'])} (about {(int(t['when']) - now) // 10**6} ms from now): {fn}")


class Processes(Command):
    """Every process and its threads."""

    name = "tessera-processes"

    def run(self, arguments):
        for p in processes():
            print(p.dereference())
            for t in walk(p["threads"], "struct thread", "process_node"):
                print("   ", t.dereference())


for command in (Ps, Backtrace, Cpus, RunQueues, Locks, Timers, Processes):
    command()
