from odoo import api, models, tools

from ...tools.judging.delivery import addressed_user_ids, delivery_of
from ...tools.sending.from_policy import FORCED


class MailThread(models.AbstractModel):
    """As whom users write, and who is notified of a message.

    Another class in ``models/routing`` has what core asks while it looks for the place of an
    incoming mail. Posting and notifying have nothing to do with that, and happen without it.
    """

    # the second room of this model, see above
    # pylint: disable-next=consider-merging-classes-inherited
    _inherit = "mail.thread"

    def _get_mail_thread_data(self, request_list):
        """Show in the chatter as whom a user writes, before they do."""
        res = super()._get_mail_thread_data(request_list)
        if self and "suggestedRecipients" in request_list:
            res["catchallSender"] = self._get_chatter_sender()
        return res

    def _get_chatter_sender(self):
        """Return the From of what a user with a messaging alias would write here, for people."""
        self.ensure_one()
        user = self.env.user
        if not user.alias_email:
            return ""
        # sudo: the alias domain of the document's company, which the user may not read; they see
        # their own alias, or the address that all mail has
        domain = self.sudo()._mail_get_alias_domains(default_company=self.env.company)[self.id]
        servers = self.env["ir.mail_server"].with_context(domain_bounce_address=domain.bounce_email)
        policy = servers._get_from_policy()
        is_forced = policy.name == FORCED and not policy.is_native
        return f"{user.name} <{policy.address if is_forced else user.alias_email}>"

    # ------------------------------------------------------------
    # IDENTITY
    # ------------------------------------------------------------

    def _message_compute_author(self, author_id=None, email_from=None, raise_on_email=True):
        """Put the messaging alias of a user in the place of their own address."""
        author_id, email_from = super()._message_compute_author(
            author_id, email_from, raise_on_email
        )
        users = self.env["res.users"]
        replaced = users._replace_own_address(email_from)
        if replaced != email_from:
            # colleagues who share an address: the one that core took for the author.
            # sudo: their address, which is not shown
            author = self.env["res.partner"].sudo().browse(author_id or [])
            same = author.email_normalized == tools.email_normalize(email_from)
            email_from = users._replace_own_address(author.email_formatted) if same else replaced
        return author_id, email_from

    @api.model
    def _mail_find_partner_from_emails(
        self, emails, records=None, force_create=False, extra_domain=False
    ):
        """Mail from a user's alias is the user's; no address of ours becomes a contact."""
        is_ours = self.env["mail.alias.domain"]._is_gateway_address
        delivery = delivery_of(self.env)
        wanted = emails
        if force_create:
            wanted = ["" if is_ours(tools.email_normalize(email)) else email for email in emails]
        elif delivery:
            # core looks each of them up, only to pass over those that aliases have
            wanted = ["" if delivery.mail.is_alias(email) else email for email in emails]
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
        """Return the contact of the user whose messaging alias an address is, or none.

        Also of the user whose second own address it is, where core looks for the first.
        """
        address, users = tools.email_normalize(email, strict=False), self.env["res.users"]
        if self.env["mail.alias.domain"]._is_gateway_address(address):
            user = users._find_by_alias(address)
        else:
            # sudo: as core finds the contact of a first own address
            user = users.sudo().browse(users._get_identities().get(address, [])[:1])
        return user.partner_id.with_env(self.env)

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
        user_ids = addressed_user_ids(self.env)
        if user_ids and message_type == "email":
            readers = self._filter_readers(self.env["res.users"].browse(user_ids))
            partner_ids = [*(partner_ids or []), *readers.partner_id.ids]
        delivery = delivery_of(self.env)
        if delivery and delivery.mail.is_machine_answer and message_type == "email":
            # people outside are not told that a machine answered.
            # sudo: whether the recipients are employees
            partners = self.env["res.partner"].sudo().browse(partner_ids or [])
            partner_ids = partners.filtered(lambda p: p.user_ids and not p.partner_share).ids
        message = super().message_post(message_type=message_type, partner_ids=partner_ids, **kwargs)
        if delivery and message.message_id == delivery.outcome.message_id:
            delivery.outcome.posted.append((message.id, self._name, self.id))
        return message

    def _notify_thread_by_email(self, message, recipients_data, *args, **kwargs):
        """Send copies of what is in the Inbox to the users' own mailboxes.

        The Inbox notification becomes that of the email: there is one for each message and
        partner. It stays unread in the Inbox, and shows whether the copy could be sent.
        """
        res = super()._notify_thread_by_email(message, recipients_data, *args, **kwargs)
        copies = self._notify_get_mailbox_copies(recipients_data)
        if copies:
            partner_ids = {data["id"] for data in copies}
            # sudo: users may change their own notifications only
            notifications = message.sudo().notification_ids.filtered(
                lambda notification: notification.res_partner_id.id in partner_ids
            )
            notifications.notification_type = "email"
            kwargs["resend_existing"] = True
            super()._notify_thread_by_email(message, copies, *args, **kwargs)
        return res

    def _notify_get_mailbox_copies(self, recipients_data):
        """Return the data of Inbox recipients again, as recipients by email, who want a copy."""
        user_ids = self._notify_get_copy_user_ids()
        in_inbox = {
            data["uid"]: data
            for data in recipients_data
            if data["notif"] == "inbox" and data["uid"] in user_ids
        }
        # sudo: whether other users want copies, and have an address
        users = self.env["res.users"].sudo().browse(in_inbox)
        users = users.filtered(lambda user: user.alias_copy_to_mailbox and user.email)
        return [{**in_inbox[user.id], "notif": "email"} for user in users]

    def _notify_get_copy_user_ids(self):
        """Return the users who get a copy of an Inbox message: those the mail was written to."""
        return addressed_user_ids(self.env)
