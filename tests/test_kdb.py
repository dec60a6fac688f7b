# SPDX-License-Identifier: MIT
"""kdb, the kernel's console: how one gets there, what each command shows, and that the machine goes on."""
import os
import re
import time

import pexpect
import pytest
from conftest import ENVIRONMENT, TESSERA, TOP
from host import one_gdb, wait_for_gdb_server

PROMPT = r"root@tessera:[^\r\n]*# "
KDB = "kdb> "
BREAK = "\x1db"  # QEMU's escape, then b
CARETS = "\x1e\x1e\x1e"
DEBUG_BUILD = os.environ.get("TESSERA_VARIANT", "release") != "release"


class Console:
    """`tessera run` on a terminal."""

    def __init__(self, *options):
        self.process = pexpect.spawn(
            TESSERA,
            ["run", "--timeout", "900", *options],
            cwd=str(TOP),
            env=dict(ENVIRONMENT, TERM="xterm"),
            timeout=200,
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(30, 160),
        )
        self.process.delaybeforesend = 0.1

    def send(self, text):
        self.process.send(text)

    def expect(self, pattern, timeout=200):
        self.process.expect(pattern, timeout=timeout)
        return self.process.before

    def enter(self, keys=BREAK):
        """Into kdb; what it says first."""
        for key in keys, "g":
            self.send(key)
            time.sleep(0.2)
        said = self.expect(KDB)
        self.ask("more off")
        return said

    def enter_asleep(self):
        """Into kdb from a shell, at a moment at which the other CPU sleeps: a timer may just have woken it."""
        for _ in range(50):
            said = self.enter()
            if "arch_idle+" in self.ask("regs 1"):
                return said
            self.send("go\r")
            self.send("\r")
            self.expect(PROMPT)
        pytest.fail("CPU 1 is never idle")

    def ask(self, command, end=KDB):
        self.send(command + "\r")
        self.expect(re.escape(command) + "\r\n")
        return self.expect(end).replace("\r", "")

    def shell(self, line):
        self.process.sendline(line)
        self.process.expect_exact(line[-20:] + "\r\n")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.expect(PROMPT)).replace("\r", "").strip()

    def close(self):
        try:
            self.process.close(force=True)
        except pexpect.ExceptionPexpect:
            os.waitpid(self.process.pid, 0)  # killed, and not dead within a tenth of a second


@pytest.fixture
def console():
    started = []

    def start(*options):
        started.append(Console(*options))
        return started[-1]

    yield start
    for c in started:
        c.close()


@pytest.fixture(scope="module")
def running():
    """A machine with a shell, `sleep 4321 | cat` in the background; stopped in kdb."""
    c = Console()
    c.expect(PROMPT)
    c.shell("sleep 4321 | cat &")
    c.shell("exec 7</etc/passwd 8>/tmp/written")
    c.shell("truncate -s 64K /tmp/disk; busybox losetup -f /tmp/disk")
    c.shell("/usr/bin/python3 -c 1 2>/dev/null; cat < /dev/null")
    c.shell("echo all > /proc/tessera/trace/enable; /usr/bin/true; sleep 0.1")
    time.sleep(0.5)
    c.said = c.enter_asleep()
    c.ps = c.ask("ps")
    yield c
    c.close()


def row(c, name):
    """ps: the thread of that name, as (pid, tid, state, rest)."""
    found = re.search(rf"^ *(\d+) +(\d+) (\w) .* {name} +(.*)$", c.ps, re.M)
    assert found, c.ps
    return found.groups()


pytestmark = pytest.mark.xdist_group("kdb")


def test_magic_key_says_where_one_is(running):
    assert "called from the console" in running.said and "All CPUs stand still" in running.said


def test_help_names_every_command(running):
    text = running.ask("help")
    for name in "ps bt bta cpus runq locks memory slabs as pte page handles waitq log md go".split():
        assert re.search(rf"^{name}\s", text, re.M), text


def test_ps_tells_who_waits_for_what(running):
    _, _, state, what = row(running, "cat")
    assert state == "S" and re.match(r"pipe_read 0x[0-9a-f]+ in read\(0, ", what), what
    _, _, state, what = row(running, "sleep")
    assert state == "S" and "clock_nanosleep(" in what, what
    assert "poll_files" in row(running, "bash")[3] or "pselect6" in row(running, "bash")[3]
    assert row(running, "worker/0")[3] == "worker_main"


