from odoo import api, models, tools

from ..tools.addresses import replace_address


class MailThread(models.AbstractModel):
    """Core's gateway, told for whom a mail was delivered, and of messaging aliases.

    See ``tools/delivery.py`` for what passes through the context key ``catchall_delivery``. Who
    of the users gets what is decided in ``mail.catchall.conversation``.
    """

    _inherit = "mail.thread"

    # ------------------------------------------------------------
    # PARSING
    # ------------------------------------------------------------

    @api.model
    def message_parse(self, message, save_original=False):
        """Give core the envelope recipients in the field where it looks for them.

        Core takes every ``Delivered-To`` for an envelope recipient. In a catch-all mailbox that is
        the mailbox itself, and core would bounce the mail as written to the catchall.
        """
        # a user's alias among the recipients must not make the user one who may read it all
        self = self.with_context(catchall_skip_alias_partners=True)
        delivery = self.env.context.get("catchall_delivery")
        if delivery is None:
            return super().message_parse(message, save_original=save_original)
        del message["Delivered-To"]
        for recipient in delivery.recipients:
            message["Delivered-To"] = recipient
        msg_dict = super().message_parse(message, save_original=save_original)
        self._hide_own_mailbox(delivery, msg_dict)
        delivery.message_id = msg_dict["message_id"]
        delivery.is_bounce = msg_dict["is_bounce"]
        if delivery.only is not None:
            msg_dict["to"] = msg_dict["recipients"] = ",".join(delivery.only)
            # core would ignore the mail, for the copy that it posted; see message_route
            msg_dict["message_id"] = tools.generate_tracking_message_id("copy")
        return msg_dict

    @api.model
    def _hide_own_mailbox(self, delivery, msg_dict):
        """Let nothing of a user's own mailbox out with what he sends from it.

        The Message-Id goes out again to who gets the message, and often names his provider, his
        machine or his address; quoted text may name the address that his copy was sent to.
        """
        if msg_dict["is_bounce"]:
            return
        Users = self.env["res.users"]
        own_address = tools.email_normalize(msg_dict["email_from"])
        user_id, identity = Users._get_identities().get(own_address, (0, ""))
        if identity:
            alias = tools.email_normalize(identity)
            msg_dict["body"] = replace_address(msg_dict["body"], own_address, alias)
        elif self.env["mail.alias.domain"]._is_gateway_address(own_address):
            user_id = Users._find_by_alias(own_address).id
        if user_id:
            delivery.author_user_id = user_id
            msg_dict["message_id"] = tools.generate_tracking_message_id("mailbox")

    def _get_parent_message(self, msg_dict):
        """Find the message that a user sent from his own mailbox under another Message-Id."""
        parent = super()._get_parent_message(msg_dict)
        if parent or not self.env.context.get("catchall_delivery"):
            return parent
        references = self._get_references(msg_dict)
        parent = self.env["mail.catchall.inbound"]._find_messages(references)[:1]
        if parent:
            # message_route looks for the references once more
            msg_dict["references"] = f"{msg_dict.get('references') or ''} {parent.message_id}"
        return parent or None

    @api.model
    def _get_references(self, msg_dict):
        """Return the Message-Ids that a mail refers to (RFC 5322, 3.6.4)."""
        text = f"{msg_dict.get('references') or ''} {msg_dict.get('in_reply_to') or ''}"
        return [reference.strip() for reference in tools.unfold_references(text)]

    # ------------------------------------------------------------
    # ROUTING
    # ------------------------------------------------------------

    @api.model
    def message_route(self, message, message_dict, model=None, thread_id=None, custom_values=None):
        """Let core find the documents, and Conversations the users that a mail is for."""
        delivery = self.env.context.get("catchall_delivery")
        arguments = (message, message_dict, model, thread_id, custom_values)
        if message_dict.get("is_bounce"):
            routes = super().message_route(*arguments)
        else:
            addressed = self.env["mail.catchall.conversation"]._find_addressed(message_dict)
            hidden = self._hide_from_core(message_dict, addressed)
            try:
                routes = super().message_route(*arguments)
                message_dict.update(hidden)
                routes = addressed.route(message_dict, routes)
            except ValueError as error:
                if delivery is None:
                    raise
                delivery.unrouted = str(error)
                routes = []
        if delivery is not None:
            message_dict["message_id"] = delivery.message_id
            delivery.routes = routes
            # core forgets the parent where it opens a new thread
            delivery.is_reply = bool(routes and message_dict.get("parent_id") and routes[0][1])
        return routes

    @api.model
    def _hide_from_core(self, message_dict, addressed):
        """Hide what would make core take a reply for something else, and return it.

        * Core takes an answer that is also written to an alias of another model for a forward,
          and would open a new thread. A user who gets a copy is no reason for that.
        * A copy of a mail must not answer again what the first one answered.
        * Core bounces what is written to the catchall, and does not look who is in Cc.
        """
        hidden = {}
        delivery = self.env.context.get("catchall_delivery")
        if delivery is not None and delivery.is_copy:
            hidden = {key: message_dict.get(key) for key in ("references", "in_reply_to")}
            message_dict.update(references="", in_reply_to="")
            message_dict.pop("parent_id", None)
        elif addressed and self._is_answer_to_document(message_dict):
            hidden = {key: message_dict[key] for key in ("to", "recipients")}
            message_dict.update(
                {key: addressed.without_users(value) for key, value in hidden.items()}
            )
        elif addressed:
            hidden = {"to": message_dict["to"]}
            message_dict["to"] = ",".join(
                [hidden["to"], *addressed.aliases.mapped("alias_full_name")]
            )
        return hidden

    @api.model
    def _is_answer_to_document(self, message_dict):
        parent = self.env["mail.message"].sudo().browse(message_dict.get("parent_id") or [])
        if not parent.res_id or parent.model not in self.env:
            return False
        if parent.model == "mail.catchall.conversation":
            return False
        return bool(self.env[parent.model].sudo().browse(parent.res_id).exists())

    @api.model
    def _message_route_process(self, message, message_dict, routes):
        """Notify the users whom a mail for a document is also written to, on the document.

        Who may not read it gets a conversation of his own.
        """
        conversations = self.env["mail.catchall.conversation"]
        addressed = message_dict.pop("catchall_addressed", None)
        if not addressed:
            return super()._message_route_process(message, message_dict, routes)
        waiting, thread_id = addressed.on_documents, False
        for route in routes:
            values = conversations._prepare_route_values(message_dict, route)
            thread = self
            if route[0] != conversations._name:
                thread = self.with_context(catchall_addressed_user_ids=tuple(waiting.ids))
            found_id = super(MailThread, thread)._message_route_process(message, values, [route])
            thread_id = thread_id or found_id
            if route[0] != conversations._name and found_id:
                waiting -= self.env[route[0]].browse(found_id)._filter_readers(waiting)
        for route in addressed.open_conversations(message_dict, waiting):
            values = conversations._prepare_route_values(message_dict, route)
            super()._message_route_process(message, values, [route])
        return thread_id

    def _filter_readers(self, users):
        """Return those of the users who may read this document."""
        self.ensure_one()

        def may_read(user):
            record = self.with_user(user)
            may = record.check_access_rights("read", raise_exception=False)
            return may and bool(record._filter_access_rules("read"))

        return users.filtered(may_read)

    @api.model
    def _detect_loop_headers(self, msg_dict):
        is_loop = super()._detect_loop_headers(msg_dict)
        if is_loop and (delivery := self.env.context.get("catchall_delivery")):
            delivery.is_loop = True
        return is_loop

    @api.model
    def _routing_create_bounce_email(self, email_from, body_html, message, **mail_values):
        if delivery := self.env.context.get("catchall_delivery"):
            delivery.is_rejected = True
        return super()._routing_create_bounce_email(email_from, body_html, message, **mail_values)

    # ------------------------------------------------------------
    # IDENTITY
    # ------------------------------------------------------------

    def _message_compute_author(self, author_id=None, email_from=None, raise_on_email=True):
        author_id, email_from = super()._message_compute_author(
            author_id, email_from, raise_on_email
        )
        if email_from:
            email_from = self.env["res.users"]._replace_own_address(email_from)
        return author_id, email_from

    @api.model
    def _mail_find_partner_from_emails(
        self, emails, records=None, force_create=False, extra_domain=False
    ):
        """Mail from a user's alias is the user's; no address of ours becomes a contact."""
        is_ours = self.env["mail.alias.domain"]._is_gateway_address
        wanted = emails
        if force_create:
            wanted = ["" if is_ours(tools.email_normalize(email)) else email for email in emails]
        partners = super()._mail_find_partner_from_emails(
            wanted, records=records, force_create=force_create, extra_domain=extra_domain
        )
        if self.env.context.get("catchall_skip_alias_partners"):
            return partners
        return [
            partner or self._find_partner_of_alias(email)
            for partner, email in zip(partners, emails, strict=True)
        ]

    @api.model
    def _find_partner_of_alias(self, email):
        """Return the contact of the user whose messaging alias an address is, or none."""
        address = tools.email_normalize(email, strict=False)
        if not self.env["mail.alias.domain"]._is_gateway_address(address):
            return self.env["res.partner"]
        partner = self.env["res.users"]._find_by_alias(address).partner_id
        return partner.with_env(self.env)

    @api.model
    def _mail_find_user_for_gateway(self, email_value, alias=None):
        user = super()._mail_find_user_for_gateway(email_value, alias=alias)
        return user or self._find_partner_of_alias(email_value).user_ids[:1]

    # ------------------------------------------------------------
    # POSTING AND NOTIFICATION
    # ------------------------------------------------------------

    @api.returns("mail.message", lambda value: value.id)
    def message_post(self, *, message_type="notification", partner_ids=None, **kwargs):
        """Notify the users whom an incoming mail was written to, if they may read it here."""
        user_ids = self.env.context.get("catchall_addressed_user_ids")
        if user_ids and message_type == "email":
            readers = self._filter_readers(self.env["res.users"].browse(user_ids))
            partner_ids = [*(partner_ids or []), *readers.partner_id.ids]
        return super().message_post(message_type=message_type, partner_ids=partner_ids, **kwargs)

    def _notify_thread_by_email(self, message, recipients_data, **kwargs):
        """Send copies of what is in the Inbox to the users' own mailboxes.

        The Inbox notification becomes that of the email: there is one for each message and
        partner. It stays unread in the Inbox, and shows whether the copy could be sent.
        """
        res = super()._notify_thread_by_email(message, recipients_data, **kwargs)
        copies = self._notify_get_mailbox_copies(recipients_data)
        if copies:
            partner_ids = {data["id"] for data in copies}
            notifications = message.sudo().notification_ids.filtered(
                lambda notification: notification.res_partner_id.id in partner_ids
            )
            notifications.notification_type = "email"
            super()._notify_thread_by_email(message, copies, **{**kwargs, "resend_existing": True})
        return res

    def _notify_get_mailbox_copies(self, recipients_data):
        """Return the data of Inbox recipients again, as recipients by email, who want a copy."""
        user_ids = self._notify_get_copy_user_ids()
        in_inbox = {
            data["uid"]: data
            for data in recipients_data
            if data["notif"] == "inbox" and data["uid"] in user_ids
        }
        users = self.env["res.users"].sudo().browse(in_inbox)
        users = users.filtered(lambda user: user.alias_copy_to_mailbox and user.email)
        return [{**in_inbox[user.id], "notif": "email"} for user in users]

    def _notify_get_copy_user_ids(self):
        """Return who gets a copy of an Inbox message: whom the mail was written to."""
        return self.env.context.get("catchall_addressed_user_ids") or ()
