#!/bin/sh
# Debian's fusermount3, set-uid: a user mounts on what is his, others and root are kept out, allow_other as /etc/fuse.conf says.

. /programs/tree
grep -q '^user:' /etc/passwd || echo 'user:x:1000:1000::/tmp:/bin/sh' >>/etc/passwd
chmod 666 /dev/fuse; [ -e /etc/mtab ] || ln -s /proc/self/mounts /etc/mtab
as() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
chmod 755 . && chown -R 1000:1000 src m && stat -c '%a %u' /usr/bin/fusermount3
as bindfs --no-allow-other src m && as diff -r src m && echo same; ls m >/dev/null 2>&1; echo root $?; stat m >/dev/null 2>&1; echo $?
setpriv --reuid 1001 --regid 1001 --clear-groups ls m >/dev/null 2>&1; echo stranger $?
grep " $PWD/m " /proc/mounts | cut -d' ' -f1,3,4 | sed "s,$PWD,,"
as umount m >/dev/null 2>&1; echo umount $?; as fusermount3 -u m; echo $?
as bindfs src m 2>/dev/null; echo refused $?
cp /etc/fuse.conf conf && echo user_allow_other >>/etc/fuse.conf && as bindfs src m && ls m && cat m/1
setpriv --reuid 1001 --regid 1001 --clear-groups cat m/d/e/f; fusermount3 -u m; echo $?; cp conf /etc/fuse.conf
mkdir theirs && chmod 755 theirs && as bindfs --no-allow-other src theirs 2>/dev/null; echo "not his" $?
as bindfs --no-allow-other src m && setpriv --reuid 1001 --regid 1001 --clear-groups fusermount3 -u m 2>/dev/null; echo "not theirs" $?
as fusermount3 -u m; echo $?
