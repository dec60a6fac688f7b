# SPDX-License-Identifier: MIT
"""Write newc cpio archives whose file data starts on page boundaries.

The guest's kernel gives the pages of the archive to its root file system without copying them, so
the data of every regular file must start at a multiple of 4096 in the whole image. The only slack
in the format is the name: it may be followed by any number of NULs that its length counts. A name
with its padding stays within 4096 bytes (Linux ignores a longer one); where that leaves no way to
reach the boundary, the file's directory is named once more, padded, in front of it.

    offset  bytes  field (hexadecimal ASCII)       offset  bytes  field
         0      6  magic 070701                        54      8  file size
         6      8  inode                               62     32  device and rdev, major and minor
        14      8  mode                                94      8  length of the name with its NULs
        22     16  uid, gid                           102      8  check, 0
        38      8  links                              110         name, NULs to a multiple of 4, data,
        46      8  time                                           NULs to a multiple of 4

Archives may follow one another; each ends at a page boundary.
"""
import stat

PAGE = 4096
EPOCH = 1672531200  # 2023-01-01: the same inputs give the same bytes


class Writer:
    def __init__(self, out):
        self.out = out
        self.offset = 0
        self.inode = 1

    def _write(self, data):
        self.out.write(data)
        self.offset += len(data)

    def _header(self, name, mode, size, rdev, namesize):
        major, minor = rdev
        fields = (self.inode, mode, 0, 0, 1, EPOCH, size, 0, 0, major, minor, namesize, 0)
        self.inode += 1
        self._write(b"070701" + b"".join(b"%08x" % f for f in fields))
        self._write(name + b"\0" * (namesize - len(name)))
        self._write(b"\0" * (-self.offset % 4))

    def entry(self, name, mode, data=b"", rdev=(0, 0)):
        """Add one member. `name` has no leading slash."""
        raw = name.encode()
        namesize = len(raw) + 1
        if stat.S_ISREG(mode) and data:
            needed = -(self.offset + 110) % PAGE or PAGE
            if needed < namesize:
                parent = name.rpartition("/")[0] or "."
                self._header(
                    parent.encode(),
                    stat.S_IFDIR | 0o755,
                    0,
                    (0, 0),
                    len(parent.encode()) + 1 + needed,
                )
                needed = -(self.offset + 110) % PAGE or PAGE
            namesize = needed
        self._header(raw, mode, len(data), rdev, namesize)
        if stat.S_ISREG(mode) and data:
            assert self.offset % PAGE == 0 and namesize <= PAGE
        self._write(data)
        self._write(b"\0" * (-self.offset % 4))

    def close(self):
        self.inode = 0
        self._header(b"TRAILER!!!", 0, 0, (0, 0), 11)
        self._write(b"\0" * (-self.offset % PAGE))


class Tree:
    """A file system in memory: path -> (mode, data, rdev). Parents are made on the way."""

    def __init__(self):
        self.nodes = {}

    def add(self, path, mode, data=b"", rdev=(0, 0)):
        path = path.strip("/")
        parent = path.rpartition("/")[0]
        if parent and parent not in self.nodes:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.nodes[path] = (mode, data, rdev)

    def write(self, out):
        writer = Writer(out)
        for path in sorted(self.nodes):
            writer.entry(path, *self.nodes[path])
        writer.close()
