# SPDX-License-Identifier: MIT
"""Every case of tests/abi on both kernels.

Debian's Linux is the oracle: a case that fails there is a wrong case. One machine runs many topics;
a machine that dies or hangs in one is followed by another for the rest, and the cases that never
answered fail with the machine's last words. Linux's answers are kept, by a hash of all that went
into them, in build/oracle.
"""
import hashlib
import json
import math
import re
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import pytest
from conftest import SLOWER, TOP, VARIANT, run_vm

PROGRAMS = Path(TOP, "build/abi")
TOPICS = sorted({p.parent.name for p in Path(TOP, "tests/abi").glob("*/*.c")})
GROUPS = 4  # machines per kernel: topics are dealt out to them
SECONDS_PER_TOPIC = 240
CPUS = 2
# Topics that on Debian's Linux need modules of its full kernel: they share a machine of their own.
MODULES = {
    "block": "loop", "fuse": "fuse,cuse,loop", "input": "uinput,evdev", "loop": "loop",
    "sockdiag": "tcp_diag,udp_diag,unix_diag", "tcp": "tun", "tun": "tun", "vduse": "loop",
    "vfio": "vfio_pci",
}
# Topics about devices have a machine of their own, with these in it; and what Linux has to be told.
DEVICES = {
    "tcp": [],  # a TUN, which is made: but its cases wait for timers
    "vfio": [
        "intel-iommu,intremap=on", "nvme,addr=6,serial=a", "nec-usb-xhci,addr=7",
        "pcie-root-port,id=rp0,slot=1,chassis=1,x-speed=2_5,addr=8",  # a faster one would tell Linux nothing of its link
        "nvme,bus=rp0,addr=0.0,multifunction=on,serial=b", "nvme,bus=rp0,addr=0.1,serial=c",
    ],
}
# Where TCP is a process', it runs only where there is a card to drive; Linux' is in the kernel.
TESSERA_OPTIONS = {"tcp": ["--net", "user"]}
LINUX_ARGUMENTS = {"vfio": "intel_iommu=on"}


def cases_of(topic):
    done = subprocess.run([PROGRAMS / topic, "--list"], capture_output=True, text=True, timeout=120)
    return done.stdout.split() if done.returncode == 0 else []


def groups():
    """Topics dealt into groups of about the same number of cases."""
    built = [t for t in TOPICS if (PROGRAMS / t).exists()]
    sized = sorted(((len(cases_of(t)), t) for t in built if t not in MODULES), reverse=True)
    dealt = [[0, []] for _ in range(min(GROUPS, len(sized)))]
    for size, topic in sized:
        least = min(dealt)
        least[0] += size
        least[1].append(topic)
    full = [t for t in built if t in MODULES and t not in DEVICES]
    return [sorted(topics) for _, topics in dealt] + ([full] if full else []) + [[t] for t in built if t in DEVICES]


def machine_options(kernel, topics):
    modules = sorted({MODULES[t] for t in topics if t in MODULES})
    devices = [word for t in topics for device in DEVICES.get(t, []) for word in ("--device", device)]
    if devices:
        devices.append("--turns")  # they are reset, and their registers come and go: docs/debugging.md
    if kernel == "tessera":
        devices += [word for t in topics for word in TESSERA_OPTIONS.get(t, [])]
    if kernel != "linux" or not modules:
        return ["--kernel", kernel, *devices]
    arguments = " ".join(LINUX_ARGUMENTS[t] for t in topics if t in LINUX_ARGUMENTS)
    return ["--kernel", "linux-full", "--module", ",".join(modules), *(["--append", arguments] if arguments else []), *devices]


ALL_GROUPS = groups()
ITEMS = [
    pytest.param(
        kernel,
        group,
        case,
        id=f"{kernel}-{case}",
        marks=pytest.mark.xdist_group(f"abi-{kernel}-{group}"),
    )
    for kernel in ("tessera", "linux")
    for group, topics in enumerate(ALL_GROUPS)
    for topic in topics
    for case in cases_of(topic)
]

