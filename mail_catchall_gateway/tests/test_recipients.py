from odoo.tests.common import BaseCase

from ..tools.recipients import (
    envelope_recipients,
    extract_addresses,
    extract_received_for,
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
            ("nothing that tells", [("To", "john@acme.test"), ("Subject", "x")], ((), "")),
            ("no header at all", [], ((), "")),
        ]:
            with self.subTest(name):
                found = envelope_recipients(fields, mailbox_addresses=[CATCHALL])
                self.assertEqual((found.addresses, found.source), expected)

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
