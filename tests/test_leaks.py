# SPDX-License-Identifier: MIT
"""Nothing is left behind: frames, kernel objects, threads and handles are counted around each ABI topic.

What leaks is listed with the call stacks that allocated it, by a debug kernel: if the tests are not run of
one, the run is repeated there.

Caches grow at first, so a topic runs again until a run leaves nothing more than the one before; a
topic that leaves something every time leaks.
"""
import re
import shutil
import subprocess

import pytest
from conftest import VARIANT, variant
from test_abi import PROGRAMS, TOPICS

RUNS = 5

# When what is freed late has been freed: objects in use by type, but the caches of free ones; frames that are free or belong to slabs. The
# files that hold the counts exist from the start, so that counting adds nothing.
SCRIPT = """
count()
{
	sleep 1
	echo settle >/proc/tessera/counters
	{
		awk 'NR > 2 && $1 != "magazine" { print $1, $2 }' /proc/slabinfo
		awk '/^nr_free_pages|^nr_slab/ { n += $2 } END { print "frames_in_use/64", -int(n / 64) }' /proc/vmstat
	} >/tmp/$1
}
touch /tmp/out /tmp/grown /tmp/before /tmp/after
count before
places=/proc/tessera/leaks
for run in $(seq RUNS); do
	[ ! -e $places ] || echo mark >$places
	/abi/TOPIC >/tmp/out 2>&1 </dev/null
	: >/tmp/out
	count after
	awk 'NR == FNR { before[$1] = $2; next } $2 > before[$1] { print $1, before[$1], "->", $2; grown = 1 }
		END { exit grown }' /tmp/before /tmp/after >/tmp/grown && exit 0
	echo "run $run left:"
	cat /tmp/grown
	[ ! -e $places -o $run -lt RUNS ] || { echo "allocated in this run and still there:"; head -n 200 $places; }
	count before
done
exit 1
""".replace(
    "RUNS", str(RUNS)
)


def places_of_leak(vm, topic, add):
    """What a kernel that remembers allocations says of it."""
    build = variant("debug", "kasan")
    if build == VARIANT:
        return ""
    again = vm(SCRIPT.replace("TOPIC", topic), "--add", add, build=build, timeout=500)
    return f"-- the same in a {build} kernel, with the places of allocations\n{again.out[-8000:]}"


@pytest.mark.parametrize("topic", TOPICS)
def test_leaks(vm, topic, tmp_path):
    shutil.copy(PROGRAMS / topic, tmp_path / topic)
    subprocess.run(["strip", "-g", tmp_path / topic], check=True)
    add = f"{tmp_path}/{topic}:/abi/{topic}"
    machine = vm(SCRIPT.replace("TOPIC", topic), "--add", add, timeout=500)
    print(topic, machine.out)
    assert machine.status == 0, f"{machine}\n{places_of_leak(vm, topic, add)}"


def test_the_count_sees_a_leak(vm):
    """The check itself: a run that keeps a process each time is noticed."""
    build = variant("debug", "kasan")
    machine = vm(SCRIPT.replace("/abi/TOPIC", "sleep 1000 & true"), build=build, timeout=120)
    assert (
        machine.status == 1 and "process" in machine.out and f"run {RUNS} left" in machine.out
    ), str(machine)
    # And the place is named: a process, allocated by fork.
    assert re.search(r"bytes in +\d+ of process\n( +.*\n)*? +process_(clone|copy)", machine.out), str(machine)
