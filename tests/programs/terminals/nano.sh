#!/bin/sh
# nano: typing, cutting and pasting, searching, replacing, a window that changes its size, saving, a file changed and left.
# seconds: 90
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1
seq 30 >numbers
cat >script.py <<'P'
from terminal import Terminal
t = Terminal("nano", "--ignorercfiles", "numbers")
t.see("Read 30 lines")
t.type("typed "); t.see("typed 1")
t.type("\x0b"); t.miss("typed 1")
t.type("\x17" "29\r"); t.see("\n29\n")
t.type("\x15"); t.see("typed 1\n29")
t.type("\x1bR" "2\r"); t.see("Replace with")
t.type("two\r"); t.see("Replace this instance?")
t.type("a"); t.see("Replaced 13 occurrences")
t.resize(15, 50); t.until("a new screen", lambda screen: "GNU nano" in screen.split("\n")[0])
t.type("\x18"); t.see("Save modified buffer?")
t.type("y"); t.see("File Name to Write: numbers")
t.type("\r")
print("ended", t.end(), open("numbers").read().replace("\n", " "))
t = Terminal("nano", "--ignorercfiles", "--view", "/etc/passwd")
t.see("root:x:0"); t.type("x"); t.see("Key is invalid in view mode"); t.type("\x18")
print("ended", t.end())
P
python3 script.py
