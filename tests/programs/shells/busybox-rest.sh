#!/bin/sh
# busybox: the applets that its other script leaves: packers, file systems made in files, users, services, roots changed; each that is left out here too is named with its reason.
# seconds: 120

# Who wants a network, a disk, a console with keys, or ends the machine.
network="arp arping brctl dnsdomainname ftpget ftpput httpd ifconfig ifdown ifup ip ipneigh nameif netstat nslookup ping ping6
rdate route ssl_client tc telnet telnetd tftp traceroute traceroute6 tunctl udhcpc udhcpd vconfig wget"
device="blkdiscard blockdev chvt deallocvt devmem dumpkmap fdisk freeramdisk fsfreeze fstrim hwclock i2cdump i2cget i2cset
i2ctransfer loadfont loadkmap lsscsi mdev mt openvt setkeycodes uevent watchdog"
modules="depmod insmod modinfo modprobe rmmod"
ends="halt init linuxrc poweroff reboot resume run-init sulogin login getty"
r() { echo "-- $*"; busybox "$@" 2>&1; e=$?; [ $e = 0 ] || echo "status $e"; }
seq 500 > n; printf 'one\ntwo\nthree\n' > t
echo packers
busybox bzip2 -k n; busybox bunzip2 -c n.bz2 | cmp - n; busybox bzcat n.bz2 | cmp - n; busybox gzip -k n; busybox uncompress -c n.gz 2>&1 | head -1 | cut -c1-30; busybox zcat n.gz | cmp - n; busybox gunzip -t n.gz; echo $?
printf '\3757zXZ\000' | busybox unxz 2>&1 | head -1; printf 'x' | busybox xzcat 2>&1 | head -1; printf x | busybox unlzma 2>&1 | head -1; printf x | busybox lzcat 2>&1 | head -1; printf x | busybox lzma -d 2>&1 | head -1
busybox ar -p /nowhere 2>&1; printf '!<arch>\nf/              0           0     0     644     3         `\nabc\n' > a.a; r ar -t a.a; r ar -p a.a; r ar -x a.a; cat f; echo
mkdir d; cp n t d; busybox tar czf d.tgz d; busybox tar tzf d.tgz | sort; (cd d; busybox find . | busybox cpio -o -H newc) 2>/dev/null | busybox cpio -t 2>/dev/null | sort
printf 'hello' | busybox uuencode x | busybox uudecode -o -; echo; printf 'a\n' > p1; printf 'b\n' > p2; busybox diff -u p1 p2 > p; r patch p1 p; cmp p1 p2; printf 'Package: x\nVersion: 1\n' > control; r dpkg -l nothing; busybox rpm -qp n; echo $?
echo tests; busybox [ -f t ] && echo bracket; busybox [[ abc == a* ]] && echo brackets; r linux32 uname -m; r adjtimex -q; busybox adjtimex | grep -c mode; cp t s; r shred -n 1 -u s; ls s 2>&1
echo file systems in files; truncate -s 2M fs; r mke2fs -F fs >/dev/null; busybox od -An -tx2 -j 1080 -N 2 fs; busybox mkdosfs fs >/dev/null 2>&1; busybox od -An -tx1 -j 510 -N 2 fs; busybox mkswap fs | sed 's/UUID.*//; s/size = .*/size/'; busybox tail -c +4087 fs | head -c 10; echo; busybox swapon fs 2>&1; busybox swapoff fs 2>&1; busybox blkid n
echo users; busybox last 2>&1 | head -1; printf 'secret\nsecret\n' | busybox passwd -a sha512 nobody 2>&1 | tail -1; busybox crontab -l 2>&1; busybox reset >/dev/null; echo $?
echo services; busybox start-stop-daemon -S -b -m -p "$PWD/pid" -x /bin/sleep -- 1000; until [ -s pid ] && grep -qs sleep /proc/$(cat pid)/comm; do :; done; busybox start-stop-daemon -S -t -p "$PWD/pid" -x /bin/sleep; echo $?; busybox start-stop-daemon -K -p "$PWD/pid" | sed 's/pid [0-9]*/pid/'; until ! kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done; busybox start-stop-daemon -K -p "$PWD/pid" 2>&1 | sed 's/[0-9][0-9]*/N/'; busybox logger -s said 2>&1 | sed 's/.*: //'
busybox syslogd -n -O log -l 8 & i=0; until [ -S /dev/log ]; do sleep 0.05; done; until grep -q 'through the log' log 2>/dev/null; do busybox logger 'through the log'; done; { kill $!; wait $!; } 2>/dev/null; echo $?; echo "<6>for klogd" > /dev/kmsg; busybox logread 2>&1 | head -1; busybox svok . ; echo $?; busybox runsvdir --help 2>&1 | head -0
busybox nc -l -U 2>&1 | head -0; busybox rev < t; mkdir root; busybox unshare -m sh -c 'busybox mount --make-rprivate /; busybox mount -t tmpfs none root && mkdir root/old root/bin root/proc && cp /bin/busybox root/bin && cd root && busybox mount --move . / && busybox chroot . /bin/busybox ls /' 2>&1; busybox pivot_root /nowhere old 2>&1; busybox switch_root /nowhere /init 2>&1; busybox nuke n.gz; ls n.gz 2>&1; busybox klogd --help 2>&1 | head -0
cat /programs/*.sh 2>/dev/null > all; for a in $(busybox --list); do case " $(echo $network $device $modules $ends) " in *" $a "*) ;; *) grep -qF -e "busybox $a" -e "r $a" -e "'$a" all || echo "not run: $a" ;; esac; done
