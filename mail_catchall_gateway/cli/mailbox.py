"""A mailbox that says when mail comes."""

import contextlib
import logging
import socket
import threading
import time

from ..tools.mailbox.imap_idle import WatchedFolder
from ..tools.pauses import growing_pauses

_logger = logging.getLogger(__name__)

#: Seconds after which a connection is made anew: tokens (OAuth) are good for an hour.
MAX_AGE = 55 * 60
LONGEST_PAUSE = 60
#: Seconds: a connection that nobody answers on any more is known after about two minutes.
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


class MailboxThread(threading.Thread):
    """Watches one mailbox and fetches it when something came in, until :meth:`end`.

    What comes while it fetches, or while it has no connection, is found by the next fetch.
    """

    def __init__(self, database, server_id, options, on_stored):
        """
        :param Database database:
        :param int server_id: id of the ``fetchmail.server``
        :param options: see ``tools/listener_options.py``
        :param on_stored: called after each fetch
        """
        super().__init__(name=f"mailbox {server_id}", daemon=True)
        self.database = database
        self.server_id = server_id
        self.options = options
        self.on_stored = on_stored
        self._wake, self._waker = socket.socketpair()
        self._is_ending = threading.Event()

    def end(self):
        """Have it end, when it has fetched what it is fetching."""
        self._is_ending.set()
        self._waker.send(b".")

    def run(self):
        self._pauses = growing_pauses(LONGEST_PAUSE)
        while not self._is_ending.is_set():
            try:
                with contextlib.closing(self._connect()) as folder:
                    self._watch(folder)
            except Exception as error:
                pause = next(self._pauses)
                _logger.warning(
                    "Mailbox %s is not watched, next try in %s s: %s: %s",
                    self.server_id,
                    pause,
                    type(error).__name__,
                    error,
                )
                _logger.debug("It ended here", exc_info=True)
                self._is_ending.wait(pause)

    def _connect(self):
        """Connect, by core's method that other modules extend: it renews tokens (OAuth)."""
        with self.database.environment() as env:
            server = env["fetchmail.server"].browse(self.server_id)
            connection = server.connect()
            name = server.folder or "INBOX"
        folder = WatchedFolder(connection, name, self._wake, self.options.poll)
        sock = folder.connection.sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in KEEPALIVE.items():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
        how = "IDLE" if folder.has_idle else f"a look every {self.options.poll} s"
        _logger.info("Mailbox %s is watched by %s", self.server_id, how)
        return folder

    def _watch(self, folder):
        now = time.monotonic()
        end, due = now + MAX_AGE, now  # what came while nobody looked
        while not self._is_ending.is_set() and now < end:
            if due <= now:
                seconds = self._fetch()
                now = time.monotonic()
                due = end if seconds is None else now + seconds
            else:
                has_news = folder.wait(min(self.options.renew, due - now))
                self._pauses = growing_pauses(LONGEST_PAUSE)
                now = time.monotonic()
                due = now if has_news else due

    def _fetch(self):
        with self.database.environment() as env:
            seconds = env["fetchmail.server"].browse(self.server_id)._fetch_for_listener()
        self.on_stored()
        return seconds
