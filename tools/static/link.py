# SPDX-License-Identifier: MIT
"""What the whole kernel shows that one file does not: functions that nothing reaches, and how deep stacks grow.

Both come from what gcc tells of each file while it compiles it (compilation.py).

Depth. A call through a pointer may reach every function that is put into this member of this struct anywhere
(`.read = pipe_read` for `f->ops->read(...)`, where f's declaration and the structs' tell what f->ops is), or into a
member of that name where the text does not show the struct; or that is passed to the function whose parameter is
called: by a file that calls it with names of functions, only those. What is left over, CALLS_BY_HAND names; what a
reader knows better, WITHIN. A noreturn function ends the story and is not followed: panic() and the debugger have a
stack of their own. The sum that has to fit into KERNEL_STACK_SIZE:

    entry from user mode + deepest system call, in which any copy to or from user memory may fault:
        + entry from kernel mode + deepest page fault
    + entry from kernel mode + deepest interrupt, or the switch to another thread after it
"""
import re
from collections import defaultdict

from check import TOP, Finding, sources
from compilation import compile_all, compiled, kernel_flags, whole_kernel

FRAME_LIMIT = 1024   # bytes of one function: as Linux asks of its own
TRAP_FRAME = 256     # registers on the stack, padding, and the stub's return address
CLONE = re.compile(r"\.(isra|constprop|part|cold)\b.*")

