#!/bin/sh
# Pseudo terminals: the size and its signal, line editing, echo, raw mode, signals of keys, hang-up, script(1), terminfo's programs.
# seconds: 90
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1
cat >script.py <<'P'
from terminal import Terminal

def sh(text):
    return Terminal("sh", "-c", text)

t = sh("trap 'stty size' WINCH; echo ready; while read x; do echo got $x; done; while read x; do echo got $x; done; echo end")
t.see("ready"); t.resize(11, 22); t.see("11 22")
t.type("abX\x7f\x7fc\x17x\x15again\n"); t.see("got again")
t.type("a\x16\x03b\n"); t.see("got a"); t.type("\x03"); print(t.end())
t = sh("stty -echo; echo ask; read a; stty echo; echo; echo $a")
t.see("ask"); t.type("secret\n"); t.see("secret"); print(t.end(), t.text().count("secret"))
t = sh("stty raw -echo; echo ready; dd bs=1 count=3 2>/dev/null | od -An -tx1")
t.see("ready"); t.type("\x03\r\x04"); t.see("03 0d 04"); print(t.end())
t = sh("echo ready; cat; echo end of file; cat")
t.see("ready"); t.type("half"); t.see("half"); t.type("\x04"); t.see("halfhalf"); t.type("\x04"); t.see("end of file"); t.type("\x1c"); print(t.end())
t = sh("echo ready; exec sleep 1000")
t.see("ready"); print(t.hang_up())
t = sh("stty icrnl igncr; stty -a | grep -o 'igncr'; stty sane; stty intr ^B; echo ready; sleep 1000")
t.see("ready"); t.type("\x02"); print(t.end())
P
python3 script.py
export TERM=linux
tput cup 3 4 | od -c | head -1; infocmp -1 linux | wc -l; tput cols; tabs -T vt100 -8 | wc -c; clear | od -An -c | head -1
script -q -e -c 'stty -a | head -1 | cut -d" " -f1-3; tty | cut -c1-9; echo in script; exit 4' typescript </dev/null >seen; echo $?; tr -d '\r' <seen
grep -c 'in script' typescript