# What the guest runs: each topic between two marks, each with a time limit of its own.
# A case gets more time where the kernel is slower: CHECK_PATIENCE multiplies its limit.
SCRIPT = """
export CHECK_PATIENCE=%d
for topic in %s; do
	echo "# begin $topic"
	busybox timeout -s KILL %d /abi/$topic 2>&1 </dev/null
	echo "# end $topic $?"
done
"""


def parse(out, answers, ended):
    """Take in one machine's output. Returns the topic that it was in when it stopped, or None."""
    topic = None
    for line in out.splitlines():
        if found := re.match(r"# begin (\S+)", line):
            topic = found[1]
        elif found := re.match(r"# end (\S+) (\d+)", line):
            ended[found[1]] = int(found[2])
            topic = None
        elif found := re.match(r"(ok|not ok) \d+ - (\S+)(?: # (.*))?", line):
            verdict, name, why = found.groups()
            if verdict == "ok" and why and why.upper().startswith("SKIP"):
                answers[name] = ("skip", why)
            else:
                answers[name] = (verdict, why or "")
    return topic


def run_group(kernel, topics, build=None, consoles=None):
    """{case: (verdict, why)} of these topics; the machines' logs go to `consoles`."""
    answers, ended, left = {}, {}, list(topics)
    # Twice, because other tests share the host.
    patience = 2 * (math.ceil(SLOWER[build or VARIANT]) if kernel == "tessera" else 1)
    with tempfile.TemporaryDirectory(prefix="tessera-abi.") as folder:
        programs = Path(folder, "abi")
        programs.mkdir()
        for topic in topics:
            shutil.copy(PROGRAMS / topic, programs / topic)
            subprocess.run(["strip", "-g", programs / topic], check=True)
        while left:
            machine = run_vm(
                SCRIPT % (2 * patience, " ".join(left), SECONDS_PER_TOPIC * patience),
                *machine_options(kernel, left),
                "--cpus",
                str(CPUS),
                "--mem",
                "512",
                "--add",
                f"{programs}:/abi",
                build=build,
                timeout=60 + SECONDS_PER_TOPIC * 2,
                randomized=True,
            )
            if consoles is not None:
                consoles.append(machine.console)
            parse(machine.out, answers, ended)
            left = [t for t in left if t not in ended]
            if left:
                # The first that did not end is what stopped the machine; go on behind it.
                culprit = left.pop(0)
                ended[culprit] = -1
                for case in cases_of(culprit):
                    answers.setdefault(
                        case, ("not ok", f"no answer; the machine ended:\n{machine}")
                    )
    for topic in topics:
        for case in cases_of(topic):
            answers.setdefault(
                case, ("not ok", f"no answer; topic {topic} ended with {ended[topic]}")
            )
    return answers


def oracle(topics):
    """run_group on Linux, remembered."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in [
        TOP / "build/linux/vmlinuz",
        TOP / "build/image/base.cpio",
        *(PROGRAMS / t for t in topics),
    ]:
        digest.update(file.read_bytes())
    kept = TOP / "build/oracle" / f"{digest.hexdigest()[:32]}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    answers = run_group("linux", topics)
    if all(verdict != "not ok" for verdict, _ in answers.values()):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(answers))
    return answers


def once_more(case, why):
    """Linux's verdict on a case that failed there: its topic again, alone in a machine.

    Linux is only the measure. What it fails by chance, on a host that had no time for one of its processors, says
    nothing of Tessera, whose own answers are taken as they come."""
    warnings.warn(f"Linux failed {case} at first: {why}")
    return run_group("linux", [case.partition("/")[0]])[case]


SEEN = {}


@pytest.mark.parametrize("kernel,group,case", ITEMS)
def test_abi(kernel, group, case):
    if (kernel, group) not in SEEN:
        topics = ALL_GROUPS[group]
        SEEN[kernel, group] = oracle(topics) if kernel == "linux" else run_group(kernel, topics)
    verdict, why = SEEN[kernel, group][case]
    if verdict == "not ok" and kernel == "linux":
        verdict, why = once_more(case, why)
    if verdict == "skip":
        pytest.skip(why)
    assert verdict == "ok", why
