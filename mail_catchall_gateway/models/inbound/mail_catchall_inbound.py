import functools
import logging
import xmlrpc.client

from odoo import _, api, fields, models, tools
from odoo.exceptions import AccessError, UserError
from odoo.service.model import retrying

from ...tools.judging.verdict import Verdict
from ...tools.message import source
from ...tools.message.header_text import one_line, storable

_logger = logging.getLogger(__name__)

RECEIVER_GROUP = "mail_catchall_gateway.group_catchall_receiver"
MANAGER_GROUP = "mail_catchall_gateway.group_catchall_manager"
#: States in which a manager may look into a mail: it has no receiver yet, they must decide.
OPEN_STATES = ("review", "failed")
#: States in which they may decide about it again.
REVIEW_STATES = (*OPEN_STATES, "ignored", "bounced", "discarded")
#: What a row has in common with the summary of its source.
SUMMARY_FIELDS = ("message_id", "email_from", "email_to", "email_cc", "date")
#: Characters of a header that are shown.
MAX_HEADER = 50_000


class SourceFiles(dict):
    """Where the sources of some mails lie, by their ids. No remote call can make one."""


class MailCatchallInbound(models.Model):
    """One row for each mail that came in, with its source: the one door of the gateway.

    Here a mail is stored, shown and kept. When it is processed is the affair of
    ``mail.catchall.queue``, what it means that of ``mail.catchall.gateway``, what managers decide
    that of ``mail.catchall.review``.
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
            ("probe", "Test Mail"),
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

    # what managers see and do
    is_open = fields.Boolean(compute="_compute_is_open")
    is_reviewable = fields.Boolean(compute="_compute_is_open")
    is_source_dropped = fields.Boolean(readonly=True)
    log_ids = fields.One2many("mail.catchall.inbound.log", "inbound_id", "Actions", readonly=True)
    preview = fields.Html(compute="_compute_preview", sanitize=False)
    header_text = fields.Text("Header", compute="_compute_header_text")
    document_kind = fields.Char(
        "Kind of Document",
        compute="_compute_document_kind",
        help="What the mail opened, or is part of.",
    )

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
                ON mail_catchall_inbound (id) WHERE state IN ('pending', 'processing');
            -- most rows have no source any more
            CREATE INDEX IF NOT EXISTS mail_catchall_inbound_source_idx
                ON mail_catchall_inbound (state, write_date) WHERE is_source_dropped IS NOT TRUE;
            """
        )

    # ------------------------------------------------------------
    # COMPUTE
    # ------------------------------------------------------------

    @api.depends("state", "is_source_dropped")
    def _compute_is_open(self):
        for inbound in self:
            inbound.is_open = inbound.state in OPEN_STATES
            inbound.is_reviewable = inbound.state in REVIEW_STATES and not inbound.is_source_dropped

    @api.depends("state")
    def _compute_preview(self):
        """Show what waits for review, without its images: the sender would see it being read."""
        self._origin._check_readable()
        review = self.env["mail.catchall.review"]
        for inbound in self:
            # as it is stored: a form may say of each mail that it waits
            stored = inbound._origin
            inbound.preview = stored.is_open and review._render_preview(stored)

    def _compute_header_text(self):
        self._origin._check_readable()
        for inbound in self:
            try:
                header = source.parse_header(inbound._origin._get_source())
            except UserError as error:
                inbound.header_text = str(error)
                continue
            lines = (f"{name}: {value}" for name, value in header.items())
            inbound.header_text = storable("\n".join(lines))[:MAX_HEADER]

    @api.depends("res_model")
    def _compute_document_kind(self):
        for inbound in self:
            model = inbound.res_model and self.env["ir.model"]._get(inbound.res_model)
            inbound.document_kind = model.name if model else False

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    def write(self, vals):
        """Keep the number of mails to review right, in every window that shows it."""
        was_open = "state" in vals and any(inbound.state in OPEN_STATES for inbound in self)
        res = super().write(vals)
        if was_open or vals.get("state") in OPEN_STATES:
            self._notify_review_counter()
        return res

    def _notify_review_counter(self):
        """Tell the managers' browsers to count again; each counts what it may see."""
        # sudo: the managers; the message on the bus is empty
        managers = self.env.ref(MANAGER_GROUP).sudo().users
        self.env["bus.bus"]._sendmany(
            (partner, "mail.catchall.inbound/review", {}) for partner in managers.partner_id
        )

    def _check_readable(self):
        """Raise if the user may not read these records.

        Nothing else asks where a remote call takes a field that is not stored (``mapped``).
        """
        self.check_access_rights("read")
        self.check_access_rule("read")

    def _check_manageable(self):
        """Raise if the user is no manager, or one of these mails is another company's."""
        self._check_readable()
        if not self.env.user.has_group(MANAGER_GROUP):
            raise AccessError(_("Only managers of the gateway decide about mail."))

    def _check_reviewable(self):
        """Raise if the user may not decide about these mails, or if that is over."""
        self._check_manageable()
        for inbound in self:
            if inbound.is_source_dropped:
                raise UserError(
                    _("“%s” is too old: its source is not kept any more.", inbound.name)
                )
            if not inbound.is_reviewable:
                state = dict(inbound._fields["state"]._description_selection(self.env))
                raise UserError(
                    _(
                        "There is nothing to decide about “%(subject)s” any more: %(state)s.",
                        subject=inbound.name,
                        state=state[inbound.state],
                    )
                )

    def _check_open(self):
        """Raise if the content of one of these mails is none of the managers' business."""
        self._check_reviewable()
        if not all(inbound.is_open for inbound in self):
            raise AccessError(_("Only what waits for review may be looked into."))

    # ------------------------------------------------------------
    # ACTIONS
    # ------------------------------------------------------------

    def action_process(self):
        """Decide afresh: aliases, domains or settings may have changed since.

        Mail that waits for its next attempt is tried at once, by the queue.
        """
        waiting = self.filtered(lambda inbound: inbound.state == "pending")
        waiting._check_manageable()
        if waiting:
            # sudo: managers write no inbound email themselves
            waiting.sudo().next_attempt = False
            self.env["mail.catchall.queue"]._trigger()
        self -= waiting
        self._review(_("Processed again"), self._process_again)
        return True

    def action_accept(self):
        """Deliver to whom it is written, whatever speaks against its sender."""

        def accept(review, inbound):
            inbound.is_accepted = True
            return self._process_again(review, inbound)

        self._review(_("Accepted"), accept)
        return True

    def action_route(self):
        """Ask to whom, or to which document, these mails go."""
        self._check_reviewable()
        return self._open_wizard(_("Deliver To"), "mail.catchall.route")

    def action_bounce(self):
        """Ask what the senders of these mails are told."""
        self._check_reviewable()
        return self._open_wizard(_("Send Back"), "mail.catchall.bounce")

    def action_discard(self):
        """Put away for good what nobody needs."""
        reason = _("Discarded by %s.", self.env.user.name)

        def discard(_review, inbound):
            return Verdict(inbound.verdict_code, "discarded", reason)

        self._review(_("Discarded"), discard)
        return True

    def action_download(self):
        """Download the source of a mail, or of many in one archive."""
        self._check_open()
        url = f"/mail_catchall_gateway/source/{','.join(map(str, self.ids))}"
        return {"type": "ir.actions.act_url", "url": url, "target": "self"}

    def action_headers(self):
        """Show the header as the mail server handed it over."""
        self.ensure_one()
        view = self.env.ref("mail_catchall_gateway.mail_catchall_inbound_view_form_header")
        return {
            "type": "ir.actions.act_window",
            "name": _("Header"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "views": [(view.id, "form")],
            "target": "new",
        }

    def action_block_sender(self):
        """Ignore whatever these senders write from now on, and put away what waits."""
        senders = self._get_senders()
        # sudo: blocked already, by a manager of whatever company
        blocked = self.env["mail.catchall.blocked"].sudo().search([("email", "in", senders)])
        missing = [{"email": email} for email in senders if email not in blocked.mapped("email")]
        self.env["mail.catchall.blocked"].create(missing)
        reason = _("%s blocked its sender.", self.env.user.name)
        verdict = Verdict("sender_rejected", "discarded", reason)
        self._review(_("Sender blocked"), lambda _review, _inbound: verdict)
        return True

    def action_allow_sender(self):
        """Let these senders write as much as they like, spam marks or not, from now on."""
        senders = self._get_senders()  # asks for the rights
        # sudo: managers have no right to core's list, and this button is how they add to it
        allowed = self.env["mail.gateway.allowed"].sudo()
        self.env["mail.catchall.blocked"].sudo().search([("email", "in", senders)]).unlink()
        known = allowed.search([("email_normalized", "in", senders)]).mapped("email_normalized")
        allowed.create([{"email": email} for email in senders if email not in known])
        self._review(_("Sender allowed"), self._process_again)
        return True

    def _review(self, action, process, note=""):
        self.env["mail.catchall.review"]._review(self, action, process, note)

    @staticmethod
    def _process_again(review, inbound):
        return review.env["mail.catchall.gateway"]._process(inbound)

    def _get_senders(self):
        """Return the addresses of the senders: not what a decoded name may look like."""
        self._check_reviewable()
        gateway = self.env["mail.catchall.gateway"]
        # sudo: managers read no sources; one address of each leaves
        sources = (inbound._get_source() for inbound in self.sudo())
        senders = {gateway._get_sender(source.header_fields(raw)) for raw in sources}
        return sorted(filter(None, senders))

    def _open_wizard(self, name, model):
        return {
            "type": "ir.actions.act_window",
            "name": name,
            "res_model": model,
            "view_mode": "form",
            "target": "new",
            "context": {"default_inbound_ids": [(6, 0, self.ids)]},
        }

    def _log(self, action, note=""):
        values = {"inbound_id": self.id, "action": action, "note": note}
        # sudo: the log is for the superuser alone to write
        self.env["mail.catchall.inbound.log"].sudo().create(values)

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
        addresses = [one_line(str(address)) for address in envelope_recipients or []]
        values = {"server_id": server_id, "envelope_to": ", ".join(addresses)}
        inbound = self._store([(raw, values)])
        self.env["mail.catchall.queue"]._trigger()
        return inbound.id

    @api.model
    def _store(self, mails):
        """Return new rows for mails, safe on disk when the transaction is committed.

        :param list mails: (source as bytes, further field values)
        """
        vals_list = []
        companies = self.env["mail.catchall.recipients"]
        for raw, values in mails:
            summary = source.summarize(raw)
            vals = {name: getattr(summary, name) for name in SUMMARY_FIELDS}
            # until its recipients are known for sure, or if it never can be read
            named = f"{values.get('envelope_to')},{summary.email_to},{summary.email_cc}"
            company = companies._find_company_of(tools.email_normalize_all(named))
            vals.update(name=summary.subject, size=len(raw), company_id=company.id)
            vals_list.append({**vals, "answers_to": " ".join(summary.answers_to), **values})
        # sudo: no user may create rows; callers have asked for their rights
        inbounds = self.sudo().create(vals_list)
        self.env["ir.attachment"]._store_sources(inbounds, [raw for raw, _values in mails])
        return inbounds

    @api.model
    def _receive_by_lmtp(self, raw, sender, recipients, server_id):
        """Take in a mail for these recipients, commit it, and return the reply to each."""
        receive = functools.partial(self.receive, raw, recipients, server_id)
        inbound = self.browse(retrying(receive, self.env))
        text = "Mail from %s to %s with Message-Id %s: stored as email %s"
        _logger.info(text, sender, ", ".join(recipients), inbound.message_id, inbound.id)
        return f"250 2.1.5 Stored as email {inbound.id}"

    def _get_source_attachments(self):
        domain = [("res_model", "=", self._name), ("res_field", "=", "raw")]
        domain.append(("res_id", "in", self.ids))
        names = ["store_fname", "db_datas", "checksum", "res_id"]
        # sudo: no user has a right to read sources; callers have asked for the user's rights
        return self.env["ir.attachment"].sudo().search_fetch(domain, names)

    def _with_source_files(self):
        """Return these records such that none of them looks up again where its source is."""
        files = {a.res_id: a.store_fname for a in self._get_source_attachments()}
        return self.with_context(catchall_source_files=SourceFiles(files))

    def _get_source(self):
        """Return the source of this mail as bytes; nothing if it was dropped.

        :raise UserError: if its file is gone: core reads an empty mail, and would deliver that
        """
        self.ensure_one()
        files = self.env.context.get("catchall_source_files")
        if isinstance(files, SourceFiles) and files.get(self.id):
            raw = self.env["ir.attachment"]._file_read(files[self.id])
        else:
            # the web client asks for sizes in the place of contents
            raw = self.with_context(bin_size=False)._get_source_attachments().raw or b""
        if not raw and self.size and not self.is_source_dropped:
            name = self.name or self.message_id
            raise UserError(_("The source of “%s” is missing in the filestore of Odoo.", name))
        return raw

    def _open_source(self):
        """Return the source of a mail for its reviewer, and note that they have it."""
        self.ensure_one()
        self._check_open()
        self._log(_("Source downloaded"))
        return self.sudo()._get_source()  # sudo: managers read no sources but by this way

    # ------------------------------------------------------------
    # WHAT BECAME OF IT
    # ------------------------------------------------------------

    def _finish(self, verdict):
        """Write the final state. The only place that does, but for errors."""
        if self.state == "failed" and verdict.action != "failed":
            self._close_activities()
        values = {"state": verdict.action, "verdict_code": verdict.code, "reason": verdict.reason}
        self.write({**values, "error": False, "next_attempt": False})
        _logger.info(
            "Mail from %s to %s with Message-Id %s: %s (%s) %s",
            self.email_from,
            self.recipients or self.email_to,
            self.message_id,
            verdict.action,
            verdict.code,
            verdict.reason,
        )

    @api.model
    def _find_messages(self, message_ids):
        """Return what mails became that have one of these Message-Ids, the newest first.

        A message that a user sent from his own mailbox has another Message-Id than his mail.
        """
        message_ids = list(filter(None, message_ids))
        # sudo: which message a Message-Id became; the gateway alone asks
        inbounds = self.sudo().search([("message_id", "in", message_ids)]) if message_ids else self
        return inbounds.mail_message_ids.exists().sorted("id", reverse=True)

    def _split_recipients(self):
        return [address for address in (self.recipients or "").split(", ") if address]

    def _get_addressees(self):
        """Return for whom a mail was delivered, or else the recipients that it names."""
        return self.recipients or (self.email_to, self.email_cc)

    def _find_earlier(self, header):
        """Return the rows of this mail that came before and were decided about.

        Without a Message-Id it is the same only to the last octet, its Received lines included: a
        mailbox that was numbered anew (UIDVALIDITY), or a mail server that was not sure.
        """
        states = ("delivered", "review", "bounced", "discarded")
        domain = [("id", "!=", self.id), ("state", "in", states)]
        if self.message_id:
            return self.search([("message_id", "=", self.message_id), *domain], order="id")
        if not any(name.lower() == "received" for name, _value in header):
            return self.browse()
        same_size = self.search([("message_id", "=", ""), ("size", "=", self.size), *domain])
        own = self._get_source_attachments()
        same = same_size._get_source_attachments().filtered(lambda a: a.checksum == own.checksum)
        return self.browse(sorted(same.mapped("res_id")))

    def _is_another_mail(self, other):
        """Tell whether a program gave two different mails the same Message-Id.

        A list changes the subject of a copy, and a sender who sends a mail once more its date:
        not both.
        """
        dates = {self.date, other.date} - {False}
        return len(dates) == 2 and (self.name or "") != (other.name or "")
