"""Workers that fetch and process, killed at random.

    random_kills.py CONFIG DATABASE KILLS SECONDS

Two at once, each replaced when it is killed. Afterwards they go on until nothing waits; what dead
workers had in hands is made due then, for nobody wants to wait the minute.
"""

import contextlib
import os
import random
import signal
import sys
import time
import traceback

import psycopg2

import odoo

WORKERS = 2


def work(database):
    """Do what two scheduled actions do, without end; an error ends one run, as Odoo has it."""
    while True:
        try:
            with odoo.registry(database).cursor() as cr:
                env = odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
                env["fetchmail.server"]._fetch_mails()
                env["mail.catchall.inbound"]._process_waiting()
        except Exception:
            traceback.print_exc()
        time.sleep(0.05)


def start(database):
    pid = os.fork()
    if not pid:
        try:
            work(database)
        finally:
            os._exit(1)
    return pid


def query(database, text):
    with odoo.sql_db.db_connect(database).cursor() as cr:
        cr.execute(text)
        result = cr.fetchall() if cr.description else None
        cr.commit()
    odoo.sql_db.close_all()  # a child must not have our connections
    return result


def main(config, database, kills, seconds):
    odoo.tools.config.parse_config([f"--config={config}", "--log-level=error"])
    odoo.registry(database)
    odoo.sql_db.close_all()
    workers = [start(database) for _number in range(WORKERS)]
    try:
        for _kill in range(kills):
            time.sleep(random.uniform(0, 2 * seconds))
            victim = random.choice(workers)
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            workers[workers.index(victim)] = start(database)
            (count,) = query(database, "SELECT count(*) FROM mail_message")[0]
            print(f"killed {_kill + 1}: {count} messages", flush=True)
        finish(database)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def finish(database):
    """Wait until nothing waits any more."""
    last, since = None, time.monotonic()
    while True:
        states = query(
            database,
            "SELECT state, count(*) FROM mail_catchall_inbound"
            " WHERE state IN ('pending', 'processing') GROUP BY state",
        )
        if states != last:
            last, since = states, time.monotonic()
        idle = time.monotonic() - since
        if not states and idle > 3:
            return
        if idle > 5:
            make_due(database)
            since = time.monotonic()
        time.sleep(0.5)


def make_due(database):
    with contextlib.suppress(psycopg2.extensions.TransactionRollbackError):  # again in 5 s
        query(
            database,
            "UPDATE mail_catchall_inbound SET next_attempt = NULL"
            " WHERE state IN ('pending', 'processing')",
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
