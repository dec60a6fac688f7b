# SPDX-License-Identifier: MIT
"""Ways to boot, numbers of processors, sizes of memory, processor models, and the first things one tries."""
import random
import re
import struct
import subprocess

import pytest
from conftest import TOP, VARIANT

FIRST = "uname -a; bash --version | head -1; ls -la / | head -5; seq 1 100000 | sort -R | sort -n | tail -1"


def good(machine):
    assert machine.status == 0, str(machine)
    return machine.out


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_first_things(vm, kernel):
    lines = good(vm(FIRST, "--kernel", kernel)).splitlines()
    assert lines[0].startswith("Linux tessera ") and "x86_64" in lines[0]
    assert lines[1].startswith("GNU bash, version 5.2")
    assert any(line.endswith(" .") and line.startswith("d") for line in lines)
    assert lines[-1] == "100000"


@pytest.mark.parametrize("boot", ["pvh", "bios", "uefi"])
def test_ways_to_boot(vm, boot):
    assert good(vm("echo up $(nproc)", "--boot", boot)) == "up 2\n"


def test_boots_linux_the_same_ways(vm):
    for boot in ("bios", "uefi"):
        assert good(vm("uname -r", "--boot", boot, "--kernel", "linux")).startswith("6.1.")


@pytest.mark.parametrize("cpus,mem", [(1, 512), (2, 512), (8, 512), (64, 2048)])
def test_processors(vm, cpus, mem):
    assert good(vm("nproc", "--cpus", str(cpus), "--mem", str(mem), timeout=240)) == f"{cpus}\n"


@pytest.mark.parametrize("boot", ["pvh", "bios"])
def test_64_processors_all_run(vm, boot):
    """Each processor runs a program bound to it."""
    command = (
        "for c in $(seq 0 63); do taskset -c $c true & done; wait; grep -c ^processor /proc/cpuinfo"
    )
    command = command.replace("taskset -c $c", "busybox taskset -c $c")
    assert (
        good(vm(command, "--cpus", "64", "--mem", "2048", "--boot", boot, timeout=240)).strip()
        == "64"
    )


def test_small_memory(vm):
    # KASAN's shadow is an eighth of it, and its notes and call stacks want room.
    mem = 32 if VARIANT in ("kasan", "kcov") else 24
    assert good(vm('busybox sh -c "echo small"', "--mem", str(mem))) == "small\n"


LEAST = 24 if VARIANT in ("kasan", "kcov") else 16


def test_busybox_in_16_mib(vm):
    command = (
        "ls / | sort | head -1; cp /bin/busybox /tmp/busybox && /tmp/busybox echo copied; mount | grep -c proc;"
        "for i in 1 2 3 4 5 6 7 8; do (sleep 1; echo $i) & done | sort | tail -1; wait; ps | busybox head -2 | grep -c init"
    )
    out = good(vm(command, "--profile", "busybox", "--mem", str(LEAST)))
    assert out.split() == ["bin", "copied", "1", "8", "1"]


def test_16_mib_run_out(vm):
    """A program that takes all is killed, a file is told that there is no room, and both leave it as it was."""
    command = (
        "free() { while read n v u; do [ $n != MemFree: ] || echo $v; done </proc/meminfo; }; before=$(free);"
        "for i in 1 2 3; do busybox yes | sort; echo $?; done; dd if=/dev/zero of=/tmp/all bs=64k; echo $?; busybox rm /tmp/all;"
        "ls /tmp | busybox wc -l; [ $(free) -gt $((before - 256)) ] && echo as before"
    )
    machine = vm(command, "--profile", "busybox", "--mem", str(LEAST))
    lines = [line for line in good(machine).splitlines() if not line.startswith(("Killed", "dd: ")) and "records" not in line]
    assert lines == ["137"] * 3 + ["1", "0", "as before"], machine
    assert machine.console.count("killed process") == 3 and machine.console.count("(sort)") == 3


@pytest.mark.parametrize("mem", [128, 1024, 3072, 5120, 65536])
def test_all_memory_is_seen(vm, mem):
    """The total is within 1 % of what the firmware's map gives, less what describes the frames (1/64)."""
    out = good(vm("cat /proc/meminfo", "--mem", str(mem), timeout=240))
    total = int(re.search(r"MemTotal:\s+(\d+) kB", out)[1]) / 1024
    assert 0.99 * (mem - mem / 64 - 1) <= total <= mem


