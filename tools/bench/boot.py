# SPDX-License-Identifier: MIT
"""The groups `boot` and `boot_wall`: how long a kernel takes to a shell's prompt, and how much memory that takes.

The machine is small: the image holds process 1 and Debian's static busybox, the same file for both kernels
(tools/image/busybox.manifest). It ends at the prompt when the shell waits for its first key, which is a poll()
without a time limit: the only place where both kernels run the same instruction for the same reason.
"""
import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

import kernel_file
from groups import PLAIN, Group
from stopped import Lost, Stopped

TOP = Path(__file__).resolve().parent.parent.parent
KERNELS = {"tessera": TOP / "build/gcc/tessera.elf", "linux": TOP / "build/linux/vmlinuz"}
ARGUMENTS = {
    "tessera": "console=ttyS0 panic=exit",
    "linux": "console=ttyS0 panic=-1 no5lvl mitigations=off tsc=reliable",
}
INIT = TOP / "build/init"
IMAGE = TOP / "build/image/busybox.cpio"
PROMPT = b"/root # "
MEMORY = 512                      # MiB, where nothing else is said
POLL = b"\xb8\x07\0\0\0\x0f\x05"  # mov $7, %eax; syscall
FOREVER = 0xFFFFFFFF

IDLE = """while read name value unit; do
	[ $name != MemFree: ] || printf 'memory_idle\\tKiB\\t%%d\\n' $((%d * 1024 - value))
done </proc/meminfo"""
# What a machine of little memory must still do.
LEAST = "ls / && ps && echo all of it"
STEP = 256                        # KiB
SILENCE = 30                      # seconds


def qemu(kernel, image=IMAGE, memory=f"{MEMORY}M", cpus=1, quiet=True):
    """QEMU's words for the bare machine; its serial ports are to be added."""
    arguments = ARGUMENTS[kernel] + (" quiet" if quiet else "")
    return [
        "qemu-system-x86_64", "-machine", "q35", "-m", memory, "-cpu", PLAIN[1], "-smp", str(cpus),
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        "-kernel", str(KERNELS[kernel]), "-initrd", str(image), "-append", arguments,
    ]


