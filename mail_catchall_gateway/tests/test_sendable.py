import email
import email.policy
from email.headerregistry import Address

from odoo.tests.common import BaseCase

from ..tools.sendable import make_sendable

LONG = "reply." + "a" * 56
LONG_NAME = "A very long name, " * 5 + "Ltd"
DOMAIN = "mail.a-company-with-a-long-name.example"


class TestSendable(BaseCase):
    def deliver(self, **fields):
        """Return the header that a mail with these fields leaves with, and what arrives."""
        # as core imports it, which replaces it
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        for name, value in fields.items():
            message[name.replace("_", "-")] = value
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
                self.assertRegex(header, f"Reply-To: .+\r\n <{LONG}@acme.example>$")
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

    def test_a_long_return_path_stays_an_address(self):
        for address in (f"bounce.{'a' * 56}@{DOMAIN}", f"bounce@{DOMAIN}", "bounce@acme.example"):
            with self.subTest(address=address):
                header, arrived = self.deliver(Return_Path=address)
                self.assertIn(f"Return-Path: {address}\r\n", header)
                self.assertEqual(arrived["Return-Path"], address)
