import time

from odoo.tests.common import BaseCase

from ....tools.addresses.recipients import RECIPIENT_HEADERS
from ....tools.mailbox.imap_folders import parse_list
from ....tools.mailbox.mail_providers import PROVIDERS, dns_records, find_provider, get_provider
from ....tools.mailbox.round_trip import count_trusted_hops, examine, find_recipient_header

PROBE = "probe.1@acme.com"
SENT = "<1@acme.com>"


def received(by, sender="relay.example", recipient=""):
    """Return a Received field."""
    clause = f" for <{recipient}>" if recipient else ""
    return ("Received", f"from {sender} by {by} (x) with ESMTPS id 1{clause}; Sat, 21 Nov 2026")


def header(*fields):
    """Return the header of a test mail that came back with these fields on top."""
    return [*fields, ("Message-Id", SENT), ("From", "John <john@acme.com>"), ("To", PROBE)]


GMAIL = header(
    ("Delivered-To", "catchall@acme.com"),
    received("2002:a05:7300:1c1::1"),
    ("X-Gm-Original-To", PROBE),
    received("mx.google.com", recipient=PROBE),
    ("Authentication-Results", "mx.google.com; dkim=pass header.i=@acme.com; spf=pass"),
    received("smtp.relay.example", "odoo"),
)
FASTMAIL = header(
    ("X-Delivered-to", PROBE),
    ("Authentication-Results", "mx5.messagingengine.com; x-csa=none"),
    ("Authentication-Results", "mx5.messagingengine.com; dmarc=pass header.from=acme.com"),
    received("phl-frontend-1.internal"),
    received("mx5.messagingengine.com"),
    received("smtp.relay.example", "odoo"),
)
POSTFIX = header(
    ("X-Original-To", PROBE),
    received("vm"),  # Dovecot's LMTP, by the name of the machine
    received("mx.acme.com"),
)


class TestRoundTrip(BaseCase):
    def examine(self, fields, host="imap.acme.com", **kwargs):
        own = ["catchall@acme.com"]
        return examine(fields, PROBE, SENT, RECIPIENT_HEADERS, own, host, **kwargs)

    def test_received_lines_of_the_receiving_servers(self):
        for name, fields, expected in [
            ("Gmail: an address, then its border", GMAIL, 2),
            ("Fastmail: an internal host, then its border", FASTMAIL, 2),
            ("one host for both: a mail from outside has as many", POSTFIX, 2),
            ("none", header(), 0),
            ("only private names", header(received("localhost"), received("10.0.0.1")), 0),
            (
                "one organisation for both: a mail from outside may have fewer",
                header(received("in1.mail.ovh.net"), received("out2.mail.ovh.net")),
                0,
            ),
            (
                "what is private below the border is the sender's",
                header(received("mx.acme.com"), received("localhost"), received("a.example")),
                1,
            ),
            (
                "two owners below .co.uk",
                header(received("mx.acme.co.uk"), received("smtp.other.co.uk")),
                1,
            ),
            (
                "a comment names no host",
                header(
                    ("Received", "from x (HELO y by z.example) by mx.acme.com; date"),
                    received("a.example"),
                ),
                1,
            ),
        ]:
            with self.subTest(name):
                self.assertEqual(count_trusted_hops(fields), expected)

    def test_field_that_names_the_recipient(self):
        own = ["catchall@acme.com"]
        for name, fields, hops, expected in [
            ("the more trusted one", GMAIL, 0, "X-Gm-Original-To"),
            ("one that is nowhere listed", FASTMAIL, 0, "X-Delivered-to"),
            ("only the for clause", header(received("a.com", recipient=PROBE)), 0, "Received"),
            ("only the mailbox", header(("Delivered-To", "catchall@acme.com")), 0, ""),
            ("another address", header(("X-Original-To", "john@acme.com")), 0, ""),
            (
                "below the lines that count",
                header(received("a.com"), ("X-Original-To", PROBE)),
                1,
                "",
            ),
            ("what senders write is no sign", header(), 0, ""),
        ]:
            with self.subTest(name):
                found = find_recipient_header(fields, PROBE, RECIPIENT_HEADERS, own, hops)
                self.assertEqual(found, expected)

    def test_checking_server(self):
        forged = ("Authentication-Results", "mx.acme.com; dkim=pass header.d=acme.com")
        for name, fields, host, expected in [
            ("Gmail", GMAIL, "imap.gmail.com", ("mx.google.com", "pass", 2)),
            ("any node", FASTMAIL, "imap.fastmail.com", (".messagingengine.com", "pass", 2)),
            ("none", POSTFIX, "imap.acme.com", ("", "none", 2)),
            (
                "below the border of the receiver is the word of the sender",
                header(received("mx.acme.com"), received("a.example"), forged),
                "imap.acme.com",
                ("", "none", 0),
            ),
            (
                "the relay's word, where it cannot be told whose lines are whose",
                header(("Authentication-Results", "a.example; dkim=pass header.d=acme.com")),
                "imap.acme.com",
                ("", "none", 0),
            ),
            (
                "failed",
                header(
                    ("Authentication-Results", "mx.acme.com; dmarc=fail header.from=acme.com"),
                    received("mx.acme.com"),
                ),
                "imap.acme.com",
                ("", "fail", 0),
            ),
            (
                "Microsoft writes no name",
                header(
                    ("Authentication-Results", "spf=pass smtp.mailfrom=acme.com; dkim=none"),
                    received("am9.prod.outlook.com"),
                ),
                "outlook.office365.com",
                ("-", "pass", 0),
            ),
            (
                "others without a name are not believed",
                header(("Authentication-Results", "spf=pass smtp.mailfrom=acme.com")),
                "imap.acme.com",
                ("", "none", 0),
            ),
        ]:
            with self.subTest(name):
                found = self.examine(fields, host)
                self.assertEqual(
                    (found.authserv_id, found.authentication, found.trusted_hops), expected
                )

    def test_lines_that_would_do_harm_are_not_proposed(self):
        named_below = header(received("mx.acme.com"), ("Envelope-To", PROBE), received("a.example"))
        self.assertEqual(count_trusted_hops(named_below), 1)
        self.assertEqual(self.examine(named_below).trusted_hops, 0)
        self.assertEqual(self.examine(named_below).recipient_header, "Envelope-To")

    def test_a_number_that_somebody_knows_is_kept(self):
        unknown = header(
            ("X-Original-To", PROBE), received("in1.ovh.net"), received("out2.ovh.net")
        )
        self.assertEqual(self.examine(unknown).trusted_hops, 0)
        self.assertEqual(self.examine(unknown, trusted_hops=1).trusted_hops, 1)

    def test_what_the_account_replaces(self):
        self.assertTrue(self.examine(POSTFIX).is_message_id_kept)
        self.assertEqual(self.examine(POSTFIX).sender, "john@acme.com")
        found = self.examine([("Message-Id", "<ses@amazonses.com>"), ("From", "a@gmail.com")])
        self.assertFalse(found.is_message_id_kept)
        self.assertEqual(found.sender, "a@gmail.com")

    def test_nothing_raises(self):
        for value in ("", "by", "(" * 100_000, "by " * 50_000, "by [", "\0by x.example"):
            with self.subTest(value=value[:20]):
                start = time.process_time()
                fields = [("Received", value), ("Authentication-Results", value)]
                found = examine(fields, PROBE, SENT)
                self.assertLess(time.process_time() - start, 2)
                self.assertEqual((found.recipient_header, found.trusted_hops), ("", 0))
                self.assertEqual(found.authentication, "none")


