"""What ``fuzz/`` found, each with the smallest mail that shows it."""

import base64
import email
import email.message
import email.policy
import random

from odoo.tests import tagged
from odoo.tests.common import BaseCase

from ...tools.addresses.recipients import header_recipients
from ...tools.message import repair_fields
from ...tools.message.preview import read_content
from ...tools.message.repair import MalformedMail, repair
from ...tools.message.repair_charsets import decode_text
from ...tools.message.source import MAX_HEADER, MAX_MESSAGE_ID, header_fields, summarize
from ...tools.sending.from_policy import FORCED, FromPolicy, apply_policy
from ...tools.sending.sendable import MAX_LINE, make_sendable
from .. import smtp_relay as relays
from ..common import CatchallCommon

#: Longer than an index of PostgreSQL holds, and such that it cannot be compressed.
LONG = base64.urlsafe_b64encode(random.Random(1).randbytes(9000)).decode()


def encoded_word(text):
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestFuzzFindings(CatchallCommon):
    def setUp(self):
        super().setUp()
        self.relay_server = relays.Relay()
        running = relays.running(self.env, self.relay_server)
        self.relay.write({"smtp_host": relays.HOST, "smtp_port": running.__enter__()})
        self.addCleanup(running.__exit__, None, None, None)
        self.john.notification_type = "email"

    def receive_raw(self, header, to=None, body="Two, please."):
        """Receive a mail, send what it causes through a real mail server, and look at each line."""
        head = f"To: {to or self.john.alias_email}\r\n{header}\r\n"
        if "From:" not in head:
            head = f"From: {self.customer}\r\n{head}"
        raw = f"{head}\r\n{body}".encode()
        inbounds = self.env["mail.catchall.inbound"]
        inbound = inbounds.browse(inbounds.receive(raw))
        inbound.write({"state": "processing", "attempt_count": 1})
        inbound.env["mail.catchall.queue"]._process_locked(inbound)
        mails = self.env["mail.mail"].search([("state", "=", "outgoing")])
        mails.send()
        self.assertFalse(mails.exists().filtered(lambda mail: mail.state == "exception"))
        for left in self.relay_server.left:
            for line in left.raw.split(b"\r\n"):
                self.assertLessEqual(len(line), MAX_LINE)
                self.assertNotRegex(line, rb"[\r\n]", "may smuggle in another mail")
        return inbound

    def test_a_message_id_of_any_length_can_be_stored(self):
        for message_id in (f"<{LONG}@x.example>", f"<{encoded_word(LONG)}@x.example>", "<" * 5000):
            with self.subTest(message_id[:20]):
                header = f"Subject: x\r\nMessage-Id: {message_id}"
                self.assertVerdict(self.receive_raw(header), "delivered", "user_alias")
                again = self.receive_raw(header + " ")
                self.assertVerdict(again, "ignored", "duplicate")

    def test_a_message_id_without_anything_in_it_can_be_answered(self):
        inbound = self.receive_raw("Subject: x\r\nMessage-Id: <>")
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(len(self.relay_server.left), 1)

    def test_a_message_id_is_not_decoded_on_the_way_out(self):
        evil = encoded_word("a\r\nX-Evil: yes")
        words = "=?unknown-8bit?q?=FF?=", encoded_word("ü"), evil, encoded_word(evil)
        for word in (*words, encoded_word("=?" * 30)):
            for message_id in (f"{word} <{'x' * 90}@x.example>", f"<{word}@x.example>"):
                with self.subTest(message_id):
                    self.relay_server.left.clear()
                    inbound = self.receive_raw(f"Subject: x\r\nMessage-Id: {message_id}")
                    self.assertVerdict(inbound, "delivered", "user_alias")
                    (left,) = self.relay_server.left
                    self.assertNotIn("X-Evil", left.mail)

    def test_addresses_are_looked_up_without_what_cannot_be_in_one(self):
        self._create_mailbox(trusted_authserv_id="mx.acme.example")
        nobody = f"no\0body@{self.domain}"
        inbound = self.receive_raw(
            "From: Mary <mary@cus\0tomer.example>", f"{nobody}, {self.john.alias_email}"
        )
        self.assertVerdict(inbound, "delivered", "user_alias")

    def test_a_subject_may_become_the_name_of_a_document(self):
        bicycles = "".join(map(chr, random.Random(1).choices(range(0x1F300, 0x1F9FF), k=3000)))
        alias = self._create_team_alias()
        header = f"Message-Id: <1@x.example>\r\nSubject: {encoded_word(bicycles)}"
        inbound = self.receive_raw(header, alias.display_name)
        self.assertVerdict(inbound, "delivered", "alias")
        name = self.env["res.partner"].browse(inbound.res_id).name
        self.assertEqual(name, bicycles[: len(name)])
        self.assertGreater(len(name), 200)

    def test_what_is_sent_on_fits_into_lines(self):
        long_id = f"<{'i' * 970}@x.example>"
        for number, header in enumerate(
            (
                f"From: {'x' * 2000} <mary@x.example>",
                f"From: {encoded_word(chr(0x1F6B2) * 900)} <mary@x.example>",
                f"From: <{LONG}@x.example>",
                f"Subject: {'x' * 3000}",
                f"Message-Id: {long_id[:-1]}{'i' * 20}>",
                f"Message-Id: {long_id}\r\nIn-Reply-To: {long_id}",
            )
        ):
            with self.subTest(header[:20]):
                if "Message-Id" not in header:
                    header += f"\r\nMessage-Id: <{number}@x.example>"
                self.assertVerdict(self.receive_raw(header), "delivered", "user_alias")
                self.assertEqual(len(self.relay_server.left), number + 1)

    def test_a_forwarded_mail_is_sent_on_as_it_may_be_sent(self):
        forward = (
            "--b\r\nContent-Type: message/rfc822\r\n"
            'Content-Disposition: attachment; filename="a.eml"'
            "\r\n\r\nFrom: a@x.example\r\nContent-Type: text/plain; charset=utf-8"
            "\r\n\r\n%s\r\n--b--\r\n"
        )
        for number, (text, content_type) in enumerate(
            (("Two, please.", "message/rfc822"), ("Größe", "application/octet-stream"))
        ):
            with self.subTest(content_type):
                header = f"Message-Id: <{number}@x.example>\r\n"
                header += 'Content-Type: multipart/mixed; boundary="b"\r\n'
                self.receive_raw(header, body=forward % text)
                (left,) = self.relay_server.left[number:]
                (attached,) = left.mail.iter_attachments()
                self.assertEqual(attached.get_content_type(), content_type)
                self.assertEqual(attached.get_filename(), "a.eml")
                content = attached.get_content()
                if isinstance(content, bytes):
                    content = email.message_from_bytes(content, policy=email.policy.SMTP)
                self.assertEqual(content.get_content().strip(), text)


