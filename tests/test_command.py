# SPDX-License-Identifier: MIT
"""The command itself: mistakes get one line that says what and how to mend it, and a status."""
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, TESSERA, TOP


def tessera(*words, **more):
    return subprocess.run(
        [TESSERA, *words],
        cwd=TOP,
        env=dict(ENVIRONMENT, **more.pop("env", {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        **more,
    )


MISTAKES = {
    "cluster 3": (2, "not available yet"),
    "frobnicate": (2, "unknown command 'frobnicate'"),
    "vm": (2, "vm wants a command"),
    "vm --frob -- true": (2, "unknown option '--frob'"),
    "vm --cpus 0 -- true": (2, "--cpus wants a number from 1 to 64"),
    "vm --cpus 65 -- true": (2, "--cpus wants a number from 1 to 64"),
    "vm --cpus two -- true": (2, "--cpus wants a number"),
    "vm --mem -- true": (2, "--mem wants a number"),
    "vm --mem 99999999999 -- true": (2, "--mem wants a number"),
    "vm --mem": (2, "--mem wants a value"),
    "vm --kernel hurd -- true": (2, "--kernel wants one of: tessera linux linux-full"),
    "vm --boot floppy -- true": (2, "--boot wants one of: pvh bios uefi"),
    "vm --profile huge -- true": (2, "--profile wants one of: base full busybox"),
    "vm --emulator bochs --boot uefi -- true": (2, "boots by bios only"),
    "vm --emulator simh -- true": (2, "--emulator wants one of: qemu"),
    "vm --disk /no/such/file -- true": (2, "there is no '/no/such/file'"),
    "vm --disk /etc/passwd --machine microvm -- true": (2, "--disk needs a machine with PCI"),
    "vm --disk /etc/passwd --emulator bochs -- true": (2, "--disk and --device need QEMU"),
    "vm --ramdisk /no/such/file -- true": (2, "--ramdisk: there is no '/no/such/file'"),
    "vm --kernel linux --module no_such -- true": (126, "no module 'no_such'"),
    "vm --net hub -- true": (2, "--net wants user or hub=NAME"),
    "vm --net user,forward=80 -- true": (2, "want HOSTPORT:GUESTPORT"),
    "vm --net user,nic=ne2k -- true": (2, "--net nic= wants one of: virtio-net-pci e1000 e1000e"),
    "vm --net user,speed=10 -- true": (2, "--net has no option 'speed=10'"),
    "vm --net user --machine microvm -- true": (2, "--net needs a machine with PCI"),
    "vm --net user --emulator bochs -- true": (2, "--net needs QEMU"),
    "vm --add /no/such/file -- true": (2, "there is no '/no/such/file'"),
    "vm --with Vim -- true": (2, "--with wants names of Debian packages"),
    "vm --with ../x -- true": (2, "--with wants names of Debian packages"),
    "vm --with no-such-package -- true": (126, "no package 'no-such-package'"),
    "vm --with grep --mem 20 -- true": (126, "--mem 20 is too little"),
    "vm --timeout 0 -- true": (2, "--timeout wants a number"),
    "vm --mem 8 -- true": (126, "--mem 8 is too little"),
    "vm --kernel linux --mem 32 -- true": (126, "--mem 32 is too little"),
    "vm --debug -- true": (2, "--debug is for tessera run"),
    "run true": (2, "run takes no command"),
    "test unit everyday": (2, "everyday is a word for itself"),
}


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes(words):
    status, what = MISTAKES[words]
    done = tessera(*words.split())
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert (
        what in done.stderr and done.stderr.startswith("tessera: ") and done.stderr.count("\n") == 1
    )


def test_unknown_processor_model():
    done = tessera("vm", "--cpu", "i4004", "--", "true")
    assert done.returncode == 126 and "i4004" in done.stderr


def test_help():
    done = tessera("--help")
    assert done.returncode == 0
    for (
        word
    ) in "--cpus --mem --kernel --with --add --disk --device --ramdisk --module --icount --boot --cpu --timeout --append --emulator 124 125 126".split():
        assert word in done.stdout
    assert tessera().returncode == 2


def fake(folder, name, text):
    path = Path(folder, name)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_missing_package_without_rights(tmp_path):
    """As a user without sudo: one line that names the packages."""
    fake(tmp_path, "dpkg-query", "echo make installed\n")
    fake(tmp_path, "id", "echo 1000\n")
    fake(tmp_path, "sudo", "exit 1\n")
    done = tessera("vm", "--", "true", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == 126 and done.stderr.count("\n") == 1
    assert (
        "apt-get install" in done.stderr
        and "qemu-system-x86" in done.stderr
        and " make" not in done.stderr
    )


def test_missing_package_is_installed(tmp_path):
    """As root: apt is asked for exactly what is missing; when it fails its words and one line are shown."""
    fake(tmp_path, "dpkg-query", "shift 3; for p; do [ $p = xorriso ] || echo $p installed; done\n")
    fake(tmp_path, "id", "echo 0\n")
    fake(
        tmp_path,
        "apt-get",
        f'echo "$*" >> {tmp_path}/asked; case "$*" in *install*) echo no mirror; exit 100;; esac\n',
    )
    done = tessera(
        "vm", "--boot", "bios", "--", "true", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )
    assert (
        done.returncode == 126
        and "no mirror" in done.stderr
        and "apt-get install xorriso" in done.stderr
    )
    assert Path(tmp_path, "asked").read_text().splitlines()[-1].endswith(" install xorriso")


def test_hang_is_a_status_of_its_own():
    done = tessera("vm", "--timeout", "30", "--", "echo before; sleep 1000")
    assert done.returncode == 124 and done.stdout == "before\n"
    assert "log of the machine" in done.stderr and "--timeout" in done.stderr.splitlines()[-1]


def test_panic_is_a_status_of_its_own():
    """A kernel without its first program panics: reason and symbolised backtrace are printed."""
    done = tessera("vm", "--append", "init=/no/such/program", "--timeout", "60", "--", "true")
    assert done.returncode == 125 and done.stdout == ""
    assert "PANIC:" in done.stderr and "/no/such/program" in done.stderr
    assert re.search(r"thread_begin\+0x", done.stderr)
    assert "the kernel panicked" in done.stderr.splitlines()[-1]


def test_panic_of_linux_is_a_status_too():
    done = tessera(
        "vm",
        "--kernel",
        "linux",
        "--timeout",
        "60",
        "--",
        "echo before; echo c > /proc/sysrq-trigger",
    )
    assert done.returncode == 125 and "before" in done.stdout
    assert "the kernel panicked" in done.stderr.splitlines()[-1]


def test_output_comes_as_it_is_made():
    words = ["vm", "--", "echo first; sleep 8; echo second"]
    machine = subprocess.Popen([TESSERA, *words], cwd=TOP, env=ENVIRONMENT, stdout=subprocess.PIPE)
    assert machine.stdout.readline() == b"first\n"
    first = time.monotonic()
    assert machine.stdout.readline() == b"second\n"
    assert time.monotonic() - first > 4
    assert machine.wait() == 0


def test_reader_that_leaves():
    done = subprocess.run(
        ["sh", "-c", f"{TESSERA} vm -- 'seq 1 100000000' | head -2"],
        cwd=TOP,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.stdout == "1\n2\n"


def test_added_files_and_folders(tmp_path):
    Path(tmp_path, "tree/inner").mkdir(parents=True)
    Path(tmp_path, "tree/inner/file").write_text("deep")
    Path(tmp_path, "tree/link").symlink_to("inner/file")
    Path(tmp_path, "one").write_text("one" * 5000)
    done = tessera(
        "vm",
        "--add",
        f"{tmp_path}/one",
        "--add",
        f"{tmp_path}/tree:/srv/tree",
        "--",
        "wc -c < one; cat /srv/tree/link; ls /bin/sh",
    )
    assert (done.returncode, done.stdout) == (0, "15000\ndeep/bin/sh\n"), done.stderr


def test_disks_and_devices(tmp_path):
    """Disks over files, one of them behind an IOMMU; a module with its arguments and with what it needs."""
    for name in ("first", "second one", "third"):
        Path(tmp_path, name).write_bytes(name.encode().ljust(1 << 20, b"\0"))
    done = tessera(
        *("vm", "--kernel", "linux", "--timeout", "100"),
        *("--disk", f"{tmp_path}/first", "--disk", f"{tmp_path}/third,snapshot=on"),
        *("--device", f"nvme,serial=1,file={tmp_path}/second one", "--device", "intel-iommu,intremap=on"),
        *("--module", "virtio_pci,virtio_blk,vfio-pci,loop:max_loop=3", "--module", "nvme", "--"),
        "head -c 5 /dev/vda; head -c 10 /dev/nvme0n1; head -c 5 /dev/vdb; echo; uname -r | grep -c cloud;"
        "printf FIRST | dd of=/dev/vda conv=notrunc,fsync 2>/dev/null; printf x | dd of=/dev/vdb conv=fsync 2>/dev/null;"
        "cat /sys/module/loop/parameters/max_loop; ls /dev/vfio; readlink /sys/class/block/vda/../../../iommu_group | wc -l;"
        "test -e /sys/module/vfio_iommu_type1 && echo type1",
    )
    assert (done.returncode, done.stdout) == (0, "firstsecond onethird\n0\n3\nvfio\n1\ntype1\n"), done.stderr
    assert [Path(tmp_path, n).read_bytes()[:5] for n in ("first", "third")] == [b"FIRST", b"third"]


def test_a_disk_does_not_disturb(tmp_path):
    Path(tmp_path, "disk").write_bytes(bytes(1 << 20))
    done = tessera("vm", "--disk", f"{tmp_path}/disk", "--device", "edu", "--module", "loop", "--", "echo here; ls /dev/vda")
    assert (done.returncode, done.stdout) == (0, "here\n/dev/vda\n"), done.stderr


@pytest.mark.parametrize("kernel", ["tessera", "linux"])
def test_packages_with_what_they_need(kernel):
    """gawk needs libraries that the image lacks, has a link made by its maintainer script, and takes the
    place of a link to busybox, which stays what it was."""
    done = tessera(
        *("vm", "--kernel", kernel, "--with", "gawk,bc", "--with", "dash", "--"),
        "readlink /usr/bin/awk; awk --version | head -c 7; echo; echo 6 '*' 7 | bc; busybox echo still",
    )
    assert (done.returncode, done.stdout) == (0, "gawk\nGNU Awk\n42\nstill\n"), done.stderr


def test_dependencies(monkeypatch):
    """Of alternatives the first, unless another is there; of the providers of a virtual package too."""
    monkeypatch.syspath_prepend(TOP / "tools/image")
    from add_packages import Graph

    answer = """a
  PreDepends: c
 |Depends: first
  Depends: second
  Depends: <virtual>
    one
    two
c
  Depends: perl:any
first
second
one
two
  Depends: c
perl:any
perl
"""
    monkeypatch.setattr(Graph, "_ask", staticmethod(lambda names: answer))
    graph = Graph(["a"])
    assert graph.closure(["a"], set(), set()) == ["a", "c", "first", "one", "perl"]
    assert graph.closure(["a"], {"second"}, {"perl"}) == ["a", "c", "one"]
    assert graph.closure(["a", "two"], {"first"}, {"perl"}) == ["a", "c", "two"]


def test_probe_of_the_accelerator(tmp_path):
    """The probe believes only a virtual CPU that ran: true with TCG, false where none starts."""
    script = f'. {TOP}/tools/vm/host.sh; host_probe {tmp_path}/firmware "$1"'
    for accelerator, works in (("tcg", True), ("none-such", False)):
        done = subprocess.run(["sh", "-c", script, "sh", accelerator], timeout=120)
        assert (done.returncode == 0) == works


def test_several_at_once_and_nothing_left(tmp_path):
    results = []

    def one(number):
        done = tessera(
            "vm",
            "--",
            f"echo {number}; exit {number}",
            env={"TMPDIR": str(tmp_path)},
        )
        results.append((done.returncode, done.stdout))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(n, f"{n}\n") for n in range(1, 5)]
    assert list(tmp_path.iterdir()) == []


def test_interrupt_stops_the_machine(tmp_path):
    machine = subprocess.Popen(
        [TESSERA, "vm", "--", "echo up; sleep 100"],
        cwd=TOP,
        env=dict(ENVIRONMENT, TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
    )
    machine.stdout.readline()
    machine.terminate()
    assert machine.wait(timeout=120) == 143
    assert list(tmp_path.iterdir()) == []


def test_damaged_image(tmp_path):
    """An image cut short is noticed before a machine starts."""
    tree = tmp_path / "tree"
    for part in ("tessera", "tools", "build/linux"):
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(TOP / part, tree / part)
    os.unlink(tree / "tessera")
    subprocess.run(["cp", TESSERA, tree / "tessera"], check=True)
    (tree / "build/image").mkdir()
    image = (TOP / "build/image/base.cpio").read_bytes()
    (tree / "build/image/base.cpio").write_bytes(image[: len(image) // 2])
    done = subprocess.run(
        [tree / "tessera", "vm", "--kernel", "linux", "--", "true"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 126 and "damaged" in done.stderr and done.stderr.count("\n") == 1


def test_again_tells_which_runs_failed(tmp_path):
    """tests/again.sh, where every third run fails."""
    (tmp_path / "sometimes").write_text("echo x >>runs; echo run $(wc -l <runs); [ $(($(wc -l <runs) % 3)) -ne 0 ]")
    (tmp_path / "tests").mkdir()
    subprocess.run(["cp", TOP / "tests/again.sh", tmp_path / "tests"], check=True)
    again = [tmp_path / "tests/again.sh", "-l", "1"]
    done = subprocess.run([*again, "7", "sh", "sometimes"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "failed: build/again/3 build/again/6" in done.stdout, done
    assert sorted(p.name for p in (tmp_path / "build/again").iterdir()) == ["3", "6"]
    assert (tmp_path / "build/again/6").read_text() == "run 6\n"
    done = subprocess.run([*again, "2", "true"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "2 runs, no failure" in done.stdout, done
