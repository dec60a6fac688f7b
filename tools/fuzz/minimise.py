# SPDX-License-Identifier: MIT
"""Make a program that breaks the kernel as small as it can be and still break it the same way.

Each trial is a machine that runs nothing but the program, over and over. In turn: calls, threads, the
signal from outside, the user, then arguments that may as well be 0.
"""
import re
import time

from machine import reason_name


def calls(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def renumber(lines):
    """Results are named after their line: keep the names right when a line goes."""
    names, out, index = {}, [], 0
    for line in lines:
        if line.startswith(("user ", "kill ")) and "(" not in line:
            out.append(line)
            continue
        made = re.match(r"((?:t\d: )?)r(\d+) = ", line)
        rest = line[made.end() :] if made else line

        def rename(match):
            return f"r{names[match[1]]}" if match[1] in names else "0xffffffff"

        rest = re.sub(r"(?<![\w\"])r(\d+)\b(?![(\w])", rename, rest)
        rest = re.sub(r"0xffffffff\.\d", "0xffffffff", rest)
        if made:
            names[made[2]] = index
            rest = f"{made[1]}r{index} = {rest}"
        out.append(rest)
        index += 1
    return out


def arguments(line):
    """Where each argument of a call begins and ends."""
    start = line.index("(") + 1
    depth, quoted, spans = 0, False, []
    for i in range(start, len(line)):
        c = line[i]
        if c == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif c in "({":
            depth += 1
        elif c in ")}" and depth:
            depth -= 1
        elif c == "," and depth == 0 or c == ")":
            spans.append((start, i))
            start = i + 2
    return [s for s in spans if s[1] > s[0]]


class Minimiser:
    """breaks(text) -> reason ('' for none) runs one trial."""

    def __init__(self, breaks, reason, seconds, say):
        self.breaks, self.name, self.say = breaks, reason_name(reason), say
        self.end = time.monotonic() + seconds
        self.trials = 0

    def same(self, lines):
        if time.monotonic() > self.end:
            return False
        self.trials += 1
        reason = self.breaks("\n".join(renumber(lines)) + "\n")
        return bool(reason) and reason_name(reason) == self.name

    def without(self, lines):
        """Halves first, then single lines."""
        size = max(1, len(lines) // 2)
        while True:
            i = 0
            while i < len(lines):
                fewer = lines[:i] + lines[i + size :]
                if any("(" in line for line in fewer) and self.same(fewer):
                    lines = fewer
                else:
                    i += size
            if size == 1:
                return lines
            size //= 2

    def one_thread(self, lines):
        together = [re.sub(r"^t\d: ", "", line) for line in lines]
        return together if together != lines and self.same(together) else lines

    def zeroes(self, lines):
        for i, line in enumerate(lines):
            if "(" not in line:
                continue
            for n in range(len(arguments(line))):
                start, end = arguments(lines[i])[n]
                if lines[i][start:end] == "0":
                    continue
                changed = lines[i][:start] + "0" + lines[i][end:]
                if self.same(lines[:i] + [changed] + lines[i + 1 :]):
                    lines[i] = changed
        return lines

    def run(self, text):
        lines = self.without(calls(text))
        lines = self.one_thread(lines)
        lines = self.zeroes(lines)
        self.say(f"minimised in {self.trials} trials to {sum('(' in line for line in lines)} calls")
        return "\n".join(renumber(lines)) + "\n"
