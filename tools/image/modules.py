# SPDX-License-Identifier: MIT
"""The modules of Debian's kernel that a run asks for, with all that they need, in the order of loading.

A module says in its section .modinfo, a run of strings, what it needs: "depends=a,b", and what it wants
before or after itself if that is there: "softdep=pre: a post: b".
"""
import re
import stat
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9_-]+")


class ModuleError(Exception):
    """One line that says what is wrong."""


def _strings(data, key):
    return [s.decode() for s in re.findall(rb"(?<=\0)" + key + rb"=([^\0]*)\0", b"\0" + data)]


class Modules:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.order, self.data = [], {}

    def add(self, name, wanted_by=None):
        """Append `name`, after what it needs, to the order."""
        name = name.replace("-", "_")
        if name in self.data:
            return
        file = self.folder / f"{name}.ko"
        if not NAME.fullmatch(name) or not file.exists():
            reason = f", which {wanted_by} needs" if wanted_by else ""
            raise ModuleError(f"--module: Debian's kernel has no module '{name}'{reason}")
        data = self.data[name] = file.read_bytes()
        before, after = self._wishes(data)
        for other in filter(None, ",".join(_strings(data, b"depends")).split(",")):
            self.add(other, name)
        for other in before:
            self.add(other)
        self.order.append(name)
        for other in after:
            self.add(other)

    def _wishes(self, data):
        wishes = {"pre": [], "post": []}
        for text in _strings(data, b"softdep"):
            when = "pre"
            for word in text.split():
                if word.rstrip(":") in wishes and word.endswith(":"):
                    when = word[:-1]
                elif (self.folder / f"{word.replace('-', '_')}.ko").exists():
                    wishes[when].append(word)
        return wishes["pre"], wishes["post"]


def add_modules(tree, folder, asked):
    """Put into the image what `asked`, a list of NAME[:ARGUMENTS], needs, and the list that init reads."""
    modules, arguments = Modules(folder), {}
    for word in asked:
        name, _, text = word.partition(":")
        modules.add(name)
        arguments[name.replace("-", "_")] = text
    lines = []
    for name in modules.order:
        path = f"usr/lib/modules/{name}.ko"
        tree.add(path, stat.S_IFREG | 0o644, modules.data[name])
        lines.append(f"/{path} {arguments.get(name, '')}".rstrip() + "\n")
    tree.add("etc/tessera/modules", stat.S_IFREG | 0o644, "".join(lines).encode())
