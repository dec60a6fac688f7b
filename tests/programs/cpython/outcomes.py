# SPDX-License-Identifier: MIT
"""Run modules of CPython's test suite, and say the outcome of every test case.

    outcomes.py [--no-network] MODULE[:WORD,..].. [-x WORD..]

Only the cases of a module whose names hold one of its words; -x: leave out those that hold one of these.
A package stands for all of its modules.

--no-network: every socket that is not of AF_UNIX is refused with EAFNOSUPPORT, by a filter of system calls
on the kernel that has more. So the list tells by name which cases want a network, and what each of them
does without it is compared like all else.

Each module runs in a process of its own, with a time limit. Standard output gets the sorted lines
"CASE OUTCOME", the same on every run, and behind them why cases failed; standard error the seconds that
each module took.
"""
import ctypes
import errno
import faulthandler
import importlib
import os
import pkgutil
import re
import socket
import struct
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


def pairs_without_network(module):
    """test_epoll's connections, which it makes at 127.0.0.1, become pairs of Unix sockets."""

    def connected_pair(self):
        pair = socket.socketpair(type=socket.SOCK_STREAM)
        pair[0].setblocking(False)
        self.connections.extend(pair)
        return pair

    def listen(self):
        self.serverSocket = socket.socket(socket.AF_UNIX)
        self.connections = [self.serverSocket]

    module.TestEPoll.setUp = listen
    module.TestEPoll._connected_pair = connected_pair


def refuse_network():
    """Filter socket() and socketpair(): EAFNOSUPPORT, but for AF_UNIX."""
    load, equal, answer = 0x20, 0x15, 0x06
    program = [
        (load, 0, 0, 0),  # the call's number
        (equal, 1, 0, 41),
        (equal, 0, 3, 53),
        (load, 0, 0, 16),  # its first argument
        (equal, 1, 0, socket.AF_UNIX),
        (answer, 0, 0, 0x00050000 | errno.EAFNOSUPPORT),
        (answer, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    if ctypes.CDLL(None, use_errno=True).prctl(22, 2, filter_, 0, 0) != 0:
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")


def run_one(name, network, wanted, unwanted):
    """In the module's own process. What the cases print goes nowhere."""
    if network == "no":
        refuse_network()
    faulthandler.dump_traceback_later(SECONDS - 20, exit=True)
    support.use_resources = ["cpu", "subprocess"]
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    module = importlib.import_module("test." + name)
    if name == "test_epoll":
        pairs_without_network(module)
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


def run_module(name, network, wanted, unwanted):
    began = time.monotonic()
    files = [os.path.abspath(f"{name}.{kind}") for kind in ("outcomes", "why")]
    for file in files:
        open(file, "w").close()
    with open(f"{name}.messages", "w") as messages:
        run = [sys.executable, __file__, "--one", name, network, wanted, *unwanted]
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
    # Who was refused may fail once more afterwards, where a thread of its own was to bring something.
    refused = {line.split(" ")[0] for line in outcomes if line.endswith(" EAFNOSUPPORT")}
    outcomes = [line for line in outcomes if line.endswith(" EAFNOSUPPORT") or line.split(" ")[0] not in refused]
    print("\n".join(outcomes), flush=True)
    # Without a network many fail as they should, in words that differ from run to run.
    print(why, end="", flush=True, file=sys.stderr if network == "no" else sys.stdout)
    slow = [line for line in read(f"{name}.messages").splitlines() if " took " in line]
    print(*slow, sep="\n", file=sys.stderr)
    sys.stderr.write(f"{name}: {len(outcomes)} cases, {time.monotonic() - began:.0f} seconds\n")


def main():
    words = sys.argv[1:]
    if words[0] == "--one":
        return run_one(words[1], words[2], words[3].split(","), words[4:])
    network = "no" if words[0] == "--no-network" else "any"
    words = words[network == "no" :]
    cut = words.index("-x") if "-x" in words else len(words)
    for name in words[:cut]:
        module, _, wanted = name.partition(":")
        for one in modules(module) if "." not in module else [module]:
            run_module(one, network, wanted, words[cut + 1 :])
    return 0


if __name__ == "__main__":
    sys.exit(main())
