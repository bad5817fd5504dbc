from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..models.conversation.correspondents import Correspondents


class MailCatchallAttach(models.TransientModel):
    """Asks for the document that a conversation belongs to."""

    _name = "mail.catchall.attach"
    _description = "Attach Conversation to a Document"

    conversation_id = fields.Many2one("mail.catchall.conversation", required=True)
    document = fields.Reference(
        selection="_selection_document",
        required=True,
        help="The messages move to this document, and later answers follow.",
    )
    subscribe = fields.Boolean(
        "Correspondents follow",
        help="Who wrote becomes a follower of the document, and gets what is sent there.",
    )

    @api.model
    def _selection_document(self):
        """Return the models that the user may attach to, those used last first."""
        domain = [("is_mail_thread", "=", True), ("transient", "=", False)]
        candidates = self.env["ir.model"].sudo().search(domain)  # employees may not read all models
        usable = {model.model: model.name for model in candidates if self._is_usable(model.model)}
        recent = self.env["mail.catchall.conversation"].with_context(active_test=False)
        recent = recent.search([("attached_model", "!=", False)], order="write_date desc", limit=50)
        names = [name for name in recent.mapped("attached_model") if name in usable]
        names += sorted(usable, key=usable.get)
        return [(name, usable[name]) for name in dict.fromkeys(names)]

    @api.model
    def _is_usable(self, name):
        if name not in self.env or name in ("mail.catchall.conversation", "discuss.channel"):
            return False
        model = self.env[name]
        if model._abstract or not model._auto:
            return False
        return model.check_access_rights("write", raise_exception=False)

    def action_apply(self):
        """Move the conversation, and open the document.

        :raise UserError: if none is chosen
        :raise AccessError: if the user may not write to it
        """
        self.ensure_one()
        if not self.document:
            raise UserError(_("Choose a document first."))
        conversation, document = self.conversation_id, self.document
        # asked here too: contacts and followers are made before the messages move
        conversation.check_access_rule("write")
        if self.subscribe:
            authors = conversation.message_ids.author_id.filtered("partner_share")
            # employees may not create contacts
            correspondents = Correspondents(conversation.sudo()).find_or_create()
            document.message_subscribe((authors | correspondents).ids)
        conversation._attach_to(document)
        return conversation.action_open_document()
