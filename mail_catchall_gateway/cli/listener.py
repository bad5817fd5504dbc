"""The process of ``odoo-bin catchall-listen``: what it starts, and how it ends."""

import asyncio
import concurrent.futures
import functools
import imaplib
import logging
import os
import signal
import socket
import sys
import time

import psycopg2

import odoo
from odoo.tools import config

from ..models.mailbox.fetchmail_server_listen import CHANNEL
from ..models.mailbox.mail_catchall_listener import SIGN_SECONDS
from ..tools.mailbox.listener_options import parse_options
from ..tools.mailbox.lmtp_server import Limits, LmtpServer
from ..tools.pauses import growing_pauses
from .database import Database
from .heartbeat import Heartbeat
from .mailbox import MailboxThread
from .processing import Processing

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
    if not config["db_name"] or "," in config["db_name"]:
        sys.exit(f"{program}: name one database with -d")
    database = Database(config["db_name"])
    if options.check:
        return check(options, database)
    create_socket = imaplib.IMAP4._create_socket
    imaplib.IMAP4._create_socket = lambda self, timeout=None: create_socket(
        self, timeout or IMAP_TIMEOUT
    )
    odoo.service.server.load_server_wide_modules()
    if not _wait_for_addon(database):
        sys.exit(f"{program}: the addon is not installed in {database.name}")
    asyncio.run(Listener(options, database).serve())
    return 0


def check(options, database):
    """Return the exit code that says whether the listener of this host is alive."""
    host = socket.gethostname()
    try:
        with database.environment() as env:
            alive = env["mail.catchall.listener"]._find_alive(host).mapped("what")
        if options.lmtp:
            _greet(options.lmtp)
    except (psycopg2.Error, OSError, KeyError) as error:
        alive, host = [], f"{host}: {type(error).__name__}: {error}"
    sys.stdout.write(f"{', '.join(alive) or 'no listener is alive'} on {host}\n")
    return 0 if alive else 1


def _greet(endpoint):
    """Raise OSError if nobody greets at an LMTP endpoint."""
    if endpoint[0] == "unix":
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(endpoint[1])
    else:
        client = socket.create_connection(endpoint, 10)
    with client:
        greeting = client.recv(512)
    if not greeting.startswith(b"220 "):
        raise OSError(f"LMTP: {greeting.decode(errors='replace').strip() or 'no greeting'}")


def _wait_for_addon(database):
    """Return whether the addon is installed, as soon as the database can be asked."""
    pauses = growing_pauses(30)
    while True:
        try:
            with database.environment() as env:
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
        self.processing = Processing(database, options.workers)
        self.heartbeat = Heartbeat(database, CHANNEL, SIGN_SECONDS, self._beat)
        self.mailboxes = {}  # MailboxThread and what it was started with, by id
        self.is_reconnecting = False
        self.pool = concurrent.futures.ThreadPoolExecutor(options.workers, "lmtp")
        limits = Limits(
            DEFAULT_SIZE * MEGABYTE,
            options.connections,
            options.recipients,
            options.timeout,
            options.peers,
        )
        self.lmtp = LmtpServer(self.host, limits, self._check_recipient, self._store)
        self.what = ", ".join(filter(None, [options.idle and "IDLE", self._describe_lmtp()]))

    def _describe_lmtp(self):
        return self.options.lmtp and "LMTP {}:{}".format(*self.options.lmtp)

    # ------------------------------------------------------------
    # LIFE
    # ------------------------------------------------------------

    async def serve(self):
        """Work until SIGTERM or SIGINT; SIGHUP connects to all mailboxes anew."""
        loop, is_over = asyncio.get_running_loop(), asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, is_over.set)
        loop.add_signal_handler(signal.SIGHUP, self._reconnect)
        self.processing.start()
        self.processing.wake()
        if self.options.lmtp:
            await loop.run_in_executor(self.pool, self._update_size)
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
        self.heartbeat.end()
        self.heartbeat.join(END_SECONDS)
        threads = [thread for thread, _settings in self.mailboxes.values()]
        for thread in threads:
            thread.end()
        end = time.monotonic() + END_SECONDS
        for thread in threads:
            thread.join(max(0, end - time.monotonic()))
        self.processing.end(END_SECONDS)
        try:
            with self.database.environment() as env:
                env["mail.catchall.listener"]._sign_off(self.host, os.getpid())
        except psycopg2.Error:
            _logger.info("The database is gone before us", exc_info=True)

    # ------------------------------------------------------------
    # MAILBOXES
    # ------------------------------------------------------------

    def _reconnect(self):
        self.is_reconnecting = True
        self.heartbeat.wake()

    def _beat(self):
        """Give a sign of life, and watch the mailboxes that there are now."""
        with self.database.environment() as env:
            env["mail.catchall.listener"]._sign(self.host, os.getpid(), self.what)
            watched = env["fetchmail.server"]._get_watched() if self.options.idle else {}
        self.processing.wake()  # what is due again
        if self.options.lmtp:
            self._update_size()
        is_reconnecting, self.is_reconnecting = self.is_reconnecting, False
        for server_id, (thread, settings) in list(self.mailboxes.items()):
            if is_reconnecting or watched.get(server_id) != settings:
                thread.end()
                del self.mailboxes[server_id]
        for server_id in watched.keys() - self.mailboxes.keys():
            thread = MailboxThread(self.database, server_id, self.options, self.processing.wake)
            self.mailboxes[server_id] = thread, watched[server_id]
            thread.start()

    # ------------------------------------------------------------
    # LMTP
    # ------------------------------------------------------------

    def _get_mailbox(self, env):
        """Return the mailbox whose settings count for LMTP, or none."""
        return env["fetchmail.server"].browse(self.options.mailbox or []).exists()

    def _update_size(self):
        with self.database.environment() as env:
            size = self._get_mailbox(env)._get_listener_size() or DEFAULT_SIZE
        self.lmtp.limits.size = size * MEGABYTE

    async def _in_pool(self, function, *arguments):
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, functools.partial(function, *arguments))

    async def _check_recipient(self, address):
        return await self._in_pool(self._refuse_recipient, address)

    def _refuse_recipient(self, address):
        with self.database.environment() as env:
            return env["mail.catchall.rejection"]._refuse_recipient(address, self._get_mailbox(env))

    async def _store(self, *mail):
        reply = await self._in_pool(self._store_now, *mail)
        self.processing.wake()
        return reply

    def _store_now(self, raw, sender, recipients):
        with self.database.environment() as env:
            server_id = self._get_mailbox(env).id
            return env["mail.catchall.inbound"]._receive_by_lmtp(raw, sender, recipients, server_id)
