"""Workers that fetch and process, killed at random.

    random_kills.py CONFIG DATABASE KILLS SECONDS MAILS

Two at once, each replaced when it is killed. Afterwards they go on until nothing waits; what dead
workers had in hands is made due then, for nobody wants to wait the minute.
"""

import random
import sys
import time
from pathlib import Path

import odoo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "setup"))

from workers import kill, make_due, query, start  # noqa: E402

WORKERS = 2
#: Seconds without any change after which something is lost.
PATIENCE = 300


def main(config, database, kills, seconds, mails):
    odoo.tools.config.parse_config([f"--config={config}", "--log-level=error"])
    odoo.registry(database)
    odoo.sql_db.close_all()
    workers = [start(database) for _number in range(WORKERS)]
    try:
        for _kill in range(kills):
            time.sleep(random.uniform(0, 2 * seconds))
            victim = random.choice(workers)
            kill(victim)
            workers[workers.index(victim)] = start(database)
            (count,) = query(database, "SELECT count(*) FROM mail_message")[0]
            print(f"killed {_kill + 1}: {count} messages", flush=True)
        finish(database, mails)
    finally:
        for pid in workers:
            kill(pid)


def finish(database, mails):
    """Wait until all mails are there and none waits any more."""
    last, since, due = None, time.monotonic(), 5
    while True:
        counts = dict(
            query(database, "SELECT state, count(*) FROM mail_catchall_inbound GROUP BY 1")
        )
        if counts != last:
            last, since, due = counts, time.monotonic(), 5
        idle = time.monotonic() - since
        waits = counts.keys() & {"pending", "processing"}
        if sum(counts.values()) >= mails and not waits and idle > 3:  # flagged as seen, too
            return
        if idle > PATIENCE:
            raise TimeoutError(f"Nothing happens any more: {counts}")
        if idle > due:
            make_due(database)
            due += 5
        time.sleep(0.5)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
