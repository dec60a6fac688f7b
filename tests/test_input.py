# SPDX-License-Identifier: MIT
"""The PC's keyboard and mouse: what the emulator types arrives at programs, whoever's driver dies meanwhile."""
import subprocess

import pytest
from conftest import TOP, run_vm
from host import Host

DRIVERS = TOP / "build/drivers"


def send(*events):
    return "input-send-event", {"events": [{"type": kind, "data": data} for kind, data in events]}


def key(name, *downs):
    """Down and up again, or only what is said."""
    return [send(("key", {"down": down, "key": {"type": "qcode", "data": name}})) for down in downs or (True, False)]


def move(x, y):
    return [send(("rel", {"axis": "x", "value": x}), ("rel", {"axis": "y", "value": y}))]


def button(name, *downs):
    return [send(("btn", {"down": down, "button": name})) for down in downs or (True, False)]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    program = tmp_path_factory.mktemp("input") / "events"
    source = TOP / "tests/input/events.c"
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)
    return program


# The emulated devices hold a few bytes and lose the rest: one thing after the other, each seen before the next.
WAIT = """
wait_for() { for n in $(seq 2000); do grep -q "$1" $2 2>/dev/null && return; busybox usleep 20000; done; echo "never: $1"; exit 1; }
ask() { echo "host: $1" > /dev/kmsg; }
# step N FILE LINES: the host's act N makes that many lines in all.
step() {
	ask $1
	for n in $(seq 2000); do [ $(wc -l < $2) -ge $3 ] && return; busybox usleep 20000; done
	echo "never: act $1, of which these came:"; cat $2; exit 1
}
"""

TYPED = WAIT + """
/drivers/ps2 --pci i8042 --verbose %s 2>/tmp/log & p=$!
/events "PS/2 keyboard" 10 > /tmp/k & k=$!
/events "PS/2 five-button mouse" 6 > /tmp/m & m=$!
wait_for listening /tmp/k; wait_for listening /tmp/m
%s
wait $k; wait $m
kill $p; wait $p; echo ended $?
cat /tmp/k /tmp/m
"""

KEYS = """listening
4:4=30 1:30=1
4:4=30 1:30=0
4:4=42 1:42=1
4:4=65 1:65=1
4:4=65 1:65=0
4:4=42 1:42=0
4:4=200 1:103=1
4:4=200 1:103=0
4:4=198 1:119=1
4:4=198 1:119=0
done
"""

MOVES = """listening
2:0=5 2:1=-3
1:272=1
1:272=0
2:8=1
2:8=-1
2:0=-100 2:1=90
done
"""


@pytest.mark.parametrize("translated", ["", "--test=2"])
def test_keys_and_motions_arrive(events, tmp_path, translated):
    """Codes of set 1, as the controller makes them, and of set 2."""
    keys = key("a") + key("shift", True) + key("f7") + key("shift", False) + key("up")
    acts = [[one] for one in keys] + [key("pause")]
    steps = [f"step {n} /tmp/k {n + 2}" for n in range(len(keys))] + [f"step {len(keys)} /tmp/k 11"]
    moves = [move(5, -3), *([one] for one in button("left")), button("wheel-up"), button("wheel-down"), move(-100, 90)]
    steps += [f"step {len(acts) + n} /tmp/m {n + 2}" for n in range(len(moves))]
    host = Host(tmp_path, acts + moves)
    script = TYPED % (translated, "\n".join(steps))
    ended = run_vm(script, "--add", f"{DRIVERS}:/drivers", "--add", f"{events}:/events", *host.options())
    assert ended.status == 0, str(ended)
    assert ended.out.replace(" \n", "\n") == "ended 0\n" + KEYS + MOVES, str(ended)


KILLED = WAIT + """
mkdir -p /etc/tessera/drivers
sed 's,/usr/lib/tessera,,; /^upper/a option --verbose' /ps2.driver > /etc/tessera/drivers/ps2.driver
/devices --daemon 2>/tmp/log
/events "PS/2 keyboard" 9 > /tmp/k & k=$!
wait_for listening /tmp/k
wait_for 'ps2 running.*starts 1 ' /run/devices/status
p=$(sed -n 's/.* running pid \\([0-9]*\\) .*/\\1/p' /run/devices/status)
grep -E 'Uid|Seccomp:' /proc/$p/status | tr -s '\\t\\n' ' '; echo
step 0 /tmp/k 3
step 1 /tmp/k 4
/events "PS/2 keyboard" led 1 1
wait_for 'keyboard 0xfa' /tmp/log
busybox usleep 50000 # it has served for a while
kill -9 $p
wait_for '1:48=0' /tmp/k # what was held goes up
wait_for 'ps2 running.*starts 2 ' /run/devices/status
step 2 /tmp/k 8
step 3 /tmp/k 10
wait $k
cat /tmp/k
echo /dev/input/*
grep -c 'going on with input' /tmp/log
"""


