"""Everything that the addon promises in figures, side by side with stock Odoo, in one run.

    .state/venv/bin/python benchmarks/run.py [--write]

It starts a PostgreSQL, Postfix and Dovecot of its own. Both Odoos read the same mails for an alias
that makes a contact of each, on databases that differ by the addon alone, in turns. Only ratios
count: other work on the machine shows in all figures, so run it on an idle one. ``--only NAME``
(more than once, if you like) measures some rows, ``--quick`` shows in some minutes that all of
them can be measured, and says nothing about speed. What the rows mean: ``README.md``.
"""

import argparse
import datetime
import os
import platform
from pathlib import Path

import fetching
from common import REPO, Bench, get_version
from report import draw, format_rows
from server import exit_on_signals

RESULTS = REPO / "benchmarks" / "RESULTS.md"
QUICK = {"mails": 20, "unseen": 200, "repeat": 1, "kills": 5, "sent": 20, "rounds": 1}
#: name: function of the servers and the arguments that yields rows
MEASUREMENTS = {
    "loopback": fetching.compare_loopback,
    "slow": fetching.compare_slow,
    "workers": fetching.compare_workers,
    "aliases": fetching.compare_aliases,
    "unseen": fetching.compare_unseen,
    "large": fetching.compare_large,
    "kills": fetching.compare_kills,
    "from": fetching.compare_from_policy,
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=200)
    parser.add_argument("--unseen", type=int, default=10_000, help="mails for the peak memory")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--sent", type=int, default=500, help="mails sent under a From policy")
    parser.add_argument("--rounds", type=int, default=6, help="how often they are sent")
    parser.add_argument("--only", action="append", choices=list(MEASUREMENTS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="few mails: do the scripts work?")
    parser.add_argument("--state", type=Path, default=REPO / ".state" / "bench")
    parser.add_argument("--write", action="store_true", help=f"keep it in {RESULTS.name}")
    parser.set_defaults(**(QUICK if parser.parse_known_args()[0].quick else {}))
    return parser.parse_args()


def describe_run(bench, args):
    """Return on what the figures were measured."""
    quick = "**Quick: figures mean nothing.** " if args.quick else ""
    return (
        f"{quick}Measured on {datetime.date.today()} with {args.mails} mails, "
        f"{args.repeat} runs of each: {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, "
        f"PostgreSQL {bench.databases['addon'].psql('SHOW server_version').split()[0]}, "
        f"Odoo {get_version()}."
    )


def main():
    args = parse_arguments()
    exit_on_signals()
    rows = []
    with Bench(args.state) as bench:
        for name in args.only or MEASUREMENTS:
            for row in MEASUREMENTS[name](bench, args):
                rows.append(row)
                print(f"{name}: {row.as_text()}", flush=True)
        facts = describe_run(bench, args)
    print(f"\n{format_rows(rows)}\n{facts}")
    if args.write:
        picture = RESULTS.with_suffix(".svg")
        picture.write_text(draw(rows))
        RESULTS.write_text(
            f"# Side by side with stock Odoo 17\n\n{facts}\n\n{format_rows(rows)}\n"
            f"![The same as bars]({picture.name})\n"
        )


if __name__ == "__main__":
    main()
