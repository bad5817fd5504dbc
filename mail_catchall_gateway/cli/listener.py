"""The process of ``odoo-bin catchall-listen``: what it starts, and how it ends."""

import asyncio
import concurrent.futures
import contextlib
import functools
import imaplib
import logging
import os
import signal
import socket
import sys
import time

import psycopg2
from sdnotify import SystemdNotifier

import odoo
from odoo.tools import config

from ..tools.mailbox.listener_options import PROGRAM, parse_options
from ..tools.mailbox.lmtp_server import LmtpServer
from ..tools.pauses import growing_pauses
from .threads import MailboxThread, ProcessingThread, RoundThread, Signal, transaction

_logger = logging.getLogger(__name__)

#: MB of a mail by LMTP, where no mailbox says how many: it is held in memory.
DEFAULT_SIZE = 50
#: Seconds for the threads to finish; systemd gives 90 by itself.
END_SECONDS = 60
#: Seconds: core means to have this limit, and imaplib of Python 3.9 and later overrules it.
IMAP_TIMEOUT = 60
#: Connections that wait to be accepted.
BACKLOG = 512


def main(arguments):
    """Run until a signal ends it, with the arguments behind the command."""
    options, rest = parse_options(arguments)
    config.parse_config(rest)
    database = config["db_name"]
    if not database or "," in database:
        sys.exit(f"{PROGRAM}: name one database with -d")
    create_socket = imaplib.IMAP4._create_socket
    imaplib.IMAP4._create_socket = lambda self, timeout=None: create_socket(
        self, timeout or IMAP_TIMEOUT
    )
    odoo.service.server.load_server_wide_modules()
    if not _wait_for_addon(database):
        sys.exit(f"{PROGRAM}: the addon is not installed in {database}")
    asyncio.run(Listener(options, database).serve())


def _wait_for_addon(database):
    """Return whether the addon is installed, as soon as the database can be asked."""
    for pause in growing_pauses(30):
        try:
            with transaction(database) as env:
                return "mail.catchall.inbound" in env
        except psycopg2.OperationalError as error:
            _logger.warning("The database does not answer, next try in %s s: %s", pause, error)
            time.sleep(pause)


class Listener:
    """Owns the threads and the LMTP server, and tells systemd how it is (``sd_notify``)."""

    def __init__(self, options, database):
        self.options = options
        self.database = database
        self.processing = Signal()
        self.processors = [
            ProcessingThread(f"worker {number}", database, self.processing)
            for number in range(1, options.workers + 1)
        ]
        self.rounds = RoundThread(database, self._make_round, self._show_life)
        self.mailboxes = {}  # threads by id of the mailbox
        self.pool = concurrent.futures.ThreadPoolExecutor(options.workers, "lmtp")
        check = functools.partial(self._in_pool, self._refuse_recipient)
        store = functools.partial(self._in_pool, self._store)
        self.lmtp = LmtpServer(socket.gethostname(), options, check, store)
        self.systemd = SystemdNotifier()

    async def serve(self):
        """Work until SIGTERM or SIGINT; SIGHUP connects to all mailboxes anew."""
        self.loop, is_over = asyncio.get_running_loop(), asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(signum, is_over.set)
        self.loop.add_signal_handler(signal.SIGHUP, self._reconnect)
        for thread in self.processors:
            thread.start()
        if self.options.lmtp:
            await self._in_pool(self._update_size)
            await self.lmtp.start(self._listen)
        endpoint = self.options.lmtp and "LMTP {}:{}".format(*self.options.lmtp)
        what = filter(None, [self.options.idle and "IDLE", endpoint])
        _logger.info("Listening: %s", ", ".join(what))
        self.systemd.notify("READY=1")
        self.rounds.start()
        await is_over.wait()
        self.systemd.notify("STOPPING=1")
        _logger.info("Ending, when what was begun is finished")
        await self._end()
        _logger.info("Ended")

    async def _listen(self, factory):
        """Open the LMTP socket; see :meth:`LmtpServer.start`."""
        host, place = self.options.lmtp
        if host != "unix":
            return await self.loop.create_server(factory, host, place, backlog=BACKLOG)
        before = os.umask(0o777 & ~self.options.socket_mode)
        try:
            return await self.loop.create_unix_server(factory, place, backlog=BACKLOG)
        finally:
            os.umask(before)

    def _show_life(self):
        """Have the event loop tell that it and all threads are alive."""
        self.loop.call_soon_threadsafe(self._notify_watchdog)

    def _notify_watchdog(self):
        if all(thread.is_alive() for thread in [*self.processors, *self.mailboxes.values()]):
            self.systemd.notify("WATCHDOG=1")

    async def _end(self):
        if self.options.lmtp:
            await self.lmtp.stop()
            if self.options.lmtp[0] == "unix":
                os.unlink(self.options.lmtp[1])
        # one after the other: a round starts threads, and these wake the last ones
        for threads in ([self.rounds], self.mailboxes.values(), self.processors):
            threads, end = list(threads), time.monotonic() + END_SECONDS
            for thread in threads:
                thread.signal.end()
            for thread in threads:
                thread.join(max(0, end - time.monotonic()))

    def _reconnect(self):
        for thread in list(self.mailboxes.values()):
            thread.signal.end()
        self.rounds.signal.wake()

    def _make_round(self):
        """Watch the mailboxes that there are now, and process what is due again."""
        with transaction(self.database) as env:
            watched = env["fetchmail.server"]._get_watched() if self.options.idle else {}
        self.processing.wake()
        if self.options.lmtp:
            self._update_size()
        for server_id, thread in list(self.mailboxes.items()):
            if thread.signal.ending.is_set() or watched.get(server_id) != thread.settings:
                thread.signal.end()
                del self.mailboxes[server_id]
        for server_id in watched.keys() - self.mailboxes.keys():
            settings, on_stored = watched[server_id], self.processing.wake
            thread = MailboxThread(self.database, server_id, settings, self.options, on_stored)
            self.mailboxes[server_id] = thread
            thread.start()

    def _in_pool(self, function, *arguments):
        return self.loop.run_in_executor(self.pool, function, *arguments)

    @contextlib.contextmanager
    def _use_mailbox(self):
        """Yield the mailbox whose settings count for LMTP, or none, in a transaction."""
        with transaction(self.database) as env:
            yield env["fetchmail.server"].browse(self.options.mailbox or []).exists()

    def _update_size(self):
        with self._use_mailbox() as mailbox:
            self.lmtp.size = (mailbox._get_listener_size() or DEFAULT_SIZE) * 1024 * 1024

    def _refuse_recipient(self, address):
        with self._use_mailbox() as mailbox:
            return mailbox.env["mail.catchall.rejection"]._refuse_recipient(address, mailbox)

    def _store(self, *mail):
        with self._use_mailbox() as mailbox:
            reply = mailbox.env["mail.catchall.inbound"]._receive_by_lmtp(*mail, mailbox.id)
        self.processing.wake()
        return reply
