from odoo import models


class MailAliasDomain(models.Model):
    _inherit = "mail.alias.domain"

    def write(self, vals):
        res = super().write(vals)
        if "name" in vals:
            self.env["res.users"]._clear_identities()
        return res
