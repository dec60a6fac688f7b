#!/bin/sh
# tmux: two panes and two windows, resizing, copying and pasting, detaching and attaching again, vi in a pane.
# seconds: 150
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1 HISTFILE= TMUX_TMPDIR="$PWD"
cat >script.py <<'P'
import subprocess
from terminal import Terminal

def tmux(*arguments):
    return subprocess.run(["tmux", *arguments], capture_output=True, text=True).stdout.strip()

def right(line):
    return line.partition("│")[2]

def above(line):
    return "" if line.startswith("[one]") else line

with open("conf", "w") as conf:
    conf.write("set -g default-command \"exec env PS1='ready> ' dash -i\"\n")
    # Keys that come at once are typed, too.
    conf.write("set -g assume-paste-time 0\n")
t = Terminal("tmux", "-f", "conf", "new-session", "-s", "one")
t.see("[one]"); t.prompt(part=above)
t.type("stty size; echo $TERM\r"); t.prompt("23 80\ntmux-256color", part=above)
t.type("\x02%"); t.prompt(part=right)
t.type("stty size\r"); t.prompt("23 39", part=right)
print(tmux("list-panes", "-F", "#{pane_index} #{pane_width}x#{pane_height} #{pane_active}"))
t.resize(30, 100); t.until("the status line moved", lambda screen: screen.split("\n")[29].startswith("[one]"))
# It tells the pane's terminal a little later.
t.type("until stty size | grep '29 49'; do :; done\r"); t.prompt("29 49", part=right)
t.type("exit\r"); t.miss("│")
t.type("\x02c"); t.until("an empty window", lambda screen: screen.startswith("ready>\n\n"))
t.type("vim.tiny -u NONE -i NONE file\r"); t.see("[New File]")
t.type("iin a pane\x1b:w\r"); t.see("written")
tmux("set-buffer", "pasted text")
t.type("ox"); t.see("in a pane\nx")
t.type("\x02]"); t.see("\nxpasted text\n")
t.type("\x1b:wq\r"); t.miss("pasted text")
t.type("\x02d"); print("detached", t.end())
print(tmux("list-windows", "-F", "#{window_index} #{window_active}"), open("file").read().split("\n"))
t = Terminal("tmux", "attach", rows=20, columns=60)
t.see("[one]"); t.see("ready>")
t.type("\x020"); t.prompt("23 80\ntmux-256color", part=above)
t.type("\x02:"); t.until("a command line", lambda screen: screen.endswith("\n:")); t.type("kill-server\r"); t.end()
print("ended", subprocess.run(["tmux", "ls"], capture_output=True).returncode)
P
python3 script.py
