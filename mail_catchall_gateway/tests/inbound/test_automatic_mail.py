from odoo.tests import tagged

from ..common import CatchallCommon

AUTO_REPLY = {"auto_submitted": "auto-replied", "subject": "I am away"}


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestAutomaticMail(CatchallCommon):
    """Machines that answer, machines that write, and who is told that he is rejected."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.team_alias = cls._create_team_alias()
        cls.team = f"team@{cls.domain}"
        cls.bounce = cls.mail_alias_domain.bounce_email
        cls.catchall = cls.mail_alias_domain.catchall_email

    # ------------------------------------------------------------
    # ANSWERED BY A MACHINE
    # ------------------------------------------------------------

    def test_a_vacation_reply_opens_nothing(self):
        for to in (self.john.alias_email, self.team, f"nobody@{self.domain}"):
            with self.subTest(to=to):
                inbound = self.receive(self.make_mail(to, **AUTO_REPLY))
                self.assertVerdict(inbound, "ignored", "auto_reply")
                self.assertIn("auto-replied", inbound.reason)
                self.assertFalse(self.emails)
        self.assertFalse(self.inbox(self.john))

    def test_on_its_thread_it_is_a_note_that_goes_nowhere(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        message = self.post(conversation, self.john, "Here you are")
        for to in (self.john.alias_email, self.bounce):
            with self.subTest("RFC 3834 wants it at the Return-Path", to=to):
                mail = self.make_mail(to, in_reply_to=message.message_id, **AUTO_REPLY)
                inbound = self.receive(mail)
                self.assertVerdict(inbound, "delivered", "auto_reply")
                note = inbound.mail_message_ids
                self.assertEqual(note.subtype_id, self.env.ref("mail.mt_note"))
                self.assertEqual((note.model, note.res_id), (conversation._name, conversation.id))
                self.assertIn(note, self.inbox(self.john), "who wrote is told that she is away")
                self.assertFalse(self.sent_to("mary@customer.example"))
        self.assertFalse(conversation.is_unanswered, "nobody answered")

    def test_on_a_document_no_outsider_is_told(self):
        document = self._create_document()
        follower = self._create_document("Follower", email="follower@elsewhere.example")
        document.message_subscribe(follower.ids)
        mary = self._create_document("Mary", email="mary@customer.example")
        sent = document.message_post(
            body="Hello", message_type="email", author_id=mary.id, email_from=self.customer
        )
        mail = self.make_mail(
            self.catchall,
            sender="Follower <follower@elsewhere.example>",
            in_reply_to=sent.message_id,
        )
        mail["Auto-Submitted"] = "auto-replied (vacation)"
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "auto_reply")
        self.assertEqual(inbound.mail_message_ids.res_id, document.id)
        self.assertFalse(self.emails)

    def test_on_a_document_that_a_user_may_not_read_he_is_told_nothing(self):
        document = self._create_document()
        self._hide_document(document)
        sent = document.message_post(body="Hello", message_type="comment")
        mail = self.make_mail(self.john.alias_email, in_reply_to=sent.message_id, **AUTO_REPLY)
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "auto_reply")
        self.assertEqual(inbound.mail_message_ids.mapped("model"), ["res.partner"])
        self.assertFalse(self.inbox(self.john))

    def test_about_a_document_that_is_gone_it_opens_nothing(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        sent = self.post(conversation, self.john, "Here you are")
        # as by an SQL cascade: deleting it takes its messages along
        sent.res_id = self.env["mail.catchall.conversation"].search([], limit=1).id + 1000
        mail = self.make_mail(self.team, in_reply_to=sent.message_id, **AUTO_REPLY)
        self.assertVerdict(self.receive(mail), "ignored", "auto_reply")

    def test_johns_own_vacation_reply_does_not_go_out_as_his_answer(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        (copy,) = self.sent_to(self.john.email)
        mail = self.make_mail(
            copy["Reply-To"], sender=self.john.email, in_reply_to=copy["Message-Id"], **AUTO_REPLY
        )
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "auto_reply")
        self.assertEqual(inbound.mail_message_ids.res_id, conversation.id)
        self.assertFalse(self.emails)
        self.assertTrue(conversation.is_unanswered)

    def test_it_does_not_reopen_what_was_archived(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        message = self.post(conversation, self.john, "Here you are")
        conversation.active = False
        self.receive(
            self.make_mail(self.john.alias_email, in_reply_to=message.message_id, **AUTO_REPLY)
        )
        self.assertFalse(conversation.active)

    # ------------------------------------------------------------
    # MADE BY A MACHINE
    # ------------------------------------------------------------

    def test_invoices_orders_and_lists_are_delivered(self):
        for name, value in [
            ("auto_submitted", "auto-generated"),
            ("precedence", "bulk"),
            ("list_id", "<news.shop.example>"),
        ]:
            with self.subTest(name):
                mail = self.make_mail(self.john.alias_email, **{name: value})
                inbound = self.receive(mail)
                self.assertVerdict(inbound, "delivered", "user_alias")
                mail = self.make_mail(self.team, subject=name, **{name: value})
                self.assertVerdict(self.receive(mail), "delivered", "alias")

    def test_no_machine_is_told_that_it_is_rejected(self):
        self.team_alias.alias_contact = "partners"
        for name, value in [
            ("auto_submitted", "auto-generated"),
            ("precedence", "list"),
            ("return_path", "<>"),
            ("x_auto_response_suppress", "All"),
        ]:
            for to in (self.team, self.catchall):
                with self.subTest(name, to=to):
                    mail = self.make_mail(to, sender=f"x@{name}.example", **{name: value})
                    inbound = self.receive(mail)
                    self.assertEqual(inbound.state, "bounced")
                    self.assertIn("no sender who can be told", inbound.reason)
                    self.assertFalse(self.emails)

    # ------------------------------------------------------------
    # OUR OWN
    # ------------------------------------------------------------

    def test_what_the_gateway_wrote_itself_is_ignored(self):
        self.receive(self.make_mail(self.catchall))
        (rejection,) = self.sent_to("mary@customer.example")
        self.assertEqual(rejection["Auto-Submitted"], "auto-generated")
        self.assertEqual(rejection["X-Auto-Response-Suppress"], "All")
        mail = self.make_mail(self.john.alias_email, sender="mary@customer.example", subject="Fwd")
        mail["X-Catchall-Loop"] = rejection["X-Catchall-Loop"]
        self.assertVerdict(self.receive(mail), "ignored", "loop")
        mail = self.make_mail(self.john.alias_email, x_catchall_loop="another Odoo's")
        self.assertVerdict(self.receive(mail), "delivered", "user_alias")

    def test_mail_from_an_address_that_is_no_persons_is_ignored(self):
        notifications = self.mail_alias_domain.default_from_email
        for sender in (self.catchall, self.bounce, notifications, self.team):
            with self.subTest(sender=sender):
                inbound = self.receive(self.make_mail(self.john.alias_email, sender=sender))
                self.assertVerdict(inbound, "ignored", "loop")
                self.assertIn(sender, inbound.reason)

    def test_mail_from_a_messaging_alias_is_its_users(self):
        inbound = self.receive(self.make_mail(self.john.alias_email, sender=self.jane.alias_email))
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.mail_message_ids.author_id, self.jane.partner_id)

    # ------------------------------------------------------------
    # LOOPS
    # ------------------------------------------------------------

    def test_too_many_mails_are_a_loop_in_conversations_too(self):
        self.env["ir.config_parameter"].set_param("mail.gateway.loop.threshold", 3)
        for number in range(5):
            inbound = self.receive(self.make_mail(self.john.alias_email))
            if number < 3:
                self.assertVerdict(inbound, "delivered", "user_alias")
            else:
                self.assertVerdict(inbound, "ignored", "loop")
                self.assertEqual(len(self.sent_to("mary@customer.example")), number == 3)
        self.assertIn("today already", inbound.reason)

    def test_allowed_senders_may_write_a_lot(self):
        self.env["ir.config_parameter"].set_param("mail.gateway.loop.threshold", 1)
        self.env["mail.gateway.allowed"].create({"email": self.customer})
        for _number in range(3):
            inbound = self.receive(self.make_mail(self.john.alias_email))
            self.assertVerdict(inbound, "delivered", "user_alias")

    # ------------------------------------------------------------
    # REJECTIONS
    # ------------------------------------------------------------

    def test_a_sender_is_told_once_a_day_for_each_reason(self):
        self.team_alias.alias_contact = "partners"
        for to, count, told in [
            (self.team, 1, "was told so."),
            (self.team, 0, "told so today already"),
            (self.catchall, 1, "was told so."),
            (self.catchall, 0, "told so today already"),
        ]:
            with self.subTest(to=to, count=count):
                inbound = self.receive(self.make_mail(to))
                self.assertEqual(inbound.state, "bounced")
                self.assertEqual(len(self.sent_to("mary@customer.example")), count)
                self.assertIn(told, inbound.reason)
        inbound = self.receive(self.make_mail(self.team, sender="other@customer.example"))
        self.assertEqual(len(self.sent_to("other@customer.example")), 1)

    def test_two_servers_that_name_the_sender_are_one_sender(self):
        mail = self.make_mail(self.catchall)
        raw = b"Return-Path: <mary@customer.example>\r\n" * 2 + mail.as_bytes()
        inbound = self.receive(raw)
        self.assertVerdict(inbound, "bounced", "unrouted")
        self.assertEqual(len(self.sent_to("mary@customer.example")), 1)
        self.assertEqual(inbound.rejection_email, "mary@customer.example")

    def test_a_rejection_waits_in_the_queue(self):
        """Sent within the transaction, it would be sent again when that is repeated."""
        with self.mock_mail_gateway():
            inbound = self.env["mail.catchall.inbound"]._store(
                [(self.make_mail(self.catchall).as_bytes(), {"state": "processing"})]
            )
            inbound.env["mail.catchall.queue"]._process_locked(inbound)
            self.assertFalse(self.emails)
            self.assertEqual(self._new_mails.state, "outgoing")
