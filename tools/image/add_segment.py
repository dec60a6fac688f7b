#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make the per-run segment of an image: the files of --add, modules of Linux, and the command to run.

    add_segment.py [--command FILE] [--adds LIST] [--modules FOLDER NAME[:ARGUMENTS]..] -o OUT

LIST has one HOST:GUEST a line; GUEST alone may be missing (then it is /root/NAME) and HOST may be a
folder, which is taken with all that it holds.
"""
import argparse
import os
import stat
import sys
from pathlib import Path

from cpio import Tree
from modules import ModuleError, add_modules

# In the image these are links into /usr: a member of that name would replace the link.
MERGED = ("bin", "sbin", "lib", "lib64")


def add_host(tree, host, guest):
    mode = os.lstat(host).st_mode
    if stat.S_ISLNK(mode) and os.path.lexists(host):
        tree.add(guest, stat.S_IFLNK | 0o777, os.readlink(host).encode())
    elif stat.S_ISDIR(mode):
        tree.add(guest, stat.S_IFDIR | stat.S_IMODE(mode))
        for name in sorted(os.listdir(host)):
            add_host(tree, os.path.join(host, name), guest + "/" + name)
    elif stat.S_ISREG(mode):
        tree.add(guest, mode, Path(host).read_bytes())


def guest_path(host, guest):
    guest = (guest or "/root/" + os.path.basename(host)).strip("/")
    first = guest.split("/")[0]
    return "usr/" + guest if first in MERGED else guest


def main():
    parser = argparse.ArgumentParser(description="make the per-run segment of an image")
    parser.add_argument("--command")
    parser.add_argument("--adds")
    parser.add_argument("--modules", nargs="+", metavar=("FOLDER", "NAME"))
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()
    tree = Tree()
    for line in Path(args.adds).read_text().splitlines() if args.adds else []:
        host, _, guest = line.partition(":")
        try:
            add_host(tree, os.path.realpath(host), guest_path(os.path.abspath(host), guest))
        except OSError as error:
            print(f"tessera: --add {host}: {error.strerror}", file=sys.stderr)
            return 1
    if args.modules:
        try:
            add_modules(tree, args.modules[0], args.modules[1:])
        except ModuleError as error:
            print(f"tessera: {error}", file=sys.stderr)
            return 1
    if args.command:
        tree.add("etc/tessera/command", stat.S_IFREG | 0o600, Path(args.command).read_bytes())
    with open(args.output, "wb") as out:
        tree.write(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
