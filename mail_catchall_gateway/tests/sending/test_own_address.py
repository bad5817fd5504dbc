from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..common import CatchallCommon

BOB = "bob@customer.example"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestOwnAddress(CatchallCommon):
    """Nothing that leaves shows the own address of a user, or goes out as somebody else."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bob = cls._create_document("Bob", email=BOB)
        cls.document = cls._create_document(user_id=cls.john.id)
        (cls.john + cls.jane).groups_id += cls.env.ref("base.group_partner_manager")
        # or Odoo itself would replace the own addresses
        cls.relay.from_filter = f"{cls.domain}, home.example, new.example"

    def post_on_document(self, user):
        with self.mock_mail_gateway():
            self.document.with_user(user).message_post(
                body="Hello",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=self.bob.ids,
            )
        (sent,) = self.sent_to(BOB)
        return sent

    def send_template(self, user, **values):
        template = self.env["mail.template"].create(
            {
                "name": "Offer",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "subject": "Offer",
                "body_html": "<p>Hello</p>",
                "email_to": BOB,
                **values,
            }
        )
        with self.mock_mail_gateway():
            template.with_user(user).send_mail(self.document.id, force_send=True)
        self.assertNothingLeaked()
        (sent,) = self.sent_to(BOB)
        return sent

    # ------------------------------------------------------------
    # SENDER
    # ------------------------------------------------------------

    def test_a_user_with_several_addresses_writes_as_his_alias(self):
        for policy in ("native", "dynamic", "forced"):
            for email in (
                "john@home.example, john@work.example",
                "John <john@home.example>; john@work.example",
            ):
                with self.subTest(policy=policy, email=email):
                    self.mail_alias_domain.from_policy = policy
                    self.john.email = email
                    sent = self.post_on_document(self.john)
                    if policy != "forced":
                        self.assertFrom(sent, self.john)
                    for address in ("john@home.example", "john@work.example"):
                        self.assertNotLeaked(address, BOB)

    def test_users_who_share_an_address_write_as_themselves(self):
        (self.john + self.jane).partner_id.email = "family@home.example"
        for user in (self.john, self.jane):
            with self.subTest(user=user.name):
                self.assertFrom(self.post_on_document(user), user)
                template_from = "{{ user.email_formatted }}"
                self.assertFrom(self.send_template(user, email_from=template_from), user)

    def test_a_template_of_who_left_does_not_show_his_address(self):
        self.john.active = False
        values = dict.fromkeys(("email_from", "reply_to"), "{{ object.user_id.email_formatted }}")
        sent = self.send_template(self.jane, **values)
        self.assertFrom(sent, self.john)
        self.assertNotLeaked("john@home.example", BOB)
        self.john.partner_id.email = "john@new.example"
        self.assertFrom(self.send_template(self.jane, **values), self.john)
        self.assertNotLeaked("john@new.example", BOB)

    def test_who_left_writes_from_outside_as_an_outsider(self):
        self.john.active = False
        inbound = self.receive(self.make_mail(self.jane.alias_email, "John <john@home.example>"))
        self.assertIn("john@home.example", inbound.mail_message_ids.email_from)
        self.assertIn("john@home.example", inbound.conversation_id.email_from)

    def test_several_addresses_in_one_field(self):
        value = "{{ user.email }}, Ann <ann@agency.example>"
        sent = self.send_template(self.john, email_from=value, reply_to=value)
        self.assertNotLeaked("john@home.example", BOB)
        self.assertEqual(
            [address.addr_spec for address in sent["Reply-To"].addresses],
            [self.john.alias_email, "ann@agency.example"],
        )

    # ------------------------------------------------------------
    # RECIPIENTS
    # ------------------------------------------------------------

    def test_a_user_in_to_or_cc_gets_a_mail_apart(self):
        for values in (
            {"email_cc": "{{ user.email_formatted }}"},
            {"email_cc": "{{ user.email }}, carl@customer.example"},
            {"email_to": f"{BOB}, {{{{ user.email }}}}"},
            {"email_to": "{{ user.email }}", "email_cc": BOB},
            {"email_cc": "{{ user.email }}", "partner_to": f"{self.john.partner_id.id}"},
        ):
            with self.subTest(**values):
                self.send_template(self.john, **values)
                self.assertNotLeaked("john@home.example", BOB)
                self.assertEqual(len(self.sent_to("john@home.example")), 1)
                recipients = [address for sent in self.emails for address in sent["smtp_to_list"]]
                self.assertEqual("carl@customer.example" in recipients, "carl" in str(values))

    def test_colleagues_alone_get_one_mail(self):
        with self.mock_mail_gateway():
            self.env["mail.mail"].create(
                {"email_to": "john@home.example", "email_cc": "jane@home.example", "body_html": "x"}
            ).send()
        (sent,) = self.emails
        self.assertEqual(sent["smtp_to_list"], ["john@home.example", "jane@home.example"])

    # ------------------------------------------------------------
    # FROM THE OWN MAILBOX
    # ------------------------------------------------------------

    def answer(self, question, sender, files=(), **values):
        mail = self.make_mail(question.reply_to, sender, in_reply_to=question.message_id, **values)
        for content, values in files:
            mail.add_attachment(content, **values)
        return self.receive(mail, [self.john.alias_email])

    def test_an_answer_from_the_second_mailbox_is_the_users(self):
        self.john.email = "john@home.example, john@work.example"
        self.john.alias_copy_to_mailbox = False  # what goes to himself may name both
        question = self.receive(self.make_mail(self.john.alias_email)).mail_message_ids
        text = "Yes.\n\n> To: john@home.example, john@work.example\n> Two, please."
        inbound = self.answer(question, "John <john@work.example>", text=text)
        self.assertVerdict(inbound, "delivered", "user_reply")
        self.assertEqual(inbound.mail_message_ids.author_id, self.john.partner_id)
        (sent,) = self.sent_to("mary@customer.example")
        self.assertFrom(sent, self.john)
        self.assertNotLeaked("john@home.example", "mary@customer.example")
        self.assertNotLeaked("john@work.example", "mary@customer.example")

    def test_who_answers_from_a_shared_mailbox_is_the_author(self):
        (self.john + self.jane).partner_id.email = "family@home.example"
        question = self.receive(self.make_mail(self.jane.alias_email)).mail_message_ids
        mail = self.make_mail(
            question.reply_to, "Family <family@home.example>", in_reply_to=question.message_id
        )
        message = self.receive(mail, [self.jane.alias_email]).mail_message_ids
        (sent,) = self.sent_to("mary@customer.example")
        self.assertFrom(sent, message.author_id.user_ids)

    def test_the_correspondent_is_not_sent_what_is_forwarded_to_others(self):
        question = self.receive(self.make_mail(self.john.alias_email)).mail_message_ids
        conversation = self.env[question.model].browse(question.res_id)
        alias, sender = self.john.alias_email, "John <john@home.example>"
        for to, cc, reaches in (
            ("carl@other.example", alias, False),
            ("carl@other.example", "", False),  # with a blind copy to the alias
            (alias, "carl@other.example", True),
            (f"carl@other.example, {alias}", "", True),
            ("mary@customer.example", alias, False),  # who has it already
        ):
            with self.subTest(to=to, cc=cc):
                mail = self.make_mail(to, sender, in_reply_to=question.message_id, cc=cc)
                inbound = self.receive(mail, [alias])
                self.assertEqual(inbound.conversation_id, conversation)
                self.assertIn(inbound.mail_message_ids, conversation.message_ids)
                self.assertEqual(bool(self.sent_to("mary@customer.example")), reaches)
                self.assertFalse(self.sent_to("carl@other.example"))

    def test_nobody_writes_as_a_user_by_forging_his_second_address(self):
        self.john.email = "john@home.example, john@work.example"
        server = self._create_mailbox(trusted_authserv_id="mx.example")
        mail = self.make_mail(
            self.jane.alias_email,
            "John <john@work.example>",
            authentication_results="mx.example; spf=fail smtp.mailfrom=work.example; dkim=fail",
        )
        self.assertVerdict(self.receive(mail, server=server), "review", "sender_rejected")

    def test_the_own_address_is_hidden_also_from_who_sends_as_the_alias(self):
        question = self.receive(self.make_mail(self.john.alias_email)).mail_message_ids
        text = "Yes.\n\nOn Monday, John <John@Home.Example> wrote:\n> Two?"
        subject = "Re: Fwd: for john@home.example"
        self.answer(question, self.john.alias_email, text=text, subject=subject)
        (sent,) = self.sent_to("mary@customer.example")
        self.assertNotIn("home.example", str(sent).lower())

    def test_who_has_a_further_alias_alone_sends_as_it(self):
        question = self.receive(self.make_mail(self.john.alias_email)).mail_message_ids
        self.john.write({"alias_name": False, "further_alias_ids": [(0, 0, {"alias_name": "jd"})]})
        sender = self.john.further_alias_ids.alias_full_name
        text = "Yes.\n> for john@home.example"
        mail = self.make_mail(sender, sender, text=text, in_reply_to=question.message_id)
        inbound = self.receive(mail, [sender])
        self.assertVerdict(inbound, "delivered", "user_reply")
        self.assertIn(sender, inbound.mail_message_ids.body)
        self.assertNotLeaked("john@home.example", "mary@customer.example")

    def test_what_a_mail_program_attaches_does_not_show_the_own_address(self):
        question = self.receive(self.make_mail(self.john.alias_email)).mail_message_ids
        data = {"maintype": "application", "subtype": "octet-stream"}
        calendar = "BEGIN:VCALENDAR\nATTENDEE:mailto:john@home.example\nEND:VCALENDAR\n"
        files = [
            (calendar, {"subtype": "calendar", "filename": "invite.ics"}),
            (calendar.replace("CALENDAR", "CARD").encode(), {**data, "filename": "john.vcf"}),
            (b"0\x82john@home.example\x01", {**data, "filename": "smime.p7s"}),
            (b"A key", {**data, "filename": "publickey - john@home.example - 0x1.asc"}),
        ]
        inbound = self.answer(question, "John <john@home.example>", files)
        self.assertNotLeaked("john@home.example", "mary@customer.example")
        names = [f"publickey - {self.john.alias_email} - 0x1.asc", "invite.ics", "john.vcf"]
        self.assertCountEqual(inbound.mail_message_ids.attachment_ids.mapped("name"), names)

    # ------------------------------------------------------------
    # PORTAL
    # ------------------------------------------------------------

    def test_portal_users_do_not_read_what_mail_servers_said(self):
        inbound = self.receive(self.make_mail(self.john.alias_email))
        notification = inbound.mail_message_ids.notification_ids
        reason = "550 <john@home.example>: unknown"
        notification.write({"failure_type": "unknown", "failure_reason": reason})
        portal = self._create_portal_user()
        found = notification.with_user(portal)
        for read in (
            lambda: found.failure_reason,
            lambda: found.format_failure_reason(),
            lambda: found.read(["failure_reason"]),
            lambda: found.search([("failure_reason", "like", "john@")]),
        ):
            self.env.invalidate_all()
            with self.assertRaises(AccessError):
                read()
        self.assertNotIn("failure_reason", found.fields_get())
        self.assertIn("john@", notification.with_user(self.jane).failure_reason)
