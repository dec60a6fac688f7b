#!/bin/sh
# cyclictest and friends of rt-tests: real-time threads by priority wake up as often as asked, priority inheritance works, latencies of signals and pipes are taken.
# judge: own
# seconds: 90
set -e
cyclictest -q -t 4 -p 80 -i 2000 -l 300 -m | tee out
[ "$(grep -c 'C: *300' out)" -ge 1 ]
cyclictest -q -a -t 2 -p 10 -i 5000 -D 2
pi_stress --duration=3 --groups=2 --inversions=200 --quiet
signaltest -q -t 3 -l 300 | grep 'T: 0'
ptsematest -q -t 2 -l 200 -p 50 | tail -2
