from odoo import models


class MailCatchallInbound(models.Model):
    _inherit = "mail.catchall.inbound"

    def _process_at_once(self):
        """Process these mails in the transaction at hand: all of them, or none.

        For demo data, which is loaded while a module is installed; the queue commits each.
        """
        for inbound in self.sudo().sorted("id"):
            inbound.write({"state": "processing", "attempt_count": 1})
            inbound._process_locked()
