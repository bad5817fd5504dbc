from odoo.tests import tagged

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestReplies(CatchallCommon):
    """Answers to documents and conversations, with users among the recipients."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mary = cls.env["res.partner"].create({"name": "Mary", "email": "mary@customer.example"})
        cls.document = cls._create_document("Quotation")
        cls.max = cls._create_user("Max", "Power", alias_name=False)
        cls.max.groups_id += cls.env.ref("base.group_partner_manager")
        cls.catchall = cls.mail_alias_domain.catchall_email

    def send_document(self):
        """Return the message by which Max sent the document to Mary."""
        with self.mock_mail_gateway():
            return self.document.with_user(self.max).message_post(
                body="Our offer", message_type="comment", subtype_xmlid="mail.mt_comment",
                partner_ids=self.mary.ids,
            )  # fmt: skip

    def answer(self, message, to, **headers):
        return self.receive(self.make_mail(to, in_reply_to=message.message_id, **headers))

    def count(self):
        models = ("res.partner", "mail.catchall.conversation")
        return [self.env[model].search_count([]) for model in models]

    # ------------------------------------------------------------
    # DOCUMENTS
    # ------------------------------------------------------------

    def test_an_answer_to_a_document_copying_john_is_on_the_document_and_in_his_inbox(self):
        message = self.send_document()
        before = self.count()
        for how, to, headers in [
            ("Cc", self.catchall, {"cc": self.john.alias_email}),
            ("To, which core takes for a forward", f"{self.catchall}, {self.john.alias_email}", {}),
            ("him alone", self.john.alias_email, {}),
        ]:
            with self.subTest(how=how):
                inbound = self.answer(message, to, **headers)
                self.assertEqual((inbound.state, inbound.verdict_code), ("delivered", "reply"))
                answer = inbound.mail_message_ids
                self.assertEqual((answer.model, answer.res_id), ("res.partner", self.document.id))
                self.assertEqual(answer.parent_id, message)
                self.assertIn(answer, self.inbox(self.john))
                self.assertEqual(len(self.sent_to("john@home.example")), 1, "a copy")
                self.assertFalse(self.sent_to("mary@customer.example"))
                self.assertEqual(self.count(), before, "nothing is created")

    def test_who_may_not_read_the_document_gets_a_conversation(self):
        message = self.send_document()
        self._hide_document(self.document)
        self.max.groups_id -= self.env.ref("base.group_user")
        inbound = self.answer(message, self.catchall, cc=self.john.alias_email)
        self.assertEqual(len(inbound.mail_message_ids), 2)
        conversation = inbound.conversation_id
        self.assertEqual(conversation.user_ids, self.john)
        (mine,) = self.inbox(self.john)
        self.assertEqual((mine.model, mine.res_id), (conversation._name, conversation.id))
        self.assertFalse(mine.parent_id, "the document's messages are none of its own")
        self.assertEqual(len(self.sent_to("john@home.example")), 1)

    def test_his_answer_from_the_own_mailbox_lands_on_the_document(self):
        message = self.send_document()
        answer = self.answer(message, self.catchall, cc=self.john.alias_email).mail_message_ids
        inbound = self.answer(
            answer, self.catchall, sender="john@home.example", message_id="<9@home.example>"
        )
        self.assertEqual(inbound.verdict_code, "user_reply")
        mine = inbound.mail_message_ids
        self.assertEqual((mine.model, mine.res_id), ("res.partner", self.document.id))
        self.assertEqual(mine.email_from, f'"John Doe" <{self.john.alias_email}>')
        self.assertNotIn("home.example", mine.message_id)

    def test_an_answer_to_a_document_that_is_gone_reaches_the_user(self):
        message = self.send_document()
        self.env.cr.execute("UPDATE mail_message SET res_id = 99999999 WHERE id = %s", message.ids)
        message.invalidate_recordset()
        inbound = self.answer(message, self.john.alias_email)
        self.assertEqual(inbound.verdict_code, "user_alias")
        self.assertEqual(inbound.conversation_id.user_ids, self.john)

    def test_a_blind_copy_of_an_answer_is_a_conversation_of_his_own(self):
        message = self.send_document()
        mail = self.make_mail(self.catchall, in_reply_to=message.message_id)
        inbound = self.receive(mail, [self.john.alias_email])
        on_document = inbound.mail_message_ids.filtered(lambda m: m.model == "res.partner")
        self.assertEqual(on_document.res_id, self.document.id)
        self.assertNotIn(self.john.partner_id, on_document.notified_partner_ids)
        self.assertNotIn(self.john.partner_id, on_document.partner_ids)
        self.assertEqual(inbound.conversation_id.user_ids, self.john)

    def test_team_and_user_make_one_document_with_the_user_notified(self):
        self._create_team_alias()
        before = self.count()
        for how, to, headers in [
            ("To", f"team@{self.domain}, {self.john.alias_email}", {}),
            ("Cc", f"team@{self.domain}", {"cc": self.john.alias_email}),
        ]:
            with self.subTest(how=how):
                inbound = self.receive(self.make_mail(to, **headers))
                self.assertEqual((inbound.state, inbound.verdict_code), ("delivered", "alias"))
                (message,) = inbound.mail_message_ids
                self.assertEqual(message.model, "res.partner")
                self.assertIn(message, self.inbox(self.john))
                self.assertEqual(len(self.sent_to("john@home.example")), 1)
                before[0] += 1
                self.assertEqual(self.count(), before)

    def test_team_in_blind_copy_is_not_shown_to_the_user(self):
        self._create_team_alias()
        mail = self.make_mail(self.john.alias_email)
        inbound = self.receive(mail, [f"team@{self.domain}", self.john.alias_email])
        (mine,) = self.inbox(self.john)
        self.assertEqual(mine.model, "mail.catchall.conversation")
        self.assertEqual(len(inbound.mail_message_ids), 2)

    def test_stock_servers_route_to_users_too(self):
        """Messaging aliases route everywhere, also without a catch-all mailbox."""
        message = self.send_document()
        with self.mock_mail_gateway():
            process = self.env["mail.thread"].message_process
            process(None, self.make_mail(self.john.alias_email).as_bytes())
            reply = self.make_mail(
                f"{self.catchall}, {self.jane.alias_email}", in_reply_to=message.message_id
            )
            process(None, reply.as_bytes())
        (mine,) = self.inbox(self.john)
        self.assertEqual(mine.model, "mail.catchall.conversation")
        (hers,) = self.inbox(self.jane)
        self.assertEqual((hers.model, hers.res_id), ("res.partner", self.document.id))

    # ------------------------------------------------------------
    # CONVERSATIONS
    # ------------------------------------------------------------

    def start(self, to=None, **headers):
        return self.receive(self.make_mail(to or self.john.alias_email, **headers)).conversation_id

    def test_an_outsider_cannot_show_jane_what_john_received(self):
        conversation = self.start(text="For your eyes only")
        message = self.post(conversation, self.john, "Understood")
        inbound = self.answer(
            message, self.john.alias_email, cc=self.jane.alias_email, text="Jane should know"
        )
        self.assertEqual(conversation.user_ids, self.john)
        self.assertEqual(len(conversation.message_ids), 3)
        (hers,) = self.inbox(self.jane)
        her_conversation = self.env["mail.catchall.conversation"].browse(hers.res_id)
        self.assertEqual(her_conversation.user_ids, self.jane)
        self.assertEqual(len(her_conversation.message_ids), 1)
        self.assertEqual(len(inbound.mail_message_ids), 2)

        # later answers reach both, each on his own
        later = self.answer(
            hers, self.jane.alias_email, cc=self.john.alias_email, text="And another thing"
        )
        self.assertEqual(len(later.mail_message_ids), 2)
        self.assertEqual(len(conversation.message_ids), 4)
        self.assertEqual(len(her_conversation.message_ids), 2)
        self.assertEqual(self.env["mail.catchall.conversation"].search_count([]), 2)

        # and an answer to her answer reaches her alone
        message = self.post(her_conversation, self.jane, "I know now")
        self.answer(message, self.jane.alias_email, text="Good")
        self.assertEqual(len(her_conversation.message_ids), 4)
        self.assertEqual(len(conversation.message_ids), 4)

    def test_who_writes_to_john_alone_does_not_tell_jane(self):
        conversation = self.start(self.jane.alias_email)
        message = self.post(conversation, self.jane, "Hello")
        inbound = self.answer(message, self.john.alias_email, text="Do not tell Jane")
        self.assertEqual(inbound.conversation_id.user_ids, self.john)
        self.assertEqual(len(conversation.message_ids), 2)

    def test_an_answer_to_the_gateway_itself_goes_to_its_thread(self):
        conversation = self.start()
        message = self.post(conversation, self.john, "Hello")
        for to, cc in ((self.catchall, ""), (self.catchall, self.jane.alias_email)):
            with self.subTest(cc=cc):
                inbound = self.answer(message, to, cc=cc)
                self.assertIn(inbound.mail_message_ids[-1].res_id, conversation.ids)

    def test_an_answer_brings_an_archived_conversation_back(self):
        conversation = self.start()
        message = self.post(conversation, self.john, "Hello")
        conversation.active = False
        self.answer(message, self.john.alias_email)
        self.assertTrue(conversation.active)

    def test_an_answer_that_names_only_his_mailboxs_message_id_is_found(self):
        conversation = self.start()
        question = conversation.message_ids
        sent = self.receive(
            self.make_mail(
                self.john.alias_email, sender="john@home.example", message_id="<5@home.example>",
                in_reply_to=question.message_id,
            )
        )  # fmt: skip
        self.assertEqual(sent.conversation_id, conversation)
        more = self.receive(
            self.make_mail(
                self.john.alias_email, sender="john@home.example", message_id="<6@home.example>",
                in_reply_to="<5@home.example>",
            )
        )  # fmt: skip
        self.assertEqual(more.conversation_id, conversation)
        self.assertEqual(len(self.sent_to("mary@customer.example")), 1)

    def test_a_user_who_writes_from_his_mailbox_to_a_colleague_takes_part(self):
        inbound = self.receive(
            self.make_mail(self.jane.alias_email, sender="John <john@home.example>", text="Look")
        )
        conversation = inbound.conversation_id
        self.assertEqual(conversation.user_ids, self.john + self.jane)
        self.assertEqual(self.inbox(self.jane).author_id, self.john.partner_id)
        self.assertFalse(self.inbox(self.john))
        (copy,) = self.sent_to("jane@home.example")
        self.assertFrom(copy, self.john)
        self.assertNotLeaked("john@home.example", "jane@home.example")
        self.post(conversation, self.jane, "I see")
        self.assertEqual(len(self.inbox(self.john)), 1)
        self.assertEqual(len(self.sent_to("john@home.example")), 1)

    def test_companies_do_not_share_conversations(self):
        self.relay.from_filter = f"{self.domain},{self.alias_domain_c2_name}"
        ann = self._create_user(
            "Ann", "Lee", company_id=self.company_2.id, company_ids=[(6, 0, self.company_2.ids)]
        )
        inbound = self.receive(self.make_mail(f"{self.john.alias_email}, {ann.alias_email}"))
        conversations = self.env["mail.catchall.conversation"].browse(
            inbound.mail_message_ids.mapped("res_id")
        )
        self.assertEqual(len(conversations), 2)
        for conversation in conversations:
            user = conversation.user_ids
            self.assertEqual(conversation.company_id, user.company_id)
            self.post(conversation, user, "Hello")
            (sent,) = self.sent_to("mary@customer.example")
            self.assertFrom(sent, user)
            self.assertEqual(sent["Return-Path"], user.company_id.alias_domain_id.bounce_email)

    def test_users_whom_a_remote_call_puts_into_the_context_are_not_notified(self):
        document = self.document.with_user(self.max)
        document = document.with_context(catchall_addressed=self.john.ids)
        message = document.message_post(body="Hello", message_type="email")
        self.assertFalse(message.notified_partner_ids)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestCopies(CatchallCommon):
    """A catch-all mailbox gets one copy of a mail for each of our recipients."""

    def receive_copies(self, mail, *recipients):
        return [self.receive(mail, [recipient]) for recipient in recipients]

    def test_three_addressees_are_one_message_and_each_is_notified_once(self):
        max_ = self._create_user("Max", "Power")
        users = self.john + self.jane + max_
        mail = self.make_mail(", ".join(users.mapped("alias_email")))
        inbounds = self.receive_copies(mail, *users.mapped("alias_email"))
        self.assertEqual(
            [(i.state, i.verdict_code) for i in inbounds],
            [("delivered", "user_alias"), ("ignored", "duplicate"), ("ignored", "duplicate")],
        )
        (message,) = self.env["mail.message"].search([("message_id", "=", inbounds[0].message_id)])
        self.assertEqual(message.notification_ids.res_partner_id, users.partner_id)
        self.assertEqual(len(message.notification_ids), 3)
        self.assertEqual(inbounds[0].conversation_id.user_ids, users)

    def test_a_blind_copy_is_a_conversation_that_nobody_else_learns_of(self):
        mail = self.make_mail(self.john.alias_email)
        for order in ((self.john, self.jane), (self.jane, self.john)):
            with self.subTest(first=order[0].name):
                del mail["Message-Id"]
                mail["Message-Id"] = f"<{order[0].id}@customer.example>"
                inbounds = self.receive_copies(mail, *(user.alias_email for user in order))
                self.assertEqual(
                    [i.state for i in inbounds].count("delivered"), 1 + (order[0] == self.john)
                )
                for user in order:
                    conversation = self.env["mail.catchall.conversation"].browse(
                        self.inbox(user)[0].res_id
                    )
                    self.assertEqual(conversation.user_ids, user)
                    (message,) = conversation.message_ids
                    self.assertEqual(message.message_id, mail["Message-Id"])
                    self.assertEqual(message.notified_partner_ids, user.partner_id)
                    self.assertFalse(message.partner_ids - user.partner_id)
                    text = " ".join(filter(None, (conversation.email_cc, message.body)))
                    other = (self.john + self.jane) - user
                    if user == self.john:
                        self.assertNotIn(other.alias_email, text)

    def test_two_blind_copies_do_not_learn_of_each_other(self):
        mail = self.make_mail("partners@customer.example")
        both = [self.john.alias_email, self.jane.alias_email]
        inbound = self.receive(mail, both)
        self.assertEqual(len(inbound.mail_message_ids), 2)
        for user in self.john + self.jane:
            (message,) = self.inbox(user)
            conversation = self.env["mail.catchall.conversation"].browse(message.res_id)
            self.assertEqual(conversation.user_ids, user)

    def test_an_answer_of_who_got_a_blind_copy_goes_on_in_his_conversation(self):
        mail = self.make_mail("partners@customer.example")
        _first, second = self.receive_copies(mail, self.john.alias_email, self.jane.alias_email)
        conversation = second.conversation_id
        self.assertEqual(conversation.user_ids, self.jane)
        message = self.post(conversation, self.jane, "Thanks")
        (sent,) = self.sent_to("mary@customer.example")
        self.assertIn(second.message_id, sent["References"])
        inbound = self.receive(
            self.make_mail(self.jane.alias_email, in_reply_to=message.message_id)
        )
        self.assertEqual(inbound.conversation_id, conversation)

    def test_a_blind_copy_to_a_team_makes_its_document(self):
        self._create_team_alias()
        mail = self.make_mail(self.john.alias_email)
        first, second = self.receive_copies(mail, self.john.alias_email, f"team@{self.domain}")
        self.assertEqual((second.state, second.verdict_code), ("delivered", "alias"))
        self.assertEqual(second.res_model, "res.partner")
        self.assertEqual(len(self.inbox(self.john)), 1)
        self.assertEqual(first.mail_message_ids.model, "mail.catchall.conversation")

    def test_a_blind_copy_of_an_answer_does_not_answer_again(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        message = self.post(conversation, self.john, "Hello")
        mail = self.make_mail(self.john.alias_email, in_reply_to=message.message_id)
        self.receive_copies(mail, self.john.alias_email, self.jane.alias_email)
        self.assertEqual(len(conversation.message_ids), 3)
        (hers,) = self.inbox(self.jane)
        self.assertNotEqual(hers.res_id, conversation.id)

    def test_copies_without_message_id_are_for_their_own_recipients(self):
        mail = self.make_mail(f"{self.john.alias_email}, {self.jane.alias_email}")
        del mail["Message-Id"]
        self.receive_copies(mail, self.john.alias_email, self.jane.alias_email)
        for user in self.john + self.jane:
            (message,) = self.inbox(user)
            conversation = self.env["mail.catchall.conversation"].browse(message.res_id)
            self.assertEqual(conversation.user_ids, user)

    def test_a_mail_that_names_somebody_else_is_no_duplicate(self):
        """A program sends it to one after the other, and no envelope tells."""
        john, jane = (
            self.receive(self.make_mail(user.alias_email, message_id="<1@erp.example>"))
            for user in self.john + self.jane
        )
        self.assertEqual((john.state, jane.state), ("delivered", "delivered"), jane.reason)
        self.assertEqual(jane.conversation_id.user_ids, self.jane)
        self.assertEqual(john.conversation_id.user_ids, self.john)
        again = self.make_mail(self.jane.alias_email, message_id="<1@erp.example>")
        self.assertVerdict(self.receive(again), "ignored", "duplicate")

    def test_one_message_id_for_all_mails_of_a_program(self):
        def scan(number, day, **headers):
            return self.make_mail(
                self.john.alias_email,
                subject=f"Scan {number}",
                date=f"Mon, {day} Jan 2024 10:00:00 +0000",
                message_id="<scan@printer.example>",
                **headers,
            )

        first, second = self.receive(scan(1, 1)), self.receive(scan(2, 8))
        self.assertVerdict(second, "delivered", "user_alias")
        self.assertNotEqual(first.conversation_id, second.conversation_id)
        for label, mail in {
            "it came twice": scan(2, 8),
            "it was sent once more": scan(2, 9),
            "a list changed its subject": scan("[list] 2", 8),
        }.items():
            with self.subTest(label):
                self.assertVerdict(self.receive(mail), "ignored", "duplicate")
        self.assertEqual(len(self.inbox(self.john)), 2)

    def test_a_copy_after_a_failure_is_not_a_duplicate(self):
        mail = self.make_mail(self.john.alias_email)
        self.env["mail.catchall.inbound"]._store([(mail.as_bytes(), {"state": "failed"})])
        self.assertEqual(self.receive(mail).state, "delivered")


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestAuthors(CatchallCommon):
    def test_mail_from_an_alias_is_its_users(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        inbound = self.receive(
            self.make_mail(
                self.john.alias_email,
                sender=f"Johnny <{self.john.alias_email.upper()}>",
                in_reply_to=conversation.message_ids.message_id,
            )
        )
        self.assertEqual(inbound.verdict_code, "user_reply")
        self.assertEqual(inbound.mail_message_ids.author_id, self.john.partner_id)
        (sent,) = self.sent_to("mary@customer.example")
        # not all builds of core write it in small letters
        self.assertEqual(sent["From"].addresses[0].addr_spec.lower(), self.john.alias_email)

    def test_nobody_makes_a_contact_of_an_address_of_ours(self):
        self._create_team_alias()
        domain = self.mail_alias_domain
        Partner, Thread = self.env["res.partner"], self.env["mail.thread"]
        service = [f"team@{self.domain}", domain.catchall_email, domain.bounce_email]
        before = Partner.search_count([])
        found = Partner._find_or_create_from_emails([*service, self.john.alias_email])
        self.assertEqual([p.id for p in found], [False, False, False, self.john.partner_id.id])
        found = Thread._mail_find_partner_from_emails(
            [*service, self.john.alias_email], force_create=True
        )
        self.assertEqual([p.id for p in found], [False, False, False, self.john.partner_id.id])
        self.assertEqual(Partner.search_count([]), before)
        (new,) = Partner._find_or_create_from_emails(["bob@customer.example"])
        self.assertEqual(new.email, "bob@customer.example")

    def test_no_mail_is_sent_to_a_contact_with_an_address_of_ours(self):
        bob = self._create_document("Bob", email="bob@customer.example")
        max_ = self._create_user("Max", "Power")
        max_.groups_id += self.env.ref("base.group_partner_manager")
        domain = self.mail_alias_domain
        for address in (
            domain.catchall_email,
            domain.bounce_email,
            domain.default_from_email,
            self.jane.alias_email,
        ):
            contact = self._create_document("Nobody", email=address)
            with self.subTest(address=address), self.mock_mail_gateway():
                message = bob.with_user(max_).message_post(
                    body="Hi", message_type="comment", subtype_xmlid="mail.mt_comment",
                    partner_ids=(contact | bob).ids,
                )  # fmt: skip
                self.assertEqual(len(self.sent_to("bob@customer.example")), 1)
                self.assertFalse(self.sent_to(address))
                failed = message.notification_ids.filtered_domain(
                    [("res_partner_id", "in", contact.ids)]
                )
                self.assertEqual(failed.notification_status, "exception")
