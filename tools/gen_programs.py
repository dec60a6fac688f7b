#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write docs/programs.md from the scripts of tests/programs.

    tools/gen_programs.py            write docs/programs.md
    tools/gen_programs.py --check    exit 1 when it is not what would be written
"""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FOLDER = TOP / "tests/programs"
PAGE = TOP / "docs/programs.md"

HEAD = """# Programs

*Made by `tools/gen_programs.py` from the scripts of tests/programs; edit those, then run the tool.*

Debian's programs, unmodified, that every test run tries. What a script prints and its status must be the
same on Tessera and on Debian's Linux kernel, unless the program has a verdict of its own. `--with` puts
any package into a machine: `./tessera run --with tmux,vim-tiny,procps`.

"""


def values(path, key):
    comments = re.match(r"(?:#.*\n)+", path.read_text())[0]
    return re.findall(rf"^# {key}: (.*)$", comments, re.M)


def description(path):
    lines = re.match(r"(?:#.*\n)+", path.read_text())[0].splitlines()[1:]
    text = [line[2:] for line in lines if not re.match(r"# (SPDX-License-Identifier|seconds|judge|differs|packages|cpus|mem|when):", line)]
    if not text:
        sys.exit(f"{path}: its first comment does not say what it proves")
    return " ".join(text)


def when(name):
    """When the script FOLDER/SCRIPT or the test file test_NAME runs; no such one ends this program."""
    if name.startswith("test_"):
        path = TOP / "tests" / f"{name}.py"
        return "asked" if path.exists() and "TESSERA_TEST_ALL" in path.read_text() else path.exists() and "every"
    script = FOLDER / f"{name}.sh"
    if not script.exists():
        return None
    return "asked" if "asked" in values(script.parent / "machine", "when") + values(script, "when") else "every"


def required():
    """The table of what must run: which scripts show it, in every run of the tests or only when asked."""
    text = "## What must run\n\n| | in every run | only when asked |\n|---|---|---|\n"
    for line in (FOLDER / "required").read_text().splitlines():
        if line.startswith("#"):
            continue
        what, _, names = line.rpartition(": ")
        shown = {"every": [], "asked": []}
        for name in names.split():
            if not when(name):
                sys.exit(f"tests/programs/required: {what}: there is no {name}")
            shown[when(name)].append(name)
        text += f"| {what} | {', '.join(shown['every'])} | {', '.join(shown['asked'])} |\n"
    return text + "\n"


def page():
    text = HEAD + required()
    for machine in sorted(FOLDER.glob("*/machine")):
        scripts = sorted(machine.parent.glob("*.sh"))
        packages = ", ".join(" ".join(values(machine, "packages")).split())
        asked = "asked" in values(machine, "when")
        text += f"## {machine.parent.name}\n\n{packages}"
        text += "; only by `./tessera test programs`" if asked else ""
        text += "\n\n| | what works | verdict |\n|---|---|---|\n"
        for script in scripts:
            verdict = "its own" if "own" in values(script, "judge") else "as on Linux"
            verdict += "" if asked or "asked" not in values(script, "when") else "; only when asked"
            verdict = "; ".join([verdict, *values(script, "differs")])
            text += f"| {script.stem} | {description(script)} | {verdict} |\n"
        text += "\n"
    return text.rstrip() + "\n"


def main():
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.exists() and PAGE.read_text() == page() else "docs/programs.md is stale: tools/gen_programs.py"
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
