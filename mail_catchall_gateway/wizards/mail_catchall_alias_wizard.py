from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class MailCatchallAliasWizard(models.TransientModel):
    """Proposes messaging aliases for users, and gives them when the names are right."""

    _name = "mail.catchall.alias.wizard"
    _description = "Give Messaging Aliases"

    source = fields.Selection(
        [("name", "First name and last name"), ("login", "Login")],
        "Made From",
        default="name",
        required=True,
    )
    line_ids = fields.One2many("mail.catchall.alias.wizard.line", "wizard_id", "Proposals")
    skipped = fields.Text(compute="_compute_skipped")

    @api.model
    def default_get(self, fields_list):
        values = super().default_get(fields_list)
        if "line_ids" in fields_list:
            source = values.get("source") or "name"
            values["line_ids"] = self._prepare_lines(self._get_users(), source)
        return values

    @api.model
    def _get_users(self):
        """Return the users who are selected; from elsewhere, all internal users."""
        users = self.env["res.users"]
        if self.env.context.get("active_model") == users._name:
            return users.browse(self.env.context.get("active_ids"))
        return users.search([("share", "=", False)])

    @api.model
    def _prepare_lines(self, users, source):
        users = users.filtered(lambda user: not user.share and not user.alias_email)
        proposals = users._propose_alias_names(source)
        return [
            Command.create({"user_id": user.id, "alias_name": name})
            for user, name in proposals.items()
        ]

    @api.depends("line_ids")
    def _compute_skipped(self):
        users = self._get_users()
        outside = users.filtered("share")
        served = users.filtered(lambda user: not user.share and user.alias_email)
        names = ", ".join(outside.mapped("name"))
        texts = [
            served and _("Have one already: %s", ", ".join(served.mapped("name"))),
            outside and _("Only internal users can have one: %s", names),
        ]
        self.skipped = "\n".join(filter(None, texts))

    @api.onchange("source")
    def _onchange_source(self):
        users = self.line_ids.user_id
        self.line_ids = [Command.clear(), *self._prepare_lines(users, self.source)]

    def action_apply(self):
        """Give the aliases.

        :raise UserError: core's, if one is taken; or that none is named
        """
        self.ensure_one()
        lines = self.line_ids.filtered("alias_name")
        if not lines:
            raise UserError(_("There is no address to give."))
        for line in lines:
            line.user_id.alias_name = line.alias_name
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": _("%s messaging aliases were given.", len(lines)),
                "next": {"type": "ir.actions.act_window_close"},
            },
        }
