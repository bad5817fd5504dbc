"""The process of ``odoo-bin catchall-listen``: what it starts, and how it ends."""

import asyncio
import concurrent.futures
import imaplib
import logging
import os
import signal
import smtplib
import socket
import sys
import time

import psycopg2

import odoo
from odoo.tools import config

from ..tools.mailbox.listener_options import parse_options
from ..tools.mailbox.lmtp_server import LmtpServer
from ..tools.pauses import growing_pauses
from .threads import Heartbeat, MailboxThread, ProcessingThread, Signal, transaction

_logger = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
#: MB of a mail by LMTP, where no mailbox says how many: it is held in memory.
DEFAULT_SIZE = 50
#: Seconds for the threads to finish; systemd gives 90 by itself.
END_SECONDS = 60
#: Seconds: core means to have this limit, and imaplib of Python 3.9 and later overrules it.
IMAP_TIMEOUT = 60
#: Connections that wait to be accepted.
BACKLOG = 512


def main(arguments, program):
    """Run until a signal ends it.

    :param list arguments: of the command line, behind the command
    :param str program: how it was called
    :return int: exit code
    """
    options, rest = parse_options(arguments, program)
    config.parse_config(rest)
    database = config["db_name"]
    if not database or "," in database:
        sys.exit(f"{program}: name one database with -d")
    if options.check:
        return check(options, database)
    create_socket = imaplib.IMAP4._create_socket
    imaplib.IMAP4._create_socket = lambda self, timeout=None: create_socket(
        self, timeout or IMAP_TIMEOUT
    )
    odoo.service.server.load_server_wide_modules()
    if not _wait_for_addon(database):
        sys.exit(f"{program}: the addon is not installed in {database}")
    asyncio.run(Listener(options, database).serve())
    return 0


def check(options, database):
    """Return the exit code that says whether the listener of this host is alive."""
    host = socket.gethostname()
    try:
        with transaction(database) as env:
            alive = env["mail.catchall.listener"]._find_alive(host).mapped("what")
        if options.lmtp:
            place = options.lmtp[1:] if options.lmtp[0] == "unix" else options.lmtp
            smtplib.LMTP(*place, local_hostname=host, timeout=10).close()
    except (psycopg2.Error, OSError, KeyError) as error:
        alive, host = [], f"{host}: {type(error).__name__}: {error}"
    sys.stdout.write(f"{', '.join(alive) or 'no listener is alive'} on {host}\n")
    return 0 if alive else 1


def _wait_for_addon(database):
    """Return whether the addon is installed, as soon as the database can be asked."""
    pauses = growing_pauses(30)
    while True:
        try:
            with transaction(database) as env:
                return "mail.catchall.listener" in env
        except psycopg2.OperationalError as error:
            pause = next(pauses)
            _logger.warning("The database does not answer, next try in %s s: %s", pause, error)
            time.sleep(pause)


class Listener:
    """Owns the threads and the LMTP server."""

    def __init__(self, options, database):
        self.options = options
        self.database = database
        self.host = socket.gethostname()
        self.processing = Signal()
        self.processors = [
            ProcessingThread(f"worker {number}", database, self.processing)
            for number in range(1, options.workers + 1)
        ]
        self.heartbeat = Heartbeat(database, self._beat)
        self.mailboxes = {}  # threads by id of the mailbox
        self.pool = concurrent.futures.ThreadPoolExecutor(options.workers, "lmtp")
        self.lmtp = LmtpServer(self.host, options, self._check_recipient, self._store)
        endpoint = options.lmtp and "LMTP {}:{}".format(*options.lmtp)
        self.what = ", ".join(filter(None, [options.idle and "IDLE", endpoint]))

    # ------------------------------------------------------------
    # LIFE
    # ------------------------------------------------------------

    async def serve(self):
        """Work until SIGTERM or SIGINT; SIGHUP connects to all mailboxes anew."""
        loop, is_over = asyncio.get_running_loop(), asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, is_over.set)
        loop.add_signal_handler(signal.SIGHUP, self._reconnect)
        for thread in self.processors:
            thread.start()
        self.processing.wake()
        if self.options.lmtp:
            await self._in_pool(self._update_size)
            await self.lmtp.start(self._listen)
        self.heartbeat.start()
        _logger.info("Listening: %s", self.what)
        await is_over.wait()
        _logger.info("Ending, when what was begun is finished")
        await self._end()
        _logger.info("Ended")

    async def _listen(self, factory):
        """Open the LMTP socket; see :meth:`LmtpServer.start`."""
        loop, (host, place) = asyncio.get_running_loop(), self.options.lmtp
        if host != "unix":
            return await loop.create_server(factory, host, place, backlog=BACKLOG)
        before = os.umask(0o777 & ~self.options.socket_mode)
        try:
            return await loop.create_unix_server(factory, place, backlog=BACKLOG)
        finally:
            os.umask(before)

    async def _end(self):
        if self.options.lmtp:
            await self.lmtp.stop()
            if self.options.lmtp[0] == "unix":
                os.unlink(self.options.lmtp[1])
        # one after the other: a beat starts threads, and these wake the last ones
        for threads in ([self.heartbeat], self.mailboxes.values(), self.processors):
            end = time.monotonic() + END_SECONDS
            for thread in list(threads):
                thread.signal.end()
            for thread in list(threads):
                thread.join(max(0, end - time.monotonic()))
        try:
            with transaction(self.database) as env:
                env["mail.catchall.listener"]._sign_off(self.host, os.getpid())
        except psycopg2.Error:
            _logger.info("The database is gone before us", exc_info=True)

    # ------------------------------------------------------------
    # MAILBOXES
    # ------------------------------------------------------------

    def _reconnect(self):
        for thread in list(self.mailboxes.values()):
            thread.signal.end()
        self.heartbeat.signal.wake()

    def _beat(self):
        """Give a sign of life, and watch the mailboxes that there are now."""
        with transaction(self.database) as env:
            listeners = env["mail.catchall.listener"]
            listeners._sign(self.host, os.getpid(), self.what)
            watched = listeners._get_watched() if self.options.idle else {}
        self.processing.wake()  # what is due again
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

    # ------------------------------------------------------------
    # LMTP
    # ------------------------------------------------------------

    def _get_mailbox(self, env):
        """Return the mailbox whose settings count for LMTP, or none."""
        return env["fetchmail.server"].browse(self.options.mailbox or []).exists()

    def _update_size(self):
        with transaction(self.database) as env:
            size = self._get_mailbox(env)._get_listener_size() or DEFAULT_SIZE
        self.lmtp.size = size * MEGABYTE

    def _in_pool(self, function, *arguments):
        return asyncio.get_running_loop().run_in_executor(self.pool, function, *arguments)

    async def _check_recipient(self, address):
        return await self._in_pool(self._refuse_recipient, address)

    def _refuse_recipient(self, address):
        with transaction(self.database) as env:
            mailbox = self._get_mailbox(env)
            return env["mail.catchall.rejection"]._refuse_recipient(address, mailbox)

    async def _store(self, *mail):
        reply = await self._in_pool(self._store_now, *mail)
        self.processing.wake()
        return reply

    def _store_now(self, raw, sender, recipients):
        with transaction(self.database) as env:
            server_id = self._get_mailbox(env).id
            return env["mail.catchall.inbound"]._receive_by_lmtp(raw, sender, recipients, server_id)
