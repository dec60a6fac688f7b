#!/bin/sh
# bindfs (libfuse 3): a tree shown again, read, written, moved, removed; modes and owners changed on the way.

. /programs/tree
bindfs src m && diff -r src m && echo same
cp src/big m/copy && cmp src/big src/copy && mv m/copy m/d/moved && ls src/d && rm m/d/moved && ls m/d
dd if=m/big bs=1000 skip=300 count=2 2>/dev/null | sha256sum; truncate -s 10 m/1; stat -c '%s %h %a' src/1
mkdir m/new && rmdir m/new; rmdir m/d; echo $?; ln -s x m/s; readlink src/s; echo more >>m/1; wc -c <src/1
fusermount3 -u m; echo $?; ls m | wc -l
bindfs -p a=rX -u 12 -g 34 src m && stat -c '%a %u %g' m/1 m/d && (echo no >m/1) 2>/dev/null; fusermount3 -u m; echo $?
