#!/bin/sh
# git over http and its own protocol, rsync's daemon.
# seconds: 60
ip link set lo up 2>/dev/null; ready() { until nc -z 127.0.0.1 "$1" 2>/dev/null; do sleep 0.1; done; }
export HOME="$PWD" GIT_AUTHOR_DATE="2026-01-01T00:00:00Z" GIT_COMMITTER_DATE="2026-01-01T00:00:00Z"; git config --global user.name T; git config --global user.email t@example.org; git config --global init.defaultBranch main; git config --global safe.directory '*'
git init -q r; cd r; for n in 1 2 3 4 5; do seq ${n}0000 >f$n; git add .; git commit -qm $n; done; cd ..; git clone -q --bare r r.git; git -C r.git update-server-info
python3 -m http.server -b 127.0.0.1 8100 >/dev/null 2>&1 & w=$!; ready 8100; git clone -q http://127.0.0.1:8100/r.git c1 && git -C c1 rev-parse HEAD && git -C c1 fsck; kill $w; wait $w 2>/dev/null
git daemon --listen=127.0.0.1 --port=9418 --base-path="$PWD" --export-all --enable=receive-pack --reuseaddr "$PWD" 2>/dev/null & g=$!; ready 9418; git clone -q git://127.0.0.1/r.git c2 && cd c2 && git commit -q --allow-empty -m pushed && git push -q && cd .. && git -C r.git log --format=%s -1; kill $g; wait $g 2>/dev/null
mkdir from to; seq 300000 >from/n; cp /bin/busybox from; printf 'uid = 0\ngid = 0\nuse chroot = no\nport = 8730\naddress = 127.0.0.1\npid file = %s/rpid\nlog file = %s/rlog\n[m]\npath = %s/to\nread only = no\n' "$PWD" "$PWD" "$PWD" >rs.conf
rsync --daemon --config=rs.conf; ready 8730; rsync -a from/ rsync://127.0.0.1:8730/m/ && diff -r from to && echo synchronised; echo x >>from/n; rsync -a --stats from/ rsync://127.0.0.1:8730/m/ | grep -E 'files transferred'; diff -r from to && echo again; rsync rsync://127.0.0.1:8730/ ; kill "$(cat rpid)"
