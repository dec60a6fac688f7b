#!/bin/sh
# unionfs-fuse: a tree that is written over one that is not; copies made on the way, whiteouts.

. /programs/tree
mkdir upper
unionfs -o cow upper=RW:src=RO m && diff -r src m && echo same
echo changed >m/1; cat src/1 m/1; echo more >>m/big; wc -c <m/big; wc -c <src/big; rm m/d/hard; ls m/d; ls src/d
mkdir m/new && echo x >m/new/f && mv m/new m/d/moved && cat m/d/moved/f; chmod 600 m/empty; stat -c %a m/empty src/empty
ls upper; umount m; gone
