# SPDX-License-Identifier: MIT
"""The build: both compilers without a warning, incremental and reproducible; rules of the tree."""
import json
import os
import re
import shutil
import subprocess
import time

import pexpect
import pytest
from conftest import ENVIRONMENT, TOP
from host import one_gdb, wait_for_gdb_server

pytestmark = pytest.mark.xdist_group("build")


def make(*words, folder=TOP, status=0):
    done = subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == status, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The tree as committed or not, and the kernel that was built of it, in another place."""
    folder = tmp_path_factory.mktemp("clone")
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        if (TOP / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, folder / name)
    if (TOP / "build/gcc").exists():
        shutil.copytree(TOP / "build/gcc", folder / "build/gcc")
        for name in ("flags", "vdso.flags"):  # which name the place
            file = folder / "build/gcc" / name
            times = file.stat()
            file.write_text(file.read_text().replace(str(TOP), str(folder)))
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return folder


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning(clone, compiler):
    """What gcc had to say ended the build before these tests: nothing is a mere warning (-Werror)."""
    said = make("-j2", "kernel", f"CC={compiler}", folder=clone)
    assert "warning" not in said
    assert (clone / f"build/{compiler}/tessera.elf").exists()


def test_incremental(clone):
    make("-j2", "kernel", folder=clone)
    assert make("kernel", folder=clone) == ""
    time.sleep(0.02)

    os.utime(clone / "kernel/lib/rbtree.c")
    said = make("kernel", folder=clone)
    assert re.findall(r"CC +(\S+)", said) == ["kernel/lib/rbtree.c"] and "LD" in said

    os.utime(clone / "kernel/include/tessera/bpf.h")  # which few include
    said = make("kernel", folder=clone)
    users = set(re.findall(r"CC +(\S+)", said))
    assert "kernel/lib/bpf.c" in users and "kernel/lib/rbtree.c" not in users

    # New flags rebuild; a new file is seen; a removed file is forgotten.
    extra = clone / "kernel/lib/extra.c"
    extra.write_text("/* SPDX-License-Identifier: MIT */\nint extra_word = 1;\n")
    assert re.findall(r"CC +(\S+)", make("kernel", folder=clone)) == ["kernel/lib/extra.c"]
    extra.unlink()
    assert "LD" in make("kernel", folder=clone)
    makefile = clone / "Makefile"
    makefile.write_text(makefile.read_text().replace("-O2 ", "-O2 -DA_NEW_FLAG ", 1))
    make("build/gcc/flags", folder=clone)
    assert (
        subprocess.run(["make", "-q", "build/gcc/obj/kernel/lib/rbtree.c.o"], cwd=clone).returncode
        == 1
    )


def test_image_is_reproducible(tmp_path):
    for name in ("one", "two"):
        subprocess.run(
            [
                "/usr/bin/python3",
                "tools/image/build_image.py",
                "--init",
                "build/init",
                "--cache",
                "build/cache",
                "-o",
                tmp_path / name,
                "tools/image/base.manifest",
            ],
            cwd=TOP,
            check=True,
            timeout=120,
        )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_image_layout():
    """newc members whose data starts on a page, paths once each (directories may come again)."""
    image = (TOP / "build/image/base.cpio").read_bytes()
    at, seen = 0, set()
    while True:
        assert image[at : at + 6] == b"070701"
        mode, size, namesize = (int(image[at + o : at + o + 8], 16) for o in (14, 54, 94))
        name = image[at + 110 : at + 110 + namesize].split(b"\0")[0].decode()
        at = (at + 110 + namesize + 3) & ~3
        if name == "TRAILER!!!":
            break
        assert namesize <= 4096
        if mode & 0o170000 == 0o100000:
            assert name not in seen and (size == 0 or at % 4096 == 0)
            seen.add(name)
        at = (at + size + 3) & ~3
    assert len(image) % 4096 == 0 and {"init", "usr/bin/bash", "usr/bin/busybox"} <= seen


def test_compile_commands(clone):
    make("compile_commands.json", folder=clone)
    entries = json.loads((clone / "compile_commands.json").read_text())
    assert any(e["file"].startswith("kernel/") for e in entries) and all(
        "command" in e for e in entries
    )


def test_iso(clone):
    make("iso", folder=TOP)
    assert (TOP / "build/gcc/tessera.iso").stat().st_size > 10_000_000


@one_gdb
def test_gdb_in_one_more_command():
    """`tessera run --debug` waits; `gdb -x build/gdbinit` stops at a function and reads the structs."""
    machine = pexpect.spawn(
        str(TOP / "tessera"),
        ["run", "--debug", "--timeout", "200"],
        cwd=str(TOP),
        env=ENVIRONMENT,
        timeout=100,
        encoding="utf-8",
    )
    machine.expect("waiting for gdb")
    wait_for_gdb_server()
    commands = [
        "hbreak linux_execve",
        "continue",
        "backtrace 2",
        "tessera-cpus",
        "tessera-processes",
        "tessera-fds 1",
        "print *cpus[0]->current",
        "detach",
    ]
    done = subprocess.run(
        ["gdb", "-q", "-batch", "-x", "build/gdbinit", *(w for c in commands for w in ("-ex", c))],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert re.search(r"#0 +linux_execve .* at kernel/linux/exec.c", done.stdout), (
        done.stdout + done.stderr
    )
    assert re.search(r'^process 1 "init" alive parent 0 threads 1$', done.stdout, re.M)
    assert re.search(r"^0: file 0x\w+ rights 0x\w+ +tty", done.stdout, re.M)
    assert re.search(r'^\$1 = thread \d+ ".*" \w+ cpu 0', done.stdout, re.M)
    machine.expect("root@tessera")
    machine.sendline("exit")
    machine.expect(pexpect.EOF)


SOURCES = [
    p
    for p in TOP.glob("**/*")
    if p.suffix in (".c", ".h", ".S") and "build" not in p.relative_to(TOP).parts[:1]
]


def test_who_includes_what():
    """abi/ includes nothing of ours; nothing outside kernel/ and boot/ includes kernel headers."""
    for path in SOURCES:
        where = path.relative_to(TOP)
        text = path.read_text()
        if where.parts[0] == "abi":
            assert "#include <tessera/" not in text, where
        if where.parts[0] in ("services", "programs", "lib"):
            assert "#include <tessera/" not in text and "kernel/" not in "".join(
                re.findall(r"#include.*", text)
            ), where


def test_no_conditional_compilation_outside_arch():
    for path in SOURCES:
        where = path.relative_to(TOP)
        if where.parts[0] == "kernel" and path.suffix == ".c" and where.parts[1] != "arch":
            assert not re.search(
                r"^\s*#\s*(if|ifdef|ifndef|else|elif)\b", path.read_text(), re.M
            ), where


def test_licence_on_the_first_line():
    for path in SOURCES:
        assert path.read_text().startswith("/* SPDX-License-Identifier: MIT */"), path
