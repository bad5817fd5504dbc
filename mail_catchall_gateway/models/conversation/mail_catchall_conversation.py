import contextlib

from odoo import SUPERUSER_ID, _, api, fields, models, tools
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

#: Where a conversation went: written by what moves the messages, and by nobody else.
ATTACHED_FIELDS = {"attached_model", "attached_res_id", "attached_message_ids"}


class MailCatchallConversation(models.Model):
    """The thread behind mail that was written directly to users.

    Only its members read it, administrators included. What a member writes goes to the
    correspondent; a note stays inside.
    """

    _name = "mail.catchall.conversation"
    _description = "Conversation"
    _inherit = ["mail.thread"]
    _order = "last_message_date desc, id desc"
    _primary_email = "email_from"
    _mail_post_access = "read"

    name = fields.Char("Subject", required=True)
    user_ids = fields.Many2many(
        "res.users",
        string="Members",
        default=lambda self: self.env.user,
        domain="[('share', '=', False)]",
        help="The users who were written to. Nobody else can read this conversation.",
    )
    is_shared = fields.Boolean(
        "Shared", compute="_compute_is_shared", store=True, help="There are other members."
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Contact",
        help="The contact behind the correspondent's address.",
    )
    email_from = fields.Char(
        "Correspondent",
        compute="_compute_email_from",
        store=True,
        readonly=False,
        precompute=True,
        help="Who wrote last; answers go to this address, if he names no other one (Reply-To).",
    )
    email_cc = fields.Char("Cc", help="Whom the last mail was also sent to.")
    reply_to_all = fields.Boolean(
        "Reply to All", help="Answers also go to the addresses in Cc, in the same mail."
    )
    last_message_date = fields.Datetime("Last Message", default=fields.Datetime.now)
    is_unanswered = fields.Boolean(
        "Unanswered", readonly=True, help="The last message came from outside."
    )
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", default=lambda self: self.env.company)
    # where it went
    attached_model = fields.Char("Document Model", readonly=True, copy=False)
    attached_res_id = fields.Many2oneReference(
        "Attached To", model_field="attached_model", readonly=True, copy=False
    )
    attached_name = fields.Char("Document", compute="_compute_attached_name")
    attached_message_ids = fields.Many2many(
        "mail.message", string="Messages that were moved", copy=False
    )

    @api.depends("name", "user_ids")
    @api.depends_context("uid")
    def _compute_display_name(self):
        """Tell the subject to members only.

        The name of a record is read as superuser wherever another one points to it.
        """
        for conversation in self:
            is_open = self.env.uid in (SUPERUSER_ID, *conversation.sudo().user_ids.ids)
            conversation.display_name = conversation.sudo().name if is_open else self._description

    @api.depends("user_ids")
    def _compute_is_shared(self):
        for conversation in self:
            conversation.is_shared = len(conversation.user_ids) > 1

    @api.depends("partner_id")
    def _compute_email_from(self):
        for conversation in self:
            contact = conversation.partner_id
            if not conversation.id and not contact._is_readable():
                continue  # named in a form
            address = tools.email_normalize(conversation.email_from)
            if contact.email and contact.email_normalized != address:
                conversation.email_from = contact.email_formatted

    @api.depends("attached_model", "attached_res_id")
    def _compute_attached_name(self):
        """Name the document to each member, whether he may read it or not, and to nobody else."""
        stored = self._origin  # a form may name any record
        stored.check_access_rights("read")
        stored.check_access_rule("read")
        for conversation in self:
            document = conversation._origin and conversation._origin.sudo()._get_document()
            conversation.attached_name = document.display_name if document else False

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        self._check_attached_fields(set().union(*vals_list))
        conversations = super().create(vals_list)
        for conversation in conversations:
            conversation.message_subscribe(conversation.user_ids.partner_id.ids)
        return conversations

    def write(self, vals):
        self._check_attached_fields(vals)
        before = {conversation: conversation.user_ids for conversation in self}
        res = super().write(vals)
        if "user_ids" in vals:
            for conversation, users in before.items():
                left, joined = users - conversation.user_ids, conversation.user_ids - users
                conversation.message_unsubscribe(left.partner_id.ids)
                conversation.message_subscribe(joined.partner_id.ids)
        return res

    @api.model
    def _check_attached_fields(self, vals):
        """Raise if a user says himself where the messages went: those of others would come back.

        :raise AccessError:
        """
        if not self.env.su and ATTACHED_FIELDS & set(vals):
            raise AccessError(_("To attach a conversation, use “Attach to a Document”."))

    def _message_subscribe(self, partner_ids=None, subtype_ids=None, customer_ids=None):
        """Only members follow: a follower gets every message, and is written to in addition."""
        members = set(self.sudo().user_ids.partner_id.ids)
        partner_ids = [pid for pid in partner_ids or [] if pid in members]
        return super()._message_subscribe(partner_ids, subtype_ids, customer_ids)

    def _check_can_update_message_content(self, messages):
        """Let administrators change nothing either: who changes a message is shown it."""
        self.check_access_rule("write")
        return super()._check_can_update_message_content(messages)

    # ------------------------------------------------------------
    # ATTACHING TO A DOCUMENT
    # ------------------------------------------------------------

    def action_attach(self):
        """Ask for the document that this conversation belongs to."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Attach to a Document"),
            "res_model": "mail.catchall.attach",
            "view_mode": "form",
            "target": "new",
            "context": {"default_conversation_id": self.id},
        }

    def action_open_document(self):
        """Open the document that this conversation was attached to."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.attached_model,
            "res_id": self.attached_res_id,
            "view_mode": "form",
        }

    def action_detach(self):
        """Take back what was attached to a document by mistake.

        :raise AccessError: if the user may not write to the document any more
        """
        self.ensure_one()
        self.check_access_rule("write")
        document = self._get_document()
        if not document:
            raise UserError(_("The document is gone, and the messages with it."))
        document.check_access_rights("write")
        document.check_access_rule("write")
        still_there = self.sudo().attached_message_ids.filtered(
            lambda message: (message.model, message.res_id) == (document._name, document.id)
        )
        with self._keep_notes_and_attachments(still_there, self):
            still_there.write({"model": self._name, "res_id": self.id})
        self._set_attached(None, None)
        self._message_log(body=_("Taken back from the document %s.", document.display_name))
        document._message_log(body=_("The conversation “%s” was taken back.", self.name))

    def _attach_to(self, document):
        """Move all messages to a document; later answers follow them there.

        :param document: record of a model with a chatter, that the user may write to
        :raise AccessError: if he may not
        """
        self.ensure_one()
        self.check_access_rule("write")
        document.check_access_rights("write")
        document.check_access_rule("write")
        messages = self.sudo().message_ids
        with self._keep_notes_and_attachments(messages, document):
            self.sudo().message_change_thread(document)
        self._set_attached(document, messages)
        self._message_log(body=_("Attached to %s.", document.display_name))
        document._message_log(body=_("The conversation “%s” was attached.", self.name))

    def _set_attached(self, document, messages):
        """Note where the messages went; without a document, that they came back.

        As superuser: users may not say so themselves. Callers have checked their rights.
        """
        self.sudo().write(
            {
                "active": not document,
                "attached_model": document._name if document else False,
                "attached_res_id": document.id if document else False,
                "attached_message_ids": [Command.set(messages.ids if messages else [])],
            }
        )

    @contextlib.contextmanager
    def _keep_notes_and_attachments(self, messages, thread):
        """Move the attachments of messages along, and let notes be notes.

        ``message_change_thread`` forgets which messages were notes, and leaves the attachments
        where only those can open them who may read the old thread.
        """
        note = self.env.ref("mail.mt_note")
        notes = messages.filtered(lambda message: message.subtype_id == note)
        old = {(message.model, message.res_id) for message in messages}
        attachments = messages.attachment_ids.filtered(lambda a: (a.res_model, a.res_id) in old)
        yield
        notes.subtype_id = note
        attachments.write({"res_model": thread._name, "res_id": thread.id})
        messages.record_name = thread.sudo().display_name

    def _get_document(self):
        """Return the document that this conversation was attached to, or nothing."""
        self.ensure_one()
        if not self.attached_model or self.attached_model not in self.env:
            return None
        return self.env[self.attached_model].browse(self.attached_res_id).exists()
