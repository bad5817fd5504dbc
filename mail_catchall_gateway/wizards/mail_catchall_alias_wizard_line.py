from odoo import _, api, fields, models


class MailCatchallAliasWizardLine(models.TransientModel):
    """One user, and the alias that is proposed for them."""

    _name = "mail.catchall.alias.wizard.line"
    _description = "Proposed Messaging Alias"

    wizard_id = fields.Many2one("mail.catchall.alias.wizard", required=True, ondelete="cascade")
    user_id = fields.Many2one("res.users", required=True, readonly=True)
    alias_name = fields.Char("Messaging Alias")
    alias_domain = fields.Char("Domain", related="user_id.company_id.alias_domain_id.name")
    note = fields.Char(compute="_compute_note")

    @api.depends("alias_name", "user_id")
    def _compute_note(self):
        for line in self:
            line.note = False
            if not line.alias_domain:
                line.note = _("%s has no email domain", line.user_id.company_id.name)
            elif not line.alias_name:
                line.note = _("the name makes no address: enter one")
            elif line._is_taken():
                line.note = _("taken: enter another one")

    def _is_taken(self):
        name = self.env["mail.alias"]._sanitize_alias_name(self.alias_name)
        domain = self.user_id.company_id.alias_domain_id
        return self.env["mail.alias.domain"]._is_gateway_address(f"{name}@{domain.name}")
