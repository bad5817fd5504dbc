"""Mails that are small and cost much, and must have a verdict nevertheless.

What they take is not timed: it is counted what is made of them.
"""

import contextlib
import io
import struct
import zlib
from email.headerregistry import HeaderRegistry

from PIL import Image

from odoo.tests import tagged
from odoo.tests.common import BaseCase
from odoo.tools import ImageProcess

from ...models.inbound import mail_catchall_review
from ...models.routing import mail_catchall_recipients
from ...tools.message import images, repair_fields, source, text_cost
from ...tools.message import repair as tool
from ...tools.message.preview import read_content
from ...tools.message.repair import MalformedMail, repair
from ..common import CatchallCommon, patch

HEAD = b"From: mary@customer.example\r\nTo: %s\r\nMessage-Id: <%d@customer.example>\r\n"
#: Headers that no mail has, and why.
HEADERS = [
    ("fields", b"X-Any: x\r\n" * 100_000 + b"\r\nx", "5000 header fields"),
    ("a field", b"X-Any: " + b"x" * 2_000_000 + b"\r\n\r\nx", "1048576 octets"),
    ("a folded field", b"X-Any: x" + b"\r\n x" * 400_000 + b"\r\n\r\nx", "1048576 octets"),
    ("no end", b"\xff" * 2_000_000, "1048576 octets"),
]