MODELS = [
    "qemu64",
    "Nehalem",
    "Haswell-noTSX",
    "EPYC",
    "max",
    "max,-smap,-smep,-umip",
    "max,-pcid,-invpcid",
    "max,-x2apic",
    "max,-tsc-deadline",
    "max,-xsave",
    "max,-fsgsbase",
    "max,-rdrand,-rdseed",
    "max,-pdpe1gb",
    "max,-la57",
    "max,-erms,-fsrm",
]


@pytest.mark.parametrize("model", MODELS)
def test_processor_models(vm, model):
    out = good(
        vm(
            "seq 1 1000 | sort -R | sort -n | tail -1; awk 'BEGIN { print 1.5 * 2 }'",
            "--cpu",
            model,
        )
    )
    assert out == "1000\n3\n"


@pytest.mark.parametrize("model", ["max,-nx", "qemu64,-lm", "max,-cmov", "max,-fxsr", "qemu64,-sse2", "max,-syscall"])
def test_processor_that_lacks_what_is_needed(vm, model):
    """It is told in a line, on the processor's very first steps, and the machine ends."""
    machine = vm("true", "--cpu", model)
    assert machine.status == 125, str(machine)
    assert re.search(r"PANIC: .*this CPU (lacks one of|has no SYSCALL)", machine.console), str(machine)


def test_status_and_output(vm):
    machine = vm("echo out; echo err >&2; printf '\\001\\r\\n\\377' | od -An -tx1; exit 7")
    assert machine.status == 7, str(machine)
    assert machine.out == "out\nerr\n 01 0d 0a ff\n"


def test_bytes_pass_unchanged(vm):
    machine = vm(
        'for i in 0 1 2 3; do printf "\\\\$i$(printf %o 10)\\r\\n\\t"; done; head -c 100000 /dev/zero | wc -c'
    )
    assert machine.status == 0 and machine.out.endswith("100000\n"), str(machine)


def test_killed_by_signal(vm):
    assert vm("kill -SEGV $$").status == 139


def test_log_is_not_output(vm):
    assert good(vm("echo only this")) == "only this\n"


def test_log_has_times_and_can_be_quiet(vm):
    loud, quiet = vm("true").console, vm("true", "--append", "quiet").console
    assert re.search(r"^\[ *\d+\.\d{6}\] .*Tessera 6\.1", loud, re.M), loud
    assert "Tessera 6.1" not in quiet and len(quiet) < len(loud) / 4


def test_unknown_and_odd_boot_arguments(vm):
    odd = "frobnicate=1 = == quiet= rows=-1 panic=sideways loglevel=x console=ttyS9 " + "x" * 1500
    assert good(vm("echo fine", "--append", odd)) == "fine\n"


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_programs_lie_where_they_lay_if_that_is_asked_for(vm, kernel):
    places = "cat /proc/sys/kernel/randomize_va_space; for i in 1 2 3; do grep stack /proc/self/maps; done | sort -u | wc -l"
    assert good(vm(places, "--kernel", kernel, randomized=True)) == "2\n3\n"
    assert good(vm(places, "--kernel", kernel, "--append", "norandmaps", randomized=True)) == "0\n1\n"


BASE = TOP / "build/image/base.cpio"
BROKEN_IMAGES = {
    "cut short": lambda: BASE.read_bytes()[:5_000_001],
    "not an archive": lambda: b"not an archive" * 3000,
    "sizes beyond the end": lambda: b"070701" + b"f" * 104 + b"\0" * 4000,
    "no name": lambda: b"070701" + b"0" * 104 + b"\0" * 4000,
    "no digits": lambda: b"070701" + b"z" * 104 + b"init\0" * 800,
    "empty": lambda: b"\0" * 4096,
}


