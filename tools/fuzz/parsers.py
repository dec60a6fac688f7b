# SPDX-License-Identifier: MIT
"""Run the parsers' fuzzers (tests/fuzz/parsers) on the host: libFuzzer with AddressSanitizer and UBSan.

Each has seeds in tests/fuzz/corpus/parsers/NAME/, which also hold what once broke it; what it finds new grows in
build/fuzz/corpus-parsers/NAME/. An input that breaks a parser is kept with the findings.
"""
import re
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAMS = TOP / "build/fuzz/parsers"
SEEDS = TOP / "tests/fuzz/corpus/parsers"

# A file system is more than a few bytes, and takes its time.
LONGEST = {"fat": 8192}
FEWER = {"fat": 4000}


def names():
    return sorted(p.stem for p in (TOP / "tests/fuzz/parsers").glob("*.c"))


def fuzz(name, findings, *, grown=None, seconds=0, runs=-1, seed=1, jobs=1):
    """Returns libFuzzer's status, what it said, and the inputs that broke the parser."""
    findings.mkdir(parents=True, exist_ok=True)
    folders = [str(SEEDS / name)]
    if grown:
        grown.mkdir(parents=True, exist_ok=True)
        folders.insert(0, str(grown))  # new inputs go to the first folder
    words = [f"-seed={seed}", f"-max_len={LONGEST.get(name, 4096)}", "-timeout=10"]
    words += [f"-artifact_prefix={findings}/{name}-"]
    words += [f"-max_total_time={int(seconds)}"] if seconds else []
    words += [f"-runs={runs}"] if runs >= 0 else []
    words += [f"-fork={jobs}"] if jobs > 1 else []
    before = set(findings.iterdir())
    done = subprocess.run(
        [str(PROGRAMS / name), *words, *folders],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + 300,
    )
    said = done.stdout.decode("utf-8", "replace")
    return done.returncode, said, sorted(set(findings.iterdir()) - before)


def run(args, say):
    found = 0
    each = max(1, 60 * args.minutes / len(names()))
    for name in names():
        started = time.monotonic()
        status, said, inputs = fuzz(
            name,
            args.findings,
            grown=TOP / "build/fuzz/corpus-parsers" / name,
            seconds=each,
            seed=args.seed or int(started),
            jobs=args.jobs,
        )
        runs = re.findall(r"^#(\d+)", said, re.M)
        cover = re.findall(r"cov: (\d+)", said)
        say(f"{name}: {runs[-1] if runs else 0} inputs, {cover[-1] if cover else 0} edges")
        if status:
            found += 1
            say(f"FINDING in {name}: {' '.join(map(str, inputs)) or 'no input kept'}")
            print(said[-4000:])
    return 1 if found else 0
