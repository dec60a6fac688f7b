#!/bin/sh
# git 2.39: commit, branch, merge with and without conflict, rebase, stash, bisect, worktree, hooks, gc, fsck, clone and push by path.
# seconds: 150
export GIT_AUTHOR_DATE="2026-01-01T00:00:00Z" GIT_COMMITTER_DATE="2026-01-01T00:00:00Z" GIT_PAGER=cat
export GIT_CONFIG_NOSYSTEM=1 HOME="$PWD"
# Through a pipe: on a terminal git tells of progress, which depends on time.
[ "$1" ] || { "$0" piped 2>&1 | cat; exit; }
git config --global user.name T; git config --global user.email t@example.org
git config --global init.defaultBranch main; git config --global advice.detachedHead false
git init r | sed "s:$PWD::" && cd r
for i in 1 2 3 4 5 6 7 8 9 10; do seq 1 ${i}00 >f$i; done
git add . && git commit -qm first && git log --stat --format='%H %an %s'
git checkout -qb side && echo x >>f1 && git commit -qam "on side" && git checkout -q main && echo y >>f9 && git commit -qam "on main"
git merge side -m merged && git log --oneline --graph
git checkout -qb clash HEAD~1 && echo z >>f1 && git commit -qam clash && git merge main; git status --short; git merge --abort
git checkout -q main && git mv f2 g2 && git commit -qm move && git diff HEAD~1 --stat -M
printf '#!/bin/sh\necho hook "$0"; exit 1\n' >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; git commit --allow-empty -m no; echo "status $?"; rm .git/hooks/pre-commit
i=0; while [ $i -lt 12 ]; do echo $i >>f5; git commit -qam "c$i"; i=$((i + 1)); done
git gc -q && git fsck --full && git count-objects -v | grep -E 'count|in-pack|packs|garbage'
cd .. && git clone -q r s && git clone -q --no-local r t && git clone -q --bare r b.git && cd t && git log --oneline | wc -l
echo more >>f10 && git stash | sed 's/WIP.*/WIP/' && git status --short && git stash pop -q && git status --short && git checkout -q f10
git tag -a v1 -m one HEAD~3 && git describe && git grep -n 99 | wc -l && git blame -s f1 | tail -1
git bisect start HEAD HEAD~10 >/dev/null && git bisect run sh -c 'test $(wc -l <f5) -lt 506' | grep -E 'first bad|^    c'; git bisect reset 2>/dev/null
git worktree add -q ../wt HEAD~2 && git worktree list | wc -l && git rebase -q HEAD~4 && git remote add bare ../b.git && git checkout -qb pushed && git commit -q --allow-empty -m pushed && git push -q bare pushed
git archive HEAD | tar t | wc -l; git bundle create -q ../x.bundle main && git clone -q -b main ../x.bundle ../y && git -C ../y rev-parse HEAD
cd ../b.git && git branch && git rev-parse pushed && git cat-file -p pushed^{tree} | head -2
