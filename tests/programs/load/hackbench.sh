#!/bin/sh
# hackbench: processes and threads by the dozen talk through sockets and pipes.
# judge: own
# seconds: 60
for how in "-P -s 100" "-P -p" "-T -s 4000" "-T -p"; do
	hackbench -g 2 -f 8 -l 20 $how || exit 1
done
