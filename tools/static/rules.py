# SPDX-License-Identifier: MIT
"""Rules of this tree that no compiler knows. Each is one function over the text of one file."""
import re
from pathlib import Path

from check import TOP, Finding, sources

COMPILER_HEADERS = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h"}


def room_of(path):
    """The first two folders: kernel/mm, boot/, services/init."""
    return "/".join(Path(path).parts[:2]) if path.startswith("kernel/") else path.split("/")[0]


def without_comments(text):
    """The code with comments and strings blanked, at the same places."""

    def blank(m):
        return re.sub(r"[^\n]", " ", m[0])

    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", blank, text, flags=re.S)


def includes(path, lines):
    """A room reaches another only through <tessera/...>; abi/ includes nothing of ours, and is for all; programs
    include nothing of the kernel's; boot/ is the one that also sees arch's private headers, for it runs before there are
    doors. The network stack has its drivers in itself."""
    for number, line in lines:
        m = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)", line)
        if not m:
            continue
        name = m[2]
        if m[1] == "<":
            if path.startswith(("kernel/", "boot/")):
                if not name.startswith(("tessera/", "abi/")) and name not in COMPILER_HEADERS:
                    yield number, "include", f"the kernel includes only <tessera/...>, not <{name}>"
            elif name.startswith("tessera/"):
                yield number, "include", "kernel headers are for the kernel"
            if path.startswith("kernel/include/tessera/") and not name.startswith("tessera/"):
                if path != "kernel/include/tessera/types.h":
                    yield number, "include", f"<{name}> comes from <tessera/types.h>"
            continue
        there = (TOP / path).parent.joinpath(name).resolve()
        if not there.exists():
            continue  # made by the build
        other = str(there.relative_to(TOP))
        same = room_of(other) == room_of(path) or other.startswith("abi/")
        same |= path.startswith("services/netd/") and other.startswith("drivers/net/")
        if not same and not (path.startswith("boot/") and other.startswith("kernel/arch/")):
            yield number, "include", f"{other} is private to {room_of(other)}"


def conditionals(path, lines):
    """Choose files and tables, not lines: the preprocessor decides nothing in a .c file outside arch."""
    if not path.endswith(".c") or not path.startswith("kernel/") or path.startswith("kernel/arch/"):
        return
    for number, line in lines:
        if re.match(r"\s*#\s*(if|ifdef|ifndef|else|elif)\b", line):
            yield number, "conditional", "no #if in a .c file outside arch/: choose a file, a table, or a plain if"


def shape(path, lines):
    """The licence line; nothing left for later."""
    if lines and lines[0][1] != "/* SPDX-License-Identifier: MIT */":
        yield 1, "licence", "a file starts with its licence"
    for number, line in lines:
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            yield number, "later", "nothing is left for later"


def force_user(path, lines):
    """The mark of a program's pointer is put on where a number becomes one: in calls, and never taken off."""
    for number, line in lines:
        if "__force_user(" in line and "#define" not in line and "__user" not in line:
            yield number, "force_user", "the mark of a program's pointer is never taken away"


def rights_apart(path, lines):
    """The rights of a handle come with its file, in one step: apart they may be another file's."""
    for number, line in lines:
        if path.startswith("kernel/linux/") and re.search(r"\bhandle_rights\(", line):
            yield number, "rights", "the rights of a handle come with its file: handle_get_rights()"


FUNCTION_START = re.compile(r"^(\w+)\(", re.M)


def double_fetch(path, lines):
    """The same bytes of a program read twice in one function may differ the second time."""
    if not path.startswith("kernel/") or not path.endswith(".c"):
        return
    code = without_comments("\n".join(line for _, line in lines))
    name, seen = "", {}
    for number, line in enumerate(code.splitlines(), 1):
        if m := FUNCTION_START.match(line):
            name, seen = m[1], {}
        for call in re.finditer(r"\b(copy_from_user|get_user)\(", line):
            words = arguments(code.splitlines(), number - 1, call.end())
            if len(words) < 2:
                continue
            source = words[1]
            if source in seen:
                yield number, "double_fetch", f"{name}() reads {source} of the program again (line {seen[source]})"
            seen.setdefault(source, number)


def arguments(lines, row, column):
    """The arguments of the call whose parenthesis opens before lines[row][column]."""
    text = lines[row][column:] + " " + " ".join(lines[row + 1 : row + 3])
    depth, words, word = 1, [], ""
    for ch in text:
        depth += {"(": 1, ")": -1}.get(ch, 0)
        if depth == 0:
            break
        if ch == "," and depth == 1:
            words.append(word.strip())
            word = ""
        else:
            word += ch
    return [*words, word.strip()]


def contracts(path, lines):
    """An exported function has its contract: a comment above it or above the lines it stands among, or on its line."""
    if not path.startswith("kernel/include/tessera/") or not path.endswith(".h"):
        return
    if path.endswith("/string.h"):
        return  # the C library's contracts
    explained = False
    depth = 0
    for number, line in lines:
        bare = line.strip()
        if not bare:
            explained = False
        if "/*" in line or "*/" in line or bare.startswith("*"):
            explained = True
        if depth == 0 and re.match(r"^[a-z][\w\s\*]*?[\s\*]\w+\(", line) and not line.startswith(
            ("typedef", "static", "extern", "return")
        ):
            name = re.match(r"^[a-z][\w\s\*]*?[\s\*](\w+)\(", line)[1]
            tail = " ".join(text for _, text in lines[number - 1 : number + 2])
            if not explained and "/*" not in tail.split(";")[0] + tail.partition(";")[2][:60]:
                yield number, "contract", f"{name}() has no comment that says what it promises"
        depth += line.count("{") - line.count("}")


RULES = (includes, conditionals, shape, force_user, rights_apart, double_fetch, contracts)


def rules(sample):
    paths = [sample] if sample else sources(
        "abi", "kernel", "boot", "services", "programs", "lib", suffixes=(".c", ".h", ".S")
    )
    found = []
    for path in paths:
        lines = list(enumerate((TOP / path).read_text().splitlines(), 1))
        # A sample says whose rules it is read by.
        as_path = path
        if sample and (m := re.search(r"as: (\S+)", lines[1][1] if len(lines) > 1 else "")):
            as_path = m[1]
        for rule in RULES:
            found += [Finding("rules", path, n, r, why) for n, r, why in rule(as_path, lines)]
    return found
