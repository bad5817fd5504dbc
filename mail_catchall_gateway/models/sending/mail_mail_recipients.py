from odoo import models, tools


class MailMail(models.Model):
    """Names no user's own address to others who get the same mail."""

    _inherit = "mail.mail"

    def _prepare_outgoing_list(self, recipients_follower_status=None):
        """Write to a user at his own address apart from those who are named in To and Cc.

        A template may send its mail to a customer, with the salesperson in Cc.
        """
        emails = super()._prepare_outgoing_list(recipients_follower_status)
        identities = self.env["res.users"]._get_identities(with_archived=True)
        own = {}
        for values in emails:
            addresses = set(values["email_to_normalized"])
            if not values["partner_id"] and addresses - identities.keys():
                own.update((address, values) for address in addresses & identities.keys())
        for address, values in own.items():
            for key in ("email_to", "email_cc"):
                values[key] = [
                    email for email in values[key] if tools.email_normalize(email) != address
                ]
            values["email_to_normalized"] = [
                email for email in values["email_to_normalized"] if email != address
            ]
            partner = self.env["res.users"].sudo().browse(identities[address][0]).partner_id
            if all(values["partner_id"] != partner for values in emails):
                apart = {"email_to": [address], "email_to_normalized": [address], "email_cc": []}
                emails.append({**values, **apart, "email_to_raw": address, "partner_id": partner})
        return emails
