# SPDX-License-Identifier: MIT
"""Machines of many kinds: processors, topologies, memories, boards, tables that lie.

Most cases boot the bare kernel, without an image: it finds the machine out, runs some of its own tests and
switches off, in well under a second. What it said of memory and processors is compared with what QEMU was told.
"""
import re
import struct
import subprocess

import pytest
from conftest import KERNEL_FILE, SLOWER, VARIANT, run_vm

SOME_TESTS = "fork_copies_on_write"


class Log(str):
    """What a bare kernel said; `status` is QEMU's: 0 switched off, 253 panic, 251 could not switch off."""

    status = None


def bare(*options, machine="q35", cpu="max", mem=256, cpus=2, test=SOME_TESTS, arguments="", serial=True,
         accel="tcg,thread=multi"):
    command = [
        "qemu-system-x86_64", "-accel", accel, "-machine", f"{machine},memory-backend=ram", "-m", f"{mem}M",
        "-object", f"memory-backend-ram,id=ram,size={mem}M,reserve=off", "-cpu", cpu, "-smp", str(cpus), "-nodefaults",
        "-no-user-config", "-display", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        *(["-serial", "stdio"] if serial else []), "-kernel", KERNEL_FILE,
        "-append", f"console=ttyS0 panic=exit test={test} {arguments}", *options,
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=90 * SLOWER[VARIANT])
    log = Log(done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace"))
    log.status = done.returncode
    return log


def good(log, mem=256, cpus=2, ends=(0,)):
    """It passed its tests, and saw the processors and the memory (but for what firmware keeps)."""
    assert log.status in ends, log
    assert re.search(r"ktest: done [1-9]\d* passed 0 failed", log), log
    assert int(re.search(r"smp: (\d+) CPUs?, clock", log)[1]) == cpus, log
    assert mem - 3 <= int(re.search(r"memory: (\d+) MiB usable", log)[1]) <= mem, log
    assert "WARNING" not in log and "PANIC" not in log, log
    return log


# --- processors ---------------------------------------------------------------------------------------

# What QEMU's `max` can do without, and the kernel's argument for the same.
FEATURES = {
    "-smep": "nosmep", "-smap": "nosmap", "-umip": "noumip", "-fsgsbase": "nofsgsbase", "-xsave,-avx,-avx2": "noxsave",
    "-pku": "nopku", "-rdrand": "nordrand", "-rdseed": None, "-pdpe1gb": "nogbpages", "-la57": None, "-rdtscp": None,
    "-rdpid": None, "-erms,-fsrm": None, "-pat": None, "-monitor": None, "-arat": None, "-pge": None, "-mtrr,-mca,-mce": None,
    "-smep,-smap,-umip": "nosmep nosmap noumip", "-fsgsbase,-xsave,-avx,-avx2,-pku": "nofsgsbase noxsave nopku",
    "-xsaveopt,-xsavec": None, "-avx,-avx2": None,
    "-smep,-smap,-umip,-fsgsbase,-xsave,-avx,-avx2,-pku,-rdrand,-rdseed,-pdpe1gb,-la57":
        "nosmep nosmap noumip nofsgsbase noxsave nopku nordrand nogbpages nox2apic notscdeadline nopcid noinvpcid",
}


@pytest.mark.parametrize("without", FEATURES)
def test_processor_without(without):
    good(bare(cpu=f"max,{without}"))
    if FEATURES[without]:
        good(bare(arguments=FEATURES[without]))


@pytest.mark.parametrize("model", [
    "qemu64", "kvm64", "Opteron_G1", "Conroe", "Penryn", "Nehalem", "Westmere", "SandyBridge", "IvyBridge", "Haswell",
    "Broadwell", "Skylake-Server", "Icelake-Server", "EPYC", "EPYC-Milan",
    "qemu64,-svm,-pni,-cx16,-hypervisor,-popcnt,-sse4a,-lahf-lm",
])
def test_processor_model(model):
    good(bare(cpu=model))


@pytest.mark.parametrize("model,what", [
    ("max,-nx", "NX"), ("qemu64,-lm", "64-bit mode"), ("max,-sse2", "SSE2"), ("max,-fxsr", "FXSR"),
    ("max,-syscall", "no SYSCALL"), ("pentium3", "64-bit mode"), ("486", "64-bit mode"),
])
def test_processor_that_will_not_do(model, what):
    log = bare(cpu=model)
    assert log.status == 253 and re.search(rf"PANIC: .*this CPU (lacks one of|has no).*{what[-4:]}", log), log


def test_smep_and_smap_are_on():
    """The processor refuses what they forbid; see also kernel/test/crash.c."""
    for access, verb in (("read", "read"), ("write", "wrote to"), ("execute", "jumped to")):
        log = bare(test=f"crash:user_{access}")
        assert log.status == 253 and re.search(rf"kernel {verb} 0x\w+: user memory outside a checked copy", log), log
    # Without them nothing stops it.
    log = bare(test="crash:user_read", arguments="nosmap")
    assert log.status == 3 and "crash:user_read: nothing stopped it" in log, log


@pytest.mark.parametrize("cpus", [1, 3, 8, 16, 64])
def test_processors(cpus):
    good(bare(cpus=cpus, mem=512), mem=512, cpus=cpus)


@pytest.mark.parametrize("smp,cpus", [
    ("8,sockets=2,cores=2,threads=2", 8), ("6,sockets=2,cores=3,threads=1", 6), ("12,sockets=2,dies=2,cores=3", 12),
    ("4,maxcpus=16", 4), ("7,sockets=7", 7), ("9,sockets=3,cores=3", 9), ("2,sockets=1,cores=1,threads=2", 2),
])
def test_topology(smp, cpus):
    """Sockets, dies and cores that are no powers of two leave holes among the APIC ids."""
    good(bare("-smp", smp), cpus=cpus)


def test_processors_plugged_apart():
    """Ids with holes: processor 0, and two in places far from it."""
    log = bare("-smp", "1,maxcpus=12,sockets=3,cores=4", "-device", "max-x86_64-cpu,socket-id=1,core-id=2,thread-id=0",
               "-device", "max-x86_64-cpu,socket-id=2,core-id=3,thread-id=0")
    good(log, cpus=3)


# --- memory -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mem", [8, 20, 33, 101, 127, 129, 1023])
def test_memory_size(mem):
    good(bare(mem=mem), mem=mem)


@pytest.mark.parametrize("mem", [2048, 3072, 4096, 5120, 8192, 12288])
@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_memory_around_the_hole(machine, mem):
    """Devices take addresses below 4 GiB; memory goes on above."""
    log = good(bare(machine=machine, mem=mem), mem=mem)
    assert re.search(rf"memory: {mem - 3}|memory: {mem - 2}|memory: {mem - 1}|memory: {mem} MiB usable", log), log


@pytest.mark.parametrize("machine", ["q35", "pc", "microvm"])
def test_memory_above_4_gib_works(machine):
    log = good(bare(machine=machine, mem=6144, test="frames_above_4_gib_keep_their_contents"), mem=6144)
    assert "memory above 4 GiB keeps what it is given" in log, log


def test_memory_in_nodes():
    nodes = []
    for i in range(2):
        nodes += ["-object", f"memory-backend-ram,id=m{i},size=128M", "-numa", f"node,nodeid={i},memdev=m{i},cpus={i}"]
    log = subprocess.run(
        ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-m", "256M", "-smp", "2", "-cpu", "max", "-nodefaults",
         "-display", "none", "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
         "-kernel", KERNEL_FILE, "-append", f"console=ttyS0 panic=exit test={SOME_TESTS}", *nodes],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=90,
    )
    text = Log(log.stdout.decode("utf-8", "replace"))
    text.status = log.returncode
    good(text)


