from odoo import _, api, models
from odoo.exceptions import AccessError

CONVERSATION = "mail.catchall.conversation"


class MailMessage(models.Model):
    """Shows messaging aliases to the outside, and keeps conversations among their members.

    Core checks ``read()`` and ``search()``, and reads the fields of messages as superuser. So
    what takes fields from records without either (``copy_data``, ``mapped``, ``export_data``,
    templates, the composer's parent) shows every message to every user who knows its number.
    """

    _inherit = "mail.message"

    @api.depends_context("uid")
    def _compute_display_name(self):
        """Name it only to who may read it: what points here (notifications) takes it by sudo."""
        res = super()._compute_display_name()
        for message in self:
            try:
                message._check_open_to_user()
            except AccessError:
                message.display_name = _("Conversation")
        return res

    @api.model_create_multi
    def create(self, values_list):
        """Replace users' own addresses, and let only its members write into a conversation.

        Chatter, composer, templates, the gateway and outgoing mails (``mail.mail`` inherits from
        this model) all pass here. Core accepts any message, of any document, whose parent the user
        was notified of.
        """
        self._replace_own_addresses(values_list)
        messages = super().create(values_list)
        messages._check_place()
        return messages

    def write(self, vals):
        res = super().write(vals)
        if vals.keys() & {"model", "res_id"}:
            self._check_place()
        return res

    def fetch(self, field_names):
        """Check afterwards what core does not: it reads as superuser."""
        if self.env.su or not field_names:
            return super().fetch(field_names)
        res = super().fetch({*field_names, "model"})  # in the same query
        cache, model = self.env.cache, self._fields["model"]
        private = self.filtered(lambda message: cache.get(message, model, None) == CONVERSATION)
        try:
            private._check_open_to_user()
        except AccessError:
            private.invalidate_recordset(flush=False)
            raise
        return res

    @api.model
    def _replace_own_addresses(self, values_list):
        """Put messaging aliases where users' own addresses would go out."""
        Users, replaced = self.env["res.users"], {}
        for values in values_list:
            # templates may send as a user who left; what such a user writes is an outsider's
            with_archived = values.get("message_type") != "email"
            for fname in ("email_from", "reply_to"):
                if not values.get(fname):
                    continue
                key = (values[fname], with_archived)
                if key not in replaced:  # of many mails, the same few addresses
                    replaced[key] = Users._replace_own_address(*key)
                values[fname] = replaced[key]

    def _message_format_extras(self, format_reply):
        """Quote no message of a conversation in an answer elsewhere."""
        # only whether it is one leaves
        format_reply = format_reply and self.sudo().parent_id.model != CONVERSATION
        return super()._message_format_extras(format_reply)

    def _check_place(self):
        """Raise an AccessError if a user writes into a conversation they are no member of."""
        if not self.env.su:
            # which of them are in conversations; the user's own rights are asked for these
            messages = self.sudo().filtered(lambda message: message.model == CONVERSATION)
            self.env[CONVERSATION].browse(messages.mapped("res_id")).check_access_rule("read")

    def _check_open_to_user(self):
        """Raise if one is in a conversation closed to the user, also where sudo reads for them."""
        # which of them are in conversations; the user's own rights are asked for these
        private = self.sudo().filtered(lambda message: message.model == CONVERSATION)
        if private:
            private.with_user(self.env.uid).check_access_rule("read")
