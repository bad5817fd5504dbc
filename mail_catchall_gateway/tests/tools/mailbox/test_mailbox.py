import concurrent.futures
import datetime
import io
import poplib
import threading
from unittest.mock import Mock

from odoo.tests.common import BaseCase

from ....tools.mailbox.imap import quote
from ....tools.mailbox.imap_folders import decode_name
from ....tools.mailbox.mailbox import read_ahead
from ....tools.mailbox.pop_mailbox import PopMailbox
from ....tools.time_limit import in_days, read_days, smallest_limit


class FakeMailbox:
    """Counts what is in memory, as far as it is handed over."""

    def __init__(self, sizes):
        self.octets = sizes
        self.log = []
        self.threads = set()

    def sizes(self, uids):
        return {uid: self.octets[uid] for uid in uids}

    def fetch(self, uids):
        self.threads.add(threading.get_ident())
        self.log.append(("fetch", *uids))
        return {uid: b"x" for uid in uids}


class TestMailbox(BaseCase):
    def read_all(self, sizes, count, octets):
        mailbox = FakeMailbox(sizes)
        with concurrent.futures.ThreadPoolExecutor(1) as line:
            for bodies in read_ahead(line, mailbox, list(sizes), count, octets):
                line.submit(int).result()  # what was asked for meanwhile has come
                mailbox.log.append(("store", *bodies))
        self.assertLess(len(mailbox.threads), 2, "a connection has one dialogue")
        return mailbox.log

    def test_the_next_batch_is_fetched_while_one_is_stored(self):
        log = self.read_all({"1": 10, "2": 10, "3": 10, "4": 10}, 2, 1000)
        self.assertEqual(
            log,
            [("fetch", "1", "2"), ("fetch", "3", "4"), ("store", "1", "2"), ("store", "3", "4")],
        )

    def test_a_large_mail_is_in_memory_alone(self):
        log = self.read_all({"1": 10, "2": 900, "3": 10}, 50, 1000)
        self.assertEqual(
            [entry[1:] for entry in log if entry[0] == "store"], [("1",), ("2",), ("3",)]
        )
        log = self.read_all({"1": 10, "2": 2000, "3": 10}, 50, 1000)
        self.assertEqual(log.index(("store", "1")) + 1, log.index(("fetch", "2")))
        self.assertEqual(log.index(("store", "2")) + 1, log.index(("fetch", "3")))

    def test_nothing_to_read(self):
        self.assertEqual(self.read_all({}, 2, 1000), [])

    def test_what_was_handled_is_not_held_while_the_next_is_awaited(self):
        mailbox = FakeMailbox({"1": 10, "2": 10})
        with concurrent.futures.ThreadPoolExecutor(1) as line:
            batches = read_ahead(line, mailbox, ["1", "2"], 1, 1000)
            first = next(batches)
            self.assertTrue(first)
            next(batches)
            self.assertFalse(first)

    def test_a_long_line_is_read_by_pop_where_the_mailbox_is_ours(self):
        line = b"x" * (poplib._MAXLINE + 10)

        def connect():
            connection = poplib.POP3.__new__(poplib.POP3)
            connection._debugging = 0
            connection.sock = Mock()
            connection.file = io.BytesIO(b"+OK\r\n" + line + b"\r\n.\r\n")
            return connection

        mailbox = PopMailbox(connect())
        mailbox.numbers["a"] = 1
        self.assertEqual(mailbox.fetch(["a"]), {"a": line + b"\r\n"})
        with self.assertRaises(poplib.error_proto):
            connect().retr(1)

    def test_names_in_modified_utf7(self):
        for name, expected in [
            ("INBOX", "INBOX"),
            ("R&D", "R&-D"),
            # RFC 3501, 5.1.3
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("\U0001f600", "&2D3eAA-"),
            ("é&é", "&AOk-&-&AOk-"),
        ]:
            with self.subTest(name=name):
                self.assertEqual(quote(name), f'"{expected}"')
                self.assertEqual(decode_name(expected.encode()), name)

    def test_names_that_are_not_in_modified_utf7_are_left_as_they_are(self):
        for name in ("Entwürfe", "R&D", "a&", "&AOk", "&foo bar-", "&2AA-", "&AGE-", "tab\t"):
            with self.subTest(name=name):
                self.assertEqual(decode_name(name.encode()), name)
        self.assertEqual(decode_name(b"\xfcber"), "\ufffdber")

    def test_limits(self):
        self.assertEqual(smallest_limit([120, -1, 0, None, 60], 600), 60)
        self.assertEqual(smallest_limit([0, -1], 600), 600)

    def test_days_of_a_parameter(self):
        for value, expected in [("30", 30), ("0", 0), (False, 7), ("", 7), ("ten", 7), ("-1", 7)]:
            with self.subTest(value=value):
                self.assertEqual(read_days(value, 7), expected)

    def test_days(self):
        self.assertEqual(in_days(30).days, 30)
        self.assertEqual(in_days(999_999), in_days(36_500))
        self.assertTrue(datetime.datetime(2020, 1, 1) - in_days(10**9))
        self.assertTrue(datetime.datetime(2020, 1, 1) + in_days(10**9))
