import email
import email.policy
import email.utils
from email.header import decode_header, make_header
from email.message import EmailMessage

from odoo.tests.common import BaseCase

from ....tools.sending.from_policy import (
    FromPolicy,
    Sender,
    apply_native,
    apply_policy,
    choose_envelope,
    choose_policy,
    encapsulate,
    format_sender,
)

OWN = {"acme.com": "", "acme.org": "", "xn--bcher-kva.example": ""}
OUT = "outgoing@acme.com"

# header From, what dynamic makes of it, what forced makes of it; None: as it was
SENDERS = [
    # a messaging alias, an accepted domain, another case
    ('"John Doe" <john.doe@acme.com>', None, f'"John Doe (john.doe@acme.com)" <{OUT}>'),
    ('"John Doe" <john@acme.org>', None, f'"John Doe (john@acme.org)" <{OUT}>'),
    ('"John Doe" <John@ACME.com>', None, f'"John Doe (John@ACME.com)" <{OUT}>'),
    # an IDN domain, whose mailbox is one with its A-labels (RFC 5890)
    (
        '"Bo" <bo@xn--bcher-kva.example>',
        None,
        f'"Bo (bo@xn--bcher-kva.example)" <{OUT}>',
    ),
    # the outgoing address itself
    (f'"Acme" <{OUT}>', None, None),
    # customers; a subdomain and a longer domain are not ours
    *(
        (value, f'"{name}" <{OUT}>', f'"{name}" <{OUT}>')
        for value, name in [
            ('"Mary" <mary@customer.com>', "Mary (mary@customer.com)"),
            ("mary@customer.com", "mary@customer.com"),
            ("<mary@customer.com>", "mary@customer.com"),
            ('"mary@customer.com" <mary@customer.com>', "mary@customer.com"),
            ("Mary <m@sub.acme.com>", "Mary (m@sub.acme.com)"),
            ("Mary <m@acme.com.evil.example>", "Mary (m@acme.com.evil.example)"),
            ('"Smith, Mary" <mary@c.example>', "Smith, Mary (mary@c.example)"),
            (r'"Mary \"Bo\" Smith" <m@c.example>', r"Mary \"Bo\" Smith (m@c.example)"),
            # addresses of ours in a name prove nothing
            ('"john@acme.com" <evil@c.example>', "john@acme.com (evil@c.example)"),
            # several authors (RFC 5322, 3.6.2)
            ("Mary <m@c.example>, Bob <b@c.example>", "Mary (m@c.example)"),
            # no address: OdooBot without one, nothing at all
            ("OdooBot", "OdooBot"),
        ]
        if value != "OdooBot"
    ),
    ("", OUT, OUT),
    ("OdooBot", OUT, OUT),
    # what would begin another field
    (
        '"Mary\r\nBcc: x@y.example" <m@c.example>',
        f'"Mary Bcc: x@y.example (m@c.example)" <{OUT}>',
        f'"Mary Bcc: x@y.example (m@c.example)" <{OUT}>',
    ),
]


def parse(value):
    """Return the mailboxes of From as a relay sees them, after Python wrote the field."""
    message = EmailMessage(policy=email.policy.SMTP)
    message.set_raw("From", value)
    message.set_content("x")
    # the newer parser puts spaces between the encoded words of a name
    parsed = email.message_from_bytes(message.as_bytes())
    assert parsed.keys()[0] == "From" and not parsed["Bcc"], message.as_bytes()
    pairs = email.utils.getaddresses([parsed["From"]])
    return [(str(make_header(decode_header(name))), address) for name, address in pairs]