# Calls through pointers that the text does not resolve: caller -> a pattern of what it may call, or "f()": what is
# named in calls of f.
CALLS_BY_HAND = {
    "syscall_dispatch": r"thunk_\w+",
    "execute_watched": r"thunk_\w+",
    "timer_interrupt": "timer_init()",
    "interrupt_dispatch": "arch_irq_register()",
    "mounts_visit": "mounts_visit()",
    "crash_execute": "",
}
# What enters the kernel, by what it costs in the sum above.
SYSTEM_CALLS = ("syscall_dispatch", "trap_return_to_user", "trap_user")
USER_COPY = "kernel/arch/x86_64/user_copy.S"
FAULT = "kernel_page_fault"
INTERRUPT = ("interrupt_dispatch", "schedule_preempted")
# Called from many places, but never from inside itself, so its depth is added once to the sum. Of one group one at a
# time: page_alloc() kills only after reclaim() has returned, and does neither for a thread that reclaims.
ONCE = {
    "schedule_preempted": ("scheduler", "preemption is off in the scheduler"),
    "reclaim": ("memory", "a thread that reclaims does not reclaim again (page_alloc)"),
    "oom_kill": ("memory", "one at a time, and its victim needs none"),
}
EVENTFD = r"kernel/ipc/eventfd\.c"
CACHED = r"kernel/(mm|vfs/tmpfs|vfs/fuse|block)/.*|kernel/vfs/[^/]*"
DEVFS = r"kernel/vfs/(tmpfs|devfs)/.*"
# Calls that close a circle: how often they happen at most, each time with the whole circle on the stack.
CIRCLES = {
    ("free_tables", "free_tables"): (4, "page tables have four levels"),
    ("prune_table", "prune_table"): (4, "page tables have four levels"),
    ("next_below", "next_below"): (11, "64 bits of index, 6 a level"),
    ("next_marked_below", "next_marked_below"): (11, "64 bits of index, 6 a level"),
    ("destroy_below", "destroy_below"): (11, "64 bits of index, 6 a level"),
    ("item_woken", "wake_queue"): (5, "epoll nests five deep at most"),
    ("levels_above", "levels_above"): (5, "epoll nests five deep at most"),
    ("levels_below", "levels_below"): (5, "epoll nests five deep at most"),
    ("too_many_ways", "too_many_ways"): (5, "its argument says how deep"),
    ("is_crowded", "is_crowded"): (5, "epoll nests five deep at most"),
    ("epoll_poll", "collect"): (5, "epoll nests five deep at most"),
    ("relay_room", "wake_queue"): (1, "wakes writers, who relay nothing"),
    ("slab_free", "slab_alloc"): (1, "a magazine is allocated with ALLOC_NOWAIT and interrupts off"),
    ("arch_page_table_prepare", "frame_alloc"): (1, "a section's map is built from the section itself"),
    ("tmpfs_dir_free_tree", "tmpfs_entry_remove"): (1, "directories are emptied before they are put"),
    ("scan_bus", "scan_bus"): (16, "so deep do PCI's buses nest at most (DEPTH_MAX)"),
    ("announce", "announce"): (16, "so deep do PCI's buses nest at most (DEPTH_MAX)"),
    ("pci_assign_bus", "pci_assign_bus"): (16, "so deep do PCI's buses nest at most (DEPTH_MAX)"),
    ("release", "object_put"): (2, "a partition puts its disk's pages, and those the disk"),
    ("block_complete", "submit"): (3, "a request has three stages at most"),
    ("vduse_ring_submit", "block_complete"): (2, "it completes by an error, after which no stage follows"),
    ("pump", "block_complete"): (2, "it completes by an error, after which no stage follows"),
    ("loop_submit", "block_complete"): (2, "it completes by an error, after which no stage follows"),
    ("fail_all", "fuse_request_finish"): (2, "what it fails are the requests behind a connection's only INIT"),
    ("socket_rights_drop", "file_put"): (2, "who drops rights already takes those of what it drops (rights.c)"),
    ("release", "release"): (2, "a socket that was never accepted has none that wait to be"),
    ("free_object", "notify_free_dead"): (1, "the marks of an inode that is gone hold none"),
}
# Calls, by the caller's file, below which a pointer reaches less than its type says: the files of what it may reach.
WITHIN = {
    (r"kernel/dev/vduse\w*\.c", "file_put"): (EVENTFD, "a kick is an eventfd, set_kick() sees to that"),
    (r"kernel/dev/vfio_(pci_irq|ioeventfd|legacy)\.c", "file_put"): (EVENTFD, "triggers come from vfio_eventfd()"),
    (r"kernel/dev/vduse_ring\.c", "object_put"): ("", "the arena is an anonymous object, which has no release"),
    (r"kernel/proc/core\w*\.c", "file_write"): (CACHED, "a core is a new regular file"),
    (r".*", "devfs_add"): (DEVFS, "its file system is a tmpfs"),
    (r".*", "devfs_remove"): (DEVFS, "its file system is a tmpfs"),
    (r".*", "chrdev_unregister"): (DEVFS, "its file system is a tmpfs"),
}
# Where a chain ends, because it does not come back: the machine stops.
ENDS = re.compile(
    r"^(panic\w*|__stack_chk_fail|__assert\w*|ktest_fail|lock_order_\w*panic|debug_try_(stop|fail)|debug_halt_bystander)$"
)


# ------------------------------------------------------------------------------- what nothing reaches


def unused(sample):
    """Functions with external linkage that no section reaches from one the linker script keeps. What only the debug
    build calls is not forgotten: files that name what the release build does not reach are asked there as well."""
    files = {sample: compiled(sample, kernel_flags("gcc"), "")} if sample else whole_kernel()
    found = [Finding("unused", p, 1, "failed", f["error"]) for p, f in files.items() if "error" in f]
    files = {p: f for p, f in files.items() if "error" not in f}
    left = unreached(files)
    names = re.compile(r"\b(" + "|".join(name for _, name in left) + r")\b")
    inline = re.compile(r"^[ \t].*?" + names.pattern, re.M)  # what a header's own functions call
    called = {n for p in sources("kernel", "boot", suffixes=(".h",)) for n in inline.findall((TOP / p).read_text())}
    for path, more in compile_all([p for p in files if names.search((TOP / p).read_text())], "debug").items():
        for section, refers in more.get("refers", {}).items():
            files[path]["refers"].setdefault(section, []).extend(refers)
    for path, name in unreached(files, called):
        line = files[path]["graph"]["functions"].get(name, [path, 1, 0])[1]
        found.append(Finding("unused", path, line, "function", f"nothing calls {name}()", name))
    return found


