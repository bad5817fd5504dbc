"""Mail that a mail server does not take for now: a real server, that can be told to."""

import datetime
import smtplib

from odoo import fields
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...tools.pauses import MAX_ATTEMPTS
from .. import smtp_relay as relays
from ..common import CatchallCommon

LOGGERS = ("odoo.addons.mail.models.mail_mail", "odoo.addons.base.models.ir_mail_server")


class Greylisting(relays.Relay):
    """Answers to some recipients that they are to come again, or to never do."""

    later, never = (), ()

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in self.later:
            return "451 4.7.1 Greylisted"
        if address in self.never:
            return "550 5.1.1 User unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestMailMail(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["mail.mail"].search([]).unlink()
        cls.ann, cls.bob = cls.env["res.partner"].create(
            [{"name": name, "email": f"{name}@customer.example"} for name in ("ann", "bob")]
        )
        cls.queue = cls.env.ref("mail.ir_cron_mail_scheduler_action")

    def setUp(self):
        super().setUp()
        self.server = Greylisting()
        running = relays.running(self.env, self.server)
        self.relay.write({"smtp_host": relays.HOST, "smtp_port": running.__enter__()})
        self.addCleanup(running.__exit__, None, None, None)

    def make_mail(self, **values):
        values = {"subject": "Bicycles", "body_html": "<p>Two</p>", **values}
        return self.env["mail.mail"].create({"email_from": self.john.alias_email, **values})

    def send(self, mail, **kwargs):
        with mute_logger(*LOGGERS):
            mail.send(**kwargs)

    def sent_to_whom(self):
        return [recipient for left in self.server.left for recipient in left.recipients]

    def test_it_waits_and_is_sent(self):
        self.server.later = [self.ann.email]
        with mute_logger(*LOGGERS):
            message = self._create_document().message_post(
                body="Two", partner_ids=self.ann.ids, message_type="comment"
            )
        notification, mail = message.notification_ids, message.notification_ids.mail_mail_id
        start = fields.Datetime.now()
        for minutes in (1, 5, 15, 15):
            self.assertEqual(mail.state, "outgoing")
            pause = mail.scheduled_date - start
            self.assertAlmostEqual(pause.total_seconds(), 60 * minutes, delta=30)
            self.assertEqual(notification.notification_status, "ready")
            self.send(mail)
        self.assertIn("Greylisted", mail.failure_reason)
        last = mail.scheduled_date
        triggers = self.env["ir.cron.trigger"].search([("cron_id", "=", self.queue.id)])
        self.assertTrue(triggers.filtered(lambda t: t.call_at > last))
        self.server.later = []
        self.send(mail)
        self.assertFalse(mail.exists(), "sent")
        self.assertEqual(notification.notification_status, "sent")
        self.assertEqual(self.sent_to_whom(), [self.ann.email])

    def test_only_who_did_not_get_it_gets_it_later(self):
        mail = self.make_mail(
            email_to="mary@customer.example", recipient_ids=(self.ann | self.bob).ids
        )
        self.server.later = [self.ann.email]
        self.send(mail)
        self.assertEqual(mail.catchall_accepted, [0])
        self.server.later = [self.bob.email]
        self.send(mail)
        self.assertEqual(mail.catchall_accepted, [0, self.ann.id])
        self.server.later = []
        self.send(mail)
        self.assertEqual(mail.state, "sent")
        self.assertFalse(mail.catchall_accepted)
        self.assertEqual(
            self.sent_to_whom(), ["mary@customer.example", self.ann.email, self.bob.email]
        )

    def test_who_got_it_does_not_get_it_again_by_retry(self):
        """Another recipient was refused for good, and somebody corrected that."""
        mail = self.make_mail(
            email_to="mary@customer.example", recipient_ids=(self.ann | self.bob).ids
        )
        self.server.never = [self.bob.email]
        for _attempt in range(2):
            self.send(mail)
            self.assertEqual(mail.state, "exception")
            mail.mark_outgoing()
        self.server.never = []
        self.send(mail)
        self.assertEqual(mail.state, "sent")
        self.assertFalse(mail.catchall_accepted)
        self.assertEqual(
            self.sent_to_whom(), ["mary@customer.example", self.ann.email, self.bob.email]
        )

    def test_it_is_given_up_at_last(self):
        self.server.later = [self.ann.email]
        mail = self.make_mail(recipient_ids=self.ann.ids)
        mail.catchall_attempts = MAX_ATTEMPTS["outgoing"]
        self.send(mail)
        self.assertEqual((mail.state, mail.failure_type), ("exception", "unknown"))
        mail.mark_outgoing()
        self.send(mail)
        self.assertEqual(mail.state, "outgoing", "a person who tries it again begins anew")

    def test_what_is_refused_for_good(self):
        self.server.never = [self.ann.email]
        mail = self.make_mail(recipient_ids=self.ann.ids)
        self.send(mail)
        self.assertEqual((mail.state, mail.catchall_attempts), ("exception", 0))

    def test_who_asks_for_the_exception_gets_it(self):
        self.server.later = [self.ann.email]
        mail = self.make_mail(recipient_ids=self.ann.ids)
        with self.assertRaises(MailDeliveryException), mute_logger(*LOGGERS):
            mail.send(raise_exception=True)
        self.relay.smtp_port = 1
        with self.assertRaises(MailDeliveryException), mute_logger(*LOGGERS):
            self.make_mail(recipient_ids=self.ann.ids).send(raise_exception=True)

    def test_a_server_that_is_away_is_asked_once(self):
        """Senders have sessions of their own, each of which could take a minute to fail."""
        mails = self.make_mail(recipient_ids=self.ann.ids)
        mails |= self.make_mail(recipient_ids=self.bob.ids, email_from=self.jane.alias_email)
        asked = []
        self.patch(smtplib, "SMTP", lambda *args, **kwargs: asked.append(args) or self.fail_())
        self.send(mails)
        self.assertEqual(mails.mapped("state"), ["outgoing"] * 2)
        self.assertEqual(len(asked), 1)

    def fail_(self):
        raise TimeoutError("timed out")

    def test_where_one_sees_it(self):
        self.server.later = [self.ann.email]
        mail = self.make_mail(recipient_ids=self.ann.ids)
        self.send(mail)
        rows = self.env["res.config.settings"].new({})._prepare_catchall_state()
        (row,) = (row for row in rows if row["label"] == "Sending")
        self.assertEqual(row["state"], "error")
        self.assertIn("takes for now: 1.", row["text"])
        self.assertIn("Greylisted", row["text"])
        with Form(mail) as form:
            self.assertEqual(form.catchall_attempts, 1)

    def test_the_queue_does_not_wait_for_a_wrong_clock(self):
        mail = self.make_mail(recipient_ids=self.ann.ids)
        later = fields.Datetime.now() + datetime.timedelta(days=400)
        mail.write({"catchall_attempts": 1, "scheduled_date": later})
        planned = self.make_mail(recipient_ids=self.ann.ids, scheduled_date=later)
        self.env["mail.mail"].process_email_queue()
        self.assertEqual((mail.state, planned.state), ("sent", "outgoing"))
