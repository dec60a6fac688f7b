#!/bin/sh
# FAT12, 16 and 32 by our own driver (drivers/fs/fat, libfuse 3): names, attributes, times, random operations, a driver that is killed; fsck.fat is content.

PATH=$PATH:/usr/lib/tessera/fs
. /programs/tree
rm -r src; export TZ=UTC
settled() { n=0; until fsck.fat -n $1 >log 2>&1 || [ $n -gt 100 ]; do n=$((n + 1)); sleep 0.1; done; tail -1 log; }
for kind in '12 1440 -s1' '16 9000 -s1' '32 40000 -s1'; do
	set -- $kind
	mkfs.fat --invariant -C -F $1 $3 -n VOLUME img $2 >/dev/null 2>&1
	fat img m && torture --seed $1 --steps 700 m; df m | awk 'NR == 2 { print $2, $3 }'
	umount m; gone; settled img; rm img
done
mkfs.fat --invariant -C -F 32 -s1 -n VOLUME img 40000 >/dev/null 2>&1
fat img m; cd m
echo one >Hello.txt;  cat hELLO.TXT; echo two >HELLO.TXT; ls; cat Hello.txt; mv Hello.txt hello.txt; mv hello.txt other; ls; stat -c '%a %h %s' other
chmod a-w other; stat -c %a other; fatattr other; fatattr +hs other; fatattr other; chmod 640 other; stat -c %a other; chmod 755 other; fatattr other
ln other b; ln -s other b; mkfifo b; chown 12 other; mkdir d; mv other d; rmdir d; rm -r d; touch 'a?' 'trailing ' dots... 'a long name'; ls; cat ALONGN~1
touch -d '1999-12-31 23:59:59.9' t; stat -c '%y %x' t; touch -d '1970-01-01' t; stat -c %y t; touch -d '2200-01-01' t; stat -c %y t
truncate -s 100000 t; cksum t; fallocate -l 200000 t; wc -c <t; echo end >>t; tail -c 4 t; dd if=/dev/zero of=big bs=1M 2>/dev/null; stat -f -c '%f %s' .; rm big
mkdir p; cp /bin/ls p; p/ls p; mkdir grown; for i in $(seq 200); do : >"grown/name of some length $i"; done; ls grown | wc -l; rm -r grown
exec 5<>held; echo held >&5; rm held; cat /proc/self/fd/5; exec 5<&-; cd ..
umount m; gone; settled img
fat -f img m & until grep -q "$PWD/m " /proc/mounts; do sleep 0.1; done
seq 1000 >m/kept; sync; kill -KILL $!; wait; cat m/kept; umount m; gone
fsck.fat -n img 2>&1 | grep -i dirty; fat img m 2>/dev/null; seq 1000 | cmp - m/kept && ls m; umount m; gone
printf '\0' | dd of=img bs=1 seek=510 conv=notrunc 2>/dev/null; fat img m; echo $?
