from odoo import models

from .mail_catchall_inbound_review import OPEN_STATES


class MailCatchallInbound(models.Model):
    """Keeps the number beside the menu *To Review* right, in every window that shows it."""

    _inherit = "mail.catchall.inbound"

    def write(self, vals):
        was_open = "state" in vals and self._is_any_open()
        res = super().write(vals)
        if was_open or vals.get("state") in OPEN_STATES:
            self._notify_review_counter()
        return res

    def _is_any_open(self):
        return any(inbound.state in OPEN_STATES for inbound in self)

    def _notify_review_counter(self):
        """Tell the managers' browsers to count again; each counts what it may see."""
        managers = self.env.ref("mail_catchall_gateway.group_catchall_manager").sudo().users
        self.env["bus.bus"]._sendmany(
            (partner, "mail.catchall.inbound/review", {}) for partner in managers.partner_id
        )
