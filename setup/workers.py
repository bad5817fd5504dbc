"""Workers that fetch and process without end, as processes that can be killed at any moment.

They are forked from a process that has read the registry of their database.
"""

import contextlib
import os
import signal
import time
import traceback

import psycopg2

import odoo

WAITING = "state IN ('pending', 'processing')"


def work(database):
    """Do what two scheduled actions do, without end; an error ends one run, as Odoo has it."""
    while True:
        try:
            with odoo.registry(database).cursor() as cr:
                env = odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
                env["fetchmail.server"]._fetch_mails()
                if "mail.catchall.queue" in env:  # stock Odoo has none
                    env["mail.catchall.queue"]._process_waiting()
        except Exception:
            traceback.print_exc()
        time.sleep(0.01)


def start(database):
    """Start a worker and return its process id. The caller has no open connection left."""
    pid = os.fork()
    if not pid:
        try:
            work(database)
        finally:
            os._exit(1)
    return pid


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def query(database, text, *arguments):
    """Return what a statement returns, over a connection that no worker inherits."""
    settings = odoo.sql_db.connection_info_for(database)[1]
    with contextlib.closing(psycopg2.connect(**settings)) as connection:
        with connection, connection.cursor() as cr:
            cr.execute(text, arguments)
            return cr.fetchall() if cr.description else None


def make_due(database):
    """Let the time pass after which mails, those of dead workers too, and mailboxes come back."""
    with contextlib.suppress(psycopg2.extensions.TransactionRollbackError):  # again later
        query(
            database,
            f"UPDATE mail_catchall_inbound SET next_attempt = NULL WHERE {WAITING};"
            "UPDATE fetchmail_server SET next_fetch = NULL",
        )


def count_waiting(database):
    """Return how many mails wait or are in the hands of a worker, dead or alive."""
    return query(database, f"SELECT count(*) FROM mail_catchall_inbound WHERE {WAITING}")[0][0]
