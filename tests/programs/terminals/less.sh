#!/bin/sh
# less, top and watch: keys from the terminal while a pipe brings the text, searching, line numbers, filters, a window that changes its size, help, units.
# seconds: 90
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1
cat >script.py <<'P'
from terminal import Terminal
t = Terminal("sh", "-c", "seq 5000 | less; echo status $?", LESSHISTFILE="-")
t.see("\n23\n:")
t.type(" "); t.see("\n46\n:")
t.type("/^4321\r"); t.see("4321\n4322")
t.type("G"); t.see("5000\n(END)")
t.type("-N\r"); t.see("   5000 5000")
t.resize(10, 30); t.until("a new screen", lambda screen: screen.endswith("\n:"))
t.type("1G"); t.see("1 1\n"); t.see("9 9\n:")
t.type("&77$\r"); t.see("77 77\n"); t.see(" 877\n")
t.type("q"); t.see("status 0")
print("ended", t.end())

t = Terminal("top", "-d", "1000", rows=30, columns=100)
t.see("load average"); t.see("%CPU")
t.type("h"); t.see("Help for Interactive Commands")
t.type("\x1b"); t.see("load average")
t.see("MiB Mem"); t.type("E"); t.see("GiB Mem")
t.type("q")
print("ended", t.end())

t = Terminal("watch", "-n", "1000", "-t", "echo watched; tput cols")
t.see("watched\n80"); t.type("\x03")
print("ended", t.end())
P
python3 script.py
