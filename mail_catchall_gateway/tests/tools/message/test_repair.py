import base64
import email
import email.headerregistry
import email.policy
import html
import random
import re
from unittest.mock import patch

from odoo.tests.common import BaseCase

from odoo.addons.mail.models.mail_thread import MailThread

from ....tools.message import repair as tool
from ....tools.message import repair_fields
from ....tools.message.repair import MalformedMail, repair

HEADER = b"From: a@x.test\r\nTo: b@acme.test\r\nSubject: s\r\nMessage-ID: <1@x.test>\r\n"
MIXED = b'multipart/mixed; boundary="B"'
FORWARD = (
    b"Message-ID: <inner@x.test>\r\nSubject: inner\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\ninner text"
)


class Nothing:
    """An environment without records."""

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self

    def __getitem__(self, key):
        return self

    def __len__(self):
        return 0


class Core:
    """Core's gateway without a database: what reads a mail are its own methods."""

    env = Nothing()
    _Attachment = MailThread._Attachment

    def __getattr__(self, name):
        return getattr(MailThread, name).__get__(self)

    def _mail_find_partner_from_emails(self, emails, records=None):
        return []


def mail(content_type, body, header=HEADER):
    return header + b"Content-Type: " + content_type + b"\r\n\r\n" + body


def encoded(encoding, content_type, body):
    return mail(content_type, body, HEADER + b"Content-Transfer-Encoding: " + encoding + b"\r\n")


def part(content_type, body, header=b""):
    return mail(content_type, body, header)


def mixed(*parts, content_type=MIXED):
    body = b"".join(b"--B\r\n" + one + b"\r\n" for one in parts)
    return mail(content_type, body + b"--B--\r\n")


def attachment(filename, body=b"content"):
    disposition = b"Content-Disposition: attachment; " + filename + b"\r\n"
    return mixed(part(b"text/plain", b"text"), part(b"image/png", body, disposition))


def nested(depth, content_type=b'multipart/mixed; boundary="%d"', leaf=b"\r\nleaf"):
    for level in range(depth):
        head = b"Content-Type: " + content_type.replace(b"%d", b"%d" % level) + b"\r\n\r\n"
        start, end = b"--%d\r\n" % level, b"\r\n--%d--\r\n" % level
        leaf = head + start + leaf + end if b"multipart" in content_type else head + leaf
    return HEADER + leaf


