import email
import email.generator
import email.message
import email.parser
import email.policy
import io

import lxml.html
from hypothesis import given

from odoo.tests.common import BaseCase

from ....tools.message.header_text import MAX_LENGTH, one_line
from ....tools.message.preview import MAX_OCTETS, block_remote, read_content
from ....tools.message.repair import MalformedMail, repair
from ....tools.message.source import MAX_MESSAGE_ID, header_fields, summarize
from ....tools.reports.delivery_report import read_report
from ....tools.reports.report_text import find_addresses, find_reason
from ....tools.sending.inline_images import embed_images, find_image_links
from ....tools.sending.sendable import MAX_LINE, make_sendable
from ...properties import addresses, anything, checked, fields, is_storable, octets, sources, st
from .test_repair import Core

KINDS = ("failed", "delayed", "delivered", "read", "complaint", "unknown")


class TestSourceProperties(BaseCase):
    @checked
    @given(octets | sources)
    def test_every_mail_can_be_listed(self, raw):
        found = summarize(raw)
        texts = (found.subject, found.email_from, found.email_to, found.email_cc)
        for text in (*texts, found.message_id, *found.answers_to):
            self.assertTrue(is_storable(text), text)
            self.assertEqual(text, " ".join(text.split()))
        self.assertLessEqual(max(map(len, texts)), MAX_LENGTH)
        self.assertLessEqual(len(found.message_id.encode()), MAX_MESSAGE_ID)
        self.assertTrue(not found.date or found.date.tzinfo is None)

    @checked
    @given(fields)
    def test_the_names_of_header_fields_keep_their_order(self, header):
        lines = [f"{name}: {one_line(value)}" for name, value in header]
        found = header_fields("\r\n".join([*lines, "", "X: x"]).encode())
        self.assertEqual([name for name, _value in found], [name for name, _value in header])


class TestRepairProperties(BaseCase):
    @checked
    @given(octets | sources)
    def test_what_is_repaired_can_be_read(self, raw):
        try:
            repaired = repair(raw)
        except MalformedMail:
            return
        found = Core().message_parse(repaired.message, save_original=True)
        for name in ("message_id", "subject", "email_from", "to", "cc", "references", "body"):
            self.assertTrue(is_storable(str(found.get(name) or "")), name)
        for part in repaired.message.walk():
            str(part.items())
            if not part.is_multipart():
                part.get_content()
        again = repair(repaired.message.as_bytes())
        # an address beyond ASCII is written as an encoded word, which is none
        self.assertLessEqual(set(again.notes), {"header fields"})
        self.assertEqual(again.message.get_content_type(), repaired.message.get_content_type())

    @checked
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=80), addresses)
    def test_what_is_sound_stays(self, text, address):
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message["From"], message["To"] = "Mary <mary@x.test>", address
        message.set_content(text)
        repaired = repair(message.as_bytes())
        self.assertEqual(repaired.notes, ())
        parsed = email.message_from_bytes(message.as_bytes(), policy=email.policy.SMTP)
        self.assertEqual(repaired.message.items(), parsed.items())
        self.assertEqual(repaired.message.get_content(), parsed.get_content())


class TestReportProperties(BaseCase):
    @checked
    @given(sources, st.sampled_from(("", "report; report-type=delivery-status", "mixed")))
    def test_every_mail_is_a_report_or_none(self, body, kind):
        head = b"From: MAILER-DAEMON@mx.test\r\nSubject: Undelivered\r\n"
        if kind:
            head += b'Content-Type: multipart/%s; boundary="b"\r\n' % kind.encode()
        for policy in (email.policy.SMTP, email.policy.compat32):
            found = read_report(email.message_from_bytes(head + body, policy=policy))
            if found:
                self.assertIn(found.kind, KINDS)
                self.assertEqual(found.reason, one_line(found.reason))
                for text in (*found.recipients, *found.final_recipients, *found.message_ids):
                    self.assertTrue(is_storable(text))

    @checked
    @given(addresses, st.sampled_from(("failed", "delayed", "delivered")))
    def test_a_report_is_read_as_it_was_written(self, address, action):
        raw = (
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
            "--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            f"Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; {address}\r\n"
            f"Action: {action}\r\n--b--\r\n"
        )
        found = read_report(email.message_from_string(raw, policy=email.policy.SMTP))
        self.assertEqual((found.kind, found.recipients), (action, (address,)))

    @checked
    @given(st.lists(anything), addresses)
    def test_an_address_is_found_in_any_text(self, lines, address):
        self.assertEqual(find_addresses([f"<{address}>", address.upper()]), (address,))
        find_addresses(lines)
        reason = find_reason([*lines, "", f"550 5.1.1 <{address}> is unknown"], [address])
        self.assertEqual(reason, one_line(reason))
        self.assertTrue(reason)


