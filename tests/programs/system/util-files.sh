#!/bin/sh
# util-linux: mount, findmnt, umount, mountpoint, lscpu, lsmem, lsns, lsfd, lslocks, lsipc, ipcs, lsblk, dmesg, getopt, hexdump, column, fallocate, rev, look, and the other filters.
echo mount; mkdir a b; mount -t tmpfs -o size=1m,mode=700 name a && findmnt -n -o TARGET,SOURCE,FSTYPE,OPTIONS a | tr -s ' ' | sed "s#$PWD#.#"; touch a/x; mount --bind a b && ls b; mount -o remount,ro,bind b; touch b/y 2>&1 | grep -o 'Read-only.*'; mountpoint b | sed "s#$PWD#.#"; findmnt -rno TARGET | grep -c "$PWD"; umount b; umount a; mountpoint -q a; echo $?
umount /nowhere 2>&1; mount -t tmpfs x a; (cd a; umount $PWD 2>&1 | sed "s#$PWD#.#"); umount -l a; mount --move a b 2>&1 | grep -c .
findmnt -n -o FSTYPE /proc /sys; findmnt -n -o FSTYPE /proc; findmnt -n -o FSTYPE /sys; findmnt -n -o TARGET,FSTYPE /dev; findmnt -t devpts -n -o TARGET
echo lscpu; lscpu | grep -E '^(Architecture|Byte Order|CPU\(s\)|On-line|Vendor|  Model name|    (CPU family|Model|Thread|Core|Socket|Stepping)|NUMA node)' | tr -s ' '; lscpu -p=CPU,CORE,SOCKET,NODE | grep -v '^#'; lscpu -e=CPU,NODE,SOCKET,CORE,ONLINE; lscpu -C=NAME,ONE-SIZE,TYPE,LEVEL,WAYS,SETS,COHERENCY-SIZE
echo lsmem; lsmem -o STATE -n | sort -u; lsmem --summary=only | sed -n '1p;3,9p' | tr -d ' 0-9MG.'
echo lsfd; exec 7<"$0" 8>out; lsfd -p $$ -o ASSOC,TYPE,MODE,NAME -n | grep '^ *[78] ' | tr -s ' '; lsfd -p $$ -o ASSOC -n | grep -c 'exe\|cwd\|rtd'; exec 7<&- 8>&-
echo locks; flock -F out sleep 1000 & until lslocks -n -o COMMAND,TYPE,MODE 2>/dev/null | grep -q sleep; do :; done; lslocks -n -o COMMAND,TYPE,MODE 2>/dev/null | grep sleep | tr -s ' '; kill $!; wait
echo ipc; ipcs | grep -c '^---'; lsipc -o RESOURCE,LIMIT -n | awk '{ print $1 }' | grep RES | sort
echo dmesg; dmesg | head -1 | grep -c '\['; dmesg -n 4; echo $?; echo "<5>written by a program" > /dev/kmsg; dmesg -r | grep 'by a program' | sed 's/\[.*\] //'; dmesg -x -l notice | grep 'by a program' | sed 's/\[.*\] //'
echo getopt; getopt -o ab:c:: -l long,arg: -- -a -b v --long -cx --arg=y rest -- -z; getopt -o a -- -q; echo $?
echo hexdump; printf 'abc\000\377\n' | hexdump -C; printf abcdef | hexdump -e '2/1 "%02x " "|" ' ; echo; printf 'abc' | hd | head -1; printf '\001\002\003\004' | od -An -tx1 | tr -d ' '
echo column; printf 'a b\nccc d\n' | column -t; printf '1\n2\n3\n' | column -c 20; printf 'x:1\ny:2\n' | column -s: -t -N k,v -J
echo filters; echo abc | rev; printf 'a\tb\n' | colrm 2 3; printf 'b\ba\n' | col -b; printf '_\bx\n' | ul -t dumb; printf 'a\n' | line 2>/dev/null; echo text | colcrt; printf '%s\n' 1 2 3 > w; look 2 w
echo files; fallocate -l 1m big && stat -c %s big; fallocate -p -o 0 -l 4096 big && stat -c '%s' big; truncate -s 10k big; hardlink --version | cut -c1-8
echo blkid; blkid; lsblk 2>&1 | head -1; losetup -a; swapon --show; zramctl 2>/dev/null; wipefs -V | cut -c1-6; getconf PAGESIZE 2>/dev/null; logger --no-act --stderr hello 2>&1 | grep -c hello; true
