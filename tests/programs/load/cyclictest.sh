#!/bin/sh
# cyclictest: threads of four real-time priorities wake up each as often as asked; its latencies are told, not judged.
# judge: own
# seconds: 60
cyclictest -q -t 4 -p 80 -i 2000 -l 200 -m | tee out
[ "$(grep -c 'C: *[0-9]* Min' out)" = 4 ] && grep -q 'P:80.*C: *200 ' out
