import xmlrpc.client

from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestInbound(CatchallCommon):
    """What becomes of a mail: verdicts, and where it arrives."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.team_alias = cls._create_team_alias()
        cls.team = f"team@{cls.domain}"
        cls.mailbox = cls._create_mailbox()

    # ------------------------------------------------------------
    # RECIPIENTS
    # ------------------------------------------------------------

    def test_mail_to_a_messaging_alias_is_a_conversation_in_the_inbox(self):
        inbound = self.receive(self.make_mail(self.john.alias_email))
        self.assertVerdict(inbound, "delivered", "user_alias")
        conversation = inbound.conversation_id
        self.assertEqual(conversation.name, "Bicycles")
        self.assertEqual(conversation.user_ids, self.john)
        self.assertEqual(conversation.email_from, '"Mary Smith" <mary@customer.example>')
        self.assertFalse(conversation.partner_id, "no contact before she is answered")
        self.assertEqual(self.inbox(self.john), inbound.mail_message_ids)
        self.assertIn("Two, please.", self.inbox(self.john).body)
        self.assertFalse(self.inbox(self.jane))

    def test_bcc_to_a_messaging_alias_arrives(self):
        mail = self.make_mail("partners@customer.example")
        mail["X-Original-To"] = self.john.alias_email
        mail["Delivered-To"] = self.mailbox.user
        inbound = self.receive(mail, server=self.mailbox)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.recipients, self.john.alias_email)
        self.assertEqual(inbound.conversation_id.user_ids, self.john)

    def test_delivered_to_the_catchall_is_not_written_to_the_catchall(self):
        """Stock Odoo bounces it: it takes Delivered-To for a recipient."""
        catchall = self.mail_alias_domain.catchall_email
        mail = self.make_mail("undisclosed-recipients:;")
        mail["Delivered-To"] = catchall
        mail["Received"] = f"from x by mx with ESMTP id 1 for <{self.john.alias_email}>; Fri"
        with self.mock_mail_gateway():
            self.env["mail.thread"].message_process(None, mail.as_bytes())
        self.assertEqual(len(self._new_mails), 1, "stock Odoo bounces it")

        inbound = self.receive(mail, server=self.mailbox)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertFalse(self.sent_to("mary@customer.example"))

    def test_mail_really_written_to_the_catchall_keeps_cores_answer(self):
        catchall = self.mail_alias_domain.catchall_email
        mail = self.make_mail(catchall)
        mail["X-Original-To"] = catchall
        inbound = self.receive(mail, server=self.mailbox)
        self.assertVerdict(inbound, "bounced", "unrouted")
        self.assertEqual(len(self.sent_to("mary@customer.example")), 1)

    def test_recipients_given_by_the_caller_win(self):
        mail = self.make_mail("other@customer.example")
        mail["X-Original-To"] = self.jane.alias_email
        inbound = self.receive(mail, [self.john.alias_email])
        self.assertEqual(inbound.conversation_id.user_ids, self.john)

    def test_one_mail_for_two_users_is_one_conversation(self):
        to = f"{self.john.alias_email}, {self.jane.alias_email}"
        inbound = self.receive(self.make_mail(to))
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.conversation_id.user_ids, self.john + self.jane)
        self.assertEqual(len(inbound.mail_message_ids), 1)
        self.assertEqual(self.inbox(self.john), self.inbox(self.jane))

    def test_mail_to_a_team_makes_its_document(self):
        inbound = self.receive(self.make_mail(self.team, subject="New partner"))
        self.assertVerdict(inbound, "delivered", "alias")
        self.assertEqual(inbound.res_model, "res.partner")
        self.assertEqual(self.env["res.partner"].browse(inbound.res_id).name, "New partner")

    def test_the_mailboxs_own_model_is_the_fallback(self):
        self.mailbox.object_id = self.env["ir.model"]._get("res.partner")
        inbound = self.receive(self.make_mail(f"nobody@{self.domain}"), server=self.mailbox)
        self.assertVerdict(inbound, "delivered", "fallback")

    def test_unrouted_mail_waits_for_review(self):
        mail = self.make_mail(f"nobody@{self.domain}")
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "review", "unrouted")
        self.assertEqual(inbound._get_source(), mail.as_bytes())
        self.assertFalse(self.emails, "nobody is told before somebody looked at it")

    # ------------------------------------------------------------
    # TWICE AND ROUND
    # ------------------------------------------------------------

    def test_the_same_mail_twice_is_delivered_once(self):
        mail = self.make_mail(self.john.alias_email)
        self.receive(mail)
        self.assertVerdict(self.receive(mail), "ignored", "duplicate")
        self.assertEqual(len(self.inbox(self.john)), 1)

    def test_two_mails_without_message_id_are_two_mails(self):
        mail = self.make_mail(self.john.alias_email)
        del mail["Message-Id"]
        for _time in range(2):
            self.assertVerdict(self.receive(mail), "delivered", "user_alias")
        self.assertEqual(len(self.inbox(self.john)), 2)

    def test_an_answer_to_our_rejection_is_ignored(self):
        mail = self.make_mail(
            self.john.alias_email, references="<1.2-openerp-loop-detection-bounce-email@host>"
        )
        self.assertVerdict(self.receive(mail), "ignored", "loop")

    def test_our_own_mail_that_comes_back_is_ignored(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        message = self.post(conversation, self.john, "Here you are")
        mail = self.make_mail(self.jane.alias_email, message_id=message.message_id)
        self.assertVerdict(self.receive(mail), "ignored", "duplicate")

    # ------------------------------------------------------------
    # REJECTIONS AND REPORTS
    # ------------------------------------------------------------

    def test_an_alias_that_does_not_take_everybodys_mail_rejects(self):
        self.team_alias.alias_contact = "partners"
        inbound = self.receive(self.make_mail(self.team))
        self.assertVerdict(inbound, "bounced", "sender_rejected")
        self.assertIn(self.team, inbound.reason)
        self.assertEqual(len(self.sent_to("mary@customer.example")), 1)

    def test_a_bounce_report_makes_no_document(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        message = self.post(conversation, self.john, "Here you are")
        (sent,) = self.sent_to("mary@customer.example")
        bounce = self.make_bounce(sent, "mary@customer.example")
        inbound = self.receive(bounce)
        self.assertVerdict(inbound, "delivered", "bounce_report")
        self.assertFalse(inbound.mail_message_ids)
        notification = message.notification_ids
        self.assertEqual(notification.res_partner_id.email, "mary@customer.example")
        self.assertEqual(notification.notification_status, "bounce")

    # ------------------------------------------------------------
    # ERRORS
    # ------------------------------------------------------------

    @mute_logger("odoo.addons.mail.models.mail_thread")
    def test_a_misconfigured_alias_is_our_affair_and_not_the_senders(self):
        self.team_alias.alias_defaults = "{'no_such_field': 1}"
        inbound = self.env["mail.catchall.inbound"]._store(
            [(self.make_mail(self.team).as_bytes(), {"state": "processing"})]
        )
        env = self.enter_committing()
        with self.mock_mail_gateway(), self.assertRaises(ValueError):
            env["mail.catchall.gateway"]._process(inbound.with_env(env))
        self.assertFalse(self._new_mails)

    @mute_logger("odoo.addons.mail.models.mail_thread")
    def test_an_alias_that_core_cannot_follow_is_an_error_and_no_unknown_address(self):
        self.mail_alias_domain.unrouted_policy = "bounce"
        self.team_alias.alias_model_id = self.env["ir.model"]._get_id("res.country")
        inbound = self.env["mail.catchall.inbound"]._store(
            [(self.make_mail(self.team).as_bytes(), {"state": "processing"})]
        )
        env = self.enter_committing()
        with self.mock_mail_gateway(), self.assertRaises(ValueError):
            env["mail.catchall.gateway"]._process(inbound.with_env(env))
        self.assertFalse(self._new_mails)

    # ------------------------------------------------------------
    # THE DOOR
    # ------------------------------------------------------------

    def test_sources_may_be_kept_in_the_database(self):
        """As all files, where somebody set Odoo so."""
        self.env["ir.config_parameter"].set_param("ir_attachment.location", "db")
        mail = self.make_mail(self.john.alias_email)
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "user_alias")
        source = inbound._get_source_attachments()
        self.assertTrue(source.db_datas)
        self.assertFalse(source.store_fname)
        self.assertEqual(inbound._with_source_files()._get_source(), mail.as_bytes())

    def test_receive_takes_what_remote_calls_can_send(self):
        source = self.make_mail("x@y.test").as_bytes()
        model = self.env["mail.catchall.inbound"]
        for raw in (source, source.decode(), xmlrpc.client.Binary(source)):
            with self.subTest(type=type(raw)):
                inbound = model.browse(model.receive(raw, [self.john.alias_email]))
                self.assertEqual(inbound._get_source(), source)
                self.assertEqual(inbound.state, "pending")
                self.assertEqual(inbound.size, len(source))
                self.assertEqual(inbound.envelope_to, self.john.alias_email)

    def test_nobody_puts_mail_in_or_reads_sources_by_remote_calls(self):
        inbound = self.receive(self.make_mail(self.john.alias_email))
        for user in (self.john, self.user_admin, self._create_portal_user()):
            with self.subTest(user=user.login):
                with self.assertRaises(AccessError):
                    inbound.with_user(user).receive(b"From: x", ["y@z.test"])
                with self.assertRaises(AccessError):
                    inbound.with_user(user).read(["raw"])
        with self.assertRaises(AccessError):
            inbound.with_user(self.john).read(["name"])
        self.assertEqual(inbound.with_user(self.user_admin).read(["name"])[0]["name"], "Bicycles")

    def test_nobody_reads_a_source_as_an_attachment(self):
        inbound = self.receive(self.make_mail(self.john.alias_email))
        source = self.env["ir.attachment"].search(
            [
                ("res_model", "=", inbound._name),
                ("res_field", "=", "raw"),
                ("res_id", "=", inbound.id),
            ]
        )
        self.assertTrue(source)
        for user in (self.john, self.user_admin):
            source = source.with_user(user)
            with self.subTest(user=user.login):
                self.assertFalse(source.search([("id", "=", source.id)]))
                with self.assertRaises(AccessError):
                    source.read(["datas"])
                with self.assertRaises(AccessError):  # /web/content
                    source.validate_access(None).read(["raw"])
                with self.assertRaises(AccessError):  # forwarded as an attachment
                    user.partner_id.with_user(user).message_post(
                        body="x", attachment_ids=source.ids
                    )
