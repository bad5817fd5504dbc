"""The thread that gives signs of life, and hears of changes to mailboxes."""

import logging
import selectors
import socket
import threading

import odoo

from ..tools.pauses import growing_pauses
from .database import is_outage

_logger = logging.getLogger(__name__)

LONGEST_PAUSE = 30


class Heartbeat(threading.Thread):
    """Calls ``beat`` at its start, after each change of a mailbox, and every so many seconds.

    Changes come by LISTEN and NOTIFY of PostgreSQL; where a pooler swallows them, the seconds are
    the longest that a change waits.
    """

    def __init__(self, database, channel, seconds, beat):
        super().__init__(name="heartbeat", daemon=True)
        self.database = database
        self.channel = channel
        self.seconds = seconds
        self.beat = beat
        self._wake, self._waker = socket.socketpair()
        self._is_ending = threading.Event()

    def wake(self):
        self._waker.send(b".")

    def end(self):
        self._is_ending.set()
        self.wake()

    def run(self):
        pauses = growing_pauses(LONGEST_PAUSE)
        while not self._is_ending.is_set():
            try:
                with odoo.sql_db.db_connect(self.database.name).cursor() as cr:
                    cr.execute(f'LISTEN "{self.channel}"')  # pylint: disable=sql-injection
                    # a notification is heard outside of transactions only
                    cr.commit()  # pylint: disable=invalid-commit
                    while not self._is_ending.is_set():
                        self.beat()
                        pauses = growing_pauses(LONGEST_PAUSE)
                        self._wait(cr.connection)
            except Exception as error:
                pause, trace = next(pauses), not is_outage(error)
                text = "No sign of life, next try in %s s: %s"
                _logger.warning(text, pause, error, exc_info=trace)
                self._is_ending.wait(pause)

    def _wait(self, connection):
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            ready = [key.fileobj for key, _events in selector.select(self.seconds)]
        if self._wake in ready:
            self._wake.recv(1024)
        connection.poll()  # raises if the database is gone
        connection.notifies.clear()
