from odoo import _, api, models
from odoo.exceptions import AccessError

CONVERSATION = "mail.catchall.conversation"


class MailMessage(models.Model):
    """Keeps what is written in conversations among their members.

    Core checks ``read()`` and ``search()``, and reads the fields of messages as superuser. So
    what takes fields from records without either (``copy_data``, ``mapped``, ``export_data``,
    templates, the composer's parent) shows every message to every user who knows its number.
    """

    _inherit = "mail.message"

    @api.depends_context("uid")
    def _compute_display_name(self):
        """Name the conversation only to who may read the message.

        The name of a record is read as superuser wherever another one, like a notification that
        every user may read, points to it.
        """
        res = super()._compute_display_name()
        for message in self:
            try:
                message._check_open_to_user()
            except AccessError:
                message.display_name = _("Conversation")
        return res

    @api.model_create_multi
    def create(self, values_list):
        """Let only its members write into a conversation.

        Core is content with any message, of any document, that the user was notified of, if he
        names it as the parent.
        """
        messages = super().create(values_list)
        messages._check_place()
        return messages

    def write(self, vals):
        """Let only its members move a message into a conversation."""
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
        private = self.filtered(
            lambda message: (
                cache.contains(message, model) and cache.get(message, model) == CONVERSATION
            )
        )
        try:
            private._check_open_to_user()
        except AccessError:
            private.invalidate_recordset(flush=False)
            raise
        return res

    def _message_format_extras(self, format_reply):
        """Quote no message of a conversation where somebody answered it elsewhere."""
        is_quote = format_reply and self.sudo().parent_id.model == CONVERSATION
        return super()._message_format_extras(format_reply and not is_quote)

    # ------------------------------------------------------------
    # CONVERSATIONS
    # ------------------------------------------------------------

    def _check_place(self):
        """Raise if somebody writes into a conversation that is not his.

        :raise AccessError:
        """
        if not self.env.su:
            messages = self.sudo().filtered(lambda message: message.model == CONVERSATION)
            conversations = self.env[CONVERSATION].browse(messages.mapped("res_id"))
            conversations.check_access_rule("read")

    def _check_open_to_user(self):
        """Raise if one of these messages is in a conversation that the user may not read.

        Also where the superuser reads on his behalf.

        :raise AccessError:
        """
        private = self.sudo().filtered(lambda message: message.model == CONVERSATION)
        if private:
            private.with_user(self.env.uid).check_access_rule("read")