def test_wait_queue_names_its_waiter(running):
    queue = re.search(r"(0x[0-9a-f]+) in", row(running, "cat")[3])[1]
    assert re.search(r"waiter 0x\w+: cat \(tid \d+\)", running.ask(f"waitq {queue}"))


def test_thread_in_full(running):
    text = running.ask(f"thread {row(running, 'cat')[1]}")
    assert "system call: read(0, " in text and 'tid ' in text and "pipe_read+" in text
    assert re.search(r"process \d+ .*, 1 threads: cat", text), text


def test_backtrace_reaches_the_program(running):
    text = running.ask(f"bt {row(running, 'cat')[1]}")
    names = re.findall(r"^  (\w+)\+0x", text, re.M)
    assert names[:2] == ["switch_thread", "schedule"] and names[-1] == "syscall_entry", text
    for name in "pipe_read", "linux_read", "syscall_dispatch":
        assert name in names, text
    assert re.search(r"user mode: pc 0x\w+ sp 0x\w+ libc", text), text


def test_backtrace_of_all(running):
    text = running.ask("bta S")
    assert text.count("syscall_entry+") >= 4 and "worker_main+" in text


def test_cpus_and_registers(running):
    text = running.ask("cpus")
    assert re.search(r"CPU 0: .*\n  \w+\+0x", text) and re.search(r"CPU 1: .*\n  \w+\+0x", text), text
    assert text.count("this one") == 1 and "NOT ANSWER" not in text
    assert re.search(r"rip 0008:f\w+ arch_idle\+", running.ask("regs 1"))


def test_run_queues(running):
    text = running.ask("runq")
    assert text.count("need_resched") == 2 and "runs idle/1" in text


def test_memory_adds_up(running):
    text = running.ask("memory")
    total, free = map(int, re.search(r"(\d+) frames, (\d+) free", text).groups())
    assert 0 < free < total < 512 * 256
    assert "below 4 GiB" in text
    slabs = running.ask("slabs")
    threads = re.search(r"^thread +\d+ +(\d+)", slabs, re.M)
    assert int(threads[1]) >= len(re.findall(r"^ +\d+ +\d+ [RSDTZ]", running.ps, re.M)) - 2, slabs


def test_address_space_and_tables(running):
    pid = row(running, "cat")[0]
    text = running.ask(f"as {pid}")
    code = re.search(r"^  ([0-9a-f]{12})-[0-9a-f]{12} r-xp .* page \d+ tmpfs", text, re.M)
    assert code, text
    leaf = running.ask(f"pte {pid} 0x{code[1]}")
    frame = re.search(r"-> physical 0x([0-9a-f]+)", leaf)
    assert frame and "PGD" in leaf and " user" in leaf, leaf
    assert " cached" in running.ask(f"page {int(frame[1], 16) >> 12}")


def test_handles(running):
    text = running.ask(f"handles {row(running, 'bash')[0]}")
    assert re.search(r"^ 7: \S*READ", text, re.M) and '"passwd"' in text and '"written"' in text
    assert re.search(r'^   file \d+: tty "ttyS0"', text, re.M), text
    assert "pipe: 0 of" in running.ask(f"handles {row(running, 'cat')[0]}")


def test_machine(running):
    assert "wait_deadline_reached" in running.ask("timers")
    assert re.search(r"LOC +[1-9]\d* +[1-9]\d*", running.ask("irqs"))
    assert re.search(r"[1-9]\d* address space switches", running.ask("tlb"))
    assert "proc on proc, type proc" in running.ask("mounts")
    assert re.search(r"\d+ sockets", running.ask("sockets"))
    assert re.search(r"rootfs:\n.*inode .*\n  \d\d+ inodes", running.ask("inodes 1"))
    assert "smp: 2 CPUs" in running.ask("log")
    assert re.search(r"loop0: loop refs .*\n +loop0 7:0 start 0 size 65536 .*\n +loop: state \d file /tmp/disk ", running.ask("disks"))


