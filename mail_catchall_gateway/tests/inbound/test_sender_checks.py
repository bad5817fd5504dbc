from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..common import CatchallCommon

SERVER = "mx.acme.example"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSenderChecks(CatchallCommon):
    """Who wrote it: forged senders, spam marks, blocked senders; and mails that are too large."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mailbox = cls._create_mailbox(trusted_authserv_id=SERVER)
        cls.document = cls._create_document()

    def receive_from(self, sender, results="", **headers):
        """Receive a mail that the mail server wrote its check results on."""
        mail = self.make_mail(self.jane.alias_email, sender=sender, **headers)
        if results:
            mail["Authentication-Results"] = f"{SERVER}; {results}"
        return self.receive(mail, server=self.mailbox)

    # ------------------------------------------------------------
    # AUTHENTICATION
    # ------------------------------------------------------------

    def test_a_forged_colleague_waits_for_review(self):
        own_domain = f"ceo@{self.domain}"
        for sender in (self.john.email, self.john.alias_email, own_domain):
            with self.subTest(sender=sender):
                inbound = self.receive_from(sender, f"dmarc=fail header.from={sender[-5:]}")
                self.assertVerdict(inbound, "review", "sender_rejected")
                self.assertIn(sender, inbound.reason)
                self.assertFalse(self.emails)

    def test_a_forged_answer_is_not_posted_as_the_users(self):
        sent = self.document.message_post(body="Hello", message_type="comment")
        inbound = self.receive_from(
            self.john.email, "spf=fail smtp.mailfrom=home.example", in_reply_to=sent.message_id
        )
        self.assertVerdict(inbound, "review", "sender_rejected")
        self.assertNotIn(self.john.partner_id, self.document.message_ids.author_id)

    def test_a_colleague_who_is_confirmed_is_a_colleague(self):
        inbound = self.receive_from(self.john.email, "dkim=pass header.d=home.example")
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.mail_message_ids.author_id, self.john.partner_id)

    def test_without_a_result_the_policy_decides(self):
        for policy, state in [("off", "delivered"), ("review", "delivered"), ("reject", "ignored")]:
            self.mail_alias_domain.authentication_policy = policy
            with self.subTest(policy=policy):
                self.assertEqual(self.receive_from(self.john.email).state, state)

    def test_a_forgery_is_handled_as_the_policy_says(self):
        for policy, state in [("off", "delivered"), ("review", "review"), ("reject", "ignored")]:
            self.mail_alias_domain.authentication_policy = policy
            with self.subTest(policy=policy):
                inbound = self.receive_from(self.john.email, "dmarc=fail header.from=home.example")
                self.assertEqual(inbound.state, state)

    def test_what_another_server_says_does_not_count(self):
        self.mail_alias_domain.authentication_policy = "reject"
        mail = self.make_mail(self.jane.alias_email, sender=self.john.email)
        mail["Authentication-Results"] = "mx.evil.example; dmarc=pass header.from=home.example"
        self.assertVerdict(self.receive(mail, server=self.mailbox), "ignored", "sender_rejected")

    def test_outsiders_are_believed(self):
        inbound = self.receive_from(self.customer, "dmarc=fail header.from=customer.example")
        self.assertVerdict(inbound, "delivered", "user_alias")

    def test_a_mailbox_that_knows_no_server_believes_all(self):
        self.mailbox.trusted_authserv_id = False
        inbound = self.receive_from(self.john.email, "dmarc=fail header.from=home.example")
        self.assertVerdict(inbound, "delivered", "user_alias")

    def test_a_name_that_decodes_to_an_address_is_a_name(self):
        """Core decodes the whole field first, and then looks for addresses."""
        name = self.john.email.replace("@", "=40")
        forged = f"=?utf-8?q?{name}=2C?= <evil@evil.example>".encode()
        mail = self.make_mail(self.jane.alias_email, sender="SENDER <x@x.example>").as_bytes()
        mail = mail.replace(b"SENDER <x@x.example>", forged)
        mail = (
            b"Authentication-Results: mx.acme.example; spf=pass smtp.mailfrom=evil.example\r\n"
            + mail
        )
        inbound = self.receive(mail, server=self.mailbox)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertFalse(inbound.mail_message_ids.author_id)
        self.assertIn("evil@evil.example", inbound.mail_message_ids.email_from)
        self.env["mail.catchall.inbound"].browse(inbound.id).state = "review"
        inbound.action_block_sender()
        self.assertEqual(self.env["mail.catchall.blocked"].search([]).email, "evil@evil.example")

    # ------------------------------------------------------------
    # SPAM
    # ------------------------------------------------------------

    def test_marked_spam_waits_if_the_settings_say_so(self):
        for setting, state in [(False, "delivered"), ("True", "review")]:
            self.env["ir.config_parameter"].set_param("mail_catchall_gateway.review_spam", setting)
            with self.subTest(setting=setting):
                self.assertEqual(self.receive_from(self.customer, x_spam_flag="YES").state, state)
        self.assertEqual(self.receive_from(self.customer, x_spam_flag="NO").state, "delivered")

    def test_allowed_senders_may_look_like_spam(self):
        self.env["ir.config_parameter"].set_param("mail_catchall_gateway.review_spam", "True")
        self.env["mail.gateway.allowed"].create({"email": self.customer})
        self.assertEqual(self.receive_from(self.customer, x_spam_flag="YES").state, "delivered")

    # ------------------------------------------------------------
    # BLOCKED
    # ------------------------------------------------------------

    def test_mail_of_blocked_senders_and_domains_is_ignored(self):
        blocked = self.env["mail.catchall.blocked"]
        for email in ("Mary@Customer.example", "@customer.example", "*@customer.example"):
            entry = blocked.create({"email": email})
            with self.subTest(email=email):
                inbound = self.receive_from(self.customer)
                self.assertVerdict(inbound, "ignored", "sender_rejected")
                self.assertIn(self.env.user.name, inbound.reason)
                inbound = self.receive_from("mary@other.customer.example")
                self.assertVerdict(inbound, "delivered", "user_alias")
            entry.unlink()

    def test_what_is_no_sender_cannot_be_blocked(self):
        for email in ("customer", "mary@", "@", "*", "*.example", "mary@customer", self.domain):
            with self.subTest(email=email), self.assertRaises(ValidationError):
                self.env["mail.catchall.blocked"].create({"email": email})

    # ------------------------------------------------------------
    # SIZE
    # ------------------------------------------------------------

    def test_a_mail_that_is_too_large_waits_for_review(self):
        self.mailbox.max_message_size = 1
        inbound = self.receive_from(self.customer, text="x" * 70 * 16_000)
        self.assertVerdict(inbound, "review", "too_large")
        self.assertIn("1 MB", inbound.reason)
        inbound = self.receive_from(self.customer, text="x" * 70 * 10_000)
        self.assertVerdict(inbound, "delivered", "user_alias")

    def test_the_steps_are_noted(self):
        inbound = self.receive_from(self.customer)
        self.assertIn("duplicate, too large, own mail, blocked sender", inbound.steps_passed)
        self.env["mail.catchall.blocked"].create({"email": self.customer.split("<")[1][:-1]})
        inbound = self.receive_from(self.customer)
        self.assertTrue(inbound.steps_passed.endswith("duplicate, too large, own mail"))
