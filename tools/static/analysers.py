# SPDX-License-Identifier: MIT
"""Other people's readers of C, shell and Python, each told what serves this kernel. check.py runs them."""
import json
import plistlib
import re
import tempfile
from pathlib import Path

from check import TOP, Finding, ask_each, for_each, makefile_words, remembered, file_digest, run, sources
from compilation import compile_all, kernel_flags, version

C_FOLDERS = ("kernel", "boot")


def chosen(sample, *folders):
    return [sample] if sample else sources(*folders)


def relative(path):
    return str(Path(path).resolve().relative_to(TOP)) if Path(path).is_absolute() else path


# ------------------------------------------------------------------------------ clang's static analyser

# On top of its default set (core, deadcode, unix): bounds of arrays and of the string functions, sizes that
# overflow on their way to an allocator, and what a program may choose: copy_from_user() gives tainted bytes.
CLANG_CHECKERS = (
    "valist",
    "alpha.core.IdenticalExpr",
    "alpha.core.SizeofPtr",
    "alpha.core.StackAddressAsyncEscape",
    "alpha.core.TestAfterDivZero",
    "alpha.security.ArrayBoundV2",
    "alpha.security.MallocOverflow",
    "alpha.security.taint",
    "alpha.unix.cstring.OutOfBounds",
    "alpha.unix.cstring.BufferOverlap",
)

# How far one function's paths are followed. The default, 225000, takes five times as long, 40000 still one and a half
# times, and what they found besides were false alarms.
CLANG_EFFORT = "max-nodes=20000"


def clang(sample):
    flags = kernel_flags("clang")

    def look(path):
        with tempfile.NamedTemporaryFile(suffix=".plist") as out:
            command = ["clang", "--analyze", *flags, "-Wno-everything"]
            command += ["-Xclang", f"-analyzer-checker={','.join(CLANG_CHECKERS)}"]
            # `struct x *p = ...; if (!config_y) return;` is this kernel's way to switch code off.
            command += ["-Xclang", "-analyzer-disable-checker=deadcode.DeadStores"]
            for option in (f"alpha.security.taint.TaintPropagation:Config={TOP}/tools/static/taint.yaml", CLANG_EFFORT):
                command += ["-Xclang", "-analyzer-config", "-Xclang", option]
            done = run([*command, "-Xclang", "-analyzer-output=plist", "-o", out.name, path])
            if done.returncode:
                return [Finding("clang", path, 1, "failed", done.stderr.strip()[-300:])]
            made = plistlib.loads(Path(out.name).read_bytes())
        found = []
        for d in made["diagnostics"]:
            # A finding inside a header's inline function belongs to the line of this file that led there.
            places = [d["location"], *(p["location"] for p in reversed(d["path"]) if "location" in p)]
            where = next((p for p in places if relative(made["files"][p["file"]]) == path), places[0])
            found.append(
                Finding(
                    "clang",
                    relative(made["files"][where["file"]]),
                    where["line"],
                    d["check_name"],
                    d["description"],
                    d.get("issue_context", ""),
                )
            )
        return found

    return for_each(
        chosen(sample, *C_FOLDERS), "clang", flags, [version("clang"), file_digest("tools/static/taint.yaml")], look
    )


# -------------------------------------------------------------------------------------- gcc -fanalyzer

# Without optimisation it follows calls through this file's functions best. Of its warnings: those about memory and
# values. Those about FILE and signal handlers concern programs; it loses an object that is on a list by a node inside
# it, and takes the end of a list for NULL, so leaks and null pointers are left to clang and cppcheck. Given up is a
# function after three nodes for each of its blocks: what five, the default, finds besides, in 1.7 times the time, were
# false alarms.
GCC_FLAGS = """-DTESSERA_CHECK_MEMORY -fanalyzer -O0 --param=analyzer-bb-explosion-factor=3
    -fdiagnostics-format=json -Wno-analyzer-file-leak -Wno-analyzer-malloc-leak
    -Wno-analyzer-null-dereference""".split()

def gcc(sample):
    flags = [w for w in kernel_flags("gcc") if not w.startswith(("-W", "-ftrivial-auto-var-init"))]

    def look(path):
        done = run(["gcc", *flags, *GCC_FLAGS, "-c", "-o", "/dev/null", path])
        text = done.stderr.strip()
        try:
            said = json.loads(text[text.index("[") : text.rindex("]") + 1]) if "[" in text else []
        except ValueError:
            return [Finding("gcc", path, 1, "failed", text[-300:])]
        if done.returncode and not said:
            return [Finding("gcc", path, 1, "failed", text[-300:])]
        found = []
        for d in said:
            if d["kind"] == "error":
                found.append(Finding("gcc", path, 1, "failed", d["message"]))
            if not d.get("option", "").startswith("-Wanalyzer"):
                continue
            steps = d.get("path", [])
            places = [d["locations"][0]["caret"], *(s["location"] for s in reversed(steps) if "location" in s)]
            where = next((p for p in places if relative(p["file"]) == path), places[0])
            function = next((s["function"] for s in steps if s.get("function")), "")
            found.append(
                Finding(
                    "gcc",
                    relative(where["file"]),
                    where["line"],
                    d["option"].removeprefix("-Wanalyzer-"),
                    d["message"],
                    function,
                )
            )
        return found

    return for_each(chosen(sample, *C_FOLDERS), "gcc", flags, [version("gcc"), GCC_FLAGS], look)


# ------------------------------------------------------------------------- warnings that do not stop a build