def test_symbols_and_bytes(running):
    address = re.search(r"(0xf\w+) schedule\+0x0", running.ask("symbol schedule"))[1]
    assert "schedule+0x5" in running.ask(f"symbol {int(address, 16) + 5:#x}")
    by_name, by_address = running.ask("md schedule 2"), running.ask(f"md {address} 2")
    assert by_name == by_address and re.match(rf"{address[2:]}  \w{{16}} \w{{16}}  ", by_name)


def test_mistakes_come_back_to_the_prompt(running):
    assert "cannot be read" in running.ask("md 0x10")
    assert "not mapped" in running.ask("waitq 0x4000")
    assert "general protection" in running.ask("waitq 0xdead000000000000")
    assert "no thread" in running.ask("bt 99999")
    assert "no command begins with" in running.ask("frobnicate")
    assert "neither a number nor a function" in running.ask("symbol no_such_function")


def test_line_editing_and_history(running):
    running.send("symXbol\x1b[D\x1b[D\x1b[D\x7f")
    running.send("\x05 schedule\r")
    assert "schedule+0x0" in running.expect(r"\n" + KDB)
    running.send("\x1b[A\r")
    assert "schedule+0x0" in running.expect(r"\n" + KDB)


def test_paging(running):
    running.send("more 10\r")
    running.expect(KDB)
    running.send("slabs\r")
    running.expect("--more--")
    running.send(" ")
    running.expect("--more--")
    running.send("q")
    assert "stopped" in running.expect(KDB)
    running.ask("more off")


def test_trace(running):
    text = running.ask("trace 50")
    assert "sched_switch " in text and text.count("syscall_enter ") > 3, text


def test_go_resumes_everything(running):
    """Last of this machine's: the shell, its job, clocks and timers go on."""
    running.send("go\r")
    running.send("\r")
    running.expect(PROMPT)
    assert running.shell("echo alive $((6 * 7))") == "alive 42"
    assert "Running" in running.shell("jobs")
    start = time.time()
    running.shell("sleep 1; date +%s")
    assert time.time() - start >= 1
    for keys in CARETS, BREAK:
        running.enter(keys)
        time.sleep(0.3)
        running.send("go\r")
        running.send("\x15\r")
        running.expect(PROMPT)
    assert running.shell("kill %1; wait; echo still $((6 * 7))").endswith("still 42")
    seconds = running.shell("cut -d. -f1 /proc/uptime; sleep 1; cut -d. -f1 /proc/uptime").split()
    assert int(seconds[1]) > int(seconds[0])


def test_other_letters_write_to_the_log(vm):
    machine = vm(
        "for k in h t m l w d q p z; do echo $k > /proc/sysrq-trigger; done; dmesg; sleep 0.1; echo went on"
    )
    assert machine.status == 0 and machine.out.endswith("went on\n"), machine
    for what in "sysrq:   c  panic on purpose", "syscall_entry+", "frames, ", "CPU 1: ", "cpu 0 timers":
        assert what in machine.out, what


def test_off_means_off(console):
    c = console("--append", "kdb=off")
    c.expect(PROMPT)
    c.send(BREAK)
    c.send(CARETS)
    c.process.sendline("g=1; echo not in $((6 * 7))")
    c.expect("not in 42")
    c.expect(PROMPT)


def test_panic_enters_kdb_and_cannot_go_on(console):
    c = console()
    c.expect(PROMPT)
    c.process.sendline("echo c > /proc/sysrq-trigger")
    report = c.expect(KDB)
    for what in (
        "PANIC: sysrq: a crash was asked for",
        r"process \d+: -?bash",
        r"system call write\(0x1, 0x\w+, 0x2\)",
        "call stack, innermost first:",
        r"write_sysrq\+",
        "user mode: pc",
        r"CPU [01]: \S+ \(tid \d+\): .*\+0x\w+",  # usually arch_idle(), unless a timer has just woken it
        "Tessera 6.1.0-tessera .*, up ",
        "memory: [0-9]+ MiB",
    ):
        assert re.search(what, report), what
    c.ask("more off")
    c.ps = c.ask("ps")
    assert "on CPU" in row(c, "bash")[3]
    assert "cannot go on" in c.ask("go")
    c.send("exit\r")
    c.process.expect(pexpect.EOF)
    c.process.close()
    assert c.process.exitstatus == 125


