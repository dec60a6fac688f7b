# SPDX-License-Identifier: MIT
"""`tessera run` in a terminal, as a new user would try it: bash, job control, the line discipline."""
import re
import time

import pexpect
import pytest
from conftest import ENVIRONMENT, TESSERA, TOP

PROMPT = r"root@tessera:[^\r\n]*# "


class Terminal:
    def __init__(self, kernel):
        self.process = pexpect.spawn(
            TESSERA,
            ["run", "--kernel", kernel, "--timeout", "900"],
            cwd=str(TOP),
            env=dict(ENVIRONMENT, TERM="xterm"),
            timeout=200,
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(30, 100),
        )
        self.process.delaybeforesend = 0.1
        self.process.expect(PROMPT, timeout=200)

    def send(self, text):
        self.process.send(text)

    def expect(self, pattern, timeout=100):
        self.process.expect(pattern, timeout=timeout)
        return self.process.match

    def begin(self, command):
        """A program in the foreground. It has spoken, so the terminal is no longer as bash edits lines."""
        self.process.sendline(f"sh -c 'echo begun; exec {command}'")
        self.expect("begun\r\n", timeout=100)

    def insist(self, key, pattern):
        """Type a key until what it does is seen: whom it is for may not have the terminal yet."""
        for _ in range(20):
            self.send(key)
            if self.process.expect([pattern, pexpect.TIMEOUT], timeout=5) == 0:
                return
        pytest.fail(f"{key!r} does nothing: {self.process.before}")

    def ask_until(self, line, right):
        """The answer that is right(answer), which may take time."""
        for _ in range(100):
            if right(answer := self.ask(line)):
                return answer
            time.sleep(0.3)
        pytest.fail(f"{line}: {answer}")

    def ask(self, line, timeout=100):
        """Type a line; what came between its echo and the next prompt."""
        self.process.sendline(line)
        self.process.expect_exact(line[-20:] + "\r\n", timeout=timeout)
        self.process.expect(PROMPT, timeout=timeout)
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.process.before)
        return plain.replace("\r", "").strip()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("tessera", marks=pytest.mark.xdist_group("terminal-tessera")),
        pytest.param("linux", marks=pytest.mark.xdist_group("terminal-linux")),
    ],
)
def terminal(request):
    t = Terminal(request.param)
    yield t
    t.process.close(force=True)


def test_prompt_and_echo(terminal):
    assert terminal.ask("echo hello $((6 * 7))") == "hello 42"
    assert terminal.ask("tty") == "/dev/ttyS0"
    assert terminal.ask("id -u; pwd") == "0\n/root"


def test_interrupt(terminal):
    terminal.begin("sleep 1000")
    terminal.send("\x03")
    terminal.expect(PROMPT)
    assert terminal.ask("echo $?") == "130"


def test_quit(terminal):
    terminal.begin("sleep 1000")
    terminal.send("\x1c")
    terminal.expect(PROMPT)
    assert terminal.ask("echo $?") == "131"


def test_stop_and_go_on(terminal):
    terminal.begin("sleep 1000")
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.expect(PROMPT)
    assert "Stopped" in terminal.ask("jobs")
    terminal.process.sendline("fg")
    terminal.expect("sleep 1000")
    terminal.insist("\x03", PROMPT)
    assert terminal.ask("jobs") == ""


def test_background_pipeline(terminal):
    assert "[1]" in terminal.ask("(sleep 2; seq 1 50000 | sort -R | sort -n | tail -1 > out) &")
    assert terminal.ask("echo meanwhile") == "meanwhile"
    terminal.ask("wait")
    assert "50000" in terminal.ask("cat out")


def test_background_reader_is_stopped(terminal):
    terminal.ask("cat &")
    terminal.ask_until("jobs", lambda answer: "Stopped" in answer)
    terminal.ask("kill %1; wait")


def test_end_of_file(terminal):
    terminal.begin("cat")
    terminal.send("one line\r")
    terminal.expect("one line\r\none line")
    terminal.send("\x04")
    terminal.expect(PROMPT)


def test_erase_and_kill_line(terminal):
    terminal.begin("cat")
    terminal.send("abX\x7fc\r")
    terminal.expect("\r\nabc\r\n")
    terminal.send("nothing of this\x15but this\r")
    terminal.expect("\r\nbut this\r\n")
    terminal.send("two words\x17gone\r")
    terminal.expect("\r\ntwo gone\r\n")
    terminal.send("\x04")
    terminal.expect(PROMPT)


def test_size_follows_the_window(terminal):
    terminal.process.setwinsize(30, 100)
    terminal.ask_until("stty size", lambda answer: answer == "30 100")
    terminal.ask("trap 'echo size changed' WINCH")
    terminal.process.setwinsize(44, 120)
    terminal.ask_until("stty size", lambda answer: answer.endswith("44 120"))
    terminal.ask("trap - WINCH")
    terminal.process.setwinsize(30, 100)
    terminal.ask_until("stty size", lambda answer: answer == "30 100")


def test_stty(terminal):
    assert "speed" in terminal.ask("stty -a")
    terminal.process.sendline(
        "stty -icanon min 1 -echo; echo set; dd bs=1 count=1 2>/dev/null | od -An -c; stty sane"
    )
    terminal.expect("set\r\n")
    terminal.send("q")
    terminal.expect(r"\bq\b")
    terminal.expect(PROMPT)
    assert "isig icanon" in terminal.ask("stty -a")


def test_flow_control(terminal):
    terminal.process.sendline("for i in 1 2 3; do sleep 4; echo tick $i; done")
    terminal.expect("tick 1")
    terminal.send("\x13")
    with pytest.raises(pexpect.TIMEOUT):
        terminal.expect("tick 3", timeout=11)
    terminal.send("\x11")
    terminal.expect("tick 3")
    terminal.expect(PROMPT)


def test_line_editing(terminal):
    """bash's own editing: to the start of the line, insert, to the end, history."""
    terminal.send("abc\x01echo \x05def\r")
    terminal.expect("2004l\rabcdef\r")
    terminal.expect(PROMPT)
    terminal.send("\x1b[A\r")
    terminal.expect("2004l\rabcdef\r")
    terminal.expect(PROMPT)


def test_other_shells(terminal):
    terminal.process.sendline("dash")
    terminal.expect("# ")
    terminal.process.sendline("echo in dash $0; exit")
    terminal.expect("in dash dash")
    terminal.expect(PROMPT)
    assert terminal.ask("busybox sh -c 'echo in busybox'") == "in busybox"


def test_exit_switches_off(terminal):
    terminal.process.sendline("exit")
    terminal.process.expect(pexpect.EOF, timeout=200)
    terminal.process.close()
    assert terminal.process.exitstatus == 0
