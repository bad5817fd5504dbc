from odoo import _, api, fields, models
from odoo.exceptions import UserError


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
        models_sudo = self.env["ir.model"].sudo()
        candidates = models_sudo.search(
            [("is_mail_thread", "=", True), ("transient", "=", False)], order="name"
        )
        usable = [(model.model, model.name) for model in candidates if self._is_usable(model.model)]
        recent = self._get_recent_models()
        return sorted(usable, key=lambda item: (recent.get(item[0], len(recent)), item[1]))

    @api.model
    def _is_usable(self, name):
        if name not in self.env or name == "mail.catchall.conversation":
            return False
        model = self.env[name]
        if model._abstract or not model._auto or name == "discuss.channel":
            return False
        return model.check_access_rights("write", raise_exception=False)

    @api.model
    def _get_recent_models(self):
        """Return the rank of the models that conversations of this user were attached to."""
        conversations = self.env["mail.catchall.conversation"].with_context(active_test=False)
        attached = conversations.search(
            [("attached_model", "!=", False)], order="write_date desc", limit=50
        )
        names = dict.fromkeys(attached.mapped("attached_model"))
        return {name: rank for rank, name in enumerate(names)}

    def action_apply(self):
        """Move the conversation, and open the document.

        :raise UserError: if it is not said which one
        :raise AccessError: if the user may not write to it
        """
        self.ensure_one()
        if not self.document:
            raise UserError(_("Choose a document first."))
        conversation, document = self.conversation_id, self.document
        # what follows makes contacts and followers before the messages move
        conversation.check_access_rule("write")
        if self.subscribe:
            authors = conversation.message_ids.author_id.filtered("partner_share")
            correspondents = conversation._find_or_create_correspondents()
            document.message_subscribe((authors | correspondents).ids)
        conversation._attach_to(document)
        return {
            "type": "ir.actions.act_window",
            "res_model": document._name,
            "res_id": document.id,
            "view_mode": "form",
        }
