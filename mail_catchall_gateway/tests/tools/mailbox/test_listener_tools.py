import contextlib
import io
import ipaddress

from odoo.tests.common import BaseCase, tagged

from ....tools.mailbox.imap_idle import WatchedFolder
from ....tools.mailbox.listener_options import parse_options
from ....tools.mailbox.lmtp_reply import add_status, for_each, refuse_recipient


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestListenerTools(BaseCase):
    """What the listener makes of lines and options."""

    def test_news_of_a_folder(self):
        for line, expected in [
            (b"* 3 EXISTS", True),
            (b"* 1 RECENT", True),
            (b"* 3 exists", True),
            (b"* 3 EXPUNGE", False),
            (b"* 3 FETCH (FLAGS (\\Seen))", False),
            (b"* OK Still here", False),
            (b"* OK 3 EXISTS", False),
            (b"+ idling", False),
            (b"L1 OK Idle completed", False),
            (b"", False),
        ]:
            with self.subTest(line=line):
                self.assertEqual(WatchedFolder._note(line), expected)

    def test_each_reply_has_a_status_code(self):
        for reply, expected in [
            ("250 OK", "250 2.0.0 OK"),
            ("250 2.1.5 Stored", "250 2.1.5 Stored"),
            ("250", "250 2.0.0"),
            ("552 Error: too much", "552 5.3.4 Error: too much"),
            ("503 Error: need MAIL command", "503 5.5.1 Error: need MAIL command"),
            ("451 Later", "451 4.3.0 Later"),
            ("354 Go on", "354 Go on"),
            ("250-SIZE 100", "250-SIZE 100"),
            ("550 5.1.1 Nobody", "550 5.1.1 Nobody"),
            ("500 5.5.5.5 is no code", "500 5.5.2 5.5.5.5 is no code"),
        ]:
            with self.subTest(reply=reply):
                self.assertEqual(add_status(reply), expected)

    def test_data_is_answered_once_for_each_recipient(self):
        for reply, count, expected in [
            ("250 2.1.5 OK", 1, ["250 2.1.5 OK"]),
            ("250 2.1.5 OK", 3, ["250 2.1.5 OK"] * 3),
            ("552 Too much", 2, ["552 5.3.4 Too much"] * 2),
            ("250 OK\r\n451 No", 2, ["250 2.0.0 OK", "451 4.3.0 No"]),
        ]:
            with self.subTest(reply=reply, count=count):
                self.assertEqual(for_each(reply, count).split("\r\n"), expected)

    def test_a_refusal_names_who_may_be_meant(self):
        for suggestion, expected in [
            (
                "john.doe@acme.com",
                "550 5.1.1 Nobody has this address. Did you mean john.doe@acme.com?",
            ),
            ("", "550 5.1.1 Nobody has this address."),
            (False, "550 5.1.1 Nobody has this address."),
            ("jürgen@acme.com", "550 5.1.1 Nobody has this address."),
        ]:
            with self.subTest(suggestion=suggestion):
                self.assertEqual(refuse_recipient(suggestion), expected)

    def test_options(self):
        arguments = ["--idle", "--lmtp=127.0.0.1:2424", "-c", "odoo.conf", "-d", "acme"]
        options, rest = parse_options(arguments)
        self.assertEqual((options.idle, options.lmtp), (True, ("127.0.0.1", 2424)))
        self.assertEqual(rest, ["-c", "odoo.conf", "-d", "acme"])
        options, _rest = parse_options(["--lmtp=unix:/run/odoo/lmtp", "--socket-mode=666"])
        self.assertEqual((options.lmtp, options.socket_mode), (("unix", "/run/odoo/lmtp"), 0o666))
        options, _rest = parse_options(["--lmtp", "[::1]:24"])
        self.assertEqual(options.lmtp, ("::1", 24))
        options, _rest = parse_options(["--lmtp=mx:24", "--peers=10.0.0.1,10.1.0.0/16"])
        self.assertEqual(options.peers[1], ipaddress.ip_network("10.1.0.0/16"))

    def test_options_that_cannot_work(self):
        for arguments, message in [
            ([], "nothing to listen to"),
            (["--workers=2"], "nothing to listen to"),
            (["--idle", "--workers=0"], "no number above zero"),
            (["--idle", "--renew=1740"], "29 minutes"),
            (["--lmtp=24"], "neither HOST:PORT"),
            (["--lmtp=mx:0"], "neither HOST:PORT"),
            (["--lmtp=mx:65536"], "neither HOST:PORT"),
            (["--lmtp=unix:lmtp"], "neither HOST:PORT"),
            (["--lmtp=0.0.0.0:24"], "who may connect"),
            (["--lmtp=0.0.0.0:24", "--peers=everybody"], "everybody"),
            (["--idle", "--socket-mode=999"], "no file mode"),
        ]:
            with self.subTest(arguments=arguments):
                output = io.StringIO()
                with contextlib.redirect_stderr(output), self.assertRaises(SystemExit):
                    parse_options(arguments)
                self.assertIn(message, output.getvalue())
