import concurrent.futures

from hypothesis import given

from odoo.tests.common import BaseCase

from ....tools.mailbox.imap import parse_fetch, parse_search, quote
from ....tools.mailbox.imap_folders import decode_name, parse_list
from ....tools.mailbox.mailbox import read_ahead, split_batches
from ...properties import anything, checked, octets, st

uids = st.integers(1, 2**32 - 1)


def parse_bodies(data):
    return parse_fetch(data, b"BODY[]", bytes)


def parse_sizes(data):
    return parse_fetch(data, b"RFC822.SIZE", int)


def respond(uid, source, form):
    """Return a response to ``UID FETCH``, as imaplib hands it over."""
    size = str(len(source)).encode()
    if form == "before":
        return [(b"1 (UID %d BODY[] {%s}" % (uid, size), source), b")"]
    if form == "after":
        return [(b"1 (FLAGS () BODY[] {%s}" % size, source), b" UID %d)" % uid]
    if form == "flags":
        return [b"2 (UID %d FLAGS (\\Seen))" % (uid + 1), *respond(uid, source, "before")]
    text = source.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return [b'1 (UID %d BODY[] "%s")' % (uid, text)]


class TestImapProperties(BaseCase):
    forms = st.sampled_from(("before", "after", "flags"))
    mails = st.dictionaries(uids, st.tuples(octets, forms), max_size=5)

    @checked
    @given(mails, st.binary(max_size=60).filter(lambda source: not set(b"\r\n\0") & set(source)))
    def test_sources_are_read_as_they_were_sent(self, mails, short):
        data = [item for uid, mail in mails.items() for item in respond(uid, *mail)]
        expected = {uid: source for uid, (source, _form) in mails.items()}
        self.assertEqual(parse_bodies(data), expected)
        self.assertEqual(parse_bodies(respond(7, short, "short")), {7: short})

    @checked
    @given(mails, st.data())
    def test_what_is_cut_gives_no_other_source(self, mails, data):
        responses = [item for uid, mail in mails.items() for item in respond(uid, *mail)]
        cut = responses[: data.draw(st.integers(0, len(responses)))]
        if cut and isinstance(cut[-1], bytes):
            cut[-1] = cut[-1][: data.draw(st.integers(0, len(cut[-1])))]
        elif cut:
            cut[-1] = (cut[-1][0][: data.draw(st.integers(0, len(cut[-1][0])))], cut[-1][1])
        found = parse_bodies(cut)
        sent = {source for source, _form in mails.values()}
        self.assertLessEqual(set(found.values()), sent)
        whole = [item for item in cut[:-1] if isinstance(item, tuple)]
        self.assertGreaterEqual(len(found), len(whole) - 1)

    @checked
    @given(st.lists(octets | st.none() | st.tuples(octets, octets), max_size=5))
    def test_no_response_raises(self, data):
        for uid, source in parse_bodies(data).items():
            self.assertIsInstance(uid, int)
            self.assertIsInstance(source, bytes)
        parse_sizes(data)
        parse_list(data)

    @checked
    @given(st.dictionaries(uids, st.integers(0, 2**40)), st.data())
    def test_sizes_and_uids(self, sizes, data):
        lines = [b"1 (UID %d RFC822.SIZE %d)" % item for item in sizes.items()]
        self.assertEqual(parse_sizes(lines), sizes)
        lines = [b"1 (RFC822.SIZE %d UID %d)" % (size, uid) for uid, size in sizes.items()]
        self.assertEqual(parse_sizes([*lines, None]), sizes)
        text = b" ".join(b"%d" % uid for uid in sizes)
        end = data.draw(st.integers(0, len(text)))
        self.assertEqual(parse_search([text]), list(sizes))
        self.assertLessEqual(set(parse_search([text[:end]])[:-1]), set(sizes))


class TestFolderProperties(BaseCase):
    @checked
    @given(octets)
    def test_any_name_can_be_read(self, name):
        self.assertIsInstance(decode_name(name), str)
        ((folder,), literal) = parse_list([(b'() "/" {%d}' % len(name), name), b""]), name
        self.assertEqual(folder, decode_name(literal))

    @checked
    @given(anything)
    def test_a_name_ends_no_command_and_is_read_as_it_was_written(self, name):
        if any(ord(char) < 32 or 127 == ord(char) or 0xD800 <= ord(char) < 0xE000 for char in name):
            with self.assertRaises(ValueError):
                quote(name)
            return
        quoted = quote(name)
        self.assertRegex(quoted, r'^"(?:[^"\\\r\n]|\\["\\])*"$')
        self.assertRegex(quoted, r"^[ -~]*$")
        (folder,) = parse_list([b'(\\HasNoChildren) "/" ' + quoted.encode()])
        self.assertEqual(folder, name)

    @checked
    @given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 5), st.integers(1, 99))
    def test_batches_hold_every_mail_once_and_no_more_than_allowed(self, sizes, count, most):
        by_uid = {str(uid): size for uid, size in enumerate(sizes)}
        batches = list(split_batches(by_uid, count, most))
        self.assertEqual([uid for batch in batches for uid in batch], list(by_uid))
        for batch in batches:
            self.assertLessEqual(len(batch), count)
            self.assertTrue(len(batch) == 1 or sum(by_uid[uid] for uid in batch) <= most)

    @checked
    @given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 5), st.integers(2, 99))
    def test_what_is_read_ahead_is_every_mail_once(self, sizes, count, most):
        mailbox = _Mailbox({str(uid): size for uid, size in enumerate(sizes)})
        with concurrent.futures.ThreadPoolExecutor(1) as line:
            found = {}
            for bodies in read_ahead(line, mailbox, list(mailbox.octets), count, most):
                found.update(bodies)
        self.assertEqual({uid: len(source) for uid, source in found.items()}, mailbox.octets)


class _Mailbox:
    """A mailbox in memory, see ``tools/mailbox.py``."""

    def __init__(self, octets):
        self.octets = octets

    def sizes(self, uids):
        return {uid: self.octets[uid] for uid in uids}

    def fetch(self, uids):
        return {uid: b"x" * self.octets[uid] for uid in uids}