class TestFolders(BaseCase):
    def test_list(self):
        found = parse_list(
            [
                rb'(\HasNoChildren \Junk) "/" "Spam"',
                rb'(\HasChildren \Noselect) "/" "[Gmail]"',
                (rb'(\HasNoChildren) "/" {8}', b'Qu"otes\\'),
                b"",
                rb"(\HasNoChildren) NIL Entw&APw-rfe",  # RFC 3501, 5.1.3
                rb'(\HasNoChildren) "/" INBOX',
                rb'() "." "A &- \"B\""',
                b"nonsense",
                None,
            ]
        )
        self.assertEqual(found, ["INBOX", 'A & "B"', "Entwürfe", 'Qu"otes\\', "Spam"])


class TestProviders(BaseCase):
    def test_every_preset_is_complete(self):
        for provider in PROVIDERS:
            with self.subTest(provider.code):
                self.assertTrue(provider.imap_host and provider.smtp_host and provider.mx)
                self.assertIn((provider.smtp_port, provider.smtp_encryption), PORTS)
                self.assertEqual(get_provider(provider.code), provider)

    def test_a_server_tells_its_provider(self):
        self.assertEqual(find_provider("IMAP.gmail.com ").code, "gmail")
        self.assertEqual(find_provider("mail.acme.com").code, "other")
        self.assertEqual(find_provider(False).code, "other")

    def test_dns_records(self):
        gmail, other = get_provider("gmail"), get_provider("other")
        microsoft = get_provider("microsoft")
        records = {(r.purpose, r.name): r.value for r in dns_records("acme.com", gmail, other)}
        self.assertEqual(
            records,
            {
                ("mx", "acme.com"): "1 smtp.google.com",
                ("spf", "acme.com"): "v=spf1 include:_spf.google.com mx ~all",
                ("dkim", "_domainkey.acme.com"): "",
                ("dmarc", "_dmarc.acme.com"): "v=DMARC1; p=none",
            },
        )
        mx = dns_records("my.acme.com", microsoft, microsoft)[0]
        self.assertEqual(mx.value, "0 my-acme-com.mail.protection.outlook.com")
        self.assertEqual(dns_records("acme.com", other, other)[0].value, "")


#: RFC 8314, 7.3 and RFC 6409
PORTS = {(465, "ssl"), (587, "starttls")}
