import contextlib
import logging
import sys
import time

import psycopg2

from odoo import api, fields, models, tools
from odoo.service.model import retrying

from ...tools import pauses
from ...tools.addresses.signed_address import BOUNCE, REPLY, SignedAddress
from ...tools.sending.smtp_failure import CONTEXT_KEY, Sending, sending_of
from .ir_mail_server import unwrap

_logger = logging.getLogger(__name__)

#: Seconds for which a database is waited for that is gone.
DATABASE_PAUSES = (0, 1, 2, 4, 8, 16)
#: What core calls the failures of sending; all others are about recipients and senders.
SMTP_FAILURES = ("mail_smtp", "unknown")
#: Types of messages that no person writes, but for what is put into their text.
MACHINE_TYPES = ("notification", "auto_comment", "user_notification")


class MailMail(models.Model):
    """Who gets a mail, what it says to those who answer it, and when it is tried again.

    Mail that no server takes for now waits for it, where core gives up at the first attempt; not
    for callers who ask for the exception. As whom it leaves is up to ``ir.mail_server``.
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

    @api.model
    def process_email_queue(self, ids=None):
        """Send also what would wait longer than any pause: a clock was wrong."""
        latest = fields.Datetime.now() + pauses.LONGEST
        frozen = self.search([*self._get_waiting_domain(), ("scheduled_date", ">", latest)])
        if frozen:
            frozen.scheduled_date = False
        return super().process_email_queue(ids=ids)

    def send(self, auto_commit=False, raise_exception=False):
        """Leave to the queue what may still be rolled back, and would be sent again then."""
        if self.env.context.get("catchall_queue_mail"):
            return None
        sending = None if raise_exception else Sending()
        mails = self.with_context(**{CONTEXT_KEY: sending})
        return super(MailMail, mails).send(auto_commit=auto_commit, raise_exception=raise_exception)

    def _send(self, auto_commit=False, *args, **kwargs):
        """Try again at once when a user marks the message as read at the same moment.

        Core ends the run of the queue then, before it sends that mail, and the next is in an hour.
        """

        def send():
            # those that were sent are gone, or known as sent
            mails = self.exists() if auto_commit else self
            # core's mark of what a mail.mail sends, which not all builds set
            mails = mails.with_context(send_validated_to=())
            # core logs it also where the transaction has failed, and would not come to the failure
            mails.mapped("message_id")
            with mails._keep_accepted():
                return super(MailMail, mails)._send(auto_commit, *args, **kwargs)

        return retrying(send, self.env) if auto_commit else send()

    @contextlib.contextmanager
    def _keep_accepted(self):
        """Let no failure of the database have a mail sent again that a mail server has."""
        sending = sending_of(self.env)
        try:
            yield
            if sending and any(sending.accepted.values()):
                # or it might fail later, where it is not known what was sent
                self.env.flush_all()
        except psycopg2.Error:
            if sending and any(sending.accepted.values()):
                self._save_accepted(sending)
            raise

    def _postprocess_sent_message(self, success_pids, failure_reason=False, failure_type=None):
        """Let mails wait that failed for now; core calls this while it handles the exception."""
        waiting = self.browse()
        sending = sending_of(self.env)
        if not failure_type:
            self.filtered("catchall_accepted").catchall_accepted = False
        elif sending and failure_type in SMTP_FAILURES:
            if unwrap(sys.exc_info()[1]) in sending.temporary:
                limit = pauses.MAX_ATTEMPTS["outgoing"]
                waiting = self.filtered(lambda mail: mail.catchall_attempts < limit)
                waiting._wait(sending)
            # a person who tries it again begins anew, but for those who have it
            for mail in self - waiting:
                accepted = mail._get_accepted(sending)
                mail.write({"catchall_attempts": 0, "catchall_accepted": accepted})
        return super(MailMail, self - waiting)._postprocess_sent_message(
            success_pids, failure_reason=failure_reason, failure_type=failure_type
        )

    # ------------------------------------------------------------
    # RECIPIENTS
    # ------------------------------------------------------------

    def _prepare_outgoing_list(self, recipients_follower_status=None):
        """Decide who gets which part of a mail, and what is written on it.

        Each step works on what the one before it left; the parts that are sent are numbered by
        ``_leave_out_accepted``, after which none is added or taken out.
        """
        emails = super()._prepare_outgoing_list(recipients_follower_status)
        for values in emails:
            if "email_to_normalized" not in values:  # not all builds have it
                addresses = ",".join((*values["email_to"], *values["email_cc"]))
                values["email_to_normalized"] = tools.email_normalize_all(addresses)
        self._set_colleagues_apart(emails)
        emails = self._leave_out_accepted(emails)
        self._leave_out_ourselves(emails)
        self._add_headers(emails)
        return emails

    def _set_colleagues_apart(self, emails):
        """Write to a user at their own address apart from those who are named in To and Cc.

        A template may send its mail to a customer, with the salesperson in Cc.
        """
        identities = self.env["res.users"]._get_identities(with_archived=True)
        own = {}
        for values in emails:
            addresses = set(values["email_to_normalized"])
            if not values["partner_id"] and addresses - identities.keys():
                own.update((address, values) for address in addresses & identities.keys())
        for address, values in own.items():
            for key in ("email_to", "email_cc", "email_to_normalized"):
                values[key] = [one for one in values[key] if tools.email_normalize(one) != address]
            # sudo: the contact of a user, whom the sender may not read
            partner = self.env["res.users"].sudo().browse(identities[address][0]).partner_id
            if all(values["partner_id"] != partner for values in emails):
                apart = {"email_to": [address], "email_to_normalized": [address], "email_cc": []}
                emails.append({**values, **apart, "email_to_raw": address, "partner_id": partner})

    def _leave_out_accepted(self, emails):
        """Return the parts without those that a mail server accepted before."""
        accepted = self.catchall_accepted or ()
        parts = [values["partner_id"].id if values["partner_id"] else 0 for values in emails]
        left = [pair for pair in zip(parts, emails, strict=True) if pair[0] not in accepted]
        if sending := sending_of(self.env):
            sending.plan(self.message_id, [part for part, _values in left])
        return [values for _part, values in left]

    def _leave_out_ourselves(self, emails):
        """Send nothing to a contact whose address is one of ours, as if it were a person's.

        Core reports a recipient without a valid address to the author. To the alias of a team it
        sends, and knows the mail again when it comes back; addresses that are no contact's are
        meant to come back, like that of a contact form.
        """
        domains, users = self.env["mail.alias.domain"], self.env["res.users"]
        is_ours = domains._get_ownership_test()
        for values in emails:
            addresses = values["email_to_normalized"] if values["partner_id"] else []
            if any(
                domains._is_service_address(address)
                or (domains._is_gateway_address(address) and users._find_by_alias(address))
                for address in filter(is_ours, addresses)
            ):
                values.update(email_to=[], email_to_normalized=[])

    def _add_headers(self, emails):
        """Write on each part that a machine sends it, and where answers and bounces go."""
        automatic = self._get_automatic_headers() if emails else {}
        signer = self.env["mail.alias.domain"]._get_signer(self.model)
        for values in emails:
            # core gives all of them the same dict
            values["headers"] = {**automatic, **values["headers"]}
            if signer:
                self._sign(values, signer)

    def _sign(self, values, signer):
        """Sign Reply-To and Return-Path of one part of ``_prepare_outgoing_list``."""
        domains = self.env["mail.alias.domain"]
        partner = values["partner_id"]
        message = self.mail_message_id
        ids = {"message_id": message.id, "partner_id": partner.id if partner else 0}
        if signer.model_id and self.res_id and not message.reply_to_force_new:
            # answers belong to the document that the mail is about
            ids.update(model_id=signer.model_id, res_id=self.res_id)
            signed = SignedAddress(REPLY, **ids)
            values["reply_to"] = domains._sign_address(values["reply_to"], signed, signer)
        headers = values["headers"]
        signed = SignedAddress(BOUNCE, **ids)
        headers["Return-Path"] = domains._sign_address(headers.get("Return-Path"), signed, signer)

    # ------------------------------------------------------------
    # AUTOMATIC MAIL
    # ------------------------------------------------------------

    def _get_automatic_headers(self):
        """Return the header fields that tell that no person wrote this (RFC 3834, 5.1)."""
        if not self._is_automatic():
            return {}
        headers = {"Auto-Submitted": "auto-generated"}
        if not self._is_sent_to_ourselves():
            headers["X-Catchall-Loop"] = self.env["mail.catchall.rejection"]._get_loop_mark()
        return headers

    def _is_automatic(self):
        """Tell whether a machine wrote this, as far as is sure.

        What is sent by a template or a mailing is told by nothing: a person may have pressed the
        button, and a contact form is sent by OdooBot too.
        """
        message = self.mail_message_id
        if message.message_type != "comment":
            return message.message_type in MACHINE_TYPES
        # not env.ref, which asks the database each time
        odoobot_id = self.env["ir.model.data"]._xmlid_to_res_id("base.partner_root")
        return message.author_id.id == odoobot_id

    def _is_sent_to_ourselves(self):
        """Tell whether the mail is meant to come back, like that of a contact form."""
        addresses = tools.email_normalize_all(f"{self.email_to or ''},{self.email_cc or ''}")
        addresses += self.recipient_ids.mapped("email_normalized")
        return any(map(self.env["mail.alias.domain"]._is_gateway_address, filter(None, addresses)))

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
            attempts = mail.catchall_attempts + 1
            mail.write(
                {
                    "state": "outgoing",
                    "failure_type": False,
                    "scheduled_date": now + pauses.pause_after("outgoing", attempts),
                    "catchall_attempts": attempts,
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
        # sudo: core marked the same notifications as superuser
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
        date = fields.Datetime.add(date.replace(second=0, microsecond=0), minutes=1)
        domain = [("cron_id", "=", queue.id), ("call_at", "=", date)]
        # sudo: as core's _trigger asks and writes
        if not self.env["ir.cron.trigger"].sudo().search_count(domain, limit=1):
            queue._trigger(at=date)

    # ------------------------------------------------------------
    # LOST TRANSACTIONS
    # ------------------------------------------------------------

    def _save_accepted(self, sending):
        """Note what mail servers took, over a cursor of its own: ours is lost.

        It is all that is known about it: a database that is being restarted is waited for.
        """
        for seconds in DATABASE_PAUSES:
            time.sleep(seconds)
            try:
                with self.pool.cursor() as cr:
                    # another transaction may hold the mail, perhaps our own: do not wait for it
                    cr.execute("SET LOCAL lock_timeout = '5s'")
                    mails = self.with_env(self.env(cr=cr))
                    mails._write_accepted(sending)
                    # the cursor does so only as long as the environment is referred to
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
