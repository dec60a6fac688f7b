#!/bin/sh
# iperf3 over TCP and UDP: both ways, four streams at once, both at once, short writes, sendfile, without delay, small windows.
# seconds: 60
ip link set lo up 2>/dev/null
# A server of its own for each client: one that serves many shuts its port between two, also behind a probe. So it is not probed, but looked for.
f() { iperf3 -s -1 -B 127.0.0.1 -p 5201 >iperf.log 2>&1 & i=$!; until ss -Hltn 'sport = :5201' | grep -q 5201; do sleep 0.1; done
iperf3 -c 127.0.0.1 -p 5201 -J "$@" >j 2>&1; python3 -c 'import json; j = json.load(open("j")); e = j.get("error"); s = j["end"]; print(e or ("bytes moved" if s.get("sum_received", s.get("sum"))["bytes"] > 0 else "none"))'; wait $i; }
f -t 1; f -n 5M -R; f -n 5M -P 4; f -t 1 --bidir; f -n 1M -u -b 10M; f -n 1M -u -b 10M -R; f -n 2M -l 64; f -n 10M -Z; f -n 5M -N; f -n 5M -w 256K -M 1000