def boot_image(image, tmp_path):
    """Boot the kernel with these bytes as its image: the exit status (253: panic) and the log."""
    path = tmp_path / "image"
    path.write_bytes(image)
    done = subprocess.run(
        ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults",
         "-display", "none", "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
         "-kernel", TOP / "build/gcc/tessera.elf", "-initrd", path, "-append", "console=ttyS0 panic=exit"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=200,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("kind", BROKEN_IMAGES)
def test_broken_image_is_an_error(kind, tmp_path):
    """The kernel says what is wrong with its image and stops in order; it does not fault."""
    status, log = boot_image(BROKEN_IMAGES[kind](), tmp_path)
    assert status == 253, log
    reason = re.search(r"PANIC: (.*)", log)[1]
    assert "initramfs" in reason or "/init" in reason, log


def newc(name, mode, data=b""):
    """One entry of a cpio archive."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


# The program's header and 12 bytes of text, which is `mov $60, %eax; mov $5, %edi; syscall` or zeros.
def tiny_program(text):
    elf = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 0x84, 0x84, 0x1000) + text


WRONG_INITS = {
    "absent": (None, b"", "cannot be started"),
    "not executable": (0o100644, tiny_program(bytes(12)), "cannot be started"),
    "a directory": (0o40755, b"", "cannot be started"),
    "a link to itself": (0o120777, b"init", "cannot be started"),
    "a fifo": (0o10755, b"", "cannot be started"),
    "empty": (0o100755, b"", "cannot be started"),
    "no program": (0o100755, b"no program at all\n", "cannot be started"),
    "a script of itself": (0o100755, b"#!/init\n", "cannot be started"),
    "one that exits": (0o100755, tiny_program(b"\xb8\x3c\0\0\0\xbf\5\0\0\0\x0f\5"), "exited with status 5"),
    "one that crashes": (0o100755, tiny_program(bytes(12)), "ended by signal"),
}


@pytest.mark.parametrize("kind", WRONG_INITS)
def test_wrong_init_is_named(kind, tmp_path):
    """A machine without a process 1 says why."""
    mode, data, reason = WRONG_INITS[kind]
    image = newc("etc", 0o40755) + (newc("init", mode, data) if mode else b"") + newc("TRAILER!!!", 0)
    status, log = boot_image(image, tmp_path)
    assert status == 253, log
    assert reason in re.search(r"PANIC: (.*)", log)[1], log


def test_flipped_bytes_of_an_image(tmp_path):
    """Whatever bytes change in the headers, the end is an ordered one."""
    image = b"".join([newc("etc", 0o40755), newc("etc/link", 0o120777, b"passwd"), newc("etc/a", 0o100644, b"x" * 9000),
                      newc("dev/null", 0o20666), newc("init", 0o100755, tiny_program(bytes(12))), newc("TRAILER!!!", 0)])
    heads = [found.start() for found in re.finditer(b"070701", image)]
    for seed in range(40):
        chance = random.Random(seed)
        spoiled = bytearray(image)
        for _ in range(chance.choice((1, 2, 8))):
            spoiled[min(chance.choice(heads) + chance.randrange(130), len(image) - 1)] = chance.choice(b"0123456789abcdef\0\xff")
        status, log = boot_image(bytes(spoiled), tmp_path)
        assert status == 253, f"seed {seed}\n{log}"
        assert not re.search(r"PANIC: kernel |\(vector", log), f"seed {seed}\n{log}"


def test_icount_is_deterministic(vm):
    """Two runs of the same thing agree on every nanosecond and every random number."""
    command = "date +%s.%N; cat /proc/self/maps; echo $RANDOM; seq 1 1000 | sort -R | head -3; date +%s.%N"
    runs = [vm(f"bash -c '{command}'", "--icount").out for _ in range(2)]
    assert runs[0] == runs[1] and "[stack]" in runs[0]


def test_icount_with_several_processors(vm):
    assert good(vm("nproc", "--icount", "--cpus", "2")) == "2\n"


def test_profile_full(vm):
    command = "ps -e | head -1; find /etc -name passwd; echo abc | sed s/b/X/; gawk 'BEGIN{print 6*7}'; python3 -c 'print(2**64)'"
    out = good(vm(command, "--profile", "full", "--mem", "1024", timeout=240)).splitlines()
    assert out[0].split() == ["PID", "TTY", "TIME", "CMD"]
    assert out[1:] == ["/etc/passwd", "aXc", "42", "18446744073709551616"]
