#!/bin/sh
# ntfs-3g (fuseblk on a loop device), exfat-fuse: made, filled, compared after a second mount, checked.
# seconds: 180

. /programs/tree
dd if=/dev/zero of=n bs=1M count=24 2>/dev/null && mkntfs -qF n >/dev/null 2>&1
dev=$(losetup -f --show n) && ntfs-3g "$dev" m && cp -r src/. m && diff -r src m && echo same; grep " $PWD/m " /proc/mounts | cut -d' ' -f3
echo x >>m/big; mkdir m/y && mv m/1 m/y/2; truncate -s 100000 m/big; umount m; gone
ntfs-3g "$dev" m && cat m/y/2 m/d/e/f && head -c 100000 src/big | cmp - m/big && echo there; umount m; gone; ntfsfix -n "$dev" | grep -c OK
losetup -d "$dev"
dd if=/dev/zero of=x bs=1M count=16 2>/dev/null && mkfs.exfat x >/dev/null
dev=$(losetup -f --show x) && mount.exfat-fuse "$dev" m >/dev/null && cp src/big src/1 m && mkdir m/d && cp src/d/e/f m/d && sync
cmp src/big m/big && mv m/1 m/d/one && ls m/d; umount m; gone; fsck.exfat -n "$dev" | grep -o 'clean'
mount.exfat-fuse "$dev" m >/dev/null && cmp src/big m/big && cat m/d/one m/d/f; umount m; gone; losetup -d "$dev"
