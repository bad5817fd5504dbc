from odoo import api, models


class MailMessage(models.Model):
    _inherit = "mail.message"

    @api.model_create_multi
    def create(self, values_list):
        """Put the messaging alias where a user's own address would go out.

        Here, because this is the one place that chatter, composer, templates, the gateway and
        outgoing mails (``mail.mail`` inherits from this model) pass.
        """
        Users = self.env["res.users"]
        fnames = ("email_from", "reply_to")
        # of many mails, the same few addresses
        addresses = {values.get(fname) for values in values_list for fname in fnames}
        replaced = {email: Users._replace_own_address(email) for email in addresses if email}
        for values in values_list:
            for fname in fnames:
                if values.get(fname):
                    values[fname] = replaced[values[fname]]
        return super().create(values_list)
