# SPDX-License-Identifier: MIT
"""What the tests cost: seconds passed, and processor seconds of what each started; and which have failed so far.

The table stands at the end of a run, by part; build/test_times.json holds every test. On a host that does
other work only the second figure means anything. A test that shares its machine with others pays for all of
them if it is the first to run.

build/failed has each failure as soon as it is known: a whole run is long.
"""
import json
import os
import time
from collections import defaultdict

import pytest
from conftest import TOP

FAILED = TOP / "build/failed"
COSTS = {}  # nodeid -> (seconds passed, processor seconds); of all workers, in the process that prints
STARTED = {}


def pytest_sessionstart(session):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        FAILED.unlink(missing_ok=True)


def processor_seconds():
    """Of this worker and all children that have ended."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def pytest_runtest_logstart(nodeid):
    STARTED[nodeid] = (time.monotonic(), processor_seconds())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    result = yield
    if call.when == "teardown" and item.nodeid in STARTED:
        began, used = STARTED.pop(item.nodeid)
        cost = (round(time.monotonic() - began, 2), round(processor_seconds() - used, 2))
        result.get_result().user_properties.append(("cost", cost))


def pytest_runtest_logreport(report):
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        with FAILED.open("a", encoding="utf-8") as file:
            file.write(f"== {report.nodeid} ({report.when})\n{report.longreprtext}\n")
    for name, value in report.user_properties if report.when == "teardown" else ():
        if name == "cost":
            COSTS[report.nodeid] = value


def pytest_terminal_summary(terminalreporter):
    if len(COSTS) < 2:
        return
    (TOP / "build/test_times.json").write_text(json.dumps(COSTS, indent=0))
    parts = defaultdict(lambda: [0, 0, 0])
    for name, cost in COSTS.items():
        part = name.split("::")[0].rsplit("/")[-1].removeprefix("test_").removesuffix(".py")
        for row in (parts[part], parts["all"]):
            row[0] += 1
            row[1] += cost[0]
            row[2] += cost[1]
    terminalreporter.section("what the parts cost")
    terminalreporter.line(f"{'part':12} {'tests':>6} {'minutes':>9} {'of processors':>14}")
    for part, (tests, passed, used) in sorted(parts.items(), key=lambda p: p[1][2]):
        terminalreporter.line(f"{part:12} {tests:6} {passed / 60:9.1f} {used / 60:14.1f}")
