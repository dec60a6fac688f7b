# SPDX-License-Identifier: MIT
"""Debian's qemu-storage-daemon as the daemon of a disk, and what happens when it is killed; losetup and sfdisk."""
import os

from conftest import run_vm

# `serve` starts a daemon for the disk; its number is in /tmp/pid.
SERVE = """
set -e
serve() {
	rm -f /tmp/pid
	qemu-storage-daemon --blockdev file,node-name=f,filename=/tmp/disk,discard=unmap \
		--export type=vduse-blk,id=e,name=d0,node-name=f,writable=on,num-queues=2 --pidfile /tmp/pid &
	daemon=$!
	until grep -q 'live connected' /sys/class/vduse/d0/state 2>/dev/null && [ -s /tmp/pid ]; do sleep 0.02; done
}
head -c 8388608 /dev/urandom >/tmp/disk
"""

PLAIN = (
    SERVE
    + """
serve
cmp /dev/vda /tmp/disk && echo read-same
dd if=/dev/urandom of=/dev/vda bs=4k seek=33 count=400 conv=fsync 2>/dev/null
cmp /dev/vda /tmp/disk && echo written-same
dd if=/dev/urandom of=/dev/vda bs=256k count=8 oflag=direct 2>/dev/null
dd if=/dev/vda of=/tmp/back bs=256k iflag=direct 2>/dev/null
cmp /tmp/back /tmp/disk && echo direct-same
blkdiscard -o 65536 -l 65536 /dev/vda
cmp /dev/vda /tmp/disk && echo discarded-same
kill $(cat /tmp/pid)
wait
[ ! -e /dev/vda ] && [ ! -e /dev/vduse/d0 ] && echo gone
"""
)

# A program writes numbered blocks and reads each back; its daemon is killed all the time meanwhile.
KILLS = (
    SERVE
    + """
serve
(
	i=0
	while [ $i -lt %(blocks)d ]; do
		printf '%%4096d' $i >/tmp/block
		dd if=/tmp/block of=/dev/vda bs=4k seek=$i oflag=direct conv=notrunc 2>/dev/null
		dd if=/dev/vda bs=4k skip=$i count=1 iflag=direct 2>/dev/null | cmp - /tmp/block
		i=$((i + 1))
	done
	touch /tmp/done
) &
writer=$!
kills=0
until [ -e /tmp/done ] || [ $kills -ge %(kills)d ]; do
	sleep 0.1
	kill -9 $daemon
	wait $daemon || : # it has let go of the disk, which has one at a time
	kills=$((kills + 1))
	serve
done
wait $writer && echo no-errors after $kills kills
cmp /dev/vda /tmp/disk && echo same
kill $(cat /tmp/pid)
"""
)

PARTITIONS = """
set -e
head -c 4194304 /dev/zero >/tmp/disk
printf 'label: gpt\\nsize=1MiB, name=first\\nname=second\\n' | sfdisk -q /tmp/disk
disk=$(losetup -f --show -P /tmp/disk)
sfdisk -l -o start,sectors,name $disk | tail -2
ls ${disk}p1 ${disk}p2
losetup -l -n -O back-file,partscan $disk
printf 'hello' | dd of=${disk}p2 conv=fsync 2>/dev/null
printf 'label: dos\\nstart=34, size=2048\\nstart=2082\\n' | sfdisk -q $disk
cat /sys/class/block/${disk#/dev/}p1/start /sys/class/block/${disk#/dev/}p2/size
dd if=${disk}p2 bs=5 count=1 2>/dev/null && echo
losetup -d $disk
losetup -a
"""


def test_losetup_and_sfdisk_partition_a_file():
    ended = run_vm(PARTITIONS, "--with", "mount,fdisk")
    assert ended.status == 0, ended
    words = ended.out.split()
    assert "first" in words and "second" in words, ended
    assert words[-4:] == ["1", "34", "6110", "hello"], ended


def test_disk_of_qemu_storage_daemon():
    ended = run_vm(PLAIN, "--with", "qemu-system-common,util-linux", "--mem", "1024")
    assert ended.status == 0, ended
    assert ended.out.split() == [
        "read-same",
        "written-same",
        "direct-same",
        "discarded-same",
        "gone",
    ], ended


def test_killed_daemons_lose_nothing():
    """TESSERA_KILLS=1000 asks for more of them."""
    kills = int(os.environ.get("TESSERA_KILLS", "5"))
    ended = run_vm(
        KILLS % {"kills": kills, "blocks": min(kills * 12, 2000)},
        "--with",
        "qemu-system-common",
        "--mem",
        "1024",
        timeout=120 + kills,
    )
    assert ended.status == 0, ended
    assert "no-errors" in ended.out and "same" in ended.out.split(), ended
