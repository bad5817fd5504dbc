from odoo.tests import tagged

from ..common import CatchallCommon, patch


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestDeliveryReports(CatchallCommon):
    """Reports about mails that we sent."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mary = cls._create_document("Mary Smith", email="mary@customer.example")
        cls.bounce = cls.mail_alias_domain.bounce_email
        cls.document = cls._create_document()

    def send(self):
        """Send a mail about a document to Mary, and return it and its message."""
        with self.mock_mail_gateway():
            message = self.document.with_user(self.user_admin).message_post(
                body="Hello",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=self.mary.ids,
            )
        (sent,) = self.sent_to("mary@customer.example")
        return sent, message

    def get_notification(self, message, partner):
        return message.notification_ids.filtered(lambda n: n.res_partner_id == partner)

    def make_report(self, sent, action, status, address="mary@customer.example", diagnostic=""):
        """Return a report with one recipient as ``EmailMessage``."""
        report = self.make_bounce(sent, address)
        payload = report.get_payload().replace("Action: failed", f"Action: {action}")
        payload = payload.replace("Status: 5.1.1", f"Status: {status}{diagnostic}")
        report.set_payload(payload)
        return report

    def test_the_notification_turns_red_with_the_reason(self):
        sent, message = self.send()
        diagnostic = "\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user here"
        inbound = self.receive(self.make_report(sent, "failed", "5.1.1", diagnostic=diagnostic))
        self.assertVerdict(inbound, "delivered", "bounce_report")
        notification = self.get_notification(message, self.mary)
        self.assertEqual(notification.notification_status, "bounce")
        self.assertEqual(notification.failure_type, "mail_bounce")
        self.assertEqual(notification.failure_reason, "550 5.1.1 no such user here")
        for text in ("mary@customer.example", "550 5.1.1 no such user here"):
            self.assertIn(text, inbound.reason)
        self.assertEqual(self.mary.message_bounce, 1, "counters of the blacklist move")
        self.assertFalse(inbound.mail_message_ids, "no report becomes a message")

    def test_a_delay_is_no_failure(self):
        sent, message = self.send()
        inbound = self.receive(self.make_report(sent, "delayed", "4.4.1"))
        self.assertVerdict(inbound, "delivered", "bounce_report")
        self.assertIn("Not yet", inbound.reason)
        notification = self.get_notification(message, self.mary)
        self.assertEqual(notification.notification_status, "sent")
        self.assertFalse(self.mary.message_bounce)

    def test_a_receipt_is_no_failure(self):
        sent, message = self.send()
        inbound = self.receive(self.make_report(sent, "delivered", "2.0.0"))
        self.assertVerdict(inbound, "delivered", "bounce_report")
        self.assertEqual(self.get_notification(message, self.mary).notification_status, "sent")
        self.assertFalse(self.mary.message_bounce)

    def test_other_modules_are_told_of_failures_alone(self):
        """What mass_mailing counts as bounced, and puts on the blacklist."""
        thread, told = type(self.env["mail.thread"]), []
        parse = thread.message_parse

        def message_parse(self, *args, **kwargs):
            told.append(parse(self, *args, **kwargs))
            return told[-1]

        for kind, status, is_told in [
            ("failed", "5.1.1", True),
            ("delayed", "4.4.1", False),
            ("delivered", "2.0.0", False),
        ]:
            sent, _message = self.send()
            with self.subTest(kind), patch.object(thread, "message_parse", message_parse):
                self.receive(self.make_report(sent, kind, status))
                names = ("bounced_email", "bounced_msg_ids", "bounced_partner")
                self.assertEqual([bool(told[-1][name]) for name in names], [is_told] * 3)

    def test_what_reports_nothing_and_is_for_somebody_waits(self):
        for sender in ("Mary <>", "MAILER-DAEMON@customer.example"):
            with self.subTest(sender=sender):
                mail = self.make_mail(self.john.alias_email, sender).as_bytes()
                mail = mail.replace(b"Mary <>", b"<>")
                inbound = self.receive(mail)
                self.assertVerdict(inbound, "review", "bounce_report")
                with self.mock_mail_gateway():
                    inbound.action_accept()
                self.assertVerdict(inbound, "delivered", "user_alias")
                self.assertIn("Two, please.", inbound.mail_message_ids.body)
        to_the_gateway = self.make_mail(self.bounce, "MAILER-DAEMON@customer.example")
        self.assertVerdict(self.receive(to_the_gateway), "delivered", "bounce_report")

    def test_all_recipients_of_a_report_are_marked(self):
        bob = self._create_document("Bob", email="bob@customer.example")
        with self.mock_mail_gateway():
            message = self.document.message_post(
                body="Hello", message_type="comment", partner_ids=(self.mary + bob).ids
            )
        (sent,) = self.sent_to("mary@customer.example")
        report = self.make_bounce(sent, "mary@customer.example")
        block = (
            "\r\nFinal-Recipient: rfc822; bob@customer.example\r\n"
            "Action: failed\r\nStatus: 5.2.2\r\n"
        )
        payload = report.get_payload()
        report.set_payload(payload.replace("Status: 5.1.1\r\n", f"Status: 5.1.1\r\n{block}"))
        self.receive(report)
        statuses = message.notification_ids.mapped("notification_status")
        self.assertEqual(statuses, ["bounce", "bounce"])

    def test_a_report_without_its_standard_parts_is_understood(self):
        """What flufl.bounce knows and core does not: the text of old servers."""
        sent, message = self.send()
        mail = self.make_mail(
            self.bounce,
            sender="MAILER-DAEMON@mx.example",
            subject="failure notice",
            text="Hi. This is the qmail-send program at mx.example.\n"
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
            "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
            "<mary@customer.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
            "--- Below this line is a copy of the message.\n\n"
            f"Message-ID: {sent['Message-Id']}\nSubject: Hello\n\nHello\n",
        )
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "bounce_report")
        self.assertEqual(self.get_notification(message, self.mary).notification_status, "bounce")

    def test_an_address_in_a_text_that_names_no_mail_is_a_guess(self):
        mail = self.make_mail(
            self.bounce,
            sender="MAILER-DAEMON@mx.example",
            subject="failure notice",
            text="Hi. This is the qmail-send program at mx.example.\n"
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n"
            "<mary@customer.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n",
        )
        self.assertVerdict(self.receive(mail), "delivered", "bounce_report")
        self.assertFalse(self.mary.message_bounce)

    def test_the_conversation_says_so(self):
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        message = self.post(conversation, self.john, "Here you are")
        (sent,) = self.sent_to("mary@customer.example")
        diagnostic = "\r\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full"
        self.receive(self.make_report(sent, "failed", "5.2.2", diagnostic=diagnostic))
        self.assertEqual(self.get_notification(message, self.mary).notification_status, "bounce")
        self.assertIn("552 5.2.2 mailbox full", conversation.message_ids[0].body)

    def test_what_people_write_to_the_bounce_address_is_no_report(self):
        inbound = self.receive(self.make_mail(self.bounce))
        self.assertVerdict(inbound, "review", "unrouted")

    def test_no_report_becomes_a_document(self):
        team = self._create_team_alias().alias_full_name
        inbound = self.receive(
            self.make_mail(team, sender="MAILER-DAEMON@mx.example", subject="Failed", text="?")
        )
        self.assertVerdict(inbound, "review", "bounce_report")
        self.assertFalse(self.env["res.partner"].search([("name", "=", "Failed")]))

    def test_reports_are_never_answered(self):
        sent, _message = self.send()
        for to in (self.mail_alias_domain.catchall_email, f"nobody@{self.domain}"):
            report = self.make_bounce(sent, "mary@customer.example")
            report.replace_header("To", to)
            with self.subTest(to=to):
                self.assertVerdict(self.receive(report), "delivered", "bounce_report")
                self.assertFalse(self.emails)
