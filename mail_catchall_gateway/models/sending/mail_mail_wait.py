import datetime
import logging
import sys
import time

import psycopg2

from odoo import api, fields, models

from ...tools.sending.smtp_failure import Sending
from .ir_mail_server_session import unwrap

_logger = logging.getLogger(__name__)

#: Minutes to wait before each further attempt; the last one counts for all that follow.
WAIT_MINUTES = (1, 5, 15)
#: As often a mail is tried: for about two days.
MAX_ATTEMPTS = 200
#: Seconds for which a database is waited for that is gone.
DATABASE_PAUSES = (0, 1, 2, 4, 8, 16)
#: What core calls the failures of sending; all others are about recipients and senders.
SMTP_FAILURES = ("mail_smtp", "unknown")


class MailMail(models.Model):
    """Mail that no server takes for now waits for it. Core gives it up at the first attempt.

    Not for who asked for the exception: he does with it what he wants.
    """

    _inherit = "mail.mail"

    catchall_attempts = fields.Integer("Attempts", readonly=True, copy=False)
    catchall_accepted = fields.Json(
        "Accepted For",
        readonly=True,
        copy=False,
        help="Contacts whose mail was accepted by a mail server while others' was not, 0 is To.",
    )

    # ------------------------------------------------------------
    # SENDING
    # ------------------------------------------------------------

    def send(self, auto_commit=False, raise_exception=False):
        mails = self.with_context(catchall_sending=None if raise_exception else Sending())
        return super(MailMail, mails).send(auto_commit=auto_commit, raise_exception=raise_exception)

    def _send(self, auto_commit=False, **kwargs):
        """Let no failure of the database have a mail sent again that a mail server has."""
        sending = self.env.context.get("catchall_sending")
        if not sending:
            return super()._send(auto_commit=auto_commit, **kwargs)
        try:
            res = super()._send(auto_commit=auto_commit, **kwargs)
            if any(sending.accepted.values()):
                # or it might fail later, where nobody knows what was sent
                self.env.flush_all()
            return res
        except psycopg2.Error:
            if any(sending.accepted.values()):
                self._save_accepted(sending)
            raise

    @api.model
    def process_email_queue(self, ids=None):
        """Send also what would wait longer than any pause: a clock was wrong."""
        latest = fields.Datetime.now() + datetime.timedelta(minutes=max(WAIT_MINUTES) + 1)
        frozen = self.search([*self._get_waiting_domain(), ("scheduled_date", ">", latest)])
        if frozen:
            frozen.scheduled_date = False
        return super().process_email_queue(ids=ids)

    def _prepare_outgoing_list(self, recipients_follower_status=None):
        """Send nothing again to those for whom a mail server accepted it."""
        emails = super()._prepare_outgoing_list(recipients_follower_status)
        parts = [values["partner_id"].id if values["partner_id"] else 0 for values in emails]
        if accepted := self.catchall_accepted:
            emails = [
                values for values, part in zip(emails, parts, strict=True) if part not in accepted
            ]
            parts = [part for part in parts if part not in accepted]
        if sending := self.env.context.get("catchall_sending"):
            sending.plan(self.message_id, parts)
        return emails

    def _postprocess_sent_message(self, success_pids, failure_reason=False, failure_type=None):
        """Let mails wait that failed for now; core calls this while it handles the exception."""
        waiting = self.browse()
        sending = self.env.context.get("catchall_sending")
        if not failure_type:
            self.filtered("catchall_accepted").catchall_accepted = False
        elif sending and failure_type in SMTP_FAILURES:
            if unwrap(sys.exc_info()[1]) in sending.temporary:
                waiting = self.filtered(lambda mail: mail.catchall_attempts < MAX_ATTEMPTS)
                waiting._wait(sending)
            # a person who tries it again begins anew, but for those who have it
            for mail in self - waiting:
                mail.write(
                    {"catchall_attempts": 0, "catchall_accepted": mail._get_accepted(sending)}
                )
        return super(MailMail, self - waiting)._postprocess_sent_message(
            success_pids, failure_reason=failure_reason, failure_type=failure_type
        )

    def _save_accepted(self, sending):
        """Note what mail servers took, over a cursor of its own: ours is lost.

        It is all that is known about it: a database that is being restarted is waited for.
        """
        for seconds in DATABASE_PAUSES:
            time.sleep(seconds)
            try:
                with self.pool.cursor() as cr:
                    # whoever has the mail in hands must not be waited for, it might be ourselves
                    cr.execute("SET LOCAL lock_timeout = '5s'")
                    mails = self.with_env(self.env(cr=cr))
                    mails._write_accepted(sending)
                    # the cursor does so only as long as somebody has the environment
                    mails.env.flush_all()
                return
            except psycopg2.Error:
                _logger.warning("What was sent could not be noted yet", exc_info=True)
        _logger.error("Sent, and may be sent again: %s", ", ".join(sending.accepted))

    def _write_accepted(self, sending):
        for mail in self.exists():
            if mail.state != "outgoing" or not sending.accepted.get(mail.message_id):
                continue
            if not sending.is_complete(mail.message_id):
                mail.catchall_accepted = mail._get_accepted(sending)
                continue
            partners = self.env["res.partner"].browse(filter(None, mail._get_accepted(sending)))
            mail.write({"state": "sent", "failure_reason": False})
            mail._postprocess_sent_message(success_pids=list(partners))

    # ------------------------------------------------------------
    # WAITING
    # ------------------------------------------------------------

    @api.model
    def _get_waiting_domain(self):
        return [("state", "=", "outgoing"), ("catchall_attempts", ">", 0)]

    def _wait(self, sending):
        """Put mails back into the queue, for those recipients that they were not accepted for."""
        now = fields.Datetime.now()
        for mail in self:
            minutes = WAIT_MINUTES[min(mail.catchall_attempts, len(WAIT_MINUTES) - 1)]
            mail.write(
                {
                    "state": "outgoing",
                    "failure_type": False,
                    "scheduled_date": now + datetime.timedelta(minutes=minutes),
                    "catchall_attempts": mail.catchall_attempts + 1,
                    "catchall_accepted": mail._get_accepted(sending),
                }
            )
            mail._keep_notifications_ready(sending.accepted[mail.message_id])
        for date in set(self.mapped("scheduled_date")):
            self._trigger_queue(date)

    def _get_accepted(self, sending):
        """Return the parts of this mail that mail servers took, now or before."""
        return [*(self.catchall_accepted or ()), *sending.accepted[self.message_id]] or False

    def _keep_notifications_ready(self, partner_ids):
        """Take back that core marked the notifications as failed before it began to send."""
        domain = [("notification_type", "=", "email"), ("mail_mail_id", "in", self.ids)]
        domain.append(("notification_status", "not in", ("sent", "canceled")))
        notifications = self.env["mail.notification"].sudo().search(domain)
        sent = notifications.filtered(lambda n: n.res_partner_id.id in partner_ids)
        no_failure = {"failure_type": False, "failure_reason": False}
        sent.write({"notification_status": "sent", **no_failure})
        (notifications - sent).write({"notification_status": "ready", **no_failure})

    @api.model
    def _trigger_queue(self, date):
        """Have the queue run when mails are due, once for all that are due in a minute."""
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action", raise_if_not_found=False)
        if not queue:
            return
        date = date.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
        domain = [("cron_id", "=", queue.id), ("call_at", "=", date)]
        if not self.env["ir.cron.trigger"].sudo().search_count(domain, limit=1):
            queue._trigger(at=date)
