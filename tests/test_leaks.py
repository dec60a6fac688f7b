# SPDX-License-Identifier: MIT
"""Nothing is left behind: frames, kernel objects, threads and handles are counted around each ABI topic.

What leaks is listed with the call stacks that allocated it, by a debug kernel: if the tests are not run of
one, the run is repeated there.

A topic leaks when each of its runs leaves something of the same kind. Caches grow at first, and something that is
there once more or once less says nothing: a topic runs again as long as anything has grown in every run. Memory that
is first needed gets its part of the array of pages then, 64 frames for 16 MiB: no topic has these.
"""
import re
import shutil
import subprocess

import pytest
from conftest import VARIANT, variant
from test_abi import PROGRAMS, TOPICS

RUNS = 5

# The shell itself counts, so that there is no other process meanwhile, of which more or less may be there yet. The
# file of counts is opened before what is freed late is freed, and no file is closed in between.
SCRIPT = """
exec 4>/proc/tessera/counters
count()
{
	used=0
	exec 3</proc/tessera/counters
	echo settle >&4
	while read -r name n; do
		case $name in
		frames_total) used=$((used + n)) ;;
		frames_free|frames_slab|frames_stacks_kept|frames_page_array) used=$((used - n)) ;;
		threads|processes|open|handles|namespaces|sysfs_nodes|file.*) echo $name $n ;;
		slab.magazine) ;; # made when a CPU first frees something
		slab.*) echo ${name#slab.} $n ;;
		context_switches) break ;; # what follows has happened, and is not there
		esac
	done <&3 >/tmp/$1
	echo frames $used >>/tmp/$1
	exec 3<&-
}
touch /tmp/out
for file in grown grows 0 1; do echo - >/tmp/$file; done
count 0
count 0
old=0 new=1 run=1
places=/proc/tessera/leaks
while [ $run -le RUNS ]; do
	[ ! -e $places ] || echo mark >$places
	4>&- /abi/TOPIC >/tmp/out 2>&1 </dev/null
	: >/tmp/out
	count $new
	awk -v run=$run 'FILENAME == ARGV[1] { runs[$1] = run - 1; next } FILENAME == ARGV[2] { before[$1] = $2; next }
		$2 > before[$1] + 0 && runs[$1] + 0 == run - 1 { print $1, before[$1] + 0, "->", $2 }' \
		/tmp/grown /tmp/$old /tmp/$new >/tmp/grows
	[ -s /tmp/grows ] || exit 0
	cat /tmp/grows >/tmp/grown
	echo "run $run left:"
	cat /tmp/grown
	[ ! -e $places -o $run -lt RUNS ] || { echo "allocated in this run and still there:"; head -n 200 $places; }
	old=$new new=$((1 - new)) run=$((run + 1))
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
