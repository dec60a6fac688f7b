#!/bin/sh
# sshfs over two pipes to sftp-server: a tree far away, read, written, moved, linked.

. /programs/tree
mkfifo to from
/usr/lib/openssh/sftp-server <to >from & sshfs -o passive ":$PWD/src" m >to <from &
n=0; until grep -q "$PWD/m " /proc/mounts || [ $n -gt 300 ]; do n=$((n + 1)); sleep 0.1; done
diff -r src m && echo same
cp src/big m/copy && cmp m/copy src/copy && mv m/copy m/d/moved && ls src/d && rm m/d/moved && ln -s there m/s && readlink src/s
chmod 640 m/1 && stat -c %a src/1; truncate -s 2 m/1 && cat src/1; mkdir m/n && rmdir m/n; ls m/absent 2>/dev/null; echo $?
dd if=m/big bs=1000 skip=300 count=2 2>/dev/null | sha256sum; umount m; echo $?; wait
