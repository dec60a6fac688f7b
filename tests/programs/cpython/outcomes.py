# SPDX-License-Identifier: MIT
"""Run modules of CPython's test suite, and say the outcome of every test case.

    outcomes.py MODULE[:WORD,..].. [-x WORD..]

Only the cases of a module whose names hold one of its words; -x: leave out those that hold one of these.
A package stands for all of its modules.

Each module runs in a process of its own, with a time limit. Standard output gets the sorted lines
"CASE OUTCOME", the same on every run, and behind them why cases failed; standard error the seconds that
each module took.
"""
import errno
import faulthandler
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import time
import unittest

from test import support

SECONDS = 1800


class Outcomes(unittest.TestResult):
    """Writes a line for each case as soon as it is known, and one before it starts."""

    def __init__(self, out, why):
        super().__init__()
        self.out, self.why = out, why

    def say(self, test, outcome):
        self.out.write(f"{test.id().removeprefix('test.')} {outcome}\n")

    def startTest(self, test):
        super().startTest(test)
        self.say(test, "starts")
        self.began = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        if time.monotonic() - self.began > 10:
            sys.stderr.write(f"{test.id()} took {time.monotonic() - self.began:.0f} seconds\n")

    def addSuccess(self, test):
        self.say(test, "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, "skipped: " + re.sub(r"\d+", "N", " ".join(reason.split())[:60]))

    def addError(self, test, error):
        super().addError(test, error)
        number = getattr(error[1], "errno", None) if isinstance(error[1], OSError) else None
        self.say(test, f"error {error[0].__name__} {errno.errorcode.get(number, '')}".rstrip())
        self.why.write(f"{test.id()}\n{self.errors[-1][1]}\n")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say(test, "failed")
        self.why.write(f"{test.id()}\n{self.failures[-1][1]}\n")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.say(test, "failed in part")
            self.why.write(f"{subtest.id()}\n{(self.failures + self.errors)[-1][1]}\n")

    def addExpectedFailure(self, test, error):
        self.say(test, "fails as expected")


def pick(suite, wanted, unwanted):
    """The wanted cases of a suite without the unwanted, one by one."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from pick(part, wanted, unwanted)
        elif any(word in part.id() for word in wanted) and not any(word in part.id() for word in unwanted):
            yield part


def run_one(name, wanted, unwanted):
    """In the module's own process. What the cases print goes nowhere."""
    faulthandler.dump_traceback_later(SECONDS - 20, exit=True)
    support.use_resources = ["cpu", "subprocess"]
    # A host may do other things meanwhile.
    support.LOOPBACK_TIMEOUT = support.SHORT_TIMEOUT = SECONDS / 6
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    module = importlib.import_module("test." + name)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    with open(f"{name}.outcomes", "w", buffering=1) as out, open(f"{name}.why", "w", buffering=1) as why:
        unittest.TestSuite(list(pick(suite, wanted, unwanted))).run(Outcomes(out, why))
        out.write("end\n")


def read(name):
    with open(name) as file:
        return file.read()


def modules(name):
    """A package's modules of tests, or the one."""
    package = importlib.import_module("test." + name)
    if not hasattr(package, "__path__"):
        return [name]
    return [f"{name}.{m.name}" for m in pkgutil.iter_modules(package.__path__) if m.name.startswith("test_")]


def run_module(name, wanted, unwanted):
    began = time.monotonic()
    files = [os.path.abspath(f"{name}.{kind}") for kind in ("outcomes", "why")]
    for file in files:
        open(file, "w").close()
    with open(f"{name}.messages", "w") as messages:
        run = [sys.executable, __file__, "--one", name, wanted, *unwanted]
        child = subprocess.Popen(run, stdin=subprocess.DEVNULL, stderr=messages, start_new_session=True)
        try:
            child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.wait()
    lines, why = read(files[0]).splitlines(), read(files[1])
    if not lines or lines.pop() != "end":
        why += f"{name} ended early, status {child.returncode}\n" + "\n".join(lines[-2:]) + "\n"
        why += read(f"{name}.messages")[-4000:]
    outcomes = sorted({line for line in lines if not line.endswith(" starts")})
    print("\n".join(outcomes), flush=True)
    print(why, end="", flush=True)
    slow = [line for line in read(f"{name}.messages").splitlines() if " took " in line]
    print(*slow, sep="\n", file=sys.stderr)
    sys.stderr.write(f"{name}: {len(outcomes)} cases, {time.monotonic() - began:.0f} seconds\n")


def main():
    words = sys.argv[1:]
    if words[0] == "--one":
        return run_one(words[1], words[2].split(","), words[3:])
    cut = words.index("-x") if "-x" in words else len(words)
    for name in words[:cut]:
        module, _, wanted = name.partition(":")
        for one in modules(module) if "." not in module else [module]:
            run_module(one, wanted, words[cut + 1 :])
    return 0


if __name__ == "__main__":
    sys.exit(main())
