#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a capture says of who sent it: counts of segments, resets, retransmissions; every checksum looked at.

A SYN that is answered by RST counts as refused. An RST of who has sent his FIN twice, behind both ends' FINs, counts as late:
Linux forgets a connection whose FIN was acknowledged, and answers a second acknowledgement so. Neither is among the resets,
of which there are none where nothing goes wrong.

    capture.py FILE.pcap

Prints one line "NAME COUNT" each; the status is 1 where a checksum or a length is wrong. Reads pcap files of Ethernet
frames, as tools/vm/wire.py and QEMU's filter-dump write them; of fragments only the header is checked.
"""
import collections
import struct
import sys

FIN, SYN, RST, ACK = 1, 2, 4, 16


def frames(path):
    """The whole frames of a pcap file; what is cut at its end is left out."""
    with open(path, "rb") as file:
        order = "<" if file.read(24)[:4] == struct.pack("<I", 0xA1B2C3D4) else ">"
        while len(header := file.read(16)) == 16:
            (length,) = struct.unpack(order + "8xI4x", header)
            frame = file.read(length)
            if len(frame) < length:
                return
            yield frame


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Capture:
    """What a file holds: `counts` by name, `wrong` is what was wrong with the first frames that were."""

    def __init__(self, path):
        self.counts = collections.Counter()
        self.wrong = []
        self.highest = {}
        self.ended = collections.Counter()
        self.late_from = set()  # addresses
        for number, frame in enumerate(frames(path), 1):
            self.counts["frames"] += 1
            if problem := self.frame(frame):
                self.counts["wrong"] += 1
                if len(self.wrong) < 20:
                    self.wrong.append(f"frame {number}: {problem}")

    def frame(self, frame):
        kind = frame[12:14]
        if kind == b"\x08\x06":
            self.counts["arp"] += 1
        elif kind == b"\x08\x00":
            return self.ipv4(frame[14:])
        elif kind == b"\x86\xdd":
            return self.ipv6(frame[14:])
        return None

    def ipv4(self, packet):
        self.counts["ipv4"] += 1
        header = (packet[0] & 15) * 4
        (length,) = struct.unpack_from(">H", packet, 2)
        if packet[0] >> 4 != 4 or header < 20 or not header <= length <= len(packet):
            return "IPv4: lengths"
        if checksum(packet[:header]):
            return "IPv4: header checksum"
        if struct.unpack_from(">H", packet, 6)[0] & 0x3FFF:
            self.counts["fragments"] += 1
            return None
        return self.upper(packet[9], packet[12:20], packet[header:length])

    def ipv6(self, packet):
        self.counts["ipv6"] += 1
        length, following = struct.unpack_from(">HB", packet, 4)
        body, at = packet[40 : 40 + length], 0
        if len(body) != length:
            return "IPv6: length"
        while following in (0, 43, 60):
            following, at = body[at], at + body[at + 1] * 8 + 8
        if following == 44:
            self.counts["fragments"] += 1
            return None
        return self.upper(following, packet[8:40], body[at:])

    def upper(self, protocol, addresses, body):
        pseudo = addresses + struct.pack(">II", len(body), protocol)
        if protocol == 6:
            self.tcp(addresses, body)
            return "TCP: checksum" if checksum(pseudo + body) else None
        if protocol == 17:
            self.counts["udp"] += 1
            if struct.unpack_from(">H", body, 4)[0] != len(body):
                return "UDP: length"
            return "UDP: checksum" if body[6:8] != b"\0\0" and checksum(pseudo + body) else None
        if protocol in (1, 58):
            self.counts["icmp"] += 1
            return "ICMP: checksum" if checksum(body if protocol == 1 else pseudo + body) else None
        return None

    def tcp(self, addresses, segment):
        self.counts["tcp"] += 1
        ports, sequence = segment[:4], struct.unpack_from(">I", segment, 4)[0]
        key = addresses, ports
        flags, data = segment[13], len(segment) - (segment[12] >> 4) * 4
        for name, flag in ("syns", SYN), ("fins", FIN):
            self.counts[name] += bool(flags & flag)
        if flags & RST:
            # RFC 9293, 3.10.7.1: what answers a segment without ACK is numbered 0.
            half = len(addresses) // 2
            back = addresses[half:] + addresses[:half], ports[2:] + ports[:2]
            refused, late = flags & ACK and not sequence, self.ended[key] > 1 and self.ended[back]
            self.counts["refused" if refused else "late" if late else "resets"] += 1
            if late:
                self.late_from.add(addresses[:half])
        if flags & SYN:
            del self.ended[key]
        if flags & FIN:
            self.ended[key] += 1
        end = sequence + data + bool(flags & FIN)
        before = self.highest.get(key)
        if flags & SYN or before is None or (end - before) % 2**32 < 2**31:
            self.highest[key] = end
            self.counts["retransmitted"] += bool(data and not flags & SYN and before == end)
        elif data:
            self.counts["retransmitted"] += 1


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    capture = Capture(sys.argv[1])
    for name, count in sorted(capture.counts.items()):
        print(name, count)
    for line in capture.wrong:
        print(line)
    return 1 if capture.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
