# SPDX-License-Identifier: MIT
"""What Tessera has of Linux's system calls, read from where it is written down.

kernel/linux/calls.h       the calls that there are
kernel/linux/refusals.def  flags, commands and options of them that are refused
kernel/linux/absent.def    calls that are missing altogether, and why
tools/linux-calls.txt      all calls of Linux 6.1
tests/abi/*/*.c            the tests: which calls a file exercises
"""
import re
from collections import defaultdict, namedtuple
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
CALLS = TOP / "kernel/linux/calls.h"
REFUSALS = TOP / "kernel/linux/refusals.def"
ABSENT = TOP / "kernel/linux/absent.def"
DIFFERS = TOP / "kernel/linux/differs.def"
LINUX = TOP / "tools/linux-calls.txt"
TESTS = TOP / "tests/abi"

Refusal = namedtuple("Refusal", "call flag error why")

# The calls behind glibc's functions, where the names differ. Clocks that the vDSO reads count too.
WRAPPERS = {
    "eventfd": ["eventfd2"],
    "execl": ["execve"],
    "execv": ["execve"],
    "execvp": ["execve"],
    "execlp": ["execve"],
    "fdatasync": ["fdatasync"],
    "fexecve": ["execveat"],
    "fork": ["clone"],
    "check_fork": ["clone"],
    "fstat": ["newfstatat"],
    "fstatat": ["newfstatat"],
    "fstatvfs": ["fstatfs"],
    "futimens": ["utimensat"],
    "futimes": ["utimensat"],
    "gethostname": ["uname"],
    "getrlimit": ["prlimit64"],
    "setrlimit": ["prlimit64"],
    "prlimit": ["prlimit64"],
    "kill": ["kill"],
    "killpg": ["kill"],
    "lockf": ["fcntl"],
    "lstat": ["newfstatat"],
    "mkfifo": ["mknodat"],
    "mknod": ["mknodat"],
    "nanosleep": ["clock_nanosleep"],
    "open": ["openat"],
    "opendir": ["openat"],
    "posix_fadvise": ["fadvise64"],
    "posix_fallocate": ["fallocate"],
    "pread": ["pread64"],
    "pwrite": ["pwrite64"],
    "pselect": ["pselect6"],
    "pthread_create": ["clone3"],
    "pthread_join": ["futex"],
    "pthread_kill": ["tgkill"],
    "pthread_mutex_lock": ["futex"],
    "pthread_cond_wait": ["futex"],
    "raise": ["tgkill"],
    "readdir": ["getdents64"],
    "recv": ["recvfrom"],
    "sbrk": ["brk"],
    "select": ["pselect6"],
    "send": ["sendto"],
    "seteuid": ["setresuid"],
    "setegid": ["setresgid"],
    "sigaction": ["rt_sigaction"],
    "signal": ["rt_sigaction"],
    "signalfd": ["signalfd4"],
    "sigpending": ["rt_sigpending"],
    "sigprocmask": ["rt_sigprocmask"],
    "pthread_sigmask": ["rt_sigprocmask"],
    "sigqueue": ["rt_sigqueueinfo"],
    "pthread_sigqueue": ["rt_tgsigqueueinfo"],
    "sigsuspend": ["rt_sigsuspend"],
    "sigtimedwait": ["rt_sigtimedwait"],
    "sigwait": ["rt_sigtimedwait"],
    "sigwaitinfo": ["rt_sigtimedwait"],
    "sleep": ["clock_nanosleep"],
    "usleep": ["clock_nanosleep"],
    "stat": ["newfstatat"],
    "statvfs": ["statfs"],
    "tcgetattr": ["ioctl"],
    "tcsetattr": ["ioctl"],
    "tcsetpgrp": ["ioctl"],
    "tcgetpgrp": ["ioctl"],
    "tcflow": ["ioctl"],
    "tcflush": ["ioctl"],
    "umount": ["umount2"],
    "vfork": ["vfork"],
    "wait": ["wait4"],
    "waitpid": ["wait4"],
    "fadvise": ["fadvise64"],
    "klogctl": ["syslog"],
    "exit": ["exit_group"],
    "_exit": ["exit_group"],
}


