#!/bin/sh
# git at a terminal: vim writes the messages, add -p asks, log is paged by less, a conflict is resolved by hand, commits are reordered and joined by rebase -i.
# when: asked
# seconds: 240
export PYTHONPATH=/programs PYTHONDONTWRITEBYTECODE=1 HOME="$PWD" GIT_CONFIG_NOSYSTEM=1 LESS=
export GIT_AUTHOR_DATE="2026-01-01T00:00:00Z" GIT_COMMITTER_DATE="2026-01-01T00:00:00Z" EDITOR="vim.tiny -u NONE -i NONE" GIT_PAGER="less -X"
git config --global user.name T; git config --global user.email t@example.org; git config --global init.defaultBranch main
git init -q r && cd r && seq 40 >n && git add n && git commit -qm first
cat >../script.py <<'P'
import subprocess
from terminal import Terminal

def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()

def change(old, new):
    text = open("n").read().split("\n")
    open("n", "w").write("\n".join(new if line == old else line for line in text))

change("3", "three"); change("33", "thirty-three")
t = Terminal("git", "add", "-p", "n")
t.see("(1/2) Stage this hunk [y,n,q,a,d,j,J,g,/,e,?]?"); t.type("y\r")
t.see("(2/2) Stage this hunk [y,n,q,a,d,K,g,/,e,?]?"); t.type("n\r"); print("ended", t.end())
t = Terminal("git", "commit")
t.see("# Please enter the commit message"); t.see("COMMIT_EDITMSG\""); t.type("Othree in a word\x1b"); t.see("three in a word\n"); t.type(":wq\r")
t.see("1 file changed"); print("ended", t.end(), git("diff", "--stat"))
git("commit", "-qam", "thirty-three"); git("checkout", "-qb", "side", "HEAD~1"); change("33", "XXXIII"); git("commit", "-qam", "roman"); git("checkout", "-q", "main")
t = Terminal("git", "merge", "side"); t.see("Automatic merge failed"); print("ended", t.end(), git("status", "--short"))
t = Terminal("vim.tiny", "-u", "NONE", "-i", "NONE", "n"); t.see("three")
t.type("/^<<<\rdd/^===\rd/^>>>\rdd:wq\r"); print("ended", t.end(), open("n").read().count("thirty-three"))
git("add", "n")
t = Terminal("git", "commit"); t.see("Merge branch 'side'"); t.type(":wq\r"); print("ended", t.end())
t = Terminal("git", "log", "--graph", "--oneline"); t.see("first\n"); t.see("(END)"); t.type("q"); print("ended", t.end())
for i in 1, 2, 3:
    open(f"f{i}", "w").write(f"{i}\n"); git("add", "."); git("commit", "-qm", f"file {i}")
t = Terminal("git", "rebase", "-i", "HEAD~3"); t.see("pick"); t.see("# Rebase"); t.see("git-rebase-todo\"")
t.type("ddp:2s/pick/squash/\r"); t.see("squash"); t.type(":3s/pick/reword/\r"); t.see("reword"); t.type(":wq\r")
t.see("combination of 2 commits"); t.see("COMMIT_EDITMSG\""); t.type("ggOfiles 2 and 1\x1b:wq\r")
t.see("No commands remaining."); t.see("COMMIT_EDITMSG\""); t.type("ggccfile three\x1b:wq\r"); t.see("Successfully rebased"); print("ended", t.end())
print(git("log", "--format=%s", "-3"), sorted(git("ls-files").split()), git("fsck", "--full"))
P
python3 ../script.py; git rev-parse HEAD; git clone -q . ../s && git -C ../s gc -q && git -C ../s fsck --full; git -C ../s log --oneline | wc -l
