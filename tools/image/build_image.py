#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Build an initramfs from Debian packages by a manifest.

    build_image.py --init FILE --cache DIR -o OUT MANIFEST

A manifest has one statement a line; '#' starts a comment; paths have no leading slash; a pattern is
a shell pattern whose '*' also matches '/'.

    include FILE              take in another manifest of the same folder
    package NAME [PATTERN..]  a Debian package: all of it, or only the paths that match
    drop PATTERN..            leave these paths of every package out
    link PATH TARGET          a symbolic link, unless a package brought something of that name
    skeleton FOLDER           the files of a folder beside the manifest (mode from the file)
    folder PATH MODE          an empty directory
    device PATH MAJOR MINOR   a character device

/bin, /sbin, /lib and /lib64 are links into /usr, as on Debian. The same packages give the same
bytes: entries are sorted, owned by root and carry one fixed time.
"""
import argparse
import fnmatch
import os
import re
import stat
import sys
from pathlib import Path

from cpio import Tree
from packages import Cache, PackageError, members

MERGED = ("bin", "sbin", "lib", "lib64")


class Manifest:
    def __init__(self, path):
        self.packages = {}
        self.drops, self.links, self.skeletons, self.folders, self.devices = [], [], [], [], []
        self._read(Path(path))

    def _read(self, path):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            statement, rest = words[0], words[1:]
            try:
                getattr(self, "_" + statement, None)(path, *rest)
            except TypeError:
                raise PackageError(f"{path}:{number}: cannot understand '{line.strip()}'") from None

    def _include(self, path, name):
        self._read(path.parent / name)

    def _package(self, path, name, *patterns):
        self.packages[name] = patterns

    def _drop(self, path, *patterns):
        self.drops += patterns

    def _link(self, path, name, target):
        self.links.append((name, target))

    def _skeleton(self, path, folder):
        self.skeletons.append(path.parent / folder)

    def _folder(self, path, name, mode):
        self.folders.append((name, int(mode, 8)))

    def _device(self, path, name, major, minor):
        self.devices.append((name, (int(major), int(minor))))


def matcher(patterns):
    return re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)").match


def merged(path):
    first, _, _ = path.partition("/")
    return "usr/" + path if first in MERGED else path


def add_package(tree, deb, patterns, dropped):
    wanted = matcher(patterns) if patterns else (lambda _: True)
    for tar, info in members(deb):
        path = merged(info.name.removeprefix("./").rstrip("/"))
        if path in ("", ".") or path in tree.nodes and info.isdir():
            continue
        if dropped(path) or not wanted(path) or info.isdir() and patterns:
            continue
        if info.issym():
            tree.add(path, stat.S_IFLNK | 0o777, info.linkname.encode())
        elif info.isdir():
            tree.add(path, stat.S_IFDIR | info.mode & 0o7777)
        elif info.isreg() or info.islnk():
            tree.add(path, stat.S_IFREG | info.mode & 0o7777, tar.extractfile(info).read())


def add_skeleton(tree, folder):
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            mode = 0o755 if os.access(file, os.X_OK) else 0o644
            tree.add(str(file.relative_to(folder)), stat.S_IFREG | mode, file.read_bytes())


def prune_empty(tree, keep):
    """Take out the directories that filters left empty."""
    used = set(keep)
    for path, (mode, _, _) in tree.nodes.items():
        if not stat.S_ISDIR(mode):
            while path := path.rpartition("/")[0]:
                used.add(path)
    for path in [
        p for p, (mode, _, _) in tree.nodes.items() if stat.S_ISDIR(mode) and p not in used
    ]:
        del tree.nodes[path]


def build(manifest, cache, init):
    tree = Tree()
    for name in MERGED:
        tree.add("usr/" + name, stat.S_IFDIR | 0o755)
        tree.add(name, stat.S_IFLNK | 0o777, b"usr/" + name.encode())
    dropped = matcher(manifest.drops)
    for name, deb in cache.fetch(list(manifest.packages)).items():
        add_package(tree, deb, manifest.packages[name], dropped)
    prune_empty(tree, ["usr/" + name for name in MERGED])
    for folder in manifest.skeletons:
        add_skeleton(tree, folder)
    for name, mode in manifest.folders:
        tree.add(name, stat.S_IFDIR | mode)
    for name, target in manifest.links:
        if name not in tree.nodes:
            tree.add(name, stat.S_IFLNK | 0o777, target.encode())
    for name, numbers in manifest.devices:
        tree.add(name, stat.S_IFCHR | 0o600, rdev=numbers)
    tree.add("init", stat.S_IFREG | 0o755, Path(init).read_bytes())
    return tree


def main():
    parser = argparse.ArgumentParser(description="build an initramfs from Debian packages")
    parser.add_argument("--init", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("manifest")
    args = parser.parse_args()
    try:
        tree = build(Manifest(args.manifest), Cache(args.cache), args.init)
    except PackageError as error:
        print(f"tessera: {error}", file=sys.stderr)
        return 1
    with open(args.output + ".new", "wb") as out:
        tree.write(out)
    os.rename(args.output + ".new", args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
