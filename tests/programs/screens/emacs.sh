#!/bin/sh
# Emacs: a batch, an edited file, a command, a shell in a buffer, a window that changes its size.
# seconds: 200
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1 HOME="$PWD"
emacs-nox --batch -Q --eval '(progn (message "%s" (shell-command-to-string "echo child")) (with-temp-file "made" (dotimes (i 5) (insert (format "%d\n" i)))) (message "%d" (length (directory-files "/etc"))) (kill-emacs 3))' 2>&1 | sed 's/^[0-9][0-9]*$/N/'; cat made
cat >script.py <<'P'
from terminal import Terminal
t = Terminal("emacs-nox", "-nw", "-Q", "file", rows=30, columns=90)
t.see("(New file)"); t.type("hello from emacs\rsecond line"); t.see("second line"); t.type("\x01\x0b\x19\x19"); t.see("second linesecond line")
t.type("\x18\x13"); t.see("Wrote"); t.type("\x1b!echo $((6*7)); tty\r"); t.see("42")
t.type("\x1bxshell\r"); t.see("$" if False else "*shell*"); t.type("echo in shell | tr a-z A-Z\r"); t.see("IN SHELL"); t.resize(20, 70); t.type("\x18b\r"); t.see("hello from emacs")
t.type("\x18\x03"); t.see("Active processes exist"); t.type("yes\r"); print("ended", t.end(), open("file").read())
P
python3 script.py
