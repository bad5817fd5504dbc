from odoo import _, api, fields, models


class ResConfigSettings(models.TransientModel):
    """The state of the set-up at a glance."""

    _inherit = "res.config.settings"

    catchall_state = fields.Json(compute="_compute_catchall_state")

    @api.depends("company_id")
    def _compute_catchall_state(self):
        for settings in self:
            settings.catchall_state = settings._prepare_catchall_state()

    def _prepare_catchall_state(self):
        """Return a row for each part of the gateway: how it is, and the action that leads there."""
        guide = self.env["mail.catchall.setup"]._find(self.company_id)
        # how many there are is no secret to an administrator; what they are may be
        waiting = (
            self.env["mail.catchall.inbound"]
            .sudo()
            .search_count(
                [
                    ("state", "in", ("review", "failed")),
                    ("company_id", "in", [self.company_id.id, False]),
                ]
            )
        )
        rows = [
            (_("Domain"), guide.domain_state, guide.domain_text, "mail.mail_alias_domain_action"),
            (
                _("Mailbox"),
                guide.mailbox_state,
                guide.mailbox_text,
                "mail.action_email_server_tree",
            ),
            (
                _("Sending"),
                guide.smtp_state,
                guide._describe_smtp(),
                "base.action_ir_mail_server_list",
            ),
            (_("Aliases"), guide.aliases_state, guide.aliases_text, "base.action_res_users"),
            (
                _("To review"),
                "todo" if waiting else "ok",
                _("Mails that wait for a decision: %s", waiting) if waiting else _("Nothing."),
                "mail_catchall_gateway.mail_catchall_inbound_action_review",
            ),
        ]
        return [
            {"label": label, "state": state, "text": text, "action": action}
            for label, state, text, action in rows
        ]
