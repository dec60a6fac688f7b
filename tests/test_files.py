# SPDX-License-Identifier: MIT
"""File systems on disks: ext4 by Debian's fuse2fs, on `--disk` and as `--root`.

The same disks and programs run on Debian's Linux, whose virtio driver is in its kernel: what differs is ours. The
exercisers are in tests/files: fsx.c (one file against a model), stress.c (names, by several processes), durable.c and
power_cut.py (what must be on the disk whenever the power goes), mutate.c and corrupt.sh (spoilt images).

What fails when a link of the chain fsync -> FUSE_FSYNC -> fuse2fs -> fsync of /dev/vda -> VIRTIO_BLK_T_FLUSH -> driver ->
device is cut is test_power_cut; each link was cut once to see it.

The parameters "long" are asked for: ./tessera test files.
"""
import os
import re
import shutil
import subprocess
import sys
import time

import pexpect
import pytest
from conftest import TESSERA, TOP, VARIANT, run_vm

sys.path.insert(0, str(TOP / "tests/files"))
import power_cut

PROGRAMS = TOP / "build/files"
UNASKED = bool(os.environ.get("TESSERA_TEST_ALL"))
KERNELS = ["tessera", "linux"]


def asked(long):
    if long and UNASKED:
        pytest.skip("takes long: ./tessera test files")


def make_disk(path, mib, features="^has_journal", block=4096, beyond=0, tree=None):
    """An ext4 of so many MiB, in front of so many bytes of the same disk."""
    words = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(block), "-O", features, *(["-d", tree] if tree else []), path, f"{mib}M"]
    subprocess.run([str(w) for w in words], check=True, capture_output=True)
    os.truncate(path, (mib << 20) + beyond)


def assert_clean(path):
    done = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "clean" in subprocess.run(["tune2fs", "-l", path], capture_output=True, text=True).stdout


def vm(command, *options, kernel="tessera", **more):
    return run_vm(command, "--kernel", kernel, "--add", f"{PROGRAMS}:/x", *options, **more)


# ------------------------------------------------------------------------------------------------- a disk that is kept

EXERCISE = """
cd PLACE || exit; p=
for s in FSX; do /x/fsx -s $s -n FSX_N WITHOUT fsx$s >/tmp/said.$s 2>&1 & p="$p $!"; done
for q in $p; do wait $q || { cat /tmp/said.*; exit 1; }; done
mkdir tree && /x/stress -s SEED -p 4 -n STRESS_N tree || exit
find . -name 'fsx*' -type f | sort | xargs sha256sum >sums
rm -rf tree/d0; /x/stress -l tree >list
cd /; echo PLACE done
"""

AGAIN = """
cd /disk || exit
sha256sum --quiet -c sums && echo sums; /x/stress -l tree | diff list - && echo tree
cd /; umount /disk; echo unmounted $?
grep -c fuse.ext4 /proc/mounts
"""


# fuse2fs 1.47.0 leaves old bytes in holes that begin with a block and end within it, on either kernel: they are seen when
# the kernel has not cached the page, or no more.
NO_HOLES = "-w punch"


def exercise(place, seed, long, without=""):
    words = {"FSX_N": 4000 if long else 250, "STRESS_N": 3000 if long else 150, "SEED": seed, "PLACE": place, "WITHOUT": without,
             "FSX": " ".join(str(seed * 100 + n) for n in range(6 if long else 2))}
    text = EXERCISE
    for word, value in words.items():
        text = text.replace(word, str(value))
    return text


