from odoo import api, fields, models, tools

from ...tools.judging.delivery import delivery_of
from ...tools.time_limit import in_days, read_days


class MailThread(models.AbstractModel):
    """Old Message-Ids open no thread to strangers: they were sent on, archived, published."""

    _inherit = "mail.thread"

    def _get_parent_message(self, msg_dict):
        parent = super()._get_parent_message(msg_dict)
        delivery = delivery_of(self.env)
        if not parent or not delivery or delivery.mail.is_accepted or delivery.mail.get_signed():
            return parent
        if not self._is_old(parent) or self._has_part(parent, delivery.mail.sender):
            return parent
        # message_route looks for the references once more
        msg_dict.update(references="", in_reply_to="")
        return None

    @api.model
    def _is_old(self, message):
        parameters = self.env["ir.config_parameter"].sudo()
        days = read_days(parameters.get_param("mail_catchall_gateway.reply_days"), 0)
        return days > 0 and message.date < fields.Datetime.now() - in_days(days)

    @api.model
    def _has_part(self, message, address):
        """Tell whether somebody wrote or got a message of a thread, or works here.

        :param message: one of the thread
        :param str address: his, normalized
        """
        if not address:
            return False
        users = self.env["res.users"].sudo()
        own = users.search_count([("email_normalized", "=", address), ("share", "=", False)])
        if own or users._find_by_alias(address):
            return True
        thread = [("model", "=", message.model), ("res_id", "=", message.res_id)]
        messages = self.env["mail.message"].sudo().search(thread)
        followers = self.env["mail.followers"].sudo()
        followers = followers.search([("res_model", "=", message.model), thread[1]])
        partners = messages.author_id | messages.partner_ids | followers.partner_id
        partners |= messages.notification_ids.res_partner_id
        authors = map(tools.email_normalize, filter(None, messages.mapped("email_from")))
        return address in partners.mapped("email_normalized") or address in authors
