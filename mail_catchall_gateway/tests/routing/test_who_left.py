"""Conversations that go on after one of their members left the company."""

from odoo.tests import tagged

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestWhoLeft(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.max = cls._create_user("Max", "Power")
        cls.home = cls.john.email
        cls.address = cls.john.alias_email

    def start(self, *users):
        """Return the conversation that the customer begins with users."""
        to = ", ".join(user.alias_email for user in users)
        return self.receive(self.make_mail(to)).conversation_id

    def answer(self, message, to):
        return self.receive(self.make_mail(to, in_reply_to=message.message_id))

    def leave(self, user, is_deleted=False):
        user.active = False
        if is_deleted:
            user.unlink()

    # ------------------------------------------------------------
    # WHO STAYED
    # ------------------------------------------------------------

    def test_an_answer_goes_to_the_customer_and_does_not_show_who_left(self):
        for is_deleted in (False, True):
            with self.subTest(is_deleted=is_deleted):
                conversation = self.start(self.john, self.jane)
                self.leave(self.john, is_deleted)
                # as from a list that shows archived conversations too
                shown = conversation.with_context(active_test=False)
                self.post(shown, self.jane, "We go on")
                (sent,) = self.sent_to("mary@customer.example")
                self.assertFalse(sent["Cc"])
                self.assertNotIn(self.home, sent.as_string())
                self.assertFalse(self.sent_to(self.home))

    def test_who_left_gets_nothing_that_comes(self):
        conversation = self.start(self.john, self.jane)
        message = self.post(conversation, self.jane, "Hello")
        self.leave(self.john)
        inbound = self.answer(message, self.jane.alias_email)
        self.assertVerdict(inbound, "delivered", "reply")
        self.assertTrue(self.sent_to(self.jane.email))
        self.assertFalse(self.sent_to(self.home))
        self.john.active = True
        self.answer(message, self.jane.alias_email)
        self.assertTrue(self.sent_to(self.home), "he is back")

    def test_who_left_may_be_written_to_and_is_not_shown_to_the_customer(self):
        conversation = self.start(self.john, self.jane)
        message = self.post(conversation, self.jane, "Hello")
        self.leave(self.john)
        partners = self.john.partner_id | message.partner_ids
        self.post(conversation, self.jane, "You know him", partner_ids=partners.ids)
        self.assertTrue(self.sent_to(self.home))
        (sent,) = self.sent_to("mary@customer.example")
        self.assertNotIn(self.home, sent.as_string())

    # ------------------------------------------------------------
    # NOBODY STAYED
    # ------------------------------------------------------------

    def test_an_answer_that_nobody_would_read_waits_for_review(self):
        own, catchall = f"ann.lee@{self.domain}", self.mail_alias_domain.catchall_email
        for is_deleted, to, named in [
            (True, own, own),
            (False, catchall, own),
            (True, catchall, "No alias has one"),
        ]:
            with self.subTest(is_deleted=is_deleted, to=to):
                user = self._create_user("Ann", "Lee")
                conversation = self.start(user)
                message = self.post(conversation, user, "Hello").with_env(self.env)
                self.leave(user, is_deleted)
                inbound = self.answer(message, to)
                self.assertVerdict(inbound, "review", "unrouted")
                self.assertIn(named, inbound.reason)
                self.assertEqual(len(conversation.message_ids), 2)
                self.assertFalse(self.emails, "not to his own mailbox either")
                user.exists().unlink()

    def test_an_answer_of_a_machine_stays_a_note_that_nobody_has_to_read(self):
        conversation = self.start(self.john)
        message = self.post(conversation, self.john, "Hello")
        self.john.alias_delegate_id = self.max
        self.leave(self.john)
        answer = self.make_mail(
            self.mail_alias_domain.catchall_email,
            in_reply_to=message.message_id,
            auto_submitted="auto-replied",
        )
        inbound = self.receive(answer)
        self.assertVerdict(inbound, "delivered", "auto_reply")
        self.assertEqual(inbound.mail_message_ids.res_id, conversation.id)
        self.assertFalse(self.inbox(self.max))
        self.assertFalse(self.emails)

    def test_an_answer_to_the_gateway_itself_reaches_the_delegate(self):
        conversation = self.start(self.john)
        message = self.post(conversation, self.john, "Hello")
        self.john.alias_delegate_id = self.max
        self.leave(self.john)
        inbound = self.answer(message, self.mail_alias_domain.catchall_email)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.conversation_id.user_ids, self.max)
        self.assertEqual(len(self.inbox(self.max)), 1)
        self.assertEqual(len(conversation.message_ids), 2, "what came before stays his")

    def test_who_writes_to_a_colleague_alone_does_not_tell_the_delegate(self):
        conversation = self.start(self.john)
        message = self.post(conversation, self.john, "Hello")
        self.john.alias_delegate_id = self.max
        self.leave(self.john)
        inbound = self.answer(message, self.jane.alias_email)
        self.assertEqual(inbound.conversation_id.user_ids, self.jane)
        self.assertFalse(self.inbox(self.max))

    def test_an_answer_to_a_signed_address_reaches_the_delegate(self):
        self.mail_alias_domain.signed_reply_to = True
        conversation = self.start(self.john)
        self.post(conversation, self.john, "Hello")
        (sent,) = self.sent_to("mary@customer.example")
        self.john.alias_delegate_id = self.max
        self.leave(self.john)
        inbound = self.receive(self.make_mail(str(sent["Reply-To"])))
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.conversation_id.user_ids, self.max)
