# SPDX-License-Identifier: MIT
"""What looks at the kernel from within, seen from a program: events and their tool, lock statistics, the
profiler, long times without interrupts, counters, the log."""
import importlib.machinery
import importlib.util
import json
import re
import subprocess
from collections import defaultdict

import pytest

from conftest import ENVIRONMENT, TOP

TOOL = TOP / "tools/trace"
ON = "/proc/tessera/trace/enable"


def load_tool():
    loader = importlib.machinery.SourceFileLoader("trace_tool", str(TOOL))
    spec = importlib.util.spec_from_loader("trace_tool", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


tool = load_tool()


def run_tool(*arguments, timeout=150):
    return subprocess.run(
        [TOOL, *map(str, arguments)], cwd=TOP, env=ENVIRONMENT, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    """One recorded run: a pipeline, a sleep, a signal; then what the kernel itself says of the events."""
    path = tmp_path_factory.mktemp("trace") / "dump"
    done = run_tool(
        "record", "--events", "all", "--timeout", 100, "-o", path, "--",
        "ls /proc | tr a-z A-Z > /tmp/list; sleep 0.05; sh -c 'kill -TERM $$' 2>/dev/null; echo said; false",
    )
    assert done.returncode == 1, done  # the command's own status
    assert done.stdout == b"said\n", done
    return path


def test_dump_tells_the_story_in_order(dump):
    trace = tool.Trace(dump.read_bytes())
    assert trace.lost == 0 and len(trace.list) > 500
    names = {event.name for event in trace.list}
    assert names >= {
        "sched_switch", "sched_wake", "sched_fork", "sched_exec", "sched_exit", "syscall_enter", "syscall_exit",
        "fault_enter", "fault_exit", "irq_enter", "irq_exit", "tlb_request", "page_alloc", "page_free", "timer_fire",
    }, names
    # `ls` was forked, became ls, read the directory, wrote, and ended; in this order.
    ls = next(e.tid for e in trace.list if e.name == "sched_exec" and e["name"] == "ls")
    story = []
    for event in trace.list:
        if event.name == "sched_fork" and event["child"] == ls:
            story.append("fork")
        if event.tid == ls and event.name in ("sched_exec", "sched_exit"):
            story.append(event.name[6:])
        if event.tid == ls and event.name == "syscall_enter" and trace.call(event["number"]) in ("getdents64", "exit_group"):
            story.append(trace.call(event["number"]))
    deduped = [s for i, s in enumerate(story) if i == 0 or story[i - 1] != s]
    assert deduped == ["fork", "exec", "getdents64", "exit_group", "exit"], story
    # Time does not go back on a CPU, and every call that came back was made by the same thread.
    open_call = {}
    for event in trace.list:
        if event.name == "syscall_enter":
            open_call[event.tid] = event["number"]
        elif event.name == "syscall_exit" and event.tid in open_call:
            assert open_call.pop(event.tid) == event["number"], event.text()


def test_timeline_is_matched_and_nested(dump, tmp_path):
    out = tmp_path / "timeline.json"
    done = run_tool("timeline", "-o", out, dump)
    assert done.returncode == 0, done
    entries = json.loads(out.read_text())["traceEvents"]
    stacks, times, flows = defaultdict(list), defaultdict(float), defaultdict(list)
    for entry in entries:
        row = (entry["pid"], entry["tid"])
        if entry["ph"] in "BE":
            assert entry["ts"] >= times[row], entry
            times[row] = entry["ts"]
        if entry["ph"] == "B":
            stacks[row].append(entry["name"])
        elif entry["ph"] == "E":
            assert stacks[row].pop() == entry["name"], entry
        elif entry["ph"] in "sf":
            flows[entry["id"]].append(entry["ph"])
    assert not any(stacks.values()), stacks
    assert sum(kinds == ["s", "f"] for kinds in flows.values()) > 5
    assert all(kinds in (["s"], ["s", "f"]) for kinds in flows.values())
    slices = {entry["name"] for entry in entries if entry["ph"] == "B"}
    assert {"execve", "wait4", "fault"} <= slices and any(re.fullmatch(r"ls \d+", name) for name in slices), slices
    rows = {entry["args"]["name"] for entry in entries if entry["name"] == "thread_name"}
    assert {"cpu 0", "cpu 1"} <= rows and any(name.startswith("ls ") for name in rows), rows


def test_summary_counts_what_the_dump_holds(dump):
    done = run_tool("summary", dump)
    text = done.stdout.decode()
    trace = tool.Trace(dump.read_bytes())
    execs = sum(e.name == "syscall_exit" and trace.call(e["number"]) == "execve" for e in trace.list)
    found = re.search(r"^execve +(\d+) ", text, re.M)
    assert execs >= 3 and found and int(found[1]) == execs, text
    for title in ("system call", "page fault", "interrupt", "thread runs", "thread waits for a CPU"):
        assert re.search(rf"^{title} +count", text, re.M), text


def test_kernel_and_tool_decode_alike(vm, tmp_path):
    machine = vm(
        f"echo syscall,sched,fault,lock,tlb > {ON}; ls / > /dev/null; echo none > {ON}; "
        "base64 /proc/tessera/trace/data; echo; echo ====; cat /proc/tessera/trace/text"
    )
    import base64

    data, text = machine.out.split("\n====\n")
    trace = tool.Trace(base64.b64decode(data))

    def plain(line):
        return re.sub(r"\s+", " ", line.replace("=0x0", "=0")).strip()

    mine = [plain(event.text()) for event in trace.list][-2000:]
    theirs = [plain(line) for line in text.strip().splitlines()]
    assert len(theirs) > 100 and sorted(mine) == sorted(theirs)


def test_boot_argument_records_boot(vm):
    machine = vm("tail -n 2000 /proc/tessera/trace/text; cat /proc/tessera/trace/enable /proc/tessera/trace/size", "--append", "trace=sched,syscall trace_size=20000")
    assert "[sched] [syscall] fault" in machine.out and machine.out.endswith("\n32768\n"), machine
    assert re.search(r"^ +\d+\.\d+\.\d+ .* sched_fork +child=0 name=start", machine.out, re.M), machine
    assert re.search(r"sched_exec +name=init", machine.out), machine


def test_off_means_nothing_is_left(vm):
    machine = vm(
        "c() { grep -E '^(frames_kernel|traced)' /proc/tessera/counters; }; c > /tmp/0; c > /tmp/1; "
        f"echo all > {ON}; ls > /dev/null; echo off > {ON}; echo 1 > /proc/tessera/lock_stat; ls > /dev/null; "
        "echo off > /proc/tessera/lock_stat; echo 500 > /proc/tessera/profile; ls > /dev/null; echo off > /proc/tessera/profile; "
        "c > /tmp/2; cat /tmp/1; echo ==; cat /tmp/2; echo ==; cat /proc/tessera/trace/stat; wc -c < /proc/tessera/profile"
    )
    before, after, rest = machine.out.split("==\n")
    assert "traced" not in before and "traced.syscall_enter" in after, machine
    frames = [int(re.search(r"frames_kernel (\d+)", part)[1]) for part in (before, after)]
    # Rings are megabytes; what the programs themselves left in caches is a handful of frames.
    assert abs(frames[1] - frames[0]) < 64, frames
    assert rest.split() == ["recorded", "0", "lost", "0", "0"], machine


def test_only_root_looks(vm):
    machine = vm(
        "for f in trace/data trace/enable trace/text lock_stat latency profile symbols objects; do "
        "chroot --userspec=65534:65534 / cat /proc/tessera/$f > /dev/null 2>&1 && echo open $f; done; "
        "chroot --userspec=65534:65534 / cat /proc/tessera/counters | head -1"
    )
    assert "open" not in machine.out and machine.out.startswith("frames_total"), machine


def test_switches_refuse_nonsense(vm):
    machine = vm(
        "exec 2> /dev/null; cd /proc/tessera; for f in trace/enable trace/size lock_stat latency profile; do "
        "echo nonsense > $f && echo taken $f; done; echo 20000 > profile && echo taken; echo 2 > latency && echo taken; "
        "echo 3 > trace/size && echo taken; echo 100 > trace/size; cat trace/size; "
        "echo irq > trace/enable; echo 64 > trace/size && echo taken; echo +lock -irq > trace/enable; cat trace/enable"
    )
    assert "taken" not in machine.out, machine
    assert machine.out.splitlines() == ["128", "sched syscall fault irq [lock] tlb mm timer "], machine


SPIN = r"""
#include <time.h>
__attribute__((noinline)) long busy_user_loop(long n) { volatile long x = 0; while (n--) x += n; return x; }
__attribute__((noinline)) long caller_of_loop(long n) { return busy_user_loop(n) + 1; }
int main(void) { struct timespec t; long n = 0; time_t end; clock_gettime(CLOCK_MONOTONIC, &t); end = t.tv_sec + 3;
	do { n += caller_of_loop(1000000); clock_gettime(CLOCK_MONOTONIC, &t); } while (t.tv_sec < end); return n == 1; }
"""


def test_profile_attributes_a_user_loop(tmp_path):
    source, program, folded = tmp_path / "spin.c", tmp_path / "spin", tmp_path / "out.folded"
    source.write_text(SPIN)
    subprocess.run(["gcc", "-O1", "-static", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-o", program, source], check=True)
    done = run_tool("profile", "--timeout", 100, "--add", f"{program}:/spin", "-o", folded, "--", "/spin")
    assert done.returncode == 0, done
    symbols = {}
    for line in subprocess.run(["nm", "-S", program], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if words[-1] in ("busy_user_loop", "caller_of_loop"):
            symbols[words[-1]] = range(int(words[0], 16), int(words[0], 16) + int(words[1], 16))

    def inside(frame, name):
        return frame.startswith("0x") and int(frame, 16) in symbols[name]

    total = in_loop = with_caller = 0
    for line in folded.read_text().splitlines():
        assert re.fullmatch(r"\S+( \d+)", line), line
        stack, count = line.rsplit(" ", 1)
        frames = stack.split(";")
        if frames[0] == "spin":
            total += int(count)
            user = [f for f in frames[1:] if f.startswith("0x")]
            in_loop += int(count) if user and inside(user[-1], "busy_user_loop") else 0
            with_caller += int(count) if len(user) > 1 and inside(user[-2], "caller_of_loop") else 0
    assert total > 20 and in_loop > total / 2 and with_caller > total / 2, (total, in_loop, with_caller)
    svg = folded.with_suffix(".svg").read_text()
    assert svg.startswith("<svg") and svg.count("<rect") > 3


def test_lock_stat_names_class_and_caller(vm):
    machine = vm(
        "echo 1 > /proc/tessera/lock_stat; for i in 1 2 3; do ls -R /proc/sys > /dev/null & done; wait; "
        "echo 0 > /proc/tessera/lock_stat; cat /proc/tessera/lock_stat; echo reset > /proc/tessera/lock_stat; "
        "echo ==; cat /proc/tessera/lock_stat",
        "--cpus", "2",
    )
    full, empty = machine.out.split("==\n")
    lines = full.splitlines()
    assert lines[0].startswith("off;"), machine
    for lock_class in ("ADDRESS_SPACE", "RUN_QUEUE", "DENTRY"):  # a rwlock, a SPIN_IRQ, a spinlock
        found = re.search(rf"^{lock_class} +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", full, re.M)
        assert found and int(found[1]) > 10 and int(found[6]) <= int(found[5]), machine
    assert re.search(r"^  fault_handle\+0x|^  handle\+0x", full, re.M), machine
    assert len(empty.splitlines()) == 2, machine


def test_latency_is_switched_and_reset(vm):
    machine = vm(
        "cd /proc/tessera; echo 0 > latency; echo reset > latency; cat latency; echo ==; echo 1 > latency; ls -R / > /dev/null 2>&1; "
        "cat latency; echo ==; echo 0 > latency; echo reset > latency; cat latency"
    )
    off, on, reset = machine.out.split("==\n")
    assert off.startswith("off\n") and off == reset, machine
    assert on.startswith("on\n"), machine
    records = re.findall(r"^cpu (\d), (interrupts|preemption) off: longest (\d+)\.\d+ us of (\d+) times", on, re.M)
    assert len(records) == 4 and all(int(count) > 0 for *_, count in records), machine
    assert on.count("  from   ") == 4 and on.count("  to     ") == 4, machine


def test_counters_agree(vm):
    machine = vm(
        "cat /proc/stat /proc/interrupts /proc/vmstat /proc/tessera/counters; echo ==; cat /proc/stat /proc/interrupts /proc/vmstat "
        "/proc/tessera/counters", "--cpus", "1",
    )

    def read(text):
        one = {m[1]: int(m[2]) for m in re.finditer(r"^([\w.]+) (\d+)$", text, re.M)}
        lines = re.findall(r"^ *(\w+): +(\d+)\b", text, re.M)
        one["interrupt lines"] = sum(int(n) for _, n in lines)
        one["intr"] = int(re.search(r"^intr (\d+)", text, re.M)[1])
        return one

    first, second = map(read, machine.out.split("==\n"))
    # Each is read a little later than the one before, and nothing counts backwards.
    for low, high in (("ctxt", "context_switches"), ("intr", "interrupt lines"), ("intr", "interrupts")):
        assert first[low] <= first[high] <= second[high] and second[low] >= first[high] - 1, (low, high, machine.out)
    assert first["pgfault"] <= first["faults_user"] + first["faults_kernel"] <= second["pgfault"], machine
    for name in ("faults_user", "page_allocs", "page_frees", "forks", "execs", "wakes", "syscalls", "syscall.read", "syscall.write"):
        assert first[name] <= second[name] and second[name] > 0, name
    assert first["faults_read"] + first["faults_write"] + first["faults_exec"] == first["faults_user"] + first["faults_kernel"]
    assert first["syscall.read"] < second["syscall.read"]


def test_dmesg_reads_follows_and_clears(vm):
    machine = vm(
        "dmesg | head -1; echo '<3>a program says' > /dev/kmsg; dmesg -x | grep says; dmesg -n 1 || echo no -n; "
        ": > /tmp/w; dmesg -w > /tmp/w & sleep 0.5; echo live line > /dev/kmsg; until grep -m1 'live line' /tmp/w; do sleep 0.1; done; kill $!; "
        "dmesg -c | grep -c says; dmesg | grep -c says; dmesg -S | grep -c says; echo behind > /dev/kmsg; "
        "dmesg -t -L=never | grep behind; dmesg -T -L=never | grep behind | cut -c1-4",
        "--profile", "full",
    )
    lines = machine.out.splitlines()
    # The first line has its time though the clock was set up after it. The kernel may say more at any moment.
    assert re.match(r"\[ +0\.\d+\] Tessera", lines[0]) and not lines[0].startswith("[    0.000000]"), machine
    assert re.match(r"user  :err   : \[ *\d+\.\d+\] a program says$", lines[1]), machine
    assert re.search(r"\] live line$", lines[2]), machine
    assert lines[3:6] == ["1", "0", "0"], machine
    assert lines[6] == "behind" and re.match(r"\[\w\w\w", lines[7]), machine
