import asyncio
import smtplib
import threading

from odoo.tests.common import BaseCase, tagged
from odoo.tools import mute_logger

from ....tools.mailbox.listener_options import parse_options
from ....tools.mailbox.lmtp_server import LmtpServer

LOGGER = "odoo.addons.mail_catchall_gateway.tools.mailbox.lmtp_server"


class RunningServer:
    """The server in a thread of its own, on a free loopback port."""

    def __init__(self, *arguments, size=1000):
        self.stored, self.refused = [], {}
        options, _rest = parse_options(["--lmtp=127.0.0.1:24", *arguments])
        self.server = LmtpServer("mx.test", options, self._check, self._store)
        self.server.size = size

    async def _check(self, address):
        if isinstance(self.refused.get(address), Exception):
            raise self.refused[address]
        return self.refused.get(address, "")

    async def _store(self, raw, sender, recipients):
        if b"broken" in raw:
            raise OSError("no room")
        self.stored.append((raw, sender, recipients))
        return "250 2.1.5 Stored"

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self._run(self.server.start(self._listen))
        self.port = self.server.listener.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_exc):
        self._run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _listen(self, factory):
        return await self.loop.create_server(factory, "127.0.0.1", 0)

    def connect(self):
        return smtplib.LMTP("127.0.0.1", self.port, timeout=30)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestLmtpServer(BaseCase):
    """The protocol, over real sockets."""

    def test_what_is_stored(self):
        with RunningServer() as running, running.connect() as lmtp:
            lmtp.sendmail("mary@a.test", ["john@b.test", "jane@b.test"], "Subject: x\r\n\r\n.dot")
            self.assertEqual(lmtp.getreply()[0], 250, "the second, that smtplib does not wait for")
            lmtp.sendmail("<>", ["john@b.test"], "Subject: y\r\n\r\n")
        (raw, sender, recipients), (report, *_rest) = running.stored
        self.assertEqual(raw, b"Return-Path: <mary@a.test>\r\nSubject: x\r\n\r\n.dot\r\n")
        self.assertEqual((sender, recipients), ("mary@a.test", ["john@b.test", "jane@b.test"]))
        self.assertTrue(report.startswith(b"Return-Path: <>\r\n"))

    @mute_logger(LOGGER)
    def test_what_fails_is_tried_again_by_the_mail_server(self):
        with RunningServer() as running, running.connect() as lmtp:
            running.refused["down@b.test"] = ConnectionError("password=secret")
            lmtp.ehlo()
            lmtp.mail("mary@a.test")
            self.assertEqual(lmtp.rcpt("down@b.test")[0], 451)
            for address in ("john@b.test", "jane@b.test"):
                self.assertEqual(lmtp.rcpt(address)[0], 250)
            lmtp.docmd("DATA")
            lmtp.sock.sendall(b"broken\r\n.\r\n")
            for _recipient in range(2):
                code, text = lmtp.getreply()
                self.assertEqual((code, text[:5]), (451, b"4.3.0"))
                self.assertNotIn(b"no room", text, "our troubles are nobody's business")
            self.assertEqual(lmtp.noop()[0], 250)
        self.assertFalse(running.stored)

    def test_addresses_and_commands_that_cannot_be(self):
        with RunningServer() as running, running.connect() as lmtp:
            for command, expected in [
                (b"MAIL FROM:<mary@a.test>", 503),
                (b"EHLO mx", 500),
                (b"LHLO mx", 250),
                (b"RCPT TO:<john@b.test>", 503),
                (b"MAIL TO:<mary@a.test>", 501),
                (b"MAIL FROM:<mary@a.test>", 250),
                (b"DATA", 503),
                (b'RCPT TO:<"x, john"@b.test>', 553),
                (b"RCPT TO:<\xff@b.test>", 553),
                (b"RCPT TO:<john@b.test> NOTIFY=NEVER", 555),
                (b"RCPT TO:<" + b"x" * 3000 + b"@b.test>", 500),
                (b"x" * 100_000, 500),
                (b"RCPT TO:<j\xc3\xb6rg@b.test>", 250),
            ]:
                with self.subTest(command=command[:40]):
                    lmtp.sock.sendall(command + b"\r\n")
                    code, text = lmtp.getreply()
                    self.assertEqual(code, expected, text)
                    if b"LHLO" not in command:
                        self.assertRegex(text, rb"^%d\.\d+\.\d+ " % (code // 100))

    def test_lines_that_are_too_long(self):
        with RunningServer(size=10**6) as running, running.connect() as lmtp:
            lmtp.ehlo()
            lmtp.mail("mary@a.test")
            for address in ("john@b.test", "jane@b.test"):
                lmtp.rcpt(address)
            lmtp.docmd("DATA")
            lmtp.sock.sendall(b"x" * 200_000 + b"\r\n.\r\n")
            self.assertEqual([lmtp.getreply()[0] for _recipient in range(2)], [500, 500])
            self.assertEqual(lmtp.noop()[0], 250)
            lmtp.sendmail("mary@a.test", ["john@b.test"], "x" * 60_000)
        self.assertEqual(len(running.stored), 1)

    def test_a_client_that_is_slow_is_left(self):
        with RunningServer("--timeout=2") as running, running.connect() as lmtp:
            self.assertEqual(lmtp.sock.recv(100), b"")
            with running.connect() as other:
                other.ehlo()
                other.mail("mary@a.test")
                other.rcpt("john@b.test")
                other.docmd("DATA")
                self.assertEqual(other.sock.recv(100), b"", "nor in the middle of a mail")
        self.assertFalse(running.stored)

    def test_so_many_connections_and_no_more(self):
        with RunningServer("--connections=1") as running:
            with running.connect():
                with self.assertRaises(smtplib.SMTPConnectError) as caught:
                    running.connect()
                self.assertEqual(caught.exception.smtp_code, 421)
