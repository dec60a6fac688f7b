#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make a disk with a Debian system on it, for `--root`. Needs no privileges.

    make_root.py --cache DIR [--manifest FILE] [--size 4G] [--out FOLDER] -o FILE

The packages of the manifest and all that they need are unpacked into a folder, with the data base of dpkg that says
so, and mke2fs -d makes an ext4 of that. Who is not root cannot give files to root: debugfs corrects owners and modes
in the image afterwards.

Maintainer scripts do not run; what they would have done here is in finish(). The image is made once for a set of rules,
build/image/root-HASH.ext4, sparse; FILE is a copy of it, with a UUID of its own, grown to its size.
"""
import argparse
import fcntl
import hashlib
import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from add_packages import Graph, Rules
from build_image import MERGED, add_package, add_skeleton, matcher
from cpio import EPOCH, Tree
from packages import Cache, PackageError

HERE = Path(__file__).resolve().parent
# Of a system that is started by our process 1, without a boot loader, services or questions.
SKIPPED = "systemd systemd-sysv udev debconf debconf-2.0 cdebconf ucf dbus libpam-systemd".split()
DPKG = "var/lib/dpkg/"
DROP = f"{DPKG}info/"


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()
        raise PackageError(f"--root: {command[0]} fails: {last[-1] if last else done.returncode}")
    return done.stdout


def control_files(deb):
    """{name: text} of a package's control archive: control itself, md5sums, scripts."""
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "--control", deb, folder)
        return {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.is_file()}


def register(tree, deb, paths):
    """What dpkg would know of the package if it had installed it."""
    files = control_files(deb)
    control = files.pop("control").decode().rstrip("\n")
    field = dict(re.findall(r"^(\S+): (.*)$", control, re.M))
    name = field["Package"]
    if field.get("Multi-Arch") == "same":
        name += ":" + field["Architecture"]
    for suffix, data in files.items():
        mode = 0o755 if suffix in ("preinst", "postinst", "prerm", "postrm", "config") else 0o644
        tree.add(f"{DROP}{name}.{suffix}", stat.S_IFREG | mode, data)
    tree.add(f"{DROP}{name}.list", stat.S_IFREG | 0o644, "".join(f"/{p}\n" for p in (".", *paths)).encode())
    conffiles = files.get("conffiles", b"").decode().split()
    sums = dict(line.split(None, 1)[::-1] for line in files.get("md5sums", b"").decode().splitlines())
    text = control.replace("\n", "\nStatus: install ok installed\n", 1)
    if conffiles:
        text += "\nConffiles:" + "".join(
            f"\n {path} {sums.get(path.lstrip('/')) or md5(tree, path)}" for path in conffiles if path.startswith("/")
        )
    return text + "\n\n"


def md5(tree, path):
    return hashlib.md5(tree.nodes[path.lstrip("/")][1]).hexdigest() if path.lstrip("/") in tree.nodes else "newconffile"


def finish(tree, status, drops):
    """What maintainer scripts and the installer would have left."""
    for name in ("passwd", "group"):
        tree.add(f"etc/{name}", stat.S_IFREG | 0o644, tree.nodes[f"usr/share/base-passwd/{name}.master"][1])
    users = tree.nodes["etc/passwd"][1].decode().split("\n")
    shadow = "".join(f"{line.split(':')[0]}:*:19000:0:99999:7:::\n" for line in users if line)
    tree.add("etc/shadow", stat.S_IFREG | 0o640, shadow.encode())
    tree.add("etc/fstab", stat.S_IFREG | 0o644, b"# Process 1 mounts the root by fuse2fs, and other disks on /disk.\n")
    tree.add("etc/mtab", stat.S_IFLNK | 0o777, b"../proc/self/mounts")
    tree.add("disk", stat.S_IFDIR | 0o755)
    tree.add(f"{DPKG}status", stat.S_IFREG | 0o644, status.encode())
    for name in ("available", "diversions", "statoverride"):
        tree.add(DPKG + name, stat.S_IFREG | 0o644)
    for name in ("updates", "triggers", "parts", "alternatives"):
        tree.add(DPKG + name, stat.S_IFDIR | 0o755)
    tree.add(f"{DPKG}info/format", stat.S_IFREG | 0o644, b"1\n")
    left_out = "".join(f"path-exclude=/{pattern}\n" for pattern in drops)
    tree.add("etc/dpkg/dpkg.cfg.d/tessera", stat.S_IFREG | 0o644, left_out.encode())