class TestRepair(BaseCase):
    def read_mail(self, raw, keep=None):
        """Repair a mail and read it as core does, with the copy of the original that it attaches.

        :return dict: what core read; the body as plain text, attachments as (name, octets)
        """
        message = email.message_from_bytes(b"", policy=email.policy.SMTP)
        repair(raw, keep).copy_to(message)
        found = Core().message_parse(message, save_original=True)
        attachments = [self._store(*attached) for attached in found["attachments"]]
        for value in found.values():
            if isinstance(value, str):
                self.assertStorable(value)
        text = re.sub(r"<[^<>]*>", "", found["body"])
        found.update(body=html.unescape(text).strip(), attachments=attachments[1:])
        return found

    def _store(self, name, content, info):
        """Do what _process_attachments_for_post does."""
        self.assertStorable(name)
        if isinstance(content, str):
            try:
                content = content.encode(info.get("encoding") or "utf-8")
            except UnicodeEncodeError:
                content = content.encode()
        return name, content if isinstance(content, bytes) else content.as_bytes()

    def assertStorable(self, text):
        self.assertNotIn("\0", text)
        text.encode()

    def assertRefused(self, raw, reason):
        with self.assertRaisesRegex(MalformedMail, reason):
            repair(raw)

    # ------------------------------------------------------------
    # SOUND MAIL
    # ------------------------------------------------------------

    def test_sound_mail_stays_as_it_is(self):
        for name, raw in [
            ("plain", mail(b"text/plain; charset=utf-8", "Grüße".encode())),
            ("no type", HEADER + b"\r\nhello"),
            ("latin-1", mail(b"text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe")),
            (
                "quoted-printable",
                encoded(b"Quoted-Printable", b"text/html; charset=utf-8", b"=C3=BC"),
            ),
            ("flowed", mail(b"text/plain; format=flowed", b"a \r\nb")),
            ("folded type", mail(MIXED.replace(b" ", b"\r\n\t"), b"--B\r\n\r\nhello\r\n--B--")),
            ("parts", attachment(b"filename*=utf-8''%C3%BC.png")),
            ("encoded names", attachment(b'filename="=?utf-8?q?=C3=BC.png?="')),
            ("forward", mixed(part(b"message/rfc822", FORWARD))),
            ("invitation", mixed(part(b"text/calendar; method=REQUEST", b"BEGIN:VCALENDAR"))),
            ("TNEF", mixed(part(b"application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22"))),
            ("S/MIME", mixed(part(b"application/pkcs7-signature; name=smime.p7s", b"x"))),
            ("PGP/MIME", mixed(part(b"application/pgp-encrypted", b"Version: 1"))),
            (
                "names",
                b'From: =?utf-8?q?J=C3=BCrgen?= <j@x.test>\r\nTo: "Doe, John" <j@acme.test>,\r\n'
                b" Team: a@acme.test, b@acme.test;\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
                b"Date: Fri, 20 Nov 2026 10:00:00 +0100 (CET)\r\nReturn-Path: <>\r\n\r\nhello",
            ),
        ]:
            with self.subTest(name):
                repaired = repair(raw)
                expected = email.message_from_bytes(raw, policy=email.policy.SMTP)
                if "To" not in expected:
                    expected["To"] = ""
                self.assertEqual(repaired.notes, ())
                self.assertEqual(repaired.message.as_bytes(), expected.as_bytes())

    def test_a_message_becomes_the_repaired_one(self):
        message = email.message_from_bytes(HEADER + b"\r\nother", policy=email.policy.SMTP)
        repair(mail(b"text/plain", b"hello")).copy_to(message)
        self.assertEqual(message.get_content(), "hello")
        self.assertIs(message.policy, email.policy.SMTP)

    def test_what_was_repaired_is_told(self):
        base = b"Content-Transfer-Encoding: base64\r\n"
        for raw, notes in [
            (b"Subject: a\0b\r\nX-A: \xff\r\n\r\nx", ("header fields",)),
            (b"To: <\r\n\r\nx", ("header fields",)),
            (b"References: " + b"<1@x.test>\r\n " * 300 + b"\r\n\r\nx", ()),  # long, but sound
            (b"To: " + b"a@x.test,\r\n " * 300 + b"b@x.test\r\n\r\nx", ()),
            (mail(b"text/plain; charset=foo", b"x"), ("charset",)),
            (mail(b"text/csv", b"x"), ("type of a text",)),
            (mail(b"font/ttf", b"x"), ("attachment",)),
            (mail(b"multipart/mixed", b"x"), ("multipart without parts",)),
            (mail(b"multipart/mixed", b"--B\n\nx\n--B--"), ("boundary of a multipart",)),
            (encoded(b"base64", b"text/plain", b"YWJjZ"), ("base64",)),
            (encoded(b"base64", b"text/plain", b"YWJj\n--\n"), ("base64",)),
            (mixed(part(b"message/rfc822", base64.b64encode(FORWARD), base)), ("attached email",)),
            (mail(b"text/plain", b"> hello world\r\n" * 30_000), ("line ends",)),
        ]:
            with self.subTest(raw[:50]):
                self.assertEqual(repair(raw).notes, notes)

    def test_what_was_repaired_is_written_again(self):
        """Core attaches the original, and attached mails, as it writes them."""
        names = ", ".join(f'"Ü, {number}" <{number}@x.test>' for number in range(300))
        raw = f"To: {names}\r\nSubject: {'Grüße ' * 100}\r\n\r\nx".encode()
        written = repair(raw).message.as_bytes()
        self.assertLess(max(map(len, written.splitlines())), 100)
        again = self.read_mail(written)
        self.assertEqual(again["subject"].split(), ["Grüße"] * 100)
        self.assertEqual(again["to"].count("@"), 300)

    # ------------------------------------------------------------
    # TEXTS
    # ------------------------------------------------------------

    def test_texts_in_strange_charsets(self):
        for charset, octets, expected in [
            # real ones, from trackers of Odoo, Thunderbird and mail-parser
            (b"unknown-8bit", b"Gr\xfc\xdfe", "Grüße"),
            (b"utf8mb4", b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
            (b"cp-850", b"Gr\x81\xe1e", "Grüße"),
            (b'"utf-8', b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
            (b"windows-1252http-equivContent-Type", b"Gr\xfc\xdfe", "Grüße"),
            (b"x-sjis", "日本".encode("shift_jis"), "日本"),
            (b"gb2312", "丂中".encode("gbk"), "丂中"),  # what Outlook sends is GBK
            (b"None", b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
            (b'""', b"hello", "hello"),
            (b"", b"Gr\xfc\xdfe", "Grüße"),
            (b"utf-8; charset=latin1", b"hello", "hello"),
            # the declared charset is wrong
            (b"utf-8", b"Gr\xfc\xdfe", "Grüße"),
            (b"us-ascii", b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
            (b"utf-8", "Grüße".encode() + b" \x80\xfc", "Grüße €ü"),  # a footer in another one
            (b"gb2312", "中文".encode("gb2312") * 50 + b"\xff", "中文" * 50 + "\ufffd"),
            # made to fail: no charsets of texts, or such that yield what cannot be stored
            (b"hex", b"6162", "6162"),
            (b"undefined", b"hello", "hello"),
            (b"idna", b"xn--bcher-kva", "xn--bcher-kva"),
            (b"punycode", b"hello-", "hello-"),
            (b"unicode_escape", rb"\ud800", r"\ud800"),
            (b"utf-7", b"+2AA-", "+2AA-"),
            (b"utf-16", b"a\0b\0", "ab"),
            (b"x\0y", b"hello", "hello"),
            (b"\xff\xfe", b"hello", "hello"),
            (b"a" * 5000, b"hello", "hello"),
            (b"utf-8", b"a\0b", "ab"),
        ]:
            for subtype in (b"plain", b"html"):
                content_type = b"text/" + subtype + b"; charset=" + charset
                qp = b"".join(b"=%02X" % octet for octet in octets)
                for name, raw in [
                    ("whole", mail(content_type, octets)),
                    ("part", mixed(part(content_type, octets))),
                    ("encoded", encoded(b"quoted-printable", content_type, qp)),
                ]:
                    with self.subTest(charset=charset, subtype=subtype, form=name):
                        self.assertEqual(self.read_mail(raw)["body"], expected)

    def test_texts_without_a_charset(self):
        for name, raw, expected in [
            ("whole mail in UTF-8", HEADER + "\r\nGrüße".encode(), "Grüße"),
            ("whole mail in Latin-1", HEADER + b"\r\nGr\xfc\xdfe", "Grüße"),
            ("part in Latin-1", mixed(part(b"text/plain", b"Gr\xfc\xdfe")), "Grüße"),
            ("no value", mail(b"text/plain; charset", b"Gr\xfc\xdfe"), "Grüße"),
            (
                "HTML that says it itself",
                mail(b"text/html", b'<meta charset="cp850"><p>Gr\x81\xe1e</p>'),
                "Grüße",
            ),
            ("empty", HEADER + b"\r\n", ""),
            ("nothing at all", b"", ""),
            ("no header", b"\r\n\r\nhello", "hello"),
        ]:
            with self.subTest(name):
                self.assertEqual(self.read_mail(raw)["body"], expected)

    def test_transfer_encodings(self):
        lines = base64.encodebytes(b"hello " * 40).splitlines(keepends=True)
        for encoding, body, expected in [
            (b"base64;", b"aGVsbG8=", "hello"),
            (b'"base64"', b"aGVsbG8=", "hello"),
            (b"quoted/printable", b"gr=C3=BCn", "grün"),
            (b"8-bit", "grün".encode(), "grün"),
            (b"utf-8", "grün".encode(), "grün"),
            (b"\0", b"hello", "hello"),
            (b"base64\r\nContent-Transfer-Encoding: 8bit", b"aGVsbG8=", "hello"),
            (b"base64", b"aGVsbG8gd29ybGQh\r\nZ", "hello world!"),  # cut off
            (b"base64", b"aGVsbG8=\r\n\r\n-- \r\na list", "hello-- \r\na list"),  # a footer
            (b"base64", b"is =? no base64", "is =? no base64"),
            (b"base64", lines[0] + b"!\n" + b"".join(lines[1:]), ("hello " * 40).strip()),
            (b"x-uuencode", b"begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n", "abc"),
            (b"uuencode", b"no uuencode", "no uuencode"),
            (b"uuencode", b"begin 644 a\r\nM\xff", "begin 644 a\r\nMÿ"),
        ]:
            with self.subTest(encoding=encoding, body=body):
                raw = encoded(encoding, b"text/plain; charset=utf-8", body)
                self.assertEqual(self.read_mail(raw)["body"], expected)

    def test_a_whole_mail_of_another_type_of_text_is_no_html(self):
        for content_type, body in [
            (b"text/xml", b"<!-- x -->"),  # lxml finds no document in it
            (b"text/calendar", b"BEGIN:VCALENDAR\r\nX:<b>"),
            (b"text/csv; charset=foo", b"a;b\r\nc;d"),
        ]:
            with self.subTest(content_type):
                self.assertEqual(self.read_mail(mail(content_type, body))["body"], body.decode())
        raw = mail(b"text/csv; name=a.csv", b"a;b\r\nc;d")
        self.assertEqual(self.read_mail(raw)["attachments"], [("a.csv", b"a;b\r\nc;d")])

    # ------------------------------------------------------------
    # HEADER
    # ------------------------------------------------------------

    def test_header_fields(self):
        for field, key, expected in [
            # 8 bits, and what PostgreSQL refuses
            (b"Subject: Gr\xfc\xdfe", "subject", "Grüße"),
            ("Subject: Grüße".encode(), "subject", "Grüße"),
            (b"Subject: a\0b", "subject", "ab"),
            (b"Subject: =?utf-8?q?a=00b?=", "subject", "ab"),
            (b"Subject: =?utf-8?q?a=0D=0AX:_y?=", "subject", "a  X: y"),
            (b"Subject: =?unknown-8bit?q?Gr=FC=DFe?=", "subject", "Grüße"),
            (b"Subject: =?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "subject", "Grüße"),
            (b"Subject: =?utf-7?q?+2AA-?=", "subject", "+2AA-"),
            (b"Subject: =?unicode_escape?q?=5Cud800?=", "subject", r"\ud800"),
            (b"Message-ID: <1\0@x>", "message_id", "<1@x>"),
            (b"Message-ID: <\xfc@x>", "message_id", "<?@x>"),
            (b"References: <1\0@x> <2@x>", "references", "<1@x> <2@x>"),
            (b"In-Reply-To: <\xfc@x>", "in_reply_to", "<?@x>"),
            # names
            (b"From: J\xfcrgen <j@x.test>", "email_from", '"Jürgen" <j@x.test>'),
            ("From: Jürgen <j@x.test>".encode(), "email_from", '"Jürgen" <j@x.test>'),
            (b"From: =?utf-8?q?a=00b?= <j@x.test>", "email_from", '"ab" <j@x.test>'),
            (b"From: =?foo?q?J=FCrgen?= <j@x.test>", "email_from", '"Jürgen" <j@x.test>'),
            (b"From: =?utf-8?q?a=0D=0Ab?= <j@x.test>", "email_from", '"a  b" <j@x.test>'),
            (b"From: \xe2\x80\xaelave <j@x.test>", "email_from", '"lave" <j@x.test>'),
            (b"From: =?utf-8?q?=E2=80=AElave?= <j@x.test>", "email_from", '"lave" <j@x.test>'),
            (b'To: "M\xfcller, "J"" <j@x.test>', "to", r'"Müller, \"J\"" <j@x.test>'),
            ("To: j@bücher.test".encode(), "to", "j@bücher.test"),
            # a name that looks like an address is none
            (b"From: a@x.test <b@y.test>", "email_from", '"a@x.test" <b@y.test>'),
            (b"To: =?utf-8?q?evil=40y=2Etest?=", "to", ""),
            (b"To: =?utf-8?q?a=40x=2Etest=2C?= <b@y.test>", "to", '"a@x.test," <b@y.test>'),
            (b"From: Doe [External] <j@x.test>", "email_from", '"Doe [External]" <j@x.test>'),
            (b"From: Doe; J <j@x.test>", "email_from", '"J" <j@x.test>'),
            # what email's parser fails at
            (b"From: <", "email_from", ""),
            (b"From: a@", "email_from", "a"),
            (b'From: "', "email_from", ""),
            (b"To: a@[", "to", ""),
            (b"To: x: y: j@x.test;;", "to", "j@x.test"),
            (b"To: x:j@x.test;y", "to", "j@x.test"),
            (b"To: " + b"(" * 500 + b")" * 500 + b" j@x.test", "to", "j@x.test"),
            (b"Date: Fri, 20 Nov 2026 10:00:00 +99999999999999", "date", None),
            (b"Date: 1 Jan 999999999999 1:1:1", "date", None),
            (b"Date: 20 Nov 0999 10:00:00 +0000", "date", None),
            (
                b"Date: Fri, 20 Nov 2026 10:00:00 +0100 (Mitteleurop\xe4isch)",
                "date",
                "2026-11-20 09:00:00",
            ),
        ]:
            with self.subTest(field):
                name = field.partition(b":")[0]
                others = re.sub(rb"(?m)^%s:.*\r\n" % name, b"", HEADER)
                self.assertEqual(
                    self.read_mail(field + b"\r\n" + others + b"\r\nx").get(key), expected
                )

    def test_header_fields_that_are_missing_or_doubled(self):
        for name, raw, key, expected in [
            ("no From", b"To: b@acme.test\r\n\r\nx", "email_from", ""),
            ("no To", b"From: a@x.test\r\n\r\nx", "to", ""),
            ("two From", HEADER + b"From: c@y.test\r\n\r\nx", "email_from", "a@x.test"),
            ("two Message-Ids", HEADER + b"Message-ID: <2@x>\r\n\r\nx", "message_id", "<1@x.test>"),
            (
                "two types, one of them a multipart",
                HEADER
                + b"Content-Type: text/plain\r\n"
                + mixed(part(b"text/plain", b"x"))[len(HEADER) :],
                "body",
                "x",
            ),
            (
                "two types",
                HEADER + b"Content-Type: text/plain\r\n" + mail(b"text/html", b"a<b", b""),
                "body",
                "a<b",
            ),
        ]:
            with self.subTest(name):
                self.assertEqual(self.read_mail(raw)[key], expected)
        # core looks for addresses in it when it answers a mail written to the catchall
        self.assertEqual(repair(b"From: a@x.test\r\n\r\nx").message["To"], "")

    # ------------------------------------------------------------
    # ATTACHMENTS
    # ------------------------------------------------------------

    def test_names_of_attachments(self):
        for filename, expected in [
            (b'filename="a\0b.png"', "ab.png"),
            (b'filename="a\x01b.png"', "ab.png"),  # lxml refuses it
            (b"filename=\xfc.png", "ü.png"),
            ("filename=ü.png".encode(), "ü.png"),
            (b"filename*=foo''%FC.png", "ü.png"),
            (b"filename*=utf-8''a%00b.png", "ab.png"),
            (b"filename*=utf-7''+2AA-.png", "+2AA-.png"),
            (b'filename="=?utf-8?q?a=00b.png?="', "ab.png"),
            (b'filename="=?foo?q?=FC.png?="', "ü.png"),
            (b"filename*=utf-8''%E2%80%AEgpj.exe", "gpj.exe"),  # it would be shown as exe.jpg
            (b'filename="' + b"x" * 100000 + b'.png"', "x" * 200),
            (b"filename=a.png" + b";" * 30000, "a.png"),
            (b"filename*0=a; filename*1=\xfc.png", "aü.png"),
            (b"x" * 100 + b"=y; filename=a.png", "a.png"),  # python/cpython#138223
        ]:
            with self.subTest(filename[:50]):
                found = self.read_mail(attachment(filename))
                self.assertEqual(found["attachments"], [(expected, b"content")])
                self.assertEqual(found["body"], "text")

    def test_an_image_in_the_text_has_a_name_that_lxml_takes(self):
        image = part(
            b"image/png; name*=utf-8''a%01b",
            b"content",
            b"Content-ID: <c1>\r\n",
        )
        raw = mixed(part(b"text/html", b"<p>text<img src='cid:c1'></p>"), image)
        self.assertEqual(self.read_mail(raw)["attachments"], [("ab", b"content")])

    def test_types_of_attachments(self):
        named = b"Content-Disposition: attachment; filename=a.bin\r\n"
        for content_type in [
            b"font/ttf",
            b"model/vrml",
            b"chemical/x-pdb",
            b"binary/octet-stream",
            b"/",
            b"*/*",
            b"\xff/\xff",
            b"application/",
            b"application / pdf",
            b"(a comment) application/pdf",
            b"pdf; x=y",
            # texts that would not come out of core as they went in
            b"text/csv; charset=foo",
            b"text/csv; charset=utf-8",
            b"text/csv",
            b"image/png; charset=utf-8",
        ]:
            with self.subTest(content_type):
                raw = mixed(part(b"text/plain", b"text"), part(content_type, b"a\0\xff", named))
                self.assertEqual(self.read_mail(raw)["attachments"], [("a.bin", b"a\0\xff")])

    def test_a_cut_attachment_is_not_left_in_base64(self):
        header = b"Content-Transfer-Encoding: base64\r\n"
        raw = mixed(part(b"application/pdf; name=a.pdf", b"YWJjZ\r\n", header))
        self.assertEqual(self.read_mail(raw)["attachments"], [("a.pdf", b"abc")])

    def test_attached_mails(self):
        base = b"Content-Transfer-Encoding: base64\r\n"
        for name, attached, filename in [
            ("as it should be", part(b"message/rfc822", FORWARD), "attachment"),
            ("base64", part(b"message/rfc822", base64.encodebytes(FORWARD), base), "forwarded.eml"),
            (
                "base64, with a name",
                part(b"message/rfc822; name=a.eml", base64.encodebytes(FORWARD), base),
                "a.eml",
            ),
            ("not base64, but says so", part(b"message/rfc822", FORWARD, base), "forwarded.eml"),
            (
                "quoted-printable",
                part(
                    b"message/rfc822",
                    FORWARD.replace(b"inner text", b"inner=20text"),
                    b"Content-Transfer-Encoding: quoted-printable\r\n",
                ),
                "forwarded.eml",
            ),
        ]:
            with self.subTest(name):
                found = self.read_mail(mixed(part(b"text/plain", b"outer"), attached))
                self.assertEqual(found["body"].split(), ["outer", "inner", "text"])
                [(found_name, source)] = found["attachments"]
                self.assertEqual(found_name, filename)
                self.assertEqual(source, FORWARD)

    # ------------------------------------------------------------
    # STRUCTURE
    # ------------------------------------------------------------

    def test_multiparts_without_parts(self):
        body = b"--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"
        for name, raw, expected in [
            ("no boundary", mail(b"multipart/mixed", body), "hello"),
            ("another boundary", mail(b"multipart/mixed; boundary=C", body), "hello"),
            ("no subtype", mail(b"multipart; boundary=B", body), "hello"),
            ("in base64", encoded(b"base64", MIXED, base64.encodebytes(body)), "hello"),
            ("no end", mail(MIXED, body.replace(b"--B--", b"")), "hello"),
            ("no parts", mail(b"multipart/alternative", b"hello"), "hello"),
            ("bounce without parts", mail(b"multipart/report", b"hello"), "hello"),
            ("empty", mail(MIXED, b""), ""),
            ("empty bounce", mail(b"multipart/report; boundary=B", b"--B--"), ""),
            ("8-bit preamble", mail(MIXED, b"\xff\r\n" + body + b"\xff"), "hello"),
        ]:
            with self.subTest(name):
                self.assertEqual(self.read_mail(raw)["body"], expected)

    def test_bounces_that_core_reads(self):
        """Core looks into the parts of a report for the Message-Id of what came back."""
        base = b"Content-Transfer-Encoding: base64\r\n"
        status = b"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; c@z.test\r\n"
        failed = part(b"text/plain", b"failed")
        for name, parts, ids in [
            (
                "encoded",
                [
                    part(b"message/delivery-status", base64.encodebytes(status), base),
                    part(b"message/rfc822", base64.encodebytes(FORWARD), base),
                ],
                ["<inner@x.test>"],
            ),
            (
                "header of a foreign charset",
                [part(b"text/rfc822-headers; charset=foo", FORWARD)],
                ["<inner@x.test>"],
            ),
            (
                "broken Message-Id",
                [part(b"text/rfc822-headers", b"Message-ID: <@>\r\nX: y")],
                [],
            ),
            (
                "broken Message-Id inside",
                [part(b"message/rfc822", b"Message-ID: <@>\r\n\r\nx")],
                [],
            ),
        ]:
            with self.subTest(name):
                report = b"multipart/report; boundary=B"
                found = self.read_mail(mixed(failed, *parts, content_type=report))
                self.assertTrue(found["is_bounce"])
                self.assertEqual(found["bounced_msg_ids"], ids)
                self.assertEqual(found["body"], "failed")
                if name == "encoded":
                    self.assertEqual(found["bounced_email"], "c@z.test")

    def test_what_is_refused(self):
        for name, raw, reason in [
            ("multiparts in multiparts", nested(200), "deep"),
            ("mails in mails", nested(200, b"message/rfc822"), "deep"),
            ("deeper than the stack", nested(20000), "deep"),
            ("parts", mixed(*[b"\r\nx"] * 10000), "1000 parts"),
            ("header", HEADER + b"X: " + b"x" * 5_000_000 + b"\r\n\r\n", "header"),
            ("many header fields", HEADER + b"X: x\r\n" * 200_000 + b"\r\n", "header"),
            ("lines", HEADER + b"\r\n" + b"\n" * 4_000_000, "lines"),
        ]:
            with self.subTest(name):
                self.assertRefused(raw, reason)

    def test_what_is_not_refused(self):
        self.assertEqual(self.read_mail(nested(40))["body"], "leaf")
        self.assertEqual(self.read_mail(nested(40, b"message/rfc822"))["body"], "")
        self.assertEqual(
            len(self.read_mail(mixed(*[part(b"image/png", b"x")] * 900))["attachments"]), 900
        )

    def test_no_more_is_parsed_than_the_limit_allows(self):
        made = []
        init = email.message.EmailMessage.__init__

        def count(message, *args, **kwargs):
            made.append(message)
            init(message, *args, **kwargs)

        for raw in (mixed(*[b"\r\nx"] * 10000), nested(20000), nested(20000, b"message/rfc822")):
            made.clear()
            with patch.object(email.message.EmailMessage, "__init__", count):
                self.assertRefused(raw, "parts")
            self.assertLessEqual(len(made), tool.MAX_PARTS + 1)

    def test_mails_in_mails_are_stored_a_few_times_only(self):
        found = self.read_mail(nested(40, b"message/rfc822", b"\r\n" + b"x" * 10000))
        size = sum(len(content) for _name, content in found["attachments"])
        self.assertLess(size, (tool.MAX_FORWARDS + 2) * 12000)
        self.assertIn("forwarded.eml", [name for name, _content in found["attachments"]])

    def test_what_is_encoded_in_what_is_encoded_is_not_parsed_for_ever(self):
        source = b"\r\n" + b"x" * 100_000
        for level in range(8):
            body = b"--B%d\r\n" % level + source + b"\r\n--B%d--\r\n" % level
            source = part(b"multipart/mixed; boundary=C", body)
        self.assertRefused(HEADER + source, "encoded")

    def test_a_message_id_that_no_answer_could_have_is_none(self):
        for message_id in (b"<>", b"<@>", b"<a@["):
            with self.subTest(message_id):
                header = re.sub(rb"(?m)^Message-ID:.*\r\n", b"", HEADER)
                found = self.read_mail(header + b"Message-ID: " + message_id + b"\r\n\r\nx")
                self.assertRegex(found["message_id"], r"^<[\d.]+@localhost>$", "one of core's")

    # ------------------------------------------------------------
    # LIMITS
    # ------------------------------------------------------------

    def test_long_header_fields_are_cut(self):
        ids = b"".join(b" <%d@x.test>\r\n" % number for number in range(50_000))
        for field, key, limit, start in [
            (b"Subject: " + b"=?utf-8?q?a?= " * 70_000, "subject", repair_fields.MAX_LINE, "aaaa"),
            (b"Subject: " + b"=?a?q?" * 150_000, "subject", repair_fields.MAX_LINE, "=?a?q?"),
            (b"Subject: " + b"x" * 1_000_000, "subject", repair_fields.MAX_LINE, "xxxx"),
            (
                b"Message-ID: <" + b"x." * 500_000,
                "message_id",
                repair_fields.MAX_MESSAGE_ID,
                "<x.x.",
            ),
            (b"References:" + ids.rstrip(), "references", repair_fields.MAX_HEADER_FIELD, "<4"),
            (
                b"In-Reply-To: " + b"<" * 1_000_000,
                "in_reply_to",
                repair_fields.MAX_HEADER_FIELD,
                "<<",
            ),
            (b"Date: " + b"1 " * 500_000, "date", 19, ""),
            (b"From: " + b"=?utf-8?q?a?= " * 70_000 + b"<a@x.test>", "email_from", 1100, '"aaa'),
            (b"X-Any: " + b"a " * 500_000, "subject", 1, "s"),
        ]:
            with self.subTest(field[:30]):
                name = field.partition(b":")[0]
                others = re.sub(rb"(?m)^%s:.*\r\n" % name, b"", HEADER)
                found = self.read_mail(field + b"\r\n" + others + b"\r\nbody")
                self.assertLessEqual(len(found[key]), limit)
                self.assertTrue(found[key].startswith(start), found[key][:20])
                self.assertEqual(found["body"], "body")
        self.assertTrue(
            self.read_mail(b"References:" + ids + b"\r\nx")["references"].endswith("<49999@x.test>")
        )

    def test_the_parsers_of_email_get_nothing_long(self):
        """Their time grows with the square of the length, and faster."""
        lengths = []
        parse = email.headerregistry.HeaderRegistry.__call__

        def measure(registry, name, value):
            lengths.append(len(value))
            return parse(registry, name, value)

        bombs = [
            b"Subject: " + b"=?utf-8?q?a?= " * 70_000,
            b"To: " + b"," * 1_000_000,
            b"To: " + b"<" * 1_000_000,
            b"Cc: " + b"a." * 500_000,
            b"From: " + b"(" * 1_000_000,
            b"X-Any: \xff" + b"a " * 500_000,
            b"Content-Disposition: attachment" + b";" * 1_000_000,
            b"Content-Type: text/plain" + b"; a=b" * 200_000,
            b'Content-Type: multipart/mixed; boundary="' + b"B" * 1_000_000 + b'"',
        ]
        with patch.object(email.headerregistry.HeaderRegistry, "__call__", measure):
            for bomb in bombs:
                with self.subTest(bomb[:30]):
                    lengths.clear()
                    self.read_mail(bomb + b"\r\n" + HEADER + b"\r\nx")
                    self.assertLessEqual(max(lengths), repair_fields.MAX_PARSED_FIELD)

    def test_of_ten_thousand_recipients_a_thousand_stay(self):
        names = [f'"Doe, John {number}" <u{number}@x.test>' for number in range(10_000)]
        names[9_000] = "ours@acme.test"
        for separator in (", ", ",\r\n\t"):
            raw = b"From: a@x.test\r\nTo: " + separator.join(names).encode() + b"\r\n\r\nbody"
            found = self.read_mail(raw, lambda address: address == "ours@acme.test")
            self.assertEqual(found["body"], "body")
            self.assertIn('"Doe, John 0" <u0@x.test>', found["to"])
            self.assertIn("ours@acme.test", found["to"])
            self.assertEqual(found["to"].count("@"), repair_fields.MAX_RECIPIENTS + 1)
            self.assertEqual(repair(raw).notes, ("number of recipients",))

    def test_long_lists_are_read_like_short_ones(self):
        field = (
            'To: "Doe, J" <a@x.test>, =?utf-8?q?J=C3=BC?= <b@x.test>, T: c@x.test;, Ü <d@x.test>'
        )
        expected = {'"Doe, J" <a@x.test>', '"Jü" <b@x.test>', "c@x.test", '"Ü" <d@x.test>'}
        for padding in ("", "(" + "x" * 5000 + ")"):
            with self.subTest(padding[:3]):
                found = self.read_mail(f"{field}{padding}\r\n\r\nx".encode())["to"]
                self.assertEqual(set(re.findall(r'(?:"[^"]+" )?<?[a-d]@x.test>?', found)), expected)

    def test_a_long_text_is_attached_and_its_beginning_is_shown(self):
        html = b"<p>Two, <b>please</b>.</p>" + b"<p>x</p>" * 20_000
        plain = b"Two, please.\r\n" * 100_000
        for content_type, text, name, expected in [
            (b"text/html", html, "message.html", "Two, please.\nx"),
            (b"text/plain", plain, "message.txt", "Two, please.\r\nTwo"),
        ]:
            for raw in (
                mail(content_type, text),
                mixed(part(content_type, text), part(b"image/png", b"x")),
                mixed(part(content_type, text), content_type=b"multipart/alternative; boundary=B"),
                encoded(b"base64", content_type, base64.encodebytes(text)),
            ):
                with self.subTest(content_type, raw=raw[80:160]):
                    found = self.read_mail(raw)
                    self.assertTrue(found["body"].startswith(expected), found["body"][:20])
                    self.assertTrue(found["body"].endswith("…"))
                    self.assertLess(len(found["body"]), 10_000)
                    self.assertEqual(found["attachments"][0], (name, text))

    def test_an_alternative_that_is_short_is_shown_instead(self):
        short, html = part(b"text/plain", b"hello"), part(b"text/html", b"<p>x</p>" * 20_000)
        raw = mixed(short, html, content_type=b"multipart/alternative; boundary=B")
        found = self.read_mail(raw)
        self.assertEqual(found["body"], "hello")
        self.assertEqual([name for name, _text in found["attachments"]], ["message.html"])

    def test_core_reads_all_texts_again_for_each_one(self):
        texts = [part(b"text/html", b"<p>hello</p>" * 500)] * 40
        found = self.read_mail(mixed(*texts))
        self.assertTrue(found["attachments"])
        self.assertLess(len(found["attachments"]), 40)

    def test_long_texts_that_are_no_trouble_are_shown(self):
        for name, text in [
            ("quoted to the end", b"> hello world\r\n" * 30_000),
            ("log", b"2026-11-20 10:00:00 hello\r\n" * 25_000),
        ]:
            with self.subTest(name):
                found = self.read_mail(mail(b"text/plain", text))
                self.assertEqual(found["attachments"], [])
                self.assertEqual(found["body"].split(), text.decode().split())
        table = b"<table>" + b"<tr><td>hello</td></tr>" * 4_000 + b"</table>"
        self.assertEqual(self.read_mail(mail(b"text/html", table))["attachments"], [])

    def test_nothing_but_malformed_is_raised(self):
        """Pieces of the mails above, put together at random, the same in each run."""
        dice = random.Random(1)
        tokens = [
            b"\0",
            b"\xff",
            b'"',
            b"<",
            b">",
            b"(",
            b"@",
            b";",
            b":",
            b",",
            b"=?utf-8?q?",
            b"?=",
        ]
        tokens += [
            b"\r\n",
            b"\r\n ",
            b"\\",
            b"--B",
            b"--B--",
            b"*=",
            b"%00",
            b"utf-7",
            b"+2AA-",
            b"=",
        ]
        sources = [
            attachment(b'filename="=?utf-8?q?a?="'),
            nested(5),
            mixed(part(b"message/rfc822", base64.encodebytes(FORWARD))),
            encoded(b"base64", b"text/html; charset=utf-8", b"aGVsbG8="),
            HEADER + b"Cc: x: y@x.test;\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n\r\nx",
        ]
        for number in range(500):
            raw = bytearray(dice.choice(sources))
            for _change in range(dice.randrange(1, 8)):
                start = dice.randrange(len(raw))
                raw[start : start + dice.randrange(4)] = dice.choice(tokens)
            with self.subTest(number=number, raw=bytes(raw)):
                try:
                    self.read_mail(bytes(raw))
                except MalformedMail as error:
                    self.assertIsNone(error.__cause__)
