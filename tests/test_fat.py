# SPDX-License-Identifier: MIT
"""The FAT driver (drivers/fs/fat) and what boots from it.

Random operations compared with a model (tests/fat), by the library alone on the host and through FUSE in the machine; what
it writes is read by mtools and by Linux's vfat, what these write by it; fsck.fat finds nothing. boot=ramdisk gives a shell.
"""
import filecmp
import os
import re
import shutil
import subprocess

import pexpect
import pytest
from conftest import ENVIRONMENT, SLOWER, TESSERA, TOP, VARIANT, run_vm

TORTURE = TOP / "build/fat/torture-asan"
PATH = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
IMAGES = {"fat12": (12, 1440, 1), "fat12 full": (12, 200, 4), "fat16": (16, 9000, 2), "fat32": (32, 40000, 1)}
VFAT = "fuse,vfat,loop,nls_cp437,nls_ascii,nls_utf8"


@pytest.fixture(scope="module", autouse=True)
def built():
    targets = ["drivers", "filesystems", "ramdisk", "build/fat/torture", "build/fat/torture-asan"]
    subprocess.run(["flock", "build/.lock", "make", "-s", "-j2", *targets], cwd=TOP, check=True, timeout=600)


def run(*command, status=0):
    done = subprocess.run(
        [str(word) for word in command], env=PATH, capture_output=True, text=True, errors="replace", timeout=300
    )
    assert done.returncode == status, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def mkfs(path, kind):
    bits, size, sectors = IMAGES[kind]
    path.unlink(missing_ok=True)
    run("mkfs.fat", "-C", "-F", bits, "-s", sectors, "-n", "VOLUME", path, size)
    return path


def fsck(path):
    said = run("fsck.fat", "-n", path)
    assert "irty" not in said and len(said.splitlines()) == 2, said


def same(one, other):
    """Two trees on the host are the same, names and bytes. How many names that are."""
    difference = filecmp.dircmp(one, other)
    assert not difference.left_only and not difference.right_only, difference.report()
    wrong = filecmp.cmpfiles(one, other, difference.common_files, shallow=False)
    assert not wrong[1] and not wrong[2], wrong
    below = [same(one / name, other / name) for name in difference.common_dirs]
    return len(difference.common) + sum(below)


@pytest.mark.parametrize("kind", IMAGES)
def test_library_against_model(tmp_path, kind):
    for seed in range(1, 5):
        image = mkfs(tmp_path / "image", kind)
        run(TORTURE, "--seed", seed, "--steps", 2000, "--image", image)
        fsck(image)


@pytest.mark.parametrize("kind", IMAGES)
def test_mtools_reads_what_is_written(tmp_path, kind):
    image, ours, theirs = mkfs(tmp_path / "image", kind), tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    run(TORTURE, "--plain", "--steps", 1000, "--export", ours, "--image", image)
    run("mcopy", "-s", "-n", "-i", image, "::*", f"{theirs}/")
    assert same(ours, theirs) > 20


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32"])
def test_reads_what_mtools_writes(tmp_path, kind):
    image, tree, ours = mkfs(tmp_path / "image", kind), tmp_path / "tree", tmp_path / "ours"
    ours.mkdir()
    shutil.copytree(TOP / "drivers", tree / "drivers")
    (tree / "Ein Name mit Umläuten äöü.txt").write_text("1")
    (tree / "UPPER.TXT").write_text("2")
    (tree / "lower.txt").write_text("3")
    (tree / "empty").write_text("")
    run("mcopy", "-s", "-Q", "-i", image, *sorted(tree.iterdir()), "::")
    run(TORTURE, "--steps", 0, "--export", ours, "--image", image)
    assert same(tree, ours) > 20


# ------------------------------------------------------------------------------------- in the machine

# What is where, in one order, with its size, sum, and time.
SHOW = r"""show() { (cd $1 && find . | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z >/tmp/files &&
	xargs -0 stat -c '%n %s %Y' </tmp/files && xargs -0 sha256sum </tmp/files); }
away() { umount $1; until flock -s $2 true; do :; done; }
"""


def machine(command, *options, kernel="tessera", image=None, timeout=300):
    adds = ["--ramdisk", image] if image else []
    adds += ["--add", f"{TOP}/build/fat/torture:/usr/bin/torture", "--add", f"{TOP}/build/fs/fat:/usr/bin/fat"]
    return run_vm(command, "--kernel", kernel, *adds, *options, timeout=timeout)


@pytest.mark.parametrize("kind", ["fat12", "fat32"])
def test_mounted_against_model(tmp_path, kind):
    """Through FUSE and the page cache of our kernel."""
    image = mkfs(tmp_path / "image", kind)
    ended = machine("mkdir /x && fat /boot/ramdisk.img /x && torture --steps 1000 /x && umount /x", image=image)
    assert ended.status == 0 and "1000 steps" in ended.out, str(ended)