def hang(console, name, *options, keys=BREAK):
    c = console("--append", f"test=crash:{name}", *options)
    c.expect("ktest: it hangs")
    time.sleep(0.5)
    c.enter(keys)
    return c


@pytest.mark.parametrize("cpus", ["1", "2"])
def test_entered_while_every_cpu_spins(console, cpus):
    c = hang(console, "spin", "--cpus", cpus)
    text = c.ask("cpus")
    assert text.count("spin_here+") == int(cpus), text
    assert "spin_here+" in c.ask("bt cpu 0")
    c.send("go\r")
    time.sleep(0.3)
    c.enter(CARETS)
    assert "spin_here+" in c.ask("bt cpu 0")


def test_entered_while_interrupts_are_off(console):
    c = hang(console, "spin_irq")
    assert "hang_spin_irq+" in c.ask("bt cpu 0")
    assert re.search(r"CPU 0: .*\n  interrupts off\n  hang_spin_irq\+", c.ask("cpus"))


def test_entered_by_nmi_on_the_only_cpu(console):
    """The emulator's NMI button reaches a CPU that nothing else does."""
    c = console("--append", "test=crash:spin_irq", "--cpus", "1")
    c.expect("ktest: it hangs")
    time.sleep(0.3)
    for _ in range(2):
        c.send("\x1dc")
        c.expect(r"\(qemu\) ")
        c.send("nmi\r")
        time.sleep(0.2)
        c.send("\x1dc")
        c.send("\r")
        c.expect(KDB)
        assert "hang_spin_irq+" in c.ask("bt")
        assert "cannot be read" in c.ask("md 0x10")
        c.send("go\r")
        time.sleep(2.5)


def test_deadlock_of_mutexes_is_a_circle(console):
    text = hang(console, "deadlock").ask("locks")
    circle = re.search(r"DEADLOCK: a circle of 2\n(.*\n)(.*\n)(.*\n)(.*\n)", text)
    assert circle, text
    waits = re.findall(r"(adam|eve) \(tid 0\) waits for the mutex PIPE (0x\w+) since", circle[0])
    holders = re.findall(r"held by (adam|eve)", circle[0])
    assert {w[0] for w in waits} == {"adam", "eve"} and waits[0][1] != waits[1][1]
    assert [w[0] for w in waits] == holders[::-1]
    if DEBUG_BUILD:
        assert text.count("taken at take_both+") >= 2, text


def test_deadlock_of_spinlocks_is_a_circle(console):
    # Two CPUs are lost in it; the third hears.
    text = hang(console, "deadlock_spin", "--cpus", "3").ask("locks")
    assert "DEADLOCK: a circle of 2" in text and len(re.findall("spins for the spinlock FILE", text)) >= 4, text


def test_broken_list_does_not_kill_kdb(console):
    c = console("--append", "test=crash:list")
    c.expect(KDB)
    c.ask("more off")
    assert re.search(r"list at 0x\w+ is broken: link 0xdead0+ cannot be read", c.ask("ps"))
    assert "victim" in c.ask("ps")
    # What the other CPU is in is its own affair: it may be a timer's interrupt.
    assert re.search(r"CPU \d: .*, this one\n(  .*\n)*?  hang_list\+", c.ask("cpus")) and "CPU 1: " in c.ask("cpus")
    c.send("go\r")
    c.expect("ktest: it hangs")


class Gdb:
    def __init__(self, *commands):
        self.process = pexpect.spawn(
            "gdb",
            ["-q", "-ex", "set pagination off", "-ex", "set confirm off", "-ex", "set style enabled off", *commands],
            cwd=str(TOP),
            env=dict(ENVIRONMENT, TERM="dumb"),
            timeout=200,
            encoding="utf-8",
            dimensions=(60, 250),
        )
        self.process.expect(r"\(gdb\) ")

    def ask(self, command):
        self.process.sendline(command)
        self.process.expect_exact(command)
        self.process.expect(r"\(gdb\) ")
        return self.process.before.replace("\r", "")

    def stop(self):
        self.process.sendintr()
        self.process.expect(r"\(gdb\) ")

    def close(self):
        self.process.sendline("detach")
        self.process.expect(r"\(gdb\) ")
        self.process.sendline("quit")
        self.process.expect(pexpect.EOF)
        self.process.close()