@pytest.mark.parametrize("size,kernel,seed", [("quick", "tessera", 1), ("long", "linux", 1), *(("long", k, s) for k in KERNELS for s in (2, 3))])
def test_a_disk_is_exercised_and_kept(size, kernel, seed, tmp_path):
    """fsx and names on tmpfs and on ext4, in one machine; another finds all that the first left. Someone is still at work,
    and stands in the file system, when the first machine is switched off."""
    asked(size == "long")
    disk = tmp_path / "disk.img"
    make_disk(disk, 64, block=4096 if seed % 2 else 1024)
    first = exercise("/tmp", seed, size == "long") + exercise("/disk", seed, size == "long", NO_HOLES)
    first += "mount | grep vd\ncd /disk; sh -c 'exec 9>open; trap : TERM; echo begun >begun; while :; do sleep 0.1; done' >/dev/null 2>&1 &\n"
    first += "until [ -s /disk/begun ]; do sleep 0.05; done; echo left"
    ended = vm(first, "--disk", str(disk), kernel=kernel, timeout=900 if size == "long" else 200)
    assert ended.status == 0, str(ended)
    mounted = "/dev/vda on /disk type fuse.ext4 (rw,relatime,user_id=0,group_id=0,default_permissions,allow_other)"
    out = [line for line in ended.out.splitlines() if "not supported" not in line]
    assert out == ["/tmp done", "/disk done", mounted, "left"], str(ended)
    assert not re.search("^init: ", ended.console, re.M), str(ended)
    assert_clean(disk)
    ended = vm(AGAIN, "--disk", str(disk), kernel=kernel)
    assert (ended.status, ended.out) == (1, "sums\ntree\nunmounted 0\n0\n"), str(ended)
    assert_clean(disk)


def test_vm_makes_a_disk_of_a_size(tmp_path):
    """And mounts it; the second one is mounted too; poweroff, which never returns, unmounts both."""
    first, second = tmp_path / "a.img", tmp_path / "b.img"
    ended = vm("df -k /disk /disk2 | awk 'NR > 1 { print ($2 > 28000 && $2 < 34000), $6 }'; echo x >/disk/x; echo y >/disk2/y; poweroff; sleep 1000",
               "--disk", f"{first},size=32M", "--disk", f"{second},size=32M")
    assert ended.status == 125 and ended.out == "1 /disk\n1 /disk2\n", str(ended)
    assert "the machine stopped before the command ended" in ended.err
    for disk in (first, second):
        assert disk.stat().st_blocks * 512 < 4 << 20
        assert_clean(disk)
    assert subprocess.run(["debugfs", "-R", "cat /y", second], capture_output=True, text=True).stdout == "y\n"


def test_run_makes_a_disk_and_keeps_it(tmp_path):
    """As a user: `run --disk` with a file that is not there; what is typed is there the next time."""
    disk = tmp_path / "home.img"
    words = ["run", "--disk", f"{disk},size=64M", "--build", VARIANT]
    for order, answer in (("echo kept-$((6 * 7)) > /disk/note; cd /disk", "disk#"), ("cat /disk/note", "kept-42")):
        shell = pexpect.spawn(TESSERA, words, cwd=TOP, env=dict(os.environ, TESSERA_BUILT="1"), encoding="utf-8", timeout=120)
        shell.expect("tessera:~# ")
        shell.sendline(order)
        shell.expect(answer)
        shell.sendline("exit")
        shell.expect(pexpect.EOF)
        shell.close()
        assert shell.exitstatus == 0
        assert_clean(disk)
    assert 0 < disk.stat().st_blocks * 512 < disk.stat().st_size == 64 << 20


# ---------------------------------------------------------------------------------------------------------- a root

ROOT = """
mount | sed -n 1p
ls -d /run/initramfs/x /sysroot 2>&1
dpkg -l bash apt | grep -c ^ii; dpkg -V bash coreutils libc6; echo verified $?
python3 -c 'import json, hashlib; print(json.dumps({"root": hashlib.sha256(open("/bin/bash", "rb").read()).hexdigest() != ""}))'
apt-cache --version | head -1 | cut -d" " -f1
cp /bin/bash /home/copy && /home/copy -c 'echo from a copy'
flock /home/lock true && echo locked
/run/initramfs/x/fsx -w punch -s 5 -n 150 /home/fsx && echo fsx; sha256sum /home/fsx > /home/sums
mkdir /home/tree && /run/initramfs/x/stress -s 7 -n 60 /home/tree && echo names
kill -9 $(sed -n 's/.* virtio_blk running pid \\([0-9]*\\) .*/\\1/p' /run/devices/status); sync; cat /usr/bin/* | wc -c | grep -c ......
(trap '' TERM; while :; do echo at work >>/home/busy; done) &
"""

ROOT_AGAIN = "sha256sum -c /home/sums; test -s /home/busy && echo busy; /home/copy -c 'echo again $$' | sed 's/[0-9].*/pid/'; exit 7"


