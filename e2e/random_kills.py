"""Workers that fetch and process, killed at random.

    random_kills.py CONFIG DATABASE KILLS SECONDS MAILS

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
#: Seconds without any change after which something is lost.
PATIENCE = 300


def work(database):
    """Do what two scheduled actions do, without end; an error ends one run, as Odoo has it."""
    while True:
        try:
            with odoo.registry(database).cursor() as cr:
                env = odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
                env["fetchmail.server"]._fetch_mails()
                env["mail.catchall.queue"]._process_waiting()
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


def main(config, database, kills, seconds, mails):
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
        finish(database, mails)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


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


def make_due(database):
    with contextlib.suppress(psycopg2.extensions.TransactionRollbackError):  # again in 5 s
        query(
            database,
            "UPDATE mail_catchall_inbound SET next_attempt = NULL"
            " WHERE state IN ('pending', 'processing');"
            "UPDATE fetchmail_server SET next_fetch = NULL",
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
