from odoo import models


class ResPartner(models.Model):
    _inherit = "res.partner"

    def write(self, vals):
        res = super().write(vals)
        if vals.keys() & {"name", "email"} and self.sudo().user_ids:
            self.env["res.users"]._clear_identities()
        return res