def make_png(width, height, rows=1):
    """Return a grey image, of which there are only so many rows."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * (width + 1) * rows)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@contextlib.contextmanager
def measure_parsed():
    """Give the lengths of what the header parsers of ``email`` read: their time grows faster."""
    lengths = [0]
    parse = HeaderRegistry.__call__

    def measure(registry, name, value):
        lengths.append(len(str(value)))
        return parse(registry, name, value)

    with patch.object(HeaderRegistry, "__call__", measure):
        yield lengths


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestBombs(CatchallCommon):
    number = 0

    def receive_raw(self, rest, to=None):
        """Receive a mail from what follows the first fields of its header."""
        type(self).number += 1
        to = to or self.john.alias_email
        return self.receive(HEAD % (to.encode(), self.number) + rest)

    def parse_nothing(self):
        """Fail where a mail is parsed."""
        return patch.object(tool._Mail, "parse", side_effect=AssertionError("was parsed"))

    # ------------------------------------------------------------
    # HEADER
    # ------------------------------------------------------------

    def test_a_header_beyond_the_limits_is_for_review(self):
        for name, rest, reason in HEADERS:
            with self.subTest(name), self.parse_nothing():
                inbound = self.receive_raw(rest)
                self.assertVerdict(inbound, "review", "malformed")
                self.assertIn(reason, inbound.reason)
                self.assertTrue(inbound._get_source().endswith(rest), "nothing is lost")
                inbound.write({"is_accepted": True, "state": "processing"})
                inbound.env["mail.catchall.queue"]._process_locked(inbound)
                self.assertVerdict(inbound, "review", "malformed")

    def test_who_it_is_for_may_stand_below_what_is_read(self):
        rest = b"X-Any: x\r\n" * 6_000 + b"Cc: %s\r\n\r\nx" % self.john.alias_email.encode()
        inbound = self.receive_raw(rest, to="somebody@elsewhere.example")
        self.assertVerdict(inbound, "review", "malformed")

    def test_lines_beyond_the_limit_are_for_review(self):
        for line in (b"\r", b"\n", b"\r\n"):
            with self.subTest(line), self.parse_nothing():
                inbound = self.receive_raw(b"\r\n" + line * (tool.MAX_LINES + 1))
                self.assertVerdict(inbound, "review", "malformed")
                self.assertIn("lines", inbound.reason)

    def test_a_rejection_reads_a_header_that_was_repaired(self):
        """``email`` takes gigabytes for some hundred kilobytes of encoded words."""
        self.mail_alias_domain.unrouted_policy = "bounce"
        for name, field in [
            ("subject", b"Subject: " + b"=?utf-8?q?a?= " * 60_000),
            ("parameters", b"Content-Type: text/plain" + b"; a=b" * 15_000),
            ("comments", b"Reply-To: " + b"(" * 500_000),
        ]:
            with self.subTest(name), measure_parsed() as lengths:
                inbound = self.receive_raw(field + b"\r\n\r\nx", to=f"nobody@{self.domain}")
                self.assertLessEqual(max(lengths), repair_fields.MAX_PARSED_FIELD)
                told_today = name != "subject"
                self.assertVerdict(inbound, "ignored" if told_today else "bounced", "unrouted")

    def test_the_screen_shows_no_text_that_takes_minutes(self):
        inbound = self.receive_raw(
            b"Content-Type: text/html\r\n\r\n" + b"<" * 100_000, to=f"nobody@{self.domain}"
        )
        self.assertVerdict(inbound, "review", "unrouted")
        with patch.object(mail_catchall_review.tools, "html_sanitize") as sanitize:
            self.assertIn("message.html", inbound.preview)
        self.assertFalse(sanitize.mock_calls)

    # ------------------------------------------------------------
    # RECIPIENTS
    # ------------------------------------------------------------

    def count_resolved(self, addresses, envelope=()):
        """Return what addresses stand for, and how many were looked up."""
        model = self.env["mail.catchall.recipients"]
        resolve = type(model)._resolve
        with patch.object(type(model), "_resolve", autospec=True, side_effect=resolve) as resolved:
            return model._resolve_recipients(addresses, envelope), resolved.call_count

    def test_only_addresses_of_ours_are_looked_up(self):
        strangers = [f"u{number}@customer.example" for number in range(10_000)]
        john = self.john.alias_email
        found, count = self.count_resolved([*strangers, john])
        self.assertEqual(count, 1)
        self.assertEqual(len(found), 10_001)
        self.assertEqual(found[john].kind, "alias")
        self.assertEqual({found[stranger].kind for stranger in strangers}, {"foreign"})

    def test_only_so_many_addresses_of_ours_are_looked_up(self):
        ours = [f"u{number}@{self.domain}" for number in range(500)]
        john = self.john.alias_email
        with patch.object(mail_catchall_recipients, "MAX_RECIPIENTS", 100):
            found, count = self.count_resolved([john, *ours], [john])
        self.assertEqual(count, 100)
        self.assertEqual(found[john].kind, "alias")
        kinds = [found[address].kind for address in ours]
        self.assertEqual(kinds, ["unknown"] * 99 + ["foreign"] * 401)

    # ------------------------------------------------------------
    # IMAGES
    # ------------------------------------------------------------

    def receive_images(self, *contents):
        """Receive a mail with images.

        :return tuple: attachments, and how often core began to make one smaller
        """
        mail = self.make_mail(self.john.alias_email)
        for number, content in enumerate(contents):
            mail.add_attachment(content, "image", "png", filename=f"{number}.png")
        resize = ImageProcess.resize
        with patch.object(ImageProcess, "resize", autospec=True, side_effect=resize) as resized:
            inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "user_alias")
        return inbound.mail_message_ids.attachment_ids.sorted("name"), resized.call_count

    def test_an_image_that_grows_is_left_as_it_came(self):
        for name, width, height in [
            ("that Pillow refuses", 20_000, 10_000),
            ("that Pillow warns of", 10_000, 9_000),
            ("that takes 200 MB", 5_000, 5_000),
        ]:
            with self.subTest(name):
                content = make_png(width, height)
                attachment, count = self.receive_images(content)
                self.assertEqual((attachment.raw, count), (content, 0))

    def test_a_damaged_image_is_left_as_it_came(self):
        content = make_png(3_000, 2_000).replace(b"IDAT", b"\xffDAT")
        attachment, _count = self.receive_images(content)
        self.assertEqual(attachment.raw, content)

    def test_images_are_made_smaller_until_they_are_too_many(self):
        content = make_png(4_000, 4_000)
        attachments, count = self.receive_images(*[content] * 5)
        self.assertEqual(count, images.MAX_PIXELS_OF_ALL // 16_000_000)
        kept = [attachment.raw == content for attachment in attachments]
        self.assertEqual(kept, [False] * 3 + [True] * 2)

    def test_other_images_are_made_smaller_as_by_core(self):
        attachment, _count = self.receive_images(make_png(2_400, 10, rows=10))
        self.assertEqual(Image.open(io.BytesIO(attachment.raw)).size, (1_920, 8))


class TestBombsInTools(BaseCase):
    def test_no_more_of_a_header_is_parsed_than_the_limit_allows(self):
        for name, rest, reason in HEADERS:
            with self.subTest(name):
                header, problem = source.cut_header(b"From: a@x.test\r\n" + rest)
                self.assertLessEqual(len(header), source.MAX_HEADER)
                self.assertIn(reason, problem)
                fields = source.header_fields(b"From: a@x.test\r\n" + rest)
                self.assertLessEqual(len(fields), source.MAX_FIELDS)
                self.assertEqual(fields[0], ("From", "a@x.test"))
                with self.assertRaisesRegex(MalformedMail, reason):
                    repair(rest)

    def test_a_header_within_the_limits_is_whole(self):
        for header in (
            b"",
            b"Subject: x\r\n\r\n",
            b"Subject: x\n\n",
            b"Subject: x\r\r",
            b"X-Any: x\r\n" * source.MAX_FIELDS + b"\r\n",
            b"X-Any: " + b"x" * 1_000_000 + b"\r\n\r\n",
        ):
            with self.subTest(header[:20]):
                body = b"Two: please.\r\n" * 6_000 if header else b""
                self.assertEqual(source.cut_header(header + body), (header, ""))

    def test_html_that_takes_minutes_is_attached(self):
        """``lxml`` compares attributes with each other, core looks for a file's name in a URL."""
        names = [f"a{number}" for number in range(30_000)]
        for name, html in [
            ("attributes", f"<p {' '.join(names)}>x</p>"),
            ("attributes with values", f"<p {'=1 '.join(names)}>x</p>"),
            ("quoted values", "<p " + '=">" '.join(names) + ">x</p>"),
            ("values without spaces", "<p " + '=""'.join(names) + ">x</p>"),
            ("URL of an image", f'<img src="{"x" * 60_000}">'),
            ("URL without quotes", f"<img src={'x' * 60_000}>"),
            ("closing tags", "</b>" * 450_000),
            ("comments", "<!---->" * 100_000),
            ("ampersands", "&" * 600_000),
            ("control characters", "\x1b" * 500_000),
        ]:
            with self.subTest(name):
                raw = b"From: a@x.test\r\nContent-Type: text/html\r\n\r\n" + html.encode()
                self.assertGreater(text_cost.measure_cost(html, True), text_cost.MAX_TEXT_COST)
                self.assertEqual(repair(raw).message.get_filename(), "message.html")

    def test_a_text_that_grows_is_attached(self):
        for name, text in [
            ("markup", "<&>" * 300_000),
            ("letters of several octets", "ü" * 2_000_000),
            ("control characters", "\x1b" * 500_000),
            ("letters", "x" * 4_000_000),
        ]:
            with self.subTest(name):
                raw = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()
                self.assertEqual(repair(raw).message.get_filename(), "message.txt")

    def test_what_people_send_costs_little(self):
        link = '<a href="https://x.test/a/b?c=d&amp;e=f" style="color: red; margin: 0 0 0 0">x</a>'
        image = '<img src="https://x.test/image/0123456789abcdef/1.png" width=100>'
        for name, text, is_html in [
            ("letter", "Two, please.\r\n" * 1_000, False),
            ("log", "2026-11-20 10:00:00 hello\r\n" * 20_000, False),
            ("newsletter", (link + image) * 500, True),
            ("attributes", f"<p {' '.join(f'data-{n}=1' for n in range(200))}>x</p>", True),
            ("image in the text", f'<img src="data:image/png;base64,{"x/" * 100_000}">', True),
        ]:
            with self.subTest(name):
                cost = text_cost.measure_cost(text, is_html)
                self.assertLess(cost, text_cost.MAX_TEXT_COST // 3)

    def test_what_is_long_is_not_measured_further(self):
        with patch.object(text_cost, "_QUOTES") as quotes:
            text_cost.measure_cost("> x\n" * 500_000, False)
        self.assertFalse(quotes.mock_calls)

    def test_the_preview_reads_what_was_repaired(self):
        names = " ".join(f"a{number}" for number in range(30_000)).encode()
        html = b"Content-Type: text/html"
        for name, raw, expected in [
            (
                "attributes",
                html + b"\r\n\r\n<p " + names + b">x</p>",
                ("", False, ["message.html"]),
            ),
            ("parameters", html + b"; a=b" * 15_000 + b"\r\n\r\nx", ("x", True, [])),
            (
                "parts",
                b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 1_500,
                ("", False, []),
            ),
        ]:
            with self.subTest(name), measure_parsed() as lengths:
                self.assertEqual(read_content(raw), expected)
                self.assertLessEqual(max(lengths), repair_fields.MAX_PARSED_FIELD)

    def test_pixels(self):
        for name, content, expected in [
            ("an image", make_png(30, 20), 600),
            ("more than Pillow opens", make_png(60_000, 60_000), images.MAX_PIXELS + 1),
            ("a text", b"text", 0),
            ("nothing", b"", 0),
            ("a damaged one", make_png(30, 20)[:20], 0),
        ]:
            with self.subTest(name):
                self.assertEqual(images.count_pixels(content), expected)