class TestFromPolicy(BaseCase):
    def test_senders_under_both_policies(self):
        for header_from, dynamic, forced in SENDERS:
            for name, expected in (("dynamic", dynamic), ("forced", forced)):
                with self.subTest(header_from=header_from, policy=name):
                    sender = apply_policy(FromPolicy(name, OUT), header_from, OWN)
                    self.assertEqual(sender.is_replaced, expected is not None)
                    if expected is not None:
                        self.assertEqual((sender.header, sender.address), (expected, OUT))
                    self.assertEqual(len(parse(sender.header)), 1)

    def test_of_several_of_ours_one_stays(self):
        sender = apply_policy(FromPolicy("dynamic", OUT), "A <a@acme.com>, B <b@acme.com>", OWN)
        self.assertEqual(sender, Sender('"A" <a@acme.com>', "a@acme.com", is_replaced=True))

    def test_an_address_of_ours_that_the_server_does_not_take_is_replaced(self):
        sender = apply_policy(
            FromPolicy("dynamic", OUT), "John <john@acme.org>", OWN, lambda a: a == OUT
        )
        self.assertEqual(sender.header, f'"John (john@acme.org)" <{OUT}>')

    def test_what_odoo_does_without_a_policy(self):
        rows = [
            # From, the address for all others, what leaves
            ('"John" <john@acme.com>', OUT, '"John" <john@acme.com>'),
            ('"Mary" <mary@customer.com>', OUT, f'"Mary" <{OUT}>'),
            ("mary@customer.com", OUT, f'"mary" <{OUT}>'),
            ('"Odoo" <Outgoing@acme.com>', OUT, OUT),
            ("", OUT, OUT),
            ('"Mary" <mary@customer.com>', "", '"Mary" <mary@customer.com>'),
            ("", "", ""),
        ]
        for header_from, default_from, expected in rows:
            with self.subTest(header_from=header_from, default_from=default_from):
                sender = apply_native(header_from, default_from, "john@acme.com".__eq__)
                self.assertEqual(sender.header, expected)
                self.assertEqual(sender.address, expected.rpartition("<")[2].rstrip(">"))

    def test_names_of_any_kind_leave_as_one_mailbox(self):
        names = [
            "Smith, Mary Anne Elizabeth of the long Name, and so on, for ever, and ever",
            "Jürgen, Müller von und zu Höhenwarte, Geschäftsführer",
            "日本語," * 20,
            "a" * 5000,
            'x" <evil@evil.example>, "y',
            "\\" * 50,
            "=?utf-8?q?already?=",
        ]
        for name in names:
            with self.subTest(name=name[:40]):
                header = encapsulate(name, "mary.smith@customer.example", OUT)
                self.assertTrue(header.isascii())
                self.assertLess(max(map(len, header.split("\n"))), 79)
                ((shown, address),) = parse(header)
                self.assertEqual(address, OUT)
                self.assertIn("mary.smith@customer.example)", shown)
                self.assertLess(len(shown), 160)
                self.assertEqual(shown[:20].strip(), name[:20].strip())

    def test_the_nearest_policy_wins(self):
        server, domain = FromPolicy("native"), FromPolicy("forced", "domain@acme.com")
        rows = [
            (dict(server=server, forced="f@acme.com", domain=domain), server),
            (dict(forced="f@acme.com", dynamic="d@acme.com", domain=domain), "forced f@acme.com"),
            (dict(dynamic='"Acme" <d@acme.com>', domain=domain), "dynamic d@acme.com"),
            (dict(dynamic="no address", domain=domain), domain),
            (dict(forced=None, dynamic=False, domain=domain), domain),
            ({}, FromPolicy()),
        ]
        for arguments, expected in rows:
            with self.subTest(**arguments):
                if isinstance(expected, str):
                    expected = FromPolicy(*expected.split())
                self.assertEqual(choose_policy(**arguments), expected)

    def test_a_policy_without_an_address_does_nothing(self):
        self.assertTrue(FromPolicy("forced").is_native)
        self.assertFalse(FromPolicy("forced", OUT).is_native)
        self.assertTrue(FromPolicy("native", OUT).is_native)

    def test_envelope_sender(self):
        sender = Sender("", OUT)
        for proposed, expected in [
            ("bounce@acme.com", "bounce@acme.com"),
            ("bounce@ACME.org", "bounce@ACME.org"),
            ("mary@customer.com", OUT),
            ("", OUT),
            (None, OUT),
        ]:
            with self.subTest(proposed=proposed):
                self.assertEqual(choose_envelope(sender, proposed, OWN), expected)

    def test_short_names_stay_readable(self):
        self.assertEqual(format_sender("Mary", OUT), f'"Mary" <{OUT}>')
        self.assertEqual(format_sender("", OUT), OUT)
        self.assertTrue(format_sender("Jürgen", OUT).startswith("=?utf-8?"))
