# SPDX-License-Identifier: MIT
"""Memory runs out again and again: only those who take it die, and the machine goes on."""

# Two hogs fill the memory and are killed, for ever; a small script forks meanwhile, until one at least was.
SCRIPT = """
hog() { while true; do tail /dev/zero >/dev/null 2>&1; done; }
hog & a=$!
hog & b=$!
i=0
while [ $i -lt 60 ] || ! dmesg | grep -q 'killed process'; do
	i=$((i + 1))
	[ "$(echo $i | cat)" = $i ] || { echo "fork $i failed"; exit 1; }
done
kill $a $b
killall tail
dmesg | grep 'killed process'
"""


def test_small_programs_outlive_hogs(vm):
    machine = vm(SCRIPT, "--mem", "256", timeout=200)
    kills = [line for line in machine.out.splitlines() if "killed process" in line]
    assert machine.status == 0 and kills, str(machine)
    assert all("(tail)" in line for line in kills), str(machine)
