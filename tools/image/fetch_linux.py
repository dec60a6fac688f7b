#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Put Debian's Linux kernel, the oracle of our tests, at OUT.

    fetch_linux.py --cache DIR [--modules FOLDER] -o OUT

Without --modules it is the kernel for clouds: small and quick to boot. With it, it is the one for all
machines, and the modules that a virtual machine can use go to FOLDER, one file each, without folders.
"""
import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from packages import Cache, PackageError, members

CLOUD, FULL = "linux-image-cloud-amd64", "linux-image-amd64"

# Of 400 MiB of modules, a quarter.
KEPT = re.compile(
    r"\./lib/modules/[^/]+/kernel/"
    r"(?:arch|block|crypto|fs|lib|mm|net|virt"
    r"|drivers/(?:ata|block|cdrom|char|hid|input|md|nvme|pci|scsi|uio|usb|vdpa|vfio|vhost|virtio|net/ethernet/intel)"
    r"|drivers/net(?=/[a-z_]+\.ko$))"
    r"/.*/?([^/]+)\.ko"
)


def fetch(cache, output, modules):
    name = cache.real_package(FULL if modules else CLOUD)
    found = False
    if modules:
        shutil.rmtree(modules, ignore_errors=True)
        modules.mkdir(parents=True)
    for tar, info in members(cache.fetch([name])[name]):
        if info.name.startswith("./boot/vmlinuz-"):
            with open(f"{output}.new", "wb") as out:
                out.write(tar.extractfile(info).read())
            found = True
        elif modules and info.isreg() and KEPT.fullmatch(info.name):
            # The kernel knows a module by a name without hyphens.
            (modules / Path(info.name).name.replace("-", "_")).write_bytes(tar.extractfile(info).read())
    if not found:
        raise PackageError(f"package '{name}' holds no kernel")
    os.rename(f"{output}.new", output)


def main():
    parser = argparse.ArgumentParser(description="fetch Debian's Linux kernel")
    parser.add_argument("--cache", required=True)
    parser.add_argument("--modules", type=Path)
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()
    try:
        fetch(Cache(args.cache), args.output, args.modules)
    except PackageError as error:
        print(f"tessera: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
