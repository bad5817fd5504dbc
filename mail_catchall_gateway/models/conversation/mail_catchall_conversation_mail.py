from odoo import _, api, fields, models, tools
from odoo.fields import Command

from ...tools.judging.delivery import delivery_of
from ..routing.addressed import Addressed

#: A mail to more people than this is answered to its sender alone.
MAX_CC = 50


class MailCatchallConversation(models.Model):
    """What comes into a conversation by mail, and what goes out of it."""

    _inherit = "mail.catchall.conversation"

    # ------------------------------------------------------------
    # GATEWAY
    # ------------------------------------------------------------

    @api.model
    def _find_addressed(self, message_dict):
        """Return the users whom a mail is for.

        :param dict message_dict: see ``mail.thread.message_parse``
        :return Addressed:
        """
        recipients = tools.email_normalize_all(message_dict["recipients"])
        delivery = delivery_of(self.env)
        if delivery is None:
            aliases = self.env["mail.alias"]._find_by_addresses(recipients)
        else:
            alias_ids = sorted(delivery.mail.get_alias_ids(set(recipients)))
            aliases = self.env["mail.alias"].sudo().browse(alias_ids)
        return Addressed(self.env, aliases.filtered("is_user_alias"), delivery)

    @api.model
    def _prepare_route_values(self, message_dict, route):
        """Return what core may change of a mail while it follows one of several routes.

        The message that the mail answers is a parent only in its own thread.
        """
        values = dict(message_dict)
        if route[0] == self._name:
            parent = self.env["mail.message"].sudo().browse(values.get("parent_id") or [])
            if (parent.model, parent.res_id) != (self._name, route[1]):
                values.pop("parent_id", None)
                values.pop("is_internal", None)
        return values

    @api.model
    def message_new(self, msg_dict, custom_values=None):
        values = {
            "name": msg_dict.get("subject") or self._get_missing_subject(msg_dict),
            **self._prepare_correspondent_values(msg_dict),
            **(custom_values or {}),
        }
        return super().message_new(msg_dict, custom_values=values)

    def message_update(self, msg_dict, update_vals=None):
        delivery = delivery_of(self.env)
        if delivery and delivery.mail.automatic.kind == "replied":
            return super().message_update(msg_dict, update_vals=update_vals)  # nobody wrote
        values = {"active": True, **self._prepare_correspondent_values(msg_dict)}
        return super().message_update(msg_dict, update_vals={**values, **(update_vals or {})})

    def _prepare_correspondent_values(self, msg_dict):
        """Return what an incoming mail changes: nothing but the date if a user wrote it."""
        values = {"last_message_date": fields.Datetime.now()}
        author = self.env["res.partner"].browse(msg_dict.get("author_id") or [])
        if not self._is_internal(author):
            values.update(
                email_from=msg_dict["email_from"],
                email_cc=self._get_others(msg_dict),
                partner_id=author.id,
                is_unanswered=True,
            )
        return values

    @api.model
    def _get_others(self, msg_dict):
        """Return whom else a mail was sent to, but for ourselves, as a list for Cc."""
        is_ours = self.env["mail.alias.domain"]._is_gateway_address
        own_addresses = self.env["res.users"]._get_identities()
        others = {}
        for email in tools.email_split_and_format(f"{msg_dict['to']},{msg_dict['cc']}"):
            address = tools.email_normalize(email)
            if address and not is_ours(address) and address not in own_addresses:
                others.setdefault(address, email)
        others.pop(tools.email_normalize(msg_dict["email_from"]), None)
        return ", ".join(others.values()) if len(others) <= MAX_CC else False

    def _message_receive_bounce(self, email, partner):
        """Say in the conversation whom a mail did not reach, and why."""
        res = super()._message_receive_bounce(email, partner)
        delivery = delivery_of(self.env)
        reason = delivery.outcome.report.reason if delivery and delivery.outcome.report else ""
        for conversation in self:
            conversation._message_log(
                body=_(
                    "The mail to %(email)s was not delivered. %(reason)s",
                    email=email,
                    reason=reason,
                )
            )
        return res

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
        is_answer = self._is_answer(kwargs)
        if is_answer and not self._has_outsider(partner_ids):
            partner_ids += self._find_or_create_correspondents().ids
        message = super().message_post(partner_ids=partner_ids, **kwargs)
        values = {"last_message_date": fields.Datetime.now()}  # a mail's own may be any
        if is_answer:
            values["is_unanswered"] = False
            if not self.partner_id:
                values["partner_id"] = self._match_correspondent(partner_ids).id
        self.sudo().write(values)
        return message

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

    def _find_or_create_correspondents(self):
        """Return the contacts to answer: who wrote becomes one when he is first answered.

        Not who has the answer already, because a user sent it from his own mailbox to him too.
        """
        self.ensure_one()
        conversation = self.sudo()
        wanted = emails = conversation._get_correspondents()
        if not any(wanted):
            return conversation.partner_id
        if conversation.reply_to_all:
            emails = wanted + tools.email_split_and_format(conversation.email_cc)
        delivery = delivery_of(self.env)
        reached = delivery.mail.header_recipients if delivery else ()
        emails = [email for email in emails if tools.email_normalize(email) not in reached]
        contact = self._match_correspondent(conversation.partner_id.filtered("active").ids)
        others = [email for email in emails if not contact or email != wanted[0]]
        thread = self.env["mail.thread"].sudo()
        found = thread._mail_find_partner_from_emails(others, force_create=True)
        partners = self.env["res.partner"].concat(*found)
        return partners | contact if wanted[0] in emails else partners

    def _match_correspondent(self, partner_ids):
        """Return the recipient who is the correspondent: the web client makes contacts itself."""
        address = tools.email_normalize(self.email_reply_to or self.email_from)
        partners = self.env["res.partner"].browse(partner_ids)
        return partners.filtered(lambda p: address and p.email_normalized == address)[:1]

    def _message_get_suggested_recipients(self):
        recipients = super()._message_get_suggested_recipients()
        for conversation in self:
            emails = [(email, _("Correspondent")) for email in conversation._get_correspondents()]
            if conversation.reply_to_all:
                cc = tools.email_split_and_format(conversation.email_cc)
                emails += [(email, _("Cc")) for email in cc]
            for email, reason in emails:
                if email:
                    conversation._message_add_suggested_recipient(
                        recipients, email=email, reason=reason
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

    def _notify_get_copy_user_ids(self):
        return self.sudo().user_ids.ids

    def _notify_by_email_get_final_mail_values(
        self, recipient_ids, mail_values, additional_values=None
    ):
        """Write to several people outside as people do: one mail, with the others in Cc.

        Core makes a mail for each; nobody would know of the others, or answer to them.
        """
        values = super()._notify_by_email_get_final_mail_values(
            recipient_ids, mail_values, additional_values=additional_values
        )
        partners = self.env["res.partner"].browse(recipient_ids).sudo()
        users = partners.with_context(active_test=False).user_ids
        if len(partners) > 1 and all(users.mapped("share")):
            first = self._match_correspondent(partners.ids) or partners[0]
            others = (partners - first).filtered("email_normalized")
            if first.email_normalized:
                values.update(
                    recipient_ids=[Command.clear()],
                    email_to=first.email_formatted,
                    email_cc=", ".join(others.mapped("email_formatted")),
                )
        return values
