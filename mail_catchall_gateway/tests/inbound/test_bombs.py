"""Mails that are small and cost much, and must have a verdict nevertheless, and soon."""

import contextlib
import resource
import struct
import time
import zlib
from email.headerregistry import HeaderRegistry

from odoo.tests import tagged
from odoo.tests.common import BaseCase
from odoo.tools import ImageProcess

from ...models.inbound import mail_catchall_review
from ...models.routing import mail_catchall_recipients
from ...tools.message import repair as tool
from ...tools.message import repair_fields, source, text_size
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
_NAMES = [f"a{number}" for number in range(30_000)]
#: Texts of HTML for which core takes minutes: of each the same thing as often as it is shown at
#: most, and far more often.
HTML_BOMBS = [
    ("attributes", f"<p {' '.join(_NAMES[:6_000])}>x</p>", f"<p {' '.join(_NAMES)}>x</p>"),
    ("quoted values", "<p>x</p>", "<p " + '=">" '.join(_NAMES) + ">x</p>"),
    ("values without spaces", "<p>x</p>", "<p " + '=""'.join(_NAMES) + ">x</p>"),
    ("URL of an image", f'<img src="{"x" * 6_000}">', f'<img src="{"x" * 60_000}">'),
    ("a word in a style", f"<p style={'x' * 8_800}>x", f"<p style={'x' * 900_000}>x"),
    ("URL without quotes", "<img src=x>", f"<img src={'x' * 60_000}>"),
    ("no end of a tag", "<" * 7_000, "<" * 200_000),
    ("no end of an XML declaration", "< encoding=" * 170, "< encoding=" * 1_800),
    ("no end of a comment", "<!--" * 3_500, "<!--" * 50_000),
    (
        "marks of quotations",
        "<hr class=stopSpelling>" * 75,
        "<hr class=stopSpelling>" * 4_500,
    ),
    ("quotations", "<pre>" + ("\n&gt;x\n" + "y" * 140) * 600, "<pre>" + "\n&gt;x\ny" * 20_000),
    ("elements", "<p>" * 14_000, "<p>" * 2_000_000),
    ("closing tags", "</b>" * 14_000, "</b>" * 450_000),
    ("comments", "<!---->" * 14_000, "<!---->" * 100_000),
    ("ampersands", "&" * 166_000, "&" * 600_000),
    ("control characters", "\x1b" * 160_000, "\x1b" * 500_000),
]
PLAIN_BOMBS = [
    ("markup", "<&>" * 50_000, "<&>" * 300_000),
    ("letters", "x" * 999_000, "x" * 4_000_000),
    ("letters of several octets", "ü" * 999_000, "ü" * 2_000_000),
    ("control characters", "\x1b" * 160_000, "\x1b" * 500_000),
    ("lines", "\n" * 160_000, "\r\n" * 500_000),
    ("quotations", ("\n>x\n" + "y" * 140) * 600, "\n>x\ny" * 100_000),
]
BOMBS = [("html", *row) for row in HTML_BOMBS] + [("plain", *row) for row in PLAIN_BOMBS]


