# SPDX-License-Identifier: MIT
"""The fuzzers find what is there to be found and, on the tree as it is, nothing: parsers on the host, system
calls in the machine, and the kernel's record of what ran (kcov)."""
import re
import subprocess
import sys

import pytest
from conftest import ENVIRONMENT, TESSERA, TOP, run_vm, variant

sys.path.insert(0, str(TOP / "tools/fuzz"))
import minimise  # noqa: E402
import parsers  # noqa: E402

RUNS = 20000  # new inputs for each parser


def make(*words):
    subprocess.run(
        ["flock", "build/.lock", "make", "-s", "-j2", *words],
        cwd=TOP,
        check=True,
        capture_output=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def kcov():
    """The fuzzer's kernel and programs."""
    make("fuzz")
    return variant("kcov")


@pytest.fixture(scope="module")
def built_parsers():
    make("fuzz-parsers")


def fuzz(folder, *words, timeout=900):
    done = subprocess.run(
        [TESSERA, "fuzz", "--corpus", folder / "corpus", "--findings", folder / "findings", *words],
        cwd=TOP,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.xdist_group("parsers")
@pytest.mark.parametrize("name", parsers.names())
def test_parser(built_parsers, name, tmp_path):
    """Every seed, every input that once broke it, and a fixed number of new ones."""
    assert any((parsers.SEEDS / name).iterdir())
    runs = parsers.FEWER.get(name, RUNS)
    status, said, inputs = parsers.fuzz(name, tmp_path / "found", grown=tmp_path / "grown", runs=runs)
    assert status == 0 and not inputs, said[-4000:]
    assert int(re.findall(r"^#(\d+)\s+DONE", said, re.M)[-1]) >= runs


@pytest.mark.xdist_group("kcov")
def test_kcov(kcov):
    """The interface is Linux's, and the addresses are those of the functions that ran."""
    machine = run_vm(
        "/kcov && /kcov print", "--add", f"{TOP}/build/fuzz/kcov:/kcov", build=kcov
    )
    assert machine.status == 0 and "all checks passed" in machine.out, str(machine)
    trace = [int(word, 16) for word in re.findall(r"^0x[0-9a-f]+", machine.out, re.M)]
    symbols = subprocess.run(
        ["nm", "-nS", TOP / "build/gcc-kcov/tessera.elf"], capture_output=True, text=True, check=True
    ).stdout
    for name in ("linux_getppid", "linux_write", "syscall_dispatch"):
        start, size = re.search(rf"^(\w+) (\w+) [tT] {name}$", symbols, re.M).groups()
        start, size = int(start, 16), int(size, 16)
        assert any(start <= pc < start + size for pc in trace), f"{name} was not recorded\n{machine.out}"


@pytest.mark.xdist_group("kcov")
def test_corpus_is_read_and_harmless(kcov, tmp_path):
    """The programs in the tree: each is understood, none breaks the kernel any more."""
    text = "\n\n".join(p.read_text() for p in sorted((TOP / "tests/fuzz/corpus/syscall").glob("*.txt")))
    (tmp_path / "all.txt").write_text(text)
    status, said = fuzz(tmp_path, "--replay", tmp_path / "all.txt", "--repeat", "1")
    assert status == 0 and "nothing was wrong" in said, said
    assert "expected" not in said, said


@pytest.mark.xdist_group("kcov")
def test_smoke(kcov, tmp_path):
    status, said = fuzz(tmp_path, "--minutes", "0.8", "--seed", "7", "--no-minimise")
    assert status == 0, said
    programs, edges = map(int, re.search(r"(\d+) programs .* (\d+) edges", said).groups())
    assert programs > 100 and edges > 4000, said
    assert (tmp_path / "corpus/found.txt").read_text().count("\n\n") > 5, said


@pytest.mark.xdist_group("kcov")
def test_planted_bug_is_found_and_made_small(kcov, tmp_path):
    """kernel/test/planted.c: an eventfd with an odd count, later flock(), on one thread. Some 800 programs meet it."""
    status, said = fuzz(
        tmp_path,
        *("--minutes", "8", "--seed", "5", "--cpus", "1", "--append", "planted", "--repeat", "5"),
        *("--calls", "eventfd2,flock,dup,getpid,umask", "--first"),
    )
    assert status == 1 and "FINDING: PANIC: planted bug" in said, said
    [found] = (tmp_path / "findings").glob("*/minimised.txt")
    small = found.read_text().strip().splitlines()
    assert len(small) == 2, said
    assert re.match(r"(r0 = )?eventfd2\(", small[0]) and small[1].startswith("flock("), said
    again, said = fuzz(tmp_path, "--replay", found, "--append", "planted", "--repeat", "1")
    assert again == 1 and "planted bug" in said, said
    fixed, said = fuzz(tmp_path, "--replay", found, "--repeat", "1")
    assert fixed == 0, said


def planted(folder, kind, *words, calls="eventfd2,flock"):
    return fuzz(
        folder,
        *("--minutes", "8", "--seed", "5", "--cpus", "1", "--append", f"planted={kind}", "--no-minimise", "--first"),
        *("--calls", calls, *words),
    )


@pytest.mark.xdist_group("kcov")
def test_planted_lock_order_is_found(kcov, tmp_path):
    status, said = planted(tmp_path, "lock")
    assert status == 1 and "FINDING: lock order: " in said, said
    [console] = (tmp_path / "findings").glob("*/console")
    assert "planted_lock_order" in console.read_text(), said


@pytest.mark.xdist_group("kcov")
def test_planted_hang_is_found_with_its_stack(kcov, tmp_path):
    """kdb, called by NMI, names the function that goes round with interrupts off."""
    status, said = planted(tmp_path, "hang", "--silence", "15", calls="eventfd2,flock,getpid")
    assert status == 1 and "FINDING: hang" in said, said
    [answers] = (tmp_path / "findings").glob("*/kdb")
    text = answers.read_text()
    assert "planted_hang+" in text and "kdb> locks" in text and "fuzz-worker" in text, text


@pytest.mark.xdist_group("kcov")
def test_planted_unkillable_process_is_found_with_its_stack(kcov, tmp_path):
    """A process that SIGKILL does not end: in what it waits, and kdb's stack of it, stand in the finding."""
    status, said = planted(tmp_path, "stuck", calls="eventfd2,flock,getpid")
    assert status == 1 and "FINDING: finding: a process cannot be killed" in said, said
    [answers] = (tmp_path / "findings").glob("*/kdb")
    assert "planted_stuck+" in answers.read_text(), answers.read_text()
    [heard] = (tmp_path / "findings").glob("*/said")
    assert re.search(r"/proc/\d+/task/\d+/stat: \d+ \(fuzz-worker\) D ", heard.read_text()), heard.read_text()


@pytest.mark.xdist_group("kcov")
def test_planted_leak_is_found(kcov, tmp_path):
    status, said = planted(tmp_path, "leak", "--check", "3")
    assert status == 1 and "FINDING: finding: leak: slab.kmalloc-" in said, said


@pytest.mark.xdist_group("kcov")
def test_planted_use_after_free_is_found(kcov, tmp_path):
    status, said = planted(tmp_path, "free")
    assert status == 1 and "FINDING: BUG: " in said or "FINDING: KASAN: " in said or "FINDING: PANIC: " in said, said
    [console] = (tmp_path / "findings").glob("*/console")
    assert "planted_use_after_free" in console.read_text(), said


def test_minimiser_keeps_what_matters():
    """A program that 'breaks' when a dup of a pipe meets a close: nothing else stays."""

    def breaks(text):
        return "it broke" if re.search(r"(r\d+) = pipe2[^$]*dup\(\1\.1\)[^$]*close\(", text) else ""

    program = "\n".join(
        [
            "user 65534",
            "r0 = getpid()",
            'r1 = open("a, (b", O_RDWR, 0)',
            "r2 = pipe2(&out(8), O_NONBLOCK)",
            "t1: read(r1, &out(64), 0x40)",
            "t2: r5 = dup(r2.1) fails 3",
            "close(r1)",
        ]
    )
    small = minimise.Minimiser(breaks, "it broke", 60, lambda text: None).run(program)
    assert small == "r0 = pipe2(0, 0)\nr1 = dup(r0.1) fails 3\nclose(0)\n"
