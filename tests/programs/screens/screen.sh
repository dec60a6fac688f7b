#!/bin/sh
# GNU screen: windows, regions, a size that changes, detached and attached again.
# seconds: 120
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1 HOME="$PWD" SCREENDIR="$PWD/sd" HISTFILE=
mkdir -m 700 sd
cat >script.py <<'P'
import os, subprocess
from terminal import Terminal
t = Terminal("screen", "-S", "one", "-s", "/bin/dash", PS1="ready> ")
t.until("a start", lambda s: "ready>" in s or "continue" in s)
if "continue" in t.text(): t.type(" ")
t.prompt()
t.type("stty size; echo $TERM | cut -c1-6\r"); t.prompt("24 80\nscreen")
t.type("\x01c"); t.until("new", lambda s: s.startswith("ready>\n\n")); t.type("echo second\r"); t.prompt("second")
t.type("\x01\x01"); t.see("24 80"); t.type("\x01S"); t.resize(30, 90); t.type("\x01X"); t.type("\x01d"); print(t.end())
print(subprocess.run(["screen", "-ls"], capture_output=True, text=True).stdout.count("Detached"))
t = Terminal("screen", "-r", "one"); t.see("ready>"); t.type("exit\r"); t.see("second"); t.type("exit\r"); print(t.end())
P
python3 script.py
