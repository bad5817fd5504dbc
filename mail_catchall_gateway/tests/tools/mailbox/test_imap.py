from odoo.tests.common import BaseCase

from ....tools.mailbox import imap, mailbox


def parse_bodies(data):
    return imap.parse_fetch(data, b"BODY[]", bytes)


class TestImap(BaseCase):
    def test_mailbox_names_are_quoted(self):
        for name, expected in [
            ("INBOX", '"INBOX"'),
            ("My Mail", '"My Mail"'),
            ('a"b\\c', '"a\\"b\\\\c"'),
        ]:
            with self.subTest(name=name):
                self.assertEqual(imap.quote(name), expected)

    def test_a_line_break_in_a_mailbox_name_adds_no_command(self):
        for name in ("INBOX\r\nA1 DELETE x", "a\nb"):
            with self.subTest(name=name), self.assertRaises(ValueError):
                imap.quote(name)

    def test_batches_respect_count_and_octets(self):
        for sizes, count, octets, expected in [
            ({}, 10, 100, []),
            ({1: 10, 2: 10, 3: 10}, 2, 100, [[1, 2], [3]]),
            ({3: 10, 1: 60, 2: 60}, 10, 100, [[3, 1], [2]]),
            ({1: 500, 2: 1, 3: 1}, 10, 100, [[1], [2, 3]]),
            ({1: 1, 2: 500, 3: 1}, 10, 100, [[1], [2], [3]]),
        ]:
            with self.subTest(sizes=sizes, count=count, octets=octets):
                self.assertEqual(list(mailbox.split_batches(sizes, count, octets)), expected)

    def test_search_results(self):
        for data, expected in [([None], []), ([b""], []), ([b"1 2 9"], [1, 2, 9])]:
            with self.subTest(data=data):
                self.assertEqual(imap.parse_search(data), expected)

    def test_sizes(self):
        data = [
            b"1 (UID 7 RFC822.SIZE 120)",
            b"2 (RFC822.SIZE 9 UID 8)",
            b"3 (FLAGS (\\Seen))",
            None,
        ]
        self.assertEqual(imap.parse_fetch(data, b"RFC822.SIZE", int), {7: 120, 8: 9})

    def test_bodies_are_found_by_their_uid(self):
        for data, expected in [
            ([(b"1 (UID 7 BODY[] {3}", b"abc"), b")"], {7: b"abc"}),
            ([(b"1 (BODY[] {3}", b"abc"), b" UID 7)"], {7: b"abc"}),
            ([(b"1 (FLAGS (\\Seen) UID 7 BODY[] {3}", b"abc"), b")"], {7: b"abc"}),
            (
                [(b"1 (UID 7 BODY[] {3}", b"abc"), b")", (b"2 (UID 8 BODY[] {2}", b"de"), b")"],
                {7: b"abc", 8: b"de"},
            ),
            ([b"9 (FLAGS (\\Seen))", (b"1 (UID 7 BODY[] {0}", b""), b")"], {7: b""}),
            ([(b"1 (UID 7 BODY[HEADER] {3}", b"abc"), b")"], {}),
            ([(b"1 (BODY[] {3}", b"abc")], {}),
            # an nstring may be short, or NIL where there is no such message (RFC 3501, 9)
            ([b'1 (UID 7 BODY[] "a\\"b")'], {7: b'a"b'}),
            ([b'1 (BODY[] "" UID 7)'], {7: b""}),
            ([b'1 (BODY[] "UID 9")'], {}),
            ([b"1 (UID 7 BODY[] NIL)"], {}),
            # what is no such answer takes no other with it
            ([b"1 (UID x BODY[] {3}", b"2 (UID)", b"3", b'1 (UID 7 body[] "a")'], {7: b"a"}),
            ([b'1 (UID 6 BODY[] "x" FLAGS)', b'1 (UID 7 BODY[] "a")'], {7: b"a"}),
            ([b"1 " + b"(" * 100_000, b'1 (UID 7 BODY[] "a")'], {7: b"a"}),
            ([(b"1 (UID 6 BODY[] {9}", b"short"), b")", b'1 (UID 7 BODY[] "a")'], {7: b"a"}),
            ([None], {}),
            ([], {}),
        ]:
            with self.subTest(data=data):
                self.assertEqual(parse_bodies(data), expected)

    def test_a_mail_cannot_forge_a_uid(self):
        data = [(b"1 (UID 7 BODY[] {16}", b"1 (UID 9 BODY[] "), b")"]
        self.assertEqual(parse_bodies(data), {7: b"1 (UID 9 BODY[] "})
