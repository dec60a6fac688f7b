# SPDX-License-Identifier: MIT
# Programs that start and end: exec, the dynamic loader, libraries, exit.
# packages: bash dash coreutils python3 perl vim-tiny tmux
set -e
stopwatch -n 5 start_true true
stopwatch -n 5 start_dash dash -c :
stopwatch -n 5 start_bash bash -c :
stopwatch start_perl perl -e 1
stopwatch start_python python3 -c pass
stopwatch start_vim vim.tiny -u NONE -i NONE -es -c q
stopwatch -b 'tmux kill-server 2>/dev/null; :' start_tmux tmux -f /dev/null new-session -d 'sleep 1000'
tmux kill-server 2>/dev/null || :

# A script that starts programs as scripts do: substitutions, pipes, loops.
cat >script <<'END'
for i in 1 2 3 4 5 6 7 8 9 10; do
	test "$(expr $i + 1)" = "$(echo $i | sed 's/$/ 1 + p/' | dc 2>/dev/null || expr $i + 1)"
	basename /usr/share/doc$i | tr a-z A-Z | grep -c DOC
done
END
stopwatch script_bash bash script
