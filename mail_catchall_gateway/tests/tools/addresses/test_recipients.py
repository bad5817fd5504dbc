import email.utils
from unittest.mock import patch

from odoo.tests.common import BaseCase

from ....tools.addresses.recipients import (
    Mailbox,
    envelope_recipients,
    extract_addresses,
    extract_received_for,
    header_recipients,
    parse_mailboxes,
)

CATCHALL = "catchall@acme.test"


class TestRecipients(BaseCase):
    def test_forms_of_recipient_fields(self):
        """What real servers write, see their names in the comments."""
        for value, expected in [
            ("john@acme.test", ["john@acme.test"]),  # Postfix
            ("John.Doe@Acme.TEST", ["john.doe@acme.test"]),  # Proton keeps the case
            ("<john@acme.test>", ["john@acme.test"]),  # GMX, Mailu
            ("a@acme.test, b@acme.test", ["a@acme.test", "b@acme.test"]),  # Exim, batched
            ("<a@acme.test>, <b@acme.test>", ["a@acme.test", "b@acme.test"]),
            ("a@acme.test,\r\n\tb@acme.test", ["a@acme.test", "b@acme.test"]),
            ("<john@acme.test> (uid 0)", ["john@acme.test"]),  # Sendmail
            ("john@acme.test (catch (all))", ["john@acme.test"]),
            ("a@b.test via 10.0.0.1; Fri, 20 Nov 2026 10:00:00 +0000", ["a@b.test"]),  # Yahoo
            ('"john doe"@acme.test', ['"john doe"@acme.test']),
            ('"a,b"@acme.test, c@acme.test', ['"a,b"@acme.test', "c@acme.test"]),
            ("john+tag@acme.test", ["john+tag@acme.test"]),
            ("1-john@acme.test", ["1-john@acme.test"]),  # qmail's prefix is part of the address
            ("john@bücher.test", ["john@xn--bcher-kva.test"]),
            ("mailing list sales@acme.test", []),  # ezmlm
            ("moderator for sales@acme.test", []),  # ezmlm
            ("Autoresponder", []),  # qmail
            ('<"|/usr/bin/procmail -a @x">', []),  # Sendmail, a pipe
            ("|/usr/bin/vacation john@acme.test", []),
            ("", []),
            ("@acme.test", []),
            ("john@", []),
            ("undisclosed-recipients:;", []),
            ("\r\n\tjohn@acme.test\r\n", ["john@acme.test"]),  # folded before the value
            ("JOHN@ACME.TEST.", ["john@acme.test"]),  # a name with its root label
            ("john@[10.0.0.1]", ["john@[10.0.0.1]"]),  # RFC 5321, 4.1.3
            ("<john@[IPv6:fe80::1]>", ["john@[ipv6:fe80::1]"]),
            ("<@relay.test,@mx.test:john@acme.test>", ["john@acme.test"]),  # a route, RFC 5322, 4.4
            ("rfc822;john@acme.test", ["john@acme.test"]),  # Original-Recipient, RFC 3798, 2.3
            ("John Doe <john@acme.test>", ["john@acme.test"]),
            ('"jane@acme.test" <john@acme.test>', ["john@acme.test"]),
            ("jane@acme.test <john@acme.test>", ["john@acme.test"]),
            ("(jane@acme.test) john@acme.test", ["john@acme.test"]),
            ('"a(b"@acme.test', ['"a(b"@acme.test']),  # no comment within a quoted string
            ('("unclosed) john@acme.test', ["john@acme.test"]),  # no quoted string within a comment
            (r"(a \) b) john@acme.test", ["john@acme.test"]),
            ("a@acme.test;b@acme.test", ["a@acme.test", "b@acme.test"]),
            ("a@b@acme.test", []),
            ("<john doe@acme.test>", []),
            ("=?utf-8?q?john?=@acme.test", []),  # RFC 2047, 5: not within an address
        ]:
            with self.subTest(value=value):
                self.assertEqual(extract_addresses(value), expected)

    def test_for_clauses(self):
        for value, expected in [
            ("from x by y with ESMTP id 1 for <john@acme.test>; Fri", "john@acme.test"),
            ("from x by y id 1\r\n\tfor <John@acme.test>;\r\n\tFri", "john@acme.test"),
            ("by mx.test for john@acme.test; Fri", "john@acme.test"),  # SES, Exim
            ("from x (envelope-from <a@b.test>) for <john@acme.test>; Fri", "john@acme.test"),
            ("from x (for <forged@acme.test>) by y; Fri", ""),
            ("from x by y for <multiple recipients>; Fri", ""),  # Gmail
            ("from for.test by y with ESMTP id 1; Fri", ""),
            ("from x by y with ESMTP id 1; Fri", ""),
            ("", ""),
            ("by y id 1 for <@relay.test:john@acme.test>; Fri", "john@acme.test"),
            ("by y id 1 FOR <john@acme.test>; Fri", "john@acme.test"),
            ('by y for <"john doe"@acme.test>; Fri', '"john doe"@acme.test'),
            ("by y for <john@[10.0.0.1]>; Fri", "john@[10.0.0.1]"),
            ("by y for <john@acme.test> (single-drop); Fri", "john@acme.test"),  # fetchmail
            ("by y for <john@acme.test>, <jane@acme.test>; Fri", "john@acme.test"),
            ("by y for <john@bücher.test>; Fri", "john@xn--bcher-kva.test"),
            ("by y with wait-for <jane@acme.test>; Fri", ""),
            # what the client called itself, with spaces; Postfix makes question marks of them
            ("from z for <boss@acme.test> by y id 1 for <john@acme.test>; Fri", "john@acme.test"),
            ("from z (for <boss@acme.test>) by y id 1 for <john@acme.test>; Fri", "john@acme.test"),
        ]:
            with self.subTest(value=value):
                self.assertEqual(extract_received_for(value), expected)

    def test_who_a_mail_was_delivered_for(self):
        received_own = ("Received", f"by dovecot with LMTP for <{CATCHALL}>; Fri")
        received_john = ("Received", "from x by postfix with ESMTP for <john@acme.test>; Fri")
        for name, fields, expected in [
            (
                "Postfix with flags=O behind Dovecot",
                [
                    ("Delivered-To", CATCHALL),
                    received_own,
                    ("X-Original-To", "john@acme.test"),
                    ("Delivered-To", CATCHALL),
                ],
                (("john@acme.test",), "X-Original-To"),
            ),
            (
                "Postfix with plain LMTP: only the for clause tells",
                [("Delivered-To", CATCHALL), received_own, received_john],
                (("john@acme.test",), "Received"),
            ),
            (
                "Exim with two recipients in one copy",
                [("Envelope-to", "john@acme.test, jane@acme.test")],
                (("john@acme.test", "jane@acme.test"), "Envelope-To"),
            ),
            (
                "Google Workspace routing",
                [("Delivered-To", CATCHALL), ("X-Gm-Original-To", "john@acme.test")],
                (("john@acme.test",), "X-Gm-Original-To"),
            ),
            (
                "Delivered-To of qmail or hMailServer",
                [("Delivered-To", "john@acme.test")],
                (("john@acme.test",), "Delivered-To"),
            ),
            (
                "the believed one first, not the topmost",
                [("Delivered-To", "jane@acme.test"), ("X-Original-To", "john@acme.test")],
                (("john@acme.test",), "X-Original-To"),
            ),
            (
                "names in any case, the mailbox in any case",
                [("x-original-to", "CatchAll@Acme.test"), ("DELIVERED-TO", "john@acme.test")],
                (("john@acme.test",), "Delivered-To"),
            ),
            (
                "the same address once",
                [("Envelope-To", "john@acme.test, John@acme.test")],
                (("john@acme.test",), "Envelope-To"),
            ),
            (
                "one that holds no address is passed over",
                [("Delivered-To", "Autoresponder"), received_john],
                (("john@acme.test",), "Received"),
            ),
            (
                "written to the catchall itself",
                [("X-Original-To", CATCHALL), received_own],
                ((), ""),
            ),
            (
                # github odoo/odoo#98761: core joins them with a space, and finds neither
                "two Delivered-To: the upper one is our server's",
                [("Delivered-To", "john@acme.test"), ("Delivered-To", "forwarder@x.test")],
                (("john@acme.test",), "Delivered-To"),
            ),
            (
                "the mailbox in brackets, folded",
                [("Delivered-To", f"\r\n <{CATCHALL}>"), ("Envelope-To", "<john@acme.test>")],
                (("john@acme.test",), "Envelope-To"),
            ),
            (
                "the mailbox and others",
                [("Envelope-To", f"john@acme.test, {CATCHALL}")],
                (("john@acme.test",), "Envelope-To"),
            ),
            (
                "a second instance is not believed where the first one names the mailbox",
                [("X-Original-To", CATCHALL), ("X-Original-To", "boss@acme.test")],
                ((), ""),
            ),
            ("nothing that tells", [("To", "john@acme.test"), ("Subject", "x")], ((), "")),
            ("no header at all", [], ((), "")),
        ]:
            with self.subTest(name):
                found = envelope_recipients(fields, mailbox_addresses=[CATCHALL])
                self.assertEqual((found.addresses, found.source), expected)

    def test_whom_the_header_names(self):
        for name, values, expected in [
            ("one", ["john@acme.test"], ["john@acme.test"]),
            (
                "two fields",
                ["a@x.test", "b@x.test, c@x.test"],
                ["a@x.test", "b@x.test", "c@x.test"],
            ),
            ("the same twice", ["a@x.test, A@X.test", "<a@x.test.>"], ["a@x.test"]),
            ("folded", ["a@x.test,\r\n\tb@x.test"], ["a@x.test", "b@x.test"]),
            ("names", ["John <a@x.test>, Jane Doe <b@x.test>"], ["a@x.test", "b@x.test"]),
            ("commas in names", ['"Doe, John" <a@x.test>, b@x.test'], ["a@x.test", "b@x.test"]),
            ("quotes in names", [r'"a\"b, c@x.test" <a@x.test>'], ["a@x.test"]),
            # RFC 5322, 3.4 and A.1.3
            ("group", ["Team: a@x.test, B <b@x.test>;"], ["a@x.test", "b@x.test"]),
            ("group and others", ["Team: a@x.test;, b@x.test"], ["a@x.test", "b@x.test"]),
            ("group in a group", ["T: U: a@x.test;; b@x.test"], ["a@x.test", "b@x.test"]),
            ("empty group", ["undisclosed-recipients:;"], []),
            ("comment", ["a@x.test (b@x.test), (c@x.test) d@x.test"], ["a@x.test", "d@x.test"]),
            ("nested comment", ["a@x.test (b (c@x.test) d@x.test)"], ["a@x.test"]),
            ("comment in an address", ["a@(b)x.test"], ["a@x.test"]),
            ("parenthesis in a name", ['"a (b" <a@x.test>, c@x.test'], ["a@x.test", "c@x.test"]),
            ("comment that does not end", ["a@x.test (b@x.test, c@x.test"], ["a@x.test"]),
            (
                "quoted local parts",
                ['"a@b"@x.test, "c,d"@x.test'],
                ['"a@b"@x.test', '"c,d"@x.test'],
            ),
            ("needless quotes", ['"john"@x.test'], ["john@x.test"]),
            ("upper case", ["John.Doe@X.TEST"], ["john.doe@x.test"]),
            ("U-label", ["a@bücher.test"], ["a@xn--bcher-kva.test"]),
            ("A-label", ["a@XN--bcher-kva.test, a@bücher.test"], ["a@xn--bcher-kva.test"]),
            (
                "IP literals",
                ["user@[10.0.0.1], <u@[IPv6:::1]>"],
                ["user@[10.0.0.1]", "u@[ipv6:::1]"],
            ),
            ("route", ["<@a.test,@b.test:c@d.test>"], ["c@d.test"]),
            (
                "spaces around @",
                ["a @ x.test, <b @x.test>, c@ x.test"],
                [f"{a}@x.test" for a in "abc"],
            ),
            ("no domain", ["john, root, <postmaster>, a@x.test"], ["a@x.test"]),
            ("no local part", ["@x.test, <@x.test>"], []),
            ("nothing", ["", "   ", ",,;", "<>", "@", '"'], []),
            # Outlook and other programs
            ("semicolons", ["a@x.test; B <b@x.test>;c@x.test"], [f"{a}@x.test" for a in "abc"]),
            ("no brackets", ["John Doe john@x.test, jane@x.test"], ["john@x.test", "jane@x.test"]),
            ("no comma", ["a@x.test b@x.test"], ["a@x.test", "b@x.test"]),
            ("no comma, brackets", ["A <a@x.test> B <b@x.test>"], ["a@x.test", "b@x.test"]),
            ("no end of a bracket", ["A <a@x.test, B <b@x.test>"], ["a@x.test", "b@x.test"]),
            ("no beginning of a bracket", ["A a@x.test>, b@x.test"], ["a@x.test", "b@x.test"]),
            ("no end of a quote", ['"A <a@x.test>, b@x.test'], ["a@x.test", "b@x.test"]),
            ("twice the brackets", ["<<a@x.test>>"], ["a@x.test"]),
            ("mailto", ["<mailto:a@x.test>, mailto:b@x.test"], ["a@x.test", "b@x.test"]),
            ("address as its own name", ["a@x.test <a@x.test>"], ["a@x.test"]),
            # names that look like addresses: CVE-2023-27043 and its like
            ("quoted", ['"a@x.test" <b@y.test>'], ["b@y.test"]),
            ("not quoted", ["a@x.test <b@y.test>"], ["b@y.test"]),
            ("parenthesis", ["a@x.test)b@y.test"], []),
            ("half a comment", ["a@x.test(<b@y.test>"], ["a@x.test"]),
            ("two @", ["a@x.test@y.test"], []),
            ("two @ in brackets", ["<a@x.test@y.test>, c@y.test"], ["c@y.test"]),
            ("encoded address", ["=?utf-8?q?evil=40x=2Ey?="], []),
            ("encoded, with @", ["=?utf-8?q?evil@x.y?="], []),
            ("encoded bracket", ["=?utf-8?q?<evil@x.y>?= <a@x.test>"], ["a@x.test"]),
            ("encoded comma", ["=?utf-8?q?a=2C_b=40x=2Ey?= <a@x.test>"], ["a@x.test"]),
            ("comma in an encoded word", ["=?utf-8?q?Doe,_b@x.y?= <a@x.test>"], ["a@x.test"]),
            (
                "parenthesis in one",
                ["=?utf-8?q?Doe_(?= <a@x.test>, b@x.test"],
                ["a@x.test", "b@x.test"],
            ),
            ("encoded local part", ["=?utf-8?q?a?=@x.test"], []),
        ]:
            with self.subTest(name):
                fields = [("Subject", "z@x.test"), *(("To", value) for value in values)]
                self.assertEqual(header_recipients(fields), tuple(expected))

    def test_fields_that_name_recipients(self):
        fields = [
            ("To", "a@x.test"),
            ("CC", "b@x.test"),
            ("resent-to", "c@x.test"),
            ("Resent-Cc", "d@x.test"),
            ("From", "e@x.test"),
            ("Reply-To", "f@x.test"),
            ("X-To", "g@x.test"),
        ]
        self.assertEqual(header_recipients(fields), tuple(f"{name}@x.test" for name in "abcd"))

    def test_the_standard_library_is_not_asked(self):
        """Its ``getaddresses`` differs: since 3.10.15, 3.11.10 and 3.12.6 it may return nothing."""
        with patch.object(email.utils, "getaddresses", side_effect=AssertionError):
            self.assertEqual(header_recipients([("To", "T: a@x.test;")]), ("a@x.test",))

    def test_the_mailboxes_of_a_list(self):
        for value, expected in [
            ('"Doe, John" <a@x.test>', [Mailbox(('"Doe, John"',), ("a@x.test",), True)]),
            ("a@x.test (b)", [Mailbox(("a@x.test",), (), False)]),
            ("a b <>", [Mailbox(("a", "b"), (), True)]),
            ("T: a@x.test;", [Mailbox(("a@x.test",))]),
        ]:
            with self.subTest(value):
                self.assertEqual(parse_mailboxes(value), expected)

    def test_time_is_linear(self):
        """Each of these would take hours where time grows with the square of the length."""
        count = 200_000
        for value in [
            "(" * count + ")" * count,
            "(" * count,
            '"' * count + "\\",
            '"' + '\\"' * count,
            "<" * count,
            "<@" * count,
            "[" * count,
            "a:" * count,
            "=?a?q?" * count,
            "for @a " * count,
            'for "a ' * count,
            " " * count + "a" * count + "@",
            "a@" + "ü" * count,
        ]:
            with self.subTest(value[:10]):
                fields = [("To", value), ("Delivered-To", value), ("Received", value)]
                self.assertLessEqual(len(header_recipients(fields)), 1)
                self.assertEqual(envelope_recipients(fields).addresses, ())

    def test_ten_thousand_recipients_are_all_found(self):
        names = [f"u{number}@x.test" for number in range(10_000)]
        value = ",\r\n\t".join(f'"Doe, John" <{name}> (comment)' for name in names)
        self.assertEqual(header_recipients([("To", value)]), tuple(names))
        self.assertEqual(extract_addresses(value), names)

    def test_a_forged_field_stands_below_ours(self):
        fields = [
            ("X-Original-To", "john@acme.test"),
            ("Received", "from evil by postfix; Fri"),
            ("X-Original-To", "boss@acme.test"),
        ]
        self.assertEqual(envelope_recipients(fields).addresses, ("john@acme.test",))

    def test_only_what_our_hops_stamped_counts(self):
        ours = [
            ("Delivered-To", CATCHALL),
            ("Received", f"by dovecot for <{CATCHALL}>; Fri"),
            ("Received", "from evil by postfix for <john@acme.test>; Fri"),
        ]
        forged = [
            ("X-Original-To", "boss@acme.test"),
            ("Received", "from x by evil for <boss@acme.test>; Fri"),
        ]
        for hops, expected in [
            (0, ("boss@acme.test",)),  # unknown: who writes a field that we never do is believed
            (1, ()),
            (2, ("john@acme.test",)),
            (3, ("boss@acme.test",)),
        ]:
            with self.subTest(hops=hops):
                found = envelope_recipients(
                    ours + forged, mailbox_addresses=[CATCHALL], trusted_hops=hops
                )
                self.assertEqual(found.addresses, expected)

    def test_the_mailbox_names_its_own_fields(self):
        fields = [("X-Strange", "john@acme.test"), ("X-Original-To", "jane@acme.test")]
        self.assertEqual(envelope_recipients(fields, ["X-Strange"]).addresses, ("john@acme.test",))
