#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Read the kernel without running it: check.py [CHECK...] [--sample FILE] prints what is wrong, one finding a line.

A finding is  PATH:LINE: CHECK/RULE: message (in FUNCTION).  It goes away in one of three ways: the code is mended;
a comment on its line or on the line before says  static: RULE: reason ; or accepted.txt has a line for it. A reason
that no finding needs any longer is a finding itself, so both kinds stay true.

The answers of each tool are kept in build/static by what went into them (the source, all that it includes, the
tool's version and options), so a second run looks only at what has changed.
"""
import argparse
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

TOP = Path(__file__).resolve().parents[2]
KEPT = TOP / "build/static"
ACCEPTED = Path(__file__).with_name("accepted.txt")
WORKERS = 2


@dataclass(frozen=True)
class Finding:
    check: str
    path: str
    line: int
    rule: str
    message: str
    function: str = ""

    def __str__(self):
        where = f" (in {self.function})" if self.function else ""
        return f"{self.path}:{self.line}: {self.check}/{self.rule}: {self.message}{where}"


def run(command, **more):
    """The finished command, whatever its status; its text never depends on the user's language."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=TOP,
        capture_output=True,
        text=True,
        errors="replace",
        env=dict(os.environ, LC_ALL="C"),
        **more,
    )


def digest(*parts):
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


_files = {}


def file_digest(path):
    """What lies in a file of the tree, by name; "" when there is none. Read once."""
    if path not in _files:
        full = TOP / path
        _files[path] = digest(full.read_text(errors="replace")) if full.is_file() else ""
    return _files[path]


def sources(*folders, suffixes=(".c",)):
    """The tree's files in these folders as strings, sorted."""
    return sorted(
        str(p.relative_to(TOP))
        for folder in folders
        for p in (TOP / folder).rglob("*")
        if p.suffix in suffixes and p.is_file()
    )


@functools.cache
def makefile_words(name):
    """A variable of the Makefile: the checks read the code with the options that build it."""
    said = run(["make", "-s", "--no-print-directory", f"print-{name}"]).stdout.split()
    assert said, f"the Makefile has no {name}"
    return said


def includes_of(path):
    """The source and every header of ours that it includes, which is the same for all checks."""
    flags = makefile_words("CPPFLAGS_kernel")
    keep = KEPT / "includes" / digest(path, flags)
    if keep.exists():
        known = json.loads(keep.read_text())
        if all(file_digest(p) == d for p, d in known.items()):
            return known
    said = run(["gcc", *flags, "-MM", "-MG", path]).stdout.replace("\\\n", " ")
    names = said.split(":", 1)[1].split() if ":" in said else [path]
    known = {p: file_digest(p) for p in names if not os.path.isabs(p)}
    write(keep, json.dumps(known))
    return known


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_text(text)
    new.replace(path)


def remembered(what, inputs, make):
    """make() -> JSON, kept in build/static under `what` for as long as `inputs` stays the same."""
    keep = KEPT / what.replace("/", "_")
    key = digest(what, json.dumps(inputs, sort_keys=True))
    if keep.exists():
        old = json.loads(keep.read_text())
        if old["key"] == key:
            return old["value"]
    value = make()
    write(keep, json.dumps({"key": key, "value": value}))
    return value


def for_each(paths, check, flags, version, look):
    """look(path) -> findings, for every path, on all workers, from the cache where nothing has changed."""
    answers = ask_each(paths, check, flags, version, lambda path: [asdict(f) for f in look(path)])
    return [Finding(**f) for found in answers.values() for f in found]


def ask_each(paths, check, flags, version, look):
    """The same for look(path) -> JSON: the answer of each path."""

    def one(path):
        inputs = [includes_of(path), flags, version]
        return remembered(f"{check}/{path}", inputs, lambda: look(path))

    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(paths, pool.map(one, paths)))


# ------------------------------------------------------------------------------------ what is accepted

# In the code:  /* static: RULE: why it is right */
REASON = re.compile(r"static: ([\w.+-]+): \S")


def in_place(path, line, rule):
    """The line number of a reason written at the place, or None."""
    full = TOP / path
    if not full.is_file():
        return None
    lines = full.read_text(errors="replace").splitlines()
    for n in (line, line - 1):
        if 0 < n <= len(lines) and (m := REASON.search(lines[n - 1])) and m[1] == rule:
            return n
    return None


def accepted_lines():
    """accepted.txt: CHECK/RULE PATH[:FUNCTION] -- reason."""
    for number, text in enumerate(ACCEPTED.read_text().splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        rule, _, rest = text.partition(" ")
        where, dashes, reason = rest.partition(" -- ")
        path, _, function = where.strip().partition(":")
        yield number, rule, path, function, reason.strip() if dashes else ""


def unexplained(findings, checks):
    """The findings without a reason, and the reasons of these checks without a finding."""
    left, used_lines, used_places = [], set(), set()
    accepted = list(accepted_lines())
    for f in findings:
        place = in_place(f.path, f.line, f.rule)
        if place:
            used_places.add((f.path, place))
            continue
        for number, rule, path, function, reason in accepted:
            if (rule, path) == (f"{f.check}/{f.rule}", f.path) and function in ("", f.function):
                used_lines.add(number)
                break
        else:
            left.append(f)
    name = str(ACCEPTED.relative_to(TOP))
    for number, rule, path, function, reason in accepted:
        if rule.split("/")[0] in checks and (number not in used_lines or not reason):
            why = "nothing is found here any longer" if reason else "there is no reason"
            left.append(Finding("accepted", name, number, "stale", f"{rule} {path}: {why}"))
    return left, used_places


def stale_places(used):
    """Reasons in the code that nothing needs; only right after every check has run."""
    for path in sources("kernel", "boot", "services", suffixes=(".c", ".h")):
        for number, text in enumerate((TOP / path).read_text().splitlines(), 1):
            if REASON.search(text) and (path, number) not in used:
                yield Finding("accepted", path, number, "stale", "nothing is found here any longer")


def all_checks():
    import analysers
    import link
    import rules

    return {
        "clang": analysers.clang,
        "gcc": analysers.gcc,
        "cppcheck": analysers.cppcheck,
        "warnings": analysers.warnings,
        "user": analysers.user_pointers,
        "shell": analysers.shell,
        "python": analysers.python,
        "rules": rules.rules,
        "stack": link.stack,
        "unused": link.unused,
    }


def main():
    checks = all_checks()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("check", nargs="*", help=" ".join(checks))
    parser.add_argument("--sample", help="look at this file alone, accepting nothing")
    parser.add_argument("--report", action="store_true", help="stack: print the deepest call chains")
    words = parser.parse_args()
    for name in words.check:
        if name not in checks:
            parser.error(f"no check {name}; there are: {' '.join(checks)}")
    chosen = words.check or list(checks)
    if words.report:
        import link

        return link.report()
    findings = set()
    for name in chosen:
        findings.update(checks[name](words.sample))
    if not words.sample:
        findings, used = unexplained(findings, chosen)
        if len(chosen) == len(checks):
            findings += stale_places(used)
    for f in sorted(findings, key=lambda f: (f.path, f.line, f.check, f.rule)):
        print(f)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.modules["check"] = sys.modules["__main__"]
    sys.exit(main())
