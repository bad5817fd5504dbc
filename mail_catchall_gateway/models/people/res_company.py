from odoo import models


class ResCompany(models.Model):
    _inherit = "res.company"

    def cache_invalidation_fields(self):
        """Forget which company an alias domain is of when that changes."""
        return {*super().cache_invalidation_fields(), "alias_domain_id"}
