import datetime

from odoo.tests.common import BaseCase

from ....tools.message.header_text import MAX_LENGTH, one_line
from ....tools.message.source import MAX_MESSAGE_ID, header_fields, summarize


class TestSource(BaseCase):
    def test_what_a_list_shows(self):
        summary = summarize(
            b"Received: by x; now\r\n"
            b"From: =?utf-8?q?J=C3=BCrgen?= <j@x.test>\r\n"
            b"To: a@acme.test,\r\n b@acme.test\r\n"
            b"Subject: =?iso-8859-1?q?Fahrr=E4der?=\r\n\tund mehr\r\n"
            b"Message-ID: <1@x.test>\r\n"
            b"Date: Fri, 20 Nov 2026 10:00:00 +0200\r\n\r\nbody"
        )
        self.assertEqual(summary.message_id, "<1@x.test>")
        self.assertEqual(summary.subject, "Fahrräder und mehr")
        self.assertEqual(summary.email_from, "Jürgen <j@x.test>")
        self.assertEqual(summary.email_to, "a@acme.test, b@acme.test")
        self.assertEqual(summary.date, datetime.datetime(2026, 11, 20, 8, 0))

    def test_what_is_missing_is_empty(self):
        for raw in (b"", b"\r\n", b"no header at all", b"\r\nbody", b"\0\0\0"):
            with self.subTest(raw=raw):
                summary = summarize(raw)
                self.assertEqual((summary.message_id, summary.subject), ("", ""))
                self.assertIsNone(summary.date)

    def test_broken_headers_are_readable_and_storable(self):
        for raw, subject in [
            (b"Subject: =?unknown-99?q?abc?=\n\n", "abc"),
            (b"Subject: =?utf-8?b?!!!?=\n\n", "=?utf-8?b?!!!?="),
            (b"Subject: nul\0byte\n\n", "nulbyte"),
            (b"Subject: caf\xe9\n\n", "caf\N{REPLACEMENT CHARACTER}"),
            (b"Subject: " + b"x" * 5000 + b"\n\n", "x" * MAX_LENGTH),
        ]:
            with self.subTest(raw=raw[:40]):
                found = summarize(raw).subject
                self.assertEqual(found, subject)
                self.assertNotIn("\0", found)
                found.encode()

    def test_long_message_ids_are_cut_and_still_differ(self):
        """PostgreSQL refuses to index a value of some thousand octets, and with it the mail."""
        raw = b"Message-Id: <" + b"\xc3\xa9x" * 5000 + b"%d@x.test>\n\n"
        one, two = (summarize(raw % number).message_id for number in (1, 2))
        self.assertLessEqual(max(len(one.encode()), len(two.encode())), MAX_MESSAGE_ID)
        self.assertNotEqual(one, two)
        self.assertEqual(one, summarize(raw % 1).message_id)

    def test_dates_that_are_none(self):
        for value in (b"yesterday", b"", b"Fri, 99 Nov 2026 10:00:00 +0000", b"1 Jan 999999 1:1:1"):
            with self.subTest(value=value):
                self.assertIsNone(summarize(b"Date: " + value + b"\n\n").date)

    def test_header_fields_keep_their_order(self):
        raw = b"B: 1\nA: 2\nB: 3\n\nA: body"
        self.assertEqual(header_fields(raw), [("B", "1"), ("A", "2"), ("B", "3")])

    def test_one_line(self):
        self.assertEqual(one_line(" a\r\nb\0\tc "), "a b c")
        self.assertEqual(one_line("\ud800"), "?")
        self.assertEqual(one_line(" abc def ", 5), "abc d")
        self.assertEqual(one_line(" abc def ", 5, read=2), "ab")
