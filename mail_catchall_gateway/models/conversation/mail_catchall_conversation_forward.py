from odoo import models, tools

from ...tools.addresses.recipients import address_fields
from ...tools.judging.delivery import delivery_of


class MailCatchallConversation(models.Model):
    """What a user sends on to somebody else is no answer to the correspondent."""

    _inherit = "mail.catchall.conversation"

    def _is_answer(self, post_values):
        return super()._is_answer(post_values) and not self._is_forward()

    def _is_forward(self):
        """Tell whether a mail from an own mailbox is written to others, with a copy to us.

        It is kept, and the correspondent is not shown what was said to others.
        """
        delivery = delivery_of(self.env)
        if not delivery:
            return False
        written_to = set(address_fields(delivery.mail.fields, ("to",)))
        ours = {
            recipient.address for recipient in delivery.mail.get_all("alias", "service", "unknown")
        }
        fields = (self.email_from, self.email_reply_to, self.email_cc)
        known = tools.email_normalize_all(",".join(filter(None, fields)))
        known.append(self.sudo().partner_id.email_normalized)
        return bool(written_to) and not written_to & {*ours, *known}