def unreached(files, called=()):
    """The functions, as (path, name), to which nothing in these files leads, nor in those of these names."""
    home = {n: (p, s) for p, f in files.items() for n, s in f["defines"].items() if not n.startswith("local ")}

    def target(path, name):
        local = files[path]["defines"].get("local " + name)
        if local:
            return path, local
        return home.get(name) or (path, name)

    plain = re.compile(r"^\.(text|data|rodata|bss|tbss|data\.rel\.ro)\b(\.local)?\.")
    known = {(p, s) for p, f in files.items() for s in {*f["defines"].values(), *f["refers"]}}
    todo = [n for n in known if not plain.match(n[1]) or n[0].endswith(".S")]
    todo += [home[n] for n in ("kernel_main", "boot_main", "main", *called) if n in home]
    seen = set(todo)
    while todo:
        path, section = todo.pop()
        for name in files[path]["refers"].get(section, ()):
            there = target(path, name)
            if there not in seen:
                seen.add(there)
                todo.append(there)
    return [
        (path, name)
        for path, f in files.items()
        for name in f["global"]
        if home.get(name) not in seen and home.get(name, ("",))[0] == path and not used_at_home(path, name)
    ]


def used_at_home(path, name):
    """Called by its own file, where the compiler may have put the body in the call's place."""
    calls = re.findall(rf"^[ \t].*\b{name}\b", (TOP / path).read_text(), re.M)
    return any(not re.match(r"\s*\*", line) for line in calls)


# ------------------------------------------------------------------------------------- how deep stacks grow


def balanced(text, at):
    """What stands between the parenthesis that opens before text[at] and the one that closes it."""
    return text[at : balanced_end(text, at) - 1]


def balanced_end(text, at, pair="()"):
    """Behind the parenthesis that closes the one that opens before text[at]."""
    depth = 1
    for m in re.compile("[" + re.escape(pair) + "]").finditer(text, at):
        depth += 1 if m[0] == pair[0] else -1
        if not depth:
            return m.end()
    return len(text)


def count_arguments(text):
    """How many there are between these parentheses."""
    while "(" in text:
        smaller = re.sub(r"\([^()]*\)", "", text)
        if smaller == text:
            break
        text = smaller
    return 0 if text.strip() in ("", "void") else text.count(",") + 1


HANDED_ON_MAX = 3  # functions that hand on what they were given


class Types:
    """What struct an expression of the text is: by how its first name is declared, and by the members that follow."""

    def __init__(self, texts):
        self.texts, self.members, self.returns = texts, {}, {}
        for text in texts.values():
            for struct in re.finditer(r"^struct (\w+) \{(.*?)\n\}", text, re.M | re.S):
                for m in re.finditer(r"\bstruct (\w+) \**(\w+)(?:\[\w*\])*;", struct[2]):
                    self.members[struct[1], m[2]] = m[1]
            for m in re.finditer(r"^[\w ]*\bstruct (\w+) \*\s?(\w+)\(", text, re.M):
                self.returns[m[2]] = m[1]

    def before(self, path, at):
        """The struct of the expression that ends where `->` or `.` stands in this file's text, or None."""
        text, begin = self.texts[path], at
        while begin and (text[begin - 1] in ")]>." or text[begin - 1].isalnum() or text[begin - 1] == "_"):
            if text[begin - 1] in ")]":
                depth = 0
                while begin:
                    begin -= 1
                    depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(text[begin], 0)
                    if not depth:
                        break
            elif text[begin - 1] == ">" and text[begin - 2] != "-":
                break
            else:
                begin -= 2 if text[begin - 1] == ">" else 1
        return self.of(path, begin, text[begin:at])

    def of(self, path, at, expression):
        """The struct of this expression, which stands there."""
        first, *rest = re.split(r"->|\.", expression)
        if m := re.match(r"container_of\(.*, struct (\w+),", expression):
            end = balanced_end(expression, expression.index("(") + 1)
            first, rest = m[1], re.split(r"->|\.", expression[end:])[1:]
        elif m := re.match(r"(\w+)\(", expression):
            end = balanced_end(expression, m.end())
            first, rest = self.returns.get(m[1]), re.split(r"->|\.", expression[end:])[1:]
        else:
            first = self.declared(path, at, re.sub(r"\[.*", "", first))
        for member in rest:
            first = self.members.get((first, re.sub(r"\[.*", "", member)))
        return first

    def declared(self, path, at, name):
        """The struct that `name` is declared as, in the function around this place or before all functions."""
        text = self.texts[path]
        if not re.fullmatch(r"\w+", name):
            return None
        pattern = re.compile(rf"\bstruct (\w+) (?:(?!struct\b)[^;(){{}}])*?\b{name}\b(?:\[[^]]*\])*\s*[;,)=]")
        found = pattern.findall(text, function_start(text, at), at)
        return found[-1] if found else next(iter(re.findall(r"^[a-z_ ]*" + pattern.pattern, text[:at], re.M)), None)


