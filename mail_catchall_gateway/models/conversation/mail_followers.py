from odoo import _, api, models
from odoo.exceptions import ValidationError


class MailFollowers(models.Model):
    """Keeps the followers of conversations to their members."""

    _inherit = "mail.followers"

    @api.constrains("res_model", "res_id", "partner_id")
    def _check_members_follow(self):
        """A follower is sent every message; administrators may write here directly."""
        # who the members are, for administrators who are none
        conversations = self.env["mail.catchall.conversation"].sudo()
        for follower in self.filtered(lambda follower: follower.res_model == conversations._name):
            conversation = conversations.browse(follower.res_id)
            if follower.partner_id not in conversation.user_ids.partner_id:
                raise ValidationError(_("Only the members of a conversation follow it."))
