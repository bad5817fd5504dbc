"""Throws made-up mails at the gateway: ``run.py CONFIG DATABASE --mails 100000 --processes 2``.

Each mail is made from the seed and its own number alone, so that every finding can be made again:
it is written to the state folder with what was wrong. A run that was stopped goes on where it was.
"""

import argparse
import collections
import faulthandler
import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

import odoo

sys.path.insert(0, str(Path(__file__).parent))

from mails import decide_way, make_mail  # noqa: E402
from seeds import collect  # noqa: E402
from world import World, prepare  # noqa: E402

#: Mails after which a process notes how far it is.
CHUNK = 50
#: Seconds of real time after which a mail is taken for one that never ends.
MAX_SECONDS = 120
#: Octets that a process may have in all: the machine has other things to do.
MAX_OCTETS = 4 * 2**30


class Run:
    """A number of mails, and the folder that keeps what became of them."""

    def __init__(self, database, mails, processes, seed, state):
        self.database, self.mails, self.processes, self.seed = database, mails, processes, seed
        self.folder = state / f"seed_{seed}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.done = self.folder / "done.jsonl"
        self.findings = self.folder / "findings.jsonl"

    def load(self, path):
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def append(self, path, value):
        with open(path, "a") as file:  # one write: other processes append too
            file.write(json.dumps(value) + "\n")

    def note(self, number, raw, wrong):
        (self.folder / f"{number}.eml").write_bytes(raw)
        self.append(self.findings, {"number": number, "wrong": wrong})
        print(f"mail {number}: {wrong[0].strip().splitlines()[-1][:200]}", flush=True)

    # ------------------------------------------------------------
    # IN A PROCESS OF ITS OWN
    # ------------------------------------------------------------

    def work(self, position):
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_OCTETS, MAX_OCTETS))
        seeds = collect(odoo.addons.__path__)
        world = World(self.database)
        known = {finding["number"] for finding in self.load(self.findings)}
        done = {chunk["start"] for chunk in self.load(self.done)}
        for index, start in enumerate(range(0, self.mails, CHUNK)):
            if index % self.processes != position or start in done:
                continue
            result = {"start": start, "codes": collections.Counter(), "cpu": 0, "memory": 0}
            for number in range(start, min(start + CHUNK, self.mails)):
                if number not in known:
                    self.try_number(world, number, seeds, position, result)
            self.append(self.done, result)

    def try_number(self, world, number, seeds, position, result):
        raw = make_mail(self.seed, number, seeds, world.addresses)
        self.current(position).write_text(str(number))
        faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
        code, cpu, memory, wrong = world.try_mail(raw, decide_way(self.seed, number))
        faulthandler.cancel_dump_traceback_later()
        result["codes"][code] += 1
        result["cpu"] = max(result["cpu"], cpu)
        result["memory"] = max(result["memory"], memory)
        if wrong:
            self.note(number, raw, wrong)

    def current(self, position):
        return self.folder / f"current_{position}"

    # ------------------------------------------------------------
    # ALL OF THEM
    # ------------------------------------------------------------

    def start(self, position):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                self.work(position)
                code = 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        return pid

    def go(self):
        """Run until all mails are through; a process that a mail ended is replaced."""
        prepare(self.database)
        odoo.sql_db.close_all()
        running = {self.start(position): position for position in range(self.processes)}
        try:
            while running:
                pid, status = os.wait()
                position = running.pop(pid)
                if status:
                    self.note_death(position, status)
                    running[self.start(position)] = position
        finally:
            for pid in running:
                os.kill(pid, signal.SIGTERM)

    def note_death(self, position, status):
        """Note the mail that ended a process, so that it is not tried again."""
        if not self.current(position).exists():
            raise SystemExit("a process ended before its first mail")
        number = int(self.current(position).read_text())
        self.current(position).unlink()
        raw = make_mail(self.seed, number, collect(odoo.addons.__path__), ())
        self.note(number, raw, [f"ended the process: {os.waitstatus_to_exitcode(status)}"])

    def report(self):
        chunks, findings = self.load(self.done), self.load(self.findings)
        codes = sum(
            (collections.Counter(chunk["codes"]) for chunk in chunks), collections.Counter()
        )
        cpu = max((chunk["cpu"] for chunk in chunks), default=0)
        memory = max((chunk["memory"] for chunk in chunks), default=0)
        print(f"{sum(codes.values())} mails of seed {self.seed}: {dict(codes.most_common())}")
        print(f"at most {cpu:.2f} s of CPU and {memory // 2**20} MB for one of them")
        print(f"{len(findings)} findings in {self.folder}")
        return not findings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("database")
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, help="without, a new one, which is printed")
    parser.add_argument("--state", type=Path, required=True, help="folder for what is found")
    parser.add_argument("--replay", type=Path, nargs="*", help="try these findings again")
    args = parser.parse_args()
    odoo.tools.config.parse_config([f"--config={args.config}", "--log-level=critical"])
    seed = random.randrange(10**6) if args.seed is None else args.seed
    if args.replay:
        return replay(args.database, args.replay)
    print(f"seed {seed}", flush=True)
    run, start = Run(args.database, args.mails, args.processes, seed, args.state), time.monotonic()
    run.go()
    print(f"{time.monotonic() - start:.0f} s")
    return run.report()


def replay(database, paths):
    """Try findings again, ``seed_1/45.eml``, and print what is wrong."""
    prepare(database)
    world, count = World(database), 0
    for path in paths:
        way = decide_way(path.parent.name.removeprefix("seed_"), path.stem)
        code, cpu, memory, wrong = world.try_mail(path.read_bytes(), way)
        print(f"{path.name}: {code}, {cpu:.2f} s, {memory // 2**20} MB", *wrong, sep="\n  ")
        count += bool(wrong)
    print(f"{count} of {len(paths)} still wrong")
    return not count


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
