"""The database that a listener works on, for its threads."""

import contextlib
import threading

import psycopg2

import odoo
from odoo import SUPERUSER_ID, api


class Database:
    """Gives each piece of work a transaction of its own, on a registry that is up to date."""

    def __init__(self, name):
        self.name = name

    @contextlib.contextmanager
    def environment(self):
        """Yield an environment; commit where nothing is raised, as ``ir.cron`` does."""
        threading.current_thread().dbname = self.name  # for the log
        registry = odoo.registry(self.name).check_signaling()
        try:
            with registry.cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                yield env
                # the cursor does so only as long as somebody has the environment
                env.flush_all()
            registry.signal_changes()
        except Exception:
            registry.reset_changes()
            raise


def is_outage(error):
    """Tell whether an error means that the database is away: a traceback would tell no more."""
    return isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
