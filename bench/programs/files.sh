# SPDX-License-Identifier: MIT
# Ten thousand small files in a hundred folders: looked for, packed, unpacked, copied, removed, and a repository.
# packages: coreutils findutils tar grep git
set -e
i=0
while [ $i -lt 100 ]; do
	mkdir -p tree/$i
	j=0
	while [ $j -lt 100 ]; do
		echo "line $j of $i" >tree/$i/file$j
		j=$((j + 1))
	done
	i=$((i + 1))
done
stopwatch find_10000 find tree -name '*7' -size -9
stopwatch ls_10000 ls -lR tree
stopwatch tar_10000 tar cf tree.tar tree
stopwatch -b 'rm -rf out; mkdir out' untar_10000 tar xf tree.tar -C out
stopwatch -b 'rm -rf out' cp_10000 cp -a tree out
stopwatch -b 'rm -rf out; cp -a tree out' rm_10000 rm -r out
stopwatch grep_10000 grep -rc 'line 5' tree

export GIT_CONFIG_NOSYSTEM=1
git config --global user.name T && git config --global user.email t@example.org
i=50
while [ $i -lt 100 ]; do
	rm -r tree/$i
	i=$((i + 1))
done
cd tree && git init -q . && git add . && git commit -qm all
stopwatch git_status_5000 git status
stopwatch git_diff_5000 git diff HEAD
