#!/bin/sh
# htop and ncdu: a tree of processes, searched; a folder deleted after the question.
# seconds: 240
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1 HOME="$PWD" 
mkdir -p tree/big tree/small; truncate -s 0 tree/small/x; dd if=/dev/zero of=tree/big/y bs=1k count=300 status=none
cat >script.py <<'P'
import os
from terminal import Terminal
t = Terminal("htop", "-d", "1000", rows=30, columns=100)
t.see("Load average"); t.see("F10Quit"); t.see("htop"); t.type("t"); t.see("─ htop"); t.type("/"); t.see("Search:"); t.type("init\r"); t.miss("Search:")
t.type("q"); print("ended", t.end())
t = Terminal("ncdu", "tree"); t.see("/big"); t.see("/small"); t.type("\x1b[B"); t.type("d"); t.see("delete"); t.type("\x1b[D\r"); t.miss("Confirm"); t.type("q"); print("ended", t.end(), os.listdir("tree"))
P
python3 script.py
