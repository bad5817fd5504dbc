from odoo import models
from odoo.service.model import retrying


class MailMail(models.Model):
    _inherit = "mail.mail"

    def send(self, auto_commit=False, raise_exception=False):
        """Leave to the queue what may still be rolled back, and would be sent again then."""
        if self.env.context.get("catchall_queue_mail"):
            return None
        return super().send(auto_commit=auto_commit, raise_exception=raise_exception)

    def _send(self, auto_commit=False, **kwargs):
        """Try again at once when a user marks the message as read at the same moment.

        Core ends the run of the queue then, before it sends that mail, and the next is in an hour.
        """
        if not auto_commit:
            return super()._send(auto_commit=auto_commit, **kwargs)

        def send():  # those that were sent are gone, or known as sent
            return super(MailMail, self.exists())._send(auto_commit=True, **kwargs)

        return retrying(send, self.env)

    def _prepare_outgoing_list(self, recipients_follower_status=None):
        """Send nothing to a contact whose address is one of ours, as if it were a person's.

        Core reports a recipient without a valid address to who wrote. To the alias of a team it
        sends, and knows the mail again when it comes back; addresses that are no contact's are
        meant to come back, like that of a contact form.
        """
        emails = super()._prepare_outgoing_list(recipients_follower_status)
        domains, users = self.env["mail.alias.domain"], self.env["res.users"]
        is_ours = domains._get_ownership_test()
        for values in emails:
            addresses = values["email_to_normalized"] if values["partner_id"] else []
            addresses = filter(is_ours, addresses)
            if any(
                domains._is_service_address(address)
                or (domains._is_gateway_address(address) and users._find_by_alias(address))
                for address in addresses
            ):
                values.update(email_to=[], email_to_normalized=[])
        return emails
