from odoo import _, api, fields, models
from odoo.tools import format_datetime

from ...tools.message.source import one_line
from ..inbound.mail_catchall_inbound import OPEN_STATES

MAILBOXES_ACTION = "mail_catchall_gateway.fetchmail_server_action_catchall"


class ResConfigSettings(models.TransientModel):
    """The state of the set-up at a glance."""

    _inherit = "res.config.settings"

    catchall_state = fields.Json(compute="_compute_catchall_state")

    def action_open_catchall_description(self):
        """Open the page of the addon, as the Apps menu does."""
        return {
            "type": "ir.actions.act_window",
            "res_model": "ir.module.module",
            "res_id": self.env.ref("base.module_mail_catchall_gateway").id,
            "views": [(self.env.ref("base.module_form").id, "form")],
        }

    @api.depends("company_id")
    def _compute_catchall_state(self):
        for settings in self:
            settings.catchall_state = settings._prepare_catchall_state()

    def _prepare_catchall_state(self):
        """Return a row for each part of the gateway: how it is, and the action that leads there."""
        guide = self.env["mail.catchall.setup"]._find(self.company_id)
        rows = [
            (_("Domain"), guide.domain_state, guide.domain_text, "mail.mail_alias_domain_action"),
            (_("Mailbox"), guide.mailbox_state, guide.mailbox_text, MAILBOXES_ACTION),
            (
                _("Sending"),
                *(self._check_unsent() or (guide.smtp_state, guide._describe_smtp())),
                "base.action_ir_mail_server_list",
            ),
            (_("Aliases"), guide.aliases_state, guide.aliases_text, "base.action_res_users"),
            (_("Last fetch"), *self._check_last_fetch(), MAILBOXES_ACTION),
            (
                _("To review"),
                *self._check_waiting(),
                "mail_catchall_gateway.mail_catchall_inbound_action_review",
            ),
            (
                _("Listener"),
                *self.env["mail.catchall.listener"]._get_state(),
                MAILBOXES_ACTION,
            ),
        ]
        return [
            {"label": label, "state": state, "text": text, "action": action}
            for label, state, text, action in rows
        ]

    def _check_last_fetch(self):
        """Return how fetching goes: (state, text). The mailbox that is worst off tells."""
        mailboxes = self.env["fetchmail.server"].search(
            [("is_catchall", "=", True), ("state", "=", "done")]
        )
        if not mailboxes:
            return "todo", _("No mailbox is read yet.")
        if not self._get_fetch_action().active:
            return "error", _("The scheduled action that fetches mail is switched off.")
        failing = mailboxes.filtered("error_count")[:1]
        if failing:
            return "error", f"{failing.name}: {failing.last_error}"
        latest = max(filter(None, mailboxes.mapped("last_success")), default=None)
        if not latest:
            return "todo", _("Nothing was fetched yet.")
        count = self._count_inbound(
            [("create_date", ">", fields.Datetime.subtract(latest, days=1))]
        )
        date = format_datetime(self.env, latest, dt_format="short")
        return "ok", _("%(date)s. Mails within a day: %(count)s", date=date, count=count)

    def _check_unsent(self):
        """Return that mails wait for their mail server, and why: (state, text), or None."""
        mails = self.env["mail.mail"].sudo()
        domain = mails._get_waiting_domain()
        latest = mails.search(domain, order="scheduled_date desc", limit=1)
        if not latest:
            return None
        text = _(
            "Emails that no mail server takes for now: %(count)s. They are tried again. %(error)s",
            count=mails.search_count(domain),
            error=one_line(latest.failure_reason),
        )
        return "error", text

    def _check_waiting(self):
        """Return whether mails wait for a decision: (state, text)."""
        waiting = self._count_inbound([("state", "in", OPEN_STATES)])
        if not waiting:
            return "ok", _("Nothing.")
        return "todo", _("Mails that wait for a decision: %s", waiting)

    def _count_inbound(self, domain):
        # how many there are is no secret to an administrator; what they are may be
        companies = [("company_id", "in", [self.company_id.id, False])]
        return self.env["mail.catchall.inbound"].sudo().search_count([*companies, *domain])
