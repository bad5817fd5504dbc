import base64
import re

from markupsafe import Markup

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import Form, tagged

from .common import ConversationCommon

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestConversation(ConversationCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = "mary@customer.example"

    # ------------------------------------------------------------
    # WHO READS IT
    # ------------------------------------------------------------

    def test_only_members_read_it(self):
        conversation = self.converse()
        message = conversation.message_ids
        conversation.with_user(self.john).check_access_rule("read")
        message.with_user(self.john).read(["body"])
        for user in (self.jane, self.user_admin, self._create_portal_user()):
            with self.subTest(user=user.login):
                mine = self.env["mail.catchall.conversation"].with_user(user)
                if user._is_internal():
                    self.assertFalse(mine.search([("id", "=", conversation.id)]))
                    self.assertFalse(mine.name_search(conversation.name))
                for record, fname in ((conversation, "name"), (message, "body")):
                    with self.assertRaises(AccessError):
                        record.with_user(user).read([fname])
                self.assertFalse(message.with_user(user).search([("id", "=", message.id)]))

    def test_attachments_are_for_members_too(self):
        mail = self.make_mail(self.john.alias_email)
        mail.add_attachment(b"secret", "application", "octet-stream", filename="plan.bin")
        attachment = self.receive(mail).mail_message_ids.attachment_ids
        self.assertEqual(base64.b64decode(attachment.with_user(self.john).datas), b"secret")
        for user in (self.jane, self.user_admin):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                attachment.with_user(user).read(["datas"])

    def test_a_member_who_joins_reads_and_follows_and_one_who_leaves_does_not(self):
        conversation = self.converse()
        conversation.with_user(self.john).user_ids += self.jane
        conversation.with_user(self.jane).read(["name"])
        self.assertIn(self.jane.partner_id, conversation.message_partner_ids)
        conversation.with_user(self.john).user_ids -= self.jane
        self.assertNotIn(self.jane.partner_id, conversation.message_partner_ids)
        with self.assertRaises(AccessError):
            conversation.with_user(self.jane).read(["name"])

    def test_nobody_else_follows(self):
        conversation = self.converse()
        outsider = self.env["res.partner"].create({"name": "Bob", "email": "bob@customer.example"})
        conversation.message_subscribe((outsider + self.jane.partner_id).ids)
        self.assertEqual(conversation.message_partner_ids, self.john.partner_id)

    def test_known_senders_are_linked_and_do_not_follow(self):
        mary = self.env["res.partner"].create({"name": "Mary", "email": self.address})
        conversation = self.converse()
        self.assertEqual(conversation.partner_id, mary)
        self.assertEqual(conversation.message_ids.author_id, mary)
        self.assertEqual(conversation.message_partner_ids, self.john.partner_id)

    # ------------------------------------------------------------
    # ANSWERS FROM ODOO
    # ------------------------------------------------------------

    def test_an_answer_reaches_the_customer_as_the_alias(self):
        conversation = self.converse()
        self.post(conversation, self.john, "On their way")
        (sent,) = self.sent_to(self.address)
        self.assertFrom(sent, self.john)
        self.assertEqual(str(sent["Reply-To"].addresses[0]), str(sent["From"].addresses[0]))
        self.assertEqual(str(sent["To"]), "Mary Smith <mary@customer.example>")
        self.assertEqual(sent["Subject"], "Bicycles")
        self.assertEqual(
            [e["smtp_from"] for e in self.emails], [self.mail_alias_domain.bounce_email]
        )
        self.assertNotLeaked("john@home.example", self.address)
        self.assertFalse(self.sent_to("john@home.example"), "nobody gets his own answer")

    def test_the_correspondent_becomes_a_contact_when_first_answered(self):
        conversation = self.converse()
        partners = self.env["res.partner"].search([("email", "=", self.address)])
        self.assertFalse(partners)
        self.post(conversation, self.john, "On their way")
        self.assertEqual(conversation.partner_id.email, self.address)
        self.assertEqual(conversation.partner_id.name, "Mary Smith")
        self.post(conversation, self.john, "One more thing")
        self.assertEqual(self.env["res.partner"].search_count([("email", "=", self.address)]), 1)

    def test_a_contact_that_the_web_client_made_is_the_correspondent(self):
        conversation = self.converse()
        suggested = conversation.with_user(self.john)._message_get_suggested_recipients()
        self.assertEqual(suggested[conversation.id][0][1], conversation.email_from)
        mary = self.env["res.partner"].create({"name": "Mary", "email": self.address})
        self.post(conversation, self.john, "On their way", partner_ids=mary.ids)
        self.assertEqual(conversation.partner_id, mary)
        self.assertEqual(len(self.sent_to(self.address)), 1)

    def test_an_answer_leaves_though_the_contact_was_archived(self):
        conversation = self.converse()
        self.post(conversation, self.john, "Sorry, no")
        conversation.partner_id.active = False
        self.post(conversation, self.john, "Or maybe")
        self.assertEqual(len(self.sent_to(self.address)), 1)

    def test_answers_go_to_who_wrote_though_the_contact_has_another_address_now(self):
        conversation = self.converse()
        self.post(conversation, self.john, "Sorry, no")
        self.env.flush_all()  # he does it later
        conversation.partner_id.email = "mary@elsewhere.example"
        for text in ("Or maybe", "Or not"):
            self.post(conversation, self.john, text)
            self.assertEqual(len(self.sent_to(self.address)), 1, text)

    def test_a_note_stays_inside(self):
        conversation = self.converse()
        with self.mock_mail_gateway():
            conversation.with_user(self.john).message_post(body="Careful with her")
        self.assertFalse(self.emails)

    def test_recipients_that_were_chosen_are_the_recipients(self):
        conversation = self.converse()
        bob = self.env["res.partner"].create({"name": "Bob", "email": "bob@customer.example"})
        self.post(conversation, self.john, "For Bob alone", partner_ids=bob.ids)
        self.assertTrue(self.sent_to("bob@customer.example"))
        self.assertFalse(self.sent_to(self.address))

    def test_a_colleague_who_is_mentioned_does_not_replace_the_customer(self):
        conversation = self.converse()
        self.post(conversation, self.john, "Jane will help", partner_ids=self.jane.partner_id.ids)
        self.assertTrue(self.sent_to(self.address))
        self.assertEqual(len(self.inbox(self.jane)), 1)

    def test_the_other_members_are_told_of_an_answer(self):
        to = f"{self.john.alias_email}, {self.jane.alias_email}"
        conversation = self.receive(self.make_mail(to)).conversation_id
        message = self.post(conversation, self.john, "On their way")
        self.assertIn(message, self.inbox(self.jane))
        self.assertNotIn(message, self.inbox(self.john))
        (copy,) = self.sent_to("jane@home.example")
        self.assertFrom(copy, self.john)

    # ------------------------------------------------------------
    # CORRESPONDENTS
    # ------------------------------------------------------------

    def converse_with_many(self):
        return self.receive(
            self.make_mail(
                f"{self.john.alias_email}, Bob <bob@customer.example>",
                cc=f"Ann <ann@customer.example>, {self.jane.alias_email}, jane@home.example",
            )
        ).conversation_id

    def test_the_others_are_known_but_not_answered(self):
        conversation = self.converse_with_many()
        expected = '"Bob" <bob@customer.example>, "Ann" <ann@customer.example>'
        self.assertEqual(conversation.email_cc, expected)
        self.post(conversation, self.john, "To you alone")
        (sent,) = self.sent_to(self.address)
        self.assertFalse(sent["Cc"])
        for address in ("bob@customer.example", "ann@customer.example"):
            self.assertFalse(self.sent_to(address))

    def test_reply_to_all_is_one_mail_with_the_others_in_cc(self):
        conversation = self.converse_with_many()
        conversation.with_user(self.john).reply_to_all = True
        message = self.post(conversation, self.john, "To all of you")
        to_outside = [mail for mail in self.emails if self.address in mail["smtp_to_list"]]
        self.assertEqual(len(to_outside), 1)
        self.assertEqual(
            sorted(to_outside[0]["smtp_to_list"]),
            ["ann@customer.example", "bob@customer.example", self.address],
        )
        (sent,) = self.sent_to(self.address)
        self.assertEqual([a.addr_spec for a in sent["To"].addresses], [self.address])
        cc = [a.addr_spec for a in sent["Cc"].addresses]
        self.assertEqual(sorted(cc), ["ann@customer.example", "bob@customer.example"])
        self.assertNotLeaked("home.example", self.address)
        outside = message.notification_ids.filtered(lambda n: n.res_partner_id.partner_share)
        self.assertEqual(outside.mapped("notification_status"), ["sent"] * 3)

    def test_reply_to_all_is_suggested_in_the_chatter(self):
        conversation = self.converse_with_many()
        conversation.reply_to_all = True
        suggested = conversation.with_user(self.john)._message_get_suggested_recipients()
        reasons = [recipient[3] for recipient in suggested[conversation.id]]
        self.assertEqual(reasons, ["Correspondent", "Cc", "Cc"])

    def test_answers_go_to_who_wrote_last(self):
        conversation = self.converse_with_many()
        message = self.post(conversation, self.john, "Hello")
        self.receive(
            self.make_mail(
                self.john.alias_email, sender="Bob <bob@customer.example>", cc=self.address,
                in_reply_to=message.message_id,
            )
        )  # fmt: skip
        self.assertFalse(self.sent_to(self.address), "she has it already")
        self.assertIn("bob@customer.example", conversation.email_from)
        self.assertIn(self.address, conversation.email_cc)
        self.post(conversation, self.john, "Thanks, Bob")
        self.assertEqual(len(self.sent_to("bob@customer.example")), 1)
        self.assertFalse(self.sent_to(self.address))

    def test_who_got_his_answer_directly_does_not_get_it_again(self):
        conversation = self.converse()
        self.answer_from_mailbox(conversation, cc=f"Mary <{self.address}>")
        self.assertFalse(self.sent_to(self.address))

    def test_what_came_last_is_on_top_whatever_date_it_says(self):
        for date in ("Thu, 01 Jan 1970 00:00:00 +0000", "Thu, 01 Jan 2099 00:00:00 +0000"):
            with self.subTest(date=date):
                before = fields.Datetime.now()
                inbound = self.receive(self.make_mail(self.john.alias_email, date=date))
                last = inbound.conversation_id.last_message_date
                self.assertTrue(before <= last <= fields.Datetime.now(), last)

    def test_unanswered_until_answered(self):
        conversation = self.converse()
        self.assertTrue(conversation.is_unanswered)
        conversation.with_user(self.john).message_post(body="A note")
        self.assertTrue(conversation.is_unanswered)
        message = self.post(conversation, self.john, "Hello")
        self.assertFalse(conversation.is_unanswered)
        self.receive(self.make_mail(self.john.alias_email, in_reply_to=message.message_id))
        self.assertTrue(conversation.is_unanswered)

    # ------------------------------------------------------------
    # WHAT TRAVELS
    # ------------------------------------------------------------

    def make_rich_mail(self, to, **headers):
        mail = self.make_mail(to, **headers)
        mail.add_alternative('<p>Look: <img src="cid:logo@x"/> <b>bold</b></p>', subtype="html")
        html = mail.get_body(("html",))
        html.add_related(PNG, "image", "png", cid="<logo@x>", filename="logo.png")
        mail.add_attachment(b"%PDF-1.4 x", "application", "pdf", filename="plan é.pdf")
        return mail

    def assertRich(self, mail):
        """Assert that bold text, the image and the attachment are in a mail that left."""
        html = mail.get_body(("html",)).get_content()
        self.assertIn("<b>bold</b>", html)
        (cid,) = re.findall(r'src="cid:([^"]+)"', html)
        self.assertNotIn("/web/image", html)
        images = [part for part in mail.walk() if part["Content-ID"] == f"<{cid}>"]
        self.assertEqual([image.get_content() for image in images], [PNG])
        attachments = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
        self.assertEqual(attachments, {"plan é.pdf": b"%PDF-1.4 x"})

    def test_images_and_attachments_survive_both_ways(self):
        conversation = self.receive(self.make_rich_mail(self.john.alias_email)).conversation_id
        question = conversation.message_ids
        self.assertEqual(sorted(question.attachment_ids.mapped("name")), ["logo.png", "plan é.pdf"])
        (copy,) = self.sent_to("john@home.example")
        self.assertRich(copy)

        answer = self.make_rich_mail(
            self.john.alias_email, sender="john@home.example", in_reply_to=question.message_id
        )
        self.receive(answer)
        (sent,) = self.sent_to(self.address)
        self.assertRich(sent)
        self.assertNotLeaked("home.example", self.address)

    def test_plain_text_keeps_its_lines(self):
        self.receive(self.make_mail(self.john.alias_email, text="One\n  two\n\nthree"))
        (copy,) = self.sent_to("john@home.example")
        html = copy.get_body(("html",)).get_content().replace("\r\n", "\n")
        self.assertIn("<pre>One\n  two\n\nthree", html)

    def test_images_of_others_are_not_embedded_for_a_wrong_token(self):
        conversation = self.converse()
        image = self.env["ir.attachment"].create({"name": "secret.png", "raw": PNG})
        image.generate_access_token()
        body = Markup('<img src="/web/image/%s?access_token=wrong"/>') % image.id
        self.post(conversation, self.john, body)
        (sent,) = self.sent_to(self.address)
        self.assertFalse([part for part in sent.walk() if part.get_content_maintype() == "image"])

    # ------------------------------------------------------------
    # THE OWN MAILBOX
    # ------------------------------------------------------------

    def test_a_copy_comes_to_the_own_mailbox_and_its_answer_back(self):
        inbound = self.receive(self.make_mail(self.john.alias_email))
        (copy,) = self.sent_to("john@home.example")
        self.assertEqual(copy["Reply-To"].addresses[0].addr_spec, self.john.alias_email)
        self.assertEqual(copy["Message-Id"], inbound.message_id)
        self.assertIn("Mary Smith", copy["From"])
        self.assertIn("Two, please.", copy.get_body(("plain",)).get_content())

    def test_a_mailbox_that_keeps_originals_keeps_none_that_shows_an_own_mailbox(self):
        server = self._create_mailbox(original=True)
        inbound = self.receive(self.make_mail(self.john.alias_email), server=server)
        original = inbound.mail_message_ids.attachment_ids
        self.assertEqual(original.name, "original_email.eml")
        self.assertEqual(original.raw, inbound._get_source())
        answer = self.answer_from_mailbox(inbound.conversation_id, server=server)
        (sent,) = self.sent_to(self.address)
        self.assertFalse([*sent.iter_attachments()])
        self.assertFalse(answer.mail_message_ids.attachment_ids)
        self.assertIn(b"john@home.example", answer._get_source())

    def test_a_copy_shows_who_wrote(self):
        self.converse()
        (copy,) = self.sent_to("john@home.example")
        self.assertIn("mary@customer.example", copy.get_body(("html",)).get_content())

    def test_the_copy_is_one_notification_that_stays_unread(self):
        conversation = self.converse()
        notification = conversation.message_ids.notification_ids
        self.assertEqual(notification.res_partner_id, self.john.partner_id)
        self.assertEqual(notification.notification_type, "email")
        self.assertEqual(notification.notification_status, "sent")
        self.assertFalse(notification.is_read)

    def test_copies_can_be_switched_off(self):
        self.john.alias_copy_to_mailbox = False
        conversation = self.converse()
        self.assertFalse(self.sent_to("john@home.example"))
        self.assertEqual(self.inbox(self.john), conversation.message_ids)
        self.assertEqual(conversation.message_ids.notification_ids.notification_type, "inbox")

    def test_who_handles_notifications_by_email_gets_the_one_email(self):
        self.john.notification_type = "email"
        self.converse()
        self.assertEqual(len(self.sent_to("john@home.example")), 1)
        self.assertFalse(self.inbox(self.john))

    def test_a_user_without_an_own_address_has_his_inbox(self):
        self.john.email = False
        conversation = self.converse()
        self.assertEqual(self.inbox(self.john), conversation.message_ids)
        self.assertFalse(self.emails)

    def test_an_answer_from_the_own_mailbox_leaves_as_the_alias(self):
        conversation = self.converse()
        inbound = self.answer_from_mailbox(conversation)
        self.assertEqual((inbound.state, inbound.verdict_code), ("delivered", "user_reply"))
        message = inbound.mail_message_ids
        self.assertEqual(inbound.conversation_id, conversation)
        self.assertEqual(message.author_id, self.john.partner_id)
        self.assertEqual(message.email_from, f'"John Doe" <{self.john.alias_email}>')
        (sent,) = self.sent_to(self.address)
        self.assertFrom(sent, self.john)
        self.assertIn("On their way", sent.get_body(("plain",)).get_content())
        self.assertNotLeaked("john@home.example", self.address)
        self.assertNotLeaked("home.example", self.address)
        self.assertFalse(self.sent_to("john@home.example"))

    def test_quotes_in_an_answer_do_not_show_the_own_address(self):
        conversation = self.converse()
        text = "Yes.\n\n> From: Mary\n> To: John Doe <John@Home.Example>\n> Two, please."
        self.answer_from_mailbox(conversation, text)
        (sent,) = self.sent_to(self.address)
        self.assertIn(self.john.alias_email, sent.get_body(("plain",)).get_content())
        self.assertNotLeaked("ohn@home.example", self.address)
        self.assertNotLeaked("ohn@Home.Example", self.address)

    def test_answers_lose_what_the_copy_added(self):
        conversation = self.converse()
        (copy,) = self.sent_to("john@home.example")
        html = copy.get_body(("html",)).get_content()
        self.assertIn("View Conversation", html)
        answer = self.make_mail(
            self.john.alias_email, sender="john@home.example", in_reply_to=copy["Message-Id"]
        )
        answer.add_alternative(f"<p>Yes.</p><blockquote>{html}</blockquote>", subtype="html")
        self.assertEqual(self.receive(answer).conversation_id, conversation)
        (sent,) = self.sent_to(self.address)
        text = sent.get_body(("html",)).get_content()
        self.assertIn("Yes.", text)
        self.assertIn("Two, please.", text)
        self.assertNotIn("View Conversation", text)

    def test_the_same_answer_twice_is_sent_once(self):
        conversation = self.converse()
        self.answer_from_mailbox(conversation)
        again = self.answer_from_mailbox(conversation)
        self.assertEqual((again.state, again.verdict_code), ("ignored", "duplicate"))
        self.assertFalse(self.emails)

    def test_the_customers_next_answer_is_on_the_same_conversation(self):
        conversation = self.converse()
        self.answer_from_mailbox(conversation)
        (sent,) = self.sent_to(self.address)
        answer = self.make_mail(
            str(sent["Reply-To"]),
            subject="Re: Bicycles",
            text="Thanks!",
            in_reply_to=sent["Message-Id"],
        )
        inbound = self.receive(answer)
        self.assertEqual(inbound.verdict_code, "reply")
        self.assertEqual(inbound.conversation_id, conversation)
        self.assertIn("Thanks!", self.inbox(self.john)[0].body)
        self.assertEqual(len(self.sent_to("john@home.example")), 1)
        self.assertFalse(self.sent_to(self.address), "nobody gets his own mail back")

    # ------------------------------------------------------------
    # SCREEN
    # ------------------------------------------------------------

    def test_a_user_starts_a_conversation(self):
        with Form(self.env["mail.catchall.conversation"].with_user(self.john)) as form:
            form.name = "Spare parts"
            form.email_from = "Bob <bob@customer.example>"
        conversation = form.save()
        self.assertEqual(conversation.user_ids, self.john)
        self.post(conversation, self.john, "Do you have any?")
        (sent,) = self.sent_to("bob@customer.example")
        self.assertEqual(sent["From"].addresses[0].addr_spec, self.john.alias_email)
        self.assertEqual(sent["Subject"], "Spare parts")

    def test_a_user_starts_a_conversation_with_two(self):
        talk = self.env["mail.catchall.conversation"].with_user(self.john)
        emails = "Bob <bob@customer.example>, olga@customer.example"
        talk = talk.create({"name": "Spare parts", "email_from": emails})
        suggested = talk._message_get_suggested_recipients()[talk.id]
        self.assertEqual(len(suggested), 2)
        for text in ("Do you have any?", "Please."):
            self.post(talk, self.john, text)
            for address in ("bob@customer.example", "olga@customer.example"):
                self.assertEqual(len(self.sent_to(address)), 1, text)
