import xmlrpc.client

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ...tools.message import source

RECEIVER_GROUP = "mail_catchall_gateway.group_catchall_receiver"


class MailCatchallInbound(models.Model):
    """One row for each mail that came in, with its source: the one door of the gateway.

    Stored and committed before the mail server is told to forget the mail; processed afterwards,
    each in a transaction of its own. What a mail means is decided here, what is done with it by
    core's ``mail.thread.message_process``.
    """

    _name = "mail.catchall.inbound"
    _inherit = ["mail.catchall.activity.mixin"]
    _description = "Inbound Email"
    _order = "id desc"

    # the mail
    name = fields.Char("Subject", readonly=True)
    message_id = fields.Char("Message-Id", readonly=True, index=True)
    answers_to = fields.Char(
        readonly=True, help="Message-Ids of the mails that it answers, separated by spaces."
    )
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
        :raise AccessError: if the user is none who may hand mail over
        """
        if not (self.env.su or self.env.user.has_group(RECEIVER_GROUP)):
            raise AccessError(_("You may not hand mail over to the gateway."))
        if isinstance(raw, xmlrpc.client.Binary):
            raw = raw.data
        if isinstance(raw, str):
            raw = raw.encode()
        addresses = [source.one_line(str(address)) for address in envelope_recipients or []]
        values = {"server_id": server_id, "envelope_to": ", ".join(addresses)}
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
                    "answers_to": " ".join(summary.answers_to),
                    "email_from": summary.email_from,
                    "email_to": summary.email_to,
                    "email_cc": summary.email_cc,
                    "date": summary.date,
                    "size": len(raw),
                    **values,
                }
            )
        inbounds = self.sudo().create(vals_list)
        self.env["ir.attachment"]._store_sources(inbounds, [raw for raw, _values in mails])
        return inbounds

    def _with_source_files(self):
        """Return these records such that none of them looks up again where its source is."""
        files = {source.res_id: source.store_fname for source in self._get_source_attachments()}
        return self.with_context(catchall_source_files=files)

    def _get_source(self):
        """Return the source of this mail as bytes; nothing if it was dropped.

        :raise UserError: if its file is not there: core reads it as an empty one, and an empty mail
            would be delivered in its place
        """
        self.ensure_one()
        if file := self.env.context.get("catchall_source_files", {}).get(self.id):
            raw = self.env["ir.attachment"]._file_read(file)
        else:
            # the web client asks for sizes in the place of contents
            raw = self.with_context(bin_size=False)._get_source_attachments().raw or b""
        if not raw and self.size and not self.is_source_dropped:
            name = self.name or self.message_id
            raise UserError(_("The source of “%s” is missing in the filestore of Odoo.", name))
        return raw

    @api.model
    def _find_messages(self, message_ids):
        """Return what mails became that have one of these Message-Ids, the newest first.

        A message that a user sent from his own mailbox has another Message-Id than his mail.
        """
        message_ids = list(filter(None, message_ids))
        inbounds = self.sudo().search([("message_id", "in", message_ids)]) if message_ids else self
        return inbounds.mail_message_ids.exists().sorted("id", reverse=True)
