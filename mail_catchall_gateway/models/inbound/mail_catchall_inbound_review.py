import logging

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.service.model import PG_CONCURRENCY_ERRORS_TO_RETRY

from ...tools.addresses.recipients import header_recipients
from ...tools.judging.delivery import Delivery, Recipient
from ...tools.judging.verdict import Verdict
from ...tools.message.source import header_fields

_logger = logging.getLogger(__name__)

#: States in which a manager may look into a mail: it is nobody's yet, and somebody must decide.
OPEN_STATES = ("review", "failed")
#: States in which he may decide about it again.
REVIEW_STATES = (*OPEN_STATES, "ignored", "bounced", "discarded")


class MailCatchallInbound(models.Model):
    """What managers do with the mail that the gateway could not, or would not, deliver."""

    _inherit = "mail.catchall.inbound"

    log_ids = fields.One2many("mail.catchall.inbound.log", "inbound_id", "Actions", readonly=True)
    is_open = fields.Boolean(compute="_compute_is_open")
    is_reviewable = fields.Boolean(compute="_compute_is_open")

    @api.depends("state", "is_source_dropped")
    def _compute_is_open(self):
        for inbound in self:
            inbound.is_open = inbound.state in OPEN_STATES
            inbound.is_reviewable = inbound.state in REVIEW_STATES and not inbound.is_source_dropped

    # ------------------------------------------------------------
    # ACTIONS
    # ------------------------------------------------------------

    def action_process(self):
        """Decide afresh: aliases, domains or settings may have changed since."""
        self._review(_("Processed again"), lambda inbound: inbound._process())
        return True

    def action_accept(self):
        """Deliver to whom it is written, whatever speaks against its sender."""

        def accept(inbound):
            inbound.is_accepted = True
            return inbound._process()

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
        self._review(
            _("Discarded"), lambda inbound: Verdict(inbound.verdict_code, "discarded", reason)
        )
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
        blocked = self.env["mail.catchall.blocked"]
        for sender in self._get_senders():
            if not blocked.sudo().search_count([("email", "=", sender)]):
                blocked.create({"email": sender})
        reason = _("%s blocked its sender.", self.env.user.name)
        verdict = Verdict("sender_rejected", "discarded", reason)
        self._review(_("Sender blocked"), lambda inbound: verdict)
        return True

    def action_allow_sender(self):
        """Let these senders write as much as they like, spam marks or not, from now on."""
        allowed = self.env["mail.gateway.allowed"].sudo()
        for sender in self._get_senders():
            self.env["mail.catchall.blocked"].sudo().search([("email", "=", sender)]).unlink()
            if not allowed.search_count([("email_normalized", "=", sender)]):
                allowed.create({"email": sender})
        self._review(_("Sender allowed"), lambda inbound: inbound._process())
        return True

    def _get_senders(self):
        """Return the addresses of the senders: not what a decoded name may look like."""
        self._check_reviewable()
        sources = (inbound._get_source() for inbound in self.sudo())
        return sorted(filter(None, {self._get_sender(header_fields(raw)) for raw in sources}))

    def _open_wizard(self, name, model):
        return {
            "type": "ir.actions.act_window",
            "name": name,
            "res_model": model,
            "view_mode": "form",
            "target": "new",
            "context": {"default_inbound_ids": [(6, 0, self.ids)]},
        }

    # ------------------------------------------------------------
    # HOW
    # ------------------------------------------------------------

    def _review(self, action, process, note=""):
        """Do something with each mail, note who did it, and write its state.

        :param str action: what was done, in a word
        :param process: function of one mail, as superuser, that returns its new Verdict
        :param str note: details for the log
        """
        self._check_reviewable()
        for inbound in self.sudo():
            inbound._lock_copies()
            verdict = inbound._try(process)
            inbound._finish(verdict)
            self.env["mail.catchall.inbound.log"].sudo().create(
                {"inbound_id": inbound.id, "action": action, "note": note or verdict.reason}
            )
        self.env["mail.catchall.inbound"].sudo()._trigger_mail_queue()

    def _try(self, process):
        """Return the verdict of a function; an error stops only this mail, and loses nothing."""
        try:
            with self.env.cr.savepoint():
                return process(self.with_user(self.env.ref("base.user_root")).sudo())
        except UserError:
            raise
        except Exception as error:
            if getattr(error, "pgcode", None) in PG_CONCURRENCY_ERRORS_TO_RETRY:
                raise
            self.invalidate_recordset()
            _logger.warning("Mail with Message-Id %s failed", self.message_id, exc_info=True)
            return Verdict("error", "failed", str(error))

    def _lock_copies(self):
        """Wait for nobody: copies of a mail are processed one after the other.

        :raise UserError: if a worker has one of them in hands
        """
        key = self.message_id or f"{self._name},{self.size}"
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [key])
        is_free = self.env.cr.fetchone()[0]
        if is_free:
            # who wrote to one of them since our transaction began makes Odoo begin again
            self.env.cr.execute(
                "SELECT id FROM mail_catchall_inbound WHERE id = %s OR message_id = %s FOR UPDATE",
                [self.id, self.message_id or None],
            )
        if not is_free:
            raise UserError(
                _("A copy of “%s” is being processed. Try again in a moment.", self.name)
            )

    def _check_reviewable(self):
        """Raise if the user may not decide about these mails, or if that is over.

        :raise AccessError: if he is no manager, or the mail is another company's
        :raise UserError: if a mail was delivered meanwhile, or is still waiting
        """
        self.check_access_rights("read")
        self.check_access_rule("read")
        if not self.env.user.has_group("mail_catchall_gateway.group_catchall_manager"):
            raise AccessError(_("Only managers of the gateway decide about mail."))
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
        """Raise if nobody has to look into these mails.

        :raise AccessError: if the content of one is none of the managers' business
        """
        self._check_reviewable()
        if not all(inbound.is_open for inbound in self):
            raise AccessError(_("Only what waits for review may be looked into."))

    def _open_source(self):
        """Return the source of a mail for who has to review it, and note that he has it."""
        self.ensure_one()
        self._check_open()
        self.env["mail.catchall.inbound.log"].sudo().create(
            {"inbound_id": self.id, "action": _("Source downloaded")}
        )
        return self.sudo()._get_source()

    # ------------------------------------------------------------
    # WHERE MANAGERS SEND IT
    # ------------------------------------------------------------

    def _get_written_to(self):
        """Return for whom this mail was delivered, or else whom it names as its recipients."""
        delivered_for = [address for address in (self.recipients or "").split(", ") if address]
        return delivered_for or list(header_recipients(header_fields(self._get_source())))

    def _get_unknown(self):
        """Return those of its recipients that nobody of us is."""
        resolve = self.env["mail.catchall.recipients"]._resolve_recipients
        recipients = resolve(self._get_written_to()).values()
        return [r.address for r in recipients if r.kind == "unknown"]

    def _check_may_redirect(self, alias=None):
        """Raise if this is a copy of what was delivered, and would go to somebody else.

        It is their letter, which managers do not read.

        :raise UserError:
        """
        if self.verdict_code != "duplicate":
            return
        resolve = self.env["mail.catchall.recipients"]._resolve_recipients
        recipients = resolve(self._get_written_to()).values()
        if not alias or not any(alias.id in recipient.alias_ids for recipient in recipients):
            raise UserError(
                _("“%s” was delivered: its copies go to nobody else.", self.name or self.message_id)
            )

    def _route_to(self, alias):
        """Deliver this mail to an alias, whomever it is written to.

        :return Verdict:
        """
        self._check_may_redirect(alias)
        self.is_accepted = True
        raw = self._get_source()
        name = alias.alias_full_name
        recipient = Recipient(name, "alias", name, "", (alias.id,))
        delivery = Delivery(self._prepare_delivery(raw).mail.redirected(recipient))
        self.alias_ids |= alias
        return self._run_core(delivery, raw)

    def _attach_to(self, document):
        """Post this mail on a document, whomever it is written to.

        :return Verdict:
        """
        self._check_may_redirect()
        self.is_accepted = True
        raw = self._get_source()
        delivery = Delivery(self._prepare_delivery(raw).mail.redirected())
        return self._run_core(delivery, raw, document._name, document.id)

    def _send_back(self, body):
        """Tell the sender of this mail that nobody gets it.

        :param Markup body: what he is told
        :return Verdict:
        """
        raw = self._get_source()
        delivery = self._prepare_delivery(raw)
        delivery.outcome.rejection_code = f"manual-{self.id}"
        self._send_rejection(delivery, self._parse_header(raw), body)
        if not delivery.outcome.rejection:
            raise UserError(
                _("“%(subject)s”: %(why)s", subject=self.name, why=delivery.outcome.silence)
            )
        self._note_rejection(delivery)
        return Verdict(self.verdict_code, "bounced", _("Sent back by hand."))