def function_start(text, at):
    """Where the head of the function around this place begins."""
    return max(text.rfind("\n\n", 0, max(text.rfind("\n{\n", 0, at), 0)), 0)


class Graph:
    """All functions with their frames, and who may call whom."""

    def __init__(self, files):
        self.frame, self.place, self.calls, self.unresolved = {}, {}, defaultdict(set), []
        self.by_name, self.takers = defaultdict(set), defaultdict(set)
        names = [(p, *n.split()) for p, f in files.items() for n in f["defines"]]
        self.local = {(p, words[1]) for p, *words in names if words[0] == "local" and len(words) == 2}
        pointers, direct = [], []
        for path, f in files.items():
            for name, (where, line, size) in f["graph"]["functions"].items():
                self.frame[path, name] = size
                self.place[path, name] = (where, line)
                self.by_name[CLONE.sub("", name)].add((path, name))
            for caller, callee, place in f["graph"]["calls"]:
                if callee == "__indirect_call":
                    pointers.append(((path, caller), place))
                else:
                    direct.append(((path, caller), callee))
        for name in re.findall(r"^\s*function (\w+)", (TOP / USER_COPY).read_text(), re.M):
            self.frame[USER_COPY, name] = 32 + TRAP_FRAME
            self.place[USER_COPY, name] = (USER_COPY, 1)
            self.by_name[name].add((USER_COPY, name))
            direct.append(((USER_COPY, name), FAULT))
        self.pointed, self.calls_by_name = defaultdict(set), defaultdict(set)
        for caller, callee in direct:
            self.calls[caller].update(self.nodes(caller[0], callee))
            self.calls_by_name[caller].update(self.nodes(caller[0], callee))
        self.texts = {p: (TOP / p).read_text() for p in sources("kernel", "boot", suffixes=(".c", ".h"))}
        self.find_members()
        self.find_calls()
        for (path, caller), place in pointers:
            names = self.resolve(path, caller, place)
            if names is None:
                self.unresolved.append((path, caller, place))
            else:
                self.calls[path, caller] |= names
                self.pointed[path, caller] |= names - self.calls_by_name[path, caller]
        self.bind()
        self.stale = set(CIRCLES) | set(WITHIN)
        self.narrow()
        for caller, callees in self.calls.items():
            for callee in list(callees):
                cut = (CLONE.sub("", caller[1]), CLONE.sub("", callee[1]))
                if cut in CIRCLES:
                    callees.discard(callee)
                    self.stale.discard(cut)
                elif cut[1] in ONCE:
                    callees.discard(callee)

    def nodes(self, path, name):
        """The functions that `name` means when it is called in `path`."""
        if ENDS.match(name):
            return ()
        if (path, name) in self.frame:
            return ((path, name),)
        return self.named(path, CLONE.sub("", name))

    def named(self, path, name):
        """The functions that a file means by this name: its own, or one that is not another file's own."""
        there = self.by_name.get(name, set())
        if path.endswith(".h"):
            return there
        return {n for n in there if n[0] == path} or {n for n in there if n not in self.local}

    def find_members(self):
        """Members that hold functions: (member, number of arguments) -> structs, (struct, member) -> functions."""
        self.structs, self.members, self.first = defaultdict(set), defaultdict(set), {}
        self.handed = defaultdict(set)  # (struct, member) -> functions that fill it with what they are given
        self.types = Types(self.texts)
        typedefs = {}
        for text in self.texts.values():
            for m in re.finditer(r"^typedef [^;]*?\(\*(\w+)\)\(([^;]*)\);", text, re.M):
                typedefs[m[1]] = count_arguments(m[2])
        for text in self.texts.values():
            for struct in re.finditer(r"\bstruct (\w+) \{(.*?)\n\}", text, re.S):
                for m in re.finditer(r"\(\*(?:const )?(\w+)(?:\[\w*\])?\)\(((?:[^()]|\([^()]*\))*)\)", struct[2]):
                    self.structs[m[1], count_arguments(m[2])].add(struct[1])
                    self.first[struct[1], m[1]] = m[2].split(",")[0]
                for m in re.finditer(r"\b(\w+) (\w+);", struct[2]):
                    if m[1] in typedefs:
                        self.structs[m[2], typedefs[m[1]]].add(struct[1])
                        self.first.setdefault((struct[1], m[2]), "")
        for path, text in self.texts.items():
            macros = dict(re.findall(r"^#define (\w+)\s+((?:.*\\\n)*.*\.\w+ = .*)", text, re.M))
            for table in re.finditer(r"\bstruct (\w+)(?: [\w\[\]]+(?: \w+)* = |\))\{", text):
                inside = text[table.end() : balanced_end(text, table.end(), "{}") - 1]
                filled = re.sub(r"\b[A-Z_]+\b", lambda m: macros.get(m[0], m[0]), inside)
                for m in re.finditer(r"\.(\w+) = &?(\w+)\b", filled):
                    struct = table[1] if (table[1], m[1]) in self.first else ""  # else of a struct inside it
                    self.members[struct, m[1]] |= self.named(path, m[2])
            for m in re.finditer(r"(?:->|\.)(\w+) = &?(\w+);", text):
                struct = self.types.before(path, m.start()) or ""
                if functions := self.named(path, m[2]):
                    self.members[struct, m[1]] |= functions
                elif (struct, m[1]) in self.first and (taker := self.taker_of(path, m.start(), m[2])):
                    self.handed[struct, m[1]].add(taker)

    def taker_of(self, path, at, name):
        """The function around this place, when `name` is one of its parameters."""
        text = self.texts[path]
        head = re.compile(r"^(\w+)\((.*?)\)\n\{", re.M | re.S).search(text, function_start(text, at), at)
        return head[1] if head and re.search(rf"\b{name}\b", head[2]) else None

    def find_calls(self):
        """Where a name is called in the text: name -> (path, whether it is a member, behind the parenthesis)."""
        self.parentheses = defaultdict(list)
        for path, t in self.texts.items():
            for call in re.finditer(r"(->|\.)?\b(\w+)\(", t):
                if t[t.rfind("\n", 0, call.start()) + 1] in " \t#":  # else its definition
                    self.parentheses[call[2]].append((path, bool(call[1]), call.end()))

    def resolve(self, path, caller, place):
        base = CLONE.sub("", caller)
        if base in CALLS_BY_HAND:
            giver = CALLS_BY_HAND[base]
            if giver.endswith("()"):
                return self.given(giver[:-2])
            return {n for name in self.by_name if re.fullmatch(giver, name) for n in self.by_name[name]}
        text = self.texts.get(place[0], "").splitlines()
        line = "\n".join(text[place[1] - 1 : place[1] + 3])
        begin = len("\n".join([*text[: place[1] - 1], ""]))
        # gcc's place may be the call or the assignment that it is part of: the member call at or behind it.
        for m in re.compile(r"(?:->|\.)(\w+)(?:\[[^]]*\])?\)?(\()").finditer(line, 0):
            if m.end() < place[2] or line.count("\n", 0, m.start()) > 2:
                continue
            if struct := self.types.before(place[0], begin + m.start()):
                if (struct, m[1]) in self.first:
                    return self.held(struct, m[1])
            inside = balanced(line, m.end(2))
            structs = self.structs.get((m[1], count_arguments(inside)), ())
            structs = self.same_first(structs, m[1], inside.split(",")[0].strip(), place)
            names = set().union(*(self.members[t, m[1]] for t in structs))
            if names or structs:
                # A member that no table of this struct fills is filled by an assignment.
                return names or self.members["", m[1]]
        m = re.compile(r"\b(\w+)\(").search(line, max(place[2] - 1, 0))
        if not m:
            return None
        found = self.put_into(place[0], begin + m.start(), m[1])
        return self.passed(place, m[1]) if found is None else found

    def held(self, struct, member):
        """What is put into this member: by tables, by assignments, and by functions that are given it."""
        names = self.members[struct, member] | self.members["", member]
        return names.union(*(self.given(f) for f in self.handed[struct, member]))

    def put_into(self, path, at, name):
        """What the function around this place puts into its local pointer `name`; None when it has none."""
        text = self.texts[path]
        body = text.find("\n{", function_start(text, at))
        if not re.compile(rf"\(\*{name}\)\(").search(text, body, at):
            return self.put_into_global(path, name)
        found = set()
        for m in re.compile(rf"\b{name} = ([^;]+);").finditer(text, body, at):
            for part in re.finditer(r"(->|\.)?\b(\w+)\b(?!->|\.)", m[1]):
                if not part[1]:
                    found |= self.named(path, part[2])
                elif struct := self.types.before(path, m.start(1) + part.start()):
                    found |= self.held(struct, part[2])
        return found

    def put_into_global(self, path, name):
        """What this file puts into its pointer `name`, which stands before all functions; None when it has none."""
        text = self.texts[path]
        if not re.search(rf"^[\w *]+\(\*{name}\)\(.*\)(?: = \w+)?;", text, re.M):
            return None
        found = set()
        for m in re.finditer(rf"\b{name}(?: =|,) (\w+)\b", text):
            found |= self.named(path, m[1])
            if taker := self.taker_of(path, m.start(), m[1]):
                found |= self.given(taker)
        return found

    def same_first(self, structs, member, argument, place):
        """Of these structs, those whose member takes what `argument` is declared as, where the text shows that."""
        text = "\n".join(self.texts[place[0]].splitlines()[max(place[1] - 80, 0) : place[1]])
        if declared := re.findall(rf"(?:^|[\s(])(?:const )?(struct \w+ \*){argument}\b", text):
            same = [t for t in structs if declared[-1] in self.first.get((t, member), "")]
            return same or structs
        return structs

    def passed(self, place, parameter):
        """Functions given as an argument to the function around `place`, whose parameter is called."""
        text = self.texts[place[0]].splitlines()
        for n in range(place[1] - 1, -1, -1):
            m = re.match(r"(?:\w.*?)?\b(\w+)\(.*", text[n])
            if m and re.match(r"^\w", text[n]) and not text[n].startswith("#"):
                break
        else:
            return None
        names = self.given(m[1])
        if names:
            self.takers[m[1]] |= names
        return names or None

    def given(self, function):
        """The functions whose names stand in a call of `function`; where one hands on what it was given, its own, and so
        on for a few steps: what takes more is called through a member, and of that nothing is known."""
        found, seen, outermost = set(), {function}, [function]
        for _ in range(HANDED_ON_MAX):
            outer_functions = []
            for taker in outermost:
                calls = list(self.calls_of(taker))
                names = set().union(*(names for _, names, _ in calls))
                found |= names
                for path, _, at in () if names else calls:
                    outer_functions += re.findall(r"^(\w+)\(", self.texts[path][:at], re.M)[-1:]
            outermost = {f for f in outer_functions if f not in seen}
            seen |= outermost
        return found

    def calls_of(self, function):
        """(path, functions named among the arguments, place) of each call, by name or by a member that holds it."""
        members = {member for (_, member), these in self.members.items() if function in {n for _, n in these}}
        for name in {function, *members}:
            for path, by_member, at in self.parentheses[name]:
                if name == function and not by_member or name in members and by_member:
                    inside = balanced(self.texts[path], at)
                    words = re.findall(r"(?<![>.])\b\w+\b(?!\(|->|\.)", inside)
                    yield path, {n for w in words for n in self.named(path, w)}, at

    def bind(self):
        """A function that calls its parameter, called from a file that names what is to be called in each of its
        calls: a copy of it for that file, which calls nothing else."""
        for function, names in self.takers.items():
            by_file, forwards = defaultdict(set), set()
            for path, these, _ in self.calls_of(function):
                by_file[path] |= these
                if not these:
                    forwards.add(path)
            headers = [p for p in by_file if p.endswith(".h")]
            for node in [n for n in self.frame if CLONE.sub("", n[1]) == function]:
                for caller, callees in list(self.calls.items()):
                    path = caller[0]
                    if node not in callees or headers or path in forwards or not by_file[path] or caller[1] == function:
                        continue
                    here = by_file[path]
                    copy = (node[0], f"{node[1]}.part.for {path}")
                    self.frame[copy], self.place[copy] = self.frame[node], self.place[node]
                    self.calls[copy] = {c for c in self.calls.get(node, ()) if c not in names or c in here} | here
                    callees.discard(node)
                    callees.add(copy)

    def narrow(self):
        """WITHIN: a copy of what stands below such a call, whose pointers reach only these files."""
        for (caller, callee), (files, _) in WITHIN.items():
            for node in list(self.calls):
                if not re.fullmatch(caller, node[0]):
                    continue
                for there in [n for n in self.calls[node] if CLONE.sub("", n[1]) == callee]:
                    self.stale.discard((caller, callee))
                    self.calls[node].discard(there)
                    self.calls[node].add(self.copy_within(there, files, f".part.within {callee} {files}"))

    def copy_within(self, top, files, suffix):
        """The copy of this function; of all that it may reach there are copies as well."""
        todo = [top]
        while todo:
            node = todo.pop()
            copy = (node[0], node[1] + suffix)
            if copy in self.frame:
                continue
            self.frame[copy], self.place[copy] = self.frame[node], self.place[node]
            held = self.pointed.get(node, set())
            below = {n for n in self.calls.get(node, ()) if n not in held or re.fullmatch(files, n[0])}
            self.calls[copy] = {(n[0], n[1] + suffix) for n in below}
            self.pointed[copy] = {(n[0], n[1] + suffix) for n in below & held}
            todo += below
        return (top[0], top[1] + suffix)

    def deepest(self, roots, until=None):
        """(bytes, chain) of the deepest chain from these functions, and the cycles met on the way. With `until`, of
        the chains that lead to that function."""
        memo, cycles, on = {}, [], []

        def depth(node):
            if node in memo:
                return memo[node]
            if node in on:
                cycles.append(on[on.index(node) :])
                return 0, ()
            on.append(node)
            below = max((depth(c) for c in sorted(self.calls.get(node, ()))), default=(0, ()))
            on.pop()
            leads = not until or CLONE.sub("", node[1]) == until
            memo[node] = (self.frame[node] + below[0], (node, *below[1])) if leads or below[1] else (0, ())
            if leads and until:
                memo[node] = (self.frame[node], (node,))
            return memo[node]

        best = max((depth(n) for r in roots for n in self.by_name[r]), default=(0, ()))
        return best, cycles, memo