@one_gdb
def test_gdb_has_the_same_views(console):
    c = console("--debug")
    c.expect("waiting for gdb")
    wait_for_gdb_server()
    gdb = Gdb("-x", "build/gdbinit")
    gdb.process.sendline("continue")
    c.expect(PROMPT)
    c.shell("echo all > /proc/tessera/trace/enable; sleep 4321 | cat &")
    c.shell("until grep -q '(cat) S' /proc/$!/stat && grep -q '(sleep) S' /proc/$(jobs -p)/stat; do :; done")
    time.sleep(0.5)
    gdb.stop()
    while gdb.ask("tessera-cpus").count("arch_idle+") != 2:  # a timer may just have woken one
        gdb.process.sendline("continue")
        time.sleep(0.5)
        gdb.stop()
    text = gdb.ask("tessera-ps")
    cat = re.search(r"^ *(\d+) +(\d+) S +\d cat +pipe_read 0x\w+ in read$", text, re.M)
    assert cat and re.search(r"S +\d sleep +\w+.* in clock_nanosleep$", text, re.M), text
    text = gdb.ask(f"tessera-bt {cat[2]}")
    assert re.search(r"pipe_read\+0x\w+ at kernel/ipc/pipe.c:\d+\n(.*\n)*.*syscall_entry.*\n *user mode", text), text
    assert "arch_idle+" in gdb.ask("tessera-bt cpu1")
    assert gdb.ask("tessera-cpus").count("arch_idle+") == 2
    assert "runs idle/0 tid 0" in gdb.ask("tessera-runq")
    assert "nobody waits for a lock" in gdb.ask("tessera-locks")
    assert re.search(r"below 4 GiB: \d+ frames free", gdb.ask("tessera-memory"))
    assert re.search(r"^thread +\d+ +\d+", gdb.ask("tessera-slabs"), re.M)
    assert re.search(r"r-xp page \d+ cat$", gdb.ask(f"tessera-as {cat[1]}"), re.M)
    assert re.search(r"^0: file 0x\w+ rights 0x\w+  pipe", gdb.ask(f"tessera-handles {cat[1]}"), re.M)
    assert "wait_deadline_reached" in gdb.ask("tessera-timers")
    assert "smp: 2 CPUs" in gdb.ask("tessera-log")
    assert "syscall_enter number=" in gdb.ask("tessera-trace 200")
    gdb.close()
    c.shell("echo all went on")


def test_gdb_shows_a_deadlock_of_a_machine_nobody_prepared(console, tmp_path):
    """The gdb server comes from QEMU's monitor; the kernel has moved itself."""
    c = console("--append", "test=crash:deadlock")
    c.expect("ktest: it hangs")
    c.send("\x1dc")
    c.expect(r"\(qemu\) ")
    c.send(f"gdbserver unix:{tmp_path}/gdb,server=on,wait=off\r")
    c.expect(r"\(qemu\) ")
    kernel = "gcc" if not DEBUG_BUILD else "gcc-" + os.environ["TESSERA_VARIANT"]
    gdb = Gdb(
        f"build/{kernel}/tessera.elf", "-ex", "source tools/gdb/tessera.py", "-ex", f"target remote {tmp_path}/gdb"
    )
    slide = re.search(r"the kernel is (0x\w+) above", gdb.ask("tessera-slide"))
    assert slide, "no slide"
    log = gdb.ask("tessera-log 100")
    assert int(re.search(r"kernel at \w+, slide (\w+)", log)[1], 16) == int(slide[1], 16), log
    text = gdb.ask("tessera-locks")
    circle = re.search(r"DEADLOCK: a circle of 2\n.*\n.*\n", text)
    assert circle and {"adam", "eve"} <= set(re.findall(r"held by (\w+)", circle[0])), text
    adam = re.search(r"adam \(tid 0, (0x\w+)\)", text)[1]
    assert re.search(r"take_both\+0x\w+ at kernel/test/hang.c", gdb.ask(f"tessera-bt {adam}"))
    gdb.close()
