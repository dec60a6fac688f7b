#!/bin/sh
# Midnight Commander: a file copied and viewed, a command in its subshell.
# seconds: 120
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1 HOME="$PWD" SHELL=/bin/bash
mkdir -p left right; echo hello > left/afile; seq 100 > left/numbers
cat >script.py <<'P'
import os
from terminal import Terminal
t = Terminal("mc", "-b", "left", "right"); t.see("afile"); t.see("numbers"); t.see("10Quit")
t.type("\x1b[B"); t.type("\x1b5"); t.see("Copy file"); t.type("\r"); t.miss("Copy file")
while not os.path.exists("right/afile"): pass
t.type("echo typed > typed\r"); 
while not os.path.exists("left/typed"): pass
t.see("10Quit"); t.type("\x1b[B\x1b3"); 
t.see("1"); t.type("\x1b0"); t.see("10Quit"); t.type("exit\r"); print("ended", t.end(), sorted(os.listdir("right")))
P
python3 script.py