def kernel_stack_size():
    text = (TOP / "kernel/include/tessera/config.h").read_text()
    sizes = re.findall(r"(\d+) \* 1024", re.search(r"define KERNEL_STACK_SIZE (.*)", text)[1])
    return min(map(int, sizes)) * 1024  # a build that needs more stack has more


def entries(graph):
    """What adds up on one stack: (title, bytes, chain) each, and the circles nobody has explained."""
    parts, circles = [], []
    for title, roots in (("system call", SYSTEM_CALLS), ("interrupt", INTERRUPT)):
        (size, chain), more, _ = graph.deepest(roots)
        parts.append((title, size, chain))
        circles += more
    groups = defaultdict(list)
    for name, (group, _) in ONCE.items():
        (size, chain), more, _ = graph.deepest((name,))
        groups[group].append((name, size, chain))
        circles += more
    parts += [max(group, key=lambda part: part[1]) for group in groups.values()]
    # The way from callee back to caller is on the stack once already; count the rest. No circle runs inside another.
    rest = [("no circle", 0, ())]
    for (caller, callee), (times, _) in CIRCLES.items():
        (size, chain), _, _ = graph.deepest((callee,), until=caller)
        if chain and times > 1:
            rest.append((f"{caller} > {callee}", size * (times - 1), ()))
    parts.append(max(rest, key=lambda part: part[1]))
    parts.append(("registers", 2 * TRAP_FRAME, ()))
    return parts, circles


