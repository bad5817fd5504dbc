"""An LMTP server (RFC 2033) on aiosmtpd: who may connect, how much, and what is answered."""

import asyncio
import collections
import ipaddress
import logging
import time

from aiosmtpd.lmtp import LMTP

from .lmtp_reply import add_status, for_each

_logger = logging.getLogger(__name__)

#: The library's own lines show what is written by whom, and at debug level the mails.
logging.getLogger("mail.log").setLevel(logging.ERROR)

TEMPORARY = "451 4.3.0 Not now: try again later"
#: Seconds for which a mail that is coming in is waited for when the server ends.
GRACE_SECONDS = 30


class Session(LMTP):
    """One connection."""

    #: Octets of a line. RFC 5321 wants 1,000; mail servers that pass longer ones on are out there.
    line_length_limit = 65536

    def __init__(self, server, loop):
        super().__init__(
            server,
            data_size_limit=server.size,
            enable_SMTPUTF8=True,
            hostname=server.hostname,
            ident="Catch-all Email Gateway",
            timeout=server.options.timeout,
            loop=loop,
        )
        # the library has one for all connections, that each LHLO changes
        self.command_size_limits = collections.defaultdict(lambda: 2048)
        self.server = server
        self.is_receiving = self._is_greeting = False
        self._recipients = 0  # that wait for their answer

    def connection_made(self, transport):
        if refusal := self.server.refuse(transport.get_extra_info("peername")):
            transport.set_protocol(asyncio.Protocol())
            transport.write(f"{refusal}\r\n".encode())
            transport.close()
            return
        self.server.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error):
        self.server.sessions.discard(self)
        return super().connection_lost(error)

    def close(self):
        if self.transport is not None:
            self.transport.write(b"421 4.3.2 The service ends\r\n")
            self.transport.close()

    async def check_helo_needed(self, helo="LHLO"):
        return await super().check_helo_needed("LHLO")

    async def smtp_LHLO(self, arg):
        self._is_greeting = True
        try:
            await super().smtp_LHLO(arg)
        finally:
            self._is_greeting = False

    async def smtp_DATA(self, arg):
        self.is_receiving = True
        try:
            await super().smtp_DATA(arg)
        finally:
            self.is_receiving = False

    async def push(self, status):
        """Answer: to a mail once for each recipient, and with a status code but where none is."""
        if status.startswith("354"):
            self._recipients = len(self.envelope.rcpt_tos)
        elif self._recipients:
            count, self._recipients = self._recipients, 0
            status = for_each(status, count)
        elif not self._is_greeting:
            status = add_status(status)
        await super().push(status)


class LmtpServer:
    """Takes mail in.

    Arguments:
        hostname (str): as it calls itself
        options: what a peer may ask for, see ``listener_options.py``
        check: coroutine function of an address, that returns why it is refused, or nothing
        store: coroutine function of (raw, sender, recipients), that returns a reply when the mail
            is safe, and raises if it is not
    """

    def __init__(self, hostname, options, check, store):
        self.hostname = hostname
        self.options = options
        self.size = 0  # octets of a mail, which may change while it runs
        self.check = check
        self.store = store
        self.sessions = set()
        self.listener = None

    async def start(self, listen):
        """Listen, by a coroutine function of a protocol factory that returns an asyncio server."""
        loop = asyncio.get_running_loop()
        self.listener = await listen(lambda: Session(self, loop))

    async def stop(self):
        """Take no new mail, and finish what is coming in."""
        self.listener.close()
        for session in list(self.sessions):
            if not session.is_receiving:
                session.close()
        end = time.monotonic() + GRACE_SECONDS
        while any(s.is_receiving for s in self.sessions) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        for session in list(self.sessions):
            session.close()

    def refuse(self, peer):
        """Return why a peer (host, port, ...) may not connect, or nothing."""
        if len(self.sessions) >= self.options.connections:
            return "421 4.3.2 Too many connections"
        networks = self.options.peers
        if networks and isinstance(peer, tuple):  # not on a socket of the file system
            address = ipaddress.ip_address(peer[0].partition("%")[0])
            address = getattr(address, "ipv4_mapped", None) or address
            if all(address not in network for network in networks):
                _logger.warning("LMTP: %s may not connect", peer[0])
                return "554 5.7.1 You may not connect"
        return ""

    # hooks of aiosmtpd

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_MAIL(self, _server, _session, envelope, address, options):
        if not _is_storable(address):
            return "553 5.1.7 This address cannot be read"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, options):
        if len(envelope.rcpt_tos) >= self.options.recipients:
            return "452 4.5.3 Too many recipients, send the mail to the others again"
        if not _is_storable(address):
            return "553 5.1.3 This address cannot be read"
        try:
            refusal = await self.check(address)
        except Exception as error:
            return _postpone("a recipient could not be looked up", error)
        if refusal:
            sender = envelope.mail_from
            _logger.info("LMTP: mail from %s to %s refused: %s", sender, address, refusal)
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server, _session, envelope):
        sender = "" if envelope.mail_from == "<>" else envelope.mail_from
        # The final delivery notes the envelope sender (RFC 5321, 4.4). No Received: with its time
        # in it, a mail that comes again because our answer was lost would be another one.
        raw = f"Return-Path: <{sender}>\r\n".encode() + envelope.content
        try:
            return await self.store(raw, sender, list(envelope.rcpt_tos))
        except Exception as error:
            return _postpone(f"mail from {sender} could not be stored", error)

    async def handle_exception(self, error):
        return _postpone("a command failed", error)


def _postpone(what, error):
    """Return a reply that has the mail server keep the mail; what happened is for our log alone."""
    _logger.warning("LMTP: %s: %s: %s", what, type(error).__name__, error)
    _logger.debug("It happened here", exc_info=error)
    return TEMPORARY


def _is_storable(address):
    """Tell whether an address is text, and one among others separated by commas."""
    try:
        address.encode()
    except UnicodeEncodeError:
        return False
    return address.isprintable() and ", " not in address
