import logging
import os
import traceback
import xmlrpc.client

from odoo import _, api, fields, models
from odoo.service.model import retrying

from ..tools import source
from ..tools.delivery import Delivery
from ..tools.recipients import envelope_recipients, header_recipients
from ..tools.verdict import Verdict

_logger = logging.getLogger(__name__)

#: Minutes to wait before each further attempt; the last one counts for all that follow.
RETRY_MINUTES = (1, 5, 15, 60, 360)
MAX_ATTEMPTS = 8
#: Emails that a worker takes at once. If it dies, they wait for the first retry.
CLAIM_SIZE = 20


class MailCatchallInbound(models.Model):
    """One row for each mail that came in, with its source: the one door of the gateway.

    Stored and committed before the mail server is told to forget the mail; processed afterwards,
    each in a transaction of its own. What a mail means is decided here, what is done with it by
    core's ``mail.thread.message_process``.
    """

    _name = "mail.catchall.inbound"
    _description = "Inbound Email"
    _order = "id desc"

    # the mail
    name = fields.Char("Subject", readonly=True)
    message_id = fields.Char("Message-Id", readonly=True, index=True)
    email_from = fields.Char("From", readonly=True)
    email_to = fields.Char("To", readonly=True)
    date = fields.Datetime(readonly=True, help="When it was written, as its sender says.")
    size = fields.Integer(readonly=True, help="In bytes.")
    raw = fields.Binary("Source", attachment=True, readonly=True, groups=fields.NO_ACCESS)
    envelope_to = fields.Char(
        "Delivered For",
        readonly=True,
        help="Envelope recipients as the mail server named them when it handed the mail over.",
    )
    # where it was fetched
    server_id = fields.Many2one("fetchmail.server", "Mailbox", readonly=True, ondelete="set null")
    folder = fields.Char(readonly=True)
    uid_validity = fields.Char("UIDVALIDITY", readonly=True)
    uid = fields.Char("UID", readonly=True)
    # what became of it
    state = fields.Selection(
        [
            ("pending", "Waiting"),
            ("processing", "In Process"),
            ("delivered", "Delivered"),
            ("ignored", "Ignored"),
            ("bounced", "Bounced"),
            ("review", "To Review"),
            ("failed", "Failed"),
            ("discarded", "Discarded"),
        ],
        "Status",
        default="pending",
        required=True,
        readonly=True,
        index=True,
    )
    verdict_code = fields.Selection(
        [
            ("reply", "Reply"),
            ("alias", "Alias"),
            ("user_alias", "Messaging Alias"),
            ("user_reply", "Answer of a User"),
            ("fallback", "Mailbox's Own Model"),
            ("duplicate", "Duplicate"),
            ("loop", "Loop"),
            ("bounce_report", "Bounce Report"),
            ("unrouted", "Unrouted"),
            ("sender_rejected", "Sender Rejected"),
            ("error", "Error"),
        ],
        "Verdict",
        readonly=True,
    )
    reason = fields.Char(readonly=True)
    recipients = fields.Char(
        "Envelope Recipients", readonly=True, help="Addresses that the mail was delivered for."
    )
    alias_ids = fields.Many2many(
        "mail.alias", string="Aliases", readonly=True, help="Aliases that the mail was for."
    )
    mail_message_ids = fields.Many2many("mail.message", string="Messages", readonly=True)
    conversation_id = fields.Many2one(
        "mail.catchall.conversation", readonly=True, ondelete="set null"
    )
    res_model = fields.Char("Document Model", readonly=True)
    res_id = fields.Many2oneReference("Document", model_field="res_model", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    # attempts
    attempt_count = fields.Integer("Attempts", readonly=True)
    next_attempt = fields.Datetime(readonly=True)
    error = fields.Text(readonly=True)

    _sql_constraints = [
        (
            "uid_uniq",
            "UNIQUE(server_id, folder, uid_validity, uid)",
            "This mail was already fetched from its mailbox.",
        )
    ]

    def init(self):
        self.env.cr.execute(
            """
            CREATE INDEX IF NOT EXISTS mail_catchall_inbound_waiting_idx
                ON mail_catchall_inbound (id) WHERE state IN ('pending', 'processing')
            """
        )

    # ------------------------------------------------------------
    # STORING
    # ------------------------------------------------------------

    @api.model
    def receive(self, raw, envelope_recipients=None, server_id=False):
        """Take a mail in. It is processed by the scheduled action.

        :param raw: source of the message (RFC 5322): ``bytes``, ``str`` or ``xmlrpc.client.Binary``
        :param list envelope_recipients: addresses that it was delivered for (RFC 5321, RCPT TO);
            without them its header tells
        :param int server_id: mailbox whose settings count
        :return int: id of the new ``mail.catchall.inbound``
        :raise AccessError: if the user may not create inbound emails
        """
        self.check_access_rights("create")
        if isinstance(raw, xmlrpc.client.Binary):
            raw = raw.data
        if isinstance(raw, str):
            raw = raw.encode()
        values = {"server_id": server_id, "envelope_to": ", ".join(envelope_recipients or [])}
        inbound = self._store([(raw, values)])
        self.env.ref("mail_catchall_gateway.ir_cron_process_inbound")._trigger()
        return inbound.id

    @api.model
    def _store(self, mails):
        """Create a row for each mail, safe on disk when the transaction is committed.

        :param list mails: (source as bytes, further field values)
        :return: the new records, in the same order
        """
        vals_list = []
        for raw, values in mails:
            summary = source.summarize(raw)
            vals_list.append(
                {
                    "name": summary.subject,
                    "message_id": summary.message_id,
                    "email_from": summary.email_from,
                    "email_to": summary.email_to,
                    "date": summary.date,
                    "size": len(raw),
                    **values,
                }
            )
        inbounds = self.sudo().create(vals_list)
        # not through the field: it takes base64, which needs the memory of a large mail twice
        attachments = (
            self.env["ir.attachment"]
            .sudo()
            .create(
                [
                    {
                        "name": "raw",
                        "res_model": self._name,
                        "res_field": "raw",
                        "res_id": inbound.id,
                        "mimetype": "message/rfc822",
                        "raw": raw,
                    }
                    for inbound, (raw, _values) in zip(inbounds, mails, strict=True)
                ]
            )
        )
        self._sync_to_disk(attachments)
        return inbounds

    @api.model
    def _sync_to_disk(self, attachments):
        """Outlive a power failure: PostgreSQL syncs at commit, the filestore does not."""
        paths = {attachments._full_path(name) for name in attachments.mapped("store_fname") if name}
        for path in paths | {os.path.dirname(path) for path in paths}:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _get_source(self):
        """Return the source of this mail as bytes."""
        self.ensure_one()
        attachment = (
            self.env["ir.attachment"]
            .sudo()
            .search(
                [
                    ("res_model", "=", self._name),
                    ("res_field", "=", "raw"),
                    ("res_id", "=", self.id),
                ]
            )
        )
        return attachment.raw or b""

    @api.model
    def _find_messages(self, message_ids):
        """Return what mails became that have one of these Message-Ids, the newest first.

        A message that a user sent from his own mailbox has another Message-Id than his mail.
        """
        message_ids = list(filter(None, message_ids))
        inbounds = self.sudo().search([("message_id", "in", message_ids)]) if message_ids else self
        return inbounds.mail_message_ids.exists().sorted("id", reverse=True)

    # ------------------------------------------------------------
    # QUEUE
    # ------------------------------------------------------------

    @api.model
    def _process_waiting(self):
        """Process what is waiting, each mail in a transaction of its own.

        Meant for scheduled actions and fetching: it commits. Any number of workers share the work.
        """
        while inbounds := self._claim():
            for inbound in inbounds:
                inbound._process_in_transaction()
            self._trigger_mail_queue()

    @api.model
    def _trigger_mail_queue(self):
        """Have copies and answers sent at once: the mail queue runs only every hour by itself.

        Through the queue, because an SMTP server that is slow or down must not hold up the mail
        that comes in.
        """
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action", raise_if_not_found=False)
        if queue:
            queue._trigger()

    @api.model
    def _claim(self):
        """Take waiting rows for this worker, and commit that.

        A row taken is due again after the time to the next attempt, so that those of a worker
        that died come back; the attempt counts, so that a mail that kills workers has an end.
        """
        self.env.cr.execute(
            """
            UPDATE mail_catchall_inbound
               SET state = 'processing',
                   attempt_count = COALESCE(attempt_count, 0) + 1,
                   next_attempt = %(now)s + INTERVAL '1 minute' * (%(minutes)s::integer[])[
                        LEAST(COALESCE(attempt_count, 0) + 1, %(steps)s)]
             WHERE id IN (
                SELECT id
                  FROM mail_catchall_inbound
                 WHERE state IN ('pending', 'processing')
                   AND (next_attempt IS NULL OR next_attempt <= %(now)s)
              ORDER BY id
                 LIMIT %(limit)s
                   FOR UPDATE SKIP LOCKED)
         RETURNING id
            """,
            {
                "now": fields.Datetime.now(),
                "minutes": list(RETRY_MINUTES),
                "steps": len(RETRY_MINUTES),
                "limit": CLAIM_SIZE,
            },
        )
        inbounds = self.browse(sorted(row[0] for row in self.env.cr.fetchall()))
        # the attempt counts, whatever happens while processing
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return inbounds.sudo()

    def _process_in_transaction(self):
        """Process one row and commit; after an error roll back and record it."""
        self.ensure_one()
        key = self.message_id or f"{self._name},{self.id}"
        self.env.cr.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [key])
        if not self.env.cr.fetchone()[0]:
            return  # a copy of this mail is being processed: later, when its outcome is known
        try:
            # what the other transaction wrote is seen only by one that starts after the lock
            self.env.cr.rollback()
            retrying(self._process_locked, self.env)
        except Exception as error:
            self.env.cr.rollback()
            self._record_error(error)
        finally:
            self.env.cr.execute("SELECT pg_advisory_unlock(hashtext(%s))", [key])
            # nothing to write; leaves no transaction open
            self.env.cr.commit()  # pylint: disable=invalid-commit

    def _process_locked(self):
        self.env.cr.execute(
            """
            SELECT id FROM mail_catchall_inbound
             WHERE id = %s AND state = 'processing' FOR UPDATE SKIP LOCKED
            """,
            [self.id],
        )
        if not self.env.cr.fetchone():
            return  # another worker was faster
        if self.attempt_count > MAX_ATTEMPTS:
            raise RuntimeError(
                f"the process ended while it handled this mail, {MAX_ATTEMPTS} times"
            )
        self._finish(self._process())

    def _finish(self, verdict):
        """Write the final state. The only place that does, but for errors."""
        self.write(
            {
                "state": verdict.action,
                "verdict_code": verdict.code,
                "reason": verdict.reason,
                "error": False,
                "next_attempt": False,
            }
        )
        _logger.info(
            "Mail from %s to %s with Message-Id %s: %s (%s) %s",
            self.email_from,
            self.recipients or self.email_to,
            self.message_id,
            verdict.action,
            verdict.code,
            verdict.reason,
        )

    def _record_error(self, error):
        """Note why an attempt failed, over a cursor of its own: ours was rolled back."""
        _logger.warning("Mail with Message-Id %s failed", self.message_id, exc_info=True)
        with self.pool.cursor() as cr:
            inbound = self.with_env(self.env(cr=cr))
            is_last = inbound.attempt_count >= MAX_ATTEMPTS
            inbound.write(
                {
                    "state": "failed" if is_last else "pending",
                    "verdict_code": "error",
                    "reason": source.one_line(str(error)),
                    "error": source.storable("".join(traceback.format_exception(error))),
                }
            )
        self.invalidate_recordset()

    # ------------------------------------------------------------
    # PROCESSING
    # ------------------------------------------------------------

    @api.model
    def _get_steps(self):
        """Return the methods that may decide about a mail before core sees it, in order.

        Each takes the Delivery, and returns a Verdict or None; the first verdict ends the
        processing.
        """
        return [
            # first of all: nothing may happen twice, whatever the mail is
            "_step_duplicate",
        ]

    def _process(self):
        """Decide about this mail and deliver it.

        :return Verdict:
        :raise Exception: whatever core raises
        """
        self.ensure_one()
        raw = self._get_source()
        delivery = self._prepare_delivery(raw)
        for step in self._get_steps():
            verdict = getattr(self, step)(delivery)
            if verdict:
                return verdict
        return self._deliver(delivery, raw)

    def _prepare_delivery(self, raw):
        """Find out for whom this mail is.

        :return Delivery:
        """
        header = source.header_fields(raw)
        delivery = Delivery(
            recipients=self._get_recipients(header), header_recipients=header_recipients(header)
        )
        if not self.message_id and delivery.recipients:
            # its copies cannot be told from other mails: each is for its own recipients alone
            delivery.only = delivery.recipients
        addresses = {*delivery.recipients, *(delivery.only or delivery.header_recipients)}
        self.recipients = ", ".join(delivery.recipients)
        self.alias_ids = self.env["mail.alias"]._find_by_addresses(addresses)
        return delivery

    def _get_recipients(self, header):
        """Return the envelope recipients: as given by the caller, else as the header tells."""
        if self.envelope_to:
            return tuple(self.envelope_to.split(", "))
        names, mailbox_addresses = self.server_id._get_recipient_settings()
        return envelope_recipients(header, names, mailbox_addresses).addresses

    def _step_duplicate(self, delivery):
        """A mail that was delivered before, but for recipients whom only this copy tells.

        A catch-all mailbox gets a copy for each of our recipients. Another mailbox, or the same
        after a crash, may have it too. The Message-Id of what a user sends from his own mailbox
        is not that of the message, so that core does not know it again.
        """
        done = self.message_id and self.search(
            [
                ("message_id", "=", self.message_id),
                ("id", "!=", self.id),
                ("state", "=", "delivered"),
            ]
        )
        if not done:
            return None
        self.alias_ids -= done.alias_ids
        if not self.alias_ids:
            return Verdict("duplicate", "ignored", _("Delivered before, as email %s.", done[0].id))
        recipients = {*delivery.recipients, *delivery.header_recipients}
        delivery.is_copy = True
        delivery.only = tuple(
            address
            for address in sorted(recipients)
            if any(alias._matches(address) for alias in self.alias_ids)
        )
        return None

    def _deliver(self, delivery, raw):
        """Let core route and post this mail, with the envelope recipients found.

        :return Verdict:
        """
        server = self.server_id
        gateway = self.env["mail.thread"].with_context(
            catchall_delivery=delivery,
            fetchmail_cron_running=True,
            default_fetchmail_server_id=server.id,
            mail_notify_force_send=False,
        )
        gateway.message_process(
            server.object_id.model,
            raw,
            save_original=server.original,
            strip_attachments=bool(server) and not server.attach,
        )
        self._link_messages(delivery)
        return self._conclude(delivery)

    def _link_messages(self, delivery):
        """Note what the mail became."""
        if not delivery.routes or not delivery.message_id:
            return
        messages = self.env["mail.message"].search([("message_id", "=", delivery.message_id)])
        if delivery.is_copy:
            messages -= self._find_messages([self.message_id])
        conversations = self.env["mail.catchall.conversation"]
        target = messages[:1]
        for message in messages:
            if message.model == conversations._name:
                self.conversation_id = message.res_id
        self.mail_message_ids = messages
        self.res_model, self.res_id = target.model, target.res_id
        self.company_id = target.record_company_id

    def _conclude(self, delivery):
        """Return the verdict on a mail that core has processed."""
        if delivery.is_loop:
            return Verdict("loop", "ignored", _("Answer to a rejection that the gateway sent."))
        if delivery.routes is None:
            return Verdict("duplicate", "ignored", _("A message with this Message-Id exists."))
        if delivery.is_bounce:
            return Verdict("bounce_report", "delivered", _("Report about a mail that was sent."))
        if delivery.rejected_by and not delivery.routes:
            reason = _("Its sender may not write to %s, and was told so.", delivery.rejected_by)
            return Verdict("sender_rejected", "bounced", reason)
        if not delivery.routes and delivery.is_rejected:
            return Verdict(
                "unrouted", "bounced", _("Written to the catchall; its sender was told so.")
            )
        if not delivery.routes:
            reason = delivery.unrouted or _("The alias it was written to is not set up correctly.")
            return Verdict("unrouted", "review", reason)
        if delivery.is_rejected and not self.mail_message_ids:
            return Verdict("loop", "ignored", _("Too many mails of this sender."))
        return Verdict(self._get_route_code(delivery), "delivered")

    def _get_route_code(self, delivery):
        if delivery.is_reply:
            return "user_reply" if delivery.author_user_id else "reply"
        aliases = [route[4] for route in delivery.routes if route[4]]
        if not aliases:
            return "fallback"
        return "user_alias" if all(alias.is_user_alias for alias in aliases) else "alias"
