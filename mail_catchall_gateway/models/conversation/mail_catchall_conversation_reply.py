from odoo import api, fields, models, tools

from ...tools.addresses.reply_to import reply_mailboxes
from ...tools.judging.delivery import delivery_of
from .mail_catchall_conversation_mail import MAX_CC


class MailCatchallConversation(models.Model):
    """Where who wrote wants answers: a contact form writes as itself, and names who filled it."""

    _inherit = "mail.catchall.conversation"

    email_reply_to = fields.Char(
        "Reply-To",
        compute="_compute_email_reply_to",
        store=True,
        readonly=False,
        precompute=True,
        help="Who wrote last wants answers at this address, and they go there.",
    )

    @api.depends("email_from")
    def _compute_email_reply_to(self):
        """Forget it where a user says whom to write to."""
        self.email_reply_to = False

    @api.model
    def _prepare_correspondent_values(self, msg_dict):
        values = super()._prepare_correspondent_values(msg_dict)
        if "email_from" in values:
            values["email_reply_to"] = self._get_reply_to(msg_dict["email_from"])
        return values

    @api.model
    def _get_reply_to(self, email_from):
        """Return where answers to a mail go, if not to its sender: addresses, as in Cc.

        Never to ourselves: a user's answer would come back to him or to a colleague.
        """
        delivery = delivery_of(self.env)
        mailboxes = reply_mailboxes(delivery.mail.fields) if delivery else {}
        is_ours = self.env["mail.alias.domain"]._is_gateway_address
        own_addresses = self.env["res.users"]._get_identities()
        others = {
            address: name
            for address, name in mailboxes.items()
            if not is_ours(address) and address not in own_addresses
        }
        if not 0 < len(others) <= MAX_CC or list(others) == [tools.email_normalize(email_from)]:
            return False
        return ", ".join(tools.formataddr((name, address)) for address, name in others.items())

    def _get_correspondents(self):
        """Return the addresses that answers go to; a user may have named several."""
        self.ensure_one()
        value = self.email_reply_to or self.email_from
        emails = tools.email_split_and_format(value)
        return emails if len(emails) > 1 else [value]
