from odoo import models


class MailComposeMessage(models.TransientModel):
    """Tells nothing of a conversation to users who answer a message of it that they may not read.

    Core takes subject, name and recipients from the parent as superuser.
    """

    _inherit = "mail.compose.message"

    def _compute_subject(self):
        self._check_parent()
        return super()._compute_subject()

    def _compute_record_name(self):
        self._check_parent()
        return super()._compute_record_name()

    def _compute_partner_ids(self):
        self._check_parent()
        return super()._compute_partner_ids()

    def _check_parent(self):
        self.parent_id._check_open_to_user()