def member(archive, path):
    """The data of a file in a newc archive, as tools/image writes it."""
    at = 0
    while archive[at : at + 6] == b"070701":
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 110 + fields[11]].rstrip(b"\0").decode()
        data = -(-(at + 110 + fields[11]) // 4) * 4
        if name == path:
            return archive[data : data + fields[6]]
        at = -(-(data + fields[6]) // 4) * 4
    raise KeyError(path)


def count_instructions(kernel):
    """(to the first instruction of a program, to the prompt), from the kernel's first instruction on."""
    init = kernel_file.Elf(INIT.read_bytes()).entry
    polls = kernel_file.Elf(member(IMAGE.read_bytes(), "usr/bin/busybox")).find(POLL)
    with Stopped(qemu(kernel)) as machine:
        machine.run_to(kernel_file.entry(KERNELS[kernel].read_bytes()))
        start = machine.instructions()
        machine.run_to(init)
        while machine.registers()["cs"] & 3 != 3:
            machine.run_to(init + 1)
            machine.run_to(init)
        program = machine.instructions()
        while True:
            at = machine.run_to(*polls)
            if machine.registers()["rdx"] & FOREVER == FOREVER:
                return program - start, machine.instructions() - start
            machine.run_to(at + len(POLL))


def small_image(folder):
    """The image with the command LEAST in it, in `folder`."""
    command, segment, image = (Path(folder, name) for name in ("command", "segment", "image"))
    command.write_text(LEAST)
    tool = TOP / "tools/image/add_segment.py"
    subprocess.run(["/usr/bin/python3", "-B", tool, "--command", command, "-o", segment], check=True)
    image.write_bytes(IMAGE.read_bytes() + segment.read_bytes())
    return image


def runs_in(kernel, image, kib, folder):
    """Does the machine of `kib` run LEAST and end well? One that says nothing for SILENCE has hung."""
    ports = [Path(folder, name) for name in ("console", "output", "status")]
    words = qemu(kernel, image, f"{kib}K", quiet=False)
    for port in ports:
        port.write_text("")
        words += ["-chardev", f"file,id={port.name},path={port}", "-serial", f"chardev:{port.name}"]
    machine = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    said = -1
    try:
        while machine.poll() is None and said != (now := sum(port.stat().st_size for port in ports)):
            said = now
            with contextlib.suppress(subprocess.TimeoutExpired):
                machine.wait(SILENCE)
    finally:
        machine.kill()
        machine.wait()
    return "exit 0" in ports[2].read_text() and "all of it" in ports[1].read_text()


def least_memory(kernel, high=128 * 1024):
    """(KiB of the smallest machine that runs LEAST, to the next STEP above,)."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench.") as folder:
        image = small_image(folder)
        low = sum(filter(None, kernel_file.sizes(KERNELS[kernel].read_bytes())[1:])) + image.stat().st_size
        low = low // 1024 // STEP * STEP
        while high - low > STEP:
            middle = (low + high) // 2 // STEP * STEP
            if runs_in(kernel, image, middle, folder):
                high = middle
            else:
                low = middle
    return (high,)


def file_sizes(kernel):
    """(KiB that a loader reads, KiB of memory that code and data take)."""
    return [None if size is None else size / 1024 for size in kernel_file.sizes(KERNELS[kernel].read_bytes())]


def time_to_prompt(kernel):
    """Milliseconds of the host's, from QEMU's start to the prompt."""
    start = time.monotonic()
    machine = subprocess.Popen(
        [*qemu(kernel, cpus=2), "-accel", "tcg,thread=multi", "-chardev", "stdio,id=console,signal=off",
         "-serial", "chardev:console"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    seen = b""
    try:
        while PROMPT not in seen and (more := os.read(machine.stdout.fileno(), 4096)):
            seen = seen[-len(PROMPT) :] + more
        taken = time.monotonic() - start
    finally:
        machine.kill()
        machine.communicate()
    if PROMPT not in seen:
        raise Lost(f"no prompt on {kernel}; the last was: {seen.decode(errors='replace')}")
    return taken * 1000


class Boot(Group):
    """One machine with one processor, counted; its memory; the kernel's file."""

    def options(self, kernel):
        return ["--icount", "--profile", "busybox", "--mem", str(MEMORY), *PLAIN]

    def figures(self, kernel, words, run_machine):
        figures = {}
        for names, measure in (
            (("boot_to_program", "boot_to_prompt"), count_instructions),
            (("memory_least",), least_memory),
            (("kernel_file", "kernel_in_memory"), file_sizes),
        ):
            wanted = [name for name in names if not words or name.startswith(tuple(words))]
            values = dict(zip(names, measure(kernel))) if wanted else {}
            unit = "instr" if measure is count_instructions else "KiB"
            figures.update({name: (unit, values[name]) for name in wanted if values[name] is not None})
        if not words or "memory_idle".startswith(tuple(words)):
            figures.update(run_machine(kernel, self, IDLE % MEMORY))
        return figures


class BootWall(Group):
    """Two processors, plain emulation: firmware and QEMU's own start are in it."""

    def figures(self, kernel, words, run_machine):
        return {"boot_wall": ("ms", time_to_prompt(kernel))}


GROUPS = [
    Boot("boot", "from the kernel's first instruction to a shell's prompt; memory that a system takes; the kernel's size",
         "", in_mean=False, items=["boot_to_program", "boot_to_prompt", "memory_least", "memory_idle", "kernel_file",
                                   "kernel_in_memory"]),
    BootWall("boot_wall", "from QEMU's start to a shell's prompt on two processors, with the firmware's time; milliseconds",
             "", paired=True, in_mean=False, items=["boot_wall"]),
]
