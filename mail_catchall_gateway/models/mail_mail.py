from odoo import models


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _prepare_outgoing_list(self, recipients_follower_status=None):
        """Send nothing to a contact whose address is one of ours, as if it were a person's.

        It would come back as a new document. Core reports a recipient without a valid address to
        who wrote. Addresses in *To* that are no contact's are meant to come back, as those of a
        contact form.
        """
        emails = super()._prepare_outgoing_list(recipients_follower_status)
        is_ours = self.env["mail.alias.domain"]._is_gateway_address
        for values in emails:
            if values["partner_id"] and any(map(is_ours, values["email_to_normalized"])):
                values.update(email_to=[], email_to_normalized=[])
        return emails
