#!/bin/sh
# coreutils: each of its tools used once: files, texts, numbers, sums, names, times, limits, users.
mkdir -p d/e; cp /etc/passwd d/p; cp -a d copy; cp -r --reflink=auto d d2; mv d2/p d2/q; ln d/p hard; ln -s d/p soft; link d/p linked; readlink soft; readlink -f d/../soft | sed "s#$PWD#.#"; realpath --relative-to=d copy/p
install -m 640 -D d/p inst/x; stat -c '%a %s %h %F %n' inst/x hard soft d; unlink linked; rmdir d/e; mktemp -u XXX | wc -c; mktemp -d t.XXXX >/dev/null; ls -d t.*/ | wc -l; mkfifo -m 600 fifo; mknod null c 1 3 && stat -c '%F %t,%T' null fifo
ls -l d | awk 'NF > 3 { print $1, $2, $3, $4, $9 }'; ls -1aF | sed 's/^t\..*/t/'; dir d; vdir d | wc -l; dircolors -b | head -c 9; echo; du -a --apparent-size d | sort; df --output=fstype . | tail -1; df -i / | wc -l; sync d; sync -f .
touch -d '2001-02-03 04:05:06 UTC' old; TZ=UTC date -r old +%FT%T; date -u -d @86400 +%c; [ old -ot hard ] && echo older; truncate -s 1M big; stat -c '%s %b' big; dd if=/dev/zero of=big bs=4k count=3 seek=2 conv=notrunc status=none; shred -n 1 -u big; ls big 2>&1
chmod u=rwx,go= d; chmod --reference=/etc/passwd d/p; chown user:users d/p; chgrp root d/p; stat -c '%A %U %G' d d/p; rm -rf copy d2; ls copy 2>&1; echo ---
printf '%s\n' pear apple fig apple > w; sort w; sort -u w | tac; uniq -c w; sort w | uniq -d; shuf --random-source=/etc/passwd w; tsort <<E
a b
b c
E
wc w; head -2 w; tail -n 1 w; tail -c 3 w; nl w; cat -A w | head -1; od -c w | head -1; cut -c1-2 w; paste w w | expand | unexpand | head -1; tr a-z A-Z < w; fold -w 3 w; fmt -w 10 w; pr -t -2 w; split -n l/2 w part; cat partaa partab; csplit -s w /fig/; cat xx01; comm -12 w w 2>/dev/null | wc -l; printf '1 a\n' > j1; printf '1 b\n' > j2; join j1 j2; ptx <w | head -1; numfmt --to=iec 1048576; seq -s, 1 3 10; seq 1.5 0.5 3; factor 360 18446744073709551557; expr 6 \* 7; basename a/b.c .c; dirname a/b; pathchk -p 'a b'; echo $?
base64 w; base32 w; basenc --base16 w; md5sum w; sha1sum w; sha224sum w; sha256sum w; sha384sum w; sha512sum w | cut -c1-20; b2sum w | cut -c1-20; cksum w; sum w; md5sum w > s; md5sum -c s
id; id -un; groups; whoami; logname 2>&1; who | wc -l; users | wc -l; pinky 2>/dev/null | wc -l; hostid | wc -c; uname -s; arch; nproc | tr 1-9 N; tty; stty 2>&1; printenv HOME; env -i A=1 env; nice -n 5 nice; nohup echo no 2>/dev/null; stdbuf -oL echo buf; timeout 0.1 sleep 1000; echo $?; timeout -s KILL 0.1 sleep 1000; echo $?; sleep 0.01; yes | head -1; true; false; echo $?; test -d d && [ -x /bin/sh ] && echo test; printf '%05.1f|%x\n' 3.14159 255; pwd | sed 's#.*/##'; tee t1 t2 < w | wc -l; cmp t1 t2; echo x | tee -a t1 >/dev/null; chroot / echo chrooted; chroot --userspec=user / id -u; mkdir -m 1777 sticky; stat -c %a sticky
