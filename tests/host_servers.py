# SPDX-License-Identifier: MIT
"""Servers on the host's loopback address, for machines behind QEMU's user network, to which it is 10.0.2.2.

HTTP serves a folder: files, a git repository, a repository of apt with one package. DNS knows one name. Who runs them says
which ports they have, by a file of shell's assignments that the machine gets.
"""
import hashlib
import http.server
import random
import socketserver
import struct
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

CONTROL = "Package: probe\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: probe\n"


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Names(socketserver.BaseRequestHandler):
    """DNS: a.test is 10.1.2.3, all else is not there. RFC 1035."""

    def handle(self):
        query, back = self.request
        end = query.index(b"\0", 12) + 5
        known = query[12:end] == b"\1a\4test\0\0\1\0\1"
        header = query[:2] + struct.pack(">HHHHH", 0x8580 if known else 0x8583, 1, int(known), 0, 0)
        answer = struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + bytes([10, 1, 2, 3])
        back.sendto(header + query[12:end] + (answer if known else b""), self.client_address)


def digest(file):
    return f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_size}"


def make_repository(folder):
    """Of one package, as apt wants it."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/probe").write_text("#!/bin/sh\necho probe works\n")
    (tree / "usr/bin/probe").chmod(0o755)
    deb = folder / "probe.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
    sha256, size = digest(deb).split()
    (folder / "Packages").write_text(f"{CONTROL}Filename: ./probe.deb\nSize: {size}\nSHA256: {sha256}\n")
    entry = f"{digest(folder / 'Packages')} Packages"
    (folder / "Release").write_text(f"Suite: test\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nSHA256:\n {entry}\n")


def make_git(folder, bare):
    """Two commits that are the same wherever they are made."""
    (folder / "n").write_text("".join(f"{n}\n" for n in range(20000)))
    who = {f"GIT_{who}_{what}": f"{what.lower()}@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {f"GIT_{who}_DATE": "2026-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
    environment = {**who, **dates, "HOME": str(folder), "PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words):
        subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "n")
    git("commit", "-qm", "one")
    git("commit", "-qm", "two", "--allow-empty")
    git("clone", "-q", "--bare", folder, bare)
    git("-C", bare, "update-server-info")


def make_files(folder, elsewhere):
    (folder / "f").write_bytes(random.Random(1).randbytes(5_000_000))
    (folder / "small").write_text("two\nlines\n")
    (folder / "apt").mkdir()
    make_repository(folder / "apt")
    elsewhere.mkdir()
    make_git(elsewhere, folder / "r.git")


@contextmanager
def host_servers():
    """The file that says where they are."""
    with tempfile.TemporaryDirectory(prefix="tessera-host.") as name:
        folder = Path(name, "www")
        folder.mkdir()
        make_files(folder, Path(name, "git"))

        def handler(*words):
            return Files(*words, directory=folder)

        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        names = socketserver.UDPServer(("127.0.0.1", 0), Names)
        with web, names:
            for server in (web, names):
                threading.Thread(target=server.serve_forever, daemon=True).start()
            ports = Path(name, "ports")
            ports.write_text(f"HTTP={web.server_address[1]} DNS={names.server_address[1]}\n")
            yield ports
            web.shutdown()
            names.shutdown()
