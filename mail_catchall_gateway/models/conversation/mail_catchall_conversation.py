from odoo import SUPERUSER_ID, _, api, fields, models, tools
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

from ...tools.judging.delivery import delivery_of
from .correspondents import Correspondents, find_correspondents, is_colleague

#: Where a conversation went. Only moving its messages writes these.
ATTACHED_FIELDS = {"attached_model", "attached_res_id", "attached_message_ids"}


class MailCatchallConversation(models.Model):
    """The thread behind mail that was written directly to users.

    Only its members read it, administrators included. What a member writes goes to the
    correspondents; a note stays inside.
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
        "res.partner", "Contact", help="The contact behind the correspondent's address."
    )
    email_from = fields.Char(
        "Correspondent",
        compute="_compute_email_from",
        store=True,
        readonly=False,
        precompute=True,
        help="Who wrote last; answers go to this address, if he names no other one (Reply-To).",
    )
    email_reply_to = fields.Char(
        "Reply-To",
        compute="_compute_email_reply_to",
        store=True,
        readonly=False,
        precompute=True,
        help="Who wrote last wants answers at this address, and they go there.",
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
        """Tell the subject to members only: names are read as superuser by what points here."""
        for conversation in self:
            whole = conversation.sudo()  # to tell the subject to members only
            is_open = self.env.uid in (SUPERUSER_ID, *whole.user_ids.ids)
            conversation.display_name = whole.name if is_open else self._description

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

    @api.depends("email_from")
    def _compute_email_reply_to(self):
        """Forget it where a user chooses another correspondent."""
        self.email_reply_to = False

    @api.depends("attached_model", "attached_res_id")
    def _compute_attached_name(self):
        """Name the document to members only, to all of them whether they may read it or not."""
        stored = self._origin  # a form may name any record
        stored.check_access_rights("read")
        stored.check_access_rule("read")
        for conversation in self:
            # a member learns the name also without access to the document
            document = conversation._origin and conversation._origin.sudo()._get_document()
            conversation.attached_name = document.display_name if document else False

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
        for conversation, users in before.items() if "user_ids" in vals else ():
            conversation.message_unsubscribe((users - conversation.user_ids).partner_id.ids)
            conversation.message_subscribe((conversation.user_ids - users).partner_id.ids)
        return res

    @api.model
    def _check_attached_fields(self, vals):
        """Raise if a user tells where the messages went: messages of others would come back."""
        if not self.env.su and ATTACHED_FIELDS & set(vals):
            raise AccessError(_("To attach a conversation, use “Attach to a Document”."))

    def action_attach(self):
        """Return the action that asks for the document this conversation belongs to."""
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
        """Return the action that opens the document this conversation was attached to."""
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
        # what came from here and is still there, also messages of others
        messages = self.sudo().attached_message_ids
        place = (document._name, document.id)
        self._move(messages.filtered(lambda m: (m.model, m.res_id) == place), self)
        self._message_log(body=_("Taken back from the document %s.", document.display_name))
        document._message_log(body=_("The conversation “%s” was taken back.", self.name))

    def _attach_to(self, document):
        """Move all messages to a document that the user may write to; later answers follow."""
        self.ensure_one()
        self.check_access_rule("write")
        document.check_access_rights("write")
        document.check_access_rule("write")
        self._move(self.sudo().message_ids, document)  # also messages of others
        self._message_log(body=_("Attached to %s.", document.display_name))
        document._message_log(body=_("The conversation “%s” was attached.", self.name))

    def _move(self, messages, thread):
        """Move messages with their attachments, and note where they are now.

        Core's ``message_change_thread`` forgets which messages were notes, and leaves attachments
        where only those can open them who may read the old thread.
        """
        old = {(message.model, message.res_id) for message in messages}
        attachments = messages.attachment_ids.filtered(lambda a: (a.res_model, a.res_id) in old)
        attachments.write({"res_model": thread._name, "res_id": thread.id})
        name = thread.sudo().display_name  # for all readers of the messages
        messages.write({"model": thread._name, "res_id": thread.id, "record_name": name})
        document = thread != self and thread
        values = {
            "active": not document,
            "attached_model": document and document._name,
            "attached_res_id": document and document.id,
            "attached_message_ids": [Command.set(messages.ids if document else [])],
        }
        # users may not write these fields; callers have asked for write access to both threads
        self.sudo().write(values)

    def _get_document(self):
        self.ensure_one()
        model = self.env.get(self.attached_model)
        return model is not None and model.browse(self.attached_res_id).exists()

    @api.model
    def _prepare_route_values(self, message_dict, route):
        """Return a mail's values for one of several routes: a parent only in its own thread."""
        values = dict(message_dict)
        # only which thread it is of
        parent = self.env["mail.message"].sudo().browse(values.get("parent_id") or [])
        if route[0] == self._name and (parent.model, parent.res_id) != (self._name, route[1]):
            values.pop("parent_id", None)
            values.pop("is_internal", None)
        return values

    @api.model
    def message_new(self, msg_dict, custom_values=None):
        name = msg_dict.get("subject") or self._get_missing_subject(msg_dict)
        values = {"name": name, **find_correspondents(self.env, msg_dict), **(custom_values or {})}
        return super().message_new(msg_dict, custom_values=values)

    def message_update(self, msg_dict, update_vals=None):
        delivery, values = delivery_of(self.env), {}
        if not delivery or not delivery.mail.is_machine_answer:  # a machine says nothing new
            values = {"active": True, **find_correspondents(self.env, msg_dict)}
        return super().message_update(msg_dict, update_vals={**values, **(update_vals or {})})

    @api.model
    def _get_missing_subject(self, msg_dict):
        lang = self.env["res.partner"]._find_lang(msg_dict["email_from"], self.env.company)
        self = self.with_context(lang=lang)
        return _("(no subject)")

    def _message_receive_bounce(self, email, partner):
        res = super()._message_receive_bounce(email, partner)
        delivery = delivery_of(self.env)
        reason = delivery.outcome.report.reason if delivery and delivery.outcome.report else ""
        body = _("The mail to %(email)s was not delivered. %(reason)s", email=email, reason=reason)
        for conversation in self:
            conversation._message_log(body=body)
        return res

    @api.returns("mail.message", lambda value: value.id)
    def message_post(self, *, partner_ids=None, **kwargs):
        """Send what a user writes to the correspondents, from wherever they write it.

        Only an open chatter names them, not Discuss's Inbox or the user's own mailbox.
        """
        self.ensure_one()
        layout = "mail_catchall_gateway.mail_notification_conversation"
        kwargs.setdefault("email_layout_xmlid", layout)
        if kwargs.get("message_type") == "email":
            kwargs["email_add_signature"] = False  # the sender's mail program did
        partners = self.env["res.partner"].browse(partner_ids or [])
        is_answer = self._is_answer(kwargs)
        if is_answer and all(map(is_colleague, partners)):
            # employees may not create contacts; undone where core refuses the answer
            partners += Correspondents(self.sudo()).find_or_create()
        message = super().message_post(partner_ids=partners.ids, **kwargs)
        values = {"last_message_date": fields.Datetime.now()}  # a mail's own may be any
        if is_answer:
            values["is_unanswered"] = False
            if not self.partner_id:
                values["partner_id"] = Correspondents(self).match(partners).id
        self.sudo().write(values)  # core allowed the post
        return message

    def _is_answer(self, post_values):
        """Tell whether a post is a user's message to the correspondents, and not a note."""
        if post_values.get("message_type") not in ("comment", "email"):
            return False
        if post_values.get("subtype_xmlid"):
            subtype = self.env.ref(post_values["subtype_xmlid"])
        else:
            subtype = self.env["mail.message.subtype"].browse(post_values.get("subtype_id") or [])
        author_id = post_values.get("author_id") or self.env.user.partner_id.id
        author = self.env["res.partner"].browse(author_id)
        if subtype != self.env.ref("mail.mt_comment") or not is_colleague(author):
            return False
        return not Correspondents(self.sudo()).are_passed_over()  # only a yes or no leaves

    def _message_subscribe(self, partner_ids=None, subtype_ids=None, customer_ids=None):
        """Let only members follow: a follower gets every message, and is written to in addition."""
        members = set(self.sudo().user_ids.partner_id.ids)  # only to leave out others
        partner_ids = [pid for pid in partner_ids or [] if pid in members]
        return super()._message_subscribe(partner_ids, subtype_ids, customer_ids)

    def _check_can_update_message_content(self, messages):
        """Let administrators change nothing either: who changes a message is shown it."""
        self.check_access_rule("write")
        return super()._check_can_update_message_content(messages)

    def _message_get_suggested_recipients(self):
        recipients = super()._message_get_suggested_recipients()
        for conversation in self:
            correspondents = Correspondents(conversation)
            add = conversation._message_add_suggested_recipient
            for email in filter(None, correspondents.emails):
                add(recipients, email=email, reason=_("Correspondent"))
            for email in correspondents.cc:
                add(recipients, email=email, reason=_("Cc"))
        return recipients

    def _notify_get_recipients(self, message, msg_vals, **kwargs):
        """Leave out members who left the company, unless the message names them.

        Core takes a follower without an active user for a customer: they would go on reading, and
        stand in Cc of answers with their own address. They are members again when they return.
        """
        recipients = super()._notify_get_recipients(message, msg_vals, **kwargs)
        Correspondents(self).unite(recipients)
        members, message = self.sudo().user_ids, message.sudo()  # only to leave out others
        members = members.filtered(lambda user: user.active and not user.share)
        named = (msg_vals or {}).get("partner_ids") or message.partner_ids.ids
        known = {*members.partner_id.ids, *named}
        return [data for data in recipients if data["id"] in known]

    def _notify_get_reply_to(self, default=None):
        """Let answers come back to the messaging alias of the author, else of the first member.

        The customer answers the writer; members answer a customer's mail from their own mailbox.
        """
        reply_to = super()._notify_get_reply_to(default=default)
        author = tools.email_normalize(default)
        for conversation in self.sudo():  # messaging aliases of the members, which are public
            members = conversation.user_ids.filtered("alias_email")
            if author in members.mapped("alias_email"):
                reply_to[conversation.id] = default
            elif members:
                reply_to[conversation.id] = self._notify_get_reply_to_formatted_email(
                    members[0].alias_email, conversation.name, company=conversation.company_id
                )
        return reply_to

    def _notify_get_copy_user_ids(self):
        return self.sudo().user_ids.ids  # the members get the copy

    def _notify_by_email_get_final_mail_values(
        self, recipient_ids, mail_values, additional_values=None
    ):
        values = super()._notify_by_email_get_final_mail_values(
            recipient_ids, mail_values, additional_values=additional_values
        )
        # the addresses of the recipients, which the mail is sent to
        partners = self.env["res.partner"].browse(recipient_ids).sudo()
        values.update(Correspondents(self).prepare_shared_mail(partners))
        return values
