#!/bin/sh
# evtest and evemu: a mouse made from its description, described, asked, played a recording, recorded and grabbed.
# seconds: 300

cat >mouse <<'END'
# EVEMU 1.3
N: a mouse of paper
I: 0003 046d c077 0111
P: 00 00 00 00 00 00 00 00
B: 00 0b 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 07 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 01 00 00 00 00 00 00 00 00
B: 02 03 01 00 00 00 00 00 00
B: 03 00 00 00 00 00 00 00 00
B: 04 10 00 00 00 00 00 00 00
B: 05 00 00 00 00 00 00 00 00
B: 11 00 00 00 00 00 00 00 00
B: 12 00 00 00 00 00 00 00 00
B: 14 00 00 00 00 00 00 00 00
B: 15 00 00 00 00 00 00 00 00
END
cat >played <<'END'
E: 0.000000 0002 0000 0005
E: 0.000000 0002 0001 -003
E: 0.000000 0000 0000 0000
E: 0.010000 0001 0110 0001
E: 0.010000 0000 0000 0000
E: 0.020000 0001 0110 0000
E: 0.020000 0002 0008 -001
E: 0.020000 0000 0000 0000
END
# What a background job writes is there before the job is.
: >made; : >tested; : >grabbed; : >other
evemu-device mouse >made & device=$!
until grep -q event made; do sleep 0.1; done
node=$(grep -o '/dev/input/event[0-9]*' made); sed 's/event[0-9]*/eventN/' made
until [ -c "$node" ]; do sleep 0.1; done
evemu-describe "$node" | grep -v -e '^#' | sed 's/event[0-9]*/eventN/'
for ask in "EV_KEY BTN_LEFT" "EV_KEY BTN_RIGHT" "EV_KEY BTN_SIDE"; do evtest --query "$node" $ask; echo $?; done

# Each waits until it has said that it listens, before anything is played.
evtest "$node" >tested & tester=$!
until grep -q 'Testing' tested; do sleep 0.1; done
evemu-play "$node" <played
until [ $(grep -c 'SYN_REPORT --' tested) = 3 ]; do sleep 0.1; done
kill $tester; wait $tester 2>/dev/null
sed 's/time [0-9.]*, //; s/event[0-9]*/eventN/' tested | grep -A100 Testing | grep -v -e '^$' -e interrupt
evemu-event "$node" --type EV_KEY --code BTN_LEFT --value 1 --sync
evtest --query "$node" EV_KEY BTN_LEFT; echo $?
evtest --grab "$node" >grabbed & tester=$!
until grep -q 'Testing' grabbed; do sleep 0.1; done
evtest "$node" >other 2>&1 & other=$!
until grep -q 'other grab is active' other; do sleep 0.1; done; kill $other; grep grab other
evemu-event "$node" --type EV_KEY --code BTN_LEFT --value 0 --sync
until grep -q 'value 0' grabbed; do sleep 0.1; done
kill $tester $device; wait 2>/dev/null
until ! [ -c "$node" ]; do sleep 0.1; done; echo gone
