import base64
import email.message
import email.policy

from odoo.tests import tagged

from ..common import CatchallCommon

HEAD = "From: Mary <mary@customer.example>\r\nMessage-Id: <{n}@customer.example>\r\n"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestOddMail(CatchallCommon):
    """Mail as it really comes, and worse: there is a verdict in every case."""

    number = 0

    def receive_raw(self, header="", body="Two, please.", to=None, head=HEAD):
        """Receive a mail to John from its header fields and its body."""
        type(self).number += 1
        to = self.john.alias_email if to is None else to
        source = head.format(n=self.number) + (f"To: {to}\r\n" if to else "") + header
        source = source.rstrip("\r\n") + "\r\n\r\n"
        body = body if isinstance(body, bytes) else body.encode()
        return self.receive(source.encode("latin-1") + body)

    def assertDelivered(self, inbound, text):
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertIn(text, inbound.mail_message_ids.body)

    def test_text_is_readable_whatever_the_mail_says_of_it(self):
        utf8, latin1 = "Größe".encode(), "Größe".encode("latin-1")
        for name, header, body, text in [
            ("utf-8", "Content-Type: text/plain; charset=utf-8", utf8, "Größe"),
            ("unknown charset", "Content-Type: text/plain; charset=unknown-8bit", utf8, "Größe"),
            ("no charset of Python's", "Content-Type: text/plain; charset=utf8mb4", utf8, "Größe"),
            ("wrong charset", "Content-Type: text/plain; charset=utf-8", latin1, "Größe"),
            ("no charset", "Content-Type: text/plain", utf8, "Größe"),
            ("NUL", "", b"Two\0, please.", "Two, please."),
            (
                "HTML only",
                "Content-Type: text/html",
                b"<p>Two, <b>please</b>.</p>",
                "<b>please</b>",
            ),
            (
                "flowed",
                "Content-Type: text/plain; format=flowed",
                b"Two, \r\nplease.\r\n",
                "Two,",
            ),
            (
                "unknown transfer encoding",
                "Content-Transfer-Encoding: 9bit",
                b"Two, please.",
                "Two, please.",
            ),
            (
                "broken base64",
                "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64",
                base64.b64encode(b"Two, please, and quick")[:-3],
                "Two, please",
            ),
            (
                "a multipart that has no boundary",
                "Content-Type: multipart/mixed",
                b"Two, please.",
                "Two, please.",
            ),
        ]:
            with self.subTest(name):
                self.assertDelivered(self.receive_raw(header, body), text)

    def test_an_original_that_python_cannot_write_again_is_kept(self):
        """Half-width kana are not in ISO-2022-JP, and senders write them there."""
        server = self._create_mailbox(original=True)
        header = f"To: {self.john.alias_email}\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n"
        raw = (HEAD.format(n="kana") + header).encode() + b"\r\n\x1b(I(\x1b(B bicycles\r\n"
        inbound = self.receive(raw, server=server)
        self.assertDelivered(inbound, "bicycles")
        self.assertEqual(inbound.mail_message_ids.attachment_ids.raw, raw)

    def test_an_empty_mail_is_a_mail(self):
        for body in ("", "\r\n"):
            inbound = self.receive_raw("Subject: Call me", body)
            self.assertVerdict(inbound, "delivered", "user_alias")

    def test_special_parts_are_attachments(self):
        for content_type, name in [
            ("application/ms-tnef", "winmail.dat"),
            ("application/pkcs7-signature", "smime.p7s"),
            ("application/pgp-signature", "signature.asc"),
            ("text/calendar; method=REQUEST", "invite.ics"),
        ]:
            with self.subTest(content_type):
                body = (
                    "--b\r\nContent-Type: text/plain\r\n\r\nTwo, please.\r\n"
                    f"--b\r\nContent-Type: {content_type}\r\n"
                    f'Content-Disposition: attachment; filename="{name}"\r\n\r\nx\r\n--b--\r\n'
                )
                inbound = self.receive_raw('Content-Type: multipart/mixed; boundary="b"', body)
                self.assertDelivered(inbound, "Two, please.")
                self.assertEqual(inbound.mail_message_ids.attachment_ids.mapped("name"), [name])

    def test_senders(self):
        head = "Message-Id: <{n}@customer.example>\r\n"
        for name, header, expected in [
            ("none", "Subject: x", ""),
            ("empty", "From: ", ""),
            ("two", "From: Mary <mary@x.example>\r\nFrom: Bob <bob@x.example>", "mary@x.example"),
            ("no address", "From: Mary", "Mary"),
            ("comments in comments", "From: " + "(" * 100_000 + " <m@x.example>", ""),
            ("a reversed name", "From: =?utf-8?q?=E2=80=AEyraM?= <m@x.example>", "m@x.example"),
        ]:
            with self.subTest(name):
                inbound = self.receive_raw(header, head=head)
                self.assertVerdict(inbound, "delivered", "user_alias")
                self.assertIn(expected, inbound.conversation_id.email_from or "")
                self.assertNotIn("\u202e", inbound.conversation_id.email_from or "")

    def test_answers_whose_message_ids_python_encoded(self):
        question = self.env["res.partner"].create({"name": "Order"}).message_post(body="How many?")
        question.message_id = f"<{'1' * 50}-openerp-1-res.partner@a-host-with-a-long-name.example>"
        answer = email.message.EmailMessage(policy=email.policy.default)  # folds what Odoo does not
        for field in ("In-Reply-To", "References"):
            with self.subTest(field):
                del answer["In-Reply-To"]
                answer[field] = question.message_id
                raw = answer.as_bytes().rstrip().decode()
                self.assertIn("=?utf-8?q?=3C", raw)
                inbound = self.receive_raw(raw, to=self.mail_alias_domain.catchall_email)
                self.assertVerdict(inbound, "delivered", "reply")
                self.assertEqual(inbound.mail_message_ids.res_id, question.res_id)
                self.assertEqual(inbound.answers_to, question.message_id)
                # nobody's but for what it answers
                elsewhere = self.receive_raw(raw, to="list@elsewhere.example")
                self.assertVerdict(elsewhere, "delivered", "reply")
                self.assertEqual(elsewhere.mail_message_ids.res_id, question.res_id)

    def test_a_message_id_with_what_postgresql_refuses(self):
        for field in ("In-Reply-To", "References"):
            raw = f"{field}: =?utf-8?q?=3Ca=00b@x.example=3E?="
            with self.subTest(field):
                self.assertDelivered(self.receive_raw(raw), "Two, please.")
                elsewhere = self.receive_raw(raw, to="list@elsewhere.example")
                self.assertVerdict(elsewhere, "ignored", "foreign_domain")

    def test_recipients(self):
        many = ",\r\n ".join(f"p{n}@customer.example" for n in range(10_000))
        for name, to in [
            ("10,000, and John is the last", f"{many},\r\n {self.john.alias_email}"),
            ("10,000, and John is the first", f"{self.john.alias_email},\r\n {many}"),
        ]:
            with self.subTest(name):
                inbound = self.receive_raw(to=to)
                self.assertDelivered(inbound, "Two, please.")
                self.assertFalse(inbound.conversation_id.email_cc, "nobody answers to all of them")
        inbound = self.receive_raw(to="")
        self.assertVerdict(inbound, "review", "unrouted")

    def test_bombs_have_a_verdict(self):
        words = "=?utf-8?q?a?= " * 70_000
        inbound = self.receive_raw(f"Subject: {words}")
        self.assertVerdict(inbound, "delivered", "user_alias")
        for name, header, body in [
            ("nested 200 deep", *self.nest(200)),
            (
                "10,000 parts",
                'Content-Type: multipart/mixed; boundary="b"',
                "--b\r\n\r\nx\r\n" * 10_000,
            ),
        ]:
            with self.subTest(name):
                inbound = self.receive_raw(header, body)
                self.assertVerdict(inbound, "review", "malformed")
                self.assertTrue(inbound.reason)

    def nest(self, depth):
        body = "Content-Type: text/plain\r\n\r\nTwo, please.\r\n"
        for level in range(depth):
            body = (
                f'Content-Type: multipart/mixed; boundary="b{level}"\r\n\r\n'
                f"--b{level}\r\n{body}\r\n--b{level}--\r\n"
            )
        header, _blank, body = body.partition("\r\n\r\n")
        return header, body

    def test_header_injection(self):
        subject = "=?utf-8?b?" + base64.b64encode(b"Hi\r\nBcc: spy@x.example").decode() + "?="
        inbound = self.receive_raw(f"Subject: {subject}")
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.mail_message_ids.subject, "Hi Bcc: spy@x.example")
        self.assertEqual(len(self.sent_to(self.john.email)), 1)
        conversation = inbound.conversation_id
        self.post(conversation, self.john, "Here you are")
        (sent,) = self.sent_to("mary@customer.example")
        self.assertNotIn("Bcc", sent)
        self.assertFalse(self.sent_to("spy@x.example"))
