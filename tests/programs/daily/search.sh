#!/bin/sh
# jq, ripgrep, fd: queries, files and lines found by several threads, by what .gitignore leaves, with commands run for each.
seq 1 2000 | jq -s 'map(. * 2) | add'; echo '{"a":[1,2,{"b":null}]}' | jq -c '.a[2], (.a | length), paths'; echo '{' | jq . 2>&1; echo "status $?"
mkdir -p tree/a/b/c; for i in $(seq 200); do seq $i > tree/a/f$i; done; cp tree/a/f100 tree/a/b/c/hidden.txt; echo 'fn main() { println!("needle"); }' > tree/a/b/m.rs; echo '*.log' > tree/.gitignore; echo needle > tree/x.log
rg -c '^99$' tree | wc -l; rg --sort path -n needle tree; rg --no-ignore -l needle tree | sort; rg -j4 --files tree | wc -l; rg -z nothing tree; echo "status $?"; rg --json needle tree/a/b | jq -r 'select(.type == "match") | .data.lines.text'
fdfind -e txt . tree; fdfind -t d . tree | sort; fdfind f1 tree -x basename | wc -l; rg --mmap needle tree/a/b/m.rs; fdfind -j 4 '^f[0-9]$' tree -X wc -l | tail -1
