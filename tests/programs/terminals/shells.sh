#!/bin/sh
# bash and dash with somebody who types: line editing, completion, history, jobs that are stopped, continued and interrupted, hang-up.
# seconds: 120
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1 HISTFILE=
cat >job <<'J'
trap 'echo continued' CONT
echo job runs
while :; do sleep 1000 & wait $!; kill $!; done
J
cat >script.py <<'P'
import os
import re
from terminal import Terminal

def at_prompt(screen):
    """The key that ended the job may be shown before the shell's prompt, on its line, behind it; or not, where the shell switched
    echo off before."""
    return re.search(r"\n(\^[CZ])?ready>( \^[CZ])?$", screen.rstrip()) is not None


# A key comes when the prompt stands there or the program that reads it has said so.
for shell in ["bash", "--norc", "-i"], ["dash", "-i"]:
    print(shell[0])
    t = Terminal(*shell, PS1="ready> ", HOME=os.getcwd())
    t.prompt()
    t.type("echo $((6 * 7))\r"); t.prompt("42")
    if shell[0] == "bash":
        t.type("echo wrong\x01\x0becho rihgt\x1b[D\x1b[D\x14\x05 $((1 + 1))\r"); t.prompt("right 2")
        t.type("mkdir long-name; echo made\r"); t.prompt("made")
        t.type("cd lo\t; pwd | grep -c name$; cd ..\r"); t.prompt("1")
        t.type("nothing\x10\x10\x10\x0e\x15echo once\r"); t.prompt("once")
        t.type("\x12rig\r"); t.prompt("right 2")
    t.type("tty | cut -c1-9; stty size\r"); t.prompt("/dev/pts/\n24 80")
    t.type("sh job\r"); t.see("\njob runs\n")
    t.type("\x1a"); t.until("stopped", lambda screen: "Stopped" in screen and at_prompt(screen))
    t.type("echo status $?\r"); t.prompt("status 148")
    t.type("jobs | cat; fg\r"); t.see("\ncontinued\n")
    t.type("\x03"); t.until("interrupted", at_prompt)
    t.type("echo status $?\r"); t.prompt("status 130")
    t.type("sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; kill %1; wait %1; echo status $?\r")
    t.until("the job ended", lambda screen: "\nstatus 143\n" in screen and screen.rstrip().endswith("\nready>"))
    t.type("echo reads; cat | tr a-z A-Z\r"); t.see("\nreads\n"); t.type("in capitals\r\x04"); t.prompt("IN CAPITALS")
    t.type("echo asks; read x; echo got $x\r"); t.see("\nasks\n"); t.type("word\r"); t.prompt("got word")
    told = f"told-{shell[0]}"  # twice, where a shell passes on the signal that it gets itself
    t.type(f"(trap 'echo hung up >> {told}; exit' HUP; echo waits; while :; do sleep 1000 & wait; done)\r"); t.see("\nwaits\n")
    print("ended", t.hang_up())
    while not os.path.exists(told) or not os.path.getsize(told):
        pass
    print(open(told).readline())
P
python3 script.py
