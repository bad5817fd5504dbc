import os
import xmlrpc.client

from odoo import api, fields, models

from ..tools import source


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
    email_cc = fields.Char("Cc", readonly=True)
    date = fields.Datetime(readonly=True, help="When it was written, as its sender says.")
    size = fields.Integer(readonly=True, help="In bytes.")
    raw = fields.Binary("Source", attachment=True, readonly=True, groups=fields.NO_ACCESS)
    envelope_to = fields.Char(
        "Handed Over For",
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
            ("auto_reply", "Automatic Reply"),
            ("bounce_report", "Delivery Report"),
            ("foreign_domain", "Foreign Domain"),
            ("unrouted", "Unknown Address"),
            ("sender_rejected", "Sender Rejected"),
            ("spam", "Spam"),
            ("too_large", "Too Large"),
            ("malformed", "Unreadable"),
            ("error", "Error"),
        ],
        "Verdict",
        readonly=True,
    )
    reason = fields.Char(readonly=True, help="Why, in a sentence.")
    steps_passed = fields.Char(
        "Checks Passed", readonly=True, help="What the gateway looked at before it decided."
    )
    recipients = fields.Char(
        "Delivered For",
        readonly=True,
        help="Envelope recipients: the addresses that the mail server delivered it for.",
    )
    subaddress = fields.Char(
        readonly=True,
        help="What the sender wrote behind the separator: invoices in john.doe+invoices.",
    )
    suggested_alias_id = fields.Many2one(
        "mail.alias",
        "Did You Mean",
        readonly=True,
        ondelete="set null",
        help="The alias whose address is most like the unknown one.",
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
    is_accepted = fields.Boolean(
        "Accepted", readonly=True, help="Somebody looked at it and wants it to be delivered."
    )
    # attempts
    attempt_count = fields.Integer("Attempts", readonly=True)
    next_attempt = fields.Datetime(readonly=True)
    error = fields.Text(readonly=True)
    # what the sender was told
    rejection_email = fields.Char("Sender Told", readonly=True)
    rejection_code = fields.Char(readonly=True)
    rejection_date = fields.Date("Told On", readonly=True)

    _sql_constraints = [
        (
            "uid_uniq",
            "UNIQUE(server_id, folder, uid_validity, uid)",
            "This mail was already fetched from its mailbox.",
        ),
        (
            "rejection_uniq",
            "UNIQUE(rejection_email, rejection_code, rejection_date)",
            "This sender was told today.",
        ),
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
                    "email_cc": summary.email_cc,
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
            .with_context(bin_size=False)  # the web client asks for sizes in the place of contents
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
