#!/bin/sh
# mksh: functions, redirections, here documents, pipes, traps, coprocesses, waiting, fifos, limits, exit codes.
mksh -c '. /programs/posix.in' ; echo status $?
cat > own <<'M'
set -A a 1 2 3; print ${a[1]} ${#a[@]}
typeset -i n=5; (( n += 2 )); print $n
cat |& print -p hello; read -p x; print $x
exec 5<>file; print -u5 w; print $(<file)
[[ abc == a* ]] && print match
print ${KSH_VERSION%% *} | wc -l
ulimit -n 40; ulimit -n
typeset -u u=low; print $u
for i in {a..b}; do print $i; done | wc -l
sleep 0.01 & wait $!; print $?
whence -v cd; alias l=ls; alias l
M
mksh own; echo status $?
