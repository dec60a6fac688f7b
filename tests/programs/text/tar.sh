#!/bin/sh
# tar, cpio, gzip, bzip2, xz, zstd: every kind of file there and back, sparse files, long names, threads, damaged archives.
# seconds: 120
mkdir -p d/sub; seq 20000 > d/numbers; ln d/numbers d/hard; ln -s numbers d/soft; mkfifo d/fifo; mknod d/null c 1 3; chmod 4755 d/numbers; chown user:users d/sub; truncate -s 5M d/sparse; printf end >> d/sparse; n=$(printf '%0200d' 7); touch "d/$n"; touch -d '2001-02-03 04:05:06.789 UTC' d/sub
list() { (cd $1 && find . -printf '%P %y %m %u %g %s %n %l\n' | grep -v '^ ' | sort); }
list d > before
for how in --gzip --bzip2 --xz --zstd ''; do tar $how -S -cf t.tar d && mkdir out && tar -xpf t.tar -C out --same-owner && list out/d | cmp - before && echo "tar $how"; stat -c %b out/d/sparse | awk '{ print ($1 < 100) }'; rm -rf out; done
tar --format=posix -cf t.tar d && tar -tvf t.tar | wc -l; tar -df t.tar && echo same; tar --delete -f t.tar d/null; tar -rf t.tar before; tar -tf t.tar | tail -1; tar -xOf t.tar before | cmp - before; tar -cf - d | (mkdir p; cd p; tar -xf - --strip-components=1; ls | wc -l); tar -cf t.tar -C /etc passwd hosts; tar --to-command='wc -l >/dev/null; echo $TAR_FILENAME' -xf t.tar; tar -czf - --exclude=sparse d | tar -tzf - | sort | head -3; tar -g snap -cf i0.tar d; echo new > d/new; tar -g snap -cf i1.tar d; tar -tf i1.tar | grep new
find d | sort | cpio -o -H newc 2>/dev/null | (mkdir c; cd c; cpio -idm 2>/dev/null); list d >now; list c/d | cmp - now && echo cpio; ls c/d | wc -l
for z in gzip bzip2 xz zstd; do $z -q -6 < d/numbers > n.$z; $z -dc n.$z | cmp - d/numbers && echo $z; $z -t n.$z && echo tested; head -c 1000 n.$z | $z -dc >/dev/null 2>&1; echo "cut $?"; done
xz -T2 --block-size=32k -c d/numbers | xz -T2 -dc | cmp - d/numbers; zstd -q -T2 -19 -c d/numbers | zstd -dc | cmp - d/numbers; gzip -l n.gzip | tail -1 | awk '{ print $2 }'; zgrep -c 99 n.gzip 2>/dev/null; zcat n.gzip | tail -1; xzcat n.xz | md5sum; zstdcat n.zstd | md5sum; gzip < /dev/null | gzip -d | wc -c; cp d/numbers x; gzip x; gunzip x.gz; cmp x d/numbers && stat -c %a x; bzip2 x && bunzip2 x.bz2 && xz x && unxz x.xz && zstd -q --rm x && unzstd -q x.zst && cmp x d/numbers && echo round
