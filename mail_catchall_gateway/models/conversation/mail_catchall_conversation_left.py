from odoo import models


class MailCatchallConversation(models.Model):
    """Members who left the company: they are members again when they return."""

    _inherit = "mail.catchall.conversation"

    def _notify_get_recipients(self, message, msg_vals, **kwargs):
        """Write to no member who left, unless the message names him.

        Core takes a follower without an active user for a customer: he would go on reading what is
        none of his business any more, and stand in Cc of answers with his own address.
        """
        recipients = super()._notify_get_recipients(message, msg_vals, **kwargs)
        users = self.sudo().user_ids.filtered(lambda user: user.active and not user.share)
        named = (msg_vals or {}).get("partner_ids") or message.sudo().partner_ids.ids
        known = {*users.partner_id.ids, *named}
        return [data for data in recipients if data["id"] in known]
