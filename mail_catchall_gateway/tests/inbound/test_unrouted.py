from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestUnrouted(CatchallCommon):
    """Mail to an address of ours that nobody has."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.team_alias = cls._create_team_alias()
        cls.alias_domain = cls.mail_alias_domain
        cls.typo = f"jon.doe@{cls.domain}"

    # ------------------------------------------------------------
    # REVIEW
    # ------------------------------------------------------------

    def test_it_waits_and_says_whom_it_may_have_meant(self):
        for local_part, alias in [
            ("jon.doe", self.john.alias_id),
            ("johndoe", self.john.alias_id),
            ("john.deo", self.john.alias_id),
            ("jhon.deo", self.john.alias_id),
            ("j.doe", self.john.alias_id),
            ("tema", self.team_alias),
            ("jon.doe+invoices", self.john.alias_id),
            ("somebody.else", self.env["mail.alias"]),
        ]:
            with self.subTest(local_part=local_part):
                inbound = self.receive(self.make_mail(f"{local_part}@{self.domain}"))
                self.assertVerdict(inbound, "review", "unrouted")
                self.assertEqual(inbound.suggested_alias_id, alias)
                self.assertIn(local_part, inbound.reason)
                self.assertFalse(self.emails)

    def test_another_domains_alias_is_not_suggested(self):
        inbound = self.receive(self.make_mail(f"jon.doe@{self.mail_alias_domain_c2.name}"))
        self.assertVerdict(inbound, "review", "unrouted")
        self.assertFalse(inbound.suggested_alias_id)
        self.assertEqual(inbound.company_id, self.mail_alias_domain_c2.company_ids[:1])

    def test_mail_of_who_left_is_handled_as_the_domain_says(self):
        self.john.active = False
        inbound = self.receive(self.make_mail(self.john.alias_email))
        self.assertVerdict(inbound, "review", "unrouted")
        self.alias_domain.unrouted_policy = "bounce"
        inbound = self.receive(self.make_mail(self.john.alias_email))
        self.assertVerdict(inbound, "bounced", "unrouted")

    def test_the_typing_error_of_a_user_waits_too(self):
        """What he writes in Odoo comes back under the Message-Id of his message."""
        talk = self.env["mail.catchall.conversation"].with_user(self.jane)
        talk = talk.create({"name": "Bicycles", "email_from": self.typo})
        for to, state, code in [
            ([self.typo], "review", "unrouted"),
            ([self.john.alias_email], "ignored", "duplicate"),
        ]:
            with self.subTest(to=to):
                self.post(talk, self.jane, "Two, please.")
                (sent,) = self.sent_to(self.typo)
                inbound = self.receive(sent.as_bytes(), to)
                self.assertVerdict(inbound, state, code)
                self.assertEqual(bool(inbound.suggested_alias_id), state == "review")
        inbound = inbound.search([("state", "=", "review")])
        with self.mock_mail_gateway():
            verdict = self.env["mail.catchall.review"]._route_to(inbound, self.john.alias_id)
        self.assertEqual(
            (verdict.action, verdict.code), ("delivered", "user_alias"), verdict.reason
        )
        self.assertEqual(len(self.inbox(self.john)), 1, "one click delivers it")

    def test_a_copy_for_a_typing_error_is_not_lost(self):
        """One mail to John and to nobody: the catch-all gets a copy for each."""
        mail = self.make_mail(f"{self.john.alias_email}, {self.typo}")
        inbound = self.receive(mail, [self.john.alias_email])
        self.assertVerdict(inbound, "delivered", "user_alias")
        inbound = self.receive(mail, [self.typo])
        self.assertVerdict(inbound, "review", "unrouted")
        self.assertEqual(inbound.suggested_alias_id, self.john.alias_id)
        inbound = self.receive(mail, [self.typo])
        self.assertVerdict(inbound, "ignored", "duplicate")
        self.assertEqual(len(self.inbox(self.john)), 1)

    def test_what_its_alias_cannot_take_waits(self):
        alias = self.team_alias
        alias.alias_domain_id = self.alias_domain
        self.alias_domain.write({"unrouted_policy": "forward", "unrouted_alias_id": alias.id})
        for values in (
            {"alias_domain_id": self.mail_alias_domain_c2.id},
            {"alias_name": False},
        ):
            with self.subTest(**values):
                alias.write(values)
                inbound = self.receive(self.make_mail(f"somebody.else@{self.domain}"))
                self.assertVerdict(inbound, "review", "unrouted")

    def receive_and_wait(self, mail, recipients):
        """Take a mail in, and what the queue finds then; return all rows of it, in order."""
        self.receive(mail, recipients)
        rows = self.env["mail.catchall.inbound"].search(
            [("message_id", "=", mail["Message-Id"] or "")], order="id"
        )
        for row in rows.filtered(lambda row: row.state == "pending"):
            row.write({"state": "processing"})
            row.env["mail.catchall.queue"]._process_locked(row)
        return rows

    def test_a_typing_error_beside_other_recipients_is_not_lost(self):
        """Whichever copy comes first; and where one copy is for both."""
        for label, order in {
            "the wrong one first": [[self.typo], [self.john.alias_email]],
            "both in one": [[self.john.alias_email, self.typo]],
            "each again": [[self.typo], [self.typo], [self.john.alias_email]],
        }.items():
            for message_id in (f"<{len(order)}@customer.example>", None):
                with self.subTest(label, message_id=message_id):
                    inbox = len(self.inbox(self.john))
                    mail = self.make_mail(f"{self.john.alias_email}, {self.typo}", subject=label)
                    del mail["Message-Id"]
                    if message_id:
                        mail["Message-Id"] = message_id
                        rows = [self.receive_and_wait(mail, copy) for copy in order][-1]
                        self.assertEqual(len(self.inbox(self.john)), inbox + 1)
                    else:
                        mail["Received"] = "from mx.example by mail.acme.example; today"
                        rows = self.receive_and_wait(mail, order[0])
                        rows = rows.filtered(lambda row, label=label: row.name == label)
                    waiting = rows.filtered(lambda row: row.state == "review")
                    self.assertEqual(waiting.mapped("recipients"), [self.typo])
                    self.assertEqual(waiting.suggested_alias_id, self.john.alias_id)

    def test_a_name_of_the_mailbox_itself_is_no_typing_error(self):
        mail = self.make_mail(self.john.alias_email)
        (inbound,) = self.receive_and_wait(mail, [f"mailbox-7@{self.domain}"])
        self.assertVerdict(inbound, "delivered", "user_alias")

    # ------------------------------------------------------------
    # BOUNCE
    # ------------------------------------------------------------

    def test_the_sender_is_told(self):
        self.alias_domain.unrouted_policy = "bounce"
        inbound = self.receive(self.make_mail(self.typo))
        self.assertVerdict(inbound, "bounced", "unrouted")
        (rejection,) = self.sent_to("mary@customer.example")
        text = rejection.get_body().get_content()
        self.assertIn(self.typo, text)
        self.assertNotIn(self.john.alias_email, text, "a list of our people is nobody's business")
        self.assertEqual(rejection["Auto-Submitted"], "auto-generated")
        answer = self.make_mail(
            self.team_alias.alias_full_name,
            in_reply_to=rejection["Message-Id"],
            references=rejection["References"],
        )
        self.assertVerdict(self.receive(answer), "ignored", "loop")

    def test_who_cannot_be_told_is_not(self):
        self.alias_domain.unrouted_policy = "bounce"
        inbound = self.receive(self.make_mail(self.typo, return_path="<>"))
        self.assertVerdict(inbound, "ignored", "unrouted")
        self.assertFalse(self.emails)

    # ------------------------------------------------------------
    # FORWARD
    # ------------------------------------------------------------

    def test_it_is_delivered_to_the_alias_of_the_domain(self):
        self.alias_domain.write(
            {"unrouted_policy": "forward", "unrouted_alias_id": self.jane.alias_id.id}
        )
        inbound = self.receive(self.make_mail(f"whoever@{self.domain}"))
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.conversation_id.user_ids, self.jane)
        for text in (inbound.reason, inbound.mail_message_ids.body):
            self.assertIn(f"whoever@{self.domain}", text)
        (copy,) = self.sent_to(self.jane.email)
        self.assertIn(f"whoever@{self.domain}", copy.get_body(("plain",)).get_content())

    def test_an_answer_to_a_thread_is_not_forwarded(self):
        self.alias_domain.write(
            {"unrouted_policy": "forward", "unrouted_alias_id": self.jane.alias_id.id}
        )
        document = self._create_document()
        sent = document.message_post(body="Hello", message_type="comment")
        mail = self.make_mail(f"whoever@{self.domain}", in_reply_to=sent.message_id)
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "reply")
        self.assertFalse(self.inbox(self.jane))

    def test_the_alias_must_be_there_and_the_domains(self):
        with self.assertRaises(ValidationError):
            self.alias_domain.unrouted_policy = "forward"
        other = self._create_team_alias("other", alias_domain_id=self.mail_alias_domain_c2.id)
        with self.assertRaises(ValidationError):
            self.alias_domain.write({"unrouted_policy": "forward", "unrouted_alias_id": other.id})

    # ------------------------------------------------------------
    # AUTOCORRECT
    # ------------------------------------------------------------

    def test_a_single_typing_error_is_corrected_and_the_message_says_so(self):
        self.alias_domain.unrouted_autocorrect = True
        inbound = self.receive(self.make_mail(self.typo, text="Two & <three>"))
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.conversation_id.user_ids, self.john)
        body = inbound.mail_message_ids.body
        self.assertIn(self.typo, body)
        self.assertIn("Two &amp; &lt;three&gt;", body)

    def test_what_may_mean_two_or_is_far_away_is_not_corrected(self):
        self.alias_domain.unrouted_autocorrect = True
        self._create_user("Jan", "Doe", login="jan")
        self._create_user("Kim", "Poe", login="kim", alias_name="k.poe")
        for local_part in ("jon.doe", "jxhn.dxe", "j.doe", "j.poe", "xohn.doe"):
            with self.subTest(local_part=local_part):
                inbound = self.receive(self.make_mail(f"{local_part}@{self.domain}"))
                self.assertVerdict(inbound, "review", "unrouted")
