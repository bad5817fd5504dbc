from odoo.tests import Form, tagged

from .common import ConversationCommon

FORM = "Web form <noreply@web.example>"
CARL = "carl@visitor.example"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestReplyTo(ConversationCommon):
    """Answers go where who wrote wants them, and never to ourselves."""

    def ask(self, reply_to=f"Carl <{CARL}>", sender=FORM, **headers):
        """Return the conversation that a mail with this Reply-To begins."""
        return self.converse(sender=sender, reply_to=reply_to, **headers)

    def test_the_answer_to_a_contact_form_goes_to_who_filled_it(self):
        conversation = self.ask()
        self.assertEqual(conversation.email_from, '"Web form" <noreply@web.example>')
        (suggested,) = conversation._message_get_suggested_recipients()[conversation.id]
        self.assertIn(CARL, str(suggested))
        self.post(conversation, self.john, "They leave today.")
        (sent,) = self.sent_to(CARL)
        self.assertFrom(sent, self.john)
        self.assertFalse(self.sent_to("noreply@web.example"))
        self.assertEqual(conversation.partner_id.name, "Carl")
        self.assertFalse(self.env["res.partner"].search([("email", "ilike", "noreply@web")]))
        self.post(conversation, self.john, "They left.")
        self.assertTrue(self.sent_to(CARL))

    def test_the_form_may_be_a_contact(self):
        contact = self.env["res.partner"].create({"name": "Form", "email": "noreply@web.example"})
        conversation = self.ask()
        self.assertEqual(conversation.partner_id, contact)
        for text in ("They leave today.", "They left."):
            self.post(conversation, self.john, text)
            self.assertTrue(self.sent_to(CARL))
            self.assertFalse(self.sent_to("noreply@web.example"))

    def test_from_the_own_mailbox(self):
        self.answer_from_mailbox(self.ask())
        self.assertTrue(self.sent_to(CARL))
        self.assertFalse(self.sent_to("noreply@web.example"))

    def test_who_was_written_to_directly_has_the_answer(self):
        conversation = self.ask()
        self.answer_from_mailbox(conversation, to=CARL, cc=self.john.alias_email)
        self.assertFalse(conversation.is_unanswered)
        self.assertFalse(self.emails)

    def test_several_in_one_mail(self):
        conversation = self.ask(f"{CARL}, Bob <bob@visitor.example>")
        self.post(conversation, self.john, "They leave today.")
        (sent,) = self.sent_to(CARL)
        self.assertEqual(self.sent_to("bob@visitor.example")[0]["Message-Id"], sent["Message-Id"])

    def test_what_is_no_other_address_counts_for_nothing(self):
        many = ", ".join(f"{number}@visitor.example" for number in range(51))
        for reply_to in (
            "Mary <Mary@Customer.example>",
            self.john.alias_email,
            self.jane.alias_email,
            "jane@home.example",
            self.mail_alias_domain.catchall_email,
            "nobody",
            many,
        ):
            with self.subTest(reply_to=reply_to):
                conversation = self.ask(reply_to, self.customer)
                self.assertFalse(conversation.email_reply_to)
                self.post(conversation, self.john, "They leave today.")
                self.assertTrue(self.sent_to("mary@customer.example"))

    def test_the_next_mail_says_anew(self):
        conversation = self.ask()
        message = conversation.message_ids
        mail = self.make_mail(self.john.alias_email, in_reply_to=message.message_id)
        self.assertEqual(self.receive(mail).conversation_id, conversation)
        self.assertFalse(conversation.email_reply_to)
        self.post(conversation, self.john, "They leave today.")
        self.assertTrue(self.sent_to("mary@customer.example"))

    def test_a_user_may_choose_another_correspondent(self):
        conversation = self.ask().with_user(self.john)
        with Form(conversation) as form:
            self.assertIn(CARL, form.email_reply_to)
            form.email_from = "bob@visitor.example"
            self.assertFalse(form.email_reply_to)
        self.post(conversation, self.john, "They leave today.")
        self.assertTrue(self.sent_to("bob@visitor.example"))
        self.assertFalse(self.sent_to(CARL))