class TestPreviewProperties(BaseCase):
    @checked
    @given(octets | sources)
    def test_a_preview_never_fails(self, raw):
        text, is_html, names = read_content(raw)
        self.assertIsInstance(text, str)
        self.assertIsInstance(is_html, bool)
        self.assertTrue(all(names))

    def test_what_is_not_shown(self):
        large = b"Subject: x\r\n\r\n" + b"x" * MAX_OCTETS
        self.assertEqual(read_content(large), ("", False, []))
        self.assertEqual(block_remote(" "), "")
        html = "<p>a<!-- c --><link href=x>b</p>"
        self.assertEqual(block_remote(html), "<div><p>a<!-- c -->b</p></div>")

    tags = st.sampled_from(("img", "video", "table", "a", "link", "style", "p", "object", "base"))
    names = st.sampled_from(
        ("src", "SRC", "srcset", "background", "poster", "data", "style", "alt")
    )

    @checked
    @given(st.lists(st.tuples(tags, names)), anything)
    def test_a_preview_fetches_nothing(self, elements, text):
        html = "".join(
            f"<{tag} {name}='url(https://spy.test/x)'>x</{tag}>" for tag, name in elements
        )
        text = one_line(text.replace("&", ""))
        found = block_remote(f"<p>{html}</p>{text}")
        for element in lxml.html.fromstring(found or "<p>").iter():
            self.assertNotIn(element.tag, ("img", "link", "style", "base"))
            self.assertLessEqual(set(element.attrib), {"alt", "style"})
            self.assertNotIn("url(", element.get("style", ""))


class TestOutgoingProperties(BaseCase):
    @checked
    @given(
        st.lists(
            st.tuples(st.integers(1, 99), st.sampled_from(("", "https://odoo.test"))), max_size=4
        )
    )
    def test_images_are_embedded(self, links):
        urls = [f"{host}/web/image/{number}?access_token=t{number}" for number, host in links]
        html = "".join(f'<img src="{url}"/>' for url in urls) + "<p>Two</p>"
        found = find_image_links(html)
        self.assertEqual(set(found), set(urls))
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message.set_content(html, subtype="html")
        embed_images(message, {url: ("a.png", "image/png", b"x") for url in found})
        body = message.get_body(("html",)).get_content()
        self.assertEqual(body.count("cid:"), len(urls))
        self.assertNotIn("access_token", body)

    @checked
    @given(octets | sources, st.sampled_from(("rfc822", "delivery-status", "partial")))
    def test_an_attached_mail_can_be_sent(self, octets, subtype):
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message["References"] = " ".join(f"<{number}@{'x' * 150}.test>" for number in range(9))
        message.set_content("x")
        message.add_attachment(octets, "message", subtype, filename="a.eml")
        make_sendable(message)
        sent = io.BytesIO()
        email.generator.BytesGenerator(sent).flatten(message, linesep="\r\n")
        for line in sent.getvalue().split(b"\r\n"):
            self.assertLessEqual(len(line), MAX_LINE)
            self.assertNotRegex(line, rb"[\r\n]")
        received = email.message_from_bytes(sent.getvalue(), policy=email.policy.SMTP)
        self.assertIn("<8@", received["References"])
        (attached,) = received.iter_attachments()
        if attached.get_content_type() == "application/octet-stream":
            self.assertEqual(attached.get_content(), octets)