def make_text(subtype, text):
    return f"Content-Type: text/{subtype}; charset=utf-8\r\n\r\n{text}".encode()


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

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # who sends as many mails is taken for a loop
        cls.env["ir.config_parameter"].set_param("mail.gateway.loop.threshold", "1000")

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
            make_text("html", "Two, please." + "<" * 100_000), to=f"nobody@{self.domain}"
        )
        self.assertVerdict(inbound, "review", "unrouted")
        tools = mail_catchall_review.tools
        sanitize = tools.html_sanitize
        with patch.object(tools, "html_sanitize", side_effect=sanitize) as sanitized:
            self.assertIn("message.html", inbound.preview)
            self.assertIn("Two, please.", inbound.preview)
        for call in sanitized.call_args_list:
            self.assertLess(len(call.args[0]), 50_000)

    # ------------------------------------------------------------
    # TEXTS
    # ------------------------------------------------------------

    def assertCheap(self, rest):
        """Receive a mail, and fail if that takes long or 200 MB.

        A bomb takes minutes. That it takes less than two seconds is for ``fuzz/`` to find out,
        without a coverage measurement around it.
        """
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        inbound = self.receive_raw(rest)
        self.assertLess(time.process_time() - start, 15)
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory, 200_000)
        self.assertVerdict(inbound, "delivered", "user_alias")
        return inbound.mail_message_ids

    def test_a_text_that_takes_minutes_is_attached_with_its_beginning_shown(self):
        for subtype, name, _shown, text in BOMBS:
            with self.subTest(subtype, name=name):
                message = self.assertCheap(make_text(subtype, f"Two, please. {text}"))
                self.assertIn("Two, please.", message.body)
                self.assertLess(len(message.body), 50_000)
                extension = "html" if subtype == "html" else "txt"
                self.assertEqual(message.attachment_ids.mapped("name"), [f"message.{extension}"])
                self.assertEqual(message.attachment_ids.raw, f"Two, please. {text}".encode())

    def test_a_text_that_takes_less_than_two_seconds_is_shown(self):
        for subtype, name, text, _attached in BOMBS:
            with self.subTest(subtype, name=name):
                message = self.assertCheap(make_text(subtype, f"Two, please. {text}"))
                self.assertFalse(message.attachment_ids)

    def test_many_texts_of_a_mail_are_cheap(self):
        for subtype, text in (
            ("plain", "hello " * 100),
            ("html", "<p>hello</p>" * 3),
            ("html", "<p>hello</p>" * 500),
            ("html", "<" * 20_000),
        ):
            with self.subTest(subtype, size=len(text)):
                part = b"--b\r\n" + make_text(subtype, text) + b"\r\n"
                header = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                message = self.assertCheap(header + part * 300)
                self.assertIn("hello" if "hello" in text else "&lt;&lt;", message.body)
                self.assertTrue(message.attachment_ids)

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

    def test_an_image_is_left_as_it_came(self):
        """Core would make large ones smaller, whatever that takes."""
        for name, content in [
            ("that Pillow refuses", make_png(20_000, 10_000)),
            ("that Pillow warns of", make_png(10_000, 9_000)),
            ("that takes 200 MB", make_png(5_000, 5_000)),
            ("that is damaged", make_png(3_000, 2_000).replace(b"IDAT", b"\xffDAT")),
            ("that is sound", make_png(2_400, 10, rows=10)),
        ]:
            with self.subTest(name), patch.object(ImageProcess, "__init__") as opened:
                mail = self.make_mail(self.john.alias_email)
                mail.add_attachment(content, "image", "png", filename="a.png")
                inbound = self.receive(mail)
                self.assertVerdict(inbound, "delivered", "user_alias")
                self.assertEqual(inbound.mail_message_ids.attachment_ids.raw, content)
                self.assertFalse(opened.mock_calls)


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

    def test_what_people_send_is_far_from_the_limit(self):
        link = '<a href="https://x.test/a/b?c=d&amp;e=f" style="color: red; margin: 0 0 0 0">x</a>'
        image = '<img src="https://x.test/image/0123456789abcdef/1.png" width=100>'
        for name, text, is_html in [
            ("letter", "Two, please.\r\n" * 1_000, False),
            ("log", "2026-11-20 10:00:00 hello\r\n" * 10_000, False),
            ("newsletter", (link + image) * 500, True),
            ("attributes", f"<p {' '.join(f'data-{n}=1' for n in range(200))}>x</p>", True),
            ("image in the text", f'<img src="data:image/png;base64,{"x/" * 100_000}">', True),
        ]:
            with self.subTest(name):
                self.assertLess(text_size.measure_text(text, is_html), text_size.MAX_TEXT // 2)

    def test_what_is_long_is_not_measured_further(self):
        with patch.object(text_size, "_QUOTES") as quotes:
            text_size.measure_text("> x\n" * 500_000, False)
        self.assertFalse(quotes.mock_calls)

    def test_the_preview_reads_what_was_repaired(self):
        names = " ".join(f"a{number}" for number in range(30_000)).encode()
        html = b"Content-Type: text/html"
        for name, raw, expected in [
            (
                "attributes",
                html + b"\r\n\r\nTwo<p " + names + b">, please</p>",
                ("<pre>Two …</pre>", True, ["message.html"]),
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