def make_tree(manifest, cache):
    rules = Rules(manifest)
    alternatives = Rules(HERE / "with.manifest").alternatives
    names = Graph(list(rules.packages)).closure(list(rules.packages), set(), set(SKIPPED))
    tree, dropped, status = Tree(), matcher(rules.drops), ""
    for name in MERGED:
        tree.add("usr/" + name, stat.S_IFDIR | 0o755)
        tree.add(name, stat.S_IFLNK | 0o777, b"usr/" + name.encode())
    for _, deb in sorted(cache.fetch(names).items()):
        one = Tree()
        add_package(one, deb, (), dropped)
        for path, node in one.nodes.items():
            if not (path in tree.nodes and stat.S_ISDIR(node[0])):
                tree.add(path, *node)
        status += register(tree, deb, sorted(one.nodes))
    for folder in rules.skeletons:
        for path, node in skeleton(folder).items():
            if path not in ("etc/passwd", "etc/group", "etc/os-release"):
                tree.add(path, *node)
    for name, mode in rules.folders:
        tree.add(name, stat.S_IFDIR | mode)
    for package, link, target in alternatives:
        if package in names and link not in tree.nodes:
            tree.add(link, stat.S_IFLNK | 0o777, target.encode())
    finish(tree, status, rules.drops)
    return tree


def skeleton(folder):
    tree = Tree()
    add_skeleton(tree, folder)
    return tree.nodes


def unpack(tree, folder):
    """Files as their maker's. Returns what debugfs must correct: {path: mode} where the maker could not have it so."""
    wrong = {}
    for path in sorted(tree.nodes):
        mode, data, _ = tree.nodes[path]
        at = folder / path
        if stat.S_ISLNK(mode):
            os.symlink(data, os.fsencode(at))
            continue
        if stat.S_ISDIR(mode):
            at.mkdir()
        else:
            at.write_bytes(data)
        # Without the bits that the maker, who is not root, needs or may not give, nothing can be read.
        made = stat.S_IMODE(mode) & 0o1777 | (0o700 if stat.S_ISDIR(mode) else 0o600)
        at.chmod(made)
        if made != stat.S_IMODE(mode):
            wrong[path] = mode
    for at in [folder, *folder.rglob("*")]:
        os.utime(at, (EPOCH, EPOCH), follow_symlinks=False)
    return wrong


def correct(image, tree, wrong):
    """Everything is root's, and has its mode."""
    orders = []
    for path in ["", *sorted(tree.nodes)]:
        if os.geteuid() != 0:
            orders += [f'sif "/{path}" uid 0', f'sif "/{path}" gid 0']
        if path in wrong:
            orders.append(f'sif "/{path}" mode 0{wrong[path]:o}')
    with tempfile.NamedTemporaryFile("w", suffix=".debugfs") as file:
        file.write("\n".join(orders) + "\n")
        file.flush()
        run("debugfs", "-w", "-f", file.name, image)


def make_image(manifest, cache, image):
    with tempfile.TemporaryDirectory(prefix="tessera-root.", dir=image.parent) as folder:
        folder = Path(folder, "root")
        folder.mkdir()
        folder.chmod(0o755)
        tree = make_tree(manifest, cache)
        wrong = unpack(tree, folder)
        size = sum(len(data) // 4096 + 2 for _, data, _ in tree.nodes.values()) * 4096
        new = Path(f"{image}.new")
        new.unlink(missing_ok=True)
        # Room for its own growth; --size comes later. Inodes for 4 GiB of ordinary files.
        mib = size // 1048576 * 5 // 4 + 64
        run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-L", "tessera-root",
            "-b", "4096", "-N", str(2 * len(tree.nodes) + 8192), "-d", str(folder), str(new), f"{mib}M")
        correct(str(new), tree, wrong)
        os.rename(new, image)


def digest(manifest):
    parts = [HERE / name for name in ("make_root.py", "with.manifest", "build_image.py")]
    parts += [manifest, *(p for p in sorted((HERE / "skeleton").rglob("*")) if p.is_file())]
    return hashlib.sha256(b"\0".join(p.read_bytes() for p in parts)).hexdigest()[:20]


def made_image(manifest, cache, folder):
    """The image without a size of its own; one at a time makes one."""
    image = folder / f"root-{digest(manifest)}.ext4"
    with open(folder / ".root.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            for old in folder.glob("root-*.ext4"):
                old.unlink()
            make_image(manifest, cache, image)
    return image


def main():
    parser = argparse.ArgumentParser(description="make a disk with a Debian system on it")
    parser.add_argument("--cache", required=True)
    parser.add_argument("--manifest", default=HERE / "root.manifest", type=Path)
    parser.add_argument("--size", default="4G")
    parser.add_argument("--out", default=HERE.parent.parent / "build/image", type=Path)
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()
    new = args.output + ".new"
    try:
        image = made_image(args.manifest, Cache(args.cache), args.out)
        run("cp", "--sparse=always", "--reflink=auto", str(image), new)
        run("resize2fs", new, args.size)
        run("tune2fs", "-U", "random", new)
        os.rename(new, args.output)
    except (PackageError, OSError) as error:
        print(f"tessera: {error}", file=sys.stderr)
        if os.path.exists(new):
            os.unlink(new)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