def test_a_debian_system_is_the_root(tmp_path):
    """Made without a network or privileges of its own, started twice; its driver is killed under it, and somebody writes
    until the end."""
    disk = tmp_path / "root.img"
    ended = vm(ROOT, "--root", f"{disk},size=1G", timeout=240)
    assert ended.status == 0 and not re.search("^init: ", ended.console, re.M), str(ended)
    lines = ended.out.splitlines()
    assert lines[0].startswith("/dev/vda on / type fuse.ext4 (rw"), str(ended)
    assert lines[1:] == ["ls: cannot access '/sysroot': No such file or directory", "/run/initramfs/x", "2", "verified 0",
                         '{"root": true}', "apt", "from a copy", "locked", "fsx: zero is not supported here", "fsx", "names",
                         "1"], str(ended)
    assert_clean(disk)
    ended = vm(ROOT_AGAIN, "--root", str(disk), timeout=120)
    assert (ended.status, ended.out) == (7, "/home/fsx: OK\nbusy\nagain pid\n"), str(ended)
    assert_clean(disk)


# ------------------------------------------------------------------------------------------------------ power cuts

WRITER = f"cd /disk && mkdir {power_cut.INSIDE} && /x/durable -s SEED -n STEPS {power_cut.INSIDE} /dev/vda {16 << 20}"


@pytest.mark.parametrize("size,kernel,seed", [("quick", "tessera", 1), ("long", "tessera", 2), ("long", "linux", 2), ("long", "tessera", 3)])
def test_power_cut(size, kernel, seed, tmp_path):
    """The disk as it may be after a cut at many places of the record of its writes: e2fsck makes it clean, and all that was
    said to be durable is there."""
    asked(size == "long")
    disk, log = tmp_path / "disk.img", tmp_path / "writes.log"
    make_disk(disk, 16, beyond=1 << 20)
    before = disk.read_bytes()
    steps, cuts = (300, 600) if size == "long" else (40, 60)
    command = WRITER.replace("SEED", str(seed)).replace("STEPS", str(steps))
    ended = vm(command, "--disk", f"{disk},log={log}", kernel=kernel, timeout=200)
    assert ended.status == 0 and ended.out.endswith("durable: end 0 0\n"), str(ended)
    verdict = power_cut.try_cuts(before, log, 16 << 20, tmp_path, cuts, seed)
    print(verdict)
    assert verdict.cuts >= cuts * 2 // 3 and not verdict.lost and not verdict.unfixed, str(verdict)
    assert_clean(disk)


def test_the_emulator_is_killed(tmp_path):
    """A real cut: QEMU dies while durable.c writes. What it said on the line before is on the disk, which the next machine
    repairs by itself and mounts."""
    disk, out = tmp_path / "disk.img", tmp_path / "out"
    make_disk(disk, 16, beyond=1 << 20)
    command = WRITER.replace("SEED", "4").replace("STEPS", "100000")
    words = [TESSERA, "vm", "--build", VARIANT, "--disk", disk, "--add", f"{PROGRAMS}:/x", "--timeout", "100", "--", command]
    with open(out, "wb") as file:
        machine = subprocess.Popen([str(w) for w in words], cwd=TOP, env=dict(os.environ, TESSERA_BUILT="1"), stdin=subprocess.DEVNULL,
                                   stdout=file, stderr=subprocess.DEVNULL)
        while out.read_bytes().count(b"durable: ") < 30 and machine.poll() is None:
            time.sleep(0.02)
        emulator = children(machine.pid, "qemu-system")
        os.kill(emulator, 9)
        machine.wait(60)
    said = [line.split()[1:] for line in out.read_text().splitlines(keepends=True) if line.endswith("\n")]
    assert len(said) >= 30
    ended = vm(f"cp -r /disk/{power_cut.INSIDE} /disk/seen; cat /run/disks.log", "--disk", str(disk))
    assert ended.status == 0 and "/dev/vda" in ended.out, str(ended)
    assert_clean(disk)
    subprocess.run(["debugfs", "-R", f"rdump /seen {tmp_path}", disk], capture_output=True, check=True)
    judge = power_cut.Judge()
    for words in said:
        judge.take(*words)
    assert [line for line in judge.missing(tmp_path / "seen") if "midst of a rename" not in line] == []


