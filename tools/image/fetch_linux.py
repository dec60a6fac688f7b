#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Put Debian's Linux kernel, the oracle of our tests, at OUT: fetch_linux.py --cache DIR -o OUT"""
import argparse
import os
import sys

from packages import Cache, PackageError, members

METAPACKAGE = "linux-image-cloud-amd64"


def main():
    parser = argparse.ArgumentParser(description="fetch Debian's Linux kernel")
    parser.add_argument("--cache", required=True)
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()
    try:
        cache = Cache(args.cache)
        name = cache.real_package(METAPACKAGE)
        for tar, info in members(cache.fetch([name])[name]):
            if info.name.startswith("./boot/vmlinuz-"):
                with open(args.output + ".new", "wb") as out:
                    out.write(tar.extractfile(info).read())
                os.rename(args.output + ".new", args.output)
                return 0
        raise PackageError(f"package '{name}' holds no kernel")
    except PackageError as error:
        print(f"tessera: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
