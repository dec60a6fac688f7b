# SPDX-License-Identifier: MIT
"""Drivers as processes. On Debian's Linux, under vfio-pci and behind an IOMMU, the same binaries as everywhere."""
import os
import re
import socket
import struct
import subprocess
import threading
import time
import zlib

import pytest
from conftest import TOP, run_vm
from host import Host

DRIVERS, NETD = TOP / "build/drivers", TOP / "build/netd"
SIZE = 4 << 20
STEP = 0x9E3779B97F4A7C15


def make_disk(path, seed=7):
    """Bytes that repeat nowhere."""
    path.write_bytes(struct.pack(f"<{SIZE // 8}Q", *((n * STEP ^ seed) % 2**64 for n in range(SIZE // 8, 2 * (SIZE // 8)))))


def stamped(seed, first, last):
    """What lib/driver/block_test.c writes into the bytes [first, last)."""
    numbers = range(first // 8, last // 8)
    return struct.pack(f"<{len(numbers)}Q", *((n * STEP % 2**64) ^ seed for n in numbers))


# The disk's options for QEMU, with FILE, and which driver drives it by which interrupts.
DISKS = {
    "virtio": ("virtio-blk-pci,disable-legacy=on,iommu_platform=on,addr=5,file=FILE", "virtio_blk"),
    "virtio-pin": ("virtio-blk-pci,disable-legacy=on,iommu_platform=on,vectors=0,addr=6,file=FILE", "virtio_blk"),
    "virtio-plain": (
        "virtio-blk-pci,disable-legacy=on,iommu_platform=on,indirect_desc=off,event_idx=off,num-queues=1,addr=7,file=FILE",
        "virtio_blk",
    ),
    "nvme": ("nvme,serial=first,addr=8,file=FILE", "nvme"),
    "nvme-4k": ("nvme,serial=second,logical_block_size=4096,physical_block_size=4096,max_ioqpairs=1,mdts=3,addr=9,file=FILE", "nvme"),
    "ahci": ("ide-hd,bus=sata.2,serial=third,file=FILE", "ahci"),
}
ADDRESSES = {"virtio": 5, "virtio-pin": 6, "virtio-plain": 7, "nvme": 8, "nvme-4k": 9, "ahci": 10}

BIND = """
for d in /sys/bus/pci/devices/*; do echo vfio-pci > $d/driver_override; echo ${d##*/} > /sys/bus/pci/drivers_probe; done
"""


def options(folder, names, kernel="linux"):
    words = ["--kernel", kernel, "--module", "vfio_pci", "--add", f"{DRIVERS}:/drivers"]
    words += ["--device", "intel-iommu,intremap=on", "--device", "ahci,id=sata,addr=0a"]
    for name in names:
        make_disk(folder / name)
        words += ["--device", DISKS[name][0].replace("FILE", str(folder / name))]
    return words


def command(name, how):
    return f"/drivers/{DISKS[name][1]} --pci 0000:00:{ADDRESSES[name]:02x}.0 {how} 2>&1"


@pytest.fixture(scope="module", params=["tessera", "linux"])
def machine(request, tmp_path_factory):
    """One machine with every disk; for each: its checksum, a stamp, and what a driver is asked besides."""
    folder = tmp_path_factory.mktemp("disks")
    words = options(folder, DISKS, request.param)
    sums = {name: zlib.crc32((folder / name).read_bytes()) for name in DISKS}
    text = BIND
    for name in DISKS:
        text += f"echo begin {name}; {command(name, '--test=sum')}; {command(name, '--test=stamp,99')}; echo end $?\n"
    text += "sleep 0\n"
    for name in DISKS:
        text += f"echo again {name}; {command(name, '--test --verbose')}; echo done $?\n"
    # Ended in the midst of things, at different times, and begun again.
    for name in ("virtio", "nvme", "ahci"):
        text += (
            f"for n in 1 2 3 4; do {command(name, '--test=loop')} >/dev/null & usleep ${{n}}0000; kill -9 $!; wait $!; done\n"
            f"echo killed {name} $?; {command(name, '--test')}; echo after $?\n"
        )
    return folder, sums, run_vm(text.replace("usleep", "busybox usleep"), *words, timeout=500)


def part(out, begin, end):
    return out[out.index(begin) : out.index(end, out.index(begin)) + len(end)]


@pytest.mark.parametrize("name", DISKS)
def test_moves_data(machine, name):
    folder, sums, ended = machine
    assert ended.status == 0, str(ended)
    said = part(ended.out, f"begin {name}\n", "end 0")
    assert f"sum {sums[name]:08x}" in said and said.count("test passed") == 2, said
    said = part(ended.out, f"again {name}\n", "done 0")
    assert "beyond the end, which must fail" in said and "test passed" in said, said


@pytest.mark.parametrize("name", ["virtio", "nvme", "ahci"])
def test_killed_and_begun_again(machine, name):
    said = part(machine[2].out, f"killed {name} ", "after 0")
    assert said.startswith(f"killed {name} 137") and "test passed" in said, str(machine[2])


def test_the_host_sees_what_was_written(tmp_path):
    """The half that no one wrote is as it was; the other holds the stamp."""
    names = ("virtio", "nvme-4k", "ahci")
    words = options(tmp_path, names)
    before = (tmp_path / names[0]).read_bytes()
    ended = run_vm(BIND + " && ".join(command(name, "--test=stamp,0x1234567") for name in names), *words)
    assert ended.status == 0, str(ended)
    for name in names:
        after = (tmp_path / name).read_bytes()
        assert after[: SIZE // 2] == before[: SIZE // 2]
        assert after[SIZE // 2 :] == stamped(0x1234567, SIZE // 2, SIZE)


def test_driver_without_a_device():
    ended = run_vm("/drivers/nvme --pci 0000:00:1e.0 --test 2>&1; echo $?; /drivers/ahci 2>&1 | grep -c usage; /drivers/nvme --help | head -1",
        "--kernel", "linux", "--add", f"{DRIVERS}:/drivers")
    assert ended.status == 0 and "cannot open 0000:00:1e.0" in ended.out and "\n70\n1\nusage: nvme" in ended.out, str(ended)


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_a_device_that_goes_past_the_iommu_is_refused(kernel, tmp_path):
    """What it is given are addresses behind the IOMMU; it would take them for those of the machine's memory."""
    make_disk(tmp_path / "virtio")
    words = ["--kernel", kernel, "--module", "vfio_pci", "--add", f"{DRIVERS}:/drivers", "--device", "intel-iommu,intremap=on"]
    words += ["--device", f"virtio-blk-pci,disable-legacy=on,addr=5,file={tmp_path}/virtio"]
    ended = run_vm(BIND + f"{command('virtio', '--test')}; echo $?", *words)
    assert "the device goes past the IOMMU" in ended.out and ended.out.endswith("\n70\n"), str(ended)


SMALL = """
trap '' HUP # the terminal becomes ours when we open it, and ends before us
BIND
echo example; /drivers/example --pci 0000:00:05.0; echo $?
echo random; /drivers/virtio_rng --pci 0000:00:06.0 --test | sed 's/ [0-9a-f]*$//'; echo $?
/drivers/virtio_console --pci 0000:00:07.0 > /tmp/name & p=$!
for n in $(seq 2000); do grep -q terminal /tmp/name && break; busybox usleep 20000; done
t=$(sed 's/terminal //' /tmp/name)
stty -F $t raw -echo
exec 3<>$t
seq 1 5000 >&3
head -c 10 <&3
exec 3>&-; kill $p; wait $p; echo console $?
"""


def test_small_devices_on_linux(tmp_path):
    """The example; random numbers; a console that talks with the host both ways, more than its buffers hold."""
    words = ["--kernel", "linux", "--module", "vfio_pci", "--add", f"{DRIVERS}:/drivers", "--device", "intel-iommu,intremap=on"]
    words += ["--device", "edu,addr=5", "--device", "virtio-rng-pci,disable-legacy=on,iommu_platform=on,addr=6"]
    words += ["--device", "virtio-serial-pci,disable-legacy=on,iommu_platform=on,max_ports=1,addr=7,id=serial"]
    words += ["--device", "virtconsole,chardev=far"]
    words += ["--qemu", f"-chardev socket,id=far,path={tmp_path}/far,server=on,wait=off"]
    heard = bytearray()

    def far():
        with Host.connect(tmp_path / "far") as s:
            while data := s.recv(4096):
                heard.extend(data)
                if heard.endswith(b"\n5000\n"):
                    s.sendall(b"0123456789")

    threading.Thread(target=far, daemon=True).start()
    ended = run_vm(SMALL.replace("BIND", BIND), *words)
    assert ended.status == 0, str(ended)
    assert "example\n10! = 3628800, by interrupt\n2048 bytes to the device and back: the same\n0\n" in ended.out, str(ended)
    assert "random\ntest passed: 64 bytes\n0\n" in ended.out, str(ended)
    assert ended.out.endswith("0123456789console 0\n"), str(ended)
    assert heard.decode() == "".join(f"{n}\n" for n in range(1, 5001))


KILLED = """
truncate -s 16M /tmp/disk
start() { /drivers/memory --file /tmp/disk --vduse ram0 2>>/tmp/log & p=$!; }
start
for n in $(seq 2000); do test -b /dev/vda && break; busybox usleep 20000; done
seq 1 10000000 | head -c 8M > /tmp/a
for round in 1 2 3; do
	dd if=/tmp/a of=/dev/vda bs=64k oflag=direct 2>&1 | grep -v records
	dd if=/dev/vda bs=64k count=128 iflag=direct 2>/dev/null | cmp - /tmp/a || echo other
	dd if=/tmp/a of=/dev/vda bs=64k conv=fsync 2>/dev/null; cmp -n 8388608 /dev/vda /tmp/a
	echo round $round
done > /tmp/said 2>&1 &
w=$!
k=0
while kill -0 $w 2>/dev/null && [ $k -lt 60 ]; do
	busybox usleep 40000; kill -9 $p; wait $p 2>/dev/null; start; k=$((k + 1))
done
wait $w
grep -v copied /tmp/said
grep -c 'going on where another stopped' /tmp/log | grep -cv '^0$'
grep -c error /tmp/log
true
"""


def test_disk_whose_driver_is_killed():
    """On our kernel: what is under way when the driver dies is asked of the next one; no program sees an error."""
    ended = run_vm(KILLED, "--add", f"{DRIVERS}:/drivers")
    assert (ended.status, ended.out) == (0, "round 1\nround 2\nround 3\n1\n0\n"), str(ended)


# ------------------------------------------------------------------------------------------- the device manager

# Each driver by itself, without end; and one whose program is not there.
TABLE = """
mkdir -p /etc/tessera/drivers
for d in virtio_blk=device=1af4:1042 nvme=class=010802 ahci=class=0106..; do
	printf 'program /drivers/%s\\noption --test=loop\\nmatch %s\\n' ${d%%=*} ${d#*=} > /etc/tessera/drivers/${d%%=*}.driver
done
printf 'program /no/such\\nmatch class=060100\\nnonsense\\n' > /etc/tessera/drivers/isa.driver
status() { cat /run/devices/status; }
# wait_until PATTERN: a line of the status that says so; what is printed tells when there is none.
wait_until() { for n in $(seq 2000); do status | grep -q "$1" && return; busybox usleep 50000; done; echo "never: $1"; status; }
pid_of() { status | sed -n "s/.*$1 running pid \\([0-9]*\\) .*/\\1/p"; }
"""

MANAGED = TABLE + """
/devices --daemon 2>/tmp/log
status | sort
for round in 1 2 3 4 5; do
	for d in virtio_blk nvme ahci; do
		wait_until "$d running"
		p=$(pid_of $d)
		[ $round != 1 ] || { echo "$d $(grep -E 'Uid|Seccomp:|NoNewPrivs|Groups' /proc/$p/status | tr -s '\\t\\n' ' ')"
			echo "$d holds $(ls /proc/$p/fd | sort -n | head -6 | tr '\\n' ' ') of /$(ls /proc/$p/root | tr -d '\\n'), oom $(cat /proc/$p/oom_score_adj)"; }
		busybox usleep 60000
		kill -9 $p
		wait_until "$d.*pid [0-9]* starts $((round + 1))"
	done
done
for d in virtio_blk nvme ahci; do wait_until "$d running"; done
status | sort
grep -E 'makes no sense' /tmp/log
grep -c 'killed by signal 9' /tmp/log
grep -c -i 'failed\\|error: operation\\|not written' /tmp/log
true
"""


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_manager_starts_again_what_dies(kernel, tmp_path):
    """Nothing but its device, killed five times each, and the one that cannot start disturbs nobody."""
    names = ("virtio", "nvme", "ahci")
    words = [*options(tmp_path, names, kernel), "--add", f"{TOP}/build/devices:/devices"]
    ended = run_vm(MANAGED, *words, timeout=300)
    assert ended.status == 0 and "never" not in ended.out, str(ended)
    for name, address in (("virtio_blk", "05"), ("nvme", "08"), ("ahci", "0a")):
        assert f"0000:00:{address}.0 {name} running" in ended.out, str(ended)
        assert f"{name} Uid: 65534 65534 65534 65534 Groups: NoNewPrivs: 1 Seccomp: 2" in ended.out, str(ended)
        assert f"{name} holds 0 1 2 3 4 5  of /, oom -1000\n" in ended.out, str(ended)
    assert "0000:00:1f.0 isa waiting pid 0 starts 0" in ended.out, str(ended)
    assert "isa.driver:3 makes no sense" in ended.out and ended.out.endswith("\n15\n0\n"), str(ended)




DISK_KILLED = """
seq 1 10000000 | head -c 3M > /tmp/a
for d in vda vdb vdc; do
	for round in 1 2; do
		dd if=/tmp/a of=/dev/$d bs=64k oflag=direct conv=notrunc 2>&1 | grep -v -e records -e copied
		dd if=/dev/$d bs=64k count=48 iflag=direct 2>/dev/null | cmp - /tmp/a
		dd if=/tmp/a of=/dev/$d bs=64k conv=notrunc,fsync 2>/dev/null; cmp -n 3145728 /dev/$d /tmp/a
	done > /tmp/said.$d 2>&1 &
	w="$w $!"
done
busy() { for x in $w; do kill -0 $x 2>/dev/null && return; done; return 1; }
k=0
while busy && [ $k -lt 40 ]; do
	busybox usleep 60000
	for p in $(sed -n 's/.* running pid \\([0-9]*\\) .*/\\1/p' /run/devices/status); do kill -9 $p 2>/dev/null; done
	k=$((k + 1))
done
wait $w
cat /tmp/said.*
echo /dev/vd?
head -c 20 /dev/vda | wc -c
grep -c 'going on where another stopped' /run/devices.log | grep -c '^0$'
grep error /run/devices.log
sync
"""


@pytest.mark.parametrize("iommu", ["intel-iommu,intremap=on", ""])
def test_disks_whose_drivers_are_killed(iommu, tmp_path):
    """--disk with an IOMMU, and other disks, without one too: each driver is killed all the time, no program notices."""
    for name in ("first", "second", "third"):
        make_disk(tmp_path / name)
    words = ["--disk", f"{tmp_path}/first", "--device", f"nvme,serial=x,addr=9,file={tmp_path}/second"]
    words += ["--device", "ahci,id=sata,addr=0a", "--device", f"ide-hd,bus=sata.0,file={tmp_path}/third"]
    # Without an IOMMU the NVMe controller is reset between two drivers, and its registers come and go: the emulator
    # takes another processor's registers for others then.
    words += ["--device", iommu] if iommu else ["--machine", "pc", "--turns"]
    ended = run_vm(DISK_KILLED, *words)
    assert (ended.status, ended.out) == (0, "/dev/vda /dev/vdb /dev/vdc\n20\n0\n"), str(ended)
    text = "".join(f"{n}\n" for n in range(1, 600000)).encode()[: 3 << 20]
    for name in ("first", "second", "third"):
        assert (tmp_path / name).read_bytes()[: 3 << 20] == text


# A disk of two partitions: fio writes and verifies the first past the page cache, and sqlite has an ext4 on the other.
# Both go on while the driver is killed, every 100 ms, KILLS times or until both have done enough.
LOSE_NOTHING = """
disk=/dev/vda
export LC_ALL=C
/sbin/mke2fs -q -F -t ext4 -O ^has_journal ${disk}2 && mkdir -p /m && fuse2fs ${disk}2 /m || exit 1
fio --name=v --filename=${disk}1 --rw=randwrite --bsrange=4k-64k --ioengine=libaio --iodepth=8 --direct=1 \\
	--time_based --runtime=SECONDS --verify=crc32c --verify_backlog=64 --verify_fatal=1 --output=/tmp/fio --eta=never & fio=$!
(
	sqlite3 /m/db 'create table t(n integer primary key, text)'
	n=0
	while [ $n -lt 3 ] || [ ! -e /tmp/stop ]; do
		n=$((n + 1))
		sqlite3 /m/db "begin; insert into t(text) select printf('%0500d', value) from generate_series(1, 10); commit;
			select 'wrong at $n' from (select count(*) c, sum(length(text)) l from t) where c != 10 * $n or l != 5000 * $n"
	done
	echo $n > /tmp/written
) > /tmp/sql 2>&1 & sql=$!
/recovery -n KILLS -u /tmp/done DRIVER=$disk & killer=$!
wait $fio; echo fio $?
touch /tmp/stop
wait $sql; echo sqlite $? "$(head -3 /tmp/sql)"
touch /tmp/done
wait $killer; echo killer $?
n=$(cat /tmp/written)
sqlite3 /m/db "pragma integrity_check; select count(*) - 10 * $n from t"
umount /m
n=0; until /sbin/e2fsck -fn ${disk}2 > /tmp/fsck 2>&1 || [ $n -gt 100 ]; do n=$((n + 1)); busybox usleep 100000; done; echo fsck $?
grep -c 'err= 0' /tmp/fio
cat /sys/class/vduse/*/counts
cat /run/devices/status
grep error /run/devices.log
true
"""
BEHIND_IOMMU = ["--device", "intel-iommu,intremap=on"]
MANAGED_DISKS = {
    "virtio_blk": ["--disk", "FILE"],
    "nvme": [*BEHIND_IOMMU, "--device", "nvme,serial=x,file=FILE"],
    "ahci": [*BEHIND_IOMMU, "--device", "ahci,id=sata,addr=0a", "--device", "ide-hd,bus=sata.0,file=FILE"],
}
# What --disk adds to a machine by itself.
MANAGER = ["--add", f"{DRIVERS}:/usr/lib/tessera/drivers", "--add", f"{TOP}/build/devices:/usr/lib/tessera/devices"]
MANAGER += ["--add", f"{TOP}/services/devices/table:/etc/tessera/drivers"]


def managed_disk(driver, file):
    """The options of a machine whose disk /dev/vda `driver` drives, under the manager."""
    words = [word.replace("FILE", str(file)) for word in MANAGED_DISKS[driver]]
    return words if driver == "virtio_blk" else words + MANAGER


def make_partitions(path, size=64 << 20):
    """Two halves, by an MBR."""
    table = bytearray(512)
    half = size // 2 // 512
    for n, (start, count) in enumerate([(2048, half - 2048), (half, half)]):
        struct.pack_into("<B3sB3sII", table, 446 + 16 * n, 0, b"\0\2\0", 0x83, b"\0\0\0", start, count)
    table[510:] = b"\x55\xaa"
    path.write_bytes(table)
    os.truncate(path, size)


KILLS = int(os.environ.get("TESSERA_KILLS", "20"))


@pytest.mark.parametrize("driver", MANAGED_DISKS)
def test_drivers_that_die_lose_nothing(driver, tmp_path):
    """TESSERA_KILLS=1000 asks for more deaths than 20."""
    make_partitions(tmp_path / "disk")
    script = LOSE_NOTHING.replace("KILLS", str(KILLS)).replace("DRIVER", driver).replace("SECONDS", str(max(3, KILLS // 10)))
    words = [*managed_disk(driver, tmp_path / "disk"), "--add", f"{TOP}/build/bench/recovery:/recovery", "--mem", "1024"]
    ended = run_vm(script, "--with", "fio,sqlite3,fuse2fs,e2fsprogs,fuse", *words, timeout=200 + KILLS)
    print(ended.out)
    assert ended.status == 0, str(ended)
    said = [line for line in ended.out.splitlines() if not line.startswith(("recovery_", "/dev/"))]
    assert said[:7] == ["fio 0", "sqlite 0 ", "killer 0", "ok", "0", "fsck 0", "1"], str(ended)
    counts = dict(line.split() for line in ended.out.splitlines() if re.fullmatch(r"[a-z]+ \d+", line))
    assert int(counts["daemons"]) > KILLS and counts["refused"] == "0" and "error" not in ended.out, str(ended)
    assert re.search(f"{driver} running pid \\d+ starts \\d+ failures 0", ended.out), str(ended)


# A manager with little patience, and a driver that is stopped: it is killed, and the next one answers.
HANGS = """
/devices --daemon --patience 2000 2>/tmp/log
for n in $(seq 2000); do test -b /dev/vda && break; busybox usleep 50000; done
dd if=/dev/vda of=/tmp/a bs=4k count=4 iflag=direct 2>/dev/null
kill -STOP $(sed -n 's/.* running pid \\([0-9]*\\) .*/\\1/p' /run/devices/status)
dd if=/dev/vda of=/tmp/b bs=4k count=4 iflag=direct 2>/dev/null; echo read $?
cmp /tmp/a /tmp/b
grep -c 'does not answer: it is killed' /tmp/log | grep -cv '^0$'
"""


def test_driver_that_hangs_is_killed(tmp_path):
    make_disk(tmp_path / "disk")
    words = [*BEHIND_IOMMU, "--device", f"nvme,serial=x,file={tmp_path}/disk", "--add", f"{DRIVERS}:/usr/lib/tessera/drivers"]
    words += ["--add", f"{TOP}/build/devices:/devices", "--add", f"{TOP}/services/devices/table:/etc/tessera/drivers"]
    ended = run_vm(HANGS, *words)
    assert (ended.status, ended.out) == (0, "read 0\n1\n"), str(ended)


# A driver's successor is a process already: it holds nothing, serves when the driver dies, is not missed when it dies
# itself, alone or with the driver, and is of the program's file as it is then.
SPARE = """
program=/usr/lib/tessera/drivers/virtio_blk
all() { grep -las '^@virtio_blk' /proc/[0-9]*/cmdline | tr -dc '0-9\\n'; }
running() { sed -n 's/.*virtio_blk running pid \\([0-9]*\\) .*/\\1/p' /run/devices/status; }
# wait_until WORD..: a command that says yes; what is printed tells when none does.
wait_until() { for n in $(seq 1200); do "$@" && return; busybox usleep 50000; done; echo "never: $*"; all; cat /run/devices/status /run/devices.log; }
both() { d=$(running) && [ -n "$d" ] && [ "$(all | wc -l)" = 2 ] && s=$(all | grep -vx "$d") && [ "$(echo $s | wc -w)" = 1 ]; }
runs() { [ "$(running)" = "$1" ]; }
another() { d=$(running); [ -n "$d" ] && [ "$d" != "$1" ]; }
read_disk() { dd if=/dev/vda bs=64k count=16 iflag=direct 2>/dev/null | cmp -n 1048576 - /tmp/was; }
dd if=/dev/vda of=/tmp/was bs=64k count=16 2>/dev/null
wait_until both
holds() { [ "$(echo $(ls /proc/$s/fd | sort -n))" = "$1" ]; }
wait_until holds "0 1 2 5" && echo holds "0 1 2 5"
kill -9 $d; read_disk
wait_until runs $s
wait_until both
kill -9 $s; read_disk
kill -9 $d; read_disk
wait_until another $d
for n in 1 2 3 4 5; do
	wait_until both
	was=$d
	kill -9 $s $d; read_disk
	wait_until another $was
done
wait_until both
cp $program /tmp/new && mv /tmp/new $program
was=$d
kill -9 $d; read_disk
wait_until another $was
[ $(stat -L -c %i /proc/$d/exe) = $(stat -c %i $program) ] && echo the new one
true
"""


def test_next_driver_is_ready(tmp_path):
    make_disk(tmp_path / "disk")
    ended = run_vm(SPARE, "--disk", f"{tmp_path}/disk", timeout=600)
    assert (ended.status, ended.out) == (0, "holds 0 1 2 5\nthe new one\n"), str(ended)


PLUGGED = TABLE + """
say() { printf "$1" | dd of=/sys/bus/pci/devices/0000:00:01.0/config bs=1 seek=60 conv=notrunc 2>/dev/null; }
/devices --daemon 2>/tmp/log
status
say '\\101'
wait_until 'nvme running'
status | grep -c nvme
kill -9 $(pid_of nvme)
wait_until 'nvme running.*starts 2'
say '\\102'
for n in $(seq 1200); do status | grep -q nvme || break; busybox usleep 50000; done
status | grep -c nvme
grep -E 'found|gone' /tmp/log
"""


def plug(folder, machine, orders):
    """
    What the host does, one order after the other, each when the machine has said that it is ready for it: by a register
    of the port's that concerns nobody, the line of its interrupt, and that QEMU shows.
    """
    def wait_for(line):
        while machine.is_alive() and f"IRQ {line}," not in seen:
            ask(b"info pci\n")
        assert machine.is_alive()

    def ask(what):
        nonlocal seen
        time.sleep(0.1)
        s.sendall(what)
        seen = until_prompt()

    def until_prompt():
        said = b""
        while not said.endswith(b"(qemu) "):
            said += (more := s.recv(1 << 16))
            assert more
        return said.decode()

    seen = ""
    with socket.socket(socket.AF_UNIX) as s:
        while machine.is_alive() and s.connect_ex(str(folder / "monitor")) != 0:
            time.sleep(0.05)
        until_prompt()
        for line, order in enumerate(orders, 65):
            wait_for(line)
            answer = "in use"  # until QEMU, too, is done with the disk before
            while machine.is_alive() and ("in use" in answer or "Duplicate" in answer):
                ask(order.encode() + b"\n")
                answer = seen
                ask(b"info pci\n")
                answer += seen
        machine.join()


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_manager_notices_disks_that_are_plugged(kernel, tmp_path):
    make_disk(tmp_path / "disk")
    words = ["--kernel", kernel, "--module", "vfio_pci", "--device", "intel-iommu,intremap=on"]
    words += ["--device", "pcie-root-port,id=root,slot=1,chassis=1", "--add", f"{DRIVERS}:/drivers", "--add", f"{TOP}/build/devices:/devices"]
    words += ["--qemu", f"-monitor unix:{tmp_path}/monitor,server=on,wait=off -drive if=none,id=plugged,format=raw,file={tmp_path}/disk"]
    ended = []
    machine = threading.Thread(target=lambda: ended.append(run_vm(PLUGGED, *words, timeout=240)))
    machine.start()
    plug(tmp_path, machine, ["device_add nvme,id=plugged,serial=plugged,drive=plugged,bus=root", "device_del plugged"])
    assert ended[0].status == 0, str(ended[0])
    assert re.search(r"\n1\n0\n(?s:.*)01:00.0: found, for nvme\ndevices: 0000:01:00.0: gone\n$", ended[0].out), str(ended[0])


EXCHANGED = PLUGGED[: PLUGGED.index("/devices --daemon")] + """
printf 'program /drivers/nvme\\nupper block\\nmatch class=010802\\n' > /etc/tessera/drivers/nvme.driver
until_there() { for n in $(seq 1200); do [ -b $1 ] && return; busybox usleep 50000; done; echo "never: $1"; }
/devices --daemon 2>/tmp/log
say '\\101'
until_there /dev/vda
echo 3000 > /sys/block/vda/queue/io_timeout
exec 9<>/dev/vda
say '\\102'
wait_until_not() { for n in $(seq 1200); do status | grep -q "$1" || return; busybox usleep 50000; done; cat /tmp/log; exit 1; }
wait_until_not nvme
say '\\103'
until_there /dev/vdb
echo not for this disk | dd of=/dev/vda bs=512 conv=sync,notrunc oflag=direct 2>/dev/null || echo refused
busybox cmp /dev/vdb /new && echo untouched
exec 9<&-
for n in $(seq 1200); do [ -b /dev/vda -o -e /dev/vduse/pci-0000:01:00.0 ] || break; busybox usleep 50000; done
echo /dev/vd? /dev/vduse/*
"""


def test_a_disk_in_the_place_of_another_does_not_get_what_was_meant_for_that(tmp_path):
    """Somebody has the first one open still when it is pulled out; the next one is plugged into the same slot."""
    make_disk(tmp_path / "old")
    make_disk(tmp_path / "new", seed=8)
    words = ["--device", "intel-iommu,intremap=on", "--device", "pcie-root-port,id=root,slot=1,chassis=1"]
    words += ["--add", f"{DRIVERS}:/drivers", "--add", f"{TOP}/build/devices:/devices", "--add", f"{tmp_path}/new:/new"]
    drives = " ".join(f"-drive if=none,id={x},format=raw,file={tmp_path}/{x}" for x in ("old", "new"))
    words += ["--qemu", f"-monitor unix:{tmp_path}/monitor,server=on,wait=off {drives}"]
    ended = []
    machine = threading.Thread(target=lambda: ended.append(run_vm(EXCHANGED, *words, timeout=240)))
    machine.start()
    add = "device_add nvme,id=plugged,serial=same,bus=root,drive="
    plug(tmp_path, machine, [add + "old", "device_del plugged", add + "new"])
    assert ended[0].status == 0, str(ended[0])
    assert ended[0].out == "refused\nuntouched\n/dev/vdb /dev/vduse/control /dev/vduse/pci-0000:01:00.0-1\n", str(ended[0])


# until_found SECTORS: drivers die until one finds that many.
RESIZED = PLUGGED[: PLUGGED.index("/devices --daemon")] + """
printf 'program /drivers/virtio_blk\\nupper block\\nmatch device=1af4:1042\\n' > /etc/tessera/drivers/virtio_blk.driver
until_there() { for n in $(seq 1200); do [ -b $1 ] && return; busybox usleep 50000; done; echo "never: $1"; }
until_gone() { for n in $(seq 1200); do [ -b $1 ] || return; busybox usleep 50000; done; echo "never gone: $1"; }
until_found() {
	for n in $(seq 300); do
		grep -q ": $1 sectors" /tmp/log && break
		wait_until 'virtio_blk running'
		kill -9 $(pid_of virtio_blk)
		busybox usleep 200000
	done
	wait_until 'virtio_blk running'
}
size() { cat /sys/block/$1/size; }
has_size() { for n in $(seq 1200); do [ $(size $1) = $2 ] && return; busybox usleep 50000; done; echo "never: $1 of $2"; }
whole() { busybox cmp -n $(($(size $1) < 8192 ? $(size $1) * 512 : 4194304)) /dev/$1 /disk && echo $1 $(size $1); }
/devices --daemon --patience 2000 2>/tmp/log
until_there /dev/vda
say '\\101'
until_found 12288
has_size vda 12288
whole vda
dd if=/dev/vda bs=64k iflag=direct 2>/dev/null | wc -c
echo /dev/vd?
say '\\102'
until_found 4096
until_there /dev/vdb
until_gone /dev/vda
whole vdb
echo /dev/vd? /dev/vduse/p*
say '\\103'
until_found 2048
until_there /dev/vda
until_gone /dev/vdb
whole vda
echo /dev/vd? /dev/vduse/p*
"""


def test_a_disk_may_grow_and_one_that_has_shrunk_is_another(tmp_path):
    """What was made for the larger one goes: nobody has it open, and no driver asks for it any more."""
    make_disk(tmp_path / "disk")
    (tmp_path / "was").write_bytes((tmp_path / "disk").read_bytes())
    words = ["--device", "intel-iommu,intremap=on", "--device", "pcie-root-port,id=root,slot=1,chassis=1,addr=1"]
    words += ["--add", f"{DRIVERS}:/drivers", "--add", f"{TOP}/build/devices:/devices", "--add", f"{tmp_path}/was:/disk"]
    words += ["--qemu", f"-monitor unix:{tmp_path}/monitor,server=on,wait=off "
        f"-drive if=none,id=sized,format=raw,file={tmp_path}/disk -device virtio-blk-pci,disable-legacy=on,iommu_platform=on,addr=9,drive=sized"]
    ended = []
    machine = threading.Thread(target=lambda: ended.append(run_vm(RESIZED, *words, timeout=300)))
    machine.start()
    plug(tmp_path, machine, ["block_resize sized 6M", "block_resize sized 2M", "block_resize sized 1M"])
    said = "vda 12288\n6291456\n/dev/vda\nvdb 4096\n/dev/vdb /dev/vduse/pci-0000:00:09.0-1\nvda 2048\n/dev/vda /dev/vduse/pci-0000:00:09.0\n"
    assert (ended[0].status, ended[0].out) == (0, said), str(ended[0])


PATIENT = """
mkdir -p /etc/tessera/drivers
printf 'program /drivers/nvme\\nmatch class=060100\\n' > /etc/tessera/drivers/isa.driver # which that is not
/devices --daemon 2>/tmp/log
for n in $(seq 2000); do
	cat /run/devices/status >> /tmp/seen
	grep -q 'waiting.*failures [5-9]' /tmp/seen && break
	busybox usleep 20000
done
busybox stat -c %a /run/devices /run/devices/status
sort -u /tmp/seen | grep waiting
"""


def test_a_driver_that_dies_at_once_waits_longer_each_time(tmp_path):
    """10 ms, then three times as long after each failure; whoever wants can read it."""
    ended = run_vm(PATIENT, "--add", f"{DRIVERS}:/drivers", "--add", f"{TOP}/build/devices:/devices", "--device", "intel-iommu,intremap=on")
    assert ended.status == 0 and ended.out.startswith("755\n644\n"), str(ended)
    seen = {tuple(map(int, pair)) for pair in re.findall(r"isa waiting pid 0 starts \d+ failures (\d+) wait (\d+)", ended.out)}
    assert max(seen)[0] >= 5 and all(wait == 10 * 3 ** (failures - 1) for failures, wait in seen if failures), str(ended)


SPACES = BIND + """
/drivers/nvme --pci 0000:00:08.0 --vduse n 2>/tmp/log & p=$!
for n in $(seq 1000); do [ -b /dev/vda -a -b /dev/vdb -a -b /dev/vdc ] && break; busybox usleep 20000; done
for d in vda vdb vdc; do
	echo $(cat /sys/block/$d/serial) $(cat /sys/block/$d/size /sys/block/$d/queue/logical_block_size) $(cksum < /dev/$d)
done
for d in vda vdb vdc; do
	{ yes $(cat /sys/block/$d/serial) | head -c 1M | dd of=/dev/$d bs=64k seek=32 iflag=fullblock oflag=direct conv=notrunc 2>&1 | grep -v -e records -e copied; } &
	w="$w $!"
done
wait $w
grep -i error /tmp/log
true
"""


def test_each_namespace_is_a_disk(tmp_path):
    """Three behind one controller, of two block sizes, written at once through the same queues."""
    words = ["--device", "intel-iommu,intremap=on", "--device", "nvme,id=c,serial=spaces,addr=8", "--add", f"{DRIVERS}:/drivers"]
    for n, size in ((1, 512), (2, 4096), (5, 512)):
        make_disk(tmp_path / f"disk{n}", seed=n)
        words += ["--device", f"nvme-ns,bus=c,nsid={n},logical_block_size={size},physical_block_size={size},file={tmp_path}/disk{n}"]
    sums = [subprocess.run(["cksum"], input=(tmp_path / f"disk{n}").read_bytes(), capture_output=True).stdout.decode() for n in (1, 2, 5)]
    ended = run_vm(SPACES, *words)
    names = {1: ("spaces", 512), 2: ("spaces-2", 4096), 5: ("spaces-5", 512)}
    said = [f"{name} 8192 {size} {cksum}" for (name, size), cksum in zip(names.values(), sums)]
    assert (ended.status, ended.out) == (0, "".join(said)), str(ended)
    for n, (name, _) in names.items():
        after = (tmp_path / f"disk{n}").read_bytes()
        assert after[SIZE // 2 : SIZE // 2 + (1 << 20)] == (f"{name}\n" * (1 << 18)).encode()[: 1 << 20]


SAME_NAMES = """
tell() { for d in $(ls /sys/block | grep vd); do echo $d $(cat /sys/block/$d/size); done; }
tell
for p in $(sed -n 's/.* running pid \\([0-9]*\\) .*/\\1/p' /run/devices/status); do kill -9 $p; done
for d in vda vdb vdc vdd vde vdf; do dd if=/dev/$d bs=64k iflag=direct of=/dev/null 2>&1 | grep -i error; done
tell
"""


@pytest.mark.parametrize("boot", range(3))
def test_disks_have_the_same_names_at_each_boot(boot, tmp_path):
    """By the addresses of their controllers, then by port or namespace, whatever was plugged in first."""
    disks = [
        ("nvme-ns,bus=c,nsid=7", 5), ("nvme-ns,bus=c,nsid=2", 4), ("ide-hd,bus=sata.4", 3), ("ide-hd,bus=sata.1", 2),
        ("virtio-blk-pci,disable-legacy=on,iommu_platform=on,addr=9", 6),
    ]
    words = ["--device", "nvme,id=c,serial=c,addr=8", "--device", "ahci,id=sata,addr=7"]
    for device, order in disks:
        (tmp_path / f"{order}").write_bytes(bytes(order << 20))
        words += ["--device", f"{device},file={tmp_path}/{order}"]
    (tmp_path / "1").write_bytes(bytes(1 << 20))
    words += ["--disk", f"{tmp_path}/1"]
    ended = run_vm(SAME_NAMES, *words)
    named = "".join(f"vd{letter} {2048 * (n + 1)}\n" for n, letter in enumerate("abcdef"))
    assert (ended.status, ended.out) == (0, named * 2), str(ended)


# Network cards: QEMU's model with options, and the driver.
NICS = {
    "virtio": ("virtio-net-pci,disable-legacy=on,iommu_platform=on", "virtio_net"),
    "virtio-pin": ("virtio-net-pci,disable-legacy=on,iommu_platform=on,vectors=0", "virtio_net"),
    "virtio-plain": ("virtio-net-pci,disable-legacy=on,iommu_platform=on,event_idx=off,mrg_rxbuf=off,status=off,vectors=1", "virtio_net"),
    "e1000": ("e1000", "e1000"),
    "e1000e": ("e1000e", "e1000"),
}


@pytest.fixture(scope="module", params=["tessera", "linux", "without an IOMMU"])
def machine_with_nics(request):
    """Each card on a network of its own: tried, killed in the midst of it, and tried again."""
    kernel = "linux" if request.param == "linux" else "tessera"
    words = ["--kernel", kernel, "--module", "vfio_pci", "--add", f"{DRIVERS}:/drivers"]
    if request.param != "without an IOMMU":
        words += ["--device", "intel-iommu,intremap=on"]
    text = ("" if kernel == "linux" else "echo Y > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode\n") + BIND
    for number, (name, (model, driver)) in enumerate(NICS.items()):
        words += ["--qemu", f"-netdev user,id=net{number}", "--device", f"{model},netdev=net{number},addr={number + 5:02x}"]
        run = f"/drivers/{driver} --pci 0000:00:{number + 5:02x}.0"
        text += (
            f"echo begin {name}; {run} --test --verbose 2>&1; echo end $?\n"
            f"for n in 1 2 3; do {run} --test=60000 & busybox usleep ${{n}}0000; kill -9 $!; wait $!; done >/dev/null 2>&1\n"
            f"echo killed {name}; {run} --test=100 2>&1; echo after $?\n"
        )
    return run_vm(text, *words, timeout=300)


@pytest.mark.parametrize("name", NICS)
def test_network_card_moves_frames(machine_with_nics, name):
    """10,000 echoes of all lengths come back as they went; groups are heard when they are asked for."""
    said = part(machine_with_nics.out, f"begin {name}\n", "end 0")
    assert "test passed: 10001 echoes of 10001, 0 errors" in said and "MTU 1500, the cable is there" in said, said
    said = part(machine_with_nics.out, f"killed {name}\n", "after 0")
    assert "test passed: 101 echoes of 101, 0 errors" in said, said



STACK = TABLE[TABLE.index("status()") :] + """
/devices --daemon --without-iommu 2>/tmp/log
status | grep -c 'netd running'
interfaces() { busybox ip link | sed -n 's/^[0-9]*: \\(eth[^:]*\\).*/\\1/p'; }
echo $(interfaces)
for round in 1 2 3 4 5; do
	busybox usleep 200000 # it has served
	old=$(pid_of 'network netd')
	kill -9 $old
	wait_until "network netd running pid .* starts $((round + 1)) failures 0"
done
echo $(interfaces)
p=$(pid_of 'network netd')
echo $(grep -E '^(Uid|Groups|NoNewPrivs|Seccomp):' /proc/$p/status), $(cat /proc/$p/oom_score_adj), $(readlink /proc/$p/root)
status | sed 's/pid [0-9]*/pid/'
grep -v -e 'netd runs, pid' -e 'killed by signal 9' -e 'no IOMMU' -e 'found, for' -e ^netd: /tmp/log
"""


@pytest.mark.parametrize("iommu", ["intel-iommu,intremap=on", ""])
def test_network_stack_that_dies_has_its_cards_again(iommu):
    words = ["--add", f"{TOP}/build/devices:/devices", "--add", f"{TOP}/services/devices/table/netd.driver:/etc/tessera/drivers/netd.driver"]
    words += ["--add", f"{NETD}:/usr/lib/tessera/netd", *(["--device", iommu] if iommu else [])]
    for number, model in enumerate(("virtio-net-pci,disable-legacy=on,iommu_platform=on", "e1000")):
        words += ["--qemu", f"-netdev user,id=net{number}", "--device", f"{model},netdev=net{number},addr={number + 5:02x}"]
    ended = run_vm(STACK, *words, timeout=240)
    assert (ended.status, ended.out) == (
        1, # nothing is left of the log
        "3\neth0 eth1\neth0 eth1\nUid: 65534 65534 65534 65534 Groups: NoNewPrivs: 1 Seccomp: 2, -1000, /run/devices/empty\n"
        "0000:00:05.0 netd running pid starts 6 failures 0 wait 0\nnetwork netd running pid starts 6 failures 0 wait 0\n"
        "0000:00:06.0 netd running pid starts 6 failures 0 wait 0\n",
    ), str(ended)


CARD_PLUGGED = STACK[: STACK.index("/devices --daemon")] + """
say() { printf "$1" | dd of=/sys/bus/pci/devices/0000:00:01.0/config bs=1 seek=60 conv=notrunc 2>/dev/null; }
/devices --daemon 2>/tmp/log
say '\\101'
wait_until '01:00.0 netd running'
say '\\102'
for n in $(seq 1200); do status | grep -q 01:00.0 || break; busybox usleep 50000; done
wait_until 'network netd running pid .* starts 2 failures 0'
say '\\103'
wait_until '01:00.0 netd running'
status | sed 's/pid [0-9]*/pid/'
"""


def test_network_cards_are_plugged_in_and_out(tmp_path):
    """One that comes is given to the stack that runs; one that goes costs it its life, and the next one has the others."""
    words = ["--add", f"{TOP}/build/devices:/devices", "--add", f"{TOP}/services/devices/table/netd.driver:/etc/tessera/drivers/netd.driver"]
    words += ["--add", f"{NETD}:/usr/lib/tessera/netd", "--device", "intel-iommu,intremap=on"]
    words += ["--device", "pcie-root-port,id=root,slot=1,chassis=1", "--device", "e1000,netdev=net0,addr=05"]
    words += ["--qemu", f"-netdev user,id=net0 -netdev user,id=net1 -monitor unix:{tmp_path}/monitor,server=on,wait=off"]
    ended = []
    machine = threading.Thread(target=lambda: ended.append(run_vm(CARD_PLUGGED, *words, timeout=240)))
    machine.start()
    card = "device_add virtio-net-pci,id=plugged,netdev=net1,bus=root,disable-legacy=on,iommu_platform=on"
    plug(tmp_path, machine, [card, "device_del plugged", card])
    assert (ended[0].status, ended[0].out) == (
        0,
        "0000:00:05.0 netd running pid starts 2 failures 0 wait 0\nnetwork netd running pid starts 2 failures 0 wait 0\n"
        "0000:01:00.0 netd running pid starts 1 failures 0 wait 0\n",
    ), str(ended[0])


ADDRESS = """
address() { busybox ip -4 address show dev eth0 | sed -n 's/^ *inet/inet/p'; }
for n in $(seq 1200); do [ -n "$(address)" ] && [ -s /etc/resolv.conf ] && break; busybox usleep 100000; done
address
busybox ip route | grep default
cat /etc/resolv.conf
for n in $(seq 60); do busybox ping -c 1 -W 1 10.0.2.2 >/dev/null && echo answered && break; done
rm /run/network/eth0.names
kill -USR1 $(cat /run/network/eth0.pid) # have it confirmed
for n in $(seq 1200); do [ -s /run/network/eth0.names ] && break; busybox usleep 100000; done
cat /run/network/eth0.names
address
"""


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_cards_get_addresses_at_boot(kernel):
    ended = run_vm(ADDRESS, "--kernel", kernel, "--net", "user", timeout=240)
    inet = "inet 10.0.2.15/24 brd 10.0.2.255 scope global eth0\n"
    wanted = f"{inet}default via 10.0.2.2 dev eth0 \nnameserver 10.0.2.3\nanswered\nnameserver 10.0.2.3\n{inet}"
    assert (ended.status, ended.out) == (0, wanted), str(ended)


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_cards_are_left_alone_when_that_is_asked_for(kernel):
    text = "busybox ip address show dev eth0 | grep -c -e inet -e UP; [ -e /run/network.log ] || echo nobody asked"
    ended = run_vm(text, "--kernel", kernel, "--net", "user", "--append", "net=off", timeout=240)
    assert (ended.status, ended.out) == (0, "0\nnobody asked\n"), str(ended)
