from odoo import api, models


class MailMessage(models.Model):
    _inherit = "mail.message"

    @api.model_create_multi
    def create(self, values_list):
        """Put the messaging alias where a user's own address would go out.

        Here, because this is the one place that chatter, composer, templates, the gateway and
        outgoing mails (``mail.mail`` inherits from this model) pass.
        """
        Users, replaced = self.env["res.users"], {}
        for values in values_list:
            # who left writes no mail, though templates may send as him; what he writes from
            # outside is an outsider's
            with_archived = values.get("message_type") != "email"
            for fname in ("email_from", "reply_to"):
                if not values.get(fname):
                    continue
                key = (values[fname], with_archived)
                if key not in replaced:  # of many mails, the same few addresses
                    replaced[key] = Users._replace_own_address(*key)
                values[fname] = replaced[key]
        return super().create(values_list)
