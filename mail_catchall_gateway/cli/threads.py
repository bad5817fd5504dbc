"""The threads of a listener: they make rounds, watch mailboxes, and process what came in."""

import contextlib
import imaplib
import logging
import socket
import threading
import time

import psycopg2

import odoo
from odoo import SUPERUSER_ID, api

from ..models.mailbox.fetchmail_server import CHANNEL, SLICE_SECONDS
from ..tools.mailbox.imap_idle import WatchedFolder, find_readable
from ..tools.mailbox.mailbox import MailboxError
from ..tools.pauses import growing_pauses

_logger = logging.getLogger(__name__)

#: Seconds between two rounds.
ROUND_SECONDS = 30
#: Seconds after which a connection is made anew: tokens (OAuth) are good for an hour.
MAX_AGE = 55 * 60
#: Seconds: a connection that nobody answers on any more is known after about two minutes.
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
#: What is raised when a server is away, or says no: a traceback would tell no more.
OUTAGES = (OSError, imaplib.IMAP4.error, MailboxError)
OUTAGES += (psycopg2.OperationalError, psycopg2.InterfaceError)


@contextlib.contextmanager
def transaction(database):
    """Yield an environment; commit where nothing is raised, as ``ir.cron`` does."""
    threading.current_thread().dbname = database  # for the log
    registry = odoo.registry(database).check_signaling()
    try:
        with registry.cursor() as cr:
            # as the scheduled actions do: it is started on the machine, no request comes here
            env = api.Environment(cr, SUPERUSER_ID, {})
            yield env
            # the cursor does so only as long as somebody has the environment
            env.flush_all()
        registry.signal_changes()
    except Exception:
        registry.reset_changes()
        raise


class Signal:
    """Wakes threads, and has them end when they have finished what they do."""

    def __init__(self):
        self.ending = threading.Event()
        #: can be read once when it is to wake, for ever when it is to end
        self.alarm, self._waker = socket.socketpair()
        self._waker.setblocking(False)

    def wake(self):
        with contextlib.suppress(OSError):  # full, or at its end: it is not slept on
            self._waker.send(b".")

    def end(self):
        self.ending.set()
        self._waker.shutdown(socket.SHUT_WR)


class Worker(threading.Thread):
    """Does ``work`` until its signal says to end; after each error in a row it waits longer."""

    longest_pause = 30

    def __init__(self, name, database, signal=None):
        super().__init__(name=name, daemon=True)
        self.database = database
        self.signal = signal or Signal()

    def run(self):
        self.note_success()
        while not self.signal.ending.is_set():
            try:
                self.work()
            except Exception as error:
                pause, kind = next(self._pauses), type(error).__name__
                text = "Thread of %s: next try in %s s after %s: %s"
                trace = not isinstance(error, OUTAGES)
                _logger.warning(text, self.name, pause, kind, error, exc_info=trace)
                self.signal.ending.wait(pause)

    def note_success(self):
        self._pauses = growing_pauses(self.longest_pause)


class RoundThread(Worker):
    """Makes a round at its start, after each change of a mailbox, and every so many seconds.

    Changes come by LISTEN and NOTIFY of PostgreSQL; where a pooler swallows them, the seconds are
    the longest that a change waits.
    """

    def __init__(self, database, make_round, show_life):
        super().__init__("rounds", database)
        self.make_round = make_round
        self.show_life = show_life

    def work(self):
        self.show_life()  # without the database too: a new start would not bring it back
        with odoo.sql_db.db_connect(self.database).cursor() as cr:
            cr.execute(f'LISTEN "{CHANNEL}"')  # pylint: disable=sql-injection
            # a notification is heard outside of transactions only
            cr.commit()  # pylint: disable=invalid-commit
            sockets = [cr.connection, self.signal.alarm]
            while not self.signal.ending.is_set():
                self.make_round()
                self.show_life()
                self.note_success()
                if self.signal.alarm in find_readable(sockets, ROUND_SECONDS):
                    self.signal.alarm.recv(4096)
                cr.connection.poll()  # raises if the database is gone
                cr.connection.notifies.clear()


class MailboxThread(Worker):
    """Watches one mailbox and fetches it when something came in.

    What comes while it fetches, or while it has no connection, is found by the next fetch.
    """

    longest_pause = 60

    def __init__(self, database, server_id, settings, options, on_stored):
        super().__init__(f"mailbox {server_id}", database)
        self.server_id = server_id
        self.settings = settings
        self.options = options
        self.on_stored = on_stored

    def work(self):
        with contextlib.closing(self._connect()) as folder:
            self._watch(folder)

    def _connect(self):
        """Connect, by core's method that other modules extend: it renews tokens (OAuth)."""
        with transaction(self.database) as env:
            server = env["fetchmail.server"].browse(self.server_id)
            connection = server.connect()
            name = server.folder or "INBOX"
        folder = WatchedFolder(connection, name, self.signal.alarm, self.options.poll)
        sock = folder.connection.sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in KEEPALIVE.items():
            if hasattr(socket, option):  # not on every system
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
        how = "IDLE" if folder.has_idle else f"a look every {self.options.poll} s"
        _logger.info("Mailbox %s is watched by %s", self.server_id, how)
        return folder

    def _watch(self, folder):
        now = time.monotonic()
        end, due = now + MAX_AGE, now  # what came while nobody looked
        while not self.signal.ending.is_set() and now < end:
            if due <= now:
                with transaction(self.database) as env:
                    seconds = env["fetchmail.server"].browse(self.server_id)._fetch_for_listener()
                self.on_stored()
                now = time.monotonic()
                due = end if seconds is None else now + seconds
            else:
                has_news = folder.wait(min(self.options.renew, due - now))
                self.note_success()
                now = time.monotonic()
                due = now if has_news else due


class ProcessingThread(Worker):
    """Works through the queue when it is woken, by the queue's own method.

    Several share a signal: that which is free hears of it.
    """

    def work(self):
        self.signal.alarm.recv(4096)  # one run sees all that was stored until now
        try:
            until = 0
            while time.monotonic() > until and not self.signal.ending.is_set():
                until = time.monotonic() + SLICE_SECONDS
                with transaction(self.database) as env:
                    env["mail.catchall.queue"]._process_waiting(until)
                self.note_success()
        except Exception:
            self.signal.wake()  # an error is no end of the queue
            raise
