# SPDX-License-Identifier: MIT
"""The network stack is killed, once a second or so, while the machine serves and is served: nobody notices more than a pause.

The peer is another machine on a wire, which judges what it sees; what passed is recorded, and holds no reset.
"""
import pytest
from networks import BY_NGINX, TOGETHER, run_together, when_asked

# Machine 1 kills its network stack until it has done so often enough, and meanwhile fetches from machine 2, which asks
# 1's redis all the time, and fetches from 1 after that. `$kills` is how often in each direction, `$copies` of 10 MB go.
STORM = TOGETHER + BY_NGINX + """
for n in $(seq $copies); do cat /t/big; done >pub/big
fetch() { curl -sS http://10.9.0.$others/big | cmp - pub/big && echo same; }
killed() { sed -n 's/^network netd .* starts \\([0-9]*\\) .*/\\1/p' /run/devices/status; }
if [ $me = 1 ]; then
	redis-server --port 6379 --protected-mode no --save '' --daemonize yes >/dev/null
	until redis-cli ping >/dev/null 2>&1; do sleep 0.2; done
fi
mark ready
if [ $me = 1 ]; then
	while sleep $pause; [ ! -e pub/seen ]; do
		netd=$(sed -n 's/^network netd running pid \\([0-9]*\\) .*/\\1/p' /run/devices/status)
		[ -z "$netd" ] || kill -9 $netd
	done &
	first=$(killed)
	until fetch && [ $(($(killed) - first)) -ge $kills ]; do :; done | uniq
	mark fetched
	until has $others enough; do [ $(($(killed) - first)) -lt $((2 * kills)) ] || echo >pub/enough; sleep 0.3; done
	leave
	wait
else
	while [ ! -e stop ]; do
		redis-benchmark -h 10.9.0.1 -c 50 -n 2000 -t get,set -q >said 2>&1 || echo "redis: $?"
		[ $(tr '\\r' '\\n' <said | grep -c 'requests per second, ') = 2 ] && ! grep rror said || cat said
	done &
	mark fetched
	until fetch && has 1 enough; do :; done | uniq
	echo >stop; wait
	echo >pub/enough
	leave
fi
"""


def storm(tmp_path, kernels, copies, kills, pause, **more):
    script = f"copies={copies} kills={kills} pause={pause}\n{STORM}"
    packages = "curl,nginx-light,redis-server,redis-tools"
    ended, capture = run_together(tmp_path, kernels, script, packages, **more)
    for machine in ended:
        assert machine.status == 0 and machine.out == "same\n", machine
    assert not capture.wrong and not capture.counts["resets"] and capture.counts["retransmitted"] > 0, (capture.counts, capture.wrong)
    assert all(kernels[address[-1] - 1] == "linux" for address in capture.late_from), capture.late_from


@when_asked
def test_a_stack_is_killed_under_load(tmp_path):
    storm(tmp_path, ["tessera", "linux"], copies=2, kills=4, pause=1)


@when_asked
@pytest.mark.parametrize("peer", ["linux", "tessera"])
def test_a_stack_is_killed_under_a_gigabyte(tmp_path, peer):
    storm(tmp_path, ["tessera", peer], copies=100, kills=30, pause=1, mem=2600, timeout=2400)