CLANG_WARNINGS = """-Wshorten-64-to-32 -Wimplicit-int-conversion -Wcomma -Wassign-enum
    -Wloop-analysis -Wtautological-compare -Wformat=2 -Wformat-type-confusion
	-Wenum-conversion -Wbitfield-enum-conversion -Wextra-semi -Wmissing-variable-declarations
	-Wpointer-arith -Wundef -Wshift-sign-overflow -Wtautological-constant-in-range-compare
	-Wtautological-overlap-compare -Wduplicate-enum -Wredundant-parens""".split()
GCC_LINE = re.compile(r"^([^\s:]+):(\d+):\d+: (warning|error|fatal error): (.*?)(?: \[-W([\w+=-]+)\])?$")


def compiler_lines(check, path, text):
    """gcc's and clang's usual lines as findings, each once."""
    found = {}
    for line in text.splitlines():
        if m := GCC_LINE.match(line):
            rule = (m[5] or ("address-space" if "address space" in m[4] else "error")).rstrip("=")
            rule = {"error": "noderef"}.get(rule, rule) if "noderef" in m[4] else rule
            found[m[1], m[2], rule] = Finding(check, relative(m[1]), int(m[2]), rule, m[4])
    return list(found.values())


def warnings(sample):
    """gcc's come from the compilation that the depth of stacks needs as well, clang's from one with `user`."""
    paths, found = chosen(sample, *C_FOLDERS), []
    for path, text in read_by_clang(paths).items():
        found += [f for f in compiler_lines("warnings", path, text) if f.rule not in ("noderef", "address-space")]
    for path, made in compile_all(paths).items():
        found += compiler_lines("warnings", path, made["said"])
    return found


def read_by_clang(paths):
    """What clang's compiler says of each file, in which __user is an address space of its own."""
    flags = [*kernel_flags("clang"), *CLANG_WARNINGS, "-Wnoderef", "-Wno-unused-parameter", "-DTESSERA_CHECK_USER"]

    def look(path):
        return run(["clang", *flags, "-fsyntax-only", path]).stderr

    return ask_each(paths, "read-clang", flags, version("clang"), look)


# ------------------------------------------------------------------------------------ pointers of programs


def user_pointers(sample):
    """__user is address space 1, never dereferenced. clang sees a dereference and an assignment; sparse also a cast
    that takes the mark away."""
    plain = [w for w in kernel_flags("clang") if w[:2] in ("-I", "-D")] + ["-std=gnu17", "-DTESSERA_CHECK_USER"]
    paths, found = chosen(sample, *C_FOLDERS), []

    def look(path):
        # sparse knows less C than the compilers; only what it says about these pointers counts.
        done = run(["sparse", *plain, path])
        said = [m for m in (done.stdout + done.stderr).splitlines() if re.search(r"address space|noderef|deref", m)]
        return compiler_lines("user", path, "\n".join(said))

    for path, text in read_by_clang(paths).items():
        found += [f for f in compiler_lines("user", path, text) if f.rule in ("noderef", "address-space", "error")]
    return found + for_each(paths, "user", plain, version("sparse"), look)


# ------------------------------------------------------------------------------------------------ cppcheck

# What it says about style is left to clang-format and to readers; handlers give a parameter the name that tells a
# program's pointer from the copy; symbols of the linker script are compared by design; it cannot read `a ?: b`.
CPPCHECK_OFF = """variableScope unusedStructMember clarifyCalculation constParameter funcArgNamesDifferent
    comparePointers internalAstError""".split()


def cppcheck(sample):
    flags = [w for w in makefile_words("CPPFLAGS_kernel") if w[:2] in ("-I", "-D")] + ["-D__GNUC__=12"]
    options = ["--quiet", "--std=c11", "--platform=unix64", "--inline-suppr", "--inconclusive"]
    options += ["--enable=warning,performance,portability,style", f"--library={TOP}/tools/static/cppcheck.cfg"]
    options += [f"--suppress={name}" for name in CPPCHECK_OFF]
    options += ["--template={file}:{line}: {id}: {message}", "--template-location="]

    def look(path):
        text = run(["cppcheck", *options, *flags, path]).stderr
        return [
            Finding("cppcheck", relative(m[1]), int(m[2]), m[3], m[4])
            for m in re.finditer(r"^([^\s:]+):(\d+): (\w+): (.*)$", text, re.M)
        ]

    return for_each(
        chosen(sample, *C_FOLDERS, "services"), "cppcheck", flags,
        [version("cppcheck"), options, file_digest("tools/static/cppcheck.cfg")], look,
    )


# ----------------------------------------------------------------------------------------- shell and Python


def shell(sample):
    paths = [sample] if sample else ["tessera", ".ci/run", "tools/vm/make_iso"]
    paths += [] if sample else sources("tools", suffixes=(".sh",))

    def look():
        done = run(["shellcheck", "-f", "json", "-x", *paths])
        return [
            ("shell", f["file"], f["line"], f"SC{f['code']}", f["message"]) for f in json.loads(done.stdout or "[]")
        ]

    made = remembered("shell", [{p: file_digest(p) for p in paths}, version("shellcheck")], look)
    return [Finding(*f) for f in made]


def python(sample):
    paths = [sample] if sample else sources("tools", "tests", suffixes=(".py",))
    paths = [p for p in paths if sample or not p.startswith("tests/static/")]

    def look():
        text = run(["pyflakes3", *paths])
        return [
            ("python", relative(m[1]), int(m[2]), "pyflakes", m[3])
            for m in re.finditer(r"^([^\s:]+):(\d+):\d+:? (.*)$", text.stdout + text.stderr, re.M)
        ]

    made = remembered("python", [{p: file_digest(p) for p in paths}, version("pyflakes3")], look)
    return [Finding(*f) for f in made]
