#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make the segment of an image that `--with` asks for; print its path.

    add_packages.py --cache DIR --profile NAME [--out DIR] PACKAGE[,PACKAGE..]..

The packages and all that they depend on, less what the image of the profile has, become one cpio
archive build/image/with-HASH.cpio that is appended to that image. It is made once for a set: HASH is of
the names and of the rules here and in with.manifest. A segment that nobody used for a week goes when
another is made.

What a package needs is what apt-cache knows: Depends and Pre-Depends; of alternatives the first, unless
the image has another; of the providers of a virtual package one that is there already, else the first.
A package of which the image holds a part counts as there, unless it is named: then it comes whole.

Maintainer scripts do not run. with.manifest has what they would have done, as four more statements of
a manifest (see build_image.py):

    skip PACKAGE..                   not taken in only because others depend on it
    whole PACKAGE PART..             comes with all of what the image holds only in part
    alternative PACKAGE PATH TARGET  a link that comes with a package, as by update-alternatives
    mode PACKAGE PATH MODE           a mode that a file of a package gets when it is set up
"""
import argparse
import fcntl
import hashlib
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

from build_image import Manifest, add_package, matcher
from cpio import Tree
from packages import NOTHING_INSTALLED, Cache, PackageError

HERE = Path(__file__).resolve().parent
WEEK = 7 * 24 * 3600
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


class Graph:
    """What apt-cache knows of packages: needs[package] = [[alternative..]..], and who provides what."""

    def __init__(self, names):
        self.needs, self.providers = {}, {}
        self._parse(self._ask(names) if names else "")

    @staticmethod
    def _ask(names):
        options = [f"--no-{what}" for what in "recommends suggests conflicts breaks replaces enhances".split()]
        command = ["apt-cache", *NOTHING_INSTALLED, "depends", "--recurse", *options, *names]
        if not any(Path("/var/lib/apt/lists").glob("*Packages*")):
            privilege = [] if os.geteuid() == 0 else ["sudo", "-n"]
            subprocess.run([*privilege, "apt-get", "-q", "update"], capture_output=True)
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C"))
        if done.returncode != 0 and "No packages found" not in done.stderr:
            raise PackageError("--with: apt-cache fails: run 'apt-get update' as root")
        return done.stdout

    def _parse(self, text):
        package, alternatives, target = None, None, None
        for line in text.splitlines():
            if found := re.match(r"[ |]\|?(?:Pre)?Depends: <?([^<>:]+)", line.replace("  ", " ", 1)):
                target = found[1]
                if alternatives is None:
                    alternatives = []
                    self.needs[package].append(alternatives)
                alternatives.append(target)
                if not line.startswith(" |"):
                    alternatives = None
            elif line.startswith("    "):
                self.providers.setdefault(target, []).append(line.strip().partition(":")[0])
            elif line and line[0] not in " <":
                package, alternatives = line.partition(":")[0], None
                self.needs.setdefault(package, [])

    def closure(self, names, present, skipped):
        """All that `names` need, they included, without what is `present` or `skipped`."""
        for name in names:
            if name not in self.needs:
                raise PackageError(f"--with: there is no package '{name}' that apt knows of")
        wanted, waiting = set(), list(names)
        elsewhere = present | skipped | set(names)
        while waiting:
            name = waiting.pop(0)
            if name in wanted:
                continue
            wanted.add(name)
            for alternatives in self.needs[name]:
                if not any(self._satisfied(a, elsewhere | wanted) for a in alternatives):
                    waiting.append(self._choose(alternatives[0]))
        return sorted(wanted)

    def _satisfied(self, name, there):
        return name in there or any(p in there for p in self.providers.get(name, ()))

    def _choose(self, name):
        if name in self.needs:
            return name
        if not self.providers.get(name):
            raise PackageError(f"--with: apt knows nothing that provides '{name}'")
        return self.providers[name][0]


class Rules(Manifest):
    def __init__(self, path):
        self.skips, self.wholes, self.alternatives, self.modes = [], {}, [], []
        super().__init__(path)

    def _skip(self, path, *names):
        self.skips += names

    def _whole(self, path, package, *parts):
        self.wholes[package] = parts

    def _alternative(self, path, package, link, target):
        self.alternatives.append((package, link, target))

    def _mode(self, path, package, name, mode):
        self.modes.append((package, name, int(mode, 8)))


def make_segment(names, profile, rules, cache):
    image = Manifest(HERE / f"{profile}.manifest")
    partly = {name for name, patterns in image.packages.items() if patterns}
    present = set(image.packages) - set(names) & partly
    already = [name for name in names if name in present]
    # libc6, which an image may hold in part, loads this one when a thread is cancelled.
    roots = [n for n in (*names, "libgcc-s1") if n not in present]
    needed = Graph(roots).closure(roots, present, set(rules.skips))
    for part in sorted({p for n in (*needed, *already) for p in rules.wholes.get(n, ())} & present & partly):
        needed.append(part)
    tree, dropped = Tree(), matcher(rules.drops)
    for _, deb in sorted(cache.fetch(needed).items()):
        add_package(tree, deb, (), dropped)
    brought = set(tree.nodes)
    for package, link, target in rules.alternatives:
        if package in (*needed, *already) and link not in brought:
            tree.add(link, stat.S_IFLNK | 0o777, target.encode())
    for package, name, mode in rules.modes:
        if package in (*needed, *already) and name in tree.nodes:
            old, *rest = tree.nodes[name]
            tree.nodes[name] = (stat.S_IFMT(old) | mode, *rest)
    return tree


def digest(names, profile):
    parts = [profile, *sorted(names)]
    files = ["add_packages.py", "build_image.py", "cpio.py", "with.manifest", "base.manifest", f"{profile}.manifest"]
    parts += [(HERE / file).read_text() for file in files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def forget_unused(folder):
    for old in folder.glob("with-*.cpio"):
        if old.stat().st_mtime < time.time() - WEEK:
            old.unlink()


def segment(names, profile, cache, folder):
    """The path of the segment, made if it is not there yet. One at a time makes one."""
    rules = Rules(HERE / "with.manifest")
    path = folder / f"with-{digest(names, profile)}.cpio"
    with open(folder / ".with.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            forget_unused(folder)
            tree = make_segment(names, profile, rules, cache)
            with open(f"{path}.new", "wb") as out:
                tree.write(out)
            os.rename(f"{path}.new", path)
        os.utime(path)
    return path


def main():
    parser = argparse.ArgumentParser(description="make the segment of an image that --with asks for")
    parser.add_argument("--cache", required=True)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--out", default=HERE.parent.parent / "build/image", type=Path)
    parser.add_argument("package", nargs="+")
    args = parser.parse_args()
    named = sorted({name for word in args.package for name in word.split(",") if name})
    try:
        for name in named:
            if not NAME.fullmatch(name):
                raise PackageError(f"--with: '{name}' cannot be the name of a package")
        print(segment(named, args.profile, Cache(args.cache), args.out))
    except PackageError as error:
        print(f"tessera: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
