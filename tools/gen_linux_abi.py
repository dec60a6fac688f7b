#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write docs/linux-abi.md from the table of calls, the list of refusals and the tests.

    tools/gen_linux_abi.py            write docs/linux-abi.md
    tools/gen_linux_abi.py --check    exit 1 when what it says of a call is not so (any more), or a refusal
                                      is not tested. Tests may have been added since.
"""
import re
import sys

import linux_abi

PAGE = linux_abi.TOP / "docs/linux-abi.md"
TESTS_SHOWN = 4

# Not made by programs: a handler returns by the one, the kernel makes the other.
IMPLIED = ("rt_sigreturn", "restart_syscall")

HEAD = """# What Linux programs find

*Made by `tools/gen_linux_abi.py` from `kernel/linux/calls.h`, `refusals.def`, `absent.def` and `differs.def` beside it,
and the tests; edit those, then run the tool.*

The measure is Linux 6.1 on x86-64, as Debian 12 builds it. Of its {all} calls Tessera has {have}: {complete}
without a known difference but for [what differs otherwise](#what-differs-otherwise), {partly} that refuse some
flag or command. {absent} are absent: who makes one gets
`ENOSYS`, and the kernel's log names the program and the number, once per program. {none} more numbers are
`ENOSYS` on Linux too.

- **complete**: every flag, command and option that Linux knows is served as there, as far as a machine without
  disks, network cards and modules can: what the tests compare is the same.
- **partly**: all but the flags that are listed below under the call's name. They get exactly the error in the
  list; a test asks both kernels for each.
- The tests are the files of `tests/abi/` whose cases make the call. Each case runs on Tessera and on Debian's
  kernel, and passes on both.

Would a program that runs on Linux run here? Record it there and ask:

    strace -f -o program.log program
    tools/abi-check program.log

"""


def code(text):
    return "`" + text.replace("|", "\\|") + "`"


def status(call, have, real, refused):
    if call not in have:
        return "absent: `ENOSYS`" if real else "as on Linux: `ENOSYS`"
    return "partly" if call in refused else "complete"


def rows():
    """[(number, name, status, tests)]"""
    have = linux_abi.calls()
    users = linux_abi.tests()
    refused = {r.call for r in linux_abi.refusals()}
    return [
        (number, name, status(name, have, real, refused), users.get(name, []))
        for number, name, real in linux_abi.linux_calls()
    ]


def shown(users):
    more = len(users) - TESTS_SHOWN
    return ", ".join(users[:TESTS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def refusal_lines():
    by_call = {}
    for r in linux_abi.refusals():
        by_call.setdefault(r.call, []).append(r)
    lines = ["## What is refused\n\n"]
    for call in sorted(by_call):
        lines.append(f"### {call}\n\n| flag | error | |\n|---|---|---|\n")
        lines += [f"| {code(r.flag)} | `{r.error}` | {r.why} |\n" for r in by_call[call]]
        lines.append("\n")
    return lines


def absent_lines():
    lines = ["## What is absent\n\n| call | |\n|---|---|\n"]
    lines += [f"| `{call}` | {why} |\n" for call, why in linux_abi.absences().items()]
    return lines + ["\n"]


def difference_lines():
    lines = ["## What differs otherwise\n\n| where | on Tessera |\n|---|---|\n"]
    lines += [f"| {where} | {what} |\n" for where, what in linux_abi.differences()]
    return lines + ["\n"]


def page():
    table = rows()
    kinds = [kind for _, _, kind, _ in table]
    counts = {
        "all": len([k for k in kinds if not k.startswith("as on")]),
        "complete": kinds.count("complete"),
        "partly": kinds.count("partly"),
        "absent": len([k for k in kinds if k.startswith("absent")]),
        "none": len([k for k in kinds if k.startswith("as on")]),
    }
    counts["have"] = counts["complete"] + counts["partly"]
    lines = [HEAD.format(**counts), *refusal_lines(), *absent_lines(), *difference_lines(), "## Every call\n\n"]
    lines.append("| number | call | status | tests |\n|---|---|---|---|\n")
    for number, name, kind, users in table:
        kind = f"[partly](#{name})" if kind == "partly" else kind
        lines.append(f"| {number} | `{name}` | {kind} | {shown(users)} |\n")
    return "".join(lines)


def without_tests(text):
    return re.sub(r"^(\| \d+ \| .* \| .*) \| .* \|$", r"\1 |", text, flags=re.M)


def complaints(text):
    """What is wrong with the page as it stands."""
    if without_tests(text) != without_tests(page()):
        yield "docs/linux-abi.md is out of date: run tools/gen_linux_abi.py"
    have, users = linux_abi.calls(), linux_abi.tests()
    names = {name: number for number, name, _ in linux_abi.linux_calls()}
    for call, number in have.items():
        if names.get(call) != number:
            yield f"calls.h: {call} is {number}, and on Linux {names.get(call)}"
        if not users.get(call) and call not in IMPLIED:
            yield f"{call}: no test makes this call"
    for name, told in re.findall(r"^\| \d+ \| `(\w+)` \| .* \| (.*) \|$", text, re.M):
        for file in re.findall(r"\w+/\w+", told):
            if file not in users.get(name, []):
                yield f"docs/linux-abi.md: {file} does not test {name}: run tools/gen_linux_abi.py"
    for call in linux_abi.absences():
        if call in have or call not in names:
            yield f"absent.def: {call} is there, or no call at all"
    for r in linux_abi.refusals():
        if r.call not in have:
            yield f"refusals.def: {r.call} is no call of Tessera's"
        if (r.call, r.flag) not in linux_abi.probed():
            yield f"refusals.def: no FLAG in tests/abi/contract asks for {r.call} {r.flag}"


def main():
    if sys.argv[1:] == ["--check"]:
        wrong = list(complaints(PAGE.read_text() if PAGE.exists() else ""))
        if wrong:
            sys.exit("\n".join(wrong))
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        PAGE.write_text(page())


if __name__ == "__main__":
    main()
