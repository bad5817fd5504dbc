from odoo.exceptions import AccessError
from odoo.tests import Form, tagged

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestAttach(CatchallCommon):
    """A conversation that belongs to a document."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = cls._create_document("Quotation")
        cls.john.groups_id += cls.env.ref("base.group_partner_manager")

    def start(self):
        mail = self.make_mail(self.john.alias_email)
        mail.add_attachment(b"the plan", "application", "octet-stream", filename="plan.bin")
        conversation = self.receive(mail).conversation_id
        self.post(conversation, self.john, "I will look at it")
        conversation.with_user(self.john).message_post(body="A note")
        return conversation

    def attach(self, conversation, document=None, user=None, **values):
        document = document or self.document
        wizard = self.env["mail.catchall.attach"].with_user(user or self.john)
        action = conversation.with_user(user or self.john).action_attach()
        with Form(wizard.with_context(**action["context"])) as form:
            form.document = f"{document._name},{document.id}"
            for fname, value in values.items():
                setattr(form, fname, value)
        return form.save().action_apply()

    def test_all_messages_move_with_their_attachments(self):
        conversation = self.start()
        messages = conversation.message_ids
        subtypes = messages.mapped("subtype_id")
        action = self.attach(conversation)
        self.assertEqual((action["res_model"], action["res_id"]), ("res.partner", self.document.id))
        self.assertEqual(set(messages.mapped("model")), {"res.partner"})
        self.assertEqual(set(messages.mapped("res_id")), {self.document.id})
        self.assertEqual(messages.mapped("subtype_id"), subtypes, "a note is still a note")
        self.assertTrue(messages <= self.document.message_ids)
        attachment = messages.attachment_ids
        self.assertEqual(attachment.with_user(self.jane).raw, b"the plan")
        messages.with_user(self.jane).read(["body"])

    def test_the_conversation_is_archived_with_a_link(self):
        conversation = self.start()
        self.attach(conversation)
        self.assertFalse(conversation.active)
        mine = conversation.with_user(self.john)
        self.assertEqual(mine.attached_name, "Quotation")
        action = mine.action_open_document()
        self.assertEqual((action["res_model"], action["res_id"]), ("res.partner", self.document.id))
        with self.assertRaises(AccessError):
            conversation.with_user(self.jane).read(["attached_name"])

    def test_later_answers_follow_to_the_document(self):
        conversation = self.start()
        answered = conversation.message_ids.filtered(lambda m: "look at it" in m.body)
        self.attach(conversation)
        inbound = self.receive(
            self.make_mail(self.john.alias_email, in_reply_to=answered.message_id, text="And?")
        )
        message = inbound.mail_message_ids
        self.assertEqual((message.model, message.res_id), ("res.partner", self.document.id))
        self.assertIn(message, self.inbox(self.john))
        self.assertFalse(conversation.active)

    def test_correspondents_follow_if_the_user_says_so(self):
        self.attach(self.start())
        self.assertNotIn("mary@customer.example", self.document.message_partner_ids.mapped("email"))
        other = self._create_document("Another")
        self.attach(self.start(), other, subscribe=True)
        self.assertIn("mary@customer.example", other.message_partner_ids.mapped("email"))

    def test_only_to_documents_that_the_user_may_write_to(self):
        conversation = self.start()
        self.john.groups_id -= self.env.ref("base.group_partner_manager")
        wizard = self.env["mail.catchall.attach"].with_user(self.john)
        self.assertNotIn("res.partner", dict(wizard._selection_document()))
        with self.assertRaises(AccessError):
            conversation.with_user(self.john)._attach_to(self.document.with_user(self.john))
        self.assertTrue(conversation.active)

    def test_only_by_its_members(self):
        conversation = self.start()
        self.jane.groups_id += self.env.ref("base.group_partner_manager")
        for user in (self.jane, self.user_admin):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.attach(conversation, user=user)

    def test_what_was_used_last_comes_first(self):
        wizard = self.env["mail.catchall.attach"].with_user(self.john)
        names = [name for name, _label in wizard._selection_document()]
        self.assertIn("res.partner", names)
        self.assertNotIn("mail.catchall.conversation", names)
        self.attach(self.start())
        self.assertEqual(wizard._selection_document()[0][0], "res.partner")

    def test_a_mistake_is_taken_back(self):
        own = self.document.message_ids
        conversation = self.start()
        messages = conversation.message_ids
        self.attach(conversation)
        late = self.document.message_post(body="Said on the document")
        conversation.with_user(self.john).action_detach()
        self.assertTrue(conversation.active)
        self.assertFalse(conversation.attached_name)
        self.assertEqual(set(messages.mapped("res_id")), {conversation.id})
        self.assertTrue(own | late <= self.document.message_ids)
        self.assertFalse(messages & self.document.message_ids)
        with self.assertRaises(AccessError):
            messages.attachment_ids.with_user(self.jane).read(["raw"])
        with self.assertRaises(AccessError):
            messages.with_user(self.jane).read(["body"])
        question = messages.filtered(lambda m: m.message_type == "email")
        inbound = self.receive(
            self.make_mail(self.john.alias_email, in_reply_to=question.message_id)
        )
        self.assertEqual(inbound.conversation_id, conversation)
