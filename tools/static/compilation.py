# SPDX-License-Identifier: MIT
"""How the kernel is compiled for a check: with the build's own options.

One compilation of every file tells three things, each by an option more: gcc's warnings that do not stop a build (the
check `warnings`), which section of which function refers to which (`unused`), and gcc's call graph with the frames of
functions (`stack`).
"""
import functools
import re
import shutil
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from check import KEPT, TOP, WORKERS, digest, file_digest, includes_of, makefile_words, remembered, run, sources

GCC_WARNINGS = """-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wformat=2 -Wformat-signedness
	-Wformat-overflow=2 -Wnull-dereference -Wwrite-strings -Wundef -Wredundant-decls -Wnested-externs
	-Walloca -Wimplicit-fallthrough=5 -Wunused-macros -Wjump-misses-init -Wpointer-arith
	-Wold-style-declaration -Wold-style-definition -Wstringop-overflow=4 -Wshift-overflow=2
	-Warray-bounds=2 -Wmaybe-uninitialized -Wtrampolines""".split()
NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"]*?\\n([^"\\]*?):(\d+):\d+\\n(\d+) bytes')
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)" label: "([^":]*):?(\d*):?(\d*)')
# What was found is found anew when the way to ask has changed.
OURS = file_digest("tools/static/compilation.py") + file_digest("tools/static/analysers.py")


@functools.cache
def kernel_flags(compiler):
    """The options that build the kernel, for one compiler, without those that make a warning an error."""
    include = run([compiler, "-print-file-name=include"]).stdout.strip()
    words = [w for w in makefile_words("CPPFLAGS_kernel") if w not in ("-nostdinc", "-isystem")]
    words = ["-nostdinc", "-isystem", include, *(w for w in words if not w.startswith("/"))]
    words += [w for w in makefile_words("CFLAGS_both") if w not in ("-Werror", "-g")]
    return words + makefile_words(f"CFLAGS_{compiler}")


def version(tool):
    assert shutil.which(tool), f"{tool} is not installed; tools/packages.txt names its package"
    return run([tool, "--version"]).stdout.splitlines()[0] + OURS


def compiled(path, flags, ver):
    """The call graph and the references between sections of one file."""

    def make():
        out = KEPT / "obj" / digest(flags) / path
        out.parent.mkdir(parents=True, exist_ok=True)
        obj = f"{out}.o"
        if path.endswith(".S"):
            command = ["gcc", *[w for w in flags if w[:2] in ("-I", "-D")], "-m64", "-D__ASSEMBLER__"]
            command += ["-Wa,-I" + str(TOP / "build/gcc"), "-c", "-o", obj, path]
        else:
            command = ["gcc", *flags, *GCC_WARNINGS, "-Wno-unused-parameter"]
            command += ["-ffunction-sections", "-fdata-sections", "-fcallgraph-info=su", "-c", "-o", obj, path]
        done = run(command)
        if done.returncode:
            return {"error": done.stderr[-300:], "said": done.stderr}
        return {"graph": read_graph(Path(f"{out}.ci")), "said": done.stderr, **read_sections(obj)}

    inputs = [includes_of(path), flags, ver]
    return remembered(f"link/{digest(flags)}/{path}", inputs, make)


def read_graph(path):
    """gcc's .ci file: functions with their frames, and calls with the place of each."""
    functions, calls = {}, []
    for line in path.read_text().splitlines() if path.exists() else ():
        if m := NODE.match(line):
            functions[m[1].split(":")[-1]] = [m[2], int(m[3]), int(m[4])]
        elif m := EDGE.match(line):
            place = [m[3], int(m[4] or 0), int(m[5] or 0)]
            calls.append([m[1].split(":")[-1], m[2].split(":")[-1], place])
    return {"functions": functions, "calls": calls}


def read_sections(obj):
    """Which section defines and which refers to which name; a section itself counts as a name."""
    sections, defines, refers = {}, {}, defaultdict(set)
    for line in run(["readelf", "-SW", obj]).stdout.splitlines():
        if m := re.match(r"\s*\[\s*(\d+)\] (\S+)", line):
            sections[m[1]] = m[2]
    globals_ = []
    for line in run(["readelf", "-sW", obj]).stdout.splitlines():
        words = line.split()
        if len(words) == 8 and words[6] in sections and words[4] in ("GLOBAL", "WEAK"):
            defines[words[7]] = sections[words[6]]
            if words[3] == "FUNC":
                globals_.append(words[7])
        elif len(words) == 8 and words[6] in sections and words[3] in ("FUNC", "OBJECT", "NOTYPE"):
            defines.setdefault("local " + words[7], sections[words[6]])
    here = None
    for line in run(["readelf", "-rW", obj]).stdout.splitlines():
        if m := re.match(r"Relocation section '\.rela(\S+)'", line):
            here = m[1]
        elif here and not re.match(r"\.(debug|eh_frame)", here) and "R_X86_64" in line:
            words = line.split()
            if len(words) > 4:
                refers[here].add(words[4])
    return {"defines": defines, "refers": {s: sorted(n) for s, n in refers.items()}, "global": globals_}


def compile_all(paths, build="release"):
    flags = [f"-DTESSERA_BUILD=BUILD_{build}" if "TESSERA_BUILD" in w else w for w in kernel_flags("gcc")]
    ver = version("gcc")
    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(paths, pool.map(lambda p: compiled(p, flags, ver), paths)))


def whole_kernel(build="release"):
    return compile_all([p for p in sources("kernel", "boot", suffixes=(".c", ".S")) if not outside(p)], build)


def outside(path):
    """The vDSO runs in programs; the sanitisers' run times are linked only in their variants."""
    return "/vdso/" in path or "/sanitizers/" in path
