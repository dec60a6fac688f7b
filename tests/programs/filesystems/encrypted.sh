#!/bin/sh
# gocryptfs and encfs: what is written is read again, from a second mount too, and lies encrypted below.
# seconds: 180

. /programs/tree
mkdir c
gocryptfs -q -nosyslog -init -scryptn 10 -extpass 'echo secret' c && gocryptfs -q -nosyslog -extpass 'echo secret' c m && cp -a src/. m && sync
diff -r src m && echo same; truncate -s 1000 m/big; cmp m/big src/big 2>&1 | grep -c EOF; mv m/d m/e; ls m/e; umount m; gone
grep -rs deep c; gocryptfs -q -nosyslog -extpass 'echo secret' c m && cat m/e/e/f && wc -c <m/big; readlink m/l; umount m; gone
gocryptfs -q -nosyslog -extpass 'echo wrong' c m >/dev/null 2>&1; echo $?
mkdir e && echo secret | encfs --standard --stdinpass "$PWD/e" "$PWD/m" >/dev/null && cp -a src/. m && diff -r src m && echo same
rm m/1 && mkdir m/x && mv m/big m/x/big; umount m; gone; ls e | wc -l
echo secret | encfs --stdinpass "$PWD/e" "$PWD/m" && cmp m/x/big src/big && cat m/d/e/f; umount m; gone