def test_a_driver_that_is_killed_is_not_missed(events, tmp_path):
    """Its keyboard stays for those who read it; the next driver goes on with it."""
    host = Host(tmp_path, [key("a"), key("b", True), key("b", False) + key("c"), key("d")])
    ended = run_vm(KILLED, "--add", f"{DRIVERS}:/drivers", "--add", f"{TOP}/build/devices:/devices", "--add", f"{events}:/events",
        "--add", f"{TOP}/services/devices/table/ps2.driver:/ps2.driver",
        *host.options())
    assert ended.status == 0, str(ended)
    keys = ["4:4=30 1:30=1", "4:4=30 1:30=0", "4:4=48 1:48=1", "17:1=1", "1:48=0"]
    keys += ["4:4=46 1:46=1", "4:4=46 1:46=0", "4:4=32 1:32=1", "4:4=32 1:32=0"]
    said = ended.out.replace(" \n", "\n")
    assert said.startswith("Uid: 65534 65534 65534 65534 Seccomp: 2\n"), str(ended)
    nodes = " ".join(f"/dev/input/{n}" for n in ("event0", "event1", "mice", "mouse0"))
    assert said.split("listening\n")[1] == "\n".join([*keys, "done", nodes, "2", ""]), str(ended)


SHELL = WAIT + """
: > /tmp/lines
/drivers/ps2 --pci i8042 2>/tmp/log & p=$!
/console --output /tmp/screen -- sh -c 'while read line; do echo "$line" >> /tmp/lines; done' 2>/tmp/said & c=$!
wait_for 'types' /tmp/said
step 0 /tmp/lines 1
step 1 /tmp/lines 2
cat /tmp/lines
readlink /dev/tty1
kill $p $c
"""


def words(text):
    """As typed on the keyboard: in steps of what the emulated one holds."""
    names = {" ": "spc", "\n": "ret", "!": "1", "-": "minus"}
    out = []
    for c in text:
        upper = c.isupper() or c == "!"
        one = key(names.get(c, c.lower()))
        out += key("shift", True) + one + key("shift", False) if upper else one
    return out


def test_what_is_typed_reaches_a_shell(events, tmp_path):
    """By the console service: letters, capitals, signs."""
    host = Host(tmp_path, [words("Hi!\n"), words("x-y z\n")])
    ended = run_vm(SHELL, "--add", f"{DRIVERS}:/drivers", "--add", f"{TOP}/build/console:/console", *host.options())
    assert (ended.status, ended.out) == (0, "Hi!\nx-y z\n/dev/pts/0\n"), str(ended)


CONTROL = WAIT + """
/drivers/ps2 --pci i8042 2>/tmp/log & p=$!
cat > /tmp/program <<'END'
trap : INT
echo sleeping > /tmp/lines
sleep 1000
echo $? >> /tmp/lines
while read line; do echo "$line" >> /tmp/lines; done
echo end >> /tmp/lines
exec sleep 1000
END
/console --output /tmp/screen -- sh /tmp/program 2>/tmp/said & c=$!
wait_for 'types' /tmp/said
wait_for sleeping /tmp/lines
while ! ps ax | grep -q '[s]leep 1000'; do busybox usleep 20000; done
step 0 /tmp/lines 2
step 1 /tmp/lines 3
step 2 /tmp/lines 4
cat /tmp/lines
grep -oF '^C' /tmp/screen
kill $p $c
"""


def test_control_keys_are_the_terminals(tmp_path):
    """Ctrl-C interrupts who is in front, erasing edits the line, Ctrl-D ends the input."""
    control = {name: key("ctrl", True) + key(name) + key("ctrl", False) for name in "cd"}
    edited = words("by") + key("backspace")
    host = Host(tmp_path, [control["c"], edited + words("e\n"), control["d"]])
    ended = run_vm(CONTROL, "--add", f"{DRIVERS}:/drivers", "--add", f"{TOP}/build/console:/console", *host.options())
    assert (ended.status, ended.out) == (0, "sleeping\n130\nbe\nend\n^C\n"), str(ended)