def stack(sample):
    """Frames over FRAME_LIMIT, recursion, calls that cannot be followed, and the sum against the stack's size."""
    files = {sample: compiled(sample, kernel_flags("gcc"), "")} if sample else whole_kernel()
    graph = Graph({p: f for p, f in files.items() if "error" not in f})
    found = []
    for (path, name), size in graph.frame.items():
        if size > FRAME_LIMIT:
            where = graph.place[path, name]
            found.append(Finding("stack", path, where[1], "frame", f"{size} bytes in one frame", name))
    for path, caller, place in graph.unresolved:
        found.append(
            Finding("stack", place[0], place[1], "pointer", "cannot tell what this call may reach", caller)
        )
    if sample:
        roots = {n for _, n in graph.frame}
        (_, _), cycles, _ = graph.deepest(roots)
    else:
        parts, cycles = entries(graph)
        total = sum(size for _, size, _ in parts)
        if total > kernel_stack_size():
            what = ", ".join(f"{title} {size}" for title, size, _ in parts)
            found.append(Finding("stack", "kernel/include/tessera/config.h", 1, "depth", f"{total} bytes: {what}"))
        for caller, callee in graph.stale:
            found.append(Finding("stack", "tools/static/link.py", 1, "stale", f"{caller} calls {callee} no longer"))
    for cycle in cycles:
        node = min(cycle, key=lambda n: n[1])
        chain = " > ".join(CLONE.sub("", name) for _, name in [*cycle, cycle[0]])
        found.append(Finding("stack", node[0], graph.place[node][1], "recursion", chain, CLONE.sub("", node[1])))
    return found


def report():
    """For the reader: the deepest chains and the largest frames."""
    graph = Graph(whole_kernel())
    parts, _ = entries(graph)
    print(f"kernel stack {kernel_stack_size()} bytes; at most {sum(size for _, size, _ in parts)} used")
    for title, size, chain in parts:
        print(f"\n{title}: {size} bytes")
        for node in chain:
            print(f"  {graph.frame[node]:6} {node[1]:32} {graph.place[node][0]}:{graph.place[node][1]}")
    print("\nlargest frames")
    for node in sorted(graph.frame, key=graph.frame.get, reverse=True)[:12]:
        print(f"  {graph.frame[node]:6} {node[1]:32} {graph.place[node][0]}:{graph.place[node][1]}")
    return 0
