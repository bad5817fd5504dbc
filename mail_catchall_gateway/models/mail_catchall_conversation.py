from odoo import _, api, fields, models, tools


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
        help="The users who were written to. Nobody else can read this conversation.",
    )
    partner_id = fields.Many2one("res.partner", "Contact")
    email_from = fields.Char("Correspondent", help="Who wrote last; answers go to this address.")
    email_cc = fields.Char("Cc")
    last_message_date = fields.Datetime("Last Message", default=fields.Datetime.now)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", default=lambda self: self.env.company)

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        conversations = super().create(vals_list)
        for conversation in conversations:
            conversation.message_subscribe(conversation.user_ids.partner_id.ids)
        return conversations

    def write(self, vals):
        before = {conversation: conversation.user_ids for conversation in self}
        res = super().write(vals)
        if "user_ids" in vals:
            for conversation, users in before.items():
                left, joined = users - conversation.user_ids, conversation.user_ids - users
                conversation.message_unsubscribe(left.partner_id.ids)
                conversation.message_subscribe(joined.partner_id.ids)
        return res

    def _message_subscribe(self, partner_ids=None, subtype_ids=None, customer_ids=None):
        """Only members follow: a follower gets every message, and is written to in addition."""
        members = set(self.sudo().user_ids.partner_id.ids)
        partner_ids = [pid for pid in partner_ids or [] if pid in members]
        return super()._message_subscribe(partner_ids, subtype_ids, customer_ids)

    # ------------------------------------------------------------
    # GATEWAY
    # ------------------------------------------------------------

    @api.model
    def message_new(self, msg_dict, custom_values=None):
        values = {
            "name": msg_dict.get("subject") or _("(no subject)"),
            **self._prepare_correspondent_values(msg_dict),
            **(custom_values or {}),
        }
        return super().message_new(msg_dict, custom_values=values)

    def message_update(self, msg_dict, update_vals=None):
        values = self._prepare_correspondent_values(msg_dict)
        return super().message_update(msg_dict, update_vals={**values, **(update_vals or {})})

    def _prepare_correspondent_values(self, msg_dict):
        """Return what an incoming mail changes: nothing but the date if a user wrote it."""
        values = {"last_message_date": fields.Datetime.now()}
        author = self.env["res.partner"].browse(msg_dict.get("author_id") or [])
        if not self._is_internal(author):
            values.update(
                email_from=msg_dict["email_from"],
                email_cc=msg_dict.get("cc"),
                partner_id=author.id,
            )
        return values

    # ------------------------------------------------------------
    # POSTING
    # ------------------------------------------------------------

    @api.returns("mail.message", lambda value: value.id)
    def message_post(self, *, partner_ids=None, **kwargs):
        """Send what a user writes to the correspondent, from wherever he writes it.

        The web client names the correspondent as a recipient only where its chatter is open;
        Discuss's Inbox and the user's own mailbox do not.
        """
        self.ensure_one()
        kwargs.setdefault(
            "email_layout_xmlid", "mail_catchall_gateway.mail_notification_conversation"
        )
        if kwargs.get("message_type") == "email":
            kwargs["email_add_signature"] = False  # the sender's mail program did
        partner_ids = list(partner_ids or [])
        if self._is_answer(kwargs) and not self._has_outsider(partner_ids):
            partner_ids += self._find_or_create_correspondent().ids
        message = super().message_post(partner_ids=partner_ids, **kwargs)
        self.sudo().write(
            {
                "last_message_date": message.date,
                "partner_id": (self.partner_id or self._match_correspondent(partner_ids)).id,
            }
        )
        return message

    def _match_correspondent(self, partner_ids):
        """Return the recipient who is the correspondent: the web client makes contacts itself."""
        address = tools.email_normalize(self.email_from)
        partners = self.env["res.partner"].browse(partner_ids)
        return partners.filtered(lambda p: address and p.email_normalized == address)[:1]

    def _is_answer(self, post_values):
        """Tell whether a post is a message of a user to the outside, and not a note."""
        if post_values.get("message_type") not in ("comment", "email"):
            return False
        if post_values.get("subtype_xmlid"):
            subtype = self.env.ref(post_values["subtype_xmlid"])
        else:
            subtype = self.env["mail.message.subtype"].browse(post_values.get("subtype_id") or [])
        author_id = post_values.get("author_id") or self.env.user.partner_id.id
        author = self.env["res.partner"].browse(author_id)
        return subtype == self.env.ref("mail.mt_comment") and self._is_internal(author)

    @api.model
    def _is_internal(self, partner):
        return bool(partner.sudo().user_ids) and not partner.sudo().partner_share

    @api.model
    def _has_outsider(self, partner_ids):
        partners = self.env["res.partner"].browse(partner_ids).sudo()
        return any(not self._is_internal(partner) for partner in partners)

    def _find_or_create_correspondent(self):
        """Return the contact to answer: who wrote becomes one when he is first answered."""
        self.ensure_one()
        conversation = self.sudo()
        if not conversation.partner_id and conversation.email_from:
            partners = (
                self.env["mail.thread"]
                .sudo()
                ._mail_find_partner_from_emails([conversation.email_from], force_create=True)
            )
            conversation.partner_id = partners[0]
        return conversation.partner_id

    def _message_get_suggested_recipients(self):
        recipients = super()._message_get_suggested_recipients()
        for conversation in self:
            if conversation.partner_id:
                conversation._message_add_suggested_recipient(
                    recipients, partner=conversation.partner_id, reason=_("Correspondent")
                )
            elif conversation.email_from:
                conversation._message_add_suggested_recipient(
                    recipients, email=conversation.email_from, reason=_("Correspondent")
                )
        return recipients

    # ------------------------------------------------------------
    # NOTIFICATION
    # ------------------------------------------------------------

    def _notify_get_reply_to(self, default=None):
        """Answers come back to a messaging alias.

        The author's own where he has one, so that the customer answers who wrote to him; for a
        customer's mail that of the first member, who answers to it from his own mailbox.
        """
        reply_to = super()._notify_get_reply_to(default=default)
        author = tools.email_normalize(default)
        for conversation in self.sudo():
            members = conversation.user_ids.filtered("alias_email")
            if author in members.mapped("alias_email"):
                reply_to[conversation.id] = default
            elif members:
                reply_to[conversation.id] = self._notify_get_reply_to_formatted_email(
                    members[0].alias_email, conversation.name, company=conversation.company_id
                )
        return reply_to

    def _notify_thread_by_email(self, message, recipients_data, **kwargs):
        """Send copies of what is in the Inbox to the members' own mailboxes.

        The Inbox notification becomes that of the email: there is one for each message and
        partner. It stays unread in the Inbox, and shows whether the copy could be sent.
        """
        res = super()._notify_thread_by_email(message, recipients_data, **kwargs)
        copies = self._notify_get_mailbox_copies(recipients_data)
        if copies:
            notifications = message.sudo().notification_ids.filtered(
                lambda notification: notification.res_partner_id.id in {c["id"] for c in copies}
            )
            notifications.notification_type = "email"
            super()._notify_thread_by_email(message, copies, **{**kwargs, "resend_existing": True})
        return res

    def _notify_get_mailbox_copies(self, recipients_data):
        """Return the data of Inbox recipients again, as recipients by email, who want a copy."""
        in_inbox = {data["uid"]: data for data in recipients_data if data["notif"] == "inbox"}
        members = self.sudo().user_ids.filtered(
            lambda user: user.id in in_inbox and user.alias_copy_to_mailbox and user.email
        )
        return [{**in_inbox[user.id], "notif": "email"} for user in members]
