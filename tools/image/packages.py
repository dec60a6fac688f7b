# SPDX-License-Identifier: MIT
"""Debian packages by name: downloaded once by apt, kept in a cache, read without unpacking to disk."""
import glob
import io
import os
import re
import subprocess
import tarfile


# What the host has installed is no matter: apt answers as on a machine that has nothing.
NOTHING_INSTALLED = ("-o", "Dir::State::status=/dev/null")


class PackageError(Exception):
    """One line that says what is wrong and how to mend it."""


def _run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class Cache:
    def __init__(self, directory):
        self.directory = os.path.join(directory, "packages")
        os.makedirs(self.directory, exist_ok=True)

    def _find(self, name):
        found = glob.glob(os.path.join(glob.escape(self.directory), name + "_*.deb"))
        return max(found, key=os.path.getmtime) if found else None

    def fetch(self, names):
        """Have all `names` in the cache. Returns {name: file}."""
        missing = [n for n in names if not self._find(n)]
        if missing and not self._download(missing):
            privilege = [] if os.geteuid() == 0 else ["sudo", "-n"]
            _run(*privilege, "apt-get", "update")
            if not self._download(missing):
                first = [n for n in missing if not self._find(n)][0]
                raise PackageError(
                    f"cannot download Debian package '{first}': run 'apt-get update' as root and see that "
                    "a Debian 12 mirror is reachable"
                )
        return {n: self._find(n) for n in names}

    def _download(self, names):
        _run("apt-get", *NOTHING_INSTALLED, "-q", "download", *names, cwd=self.directory)
        return all(self._find(n) for n in names)

    def real_package(self, name):
        """The package that a metapackage (such as linux-image-cloud-amd64) stands for today."""
        _, out, _ = _run("apt-cache", "depends", "--important", name)
        found = re.search(r"Depends: (\S+)", out)
        if not found:
            _run(*([] if os.geteuid() == 0 else ["sudo", "-n"]), "apt-get", "update")
            _, out, _ = _run("apt-cache", "depends", "--important", name)
            found = re.search(r"Depends: (\S+)", out)
        if not found:
            raise PackageError(f"apt does not know package '{name}': run 'apt-get update' as root")
        return found.group(1)


def members(deb):
    """The (tarfile, TarInfo) pairs of a package's data, in archive order."""
    done = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True)
    if done.returncode != 0:
        os.unlink(deb)
        raise PackageError(
            f"'{os.path.basename(deb)}' in the cache was damaged and is removed: run the command again"
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        for info in tar:
            yield tar, info
