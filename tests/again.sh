#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a command again and again on a host that has other things to do, and shows the failures: a test that fails one
# time in twenty is wrong, or what it tests is.
#
#     tests/again.sh 50 ./tessera test block
#     tests/again.sh -l 4 20 ./tessera vm --add build/abi/fuse:/x/t -- /x/t fuse/a_notice
#
# A run fails that ends with another status than 0. Its output stays in build/again/RUN, which the end lists.
usage()
{
	echo "usage: again.sh [-l BUSY] [-s] TIMES COMMAND...: beside BUSY endless loops (2), -s: until the first failure" >&2
	exit 2
}

load=2 stop=''
while getopts l:s option; do
	case $option in
	l) load=$OPTARG ;;
	s) stop=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
times=$1
shift

top=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
kept=$top/build/again
rm -rf "$kept"
mkdir -p "$kept"
loops=''
trap 'kill $loops 2>/dev/null' EXIT
trap 'exit 130' INT TERM
i=0
while [ "$i" -lt "$load" ]; do
	(while :; do :; done) &
	loops="$loops $!"
	i=$((i + 1))
done

run=1 failed=''
while [ "$run" -le "$times" ]; do
	if "$@" >"$kept/$run" 2>&1 </dev/null; then
		rm "$kept/$run"
	else
		echo "run $run: status $?"
		failed="$failed build/again/$run"
		[ -z "$stop" ] || break
	fi
	run=$((run + 1))
done
[ -n "$failed" ] || { echo "$times runs, no failure"; exit 0; }
echo "failed:$failed"
exit 1
