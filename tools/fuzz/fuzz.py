#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tessera fuzz: torture the system calls, or the parsers, and keep what was found.

Findings go to build/fuzz/findings/NAME/: the machine's log, the programs that ran, and the smallest program
that still does it. New programs that reached new code go to build/fuzz/corpus/. The status is 1 if there
was a finding.
"""
import argparse
import hashlib
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import machine  # noqa: E402
import parsers  # noqa: E402
from minimise import Minimiser  # noqa: E402

TOP = machine.TOP
FUZZER = TOP / "build/fuzz/syscall"
TREE_CORPUS = TOP / "tests/fuzz/corpus/syscall"
SESSION = 600  # a machine is started anew after so many seconds
REPLAY = 50  # seconds for programs that run again
ENDING = 120  # within which a machine ends whose time is over: programs are waited for, on a host that does other work


def say(text):
    print(f"fuzz: {text}", flush=True)


def options():
    parser = argparse.ArgumentParser(prog="tessera fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long (10)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (the time)")
    parser.add_argument("--cpus", type=int, default=2, help="of the machine, with a worker on each (2)")
    parser.add_argument("--mem", type=int, default=512, help="of the machine, in MiB (512)")
    parser.add_argument("--build", default="kcov", help="the kernel's variant (kcov); others give no coverage")
    parser.add_argument("--calls", default="", help="generate these calls only, from programs that have one: names with commas between")
    parser.add_argument("--append", default="", help="arguments for the kernel")
    parser.add_argument("--corpus", type=Path, default=TOP / "build/fuzz/corpus", help="where programs are kept")
    parser.add_argument("--findings", type=Path, default=TOP / "build/fuzz/findings")
    parser.add_argument("--silence", type=float, default=150, help="seconds after which a silent machine hangs (150)")
    parser.add_argument("--check", type=int, default=15, help="seconds between looks for what leaks (15)")
    parser.add_argument("--replay", type=Path, help="run the programs of this file and nothing else")
    parser.add_argument("--repeat", type=int, default=100, help="of --replay and --minimise (100)")
    parser.add_argument("--minimise", type=Path, help="make the program in this file smaller; it must break the kernel")
    parser.add_argument("--first", action="store_true", help="stop at the first finding")
    parser.add_argument("--no-minimise", action="store_true", help="leave findings as they are")
    parser.add_argument("--parsers", action="store_true", help="fuzz the parsers on the host instead")
    parser.add_argument("--jobs", type=int, default=1, help="of --parsers")
    return parser.parse_args()


class SyscallFuzzer:
    def __init__(self, args):
        self.args = args
        self.seed = args.seed or int(time.time())
        self.findings = 0
        self.runs = self.calls = self.edges = 0
        self.busy = 0.0
        self.hashes = set()
        args.corpus.mkdir(parents=True, exist_ok=True)

    def corpus(self):
        """All programs, the tree's first, then what was found here; of them those with a call that --calls names."""
        only = self.args.calls.replace(",", "|") or r"\w+"
        texts = []
        for folder in (TREE_CORPUS, self.args.corpus):
            for path in sorted(folder.glob("*.txt")):
                texts += [t for t in path.read_text().split("\n\n") if t.strip() and re.search(rf"\b({only})\(", t)]
        self.hashes = {hashlib.sha1(t.strip().encode()).hexdigest() for t in texts}
        return "\n\n".join(t.strip() for t in texts) + "\n"

    def keep(self, programs):
        with open(self.args.corpus / "found.txt", "a") as f:
            for text in programs:
                digest = hashlib.sha1(text.strip().encode()).hexdigest()
                if digest not in self.hashes:
                    self.hashes.add(digest)
                    f.write(text.strip() + "\n\n")

    def machine(self, command, text, limit, tell=None, silence=150, append=""):
        with tempfile.NamedTemporaryFile("w", prefix="tessera-fuzz.", suffix=".txt") as f:
            f.write(text)
            f.flush()
            return machine.run(
                f"ulimit -n 1024; {command}",
                [(FUZZER, "/fuzz"), (f.name, "/corpus.txt")],
                build=self.args.build,
                cpus=self.args.cpus,
                mem=self.args.mem,
                append=f"{self.args.append} {append}".strip(),
                limit=limit,
                silence=silence,
                tell=tell,
            )

    def replay(self, text, repeat, workers=None):
        workers = workers or self.args.cpus
        return self.machine(
            f"/fuzz -r {repeat} -t {REPLAY} -w {workers} -c /corpus.txt", text, REPLAY + ENDING, silence=60
        )

    def session(self, seconds, number):
        self.minute = 0

        def tell(stats):
            minute = int(stats["seconds"]) // 60
            if minute > self.minute:
                self.minute = minute
                say(" ".join(f"{k}={v}" for k, v in stats.items()))

        only = f" -o {self.args.calls}" if self.args.calls else ""
        ended = self.machine(
            f"/fuzz -s {self.seed + number} -t {int(seconds)} -w {self.args.cpus} -l {self.args.check} -c /corpus.txt{only}",
            self.corpus(),
            seconds + ENDING,
            tell,
            # Every other machine is preempted at random places.
            append="preempt=random" if number % 2 else "",
            silence=self.args.silence,
        )
        self.keep(ended.kept)
        self.runs += int(ended.stats.get("runs", 0))
        self.calls += int(ended.stats.get("calls", 0))
        self.busy += float(ended.stats.get("seconds", 0))
        self.edges = max(self.edges, int(ended.stats.get("edges", 0)))
        if ended.reason:
            self.finding(ended)
        return ended

    def finding(self, ended):
        self.findings += 1
        folder = self.args.findings / machine.reason_name(ended.reason)
        n = 1
        while folder.exists():
            n += 1
            folder = self.args.findings / f"{machine.reason_name(ended.reason)}.{n}"
        folder.mkdir(parents=True)
        say(f"FINDING: {ended.reason}")
        say(f"  in {folder}")
        (folder / "reason").write_text(ended.reason + "\n")
        (folder / "console").write_text(ended.console)
        if ended.kdb:
            (folder / "kdb").write_text(ended.kdb)
            say(f"  what each thread does and waits for: {folder}/kdb")
        (folder / "said").write_text("\n".join(ended.said) + "\n")
        log = [f"# worker {p.worker}, program {p.number}{', running' if p.running else ''}\n{p.text}" for p in ended.programs]
        (folder / "programs.txt").write_text("\n".join(log))
        if not self.args.no_minimise and n == 1:
            self.reproduce(ended, folder)

    def reproduce(self, ended, folder):
        """The running programs alone, together, with what ran before: which of these does it again?"""
        running = [p.text for p in ended.running()]
        recent = [p.text for p in ended.programs[-24:]]
        tries = [[t] for t in running] + ([running] if len(running) > 1 else []) + [recent]
        for texts in tries:
            if not texts:
                continue
            again = self.replay("\n\n".join(t.strip() for t in texts) + "\n", self.args.repeat)
            if machine.reason_name(again.reason) != machine.reason_name(ended.reason):
                continue
            (folder / "reproducer.txt").write_text("\n\n".join(t.strip() for t in texts) + "\n")
            say(f"  {len(texts)} program(s) do it again: {folder}/reproducer.txt")
            if len(texts) == 1:
                small = self.minimise(texts[0], ended.reason, 300)
                (folder / "minimised.txt").write_text(small)
                say("  " + small.replace("\n", "\n  "))
            return
        say("  none of the last programs does it again alone")

    def minimise(self, text, reason, seconds):
        return Minimiser(lambda t: self.replay(t, self.args.repeat).reason, reason, seconds, say).run(text)

    def run(self):
        end = time.monotonic() + 60 * self.args.minutes
        say(f"seed {self.seed}, {self.args.minutes:g} minutes, {self.args.cpus} CPUs, build {self.args.build}")
        number = 0
        while end - time.monotonic() > 5:
            ended = self.session(min(SESSION, end - time.monotonic()), number)
            number += 1
            if ended.reason and self.args.first:
                break
            if ended.reason.startswith("the machine did not start"):
                say("giving up")
                break
        rate = self.runs / self.busy if self.busy else 0
        say(
            f"{self.runs} programs ({rate:.0f} a second), {self.calls} calls, {self.edges} edges, "
            f"{len(self.hashes)} programs in the corpus, {self.findings} findings"
        )
        return 1 if self.findings else 0


def main():
    args = options()
    if args.parsers:
        return parsers.run(args, say)
    fuzzer = SyscallFuzzer(args)
    if args.replay:
        ended = fuzzer.replay(args.replay.read_text(), args.repeat)
        for line in ended.said:
            say(line)
        say(ended.reason or "nothing was wrong")
        if ended.reason:
            print(ended.console)
        return 1 if ended.reason else 0
    if args.minimise:
        text = args.minimise.read_text()
        first = fuzzer.replay(text, args.repeat)
        if not first.reason:
            say("this does not break the kernel")
            return 2
        print(fuzzer.minimise(text, first.reason, 60 * args.minutes), end="")
        return 1
    return fuzzer.run()


if __name__ == "__main__":
    sys.exit(main())