def calls():
    """{name: number} of the calls that Tessera has."""
    rows = re.findall(r"^CALL[0-6]\((\d+), (\w+)", CALLS.read_text(), re.M)
    return {name: int(number) for number, name in rows}


def linux_calls():
    """[(number, name, does Linux have it)] of Linux 6.1."""
    rows = []
    for line in LINUX.read_text().splitlines():
        if line and not line.startswith("#"):
            number, name, *none = line.split()
            rows.append((int(number), name, not none))
    return rows


def refusals():
    text = REFUSALS.read_text()
    rows = re.findall(r'^REFUSED\((\w+), (.+), (E\w+), "([^"]*)"\)$', text, re.M)
    if len(rows) != len(re.findall(r"^REFUSED\(", text, re.M)):
        raise SystemExit(f"{REFUSALS}: a line is not REFUSED(call, flag, error, \"why\")")
    return [Refusal(*row) for row in rows]


def absences():
    """{call: why it is missing}"""
    text = ABSENT.read_text()
    rows = re.findall(r'^ABSENT\((\w+), "([^"]*)"\)$', text, re.M)
    if len(rows) != len(re.findall(r"^ABSENT\(", text, re.M)):
        raise SystemExit(f"{ABSENT}: a line is not ABSENT(call, \"why\")")
    return dict(rows)


def differences():
    """[(where, what is there instead)]"""
    text = DIFFERS.read_text()
    rows = re.findall(r'^DIFFERS\("([^"]*)", "([^"]*)"\)$', text, re.M)
    if len(rows) != len(re.findall(r"^DIFFERS\(", text, re.M)):
        raise SystemExit(f'{DIFFERS}: a line is not DIFFERS("where", "what")')
    return rows


def probed():
    """{(call, flag)} that the tests ask both kernels for."""
    found = set()
    macro = {}
    for file in sorted(TESTS.glob("contract/flags_*.c")):
        text = re.sub(r"\\\n\s*", " ", file.read_text())
        found |= set(re.findall(r"\bFLAG\((\w+), (.+?), (?:0|E\w+),", text))
        # A file's own short form: #define SEND(name, want) ROW("sendto", #name, want, ...)
        for short, names, call, more in re.findall(
            r'^#define (\w+)\(([^)]*)\).*?ROW\("(\w+)", #\w+((?: "[^"]*")?),', text, re.M
        ):
            place = names.split(", ").index("name") if "name" in names.split(", ") else 0
            macro[short] = place
            for arguments in re.findall(rf"^\t{short}\((.*)\);$", text, re.M):
                flag = arguments.split(", ")[place] + more.strip().strip('"').rstrip()
                if more:
                    flag = arguments.split(", ")[place] + more.strip()[1:-1]
                found.add((call, flag))
    return found


def tests():
    """{call: [topic/file, ...]}: files of tests whose source makes the call."""
    known = set(calls())
    users = defaultdict(list)
    for file in sorted(TESTS.glob("*/*.c")):
        text = file.read_text()
        # What a topic's tests share lies in a header beside them.
        for header in re.findall(r'^#include "(\w+\.h)"', text, re.M):
            if (file.parent / header).exists():
                text += (file.parent / header).read_text()
        text = re.sub(r"/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"", " ", text, flags=re.S)
        used = set(re.findall(r"\b(?:SYS|__NR)_(\w+)", text))
        for name in re.findall(r"\b([a-z_]\w*)\s*\(", text):
            used |= set(WRAPPERS.get(name, [name]))
        for call in sorted(used & known):
            users[call].append(f"{file.parent.name}/{file.stem}")
    return users