def children(parent, name):
    """The process of that name below `parent`."""
    table = subprocess.run(["ps", "-eo", "pid,ppid,comm"], capture_output=True, text=True).stdout.splitlines()[1:]
    below = {parent}
    for _ in range(8):
        below |= {int(pid) for pid, above, _ in (line.split(None, 2) for line in table) if int(above) in below}
    return next(int(pid) for pid, _, comm in (line.split(None, 2) for line in table) if int(pid) in below and comm.startswith(name))


# --------------------------------------------------------------------------------------------------- spoilt images


def sample_tree(folder):
    for name, count in (("f1", 300), ("f2", 900), ("f3", 2000), ("d2/big", 5000), ("d2/e/f/deep", 10)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(f"{n}\n" for n in range(count)))
    (folder / "d1").mkdir()
    for n in range(60):
        (folder / f"d1/a-name-that-is-long-{n}").touch()
    (folder / "link").symlink_to("f1")
    return folder


@pytest.mark.parametrize("size,first,last", [("quick", 1, 8), ("long", 100, 220)])
def test_spoilt_images(size, first, last, tmp_path):
    """Errors for who asks, no end of the machine, nobody left; with checksums and without, by which more comes through."""
    asked(size == "long")
    (tmp_path / "tree").mkdir()
    tree = sample_tree(tmp_path / "tree")
    make_disk(tmp_path / "plain", 1, "^has_journal,^metadata_csum", 1024, tree=tree)
    make_disk(tmp_path / "sums", 1, "^has_journal", 1024, tree=tree)
    shutil.copy(TOP / "tests/files/corrupt.sh", tmp_path / "corrupt.sh")
    ended = vm(f"sh /c/corrupt.sh {first} {last} /c/plain /c/sums", "--with", "fuse2fs,e2fsprogs", "--add", f"{tmp_path}:/c",
               timeout=60 + 12 * (last - first + 1))
    found = re.search(r"^spoilt: (\d+) mounted, (\d+) refused, (\d+) daemons died, (\d+) users killed$", ended.out, re.M)
    assert ended.status == 0 and found and ended.out.count("\n") == 1, str(ended)
    count = (last - first + 1) * 2
    assert int(found[1]) + int(found[2]) == count and int(found[1]) >= count // 4 and int(found[2]) > 0, str(ended)


BROKEN = """
printf 'mounted: '; cat /disk/f1 | wc -l; echo 2 >/disk/written; cat /disk2/f1 2>&1 | head -1
ls -d /disk3 2>&1; grep -c . /run/disks.log; cat /disk/d2/e/f/deep | wc -l
"""


def test_spoilt_disks_do_not_stop_the_boot(tmp_path):
    """One that can be repaired is, one that is only called ext4 is not mounted, and one that is no ext4 is left alone."""
    (tmp_path / "tree").mkdir()
    tree = sample_tree(tmp_path / "tree")
    repairable, hopeless, other = (tmp_path / name for name in ("repairable", "hopeless", "other"))
    for disk in (repairable, hopeless, other):
        make_disk(disk, 16, block=1024, tree=tree)
    with open(repairable, "r+b") as file:
        file.seek(2048)  # the group descriptors
        file.write(bytes(1024))
    with open(hopeless, "r+b") as file:
        file.write(os.urandom(1 << 20))
        file.seek(1080)
        file.write(b"\x53\xef")
        file.seek(1 << 20)
        file.write(bytes(15 << 20))
    with open(other, "r+b") as file:
        file.seek(1080)
        file.write(b"\0\0")
    ended = vm(BROKEN, "--disk", str(repairable), "--disk", str(hopeless), "--disk", str(other))
    assert ended.status == 0, str(ended)
    assert re.match(r"mounted: 300\ncat: /disk2/f1: No such file or directory\nls: cannot access '/disk3'.*\n\d+\n10\n$", ended.out), str(ended)
    assert "init: /dev/vda: e2fsck -p is not enough" in ended.console and "init: /dev/vdb: fuse2fs does not mount it on /disk2" in ended.console
    assert "/dev/vdc" not in ended.console
    assert_clean(repairable)
