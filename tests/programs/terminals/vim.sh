#!/bin/sh
# vim-tiny: inserting, searching, replacing, filters, undo, a window that changes its size, recovery after it was killed.
# seconds: 150
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1
cat >script.py <<'P'
import os, signal
from terminal import Terminal

def vi(*arguments):
    return Terminal("vim.tiny", "-u", "NONE", "-i", "NONE", *arguments)

t = vi("file")
t.see('"file" [New File]')
t.type("ione\rtwo\rthree\rfour\x1b:set ts=7 ts?\r"); t.see("tabstop=7")
t.type(":%s/o/0/g\r"); t.see("3 substitutions")
t.type(":2,3!rev\r"); t.see("0wt")
t.type("u"); t.see("tw0")
t.type("ggdd:$\rp:w\r"); t.see("written")
t.type(":r !seq 60 | tac\r"); t.see("60 more lines")
t.type("G/^4\rA found\x1b:.w !cat > found\r:set ts=9 ts?\r"); t.see("tabstop=9")
t.type("\rgg"); t.see("\n60\n")
t.resize(12, 40); t.until("a new screen", lambda screen: screen.startswith("tw0\n"))
t.type(":set lines? columns?\r"); t.see("lines=12"); t.see("columns=40")
t.type("\r")
t.type(":wq\r")
print("ended", t.end())
print(open("file").read().replace("\n", " "), open("found").read())

t = vi("lost")
t.see("[New File]")
t.type("inever written\x1b:preserve\r"); t.see("preserved")
os.kill(t.pid, signal.SIGKILL)
print("ended", t.end(), sorted(os.listdir()))
t = vi("-r", "lost")
t.see("Recovery completed")
t.type("\r:wq!\r")
print("ended", t.end(), open("lost").read())
P
python3 script.py
