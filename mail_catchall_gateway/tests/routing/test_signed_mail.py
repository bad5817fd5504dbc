"""Signed Reply-To and Return-Path, through a relay that replaces all that a mail is known by."""

import email.utils

from odoo.tests import tagged

from ...tools.addresses.signed_address import BOUNCE, REPLY
from .. import smtp_relay as relays
from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSignedMail(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mail_alias_domain.signed_reply_to = True
        cls.john.groups_id += cls.env.ref("base.group_partner_manager")
        cls.document = cls._create_document("Order", email="Mary Smith <mary@customer.example>")
        cls.contact = cls.document.email_normalized

    def setUp(self):
        super().setUp()
        self.strict = relays.Relay(rf"[^@\s]+@{self.domain}", rewrites=True)
        running = relays.running(self.env, self.strict)
        self.relay.write({"smtp_host": relays.HOST, "smtp_port": running.__enter__()})
        self.addCleanup(running.__exit__, None, None, None)

    # ------------------------------------------------------------
    # SENDING AND ANSWERING
    # ------------------------------------------------------------

    def leave(self, address=None):
        """Return the last mail that left for an address, by default the customer's."""
        self.env["mail.mail"].process_email_queue()
        return [left for left in self.strict.left if (address or self.contact) in left.recipients][
            -1
        ]

    def write_on(self, document, **values):
        """Let John write to the customer on a document."""
        return document.with_user(self.john).message_post(
            body="Bicycles", message_type="comment", subtype_xmlid="mail.mt_comment",
            partner_ids=self.document.ids, **values
        )  # fmt: skip

    def take_in(self, to, sender=None, **headers):
        """Process a mail that knows nothing of ours but the address it was sent to."""
        mail = self.make_mail(to, sender, subject="Anything", **headers)
        values = {"envelope_to": to, "state": "processing", "attempt_count": 1}
        inbound = self.env["mail.catchall.inbound"]._store([(mail.as_bytes(), values)])
        inbound.env["mail.catchall.queue"]._process_locked(inbound)
        return inbound

    def reply_address(self, left):
        (address,) = left.mail["Reply-To"].addresses
        return address.addr_spec

    # ------------------------------------------------------------
    # ANSWERS
    # ------------------------------------------------------------

    def test_long_addresses_leave_as_they_are(self):
        address = f"reply.{'a' * 56}@mail.a-company-with-a-long-name.example"
        message = self.env["ir.mail_server"].build_email(
            f'"Doe, John" <{address}>',
            ["mary@customer.example"],
            "Bicycles",
            "Two, please.",
            reply_to=f'"Acme, Ltd" <{address}>',
            headers={"Return-Path": address},
        )
        raw = message.as_bytes().decode()
        self.assertIn(f'From: "Doe, John"\r\n <{address}>\r\n', raw)
        self.assertIn(f'Reply-To: "Acme, Ltd"\r\n <{address}>\r\n', raw)
        self.assertIn(f"Return-Path: {address}\r\n", raw)

    def test_an_answer_finds_its_document_by_its_address_alone(self):
        message = self.write_on(self.document)
        left = self.leave()
        self.assertRegex(left.mail["Reply-To"], "Order")  # the name stays
        address = self.reply_address(left)
        self.assertRegex(address, rf"^reply\.[a-z2-7]+@{self.domain}$")
        for number, spelling in enumerate((address, address.upper())):
            with self.subTest(spelling=spelling):
                inbound = self.take_in(spelling)
                self.assertVerdict(inbound, "delivered", "reply")
                answer = inbound.mail_message_ids
                self.assertEqual((answer.model, answer.res_id), ("res.partner", self.document.id))
                self.assertEqual(answer.parent_id, message, number)

    def test_an_accepted_domain_does_too(self):
        self.mail_alias_domain.accepted_domain_names = "acme.example"
        self.write_on(self.document)
        address = self.reply_address(self.leave()).replace(self.domain, "acme.example")
        self.assertVerdict(self.take_in(address), "delivered", "reply")

    def test_an_answer_in_a_conversation_and_one_from_the_own_mailbox(self):
        inbound = self.take_in(self.john.alias_email, self.customer)
        conversation = inbound.conversation_id
        copy = self.leave("john@home.example")
        # John answers from his own mailbox, and the customer answers that
        inbound = self.take_in(self.reply_address(copy), "John <john@home.example>")
        self.assertVerdict(inbound, "delivered", "user_reply")
        left = self.leave()
        self.assertEqual(left.header_from, f"John Doe <{self.john.alias_email}>")
        self.assertNotIn(b"home.example", left.raw)
        inbound = self.take_in(self.reply_address(left))
        self.assertVerdict(inbound, "delivered", "reply")
        self.assertEqual(inbound.conversation_id, conversation)
        self.assertEqual(len(conversation.message_ids), 3)

    def send_and_forget(self, document):
        """Send a mail as templates do, whose message is deleted; return the address to answer."""
        mail = self.env["mail.mail"].create(
            {
                "auto_delete": True,
                "email_to": self.contact,
                "model": "res.partner",
                "res_id": document.id,
                "reply_to": self.mail_alias_domain.catchall_email,
            }
        )
        message = mail.mail_message_id
        mail.send()
        self.assertFalse(message.exists())
        return self.reply_address(self.leave())

    def test_an_answer_to_a_mail_whose_message_was_deleted(self):
        inbound = self.take_in(self.send_and_forget(self.document))
        self.assertVerdict(inbound, "delivered", "reply")
        self.assertEqual(inbound.res_id, self.document.id)

    def test_an_answer_about_one_of_two_documents_that_a_mail_made(self):
        """Both have a message with its Message-Id, and core takes the newest."""
        teams = [self._create_team_alias(name).alias_full_name for name in ("sales", "support")]
        inbound = self.take_in(", ".join(teams))
        documents = self.env["res.partner"].browse(inbound.mail_message_ids.mapped("res_id"))
        self.assertEqual(len(documents), 2)
        for document in documents:
            document.message_post(
                body="Yours", message_type="comment", subtype_xmlid="mail.mt_comment"
            )
            # the last message is that of both
            document.message_post(
                body="Hello",
                message_type="email",
                subtype_xmlid="mail.mt_comment",
                message_id="<both@customer.example>",
            )
        for document in documents:
            with self.subTest(document.id):
                answer = self.take_in(self.send_and_forget(document))
                self.assertVerdict(answer, "delivered", "reply")
                self.assertEqual(answer.res_id, document.id)

    def test_an_answer_follows_a_conversation_to_its_document(self):
        conversation = self.take_in(self.john.alias_email, self.customer).conversation_id
        address = self.reply_address(self.leave("john@home.example"))
        conversation.with_user(self.john)._attach_to(self.document)
        inbound = self.take_in(address)
        self.assertEqual((inbound.res_model, inbound.res_id), ("res.partner", self.document.id))

    def test_an_answer_to_a_document_that_is_gone_is_kept(self):
        document = self._create_document("Gone")
        self.write_on(document)
        address = self.reply_address(self.leave())
        document.unlink()
        self.assertVerdict(self.take_in(address), "review", "unrouted")

    def test_an_altered_foreign_or_truncated_address_is_nobodys(self):
        message = self.write_on(self.document)
        address = self.reply_address(self.leave())
        local_part = address.partition("@")[0]
        other = "a" if local_part[20] != "a" else "b"
        rows = {
            "altered": local_part[:20] + other + local_part[21:],
            "truncated": local_part[:-1],
            "cut down": local_part[:8],
            "of another kind": local_part.replace("reply", "bounce"),
        }
        self.env["ir.config_parameter"].set_param("database.secret", "another database")
        rows["foreign"] = local_part
        for name, row in rows.items():
            with self.subTest(name=name):
                inbound = self.take_in(f"{row}@{self.domain}")
                self.assertVerdict(inbound, "review", "unrouted")
                self.assertFalse(inbound.mail_message_ids)
        # and what it says it answers does not help it
        inbound = self.take_in(address, in_reply_to=message.message_id)
        self.assertVerdict(inbound, "review", "unrouted")

    def test_an_address_beats_what_the_header_says(self):
        other = self.write_on(self._create_document("Other"))
        self.write_on(self.document)
        address = self.reply_address(self.leave())
        inbound = self.take_in(address, in_reply_to=other.message_id)
        self.assertEqual(inbound.res_id, self.document.id)

    def test_only_our_own_addresses_are_replaced(self):
        for reply_to, force_new in (
            ("Ann <ann@agency.example>", False),
            (self.mail_alias_domain.catchall_email, True),
            (f"{self.mail_alias_domain.catchall_email}, ann@agency.example", False),
        ):
            self.env["mail.mail"].create(
                {
                    "email_to": self.contact,
                    "model": "res.partner",
                    "res_id": self.document.id,
                    "reply_to": reply_to,
                    "reply_to_force_new": force_new,
                }
            ).send()
            self.assertEqual(self.leave().mail["Reply-To"], reply_to)

    def test_switched_off_nothing_is_signed_and_what_was_is_understood(self):
        self.write_on(self.document)
        address = self.reply_address(self.leave())
        self.mail_alias_domain.signed_reply_to = False
        self.write_on(self.document)
        left = self.leave()
        self.assertEqual(self.reply_address(left), self.mail_alias_domain.catchall_email)
        self.assertEqual(left.envelope_from, self.mail_alias_domain.bounce_email)
        self.assertVerdict(self.take_in(address), "delivered", "reply")

    def test_nobody_becomes_a_contact_with_such_an_address(self):
        self.write_on(self.document)
        address = self.reply_address(self.leave())
        domains = self.env["mail.alias.domain"]
        self.assertTrue(domains._is_gateway_address(address))
        find = self.env["mail.thread"]._mail_find_partner_from_emails
        self.assertFalse(find([address], force_create=True)[0])

    # ------------------------------------------------------------
    # BOUNCES
    # ------------------------------------------------------------

    def write_to_both(self):
        """Return a message to two contacts, and what left for each."""
        other = self._create_document("Bob", email="bob@customer.example")
        message = self.document.with_user(self.john).message_post(
            body="Hello", message_type="comment", partner_ids=(self.document | other).ids
        )
        return message, other, self.leave(), self.leave("bob@customer.example")

    def statuses(self, message):
        return {
            notification.res_partner_id: notification.notification_status
            for notification in message.notification_ids
        }

    def test_a_bounce_turns_the_notification_of_the_one_recipient_red(self):
        message, other, mary, bob = self.write_to_both()
        self.assertNotEqual(mary.envelope_from, bob.envelope_from)
        self.assertRegex(bob.envelope_from, rf"^bounce\.[a-z2-7]+@{self.domain}$")
        self.assertEqual(bob.mail["Return-Path"], bob.envelope_from)
        # the report calls him by where he had his mail sent on, and quotes nothing of ours
        report = self.make_bounce({"Message-Id": "<gone@relay.example>"}, "bob@elsewhere.example")
        inbound = self.bounce(report, bob)
        self.assertVerdict(inbound, "delivered", "bounce_report")
        self.assertEqual(self.statuses(message), {self.document: "sent", other: "bounce"})
        self.assertEqual(other.message_bounce, 1)

    def test_what_a_mail_system_sends_there_is_a_failure_however_it_words_it(self):
        message, other, _mary, bob = self.write_to_both()
        report = self.make_mail("x@y.example", "System <system@mx.example>", subject="Oh no")
        report["Return-Path"] = "<>"
        inbound = self.bounce(report, bob)
        self.assertVerdict(inbound, "delivered", "bounce_report")
        self.assertEqual(self.statuses(message), {self.document: "sent", other: "bounce"})

    def test_a_vacation_notice_sent_there_is_no_failure(self):
        message, other, _mary, bob = self.write_to_both()
        report = self.make_mail(
            "x@y.example", "bob@customer.example", auto_submitted="auto-replied"
        )
        report["Return-Path"] = "<>"
        inbound = self.bounce(report, bob)
        self.assertVerdict(inbound, "delivered", "auto_reply")
        self.assertEqual(inbound.res_id, self.document.id)
        self.assertEqual(self.statuses(message)[other], "sent")

    def test_a_report_to_an_altered_address_marks_nothing(self):
        message, other, _mary, bob = self.write_to_both()
        report = self.make_bounce({"Message-Id": message.message_id}, "bob@customer.example")
        bob.envelope_from = bob.envelope_from.replace("@", "a@")
        inbound = self.bounce(report, bob)
        self.assertVerdict(inbound, "review", "unrouted")
        self.assertEqual(self.statuses(message)[other], "sent")

    def test_a_company_rejects_as_itself(self):
        second = self.mail_alias_domain_c2
        self.strict.accepted = relays.re.compile(rf"[^@\s]+@{second.name}")
        self.relay.from_filter = second.name
        second.unrouted_policy = "bounce"
        for signed in (False, True):
            second.signed_reply_to = signed
            for number, name in enumerate((second.catchall_alias, "nobody")):
                with self.subTest(name=name, signed=signed):
                    sender = f"con{number}{signed:d}@customer.example"
                    self.take_in(f"{name}@{second.name}", sender)
                    left = self.leave(sender)
                    self.assertEqual(left.header_from, f"MAILER-DAEMON <{second.bounce_email}>")
                    self.assertEqual(left.envelope_from, left.mail["Return-Path"])
                    self.assertEqual(left.mail["Auto-Submitted"], "auto-generated")
                    self.assertNotIn(self.company_admin.name.encode(), left.raw)
        self.assertFalse(self.strict.refused)

    def bounce(self, report, left):
        """Process a report about a mail that left, sent to its envelope sender."""
        del report["To"]
        report["To"] = left.envelope_from
        return self.take_in_raw(report.as_bytes(), left.envelope_from)

    def take_in_raw(self, raw, to):
        values = {"envelope_to": to, "state": "processing", "attempt_count": 1}
        inbound = self.env["mail.catchall.inbound"]._store([(raw, values)])
        inbound.env["mail.catchall.queue"]._process_locked(inbound)
        return inbound

    # ------------------------------------------------------------
    # AUTOMATIC MAIL
    # ------------------------------------------------------------

    def test_what_machines_write_says_so_and_what_people_write_does_not(self):
        self.write_on(self.document)
        self.assertFalse(self.leave().mail["Auto-Submitted"])
        self.assertFalse(self.leave().mail["X-Catchall-Loop"])
        self.document.message_notify(body="Due", partner_ids=self.document.ids)
        left = self.leave()
        self.assertEqual(left.mail["Auto-Submitted"], "auto-generated")
        mark = self.env["mail.catchall.rejection"]._get_loop_mark()
        self.assertEqual(left.mail["X-Catchall-Loop"], mark)
        bot = self.document.with_user(self.env.ref("base.user_root"))
        bot.message_post(body="Hi", message_type="comment", partner_ids=self.document.ids)
        self.assertEqual(self.leave().mail["Auto-Submitted"], "auto-generated")
        # a template says nothing of who presses the button
        self.env["mail.mail"].create(
            {"email_to": self.contact, "email_from": self.john.email_formatted}
        ).send()
        self.assertFalse(self.leave().mail["Auto-Submitted"])

    def test_a_contact_form_comes_in(self):
        team = self._create_team_alias()
        self.env["mail.mail"].create(
            {"email_to": team.alias_full_name, "email_from": self.customer}
        ).send()
        left = self.leave(team.alias_full_name)
        self.assertFalse(left.mail["X-Catchall-Loop"])
        self.assertFalse(left.mail["Auto-Submitted"])

    def test_kinds(self):
        self.write_on(self.document)
        left = self.leave()
        parse = self.env["mail.alias.domain"]._parse_signed
        self.assertEqual(parse(self.reply_address(left)).kind, REPLY)
        signed = parse(email.utils.parseaddr(left.envelope_from)[1])
        self.assertEqual((signed.kind, signed.partner_id), (BOUNCE, self.document.id))
