from odoo import api, models, tools

from ...tools.addresses.addresses import replace_address, replace_in_card


class MailThread(models.AbstractModel):
    """What users write in their own mailboxes goes out without them."""

    _inherit = "mail.thread"

    @api.model
    def _hide_own_mailbox(self, delivery, msg_dict):
        """Let nothing of a user's own mailbox out with what he sends from it.

        The Message-Id goes out again to who gets the message, and often names his provider, his
        machine or his address; quoted text may name the address that his copy was sent to, and his
        mail program writes it into what it attaches.
        """
        if msg_dict["is_bounce"]:
            return
        Users = self.env["res.users"]
        address = tools.email_normalize(msg_dict["email_from"])
        user_id, _identity = Users._get_identities().get(address, (0, ""))
        if not user_id and self.env["mail.alias.domain"]._is_gateway_address(address):
            user_id = Users._find_by_alias(address).id
        if not user_id:
            return
        delivery.outcome.author_user_id = user_id
        msg_dict["message_id"] = tools.generate_tracking_message_id("mailbox")
        user = Users.sudo().browse(user_id)
        for own_address in tools.email_normalize_all(user.email):
            self._replace_in_mail(msg_dict, own_address, user.alias_email or address)

    @api.model
    def _replace_in_mail(self, msg_dict, old, new):
        """Put one address in the place of another in what people see of a mail."""
        for key in ("subject", "body"):
            msg_dict[key] = replace_address(msg_dict[key], old, new)
        msg_dict["attachments"] = [
            attachment._replace(
                fname=replace_address(attachment.fname, old, new),
                content=replace_in_card(attachment.content, old, new),
            )
            for attachment in msg_dict["attachments"]
            # the signature of what leaves in another form; it names his address (RFC 8551)
            if attachment.fname.lower() != "smime.p7s"
        ]
