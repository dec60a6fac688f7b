#!/bin/sh
# bash: functions, redirections, here documents, pipes, traps, jobs, waiting, fifos, limits, exit codes.
bash -c '. /programs/posix.in' ; echo status $?
bash <<'B'
a=(1 2 3); declare -A m=([k]=v); echo ${a[@]:1} ${#a[@]} ${m[k]} ${!m[@]}; [[ abc =~ b(.) ]] && echo ${BASH_REMATCH[1]}; diff <(echo 1) <(echo 2); coproc cat; echo through >&${COPROC[1]}; read x <&${COPROC[0]}; echo $x; mapfile -t l < <(seq 3); echo ${l[2]}; printf -v v '%q' 'a b'; echo $v; shopt -s extglob nullglob globstar; echo !(x).no; set -o pipefail; false | true; echo $?; wait -n <(exit 3) 2>/dev/null; sleep 0.01 & wait -n; echo $?; read -t 0.01 < <(sleep 1); echo $(($? > 128)); echo $((16#ff)) ${v^^} {1..3}; trap 'echo ERR' ERR; false; exec {fd}>f; echo y >&$fd; cat f; ulimit -S -n 50; ulimit -n; enable -n echo; type -t echo; kill -l 15; set -m; time true 2>/dev/null; echo "${BASH_VERSINFO[0]}"; history -c; compgen -A function | wc -l
B
bash -ic 'echo interactive; exit 2' 2>/dev/null; echo $?; bash --posix -c 'echo $POSIXLY_CORRECT'; bash -r -c 'cd /' 2>&1 | cut -d: -f3-; script -qc 'bash --norc -i' /dev/null <<'B' | tr -d '\r' | grep -v '^bash\|exit' | sed 's/\[1\] [0-9]*$/[1] pid/' | sort
sleep 30 &
jobs -r | wc -l; kill %%; wait; fg 2>&1; tty | cut -c1-8; echo $-
exit
B
