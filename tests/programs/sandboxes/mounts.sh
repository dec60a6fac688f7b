#!/bin/sh
# mount, findmnt, umount, unshare --propagation, nsenter: binds, peer groups, moves, read-only parts
# seconds: 90
unshare -m sh -e <<'END'
mkdir a b c d
mount -t tmpfs -o size=1m,mode=755 one a
mkdir a/m a/n
mount --make-shared a
mount --bind a b
mount --bind a c
mount --make-slave c
mount --bind a d
mount --make-unbindable d
for m in a b c d; do findmnt -n -o FSTYPE,SOURCE,OPTIONS,PROPAGATION $PWD/$m; done
mount -t tmpfs two a/m
for m in a b c d; do mountpoint -q $m/m && echo $m has it; done
umount b/m
for m in a b c d; do mountpoint -q $m/m && echo $m still has it; done
mount --bind d a/n 2>/dev/null || echo unbindable
mount -t tmpfs three a/m
mkdir e
mount --move a/m e 2>/dev/null || echo not out of a shared one
mount -o remount,bind,ro b
touch b/x 2>/dev/null || echo b is read-only
touch a/x && ls b/x
mount -o remount,ro a
touch a/y 2>/dev/null || echo all is read-only
findmnt -n -o VFS-OPTIONS,FS-OPTIONS $PWD/a
mount -o remount,rw a
umount -l a && ! mountpoint -q a && ! mountpoint -q a/n && echo gone
END
unshare -m --propagation shared sh -c 'findmnt -n -o PROPAGATION /'
unshare -m --propagation slave sh -c 'findmnt -n -o PROPAGATION /'
unshare -m --propagation private sh -c 'findmnt -n -o PROPAGATION /'
mkdir inside
mkfifo ready
unshare -m sh -c 'mount -t tmpfs t inside; touch inside/file; echo > ready; exec sleep 1000' &
read line < ready
ls inside
nsenter -t $! -m -w sh -c 'ls inside' 2>/dev/null || nsenter -t $! -m ls "$PWD/inside"
kill $!
umount nowhere 2>&1
mount --bind nowhere inside 2>&1
