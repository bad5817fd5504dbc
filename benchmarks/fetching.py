"""What is measured, each as a function that yields rows; see ``run.py``."""

import statistics

from common import MODULES
from report import Row

ALIASES = (10, 100_000)
MILLISECONDS = 50


def median_by_kind(values):
    return tuple(statistics.median(values[kind]) for kind in MODULES)


# ------------------------------------------------------------
# SPEED
# ------------------------------------------------------------


def measure_whole(bench, args, **arguments):
    """Let both fetch and process the same number of mails, in turns.

    :return tuple: mails in a second and SQL statements for each, of stock Odoo and the addon
    """
    speed, statements = {kind: [] for kind in MODULES}, {kind: [] for kind in MODULES}
    for _run in range(args.repeat):
        for kind in MODULES:
            bench.fill(args.mails)
            found = bench.run(kind, "whole", **arguments)
            assert found["messages"] == args.mails, found
            speed[kind].append(args.mails / found["seconds"])
            statements[kind].append(found["sql"] / args.mails)
    return median_by_kind(speed), median_by_kind(statements)


def compare_loopback(bench, args):
    """From the mailbox to the posted message."""
    (stock, addon), (stock_sql, addon_sql) = measure_whole(bench, args)
    yield Row("whole way, loopback, one worker", stock, addon, stock, "mail/s", True)
    yield Row("SQL for each routed mail", stock_sql, addon_sql, stock_sql + 6)


def compare_slow(bench, args):
    """The same with a mail server that is far away."""
    (stock, addon), _statements = measure_whole(bench, args, milliseconds=MILLISECONDS)
    where = f"{MILLISECONDS} ms round-trip time"
    yield Row(f"whole way, {where}", stock, addon, 6 * stock, "mail/s", True)
    speed = []
    for _run in range(args.repeat):
        bench.fill(args.mails)
        found = bench.run("addon", "fetch", milliseconds=MILLISECONDS)
        assert found["count"] == args.mails, found
        speed.append(args.mails / found["seconds"])
        bench.run("addon", "process")
    yield Row(
        f"fetch stage alone, {where}",
        stock,
        statistics.median(speed),
        20 * stock,
        "mail/s",
        True,
        "stock: whole way",
    )


def compare_workers(bench, args):
    """Two processes that fetch and process, against one."""
    mails, speed = 2 * args.mails, {1: [], 2: []}
    for _run in range(args.repeat):
        for workers, values in speed.items():
            bench.fill(mails)
            found = bench.run("addon", "share", mails=mails, workers=workers)
            assert (found["messages"], found["twice"]) == (mails, 0), found
            values.append(mails / found["seconds"])
    one, two = (statistics.median(values) for values in speed.values())
    note = f"one: {one:.1f} mail/s; nothing twice"
    yield Row("two workers, whole way, loopback", None, two, 1.7 * one, "mail/s", True, note)


def compare_aliases(bench, args):
    """How much longer it takes where there are many aliases."""
    ratios = {}
    for kind in MODULES:
        seconds = {aliases: [] for aliases in ALIASES}
        for _run in range(args.repeat):
            for aliases, values in seconds.items():
                bench.make_aliases(kind, aliases)
                values.append(measure_processing(bench, kind, args.mails))
        few, many = (statistics.median(values) for values in seconds.values())
        ratios[kind] = many / few
        bench.make_aliases(kind, ALIASES[0])
    what = "time with 100,000 aliases against 10"
    yield Row(what, ratios["stock"], ratios["addon"], 1.05, "times")


def measure_processing(bench, kind, mails):
    """Return the seconds to process mails; stock Odoo cannot but fetch them meanwhile."""
    bench.fill(mails)
    if kind == "stock":
        return bench.run(kind, "whole")["seconds"]
    assert bench.run(kind, "fetch")["count"] == mails
    return bench.run(kind, "process")["seconds"]


def compare_from_policy(bench, args):
    """What it costs to decide as whom a mail leaves."""
    found = bench.send(args.sent, args.rounds)
    for way in ("native", "dynamic", "forced", "forced, signed"):
        note = f"processor time {found[way]['cpu']:.3f} times"
        what = f"time to send a mail, From policy {way}"
        yield Row(what, found["stock twice"]["wall"], found[way]["wall"], 1.02, "times", note=note)


# ------------------------------------------------------------
# MEMORY
# ------------------------------------------------------------


def compare_unseen(bench, args):
    """A mailbox that nobody read for a long time."""
    bench.fill(0)
    empty = bench.run("addon", "fetch")["megabytes"]
    bench.fill(args.unseen)
    found = bench.run("addon", "fetch")
    assert found["count"] == args.unseen, found
    bench.forget("addon")
    what, note = f"peak memory, {args.unseen:,} unseen mails", f"empty mailbox: {empty:.1f} MB"
    yield Row(what, None, found["megabytes"], empty + 80, "MB", note=note)


def compare_large(bench, _args, megabytes=25):
    peak = {}
    for kind in MODULES:
        bench.fill(1, octets=megabytes * 1024 * 1024)
        found = bench.run(kind, "whole")
        assert found["messages"] == 1, found
        peak[kind] = found["megabytes"]
    what = f"peak memory, one mail of {megabytes} MB"
    yield Row(what, peak["stock"], peak["addon"], 1.1 * peak["stock"], "MB")


# ------------------------------------------------------------
# DURABILITY
# ------------------------------------------------------------


def compare_kills(bench, args):
    """Processes that fetch and are killed, each at a random moment."""
    lost, twice = {}, {}
    for kind in MODULES:
        sent = bench.fill(args.mails)
        delivered = bench.run(kind, "killed", kills=args.kills, sent=sent)["delivered"]
        lost[kind] = len(set(sent) - set(delivered))
        twice[kind] = len(delivered) - len(set(delivered))
    what = f"of {args.mails} mails, killed {args.kills} times at random"
    yield Row(f"{what}: lost", lost["stock"], lost["addon"], 0)
    yield Row(f"{what}: there twice", twice["stock"], twice["addon"], 0)
