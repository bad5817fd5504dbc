import types

import psycopg2

from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ...models.mailbox.mailbox_reader import MailboxReader
from ...tools.addresses.recipients import RECIPIENT_HEADERS
from ...tools.message.source import summarize
from ..common import CatchallCommon, patch

ADDON = "odoo.addons.mail_catchall_gateway"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestFetchmailServer(CatchallCommon):
    """What needs no server; the dialogue itself is tested end to end, with Dovecot."""

    def create_mailbox(self, **values):
        return self.env["fetchmail.server"].create(
            {"name": "Catch-all", "is_catchall": True, "user": "mailbox@acme.test", **values}
        )

    def test_a_mailbox_knows_its_own_addresses(self):
        names, own = self.create_mailbox()._get_recipient_settings()
        self.assertEqual(names, list(RECIPIENT_HEADERS))
        self.assertIn("mailbox@acme.test", own)
        self.assertIn(self.mail_alias_domain.catchall_email, own)

    def test_a_login_that_is_no_address_is_not_one_of_them(self):
        _names, own = self.create_mailbox(user="mailbox")._get_recipient_settings()
        self.assertNotIn("mailbox", own)

    def test_recipient_headers_are_those_of_the_mailbox(self):
        for value, expected in [
            ("X-Rcpt, Delivered-To", ["X-Rcpt", "Delivered-To"]),
            (" X-Rcpt ,,", ["X-Rcpt"]),
            ("X-Rcpt: , Delivered-To:", ["X-Rcpt", "Delivered-To"]),
            ("X-Rcpt Delivered-To", ["X-Rcpt", "Delivered-To"]),
            (":", list(RECIPIENT_HEADERS)),
            (False, list(RECIPIENT_HEADERS)),
        ]:
            with self.subTest(value=value):
                mailbox = self.create_mailbox(recipient_headers=value)
                self.assertEqual(mailbox._get_recipient_settings()[0], expected)

    def test_bad_settings_are_refused_in_words(self):
        for values in [
            {"batch_size": 0},
            {"batch_size": 501},
            {"leave_days": -1},
            {"trusted_hops": -1},
            {"max_message_size": -1},
            {"after_fetch": "move"},
            {"after_fetch": "move", "archive_folder": "INBOX"},
            {"after_fetch": "move", "archive_folder": "inbox"},
            {"after_fetch": "move", "archive_folder": "inbox", "folder": False},
            {"folder": "INBOX\r\nA1 DELETE x"},
        ]:
            with self.subTest(**values), self.assertRaises(ValidationError):
                self.create_mailbox(**values)

    def test_other_servers_are_fetched_as_in_stock_odoo(self):
        stock = self.create_mailbox(is_catchall=False)
        fetch_mail = "odoo.addons.mail.models.fetchmail.FetchmailServer.fetch_mail"
        with patch(fetch_mail, autospec=True) as core_fetch_mail:
            stock.fetch_mail()
        core_fetch_mail.assert_called_once_with(stock)

    def test_a_mail_that_cannot_be_stored_does_not_hold_up_the_others(self):
        mailbox = self.create_mailbox()
        good = b"Subject: x\r\n\r\nx"
        bodies = {"1": good, "2": b"bad", "3": good}

        def fail(error):
            raise error

        for name, fault, expected in (
            ("mail", lambda: fail(ValueError("what no test found yet")), ["1", "3"]),
            ("data", lambda: self.cr.execute("SELECT 1/0", log_exceptions=False), ["1", "3"]),
            ("database", lambda: fail(psycopg2.OperationalError()), psycopg2.OperationalError),
            ("disk", lambda: fail(OSError("the disk is full")), OSError),
        ):
            dialogue = types.SimpleNamespace(
                key={"folder": "INBOX", "uid_validity": name}, problems=[]
            )
            reader = MailboxReader(mailbox, dialogue)

            def summarize_or_fail(raw, fault=fault):
                return fault() if raw == b"bad" else summarize(raw)

            with (
                self.subTest(name),
                patch(f"{ADDON}.tools.message.source.summarize", summarize_or_fail),
                mute_logger(f"{ADDON}.models.mailbox.mailbox_reader"),
            ):
                if isinstance(expected, list):
                    self.assertEqual(reader._store(bodies), expected)
                    self.assertEqual(len(dialogue.problems), 1)
                    domain = [("server_id", "=", mailbox.id), ("uid_validity", "=", name)]
                    found = self.env["mail.catchall.inbound"].search(domain)
                    self.assertEqual(sorted(found.mapped("uid")), expected)
                    continue
                # nothing of it may be acknowledged: it is not the mail's fault
                with self.assertRaises(expected):
                    reader._store(bodies)
