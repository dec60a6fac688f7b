#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A virtual wire: the switch between machines, which may lose, repeat, delay and reorder frames, and records them.

    wire.py PATH [options]

Listens on the Unix socket PATH; whoever connects is a port of the switch. The protocol is that of QEMU's
`-netdev stream`: four bytes of length in network order, then the frame. A frame goes to the port where its destination
was last seen, or to all others.

--gateway puts QEMU's user network on the switch, as 10.0.2.2 with DHCP, DNS and a way out; --forward makes a port of the
host's loopback lead to one of a machine there. All that is random comes from --seed, frame by frame: what was lost for
one seed is lost again where the same frames come in the same order.

--record keeps what came in, before anything is lost, as a pcap file (tools/vm/capture.py judges it). --background
returns when PATH can be connected to, at once where somebody serves it already; the switch then ends by itself some
seconds after its last machine.
"""
import argparse
import errno
import fcntl
import heapq
import os
import random
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time

CHUNK = 1 << 20
ROOM = 8 << 20  # what may wait for a port that does not read; more is lost, as on any wire
LINGER, FIRST = 5, 120  # seconds without a machine, after the last one and before the first


class Port:
    def __init__(self, connection):
        self.connection = connection
        self.arrived, self.waiting = bytearray(), bytearray()
        connection.setblocking(False)

    def frames(self):
        """The whole frames of what has come in."""
        data, at = self.arrived, 0
        while len(data) - at >= 4:
            (length,) = struct.unpack_from(">I", data, at)
            if len(data) - at - 4 < length:
                break
            yield bytes(data[at + 4 : at + 4 + length])
            at += 4 + length
        del data[:at]


class Wire:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.ports, self.seen, self.held, self.count = set(), {}, [], 0
        self.selector = selectors.DefaultSelector()
        self.record = None
        if options.record:
            self.record = open(options.record, "wb")
            self.record.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        self.faulty = any((options.loss, options.duplicate, options.reorder, options.delay))

    def accept(self, listener):
        try:
            while True:
                port = Port(listener.accept()[0])
                self.ports.add(port)
                self.selector.register(port.connection, selectors.EVENT_READ, port)
        except BlockingIOError:
            pass

    def remove(self, port):
        self.ports.discard(port)
        self.seen = {address: p for address, p in self.seen.items() if p is not port}
        self.selector.unregister(port.connection)
        port.connection.close()

    def take(self, port, frame):
        """A frame has come in by a port."""
        if self.record:
            now = time.time()
            self.record.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(frame), len(frame)) + frame)
        self.seen[frame[6:12]] = port
        if not self.faulty:
            return self.deliver(port, frame)
        o, chance = self.options, self.random.random
        lost, twice, late = chance() < o.loss, chance() < o.duplicate, chance() < o.reorder
        if lost:
            return None
        wait = o.delay + (o.reorder_delay * chance() if late else 0)
        for _ in range(1 + twice):
            self.count += 1
            if wait:
                heapq.heappush(self.held, (time.monotonic() + wait, self.count, port, frame))
            else:
                self.deliver(port, frame)
        return None

    def deliver(self, source, frame):
        there = self.seen.get(frame[:6])
        for port in [there] if there and there is not source else self.ports:
            if port is not source and len(port.waiting) < ROOM:
                port.waiting += struct.pack(">I", len(frame)) + frame

    def flush(self):
        for port in list(self.ports):
            if not port.waiting:
                continue
            try:
                del port.waiting[: port.connection.send(port.waiting)]
            except BlockingIOError:
                pass
            except OSError:
                self.remove(port)
                continue
            more = selectors.EVENT_WRITE if port.waiting else 0
            self.selector.modify(port.connection, selectors.EVENT_READ | more, port)

    def read(self, port):
        try:
            data = port.connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.remove(port)
            return
        port.arrived += data
        for frame in port.frames():
            self.take(port, frame)

    def serve(self, listener, gateways):
        """Until it is stopped; with --background, until no machine has been there for a while."""
        self.selector.register(listener, selectors.EVENT_READ, None)
        alone_since, patience = time.monotonic(), FIRST
        while True:
            if len(self.ports) > gateways:
                alone_since, patience = time.monotonic(), LINGER
            elif self.options.background and time.monotonic() - alone_since > patience:
                return
            until = max(0, self.held[0][0] - time.monotonic()) if self.held else 1
            ready = self.selector.select(until)
            # Whoever has connected before a frame was sent gets it.
            self.accept(listener)
            for key, events in ready:
                if key.data and events & selectors.EVENT_READ and key.data in self.ports:
                    self.read(key.data)
            while self.held and self.held[0][0] <= time.monotonic():
                _, _, port, frame = heapq.heappop(self.held)
                self.deliver(port, frame)
            self.flush()
            if self.record:
                self.record.flush()


def start_gateway(path, forwards):
    """QEMU without a machine: its user network, joined to the switch."""
    user = "user,id=user"
    for forward in forwards:
        host, address, guest = forward.split(":")
        user += f",hostfwd=tcp:127.0.0.1:{host}-{address}:{guest}"
    command = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-no-user-config", "-display", "none"]
    command += ["-netdev", user, "-netdev", "hubport,id=a,hubid=0,netdev=user"]
    command += ["-netdev", f"stream,id=switch,server=off,addr.type=unix,addr.path={path}"]
    command += ["-netdev", "hubport,id=b,hubid=0,netdev=switch"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def is_served(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
                raise
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--gateway", action="store_true")
    parser.add_argument("--forward", action="append", default=[], metavar="HOSTPORT:ADDRESS:PORT")
    parser.add_argument("--record", metavar="FILE")
    for name in "loss", "duplicate", "reorder":
        parser.add_argument(f"--{name}", type=float, default=0, metavar="SHARE", help="of the frames, such as 0.01")
    parser.add_argument("--delay", type=float, default=0, metavar="SECONDS", help="of every frame")
    parser.add_argument("--reorder-delay", type=float, default=0.02, metavar="SECONDS", help="at most, of a late frame")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--background", action="store_true")
    options = parser.parse_args()

    lock = open(f"{options.path}.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    if is_served(options.path):
        if options.background:
            return 0
        sys.exit(f"wire.py: {options.path} is served already")
    # It has its name when it listens: whoever sees it may connect.
    unnamed = f"{options.path}.new"
    if os.path.exists(unnamed):
        os.unlink(unnamed)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(unnamed)
    listener.listen(64)
    listener.setblocking(False)
    os.rename(unnamed, options.path)
    if options.background:
        if os.fork():
            return 0
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
    fcntl.flock(lock, fcntl.LOCK_UN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gateway = start_gateway(options.path, options.forward) if options.gateway else None
    try:
        Wire(options).serve(listener, 1 if gateway else 0)
    except KeyboardInterrupt:
        pass
    finally:
        os.unlink(options.path)
        if gateway:
            gateway.kill()
            gateway.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
