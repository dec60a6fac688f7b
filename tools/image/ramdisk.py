#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make a FAT image from Debian packages by a manifest.

    ramdisk.py --init FILE --cache DIR -o OUT MANIFEST

A manifest has one statement a line; '#' starts a comment; paths have no leading slash:

    size MIB BITS             the image, and which FAT
    file PATH PACKAGE MEMBER  a file of a Debian package; where the package has a link, what it leads to
    init PATH                 process 1's program
    tools FOLDER NAME..       scripts that run busybox's tool of that name
    tree FOLDER               the files of a folder beside the manifest
    folder PATH               an empty directory

mkfs.fat makes the file system and mtools writes it: the driver that reads it is tested by others' work.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packages import Cache, PackageError, members

LABEL = "RAMDISK"
EPOCH = 1672531200  # 2023-01-01


class Image:
    def __init__(self, manifest, cache, init):
        self.manifest, self.cache, self.init_file = Path(manifest), cache, init
        self.size, self.bits, self.files, self.folders = 0, 0, {}, []
        for number, line in enumerate(self.manifest.read_text().splitlines(), 1):
            words = line.partition("#")[0].split()
            try:
                if words:
                    getattr(self, "_" + words[0], None)(*words[1:])
            except TypeError:
                raise PackageError(f"{manifest}:{number}: cannot understand '{line.strip()}'") from None

    def _size(self, mib, bits):
        self.size, self.bits = int(mib), int(bits)

    def _file(self, path, package, member):
        self.files[path] = self._member(package, member)

    def _init(self, path):
        self.files[path] = Path(self.init_file).read_bytes()

    def _tools(self, folder, *names):
        for name in names:
            self.files[f"{folder}/{name}"] = f'#!/bin/ksh\nexec /bin/busybox {name} "$@"\n'.encode()

    def _tree(self, folder):
        top = self.manifest.parent / folder
        for file in sorted(top.rglob("*")):
            if file.is_file():
                self.files[str(file.relative_to(top))] = file.read_bytes()

    def _folder(self, path):
        self.folders.append(path)

    def _member(self, package, wanted):
        for tar, info in members(self.cache.fetch([package])[package]):
            if info.name.removeprefix("./") == wanted and (info.isreg() or info.issym()):
                return tar.extractfile(info).read()
        raise PackageError(f"package '{package}' has no {wanted}")

    def write(self, out):
        with tempfile.TemporaryDirectory() as top:
            for folder in self.folders:
                os.makedirs(os.path.join(top, folder))
            for path, data in self.files.items():
                full = Path(top, path)
                full.parent.mkdir(parents=True, exist_ok=True)
                full.write_bytes(data)
                os.utime(full, (EPOCH, EPOCH))
            self._format(out)
            names = sorted(os.path.join(top, name) for name in os.listdir(top))
            tool("mcopy", "-s", "-Q", "-m", "-i", out, *names, "::")

    def _format(self, out):
        Path(out).unlink(missing_ok=True)
        options = ["--invariant", "-C", "-F", str(self.bits), "-n", LABEL]
        tool("mkfs.fat", *options, out, str(self.size * 1024))


def tool(*command):
    done = subprocess.run(
        [str(word) for word in command],
        env=dict(os.environ, TZ="UTC", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise PackageError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")


def main():
    parser = argparse.ArgumentParser(description="make a FAT image from Debian packages")
    parser.add_argument("--init", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("manifest")
    args = parser.parse_args()
    try:
        Image(args.manifest, Cache(args.cache), args.init).write(f"{args.output}.new")
    except PackageError as error:
        print(f"tessera: {error}", file=sys.stderr)
        return 1
    os.rename(f"{args.output}.new", args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