def test_linux_vfat_sees_the_same(tmp_path):
    """Linux's driver reads what ours wrote and the other way, names, sizes, times and bytes; the model holds for both."""
    script = SHOW + r"""
mkdir /x /y
for image in /images/*; do
	for writer in ours theirs; do
		cp $image /tmp/image
		if [ $writer = ours ]; then fat /tmp/image /x; else mount -t vfat -o loop,utf8=1,tz=UTC /tmp/image /x; fi
		torture --seed 7 --steps 400 /x >/dev/null || exit 1
		away /x /tmp/image
		fat -o ro /tmp/image /x && show /x >/tmp/ours && away /x /tmp/image
		mount -t vfat -o ro,loop,utf8=1,tz=UTC /tmp/image /y && show /y >/tmp/theirs && umount /y
		cmp /tmp/ours /tmp/theirs || { diff /tmp/ours /tmp/theirs | head -20; exit 1; }
		echo $image $writer $(wc -l </tmp/ours) same
	done
done
"""
    (tmp_path / "images").mkdir()
    for kind in ("fat12", "fat16", "fat32"):
        mkfs(tmp_path / "images" / kind, kind)
    (tmp_path / "script").write_text(script)
    adds = ["--add", f"{tmp_path}/images:/images", "--add", f"{tmp_path}/script:/script"]
    ended = machine(". /script", *adds, "--with", "util-linux", "--module", VFAT, kernel="linux")
    assert ended.status == 0 and len(re.findall(r"(?:ours|theirs) \d\d+ same", ended.out)) == 6, str(ended)


# ----------------------------------------------------------------------------------------- boot=ramdisk

RAMDISK = r"ramdisk:[^\r\n]*# "
USER = r"root@tessera:[^\r\n]*# "


def ask(process, line, prompt):
    process.sendline(line)
    # ksh's line editor sends a carriage return of its own.
    process.expect(re.escape(line) + "\r+\n")
    process.expect(prompt)
    return process.before.replace("\r", "").strip()


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_boot_gives_a_shell_and_init_user_space(kernel):
    process = pexpect.spawn(
        TESSERA,
        ["run", "--build", VARIANT, "--kernel", kernel, "--append", "boot=ramdisk", "--timeout", "900"],
        cwd=str(TOP),
        env=dict(ENVIRONMENT, TERM="dumb"),
        timeout=int(120 * SLOWER[VARIANT]),
        encoding="utf-8",
        codec_errors="replace",
        dimensions=(30, 200),
    )
    process.delaybeforesend = 0.1
    try:
        process.expect(RAMDISK)
        assert "MIRBSD KSH" in ask(process, "echo $KSH_VERSION", RAMDISK)
        assert "fuse.fat" in ask(process, "mount | grep ' / '", RAMDISK)
        assert ask(process, "echo written here >/New.Text; cat /NEW.TEXT", RAMDISK) == "written here"
        assert ask(process, "/bin/ksh -c 'echo $((6 * 7)) | /bin/mksh -c cat'", RAMDISK) == "42"
        assert "Notes.txt" in ask(process, "ls", RAMDISK)
        process.sendline("sleep 1000")
        process.expect("sleep 1000\r+\n")
        # One that comes before the shell has given the terminal away is nobody's.
        process.send("\x03")
        while process.expect([RAMDISK, pexpect.TIMEOUT], timeout=5):
            process.send("\x03")
        process.sendline("init")
        process.expect(USER)
        assert "written here" in ask(process, "cat /ramdisk/new.text", USER)
        assert "no shell" in ask(process, "grep -x mksh /proc/[0-9]*/comm || echo no shell", USER)
        process.sendline("exit")
        process.expect(pexpect.EOF)
    finally:
        process.close(force=True)


def test_another_image_without_building(tmp_path):
    """The image is swapped, on the command line alone: a shell and nothing else."""
    image, shell = mkfs(tmp_path / "image", "fat32"), tmp_path / "sh"
    base = TOP / "build/image/ramdisk.fat"
    run("mcopy", "-n", "-i", base, "::bin/ksh", shell)
    (tmp_path / "mine.txt").write_text("another image\n")
    run("mmd", "-i", image, "::bin")
    run("mcopy", "-i", image, shell, "::bin/sh")
    run("mcopy", "-i", image, tmp_path / "mine.txt", "::")
    ended = machine('while read line; do echo "$line"; done <MINE.TXT', "--append", "boot=ramdisk", image=image)
    assert ended.status == 0 and ended.out == "another image\n", str(ended)


def test_image_on_a_disk_is_kept(tmp_path):
    """On a disk, what is written stays, and the volume is clean after the machine has been switched off."""
    image = tmp_path / "image"
    shutil.copy(TOP / "build/image/ramdisk.fat", image)
    options = ["--disk", image, "--append", "boot=ramdisk ramdisk=/dev/vda"]
    ended = machine("mkdir /kept; seq 1000 >/kept/numbers; sync; df /", *options)
    assert ended.status == 0 and "/dev/vda" in ended.out, str(ended)
    fsck(image)
    run("mcopy", "-n", "-i", image, "::kept/numbers", tmp_path / "numbers")
    assert (tmp_path / "numbers").read_text().split() == [str(n) for n in range(1, 1001)]


def test_the_machine_is_stopped_from_the_ramdisk():
    ended = machine("echo before; kill -USR2 1; read line </dev/console; echo after", "--append", "boot=ramdisk")
    assert ended.out == "before\n" and "power off" in ended.console, str(ended)


def test_nonsense_as_an_image(tmp_path):
    """The driver says what is wrong, and user space comes without a ramdisk."""
    image = tmp_path / "image"
    image.write_bytes(b"no file system" * 100000)
    ended = machine("ls -d /ramdisk/bin; echo user space", "--append", "boot=ramdisk", image=image)
    assert ended.out.endswith("user space\n") and "the boot sector has no mark" in ended.console, str(ended)