# --- boards -------------------------------------------------------------------------------------------

# What is missing, how many processors are found then, and how QEMU may end.
BOARDS = {
    "pc": (2, 0), "q35,hpet=off": (2, 0), "q35,pit=off": (2, 0), "q35,pic=off": (2, 0), "q35,smm=off": (2, 0),
    "q35,hpet=off,pit=off": (2, 0), "q35,sata=off,smbus=off,vmport=off": (2, 0), "q35,acpi=off": (2, 0),
    "pc,hpet=off,pit=off": (2, 0),
    # Nothing tells of other processors, or how to switch off.
    "pc,acpi=off": (1, 251), "pc,acpi=off,hpet=off": (1, 251), "microvm,acpi=off": (1, 251),
    "microvm": (2, 0), "microvm,rtc=on": (2, 0), "microvm,pic=off": (2, 0), "microvm,ioapic2=off": (2, 0),
    # Only the battery-backed clock is left to measure the processor by; or nothing.
    "microvm,pit=off,rtc=on": (2, 0), "microvm,pit=off,rtc=off": (2, 0),
}


@pytest.mark.parametrize("board", BOARDS)
def test_board(board):
    cpus, end = BOARDS[board]
    good(bare(machine=board), cpus=cpus, ends=(end,))


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_board_runs_programs(machine):
    ended = run_vm("nproc; seq 1 1000 | sort -R | sort -n | tail -1", "--machine", machine)
    assert ended.status == 0 and ended.out == "2\n1000\n", str(ended)