class TestFuzzFindingsInTools(BaseCase):
    def test_an_attached_mail_in_damaged_base64_can_be_written(self):
        lines = b"YWJj" * 19, b"YWJj\xe2\x80\xaeYWJjY", b"YWJj" * 19
        attached = b"Content-Transfer-Encoding: base64\r\n\r\n" + b"\r\n".join(lines)
        raw = b"Content-Type: message/rfc822\r\n\r\n" + attached
        written = repair(raw).message.as_bytes()
        (found,) = email.message_from_bytes(written).get_payload()
        self.assertEqual(found.get_payload(decode=True)[:3], b"abc")

    def test_a_preview_reads_what_the_gateway_reads(self):
        """Python alone takes seconds for the second one, and cannot read the first."""
        for field in ("text/plain; charset=unknown-8bit", "text/plain" + '; boundary="b"x' * 1000):
            with self.subTest(field[:40]):
                raw = f"Content-Type: {field}\r\n\r\n".encode() + b"Gr\xfc\xdfe"
                self.assertEqual(read_content(raw)[0].strip(), "Grüße")

    def test_a_content_type_without_a_subtype_is_read_at_once(self):
        for text in ("a" * 500_000, "a" + " " * 500_000, "a " * 250_000):
            with self.subTest(text[:3]):
                self.assertEqual(repair_fields._content_type(text), "text/plain")

    def test_message_ids_that_begin_alike_stay_different(self):
        ids = [summarize(f"Message-Id: <{LONG}{n}@x>\r\n\r\n".encode()).message_id for n in "12"]
        self.assertNotEqual(*ids)
        self.assertEqual([len(one) for one in ids], [MAX_MESSAGE_ID] * 2)

    def test_references_encoded_in_a_charset_that_is_none(self):
        raw = b"References: <1@x.test> =?ut\xff-8?q?x?= <2@x.test>\r\nIn-Reply-To: =?x?q?=\r\n\r\n"
        self.assertEqual(summarize(raw).answers_to, ("<1@x.test>", "<2@x.test>"))

    def test_what_is_too_long_is_no_address(self):
        value = f"<{'x' * 400}@x.test>, <a@{'x.' * 150}test>, b@x.test"
        self.assertEqual(header_recipients([("To", value)]), ("b@x.test",))

    def test_the_header_that_a_report_quotes_may_have_a_body(self):
        raw = (
            b"From: a@x.test\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
            b"Message-Id: <>\r\nContent-Type: text/plain; charset=no-such\r\n\r\n"
            b"Two, please.\r\n--b--"
        )
        message = repair(raw).message
        texts = [part.get_content() for part in message.walk() if not part.is_multipart()]
        self.assertEqual(texts, ["Two, please."])

    def test_more_header_fields_than_any_mail_has_are_not_read(self):
        fields = b"Resent-To: a@x.test\r\n" * (repair_fields.MAX_FIELDS + 1)
        with self.assertRaisesRegex(MalformedMail, "header fields"):
            repair(fields + b"\r\n")
        found = header_fields(b"X-Any: x\r\n" * 300_000 + b"\r\n")
        self.assertLessEqual(sum(len(name) + len(value) for name, value in found), MAX_HEADER)

    def test_many_lines_are_an_attachment(self):
        header = b"From: a@x.test\r\nContent-Type: text/plain\r\n\r\n"
        text = repair(header + b"> Two,\r\n> please.\r\n" * 5000).message
        self.assertEqual(text.get_content(), "> Two,\n> please.\n" * 5000)
        for line in (b"\r", b"\n", b"a\r\n"):
            with self.subTest(line):
                (attached,) = repair(header + line * 300_000).message.iter_attachments()
                self.assertEqual(attached.get_filename(), "message.txt")

    def test_a_long_text_that_is_not_utf8_is_read_at_once(self):
        for octets in (b"\xff" * 200_000, b"a\xfc" * 200_000):
            self.assertEqual(decode_text(octets, "utf-8"), octets.decode("cp1252"))

    def test_only_the_nearest_references_are_kept(self):
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        ids = [f"<{number}@{'x' * 200}.test>" for number in range(9)]
        message["References"] = " ".join(ids)
        make_sendable(message)
        self.assertEqual(message["References"].split(), ids[-4:])

    def test_a_sender_that_is_no_text_is_replaced(self):
        sender = apply_policy(FromPolicy(FORCED, "out@acme.test"), "a\udcff@x.test", set())
        self.assertEqual(sender.header, '"a?@x.test" <out@acme.test>')
