import email
import email.policy
import re
from email.headerregistry import Address

from odoo.tests.common import BaseCase

from ....tools.sending.sendable import (
    MAX_LINE,
    PlainField,
    addresses_in_names,
    as_plain,
    make_sendable,
)

LONG = "reply." + "a" * 56
LONG_NAME = "A very long name, " * 5 + "Ltd"
DOMAIN = "mail.a-company-with-a-long-name.example"


class TestSendable(BaseCase):
    def deliver(self, **fields):
        """Return the header that a mail with these fields leaves with, and what arrives."""
        # as core imports it, which replaces it
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        for name, value in fields.items():
            name = name.replace("_", "-")
            message[name] = as_plain(name, value)
        message.set_content("Two, please.")
        make_sendable(message)
        raw = message.as_bytes()
        header = raw.partition(b"\r\n\r\n")[0].decode("ascii")
        return header, email.message_from_bytes(raw, policy=email.policy.default)

    def test_a_long_reply_to_is_folded_before_its_address(self):
        for name in ("My Company Order", "Acme, Ltd", 'Mary "Bo" Smith', "Bike@Home"):
            address = Address(name, addr_spec=f"{LONG}@acme.example")
            with self.subTest(name=name):
                header, arrived = self.deliver(Reply_To=str(address))
                self.assertRegex(header, rf"Reply-To: .+\r\n <{LONG}@acme.example>(\r\n|$)")
                self.assertLessEqual(max(map(len, header.splitlines())), 78)
                self.assertEqual(arrived["Reply-To"].addresses, (address,))

    def test_any_other_reply_to_says_the_same_when_it_arrives(self):
        for value in (
            "My Company <catchall@acme.example>",
            f"{LONG}@acme.example",
            f"Café <{LONG}@acme.example>",
            f'"{LONG_NAME}" <{LONG}@acme.example>',
            f'"=?utf-8?q?x?= y" <{LONG}@acme.example>',
            f"Mary <{LONG}@acme.example>, Bob <bob@acme.example>",
            f"Mary <{LONG}@{DOMAIN}>",
        ):
            with self.subTest(value=value):
                expected = email.message.EmailMessage(policy=email.policy.SMTP)
                expected["Reply-To"] = value
                _header, arrived = self.deliver(Reply_To=value)
                for found, wanted in zip(
                    arrived["Reply-To"].addresses, expected["Reply-To"].addresses, strict=True
                ):
                    self.assertEqual(found.addr_spec, wanted.addr_spec)
                    # Python reads a space between encoded words
                    names = (each.display_name.replace(" ", "") for each in (found, wanted))
                    self.assertEqual(*names)

    def test_an_attached_mail_leaves_as_it_may_however_core_attaches_it(self):
        begin = b"From: a@acme.example\nContent-Type: text/plain; charset=utf-8\n\n"
        for text, encoding in (
            ("Two, please.", "7bit"),
            ("Größe", "base64"),
            ("x" * (MAX_LINE + 1), "base64"),
        ):
            octets = begin + text.encode()
            for build, (content, options) in {
                "2024": (octets, {"maintype": "message", "subtype": "rfc822"}),
                "2025": (octets, {"maintype": "message", "subtype": "rfc822", "cte": "binary"}),
                "2026": (email.message_from_bytes(octets), {}),
            }.items():
                with self.subTest(build=build, text=text[:12]):
                    message = email.message.EmailMessage(policy=email.policy.SMTP)
                    message.set_content("Hello")
                    message.add_attachment(content, filename="a.eml", **options)
                    make_sendable(message)
                    raw = message.as_bytes()
                    self.assertTrue(raw.isascii())
                    self.assertLessEqual(max(map(len, raw.splitlines())), MAX_LINE)
                    arrived = email.message_from_bytes(raw, policy=email.policy.default)
                    (attached,) = arrived.iter_attachments()
                    self.assertEqual(attached["Content-Transfer-Encoding"], encoding)
                    self.assertEqual(attached.get_filename(), "a.eml")
                    found = attached.get_content()
                    if isinstance(found, bytes):
                        found = email.message_from_bytes(found, policy=email.policy.default)
                    self.assertEqual(found.get_content().strip(), text)

    def test_an_attached_mail_that_python_cannot_write_leaves_nevertheless(self):
        octets = b"Content-Type: multipart/mixed; boundary=b\n\n" + "Two Größe".encode()
        attached = email.message_from_bytes(octets)
        with self.assertRaises(UnicodeEncodeError):
            attached.as_bytes()
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message.set_content("Hello")
        message.add_attachment(attached, filename="a.eml")
        make_sendable(message)
        arrived = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
        (found,) = arrived.iter_attachments()
        self.assertIn(b"Two Gr", found.get_payload(decode=True) or found.as_bytes())

    def test_addresses_in_names_are_no_recipients(self):
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message["To"] = ['"Bike@Home spy@evil.example" <mary@acme.example>', "jo@acme.example"]
        message["Cc"] = "bob@acme.example, mary@acme.example <ann@acme.example>"
        found = addresses_in_names(message, re.compile(r"[^\s\"<>,]+@[^\s\"<>,]+").findall)
        self.assertEqual(found, {"Bike@Home", "spy@evil.example"})

    def test_a_long_return_path_stays_an_address(self):
        for address in (f"bounce.{'a' * 56}@{DOMAIN}", f"bounce@{DOMAIN}", "bounce@acme.example"):
            with self.subTest(address=address):
                header, arrived = self.deliver(Return_Path=address)
                self.assertIn(f"Return-Path: {address}\r\n", header)
                self.assertEqual(arrived["Return-Path"], address)

    def test_what_odoo_formats_is_written_as_it_is(self):
        for value in (
            '"John Doe" <john@acme.example>',
            '"Doe, John" <john@acme.example>',
            r'"Mary \"Bo\" Smith" <mary@acme.example>',
            "john@acme.example",
        ):
            with self.subTest(value=value):
                self.assertIsInstance(as_plain("From", value), PlainField)
                header, arrived = self.deliver(From=value)
                self.assertIn(f"From: {value}\r\n", f"{header}\r\n")
                expected = email.policy.SMTP.header_factory("From", value)
                self.assertEqual(arrived["From"].addresses, expected.addresses)
        folded = as_plain("From", f'"John Doe"\n <{LONG}@acme.example>')
        self.assertEqual(folded, f'"John Doe" <{LONG}@acme.example>')

    def test_what_needs_more_than_writing_is_left_to_python(self):
        for value in (
            '"Jürgen" <j@acme.example>',
            '"=?utf-8?q?J=C3=BCrgen?=" <j@acme.example>',
            '"Mary" <mary@acme.example>, bob@acme.example',
            'Mary" <mary@acme.example>',
            '"Mary" <mary@acme.example> x',
            "Mary",
            "mary@äcme.example",
            f'"{"x" * 80}" <mary@acme.example>',
            f"{'x' * MAX_LINE}@acme.example",
            '"Mary\r\nX-Evil: yes" <mary@acme.example>',
            "",
            None,
            False,
            ["mary@acme.example"],
        ):
            with self.subTest(value=value):
                self.assertIs(as_plain("From", value), value)
