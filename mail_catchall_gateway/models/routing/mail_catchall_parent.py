from odoo import api, fields, models, tools

from ...tools.judging.delivery import CONTEXT_KEY, Delivery
from ...tools.message.source import decode_ids
from ...tools.time_limit import in_days, read_days


class MailCatchallParent(models.AbstractModel):
    """Finds the message that a stored mail answers, where core's search by Message-Id errs.

    Core looks for the references of a mail twice, while it parses and while it routes: what is
    decided here is also written into the references.
    """

    _name = "mail.catchall.parent"
    _description = "Parent of an Inbound Email"

    @api.model
    def _find(self, mail):
        """Return the message that a mail not yet handed to core answers, if its document exists."""
        values = {name.lower(): value for name, value in reversed(mail.fields)}
        names = {"in_reply_to": "in-reply-to", "references": "references"}
        msg_dict = {key: decode_ids(values.get(name, "")) for key, name in names.items()}
        thread = self.env["mail.thread"].with_context(**{CONTEXT_KEY: Delivery(mail)})
        parent = thread._get_parent_message(msg_dict) or self.env["mail.message"]
        return parent if self._has_document(parent) else parent.browse()

    @api.model
    def _choose(self, delivery, msg_dict, parent):
        """Return the message that a mail answers; None if it answers none, or may not answer it.

        :param dict msg_dict: see ``mail.thread.message_parse``; its references are corrected
        :param parent: what core found, or None
        """
        parent = parent or self._find_sent(msg_dict)
        signed = delivery.mail.get_signed()
        if signed:
            # the address knows better than the header
            found = self._find_signed_message(signed)
            if found and (parent.model, parent.res_id) != (found.model, found.res_id):
                msg_dict.update(references=found.message_id, in_reply_to="")
                parent = found
        elif parent and not delivery.mail.is_accepted and self._is_closed(delivery, parent):
            msg_dict.update(references="", in_reply_to="")
            return None
        return parent or None

    @api.model
    def _get_references(self, msg_dict):
        """Return the Message-Ids that a mail refers to (RFC 5322, 3.6.4)."""
        text = f"{msg_dict.get('references') or ''} {msg_dict.get('in_reply_to') or ''}"
        # some mail programs fold a Message-Id; not all builds have tools.unfold_references
        return ["".join(found.split()) for found in tools.mail_header_msgid_re.findall(text)]

    @api.model
    def _find_sent(self, msg_dict):
        """Return the message that a user sent from their own mailbox under another Message-Id."""
        references = self._get_references(msg_dict)
        parent = self.env["mail.catchall.inbound"]._find_messages(references)[:1]
        if parent:
            msg_dict["references"] = f"{msg_dict.get('references') or ''} {parent.message_id}"
        return parent

    @api.model
    def _find_signed_message(self, signed):
        """Return the message that a signed address names, else one of the same document.

        A mail that was sent by a template is mostly deleted, and its message with it.
        """
        # sudo: the signature stands for the right to answer the message
        messages = self.env["mail.message"].sudo()
        message = messages.browse(signed.message_id).exists()
        # sudo: the name of a model, by its number
        model = self.env["ir.model"].sudo().browse(signed.model_id).exists().model
        if not message and model:
            domain = [("model", "=", model), ("res_id", "=", signed.res_id)]
            found = messages.search(domain, order="is_internal, id desc", limit=20)
            # core would take the newest of those that one mail became on several documents
            shared = messages.search([("message_id", "in", found.mapped("message_id"))]) - found
            shared = set(shared.mapped("message_id"))
            public = found.filtered(lambda m: not m.is_internal and m.message_id not in shared)
            message = (public or found)[:1]
        return message if self._has_document(message) else messages

    @api.model
    def _has_document(self, message):
        """Tell whether the document of a message exists."""
        if not message.res_id or message.model not in self.env:
            return False
        # sudo: yes or no
        return bool(self.env[message.model].sudo().browse(message.res_id).exists())

    @api.model
    def _is_closed(self, delivery, message):
        """Tell whether a message is too old for the sender of a mail to answer it.

        Old Message-Ids open no thread to strangers: they were sent on, archived, published.
        """
        # sudo: a system parameter, a number
        parameters = self.env["ir.config_parameter"].sudo()
        days = read_days(parameters.get_param("mail_catchall_gateway.reply_days"), 0)
        is_old = days > 0 and message.date < fields.Datetime.now() - in_days(days)
        return is_old and not self._has_part(message, delivery.mail.sender)

    @api.model
    def _has_part(self, message, address):
        """Tell whether who has an address wrote or got a message of the thread, or works here."""
        if not address:
            return False
        # sudo: whether a sender had part in a thread, yes or no
        users = self.env["res.users"].sudo()
        own = users.search_count([("email_normalized", "=", address), ("share", "=", False)])
        if own or users._find_by_alias(address):
            return True
        thread = [("model", "=", message.model), ("res_id", "=", message.res_id)]
        # sudo: the same question
        messages = self.env["mail.message"].sudo().search(thread)
        followers = self.env["mail.followers"].sudo()
        followers = followers.search([("res_model", "=", message.model), thread[1]])
        partners = messages.author_id | messages.partner_ids | followers.partner_id
        partners |= messages.notification_ids.res_partner_id
        authors = map(tools.email_normalize, filter(None, messages.mapped("email_from")))
        return address in partners.mapped("email_normalized") or address in authors
