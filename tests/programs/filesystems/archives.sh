#!/bin/sh
# seconds: 180
# squashfuse and archivemount (libfuse 2 and 3; one of its threads: it is not made for more): an archive as a tree, compared file by file; ext4 by fuse2fs, clean afterwards.

. /programs/tree
mksquashfs src sq -quiet -no-progress >/dev/null 2>&1
squashfuse sq m && diff -r src m && echo squashfs same; find m -type f | sort | xargs sha256sum; umount m; gone
cp -rP src a && tar cf t.tar -C a . && archivemount -s t.tar m && diff -r a m && echo archive same; umount m; gone
dd if=/dev/zero of=img bs=1M count=16 2>/dev/null
mke2fs -q -t ext4 -O ^has_journal -d src img && fuse2fs img m && rmdir m/lost+found && diff -r src m && echo ext4 same
cp src/big m/new && mkdir m/x && mv m/new m/x/new && sync && cmp src/big m/x/new && df m | awk 'NR == 2 { print $2 }'
umount m; gone; n=0; until e2fsck -fn img >log 2>&1 || [ $n -gt 100 ]; do n=$((n + 1)); sleep 0.1; done; grep -c Pass log
debugfs -R 'cat /x/new' img 2>/dev/null | cmp - src/big && echo there