@pytest.mark.parametrize("boot", ["bios", "uefi"])
@pytest.mark.parametrize("mem", [512, 5120])
def test_firmware(boot, mem):
    ended = run_vm("nproc", "--boot", boot, "--mem", str(mem), "--machine", "q35" if boot == "uefi" else "pc")
    assert ended.status == 0 and ended.out == "2\n", str(ended)


def test_exact_time():
    good(bare("-icount", "shift=0,sleep=off", accel="tcg,thread=single", cpus=1), cpus=1)


def test_serial_ports():
    ended = run_vm("ls /dev/ttyS* | wc -l; echo more >/dev/ttyS3; echo written",
                   "--qemu", "-chardev null,id=more -device isa-serial,index=3,chardev=more")
    assert ended.status == 0 and ended.out == "4\nwritten\n", str(ended)


@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_no_serial_port(machine):
    """Nobody hears it, and it runs its tests and switches off all the same."""
    log = bare(machine=machine, serial=False)
    assert log.status == 0 and log == "", log


# --- tables that lie ----------------------------------------------------------------------------------

def table(signature, body=b"", length=None, spoil=False):
    """An ACPI table with a good checksum unless it shall be spoilt."""
    length = 36 + len(body) if length is None else length
    head = struct.pack("<4sIBB6s8sI4sI", signature, length, 1, 0, b"TESSRA", b"ODDTABLE", 1, b"TEST", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) % 256
    if spoil:
        data[-1] ^= 0x55
    return bytes(data)


def madt(*entries):
    return table(b"APIC", struct.pack("<II", 0xFEE00000, 1) + b"".join(entries))


TABLES = {
    "empty": table(b"JUNK"),
    "wrong checksum": table(b"HPET", bytes(20), spoil=True),
    "longer than itself": table(b"SSDT", bytes(64), length=100000),
    "longer than memory": table(b"SSDT", bytes(64), length=0xFFFFFFF0),
    "shorter than its header": table(b"SSDT", bytes(64), length=8),
    "without length": table(b"SSDT", bytes(64), length=0),
    "large": table(b"OEM1", bytes(65000)),
    "a second APIC table": madt(b"\0\x08\x01\x09\x01\0\0\0"),
    "an APIC table with entries of no length": madt(bytes(64)),
    "an APIC table that ends within an entry": madt(b"\0\x08\0\0\x01\0\0\0", b"\0\x40"),
    "a second HPET table, of zeroes": table(b"HPET", bytes(20)),
    "a second FACP table, of zeroes": table(b"FACP", bytes(80)),
    "an MCFG table of ones": table(b"MCFG", b"\xff" * 24),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_odd_table(kind, machine, tmp_path):
    path = tmp_path / "table"
    path.write_bytes(TABLES[kind])
    log = bare("-acpitable", f"file={path}", machine=machine)
    if log.status == 1:
        pytest.skip("QEMU itself refuses the table: " + log.strip().splitlines()[-1])
    good(log)


def test_many_odd_tables(tmp_path):
    options = []
    for i in range(30):
        path = tmp_path / f"table{i}"
        path.write_bytes(table(b"SSDT", bytes([i]) * (100 * i), spoil=i % 3 == 0))
        options += ["-acpitable", f"file={path}"]
    good(bare(*options))
