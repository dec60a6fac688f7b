#!/bin/sh
# hackbench: hundreds of processes and threads talk through sockets and pipes.
# judge: own
# seconds: 120
for how in "-P -s 100" "-P -p" "-T -s 4000" "-T -p"; do
	hackbench -g 4 -f 10 -l 30 $how || exit 1
done
