# SPDX-License-Identifier: MIT
"""tools/abi-check on logs of real programs and of every form that strace writes; docs/linux-abi.md."""
import lzma
import subprocess
import sys

import pytest
from conftest import TOP

sys.path.insert(0, str(TOP / "tools"))
import linux_abi  # noqa: E402


def abi_check(*logs):
    done = subprocess.run(
        [TOP / "tools/abi-check", *logs], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def check_text(tmp_path, text):
    log = tmp_path / "log"
    log.write_text(text)
    return abi_check(log)


@pytest.fixture
def recorded(tmp_path):
    def unpack(name):
        log = tmp_path / f"{name}.log"
        log.write_bytes(lzma.open(TOP / f"tests/abi_check/{name}.log.xz").read())
        return log

    return unpack


@pytest.mark.parametrize("name, calls", [("bash", 451), ("git", 1855), ("tmux", 1292), ("python", 1545)])
def test_recorded_program_would_run(recorded, name, calls):
    status, said = abi_check(recorded(name))
    assert status == 0, said
    assert f"{calls} calls, 0 that Tessera would refuse" in said


def absent_call():
    return next(n for _, n, real in linux_abi.linux_calls() if real and n not in linux_abi.calls())


FORMS = [
    "{}",
    "119 {}",
    "119   04:59:27.514939 {}",
    "[pid  1190] {}",
    "[pid 3] 1700000000.123456 {}",
    "12:00:01 {}",
    "     0.000123 {}",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_line(tmp_path, form):
    lines = [
        'read(3, "a", 1) = 1',
        "unshare(CLONE_NEWTIME) = 0 <0.000031>",
        f"{absent_call()}(1, 2) = 0",
    ]
    status, said = check_text(tmp_path, "".join(form.format(line) + "\n" for line in lines))
    assert status == 1
    assert "3 calls, 2 that" in said
    assert "1 x unshare CLONE_NEWTIME: EINVAL; line 2" in said
    assert f"1 x {absent_call()}: ENOSYS; line 3" in said


def test_calls_that_were_interrupted_and_resumed(tmp_path):
    status, said = check_text(
        tmp_path,
        "7 unshare(CLONE_NEWTIME <unfinished ...>\n"
        '8 write(1, "FUTEX", 5) = 5\n'
        "7 <... unshare resumed>) = 0\n"
        "8 unshare(CLONE_NEWTIME <unfinished ...>\n"
        "8 +++ killed by SIGKILL +++\n"
        "--- SIGCHLD {si_signo=SIGCHLD} ---\n",
    )
    assert status == 1
    assert "3 calls, 2 that" in said
    assert "2 x unshare CLONE_NEWTIME: EINVAL; lines 1, 4" in said


def test_what_linux_refuses_alike_is_no_difference(tmp_path):
    status, said = check_text(
        tmp_path,
        "unshare(CLONE_NEWTIME) = -1 EINVAL (Invalid argument)\n"
        f"{absent_call()}(0) = -1 ENOSYS (Function not implemented)\n",
    )
    assert (status, "2 calls, 0 that" in said) == (0, True)
    status, _ = check_text(tmp_path, "unshare(CLONE_NEWTIME) = -1 EPERM (No)\n")
    assert status == 1


def test_log_without_calls(tmp_path):
    status, said = check_text(tmp_path, "hello\n")
    assert status == 2 and "no system calls found" in said


def test_page_says_what_is_so():
    done = subprocess.run(
        ["/usr/bin/python3", TOP / "tools/gen_linux_abi.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
