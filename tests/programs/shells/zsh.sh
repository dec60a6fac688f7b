#!/bin/sh
# zsh: functions, redirections, here documents, pipes, traps, coprocesses, process substitution, modules, limits, exit codes.
zsh -c 'emulate sh; . /programs/posix.in' ; echo status $?
cat > own <<'Z'
a=(c a b); print ${(o)a} ${a[2]} ${(U)a}
typeset -A m; m[k]=v; print ${(k)m}
print **/*(.N) | wc -w
zmodload zsh/datetime zsh/zselect zsh/stat zsh/mathfunc zsh/system
print $(( EPOCHSECONDS > 0 )) $((int(sqrt(16))))
zselect -t 1; print $?
stat -A s +size /etc/passwd; print $(( s > 10 ))
coproc cat; print -p hi; read -p x; print $x
print =(echo) | cut -c1-4
(( 2 ** 10 == 1024 )) && print arithmetic
print ${(j:,:)${(s:.:):-1.2.3}}
TRAPUSR1() { print usr1 }; kill -USR1 $$
for f (x y) print $f; repeat 2 print r
diff <(print 1) =(print 2) | grep '^[-+][0-9]'
ulimit -n 50; ulimit -n
print $ZSH_VERSION | cut -c1
Z
zsh -f own; echo status $?
