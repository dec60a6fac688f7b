#!/bin/sh
# bash: functions, redirections, here documents, pipes, traps, coprocesses, process substitution, waiting, fifos, limits, exit codes.
bash -c '. /programs/posix.in' ; echo status $?
cat > own <<'B'
shopt -s extglob nullglob globstar
a=(1 2 3); declare -A m=([k]=v); echo ${a[@]:1} ${#a[@]} ${m[k]} ${!m[@]}
[[ abc =~ b(.) ]] && echo ${BASH_REMATCH[1]}
diff <(echo 1) <(echo 2)
coproc cat; echo through >&${COPROC[1]}; read x <&${COPROC[0]}; echo $x
mapfile -t l < <(seq 3); echo ${l[2]}
printf -v v '%q' 'a b'; echo $v
echo !(own|fifo|fd|out|private) **/fifo nothing*
set -o pipefail; false | true; echo $?; set +o pipefail
(exit 3) & wait $!; echo $?
# A read that nobody can answer: the fifo's writer is this shell.
mkfifo silent; read -t 0.01 <>silent; echo $(($? > 128))
v=word; echo $((16#ff)) ${v^^} {1..3}
trap 'echo ERR' ERR; false; trap - ERR
exec {fd}>f; echo y >&$fd; cat f
ulimit -S -n 50; ulimit -n
enable -n echo; type -t echo; enable echo
kill -l 15
TIMEFORMAT=timed; time true
echo "${BASH_VERSINFO[0]}"
f() { :; }; compgen -A function
B
bash own 2>&1; echo status $?
bash -ic 'echo interactive; exit 2' 2>/dev/null; echo $?
bash --posix -c 'echo $POSIXLY_CORRECT'
bash -r -c 'cd /' 2>&1 | cut -d: -f3-
