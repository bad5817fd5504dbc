from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    def session_info(self):
        """Tell the web client whether to count what waits for review."""
        result = super().session_info()
        result["catchall_counts_reviews"] = self.env.user.has_group(
            "mail_catchall_gateway.group_catchall_manager"
        )
        return result
