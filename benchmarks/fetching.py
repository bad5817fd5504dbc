"""Fetching, storing and processing, side by side with stock Odoo; prints a table in Markdown.

    ODOO_SOURCE=~/.cache/odoo-17.0 .state/venv/bin/python benchmarks/fetching.py [--mails 200]

It starts a PostgreSQL, Postfix and Dovecot of its own. Both Odoos read the same mails for an alias
that makes a contact of each, on databases that differ by the addon alone. Only ratios count: other
work on the machine shows in all figures, so run it on an idle one. ``--write FILE`` keeps the
table.
"""

import argparse
import statistics
from pathlib import Path

from common import MODULES, REPO, Bench

ALIASES = (10, 100_000)


class Table:
    """The rows of DESIGN, section 11: what, stock Odoo, the addon, ratio, to reach."""

    def __init__(self):
        self.lines = [
            "| what | stock Odoo 17 | addon | ratio | to reach |",
            "|---|---|---|---|---|",
        ]

    def add(self, *columns):
        self.lines.append("| " + " | ".join(columns) + " |")
        print(self.lines[-1], flush=True)

    def __str__(self):
        return "\n".join(self.lines) + "\n"


def compare_whole(bench, table, mails, milliseconds, repeat):
    """The scheduled action from the mailbox to the posted message; return stock's speed."""
    speed, statements = {kind: [] for kind in MODULES}, {}
    for _run in range(repeat):
        for kind in MODULES:  # in turns: what else runs on the machine meets both
            bench.fill(mails)
            found = bench.run(kind, "whole", milliseconds=milliseconds)
            assert found["messages"] == mails, found
            speed[kind].append(mails / found["seconds"])
            statements[kind] = found["sql"] / mails
    stock, addon = (statistics.median(speed[kind]) for kind in ("stock", "addon"))
    where = f"{milliseconds} ms round-trip time" if milliseconds else "loopback"
    goal = "6 times" if milliseconds else "at least stock's"
    columns = (f"{stock:.1f} mail/s", f"{addon:.1f} mail/s", f"{addon / stock:.2f}", goal)
    table.add(f"whole way, {where}", *columns)
    if not milliseconds:
        more = statements["addon"] - statements["stock"]
        columns = (f"{statements['stock']:.1f}", f"{statements['addon']:.1f}", f"{more:+.1f}")
        table.add("SQL for each routed mail", *columns, "at most +6")
    return stock


def compare_fetch(bench, table, mails, milliseconds, stock):
    bench.fill(mails)
    found = bench.run("addon", "fetch", milliseconds=milliseconds)
    assert found["count"] == mails, found
    speed = mails / found["seconds"]
    columns = (f"{stock:.1f} mail/s", f"{speed:.1f} mail/s", f"{speed / stock:.1f}")
    table.add(f"fetch stage alone, {milliseconds} ms (stock: whole way)", *columns, "20 times")
    bench.run("addon", "process")


def store(bench, mails):
    bench.fill(mails)
    assert bench.run("addon", "fetch")["count"] == mails


def compare_workers(bench, table, mails):
    speed = {}
    for workers in (1, 2):
        store(bench, mails)
        found = bench.run("addon", "process", workers=workers)
        assert found["messages"] == mails and not found.get("twice"), found
        speed[workers] = mails / found["seconds"]
    one, two = (f"{speed[workers]:.1f} mail/s" for workers in (1, 2))
    ratio = f"{speed[2] / speed[1]:.2f}"
    table.add(
        "two workers against one (processing)", "-", f"{two} against {one}", ratio, "1.7 times"
    )


def compare_aliases(bench, table, mails, repeat):
    ratios = {}
    for kind in MODULES:
        seconds = {aliases: [] for aliases in ALIASES}
        for _run in range(repeat):
            for aliases in ALIASES:
                bench.run(kind, "prepare", aliases=aliases)
                if kind == "addon":
                    store(bench, mails)
                    found = bench.run(kind, "process")
                else:
                    bench.fill(mails)
                    found = bench.run(kind, "whole")
                seconds[aliases].append(found["seconds"])
        few, many = (statistics.median(seconds[aliases]) for aliases in ALIASES)
        ratios[kind] = many / few
        bench.run(kind, "prepare", aliases=ALIASES[0])
    columns = (f"{ratios['stock']:.2f} times", f"{ratios['addon']:.2f} times", "")
    table.add("processing with 100,000 aliases against 10", *columns, "1.05 times")


def compare_memory(bench, table, mails):
    bench.fill(0)
    empty = bench.run("addon", "fetch")["megabytes"]
    bench.fill(mails)
    found = bench.run("addon", "fetch")
    assert found["count"] == mails, found
    more = found["megabytes"] - empty
    columns = ("-", f"{more:+.0f} MB ({mails / found['seconds']:.0f} mail/s)", "")
    table.add(f"peak memory, {mails:,} unseen mails, above an empty mailbox", *columns, "+80 MB")


def compare_large(bench, table, megabytes=25):
    peak = {}
    for kind in MODULES:
        bench.fill(1, octets=megabytes * 1024 * 1024)
        found = bench.run(kind, "whole")
        assert found["messages"] == 1, found
        peak[kind] = found["megabytes"]
    columns = (
        *(f"{peak[kind]:.0f} MB" for kind in MODULES),
        f"{peak['addon'] / peak['stock']:.2f}",
    )
    table.add(f"peak memory, one mail of {megabytes} MB", *columns, "1.10")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=200)
    parser.add_argument("--unseen", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--state", type=Path, default=REPO / ".state" / "bench")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    table = Table()
    with Bench(args.state) as bench:
        for kind in MODULES:
            bench.run(kind, "prepare")
        print("\n".join(table.lines), flush=True)
        compare_whole(bench, table, args.mails, 0, args.repeat)
        stock = compare_whole(bench, table, args.mails, 50, args.repeat)
        compare_fetch(bench, table, args.mails, 50, stock)
        compare_workers(bench, table, 2 * args.mails)
        compare_aliases(bench, table, args.mails, args.repeat)
        compare_large(bench, table)
        compare_memory(bench, table, args.unseen)
    if args.write:
        args.write.write_text(str(table))


if __name__ == "__main__":
    main()
